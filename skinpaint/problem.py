"""An image and what is missing in it, validated once; scaled on the way in, written back on the way out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skinpaint import masks
from skinpaint.grid.axes import channels_by_mask
from skinpaint.grid.threads import share
from skinpaint.lazy import lazy

__all__ = ["Bounds", "Problem"]

CHUNK = 2**16  # entries
SPARSE = 8  # of so many pixels one may be missing for it to pay to go to each
TIE = 2e-3  # added before rounding, so that it is not the last digits of a solver that decide about halves

Bounds = tuple[float, float] | str | None


@dataclass(frozen=True, eq=False)
class Problem:
    """What a method sees: floats with channels last, a mask, a box, and nothing of dtypes or files.

    Build it with :meth:`from_image`. Values are mapped so that the bounds (or the range of the known
    pixels) become [0, 1]; entries that are missing hold 0.5, whatever the image held there.

    Attributes
    ----------
    mask : ndarray of bool, shape (M[, N[, ..., P]], C) or (M[, N[, ..., P]], 1)
        True where missing; the last axis has length 1 when all channels share the mask.
    low, high : ndarray of shape (C,)
        The box that each channel's filled values are kept in.
    spacing : tuple of float
        Distance between neighbours along each spatial axis.
    note : str
        A sentence on what was taken for missing without being told; empty otherwise.
    """

    mask: np.ndarray
    low: np.ndarray
    high: np.ndarray
    spacing: tuple[float, ...]
    note: str
    _image: np.ndarray = field(repr=False)
    _limits: tuple[np.ndarray, np.ndarray] = field(repr=False)  # the box in the image's units
    _offset: float = field(repr=False)
    _scale: float = field(repr=False)
    _channel_axis: int | None = field(repr=False)

    @classmethod
    def from_image(
        cls,
        image: Any,
        mask: Any = None,
        *,
        channel_axis: int | None = None,
        missing_values: Any = "auto",
        bounds: Bounds = None,
        spacing: float | Sequence[float] | None = None,
        default_bounds: Bounds = None,
    ) -> Problem:
        """Check everything once and scale the known values.

        Parameters are those of :class:`skinpaint.Inpainter`; `default_bounds` stands in for `bounds`
        where that is None.

        Raises
        ------
        TypeError, ValueError
            If the image, the mask or a parameter cannot be used; the message says what would do.

        Examples
        --------
        >>> import numpy as np
        >>> problem = Problem.from_image(np.array([10, 0, 30], np.uint8), mask=[0, 1, 0])
        >>> problem.values[:, 0]
        array([0. , 0.5, 1. ])
        >>> problem.restore(problem.values)
        array([10, 20, 30], dtype=uint8)
        """
        array, hidden = _as_array(image)
        array, hidden, axis = _channels_last(array, hidden, channel_axis)
        missing, note = _missing(array, hidden, mask, missing_values, axis)
        _check_known(array, missing, note)
        shared = missing.shape[-1] == 1 or bool((missing == missing[..., :1]).all())
        missing = np.ascontiguousarray(missing[..., :1] if shared else missing)
        limits = _limits(array, missing, default_bounds if bounds is None else bounds)
        offset, scale = _affine(*limits)
        return cls(
            mask=missing,
            low=(limits[0] - offset) / scale,
            high=(limits[1] - offset) / scale,
            spacing=_check_spacing(spacing, array.ndim - 1),
            note=note,
            _image=array,
            _limits=limits,
            _offset=offset,
            _scale=scale,
            _channel_axis=axis,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Spatial shape, and the number of channels."""
        return self._image.shape

    @property
    def ndim(self) -> int:
        """Number of spatial axes."""
        return len(self.shape) - 1

    @lazy
    def values(self) -> np.ndarray:
        """Known values, float64 (float32 for float32 and float16 images); 0.5 where missing."""
        return self.write(np.empty(self.shape, _working(self._image.dtype)))

    def write(self, out: np.ndarray) -> np.ndarray:
        """Write `values` into an array of a method's own, which is returned."""
        if "values" in self.__dict__:
            np.copyto(out, self.values)
            return out
        return _scale(self._image, self.mask, self._offset, self._scale, out)

    @property
    def user_mask(self) -> np.ndarray:
        """The mask as the user sees it: the image's shape where channels differ, else the spatial shape."""
        if self.mask.shape[-1] == 1:
            return self.mask[..., 0]
        return np.ascontiguousarray(np.moveaxis(self.mask, -1, self._channel_axis))  # type: ignore[arg-type]

    @lazy
    def damaged(self) -> np.ndarray:
        """The values as they came, damage included: only for a method that starts from the damage itself.

        Non-finite entries are 0.5.
        """
        unusable = ~np.isfinite(self._image)
        return _scale(self._image, unusable, self._offset, self._scale, np.empty(self.shape))

    @property
    def trivial(self) -> str:
        """Why there is nothing to solve, as a sentence; empty if there is something to solve."""
        if not self.mask.any():
            return "Nothing is missing: the image is returned as it came."
        if (self.low == self.high).all():
            return "All known pixels are equal: the missing ones are set to the same value."
        return ""

    @property
    def start(self) -> np.ndarray:
        """The known values, with missing ones in the middle of each channel's box."""
        return np.where(self.mask, (self.low + self.high) / 2, self.values)

    def groups(self) -> Iterator[tuple[np.ndarray, list[int]]]:
        """Give ``(mask, channels)``: each different spatial mask that misses something, and the channels it is of."""
        return channels_by_mask(self.mask, self.shape[-1])

    def clip(self, values: np.ndarray) -> np.ndarray:
        """Project `values` onto the box and the known values."""
        return np.where(self.mask, np.clip(values, self.low, self.high), self.values)

    def restore(self, values: np.ndarray) -> np.ndarray:
        """The picture: `values` clipped and brought to the image's dtype, known pixels bit for bit.

        Parameters
        ----------
        values : ndarray of shape (M[, N[, ..., P]], C)
            Values in the problem's units.

        Returns
        -------
        image : ndarray
            A new array with the shape, the dtype and the range of the image.
        """
        image = self._image
        out = image.copy()
        values = np.broadcast_to(values, image.shape)
        if SPARSE * np.count_nonzero(self.mask) < self.mask.size:
            at = np.unravel_index(np.flatnonzero(np.broadcast_to(self.mask, image.shape)), image.shape)
            out[at] = self._filled(values[at], *(limit[at[-1]] for limit in self._limits))
        else:

            def part(lo: int, hi: int) -> None:
                for piece in _pieces(image, lo, hi):
                    np.copyto(out[piece], self._filled(values[piece], *self._limits), where=self.mask[piece])

            share(part, 0, image.shape[0], image.size)
        if self._channel_axis is None:
            return out[..., 0]
        return np.ascontiguousarray(np.moveaxis(out, -1, self._channel_axis))

    def _filled(self, values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """`values` in the image's units, between `low` and `high`, and in its dtype."""
        filled = values * self._scale
        filled += self._offset
        np.clip(filled, low, high, out=filled)
        return _cast(filled, self._image.dtype)


def _as_array(image: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """The image as a plain array, and the mask it carries if it is a masked array."""
    hidden = np.ma.getmaskarray(image) if isinstance(image, np.ma.MaskedArray) else None
    array = np.asarray(np.ma.getdata(image) if hidden is not None else image)
    kind = array.dtype.kind
    if kind == "b":
        raise ValueError(
            "The 'image' parameter must hold integers or floats. Got bool instead. "
            "Convert it, for example image.astype(float)."
        )
    if kind not in "uif":
        raise TypeError(f"The 'image' parameter must hold integers or real floats. Got {array.dtype} instead.")
    if array.ndim == 0:
        raise ValueError("The 'image' parameter must be an array with at least one axis. Got a scalar instead.")
    if array.size == 0:
        raise ValueError(f"The 'image' parameter must not be empty. Got shape {array.shape} instead.")
    return array, hidden


def _channels_last(
    array: np.ndarray, hidden: np.ndarray | None, channel_axis: int | None
) -> tuple[np.ndarray, np.ndarray | None, int | None]:
    """Move the channels last, or add a last axis of length 1; the axis comes back non-negative."""
    if channel_axis is None:
        return array[..., None], None if hidden is None else hidden[..., None], None
    if isinstance(channel_axis, bool) or not isinstance(channel_axis, int | np.integer):
        raise TypeError(
            f"The 'channel_axis' parameter of Inpainter must be an int or None. Got {channel_axis!r} instead."
        )
    if not -array.ndim <= channel_axis < array.ndim:
        raise ValueError(
            f"The 'channel_axis' parameter of Inpainter must be an axis of the image. "
            f"Got {channel_axis} for an image of shape {array.shape} instead."
        )
    if array.ndim == 1:
        raise ValueError(
            f"The 'channel_axis' parameter of Inpainter must be None for an image with one axis. "
            f"Got {channel_axis} for shape {array.shape} instead."
        )
    moved = np.moveaxis(array, channel_axis, -1)
    return moved, None if hidden is None else np.moveaxis(hidden, channel_axis, -1), channel_axis % array.ndim


def _given_mask(mask: Any, array: np.ndarray, axis: int | None) -> np.ndarray:
    """A given mask with channels last, or with a last axis of length 1."""
    missing = masks.as_bool(mask)
    spatial = array.shape[:-1]
    if missing.shape == spatial:
        return missing[..., None]
    if axis is not None and missing.ndim == array.ndim:
        missing = np.moveaxis(missing, axis, -1)
        if missing.shape == array.shape:
            return missing
    image_shape = spatial if axis is None else tuple(np.insert(spatial, axis, array.shape[-1]).tolist())
    message = (
        f"The 'mask' parameter must have the spatial shape {spatial}"
        f"{'' if axis is None else f' or the full shape {image_shape}'} "
        f"of an image of shape {image_shape}. Got shape {np.shape(mask)} instead."
    )
    if axis is None and len(spatial) == missing.ndim + 1:
        for candidate in (-1, *range(len(spatial) - 1)):
            if tuple(np.delete(spatial, candidate)) == missing.shape:
                message += f" Did you mean channel_axis={candidate}?"
                break
    raise ValueError(message)


def _missing(
    array: np.ndarray, hidden: np.ndarray | None, mask: Any, missing_values: Any, axis: int | None
) -> tuple[np.ndarray, str]:
    """All that is missing, channels last, and a note if saturated pixels were taken for missing unasked."""
    missing = np.zeros((*array.shape[:-1], 1), bool)
    if mask is not None:
        missing = _given_mask(mask, array, axis)
    if hidden is not None and hidden.any():
        missing = missing | hidden
    if array.dtype.kind == "f":
        nan = np.isnan(array)
        if nan.any():
            missing = missing | nan
    if missing_values is None:
        return missing, ""
    if isinstance(missing_values, str):
        if missing_values not in ("auto", "saturated"):
            masks.entries_equal(array, missing_values)  # type: ignore[arg-type]  # raises the sentence
        if missing_values == "auto" and (mask is not None or missing.any()):
            return missing, ""
        found = masks.saturated(array, missing)
        low, high = masks.dtype_range(array.dtype)
        if found is None:
            if missing_values == "auto":
                return missing, ""
            known = array[np.broadcast_to(~missing, array.shape)]
            raise ValueError(
                "The 'missing_values' parameter of Inpainter can be 'saturated' only for integers and for floats in "
                f"[0, 1]. Got known values from {known.min():g} to {known.max():g} instead. Pass mask= or a number."
            )
        if not found.any():
            return missing, ""
        note = ""
        if missing_values == "auto":
            note = (
                f"took {found.sum()} pixels ({100 * found.mean():.3g} %) at {low} or {high} for missing; "
                "pass mask= or missing_values="
            )
        return missing | found[..., None], note
    return missing | masks.entries_equal(array, missing_values), ""


def _check_known(array: np.ndarray, missing: np.ndarray, note: str) -> None:
    """Refuse what leaves nothing to go by: everything missing, a channel missing, infinities."""
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
    if array.dtype.kind == "f":
        count = int((np.isinf(array) & ~missing).sum())
        if count:
            raise ValueError(
                f"The 'image' parameter must be finite where it is known. Got {count} infinite values "
                f"instead. Mark them as missing with mask= or set them to NaN."
            )


def _limits(array: np.ndarray, missing: np.ndarray, bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value that each channel may take, in the image's units."""
    channels = range(array.shape[-1])
    ranges = [_known_range(array[..., c], missing[..., c % missing.shape[-1]]) for c in channels]
    lowest, highest = np.array(ranges, dtype=float).T
    if bounds is None:
        return lowest, highest
    low, high = _check_bounds(bounds, array.dtype)
    if lowest.min() < low or highest.max() > high:
        raise ValueError(
            f"The 'bounds' parameter of Inpainter must contain all known values. Got {bounds!r}, which is "
            f"({low:g}, {high:g}), for values from {lowest.min():g} to {highest.max():g} instead."
        )
    # A channel whose known pixels are all equal is continued as that constant, whatever the box.
    constant = lowest == highest
    return np.where(constant, lowest, low), np.where(constant, highest, high)


def _known_range(channel: np.ndarray, missing: np.ndarray) -> tuple[Any, Any]:
    """Lowest and highest known value of a channel."""
    low, high = channel.min(), channel.max()
    for extreme in (low, high):  # mostly some known pixel is as low, and some as high, as any: that is quick to see
        if not ((channel == extreme) > missing).any():
            known = channel[~missing]
            return known.min(), known.max()
    return low, high


def _affine(lowest: np.ndarray, highest: np.ndarray) -> tuple[float, float]:
    """Offset and scale of the map from the union of the channels' ranges to [0, 1]."""
    offset, scale = float(lowest.min()), float(highest.max() - lowest.min())
    if not np.isfinite(scale):
        raise ValueError(
            "The 'image' parameter must have known values whose range is finite. "
            f"Got {lowest.min():g} to {highest.max():g} instead. Divide the image by a constant first."
        )
    return offset, scale if scale > 0 else 1.0


def _check_bounds(bounds: Bounds, dtype: np.dtype) -> tuple[float, float]:
    if isinstance(bounds, str) and bounds == "dtype":
        low, high = masks.dtype_range(dtype)
        return float(low), float(high)
    try:
        low, high = (float(b) for b in bounds)  # type: ignore[union-attr]
        valid = low < high and np.isfinite(high - low) and not isinstance(bounds, str)
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            "The 'bounds' parameter of Inpainter must be None, 'dtype' or a pair (low, high) of finite "
            f"numbers with low < high. Got {bounds!r} instead."
        )
    return low, high


def _check_spacing(spacing: float | Sequence[float] | None, ndim: int) -> tuple[float, ...]:
    if spacing is None:
        return (1.0,) * ndim
    try:
        given = np.asarray(spacing, dtype=float)
        valid = not isinstance(spacing, bool) and given.shape in ((), (ndim,))
        valid = valid and bool((np.isfinite(given) & (given > 0)).all())
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            f"The 'spacing' parameter of Inpainter must be a positive number or {ndim} of them, one for "
            f"each spatial axis. Got {spacing!r} instead."
        )
    return tuple(np.broadcast_to(given, (ndim,)).tolist())


def _scale(array: np.ndarray, missing: np.ndarray, offset: float, scale: float, out: np.ndarray) -> np.ndarray:
    """Write ``(array - offset) / scale`` where known and 0.5 where missing into `out`."""
    kind = _working(array.dtype)

    def part(lo: int, hi: int) -> None:
        for piece in _pieces(array, lo, hi):
            scaled: np.ndarray = array[piece].astype(kind)
            with np.errstate(invalid="ignore", over="ignore"):  # of what is missing
                scaled -= kind(offset)
                scaled /= kind(scale)
            np.copyto(scaled, 0.5, where=missing[piece])
            out[piece] = scaled

    share(part, 0, array.shape[0], array.size)
    return out


def _working(dtype: np.dtype) -> type:
    """The floats that hold an image of `dtype`."""
    return np.float32 if dtype.kind == "f" and dtype.itemsize <= 4 else np.float64


def _pieces(array: np.ndarray, lo: int, hi: int) -> Iterator[slice]:
    """Runs of the first axis from `lo` to `hi`, as long as stay in the cache."""
    step = max(1, CHUNK * array.shape[0] // array.size)
    for start in range(lo, hi, step):
        yield slice(start, min(start + step, hi))


def _cast(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Round in place for integers, and never leave the dtype's range."""
    if dtype.kind == "f":
        return values.astype(dtype)
    info = np.iinfo(dtype)
    top = float(info.max)
    if top > info.max:  # 64-bit limits are not floats
        top = np.nextafter(top, 0)
    values += TIE
    np.rint(values, out=values)
    return np.clip(values, float(info.min), top, out=values).astype(dtype)
