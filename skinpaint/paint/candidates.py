"""What each method makes of one part of the picture, to choose by eye and by the prediction of hidden pixels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

import numpy as np

from skinpaint.comparison import compare
from skinpaint.paint.boxes import Box
from skinpaint.paint.session import Session
from skinpaint.paint.words import in_a_window
from skinpaint.solution import GuessedMaskWarning

__all__ = ["Candidate", "candidates"]

SIDE = 160  # pixels of a thumbnail along each axis, at most
CONTEXT = 32  # pixels around it that a method sees


@dataclass(frozen=True)
class Candidate:
    """One method's answer: a message, and the colours of its thumbnail."""

    message: dict[str, Any]
    buffers: list[bytes]


def candidates(session: Session, near: Box, names: Sequence[str], stop: Event) -> Iterator[Candidate]:
    """Thumbnails of what was damaged, and then of every method's answer, one by one.

    Parameters
    ----------
    session : Session
        The image and its mask.
    near : Box
        What the user looks at.
    names : sequence of str
        The methods.
    stop : Event
        Set when the answers are no longer wanted.

    Raises
    ------
    ValueError
        If nothing is missing.
    """
    inner = _part(session, near)
    outer = inner.grown(CONTEXT).within(session.shape)
    at, missing = inner.inside(outer), session.mask_in(outer)
    crop = session.picture.image[outer.slices]
    size = {"height": inner.shape[0], "width": inner.shape[1]}

    def thumbnail(values: np.ndarray) -> bytes:
        return np.ascontiguousarray(session.picture.on_screen(values[at])).tobytes()

    yield Candidate({"name": "", **size, "of": len(names)}, [thumbnail(crop)])
    for name in names:
        if stop.is_set():
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GuessedMaskWarning)  # the mask is what the user sees
            comparison = compare(crop, missing, [name], channel_axis=-1, missing_values=None, spacing=session.spacing)
        entry = comparison.entries[0]
        if stop.is_set():
            return
        if entry.restored is None:
            yield Candidate({"name": name, "error": in_a_window(entry.error), **size}, [])
        else:
            figures = {"seconds": round(entry.seconds, 3), "psnr": _finite(entry.psnr)}
            yield Candidate({"name": name, **figures, **size}, [thumbnail(entry.restored)])


def _part(session: Session, near: Box) -> Box:
    """A part of the image with missing pixels, as near as can be to what the user looks at."""
    missing = session.bounds
    if not missing:
        raise ValueError("Nothing is painted yet. Paint over what is damaged first.")
    near = near.within(session.shape)
    within = session.mask_in(near) if near else np.zeros((0, 0), bool)
    if within.any():
        rows, columns = np.nonzero(within)
        middle = np.argmin(np.hypot(rows - near.shape[0] / 2, columns - near.shape[1] / 2))
        row, column = near.top + int(rows[middle]), near.left + int(columns[middle])
    else:
        rows, columns = np.nonzero(session.mask_in(missing))
        row, column = missing.top + int(rows[0]), missing.left + int(columns[0])
    height, width = (min(SIDE, n) for n in session.shape)
    top = min(max(0, row - height // 2), session.shape[0] - height)
    left = min(max(0, column - width // 2), session.shape[1] - width)
    return Box(top, left, top + height, left + width)


def _finite(figure: float) -> float | None:
    return round(figure, 2) if np.isfinite(figure) else None
