"""The harmonic fill: solve ``L_UU x_U = -L_UK x_K``, in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from skinpaint.grid.axes import channels_by_mask, drop_short_axes, long_axes
from skinpaint.grid.harmonic import kernels
from skinpaint.grid.harmonic.direct import solve_surely
from skinpaint.grid.harmonic.multigrid import HarmonicSystem, System
from skinpaint.grid.harmonic.points import PointSystem
from skinpaint.grid.holes import CutOut, Listed, cut_out, solve_holes
from skinpaint.grid.layout import Layout
from skinpaint.grid.slabs import Slab, over_slabs
from skinpaint.grid.threads import share
from skinpaint.lazy import lazy

__all__ = ["Canvas", "Harmonic", "Sheets", "fill"]

MAX_CYCLES = 100  # 10 to 20 are usual


@dataclass(frozen=True, eq=False)
class Harmonic:
    """The harmonic fill of images of one shape.

    Attributes
    ----------
    shape : tuple of int
        Spatial shape of the images.
    lags : (1,) or (1, 2)
        Distances between entries that are neighbours.
    spacing : tuple of float
        Distance between entries along each axis.
    """

    shape: tuple[int, ...]
    lags: tuple[int, ...]
    spacing: tuple[float, ...]

    @lazy
    def long(self) -> list[int]:
        return long_axes(self.shape)

    @lazy
    def terms(self) -> tuple[tuple[int, int], ...]:
        return tuple((k, lag) for k in range(len(self.long)) for lag in self.lags)

    @lazy
    def weights(self) -> tuple[float, ...]:
        """One over the squared spacing of each term, relative to the shortest spacing."""
        return tuple((self.shortest / self.spacing[self.long[k]]) ** 2 for k, _ in self.terms)

    @property
    def shortest(self) -> float:
        return min(self.spacing[axis] for axis in self.long)

    def cuts(self, mask: np.ndarray, at: np.ndarray | None = None) -> list[CutOut | Listed]:
        """What is solved one after another; `at` holds the flat indices of the missing pixels, if they are there."""
        return cut_out(drop_short_axes(mask), margin=max(self.lags), lags=self.lags, at=at)

    def solve(
        self, cuts: Sequence[CutOut | Listed], images: Sequence[Any], tol: float, **where: Any
    ) -> list[tuple[int, float, str]]:
        """Fill `images`; the number of cycles, the relative residual, and what was used, "multigrid" or "direct".

        `where` is that of :func:`skinpaint.grid.holes.solve_holes`.
        """

        def solve(system: HarmonicSystem | PointSystem, x: np.ndarray) -> tuple[int, float, str]:
            system.guess(x)
            return *system.improve(x, tol=tol, max_iter=MAX_CYCLES), system.preconditioner.name

        return solve_holes(((cut, self._system(cut)) for cut in cuts), images, solve, **where)

    def _system(self, cut: CutOut | Listed) -> System:
        if isinstance(cut, Listed):
            return PointSystem.uniform(cut.points, self.terms, self.weights)
        return HarmonicSystem(cut.state, self.terms, self.weights)


@dataclass(frozen=True, eq=False)
class Canvas:
    """An image in the memory that the solver works in: one padded grid for each channel.

    Write the image into `values`, call `solve`, and read the solution from `values`. If the whole image is solved at
    once, nothing is copied.

    Attributes
    ----------
    harmonic : Harmonic
        What is solved.
    channels : int
        Number of channels.

    Examples
    --------
    >>> canvas = Canvas(Harmonic((4,), (1,), (1.0,)), 1)
    >>> canvas.values[:, 0] = 0, 5, 5, 3
    >>> [cycles for cycles, residual, used in canvas.solve(np.array([False, True, True, False]), [0], tol=1e-6)]
    [1]
    >>> canvas.values[:, 0].round(6)
    array([0., 1., 2., 3.])
    >>> canvas.energies()
    array([3.])
    """

    harmonic: Harmonic
    channels: int

    @lazy
    def layout(self) -> Layout:
        harmonic = self.harmonic
        return Layout(tuple(harmonic.shape[axis] for axis in harmonic.long), max(harmonic.lags))

    @lazy
    def flat(self) -> np.ndarray:
        """The padded grids, one for each channel."""
        return np.zeros((self.channels, int(np.prod(self.layout.padded))))

    @lazy
    def values(self) -> np.ndarray:
        """The image, of shape ``(*shape, channels)``: a view into `flat`."""
        pad = self.layout.pad
        inner = self.flat.reshape(-1, *self.layout.padded)[:, *(slice(pad, -pad),) * len(self.layout.shape)]
        short = [1 + axis for axis in range(len(self.harmonic.shape)) if axis not in self.harmonic.long]
        return np.moveaxis(np.expand_dims(inner, short), 0, -1)

    def solve(self, mask: np.ndarray, channels: list[int], tol: float) -> list[tuple[int, float, str]]:
        """Fill the missing pixels of `channels`; what `Harmonic.solve` says of each solve."""
        flats = [self.flat[c] for c in channels]
        images = [self.layout.inner(flat) for flat in flats]
        return self.harmonic.solve(self.harmonic.cuts(mask), images, tol, padded=flats)

    def read(self, index: tuple[np.ndarray, ...], c: int) -> np.ndarray:
        """The values at an index of the spatial axes in channel `c`."""
        return self.values[..., c][index]

    def put(self, at: np.ndarray, channels: list[int], found: np.ndarray) -> None:
        """Write the values of the pixels `at`, one row a channel."""
        index = np.unravel_index(at, self.harmonic.shape)
        for c, values in zip(channels, found, strict=True):
            self.values[..., c][index] = values

    def energies(self) -> np.ndarray:
        """Sum of each channel over all edges of the squared difference, divided by the squared spacing."""
        layout, (starts, _), harmonic = self.layout, self.layout.rows, self.harmonic
        counts = _edges_of_rows(layout.shape, layout.shape, harmonic.terms)
        offsets = np.array([layout.strides[axis] * lag for axis, lag in harmonic.terms])
        weights = np.array(harmonic.weights)
        energies, sums = np.empty(self.channels), np.empty(starts.size)
        for c, x in enumerate(self.flat):
            share(kernels.squares, 0, starts.size, layout.size, starts, counts, offsets, weights, x, sums)
            energies[c] = sums.sum()
        return energies / harmonic.shortest**2


@dataclass(frozen=True, eq=False)
class Sheets:
    """The missing pixels of an image, where little is missing: the rest of it is read where it is needed.

    Attributes
    ----------
    image : Problem
        What is read.
    harmonic : Harmonic
        What is solved.

    Examples
    --------
    >>> from skinpaint.problem import Problem
    >>> image = Problem.from_image(np.array([0.0, np.nan, np.nan, 3.0, 3.0, 3.0, 4.0]))
    >>> sheets = Sheets(image, Harmonic((7,), (1,), (1.0,)))
    >>> [cycles for cycles, residual, used in sheets.solve(image.mask[:, 0], [0], tol=1e-6)]
    [1]
    >>> sheets.values.at, sheets.found.round(6)
    (array([1, 2]), array([[0.25],
           [0.5 ]]))
    >>> sheets.energies()
    array([0.25])
    """

    image: Any
    harmonic: Harmonic

    @lazy
    def found(self) -> np.ndarray:
        """The values of the missing pixels, of shape (n, C). A pixel may be missing in some channels only."""
        if self.image.mask.shape[-1] > 1:
            return self.image.unsolved.values
        return np.empty((self.image.missing.size, self.image.shape[-1]))

    @property
    def values(self) -> Any:
        """The answer, for a `Solution`."""
        return self.image.filling(self.image.missing, self.found)

    def solve(self, mask: np.ndarray, channels: list[int], tol: float) -> list[tuple[int, float, str]]:
        """Fill the missing pixels of `channels`; what `Harmonic.solve` says of each solve."""
        images = [self.image.pane(c) for c in channels]
        missing = self.image.missing
        at = missing if np.count_nonzero(mask) == missing.size else np.flatnonzero(mask)
        found = np.empty((len(channels), at.size))
        results = self.harmonic.solve(self.harmonic.cuts(mask, at), images, tol, found=list(found))
        self.put(at, channels, found)
        return results

    def read(self, index: tuple[np.ndarray, ...], c: int) -> np.ndarray:
        """The values at an index of the spatial axes in channel `c`."""
        return self.image.read(index, c)

    def put(self, at: np.ndarray, channels: list[int], found: np.ndarray) -> None:
        """Write the values of the pixels `at`, one row a channel."""
        missing = self.image.missing
        rows = slice(None) if at.size == missing.size else np.searchsorted(missing, at)
        for c, values in zip(channels, found, strict=True):
            self.found[rows, c] = values

    def energies(self) -> np.ndarray:
        """Sum of each channel over all edges of the squared difference, divided by the squared spacing."""
        harmonic = self.harmonic
        shape = tuple(harmonic.shape[axis] for axis in harmonic.long)
        missing, axis = self.image.missing, int(np.argmax(shape))
        layer = prod(shape[axis + 1 :])  # entries of one layer that follow each other
        along = missing // layer % shape[axis]
        order = np.argsort(along, kind="stable")
        along = along[order]

        def squares(slab: Slab) -> np.ndarray:
            layers = slab.box[slab.axis]
            some = order[slice(*np.searchsorted(along, (layers.start, layers.stop)))]
            before, inside = np.divmod(missing[some], shape[axis] * layer)
            at = (before * (layers.stop - layers.start) - layers.start) * layer + inside
            extents = [s.stop - s.start for s in slab.box]
            begin = [*extents[: slab.axis], slab.layers, *extents[slab.axis + 1 :]]
            counts = _edges_of_rows(extents, begin, harmonic.terms)
            starts, sums = np.arange(counts.shape[1]) * extents[-1], np.empty(counts.shape[1])
            offsets = np.array([lag * prod(extents[axis + 1 :]) for axis, lag in harmonic.terms])
            weights = np.array(harmonic.weights)
            totals = np.empty(self.found.shape[1])
            for c in range(totals.size):
                x = np.ascontiguousarray(self.image.pane(c)[slab.box], float).reshape(-1)
                x[at] = self.found[some, c]
                kernels.squares(0, sums.size, starts, counts, offsets, weights, x, sums)
                totals[c] = sums.sum()
            return totals

        return np.sum(over_slabs(shape, max(harmonic.lags), squares), axis=0) / harmonic.shortest**2


def _edges_of_rows(shape: Sequence[int], begin: Sequence[int], terms: Sequence[tuple[int, int]]) -> np.ndarray:
    """For each term and row of a grid, how many edges begin in the row and before `begin` along each axis.

    Examples
    --------
    >>> _edges_of_rows((3, 4), (2, 4), [(0, 1), (0, 2), (1, 1)])
    array([[4, 4, 0],
           [4, 0, 0],
           [3, 3, 0]])
    """
    places = np.indices(shape[:-1]).reshape(len(shape) - 1, prod(shape[:-1]))
    counts = np.zeros((len(terms), places.shape[1]), np.int64)
    for count, (axis, lag) in zip(counts, terms, strict=True):
        *ends, end = (min(b, n - lag * (k == axis)) for k, (n, b) in enumerate(zip(shape, begin, strict=True)))
        inside = np.all([place < stop for place, stop in zip(places, ends, strict=True)], axis=0)
        count[inside] = max(end, 0)
    return counts


def fill(values: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...], tol: float = 1e-6) -> np.ndarray:
    """Replace the missing values by their harmonic fill.

    Parameters
    ----------
    values : ndarray of shape (M[, N[, ..., P]], C)
        Known values, and finite ones where they are missing.
    mask : ndarray of bool, of the shape of `values` or with a last axis of length 1
        True where missing.
    spacing : tuple of float
        Distance between pixels along each axis.
    tol : float
        Relative residual at which multigrid stops.

    Returns
    -------
    filled : ndarray of float64 of the shape of `values`

    Examples
    --------
    >>> values = np.array([[0.0], [0.5], [0.5], [3.0]])
    >>> fill(values, np.array([[False], [True], [True], [False]]), (1.0,))[:, 0].round(6)
    array([0., 1., 2., 3.])
    """
    canvas = Canvas(Harmonic(values.shape[:-1], (1,), spacing), values.shape[-1])
    canvas.values[...] = values
    for spatial, channels in channels_by_mask(mask, values.shape[-1]):
        solve_surely(canvas, spatial, channels, tol)
    return canvas.values
