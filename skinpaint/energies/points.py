"""Energies of first differences for an image of which little is missing: the cost follows the missing pixels.

The image becomes a vector: the missing pixels, the known pixels beside them, and for each energy a few numbers. What
known pixels contribute to a group of differences is the root of the sum of their squares, as if that were one more
difference. All groups without missing pixels are one number together. So the energy of the vector, its gradient and
every bound of it are those of the whole image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from skinpaint.energies.base import Differences, Energy, Sum, terms_of
from skinpaint.grid.axes import long_axes
from skinpaint.grid.differences.groups import GROUPINGS, Grouping
from skinpaint.grid.points import Points
from skinpaint.grid.slabs import Slab, over_slabs

if TYPE_CHECKING:
    from skinpaint.problem import Problem

__all__ = ["OnPoints", "on_points"]


@dataclass(frozen=True, eq=False, kw_only=True)
class OnPoints(Differences):
    """An energy of first differences, of a vector that stands for an image.

    Attributes
    ----------
    term : Differences
        The energy of the image.
    grouping : Grouping
        The groups of the edges of the missing pixels.
    first : int
        Where the numbers of this energy begin in the vector: those of the groups that known pixels contribute to, and
        the energy of all other groups.
    """

    term: Differences
    grouping: Grouping
    first: int

    @property
    def lags(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.term.lags

    @property
    def joint(self) -> bool:  # type: ignore[override]
        return self.term.joint

    @property
    def points(self) -> Points:
        return self.grouping.points

    def spacing_for(self, ndim: int) -> tuple[float, ...]:
        """A vector has no spacing, and is given as it is."""
        return (1.0,) * ndim

    def rounded(self, radius: float) -> OnPoints:
        """The energy with its norms rounded. Groups without missing pixels stay as they are."""
        term = self.term.rounded(radius)
        return self if term == self.term else replace(self, term=term)

    def forward(self, x: np.ndarray, spacing: tuple[float, ...], *, keep: bool) -> tuple[float, Any]:
        """The energy, and the weight of each group."""
        grouping, z = self.grouping, x.reshape(len(x), -1)
        sums = np.zeros((grouping.number, z.shape[1]))
        known = z[self.first : self._rest]
        np.square(known, out=sums[grouping.shared])
        self.points.squares(grouping.of, grouping.scales, z, sums)
        energy, weights = self.term.measure(sums.sum(axis=1) if self.joint else sums.reshape(-1))
        return energy + float(z[self._rest].sum()), weights

    def backward(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any, gain: float) -> np.ndarray:
        """Weighted differences, transposed."""
        grouping, z = self.grouping, x.reshape(len(x), -1)
        weights = np.empty((grouping.number, z.shape[1]))
        weights[...] = kept.reshape(grouping.number, 1 if self.joint else z.shape[1])
        out = np.zeros(z.shape)
        self.points.spread(grouping.of, grouping.scales, weights, z, gain, out)
        out[self.first : self._rest] = gain * weights[grouping.shared] * z[self.first : self._rest]
        out[self._rest] = gain
        return out.reshape(x.shape)

    def dual(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any) -> tuple[Any, float]:
        """As that of the image. What is constant has no conjugate."""
        energy, now = self.forward(x, spacing, keep=True)
        return self.term.clip(kept, now, energy - float(x[self._rest].sum()))

    def weigh(self, kept: np.ndarray, factor: float, edges: np.ndarray) -> None:
        """Add the weights of the edges in the quadratic, times `factor`."""
        self.points.weigh(self.grouping.of, self.grouping.scales, factor * self.term.bounded(kept), edges)

    def pull(self, x: np.ndarray, kept: np.ndarray, factor: float, out: np.ndarray) -> None:
        """Add the gradient of the quadratic at the missing pixels, times `factor`."""
        grouping = self.grouping
        self.points.pull(grouping.of, grouping.scales, self.term.bounded(kept), x, 1, factor, out)

    @property
    def _rest(self) -> int:
        grouping = self.grouping
        return self.first + len(range(*grouping.shared.indices(grouping.number)))


def on_points(energy: Energy, problem: Problem) -> tuple[Energy, Points, np.ndarray]:
    """Restrict an energy to the missing pixels of an image.

    Parameters
    ----------
    energy : Energy
        Made of norms and squares of first differences.
    problem : Problem
        The image.

    Returns
    -------
    energy : Energy
        Of a vector; of several of them side by side if the energy is joint.
    points : Points
        The missing pixels, and the known ones beside them: the first entries of the vector.
    values : ndarray of shape (P, C)
        The vector of each channel.

    Examples
    --------
    >>> from skinpaint.energies import Lines
    >>> from skinpaint.problem import Problem
    >>> problem = Problem.from_image(np.array([0.0, 4.0, 1.0, 1.0, np.nan]))
    >>> energy, points, values = on_points(Lines(lags=(1,)), problem)
    >>> values[:, 0]  # the missing pixel, the one beside it, the other differences, no other lines
    array([0.5 , 0.25, 1.25, 0.  ])
    >>> float(energy(values[:, 0])) == float(Lines(lags=(1,))(problem.values[:, 0]))
    True
    """
    coefficients, terms = zip(*terms_of(energy), strict=True)
    long = long_axes(problem.shape[:-1])
    shape = tuple(problem.shape[axis] for axis in long)
    points = Points.listed(problem.missing, shape, (1, 2) if any(2 in term.lags for term in terms) else (1,))
    panes = [problem.pane(c) for c in range(problem.shape[-1])]
    hidden = np.logical_or.reduce(problem.mask, axis=-1).reshape(shape)
    groupings = [_grouping(term, points, long, problem.ndim) for term in terms]

    def known(slab: Slab) -> list[Any]:
        channels = [pane[slab.box] for pane in panes]
        for x in channels:
            np.copyto(x, np.nan, where=hidden[slab.box])
        return [grouping.partial(slab, channels) for grouping in groupings]

    partials = zip(*over_slabs(shape, max(points.lags), known), strict=True)
    index = np.unravel_index(np.concatenate([points.at, points.halo]), shape)
    pieces, found = [np.stack([pane[index] for pane in panes], axis=-1)], []
    for term, grouping, parts in zip(terms, groupings, partials, strict=True):
        sums, rest = grouping.combine(parts)
        found.append(OnPoints(term=term, grouping=grouping, first=sum(map(len, pieces))))
        pieces += [np.sqrt(sums), rest[np.newaxis]]
    whole = Sum(tuple(zip(coefficients, found, strict=True))) if isinstance(energy, Sum) else found[0]
    return whole, points, np.concatenate(pieces)


def _grouping(term: Differences, points: Points, long: list[int], ndim: int) -> Grouping:
    """The groups of a term's differences."""
    spacing = term.spacing_for(ndim + term.joint)
    factors = [spacing[axis] ** -2.0 for axis in long]
    return GROUPINGS[term.grouped_by](points, term.lags, factors, lambda sums: term.measure(sums)[0], term.joint)
