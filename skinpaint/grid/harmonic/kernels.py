"""Loops over grids with a weighted Laplacian.

Grids are flat and padded with zeros, so the neighbour of entry `i` along an axis is entry ``i + offset``, and no loop
tests for borders. A *row* is a run of `n` entries along the last axis. `starts` holds where the rows begin; `phase`
holds the sum of their leading indices, from which the colour of an entry follows. A *term* is an axis and a lag.

`weights` has a row for each term, with the weight of each edge at the edge's lower end. A row of the grid begins in it
at ``step`` times its place: a step of 0 means that all rows are equal. `shift` and `load` have steps of their own. So a
kernel is compiled once for each number of terms, whatever the weights.
"""

from __future__ import annotations

import numpy as np
from numba import uintp

from skinpaint.grid.jit import BEGIN, KNOWN, OUTSIDE, PROLONG, RESTRICT, UNKNOWN, kernel, part

__all__ = [
    "advance",
    "apply",
    "coarsen",
    "diagonal",
    "guess_along_rows",
    "over_relax",
    "products",
    "residual",
    "smooth",
    "solve_dense",
    "squares",
]

CHECK = 8  # sweeps of `over_relax` between two looks at how much they change


@part
def neighbours(base, j, offsets, weights, step, x):
    """Weighted sum over the neighbours of entry `j` of the row that begins at `base`."""
    s = np.float32(0)
    for k in range(len(offsets)):
        ahead, behind = base + offsets[k], base - offsets[k]
        w, v = weights[k, uintp(step * base + j)], weights[k, uintp(step * behind + j)]
        s += w * x[uintp(ahead + j)] + v * x[uintp(behind + j)]
    return s


@part
def equal_neighbours(i, offsets, weights, x):
    """Weighted sum over the neighbours of entry `i`, where all edges of a term have the same weight."""
    s = np.float32(0)
    for k in range(len(offsets)):
        s += weights[k, 0] * (x[uintp(i + offsets[k])] + x[uintp(i - offsets[k])])
    return s


@kernel
def diagonal(lo, hi, starts, n, state, most, inverted, offsets, weights, step, shift, shift_step, out):
    """The diagonal of ``L_UU + shift``, or one over it; 0 where nothing is unknown.

    It sums the edges to neighbours inside the image, whose states go up to `most`. If that is KNOWN, the sum is what
    the diagonal has beyond the edges between unknowns.
    """
    for r in range(lo, hi):
        base = starts[r]
        for j in range(n):
            out[uintp(base + j)] = shift[uintp(shift_step * base + j)]
        for k in range(len(offsets)):
            ahead, behind = base + offsets[k], base - offsets[k]
            for j in range(n):
                there, before = state[uintp(ahead + j)], state[uintp(behind + j)]
                w = weights[k, uintp(step * base + j)] if KNOWN <= there <= most else np.float32(0)
                v = weights[k, uintp(step * behind + j)] if KNOWN <= before <= most else np.float32(0)
                out[uintp(base + j)] += w + v
        for j in range(n):
            d = out[uintp(base + j)] if state[uintp(base + j)] == UNKNOWN else np.float32(0)
            out[uintp(base + j)] = (np.float32(1) / d if d > 0 else np.float32(0)) if inverted else d


@part
def add_row(halve, n, row, coarse, out):
    """Add a row, which ends with a zero, to the coarse row that begins at `out`."""
    if halve == 1:
        for J in range((n + 1) >> 1):
            coarse[uintp(out + J)] += row[uintp(2 * J)] + row[uintp(2 * J + 1)]
    else:
        for J in range(n):
            coarse[uintp(out + J)] += row[uintp(J)]


