"""Thin, slightly bent scratches across a picture."""

from __future__ import annotations

import numpy as np

from skinpaint.damage.base import blank_canvas, check_number, copy_with_channels_last, ink
from skinpaint.wording import generator

__all__ = ["scratches"]


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
    damaged, pixels = copy_with_channels_last(image, channel_axis, owner="scratches", spatial_ndim=2)
    shape = np.array(pixels.shape[:2])
    width = max(1, round(shape.min() / 250)) if width is None else width
    for name, number, lowest in (("count", count, 0), ("width", width, 1)):
        allowed = f"an int of at least {lowest}"
        check_number(number, lowest, np.inf, whole=True, allowed=allowed, name=name, owner="scratches")

    canvas, draw = blank_canvas(*shape)
    rng = generator(rng, "scratches")
    # A quadratic Bezier curve through the image: (1-t)^2 start + 2t(1-t) control + t^2 end.
    t = np.linspace(0, 1, 33)[:, np.newaxis]
    for _ in range(int(count)):
        start, end = rng.uniform(0, shape, size=(2, 2))
        control = (start + end) / 2 + rng.normal(0, 0.08, size=2) * shape
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
        draw.line([(x, y) for y, x in curve], fill=1, width=int(width), joint="curve")
    mask = np.asarray(canvas) != 0  # Pillow stores True as 255
    pixels[mask] = ink(value, pixels.dtype, owner="scratches")
    return damaged, mask
