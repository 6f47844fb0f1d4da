"""Known patches that are copied into holes: texture features, scales from coarse to fine, and matches on each scale."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from skinpaint.grid.patches.kernels_exemplars import search, vote
from skinpaint.grid.threads import SOLVE_COST, share

__all__ = ["Scale", "Scene", "depth", "scales", "textures"]

PIECE = 1024  # targets that are scanned one after another
FEW = 64  # if fewer patches are fully known, known centres will do
PEEL_SCANS = 6
LAYER = 2  # pixels that are peeled at a time
SOFTNESS = 0.3  # of votes: distances above the least one, relative to their mean, at which a vote falls to 1 / e
FADING = 0.65  # of the weights of missing pixels in a distance, from one layer to the next
LEAST_WEIGHT = 0.1
MIN_SIDES = 4  # sides of a patch that fit into the coarsest scale


@dataclass(frozen=True, eq=False)
class Scene:
    """An image with holes at one scale.

    Attributes
    ----------
    x : ndarray of float32, shape (A, J, X, F)
        The image and its features.
    missing, source : ndarray of bool, shape (A, J, X)
        True where missing, and True where patches may be taken from.
    """

    x: np.ndarray
    missing: np.ndarray
    source: np.ndarray

    def half(self) -> Scene:
        """Half as large: means of known pixels, missing where all are, and a source where all are."""
        known = ~self.missing
        count = _sums(known[..., None])
        x = _sums(np.where(known[..., None], self.x, 0)) / np.maximum(count, 1)
        whole = ~_sums(~self.source[..., None]).astype(bool)
        return Scene(x, count[..., 0] == 0, whole[..., 0])

    def twice(self, x: np.ndarray) -> np.ndarray:
        """What is missing here as it is in `x`, which is half as large; the rest as it is."""
        for axis, n in enumerate(self.missing.shape):
            if n > 1:
                x = x.repeat(2, axis).take(range(n), axis)
        return np.where(self.missing[..., None], x, self.x)


def scales(scene: Scene, side: int) -> list[Scene]:
    """The scales of an image, the finest first; the coarsest is that where patches reach across the holes.

    Examples
    --------
    >>> x, mask = np.zeros((256, 1, 256, 1), np.float32), np.zeros((256, 1, 256), bool)
    >>> mask[100:160, :, 90:150] = True
    >>> [scale.missing.shape for scale in scales(Scene(x, mask, ~mask), 7)]
    [(256, 1, 256), (128, 1, 128), (64, 1, 64), (32, 1, 32)]
    """
    found = [scene]
    width = 2 * int(depth(scene.missing).max(initial=0))
    while width > side + 2 and min(n for n in found[-1].missing.shape if n > 1) >= 2 * MIN_SIDES * side:
        coarse = found[-1].half()
        if not (coarse.source & ~coarse.missing).any():
            break
        found.append(coarse)
        width //= 2
    return found


def textures(x: np.ndarray, missing: np.ndarray, width: int) -> np.ndarray:
    """The mean absolute difference of neighbours along each long axis, in windows of known pixels of this width.

    Distances that contain it tell rough patches from flat ones also on scales where both are flat.

    Examples
    --------
    >>> x = np.array([0, 1, 0, 1, 0, 0, 0, 0], np.float32).reshape(1, 1, 8, 1)
    >>> textures(x, np.zeros((1, 1, 8), bool), 2)[0, 0, :, 0]
    array([1. , 1. , 1. , 1. , 0.5, 0. , 0. , 0. ], dtype=float32)
    """
    from scipy.ndimage import uniform_filter

    grey, known = x.mean(axis=-1), ~missing
    window = partial(uniform_filter, size=[width if n > 1 else 1 for n in grey.shape])
    means = []
    for axis, n in enumerate(grey.shape):
        if n > 1:
            behind, ahead = _ends(axis)
            both, steps = np.zeros_like(grey), np.zeros_like(grey)
            both[behind] = known[behind] & known[ahead]
            steps[behind] = np.abs(grey[ahead] - grey[behind])
            means.append(window(steps * both) / np.maximum(window(both), np.float32(1e-6)))
    return np.stack(means, axis=-1)


def depth(missing: np.ndarray) -> np.ndarray:
    """Layers from the known pixels, counted from 1; 0 where known. The image goes on beyond its borders."""
    from scipy.ndimage import distance_transform_cdt

    if missing.all():
        return np.ones(missing.shape, np.int32)
    padded = np.pad(missing, [(int(n > 1), int(n > 1)) for n in missing.shape], mode="edge")
    inner = tuple(slice(1, -1) if n > 1 else slice(None) for n in missing.shape)
    found: np.ndarray = distance_transform_cdt(padded, "chessboard")[inner]
    return found


@dataclass(eq=False)
class Scale:
    """The patches of a scene that miss something, and the known patch that each matches best.

    Attributes
    ----------
    scene : Scene
        What is filled, in place.
    side : int
        The side of a patch, odd.
    seed : int
        Of the random numbers.
    """

    scene: Scene
    side: int
    seed: int
    scans: int = field(init=False, default=0)
    found: np.ndarray = field(init=False)  # the match of each target patch, and its distance
    cost: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        scene = self.scene
        self.shape = scene.missing.shape
        self.radius = tuple(min(self.side // 2, (n - 1) // 2) for n in self.shape)
        self.known = scene.source & ~scene.missing
        self.usable = self._inside(~self._reached(~self.known))
        if np.count_nonzero(self.usable) < FEW:
            self.usable = self._inside(self.known)
        self.pool = np.flatnonzero(self.usable).astype(np.int32)
        self.depth = depth(scene.missing)
        self.weight = np.ones_like(scene.x)
        self.rng = np.random.default_rng((self.seed, *self.shape))
        self._aim(scene.missing, self._inside(self._reached(scene.missing)))

    @property
    def possible(self) -> bool:
        """Whether there is anything to copy, and anywhere to copy it to."""
        return self.pool.size > 0 and self.at.size > 0

    def peel(self) -> None:
        """Fill from the outside, layer by layer. What is not yet filled does not count in the distances."""
        for first in range(1, int(self.depth.max()) + 1, LAYER):
            filled, reach = self.depth < first, self.depth < first + LAYER
            self._aim(reach & ~filled, self._inside(self._reached(reach & ~filled)) & reach)
            if self.at.size:
                self._weigh(filled)
                self.improve(PEEL_SCANS)
                self.vote(copy=False)
        self._aim(self.scene.missing, self._inside(self._reached(self.scene.missing)))
        self._lean()

    def follow(self, coarse: Scale) -> None:
        """Begin with the matches of the next coarser scale, or at random where they cannot be taken over."""
        factor = np.array([[2 if n > c else 1] for n, c in zip(self.shape, coarse.shape, strict=True)])
        places = np.stack(np.unravel_index(self.at, self.shape))
        above = coarse._clip(places // factor)
        slots = coarse.slot[np.ravel_multi_index(tuple(above), coarse.shape)]
        has = slots >= 0
        there = np.stack(np.unravel_index(coarse.found[slots[has]], coarse.shape))
        source = self._clip((there - above[:, has]) * factor + places[:, has])
        flat = np.ravel_multi_index(tuple(source), self.shape)
        good = self.usable.ravel()[flat] & (flat != self.at[has])
        self.found[np.flatnonzero(has)[good]] = flat[good]
        self.cost[:] = 1
        self._lean()
        self.vote(copy=False)

    def improve(self, count: int) -> None:
        """Improve the matches by so many scans."""
        where = self.shape, self.radius, self.at, self.slot, self.usable.reshape(-1), self.pool
        args = self.scene.x.reshape(-1), self.weight.reshape(-1), self.scene.x.shape[-1], *where
        for _ in range(count):
            before, self.found = self.found, self.found.copy()
            seed = (self.seed * 1_000_003 + self.scans) % 2**40
            options = seed, self.scans % 2 == 0, PIECE, before, self.found, self.cost
            share(search, 0, -(-self.at.size // PIECE), self.at.size * SOLVE_COST, *args, *options)
            self.scans += 1

    def vote(self, *, copy: bool) -> None:
        """Fill the missing pixels by means of what patches propose; with `copy` each from one place, its `origin`."""
        x = self.scene.x.reshape(-1, self.scene.x.shape[-1])
        where = self.shape, self.radius, self.wanted, self.slot
        matches = self.found, self.cost, self.gain, self.known.reshape(-1)
        work = self.wanted.size * SOLVE_COST
        share(vote, 0, self.wanted.size, work, x, *where, *matches, np.float32(SOFTNESS), copy, self.origin)

    def _aim(self, wanted: np.ndarray, targets: np.ndarray) -> None:
        """Choose the pixels to be filled and the centres of the patches to be matched, at first at random."""
        self.wanted, self.at = (np.flatnonzero(mask).astype(np.int32) for mask in (wanted, targets))
        self.origin = np.full(self.wanted.size, -1, np.int64)
        self.slot = np.full(targets.size, -1, np.int32)
        self.slot[self.at] = np.arange(self.at.size, dtype=np.int32)
        self.found = (
            self.pool[self.rng.integers(0, max(1, self.pool.size), self.at.size)] if self.pool.size else self.at
        )
        self.cost, self.gain = np.ones(self.at.size, np.float32), np.ones(self.at.size, np.float32)

    def _lean(self) -> None:
        """Let distances depend on missing pixels the less, the farther they are from known ones."""
        self._weigh(np.maximum(np.float32(FADING) ** self.depth, LEAST_WEIGHT))

    def _weigh(self, weight: np.ndarray) -> None:
        """Weigh pixels in distances, and patches in votes by the mean weight of their pixels."""
        from scipy.ndimage import uniform_filter

        self.weight[...] = weight[..., None]
        mean = uniform_filter(self.weight[..., 0], [2 * r + 1 for r in self.radius], mode="nearest")
        self.gain = np.maximum(mean.reshape(-1)[self.at], np.float32(1e-3))

    def _reached(self, pixels: np.ndarray) -> np.ndarray:
        """The centres of patches that hold one of these pixels."""
        from scipy.ndimage import maximum_filter

        size = [2 * r + 1 for r in self.radius]
        found: np.ndarray = maximum_filter(pixels.view(np.uint8), size, mode="nearest").view(bool)
        return found

    def _inside(self, centres: np.ndarray) -> np.ndarray:
        """Those centres whose patches lie within the image."""
        inner = tuple(slice(r, n - r) for r, n in zip(self.radius, self.shape, strict=True))
        out = np.zeros_like(centres)
        out[inner] = centres[inner]
        return out

    def _clip(self, places: np.ndarray) -> np.ndarray:
        """The nearest centres of patches that lie within the image; one row an axis."""
        low = np.array(self.radius)[:, None]
        found: np.ndarray = np.clip(places, low, np.array(self.shape)[:, None] - 1 - low)
        return found


def _sums(x: np.ndarray) -> np.ndarray:
    """The sums of blocks of two along each long axis, as float32."""
    x = x.astype(np.float32)
    for axis, n in enumerate(x.shape[:-1]):
        if n > 1:
            x = np.add.reduceat(x, np.arange(0, n, 2), axis)
    return x


def _ends(axis: int) -> tuple[Any, Any]:
    """Indices of all entries but the last along an axis, and of all but the first."""
    before = (slice(None),) * axis
    return (*before, slice(None, -1)), (*before, slice(1, None))
