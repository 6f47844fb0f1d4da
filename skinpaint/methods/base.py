"""What a method is, and the only loop of the library."""

from __future__ import annotations

import sys
import warnings
from abc import ABC, abstractmethod
from functools import partial
from time import perf_counter
from typing import Any, ClassVar, Protocol

import numpy as np

from skinpaint.problem import Bounds, Problem
from skinpaint.solution import Callback, ConvergenceWarning, Record, Solution

__all__ = ["IterativeMethod", "Method", "State", "require", "warn"]


def require(valid: object, owner: object, parameter: str, allowed: str, got: object) -> None:
    """Raise the library's one sentence about a bad setting unless `valid`."""
    if not valid:
        name = owner if isinstance(owner, str) else type(owner).__name__
        raise ValueError(f"The {parameter!r} parameter of {name} must be {allowed}. Got {got!r} instead.")


def warn(status: str) -> None:
    """Warn that a method did not converge, at the line of the user's code that called the library."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("skinpaint."):
        frame, level = frame.f_back, level + 1
    warnings.warn(status, ConvergenceWarning, stacklevel=level - 1)


class Method(ABC):
    """One way of minimising one energy over the missing pixels.

    A subclass is a frozen keyword-only dataclass of settings, which checks them in ``__post_init__``.
    """

    default_bounds: ClassVar[Bounds] = None
    """Stands in for ``bounds=None`` of the Inpainter, where the method needs another box."""

    @abstractmethod
    def solve(self, problem: Problem, callback: Callback | None = None) -> Solution:
        """Find the missing values of `problem`; never touches the known ones."""


class State(Protocol):
    """What an iterative method carries from step to step; a new one each step, never changed in place."""

    values: np.ndarray
    energy: float | None
    gap: float | None
    change: float  # largest change of any value in the last step
    distance: float  # what is compared with tol
    note: str  # a sentence for the status, or nothing


class IterativeMethod(Method):
    """A method made of steps: a subclass says how to begin and how to take one step.

    The loop, the stopping rule, the history, the callback and Ctrl-C live here and nowhere else.
    """

    max_iter: int
    tol: float | None  # None: take max_iter steps, as asked, and do not judge convergence
    measure: ClassVar[str] = "distance"  # what `State.distance` is, in words, for the status

    @abstractmethod
    def init(self, problem: Problem) -> Any:
        """State before the first step."""

    @abstractmethod
    def step(self, problem: Problem, state: Any) -> Any:
        """State after one more step."""

    def exhausted(self, state: Any) -> bool:
        """Whether further steps would change nothing, although `tol` is not met."""
        return False

    def check_loop(self) -> None:
        """Check the settings that the loop reads; called from a subclass's ``__post_init__``."""
        valid = isinstance(self.max_iter, int | np.integer) and not isinstance(self.max_iter, bool)
        require(valid and self.max_iter >= 1, self, "max_iter", "an int >= 1", self.max_iter)
        valid = isinstance(self.tol, float) and 0 < self.tol < 1
        require(self.tol is None or valid, self, "tol", "a float in (0, 1) or None", self.tol)

    def solve(self, problem: Problem, callback: Callback | None = None) -> Solution:
        """Step until `tol` is met, `max_iter` is reached, the callback returns True, or Ctrl-C."""
        began = perf_counter()
        state: State = self.init(problem)
        history: list[Record] = []
        converged, status = False, ""
        try:
            while not status:
                state = self.step(problem, state)
                record = Record(
                    n_iter=len(history) + 1,
                    energy=state.energy,
                    gap=state.gap,
                    change=state.change,
                    seconds=perf_counter() - began,
                )
                history.append(record)
                stop = callback is not None and callback(record, partial(problem.restore, state.values))
                converged = self.tol is not None and state.distance <= self.tol
                status = self._status(state, record.n_iter, converged, stop)
        except KeyboardInterrupt:
            status = f"Interrupted after {len(history)} iterations: this is the answer so far."
        return Solution(
            values=state.values,
            converged=converged,
            status=f"{status} {state.note}".strip(),
            n_iter=len(history),
            history=tuple(history),
            energy=state.energy,
            gap=state.gap,
        )

    def _status(self, state: State, n_iter: int, converged: bool, stop: object) -> str:
        """Why to stop now, or nothing; warns where the tolerance was not met."""
        if converged:
            return f"Converged after {n_iter} iterations: {self.measure} {state.distance:.2g} <= tol {self.tol:g}."
        if isinstance(stop, bool | np.bool_) and stop:
            return f"Stopped by the callback after {n_iter} iterations."
        if self.exhausted(state):
            status = (
                f"Stopped after {n_iter} iterations, as more would change nothing: {self.measure} {state.distance:.2g}."
            )
            if self.tol is not None:
                warn(f"{status[:-1]} > tol {self.tol:g}. Raise tol.")
            return status
        if n_iter < self.max_iter:
            return ""
        if self.tol is None:
            return f"Stopped after max_iter = {n_iter} iterations, as asked (tol=None)."
        status = (
            f"Not converged after max_iter = {n_iter} iterations: {self.measure} {state.distance:.2g} "
            f"> tol {self.tol:g}. Raise max_iter or tol."
        )
        warn(status)
        return status
