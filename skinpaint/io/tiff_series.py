"""Which pages of a TIFF are its picture, which are masks, and how their samples become pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skinpaint.io.codec import Unreadable
from skinpaint.io.extras import opaque, upright
from skinpaint.io.pillow import NEEDS_CONVERSION, opened
from skinpaint.io.tiff_facts import nodata

__all__ = [
    "CLASSES",
    "LAYERS",
    "PICTURE_AXES",
    "Found",
    "Pixels",
    "check_samples",
    "decode",
    "find",
    "inverted",
    "is_raster",
    "mask_beside",
    "mask_inside",
    "of_gdal",
    "on_full_scale",
    "where_its_mask_is",
]

MASK_PAGE = 4  # the bit of NewSubfileType
PICTURE_AXES = ("YX", "YXS", "SYX")
RASTER_TAGS = (33550, 33922, 34264, 34735, 42112, 42113)  # of GeoTIFF and GDAL: samples are values, not brightness
SUB_IFDS = 330
COLOR_MAP = 320
LAYERS = 37724  # of Photoshop, which opens these instead of the picture
CLASSES = (
    "it holds numbers of classes or of colours in a palette, between which there is nothing to fill in. "
    "Convert it to RGB first, for example with GDAL: gdal_translate -expand rgb IN OUT."
)
RAW = ("CFA", "LINEAR_RAW")
AS_DESCRIBED = "Save it with all of its pages, or without that description, first."
MIXED = (
    "its pages are not all stored in the same way: their size, compression, or what 0 is differs. "
    "Save them as single files first, for example with libtiff: tiffsplit IN."
)


@dataclass(frozen=True)
class Found:
    """What a TIFF holds.

    Attributes
    ----------
    series : tifffile.TiffPageSeries
        The one series of pictures.
    order : ndarray of int
        Which of its planes each page of the file is; empty where one page holds several planes.
    masks : list of tifffile.TiffPage
        The pages that mark what is valid.
    lost : list of str
        What else there is, in words.
    """

    series: Any
    order: np.ndarray
    masks: list[Any]
    lost: list[str]


@dataclass(frozen=True)
class Pixels:
    """The samples of a series, in which more is white unless `white` says otherwise.

    Attributes
    ----------
    values : ndarray
        Of the shape of the series, or in RGB where the file holds a palette.
    axes : str
        A letter for each axis.
    photometric : str
        What the samples are in the file that is written: MINISBLACK, MINISWHITE or RGB.
    about : str
        What was converted, in words.
    white : scalar of the dtype, or None
        What white is where the file says 0 for it, and 0 for black where the file says this; None where it does not.
    black : scalar of the dtype, or None
        What black is where the file says 0 for white, and the values are kept.
    highest : int or None
        The highest value of the bits a sample has, where it is not that of the dtype.
    """

    values: np.ndarray
    axes: str
    photometric: str
    about: str = ""
    white: np.unsignedinteger[Any] | None = None
    black: np.unsignedinteger[Any] | None = None
    highest: int | None = None


def find(file: Any) -> Found:
    """The one series of pictures, the pages that are masks, and what else there is."""
    pictures, masks, lost = [], [], list[str]()
    found = _series(file)
    for series in found:
        page = series.keyframe
        if int(page.subfiletype) & MASK_PAGE:
            masks += [] if page.is_reduced else [each.aspage() for each in series.pages]
        elif page.is_reduced:
            lost.append("reduced copies (overviews or a preview)")
        else:
            pictures.append(series)
            if len(series.levels) > 1:
                lost.append("reduced copies (overviews or a preview)")
    if len(pictures) != 1:
        shapes = "; ".join(f"{series.axes} {series.shape}" for series in pictures[:5])
        raise Unreadable(
            f"it holds {len(pictures)} pictures of different kinds{f' ({shapes})' if shapes else ''}. "
            "Save them as single files first."
        )
    if SUB_IFDS in pictures[0].keyframe.tags and not lost:
        lost.append("sub-images")
    if LAYERS in pictures[0].keyframe.tags:
        lost.append("Photoshop layers")
    order = _order(file, pictures[0])
    taken = [page for series in found for level in series.levels for page in level.pages if page is not None]
    own = {page.index for page in taken if page.parent is file and len(page.treeindex) == 1}
    others = len(file.pages) - len(own)
    used = [page.index for page in pictures[0].pages if page is not None]
    misplaced = pictures[0].kind == "ome" and max(used, default=0) >= len(used)  # pages go by their numbers there
    if misplaced or (others > 0 and pictures[0].kind == "shaped"):  # each of whose pages is of some shape
        left = max(others, 1 + max(used) - len(used))
        raise Unreadable(f"its description leaves out {left} of its {len(file.pages)} pages. {AS_DESCRIBED}")
    if others > 0:
        lost.append(f"{others} more page{'s' * (others > 1)}, which its description leaves out")
    return Found(_page_by_page(file, pictures[0]), order, masks, list(dict.fromkeys(lost)))


def _series(file: Any) -> list[Any]:
    """What tifffile takes for one series each; it says "incompatible keyframe" of pages that only seem to be one."""
    try:
        return list(file.series)
    except RuntimeError as error:
        raise Unreadable(MIXED if "keyframe" in str(error) else f"it is damaged ({error}).") from None


def _page_by_page(file: Any, series: Any) -> Any:
    """The series, of which each page lies where it says itself, and is stored like the first one.

    tifffile takes the first page for all of them, and its description for where they lie; a program that writes the
    pages anew may keep that.
    """
    import tifffile

    first = series.keyframe
    pages = [page.aspage() if page.offset else page for page in series.pages]
    if any(page.hash != first.hash for page in pages):
        raise Unreadable(MIXED)
    for page in pages:
        _check_parts(page)
    planes = int(np.prod(series.shape)) // max(1, int(np.prod(first.shape)))
    if len(pages) < planes and first.dataoffsets[0] < first.offset < first.dataoffsets[0] + planes * first.nbytes:
        raise Unreadable(f"its description says that it holds {planes} pages. Got {len(pages)} instead. {AS_DESCRIBED}")
    if series.dataoffset is None:  # read page by page
        rightly = all(bool(page.is_contiguous) == bool(first.is_contiguous) for page in pages)
    else:
        as_first = [tuple(at + k * first.nbytes for at in first.dataoffsets) for k in range(len(pages))]
        rightly = [tuple(page.dataoffsets) for page in pages] == as_first
    if rightly:
        return series
    return tifffile.TiffPageSeries(
        pages, series.shape, series.dtype, series.axes, kind=series.kind, squeeze=False, parent=file
    )


def _check_parts(page: Any) -> None:
    parts = int(np.prod(page.chunked))
    if len(page.dataoffsets) < parts:
        raise Unreadable(f"it is damaged: {len(page.dataoffsets):,} of its {parts:,} strips or tiles are there.")


def _order(file: Any, series: Any) -> np.ndarray:
    """Which plane each page of the file is: OME may number them in another order than they are stored in."""
    pages = list(series.pages)
    lacking = sum(page is None for page in pages)
    if lacking:
        raise Unreadable(f"{lacking} of its {len(pages)} planes are not in the file. Save it without them first.")
    if len({len(page.treeindex) for page in pages}) > 1:
        raise Unreadable("it holds sub-images beside its pictures, of the same size. Save them as single files first.")
    if any(page.parent is not file for page in pages):
        raise Unreadable("its planes are spread over several files. Save them as one file first.")
    planes = int(np.prod(series.shape)) // max(1, int(np.prod(series.keyframe.shape)))
    return np.argsort([page.index for page in pages], kind="stable") if len(pages) == planes else np.zeros(0, int)


def is_raster(page: Any) -> bool:
    """Whether a page holds values of places, and not a picture."""
    return any(code in page.tags for code in RASTER_TAGS)


def check_samples(page: Any) -> str:
    """What the samples of a page are: PALETTE, MINISBLACK, MINISWHITE, RGB or YCBCR; what is no picture is refused.

    GDAL writes the colours of a map of classes beside samples that are said to be grey. tifffile says of all booleans
    that 0 is white, but those of an array are numbers, and True is 1.
    """
    kind = getattr(page.photometric, "name", str(page.photometric))
    if kind == "MINISWHITE" and page.dtype == bool and (page.is_shaped or page.is_ome):
        return "MINISBLACK"
    if is_raster(page) and (kind == "PALETTE" or COLOR_MAP in page.tags):
        raise Unreadable(CLASSES)
    if kind in RAW:
        raise Unreadable(f"it holds {kind} data of a camera. Develop it in a raw converter first.")
    if kind not in ("PALETTE", "MINISBLACK", "MINISWHITE", "RGB", "YCBCR"):
        raise Unreadable(f"it holds {'CMYK' if kind == 'SEPARATED' else kind} data. {NEEDS_CONVERSION}")
    extra = [each.name for each in page.extrasamples]
    if "ASSOCALPHA" in extra:
        raise Unreadable(
            "its colours are multiplied by its alpha. Save it with a separate alpha first, for example with "
            "ImageMagick: magick IN -alpha disassociate OUT.png."
        )
    alphas = extra.count("UNASSALPHA")
    if alphas > 1:  # which of them is the alpha is not said
        bands = int(page.samplesperpixel) - alphas
        raise Unreadable(f"it holds {bands} bands and {alphas} alphas. Save it with one alpha at most.")
    return kind


def decode(path: Path, series: Any) -> Pixels:
    """The samples of a series as pixels. Those of a raster are values, not brightness, and stay as they are."""
    page, axes = series.keyframe, series.axes
    kind = check_samples(page)
    if kind == "PALETTE":
        return _without_palette(path, series)
    values = _samples(path, series, kind)
    if values.shape != series.shape:
        raise Unreadable(
            f"its description says that its shape is {series.shape}. Got {values.shape} instead. {AS_DESCRIBED}"
        )
    kind = "RGB" if kind == "YCBCR" else kind
    bits = 1 if values.dtype == bool else page.bitspersample
    whole = not isinstance(bits, int) or bits in (8, 16, 32, 64)
    white = black = None
    if is_raster(page):
        values = values.astype(np.uint8) if values.dtype == bool else values
    if kind == "MINISWHITE":
        highest = values.dtype.type(opaque(values.dtype) if whole else 2**bits - 1)
        white, black = (highest, None) if not is_raster(page) else (None, highest if values.dtype.kind == "u" else None)
    if whole:
        return Pixels(values, axes, kind, white=white, black=black)
    counted = f"{bits} bit{'s' * (bits > 1)} a sample became"
    if bits > 8 or is_raster(page):
        about = f"{counted} {8 * values.itemsize}, with the same values"
        return Pixels(values, axes, kind, about, white, black, 2**bits - 1)
    if white is not None:
        kind, values = "MINISBLACK", inverted(values, white)
    return Pixels(values.astype(np.uint8) * np.uint8(255 // (2**bits - 1)), axes, kind, f"{counted} 8")


def _samples(path: Path, series: Any, kind: str) -> np.ndarray:
    """What tifffile decodes, or what Pillow does where it knows more; native, and with its own memory."""
    page = series.keyframe
    if page.bitspersample == 24 and page.dtype.kind != "f":
        raise Unreadable(
            "it holds 24 bits a sample, which versions of imagecodecs read in different ways. Save it with 32 bits "
            "first, for example with GDAL: gdal_translate -co NBITS=32 IN OUT."
        )
    if page.dtype.kind == "f":  # of tiles that are left out; tifffile takes 0 for the usual value of float32
        page.nodata = next((v for v in nodata(page, page.dtype) if not abs(v) > np.finfo(page.dtype).max), 0)
    if kind == "YCBCR" and page.compression.name != "JPEG":
        return _by_pillow(path, series, "it holds YCBCR data.")
    try:
        values = _from_lerc(series) if page.compression.name == "LERC" else series.asarray()
    except (ImportError, KeyError, ValueError) as error:  # how tifffile says that it lacks a codec
        if "imagecodecs" not in str(error):
            raise
        return _by_pillow(path, series, f"{error.args[0]}. Install that: pip install 'skinpaint[tiff]'.")
    return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("="), copy=False))


def _from_lerc(series: Any) -> np.ndarray:
    """LERC holds NaN, and an alpha of 0 and 255, as a mask in each strip or tile, which tifffile leaves out."""
    from imagecodecs import lerc_decode

    values = np.empty((len(series.pages), *series.keyframe.shaped), series.dtype)
    for whole, frame in zip(values, series.pages, strict=True):
        page = frame.aspage()
        whole[...] = page.nodata  # where a strip or tile is left out
        for data, index in page.parent.filehandle.read_segments(page.dataoffsets, page.databytecounts):
            if data:
                _, (plane, depth, y, x, _), (*_, samples) = page.decode(None, index)
                decoded, valid = lerc_decode(data, masks=True)
                decoded = decoded.view(decoded.dtype.newbyteorder(page.parent.byteorder))  # libtiff packs it as stored
                block = _unmasked(decoded, valid, samples)
                place = whole[plane, depth, y : y + block.shape[0], x : x + block.shape[1]]
                place[...] = block[: place.shape[0], : place.shape[1]]  # tiles reach beyond the picture
    return values.reshape(series.shape)


def _unmasked(values: np.ndarray, valid: np.ndarray | None, samples: int) -> np.ndarray:
    """A block with its samples last: NaN where floats are not valid; the mask of others is their alpha."""
    if valid is not None and valid.ndim == 3:  # the samples come first where each has a mask
        values, valid = np.moveaxis(values, 0, -1), np.moveaxis(valid, 0, -1)
    values = values.reshape(*values.shape[:2], -1)
    valid = np.ones((), bool) if valid is None else valid.reshape(*values.shape[:2], -1)
    if values.shape[2] < samples:
        alpha = np.where(valid, opaque(values.dtype), 0).astype(values.dtype)
        return np.dstack([values, np.broadcast_to(alpha, (*values.shape[:2], 1))])
    return np.where(valid, values, np.nan).astype(values.dtype) if values.dtype.kind == "f" else values


def _by_pillow(path: Path, series: Any, refusal: str) -> np.ndarray:
    """A picture as Pillow decodes it, if that is what the file holds."""
    from PIL import Image, UnidentifiedImageError

    if series.axes not in ("YX", "YXS") or len(series.pages) != 1:
        raise Unreadable(refusal)
    try:
        with opened(path, "TIFF") as file:
            plain: Image.Image = file.convert("RGB") if file.mode == "YCbCr" else file
            values = np.asarray(plain)
    except (Unreadable, UnidentifiedImageError, OSError):
        raise Unreadable(refusal) from None
    if values.shape != series.shape or values.dtype != series.dtype:
        raise Unreadable(refusal)
    white = series.keyframe.photometric.name == "MINISWHITE" and values.dtype != np.uint16
    return inverted(values, values.dtype.type(255)) if white else values.copy()  # Pillow has inverted 8 bits already


def _without_palette(path: Path, series: Any) -> Pixels:
    """Colours instead of numbers of colours. Numbers of classes have no colours between them."""
    if series.axes != "YX" or series.dtype not in (bool, np.uint8):
        raise Unreadable(CLASSES)
    with opened(path, "TIFF") as file:
        values = np.array(file.convert("RGB"))
    return Pixels(values, "YXS", "RGB", "its palette was converted to RGB")


def inverted(values: np.ndarray, white: np.unsignedinteger[Any]) -> np.ndarray:
    """White for black: what MINISWHITE stands for."""
    if values.dtype == bool:
        return ~values
    if values.dtype.kind != "u":
        raise Unreadable(f"it holds MINISWHITE data of {values.dtype}. Convert it to grey first.")
    return white - np.minimum(values, white)


def on_full_scale(alpha: Any, highest: int) -> Any:
    """An alpha of few bits, opaque at `highest`, as one that is opaque at the highest value of its dtype.

    Examples
    --------
    >>> on_full_scale(np.array([0, 2048, 4095], np.uint16), 4095)
    array([    0, 32776, 65535], dtype=uint16)
    """
    return (alpha * (opaque(alpha.dtype) / highest)).round().astype(alpha.dtype)


def of_gdal(path: Path) -> Path:
    """Where GDAL writes the mask of a file into one of its own."""
    return path.with_name(f"{path.name}.msk")


def where_its_mask_is(path: Path) -> str:
    """That a mask in a file of its own is that of the picture, in words; nothing if there is no such file."""
    return f"its mask is in {of_gdal(path).name}" if of_gdal(path).exists() else ""


def mask_beside(path: Path, shape: tuple[int, ...], orientation: int) -> np.ndarray | None:
    """What a mask in a file of its own, as GDAL writes it, marks as not valid; None if there is none of that shape."""
    import tifffile

    try:
        with tifffile.TiffFile(of_gdal(path)) as file:
            page: Any = file.pages.first
            if page.size != math.prod(shape):
                return None
            invalid = upright(np.asarray(page.asarray() == 0), orientation)
    except Exception:  # decoders raise anything, and it is named then
        return None
    return invalid if invalid.shape == shape else None


def mask_inside(found: Found, shape: tuple[int, ...], orientation: int) -> np.ndarray | None:
    """What a mask inside the file, as GDAL writes it, marks as not valid; None if there is none of that shape."""
    if len(found.masks) != 1:
        return None
    invalid = upright(np.asarray(found.masks[0].asarray() == 0), orientation)
    return invalid if invalid.shape == shape else None
