"""Where "missing" comes from: a given mask, NaN, masked arrays, nodata values, saturated pixels.

Arrays in this file have their channels last, unless they say otherwise. A mask of shape (..., 1) is for all channels.
"""

from __future__ import annotations

import math
import sys
from numbers import Real
from typing import Any

import numpy as np

from skinpaint.grid.slabs import Slab, over_slabs
from skinpaint.wording import is_axis, is_int, require

__all__ = [
    "GUESSED",
    "LEFT",
    "as_bool",
    "check_known",
    "distance_to_known",
    "dtype_range",
    "entries_equal",
    "everywhere",
    "find_missing",
    "grow",
    "infinite",
    "known_ranges",
    "misfit",
    "near_enough",
    "saturated",
    "some_distances_to_known",
]

GUESSED = "took"  # how a note about saturated pixels begins
LEFT = "left alone"
MIN_GUESSED_SHARE = 0.005  # of all pixels: fewer saturated ones are no damage that can be guessed
MIN_GRAIN_SHARE = 1 / 3  # of the saturated pixels: fewer grains are highlights and shadows
ROUNDING = 1e-6  # relative: distances that differ by less are the same, as steps of coordinates are rounded
GRAIN_CONTRAST = 1 / 3  # of the dtype's range: a grain differs from a neighbour by more


def find_missing(
    array: np.ndarray,
    hidden: np.ndarray | None,
    mask: Any,
    missing_values: Any,
    channel_axis: int | None,
    unmeasured: np.ndarray | None = None,
) -> tuple[np.ndarray, str]:
    """All that is missing in an image.

    Parameters
    ----------
    array : ndarray of shape (M[, N[, ..., P]], C)
        The image.
    hidden : ndarray of bool or None
        The mask of a masked array, of the shape of `array`.
    mask : array_like or None
        The user's mask, its channels where the user's image has them.
    missing_values : {"auto", "saturated"}, number, tuple of numbers, or None
        As for :class:`skinpaint.Inpainter`.
    channel_axis : int or None
        Where the user's image has its channels.
    unmeasured : ndarray of bool or None
        Where the noise says that nothing was measured; like `mask`.

    Returns
    -------
    missing : ndarray of bool, of the shape of `array` or with a last axis of length 1
    note : str
        A clause about saturated pixels that were assumed to be missing, or to be highlights; empty if there are none.
    """
    missing = np.zeros((*array.shape[:-1], 1), bool)
    if mask is not None:
        missing = _given(mask, array, channel_axis)
    if unmeasured is not None:
        missing = missing | _given(unmeasured, array, channel_axis)
    if hidden is not None and hidden.any():
        missing = missing | hidden
    if array.dtype.kind == "f" and any(over_slabs(array.shape[:-1], 0, lambda slab: np.isnan(array[slab.box]).any())):
        missing = missing | np.isnan(array)
    if missing_values is None:
        return missing, ""
    if isinstance(missing_values, str):
        return _add_saturated(array, missing, missing_values, mask is not None or unmeasured is not None)
    values = missing_values if isinstance(missing_values, tuple) and missing_values else (missing_values,)
    for value in values:
        missing = missing | entries_equal(array, value, missing_values)
    return missing, ""


def as_bool(mask: object, name: str = "mask") -> np.ndarray:
    """Return a mask as booleans.

    Parameters
    ----------
    mask : array_like
        bool, 0/1 or 0/255; True means missing.
    name : str
        What errors call it.

    Returns
    -------
    mask : ndarray of bool
        Of the same shape.

    Raises
    ------
    TypeError, ValueError
        If the mask is no array, or holds anything else.

    Examples
    --------
    >>> as_bool([0, 255, 0])
    array([False,  True, False])
    """
    try:
        array = np.asarray(mask)
    except Exception as error:  # rows of different lengths, or what another library says of an object of its own
        raise TypeError(
            f"The {name!r} parameter must be an array. Got a {type(mask).__name__}, which NumPy cannot take for one "
            f"({error}), instead."
        ) from error
    if array.dtype == bool:
        return array.view(np.uint8) != 0  # Pillow stores True as 255, which other libraries do not take for True
    if array.dtype.kind not in "uif":
        raise ValueError(f"The {name!r} parameter must hold bool, 0/1 or 0/255. Got dtype {array.dtype} instead.")
    found = np.unique(array)
    top = 255 if found.size and found[-1] == 255 else 1
    wrong = found[(found != 0) & (found != top)]
    if wrong.size:
        some = ", ".join(f"{value:g}" for value in wrong[:5])
        raise ValueError(
            f"The {name!r} parameter must hold bool, 0/1 or 0/255, True or non-zero meaning missing. "
            f"Got {some}{', ...' if wrong.size > 5 else ''} instead. "
            f"Threshold it first, for example mask > 127."
        )
    return array != 0


