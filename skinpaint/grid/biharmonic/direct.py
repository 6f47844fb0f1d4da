r"""The biharmonic fill by factorisations of :math:`(L^2)_{UU}`, with iterative refinement.

Every part of the unknowns has a Cholesky factorisation of its own. Elimination fills only the places between the first
entry of a row and its diagonal, so it takes little work where rows are short. Where they are long, SuperLU takes less,
as it finds a better order.

The condition number grows with the fourth power of a hole's width, or of a gap's length. So a factorisation alone may
leave only a few correct digits. Its answer is refined: the residual is computed from differences of neighbours, which
lose nothing where the answer is smooth, and the system is solved once more for the error. That also shows how large the
error was. Where it hardly falls (gaps of more than some ten thousand samples), the matrix is too ill-conditioned to be
factorised, and a QR factorisation of the columns U of L takes the place of the Cholesky factorisation of their square.

References
----------
A. George and J. W.-H. Liu, "Computer Solution of Large Sparse Positive Definite Systems", Prentice-Hall (1981).
N. J. Higham, "Accuracy and Stability of Numerical Algorithms", SIAM (2002), chapters 12 and 20.
:doi:`10.1137/1.9780898718027`
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skinpaint.grid.biharmonic import kernels_direct as kernels
from skinpaint.grid.biharmonic.parts import Parts
from skinpaint.grid.kernels_envelope import eliminate, substitute
from skinpaint.grid.threads import SOLVE_COST, share

__all__ = ["Factors", "solve"]

MAX_MEAN_SQUARE = 50_000  # of the lengths of a part's rows; SuperLU is faster if they are longer
SLOW = 0.01  # refinement should divide the error of a Cholesky factorisation by at least 100
RESIDUAL_COST = 20  # work per unknown, relative to a plain loop
LEAST_PIVOT = 1e-15  # relative to the diagonal
ROUNDING = 2 * np.finfo(float).eps  # error of values of 1 that is always there, if the spacing is even


class Factors:
    """The factors of all parts.

    Parameters
    ----------
    parts : Parts
        What is factorised.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        short = parts.work <= MAX_MEAN_SQUARE * parts.sizes
        self.short, self.long = np.flatnonzero(short), np.flatnonzero(~short)
        self.ends = np.cumsum(np.where(np.repeat(short, parts.sizes), parts.lengths, 0))
        self.entries = np.empty(self.ends[-1])
        self.others: list[Any] = [None] * self.long.size  # SuperLU's
        self.cholesky = short  # which parts have a Cholesky factorisation
        share(self._factorise, 0, self.short.size, int(parts.work[short].sum()))
        self._hand_over()

    @property
    def _rows(self) -> tuple[np.ndarray, ...]:
        """Where the rows of the factors lie."""
        return self.parts.starts, self.parts.sizes, self.parts.first, self.ends

    def _factorise(self, lo: int, hi: int) -> None:
        """Factorise some of the parts with short rows."""
        p, rows = self.parts, (lo, hi, self.short, *self._rows)
        stencil = p.offsets, p.constant, p.slope
        kernels.assemble(*rows, p.at, p.state, p.number, *stencil, p.degree, self.entries)
        eliminate(*rows, p.diagonal, LEAST_PIVOT, self.entries)

    def _hand_over(self) -> None:
        """Have SuperLU factorise the parts with long rows: in this thread, as only the one that did so frees them."""
        if not self.long.size:
            return
        from scipy.sparse.linalg import splu  # slow to load, and most often not needed

        for k, part in enumerate(self.long.tolist()):
            A = self.parts.matrix(part)
            self.others[k] = splu(A, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})

    def orthogonalise(self, chosen: np.ndarray) -> None:
        """Replace the Cholesky factorisations of the chosen parts by QR factorisations."""
        p, some = self.parts, np.flatnonzero(chosen)
        share(
            kernels.orthogonalise, 0, some.size, int(p.work[some].sum()) * SOLVE_COST, some, *self._rows, p.at, p.state,
            p.number, p.offsets, p.slope, self.entries,
        )  # fmt: skip
        self.cholesky = self.cholesky & ~chosen

    def substitute(self, b: np.ndarray) -> np.ndarray:
        """Solve for each row of `b`, as exactly as the factors are."""
        x = np.empty_like(b)

        def other(lo: int, hi: int) -> None:
            for k in range(lo, hi):
                begin, n = self.parts.starts[self.long[k]], self.parts.sizes[self.long[k]]
                x[:, begin : begin + n] = self.others[k].solve(np.ascontiguousarray(b[:, begin : begin + n].T)).T

        share(
            substitute, 0, self.short.size, self.entries.size * len(b), self.short, *self._rows, self.entries,
            b, x,
        )  # fmt: skip
        share(other, 0, self.long.size, b.size * SOLVE_COST)
        return x


def solve(parts: Parts, values: np.ndarray, channels: list[int], *, tol: float, max_iter: int) -> tuple[int, float]:
    """Solve ``(L^2)_UU x_U = -(L^2)_UK x_K`` in place.

    Parameters
    ----------
    parts : Parts
        The unknowns.
    values : ndarray of float64, shape (M[, N[, ..., P]], C), C-contiguous
        Known values, and a first guess of the unknown ones.
    channels : list of int
        Those to be solved for.
    tol : float
        Stop when the estimated error is at most this. The estimate is the last change of any value, and at least the
        rounding error of values of 1, which is larger if the spacing is uneven.
    max_iter : int
        Largest number of solves.

    Returns
    -------
    n_iter : int
        Number of solves; 2 are usual.
    error : float
        The estimated error; infinite if there is no telling.

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 0.0, 0.0, 4.0, 5.0])
    >>> n_iter, error = solve(Parts(np.arange(6) // 2 == 1, (1.0,)), x[:, None], [0], tol=1e-8, max_iter=9)
    >>> x.round(6), n_iter, error < 1e-8
    (array([0., 1., 2., 3., 4., 5.]), 2, True)
    """
    factors = Factors(parts)
    x, these = values.reshape(-1, values.shape[-1]), np.array(channels)
    unknown: Any = (parts.pixels[:, None], these)
    if channels == list(range(x.shape[1])):
        unknown = parts.pixels  # whole pixels, which NumPy indexes faster
    steps = np.cumprod((1, *parts.shape[:0:-1]))[::-1].copy()

    def residual() -> np.ndarray:
        r = np.empty((these.size, parts.pixels.size))
        share(
            kernels.residual, 0, parts.pixels.size, RESIDUAL_COST * r.size, parts.pixels, these, parts.at, parts.state,
            parts.steps, steps, parts.weights, x, r,
        )  # fmt: skip
        return r

    before, size = np.full(parts.sizes.size, np.inf), 1.0
    for n_iter in range(1, max_iter + 1):  # noqa: B007  -- it is returned
        z = factors.substitute(residual())
        change = np.maximum.reduceat(np.abs(z).max(axis=0), parts.starts)
        slow = factors.cholesky & ~(change <= np.maximum(SLOW * before, tol))
        if slow.any():
            factors.orthogonalise(slow)
            x[parts.pixels[np.repeat(slow, parts.sizes), None], these] = 0.0
            before[slow] = np.inf
            continue
        if not ((change < before) | (change <= tol)).all():
            break
        found = x[unknown] + z.T
        x[unknown], before, size = found, change, max(1.0, float(np.abs(found).max()))
        if change.max() <= tol:
            break
    worst, uneven = float(change.max()), float(parts.weights.max() / parts.weights.min())
    return n_iter, max(worst, ROUNDING * uneven * size) if worst < np.inf else np.inf
