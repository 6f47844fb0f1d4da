"""Black and white pixels at random."""

from __future__ import annotations

import numpy as np

from skinpaint.damage.base import check_number, copy_with_channels_last
from skinpaint.masks import dtype_range
from skinpaint.wording import generator

__all__ = ["random_pixels"]


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
    check_number(fraction, 0, 1, whole=False, allowed="a float in [0, 1]", name="fraction", owner="random_pixels")
    damaged, pixels = copy_with_channels_last(image, channel_axis, owner="random_pixels")
    rng = generator(rng, "random_pixels")
    mask = rng.random(pixels.shape[:-1]) < fraction
    black_and_white = np.array(dtype_range(pixels.dtype), pixels.dtype)
    pixels[mask] = rng.choice(black_and_white, size=(int(mask.sum()), 1))
    return damaged, mask
