"""Masks from pictures: white on black, strokes on a copy of the photograph, or a layer with strokes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from skinpaint.io.api import read
from skinpaint.io.at_once import at_once
from skinpaint.io.decoders import one_line
from skinpaint.io.extras import Extras, opaque
from skinpaint.io.fits import FITS, image_named
from skinpaint.io.strokes import (
    as_grey,
    as_shown,
    black_and_white_alike,
    coloured,
    in_levels,
    is_black_and_white,
    is_copy,
    is_erased_copy,
    mostly,
    painted_over,
    resembles,
    white,
)
from skinpaint.solution import GuessedMaskWarning, warn

__all__ = ["INSIDE", "by_letters", "marked", "read_marked", "read_mask"]

INSIDE = re.compile(r"(.+)\[(\w+)\]")  # a file, and the name of an image inside it
ALIKE = (
    "looks like the photograph where that is black or white, and was taken for a mask: bright is missing. If it is a "
    "copy with strokes, paint them in a colour."
)
NODATA = (
    " Its file states the nodata value {}, and where it holds that, it marks nothing. "
    "If it should, take the statement out of the file."
)
LEVEL = 128  # pixels this bright or brighter are missing, of 255
UNDECIDED = (
    "Beside the strokes, the photograph has their colour as well: what they cover there was taken for known. "
    "Paint in a colour that the photograph does not have."
)


def read_mask(
    path: str | Path, *, threshold: float | None = None, photograph: np.ndarray | None = None, invert: bool = False
) -> np.ndarray:
    """Read a mask that was drawn in a paint program.

    Three kinds are understood:

    - a picture in which bright means missing. Strokes have soft edges, so the grey is compared with a threshold;
      transparent pixels are black;
    - a layer that is transparent but for strokes in a colour: the strokes are missing;
    - strokes on a copy of the photograph, which has to be given: what differs from the photograph is missing, and what
      strokes surround where the photograph has their colour. Beside the strokes that cannot be told, and is said.
      What is erased from the copy, and transparent, is missing as well.

    The last two are guessed from the contents, and said by a :class:`skinpaint.GuessedMaskWarning`. Booleans, and
    integers that no paint program writes, such as int16, are flags: what is not 0 is missing. So is every image in a
    FITS file, such as ``flags.fits`` or ``frame.fits[DQ]``. Floats go from 0 to 1, or to 255 if one of them is above 1.
    Where a mask holds a nodata value that its file states, such as 255 beside 0 and 1, it marks nothing, which is said
    as well.

    Parameters
    ----------
    path : str or Path
        A file in any format that :func:`read` reads.
    threshold : float in (0, 255], optional
        Pixels this bright or brighter are missing, on a scale from 0 to 255 whatever the depth of the file; 128 by
        default. Flags have no brightness: with them it is an error.
    photograph : ndarray of shape (M, N) or (M, N, 3), optional
        The picture that the mask is for.
    invert : bool, optional
        Whether the mask marks what is valid instead.

    Returns
    -------
    mask : ndarray of bool, of shape (M, N), or of the shape of a stack or of flags
        True where missing.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it cannot be read, marks no pixel, holds flags where a `threshold` is given, floats that are no levels or NaN
        that is not its nodata value, or shows the photograph in other tones.

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
    return read_marked(path, threshold=threshold, photograph=photograph, invert=invert)[0]


def read_marked(path: str | Path, *, invert: bool, **rules: Any) -> tuple[np.ndarray, Extras]:
    """What a file marks as missing, by the rules of :func:`read_mask`, and what it holds beside that."""
    inside = INSIDE.fullmatch(str(path))
    if inside is not None and not Path(path).exists():
        flags = _flagged(path, _inside(path, inside[1], inside[2]), invert, rules.get("threshold"))
        return np.asarray(flags) ^ invert, Extras()
    image, extras = read(path)
    return np.asarray(marked(path, image, extras, invert=invert, **rules)), extras


