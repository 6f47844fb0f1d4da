"""Loops that several families need."""

from __future__ import annotations

from numba import uintp

from skinpaint.grid.jit import kernel

__all__ = ["next_direction"]


@kernel
def next_direction(lo, hi, starts, n, beta, z, p):
    """The next direction of conjugate gradients, ``p = z + beta p``."""
    for row in range(lo, hi):
        for i in range(starts[row], starts[row] + n):
            p[uintp(i)] = z[uintp(i)] + beta * p[uintp(i)]
