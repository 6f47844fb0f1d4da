"""Relaxation in two colours, at half the cost of `kernels.smooth`, where all edges along an axis weigh the same.

The entries of one colour lie side by side: of each row, which ends with a zero on either side, first the even entries,
a zero, then the odd ones, and a zero. So a pass reads and writes one colour alone, and is vectorised. The neighbours
along a row are then in the other half of it, and those along other axes are where they were.

Names are those of :mod:`skinpaint.grid.harmonic.kernels`.
"""

from __future__ import annotations

import numpy as np
from numba import uintp

from skinpaint.grid.jit import BEGIN, MERGE, PROLONG, RESTRICT, kernel, part

__all__ = ["smooth", "split"]


@part
def part_row(base, n, x, out):
    """Lay out the row of `x` that begins at `base` in halves."""
    evens = (n + 1) >> 1
    for k in range(n >> 1):  # both in one loop, which is vectorised
        out[uintp(base - 1 + k)] = x[uintp(base + 2 * k)]
        out[uintp(base + evens + k)] = x[uintp(base + 2 * k + 1)]
    if n & 1:
        out[uintp(base - 2 + evens)] = x[uintp(base + n - 1)]


@part
def join_row(base, n, x, out):
    """The same, the other way round."""
    evens = (n + 1) >> 1
    for k in range(n >> 1):
        out[uintp(base + 2 * k)] = x[uintp(base - 1 + k)]
        out[uintp(base + 2 * k + 1)] = x[uintp(base + evens + k)]
    if n & 1:
        out[uintp(base + n - 1)] = x[uintp(base - 2 + evens)]


@kernel
def split(lo, hi, starts, n, x, out):
    """Lay out `x` in halves of rows."""
    for r in range(lo, hi):
        part_row(starts[r], n, x, out)


@part
def relaxed(here, there, offsets, weights, inverse, b, x):
    """What Gauss-Seidel writes at `here`; `there` is the first of its two neighbours along the row."""
    last = len(offsets) - 1
    s = b[uintp(here)] + weights[last, 0] * (x[uintp(there)] + x[uintp(there + 1)])
    for k in range(last):
        s += weights[k, 0] * (x[uintp(here + offsets[k])] + x[uintp(here - offsets[k])])
    return inverse[uintp(here)] * s


@kernel
def smooth(
    top, fall, bottom, rise, reach, thick, passes, rows, starts, n, phase, inverse, offsets, weights, b, x,
    natural_b, natural_x, children, parents, coarse_starts, factor, coarse_b, coarse_x,
):  # fmt: skip
    """Run `passes` over the layers, as `kernels.smooth` does, on `b`, `x` and `inverse` in halves of rows.

    BEGIN also lays out `natural_b` as `b`. RESTRICT must follow the second colour, whose residual it takes for zero.
    MERGE writes `x` into `natural_x`.
    """
    evens = (n + 1) >> 1
    row = np.empty(evens, np.float32)
    start = top
    while start < bottom + (passes.size - 1) * (reach - rise):
        for s in range(passes.size):
            lo = max(start - s * reach, top + s * fall)
            hi = min(start + thick - s * reach, bottom - s * rise)
            what = passes[s]
            for r in range(lo * rows, hi * rows):
                base, out = starts[r], coarse_starts[parents[r]]
                even, odd = base - 1, base + evens
                odd_colour = (max(what, 0) - phase[r]) & 1  # of the entries of this colour, whether they are odd
                here = odd if odd_colour else even
                there = even if odd_colour else odd - 1
                size = n - evens if odd_colour else evens
                if what == BEGIN:
                    part_row(base, n, natural_b, b)
                    for k in range(-1, n + 1):
                        x[uintp(base + k)] = np.float32(0)
                    for k in range(size):
                        x[uintp(here + k)] = inverse[uintp(here + k)] * b[uintp(here + k)]
                elif what == PROLONG:
                    for k in range(evens):
                        row[uintp(k)] = factor * coarse_x[uintp(out + k)]
                    for k in range(evens):
                        x[uintp(even + k)] += row[uintp(k)] if inverse[uintp(even + k)] > 0 else np.float32(0)
                    for k in range(n - evens):
                        x[uintp(odd + k)] += row[uintp(k)] if inverse[uintp(odd + k)] > 0 else np.float32(0)
                elif what == MERGE:
                    join_row(base, n, x, natural_x)
                else:
                    for k in range(size):
                        row[uintp(k)] = relaxed(here + k, there + k, offsets, weights, inverse, b, x)
                    if what == RESTRICT:  # the residual is the diagonal times what that changes
                        for k in range(size):
                            v = (row[uintp(k)] - x[uintp(here + k)]) / inverse[uintp(here + k)]
                            row[uintp(k)] = v if inverse[uintp(here + k)] > 0 else np.float32(0)
                        if r == children[parents[r], 0]:
                            for k in range(evens):
                                coarse_b[uintp(out + k)] = np.float32(0)
                        for k in range(size):  # of two entries that make a coarse one, one is of this colour
                            coarse_b[uintp(out + k)] += row[uintp(k)]
                    else:
                        for k in range(size):
                            x[uintp(here + k)] = row[uintp(k)]
        start += thick
