"""What a user did to a mask, as data: strokes, shapes, floods, imports. The truth from which the mask follows."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from skinpaint.paint.boxes import Box

__all__ = [
    "EDITS",
    "MAX_DIAMETER",
    "MAX_POINTS",
    "Clear",
    "Edit",
    "Grow",
    "Imported",
    "Point",
    "Polygon",
    "Rectangle",
    "Similar",
    "Stroke",
    "Suggested",
    "as_data",
    "from_data",
]

MAX_DIAMETER = 400  # pixels of the brush
MAX_POINTS = 200_000  # of one stroke or polygon
MAX_COORDINATE = 1e7  # pixels
MAX_GROWTH = 50  # pixels at a time
SUGGESTIONS = ("saturated", "hairlines")

Point = tuple[float, ...]
"""x to the right and y down, in pixels; the first pixel reaches from 0 to 1. A stroke may add the pen's pressure."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One step that can be undone. With `erase`, the pixels that it touches are no longer missing."""

    erase: bool = False

    def __post_init__(self) -> None:
        _check(isinstance(self.erase, bool), self, "erase", "a bool", self.erase)


@dataclass(frozen=True, kw_only=True)
class Stroke(Edit):
    """A brush that is drawn along points.

    It touches every pixel whose centre is within half the diameter of the path, and every pixel that a line of one
    pixel along the path takes. A diameter of 1 is that line alone.

    Attributes
    ----------
    points : tuple of (x, y) or (x, y, pressure)
        The path. A pressure from 0 to 1 multiplies the diameter.
    diameter : float
        In pixels, from 1 to 400.

    Examples
    --------
    >>> as_data(Stroke(points=((0.5, 0.5), (3.5, 0.5)), diameter=3))
    {'kind': 'stroke', 'erase': False, 'points': [[0.5, 0.5], [3.5, 0.5]], 'diameter': 3}
    """

    points: tuple[Point, ...]
    diameter: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_points(self, self.points, 1, (2, 3))
        valid = _is_number(self.diameter) and 1 <= self.diameter <= MAX_DIAMETER
        _check(valid, self, "diameter", f"a number from 1 to {MAX_DIAMETER}", self.diameter)


@dataclass(frozen=True, kw_only=True)
class Polygon(Edit):
    """The pixels whose centres a closed polygon holds; where it crosses itself, those inside an odd number of times."""

    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_points(self, self.points, 3, (2,))


@dataclass(frozen=True, kw_only=True)
class Rectangle(Edit):
    """The pixels from that of one corner to that of the opposite one, both included."""

    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_points(self, self.points, 2, (2,))
        _check(len(self.points) == 2, self, "points", "two corners", self.points)


@dataclass(frozen=True, kw_only=True)
class Similar(Edit):
    """The connected pixels around a point whose colours on the screen differ from its own by at most `tolerance`.

    Attributes
    ----------
    points : tuple of one (x, y)
        Where to begin.
    tolerance : int
        Levels from 0 to 255, in the channel that differs most.
    """

    points: tuple[Point, ...]
    tolerance: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_points(self, self.points, 1, (2,))
        _check(len(self.points) == 1, self, "points", "one point", self.points)
        _check(_is_int(self.tolerance, 0, 255), self, "tolerance", "an int from 0 to 255", self.tolerance)


@dataclass(frozen=True, kw_only=True)
class Grow(Edit):
    """Every pixel within `pixels` of a missing one, diagonals included."""

    pixels: int

    def __post_init__(self) -> None:
        super().__post_init__()
        valid = _is_int(self.pixels, 1, MAX_GROWTH)
        _check(valid, self, "pixels", f"an int from 1 to {MAX_GROWTH}", self.pixels)


@dataclass(frozen=True, kw_only=True)
class Suggested(Edit):
    """What skinpaint proposed, and the user accepted.

    Attributes
    ----------
    what : "saturated" or "hairlines"
        Pixels at the lowest or highest value, or thin bright and dark lines.
    strength : int
        From 1 to 100: how much is taken for a hairline.
    """

    what: str
    strength: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.what in SUGGESTIONS, self, "what", " or ".join(map(repr, SUGGESTIONS)), self.what)
        _check(_is_int(self.strength, 1, 100), self, "strength", "an int from 1 to 100", self.strength)


@dataclass(frozen=True, kw_only=True)
class Clear(Edit):
    """Nothing is missing any more."""

    erase: bool = True


