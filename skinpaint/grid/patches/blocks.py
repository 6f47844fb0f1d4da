"""Overlapping blocks of an image, which are sparse after a cosine transform: transform, shrink, and average.

Only blocks that hold missing pixels are looked at. Borders are mirrored.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, TypeVar

import numpy as np

from skinpaint.grid.axes import long_axes
from skinpaint.grid.patches.kernels_blocks import MAX_SIDE, estimate, settle
from skinpaint.grid.threads import SOLVE_COST, share

__all__ = ["BLOCK_SIDES", "Blocks", "as_planes", "plane_axes", "stride"]

T = TypeVar("T")

BLOCK_SIDES = 8, 16, 32  # pixels
BAND_ENTRIES = 2**20  # of a channel, whose blocks are summed at a time
UNIFORM_WINDOW = np.ones(MAX_SIDE, np.float32)  # all pixels of a block count alike


def as_planes(x: np.ndarray) -> np.ndarray:
    """View an image with channels last as ``(stack, A, J, X, C)``; an image of two axes has J = 1."""
    spatial = x.shape[:-1]
    long = [spatial[axis] for axis in long_axes(spatial)]
    return x.reshape(int(np.prod(long[:-3])), *plane_axes(spatial, spatial, 1), x.shape[-1])


def plane_axes(shape: tuple[int, ...], values: Sequence[T], absent: T) -> tuple[T, T, T]:
    """Order one value for each spatial axis as the axes (A, J, X) of a plane; `absent` stands for missing axes.

    Examples
    --------
    >>> plane_axes((9, 1, 8), (0.5, 2.0, 3.0), 1.0)
    (0.5, 1.0, 3.0)
    """
    *others, X = (values[axis] for axis in long_axes(shape)[-3:])
    A, J = {0: (absent, absent), 1: (*others, absent)}.get(len(others), others)
    return A, J, X


class Blocks:
    """The blocks of one plane, and the image that they are taken from.

    That image has one plane for each channel, or for each cosine over the channels, with mirrored margins. The error at
    known pixels is fed back into it.

    Parameters
    ----------
    image : ndarray of float32, shape (A, J, X, C)
        The image, with a guess where it is missing.
    missing : ndarray of bool, shape (A, J, X, C) or (A, J, X, 1)
        The missing pixels.
    side : 8, 16 or 32
        Side of a block, along all axes longer than 1.
    matrix : ndarray of float32, shape (C, C)
        An orthonormal transform of the channels.
    joint : bool
        Whether a block of any channel counts as missing what one channel misses.

    Examples
    --------
    >>> image = np.linspace(0, 1, 60, dtype=np.float32).reshape(6, 1, 10, 1)
    >>> blocks = Blocks(image, image > 0.5, side=8, matrix=np.eye(1, dtype=np.float32), joint=True)
    >>> change = blocks.round((0, 0, 0), np.zeros(1), 0.0, 0.0, np.zeros(1, np.float32), np.ones(1, np.float32))
    >>> bool(change < 1e-6)
    True
    """

    def __init__(self, image: np.ndarray, missing: np.ndarray, side: int, matrix: np.ndarray, joint: bool) -> None:
        self.image, self.missing, self.side, self.matrix = image, np.ascontiguousarray(missing), side, matrix
        long = [n > 1 for n in image.shape[:2]] + [True]
        self.pads = tuple(side // 2 if wide else 0 for wide in long)
        self.sides = tuple(side if wide else 1 for wide in long[:2])
        axes = zip(image.shape[:3], self.pads, strict=True)
        self._mirror = [np.pad(np.arange(n), pad, mode="symmetric") for n, pad in axes]
        padded = tuple(map(len, self._mirror))
        self.rows = max(4 * side, BAND_ENTRIES // prod(padded[1:])) if long[0] else 1
        self.x = np.empty((len(matrix), *padded), np.float32)
        inner = self.x[:, *(slice(p, p + n) for p, n in zip(self.pads, image.shape, strict=False))]
        for first in range(0, image.shape[0], self.rows):  # in the cache
            band = slice(first, first + self.rows)
            planes = np.ascontiguousarray(np.moveaxis(image[band], -1, 0))
            inner[:, band] = planes if len(planes) == 1 else np.einsum("kc,c...->k...", matrix, planes)
        wanted = np.asarray(missing.any(axis=-1, keepdims=True)) if joint else missing
        margins = [(0, 0), *((pad, pad) for pad in self.pads)]
        self.wanted = np.pad(np.ascontiguousarray(np.moveaxis(wanted, -1, 0)), margins, mode="symmetric")
        within = (len(self.x), min(self.x.shape[1], self.rows + 2 * side), *self.x.shape[2:])
        self.total, self.weight = np.zeros(within, np.float32), np.zeros(within, np.float32)

    def round(
        self,
        shifts: Sequence[int],
        thresholds: np.ndarray,
        feedback: float,
        momentum: float,
        low: np.ndarray,
        high: np.ndarray,
    ) -> float:
        """Shrink the coefficients of all blocks that miss something, and write the average to the missing pixels.

        The weight of a block is one over the number of coefficients that it keeps. The mean of a block is always kept.

        Parameters
        ----------
        shifts : three int
            Where the first block starts, from 0 to less than :func:`stride`.
        thresholds : ndarray of shape (C,)
            The threshold of each plane.
        feedback : float
            Weight of the error at known pixels.
        momentum : float
            Fraction of its last change that a missing pixel is carried on by, in the next round's blocks.
        low, high : ndarray of float32, shape (C,)
            The bounds of each channel.

        Returns
        -------
        change : float
            The largest change of a missing pixel.
        """
        self._renew_margins()
        A, pad, step = self.image.shape[0], self.pads[0], stride(self.side)
        starts = [min(s, n) if p else 0 for s, n, p in zip(shifts, self.image.shape[:3], self.pads, strict=True)]
        window, changes = UNIFORM_WINDOW[: self.side], np.zeros(A, np.float32)
        reach = self.sides[0] - 1
        for first in range(0, A, self.rows):
            last = min(A, first + self.rows)
            top, bottom = max(0, first + pad - reach), min(self.x.shape[1], last + pad + reach)
            corner = ((starts[0] - top) % step if pad and top else starts[0], *starts[1:])
            inner = first + pad - top, last + pad - top
            for k, (x, t) in enumerate(zip(self.x, thresholds, strict=True)):
                wanted = self.wanted[k % len(self.wanted), top:bottom]
                options = (
                    self.side,
                    self.sides,
                    corner,
                    step,
                    window,
                    np.float32(t * t),
                    self.total[k],
                    self.weight[k],
                )
                work = (last - first) * x[0].size * SOLVE_COST
                share(estimate, *inner, work, x[top:bottom], wanted, *options)
            sums = self.total, self.weight, self.x
            image = self.image, self.missing, self.matrix, low, high, np.float32(feedback), np.float32(momentum)
            share(settle, first, last, self.x[:, first:last].size, top, self.pads, *sums, *image, changes)
        return float(changes.max())

    def _renew_margins(self) -> None:
        """Mirror what lies at both ends of each axis, ``b a | a b c | c b``."""
        for axis, (index, pad) in enumerate(zip(self._mirror, self.pads, strict=True), 1):
            for margin in (slice(0, pad), slice(len(index) - pad, None)) if pad else ():
                at: list[Any] = [slice(None)] * 4
                at[axis] = margin
                self.x[tuple(at)] = self.x.take(pad + index[margin], axis)


def stride(side: int) -> int:
    """Distance between neighbouring blocks."""
    return max(4, side // 2)
