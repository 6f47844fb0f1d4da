"""What is shown while the brush moves: the harmonic fill of a crop, in milliseconds."""

from __future__ import annotations

import numpy as np

from skinpaint.paint.boxes import Box
from skinpaint.paint.session import Session

__all__ = ["COVERED", "draft", "layers", "shown", "warm_up"]

COVERED = 127  # coverage of a pixel that is missing as a whole
PROPOSED = 128  # added to it where something is proposed
CONTEXT = 1.0  # of the width of the brush: what the draft sees around a box
MIN_CONTEXT = 24  # pixels
MAX_UNKNOWNS = 8000  # missing pixels that a draft solves for; with more it solves a level below
TOL = 1e-3  # error as a fraction of the range: less than a grey level


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

    What is further away than the width of the brush has hardly any influence along a stroke, so it is left out. The
    fill is computed on the finest level on which not too much is missing.
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
    if missing[at].any():
        finer = 0
        while finer < level and np.count_nonzero(missing) * 4 ** (finer + 1) <= MAX_UNKNOWNS:
            finer += 1
        below = around.from_level(finer).within(session.picture.shape_at(level - finer))
        values = _reduced(_filled(session, level - finer, below), finer)
    else:
        values = session.picture.read(level, around)
    return session.picture.on_screen(values[at]), missing[at]


def _filled(session: Session, level: int, box: Box) -> np.ndarray:
    """The harmonic fill of a box of a level, from what is known within the box."""
    values = session.picture.read(level, box).astype(np.float32)
    missing = _coverage(session, level, box)
    known = missing == 0
    if level > 0:
        _take_known(session, level, box, missing, values, known)
    return np.where(known[..., None], values, _harmonic(values, ~known)) if known.any() else values


def _take_known(
    session: Session, level: int, box: Box, missing: np.ndarray, values: np.ndarray, known: np.ndarray
) -> None:
    """Where a pixel of a level is missing in part, take the mean of what is known of it, and count it as known."""
    rows, columns = np.nonzero((missing > 0) & (missing < COVERED))
    if not rows.size:
        return
    below = np.arange(1 << level)
    at = (
        np.minimum(((box.top + rows) << level)[:, None, None] + below[:, None], session.shape[0] - 1),
        np.minimum(((box.left + columns) << level)[:, None, None] + below, session.shape[1] - 1),
    )
    pixels = box.from_level(level).within(session.shape)
    there = ~session.mask_in(pixels)[at[0] - pixels.top, at[1] - pixels.left]
    count = there.sum(axis=(1, 2))
    total = np.where(there[..., None], session.picture.image[at], 0).sum(axis=(1, 2), dtype=np.float64)
    some = count > 0
    values[rows[some], columns[some]] = total[some] / count[some, None]
    known[rows[some], columns[some]] = True


def layers(session: Session, level: int, box: Box, colours: np.ndarray, coverage: np.ndarray) -> bytes:
    """Colours and coverage as four bytes a pixel; 128 is added to the coverage of what is proposed."""
    if session.proposal is not None:
        proposed = session.proposed_in(box.from_level(level).within(session.shape))
        coverage = coverage | (_reduced(proposed[..., None].view(np.uint8), level)[..., 0] > 0) * np.uint8(PROPOSED)
    return np.concatenate([colours, coverage[..., None]], axis=-1).tobytes()


def _harmonic(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """The harmonic fill; on half the resolution, enlarged, where too much is missing for the time there is."""
    from skinpaint.grid.harmonic.relaxation import relax

    if np.count_nonzero(missing) > MAX_UNKNOWNS and min(missing.shape) >= 4:
        coarse, part = _halved(values, ~missing)
        if (part > 0).any():
            coarse = _harmonic(coarse, part == 0)
            return _enlarged(coarse, missing.shape)
    known = np.isfinite(values).all(axis=-1) & ~missing
    channels = np.moveaxis(np.where(known[..., None], values, 0), -1, 0)
    relax(channels, ~known, TOL)
    return np.moveaxis(channels, 0, -1)


def warm_up() -> None:
    """Load, or compile, what the first draft needs."""
    missing = np.pad(np.ones((8, 8), bool), 1)
    _harmonic(np.zeros((*missing.shape, 3), np.float32), missing)


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
