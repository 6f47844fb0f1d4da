"""Projected gradient descent: autograd differentiates the energy, known pixels never move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import sqrt
from typing import Any, Literal, cast

import numpy as np
from scipy.ndimage import binary_dilation, generate_binary_structure

from skinpaint import energies
from skinpaint.energies import ENERGIES
from skinpaint.energies.base import Differences
from skinpaint.energies.majorizer import Majorizer, relative_gap
from skinpaint.energies.objective import Objective
from skinpaint.grid import check_lags
from skinpaint.methods.base import IterativeMethod
from skinpaint.point_problem import PointProblem
from skinpaint.problem import Bounds, Problem
from skinpaint.solution import Reason
from skinpaint.wording import is_number, require

__all__ = ["GradientDescent"]

Posed = Problem | PointProblem

MAX_STEPS = 10  # with one majorizer: where norms vanish it soon says little about the energy
NORM_ROUNDING = 1e-4  # norms below this become parabolas, for values in [0, 1]
NOISE = 1e-14  # relative rounding error of an energy that is summed in double precision
NOTHING_AROUND = 1e-6  # of the steepest gradient in the image: less around a hole, as in a ramp, is no measure
SHORTEST_STEP, LONGEST_STEP = 1e-300, 1e300
STEP_GROWTH = 1.1  # of an accepted step length
RESIDUAL_TOL, RESIDUAL_REDUCTION = 1e-13, 0.03  # to which the majorizer's linear system is solved
WIDE = 2.0  # times what is known, at least: such bounds are named where too little is proven
MIN_REFRESH_RATIO, MAX_REFRESH_RATIO = 1e-3, 0.1  # the majorizer is built again when the decrement has fallen so far


def article_step(k: int) -> float:
    """Step length of the article's descent: large at first, then constant."""
    return max(1.5 / (k + 1), 0.015)


