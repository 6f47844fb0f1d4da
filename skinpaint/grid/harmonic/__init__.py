"""Second order: the harmonic fill, by multigrid."""

from __future__ import annotations

__all__: list[str] = []
