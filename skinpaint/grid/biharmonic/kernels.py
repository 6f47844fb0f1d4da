"""Loops over grids with one stencil for each pixel, for the fourth order.

A matrix is symmetric and given by its stencils: ``coefficients[k, i]`` couples entry `i` with entry ``i + offsets[k]``,
for the offsets ahead. The last row of `coefficients` is the diagonal. Grids are flat and padded, as in
:mod:`skinpaint.grid.harmonic.kernels`.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uintp

from skinpaint.grid.jit import OUTSIDE, kernel

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
        base, size = starts[row], 0.0
        for i in range(base, base + n):
            y[uintp(i)] = 0.0
        for k in range(2 * len(offsets)):
            w, offset = weights[k >> 1], offsets[k >> 1] * (1 - 2 * (k & 1))
            for j in range(n):
                i, beside = uintp(base + j), uintp(base + offset + j)
                y[i] += (w if state[beside] != OUTSIDE else 0.0) * (x[i] - x[beside])
        for i in range(base, base + n):
            s = y[uintp(i)] if state[uintp(i)] >= least else 0.0
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


@kernel
def smooth(
    top, fall, bottom, rise, reach, thick, passes, rows, halve_layers, starts, n, inverse, offsets, coefficients,
    first, keep, second, b, x, d, y, halve, main, side, children, child_shares, parents, parent_shares,
    coarse_starts, coarse_rows, N, coarse_b, coarse_x,
):  # fmt: skip
    """Run `passes` over the layers, which have so many `rows`, for ``A x = b`` with D the diagonal of A.

    A step of Chebyshev's iteration is ``d = keep d + gain D^-1 (b - A x)`` and ``y = x + d``. START is the first step
    from zero, with the gain `first`. FIRST is the same step from `x`. SECOND, with the gain `second`, leads from `y` to
    `x`. RESIDUAL is ``d = b - A x``. RESTRICT is the transposed interpolation: each coarse entry sums the entries of
    `d` around it, with the interpolation weights. PROLONG adds the interpolation of the coarse entries to every unknown
    of `x`.

    Pass `s` covers the layers from ``top + s * fall`` to ``bottom - s * rise`` (:class:`skinpaint.grid.layout.Passes`).
    It runs in slabs of `thick` layers, `reach` layers behind the pass before it, whose results are still in the cache.
    """
    diagonal, number = coefficients[len(offsets)], x.dtype.type
    t, wide = np.empty(n, x.dtype), np.empty(max(n, N) + 3)
    start = top
    while start < bottom + (passes.size - 1) * (reach - rise):
        for s in range(passes.size):
            lo = max(start - s * reach, top + s * fall)
            hi = min(start + thick - s * reach, bottom - s * rise)
            what = passes[s]
            old, new = (y, x) if what == SECOND else (x, y)
            k = number(keep) if what == SECOND else number(0)
            g = number(second) if what == SECOND else number(first)
            if what == RESTRICT:
                lo, hi = (lo >> halve_layers) * coarse_rows, ((hi + halve_layers) >> halve_layers) * coarse_rows
            else:
                lo, hi = lo * rows, hi * rows
            for r in range(lo, hi):
                if what == START:
                    for i in range(starts[r], starts[r] + n):
                        v = first * inverse[uintp(i)] * b[uintp(i)]
                        d[uintp(i)] = v
                        y[uintp(i)] = v
                elif what == RESTRICT:
                    for j in range(uintp(n + 3)):
                        wide[j] = 0.0
                    for c in range(children.shape[1]):
                        share, base = child_shares[r, c], starts[children[r, c]]
                        if share != 0:
                            for j in range(n):
                                wide[uintp(j + 1)] += share * d[uintp(base + j)]
                    for J in range(N):
                        j = 2 * J if halve else J
                        v = main[uintp(j)] * wide[uintp(j + 1)]
                        if halve:
                            if j > 0:
                                v += side[uintp(j - 1)] * wide[uintp(j)]
                            if j + 1 < n:
                                v += main[uintp(j + 1)] * wide[uintp(j + 2)]
                            if j + 2 < n:
                                v += side[uintp(j + 2)] * wide[uintp(j + 3)]
                        coarse_b[uintp(coarse_starts[r] + J)] = v
                elif what == PROLONG:
                    for J in range(uintp(N + 2)):
                        wide[J] = 0.0
                    for c in range(parents.shape[1]):
                        share, base = parent_shares[r, c], coarse_starts[parents[r, c]]
                        if share != 0:
                            for J in range(N):
                                wide[uintp(J + 1)] += share * coarse_x[uintp(base + J)]
                    if halve:
                        for J in range(n >> 1):
                            even, odd, v = uintp(2 * J), uintp(2 * J + 1), wide[uintp(J + 1)]
                            t[even] = main[even] * v + side[even] * wide[uintp(J)]
                            t[odd] = main[odd] * v + side[odd] * wide[uintp(J + 2)]
                        if n & 1:
                            t[n - 1] = main[n - 1] * wide[N] + side[n - 1] * wide[N - 1]
                    else:
                        for j in range(n):
                            t[uintp(j)] = wide[uintp(j + 1)]
                    for j in range(n):  # in a loop of its own, this is no branch, which would be taken at random
                        t[uintp(j)] = t[uintp(j)] if inverse[uintp(starts[r] + j)] > 0 else number(0)
                    for j in range(n):
                        x[uintp(starts[r] + j)] += t[uintp(j)]
                else:
                    base = starts[r]
                    for j in range(n):
                        i = uintp(base + j)
                        t[uintp(j)] = b[i] - diagonal[i] * old[i]
                    for m in range(0, len(offsets), 2):  # their number is even
                        e, a, c = offsets[m], offsets[m + 1], coefficients[m]
                        f = coefficients[m + 1]
                        for j in range(n):
                            i = base + j
                            v = c[uintp(i)] * old[uintp(i + e)] + c[uintp(i - e)] * old[uintp(i - e)]
                            t[uintp(j)] -= v + f[uintp(i)] * old[uintp(i + a)] + f[uintp(i - a)] * old[uintp(i - a)]
                    if what == RESIDUAL:
                        for j in range(n):
                            d[uintp(base + j)] = t[uintp(j)]
                    else:
                        for j in range(n):
                            i = uintp(base + j)
                            v = k * d[i] + g * inverse[i] * t[uintp(j)]
                            d[i] = v
                            new[i] = old[i] + v
        start += thick


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
                        least, most = max(-a, -a - s, 0), min(length - a, length - a - s)
                        for J in range((least + 1) >> 1, min((most + 1) >> 1, n)):  # both are on the fine line
                            i = 2 * J + a
                            w = mine[uintp(i)] * other[uintp(i + s)]
                            coarse[k, uintp(out + J)] += w * fine[source, uintp(first[R] + i + shift)]
