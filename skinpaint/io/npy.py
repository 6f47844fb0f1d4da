"""Arrays in NumPy's own files. What is missing is NaN in them, or in an array named mask."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from skinpaint.io.codec import Codec
from skinpaint.io.extras import Carried, Extras
from skinpaint.io.files import check_size

__all__ = ["NPY", "NPZ"]

MAX_COLOURS = 4  # a last axis that is longer is one in space
MASK_NAMES = ("mask", "missing")


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and dtype, before anything is allocated."""
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"it is of version {version} of NumPy's format. Save it anew with numpy.save.")
    return read(file)


def _checked(path: Path, head: bytes) -> None:
    shape, _, dtype = _header(io.BytesIO(head))
    if dtype.hasobject:
        raise ValueError("it holds Python objects. Save an array of numbers.")
    check_size(path, math.prod(shape) * dtype.itemsize)


def _axes(shape: tuple[int, ...]) -> str:
    """What the axes are, where the file does not say: a short last one behind two long ones is that of colours."""
    if len(shape) == 3 and shape[-1] <= MAX_COLOURS < min(shape[:2]):
        return "YXS"
    if not 1 <= len(shape) <= 3:
        raise ValueError(f"its shape is {shape}, and it does not say what its axes are. Restore it from Python.")
    return "ZYX"[-len(shape) :]


def _native(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False))


def _read_npy(path: Path) -> tuple[np.ndarray, Extras]:
    with path.open("rb") as file:
        _checked(path, file.read(2**16))
    array = _native(np.load(path, allow_pickle=False))
    return array, Extras(axes=_axes(array.shape))


def _write_npy(path: Path, image: np.ndarray, extras: Extras) -> None:
    with path.open("wb") as file:
        np.save(file, image, allow_pickle=False)


def _read_npz(path: Path) -> tuple[np.ndarray, Extras]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                _checked(path, file.read(2**16))
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    images = [name for name in arrays if name not in MASK_NAMES]
    if len(images) != 1:
        raise ValueError(
            f"it holds the arrays {', '.join(arrays)}, where it must hold one image, and no other array but its mask."
        )
    image = _native(arrays[images[0]])
    marked = [np.asarray(array != 0) for name, array in arrays.items() if name in MASK_NAMES]
    extras = Extras(axes=_axes(image.shape), missing=marked[0] if marked else None)
    if extras.missing is not None and extras.missing.shape not in (image.shape, image.shape[:2]):
        raise ValueError(f"its mask has shape {extras.missing.shape}, and its image {image.shape}.")
    return image, Extras(
        axes=extras.axes,
        missing=extras.missing,
        carried=Carried("NPZ", "other arrays", (images[0], arrays), image.shape),
    )


def _write_npz(path: Path, image: np.ndarray, extras: Extras) -> None:
    name, arrays = extras.carried.data if extras.carried is not None else ("image", {})
    with path.open("wb") as file:
        np.savez_compressed(file, **{**arrays, name: image})


NPY = Codec(
    name="NPY",
    suffixes=(".npy",),
    recognises=lambda head: head.startswith(b"\x93NUMPY"),
    holds=lambda dtype: dtype.kind in "iuf",
    read=_read_npy,
    write=_write_npy,
    alpha=False,
    stacks=True,
)
NPZ = Codec(
    name="NPZ",
    suffixes=(".npz",),
    recognises=lambda head: head.startswith(b"PK\x03\x04"),
    holds=lambda dtype: dtype.kind in "iuf",
    read=_read_npz,
    write=_write_npz,
    alpha=False,
    stacks=True,
)
