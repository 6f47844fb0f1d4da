"""What is shown while the brush moves: the harmonic fill of a crop, in milliseconds."""

from __future__ import annotations

import numpy as np

from skinpaint.paint.boxes import Box
from skinpaint.paint.session import Session

__all__ = ["COVERED", "draft", "layers", "shown"]

COVERED = 127  # coverage of a pixel that is missing as a whole
CONTEXT = 1.25  # of the width of the brush: what the draft sees around a box
MIN_CONTEXT = 24  # pixels
MAX_UNKNOWNS = 8000  # missing pixels that a draft solves for; with more it solves a level below
TOL = 1e-3  # relative residual: less than a grey level


def shown(session: Session, level: int, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """The image as far as it is restored, and how much of each pixel is missing.

    Parameters
    ----------
    session : Session
        The image and its mask.
    level : int
        Of the pyramid.
    box : Box
        On that level.

    Returns
    -------
    colours : ndarray of uint8, of shape (m, n, 3)
        In sRGB.
    coverage : ndarray of uint8, of shape (m, n)
        From 0 to 127.
    """
    picture = session.picture
    coverage = _coverage(session, level, box)
    values = picture.read(level, box)
    if coverage.any():
        pixels = box.from_level(level).within(session.shape)
        filled = session.read(pixels)
        values = np.where(coverage[..., None] > 0, _reduced(filled, level), values)
    return picture.on_screen(values), coverage


def draft(session: Session, level: int, box: Box, diameter: float) -> tuple[np.ndarray, np.ndarray]:
    """The same by a harmonic fill of the neighbourhood alone, which is there at once.

    What is further away than one and a quarter widths of the brush has hardly any influence along a stroke, so it is
    left out. With many missing pixels, the fill is computed on a coarser level and enlarged.
    """
    shape = session.picture.shape_at(level)
    margin = max(MIN_CONTEXT, round(CONTEXT * diameter / 2**level))
    around = box.grown(margin).within(shape)
    missing = _coverage(session, level, around)
    while (missing > 0).all() and around != Box(0, 0, *shape):
        margin *= 4
        around = box.grown(margin).within(shape)
        missing = _coverage(session, level, around)
    at = box.inside(around)
    values = session.picture.read(level, around).astype(np.float32)
    if (missing[at] > 0).any() and not (missing > 0).all():
        values = np.where(missing[..., None] > 0, _harmonic(values, missing > 0), values)
    return session.picture.on_screen(values[at]), missing[at]


def layers(colours: np.ndarray, coverage: np.ndarray) -> bytes:
    """Colours and coverage as four bytes a pixel."""
    return np.concatenate([colours, coverage[..., None]], axis=-1).tobytes()


def _harmonic(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """The harmonic fill; on half the resolution, enlarged, where too much is missing for the time there is."""
    from skinpaint.grid.harmonic.fill import fill

    if np.count_nonzero(missing) > MAX_UNKNOWNS and min(missing.shape) >= 4:
        coarse, part = _halved(values, ~missing)
        if (part > 0).any():
            coarse = _harmonic(coarse, part == 0)
            return _enlarged(coarse, missing.shape)
    known = np.isfinite(values).all(axis=-1) & ~missing
    return fill(np.where(known[..., None], values, 0).astype(float), ~known[..., None], (1.0, 1.0), TOL)


def _halved(values: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of the known pixels of blocks of 2 x 2, and how many there are."""
    rows, columns = (-n % 2 for n in known.shape)
    known = np.pad(known & np.isfinite(values).all(axis=-1), ((0, rows), (0, columns)))
    values = np.where(known[..., None], np.pad(values, ((0, rows), (0, columns), (0, 0)), mode="edge"), 0)
    total = values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]
    count = known[::2, ::2].astype(np.float32) + known[1::2, ::2] + known[::2, 1::2] + known[1::2, 1::2]
    return total / np.maximum(count, 1)[..., None], count


def _enlarged(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bilinear interpolation to twice the resolution."""
    for axis in (0, 1):
        values = np.moveaxis(values, axis, 0)
        padded = np.concatenate([values[:1], values, values[-1:]])
        pair = np.stack([0.75 * values + 0.25 * padded[:-2], 0.75 * values + 0.25 * padded[2:]], axis=1)
        values = np.moveaxis(pair.reshape(-1, *values.shape[1:]), 0, axis)
    return values[: shape[0], : shape[1]]


def _coverage(session: Session, level: int, box: Box) -> np.ndarray:
    """How much of each pixel of a level is missing, from 0 to 127; not 0 if anything is."""
    pixels = box.from_level(level).within(session.shape)
    missing = session.mask_in(pixels)
    if level == 0:
        return missing.view(np.uint8) * np.uint8(COVERED)
    if not missing.any():
        return np.zeros(box.shape, np.uint8)
    return np.ceil(COVERED * _reduced(missing.view(np.uint8)[..., None], level)[..., 0]).astype(np.uint8)


def _reduced(values: np.ndarray, level: int) -> np.ndarray:
    from skinpaint.paint.picture import reduced

    while level > 0:
        values = reduced(values, min(level, 2))
        level -= 2
    return values
