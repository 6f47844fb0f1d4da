"""Loops over pixels: the squares of all second differences, and their gradient.

Arrays consist of rows, as in :mod:`skinpaint.grid.differences.kernels_norms`. ``weights[k, l]`` is the weight of the
differences along the axes `k` and `l`; the last axis runs along the rows. Differences that would cross the border are
left out.
"""

from __future__ import annotations

import numpy as np
from numba import uintp

from skinpaint.grid.jit import kernel

__all__ = ["second_differences", "spread_second_differences"]


@kernel
def second_differences(lo, hi, x, width, counts, steps, weights, sums):
    """Sums over rows of the weighted squares of the second differences."""
    d = len(counts)
    for r in range(lo, hi):
        base, total = r * width, 0.0
        for k in range(d):
            place, s = (r // steps[k]) % counts[k], steps[k] * width
            q = 0.0
            if 1 <= place < counts[k] - 1:
                for j in range(base, base + width):
                    q += (x[uintp(j - s)] - 2 * x[uintp(j)] + x[uintp(j + s)]) ** 2
            total += weights[k, k] * q
            if place == counts[k] - 1:
                continue
            for m in range(k + 1, d):
                t, q = steps[m] * width, 0.0
                if (r // steps[m]) % counts[m] < counts[m] - 1:
                    for j in range(base, base + width):
                        q += ((x[uintp(j + s + t)] - x[uintp(j + s)]) - (x[uintp(j + t)] - x[uintp(j)])) ** 2
                total += weights[k, m] * q
            q = 0.0
            for j in range(base, base + width - 1):
                q += ((x[uintp(j + s + 1)] - x[uintp(j + s)]) - (x[uintp(j + 1)] - x[uintp(j)])) ** 2
            total += weights[k, d] * q
        q = 0.0
        for j in range(base + 1, base + width - 1):
            q += (x[uintp(j - 1)] - 2 * x[uintp(j)] + x[uintp(j + 1)]) ** 2
        sums[r] = total + weights[d, d] * q


@kernel
def spread_second_differences(lo, hi, x, width, counts, steps, weights, gain, out):
    """`gain` times the gradient: twice the transposed second differences of the weighted second differences."""
    d = len(counts)
    t = np.empty(width)  # the gradient of this row
    v = np.zeros(width + 4)  # second differences along a row, with two zeros before and after
    for r in range(lo, hi):
        base = r * width
        for j in range(uintp(width)):
            t[j] = 0.0
        for k in range(d):
            place, s = (r // steps[k]) % counts[k], steps[k] * width
            for e in range(-1, 2):
                if 1 <= place + e < counts[k] - 1:
                    w, middle = weights[k, k] * (1 if e else -2), base + e * s
                    for j in range(width):
                        i = middle + j
                        t[uintp(j)] += w * (x[uintp(i - s)] - 2 * x[uintp(i)] + x[uintp(i + s)])
            for e in range(-1, 1):  # the cells that end and that begin here
                if place + e < 0 or place + e >= counts[k] - 1:
                    continue
                for m in range(k + 1, d):
                    there, b = (r // steps[m]) % counts[m], steps[m] * width
                    for f in range(-1, 1):
                        if 0 <= there + f < counts[m] - 1:
                            w, corner = weights[k, m] * (1 if e == f else -1), base + e * s + f * b
                            for j in range(width):
                                i = corner + j
                                ahead = x[uintp(i + s + b)] - x[uintp(i + s)]
                                t[uintp(j)] += w * (ahead - (x[uintp(i + b)] - x[uintp(i)]))
                corner, w = base + e * s, weights[k, d] * (1 if e == 0 else -1)
                for j in range(width - 1):
                    i = corner + j
                    v[uintp(j + 2)] = (x[uintp(i + s + 1)] - x[uintp(i + s)]) - (x[uintp(i + 1)] - x[uintp(i)])
                v[width + 1] = 0.0
                for j in range(width):
                    t[uintp(j)] += w * (v[uintp(j + 2)] - v[uintp(j + 1)])
        v[2] = 0.0
        v[width + 1] = 0.0
        for j in range(1, width - 1):
            i = base + j
            v[uintp(j + 2)] = x[uintp(i - 1)] - 2 * x[uintp(i)] + x[uintp(i + 1)]
        for j in range(width):
            t[uintp(j)] += weights[d, d] * (v[uintp(j + 1)] - 2 * v[uintp(j + 2)] + v[uintp(j + 3)])
        for j in range(width):
            out[uintp(base + j)] = 2 * gain * t[uintp(j)]
