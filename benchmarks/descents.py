"""Who descends the energy "lines", from image and mask to how it fell: ours, SciPy's and PyTorch's.

Ours are public calls, timed whole: checks, fill and proof included. The peers get the energy as one writes it with
array operations, the harmonic fill to start from, off the clock, and the level of the energy at which they may stop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from time import perf_counter

import autograd.numpy as anp
import numpy as np
from cases import Case
from scipy.optimize import Bounds, minimize

from skinpaint import GradientDescent, Inpainter, Reweighted
from skinpaint.energies import lines
from skinpaint.energies.objective import value_and_gradient
from skinpaint.grid.harmonic.fill import fill
from skinpaint.methods.base import Method
from skinpaint.problem import Problem

__all__ = ["DEFAULT", "OURS", "PEER", "SOLVERS", "Fall", "composed", "reference", "start"]


@dataclass(frozen=True, eq=False)
class Fall:
    """How an energy fell, in units of the range of the known pixels.

    Attributes
    ----------
    seconds, energies : ndarray
        When which energy was reached first; both monotone.
    taken : float
        Seconds of the whole call.
    gaps : ndarray or None
        Proven distance from the minimum, for each of `seconds`.
    n_iter, n_eval : int or None
        Number of iterations, and of energies with gradients, where they are told.
    """

    seconds: np.ndarray
    energies: np.ndarray
    taken: float
    gaps: np.ndarray | None = None
    n_iter: int | None = None
    n_eval: int | None = None

    def time_to(self, energy: float) -> float:
        """Seconds until the energy was this low; infinite if it never was."""
        reached = self.energies <= energy
        return float(self.seconds[reached.argmax()]) if reached.any() else np.inf

    def time_between(self, energy: float, least: float) -> float:
        """The same, with the logarithm of the distance from the least energy taken to fall evenly in between."""
        if self.energies[-1] > energy:
            return np.inf
        depth = -np.log(np.maximum(self.energies - least, 1e-15 * least))
        return float(np.interp(-np.log(max(energy - least, 1e-15 * least)), depth, self.seconds))


Descend = Callable[[Case, float], Fall]  # case, energy at which to stop


def ours(method: Method) -> Descend:
    """Time the public call; what it does in between is told to its callback."""

    def descend(case: Case, enough: float) -> Fall:
        times, records = [], []

        def listen(record, restore):
            times.append(perf_counter() - began)
            records.append(record)

        began = perf_counter()
        inpainter = Inpainter(method)
        inpainter.fit_restore(case.image, case.mask, callback=listen)
        taken = perf_counter() - began
        known = case.image[~case.mask]
        reach = known.max() - float(known.min())
        unit = 255 / reach if method.default_bounds == "dtype" else 1.0  # what the call took for 1
        gaps = [record.gap for record in records]
        return Fall(
            seconds=np.array(times),
            energies=unit * np.minimum.accumulate([record.energy for record in records]),
            taken=taken,
            gaps=None if None in gaps else np.array(gaps),
            n_iter=inpainter.n_iter_,
        )

    return descend


def reference(case: Case) -> tuple[float, float]:
    """The least energy, and the gap that is proven for it."""
    solution = Inpainter(Reweighted(tol=None, max_iter=30)).fit(case.image, mask=case.mask).solution_
    return float(lines(solution.values[..., 0])), solution.gap


def start(case: Case) -> np.ndarray:
    """The harmonic fill, in units of the range of the known pixels."""
    problem = Problem.from_image(case.image, case.mask)
    return problem.clip(fill(problem.values, problem.mask, problem.spacing))[..., 0]


def composed(x):
    """The energy "lines" in array operations; `diff` has a quicker gradient in autograd than a difference of slices."""
    total = 0.0
    for axis, parts in enumerate([(x, x[0::2], x[1::2]), (x, x[:, 0::2], x[:, 1::2])]):
        for part in parts:
            total = total + anp.sum(anp.sqrt(anp.sum(anp.diff(part, axis=axis) ** 2, axis=axis)))
    return total


class Trace:
    """Times and energies as a peer meets them, from when it is made."""

    def __init__(self) -> None:
        self.began = perf_counter()
        self.seconds: list[float] = []
        self.energies: list[float] = []

    def note(self, energy: float) -> float:
        self.seconds.append(perf_counter() - self.began)
        self.energies.append(energy)
        return energy

    def fall(self, n_iter: int | None = None) -> Fall:
        taken = perf_counter() - self.began
        lowest = np.minimum.accumulate(self.energies)
        return Fall(np.array(self.seconds), lowest, taken, n_iter=n_iter, n_eval=len(self.energies))


def scipy_lbfgsb(case: Case, enough: float) -> Fall:
    """SciPy's L-BFGS-B: the variables are the missing pixels, the bounds the box."""
    x = start(case)
    trace = Trace()

    def energy(missing: np.ndarray) -> tuple[float, np.ndarray]:
        x[case.mask] = missing
        value, gradient = value_and_gradient(composed, x)
        return trace.note(value), gradient[case.mask]

    def stop(intermediate_result):
        if intermediate_result.fun <= enough:
            raise StopIteration

    options = {"maxiter": MOST, "maxfun": MOST, "ftol": 0.0, "gtol": 0.0}
    found = minimize(
        energy, x[case.mask], jac=True, method="L-BFGS-B", bounds=Bounds(0, 1), callback=stop, options=options
    )
    return trace.fall(found.nit)


