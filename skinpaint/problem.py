"""An image and what is missing in it, validated once; scaled on the way in, written back on the way out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, floor, isfinite
from typing import Any, Literal

import numpy as np

from skinpaint import containers, masks
from skinpaint.grid.axes import channels_by_mask, long_axes
from skinpaint.grid.choice import worth_listing
from skinpaint.grid.threads import share
from skinpaint.lazy import lazy
from skinpaint.scores import GREY_LEVEL, difference
from skinpaint.solution import TRIVIAL, Filling, Reason
from skinpaint.wording import as_sentence, is_int, is_number, require

__all__ = [
    "HALF_TIE",
    "LARGEST_EXACT",
    "Bounds",
    "Problem",
    "Whole",
    "ask_colours",
    "ask_inverted",
    "bounds_around",
    "cast",
    "check_array",
    "check_bounds",
    "check_grow",
    "check_max_distance",
    "check_spacing",
    "looks_inverted",
]

CHUNK = 2**18  # entries that are scaled or written back at a time: enough for threads not to wait for each other
FEW_CHANNELS = 16  # so many at most are scaled one by one
MAX_SPACING_RATIO = 1e4  # weights go with the square of it, and those of curvature with its fourth power
LARGEST_EXACT = 2**53  # integers below this are what they are in double precision
FILL_TOL = 1e-6  # relative residual of a harmonic fill
HALF_TIE = 2e-3  # added before rounding to integers: keeps rounding errors of a solver from deciding ties

WIDE = 100  # times what is known: wider bounds would leave too little of [0, 1] to what is known
NARROW = 1e4  # times what is known of a channel: a wider range, that of others, would leave single precision too little
FAR_BEYOND = 1e30  # in the problem's units: no value comes near it

SAMPLE, MIN_SAMPLE = 2**12, 64  # values that a mask is judged by: all, and of each kind at least
FAR_MORE = 16  # times as many different values under a mask: it may be inverted
MIN_COLOUR_SIDE = 32  # pixels: smaller arrays of three or four slices are not taken for pictures in colour

Bounds = tuple[float, float] | Literal["dtype"] | None


@dataclass(frozen=True, eq=False)
class Whole:
    """What a part of an image takes from the whole one, so that both get the same answer.

    Attributes
    ----------
    shape : tuple of int
        Spatial shape of the whole image.
    corner : tuple of int
        Where the part begins in it.
    low, high : ndarray of shape (C,)
        The bounds of each channel, in the image's units.
    known : (ndarray of shape (C,), ndarray of shape (C,))
        The lowest and the highest known value of each channel.
    ranges : ndarray of shape (C,)
        What a method has found of the known values of each channel, in the problem's units.
    fill : ndarray or None
        The part with the harmonic fill of the whole image where it is missing, channels last, in the image's units.
    """

    shape: tuple[int, ...]
    corner: tuple[int, ...]
    low: np.ndarray
    high: np.ndarray
    known: tuple[np.ndarray, np.ndarray]
    ranges: np.ndarray = field(default_factory=lambda: np.zeros(0))
    fill: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Problem:
    """What a method gets: floats with channels last, a mask and bounds; no dtypes and no files.

    Build it with :meth:`from_image`. Values are mapped so that the bounds become [0, 1]: those that were given, or each
    channel's own range of known pixels. Where the bounds are more than 100 times as wide as that of all known pixels,
    this range becomes [0, 1] instead. So no channel's unit, and no unit of length, makes a difference.

    Attributes
    ----------
    mask : ndarray of bool, shape (M[, N[, ..., P]], C) or (M[, N[, ..., P]], 1)
        True where missing; the last axis has length 1 when all channels share the mask.
    low, high : ndarray of shape (C,)
        The bounds of each channel: filled values are kept between them.
    spacing : tuple of float
        Distance between neighbours along each spatial axis, in units of the shortest.
    unit : float
        The shortest distance between neighbours, in the user's units; an axis of length 1 has none.
    note : str
        A clause about saturated pixels that were assumed to be missing, or to be highlights; empty if there are none.
    whole : Whole or None
        What the image is a part of, if it is one.
    """

    mask: np.ndarray
    low: np.ndarray
    high: np.ndarray
    spacing: tuple[float, ...]
    unit: float
    note: str
    _image: np.ndarray = field(repr=False)
    _bounds: tuple[np.ndarray, np.ndarray] = field(repr=False)  # in the image's units
    _offset: np.ndarray = field(repr=False)  # of each channel; integers where floats cannot hold them
    _scale: np.ndarray = field(repr=False)
    _channel_axis: int | None = field(repr=False)
    _max_distance: float | None = field(repr=False)
    _masked: bool = field(repr=False)  # whether a mask was given
    _bounded: bool = field(repr=False)  # whether the bounds are others than the range of what is known
    _contents: containers.Contents = field(repr=False)  # what the image came in, without its values
    whole: Whole | None = field(default=None, repr=False)
    _exact: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)  # bounds of integers beyond floats

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
        whole: Whole | None = None,
        unmeasured: np.ndarray | None = None,
    ) -> Problem:
        """Check everything once, and find what is missing.

        Parameters are those of :class:`skinpaint.Inpainter`; `default_bounds` stands in for `bounds`
        where that is None. The image may be a part of the image `whole`, and then need not have any known pixel.
        `unmeasured` is a second mask, of the image's shape or of its space; of another shape it is left to the method,
        which made it, to refuse.

        Raises
        ------
        TypeError, ValueError
            If the image, the mask or a parameter cannot be used; the message says what is allowed.

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
        check_array(contents.array)
        channel_axis = contents.channel_axis if channel_axis is None else channel_axis
        array, hidden, axis = _channels_last(contents.array, contents.hidden, channel_axis)
        array.flags.writeable = False  # a view of the user's image
        if isinstance(missing_values, str) and missing_values == "auto" and contents.nodata:
            missing_values = contents.nodata
        if unmeasured is not None and unmeasured.shape not in (contents.array.shape, array.shape[:-1]):
            unmeasured = None
        missing, note = masks.find_missing(array, hidden, mask, missing_values, axis, unmeasured)
        if check_grow(grow):
            missing = masks.grow(missing, grow, channel_axis=-1)
        if whole is None:
            masks.check_known(missing, note)
        shared = missing.shape[-1] == 1 or bool((missing == missing[..., :1]).all())
        missing = np.ascontiguousarray(missing[..., :1] if shared else missing)
        known = masks.known_ranges(array, missing) if whole is None else whole.known
        by_default = bounds is None and not (default_bounds == "dtype" and _in_another_unit(known[1]))
        bounds = default_bounds if by_default else bounds
        low, high = (
            _find_bounds(*known, bounds, ", the default of this method" if by_default else "")
            if whole is None
            else (whole.low, whole.high)
        )
        offset, scale = _affine(*_find_mapped(*known, low, high, shared=bounds is not None), array.dtype)
        distances = check_spacing(spacing, array.ndim - 1)
        unit = min(distances[axis] for axis in long_axes(array.shape[:-1]))
        return cls(
            mask=missing,
            low=_in_reach(low, offset, scale),
            high=_in_reach(high, offset, scale),
            spacing=tuple(h / unit for h in distances),
            unit=unit,
            note=note,
            _image=array,
            _bounds=(low.astype(float), high.astype(float)),
            _offset=offset,
            _scale=scale,
            _channel_axis=axis,
            _max_distance=check_max_distance(max_distance),
            _masked=mask is not None,
            _bounded=bounds is not None,
            _contents=replace(contents, array=np.empty(0), hidden=None),
            whole=whole,
            _exact=(low, high) if _is_exact(offset) else None,
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
    def _middle(self) -> np.ndarray:
        """The middle of the range that is mapped to [0, 1], for each channel."""
        return np.clip(0.5, self.low, self.high)

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
        return _scale(self._image, unusable, self._offset, self._scale, self._middle, out)

    def fill(self) -> np.ndarray:
        """`values` with the harmonic fill where something is missing, in a new array of float64."""
        filled = self.write(np.empty(self.shape))
        if self.whole is not None and self.whole.fill is not None:
            np.copyto(filled, (self.whole.fill - self._offset) / self._scale, where=self.mask)
            return filled
        from skinpaint.grid.harmonic.fill import fill  # it loads compiled kernels

        return fill(filled, self.mask, self.spacing)

    def harmonic(self) -> Filling:
        """The harmonic fill of the missing pixels, in order, where little is missing."""
        from skinpaint.grid.harmonic.direct import solve_surely
        from skinpaint.grid.harmonic.fill import Harmonic, Sheets

        sheets = Sheets(self, Harmonic(self.shape[:-1], (1,), self.spacing))
        for mask, channels in self.groups():
            solve_surely(sheets, mask, channels, FILL_TOL)
        return sheets.values

    @lazy
    def missing(self) -> np.ndarray:
        """Flat spatial indices of the pixels that miss something, in order."""
        return np.flatnonzero(self.mask if self.mask.shape[-1] == 1 else self.mask.any(axis=-1))

    @property
    def sparse(self) -> bool:
        """Whether so little is missing that it pays to look at the missing pixels alone."""
        missing = self.mask if self.mask.shape[-1] == 1 else self.mask.any(axis=-1)
        return worth_listing(int(np.count_nonzero(missing)), missing.size)

    def read(self, index: tuple[Any, ...], c: int) -> np.ndarray:
        """What `values` holds at an index of the spatial axes in channel `c`, as float64, without making `values`."""
        part = self._image[(*index, c)]
        missing = self.mask[(*index, c % self.mask.shape[-1])]
        return _scaled(part, missing, self._offset[c], self._scale[c], self._middle[c]).astype(float, copy=False)

    def pane(self, c: int) -> Pane:
        """Channel `c` of `values` without axes of length 1, to be read piece by piece."""
        return Pane(self, c)

    def filling(self, at: np.ndarray, values: np.ndarray) -> Filling:
        """An answer that consists of the missing pixels alone: their flat indices and their values, of shape (n, C)."""
        return Filling(at, values, self._whole)

    def _whole(self, filling: Filling) -> np.ndarray:
        values = self.write(np.empty(self.shape))
        _rows(values)[filling.at] = filling.values
        return values

    @property
    def unsolved(self) -> Filling:
        """What `values` holds where something is missing, as an answer."""
        index = np.unravel_index(self.missing, self.shape[:-1])
        return self.filling(self.missing, np.stack([self.read(index, c) for c in range(self.shape[-1])], axis=-1))

    def answer(self, values: np.ndarray) -> np.ndarray | Filling:
        """What a `Solution` holds for `values` of this problem: the values themselves."""
        return values

    def detached(self) -> Problem:
        """The same problem with a copy of the image, which stays as it is when the user's array changes."""
        copy = self._image.copy()
        copy.flags.writeable = False
        return replace(self, _image=copy)

    def bare(self) -> Problem:
        """The same problem of a plain array, whatever the image came in: it can be pickled."""
        return replace(self, _contents=containers.Contents(self._contents.array))

    @lazy
    def filled(self) -> np.ndarray:
        """What is missing and near enough to known pixels to be filled; of the shape of `mask`."""
        if self._max_distance is None:
            return self.mask
        return masks.near_enough(self.mask, self.spacing, self._max_distance / self.unit)

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
        return self._image[..., 0] if self._channel_axis is None else np.moveaxis(self._image, -1, self._channel_axis)

    @property
    def channel_axis(self) -> int | None:
        """The axis of the channels in the user's image."""
        return self._channel_axis

    def doubts(self) -> Iterator[str]:
        """What a user should be told or asked: sentences about a mask that was guessed, and about what looks wrong."""
        if self.note.startswith(masks.GUESSED):
            yield as_sentence(self.note)
        yield from self.questions()

    def questions(self) -> Iterator[str]:
        """What a user should be asked: sentences about axes, and about a mask that looks inverted."""
        if self._contents.doubt and self._channel_axis == self._contents.channel_axis:
            yield self._contents.doubt
        if self._masked and looks_inverted(self._image, self.mask):
            yield ask_inverted(int(np.count_nonzero(self.mask)))
        if not self._contents.named and (question := ask_colours(self.shape[:-1], self._channel_axis)):
            yield question

    @property
    def unheard(self) -> str:
        """What the image's container says of distances that differ, which count if they are passed; or nothing."""
        return self._contents.unheard if self._channel_axis == self._contents.channel_axis else ""

    @property
    def trivial(self) -> tuple[Reason, str] | None:
        """Why there is nothing to solve, and the same as a sentence; None if there is something to solve."""
        if not self.mask.any():
            return Reason.NOTHING_MISSING, TRIVIAL[Reason.NOTHING_MISSING]
        if (self.low == self.high).all():
            return Reason.CONSTANT, TRIVIAL[Reason.CONSTANT]
        return None

    def groups(self) -> Iterator[tuple[np.ndarray, list[int]]]:
        """Give ``(mask, channels)``: each different spatial mask that misses something, and the channels it is of."""
        return channels_by_mask(self.mask, self.shape[-1])

    def clip(self, values: np.ndarray) -> np.ndarray:
        """Project `values` onto the bounds and the known values."""
        return np.where(self.mask, np.clip(values, self.low, self.high), self.values)

    def at_bound(self, values: np.ndarray | Filling) -> int:
        """Number of filled entries at the lowest or highest known value of their channel, or beyond it.

        They are clipped there. None are counted where other bounds were given, or where the dtype holds nothing beyond.
        """
        if self._bounded:
            return 0
        low, high = self._reach
        if isinstance(values, Filling):
            beyond = (values.values <= low) | (values.values >= high)
            return int(np.count_nonzero(beyond & _rows(self.filled)[values.at]))
        filled = np.broadcast_to(self.filled, self.shape)
        values = np.broadcast_to(values, self.shape)
        counts: list[int] = []

        def part(lo: int, hi: int) -> None:
            for piece in _pieces(values, lo, hi):
                beyond = (values[piece] <= low) | (values[piece] >= high)
                counts.append(int(np.count_nonzero(beyond & filled[piece])))

        share(part, 0, self.shape[0], values.size)
        return sum(counts)

    @property
    def _reach(self) -> tuple[np.ndarray, np.ndarray]:
        """The bounds that something may belong beyond: not those of a constant channel, nor where the dtype ends."""
        none = self.low == self.high
        (low, high), dtype = self._bounds, self._image.dtype
        ends = (-np.inf, np.inf) if dtype.kind == "f" else _range(dtype)
        below = np.where(none | (low <= ends[0]), -np.inf, self.low)
        return below, np.where(none | (high >= ends[1]), np.inf, self.high)

    def write_back(self, values: np.ndarray | Filling, *, smoothed: bool = False) -> Any:
        """The picture: `values` clipped and brought to the image's dtype, known pixels bit for bit.

        Parameters
        ----------
        values : ndarray of shape (M[, N[, ..., P]], C), or Filling
            Values in the problem's units.
        smoothed : bool
            Whether to write known pixels, too, because they are noisy.

        Returns
        -------
        image : ndarray, or what the image came in
            A new array with the shape, the dtype and the range of the image.
        """
        restored = np.array(self.array, order="C")
        out = restored[..., np.newaxis] if self._channel_axis is None else np.moveaxis(restored, self._channel_axis, -1)
        self._write_filled(values, out, ~self.mask | self.filled if smoothed else self.filled)
        if self.left and out.dtype.kind == "f":
            left = self.mask & ~self.filled
            for value in self._contents.nodata:  # it says itself that it is missing
                left = left & ~masks.entries_equal(out, value, value)
            np.copyto(out, np.nan, where=left)
        if self._contents.wrap is containers.plain:
            return restored
        shown = self.as_user(self.filled)
        if shown.ndim < restored.ndim:
            shown = np.expand_dims(shown, self._channel_axis)  # type: ignore[arg-type]
        return self._contents.wrap(restored, np.broadcast_to(shown, restored.shape))

    def _write_filled(self, values: np.ndarray | Filling, out: np.ndarray, filled: np.ndarray) -> None:
        """Write the `filled` entries of `values` into a copy of the image with its channels last."""
        if isinstance(values, Filling):
            found, alone = self._in_dtype(values.values, slice(None)), _rows(filled)[values.at]
            index = (values.at,) if out.flags.c_contiguous else np.unravel_index(values.at, self.shape[:-1])
            out = _rows(out) if out.flags.c_contiguous else out
            out[index] = found if alone.all() else np.where(alone, found, out[index])
            return
        values, where = np.broadcast_to(values, out.shape), np.broadcast_to(filled, out.shape)

        def part(lo: int, hi: int) -> None:
            for piece in _pieces(out, lo, hi):
                for some in _channels(out):
                    new = self._in_dtype(values[piece][..., some], some)
                    np.copyto(out[piece][..., some], new, where=where[piece][..., some])

        share(part, 0, out.shape[0], out.size)

    @property
    def scales(self) -> np.ndarray:
        """How much one unit of `values` is in the image's units, for each channel."""
        return self._scale

    def measured(self, values: np.ndarray, *, smoothed: bool = False) -> np.ndarray:
        """`values` in the image's units as float64, within the bounds; known ones as they are, unless `smoothed`."""
        filled = self._in_units(np.asarray(values, dtype=float), slice(None))
        return filled if smoothed else np.where(self.mask, filled, self._image)

    def errors_at(self, values: np.ndarray, c: int, where: np.ndarray, truth: Problem) -> np.ndarray:
        """How far `values` are from what `truth` knows of the pixels `where` of channel `c`, in the image's units."""
        found, known = np.asarray(values[..., c][where], dtype=float), truth._image[..., c][where]
        if self._exact is None:
            return self._in_units(found, c) - known.astype(float)
        return np.clip(found, self.low[c], self.high[c]) * self._scale[c] - _in_reach(known, self._offset[c], 1.0)

    def _in_units(self, values: np.ndarray, channels: Any) -> np.ndarray:
        """`values` of these channels in the image's units, within the bounds."""
        low, high = self._limits
        with np.errstate(over="ignore"):  # what is beyond all numbers is beyond the bounds
            values = values * self._scale[channels]
            values += self._offset[channels]
        return np.clip(values, low[channels], high[channels], out=values)

    def _in_dtype(self, values: np.ndarray, channels: Any) -> np.ndarray:
        """The same in the image's dtype."""
        if self._exact is None:
            return cast(self._in_units(values, channels), self._image.dtype)
        low, offset, high = (each[channels] for each in (self._exact[0], self._offset, self._exact[1]))
        moved = np.rint(values * self._scale[channels] + HALF_TIE)
        up, down = (cast(np.maximum(each, 0), np.dtype(np.uint64)) for each in (moved, -moved))
        up, down = np.minimum(up, _above(high, offset)), np.minimum(down, _above(offset, low))
        return (np.asarray(offset).astype(np.uint64) + up - down).astype(self._image.dtype)

    @lazy
    def _limits(self) -> tuple[np.ndarray, np.ndarray]:
        """The bounds in the image's units, within the range of its dtype."""
        if self._image.dtype.kind == "f":
            return self._bounds
        low, high = (np.clip(bound, *_range(self._image.dtype)) for bound in self._bounds)
        return low, high


@dataclass(frozen=True, eq=False)
class Pane:
    """One channel of a problem's values without axes of length 1. What it is indexed by is read, and nothing else."""

    problem: Problem
    c: int
    dtype = np.dtype(float)

    def __getitem__(self, index: tuple[Any, ...]) -> np.ndarray:
        given = iter(index)
        long = long_axes(self.problem.shape[:-1])
        return self.problem.read(tuple(next(given) if axis in long else 0 for axis in range(self.problem.ndim)), self.c)


def check_array(array: np.ndarray) -> None:
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
    if not is_int(channel_axis):
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


def ask_inverted(count: int) -> str:
    """What the user is asked about a mask that hides so many pixels and looks inverted."""
    return (
        f"Is the mask inverted? The {count} pixels that it hides hold many values, and the known ones few. "
        "True, 1 or 255 means missing; if yours means valid, pass ~mask."
    )


def looks_inverted(array: np.ndarray, missing: np.ndarray) -> bool:
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


def ask_colours(shape: tuple[int, ...], channel_axis: int | None) -> str:
    """What the user is asked about a volume that looks like a picture in colour; nothing otherwise."""
    for axis in (-1, 0) if channel_axis is None and len(shape) == 3 else ():
        others = shape[:-1] if axis else shape[1:]
        if shape[axis] in (3, 4) and min(others) >= MIN_COLOUR_SIDE:
            return (
                f"Is axis {axis} that of colours? Without channel_axis an image of shape {shape} is restored "
                f"as a volume. Pass channel_axis={axis} for a picture in colour."
            )
    return ""


def _find_bounds(lowest: np.ndarray, highest: np.ndarray, bounds: Bounds, origin: str) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value that each channel may take, in the image's units.

    They are floats, and of the image's dtype where it holds known integers that floats would round.
    """
    dtype = lowest.dtype
    exact = dtype.kind in "iu" and max(-int(lowest.min()), int(highest.max())) >= LARGEST_EXACT
    kind = dtype if exact else np.dtype(float)
    known = lowest.astype(kind), highest.astype(kind)
    if bounds is None:
        return known
    low, high = bounds_around(bounds, lowest.min().item(), highest.max().item(), dtype, origin)
    if exact:
        limits = np.iinfo(dtype)
        low, high = max(ceil(low), limits.min), min(floor(high), limits.max)
    # A channel whose known pixels are all equal is continued as that constant, whatever the bounds.
    constant = lowest == highest
    return np.where(constant, known[0], np.array(low, kind)), np.where(constant, known[1], np.array(high, kind))


def _find_mapped(
    lowest: np.ndarray, highest: np.ndarray, low: np.ndarray, high: np.ndarray, *, shared: bool
) -> tuple[np.ndarray, np.ndarray]:
    """What is mapped to [0, 1] in each channel.

    It is what is known of the channel, or bounds that all channels have `shared`. Where those are far wider than what
    is known, it is what is known of all channels, and of one alone where that is far wider still.
    """
    if _is_exact(low):
        return lowest, highest
    if not shared:
        return low, high
    lowest, highest = lowest.astype(float), highest.astype(float)
    bottom, top = low.min(), high.max()
    with np.errstate(over="ignore"):
        if top - bottom > WIDE * (highest.max() - lowest.min()):
            bottom, top = lowest.min(), highest.max()
        own = (highest > lowest) & (top - bottom > NARROW * (highest - lowest))
    return np.where(own, lowest, bottom), np.where(own, highest, top)


def _affine(lowest: np.ndarray, highest: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Offset and scale of each channel's map to [0, 1]."""
    with np.errstate(over="ignore"):
        scale = _above(highest, lowest).astype(float) if _is_exact(lowest) else highest - lowest
    if scale.max() > np.finfo(_working(dtype)).max:
        raise ValueError(
            f"The 'image' parameter must have known values whose range {np.dtype(_working(dtype))} can hold. "
            f"Got {lowest.min():g} to {highest.max():g} instead. Divide the image by a constant first."
        )
    return lowest, np.where(scale > 0, scale, 1.0)


def _in_reach(bound: np.ndarray, offset: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    """A bound of each channel in the problem's units, in which all values are near 0 and 1."""
    with np.errstate(over="ignore"):
        return np.clip(difference(bound, offset) / scale, -FAR_BEYOND, FAR_BEYOND)


def _in_another_unit(highest: np.ndarray) -> bool:
    """Whether floats are no grey levels from 0 to 1: the highest value of all channels is below the first level."""
    return highest.dtype.kind == "f" and 0 < highest.max() < GREY_LEVEL


def _is_exact(bound: np.ndarray) -> bool:
    """Whether bounds, or what is mapped to 0, are integers that floats would round; all others are floats."""
    return bound.dtype.kind in "iu"


def _above(array: np.ndarray, lowest: Any) -> np.ndarray:
    """How far integers are above the lowest one, exactly: modulo 2**64, in which nothing overflows."""
    return np.asarray(array).astype(np.uint64) - np.asarray(lowest).astype(np.uint64)


def check_bounds(bounds: Bounds, dtype: np.dtype) -> tuple[float, float]:
    """Lowest and highest value that `bounds` allow; refuses what is no bounds."""
    if isinstance(bounds, str) and bounds == "dtype":
        return masks.dtype_range(dtype)
    try:
        given = [bounds[k] for k in range(len(bounds))]  # type: ignore[arg-type, index]
        low, high = (int(b) if isinstance(b, int | np.integer) else float(b) for b in given)
        valid = low < high and np.isfinite(float(high) - float(low)) and not any(isinstance(b, str) for b in given)
    except (TypeError, ValueError, OverflowError, LookupError):
        valid = False
    if not valid:
        raise ValueError(
            "The 'bounds' parameter of Inpainter must be None, 'dtype' or a pair (low, high) of finite "
            f"numbers with low < high, whose difference float64 can hold. Got {bounds!r} instead."
        )
    return low, high


def bounds_around(
    bounds: Bounds, lowest: float, highest: float, dtype: np.dtype, origin: str = ""
) -> tuple[float, float]:
    """The same in the dtype's floats; refuses bounds that do not contain what is known. `origin` is said of them."""
    low, high = check_bounds(bounds, dtype)
    if dtype.kind == "f":
        low, high = _rounded(low, dtype), _rounded(high, dtype)
    if lowest < low or highest > high:
        stood = f", which is ({low:g}, {high:g})," if isinstance(bounds, str) else ""
        raise ValueError(
            f"The 'bounds' parameter of Inpainter must contain all known values. Got {bounds!r}{origin}{stood} for "
            f"values from {lowest:.9g} to {highest:.9g} instead."
        )
    return low, high


def _rounded(bound: float, dtype: np.dtype) -> float:
    """The float of this dtype that a number is, if there is one: 0.3 is less than the one of 32 bits."""
    with np.errstate(over="ignore"):
        rounded = float(dtype.type(float(bound)))
    return rounded if isfinite(rounded) else bound


def check_grow(grow: Any) -> int:
    """Refuse what is no number of pixels."""
    require(is_int(grow) and grow >= 0, "Inpainter", "grow", "an int of at least 0", grow)
    return int(grow)


def check_max_distance(distance: Any) -> float | None:
    """Refuse what is no distance."""
    if distance is None:
        return None
    if not is_number(distance) or not distance > 0:
        raise ValueError(
            "The 'max_distance' parameter of Inpainter must be None or a positive number, in units of the spacing. "
            f"Got {distance!r} instead."
        )
    return float(distance)


def check_spacing(spacing: float | Sequence[float] | None, ndim: int) -> tuple[float, ...]:
    """The distance between neighbours along each axis; refuses what is no distance."""
    if spacing is None:
        return (1.0,) * ndim
    try:
        given = np.asarray(spacing, dtype=float)
        valid = np.asarray(spacing).dtype.kind not in "bUS" and given.shape in ((), (ndim,))
        valid = valid and bool((np.isfinite(given) & (given > 0)).all())
    except (TypeError, ValueError, OverflowError):
        valid = False
    if not valid:
        raise ValueError(
            f"The 'spacing' parameter of Inpainter must be a positive number or {ndim} of them, one for "
            f"each spatial axis. Got {spacing!r} instead."
        )
    if given.max() > MAX_SPACING_RATIO * given.min():
        raise ValueError(
            f"The 'spacing' parameter of Inpainter must have a ratio of at most {MAX_SPACING_RATIO:g} between its "
            f"numbers. Got {spacing!r} instead. Restore each slice along the axis of the largest one on its own."
        )
    return tuple(np.broadcast_to(given, (ndim,)).tolist())


def _scale(
    array: np.ndarray, missing: np.ndarray, offset: np.ndarray, scale: np.ndarray, middle: np.ndarray, out: np.ndarray
) -> np.ndarray:
    """Write ``(array - offset) / scale`` where known and `middle` where missing into `out`."""
    missing = np.broadcast_to(missing, array.shape)

    def part(lo: int, hi: int) -> None:
        for piece in _pieces(array, lo, hi):
            for some in _channels(array):
                affine = offset[some], scale[some], middle[some]
                out[piece][..., some] = _scaled(array[piece][..., some], missing[piece][..., some], *affine)

    share(part, 0, array.shape[0], array.size)
    return out


def _rows(array: np.ndarray) -> np.ndarray:
    """View a contiguous array with channels last as one row a pixel."""
    return array.reshape(-1, array.shape[-1])


def _scaled(array: np.ndarray, missing: np.ndarray, offset: Any, scale: Any, middle: Any) -> np.ndarray:
    """``(array - offset) / scale`` where known and `middle` where missing, in the floats that suit the dtype."""
    if _is_exact(offset):
        array, offset = _above(array, offset), np.float64(0)
    kind = _working(array.dtype)
    scaled: np.ndarray = array.astype(kind)
    with np.errstate(invalid="ignore", over="ignore"):  # of what is missing
        scaled -= offset.astype(kind)
        scaled /= scale.astype(kind)
    np.putmask(scaled, missing, middle.astype(kind))
    return scaled


def _channels(array: np.ndarray) -> Sequence[Any]:
    """Which channels are scaled together: each alone, as plain numbers are quicker, or all if they are many."""
    return range(array.shape[-1]) if array.shape[-1] <= FEW_CHANNELS else [slice(None)]


def _working(dtype: np.dtype) -> type:
    """The floats that hold an image of `dtype`."""
    return np.float32 if dtype.kind == "f" and dtype.itemsize <= 4 else np.float64


def _pieces(array: np.ndarray, lo: int, hi: int) -> Iterator[slice]:
    """Runs of the first axis from `lo` to `hi`, of some `CHUNK` entries each."""
    step = max(1, CHUNK * array.shape[0] // array.size)
    for start in range(lo, hi, step):
        yield slice(start, min(start + step, hi))


def cast(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Round in place for integers, and never leave the dtype's range."""
    if dtype.kind == "f":
        return values.astype(dtype)
    values += HALF_TIE
    np.rint(values, out=values)
    return np.clip(values, *_range(dtype), out=values).astype(dtype)


def _range(dtype: np.dtype) -> tuple[float, float]:
    """The lowest and the highest float that an integer dtype can hold."""
    info = np.iinfo(dtype)
    top = float(info.max)
    if top > info.max:  # 64-bit limits are not floats
        top = float(np.nextafter(top, 0))
    return float(info.min), top
