"""Cut the holes out of an image, solve there, and write the solution back: the cost follows the size of the holes.

Unknown pixels that are not neighbours do not influence each other. So the image is divided into tiles, and neighbouring
tiles with unknown pixels form an island. A large island becomes a cut-out of its own: its bounding box, with a margin
of known pixels. The boxes of small islands are laid out side by side on one cut-out. A solver treats a cut-out as an
image. The box of a thin island (a scratch, a line of text) holds little but known pixels, and a narrow island can be
factorised. Such islands become one list of pixels, for solvers that take lists. Where all this would save little, the
only cut-out is the whole image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, inf, prod, sqrt
from typing import Any

import numpy as np

from skinpaint.grid.axes import Box, extents, unravel
from skinpaint.grid.choice import FEW_UNKNOWNS, LIST_COST, worth_listing
from skinpaint.grid.jit import KNOWN, OUTSIDE, UNKNOWN
from skinpaint.grid.points import Points
from skinpaint.lazy import lazy

__all__ = ["CutOut", "Listed", "cut_out", "solve_holes"]

TILE_SIDE = 8  # pixels
LARGE_BOX = 20_000  # pixels; a larger box becomes a cut-out of its own
NARROW = 20  # unknown pixels per pixel of length: such an island of an image takes half the time as a list
NARROW_COST = 2  # time for an unknown pixel of such an island, relative to a pixel of a grid, as measured
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
    members : list of ndarray of int, or slice
        Which of the image's unknown pixels, in C order, are unknown in each piece.
    """

    state: np.ndarray
    pieces: list[tuple[Box, Box]]
    members: list[Any]

    @property
    def whole(self) -> bool:
        """Whether the cut-out is the whole image."""
        return self.pieces[0][0] == (slice(None),) * self.state.ndim

    def gather(self, image: Any) -> np.ndarray:
        """The pieces of `image`: what indexing gives if there is one piece, else a copy."""
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

    def collect(self, values: np.ndarray, found: np.ndarray) -> None:
        """Write the unknown pixels of the cut-out into `found`, which holds those of the image in C order."""
        for (_, target), members in zip(self.pieces, self.members, strict=True):
            found[members] = values[target][self.state[target] == UNKNOWN]


@dataclass(frozen=True, eq=False)
class Listed:
    """Unknown pixels of an image as a list, with the known ones beside them.

    Attributes
    ----------
    points : Points
        The pixels.
    members : ndarray of int
        Which of the image's unknown pixels, in C order, they are.
    """

    points: Points
    members: np.ndarray
    whole = False

    @lazy
    def index(self) -> tuple[np.ndarray, ...]:
        """Where the points are in the image."""
        points = self.points
        return unravel(np.concatenate([points.at, points.halo]), points.shape)

    def gather(self, image: Any) -> np.ndarray:
        """The values of the points."""
        return image[self.index]

    def scatter(self, values: np.ndarray, image: np.ndarray) -> None:
        """Write the values of the unknown pixels back into `image`."""
        image[tuple(self.points.places)] = values

    def collect(self, values: np.ndarray, found: np.ndarray) -> None:
        """Write the values of the unknown pixels into `found`, which holds those of the image in C order."""
        found[self.members] = values


