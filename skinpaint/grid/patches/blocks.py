"""Overlapping blocks of an image, which are sparse after a cosine transform: transform, shrink, and average.

The image is divided into tiles. Each is processed with a margin as wide as the blocks reach, so only one tile needs
extra memory. Borders are mirrored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from skinpaint.grid.axes import Box, long_axes
from skinpaint.grid.patches.kernels_blocks import estimate
from skinpaint.grid.threads import SOLVE_COST, share

__all__ = ["BLOCK_SIDES", "Tile", "as_planes", "average", "plane_axes", "stride", "tiles"]

T = TypeVar("T")

BLOCK_SIDES = (8, 16, 32)  # pixels
TILE_SIDES = {1: 2**16, 2: 512, 3: 96}  # pixels, by the number of axes
UNIFORM_WINDOW = np.ones(max(BLOCK_SIDES), np.float32)  # all pixels of a block count alike


@dataclass(frozen=True)
class Tile:
    """A part of an image.

    Attributes
    ----------
    core : tuple of slice
        The part to be filled, as indices into `box`.
    box : tuple of slice
        That part with its margin, as indices into the image.
    """

    core: Box
    box: Box


def as_planes(x: np.ndarray) -> np.ndarray:
    """View an image with channels last as ``(stack, A, J, X, C)``; an image of two axes has J = 1."""
    spatial = x.shape[:-1]
    long = [spatial[axis] for axis in long_axes(spatial)]
    return x.reshape(int(np.prod(long[:-3])), *plane_axes(spatial, spatial, 1), x.shape[-1])


def plane_axes(shape: tuple[int, ...], values: Sequence[T], absent: T) -> tuple[T, T, T]:
    """Order one value for each spatial axis as the axes (A, J, X) of a plane; `absent` stands for missing axes.

    Examples
    --------
    >>> plane_axes((9, 1, 8), (0.5, 2.0, 3.0), 1.0)
    (0.5, 1.0, 3.0)
    """
    *others, X = (values[axis] for axis in long_axes(shape)[-3:])
    A, J = {0: (absent, absent), 1: (*others, absent)}.get(len(others), others)
    return A, J, X


def tiles(missing: np.ndarray, halo: int) -> Iterator[Tile]:
    """The tiles of a mask of shape (A, J, X) that have missing pixels, each with a margin of `halo` pixels.

    Examples
    --------
    >>> mask = np.zeros((600, 1, 600), bool)
    >>> mask[0, 0, 0] = True
    >>> [tile.box for tile in tiles(mask, halo=32)]
    [(slice(0, 332, None), slice(0, 1, None), slice(0, 332, None))]
    """
    extent = TILE_SIDES[len(long_axes(missing.shape))]
    counts = [-(-n // extent) for n in missing.shape]
    for index in np.ndindex(*counts):
        edges = [(n * i // k, n * (i + 1) // k) for n, i, k in zip(missing.shape, index, counts, strict=True)]
        if not missing[tuple(slice(*edge) for edge in edges)].any():
            continue
        outer = [(max(0, lo - halo), min(n, hi + halo)) for (lo, hi), n in zip(edges, missing.shape, strict=True)]
        core = tuple(slice(lo - first, hi - first) for (lo, hi), (first, _) in zip(edges, outer, strict=True))
        yield Tile(core, tuple(slice(*each) for each in outer))


def average(x: np.ndarray, missing: np.ndarray, core: Box, side: int, shifts: tuple[int, ...], t: float) -> np.ndarray:
    """Shrink the coefficients of all blocks with missing pixels, at threshold `t`, and average where blocks overlap.

    The weight of a block is one over the number of coefficients that it keeps. The mean of a block is always kept.

    Parameters
    ----------
    x : ndarray of float32, shape (A, J, X)
        The image.
    missing : ndarray of bool, of the same shape
        The pixels to be estimated.
    core : tuple of slice
        The part of the image to be estimated.
    side : 8, 16 or 32
        Side of a block, along all axes longer than 1.
    shifts : tuple of int
        Where the first block starts, from 0 to less than :func:`stride`.
    t : float
        The threshold.

    Returns
    -------
    estimate : ndarray of float32, of the shape of the core

    Examples
    --------
    >>> x = np.linspace(0, 1, 60, dtype=np.float32).reshape(6, 1, 10)
    >>> core = (slice(0, 6), slice(0, 1), slice(0, 10))
    >>> bool(np.allclose(average(x, x > 0.5, core, 8, (0, 0, 0), t=0)[x > 0.5], x[x > 0.5], atol=1e-6))
    True
    """
    pad = side // 2
    shape = x.shape
    long = [n > 1 for n in shape[:2]] + [True]
    wanted = np.zeros_like(missing)
    wanted[core] = missing[core]
    pads = [pad if wide else 0 for wide in long]
    x, wanted = _mirrored(x, pads), _mirrored(wanted, pads)
    total, weight = np.zeros_like(x), np.zeros_like(x)
    inner = tuple(slice(s.start + pad, s.stop + pad) if wide else s for s, wide in zip(core, long, strict=True))
    sides = tuple(side if wide else 1 for wide in long[:2])
    starts = tuple(min(s, n) if wide else 0 for s, n, wide in zip(shifts, shape, long, strict=True))
    options = (side, sides, starts, stride(side), UNIFORM_WINDOW[:side], np.float32(t))
    share(estimate, inner[0].start, inner[0].stop, x.size * SOLVE_COST, x, wanted, *options, total, weight)
    over = weight[inner]
    return np.divide(total[inner], over, out=x[inner].copy(), where=over > 0)


def stride(side: int) -> int:
    """Distance between neighbouring blocks."""
    return max(4, side // 2)


def _mirrored(x: np.ndarray, pads: list[int]) -> np.ndarray:
    """Extend each axis at both ends by mirrored entries, ``b a | a b c | c b``."""
    for axis, pad in enumerate(pads):
        if pad:
            x = x.take(np.pad(np.arange(x.shape[axis]), pad, mode="symmetric"), axis)
    return np.ascontiguousarray(x)
