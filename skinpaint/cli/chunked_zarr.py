"""A zarr array in chunks: what its axes and its nodata value are, and a store like it for what was restored."""

from __future__ import annotations

import base64
import math
import os
import shutil
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from skinpaint.cli.common import read_chunk
from skinpaint.containers import NODATA_NAMES, even_step, has_another_sign, holds_classes
from skinpaint.io import Extras
from skinpaint.io.codec import listed
from skinpaint.io.decoders import one_line
from skinpaint.io.npy import UNKNOWN
from skinpaint.io.place import Place
from skinpaint.lengths import in_one_unit

__all__ = ["is_zarr", "open_zarr", "store_of", "written_zarr"]

SUFFIX = ".zarr"
DESCRIPTIONS = (".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json")  # files of a store that hold no values
DIMENSIONS = "_ARRAY_DIMENSIONS"  # the attribute with the names of the axes, before zarr 3 had them
LETTERS = {
    "T": ("t", "time"),
    "C": ("c", "channel", "channels", "band", "bands", "wavelength"),
    "S": ("s", "sample", "samples"),
    "Z": ("z",),
    "Y": ("y", "lat", "latitude", "northing", "row", "rows"),
    "X": ("x", "lon", "longitude", "easting", "column", "columns"),
}
NAMES = {name: letter for letter, names in LETTERS.items() for name in names}


def is_zarr(path: Path) -> bool:
    """Whether a path names a zarr store, or an array in one.

    Examples
    --------
    >>> is_zarr(Path("scene.zarr")), is_zarr(Path("scene.zarr/red")), is_zarr(Path("scene.zarr/quicklook.png"))
    (True, True, False)
    """
    return path.suffix.lower() == SUFFIX or (not path.suffix and store_of(path) != path)


def store_of(path: Path) -> Path:
    """The store that an array is in."""
    return next((each for each in (path, *path.parents) if each.suffix.lower() == SUFFIX), path)


def open_zarr(source: Path, *, measured: bool = True, spaced: bool = True, stated: bool = True) -> tuple[Any, Extras]:
    """The array in chunks, and what is known of it.

    `measured` refuses numbers that must not be interpolated, `spaced` steps that are not even or in no common unit, and
    `stated` a nodata value that is no number.
    """
    import dask.array as da

    array, group = _found(source)
    if measured:
        _check_measured(source, array)
    name = array.path or source.name
    multiscale = _multiscale(group, name)
    names = _names(array, multiscale)
    values, hint = _nodata(array, stated)
    folder = source if array.path else source.parent  # of the group
    arrays = {} if group is None else dict(group.arrays())  # coordinates among them
    axes, spacing = _letters(names, array.ndim), None
    if spaced:
        spacing = _spacing(multiscale, name, axes) or _steps(folder, arrays, names, axes, array.shape)
    extras = Extras(
        axes=axes,
        stated=axes if _are_named(names, axes) else "",
        spacing=spacing,
        place=_place(folder, arrays, names, axes),
        nodata=values,
        hint=hint,
        lost=_left_behind(source, array),
    )
    chunks = da.core.normalize_chunks(array.chunks, array.shape)
    meta = np.empty((0,) * array.ndim, array.dtype)
    return da.map_blocks(_part, source=source, array=array, chunks=chunks, dtype=array.dtype, meta=meta), extras


def _part(source: Path, array: Any, block_info: Any) -> np.ndarray:
    place = tuple(slice(*edges) for edges in block_info[None]["array-location"])
    return read_chunk(source, lambda: array[place])


def _check_measured(source: Path, array: Any) -> None:
    if holds_classes(array):
        raise ValueError(
            f"{source} holds classes, as its attribute flag_values or flag_masks says, and there is nothing between "
            "two classes to fill in. Delete the attribute if there are values between them."
        )
    if has_another_sign(array):
        raise ValueError(
            f"{source} holds {array.dtype} that stand for numbers of another sign, as its attribute _Unsigned says. "
            "Open it with xarray and mask_and_scale=True, and pass the array to skinpaint.xarray.inpaint."
        )


