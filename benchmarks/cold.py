"""What a new process waits for: the first call without and with compiled kernels on disk, and the import."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from cases import make
from PIL import Image
from report import Table

__all__ = ["cold"]

FIRST = """
import sys, time
import numpy as np
began = time.perf_counter()
from skinpaint import inpaint
inpaint(np.load(sys.argv[1]), np.load(sys.argv[2]), method="laplace")
print(time.perf_counter() - began)
"""


def cold(repeats: int) -> Table:
    """A line for each; the restorations are of 512 x 512 pixels, nine in ten missing at random."""
    case = make("random", 512, seed=0)
    firsts, commands = [], []
    with tempfile.TemporaryDirectory() as folder:
        image, mask, photo, holes = (Path(folder, name) for name in ("i.npy", "m.npy", "photo.png", "mask.png"))
        np.save(image, case.image)
        np.save(mask, case.mask)
        Image.fromarray(case.image).save(photo)
        Image.fromarray(np.where(case.mask, np.uint8(255), np.uint8(0))).save(holes)
        restore = ["-m", "skinpaint", "restore", photo, "--mask", holes, "--method", "laplace", "-o"]
        for repetition in range(repeats):
            cache = Path(folder, f"cache{repetition}")
            firsts.append(float(run([sys.executable, "-c", FIRST, image, mask], cache)))
            run([sys.executable, *restore, Path(folder, f"warm{repetition}.png")], cache)
            began = perf_counter()
            run([sys.executable, *restore, Path(folder, f"out{repetition}.png")], cache)
            commands.append(perf_counter() - began)
    imports = [importing() for _ in range(repeats)]
    rows = [
        ["first call, empty kernel cache, import included", f"{median(firsts):.2f} s"],
        ["command line, filled kernel cache, wall clock", f"{median(commands):.2f} s"],
        ["import skinpaint, beyond NumPy's", f"{median(imports):.3f} s"],
    ]
    table = Table(
        f"laplace in a new process, 512 x 512, 90 % missing at random; medians of {repeats}", ("", "time"), rows
    )
    print(table, end="\n\n", flush=True)
    return table


def run(command: list, cache: Path) -> str:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def importing() -> float:
    """Seconds that ``import skinpaint`` takes, without what it waits for NumPy."""
    command = [sys.executable, "-X", "importtime", "-c", "import skinpaint"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    taken = {name: int(micro) for micro, name in re.findall(r"\|\s+(\d+) \|\s+(\S+)$", said, re.MULTILINE)}
    return 1e-6 * (taken["skinpaint"] - taken["numpy"])
