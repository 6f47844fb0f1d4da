"""Cut the holes out of an image, solve there, and write the solution back: the cost follows the size of the holes.

Unknown pixels that are not neighbours do not influence each other. So the image is divided into tiles, and neighbouring
tiles with unknown pixels form an island. A large island becomes a cut-out of its own: its bounding box, with a margin
of known pixels. The boxes of small islands are laid out side by side on one cut-out. Where this would save little, the
only cut-out is the whole image. A solver treats a cut-out as an image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, inf, prod, sqrt
from typing import Any

import numpy as np

from skinpaint.grid.axes import Box
from skinpaint.grid.jit import KNOWN, OUTSIDE, UNKNOWN

__all__ = ["CutOut", "cut_out", "solve_holes"]

TILE_SIDE = 8  # pixels
LARGE_BOX = 20_000  # pixels; a larger box becomes a cut-out of its own
MAX_BOXED_FRACTION = 0.6  # if boxes would cover more of the image than this, it is solved as a whole


@dataclass(frozen=True, eq=False)
class CutOut:
    """Pieces of an image, laid out side by side.

    Attributes
    ----------
    state : ndarray of uint8
        OUTSIDE, KNOWN or UNKNOWN, for every pixel of the cut-out.
    pieces : list of (Box, Box)
        Where each piece lies in the image, and where in the cut-out.
    """

    state: np.ndarray
    pieces: list[tuple[Box, Box]]

    @property
    def whole(self) -> bool:
        """Whether the cut-out is the whole image."""
        return self.pieces[0][0] == (slice(None),) * self.state.ndim

    def gather(self, image: np.ndarray) -> np.ndarray:
        """The pieces of `image`: a view if there is one piece, else a copy."""
        if len(self.pieces) == 1:
            return image[self.pieces[0][0]]
        out = np.zeros(self.state.shape, image.dtype)
        for source, target in self.pieces:
            out[target] = image[source]
        return out

    def scatter(self, values: np.ndarray, image: np.ndarray) -> None:
        """Write the unknown pixels of the cut-out back into `image`."""
        for source, target in self.pieces:
            np.copyto(image[source], values[target], where=self.state[target] == UNKNOWN)


def solve_holes(
    systems: Iterable[tuple[CutOut, Any]],
    images: Sequence[np.ndarray],
    solve: Callable[[Any, np.ndarray], Any],
    *,
    dtype: type = float,
    padded: Sequence[np.ndarray] | None = None,
) -> list[Any]:
    """Gather each cut-out of each image, solve its system, and scatter the solution back into the image.

    Parameters
    ----------
    systems : iterable of (CutOut, system)
        The cut-outs of the images' mask, and what is to be solved on each. A system has a `layout`.
    images : sequence of ndarray
        Written in place, at the unknown pixels.
    solve : callable
        ``solve(system, x)`` replaces the unknown entries of the flat padded array `x`; it may return a result.
    dtype : type
        Of `x`.
    padded : sequence of ndarray, optional
        The flat padded arrays, of `dtype`, that the images are views into. A cut-out that is the whole image is then
        solved in place, without a copy.

    Returns
    -------
    results : list
        What `solve` returned, for each cut-out and image.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from skinpaint.grid.layout import Layout
    >>> mask, image = np.array([False, True, False]), np.zeros(3)
    >>> def one(system, x):
    ...     x[...] = 1
    >>> cuts = cut_out(mask, margin=1)
    >>> _ = solve_holes([(cut, SimpleNamespace(layout=Layout(cut.state.shape, 1))) for cut in cuts], [image], one)
    >>> image
    array([0., 1., 0.])
    """
    results = []
    for cut, system in systems:
        for k, image in enumerate(images):
            if cut.whole and padded is not None:
                results.append(solve(system, padded[k]))
            else:
                x = system.layout.flatten(cut.gather(image), dtype)
                results.append(solve(system, x))
                cut.scatter(system.layout.inner(x), image)
    return results


def cut_out(mask: np.ndarray, margin: int) -> list[CutOut]:
    """Divide a mask into cut-outs: all unknown pixels, with a margin of `margin` pixels around them.

    Parameters
    ----------
    mask : ndarray of bool, shape (M[, N[, ..., P]])
        True where unknown.
    margin : int
        Distance of the farthest neighbours of a pixel.

    Returns
    -------
    cuts : list of CutOut
        Every unknown pixel is unknown in exactly one of them.

    Examples
    --------
    >>> mask = np.zeros((1000, 1000), bool)
    >>> mask[100:110, 200:220] = mask[900, 900] = True
    >>> [cut.state.shape for cut in cut_out(mask, margin=1)]
    [(16, 22)]
    """
    if np.count_nonzero(mask) > MAX_BOXED_FRACTION * mask.size:
        return [_whole(mask)]
    islands, boxes, sizes = _islands(mask, margin)
    groups = [[number] for number, box in boxes.items() if _size(box) > LARGE_BOX]
    groups.append([number for number, box in boxes.items() if _size(box) <= LARGE_BOX])
    layouts = [_lay_out({number: boxes[number] for number in group}, margin) for group in groups if group]
    if sum(prod(shape) for shape, _ in layouts) > MAX_BOXED_FRACTION * mask.size:
        return [_whole(mask)]
    return [_cut(mask, islands, boxes, sizes, *layout) for layout in layouts]


def _whole(mask: np.ndarray) -> CutOut:
    everything = (slice(None),) * mask.ndim
    return CutOut(_state(mask), [(everything, everything)])


def _state(mask: np.ndarray) -> np.ndarray:
    return mask.view(np.uint8) + np.uint8(KNOWN)  # UNKNOWN is one more; np.where takes ten times as long


def _islands(mask: np.ndarray, margin: int) -> tuple[np.ndarray, dict[int, Box], dict[int, int]]:
    """The number of each tile's island, counted from 1, and each island's box with its margin, and number of pixels."""
    from scipy import ndimage  # slow to load, and not needed where nothing is cut out

    at = np.unravel_index(np.flatnonzero(mask), mask.shape)
    tile = tuple(i // TILE_SIDE for i in at)
    tiles = np.zeros([ceil(n / TILE_SIDE) for n in mask.shape], bool)
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
    """Place boxes on shelves, `gap` apart, the tallest first: the shape of the cut-out, and each box's place in it."""
    extents = {number: tuple(s.stop - s.start for s in box) for number, box in boxes.items()}
    if all(len(extent) == 1 for extent in extents.values()):  # the pieces of a signal fit on one shelf
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


def _cut(
    mask: np.ndarray,
    islands: np.ndarray,
    boxes: dict[int, Box],
    sizes: dict[int, int],
    shape: tuple[int, ...],
    places: dict[int, Box],
) -> CutOut:
    """Make a cut-out. Where another island reaches into a box, its pixels count as outside: they are no neighbours."""
    state = np.full(shape, OUTSIDE, np.uint8)
    for number, place in places.items():
        box = boxes[number]
        state[place] = _state(mask[box])
        if sizes[number] < np.count_nonzero(mask[box]):
            own = islands[np.ix_(*(np.arange(s.start, s.stop) // TILE_SIDE for s in box))] == number
            state[place][mask[box] & ~own] = OUTSIDE
    return CutOut(state, [(boxes[number], place) for number, place in places.items()])


def _size(box: Box) -> int:
    return prod(s.stop - s.start for s in box)
