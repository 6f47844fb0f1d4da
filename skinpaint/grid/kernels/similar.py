"""Loops over similar patches: finding them, and shrinking what they have in common.

A patch of 8 x 8 pixels fills the lanes, and the patches of a group stand behind one another, so that the transform
along the group and the shrinkage are those of a block of side 16.
"""

from __future__ import annotations

import numpy as np

from skinpaint.grid.kernels import kernel
from skinpaint.grid.kernels.blocks import LANES, down8, shrink16, up8

__all__ = ["GROUP", "PATCH", "collaborate", "match"]

GROUP = 16
PATCH = 8
HALF = 8 * LANES  # entries of eight patches


@kernel
def match(lo, hi, x, missing, step, reach, found):
    """Find the patches that are nearest to each reference patch with something missing; -1 stands for no group.

    Reference patch ``(r, c)`` has its corner at ``(step * r, step * c)``; `found` holds flat indices of corners, the
    reference patch first.
    """
    A, X = x.shape
    best = np.empty(GROUP, np.float32)
    where = np.empty(GROUP, np.int64)
    patch = np.empty(LANES, np.float32)
    squares = np.empty(2 * reach + 1, np.float32)
    for r in range(lo, hi):
        a = r * step
        for c in range(found.shape[1]):
            b = c * step
            if not _touched(missing, a, b):
                found[r, c, 0] = -1
                continue
            for i in range(PATCH):
                for j in range(PATCH):
                    patch[PATCH * i + j] = x[a + i, b + j]
            best[:] = np.inf
            where[:] = a * X + b
            left = max(0, b - reach)
            n = min(X - PATCH, b + reach) - left + 1
            for y in range(max(0, a - reach), min(A - PATCH, a + reach) + 1):
                squares[:] = 0
                for i in range(PATCH):
                    for j in range(PATCH):
                        v = patch[PATCH * i + j]
                        row = x[y + i, left + j : left + j + n]
                        for k in range(n):
                            squares[k] += (row[k] - v) ** 2
                if y == a:
                    squares[b - left] = -1
                for k in range(n):
                    if squares[k] < best[GROUP - 1]:
                        p = GROUP - 1
                        while p > 0 and best[p - 1] > squares[k]:
                            best[p] = best[p - 1]
                            where[p] = where[p - 1]
                            p -= 1
                        best[p] = squares[k]
                        where[p] = y * X + left + k
            for g in range(GROUP):
                found[r, c, g] = where[g]


@kernel
def _touched(missing, a, b):
    for i in range(PATCH):
        for j in range(PATCH):
            if missing[a + i, b + j]:
                return True
    return False


@kernel
def collaborate(lo, hi, x, found, rows, top, t, total, weight):
    """Shrink the groups, and add the patches up where they lie.

    Piece ``p`` holds the reference patches of ``rows`` rows from ``p * rows`` on, and adds to ``total[p]`` and
    ``weight[p]``, whose first row is row ``top[p]`` of `x`.
    """
    X = x.shape[1]
    group = np.empty(2 * HALF, np.float32)
    shrunk = np.empty(2 * HALF, np.float32)
    one = np.empty(HALF, np.float32)
    other = np.empty(HALF, np.float32)
    norm = np.empty(LANES, np.float32)
    spare = np.zeros(LANES, np.float32)
    kept = np.empty(LANES, np.float32)
    spare[0] = 1
    for i in range(PATCH):
        for j in range(PATCH):
            norm[PATCH * i + j] = np.float32(1 / LANES) * (2 if i else 1) * (2 if j else 1)
    t2 = np.float32(t * t)
    for piece in range(lo, hi):
        total[piece] = 0
        weight[piece] = 0
        for r in range(piece * rows, min(found.shape[0], (piece + 1) * rows)):
            for c in range(found.shape[1]):
                if found[r, c, 0] < 0:
                    continue
                for h in range(2):
                    for p in range(8):
                        a, b = divmod(found[r, c, 8 * h + p], X)
                        for i in range(PATCH):
                            for j in range(PATCH):
                                one[i * LANES + p * PATCH + j] = x[a + i, b + j]
                    down8(one, other)
                    _turn(other, one)
                    down8(one, other)
                    for p in range(8):
                        for k in range(PATCH):
                            for m in range(PATCH):
                                group[(8 * h + p) * LANES + PATCH * k + m] = other[k * LANES + p * PATCH + m]
                shrink16(group, shrunk, norm, spare, t2, kept)
                w = np.float32(1) / kept.sum()
                for h in range(2):
                    for p in range(8):
                        for k in range(PATCH):
                            for m in range(PATCH):
                                one[k * LANES + p * PATCH + m] = w * shrunk[(8 * h + p) * LANES + PATCH * k + m]
                    up8(one, other)
                    _turn(other, one)
                    up8(one, other)
                    for p in range(8):
                        a, b = divmod(found[r, c, 8 * h + p], X)
                        for i in range(PATCH):
                            for j in range(PATCH):
                                total[piece, a + i - top[piece], b + j] += other[i * LANES + p * PATCH + j]
                                weight[piece, a + i - top[piece], b + j] += w


@kernel
def _turn(x, y):
    """Exchange the two axes of eight patches."""
    for p in range(8):
        for i in range(PATCH):
            for j in range(PATCH):
                y[j * LANES + p * PATCH + i] = x[i * LANES + p * PATCH + j]
