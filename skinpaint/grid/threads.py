"""Share the rows of a kernel among threads. The answer is the same to the byte as with one thread.

Kernels release the global interpreter lock, so plain Python threads are enough. Unlike a compiled threading layer, they
work when several threads call at once, and in a forked child. Every step of `start_new_thread` and `SimpleQueue` is
atomic, while the locks of an executor or of a `Thread` can stay closed for ever when Ctrl-C hits them.
"""

from __future__ import annotations

import _thread
import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from queue import SimpleQueue
from threading import local
from typing import Any, TypeAlias

__all__ = ["SOLVE_COST", "alone", "limit", "parts", "share", "share_unevenly", "workers"]

MIN_SHARED_ENTRIES = 300_000  # with fewer, waking a thread (some 70 microseconds) costs more than it saves
PARTS_IN_TURN = 8  # for each thread, where parts of the same size cost differently
SOLVE_COST = 100  # work per entry of a transform or of a linear system, relative to a plain loop

_Done: TypeAlias = SimpleQueue[BaseException | None]

_inbox: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...], _Done]] = SimpleQueue()
_threads: list[int] = []
_native: list[int] = []  # what the system calls them, of those that have begun
_away: tuple[int, set[int], int] | None = None  # from which processor they were sent away, of which, how many
_limit: int | None = None
_here = local()
_cpu = getattr(ctypes.CDLL(None), "sched_getcpu", None) if hasattr(os, "sched_setaffinity") else None


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
    return workers() if work >= MIN_SHARED_ENTRIES and not getattr(_here, "alone", False) else 1


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
    count = min(parts(work), hi - lo)
    if count <= 1:
        kernel(lo, hi, *args)
        return
    cuts = _cuts(lo, hi, count)
    others: list[_Done] = []
    _make_room()
    try:
        for start, stop in pairwise(cuts[1:]):
            others.append(_hand_over(kernel, start, stop, *args))
        kernel(cuts[0], cuts[1], *args)
    finally:  # after Ctrl-C, too, nobody writes into the arrays any more
        failures = [other.get() for other in others]
    for failure in filter(None, failures):
        raise failure


def share_unevenly(kernel: Callable[..., Any], lo: int, hi: int, work: int, *args: Any) -> None:
    """Do what `share` does where parts of the same size cost differently: who has done a small part takes the next one.

    Examples
    --------
    >>> done = []
    >>> share_unevenly(lambda lo, hi: done.append((lo, hi)), 0, 10, 0)
    >>> sum(hi - lo for lo, hi in done)
    10
    """
    count = min(parts(work), hi - lo)
    if count <= 1:
        kernel(lo, hi, *args)
        return
    todo: SimpleQueue[tuple[int, int] | None] = SimpleQueue()
    for part in [*pairwise(_cuts(lo, hi, min(hi - lo, PARTS_IN_TURN * count))), *[None] * count]:
        todo.put(part)

    def take(first: int, last: int) -> None:
        for _ in range(first, last):
            for start, stop in iter(todo.get, None):
                kernel(start, stop, *args)

    share(take, 0, count, work)


def _cuts(lo: int, hi: int, count: int) -> list[int]:
    return [lo + (hi - lo) * k // count for k in range(count + 1)]


def _hand_over(kernel: Callable[..., Any], *args: Any) -> _Done:
    """Let a thread call ``kernel(*args)``; the queue that is returned will hold None, or what was raised."""
    while len(_threads) < workers() - 1:
        _threads.append(_thread.start_new_thread(_serve, (_inbox,)))
    done: _Done = SimpleQueue()
    _inbox.put((kernel, args, done))
    return done


def _make_room() -> None:
    """Send the other threads to other processors than this one.

    After a rest, Linux may wake a thread on the processor of the thread that wakes it, which goes on working, and leave
    both there for tenths of a second: the other processors of a virtual machine, once halted, do not count as idle.
    """
    global _away
    if _cpu is None:
        return
    here, allowed = _cpu(), os.sched_getaffinity(0)
    now = here, allowed, len(_native)
    if now != _away and len(allowed) > 1:
        for thread in _native:
            with suppress(OSError):  # where this is forbidden, the work takes longer, no more
                os.sched_setaffinity(thread, allowed - {here})
        _away = now


def _serve(inbox: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...], _Done]]) -> None:
    _native.append(_thread.get_native_id())
    while True:
        kernel, args, done = inbox.get()
        failure = None
        try:
            kernel(*args)
        except BaseException as error:  # raised again by the thread that waits for it
            failure = error
        del kernel, args  # which hold large arrays
        done.put(failure)
        del done, failure


def _forget() -> None:
    """Forget the threads: a forked child does not have those of its parent."""
    global _inbox, _away
    _inbox = SimpleQueue()
    _threads.clear()
    _native.clear()
    _away = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
