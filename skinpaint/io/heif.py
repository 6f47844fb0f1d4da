"""HEIC, as phones take it: read by pillow-heif where that is installed, in 16 bits where it holds 10 or 12."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from skinpaint.io.codec import Codec, Unreadable
from skinpaint.io.exif import upright
from skinpaint.io.extras import Extras, picture
from skinpaint.io.files import check_size

__all__ = ["HEIC"]

BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"heim", b"heis")
SAMPLES = {"L": 1, "I": 1, "LA": 2, "RGB": 3, "RGBA": 4}
SRGB = {"color_primaries": (1, 2), "transfer_characteristics": (1, 2, 6, 13)}  # codes that need no profile


def _read(path: Path) -> tuple[np.ndarray, Extras]:
    try:
        from pillow_heif import open_heif
    except ImportError:
        raise Unreadable("HEIC needs pillow-heif. Install it: pip install 'skinpaint[heif]'.") from None
    file = open_heif(path, convert_hdr_to_8bit=False)
    if len(file) > 1:
        raise Unreadable(f"it holds {len(file)} pictures. Save them as single pictures first.")
    check_size(path, file.size[0] * file.size[1] * 8)
    pixels, info = _pixels(file), file.info
    _, exif, xmp, damaged = upright(info.get("exif"), info.get("xmp"))
    extras = Extras(icc_profile=info.get("icc_profile"), exif=exif, xmp=xmp, lost=(*_lost(info), *damaged))
    bits = info.get("bit_depth", 8)
    about = f"its {bits} bits a channel became 16, from 0 to 65535" if pixels.dtype == np.uint16 else ""
    return picture(pixels, 1, replace(extras, about=about))  # the decoder has turned it upright


def _pixels(file: Any) -> np.ndarray:
    """A copy of the pixels: what the file gives as an array may not outlive it."""
    kind, _, deep = file.mode.partition(";")
    dtype = np.dtype(np.uint16 if deep else np.uint8)
    (width, height), channels = file.size, SAMPLES[kind]
    rows = np.frombuffer(file.data, dtype).reshape(height, file.stride // dtype.itemsize)
    return rows[:, : width * channels].reshape(height, width, channels).copy()


def _lost(info: dict[str, Any]) -> list[str]:
    """What no file that is written holds, in words."""
    lost = ["a depth map or a gain map"] if info.get("depth_images") or info.get("aux") else []
    colours = info.get("nclx_profile") or {}
    if not info.get("icc_profile") and any(colours.get(key, 2) not in plain for key, plain in SRGB.items()):
        lost.append("its colour description (nclx), which is not sRGB")
    return lost


HEIC = Codec(
    name="HEIC",
    suffixes=(".heic", ".heif"),
    recognises=lambda head: head[4:8] == b"ftyp" and head[8:12] in BRANDS,
    holds=lambda dtype: dtype in (np.uint8, np.uint16),
    read=_read,
    lossless=False,
)
