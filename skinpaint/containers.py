"""What images come in besides plain arrays: unpacked with what they say about themselves, or refused with a way out.

No library is imported for this: an object of a library that is not loaded cannot come in.
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from numbers import Number
from typing import Any

import numpy as np

from skinpaint.lengths import in_one_unit

__all__ = [
    "MAX_UNEVEN",
    "NODATA_NAMES",
    "Contents",
    "aligned",
    "check_measured",
    "even_step",
    "has_another_sign",
    "holds_classes",
    "in_chunks",
    "is_scaled",
    "mask_in",
    "nodata_in",
    "plain",
    "unpack",
]

CHANNEL_NAMES = ("band", "bands", "channel", "channels", "c", "rgb")  # of axes along which values do not continue
TIME_NAMES = ("time", "t", "date")
NODATA_NAMES = ("_FillValue", "missing_value", "nodata")  # of attributes
CLASS_NAMES = ("flag_values", "flag_masks")  # of attributes, by the CF conventions
RAW = {"true": "i", "false": "u"}  # kinds of integers that are read with the wrong sign, by the attribute _Unsigned
MAX_UNEVEN = 1e-3  # of the distance between neighbours: coordinates that differ by less are the same

Wrap = Callable[[np.ndarray, np.ndarray], Any]


def plain(restored: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """Leave a restored array as it is."""
    return restored


@dataclass(frozen=True)
class Contents:
    """An image as its container describes it.

    Attributes
    ----------
    array : ndarray
        The values.
    hidden : ndarray of bool or None
        A mask that came with them, of the same shape.
    nodata : tuple of numbers
        Values that mean missing.
    channel_axis : int or None
        The axis of the channels, where the container names it.
    named : bool
        Whether the container names its axes, so that there is nothing to guess about them.
    doubt : str
        What the user should be asked, or nothing.
    unheard : str
        What the container says of distances between neighbours where they differ, and the image alone does not.
    wrap : callable
        ``wrap(restored, filled)`` puts a restored array, of which `filled` says what was filled, in such a container.
    """

    array: np.ndarray
    hidden: np.ndarray | None = None
    nodata: tuple[Any, ...] = ()
    channel_axis: int | None = None
    named: bool = False
    doubt: str = ""
    unheard: str = ""
    wrap: Wrap = plain


def unpack(image: Any) -> Contents:
    """Unpack an image.

    Parameters
    ----------
    image : array_like, or a container
        Arrays, masked arrays and nested lists; astropy NDData, CCDData and Quantity; xarray DataArray; PIL Image in
        grey or RGB; pandas DataFrame and Series of one dtype; Contents. Everything else is refused.

    Returns
    -------
    contents : Contents

    Raises
    ------
    TypeError
        If the object is nothing of that; the message gives the line to type.

    Examples
    --------
    >>> from PIL import Image
    >>> contents = unpack(Image.new("RGB", (4, 3)))
    >>> contents.array.shape, contents.channel_axis
    ((3, 4, 3), -1)
    >>> unpack(Image.new("P", (4, 3)))
    Traceback (most recent call last):
        ...
    TypeError: The 'image' parameter must not be a PIL image of mode P, ... Pass image.convert("RGB") instead.
    """
    if isinstance(image, Contents):
        return image
    for (module, name), unpacked in UNDERSTOOD.items():
        if _is_a(image, module, name):
            return unpacked(image)
    for (module, name), way_out in REFUSED.items():
        if _is_a(image, module, name):
            raise _refused(f"a {module.partition('.')[0]} {name}", way_out)
    if image is None:
        raise _not_an_array("None", "Reading the file has probably failed: OpenCV's imread returns None then.")
    if isinstance(image, str | os.PathLike):
        raise _not_an_array(f"the path {str(image)!r}", "Read it first: image, extras = skinpaint.io.read(path).")
    if isinstance(image, np.ndarray):
        return _array(image)
    if isinstance(image, np.generic | list | tuple | Number):
        return Contents(np.asarray(image))
    what = f"a {type(image).__module__}.{type(image).__name__}".replace("builtins.", "")
    if hasattr(image, "__array__") or hasattr(image, "__array_interface__") or isinstance(image, range | memoryview):
        raise _refused(what, "Pass numpy.asarray(image)")
    raise _not_an_array(what)


def in_chunks(image: Any) -> bool:
    """Whether an image is a dask array: it has a door of its own, which computes no more than it must.

    Examples
    --------
    >>> import dask.array as da
    >>> in_chunks(da.zeros((4, 4))), in_chunks(np.zeros((4, 4)))
    (True, False)
    """
    return _is_a(image, "dask.array", "Array")


def mask_in(mask: Any, image: Any, *, chunked: bool = False) -> Any:
    """What a mask holds, its axes in the order of the image's where both have names; in chunks for an image in chunks.

    Examples
    --------
    >>> mask_in("mask.png", None)
    Traceback (most recent call last):
        ...
    TypeError: The 'mask' parameter must be an array. Got the path 'mask.png' instead. Read it first: ...
    """
    if isinstance(mask, str | os.PathLike):
        raise TypeError(
            f"The 'mask' parameter must be an array. Got the path {str(mask)!r} instead. "
            "Read it first: mask = skinpaint.io.read_mask(path)."
        )
    if mask is None or (chunked and in_chunks(mask)):
        return mask
    if isinstance(mask, np.ma.MaskedArray) and np.ma.is_masked(mask):
        raise ValueError(
            "The 'mask' parameter must not be masked itself: masked entries are neither missing nor known. "
            "Pass mask.filled(True) to call them missing, or mask.filled(False)."
        )
    for (module, name), way_out in REFUSED.items():
        if _is_a(mask, module, name):
            raise TypeError(
                f"The 'mask' parameter must not be a {module.partition('.')[0]} {name}. "
                f"{way_out.replace('image', 'mask').partition(',')[0]} instead."
            )
    if _is_a(mask, "astropy.nddata", "NDData"):
        raise TypeError("The 'mask' parameter must not be an astropy NDData. Pass mask.mask, or mask.data, instead.")
    if _is_a(mask, "PIL.Image", "Image") and mask.mode not in ("1", "L"):
        raise TypeError(
            f"The 'mask' parameter must not be a PIL image of mode {mask.mode}. "
            'Pass mask.convert("L") instead, or numpy.asarray(mask) > 127 of one of its channels.'
        )
    for name in ("DataFrame", "Series"):
        if _is_a(mask, "pandas", name) and _is_a(image, "pandas", name):
            return _by_labels(mask, image)
    if _is_a(mask, "xarray", "DataArray") and _is_a(image, "xarray", "DataArray"):
        if not set(mask.dims) <= set(image.dims):
            raise ValueError(
                f"The 'mask' parameter must have axes of the image, {tuple(image.dims)}. "
                f"Got {tuple(mask.dims)} instead."
            )
        return aligned(mask.transpose(*(name for name in image.dims if name in mask.dims)), image).to_numpy()
    return mask


def aligned(mask: Any, image: Any) -> Any:
    """A labelled mask with its rows, columns and so on in the order of the image's, by their coordinates.

    Raises
    ------
    ValueError
        If the image has coordinates that the mask has not, or either has one twice.

    Examples
    --------
    >>> import xarray as xr
    >>> mask, image = xr.DataArray([True, False], {"y": [0, 1]}), xr.DataArray([5, 6], {"y": [1, 0]})
    >>> aligned(mask, image).values
    array([False,  True])
    """
    for name in set(mask.indexes) & set(image.indexes) & set(mask.dims):
        wanted, given = image.indexes[name], mask.indexes[name]
        if given.equals(wanted):
            continue
        at = _places(wanted, given)
        if (at < 0).any():
            single = len(given) == 1 < len(wanted)
            way_out = f"Pass mask.squeeze({name!r}) if it is for all." if single else "Pass mask.values to ignore them."
            raise ValueError(
                f"The 'mask' parameter must have the coordinates of the image along {name!r}, each once, from "
                f"{wanted[0]} to {wanted[-1]}. Got {given[0]} to {given[-1]} instead. {way_out}"
            )
        mask = mask.isel({name: at})
    return mask


def _by_labels(mask: Any, image: Any) -> Any:
    """The values of a mask in a table, in the order of the labels of the image, which is such a table as well."""
    for name in ("index", "columns")[: image.ndim]:
        wanted, given = getattr(image, name), getattr(mask, name)
        if given.equals(wanted):
            continue
        at = _places(wanted, given)
        if not np.array_equal(np.sort(at), np.arange(len(given))):
            raise ValueError(
                f"The 'mask' parameter must have the labels of the image along its {name}, in any order if none is "
                f"repeated. Got {len(given)} for {len(wanted)}, of which some are others or repeated, instead. "
                "Pass mask.to_numpy() to ignore them."
            )
        mask = mask.take(at, axis=name if image.ndim > 1 else 0)
    return mask.to_numpy()


def even_step(coordinate: np.ndarray, name: str, ignore: str) -> float:
    """The distance between neighbours along an axis; `ignore` says how to do without its coordinate.

    Examples
    --------
    >>> even_step(np.array([30, 20, 10]), "y", "pass spacing=1")
    10.0
    """
    steps = np.diff(coordinate.astype(float))
    step, steps = float(abs(steps.mean())), np.abs(steps)
    allowed = MAX_UNEVEN * step
    if coordinate.dtype.kind == "f":  # both ends of a step are rounded; the mean must hardly be
        allowed += min(float(np.spacing(np.abs(coordinate).max())), MAX_UNEVEN * step * steps.size)
    if not 0 < step < np.inf or np.abs(steps - step).max() > allowed:
        raise ValueError(
            f"The coordinate {name!r} must be even. Got steps from {steps.min():g} to {steps.max():g} instead. "
            f"Interpolate to an even grid first, or {ignore} to ignore the coordinates."
        )
    return step


def _places(wanted: Any, given: Any) -> np.ndarray:
    """Where each label of one index is in another, -1 where it is not or one is repeated; numbers may be rounded."""
    if not (wanted.is_unique and given.is_unique):
        return np.full(len(wanted), -1)
    exact = given.get_indexer(wanted)
    monotonic = given.is_monotonic_increasing or given.is_monotonic_decreasing
    numbers = wanted.dtype.kind in "uif" and given.dtype.kind in "uif"
    if (exact >= 0).all() or len(given) < 2 or not numbers or not monotonic:
        return exact
    step = abs(given[-1] - given[0]) / (len(given) - 1)
    return given.get_indexer(wanted, method="nearest", tolerance=MAX_UNEVEN * step)


def _is_a(thing: Any, module: str, name: str) -> bool:
    """Whether `thing` is of a class of a module that is loaded; never loads it."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(thing, kind)


