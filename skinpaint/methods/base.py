"""What a method is, and the only loop of the library."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import fields, is_dataclass
from functools import partial
from inspect import Signature, signature
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from skinpaint.containers import MAX_UNEVEN
from skinpaint.grid.axes import long_axes
from skinpaint.problem import Bounds, Problem
from skinpaint.solution import Callback, ConvergenceWarning, Reason, Record, Solution, warn
from skinpaint.wording import did_you_mean, is_int, is_number, require

if TYPE_CHECKING:
    from skinpaint.trust.field import Field

__all__ = ["CountedMethod", "IterativeMethod", "Method", "State", "differ"]


def differ(shape: tuple[int, ...], spacing: tuple[float, ...]) -> bool:
    """Whether the distances between neighbours differ between the axes, by more than files and rounding let them."""
    distances = [spacing[axis] for axis in long_axes(shape)]
    return max(distances) > (1 + MAX_UNEVEN) * min(distances)


class _Settings:
    """The signature of a class is that of its settings, which `__new__` would hide."""

    def __get__(self, instance: object, owner: type) -> Signature:
        found = signature(owner.__init__)  # type: ignore[misc]
        parameters = list(found.parameters.values())[1:]
        return found.replace(parameters=parameters, return_annotation=Signature.empty)


class Method(ABC):
    """One way of minimising one energy over the missing pixels.

    A subclass is a frozen keyword-only dataclass of settings, which checks them in ``__post_init__``.
    """

    default_bounds: ClassVar[Bounds] = None
    """Stands in for ``bounds=None`` of the Inpainter, where the method needs another box."""

    noise: Any = None
    """The noise of known pixels; None if they are exact, as for most methods."""

    sees_spacing: ClassVar[bool] = True
    """Whether distances that differ between the axes matter to the answer; if not, the status says so."""

    __signature__ = _Settings()

    def __new__(cls, *args: Any, **settings: Any) -> Method:
        """Refuse unknown settings by a sentence that names the known ones."""
        if is_dataclass(cls):
            known = [field.name for field in fields(cls) if field.init]
            for name in settings:
                if name not in known:
                    raise TypeError(
                        f"The settings of {cls.__name__} must be one of {', '.join(known)}. Got {name!r} instead."
                        f"{did_you_mean(name, known)}"
                    )
        return super().__new__(cls)

    def __eq__(self, other: object) -> bool:
        """Whether all settings are equal. A dataclass would ask an array whether it is true; so it has ``eq=False``."""
        if type(self) is not type(other):
            return NotImplemented
        return all(_equal(getattr(self, each.name), getattr(other, each.name)) for each in fields(self))  # type: ignore[arg-type]

    def __hash__(self) -> int:
        """Of the settings that have one, unlike arrays: methods that differ in the others alone have the same hash."""
        values = (getattr(self, each.name) for each in fields(self))  # type: ignore[arg-type]
        return hash((type(self), *(value for value in values if isinstance(value, Hashable))))

    def _own(self, name: str, array: np.ndarray) -> None:
        """Keep a read-only copy of an array as a setting: what was checked stays, whatever the user's array becomes."""
        copy = np.array(array)
        copy.flags.writeable = False
        object.__setattr__(self, name, copy)

    @abstractmethod
    def solve(self, problem: Problem, callback: Callback | None = None) -> Solution:
        """Find the missing values of `problem`; never touches the known ones."""

    def check_grid(self, shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
        """Refuse a spatial shape or a spacing that the method cannot work with; most can work with any.

        The loop of an :class:`IterativeMethod` asks, with the spacing as the user gave it. Others ask themselves.
        """
        return

    def unseen(self, shape: tuple[int, ...], spacing: tuple[float, ...]) -> str:
        """A sentence for the status where the spacing should matter and does not; otherwise nothing."""
        if self.sees_spacing or not differ(shape, spacing):
            return ""
        return (
            f"The spacing hardly counts for {type(self).__name__}, which compares pixels. "
            "It does for the methods 'laplace' and 'biharmonic'."
        )

    def field(self, mask: np.ndarray, spacing: tuple[float, ...]) -> Field:
        """The Gaussian field whose variances tell how sure a pixel is relative to others; the harmonic one."""
        from skinpaint.trust.field import Field

        return Field(mask, 1, spacing)


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
    tol: float | None = None  # None: take max_iter steps, as asked, and do not judge convergence
    measure: ClassVar[str] = "distance"  # what `State.distance` is, in words, for the status

    def prepare(self, problem: Problem) -> Any:
        """What the steps see in place of the problem, where that saves work. It has what they and the loop ask for."""
        return problem

    @abstractmethod
    def init(self, problem: Problem) -> Any:
        """State before the first step."""

    @abstractmethod
    def step(self, problem: Problem, state: Any) -> Any:
        """State after one more step."""

    @property
    def judged(self) -> bool:
        """Whether to stop without having converged deserves a warning."""
        return self.tol is not None

    def finished(self, state: Any) -> bool:
        """Whether the method's own stopping rule is met."""
        return self.tol is not None and state.distance <= self.tol

    def exhausted(self, state: Any) -> bool:
        """Whether further steps would change nothing, although `tol` is not met."""
        return False

    def explain(self, reason: Reason, state: Any, n_iter: int) -> str:
        """Say in one sentence why the loop stopped and, where it fell short, what to do."""
        reached = f"the {self.measure} is {state.distance:.2g}"
        if reason is Reason.CONVERGED:
            return f"Converged after {_count(n_iter)}: {reached}, within tol {self.tol:g}."
        if reason is Reason.EXHAUSTED:
            way_out = "" if self.tol is None else f", above tol {self.tol:g}. Raise tol"
            return f"Stopped after {_count(n_iter)}, as more would change nothing: {reached}{way_out}."
        if self.tol is None:
            return f"Stopped after {_count(n_iter)}, as asked (max_iter={n_iter}, tol=None)."
        return (
            f"Not converged after {_count(n_iter)} (max_iter): {reached}, above tol {self.tol:g}. "
            "Raise max_iter or tol."
        )

    def check_loop(self) -> None:
        """Check the settings that the loop reads; called from a subclass's ``__post_init__``."""
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name, None)  # a subclass may set some later
            if isinstance(value, np.integer):  # whose sums and products may overflow
                object.__setattr__(self, field.name, int(value))
        require(is_int(self.max_iter) and self.max_iter >= 1, self, "max_iter", "an int of at least 1", self.max_iter)
        valid = is_number(self.tol) and 0 < self.tol < 1
        require(self.tol is None or valid, self, "tol", "a float in (0, 1) or None", self.tol)

    def solve(self, problem: Problem, callback: Callback | None = None) -> Solution:
        """Step until the stopping rule is met, `max_iter` is reached, the callback returns True, or Ctrl-C."""
        began = perf_counter()
        self.check_grid(problem.shape[:-1], tuple(h * problem.unit for h in problem.spacing))
        problem = self.prepare(problem)
        state: State = self.init(problem)
        history: list[Record] = []
        reason = None
        try:
            while reason is None:
                state = self.step(problem, state)
                record = Record(
                    n_iter=len(history) + 1,
                    energy=state.energy,
                    gap=state.gap,
                    change=state.change,
                    seconds=perf_counter() - began,
                )
                history.append(record)
                stop = callback is not None and callback(record, partial(problem.write_back, state.values))
                reason = self._reason_to_stop(state, record.n_iter, stop)
        except KeyboardInterrupt:
            reason = Reason.INTERRUPTED
        return Solution(
            values=problem.answer(state.values),
            reason=reason,
            status=f"{self._status(reason, state, len(history))} {state.note}".strip(),
            n_iter=len(history),
            history=tuple(history),
            energy=state.energy,
            gap=state.gap,
        )

    def _reason_to_stop(self, state: State, n_iter: int, stop: object) -> Reason | None:
        if self.finished(state):
            return Reason.CONVERGED
        if isinstance(stop, bool | np.bool_) and stop:
            return Reason.STOPPED_BY_CALLBACK
        if self.exhausted(state):
            return Reason.EXHAUSTED
        return Reason.MAX_ITER if n_iter >= self.max_iter else None

    def _status(self, reason: Reason, state: State, n_iter: int) -> str:
        """Why it stopped; warns where the tolerance was not met."""
        if reason is Reason.INTERRUPTED:
            return f"Interrupted after {_count(n_iter)}: this is the answer so far."
        if reason is Reason.STOPPED_BY_CALLBACK:
            return f"Stopped by the callback after {_count(n_iter)}."
        status = self.explain(reason, state, n_iter)
        if self.judged and not reason.success:
            warn(status, ConvergenceWarning)
        return status


class CountedMethod(IterativeMethod):
    """An iterative method that knows how many steps it takes. Its state counts them in `k`, and ends at `steps`."""

    @property
    def judged(self) -> bool:
        """All steps must be done."""
        return True

    def finished(self, state: Any) -> bool:
        """Whether all steps are done."""
        return bool(state.k >= state.steps)


def _equal(value: Any, other: Any) -> bool:
    """Whether two settings are equal, arrays and dicts of arrays among them."""
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(_equal(value[name], other[name]) for name in value)
    return np.array_equal(value, other)


def _count(n_iter: int) -> str:
    return f"{n_iter} iteration{'' if n_iter == 1 else 's'}"