def _found(source: Path) -> tuple[Any, Any]:
    """The only image of a store, or the array that was named; and the group that it is in, or None."""
    import zarr

    try:
        found: Any = zarr.open(str(source), mode="r")
        arrays = {} if isinstance(found, zarr.Array) else dict(sorted(found.arrays()))
    except Exception as error:  # zarr raises anything where metadata are damaged
        if any((source / name).exists() for name in DESCRIPTIONS):
            why = f"its metadata are damaged, or ask for what this zarr lacks ({one_line(error)})"
            raise ValueError(f"{source} cannot be read: {why}.") from error
        raise ValueError(f"{source} is no zarr store: it has neither a zarr.json nor a .zarray or .zgroup.") from error
    if isinstance(found, zarr.Array):
        return found, _group(source.parent)
    images = {name: array for name, array in arrays.items() if array.ndim > 1}
    if not images:
        raise ValueError(f"{source} holds no array of two or more axes. Name one of its groups: {source}/NAME.")
    if len(images) > 1:
        raise ValueError(
            f"{source} holds {len(images)} images, {listed(images, 'and')}. Name one of them, as in "
            f"{source / next(iter(images))}."
        )
    return next(iter(images.values())), found


def _group(folder: Path) -> Any:
    """The group in a folder, if there is one."""
    import zarr

    marked = any((folder / name).exists() for name in (".zgroup", "zarr.json"))
    return zarr.open_group(str(folder), mode="r") if marked else None


def _multiscale(group: Any, name: str) -> dict[str, Any]:
    """What OME says of an array and of those in other sizes, by old and new versions; nothing if it does not."""
    stated = () if group is None else group.attrs.get("ome", group.attrs.asdict()).get("multiscales", ())
    return next((each for each in stated if any(level.get("path") == name for level in each.get("datasets", ()))), {})


def _names(array: Any, multiscale: dict[str, Any]) -> Sequence[str | None]:
    """The names of the axes, where the array or its group states them; nothing otherwise."""
    named = getattr(array.metadata, "dimension_names", None) or array.attrs.get(DIMENSIONS)
    if named is None:
        named = [axis["name"] if isinstance(axis, dict) else axis for axis in multiscale.get("axes", ())]
    return named if len(named) == array.ndim else ()


def _spacing(multiscale: dict[str, Any], name: str, letters: str) -> tuple[float, ...] | None:
    """Distance between neighbours along the axes in space, if OME states it.

    Examples
    --------
    >>> level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 5, 0.5, 0.5]}]}
    >>> _spacing({"datasets": [level]}, "0", "CZYX")
    (5.0, 0.5, 0.5)
    """
    levels = [level for level in multiscale.get("datasets", ()) if level.get("path") == name]
    stated = [each for part in (*levels[:1], multiscale) for each in part.get("coordinateTransformations", ())]
    scales = [each["scale"] for each in stated if each.get("type") == "scale" and "scale" in each]
    if not scales or any(len(scale) != len(letters) for scale in scales):
        return None
    axes = [axis if isinstance(axis, dict) else {} for axis in multiscale.get("axes", ())]
    units = [axis.get("unit") for axis in axes] if len(axes) == len(letters) else [None] * len(letters)
    steps = [math.prod(map(float, along)) for along in zip(*scales, strict=True)]
    spatial = [k for k, letter in enumerate(letters) if letter in "ZYX"]
    if not all(0 < steps[k] < math.inf for k in spatial):
        return None
    return _compared([steps[k] for k in spatial], [units[k] for k in spatial])


