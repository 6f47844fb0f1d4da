"""Sum of the lengths, or squared lengths, of the differences along all lines of a grid, and its gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from skinpaint.grid.differences import kernels_lines as kernels
from skinpaint.grid.threads import share

__all__ = ["line_lengths", "line_weights", "spread_lengths", "weigh"]

ROWS_PER_PIECE = 128  # rows whose contributions to the sums along columns are added in one piece


def line_lengths(
    x: np.ndarray, lags: tuple[int, ...], spacing: tuple[float, ...], power: int = 1, rounding: float = 0.0
) -> tuple[float, list[Any]]:
    """Sum of the lengths of the differences along every line; with lag 2 also of its even and of its odd entries.

    Parameters
    ----------
    x : ndarray of shape (M[, N[, ..., P]])
        Values.
    lags : (1,) or (1, 2)
        Distances between the entries that are compared.
    spacing : tuple of float
        Distance between neighbours along each axis; lengths are divided by it. Infinite for an axis along which nothing
        is compared.
    power : 1 or 2
        Sum the lengths or their squares.
    rounding : float
        Lengths below this are replaced by a parabola that joins smoothly; only with ``power=1``.

    Returns
    -------
    total : float
        The sum.
    weights : list
        For each axis, the weights of its lines, for `spread_lengths`.

    Examples
    --------
    >>> line_lengths(np.array([0.0, 3.0, 7.0]), (1, 2), (1.0,))[0]
    12.0
    """
    x = np.ascontiguousarray(x, dtype=float)
    groups = 3 if 2 in lags else 1
    total = 0.0
    weights: list[Any] = []
    for axis, n in enumerate(x.shape[:-2]):
        folded = x.reshape(math.prod(x.shape[:axis]), n, -1)
        sums = np.empty((groups, folded.shape[0], folded.shape[2]))
        if n > 1 and spacing[axis] < math.inf:
            share(kernels.square_columns, 0, folded.shape[2], x.size, folded, sums)
            total += kernels.weigh(sums.reshape(-1), spacing[axis], power, rounding)
        else:
            sums[...] = 0
        weights.append(sums)
    planes = _planes(x)
    A, M, N = planes.shape
    pieces = -(-M // ROWS_PER_PIECE)
    rows, parts = np.empty((groups, A, M)), np.empty((groups, A, pieces, N))
    share(kernels.square_planes, 0, A * pieces, x.size, planes, ROWS_PER_PIECE, rows, parts)
    columns = parts.reshape(groups, A, N) if pieces == 1 else parts.sum(axis=2)
    down = spacing[-2] if x.ndim > 1 else math.inf
    for n, h, sums in ((M, down, columns), (N, spacing[-1], rows)):
        if n > 1 and h < math.inf:
            total += kernels.weigh(sums.reshape(-1), h, power, rounding)
        else:
            sums[...] = 0
    return total, [*weights, columns, rows]


def spread_lengths(x: np.ndarray, weights: list[Any], gain: float) -> np.ndarray:
    """Gradient of the sum of `line_lengths`, times `gain`, at contiguous floats.

    Examples
    --------
    >>> x = np.array([0.0, 3.0, 7.0])
    >>> spread_lengths(x, line_lengths(x, (1,), (1.0,))[1], 1.0)
    array([-0.6, -0.2,  0.8])
    """
    *others, columns, rows = weights
    planes = _planes(x)
    out, rows_in_all = np.empty(planes.shape), x.size // x.shape[-1]
    share(kernels.spread_planes, 0, rows_in_all, x.size, planes, rows, columns, gain, out)
    for axis, sums in enumerate(others):
        folded = (sums.shape[1], x.shape[axis], sums.shape[2])
        share(kernels.spread_columns, 0, folded[2], x.size, x.reshape(folded), sums, gain, out.reshape(folded))
    return out.reshape(x.shape)


def weigh(sums: np.ndarray, rounding: float) -> tuple[float, np.ndarray]:
    """The sum of lengths, given their squares, and one over each; lengths below `rounding` count as in `line_lengths`.

    Examples
    --------
    >>> weigh(np.array([0.0, 25.0]), 0.0)
    (5.0, array([0. , 0.2]))
    """
    weights = sums.copy()
    return float(kernels.weigh(weights, 1.0, 1, rounding)), weights


def line_weights(
    weights: list[Any], shape: tuple[int, ...], lags: tuple[int, ...]
) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """Axis and lag, and an array of `shape` that holds, at the lower end of each edge, the weight of its line.

    Examples
    --------
    >>> x = np.array([0.0, 3.0, 7.0])
    >>> for term, weight in line_weights(line_lengths(x, (1, 2), (1.0,))[1], x.shape, (1, 2)):
    ...     print(term, weight.round(3) + 0.0)
    (0, 1) [0.2 0.2 0.2]
    (0, 2) [0.143 0.    0.143]
    """
    for axis, sums in enumerate(weights[-len(shape) :]):
        others = sums.reshape(len(sums), *shape[:axis], *shape[axis + 1 :])
        yield (axis, 1), np.broadcast_to(np.expand_dims(others[0], axis), shape)
        if 2 in lags:
            yield (axis, 2), np.moveaxis(others[1 + np.arange(shape[axis]) % 2], 0, axis)


def _planes(x: np.ndarray) -> np.ndarray:
    """View `x` as (A, M, N) with its last two axes last; a signal has a single row."""
    return x.reshape(-1, *(1, *x.shape)[-2:])