def solve_holes(
    systems: Iterable[tuple[CutOut | Listed, Any]],
    images: Sequence[Any],
    solve: Callable[[Any, np.ndarray], Any],
    *,
    dtype: type = float,
    padded: Sequence[np.ndarray] | None = None,
    found: Sequence[np.ndarray] | None = None,
) -> list[Any]:
    """Gather each cut-out of each image, solve its system, and scatter the solution back into the image.

    Parameters
    ----------
    systems : iterable of (CutOut or Listed, system)
        The cut-outs of the images' mask, and what is to be solved on each. A system has a `layout`.
    images : sequence of ndarray
        Written in place, at the unknown pixels.
    solve : callable
        ``solve(system, x)`` replaces the unknown entries of the flat padded array `x`; it may return a result.
    dtype : type
        Of `x`.
    found : sequence of ndarray, optional
        For each image an array for its unknown pixels, in C order. It is written to in place of the image, which need
        not be an array then: anything will do that gives an array when it is indexed by slices or by arrays.
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
                values = system.layout.inner(x)
                if found is None:
                    cut.scatter(values, image)
                else:
                    cut.collect(values, found[k])
    return results


def cut_out(
    mask: np.ndarray, margin: int, lags: tuple[int, ...] | None = None, at: np.ndarray | None = None
) -> list[Any]:
    """Divide a mask into cut-outs: all unknown pixels, with a margin of `margin` pixels around them.

    Parameters
    ----------
    mask : ndarray of bool, shape (M[, N[, ..., P]])
        True where unknown.
    margin : int
        Distance of the farthest neighbours of a pixel.
    lags : (1,) or (1, 2), optional
        Distances of neighbours along the axes, for a solver that takes lists of points. Thin and narrow islands become
        one list, as do all islands together if they are small.
    at : ndarray of int, optional
        The flat indices of the unknown pixels, in order, if they are there.

    Returns
    -------
    cuts : list of CutOut, the last one perhaps Listed
        Every unknown pixel is unknown in exactly one of them.

    Examples
    --------
    >>> mask = np.zeros((1000, 1000), bool)
    >>> mask[100:110, 200:220] = True
    >>> [cut.state.shape for cut in cut_out(mask, margin=1)]
    [(12, 22)]
    >>> mask[500:620, 100:220] = mask[np.arange(1000), np.arange(1000)] = True
    >>> [cut.whole for cut in cut_out(mask, margin=1)]
    [True]
    >>> [cut.state.shape if isinstance(cut, CutOut) else cut.points.unknowns for cut in cut_out(mask, 1, lags=(1,))]
    [(122, 122), 1200]
    """
    unknowns = np.count_nonzero(mask) if at is None else at.size
    if unknowns > MAX_BOXED_FRACTION * mask.size:
        return [_whole(mask)]
    at = np.flatnonzero(mask) if at is None else at
    if lags is not None and unknowns <= FEW_UNKNOWNS:
        points = Points.listed(at, mask.shape, lags)
        return [Listed(points, points.order)]
    islands = _islands(at, mask.shape, margin)
    sizes = {number: prod(extents(box)) for number, box in islands.boxes.items()}
    listed, cost = [], 0
    for number, box in islands.boxes.items() if lags is not None else ():
        count = islands.counts[number]
        narrow = mask.ndim > 1 and count <= NARROW * max(extents(box))
        if narrow or worth_listing(count, sizes[number]):
            listed.append(number)
            cost += (NARROW_COST if narrow else LIST_COST) * count
            del sizes[number]
    groups = [[number] for number, size in sizes.items() if size > LARGE_BOX]
    groups.append([number for number, size in sizes.items() if size <= LARGE_BOX])
    layouts = [_lay_out({number: islands.boxes[number] for number in group}, margin) for group in groups if group]
    if sum(prod(shape) for shape, _ in layouts) + cost > MAX_BOXED_FRACTION * mask.size:
        return [_whole(mask)]
    cuts: list[Any] = [_cut(mask, islands, *layout) for layout in layouts]
    if listed and lags is not None:
        some = islands.pixels(np.isin(islands.owner, listed)) if cuts else None
        points = Points.listed(at if some is None else at[some], mask.shape, lags)
        cuts.append(Listed(points, points.order if some is None else some[points.order]))
    return cuts


def _whole(mask: np.ndarray) -> CutOut:
    everything = (slice(None),) * mask.ndim
    return CutOut(_state(mask), [(everything, everything)], [slice(None)])


def _state(mask: np.ndarray) -> np.ndarray:
    return mask.view(np.uint8) + np.uint8(KNOWN)  # UNKNOWN is one more; np.where takes ten times as long


@dataclass(frozen=True, eq=False)
class Islands:
    """The islands of an image, numbered from 1, and the runs of unknown pixels along the last axis, in C order.

    Attributes
    ----------
    tiles : ndarray of int
        The number of each tile's island; 0 for none.
    boxes : dict
        The box of each island, with its margin.
    counts : dict
        How many unknown pixels each island has.
    owner : ndarray of int
        The number of each run's island.
    start, length : ndarray of int
        Where each run begins among the image's unknown pixels in C order, and how many they are.
    """

    tiles: np.ndarray
    boxes: dict[int, Box]
    counts: dict[int, int]
    owner: np.ndarray
    start: np.ndarray
    length: np.ndarray

    def pixels(self, runs: np.ndarray) -> np.ndarray:
        """Which of the image's unknown pixels, in C order, lie in these runs, one run after another."""
        start, length = self.start[runs], self.length[runs]
        return np.repeat(start - (np.cumsum(length) - length), length) + np.arange(length.sum())

    @lazy
    def members(self) -> dict[int, np.ndarray]:
        """Which of the image's unknown pixels, in C order, belong to each island."""
        together = self.pixels(np.argsort(self.owner, kind="stable"))
        return dict(enumerate(np.split(together, np.cumsum([*self.counts.values()])[:-1]), start=1))


