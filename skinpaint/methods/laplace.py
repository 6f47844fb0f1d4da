"""The closed form: the smoothest fill in the sense of squared differences, by one linear solve a channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from skinpaint.grid import check_lags
from skinpaint.methods.base import Method, require, warn
from skinpaint.problem import Problem
from skinpaint.solution import Callback, Reason, Record, Solution

if TYPE_CHECKING:
    from skinpaint.grid.harmonic.fill import Canvas

__all__ = ["Laplace"]


@dataclass(frozen=True, kw_only=True)
class Laplace(Method):
    r"""Harmonic fill: solve :math:`L_{UU} x_U = -L_{UK} x_K` for the missing pixels U.

    The answer minimises the sum of squared differences between neighbours (the energy "dirichlet"), is
    unique, and stays within the range of the known pixels.

    Parameters
    ----------
    lags : (1,) or (1, 2)
        Distances between the pixels that are compared; (1, 2) is the quadratic twin of the energy "lines".
    solver : {"auto", "multigrid", "direct"}
        "multigrid" takes conjugate gradients with multigrid as the preconditioner, at a cost in proportion to the
        number of missing pixels; "direct" factorises the matrix with SciPy's SuperLU and is the independent
        reference. "auto" is "direct" up to a thousand missing pixels, where that is quicker, and "multigrid" above;
        should that stall, as in gaps of a million samples in a signal, which single precision cannot hold, "direct"
        takes over.
    tol : float in (0, 1)
        Relative residual that "multigrid" stops at; double precision holds 1e-10 and less.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint import inpaint
    >>> inpaint(np.array([0.0, np.nan, np.nan, 3.0]), method="laplace").round(6)
    array([0., 1., 2., 3.])
    """

    lags: tuple[int, ...] = (1,)
    solver: str = "auto"
    tol: float = 1e-6

    def __post_init__(self) -> None:
        check_lags(self.lags, "Laplace")
        allowed = ("auto", "multigrid", "direct")
        require(self.solver in allowed, self, "solver", "'auto', 'multigrid' or 'direct'", self.solver)
        require(isinstance(self.tol, float) and 0 < self.tol < 1, self, "tol", "a float in (0, 1)", self.tol)

    def solve(self, problem: Problem, callback: Callback | None = None) -> Solution:
        """Solve for all channels; those that share a mask share the factorisation or the hierarchy."""
        from skinpaint.grid.harmonic.fill import Canvas  # its compiled kernels take a while to load

        began = perf_counter()
        canvas = Canvas(problem.shape[:-1], problem.shape[-1], self.lags, problem.spacing)
        values = problem.write(canvas.values)
        n_iter, worst, how = 0, 0.0, set()
        for mask, channels in problem.groups():
            for solver in self._solvers(mask):
                found = list(solver(canvas, mask, channels, self.tol))
                residual = max(residual for _, residual in found)
                if residual <= self.tol:
                    break
            n_iter, worst = max(n_iter, *(cycles for cycles, _ in found)), max(worst, residual)
            how.add("by a factorisation" if solver is _factorise else "by multigrid")
        energy = canvas.energy()
        record = Record(n_iter=n_iter, energy=energy, seconds=perf_counter() - began)
        if callback is not None:
            callback(record, partial(problem.write_back, values))
        converged = worst <= self.tol
        status = f"Solved {' and '.join(sorted(how))}. The relative residual is {worst:.1g}."
        if not converged:
            status = (
                f"Not solved: the relative residual is {worst:.1g} after {n_iter} cycles, above tol {self.tol:g}. "
                "Raise tol or use Laplace(solver='direct')."
            )
            warn(status)
        return Solution(
            values=values,
            reason=Reason.CONVERGED if converged else Reason.MAX_ITER,
            status=status,
            n_iter=n_iter,
            history=(record,),
            energy=energy,
            residual=worst,
        )

    def _solvers(self, mask: np.ndarray) -> list[Callable]:
        """What to try, in this order."""
        if self.solver == "auto":
            return [_factorise] if np.count_nonzero(mask) <= TINY else [_iterate, _factorise]
        return [_factorise] if self.solver == "direct" else [_iterate]


TINY = 1000  # unknowns up to which a factorisation is quicker than multigrid, as measured


def _iterate(canvas: Canvas, mask: np.ndarray, channels: list[int], tol: float) -> Iterator[tuple[int, float]]:
    """Fill `channels` in place by multigrid; gives (cycles, residual), sheet by sheet."""
    return canvas.solve(mask, channels, tol)


def _factorise(canvas: Canvas, mask: np.ndarray, channels: list[int], tol: float) -> Iterator[tuple[int, float]]:
    """Fill `channels` in place by SuperLU, as exactly as it can; gives (1, residual) for each."""
    from scipy.sparse.linalg import splu  # loading it takes longer than most solutions by multigrid

    from skinpaint.grid.matrix import laplacian

    L_UU, L_UK = laplacian(mask, canvas.lags, canvas.spacing)
    factor = splu(L_UU, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    for c in channels:
        channel = canvas.values[..., c]
        b = -(L_UK @ channel[~mask])
        x = factor.solve(b)
        channel[mask] = x
        size = np.linalg.norm(b)
        yield 1, float(np.linalg.norm(b - L_UU @ x) / size) if size else 0.0
