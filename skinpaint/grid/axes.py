"""Axes that have neighbours, channels that share a mask, and boxes: what every solver asks first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["Box", "channels_by_mask", "drop_short_axes", "extents", "long_axes", "unravel", "within"]

Box = tuple[slice, ...]
"""A part of a grid: from where to where along each axis."""


def extents(box: Box) -> tuple[int, ...]:
    """The shape of a box.

    Examples
    --------
    >>> extents((slice(2, 5), slice(0, 4)))
    (3, 4)
    """
    return tuple(s.stop - s.start for s in box)


def within(box: Box, around: Box) -> Box:
    """Where a box lies in a larger one.

    Examples
    --------
    >>> within((slice(2, 5), slice(0, 4)), (slice(1, 9), slice(0, 9)))
    (slice(1, 4, None), slice(0, 4, None))
    """
    return tuple(slice(s.start - t.start, s.stop - t.start) for s, t in zip(box, around, strict=True))


def long_axes(shape: tuple[int, ...]) -> list[int]:
    """The axes longer than 1. Only these have neighbours; a single pixel keeps its last axis.

    Examples
    --------
    >>> long_axes((1, 5, 1, 4)), long_axes((1, 1))
    ([1, 3], [1])
    """
    return [axis for axis, n in enumerate(shape) if n > 1] or [len(shape) - 1]


def drop_short_axes(grid: np.ndarray) -> np.ndarray:
    """View a grid without its axes of length 1, so that writing to the view writes to the grid.

    Examples
    --------
    >>> drop_short_axes(np.zeros((1, 5, 1, 4))).shape
    (5, 4)
    """
    long = long_axes(grid.shape)
    return grid[tuple(slice(None) if axis in long else 0 for axis in range(grid.ndim))]


def unravel(at: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """The place along each axis of flat indices: ``np.unravel_index`` of valid ones, in a third of its time.

    Examples
    --------
    >>> unravel(np.array([7, 23]), (2, 3, 4))
    (array([0, 1]), array([1, 2]), array([3, 3]))
    """
    found: list[np.ndarray] = []
    for n in reversed(shape[1:]):
        before = at // n
        found.append(at - before * n)
        at = before
    return at, *reversed(found)


def channels_by_mask(mask: np.ndarray, channels: int) -> Iterator[tuple[np.ndarray, list[int]]]:
    """Group the channels that have equal masks, so that each group is prepared once.

    Parameters
    ----------
    mask : ndarray of bool, shape (M[, N[, ..., P]], C) or (M[, N[, ..., P]], 1)
        True where missing; a last axis of length 1 means one mask for all channels.
    channels : int
        Number of channels, C.

    Yields
    ------
    mask : ndarray of bool, shape (M[, N[, ..., P]])
        A mask with something missing; each is different.
    channels : list of int
        The channels that have it. Every channel with something missing is in one group.

    Examples
    --------
    >>> mask = np.array([[True, False, True], [False, False, False]])
    >>> [(mask.tolist(), group) for mask, group in channels_by_mask(mask, 3)]
    [([True, False], [0, 2])]
    """
    if mask.shape[-1] == 1:
        if mask.any():
            yield mask[..., 0], list(range(channels))
        return
    groups: dict[bytes, list[int]] = {}
    for c in range(channels):
        groups.setdefault(np.packbits(mask[..., c]).tobytes(), []).append(c)
    for group in groups.values():
        first = np.ascontiguousarray(mask[..., group[0]])
        if first.any():
            yield first, group
