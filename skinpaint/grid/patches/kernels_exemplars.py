"""Loops over patches: look for the most similar known patch of each patch with missing pixels, and let them vote.

Arrays have three axes of space, (A, J, X); an axis that the image lacks has length 1. A place is a flat index.
"""

from __future__ import annotations

import numpy as np

from skinpaint.grid.jit import kernel, part

__all__ = ["search", "vote"]

GOLDEN, FIRST, SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
U27, U30, U31 = np.uint64(27), np.uint64(30), np.uint64(31)
TINY = np.float32(1e-12)  # keeps 0 / 0 from happening


@part
def _scramble(z):
    """The mixing function of splitmix64: random bits from a counter."""
    z = (z ^ (z >> U30)) * FIRST
    z = (z ^ (z >> U27)) * SECOND
    return z ^ (z >> U31)


@part
def _distance(x, weight, F, J, X, radius, p, q, limit):
    """The weighted sum of squared differences of two patches; rows are left out once it is at least `limit`."""
    ra, rj, rx = radius
    n = np.uint64((2 * rx + 1) * F)
    total = np.float32(0)
    for a in range(-ra, ra + 1):
        for j in range(-rj, rj + 1):
            row = (a * J + j) * X - rx
            i, k = np.uint64((p + row) * F), np.uint64((q + row) * F)
            part = np.float32(0)
            for m in range(n):
                d = x[i + m] - x[k + m]
                part += weight[i + m] * d * d
            total += part
            if total >= limit:
                return total
    return total


@kernel
def search(lo, hi, x, weight, F, shape, radius, at, slot, usable, pool, seed, forward, size, before, found, cost):
    """Improve the match of each target patch, by PatchMatch: what neighbours found, and random places ever nearer.

    Targets are scanned in pieces of `size`, forwards or backwards. In another piece than its own a target sees what was
    found before this scan, and random numbers depend on the target alone: so threads make no difference.

    Parameters
    ----------
    x, weight : ndarray of float32, shape (A J X F,)
        The image with its features, and the weight of each entry of a target patch.
    F : int
        Number of features, channels included.
    shape, radius : three int
        A, J, X, and the half side of a patch along each.
    at : ndarray of int32, shape (n,)
        The centres of the target patches.
    slot : ndarray of int32, shape (A J X,)
        Which target is centred at a place; -1 for none.
    usable : ndarray of bool, shape (A J X,)
        The centres of patches that may be found.
    pool : ndarray of int32
        The same as a list.
    before, found, cost : ndarray of int32, int32 and float32, shape (n,)
        The matches of the last scan, those of this one, and their distances.
    """
    A, J, X = shape
    ra, rj, rx = radius
    strides = (J * X, X, 1)
    for piece in range(lo, hi):
        first, last = piece * size, min(len(at), (piece + 1) * size)
        for step in range(last - first):
            t = first + step if forward else last - 1 - step
            p = np.int64(at[t])
            best = np.int64(before[t])
            least = _distance(x, weight, F, J, X, radius, p, best, np.float32(np.inf))
            for axis in range(3):
                if shape[axis] == 1:
                    continue
                away = -strides[axis] if forward else strides[axis]
                neighbour = p + away
                if neighbour < 0 or neighbour >= len(slot) or slot[neighbour] < 0:
                    continue
                s = slot[neighbour]
                q = np.int64(found[s] if first <= s < last else before[s]) - away
                if q < 0 or q >= len(usable) or not usable[q] or q in (best, p):
                    continue
                d = _distance(x, weight, F, J, X, radius, p, q, least)
                if d < least:
                    least, best = d, q
            z = _scramble(np.uint64(seed) * GOLDEN + np.uint64(p))
            reach = 0
            while True:
                z += GOLDEN
                bits = _scramble(z)
                if reach == 0:
                    q = np.int64(pool[np.int64((bits >> U31) % np.uint64(len(pool)))])
                    reach = max(A, J, X) // 2
                else:
                    a, j, b = best // (J * X), best // X % J, best % X
                    width = np.uint64(2 * reach + 1)
                    a = min(max(a + np.int64(bits % width) - reach, ra), A - 1 - ra)
                    j = min(max(j + np.int64((bits >> U27) % width) - reach, rj), J - 1 - rj)
                    b = min(max(b + np.int64((bits >> np.uint64(45)) % width) - reach, rx), X - 1 - rx)
                    q = (a * J + j) * X + b
                    reach //= 2
                if usable[q] and q != best and q != p:
                    d = _distance(x, weight, F, J, X, radius, p, q, least)
                    if d < least:
                        least, best = d, q
                if reach == 0:
                    break
            found[t] = best
            cost[t] = least


@kernel
def vote(lo, hi, x, shape, radius, wanted, slot, found, cost, gain, known, softness, copy, origin):
    """Fill each wanted pixel by what the matches of the patches around it say.

    Each patch proposes a place. Its weight falls with its distance above the least one there, in units of `softness`
    times the mean. The pixel becomes the weighted mean of the values at these places. With `copy` it becomes the value
    at the place with the largest weight, in which equal proposals are added. That place is written to `origin`.
    """
    A, J, X = shape
    ra, rj, rx = radius
    F = x.shape[1]
    most = (2 * ra + 1) * (2 * rj + 1) * (2 * rx + 1)
    place, weight, trust = np.empty(most, np.int64), np.empty(most, np.float32), np.empty(most, np.float32)
    mean = np.empty(F, np.float32)
    for k in range(lo, hi):
        p = wanted[k]
        a, j, b = p // (J * X), p // X % J, p % X
        n = 0
        least, total = np.float32(np.inf), np.float32(0)
        for i in range(max(a - ra, 0), min(a + ra, A - 1) + 1):
            for h in range(max(j - rj, 0), min(j + rj, J - 1) + 1):
                for g in range(max(b - rx, 0), min(b + rx, X - 1) + 1):
                    q = (i * J + h) * X + g
                    s = slot[q]
                    if s < 0:
                        continue
                    o = np.int64(found[s]) + p - q
                    if not known[o]:
                        continue
                    d = cost[s] / gain[s]
                    place[n], weight[n], trust[n] = o, d, gain[s]
                    least = min(least, d)
                    total += d
                    n += 1
        if n == 0:
            continue
        scale = softness * (total / np.float32(n) - least) + TINY
        for m in range(n):
            weight[m] = trust[m] * np.exp((least - weight[m]) / scale)
        most_weight = np.float32(-1)
        for m in range(n):
            together = np.float32(0)
            for other in range(n):
                if place[other] == place[m]:
                    together += weight[other]
            if together > most_weight:
                most_weight = together
                origin[k] = place[m]
        if copy:
            for f in range(F):
                x[p, f] = x[origin[k], f]
        else:
            for f in range(F):
                mean[f] = 0
            total = np.float32(0)
            for m in range(n):
                total += weight[m]
                for f in range(F):
                    mean[f] += weight[m] * x[place[m], f]
            for f in range(F):
                x[p, f] = mean[f] / total
