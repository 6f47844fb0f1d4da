"""Loops over symmetric matrices whose rows have all entries shortly before the diagonal: Cholesky factors.

A matrix falls into *parts*, blocks that are not coupled. Part `p` has ``sizes[p]`` rows from ``starts[p]``. Row `i` of
a factor is stored from its first non-zero column, ``first[i]``, to its diagonal, and ends before ``ends[i]``: so entry
(i, j) is ``factor[ends[i] - 1 - i + j]``. Elimination fills nothing outside of that. The diagonal holds its own
inverse.
"""

from __future__ import annotations

import numpy as np
from numba import uintp

from skinpaint.grid.jit import kernel

__all__ = ["eliminate", "substitute"]


@kernel
def eliminate(lo, hi, parts, starts, sizes, first, ends, diagonal, least, factor):
    """Turn the rows of some of the parts, without their `diagonal`, into those of the factor.

    Rounding errors may make pivots too small, or negative: they are at least `least` times the diagonal entry.
    """
    for p in range(lo, hi):
        for i in range(starts[parts[p]], starts[parts[p]] + sizes[parts[p]]):
            row, pivot = ends[i] - 1 - i, diagonal[i]
            for j in range(first[i], i):
                other = ends[j] - 1 - j
                s = factor[uintp(row + j)]
                for k in range(max(first[i], first[j]), j):
                    s -= factor[uintp(row + k)] * factor[uintp(other + k)]
                s *= factor[uintp(other + j)]
                factor[uintp(row + j)] = s
                pivot -= s * s
            factor[uintp(row + i)] = 1 / np.sqrt(max(pivot, least * diagonal[i]))


@kernel
def substitute(lo, hi, parts, starts, sizes, first, ends, factor, b, x):
    """Solve for each row of `b`, with the factors of some of the parts."""
    for p in range(lo, hi):
        begin, end = starts[parts[p]], starts[parts[p]] + sizes[parts[p]]
        for c in range(len(b)):
            for i in range(begin, end):
                row, s = ends[i] - 1 - i, b[c, i]
                for j in range(first[i], i):
                    s -= factor[uintp(row + j)] * x[c, uintp(j)]
                x[c, i] = s * factor[uintp(row + i)]
            for i in range(end - 1, begin - 1, -1):
                row = ends[i] - 1 - i
                s = x[c, i] * factor[uintp(row + i)]
                x[c, i] = s
                for j in range(first[i], i):
                    x[c, uintp(j)] -= factor[uintp(row + j)] * s
