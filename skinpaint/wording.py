"""What messages share, and the checks that raise errors."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, TypeGuard

import numpy as np

__all__ = ["as_sentence", "closest", "did_you_mean", "generator", "is_axis", "is_int", "is_number", "require"]


def as_sentence(clause: str) -> str:
    """A clause with a capital and a full stop.

    Examples
    --------
    >>> as_sentence("took 3 pixels for missing")
    'Took 3 pixels for missing.'
    """
    return f"{clause[0].upper()}{clause[1:]}."


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Ask about the known name that is most like a wrong one, as the end of a message; nothing where none is.

    Examples
    --------
    >>> did_you_mean("max_iters", ["tol", "max_iter"]), did_you_mean("colour", ["tol", "max_iter"])
    (' Did you mean max_iter?', '')
    """
    near = closest(name, known)
    return f" Did you mean {near}?" if near else ""


def closest(name: object, known: Iterable[str]) -> str:
    """The known name that is most like a wrong one; nothing where none is."""
    from difflib import get_close_matches  # slow to load

    return next(iter(get_close_matches(str(name), list(known), n=1)), "")


def require(valid: object, owner: object, parameter: str, allowed: str, got: object) -> None:
    """Raise the library's one sentence about a bad parameter unless it is valid.

    Parameters
    ----------
    valid : object
        Whether it is, as a truth value.
    owner : object or str
        Whose parameter it is: an object, for the name of its class, or a name.
    parameter : str
        Its name.
    allowed : str
        What it must be, in words.
    got : object
        What came. Of an array, the dtype and the shape are said.

    Raises
    ------
    ValueError
        Unless `valid`.

    Examples
    --------
    >>> require(0 < -1, "grow", "pixels", "an int of at least 0", -1)
    Traceback (most recent call last):
        ...
    ValueError: The 'pixels' parameter of grow must be an int of at least 0. Got -1 instead.
    """
    if not valid:
        name = owner if isinstance(owner, str) else type(owner).__name__
        came = f"an array of {got.dtype} of shape {got.shape}" if isinstance(got, np.ndarray) else repr(got)
        raise ValueError(f"The {parameter!r} parameter of {name} must be {allowed}. Got {came} instead.")


def is_int(value: object) -> TypeGuard[int]:
    """Whether this is an int of Python or NumPy, and not a bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_axis(value: object, ndim: int) -> TypeGuard[int]:
    """Whether this is an axis of an array of so many, counted from either end.

    Examples
    --------
    >>> is_axis(-3, 3), is_axis(3, 3), is_axis(True, 3)
    (True, False, False)
    """
    return is_int(value) and -ndim <= value < ndim


def is_number(value: object) -> TypeGuard[float]:
    """Whether this is a real number of Python or NumPy, not a bool, and no int that is beyond all floats."""
    if not isinstance(value, int | float | np.integer | np.floating) or isinstance(value, bool):
        return False
    return not isinstance(value, int) or abs(value) <= sys.float_info.max


def generator(rng: Any, owner: object) -> np.random.Generator:
    """The source of random numbers that a user passes as `rng`; refuses what cannot be one."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        require(False, owner, "rng", "an int of at least 0, a Generator or None", rng)
        raise