def marked(
    path: str | Path,
    image: Any,
    extras: Extras,
    *,
    threshold: float | None = None,
    photograph: Any = None,
    hidden: Any = None,
    invert: bool = False,
) -> Any:
    """What a picture marks as missing, by the rules of :func:`read_mask`; all arrays may be dask arrays.

    What is `hidden` is transparent in the photograph itself, and is not erased in a copy.

    Examples
    --------
    >>> marked("mask.tif", np.array([[0, -1]], np.int16), Extras(axes="YX"))
    array([[False,  True]])
    """
    _check_threshold(threshold)
    if image.dtype.kind not in "biuf":
        raise ValueError(f"The mask {path} must hold integers, real floats or booleans. Got {image.dtype} instead.")
    blank = _is_nodata(image, extras)
    stated = NODATA.format(", ".join(f"{value:.17g}" for value in extras.nodata)) if blank.any() else ""
    known = np.where(blank, 0, image).astype(image.dtype) if stated else image
    in_fits = extras.carried is not None and extras.carried.format == FITS.name
    if in_fits or (image.dtype.kind in "iub" and image.dtype not in (np.uint8, np.uint16)):
        return _but_nodata(path, _flagged(path, known, invert, threshold, stated) ^ invert, blank, stated)
    threshold = LEVEL if threshold is None else threshold
    _check_levels(path, known)
    scale = (0.0, white(known)) if extras.black is None else (min(white(known), float(extras.black)), 0.0)
    levels = in_levels(image, extras, *scale)
    shown = None if photograph is None else as_shown(photograph, levels)
    drawn = shown is not None and not is_black_and_white(levels)
    undecided = False
    seen = _opacity(extras) >= threshold / 255
    if shown is not None and seen.ndim and is_erased_copy(levels, shown, seen):
        mask, undecided = painted_over(np.where(seen[..., None], levels, shown), shown)
        erased = ~(seen if hidden is None else seen | hidden)
        how = "that is erased in parts: what is transparent or" if erased.any() else "with strokes: what"
        mask, how = mask | erased, f"a copy of the photograph {how} differs from it is"
    elif _is_layer(levels, extras, threshold):
        mask, how = seen, "a layer that is transparent but for strokes: the strokes are"
    elif drawn and is_copy(levels, shown):
        mask, undecided = painted_over(levels, shown)
        how = "a copy of the photograph with strokes: what differs from it is"
    elif drawn and resembles(levels, shown):
        raise ValueError(
            f"The mask {path} must be black and white, or strokes on a copy of the photograph. Got the photograph in "
            "other tones instead. Paint on a copy whose brightness and contrast are as they were."
        )
    else:
        if shown is not None and black_and_white_alike(levels, shown):
            warn(f"The mask {path} {ALIKE}", GuessedMaskWarning)
        blank = blank.all(axis=extras.channel_axis) if blank.ndim == levels.ndim else blank
        grey = as_grey(levels) * _opacity(extras)
        grey = np.where(blank, 0, grey) if stated else grey
        mask, how = np.round(grey, 6) >= threshold, ""
        if not mask.any() and not invert:
            raise ValueError(
                f"The mask {path} marks no pixel as missing: its brightest grey is {float(grey.max()):.3g} of 255, "
                f"below the threshold {threshold:g}. Bright means missing; invert the mask or lower the threshold."
                f"{stated}"
            )
    if how and not mask.any():
        raise ValueError(f"The mask {path} marks no pixel as missing: it looks like the photograph itself.")
    if how:
        said = f"The mask {path} was taken for {how} missing, {100 * float(mask.mean()):.1f} % of the pixels."
        warn(f"{said} {UNDECIDED}" if undecided else said, GuessedMaskWarning)
    mask = ~mask if invert else mask
    return mask if how else _but_nodata(path, mask, blank, stated)


