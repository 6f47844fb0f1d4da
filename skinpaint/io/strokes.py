"""Strokes on a copy of a photograph: whether a picture is such a copy, and what is painted over in it.

Levels are red, green and blue from 0 to 255, in arrays of shape (..., 3); all arrays may be dask arrays.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skinpaint.io.at_once import at_once
from skinpaint.io.extras import Extras, opaque

__all__ = [
    "as_grey",
    "as_shown",
    "black_and_white_alike",
    "coloured",
    "in_levels",
    "is_black_and_white",
    "is_copy",
    "is_erased_copy",
    "mostly",
    "painted_over",
    "resembles",
    "white",
]

GREY_WEIGHTS = np.array([0.299, 0.587, 0.114])  # of red, green and blue
COLOURED = 24  # levels of 255 by which the channels of a colour differ
ALMOST_BLACK, ALMOST_WHITE = 16, 239  # grey levels between which a photograph tells itself from a mask
MIN_TELLING = 64  # pixels between them that a comparison needs
DIFFERENT = 12  # levels of 255 by which a stroke differs from the photograph below it
MIN_COLOUR_SHARE = 0.02  # of the pixels that differ: colours that fewer of them have are soft edges of strokes
ROUNDED = 1  # level of 255 by which a copy differs from deeper data
CORRELATED = 0.5  # correlation above which two pictures that are nearly equal have the same faint tones
RESEMBLING, MIN_TONES = 0.8, 0.1  # correlation, and share of tones between black and white, that no mask has
STROKES_SHARE = 2 / 3  # of the tones of a picture that are about the same grey, if they are strokes
EXACTLY = 1e-6  # of a level, which is rounded where a file is deeper
CODES = np.array([2**16, 2**8, 1])  # of red, green and blue in one number


def white(image: Any) -> float:
    """The value that is white: of integers that of their depth, of floats 1 or 255; only 0 and 1 are black and white.

    Examples
    --------
    >>> [white(np.array([0, top], dtype)) for dtype, top in (("u1", 7), ("u1", 1), ("f4", 0.9), ("f4", 9))]
    [255, 1, 1, 255]
    """
    return _white(image.dtype, *_extremes(image))


def _white(dtype: np.dtype, low: float, high: float) -> float:
    if dtype.kind == "f":
        return 255 if high > 1 else 1
    return 1 if dtype.kind in "iu" and (low, high) == (0, 1) else opaque(dtype)


def _extremes(image: Any) -> tuple[float, float]:
    low, high = at_once(np.nanmin(image), np.nanmax(image))
    return float(low), float(high)


def in_levels(image: Any, extras: Extras, low: float, high: float) -> Any:
    """Red, green and blue of a picture whose black and white are `low` and `high`.

    Channels of a microscope and bands are no colours: each of them is a picture of its own.
    """
    channel = extras.channel_axis
    in_colours = channel is not None and extras.axes[channel] == "S" and image.shape[channel] == 3
    scaled = (image.astype(float) - low) * (255 / (high - low))
    return np.moveaxis(scaled, extras.axes.index("S"), -1) if in_colours else np.stack([scaled] * 3, axis=-1)


def as_grey(levels: Any) -> Any:
    return levels @ GREY_WEIGHTS


def coloured(levels: Any) -> Any:
    red, green, blue = _channels(levels)
    highest, lowest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    return highest - lowest > COLOURED


def mostly(which: Any, where: Any) -> bool:
    """Whether this is so at more than half of some pixels."""
    so, all_of_them = _counts(which & where, where)
    return so > 0.5 * all_of_them


def as_shown(photograph: Any, levels: Any) -> Any:
    """The levels of a photograph on the scale on which most pixels are as in a copy; None if the shapes differ.

    Paint programs show more than 8 bits by the depth of the file, by that of the data, or from the lowest to the
    highest value.

    Examples
    --------
    >>> photograph = np.array([[0, 1000, 4000]], np.uint16)
    >>> as_shown(photograph, in_levels(photograph // 16, Extras(axes="YX"), 0, 255))[..., 0].round()
    array([[  0.,  62., 249.]])
    """
    if levels.shape != (*photograph.shape[:2], 3):  # a stack may have the shape of a picture in colour
        return None
    axes = Extras(axes="YXS"[: photograph.ndim])
    low, high = _extremes(photograph)
    scales = [(0.0, float(_white(photograph.dtype, low, high)))]
    if photograph.dtype == np.uint8:
        return in_levels(photograph, axes, *scales[0])
    if high > max(low, 0) and math.isfinite(high - low):
        scales += [(0.0, 2.0 ** math.ceil(math.log2(high + 1)) - 1), (low, high)]
    same = (~_differs(levels, in_levels(photograph, axes, *scale)) for scale in scales)
    return in_levels(photograph, axes, *scales[int(np.argmax(_counts(*same)))])


def is_black_and_white(levels: Any) -> bool:
    """Whether a picture is nothing but black and white: it shows no tones of a photograph, and no colour of strokes."""
    red, green, blue = _channels(levels)
    return bool((((red < EXACTLY) | (red > 255 - EXACTLY)) & (red == green) & (red == blue)).all())


def is_copy(levels: Any, shown: Any) -> bool:
    """Whether a picture shows what the photograph shows, wherever that is neither black nor white.

    A photograph that is nearly white, or nearly black, has faint tones there, which may be lost in a copy with strokes
    in a colour. One that has none is black and white, and a copy of it may have strokes in one grey.
    """
    same = ~_differs(levels, shown)
    telling = _telling(shown)
    told, alike = _counts(telling, same & telling)
    if told >= MIN_TELLING:
        return alike > 0.5 * told
    grey, below = as_grey(levels), as_grey(shown)
    if any(
        mostly(same, part) and _correlation(grey, below, same & part) > CORRELATED
        for part in (below < 128, below >= 128)
    ):
        return True
    tones, strokes = _tones(levels), coloured(levels)
    if strokes.any() and mostly(same, ~strokes):
        return True
    in_one_grey = _enough(tones) and len(_colours(levels, tones, 0.5)) > 0
    return in_one_grey and black_and_white_alike(levels, shown)


def is_erased_copy(levels: Any, shown: Any, seen: Any) -> bool:
    """Whether a picture shows the photograph where it is seen, in more than the one colour of strokes.

    Strokes are mostly of one colour in any part. A photograph may be so as a whole, on a black ground, but then not
    where it is neither black nor white.
    """
    telling = _telling(shown) & seen
    if not (_enough(telling) and mostly(~_differs(levels, shown), telling)):
        return False
    return not all(len(_colours(levels, part, 0.5)) for part in (seen, telling))


def resembles(levels: Any, shown: Any) -> bool:
    """Whether a picture that is no copy of a photograph is no mask either: it shows it darker, lighter, or blurred.

    One that is black and white, as the photograph is, may be a mask of what is bright in it. Its tones are soft edges
    then; if they are strokes, most of them are about the same.
    """
    tones = _tones(levels)
    if np.count_nonzero(tones) > MIN_TONES * tones.size:
        of_photograph = tones & (coloured(shown) | ~coloured(levels))
        return abs(_correlation(as_grey(levels), as_grey(shown), of_photograph)) > RESEMBLING
    return _are_of_one_grey(levels, tones) and black_and_white_alike(levels, shown)


def painted_over(levels: Any, shown: Any) -> tuple[Any, bool]:
    """What strokes on a copy cover, and whether they may cover more.

    What differs from the photograph is covered. So is what has exactly the colour of the strokes and goes on from them,
    if the photograph differs a little there, or strokes surround it. Beside the strokes, it cannot be told.

    Examples
    --------
    >>> photograph = np.zeros((5, 5, 3))
    >>> photograph[2, 2] = photograph[0] = 255
    >>> copy = photograph.copy()
    >>> copy[1:4, 1:4] = 255
    >>> covered, undecided = painted_over(copy, photograph)
    >>> int(covered.sum()), undecided
    (9, True)
    """
    from scipy.ndimage import binary_dilation, binary_fill_holes, binary_propagation  # slow to load

    differs = _differs(levels, shown)
    alike = np.asarray(np.isin(_codes(levels), _colours(levels, differs, MIN_COLOUR_SHARE)))
    around = np.ones((3, 3))
    covered, little = np.asarray(differs), np.asarray(_differs(levels, shown, ROUNDED))
    covered = binary_propagation(covered, around, covered | (alike & little))
    covered = binary_propagation(covered, around, covered | (alike & binary_fill_holes(covered)))
    return differs | covered, bool((binary_dilation(covered, around) & alike & ~covered).any())


def _differs(levels: Any, shown: Any, by: float = DIFFERENT) -> Any:
    red, green, blue = (
        np.abs(one - other) > by for one, other in zip(_channels(levels), _channels(shown), strict=True)
    )
    return red | green | blue


def black_and_white_alike(levels: Any, shown: Any) -> bool:
    """Whether a photograph is black and white, and a picture is as it is where that is black and white, too."""
    below, same, plain = as_grey(shown), ~_differs(levels, shown), ~_tones(levels)
    parts = (plain & (below < 128), plain & (below >= 128))
    telling, *counts = _counts(_telling(shown), *parts, *(same & part for part in parts))
    both = zip(counts[:2], counts[2:], strict=True)
    return telling < MIN_TELLING and all(some >= MIN_TELLING and alike > 0.5 * some for some, alike in both)


def _telling(shown: Any) -> Any:
    """Where a photograph is neither black nor white in some channel, and no mask is like it."""
    red, green, blue = map(_between, _channels(shown))
    return red | green | blue


def _tones(levels: Any) -> Any:
    """Where a picture is a colour or a grey."""
    return _between(as_grey(levels)) | coloured(levels)


def _enough(where: Any) -> bool:
    return _counts(where)[0] >= MIN_TELLING


def _counts(*which: Any) -> list[int]:
    """How often each of these is so."""
    return [int(count) for count in at_once(*map(np.count_nonzero, which))]


def _channels(levels: Any) -> tuple[Any, Any, Any]:
    """Red, green and blue, each alone: NumPy is slow along an axis of three."""
    return levels[..., 0], levels[..., 1], levels[..., 2]


def _between(levels: Any) -> Any:
    return (levels > ALMOST_BLACK) & (levels < ALMOST_WHITE)


def _codes(levels: Any) -> Any:
    return np.round(levels) @ CODES


def _colours(levels: Any, where: Any, share: float) -> np.ndarray:
    """The codes of colours that at least this share of some pixels has, exactly."""
    codes = np.asarray(_codes(levels)[where])
    found, counts = np.unique(codes, return_counts=True)
    return found[counts >= share * codes.size]


def _are_of_one_grey(levels: Any, where: Any) -> bool:
    greys = np.asarray(as_grey(levels)[where])
    return greys.size > 0 and float(np.mean(np.abs(greys - np.median(greys)) <= DIFFERENT)) > STROKES_SHARE


def _correlation(one: Any, other: Any, where: Any) -> float:
    """The correlation of two pictures at some pixels; 0 if there are few of them, or one is constant there."""
    count, *sums = at_once(np.count_nonzero(where), *(np.where(where, each, 0).sum() for each in (one, other)))
    if count < MIN_TELLING:
        return 0.0
    one, other = (np.where(where, each - sum_ / count, 0) for each, sum_ in zip((one, other), sums, strict=True))
    both, *squares = map(float, at_once((one * other).sum(), (one**2).sum(), (other**2).sum()))
    return both / math.sqrt(math.prod(squares) + 1)
