r"""The harmonic fill chunk by chunk, exactly: restricted additive Schwarz with a coarse grid of hats.

A pass solves each chunk together with an overlap around it, while the ring of pixels around that is held at its present
values, and keeps the chunk. Then the residual is summed against the hats, the coarse system gives a correction for all
chunks at once, and the next pass begins with it:

.. math::

    x &\leftarrow x + \sum_i (R_i^0)^T A_i^{-1} R_i (b - A x), \\
    x &\leftarrow x + P (P^T A P)^{-1} P^T (b - A x).

`A_i` is the matrix of chunk i with its overlap, `R_i` restricts to it, and `R_i^0` to the chunk alone. The number of
passes depends on the overlap and on the distance of the hats, but neither on the size of the image nor on that of the
chunks. A hole that each chunk it touches sees as a whole is exact after one pass. Between passes only x is kept.

Every function here works on one chunk and knows its surroundings from a window. Where the pixels come from, and where
the chunk goes, is the caller's affair.

References
----------
X.-C. Cai and M. Sarkis, "A restricted additive Schwarz preconditioner for general sparse linear systems", SIAM J. Sci.
Comput. 21 (1999), 792-797. :doi:`10.1137/S106482759732678X`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from math import sqrt

import numpy as np

from skinpaint.grid.axes import Box, drop_short_axes, long_axes, within
from skinpaint.grid.harmonic.coarse import CoarseSystem
from skinpaint.grid.harmonic.multigrid import HarmonicSystem
from skinpaint.grid.hats import Hats, Stencil
from skinpaint.grid.holes import cut_out, solve_holes
from skinpaint.grid.matrix import edges

__all__ = ["Chunk", "Grid", "Misfit", "Pass", "assemble", "iterate", "measure", "residual", "solve_chunk", "total"]

OVERLAP = {1: 16, 2: 16}  # pixels, by the number of axes
OVERLAP_OF_VOLUMES = 8
LOCAL_REDUCTION = 1e-3  # of the residual of a chunk in a pass
LOCAL_TOL = 1e-13  # relative to the right-hand side: rounding errors
MAX_CYCLES = 100
COARSE_TOL = 1e-2
MAX_RATE = 0.9  # of the changes of two passes, where it is not known


@dataclass(frozen=True)
class Chunk:
    """A part of a grid: its own pixels, with the overlap around them, and with the ring around that."""

    core: Box
    wide: Box
    window: Box


@dataclass(frozen=True)
class Grid:
    """A grid in chunks, and the Laplacian on it.

    Attributes
    ----------
    chunks : tuple of tuple of int
        Lengths of the chunks along each axis, as dask writes them.
    lags : (1,) or (1, 2)
        Distances between pixels that are neighbours.
    spacing : tuple of float
        Distance between pixels along each axis.
    """

    chunks: tuple[tuple[int, ...], ...]
    lags: tuple[int, ...] = (1,)
    spacing: tuple[float, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of pixels along each axis."""
        return tuple(map(sum, self.chunks))

    @property
    def reach(self) -> int:
        """Distance of the farthest neighbour."""
        return max(self.lags)

    @property
    def overlap(self) -> int:
        """Pixels around a chunk that are solved with it; the nodes of the hats are as far from each other."""
        return OVERLAP.get(len(long_axes(self.shape)), OVERLAP_OF_VOLUMES)

    @property
    def hats(self) -> Hats:
        """The coarse grid."""
        return Hats(self.shape, self.overlap)

    @property
    def steps(self) -> tuple[float, ...]:
        """The spacing, relative to the shortest of an axis with neighbours."""
        spacing = self.spacing or (1.0,) * len(self.shape)
        shortest = min(spacing[axis] for axis in long_axes(self.shape))
        return tuple(h / shortest for h in spacing)

    def __iter__(self) -> Iterator[Chunk]:
        starts = [np.cumsum((0, *lengths)).tolist() for lengths in self.chunks]
        for core in product(*([slice(lo, hi) for lo, hi in pairwise(each)] for each in starts)):
            wide = self.wider(core, self.overlap)
            yield Chunk(core, wide, self.wider(wide, self.reach))

    def ring(self, box: Box) -> Box:
        """A part of the grid and the neighbours of its pixels."""
        return self.wider(box, self.reach)

    def wider(self, box: Box, by: int) -> Box:
        """A part of the grid and the pixels around it."""
        return tuple(slice(max(s.start - by, 0), min(s.stop + by, n)) for s, n in zip(box, self.shape, strict=True))


@dataclass(frozen=True)
class Misfit:
    """The residual ``b - A x`` of a chunk, or of all: sum of squares, largest entry, and sums against the hats."""

    square: float
    largest: float
    against_hats: np.ndarray


@dataclass(frozen=True)
class Pass:
    """What is known after a pass."""

    number: int
    residual: float
    """``|b - A x| / |b|``."""
    largest: float
    """The largest entry of ``b - A x``, in the units of the values."""
    change: float
    """The largest change of a value in this pass."""
    error: float
    """An estimate of the largest error of a value, from how much smaller the change is than in the pass before."""


