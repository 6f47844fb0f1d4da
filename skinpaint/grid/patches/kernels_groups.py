"""Loops over square patches: find similar ones, and estimate their missing pixels by the conditional mean."""

from __future__ import annotations

import numpy as np
from numba import uintp

from skinpaint.grid.jit import kernel, part

__all__ = ["condition", "match"]

FILLED_LIKENESS = np.float32(0.2)  # weight of a filled pixel in the distance of two patches; known pixels weigh 1
FILLED_WEIGHT = np.float32(0.1)  # of a filled pixel in the mean of its group; known pixels weigh 1
SINGLE_ROUNDING = np.float32(1e-6)  # rounding of single precision, relative to the variance of a group
OWN_WEIGHT = np.float32(0.5)  # of a patch in the covariance that fills itself; the others of its group weigh 1
VARIANCE_FLOOR = np.float32(16)  # in noise variances: groups that vary less all have about the same weight
SAME_CORRELATION = np.float32(0.5)  # least, of planes whose patches count as samples of one Gaussian
MIN_DENOMINATOR = np.float32(1e-20)  # keeps 0 / 0 from happening
ONE_PLANE = np.int64(1)  # an integer of the language would be compiled for itself


@kernel
def match(lo, hi, x, missing, wanted, side, step, reach, found):
    """Find the patches most similar to each reference patch with wanted pixels; -1 where no pixel is wanted.

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
            some = False
            for i in range(side):
                for j in range(side):
                    some |= wanted[a + i, b + j]
            if not some:
                found[r, c, 0] = -1
                continue
            for g in range(size):
                best[g] = np.inf
                where[g] = a * X + b
            left = max(0, b - reach)
            n = min(X - side, b + reach) - left + 1
            for away in range(2 * reach + 1):  # rows near the reference patch come first
                y = a + (away + 1) // 2 * (1 if away % 2 else -1)
                if y < 0 or y > A - side:
                    continue
                for k in range(n):
                    squares[k] = 0
                for i in range(side):
                    for j in range(side):
                        v = x[a + i, b + j]
                        w = FILLED_LIKENESS if missing[a + i, b + j] else np.float32(1)
                        for k in range(n):
                            difference = x[y + i, uintp(left + j + k)] - v
                            squares[uintp(k)] += w * difference * difference
                    close = 0
                    for k in range(uintp(n)):
                        close += squares[k] < best[size - 1]
                    if close == 0:
                        break
                if close == 0:
                    continue
                if away == 0:
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
def condition(lo, hi, x, missing, found, side, members, noise, prior, rows, top, total, weight):
    r"""Replace the missing pixels of the first `members` patches of each group by their conditional mean.

    The patches y of a group are samples of a Gaussian with mean :math:`\mu` and covariance :math:`S / n`. Given the
    known entries k of a patch, the conditional mean of all its entries is

    .. math:: \mu + S_{\cdot k} (S_{kk} + \lambda)^{-1} (y - \mu)_k = \mu + Z (Z_k^T Z_k + \lambda)^{-1} Z_k^T z_k

    for :math:`S = Z Z^T`, where Z has a column :math:`z = y - \mu` for each of the n patches, and :math:`\lambda` is
    n times the variance of the noise. The matrix on the left has one row for each known entry, the one on the right n
    rows. With :math:`P = (S + \lambda)^{-1}`, which all patches of a group have in common, the missing entries u are

    .. math:: \mu_u - P_{uu}^{-1} P_{uk} (y - \mu)_k

    This has one row for each missing entry. The known entries are solved for where they are few; else the missing ones,
    or n unknowns where patches have so many entries that P would cost more than it saves.

    A few patches say little about the covariance of many entries, so S is the sum of :math:`Z Z^T` and a prior: the
    mean variance of the entries times `prior`, which must be 0 for patches of so many entries that n unknowns are
    solved for.

    Planes have holes in common. Where each plane is correlated with each, by :data:`SAME_CORRELATION` or more, the
    patches of all planes are samples of one Gaussian, apart from their means: Z has n columns for each plane, and a
    patch one column z for each. Else each plane has its own Gaussian.

    What a patch was filled with before should not confirm itself. Let :math:`\theta` be the part of its own weight that
    is left out of the covariance, and :math:`H = z_k^T (S_{kk} + \lambda)^{-1} z_k` its leverages, one number for one
    plane. Without :math:`\theta z z^T`, a conditional mean :math:`\mu + v` of the patch :math:`y = \mu + z` becomes

    .. math:: y + (v - z) (1 - \theta H)^{-1}

    Piece ``p`` holds the reference patches of ``rows`` rows from ``p * rows`` on, and adds to ``total[p]`` and
    ``weight[p]``, whose first row is row ``top[p]`` of `x`. Groups with a smaller variance have larger weights.

    Parameters
    ----------
    x : ndarray of float32, shape (P, C, A, X)
        P planes, each of C channels that a patch spans. C is 1 if there are several planes.
    missing : ndarray of bool, shape (C, A, X)
    found : ndarray of int32, shape (R, Q, n)
        The groups of :func:`match`.
    prior : ndarray of float32, shape (size, size)
        For patches of ``size`` entries.
    total, weight : ndarray of float32, shapes (pieces, P, C, height, X) and (pieces, P, 1, height, X)
    """
    P, C = x.shape[:2]
    n = found.shape[2]
    size = C * side * side
    Z = np.empty((size, P, n), np.float32)
    alone = np.empty((size, 1, n), np.float32)
    hole = np.empty((size, n), np.bool_)
    S = np.empty((size, size), np.float32)
    W = np.empty((size, size), np.float32)
    gram = np.empty((n, n), np.float32)
    L = np.empty((max(n, size), max(n, size)), np.float32)
    z = np.empty((P, max(n, size)), np.float32)
    H = np.empty((P, P), np.float32)
    white = np.empty((P, size), np.float32)
    innovation = np.empty((P, size), np.float32)
    change = np.empty(size, np.float32)
    known = np.empty(size, np.int64)
    unknown = np.empty(size, np.int64)
    small = size <= 2 * n
    trace = np.float32(0)
    for q in range(size):
        trace += prior[q, q]
    for piece in range(lo, hi):
        for r in range(piece * rows, min(found.shape[0], (piece + 1) * rows)):
            for c in range(found.shape[1]):
                if found[r, c, 0] < 0:
                    continue
                _gather(x, missing, found, r, c, side, Z, hole)
                _center(Z, hole)
                alike = _alike(Z)
                group = Z if alike else alone
                for first in range(1 if alike else P):  # the first plane of the group
                    if not alike:
                        _take_plane(Z, first, alone)
                    flat = group.reshape(size, group.shape[1] * n)
                    spread = _square(flat)
                    ridge = np.float32(flat.shape[1] * noise * noise + SINGLE_ROUNDING * spread + MIN_DENOMINATOR)
                    largest = np.float32(ridge + spread * (1 + trace / size))
                    variance = spread / flat.size + VARIANCE_FLOOR * noise * noise
                    w = np.float32(1 / np.sqrt(variance + MIN_DENOMINATOR))
                    S_ready = W_ready = gram_ready = False
                    for g in range(members):
                        k = _split(hole, g, known, unknown)
                        m = size - k
                        if m == 0:
                            continue
                        few = k <= n and (k <= 2 * m or not small)
                        if not S_ready and (few or small):
                            _products(flat, S)
                            _add_prior(prior, np.float32(spread / size), S)
                            S_ready = True
                        if few:
                            _among_known(S, group, known, k, g, ridge, L, z, H)
                            _predict(S, group, z, known, k, unknown, m, g, innovation)
                        elif small:
                            if not W_ready:
                                _whiten(S, ridge, L, W)
                                W_ready = True
                            _among_missing(W, group, known, k, unknown, m, g, largest, white, L, z, H, innovation)
                        else:
                            if not gram_ready:
                                _gram(flat, gram)
                                gram_ready = True
                            _among_patches(gram, flat, hole, unknown, m, g, ridge, L, z, H, innovation)
                        _leave_out(group.shape[1], H)
                        a, b = found[r, c, g] // x.shape[3], found[r, c, g] % x.shape[3]
                        for p in range(group.shape[1]):
                            _combine(H, p, innovation, group.shape[1], m, change)
                            _write(x, piece, first + p, a, a - top[piece], b, side, hole, g, w, change, total, weight)


@part
def _take_plane(Z, p, alone):
    """Copy plane `p` of a group."""
    for q in range(len(Z)):
        for g in range(uintp(Z.shape[2])):
            alone[q, 0, g] = Z[q, p, g]


@part
def _square(Z):
    """The sum of the squares."""
    s = np.float32(0)
    for q in range(len(Z)):
        for g in range(uintp(Z.shape[1])):
            s += Z[q, g] * Z[q, g]
    return s


@part
def _combine(H, p, innovation, P, m, change):
    """Write row `p` of ``H innovation``, for the `m` missing entries."""
    for u in range(uintp(m)):
        change[u] = np.float32(0)
    for e in range(P):
        f = H[p, e]
        for u in range(uintp(m)):
            change[u] += f * innovation[uintp(e), u]


@part
def _write(x, piece, plane, a, row, b, side, hole, g, w, change, total, weight):
    """Add a patch, which begins at row `a` of `x` and at row `row` of the piece, and its weight `w` everywhere."""
    q = u = 0
    for channel in range(uintp(x.shape[1])):
        for i in range(side):
            here, there = uintp(a + i), uintp(row + i)
            for j in range(side):
                if hole[uintp(q), uintp(g)]:
                    y = x[uintp(plane), channel, here, uintp(b + j)] + change[uintp(u)]
                    total[uintp(piece), uintp(plane), channel, there, uintp(b + j)] += w * y
                    u += 1
                q += 1
    for i in range(side):
        for j in range(side):
            weight[uintp(piece), uintp(plane), uintp(0), uintp(row + i), uintp(b + j)] += w


@part
def _gather(x, missing, found, r, c, side, Z, hole):
    """A column for each patch, plane by plane."""
    P, C, A, X = x.shape
    values, holes = x.reshape(x.size), missing.reshape(missing.size)
    q = 0
    for channel in range(C):
        for i in range(side):
            for j in range(side):
                start = (channel * A + i) * X + j  # of the entry in the patch at the corner of the image
                for g in range(uintp(found.shape[2])):
                    hole[uintp(q), g] = holes[uintp(start + found[r, c, g])]
                for p in range(P):
                    for g in range(uintp(found.shape[2])):
                        Z[uintp(q), uintp(p), g] = values[uintp(p * C * A * X + start + found[r, c, g])]
                q += 1


@part
def _center(Z, hole):
    """Subtract the mean of the patches of each plane, in which filled entries have a small weight."""
    size, P, n = Z.shape
    for q in range(size):
        for p in range(P):
            total = weight = np.float32(0)
            for g in range(uintp(n)):
                w = FILLED_WEIGHT if hole[q, g] else np.float32(1)
                total += w * Z[q, p, g]
                weight += w
            total /= weight
            for g in range(uintp(n)):
                Z[q, p, g] -= total


@part
def _alike(Z):
    """Whether all planes are correlated, each with each; a constant one is not."""
    size, P, n = Z.shape
    for p in range(P):
        for e in range(p):
            both = one = other = np.float32(0)
            for q in range(size):
                for g in range(uintp(n)):
                    both += Z[q, p, g] * Z[q, e, g]
                    one += Z[q, p, g] * Z[q, p, g]
                    other += Z[q, e, g] * Z[q, e, g]
            if both <= SAME_CORRELATION * np.sqrt(one * other):
                return False
    return True


@part
def _split(hole, g, known, unknown):
    """Write which entries of patch `g` are known, and which are not; the number of those that are."""
    k = m = 0
    for q in range(hole.shape[0]):
        if hole[q, g]:
            unknown[m] = q
            m += 1
        else:
            known[k] = q
            k += 1
    return k


@part
def _dot(x, y):
    s = np.float32(0)
    for p in range(uintp(len(x))):
        s += x[p] * y[p]
    return s


@part
def _products(Z, S):
    """Write ``S = Z Z^T``."""
    for p in range(len(Z)):
        for q in range(p + 1):
            S[p, q] = S[q, p] = _dot(Z[p], Z[q])


@part
def _add_prior(prior, variance, S):
    """Add `variance` times the prior to `S`."""
    for p in range(len(S)):
        for q in range(uintp(len(S))):
            S[p, q] += variance * prior[p, q]


@part
def _gram(Z, gram):
    """Write the lower half of ``Z^T Z``."""
    size, n = Z.shape
    for i in range(n):
        for j in range(i + 1):
            gram[i, j] = 0
    for q in range(size):
        _add_square(gram, Z, q, np.float32(1))


@part
def _add_square(matrix, Z, q, sign):
    """Add or subtract the lower half of ``v v^T`` for row v = Z[q]."""
    for i in range(Z.shape[1]):
        u = sign * Z[q, i]
        for j in range(uintp(i + 1)):
            matrix[i, j] += u * Z[q, j]


@part
def _among_known(S, Z, known, k, g, ridge, L, z, H):
    """Solve ``(S_kk + ridge) z = Z[k, g]`` for the `k` known entries; write the leverages of patch `g`."""
    for i in range(k):
        q = known[i]
        for j in range(i + 1):
            L[i, j] = S[q, known[j]]
        L[i, i] += ridge
        for p in range(Z.shape[1]):
            z[p, i] = Z[q, p, g]
    _factorize(L, k, ridge)
    _solve(L, Z.shape[1], z, k, H)


@part
def _predict(S, Z, z, known, k, unknown, m, g, out):
    """Write ``S_uk z - Z[u, g]``, for the `k` known entries and the `m` missing entries u."""
    for p in range(uintp(Z.shape[1])):
        for u in range(uintp(m)):
            q = uintp(unknown[u])
            v = -Z[q, p, uintp(g)]
            for i in range(uintp(k)):
                v += S[q, uintp(known[i])] * z[p, i]
            out[p, u] = v


@part
def _whiten(S, ridge, U, W):
    """Write the upper triangle `W` with ``W W^T = (S + ridge)^-1``, by elimination in `U`."""
    size = len(S)
    for i in range(size):
        for j in range(size):
            U[i, j] = S[i, j]
            W[i, j] = 0
        U[i, i] += ridge
        W[i, i] = 1
    for j in range(size):  # W holds a lower triangle until the end, so that loops run along rows
        scale = np.float32(1) / max(U[j, j], ridge)
        for i in range(j + 1, size):
            f = scale * U[j, i]
            for p in range(i, size):
                U[i, uintp(p)] -= f * U[j, uintp(p)]
            for p in range(uintp(j + 1)):
                W[i, p] -= f * W[j, p]
        scale = np.sqrt(scale)
        for p in range(uintp(j + 1)):
            W[j, p] *= scale
    for i in range(size):
        for j in range(i):
            W[j, i], W[i, j] = W[i, j], np.float32(0)


@part
def _among_missing(W, Z, known, k, unknown, m, g, largest, white, L, z, H, out):
    """Write ``-P_uu^-1 P_uk Z[k, g] - Z[u, g]`` for the `m` missing entries u, with ``P = W W^T``, and the leverages.

    No eigenvalue of the inverse of P is above `largest`.
    """
    P = Z.shape[1]
    for p in range(P):
        for q in range(len(W)):
            white[p, q] = 0
        for i in range(k):
            row, v = known[i], Z[known[i], p, g]
            for q in range(row, len(W)):
                white[p, uintp(q)] += v * W[row, uintp(q)]
    for i in range(m):
        row = unknown[i]  # of W, whose entries before the diagonal are 0
        for p in range(P):
            z[p, i] = _dot(W[row, row:], white[p, row:])
        for j in range(i + 1):
            L[i, j] = _dot(W[row, row:], W[unknown[j], row:])
    _factorize(L, m, np.float32(1) / largest)
    _solve(L, P, z, m, H)
    for p in range(P):
        for u in range(m):
            out[p, u] = -z[p, u] - Z[unknown[u], p, g]
        for e in range(P):
            H[p, e] = _dot(white[p], white[e]) - H[p, e]


@part
def _among_patches(gram, Z, hole, unknown, m, g, ridge, L, z, H, out):
    """Solve ``(Z_k^T Z_k + ridge) z = Z_k^T Z[k, g]``, and write ``Z_u z - Z[u, g]`` and the leverage of patch `g`."""
    n = len(gram)
    for i in range(n):
        for j in range(i + 1):
            L[i, j] = gram[i, j]
    for q in range(len(Z)):
        if hole[q, g]:
            _add_square(L, Z, q, np.float32(-1))
    for i in range(n):
        z[0, i] = L[max(i, g), min(i, g)]
    for i in range(n):
        L[i, i] += ridge
    _factorize(L, n, ridge)
    _solve(L, ONE_PLANE, z, n, H)
    H[0, 0] = z[0, g]
    for u in range(m):
        out[0, u] = _dot(Z[unknown[u]], z[0, :n]) - Z[unknown[u], g]


@part
def _leave_out(P, H):
    """Replace the leverages H by the inverse of ``1 - theta H``, whose eigenvalues are between 1 - theta and 1."""
    theta = np.float32(1) - OWN_WEIGHT
    for p in range(P):
        for e in range(P):
            H[p, e] *= -theta
        H[p, p] += np.float32(1)
    for p in range(P):
        scale = np.float32(1) / min(max(H[p, p], OWN_WEIGHT), np.float32(1))
        H[p, p] = np.float32(1)
        for e in range(P):
            H[p, e] *= scale
        for q in range(P):
            f = H[q, p]
            if q != p:
                H[q, p] = np.float32(0)
                for e in range(P):
                    H[q, e] -= f * H[p, e]


@part
def _factorize(L, n, least):
    """Replace the lower half of a symmetric matrix by its Cholesky factor, whose diagonal is inverted.

    All eigenvalues are at least `least`. A smaller pivot is a rounding error, and is replaced by `least`.
    """
    for i in range(n):
        for j in range(i):
            s = L[i, j]
            for p in range(uintp(j)):
                s -= L[i, p] * L[j, p]
            L[i, j] = s * L[j, j]
        s = L[i, i]
        for p in range(uintp(i)):
            s -= L[i, p] * L[i, p]
        L[i, i] = np.float32(1) / np.sqrt(max(s, least))


@part
def _solve(L, P, z, n, H):
    """Solve ``L L^T x = z`` in place for each row of `z`; write ``H = z A^-1 z^T``."""
    for p in range(P):
        for i in range(n):
            v = z[p, i]
            for j in range(uintp(i)):
                v -= L[i, j] * z[p, j]
            z[p, i] = v * L[i, i]
    for p in range(P):
        for e in range(p + 1):
            H[p, e] = H[e, p] = _dot(z[p, :n], z[e, :n])
    for p in range(P):
        for i in range(n - 1, -1, -1):
            v = z[p, i] * L[i, i]
            z[p, i] = v
            for j in range(uintp(i)):
                z[p, j] -= L[i, j] * v