@dataclass(frozen=True, kw_only=True)
class Imported(Edit):
    """A mask from elsewhere; :meth:`of` makes it from an array.

    Attributes
    ----------
    box : tuple of int
        Top, left, bottom and right of what `bits` holds.
    bits : str
        Its pixels, a bit each, compressed, in base64.
    given : bool
        Whether the picture came with it: what is black and white on the screen is judged by the other pixels.

    Examples
    --------
    >>> mask = np.zeros((5, 5), bool)
    >>> mask[2, 1:4] = True
    >>> edit = Imported.of(mask)
    >>> edit.box, edit.pixels.tolist()
    ((2, 1, 3, 4), [[True, True, True]])
    """

    box: tuple[int, ...]
    bits: str
    given: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(isinstance(self.given, bool), self, "given", "a bool", self.given)
        valid = len(self.box) == 4 and all(_is_int(side, 0, int(MAX_COORDINATE)) for side in self.box)
        _check(valid, self, "box", "top, left, bottom and right", self.box)
        _check(isinstance(self.bits, str), self, "bits", "a str", self.bits)
        _ = self.pixels

    @classmethod
    def of(cls, mask: np.ndarray) -> Imported:
        """The edit that adds a mask of the shape of the image."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = (0, 0, 0, 0)
        if rows.size:
            box = (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
        packed = np.packbits(mask[Box(*box).slices]).tobytes()
        return cls(box=box, bits=base64.b64encode(zlib.compress(packed)).decode())

    @property
    def pixels(self) -> np.ndarray:
        """The mask within the box."""
        box = Box(*self.box)
        n_bytes = -(-box.size // 8)
        try:
            unpacker = zlib.decompressobj()
            packed = unpacker.decompress(base64.b64decode(self.bits, validate=True), n_bytes + 1)
        except (binascii.Error, zlib.error):
            packed = b""
        _check(len(packed) == n_bytes, self, "bits", f"{box.size} compressed bits in base64", f"{self.bits[:20]}...")
        bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=box.size)
        return bits.view(bool).reshape(box.shape)


EDITS: dict[str, type[Edit]] = {
    "stroke": Stroke,
    "polygon": Polygon,
    "rectangle": Rectangle,
    "similar": Similar,
    "grow": Grow,
    "suggested": Suggested,
    "clear": Clear,
    "imported": Imported,
}
"""The kinds of edits by name."""


def as_data(edit: Edit) -> dict[str, Any]:
    """An edit as JSON knows it."""
    kind = next(name for name, each in EDITS.items() if type(edit) is each)
    values = {field.name: getattr(edit, field.name) for field in dataclasses.fields(edit)}
    return {"kind": kind, **{name: _listed(value) for name, value in values.items()}}


def from_data(data: object) -> Edit:
    """An edit from what JSON knows; whatever comes from outside is checked here.

    Raises
    ------
    ValueError
        If it is no edit.

    Examples
    --------
    >>> from_data({"kind": "grow", "pixels": 2})
    Grow(erase=False, pixels=2)
    >>> from_data({"kind": "grow", "pixels": 1000})
    Traceback (most recent call last):
        ...
    ValueError: The 'pixels' parameter of Grow must be an int from 1 to 50. Got 1000 instead.
    """
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(kind, str) or kind not in EDITS:
        raise ValueError(f"An edit must name its kind, one of {', '.join(EDITS)}. Got {str(data)[:80]} instead.")
    values = {name: _tupled(value) for name, value in data.items() if name != "kind"}
    known = [field.name for field in dataclasses.fields(EDITS[kind])]
    if not set(values) <= set(known):
        raise ValueError(f"A {kind} knows only {', '.join(known)}. Got {', '.join(map(str, values))} instead.")
    try:
        return EDITS[kind](**values)
    except TypeError as error:  # something is not there, or has no length
        raise ValueError(f"This is no {kind}: {error}.") from None


def _listed(value: Any) -> Any:
    return [_listed(each) for each in value] if isinstance(value, tuple) else value


def _tupled(value: Any) -> Any:
    return tuple(_tupled(each) for each in value) if isinstance(value, list | tuple) else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _is_int(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _check_points(edit: Edit, points: Any, least: int, lengths: tuple[int, ...]) -> None:
    """Points must be few enough, of the right length, and near the image."""
    valid = isinstance(points, tuple) and least <= len(points) <= MAX_POINTS
    _check(valid, edit, "points", f"{least} to {MAX_POINTS:,} points", f"{str(points)[:60]}")
    for point in points:
        fine = isinstance(point, tuple) and len(point) in lengths and all(map(_is_number, point))
        fine = fine and all(abs(coordinate) <= MAX_COORDINATE for coordinate in point[:2])
        fine = fine and all(0 <= pressure <= 1 for pressure in point[2:])
        _check(fine, edit, "points", "numbers x, y and for a stroke a pressure from 0 to 1", point)


def _check(valid: bool, edit: Edit, name: str, allowed: str, got: object) -> None:
    if not valid:
        raise ValueError(f"The '{name}' parameter of {type(edit).__name__} must be {allowed}. Got {got!r} instead.")
