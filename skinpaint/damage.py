"""Damage with a known mask, for trials: pixels at random, text, and scratches."""

from __future__ import annotations

from itertools import cycle

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from skinpaint.masks import dtype_range

__all__ = ["random_pixels", "scratches", "text"]

PANGRAM = "The quick brown fox jumps over the lazy dog."


def random_pixels(
    image: np.ndarray,
    fraction: float = 0.9,
    *,
    channel_axis: int | None = None,
    rng: np.random.Generator | int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Replace each pixel, with a given probability, by black or white at random.

    Parameters
    ----------
    image : ndarray of shape (M[, N[, ..., P]][, C])
        The undamaged image, of any integer or floating type.
    fraction : float in [0, 1], optional
        Probability that a pixel is destroyed.
    channel_axis : int, optional
        The axis of `image` that holds channels; None if there is none. A pixel is destroyed in all its
        channels at once: it turns black or white.
    rng : numpy.random.Generator or int, optional
        Source of randomness, through `numpy.random.default_rng`; an int makes the damage repeatable.

    Returns
    -------
    damaged : ndarray, like `image`
        A new array of the same shape and dtype. Black and white are the lowest and highest value of an
        integer type, and 0 and 1 for floats.
    mask : ndarray of bool, of shape (M[, N[, ..., P]])
        True where a pixel was destroyed.

    Raises
    ------
    TypeError
        If `image` holds neither integers nor floats.
    ValueError
        If `fraction` lies outside [0, 1] or `channel_axis` names no axis of `image`.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint.damage import random_pixels
    >>> damaged, mask = random_pixels(np.full((100, 100), 128, np.uint8), fraction=0.9, rng=0)
    >>> np.unique(damaged[mask]), np.unique(damaged[~mask])
    (array([  0, 255], dtype=uint8), array([128], dtype=uint8))
    >>> print(f"{mask.mean():.2f}")
    0.90
    """
    if not 0 <= fraction <= 1:
        raise ValueError(
            f"The 'fraction' parameter of random_pixels must be a float in [0, 1]. Got {fraction!r} instead."
        )
    damaged, pixels = _copy_with_channels_last(image, channel_axis, owner="random_pixels")
    rng = np.random.default_rng(rng)
    mask = rng.random(pixels.shape[:-1]) < fraction
    black_and_white = np.array(dtype_range(pixels.dtype), pixels.dtype)
    pixels[mask] = rng.choice(black_and_white, size=(int(mask.sum()), 1))
    return damaged, mask


def text(
    image: np.ndarray,
    text: str = PANGRAM,
    *,
    size: float | None = None,
    value: float | None = None,
    channel_axis: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Write lines of text all over an image.

    Parameters
    ----------
    image : ndarray of shape (M, N[, C])
        The undamaged image, of any integer or floating type.
    text : str, optional
        Its words are repeated until the image is full.
    size : float, optional
        Height of the letters in pixels; by default a twentieth of the shorter side, and at least 8.
    value : float, optional
        The ink; white by default, that is the highest value of an integer type and 1 for floats.
    channel_axis : int, optional
        The axis of `image` that holds channels; None if there is none.

    Returns
    -------
    damaged : ndarray, like `image`
        A new array of the same shape and dtype.
    mask : ndarray of bool, of shape (M, N)
        True where there is ink.

    Raises
    ------
    TypeError
        If `image` holds neither integers nor floats.
    ValueError
        If `image` is not two-dimensional, or another parameter is outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint.damage import text
    >>> damaged, mask = text(np.zeros((64, 96)), "skin paint", size=16)
    >>> np.array_equal(mask, damaged == 1)
    True
    """
    damaged, pixels = _copy_with_channels_last(image, channel_axis, owner="text", spatial_ndim=2)
    words = text.split()
    if not words:
        raise ValueError(f"The 'text' parameter of text must hold at least one word. Got {text!r} instead.")
    height, width = pixels.shape[:2]
    size = max(8, min(height, width) / 20) if size is None else size
    if not 1 <= size < np.inf:
        raise ValueError(f"The 'size' parameter of text must be a number of at least 1. Got {size!r} instead.")

    canvas, draw = _blank_canvas(height, width)
    font = ImageFont.load_default(size=size)
    line_height = max(1, round(1.4 * size))
    supply = cycle(words)
    for top in range(0, height, line_height):
        line = next(supply)
        while draw.textlength(line, font=font) < width:
            line += " " + next(supply)
        draw.text((0, top), line, fill=1, font=font)
    mask = np.asarray(canvas) != 0  # Pillow stores True as 255
    pixels[mask] = _ink(value, pixels.dtype, owner="text")
    return damaged, mask


def scratches(
    image: np.ndarray,
    count: int = 20,
    *,
    width: int | None = None,
    value: float | None = None,
    channel_axis: int | None = None,
    rng: np.random.Generator | int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw thin, slightly bent scratches across an image.

    Parameters
    ----------
    image : ndarray of shape (M, N[, C])
        The undamaged image, of any integer or floating type.
    count : int, optional
        Number of scratches.
    width : int, optional
        Their width in pixels; by default a 250th of the shorter side, and at least 1.
    value : float, optional
        What a scratch leaves; white by default, that is the highest value of an integer type and 1 for floats.
    channel_axis : int, optional
        The axis of `image` that holds channels; None if there is none.
    rng : numpy.random.Generator or int, optional
        Source of randomness, through `numpy.random.default_rng`; an int makes the damage repeatable.

    Returns
    -------
    damaged : ndarray, like `image`
        A new array of the same shape and dtype.
    mask : ndarray of bool, of shape (M, N)
        True where there is a scratch.

    Raises
    ------
    TypeError
        If `image` holds neither integers nor floats.
    ValueError
        If `image` is not two-dimensional, or another parameter is outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint.damage import scratches
    >>> damaged, mask = scratches(np.zeros((100, 100)), count=3, rng=0)
    >>> bool(mask.any()), np.array_equal(mask, damaged == 1)
    (True, True)
    """
    damaged, pixels = _copy_with_channels_last(image, channel_axis, owner="scratches", spatial_ndim=2)
    shape = np.array(pixels.shape[:2])
    width = max(1, round(shape.min() / 250)) if width is None else width
    for name, number, lowest in (("count", count, 0), ("width", width, 1)):
        if number != int(number) or number < lowest:
            raise ValueError(
                f"The '{name}' parameter of scratches must be an int of at least {lowest}. Got {number!r} instead."
            )

    canvas, draw = _blank_canvas(*shape)
    rng = np.random.default_rng(rng)
    # A quadratic Bezier curve through the image: (1-t)^2 start + 2t(1-t) control + t^2 end.
    t = np.linspace(0, 1, 33)[:, np.newaxis]
    for _ in range(int(count)):
        start, end = rng.uniform(0, shape, size=(2, 2))
        control = (start + end) / 2 + rng.normal(0, 0.08, size=2) * shape
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
        draw.line([(x, y) for y, x in curve], fill=1, width=int(width), joint="curve")
    mask = np.asarray(canvas) != 0  # Pillow stores True as 255
    pixels[mask] = _ink(value, pixels.dtype, owner="scratches")
    return damaged, mask


def _copy_with_channels_last(
    image: np.ndarray, channel_axis: int | None, *, owner: str, spatial_ndim: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return a copy of `image`, and a view of that copy with its channels last (one, if it has none)."""
    damaged = np.array(image)
    if damaged.dtype.kind not in "iuf":
        raise TypeError(
            f"The 'image' parameter of {owner} must hold integers or floats. Got dtype {damaged.dtype} instead; "
            "convert it first, for example with image.astype(float)."
        )
    if channel_axis is None:
        pixels = damaged[..., np.newaxis]
    elif -damaged.ndim <= channel_axis < damaged.ndim:
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


def _ink(value: float | None, dtype: np.dtype, *, owner: str) -> float:
    if value is None:
        return dtype_range(dtype)[1]
    if dtype.kind != "f" and not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
        raise ValueError(f"The 'value' parameter of {owner} must fit the image's dtype {dtype}. Got {value!r} instead.")
    return value


def _blank_canvas(height: int, width: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Return a canvas of one bit a pixel, on which nothing is antialiased, and a pen for it."""
    canvas = Image.new("1", (int(width), int(height)))
    return canvas, ImageDraw.Draw(canvas)
