"""Peak memory of every method beyond the image, the mask and the libraries, in bytes a pixel.

    python benchmarks/footprint.py
    python benchmarks/footprint.py --methods laplace dct --side 2000 --write docs/benchmarks

Each figure is that of one call in a new process, minus that of the same process without the call. The restored image
counts as well: it takes a byte for each value of ``uint8``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import machine
from cases import KINDS, make
from measure import memory
from options import between, folder_to_write
from report import Table, save

from skinpaint.methods import METHODS

CASES = (("random", False), ("scratches-11", False), ("scratches-11", True))


def bytes_a_pixel(method: str, kind: str, side: int, *, colour: bool) -> float:
    """The memory that a restoration takes at its peak, for each pixel."""
    case = make(kind, side, seed=0, colour=colour)
    return memory(method, "ours", kind, case) / case.mask.size


def main(words: Sequence[str] | None = None) -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", choices=METHODS, nargs="+", default=METHODS)
    parser.add_argument("--side", type=between(32), default=1000)
    parser.add_argument("--write", type=folder_to_write, metavar="FOLDER", help="for the table, memory.inc")
    asked = parser.parse_args(words)
    rows = []
    for method in asked.methods:
        found = [bytes_a_pixel(method, kind, asked.side, colour=colour) for kind, colour in CASES]
        rows.append([f'``"{method}"``', *(f"{figure:.0f}" for figure in found)])
        print("  ".join(rows[-1]), flush=True)
    head = ("method", *(f"{KINDS[kind]}{', RGB' * colour}" for kind, colour in CASES))
    table = Table(f"Bytes a pixel, {asked.side} x {asked.side}", head, rows)
    print(f"\n{table}")
    if asked.write:
        save(asked.write / "memory.inc", machine.describe(), [table])


if __name__ == "__main__":
    main()
