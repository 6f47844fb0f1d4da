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
LANES = 16  # rows of matrices are padded with zeros to multiples of this, which are vectorised as a whole
SPARED = 2  # times as many known entries as missing ones: with more, it is better to solve for the missing ones
MIN_SPARED = 9  # such patches in a group, at least, for the inverse of its matrix to be worth computing


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
    values, weights = np.zeros((side, side + 2), np.float32), np.zeros((side, side + 2), np.float32)
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
            for i in range(side):
                for j in range(side):
                    values[i, j] = x[a + i, b + j]
                    weights[i, j] = FILLED_LIKENESS if missing[a + i, b + j] else np.float32(1)
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
                    for j in range(0, side, 3):  # three columns at a time; those beyond the patch weigh nothing
                        second, third = min(j + 1, side - 1), min(j + 2, side - 1)
                        p, q, t = values[i, j], values[i, j + 1], values[i, j + 2]
                        u, v, w = weights[i, j], weights[i, j + 1], weights[i, j + 2]
                        for k in range(n):
                            d = x[y + i, uintp(left + j + k)] - p
                            e = x[y + i, uintp(left + second + k)] - q
                            f = x[y + i, uintp(left + third + k)] - t
                            squares[uintp(k)] += u * d * d + v * e * e + w * f * f
                    close, farthest = np.float32(0), best[size - 1]
                    for k in range(uintp(n)):
                        close += np.float32(1) if squares[k] < farthest else np.float32(0)
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

    .. math:: y_u - P_{uu}^{-1} (P z)_u

    This has one row for each missing entry. It serves where many patches of a group miss few entries, else the first
    one does; and the one with n rows where more than n entries are known of more than 2 n. Each of the three eliminates
    A in a bordered matrix,

    .. math:: \begin{pmatrix} A & B & b \\ b^T & c & h \end{pmatrix}
       \to \begin{pmatrix} \cdot & \cdot & \cdot \\ 0 & c - b^T A^{-1} B & h - b^T A^{-1} b \end{pmatrix}

    whose last row then tells the change of the patch and its leverages H (below); a row for each plane.

    A few patches say little about the covariance of many entries, so S is the sum of :math:`Z Z^T` and a prior: the
    mean variance of the entries times `prior`, which must be 0 for patches of more than 2 n entries.

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
    small = size <= 2 * n
    width = _padded(2 * max(n, size) + P)
    Z = np.empty((size, P, n), np.float32)
    alone = np.empty((size, 1, n), np.float32)
    hole = np.empty((size, n), np.bool_)
    S = np.zeros((size, width), np.float32)
    inverse = np.empty((2 * size + 1 if small else 1, _padded(2 * size + P * n)), np.float32)  # has -P, -P Z
    gram = np.empty((n, n), np.float32)
    bordered = np.empty((max(n, size) + P + 1, width), np.float32)
    H = np.empty((P, P), np.float32)
    innovation = np.empty((P, size), np.float32)
    change = np.empty(size, np.float32)
    known = np.empty(size, np.int64)
    unknown = np.empty(size, np.int64)
    in_order = np.arange(max(n, size))
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
                inverted = small and _mostly_known(hole, members) >= MIN_SPARED
                group = Z if alike else alone
                planes = group.shape[1]
                for first in range(1 if alike else P):  # the first plane of the group
                    if not alike:
                        _take_plane(Z, first, alone)
                    flat = group.reshape(size, planes * n)
                    spread = _square(flat)
                    ridge = np.float32(flat.shape[1] * noise * noise + SINGLE_ROUNDING * spread + MIN_DENOMINATOR)
                    largest = np.float32(ridge + spread * (1 + trace / size))
                    variance = spread / flat.size + VARIANCE_FLOOR * noise * noise
                    w = np.float32(1 / np.sqrt(variance + MIN_DENOMINATOR))
                    S_ready = gram_ready = False
                    for g in range(members):
                        k = _split(hole, g, known, unknown)
                        m = size - k
                        if m == 0:
                            continue
                        few = small or k <= n  # entries to solve for
                        spared = inverted and k > SPARED * m
                        if few and not S_ready:
                            _products(flat, S)
                            _add_prior(prior, np.float32(spread / size), S)
                            S_ready = True
                            if inverted:
                                _border_group(S, flat, ridge, inverse)
                                _eliminate(inverse, in_order, size, size, 2 * size + planes * n, ridge)
                        if spared:
                            at, order, columns, least = in_order, m, 2 * m, np.float32(1) / largest
                            _border_missing(inverse, group, unknown, m, g, bordered)
                        elif few:
                            at, order, columns, least = known, k, size, ridge
                            _border_known(S, group, known, k, g, ridge, bordered)
                        else:
                            if not gram_ready:
                                _gram(flat, gram)
                                gram_ready = True
                            at, order, columns, least = in_order, n, 2 * n, ridge
                            _border_patches(gram, flat, hole, g, ridge, bordered)
                        _eliminate(bordered, at, order, planes, columns + planes, least)
                        if spared:
                            _read_missing(bordered, m, innovation, planes, H)
                        elif few:
                            _read_known(bordered, unknown, k, m, innovation, planes, H)
                        else:
                            _read_patches(bordered, flat, unknown, m, g, innovation, H)
                        _leave_out(planes, H)
                        a, b = found[r, c, g] // x.shape[3], found[r, c, g] % x.shape[3]
                        for p in range(planes):
                            _combine(H, p, innovation, planes, m, change)
                            _write(x, piece, first + p, a, a - top[piece], b, side, hole, g, w, change, total, weight)