def torch_lines(torch, x):
    """The same in PyTorch."""
    total = 0.0
    for axis, parts in enumerate([(x, x[0::2], x[1::2]), (x, x[:, 0::2], x[:, 1::2])]):
        for part in parts:
            total = total + torch.diff(part, dim=axis).square().sum(axis).sqrt().sum()
    return total


def pytorch(case: Case, enough: float, *, optimiser: Callable, most: int) -> Fall:
    """One of PyTorch's optimisers on the same energy."""
    import torch

    known, mask = torch.from_numpy(start(case)), torch.from_numpy(case.mask)
    x = known.clone().requires_grad_()
    steps = optimiser(torch, [x])
    trace = Trace()

    def energy():
        steps.zero_grad()
        filled = torch.where(mask, x, known)
        value = torch_lines(torch, filled)
        value.backward()
        if trace.note(value.item()) <= enough or len(trace.energies) >= most:
            raise StopIteration
        return value

    try:
        while True:
            steps.step(energy)
    except StopIteration:
        return trace.fall()


def adam(torch, variables: Sequence):
    return torch.optim.Adam(variables, lr=RATE)


def lbfgs(torch, variables: Sequence):
    endless = {"max_iter": MOST, "max_eval": MOST, "tolerance_grad": 0, "tolerance_change": 0}
    return torch.optim.LBFGS(variables, history_size=10, line_search_fn="strong_wolfe", **endless)


MOST = 10_000  # iterations or evaluations that nobody needs
RATE = 0.003  # of Adam: of 0.1, 0.03, 0.01, 0.003 and 0.001 the one that reaches 1e-5 first
DEFAULT, PEER = "ours", "SciPy L-BFGS-B"
OURS: dict[str, Descend] = {
    DEFAULT: ours(GradientDescent()),
    "ours, tol=1e-5": ours(GradientDescent(tol=1e-5)),
    "ours, reweighted": ours(Reweighted()),
}
SOLVERS: dict[str, Descend] = {
    **OURS,
    "ours, classic": ours(GradientDescent.classic()),
    PEER: scipy_lbfgsb,
}
if find_spec("torch"):
    SOLVERS["PyTorch L-BFGS"] = partial(pytorch, optimiser=lbfgs, most=MOST)
    SOLVERS["PyTorch Adam"] = partial(pytorch, optimiser=adam, most=200)
