"""What the tags of a TIFF say about its pixels: nodata values, spacing, resolution."""

from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree

import numpy as np

from skinpaint.io.extras import Extras
from skinpaint.io.place import place_of
from skinpaint.lengths import in_one_unit

__all__ = [
    "GDAL_METADATA",
    "STATISTICS",
    "nodata",
    "resolution",
    "scale",
    "scale_tags",
    "spacing",
    "states_axes",
    "without_statistics",
]

GUESSED_AXES = "QI"  # tifffile's letters for axes that a file does not name
GUESSED_KINDS = ("generic", "uniform")  # how tifffile calls pages in which it knows no program's format
GDAL_METADATA = 42112
GDAL_NODATA = 42113
STATISTICS = "STATISTICS_"  # how names of items begin that GDAL reads instead of counting
ASCII = 2  # TIFF's type
PIXEL_SCALE = 33550
UNITS = {2: 1.0, 3: 2.54}  # ResolutionUnit: how many an inch is


def states_axes(file: Any, series: Any) -> bool:
    """Whether a file says itself what its axes are, as OME and ImageJ do, and tifffile if it is told."""
    kind, described = series.kind.lower(), list[Any](file.shaped_metadata or [{}])
    named = kind not in GUESSED_KINDS and (kind != "shaped" or all("axes" in each for each in described))
    return named and not set(series.axes) & set(GUESSED_AXES)


def nodata(page: Any, dtype: np.dtype) -> tuple[float, ...]:
    """The nodata value of a GeoTIFF, if the pixels can hold it."""
    text = str(page.tags.valueof(GDAL_NODATA, default="")).strip().rstrip("\0")
    try:
        value = int(text) if dtype.kind in "iu" and text.lstrip("+-").isdigit() else float(text)
    except ValueError:
        return ()
    if math.isnan(value) and dtype.kind != "f":
        return ()
    return (int(value) if dtype.kind in "iu" and float(value).is_integer() else value,)


def scale(page: Any, axes: str, alpha_at: int | None) -> tuple[Any, Any]:
    """Scale and offset of GDAL, by which values stand for others: two numbers, or arrays of one for each sample."""
    found = {"scale": np.ones(page.samplesperpixel), "offset": np.zeros(page.samplesperpixel)}
    try:
        for item in ElementTree.fromstring(str(page.tags.valueof(GDAL_METADATA, default=""))).iter("Item"):
            if item.get("role") in found:
                found[item.get("role", "")][int(item.get("sample", "0"))] = float(item.text or "")
    except (ElementTree.ParseError, ValueError, IndexError):
        return 1.0, 0.0
    kept = [each if alpha_at is None else np.delete(each, alpha_at) for each in found.values()]
    if "S" not in axes or all((each == each[0]).all() for each in kept):
        return float(kept[0][0]), float(kept[1][0])
    shape = [-1 if letter == "S" else 1 for letter in axes]
    return kept[0].reshape(shape), kept[1].reshape(shape)


def scale_tags(extras: Extras, samples: int) -> list[tuple[int, int, int, Any, bool]]:
    """The tag that says it, for pages of as many samples, unless numbers of another axis say it."""
    if not extras.is_scaled or np.size(extras.scale) not in (1, samples):
        return []
    scales, offsets = (np.broadcast_to(np.ravel(each), samples) for each in (extras.scale, extras.offset))
    items = [
        f'  <Item name="{role.upper()}" sample="{k}" role="{role}">{float(value)!r}</Item>\n'
        for k in range(samples)
        for role, value in (("offset", offsets[k]), ("scale", scales[k]))
    ]
    said = f"<GDALMetadata>\n{''.join(items)}</GDALMetadata>\n"
    return [(GDAL_METADATA, ASCII, len(said) + 1, said, False)]


def without_statistics(xml: bytes) -> bytes:
    """GDAL's items without statistics, which are of the picture as it was; all others byte for byte.

    Examples
    --------
    >>> without_statistics(b'<Item name="STATISTICS_MEAN" sample="0">7</Item><Item name="season">dry</Item>')
    b'<Item name="season">dry</Item>'
    """
    named = re.compile(rf"""\bname=["']{STATISTICS}""".encode())
    item = rb"<Item\s([^<>]*)(?:/>|>[^<]*</Item>)\s*"
    return re.sub(item, lambda found: b"" if named.search(found[1]) else found[0], xml)


def resolution(page: Any) -> tuple[float, ...]:
    """Dots an inch across and down; nothing if the file does not say."""
    inches = UNITS.get(page.tags.valueof("ResolutionUnit", default=2))
    fractions = [page.tags.valueof(name) for name in ("XResolution", "YResolution")]
    if inches is None or None in fractions:
        return ()
    return tuple(n / d * inches for n, d in fractions if d)


def spacing(file: Any, page: Any, axes: str) -> tuple[tuple[float, ...] | None, str]:
    """Distance between neighbours along Z, Y and X, where the file states them; and what to say of those of no use."""
    known, units = dict[str, float](), dict[str, str | None]()
    if file.is_ome:
        known, units = _ome(file.ome_metadata)
    elif file.is_imagej:
        across = {"X": page.tags.valueof("XResolution"), "Y": page.tags.valueof("YResolution")}
        known = {axis: d / n for axis, (n, d) in across.items() if n and d} if all(across.values()) else {}
        stated = file.imagej_metadata or {}
        depth = stated.get("spacing")
        known |= {"Z": abs(float(depth))} if depth else {}
        units = {axis: stated.get(f"{axis.lower()}unit", stated.get("unit")) for axis in "XYZ"}
    elif PIXEL_SCALE in page.tags:
        x, y = page.tags.valueof(PIXEL_SCALE)[:2]
        known = {"X": float(x), "Y": float(y)}
    elif (place := place_of(page)) is not None:
        known = {"X": math.hypot(*place.across), "Y": math.hypot(*place.down)}
    spatial = [axis for axis in axes if axis in "ZYX"]
    found = [known.get(axis, 0.0) for axis in spatial]
    if not all(math.isfinite(h) and h > 0 for h in found):
        return None, ""
    named = [units.get(axis) for axis in spatial]
    factors = in_one_unit(named)
    if factors is None:
        which = ", ".join(f"{axis} in {unit}" for axis, unit in zip(spatial, named, strict=True))
        return (
            None,
            f"sizes of its pixels are in units that cannot be compared, {which}; without --spacing they count as equal",
        )
    return tuple(h * factor for h, factor in zip(found, factors, strict=True)), ""


def _ome(xml: str) -> tuple[dict[str, float], dict[str, str | None]]:
    """Sizes of a voxel, and their units."""
    try:
        pixels = next(each for each in ElementTree.fromstring(xml).iter() if each.tag.endswith("}Pixels"))
    except (ElementTree.ParseError, StopIteration):
        return {}, {}
    names = [axis for axis in "XYZ" if pixels.get(f"PhysicalSize{axis}")]
    sizes = {axis: float(pixels.get(f"PhysicalSize{axis}", "")) for axis in names}
    return sizes, {axis: pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in names}