def grow(mask: Any, pixels: int, *, channel_axis: int | None = None) -> np.ndarray:
    """Make a mask wider: everything within `pixels` of a missing pixel is missing, diagonals included.

    Damage is often a pixel or two wider than the mask that was drawn for it. The part outside the mask remains visible
    as a ghost.

    Parameters
    ----------
    mask : array_like of shape (M[, N[, ..., P]][, C])
        Where pixels are missing: bool, 0/1 or 0/255. It is not written to.
    pixels : int
        How far to grow, 0 or more.
    channel_axis : int, optional
        The axis of the channels, along which a mask does not grow.

    Returns
    -------
    grown : ndarray of bool
        A new mask of the same shape.

    Raises
    ------
    ValueError
        If `pixels` is not an int of at least 0, `channel_axis` is no axis of the mask, or the mask holds other values.

    Examples
    --------
    >>> grow([0, 0, 0, 1, 0, 0], 1)
    array([False, False,  True,  True,  True, False])
    """
    require(is_int(pixels) and pixels >= 0, "grow", "pixels", "an int of at least 0", pixels)
    grown = as_bool(mask).view(np.uint8)
    valid = channel_axis is None or is_axis(channel_axis, grown.ndim)
    require(valid, "grow", "channel_axis", f"None or an axis of the mask of shape {grown.shape}", channel_axis)
    if pixels:
        from scipy.ndimage import maximum_filter1d  # slow to load

        channels = None if channel_axis is None else channel_axis % grown.ndim
        for axis in range(grown.ndim):
            if axis != channels:
                reach = min(int(pixels), grown.shape[axis])  # all of the axis, at most
                grown = maximum_filter1d(grown, 2 * reach + 1, axis, mode="nearest")
    return grown.astype(bool)


