"""Groups of similar patches, and what they say about the pixels that some of them miss."""

from __future__ import annotations

import numpy as np

from skinpaint.grid.patches.kernels_groups import condition, match
from skinpaint.grid.threads import HEAVY, share

__all__ = ["MARGIN", "SIDE", "conditional_mean", "groups"]

SIDE = 6  # of a patch
GROUP = 32  # patches
MEMBERS = 16  # patches of a group that it fills, the nearest
REACH = 16  # how far similar patches are looked for
MARGIN = REACH + SIDE  # around a tile
STACK = 4  # channels that a patch reaches through, at most
ROWS = 8  # of reference patches that are summed in one piece


def groups(x: np.ndarray, missing: np.ndarray, step: int) -> np.ndarray:
    """Find the group of each reference patch that misses something, one every `step` pixels of an image (A, X)."""
    shape = tuple(1 - (SIDE - n) // step for n in x.shape)
    found = np.empty((*shape, GROUP), np.int32)
    share(match, 0, shape[0], x.size * HEAVY, x, missing, SIDE, step, REACH, found)
    return found


def conditional_mean(
    x: np.ndarray, missing: np.ndarray, found: np.ndarray, noise: float, step: int, stacked: bool
) -> np.ndarray:
    """Fill what patches miss from what they know, and average where patches overlap; elsewhere the answer is `x`.

    Parameters
    ----------
    x, missing : ndarray of float32 and of bool, shape (C, A, X)
        The image, with a guess where it is missing.
    found : ndarray of int32
        The groups of :func:`groups`.
    noise : float
        What known values may deviate by from what is common to a group.
    step : int
        That of the groups.
    stacked : bool
        Whether a patch reaches through up to four channels, or is filled in each alone.
    """
    pieces = -(-found.shape[0] // ROWS)
    top = np.maximum((np.arange(pieces) * ROWS - 1) * step - REACH, 0)
    height = min(ROWS * step + 2 * REACH + SIDE, x.shape[1])
    out = x.copy()
    channels = STACK if stacked else 1
    for first in range(0, len(x), channels):
        stack = slice(first, first + channels)
        planes, holes = x[stack], missing[stack]
        sums = np.empty((pieces, len(planes), height, x.shape[2]), np.float32)
        weights = np.empty((pieces, height, x.shape[2]), np.float32)
        options = (SIDE, MEMBERS, np.float32(noise), ROWS, top)
        share(condition, 0, pieces, x[0].size * HEAVY, planes, holes, found, *options, sums, weights)
        total, weight = np.zeros_like(planes), np.zeros_like(planes[0])
        for piece, row in enumerate(top):
            rows = slice(row, row + height)
            total[:, rows] += sums[piece, :, : len(weight[rows])]
            weight[rows] += weights[piece, : len(weight[rows])]
        np.divide(total, weight, out=out[stack], where=holes & (weight > 0))
    return out
