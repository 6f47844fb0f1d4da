"""How fast the energy "lines" falls: every solver on the same cases, a new mask each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from cases import Case, photograph
from descents import DEFAULT, OURS, PEER, SOLVERS, Fall, reference, start
from report import Curve, Table, falling

from skinpaint.energies import lines

__all__ = ["race"]

SIDES = 256, 512, 1024
LEVELS = 1e-2, 1e-4, 1e-6  # above the minimum, relative to it
PATIENCE, AT_LEAST = 8.0, 3  # seconds after which a solver is not asked again, and how often the peer is nevertheless
HEAD = (
    "",
    "whole call",
    *(f"to {level:.0e}" for level in LEVELS),
    "above minimum",
    "proven gap",
    "ours / this",
    "iterations",
    "evaluations",
    "runs",
)


@dataclass
class Runs:
    """What one solver did, case after case."""

    falls: list[Fall] = field(default_factory=list)
    minima: list[float] = field(default_factory=list)
    above: list[float] = field(default_factory=list)  # of the last energy over the minimum, relative
    levels: list[list[float]] = field(default_factory=list)  # seconds to each of LEVELS
    ratios: list[float] = field(default_factory=list)  # of our whole call to this one's time to the same energy

    def add(self, fall: Fall, least: float, own: Fall) -> None:
        self.falls.append(fall)
        self.minima.append(least)
        self.above.append(fall.energies[-1] / least - 1)
        self.levels.append([fall.time_to(least * (1 + level)) for level in LEVELS])
        self.ratios.append(own.taken / fall.time_between(own.energies[-1], least))

    @property
    def taken(self) -> float:
        return sum(fall.taken for fall in self.falls)

    @property
    def curve(self) -> Curve:
        """Seconds, distances from the minimum and proven ones, of the first case, which all solvers had."""
        fall = self.falls[0]
        return fall.seconds, fall.energies / self.minima[0] - 1, fall.gaps

    def typical(self, name: str) -> float | None:
        """Median of a figure of the runs, if it is told."""
        figures = [getattr(fall, name) for fall in self.falls]
        return None if None in figures else median(figures)


def race(sides: Sequence[int] | None, repeats: int, chart: Path | None) -> list[Table]:
    """One table for each size, and one of how our iterations grow."""
    tables, panels, counts = [], {}, {}
    for side in sides or SIDES:
        runs, gap = compare(side, repeats)
        tables.append(table(side, runs, gap))
        print(tables[-1], end="\n\n", flush=True)
        panels[f"{side} x {side}"] = {name: each.curve for name, each in runs.items()}
        counts[side] = {name: runs[name].typical("n_iter") for name in OURS}
    tables.append(growth(counts))
    print(tables[-1], end="\n\n", flush=True)
    if chart:
        falling(panels, chart)
    return tables


def camera(side: int, seed: int) -> Case:
    """The photograph, and a mask of nine pixels in ten, which hold black or white."""
    rng = np.random.default_rng(seed)
    mask = rng.random((side, side)) < 0.9
    noise = np.uint8(255) * rng.integers(0, 2, (side, side), np.uint8)
    return Case(np.where(mask, noise, photograph("camera", side)), mask)


def compare(side: int, repeats: int) -> tuple[dict[str, Runs], float]:
    """All solvers one after another, the first one changing; and the largest gap that is left for a minimum."""
    warm_up()
    runs, known = {name: Runs() for name in SOLVERS}, 0.0
    for repetition in range(repeats):
        case = camera(side, seed=1 + repetition)
        least, gap = reference(case)
        known = max(known, gap)
        enough = min(SOLVERS[DEFAULT](case, 0.0).energies[-1], least * (1 + LEVELS[-1]))
        asked = [name for name in SOLVERS if again(name, runs[name])]
        first = repetition % len(asked)
        falls = {name: SOLVERS[name](case, enough) for name in asked[first:] + asked[:first]}
        for name, fall in falls.items():
            runs[name].add(fall, least, falls[DEFAULT])
    return runs, known


def warm_up() -> None:
    """Compile and load, and see that the energy that each peer has written is "lines"."""
    case = camera(64, seed=0)
    wanted = lines(start(case))
    for name, solve in SOLVERS.items():
        fall = solve(case, np.inf)
        if not name.startswith("ours"):
            np.testing.assert_allclose(fall.energies[0], wanted, rtol=1e-6, err_msg=name)


def again(name: str, runs: Runs) -> bool:
    """Whether a solver is asked once more."""
    few = name == DEFAULT or (name == PEER and len(runs.falls) < AT_LEAST)
    return few or runs.taken < PATIENCE


def table(side: int, runs: dict[str, Runs], gap: float) -> Table:
    title = (
        f"Descent of lines, {side} x {side}, 90 % missing at random; medians of the runs. "
        f"The minimum is proven to a relative {gap:.0e}"
    )
    return Table(title, HEAD, [row(name, each, gap) for name, each in runs.items()])


def row(name: str, runs: Runs, known: float) -> list[str]:
    """The cells of one solver; `known` is how well the minimum is."""
    gaps = [fall.gaps[-1] for fall in runs.falls if fall.gaps is not None]
    above, ratio = median(runs.above), median(runs.ratios)
    return [
        name,
        f"{runs.typical('taken'):.3g} s",
        *(seconds(median(times)) for times in zip(*runs.levels, strict=True)),
        f"{above:.1e}" if above > known else f"< {known:.0e}",
        f"{median(gaps):.1e}" if gaps else "",
        f"{ratio:.3g}" if ratio and name != DEFAULT else "",
        whole(runs.typical("n_iter")),
        whole(runs.typical("n_eval")),
        str(len(runs.falls)),
    ]


def seconds(time: float) -> str:
    return f"{time:.3g} s" if np.isfinite(time) else "not reached"


def whole(count: float | None) -> str:
    return "" if count is None else f"{count:g}"


def growth(counts: dict[int, dict[str, float]]) -> Table:
    """Our iterations, size by size."""
    smallest, largest = min(counts), max(counts)
    head = "", *(f"{side} x {side}" for side in counts), f"{largest} / {smallest}"
    rows = [
        [
            name,
            *(whole(each[name]) for each in counts.values()),
            f"{counts[largest][name] / counts[smallest][name]:.2g}",
        ]
        for name in OURS
    ]
    return Table("Our iterations as images grow; medians", head, rows)
