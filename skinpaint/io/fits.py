"""FITS, by astropy: the first image of the file is restored, and all else in the file stays as it is."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from skinpaint.io.codec import Codec, Unreadable
from skinpaint.io.extras import SPATIAL_LETTERS, Carried, Extras
from skinpaint.io.files import check_size
from skinpaint.lengths import in_one_unit

__all__ = ["FITS", "image_named"]

DTYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")  # of images that can be written
FRAMES = "QPRTKL"  # letters for axes that are not of space
SHIFTS = {8: -(2**7), 16: 2**15, 32: 2**31, 64: 2**63}  # BZERO of integers that FITS has with or without a sign only
SKY = re.compile("(RA--|DEC-|[A-Z]LON|[A-Z]LAT|[A-Z]{2}L[NT])-")  # how the types of such axes begin
MAX_AXES = 9  # of the world, which may be more than those of the image
MASK_HDU = "MASK"  # where astropy's CCDData keeps its mask
FLAGS = ("DQ", "BPM", "BADPIX", "FLAGS", "QUALITY", "BITMASK")  # names of HDUs whose bits mean many things


def _astropy() -> Any:
    try:
        from astropy.io import fits
    except ImportError:
        raise Unreadable("FITS needs astropy. Install it: pip install 'skinpaint[astro]'.") from None
    return fits


def _read(path: Path) -> tuple[np.ndarray, Extras]:
    fits = _astropy()
    contents = path.read_bytes()
    with fits.open(io.BytesIO(contents), do_not_scale_image_data=True, memmap=False) as hdus:
        images = [k for k, hdu in enumerate(hdus) if _is_image(fits, hdu)]
        if not images:
            raise Unreadable("it holds no image.")
        which = images[0]
        hdu, header = hdus[which], hdus[which].header
        if isinstance(hdu, fits.CompImageHDU):
            raise Unreadable("its image is compressed. Unpack it first, for example with funpack.")
        check_size(path, math.prod(header[f"NAXIS{k + 1}"] for k in range(header["NAXIS"])) * 8)
        stored = hdu.data
        masks = [k for k in images if hdus[k].name == MASK_HDU and k != which]
        fitting = [k for k in masks if hdus[k].shape in (hdu.shape, hdu.shape[-2:])]  # one for all planes of a cube
        mask = hdus[fitting[0]] if fitting else None
        missing = None if mask is None else np.broadcast_to(mask.data != _unmarked(mask), hdu.shape)
        other = "" if fitting or not masks else f"HDU {MASK_HDU} is no mask of it: its shape is {hdus[masks[0]].shape}"
        flagged = [hdus[k].name for k in images if hdus[k].name in FLAGS and k != which]
    bits, zero, scale = header["BITPIX"], header.get("BZERO", 0), header.get("BSCALE", 1)
    shifted = scale == 1 and zero == SHIFTS.get(bits)
    image = np.ascontiguousarray(stored, stored.dtype.newbyteorder("="))
    image = _shifted(image) if shifted else image
    blank = header.get("BLANK")
    nodata = () if blank is None or bits < 0 else (int(blank) + (int(zero) if shifted else 0),)
    about = [_which(which, hdu.name, len(images)), other]
    if not shifted and (scale, zero) != (1, 0):
        about.append(f"values are as stored: {zero:g} + {scale:g} times them is what they stand for")
    return image, Extras(
        axes=_axes(image.shape),
        spacing=_spacing(header) if image.ndim > 1 else None,
        nodata=nodata,
        scale=1.0 if shifted else float(scale),
        offset=0.0 if shifted else float(zero),
        unit=header["BUNIT"] if isinstance(header.get("BUNIT"), str) else "",
        missing=missing,
        about="; ".join(filter(None, about)),
        hint=f"HDU {flagged[0]} may mark bad pixels; --mask '[{flagged[0]}]' takes those that are not 0"
        if flagged
        else "",
        carried=Carried(
            "FITS", "FITS headers and other HDUs", (contents, which, fitting[:1], shifted, image.dtype), image.shape
        ),
    )


def image_named(path: Path, name: str) -> np.ndarray:
    """An image of a file, by its name or number."""
    fits = _astropy()
    try:
        opened = fits.open(path, memmap=False)
    except OSError as error:
        if error.errno is not None:
            raise
        raise Unreadable("it is no FITS file, and only such files hold images by name.") from None
    with opened as hdus:
        try:
            hdu = hdus[int(name) if name.isdigit() else name]
        except (KeyError, IndexError):
            names = ", ".join(f"{k} ({hdu.name})" if hdu.name else str(k) for k, hdu in enumerate(hdus))
            raise Unreadable(f"it has no HDU {name}, but {names}.") from None
        if not _is_image(fits, hdu):
            raise Unreadable(f"its HDU {name} is no image.")
        return np.asarray(hdu.data)


def _is_image(fits: Any, hdu: Any) -> bool:
    """Whether an HDU holds an image, compressed or not."""
    kinds = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)
    return isinstance(hdu, kinds) and hdu.header.get("NAXIS", 0) > 0 and 0 not in hdu.shape


def _which(number: int, name: str, count: int) -> str:
    """Which image this is, where there are several."""
    named = f" ({name})" if name and name != "PRIMARY" else ""
    return f"restored HDU {number}{named}, the first of {count} images" if count > 1 else ""


def _axes(shape: tuple[int, ...]) -> str:
    """Planes of a cube are restored one by one: FITS cubes are spectra or series more often than volumes."""
    if not 1 <= len(shape) <= 2 + len(FRAMES):
        raise Unreadable(f"its image has {len(shape)} axes. Restore it from Python.")
    return "X" if len(shape) == 1 else FRAMES[: len(shape) - 2][::-1] + "YX"


def _spacing(header: Any) -> tuple[float, float] | None:
    """How far a pixel is from the one above it and from the one beside it, if the header says both in one kind of unit.

    Examples
    --------
    >>> _spacing({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -0.1, "CDELT2": 0.3})
    (0.3, 0.1)
    >>> _spacing({"CUNIT1": "Angstrom", "CUNIT2": "arcsec", "CDELT1": 2.0, "CDELT2": 0.3})
    """
    axes = range(1, 1 + MAX_AXES)
    turned = any(f"CD{i}_{j}" in header for i in axes for j in axes)

    def step(i: int, j: int) -> float:
        """How far neighbours along axis j of the image are from each other along axis i of the world."""
        if turned:
            return float(header.get(f"CD{i}_{j}", 0.0))
        return float(header.get(f"CDELT{i}", 1.0)) * float(header.get(f"PC{i}_{j}", i == j))

    try:
        steps = {i: (step(i, 1), step(i, 2)) for i in axes}
    except (TypeError, ValueError):
        return None
    units = {i: _unit(header, i) for i, along in steps.items() if any(along)}
    factors = None if None in units.values() else in_one_unit(list(units.values()))
    if factors is None:
        return None
    across, down = (
        math.hypot(*(steps[i][k] * factor for i, factor in zip(units, factors, strict=True))) for k in (0, 1)
    )
    return (down, across) if 0 < min(across, down) <= max(across, down) < math.inf else None


def _unit(header: Any, axis: int) -> str | None:
    """The unit of an axis of the world; degrees on the sky, if the header does not say it."""
    unit, kind = (str(header.get(f"{name}{axis}", "")).strip() for name in ("CUNIT", "CTYPE"))
    return unit or ("deg" if SKY.match(kind) else None)


def _unmarked(mask: Any) -> Any:
    """What 0 is in a mask as it is stored."""
    return mask.data.dtype.type(-mask.header.get("BZERO", 0) / mask.header.get("BSCALE", 1))


def _marking_only(missing: np.ndarray | None, mask: Any) -> np.ndarray:
    """A mask as it is stored, without the marks of what is no longer missing."""
    if missing is None:
        return np.full_like(mask.data, _unmarked(mask))
    left = missing.any(axis=tuple(range(missing.ndim - mask.data.ndim)))  # in any plane, if the mask is for all
    return np.where(left, mask.data, _unmarked(mask))


def _in_planes(image: np.ndarray, extras: Extras) -> np.ndarray:
    """The channels before the axes in space, and behind those of frames: FITS has a plane for each."""
    colours = image.shape[2:] == (3,) if not extras.axes else extras.channel_axis == image.ndim - 1
    before = next((axis for axis, letter in enumerate(extras.axes) if letter in SPATIAL_LETTERS), 0)
    return np.moveaxis(image, -1, before) if colours else image


def _shifted(values: np.ndarray) -> np.ndarray:
    """Integers by half of their range up or down: unsigned ones of signed ones, and the other way round.

    Examples
    --------
    >>> _shifted(np.array([0, 128, 255], np.uint8))
    array([-128,    0,  127], dtype=int8)
    """
    unsigned = values.view(values.dtype.str.replace("i", "u"))
    other = values.dtype.str.translate(str.maketrans("iu", "ui"))
    return (unsigned ^ unsigned.dtype.type(1 << (8 * unsigned.itemsize - 1))).view(other)


def _write_anew(fits: Any, path: Path, image: np.ndarray, extras: Extras) -> list[str]:
    """Write an image alone, with what its values stand for, if one number says it; what is lost, in words."""
    hdu = fits.PrimaryHDU(np.ascontiguousarray(_in_planes(image, extras)))
    holds = np.ndim(extras.scale) == 0 and "BZERO" not in hdu.header  # which says that integers are shifted
    if extras.is_scaled and holds:
        hdu.header.update(BSCALE=extras.scale, BZERO=extras.offset)
    if extras.unit and (holds or not extras.is_scaled):
        hdu.header["BUNIT"] = extras.unit
    hdu.writeto(path, output_verify="exception")
    return ["the scale of its values"] if extras.is_scaled and not holds else []


def _write(path: Path, image: np.ndarray, extras: Extras) -> list[str]:
    fits = _astropy()
    carried = extras.carried
    if carried is None or carried.data[-1] != image.dtype:  # its header states another type
        return [*_write_anew(fits, path, image, extras), *([] if carried is None else [carried.what])]
    contents, which, masks, shifted, _ = carried.data
    written, lost = bytearray(contents), list[str]()
    with fits.open(io.BytesIO(contents), do_not_scale_image_data=True, memmap=False) as hdus:
        _put(written, hdus[which], _shifted(image) if shifted else image)
        for mask in (hdus[k] for k in masks):
            marks = _marking_only(extras.missing, mask)
            if (marks == mask.data).all():
                continue
            if isinstance(mask, fits.CompImageHDU):
                lost.append(f"a true mask, as HDU {MASK_HDU} is compressed, and still marks what was filled")
            else:
                _put(written, mask, marks)
    path.write_bytes(written)
    return lost


def _put(contents: bytearray, hdu: Any, stored: np.ndarray) -> None:
    """Write other data into an HDU of a file, and the sums that its header states."""
    place, header = hdu.fileinfo(), hdu.header
    head, start, end = place["hdrLoc"], place["datLoc"], place["datLoc"] + place["datSpan"]
    contents[start : start + stored.nbytes] = stored.astype(stored.dtype.newbyteorder(">")).tobytes()
    if "CHECKSUM" in header or "DATASUM" in header:
        changed = type(hdu).fromstring(bytes(contents[head:end]), do_not_scale_image_data=True)
        (changed.add_checksum if "CHECKSUM" in header else changed.add_datasum)()
        summed = changed.header.tostring().encode("ascii")
        if len(summed) != start - head:
            raise ValueError("its header does not keep its length")
        contents[head:start] = summed


FITS = Codec(
    name="FITS",
    suffixes=(".fits", ".fit", ".fts"),
    recognises=lambda head: head.startswith(b"SIMPLE  ="),
    holds=lambda dtype: dtype.str[1:] in DTYPES,
    read=_read,
    write=_write,
    library=_astropy,
    keeps=("missing",),
    stacks=True,
    least_axes=1,
)
