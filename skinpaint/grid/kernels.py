"""Loops that more than one family needs."""

from __future__ import annotations

from numba import uintp

from skinpaint.grid.jit import kernel

__all__ = ["extend"]


@kernel
def extend(lo, hi, starts, n, beta, z, p):
    """``p = z + beta p``."""
    for row in range(lo, hi):
        for i in range(starts[row], starts[row] + n):
            p[uintp(i)] = z[uintp(i)] + beta * p[uintp(i)]
