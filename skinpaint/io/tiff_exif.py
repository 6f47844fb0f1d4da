"""EXIF data in TIFF: directories that tags point to, which tifffile does not write."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from skinpaint.io.exif import DAMAGED, PREFIX
from skinpaint.io.ifd import LONG, LONG8, Entry, Form, entries, form_of, pack, tree

__all__ = ["append_exif", "described", "read_exif", "stand_ins"]

DESCRIPTIVE = (270, 271, 272, 306, 315, 33432)  # description, maker, model, date, artist, copyright
STAND_INS = {34664: 34665, 34852: 34853}  # tags that keep the places of pointers to EXIF and GPS data
BLOB = Form("<")  # the form of EXIF data that are made anew
HEAD = b"II*\0\x08\0\0\0"

Tag = tuple[int, int, int, Any, bool]


def read_exif(path: Path, at: int, form: Form) -> tuple[bytes | None, tuple[str, ...]]:
    """What a directory says about the photograph, as EXIF data, if it points to some; and what is lost, in words."""
    with path.open("rb") as file:
        try:
            found = tree(file, at, form)
        except (ValueError, struct.error):
            return None, (DAMAGED,)
    if not any(entry.inner for entry in found):
        return None, ()
    kept = [entry.to(BLOB, form) for entry in found if entry.inner or entry.code in DESCRIPTIVE]
    return PREFIX + HEAD + pack(kept, len(HEAD), BLOB), ()


def described(exif: bytes, form: Form) -> Iterator[Tag]:
    """What EXIF data say in tags that a TIFF holds directly."""
    for entry in _loaded(exif, form):
        if entry.code in DESCRIPTIVE:
            yield entry.code, entry.type, entry.count, entry.data, True


def stand_ins(exif: bytes | None) -> Iterator[Tag]:
    """Tags that keep the places of pointers to the directories of EXIF data."""
    pointed = {entry.code for entry in _loaded(exif, BLOB) if entry.inner} if exif is not None else set[int]()
    for stand_in, pointer in STAND_INS.items():
        if pointer in pointed:
            yield stand_in, LONG, 1, 0, True


def append_exif(path: Path, exif: bytes, form: Form) -> None:
    """Write the directories of EXIF data behind a TIFF, and let its stand-ins point to them."""
    inner = {entry.code: entry.inner for entry in _loaded(exif, form)}
    with path.open("r+b") as file:
        _, first = form_of(file.read(16))
        for place, (code, _, _, _) in list(entries(file, first, form)):
            if code in STAND_INS:
                at = file.seek(0, 2)
                at += file.write(b"\0" * (at % 2))
                file.write(pack(inner[STAND_INS[code]], at, form))
                file.seek(place)
                kind = LONG8 if form.big else LONG
                file.write(form.entry.pack(STAND_INS[code], kind, 1, form.offset.pack(at)))


def _loaded(exif: bytes, form: Form) -> list[Entry]:
    """The first directory of EXIF data, in the form of a file."""
    file = BytesIO(exif.removeprefix(PREFIX))
    own, at = form_of(file.read(16))
    return [entry.to(form, own) for entry in tree(file, at, own)]
