"""What a PNG says in chunks of its own: texts, and how its colours are meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from skinpaint.io.decoders import one_line
from skinpaint.io.extras import Carried, Extras

__all__ = ["SIGNATURE", "carried", "insert", "to_write"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = b"IHDR"
START = len(SIGNATURE) + 25  # bytes before the first chunk behind the header
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
ASPECT = b"pHYs"  # of a pixel, where its last byte is 0; else a resolution
PLACED = (b"sCAL", b"oFFs", ASPECT)  # across and down the picture as it is stored
KEPT = (b"cHRM", b"gAMA", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"pCAL", *PLACED, *TEXTS)
STORED = (HEADER, b"PLTE", b"tRNS", b"IDAT", b"hIST", b"iDOT", b"acTL", b"fcTL", b"fdAT")  # how the pixels are stored
UNSAID = (*STORED, b"iCCP", b"eXIf", b"tIME")  # and what the Extras hold, and the time of the last change
PALETTE = 3
XMP = b"XML:com.adobe.xmp"  # keywords of texts
PROFILES = b"Raw profile type "

Chunk = tuple[bytes, bytes]


def carried(path: Path, pixels: np.ndarray, extras: Extras, orientation: int) -> Extras:
    """Extras with the chunks that another PNG can hold, and the names of those that none will."""
    chunks = list(_chunks(path))
    depth, colour_type = dict(chunks)[HEADER][8:10]
    unfit = [*(PLACED if orientation != 1 else ()), *([b"bKGD"] if depth < 8 or colour_type == PALETTE else ())]
    held = {XMP: extras.xmp, PROFILES + b"exif": extras.exif}
    kept, lost = list[Chunk](), list[Chunk]()
    for kind, data in chunks:
        if kind == ASPECT and data[8:] != b"\0":  # the Extras hold it
            continue
        keyword = data.partition(b"\0")[0] if kind in TEXTS else b""
        if kind in KEPT and kind not in unfit and not keyword.startswith((XMP, PROFILES)):
            kept.append((kind, data))
        elif kind not in UNSAID and held.get(keyword) is None:
            lost.append((kind, keyword))
    return replace(
        extras,
        lost=(*extras.lost, *([_named(lost)] if lost else [])),
        carried=Carried("PNG", _named((kind, b"") for kind, _ in kept) if kept else "", kept, pixels.shape),
    )


def _named(chunks: Iterable[Chunk]) -> str:
    """Kinds of chunks, with the keywords of texts, in words."""
    names = dict.fromkeys(
        kind.decode() + (f" ({one_line(keyword.decode('latin-1'))})" if keyword else "") for kind, keyword in chunks
    )
    return f"the chunk{'s' * (len(names) > 1)} {' '.join(names)}"


def _chunks(path: Path) -> Iterator[Chunk]:
    """All chunks, with the contents of the header and of those that may be kept."""
    with path.open("rb") as file:
        file.seek(len(SIGNATURE))
        while len(header := file.read(8)) == 8 and header[4:].isalpha() and header[4:] != b"IEND":
            length, kind = int.from_bytes(header[:4], "big"), header[4:]
            data = file.read(length) if kind in (HEADER, *KEPT) else b""
            file.seek(length - len(data) + 4, 1)
            yield kind, data


def to_write(extras: Extras, pixels: np.ndarray) -> Iterator[Chunk]:
    """The chunks of the file that was read that fit these pixels, and one for XMP data."""
    planes = 1 if pixels.ndim == 2 else pixels.shape[2]
    depth = 8 * pixels.dtype.itemsize
    for kind, data in extras.carried.data if extras.carried is not None else ():
        fits = True
        if kind == b"sBIT":
            fits = len(data) == planes and max(data) <= depth
        elif kind == b"bKGD":
            fits = len(data) == (6 if planes > 2 else 2) and max(np.frombuffer(data, ">u2")) < 2**depth
        elif kind == b"sRGB":
            fits = extras.icc_profile is None  # a profile stands for it
        if fits:
            yield kind, data
    if extras.xmp is not None:
        yield b"iTXt", XMP + bytes(5) + extras.xmp


def insert(path: Path, chunks: Iterable[Chunk]) -> None:
    """Put chunks into a file that Pillow has written, which would leave out those that it does not know."""
    import png

    contents = path.read_bytes()
    with path.open("wb") as file:
        file.write(contents[:START])
        for kind, data in chunks:
            png.write_chunk(file, kind, data)
        file.write(contents[START:])
