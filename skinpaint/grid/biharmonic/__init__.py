"""Fourth order: the fill that bends least, by multigrid."""

from __future__ import annotations

__all__: list[str] = []
