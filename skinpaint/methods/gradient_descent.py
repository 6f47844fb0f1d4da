"""Projected gradient descent: autograd differentiates the energy, known pixels never move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation, generate_binary_structure

from skinpaint import energies
from skinpaint.energies import ENERGIES
from skinpaint.energies.majorizer import Majorizer, relative_gap
from skinpaint.energies.objective import Objective
from skinpaint.grid import check_lags
from skinpaint.grid.harmonic.fill import fill
from skinpaint.methods.base import IterativeMethod, require
from skinpaint.problem import Bounds, Problem

__all__ = ["GradientDescent"]


def article_step(k: int) -> float:
    """Step length of the article's descent: large at first, then constant."""
    return max(1.5 / (k + 1), 0.015)


@dataclass(frozen=True, kw_only=True)
class GradientDescent(IterativeMethod):
    r"""Minimise an energy over the missing pixels by projected gradient descent, and prove how far the minimum is.

    Each step walks down the gradient that autograd computes, leaves the known pixels alone and projects
    onto the allowed range. The default is accelerated: momentum, a step length found by backtracking, and
    a restart whenever momentum points uphill; its energy never rises.

    For energies made of norms and squares of first differences steps are measured in the metric of the quadratic that
    touches the energy from above: the gradient :math:`g` becomes :math:`L_w^{-1} g`, by one cycle of multigrid, with
    the Laplacian :math:`L_w` whose edges weigh one over the norm they are in. That takes ten steps instead of hundreds,
    and the same quadratic proves a lower bound of the energy, by duality. For other energies that are convex the bound
    is what the gradient leaves possible in the box, which is looser.

    Parameters
    ----------
    energy : {"lines", "dirichlet", "total_variation", "bending"} or callable
        What is minimised: a name, a sum of multiples of :mod:`skinpaint.energies` such as ``2 * lines + dirichlet``, or
        a callable ``f(x) -> float`` of your own, written in ``autograd.numpy``, that gets one channel as floats in
        [0, 1]; channels are summed. The accelerated descent rounds the norms of "lines" off below 1e-4, as a
        gradient is needed there too; only lines that are all but flat notice.
    lags : (1,) or (1, 2), optional
        Distances between compared pixels, for the energies given by name except "bending". By default (1, 2) for
        "lines", (1,) for the others.
    convex : bool
        Your energy is convex, so the descent can prove how near the minimum is. Those of :mod:`skinpaint.energies`
        know it of themselves.
    step_size : "accelerated", float or callable
        "accelerated", or a constant step length, or its length as a function of the iteration
        ``k = 0, 1, ...``; a constant or a function makes plain steps, without momentum, metric, search or proof.
    start : {"fill", "damaged"}
        Start from the harmonic fill, or from the values that the image holds under the mask.
    max_iter : int
        Largest number of steps.
    tol : float in (0, 1) or None
        Stop when the energy is proven to be within this of the minimum, relative to it. Where nothing can be proven, as
        for an energy that is not known to be convex: when the projected gradient on the missing pixels is this small
        next to the gradient on them and the known pixels around them. None takes `max_iter` steps.
    joint_channels : bool
        Give the energy all channels at once, on the last axis, instead of one after another.

    References
    ----------
    A. Beck and M. Teboulle, "Fast gradient-based algorithms for constrained total variation image denoising
    and deblurring problems", IEEE Trans. Image Process. 18 (2009). :doi:`10.1109/TIP.2009.2028250`

    B. O'Donoghue and E. Candès, "Adaptive restart for accelerated gradient schemes", Found. Comput. Math.
    15 (2015). :doi:`10.1007/s10208-013-9150-3`

    Big Primes, "Gradient descent in action" (the energy "lines" and :meth:`classic`).

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint import inpaint
    >>> ramp = np.array([0.0, np.nan, np.nan, 3.0])
    >>> inpaint(ramp, method=GradientDescent(energy="dirichlet", tol=1e-9)).round(6)
    array([0., 1., 2., 3.])
    """

    energy: str | Callable[[Any], Any] = "lines"
    lags: tuple[int, ...] | None = None
    convex: bool = False
    step_size: str | float | Callable[[int], float] = "accelerated"
    start: str = "fill"
    max_iter: int = 2000
    tol: float | None = 1e-3
    joint_channels: bool = False

    def __post_init__(self) -> None:
        self.check_loop()
        known = isinstance(self.energy, str) and self.energy in ENERGIES
        require(known or callable(self.energy), self, "energy", f"one of {list(ENERGIES)} or callable", self.energy)
        if self.lags is not None:
            check_lags(self.lags, "GradientDescent")
            takes = known and hasattr(ENERGIES[self.energy], "lags")  # type: ignore[index]
            require(takes, self, "lags", "None when the energy is a callable or 'bending'", self.lags)
        if not callable(self.step_size) and self.step_size != "accelerated":
            number = isinstance(self.step_size, int | float) and not isinstance(self.step_size, bool)
            allowed = "'accelerated', a positive number or a callable k -> step"
            require(number and 0 < self.step_size < np.inf, self, "step_size", allowed, self.step_size)  # type: ignore[operator]
        require(self.start in ("fill", "damaged"), self, "start", "'fill' or 'damaged'", self.start)
        require(isinstance(self.convex, bool), self, "convex", "a bool", self.convex)
        require(isinstance(self.joint_channels, bool), self, "joint_channels", "a bool", self.joint_channels)

    @classmethod
    def classic(cls) -> GradientDescent:
        """The article's descent to the letter.

        500 steps of length ``max(1.5 / (k + 1), 0.015)`` from the damaged values, in the dtype's range.
        It stops because the article does, a little above the minimum: ``converged`` is False.

        Examples
        --------
        >>> GradientDescent.classic().max_iter
        500
        """
        return cls(step_size=article_step, start="damaged", max_iter=500, tol=None)

    @property
    def default_bounds(self) -> Bounds:  # type: ignore[override]
        """The damage reaches to the ends of the dtype, so a start from it needs that box."""
        return "dtype" if self.start == "damaged" else None

    @property
    def proves(self) -> bool:
        """Whether a lower bound of the energy is known."""
        energy = ENERGIES[self.energy] if isinstance(self.energy, str) else self.energy
        return self.step_size == "accelerated" and (self.convex or getattr(energy, "convex", None) is True)

    @property
    def measure(self) -> str:  # type: ignore[override]
        """What is compared with `tol`."""
        return "proven gap" if self.proves else "relative projected gradient"

    def init(self, problem: Problem) -> Descent:
        """Start from the fill or from the damage."""
        damaged = self.start == "damaged"
        x = problem.clip(problem.damaged if damaged else fill(problem.values, problem.mask, problem.spacing))
        exact = self._energy(problem)
        objective = Objective(exact, joint=self.joint_channels)
        energy = objective.value(x)  # refuses a bad energy in its own words, before autograd meets it
        touched = self.proves and Majorizer.exists_for(exact)
        smooth = energies.rounded(exact, ROUND_OFF) if touched else exact
        descended = objective if smooth == exact else Objective(smooth, joint=self.joint_channels)
        level, gradient = descended.value_and_gradient(x)
        state = Descent(
            values=x,
            ahead=x,
            objective=descended,
            exact=objective,
            around=None if self.proves else _around(problem),
            energy=energy,
            level=level,
            gradient=gradient,
        )
        return self._touch(problem, state) if touched else state

    def step(self, problem: Problem, state: Descent) -> Descent:
        """One accelerated or one plain projected step."""
        advance = self._accelerated if self.step_size == "accelerated" else self._plain
        return advance(problem, state)

    def exhausted(self, state: Descent) -> bool:
        """Steps that the energy cannot be seen to fall by, in the metric."""
        return state.majorizer is not None and state.decrement < NOISE

    def _energy(self, problem: Problem) -> Callable[[Any], Any]:
        if isinstance(self.energy, str):
            energy: Any = ENERGIES[self.energy]
            if self.lags is not None:
                energy = replace(energy, lags=self.lags)
            if self.energy == "total_variation":
                energy = replace(energy, joint=self.joint_channels)
            return energies.on_grid(energy, problem.spacing)
        if isinstance(self.energy, energies.Energy) and self.energy.convex:
            return energies.on_grid(self.energy, problem.spacing)
        if any(h != 1 for h in problem.spacing):
            raise ValueError(
                f"The 'spacing' parameter of Inpainter must be None with an energy of your own, which "
                f"does not see it. Got {problem.spacing} instead. Put the spacing into the energy."
            )
        return self.energy

    def _plain(self, problem: Problem, state: Descent) -> Descent:
        """``x <- P(x - s_k g)`` with the step length as given."""
        x, objective = state.values, state.objective
        s = self.step_size(state.k) if callable(self.step_size) else self.step_size
        new = problem.clip(x - s * state.gradient)
        energy, gradient = objective.value_and_gradient(new)
        return replace(
            state,
            values=new,
            energy=energy,
            level=energy,
            gradient=gradient,
            change=float(np.abs(new - x).max()),
            distance=_stationarity(problem, new, gradient, state.around),
            k=state.k + 1,
            note=objective.note,
        )

    def _accelerated(self, problem: Problem, state: Descent) -> Descent:
        """FISTA on the box: a step from the point ahead, backtracked, and a restart where it leads uphill."""
        x, y, t, s, objective = state.values, state.ahead, state.momentum, state.length, state.objective
        energy, gradient = objective.value_and_gradient(y)
        slope = np.where(problem.mask, gradient, 0.0)
        direction = state.majorizer.precondition(slope) if state.majorizer else slope
        while True:
            z = problem.clip(y - s * direction)
            d = z - y
            fall = -_dot(slope, d)
            model = fall / 2 if state.majorizer else _dot(d, d) / (2 * s)  # half the square of d, in the metric
            noise = NOISE * abs(energy)
            reached = objective.value(z)
            if reached <= energy - fall + model + noise or s < SHORTEST:
                break
            s /= 2
        state = replace(
            state,
            length=s * GROWTH if model > 100 * noise else s,
            decrement=_ratio(_dot(slope, direction) / 2, abs(energy)),
            k=state.k + 1,
            note=objective.note,
        )
        if reached > state.level + noise:  # uphill: keep x, forget the momentum
            state = replace(state, ahead=x, momentum=1.0, change=0.0)
        else:
            turned = _dot(slope, z - x) > 0
            t_next = 1.0 if turned else (1 + sqrt(1 + 4 * t * t)) / 2
            ahead = z if turned else problem.clip(z + (t - 1) / t_next * (z - x))
            change = float(np.abs(z - x).max())
            exact = reached if state.exact is objective else state.exact.value(z)
            state = replace(state, values=z, ahead=ahead, momentum=t_next, energy=exact, level=reached, change=change)
        if state.majorizer:
            return self._touch(problem, state) if state.decrement <= max(state.due, NOISE) else state
        if self.proves:
            room = np.where(problem.mask, np.maximum(gradient * (y - problem.low), gradient * (y - problem.high)), 0.0)
            bound = max(state.bound, energy - float(room.sum()))
            gap = relative_gap(state.energy, bound)
            return replace(state, bound=bound, gap=gap, distance=gap)
        return replace(state, distance=_ratio(_norm(d) / s, _norm(gradient[state.around])))

    def _touch(self, problem: Problem, state: Descent) -> Descent:
        """Lay a new majorizer at the values: its minimum proves a bound, and is where the descent goes on."""
        majorizer = Majorizer(state.objective.energy, state.values, problem.mask)
        reduction = REDUCTION if state.decrement > NOISE else 0.0  # the last one is as good as can be
        least = problem.clip(majorizer.minimise(state.values, tol=FINEST, reduction=reduction))
        bound = max(state.bound, 0.0, majorizer.bound(least, problem.low, problem.high))
        level = state.objective.value(least)
        x, level = (least, level) if level < state.level else (state.values, state.level)
        energy = state.exact.value(x)
        gap = relative_gap(energy, bound)
        needed = 0.2 * (self.tol / gap) ** 2 if self.tol and gap > 0 else 0.0  # gaps are the roots of decrements
        return replace(
            state,
            values=x,
            ahead=x,
            momentum=1.0,
            energy=energy,
            level=level,
            majorizer=majorizer,
            bound=bound,
            gap=gap,
            distance=gap,
            due=min(state.decrement, 0.1) * min(max(needed, SELDOM), OFTEN),
        )


