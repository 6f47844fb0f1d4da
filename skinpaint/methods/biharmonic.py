"""The closed form of fourth order: the fill that bends least, by one linear solve a channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np

from skinpaint.grid.axes import drop_short_axes, long_axes
from skinpaint.grid.matrix import edges, laplacian
from skinpaint.grid.threads import SOLVE_COST, share
from skinpaint.methods.base import Method, require, warn
from skinpaint.problem import Problem
from skinpaint.solution import Callback, Reason, Record, Solution

__all__ = ["Biharmonic"]


@dataclass(frozen=True, kw_only=True)
class Biharmonic(Method):
    r"""Biharmonic fill: solve :math:`(L^2)_{UU} x_U = -(L^2)_{UK} x_K` for the missing pixels U.

    L is the Laplacian of the whole grid, with reflecting borders. The answer minimises the sum of squares of L x over
    all pixels, known ones included, and is unique. It continues slopes, where a harmonic fill flattens out, and so
    it may leave the range of the known pixels; the door clips it. It is what scikit-image's ``inpaint_biharmonic``
    computes.

    Parameters
    ----------
    solver : {"auto", "multigrid", "direct"}
        "multigrid" takes conjugate gradients with multigrid as the preconditioner, at a cost in proportion to the
        number of missing pixels; "direct" factorises the matrix with SciPy's SuperLU and is the independent
        reference. "auto" is "direct" where that is quicker, as it is for small holes, text and scratches, and
        "multigrid" elsewhere.
    tol : float in (0, 1)
        Largest error of any value, as a fraction of the known range, at which "multigrid" stops. The system is so
        ill-conditioned (up to :math:`10^9` and more) that its residual says little; the error is judged by what the
        last two iterations changed, as each gains about a digit.

    References
    ----------
    S. B. Damelin and N. S. Hoang, "On surface completion and image inpainting by biharmonic functions: numerical
    aspects", Int. J. Math. Math. Sci. (2018). :doi:`10.1155/2018/3950312`

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint import inpaint
    >>> inpaint(np.array([0.0, 1.0, np.nan, np.nan, 4.0, 5.0]), method="biharmonic").round(6)
    array([0., 1., 2., 3., 4., 5.])
    """

    solver: str = "auto"
    tol: float = 1e-8

    def __post_init__(self) -> None:
        allowed = ("auto", "multigrid", "direct")
        require(self.solver in allowed, self, "solver", "'auto', 'multigrid' or 'direct'", self.solver)
        require(isinstance(self.tol, float) and 0 < self.tol < 1, self, "tol", "a float in (0, 1)", self.tol)

    def solve(self, problem: Problem, callback: Callback | None = None) -> Solution:
        """Solve for all channels; those that share a mask share the factorisation or the hierarchy."""
        began = perf_counter()
        values = problem.write(np.empty(problem.shape))
        n_iter, worst, direct = 1, 0.0, True
        for mask, channels in problem.groups():
            if self.solver == "direct" or (self.solver == "auto" and _sooner(mask, len(channels))):
                _factorise(values, mask, channels, problem.spacing)
                continue
            direct = False
            for iterations, error in _iterate(values, mask, channels, problem.spacing, self.tol):
                n_iter, worst = max(n_iter, iterations), max(worst, error)
        energy = _energy(values, problem.spacing)
        record = Record(n_iter=n_iter, energy=energy, seconds=perf_counter() - began)
        if callback is not None:
            callback(record, partial(problem.write_back, values))
        converged = worst <= self.tol
        status = f"Solved in {n_iter} multigrid cycles; the error is about {worst:.1g} of the range."
        if direct:
            status = "Solved by a factorisation."
        elif not converged:
            status = (
                f"Not solved: the error is still about {worst:.1g} of the range after {n_iter} iterations, above tol "
                f"{self.tol:g}. Raise tol or use Biharmonic(solver='direct')."
            )
            warn(status)
        return Solution(
            values=values,
            reason=Reason.CONVERGED if converged else Reason.MAX_ITER,
            status=status,
            n_iter=n_iter,
            history=(record,),
            energy=energy,
            error=None if direct else worst,
        )


REACH = 2  # how far the square of the Laplacian couples
MAX_ITER = 200  # far more than are ever needed
PARTS = 4  # that a matrix is cut into, for the threads

# What decides, as measured. A factorisation takes microseconds an unknown, and more the broader a part is, as it has to
# be cut across; multigrid takes them for every pixel in the boxes of the parts, or in the image, and for
# every channel again.
TINY = 1500  # unknowns up to which a factorisation is quicker in any case
MOST = 1_000_000  # from which it takes too much memory
DENSE = 0.2  # share of the image from which it never is
UNKNOWN, ACROSS = 1.5, 0.045  # microseconds, for an unknown and for each that is beside it
BOXED, WHOLE = 1.7, 0.5  # microseconds
WORTH = 100  # pixels of a part that is worth a look at its shape; others count as round


def _sooner(mask: np.ndarray, channels: int) -> bool:
    """Whether a factorisation is quicker than multigrid: where what is missing is little, thin, or in small parts."""
    unknowns = int(np.count_nonzero(mask))
    if unknowns <= TINY:
        return True
    if unknowns > min(MOST, DENSE * mask.size):
        return False

    from scipy.ndimage import find_objects, generate_binary_structure, label  # slow to load

    parts, _ = label(mask, generate_binary_structure(mask.ndim, mask.ndim))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    across = sizes ** (1 - 1 / mask.ndim)
    boxes = (sizes ** (1 / mask.ndim) + 2 * REACH) ** mask.ndim
    boxes[0] = 0
    large = np.flatnonzero(sizes > WORTH)
    number = np.zeros(sizes.size, parts.dtype)
    number[large] = np.arange(1, large.size + 1)
    for part, box in zip(large, find_objects(number[parts]), strict=True):
        extents = np.array([edge.stop - edge.start for edge in box])
        across[part] = sizes[part] / extents.max()
        boxes[part] = (extents + 2 * REACH).prod()
    multigrid = channels * min(BOXED * boxes.sum(), WHOLE * mask.size)
    return bool(np.sum(sizes * (UNKNOWN + ACROSS * across)) < multigrid)


def _factorise(values: np.ndarray, mask: np.ndarray, channels: list[int], spacing: tuple[float, ...]) -> None:
    """Fill `values` in place by SuperLU.

    L x is needed on the unknowns and their neighbours W. As L is symmetric, the matrix is that part of the square of
    L_WW which belongs to the unknowns. Unknowns that do not hang together are shared by threads.
    """
    from scipy.ndimage import binary_dilation, generate_binary_structure  # slow to load, and not needed by multigrid
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import splu

    box = tuple(slice(max(i.min() - REACH, 0), i.max() + REACH + 1) for i in np.nonzero(mask))
    values, mask = values[box], mask[box]
    around = binary_dilation(mask, generate_binary_structure(mask.ndim, 1))
    L_WW, L_WO = laplacian(around, (1,), spacing)
    unknown = mask[around]
    L_UW = L_WW[unknown]
    A = (L_UW @ L_WW[:, unknown]).tocsr()
    b = np.empty((A.shape[0], len(channels)))
    for k, c in enumerate(channels):
        channel = values[..., c]
        b[:, k] = -(L_UW @ (L_WW @ np.where(unknown, 0.0, channel[around]) + L_WO @ channel[~around]))
    _, island = connected_components(A, directed=False)
    until = np.cumsum(np.bincount(island)) * PARTS / len(b)
    part = np.ceil(until)[island] - 1
    x = np.empty_like(b)

    def solve(lo: int, hi: int) -> None:
        for k in range(lo, hi):
            rows = np.flatnonzero(part == k)
            if rows.size:
                some = A[rows][:, rows].tocsc() if rows.size < len(b) else A.tocsc()
                factor = splu(some, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
                x[rows] = factor.solve(b[rows])

    share(solve, 0, PARTS, len(b) * SOLVE_COST)
    for k, c in enumerate(channels):
        values[mask, c] = x[:, k]


def _iterate(
    values: np.ndarray, mask: np.ndarray, channels: list[int], spacing: tuple[float, ...], tol: float
) -> Iterator[tuple[int, float]]:
    """Fill `values` in place by multigrid, sheet by sheet; gives (cycles, error) for each channel."""
    from skinpaint.grid.biharmonic.multigrid import BiharmonicSystem
    from skinpaint.grid.holes import cut_out, solve_holes

    steps = tuple(spacing[axis] for axis in long_axes(mask.shape))
    cuts = cut_out(drop_short_axes(mask), margin=REACH)
    systems = ((cut, BiharmonicSystem(cut.state, steps)) for cut in cuts)
    images = [drop_short_axes(values[..., c]) for c in channels]
    yield from solve_holes(systems, images, lambda system, x: system.improve(x, tol=tol, max_iter=MAX_ITER))


def _energy(x: np.ndarray, spacing: tuple[float, ...]) -> float:
    """The sum of squares of the Laplacian that the solution minimises, over all channels."""
    u = np.zeros_like(x)
    for a, b, weight in edges(x.shape[:-1], (1,), spacing):
        difference = weight * (x[b] - x[a])
        u[a] += difference
        u[b] -= difference
    return float(np.vdot(u, u))
