"""Dense inverses of small matrices. LAPACK would wake its threads, and its bytes depend on their number."""

from __future__ import annotations

import numpy as np

from skinpaint.grid.jit import kernel, part

__all__ = ["inverse_diagonals", "invert_dense"]


@part
def gauss_jordan(A, n):
    """Invert the leading block of `n` rows of a symmetric positive definite matrix in place."""
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
