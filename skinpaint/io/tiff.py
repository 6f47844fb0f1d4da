"""TIFF, by tifffile: pictures, bands, stacks and volumes, with the tags that GeoTIFF, OME and ImageJ write."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from skinpaint.io.codec import Codec
from skinpaint.io.exif import upright_xmp
from skinpaint.io.extras import Carried, Extras, plausible_dpi, upright, with_alpha
from skinpaint.io.files import check_size
from skinpaint.io.ifd import Form, check_chain
from skinpaint.io.place import place_of
from skinpaint.io.tiff_exif import append_exif, described, read_exif, stand_ins
from skinpaint.io.tiff_facts import nodata, resolution, scale, scale_tags, spacing, states_axes
from skinpaint.io.tiff_layout import SOFTWARE, XMP, Layout, Tag, contents, damaged_resources, layout_of
from skinpaint.io.tiff_series import (
    PICTURE_AXES,
    decode,
    find,
    inverted,
    is_raster,
    mask_beside,
    mask_inside,
    of_gdal,
    on_full_scale,
    where_its_mask_is,
)

__all__ = ["TIFF"]

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BYTE = 1  # TIFF's type
PROGRAMS = {"stk": "MetaMorph", "lsm": "Zeiss LSM", "mdgel": "Molecular Dynamics"}
"""Whose metadata say where and how pixels are stored, which is true of the file that was read alone."""

PLANES = {"YXS": "contig", "SYX": "separate"}  # how pages hold samples, by their axes
BIG = 2**32 - 2**25  # bytes of pixels from which offsets need 64 bits


def _read(path: Path) -> tuple[np.ndarray, Extras]:
    import tifffile

    with path.open("rb") as raw:
        check_chain(raw)
    with tifffile.TiffFile(path) as file:
        found = find(file)
        series, page = found.series, found.series.keyframe
        check_size(path, math.prod(series.shape) * series.dtype.itemsize)
        pixels = decode(path, series)
        alpha_at = _alpha_at(page) if "S" in pixels.axes else None
        values, alpha = _split(pixels.values, pixels.axes, alpha_at)
        if alpha is not None and pixels.highest is not None:
            alpha = on_full_scale(alpha, pixels.highest)
        samples = _n_samples(values, pixels.axes)
        is_picture = pixels.axes in PICTURE_AXES and samples in (1, 3) and alpha_at in (None, samples)
        orientation = page.tags.valueof("Orientation", default=1) if is_picture and not is_raster(page) else None
        axes = pixels.axes
        if is_picture:
            values, alpha, axes = _as_picture(values, alpha, axes, orientation or 1)
        if pixels.white is not None:
            values = inverted(values, pixels.white)
        layout = layout_of(file, found, pixels, is_picture=is_picture, orientation=orientation, alpha_at=alpha_at)
        plane = tuple(n for n, letter in zip(values.shape, axes, strict=True) if letter in "YX")
        inside = mask_inside(found, plane, orientation or 1)
        sought = inside is None and pixels.axes in PICTURE_AXES
        beside = mask_beside(path, plane, orientation or 1) if sought else None
        missing = beside if inside is None else inside
        xmp = page.tags.valueof(XMP)
        scales, offsets = scale(page, axes, alpha_at)
        steps, unclear = spacing(file, page, axes)
        exif, damaged = read_exif(path, page.offset, Form(file.byteorder, file.is_bigtiff))
        program = next((name for kind, name in PROGRAMS.items() if kind in file.flags), None)
        return values, Extras(
            alpha=alpha,
            icc_profile=page.tags.valueof("InterColorProfile"),
            dpi=plausible_dpi(resolution(page), orientation or 1) if is_picture else None,
            exif=exif,
            xmp=(upright_xmp(xmp) if layout.turned else xmp) if isinstance(xmp, bytes) else None,
            axes=axes,
            black=pixels.black,
            stated=axes if states_axes(file, series) else "",
            spacing=steps,
            place=place_of(page),
            nodata=nodata(page, values.dtype),
            scale=scales,
            offset=offsets,
            missing=missing,
            lost=(
                *found.lost,
                *damaged,
                *(["a mask"] if found.masks and missing is None else []),
                *([f"{program} metadata"] if program is not None else []),
                *(["Photoshop data, which are damaged"] if damaged_resources(file, page) else []),
                *_beside_the_file(path),
            ),
            about="; ".join(filter(None, [pixels.about, unclear, "" if beside is None else where_its_mask_is(path)])),
            hint="" if beside is not None else _mask_not_taken(path),
            carried=Carried("TIFF", contents(file, layout), layout, values.shape) if program is None else None,
        )


def _mask_not_taken(path: Path) -> str:
    """How to give a mask in a file of its own that is not one for this picture as GDAL writes it."""
    mask = of_gdal(path)
    return f"the file {mask.name} marks valid pixels; --mask {mask} --invert-mask takes it" if mask.exists() else ""


def _beside_the_file(path: Path) -> list[str]:
    """Names of files beside this one that say where it is on the ground, and more."""
    files = (path.with_suffix(".tfw"), path.with_suffix(".wld"), path.with_name(f"{path.name}.aux.xml"))
    names = [file.name for file in files if file.exists()]
    return [f"what is in {' and '.join(names)} beside it"] if names else []


def _alpha_at(page: Any) -> int | None:
    """Which of the samples the alpha is, if the file says that one of them is; other samples are bands."""
    extra = [each.name for each in page.extrasamples]
    return int(page.samplesperpixel) - len(extra) + extra.index("UNASSALPHA") if "UNASSALPHA" in extra else None


def _split(values: np.ndarray, axes: str, alpha_at: int | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Samples without the alpha, and the alpha."""
    if alpha_at is None:
        return values, None
    axis = axes.index("S")
    return np.delete(values, alpha_at, axis), np.ascontiguousarray(np.take(values, alpha_at, axis))


