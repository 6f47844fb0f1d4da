"""The closed form: the smoothest fill in the sense of squared differences, by one sparse solve a channel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np
from scipy.sparse import csc_array, diags_array
from scipy.sparse.linalg import cg, splu

from skinpaint.grid import check_lags
from skinpaint.grid.laplacian import edges, laplacian
from skinpaint.methods.base import Method, require, warn
from skinpaint.problem import Problem
from skinpaint.solution import Callback, Record, Solution

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
    solver : {"auto", "direct"}
        "direct" factorises the matrix with SciPy's SuperLU and is the independent reference; "auto" does
        the same while that is cheap, and takes conjugate gradients to 1e-10 beyond.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint import inpaint
    >>> inpaint(np.array([0.0, np.nan, np.nan, 3.0]), method="laplace")
    array([0., 1., 2., 3.])
    """

    lags: tuple[int, ...] = (1,)
    solver: str = "auto"

    def __post_init__(self) -> None:
        check_lags(self.lags, "Laplace")
        require(self.solver in ("auto", "direct"), self, "solver", "'auto' or 'direct'", self.solver)

    def solve(self, problem: Problem, callback: Callback | None = None) -> Solution:
        """Solve for all channels; those that share a mask share the factorisation."""
        began = perf_counter()
        values = problem.start.astype(float)
        energy, worst = 0.0, 0.0
        for mask, channels in problem.groups():
            L_UU, L_UK = laplacian(mask, self.lags, problem.spacing)
            direct = self.solver == "direct" or L_UU.shape[0] <= DIRECT_LIMIT
            x_K = values[~mask][:, channels]
            b = -(L_UK @ x_K)
            x_U = (_factorise if direct else _iterate)(L_UU, b)
            for c, x in zip(channels, x_U.T, strict=True):
                values[..., c][mask] = x
            worst = max(worst, _residual(L_UU, x_U, b))
        energy = _energy(values, self.lags, problem.spacing)
        record = Record(n_iter=1, energy=energy, seconds=perf_counter() - began)
        if callback is not None:
            callback(record, partial(problem.restore, values))
        converged = worst <= ACCEPTED
        status = f"Solved in closed form with a relative residual of {worst:.1g}."
        if not converged:
            status = (
                f"Not solved: the relative residual is {worst:.1g}, above {ACCEPTED:g}. Use Laplace(solver='direct')."
            )
            warn(status)
        return Solution(
            values=values,
            converged=converged,
            status=status,
            n_iter=1,
            history=(record,),
            energy=energy,
            residual=worst,
        )


DIRECT_LIMIT = 300_000  # unknowns up to which a factorisation is cheap
ACCEPTED = 1e-6


def _factorise(L: csc_array, b: np.ndarray) -> np.ndarray:
    factor = splu(L, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return factor.solve(b)


def _iterate(L: csc_array, b: np.ndarray) -> np.ndarray:
    jacobi = diags_array(1 / L.diagonal())
    return np.stack([cg(L, column, rtol=1e-10, maxiter=100_000, M=jacobi)[0] for column in b.T], axis=1)


def _residual(L: csc_array, x: np.ndarray, b: np.ndarray) -> float:
    """Largest ``|b - L x| / |b|`` of any channel."""
    size = np.linalg.norm(b, axis=0)
    left = np.linalg.norm(b - L @ x, axis=0)
    return float(np.divide(left, size, out=left, where=size > 0).max())


def _energy(x: np.ndarray, lags: tuple[int, ...], spacing: tuple[float, ...]) -> float:
    """The sum of squared differences that the solution minimises, over all channels."""
    squares = (float(((x[b] - x[a]) ** 2).sum()) * weight for a, b, weight in edges(x.shape[:-1], lags, spacing))
    return sum(squares)