def solve_chunk(
    grid: Grid, chunk: Chunk, values: np.ndarray, unknown: np.ndarray, correction: np.ndarray | None
) -> tuple[np.ndarray, float]:
    """One pass over one chunk.

    Parameters
    ----------
    grid, chunk : Grid, Chunk
        What is solved.
    values : ndarray of float64, of the shape of ``chunk.window``
        Known values, and the present ones of the unknown pixels.
    unknown : ndarray of bool, of the same shape
        True where unknown.
    correction : ndarray or None
        The solution of the coarse system at ``grid.hats.around(chunk.window)``.

    Returns
    -------
    core : ndarray
        The new values of ``chunk.core``.
    change : float
        The largest change of a value in it.
    """
    x = values.copy()
    if correction is not None:
        np.add(x, grid.hats.prolong(correction, chunk.window), out=x, where=unknown)
    inner = np.zeros(unknown.shape, bool)
    at = within(chunk.wide, chunk.window)
    inner[at] = unknown[at]
    if inner.any():
        long = long_axes(x.shape)
        terms = tuple((k, lag) for k in range(len(long)) for lag in grid.lags)
        weights = tuple(1 / grid.steps[long[k]] ** 2 for k, _ in terms)
        cuts = cut_out(drop_short_axes(inner), margin=grid.reach)
        solve_holes(
            ((cut, HarmonicSystem(cut.state, terms, weights)) for cut in cuts),
            [drop_short_axes(x)],
            lambda system, flat: system.improve(flat, tol=LOCAL_TOL, max_iter=MAX_CYCLES, reduction=LOCAL_REDUCTION),
        )
    here = within(chunk.core, chunk.window)
    return np.ascontiguousarray(x[here]), float(np.abs(x[here] - values[here]).max())


def residual(grid: Grid, box: Box, values: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """The residual ``b - A x`` at the pixels of `box`, from its definition, given all pixels of ``grid.ring(box)``."""
    r = np.zeros(values.shape)
    for low, high, weight in edges(values.shape, grid.lags, grid.steps):
        flow = values[high] - values[low]
        flow *= weight
        r[low] += flow
        r[high] -= flow
    inside = within(box, grid.ring(box))
    return np.where(unknown[inside], r[inside], 0.0)


def measure(grid: Grid, box: Box, values: np.ndarray, unknown: np.ndarray) -> Misfit:
    """The misfit of the pixels of `box`, given all pixels of ``grid.ring(box)``."""
    r = residual(grid, box, values, unknown)
    return Misfit(float(np.vdot(r, r)), float(np.abs(r).max(initial=0)), grid.hats.restrict(r, box))


def total(grid: Grid, parts: Iterator[tuple[Box, Misfit]]) -> Misfit:
    """The misfit of all chunks together."""
    square, largest, hats = 0.0, 0.0, np.zeros(grid.hats.nodes)
    for box, part in parts:
        square, largest = square + part.square, max(largest, part.largest)
        hats[grid.hats.around(box)] += part.against_hats
    return Misfit(square, largest, hats)


def assemble(grid: Grid, box: Box, unknown: np.ndarray) -> tuple[Box, Stencil]:
    """The part of the pixels of `box` in the coarse matrix, and its nodes, given the mask of ``grid.ring(box)``."""
    return grid.hats.galerkin(unknown, box, grid.ring(box), grid.lags, grid.steps)


def iterate(
    stencil: Stencil,
    start: Misfit,
    b: float,
    sweep: Callable[[np.ndarray], tuple[Misfit, float]],
    *,
    tol: float,
    max_error: float,
    most: int,
    before: float = 0.0,
) -> Iterator[Pass]:
    """Go on until the residual and the estimated error are small, at most `most` passes.

    Parameters
    ----------
    stencil : Stencil
        The coarse matrix.
    start : Misfit
        Before the first of these passes.
    b : float
        Size of the right-hand side: of the misfit where all unknown pixels have the lowest known value.
    sweep : callable
        Applies a coarse correction and one pass over all chunks, and returns the misfit and the largest change.
    tol : float
        Relative residual to reach.
    max_error : float
        Estimated error of a value to reach.
    most : int
        Number of passes that are allowed.
    before : float
        The change in the pass before these; 0 if there was none.
    """
    if b == 0:
        return
    coarse, misfit = CoarseSystem(stencil), start
    for number in range(1, most + 1):
        misfit, change = sweep(coarse.solve(misfit.against_hats, COARSE_TOL))
        rate = min(change / before, MAX_RATE) if before else MAX_RATE
        done = Pass(number, sqrt(misfit.square) / b, misfit.largest, change, change * rate / (1 - rate))
        yield done
        if done.residual <= tol and done.error <= max_error:
            return
        before = change
