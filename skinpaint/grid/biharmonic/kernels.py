"""Loops over grids with one stencil for each pixel, for the fourth order.

A matrix is symmetric and given by its stencils: ``coefficients[k, i]`` couples entry `i` with entry ``i + offsets[k]``,
for the offsets ahead. The last row of `coefficients` is the diagonal. Grids are flat and padded, as in
:mod:`skinpaint.grid.harmonic.kernels`.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uintp

from skinpaint.grid.jit import OUTSIDE, inlined, kernel

__all__ = [
    "FIRST",
    "PROLONG",
    "RESIDUAL",
    "RESTRICT",
    "SECOND",
    "START",
    "advance",
    "dot",
    "galerkin",
    "laplace",
    "smooth",
]

# Passes of `smooth`.
START = 0
FIRST = 1
SECOND = 2
RESIDUAL = 3
RESTRICT = 4
PROLONG = 5


@njit(cache=True, nogil=True)
def laplace(lo, hi, starts, n, state, least, offsets, weights, x, y, sums):
    """``y = L x`` where the state is at least `least`, zero elsewhere, and the row sums of ``|y|^2``."""
    for row in range(lo, hi):
        size = 0.0
        for i in range(starts[row], starts[row] + n):
            s = 0.0
            if state[uintp(i)] >= least:
                for k in range(len(offsets)):
                    ahead, behind = uintp(i + offsets[k]), uintp(i - offsets[k])
                    if state[ahead] != OUTSIDE:
                        s += weights[k] * (x[uintp(i)] - x[ahead])
                    if state[behind] != OUTSIDE:
                        s += weights[k] * (x[uintp(i)] - x[behind])
            y[uintp(i)] = s
            size += s * s
        sums[row] = size


@kernel
def dot(lo, hi, starts, n, x, y, sums):
    """The row sums of ``<x, y>``."""
    for row in range(lo, hi):
        s = 0.0
        for i in range(starts[row], starts[row] + n):
            s += x[uintp(i)] * y[uintp(i)]
        sums[row] = s


@kernel
def advance(lo, hi, starts, n, a, p, q, x, r, largest):
    """``x += a p`` and ``r -= a q``, and the largest entry of `p` in each row."""
    for row in range(lo, hi):
        top = 0.0
        for i in range(starts[row], starts[row] + n):
            x[uintp(i)] += a * p[uintp(i)]
            r[uintp(i)] -= a * q[uintp(i)]
            top = max(top, abs(p[uintp(i)]))
        largest[row] = top


@inlined
def start(lo, hi, starts, n, inverse, b, gain, d, y):
    """The first step, from zero: ``d = y = gain D^-1 b``, D the diagonal of A."""
    for row in range(lo, hi):
        for i in range(starts[row], starts[row] + n):
            v = gain * inverse[uintp(i)] * b[uintp(i)]
            d[uintp(i)] = v
            y[uintp(i)] = v


@inlined
def residual_row(base, n, offsets, coefficients, b, x, t):
    """``t = b - A x`` for one row."""
    diagonal = coefficients[len(offsets)]
    for j in range(n):
        t[uintp(j)] = b[uintp(base + j)] - diagonal[uintp(base + j)] * x[uintp(base + j)]
    for m in range(len(offsets)):
        ahead, behind, c = base + offsets[m], base - offsets[m], coefficients[m]
        for j in range(n):
            t[uintp(j)] -= c[uintp(base + j)] * x[uintp(ahead + j)] + c[uintp(behind + j)] * x[uintp(behind + j)]


@inlined
def step(lo, hi, starts, n, inverse, offsets, coefficients, b, x, keep, gain, d, y, t):
    """``d = keep d + gain D^-1 (b - A x)`` and ``y = x + d``, D the diagonal of A; `t` is scratch."""
    k, g = x.dtype.type(keep), x.dtype.type(gain)
    for row in range(lo, hi):
        base = starts[row]
        residual_row(base, n, offsets, coefficients, b, x, t)
        for j in range(n):
            i = uintp(base + j)
            v = k * d[i] + g * inverse[i] * t[uintp(j)]
            d[i] = v
            y[i] = x[i] + v


@inlined
def residual(lo, hi, starts, n, offsets, coefficients, b, x, r, t):
    """``r = b - A x``; `t` is scratch."""
    for row in range(lo, hi):
        base = starts[row]
        residual_row(base, n, offsets, coefficients, b, x, t)
        for j in range(n):
            r[uintp(base + j)] = t[uintp(j)]


@inlined
def restrict(lo, hi, starts, n, halve, main, side, children, shares, coarse_starts, N, r, coarse, t):
    """Transposed interpolation: each coarse entry sums the entries around it, with the interpolation weights."""
    for R in range(lo, hi):
        for j in range(n + 3):
            t[uintp(j)] = 0.0
        for c in range(children.shape[1]):
            share = shares[R, c]
            if share != 0:
                base = starts[children[R, c]]
                for j in range(n):
                    t[uintp(j + 1)] += share * r[uintp(base + j)]
        out = coarse_starts[R]
        for J in range(N):
            j = 2 * J if halve else J
            s = main[uintp(j)] * t[uintp(j + 1)]
            if halve:
                if j > 0:
                    s += side[uintp(j - 1)] * t[uintp(j)]
                if j + 1 < n:
                    s += main[uintp(j + 1)] * t[uintp(j + 2)]
                if j + 2 < n:
                    s += side[uintp(j + 2)] * t[uintp(j + 3)]
            coarse[uintp(out + J)] = s


@inlined
def prolong(lo, hi, starts, n, halve, main, side, parents, shares, coarse_starts, N, inverse, coarse, x, t):
    """Add the interpolation of the coarse entries to every unknown."""
    for row in range(lo, hi):
        for J in range(N + 2):
            t[uintp(J)] = 0.0
        for c in range(parents.shape[1]):
            share = shares[row, c]
            if share != 0:
                base = coarse_starts[parents[row, c]]
                for J in range(N):
                    t[uintp(J + 1)] += share * coarse[uintp(base + J)]
        base = starts[row]
        for j in range(n):
            i = uintp(base + j)
            if halve:
                J = (j >> 1) + 1
                v = main[uintp(j)] * t[uintp(J)] + side[uintp(j)] * t[uintp(J + 2 * (j & 1) - 1)]
            else:
                v = t[uintp(j + 1)]
            x[i] += v if inverse[i] > 0 else 0.0


@kernel
def smooth(
    top, fall, bottom, rise, reach, thick, passes, rows, coarse_rows, halve_layers, starts, n, inverse, offsets,
    coefficients, first, keep, second, b, x, d, y, halve, main, side, children, child_shares, parents, parent_shares,
    coarse_starts, N, coarse_b, coarse_x,
):  # fmt: skip
    """Run `passes` over the layers, for ``A x = b``, with `d` and `y` as scratch.

    START and SECOND are two steps of Chebyshev's iteration from zero, FIRST and SECOND are two from `x`.

    Pass `s` covers the layers from ``top + s * fall`` to ``bottom - s * rise`` (:class:`skinpaint.grid.layout.Passes`).
    It runs in slabs of `thick` layers, `reach` layers behind the pass before it, whose results are still in the cache.
    """
    t, wide = np.empty(n, x.dtype), np.empty(max(n, N) + 3)
    depth = passes.size
    start_layer = top
    while start_layer < bottom + (depth - 1) * (reach - rise):
        for s in range(depth):
            lo = max(start_layer - s * reach, top + s * fall)
            hi = min(start_layer + thick - s * reach, bottom - s * rise)
            what = passes[s]
            if lo >= hi:
                continue
            if what == START:
                start(lo * rows, hi * rows, starts, n, inverse, b, first, d, y)
            elif what in (FIRST, SECOND):
                old, new = (x, y) if what == FIRST else (y, x)
                held, gain = (0.0, first) if what == FIRST else (keep, second)
                step(lo * rows, hi * rows, starts, n, inverse, offsets, coefficients, b, old, held, gain, d, new, t)
            elif what == RESIDUAL:
                residual(lo * rows, hi * rows, starts, n, offsets, coefficients, b, x, d, t)
            elif what == RESTRICT:
                restrict(
                    (lo >> halve_layers) * coarse_rows, ((hi + halve_layers) >> halve_layers) * coarse_rows,
                    starts, n, halve, main, side, children, child_shares, coarse_starts, N, d, coarse_b, wide,
                )  # fmt: skip
            else:
                prolong(
                    lo * rows, hi * rows, starts, n, halve, main, side, parents, parent_shares, coarse_starts, N,
                    inverse, coarse_x, x, wide,
                )  # fmt: skip
        start_layer += thick


@kernel
def galerkin(lo, hi, starts, n, length, along, first, stride, main, side, reach, sources, fine, coarse):
    """The Galerkin product ``P^T A P`` for interpolation along one axis.

    ``along[R]`` is the place of coarse row `R` on that axis, -1 if the row lies along the axis; ``first[R]`` is where
    the line begins on the fine grid. ``sources[k, s]`` says which row of `fine` couples an entry with the one that is
    ``s - 2`` further along the axis, and otherwise at coarse offset `k`, and by how much its index is shifted.
    """
    for R in range(lo, hi):
        out = starts[R]
        for k in range(len(reach)):
            for a in range(-1, 3):
                for s in range(-2, 3):
                    d = a + s - 2 * reach[k]
                    source, shift = sources[k, s + 2, 0], sources[k, s + 2, 1]
                    if d < -1 or d > 2 or source < 0:
                        continue
                    mine = main if a == 0 or a == 1 else side
                    other = main if d == 0 or d == 1 else side
                    if along[R] >= 0:
                        i = 2 * along[R] + a
                        if 0 <= i < length and 0 <= i + s < length:
                            w = mine[i] * other[i + s]
                            begin = first[R] + i * stride + shift
                            for J in range(n):
                                coarse[k, uintp(out + J)] += w * fine[source, uintp(begin + J)]
                    else:
                        for J in range(n):
                            i = 2 * J + a
                            if 0 <= i < length and 0 <= i + s < length:
                                w = mine[uintp(i)] * other[uintp(i + s)]
                                coarse[k, uintp(out + J)] += w * fine[source, uintp(first[R] + i + shift)]
