"""What a missing pixel costs as images and holes grow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
from cases import KINDS, make
from measure import memory, seconds, warm_up
from report import Table, lines
from rivals import TASKS, proof

__all__ = ["growth"]

SIDES = {"random": (500, 1000, 2000, 3464, 6928), "margin": (200, 500, 1000, 2000, 3000)}
HEAD = (
    "side", "missing", "iterations", "time", "ns / missing pixel", "relative", "bytes / pixel", "bytes / missing pixel"
)  # fmt: skip
BASE = {"random": 1000, "margin": 200}  # sides that growth is told against


def growth(task: str, sides: Sequence[int] | None, repeats: int, chart: Path | None) -> list[Table]:
    """One table for random masks, one for single holes; `sides` are those of the images or of the holes."""
    ours = next(rival for rival in TASKS[task] if rival.name == "ours")
    tables, curves = [], {}
    for kind, default in SIDES.items():
        chosen = sides or default
        frame = 40 if kind == "margin" else 0
        warm_up(ours, kind)
        times: dict[int, list[float]] = {side: [] for side in chosen}
        for repetition in range(repeats):
            for side in chosen:
                case = make(kind, side + frame, seed=repetition)
                times[side].append(seconds(ours, case)[0] / np.count_nonzero(case.mask))
        cost = {side: 1e9 * median(times[side]) for side in chosen}
        base = cost.get(BASE[kind], cost[chosen[0]])
        rows, missing = [], {}
        for side in chosen:
            case = make(kind, side + frame, seed=0)
            missing[side] = np.count_nonzero(case.mask)
            taken = memory(task, "ours", kind, case)
            rows.append([
                str(side),
                f"{missing[side] / 1e6:.3g} M",
                str(proof(task, case.image, case.mask).n_iter),
                f"{1e-9 * cost[side] * missing[side]:.3g} s",
                f"{cost[side]:.0f}",
                f"{cost[side] / base:.2f}",
                f"{taken / case.mask.size:.0f}",
                f"{taken / missing[side]:.0f}",
            ])  # fmt: skip
        tables.append(Table(f"{task}, {KINDS[kind]}; medians of {repeats}", HEAD, rows))
        print(tables[-1], end="\n\n", flush=True)
        curves[KINDS[kind]] = [missing[side] for side in chosen], [cost[side] for side in chosen]
    if chart:
        lines(curves, "missing pixels", "ns per missing pixel", chart)
    return tables
