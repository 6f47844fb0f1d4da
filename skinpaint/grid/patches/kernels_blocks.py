"""Loops over blocks: cosine transforms, shrinkage of the coefficients, and sums of overlapping blocks.

The cosine transforms follow Lee: the sums of mirrored samples give the even coefficients, the differences the odd ones,
each by a transform of half the length. They work in place, on `LANES` lines side by side: sample ``i`` of line ``m`` is
entry ``LANES * i + m``. The coefficients stay where the halves leave them, the constant part first.

B. G. Lee, "A new algorithm to compute the discrete cosine transform", IEEE Trans. Acoust., Speech, Signal Process. 32
(1984). :doi:`10.1109/TASSP.1984.1164443`
"""

from __future__ import annotations

from math import cos, pi

import numpy as np
from numba import uintp

from skinpaint.grid.jit import kernel, part

__all__ = ["LANES", "MAX_SIDE", "estimate", "settle"]

LANES = 64  # lines that are transformed side by side
ADJACENT = np.int64(1)  # an integer of the language would be compiled for itself
SHORTEST = 4  # samples; the transform of so many is written out
MAX_SIDE = 32  # of a block
MIN_DENOMINATOR = np.float32(1e-20)  # keeps 0 / 0 from happening


def _secants() -> np.ndarray:
    """Entry ``n + i`` is the factor of difference ``i`` of ``n``."""
    table = np.ones(MAX_SIDE)
    for n in (1, 2, 4, 8, 16):
        table[n : 2 * n] = [0.5 / cos(pi * (2 * i + 1) / (4 * n)) for i in range(n)]
    return table.astype(np.float32)