def by_letters(mask: Any, stated: str, shape: tuple[int, ...], extras: Extras) -> Any:
    """A mask on the axes of the image, where the files of both say what theirs are; otherwise as it came.

    The letters of the image are the user's, but its file's own where the file of the mask has the same.

    Examples
    --------
    >>> by_letters(np.eye(2, 3, dtype=bool), "XY", (5, 3, 2), Extras(axes="TYX", stated="TYX")).shape
    (5, 3, 2)
    """
    if not (stated and extras.stated):
        return mask
    letters = extras.stated if stated == extras.stated else extras.axes
    named = stated if len(stated) == mask.ndim else stated.replace("S", "")  # colours have become one grey
    of_image = dict(zip(letters, shape, strict=True))
    of_mask = {letter: n for letter, n in zip(named, mask.shape, strict=True) if n > 1 or letter in "YX"}
    common = set(named) & set(letters)
    if mask.shape == shape and common != set(letters) and all(named.index(k) == letters.index(k) for k in common):
        return mask  # programs have several names for the pages of a stack
    fits = all(of_image.get(letter) == n for letter, n in of_mask.items())
    if not fits or not set(letters) & set("YX") <= set(of_mask):
        raise ValueError(
            f"The mask has shape {mask.shape} on the axes {named}, and the image {shape} on {letters}, as their files "
            "say. Each axis of the mask must be one of the image, and as long. Give the mask the axes of the "
            "image, or save it as a plain TIFF or .npy, whose axes have no names and go by their lengths."
        )
    kept = mask[tuple(slice(None) if letter in of_mask else 0 for letter in named)]
    ordered = kept.transpose([list(of_mask).index(letter) for letter in letters if letter in of_mask])
    whole = [axis for axis, letter in enumerate(letters) if letter in of_mask or axis != extras.channel_axis]
    bare = ordered[tuple(slice(None) if letters[axis] in of_mask else None for axis in whole)]
    return np.broadcast_to(bare, tuple(shape[axis] for axis in whole))


def _is_nodata(image: Any, extras: Extras) -> Any:
    """Where a mask holds a nodata value; black marks nothing in any case."""
    blank = np.zeros((), bool)
    for value in extras.nodata:
        if value != (extras.black or 0):
            blank = blank | (np.isnan(image) if np.isnan(value) else image == value)
    return blank


def _but_nodata(path: str | Path, mask: Any, blank: Any, said: str) -> Any:
    """A mask that marks nothing where it holds a nodata value, whatever it marks elsewhere."""
    count = int(blank.sum())
    if not count:
        return mask
    warn(f"The mask {path} says nothing of {count:,} pixels, which were taken for known.{said}", GuessedMaskWarning)
    return mask & ~blank


def _check_threshold(threshold: float | None) -> None:
    if threshold is not None and not 0 < threshold <= 255:
        raise ValueError(
            f"The 'threshold' parameter of read_mask must be a number in (0, 255]. Got {threshold!r} instead."
        )


def _check_nan(path: str | Path, count: int) -> None:
    if count:
        raise ValueError(
            f"The mask {path} must say of each pixel whether it is missing. Got {count} NaN instead. "
            "Save 1 where pixels are missing, and 0 elsewhere."
        )


def _check_levels(path: str | Path, image: Any) -> None:
    if image.dtype.kind != "f":
        return
    nan, low, high = at_once(np.isnan(image).sum(), image.min(), image.max())
    _check_nan(path, int(nan))
    if low < 0 or high > 255:
        raise ValueError(
            f"The mask {path} must hold numbers from 0 to 1, or from 0 to 255. Got {float(low):g} to {float(high):g} "
            "instead. Save 1 where pixels are missing, and 0 elsewhere."
        )


def _inside(path: str | Path, file: str, name: str) -> np.ndarray:
    """An image of a FITS file."""
    try:
        return image_named(Path(file), name)
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"The mask {path} cannot be read: {one_line(error)}.") from error


def _flagged(path: str | Path, image: Any, invert: bool, threshold: float | None, stated: str = "") -> Any:
    if threshold is not None and image.dtype.kind != "b":
        raise ValueError(
            f"The mask {path} holds flags, of which those that are not 0 are missing, and no brightness to compare "
            f"with a threshold of {threshold:g}. Leave the threshold out, or save the mask as a picture."
        )
    if image.dtype.kind == "f":
        _check_nan(path, int(np.isnan(image).sum()))
    mask = image != 0
    if not mask.any() and not invert:
        raise ValueError(f"The mask {path} marks no pixel as missing: it is 0 everywhere.{stated}")
    return mask


def _opacity(extras: Extras) -> Any:
    return np.ones(()) if extras.alpha is None else extras.alpha / opaque(extras.alpha.dtype)


def _is_layer(levels: Any, extras: Extras, threshold: float) -> bool:
    """Whether this is transparent but for strokes that are not simply white."""
    opacity = _opacity(extras)
    if opacity.ndim == 0 or not (opacity == 0).any():
        return False
    painted = opacity >= threshold / 255
    dark = as_grey(levels) < threshold
    return bool(painted.any()) and (mostly(coloured(levels), painted) or not (painted & ~dark).any())
