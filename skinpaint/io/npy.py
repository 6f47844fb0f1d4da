"""Arrays in NumPy's own files. What is missing is NaN in them, or in an array named mask."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from skinpaint.io.codec import Codec, Unreadable
from skinpaint.io.extras import Carried, Extras
from skinpaint.io.files import check_size

__all__ = ["GUESSED", "NPY", "NPZ", "UNKNOWN"]

MAX_COLOURS = 4  # a last axis that is longer is one in space
MASK_NAMES = ("mask", "missing")
UNKNOWN = "?"  # an axis that the user has to name
GUESSED = "its axes are taken for"  # how a note on axes that the file does not name begins


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and dtype, before anything is allocated."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise Unreadable(f"it is of version {version} of NumPy's format. Save it anew with numpy.save.")
    return read(file)


def _checked(path: Path, head: bytes) -> tuple[int, ...]:
    """The shape of an array that can be loaded."""
    shape, _, dtype = _header(io.BytesIO(head))
    if dtype.hasobject:
        raise Unreadable("it holds Python objects. Save an array of numbers.")
    check_size(path, math.prod(shape) * dtype.itemsize)
    return shape


def _axes(shape: tuple[int, ...]) -> str:
    """What the axes are, where the file does not say: a short last one behind two long ones is that of colours."""
    if len(shape) == 3 and shape[-1] <= MAX_COLOURS < min(shape[:2]):
        return "YXS"
    return "ZYX"[-len(shape) :] if len(shape) <= 3 else UNKNOWN * len(shape)


def _guessed(axes: str) -> str:
    """What was assumed about the axes, in words."""
    return f"{GUESSED} {axes}; give --axes if they are others" if len(axes) == 3 else ""


def _native(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False))


def _read_npy(path: Path) -> tuple[np.ndarray, Extras]:
    with path.open("rb") as file:
        if not _checked(path, file.read(2**16)):
            raise Unreadable("it holds a single number.")
    array = _native(np.load(path, allow_pickle=False))
    axes = _axes(array.shape)
    return array, Extras(axes=axes, about=_guessed(axes))


def _write_npy(path: Path, image: np.ndarray, extras: Extras) -> None:
    with path.open("w+b") as file:  # to a file for writing alone NumPy writes itself, and does not say why it fails
        np.save(file, image, allow_pickle=False)


def _read_npz(path: Path) -> tuple[np.ndarray, Extras]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if not all(name.endswith(".npy") for name in names):
            raise Unreadable("it is an archive, and not of arrays that NumPy saved.")
        for name in names:
            with archive.open(name) as file:
                _checked(path, file.read(2**16))
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    images = [name for name, array in arrays.items() if name not in MASK_NAMES and array.ndim]
    masks = [name for name in arrays if name in MASK_NAMES]
    if len(images) != 1 or len(masks) > 1:
        raise Unreadable(
            f"it holds the arrays {', '.join(arrays)}, where it must hold one image, and beside it single numbers and "
            "an array named mask."
        )
    image = _native(arrays[images[0]])
    missing = np.asarray(arrays[masks[0]] != 0) if masks else None
    if missing is not None and missing.shape not in (image.shape, image.shape[:2]):
        raise Unreadable(f"its mask has shape {missing.shape}, and its image {image.shape}.")
    axes = _axes(image.shape)
    carried = Carried("NPZ", "other arrays" if len(arrays) > 1 else "", (images[0], arrays), image.shape)
    return image, Extras(axes=axes, about=_guessed(axes), missing=missing, carried=carried)


def _write_npz(path: Path, image: np.ndarray, extras: Extras) -> None:
    name, arrays = extras.carried.data if extras.carried is not None else ("image", {})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, array in {**arrays, name: image}.items():
            with archive.open(f"{each}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


NPY = Codec(
    name="NPY",
    suffixes=(".npy",),
    recognises=lambda head: head.startswith(b"\x93NUMPY"),
    holds=lambda dtype: dtype.kind in "iuf",
    read=_read_npy,
    write=_write_npy,
    stacks=True,
    least_axes=1,
)
NPZ = Codec(
    name="NPZ",
    suffixes=(".npz",),
    recognises=lambda head: head.startswith(b"PK\x03\x04"),
    holds=lambda dtype: dtype.kind in "iuf",
    read=_read_npz,
    write=_write_npz,
    keeps=("missing",),
    stacks=True,
    least_axes=1,
)
