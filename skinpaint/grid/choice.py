"""When it pays to list unknown pixels one by one."""

from __future__ import annotations

__all__ = ["FEW_UNKNOWNS", "LIST_COST", "worth_listing"]

LIST_COST = 6  # time for an unknown pixel in a list, relative to a pixel of a grid, as measured
FEW_UNKNOWNS = 10_000  # a list takes some 5 ms for so many; other solvers need not be compiled or loaded for them


def worth_listing(unknowns: int, pixels: int) -> bool:
    """Whether it is faster to solve for a list of unknown pixels than on a grid of so many pixels.

    Examples
    --------
    >>> worth_listing(20_000, 1_000_000), worth_listing(900_000, 1_000_000)
    (True, False)
    """
    return LIST_COST * unknowns < pixels
