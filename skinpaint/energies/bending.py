"""The bending energy of a thin plate: squared second differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from skinpaint.energies.base import Differences
from skinpaint.grid.differences.curvature import second_differences, spread_second_differences

__all__ = ["Bending"]


@dataclass(frozen=True, kw_only=True)
class Bending(Differences):
    r"""Bending energy of a thin plate: the sum of the squares of all second differences.

    .. math:: E = \sum_a |D_{aa} x|^2 / h_a^4 + 2 \sum_{a < b} |D_{ab} x|^2 / (h_a h_b)^2

    Differences that would cross the border are left out, so a plane has energy zero. The minimum continues slopes into
    holes. It is unique if only one plane fits the known pixels.

    Parameters
    ----------
    spacing : tuple of float, optional
        Distance between neighbours along each axis; 1 by default.

    References
    ----------
    J. Duchon, "Splines minimizing rotation-invariant semi-norms in Sobolev spaces", Lecture Notes in Mathematics
    571 (1977). :doi:`10.1007/BFb0086566`

    Examples
    --------
    >>> import numpy as np
    >>> float(Bending()(np.array([0.0, 1.0, 2.0, 4.0])))
    1.0
    >>> float(Bending()(np.array([[0.0, 0.0], [0.0, 1.0]])))  # twist
    2.0
    """

    order: ClassVar[int] = 2
    spacing: tuple[float, ...] | None = None

    def forward(self, x: np.ndarray, spacing: tuple[float, ...], *, keep: bool) -> tuple[float, Any]:
        """Sum of the squares; `backward` needs nothing else."""
        return second_differences(x, spacing), None

    def backward(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any, gain: float) -> np.ndarray:
        """Second differences, transposed."""
        return spread_second_differences(x, spacing, gain)
