"""What "smooth" means: energies of an image, written so that autograd differentiates them.

An energy is any callable ``f(x) -> float`` on one channel `x`, an array of any number of axes with
values in [0, 1]. The ones here are frozen settings with a ``__call__``; `lines` and `dirichlet` are
ready-made instances of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive

from skinpaint.grid import check_lags
from skinpaint.grid.lines import line_lengths, spread_lengths

__all__ = ["Dirichlet", "Energy", "Lines", "dirichlet", "lines"]

Energy = Callable[[Any], Any]


@primitive
def lengths(x: np.ndarray, lags: tuple[int, ...], spacing: tuple[float, ...], rounding: float = 0.0) -> np.ndarray:
    """Euclidean lengths of the differences along all lines: one for each line, and with lag 2 one for each parity.

    Where a length is 0 its derivative is taken to be 0, which is a subgradient. Lengths below `rounding` are replaced
    by the parabola that continues them smoothly to 0, which adds at most ``rounding / 2`` to each.

    Returns
    -------
    lengths : ndarray of shape (number of lines and parities,)
        Axis after axis, divided by the spacing of the axis.
    """
    size = line_lengths(x, lags, spacing)
    if rounding > 0:
        size = np.where(size < rounding, size**2 / (2 * rounding) + rounding / 2, size)
    return size


def _lengths_vjp(
    ans: np.ndarray, x: np.ndarray, lags: tuple[int, ...], spacing: tuple[float, ...], rounding: float = 0.0
) -> Callable:
    size = np.maximum(ans, rounding)  # of a parabola the weight is constant

    def vjp(g: np.ndarray) -> np.ndarray:
        weights = np.divide(g, size, out=np.zeros_like(size), where=size > 0)
        return spread_lengths(x, weights, lags, spacing)

    return vjp


defvjp(lengths, _lengths_vjp, argnums=(0,))


@dataclass(frozen=True, kw_only=True)
class Lines:
    r"""The article's energy: one Euclidean norm, not squared, a line and lag.

    For every 1-D line :math:`l` along every axis, with neighbour distance :math:`h` along it,

    .. math:: E = \sum_l \frac{|D l| + |D l_{even}| + |D l_{odd}|}{h},

    where :math:`D` takes differences between neighbours, and the even- and odd-indexed entries of a
    line are lines of their own (lag 2). It is convex and homogeneous: edges may stay sharp as long as
    they are few on their line.

    Parameters
    ----------
    lags : tuple of int, (1,) or (1, 2)
        Distances between the pixels that are compared; ``(1,)`` leaves the even and odd terms out.
    spacing : tuple of float, optional
        Distance between neighbours along each axis; 1 by default.
    rounding : float
        Norms below this are rounded off to a parabola, so that the energy has a gradient everywhere; each
        adds at most half of it. Norms above are not changed. 0 is the article's energy to the letter.

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
        check_lags(self.lags, "Lines")

    def __call__(self, x: Any) -> Any:
        """Energy of `x`; autograd differentiates it."""
        return anp.sum(lengths(x, self.lags, _spacing(self.spacing, x.ndim), self.rounding))


@dataclass(frozen=True, kw_only=True)
class Dirichlet:
    r"""Sum of the squared differences between neighbours: the quadratic twin of :class:`Lines`.

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
        check_lags(self.lags, "Dirichlet")

    def __call__(self, x: Any) -> Any:
        """Energy of `x`; autograd differentiates it."""
        return anp.sum(lengths(x, self.lags, _spacing(self.spacing, x.ndim)) ** 2)


lines = Lines()
dirichlet = Dirichlet()


def _spacing(spacing: tuple[float, ...] | None, ndim: int) -> tuple[float, ...]:
    return (1.0,) * ndim if spacing is None else tuple(spacing)