@dataclass(frozen=True, kw_only=True)
class GradientDescent(IterativeMethod):
    r"""Minimise an energy over the missing pixels by projected gradient descent, and prove how near the minimum is.

    Each step follows the gradient that autograd computes, leaves the known pixels alone, and projects onto the bounds.
    By default the descent is accelerated: it has momentum, finds its step length by backtracking, and restarts when the
    momentum points uphill. What it descends never rises, up to rounding errors: the energy, with its norms smoothed as
    said at `energy`.

    For energies made of norms and squares of first differences, the descent is preconditioned by multigrid. A quadratic
    touches such an energy from above; its matrix is the Laplacian :math:`L_w` whose edges weigh one over the norm that
    they belong to. A step goes along :math:`L_w^{-1} g` instead of the gradient :math:`g`, computed approximately by
    one multigrid cycle. This takes ten steps instead of hundreds. By duality, the same quadratic proves a lower bound
    of the energy. For other convex energies the bound follows from the gradient and the bounds alone; it is looser.

    Parameters
    ----------
    energy : {"lines", "dirichlet", "total_variation", "bending"} or callable
        What is minimised: a name, a sum of multiples of :mod:`skinpaint.energies` such as ``2 * lines + dirichlet``, or
        a callable ``f(x) -> float`` of your own, written in ``autograd.numpy``, that gets one channel as floats in
        [0, 1]; channels are summed. The accelerated descent smooths the norms of "lines" below 1e-4, where they would
        have no gradient; this changes nearly flat lines only. The history holds the energy without smoothing, which
        may rise by half of 1e-4 for each of these norms.
    lags : (1,) or (1, 2), optional
        Distances between compared pixels, for the energies given by name except "bending". By default (1, 2) for
        "lines", (1,) for the others.
    convex : bool
        Say that your own energy is convex, so that the descent can prove how near the minimum is. The energies of
        :mod:`skinpaint.energies` say it themselves.
    step_size : "accelerated", float or callable
        "accelerated", or a constant step length, or the length as a function of the iteration ``k = 0, 1, ...``.
        A constant or a function makes plain steps, without momentum, preconditioner, backtracking or proof.
    start : {"fill", "damaged"}
        Start from the harmonic fill, or from the values that the image holds under the mask.
    max_iter : int
        Largest number of steps.
    tol : float in (0, 1) or None
        Stop when the energy is proven to be within this of the minimum, relative to the minimum. Where nothing can be
        proven, as for an energy that may not be convex: stop when the projected gradient on the missing pixels is this
        small in every channel, relative to the gradient on them and on the known pixels around them, or to one that is
        everywhere a millionth of the steepest in the image if that is more, as around a hole in a ramp. None takes
        `max_iter` steps.
    joint_channels : bool
        Give the energy all channels at once, on the last axis, instead of one after another.

    Raises
    ------
    TypeError
        If a setting is unknown.
    ValueError
        If a setting is not what is said above.

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
    step_size: Literal["accelerated"] | float | Callable[[int], float] = "accelerated"
    start: Literal["fill", "damaged"] = "fill"
    max_iter: int = 2000
    tol: float | None = 1e-3
    joint_channels: bool = False

    def __post_init__(self) -> None:
        self.check_loop()
        known = isinstance(self.energy, str) and self.energy in ENERGIES
        allowed = f"{', '.join(map(repr, ENERGIES))} or a callable"
        require(known or callable(self.energy), self, "energy", allowed, self.energy)
        if self.lags is not None:
            object.__setattr__(self, "lags", check_lags(self.lags, "GradientDescent"))
            takes = known and hasattr(ENERGIES[self.energy], "lags")  # type: ignore[index]
            require(takes, self, "lags", "None when the energy is a callable or 'bending'", self.lags)
        if not callable(self.step_size) and self.step_size != "accelerated":
            number = is_number(self.step_size)
            allowed = "'accelerated', a positive number or a callable k -> step"
            require(number and 0 < self.step_size < np.inf, self, "step_size", allowed, self.step_size)
        require(self.start in ("fill", "damaged"), self, "start", "'fill' or 'damaged'", self.start)
        require(isinstance(self.convex, bool), self, "convex", "a bool", self.convex)
        require(isinstance(self.joint_channels, bool), self, "joint_channels", "a bool", self.joint_channels)

    @classmethod
    def classic(cls) -> GradientDescent:
        """The descent of the article, unchanged.

        500 steps of length ``max(1.5 / (k + 1), 0.015)`` from the damaged values, in the dtype's range.
        As in the article, it stops a little above the minimum, so ``converged`` is False.

        Examples
        --------
        >>> GradientDescent.classic().max_iter
        500
        """
        return cls(step_size=article_step, start="damaged", max_iter=500, tol=None)

    @property
    def default_bounds(self) -> Bounds:  # type: ignore[override]
        """The damage reaches the ends of the dtype, so a start from it needs those bounds."""
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

    def prepare(self, problem: Problem) -> Posed:
        """The missing pixels alone where they are few, if the energy allows it."""
        energy = self._energy(problem)
        if not (self.proves and self.start == "fill" and Majorizer.exists_for(energy) and problem.sparse):
            return problem
        return PointProblem(problem, cast(energies.Energy, energy))

    def init(self, problem: Posed) -> Descent:
        """Start from the fill or from the damage."""
        if self.start == "fill" or isinstance(problem, PointProblem):
            x = problem.clip(problem.fill())
        else:
            x = problem.clip(problem.write(np.empty(problem.shape), damaged=True))
        exact = self._energy(problem)
        touched = self.proves and Majorizer.exists_for(exact)
        joint = any(term.joint for _, term in energies.terms_of(exact)) if touched else self.joint_channels
        objective = Objective(exact, joint=joint)
        each = objective.values(x)  # refuses a bad energy in its own words, before autograd meets it
        smooth = energies.rounded(exact, NORM_ROUNDING) if touched else exact
        descended = objective if smooth == exact else Objective(smooth, joint=joint)
        if self.step_size == "accelerated":
            level, gradient = descended.value(x), np.empty(0)
        else:
            level, gradient = descended.value_and_gradient(x)
        state = Descent(
            values=x,
            ahead=x,
            objective=descended,
            exact=objective,
            around=None if self.proves or isinstance(problem, PointProblem) else _around(problem),
            each=each,
            level=level,
            gradient=gradient,
            is_wide=partial(_is_wide, problem),
        )
        return self._touch(problem, state) if touched else state

    def step(self, problem: Posed, state: Descent) -> Descent:
        """One accelerated or one plain projected step."""
        advance = self._accelerated if self.step_size == "accelerated" else self._plain
        return advance(problem, state)

    def exhausted(self, state: Descent) -> bool:
        """Whether the decrement is below the rounding errors of the energy."""
        return state.majorizer is not None and state.decrement < NOISE

    def explain(self, reason: Reason, state: Descent, n_iter: int) -> str:
        """Name the bounds, too, where they may be why little is proven."""
        said = super().explain(reason, state, n_iter)
        if reason is Reason.CONVERGED or self.tol is None or not (self.proves and state.is_wide()):
            return said
        return f"{said[:-1]}, or give narrower bounds: the wider they are, the less is proven."

    def _energy(self, problem: Posed) -> Callable[[Any], Any]:
        if isinstance(problem, PointProblem):
            return problem.energy
        if isinstance(self.energy, str):
            energy: Any = ENERGIES[self.energy]
            if self.lags is not None:
                energy = replace(energy, lags=self.lags)
            if self.energy == "total_variation":
                energy = replace(energy, joint=self.joint_channels)
            return energies.on_grid(energy, problem.spacing)
        if all(isinstance(term, Differences) for _, term in energies.terms_of(self.energy)):
            return energies.on_grid(cast(energies.Energy, self.energy), problem.spacing)
        spacing = tuple(problem.unit * h for h in problem.spacing)
        if any(h != 1 for h in spacing):
            raise ValueError(
                f"The 'spacing' parameter of Inpainter must be None with an energy of your own, which "
                f"does not see it. Got {spacing} instead. Put the spacing into the energy."
            )
        return self.energy

    def _plain(self, problem: Posed, state: Descent) -> Descent:
        """``x <- P(x - s_k g)`` with the step length as given."""
        x, objective = state.values, state.objective
        s = self.step_size(state.k) if callable(self.step_size) else self.step_size
        new = problem.clip(x - s * state.gradient)
        each, gradient = objective.values_and_gradient(new)
        return replace(
            state,
            values=new,
            each=each,
            level=float(each.sum()),
            gradient=gradient,
            change=float(np.abs(new - x).max()),
            distance=_stationarity(problem, new, gradient, state.around, self.joint_channels),
            k=state.k + 1,
            note=objective.note,
        )

    def _accelerated(self, problem: Posed, state: Descent) -> Descent:
        """FISTA within the bounds: a step from the extrapolated point, backtracked; a restart where it leads uphill."""
        x, y, t, objective = state.values, state.ahead, state.momentum, state.objective
        energies_ahead, gradient = objective.values_and_gradient(y)
        energy = float(energies_ahead.sum())
        slope = np.where(problem.mask, gradient, 0.0)
        direction = state.majorizer.precondition(slope) if state.majorizer else slope
        s = state.length or _first_length(state.majorizer, slope)
        steepness = _dot(slope, direction)
        if not 0 <= steepness < np.inf:  # single precision is not enough
            direction, steepness = slope, _dot(slope, slope)
        while True:
            z = problem.clip(y - s * direction)
            d = z - y
            fall = -_dot(slope, d)
            model = fall / 2 if state.majorizer else _dot(d, d) / (2 * s)  # half the squared length of d, in the metric
            noise = NOISE * abs(energy)
            each = objective.values(z)
            reached = float(each.sum())
            if reached <= energy - fall + model + noise or s < SHORTEST_STEP:
                break
            s /= 2
        state = replace(
            state,
            length=s * STEP_GROWTH if model > 100 * noise else s,
            decrement=_ratio(steepness / 2, abs(energy)),
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
            each = each if state.exact is objective else state.exact.values(z)
            state = replace(state, values=z, ahead=ahead, momentum=t_next, each=each, level=reached, change=change)
        if state.majorizer:
            stale = state.decrement <= max(state.due, NOISE) or state.k - state.touched >= MAX_STEPS
            return self._touch(problem, state) if stale else state
        if self.proves:
            room = np.where(problem.mask, np.maximum(gradient * (y - problem.low), gradient * (y - problem.high)), 0.0)
            room = room.sum() if self.joint_channels else room.sum(axis=tuple(range(problem.ndim)))
            bounds = np.maximum(state.bounds, energies_ahead - room)
            gap = relative_gap(state.each, bounds)
            return replace(state, bounds=bounds, gap=gap, distance=gap)
        return replace(state, distance=_stationarity(problem, y, gradient, state.around, self.joint_channels))

    def _touch(self, problem: Posed, state: Descent) -> Descent:
        """Build the majorizer at the values. Its minimum proves a bound, and the descent continues from there."""
        if state.majorizer:
            state.majorizer.release()
        majorizer = Majorizer(state.objective.energy, state.values, problem.mask)
        reduction = RESIDUAL_REDUCTION if state.decrement > NOISE else 0.0  # the last one is solved to the end
        least = problem.clip(majorizer.minimise(state.values, tol=RESIDUAL_TOL, reduction=reduction))
        bounds = np.maximum(np.maximum(state.bounds, 0.0), majorizer.bounds(least))
        level = state.objective.value(least)
        x, level = (least, level) if level < state.level else (state.values, state.level)
        each = state.exact.values(x)
        gap = relative_gap(each, bounds)
        needed = 0.2 * (self.tol / gap) ** 2 if self.tol and gap > 0 else 0.0  # a gap goes as the root of the decrement
        return replace(
            state,
            values=x,
            ahead=x,
            momentum=1.0,
            each=each,
            level=level,
            majorizer=majorizer,
            bounds=bounds,
            gap=gap,
            distance=gap,
            touched=state.k,
            due=min(state.decrement, 0.1) * min(max(needed, MIN_REFRESH_RATIO), MAX_REFRESH_RATIO),
        )


@dataclass(frozen=True, kw_only=True)
class Descent:
    """The state of the descent."""

    values: np.ndarray
    ahead: np.ndarray  # the extrapolated point that the next gradient is taken at
    objective: Objective  # with smoothed norms
    exact: Objective
    around: np.ndarray | None  # pixels that normalise the gradient when there is no gap: missing ones and neighbours
    each: np.ndarray  # the energies of the channels, of `exact`
    level: float  # of `objective`, which is what descends
    gradient: np.ndarray  # of `objective` at the values, for plain steps
    majorizer: Majorizer | None = None  # its matrix is the metric; without one the metric is the identity
    bounds: np.ndarray | float = -np.inf  # the best lower bounds proven so far, one a channel
    gap: float | None = None
    change: float = 0.0
    distance: float = np.inf
    decrement: float = np.inf  # estimated distance to the minimum from g^T M^-1 g / 2, relative to the energy
    due: float = 0.0  # the decrement at which the majorizer is built again
    touched: int = 0  # the step at which the majorizer was built
    momentum: float = 1.0
    length: float | None = None  # of the last accepted step
    k: int = 0
    note: str = ""
    is_wide: Callable[[], bool] = lambda: False  # whether the bounds are far wider than what is known

    @property
    def energy(self) -> float:
        """The energy, summed over the channels."""
        return float(self.each.sum())


def _first_length(majorizer: Majorizer | None, slope: np.ndarray) -> float:
    """Long enough for an energy of any unit to change the values; backtracking shortens it."""
    steepest = float(np.abs(slope).max())
    return 1.0 if majorizer or steepest == 0 else min(max(1.0, 1 / steepest), LONGEST_STEP)


def _is_wide(problem: Posed) -> bool:
    """Whether the bounds are far wider than what is known."""
    problem = problem.problem if isinstance(problem, PointProblem) else problem
    highest = problem.values.max(where=~problem.mask, initial=-np.inf)
    lowest = problem.values.min(where=~problem.mask, initial=np.inf)
    return bool(problem.high.max() - problem.low.min() > WIDE * (highest - lowest))


def _around(problem: Problem) -> np.ndarray:
    """The missing pixels and their known neighbours up to a distance of 2, along the axes."""
    cross = generate_binary_structure(problem.ndim, 1)[..., None]
    return np.broadcast_to(binary_dilation(problem.mask, cross, iterations=2), problem.values.shape)


def _stationarity(problem: Posed, x: np.ndarray, gradient: np.ndarray, around: Any, joint: bool) -> float:
    """Norm of the projected gradient at `x`, relative to that of the gradient around the missing pixels.

    Where there is next to none around them, it is relative to a small part of the steepest one: around a hole in a
    ramp, gradients are rounding errors, and no step makes one of them small compared to the others.
    It is the largest of all channels, unless the energy has them in common.
    """
    blocked = ((x <= problem.low) & (gradient > 0)) | ((x >= problem.high) & (gradient < 0))
    free = np.where(problem.mask & ~blocked, gradient, 0.0)
    near = np.where(around, gradient, 0.0)
    parts: list[tuple[Any, ...]] = [(...,)] if joint else [(..., c) for c in range(x.shape[-1])]
    return max(_relative_norm(free[at], near[at], gradient[at]) for at in parts)


def _relative_norm(part: np.ndarray, near: np.ndarray, whole: np.ndarray) -> float:
    unit = float(np.abs(whole).max()) or 1.0  # the squares of tiny or huge numbers are 0 or infinite
    return _ratio(_norm(part / unit), max(_norm(near / unit), NOTHING_AROUND * sqrt(np.count_nonzero(near))))


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    """Inner product by einsum: a BLAS would wake its threads each time."""
    return float(np.einsum("i,i->", a.reshape(-1), b.reshape(-1)))


def _norm(a: np.ndarray) -> float:
    return sqrt(_dot(a, a))


def _ratio(part: Any, whole: Any) -> float:
    return float(part / whole) if whole > 0 else 0.0
