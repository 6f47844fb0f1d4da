"""Labelled arrays of xarray: axes by name, spacing from the coordinates, nodata from what the array says.

Importing this module gives every DataArray and Dataset the accessor ``skinpaint``.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

try:
    import xarray as xr
except ImportError as error:
    raise ImportError("skinpaint.xarray needs xarray. Install it: pip install 'skinpaint[xarray]'") from error

from skinpaint.containers import (
    NODATA_NAMES,
    aligned,
    check_measured,
    even_step,
    holds_classes,
    in_chunks,
    nodata_in,
)
from skinpaint.inpainter import inpaint as inpaint_array
from skinpaint.lengths import in_one_unit
from skinpaint.methods.base import Method
from skinpaint.solution import GuessedMaskWarning

__all__ = ["Accessor", "inpaint"]


def inpaint(
    array: xr.DataArray | xr.Dataset,
    mask: Any = None,
    *,
    dim: Sequence[str] = ("y", "x"),
    method: str | Method = "laplace",
    spacing: float | Sequence[float] | None = None,
    missing_values: Any = None,
    return_std: bool = False,
    **settings: Any,
) -> Any:
    """Restore a labelled array, backed by NumPy or by dask.

    Parameters
    ----------
    array : xarray.DataArray or xarray.Dataset
        Of a Dataset every variable of numbers that has the axes `dim` is restored, and the others are kept. So are
        classes, which have the attribute ``flag_values`` or ``flag_masks``, and integers of which nothing says what is
        missing.
    mask : xarray.DataArray, xarray.Dataset or array_like, optional
        Where pixels are missing. A Dataset holds a mask for each variable of its name. A DataArray is taken by its
        coordinates, and needs no axes that do not matter: one without ``time`` is for all times. Missing as well is
        what equals ``rio.nodata``, or ``_FillValue``, ``missing_value`` or ``nodata`` in attributes or encoding, and
        NaN. If the encoding has a scale or an offset, values were computed from stored ones, and nodata values in the
        encoding are not theirs.
    dim : sequence of str
        The axes along which values continue. Along all others, such as time or band, each slice is restored on its own.
    method : str or Method
        As for :class:`skinpaint.Inpainter`.
    spacing : float or sequence of float, optional
        Distance between neighbours along the axes `dim`. Without it, it is that of the coordinates, or 1 where there
        are none. Lengths in several units, such as m and km, are brought to that of the last axis. So ``max_distance``
        is in units of the coordinates. It hardly counts for "dct" and "exemplar".
    missing_values : number or tuple of numbers, optional
        Instead of what the array says.
    return_std : bool
        Whether to return the standard deviation of every value as well; for arrays in memory.
    **settings
        ``bounds``, ``grow``, ``max_distance`` and ``progress`` of :class:`skinpaint.Inpainter`.

    Returns
    -------
    restored : xarray.DataArray or xarray.Dataset
        With the coordinates, attributes, encoding, dtype and chunks of `array`. With `return_std`, a Dataset: of a
        DataArray with the variables ``fill`` and ``std``, of a Dataset with a variable ``NAME_std`` beside each `NAME`
        that was restored. Standard deviations are floats in the array's units, 0 where known.

    Raises
    ------
    TypeError, ValueError
        If axes, coordinates, mask or a parameter cannot be used; the message says what is allowed.

    Examples
    --------
    >>> import skinpaint.xarray
    >>> dem = xr.DataArray([[10, 11, 12], [11, -99, 13]], dims=("y", "x"), attrs={"_FillValue": -99, "units": "m"})
    >>> filled = dem.skinpaint.inpaint()
    >>> filled.values.tolist(), filled.attrs["units"]
    ([[10, 11, 12], [11, 12, 13]], 'm')
    >>> both = dem.skinpaint.inpaint(return_std=True)
    >>> both["fill"].equals(filled), both["std"].attrs["units"], both["std"].values.round(1).tolist()
    (True, 'm', [[0.0, 0.0, 0.0], [0.0, 0.7, 0.0]])
    """
    dim = (dim,) if isinstance(dim, str) else tuple(dim)
    if settings.get("channel_axis") is not None:
        raise ValueError(
            "The 'channel_axis' parameter must be None for a labelled array, of which each slice along the axes beside "
            f"dim={dim!r} is restored on its own. Got {settings['channel_axis']!r} instead."
        )
    named = {"method": method, "spacing": spacing, "missing_values": missing_values, "return_std": return_std}
    settings = {**named, **settings}
    if isinstance(array, xr.Dataset):
        return _dataset(array, mask, dim, settings)
    if not isinstance(array, xr.DataArray):
        raise TypeError(
            f"The 'array' parameter must be an xarray DataArray or Dataset. Got a {type(array).__name__} instead. "
            "Use skinpaint.inpaint for plain arrays."
        )
    check_measured(array, "array")
    lacking = [name for name in dim if name not in array.dims]
    if lacking or not dim or len(set(dim)) < len(dim):
        raise ValueError(
            f"The 'dim' parameter must name axes of the array, {array.dims}, each once. Got {dim!r} instead."
        )
    if not array.size:
        raise ValueError(f"The 'array' parameter must not be empty. Got shape {array.shape} instead.")
    if spacing is None:
        settings["spacing"] = _steps(array, dim)
    if missing_values is None:
        settings["missing_values"] = nodata_in(array) or None
    others: list[Any] = [name for name in array.dims if name not in dim]
    mask = _labelled(mask, array, dim)
    fill, *std = _slices(array.transpose(*others, *dim), mask, len(others), dim, settings)
    order = [[*others, *dim].index(name) for name in array.dims]
    fill = fill.transpose(order).astype(array.dtype, copy=False)  # stacking loses the byte order
    if settings.get("max_distance") is not None and array.dtype.kind == "f":
        nodata = np.array(nodata_in(array), array.dtype)  # which says itself that it is missing
        fill = np.where(np.isnan(fill) & np.isin(array.data, nodata), array.data, fill).astype(array.dtype)
    restored = array.copy(data=fill)
    restored.encoding = dict(array.encoding)
    if not return_std:
        return restored
    deviation = array.copy(data=std[0].transpose(order))
    deviation.attrs = {key: value for key, value in array.attrs.items() if key not in NODATA_NAMES}
    deviation.encoding = {}
    return xr.Dataset({"fill": restored.rename("fill"), "std": deviation.rename("std")})


class Accessor:
    """``array.skinpaint.inpaint(...)``: see :func:`skinpaint.xarray.inpaint`."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def inpaint(self, mask: Any = None, **settings: Any) -> Any:
        """Restore this array; the parameters are those of :func:`skinpaint.xarray.inpaint`."""
        return inpaint(self._array, mask, **settings)