def _places() -> np.ndarray:
    """Entry ``n + k`` is the place of coefficient ``k`` of ``n``: even ones are in the first half, odd ones behind."""
    table = np.arange(MAX_SIDE) % SHORTEST
    for n in (8, 16):
        half = table[n // 2 : n]
        table[n : 2 * n : 2], table[n + 1 : 2 * n : 2] = half, n // 2 + half
    return table


SECANTS, PLACES = _secants(), _places()


@part
def _down(x, n, step):
    """Replace each line of `n` samples by ``X_k = sum_i x_i cos(pi (2 i + 1) k / 2 n)``.

    The samples of a line are `step` rows apart. Rows i and j go together with their mirrored rows: the four stay
    among themselves.
    """
    rows = x.size // LANES
    size = n
    while size > SHORTEST:
        half = size >> 1
        for first in range(0, rows, size * step):
            for i in range(half >> 1):
                j = half - 1 - i
                f, g = SECANTS[half + i], SECANTS[half + j]
                for row in range(first, first + step):
                    at_i, at_j = uintp((row + i * step) * LANES), uintp((row + j * step) * LANES)
                    of_j, of_i = uintp((row + (half + i) * step) * LANES), uintp((row + (half + j) * step) * LANES)
                    for m in range(uintp(LANES)):
                        p = x[at_i + m]
                        q = x[at_j + m]
                        r = x[of_j + m]
                        s = x[of_i + m]
                        x[at_i + m] = p + s
                        x[at_j + m] = q + r
                        x[of_j + m] = (p - s) * f
                        x[of_i + m] = (q - r) * g
        size = half
    for first in range(0, rows, SHORTEST * step):
        for row in range(first, first + step):
            one, two = uintp(row * LANES), uintp((row + step) * LANES)
            three, four = uintp((row + 2 * step) * LANES), uintp((row + 3 * step) * LANES)
            for m in range(uintp(LANES)):
                p = x[one + m] + x[four + m]
                q = x[two + m] + x[three + m]
                r = (x[one + m] - x[four + m]) * SECANTS[2]
                s = (x[two + m] - x[three + m]) * SECANTS[3]
                last = (r - s) * SECANTS[1]
                x[one + m] = p + q
                x[two + m] = r + s + last
                x[three + m] = (p - q) * SECANTS[1]
                x[four + m] = last
    half = SHORTEST
    while half < n:
        for first in range(half * step, rows, 2 * half * step):
            for k in range(half - 1):
                here, ahead = PLACES[half + k] * step, PLACES[half + k + 1] * step
                for row in range(first, first + step):
                    at, of = uintp((row + here) * LANES), uintp((row + ahead) * LANES)
                    for m in range(uintp(LANES)):
                        x[at + m] += x[of + m]
        half *= 2


@part
def _up(x, n, step):
    """Replace each line of `n` coefficients by ``x_i = sum_k X_k cos(pi (2 i + 1) k / 2 n)``: `_down`, backwards."""
    rows = x.size // LANES
    half = n >> 1
    while half >= SHORTEST:
        for first in range(half * step, rows, 2 * half * step):
            for k in range(half - 1, 0, -1):
                here, behind = PLACES[half + k] * step, PLACES[half + k - 1] * step
                for row in range(first, first + step):
                    at, of = uintp((row + here) * LANES), uintp((row + behind) * LANES)
                    for m in range(uintp(LANES)):
                        x[at + m] += x[of + m]
        half >>= 1
    for first in range(0, rows, SHORTEST * step):
        for row in range(first, first + step):
            one, two = uintp(row * LANES), uintp((row + step) * LANES)
            three, four = uintp((row + 2 * step) * LANES), uintp((row + 3 * step) * LANES)
            for m in range(uintp(LANES)):
                even = x[three + m] * SECANTS[1]
                odd = (x[two + m] + x[four + m]) * SECANTS[1]
                p = x[one + m] + even
                q = x[one + m] - even
                r = (x[two + m] + odd) * SECANTS[2]
                s = (x[two + m] - odd) * SECANTS[3]
                x[one + m] = p + r
                x[two + m] = q + s
                x[three + m] = q - s
                x[four + m] = p - r
    half = SHORTEST
    while half < n:
        for first in range(0, rows, 2 * half * step):
            for i in range(half >> 1):
                j = half - 1 - i
                f, g = SECANTS[half + i], SECANTS[half + j]
                for row in range(first, first + step):
                    at_i, at_j = uintp((row + i * step) * LANES), uintp((row + j * step) * LANES)
                    of_j, of_i = uintp((row + (half + i) * step) * LANES), uintp((row + (half + j) * step) * LANES)
                    for m in range(uintp(LANES)):
                        p = x[at_i + m]
                        q = x[at_j + m]
                        r = x[of_j + m] * f
                        s = x[of_i + m] * g
                        x[at_i + m] = p + r
                        x[at_j + m] = q + s
                        x[of_j + m] = q - s
                        x[of_i + m] = p - r
        half *= 2


@part
def _find(missing, a, j, sides, strips, stride, start, B, holds, active, used):
    """Mark the blocks of these strips that have missing entries, and the chunks of columns that contain them."""
    X = missing.shape[2]
    for c in range(used.size):
        used[c] = False
    found = False
    for g in range(strips):
        for x in range(X):
            holds[x] = False
        for k in range(sides[0]):
            for q in range(sides[1]):
                row = missing[a + g * stride + k, j + q]
                for x in range(uintp(X)):
                    holds[x] |= row[x]
        for b in range(start, X - B + 1, stride):
            some = False
            for x in range(b, b + B):
                some |= holds[uintp(x)]
            active[g, b] = some
            if some:
                found = True
                used[b // LANES] = used[(b + B - 1) // LANES] = True
    return found


@kernel
def estimate(lo, hi, x, missing, side, sides, starts, stride, window, t2, total, weight):
    r"""Shrink the coefficients of all blocks with missing entries, and sum the blocks where they overlap.

    A coefficient c of the orthonormal transform becomes :math:`c (1 - t^2 / c^2)_+`, the non-negative garrote. The
    constant part of a block is spared. The weight of a block is one over the sum of its factors.

    Only the planes ``lo <= a < hi`` of `total` and `weight` are written. Their values do not depend on how the planes
    are divided into such ranges. Blocks whose corners differ only in `a` share the lanes, as many as fit.

    Parameters
    ----------
    x, missing : ndarray of float32 and of bool, shape (A, J, X)
    side : 8, 16 or 32
        Side of a block along the last axis.
    sides : (int, int)
        Sides along the others: `side`, or 1 where there is one entry; their product is at most `LANES`.
    starts : (int, int, int)
        Corner of the first block.
    stride : int
        Distance between blocks along every axis.
    window : ndarray of float32, shape (side,)
        Weights of the entries of a block, along every axis.
    t2 : float32
        The square of the threshold.
    total, weight : ndarray of float32, shape (A, J, X)
        Sums of the weighted blocks, and of their weights.
    """
    bA, bJ = sides
    A, J, X = x.shape
    M = bA * bJ
    G = LANES // M
    chunks = (X + LANES - 1) // LANES
    S = np.zeros(chunks * LANES * LANES, np.float32)  # the transforms along the first axes, one row a column of x
    N = np.empty(chunks * LANES * LANES, np.float32)  # sums of shrunk blocks, transformed like S
    D = np.empty(G * chunks * LANES, np.float32)  # sums of their weights
    U = np.zeros(bA * bJ * LANES, np.float32)
    V = np.empty(side * LANES, np.float32)
    norm = np.empty(LANES, np.float32)  # squared norms of the transforms along the first axes
    spare = np.empty(LANES, np.float32)  # 1 in the lanes that hold a constant part
    kept = np.empty(LANES, np.float32)
    holds = np.empty(X, np.bool_)
    active = np.empty((G, X), np.bool_)
    used = np.empty(chunks, np.bool_)
    for lane in range(LANES):
        k, q = lane % M // bJ, lane % bJ
        norm[lane] = np.float32((2 if k > 0 else 1) * (2 if q > 0 else 1)) / np.float32(M * side)
        spare[lane] = 1 if k + q == 0 else 0
    first = starts[0] + max(0, (lo - bA - starts[0]) // stride + 1) * stride
    last = min(hi - 1, A - bA)
    for a in range(first, last + 1, G * stride):
        strips = min(G, (last - a) // stride + 1)
        for j in range(starts[1], J - bJ + 1, stride):
            if not _find(missing, a, j, sides, strips, stride, starts[2], side, holds, active, used):
                continue
            for c in range(chunks):
                if not used[c]:
                    continue
                n = min(LANES, X - c * LANES)
                corner = c * LANES * LANES
                for g in range(strips):
                    for k in range(bA):
                        for q in range(bJ):
                            for m in range(n):
                                U[uintp((k * bJ + q) * LANES + m)] = x[a + g * stride + k, j + q, uintp(c * LANES + m)]
                    if bA > 1:
                        _down(U, bA, bJ)
                    if bJ > 1:
                        _down(U, bJ, ADJACENT)
                    for k in range(bA):
                        for q in range(bJ):
                            lane = g * M + k * bJ + q
                            for m in range(n):
                                S[uintp(corner + m * LANES + lane)] = U[uintp((k * bJ + q) * LANES + m)]
                for i in range(corner, corner + LANES * LANES):
                    N[uintp(i)] = 0
                for g in range(strips):
                    for m in range(LANES):
                        D[uintp((g * chunks + c) * LANES + m)] = 0
            for b in range(starts[2], X - side + 1, stride):
                busy = False
                for g in range(strips):
                    busy |= active[g, b]
                if not busy:
                    continue
                for i in range(side * LANES):
                    V[uintp(i)] = S[uintp(b * LANES + i)]
                _down(V, side, ADJACENT)
                for m in range(LANES):
                    kept[m] = 0
                for i in range(side):
                    least = np.float32(1) if i == 0 else np.float32(0)
                    doubled = np.float32(1) if i == 0 else np.float32(2)
                    for m in range(uintp(LANES)):
                        y = V[uintp(i * LANES) + m]
                        scale = doubled * norm[m]
                        factor = max(least * spare[m], np.float32(1) - t2 / (y * y * scale + MIN_DENOMINATOR))
                        V[uintp(i * LANES) + m] = y * factor * scale
                        kept[m] += factor
                _up(V, side, ADJACENT)
                for g in range(strips):
                    s = np.float32(0)
                    for m in range(g * M, g * M + M):
                        s += kept[m]
                    s = np.float32(1) / s if active[g, b] else np.float32(0)
                    for m in range(g * M, g * M + M):
                        kept[m] = s
                    for i in range(side):
                        D[uintp(g * chunks * LANES + b + i)] += s * window[i]
                for i in range(side):
                    v = window[i]
                    for m in range(uintp(LANES)):
                        N[uintp((b + i) * LANES) + m] += v * kept[m] * V[uintp(i * LANES) + m]
            for c in range(chunks):
                if not used[c]:
                    continue
                n = min(LANES, X - c * LANES)
                corner = c * LANES * LANES
                for g in range(strips):
                    for k in range(bA):
                        for q in range(bJ):
                            lane = g * M + k * bJ + q
                            for m in range(n):
                                U[uintp((k * bJ + q) * LANES + m)] = N[uintp(corner + m * LANES + lane)]
                    if bJ > 1:
                        _up(U, bJ, ADJACENT)
                    if bA > 1:
                        _up(U, bA, bJ)
                    for k in range(max(0, lo - a - g * stride), min(bA, hi - a - g * stride)):
                        for q in range(bJ):
                            v = (window[k] if bA > 1 else np.float32(1)) * (window[q] if bJ > 1 else np.float32(1))
                            for m in range(n):
                                at = uintp(c * LANES + m)
                                total[a + g * stride + k, j + q, at] += v * U[uintp((k * bJ + q) * LANES + m)]
                                weight[a + g * stride + k, j + q, at] += v * D[uintp(g * chunks * LANES) + at]


@kernel
def settle(lo, hi, top, pads, total, weight, x, image, missing, matrix, low, high, feedback, momentum, changes):
    """Write the averages of the blocks to the missing entries of rows ``lo <= a < hi``, and feed back the rest's error.

    `total` and `weight` are left as zeros.

    Parameters
    ----------
    top : int
        Row of `x` that row 0 of `total` belongs to.
    pads : (int, int, int)
        Margins of `x`, and of `total` and `weight` along the last two axes.
    total, weight : ndarray of float32, shape (C, rows, J + margins, X + margins)
        Sums of blocks, and of their weights.
    x : ndarray of float32, shape (C, A + margins, J + margins, X + margins)
        The transformed channels that the next blocks are taken from.
    image, missing : ndarray of float32 and of bool, shapes (A, J, X, C) and (A, J, X, C or 1)
        The image, whose missing entries are written, and which entries are missing.
    matrix : ndarray of float32, shape (C, C)
        The transform of the channels, orthonormal.
    low, high : ndarray of float32, shape (C,)
        The bounds.
    feedback : float
        Weight of the error at known entries.
    momentum : float
        Fraction of its last change that a missing entry is carried on by, in `x`.
    changes : ndarray of float32, shape (A,)
        The largest change in each row.
    """
    C, X = matrix.shape[0], image.shape[2]
    old, y = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    average, new = np.empty((C, LANES), np.float32), np.empty((C, LANES), np.float32)
    for a in range(lo, hi):
        largest = np.float32(0)
        for j in range(image.shape[1]):
            for first in range(0, X, LANES):
                n = min(LANES, X - first)
                at, r, q, b = a + pads[0], a + pads[0] - top, j + pads[1], first + pads[2]
                some = False
                for k in range(C):
                    for m in range(n):
                        some |= weight[k, r, q, uintp(b + m)] > 0
                if not some:
                    continue
                for k in range(C):
                    for m in range(n):
                        i = uintp(b + m)
                        over = weight[k, r, q, i]
                        shrunk = total[k, r, q, i] / max(over, MIN_DENOMINATOR)
                        average[k, m] = shrunk if over > 0 else x[k, at, q, i]
                        total[k, r, q, i] = weight[k, r, q, i] = 0
                for c in range(C):
                    _combine(matrix, c, True, average, y, n)
                    shared = min(c, missing.shape[3] - 1)
                    for m in range(n):
                        old[m] = image[a, j, uintp(first + m), c]
                        inside = min(max(y[m], low[c]), high[c])
                        change = abs(inside - old[m])
                        fed = old[m] + feedback * (old[m] - y[m])
                        is_hidden = missing[a, j, uintp(first + m), shared]
                        carried = inside + momentum * (inside - old[m])
                        new[c, m] = carried if is_hidden else fed
                        image[a, j, uintp(first + m), c] = inside if is_hidden else old[m]
                        largest = max(largest, change if is_hidden else np.float32(0))
                for k in range(C):
                    _combine(matrix, k, False, new, y, n)
                    for m in range(n):
                        x[k, at, q, uintp(b + m)] = y[m]
        changes[a] = largest


@part
def _combine(matrix, k, transposed, rows, out, n):
    """Write the sum of the rows, times the factors of a row of the matrix, or of a column."""
    for m in range(n):
        out[m] = 0
    for c in range(len(matrix)):
        f = matrix[c, k] if transposed else matrix[k, c]
        for m in range(uintp(n)):
            out[m] += f * rows[c, m]
