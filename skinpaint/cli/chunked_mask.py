"""A mask in chunks, by the rules for masks in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from skinpaint.cli.chunked_raster import open_raster
from skinpaint.cli.chunked_zarr import is_zarr, open_zarr
from skinpaint.io import Extras
from skinpaint.io.mask import marked

__all__ = ["SUFFIXES", "read_mask_in_chunks"]

SUFFIXES = (".zarr", ".tif", ".tiff")


def read_mask_in_chunks(path: Path, **rules: Any) -> tuple[Any, Extras]:
    """What a zarr array or a TIFF marks as missing, in chunks, and what it holds beside that.

    The rules are those of :func:`skinpaint.io.mask.marked`.
    """
    image, extras = open_zarr(path, measured=False, spaced=False) if is_zarr(path) else open_raster(path)
    return marked(path, image, extras, **rules), extras
