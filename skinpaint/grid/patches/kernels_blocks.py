"""Loops over blocks: cosine transforms, shrinkage of the coefficients, and sums of overlapping blocks.

A transform of 8, 16 or 32 samples consists of additions and a few products. The compiler vectorises it only if it is
written without loops. So :func:`_down` and :func:`_up` generate its code, by the recursion of Lee. The code transforms
`LANES` lines side by side: sample ``i`` of line ``m`` is entry ``LANES * i + m``.

B. G. Lee, "A new algorithm to compute the discrete cosine transform", IEEE Trans. Acoust., Speech, Signal Process. 32
(1984). :doi:`10.1109/TASSP.1984.1164443`
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import cos, pi

import numpy as np
from numba import njit, uintp

from skinpaint.grid.jit import FAST, inlined, kernel

__all__ = ["LANES", "estimate8", "estimate16", "estimate32", "settle"]

LANES = 64  # lines that are transformed side by side
MIN_DENOMINATOR = np.float32(1e-20)  # keeps 0 / 0 from happening


def _down(x: list[str], code: list[str]) -> list[str]:
    """Write ``X_k = sum_i x_i cos(pi (2 i + 1) k / 2 n)``: a transform of the sums, one of the differences."""
    if len(x) == 1:
        return x
    pairs = list(zip(x[: len(x) // 2], reversed(x[len(x) // 2 :]), strict=True))
    even = _down([_let(code, f"{a} + {b}") for a, b in pairs], code)
    odd = _down([_let(code, f"({a} - {b}) * {c}") for (a, b), c in zip(pairs, _secants(len(x)), strict=True)], code)
    odd = [_let(code, f"{a} + {b}") for a, b in pairwise(odd)] + odd[-1:]
    return [name for pair in zip(even, odd, strict=True) for name in pair]


def _up(x: list[str], code: list[str]) -> list[str]:
    """Write the transpose, ``x_i = sum_k X_k cos(pi (2 i + 1) k / 2 n)``: the same steps backwards."""
    if len(x) == 1:
        return x
    even = _up(x[0::2], code)
    odd = _up([x[1]] + [_let(code, f"{a} + {b}") for a, b in zip(x[1::2], x[3::2], strict=False)], code)
    odd = [_let(code, f"{a} * {c}") for a, c in zip(odd, _secants(len(x)), strict=True)]
    pairs = list(zip(even, odd, strict=True))
    return [_let(code, f"{a} + {b}") for a, b in pairs] + [_let(code, f"{a} - {b}") for a, b in reversed(pairs)]


def _secants(n: int) -> list[str]:
    return [f"float32({0.5 / cos(pi * (2 * i + 1) / (2 * n))!r})" for i in range(n // 2)]


def _let(code: list[str], value: str) -> str:
    """Give a value a name."""
    code.append(f"v{len(code)} = {value}")
    return f"v{len(code) - 1}"


def _function(head: str, code: list[str], tail: list[str] = []) -> Callable:  # noqa: B006
    """Compile a loop over the lanes."""
    lines = [f"def loop({head}):", f"    for m in range({LANES}):"]
    lines += [f"        {line}" for line in code + tail]
    names: dict = {"float32": np.float32, "MIN_DENOMINATOR": MIN_DENOMINATOR}
    exec("\n".join(lines), names)
    return njit(nogil=True, fastmath=FAST, error_model="numpy")(names["loop"])


def _loads(n: int, code: list[str]) -> list[str]:
    return [_let(code, f"x[{LANES * i} + m]") for i in range(n)]


def _stores(names: list[str]) -> list[str]:
    return [f"y[{LANES * i} + m] = {name}" for i, name in enumerate(names)]


def _transform(n: int, write: Callable) -> Callable:
    """The function ``f(x, y)`` that transforms all lanes, without the norms of the cosines."""
    code: list[str] = []
    names = write(_loads(n, code), code)
    return _function("x, y", code, _stores(names))


def _shrinkage(n: int) -> Callable:
    r"""The function ``f(x, y, norm, spare, t2, kept)``: transform, shrink, transform back, all in registers.

    A coefficient c of the orthonormal transform becomes :math:`c (1 - t^2 / c^2)_+`, the non-negative garrote;
    `kept` is the sum of those factors in each lane. `norm` holds the squared norms of the transforms along the
    other axes, and `spare` is 1 in the lanes whose constant part is spared.
    """
    code: list[str] = []
    x = _down(_loads(n, code), code)
    first = _let(code, f"norm[m] * float32({1 / n!r})")
    other = _let(code, f"norm[m] * float32({2 / n!r})")
    shrunk, total = [], ""
    for k, c in enumerate(x):
        scale = other if k else first
        g = _let(code, f"max(float32(0), float32(1) - t2 / ({c} * {c} * {scale} + MIN_DENOMINATOR))")
        g = g if k else _let(code, f"max({g}, spare[m])")
        shrunk.append(_let(code, f"{c} * {g} * {scale}"))
        total = _let(code, f"{total} + {g}") if k else g
    y = _up(shrunk, code)
    return _function("x, y, norm, spare, t2, kept", code, [*_stores(y), f"kept[m] = {total}"])


down8, down16, down32 = (_transform(n, _down) for n in (8, 16, 32))
up8, up16, up32 = (_transform(n, _up) for n in (8, 16, 32))
shrink8, shrink16, shrink32 = (_shrinkage(n) for n in (8, 16, 32))


@kernel
def estimate8(lo, hi, x, missing, sides, starts, stride, window, t, total, weight):
    """`_estimate` for blocks of side 8."""
    _estimate(down8, up8, shrink8, 8, lo, hi, x, missing, sides, starts, stride, window, t, total, weight)


@kernel
def estimate16(lo, hi, x, missing, sides, starts, stride, window, t, total, weight):
    """`_estimate` for blocks of side 16."""
    _estimate(down16, up16, shrink16, 16, lo, hi, x, missing, sides, starts, stride, window, t, total, weight)


@kernel
def estimate32(lo, hi, x, missing, sides, starts, stride, window, t, total, weight):
    """`_estimate` for blocks of side 32."""
    _estimate(down32, up32, shrink32, 32, lo, hi, x, missing, sides, starts, stride, window, t, total, weight)


@inlined
def _estimate(down, up, shrink, B, lo, hi, x, missing, sides, starts, stride, window, t, total, weight):
    """Shrink the coefficients of all blocks with missing entries, and sum the blocks where they overlap.

    Only the planes ``lo <= a < hi`` of `total` and `weight` are written. Their values do not depend on how the planes
    are divided into such ranges. Blocks whose corners differ only in `a` share the lanes, as many as fit.

    Parameters
    ----------
    down, up, shrink : callable
        The transforms of B samples.
    x, missing : ndarray of float32 and of bool, shape (A, J, X)
    B : 8, 16 or 32
        Side of a block along the last axis.
    sides : (int, int)
        Sides along the others: B, or 1 where there is one entry; all sides but the last have at most `LANES` entries.
    starts : (int, int, int)
        Corner of the first block.
    stride : int
        Distance between blocks along every axis.
    window : ndarray of float32, shape (B,)
        Weights of the entries of a block, along every axis.
    t : float
        The threshold.
    total, weight : ndarray of float32, shape (A, J, X)
        Sums of the weighted blocks, and of their weights.
    """
    bA, bJ = sides
    A, J, X = x.shape
    M = bA * bJ
    G = LANES // M
    chunks = (X + LANES - 1) // LANES
    S = np.zeros((chunks * LANES, LANES), np.float32)  # the transforms along the first axes, one row a column of x
    N = np.zeros((chunks * LANES, LANES), np.float32)  # sums of shrunk blocks, transformed like S
    D = np.zeros((G, chunks * LANES), np.float32)  # sums of their weights
    U = np.zeros(bA * bJ * LANES, np.float32)
    V = np.zeros(bA * bJ * LANES, np.float32)
    P = np.zeros(B * LANES, np.float32)
    Q = np.zeros(B * LANES, np.float32)
    norm = np.zeros(LANES, np.float32)
    spare = np.zeros(LANES, np.float32)
    kept = np.zeros(LANES, np.float32)
    flat, sums = S.reshape(-1), N.reshape(-1)
    w = np.zeros(LANES, np.float32)
    holds = np.zeros(X, np.bool_)
    active = np.zeros((G, X), np.bool_)
    used = np.zeros(chunks, np.bool_)
    for g in range(G):
        spare[g * M] = 1
        for k in range(bA):
            for q in range(bJ):
                size = np.float32(1) / M
                size *= 2 if k > 0 else 1
                size *= 2 if q > 0 else 1
                norm[g * M + k * bJ + q] = size
    t2 = np.float32(t * t)
    first = starts[0] + max(0, (lo - bA - starts[0]) // stride + 1) * stride
    last = min(hi - 1, A - bA)
    for a in range(first, last + 1, G * stride):
        strips = min(G, (last - a) // stride + 1)
        for j in range(starts[1], J - bJ + 1, stride):
            if not _find(missing, a, j, sides, strips, stride, starts[2], B, holds, active, used):
                continue
            for c in range(chunks):
                if not used[c]:
                    continue
                n = min(LANES, X - c * LANES)
                for g in range(strips):
                    for q in range(bJ):
                        for k in range(bA):
                            row = x[a + g * stride + k, j + q]
                            for m in range(n):
                                U[uintp((q * bA + k) * LANES + m)] = row[uintp(c * LANES + m)]
                        if bA > 1:
                            down(U[q * B * LANES :], V[q * B * LANES :])
                        else:
                            _copy(U, q * LANES, V, q * LANES, LANES)
                    for k in range(bA):
                        if bJ > 1:
                            for q in range(bJ):
                                _copy(V, (q * bA + k) * LANES, P, q * LANES, LANES)
                            down(P, Q)
                        for q in range(bJ):
                            lane = g * M + k * bJ + q
                            if bJ > 1:
                                for m in range(n):
                                    S[c * LANES + m, lane] = Q[q * LANES + m]
                            else:
                                for m in range(n):
                                    S[c * LANES + m, lane] = V[k * LANES + m]
                _clear(sums, c * LANES * LANES, LANES * LANES)
                for g in range(strips):
                    for m in range(LANES):
                        D[g, c * LANES + m] = 0
            for b in range(starts[2], X - B + 1, stride):
                busy = False
                for g in range(strips):
                    busy |= active[g, b]
                if not busy:
                    continue
                shrink(flat[b * LANES :], P, norm, spare, t2, kept)
                for g in range(strips):
                    s = np.float32(0)
                    for m in range(g * M, g * M + M):
                        s += kept[m]
                    s = np.float32(1) / s if active[g, b] else np.float32(0)
                    for m in range(g * M, g * M + M):
                        w[m] = s
                    for i in range(B):
                        D[g, b + i] += s * window[i]
                for i in range(B):
                    v = window[i]
                    for m in range(LANES):
                        sums[uintp((b + i) * LANES + m)] += v * w[m] * P[uintp(i * LANES + m)]
            for c in range(chunks):
                if not used[c]:
                    continue
                n = min(LANES, X - c * LANES)
                for g in range(strips):
                    for k in range(bA):
                        for q in range(bJ):
                            lane = g * M + k * bJ + q
                            for m in range(n):
                                P[q * LANES + m] = N[c * LANES + m, lane]
                        if bJ > 1:
                            up(P, Q)
                            for q in range(bJ):
                                _copy(Q, q * LANES, V, (q * bA + k) * LANES, LANES)
                        else:
                            _copy(P, 0, V, k * LANES, LANES)
                    for q in range(bJ):
                        if bA > 1:
                            up(V[q * bA * LANES :], U)
                        else:
                            _copy(V, q * LANES, U, 0, LANES)
                        for k in range(max(0, lo - a - g * stride), min(bA, hi - a - g * stride)):
                            v = (window[k] if bA > 1 else np.float32(1)) * (window[q] if bJ > 1 else np.float32(1))
                            into, over = total[a + g * stride + k, j + q], weight[a + g * stride + k, j + q]
                            for m in range(n):
                                into[uintp(c * LANES + m)] += v * U[uintp(k * LANES + m)]
                                over[uintp(c * LANES + m)] += v * D[g, uintp(c * LANES + m)]


@inlined
def _copy(source, at, into, to, n):
    for m in range(n):
        into[uintp(to + m)] = source[uintp(at + m)]


@inlined
def _clear(x, at, n):
    for m in range(n):
        x[uintp(at + m)] = 0


@inlined
def _find(missing, a, j, sides, strips, stride, start, B, holds, active, used):
    """Mark the blocks of these strips that have missing entries, and the chunks of columns that contain them."""
    X = missing.shape[2]
    for c in range(used.size):
        used[c] = False
    found = False
    for g in range(strips):
        for x in range(X):
            holds[x] = False
        for k in range(sides[0]):
            for q in range(sides[1]):
                row = missing[a + g * stride + k, j + q]
                for x in range(X):
                    holds[uintp(x)] |= row[uintp(x)]
        for b in range(start, X - B + 1, stride):
            some = False
            for x in range(b, b + B):
                some |= holds[uintp(x)]
            active[g, b] = some
            if some:
                found = True
                used[b // LANES] = used[(b + B - 1) // LANES] = True
    return found


@kernel
def settle(lo, hi, top, pads, total, weight, x, image, missing, matrix, low, high, feedback, changes):
    """Write the averages of the blocks to the missing entries of rows ``lo <= a < hi``, and feed back the rest's error.

    `total` and `weight` are left as zeros.

    Parameters
    ----------
    top : int
        Row of `x` that row 0 of `total` belongs to.
    pads : (int, int, int)
        Margins of `x`, and of `total` and `weight` along the last two axes.
    total, weight : ndarray of float32, shape (C, rows, J + margins, X + margins)
        Sums of blocks, and of their weights.
    x : ndarray of float32, shape (C, A + margins, J + margins, X + margins)
        The transformed channels that the next blocks are taken from.
    image, missing : ndarray of float32 and of bool, shapes (A, J, X, C) and (A, J, X, C or 1)
        The image, whose missing entries are written, and which entries are missing.
    matrix : ndarray of float32, shape (C, C)
        The transform of the channels, orthonormal.
    low, high : ndarray of float32, shape (C,)
        The bounds.
    feedback : float
        Weight of the error at known entries.
    changes : ndarray of float32, shape (A,)
        The largest change in each row.
    """
    C, X = matrix.shape[0], image.shape[2]
    old, y = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    average, new = np.empty((C, LANES), np.float32), np.empty((C, LANES), np.float32)
    for a in range(lo, hi):
        largest = np.float32(0)
        for j in range(image.shape[1]):
            for first in range(0, X, LANES):
                n = min(LANES, X - first)
                at, r, q, b = a + pads[0], a + pads[0] - top, j + pads[1], first + pads[2]
                some = False
                for k in range(C):
                    for m in range(n):
                        some |= weight[k, r, q, uintp(b + m)] > 0
                if not some:
                    continue
                for k in range(C):
                    for m in range(n):
                        i = uintp(b + m)
                        over = weight[k, r, q, i]
                        shrunk = total[k, r, q, i] / max(over, MIN_DENOMINATOR)
                        average[k, m] = shrunk if over > 0 else x[k, at, q, i]
                        total[k, r, q, i] = weight[k, r, q, i] = 0
                for c in range(C):
                    _combine(matrix[:, c], average, y, n)
                    hidden = missing[a, j, :, min(c, missing.shape[3] - 1)]
                    for m in range(n):
                        old[m] = image[a, j, uintp(first + m), c]
                        inside = min(max(y[m], low[c]), high[c])
                        change = abs(inside - old[m])
                        fed = old[m] + feedback * (old[m] - y[m])
                        is_hidden = hidden[uintp(first + m)]
                        new[c, m] = inside if is_hidden else fed
                        image[a, j, uintp(first + m), c] = inside if is_hidden else old[m]
                        largest = max(largest, change if is_hidden else np.float32(0))
                for k in range(C):
                    _combine(matrix[k], new, y, n)
                    for m in range(n):
                        x[k, at, q, uintp(b + m)] = y[m]
        changes[a] = largest


@inlined
def _combine(factors, rows, out, n):
    """Write the sum of the rows, each with its factor."""
    for m in range(n):
        out[m] = 0
    for c in range(len(factors)):
        f = factors[c]
        for m in range(n):
            out[m] += f * rows[c, m]
