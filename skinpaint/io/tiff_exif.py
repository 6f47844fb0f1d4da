"""EXIF data in TIFF: directories that tags point to, which tifffile does not write."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from skinpaint.io.exif import exif_without_orientation

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["append_exif", "described", "read_exif", "stand_ins"]

DESCRIPTIVE = (270, 271, 272, 306, 315, 33432)  # description, maker, model, date, artist, copyright
DIRECTORIES = {
    34664: 34665,
    34852: 34853,
}  # tags that stand in for pointers to EXIF and GPS data until they are written
ASCII, LONG, LONG8 = 2, 4, 16  # TIFF's types

Tag = tuple[int, int, int, Any, bool]


def read_exif(path: Path, page: Any, *, byteorder: Any, bigtiff: bool) -> bytes | None:
    """What a page says about the photograph, as EXIF data; None if it has no directory of them."""
    from PIL import Image

    if not any(pointer in page.tags for pointer in DIRECTORIES.values()):
        return None
    exif = Image.Exif()
    exif.endian, exif.bigtiff = byteorder, bigtiff
    with path.open("rb") as file:
        exif.load_from_fp(file, page.offset)
        for pointer in DIRECTORIES.values():
            exif.get_ifd(pointer)
    for code in set(exif) - {*DESCRIPTIVE, *DIRECTORIES.values()}:
        del exif[code]
    exif.endian, exif.bigtiff = "<", False
    return exif_without_orientation(exif)


def described(exif: bytes) -> Iterator[Tag]:
    """What EXIF data say in tags that a TIFF holds directly."""
    loaded = _loaded(exif)
    for code in DESCRIPTIVE:
        text = loaded.get(code)
        if isinstance(text, str) and text.isascii():
            yield code, ASCII, 0, text, True


def stand_ins(exif: bytes | None) -> Iterator[Tag]:
    """Tags that keep the places of pointers to the directories of EXIF data."""
    loaded = None if exif is None else _loaded(exif)
    for stand_in, pointer in DIRECTORIES.items():
        if loaded is not None and pointer in loaded:
            yield stand_in, LONG, 1, 0, True


def append_exif(path: Path, exif: bytes, *, byteorder: str, bigtiff: bool) -> None:
    """Write the directories of EXIF data behind a TIFF, and let its stand-ins point to them."""
    loaded = _loaded(exif)
    loaded.endian, loaded.bigtiff = byteorder, bigtiff
    with path.open("r+b") as file:
        at = file.seek(0, 2)
        at += file.write(b"\0" * (-at % 8))
        contents = loaded.tobytes(at).removeprefix(b"Exif\0\0")
        file.write(contents[16 if bigtiff else 8 :])
        written = {code: value for code, _, value in _entries(file, at, byteorder, bigtiff)}
        file.seek(8 if bigtiff else 4)
        first = struct.unpack(byteorder + ("Q" if bigtiff else "I"), file.read(8 if bigtiff else 4))[0]
        for code, place, _ in list(_entries(file, first, byteorder, bigtiff)):
            if code in DIRECTORIES:
                pointer = DIRECTORIES[code]
                packed = (
                    struct.pack(byteorder + "HHQQ", pointer, LONG8, 1, written[pointer])
                    if bigtiff
                    else struct.pack(byteorder + "HHII", pointer, LONG, 1, written[pointer])
                )
                file.seek(place)
                file.write(packed)


def _loaded(exif: bytes) -> Image.Exif:
    from PIL import Image

    loaded = Image.Exif()
    loaded.load(exif)
    for pointer in DIRECTORIES.values():
        if pointer in loaded:
            loaded.get_ifd(pointer)
    return loaded


def _entries(file: IO[bytes], at: int, byteorder: str, bigtiff: bool) -> Iterator[tuple[int, int, int]]:
    """Code, place and value of each entry of a directory, where the value is a number."""
    count, form = ("Q", "HHQQ") if bigtiff else ("H", "HHII")
    size = struct.calcsize("<" + form)
    file.seek(at)
    (number,) = struct.unpack(byteorder + count, file.read(struct.calcsize("<" + count)))
    first = file.tell()
    for k in range(number):
        file.seek(first + k * size)
        code, _, _, value = struct.unpack(byteorder + form, file.read(size))
        yield code, first + k * size, value
