"""Image file directories: the tables of tags that TIFF and EXIF data are made of, with all types as they are."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

import numpy as np

__all__ = ["LONG", "LONG8", "POINTERS", "SIZES", "Entry", "Form", "check_chain", "entries", "form_of", "pack", "tree"]

POINTERS = (0x8769, 0x8825, 0xA005)  # tags whose value is the place of another directory: EXIF, GPS, interoperability
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
SWAPPED = {**SIZES, 5: 4, 10: 4}  # bytes of a number: fractions are two
LONG = 4
LONG8 = 16
MAX_ENTRIES, MAX_DEPTH = 4096, 3


@dataclass(frozen=True)
class Form:
    """How numbers are written: the byte order, and whether offsets have 64 bits."""

    order: Literal["<", ">"]
    big: bool = False

    @property
    def named_order(self) -> Literal["little", "big"]:
        """The byte order as integers of Python name it."""
        return "little" if self.order == "<" else "big"

    @property
    def count(self) -> struct.Struct:
        """The number of entries."""
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def entry(self) -> struct.Struct:
        """Code, type, number of values, and the values or their place."""
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))

    @property
    def offset(self) -> struct.Struct:
        """A place in the file."""
        return struct.Struct(self.order + ("Q" if self.big else "I"))


@dataclass(frozen=True)
class Entry:
    """A tag: its values as bytes in the form of its file, or the directory that it points to."""

    code: int
    type: int
    count: int
    data: bytes
    inner: tuple[Entry, ...] = ()

    def to(self, form: Form, source: Form) -> Entry:
        """The same in another byte order."""
        if form.order == source.order:
            return self
        size = SWAPPED[self.type]
        swapped = np.frombuffer(self.data, np.uint8).reshape(-1, size)[:, ::-1].tobytes()
        return replace(self, data=swapped, inner=tuple(entry.to(form, source) for entry in self.inner))


def form_of(head: bytes) -> tuple[Form, int]:
    """The form of a TIFF, and where its first directory is."""
    form = Form("<" if head[:2] == b"II" else ">", big=43 in head[2:4])
    start = 8 if form.big else 4
    return form, form.offset.unpack(head[start : start + form.offset.size])[0]


def entries(file: BinaryIO, at: int, form: Form) -> Iterator[tuple[int, tuple[int, int, int, bytes]]]:
    """The place of each entry of a directory, and its fields."""
    file.seek(at)
    (number,) = form.count.unpack(file.read(form.count.size))
    if number > MAX_ENTRIES:
        raise ValueError(f"a directory of {number} entries")
    fields = file.read(number * form.entry.size)
    for k, found in enumerate(form.entry.iter_unpack(fields)):
        yield at + form.count.size + k * form.entry.size, found


def check_chain(file: BinaryIO) -> None:
    """Refuse a file whose directories go in a circle, in which readers never arrive, or whose last ones are cut off."""
    form, at = form_of(file.read(16))
    seen = set()
    while at:
        if at in seen:
            raise ValueError("its directories go in a circle")
        seen.add(at)
        file.seek(at)
        count = file.read(form.count.size)
        size = form.count.unpack(count)[0] * form.entry.size if len(count) == form.count.size else 0
        rest = file.read(size + form.offset.size) if 0 < size <= MAX_ENTRIES * form.entry.size else b""
        if not rest or len(rest) < size + form.offset.size:
            raise ValueError(f"directory {len(seen)} is cut off")
        at = form.offset.unpack(rest[size:])[0]


def tree(file: BinaryIO, at: int, form: Form, depth: int = 0) -> tuple[Entry, ...]:
    """A directory with those that it points to."""
    read = []
    length = file.seek(0, 2)
    for _, (code, kind, count, field) in list(entries(file, at, form)):
        size = SIZES.get(kind, 0) * count
        if not 0 < size <= length:
            continue
        if code in POINTERS and depth < MAX_DEPTH:
            place = form.offset.unpack(field)[0] if kind != 3 else 0
            read.append(Entry(code, LONG, 1, b"", tree(file, place, form, depth + 1)))
            continue
        if size > form.offset.size:
            file.seek(form.offset.unpack(field)[0])
            field = file.read(size)
        read.append(Entry(code, kind, count, field[:size]))
    return tuple(read)


def pack(directory: Sequence[Entry], at: int, form: Form) -> bytes:
    """A directory with those that it points to, as it is written at a place of a file."""
    head = form.count.pack(len(directory))
    behind = at + len(head) + len(directory) * form.entry.size + form.offset.size
    packed, values = b"", b""
    for entry in sorted(directory, key=lambda entry: entry.code):
        kind, count, data = entry.type, entry.count, entry.data
        place = behind + len(values)
        if entry.inner:
            values += _even(pack(entry.inner, place, form))
            kind, data = (LONG8 if form.big else LONG), form.offset.pack(place)
        elif len(data) > form.offset.size:
            values += _even(data)
            data = form.offset.pack(place)
        packed += form.entry.pack(entry.code, kind, count, data)  # short values are padded with zeros
    return head + packed + form.offset.pack(0) + values


def _even(data: bytes) -> bytes:
    return data + b"\0" * (len(data) % 2)
