"""Sum of one norm for each pixel, of its differences to the pixels ahead, and its gradient."""

from __future__ import annotations

import numpy as np

from skinpaint.grid.differences import kernels_norms as kernels
from skinpaint.grid.differences.rows import rows_of
from skinpaint.grid.threads import share

__all__ = ["pixel_norms", "spread_norms"]


def pixel_norms(
    x: np.ndarray, lags: tuple[int, ...], spacing: tuple[float, ...], eps: float, *, keep: bool = True
) -> tuple[float, np.ndarray]:
    """Sum over pixels and lags of ``sqrt(|v|^2 + eps^2) - eps``, with `v` the differences ahead along all axes.

    Parameters
    ----------
    x : ndarray of float64, shape (M[, N[, ..., P]][, C]), C-contiguous
        Values. If there is one axis more than in `spacing`, it holds channels, which share one norm.
    lags : (1,) or (1, 2)
        Distances between the entries that are compared, each with a norm of its own.
    spacing : tuple of float
        Distance between neighbours along each axis; infinite for an axis along which nothing is compared.
    eps : float
        Smooths the norms at zero.
    keep : bool
        Whether the gradient will be asked for.

    Returns
    -------
    total : float
        The sum.
    inverse : ndarray
        One over the norms, for `spread_norms`, if `keep`; otherwise without entries.

    Examples
    --------
    >>> pixel_norms(np.array([[0.0, 4.0], [3.0, 3.0]]), (1,), (1.0, 1.0), 0.0)[0]  # |(3, 4)| + |-1| + |0| + |nothing|
    6.0
    """
    rows, *grid = rows_of(x, spacing)
    inverse = np.empty((len(lags), x.size) if keep else (len(lags), 0))
    sums = np.empty(rows)
    share(kernels.pixel_norms, 0, rows, x.size, x.reshape(-1), *grid, _weights(spacing), lags, eps, inverse, sums)
    return float(sums.sum()), inverse


def spread_norms(
    x: np.ndarray, lags: tuple[int, ...], spacing: tuple[float, ...], inverse: np.ndarray, gain: float
) -> np.ndarray:
    """Gradient of the sum of `pixel_norms`, times `gain`.

    Examples
    --------
    >>> x = np.array([0.0, 3.0, 7.0])
    >>> spread_norms(x, (1,), (1.0,), pixel_norms(x, (1,), (1.0,), 0.0)[1], 1.0).round(12) + 0.0
    array([-1.,  0.,  1.])
    """
    rows, *grid = rows_of(x, spacing)
    out = np.empty(x.size)
    share(kernels.spread_norms, 0, rows, x.size, x.reshape(-1), *grid, _weights(spacing), lags, inverse, gain, out)
    return out.reshape(x.shape)


def _weights(spacing: tuple[float, ...]) -> np.ndarray:
    return 1 / np.square(spacing)
