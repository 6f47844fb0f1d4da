"""Total variation: one norm for each pixel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skinpaint.energies.base import Differences, check_not_negative, first_differences
from skinpaint.grid import check_lags
from skinpaint.grid.differences.norms import pixel_norms, spread_norms

__all__ = ["TotalVariation"]

MAX_WEIGHT = 1e6  # of an edge: norms below one over this count as this long in the quadratic
MIN_SQUARE = 1e-290  # where a norm is zero all differences are, so any finite number serves as one over it


@dataclass(frozen=True, kw_only=True)
class TotalVariation(Differences):
    r"""Total variation: for each pixel one norm, of the differences to its neighbours ahead along all axes.

    .. math:: E = \sum_i \sqrt{\textstyle\sum_a (D_a x)_i^2 / h_a^2 + eps^2} - eps

    At the far border there is no neighbour ahead, and the difference is left out. The energy is convex, and close to
    the total length of the level lines. It favours flat regions with sharp edges between them. With lags (1, 2) the
    differences between pixels two apart have norms of their own.

    Parameters
    ----------
    eps : float
        Differences well below this, of values in [0, 1], count by their squares, so that the energy has a gradient
        everywhere. 0 is the textbook definition of total variation.
    lags : tuple of int, (1,) or (1, 2)
        Distances between the pixels that are compared.
    spacing : tuple of float, optional
        Distance between neighbours along each axis; 1 by default.
    joint : bool
        The last axis holds channels, and all channels of a pixel share one norm (vectorial total variation). This
        favours edges at the same place in all channels. For ``GradientDescent(energy=..., joint_channels=True)``.

    Raises
    ------
    ValueError
        If `lags` is neither (1,) nor (1, 2), or `eps` is no finite number of at least 0.

    References
    ----------
    L. I. Rudin, S. Osher and E. Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D 60
    (1992). :doi:`10.1016/0167-2789(92)90242-F`

    R. Acar and C. R. Vogel, "Analysis of bounded variation penalty methods for ill-posed problems", Inverse Problems
    10 (1994), for `eps`. :doi:`10.1088/0266-5611/10/6/003`

    X. Bresson and T. F. Chan, "Fast dual minimization of the vectorial total variation norm and applications to color
    image processing", Inverse Problems and Imaging 2 (2008), for `joint`. :doi:`10.3934/ipi.2008.2.455`

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.array([[0.0, 4.0], [3.0, 3.0]])
    >>> float(TotalVariation(eps=0)(grey))  # |(3, 4)| + |-1| + |0|
    6.0
    >>> colours = np.array([[0.0, 0.0], [3.0, 4.0]])  # two pixels
    >>> float(TotalVariation(eps=0, joint=True)(colours))  # |(3, 4)|
    5.0
    """

    eps: float = 1e-2
    lags: tuple[int, ...] = (1,)
    spacing: tuple[float, ...] | None = None
    joint: bool = False  # type: ignore[misc]

    grouped_by = "pixel"

    def __post_init__(self) -> None:
        object.__setattr__(self, "lags", check_lags(self.lags, "TotalVariation"))
        check_not_negative("eps", self.eps, self)

    def forward(self, x: np.ndarray, spacing: tuple[float, ...], *, keep: bool) -> tuple[float, Any]:
        """Sum of the norms, and the inverse of each norm."""
        return pixel_norms(x, self.lags, spacing, float(self.eps), keep=keep)

    def backward(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any, gain: float) -> np.ndarray:
        """Differences over their norms, transposed; 0 where the norm is 0, which is a subgradient."""
        return spread_norms(x, self.lags, spacing, kept, gain)

    def rounded(self, radius: float) -> TotalVariation:
        """A larger eps."""
        return replace(self, eps=max(self.eps, radius))

    def edges(self, kept: Any, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], Any]]:
        """All edges ahead of a pixel have the same weight, one over its norm."""
        spacing = self.spacing_for(len(shape) + self.joint)
        inverse = self.bounded(kept).reshape(len(self.lags), *shape, -1)[..., 0]
        each = dict(zip(self.lags, inverse, strict=True))
        return (((axis, lag), c**2 * each[lag]) for axis, lag, c in first_differences(shape, self.lags, spacing))

    def dual(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any) -> tuple[Any, float]:
        """All channels of a joint energy hold the same weights."""
        weights, conjugate = super().dual(x, spacing, kept)
        return weights, conjugate / (x.shape[-1] if self.joint else 1)

    def measure(self, sums: np.ndarray) -> tuple[float, np.ndarray]:
        """The sum of the norms, and one over each."""
        norms = np.sqrt(np.maximum(sums + self.eps**2, MIN_SQUARE))
        return float((sums / (norms + self.eps)).sum()), 1 / norms

    def clip(self, kept: Any, now: Any, energy: float) -> tuple[Any, float]:
        """Differences of length 1 at most; the conjugate of the smoothed norm follows from their length."""
        weights = np.minimum(kept, now)
        if not self.eps:
            return weights, 0.0
        left = np.sqrt(np.maximum(1 - (weights / now) ** 2 + (weights * self.eps) ** 2, 0))
        return weights, float(self.eps * (1 - left).sum())

    def bounded(self, weights: np.ndarray) -> np.ndarray:
        """No weight is above MAX_WEIGHT."""
        return np.minimum(weights, MAX_WEIGHT)
