"""Tables as text and for the documentation, and charts."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

__all__ = ["OTHERS", "OURS", "Table", "bars", "lines"]

OURS, OTHERS = "#c0392b", "#7f8c8d"


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
