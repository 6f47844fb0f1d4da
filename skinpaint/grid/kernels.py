"""The loops, and nothing else: the only file that imports numba.

Every kernel works on a range ``lo <= k < hi`` of independent pieces, so that threads can share them, and releases the
interpreter's lock. What it sums it leaves as one partial sum a piece, so that the answer
does not depend on the sharing.

The first part is about grids that lie flat and padded with zeros, so that the neighbour of entry `i` along an axis is
``i + offset`` and no loop tests for borders. A *row* is a run of `n` entries along the last axis; `starts` holds where
the rows begin and `phase` the sum of their leading indices, which together with the place in the row gives the colour
of an entry. A *term* is an axis and a lag; its weight is a number (the same for all edges) or an array (one an edge,
at the edge's lower end). Indices are cast to unsigned, since numba guards signed ones against wrapping around, which
costs the vector units.

The second part is about the lengths of lines. Arrays are seen as ``(A, n, B)``: `n` entries along the axis in
question, `A` before it and `B` behind it.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types, uintp
from numba.extending import overload

__all__ = [
    "advance",
    "apply",
    "begin",
    "chebyshev",
    "coarsen",
    "defect",
    "descend",
    "dot",
    "extend",
    "galerkin",
    "gather",
    "interpolate",
    "invert",
    "invert_dense",
    "jacobi",
    "laplace",
    "length_columns",
    "length_rows",
    "products",
    "prolong",
    "relax",
    "remainder",
    "restrict",
    "solve_dense",
    "source",
    "spread_columns",
    "spread_rows",
]

OUTSIDE, KNOWN, UNKNOWN = 0, 1, 2

# Neither nnan nor ninf: a division by zero may be computed and not chosen.
FAST = {"reassoc", "contract", "nsz", "arcp"}

kernel = njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")


def weight_at(w, i):
    """The weight of the edge that begins at `i`."""
    raise NotImplementedError


@overload(weight_at, inline="always")
def _weight_at(w, i):
    return (lambda w, i: w[i]) if isinstance(w, types.Array) else (lambda w, i: w)


@njit(nogil=True, fastmath=FAST, error_model="numpy", inline="always")
def neighbours(x, i, offsets, weights):
    """Weighted sum over the neighbours of entry `i`."""
    s = np.float32(0)
    for k in range(len(offsets)):
        ahead, behind = uintp(i + offsets[k]), uintp(i - offsets[k])
        s += weight_at(weights[k], uintp(i)) * x[ahead] + weight_at(weights[k], behind) * x[behind]
    return s


@kernel
def invert(lo, hi, starts, n, state, offsets, weights, shift, inverse):
    """One over the diagonal of ``L_UU + shift``: all edges to neighbours inside the image. 0 where known."""
    for r in range(lo, hi):
        for i in range(starts[r], starts[r] + n):
            d = np.float32(0)
            if state[uintp(i)] == UNKNOWN:
                d += weight_at(shift, uintp(i))
                for k in range(len(offsets)):
                    ahead, behind = uintp(i + offsets[k]), uintp(i - offsets[k])
                    if state[ahead] != OUTSIDE:
                        d += weight_at(weights[k], uintp(i))
                    if state[behind] != OUTSIDE:
                        d += weight_at(weights[k], behind)
                d = np.float32(1) / d
            inverse[uintp(i)] = d


@kernel
def begin(lo, hi, starts, n, phase, colours, inverse, b, x):
    """Relax the first colour from zero: ``b / diagonal`` there, zero elsewhere."""
    for r in range(lo, hi):
        base = starts[r]
        for i in range(base, base + n):
            x[uintp(i)] = np.float32(0)
        for i in range(base + (-phase[r]) % colours, base + n, colours):
            x[uintp(i)] = inverse[uintp(i)] * b[uintp(i)]


@kernel
def relax(lo, hi, starts, n, phase, colours, colour, inverse, offsets, weights, b, x):
    """Gauss-Seidel on the entries of one colour."""
    relaxed = np.empty(n, np.float32)
    for r in range(lo, hi):
        base = starts[r]
        # All colours are computed, since that goes by whole vectors, and one is kept.
        for j in range(n):
            i = base + j
            relaxed[uintp(j)] = inverse[uintp(i)] * (b[uintp(i)] + neighbours(x, i, offsets, weights))
        for j in range((colour - phase[r]) % colours, n, colours):
            x[uintp(base + j)] = relaxed[uintp(j)]


@kernel
def restrict(lo, hi, starts, n, halve, inverse, offsets, weights, b, x, children, coarse_starts, coarse):
    """Sum the residual ``b - A x`` over the entries that make up a coarse one."""
    residual = np.zeros(n + 1, np.float32)
    for R in range(lo, hi):
        out = coarse_starts[R]
        for c in range(children.shape[1]):
            r = children[R, c]
            if r < 0:
                continue
            base = starts[r]
            for j in range(n):
                i = base + j
                v = b[uintp(i)] + neighbours(x, i, offsets, weights) - x[uintp(i)] / inverse[uintp(i)]
                residual[uintp(j)] = v if inverse[uintp(i)] > 0 else np.float32(0)
            if c == 0:
                for J in range((n + halve) >> halve):
                    coarse[uintp(out + J)] = np.float32(0)
            if halve == 1:
                for J in range((n + 1) >> 1):
                    coarse[uintp(out + J)] += residual[uintp(2 * J)] + residual[uintp(2 * J + 1)]
            else:
                for J in range(n):
                    coarse[uintp(out + J)] += residual[uintp(J)]


@kernel
def prolong(lo, hi, starts, n, halve, inverse, parents, coarse_starts, coarse, factor, x):
    """Add `factor` times the coarse entry to every unknown that it is made of."""
    for r in range(lo, hi):
        base, source = starts[r], coarse_starts[parents[r]]
        if halve == 1:
            for t in range(n >> 1):
                i, v = base + 2 * t, factor * coarse[uintp(source + t)]
                x[uintp(i)] += v if inverse[uintp(i)] > 0 else np.float32(0)
                x[uintp(i + 1)] += v if inverse[uintp(i + 1)] > 0 else np.float32(0)
            if n & 1:
                i, v = base + n - 1, factor * coarse[uintp(source + (n >> 1))]
                x[uintp(i)] += v if inverse[uintp(i)] > 0 else np.float32(0)
        else:
            for j in range(n):
                i = base + j
                x[uintp(i)] += factor * coarse[uintp(source + j)] if inverse[uintp(i)] > 0 else np.float32(0)


@kernel
def coarsen(
    lo, hi, starts, n, halve, inverse, offsets, weights, reach, children, parents, coarse_starts, diagonal, edges
):
    """Galerkin sums over blocks: crossing edges are added up, inner ones leave the diagonal twice.

    ``reach[k]`` tells how many rows and how many places along the row the neighbour of term `k` is away, and the axis.
    """
    for R in range(lo, hi):
        out = coarse_starts[R]
        for c in range(children.shape[1]):
            r = children[R, c]
            if r >= 0:
                base = starts[r]
                for j in range(n):
                    i = uintp(base + j)
                    if inverse[i] > 0:
                        here = out + (j >> halve)
                        d = np.float32(1) / inverse[i]
                        for k in range(len(offsets)):
                            if inverse[uintp(base + j + offsets[k])] > 0:
                                w = weight_at(weights[k], i)
                                there = coarse_starts[parents[r + reach[k, 0]]] + ((j + reach[k, 1]) >> halve)
                                if there == here:
                                    d -= 2 * w
                                else:
                                    edges[reach[k, 2], uintp(here)] += w
                        diagonal[uintp(here)] += d


@kernel
def apply(lo, hi, starts, n, inverse, offsets, weights, x, y, sums):
    """``y = A x``, and the parts of ``<x, y>``."""
    for r in range(lo, hi):
        s = np.float32(0)
        for i in range(starts[r], starts[r] + n):
            v = x[uintp(i)] / inverse[uintp(i)] - neighbours(x, i, offsets, weights)
            v = v if inverse[uintp(i)] > 0 else np.float32(0)
            y[uintp(i)] = v
            s += v * x[uintp(i)]
        sums[r] = s


@kernel
def descend(lo, hi, starts, n, a, p, q, x, r, sums):
    """``x += a p`` and ``r -= a q``, and the parts of ``|r|^2``."""
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
    """The parts of ``<z, r>`` and of ``<z, q>``."""
    for row in range(lo, hi):
        s, t = np.float32(0), np.float32(0)
        for i in range(starts[row], starts[row] + n):
            s += z[uintp(i)] * r[uintp(i)]
            t += z[uintp(i)] * q[uintp(i)]
        sums[row, 0], sums[row, 1] = s, t


@kernel
def extend(lo, hi, starts, n, beta, z, p):
    """``p = z + beta p``."""
    for row in range(lo, hi):
        for i in range(starts[row], starts[row] + n):
            p[uintp(i)] = z[uintp(i)] + beta * p[uintp(i)]


@kernel
def defect(lo, hi, starts, n, state, offsets, weights, shift, x, r, sums):
    """``r = b - A x`` from the definition, in double precision, and the parts of ``|r|^2``."""
    for row in range(lo, hi):
        size = 0.0
        for i in range(starts[row], starts[row] + n):
            here = x[uintp(i)]
            s = -weight_at(shift, uintp(i)) * here
            for k in range(len(offsets)):
                ahead, behind = uintp(i + offsets[k]), uintp(i - offsets[k])
                v = weight_at(weights[k], uintp(i)) * (x[ahead] - here)
                s += v if state[ahead] != OUTSIDE else 0.0
                v = weight_at(weights[k], behind) * (x[behind] - here)
                s += v if state[behind] != OUTSIDE else 0.0
            s = s if state[uintp(i)] == UNKNOWN else 0.0
            r[uintp(i)] = s
            size += s * s
        sums[row] = size


@kernel
def source(lo, hi, starts, n, state, offsets, weights, x, sums):
    """The parts of ``|b|^2``, where ``b = -L_UK x_K``."""
    for row in range(lo, hi):
        size = 0.0
        for i in range(starts[row], starts[row] + n):
            b = 0.0
            for k in range(len(offsets)):
                ahead, behind = uintp(i + offsets[k]), uintp(i - offsets[k])
                v = weight_at(weights[k], uintp(i)) * x[ahead]
                b += v if state[ahead] == KNOWN else 0.0
                v = weight_at(weights[k], behind) * x[behind]
                b += v if state[behind] == KNOWN else 0.0
            b = b if state[uintp(i)] == UNKNOWN else 0.0
            size += b * b
        sums[row] = size


@kernel
def invert_dense(A):
    """Invert a symmetric positive definite matrix in place, by Gauss and Jordan: small, and no threads of others."""
    n = A.shape[0]
    for k in range(n):
        pivot = 1 / A[k, k]
        A[k, k] = 1.0
        for j in range(n):
            A[k, j] *= pivot
        for i in range(n):
            if i != k:
                factor = A[i, k]
                A[i, k] = 0.0
                for j in range(n):
                    A[i, j] -= factor * A[k, j]


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


# The third part is about matrices given by their stencils: ``coefficients[k, i]`` couples entry `i` with entry
# ``i + offsets[k]``, for the half of the offsets that lie ahead; the last row of them is the diagonal.


@njit(cache=True, nogil=True)
def laplace(lo, hi, starts, n, state, least, offsets, weights, x, y, sums):
    """``y = L x`` on the grid without what is outside, where the state is at least `least`; the parts of ``|y|^2``."""
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
    """The parts of ``<x, y>``."""
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
def jacobi(lo, hi, starts, n, inverse, b, gain, d, y):
    """The first step from zero: ``d = y = gain D^-1 b``, D the diagonal of A."""
    for row in range(lo, hi):
        for i in range(starts[row], starts[row] + n):
            v = gain * inverse[uintp(i)] * b[uintp(i)]
            d[uintp(i)] = v
            y[uintp(i)] = v


@kernel
def chebyshev(lo, hi, starts, n, inverse, offsets, coefficients, b, x, keep, gain, d, y):
    """``d = keep d + gain D^-1 (b - A x)`` and ``y = x + d``, D the diagonal of A."""
    t = np.empty(n, x.dtype)
    k, g = x.dtype.type(keep), x.dtype.type(gain)
    diagonal = coefficients[len(offsets)]
    for row in range(lo, hi):
        base = starts[row]
        for j in range(n):
            t[uintp(j)] = b[uintp(base + j)] - diagonal[uintp(base + j)] * x[uintp(base + j)]
        for m in range(len(offsets)):
            ahead, behind, c = base + offsets[m], base - offsets[m], coefficients[m]
            for j in range(n):
                t[uintp(j)] -= c[uintp(base + j)] * x[uintp(ahead + j)] + c[uintp(behind + j)] * x[uintp(behind + j)]
        for j in range(n):
            i = uintp(base + j)
            v = k * d[i] + g * inverse[i] * t[uintp(j)]
            d[i] = v
            y[i] = x[i] + v


@kernel
def remainder(lo, hi, starts, n, offsets, coefficients, b, x, r):
    """``r = b - A x``."""
    t = np.empty(n, x.dtype)
    diagonal = coefficients[len(offsets)]
    for row in range(lo, hi):
        base = starts[row]
        for j in range(n):
            t[uintp(j)] = b[uintp(base + j)] - diagonal[uintp(base + j)] * x[uintp(base + j)]
        for m in range(len(offsets)):
            ahead, behind, c = base + offsets[m], base - offsets[m], coefficients[m]
            for j in range(n):
                t[uintp(j)] -= c[uintp(base + j)] * x[uintp(ahead + j)] + c[uintp(behind + j)] * x[uintp(behind + j)]
        for j in range(n):
            r[uintp(base + j)] = t[uintp(j)]


@kernel
def gather(lo, hi, starts, n, halve, main, side, children, shares, coarse_starts, N, r, coarse):
    """Transposed interpolation: every entry gives its share to the coarse ones around."""
    t = np.zeros(n + 3)
    for R in range(lo, hi):
        t[:] = 0.0
        for c in range(children.shape[1]):
            share = shares[R, c]
            if share != 0:
                base = starts[children[R, c]]
                for j in range(n):
                    t[j + 1] += share * r[uintp(base + j)]
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


@kernel
def interpolate(lo, hi, starts, n, halve, main, side, parents, shares, coarse_starts, N, inverse, coarse, x):
    """Add the interpolated coarse entries to every unknown."""
    t = np.zeros(N + 2)
    for row in range(lo, hi):
        t[:] = 0.0
        for c in range(parents.shape[1]):
            share = shares[row, c]
            if share != 0:
                base = coarse_starts[parents[row, c]]
                for J in range(N):
                    t[J + 1] += share * coarse[uintp(base + J)]
        base = starts[row]
        for j in range(n):
            i = uintp(base + j)
            v = t[j + 1]
            if halve:
                J = (j >> 1) + 1
                v = main[uintp(j)] * t[uintp(J)] + side[uintp(j)] * t[uintp(J + 2 * (j & 1) - 1)]
            x[i] += v if inverse[i] > 0 else 0.0


@kernel
def galerkin(lo, hi, starts, n, length, along, first, stride, main, side, reach, sources, fine, coarse):
    """Coefficients between the entries of a grid that is interpolated along one axis.

    ``along[R]`` is the place of coarse row `R` on that axis, -1 if the row lies along it; ``first[R]`` is where the
    line begins on the fine grid. ``sources[k, s]`` tells which fine coefficients couple an entry with the one that is
    ``s - 2`` further along and otherwise as far away as `k` says, and from where they are counted.
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
