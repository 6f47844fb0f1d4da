"""The harmonic fill: solve ``L_UU x_U = -L_UK x_K`` by multigrid, in place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skinpaint.grid.axes import channels_by_mask, drop_short_axes, long_axes
from skinpaint.grid.harmonic import kernels
from skinpaint.grid.harmonic.multigrid import HarmonicSystem
from skinpaint.grid.holes import cut_out, solve_holes
from skinpaint.grid.layout import Layout
from skinpaint.grid.threads import share
from skinpaint.lazy import lazy

__all__ = ["Canvas", "fill"]

MAX_CYCLES = 100  # 10 to 20 are usual


@dataclass(frozen=True, eq=False)
class Canvas:
    """An image in the memory that the solver works in: one padded grid for each channel.

    Write the image into `values`, call `solve`, and read the solution from `values`. If the whole image is solved at
    once, nothing is copied.

    Attributes
    ----------
    shape : tuple of int
        Spatial shape of the image.
    channels : int
        Number of channels.
    lags : (1,) or (1, 2)
        Distances between entries that are neighbours.
    spacing : tuple of float
        Distance between entries along each axis.

    Examples
    --------
    >>> canvas = Canvas((4,), 1, (1,), (1.0,))
    >>> canvas.values[:, 0] = 0, 5, 5, 3
    >>> [cycles for cycles, residual in canvas.solve(np.array([False, True, True, False]), [0], tol=1e-6)]
    [0]
    >>> canvas.values[:, 0].round(6)
    array([0., 1., 2., 3.])
    >>> canvas.energy()
    3.0
    """

    shape: tuple[int, ...]
    channels: int
    lags: tuple[int, ...]
    spacing: tuple[float, ...]

    @lazy
    def long(self) -> list[int]:
        return long_axes(self.shape)

    @lazy
    def layout(self) -> Layout:
        return Layout(tuple(self.shape[axis] for axis in self.long), max(self.lags))

    @lazy
    def flat(self) -> np.ndarray:
        """The padded grids, one for each channel."""
        return np.zeros((self.channels, int(np.prod(self.layout.padded))))

    @lazy
    def values(self) -> np.ndarray:
        """The image, of shape ``(*shape, channels)``: a view into `flat`."""
        pad = self.layout.pad
        inner = self.flat.reshape(-1, *self.layout.padded)[:, *(slice(pad, -pad),) * len(self.long)]
        short = [1 + axis for axis in range(len(self.shape)) if axis not in self.long]
        return np.moveaxis(np.expand_dims(inner, short), 0, -1)

    @lazy
    def terms(self) -> tuple[tuple[int, int], ...]:
        return tuple((k, lag) for k in range(len(self.long)) for lag in self.lags)

    @lazy
    def weights(self) -> tuple[float, ...]:
        """One over the squared spacing of each term, relative to the shortest spacing."""
        return tuple((self._shortest / self.spacing[self.long[k]]) ** 2 for k, _ in self.terms)

    @property
    def _shortest(self) -> float:
        return min(self.spacing[axis] for axis in self.long)

    def solve(self, mask: np.ndarray, channels: list[int], tol: float) -> list[tuple[int, float]]:
        """Fill the missing pixels of `channels`; the number of cycles and the relative residual of each solve."""

        def solve(system: HarmonicSystem, x: np.ndarray) -> tuple[int, float]:
            system.guess(x)
            return system.improve(x, tol=tol, max_iter=MAX_CYCLES)

        cuts = cut_out(drop_short_axes(mask), margin=max(self.lags))
        systems = ((cut, HarmonicSystem(cut.state, self.terms, self.weights)) for cut in cuts)
        flats = [self.flat[c] for c in channels]
        return solve_holes(systems, [self.layout.inner(flat) for flat in flats], solve, padded=flats)

    def energy(self) -> float:
        """Sum over all channels and edges of the squared difference, divided by the squared spacing."""
        return float(self.energies().sum())

    def energies(self) -> np.ndarray:
        """The energy of each channel."""
        layout = self.layout
        starts, _ = layout.rows
        ahead = np.indices(layout.shape[:-1]).reshape(len(layout.shape) - 1, starts.size)
        counts = np.empty((len(self.terms), starts.size), np.int64)  # entries of each row that have a neighbour ahead
        for count, (axis, lag) in zip(counts, self.terms, strict=True):
            if axis == len(layout.shape) - 1:
                count[:] = max(layout.shape[axis] - lag, 0)
            else:
                count[:] = np.where(ahead[axis] + lag < layout.shape[axis], layout.shape[-1], 0)
        offsets = tuple(layout.strides[axis] * lag for axis, lag in self.terms)
        energies, sums = np.empty(len(self.flat)), np.empty(starts.size)
        for c, x in enumerate(self.flat):
            share(kernels.squares, 0, starts.size, layout.size, starts, counts, offsets, self.weights, x, sums)
            energies[c] = sums.sum()
        return energies / self._shortest**2


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
        Relative residual.

    Returns
    -------
    filled : ndarray of float64 of the shape of `values`

    Examples
    --------
    >>> values = np.array([[0.0], [0.5], [0.5], [3.0]])
    >>> fill(values, np.array([[False], [True], [True], [False]]), (1.0,))[:, 0].round(6)
    array([0., 1., 2., 3.])
    """
    canvas = Canvas(values.shape[:-1], values.shape[-1], (1,), spacing)
    canvas.values[...] = values
    for spatial, channels in channels_by_mask(mask, values.shape[-1]):
        canvas.solve(spatial, channels, tol)
    return canvas.values
