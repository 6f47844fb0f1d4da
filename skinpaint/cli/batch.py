"""Several files, one after another or side by side; those that cannot be restored do not stop the others."""

from __future__ import annotations

import argparse
import os
from collections.abc import Generator, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import active_children, get_context, util
from typing import Any

from skinpaint.cli.common import USER_ERRORS, Interruption, Status, end_in_order, sentence
from skinpaint.cli.restoring import Outcome, restore_file
from skinpaint.cli.tasks import Task

__all__ = ["outcomes"]

THREADS_OF_LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Done = Generator[tuple[Task, Outcome | str], None, None]


def outcomes(args: argparse.Namespace, method: Any, tasks: list[Task], interruption: Interruption) -> Done:
    """Every task with its outcome, or with a sentence why there is none; until the user interrupts."""
    n_processes = min(args.jobs, len(tasks))
    if n_processes > 1:
        return _side_by_side(args, method, tasks, n_processes, interruption)
    return _one_by_one(args, method, tasks, interruption)


def _one_by_one(args: argparse.Namespace, method: Any, tasks: list[Task], interruption: Interruption) -> Done:
    for task in tasks:
        if interruption.seen:
            return
        yield task, _attempt(args, method, task)


def _side_by_side(
    args: argparse.Namespace, method: Any, tasks: list[Task], n_processes: int, interruption: Interruption
) -> Done:
    """Restore files in processes of their own. After Ctrl-C each finishes its file; after SIGTERM none does."""
    with _pool(n_processes) as pool:
        waiting = {pool.submit(_attempt_or_end, args, method, task): task for task in tasks}
        try:
            while waiting:
                try:
                    done = next(as_completed(waiting))
                except KeyboardInterrupt:
                    interruption.seen = True
                else:
                    yield waiting.pop(done), _result(done)
                if interruption.seen:  # here, or while an outcome was told
                    waiting = {future: task for future, task in waiting.items() if not future.cancel()}
        except SystemExit:
            for process in active_children():
                process.terminate()
            raise
        finally:
            for future in waiting:
                future.cancel()


def _result(done: Future[Outcome | str]) -> Outcome | str:
    try:
        return done.result()
    except BrokenExecutor:
        return "its process ended without an answer, perhaps for lack of memory. Try fewer --jobs."


@contextmanager
def _pool(n_processes: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that share the processors between them; libraries for linear algebra start no threads in them."""
    changed = dict.fromkeys(set(THREADS_OF_LIBRARIES) - set(os.environ), "1")
    os.environ.update(changed)
    try:
        with ProcessPoolExecutor(n_processes, get_context("spawn"), _prepare, (n_processes,)) as pool:
            yield pool
    finally:
        for name in changed:
            del os.environ[name]


def _prepare(n_processes: int) -> None:
    """Prepare a process: it finishes its file after Ctrl-C, not after SIGTERM, and uses its share of the processors."""
    import signal

    from skinpaint.grid import threads

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end_in_order)
    threads.limit(max(1, threads.workers() // n_processes))


def _attempt(args: argparse.Namespace, method: Any, task: Task) -> Outcome | str:
    """Restore a file, or say in a sentence why it cannot be."""
    if task.refusal:
        return task.refusal
    try:
        return restore_file(args, method, task)
    except USER_ERRORS as error:
        return sentence(error)


def _attempt_or_end(args: argparse.Namespace, method: Any, task: Task) -> Outcome | str:
    """The same in a process of its own, which ends on SIGTERM: the pool would begin the next file."""
    try:
        return _attempt(args, method, task)
    except SystemExit:
        util._exit_function()  # type: ignore[attr-defined]  # or semaphores are left, of which Python warns
        os._exit(Status.TERMINATED)