def _islands(at: np.ndarray, shape: tuple[int, ...], margin: int) -> Islands:
    """Find the islands of the unknown pixels with the flat indices `at`, run by run along the last axis."""
    from scipy import ndimage  # slow to load, and not needed where nothing is cut out

    start, length = _runs(at, shape[-1])
    *above, left = unravel(at[start], shape)
    right = left + length - 1

    counts = [ceil(n / TILE_SIDE) for n in shape]
    line = np.zeros_like(start)  # of tiles, that each run lies in
    for i, n in zip(above, counts[:-1], strict=True):
        line = line * n + i // TILE_SIDE
    line *= counts[-1] + 1
    tile = line + left // TILE_SIDE  # that each run begins in
    changes = np.zeros(prod(counts[:-1]) * (counts[-1] + 1), np.int64)
    changes += np.bincount(tile, minlength=changes.size)
    changes -= np.bincount(line + right // TILE_SIDE + 1, minlength=changes.size)
    tiles = np.cumsum(changes).reshape(*counts[:-1], counts[-1] + 1) > 0
    tiles, count = ndimage.label(tiles, np.ones((3,) * len(shape)))

    owner = tiles.reshape(-1)[tile]
    order = np.argsort(owner, kind="stable")
    first = np.searchsorted(owner[order], np.arange(1, count + 1))
    edges = []
    for low, high, n in zip((*above, left), (*above, right), shape, strict=True):
        lowest = np.minimum.reduceat(low[order], first) - margin
        highest = np.maximum.reduceat(high[order], first) + margin + 1
        edges.append((np.maximum(lowest, 0).tolist(), np.minimum(highest, n).tolist()))
    boxes = {k + 1: tuple(slice(low[k], high[k]) for low, high in edges) for k in range(count)}
    sizes = dict(enumerate(np.add.reduceat(length[order], first).tolist(), start=1))
    return Islands(tiles[..., :-1], boxes, sizes, owner, start, length)


def _runs(at: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each run along rows of `n` pixels begins among the pixels with the flat indices `at`, and its length.

    Examples
    --------
    >>> _runs(np.array([2, 3, 4, 9, 10]), n=10)
    (array([0, 3, 4]), array([3, 1, 1]))
    """
    begins = np.ones(at.size, bool)
    np.not_equal(at[1:] - at[:-1], 1, out=begins[1:])
    start = np.flatnonzero(begins)
    length = np.diff(start, append=at.size)
    if (at[start] % n + length > n).any():  # a run goes on in the next row
        start = np.flatnonzero(begins | (at % n == 0))
        length = np.diff(start, append=at.size)
    return start, length


def _lay_out(boxes: dict[int, Box], gap: int) -> tuple[tuple[int, ...], dict[int, Box]]:
    """Place boxes on shelves, `gap` apart, the tallest first: the shape of the cut-out, and each box's place in it."""
    shapes = {number: extents(box) for number, box in boxes.items()}
    if all(len(each) == 1 for each in shapes.values()):  # the pieces of a signal fit on one shelf
        shape, places = _shelve({number: (1, *each) for number, each in shapes.items()}, gap, limit=inf)
        return shape[1:], {number: place[1:] for number, place in places.items()}
    width = sqrt(sum((height + gap) * (width + gap) for height, width, *_ in shapes.values()))
    return _shelve(shapes, gap, limit=max(width, max(each[1] for each in shapes.values())))


def _shelve(shapes: dict[int, tuple[int, ...]], gap: int, limit: float) -> tuple[tuple[int, ...], dict[int, Box]]:
    places: dict[int, Box] = {}
    top, shelf, left, width = 0, 0, 0, 0
    for number in sorted(shapes, key=lambda number: -shapes[number][0]):
        height, across, *rest = shapes[number]
        if left + across > limit:
            top, shelf, left = top + shelf + gap, 0, 0
        places[number] = (slice(top, top + height), slice(left, left + across), *(slice(0, n) for n in rest))
        shelf, width = max(shelf, height), max(width, left + across)
        left += across + gap
    others = (max(sizes) for sizes in list(zip(*shapes.values(), strict=True))[2:])
    return (top + shelf, width, *others), places


def _cut(mask: np.ndarray, islands: Islands, shape: tuple[int, ...], places: dict[int, Box]) -> CutOut:
    """Make a cut-out. Where another island reaches into a box, its pixels count as outside: they are no neighbours."""
    state = np.full(shape, OUTSIDE, np.uint8)
    for number, place in places.items():
        box = islands.boxes[number]
        state[place] = _state(mask[box])
        if islands.counts[number] < np.count_nonzero(mask[box]):
            own = islands.tiles[np.ix_(*(np.arange(s.start, s.stop) // TILE_SIDE for s in box))] == number
            state[place][mask[box] & ~own] = OUTSIDE
    everything = len(islands.counts) == 1
    members = [slice(None) if everything else islands.members[number] for number in places]
    return CutOut(state, [(islands.boxes[number], place) for number, place in places.items()], members)
