"""Dense inverses of small matrices. LAPACK would wake its threads, and its bytes depend on their number."""

from __future__ import annotations

import numpy as np
from numba import uintp

from skinpaint.grid.jit import kernel, part

__all__ = ["inverse_diagonals", "invert_dense"]


@part
def gauss_jordan(A, n):
    """Invert the leading block of `n` rows of a symmetric positive definite matrix in place.

    Step `k` subtracts ``a a^T / A_kk``, with a the column `k`, from all but that row and column. The inverse is built
    up with the other sign: so the matrix stays symmetric, and its lower half is enough.
    """
    column = np.empty(n)
    for k in range(n):
        for j in range(k):
            column[j] = A[k, j]
        for i in range(k, n):
            column[i] = A[i, k]
        pivot = 1 / column[k]
        column[k] = 0.0
        for i in range(n):
            factor = pivot * column[i]
            for j in range(uintp(i + 1)):
                A[uintp(i), j] -= factor * column[j]
        for j in range(k):
            A[k, j] = pivot * column[j]
        for i in range(k + 1, n):
            A[i, k] = pivot * column[i]
        A[k, k] = -pivot
    for i in range(n):
        for j in range(i + 1):
            A[i, j] = A[j, i] = -A[i, j]


@kernel
def invert_dense(A):
    """Invert a small symmetric positive definite matrix in place, by Gauss-Jordan."""
    gauss_jordan(A, A.shape[0])


@kernel
def inverse_diagonals(lo, hi, first, members, place, indptr, indices, data, largest, out):
    """The diagonal of the inverse of a symmetric matrix in CSR form that falls into blocks.

    The rows of block `k` are ``members[first[k]:first[k + 1]]``; ``place[i]`` is the place of row `i` in its block, and
    `largest` the number of rows of the largest block.
    """
    A = np.empty((largest, largest))
    for k in range(lo, hi):
        n = first[k + 1] - first[k]
        for i in range(n):
            for j in range(n):
                A[i, j] = 0.0
        for i in range(n):
            row = members[first[k] + i]
            for t in range(indptr[row], indptr[row + 1]):
                A[i, place[indices[t]]] = data[t]
        gauss_jordan(A, n)
        for i in range(n):
            out[members[first[k] + i]] = A[i, i]
