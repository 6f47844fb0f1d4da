"""What the energy "lines" costs together with its gradient: fused, as array operations, and as a loop over rows."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

import autograd.numpy as anp
import numpy as np
from descents import composed
from report import Table

from skinpaint.energies import lines
from skinpaint.energies.objective import value_and_gradient

__all__ = ["derivatives"]

HEAD = "size", "ours", "written as", "that", "ours / that"


def derivatives(repeats: int) -> Table:
    """One row for each other way to write it; all are differentiated by autograd, and agree before they are timed."""
    rows = []
    for side, name, energy in RIVALS:
        x = np.random.default_rng(0).random((side, side))
        for found, wanted in zip(value_and_gradient(energy, x), value_and_gradient(lines, x), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9, err_msg=name)
        times: dict[Callable, list[float]] = {lines: [], energy: []}
        for _ in range(1 if energy is looped else 4 * repeats):
            for each in (energy, *(lines,) * 5):
                times[each].append(seconds(each, x))
        own, that = median(times[lines]), median(times[energy])
        rows.append([f"{side} x {side}", f"{1e3 * own:.3g} ms", name, f"{1e3 * that:.3g} ms", f"1 / {that / own:.0f}"])
    table = Table("Energy and gradient of lines; medians", HEAD, rows)
    print(table, end="\n\n", flush=True)
    return table


def seconds(energy: Callable, x: np.ndarray) -> float:
    began = perf_counter()
    value_and_gradient(energy, x)
    return perf_counter() - began


def looped(x):
    """The energy "lines", line by line."""
    total = 0.0
    for columns in (x, x.T):
        for k in range(columns.shape[0]):
            for part in (columns[k], columns[k][0::2], columns[k][1::2]):
                total = total + anp.sqrt(anp.sum((part[1:] - part[:-1]) ** 2))
    return total


def sliced(x):
    """The energy "lines" in array operations, with differences of slices."""
    total = 0.0
    for columns in (x, x.T):
        for part in (columns, columns[0::2], columns[1::2]):
            total = total + anp.sum(anp.sqrt(anp.sum((part[1:] - part[:-1]) ** 2, axis=0)))
    return total


RIVALS = (
    (512, "array operations, diff", composed),
    (512, "array operations, slices", sliced),
    (128, "a loop over rows and columns", looped),
)