def _compared(steps: list[float], units: list[Any]) -> tuple[float, ...]:
    """The steps in one unit."""
    factors = in_one_unit(units)
    if factors is None:
        raise ValueError(
            f"The sizes of pixels must be in units that can be compared. Got {' and '.join(map(str, units))} instead. "
            "Give --spacing, one number for each axis in space in one unit, or --spacing 1 to ignore them."
        )
    return tuple(step * factor for step, factor in zip(steps, factors, strict=True))


def _steps(
    folder: Path, arrays: dict[str, Any], names: Sequence[str | None], letters: str, shape: tuple[int, ...]
) -> tuple[float, ...] | None:
    """Distance between neighbours along the axes in space, if the longer ones have coordinates, as those of xarray."""
    spatial = [(str(name), n) for name, letter, n in zip(names, letters, shape, strict=False) if letter in "ZYX"]
    long = [name for name, n in spatial if n > 1]
    found = {name: arrays[name] for name in long if name in arrays}
    if not found or any(each.ndim != 1 or each.size < 2 or each.dtype.kind not in "uif" for each in found.values()):
        return None
    steps = {
        name: even_step(read_chunk(folder / name, partial(_unpacked, each)), name, "give --spacing 1")
        for name, each in found.items()
    }
    if len(found) < len(long):
        if set(steps.values()) == {1.0}:
            return None
        one, lacking = next(iter(found)), next(name for name in long if name not in found)
        raise ValueError(
            f"The image must have a coordinate along each of the axes {', '.join(long)}, or along none. Got one along "
            f"{one!r}, of step {steps[one]:g}, and none along {lacking!r} instead. Give --spacing, one number for each "
            "axis in space, or --spacing 1 to ignore them."
        )
    lengths = _compared(list(steps.values()), [each.attrs.get("units") for each in found.values()])
    of = dict(zip(steps, lengths, strict=True))
    return tuple(of.get(name, lengths[-1]) for name, _ in spatial)


def _place(folder: Path, arrays: dict[str, Any], names: Sequence[str | None], letters: str) -> Place | None:
    """Where the array is by the coordinates of its rows and columns, if it has both and they are even."""
    ends = {}
    for name, letter in zip(map(str, names), letters, strict=False):
        each = arrays.get(name)
        if letter in "YX" and each is not None and each.ndim == 1 and each.size > 1 and each.dtype.kind in "uif":
            try:
                values = read_chunk(folder / name, partial(_unpacked, each))
                even_step(values, name, "")
            except ValueError:  # it says nothing then
                continue
            step = float(values[-1] - values[0]) / (values.size - 1)
            ends[letter] = float(values[0]) - step / 2, step
    if len(ends) < 2:
        return None
    (top, down), (left, across) = ends["Y"], ends["X"]
    return Place((across, 0.0), (0.0, down), (left, top), None)


def _unpacked(coordinate: Any) -> np.ndarray:
    """The numbers that a coordinate stands for."""
    said = coordinate.attrs
    values: np.ndarray = coordinate[:] * float(said.get("scale_factor", 1)) + float(said.get("add_offset", 0))
    return values


def _letters(names: Sequence[str | None], ndim: int) -> str:
    """A letter for each axis; a question mark where more than two axes have no names that tell what they are.

    Examples
    --------
    >>> _letters(["time", "lat", "lon"], 3), _letters(["member", "y", "x"], 3), _letters([], 2)
    ('TYX', '?YX', 'YX')
    """
    letters = [NAMES.get(str(name).lower(), UNKNOWN) for name in names]
    known = len(letters) == ndim and UNKNOWN not in letters and len(set(letters)) == ndim
    if ndim <= 2:
        return "".join(letters) if known and set(letters) & set("ZYX") else "YX"[-ndim:]
    repeated = len(set(letters) - {UNKNOWN}) < sum(letter != UNKNOWN for letter in letters)
    return UNKNOWN * ndim if len(letters) != ndim or repeated else "".join(letters)


