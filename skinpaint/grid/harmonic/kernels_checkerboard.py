"""Relaxation in two colours, at half the cost of `kernels.smooth`.

The entries of one colour lie side by side: of each row, which ends with a zero on either side, first the even entries,
a zero, then the odd ones, and a zero. So a pass reads and writes one colour alone, and is vectorised. The neighbours
along a row are then in the other half of it, and those along other axes are where they were.

Names are those of :mod:`skinpaint.grid.harmonic.kernels`.
"""

from __future__ import annotations

import numpy as np
from numba import uintp

from skinpaint.grid.jit import BEGIN, MERGE, MERGE_BOTH, PROLONG, RESTRICT, kernel, part

__all__ = ["smooth"]


@part
def part_row(base, n, row, x):
    """Lay out the row of `x` that begins at `base` in halves, by way of `row`."""
    evens = (n + 1) >> 1
    for j in range(n):
        row[uintp(j)] = x[uintp(base + j)]
    for k in range(evens):  # both in one loop, which is vectorised
        x[uintp(base - 1 + k)] = row[uintp(2 * k)]
        x[uintp(base + evens + k)] = row[uintp(2 * k + 1)]
    x[uintp(base - 1 + evens)] = np.float32(0)
    x[uintp(base + n)] = np.float32(0)


@part
def join_row(base, n, row, x):
    """The other way round."""
    evens = (n + 1) >> 1
    for k in range(evens):
        row[uintp(2 * k)] = x[uintp(base - 1 + k)]
        row[uintp(2 * k + 1)] = x[uintp(base + evens + k)]
    x[uintp(base - 1)] = np.float32(0)
    for j in range(n):
        x[uintp(base + j)] = row[uintp(j)]
    x[uintp(base + n)] = np.float32(0)


@part
def relaxed(here, there, offsets, weights, inverse, b, x):
    """What Gauss-Seidel writes at `here`; `there` is the first of its two neighbours along the row."""
    last = len(offsets) - 1
    s = b[uintp(here)] + weights[last, 0] * (x[uintp(there)] + x[uintp(there + 1)])
    for k in range(last):
        s += weights[k, 0] * (x[uintp(here + offsets[k])] + x[uintp(here - offsets[k])])
    return inverse[uintp(here)] * s


@part
def relaxed_by_weight(here, there, offsets, weights, inverse, b, x):
    """The same, where each edge has a weight of its own. An edge along the row has it at its lower end."""
    last = len(offsets) - 1
    s = b[uintp(here)]
    s += weights[last, uintp(here)] * x[uintp(there + 1)] + weights[last, uintp(there)] * x[uintp(there)]
    for k in range(last):
        ahead, behind = here + offsets[k], here - offsets[k]
        s += weights[k, uintp(here)] * x[uintp(ahead)] + weights[k, uintp(behind)] * x[uintp(behind)]
    return inverse[uintp(here)] * s


@kernel
def smooth(
    top, fall, bottom, rise, reach, thick, passes, rows, starts, n, phase, inverse, offsets, weights, step, b, x,
    children, parents, coarse_starts, factor, coarse_b, coarse_x,
):  # fmt: skip
    """Run `passes` over the layers, as `kernels.smooth` does, on vectors in halves of rows.

    BEGIN also lays out `b`. RESTRICT must follow the second colour, whose residual it takes for zero. MERGE lays out
    `x` as it is elsewhere, and MERGE_BOTH also `b`.
    """
    evens = (n + 1) >> 1
    row = np.empty(n + 1, np.float32)
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
                    part_row(base, n, row, b)
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
                elif what <= MERGE:
                    join_row(base, n, row, x)
                    if what == MERGE_BOTH:
                        join_row(base, n, row, b)
                else:
                    if step == 0:  # the weights stay in registers
                        for k in range(size):
                            row[uintp(k)] = relaxed(here + k, there + k, offsets, weights, inverse, b, x)
                    else:
                        for k in range(size):
                            row[uintp(k)] = relaxed_by_weight(here + k, there + k, offsets, weights, inverse, b, x)
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
