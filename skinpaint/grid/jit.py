"""How kernels are compiled. Only the files of kernels, and this one, import numba.

Every kernel works on a range ``lo <= k < hi`` of independent pieces, so that threads can share them, and releases the
global interpreter lock. It leaves one partial sum for each piece, so that the total does not depend on the sharing.
Indices into flat arrays are cast to unsigned: numba tests signed ones for negative values, which prevents vectorising.
"""

from __future__ import annotations

from numba import njit

__all__ = ["FAST", "KNOWN", "OUTSIDE", "UNKNOWN", "inlined", "kernel"]

OUTSIDE = 0
KNOWN = 1
UNKNOWN = 2

# Without nnan and ninf: kernels compute divisions by zero whose results they do not use.
FAST = {"reassoc", "contract", "nsz", "arcp"}

kernel = njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
inlined = njit(nogil=True, fastmath=FAST, error_model="numpy", inline="always")  # a part of several kernels
