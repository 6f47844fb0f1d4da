"""Known patches that are copied into holes: features, levels from coarse to fine, and the matches on each level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skinpaint.grid.harmonic.fill import fill
from skinpaint.grid.patches.kernels_exemplars import search, vote
from skinpaint.grid.threads import SOLVE_COST, share

__all__ = ["Level", "halve", "textures"]

PIECE = 1024  # targets that are scanned one after another
RELAXED = 64  # if fewer patches are fully known, those with a known centre will do
PEEL_SCANS = 6


@dataclass(eq=False)
class Level:
    """One scale of an image with holes.

    Attributes
    ----------
    x : ndarray of float32, shape (A, J, X, F)
        The image and its features, with the answer so far where it is missing.
    missing : ndarray of bool, shape (A, J, X)
        True where missing.
    source : ndarray of bool, shape (A, J, X)
        True where patches may be taken from.
    half : int
        Half the side of a patch, along all axes that are long enough.
    """

    x: np.ndarray
    missing: np.ndarray
    source: np.ndarray
    half: int
    found: np.ndarray = field(init=False)
    cost: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.shape = self.missing.shape
        self.radius = tuple(min(self.half, (n - 1) // 2) for n in self.shape)
        self.known = self.source & ~self.missing
        self.usable = self._inside(_erode(self.known, self.radius))
        if np.count_nonzero(self.usable) < RELAXED:
            self.usable = self._inside(self.known)
        self.pool = np.flatnonzero(self.usable).astype(np.int32)
        self.wanted = np.flatnonzero(self.missing).astype(np.int32)
        self.origin = np.full(self.wanted.size, -1, np.int64)
        self.weight = np.ones_like(self.x)
        self._aim(self._inside(~_erode(~self.missing, self.radius)))
        self.scans = 0

    @property
    def possible(self) -> bool:
        """Whether there is anything to copy from."""
        return self.pool.size > 0

    def _aim(self, targets: np.ndarray) -> None:
        """Take the patches centred at `targets` as those to be matched."""
        self.at = np.flatnonzero(targets).astype(np.int32)
        self.slot = np.full(self.missing.size, -1, np.int32)
        self.slot[self.at] = np.arange(self.at.size, dtype=np.int32)
        self.found = np.zeros(self.at.size, np.int32)
        self.cost = np.zeros(self.at.size, np.float32)

    def _inside(self, centres: np.ndarray) -> np.ndarray:
        """Only the centres of patches that lie inside the image."""
        out = np.zeros_like(centres)
        inner = tuple(slice(r, n - r) for r, n in zip(self.radius, self.shape, strict=True))
        out[inner] = centres[inner]
        return out

    def guess(self, rng: np.random.Generator) -> None:
        """Random matches."""
        self.found = self.pool[rng.integers(0, self.pool.size, self.at.size)]

    def follow(self, coarse: Level, rng: np.random.Generator) -> None:
        """Begin with the matches of the next coarser level; at random where that had none that can be taken over."""
        self.guess(rng)
        places = np.stack(np.unravel_index(self.at, self.shape))
        factor = np.array([[2 if n > c else 1] for n, c in zip(self.shape, coarse.shape, strict=True)])
        lowest = np.array([[r] for r in coarse.radius])
        highest = np.array([[n - 1 - r] for n, r in zip(coarse.shape, coarse.radius, strict=True)])
        above = np.clip(places // factor, lowest, highest)
        flat = np.ravel_multi_index(tuple(above), coarse.shape)
        slots = coarse.slot[flat]
        has = slots >= 0
        there = np.stack(np.unravel_index(coarse.found[slots[has]], coarse.shape))
        source = (there - above[:, has]) * factor + places[:, has]
        own_low = np.array([[r] for r in self.radius])
        own_high = np.array([[n - 1 - r] for n, r in zip(self.shape, self.radius, strict=True)])
        source = np.ravel_multi_index(tuple(np.clip(source, own_low, own_high)), self.shape)
        good = self.usable.ravel()[source] & (source != self.at[has])
        self.found[np.flatnonzero(has)[good]] = source[good]

    def scan(self, seed: int, count: int) -> None:
        """Improve the matches `count` times."""
        flat, weight = self.x.reshape(-1, self.x.shape[-1]), self.weight.reshape(-1, self.x.shape[-1])
        pieces = -(-self.at.size // PIECE)
        for _ in range(count):
            before, self.found = self.found, self.found.copy()
            work = self.at.size * SOLVE_COST
            where = (self.at, self.slot, self.usable.ravel(), self.pool)
            key = seed * 1_000_003 + self.scans
            options = (key, self.scans % 2 == 0, PIECE, before, self.found, self.cost)
            share(search, 0, pieces, work, flat, weight, self.shape, self.radius, *where, *options)
            self.scans += 1

    def vote(self, softness: float, copy: bool) -> float:
        """Fill the missing pixels by votes; the largest change of a channel."""
        flat = self.x.reshape(-1, self.x.shape[-1])
        before = flat[self.wanted]
        options = (self.shape, self.radius, self.wanted, self.slot, self.found, self.cost, self.known.ravel())
        work = self.wanted.size * SOLVE_COST
        share(vote, 0, self.wanted.size, work, flat, *options, np.float32(softness), copy, self.origin)
        return float(np.abs(flat[self.wanted] - before).max(initial=0))

    def peel(self, seed: int, rng: np.random.Generator, softness: float, trust: float) -> None:
        """Fill from the outside, layer by layer; what is not filled yet counts little in the distances."""
        from scipy.ndimage import distance_transform_cdt

        x, every = self.x.reshape(-1, self.x.shape[-1]), self.wanted
        depth = distance_transform_cdt(np.pad(self.missing, 1, mode="edge"), "chessboard")[1:-1, 1:-1, 1:-1] \
            if not self.missing.all() else np.ones(self.shape, int)
        targets, origins = self.at, self.origin
        step = 2
        for first in range(1, int(depth.max()) + 1, step):
            layer = (depth >= first) & (depth < first + step)
            self.weight[...] = np.where(depth < first, 1, trust)[..., None]
            near = self._inside(~_erode(~layer, self.radius)) & (depth < first + step)
            self._aim(near)
            if not self.at.size:
                continue
            self.wanted = np.flatnonzero(layer).astype(np.int32)
            self.origin = np.full(self.wanted.size, -1, np.int64)
            self.guess(rng)
            self.scan(seed + first, PEEL_SCANS)
            self.vote(softness, False)
        del x, targets
        self.wanted, self.origin = every, origins
        self.weight[...] = 1
        self._aim(self._inside(~_erode(~self.missing, self.radius)))
        self.guess(rng)


def halve(level_x: np.ndarray, missing: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The next coarser scale: means of the known pixels of blocks of two along each axis; missing if all are."""
    known = ~missing
    weights = _sum_blocks(known.astype(np.float32)[..., None])
    sums = _sum_blocks(np.where(known[..., None], level_x, np.float32(0)))
    sums /= np.maximum(weights, 1)
    size = _sum_blocks(np.ones((*missing.shape, 1), np.float32))
    return sums, weights[..., 0] == 0, _sum_blocks(source.astype(np.float32)[..., None])[..., 0] == size[..., 0]


