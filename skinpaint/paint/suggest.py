"""Proposals for a mask that the user accepts or not: saturated pixels, and hairlines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from skinpaint import masks
from skinpaint.paint.boxes import Box
from skinpaint.paint.edits import Suggested
from skinpaint.paint.picture import Picture

__all__ = ["suggested"]

BLOCK, MARGIN = 2048, 64  # pixels: images are searched block by block, each with a margin
THICKNESS = 7  # pixels: wider lines are no hairlines
LENGTH = 32  # pixels: shorter lines are texture or dust
DIRECTIONS = 16  # in which lines are looked for
NEIGHBOURHOOD = 41  # pixels along each axis, from which the texture is judged
ABOVE_TEXTURE = 4  # times as high as the texture around it: a hairline
CONTRASTS = (60.0, 6.0)  # levels of 255 by which a hairline stands out, for the lowest and the highest strength


def suggested(edit: Suggested, picture: Picture) -> Iterator[tuple[Box, np.ndarray]]:
    """Boxes of the image, and in each the pixels that are proposed.

    Examples
    --------
    >>> image = np.full((40, 60), 90, np.uint8)
    >>> image[20, 5:55], image[3, 3] = 200, 255
    >>> [(_, lines)] = suggested(Suggested(what="hairlines"), Picture(image))
    >>> np.flatnonzero(lines.any(axis=1)).tolist()
    [19, 20, 21]
    >>> [(_, white)] = suggested(Suggested(what="saturated"), Picture(image))
    >>> np.argwhere(white).tolist()
    [[3, 3]]
    """
    find = {"saturated": _saturated, "hairlines": _hairlines}[edit.what]
    height, width = picture.shape
    for top in range(0, height, BLOCK):
        for left in range(0, width, BLOCK):
            box = Box(top, left, top + BLOCK, left + BLOCK).within(picture.shape)
            around = box.grown(MARGIN).within(picture.shape)
            found = find(picture, around, edit.strength)[box.inside(around)]
            if found.any():
                yield box, found


def _saturated(picture: Picture, box: Box, strength: int) -> np.ndarray:
    """Pixels whose every channel is at the lowest or highest value."""
    values = picture.image[box.slices]
    low, high = masks.dtype_range(picture.image.dtype)
    if picture.image.dtype.kind == "f" and picture.range != (low, high):
        raise ValueError("Saturated pixels are known only for integers and for floats in [0, 1]. Paint them instead.")
    found = masks.saturated(values, np.zeros((*values.shape[:2], 1), bool))
    return np.zeros(box.shape, bool) if found is None else found


def _hairlines(picture: Picture, box: Box, strength: int) -> np.ndarray:
    """Lines that are thin, and brighter or darker than both of their sides, over some length in some direction."""
    from scipy.ndimage import grey_closing, grey_opening, maximum_filter, uniform_filter

    grey = picture.on_screen(picture.image[box.slices]).mean(axis=-1, dtype=np.float32)
    least = np.interp(strength, (1, 100), CONTRASTS)
    out = np.zeros(box.shape, bool)
    for top_hat in (grey - grey_opening(grey, THICKNESS), grey_closing(grey, THICKNESS) - grey):
        wider = maximum_filter(top_hat, 3)  # a line need not be straight to the pixel
        longest = np.zeros_like(wider)
        for angle in np.arange(DIRECTIONS) * np.pi / DIRECTIONS:
            np.maximum(longest, _opened(wider, (np.sin(angle), np.cos(angle))), out=longest)
        texture = uniform_filter(np.minimum(top_hat, CONTRASTS[0]), NEIGHBOURHOOD)
        level = np.maximum(least, ABOVE_TEXTURE * texture)
        out |= (longest >= level) & (top_hat >= level / 2)
    return masks.grow(out, 1)


def _opened(values: np.ndarray, direction: tuple[float, float]) -> np.ndarray:
    """The morphological opening by a line: what remains is at least this high over its whole length."""
    for extreme, sign in ((np.minimum, 1), (np.maximum, -1)):
        reach = 1
        while reach < LENGTH:  # the extreme over twice the length, from that over the length and its shifted copy
            step = tuple(round(sign * reach * each) for each in direction)
            values = extreme(values, np.roll(values, step, (0, 1)))
            reach *= 2
    return values
