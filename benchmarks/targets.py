"""What is aimed at on large images and on little damage, one row each: the figure, and what it may be at most.

    python benchmarks/targets.py                                # all rows
    python benchmarks/targets.py --rows laplace drop-in
    python benchmarks/targets.py --before ../old                # also next to another version, in that folder
    python benchmarks/targets.py --scale 0.25 --repeats 3       # smaller images, to try it

A row is a time, or a ratio of two. Whoever takes part in it has a process of its own, and is asked in turn, the first
one changing; every repetition is a new case. Memory is the peak of a new process minus that of the same process without
the call. Figures are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import blas  # noqa: F401
import drop_in
import machine
import numpy as np
from cases import KINDS, make
from cold import command_line, first_call
from measure import memory, seconds
from options import between, folder_to_write, version
from report import Table, save
from rivals import TASKS

MOST_DIFFERENT = 1e-6  # answers of the drop-in and of scikit-image
HEAD = ("", "figure", "at most", "", "ours", "the other")
ONE_CORE, BEFORE = "on one core", "before"


@dataclass(frozen=True)
class Row:
    """One target: our time, or the ratio of it to that of another.

    Attributes
    ----------
    method : str
        Of :data:`rivals.TASKS`.
    kind, side, colour
        The case.
    most : float
        The largest figure that is aimed at, in seconds or as a ratio.
    other : str
        Whom ours is compared with: a rival, "on one core" (ours), "before" (the other version), a side (ours on an
        image of that size, for each missing pixel), or nobody.
    one_core : bool
        Have both use one processor.
    memory : float
        The most bytes that a call may take.
    """

    method: str
    kind: str
    side: int
    most: float = np.inf
    other: str = ""
    colour: bool = field(default=False, kw_only=True)
    one_core: bool = field(default=False, kw_only=True)
    memory: float = field(default=np.inf, kw_only=True)


ROWS = {
    "gd": [
        Row("gd", "scratches-14", 1000, 0.25, colour=True),
        Row("gd", "scratches-11", 3464, 3.0, colour=True, memory=1.5e9),
        Row("gd", "random", 512, 1.0, BEFORE),
        Row("reweighted", "scratches-14", 1000, colour=True),
        Row("reweighted", "scratches-11", 3464, colour=True),
        Row("reweighted", "random", 512, 1.0, BEFORE),
    ],
    "laplace": [
        Row("laplace", "random", 3464, 1 / 1.6, ONE_CORE),
        Row("laplace", "random", 3464, 0.12, "OpenCV Telea"),
        Row("laplace", "random", 1000, 1 / 35, "PyAMG"),
        Row("laplace", "random", 3464, 1.0, BEFORE, one_core=True),
        Row("laplace", "scratches-11", 3464, 1.0, colour=True),
        Row("laplace", "hole", 1000, 0.35, "OpenCV Telea"),
        Row("laplace", "discs", 1000, 0.5, "OpenCV Telea"),
        Row("laplace", "random", 2880, 1.2, colour=True),  # as many pixels as 3840 x 2160
        Row("laplace", "random", 6928, 1.2, "1000"),
    ],
    "dct": [
        Row("dct", "scratches-14", 1000, 0.8, colour=True),
        Row("dct", "scratches-14", 1000, 0.2, "OpenCV FSR_FAST", colour=True),
        Row("dct", "text", 1000, 0.2, "OpenCV FSR_FAST"),
        Row("dct", "scratches-11", 3464, 12.0, colour=True, memory=1e9),
        Row("dct", "random", 512, 1.0, BEFORE),
        Row("dct", "scratches-11", 6928, 1.2, "1000"),
    ],
}
DROP_IN = {"pixel": 1.0, "text": 0.8, "scratches": 0.8, "dust": 0.8, "few": 0.8}
COLD = {"dct": 10.0, "gd": 6.0, "laplace": 5.0}
COMMAND_LINE = 1.2
GROUPS = (*ROWS, "drop-in", "cold")


class Contender:
    """A process that makes calls when it is asked to.

    Parameters
    ----------
    method, name : str
        Of :data:`rivals.TASKS`.
    folder : Path or None
        Where the package is imported from, if not from here.
    one_core : bool
        Use one processor.
    """

    def __init__(self, method: str, name: str, folder: Path | None = None, *, one_core: bool = False) -> None:
        where = {} if folder is None else {"PYTHONPATH": str(folder.resolve())}
        command = [sys.executable, __file__, "--serve", method, name, *["one core"][: int(one_core)]]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **where}
        )

    def seconds(self, *case: object) -> float:
        """The time of one call, for a kind, a side, a seed and whether in colour."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(case), file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())

    def stop(self) -> None:
        """End the process."""
        self.process.communicate()