def _refused(what: str, way_out: str) -> TypeError:
    return TypeError(
        f"The 'image' parameter must not be {what}, which would lose what it says about its values. {way_out} instead."
    )


def _not_an_array(what: str, way_out: str = "") -> TypeError:
    return TypeError(f"The 'image' parameter must be an array. Got {what} instead. {way_out}".strip())


def _masked(image: np.ndarray) -> TypeError:
    """The refusal of an array of astropy's that has a mask of its own."""
    return _refused(f"a {type(image).__name__}", "Pass image.unmasked, and image.mask as the mask")


def _array(image: np.ndarray) -> Contents:
    """Unpack an array; one of a class that is made from ndarray comes back as such."""
    if hasattr(image, "unmasked"):
        raise _masked(image)
    if hasattr(image, "units"):
        raise _refused(f"a {type(image).__name__}", "Pass image.value")
    if isinstance(image, np.ma.MaskedArray):
        if type(image) is not np.ma.MaskedArray:
            raise _refused(f"a {type(image).__name__}", "Pass numpy.ma.asarray(image)")
        hidden = np.ma.getmaskarray(image)
        return Contents(np.ma.getdata(image), hidden, wrap=partial(_masked_where_left, hidden))
    if type(image) in (np.ndarray, np.memmap):
        return Contents(np.asarray(image))

    def wrap(restored: np.ndarray, filled: np.ndarray) -> Any:
        made = image.copy()  # with its attributes, by the protocol of NumPy
        made[...] = restored
        return made

    return Contents(np.asarray(image), wrap=wrap)


