"""Time, memory and quality of rivals on the same cases.

Every repetition is a new case of the same kind, which all rivals get one after another, the first one of them
changing. Memory is the peak of a fresh process minus that of the same process without the call; run as a script, this
file is that process.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from cases import Case, make
from machine import peak
from rivals import TASKS, Filled, Rival, difference, proof, residual

from skinpaint.scores import psnr

__all__ = ["Figures", "compare", "memory", "seconds", "warm_up"]

ORDER = {"laplace": 1, "biharmonic": 2}
TOL = 1e-6
WARM_SIDE = 120
LITTLE = "discs", "dust", "few", "scratches", "scratches-11", "scratches-14"
WARM_SIDES = {"volume": 30, "volume-hole": 60, "margin": 150, "text": 200, "hole": 300} | dict.fromkeys(LITTLE, 300)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured of one rival on one kind of case; from `memory` on of the last case."""

    name: str
    seconds: float
    ratio: float  # of our time to this one's
    assembly: float
    memory: int
    residual: float | None
    difference: float | None  # to ours
    n_iter: int | None
    psnr: float


def compare(task: str, kind: str, side: int, *, repeats: int, slow: bool) -> list[Figures]:
    """Measure all rivals that take cases of this kind and size."""
    case = make(kind, side, seed=0)
    rivals = [rival for rival in TASKS[task] if rival.takes(case.mask, slow)]
    for rival in rivals:
        warm_up(rival, kind)
    tol = TOL
    if task == "biharmonic":  # ours stops on the error, so the peers are asked for the residual that this comes with
        tol = residual(proof(task, case.image, case.mask).values, case.mask, ORDER[task])
    times: dict[str, list[float]] = {rival.name: [] for rival in rivals}
    assemblies: dict[str, list[float]] = {rival.name: [] for rival in rivals}
    last: dict[str, Filled] = {}
    for repetition in range(repeats):
        case = make(kind, side, seed=1 + repetition)
        first = repetition % len(rivals)
        for rival in rivals[first:] + rivals[:first]:
            last.pop(rival.name, None)
            taken, last[rival.name] = seconds(rival, case, tol)
            times[rival.name].append(taken)
            assemblies[rival.name].append(last[rival.name].assembly)
    quality = {name: psnr(case.image, filled.image, where=case.mask) for name, filled in last.items()}
    last["ours"] = proof(task, case.image, case.mask)
    own = median(times["ours"])
    return [
        Figures(
            name=rival.name,
            seconds=median(times[rival.name]),
            ratio=own / median(times[rival.name]),
            assembly=median(assemblies[rival.name]),
            memory=memory(task, rival.name, kind, case, tol),
            residual=rest(last[rival.name], case.mask, ORDER[task]),
            difference=difference(last["ours"], last[rival.name]) if rival.name != "ours" else None,
            n_iter=last[rival.name].n_iter,
            psnr=quality[rival.name],
        )
        for rival in rivals
    ]


def rest(filled: Filled, mask: np.ndarray, order: int) -> float | None:
    """The residual, where values are told and not clipped."""
    return None if filled.values is None or filled.clipped else residual(filled.values, mask, order)


def seconds(rival: Rival, case: Case, tol: float = TOL) -> tuple[float, Filled]:
    """The time of one call."""
    damaged = case.image.copy()
    damaged[case.mask] = 0
    began = perf_counter()
    filled = rival.fill(damaged, case.mask, tol)
    return perf_counter() - began, filled


def warm_up(rival: Rival, kind: str) -> None:
    """Load or compile what the first call of a process would wait for, on a case too small to leave memory behind.

    It is as large as it takes for ours to choose the solver that it takes for 1000 x 1000 pixels. What another solver
    has to load would count as time and memory of the call: 46 MB for that of thin scratches.
    """
    seconds(rival, make(kind, WARM_SIDES.get(kind, WARM_SIDE), seed=0), tol=1e-3)


def memory(task: str, name: str, kind: str, case: Case, tol: float = TOL) -> int:
    """Bytes that a call takes beyond the image, the mask and the libraries."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "image.npy"), case.image)
        np.save(Path(folder, "mask.npy"), case.mask)
        peaks = [peak_of(task, name, kind, folder, str(tol), call) for call in ("call", "none")]
    return max(0, peaks[0] - peaks[1])


def peak_of(*words: str) -> int:
    done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=True)
    return int(done.stdout)


def main(words: Sequence[str]) -> None:
    """The fresh process: load the case, call or not, print the peak."""
    task, name, kind, folder, tol, call = words
    rival = next(rival for rival in TASKS[task] if rival.name == name)
    warm_up(rival, kind)
    image, mask = (np.load(Path(folder, f"{each}.npy")) for each in ("image", "mask"))
    if call == "call":
        rival.fill(image, mask, float(tol))
    print(peak())


if __name__ == "__main__":
    main(sys.argv[1:])
