"""Some pixels of a grid as a list, with their neighbours: the cost follows their number, not the size of the grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from skinpaint.grid import kernels_points as kernels
from skinpaint.grid.axes import unravel
from skinpaint.grid.threads import share
from skinpaint.lazy import lazy

__all__ = ["Points", "flat_index"]

LINK_COST = 2  # work for a neighbour, relative to an entry of a plain loop


@dataclass(frozen=True, eq=False)
class Points:
    """The unknown pixels of a grid, and the known ones beside them.

    The points are numbered: first the unknown pixels, colour by colour, then the known ones, the *halo*. The colour of
    a pixel is the sum of its indices modulo ``1 + max(lags)``, so that pixels of one colour are not neighbours.

    Attributes
    ----------
    shape : tuple of int
        Shape of the grid.
    lags : (1,) or (1, 2)
        Distances of neighbours along the axes.
    places : ndarray of int32, shape (d, n)
        The indices of the unknown pixels.
    starts : tuple of int
        The number of the first unknown pixel of each colour, and of all unknown ones.
    neighbours : ndarray of int32, shape (n, 2 * d * len(lags))
        The number of each unknown pixel's neighbour in each direction, or -1 beyond the border. Directions are sorted
        by axis, lag and side: ahead, behind.
    halo : ndarray of int
        Flat indices of the known pixels.
    order : ndarray of int
        Where each unknown pixel was in the list that the points were made from.

    Examples
    --------
    >>> points = Points.listed(np.array([2, 3]), (5,), (1,))  # known, known, unknown, unknown, known
    >>> points.at, points.halo
    (array([2, 3]), array([1, 4]))
    >>> points.neighbours
    array([[1, 2],
           [3, 0]], dtype=int32)
    """

    shape: tuple[int, ...]
    lags: tuple[int, ...]
    places: np.ndarray
    starts: tuple[int, ...]
    neighbours: np.ndarray
    halo: np.ndarray
    order: np.ndarray

    @classmethod
    def listed(cls, at: np.ndarray, shape: tuple[int, ...], lags: tuple[int, ...]) -> Points:
        """List the unknown pixels with the flat indices `at` in a grid of this shape."""
        places = np.array(unravel(at, shape), np.int32)
        colours = 1 + max(lags)
        colour = (places.sum(axis=0, dtype=np.int32) % colours).astype(np.uint8)
        order = np.argsort(colour, kind="stable")
        places = places.take(order, axis=1)
        starts = np.concatenate([[0], np.bincount(colour, minlength=colours).cumsum()])
        low, high = (places.min(axis=1), places.max(axis=1)) if at.size else (np.zeros(len(shape), np.int32),) * 2
        low, high = np.maximum(low - max(lags), 0), np.minimum(high + max(lags) + 1, shape)
        box = tuple((high - low).tolist())  # of all points
        strides = np.array([prod(box[axis + 1 :]) for axis in range(len(box))])
        neighbours = np.empty((at.size, 2 * len(shape) * len(lags)), np.int32)
        halo = np.empty(neighbours.size, np.int64)
        number = np.zeros(prod(box), np.int32)
        count = kernels.link(places, low, strides, np.array(shape), np.array(lags), number, neighbours, halo)
        halo = np.array(np.unravel_index(halo[:count], box)) + low[:, np.newaxis]
        return cls(
            shape=shape,
            lags=lags,
            places=places,
            starts=tuple(starts.tolist()),
            neighbours=neighbours,
            halo=flat_index(halo, shape),
            order=order,
        )

    @property
    def unknowns(self) -> int:
        """Number of unknown pixels."""
        return self.places.shape[1]

    @property
    def size(self) -> int:
        """Number of points."""
        return self.places.shape[1] + self.halo.size

    @lazy
    def at(self) -> np.ndarray:
        """Flat indices of the unknown pixels."""
        return flat_index(self.places, self.shape)

    @lazy
    def directions(self) -> tuple[tuple[int, int], ...]:
        """Axis and lag of each direction."""
        return tuple((axis, lag) for axis in range(len(self.shape)) for lag in self.lags for _ in range(2))

    def uniform_gradient(self, scales: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """The transposed differences of the differences in each direction, times `scales`, at the unknown pixels.

        Examples
        --------
        >>> points = Points.listed(np.array([1]), (3,), (1,))
        >>> points.uniform_gradient(np.array([1.0, 1.0]))(np.array([5.0, 2.0, 1.0]))
        array([7.])
        """
        groups, one = np.zeros(self.neighbours.shape, np.int32), np.ones(1)

        def gradient(x: np.ndarray) -> np.ndarray:
            out = np.zeros(self.unknowns)
            self.pull(groups, scales, one, x, 1, 1.0, out)
            return out

        return gradient

    def squares(self, groups: np.ndarray, scales: np.ndarray, x: np.ndarray, sums: np.ndarray) -> None:
        """Add the squared difference of each edge, times the scale of its direction, to the sum of its group.

        Parameters
        ----------
        groups : ndarray of int32, of the shape of `neighbours`
            The group of each edge.
        scales : ndarray
            The scale of each direction.
        x : ndarray of shape (P, C)
            Values at the points, and perhaps more rows.
        sums : ndarray of shape (number of groups, C)
            What is added to.
        """
        kernels.squares(self.neighbours, groups, scales, x.reshape(-1), x.shape[1], sums.reshape(-1))

    def spread(
        self, groups: np.ndarray, scales: np.ndarray, weights: np.ndarray, x: np.ndarray, gain: float, out: np.ndarray
    ) -> None:
        """Add half the gradient of the sum of `squares`, weighted group by group and times `gain`, to `out`."""
        arguments = (groups, scales, weights.reshape(-1), x.reshape(-1), x.shape[1], gain, out.reshape(-1))
        self.pull(*arguments)
        kernels.push(self.neighbours, *arguments)

    def weigh(self, groups: np.ndarray, scales: np.ndarray, weights: np.ndarray, edges: np.ndarray) -> None:
        """Add the weight of each edge's group, times the scale of its direction, to `edges` where there is an edge."""
        kernels.weigh(self.neighbours, groups, scales, weights, edges)

    def pull(self, *arguments: Any) -> None:
        """The same at the unknown pixels alone, on flat arrays."""
        share(kernels.pull, 0, self.unknowns, LINK_COST * self.neighbours.size, self.neighbours, *arguments)


def flat_index(places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Flat indices in a grid of this shape."""
    at = np.zeros(places.shape[1], np.int64)
    for along, n in zip(places, shape, strict=True):
        at *= n
        at += along
    return at
