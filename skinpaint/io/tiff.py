"""TIFF, by tifffile: pictures, bands, stacks and volumes, with the tags that GeoTIFF, OME and ImageJ write."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from skinpaint.io.codec import Codec
from skinpaint.io.extras import Carried, Extras, picture, plausible_dpi, with_alpha
from skinpaint.io.files import check_size
from skinpaint.io.pillow import read_with_pillow

__all__ = ["TIFF"]

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

MASK_PAGE = 4  # the bit of NewSubfileType
POINTERS = {330: "sub-images", 34665: "EXIF data", 34853: "GPS data"}  # tags that point elsewhere in the file
WRITTEN = {274, 282, 283, 296, 305, 34675}  # tags that are written from what the Extras say, or anew
UNSAID = (269, 270, 280, 281, 306, 316, 318, 319)  # tags that can go without a word: a date, a range of values
GEO = (33550, 33922, 34264, 34735)
GDAL_NODATA = 42113
PIXEL_SCALE = 33550

Tag = tuple[int, int, int, bytes, bool]


def _read(path: Path) -> tuple[np.ndarray, Extras]:
    import tifffile

    with tifffile.TiffFile(path) as file:
        series, masks, lost = _sort(file)
        page = series.keyframe
        check_size(path, math.prod(series.shape) * series.dtype.itemsize)
        alpha = _alpha(page)
        plain = series.axes in ("YX", "YXS", "SYX") and _bands(page) - (alpha is not None) in (1, 3)
        colours = page.photometric
        if colours not in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB) or series.dtype == bool:
            if series.axes in ("YX", "YXS", "SYX") and series.dtype in (bool, np.uint8):
                return _read_plain(path)
            raise ValueError(
                f"it holds {getattr(colours, 'name', colours)} data on the axes {series.axes}. "
                "Convert it to grey or RGB first."
            )
        if tifffile.EXTRASAMPLE.ASSOCALPHA in page.extrasamples:
            raise ValueError("its colours are multiplied by its alpha. Save it with a separate alpha first.")
        try:
            pixels = series.asarray()
        except (KeyError, ValueError) as error:  # how tifffile says that it lacks a codec
            if "imagecodecs" not in str(error):
                raise
            if plain and series.dtype == np.uint8:
                return _read_plain(path)
            raise ValueError(f"{error.args[0]}. Install that, or save the file without compression.") from error
        pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
        extras = Extras(
            icc_profile=page.tags.valueof("InterColorProfile"),
            axes=series.axes,
            spacing=_spacing(file, page, series.axes),
            nodata=_nodata(page),
            missing=_missing(masks, pixels.shape, series.axes),
            lost=tuple(lost),
        )
        if not plain:
            return pixels, replace(extras, carried=_carried(file, series, pixels.shape, picture=False, turned=False))
        if series.axes == "SYX":
            pixels = np.moveaxis(pixels, 0, -1)
        located = any(code in page.tags for code in GEO)
        orientation = 1 if located else page.tags.valueof("Orientation", default=1)
        inches = {2: 1.0, 3: 2.54}.get(page.tags.valueof("ResolutionUnit", default=2))
        fractions = [page.tags.valueof(name) for name in ("XResolution", "YResolution")]
        dpi = [n / d * inches for n, d in filter(None, fractions) if d and inches]
        pixels, extras = picture(pixels, orientation, replace(extras, dpi=plausible_dpi(dpi, orientation)))
        return pixels, replace(
            extras, carried=_carried(file, series, pixels.shape, picture=True, turned=orientation != 1)
        )


def _read_plain(path: Path) -> tuple[np.ndarray, Extras]:
    """Read a picture of 8 bits by Pillow, which knows more colours and compressions, and fewer tags."""
    pixels, extras = read_with_pillow(path)
    return pixels, replace(extras, exif=None, lost=("TIFF tags",))


def _sort(file: Any) -> tuple[Any, list[Any], list[str]]:
    """The one series of pictures, the pages that are masks, and what else there is, in words."""
    lost = []
    pictures, masks = [], []
    for series in file.series:
        kind = int(series.keyframe.subfiletype)
        if kind & MASK_PAGE:
            masks += [] if series.keyframe.is_reduced else [page.aspage() for page in series.pages]
        elif series.keyframe.is_reduced:
            lost.append("preview")
        else:
            pictures.append(series)
            if len(series.levels) > 1:
                lost.append("pyramid")
    if len(pictures) != 1:
        shapes = "; ".join(f"{series.axes} {series.shape}" for series in pictures[:5])
        raise ValueError(
            f"it holds {len(pictures)} pictures of different kinds ({shapes}). Save them as single files first."
        )
    first = file.pages.first
    lost += [what for code, what in POINTERS.items() if code in first.tags and what not in lost]
    if lost and lost[0] == "pyramid" and "sub-images" in lost:  # where the pyramid is
        lost.remove("sub-images")
    return pictures[0], masks, list(dict.fromkeys(lost))


def _bands(page: Any) -> int:
    return int(page.samplesperpixel)


def _alpha(page: Any) -> int | None:
    """Where among the samples the alpha is, if the file says that one of them is; other samples are bands."""
    import tifffile

    extra = list(page.extrasamples)
    kinds = (tifffile.EXTRASAMPLE.UNASSALPHA, tifffile.EXTRASAMPLE.ASSOCALPHA)
    found = [_bands(page) - len(extra) + k for k, kind in enumerate(extra) if kind in kinds]
    return found[0] if found else None


def _nodata(page: Any) -> tuple[float, ...]:
    """The nodata value of a GeoTIFF."""
    text = page.tags.valueof(GDAL_NODATA)
    try:
        value = float(str(text).strip().rstrip("\0"))
    except ValueError:
        return ()
    return () if math.isnan(value) else (int(value) if value.is_integer() and page.dtype.kind in "iu" else value,)


def _missing(masks: list[Any], shape: tuple[int, ...], axes: str) -> np.ndarray | None:
    """What a mask inside the file, as GDAL writes it, marks as not valid."""
    if len(masks) != 1:
        return None
    invalid = np.asarray(masks[0].asarray() == 0)
    spatial = tuple(n for n, letter in zip(shape, axes, strict=True) if letter in "YX")
    return invalid if invalid.shape == spatial else None


def _spacing(file: Any, page: Any, axes: str) -> tuple[float, ...] | None:
    """Distance between neighbours along Z, Y and X, where the file states them."""
    known: dict[str, float] = {}
    if file.is_ome:
        known = _ome_spacing(file.ome_metadata)
    elif file.is_imagej:
        resolution = {"X": page.tags.valueof("XResolution"), "Y": page.tags.valueof("YResolution")}
        known = {axis: d / n for axis, (n, d) in resolution.items() if n and d} if all(resolution.values()) else {}
        depth = (file.imagej_metadata or {}).get("spacing")
        known |= {"Z": float(depth)} if depth else {}
    elif PIXEL_SCALE in page.tags:
        x, y = page.tags.valueof(PIXEL_SCALE)[:2]
        known = {"X": float(x), "Y": float(y)}
    spacing = tuple(known.get(axis, 0.0) for axis in axes if axis in "ZYX")
    return spacing if all(math.isfinite(h) and h > 0 for h in spacing) else None


def _ome_spacing(xml: str) -> dict[str, float]:
    """Sizes of a voxel, if all that are stated have the same unit."""
    try:
        pixels = next(each for each in ElementTree.fromstring(xml).iter() if each.tag.endswith("}Pixels"))
    except (ElementTree.ParseError, StopIteration):
        return {}
    names = [axis for axis in "XYZ" if pixels.get(f"PhysicalSize{axis}")]
    units = {pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in names}
    return {axis: float(pixels.get(f"PhysicalSize{axis}", "")) for axis in names} if len(units) == 1 else {}


def _carried(file: Any, series: Any, shape: tuple[int, ...], *, picture: bool, turned: bool) -> Carried:
    """The layout of the file, and the tags of its pages that are about what is in the pictures."""
    first = series.keyframe
    kinds = [
        ("the position on the ground", any(code in first.tags for code in GEO)),
        ("OME metadata", file.is_ome),
        ("ImageJ metadata", file.is_imagej),
    ]
    named = [name for name, there in kinds if there]
    tags = [_tags(file, page, first=k == 0) for k, page in enumerate(_pages(series))]
    named = named or (["TIFF tags"] if any(tag[0] not in UNSAID for tag in tags[0]) else [])
    resolution = [first.tags.valueof(name) for name in ("XResolution", "YResolution")]
    data = {
        "byteorder": file.byteorder,
        "bigtiff": file.is_bigtiff,
        "photometric": first.photometric,
        "planarconfig": first.planarconfig if _bands(first) > 1 else None,
        "extrasamples": list(first.extrasamples) or None,
        "tile": first.tile if first.is_tiled and len(first.tile) == 2 else None,
        "page": first.shape,
        "order": series.axes,
        "picture": picture,
        "turned": turned,
        "resolution": None if None in resolution else resolution,
        "unit": first.tags.valueof("ResolutionUnit"),
        "software": first.tags.valueof("Software"),
        "tags": tags,
    }
    return Carried("TIFF", " and ".join(named), data, shape)


def _pages(series: Any) -> Iterator[Any]:
    """Every page of a series; frames that are not described on their own stand for the first."""
    for page in series.pages:
        yield series.keyframe if page is None else page


def _tags(file: Any, page: Any, *, first: bool) -> list[Tag]:
    """Tags of a page as they are in the file, but those of its layout."""
    import tifffile

    if not first:
        if not hasattr(page, "aspage") or page.offset == 0:
            return []
        page = page.aspage()
    kept: list[Tag] = []
    for tag in page.tags:
        if tag.code in tifffile.TIFF.TAG_FILTERED or tag.code in POINTERS or tag.code in WRITTEN:
            continue
        file.filehandle.seek(tag.valueoffset)
        kept.append((tag.code, int(tag.dtype), tag.count, file.filehandle.read(tag.valuebytecount), False))
    return kept


def _write(path: Path, image: np.ndarray, extras: Extras) -> None:
    if extras.carried is not None:
        _write_as_read(path, image, extras, extras.carried.data)
    else:
        _write_anew(path, image, extras)


def _write_anew(path: Path, image: np.ndarray, extras: Extras) -> None:
    import tifffile

    colours = image.ndim == 3 and image.shape[2] == 3 and extras.axes in ("", "YXS")
    axes = extras.axes if not colours and len(extras.axes) == image.ndim > 2 else None
    tifffile.imwrite(
        path,
        with_alpha(image, extras),
        photometric="rgb" if colours else "minisblack",
        planarconfig="contig" if colours or extras.alpha is not None else None,
        extrasamples=None if extras.alpha is None else ["unassalpha"],
        compression="zlib",
        predictor=image.dtype.kind in "iu",
        resolution=extras.dpi,
        resolutionunit=None if extras.dpi is None else "inch",
        iccprofile=extras.icc_profile,
        software="skinpaint",
        metadata=None if axes is None else {"axes": axes},
        ome=False,
    )


def _write_as_read(path: Path, image: np.ndarray, extras: Extras, layout: dict[str, Any]) -> None:
    """Write the pages in the layout of the file that was read, each with its own tags."""
    import tifffile

    pixels = with_alpha(image, extras)
    if layout["picture"]:
        pages = (np.moveaxis(pixels, -1, 0) if layout["order"] == "SYX" else pixels)[None]
    else:
        pages = pixels.reshape(-1, *layout["page"])
    resolution, unit = layout["resolution"], layout["unit"]
    if layout["turned"]:  # across and down may have changed places
        resolution, unit = (extras.dpi, 2) if extras.dpi is not None else (resolution, unit)
    with tifffile.TiffWriter(
        path, byteorder=layout["byteorder"], bigtiff=layout["bigtiff"] or pixels.nbytes > 2**32 - 2**25
    ) as writer:
        for k, page in enumerate(pages):
            writer.write(
                np.ascontiguousarray(page),
                photometric=layout["photometric"],
                planarconfig=layout["planarconfig"],
                extrasamples=layout["extrasamples"],
                tile=layout["tile"],
                compression="zlib",
                predictor=page.dtype.kind in "iu",
                resolution=resolution,
                resolutionunit=unit,
                iccprofile=extras.icc_profile,
                software=layout["software"] or "skinpaint",
                metadata=None,
                extratags=layout["tags"][k] if k < len(layout["tags"]) else (),
            )


TIFF = Codec(
    name="TIFF",
    suffixes=(".tif", ".tiff"),
    recognises=lambda head: head.startswith(SIGNATURES),
    holds=lambda dtype: dtype.kind in "iuf",
    read=_read,
    write=_write,
    stacks=True,
)
