"""The unknowns of a grid, divided into parts that do not depend on each other, and numbered within each part.

Two unknowns are coupled if they are at most two steps apart. A *part* is a set of unknowns that are coupled, directly
or through others: a block of the matrix :math:`(L^2)_{UU}`. Within a part, unknowns are numbered by their distance from
one of its ends. So a row of a small or thin part has all its entries shortly before the diagonal.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from skinpaint.grid.axes import long_axes, unravel
from skinpaint.grid.biharmonic import STENCIL_RADIUS
from skinpaint.grid.biharmonic import kernels_direct as kernels
from skinpaint.grid.jit import KNOWN, UNKNOWN
from skinpaint.grid.layout import Layout

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Parts", "TooWide"]


class TooWide(Exception):
    """The factorisation of a part would take too much work."""


class Parts:
    """The parts of a mask, and the matrix ``(L^2)_UU``, with L the Laplacian of the whole grid.

    Parameters
    ----------
    mask : ndarray of bool, shape (M[, N[, ..., P]])
        True where unknown; somewhere it is.
    spacing : tuple of float
        Distance between neighbours along each axis.
    max_work : float
        Of a part; see `work`.

    Raises
    ------
    TooWide
        If a part would take more work than that, by far enough to be seen before the part is numbered to its end.

    Attributes
    ----------
    pixels : ndarray of int, shape (U,)
        Where each unknown lies in the flattened mask.
    starts, sizes : ndarray of int, one for each part
        The number of its first unknown, and how many it has.
    lengths : ndarray of int, shape (U,)
        The length of each row of the lower triangle, from the first entry to the diagonal.
    work : ndarray of float, one for each part
        The sum of the squared lengths: about two times as many multiplications as its Cholesky factorisation takes.

    Examples
    --------
    >>> parts = Parts(np.array([0, 1, 1, 1, 0, 0, 0, 1, 0], bool), (1.0,))
    >>> parts.sizes, parts.lengths
    (array([3, 1]), array([1, 2, 3, 1]))
    >>> parts.matrix(0).toarray()
    array([[ 6., -4.,  1.],
           [-4.,  6., -4.],
           [ 1., -4.,  6.]])
    """

    def __init__(self, mask: np.ndarray, spacing: tuple[float, ...], max_work: float = np.inf) -> None:
        long = long_axes(mask.shape)
        self.shape = tuple(mask.shape[axis] for axis in long)
        self.weights = np.square(min(spacing) / np.array([spacing[axis] for axis in long]))
        layout = Layout(self.shape, STENCIL_RADIUS)
        state = np.where(mask.reshape(self.shape), np.uint8(UNKNOWN), np.uint8(KNOWN))
        self.state, self.steps = layout.flatten(state, np.uint8), np.array(layout.strides)
        vectors, self.constant, self.slope = _stencil(tuple(self.weights.tolist()))
        self.offsets = vectors @ self.steps
        pixels = np.flatnonzero(mask)
        at = np.ravel_multi_index([i + STENCIL_RADIUS for i in unravel(pixels, self.shape)], layout.padded)
        n = at.size
        self.number = np.empty(self.state.size, np.int32)  # only what is written to takes memory
        self.number[at] = -1 - np.arange(n, dtype=np.int32)
        order, first, starts = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n + 1, np.int64)
        self.degree, self.diagonal = np.empty(n), np.empty(n)
        unknowns = at, self.state, self.number, self.offsets, self.slope
        count = kernels.order(*unknowns, float(max_work), order, starts, first, self.degree, self.diagonal)
        if count < 0:
            raise TooWide
        self.at, self.pixels, self.first = at[order], pixels[order], first
        self.starts, self.sizes = starts[:count], np.diff(starts[: count + 1])
        self.lengths = np.arange(1, n + 1) - first
        self.work = np.add.reduceat(np.square(self.lengths, dtype=float), self.starts)

    def matrix(self, part: int) -> sparse.csc_array:
        """The matrix of one part."""
        from scipy import sparse  # slow to load, and most often not needed

        begin, n = int(self.starts[part]), int(self.sizes[part])
        i = np.arange(begin, begin + n)
        rows, columns, entries = [i], [i], [self.diagonal[i]]
        for offset, constant, slope in zip(self.offsets, self.constant, self.slope, strict=True):
            there = self.at[begin : begin + n] + offset
            coupled = self.state[there] == UNKNOWN
            k, j = i[coupled], self.number[there[coupled]]
            rows.append(j)
            columns.append(k)
            entries.append(constant + slope * (self.degree[j] + self.degree[k]))
        at = np.concatenate(rows) - begin, np.concatenate(columns) - begin
        return sparse.csc_array((np.concatenate(entries), at), shape=(n, n))


@lru_cache
def _stencil(weights: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The offsets of what is coupled, and what their entries are: ``constant + slope (degree + degree)``.

    The degrees are those of the two pixels: their diagonal entries in L.
    """
    near = product(range(-STENCIL_RADIUS, STENCIL_RADIUS + 1), repeat=len(weights))
    offsets = np.array([o for o in near if 1 <= sum(map(abs, o)) <= STENCIL_RADIUS])
    offsets = offsets[np.argsort(np.square(offsets).sum(axis=1), kind="stable")]  # the nearest first: rows are shorter
    weight = np.prod(np.power(weights, np.abs(offsets)), axis=1)
    beside = np.abs(offsets).sum(axis=1) == 1
    paths = np.where(np.abs(offsets).max(axis=1) == STENCIL_RADIUS, 1, 2)  # of two steps
    return offsets, np.where(beside, 0.0, paths * weight), np.where(beside, -weight, 0.0)