def _n_samples(values: np.ndarray, axes: str) -> int:
    return values.shape[axes.index("S")] if "S" in axes else 1


def _as_picture(
    values: np.ndarray, alpha: np.ndarray | None, axes: str, orientation: int
) -> tuple[np.ndarray, np.ndarray | None, str]:
    """A picture in grey or RGB, its colours last, the right way up."""
    if "S" in axes:
        values = np.moveaxis(values, axes.index("S"), -1)
        values = values[..., 0] if values.shape[-1] == 1 else values
    values = np.ascontiguousarray(upright(values, orientation))
    alpha = None if alpha is None else np.ascontiguousarray(upright(alpha, orientation))
    return values, alpha, "YXS"[: values.ndim]


def _write(path: Path, image: np.ndarray, extras: Extras) -> list[str]:
    if extras.carried is not None:
        _write_as_read(path, image, extras, extras.carried.data)
        return []
    return _write_anew(path, image, extras)


def _write_anew(path: Path, image: np.ndarray, extras: Extras) -> list[str]:
    """Write an image alone, with what its values stand for; what is lost, in words."""
    import tifffile

    colours = image.ndim == 3 and image.shape[2] == 3 and extras.axes in ("", "YXS")
    names = extras.axes or ("?" * image.ndim if image.ndim > 3 else "")  # else pages come back along one axis
    axes = names if not colours and len(names) == image.ndim > 2 else None
    layout = "" if axes is None else axes[-3:]
    samples = 3 if colours else image.shape[names.index("S")] if layout in PLANES else 1
    planes = "contig" if colours or extras.alpha is not None else PLANES[layout] if samples > 1 else None
    form = Form("<", big=image.nbytes > BIG)
    tags = [*_beside(extras), *(described(extras.exif, form) if extras.exif is not None else ())]
    scaled = scale_tags(extras, samples)
    with tifffile.TiffWriter(
        path, byteorder=form.order, bigtiff=form.big, ome=False, shaped=axes is not None
    ) as writer:
        writer.write(
            with_alpha(image, extras),
            photometric="rgb" if colours else "minisblack" if extras.black is None else "miniswhite",
            planarconfig=planes,
            extrasamples=None if extras.alpha is None else ["unassalpha"],
            compression="zlib",
            predictor=_has_predictor(image.dtype),
            resolution=extras.dpi,
            resolutionunit=None if extras.dpi is None else "inch",
            iccprofile=extras.icc_profile,
            software="skinpaint",
            metadata=None if axes is None else {"axes": axes},
            extratags=[*tags, *scaled],
        )
    _finish(path, extras, form)
    return ["the scale of its values"] if extras.is_scaled and not scaled else []


