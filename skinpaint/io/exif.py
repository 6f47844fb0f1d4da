"""EXIF and XMP data: what they say about the orientation is applied to the picture and taken out of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["exif_without_orientation", "orientation_of", "upright_xmp"]

ORIENTATION = 0x0112
EXIF_IFD = 0x8769
SIDES = (0xA002, 0xA003)  # width and height in pixels


def orientation_of(exif: Image.Exif) -> int:
    """The orientation: 1 if the picture is upright as it is stored."""
    orientation = exif.get(ORIENTATION, 1)
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def exif_without_orientation(exif: Image.Exif) -> bytes | None:
    """EXIF data of a picture that has been turned upright, or None if there is nothing else in them."""
    if orientation_of(exif) >= 5:  # the sides change places
        for side in SIDES:
            exif.get_ifd(EXIF_IFD).pop(side, None)
    exif.pop(ORIENTATION, None)
    return exif.tobytes() if len(exif) else None


def upright_xmp(xmp: bytes) -> bytes:
    """XMP data of a picture that has been turned upright; of the same length.

    Examples
    --------
    >>> upright_xmp(b'<rdf:Description tiff:Orientation="6"/>')
    b'<rdf:Description tiff:Orientation="1"/>'
    """
    return re.sub(rb"(tiff:Orientation(?:=\"|='|>))[2-8]", rb"\g<1>1", xmp)
