"""What an energy is, and how energies add up."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar, NoReturn

import numpy as np

from skinpaint.energies.fused import Fused

__all__ = [
    "Differences",
    "Energy",
    "Sum",
    "check_not_negative",
    "first_differences",
    "on_grid",
    "rounded",
    "terms_of",
    "value_at",
]


class Energy(ABC):
    """An energy. Sums and non-negative multiples of energies are energies, too.

    Attributes
    ----------
    convex : bool or None
        Whether the energy is known to be convex; None if that is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint.energies import dirichlet, lines
    >>> mixed = 2 * lines + dirichlet / 4
    >>> mixed.convex
    True
    >>> float(mixed(np.array([0.0, 4.0])))  # 2 * 4 + 16 / 4
    12.0
    >>> (mixed + (lambda x: x.sum())).convex is None
    True
    """

    __array_ufunc__ = None  # so that a NumPy number times an energy calls __rmul__ here

    @property
    @abstractmethod
    def convex(self) -> bool | None: ...

    @abstractmethod
    def __call__(self, x: Any) -> Any:
        """Energy of `x`; autograd differentiates it."""

    def __add__(self, other: Any) -> Energy:
        """Sum of this energy and another energy or callable; 0 adds nothing."""
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
            "Energies can be added and multiplied by numbers of at least 0; a difference is not convex. "
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

    Raises
    ------
    ValueError
        If a coefficient is negative or not finite: the sum would not be convex.

    Examples
    --------
    >>> from skinpaint.energies import bending, lines
    >>> (2 * lines + bending / 2).terms == ((2.0, lines), (0.5, bending))
    True
    """

    terms: tuple[tuple[float, Callable[[Any], Any]], ...]

    def __post_init__(self) -> None:
        for c, _ in self.terms:
            if not 0 <= c < math.inf:
                raise ValueError(
                    f"The factor of an energy must be a finite number of at least 0, or the product is not convex. "
                    f"Got {c!r} instead. Write 'lambda x: {c!r} * energy(x)' if you mean it."
                )

    @property
    def convex(self) -> bool | None:
        """True if all terms are known to be convex, otherwise None."""
        return True if all(getattr(energy, "convex", None) is True for _, energy in self.terms) else None

    def __call__(self, x: Any) -> Any:
        """Energy of `x`; autograd differentiates it."""
        return sum(c * value_at(energy, x) for c, energy in self.terms)


class Differences(Fused, Energy):
    """A convex energy of differences between pixels. Those of first order have a majorizer and a dual bound."""

    convex: ClassVar[bool] = True
    order: ClassVar[int] = 1
    """Order of the differences. The methods below, `grouped_by` and `lags` are for order 1."""
    grouped_by: ClassVar[str] = "line"
    """What the differences of one norm have in common: "line" or "pixel"; see `skinpaint.grid.differences.groups`."""
    points: ClassVar[Any] = None
    """The pixels that an energy of a list is on; None for an energy of images."""
    lags: tuple[int, ...]

    def rounded(self, radius: float) -> Differences:
        """The energy with its norms replaced by parabolas below `radius`; itself if it has no norms."""
        return self

    def edges(self, kept: Any, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], Any]]:
        """The quadratic ``sum w d^2 / 2`` that touches the energy from above: axis, lag and weights w of its edges.

        The weights follow from what `forward` kept. They are a number, or an array with the weight of each edge at the
        edge's lower end.
        """
        raise NotImplementedError

    def dual(self, x: np.ndarray, spacing: tuple[float, ...], kept: Any) -> tuple[Any, float]:
        """The weights for `backward`: `kept`, clipped to dual feasibility at `x`; and the conjugate there."""
        energy, now = self.forward(x, spacing, keep=True)
        return self.clip(kept, now, energy)

    def measure(self, sums: np.ndarray) -> tuple[float, np.ndarray]:
        """The energy of groups of differences, given their sums of squares, and the weight of each group."""
        raise NotImplementedError

    def clip(self, kept: Any, now: Any, energy: float) -> tuple[Any, float]:
        """What `dual` gives, from the weights that were kept, those of the groups as they are now, and the energy."""
        raise NotImplementedError

    def bounded(self, weights: np.ndarray) -> np.ndarray:
        """The weights of groups in the quadratic, where they may not grow without limit."""
        return weights


def on_grid(energy: Energy, spacing: tuple[float, ...]) -> Energy:
    """The energy with this spacing, for those of its terms that have none.

    Examples
    --------
    >>> from skinpaint.energies import lines
    >>> on_grid(lines, (1.0, 2.0))
    Lines(lags=(1, 2), spacing=(1.0, 2.0), rounding=0.0)
    """
    return _changed(energy, lambda term: replace(term, spacing=spacing) if term.spacing is None else term)


def rounded(energy: Any, radius: float) -> Any:
    """The energy with all its norms replaced by parabolas below `radius` or more, so that it is differentiable.

    Examples
    --------
    >>> from skinpaint.energies import lines, total_variation
    >>> rounded(lines + total_variation, 0.1).terms[0]
    (1.0, Lines(lags=(1, 2), spacing=None, rounding=0.1))
    """
    return _changed(energy, lambda term: term.rounded(radius))


def _changed(energy: Energy, change: Callable[[Any], Any]) -> Energy:
    """The energy with `change` applied to each term of differences."""
    if not isinstance(energy, Sum):
        return change(energy) if isinstance(energy, Differences) else energy
    return Sum(tuple((c, change(term) if isinstance(term, Differences) else term) for c, term in energy.terms))


def first_differences(
    shape: tuple[int, ...], lags: tuple[int, ...], spacing: tuple[float, ...]
) -> tuple[tuple[int, int, float], ...]:
    """Axis, lag and factor of all first differences; an axis of length 1 has none."""
    return tuple((axis, lag, 1 / h) for axis, h in enumerate(spacing) if shape[axis] > 1 for lag in lags)


def terms_of(energy: Any) -> tuple[tuple[float, Any], ...]:
    """The coefficients and energies that an energy is the sum of."""
    return energy.terms if isinstance(energy, Sum) else ((1.0, energy),)


def value_at(energy: Any, x: Any) -> Any:
    """Energy of `x`. One of the user's own gets a copy: it may write into its argument, where autograd would not."""
    ours = isinstance(energy, Differences | Sum) or not isinstance(x, np.ndarray)
    return energy(x if ours else x.copy())


def check_not_negative(name: str, value: Any, owner: Any) -> None:
    if not isinstance(value, Real) or not 0 <= float(value) < math.inf:
        raise ValueError(
            f"The '{name}' parameter of {type(owner).__name__} must be a finite number of at least 0. "
            f"Got {value!r} instead."
        )
