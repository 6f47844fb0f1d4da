"""HEIC, as phones take it: read by pillow-heif where that is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skinpaint.io.codec import Codec
from skinpaint.io.extras import Extras
from skinpaint.io.pillow import read_with_pillow

__all__ = ["HEIC"]

BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"heim", b"heis")


def _read(path: Path) -> tuple[np.ndarray, Extras]:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise ValueError("HEIC needs pillow-heif. Install it: pip install pillow-heif") from None
    register_heif_opener()
    return read_with_pillow(path)


HEIC = Codec(
    name="HEIC",
    suffixes=(".heic", ".heif"),
    recognises=lambda head: head[4:8] == b"ftyp" and head[8:12] in BRANDS,
    holds=lambda dtype: dtype == np.uint8,
    read=_read,
    lossless=False,
)
