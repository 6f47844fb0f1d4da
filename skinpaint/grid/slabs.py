"""A grid in slabs, so that what passes over all of it needs little memory, and threads share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from skinpaint.grid.axes import Box
from skinpaint.grid.threads import share

__all__ = ["Slab", "over_slabs"]

SLAB_ENTRIES, MIN_SLAB_LAYERS, MAX_SLABS = 2**17, 24, 64

T = TypeVar("T")


@dataclass(frozen=True)
class Slab:
    """Some layers of a grid, and those ahead of them that their neighbours are in.

    Attributes
    ----------
    box : Box
        Where the slab is, with the layers ahead.
    axis : int
        The axis that the layers are counted along.
    layers : int
        Number of layers, without those ahead.
    """

    box: Box
    axis: int
    layers: int

    def ends(self, x: np.ndarray, axis: int, lag: int) -> tuple[np.ndarray, np.ndarray]:
        """The lower and the upper ends of all edges that begin in the slab, as views of `x`, which fills the box."""
        ahead = (slice(None),) * axis
        if axis == self.axis:
            lower = x[(*ahead, slice(0, min(self.layers, x.shape[axis] - lag)))]
        else:
            x = x[(slice(None),) * self.axis + (slice(0, self.layers),)]
            lower = x[(*ahead, slice(0, max(x.shape[axis] - lag, 0)))]
        return lower, x[(*ahead, slice(lag, lag + lower.shape[axis]))]


def over_slabs(shape: tuple[int, ...], overlap: int, visit: Callable[[Slab], T]) -> list[T]:
    """Call `visit` for slabs that cover a grid; what it returns, in order. Threads share the slabs of a large grid.

    The slabs follow from the shape alone, so sums over them do not depend on the number of threads.

    Examples
    --------
    >>> x = np.arange(12.0).reshape(4, 3)
    >>> def squares(slab):
    ...     lower, upper = slab.ends(x[slab.box], 0, 1)
    ...     return float(((upper - lower) ** 2).sum())
    >>> sum(over_slabs(x.shape, 1, squares))  # 9 edges along the first axis
    81.0
    """
    size, axis = int(np.prod(shape)), int(np.argmax(shape))
    n = shape[axis]
    count = max(1, min(-(-size // SLAB_ENTRIES), n // MIN_SLAB_LAYERS, MAX_SLABS))
    cuts = [n * k // count for k in range(count + 1)]
    results: list[Any] = [None] * count

    def part(lo: int, hi: int) -> None:
        for k in range(lo, hi):
            along = slice(cuts[k], min(cuts[k + 1] + overlap, n))
            box = (*(slice(0, m) for m in shape[:axis]), along, *(slice(0, m) for m in shape[axis + 1 :]))
            results[k] = visit(Slab(box, axis, cuts[k + 1] - cuts[k]))

    share(part, 0, count, size)
    return results
