"""Groups of similar patches, and the conditional mean of their missing pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from skinpaint.grid.axes import Box
from skinpaint.grid.patches.kernels_groups import condition, match
from skinpaint.grid.threads import SOLVE_COST, share

__all__ = ["PATCH_SIDE", "TILE_MARGIN", "Tile", "conditional_mean", "groups", "tiles"]

PATCH_SIDE = 6  # pixels
GROUP_SIZE = 32  # patches
FILLED_PER_GROUP = 16  # the patches of a group that are filled: those nearest to the reference patch
SEARCH_RADIUS = 16  # pixels, in which similar patches are searched
TILE_SIDE = 512  # pixels
TILE_MARGIN = SEARCH_RADIUS + PATCH_SIDE  # pixels around a tile that its groups can reach
MAX_STACKED_CHANNELS = 4  # that one patch spans
ROWS_PER_PIECE = 8  # rows of reference patches that are summed together


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


def tiles(missing: np.ndarray, halo: int) -> Iterator[Tile]:
    """The tiles of a mask of shape (A, J, X) that have missing pixels, each with a margin of `halo` pixels.

    Examples
    --------
    >>> mask = np.zeros((600, 1, 600), bool)
    >>> mask[0, 0, 0] = True
    >>> [tile.box for tile in tiles(mask, halo=32)]
    [(slice(0, 332, None), slice(0, 1, None), slice(0, 332, None))]
    """
    counts = [-(-n // TILE_SIDE) for n in missing.shape]
    for index in np.ndindex(*counts):
        edges = [(n * i // k, n * (i + 1) // k) for n, i, k in zip(missing.shape, index, counts, strict=True)]
        if not missing[tuple(slice(*edge) for edge in edges)].any():
            continue
        outer = [(max(0, lo - halo), min(n, hi + halo)) for (lo, hi), n in zip(edges, missing.shape, strict=True)]
        core = tuple(slice(lo - first, hi - first) for (lo, hi), (first, _) in zip(edges, outer, strict=True))
        yield Tile(core, tuple(slice(*each) for each in outer))


def groups(x: np.ndarray, missing: np.ndarray, step: int) -> np.ndarray:
    """Find the group of each reference patch with missing pixels. There is one patch every `step` pixels of (A, X)."""
    shape = tuple(1 - (PATCH_SIDE - n) // step for n in x.shape)
    found = np.empty((*shape, GROUP_SIZE), np.int32)
    share(match, 0, shape[0], x.size * SOLVE_COST, x, missing, PATCH_SIDE, step, SEARCH_RADIUS, found)
    return found


def conditional_mean(
    x: np.ndarray, missing: np.ndarray, found: np.ndarray, noise: float, step: int, stacked: bool
) -> np.ndarray:
    """Estimate the missing pixels of patches from their known ones, and average where patches overlap.

    Parameters
    ----------
    x, missing : ndarray of float32 and of bool, shape (C, A, X)
        The image, with a guess where it is missing.
    found : ndarray of int32
        The groups of :func:`groups`.
    noise : float
        Standard deviation of the known values from what a group has in common.
    step : int
        As for :func:`groups`.
    stacked : bool
        Whether a patch spans up to four channels, or each channel is filled alone.
    """
    pieces = -(-found.shape[0] // ROWS_PER_PIECE)
    top = np.maximum((np.arange(pieces) * ROWS_PER_PIECE - 1) * step - SEARCH_RADIUS, 0)
    height = min(ROWS_PER_PIECE * step + 2 * SEARCH_RADIUS + PATCH_SIDE, x.shape[1])
    out = x.copy()
    channels = MAX_STACKED_CHANNELS if stacked else 1
    for first in range(0, len(x), channels):
        stack = slice(first, first + channels)
        planes, holes = x[stack], missing[stack]
        sums = np.zeros((pieces, len(planes), height, x.shape[2]), np.float32)
        weights = np.zeros((pieces, height, x.shape[2]), np.float32)
        options = (PATCH_SIDE, FILLED_PER_GROUP, np.float32(noise), ROWS_PER_PIECE, top)
        share(condition, 0, pieces, x[0].size * SOLVE_COST, planes, holes, found, *options, sums, weights)
        total, weight = np.zeros_like(planes), np.zeros_like(planes[0])
        for piece, row in enumerate(top):
            rows = slice(row, row + height)
            total[:, rows] += sums[piece, :, : len(weight[rows])]
            weight[rows] += weights[piece, : len(weight[rows])]
        np.divide(total, weight, out=out[stack], where=holes & (weight > 0))
    return out
