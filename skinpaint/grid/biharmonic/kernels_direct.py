"""Loops over the unknowns of a grid: their order, the factorisations of ``(L^2)_UU``, and the residual.

Unknown pixels that the matrix couples, directly or through others, form a *part*: a block of the matrix. Unknowns are
numbered part by part. ``state`` is flat and padded by two, as in :mod:`skinpaint.grid.biharmonic.kernels`; ``at[i]`` is
where unknown `i` lies in it.

Factors are stored as in :mod:`skinpaint.grid.kernels_envelope`.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uintp

from skinpaint.grid.jit import KNOWN, OUTSIDE, UNKNOWN, kernel

__all__ = ["assemble", "order", "orthogonalise", "residual"]


@kernel
def order(at, state, number, offsets, slope, max_work, order, starts, first, degree, diagonal):
    """Number the unknowns so that rows are short, describe the rows, and return how many parts there are.

    The numbering is that of Cuthill and McKee, backwards: by the distance from an end of the part, the farthest first.
    `at` holds the unknowns in C order, and ``number[at[i]]`` is ``-1 - i``. ``order[n]`` becomes the unknown, in C
    order, that has the number `n`, `number` its inverse, and ``starts[k]`` where part `k` begins. ``degree[n]`` is the
    diagonal entry of L, ``diagonal[n]`` that of its square.

    It returns -1 if the squared lengths of the rows of a part add up to more than `max_work`, by far enough to be seen
    forwards, where rows may be twice as long as they are backwards.
    """
    begin, parts = 0, 0
    for i in range(len(at)):
        if number[at[i]] >= 0:
            continue
        root, end, step, work = i, begin, 1, 0.0
        while step != 0:  # forwards, and then backwards from the last unknown that was reached
            head = begin if step > 0 else end - 1
            tail = head + step
            order[head], number[at[root]] = root, head
            while head != tail:
                least, s, squares = head, 0.0, 0.0
                for k in range(len(offsets)):
                    there = at[order[head]] + offsets[k]
                    if state[there] != OUTSIDE:
                        s -= slope[k]
                        squares += slope[k] ** 2
                    if state[there] == UNKNOWN:
                        if number[there] < 0:
                            order[tail], number[there] = -1 - number[there], tail
                            tail += step
                        least = min(least, number[there])
                first[head], degree[head], diagonal[head] = least, s, s**2 + squares
                if step > 0:
                    work += (head - least + 1.0) ** 2
                    if work > 4 * max_work:
                        return -1
                head += step
            if step > 0:
                end, root, step = tail, order[tail - 1], -1
                for n in range(begin, end):
                    number[at[order[n]]] = -1 - order[n]
            else:
                step = 0
        starts[parts] = begin
        parts += 1
        begin = end
    starts[parts] = begin
    return parts


@kernel
def assemble(lo, hi, parts, starts, sizes, first, ends, at, state, number, offsets, constant, slope, degree, factor):
    """Write the rows of some of the parts, without their diagonals.

    An unknown and the one at ``offsets[k]`` from it have the entry ``constant[k] + slope[k] (their degrees)``.
    """
    for p in range(lo, hi):
        for i in range(starts[parts[p]], starts[parts[p]] + sizes[parts[p]]):
            row = ends[i] - 1 - i
            for j in range(first[i], i):
                factor[uintp(row + j)] = 0.0
            for k in range(len(offsets)):
                there = uintp(at[i] + offsets[k])
                if state[there] == UNKNOWN and number[there] < i:
                    j = number[there]
                    factor[uintp(row + j)] = constant[k] + slope[k] * (degree[i] + degree[j])


@njit(cache=True, nogil=True)
def orthogonalise(lo, hi, parts, starts, sizes, first, ends, at, state, number, offsets, slope, factor):
    """Compute the same factors by Givens rotations, from the columns U of L.

    The matrix is the transposed of these columns, times the columns; so its factor is the triangle of their QR
    factorisation. This way needs more work, but not the matrix, whose condition number is the square of theirs.
    """
    for p in range(lo, hi):
        begin, end = starts[parts[p]], starts[parts[p]] + sizes[parts[p]]
        row, reach = np.zeros(end - begin), np.zeros(end - begin, np.int64)
        for i in range(begin, end):
            for j in range(first[i], i + 1):
                factor[ends[i] - 1 - i + j] = 0.0
        for i in range(begin, end):
            for e in range(-1, len(offsets)):  # the row of the unknown, and those of its known neighbours
                place = at[i] if e < 0 else at[i] + offsets[e]
                if e >= 0 and (slope[e] == 0 or state[place] != KNOWN):
                    continue
                degree, least, last = 0.0, i, i
                for k in range(len(offsets)):
                    beside = place + offsets[k]
                    if slope[k] != 0 and state[beside] != OUTSIDE:
                        degree -= slope[k]
                        if state[beside] == UNKNOWN:
                            j = number[beside]
                            row[j - begin] = slope[k]
                            least, last = min(least, j), max(last, j)
                if e < 0:
                    row[i - begin] = degree
                elif least < i:  # it was added with another unknown
                    for j in range(least, last + 1):
                        row[j - begin] = 0.0
                    continue
                j = least
                while j <= last:
                    b = row[j - begin]
                    if b != 0:
                        last = reach[j - begin] = max(last, reach[j - begin])
                        a = factor[ends[j] - 1]
                        c, s = a / np.hypot(a, b), b / np.hypot(a, b)
                        for k in range(j, last + 1):
                            if first[k] <= j:
                                entry = ends[k] - 1 - k + j
                                a, b = factor[entry], row[k - begin]
                                factor[entry], row[k - begin] = c * a + s * b, c * b - s * a
                        row[j - begin] = 0.0
                    j += 1
        for i in range(begin, end):
            factor[ends[i] - 1] = 1 / factor[ends[i] - 1]


@njit(cache=True, nogil=True)  # differences of neighbours are to be rounded as they are written: they cancel
def residual(lo, hi, pixels, channels, at, state, padded_steps, steps, weights, x, out):
    """``-L^2 x`` at the unknowns of some channels: ``x[pixels[i], channels[c]]`` belongs to ``out[c, i]``."""
    for i in range(lo, hi):
        for k in range(len(channels)):
            c, centre, total = channels[k], 0.0, 0.0
            for e in range(-1, 2 * len(steps)):  # the unknown, and its neighbours
                axis, sign = e >> 1, 2 * (e & 1) - 1
                weight = 0.0 if e < 0 else weights[axis]
                there = at[i] if e < 0 else at[i] + sign * padded_steps[axis]
                pixel = pixels[i] if e < 0 else pixels[i] + sign * steps[axis]
                if state[uintp(there)] == OUTSIDE:
                    continue
                u = 0.0
                for m in range(len(steps)):
                    for s in (-1, 1):
                        if state[uintp(there + s * padded_steps[m])] != OUTSIDE:
                            u += weights[m] * (x[uintp(pixel), uintp(c)] - x[uintp(pixel + s * steps[m]), uintp(c)])
                if e < 0:
                    centre = u
                else:
                    total += weight * (u - centre)
            out[k, i] = total
