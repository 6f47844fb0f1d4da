"""What the closed forms share: one linear system for each mask, solved by multigrid or by a factorisation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np

from skinpaint.lazy import lazy
from skinpaint.methods.base import Method
from skinpaint.problem import Problem
from skinpaint.solution import Callback, ConvergenceWarning, Reason, Record, Solution, warn
from skinpaint.wording import is_number, require

if TYPE_CHECKING:
    from skinpaint.trust.field import Field
    from skinpaint.trust.noise import Smoothed

__all__ = ["ClosedForm", "Solved", "Solver"]

LEAST_KNOWN = 3  # values that noise is estimated from: two differ by noise or by detail
MOST_NOISE = 1e100  # ranges of the known values: squares of more could not be told from infinity

Solver = Literal["auto", "multigrid", "direct"]
Solved: TypeAlias = tuple[int, float, str]
"""Of one solve: the number of iterations, the accuracy, and what was used, "multigrid" or "direct"."""


class ClosedForm(Method):
    """A method that solves one linear system for each mask; the channels that share a mask share the system.

    A subclass says where it keeps the values, which solver is faster, and how each solver works.
    """

    solver: Solver
    tol: float
    robust: bool
    accuracy: ClassVar[str]
    """The field of the Solution that `tol` limits: "residual" or "error"."""
    accuracy_is: ClassVar[str]
    """The same in words, for the status, with ``{:.1g}`` for the figure."""

    @abstractmethod
    def begin(self, problem: Problem) -> Any:
        """An object with the values to be filled, in place (`values`), and each channel's energy (`energies()`).

        It lives as long as the solution, which asks for the energies when it is asked for them.
        """

    @abstractmethod
    def auto(self, image: Any, mask: np.ndarray, channels: int) -> Iterable[tuple[Sequence[str], np.ndarray]]:
        """Pairs of solvers and masks, which make up `mask`. The solvers are tried in order, until one reaches `tol`."""

    @abstractmethod
    def multigrid(self, image: Any, mask: np.ndarray, channels: list[int]) -> list[Solved]:
        """Fill `channels` by multigrid, or by factors in its place."""

    @abstractmethod
    def direct(self, image: Any, mask: np.ndarray, channels: list[int]) -> list[Solved]:
        """Fill `channels` by a factorisation."""

    def check_solver(self) -> None:
        """Check the settings that `solve` reads; called from a subclass's ``__post_init__``."""
        allowed = ("auto", "multigrid", "direct")
        require(self.solver in allowed, self, "solver", "'auto', 'multigrid' or 'direct'", self.solver)
        require(is_number(self.tol) and 0 < self.tol < 1, self, "tol", "a float in (0, 1)", self.tol)
        require(isinstance(self.robust, bool), self, "robust", "a bool", self.robust)
        if self.noise is not None:
            from skinpaint.trust.noise import as_array, check_noise

            either = "None, 'estimate', or standard deviations of at least 0, one of them finite"
            require(check_noise(self.noise), self, "noise", either, self.noise)
            if not isinstance(self.noise, str) and not is_number(self.noise):
                self._own("noise", as_array(self.noise))

    def solve(self, problem: Problem, callback: Callback | None = None) -> Solution:
        """Solve the system of each mask for all channels that have it."""
        if self.noisy:
            return self._smooth(problem, callback)
        began = perf_counter()
        image = self.begin(problem)
        results: list[Solved] = []
        for mask, channels in problem.groups():
            asked = [([self.solver], mask)]
            for solvers, part in self.auto(image, mask, len(channels)) if self.solver == "auto" else asked:
                results += self._first(solvers, image, part, channels)
        counts, accuracies, used = zip(*results, strict=True)
        n_iter, worst = max(counts), float(np.max(accuracies))  # what is no number stays none
        figures = _Figures(image.energies, problem.mask)
        record = Record(n_iter=n_iter, energy=figures.energy, seconds=perf_counter() - began)
        if callback is not None:
            callback(record, partial(problem.write_back, image.values))
        converged = worst <= self.tol
        status = self._status(converged, set(used), n_iter, worst)
        if not converged:
            warn(status, ConvergenceWarning)
        reached: dict[str, Any] = {self.accuracy: worst}
        return Solution(
            values=image.values,
            reason=Reason.CONVERGED if converged else Reason.MAX_ITER,
            status=status,
            n_iter=n_iter,
            history=(record,),
            energy=figures.energy,
            scale=figures.scale,
            **reached,
        )

    @property
    def noisy(self) -> bool:
        """Whether known pixels are measurements with noise."""
        return self.noise is not None and (isinstance(self.noise, str) or bool(np.any(np.asarray(self.noise) > 0)))

    def _smooth(self, problem: Problem, callback: Callback | None) -> Solution:
        """The posterior mean of each channel, whose known pixels are measurements."""
        from skinpaint.trust.noise import noise_of

        began = perf_counter()
        channels, axis = problem.shape[-1], problem.channel_axis
        given: list[Any] = [None] * channels
        if not isinstance(self.noise, str):
            noise = np.asarray(self.noise, dtype=float)
            _check_shape(noise, problem, self)
            given = noise_of(noise, problem.ndim, axis, channels) if noise.ndim else [noise] * channels
        values = np.array(problem.values, dtype=float)
        found = []
        for c, noise in enumerate(given):
            fill = self.field(problem.mask[..., c % problem.mask.shape[-1]], problem.spacing)
            relative = None if noise is None else noise / problem.scales[c]
            found.append(self._smooth_channel(values[..., c], fill, relative))
            values[..., c] = found[-1].values
        n_iter, worst = max(each.n_iter for each in found), max(each.accuracy for each in found)
        record = Record(n_iter=n_iter, seconds=perf_counter() - began)
        if callback is not None:
            callback(record, partial(problem.write_back, values, smoothed=True))
        levels = ", ".join(f"{each.noise * scale:.3g}" for each, scale in zip(found, problem.scales, strict=True))
        source = " (estimated)" if isinstance(self.noise, str) else ""
        converged = worst <= self.tol
        status = (
            f"Smoothed: known pixels are taken as measurements with a standard deviation of {levels}{source}, and have "
            f"changed. The {self.accuracy_is.format(worst)}."
        )
        if not converged:
            warn(f"{status} It is above tol {self.tol:g}. Raise tol.", ConvergenceWarning)
        reached: dict[str, Any] = {self.accuracy: worst}
        return Solution(
            values=values,
            reason=Reason.CONVERGED if converged else Reason.MAX_ITER,
            status=status,
            n_iter=n_iter,
            history=(record,),
            scale=np.array([each.scale for each in found]),
            noise=np.array([each.noise for each in found]),
            posterior=tuple(each.field for each in found),
            **reached,
        )

    def _smooth_channel(self, values: np.ndarray, fill: Field, noise: np.ndarray | None) -> Smoothed:
        """The posterior of one channel, computed in units of the range of what is known, whatever the bounds."""
        from skinpaint.trust.noise import smooth

        known = values[~fill.mask]
        if noise is None and known.size < LEAST_KNOWN:
            raise ValueError(
                f"The 'noise' parameter of {type(self).__name__} must be numbers where fewer than {LEAST_KNOWN} values "
                f"of a channel are known. Got 'estimate' instead, and {known.size} known."
            )
        most = 0.0 if noise is None else float(np.max(noise[np.isfinite(noise)]))
        low, width = known.min(), float(np.ptp(known)) or most  # 0 if no noise is seen, in any unit
        unit = width or 1.0
        if most > MOST_NOISE * unit:
            raise ValueError(
                f"The 'noise' parameter of {type(self).__name__} must be at most {MOST_NOISE:g} times the range of the "
                f"known values. Got {most / unit:g} times instead. In an array of noise, inf marks what was "
                "not measured."
            )
        relative = None if noise is None else noise / unit
        found = smooth((values - low) / unit, fill, relative, robust=self.robust, tol=self.tol)
        return replace(found, values=low + unit * found.values, scale=found.scale * width, noise=found.noise * width)

    def _first(self, solvers: Sequence[str], image: Any, mask: np.ndarray, channels: list[int]) -> list[Solved]:
        """Fill `channels` by the first of the solvers that reaches `tol`, or by the last."""
        for solver in solvers:
            solve = {"multigrid": self.multigrid, "direct": self.direct}[solver]
            results = solve(image, mask, channels)
            if np.max([accuracy for _, accuracy, _ in results]) <= self.tol:
                break
        return results

    def _status(self, converged: bool, used: set[str], n_iter: int, worst: float) -> str:
        """What happened and, if it failed, what to do."""
        accuracy = self.accuracy_is.format(worst)
        if converged and n_iter == 0:
            return f"The first guess was good enough. The {accuracy}."
        if converged:
            names = {"direct": "a factorisation", "multigrid": "multigrid"}
            return f"Solved by {' and by '.join(names[solver] for solver in sorted(used))}. The {accuracy}."
        other = "multigrid" in used or self.solver == "multigrid"
        way_out = f" or use {type(self).__name__}(solver='direct')" if other else ""
        spent = f" after {n_iter} cycles" if "multigrid" in used else ""
        return f"Not solved{spent}: the {accuracy}, above tol {self.tol:g}. Raise tol{way_out}."


