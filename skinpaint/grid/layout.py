"""How a grid lies in memory, and how kernels run over its rows: slab by slab, or shared by threads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from skinpaint.grid.threads import parts, share
from skinpaint.lazy import lazy

__all__ = ["Layout", "Passes", "Stage", "dense_matrix"]

SLAB_ENTRIES = 2**16  # a few arrays of this length fit into the cache


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

    def zeros(self, dtype: type = np.float32) -> np.ndarray:
        """A flat padded array of zeros."""
        return np.zeros(int(np.prod(self.padded)), dtype)

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
        starts, _ = self.rows
        share(kernel, 0, starts.size, self.size, starts, self.shape[-1], *args)

    def stage(self, kernel: Any, *args: Any) -> Stage:
        """A kernel over the rows of this grid, to be run by `sweep`."""
        starts, _ = self.rows
        return Stage(kernel, starts.size // self.layers, self.layers, 0, (starts, self.shape[-1], *args))

    @lazy
    def reach(self) -> int:
        """How many layers away a stage reads from where it writes, at most; even, as two layers make a coarse one."""
        return self.pad + self.pad % 2

    def sweep(self, *stages: Stage | Passes) -> None:
        """Run the stages one after another over the whole grid.

        A stage reads at most `reach` layers away, and nothing that the same stage writes in another layer. (Relaxing
        one colour reads the other colours.) So the answer is the same to the byte in every order in which stage `s`
        comes to a layer after stage ``s - 1`` and before stage ``s + 1`` have come to the layers within `reach` of it.
        Cuts that move by `reach` layers from stage to stage keep such an order. A large grid is cut into bands, one for
        each thread. The upper cut of a band moves down and the lower one up, and no band needs another. What they leave
        open are wedges around the cuts, which come when all bands are done. A band is cut into slabs that stay in the
        cache. Their cuts all move up, and they are run from the top to the bottom.
        """
        depth = sum(stage.depth for stage in stages)
        if depth == 1 and isinstance(stages[0], Stage):
            share(stages[0].kernel, 0, stages[0].rows * stages[0].layers, self.size, *stages[0].args)
            return
        least = (2 * depth - 1) * self.reach  # layers between two cuts, so that they do not cross
        count = max(1, min(parts(self.size), self.layers // least))
        edges = [*(self.layers * k // count & ~1 for k in range(count)), self.layers]
        thick = max(SLAB_ENTRIES * self.layers // self.size, least) if len(stages) > 1 else self.layers

        def run(top: int, fall: int, bottom: int, rise: int) -> None:
            done = 0
            for stage in stages:
                stage(top + done * fall, fall, bottom - done * rise, rise)
                done += stage.depth

        def bands(lo: int, hi: int) -> None:
            for k in range(lo, hi):
                slabs = max(1, (edges[k + 1] - edges[k]) // thick)
                cuts = [edges[k] + ((edges[k + 1] - edges[k]) * i // slabs & ~1) for i in range(slabs)]
                tops = [(self.reach if k else 0), *[-self.reach] * (slabs - 1)]
                bottoms = [*[self.reach] * (slabs - 1), self.reach if k + 1 < count else 0]
                for top, fall, bottom, rise in zip(cuts, tops, [*cuts[1:], edges[k + 1]], bottoms, strict=True):
                    run(top, fall, bottom, rise)

        def wedges(lo: int, hi: int) -> None:
            for edge in edges[lo:hi]:
                run(edge, -self.reach, edge, -self.reach)

        share(bands, 0, count, self.size)
        share(wedges, 1, count, self.size)


@dataclass(frozen=True, eq=False)
class Stage:
    """A kernel and its arguments, to be run on a range of layers; of a grid half as high if `halve` is 1."""

    kernel: Any
    rows: int  # in a layer
    layers: int
    halve: int
    args: tuple[Any, ...]
    depth = 1

    def __call__(self, top: int, fall: int, bottom: int, rise: int) -> None:
        if top < bottom:
            self.kernel((top >> self.halve) * self.rows, ((bottom + self.halve) >> self.halve) * self.rows, *self.args)


@dataclass(frozen=True, eq=False)
class Passes:
    """Several stages that one kernel runs, `depth` of them, each on ``fall`` and ``rise`` fewer layers than the last.

    The kernel takes ``(top, fall, bottom, rise, *args)``: its stage `s` is run on the layers from ``top + s * fall`` to
    ``bottom - s * rise``.
    """

    kernel: Any
    depth: int
    args: tuple[Any, ...]

    def __call__(self, *cuts: int) -> None:
        self.kernel(*cuts, *self.args)


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
