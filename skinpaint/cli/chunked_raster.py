"""A GeoTIFF in chunks, by rasterio: its bands, its alpha, its own mask, and a file like it for what was restored."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from skinpaint.cli.common import read_chunk
from skinpaint.io import Extras, whole_file
from skinpaint.io.codec import Unreadable
from skinpaint.io.decoders import one_line, remarks, warnings_of
from skinpaint.io.extras import plausible_dpi
from skinpaint.io.place import place_of
from skinpaint.io.tiff_facts import (
    GDAL_METADATA,
    STATISTICS,
    nodata,
    resolution,
    spacing,
    states_axes,
    without_statistics,
)
from skinpaint.io.tiff_layout import OF_THE_CODING, POSITION, UNSAID, WRITTEN
from skinpaint.io.tiff_series import (
    CLASSES,
    LAYERS,
    PICTURE_AXES,
    check_samples,
    find,
    is_raster,
    on_full_scale,
    where_its_mask_is,
)

__all__ = ["lost_tags", "open_raster", "written_raster"]

CHUNK = 2048  # pixels along each axis, or as many as make whole tiles
LEAST_CHUNK = 1024  # where a file has many bands, as some methods hold all of them
WHOLE = (8, 16, 32, 64)  # bits of a sample that a dtype has
ORIENTATION = 274
COLOUR_PROFILE = 34675
PARAMETERS = {34736, 34737}  # of the position on the ground, which GDAL writes as it needs them
LOSSLESS = ("deflate", "lzw", "zstd", "packbits", "lzma")
STATED = ("IMAGE_STRUCTURE", "DERIVED_SUBDATASETS", "SUBDATASETS", "RPC", "COLOR_PROFILE", "EXIF")  # written otherwise


def open_raster(source: Path) -> tuple[Any, Extras]:
    """The bands of a GeoTIFF in chunks, without its alpha, and what is beside them; its masks are in chunks as well."""
    try:
        with warnings_of(source):
            return _opened(source)
    except Unreadable as error:
        raise ValueError(f"{source} cannot be read as a picture: {error}") from None


def _opened(source: Path) -> tuple[Any, Extras]:
    import tifffile

    with tifffile.TiffFile(source) as file, _dataset(source) as raster:
        found = find(file)
        page = found.series.keyframe
        _check(found.series, raster)
        alphas = [k for k, each in zip(raster.indexes, raster.colorinterp, strict=True) if each.name == "alpha"]
        bands = [k for k in raster.indexes if k not in alphas]
        if len(alphas) > 1 or not bands:
            raise Unreadable(f"it holds {len(bands)} bands and {len(alphas)} alphas. Save it with one alpha at most.")
        axes = "YX" if len(bands) == 1 else "SYX"
        plane = (raster.height, raster.width)
        side = min(CHUNK, max(LEAST_CHUNK, round(CHUNK / math.sqrt(len(bands)))))
        chunks = tuple(_cut(n, block, side) for n, block in zip(plane, raster.block_shapes[0], strict=True))
        bits = page.bitspersample
        dtype = np.dtype(raster.dtypes[bands[0] - 1])
        beside = raster.nodata is not None and not math.isnan(raster.nodata)  # a file beside this one may state it
        alpha = _windows(source, alphas[0], chunks, dtype) if alphas else None
        if alpha is not None and bits not in WHOLE:
            alpha = on_full_scale(alpha, 2**bits - 1)
        steps, unclear = spacing(file, page, axes)
        masked = _has_mask(raster)
        outside = masked and not found.masks
        widened = "" if bits in WHOLE else f"{bits} bits a sample became {8 * dtype.itemsize}, with the same values"
        extras = Extras(
            alpha=alpha,
            dpi=plausible_dpi(resolution(page), orientation=1),
            axes=axes,
            stated=axes if states_axes(file, found.series) else "",
            spacing=steps,
            place=place_of(page),
            nodata=nodata(page, dtype) or ((raster.nodata,) if beside else ()),
            missing=_windows(source, None, chunks, np.dtype(bool)) if masked else None,
            lost=tuple(found.lost),
            about="; ".join(filter(None, [widened, unclear, where_its_mask_is(source) if outside else ""])),
        )
    if axes == "YX":
        return _windows(source, bands[0], chunks, dtype), extras
    import dask.array as da

    return da.stack([_windows(source, band, chunks, dtype) for band in bands]), extras


def _check(series: Any, raster: Any) -> None:
    """Refuse what is no picture of bands, and what is read in another way in memory."""
    page = series.keyframe
    way_out = "Leave --workers out if the image is a TIFF, or save this file as a zarr array."
    if series.axes not in PICTURE_AXES:
        raise Unreadable(
            f"it holds several images, {series.axes} of shape {series.shape}, where chunks are of one. {way_out}"
        )
    kind, bits = check_samples(page), page.bitspersample
    if kind == "MINISWHITE" or not isinstance(bits, int) or bits < 8:
        counted = f"{bits} bit{'s' * (bits != 1)}"
        raise Unreadable(f"it holds {kind} of {counted} a sample, which is not converted in chunks. {way_out}")
    if kind == "PALETTE" or any(each.name == "palette" for each in raster.colorinterp):
        raise Unreadable(CLASSES)
    if page.tags.valueof(ORIENTATION, default=1) != 1 and not is_raster(page):
        raise Unreadable(f"its picture is stored turned, by an orientation, which is not applied in chunks. {way_out}")
    if len(set(raster.dtypes)) > 1:
        raise Unreadable(f"its bands are of several dtypes: {', '.join(raster.dtypes)}. Save them as single files.")
    stated = [str(value) for value in raster.nodatavals]
    if len(set(stated)) > 1:  # a file beside this one may state them
        raise Unreadable(f"its bands have nodata values of their own: {', '.join(stated)}. Save them as single files.")


def _has_mask(raster: Any) -> bool:
    """Whether there is a mask of its own, in the file or in one beside it: neither a nodata value nor an alpha."""
    kinds = {frozenset(flag.name for flag in flags) for flags in raster.mask_flag_enums}
    if frozenset() in kinds:
        raise Unreadable("it has a mask for each band. Set what is missing to a nodata value first.")
    return frozenset({"per_dataset"}) in kinds


def _dataset(path: str | Path) -> Any:
    """A raster that is open for reading. That a mask has no place on the ground is no news."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
    return rasterio.open(path)


