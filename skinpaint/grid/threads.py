"""Share the rows of a kernel among threads. The answer is the same to the byte as with one thread.

Kernels release the global interpreter lock, so plain Python threads are enough. Unlike a compiled threading layer, they
work when several threads call at once, and in a forked child.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Lock
from typing import Any

__all__ = ["SOLVE_COST", "limit", "share", "workers"]

MIN_SHARED_ENTRIES = 300_000  # with fewer, waking a thread (some 70 microseconds) costs more than it saves
SOLVE_COST = 100  # work per entry of a transform or of a linear system, relative to a plain loop

_lock = Lock()
_pool: ThreadPoolExecutor | None = None
_limit: int | None = None


def workers() -> int:
    """Number of processors that this process may use."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return found if _limit is None else min(found, _limit)


def limit(number: int) -> None:
    """Use this many processors at most; to be called before any work, where several processes share a machine."""
    global _limit
    _limit = number


def parts(work: int) -> int:
    """Into how many parts it pays to divide `work`, in entries."""
    return workers() if work >= MIN_SHARED_ENTRIES else 1


def share(kernel: Callable[..., Any], lo: int, hi: int, work: int, *args: Any) -> None:
    """Call ``kernel(lo, hi, *args)`` on parts of a range, by several threads if `work`, in entries, is large.

    Examples
    --------
    >>> done = []
    >>> share(lambda lo, hi: done.append((lo, hi)), 0, 10, 0)
    >>> done
    [(0, 10)]
    """
    count = max(1, min(parts(work), hi - lo))
    cuts = [lo + (hi - lo) * k // count for k in range(count + 1)]
    others = [_executor().submit(kernel, start, stop, *args) for start, stop in pairwise(cuts[1:])]
    kernel(cuts[0], cuts[1], *args)
    for other in others:
        other.result()


def _executor() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(1, workers() - 1), thread_name_prefix="skinpaint")
        return _pool


def _forget() -> None:
    """Forget the threads: a forked child does not have those of its parent."""
    global _lock, _pool
    _lock, _pool = Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
