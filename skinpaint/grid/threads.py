"""Share the rows of a kernel among threads, safely: from any thread, after a fork, with the same bytes as alone.

Kernels release the interpreter's lock, so plain Python threads do. Unlike a compiled threading layer they can be used
from several threads at once and in a forked child.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Lock
from typing import Any

__all__ = ["HEAVY", "share"]

SMALL = 300_000  # entries below which waking a thread (some 70 microseconds) costs more than it saves
HEAVY = 100  # work on an entry of a transform or of a linear system, next to that of a plain loop

_lock = Lock()
_pool: ThreadPoolExecutor | None = None


def workers() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share(kernel: Callable[..., Any], lo: int, hi: int, work: int, *args: Any) -> None:
    """Call ``kernel(lo, hi, *args)`` in parts so that all rows are done once; `work` is the number of entries in them.

    Examples
    --------
    >>> done = []
    >>> share(lambda lo, hi: done.append((lo, hi)), 0, 10, 0)
    >>> done
    [(0, 10)]
    """
    parts = min(workers(), hi - lo) if work >= SMALL else 1
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
    """A forked child has none of its parent's threads."""
    global _lock, _pool
    _lock, _pool = Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