def _cut(length: int, block: int, side: int) -> tuple[int, ...]:
    """Chunks along an axis: whole tiles or strips, if those are not longer than a chunk.

    Examples
    --------
    >>> _cut(5000, 300, 2048), _cut(5000, 5000, 2048)
    ((1800, 1800, 1400), (2048, 2048, 904))
    """
    step = side // block * block or side
    return tuple(min(step, length - start) for start in range(0, length, step))


def _windows(source: Path, band: int | None, chunks: tuple[tuple[int, ...], ...], dtype: np.dtype) -> Any:
    """A band in chunks, or what the mask of the file marks as not valid; each chunk is read where it is needed."""
    import dask.array as da

    meta = np.empty((0, 0), dtype)
    given: Any = {"source": source, "path": str(source.resolve()), "band": band}
    return da.map_blocks(_window, **given, chunks=chunks, dtype=dtype, meta=meta)


def _window(source: Path, path: str, band: int | None, block_info: Any) -> np.ndarray:
    return read_chunk(source, lambda: _read_window(path, band, *block_info[None]["array-location"]))


def _read_window(path: str, band: int | None, rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
    from rasterio.windows import Window

    window = Window.from_slices(rows, columns)
    with _dataset(path) as raster:
        return raster.dataset_mask(window=window) == 0 if band is None else raster.read(band, window=window)


@contextmanager
def written_raster(source: Path, output: Path, restored: Any, extras: Extras, *, overwrite: bool) -> Iterator[Path]:
    """Write a GeoTIFF like the source, window by window.

    What is yielded is where it lies; it takes its place after a last look at it.
    """
    values = restored[None] if restored.ndim == 2 else restored
    with _dataset(source) as raster, whole_file(output, overwrite=overwrite) as partial:
        if extras.alpha is not None:
            values = _with_alpha(values, extras.alpha, raster)
        _write(output, partial, source, raster, values.rechunk({0: -1}))
        yield partial


def _write(output: Path, partial: Path, source: Path, raster: Any, values: Any) -> None:
    """Write the bands, and see that they are in the file: where it is closed, GDAL does not say that a disk is full."""
    import rasterio
    from rasterio.errors import RasterioIOError

    profile = _profile(source, raster)
    sums = []
    try:
        with rasterio.open(partial, "w", **profile) as made:
            _describe(made, raster)
            for window, block in _computed(values):
                stored = np.ascontiguousarray(block, profile["dtype"])
                made.write(stored, window=window)
                sums.append((window, crc32(stored)))
    except RasterioIOError as error:
        raise OSError(f"{output} cannot be written: {one_line(error.__cause__ or error)}. Is the disk full?") from error
    try:
        with _dataset(partial) as made:
            whole = all(crc32(made.read(window=window)) == kept for window, kept in sums)
    except RasterioIOError:
        whole = False
    if not whole:
        raise OSError(f"{output} cannot be written: a part of it cannot be read back. Is the disk full?")


def _with_alpha(values: Any, alpha: Any, raster: Any) -> Any:
    import dask.array as da

    at = [each.name for each in raster.colorinterp].index("alpha")
    return da.concatenate([values[:at], alpha[None], values[at:]])


def _profile(source: Path, raster: Any) -> dict[str, Any]:
    """How the file is to be stored: as its source, but never with a compression that changes values."""
    import tifffile

    with remarks(), tifffile.TiffFile(source) as file:
        photometric = find(file).series.keyframe.photometric.name
    said = raster.tags(ns="IMAGE_STRUCTURE")
    profile = {**raster.profile, "bigtiff": "IF_SAFER", "photometric": photometric.replace("YCBCR", "RGB")}
    if [each.name for each in raster.colorinterp[:3]] != ["red", "green", "blue"] and profile["photometric"] == "RGB":
        del profile["photometric"]  # of which GDAL takes bands for red, green and blue, whatever it is told
    if "compress" in profile and profile["compress"].lower() not in LOSSLESS:
        profile["compress"] = "deflate"
    if "PREDICTOR" in said and "compress" in profile:
        profile["predictor"] = said["PREDICTOR"]
    if not profile["tiled"]:
        del profile["blockxsize"], profile["blockysize"]
        profile["tiled"] = raster.width > CHUNK
    return profile


def _describe(made: Any, raster: Any) -> None:
    """Write what is said about the bands and the scene, but statistics, which are of the scene as it was."""
    made.colorinterp = raster.colorinterp
    made.descriptions = raster.descriptions
    made.scales, made.offsets = raster.scales, raster.offsets
    made.units = [unit or "" for unit in raster.units]
    if raster.gcps[0]:
        made.gcps = raster.gcps
    if raster.rpcs is not None:
        made.rpcs = raster.rpcs
    for band in (0, *raster.indexes):  # 0 for the scene
        spaces = [each for each in raster.tag_namespaces(band) if each not in STATED and not each.startswith("xml:")]
        for space in (None, *spaces):
            said = {key: value for key, value in raster.tags(band, ns=space).items() if not key.startswith(STATISTICS)}
            if said:
                made.update_tags(band, ns=space, **said)


def _computed(values: Any) -> Iterator[tuple[Any, np.ndarray]]:
    """Each chunk with its window, row by row, as many at a time as there are processors."""
    from dask.base import compute
    from rasterio.windows import Window

    _, *edges = (np.cumsum((0, *lengths)).tolist() for lengths in values.chunks)
    places = list(np.ndindex(values.numblocks[1:]))
    at_once = os.cpu_count() or 1
    for start in range(0, len(places), at_once):
        some = places[start : start + at_once]
        blocks = compute(*(values.blocks[0, i, j] for i, j in some))
        for (i, j), block in zip(some, blocks, strict=True):
            yield Window.from_slices((edges[0][i], edges[0][i + 1]), (edges[1][j], edges[1][j + 1])), block


def lost_tags(source: Path, output: Path) -> list[str]:
    """The tags that the source has and the output has not, in words."""
    import tifffile

    with remarks(), tifffile.TiffFile(source) as before, tifffile.TiffFile(output) as after:
        told = (
            tifffile.TIFF.TAG_FILTERED | OF_THE_CODING | UNSAID | POSITION | PARAMETERS | (WRITTEN - {COLOUR_PROFILE})
        )
        tags = find(before).series.keyframe.tags
        told |= {LAYERS} | {tag.code for tag in find(after).series.keyframe.tags}
        if b"<Item" not in without_statistics(str(tags.valueof(GDAL_METADATA, default="")).encode()):
            told |= {GDAL_METADATA}
        return [f"the tag {tag.name}" for tag in tags if tag.code not in told]
