r"""The quadratic that lies above an energy of norms and touches it: a metric to descend in, and a proof of how far.

A norm is below a parabola that touches it, :math:`|v| \le (w |v|^2 + 1/w) / 2` with :math:`w = 1/|v|` at the point of
contact. So an energy made of norms and squares of differences :math:`v_g = K_g x` has above it a quadratic whose matrix
is a weighted Laplacian, :math:`L_w = \sum_g w_g K_g^T K_g`, and the gradients agree: :math:`\nabla E(x) = L_w x`. Its
minimum :math:`x'` is the next iterate of reweighting.

The same :math:`x'` proves how low any energy can be. By duality every :math:`y` with :math:`|y_g| \le 1` gives

.. math:: E^* \ge \sum_{i \in K} r_i x_i + \sum_{i \in U} \min(r_i\,low, r_i\,high) - \sum_g \phi_g^*(y_g),
   \qquad r = \sum_g K_g^T y_g,

with known pixels K, missing ones U and conjugates :math:`\phi^*`, which are zero for norms. With
:math:`y_g = w_g K_g x'`, clipped to its ball, :math:`r` all but vanishes on U.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from skinpaint.energies.base import Differences, Energy, terms_of
from skinpaint.grid.harmonic.multigrid import System
from skinpaint.grid.holes import Sheet, cut_out

__all__ = ["Majorizer", "relative_gap"]

MAX_ITER = 50  # cycles of one solution
ROUNDING = 4e-15  # of sums in double precision, next to the sum of the absolute values


class Majorizer:
    """The quadratic above an energy that touches it at `x`.

    Parameters
    ----------
    energy : Energy
        Made of norms and squares of first differences; see `of`.
    x : ndarray of shape (M[, N[, ..., P]], C)
        Where it touches.
    mask : ndarray of bool, of the shape of `x` or with a last axis of length 1
        True where missing.

    Examples
    --------
    >>> from skinpaint.energies import dirichlet
    >>> x, mask = np.array([[0.0], [9.0], [3.0], [4.0]]), np.array([[False], [True], [True], [False]])
    >>> majorizer = Majorizer(dirichlet, x, mask)
    >>> least = majorizer.minimise(x, tol=1e-12)
    >>> least[:, 0].round(6)
    array([0.      , 1.333333, 2.666667, 4.      ])
    >>> round(float(dirichlet(least[:, 0])), 6), majorizer.bounds(least, 0.0, 9.0).round(6)
    (5.333333, array([5.333333]))
    """

    def __init__(self, energy: Any, x: np.ndarray, mask: np.ndarray) -> None:
        mask = np.broadcast_to(mask, x.shape)
        if any(term.joint for _, term in terms_of(energy)):
            self.fields = [Field(energy, x, mask, (...,))]
        else:
            self.fields = [Field(energy, x[..., c], mask[..., c], (..., c)) for c in range(x.shape[-1])]

    @staticmethod
    def of(energy: Any) -> bool:
        """Whether an energy has such a majorizer."""
        terms = terms_of(energy)
        fit = all(isinstance(term, Differences) and term.order == 1 for _, term in terms)
        return fit and len({term.joint for _, term in terms}) == 1

    def precondition(self, gradient: np.ndarray) -> np.ndarray:
        """About ``L_w^-1`` times the gradient, by one multigrid cycle; zero where known."""
        out = np.zeros(gradient.shape)
        for field in self.fields:
            field.precondition(gradient[field.at], out[field.at])
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
            A reduction of it that is enough.
        """
        out = x.copy()
        for field in self.fields:
            field.minimise(out[field.at], tol, reduction)
        return out

    def bounds(self, x: np.ndarray, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
        """What no energy within the bounds can be below, by duality: of each channel, or of a joint energy.

        It is the better, the nearer `x` is to the minimum.

        Parameters
        ----------
        x : ndarray of shape (M[, N[, ..., P]], C)
            Known values, and the minimum of the majorizer.
        low, high : float or ndarray of shape (C,)
            The box.
        """
        channels = np.ones(x.shape[-1])
        box = (low * channels, high * channels)
        return np.array([field.bound(x[field.at], *(side[field.at] for side in box)) for field in self.fields])


def relative_gap(energies: np.ndarray | float, bounds: np.ndarray | float) -> float:
    """How far above its minimum an energy can be at most, relative to the minimum: the largest over the channels.

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
    gaps = np.where(energies > bounds, np.inf, 0.0)
    np.divide(energies - bounds, bounds, out=gaps, where=(energies > bounds) & (bounds > 0))
    return float(gaps.max())


@dataclass(frozen=True, eq=False)
class Piece:
    """The matrix on one sheet, and the channels that have it."""

    system: System
    sheet: Sheet
    channels: tuple[Any, ...]  # indices of the last axis, or (None,) where there is no such axis


class Field:
    """The majorizer of one channel, or of all of them, last, if the energy is joint; `at` is where they are."""

    def __init__(self, energy: Energy, x: np.ndarray, mask: np.ndarray, at: tuple[Any, ...]) -> None:
        self.terms = terms_of(energy)
        self.mask = mask
        self.at = at
        self.joint = self.terms[0][1].joint
        x = np.ascontiguousarray(x)
        self.kept = [term.forward(x, term.steps(x.ndim), keep=True)[1] for _, term in self.terms]
        self.pieces = list(self._pieces(x.shape[:-1] if self.joint else x.shape))

    def _pieces(self, shape: tuple[int, ...]) -> Iterator[Piece]:
        long = [axis for axis, n in enumerate(shape) if n > 1]  # others have no edges
        weights: dict[tuple[int, int], Any] = {}
        for (c, term), kept in zip(self.terms, self.kept, strict=True):
            for (axis, lag), weight in term.edges(kept, shape):
                if axis in long:
                    key = long.index(axis), lag
                    weights[key] = weights.get(key, 0.0) + c * weight
        terms = tuple(sorted(weights))
        spread = [np.broadcast_to(weights[key], shape) if np.ndim(weights[key]) else weights[key] for key in terms]
        for mask, channels in self._masks():
            for sheet in cut_out(_long(mask), margin=max(lag for _, lag in terms)) if mask.any() else ():
                local = tuple(sheet.gather(_long(w)) if np.ndim(w) else float(w) for w in spread)
                yield Piece(System(sheet.state, terms, local), sheet, channels)

    def _masks(self) -> list[tuple[np.ndarray, tuple[Any, ...]]]:
        """Each different mask, and the channels that have it."""
        if not self.joint:
            return [(np.ascontiguousarray(self.mask), (None,))]
        found: dict[bytes, list[int]] = {}
        for c in range(self.mask.shape[-1]):
            found.setdefault(self.mask[..., c].tobytes(), []).append(c)
        return [(np.ascontiguousarray(self.mask[..., some[0]]), tuple(some)) for some in found.values()]

    def precondition(self, gradient: np.ndarray, out: np.ndarray) -> None:
        for piece in self.pieces:
            for c in piece.channels:
                answer = piece.system.cycle(piece.sheet.gather(_long(gradient, c)))
                piece.sheet.scatter(answer, _long(out, c))

    def minimise(self, x: np.ndarray, tol: float, reduction: float) -> None:
        """In place."""
        for piece in self.pieces:
            for c in piece.channels:
                flat = piece.system.flatten(piece.sheet.gather(_long(x, c)))
                piece.system.improve(flat, tol=tol, max_iter=MAX_ITER, reduction=reduction)
                piece.sheet.scatter(piece.system.layout.inner(flat), _long(x, c))

    def bound(self, x: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
        x = np.ascontiguousarray(x)
        r, conjugates = np.zeros(x.shape), 0.0
        for (c, term), kept in zip(self.terms, self.kept, strict=True):
            spacing = term.steps(x.ndim)
            weights, conjugate = term.dual(x, spacing, kept)
            r += term.backward(x, spacing, weights, c)
            conjugates += c * conjugate
        parts = np.where(self.mask, np.minimum(r * low, r * high), r * x)
        return float(parts.sum()) - conjugates - ROUNDING * (float(np.abs(parts).sum()) + conjugates)


def _long(array: np.ndarray, channel: int | None = None) -> np.ndarray:
    """View a channel, or all if there are none, without the axes of length 1, along which there is no edge."""
    part = array if channel is None else array[..., channel]
    return part[tuple(0 if n == 1 else slice(None) for n in part.shape)]
