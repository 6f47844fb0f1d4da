"""How a grid lies in memory, and how kernels run over its rows: slab by slab, or shared by threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skinpaint.grid.threads import share
from skinpaint.lazy import lazy

__all__ = ["Layout", "Stage"]

SLAB = 2**16  # entries of a slab: a few arrays of it fit into the cache


@dataclass(frozen=True, eq=False)
class Layout:
    """How a grid lies in a flat padded array.

    Attributes
    ----------
    shape : tuple of int
        Shape of the grid.
    pad : int
        Number of zeros around it.
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
        """A flat padded array."""
        return np.zeros(int(np.prod(self.padded)), dtype)

    def inner(self, flat: np.ndarray) -> np.ndarray:
        """The grid inside a flat padded array, as a view."""
        return flat.reshape(self.padded)[(slice(self.pad, -self.pad),) * len(self.shape)]

    @lazy
    def layers(self) -> int:
        """Number of layers along the first axis; a line is one layer."""
        return self.shape[0] if len(self.shape) > 1 else 1

    def stage(self, kernel: Any, *args: Any) -> Stage:
        """A kernel over the rows of this grid."""
        starts, _ = self.rows
        return Stage(kernel, starts.size // self.layers, self.layers, 0, (starts, self.shape[-1], *args))

    def sweep(self, *stages: Stage) -> None:
        """Run the stages one after another over the whole grid.

        A large grid is cut into slabs, and each stage follows one slab behind the one before, so that it finds in the
        cache what that left there. A stage needs the one before it no further than a slab away, so the answer is the
        same. One thread does it all: the slabs are too short for a second one to be woken. A single stage has nothing
        to find, and is shared.
        """
        if len(stages) == 1:
            (stage,) = stages
            share(stage.kernel, 0, stage.rows * stage.layers, self.size, *stage.args)
            return
        if self.size <= SLAB:
            for stage in stages:
                stage.kernel(0, stage.rows * stage.layers, *stage.args)
            return
        thick = max(SLAB * self.layers // self.size, 2) & ~1  # even, as two layers make a coarse one
        slabs = -(-self.layers // thick)
        for step in range(slabs + len(stages) - 1):
            for lag, stage in enumerate(stages):
                if 0 <= step - lag < slabs:
                    stage((step - lag) * thick, min((step - lag + 1) * thick, self.layers))


@dataclass(frozen=True, eq=False)
class Stage:
    """A kernel and its arguments, to be run on a range of layers; of a grid half as high if `halve` is 1."""

    kernel: Any
    rows: int  # in a layer
    layers: int
    halve: int
    args: tuple[Any, ...]

    def __call__(self, lo: int, hi: int) -> None:
        self.kernel((lo >> self.halve) * self.rows, ((hi + self.halve) >> self.halve) * self.rows, *self.args)
