"""Loops over lines: the squared lengths of their differences, and the transposed, weighted differences.

The last two axes of a grid are the planes ``x[a]`` of an array ``(A, M, N)``, and are processed together. For any other
axis an array is viewed as ``(A, n, B)``, with `n` entries along the axis. A line has one group of differences, between
neighbours, or three groups: also between the even-indexed and between the odd-indexed entries.
"""

from __future__ import annotations

import numpy as np
from numba import uintp

from skinpaint.grid.jit import kernel, part

__all__ = ["spread_columns", "spread_planes", "square_columns", "square_planes", "weigh"]


@kernel
def square_planes(lo, hi, x, height, rows, columns):
    """Squared lengths along the rows and the columns of ``x[a]``, for the pieces ``lo <= p < hi`` of `height` rows.

    ``rows[g, a, i]`` are the sums of a row. ``columns[g, a, p, j]`` is the part of a column's sum from one piece.
    """
    _, M, N = x.shape
    groups, pieces = columns.shape[0], columns.shape[2]
    for piece in range(lo, hi):
        a, p = piece // pieces, piece % pieces
        for g in range(groups):
            for j in range(uintp(N)):
                columns[g, a, p, j] = 0.0
        for i in range(p * height, min(M, (p + 1) * height)):
            here, below = x[a, i], x[a, min(i + 1, M - 1)]
            one = columns[0, a, p]
            if groups == 1:
                s = 0.0
                for j in range(N - 1):
                    s += (here[uintp(j + 1)] - here[uintp(j)]) ** 2
                for j in range(uintp(N)):
                    one[j] += (below[j] - here[j]) ** 2
                rows[0, a, i] = s
                continue
            if i + 2 < M:
                far, two = x[a, i + 2], columns[1 + (i & 1), a, p]
                for j in range(uintp(N)):
                    one[j] += (below[j] - here[j]) ** 2
                    two[j] += (far[j] - here[j]) ** 2
            else:
                for j in range(uintp(N)):
                    one[j] += (below[j] - here[j]) ** 2
            s, even, odd = 0.0, 0.0, 0.0
            for k in range((N - 2) // 2):
                j = 2 * k
                v0, v1, v2, v3 = here[uintp(j)], here[uintp(j + 1)], here[uintp(j + 2)], here[uintp(j + 3)]
                s += (v1 - v0) ** 2 + (v2 - v1) ** 2
                even += (v2 - v0) ** 2
                odd += (v3 - v1) ** 2
            done = max(0, (N - 2) // 2 * 2)
            for j in range(done, N - 1):
                s += (here[j + 1] - here[j]) ** 2
            for j in range(done, N - 2):  # one entry at most, an even one
                even += (here[j + 2] - here[j]) ** 2
            rows[0, a, i], rows[1, a, i], rows[2, a, i] = s, even, odd


@kernel
def square_columns(lo, hi, x, sums):
    """Squared lengths ``sums[g, a, b]`` along the middle axis of ``x[a, i, b]``, for the columns ``lo <= b < hi``."""
    A, n, _ = x.shape
    for a in range(A):
        for g in range(sums.shape[0]):
            for b in range(lo, hi):
                sums[g, a, uintp(b)] = 0.0
        for i in range(n - 1):
            for b in range(lo, hi):
                sums[0, a, uintp(b)] += (x[a, i + 1, uintp(b)] - x[a, i, uintp(b)]) ** 2
        if sums.shape[0] > 1:
            for i in range(n - 2):
                g = 1 + (i & 1)
                for b in range(lo, hi):
                    sums[g, a, uintp(b)] += (x[a, i + 2, uintp(b)] - x[a, i, uintp(b)]) ** 2


@kernel
def weigh(sums, h, power, rounding):
    """Sum of lengths, or of squared lengths (power 2). `sums` holds their squares, and is replaced by weights.

    With ``v = D x / h`` the derivative of ``|v|`` is ``w D^T D x`` with ``w = 1 / (h^2 |v|)``, or 0 where v is 0; that
    of ``|v|^2`` has ``w = 2 / h^2``.
    """
    total = 0.0
    scale = 1 / (h * h)
    if power == 2:
        for k in range(uintp(sums.size)):
            total += sums[k]
            sums[k] = 2 * scale
        return total * scale
    for k in range(uintp(sums.size)):
        size = np.sqrt(sums[k] * scale)
        if size < rounding:
            total += size * size / (2 * rounding) + rounding / 2
            size = rounding
        else:
            total += size
        sums[k] = scale / size if size > 0 else 0.0
    return total


@part
def spread_along_row(v, w, j, lag):
    """Entry `j` of the transposed differences of the weighted differences along a row."""
    s = 0.0
    if j >= lag:
        s += w * (v[j] - v[j - lag])
    if j + lag < v.size:
        s += w * (v[j] - v[j + lag])
    return s


@kernel
def spread_planes(lo, hi, x, rows, columns, gain, out):
    """`gain` times the transposed differences of the weighted differences, for the rows ``lo <= r < hi``, to `out`."""
    _, M, N = x.shape
    far = rows.shape[0] > 1
    for r in range(lo, hi):
        a, i = r // M, r % M
        here, to = x[a, i], out[a, i]
        # A missing row above or below is replaced by this one, so that the difference is 0.
        above, below, one = x[a, max(i - 1, 0)], x[a, min(i + 1, M - 1)], columns[0, a]
        w = rows[0, a, i]
        if far:
            above2, below2 = x[a, i - 2 if i >= 2 else i], x[a, i + 2 if i + 2 < M else i]
            two, even, odd = columns[1 + (i & 1), a], rows[1, a, i], rows[2, a, i]
            for j in range(2, N - 2):
                k = uintp(j)
                v = here[k]
                s = w * ((v - here[uintp(j - 1)]) + (v - here[uintp(j + 1)]))
                s += (odd if j & 1 else even) * ((v - here[uintp(j - 2)]) + (v - here[uintp(j + 2)]))
                s += one[k] * ((v - above[k]) + (v - below[k]))
                s += two[k] * ((v - above2[k]) + (v - below2[k]))
                to[k] = gain * s
        else:
            for j in range(2, N - 2):
                k = uintp(j)
                v = here[k]
                s = w * ((v - here[uintp(j - 1)]) + (v - here[uintp(j + 1)]))
                s += one[k] * ((v - above[k]) + (v - below[k]))
                to[k] = gain * s
        for side in range(min(N, 4)):
            j = side if side < 2 else N - (min(N, 4) - side)
            s = spread_along_row(here, w, j, 1) + one[j] * ((here[j] - above[j]) + (here[j] - below[j]))
            if far:
                s += spread_along_row(here, odd if j & 1 else even, j, 2)
                s += two[j] * ((here[j] - above2[j]) + (here[j] - below2[j]))
            to[j] = gain * s


@kernel
def spread_columns(lo, hi, x, weights, gain, out):
    """The same along the middle axis of ``x[a, i, b]``, for the columns ``lo <= b < hi``, added to `out`."""
    A, n, _ = x.shape
    for a in range(A):
        for i in range(n):
            for lag in range(1, 2 if weights.shape[0] == 1 else 3):
                g = 0 if lag == 1 else 1 + (i & 1)
                ahead, behind = i + lag if i + lag < n else i, i - lag if i >= lag else i
                for b in range(lo, hi):
                    k = uintp(b)
                    v = x[a, i, k]
                    out[a, i, k] += gain * weights[g, a, k] * ((v - x[a, ahead, k]) + (v - x[a, behind, k]))
