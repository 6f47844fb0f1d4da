"""Loops over square patches: find similar ones, and estimate their missing pixels by the conditional mean."""

from __future__ import annotations

import numpy as np

from skinpaint.grid.jit import kernel

__all__ = ["condition", "match"]

FILLED_WEIGHT = np.float32(0.1)  # of a filled pixel in the mean of its group; known pixels weigh 1
SINGLE_ROUNDING = np.float32(1e-6)  # rounding of single precision, relative to the variance of a group
VARIANCE_FLOOR = np.float32(16)  # in noise variances: groups that vary less all have about the same weight
MIN_DENOMINATOR = np.float32(1e-20)  # keeps 0 / 0 from happening


@kernel
def match(lo, hi, x, missing, side, step, reach, found):
    """Find the patches most similar to each reference patch with missing pixels; -1 where nothing is missing.

    Reference patch ``(r, c)`` has its corner at ``(step * r, step * c)``, or as close to that as it fits. `found` holds
    flat indices of corners, the reference patch first. If there are too few patches, the reference patch is repeated.
    """
    A, X = x.shape
    size = found.shape[2]
    best = np.empty(size, np.float32)
    where = np.empty(size, np.int64)
    squares = np.empty(2 * reach + 1, np.float32)
    for r in range(lo, hi):
        a = min(r * step, A - side)
        for c in range(found.shape[1]):
            b = min(c * step, X - side)
            if not missing[a : a + side, b : b + side].any():
                found[r, c, 0] = -1
                continue
            best[:] = np.inf
            where[:] = a * X + b
            left = max(0, b - reach)
            n = min(X - side, b + reach) - left + 1
            for y in range(max(0, a - reach), min(A - side, a + reach) + 1):
                squares[:] = 0
                for i in range(side):
                    for j in range(side):
                        v = x[a + i, b + j]
                        row = x[y + i, left + j : left + j + n]
                        for k in range(n):
                            squares[k] += (row[k] - v) ** 2
                if y == a:
                    squares[b - left] = -1
                for k in range(n):
                    if squares[k] < best[size - 1]:
                        p = size - 1
                        while p > 0 and best[p - 1] > squares[k]:
                            best[p] = best[p - 1]
                            where[p] = where[p - 1]
                            p -= 1
                        best[p] = squares[k]
                        where[p] = y * X + left + k
            for g in range(size):
                found[r, c, g] = where[g]


@kernel
def condition(lo, hi, x, missing, found, side, members, noise, rows, top, total, weight):
    r"""Replace the missing pixels of the first `members` patches of each group by their conditional mean.

    The patches y of a group are samples of a Gaussian with mean :math:`\mu` and covariance :math:`S / n`. Given the
    known entries k of a patch, the conditional mean of all its entries is

    .. math:: \mu + S_{\cdot k} (S_{kk} + \lambda)^{-1} (y - \mu)_k = \mu + Z (Z_k^T Z_k + \lambda)^{-1} Z_k^T z_k

    for :math:`S = Z Z^T`, where Z has a column :math:`z = y - \mu` for each of the n patches, and :math:`\lambda` is
    n times the variance of the noise. The matrix on the left has one row for each known entry, the one on the right n
    rows. The smaller system is solved.

    Piece ``p`` holds the reference patches of ``rows`` rows from ``p * rows`` on, and adds to ``total[p]`` and
    ``weight[p]``, whose first row is row ``top[p]`` of `x`. Groups with a smaller variance have larger weights.

    Parameters
    ----------
    x, missing : ndarray of float32 and of bool, shape (C, A, X)
        The planes that a patch spans.
    found : ndarray of int32, shape (R, Q, n)
        The groups of :func:`match`.
    total, weight : ndarray of float32, shapes (pieces, C, height, X) and (pieces, height, X)
    """
    C, _, X = x.shape
    n = found.shape[2]
    size = C * side * side
    Z = np.empty((size, n), np.float32)
    S = np.empty((size, size), np.float32)
    gram = np.empty((n, n), np.float32)
    L = np.empty((n, n), np.float32)
    z = np.empty(n, np.float32)
    mean = np.empty(size, np.float32)
    hole = np.empty((n, size), np.bool_)
    known = np.empty(size, np.int64)
    for piece in range(lo, hi):
        total[piece] = 0
        weight[piece] = 0
        for r in range(piece * rows, min(found.shape[0], (piece + 1) * rows)):
            for c in range(found.shape[1]):
                group = found[r, c]
                if group[0] < 0:
                    continue
                _gather(x, missing, group, side, Z, hole)
                _center(Z, hole, mean)
                spread = np.float32(0)
                for q in range(size):
                    for g in range(n):
                        spread += Z[q, g] * Z[q, g]
                ridge = np.float32(n * noise * noise + SINGLE_ROUNDING * spread + MIN_DENOMINATOR)
                w = np.float32(1 / np.sqrt(spread / (n * size) + VARIANCE_FLOOR * noise * noise + MIN_DENOMINATOR))
                S_ready = gram_ready = False
                for g in range(members):
                    k = 0
                    for q in range(size):
                        if not hole[g, q]:
                            known[k] = q
                            k += 1
                    if k == size:
                        continue
                    few = k <= n
                    if few:
                        if not S_ready:
                            _products(Z, S)
                            S_ready = True
                        _among_entries(S, Z, known[:k], g, ridge, L, z)
                    else:
                        if not gram_ready:
                            _gram(Z, gram)
                            gram_ready = True
                        _among_patches(gram, Z, hole[g], g, ridge, L, z)
                    a, b = divmod(group[g], X)
                    a -= top[piece]
                    q = 0
                    for channel in range(C):
                        for i in range(side):
                            for j in range(side):
                                if hole[g, q]:
                                    v = mean[q]
                                    if few:
                                        for p in range(k):
                                            v += S[q, known[p]] * z[p]
                                    else:
                                        for p in range(n):
                                            v += Z[q, p] * z[p]
                                    total[piece, channel, a + i, b + j] += w * v
                                q += 1
                    for i in range(side):
                        for j in range(side):
                            weight[piece, a + i, b + j] += w