def _sum_blocks(x: np.ndarray) -> np.ndarray:
    for axis in range(3):
        n = x.shape[axis]
        if n > 1:
            x = np.add.reduceat(x, np.arange(0, n, 2), axis=axis)
    return x


def _erode(mask: np.ndarray, radius: Sequence[int]) -> np.ndarray:
    from scipy.ndimage import minimum_filter

    return minimum_filter(mask.view(np.uint8), size=[2 * r + 1 for r in radius], mode="nearest").astype(bool)


def textures(x: np.ndarray, missing: np.ndarray, width: int) -> np.ndarray:
    """The mean absolute difference along each long axis within a window of known pixels, as further channels."""
    from scipy.ndimage import uniform_filter

    grey = x.mean(axis=-1)
    known = ~missing
    out = []
    for axis, n in enumerate(grey.shape):
        if n == 1:
            continue
        both = np.zeros(grey.shape, np.float32)
        ahead: list[Any] = [slice(None)] * 3
        behind: list[Any] = [slice(None)] * 3
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        both[tuple(behind)] = known[tuple(ahead)] & known[tuple(behind)]
        steps = np.zeros(grey.shape, np.float32)
        steps[tuple(behind)] = np.abs(grey[tuple(ahead)] - grey[tuple(behind)])
        size = [width if m > 1 else 1 for m in grey.shape]
        total = uniform_filter(both, size, mode="reflect")
        mean = uniform_filter(steps * both, size, mode="reflect")
        out.append(mean / np.maximum(total, 1e-6))
    return np.stack(out, axis=-1)
