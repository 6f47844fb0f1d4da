"""Loops over lists of unknowns with a weighted Laplacian: their numbering, and the rows of its matrix.

Lists are those of :mod:`skinpaint.grid.harmonic.kernels_points`; entry `i` of a list is unknown if ``inverse[i] > 0``.
Factors are stored as in :mod:`skinpaint.grid.kernels_envelope`.
"""

from __future__ import annotations

import numpy as np
from numba import uintp

from skinpaint.grid.jit import kernel

__all__ = ["assemble", "order"]


@kernel
def order(neighbours, inverse, max_work, number, order, starts, first):
    """Number the unknowns so that rows are short, and return how many parts there are.

    The numbering is that of Cuthill and McKee, backwards: by the distance from an end of the part, the farthest first.
    ``order[n]`` becomes the entry of the list that has the number `n`, and `number`, which holds -1, its inverse; part
    `k` begins at ``starts[k]``. Row `n` of the matrix has its first entry in column ``first[n]``.

    It returns -1 if the squared lengths of the rows add up to more than `max_work`, by far enough to be seen forwards,
    where their sum is another one.
    """
    begin, parts, work = 0, 0, 0.0
    for i in range(neighbours.shape[0]):
        if number[i] >= 0 or inverse[i] == 0:
            continue
        order[begin], number[i] = i, begin
        head, end = begin, begin + 1
        while head < end:  # forwards, to find an end of the part
            least = head
            for k in range(neighbours.shape[1]):
                j = neighbours[order[head], k]
                if inverse[j] > 0:
                    if number[j] < 0:
                        order[end], number[j] = j, end
                        end += 1
                    least = min(least, number[j])
            work += (head - least + 1.0) ** 2
            if work > 2 * max_work:
                return -1
            head += 1
        last = order[end - 1]
        for m in range(begin, end):
            number[order[m]] = -1
        order[end - 1], number[last] = last, end - 1
        tail = end - 1
        for m in range(end - 1, begin - 1, -1):  # backwards from there
            for k in range(neighbours.shape[1]):
                j = neighbours[order[m], k]
                if inverse[j] > 0 and number[j] < 0:
                    tail -= 1
                    order[tail], number[j] = j, tail
        for m in range(begin, end):
            least = m
            for k in range(neighbours.shape[1]):
                j = neighbours[order[m], k]
                if inverse[j] > 0:
                    least = min(least, number[j])
            first[m] = least
        starts[parts] = begin
        parts += 1
        begin = end
    starts[parts] = begin
    return parts


@kernel
def assemble(lo, hi, starts, order, number, first, ends, neighbours, weights, inverse, factor):
    """Write the rows of some of the parts, without their diagonals."""
    for i in range(starts[lo], starts[hi]):
        row, here = ends[i] - 1 - i, order[i]
        for j in range(first[i], i):
            factor[uintp(row + j)] = np.float32(0)
        for k in range(neighbours.shape[1]):
            there = neighbours[here, k]
            if inverse[there] > 0 and number[there] < i:
                factor[uintp(row + number[there])] -= weights[here, k]
