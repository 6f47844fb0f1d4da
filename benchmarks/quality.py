"""How well every method and its peers restore what was there, and how long they take.

    python benchmarks/quality.py                                   # the natural images that scikit-image brings
    python benchmarks/quality.py --images FOLDER --size 512        # your own
    python benchmarks/quality.py --masks random --known 0.1 --methods dct,laplace

Images are made grey (unless ``--colour``), their central square is resized to ``--size``, and all get the same masks.
Every restorer sees the same ``uint8`` images and is timed as a whole, after one call to warm up. The table gives means
over the images: PSNR over the whole image, SSIM, seconds.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from time import perf_counter

import blas  # noqa: F401
import cv2
import machine
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from options import between, check_names, folder_to_write, listed, pictures, share
from PIL import Image
from report import OTHERS, OURS, Table, save
from scipy.interpolate import griddata
from scipy.ndimage import distance_transform_edt
from skimage import data
from skimage.metrics import structural_similarity
from skimage.restoration import inpaint_biharmonic

from skinpaint import SparseDCT, damage, inpaint
from skinpaint.methods import METHODS

Restore = Callable[[np.ndarray, np.ndarray], np.ndarray]

PHOTOGRAPHS = (
    "camera", "astronaut", "brick", "grass", "gravel", "coffee", "chelsea", "moon", "rocket", "coins", "motorcycle",
    "hubble_deep_field",
)  # fmt: skip
SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"}
MASKS = ("random", "text", "scratches", "holes")
RADII = (4, 4, 4, 8, 8, 12, 16)  # of the discs among the holes, at 256 x 256; and two squares of side 32
HEAD = ("", "PSNR", "worst", "SSIM", "seconds")


@dataclass(frozen=True)
class Score:
    """What one restorer reaches with one kind of mask."""

    name: str
    psnr: list[float]  # one an image
    ssim: list[float]
    seconds: list[float]


def main(words: Sequence[str] | None = None) -> None:
    """Score what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=pictures, metavar="FOLDER", help="photographs; otherwise scikit-image's")
    parser.add_argument("--known", type=share, nargs="+", default=[0.1, 0.2, 0.5], help="fractions, for random masks")
    parser.add_argument("--masks", type=listed, default=list(MASKS), help=",".join(MASKS))
    parser.add_argument("--methods", type=listed, help="only those whose names are listed")
    parser.add_argument("--size", type=between(64), default=256, help="side of the squares that images are resized to")
    parser.add_argument("--colour", action="store_true", help="keep the channels; peers that cannot are left out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=folder_to_write, metavar="FOLDER", help="for tables (.inc) and chart (.png)")
    asked = parser.parse_args(words)
    check_names(parser, "--masks", asked.masks, MASKS)
    entrants = participants(asked.colour)
    check_names(parser, "--methods", asked.methods, entrants)

    images = dict(load(asked.images, asked.size, asked.colour))
    restorers = {name: entrants[name] for name in entrants if name in (asked.methods or [name])}
    if not images:
        parser.error(f"argument --images: must be a folder with pictures. Got {str(asked.images)!r} instead.")
    print(machine.describe(), f"{len(images)} images: {', '.join(images)}", sep="\n", end="\n\n", flush=True)
    tables, panels = [], {}
    for title, mask in masks(asked.masks, asked.known, asked.size, asked.seed):
        scores = [score(name, restore, images, mask) for name, restore in restorers.items()]
        tables.append(table(f"{title}, {asked.size} x {asked.size}, means over {len(images)} images", scores))
        panels[title] = scores
        print(tables[-1], end="\n\n", flush=True)
    if asked.write:
        name = f"quality-{asked.size}{'-colour' if asked.colour else ''}"
        measured = f"{machine.describe()}. Images: {', '.join(images)}; seed {asked.seed}"
        save(asked.write / f"{name}.inc", measured, tables)
        chart(panels, asked.write / f"{name}.png")


def load(folder: Path | None, side: int, colour: bool) -> Iterator[tuple[str, np.ndarray]]:
    """The central square of every image, resized, as uint8."""
    if folder is None:
        sources = [(name, bundled(name)) for name in PHOTOGRAPHS]
    else:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        sources = [(path.stem, np.asarray(Image.open(path).convert("RGB"))) for path in paths]
    for name, array in sources:
        image = Image.fromarray(array).convert("RGB" if colour else "L")
        if colour and array.ndim == 2:
            continue
        width = min(image.size)
        left, top = ((n - width) // 2 for n in image.size)
        square = image.crop((left, top, left + width, top + width))
        yield name, np.asarray(square.resize((side, side), Image.Resampling.LANCZOS))


def bundled(name: str) -> np.ndarray:
    return data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()


def masks(kinds: Sequence[str], known: Sequence[float], side: int, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """What is missing, with a title; True where missing."""
    blank = np.zeros((side, side))
    for kind in kinds:
        if kind == "random":
            for fraction in known:
                yield f"{100 * fraction:g} % known", np.random.default_rng(seed).random(blank.shape) >= fraction
        elif kind == "text":
            yield "text", damage.text(blank)[1]
        elif kind == "scratches":
            yield "scratches", damage.scratches(blank, rng=seed)[1]
        else:
            yield "discs and squares", holes(side, seed)


def holes(side: int, seed: int) -> np.ndarray:
    """Discs of radius 4 to 16 and squares of side 32, more of them in larger images."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((side, side), bool)
    y, x = np.ogrid[:side, :side]
    for _ in range(max(1, (side // 256) ** 2)):
        for radius in RADII:
            i, j = rng.integers(0, side, 2)
            mask |= (y - i) ** 2 + (x - j) ** 2 <= radius**2
        for i, j in rng.integers(0, side - 32, (2, 2)):
            mask[i : i + 32, j : j + 32] = True
    return mask


def participants(colour: bool) -> dict[str, Restore]:
    """Every method of the library, its slower preset, and the peers."""
    axis = -1 if colour else None
    names = {name: partial(inpaint, method=name, channel_axis=axis) for name in METHODS}
    names["dct high"] = partial(inpaint, method=SparseDCT.high(), channel_axis=axis)
    peers: dict[str, Restore] = {
        "OpenCV Telea": partial(opencv, flag=cv2.INPAINT_TELEA),
        "OpenCV NS": partial(opencv, flag=cv2.INPAINT_NS),
        "scikit-image biharmonic": partial(biharmonic, channel_axis=axis),
        "griddata linear": partial(delaunay, method="linear"),
        "griddata cubic": partial(delaunay, method="cubic"),
    }
    if not colour:
        peers["OpenCV FSR_FAST"] = frequency_selective
    return names | peers


def opencv(image: np.ndarray, mask: np.ndarray, flag: int) -> np.ndarray:
    return cv2.inpaint(image, mask.astype(np.uint8), 3, flag)


def frequency_selective(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    out = np.zeros_like(image)
    cv2.xphoto.inpaint(image, 255 * (~mask).astype(np.uint8), out, cv2.xphoto.INPAINT_FSR_FAST)
    return out


def biharmonic(image: np.ndarray, mask: np.ndarray, channel_axis: int | None) -> np.ndarray:
    filled = inpaint_biharmonic(image, mask, channel_axis=channel_axis)  # integers come back as floats in [0, 1]
    return np.rint(255 * filled).astype(np.uint8)


def delaunay(image: np.ndarray, mask: np.ndarray, method: str) -> np.ndarray:
    """Piecewise polynomials on triangles; outside of them the nearest known pixel."""
    filled = griddata(np.argwhere(~mask), image[~mask].astype(float), np.argwhere(mask), method=method)
    nearest = distance_transform_edt(mask, return_distances=False, return_indices=True)
    outside = np.isnan(filled)
    filled[outside] = image[tuple(nearest)][mask][outside]
    out = image.copy()
    out[mask] = np.clip(np.rint(filled), 0, 255)
    return out


def score(name: str, restore: Restore, images: dict[str, np.ndarray], mask: np.ndarray) -> Score:
    """Restore all images; the first one twice, to load and compile what there is to load."""
    result = Score(name, [], [], [])
    for number, image in enumerate(images.values()):
        wide = mask.reshape(mask.shape + (1,) * (image.ndim - 2))
        damaged = np.where(wide, np.uint8(0), image)
        for _ in range(2 if number == 0 else 1):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                began = perf_counter()
                restored = restore(damaged, mask)
                seconds = perf_counter() - began
        error = np.mean((restored.astype(float) - image) ** 2)
        result.psnr.append(10 * np.log10(255**2 / max(error, 1e-10)))
        axis = -1 if image.ndim == 3 else None
        result.ssim.append(structural_similarity(image, restored, data_range=255, channel_axis=axis))
        result.seconds.append(seconds)
    return result


def table(title: str, scores: Sequence[Score]) -> Table:
    """The best PSNR first."""
    rows = [
        [
            each.name,
            f"{np.mean(each.psnr):.2f} dB",
            f"{np.min(each.psnr):.2f} dB",
            f"{np.mean(each.ssim):.4f}",
            f"{np.mean(each.seconds):.3g}",
        ]
        for each in sorted(scores, key=lambda each: -np.mean(each.psnr))
    ]
    return Table(title, HEAD, rows)


def chart(panels: dict[str, list[Score]], path: Path) -> None:
    """Quality over time, and the front of those that nobody beats in both."""
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.4 * columns, 3.8 * rows), layout="constrained")
    for axes in figure.subplots(rows, columns, squeeze=False).flat[len(panels) :]:
        axes.remove()
    for axes, (title, scores) in zip(figure.axes, panels.items(), strict=True):
        points = sorted((float(np.mean(each.seconds)), float(np.mean(each.psnr)), each.name) for each in scores)
        for seconds, psnr, name in points:
            axes.plot(seconds, psnr, "o", color=OURS if name in METHODS or name == "dct high" else OTHERS)
        front = [point for k, point in enumerate(points) if all(point[1] > other[1] for other in points[:k])]
        axes.step([point[0] for point in front], [point[1] for point in front], where="post", color=OURS, alpha=0.4)
        axes.set(xscale="log", title=title, xlabel="seconds", ylabel="PSNR, dB")
        axes.margins(x=0.3, y=0.15)
        axes.spines[["top", "right"]].set_visible(False)
    figure.draw_without_rendering()  # where everything is, names look for a place
    for axes, scores in zip(figure.axes, panels.values(), strict=True):
        name_points(axes, [(float(np.mean(each.seconds)), float(np.mean(each.psnr)), each.name) for each in scores])
    figure.savefig(path, dpi=110)


def name_points(axes: Axes, points: list[tuple[float, float, str]]) -> None:
    """Write every point's name beside it, where there is neither a name nor a point nor an axis."""
    places = axes.transData.transform([point[:2] for point in points])
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in places]
    for seconds, psnr, name in points:
        for away, above in sorted(product((5, -5, 14, -14), (3, -3, 12, -12, 21, -21)), key=lambda at: np.hypot(*at)):
            text = axes.annotate(
                name,
                (seconds, psnr),
                xytext=(away, above),
                textcoords="offset points",
                ha="left" if away > 0 else "right",
                va="bottom" if above > 0 else "top",
                fontsize="x-small",
            )
            box = text.get_window_extent()
            if (box.min > axes.bbox.min).all() and not any(box.overlaps(other) for other in taken):
                break
            text.remove()
        else:
            axes.add_artist(text)
        taken.append(box)


if __name__ == "__main__":
    main()
