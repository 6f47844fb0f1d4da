"""Large holes: how near the texture of the fill is to the truth, for "exemplar" and its peers, with pictures.

    python benchmarks/exemplar.py                                  # images of scikit-image, 48, 96, 160 pixels
    python benchmarks/exemplar.py --images FOLDER --sizes 96       # your own
    python benchmarks/exemplar.py --write FOLDER                   # tables (.inc) and sheets (.jpg)

The central square of each image is resized to 512 x 512. The shapes of the holes take turns: square, blob, horse.
PSNR does not judge texture, so the table gives: the sliced Wasserstein distance of the 7 x 7 patches within the fill to
those of the truth there, and to those of the rest of the image, both times 1000; the largest ratio of the former to
that of "laplace"; the largest difference across the seam, as a multiple of that of the truth (geometric mean);
MS-SSIM of the whole image; seconds, of G'MIC with the start of its process and two small files. Peers that are not
installed are left out.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter

import blas  # noqa: F401
import cv2
import machine
import numpy as np
import quality
from matplotlib.figure import Figure
from numpy.lib.stride_tricks import sliding_window_view
from options import between, check_names, folder_to_write, listed, pictures
from PIL import Image
from report import Table, save
from scipy.ndimage import gaussian_filter, zoom
from skimage import data

from skinpaint import inpaint

SIDE, PATCH, DIRECTIONS = 512, 7, 128
SHAPES = "square", "blob", "horse"
NAMES = (
    "brick", "grass", "gravel", "astronaut", "coffee", "chelsea", "rocket", "motorcycle", "retina", "camera",
    "hubble_deep_field", "moon",
)  # fmt: skip
HEAD = "", "to truth", "worst / laplace", "to the rest", "seam", "MS-SSIM", "seconds"
SCALE_WEIGHTS = 0.0448, 0.2856, 0.3001, 0.2363, 0.1333  # of the five scales of MS-SSIM

Restore = Callable[[np.ndarray, np.ndarray], np.ndarray]


def main(words: Sequence[str] | None = None) -> None:
    """Fill what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=pictures, metavar="FOLDER", help="photographs; otherwise scikit-image's")
    parser.add_argument("--names", type=listed, help="only these images")
    parser.add_argument("--sizes", type=between(32, SIDE - 33), nargs="+", default=[48, 96, 160])
    parser.add_argument("--methods", type=listed, help="only those whose names are listed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=folder_to_write, metavar="FOLDER", help="for tables (.inc) and sheets (.jpg)")
    asked = parser.parse_args(words)
    names = restorers()
    check_names(parser, "--methods", asked.methods, names)
    chosen = {name: names[name] for name in names if name in (asked.methods or [name])}
    images = dict(load(asked.images))
    if not images:
        parser.error(f"argument --images: must be a folder with pictures. Got {str(asked.images)!r} instead.")
    check_names(parser, "--names", asked.names, images)
    images = {name: image for name, image in images.items() if name in (asked.names or images)}
    print(machine.describe(), f"{len(images)} images: {', '.join(images)}", sep="\n", end="\n\n", flush=True)
    tables, everything = [], []
    for size in asked.sizes:
        rows = [case(key, image, mask, chosen) for key, image, mask in holes(images, size, asked.seed)]
        everything += rows
        tables.append(table(f"Holes of {size} pixels in {SIDE} x {SIDE}, means over {len(rows)} images", rows))
        print(tables[-1], end="\n\n", flush=True)
        if asked.write:
            sheet(rows, asked.write / f"exemplar-{size}.jpg")
    tables.append(table(f"All {len(everything)} holes", everything))
    print(tables[-1], each(everything), sep="\n\n", flush=True)
    if asked.write:
        measured = f"{machine.describe()}. Images: {', '.join(images)}; seed {asked.seed}"
        save(asked.write / "exemplar.inc", measured, [*tables, each(everything)])


def load(folder: Path | None) -> Iterator[tuple[str, np.ndarray]]:
    """The central squares, grey or in colour as they came."""
    if folder is None:
        sources = [(name, quality.bundled(name)) for name in NAMES]
    else:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in quality.SUFFIXES)
        sources = [(path.stem, np.asarray(Image.open(path).convert("RGB"))) for path in paths]
    for name, array in sources:
        image = Image.fromarray(array)
        width = min(image.size)
        left, top = ((n - width) // 2 for n in image.size)
        square = image.crop((left, top, left + width, top + width)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        yield name, np.atleast_3d(np.asarray(square))


def holes(images: dict[str, np.ndarray], size: int, seed: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """A hole for each image, where chance puts it."""
    for number, (name, image) in enumerate(images.items()):
        rng = np.random.default_rng((seed, number, size))
        kind = SHAPES[(number + size // 48) % len(SHAPES)]
        inner = shape(kind, size, rng)
        top, left = (int(rng.integers(16, SIDE - n - 16)) for n in inner.shape)
        mask = np.zeros((SIDE, SIDE), bool)
        mask[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        yield f"{name}, {kind}", image, mask


def shape(kind: str, size: int, rng: np.random.Generator) -> np.ndarray:
    if kind == "square":
        return np.ones((size, size), bool)
    if kind == "horse":
        horse = ~np.asarray(data.horse()).astype(bool)
        rows, columns = (np.flatnonzero(horse.any(axis=axis)) for axis in (1, 0))
        horse = horse[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return zoom(horse.astype(float), size / max(horse.shape), order=1) > 0.5
    i, j = np.ogrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    bumps = gaussian_filter(rng.standard_normal((size, size)), size / 8)
    return np.asarray(np.hypot(i, j) + 0.15 * bumps / bumps.std() < 0.8)


def restorers() -> dict[str, Restore]:
    """Ours, and the peers that are installed."""
    found: dict[str, Restore] = {
        "exemplar": partial(inpaint, method="exemplar", channel_axis=-1),
        "laplace": partial(inpaint, method="laplace", channel_axis=-1),
        "dct": partial(inpaint, method="dct", channel_axis=-1),
        "OpenCV Telea": lambda image, mask: quality.opencv(image, mask, cv2.INPAINT_TELEA).reshape(image.shape),
        "scikit-image biharmonic": partial(quality.biharmonic, channel_axis=-1),
    }
    if hasattr(cv2, "xphoto"):
        found["OpenCV SHIFTMAP"] = shift_map
    if shutil.which("gmic"):
        found["G'MIC inpaint_matchpatch"] = partial(gmic, command="inpaint_matchpatch")
        found["G'MIC inpaint"] = partial(gmic, command="inpaint")
    return found


def shift_map(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """It takes three channels, which should be those of Lab."""
    lab = cv2.cvtColor(colour(image), cv2.COLOR_RGB2Lab)
    out = np.zeros_like(lab)
    cv2.xphoto.inpaint(lab, 255 * (~mask).astype(np.uint8), out, cv2.xphoto.INPAINT_SHIFTMAP)
    return merged(image, mask, cv2.cvtColor(out, cv2.COLOR_Lab2RGB))


def gmic(image: np.ndarray, mask: np.ndarray, command: str) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        Image.fromarray(image if image.shape[-1] == 3 else image[..., 0]).save(here / "image.png")
        Image.fromarray(255 * mask.astype(np.uint8)).save(here / "mask.png")
        words = [f"{command}[0]", "[1]", "keep[0]", "round", "cut", "0,255", "output", str(here / "out.png")]
        subprocess.run(
            ["gmic", "v", "-1", str(here / "image.png"), str(here / "mask.png"), *words],
            check=True,
            capture_output=True,
        )
        return merged(image, mask, np.atleast_3d(np.asarray(Image.open(here / "out.png"))))


def colour(image: np.ndarray) -> np.ndarray:
    return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image


def merged(image: np.ndarray, mask: np.ndarray, filled: np.ndarray) -> np.ndarray:
    return np.where(mask[..., None], filled[..., : image.shape[-1]], image)


def case(key: str, image: np.ndarray, mask: np.ndarray, chosen: dict[str, Restore]) -> dict:
    """Fill one hole by all, and measure."""
    damaged = np.where(mask[..., None], np.uint8(0), image)
    inside, rest = patches(image, mask), patches(image, ~mask)[::7]
    row = {"key": key, "image": image, "mask": mask, "pictures": {}, "scores": {}}
    for name, restore in chosen.items():
        if name not in _warm:
            _warm.add(name)
            restore(damaged, mask)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            began = perf_counter()
            filled = restore(damaged, mask)
            seconds = perf_counter() - began
        here = patches(filled, mask)
        seam = step_across(filled, mask) / max(step_across(image, mask), 1)
        scores = distance(here, inside), distance(here, rest), seam, ms_ssim(image, filled), seconds
        row["pictures"][name], row["scores"][name] = filled, scores
    return row


_warm: set[str] = set()


def patches(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """All patches that lie within `where`, one a row, in [0, 1]."""
    within = sliding_window_view(where, (PATCH, PATCH)).all(axis=(2, 3))
    windows = sliding_window_view(image, (PATCH, PATCH), axis=(0, 1))
    return windows[within].reshape(np.count_nonzero(within), -1).astype(np.float32) / 255


def distance(some: np.ndarray, others: np.ndarray) -> float:
    """The sliced Wasserstein distance: the mean over directions of that of the projections, by 200 quantiles."""
    directions = np.random.default_rng(0).standard_normal((some.shape[1], DIRECTIONS)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=0)
    levels = (np.arange(200) + 0.5) / 200
    quantiles = [np.quantile(each @ directions, levels, axis=0) for each in (some, others)]
    return float(np.abs(quantiles[0] - quantiles[1]).mean())


def step_across(image: np.ndarray, mask: np.ndarray) -> float:
    """The largest difference between a pixel inside and one outside."""
    steps = [np.abs(np.diff(image.astype(int), axis=axis)).max(axis=-1)[np.diff(mask, axis=axis)] for axis in (0, 1)]
    return float(np.concatenate(steps).max())


def ms_ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Multi-scale structural similarity of the means of the channels.

    Z. Wang, E. P. Simoncelli and A. C. Bovik (2003). :doi:`10.1109/ACSSC.2003.1292216`
    """
    x, y = (each.mean(axis=-1) for each in (one, other))
    total = 1.0
    for k, weight in enumerate(SCALE_WEIGHTS):
        blur = partial(gaussian_filter, sigma=1.5, truncate=3.5)
        mx, my = blur(x), blur(y)
        contrast = (2 * (blur(x * y) - mx * my) + 58.5) / (blur(x * x) - mx**2 + blur(y * y) - my**2 + 58.5)
        light = (2 * mx * my + 6.5) / (mx**2 + my**2 + 6.5)
        last = k == len(SCALE_WEIGHTS) - 1
        total *= max(float(np.mean(contrast * light if last else contrast)), 0.0) ** weight
        x, y = (each.reshape(len(each) // 2, 2, -1, 2).mean(axis=(1, 3)) for each in (x, y))
    return total


def table(title: str, rows: list[dict]) -> Table:
    """Means over the holes; the nearest to the truth first."""
    lines = []
    for name in rows[0]["scores"]:
        truth, rest, seam, ssim, seconds = np.transpose([row["scores"][name] for row in rows])
        base = [row["scores"].get("laplace", (np.nan,))[0] for row in rows]
        worst = max(truth / base)
        figures = f"{1000 * truth.mean():.1f}", f"{worst:.2f}", f"{1000 * rest.mean():.1f}"
        seams = np.exp(np.mean(np.log(np.maximum(seam, 0.01))))
        lines.append([name, *figures, f"{seams:.2f}", f"{ssim.mean():.4f}", f"{seconds.mean():.2f}"])
    return Table(title, HEAD, sorted(lines, key=lambda line: float(line[1])))


def each(rows: list[dict]) -> Table:
    """The distance to the truth of each image, the mean over its holes."""
    names = list(rows[0]["scores"])
    images = list(dict.fromkeys(row["key"].split(",")[0] for row in rows))
    lines = []
    for image in images:
        own = [row for row in rows if row["key"].split(",")[0] == image]
        lines.append([image, *(f"{1000 * np.mean([row['scores'][name][0] for row in own]):.1f}" for name in names)])
    return Table("Distance to the truth, times 1000", ["", *names], lines)


def sheet(rows: list[dict], path: Path) -> None:
    """One row a hole, one column a method: the hole and what is around it."""
    names = list(rows[0]["pictures"])
    figure = Figure(figsize=(1.5 * (len(names) + 2), 1.55 * len(rows) + 0.3), layout="constrained")
    grid = figure.subplots(len(rows), len(names) + 2, squeeze=False)
    for line, row in zip(grid, rows, strict=True):
        places = [np.flatnonzero(row["mask"].any(axis=axis)) for axis in (1, 0)]
        reach = max(np.ptp(i) for i in places) * 3 // 4
        box = tuple(slice(max(0, i[0] - reach), i[-1] + reach) for i in places)
        damaged = np.where(row["mask"][..., None], np.uint8(255), row["image"])
        for axes, picture in zip(line, [damaged, row["image"], *row["pictures"].values()], strict=True):
            axes.imshow(colour(picture)[box])
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(row["key"], fontsize=6)
    for axes, name in zip(grid[0], ["damaged", "truth", *names], strict=True):
        axes.set_title(name.replace(" ", "\n", 1), fontsize=7)
    figure.savefig(path, dpi=110, pil_kwargs={"quality": 85})


if __name__ == "__main__":
    main()