def serve(method: str, name: str, *one_core: str) -> None:
    """Answer the questions of :class:`Contender`."""
    if one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rival = next(rival for rival in TASKS[method] if rival.name == name)
    for line in sys.stdin:
        kind, side, seed, colour = json.loads(line)
        taken, _ = seconds(rival, make(kind, side, seed, colour=colour))
        print(taken, flush=True)


def compete(row: Row, side: int, repeats: int, before: Path | None) -> list[str]:
    """The cells of a row."""
    sides = [side, int(row.other) if row.other.isdigit() else side]
    contenders = [Contender(row.method, "ours", one_core=row.one_core)]
    if row.other:
        name = row.other if row.other in (rival.name for rival in TASKS[row.method]) else "ours"
        folder = before if row.other == BEFORE else None
        contenders.append(Contender(row.method, name, folder, one_core=row.one_core or row.other == ONE_CORE))
    times: list[list[float]] = [[] for _ in contenders]
    for repetition in range(-1, repeats):  # the first is not counted: it compiles and loads
        for k in range(len(contenders))[:: 1 if repetition % 2 else -1]:
            size = min(sides[k], 300) if repetition < 0 else sides[k]
            seconds = contenders[k].seconds(row.kind, size, 1 + repetition, row.colour)
            if repetition >= 0:
                times[k].append(seconds)
    for contender in contenders:
        contender.stop()
    each = [median(some) for some in times]
    figure = each[0] if len(each) == 1 else each[0] / each[1] * (sides[1] / sides[0]) ** 2  # for each pixel
    what = f"{row.method}{', one core' * row.one_core}"
    if row.other:
        what += f" / {f'a pixel of {sides[1]} x {sides[1]}' if row.other.isdigit() else row.other}"
    shown = [f"{time:.3g} s" for time in each]
    return cells(
        f"{what}: {described(row.kind, side, row.colour)}", figure, row.most, "" if row.other else " s", *shown
    )


def taken(row: Row, side: int) -> list[str]:
    """The cells of the memory of a row."""
    case = make(row.kind, side, seed=0, colour=row.colour)
    found = memory(row.method, "ours", row.kind, case)
    what = f"{row.method}, memory: {described(row.kind, side, row.colour)}"
    return cells(what, found / 1e9, row.memory / 1e9, " GB", f"{found / case.mask.size:.0f} B a pixel")


def cells(what: str, figure: float, most: float, unit: str, *more: str) -> list[str]:
    """What is said of a figure and of the most that it may be."""
    limit = ["", ""] if most == np.inf else [f"{most:.3g}{unit}", "yes" if figure <= most else "NO"]
    return [what, f"{figure:.3g}{unit}", *limit, *more, *[""] * (2 - len(more))]


def described(kind: str, side: int, colour: bool) -> str:
    return f"{KINDS[kind]}, {side} x {side}{', RGB' * colour}"


def rows_of(group: str, scale: float, repeats: int, before: Path | None) -> list[list[str]]:
    """All rows of a group, each printed when it is done."""
    found: list[list[str]] = []

    def add(row: list[str]) -> None:
        found.append(row)
        print("  ".join(row), flush=True)

    for row in ROWS.get(group, ()):
        side = round(scale * row.side)
        if row.other != BEFORE or before is not None:
            add(compete(row, side, repeats, before))
        if not row.other:
            add(taken(row, side))
    if group == "drop-in":
        for side in (256, 512):
            for colour in (False, True):
                for kind, most in DROP_IN.items():
                    race = drop_in.compare(kind, side, colour, repeats)
                    what = f"inpaint_biharmonic / scikit-image: {described(kind, side, colour)}"
                    add(cells(what, race.ours / race.theirs, most, "", f"{race.ours:.3g} s", f"{race.theirs:.3g} s"))
                    if not race.difference <= MOST_DIFFERENT:
                        add(cells(f"{what}, difference", race.difference, MOST_DIFFERENT, ""))
    if group == "cold":
        for method, most in COLD.items():
            add(cells(f"{method}, first call, empty kernel cache", first_call(method, repeats), most, " s"))
        add(cells("laplace, command line", command_line(repeats), COMMAND_LINE, " s"))
    return found


def main(words: Sequence[str] | None = None) -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", choices=GROUPS, nargs="+", default=GROUPS)
    parser.add_argument("--repeats", type=between(1), default=7)
    parser.add_argument("--scale", type=float, default=1.0, help="of the sides of the images")
    parser.add_argument("--before", type=version, metavar="FOLDER", help="of another version of the package")
    parser.add_argument("--write", type=folder_to_write, metavar="FOLDER", help="for the table, targets.inc")
    asked = parser.parse_args(words)
    description = machine.describe()
    print(description, flush=True)
    rows = [row for group in asked.rows for row in rows_of(group, asked.scale, asked.repeats, asked.before)]
    table = Table(f"Targets; medians of {asked.repeats}", HEAD, rows)
    print(table)
    if asked.write:
        save(asked.write / "targets.inc", description, [table])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:])
    else:
        main()
