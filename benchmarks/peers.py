"""Ours next to its peers, and next to itself at other sizes.

    python benchmarks/peers.py --task laplace                  # 1 megapixel: random, hole, discs
    python benchmarks/peers.py --task laplace --size 3464 --kinds random
    python benchmarks/peers.py --task biharmonic --size 512 --kinds random
    python benchmarks/peers.py --volume                        # 256 ^ 3
    python benchmarks/peers.py --growth                        # 0.25 to 48 megapixels, holes of 200^2 to 3000^2
    python benchmarks/peers.py --cold                          # the first call, the command line, the import
    python benchmarks/peers.py --task gd                       # descents of "lines", 256^2 to 1024^2, and its gradient
    python benchmarks/peers.py --task energy                   # its gradient alone

Every command prints its tables; with ``--write FOLDER`` it leaves them there for the documentation, with a chart. Run
them on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import blas  # noqa: F401
import machine
from cases import KINDS, make
from cold import cold
from derivatives import derivatives
from growth import growth
from measure import Figures, compare
from options import between, folder_to_write
from race import race
from report import Table, bars, save

NOTES = {
    "laplace": "An iteration of ours is one cycle: 6 products with the matrix in 2-D (10 if dense), 4 in 3-D.\n",
    "biharmonic": "",
    "gd": "",
    "energy": "",
}
HEAD = (
    "",
    "time",
    "of it assembly",
    "ours / this",
    "memory",
    "bytes / pixel",
    "residual",
    "difference",
    "iterations",
    "PSNR",
)


def main(words: Sequence[str] | None = None) -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=tuple(NOTES), default="laplace")
    parser.add_argument("--size", type=between(64), nargs="+", metavar="SIDE", help="sides of images, volumes or holes")
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=["random", "hole", "discs"])
    parser.add_argument("--repeats", type=between(1), default=5)
    parser.add_argument("--slow", action="store_true", help="ask peers beyond the size where they take minutes")
    parser.add_argument(
        "--write",
        type=folder_to_write,
        metavar="FOLDER",
        help="for tables (.inc) and charts (.png), named after the task, mode and sides",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--volume", action="store_true", help="the kinds volume and volume-hole")
    what.add_argument("--growth", action="store_true", help="time and memory per missing pixel as images grow")
    what.add_argument("--cold", action="store_true", help="first call, command line and import, in new processes")
    asked = parser.parse_args(words)
    modes = [mode for mode in ("volume", "growth", "cold") if getattr(asked, mode)]
    if modes and asked.task in ("gd", "energy"):
        parser.error(f"argument --{modes[0]}: must go with the task laplace or biharmonic. Got {asked.task} instead.")

    described = machine.describe(*("autograd", "torch") if asked.task in ("gd", "energy") else ())
    print(described, NOTES[asked.task], sep="\n", flush=True)
    name = "-".join([asked.task, *modes, *map(str, asked.size or [])])
    chart = asked.write / f"{name}.png" if asked.write else None
    if asked.task in ("gd", "energy"):
        tables = race(asked.size, asked.repeats, chart) if asked.task == "gd" else []
        tables.append(derivatives(asked.repeats))
    elif asked.cold:
        tables = [cold(asked.repeats)]
    elif asked.growth:
        tables = growth(asked.task, asked.size, asked.repeats, chart)
    else:
        kinds = ["volume", "volume-hole"] if asked.volume else asked.kinds
        tables = peers(asked.task, kinds, asked.size, asked.repeats, asked.slow, chart)
    if asked.write:
        save(asked.write / f"{name}.inc", described, tables)


def peers(
    task: str, kinds: Sequence[str], sides: Sequence[int] | None, repeats: int, slow: bool, chart: Path | None
) -> list[Table]:
    """One table for each kind and size."""
    tables, panels = [], {}
    for kind in kinds:
        for side in sides or ([256] if kind.startswith("volume") else [1000]):
            size = " x ".join([str(side)] * make(kind, side, 0).image.ndim)
            figures = compare(task, kind, side, repeats=repeats, slow=slow)
            title = f"{task}, {size}, {KINDS[kind]}"
            panels[f"{size}, {KINDS[kind]}"] = {each.name: each.seconds for each in figures}
            pixels = make(kind, side, 0).image.size
            tables.append(Table(f"{title}; medians of {repeats}", HEAD, [row(each, pixels) for each in figures]))
            print(tables[-1], end="\n\n", flush=True)
    if chart:
        bars(panels, chart)
    return tables


def row(each: Figures, pixels: int) -> list[str]:
    """The cells of one rival."""
    return [
        each.name,
        f"{each.seconds:.3g} s",
        f"{each.assembly:.2g} s" if each.assembly else "",
        f"{each.ratio:.3g}",
        f"{each.memory / 1e6:.0f} MB",
        f"{each.memory / pixels:.0f}",
        "" if each.residual is None else f"{each.residual:.1e}",
        "" if each.difference is None else f"{each.difference:.0e}",
        "" if each.n_iter is None else str(each.n_iter),
        f"{each.psnr:.2f} dB",
    ]


if __name__ == "__main__":
    main()
