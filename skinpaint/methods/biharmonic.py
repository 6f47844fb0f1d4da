"""The closed form of fourth order: the fill with the least bending, by one linear system for each mask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skinpaint.grid.axes import drop_short_axes, long_axes
from skinpaint.grid.biharmonic import STENCIL_RADIUS
from skinpaint.methods.closed_form import ClosedForm, Solved, Solver
from skinpaint.problem import Problem

if TYPE_CHECKING:
    from skinpaint.grid.biharmonic.parts import Parts
    from skinpaint.trust.field import Field

__all__ = ["Biharmonic"]

MAX_CYCLES = 200  # 10 to 20 are usual
MAX_SOLVES = 20  # with the same factors; 2 are usual

# What each solver takes for a part of the mask, as measured, in microseconds.
US_PER_WORK = 0.00025  # of a factorisation
US_PER_BOX_PIXEL = 1.2  # of the part's bounding box, for multigrid and each channel
MULTIGRID_US = 11_000  # whatever the size
MAX_FACTOR_ENTRIES = 2**27  # of one part: 1 GB


@dataclass(frozen=True, kw_only=True, eq=False)
class Biharmonic(ClosedForm):
    r"""Biharmonic fill: solve :math:`(L^2)_{UU} x_U = -(L^2)_{UK} x_K` for the missing pixels U.

    L is the Laplacian of the whole grid, with reflecting borders. The answer minimises the sum of squares of L x over
    all pixels, known ones included, and is unique. It continues slopes, where a harmonic fill flattens out. So it may
    leave the range of the known pixels; Inpainter then clips it to the bounds. scikit-image's ``inpaint_biharmonic``
    solves the same system.

    Parameters
    ----------
    solver : {"auto", "multigrid", "direct"}
        "multigrid" is the method of conjugate gradients, preconditioned by multigrid. It takes time in proportion to
        the number of missing pixels. "direct" is a Cholesky factorisation, or SciPy's SuperLU for wide holes; its
        answer is refined by solving for the error. "auto" is "direct" for the parts of the mask where that is faster
        (dust, text, scratches, small holes), and "multigrid" for the others.
    tol : float in (0, 1)
        Stop when the estimated error of every value is at most this, as a fraction of the known range. The system is so
        ill-conditioned (up to :math:`10^9` and more) that its residual says little. The error is estimated from the
        changes in the last iterations.
    noise : float, ndarray, "estimate" or None
        Standard deviation of the noise of known pixels, in the image's units: one, or one for each pixel (infinite
        or masked means missing). Then known pixels are measurements, and are smoothed as well. "estimate" finds it in
        the flattest parts of the image. None, or 0: known pixels are exact.
    robust : bool
        With `noise`: whether measurements that are far off count less.

    Raises
    ------
    TypeError
        If a setting is unknown.
    ValueError
        If a setting is not what is said above.

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

    def auto(self, image: Image, mask: np.ndarray, channels: int) -> Iterable[tuple[Sequence[str], np.ndarray]]:
        """A factorisation for the parts of the mask where it is faster, multigrid for the others."""
        from skinpaint.grid.biharmonic.parts import Parts, TooWide  # compiled kernels take a while to load

        whole = _multigrid_us(channels * mask.size)  # for the whole image, which is no waste if most of it is missing
        try:
            most = whole / US_PER_WORK if 2 * np.count_nonzero(mask) > mask.size else np.inf
            parts = Parts(mask, image.spacing, most)
        except TooWide:
            return [(["multigrid"], mask)]
        wide = _wide(parts, mask.shape, channels)
        if not wide.any():
            image.parts = parts
            return [(["direct"], mask)]
        thin = mask & ~wide
        return [(["direct"], thin), (["multigrid"], wide)] if thin.any() else [(["multigrid"], mask)]

    def multigrid(self, image: Image, mask: np.ndarray, channels: list[int]) -> list[Solved]:
        """Fill `channels` by multigrid."""
        from skinpaint.grid.biharmonic.multigrid import BiharmonicSystem
        from skinpaint.grid.holes import cut_out, solve_holes

        spacing = tuple(image.spacing[axis] for axis in long_axes(mask.shape))
        cuts = cut_out(drop_short_axes(mask), margin=STENCIL_RADIUS)
        return solve_holes(
            ((cut, BiharmonicSystem(cut.state, spacing)) for cut in cuts),
            [drop_short_axes(image.values[..., c]) for c in channels],
            lambda system, x: (*system.improve(x, tol=self.tol, max_iter=MAX_CYCLES), "multigrid"),
        )

    def direct(self, image: Image, mask: np.ndarray, channels: list[int]) -> list[Solved]:
        """Fill `channels` by a factorisation."""
        from skinpaint.grid.biharmonic.direct import solve
        from skinpaint.grid.biharmonic.parts import Parts

        parts, image.parts = image.parts or Parts(mask, image.spacing), None
        return [(*solve(parts, image.values, channels, tol=self.tol, max_iter=MAX_SOLVES), "direct")]


@dataclass(eq=False)
class Image:
    """The values that are filled in place, and the distance between pixels along each axis."""

    values: np.ndarray
    spacing: tuple[float, ...]
    parts: Parts | None = None  # of the mask that is factorised next, if they are known

    def energies(self) -> np.ndarray:
        """The sum of squares of the Laplacian, which the solution minimises, of each channel."""
        from skinpaint.grid.biharmonic.energy import energies

        return energies(self.values, self.spacing)


def _wide(parts: Parts, shape: tuple[int, ...], channels: int) -> np.ndarray:
    """The mask of the parts for which multigrid is faster than a factorisation, or the factors would be too large."""
    wide = np.zeros(shape, bool)
    direct = US_PER_WORK * parts.work
    too_large = parts.work * parts.sizes > MAX_FACTOR_ENTRIES**2
    for k in np.flatnonzero((direct > MULTIGRID_US) | too_large):
        pixels = parts.pixels[parts.starts[k] :][: parts.sizes[k]]
        extents = [np.ptp(i) + 1 + 2 * STENCIL_RADIUS for i in np.unravel_index(pixels, shape)]
        box = np.prod(np.minimum(extents, shape))
        wide.reshape(-1)[pixels] = too_large[k] or _multigrid_us(channels * float(box)) < direct[k]
    return wide


def _multigrid_us(pixels: float) -> float:
    """How long multigrid takes for so many pixels of all channels, in microseconds."""
    return MULTIGRID_US + US_PER_BOX_PIXEL * pixels