@kernel
def smooth(
    top, fall, bottom, rise, reach, thick, passes, rows, starts, n, phase, colours, halve, inverse, offsets, weights,
    step, b, x, children, parents, coarse_starts, factor, coarse_b, coarse_x,
):  # fmt: skip
    """Run `passes` over the layers, which have so many `rows`.

    BEGIN is Gauss-Seidel on the first colour, starting from zero. A number is Gauss-Seidel on the entries of a colour.
    RESTRICT sums the residual ``b - A x`` over the entries of each block. PROLONG adds `factor` times each coarse entry
    to all unknowns of its block.

    Pass `s` covers the layers from ``top + s * fall`` to ``bottom - s * rise`` (:class:`skinpaint.grid.layout.Passes`).
    It runs in slabs of `thick` layers, `reach` layers behind the pass before it, whose results are still in the cache.
    """
    row = np.empty(n + 1, np.float32)
    lanes = np.zeros((colours, n), np.float32)  # 1 at the places of each colour, in a row that begins with colour 0
    for c in range(colours):
        for j in range(c, n, colours):
            lanes[c, uintp(j)] = np.float32(1)
    start = top
    while start < bottom + (passes.size - 1) * (reach - rise):
        for s in range(passes.size):
            lo = max(start - s * reach, top + s * fall)
            hi = min(start + thick - s * reach, bottom - s * rise)
            what = passes[s]
            for r in range(lo * rows, hi * rows):
                base, out = starts[r], coarse_starts[parents[r]]
                if what == BEGIN:
                    c = (-phase[r]) % colours
                    for j in range(n):
                        x[uintp(base + j)] = lanes[c, uintp(j)] * (inverse[uintp(base + j)] * b[uintp(base + j)])
                elif what == PROLONG:
                    if halve == 1:
                        for J in range((n + 1) >> 1):
                            row[uintp(2 * J)] = factor * coarse_x[uintp(out + J)]
                            row[uintp(2 * J + 1)] = factor * coarse_x[uintp(out + J)]
                    else:
                        for j in range(n):
                            row[uintp(j)] = factor * coarse_x[uintp(out + j)]
                    for j in range(n):  # in a loop of its own, this is no branch, which would be taken at random
                        row[uintp(j)] = row[uintp(j)] if inverse[uintp(base + j)] > 0 else np.float32(0)
                    for j in range(n):
                        x[uintp(base + j)] += row[uintp(j)]
                else:  # relax all colours, as the compiler can vectorise that
                    if step == 0:  # the weights stay in registers
                        for j in range(n):
                            i = base + j
                            row[uintp(j)] = inverse[uintp(i)] * (b[uintp(i)] + equal_neighbours(i, offsets, weights, x))
                    else:
                        for j in range(n):
                            i = base + j
                            s = neighbours(base, j, offsets, weights, step, x)
                            row[uintp(j)] = inverse[uintp(i)] * (b[uintp(i)] + s)
                    if what == RESTRICT:  # the residual is the diagonal times what that changes
                        for j in range(n):
                            v = (row[uintp(j)] - x[uintp(base + j)]) / inverse[uintp(base + j)]
                            row[uintp(j)] = v if inverse[uintp(base + j)] > 0 else np.float32(0)
                        row[uintp(n)] = np.float32(0)
                        if r == children[parents[r], 0]:
                            for J in range((n + halve) >> halve):
                                coarse_b[uintp(out + J)] = np.float32(0)
                        add_row(halve, n, row, coarse_b, out)
                    else:  # keep one: products by 1 and 0 are exact, and are vectorised, as steps over some are not
                        c = (what - phase[r]) % colours
                        for j in range(n):
                            here, keep = lanes[c, uintp(j)], np.float32(1) - lanes[c, uintp(j)]
                            x[uintp(base + j)] = here * row[uintp(j)] + keep * x[uintp(base + j)]
        start += thick


