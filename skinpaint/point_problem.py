"""A problem of which little is missing, as a vector: the missing pixels, and what an energy needs of the rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from skinpaint.energies.base import Energy
from skinpaint.energies.points import on_points
from skinpaint.problem import Problem
from skinpaint.solution import Filling

__all__ = ["PointProblem"]


class PointProblem:
    """What an iterative method sees in place of a `Problem`: its values form a vector for each channel.

    Parameters
    ----------
    problem : Problem
        The problem of the image.
    energy : Energy
        What is minimised, made of norms and squares of first differences.

    Attributes
    ----------
    problem : Problem
        That of the image.
    energy : Energy
        The same energy as a function of the vector.
    values : ndarray of shape (P, C)
        The vector of each channel. It begins with the missing pixels.
    mask : ndarray of bool, shape (P, C) or (P, 1)
        Which entries are missing.
    low, high : ndarray of shape (C,)
        The bounds of each channel.

    Examples
    --------
    >>> from skinpaint.energies import dirichlet
    >>> problem = PointProblem(Problem.from_image(np.array([0.0, 1.0, np.nan, 3.0])), dirichlet)
    >>> problem.values[:3, 0].round(3), round(problem.energy(problem.values[:, 0]), 3)
    (array([0.5  , 1.   , 0.333]), 0.389)
    >>> problem.write_back(problem.fill())
    array([0., 1., 2., 3.])
    """

    ndim = 1

    def __init__(self, problem: Problem, energy: Energy) -> None:
        self.problem = problem
        self.energy, self.points, self.values = on_points(energy, problem)
        self.low, self.high = problem.low, problem.high
        self.mask = np.zeros((len(self.values), problem.mask.shape[-1]), bool)
        self.mask[: self.points.unknowns] = problem.mask.reshape(-1, problem.mask.shape[-1])[self.points.at]

    def fill(self) -> np.ndarray:
        """The harmonic fill."""
        found = self.problem.harmonic()
        values = self.values.copy()
        values[: self.points.unknowns] = found.values[self.points.order]
        return values

    def clip(self, values: np.ndarray) -> np.ndarray:
        """Project `values` onto the bounds and the known values."""
        clipped, n = self.values.copy(), self.points.unknowns
        np.copyto(clipped[:n], np.clip(values[:n], self.low, self.high), where=self.mask[:n])
        return clipped

    def answer(self, values: np.ndarray) -> Filling:
        """What a `Solution` holds for `values` of this problem."""
        return self.problem.filling(self.points.at, values[: self.points.unknowns])

    def write_back(self, values: np.ndarray) -> Any:
        """The picture; see `Problem.write_back`."""
        return self.problem.write_back(self.answer(values))