xr.register_dataarray_accessor("skinpaint")(Accessor)
xr.register_dataset_accessor("skinpaint")(Accessor)


def _dataset(dataset: xr.Dataset, mask: Any, dim: tuple[str, ...], settings: dict[str, Any]) -> xr.Dataset:
    """Variable by variable."""
    numbers = {name: v for name, v in dataset.data_vars.items() if v.dtype.kind in "uif" and not holds_classes(v)}
    suited = [name for name, v in numbers.items() if set(dim) <= set(v.dims)]
    if not suited:
        raise ValueError(
            f"The 'dim' parameter must name axes of a variable of numbers that are no classes. Got {dim!r} instead."
        )
    unknown = [name for name in mask.data_vars if name not in dataset.data_vars] if isinstance(mask, xr.Dataset) else []
    if unknown:
        raise ValueError(
            f"The 'mask' parameter must name variables of the dataset, {', '.join(map(repr, dataset.data_vars))}. "
            f"Got {', '.join(map(repr, unknown))} instead. Rename them, or pass a DataArray to mask every variable."
        )
    masks = {name: mask[name] if isinstance(mask, xr.Dataset) and name in mask else mask for name in suited}
    restored: dict[Any, xr.DataArray] = {}
    for name in suited:
        own = None if isinstance(masks[name], xr.Dataset) else masks[name]
        untold = own is None and settings["missing_values"] is None and dataset[name].dtype.kind != "f"
        if untold and not nodata_in(dataset[name]):
            continue
        found = inpaint(dataset[name], own, dim=dim, **settings)
        if settings["return_std"]:
            restored[f"{name}_std"] = found["std"].rename(f"{name}_std")
            found = found["fill"].rename(name)
        restored[name] = found
    made = dataset.assign(restored)
    made.encoding = dict(dataset.encoding)
    return made


