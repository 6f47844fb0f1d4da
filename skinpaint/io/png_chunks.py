"""What a PNG says in chunks of its own: texts, and how its colours are meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skinpaint.io.extras import Carried, Extras

if TYPE_CHECKING:
    from PIL.PngImagePlugin import PngInfo

__all__ = ["SIGNATURE", "as_pnginfo", "carried", "to_write"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEPT = (b"cHRM", b"gAMA", b"sRGB", b"cICP", b"sBIT", b"tEXt", b"zTXt", b"iTXt")
XMP = b"XML:com.adobe.xmp\0\0\0\0\0"  # how the text chunk begins that holds XMP data
MAX_CHUNK = 2**20  # bytes of a chunk that is kept

Chunk = tuple[bytes, bytes]


def carried(path: Path, pixels: np.ndarray, extras: Extras) -> Extras:
    """Extras with the chunks that another PNG can hold."""
    chunks = [(kind, data) for kind, data in _chunks(path) if not data.startswith((XMP[:17], b"Raw profile type "))]
    names = dict.fromkeys(kind.decode() for kind, _ in chunks)
    return replace(
        extras, carried=Carried("PNG", f"the chunks {' '.join(names)}" if names else "", chunks, pixels.shape)
    )


def _chunks(path: Path) -> Iterator[Chunk]:
    """The chunks that are kept; pixels are passed over."""
    with path.open("rb") as file:
        file.seek(len(SIGNATURE))
        while len(header := file.read(8)) == 8:
            length, kind = int.from_bytes(header[:4], "big"), header[4:]
            if kind in KEPT and length <= MAX_CHUNK:
                yield kind, file.read(length)
                file.seek(4, 1)
            else:
                file.seek(length + 4, 1)


def to_write(extras: Extras, pixels: np.ndarray) -> Iterator[Chunk]:
    """The chunks of the file that was read that fit these pixels, and one for XMP data."""
    planes = 1 if pixels.ndim == 2 else pixels.shape[2]
    for kind, data in extras.carried.data if extras.carried is not None else ():
        if kind != b"sBIT" or len(data) == planes:
            yield kind, data
    if extras.xmp is not None:
        yield b"iTXt", XMP + extras.xmp


def as_pnginfo(extras: Extras, pixels: np.ndarray) -> PngInfo:
    """The same, as Pillow wants them."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for kind, data in to_write(extras, pixels):
        info.add(kind, data)
    return info
