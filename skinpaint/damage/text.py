"""Lines of text all over a picture."""

from __future__ import annotations

from itertools import cycle

import numpy as np
from PIL import ImageFont

from skinpaint.damage.base import blank_canvas, check_number, copy_with_channels_last, ink

__all__ = ["text"]

MAX_SIZE = 65535  # of letters, in pixels: FreeType draws no larger ones
PANGRAM = "The quick brown fox jumps over the lazy dog."


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
        Height of the letters in pixels, from 1 to 65535; by default a twentieth of the shorter side, and at least 8.
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
    damaged, pixels = copy_with_channels_last(image, channel_axis, owner="text", spatial_ndim=2)
    words = text.split() if isinstance(text, str) else []
    if not words:
        raise ValueError(f"The 'text' parameter of text must be a str with at least one word. Got {text!r} instead.")
    height, width = pixels.shape[:2]
    size = max(8, min(height, width) / 20) if size is None else size
    check_number(size, 1, MAX_SIZE, whole=False, allowed=f"a number from 1 to {MAX_SIZE}", name="size", owner="text")

    canvas, draw = blank_canvas(height, width)
    font = ImageFont.load_default(size=size)
    line_height = max(1, round(1.4 * size))
    supply = cycle(words)
    for top in range(0, height, line_height):
        line = next(supply)
        while draw.textlength(line, font=font) < width:
            line += " " + next(supply)
        draw.text((0, top), line, fill=1, font=font)
    mask = np.asarray(canvas) != 0  # Pillow stores True as 255
    pixels[mask] = ink(value, pixels.dtype, owner="text")
    return damaged, mask