@part
def _padded(n):
    """The length of a row of `n` entries."""
    return uintp((n + LANES - 1) // LANES * LANES)


@part
def _mostly_known(hole, members):
    """The number of patches that miss something, but know more than SPARED times as many entries."""
    count = 0
    for g in range(members):
        m = 0
        for q in range(len(hole)):
            m += hole[q, g]
        count += m > 0 and len(hole) - m > SPARED * m
    return count


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
def _eliminate(M, at, n, borders, columns, least):
    """Subtract multiples of the first `n` rows from those after them, until these vanish in the columns ``at[:n]``.

    Two rows at a time are subtracted from two rows, of which the last may be one after the `borders`. What the first
    rows hold in these columns is a matrix whose eigenvalues are at least `least`. A smaller pivot is a rounding error,
    and replaced.
    """
    width = _padded(columns)
    for i in range(0, n, 2):
        j = min(i + 1, n - 1)
        a, b = at[i], at[j]
        d = np.float32(1) / max(M[i, a], least)
        f = d * M[i, b]
        e = np.float32(1) / max(M[j, b] - f * M[i, b], least) if j > i else np.float32(0)
        for r in range(j + 1, n + borders, 2):
            t = e * (M[r, b] - f * M[r, a])
            s = d * M[r, a] - f * t
            v = e * (M[r + 1, b] - f * M[r + 1, a])
            u = d * M[r + 1, a] - f * v
            for p in range(width):
                M[r, p] -= s * M[i, p] + t * M[j, p]
                M[r + 1, p] -= u * M[i, p] + v * M[j, p]


@part
def _border_group(S, Z, ridge, M):
    """For P and P Z, with the opposite sign: A is P's inverse, b the unit matrix, B the unit matrix and all patches."""
    size, patches = Z.shape
    _clear(M, 2 * size, 2 * size + patches)
    for i in range(size):
        for j in range(size):
            M[i, j] = S[i, j]
        M[i, i] += ridge
        M[i, size + i] = M[size + i, i] = np.float32(1)
        for p in range(uintp(patches)):
            M[i, 2 * size + p] = Z[i, p]


@part
def _border_known(S, Z, known, k, g, ridge, M):
    """For the `k` known entries of patch `g`: A and B are those rows of S, with the ridge, b and c the patch itself."""
    size, planes = Z.shape[:2]
    width = _padded(size + planes)
    for i in range(k):
        q = known[i]
        for p in range(width):
            M[i, p] = S[q, p]
        M[i, q] += ridge
        for p in range(planes):
            M[i, size + p] = Z[q, p, g]
    for p in range(planes):
        for q in range(width):
            M[k + p, q] = np.float32(0)
        for q in range(size):
            M[k + p, q] = Z[q, p, g]


@part
def _read_known(M, unknown, k, m, innovation, planes, H):
    """Write the predicted minus the present values of the missing entries, and the leverages."""
    for p in range(planes):
        for u in range(m):
            innovation[p, u] = -M[k + p, unknown[u]]
        for e in range(planes):
            H[p, e] = -M[k + p, k + m + e]


@part
def _border_missing(inverse, Z, unknown, m, g, M):
    """For the `m` missing entries u of patch `g`: A is P_uu, B the unit matrix, b is (P z)_u and h is z^T P z."""
    size, planes, n = Z.shape
    _clear(M, m + planes, 2 * m + planes)
    for i in range(m):
        for j in range(m):
            M[i, j] = -inverse[size + unknown[i], size + unknown[j]]
        M[i, m + i] = np.float32(1)
        for p in range(planes):
            M[i, 2 * m + p] = M[m + p, i] = -inverse[size + unknown[i], 2 * size + p * n + g]
    for p in range(planes):
        for e in range(planes):
            s = np.float32(0)
            for q in range(size):
                s -= Z[q, p, g] * inverse[size + q, 2 * size + e * n + g]
            M[m + p, 2 * m + e] = s


@part
def _read_missing(M, m, innovation, planes, H):
    """Write the same."""
    for p in range(planes):
        for u in range(m):
            innovation[p, u] = M[m + p, m + u]
        for e in range(planes):
            H[p, e] = M[m + p, 2 * m + e]


@part
def _border_patches(gram, Z, hole, g, ridge, M):
    """For the known entries k of patch `g`: A is Z_k^T Z_k with the ridge, B the unit matrix, b is Z_k^T z_k."""
    n = len(gram)
    _clear(M, n + 1, 2 * n + 1)
    for i in range(n):
        for j in range(uintp(n)):
            M[i, j] = gram[i, j]
    for q in range(len(Z)):
        if hole[q, g]:
            _add_square(M, Z, q, np.float32(-1))
    for i in range(n):
        M[n, i] = M[i, g]
    for i in range(n):
        M[i, i] += ridge
        M[i, n + i] = np.float32(1)


@part
def _read_patches(M, Z, unknown, m, g, innovation, H):
    """Write the same."""
    n = Z.shape[1]
    for u in range(m):
        innovation[0, u] = -_dot(Z[unknown[u]], M[n, n:]) - Z[unknown[u], g]
    H[0, 0] = -M[n, n + g]


@part
def _clear(M, rows, columns):
    """Write zeros."""
    for i in range(rows):
        for p in range(_padded(columns)):
            M[i, p] = np.float32(0)


@part
def _gram(Z, gram):
    """Write ``Z^T Z``."""
    size, n = Z.shape
    for i in range(n):
        for j in range(n):
            gram[i, j] = 0
    for q in range(size):
        _add_square(gram, Z, q, np.float32(1))


@part
def _add_square(M, Z, q, sign):
    """Add or subtract ``v v^T`` for row v = Z[q]."""
    for i in range(Z.shape[1]):
        u = sign * Z[q, i]
        for j in range(uintp(Z.shape[1])):
            M[i, j] += u * Z[q, j]


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
