"""What is done with one chunk: plain functions of arrays, which a scheduler may run anywhere, and again if it must."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skinpaint.dask.blocks import Block, Shelf, read, within
from skinpaint.grid.axes import Box
from skinpaint.grid.harmonic.schwarz import Chunk, Grid, Misfit, assemble, measure, solve_chunk
from skinpaint.grid.hats import Stencil
from skinpaint.grid.threads import alone
from skinpaint.problem import cast

__all__ = ["Done", "Found", "check", "finish", "prepare", "rim", "survey", "sweep", "verify"]


@dataclass(frozen=True)
class Found:
    """What a chunk of an image holds."""

    low: float
    high: float
    """Of its known pixels: infinity and minus infinity, if there are none."""
    missing: int
    infinite: int
    digest: int
    """Of its known values and its mask."""

    def __add__(self, other: Found) -> Found:
        return Found(
            min(self.low, other.low),
            max(self.high, other.high),
            self.missing + other.missing,
            self.infinite + other.infinite,
            zlib.crc32(f"{self.digest} {other.digest}".encode()),
        )


@dataclass(frozen=True, eq=False)
class Done:
    """A chunk after a task: where its values are, and what was found on the way."""

    block: Any
    found: Any

    def copy_to(self, box: Box, values: np.ndarray, missing: np.ndarray) -> None:
        """Copy what lies in `box` to arrays of the shape of `box`."""
        self.block.copy_to(box, values, missing)


def prepare(box: Box, image: np.ndarray, missing: np.ndarray, shelf: Shelf | None, width: int) -> Done:
    """Look at a chunk, and keep its known values as floats."""
    known = image[~missing].astype(float)
    low, high = (known.min(), known.max()) if known.size else (np.inf, -np.inf)
    values = np.zeros(image.shape)
    values[~missing] = known
    digest = zlib.crc32(np.packbits(missing).tobytes(), zlib.crc32(known.tobytes()))
    found = Found(float(low), float(high), int(missing.sum()), int(np.isinf(known).sum()), digest)
    block = Block(box, values, np.ascontiguousarray(missing))
    return Done(block if shelf is None else shelf.put(block, width, mask=True), found)


def rim(done: Done, width: int) -> Any:
    """The border of a chunk."""
    return done.block.rim(width)


def survey(grid: Grid, chunk: Chunk, parts: Sequence[Any], start: float) -> tuple[tuple[Box, Stencil], Misfit, Any]:
    """The part of a chunk in the coarse matrix, its misfit at the start, and which coarse cells miss something."""
    ring = grid.ring(chunk.core)
    values, missing = read(ring, parts, start)
    cells = grid.hats.cells(missing[within(chunk.core, ring)], chunk.core)
    return assemble(grid, chunk.core, missing), measure(grid, chunk.core, values, missing), cells


def sweep(
    grid: Grid,
    chunk: Chunk,
    parts: Sequence[Any],
    start: float | None,
    correction: np.ndarray,
    shelf: Shelf | None,
    width: int,
) -> Done:
    """One pass over one chunk."""
    with alone():
        values, missing = read(chunk.window, parts, start)
        if not missing[chunk.inside(chunk.core)].any():
            return Done(parts[0].block, 0.0)
        core, change = solve_chunk(grid, chunk, values, missing, correction)
    block = Block(chunk.core, core, np.ascontiguousarray(missing[chunk.inside(chunk.core)]))
    return Done(block if shelf is None else shelf.put(block, width, mask=False), change)


def check(grid: Grid, chunk: Chunk, parts: Sequence[Any]) -> tuple[Misfit, float]:
    """The misfit of a chunk after a pass, and the largest change in that pass."""
    return measure(grid, chunk.core, *read(grid.ring(chunk.core), parts)), parts[0].found


def verify(
    grid: Grid, chunk: Chunk, image: np.ndarray, missing: np.ndarray, parts: Sequence[Any], start: float | None
) -> Misfit:
    """The misfit of a chunk, of which the image itself says what is known and what is missing."""
    values, around = read(grid.ring(chunk.core), parts, start)
    here = within(chunk.core, grid.ring(chunk.core))
    values[here] = np.where(missing, values[here], image)
    around[here] = missing
    return replace(measure(grid, chunk.core, values, around), against_hats=np.zeros(0))


def finish(image: np.ndarray, filled: np.ndarray, missing: np.ndarray, values: np.ndarray, low: Any, high: Any) -> Any:
    """The restored chunk: known pixels bit for bit, filled ones in the image's dtype, within the bounds."""
    out = image.copy()
    out[filled] = cast(np.clip(values[filled], low, high), image.dtype)
    if image.dtype.kind == "f":
        out[missing & ~filled] = np.nan
    return out
