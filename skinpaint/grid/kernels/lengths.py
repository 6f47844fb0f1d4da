"""Loops over lines: the lengths of their differences, and the gradient of the lengths.

Arrays are seen as ``(A, n, B)``: `n` entries along the axis in question, `A` before it and `B` behind it.
"""

from __future__ import annotations

import numpy as np

from skinpaint.grid.kernels import kernel

__all__ = [
    "length_columns",
    "length_rows",
    "spread_columns",
    "spread_rows",
]


@kernel
def length_rows(lo, hi, x, out):
    """Euclidean lengths of the differences along the rows ``x[a]``.

    ``out[0]`` is for neighbours; ``out[1]`` and ``out[2]``, if they are there, for even and odd neighbours but one.
    """
    n = x.shape[1]
    for a in range(lo, hi):
        s = 0.0
        for i in range(n - 1):
            s += (x[a, i + 1] - x[a, i]) ** 2
        out[0, a] = np.sqrt(s)
        for phase in range(out.shape[0] - 1):
            s = 0.0
            for i in range(phase, n - 2, 2):
                s += (x[a, i + 2] - x[a, i]) ** 2
            out[1 + phase, a] = np.sqrt(s)


@kernel
def length_columns(lo, hi, x, out):
    """The same along the middle axis of ``x[a, i, b]``, for the columns ``lo <= b < hi``."""
    A, n, _ = x.shape
    for a in range(A):
        for g in range(out.shape[0]):
            for b in range(lo, hi):
                out[g, a, b] = 0.0
        for i in range(n - 1):
            for b in range(lo, hi):
                out[0, a, b] += (x[a, i + 1, b] - x[a, i, b]) ** 2
        if out.shape[0] > 1:
            for i in range(n - 2):
                g = 1 + (i & 1)
                for b in range(lo, hi):
                    out[g, a, b] += (x[a, i + 2, b] - x[a, i, b]) ** 2
        for g in range(out.shape[0]):
            for b in range(lo, hi):
                out[g, a, b] = np.sqrt(out[g, a, b])


@kernel
def spread_rows(lo, hi, x, weights, out):
    """Add the transposed differences of the weighted differences to `out`: the gradient of the lengths."""
    n = x.shape[1]
    for a in range(lo, hi):
        w = weights[0, a]
        for i in range(n - 1):
            d = w * (x[a, i + 1] - x[a, i])
            out[a, i] -= d
            out[a, i + 1] += d
        for phase in range(weights.shape[0] - 1):
            w = weights[1 + phase, a]
            for i in range(phase, n - 2, 2):
                d = w * (x[a, i + 2] - x[a, i])
                out[a, i] -= d
                out[a, i + 2] += d


@kernel
def spread_columns(lo, hi, x, weights, out):
    """The same along the middle axis, for the columns ``lo <= b < hi``."""
    A, n, _ = x.shape
    for a in range(A):
        for i in range(n - 1):
            for b in range(lo, hi):
                d = weights[0, a, b] * (x[a, i + 1, b] - x[a, i, b])
                out[a, i, b] -= d
                out[a, i + 1, b] += d
        if weights.shape[0] > 1:
            for i in range(n - 2):
                g = 1 + (i & 1)
                for b in range(lo, hi):
                    d = weights[g, a, b] * (x[a, i + 2, b] - x[a, i, b])
                    out[a, i, b] -= d
                    out[a, i + 2, b] += d
