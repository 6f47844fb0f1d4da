"""An image and what is missing in it, validated once; scaled on the way in, written back on the way out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from skinpaint import containers, masks
from skinpaint.grid.axes import channels_by_mask
from skinpaint.grid.threads import share
from skinpaint.lazy import lazy
from skinpaint.solution import Reason

__all__ = ["Bounds", "Problem"]

CHUNK = 2**16  # entries that are scaled or written back at a time: they stay in the cache
SPARSE = 8  # if less than one pixel in so many is missing, missing pixels are indexed one by one
HALF_TIE = 2e-3  # added before rounding to integers: keeps rounding errors of a solver from deciding ties

SAMPLE, MIN_SAMPLE = 2**12, 64  # values that a mask is judged by: all, and of each kind at least
FAR_MORE = 16  # times as many different values under a mask: it may be inverted
MIN_COLOUR_SIDE = 32  # pixels: smaller arrays of three or four slices are not taken for pictures in colour

Bounds = tuple[float, float] | Literal["dtype"] | None


@dataclass(frozen=True, eq=False)
class Problem:
    """What a method gets: floats with channels last, a mask and bounds; no dtypes and no files.

    Build it with :meth:`from_image`. Values are mapped so that the bounds become [0, 1]: those that were given, or each
    channel's own range of known pixels. So no channel's unit, and no unit of length, makes a difference.

    Attributes
    ----------
    mask : ndarray of bool, shape (M[, N[, ..., P]], C) or (M[, N[, ..., P]], 1)
        True where missing; the last axis has length 1 when all channels share the mask.
    low, high : ndarray of shape (C,)
        The bounds of each channel: filled values are kept between them.
    spacing : tuple of float
        Distance between neighbours along each spatial axis, in units of the shortest.
    unit : float
        The shortest distance between neighbours, in the user's units.
    note : str
        A clause about saturated pixels that were assumed to be missing, or to be highlights; empty if there are none.
    """

    mask: np.ndarray
    low: np.ndarray
    high: np.ndarray
    spacing: tuple[float, ...]
    unit: float
    note: str
    _image: np.ndarray = field(repr=False)
    _bounds: tuple[np.ndarray, np.ndarray] = field(repr=False)  # in the image's units
    _offset: np.ndarray = field(repr=False)  # of each channel
    _scale: np.ndarray = field(repr=False)
    _channel_axis: int | None = field(repr=False)
    _max_distance: float | None = field(repr=False)
    _masked: bool = field(repr=False)  # whether a mask was given
    _contents: containers.Contents = field(repr=False)  # what the image came in

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
        grow: int = 0,
        max_distance: float | None = None,
        default_bounds: Bounds = None,
    ) -> Problem:
        """Check everything once, and find what is missing.

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
        >>> problem.write_back(problem.values)
        array([10, 20, 30], dtype=uint8)
        """
        contents = containers.unpack(image)
        mask = containers.mask_in(mask, image)
        _check_array(contents.array)
        channel_axis = contents.channel_axis if channel_axis is None else channel_axis
        array, hidden, axis = _channels_last(contents.array, contents.hidden, channel_axis)
        if isinstance(missing_values, str) and missing_values == "auto" and contents.nodata:
            missing_values = contents.nodata
        missing, note = masks.find_missing(array, hidden, mask, missing_values, axis)
        if _check_grow(grow):
            missing = masks.grow(missing, grow, channel_axis=-1)
        masks.check_known(array, missing, note)
        shared = missing.shape[-1] == 1 or bool((missing == missing[..., :1]).all())
        missing = np.ascontiguousarray(missing[..., :1] if shared else missing)
        bounds = default_bounds if bounds is None else bounds
        low, high = _find_bounds(array, missing, bounds)
        offset, scale = _affine(low, high, shared=bounds is not None)
        distances = _check_spacing(spacing, array.ndim - 1)
        unit = min(distances)
        return cls(
            mask=missing,
            low=(low - offset) / scale,
            high=(high - offset) / scale,
            spacing=tuple(h / unit for h in distances),
            unit=unit,
            note=note,
            _image=array,
            _bounds=(low, high),
            _offset=offset,
            _scale=scale,
            _channel_axis=axis,
            _max_distance=_check_max_distance(max_distance),
            _masked=mask is not None,
            _contents=contents,
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
        """What every method starts from: the known values, and the middle of the channel's bounds where missing.

        float64, or float32 for float32 and float16 images. It is shared: a method that writes makes its own with
        :meth:`write`.
        """
        return self.write(np.empty(self.shape, _working(self._image.dtype)))

    def write(self, out: np.ndarray, *, damaged: bool = False) -> np.ndarray:
        """Write what `values` holds into an array of the method's own, which is returned.

        With `damaged`, missing entries hold what the image holds there, or the middle of the bounds where that is not
        finite: only for a method that starts from the damage itself.
        """
        unusable = ~np.isfinite(self._image) if damaged else self.mask
        return _scale(self._image, unusable, self._offset, self._scale, (self.low + self.high) / 2, out)

    @lazy
    def filled(self) -> np.ndarray:
        """What is missing and near enough to known pixels to be filled; of the shape of `mask`."""
        if self._max_distance is None:
            return self.mask
        return self.mask & (masks.distance_to_known(self.mask, self.spacing) * self.unit <= self._max_distance)

    @property
    def left(self) -> int:
        """Number of missing pixels that are left as they came, since they are too far from every known one."""
        if self._max_distance is None:
            return 0
        return int(np.count_nonzero(self.mask) - np.count_nonzero(self.filled))

    def as_user(self, mask: np.ndarray) -> np.ndarray:
        """A mask as the user sees it: of the image's shape where channels differ, else of the spatial shape."""
        if self.mask.shape[-1] == 1:
            return mask[..., 0]
        return np.ascontiguousarray(np.moveaxis(mask, -1, self._channel_axis))  # type: ignore[arg-type]

    @property
    def array(self) -> np.ndarray:
        """The image as a plain array, its channels where the user has them. It is not to be written to."""
        return self._contents.array

    @property
    def channel_axis(self) -> int | None:
        """The axis of the channels in the user's image."""
        return self._channel_axis

    def doubts(self) -> Iterator[str]:
        """What a user should be asked: sentences about a mask that was guessed, or that looks wrong."""
        if self._contents.doubt and self._channel_axis == self._contents.channel_axis:
            yield self._contents.doubt
        if self.note.startswith(masks.GUESSED):
            yield f"{self.note[0].upper()}{self.note[1:]}."
        elif self._masked and _looks_inverted(self._image, self.mask):
            yield (
                f"Is the mask inverted? The {np.count_nonzero(self.mask)} pixels that it hides hold many values, and "
                "the known ones few. True, 1 or 255 means missing; if yours means valid, pass ~mask."
            )
        named = self._contents.named or self._channel_axis is not None
        axis = None if named else _axis_like_colours(self.shape[:-1])
        if axis is not None:
            yield (
                f"Is axis {axis} that of colours? Without channel_axis an image of shape {self.shape[:-1]} is restored "
                f"as a volume. Pass channel_axis={axis} for a picture in colour."
            )

    @property
    def trivial(self) -> tuple[Reason, str] | None:
        """Why there is nothing to solve, and the same as a sentence; None if there is something to solve."""
        if not self.mask.any():
            return Reason.NOTHING_MISSING, "Nothing is missing: the image is returned as it came."
        if (self.low == self.high).all():
            return Reason.CONSTANT, "All known pixels are equal: the missing ones are set to the same value."
        return None

    def groups(self) -> Iterator[tuple[np.ndarray, list[int]]]:
        """Give ``(mask, channels)``: each different spatial mask that misses something, and the channels it is of."""
        return channels_by_mask(self.mask, self.shape[-1])

    def clip(self, values: np.ndarray) -> np.ndarray:
        """Project `values` onto the bounds and the known values."""
        return np.where(self.mask, np.clip(values, self.low, self.high), self.values)

    def at_bound(self, values: np.ndarray) -> int:
        """Number of missing entries whose values are at a bound or beyond it, where they will be clipped."""
        mask = np.broadcast_to(self.mask, self.shape)
        values = np.broadcast_to(values, self.shape)
        counts: list[int] = []

        def part(lo: int, hi: int) -> None:
            for piece in _pieces(values, lo, hi):
                beyond = (values[piece] <= self.low) | (values[piece] >= self.high)
                counts.append(int(np.count_nonzero(beyond & mask[piece])))

        share(part, 0, self.shape[0], values.size)
        return sum(counts)

    def write_back(self, values: np.ndarray, *, smoothed: bool = False) -> Any:
        """The picture: `values` clipped and brought to the image's dtype, known pixels bit for bit.

        Parameters
        ----------
        values : ndarray of shape (M[, N[, ..., P]], C)
            Values in the problem's units.
        smoothed : bool
            Whether to write known pixels, too, because they are noisy.

        Returns
        -------
        image : ndarray, or what the image came in
            A new array with the shape, the dtype and the range of the image.
        """
        image = self._image
        filled = ~self.mask | self.filled if smoothed else self.filled
        out = image.copy()
        values = np.broadcast_to(values, image.shape)
        if SPARSE * np.count_nonzero(filled) < filled.size:
            at = np.unravel_index(np.flatnonzero(np.broadcast_to(filled, image.shape)), image.shape)
            out[at] = self._in_dtype(values[at], at[-1])
        else:

            def part(lo: int, hi: int) -> None:
                for piece in _pieces(image, lo, hi):
                    np.copyto(out[piece], self._in_dtype(values[piece], slice(None)), where=filled[piece])

            share(part, 0, image.shape[0], image.size)
        if self.left and image.dtype.kind == "f":
            np.copyto(out, np.nan, where=self.mask & ~self.filled)
        if self._channel_axis is None:
            out = out[..., 0]
        else:
            out = np.ascontiguousarray(np.moveaxis(out, -1, self._channel_axis))
        if self._contents.wrap is containers.plain:
            return out
        shown = self.as_user(self.filled)
        if shown.ndim < out.ndim:
            shown = np.expand_dims(shown, self._channel_axis)  # type: ignore[arg-type]
        return self._contents.wrap(out, np.broadcast_to(shown, out.shape))

    @property
    def scales(self) -> np.ndarray:
        """How much one unit of `values` is in the image's units, for each channel."""
        return self._scale

    def measured(self, values: np.ndarray, *, smoothed: bool = False) -> np.ndarray:
        """`values` in the image's units as float64, within the bounds; known ones as they are, unless `smoothed`."""
        filled = self._in_units(np.asarray(values, dtype=float), slice(None))
        return filled if smoothed else np.where(self.mask, filled, self._image)

    def _in_units(self, values: np.ndarray, channels: Any) -> np.ndarray:
        """`values` of these channels in the image's units, within the bounds."""
        low, high = self._bounds
        values = values * self._scale[channels]
        values += self._offset[channels]
        return np.clip(values, low[channels], high[channels], out=values)

    def _in_dtype(self, values: np.ndarray, channels: Any) -> np.ndarray:
        """The same in the image's dtype."""
        return _cast(self._in_units(values, channels), self._image.dtype)


