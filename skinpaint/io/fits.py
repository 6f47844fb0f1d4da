"""FITS, by astropy: the first image of the file is restored, and all else in the file stays as it is."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from skinpaint.io.codec import Codec
from skinpaint.io.extras import Carried, Extras
from skinpaint.io.files import check_size

__all__ = ["FITS"]

DTYPES = {8: "u1", 16: "i2", 32: "i4", 64: "i8", -32: "f4", -64: "f8"}
FRAMES = "TQPRKL"  # letters for axes that are not of space
UNSIGNED = {16: 2**15, 32: 2**31, 64: 2**63}  # how FITS writes unsigned integers: as signed ones, and this as BZERO


def _astropy() -> Any:
    try:
        from astropy.io import fits
    except ImportError:
        raise ValueError("FITS needs astropy. Install it: pip install 'skinpaint[astro]'") from None
    return fits


def _read(path: Path) -> tuple[np.ndarray, Extras]:
    fits = _astropy()
    contents = path.read_bytes()
    with fits.open(io.BytesIO(contents), do_not_scale_image_data=True, memmap=False) as hdus:
        images = [k for k, hdu in enumerate(hdus) if hdu.header.get("NAXIS", 0) > 0 and isinstance(hdu, _images(fits))]
        if not images:
            packed = any(isinstance(hdu, fits.CompImageHDU) for hdu in hdus)
            raise ValueError(
                "its images are compressed. Unpack it first, for example with funpack."
                if packed
                else "it holds no image."
            )
        which = images[0]
        header = hdus[which].header
        check_size(path, math.prod(header[f"NAXIS{k + 1}"] for k in range(header["NAXIS"])) * 8)
        stored = hdus[which].data
        named = header.get("EXTNAME", "")
    bits, zero, scale = header["BITPIX"], header.get("BZERO", 0), header.get("BSCALE", 1)
    unsigned = scale == 1 and zero == UNSIGNED.get(bits, -1)
    image = _as_unsigned(stored) if unsigned else np.ascontiguousarray(stored, stored.dtype.newbyteorder("="))
    blank = header.get("BLANK")
    nodata = () if blank is None or bits < 0 else (int(blank) + (int(zero) if unsigned else 0),)
    said = f"HDU {which}{f' ({named})' if named else ''}, the first of {len(images)} images"
    return image, Extras(
        axes=_axes(image.shape),
        nodata=nodata,
        about=f"restored {said}" if len(images) > 1 else "",
        carried=Carried("FITS", "FITS headers and other HDUs", (contents, which, unsigned), image.shape),
    )


def _images(fits: Any) -> tuple[type, ...]:
    return (fits.PrimaryHDU, fits.ImageHDU)


def _axes(shape: tuple[int, ...]) -> str:
    """Frames of a cube are restored one by one: FITS cubes are spectra or series more often than volumes."""
    if not 1 <= len(shape) <= 2 + len(FRAMES):
        raise ValueError(f"its image has {len(shape)} axes. Restore it from Python.")
    return "X" if len(shape) == 1 else FRAMES[: len(shape) - 2] + "YX"


def _as_unsigned(stored: np.ndarray) -> np.ndarray:
    """Signed integers as they are in the file, as the unsigned ones that they stand for."""
    native = np.ascontiguousarray(stored, stored.dtype.newbyteorder("="))
    unsigned = native.view(native.dtype.str.replace("i", "u"))
    return unsigned ^ unsigned.dtype.type(1 << (8 * unsigned.itemsize - 1))


def _as_signed(image: np.ndarray) -> np.ndarray:
    flipped = image ^ image.dtype.type(1 << (8 * image.itemsize - 1))
    return flipped.view(image.dtype.str.replace("u", "i"))


def _write(path: Path, image: np.ndarray, extras: Extras) -> None:
    fits = _astropy()
    if extras.carried is None:
        fits.PrimaryHDU(np.ascontiguousarray(image)).writeto(path, output_verify="exception")
        return
    contents, which, unsigned = extras.carried.data
    with fits.open(io.BytesIO(contents), do_not_scale_image_data=True, memmap=False) as hdus:
        start, header = hdus[which].fileinfo()["datLoc"], hdus[which].header
    stored = _as_signed(image) if unsigned else image
    written = bytearray(contents)
    written[start : start + image.nbytes] = stored.astype(stored.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(written)
    if "CHECKSUM" in header or "DATASUM" in header:
        with fits.open(path, mode="update", do_not_scale_image_data=True, memmap=False) as hdus:
            hdus[which].add_checksum()


FITS = Codec(
    name="FITS",
    suffixes=(".fits", ".fit", ".fts"),
    recognises=lambda head: head.startswith(b"SIMPLE  ="),
    holds=lambda dtype: dtype.str[1:] in DTYPES.values() or dtype.str[1:] in ("u2", "u4", "u8"),
    read=_read,
    write=_write,
    alpha=False,
    stacks=True,
)
