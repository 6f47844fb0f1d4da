"""What the closed forms share: one linear system for each mask, solved by multigrid or by a factorisation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
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
        """An object with the values to be filled, in place (`values`), and their energy (`energy()`)."""

    @abstractmethod
    def auto(self, image: Any, mask: np.ndarray, channels: int) -> Iterable[tuple[Sequence[str], np.ndarray]]:
        """Pairs of solvers and masks, which make up `mask`. The solvers are tried in order, until one reaches `tol`."""

    @abstractmethod
    def multigrid(self, image: Any, mask: np.ndarray, channels: list[int]) -> list[tuple[int, float]]:
        """Fill `channels` by multigrid; the number of cycles and the accuracy of each solve."""

    @abstractmethod
    def direct(self, image: Any, mask: np.ndarray, channels: list[int]) -> list[tuple[int, float]]:
        """Fill `channels` by a factorisation; the number of steps and the accuracy of each solve."""

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
        results: list[tuple[int, float]] = []
        for mask, channels in problem.groups():
            asked = [([self.solver], mask)]
            for solvers, part in self.auto(image, mask, len(channels)) if self.solver == "auto" else asked:
                solver, found = self._first(solvers, image, part, channels)
                used.add(solver)
                results += found
        n_iter, worst = np.max(results, axis=0).tolist()
        n_iter, energy = int(n_iter), image.energy()
        record = Record(n_iter=n_iter, energy=energy, seconds=perf_counter() - began)
        if callback is not None:
            callback(record, partial(problem.write_back, image.values))
        converged = worst <= self.tol
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
            **{self.accuracy: worst},
        )

    def _first(
        self, solvers: Sequence[str], image: Any, mask: np.ndarray, channels: list[int]
    ) -> tuple[str, list[tuple[int, float]]]:
        """Fill `channels` by the first of the solvers that reaches `tol`, or by the last; its name and its results."""
        for solver in solvers:
            solve = {"multigrid": self.multigrid, "direct": self.direct}[solver]
            results = solve(image, mask, channels)
            if np.max(results, axis=0)[1] <= self.tol:
                break
        return solver, results

    def _status(self, converged: bool, used: set[str], n_iter: int, worst: float) -> str:
        """What happened and, if it failed, what to do."""
        accuracy = self.accuracy_is.format(worst)
        if converged:
            names = {"direct": "a factorisation", "multigrid": "multigrid"}
            return f"Solved by {' and by '.join(names[solver] for solver in sorted(used))}. The {accuracy}."
        way_out = f" or use {type(self).__name__}(solver='direct')" if "multigrid" in used else ""
        spent = f" after {n_iter} cycles" if "multigrid" in used else ""
        return f"Not solved{spent}: the {accuracy}, above tol {self.tol:g}. Raise tol{way_out}."
