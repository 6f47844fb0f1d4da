"""The harmonic fill by a factorisation in double precision: the reference, and the way out where multigrid fails."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["solve_directly", "solve_surely"]

MAX_RESIDUAL = 1e-3  # relative; multigrid has failed if its residual is larger, whatever the tolerance was


def solve_directly(image: Any, mask: np.ndarray, channels: list[int]) -> list[tuple[int, float, str]]:
    """Fill `channels` of a Canvas or of Sheets by SciPy's SuperLU; what `Canvas.solve` returns."""
    from scipy.sparse.linalg import splu  # loading it takes longer than most solutions by multigrid

    from skinpaint.grid.matrix import laplacian, places_of_known

    L_UU, L_UK = laplacian(mask, image.harmonic.lags, image.harmonic.spacing)
    beside = np.unique(L_UK.indices)
    index = np.unravel_index(places_of_known(mask, beside), mask.shape)
    L_UK = L_UK[:, beside]
    factor = splu(L_UU, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    results, found = [], np.empty((len(channels), L_UU.shape[0]))
    for c, x in zip(channels, found, strict=True):
        b = -(L_UK @ image.read(index, c))
        x[:] = factor.solve(b)
        size = np.linalg.norm(b)
        results.append((1, float(np.linalg.norm(b - L_UU @ x) / size) if size else 0.0, "direct"))
    image.put(np.flatnonzero(mask), channels, found)
    return results


def solve_surely(image: Any, mask: np.ndarray, channels: list[int], tol: float) -> None:
    """Fill `channels` of a Canvas or of Sheets by multigrid, or by SuperLU where single precision is not enough."""
    residuals = [residual for _, residual, _ in image.solve(mask, channels, tol)]
    if not np.max(residuals) <= max(tol, MAX_RESIDUAL):
        solve_directly(image, mask, channels)
