"""Groups of similar patches, and what they have in common."""

from __future__ import annotations

import numpy as np

from skinpaint.grid.kernels.blocks import GROUP, PATCH, collaborate, match
from skinpaint.grid.threads import share

__all__ = ["MARGIN", "groups", "together"]

REACH = 16  # how far similar patches are looked for
LOAD = 100  # work on an entry next to that of a plain loop: threads pay early
ROWS = 8  # of reference patches that are summed in one piece
MARGIN = REACH + PATCH


def groups(x: np.ndarray, missing: np.ndarray, step: int) -> np.ndarray:
    """Find the group of each reference patch that misses something, one every `step` pixels of an image (A, X)."""
    shape = tuple((n - PATCH) // step + 1 for n in x.shape)
    found = np.empty((*shape, GROUP), np.int32)
    share(match, 0, shape[0], x.size * LOAD, x, missing, step, REACH, found)
    return found


def together(x: np.ndarray, found: np.ndarray, t: float, step: int) -> np.ndarray:
    """Shrink each group below the threshold `t`, and average where patches overlap; elsewhere the answer is `x`."""
    pieces = -(-found.shape[0] // ROWS)
    top = np.maximum(np.arange(pieces) * ROWS * step - REACH, 0)
    height = (ROWS - 1) * step + 2 * REACH + PATCH
    total, weight = np.empty((2, pieces, height, x.shape[1]), np.float32)
    share(collaborate, 0, pieces, x.size * LOAD, x, found, ROWS, top, np.float32(t), total, weight)
    out, over = np.zeros_like(x), np.zeros_like(x)
    for p, first in enumerate(top):
        for whole, part in ((out, total[p]), (over, weight[p])):
            rows = whole[first : first + height]
            rows += part[: len(rows)]
    return np.divide(out, over, out=x.copy(), where=over > 0)
