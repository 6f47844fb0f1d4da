"""The layout of a TIFF and the tags of its pages: kept from the file that was read, for the file that is written."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from skinpaint.io.tiff_facts import GDAL_METADATA, without_statistics
from skinpaint.io.tiff_series import LAYERS, Found, Pixels

__all__ = [
    "OF_THE_CODING",
    "POSITION",
    "SOFTWARE",
    "UNSAID",
    "WRITTEN",
    "XMP",
    "Layout",
    "Tag",
    "contents",
    "damaged_resources",
    "layout_of",
    "without_thumbnails",
]

XMP = 700
WRITTEN = {282, 283, 296, 34675}  # tags that are written from what the Extras say, or anew
PHOTOSHOP = 34377
SIGNATURES = (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR")  # of its resources
THUMBNAILS = (1033, 1036)  # among the resources of Photoshop
OF_THE_CODING = {301, 320, 347, *range(512, 522), 529, 530, 531, 532, 50674}  # palettes, and what a decompressor needs
DESCRIPTION = 270
ORIENTATION = 274
SOFTWARE = 305
UNSAID = {
    254,
    269,
    271,
    272,
    274,
    280,
    281,
    297,
    305,
    306,
    315,
    316,
    318,
    319,
    33432,
}  # tags that can go without a word
FRACTIONS = {5: "I", 10: "i"}  # types of TIFF, and their numbers for `struct`
UNITS = (1, 2, 3)  # none, inch, centimetre
POSITION = {33550, 33922, 34264, 34735}
NAMED = {33723: "IPTC data", PHOTOSHOP: "Photoshop data", DESCRIPTION: "the description"}

Tag = tuple[int, int, int, Any, bool]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the pages of a file were written.

    Attributes
    ----------
    byteorder, bigtiff, photometric, planarconfig, extrasamples, volumetric, tile, compression
        As tifffile's writer takes them.
    white : scalar or None
        As :class:`Pixels` says.
    page : tuple of int
        The shape of a page.
    axes : str
        The axes of the file's pixels.
    is_picture : bool
        Whether it is one picture, whose samples have been put last and which has been turned upright.
    turned : bool
        Whether it has been turned.
    alpha_at : int or None
        Which of the samples the alpha is.
    order : ndarray of int
        Which plane each page is; empty where pages hold several planes.
    resolution, unit
        As the file says.
    apart : dict of int to tuple
        Resolution, its unit and the colour profile of each page that states others than the first one.
    tags : list of lists of tuples
        Of each page, the tags that are about what is in the picture.
    """

    byteorder: Any
    bigtiff: bool
    photometric: str
    planarconfig: Any
    extrasamples: list[Any] | None
    volumetric: bool
    tile: tuple[int, ...] | None
    compression: str | None
    white: np.unsignedinteger[Any] | None
    page: tuple[int, ...]
    axes: str
    is_picture: bool
    turned: bool
    alpha_at: int | None
    order: np.ndarray
    resolution: Any
    unit: Any
    apart: dict[int, tuple[Any, Any, bytes | None]]
    tags: list[list[Tag]]

    @property
    def in_one(self) -> bool:
        """Whether all pages are to be written at once, so that their pixels lie one behind the other.

        tifffile may read them like this where the first page alone is described, by its own description.
        """
        return self.compression is None and not any(self.tags[1:]) and not self.apart


def layout_of(
    file: Any, found: Found, pixels: Pixels, *, is_picture: bool, orientation: int | None, alpha_at: int | None
) -> Layout:
    """The layout of a file; `orientation` is None where it is not applied."""
    page, shape = found.series.keyframe, found.series.keyframe.shape
    recoded = pixels.axes != found.series.axes  # a palette became RGB
    samples = 3 if recoded else page.samplesperpixel
    pages = list(found.series.pages)
    turned = orientation not in (None, 1)
    volumetric = page.imagedepth > 1  # a page holds several planes
    dropped = WRITTEN | OF_THE_CODING | {LAYERS} | (set() if orientation is None else {ORIENTATION})
    if file.is_shaped and (turned or recoded):  # it states the shape
        dropped |= {DESCRIPTION}
    order = found.order if len(found.order) else range(len(pages))
    stored = [pages[k].aspage() if pages[k].offset else None for k in order]  # None: a plane without a page of its own
    tags = [[] if each is None else _tags(file, each, dropped) for each in stored]
    beside = [_beside(page if each is None else each) for each in stored]
    apart = {k: each for k, each in enumerate(beside) if each != beside[0]}
    # tifffile would take the tags between its planes for pixels
    interrupted = file.is_shaped and (any(tags[1:]) or bool(apart))
    return Layout(
        byteorder=file.byteorder,
        bigtiff=file.is_bigtiff,
        photometric=pixels.photometric.lower(),
        planarconfig=("contig" if recoded else page.planarconfig) if samples > 1 else None,
        extrasamples=list(page.extrasamples) if samples > 1 and page.extrasamples else None,
        volumetric=volumetric,
        tile=page.tile if page.is_tiled and (volumetric or len(page.tile) == 2) else None,
        compression=None if page.compression == 1 and not interrupted else "zlib",
        white=pixels.white,
        page=(*shape, 3) if recoded else shape,
        axes=pixels.axes,
        is_picture=is_picture,
        turned=turned,
        alpha_at=alpha_at,
        order=found.order,
        resolution=beside[0][0],
        unit=beside[0][1],
        apart=apart,
        tags=tags,
    )


