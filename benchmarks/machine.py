"""The machine that figures are from, and how much memory a process on it took."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import distributions
from pathlib import Path

__all__ = ["describe", "peak"]

PACKAGES = "numpy", "scipy", "numba", "scikit-image", "pyamg", "opencv-contrib-python-headless"


def describe(*more: str) -> str:
    """Processor, number of cores, system and the versions of what is installed, also of `more`, in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = ((name, next(iter(distributions(name=name)), None)) for name in (*PACKAGES, *more))
    versions = ", ".join(f"{name} {package.version}" for name, package in found if package is not None)
    return f"{processor()}, {cores} cores, {platform.system()}; Python {platform.python_version()}, {versions}"


def processor() -> str:
    """The processor's model."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def peak() -> int:
    """Largest resident size of this process so far, in bytes."""
    try:  # getrusage would also count what the parent had when it forked
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return size if sys.platform == "darwin" else 1024 * size
