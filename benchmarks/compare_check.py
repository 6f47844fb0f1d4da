"""Does `compare` name the best method without a truth? Asked of pictures whose truth is known.

``python benchmarks/compare_check.py [--all] [--write docs/benchmarks]``
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from cases import discs
from report import Table
from skimage import data

from skinpaint import compare, damage
from skinpaint.methods import METHODS

SIDE = 256
NEAR = 0.1  # dB
DAMAGES: dict[str, Callable[[np.ndarray, int | None], np.ndarray]] = {
    "random 90 %": lambda image, axis: damage.random_pixels(image, 0.9, channel_axis=axis, rng=0)[1],
    "random 50 %": lambda image, axis: damage.random_pixels(image, 0.5, channel_axis=axis, rng=0)[1],
    "text": lambda image, axis: damage.text(image, channel_axis=axis)[1],
    "scratches": lambda image, axis: damage.scratches(image, channel_axis=axis, rng=0)[1],
    "discs": lambda image, axis: discs(image.shape[:2], 0.05, 8, np.random.default_rng(0)),
}
IMAGES = "camera", "coffee", "brick", "chelsea", "coins", "page", "astronaut", "gravel", "grass", "moon"
HEAD = ("image", "damage", "first without a truth", "truly best", "lost, dB", "bias, dB", "spread, dB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="every image with every damage; otherwise ten pairs")
    parser.add_argument("--write", metavar="FOLDER", type=Path, help="where compare-check.inc goes")
    args = parser.parse_args()
    rows, losses, biases = [], [], dict[str, list[float]]()
    for name, kind in pairs(everything=args.all):
        row, loss, bias = trial(name, kind)
        rows.append(row)
        losses.append(loss)
        biases.setdefault(kind, []).append(bias)
        print(*row, sep="\t", flush=True)
    table = Table(f"{SIDE} x {SIDE} crops; {', '.join(METHODS)}; seeds 0", HEAD, rows)
    near = sum(loss <= NEAR for loss in losses)
    summary = (
        f"In {near} of {len(losses)} pairs the first is within {NEAR} dB of the best; the most that was lost is "
        f"{max(losses):.2f} dB, the mean {np.mean(losses):.2f} dB. Bias, its mean and its standard deviation: "
        + "; ".join(f"{kind} {np.mean(each):+.2f} ± {np.std(each):.2f} dB" for kind, each in biases.items())
        + "."
    )
    print(f"\n{table}\n\n{summary}")
    if args.write:
        name = f"compare-check{'-all' if args.all else ''}.inc"
        (args.write / name).write_text(f"{table.rst()}\n{summary}\n")


def pairs(*, everything: bool) -> Iterator[tuple[str, str]]:
    """Ten pairs, two for each damage, each image once; or all."""
    for i, name in enumerate(IMAGES):
        for j, kind in enumerate(DAMAGES):
            if everything or i // 2 == j:
                yield name, kind


def trial(name: str, kind: str) -> tuple[list[str], float, float]:
    """One row, what was lost by trusting the prediction, and how much too high the predictions are on average."""
    truth = photograph(name)
    axis = -1 if truth.ndim == 3 else None
    mask = DAMAGES[kind](truth, axis)
    guess = compare(truth, mask, channel_axis=axis)
    known = compare(truth, mask, truth=truth, channel_axis=axis)
    loss = known.best.psnr - known[guess.best.name].psnr
    excess = [guess[each].psnr - known[each].psnr for each in METHODS]
    row = [
        name,
        kind,
        f"{guess.best.name}: {guess.best.psnr:.2f}",
        f"{known.best.name}: {known.best.psnr:.2f}",
        f"{loss:.2f}",
        f"{np.mean(excess):+.1f}",
        f"{np.ptp(excess):.1f}",
    ]
    return row, loss, float(np.mean(excess))


def photograph(name: str) -> np.ndarray:
    """The middle of a picture that comes with scikit-image; `page` is less than 256 high."""
    image = getattr(data, name)()
    corner = [max(0, n - SIDE) // 2 for n in image.shape[:2]]
    return image[tuple(slice(c, c + SIDE) for c in corner)]


if __name__ == "__main__":
    main()
