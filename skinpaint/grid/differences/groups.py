"""Groups of differences on a list of points, and what the known pixels of the grid contribute to them.

A group is a line, or a pixel with its neighbours ahead. The differences between known pixels do not change, so their
squares are summed once: for each group that a missing pixel belongs to. The energy of all other groups is one number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from skinpaint.grid.points import Points, flat_index
from skinpaint.grid.slabs import Slab

__all__ = ["GROUPINGS", "Grouping"]


class Grouping:
    """A group for each edge of a list of points.

    Parameters
    ----------
    points : Points
        The missing pixels, and the known ones beside them.
    lags : (1,) or (1, 2)
        Distances that are compared.
    factors : sequence of float
        Of the squared differences along each axis.
    measure : callable
        ``measure(sums)`` is the energy of groups, given the sums of their squared differences.
    joint : bool
        Whether the channels of a pixel share a group.

    Attributes
    ----------
    of : ndarray of int32, of the shape of `points.neighbours`
        The group of each edge.
    number : int
        Number of groups.
    shared : slice
        The groups that known pixels may contribute to.
    scales : ndarray
        The factor of the squared differences in each direction; zero where they are not compared.
    """

    of: np.ndarray
    number: int
    shared: slice

    def __init__(
        self,
        points: Points,
        lags: tuple[int, ...],
        factors: Sequence[float],
        measure: Callable[[np.ndarray], float],
        joint: bool = False,
    ) -> None:
        self.points, self.lags, self.factors, self.measure, self.joint = points, lags, factors, measure, joint
        self.scales = np.array([factors[axis] * (lag in lags) for axis, lag in points.directions])
        self.prepare()

    def prepare(self) -> None:
        """Find the groups of the edges."""
        raise NotImplementedError

    def partial(self, slab: Slab, channels: list[np.ndarray]) -> Any:
        """What the known pixels of a slab contribute. `channels` hold NaN where a pixel is missing."""
        raise NotImplementedError

    def combine(self, partials: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """The sums of known squares in the groups `shared`, of shape (n, C), and the energy of the other groups."""
        raise NotImplementedError

    def energies(self, sums: np.ndarray) -> np.ndarray:
        """The energy of groups of each channel, from sums of shape (n, C). A joint energy counts for the first one."""
        if self.joint:
            return np.append(self.measure(sums.sum(axis=1)), np.zeros(sums.shape[1] - 1))
        return np.array([self.measure(np.ascontiguousarray(channel)) for channel in sums.T])


class ByLine(Grouping):
    """A group is a line. With lag 2, its even and its odd entries are lines of their own."""

    def prepare(self) -> None:
        """Number the lines that a missing pixel lies on."""
        shape, places = self.points.shape, self.points.places
        kinds = sum(self.lags)  # with lag 2, the even and the odd entries of a line are two lines
        lines = [prod(shape) // n for n in shape]
        starts = np.cumsum([0, *(kinds * n for n in lines)])
        self.of = np.zeros(self.points.neighbours.shape, np.int32)
        touched = np.zeros(starts[-1], bool)
        for k, (axis, lag) in enumerate(self.points.directions):
            if lag in self.lags:
                others = [other for other in range(len(shape)) if other != axis]
                line = flat_index(places[others], tuple(shape[other] for other in others))
                kind = 1 + places[axis] % 2 if lag == 2 else 0
                self.of[:, k] = starts[axis] + kind * lines[axis] + line
                touched[self.of[:, k]] = True
        self.touched = touched
        self.number, self.shared = int(np.count_nonzero(touched)), slice(None)
        self.of = (np.cumsum(touched, dtype=np.int32) - np.int32(1))[self.of]

    def partial(self, slab: Slab, channels: list[np.ndarray]) -> list[np.ndarray]:
        """The sums along the lines of each axis, of shape (C, kinds, other axes)."""
        sums: list[np.ndarray] = []
        for axis, factor in enumerate(self.factors):
            begin = slab.box[axis].start
            ahead = (slice(None),) * axis
            sums.append(
                np.stack([
                    [
                        factor * q[(*ahead, slice((parity - begin) % lag, None, lag))].sum(axis=axis)
                        for lag in self.lags
                        for q in [_known_squares(slab, x, axis, lag)]
                        for parity in range(lag)
                    ]
                    for x in channels
                ])
            )  # fmt: skip
        return sums

    def combine(self, partials: Sequence[list[np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
        """Add what slabs contribute to the lines across them; line up the others."""
        across = int(np.argmax(self.points.shape))
        sums = []
        for axis, parts in enumerate(zip(*partials, strict=True)):
            along = 2 + across - (across > axis)
            whole = sum(parts[1:], parts[0]) if axis == across else np.concatenate(parts, axis=along)
            sums.append(whole.reshape(len(whole), -1))
        squares = np.concatenate(sums, axis=1).T
        return squares[self.touched], self.energies(squares[~self.touched])


class ByPixel(Grouping):
    """A group is a pixel with its neighbours ahead at one lag. Missing pixels come first, then the known ones."""

    def prepare(self) -> None:
        """The group of an edge is that of its lower end."""
        points, count = self.points, len(self.lags)
        n, h = points.unknowns, points.halo.size
        self.number, self.shared = count * points.size, slice(count * n, None)
        self.of = np.zeros(points.neighbours.shape, np.int32)
        for k, (_, lag) in enumerate(points.directions):
            if lag in self.lags:
                lower = np.arange(n) if k % 2 == 0 else points.neighbours[:, k]
                m = self.lags.index(lag)
                self.of[:, k] = np.where(lower < n, m * n + lower, count * n + m * h + lower - n)

    def partial(self, slab: Slab, channels: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The known pixels of the slab, their sums of shape (lags, pixels, C), and the energy of all others."""
        shape = [s.stop - s.start for s in slab.box]
        shape[slab.axis] = slab.layers
        sums = np.zeros((len(self.lags), len(channels), *shape))
        for m, lag in enumerate(self.lags):
            for c, x in enumerate(channels):
                for axis, factor in enumerate(self.factors):
                    q = _known_squares(slab, x, axis, lag)
                    lower = tuple(slice(0, length) for length in q.shape)
                    sums[m, c][lower] += factor * q
        along = self.along
        first = slab.box[slab.axis].start
        inside = np.flatnonzero((along >= first) & (along < first + slab.layers))
        places = np.unravel_index(self.points.halo[inside], self.points.shape)
        index = tuple(i - s.start for i, s in zip(places, slab.box, strict=True))
        shared = sums[(slice(None), slice(None), *index)].swapaxes(1, 2)
        sums[(slice(None), slice(None), *index)] = 0
        return inside, shared, self.energies(sums.swapaxes(0, 1).reshape(len(channels), -1).T)

    @property
    def along(self) -> np.ndarray:
        """The index of each known pixel along the axis that slabs are cut across."""
        axis = int(np.argmax(self.points.shape))
        return self.points.halo // prod(self.points.shape[axis + 1 :]) % self.points.shape[axis]

    def combine(self, partials: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
        """Put the sums in the order of the known pixels."""
        inside, shared, others = zip(*partials, strict=True)
        sums = np.empty((len(self.lags), self.points.halo.size, shared[0].shape[2]))
        sums[:, np.concatenate(inside)] = np.concatenate(shared, axis=1)
        return sums.reshape(-1, sums.shape[2]), sum(others[1:], others[0])


def _known_squares(slab: Slab, x: np.ndarray, axis: int, lag: int) -> np.ndarray:
    """The squared differences along an axis, at their lower ends in the slab; zero where one end is NaN."""
    lower, upper = slab.ends(x, axis, lag)
    q = upper - lower
    q *= q
    return np.fmax(q, 0, out=q)


GROUPINGS: dict[str, type[Grouping]] = {"line": ByLine, "pixel": ByPixel}
"""The groupings by what a group is."""
