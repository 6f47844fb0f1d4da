"""`inpaint_biharmonic` next to scikit-image's function of the same name, on little damage.

    python benchmarks/drop_in.py                       # 256 and 512 squared, grey and RGB
    python benchmarks/drop_in.py --sides 1000 --kinds text dust

Both get the same image and mask, one after the other, the first one changing; every repetition is a new case. The
clock runs over the whole call.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import blas  # noqa: F401
import machine
import numpy as np
from cases import KINDS, make
from options import between, folder_to_write
from report import Table, save
from skimage import restoration

import skinpaint

LITTLE = ("pixel", "text", "scratches", "dust", "few")
HEAD = ("", "missing pixels", "ours", "scikit-image", "ours / scikit-image", "largest difference")


@dataclass(frozen=True, kw_only=True)
class Race:
    """Median times in seconds and number of missing pixels, and the largest difference of any case."""

    ours: float
    theirs: float
    missing: float
    difference: float


def main(words: Sequence[str] | None = None) -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=between(32), nargs="+", default=[256, 512])
    parser.add_argument("--kinds", choices=LITTLE, nargs="+", default=LITTLE)
    parser.add_argument("--repeats", type=between(1), default=9)
    parser.add_argument("--write", type=folder_to_write, metavar="FOLDER", help="for the table, drop-in.inc")
    asked = parser.parse_args(words)
    described = machine.describe()
    print(described, flush=True)
    rows = []
    for side in asked.sides:
        for colour in (False, True):
            for kind in asked.kinds:
                rows.append(row(kind, side, colour, asked.repeats))
                print("  ".join(rows[-1]), flush=True)
    table = Table(f"inpaint_biharmonic; medians of {asked.repeats}", HEAD, rows)
    print(table)
    if asked.write:
        save(asked.write / "drop-in.inc", described, [table])


def row(kind: str, side: int, colour: bool, repeats: int) -> list[str]:
    """The cells of one kind of case."""
    found = compare(kind, side, colour, repeats)
    return [
        f"{KINDS[kind]}, {side} x {side}, {'RGB' if colour else 'grey'}",
        f"{found.missing:.0f}",
        f"{1e3 * found.ours:.1f} ms",
        f"{1e3 * found.theirs:.1f} ms",
        f"{found.ours / found.theirs:.2f}",
        f"{found.difference:.0e}",
    ]


def compare(kind: str, side: int, colour: bool, repeats: int) -> Race:
    """Measure both on one kind of case."""
    functions = {"ours": skinpaint.inpaint_biharmonic, "theirs": restoration.inpaint_biharmonic}
    times: dict[str, list[float]] = {name: [] for name in functions}
    missing, differences = [], []
    for repetition in range(-1, repeats):  # the first is not counted: it compiles and loads
        case = make(kind, side, seed=2 + repetition, colour=colour)
        damaged = case.image.copy()
        damaged[case.mask] = 0
        filled = {}
        for name in list(functions)[:: 1 if repetition % 2 else -1]:
            began = perf_counter()
            filled[name] = functions[name](damaged, case.mask, channel_axis=-1 if colour else None)
            if repetition >= 0:
                times[name].append(perf_counter() - began)
        missing.append(np.count_nonzero(case.mask))
        differences.append(np.abs(filled["ours"] - filled["theirs"]).max())
    ours, theirs = (median(each) for each in times.values())
    return Race(ours=ours, theirs=theirs, missing=median(missing), difference=float(max(differences)))


if __name__ == "__main__":
    main()
