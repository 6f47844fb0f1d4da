"""Sum of the squared second differences of a grid, and its gradient."""

from __future__ import annotations

import numpy as np

from skinpaint.grid.differences import kernels_curvature as kernels
from skinpaint.grid.differences.rows import rows_of
from skinpaint.grid.threads import share

__all__ = ["second_differences", "spread_second_differences"]


def second_differences(x: np.ndarray, spacing: tuple[float, ...]) -> float:
    """Sum of the squared second differences: pure ones along each axis, and twice the mixed ones.

    Parameters
    ----------
    x : ndarray of float64, shape (M[, N[, ..., P]]), C-contiguous
        Values.
    spacing : tuple of float
        Distance between neighbours along each axis; infinite for an axis along which nothing is compared.

    Examples
    --------
    >>> second_differences(np.array([0.0, 1.0, 4.0]), (1.0,))
    4.0
    >>> second_differences(np.array([[0.0, 0.0], [0.0, 1.0]]), (1.0, 1.0))
    2.0
    """
    rows, width, _, *grid = rows_of(x, spacing)
    sums = np.empty(rows)
    share(kernels.second_differences, 0, rows, x.size, x.reshape(-1), width, *grid, _weights(spacing), sums)
    return float(sums.sum())


def spread_second_differences(x: np.ndarray, spacing: tuple[float, ...], gain: float) -> np.ndarray:
    """Gradient of `second_differences`, times `gain`.

    Examples
    --------
    >>> spread_second_differences(np.array([0.0, 1.0, 4.0]), (1.0,), 1.0)
    array([ 4., -8.,  4.])
    """
    rows, width, _, *grid = rows_of(x, spacing)
    out = np.empty(x.size)
    share(
        kernels.spread_second_differences, 0, rows, x.size, x.reshape(-1), width, *grid, _weights(spacing), gain, out
    )  # fmt: skip
    return out.reshape(x.shape)


def _weights(spacing: tuple[float, ...]) -> np.ndarray:
    """The weights of the pure differences on the diagonal, those of the mixed ones above it."""
    inverse = 1 / np.square(spacing)
    return np.outer(inverse, inverse) * (2 - np.eye(inverse.size))
