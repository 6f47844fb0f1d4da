"""Second order: the harmonic fill, by multigrid or a factorisation."""

from __future__ import annotations

__all__: list[str] = []
