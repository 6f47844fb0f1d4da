"""EXIF and XMP data of a picture that has been turned upright: all as it was, but the orientation."""

from __future__ import annotations

import re
import struct
from io import BytesIO

from skinpaint.io.ifd import SIZES, Form, entries, form_of

__all__ = ["DAMAGED", "PREFIX", "upright", "upright_exif", "upright_xmp"]

PREFIX = b"Exif\0\0"
DAMAGED = "EXIF data, which are damaged"
ORIENTATION = 0x0112
EXIF = 0x8769
WIDTH, HEIGHT = 0xA002, 0xA003
INTEGERS = (3, 4, 8, 9)  # types: whole numbers of 16 and 32 bits; writers take others than the SHORT of EXIF


def upright(exif: bytes | None, xmp: bytes | None) -> tuple[int, bytes | None, bytes | None, tuple[str, ...]]:
    """The orientation of a picture, its EXIF and XMP data for the picture upright, and what is lost, in words."""
    if not exif:
        return 1, None, xmp or None, ()
    try:
        orientation, exif = orientation_in(exif), upright_exif(exif)
    except (ValueError, struct.error):
        return 1, None, xmp or None, (DAMAGED,)
    return orientation, exif, upright_xmp(xmp) if xmp and orientation != 1 else xmp or None, ()


def orientation_in(exif: bytes) -> int:
    """The orientation that EXIF data state: 1 if the picture is upright as it is stored."""
    file = BytesIO(exif.removeprefix(PREFIX))
    form, at = form_of(file.read(16))
    for _, (code, kind, _, field) in entries(file, at, form):
        if code == ORIENTATION and kind in INTEGERS:
            orientation = int.from_bytes(field[: SIZES[kind]], form.named_order)
            return orientation if 1 <= orientation <= 8 else 1
    return 1


def upright_exif(exif: bytes) -> bytes:
    """EXIF data of the picture turned upright, without its thumbnail, which shows what it was.

    Nothing changes its place: what camera makers write in forms of their own counts on that.
    """
    changed = BytesIO(exif.removeprefix(PREFIX))
    form, at = form_of(changed.read(16))
    orientation = orientation_in(exif)
    first = dict(_by_code(changed, at, form))
    if orientation != 1:
        place, (_, kind, count, _) = first[ORIENTATION]
        _put(changed, place, form, (ORIENTATION, kind, count, (1).to_bytes(SIZES[kind], form.named_order)))
    if EXIF in first and orientation >= 5:
        inner = dict(_by_code(changed, form.offset.unpack(first[EXIF][1][3])[0], form))
        if WIDTH in inner and HEIGHT in inner:  # they change places
            for code, other in ((WIDTH, HEIGHT), (HEIGHT, WIDTH)):
                _put(changed, inner[code][0], form, (code, *inner[other][1][1:]))
    changed.seek(at + form.count.size + len(first) * form.entry.size)
    changed.write(form.offset.pack(0))  # no next directory, which is that of the thumbnail
    return PREFIX + changed.getvalue()


def _by_code(file: BytesIO, at: int, form: Form) -> list[tuple[int, tuple[int, tuple[int, int, int, bytes]]]]:
    return [(fields[0], (place, fields)) for place, fields in entries(file, at, form)]


def _put(file: BytesIO, place: int, form: Form, fields: tuple[int, int, int, bytes]) -> None:
    file.seek(place)
    file.write(form.entry.pack(*fields))


def upright_xmp(xmp: bytes) -> bytes:
    """XMP data of a picture that has been turned upright; of the same length.

    Examples
    --------
    >>> upright_xmp(b'<rdf:Description tiff:Orientation="6"/>')
    b'<rdf:Description tiff:Orientation="1"/>'
    """
    return re.sub(rb"(tiff:Orientation(?:=\"|='|>))[2-8]", rb"\g<1>1", xmp)
