"""What a restoration returns: the values, how they were reached, and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from math import inf

import numpy as np

__all__ = ["Callback", "ConvergenceWarning", "Record", "Solution", "proven_within"]


class ConvergenceWarning(UserWarning):
    """A method stopped before it reached its tolerance; the message says what to do about it."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One line of a restoration's history.

    Attributes
    ----------
    n_iter : int
        Number of iterations done, starting at 1.
    energy : float or None
        Energy of the current values, summed over the channels; None for methods without an energy.
    gap : float or None
        Proven upper bound on ``(energy - minimum) / minimum``, where the method has one.
    change : float
        Largest change of any value in this iteration, as a fraction of the allowed range.
    seconds : float
        Seconds since the method started.
    """

    n_iter: int
    energy: float | None = None
    gap: float | None = None
    change: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Solution:
    """The answer of a method, before known pixels are written back and values are clipped.

    Attributes
    ----------
    values : ndarray of shape (M[, N[, ..., P]], C)
        What the solver really produced, channels last, in the problem's units (the bounds map to [0, 1]).
    converged : bool
        Whether the method's own stopping rule was met.
    status : str
        A full sentence: why it stopped and, where that was a failure, what to do.
    n_iter : int
        Number of iterations; 0 if there was nothing to iterate.
    history : tuple of Record
        One record an iteration.
    energy : float or None
        The energy of `values`, where the method minimises one.
    gap : float or None
        Proven upper bound on ``(energy - minimum) / minimum``; None where nothing is proven.
    residual : float or None
        Relative residual of the linear system, where the method solves one.
    """

    values: np.ndarray
    converged: bool
    status: str
    n_iter: int = 0
    history: tuple[Record, ...] = ()
    energy: float | None = None
    gap: float | None = None
    residual: float | None = None


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
    if gap is None or gap == inf:
        return ""
    percent = Context(prec=2, rounding=ROUND_CEILING).create_decimal(repr(float(gap))).scaleb(2)
    return f"proven within {percent:e} %" if 0 < percent < 1e-4 else f"proven within {percent.normalize():f} %"