@dataclass(frozen=True)
class _Figures:
    """What is known of an answer once the whole image was looked at, which takes a while: when it is asked for."""

    compute: Callable[[], np.ndarray]
    mask: np.ndarray

    @lazy
    def energies(self) -> np.ndarray:
        return self.compute()

    def energy(self) -> float:
        """The sum over the channels."""
        return float(self.energies.sum())

    def scale(self) -> np.ndarray:
        """The scale of each channel's field, by restricted maximum likelihood: constants are free."""
        mask = self.mask
        known = mask[..., 0].size - np.count_nonzero(mask, axis=tuple(range(mask.ndim - 1)))
        free = np.broadcast_to(known - 1, self.energies.shape)
        return np.sqrt(np.divide(self.energies, free, out=np.full(free.shape, np.inf), where=free > 0))


def _check_shape(noise: np.ndarray, problem: Problem, owner: object) -> None:
    """Refuse noise of another shape than that of the image, or of its space."""
    shapes = problem.array.shape, problem.shape[:-1]
    if noise.ndim and noise.shape not in shapes:
        raise ValueError(
            f"The 'noise' parameter of {type(owner).__name__} must be a number or have the image's shape "
            f"{' or '.join(map(str, dict.fromkeys(shapes)))}. Got {noise.shape} instead."
        )
