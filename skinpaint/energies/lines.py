"""The article's energy: one norm for each line and lag."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skinpaint.energies.base import Differences, check_not_negative
from skinpaint.grid import check_lags
from skinpaint.grid.differences.lines import line_lengths, line_weights, spread_lengths, weigh

__all__ = ["Lines"]


@dataclass(frozen=True, kw_only=True)
class Lines(Differences):
    r"""The article's energy: for each line and lag one Euclidean norm, not squared.

    For every 1-D line :math:`l` along every axis, with neighbour distance :math:`h` along it,

    .. math:: E = \sum_l \frac{|D l| + |D l_{even}| + |D l_{odd}|}{h},

    where :math:`D` takes differences between neighbours, and the even- and odd-indexed entries of a
    line are lines of their own (lag 2). The energy is convex and homogeneous. It allows sharp edges, as long as
    a line has few of them.

    Parameters
    ----------
    lags : tuple of int, (1,) or (1, 2)
        Distances between the pixels that are compared; ``(1,)`` leaves out the even and odd terms.
    spacing : tuple of float, optional
        Distance between neighbours along each axis; 1 by default.
    rounding : float
        Norms below this are replaced by a parabola, so that the energy has a gradient everywhere. This adds at most
        ``rounding / 2`` to each norm. Longer norms do not change. 0 is the article's definition.

    Raises
    ------
    ValueError
        If `lags` is neither (1,) nor (1, 2), or `rounding` is no finite number of at least 0.

    Examples
    --------
    >>> import numpy as np
    >>> float(Lines(lags=(1,))(np.array([0.0, 3.0, 7.0])))  # |(3, 4)|
    5.0
    >>> float(Lines()(np.array([0.0, 3.0, 7.0])))  # 5 + |7 - 0| + |nothing|
    12.0
    """

    lags: tuple[int, ...] = (1, 2)
    spacing: tuple[float, ...] | None = None
    rounding: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "lags", check_lags(self.lags, "Lines"))
        check_not_negative("rounding", self.rounding, self)

    def forward(self, x: np.ndarray, spacing: tuple[float, ...], *, keep: bool) -> tuple[float, Any]:
        """Sum of the lengths, and the weights of the lines."""
        return line_lengths(x, self.lags, spacing, 1, self.rounding)

    def backward(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any, gain: float) -> np.ndarray:
        """Weighted differences, transposed; 0 where the length is 0, which is a subgradient."""
        return spread_lengths(x, kept, gain)

    def rounded(self, radius: float) -> Lines:
        """Parabolas below `radius`."""
        return replace(self, rounding=max(self.rounding, radius))

    def edges(self, kept: Any, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], Any]]:
        """All edges of a line and lag have the same weight."""
        return line_weights(kept, shape, self.lags)

    def measure(self, sums: np.ndarray) -> tuple[float, np.ndarray]:
        """The sum of the lengths, and one over each."""
        return weigh(sums, self.rounding)

    def clip(self, kept: Any, now: Any, energy: float) -> tuple[Any, float]:
        """Differences of length 1 at most; the conjugate of a norm is zero."""
        if isinstance(kept, list):  # one array for each axis
            return [np.minimum(one, other) for one, other in zip(kept, now, strict=True)], 0.0
        return np.minimum(kept, now), 0.0
