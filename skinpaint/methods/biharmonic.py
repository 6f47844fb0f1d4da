"""The closed form of fourth order: the fill with the least bending, by one linear system for each mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skinpaint.grid.axes import drop_short_axes, long_axes
from skinpaint.grid.biharmonic import STENCIL_RADIUS
from skinpaint.grid.matrix import edges, laplacian
from skinpaint.grid.threads import SOLVE_COST, share
from skinpaint.methods.closed_form import ClosedForm, Solver
from skinpaint.problem import Problem

if TYPE_CHECKING:
    from skinpaint.trust.field import Field

__all__ = ["Biharmonic"]

MAX_CYCLES = 200  # 10 to 20 are usual
MATRIX_PARTS = 4  # independent parts of a matrix, factorised by several threads

# The choice of the solver, as measured. A factorisation takes time for each unknown, and more if a hole is wide.
# Multigrid takes time for each pixel in the boxes of the holes, or of the image, and for each channel.
ALWAYS_DIRECT_UNKNOWNS = 1500  # up to here a factorisation is faster
MAX_DIRECT_UNKNOWNS = 1_000_000  # above, a factorisation takes too much memory
MAX_DIRECT_FRACTION = 0.2  # if more of the image is missing than this, multigrid is faster
US_PER_UNKNOWN = 1.5  # microseconds, for a factorisation
US_PER_WIDTH = 0.045  # microseconds for each unknown and each pixel of its hole's width
US_PER_BOX_PIXEL = 1.7  # microseconds, for multigrid on the boxes of the holes
US_PER_IMAGE_PIXEL = 0.5  # microseconds, for multigrid on the whole image
MIN_SHAPED_PIXELS = 100  # the shape of a smaller hole is not examined: it counts as a square


@dataclass(frozen=True, kw_only=True)
class Biharmonic(ClosedForm):
    r"""Biharmonic fill: solve :math:`(L^2)_{UU} x_U = -(L^2)_{UK} x_K` for the missing pixels U.

    L is the Laplacian of the whole grid, with reflecting borders. The answer minimises the sum of squares of L x over
    all pixels, known ones included, and is unique. It continues slopes, where a harmonic fill flattens out. So it may
    leave the range of the known pixels; Inpainter then clips it to the bounds. scikit-image's ``inpaint_biharmonic``
    solves the same system.

    Parameters
    ----------
    solver : {"auto", "multigrid", "direct"}
        "multigrid" is the method of conjugate gradients, preconditioned by multigrid. Its cost is proportional to the
        number of missing pixels. "direct" factorises the matrix with SciPy's SuperLU; it is the independent reference.
        "auto" is "direct" where that is faster (small holes, text and scratches), and "multigrid" elsewhere.
    tol : float in (0, 1)
        "multigrid" stops when the estimated error of every value is at most this, as a fraction of the known range. The
        system is so ill-conditioned (up to :math:`10^9` and more) that its residual says little. The error is estimated
        from the changes in the last two iterations, as each of them reduces it by a factor of three to ten.
    noise : float, ndarray, "estimate" or None
        Standard deviation of the noise of known pixels, in the image's units: one, or one for each pixel (infinite
        means missing). Then known pixels are measurements, and are smoothed as well. "estimate" finds it in the
        flattest parts of the image. None, or 0: known pixels are exact.
    robust : bool
        With `noise`: whether measurements that are far off count less.

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

    solver: Solver = "auto"
    tol: float = 1e-8
    noise: float | np.ndarray | str | None = None
    robust: bool = False

    accuracy = "error"
    accuracy_is = "error is about {:.1g} of the range"

    def __post_init__(self) -> None:
        self.check_solver()

    def field(self, mask: np.ndarray, spacing: tuple[float, ...]) -> Field:
        """The field of which the fill is the mean."""
        from skinpaint.trust.field import Field

        return Field(mask, 2, spacing)

    def begin(self, problem: Problem) -> Image:
        """The values in double precision."""
        return Image(problem.write(np.empty(problem.shape)), problem.spacing)

    def auto(self, mask: np.ndarray, channels: int) -> list[str]:
        """The solver that is faster."""
        return ["direct" if _direct_is_faster(mask, channels) else "multigrid"]

    def multigrid(self, image: Image, mask: np.ndarray, channels: list[int]) -> Sequence[tuple[int, float | None]]:
        """Fill `channels` by multigrid; the number of cycles and the estimated error of each solve."""
        from skinpaint.grid.biharmonic.multigrid import BiharmonicSystem
        from skinpaint.grid.holes import cut_out, solve_holes

        spacing = tuple(image.spacing[axis] for axis in long_axes(mask.shape))
        cuts = cut_out(drop_short_axes(mask), margin=STENCIL_RADIUS)
        return solve_holes(
            ((cut, BiharmonicSystem(cut.state, spacing)) for cut in cuts),
            [drop_short_axes(image.values[..., c]) for c in channels],
            lambda system, x: system.improve(x, tol=self.tol, max_iter=MAX_CYCLES),
        )

    def direct(self, image: Image, mask: np.ndarray, channels: list[int]) -> Sequence[tuple[int, float | None]]:
        """Fill `channels` by SuperLU.

        L x is needed on the unknowns and their neighbours W. L is symmetric, so the matrix is the block of the unknowns
        in the square of L_WW. Threads share the independent parts of the matrix.
        """
        # These are slow to load, and multigrid does not need them.
        from scipy.ndimage import binary_dilation, generate_binary_structure
        from scipy.sparse.csgraph import connected_components
        from scipy.sparse.linalg import splu

        near = (slice(max(i.min() - STENCIL_RADIUS, 0), i.max() + STENCIL_RADIUS + 1) for i in np.nonzero(mask))
        box = tuple(near)
        values, mask = image.values[box], mask[box]
        around = binary_dilation(mask, generate_binary_structure(mask.ndim, 1))
        L_WW, L_WO = laplacian(around, (1,), image.spacing)
        unknown = mask[around]
        L_UW = L_WW[unknown]
        A = (L_UW @ L_WW[:, unknown]).tocsr()
        b = np.empty((A.shape[0], len(channels)))
        for k, c in enumerate(channels):
            channel = values[..., c]
            b[:, k] = -(L_UW @ (L_WW @ np.where(unknown, 0.0, channel[around]) + L_WO @ channel[~around]))
        _, island = connected_components(A, directed=False)
        until = np.cumsum(np.bincount(island)) * MATRIX_PARTS / len(b)
        part = np.ceil(until)[island] - 1
        x = np.empty_like(b)

        def solve(lo: int, hi: int) -> None:
            for k in range(lo, hi):
                rows = np.flatnonzero(part == k)
                if rows.size:
                    P = A[rows][:, rows].tocsc() if rows.size < len(b) else A.tocsc()
                    factor = splu(P, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
                    x[rows] = factor.solve(b[rows])

        share(solve, 0, MATRIX_PARTS, len(b) * SOLVE_COST)
        for k, c in enumerate(channels):
            values[mask, c] = x[:, k]
        return [(1, None)]


@dataclass(frozen=True, eq=False)
class Image:
    """The values that are filled in place, and the distance between pixels along each axis."""

    values: np.ndarray
    spacing: tuple[float, ...]

    def energies(self) -> np.ndarray:
        """The sum of squares of the Laplacian, which the solution minimises, of each channel."""
        x = self.values
        u = np.zeros_like(x)
        for a, b, weight in edges(x.shape[:-1], (1,), self.spacing):
            difference = weight * (x[b] - x[a])
            u[a] += difference
            u[b] -= difference
        return np.array([np.vdot(u[..., c], u[..., c]) for c in range(u.shape[-1])])


def _direct_is_faster(mask: np.ndarray, channels: int) -> bool:
    """Whether a factorisation is faster than multigrid: for few unknowns, and for thin or small holes."""
    unknowns = int(np.count_nonzero(mask))
    if unknowns <= ALWAYS_DIRECT_UNKNOWNS:
        return True
    if unknowns > min(MAX_DIRECT_UNKNOWNS, MAX_DIRECT_FRACTION * mask.size):
        return False

    from scipy.ndimage import find_objects, generate_binary_structure, label  # slow to load

    holes, _ = label(mask, generate_binary_structure(mask.ndim, mask.ndim))
    sizes = np.bincount(holes.ravel())
    sizes[0] = 0
    widths = sizes ** (1 - 1 / mask.ndim)
    boxes = (sizes ** (1 / mask.ndim) + 2 * STENCIL_RADIUS) ** mask.ndim
    boxes[0] = 0
    large = np.flatnonzero(sizes > MIN_SHAPED_PIXELS)
    number = np.zeros(sizes.size, holes.dtype)
    number[large] = np.arange(1, large.size + 1)
    for hole, box in zip(large, find_objects(number[holes]), strict=True):
        extents = np.array([edge.stop - edge.start for edge in box])
        widths[hole] = sizes[hole] / extents.max()
        boxes[hole] = (extents + 2 * STENCIL_RADIUS).prod()
    multigrid = channels * min(US_PER_BOX_PIXEL * boxes.sum(), US_PER_IMAGE_PIXEL * mask.size)
    return bool(np.sum(sizes * (US_PER_UNKNOWN + US_PER_WIDTH * widths)) < multigrid)
