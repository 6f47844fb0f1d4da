"""The lengths of the differences along all lines of a grid, and the transposed map: one pass over memory an axis."""

from __future__ import annotations

import math

import numpy as np

from skinpaint.grid.kernels import lengths as kernels
from skinpaint.grid.threads import share

__all__ = ["line_lengths", "spread_lengths"]


def line_lengths(x: np.ndarray, lags: tuple[int, ...], spacing: tuple[float, ...]) -> np.ndarray:
    """Euclidean lengths of the differences along every line: with lag 2 also of its even and of its odd entries.

    Parameters
    ----------
    x : ndarray of shape (M[, N[, ..., P]])
        Values.
    lags : (1,) or (1, 2)
        Distances between the entries that are compared.
    spacing : tuple of float
        Distance between neighbours along each axis; lengths are divided by it.

    Returns
    -------
    lengths : ndarray of float64, one-dimensional
        Axis after axis.

    Examples
    --------
    >>> line_lengths(np.array([0.0, 3.0, 7.0]), (1, 2), (1.0,))
    array([5., 7., 0.])
    """
    x = np.ascontiguousarray(x, dtype=float)
    lengths = [np.zeros(0)]
    for axis, h in _axes(x.shape, spacing):
        folded = _folded(x, axis)
        out = np.empty((_groups(lags), folded.shape[0], *folded.shape[2:]))
        kernel = kernels.length_rows if folded.ndim == 2 else kernels.length_columns
        share(kernel, 0, out.shape[-1], x.size, folded, out)
        lengths.append(out.ravel() / h)
    return np.concatenate(lengths)


def spread_lengths(x: np.ndarray, weights: np.ndarray, lags: tuple[int, ...], spacing: tuple[float, ...]) -> np.ndarray:
    """Gradient of ``sum(weights * lengths**2) / 2``: the weighted differences, transposed.

    Parameters
    ----------
    x, lags, spacing
        As for `line_lengths`.
    weights : ndarray, one-dimensional
        One for each length.

    Returns
    -------
    gradient : ndarray of the shape of `x`

    Examples
    --------
    >>> spread_lengths(np.array([0.0, 3.0, 7.0]), np.array([1.0]), (1,), (1.0,))
    array([-3., -1.,  4.])
    """
    x = np.ascontiguousarray(x, dtype=float)
    out = np.zeros(x.shape)
    for axis, h in _axes(x.shape, spacing):
        here, weights = np.split(weights, [_groups(lags) * x.size // x.shape[axis]])
        folded = _folded(x, axis)
        scaled = (here / h**2).reshape(-1, folded.shape[0], *folded.shape[2:])
        kernel = kernels.spread_rows if folded.ndim == 2 else kernels.spread_columns
        share(kernel, 0, scaled.shape[-1], x.size, folded, scaled, _folded(out, axis))
    return out


def _axes(shape: tuple[int, ...], spacing: tuple[float, ...]) -> list[tuple[int, float]]:
    """The axes along which there are differences at all, and their spacing."""
    return [(axis, h) for axis, h in enumerate(spacing) if shape[axis] > 1]


def _groups(lags: tuple[int, ...]) -> int:
    """How many lengths a line has: neighbours, and with lag 2 also the even and the odd ones."""
    return 3 if 2 in lags else 1


def _folded(x: np.ndarray, axis: int) -> np.ndarray:
    """View `x` as (A, n, B) with the axis in the middle, or as (A, n) if it is the last."""
    before = math.prod(x.shape[:axis])
    return x.reshape(before, x.shape[axis], -1) if axis < x.ndim - 1 else x.reshape(before, -1)
