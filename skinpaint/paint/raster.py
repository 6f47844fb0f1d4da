"""From edits to pixels: which pixels of the image an edit touches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import singledispatch
from itertools import pairwise

import numpy as np

from skinpaint.masks import grow
from skinpaint.paint.boxes import Box
from skinpaint.paint.edits import Clear, Edit, Grow, Imported, Point, Polygon, Rectangle, Similar, Stroke, Suggested
from skinpaint.paint.picture import Picture
from skinpaint.paint.suggest import suggested
from skinpaint.paint.tiles import Bits

__all__ = ["check_within", "segments", "touched"]

PIECE = 256  # pixels: longer segments are cut, so that the box of a diagonal one stays small
FIRST_WINDOW = 512  # pixels from the point of a flood in which it is looked for first

Touched = Iterator[tuple[Box, np.ndarray]]
"""Boxes in the image, and in each the pixels that are touched."""


@singledispatch
def touched(edit: Edit, picture: Picture, bits: Bits) -> Touched:
    """The pixels that an edit touches.

    Parameters
    ----------
    edit : Edit
        What was done.
    picture : Picture
        The image, for floods and suggestions.
    bits : Bits
        What is missing before the edit.

    Examples
    --------
    >>> picture = Picture(np.zeros((3, 5), np.uint8))
    >>> stroke = Stroke(points=((0.5, 1.5), (3.5, 1.5)), diameter=1)
    >>> [(box, pixels)] = touched(stroke, picture, Bits((3, 5)))
    >>> box, pixels.tolist()
    (Box(top=1, left=0, bottom=2, right=4), [[True, True, True, True]])
    """
    raise TypeError(f"{type(edit).__name__} is no edit.")


@touched.register
def _(edit: Stroke, picture: Picture, bits: Bits) -> Touched:
    yield from segments(edit.points, edit.diameter, bits.shape)


@touched.register
def _(edit: Polygon, picture: Picture, bits: Bits) -> Touched:
    from skimage.draw import polygon

    x, y = np.array(edit.points, float).T
    box = _around(x, y, 0, bits.shape)
    if box:
        pixels = np.zeros(box.shape, bool)
        pixels[polygon(y - 0.5 - box.top, x - 0.5 - box.left, box.shape)] = True
        yield box, pixels


@touched.register
def _(edit: Rectangle, picture: Picture, bits: Bits) -> Touched:
    x, y = np.array(edit.points, float).T
    box = _around(x, y, 0, bits.shape)
    if box:
        yield box, np.ones(box.shape, bool)


@touched.register
def _(edit: Similar, picture: Picture, bits: Bits) -> Touched:
    from skimage.segmentation import flood

    column, row = (int(np.floor(coordinate)) for coordinate in edit.points[0])
    seed = Box(row, column, row + 1, column + 1)
    if not seed.within(bits.shape):
        return
    colour = picture.on_screen(picture.image[seed.slices]).astype(np.int16)
    margin = FIRST_WINDOW
    while True:
        window = seed.grown(margin).within(bits.shape)
        near = np.abs(picture.on_screen(picture.image[window.slices]) - colour).max(axis=-1) <= edit.tolerance
        found = flood(near.view(np.uint8), (row - window.top, column - window.left), connectivity=1)
        if not _leaves(found, window, bits.shape):
            yield window, found
            return
        margin *= 2


@touched.register
def _(edit: Grow, picture: Picture, bits: Bits) -> Touched:
    for tile in list(bits.boxes()):
        box, around = (tile.grown(n * edit.pixels).within(bits.shape) for n in (1, 2))
        yield box, grow(bits.read(around), edit.pixels)[box.inside(around)]


@touched.register
def _(edit: Suggested, picture: Picture, bits: Bits) -> Touched:
    yield from suggested(edit, picture)


@touched.register
def _(edit: Clear, picture: Picture, bits: Bits) -> Touched:
    for tile in bits.boxes():
        yield tile, np.ones(tile.shape, bool)


@touched.register
def _(edit: Imported, picture: Picture, bits: Bits) -> Touched:
    check_within(edit, bits.shape)
    box = Box(*edit.box)
    if box:
        yield box, edit.pixels


def check_within(edit: Imported, shape: tuple[int, int]) -> None:
    """Refuse a mask of a larger image."""
    box = Box(*edit.box)
    if box and box.within(shape) != box:
        raise ValueError(
            f"The mask reaches to row {box.bottom} and column {box.right}, but the image has {shape[0]} rows and "
            f"{shape[1]} columns."
        )


def segments(points: Sequence[Point], diameter: float, shape: tuple[int, int]) -> Touched:
    """The pixels of a brush along the straight lines from each point to the next; one point is a dot."""
    pairs = pairwise(points) if len(points) > 1 else [(points[0], points[0])]
    for first, last in pairs:
        start, end = _with_pressure(first), _with_pressure(last)
        pieces = max(1, int(np.ceil(np.hypot(*(end - start)[:2]) / PIECE)))
        knots = start + np.linspace(0, 1, pieces + 1)[:, None] * (end - start)
        for p, q in pairwise(knots):
            radius = diameter / 2 if diameter > 1 else 0
            box = _around(np.array([p[0], q[0]]), np.array([p[1], q[1]]), radius, shape)
            if box:
                yield box, _thin(p, q, box) | (_thick(p, q, diameter, box) if diameter > 1 else False)


def _thick(p: np.ndarray, q: np.ndarray, diameter: float, box: Box) -> np.ndarray:
    """Pixels whose centre is within the radius of a segment; the radius changes linearly along it."""
    x = np.arange(box.left, box.right) + 0.5 - p[0]
    y = (np.arange(box.top, box.bottom) + 0.5 - p[1])[:, None]
    dx, dy, change = q - p
    length = dx * dx + dy * dy
    t = np.clip((x * dx + y * dy) / length, 0, 1) if length else np.zeros(())
    radius = diameter / 2 * (p[2] + t * change)
    return np.asarray((x - t * dx) ** 2 + (y - t * dy) ** 2 <= radius**2)


def _thin(p: np.ndarray, q: np.ndarray, box: Box) -> np.ndarray:
    """The pixels of a line that is one pixel wide: one in each row or each column, whichever are more."""
    start, end = np.floor(p[1::-1]), np.floor(q[1::-1])
    count = int(np.abs(end - start).max()) + 1
    rows, columns = np.rint(np.linspace(start, end, count)).astype(int).T
    pixels = np.zeros(box.shape, bool)
    rows, columns = rows - box.top, columns - box.left
    there = (rows >= 0) & (rows < box.shape[0]) & (columns >= 0) & (columns < box.shape[1])
    pixels[rows[there], columns[there]] = True
    return pixels


def _with_pressure(point: Point) -> np.ndarray:
    return np.array([point[0], point[1], point[2] if len(point) > 2 else 1.0])


def _around(x: np.ndarray, y: np.ndarray, radius: float, shape: tuple[int, int]) -> Box:
    """The pixels of the image that points with a margin reach into."""
    low = np.floor([y.min() - radius, x.min() - radius]).astype(int)
    high = np.floor([y.max() + radius, x.max() + radius]).astype(int) + 1
    return Box(int(low[0]), int(low[1]), int(high[0]), int(high[1])).within(shape)


def _leaves(found: np.ndarray, window: Box, shape: tuple[int, int]) -> bool:
    """Whether a flood reaches the edge of its window where that is not the edge of the image."""
    return bool(
        (window.top > 0 and found[0].any())
        or (window.left > 0 and found[:, 0].any())
        or (window.bottom < shape[0] and found[-1].any())
        or (window.right < shape[1] and found[:, -1].any())
    )