@dataclass(frozen=True, kw_only=True)
class Descent:
    """Where the descent stands."""

    values: np.ndarray
    ahead: np.ndarray  # the extrapolated point that the next gradient is taken at
    objective: Objective  # with norms rounded off
    exact: Objective
    around: np.ndarray | None  # what a small gradient is measured by, where no gap is: missing pixels and neighbours
    energy: float  # the exact one
    level: float  # the energy that is descended, with norms rounded off
    gradient: np.ndarray  # at the values, where they are what the next step starts from
    majorizer: Majorizer | None = None  # whose matrix is the metric; without one it is the identity
    bound: float = -np.inf  # the best one proven so far
    gap: float | None = None
    change: float = 0.0
    distance: float = np.inf
    decrement: float = np.inf  # how far the metric believes the minimum to be, relative to the energy
    due: float = 0.0  # the decrement at which the majorizer is laid anew
    momentum: float = 1.0
    length: float = 1.0  # of the last accepted step
    k: int = 0
    note: str = ""


ROUND_OFF = 1e-4  # norms below this, of lines with values in [0, 1], become parabolas
NOISE = 1e-14  # relative noise of an energy that is summed in float64
SHORTEST = 1e-300
GROWTH = 1.1
FINEST, REDUCTION = 1e-13, 0.03  # of the residuals of the majorizer's minimum
SELDOM, OFTEN = 1e-3, 0.1  # how far the decrement falls until the next majorizer, at most and at least


def _around(problem: Problem) -> np.ndarray:
    """The missing pixels and their known neighbours up to a distance of 2, along the axes."""
    cross = generate_binary_structure(problem.ndim, 1)[..., None]
    return np.broadcast_to(binary_dilation(problem.mask, cross, iterations=2), problem.values.shape)


def _stationarity(problem: Problem, x: np.ndarray, gradient: np.ndarray, around: Any) -> float:
    """Norm of the projected gradient at `x` next to that of the gradient around."""
    blocked = ((x <= problem.low) & (gradient > 0)) | ((x >= problem.high) & (gradient < 0))
    free = np.where(problem.mask & ~blocked, gradient, 0.0)
    return _ratio(_norm(free), _norm(gradient[around]))


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    """Inner product, by one thread: those of a BLAS would be woken at each of them."""
    return float(np.einsum("i,i->", a.reshape(-1), b.reshape(-1)))


def _norm(a: np.ndarray) -> float:
    return sqrt(_dot(a, a))


def _ratio(part: Any, whole: Any) -> float:
    return float(part / whole) if whole > 0 else 0.0
