"""Sparse arrays in tiles: what is written takes memory, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from skinpaint.paint.boxes import Box

__all__ = ["SIDE", "Bits", "Fill", "Tiles"]

SIDE = 256  # pixels of a tile along each axis

Tiles = dict[tuple[int, int], bytes]
"""Tiles of a :class:`Bits` by row and column, eight pixels a byte; a tile without a set pixel is not there."""


def tiles_of(box: Box) -> Iterator[tuple[tuple[int, int], Box]]:
    """The tiles that a box touches: row and column, and the whole tile as a box."""
    rows, columns = range(box.top // SIDE, -(-box.bottom // SIDE)), range(box.left // SIDE, -(-box.right // SIDE))
    for row in rows:
        for column in columns:
            yield (row, column), Box(row * SIDE, column * SIDE, (row + 1) * SIDE, (column + 1) * SIDE)


class Bits:
    """A mask of an image of any size: tiles of one bit a pixel, of which only those with set pixels are kept.

    Parameters
    ----------
    shape : (int, int)
        Height and width.

    Examples
    --------
    >>> bits = Bits((1000, 1000))
    >>> before = bits.write(Box(254, 0, 258, 2), np.ones((4, 2), bool))
    >>> bits.count, bits.bounds, bits.read(Box(253, 0, 256, 3)).astype(int).tolist()
    (8, Box(top=254, left=0, bottom=258, right=2), [[0, 0, 0], [1, 1, 0], [1, 1, 0]])
    >>> _ = bits.replace(before)
    >>> bits.count
    0
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.tiles: Tiles = {}

    def read(self, box: Box) -> np.ndarray:
        """The pixels of a box in the image, as a new array of bool."""
        out = np.zeros(box.shape, bool)
        for place, tile in tiles_of(box):
            if place in self.tiles:
                common = tile & box
                out[common.inside(box)] = _unpacked(self.tiles[place])[common.inside(tile)]
        return out

    def write(self, box: Box, pixels: np.ndarray) -> Tiles:
        """Set the pixels of a box; return the tiles that changed as they were, for :meth:`replace`."""
        new: Tiles = {}
        for place, tile in tiles_of(box):
            common = tile & box
            changed = _unpacked(self.tiles.get(place, b""))
            changed[common.inside(tile)] = pixels[common.inside(box)]
            packed = _packed(changed)
            if packed != self.tiles.get(place, b""):
                new[place] = packed
        return self.replace(new)

    def replace(self, tiles: Tiles) -> Tiles:
        """Put tiles in the place of those that are there, which are returned."""
        before = {place: self.tiles.get(place, b"") for place in tiles}
        for place, packed in tiles.items():
            if packed:
                self.tiles[place] = packed
            else:
                self.tiles.pop(place, None)
        return before

    @property
    def count(self) -> int:
        """Number of set pixels."""
        return sum(int.from_bytes(packed, "big").bit_count() for packed in self.tiles.values())

    @property
    def bounds(self) -> Box:
        """The smallest box that holds all set pixels."""
        found = Box(0, 0, 0, 0)
        for place in self.tiles:
            found |= self._bounds_of(place)
        return found

    def bounds_in(self, tiles: Tiles) -> Box:
        """The smallest box that holds every pixel in which these tiles differ from those that are there."""
        found = Box(0, 0, 0, 0)
        for place, packed in tiles.items():
            differs = _unpacked(packed) ^ _unpacked(self.tiles.get(place, b""))
            found |= _bounds(differs, place)
        return found

    def _bounds_of(self, place: tuple[int, int]) -> Box:
        return _bounds(_unpacked(self.tiles[place]), place)

    def boxes(self) -> Iterator[Box]:
        """The tiles that hold set pixels, cut to the image."""
        for row, column in sorted(self.tiles):
            yield Box(row * SIDE, column * SIDE, (row + 1) * SIDE, (column + 1) * SIDE).within(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the tiles take."""
        return sum(map(len, self.tiles.values()))


class Fill:
    """The image with its masked pixels filled, of which only tiles that were written take memory.

    Parameters
    ----------
    image : ndarray of shape (M, N, C)
        The image; it is never written to.

    Examples
    --------
    >>> fill = Fill(np.zeros((4, 4, 1), np.uint8))
    >>> fill.write(Box(1, 1, 2, 3), np.full((1, 2, 1), 7, np.uint8), np.array([[True, False]]))
    >>> fill.read(Box(0, 0, 2, 4))[..., 0].tolist()
    [[0, 0, 0, 0], [0, 7, 0, 0]]
    """

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.tiles: dict[tuple[int, int], np.ndarray] = {}

    def read(self, box: Box) -> np.ndarray:
        """What was written in a box, and the image elsewhere, as a new array."""
        out: np.ndarray = self.image[box.slices].copy()
        for place, tile in tiles_of(box):
            if place in self.tiles:
                common = tile & box
                out[common.inside(box)] = self.tiles[place][common.inside(tile)]
        return out

    def write(self, box: Box, values: np.ndarray, where: np.ndarray) -> None:
        """Write the values of a box where `where` is True."""
        for place, tile in tiles_of(box):
            common = tile & box
            if place not in self.tiles:
                self.tiles[place] = self.image[tile.slices].copy()
            at = common.inside(box)
            np.copyto(self.tiles[place][common.inside(tile)], values[at], where=where[at][..., None])


def _packed(pixels: np.ndarray) -> bytes:
    return np.packbits(pixels).tobytes() if pixels.any() else b""


def _unpacked(packed: bytes) -> np.ndarray:
    if not packed:
        return np.zeros((SIDE, SIDE), bool)
    return np.unpackbits(np.frombuffer(packed, np.uint8)).view(bool).reshape(SIDE, SIDE)


def _bounds(pixels: np.ndarray, place: tuple[int, int]) -> Box:
    """The smallest box that holds the set pixels of a tile."""
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if not rows.size:
        return Box(0, 0, 0, 0)
    top, left = place[0] * SIDE, place[1] * SIDE
    return Box(top + int(rows[0]), left + int(columns[0]), top + int(rows[-1]) + 1, left + int(columns[-1]) + 1)
