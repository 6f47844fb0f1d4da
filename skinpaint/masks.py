"""Where "missing" comes from: a given mask, NaN, masked arrays, a nodata value, saturated pixels.

Arrays in this file have their channels last, or no channels at all.
"""

from __future__ import annotations

import math
from numbers import Real

import numpy as np

__all__ = ["as_bool", "dtype_range", "entries_equal", "saturated"]


def as_bool(mask: object) -> np.ndarray:
    """Return `mask` as booleans; it may hold bool, 0/1 or 0/255, and True means missing.

    Raises
    ------
    ValueError
        If the mask holds anything else.
    """
    array = np.asarray(mask)
    if array.dtype == bool:
        return array != 0  # a True from Pillow is stored as 255, which is no True to others
    if array.dtype.kind not in "uif":
        raise ValueError(f"The 'mask' parameter must hold bool, 0/1 or 0/255. Got dtype {array.dtype} instead.")
    found = np.unique(array)
    top = 255 if found.size and found[-1] == 255 else 1
    wrong = found[(found != 0) & (found != top)]
    if wrong.size:
        some = ", ".join(f"{value:g}" for value in wrong[:5])
        raise ValueError(
            f"The 'mask' parameter must hold bool, 0/1 or 0/255, True or non-zero meaning missing. "
            f"Got {some}{', ...' if wrong.size > 5 else ''} instead. "
            f"Threshold it first, for example mask > 127."
        )
    return array != 0


def dtype_range(dtype: np.dtype) -> tuple[float, float]:
    """Lowest and highest value of an integer dtype; (0, 1) for floats, by scikit-image's convention."""
    if dtype.kind in "ui":
        info = np.iinfo(dtype)
        return info.min, info.max
    return 0, 1


def entries_equal(image: np.ndarray, value: float) -> np.ndarray:
    """Where `image` holds the nodata `value`.

    Raises
    ------
    ValueError
        If `value` is neither a number nor a known word.
    """
    if isinstance(value, bool) or not isinstance(value, Real | np.number):
        raise ValueError(
            "The 'missing_values' parameter of Inpainter must be 'auto', 'saturated', None or a number. "
            f"Got {value!r} instead."
        )
    if math.isnan(value):  # NaN is missing anyway
        return np.zeros(image.shape, bool)
    if image.dtype.kind == "f":
        return image == image.dtype.type(value)
    return image == value


def saturated(image: np.ndarray, missing: np.ndarray) -> np.ndarray | None:
    """Pixels whose every channel is known and at the lowest or highest value of the dtype, or None if undefined.

    It is undefined for floats outside [0, 1], which have no lowest and highest value.

    Parameters
    ----------
    image : ndarray of shape (M[, N[, ..., P]], C)
        Channels last.
    missing : ndarray of bool, broadcastable to the shape of `image`
        Entries that are missing already; what they hold does not count.
    """
    known = np.broadcast_to(~missing, image.shape)
    if image.dtype.kind == "f":
        finite = image[known & np.isfinite(image)]
        if finite.size and (finite.min() < 0 or finite.max() > 1):
            return None
    low, high = dtype_range(image.dtype)
    return (((image == low) | (image == high)) & known).all(axis=-1)
