"""What all kinds of damage share: a copy to damage, the ink, and a canvas to draw the mask on."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from skinpaint.masks import dtype_range
from skinpaint.wording import is_axis, is_number, require

__all__ = ["blank_canvas", "check_number", "copy_with_channels_last", "ink"]


def copy_with_channels_last(
    image: np.ndarray, channel_axis: int | None, *, owner: str, spatial_ndim: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return a copy of `image`, and a view of that copy with its channels last (one, if it has none)."""
    if isinstance(image, np.ma.MaskedArray) and np.ma.is_masked(image):
        raise TypeError(
            f"The 'image' parameter of {owner} must not have masked entries, which would be taken for known. Got some "
            "instead. Damage an image that is whole, or pass image.filled() and join the masks."
        )
    damaged = np.array(image)
    if damaged.dtype.kind not in "iuf":
        raise TypeError(
            f"The 'image' parameter of {owner} must hold integers or floats. Got dtype {damaged.dtype} instead; "
            "convert it first, for example with image.astype(float)."
        )
    if damaged.size == 0:
        raise ValueError(f"The 'image' parameter of {owner} must not be empty. Got shape {damaged.shape} instead.")
    if channel_axis is None:
        pixels = damaged[..., np.newaxis]
    elif is_axis(channel_axis, damaged.ndim):
        pixels = np.moveaxis(damaged, channel_axis, -1)
    else:
        raise ValueError(
            f"The 'channel_axis' parameter of {owner} must name an axis of the image of shape {damaged.shape}. "
            f"Got {channel_axis!r} instead."
        )
    if pixels.ndim < 2 or (spatial_ndim is not None and pixels.ndim != spatial_ndim + 1):
        wanted = "at least one spatial axis" if spatial_ndim is None else "two spatial axes"
        hint = "; did you mean channel_axis=-1?" if channel_axis is None and damaged.ndim == 3 else "."
        raise ValueError(
            f"The 'image' parameter of {owner} must have {wanted}. Got shape {damaged.shape} "
            f"with channel_axis={channel_axis} instead{hint}"
        )
    return damaged, pixels


def ink(value: float | None, dtype: np.dtype, *, owner: str) -> float:
    """Return the value that damage leaves: `value`, or white."""
    if value is None:
        return dtype_range(dtype)[1]
    if dtype.kind == "f":
        valid = is_number(value) and (not np.isfinite(value) or abs(value) <= float(np.finfo(dtype).max))
    else:
        valid = _is_number(value, whole=True) and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max
    require(valid, owner, "value", f"a number that the image's dtype {dtype} holds", value)
    return value


def _is_number(value: object, *, whole: bool) -> bool:
    """Whether this is a number, and a whole one if it has to be.

    Examples
    --------
    >>> _is_number(2.0, whole=True), _is_number(2.5, whole=True), _is_number("2", whole=False)
    (True, False, False)
    """
    return is_number(value) and (not whole or (bool(np.isfinite(value)) and value == int(value)))


def check_number(value: object, least: float, most: float, *, whole: bool, allowed: str, name: str, owner: str) -> None:
    """Refuse what is not a number from `least` to `most`."""
    valid = _is_number(value, whole=whole) and least <= value <= most  # type: ignore[operator]
    require(valid, owner, name, allowed, value)


def blank_canvas(height: int, width: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Return a canvas of one bit a pixel, on which nothing is antialiased, and a pen for it."""
    canvas = Image.new("1", (int(width), int(height)))
    return canvas, ImageDraw.Draw(canvas)
