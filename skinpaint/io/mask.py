"""Masks from pictures: white on black, strokes on a copy of the photograph, or a layer with strokes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from skinpaint.io.api import read
from skinpaint.io.decoders import one_line
from skinpaint.io.extras import Extras, opaque
from skinpaint.io.fits import flags
from skinpaint.solution import GuessedMaskWarning, warn

__all__ = ["marked", "read_mask"]

INSIDE = re.compile(r"(.+)\[(\w+)\]")  # a file, and the name of an image inside it
GREY_WEIGHTS = np.array([0.299, 0.587, 0.114])  # of red, green and blue
COLOURED = 24  # levels of 255 by which the channels of a colour differ
ALMOST_BLACK, ALMOST_WHITE = 16, 239  # grey levels between which a photograph tells itself from a mask
MIN_TELLING = 64  # pixels between them that a comparison needs
DIFFERENT = 12  # levels of 255 by which a stroke differs from the photograph below it


def read_mask(
    path: str | Path, *, threshold: float = 128, photograph: np.ndarray | None = None, invert: bool = False
) -> np.ndarray:
    """Read a mask that was drawn in a paint program.

    Three kinds are understood:

    - a picture in which bright means missing. Strokes have soft edges, so the grey is compared with a threshold;
      transparent pixels are black;
    - a layer that is transparent but for strokes in a colour: the strokes are missing;
    - strokes on a copy of the photograph, which has to be given: what differs from the photograph is missing.

    The last two are guessed from the contents, and said by a :class:`skinpaint.GuessedMaskWarning`. Integers that no
    paint program writes, such as int16, are flags: what is not 0 is missing. An image inside a FITS file, such as
    ``frame.fits[DQ]``, holds flags as well.

    Parameters
    ----------
    path : str or Path
        A file in any format that :func:`read` reads.
    threshold : float in (0, 255], optional
        Pixels this bright or brighter are missing, on a scale from 0 to 255 whatever the depth of the file.
    photograph : ndarray of shape (M, N) or (M, N, 3), optional
        The picture that the mask is for.
    invert : bool, optional
        Whether the mask marks what is valid instead.

    Returns
    -------
    mask : ndarray of bool, of shape (M, N), or of the shape of a stack
        True where missing.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it cannot be read, or marks no pixel.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from pathlib import Path
    >>> from skinpaint.io import read_mask, write
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder, "mask.png"), np.array([[0, 60, 200, 255]], np.uint8))
    ...     read_mask(Path(folder, "mask.png"))
    array([[False, False,  True,  True]])
    """
    _check_threshold(threshold)
    inside = INSIDE.fullmatch(str(path))
    if inside is not None and not Path(path).exists():
        return _flags(path, inside[1], inside[2]) ^ invert
    image, extras = read(path)
    return np.asarray(marked(path, image, extras, threshold=threshold, photograph=photograph, invert=invert))


def marked(
    path: str | Path,
    image: Any,
    extras: Extras,
    *,
    threshold: float = 128,
    photograph: Any = None,
    invert: bool = False,
) -> Any:
    """What a picture marks as missing, by the rules of :func:`read_mask`; all arrays may be dask arrays.

    Examples
    --------
    >>> marked("mask.tif", np.array([[0, -1]], np.int16), Extras(axes="YX"))
    array([[False,  True]])
    """
    _check_threshold(threshold)
    if image.dtype.kind in "iu" and image.dtype not in (np.uint8, np.uint16):
        return _marking(path, image != 0) ^ invert
    levels = _levels(image, extras)
    if _is_layer(levels, extras, threshold):
        mask, how = _opacity(extras) >= threshold / 255, "a layer that is transparent but for strokes: the strokes are"
    elif photograph is not None and _is_copy(levels, photograph):
        mask, how = _differs(levels, photograph), "a copy of the photograph with strokes: what differs from it is"
    else:
        grey = levels @ GREY_WEIGHTS * _opacity(extras)
        mask, how = np.round(grey, 6) >= threshold, ""
        if not mask.any() and not invert:
            raise ValueError(
                f"The mask {path} marks no pixel as missing: its brightest grey is {float(grey.max()):.3g} of 255, "
                f"below the threshold {threshold:g}. Bright means missing; invert the mask or lower the threshold."
            )
    if not mask.any() and how:
        raise ValueError(f"The mask {path} marks no pixel as missing: it looks like the photograph itself.")
    if how:
        warn(
            f"The mask {path} was taken for {how} missing, {float(mask.mean()):.1%} of the pixels.", GuessedMaskWarning
        )
    return ~mask if invert else mask


def _check_threshold(threshold: float) -> None:
    if not 0 < threshold <= 255:
        raise ValueError(
            f"The 'threshold' parameter of read_mask must be a number in (0, 255]. Got {threshold!r} instead."
        )


def _flags(path: str | Path, file: str, name: str) -> np.ndarray:
    """An image of a FITS file as flags."""
    try:
        return _marking(path, flags(Path(file), name))
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"The mask {path} cannot be read: {one_line(error)}.") from error


def _marking(path: str | Path, mask: Any) -> Any:
    if not mask.any():
        raise ValueError(f"The mask {path} marks no pixel as missing: it is 0 everywhere.")
    return mask


def _levels(image: Any, extras: Extras) -> Any:
    """Red, green and blue of a picture, from 0 to 255; only 0 and 1 are black and white as well.

    Channels of a microscope and bands are no colours: each of them is a mask of its own.
    """
    channel = extras.channel_axis
    in_colours = channel is not None and extras.axes[channel] == "S" and image.shape[channel] == 3
    top = opaque(image.dtype)
    if image.dtype.kind in "iu" and image.size and (image.min(), image.max()) == (0, 1):
        top = 1
    scaled = image.astype(float) * (255 / top)
    return np.moveaxis(scaled, extras.axes.index("S"), -1) if in_colours else np.stack([scaled] * 3, axis=-1)


def _opacity(extras: Extras) -> Any:
    return np.ones(()) if extras.alpha is None else extras.alpha / opaque(extras.alpha.dtype)


def _is_layer(levels: Any, extras: Extras, threshold: float) -> bool:
    """Whether this is transparent but for strokes that are not simply white."""
    opacity = _opacity(extras)
    if opacity.ndim == 0 or not (opacity == 0).any():
        return False
    painted = opacity >= threshold / 255
    coloured = np.ptp(levels, axis=-1) > COLOURED
    dark = levels @ GREY_WEIGHTS < threshold
    return bool(painted.any()) and (_mostly(coloured, painted) or not (painted & ~dark).any())


def _is_copy(levels: Any, photograph: Any) -> bool:
    """Whether a mask shows what the photograph shows, wherever that is neither black nor white."""
    shown = _levels(photograph, Extras(axes="YXS"[: photograph.ndim]))
    if shown.shape != levels.shape:
        return False
    telling = ((shown > ALMOST_BLACK) & (shown < ALMOST_WHITE)).any(axis=-1)
    same = ~_differs(levels, photograph)
    if int(np.count_nonzero(telling)) >= MIN_TELLING:
        return _mostly(same, telling)
    coloured = np.ptp(levels, axis=-1) > COLOURED
    return bool(coloured.any()) and _mostly(same, ~coloured)


def _mostly(which: Any, where: Any) -> bool:
    """Whether this is so at more than half of some pixels."""
    return bool(np.count_nonzero(which & where) > 0.5 * np.count_nonzero(where))


def _differs(levels: Any, photograph: Any) -> Any:
    shown = _levels(photograph, Extras(axes="YXS"[: photograph.ndim]))
    return (np.abs(levels - shown) > DIFFERENT).any(axis=-1)