@kernel
def _gather(x, missing, group, side, Z, hole):
    """A column for each patch."""
    for g in range(len(group)):
        a, b = divmod(group[g], x.shape[2])
        q = 0
        for channel in range(x.shape[0]):
            for i in range(side):
                for j in range(side):
                    Z[q, g] = x[channel, a + i, b + j]
                    hole[g, q] = missing[channel, a + i, b + j]
                    q += 1


@kernel
def _center(Z, hole, mean):
    """Subtract the mean of the patches, in which filled entries have a small weight."""
    for q in range(len(Z)):
        row = Z[q]
        total = weight = np.float32(0)
        for g in range(len(row)):
            w = FILLED_WEIGHT if hole[g, q] else np.float32(1)
            total += w * row[g]
            weight += w
        total /= weight
        mean[q] = total
        for g in range(len(row)):
            row[g] -= total


@kernel
def _products(Z, S):
    """Write ``S = Z Z^T``."""
    for p in range(len(Z)):
        left = Z[p]
        for q in range(p + 1):
            right = Z[q]
            s = np.float32(0)
            for g in range(len(left)):
                s += left[g] * right[g]
            S[p, q] = S[q, p] = s


@kernel
def _gram(Z, gram):
    """Write the lower half of ``Z^T Z``."""
    gram[:] = 0
    for q in range(len(Z)):
        _add_square(gram, Z[q], np.float32(1))


@kernel
def _add_square(matrix, v, sign):
    """Add or subtract the lower half of ``v v^T``."""
    for i in range(len(v)):
        row, u = matrix[i], sign * v[i]
        for j in range(i + 1):
            row[j] += u * v[j]


@kernel
def _among_entries(S, Z, known, g, ridge, L, z):
    """Solve ``(S_kk + ridge) z = Z[k, g]``."""
    for i in range(len(known)):
        row, source = L[i], S[known[i]]
        for j in range(i + 1):
            row[j] = source[known[j]]
        row[i] += ridge
        z[i] = Z[known[i], g]
    _solve(L, z, len(known), ridge)


@kernel
def _among_patches(gram, Z, hole, g, ridge, L, z):
    """Solve ``(Z_k^T Z_k + ridge) z = Z_k^T Z[k, g]``, where `hole` holds all entries but k."""
    n = len(gram)
    for i in range(n):
        L[i, : i + 1] = gram[i, : i + 1]
    for q in range(len(hole)):
        if hole[q]:
            _add_square(L, Z[q], np.float32(-1))
    for i in range(n):
        z[i] = L[max(i, g), min(i, g)]
    for i in range(n):
        L[i, i] += ridge
    _solve(L, z, n, ridge)


@kernel
def _solve(L, z, n, least):
    """Solve ``L z = z`` in place for the symmetric matrix of which `L` holds the lower half, by Cholesky.

    All eigenvalues are at least `least`. A smaller pivot is a rounding error, and is replaced by `least`.
    """
    for i in range(n):
        row = L[i]
        v = z[i]
        for j in range(i):
            other = L[j]
            s = row[j]
            for p in range(j):
                s -= row[p] * other[p]
            s *= other[j]
            row[j] = s
            v -= s * z[j]
        s = row[i]
        for p in range(i):
            s -= row[p] * row[p]
        s = np.float32(1) / np.sqrt(max(s, least))
        row[i] = s
        z[i] = v * s
    for i in range(n - 1, -1, -1):
        row = L[i]
        v = z[i] * row[i]
        z[i] = v
        for j in range(i):
            z[j] -= row[j] * v
