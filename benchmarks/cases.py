"""The trials: natural images and volumes of any size, and masks of each kind; every seed gives a new one."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from PIL import Image
from skimage import data
from skimage.color import rgb2gray

from skinpaint import damage

__all__ = ["KINDS", "PHOTOGRAPHS", "Case", "discs", "make", "photograph", "photographs", "specks"]

PHOTOGRAPHS = "camera", "astronaut", "brick", "coffee", "grass", "rocket", "gravel", "chelsea", "moon", "retina"
COLOURED = "astronaut", "coffee", "rocket", "chelsea"
TILE = 1000  # side to which a photograph is resized; larger images are mosaics of different ones

KINDS = {
    "random": "90 % missing at random",
    "hole": "one square hole, 0.4 of the side",
    "discs": "2.5 % missing in discs of radius 8",
    "volume": "volume, 50 % missing at random",
    "volume-hole": "volume, one cubic hole, 0.39 of the side",
    "margin": "one square hole in a margin of 20 pixels",
    "pixel": "one missing pixel",
    "text": "lines of text",
    "scratches": "20 scratches",
    "scratches-14": "14 scratches, 2.6 %",
    "scratches-11": "11 scratches, 2 %",
    "dust": "specks of up to 7 pixels, 2.5 %",
    "few": "5 % missing at random",
}


@dataclass(frozen=True, eq=False)
class Case:
    """An image whose truth is known, and what is missing in it."""

    image: np.ndarray
    mask: np.ndarray


def make(kind: str, side: int, seed: int, *, colour: bool = False) -> Case:
    """Make a case of one of :data:`KINDS`; `side` is the length of every axis, and a mask is for all colours."""
    rng = np.random.default_rng(seed)
    if kind.startswith("volume"):
        image = volume(side, rng)
    else:
        image = photographs(side, rng, COLOURED if colour else PHOTOGRAPHS, colour=colour)
    shape, extent = image.shape[:2] if colour else image.shape, {"hole": 0.4, "volume-hole": 100 / 256}
    if kind in ("random", "volume"):
        return Case(image, rng.random(shape, np.float32) < (0.9 if kind == "random" else 0.5))
    if kind == "few":
        return Case(image, rng.random(shape) < 0.05)
    if kind == "discs":
        return Case(image, discs(shape, 0.025, 8, rng))
    if kind == "dust":
        return Case(image, discs(shape, 0.02, 3, rng) | (rng.random(shape) < 0.005))
    if kind == "text":
        _, mask = damage.text(np.zeros(shape))
        return Case(image, np.roll(mask, rng.integers(shape), (0, 1)))
    if kind.startswith("scratches"):
        return Case(image, damage.scratches(np.zeros(shape), int(kind.partition("-")[2] or 20), rng=rng)[1])
    mask = np.zeros(shape, bool)
    if kind == "margin":
        mask[20:-20, 20:-20] = True
    elif kind == "pixel":
        mask[tuple(rng.integers(shape))] = True
    else:
        width = round(extent[kind] * side)
        mask[tuple(slice(c, c + width) for c in rng.integers(1, side - width, len(shape)))] = True
    return Case(image, mask)


def photographs(side: int, rng: np.random.Generator, names: tuple[str, ...], *, colour: bool) -> np.ndarray:
    """Photographs from scikit-image, each resized to a tile, side by side in random order."""
    tile = min(side, TILE)
    count = -(-side // tile)
    tiles = [photograph(name, tile, colour=colour) for name in rng.permutation(names)[: count**2]]
    rows = [np.hstack([tiles[(i * count + j) % len(tiles)] for j in range(count)]) for i in range(count)]
    return np.vstack(rows)[:side, :side].copy()


def photograph(name: str, side: int, *, colour: bool = False) -> np.ndarray:
    """One of the photographs, its central square, as uint8."""
    image = getattr(data, name)()
    if image.ndim == 3 and not colour:
        image = np.rint(255 * rgb2gray(image)).astype(np.uint8)
    width = min(image.shape[:2])
    corner = [(n - width) // 2 for n in image.shape[:2]]
    square = image[tuple(slice(c, c + width) for c in corner)]
    return np.asarray(Image.fromarray(square).resize((side, side), Image.Resampling.BICUBIC))


def volume(side: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth waves in random directions and noise of 1 %, as float32 in about [0, 1]."""
    axis = np.linspace(0, 2 * pi, side, dtype=np.float32)
    out = np.full((side,) * 3, 0.5, np.float32)
    for amplitude in (0.2, 0.15, 0.1):
        waves = (np.sin(rng.uniform(0.5, 4) * axis + rng.uniform(0, 2 * pi)) for _ in range(3))
        x, y, z = (wave.astype(np.float32) for wave in waves)
        out += np.float32(amplitude) * x[:, None, None] * y[:, None] * z
    out += np.float32(0.01) * rng.standard_normal(out.shape, np.float32)
    return out


def specks(shape: tuple[int, ...], fraction: float, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Small discs of radius 0.5 to `radius` at random places until `fraction` is covered."""
    i, j = np.indices(shape)
    mask = np.zeros(shape, bool)
    while np.count_nonzero(mask) < fraction * mask.size:
        y, x = (rng.uniform(0, n) for n in shape)
        mask |= (i - y) ** 2 + (j - x) ** 2 <= rng.uniform(0.5, radius) ** 2
    return mask


def discs(shape: tuple[int, ...], fraction: float, radius: int, rng: np.random.Generator) -> np.ndarray:
    """Discs at random places until `fraction` is covered."""
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disc = y**2 + x**2 <= radius**2
    mask = np.zeros(shape, bool)
    while np.count_nonzero(mask) < fraction * mask.size:
        i, j = (int(rng.integers(0, n - 2 * radius)) for n in shape)
        mask[i : i + 2 * radius + 1, j : j + 2 * radius + 1] |= disc
    return mask
