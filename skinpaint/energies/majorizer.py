r"""A quadratic above an energy of norms that touches it: a preconditioner for descent, and a proof of a lower bound.

A norm is below a parabola that touches it, :math:`|v| \le (w |v|^2 + 1/w) / 2` with :math:`w = 1/|v|` at the point of
contact. So an energy made of norms and squares of differences :math:`v_g = K_g x` has above it a quadratic whose matrix
is a weighted Laplacian, :math:`L_w = \sum_g w_g K_g^T K_g`. At the point of contact the gradients agree,
:math:`\nabla E(x) = L_w x`. The minimum :math:`x'` of the quadratic is the next iterate of reweighted least squares.

The same :math:`x'` gives a lower bound of the energy. By duality every :math:`y` with :math:`|y_g| \le 1` gives

.. math:: E^* \ge \sum_{i \in K} r_i x_i + \sum_{i \in U} \min(r_i, 0) - \sum_g \phi_g^*(y_g),
   \qquad r = \sum_g K_g^T y_g,

with known pixels K, missing pixels U and conjugates :math:`\phi^*`, which are zero for norms. Known values are in
[0, 1]. So is a minimum, however wide the bounds are: to clip an image to the range of what is known makes no difference
of two pixels larger. We take
:math:`y_g = w_g K_g x'` and clip it to the unit ball. Then :math:`r` nearly vanishes on U, and the bound is tight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from skinpaint.energies.base import Differences, Energy, terms_of
from skinpaint.grid.axes import channels_by_mask, drop_short_axes, long_axes
from skinpaint.grid.harmonic.multigrid import HarmonicSystem, System
from skinpaint.grid.harmonic.points import PointSystem
from skinpaint.grid.holes import cut_out, solve_holes
from skinpaint.grid.points import Points

__all__ = ["Majorizer", "relative_gap"]

MAX_CYCLES = 50  # of one linear system
SUM_ROUNDING = 4e-15  # rounding error of a sum in double precision, relative to the sum of the absolute values


class Majorizer:
    """The quadratic above an energy that touches it at `x`.

    Parameters
    ----------
    energy : Energy
        Made of norms and squares of first differences; see `exists_for`.
    x : ndarray of shape (M[, N[, ..., P]], C)
        The point of contact.
    mask : ndarray of bool, of the shape of `x` or with a last axis of length 1
        True where missing.

    Examples
    --------
    >>> from skinpaint.energies import dirichlet
    >>> x, mask = np.array([[0.0], [0.9], [0.3], [0.6]]), np.array([[False], [True], [True], [False]])
    >>> majorizer = Majorizer(dirichlet, x, mask)
    >>> least = majorizer.minimise(x, tol=1e-12)
    >>> least[:, 0].round(6)
    array([0. , 0.2, 0.4, 0.6])
    >>> round(float(dirichlet(least[:, 0])), 6), majorizer.bounds(least).round(6)
    (0.12, array([0.12]))
    """

    def __init__(self, energy: Any, x: np.ndarray, mask: np.ndarray) -> None:
        joint = any(term.joint for _, term in terms_of(energy))
        full = np.broadcast_to(mask, x.shape)
        parts: list[tuple[Any, ...]] = [(...,)] if joint else [(..., c) for c in range(x.shape[-1])]
        self.fields = [Field(energy, x[at], full[at], at) for at in parts]
        self.systems: list[tuple[list[tuple[Any, System]], list[int]]] = []  # with the channels of each
        self.unresolved = False  # whether a system that was solved last was too much for single precision
        margin = max(lag for _, term in terms_of(energy) for lag in term.lags)
        points = terms_of(energy)[0][1].points
        for spatial, channels in channels_by_mask(mask, x.shape[-1]):
            cuts = cut_out(drop_short_axes(spatial), margin) if points is None else [Vector(points, spatial)]
            if joint:
                self.systems.append((self.fields[0].systems(cuts), channels))
            else:
                self.systems += [(self.fields[c].systems(cuts), [c]) for c in channels]

    @staticmethod
    def exists_for(energy: Any) -> bool:
        """Whether an energy has such a quadratic above it."""
        terms = terms_of(energy)
        fit = all(isinstance(term, Differences) and term.order == 1 for _, term in terms)
        return fit and len({term.joint for _, term in terms}) == 1

    def precondition(self, gradient: np.ndarray) -> np.ndarray:
        """Approximate ``L_w^-1`` times a gradient that is zero at known pixels, by one multigrid cycle."""
        out = gradient.astype(float)
        self._solve(System.cycle, out, np.float32)
        return out

    def minimise(self, x: np.ndarray, tol: float, reduction: float = 0.0) -> np.ndarray:
        """The minimum over the missing pixels.

        Parameters
        ----------
        x : ndarray of shape (M[, N[, ..., P]], C)
            Known values, and a first guess of the missing ones.
        tol : float
            Relative residual of the linear system to reach.
        reduction : float
            Stop also when the residual has fallen to this fraction of the first one.
        """
        out = x.copy()
        solved = self._solve(
            lambda system, y: system.improve(y, tol=tol, max_iter=MAX_CYCLES, reduction=reduction), out
        )
        self.unresolved = any(residual == np.inf for _, residual in solved)
        return out

    def bounds(self, x: np.ndarray) -> np.ndarray:
        """A lower bound of the energy of each channel, or of a joint energy, by duality.

        The closer `x` is to the minimum, the tighter.

        Parameters
        ----------
        x : ndarray of shape (M[, N[, ..., P]], C)
            Known values, in [0, 1], and the minimum of the majorizer.
        """
        found = [field.bound(x[field.at]) for field in self.fields]
        return np.nan_to_num(found, nan=-np.inf, posinf=-np.inf, neginf=-np.inf)

    def release(self) -> None:
        """Free the memory of the systems, of a majorizer that is not needed any more."""
        self.systems.clear()

    def _solve(self, solve: Callable[[System, np.ndarray], Any], out: np.ndarray, dtype: type = float) -> list[Any]:
        """Solve all systems in place; what `solve` returned for each."""
        return [
            result
            for systems, channels in self.systems
            for result in solve_holes(systems, [drop_short_axes(out[..., c]) for c in channels], solve, dtype=dtype)
        ]


def relative_gap(energies: np.ndarray | float, bounds: np.ndarray | float) -> float:
    """Upper bound of ``(energy - minimum) / minimum``, given a lower bound of the minimum: the largest of all channels.

    Parameters
    ----------
    energies, bounds : float or ndarray of shape (C,)
        The energy of each channel, and a lower bound of it. Where the bound is not positive, the gap is infinite.

    Examples
    --------
    >>> relative_gap(1.5, 1.0), relative_gap(0.0, 0.0), relative_gap(1.0, -1.0)
    (0.5, 0.0, inf)
    >>> relative_gap(np.array([1.5, 1.1]), np.array([1.0, 1.0]))
    0.5
    """
    energies, bounds = np.atleast_1d(energies), np.atleast_1d(bounds)
    gaps = np.where(energies <= bounds, 0.0, np.inf)  # a bound that is no number proves nothing
    np.divide(energies - bounds, bounds, out=gaps, where=(energies > bounds) & (bounds > 0))
    return float(gaps.max())


class Vector:
    """A vector that begins with the values of points, as a cut-out of itself."""

    whole = True

    def __init__(self, points: Points, mask: np.ndarray) -> None:
        self.points, self.unknown = points, mask[: points.unknowns]

    def gather(self, values: np.ndarray) -> np.ndarray:
        """The values of the points."""
        return values[: self.points.size]

    def scatter(self, found: np.ndarray, values: np.ndarray) -> None:
        """Write the values of what is unknown."""
        np.copyto(values[: self.points.unknowns], found, where=self.unknown)


class Field:
    """The energy's terms on one channel, or on all channels if the energy is joint, and the weights of its edges.

    `at` is the index of the channel, or of all channels.
    """

    def __init__(self, energy: Energy, x: np.ndarray, mask: np.ndarray, at: tuple[Any, ...]) -> None:
        self.terms = terms_of(energy)
        self.mask = mask
        self.at = at
        x = np.ascontiguousarray(x)
        self.shape = x.shape[:-1] if self.terms[0][1].joint else x.shape
        self.kept = [term.forward(x, term.spacing_for(x.ndim), keep=True)[1] for _, term in self.terms]

    def systems(self, cuts: list[Any]) -> list[tuple[Any, System]]:
        """The system of the quadratic on each cut-out."""
        if isinstance(cuts[0], Vector):
            return [(cut, self._on_points(cut)) for cut in cuts]
        long = long_axes(self.shape)
        weights: dict[tuple[int, int], Any] = {}
        for (c, term), kept in zip(self.terms, self.kept, strict=True):
            for (axis, lag), weight in term.edges(kept, self.shape):
                if axis in long:
                    key = long.index(axis), lag
                    weight = weight if c == 1 else c * weight  # most often nothing is multiplied, and nothing copied
                    weights[key] = weights[key] + weight if key in weights else weight
        terms = tuple(sorted(weights))

        def on(cut: Any, weight: Any) -> Any:
            if not np.ndim(weight):
                return float(weight)
            return cut.gather(drop_short_axes(np.broadcast_to(weight, self.shape)))

        return [(cut, HarmonicSystem(cut.state, terms, tuple(on(cut, weights[key]) for key in terms))) for cut in cuts]

    def _on_points(self, cut: Vector) -> System:
        """The system of the quadratic on a vector."""
        edges = np.zeros(cut.points.neighbours.shape, np.float32)
        for (c, term), kept in zip(self.terms, self.kept, strict=True):
            term.weigh(kept, c, edges)

        def gradient(x: np.ndarray) -> np.ndarray:
            out = np.zeros(cut.points.unknowns)
            for (c, term), kept in zip(self.terms, self.kept, strict=True):
                term.pull(x, kept, c, out)
            return out

        return PointSystem(cut.points, edges, gradient, cut.unknown)

    def bound(self, x: np.ndarray) -> float:
        """A lower bound of the energy of this field."""
        x = np.ascontiguousarray(x)
        r, conjugates = np.zeros(x.shape), 0.0
        for (c, term), kept in zip(self.terms, self.kept, strict=True):
            spacing = term.spacing_for(x.ndim)
            weights, conjugate = term.dual(x, spacing, kept)
            r += term.backward(x, spacing, weights, c)
            conjugates += c * conjugate
        parts = np.where(self.mask, np.minimum(r, 0.0), r * x)
        return float(parts.sum()) - conjugates - SUM_ROUNDING * (float(np.abs(parts).sum()) + conjugates)
