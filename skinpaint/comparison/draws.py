"""Draws of known values that are hidden from all methods, and scored once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from skinpaint.holdout import hold_out
from skinpaint.inpainter import Inpainter
from skinpaint.masks import everywhere
from skinpaint.scores import psnr

__all__ = ["Draw", "disjoint_draws"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Draw:
    """An image in which some known values are noise, and what they were.

    Attributes
    ----------
    noisy : ndarray
        The image.
    larger : ndarray of bool
        What is missing in it, of the spatial or of the image's shape.
    truth : ndarray
        The image as it was, masked where it is missing.
    where : ndarray of bool, of the image's shape
        The hidden values that are scored.
    hidden : int
        How many pixels are scored, or values if channels have masks of their own.
    """

    noisy: np.ndarray
    larger: np.ndarray
    truth: np.ma.MaskedArray
    where: np.ndarray
    hidden: int

    def score(self, inpainter: Inpainter) -> float:
        """PSNR of the prediction, in dB."""
        predicted = inpainter.fit_restore(self.noisy.copy(), self.larger.copy())
        return psnr(self.truth, predicted, where=self.where)


def disjoint_draws(
    image: np.ndarray,
    missing: np.ndarray,
    most: int,
    *,
    channel_axis: int | None = None,
    fraction: float | None = None,
    rng: np.random.Generator | int | None = None,
) -> Iterator[Draw]:
    """Yield up to `most` draws, of which no two score the same value.

    A shape is hidden whole, also where it crosses one of an earlier draw, but only what is new is scored. A draw is
    left out if less than half of it is new.

    Examples
    --------
    >>> image, missing = np.arange(400.0).reshape(20, 20), np.eye(20, dtype=bool)
    >>> draws = list(disjoint_draws(image, missing, 5, rng=0))
    >>> len(draws), int(sum(draw.where for draw in draws).max())
    (5, 1)
    """
    rng = np.random.default_rng(rng)
    before = np.zeros_like(missing)
    truth = np.ma.array(image, mask=everywhere(missing, image, channel_axis))
    for _ in range(most):
        noisy, larger, hidden = hold_out(
            image, missing, channel_axis=channel_axis, fraction=fraction, avoid=before, rng=rng
        )
        new = hidden & ~before
        if 2 * new.sum() < hidden.sum():
            continue
        before |= hidden
        yield Draw(
            noisy=noisy,
            larger=larger,
            truth=truth,
            where=everywhere(new, image, channel_axis),
            hidden=int(new.sum()),
        )