def _beside(page: Any) -> tuple[Any, Any, bytes | None]:
    """Resolution, its unit and colour profile of a page."""
    fractions = [page.tags.valueof(name) for name in ("XResolution", "YResolution")]
    unit, profile = (page.tags.valueof(name) for name in ("ResolutionUnit", "InterColorProfile"))
    return None if None in fractions else fractions, unit if unit in UNITS else None, profile


def _tags(file: Any, page: Any, dropped: set[int]) -> list[Tag]:
    """Tags of a page as they are in the file, but those of its layout."""
    import tifffile

    kept: dict[tuple[int, int], Tag] = {}
    for tag in page.tags:
        if tag.code not in tifffile.TIFF.TAG_FILTERED | dropped and tag.valuebytecount:
            data, count = _raw(file, tag), tag.count
            if tag.code == DESCRIPTION and file.is_ome:  # bits are written as bytes
                data = data.replace(b'Type="bit"', b'Type="uint8"')
                count = len(data)
            if tag.code == DESCRIPTION and file.is_shaped:  # every page is described in the file that is written
                data = data.replace(b', "truncated": true', b"")
                count = len(data)
            if tag.code == GDAL_METADATA:
                data = without_statistics(data)
                count = len(data)
            if tag.code == PHOTOSHOP:
                data = without_thumbnails(data) or b""
                count = len(data)
            if data:
                values = _fractions(file, tag.dtype, data) if tag.dtype in FRACTIONS else data
                which = tag.valueoffset if tag.code == DESCRIPTION else 0  # tifffile writes its own beside the user's
                kept[tag.code, which] = (tag.code, int(tag.dtype), count, values, True)
    return list(kept.values())


def _fractions(file: Any, kind: int, data: bytes) -> tuple[int, ...]:
    """Numerators and denominators: of their bytes tifffile would state twice as many as there are."""
    return struct.unpack(f"{file.byteorder}{len(data) // 4}{FRACTIONS[kind]}", data)


def _raw(file: Any, tag: Any) -> bytes:
    file.filehandle.seek(tag.valueoffset)
    return bytes(file.filehandle.read(tag.valuebytecount))


def damaged_resources(file: Any, page: Any) -> bool:
    """Whether a page has resources of Photoshop that cannot be told apart."""
    tag = page.tags.get(PHOTOSHOP)
    return tag is not None and without_thumbnails(_raw(file, tag)) is None


def without_thumbnails(resources: bytes) -> bytes | None:
    r"""Resources of Photoshop without thumbnails, which show the picture as it was; None if they are damaged.

    Examples
    --------
    >>> note, thumbnail = b"8BIM\4\4\0\0\0\0\0\4note", b"8BIM\4\x0c\0\0\0\0\0\3jpg\0"
    >>> without_thumbnails(thumbnail + note) == note
    True
    >>> without_thumbnails(note[:-1]) is None
    True
    """
    kept, at, padding = [], 0, len(resources.rstrip(b"\0"))
    try:
        while at < padding:
            signature, code, name = struct.unpack_from(">4sHB", resources, at)
            behind = at + 6 + (name + 2) // 2 * 2  # its length and the name, of even length together, as the data are
            (size,) = struct.unpack_from(">I", resources, behind)
            end = behind + 4 + size
            if signature not in SIGNATURES or end > len(resources):
                return None
            end += size % 2
            if code not in THUMBNAILS:
                kept.append(resources[at:end])
            at = end
    except struct.error:
        return None
    return b"".join(kept)


def contents(file: Any, layout: Layout) -> str:
    """What the tags are about, in words: what other formats do not hold."""
    codes = {tag[0] for tag in layout.tags[0]} if layout.tags else set[int]()
    kinds = {
        "the position on the ground": bool(codes & POSITION),
        "OME metadata": file.is_ome,
        "ImageJ metadata": file.is_imagej,
    }
    named = [name for name, there in kinds.items() if there]
    described = not named  # otherwise the description is part of that
    named += [name for code, name in NAMED.items() if code in codes and (described or code != DESCRIPTION)]
    return " and ".join(named or (["TIFF tags"] if codes - UNSAID - {XMP} else []))
