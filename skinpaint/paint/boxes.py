"""Rectangles of pixels: half open, rows before columns."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Box"]


@dataclass(frozen=True)
class Box:
    """The rows from `top` up to `bottom` and the columns from `left` up to `right`, without the last ones.

    Examples
    --------
    >>> box = Box(2, 3, 5, 9)
    >>> box.shape, box.grown(2).within((6, 8))
    ((3, 6), Box(top=0, left=1, bottom=6, right=8))
    >>> box | Box(0, 0, 3, 4), box & Box(0, 0, 3, 4)
    (Box(top=0, left=0, bottom=5, right=9), Box(top=2, left=3, bottom=3, right=4))
    >>> box.at_level(2), Box(1, 0, 2, 3).from_level(2)
    (Box(top=0, left=0, bottom=2, right=3), Box(top=4, left=0, bottom=8, right=12))
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width; 0 where the box is empty."""
        return max(0, self.bottom - self.top), max(0, self.right - self.left)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    @property
    def slices(self) -> tuple[slice, slice]:
        """The box as an index."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def __bool__(self) -> bool:
        return self.size > 0

    def __or__(self, other: Box) -> Box:
        """The smallest box that holds both."""
        if not self or not other:
            return self or other
        return Box(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def __and__(self, other: Box) -> Box:
        """What both have in common."""
        return Box(
            max(self.top, other.top),
            max(self.left, other.left),
            min(self.bottom, other.bottom),
            min(self.right, other.right),
        )

    def grown(self, margin: int) -> Box:
        """The box with a margin on all sides."""
        return Box(self.top - margin, self.left - margin, self.bottom + margin, self.right + margin)

    def within(self, shape: tuple[int, int]) -> Box:
        """The part of the box that lies in an image of this shape."""
        return self & Box(0, 0, *shape)

    def inside(self, outer: Box) -> tuple[slice, slice]:
        """Where the box is in an array that shows `outer`."""
        return (
            slice(self.top - outer.top, self.bottom - outer.top),
            slice(self.left - outer.left, self.right - outer.left),
        )

    def at_level(self, level: int) -> Box:
        """The pixels of a level of the pyramid that the box touches; a level has half the pixels along each axis."""
        up = (1 << level) - 1
        return Box(self.top >> level, self.left >> level, (self.bottom + up) >> level, (self.right + up) >> level)

    def from_level(self, level: int) -> Box:
        """The pixels of the image below a box of a level."""
        return Box(self.top << level, self.left << level, self.bottom << level, self.right << level)
