"""How a grid lies in memory, and how threads share it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from skinpaint.grid.threads import parts, share
from skinpaint.lazy import lazy

__all__ = ["Layout", "Passes", "Stage", "dense_matrix", "vectors"]

# The C library of Linux gives freed memory back to the system beyond twice the largest block that was ever freed, and
# to fetch it again takes up to half the time of a call. No larger block than this counts; nothing is written to it.
np.empty(2**25 - 2**16, np.uint8)


@dataclass(frozen=True, eq=False)
class Layout:
    """How a grid lies in a flat array, with zeros around it.

    The neighbour of an entry along an axis is always the same distance away in the flat array, and a neighbour outside
    the grid is one of the zeros. So kernels need no test for borders.

    Attributes
    ----------
    shape : tuple of int
        Shape of the grid.
    pad : int
        Number of zeros before and after each axis.
    """

    shape: tuple[int, ...]
    pad: int

    @lazy
    def padded(self) -> tuple[int, ...]:
        return tuple(n + 2 * self.pad for n in self.shape)

    @lazy
    def strides(self) -> tuple[int, ...]:
        return tuple(int(np.prod(self.padded[axis + 1 :])) for axis in range(len(self.shape)))

    @lazy
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each row starts, and the sum of its leading indices."""
        leading = np.indices(self.shape[:-1]).reshape(len(self.shape) - 1, int(np.prod(self.shape[:-1])))
        starts = sum(((i + self.pad) * s for i, s in zip(leading, self.strides, strict=False)), np.int64(self.pad))
        return np.broadcast_to(starts, leading.shape[1:]).astype(np.int64), leading.sum(axis=0, dtype=np.int64)

    @lazy
    def size(self) -> int:
        """Number of entries of the grid, without the padding."""
        return int(np.prod(self.shape))

    @lazy
    def length(self) -> int:
        """Number of entries of a flat padded array."""
        return int(np.prod(self.padded))

    def zeros(self, dtype: type = np.float32) -> np.ndarray:
        """A flat padded array of zeros."""
        return np.zeros(self.length, dtype)

    def flatten(self, grid: Any, dtype: type = float) -> np.ndarray:
        """Copy a grid, or a number, into a flat padded array."""
        flat = self.zeros(dtype)
        self.inner(flat)[...] = grid
        return flat

    def inner(self, flat: np.ndarray) -> np.ndarray:
        """View the grid inside a flat padded array."""
        return flat.reshape(self.padded)[(slice(self.pad, -self.pad),) * len(self.shape)]

    @lazy
    def layers(self) -> int:
        """Number of layers along the first axis; a line is one layer."""
        return self.shape[0] if len(self.shape) > 1 else 1

    def run(self, kernel: Any, *args: Any) -> None:
        """Run a kernel over all rows; threads share the rows of a large grid."""
        self.sweep(self.stage(kernel, *args))

    def stage(self, kernel: Any, *args: Any) -> Stage:
        """A kernel over the rows of this grid, to be run by `sweep`."""
        starts, _ = self.rows
        return Stage(kernel, starts.size, (starts, self.shape[-1], *args))

    @lazy
    def reach(self) -> int:
        """How many layers away a pass reads from where it writes, at most; even, as two layers make a coarse one."""
        return self.pad + self.pad % 2

    def sweep(self, *stages: Stage | Passes) -> None:
        """Run the stages one after another over the whole grid; threads share those of a large one."""
        for stage in stages:
            if isinstance(stage, Stage):
                share(stage.kernel, 0, stage.rows, self.size, *stage.args)
            else:
                self._in_bands(stage)

    def _in_bands(self, passes: Passes) -> None:
        """Run `passes` in bands of layers, one for each thread.

        The first pass stops at the cut between two bands. Each pass after it stops `reach` layers further from the cut
        than the pass before it, so it reads nothing that another band writes, and overwrites nothing that another band
        still has to read. What they leave open around each cut is a wedge, of `reach` layers more on either side with
        each pass. The wedges come when all bands are done.
        """
        least = (2 * passes.depth - 1) * self.reach  # layers between two cuts, so that the wedges do not meet
        work = passes.cost * self.size
        count = min(parts(work), self.layers // least)
        if count < 2:
            passes.kernel(0, 0, self.layers, 0, *passes.args)
            return
        cuts = [*(self.layers * k // count & ~1 for k in range(count)), self.layers]

        def bands(lo: int, hi: int) -> None:
            for k in range(lo, hi):
                fall, rise = (self.reach if k > 0 else 0), (self.reach if k + 1 < count else 0)
                passes.kernel(cuts[k], fall, cuts[k + 1], rise, *passes.args)

        def wedges(lo: int, hi: int) -> None:
            for cut in cuts[lo:hi]:
                passes.kernel(cut, -self.reach, cut, -self.reach, *passes.args)

        share(bands, 0, count, work)
        share(wedges, 1, count, work)


@dataclass(frozen=True, eq=False)
class Stage:
    """A kernel over rows that do not depend on each other, and its arguments."""

    kernel: Any
    rows: int
    args: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Passes:
    """A kernel that makes several passes over layers, and its arguments.

    The kernel takes ``(top, fall, bottom, rise, *args)``. Its pass `s` covers the layers from ``top + s * fall`` to
    ``bottom - s * rise``. In a layer it comes after pass ``s - 1`` and before pass ``s + 1`` have come to the layers
    within the `reach` of the layout. No pass reads what the same pass writes in another layer: relaxing one colour
    reads the other colours. So the answer is the same to the byte wherever the layers are cut.
    """

    kernel: Any
    depth: int
    args: tuple[Any, ...]
    cost: int = 1  # of a pass for an entry, relative to a plain loop


def vectors(layouts: Sequence[Any], dtype: type = np.float32) -> list[np.ndarray]:
    """One flat array of zeros for each layout, in one piece of memory, which costs less than many pieces."""
    ends = np.cumsum([0, *(layout.length for layout in layouts)])
    flat = np.zeros(ends[-1], dtype)
    return [flat[start:stop] for start, stop in pairwise(ends)]


def dense_matrix(diagonal: np.ndarray, couplings: Iterable[tuple[int, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """The matrix between the unknowns of a small grid.

    Parameters
    ----------
    diagonal : ndarray, flat and padded
        The diagonal entries; zero where nothing is unknown.
    couplings : iterable of (int, float or ndarray)
        An offset, and the matrix entries between each entry and the one that far ahead of it.

    Returns
    -------
    at : ndarray of int
        Where the unknowns are.
    A : ndarray of shape (at.size, at.size)
        The matrix.

    Examples
    --------
    >>> dense_matrix(np.array([0.0, 2.0, 2.0, 0.0]), [(1, -1.0)])[1]
    array([[ 2., -1.],
           [-1.,  2.]])
    """
    couplings = list(couplings)
    at = np.flatnonzero(diagonal)
    number = np.full(diagonal.size + max(offset for offset, _ in couplings), -1)
    number[at] = np.arange(at.size)
    A = np.diag(diagonal[at].astype(float))
    for offset, coupling in couplings:
        i = np.flatnonzero(number[at + offset] >= 0)
        j = number[at[i] + offset]
        A[i, j] = A[j, i] = A[i, j] + (coupling[at[i]] if np.ndim(coupling) else coupling)
    return at, A