def _check_array(array: np.ndarray) -> None:
    """Refuse what is no array of real numbers."""
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


def _looks_inverted(array: np.ndarray, missing: np.ndarray) -> bool:
    """Whether what a mask hides is a picture, and what it leaves is not."""
    places = np.unravel_index(np.linspace(0, array.size - 1, min(SAMPLE, array.size)).astype(np.intp), array.shape)
    values, hidden = array[places], np.broadcast_to(missing, array.shape)[places]
    size = int(min(np.count_nonzero(hidden), np.count_nonzero(~hidden)))
    if size < MIN_SAMPLE:
        return False
    below, left = (_distinct(values[each], size) for each in (hidden, ~hidden))
    return below >= FAR_MORE * left


def _distinct(values: np.ndarray, size: int) -> int:
    """Number of different finite values among `size` of them, taken at equal distances."""
    some = values[np.linspace(0, values.size - 1, size).astype(np.intp)]
    return int(np.unique(some[np.isfinite(some)]).size)


def _axis_like_colours(shape: tuple[int, ...]) -> int | None:
    """The axis of what looks like a picture in colour, or None."""
    for axis in (-1, 0):
        others = shape[:-1] if axis else shape[1:]
        if len(shape) == 3 and shape[axis] in (3, 4) and min(others) >= MIN_COLOUR_SIDE:
            return axis
    return None