@kernel
def over_relax(lo, hi, starts, sizes, phase, stride, shares, unknown, omega, enough, max_sweeps, xs):
    """Successive over-relaxation of some channels on two colours, until the error of a channel is `enough`.

    Changes fall by a factor from sweep to sweep, so the error is about the sum of a geometric series. The factor is
    that of the last sweeps, and at least the one that the best `omega` has.

    Of each row it visits `sizes` entries from `starts`, of which the first has the colour `phase`. ``shares[i]`` is one
    over the number of neighbours of an unknown entry, zero where known; ``unknown[i]`` is 1 or 0.
    """
    row = np.empty(stride, np.float32)
    for c in range(lo, hi):
        x, before = xs[c], np.float32(np.inf)
        for sweep in range(max_sweeps):
            look, largest = sweep % CHECK == CHECK - 1, np.float32(0)
            for colour in range(2):
                for r in range(starts.size):
                    base, n = starts[r], sizes[r]
                    for j in range(n):  # all colours, as the compiler can vectorise that
                        i = uintp(base + j)
                        beside = x[i - uintp(1)] + x[i + uintp(1)] + x[i - uintp(stride)] + x[i + uintp(stride)]
                        row[uintp(j)] = omega * (shares[i] * beside - unknown[i] * x[i])
                    for j in range((colour - phase[r]) % 2, n, 2):
                        x[uintp(base + j)] += row[uintp(j)]
                    if look:
                        for j in range((colour - phase[r]) % 2, n, 2):
                            largest = max(largest, abs(row[uintp(j)]))
            if look:
                factor = max(omega - np.float32(1), (largest / before) ** np.float32(1 / CHECK))
                if largest == 0 or largest <= enough[c] * (1 - factor):
                    break
                before = largest


@kernel
def coarsen(
    lo, hi, starts, n, halve, inverse, offsets, weights, step, surplus, reach, children, parents, coarse_starts, sums,
):  # fmt: skip
    """Galerkin sums over blocks, of the edges between blocks and of the surplus of the diagonal.

    The diagonal itself is the sum of both. Nothing is subtracted, so rounding does not make a matrix indefinite.

    ``reach[k]`` holds the distance to the neighbour of term `k`, in rows and along the row, and the row of `sums` that
    its edges are added to. Its last row is about the surplus.
    """
    row = np.empty(n + 1, np.float32)  # of the entries of a row, and a zero
    row[uintp(n)] = np.float32(0)
    for R in range(lo, hi):
        for c in range(children.shape[1]):
            r = children[R, c]
            if r < 0:
                continue
            base = starts[r]
            for k in range(len(reach)):
                if k == len(offsets):
                    for j in range(n):
                        row[uintp(j)] = surplus[uintp(base + j)]
                else:
                    # Along a halved row every second edge is inside a block. Across rows it is all edges, or none.
                    if reach[k, 0] > 0 and r + reach[k, 0] < parents.size and parents[r] == parents[r + reach[k, 0]]:
                        continue
                    for j in range(n):
                        both = min(inverse[uintp(base + j)], inverse[uintp(base + j + offsets[k])])
                        w = weights[k, uintp(step * base + j)]  # read in any case, so that there is no branch
                        row[uintp(j)] = w if both > 0 else np.float32(0)
                    if reach[k, 0] == 0 and halve == 1 and reach[k, 1] == 1:
                        for t in range((n + 1) >> 1):
                            row[uintp(2 * t)] = np.float32(0)
                add_row(halve, n, row, sums[reach[k, 2]], coarse_starts[R])


@kernel
def apply(lo, hi, starts, n, state, offsets, weights, step, shift, shift_step, x, y, sums):
    """``y = A x``, and the row sums of ``<x, y>``; `x` is zero where nothing is unknown.

    It is a sum of differences: where `x` is smooth, products with the diagonal and the edges would cancel.
    """
    for row in range(lo, hi):
        base, size = starts[row], np.float32(0)
        for j in range(n):
            here = x[uintp(base + j)]
            s = np.float32(shift[uintp(shift_step * base + j)]) * here
            for k in range(len(offsets)):
                ahead, behind = base + offsets[k], base - offsets[k]
                v = weights[k, uintp(step * base + j)] * (here - x[uintp(ahead + j)])
                s += v if state[uintp(ahead + j)] != OUTSIDE else np.float32(0)
                v = weights[k, uintp(step * behind + j)] * (here - x[uintp(behind + j)])
                s += v if state[uintp(behind + j)] != OUTSIDE else np.float32(0)
            s = s if state[uintp(base + j)] == UNKNOWN else np.float32(0)
            y[uintp(base + j)] = s
            size += s * here
        sums[row] = size


