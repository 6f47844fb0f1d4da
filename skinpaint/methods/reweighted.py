"""The exact minimum of sums of norms: one weighted Laplacian solve after another, with a proof of what is left."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from skinpaint import energies
from skinpaint.energies import ENERGIES
from skinpaint.energies.majorizer import Majorizer, relative_gap
from skinpaint.energies.objective import Objective
from skinpaint.methods.base import IterativeMethod
from skinpaint.point_problem import PointProblem
from skinpaint.problem import Problem
from skinpaint.wording import require

__all__ = ["Reweighted"]

PATIENCE = 5  # steps without progress before the method gives up
NOISE = 1e-14  # relative rounding error of an energy that is summed in double precision
RESIDUAL_TOL, RESIDUAL_REDUCTION = 1e-13, 0.05  # to which each linear system is solved
LAST_REDUCTION, REDUCTION_DECAY = 1e-6, 0.2  # a residual loosens the bound, so it falls while the gap stays above
STALE = 0.9  # times the gap before
FIRST_ROUNDING, ROUNDING_DECAY, LAST_ROUNDING = 1e-2, 0.7, 1e-7  # norms below it are smoothed; it falls step by step
ROUNDING_GROWTH = 2  # where single precision cannot resolve a system, and the step gained nothing


@dataclass(frozen=True, kw_only=True)
class Reweighted(IterativeMethod):
    r"""Minimise an energy made of norms, exactly, by reweighted least squares.

    A norm is the minimum of the parabolas above it, :math:`|v| = \min_w (w |v|^2 + 1/w) / 2`. The method minimises over
    the image and over the weights in turn. Each iteration solves one weighted Laplacian system, and none raises the
    energy. There is no step length and no derivative, so this is the reference for the descent ("gd").

    Each iteration also proves a lower bound of the energy: `gap` says how far from the minimum the answer can be.

    Parameters
    ----------
    energy : {"lines", "total_variation", "dirichlet"} or Energy
        What is minimised: one of :mod:`skinpaint.energies` with first differences, or a sum of multiples of them.
    max_iter : int
        Largest number of systems solved.
    tol : float in (0, 1) or None
        Stop when the energy is proven to be within this of the minimum, relative to the minimum. Where exact norms are
        zero at the minimum (total variation with ``eps`` well below 1e-2), convergence is slow: look at `gap`. None
        takes `max_iter` steps.

    Raises
    ------
    TypeError
        If a setting is unknown.
    ValueError
        If a setting is not what is said above.

    References
    ----------
    I. Daubechies, R. DeVore, M. Fornasier and C. S. Güntürk, "Iteratively reweighted least squares minimization for
    sparse recovery", Comm. Pure Appl. Math. 63 (2010). :doi:`10.1002/cpa.20303`

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint import Inpainter
    >>> image = np.array([[0.0, 1.0, 4.0], [1.0, np.nan, 1.0], [2.0, 3.0, 2.0]])
    >>> inpainter = Inpainter(method=Reweighted()).fit(image)
    >>> inpainter.solution_.gap <= 1e-6
    True
    """

    energy: str | energies.Energy = "lines"
    max_iter: int = 500
    tol: float | None = 1e-6

    measure = "proven gap"

    def __post_init__(self) -> None:
        self.check_loop()
        energy = ENERGIES.get(self.energy) if isinstance(self.energy, str) else self.energy
        names = ", ".join(repr(name) for name, each in ENERGIES.items() if Majorizer.exists_for(each))
        allowed = f"{names} or an Energy made of first differences"
        require(energy is not None and Majorizer.exists_for(energy), self, "energy", allowed, self.energy)

    def prepare(self, problem: Problem) -> Problem | PointProblem:
        """The missing pixels alone where they are few."""
        return PointProblem(problem, self._energy(problem)) if problem.sparse else problem

    def init(self, problem: Problem | PointProblem) -> Reweighting:
        """Start from the harmonic fill."""
        energy = problem.energy if isinstance(problem, PointProblem) else self._energy(problem)
        joint = any(term.joint for _, term in energies.terms_of(energy))
        values = problem.clip(problem.fill())
        return Reweighting(values=values, objective=Objective(energy, joint=joint), rounding=FIRST_ROUNDING)

    def _energy(self, problem: Problem) -> energies.Energy:
        energy = ENERGIES[self.energy] if isinstance(self.energy, str) else self.energy
        return energies.on_grid(energy, problem.spacing)

    def exhausted(self, state: Reweighting) -> bool:
        """Whether several steps in a row neither lowered the energy nor raised the bound."""
        return state.idle >= PATIENCE

    def step(self, problem: Problem, state: Reweighting) -> Reweighting:
        """Build the majorizer at the values and go to its minimum."""
        objective, x = state.objective, state.values
        majorizer = Majorizer(energies.rounded(objective.energy, state.rounding), x, problem.mask)
        least = majorizer.minimise(x, tol=RESIDUAL_TOL, reduction=state.reduction)
        bounds = np.maximum(np.maximum(state.bounds, 0.0), majorizer.bounds(least))
        values = problem.clip(least)
        each = objective.values(values)  # energies of the channels
        before = state.each if state.each is not None else objective.values(x)
        if each.sum() > before.sum():  # possible while norms are smoothed more than at the end, and in the last digits
            values, each = x, before
        energy, fall = float(each.sum()), float((before - each).sum())
        gap = relative_gap(each, bounds)
        better = fall > NOISE * energy or (state.gap is not None and gap < 0.99 * state.gap)
        narrow = state.rounding <= state.last_rounding
        failed = majorizer.unresolved and not better
        last = min(FIRST_ROUNDING, ROUNDING_GROWTH * state.rounding) if failed else state.last_rounding
        rounding = max(last, state.rounding * ROUNDING_DECAY)
        stale = state.gap is not None and gap > STALE * state.gap
        reduction = max(LAST_REDUCTION, state.reduction * REDUCTION_DECAY) if stale else state.reduction
        if rounding == LAST_ROUNDING and better:  # what is slow now are the steps, not the residuals
            reduction = RESIDUAL_REDUCTION
        return replace(
            state,
            values=values,
            energy=energy,
            each=each,
            bounds=bounds,
            gap=gap,
            distance=gap,
            change=float(np.abs(values - x).max()),
            rounding=rounding,
            last_rounding=last,
            reduction=reduction,
            idle=state.idle + 1 if narrow and not better else 0,
        )


@dataclass(frozen=True, kw_only=True)
class Reweighting:
    """The state of the reweighting."""

    values: np.ndarray
    objective: Objective
    rounding: float  # norms below this are smoothed in the next step
    last_rounding: float = LAST_ROUNDING  # to which it falls
    reduction: float = RESIDUAL_REDUCTION  # to which the residual of the next system falls
    energy: float | None = None
    each: np.ndarray | None = None  # energies of the channels
    bounds: np.ndarray | float = -np.inf  # the best lower bounds proven so far, one a channel
    gap: float | None = None
    distance: float = np.inf
    change: float = 0.0
    idle: int = 0  # steps in a row without progress
    note: str = ""
