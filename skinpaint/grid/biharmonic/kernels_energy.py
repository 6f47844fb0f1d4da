"""A loop over the rows of an image: the squares of its Laplacian."""

from __future__ import annotations

import numpy as np
from numba import uintp

from skinpaint.grid.jit import kernel

__all__ = ["squares"]


@kernel
def squares(lo, hi, x, counts, weights, width, channels, sums):
    """Sums over rows, which are the last axis with its channels, of ``|L x|^2``, for each channel."""
    u = np.empty(width)
    for row in range(lo, hi):
        base, step = row * width, 1
        for j in range(uintp(width)):
            u[j] = 0.0
        for k in range(len(counts) - 1, -1, -1):
            place = row // step % counts[k]
            for side in (-1, 1):
                if 0 <= place + side < counts[k]:
                    there = base + side * step * width
                    for j in range(width):
                        u[uintp(j)] += weights[k] * (x[uintp(base + j)] - x[uintp(there + j)])
            step *= counts[k]
        w = weights[len(counts)]
        for j in range(width - channels):
            u[uintp(j)] += w * (x[uintp(base + j)] - x[uintp(base + j + channels)])
        for j in range(channels, width):
            u[uintp(j)] += w * (x[uintp(base + j)] - x[uintp(base + j - channels)])
        for c in range(channels):
            total = 0.0
            for j in range(c, width, channels):
                total += u[uintp(j)] ** 2
            sums[row, c] = total
