"""The closed form: the smoothest fill in the sense of squared differences, by one linear system for each mask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skinpaint.grid import check_lags
from skinpaint.methods.closed_form import ClosedForm, Solved, Solver
from skinpaint.problem import Problem

if TYPE_CHECKING:
    from skinpaint.grid.harmonic.fill import Canvas, Sheets
    from skinpaint.trust.field import Field

__all__ = ["Laplace"]

MAX_DIRECT_UNKNOWNS = 1000  # up to here a factorisation is faster than multigrid, as measured


@dataclass(frozen=True, kw_only=True, eq=False)
class Laplace(ClosedForm):
    r"""Harmonic fill: solve :math:`L_{UU} x_U = -L_{UK} x_K` for the missing pixels U.

    The answer minimises the sum of squared differences between neighbours (the energy "dirichlet"), is
    unique, and stays within the range of the known pixels.

    Parameters
    ----------
    lags : (1,) or (1, 2)
        Distances between the pixels that are compared; (1, 2) is the energy "lines" with squared differences.
    solver : {"auto", "multigrid", "direct"}
        "multigrid" is the method of conjugate gradients, preconditioned by multigrid, or by a Cholesky factor in single
        precision where holes are narrow. Its cost is proportional to the number of missing pixels. "direct" factorises
        the matrix with SciPy's SuperLU; it is the independent reference. "auto" is "direct" up to a thousand missing
        pixels, where that is faster, and "multigrid" above. If "multigrid" fails, as it may in gaps of several hundred
        thousand samples of a signal, where single precision is not enough, "auto" turns to "direct".
    tol : float in (0, 1)
        Relative residual at which "multigrid" stops. Double precision allows 1e-10 and less.
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

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint import inpaint
    >>> inpaint(np.array([0.0, np.nan, np.nan, 3.0]), method="laplace").round(6)
    array([0., 1., 2., 3.])
    """

    lags: tuple[int, ...] = (1,)
    solver: Solver = "auto"
    tol: float = 1e-6
    noise: float | np.ndarray | str | None = None
    robust: bool = False

    accuracy = "residual"
    accuracy_is = "relative residual is {:.1g}"

    def __post_init__(self) -> None:
        object.__setattr__(self, "lags", check_lags(self.lags, "Laplace"))
        self.check_solver()

    def field(self, mask: np.ndarray, spacing: tuple[float, ...]) -> Field:
        """The field of which the fill is the mean."""
        from skinpaint.trust.field import Field

        return Field(mask, 1, spacing, self.lags)

    def begin(self, problem: Problem) -> Canvas | Sheets:
        """The missing pixels where they are few, else the image in the memory that multigrid works in."""
        from skinpaint.grid.harmonic.fill import Canvas, Harmonic, Sheets  # compiled kernels take a while to load

        harmonic = Harmonic(problem.shape[:-1], self.lags, problem.spacing)
        if problem.sparse:
            return Sheets(problem, harmonic)
        canvas = Canvas(harmonic, problem.shape[-1])
        problem.write(canvas.values)
        return canvas

    def auto(
        self, image: Canvas | Sheets, mask: np.ndarray, channels: int
    ) -> Iterable[tuple[Sequence[str], np.ndarray]]:
        """The factorisation for few unknowns, else multigrid, and the factorisation if that fails."""
        few = np.count_nonzero(mask) <= MAX_DIRECT_UNKNOWNS
        return [(["direct"] if few else ["multigrid", "direct"], mask)]

    def multigrid(self, image: Canvas | Sheets, mask: np.ndarray, channels: list[int]) -> list[Solved]:
        """Fill `channels` by multigrid, or by factors where holes are narrow."""
        return image.solve(mask, channels, self.tol)

    def direct(self, image: Canvas | Sheets, mask: np.ndarray, channels: list[int]) -> list[Solved]:
        """Fill `channels` by SuperLU."""
        from skinpaint.grid.harmonic.direct import solve_directly

        return solve_directly(image, mask, channels)
