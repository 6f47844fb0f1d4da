"""Share the rows of a kernel among threads. The answer is the same to the byte as with one thread.

Kernels release the global interpreter lock, so plain Python threads are enough. Unlike a compiled threading layer, they
work when several threads call at once, and in a forked child.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from threading import Lock, local
from typing import Any

__all__ = ["SOLVE_COST", "alone", "limit", "share", "workers"]

MIN_SHARED_ENTRIES = 300_000  # with fewer, waking a thread (some 70 microseconds) costs more than it saves
SOLVE_COST = 100  # work per entry of a transform or of a linear system, relative to a plain loop

_lock = Lock()
_pool: ThreadPoolExecutor | None = None
_limit: int | None = None
_here = local()


def workers() -> int:
    """Number of processors that this process may use."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return found if _limit is None else min(found, _limit)


def limit(number: int) -> None:
    """Use this many processors at most; to be called before any work, where several processes share a machine."""
    global _limit
    _limit = number


@contextmanager
def alone() -> Iterator[None]:
    """Use no other thread for what this thread does: where many threads each do a task of their own.

    Examples
    --------
    >>> with alone():
    ...     share(lambda lo, hi: print(lo, hi), 0, 10, 10**9)
    0 10
    """
    before = getattr(_here, "alone", False)
    _here.alone = True
    try:
        yield
    finally:
        _here.alone = before


def share(kernel: Callable[..., Any], lo: int, hi: int, work: int, *args: Any) -> None:
    """Call ``kernel(lo, hi, *args)`` on parts of a range, by several threads if `work`, in entries, is large.

    Examples
    --------
    >>> done = []
    >>> share(lambda lo, hi: done.append((lo, hi)), 0, 10, 0)
    >>> done
    [(0, 10)]
    """
    shared = work >= MIN_SHARED_ENTRIES and not getattr(_here, "alone", False)
    parts = min(workers(), hi - lo) if shared else 1
    cuts = [lo + (hi - lo) * k // parts for k in range(parts + 1)] if parts > 1 else [lo, hi]
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