def _are_named(names: Sequence[str | None], axes: str) -> bool:
    """Whether these letters are those of the names, and not what is usual."""
    return [NAMES.get(str(name).lower()) for name in names] == list(axes)


def _nodata(array: Any, stated: bool) -> tuple[tuple[float, ...], str]:
    """The values that mean missing, as the array states them, and what may mean it besides."""
    said = [value for name in NODATA_NAMES if name in array.attrs for value in _listed(array.attrs[name])]
    fill, kept_there = array.fill_value, array.metadata.zarr_format == 2 and DIMENSIONS in array.attrs
    if fill is not None and kept_there:  # xarray's place for it, in zarr 2
        said.append(fill.item() if hasattr(fill, "item") else fill)
    numbers = [_number(value, array.dtype, stated) for value in said if value is not None]
    values = tuple(dict.fromkeys(number for number in numbers if not math.isnan(number)))
    telling = fill is not None and array.dtype.kind in "iuf" and fill != 0 and not math.isnan(fill)
    other = telling and fill not in values
    return values, f"its fill_value is {fill}; --missing={fill} takes that for missing" if other else ""


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _number(value: Any, dtype: Any, stated: bool = True) -> float:
    """A nodata value as JSON holds it: a number, or for floats a word or, by xarray, the bytes of a double.

    Examples
    --------
    >>> import numpy as np
    >>> _number("AAAAAICHw8A=", np.dtype("float32")), _number(-1, np.dtype("int16")), _number("NaN", np.dtype("f8"))
    (-9999.0, -1, nan)
    """
    if not isinstance(value, str):
        return value
    try:
        return struct.unpack("<d", base64.b64decode(value, validate=True))[0] if value.endswith("=") else float(value)
    except (ValueError, struct.error):
        if not stated:
            return math.nan
        said = f"Its nodata value must be a number of {dtype}. Got {value!r}. Give --missing NUMBER."
        raise ValueError(said) from None


def _left_behind(source: Path, array: Any) -> tuple[str, ...]:
    """What the group of an array that was named holds besides, and a store of that array alone does not."""
    group = None if array.path else _group(source.parent)
    if group is None:
        return ()
    others = [name for name, _ in sorted(group.members()) if name != source.name]
    attributes = ["the attributes of its group"] if dict(group.attrs) else []
    return (*attributes, *([f"what else is in its group ({', '.join(others)})"] if others else []))


@contextmanager
def written_zarr(source: Path, output: Path, restored: Any, work: Path, *, overwrite: bool) -> Iterator[Path]:
    """Write a store like the source: all of it is copied but the values of the image, which are written anew.

    What is yielded is where it lies, in the folder `work`; it takes its place after a last look at it.
    """
    import dask.array as da
    import zarr

    array, _ = _found(source)
    partial = work / "written.zarr"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _copy(source, partial, array.path, output)
        made: Any = zarr.open_array(str(partial / array.path), mode="r+")
        aligned: Any = restored.rechunk(array.shards or array.chunks)  # no two tasks write to one shard
        da.store(aligned, made, lock=False)
        yield partial
        if output.exists():
            if not overwrite:  # it was not there before the work
                raise FileExistsError(f"{output} exists. Choose another name, or give --overwrite to replace it.")
            shutil.rmtree(output)
        os.replace(partial, output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _copy(source: Path, partial: Path, name: str, output: Path) -> None:
    """Copy a store without the values of one of its arrays."""
    try:
        shutil.copytree(source, partial, ignore=_values_in(source / name))
    except shutil.Error as error:  # a list of files
        what = f"what {source} holds beside the values cannot be copied"
        raise OSError(f"{output} cannot be written: {what}. Is the disk full?") from error


def _values_in(folder: Path) -> Callable[[str, list[str]], list[str]]:
    """For :func:`shutil.copytree`: the files with the values of an array."""
    return lambda place, names: [name for name in names if Path(place) == folder and name not in DESCRIPTIONS]
