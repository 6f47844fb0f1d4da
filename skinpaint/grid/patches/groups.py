"""Groups of similar patches, and the conditional mean of their missing pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from skinpaint.grid.axes import Box, within
from skinpaint.grid.patches.kernels_groups import condition, match
from skinpaint.grid.threads import SOLVE_COST, share_unevenly

__all__ = ["PATCH_SIDES", "TILE_MARGIN", "Tile", "conditional_mean", "groups", "tiles"]

PATCH_SIDES = (5, 6, 7)  # pixels; sweeps take one after the other
PRIOR_WEIGHT = 0.05  # of the prior covariance of a group, relative to that of its patches
PRIOR_CORRELATION = 0.95  # of two neighbours, in the prior
GROUP_SIZE = 32  # patches
FILLED_PER_GROUP = 16  # the patches of a group that are filled: those nearest to the reference patch
SEARCH_RADIUS = 24  # pixels, in which similar patches are searched
TILE_SIDE = 512  # pixels
TILE_MARGIN = SEARCH_RADIUS + max(PATCH_SIDES)  # pixels around a tile that its groups can reach
CHANNELS_TOGETHER = 4  # at most, that one patch spans, or whose patches are samples of one Gaussian
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


def tiles(
    missing: np.ndarray, halo: int, step: int = 1, corner: Sequence[int] = (0, 0, 0), whole: Sequence[int] = ()
) -> Iterator[Tile]:
    """The tiles of a mask of shape (A, J, X) that have missing pixels, each with a margin of `halo` pixels.

    The mask may be that of a part of an image, whose shape is `whole`. The part begins at `corner`. Its tiles are those
    of the image, as far as they lie in it, and a margin that the part cuts off begins a multiple of `step` pixels
    later, so that patches lie where those of the image lie.

    Examples
    --------
    >>> mask = np.zeros((600, 1, 600), bool)
    >>> mask[0, 0, 0] = True
    >>> [tile.box for tile in tiles(mask, halo=32)]
    [(slice(0, 332, None), slice(0, 1, None), slice(0, 332, None))]
    >>> [tile.box[0] for tile in tiles(np.ones((100, 1, 9), bool), 32, 4, (350, 0, 0), (600, 1, 9))]
    [slice(2, 100, None)]
    """
    axes = list(zip(missing.shape, whole or missing.shape, corner, strict=True))
    counts = [-(-n // TILE_SIDE) for _, n, _ in axes]
    for index in np.ndindex(*counts):
        cores, boxes = [], []
        for (m, n, at), i, k in zip(axes, index, counts, strict=True):
            lo, hi = (n * j // k - at for j in (i, i + 1))
            first, last = max(-at, lo - halo), min(n - at, hi + halo)
            first = first if first >= 0 else first % step
            cores.append(slice(max(lo, first), min(hi, m)))
            boxes.append(slice(first, min(last, m)))
        if all(core.start < core.stop for core in cores) and missing[tuple(cores)].any():
            yield Tile(within(tuple(cores), tuple(boxes)), tuple(boxes))


def groups(x: np.ndarray, missing: np.ndarray, wanted: np.ndarray, side: int, step: int) -> np.ndarray:
    """Find the group of each reference patch with wanted pixels. There is one patch every `step` pixels of (A, X)."""
    shape = tuple(1 - (side - n) // step for n in x.shape)
    found = np.empty((*shape, GROUP_SIZE), np.int32)
    options = (side, step, SEARCH_RADIUS, found)
    share_unevenly(match, 0, shape[0], x.size * SOLVE_COST, x, missing, wanted, *options)
    return found


def conditional_mean(
    x: np.ndarray, missing: np.ndarray, found: np.ndarray, noise: float, side: int, step: int
) -> np.ndarray:
    """Estimate the missing pixels of patches from their known ones, and average where patches overlap.

    Parameters
    ----------
    x : ndarray of float32, shape (C, A, X)
        The image, with a guess where it is missing.
    missing : ndarray of bool, shape (C, A, X) or (1, A, X)
        The missing pixels. If each channel has its own, a patch spans up to four channels. If all channels miss the
        same pixels, their patches are samples of one Gaussian, where channels are correlated.
    found : ndarray of int32
        The groups of :func:`groups`.
    noise : float
        Standard deviation of the known values from what a group has in common.
    side, step : int
        As for :func:`groups`.
    """
    pieces = -(-found.shape[0] // ROWS_PER_PIECE)
    top = np.maximum((np.arange(pieces) * ROWS_PER_PIECE - 1) * step - SEARCH_RADIUS, 0)
    height = min(ROWS_PER_PIECE * step + 2 * SEARCH_RADIUS + side, x.shape[1])
    out = x.copy()
    for channels in np.array_split(np.arange(len(x)), -(-len(x) // CHANNELS_TOGETHER)):
        together = slice(channels[0], channels[-1] + 1)
        holes = missing[together] if len(missing) > 1 else missing
        planes = x[together].reshape(-1, *holes.shape)  # one, or one for each channel
        sums = np.zeros((pieces, *planes.shape[:2], height, x.shape[2]), np.float32)
        weights = np.zeros((pieces, len(planes), 1, height, x.shape[2]), np.float32)
        options = (side, FILLED_PER_GROUP, np.float32(noise), prior(side, len(holes)), ROWS_PER_PIECE, top)
        work = x[0].size * SOLVE_COST
        share_unevenly(condition, 0, pieces, work, planes, holes, found, *options, sums, weights)
        total, weight = np.zeros_like(planes), np.zeros_like(planes[:, :1])
        for piece, first in enumerate(top):
            rows = slice(first, min(first + height, x.shape[1]))
            total[:, :, rows] += sums[piece, :, :, : rows.stop - first]
            weight[:, :, rows] += weights[piece, :, :, : rows.stop - first]
        np.divide(total, weight, out=out[together].reshape(planes.shape), where=holes & (weight > 0))
    return out


def prior(side: int, channels: int) -> np.ndarray:
    """What the covariance of a patch is without a group: that of a separable Markov field; 0 for several channels.

    Examples
    --------
    >>> prior(2, 1)[0].round(4)
    array([0.05  , 0.0475, 0.0475, 0.0451], dtype=float32)
    """
    if channels > 1:
        return np.zeros((channels * side * side,) * 2, np.float32)
    i = np.arange(side)
    line = PRIOR_CORRELATION ** np.abs(i[:, None] - i)
    return (PRIOR_WEIGHT * np.kron(line, line)).astype(np.float32)
