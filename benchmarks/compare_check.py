"""Does `compare` name the best method without a truth, and do its intervals hold? Asked where the truth is known.

``python benchmarks/compare_check.py [--all] [--write docs/benchmarks]``
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from cases import discs, specks
from options import folder_to_write
from report import Table
from skimage import data

from skinpaint import compare, damage
from skinpaint.methods import METHODS
from skinpaint.scores import psnr

SIDE, SMALL_SIDE = 256, 128
NEAR = 0.1  # dB
DAMAGES: dict[str, Callable[[np.ndarray, int | None], np.ndarray]] = {
    "random 90 %": lambda image, axis: damage.random_pixels(image, 0.9, channel_axis=axis, rng=0)[1],
    "random 50 %": lambda image, axis: damage.random_pixels(image, 0.5, channel_axis=axis, rng=0)[1],
    "scratches 0.5 %": lambda image, axis: damage.scratches(image, 3, width=1, channel_axis=axis, rng=0)[1],
    "dust 0.5 %": lambda image, axis: specks(image.shape[:2], 0.005, 2.5, np.random.default_rng(0)),
    "text": lambda image, axis: damage.text(image, channel_axis=axis)[1],
    "scratches": lambda image, axis: damage.scratches(image, channel_axis=axis, rng=0)[1],
    "discs": lambda image, axis: discs(image.shape[:2], 0.05, 8, np.random.default_rng(0)),
}
IMAGES = (
    "camera", "coffee", "brick", "chelsea", "rocket", "hubble_deep_field", "retina", "cell", "coins", "page",
    "astronaut", "gravel", "grass", "moon",
)  # fmt: skip
QUICK = "laplace", "biharmonic", "gd", "dct"
HEAD = ("image", "damage", "first without a truth", "lead, dB", "draws", "truly best", "lost, dB", "bias, dB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"every image with every damage, small and by {', '.join(QUICK)}; otherwise two with each, by all methods",
    )
    parser.add_argument("--write", metavar="FOLDER", type=folder_to_write, help="where compare-check*.inc go")
    args = parser.parse_args()
    methods, side = (QUICK, SMALL_SIDE) if args.all else (tuple(METHODS), SIDE)
    trials = []
    for name, kind in pairs(everything=args.all):
        trials.append(Trial.of(name, kind, methods, side))
        print(*trials[-1].row, sep="\t", flush=True)
    table = Table(
        f"{side} x {side} crops; {', '.join(methods)}; seeds 0",
        HEAD,
        [each.row for each in trials],
    )
    summary = " ".join([
        told("All", trials),
        told("With a clear lead", [each for each in trials if not each.close]),
        told("Too close to call", [each for each in trials if each.close]),
        "Beyond that: " + (", ".join(each.failure for each in trials if each.loss > NEAR) or "none") + ".",
        f"Bias, {bias(trials)}: "
        + "; ".join(f"{kind} {bias([each for each in trials if each.kind == kind])}" for kind in DAMAGES) + ".",
        f"The true PSNR lies within ± in {np.mean([each.inside for each in trials]):.0%} of all rows.",
    ])  # fmt: skip
    print(f"\n{table}\n\n{summary}")
    if args.write and args.all:
        (args.write / "compare-check-all-summary.inc").write_text(f"{summary}\n", encoding="utf-8")
    elif args.write:
        (args.write / "compare-check.inc").write_text(f"{table.rst()}\n{summary}\n", encoding="utf-8")


def pairs(*, everything: bool) -> Iterator[tuple[str, str]]:
    """Two images for each damage, each image once; or all."""
    for i, name in enumerate(IMAGES):
        for j, kind in enumerate(DAMAGES):
            if everything or i // 2 == j:
                yield name, kind


@dataclass(frozen=True)
class Trial:
    """What comes of trusting the prediction, once."""

    kind: str
    row: list[str]
    close: bool  # to call
    loss: float  # dB
    bias: float  # of the predicted PSNR, mean over the methods
    inside: float  # share of the methods whose true PSNR lies within the interval

    @classmethod
    def of(cls, name: str, kind: str, methods: Sequence[str], side: int) -> Trial:
        truth = photograph(name, side)
        axis = -1 if truth.ndim == 3 else None
        mask = DAMAGES[kind](truth, axis)
        guess = compare(truth, mask, methods, channel_axis=axis)
        where = mask if axis is None else mask[..., np.newaxis]
        known = {entry.name: psnr(truth, entry.restored, where=where) for entry in guess.entries}
        best = max(known, key=known.get)
        loss = known[best] - known[guess.best.name]
        excess = np.array([entry.psnr - known[entry.name] for entry in guess.entries])
        margins = [entry.margin for entry in guess.entries]
        row = [
            name,
            kind,
            f"{guess.best.name}: {guess.best.psnr:.2f}",
            f"{guess.lead[0]:.2f} ± {guess.lead[1]:.2f}",
            f"{guess.draws}",
            f"{best}: {known[best]:.2f}",
            f"{loss:.2f}",
            f"{excess.mean():+.1f}",
        ]
        return cls(kind, row, guess.close, loss, float(excess.mean()), float(np.mean(np.abs(excess) <= margins)))

    @property
    def failure(self) -> str:
        return f"{self.row[0]} under {self.kind} ({self.loss:.2f} dB{', too close to call' if self.close else ''})"


def told(which: str, trials: list[Trial]) -> str:
    """How often the first was good enough."""
    losses = [each.loss for each in trials]
    near = sum(loss <= NEAR for loss in losses)
    if not losses:
        return f"{which}: none."
    return (
        f"{which}: in {near} of {len(losses)} the first is within {NEAR} dB of the best, {max(losses):.2f} dB is the "
        f"most that was lost, and {np.mean(losses):.2f} dB the mean."
    )


def bias(trials: list[Trial]) -> str:
    biases = [each.bias for each in trials]
    return f"{np.mean(biases):+.2f} ± {np.std(biases):.2f} dB"


def photograph(name: str, side: int) -> np.ndarray:
    """The middle of a picture that comes with scikit-image; `page` is less than 256 high."""
    image = getattr(data, name)()
    corner = [max(0, n - side) // 2 for n in image.shape[:2]]
    return image[tuple(slice(c, c + side) for c in corner)]


if __name__ == "__main__":
    main()
