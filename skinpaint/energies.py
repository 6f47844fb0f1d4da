"""What "smooth" means: energies of an image, written so that autograd differentiates them.

An energy is any callable ``f(x) -> float`` on one channel `x`, an array of any number of axes with
values in [0, 1]. The ones here are frozen settings with a ``__call__``; `lines`, `dirichlet`, `total_variation` and
`bending` are ready-made instances of them. Positive multiples and sums of them are energies again.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from numbers import Real
from typing import Any, ClassVar, NoReturn

import numpy as np

from skinpaint.fused import Fused
from skinpaint.grid import check_lags
from skinpaint.grid.curvature import second_differences, spread_second_differences
from skinpaint.grid.lines import line_lengths, line_weights, spread_lengths
from skinpaint.grid.norms import pixel_norms, spread_norms

__all__ = [
    "Bending",
    "Dirichlet",
    "Energy",
    "Lines",
    "Part",
    "Sum",
    "TotalVariation",
    "bending",
    "dirichlet",
    "lines",
    "on_grid",
    "rounded",
    "terms_of",
    "total_variation",
]


@dataclass(frozen=True, kw_only=True)
class Part:
    r"""A sum of norms or of squares of differences: what the energies of this module are made of.

    With :math:`v = K x` the differences named by `terms`, in groups :math:`v_g`,

    .. math:: E(x) = weight \sum_g \left( \sqrt{|v_g|^2 + eps^2} - eps \right)
       \quad\text{or}\quad weight \sum |v|^2

    for the power 1 or 2.

    Attributes
    ----------
    weight : float
        What the sum is multiplied by.
    power : {1, 2}
        Norms or squares.
    terms : tuple of (int, int, float)
        For ``order=1`` an axis, a lag and a coefficient: all ``coefficient * (x[i + lag] - x[i])`` along the axis that
        do not reach over the border. For ``order=2`` two axes, which may be the same, and a coefficient: all
        differences along the one of the differences along the other, likewise.
    groups : {"line", "pixel", "edge"}
        Which differences share a norm. "line": all along a line, those that begin at even places and those
        that begin at odd ones apart if the lag is 2 (so that a line of two entries has three groups, two of them
        empty). "pixel": those of all terms that begin at one pixel. "edge": each alone.
    eps : float
        Rounds the norms off at zero.
    rounding : float
        Norms below this are replaced by the parabola ``|v|^2 / (2 rounding) + rounding / 2``; only where eps is 0.
    order : {1, 2}
        First or second differences.
    joint : bool
        The last axis is that of channels, and those of a pixel share its norm. Otherwise, if there is an axis that no
        term names, each place along it has groups of its own.

    Examples
    --------
    >>> Lines(lags=(1,)).parts((5,))
    (Part(weight=1.0, power=1, terms=((0, 1, 1.0),), groups='line', eps=0.0, rounding=0.0, order=1, joint=False),)
    """

    weight: float
    power: int
    terms: tuple[tuple[int, int, float], ...]
    groups: str
    eps: float = 0.0
    rounding: float = 0.0
    order: int = 1
    joint: bool = False


class Energy(ABC):
    """A convex energy that tells what it is made of. Positive multiples of it, and sums, are energies, too.

    Attributes
    ----------
    convex : bool or None
        Whether the energy is known to be convex; None if that is not known.

    Examples
    --------
    >>> import numpy as np
    >>> mixed = 2 * lines + dirichlet / 4
    >>> mixed.convex
    True
    >>> float(mixed(np.array([0.0, 4.0])))  # 2 * 4 + 16 / 4
    12.0
    >>> (mixed + (lambda x: x.sum())).convex is None
    True
    """

    __array_ufunc__ = None  # a NumPy number times an energy is for the energy to answer

    @property
    @abstractmethod
    def convex(self) -> bool | None: ...

    @abstractmethod
    def __call__(self, x: Any) -> Any:
        """Energy of `x`; autograd differentiates it."""

    @abstractmethod
    def parts(self, shape: tuple[int, ...]) -> tuple[Part, ...]:
        """What the energy of an image of this shape is the sum of."""

    def __add__(self, other: Any) -> Energy:
        """Sum of two energies, the other of which may be any callable; 0 adds nothing."""
        if isinstance(other, Real) and other == 0:
            return self
        return Sum(terms_of(self) + terms_of(other)) if callable(other) else NotImplemented

    def __radd__(self, other: Any) -> Energy:
        if isinstance(other, Real) and other == 0:
            return self
        return Sum(terms_of(other) + terms_of(self)) if callable(other) else NotImplemented

    def __mul__(self, factor: Any) -> Energy:
        """Multiple of the energy."""
        if not isinstance(factor, Real):
            return NotImplemented
        return Sum(tuple((float(factor) * c, energy) for c, energy in terms_of(self)))

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> Energy:
        if not isinstance(divisor, Real):
            return NotImplemented
        return self * (1 / divisor if divisor else math.inf)

    def __neg__(self) -> NoReturn:
        raise TypeError("The negative of an energy is not convex. Write 'lambda x: -energy(x)' if you mean it.")

    def __sub__(self, other: Any) -> NoReturn:
        raise TypeError(
            "Energies can be added and multiplied by numbers >= 0; a difference is not convex. "
            "Write 'lambda x: one(x) - other(x)' if you mean it."
        )

    __rsub__ = __sub__


@dataclass(frozen=True)
class Sum(Energy):
    """Sum of multiples of energies: what ``2 * lines + bending`` is.

    Parameters
    ----------
    terms : tuple of (float, callable)
        Coefficients, 0 or above, and energies.

    Examples
    --------
    >>> (2 * lines + bending / 2).terms == ((2.0, lines), (0.5, bending))
    True
    """

    terms: tuple[tuple[float, Callable[[Any], Any]], ...]

    def __post_init__(self) -> None:
        for c, _ in self.terms:
            if not 0 <= c < math.inf:
                raise ValueError(
                    f"The factor of an energy must be a finite number >= 0, or the product is not convex. Got {c!r} "
                    f"instead. Write 'lambda x: {c!r} * energy(x)' if you mean it."
                )

    @property
    def convex(self) -> bool | None:
        """True if all terms are known to be convex, otherwise None."""
        return True if all(getattr(energy, "convex", None) is True for _, energy in self.terms) else None

    def __call__(self, x: Any) -> Any:
        """Energy of `x`; autograd differentiates it."""
        return sum(c * energy(x) for c, energy in self.terms)

    def parts(self, shape: tuple[int, ...]) -> tuple[Part, ...]:
        """The parts of all terms; a TypeError if a term is not one of this module."""
        out: list[Part] = []
        for c, energy in self.terms:
            if not isinstance(energy, Energy):
                raise TypeError(f"Only the energies of skinpaint.energies know their parts. Got {energy!r} instead.")
            out += [replace(part, weight=c * part.weight) for part in energy.parts(shape)]
        return tuple(out)


class Differences(Fused, Energy):
    """A convex energy of differences between pixels, which tells what is needed to bound it from above and below."""

    convex: ClassVar[bool] = True  # type: ignore[assignment]
    order: ClassVar[int] = 1
    """Of the differences; the methods below are for those of first order."""

    def rounded(self, radius: float) -> Differences:
        """Itself, or with norms that are rounded off at zero."""
        return self

    def edges(self, kept: Any, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], Any]]:
        """Axis and lag, and the weight of each such edge in the quadratic ``w d^2 / 2`` that touches from above.

        A number, or an array with the weight of an edge at its lower end, from what `forward` kept.
        """
        raise NotImplementedError

    def dual(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any) -> tuple[Any, float]:
        """Weights for `backward` at `x`, as near to `kept` as makes the differences a dual variable; its conjugate."""
        raise NotImplementedError


def on_grid(energy: Energy, spacing: tuple[float, ...]) -> Energy:
    """The energy for pixels at these distances, where it has not been told any.

    Examples
    --------
    >>> on_grid(lines, (1.0, 2.0))
    Lines(lags=(1, 2), spacing=(1.0, 2.0), rounding=0.0)
    """
    return _changed(energy, lambda term: replace(term, spacing=spacing) if term.spacing is None else term)


def rounded(energy: Any, radius: float) -> Any:
    """The energy with all its norms rounded off, below `radius` at least.

    Examples
    --------
    >>> rounded(lines + total_variation, 0.1).terms[0]
    (1.0, Lines(lags=(1, 2), spacing=None, rounding=0.1))
    """
    return _changed(energy, lambda term: term.rounded(radius))


def _changed(energy: Energy, change: Callable[[Any], Any]) -> Energy:
    """The energy with each of its differences changed."""
    if not isinstance(energy, Sum):
        return change(energy) if isinstance(energy, Differences) else energy
    return Sum(tuple((c, change(term) if isinstance(term, Differences) else term) for c, term in energy.terms))


def _first_differences(
    shape: tuple[int, ...], lags: tuple[int, ...], spacing: tuple[float, ...]
) -> tuple[tuple[int, int, float], ...]:
    """The terms of all axes that have differences at all."""
    return tuple((axis, lag, 1 / h) for axis, h in enumerate(spacing) if shape[axis] > 1 for lag in lags)


def terms_of(energy: Any) -> tuple[tuple[float, Any], ...]:
    """An energy as a sum of multiples of others."""
    return energy.terms if isinstance(energy, Sum) else ((1.0, energy),)


def _check_not_negative(name: str, value: Any, owner: Any) -> None:
    if not isinstance(value, Real) or not 0 <= float(value) < math.inf:
        raise ValueError(
            f"The '{name}' parameter of {type(owner).__name__} must be a finite number >= 0. Got {value!r} instead."
        )


@dataclass(frozen=True, kw_only=True)
class Lines(Differences):
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
        _check_not_negative("rounding", self.rounding, self)

    def forward(self, x: np.ndarray, spacing: tuple[float, ...], *, keep: bool) -> tuple[float, Any]:
        """Sum of the lengths, and the weights of the lines."""
        return line_lengths(x, self.lags, spacing, 1, self.rounding)

    def backward(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any, gain: float) -> np.ndarray:
        """Weighted differences, transposed; 0 where a length is, which is a subgradient."""
        return spread_lengths(x, kept, gain)

    def rounded(self, radius: float) -> Lines:
        """Parabolas below `radius`."""
        return replace(self, rounding=max(self.rounding, radius))

    def edges(self, kept: Any, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], Any]]:
        """Those of a line weigh the same."""
        return line_weights(kept, shape, self.lags)

    def dual(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any) -> tuple[Any, float]:
        """Lines longer than they were are shortened to length one; the conjugate of a norm is zero."""
        _, inverse = self.forward(x, spacing, keep=True)
        return [np.minimum(one, other) for one, other in zip(kept, inverse, strict=True)], 0.0

    def parts(self, shape: tuple[int, ...]) -> tuple[Part, ...]:
        """One part for each axis and lag."""
        return tuple(
            Part(weight=1.0, power=1, terms=(term,), groups="line", rounding=self.rounding)
            for term in _first_differences(shape, self.lags, self.steps(len(shape)))
        )


@dataclass(frozen=True, kw_only=True)
class Dirichlet(Differences):
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

    def forward(self, x: np.ndarray, spacing: tuple[float, ...], *, keep: bool) -> tuple[float, Any]:
        """Sum of the squared lengths of all lines, and the weights of the lines."""
        return line_lengths(x, self.lags, spacing, 2)

    def backward(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any, gain: float) -> np.ndarray:
        """Weighted differences, transposed."""
        return spread_lengths(x, kept, gain)

    def edges(self, kept: Any, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], Any]]:
        """The quadratic is the energy itself."""
        return (
            ((axis, lag), 2 * c**2) for axis, lag, c in _first_differences(shape, self.lags, self.steps(len(shape)))
        )

    def dual(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any) -> tuple[Any, float]:
        """The conjugate of a square, at its derivative, is the square."""
        return kept, self.forward(x, spacing, keep=False)[0]

    def parts(self, shape: tuple[int, ...]) -> tuple[Part, ...]:
        """One part with all differences."""
        terms = _first_differences(shape, self.lags, self.steps(len(shape)))
        return (Part(weight=1.0, power=2, terms=terms, groups="edge"),)


@dataclass(frozen=True, kw_only=True)
class TotalVariation(Differences):
    r"""Total variation: one norm a pixel, of the differences to its neighbours ahead along all axes.

    .. math:: E = \sum_i \sqrt{\textstyle\sum_a (D_a x)_i^2 / h_a^2 + eps^2} - eps

    At the far border, where there is no neighbour ahead, that difference is left out. It is convex, and near to
    the total length of the level lines: pieces of an image may be flat with sharp edges between them. With lags (1, 2)
    differences between neighbours but one have a norm of their own.

    Parameters
    ----------
    eps : float
        Differences well below this, of values in [0, 1], are squared rather than taken as they are, so that
        the energy has a gradient everywhere. 0 is total variation to the letter.
    lags : tuple of int, (1,) or (1, 2)
        Distances between the pixels that are compared.
    spacing : tuple of float, optional
        Distance between neighbours along each axis; 1 by default.
    joint : bool
        The last axis is that of channels, and all channels of a pixel share its norm (vectorial total variation): edges
        prefer to be at the same place in all of them. For ``GradientDescent(energy=..., joint_channels=True)``.

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
    >>> float(TotalVariation(eps=0)(np.array([[0.0, 4.0], [3.0, 3.0]])))  # |(3, 4)| + |-1| + |0|
    6.0
    >>> colours = np.array([[0.0, 0.0], [3.0, 4.0]])  # two pixels
    >>> float(TotalVariation(eps=0, joint=True)(colours))  # |(3, 4)|
    5.0
    """

    eps: float = 1e-2
    lags: tuple[int, ...] = (1,)
    spacing: tuple[float, ...] | None = None
    joint: bool = False  # type: ignore[misc]

    def __post_init__(self) -> None:
        check_lags(self.lags, "TotalVariation")
        _check_not_negative("eps", self.eps, self)

    def forward(self, x: np.ndarray, spacing: tuple[float, ...], *, keep: bool) -> tuple[float, Any]:
        """Sum of the norms, and one over each."""
        return pixel_norms(x, self.lags, spacing, float(self.eps), keep=keep)

    def backward(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any, gain: float) -> np.ndarray:
        """Differences over their norms, transposed; 0 where a norm is, which is a subgradient."""
        return spread_norms(x, self.lags, spacing, kept, gain)

    def rounded(self, radius: float) -> TotalVariation:
        """A larger eps."""
        return replace(self, eps=max(self.eps, radius))

    def edges(self, kept: Any, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], Any]]:
        """Those ahead of a pixel weigh the same."""
        spacing = self.steps(len(shape) + self.joint)
        inverse = np.minimum(kept, STEEPEST).reshape(len(self.lags), *shape, -1)[..., 0]
        each = dict(zip(self.lags, inverse, strict=True))
        return (((axis, lag), c**2 * each[lag]) for axis, lag, c in _first_differences(shape, self.lags, spacing))

    def dual(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any) -> tuple[Any, float]:
        """Norms longer than they were are shortened to one; eps takes what they leave of the unit ball."""
        _, inverse = self.forward(x, spacing, keep=True)
        weights = np.minimum(kept, inverse)
        if not self.eps:
            return weights, 0.0
        left = np.sqrt(np.maximum(1 - (weights / inverse) ** 2 + (weights * self.eps) ** 2, 0))
        return weights, float(self.eps * (1 - left).sum()) / (x.shape[-1] if self.joint else 1)

    def parts(self, shape: tuple[int, ...]) -> tuple[Part, ...]:
        """One part for each lag."""
        spacing = self.steps(len(shape))
        return tuple(
            Part(
                weight=1.0, power=1, terms=_first_differences(shape, (lag,), spacing), groups="pixel", eps=self.eps,
                joint=self.joint,
            )
            for lag in self.lags
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Bending(Differences):
    r"""Bending energy of a thin plate: the sum of the squares of all second differences.

    .. math:: E = \sum_a |D_{aa} x|^2 / h_a^4 + 2 \sum_{a < b} |D_{ab} x|^2 / (h_a h_b)^2

    Differences that would reach over the border are left out, so that a slope costs nothing, up to the border.
    Its minimum continues slopes into holes, and is unique as soon as the known pixels fix a plane.

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
        """Sum of the squares; nothing need be kept."""
        return second_differences(x, spacing), None

    def backward(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any, gain: float) -> np.ndarray:
        """Second differences, transposed."""
        return spread_second_differences(x, spacing, gain)

    def parts(self, shape: tuple[int, ...]) -> tuple[Part, ...]:
        """One part with all second differences."""
        h = self.steps(len(shape))
        terms = tuple(
            (a, b, (1 if a == b else math.sqrt(2)) / (h[a] * h[b]))
            for a, b in combinations_with_replacement(range(len(h)), 2)
        )
        return (Part(weight=1.0, power=2, terms=terms, groups="edge", order=2),)


STEEPEST = 1e6  # one over the smallest norm that a parabola is laid at
lines = Lines()
dirichlet = Dirichlet()
total_variation = TotalVariation()
bending = Bending()
