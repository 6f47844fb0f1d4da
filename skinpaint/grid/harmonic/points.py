"""Systems on a list of unknowns: for holes that are narrow, or thin, so that their boxes hold little but known pixels.

Conjugate gradients are preconditioned by a Cholesky factor where that is small, and else by multigrid. Its levels are
those of :mod:`skinpaint.grid.harmonic.multigrid`, but each lists its unknowns and their neighbours. An unknown whose
edges to known pixels outweigh those to unknown ones needs no coarser level, as Gauss-Seidel settles it. So the
hierarchy of a thin hole ends after a few levels, whatever its length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from skinpaint.grid.harmonic import kernels_points as kernels
from skinpaint.grid.harmonic.factors import Factors, TooWide
from skinpaint.grid.harmonic.multigrid import MIN_COUPLING, OVERCORRECTION, Multigrid, System
from skinpaint.grid.layout import Stage
from skinpaint.grid.points import Points, flat_index
from skinpaint.grid.threads import share
from skinpaint.lazy import lazy

__all__ = ["PointSystem"]

ROW_LENGTH = 1024  # unknowns whose contributions to a sum are added in one piece
NODE_COST = 6  # of an unknown in a sweep, relative to an entry of a plain loop
DOMINANT = 1.5  # an unknown has no coarse level if its diagonal is this many times the sum of its other entries


class Listing:
    """How numbers of points lie in memory, with zeros behind those of the unknowns, in rows for partial sums."""

    def __init__(self, unknowns: int, size: int) -> None:
        self.size = unknowns
        self.length = max(size, (unknowns // ROW_LENGTH + 1) * ROW_LENGTH)
        self.rows = ROW_LENGTH * np.arange(unknowns // ROW_LENGTH + 1), None

    def zeros(self, dtype: type = np.float32) -> np.ndarray:
        """An array of zeros."""
        return np.zeros(self.length, dtype)

    def flatten(self, values: np.ndarray, dtype: type = float) -> np.ndarray:
        """Copy the values of the points into an array of this layout."""
        flat = self.zeros(dtype)
        flat[: len(values)] = values
        return flat

    def inner(self, flat: np.ndarray) -> np.ndarray:
        """View the values of the unknowns."""
        return flat[: self.size]

    def stage(self, kernel: Any, *args: Any) -> Stage:
        """A kernel over the rows, to be run by `sweep`."""
        starts, _ = self.rows
        return Stage(kernel, starts.size, (starts, ROW_LENGTH, *args))

    def sweep(self, *stages: Stage) -> None:
        """Run the stages one after another; threads share those of a long list."""
        for stage in stages:
            share(stage.kernel, 0, stage.rows, NODE_COST * self.size, *stage.args)


@dataclass(eq=False)
class PointLevel:
    """One level of the hierarchy: its matrix, and its transfers to the next coarser level.

    Attributes
    ----------
    points : Points
        The unknowns.
    neighbours : ndarray of int32, shape (n, directions)
        The number of each unknown's neighbour in each direction; `n` where that is not unknown.
    weights : ndarray of float32, shape (n, directions)
        The weight of each edge, 0 where there is none.
    inverse : ndarray of float32
        Of the diagonal, which also counts the edges to known pixels; zero where an entry is not unknown.
    given : ndarray of float32, optional
        The surplus, if it is not that of the edges to known pixels.
    """

    points: Points
    weights: np.ndarray
    inverse: np.ndarray
    given: np.ndarray | None = None
    sweeps = 1  # as :class:`skinpaint.grid.harmonic.multigrid.Level` has it

    def surplus(self) -> np.ndarray:
        """What the diagonal has beyond the edges between unknowns, shape (n,)."""
        if self.given is not None:
            return self.given
        surplus = np.zeros(self.points.unknowns, np.float32)
        for k in range(self.weights.shape[1]):
            surplus += np.where(self.inverse[self.neighbours[:, k]] > 0, 0, self.weights[:, k])
        return surplus

    @lazy
    def layout(self) -> Listing:
        return Listing(self.points.unknowns, self.points.size)

    @lazy
    def neighbours(self) -> np.ndarray:
        n = self.points.unknowns
        return np.minimum(self.points.neighbours.view(np.uint32), np.uint32(n)).view(np.int32)

    @property
    def overcorrection(self) -> np.float32:
        return np.float32(OVERCORRECTION[max(self.points.lags)])

    @lazy
    def halved(self) -> tuple[int, ...]:
        """For each axis 1 if it is halved on the next level, 0 if its edges are too weak for now."""
        total = np.einsum("ik->k", self.weights, dtype=float)
        strength = np.zeros(len(self.points.shape))
        for (axis, lag), weight in zip(self.points.directions, total, strict=True):
            strength[axis] += lag**2 * weight
        strength[np.array(self.points.shape) == 1] = -1
        return tuple(int(s >= max(MIN_COUPLING * strength.max(), 0)) for s in strength)

    @lazy
    def blocks(self) -> tuple[Points, np.ndarray]:
        """The unknowns of the next level, and the number of the one that each unknown, and each other, belongs to."""
        fine, halved = self.points, np.array(self.halved, np.int32)
        n = fine.unknowns
        shape = tuple((m + h) >> h for m, h in zip(fine.shape, self.halved, strict=True))
        lags = (1, 2) if 2 in fine.lags and not halved.all() else (1,)
        along = np.einsum("ik,ik->i", self.weights, (self.neighbours < n), dtype=np.float32)
        kept = np.flatnonzero(along * self.inverse[:n] > 1 / DOMINANT)
        keys = flat_index(fine.places[:, kept] >> halved[:, np.newaxis], shape)
        marks = np.zeros(int(np.prod(shape)), bool)
        marks[keys] = True
        coarse = Points.listed(np.flatnonzero(marks), shape, lags)
        number = np.zeros(marks.size, np.int32)
        number[coarse.at] = np.arange(coarse.unknowns)
        parents = np.full(n + 1, coarse.unknowns, np.int32)
        parents[kept] = number[keys]
        return coarse, parents

    def coarsen(self) -> PointLevel:
        """The next level."""
        coarse, parents = self.blocks
        target: dict[tuple[int, int], int] = {}
        for k, direction in enumerate(coarse.directions):
            target.setdefault(direction, k)
        towards = [target[axis, 1 if self.halved[axis] else lag] for axis, lag in self.points.directions]
        directions = np.array([k + side % 2 for side, k in enumerate(towards)])
        surplus = np.zeros(coarse.unknowns, np.float32)
        edges = np.zeros(coarse.neighbours.shape, np.float32)
        matrix = self.inverse, self.neighbours, self.weights, self.surplus()
        kernels.coarsen(*matrix, parents, directions, edges, surplus)
        level = PointLevel(coarse, edges, np.empty(0, np.float32), surplus)
        diagonal = surplus + edges.sum(axis=1)
        inverse = np.divide(1, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
        level.inverse = level.layout.flatten(inverse, np.float32)
        return level

    def stages(
        self, b: np.ndarray, x: np.ndarray, coarse_b: np.ndarray, coarse_x: np.ndarray, sweeps: int
    ) -> tuple[list[Stage], list[Stage], list[Stage]]:
        """What a cycle does here before it visits the coarser level, between two visits, and after that.

        Before: Gauss-Seidel on all colours, starting from zero, and the sums of the residual of `x` over the blocks.
        After: the coarse correction, times the over-correction factor, and Gauss-Seidel on all colours, backwards.
        Gauss-Seidel makes so many `sweeps`. Between two visits it does both; the first colour is relaxed once.
        """
        coarse, parents = self.blocks
        n, starts, matrix = self.points.unknowns, self.points.starts, (self.inverse, self.neighbours, self.weights)

        def begin(lo: int, hi: int) -> None:
            cut = min(max(lo, starts[1]), hi)
            np.multiply(self.inverse[lo:cut], b[lo:cut], out=x[lo:cut])
            x[cut:hi] = 0

        def restrict(lo: int, hi: int) -> None:  # the residual of the colour that has just been relaxed is zero
            kernels.restrict(*matrix, b, x, parents, starts[-2], coarse.unknowns, coarse_b)

        colours = [Stage(kernels.relax, end - first, (first, *matrix, b, x)) for first, end in pairwise(starts)]
        prolong = Stage(kernels.prolong, n, (parents, coarse_x, self.overcorrection, x))
        forth = (sweeps * colours)[1:]
        down, up = [*forth, Stage(restrict, 1, ())], [prolong, *forth[::-1], colours[0]]
        return [Stage(begin, n, ()), *down], [*up, *down], up

    def matrix(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the unknowns of a small level are, and the matrix between them."""
        at = np.flatnonzero(self.inverse)
        A = np.zeros((self.points.unknowns + 1,) * 2)
        each, surplus = np.arange(self.points.unknowns), self.surplus().astype(float)
        for k in range(self.weights.shape[1]):
            A[each, self.neighbours[:, k]] -= self.weights[:, k]
        A = A[np.ix_(at, at)]
        A[np.diag_indices(at.size)] = surplus[at] - A.sum(axis=1)
        return at, A