def _steps(array: xr.DataArray, dim: tuple[str, ...]) -> tuple[float, ...]:
    """The distances between neighbours along the axes, in the unit of the last coordinate."""
    long = [name for name in dim if array.sizes[name] > 1]
    told = [name for name in long if name in array.coords]
    steps = {name: _step(array.coords[name], name) for name in told}
    if told and len(told) < len(long) and set(steps.values()) != {1.0}:
        lacking = next(name for name in long if name not in told)
        raise ValueError(
            f"The array must have a coordinate along each of dim={dim!r}, or along none. Got one along {told[0]!r}, of "
            f"step {steps[told[0]]:g}, and none along {lacking!r}. Pass spacing=, one number for each of the axes."
        )
    units = [array.coords[name].attrs.get("units") for name in told]
    factors = in_one_unit(units)
    if factors is None:
        raise ValueError(
            f"The coordinates {' and '.join(map(repr, told))} must be in units that can be compared. Got "
            f"{' and '.join(map(str, units))} instead. Pass spacing=, one number for each of the axes in one unit."
        )
    steps |= {name: steps[name] * (factor / factors[-1]) for name, factor in zip(told, factors, strict=True)}
    return tuple(steps.get(name, next(reversed(steps.values()), 1.0)) for name in dim)


def _step(coordinate: xr.DataArray, name: str) -> float:
    """The distance between neighbours along an axis, from its coordinate."""
    if coordinate.ndim != 1 or coordinate.dtype.kind not in "uif":
        raise ValueError(
            f"The coordinate {name!r} must be numbers, one a pixel. Got dtype {coordinate.dtype} instead. "
            "Pass spacing=, one number for each of the axes."
        )
    return even_step(coordinate.values, name, "pass spacing=1")


def _labelled(mask: Any, array: xr.DataArray, dim: tuple[str, ...]) -> Any:
    """The mask with names for its axes."""
    if mask is None:
        return None
    if isinstance(mask, xr.DataArray):
        if not set(dim) <= set(mask.dims) <= set(array.dims):
            raise ValueError(
                f"The 'mask' parameter must have the axes {dim}, and no others than {array.dims}. "
                f"Got {mask.dims} instead."
            )
        mask = aligned(mask, array)
        for name in mask.dims:
            if mask.sizes[name] != array.sizes[name]:
                raise ValueError(
                    f"The 'mask' parameter must be as long as the array along {name!r}, {array.sizes[name]}. "
                    f"Got {mask.sizes[name]} instead."
                )
        return mask
    shape = np.shape(mask)
    along = tuple(name for name in array.dims if name in dim)
    for names in (array.dims, along):
        if shape == tuple(array.sizes[name] for name in names):
            return xr.DataArray(mask, dims=names)
    raise ValueError(
        f"The 'mask' parameter must have the shape of the array, {array.shape}, or of its axes {along}. "
        f"Got shape {shape} instead."
    )


def _slices(array: xr.DataArray, mask: Any, depth: int, dim: tuple[str, ...], settings: dict[str, Any]) -> list[Any]:
    """Restore each slice on its own; the first `depth` axes are those of the slices. The fill, and if asked its std."""
    if depth == 0:
        own = None if mask is None else mask.transpose(*dim).data
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Is axis .* that of colours", GuessedMaskWarning)  # `dim` says it
            found = inpaint_array(array.data, own, **settings)
        return list(found) if settings["return_std"] else [found]
    name = array.dims[0]
    filled = []
    for k in range(array.sizes[name]):
        own = mask.isel({name: k}) if mask is not None and name in mask.dims else mask
        try:
            filled.append(_slices(array.isel({name: k}), own, depth - 1, dim, settings))
        except ValueError as error:
            error.add_note(f"This is slice {k} along {name!r}.")
            raise
    if not in_chunks(array.data):
        return [np.stack(each) for each in zip(*filled, strict=True)]
    import dask.array as da

    return [da.stack(each).rechunk(array.chunks) for each in zip(*filled, strict=True)]
