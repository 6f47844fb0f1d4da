"""Cut the holes out of an image, so that the cost of filling them follows their size and not the image's.

Unknown pixels that are no neighbours do not know of each other. So the image is divided into tiles; tiles that hold
unknown pixels and touch form an island. A large island becomes a sheet of its own, its bounding box; the boxes of small
ones are laid out side by side on one sheet. The solver takes a sheet for an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, prod, sqrt

import numpy as np

from skinpaint.grid.jit import KNOWN, OUTSIDE, UNKNOWN

__all__ = ["Sheet", "cut_out"]

TILE = 8  # side of a tile
LARGE = 20_000  # pixels of a box that is worth a sheet of its own
DENSE = 0.6  # share of the image in boxes from which it is solved as a whole

Box = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class Sheet:
    """Pieces of an image, laid out side by side.

    Attributes
    ----------
    state : ndarray of uint8
        OUTSIDE, KNOWN or UNKNOWN, for every pixel of the sheet.
    pieces : list of (Box, Box)
        Where each piece lies in the image, and where on the sheet.
    """

    state: np.ndarray
    pieces: list[tuple[Box, Box]]

    @property
    def whole(self) -> bool:
        """Whether the sheet is the image."""
        return self.pieces[0][0] == (slice(None),) * self.state.ndim

    def gather(self, image: np.ndarray) -> np.ndarray:
        """Lay the pieces of `image` out on the sheet."""
        if len(self.pieces) == 1:
            return image[self.pieces[0][0]]
        out = np.zeros(self.state.shape, image.dtype)
        for source, target in self.pieces:
            out[target] = image[source]
        return out

    def scatter(self, values: np.ndarray, image: np.ndarray) -> None:
        """Write what is unknown on the sheet back into `image`."""
        for source, target in self.pieces:
            np.copyto(image[source], values[target], where=self.state[target] == UNKNOWN)


def cut_out(mask: np.ndarray, margin: int) -> list[Sheet]:
    """Lay all unknown pixels, and `margin` pixels around them, out on sheets.

    Parameters
    ----------
    mask : ndarray of bool, shape (M[, N[, ..., P]])
        True where unknown.
    margin : int
        How far neighbours reach.

    Returns
    -------
    sheets : list of Sheet
        Every unknown pixel is unknown on exactly one of them.

    Examples
    --------
    >>> mask = np.zeros((1000, 1000), bool)
    >>> mask[100:110, 200:220] = mask[900, 900] = True
    >>> [sheet.state.shape for sheet in cut_out(mask, margin=1)]
    [(16, 22)]
    """
    if np.count_nonzero(mask) > DENSE * mask.size:
        return [_whole(mask)]
    islands, boxes, sizes = _islands(mask, margin)
    sheets = [[number] for number, box in boxes.items() if _size(box) > LARGE]
    small = [number for number, box in boxes.items() if _size(box) <= LARGE]
    layouts = [_lay_out({number: boxes[number] for number in sheet}, margin) for sheet in (*sheets, small) if sheet]
    if sum(prod(shape) for shape, _ in layouts) > DENSE * mask.size:
        return [_whole(mask)]
    return [_fill(mask, islands, boxes, sizes, *layout) for layout in layouts]


def _whole(mask: np.ndarray) -> Sheet:
    everything = (slice(None),) * mask.ndim
    return Sheet(np.where(mask, np.uint8(UNKNOWN), np.uint8(KNOWN)), [(everything, everything)])


def _islands(mask: np.ndarray, margin: int) -> tuple[np.ndarray, dict[int, Box], dict[int, int]]:
    """Number the islands by tile, from 1; find the box of each, `margin` included, and its number of pixels."""
    from scipy import ndimage  # slow to load, and not needed where nothing is cut out

    at = np.unravel_index(np.flatnonzero(mask), mask.shape)
    tile = tuple(i // TILE for i in at)
    tiles = np.zeros([ceil(n / TILE) for n in mask.shape], bool)
    tiles[tile] = True
    islands, count = ndimage.label(tiles, np.ones((3,) * mask.ndim))
    owner = islands[tile].astype(np.min_scalar_type(count))
    order = np.argsort(owner, kind="stable")
    first = np.searchsorted(owner[order], np.arange(1, count + 1))
    edges = []
    for i, n in zip(at, mask.shape, strict=True):
        ordered = i[order]
        low = np.minimum.reduceat(ordered, first) - margin
        high = np.maximum.reduceat(ordered, first) + margin + 1
        edges.append((np.maximum(low, 0).tolist(), np.minimum(high, n).tolist()))
    boxes = {k + 1: tuple(slice(low[k], high[k]) for low, high in edges) for k in range(count)}
    return islands, boxes, dict(enumerate(np.diff(first, append=order.size).tolist(), start=1))


def _lay_out(boxes: dict[int, Box], gap: int) -> tuple[tuple[int, ...], dict[int, Box]]:
    """Place boxes on shelves, `gap` apart, the tallest first: the shape of the sheet, and where each box lies on it."""
    extents = {number: tuple(s.stop - s.start for s in box) for number, box in boxes.items()}
    if all(len(extent) == 1 for extent in extents.values()):  # a line is one shelf
        shape, places = _shelve({number: (1, *extent) for number, extent in extents.items()}, gap, limit=inf)
        return shape[1:], {number: place[1:] for number, place in places.items()}
    width = sqrt(sum((height + gap) * (width + gap) for height, width, *_ in extents.values()))
    return _shelve(extents, gap, limit=max(width, max(extent[1] for extent in extents.values())))


def _shelve(extents: dict[int, tuple[int, ...]], gap: int, limit: float) -> tuple[tuple[int, ...], dict[int, Box]]:
    places: dict[int, Box] = {}
    top, shelf, left, width = 0, 0, 0, 0
    for number in sorted(extents, key=lambda number: -extents[number][0]):
        height, across, *rest = extents[number]
        if left + across > limit:
            top, shelf, left = top + shelf + gap, 0, 0
        places[number] = (slice(top, top + height), slice(left, left + across), *(slice(0, n) for n in rest))
        shelf, width = max(shelf, height), max(width, left + across)
        left += across + gap
    others = (max(sizes) for sizes in list(zip(*extents.values(), strict=True))[2:])
    return (top + shelf, width, *others), places


def _fill(
    mask: np.ndarray,
    islands: np.ndarray,
    boxes: dict[int, Box],
    sizes: dict[int, int],
    shape: tuple[int, ...],
    places: dict[int, Box],
) -> Sheet:
    """Make the sheet; pixels of another island that reaches into a box are no neighbours, so they lie outside."""
    state = np.full(shape, OUTSIDE, np.uint8)
    for number, place in places.items():
        box = boxes[number]
        state[place] = np.where(mask[box], np.uint8(UNKNOWN), np.uint8(KNOWN))
        if sizes[number] < np.count_nonzero(mask[box]):
            own = islands[np.ix_(*(np.arange(s.start, s.stop) // TILE for s in box))] == number
            state[place][mask[box] & ~own] = OUTSIDE
    return Sheet(state, [(boxes[number], place) for number, place in places.items()])


def _size(box: Box) -> int:
    return prod(s.stop - s.start for s in box)
