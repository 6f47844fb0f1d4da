"""What a restoration returns: the values, how they were reached, and how far they can be trusted."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from enum import StrEnum
from math import inf
from typing import Any, Generic, TypeVar

import numpy as np

__all__ = [
    "TRIVIAL",
    "Callback",
    "ConvergenceWarning",
    "Deferred",
    "Filling",
    "GuessedMaskWarning",
    "Reason",
    "Record",
    "Solution",
    "proven_within",
    "warn",
]


T = TypeVar("T")


class ConvergenceWarning(UserWarning):
    """A method stopped before it reached its tolerance; the message says what to do about it."""


class GuessedMaskWarning(UserWarning):
    """Something about the mask was assumed, or looks wrong; the message says what, and how to be explicit."""


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user's code that called the library."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("skinpaint."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


class Reason(StrEnum):
    """Why a method stopped.

    Examples
    --------
    >>> Reason.MAX_ITER == "max_iter", Reason.MAX_ITER.success, Reason.CONSTANT.success
    (True, False, True)
    """

    CONVERGED = "converged"
    """Its own stopping rule was met."""
    MAX_ITER = "max_iter"
    """It took the largest number of iterations that is allowed."""
    EXHAUSTED = "exhausted"
    """More iterations would change nothing, although the tolerance is not met."""
    STOPPED_BY_CALLBACK = "stopped_by_callback"
    """The callback returned True."""
    INTERRUPTED = "interrupted"
    """The user pressed Ctrl-C. The values are the answer so far."""
    NOTHING_MISSING = "nothing_missing"
    """There was nothing to fill."""
    CONSTANT = "constant"
    """All known pixels are equal, so the missing ones are set to the same value."""

    @property
    def success(self) -> bool:
        """Whether the answer is what the method promises."""
        return self in (Reason.CONVERGED, Reason.NOTHING_MISSING, Reason.CONSTANT)

    @property
    def cut_short(self) -> bool:
        """Whether somebody stopped the method, before it would have stopped by itself."""
        return self in (Reason.STOPPED_BY_CALLBACK, Reason.INTERRUPTED)


TRIVIAL = {
    Reason.NOTHING_MISSING: "Nothing is missing: the image is returned as it came.",
    Reason.CONSTANT: "All known pixels are equal: the missing ones are set to the same value.",
}
"""The statuses of answers for which there was nothing to solve."""


@dataclass(frozen=True, eq=False)
class Filling:
    """The answer of a method that looks at the missing pixels alone.

    Attributes
    ----------
    at : ndarray of int, shape (n,)
        Flat spatial indices of the pixels.
    values : ndarray of shape (n, C)
        Their values.
    whole : callable
        Gives the values of the whole image, in a new array.

    Examples
    --------
    >>> filling = Filling(np.array([1]), np.array([[0.5]]), lambda filling: np.array([[0.0], [0.5]]))
    >>> np.asarray(filling)
    array([[0. ],
           [0.5]])
    """

    at: np.ndarray
    values: np.ndarray
    whole: Callable[[Filling], np.ndarray]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.whole(self), dtype)


class Deferred(Generic[T]):
    """A field of a dataclass that may be given as a `Filling` or a function, and is made when it is first asked for.

    Parameters
    ----------
    default : optional
        The field's default; without it, the field must be given.

    Examples
    --------
    >>> def energy():
    ...     print("computed")
    ...     return 2.5
    >>> record = Record(n_iter=1, energy=energy)
    >>> record.energy, record.energy
    computed
    (2.5, 2.5)
    """

    def __init__(self, *default: T) -> None:
        self.default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> T:
        if instance is None:  # a dataclass asks for the default
            if not self.default:
                raise AttributeError(self.name)
            return self.default[0]
        value = instance.__dict__[self.name]
        if isinstance(value, Filling):
            value = instance.__dict__[self.name] = np.asarray(value)
        elif callable(value):
            value = instance.__dict__[self.name] = value()
        return value

    def __set__(self, instance: Any, value: T | Filling | Callable[[], T]) -> None:
        instance.__dict__[self.name] = value


def _settled(instance: Any) -> dict[str, Any]:
    """The state of a dataclass for a pickle: figures and arrays, and nothing that they would be made from."""
    return {name: getattr(instance, name) for name in instance.__dict__}


@dataclass(frozen=True, kw_only=True)
class Record:
    """One line of a restoration's history.

    Attributes
    ----------
    n_iter : int
        Number of iterations done, starting at 1.
    energy : float or None
        Energy of the current values, summed over the channels; None for methods without an energy. A method may give a
        function that computes it when it is first asked for.
    gap : float or None
        Proven upper bound on ``(energy - minimum) / minimum``, where the method has one.
    change : float
        Largest change of any value in this iteration, as a fraction of the allowed range.
    seconds : float
        Seconds since the method started.
    """

    n_iter: int
    energy: Deferred[float | None] = Deferred(None)
    gap: float | None = None
    change: float = 0.0
    seconds: float = 0.0

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: figures."""
        return _settled(self)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Solution:
    """The answer of a method, before known pixels are written back and values are clipped.

    Attributes
    ----------
    values : ndarray of shape (M[, N[, ..., P]], C)
        What the solver computed, channels last, in the units of a :class:`~skinpaint.problem.Problem` (the bounds are 0
        and 1, unless they are very wide). A method that looks at the missing pixels alone gives a `Filling`. Then this
        array is made when it is first asked for.
    reason : Reason
        Why the method stopped, for programs.
    status : str
        The same for people: a full sentence and, where the method failed, what to do about it.
    n_iter : int
        Number of iterations; 0 if there was nothing to iterate.
    history : tuple of Record
        One record an iteration.
    energy : float or None
        The energy of `values`, where the method minimises one. A method may give a function that computes it when it is
        first asked for; so for `scale`.
    gap : float or None
        Proven upper bound on ``(energy - minimum) / minimum``; None where nothing is proven.
    residual : float or None
        Relative residual of the linear system, where the method solves one.
    error : float or None
        Estimated largest error of any value, as a fraction of the bounds, where the method estimates one.
    scale : ndarray of shape (C,) or None
        Scale of the Gaussian field whose mean is the fill, for each channel in the problem's units, where the method
        has one: for "laplace", what the difference of neighbours would deviate by if nothing else were known. Where
        it smoothed, the edges in `posterior` have weights, and this is for a weight of 1.
    noise : ndarray of shape (C,) or None
        Standard deviation of the noise of each channel's known pixels, in the problem's units, where they were
        smoothed; then `values` are meant for them, too.
    posterior : tuple or None
        The Gaussian field of each channel, where known pixels were smoothed.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint import Inpainter
    >>> Inpainter(method="laplace").fit(np.array([0.0, np.nan, 4.0])).solution_
    <Solution: converged, 1 iteration, energy 0.5, residual 0
     Solved by a factorisation. The relative residual is 0.>
    """

    values: Deferred[np.ndarray] = Deferred()
    reason: Reason
    status: str
    n_iter: int = 0
    history: tuple[Record, ...] = ()
    energy: Deferred[float | None] = Deferred(None)
    gap: float | None = None
    residual: float | None = None
    error: float | None = None
    scale: Deferred[np.ndarray | None] = Deferred(None)
    noise: np.ndarray | None = None
    posterior: tuple[Any, ...] | None = None

    @property
    def converged(self) -> bool:
        """Whether the answer is what the method promises: its own stopping rule was met, or nothing was to be done."""
        return self.reason.success

    @property
    def found(self) -> np.ndarray | Filling:
        """The values as the method gave them."""
        return self.__dict__["values"]

    def settled(self) -> Solution:
        """The same solution, whose figures are computed and no longer depend on the arrays that they follow from."""
        for figures in (self, *self.history):
            for name in ("energy", "scale"):
                getattr(figures, name, None)
        return self

    def remarked(self, remarks: Iterable[str]) -> Solution:
        """The same solution with sentences added to its status."""
        remarked = object.__new__(type(self))  # dataclasses.replace would ask for the values
        remarked.__dict__.update(self.__dict__, status=" ".join([self.status, *remarks]))
        return remarked

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: the values, and not the problem that a `Filling` would take them from."""
        return _settled(self)

    def credentials(self) -> list[str]:
        """What is known of the answer, in a few words each.

        Examples
        --------
        >>> stopped = {"reason": Reason.MAX_ITER, "status": "", "n_iter": 3, "gap": 0.02}
        >>> Solution(values=np.zeros(1), **stopped).credentials()
        ['max_iter', '3 iterations', 'proven within 2 %']
        """
        figures = (("energy", self.energy), ("residual", self.residual), ("error", self.error))
        return [
            self.reason.value,
            f"{self.n_iter} iteration{'' if self.n_iter == 1 else 's'}",
            *(f"{name} {figure:.3g}" for name, figure in figures if figure is not None),
            *filter(None, [proven_within(self.gap)]),
        ]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(self.credentials())}\n {self.status}>"


Callback = Callable[[Record, Callable[[], np.ndarray]], object]
"""``callback(record, restore)``: `restore()` gives the picture so far; returning True stops the method."""


def proven_within(gap: float | None) -> str:
    """Say a gap in words, rounded up to two digits so that no more is claimed than is proven.

    Parameters
    ----------
    gap : float or None
        Of a :class:`Record` or a :class:`Solution`.

    Returns
    -------
    words : str
        Nothing, where nothing is proven.

    Examples
    --------
    >>> proven_within(0.000314), proven_within(0.0), proven_within(None)
    ('proven within 0.032 %', 'proven within 0 %', '')
    """
    if gap is None or not gap < inf:
        return ""
    percent = Context(prec=2, rounding=ROUND_CEILING).create_decimal(repr(float(gap))).scaleb(2)
    return f"proven within {percent:e} %" if 0 < percent < 1e-4 else f"proven within {percent.normalize():f} %"
