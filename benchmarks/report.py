"""Tables as text and for the documentation, and charts."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

__all__ = ["OTHERS", "OURS", "Curve", "Table", "bars", "falling", "lines", "save"]

OURS, OTHERS = "#c0392b", "#7f8c8d"
BOTTOM = 1e-9  # of a chart of distances
WARM, COLD = ("#c0392b", "#e67e22", "#8e44ad", "#d98880"), ("#1f3a5f", "#2e86c1", "#48a999")  # ours, peers
Curve = tuple[np.ndarray, np.ndarray, np.ndarray | None]  # seconds, distances, proven distances


@dataclass(frozen=True)
class Table:
    """A title, a head and rows of text."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if k == 0 else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in (self.head, *self.rows)
        ]
        return "\n".join([self.title, *lines])

    def rst(self) -> str:
        """A directive of Sphinx."""
        body = io.StringIO()
        csv.writer(body, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([self.head, *self.rows])
        return f".. csv-table:: {self.title}\n   :header-rows: 1\n\n{textwrap.indent(body.getvalue(), '   ')}"


def save(path: Path, measured: str, tables: Sequence[Table]) -> None:
    """Write tables for the documentation, below a sentence on what they were measured on."""
    path.write_text("\n".join([f"Measured on: {measured}.\n", *(table.rst() for table in tables)]), encoding="utf-8")


def bars(panels: dict[str, dict[str, float]], path: Path) -> None:
    """Seconds of each rival, one panel a kind of case."""
    heights = [1 + len(seconds) for seconds in panels.values()]
    figure = Figure(figsize=(8, 0.3 * sum(heights) + 0.3), layout="constrained")
    column = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, seconds) in zip(column, panels.items(), strict=True):
        names = list(seconds)[::-1]
        values = [seconds[name] for name in names]
        drawn = axes.barh(names, values, color=[OURS if name == "ours" else OTHERS for name in names])
        axes.bar_label(drawn, [f"{value:.3g} s" for value in values], padding=3)
        axes.set_title(title, loc="left", fontsize="medium")
        axes.margins(x=0.15)
        axes.set_xticks([])
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    figure.savefig(path, dpi=120)


def lines(curves: dict[str, tuple[Sequence[float], Sequence[float]]], xlabel: str, ylabel: str, path: Path) -> None:
    """One curve over another, from zero, so that growth is seen as it is."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    for name, (x, y) in curves.items():
        axes.plot(x, y, marker="o", label=name)
    axes.set(xscale="log", xlabel=xlabel, ylabel=ylabel)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def falling(panels: dict[str, dict[str, Curve]], path: Path) -> None:
    """Distances from a minimum over time, one panel a size; what is proven of them is dashed."""
    figure = Figure(figsize=(3.7 * len(panels) + 0.6, 4.6), layout="constrained")
    row = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (title, curves) in zip(row, panels.items(), strict=True):
        ours, peers = iter(WARM), iter(COLD)
        for name, (seconds, above, proven) in curves.items():
            mine = name.startswith("ours")
            style = {"color": next(ours if mine else peers), "linewidth": 1.8 if mine else 1.3}
            few = len(seconds) < 50
            axes.plot(
                seconds, np.maximum(above, BOTTOM / 1e3), marker="o" if few else "", markersize=4, label=name, **style
            )
            if proven is not None:
                axes.plot(seconds, proven, linestyle="--", **style | {"linewidth": 1.0})
        axes.set(xscale="log", yscale="log", ylim=(BOTTOM, 1), xlabel="seconds")
        axes.set_title(title, loc="left", fontsize="medium")
        axes.grid(color="0.92")
        axes.spines[["top", "right"]].set_visible(False)
    row[0].set_ylabel("energy above the minimum, relative")
    row[0].plot([], [], color="0.4", linestyle="--", linewidth=1.0, label="dashed: proven")
    figure.legend(
        *row[0].get_legend_handles_labels(), loc="outside lower center", ncols=min(4, 2 * len(panels)), frameon=False
    )
    figure.savefig(path, dpi=120)
