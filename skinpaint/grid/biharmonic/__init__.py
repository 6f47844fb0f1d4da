"""Fourth order: the biharmonic fill, by multigrid."""

from __future__ import annotations

__all__ = ["STENCIL_RADIUS"]

STENCIL_RADIUS = 2  # the square of the Laplacian couples pixels up to two steps apart
