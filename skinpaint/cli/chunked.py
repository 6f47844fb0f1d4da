"""Restore one file in chunks, so that it never has to fit into memory: a zarr array, or a GeoTIFF through rioxarray."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from skinpaint.cli.common import Status

if TYPE_CHECKING:
    from skinpaint.dask import ChunkedSolution

__all__ = ["in_chunks", "restore_in_chunks"]

CHUNK = 2048  # pixels along each axis, where a file has no chunks of its own
NEEDED = {".zarr": "dask", ".tif": "xarray", ".tiff": "xarray"}  # the extra for each suffix
LIBRARIES = {"dask": ("dask", "zarr", "distributed"), "xarray": ("dask", "zarr", "distributed", "rioxarray")}
# arguments of `restore` for files in memory
UNSUITED = ("film", "mask_out", "std", "interval", "report", "axes", "skip_existing")


def in_chunks(args: argparse.Namespace) -> bool:
    """Whether a file is to be restored in chunks: a zarr array, or whatever is given workers."""
    return args.workers is not None or any(path.suffix == ".zarr" for path in args.inputs)


def restore_in_chunks(args: argparse.Namespace, method: Any) -> Status:
    """Restore one file in chunks. Values between passes are in a folder beside the output, until it is complete."""
    source, output = _checked(args)
    missing = args.missing if args.missing != "none" else None
    work = output.with_name(f".{output.name}.work.zarr")
    with _workers(args.workers), _gone_if_refused(work):
        import dask.array as da

        from skinpaint.dask import solve

        image, nodata, write = _opened(source)
        mask = None if args.mask is None else _mask(args)
        began = perf_counter()
        each = []
        bands = [image] if image.ndim < 3 or source.suffix == ".zarr" else [image[k] for k in range(image.shape[0])]
        for k, band in enumerate(bands):
            solution = solve(
                band,
                mask,
                method=method,
                missing_values=nodata if missing == "auto" and mask is None and nodata is not None else missing,
                bounds=args.bounds,
                spacing=args.spacing,
                grow=args.grow,
                max_distance=args.max_distance,
                work=str(work / f"band-{k}") if len(bands) > 1 else str(work),
                progress=not args.quiet and sys.stderr.isatty(),
            )
            each.append(solution)
        restored = each[0].restored if len(each) == 1 else da.stack([one.restored for one in each])
        write(restored.reshape(image.shape) if restored.ndim < image.ndim else restored, output, args.overwrite)
    shutil.rmtree(work, ignore_errors=True)
    if not args.quiet:
        print(f"{output}: done in {perf_counter() - began:.1f} s. {_worst(each).status}")
    return Status.OK


def _checked(args: argparse.Namespace) -> tuple[Path, Path]:
    """The input and the output, after all that can be checked without reading."""
    if len(args.inputs) != 1:
        raise ValueError("A file in chunks is restored alone. Give one input.")
    (source,) = args.inputs
    suffix = source.suffix.lower()
    if suffix not in NEEDED:
        raise ValueError(f"--workers is for zarr arrays and GeoTIFF. Got {source}. Convert it, or leave --workers out.")
    for name in UNSUITED:
        if getattr(args, name):
            raise ValueError(f"--{name.replace('_', '-')} is not for files in chunks. Leave it out.")
    extra = NEEDED[suffix]
    lacking = [name for name in LIBRARIES[extra] if find_spec(name) is None]
    if lacking:
        raise ValueError(f"{source} needs {', '.join(lacking)}. Install them: pip install 'skinpaint[{extra}]'.")
    if not source.exists():
        raise FileNotFoundError(f"There is no file {source}.")
    output = args.output or source.with_name(f"{source.stem}-restored{source.suffix}")
    if output.suffix.lower() != suffix:
        raise ValueError(f"-o must have the suffix of the input, {source.suffix}. Got {output}.")
    if output.exists() and (not args.overwrite or output.resolve() == source.resolve()):
        raise FileExistsError(f"{output} exists. Choose another name, or pass --overwrite to replace it.")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"{output} cannot be written: the folder {output.parent} does not exist.")
    return source, output


@contextlib.contextmanager
def _gone_if_refused(work: Path) -> Iterator[None]:
    """Remove the store of a task that was refused: nothing of it can be gone on with."""
    before = work.exists()
    try:
        yield
    except ValueError:
        if not before:
            shutil.rmtree(work, ignore_errors=True)
        raise


@contextlib.contextmanager
def _workers(number: int | None) -> Iterator[None]:
    """Processes of this machine, or the threads of this one."""
    if not number:
        yield
        return
    from distributed import Client, LocalCluster

    options = {"n_workers": number, "threads_per_worker": 1, "memory_limit": 0}
    no_page = {"dashboard_address": ":0", "scheduler_kwargs": {"dashboard": False}}  # None would take port 8787
    with LocalCluster(**options, **no_page) as cluster, Client(cluster):
        yield


def _opened(source: Path) -> tuple[Any, Any, Any]:
    """The image in chunks, its nodata value, and how to write one like it."""
    if source.suffix != ".zarr":
        return _raster(source)
    import dask.array as da

    array = _array(source)
    image = da.from_array(array, chunks=array.chunks)
    nodata = array.attrs.get("_FillValue")

    def write(restored: Any, output: Path, overwrite: bool) -> None:
        import zarr

        partial = output.with_name(f".{output.stem}.partial.zarr")
        shutil.rmtree(partial, ignore_errors=True)
        made: Any = zarr.create_array(
            str(partial), shape=array.shape, chunks=array.chunks, shards=array.shards, dtype=array.dtype
        )
        made.attrs.update(dict(array.attrs))
        aligned: Any = restored.rechunk(array.shards or array.chunks)  # no two tasks write to one shard
        da.store(aligned, made, lock=False)
        if output.exists():
            shutil.rmtree(output)
        os.replace(partial, output)

    return image, nodata, write


def _array(source: Path) -> Any:
    import zarr

    found: Any = zarr.open(str(source), mode="r")
    if isinstance(found, zarr.Array):
        return found
    arrays = [array for _, array in found.arrays() if array.ndim > 1]
    if len(arrays) != 1:
        raise ValueError(f"{source} holds {len(arrays)} images. Name one of them: {source}/NAME as the input.")
    return arrays[0]


def _raster(source: Path) -> tuple[Any, Any, Any]:
    import rioxarray

    scene: Any = rioxarray.open_rasterio(source, chunks={"x": CHUNK, "y": CHUNK})

    def write(restored: Any, output: Path, overwrite: bool) -> None:
        from threading import Lock

        from skinpaint.io import whole_file

        with whole_file(output, overwrite=overwrite) as partial:
            made = scene.copy(data=restored)
            made.encoding = dict(scene.encoding)
            made.rio.to_raster(partial, tiled=True, lock=Lock())

    return scene.data, scene.rio.nodata, write


def _mask(args: argparse.Namespace) -> Any:
    """The mask, in chunks as well."""
    import dask.array as da

    if args.mask.suffix == ".zarr":
        array = _array(args.mask)
        mask = da.from_array(array, chunks=array.chunks)
    elif args.mask.suffix.lower() in NEEDED:
        import rioxarray

        mask = rioxarray.open_rasterio(args.mask, chunks={"x": CHUNK, "y": CHUNK}).data[0]  # type: ignore[union-attr]
    else:
        raise ValueError(f"--mask must be a zarr array or a TIFF for a file in chunks. Got {args.mask}.")
    if mask.dtype != bool:
        mask = mask >= (args.mask_threshold if mask.dtype == "uint8" else 1)
    return ~mask if args.invert_mask else mask


def _worst(solutions: list[ChunkedSolution]) -> ChunkedSolution:
    return max(solutions, key=lambda one: (not one.converged, one.residual or 0.0))
