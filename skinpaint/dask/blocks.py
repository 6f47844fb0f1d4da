"""Where the values of a chunk are between passes: in memory, or in a zarr store. Both are read in the same way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from skinpaint.grid.axes import Box, extents, within

__all__ = ["Block", "Shelf", "Shelved", "common", "damaged", "read"]

Array = np.ndarray
NOT_THERE = {"f": np.nan, "u": 2}  # what zarr reads where a file is gone: no array holds it


@dataclass(frozen=True, eq=False)
class Block:
    """The values of a part of the grid, and where they are missing."""

    box: Box
    values: Array
    missing: Array

    def copy_to(self, box: Box, values: Array, missing: Array) -> None:
        """Copy what lies in `box` to arrays of the shape of `box`."""
        both = common(self.box, box)
        if both is not None:
            here, there = within(both, self.box), within(both, box)
            values[there], missing[there] = self.values[here], self.missing[here]

    def rim(self, width: int) -> Rim:
        """The pixels within `width` of the border: all that the neighbours need, and little to send."""
        slabs = []
        for slab in _slabs(self.box, width):
            here = within(slab, self.box)
            slabs.append(Block(slab, self.values[here].copy(), self.missing[here].copy()))
        return Rim(slabs)


@dataclass(frozen=True, eq=False)
class Rim:
    """The border of a chunk."""

    slabs: list[Block]

    def copy_to(self, box: Box, values: Array, missing: Array) -> None:
        """Copy what lies in `box` to arrays of the shape of `box`."""
        for slab in self.slabs:
            slab.copy_to(box, values, missing)


@dataclass(frozen=True)
class Shelf:
    """A place in a zarr store for the values of all chunks.

    Each chunk is an array of its own there, and its border another one, which has the values in its first row and the
    mask in its second. So no two tasks write to the same zarr chunk, and no task reads much more than it needs.
    """

    path: str
    name: str

    def put(self, block: Block, width: int, *, mask: bool) -> Shelved:
        """Write a block and its border, with or without its mask, which does not change."""
        self._write(self._place("values", block.box), block.values)
        if mask:
            self._write(self._place("missing", block.box), block.missing.view(np.uint8))
        both = [
            np.stack([array[within(slab, block.box)].ravel() for array in (block.values, block.missing)])
            for slab in _slabs(block.box, width)
        ]
        self._write(self._place("rims", block.box), np.concatenate(both, axis=1))
        return self.at(block.box, width)

    def at(self, box: Box, width: int) -> Shelved:
        """What was put there."""
        return Shelved(self, box, width)

    def core(self, box: Box) -> Block:
        """Read a block."""
        values, missing = (self._read(self._place(what, box)) for what in ("values", "missing"))
        return Block(box, values, missing != 0)

    def rim(self, box: Box, width: int) -> Rim:
        """Read the border of a block."""
        values, missing = self._read(self._place("rims", box))
        missing = missing != 0
        slabs, start = [], 0
        for slab in _slabs(box, width):
            shape = extents(slab)
            part = slice(start, start := start + prod(shape))
            slabs.append(Block(slab, values[part].reshape(shape), missing[part].reshape(shape)))
        return Rim(slabs)

    def _place(self, what: str, box: Box) -> str:
        under = "missing" if what == "missing" else f"{what}-{self.name}"
        return f"{under}/{'_'.join(str(s.start) for s in box)}"

    def _read(self, name: str) -> Array:
        import zarr

        try:
            stored: Any = zarr.open_array(self.path, path=name, mode="r")
            found = np.asarray(stored[...])
        except (FileNotFoundError, KeyError, RuntimeError, TypeError, ValueError) as error:  # whatever zarr raises
            raise damaged(self.path) from error
        if np.isnan(found.flat[0]) or (found.dtype == np.uint8 and found.flat[0] == NOT_THERE["u"]):
            raise damaged(self.path)
        return found

    def _write(self, name: str, array: Array) -> None:
        import zarr
        from zarr.codecs import Crc32cCodec, ZstdCodec

        checked = (Crc32cCodec(),)  # so that a damaged file is noticed when it is read
        made: Any = zarr.create_array(
            self.path,
            name=name,
            shape=array.shape,
            chunks=array.shape,
            dtype=array.dtype,
            compressors=checked if array.dtype.kind == "f" else (ZstdCodec(), *checked),  # random digits do not shrink
            fill_value=NOT_THERE[array.dtype.kind],
            overwrite=True,
        )
        made[...] = array


@dataclass(frozen=True)
class Shelved:
    """A chunk in a zarr store, or its border."""

    shelf: Shelf
    box: Box
    width: int
    border: bool = False

    def copy_to(self, box: Box, values: Array, missing: Array) -> None:
        """Copy what lies in `box` to arrays of the shape of `box`."""
        if common(self.box, box) is not None:
            read = self.shelf.rim(self.box, self.width) if self.border else self.shelf.core(self.box)
            read.copy_to(box, values, missing)

    def rim(self, width: int) -> Shelved:
        """The border, which neighbours read."""
        return replace(self, border=True)


def damaged(path: str) -> ValueError:
    """What is raised for a store of which something is gone or cut off."""
    return ValueError(
        f"The 'work' parameter must be a store that is whole. Got {path!r}, of which a part is lost or damaged. "
        "Remove it, or name another one."
    )


def read(box: Box, parts: Iterable[Any], start: float | None = None) -> tuple[Array, Array]:
    """The values and the mask of `box`, from the blocks and rims that cover it.

    With `start`, the missing values are set to it.
    """
    values, missing = np.zeros(extents(box)), np.zeros(extents(box), bool)
    for part in parts:
        part.copy_to(box, values, missing)
    if start is not None:
        values[missing] = start
    return values, missing


def common(a: Box, b: Box) -> Box | None:
    """The part that two boxes share, or None."""
    both = tuple(slice(max(s.start, t.start), min(s.stop, t.stop)) for s, t in zip(a, b, strict=True))
    return None if any(s.start >= s.stop for s in both) else both


def _slabs(box: Box, width: int) -> Sequence[Box]:
    """The first and the last `width` layers along each axis."""
    slabs = []
    for axis, s in enumerate(box):
        for part in (slice(s.start, min(s.start + width, s.stop)), slice(max(s.stop - width, s.start), s.stop)):
            slabs.append((*box[:axis], part, *box[axis + 1 :]))
    return slabs
