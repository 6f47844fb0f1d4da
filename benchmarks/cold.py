"""What a new process waits for: the first call without and with compiled kernels on disk, and the import."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from cases import make
from PIL import Image
from report import Table

__all__ = ["cold", "command_line", "first_call"]

FIRST = """
import sys, time
import numpy as np
began = time.perf_counter()
from skinpaint import inpaint
inpaint(np.load("image.npy"), np.load("mask.npy"), method=sys.argv[1])
print(time.perf_counter() - began)
"""


def cold(repeats: int) -> Table:
    """A line for each; the restorations are of 512 x 512 pixels, nine in ten missing at random."""
    rows = [
        ["first call, empty kernel cache, import included", f"{first_call('laplace', repeats):.2f} s"],
        ["command line, filled kernel cache, wall clock", f"{command_line(repeats):.2f} s"],
        ["import skinpaint, beyond NumPy's", f"{median(importing() for _ in range(repeats)):.3f} s"],
    ]
    table = Table(
        f"laplace in a new process, 512 x 512, 90 % missing at random; medians of {repeats}", ("", "time"), rows
    )
    print(table, end="\n\n", flush=True)
    return table


def first_call(method: str, repeats: int) -> float:
    """Median of the seconds that a first call takes in a new process, with an empty cache of kernels."""
    with case() as folder:
        command = [sys.executable, "-c", FIRST, method]
        return median(float(run(command, folder, f"cache{repetition}")) for repetition in range(repeats))


def command_line(repeats: int) -> float:
    """Median of the seconds that the command line takes with a filled cache."""
    times = []
    with case() as folder:
        restore = [sys.executable, "-m", "skinpaint", "restore", "photo.png", "--mask", "holes.png"]
        for repetition in range(-1, repeats):  # the first one fills the cache
            began = perf_counter()
            run([*restore, "--method", "laplace", "-o", f"out{repetition}.png"], folder, "cache")
            times.append(perf_counter() - began)
    return median(times[1:])


@contextmanager
def case() -> Iterator[Path]:
    """A folder with the image and the mask, as arrays and as pictures."""
    made = make("random", 512, seed=0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "image.npy", made.image)
        np.save(folder / "mask.npy", made.mask)
        Image.fromarray(made.image).save(folder / "photo.png")
        Image.fromarray(np.where(made.mask, np.uint8(255), np.uint8(0))).save(folder / "holes.png")
        yield folder


def run(command: list, folder: Path, cache: str) -> str:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / cache)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout


def importing() -> float:
    """Seconds that ``import skinpaint`` takes, without what it waits for NumPy."""
    command = [sys.executable, "-X", "importtime", "-c", "import skinpaint"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    taken = {name: int(micro) for micro, name in re.findall(r"\|\s+(\d+) \|\s+(\S+)$", said, re.MULTILINE)}
    return 1e-6 * (taken["skinpaint"] - taken["numpy"])