def _find_bounds(array: np.ndarray, missing: np.ndarray, bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
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
    # A channel whose known pixels are all equal is continued as that constant, whatever the bounds.
    constant = lowest == highest
    return np.where(constant, lowest, low), np.where(constant, highest, high)


def _known_range(channel: np.ndarray, missing: np.ndarray) -> tuple[Any, Any]:
    """Lowest and highest known value of a channel."""
    low, high = channel.min(), channel.max()
    for extreme in (low, high):  # most often a known pixel reaches both ends, which is quick to check
        if not ((channel == extreme) > missing).any():
            known = channel[~missing]
            return known.min(), known.max()
    return low, high


def _affine(lowest: np.ndarray, highest: np.ndarray, *, shared: bool) -> tuple[np.ndarray, np.ndarray]:
    """Offset and scale of each channel's map to [0, 1]; with `shared` bounds it is the same for all channels."""
    if shared:
        lowest, highest = np.full_like(lowest, lowest.min()), np.full_like(highest, highest.max())
    with np.errstate(over="ignore"):
        scale = highest - lowest
    if not np.isfinite(scale).all():
        raise ValueError(
            "The 'image' parameter must have known values whose range is finite. "
            f"Got {lowest.min():g} to {highest.max():g} instead. Divide the image by a constant first."
        )
    return lowest, np.where(scale > 0, scale, 1.0)


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


def _check_grow(grow: Any) -> int:
    if isinstance(grow, bool) or not isinstance(grow, int | np.integer) or grow < 0:
        raise ValueError(f"The 'grow' parameter of Inpainter must be an int of at least 0. Got {grow!r} instead.")
    return int(grow)


def _check_max_distance(distance: Any) -> float | None:
    if distance is None:
        return None
    number = isinstance(distance, int | float | np.number) and not isinstance(distance, bool)
    if not number or not distance > 0:
        raise ValueError(
            "The 'max_distance' parameter of Inpainter must be None or a positive number, in units of the spacing. "
            f"Got {distance!r} instead."
        )
    return float(distance)


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


def _scale(
    array: np.ndarray, missing: np.ndarray, offset: np.ndarray, scale: np.ndarray, middle: np.ndarray, out: np.ndarray
) -> np.ndarray:
    """Write ``(array - offset) / scale`` where known and `middle` where missing into `out`."""
    kind = _working(array.dtype)
    offset, scale, middle = offset.astype(kind), scale.astype(kind), middle.astype(kind)
    alike = all(bool((each == each[0]).all()) for each in (offset, scale, middle))
    groups = [slice(None)] if alike else [slice(c, c + 1) for c in range(array.shape[-1])]
    missing = np.broadcast_to(missing, array.shape)

    def part(lo: int, hi: int) -> None:
        for piece in _pieces(array, lo, hi):
            for some in groups:  # plain numbers are quicker than one a channel
                scaled: np.ndarray = array[piece][..., some].astype(kind)
                with np.errstate(invalid="ignore", over="ignore"):  # of what is missing
                    scaled -= offset[some][0]
                    scaled /= scale[some][0]
                np.copyto(scaled, middle[some][0], where=missing[piece][..., some])
                out[piece][..., some] = scaled

    share(part, 0, array.shape[0], array.size)
    return out


def _working(dtype: np.dtype) -> type:
    """The floats that hold an image of `dtype`."""
    return np.float32 if dtype.kind == "f" and dtype.itemsize <= 4 else np.float64


def _pieces(array: np.ndarray, lo: int, hi: int) -> Iterator[slice]:
    """Runs of the first axis from `lo` to `hi` that are short enough to stay in the cache."""
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
    values += HALF_TIE
    np.rint(values, out=values)
    return np.clip(values, float(info.min), top, out=values).astype(dtype)
