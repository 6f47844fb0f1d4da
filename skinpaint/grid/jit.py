"""How kernels are compiled. Only the files of kernels, and this one, import numba.

Every kernel works on a range ``lo <= k < hi`` of independent pieces, so that threads can share them, and releases the
global interpreter lock. It leaves one partial sum for each piece, so that the total does not depend on the sharing.
Indices into flat arrays are cast to unsigned: numba tests signed ones for negative values, which prevents vectorising.
Where an index is nothing else, its whole range is cast: a sum of a signed and an unsigned integer would be a float.

A kernel is compiled when it is first called, and kept on disk where it may be. Compiling is what the first call of all
waits for, so kernels are few, and each has as few signatures as possible; a literal integer among the arguments of a
part makes one of its own, and a part that calls parts is compiled as a whole before the kernel is. They are written as
plain loops: to assign slices, or to call functions of NumPy, makes numba compile general code that takes longer than
the kernel.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from numba import njit
from numba.core import event
from numba.core.caching import FunctionCache

__all__ = [
    "BEGIN",
    "FAST",
    "HOW_TO_KEEP",
    "KNOWN",
    "MERGE",
    "MERGE_BOTH",
    "OUTSIDE",
    "PROLONG",
    "RESTRICT",
    "UNKNOWN",
    "kernel",
    "kernel_folder",
    "part",
]

OUTSIDE = 0
KNOWN = 1
UNKNOWN = 2

# Passes of the kernels `smooth` of `grid.harmonic`; the others relax a colour.
BEGIN = -1
RESTRICT = -2
PROLONG = -3
MERGE = -4
MERGE_BOTH = -5

# Without nnan and ninf: kernels compute divisions by zero whose results they do not use.
FAST = {"reassoc", "contract", "nsz", "arcp"}

HOW_TO_KEEP = "Set the environment variable NUMBA_CACHE_DIR to a folder that may be written to."

OPTIONS: Any = {"nogil": True, "fastmath": FAST, "error_model": "numpy", "no_cfunc_wrapper": True}
PART: Any = {**OPTIONS, "no_cpython_wrapper": True, "forceinline": True}

# A part of kernels, repeated in each place that calls it. If it were called, the process that compiles would call a
# copy optimised by itself, and later ones a copy optimised with the kernel, and their sums would be rounded otherwise.
part = njit(**PART)
_kernels: list[Any] = []


class _Kept(FunctionCache):
    """A kernel on disk. What is damaged there is compiled anew, and what cannot be written is compiled each time."""

    def load_overload(self, *asked: Any) -> Any:
        """The compiled kernel, or None."""
        try:
            return super().load_overload(*asked)
        except Exception:  # pickle raises anything about a file that is cut off
            return None

    def save_overload(self, *compiled: Any) -> None:
        """Keep a compiled kernel, if it can be."""
        try:
            super().save_overload(*compiled)
        except OSError:  # a disk that is full
            return
        except Exception:  # the list of what is kept is damaged
            with suppress(OSError):
                self.flush()
                super().save_overload(*compiled)


def kernel(function: Callable[..., Any]) -> Any:
    """Decorate a kernel. Where no folder may be written to, it is compiled anew by each process."""
    compiled = njit(**OPTIONS)(function)
    with suppress(RuntimeError):  # numba has found no place to keep it
        compiled._cache = _Kept(function)
    _kernels.append(compiled)
    return compiled


def kernel_folder() -> str:
    """The folder that the compiled kernels are kept in, those that were loaded so far; nothing if they are not kept."""
    folders = [kernel.stats.cache_path for kernel in _kernels]
    return os.path.commonpath(folders) if all(folders) else ""


class _Announcement(event.Listener):
    """Says once, to a person who waits, that kernels are being compiled, and where they are kept."""

    def on_start(self, event: Any) -> None:
        dispatcher = event.data["dispatcher"]
        if self.said or not str(dispatcher.py_func.__module__).startswith("skinpaint."):
            return
        self.said = True
        if _is_watched():
            folder = kernel_folder()
            kept = f"is kept in {folder}." if folder else f"cannot be kept for the next use. {HOW_TO_KEEP}"
            print(
                f"skinpaint: compiling for the first use, which takes some seconds. What is compiled {kept}",
                file=sys.stderr,
            )

    def on_end(self, event: Any) -> None:
        """Do nothing: the announcement is about what begins."""

    said = False


def _is_watched() -> bool:
    """Whether somebody reads the error stream while it is written: in a terminal or in a notebook."""
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())


event.register("numba:compile", _Announcement())
