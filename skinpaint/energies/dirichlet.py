"""The quadratic energy: squared differences between neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from skinpaint.energies.base import Differences, first_differences
from skinpaint.grid import check_lags
from skinpaint.grid.differences.lines import line_lengths, spread_lengths

__all__ = ["Dirichlet"]


@dataclass(frozen=True, kw_only=True)
class Dirichlet(Differences):
    r"""Sum of the squared differences between neighbours: :class:`Lines` with squares in place of norms.

    .. math:: E = \sum_{edges} (x_i - x_j)^2 / h^2.

    Its minimum over the missing pixels is the solution of a sparse linear system, which
    ``method="laplace"`` solves in closed form.

    Parameters
    ----------
    lags : tuple of int, (1,) or (1, 2)
        Distances between the pixels that are compared.
    spacing : tuple of float, optional
        Distance between neighbours along each axis; 1 by default. An edge weighs :math:`1/h^2`
        whatever its lag.

    Raises
    ------
    ValueError
        If `lags` is neither (1,) nor (1, 2).

    Examples
    --------
    >>> import numpy as np
    >>> float(Dirichlet()(np.array([0.0, 3.0, 7.0])))
    25.0
    >>> float(Dirichlet(lags=(1, 2))(np.array([0.0, 3.0, 7.0])))
    74.0
    """

    lags: tuple[int, ...] = (1,)
    spacing: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "lags", check_lags(self.lags, "Dirichlet"))

    def forward(self, x: np.ndarray, spacing: tuple[float, ...], *, keep: bool) -> tuple[float, Any]:
        """Sum of the squared lengths of all lines, and the weights of the lines."""
        return line_lengths(x, self.lags, spacing, 2)

    def backward(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any, gain: float) -> np.ndarray:
        """Weighted differences, transposed."""
        return spread_lengths(x, kept, gain)

    def edges(self, kept: Any, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], Any]]:
        """The energy is its own quadratic."""
        spacing = self.spacing_for(len(shape))
        return (((axis, lag), 2 * c**2) for axis, lag, c in first_differences(shape, self.lags, spacing))

    def measure(self, sums: np.ndarray) -> tuple[float, np.ndarray]:
        """The sum of the squares, and twice that as a derivative."""
        return float(sums.sum()), np.full(sums.shape, 2.0)

    def clip(self, kept: Any, now: Any, energy: float) -> tuple[Any, float]:
        """The conjugate of a square, at its derivative, equals the square."""
        return kept, energy