class PointSystem(System):
    """The system ``L_UU x_U = load - L_UK x_K`` on a list of points, with L a weighted Laplacian.

    Parameters
    ----------
    points : Points
        The unknown pixels and the known ones beside them.
    weights : ndarray of float32, of the shape of `points.neighbours`
        The weight of each edge, 0 where there is none.
    gradient : callable
        ``gradient(x)`` is ``L x`` in double precision at the unknown pixels, for values `x` at all points.
    unknown : ndarray of bool, optional
        Which of the unknown pixels are unknown in this system; all by default.
    """

    def __init__(
        self,
        points: Points,
        weights: np.ndarray,
        gradient: Callable[[np.ndarray], np.ndarray],
        unknown: np.ndarray | None = None,
    ) -> None:
        diagonal = np.einsum("ik->i", weights)
        inverse = np.divide(1, diagonal, out=np.zeros_like(diagonal), where=True if unknown is None else unknown)
        self.gradient = gradient
        self.level = PointLevel(points, weights, inverse)
        self.layout = self.level.layout
        self.level.inverse = self.layout.flatten(inverse, np.float32)
        try:
            self.preconditioner = Factors(self.level)
        except TooWide:
            self.preconditioner = Multigrid(self.level)

    @classmethod
    def uniform(cls, points: Points, terms: tuple[tuple[int, int], ...], weights: tuple[float, ...]) -> PointSystem:
        """The system in which all edges of a term (an axis and a lag) have the same weight."""
        each = dict(zip(terms, weights, strict=True))
        scales = np.array([each[direction] for direction in points.directions])
        edges = np.where(points.neighbours >= 0, scales.astype(np.float32), np.float32(0))
        return cls(points, edges, points.uniform_gradient(scales))

    def guess(self, x: np.ndarray) -> None:
        """Set the unknowns to the middle of the known values, in place."""
        known = x[self.layout.size : self.level.points.size]
        x[: self.layout.size] = (known.min() + known.max()) / 2

    def residual(self, x: np.ndarray, r: np.ndarray, sums: np.ndarray, load: float | np.ndarray) -> Stage:
        """``r = b - A x``, and the partial sums of ``|r|^2`` and of ``|b|^2``."""
        n, points = self.layout.size, self.level.points
        starts, _ = self.layout.rows
        loaded = load[:n] if isinstance(load, np.ndarray) else load

        def less(x: np.ndarray) -> np.ndarray:
            return np.where(self.level.inverse[:n] > 0, loaded - self.gradient(x[: points.size])[:n], 0)

        def squares(x: np.ndarray) -> np.ndarray:
            return np.add.reduceat(np.append(x**2, 0), starts)

        known = x.copy()
        self.clear(known)
        source = squares(less(known))

        def compute(lo: int, hi: int) -> None:
            r[:n] = found = less(x)
            sums[:, 0], sums[:, 1] = squares(found), source

        return Stage(compute, 1, ())

    def apply(self, p: np.ndarray, q: np.ndarray, sums: np.ndarray) -> Stage:
        """``q = A p``, and the partial sums of ``<p, q>``."""
        level = self.level
        args = (ROW_LENGTH, level.inverse, level.neighbours, level.weights, p, q, sums)
        return Stage(kernels.apply, sums.size, args)

    def clear(self, x: np.ndarray) -> None:
        """Set the unknowns to zero."""
        x[: self.layout.size][self.level.inverse[: self.layout.size] > 0] = 0