def _write_as_read(path: Path, image: np.ndarray, extras: Extras, layout: Layout) -> None:
    """Write the pages in the layout of the file that was read, each with its own tags."""
    import tifffile

    if layout.white is not None and layout.white.dtype != image.dtype:  # values of another kind, in which more is white
        layout = replace(layout, photometric="minisblack", white=None)
    pages = _as_stored(image, extras, layout)
    form = Form(layout.byteorder, big=layout.bigtiff or pages.nbytes > BIG)
    resolution, unit = layout.resolution, layout.unit
    if layout.turned:  # across and down may have changed places
        resolution, unit = (extras.dpi, 2) if extras.dpi is not None else (resolution, unit)
    with tifffile.TiffWriter(path, byteorder=form.order, bigtiff=form.big, ome=False) as writer:
        for k, page in enumerate(pages[None] if layout.in_one and len(pages) > 1 else pages):
            tags = layout.tags[k] if k < len(layout.tags) else []
            if k == 0:
                tags = [tag for tag in tags if tag[0] != XMP] + _beside(extras)
            dots, measure, profile = layout.apart.get(k, (resolution, unit, extras.icc_profile))
            writer.write(
                np.ascontiguousarray(page),
                photometric=layout.photometric,
                planarconfig=layout.planarconfig,
                extrasamples=layout.extrasamples,
                volumetric=layout.volumetric,
                tile=layout.tile,
                compression=layout.compression,
                predictor=layout.compression is not None and _has_predictor(page.dtype),
                resolution=dots,
                resolutionunit=measure,
                iccprofile=profile,
                software="skinpaint" if all(tag[0] != SOFTWARE for tag in tags) else False,
                metadata=None,
                extratags=tags,
            )
    _finish(path, extras, form)


def _as_stored(image: np.ndarray, extras: Extras, layout: Layout) -> np.ndarray:
    """The pages of a file, one after another."""
    values = image if layout.white is None else inverted(image, layout.white)
    if layout.is_picture:
        values = with_alpha(values, extras)
        return (np.moveaxis(values, -1, 0) if layout.axes == "SYX" else values)[None]
    if extras.alpha is not None and layout.alpha_at is not None:
        values = np.insert(values, layout.alpha_at, extras.alpha, axis=layout.axes.index("S"))
    pages = values.reshape(-1, *layout.page)
    return pages[layout.order] if len(layout.order) else pages


def _beside(extras: Extras) -> list[Tag]:
    """Tags of what formats have in common."""
    tags: list[Tag] = [] if extras.xmp is None else [(XMP, BYTE, len(extras.xmp), extras.xmp, True)]
    return [*tags, *stand_ins(extras.exif)]


def _finish(path: Path, extras: Extras, form: Form) -> None:
    if extras.exif is not None and any(stand_ins(extras.exif)):
        append_exif(path, extras.exif, form)


def _has_predictor(dtype: np.dtype) -> bool:
    """Whether integers of this size are stored as differences, which compress better."""
    return dtype.kind in "iu" and dtype.itemsize <= 4


TIFF = Codec(
    name="TIFF",
    suffixes=(".tif", ".tiff"),
    recognises=lambda head: head.startswith(SIGNATURES),
    holds=lambda dtype: dtype.kind in "iuf" and dtype.itemsize <= 8,
    read=_read,
    write=_write,
    keeps=("alpha", "icc_profile", "dpi", "exif", "xmp"),
    stacks=True,
)