def distance_to_known(missing: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Distance from each entry to the nearest known one of its channel, in units of the spacing; 0 where known.

    Examples
    --------
    >>> distance_to_known(np.array([[False], [True], [True]]), (0.5,))[:, 0]
    array([0. , 0.5, 1. ])
    """
    from scipy.ndimage import distance_transform_edt  # slow to load

    channels = [distance_transform_edt(missing[..., c], sampling=spacing) for c in range(missing.shape[-1])]
    return np.stack(channels, axis=-1)


def near_enough(missing: np.ndarray, spacing: tuple[float, ...], farthest: float) -> np.ndarray:
    """What is missing, and no further than this from the nearest known entry of its channel, but for rounding.

    Examples
    --------
    >>> near_enough(np.array([[False], [True], [True], [True]]), (0.2,), 0.6)[:, 0]  # of which 3 * 0.2 is more
    array([False,  True,  True,  True])
    """
    return missing & (distance_to_known(missing, spacing) <= farthest * (1 + ROUNDING))


def some_distances_to_known(missing: np.ndarray, spacing: tuple[float, ...], where: np.ndarray) -> np.ndarray:
    """Distance to the nearest known entry from each entry `where` of one channel; it takes less memory than all.

    Examples
    --------
    >>> missing = np.array([False, True, True])
    >>> some_distances_to_known(missing, (0.5,), missing)
    array([0.5, 1. ])
    """
    from scipy.ndimage import distance_transform_edt  # slow to load

    nearest = distance_transform_edt(missing, sampling=spacing, return_distances=False, return_indices=True)
    squares = np.zeros(np.count_nonzero(where))
    for axis, (there, step) in enumerate(zip(nearest, spacing, strict=True)):
        along = [-1 if k == axis else 1 for k in range(missing.ndim)]
        there -= np.arange(missing.shape[axis], dtype=there.dtype).reshape(along)
        squares += (step * there[where]) ** 2
    return np.sqrt(squares, out=squares)


def everywhere(mask: np.ndarray, image: np.ndarray, channel_axis: int | None) -> np.ndarray:
    """The mask in the shape of the image: of all channels if it is one for all."""
    full = mask if mask.ndim == image.ndim else np.expand_dims(mask, channel_axis)  # type: ignore[arg-type]
    return np.broadcast_to(full, image.shape)


def dtype_range(dtype: np.dtype) -> tuple[float, float]:
    """Lowest and highest value of an integer dtype; (0, 1) for floats, by scikit-image's convention."""
    if dtype.kind in "ui":
        info = np.iinfo(dtype)
        return info.min, info.max
    return 0, 1


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


def looks_like_grains(image: np.ndarray, found: np.ndarray) -> bool:
    """Whether saturated pixels are black and white grains, as damage leaves them, and not highlights or shadows.

    Grains stand out from their neighbours. A highlight is surrounded by pixels that are nearly as bright, so that at
    most its edge stands out.

    Parameters
    ----------
    image : ndarray of shape (M[, N[, ..., P]], C)
        Channels last.
    found : ndarray of bool, of the spatial shape
        The saturated pixels.

    Examples
    --------
    >>> grains = np.full((30, 30), 0.5)
    >>> grains[::3, ::3] = 1
    >>> highlight = np.full((30, 30), 0.5)
    >>> highlight[5:25, 5:25] = 1
    >>> [looks_like_grains(x[..., None], x == 1) for x in (grains, highlight)]
    [True, False]
    """
    if found.mean() < MIN_GUESSED_SHARE:
        return False
    low, high = dtype_range(image.dtype)
    contrast = GRAIN_CONTRAST * (float(high) - float(low))
    grains = np.zeros(found.shape, bool)
    for axis in range(found.ndim):
        ahead, behind = ((slice(None),) * axis + (part,) for part in (slice(1, None), slice(None, -1)))
        stands_out = (np.abs(image[ahead].astype(float) - image[behind]) > contrast).any(axis=-1)
        grains[ahead] |= stands_out
        grains[behind] |= stands_out
    return bool(np.count_nonzero(grains & found) >= MIN_GRAIN_SHARE * np.count_nonzero(found))


def check_known(missing: np.ndarray, note: str) -> None:
    """Refuse an image in which everything is missing, or a whole channel."""
    gone = missing.all(axis=tuple(range(missing.ndim - 1)))
    if gone.any():
        which = (
            "everything is missing"
            if gone.all()
            else f"all of channel {', '.join(map(str, np.flatnonzero(gone)))} is missing"
        )
        raise ValueError(
            f"The 'image' parameter must have at least one known pixel in every channel. Got an image of "
            f"which {which}{f' ({note})' if note else ''}."
        )


def known_ranges(array: np.ndarray, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest known value of each channel, in one pass over the image.

    Raises
    ------
    ValueError
        If a known value is infinite.

    Examples
    --------
    >>> known_ranges(np.array([[3, 9], [5, 7], [4, 8]]), np.array([[False], [True], [False]]))
    (array([3, 8]), array([4, 9]))
    """
    channels = array.shape[-1]
    owner = [missing[..., c % missing.shape[-1]] for c in range(channels)]
    some = [array[(*np.unravel_index(int(np.argmin(hidden)), hidden.shape), c)] for c, hidden in enumerate(owner)]

    def extremes(slab: Slab) -> list[tuple[Any, Any]]:
        found = []
        for c in range(channels):
            part = array[..., c][slab.box].copy()
            np.copyto(part, some[c], where=owner[c][slab.box])
            found.append((part.min(), part.max()))
        return found

    ranges = np.array(over_slabs(array.shape[:-1], 0, extremes))
    lowest, highest = ranges[..., 0].min(axis=0), ranges[..., 1].max(axis=0)
    if not (np.isfinite(lowest).all() and np.isfinite(highest).all()):
        count = int((np.isinf(array) & ~missing).sum())
        raise infinite(count)
    return lowest, highest


def infinite(count: int) -> ValueError:
    """What is said of so many known values that are infinite."""
    return ValueError(
        f"The 'image' parameter must be finite where it is known. Got {count} infinite value{'s' * (count > 1)} "
        "instead. Mark them as missing with mask= or set them to NaN."
    )


def _given(mask: Any, array: np.ndarray, axis: int | None) -> np.ndarray:
    """The user's mask with channels last, or with a last axis of length 1."""
    missing = as_bool(mask)
    spatial = array.shape[:-1]
    if missing.shape == spatial:
        return missing[..., None]
    if axis is not None and missing.ndim == array.ndim:
        missing = np.moveaxis(missing, axis, -1)
        if missing.shape == array.shape:
            return missing
    raise misfit(mask, array, axis)


def misfit(mask: Any, array: Any, axis: int | None) -> ValueError:
    """What is said of a mask that has neither the spatial shape of the array nor its full shape, `axis` the channels'.

    Examples
    --------
    >>> str(misfit(np.zeros((4, 5)), np.zeros((4, 5, 3, 1)), None)).partition("Got ")[2]
    'shape (4, 5) instead. Did you mean channel_axis=-1?'
    """
    given, spatial = np.shape(mask), array.shape[:-1]
    image_shape = spatial if axis is None else (*spatial[:axis], array.shape[-1], *spatial[axis:])
    message = (
        f"The 'mask' parameter must have the spatial shape {spatial}"
        f"{'' if axis is None else f' or the full shape {image_shape}'} "
        f"of an image of shape {image_shape}. Got shape {given} instead."
    )
    if given == (*spatial, 1):
        message += " Pass mask[..., 0]."
    if axis is None:
        for candidate in (-1, *range(len(spatial) - 1)):
            if tuple(np.delete(spatial, candidate)) == given:
                message += f" Did you mean channel_axis={candidate}?"
                break
    return ValueError(message)


def _add_saturated(array: np.ndarray, missing: np.ndarray, word: str, given: bool) -> tuple[np.ndarray, str]:
    """Add saturated pixels where they were asked for, or where nothing else says what is missing."""
    if word not in ("auto", "saturated"):
        raise _not_a_missing_value(word)
    if word == "auto" and (given or missing.any()):
        return missing, ""
    found = saturated(array, missing)
    low, high = dtype_range(array.dtype)
    if found is None:
        if word == "auto":
            return missing, ""
        known = array[np.broadcast_to(~missing, array.shape)]
        raise ValueError(
            "The 'missing_values' parameter of Inpainter can be 'saturated' only for integers and for floats in "
            f"[0, 1]. Got known values from {known.min():g} to {known.max():g} instead. Pass mask= or a number."
        )
    if not found.any():
        return missing, ""
    if word == "saturated":
        return missing | found[..., None], ""
    count = int(found.sum())
    said = f"{count} pixel{'s' * (count > 1)} ({100 * found.mean():.3g} %) at {low} or {high}"
    if not looks_like_grains(array, found):
        way_out = "pass mask=, or missing_values='saturated' to fill them"
        return missing, f"{LEFT} {said}, which look like highlights or shadows; {way_out}"
    return missing | found[..., None], f"{GUESSED} {said} for missing; pass mask= or missing_values="


def entries_equal(image: np.ndarray, value: Any, given: Any) -> np.ndarray:
    """Where `image` holds a nodata value; `given` is what the user passed."""
    if isinstance(value, bool) or not isinstance(value, Real | np.number):
        raise _not_a_missing_value(given)
    value = value.item() if isinstance(value, np.number) else value
    size: Any = abs(value)
    if size != size or sys.float_info.max < size < math.inf:  # NaN is missing in any case, and no image holds the rest
        return np.zeros(image.shape, bool)
    with np.errstate(over="ignore"):
        return image == (image.dtype.type(value) if image.dtype.kind == "f" else value)


def _not_a_missing_value(given: Any) -> ValueError:
    return ValueError(
        "The 'missing_values' parameter of Inpainter must be 'auto', 'saturated', None, a number or a tuple of "
        f"numbers. Got {given!r} instead."
    )