@kernel
def advance(lo, hi, starts, n, a, p, q, x, r, sums):
    """``x += a p`` and ``r -= a q``, and the row sums of ``|r|^2``."""
    for row in range(lo, hi):
        s = np.float32(0)
        for i in range(starts[row], starts[row] + n):
            x[uintp(i)] += a * p[uintp(i)]
            v = r[uintp(i)] - a * q[uintp(i)]
            r[uintp(i)] = v
            s += v * v
        sums[row] = s


@kernel
def products(lo, hi, starts, n, z, r, q, sums):
    """The row sums of ``<z, r>`` and of ``<z, q>``."""
    for row in range(lo, hi):
        s, t = np.float32(0), np.float32(0)
        for i in range(starts[row], starts[row] + n):
            s += z[uintp(i)] * r[uintp(i)]
            t += z[uintp(i)] * q[uintp(i)]
        sums[row, 0], sums[row, 1] = s, t


@kernel
def residual(lo, hi, starts, n, state, offsets, weights, step, shift, shift_step, load, load_step, x, r, sums):
    """``r = b - A x`` from the definition, in double precision, and the row sums of ``|r|^2`` and of ``|b|^2``."""
    for row in range(lo, hi):
        base, size, source = starts[row], 0.0, 0.0
        for j in range(n):
            here = x[uintp(base + j)]
            b = load[uintp(load_step * base + j)]
            s = b - shift[uintp(shift_step * base + j)] * here
            for k in range(len(offsets)):
                ahead, behind = base + offsets[k], base - offsets[k]
                w, there = weights[k, uintp(step * base + j)], x[uintp(ahead + j)]
                s += w * (there - here) if state[uintp(ahead + j)] != OUTSIDE else 0.0
                b += w * there if state[uintp(ahead + j)] == KNOWN else 0.0
                w, there = weights[k, uintp(step * behind + j)], x[uintp(behind + j)]
                s += w * (there - here) if state[uintp(behind + j)] != OUTSIDE else 0.0
                b += w * there if state[uintp(behind + j)] == KNOWN else 0.0
            s = s if state[uintp(base + j)] == UNKNOWN else 0.0
            r[uintp(base + j)] = s
            size += s * s
            source += b * b if state[uintp(base + j)] == UNKNOWN else 0.0
        sums[row, 0], sums[row, 1] = size, source


@kernel
def guess_along_rows(lo, hi, starts, n, state, x):
    """A first guess: linear along each row between known entries, constant beyond them."""
    for row in range(lo, hi):
        base = starts[row]
        last = -1
        for j in range(n):
            if state[uintp(base + j)] == KNOWN:
                first = x[uintp(base + max(last, 0))] if last >= 0 else x[uintp(base + j)]
                slope = (x[uintp(base + j)] - first) / (j - last)
                for t in range(last + 1, j):
                    if state[uintp(base + t)] == UNKNOWN:
                        x[uintp(base + t)] = first + slope * (t - last)
                last = j
        for t in range(last + 1, n):
            if last >= 0 and state[uintp(base + t)] == UNKNOWN:
                x[uintp(base + t)] = x[uintp(base + last)]


@kernel
def squares(lo, hi, starts, counts, offsets, weights, x, sums):
    """The row sums of weighted squared differences; ``counts[k, row]`` entries of a row have a neighbour ahead."""
    for row in range(lo, hi):
        s = 0.0
        for k in range(offsets.size):
            here, ahead, t = starts[row], starts[row] + offsets[k], 0.0
            for j in range(counts[k, row]):
                t += (x[uintp(ahead + j)] - x[uintp(here + j)]) ** 2
            s += weights[k] * t
        sums[row] = s


@kernel
def solve_dense(inverse, at, b, x):
    """``x = inverse b`` on the entries `at`."""
    n = at.size
    packed = np.empty(n, np.float32)
    for i in range(n):
        packed[i] = b[at[i]]
    for i in range(n):
        s = np.float32(0)
        for j in range(n):
            s += inverse[i, j] * packed[j]
        x[at[i]] = s
