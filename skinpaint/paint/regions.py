"""Where to solve: missing pixels that hang together, in windows with known pixels around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skinpaint.paint.boxes import Box
from skinpaint.paint.tiles import SIDE, Bits

__all__ = ["Window", "regions"]

CELL = 8  # pixels: missing pixels in neighbouring cells hang together
CONTEXT = 64  # pixels around a region that a method sees
MAX_SIDE = 2048  # pixels: larger regions are divided into windows of this side
LARGE_CONTEXT = 256  # pixels around such a window


@dataclass(frozen=True)
class Window:
    """One crop to solve.

    Attributes
    ----------
    core : Box
        Whose missing pixels are filled.
    around : Box
        What the method sees.
    """

    core: Box
    around: Box


def regions(bits: Bits, changed: Sequence[Box]) -> list[Window]:
    """The windows in which everything lies that changes of the mask within some boxes bear on.

    Missing pixels that do not hang together do not bear on each other. A region of at most 2048 pixels along each axis
    is one window, so that a method sees all of it; a larger one is divided.

    Examples
    --------
    >>> bits = Bits((400, 400))
    >>> _ = bits.write(Box(100, 100, 104, 104), np.ones((4, 4), bool))
    >>> _ = bits.write(Box(300, 300, 304, 304), np.ones((4, 4), bool))
    >>> [window] = regions(bits, [Box(100, 100, 101, 101)])
    >>> window.core, window.around
    (Box(top=96, left=96, bottom=104, right=104), Box(top=32, left=32, bottom=168, right=168))
    """
    return [window for region in _touched(bits, changed) for window in _windows(bits, region)]


def _windows(bits: Bits, region: Box) -> Iterator[Window]:
    rows = _parts(region.top, region.bottom)
    columns = _parts(region.left, region.right)
    context = CONTEXT if len(rows) == len(columns) == 1 else LARGE_CONTEXT
    for top, bottom in rows:
        for left, right in columns:
            core = Box(top, left, bottom, right)
            if bits.read(core).any():
                yield Window(core, _with_known(bits, core, context))


def _touched(bits: Bits, changed: Sequence[Box]) -> list[Box]:
    """For each box the box of all missing pixels that hang together with some in it; those that overlap are one."""
    from scipy.ndimage import find_objects, label

    islands, _ = label(_cells(bits), np.ones((3, 3)))
    places = find_objects(islands)
    found: list[Box] = []
    for each in changed:
        near = each.grown(CELL).within(bits.shape)
        seen = islands[near.top // CELL : -(-near.bottom // CELL), near.left // CELL : -(-near.right // CELL)]
        region = Box(0, 0, 0, 0)
        for number in np.unique(seen[seen > 0]):
            rows, columns = places[number - 1]
            region |= Box(rows.start * CELL, columns.start * CELL, rows.stop * CELL, columns.stop * CELL)
        while overlapping := [other for other in found if other & region]:
            found = [other for other in found if not other & region]
            for other in overlapping:
                region |= other
        if region:
            found.append(region)
    return [region.within(bits.shape) for region in found]


def _cells(bits: Bits) -> np.ndarray:
    """Which cells hold missing pixels."""
    per_tile = SIDE // CELL
    cells = np.zeros([-(-n // SIDE) * per_tile for n in bits.shape], bool)
    for (row, column), packed in bits.tiles.items():
        tile = np.frombuffer(packed, np.uint8).reshape(per_tile, CELL, per_tile)  # eight pixels of a row are a byte
        at = slice(row * per_tile, (row + 1) * per_tile), slice(column * per_tile, (column + 1) * per_tile)
        cells[at] = tile.any(axis=1)
    return cells


def _parts(start: int, stop: int) -> list[tuple[int, int]]:
    """A range in equal parts that are not too long."""
    count = max(1, -(-(stop - start) // MAX_SIDE))
    cuts = [start + (stop - start) * k // count for k in range(count + 1)]
    return list(pairwise(cuts))


def _with_known(bits: Bits, core: Box, context: int) -> Box:
    """The box with a margin, wide enough that something in it is known."""
    while True:
        around = core.grown(context).within(bits.shape)
        if around == Box(0, 0, *bits.shape) or not bits.read(around).all():
            return around
        context *= 4
