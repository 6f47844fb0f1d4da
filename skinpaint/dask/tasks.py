"""What is done with one chunk: plain functions of arrays, which a scheduler may run anywhere, and again if it must."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from skinpaint.dask.blocks import Block, Shelf, read
from skinpaint.grid.axes import Box, within
from skinpaint.grid.harmonic.schwarz import Chunk, Grid, Misfit, assemble, measure, solve_chunk
from skinpaint.grid.hats import Stencil
from skinpaint.grid.threads import alone
from skinpaint.methods.base import Method
from skinpaint.problem import Problem, Whole, cast

__all__ = [
    "Done",
    "Found",
    "Units",
    "check",
    "finish",
    "part",
    "pick",
    "prepare",
    "reach",
    "rim",
    "survey",
    "sweep",
    "verify",
]

FEW = 2**20  # pixels of an image of which a method may look at all at once


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
    some: tuple[np.ndarray, np.ndarray] = (np.zeros(0), np.zeros(0, bool))
    """Values, of the missing pixels as well, and mask at few places, the same for each channel; not of a sum."""

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


def prepare(
    box: Box, shelf: Shelf | None, width: int, shape: tuple[int, ...], image: np.ndarray, missing: np.ndarray
) -> Done:
    """Look at a chunk of an image of this shape, and keep its known values as floats."""
    if isinstance(image, np.ma.MaskedArray) and (np.ma.getmaskarray(image) & ~missing).any():
        raise ValueError(
            "The 'image' parameter must be an array of dask.array.ma if its chunks are masked. Got masked chunks in "
            "another array instead. Pass mask=image.map_blocks(numpy.ma.getmaskarray, dtype=bool)."
        )
    known = np.ma.getdata(image)[~missing].astype(float)
    low, high = (known.min(), known.max()) if known.size else (np.inf, -np.inf)
    values = np.zeros(image.shape)
    values[~missing] = known
    digest = zlib.crc32(np.packbits(missing).tobytes(), zlib.crc32(known.tobytes()))
    few = _few(box, shape)
    some = np.ma.getdata(image)[few].astype(float), missing[few]
    found = Found(float(low), float(high), int(missing.sum()), int(np.isinf(known).sum()), digest, some)
    block = Block(box, values, np.ascontiguousarray(missing))
    return Done(block if shelf is None else shelf.put(block, width, mask=True), found)


@dataclass(frozen=True)
class Units:
    """The units in which a channel is solved: its known values are from 0 to 1, whatever their own unit."""

    low: float
    span: float

    def read(self, box: Box, parts: Sequence[Any], start: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """What :func:`blocks.read` reads, in these units."""
        values, missing = read(box, parts, start)
        return self.of(values), missing

    def of(self, values: np.ndarray) -> np.ndarray:
        """Values in these units."""
        return (values - self.low) / self.span

    def back(self, values: np.ndarray) -> np.ndarray:
        """Values in the unit of the image."""
        return values * self.span + self.low


def rim(done: Done, width: int) -> Any:
    """The border of a chunk."""
    return done.block.rim(width)


def survey(
    grid: Grid, chunk: Chunk, units: Units, start: float | None, *parts: Any
) -> tuple[tuple[Box, Stencil], Misfit, Any]:
    """The part of a chunk in the coarse matrix, its misfit at the start, and which coarse cells miss something."""
    ring = grid.ring(chunk.core)
    values, missing = units.read(ring, parts, start)
    cells = grid.hats.cells(missing[within(chunk.core, ring)], chunk.core)
    return assemble(grid, chunk.core, missing), measure(grid, chunk.core, values, missing), cells


def sweep(
    grid: Grid,
    chunk: Chunk,
    units: Units,
    start: float | None,
    correction: np.ndarray,
    shelf: Shelf | None,
    width: int,
    *parts: Any,
) -> Done:
    """One pass over one chunk."""
    with alone():
        values, missing = read(chunk.window, parts, start)
        here = within(chunk.core, chunk.window)
        if not missing[here].any():
            return Done(parts[0].block, 0.0)
        core, change = solve_chunk(grid, chunk, units.of(values), missing, correction)
    own = np.ascontiguousarray(missing[here])
    block = Block(chunk.core, np.where(own, units.back(core), values[here]), own)
    return Done(block if shelf is None else shelf.put(block, width, mask=False), change)


def check(grid: Grid, chunk: Chunk, units: Units, *parts: Any) -> tuple[Misfit, float]:
    """The misfit of a chunk after a pass, and the largest change in that pass."""
    return measure(grid, chunk.core, *units.read(grid.ring(chunk.core), parts)), parts[0].found


def verify(
    grid: Grid,
    chunk: Chunk,
    units: Units,
    start: float | None,
    image: np.ndarray,
    missing: np.ndarray,
    *parts: Any,
) -> Misfit:
    """The misfit of a chunk, of which the image itself says what is known and what is missing."""
    values, around = units.read(grid.ring(chunk.core), parts, start)
    here = within(chunk.core, grid.ring(chunk.core))
    known = np.where(missing, units.low, np.ma.getdata(image).astype(float))  # it may be NaN where it is missing
    values[here] = np.where(missing, values[here], units.of(known))
    around[here] = missing
    return replace(measure(grid, chunk.core, values, around), against_hats=np.zeros(0))


@np.errstate(under="ignore")  # a scheduler may compute it in the thread that asks
def part(
    method: Method,
    core: Box,
    window: Box,
    starts: Sequence[float | None],
    whole: Whole,
    settings: Mapping[str, Any],
    *parts: Any,
) -> np.ndarray:
    """A chunk of all channels, channels last, restored by a method that sees the window around it.

    Parameters
    ----------
    method : Method
        With the settings that all chunks share.
    core, window : Box
        The chunk, and what the method sees.
    starts : sequence of (float or None)
        For :func:`blocks.read`, one a channel.
    whole : Whole
        What all chunks share.
    settings : mapping
        For :meth:`Problem.from_image`.
    *parts
        For :func:`blocks.read`: those of the first channel, of the second one, and so on.
    """
    each = len(parts) // len(starts)
    pairs = [read(window, parts[c * each : (c + 1) * each], start) for c, start in enumerate(starts)]
    values, missing = (np.stack(each, axis=-1) for each in zip(*pairs, strict=True))
    here = within(core, window)
    if not missing[here].any():
        return values[here]
    whole = replace(whole, corner=tuple(s.start for s in window), fill=values)
    given: Any = {"channel_axis": -1, "missing_values": None, "whole": whole, **settings}
    with alone():
        problem = Problem.from_image(values, missing, **given)
        return problem.measured(np.asarray(method.solve(problem).found))[here]


def reach(core: Box, window: Box, shape: tuple[int, ...], margin: int, *parts: Any) -> int | None:
    """How far the holes of a chunk reach beyond it, with their margins; None if it is beyond the window.

    Holes that are not further from each other than `margin` are one hole.
    """
    from scipy.ndimage import binary_dilation, find_objects, label  # slow to load

    _, missing = read(window, parts)
    here = within(core, window)
    labels, _ = label(binary_dilation(missing, iterations=margin - 1))
    own = np.unique(labels[here][missing[here]])
    boxes = find_objects(labels)
    farthest = 0
    for each in own:
        for s, c, w, n in zip(boxes[each - 1], here, window, shape, strict=True):
            if (s.start == 0 < w.start) or (s.stop == w.stop - w.start and w.stop < n):
                return None
            farthest = max(farthest, c.start - s.start + 1, s.stop - c.stop + 1)
    return farthest


def pick(values: np.ndarray, channel: int) -> np.ndarray:
    """One channel of a chunk."""
    return values[..., channel]


@np.errstate(under="ignore")  # a scheduler may compute it in the thread that asks
def finish(
    image: np.ndarray,
    filled: np.ndarray,
    missing: np.ndarray,
    values: np.ndarray,
    low: Any,
    high: Any,
    kind: np.dtype,
) -> Any:
    """The restored chunk: known pixels bit for bit, filled ones in the image's dtype, within the bounds.

    The `kind` is that dtype, whose byte order NumPy loses where it joins masked chunks. The chunk is masked where
    masked entries were left as they came, as in memory.
    """
    out = np.ma.getdata(image).astype(kind)
    out[filled] = cast(np.clip(values[filled], low, high), kind)
    if image.dtype.kind == "f":
        out[missing & ~filled] = np.nan
    if isinstance(image, np.ma.MaskedArray) and (left := image.mask & ~filled).any():
        return np.ma.array(out, mask=left)
    return out


def _few(box: Box, shape: tuple[int, ...]) -> np.ndarray:
    """Which pixels of a chunk are among those at equal distances in the whole image, in C order."""
    every = 1 + prod(shape) // FEW
    place = np.zeros((), np.int64)
    for n, s in zip(shape, box, strict=True):
        place = (place[..., None] * n + np.arange(s.start, s.stop)) % every
    return place == 0
