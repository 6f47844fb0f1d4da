"""A dask array and what is missing in it, checked; in chunks that are worth a task each."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np

from skinpaint import containers, masks
from skinpaint.problem import check_array, check_grow
from skinpaint.wording import is_axis

__all__ = ["Chunked", "chunks_for_work", "look_around"]

MIN_TASK = 2**18  # pixels; smaller chunks are joined, as a task should take 100 ms and more
MAX_TASK = 2**24  # pixels; larger ones are cut, as a task takes some 80 bytes a pixel
GOOD_TASK = 2**21  # pixels, where chunks are joined or cut


@dataclass(frozen=True, eq=False)
class Chunked:
    """An image in chunks.

    Attributes
    ----------
    image : dask.array.Array of shape (M[, N[, ..., P]], C)
        Channels last.
    missing : dask.array.Array of bool, of that shape or with a last axis of length 1
        True where missing.
    channel_axis : int or None
        Where the user's image has its channels.
    """

    image: Any
    missing: Any
    channel_axis: int | None

    @classmethod
    def from_array(
        cls,
        image: Any,
        mask: Any = None,
        *,
        channel_axis: int | None = None,
        missing_values: Any = "auto",
        grow: int = 0,
    ) -> Chunked:
        """Check what can be checked without computing, and say lazily what is missing."""
        check_array(_like(image))
        mask = containers.mask_in(mask, None, chunked=True)
        for name, array in (("image", image), ("mask", mask)):
            if isinstance(array, da.Array) and any(math.isnan(n) for n in array.shape):
                raise ValueError(
                    f"The {name!r} parameter must have chunks of known sizes. Got chunks {array.chunks} instead. "
                    f"Call {name}.compute_chunk_sizes() first."
                )
        axis = _checked_axis(image, channel_axis)
        array = image[..., None] if axis is None else da.moveaxis(image, axis, -1)
        hidden = da.ma.getmaskarray(array) if isinstance(array._meta, np.ma.MaskedArray) else None
        missing = _missing(array, hidden, mask, missing_values, axis)
        if check_grow(grow):
            reach = (*[grow] * (missing.ndim - 1), 0)
            missing = look_around(masks.grow, missing, reach, pixels=grow, channel_axis=missing.ndim - 1)
        return cls(array, missing, axis)

    def channels(self) -> Iterator[tuple[Any, Any]]:
        """Each channel, and what is missing in it."""
        for c in range(self.image.shape[-1]):
            yield self.image[..., c], self.missing[..., c if self.missing.shape[-1] > 1 else 0]

    def as_user(self, channels: list[Any], like: Any) -> Any:
        """Channels together, as the user has them."""
        if self.channel_axis is None:
            return channels[0].rechunk(like.chunks)
        together = da.stack(channels, self.channel_axis).astype(channels[0].dtype)  # stacking loses the byte order
        return together.rechunk(like.chunks)


def look_around(function: Callable[..., Any], mask: Any, reach: Sequence[int], **settings: Any) -> Any:
    """What a function makes of a mask that sees so many pixels beyond each chunk, in the chunks of the mask.

    Nothing is beyond the image, and dask joins chunks that are shorter than the reach.
    """
    depth = {axis: min(r, n) for axis, (r, n) in enumerate(zip(reach, mask.shape, strict=True))}
    return da.map_overlap(function, mask, depth=depth, boundary="none", dtype=bool, **settings).rechunk(mask.chunks)


def chunks_for_work(chunks: tuple[tuple[int, ...], ...], least: int) -> tuple[tuple[int, ...], ...]:
    """Chunks that are worth a task, and at least as long as `least` along each axis: those given, if they are.

    Examples
    --------
    >>> chunks_for_work(((1024, 1024), (1024, 500)), 17)
    ((1024, 1024), (1024, 500))
    >>> chunks_for_work(((100,) * 30, (100,) * 30), 17)
    ((1500, 1500), (1500, 1500))
    """
    chunks = tuple(_long_enough(each, least) for each in chunks)
    size = math.prod(max(each) for each in chunks)
    several = any(len(each) > 1 for each in chunks)
    if size <= MAX_TASK and (size >= MIN_TASK or not several):
        return chunks
    shape = tuple(map(sum, chunks))
    side = GOOD_TASK
    lengths = list(shape)
    order = sorted(range(len(shape)), key=lambda axis: shape[axis])
    for k, axis in enumerate(order):  # as near to cubes as the shape allows
        even = round(side ** (1 / (len(order) - k)))
        parts = max(1, round(shape[axis] / max(even, 2 * least)))
        lengths[axis] = -(-shape[axis] // parts)
        side = max(1, side // lengths[axis])
    return tuple(_cut(n, length, least) for n, length in zip(shape, lengths, strict=True))


def _cut(n: int, length: int, least: int) -> tuple[int, ...]:
    """Cut an axis in parts of a length."""
    return _long_enough(tuple(min(length, n - start) for start in range(0, n, length)), least)


def _long_enough(lengths: tuple[int, ...], least: int) -> tuple[int, ...]:
    """Join chunks along an axis, until each is as long as `least`.

    Examples
    --------
    >>> _long_enough((50, 50, 10), 17), _long_enough((5, 5, 5, 5, 5), 12)
    ((50, 60), (25,))
    """
    made = [0]
    for length in lengths:
        if made[-1] >= least:
            made.append(0)
        made[-1] += length
    if len(made) > 1 and made[-1] < least:
        rest = made.pop()
        made[-1] += rest
    return tuple(made)


def _like(image: Any) -> np.ndarray:
    """An array of the same dtype and shape, which costs nothing."""
    return np.broadcast_to(np.zeros((), image.dtype), tuple(1 if math.isnan(n) else n for n in image.shape))


def _checked_axis(image: Any, channel_axis: int | None) -> int | None:
    if channel_axis is None:
        return None
    if not is_axis(channel_axis, image.ndim) or image.ndim == 1:
        raise ValueError(
            "The 'channel_axis' parameter of Inpainter must be None, or an axis of an image with at least two axes. "
            f"Got {channel_axis!r} for an image of shape {image.shape} instead."
        )
    return int(channel_axis) % image.ndim


def _missing(array: Any, hidden: Any, mask: Any, missing_values: Any, axis: int | None) -> Any:
    """What is missing, chunk by chunk; of the shape of `array`, or with a last axis of length 1."""
    if isinstance(missing_values, str) and missing_values != "auto":
        raise ValueError(
            "The 'missing_values' parameter must be 'auto', None, a number or a tuple of numbers for a dask array. "
            f"Got {missing_values!r} instead. Pass mask=, for example (image == 0) | (image == 255)."
        )
    values = None if isinstance(missing_values, str) else missing_values
    said = [] if hidden is None else [hidden]
    if mask is not None:
        said.append(_given(mask, array, axis))
    if array.dtype.kind == "f" or values is not None:
        said.append(da.map_blocks(_found, array, values, dtype=bool, meta=np.empty((0,) * array.ndim, bool)))
    if not said:
        raise ValueError(
            "The 'mask' parameter must be given for a dask array of integers, of which nothing is guessed. "
            "Pass mask= or missing_values=."
        )
    return functools.reduce(operator.or_, said)


def _found(block: np.ndarray, values: Any) -> np.ndarray:
    """NaN and nodata values of a chunk, and masked entries of one that is masked although its array does not say so."""
    hidden = np.ma.getmaskarray(block) if isinstance(block, np.ma.MaskedArray) else None
    return np.broadcast_to(masks.find_missing(np.ma.getdata(block), hidden, None, values, None)[0], block.shape)


def _given(mask: Any, array: Any, axis: int | None) -> Any:
    """The user's mask as booleans, in the chunks of the image, channels last."""
    shape = array.shape[:-1] if axis is None else (*array.shape[:axis], array.shape[-1], *array.shape[axis:-1])
    if np.shape(mask) == array.shape[:-1]:
        chunks, last = array.chunks[:-1], False
    elif axis is not None and np.shape(mask) == shape:
        chunks, last = None, True
    else:
        raise masks.misfit(mask, array, axis)
    if not isinstance(mask, da.Array):
        mask = da.from_array(masks.as_bool(mask), chunks=chunks or "auto")
    elif mask.dtype != bool:
        mask = da.map_blocks(masks.as_bool, mask, dtype=bool, meta=np.empty((0,) * mask.ndim, bool))
    mask = da.moveaxis(mask, axis, -1) if last else mask[..., None]
    return mask.rechunk((*array.chunks[:-1], mask.chunks[-1] if not last else array.chunks[-1]))
