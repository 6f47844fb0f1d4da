"""PNG of 16 bits a channel: Pillow would drop half of the bits of a colour picture."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from skinpaint.io import png_chunks
from skinpaint.io.codec import Codec
from skinpaint.io.extras import Extras, picture, with_alpha
from skinpaint.io.pillow import extras_of, opened

__all__ = ["PNG16"]


def _read(path: Path) -> tuple[np.ndarray, Extras]:
    with opened(path, "PNG") as file:
        orientation, extras = extras_of(file)
    pixels, extras = picture(_pixels(path), orientation, extras)
    return pixels, png_chunks.carried(path, pixels, extras, orientation)


def _pixels(path: Path) -> np.ndarray:
    import png

    with path.open("rb") as file:
        reader = png.Reader(file=file)
        reader.preamble()
        reader.sbit = None  # it would shift the values
        width, height, rows, info = reader.asDirect()
        pixels = np.empty((height, width * info["planes"]), np.uint16)
        for y, row in zip(range(height), rows, strict=True):  # a damaged file may hold fewer
            pixels[y] = row
    return pixels.reshape(height, width, -1)


def _write(path: Path, image: np.ndarray, extras: Extras) -> None:
    import png

    pixels = with_alpha(image, extras)
    height, width = pixels.shape[:2]
    planes = pixels.size // (height * width)
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[planes]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))]
    if extras.icc_profile is not None:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(extras.icc_profile)))
    if extras.dpi is not None:
        chunks.append((b"pHYs", struct.pack(">IIB", *(round(dpi / 0.0254) for dpi in extras.dpi), 1)))
    if extras.exif is not None:
        chunks.append((b"eXIf", extras.exif.removeprefix(b"Exif\0\0")))
    chunks += png_chunks.to_write(extras, pixels)
    rows = np.ascontiguousarray(pixels, ">u2").view(np.uint8).reshape(height, -1)
    differences = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))  # filter 2, "up": compresses better
    filtered = np.pad(differences, ((0, 0), (1, 0)), constant_values=2)
    chunks += [(b"IDAT", zlib.compress(filtered.tobytes())), (b"IEND", b"")]
    with path.open("wb") as file:
        png.write_chunks(file, chunks)


PNG16 = Codec(
    name="PNG",
    suffixes=(".png",),
    recognises=lambda head: head.startswith(png_chunks.SIGNATURE) and head[24:25] == b"\x10",
    holds=lambda dtype: dtype == np.uint16,
    read=_read,
    write=_write,
    keeps=("alpha", "icc_profile", "dpi", "exif", "xmp"),
)
