r"""A coarse grid of hats: functions that are 1 at their node, 0 at all other nodes, and linear along each axis between.

The nodes are `step` pixels apart, and lie on pixels. With P the interpolation from the nodes to the unknown pixels of a
grid, this file applies P and its transpose to a part of the grid, and sums the parts of the Galerkin matrix
:math:`P^T A P` of a Laplacian A. No part needs more than its own pixels and their neighbours, so each can be computed
where the pixels are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from skinpaint.grid.axes import Box, extents, within

__all__ = ["Hats", "Stencil", "add_up", "ends"]

Stencil = dict[tuple[int, ...], np.ndarray]
"""A symmetric matrix between nodes: for each offset ahead, its entries between each node and the one at the offset."""


@dataclass(frozen=True)
class Hats:
    """The hats of a grid.

    Attributes
    ----------
    shape : tuple of int
        Shape of the grid.
    step : int
        Pixels from node to node.

    Examples
    --------
    >>> hats = Hats((8,), 4)
    >>> hats.prolong(np.array([0.0, 4.0, 0.0]), (slice(0, 8),))
    array([0., 1., 2., 3., 4., 3., 2., 1.])
    """

    shape: tuple[int, ...]
    step: int

    @property
    def nodes(self) -> tuple[int, ...]:
        """Shape of the grid of the nodes."""
        return tuple((n - 1) // self.step + 2 for n in self.shape)

    def around(self, box: Box) -> Box:
        """The nodes whose hats reach into a part of the grid."""
        return tuple(slice(s.start // self.step, (s.stop - 1) // self.step + 2) for s in box)

    def prolong(self, values: np.ndarray, box: Box) -> np.ndarray:
        """Interpolate the values at the nodes ``around(box)`` to the pixels of `box`."""
        for axis, part in enumerate(box):
            cell, t = self._cells(part)
            low, high = values.take(cell, axis), values.take(cell + 1, axis)
            values = low + (high - low) * _along(t, axis, len(box))
        return values

    def restrict(self, values: np.ndarray, box: Box) -> np.ndarray:
        """Sum the values at the pixels of `box` against each hat of ``around(box)``: the transpose of `prolong`."""
        for axis, part in enumerate(box):
            cell, t = self._cells(part)
            t = _along(t, axis, len(box))
            first = np.flatnonzero(np.diff(cell, prepend=-1))
            out = np.zeros((*values.shape[:axis], cell[-1] + 2, *values.shape[axis + 1 :]))
            at = (slice(None),) * axis
            high = np.add.reduceat(values * t, first, axis)
            out[*at, :-1] += np.add.reduceat(values, first, axis) - high
            out[*at, 1:] += high
            values = out
        return values

    def cells(self, unknown: np.ndarray, box: Box) -> tuple[Box, np.ndarray]:
        """Which cells between the nodes have an unknown pixel among those of `box`, and where these cells are."""
        for axis, part in enumerate(box):
            cell, _ = self._cells(part)
            unknown = np.logical_or.reduceat(unknown, np.flatnonzero(np.diff(cell, prepend=-1)), axis)
        return tuple(slice(s.start, s.stop - 1) for s in self.around(box)), unknown

    def galerkin(
        self, unknown: np.ndarray, box: Box, window: Box, lags: tuple[int, ...], spacing: tuple[float, ...]
    ) -> tuple[Box, Stencil]:
        """The part of the pixels of `box` in the matrix ``P^T L_UU P``, and the nodes that it lies between.

        An edge belongs to its lower end. `unknown` says which pixels of `window` are unknown. The window reaches beyond
        `box`, as far as the largest lag and the grid allow.
        """
        nodes = self.around(tuple(slice(b.start, w.stop) for b, w in zip(box, window, strict=True)))
        sizes, inside = extents(nodes), within(box, window)
        here = unknown[inside]
        parts = [self._sums(here * (degree(self.shape, box, lags, spacing) / 2), box, sizes)]
        for axis, h in enumerate(spacing):
            for lag in lags:
                ahead = tuple(
                    slice(s.start + lag * (k == axis), s.stop + lag * (k == axis)) for k, s in enumerate(inside)
                )
                there = unknown[ahead]
                both = np.zeros(here.shape)
                low = tuple(slice(0, n) for n in there.shape)
                both[low] = (here[low] & there) / -(h**2)
                parts.append(self._sums(both, box, sizes, axis, lag))
        sums: Stencil = {}
        for part in parts:
            for offset, values in part.items():
                sums[offset] = sums[offset] + values if offset in sums else values
        return nodes, _with_transpose(sums)

    def _cells(self, part: slice) -> tuple[np.ndarray, np.ndarray]:
        """For each pixel along an axis: the node before it, counted from the first, and how far it is to the next."""
        cell, rest = np.divmod(np.arange(part.start, part.stop), self.step)
        return cell - cell[0], rest / self.step

    def _sums(
        self, weights: np.ndarray, box: Box, sizes: tuple[int, ...], shifted: int | None = None, lag: int = 0
    ) -> Stencil:
        """Sum ``weights[i] h(i) h'(i + lag)`` over the pixels i, for all pairs of hats h and h'."""
        sums: Stencil = {(): weights}
        for axis, part in enumerate(box):
            # Whole cells: so the sums over a cell, for all pairs of hats, are one small matrix product.
            before, step = part.start % self.step, self.step
            t = np.arange(step) / step
            ahead = t + lag / step if axis == shifted else t
            far = 3 if axis == shifted and lag > 1 else 2  # nodes that the other pixel may touch
            pairs = list(product(range(2), range(far)))
            hats = [np.maximum(1 - abs(t - i), 0) * np.maximum(1 - abs(ahead - j), 0) for i, j in pairs]
            cells = -(-(before + part.stop - part.start) // step)
            found: Stencil = {}
            for offset, values in sums.items():
                shape = values.shape
                whole = np.zeros((prod(shape[:axis]), cells * step, prod(shape[axis + 1 :])))
                whole[:, before : before + shape[axis]] = values.reshape(len(whole), shape[axis], -1)
                summed = np.array(hats) @ whole.reshape(len(whole), cells, step, -1)
                for k, (i, j) in enumerate(pairs):
                    out = found.setdefault((*offset, j - i), np.zeros((*shape[:axis], sizes[axis], *shape[axis + 1 :])))
                    at = (*(slice(None),) * axis, slice(i, i + cells))
                    out[at] += summed[:, :, k].reshape(out[at].shape)
            sums = found
        return sums


def add_up(hats: Hats, parts: Iterable[tuple[Box, Stencil]]) -> Stencil:
    """Sum the parts of a matrix, each between the nodes that are named with it."""
    total: Stencil = {}
    for nodes, stencil in parts:
        for offset, values in stencil.items():
            total.setdefault(offset, np.zeros(hats.nodes))[nodes] += values
    return total


def degree(shape: tuple[int, ...], box: Box, lags: tuple[int, ...], spacing: tuple[float, ...]) -> np.ndarray:
    """The sum of the weights of all edges of each pixel of `box`: the diagonal of the Laplacian of the whole grid."""
    total = np.zeros((1,) * len(shape))
    for axis, (n, part, h) in enumerate(zip(shape, box, spacing, strict=True)):
        i = np.arange(part.start, part.stop)
        count = sum((i + lag < n).astype(float) + (i >= lag) for lag in lags)
        total = total + _along(np.asarray(count) / h**2, axis, len(shape))
    return total


def _along(values: np.ndarray, axis: int, ndim: int) -> np.ndarray:
    return values.reshape([-1 if k == axis else 1 for k in range(ndim)])


def _with_transpose(sums: Stencil) -> Stencil:
    """The entries of ``T + T^T`` at the offsets ahead, where `sums` holds those of T at all offsets."""
    total: Stencil = {}
    for offset, values in sums.items():
        if offset < (0,) * len(offset):
            low, high = ends(tuple(-step for step in offset))
            found = np.zeros(values.shape)
            found[low] = values[high]
            offset, values = tuple(-step for step in offset), found
        elif not any(offset):
            values = 2 * values
        total[offset] = total[offset] + values if offset in total else values
    return total


def ends(offset: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The lower and the upper ends of all pairs of nodes that are an offset apart."""
    low = tuple(slice(max(-step, 0), None if step <= 0 else -step) for step in offset)
    high = tuple(slice(max(step, 0), None if step >= 0 else step) for step in offset)
    return low, high