def _masked_where_left(hidden: np.ndarray, restored: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """The array; a masked one if masked entries were left as they came."""
    left = hidden & ~filled
    return np.ma.array(restored, mask=left) if left.any() else restored


def _nd_data(image: Any) -> Contents:
    """Unpack NDData and CCDData: mask, unit, coordinates and header are kept."""
    if not type(image).__module__.startswith("astropy.nddata."):  # it may be made in another way
        raise _refused(f"a {type(image).__name__}", "Pass image.data, and image.mask as the mask")
    given = image.mask
    hidden = None if given is None else _spread(np.asarray(given, bool), np.shape(image.data))

    def wrap(restored: np.ndarray, filled: np.ndarray) -> Any:
        left = None if hidden is None or not (hidden & ~filled).any() else hidden & ~filled
        kept = {name: getattr(image, name, None) for name in ("unit", "wcs", "psf", "flags")}
        kept = {name: value for name, value in kept.items() if value is not None}
        uncertainty = copy.deepcopy(image.uncertainty)
        if uncertainty is not None:
            uncertainty.array = _unknown_where(filled, uncertainty.array)
        return type(image)(restored, mask=left, meta=copy.deepcopy(image.meta), uncertainty=uncertainty, **kept)

    return Contents(np.asarray(image.data), hidden, wrap=wrap)


def _unknown_where(filled: np.ndarray, given: Any) -> Any:
    """Uncertainties, or one for all: what was measured says nothing about the fill."""
    array = np.asarray(given)
    if array.dtype.kind not in "fiu" or not filled.any():
        return given
    try:
        spread = np.broadcast_to(array, filled.shape)
    except ValueError:  # they are of something else than pixels
        return given
    return np.where(filled, np.nan, spread).astype(array.dtype if array.dtype.kind == "f" else float)


def _spread(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The mask of an NDData in the shape of its data, by the rules of NumPy."""
    try:
        return np.broadcast_to(mask, shape)
    except ValueError:
        raise ValueError(
            f"The 'image' parameter must have a mask of its own shape {shape}, or one that NumPy broadcasts to it. "
            f"Got a mask of shape {mask.shape} instead. Pass image.data, and the mask by mask=."
        ) from None


def _quantity(image: Any) -> Contents:
    """Unpack an array with a unit."""
    if hasattr(image, "unmasked"):
        raise _masked(image)

    def wrap(restored: np.ndarray, filled: np.ndarray) -> Any:
        made = image.copy()  # with what its class holds beside the unit, such as where longitudes begin anew
        made.view(np.ndarray)[...] = restored
        return made

    return Contents(np.asarray(image.value), wrap=wrap)


def is_scaled(image: Any) -> bool:
    """Whether a labelled array was computed from stored numbers, so that stored nodata values are none of its own."""
    return any(name in image.encoding for name in ("scale_factor", "add_offset"))


def nodata_in(image: Any) -> tuple[Any, ...]:
    """Every value that a labelled array says is missing: rioxarray's nodata, and those in attributes and encoding."""
    found = [_nodata_of_raster(image)]
    for said in (image.attrs, {} if is_scaled(image) else image.encoding):
        found += [value for name in NODATA_NAMES if name in said for value in np.ravel(said[name]).tolist()]
    return tuple(dict.fromkeys(value for value in found if isinstance(value, int | float | np.number)))


def _nodata_of_raster(image: Any) -> Any:
    """What rioxarray says is missing in a labelled array, or None."""
    if "rioxarray" not in sys.modules:
        return None
    if any(np.ndim(said.get(name)) for said in (image.attrs, image.encoding) for name in NODATA_NAMES):
        image = image.copy(deep=False)  # rioxarray takes a number alone
        for said in (image.attrs, image.encoding):
            said.update({name: np.ravel(said[name])[0] for name in NODATA_NAMES if name in said})
    try:
        encoded = image.rio.encoded_nodata
        return image.rio.nodata if encoded is None or is_scaled(image) else encoded
    except (OverflowError, ValueError):  # a number that the dtype cannot hold, and so no pixel
        return None


def holds_classes(image: Any) -> bool:
    """Whether the numbers of an array with attributes stand for classes, by the CF conventions."""
    return any(name in image.attrs for name in CLASS_NAMES)


def has_another_sign(image: Any) -> bool:
    """Whether the numbers of an array with attributes stand for others, of another sign."""
    return RAW.get(str(image.attrs.get("_Unsigned")).lower()) == image.dtype.kind


def check_measured(image: Any, name: str) -> None:
    """Refuse a labelled array, the parameter of this name, whose numbers must not be interpolated as they are."""
    if holds_classes(image):
        raise ValueError(
            f"The {name!r} parameter must hold measured values. Got classes instead, as its attribute flag_values or "
            "flag_masks says. Delete the attribute if there are values between them. Otherwise take the nearest class: "
            "scipy.ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True) says where."
        )
    if has_another_sign(image):
        raise ValueError(
            f"The {name!r} parameter must be decoded. Got stored numbers of dtype {image.dtype} with the attribute "
            f"_Unsigned={image.attrs['_Unsigned']!r} instead. Open the file with mask_and_scale=True, or pass "
            f'xarray.decode_cf({name}.to_dataset(name="v")).v.'
        )


def _data_array(image: Any) -> Contents:
    """Unpack a labelled array: nodata values, the axis of the bands, coordinates and attributes."""
    if _is_a(image.data, "dask.array", "Array"):
        raise _refused("an xarray DataArray in chunks", "Use skinpaint.xarray.inpaint(image), or pass image.compute()")
    for name, values in (("unit", "value"), ("units", "magnitude")):  # of astropy and of pint
        if hasattr(image.data, name):
            kind = f"{type(image.data).__module__.partition('.')[0]} {type(image.data).__name__}"
            raise _refused(f"an xarray DataArray of {kind}", f"Pass image.copy(data=image.data.{values})")
    check_measured(image, "image")
    named = [axis for axis, name in enumerate(image.dims) if str(name).lower() in CHANNEL_NAMES]
    times = [axis for axis, name in enumerate(image.dims) if str(name).lower() in TIME_NAMES]
    doubt = ""
    if times and image.shape[times[0]] > 1:
        each = f"image.isel({image.dims[times[0]]}=k)" if named else f"channel_axis={times[0]}"
        doubt = (
            f"Axis {times[0]} is {str(image.dims[times[0]])!r}, and its entries are restored as one volume. "
            f"Pass {each} to restore each on its own."
        )
    return Contents(
        image.to_numpy(),
        nodata=nodata_in(image),
        channel_axis=named[0] if len(named) == 1 and image.ndim > 1 else None,
        named=not all(str(name).startswith("dim_") for name in image.dims),  # xarray's own names say nothing
        doubt=doubt,
        unheard=_uneven_steps(image, [name for k, name in enumerate(image.dims) if k not in named]),
        wrap=lambda restored, filled: image.copy(data=restored),
    )


def _uneven_steps(image: Any, dims: list[Any]) -> str:
    """A sentence on the coordinates along these axes, if their steps differ."""
    long = [name for name in dims if image.sizes[name] > 1]
    found = [image.coords[name] for name in long if name in image.coords]
    if len(found) < len(long) or any(each.dtype.kind not in "uif" for each in found):
        return ""
    factors = in_one_unit([each.attrs.get("units") for each in found])
    try:
        steps = [even_step(each.values, str(each.name), "") for each in found]
    except ValueError:
        return ""
    if factors is None:
        return ""
    steps = [float(f"{step * (factor / factors[-1]):.6g}") for step, factor in zip(steps, factors, strict=True)]
    if len(long) < 2 or max(steps) <= (1 + MAX_UNEVEN) * min(steps):
        return ""
    along = dict(zip(long, steps, strict=True))
    return (
        f"The steps of its coordinates differ, {', '.join(f'{step:g}' for step in steps)}, and were taken for equal. "
        f"Pass spacing={tuple(along.get(name, 1.0) for name in dims)}, or use skinpaint.xarray.inpaint."
    )


def _pil_image(image: Any) -> Contents:
    """Unpack a picture of Pillow's in grey or RGB."""
    way_out = {
        "1": 'Pass image.convert("L")',
        "LA": 'Pass image.convert("L"), and a mask such as numpy.asarray(image)[..., 1] == 0',
        "RGBA": 'Pass image.convert("RGB"), and a mask such as numpy.asarray(image)[..., 3] == 0',
    }
    if image.mode not in ("L", "RGB", "I", "F", "I;16"):
        plain_mode = "I" if image.mode.startswith("I;16") else "RGB"
        line = way_out.get(image.mode, f'Pass image.convert("{plain_mode}")')
        raise _refused(f"a PIL image of mode {image.mode}", line)

    def wrap(restored: np.ndarray, filled: np.ndarray) -> Any:
        made = sys.modules["PIL.Image"].fromarray(restored)
        made.info = dict(image.info)
        return made

    return Contents(np.asarray(image), channel_axis=-1 if image.mode == "RGB" else None, wrap=wrap)


def _table(image: Any) -> Contents:
    """Unpack a DataFrame or Series; their labels are kept."""
    dtypes = {image.dtype} if image.ndim == 1 else set(image.dtypes)
    if len(dtypes) != 1 or not isinstance(next(iter(dtypes)), np.dtype):
        raise _refused(
            f"a pandas {type(image).__name__} of the dtypes {', '.join(sorted(map(str, dtypes)))}",
            "Pass image.astype(float)",
        )
    labels = {"index": image.index} | ({"name": image.name} if image.ndim == 1 else {"columns": image.columns})

    def wrap(restored: np.ndarray, filled: np.ndarray) -> Any:
        made = type(image)(restored, **labels)
        made.attrs = copy.deepcopy(image.attrs)
        return made

    return Contents(image.to_numpy(), wrap=wrap)


UNDERSTOOD: dict[tuple[str, str], Callable[[Any], Contents]] = {
    ("astropy.nddata", "NDData"): _nd_data,
    ("astropy.units", "Quantity"): _quantity,
    ("xarray", "DataArray"): _data_array,
    ("PIL.Image", "Image"): _pil_image,
    ("pandas", "DataFrame"): _table,
    ("pandas", "Series"): _table,
}
"""How containers are unpacked, by module and class. To add one: a function and a line."""

REFUSED = {
    ("dask.array", "Array"): "Pass image.compute()",
    ("xarray", "Dataset"): "Pass one of its variables, image[name],",
    (
        "torch",
        "Tensor",
    ): "Pass image.numpy(force=True), with channel_axis=0 for (C, H, W), and torch.from_numpy the answer",
    ("tensorflow", "Tensor"): "Pass image.numpy()",
    ("jax", "Array"): "Pass numpy.asarray(image)",
    ("cupy", "ndarray"): "Pass image.get()",
    ("h5py", "Dataset"): "Pass image[...]",
    ("zarr", "Array"): "Pass image[...]",
    ("netCDF4", "Variable"): "Pass image[...]",
    ("scipy.sparse", "sparray"): "Pass image.toarray()",
    ("scipy.sparse", "spmatrix"): "Pass image.toarray()",
    ("polars", "DataFrame"): "Pass image.to_numpy()",
    ("polars", "Series"): "Pass image.to_numpy()",
    ("pint", "Quantity"): "Pass image.magnitude",
}
"""Containers that are refused, and what to pass instead."""
