"""Stacks: frames that have nothing to do with each other are restored one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skinpaint.io import Extras
from skinpaint.io.npy import GUESSED, UNKNOWN

__all__ = ["Frame", "as_stack", "frames_of", "in_any_channel", "named_axes", "spacing_of", "spread"]

NAMES = {"T": "time", "Q": "pages", "I": "pages", "P": "positions", "S": "samples", "C": "channels"}


@dataclass(frozen=True)
class Frame:
    """One image of a stack: what the Inpainter gets.

    Attributes
    ----------
    at : tuple
        Where it is in the stack.
    image : ndarray
        Its pixels.
    mask : ndarray of bool or None
        What is missing in it, if that is known.
    channel_axis : int or None
        The axis of its channels.
    """

    at: tuple[Any, ...]
    image: np.ndarray
    mask: np.ndarray | None
    channel_axis: int | None


def as_stack(image: np.ndarray, extras: Extras, axes: str | None) -> Extras:
    """Extras with the axes that the user gave, if any.

    Examples
    --------
    >>> as_stack(np.zeros((3, 8, 8)), Extras(axes="QYX"), "zyx").axes
    'ZYX'
    """
    if axes is None:
        if UNKNOWN in extras.axes:
            raise ValueError(
                f"The file does not say what the axes of its shape {image.shape} are. Name them, as in --axes TCZYX."
            )
        return extras
    axes = axes.upper()
    if len(axes) != image.ndim or len(set(axes)) < len(axes) or not set(axes) <= set("TCZYXSQ"):
        raise ValueError(
            f"--axes must be {image.ndim} different letters of T, C, Z, Y, X, S and Q, one for each axis of an image "
            f"of shape {image.shape}. Got {axes!r} instead."
        )
    if not set(axes) & set("ZYX"):
        raise ValueError(f"--axes must name an axis in space, Z, Y or X. Got {axes!r} instead.")
    spatial, known = ([k for k, letter in enumerate(each) if letter in "ZYX"] for each in (axes, extras.axes))
    steps = dict(zip(known, extras.spacing or (), strict=False))
    spacing = tuple(steps[k] for k in spatial) if set(spatial) <= steps.keys() else None
    about = "" if extras.about.startswith(GUESSED) else extras.about
    return replace(extras, axes=axes, stated=extras.stated or axes, spacing=spacing, about=about)


def frames_of(image: np.ndarray, mask: np.ndarray | None, extras: Extras) -> Iterator[Frame]:
    """Every frame of a stack, with its part of the mask.

    A mask is for all frames, for all planes of all frames, or of the shape of the image without its channels.

    Examples
    --------
    >>> frames = list(frames_of(np.zeros((2, 3, 5, 4)), None, Extras(axes="TCYX")))
    >>> [(frame.at[0], frame.image.shape, frame.channel_axis) for frame in frames]
    [(0, (3, 5, 4), 0), (1, (3, 5, 4), 0)]
    """
    along, channel = extras.frame_axes, extras.channel_axis
    whole = None if mask is None else spread(mask, image.shape, extras)
    inner = [axis for axis in range(image.ndim) if axis not in along]
    channel_axis = None if channel is None else inner.index(channel)
    for index in np.ndindex(*(image.shape[axis] for axis in along)):
        at: list[Any] = [slice(None)] * image.ndim
        for axis, k in zip(along, index, strict=True):
            at[axis] = k
        place = tuple(at)
        yield Frame(place, image[place], None if whole is None else whole[place], channel_axis)


def in_any_channel(filled: Any, extras: Extras) -> Any:
    """What was filled in any channel; of an array in memory or in chunks.

    Examples
    --------
    >>> in_any_channel(np.array([[[True, False], [False, False]]]), Extras(axes="YXS"))
    array([[ True, False]])
    """
    return filled if extras.channel_axis is None else filled.any(axis=extras.channel_axis)


def spread(mask: np.ndarray, shape: tuple[int, ...], extras: Extras) -> np.ndarray:
    """A mask of the shape of the whole image."""
    if mask.shape == shape:
        return mask
    channel = extras.channel_axis
    without = [axis for axis in range(len(shape)) if axis != channel]
    for kept in (without, [axis for axis in without if axis not in extras.frame_axes], without[-2:]):
        if mask.shape == tuple(shape[axis] for axis in kept):
            bare = mask.reshape([shape[axis] if axis in kept else 1 for axis in range(len(shape))])
            return np.broadcast_to(bare, shape)
    raise ValueError(
        f"The mask has shape {mask.shape}, but the image {shape} on the axes {extras.axes}. "
        "Draw the mask on a copy of the picture."
    )


def named_axes(extras: Extras) -> str:
    """The axes of frames, in words.

    Examples
    --------
    >>> named_axes(Extras(axes="TQYX"))
    'time (T) and pages (Q)'
    """
    letters = [extras.axes[axis] for axis in extras.frame_axes]
    return " and ".join(f"{NAMES.get(letter, 'axis')} ({letter})" for letter in letters)


def spacing_of(given: tuple[float, ...] | None, extras: Extras) -> tuple[Any, str]:
    """The spacing of the axes in space, in their order, and what to say where it is that of the file.

    The user gives that of Z, Y and X; the file's is in units of the shortest.

    Examples
    --------
    >>> spacing_of((4.0, 1.0, 2.0), Extras(axes="XYZ"))
    ((2.0, 1.0, 4.0), '')
    """
    letters = [letter for letter in extras.axes if letter in "ZYX"]
    count = len(letters)
    if given is not None:
        if len(given) not in (1, count):
            raise ValueError(
                f"--spacing must be one number or {count}, for {', '.join(sorted(letters, reverse=True))}. "
                f"Got {len(given)} instead."
            )
        of = dict(zip(sorted(letters, reverse=True), given, strict=False))
        return (given[0] if len(given) == 1 else tuple(of[letter] for letter in letters)), ""
    steps = extras.steps
    if not steps:
        return None, ""
    named = ", ".join(f"{letter} {h:.4g}" for letter, h in steps.items())
    return tuple(steps.values()), f"spacing {named}, as the file says"
