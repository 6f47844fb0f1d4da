"""What the closed forms share: one linear system for each mask, solved by multigrid or by a factorisation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import Any, ClassVar, Literal

import numpy as np

from skinpaint.methods.base import Method, require
from skinpaint.problem import Problem
from skinpaint.solution import Callback, ConvergenceWarning, Reason, Record, Solution, warn

__all__ = ["ClosedForm", "Solver"]

Solver = Literal["auto", "multigrid", "direct"]


class ClosedForm(Method):
    """A method that solves one linear system for each mask; the channels that share a mask share the system.

    A subclass says where it keeps the values, which solver is faster, and how each solver works.
    """

    solver: Solver
    tol: float
    accuracy: ClassVar[str]
    """The field of the Solution that `tol` limits: "residual" or "error"."""
    accuracy_is: ClassVar[str]
    """The same in words, for the status, with ``{:.1g}`` for the figure."""

    @abstractmethod
    def begin(self, problem: Problem) -> Any:
        """An object with the values to be filled, in place (`values`), and each channel's energy (`energies()`)."""

    @abstractmethod
    def auto(self, mask: np.ndarray, channels: int) -> list[str]:
        """The solvers to try for a mask, in this order: the next one if one misses `tol`."""

    @abstractmethod
    def multigrid(self, image: Any, mask: np.ndarray, channels: list[int]) -> Sequence[tuple[int, float | None]]:
        """Fill `channels` by multigrid; the number of cycles and the accuracy of each solve."""

    @abstractmethod
    def direct(self, image: Any, mask: np.ndarray, channels: list[int]) -> Sequence[tuple[int, float | None]]:
        """Fill `channels` by a factorisation; 1 and the accuracy of each solve, or None if it is not measured."""

    def check_solver(self) -> None:
        """Check the settings that `solve` reads; called from a subclass's ``__post_init__``."""
        allowed = ("auto", "multigrid", "direct")
        require(self.solver in allowed, self, "solver", "'auto', 'multigrid' or 'direct'", self.solver)
        require(isinstance(self.tol, float) and 0 < self.tol < 1, self, "tol", "a float in (0, 1)", self.tol)

    def solve(self, problem: Problem, callback: Callback | None = None) -> Solution:
        """Solve the system of each mask for all channels that have it."""
        began = perf_counter()
        image = self.begin(problem)
        used: set[str] = set()
        counts: list[int] = []
        found: list[float] = []
        for mask, channels in problem.groups():
            for solver in self.auto(mask, len(channels)) if self.solver == "auto" else [self.solver]:
                solve = {"multigrid": self.multigrid, "direct": self.direct}[solver]
                results = solve(image, mask, channels)
                measured = [accuracy for _, accuracy in results if accuracy is not None]
                if max(measured, default=0.0) <= self.tol:
                    break
            used.add(solver)
            counts += [n_iter for n_iter, _ in results]
            found += measured
        energies = image.energies()
        n_iter, energy, worst = max(counts), float(energies.sum()), max(found, default=None)
        record = Record(n_iter=n_iter, energy=energy, seconds=perf_counter() - began)
        if callback is not None:
            callback(record, partial(problem.write_back, image.values))
        converged = worst is None or worst <= self.tol
        status = self._status(converged, used, n_iter, worst)
        if not converged:
            warn(status, ConvergenceWarning)
        return Solution(
            values=image.values,
            reason=Reason.CONVERGED if converged else Reason.MAX_ITER,
            status=status,
            n_iter=n_iter,
            history=(record,),
            energy=energy,
            scale=_scale(energies, problem.mask),
            **{self.accuracy: worst},
        )

    def _status(self, converged: bool, used: set[str], n_iter: int, worst: float | None) -> str:
        """What happened and, if it failed, what to do."""
        accuracy = "" if worst is None else self.accuracy_is.format(worst)
        if converged:
            names = {"direct": "a factorisation", "multigrid": "multigrid"}
            status = f"Solved by {' and by '.join(names[solver] for solver in sorted(used))}."
            return f"{status} The {accuracy}." if accuracy else status
        way_out = f" or use {type(self).__name__}(solver='direct')" if "multigrid" in used else ""
        spent = f" after {n_iter} cycles" if "multigrid" in used else ""
        return f"Not solved{spent}: the {accuracy}, above tol {self.tol:g}. Raise tol{way_out}."


def _scale(energies: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The scale of each channel's field, by restricted maximum likelihood: constants are free."""
    known = mask[..., 0].size - np.count_nonzero(mask, axis=tuple(range(mask.ndim - 1)))
    free = np.broadcast_to(known - 1, energies.shape)
    return np.sqrt(np.divide(energies, free, out=np.full(energies.shape, np.inf), where=free > 0))
