"""Numbers among the arguments: those that an option cannot take are refused by a sentence, before any file is read."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from math import inf
from typing import TypeVar

__all__ = ["integer", "number"]

T = TypeVar("T", int, float)


def integer(least: int, most: float = inf) -> Callable[[str], int]:
    """A type of arguments: integers in a range.

    Examples
    --------
    >>> integer(1)("12")
    12
    >>> integer(32, 512)("8")
    Traceback (most recent call last):
        ...
    argparse.ArgumentTypeError: must be an integer from 32 to 512. Got '8' instead.
    """
    allowed = f"an integer of at least {least}" if most == inf else f"an integer from {least} to {most}"
    return _checked(int, allowed, lambda value: least <= value <= most)


def number(allowed: str, holds: Callable[[float], bool]) -> Callable[[str], float]:
    """A type of arguments: numbers of which something holds, in words and as a function.

    Examples
    --------
    >>> number("a number above 0", lambda value: value > 0)("-1")
    Traceback (most recent call last):
        ...
    argparse.ArgumentTypeError: must be a number above 0. Got '-1' instead.
    """
    return _checked(float, allowed, holds)


def _checked(kind: Callable[[str], T], allowed: str, holds: Callable[[T], bool]) -> Callable[[str], T]:
    def argument(text: str) -> T:
        try:
            value = kind(text)
        except ValueError:
            pass
        else:
            if holds(value):
                return value
        raise ArgumentTypeError(f"must be {allowed}. Got {text!r} instead.")

    return argument
