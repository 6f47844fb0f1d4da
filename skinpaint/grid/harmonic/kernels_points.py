"""Loops over lists of unknowns with a weighted Laplacian.

Unknown `i` has the neighbours ``neighbours[i, k]`` and the edges ``weights[i, k]`` to them. Every neighbour that is not
unknown has the number `n` of unknowns, and arrays over the unknowns hold a zero there.
"""

from __future__ import annotations

import numpy as np
from numba import uintp

from skinpaint.grid.jit import kernel, part

__all__ = ["apply", "coarsen", "prolong", "relax", "restrict"]


@part
def neighbours_of(i, neighbours, weights, x):
    """Weighted sum over the neighbours of unknown `i`."""
    s = np.float32(0)
    for k in range(uintp(neighbours.shape[1])):
        s += weights[uintp(i), k] * x[uintp(neighbours[uintp(i), k])]
    return s


@kernel
def relax(lo, hi, first, inverse, neighbours, weights, b, x):
    """Gauss-Seidel on the unknowns ``first + lo <= i < first + hi``, none of which are neighbours."""
    for i in range(first + lo, first + hi):
        x[uintp(i)] = inverse[uintp(i)] * (b[uintp(i)] + neighbours_of(i, neighbours, weights, x))


@kernel
def restrict(inverse, neighbours, weights, b, x, parents, until, blocks, coarse):
    """Sum the residual ``b - A x`` of the unknowns before `until` over each block; that of the others is zero."""
    for block in range(uintp(blocks)):
        coarse[block] = np.float32(0)
    for i in range(until):
        r = b[uintp(i)] + neighbours_of(i, neighbours, weights, x) - x[uintp(i)] / inverse[uintp(i)]
        coarse[uintp(parents[uintp(i)])] += r if inverse[uintp(i)] > 0 else np.float32(0)
    coarse[blocks] = np.float32(0)  # what has no block


@kernel
def prolong(lo, hi, parents, coarse, factor, x):
    """Add `factor` times each block's entry to its unknowns."""
    for i in range(lo, hi):
        x[uintp(i)] += factor * coarse[uintp(parents[uintp(i)])]


@kernel
def coarsen(inverse, neighbours, weights, surplus, parents, directions, edges, coarse_surplus):
    """Galerkin sums over blocks, of the edges between blocks and of the surplus of the diagonal.

    ``directions[k]`` is the direction of the next level that direction `k` becomes. An edge to an unknown that has no
    block counts as one to a known entry.
    """
    blocks = coarse_surplus.size
    for i in range(uintp(neighbours.shape[0])):
        block = parents[i]
        if block < blocks:
            coarse_surplus[uintp(block)] += surplus[i]
            for k in range(neighbours.shape[1]):
                j = neighbours[i, uintp(k)]
                other = parents[uintp(j)]
                if other < blocks:
                    if other != block:
                        edges[uintp(block), uintp(directions[k])] += weights[i, uintp(k)]
                elif inverse[uintp(j)] > 0:
                    coarse_surplus[uintp(block)] += weights[i, uintp(k)]


@kernel
def apply(lo, hi, length, inverse, neighbours, weights, x, y, sums):
    """``y = A x``, and the sums of ``<x, y>`` over rows of `length` entries.

    It is a sum of differences: where `x` is smooth, products with the diagonal and the edges would cancel.
    """
    for row in range(lo, hi):
        s = 0.0
        for i in range(row * length, min((row + 1) * length, neighbours.shape[0])):
            v, here = np.float32(0), x[uintp(i)]
            for k in range(uintp(neighbours.shape[1])):
                v += weights[uintp(i), k] * (here - x[uintp(neighbours[uintp(i), k])])
            v = v if inverse[uintp(i)] > 0 else np.float32(0)
            y[uintp(i)] = v
            s += v * x[uintp(i)]
        sums[row] = s
