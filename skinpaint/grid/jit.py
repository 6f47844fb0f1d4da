"""The loops, and nothing else: the only rooms that import numba.

Every kernel works on a range ``lo <= k < hi`` of independent pieces, so that threads can share them, and releases the
interpreter's lock. What it sums it leaves as one partial sum a piece, so that the answer does not depend on the
sharing. Indices into flat arrays are cast to unsigned, since numba guards signed ones against wrapping around, which
costs the vector units.
"""

from __future__ import annotations

from numba import njit

__all__ = ["FAST", "KNOWN", "OUTSIDE", "UNKNOWN", "kernel"]

OUTSIDE = 0
KNOWN = 1
UNKNOWN = 2

# Neither nnan nor ninf: a division by zero may be computed and not chosen.
FAST = {"reassoc", "contract", "nsz", "arcp"}

kernel = njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
