"""Methods side by side on one image: who predicts it best, how long it takes, and what it looks like.

Without a truth the methods are scored on known pixels that are hidden from all of them in the same way. That is a
problem a little harder than the real one, as fewer pixels are known, but it is equally harder for all.
"""

from __future__ import annotations

from skinpaint.comparison.contest import compare
from skinpaint.comparison.result import Comparison, Entry

__all__ = ["Comparison", "Entry", "compare"]
