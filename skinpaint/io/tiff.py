"""TIFF, by tifffile; pictures of 8 bits are read by Pillow, which knows more compressions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skinpaint.io.codec import Codec
from skinpaint.io.extras import Extras, picture, plausible_dpi, with_alpha
from skinpaint.io.pillow import read_with_pillow

__all__ = ["TIFF"]

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _read(path: Path) -> tuple[np.ndarray, Extras]:
    import tifffile

    with tifffile.TiffFile(path) as file:
        pages = [page.aspage() for page in file.pages]
        pages = [page for page in pages if not page.is_reduced]  # a preview is no picture
        if len(pages) != 1:
            raise ValueError(
                f"it holds {len(pages)} pages. Save them as single pictures first; a volume is restored "
                "from Python, as an array."
            )
        page = pages[0]
        if page.dtype in (bool, np.uint8):
            return read_with_pillow(path)
        colours = page.photometric
        plain = colours in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB)
        if not plain or page.axes not in ("YX", "YXS", "SYX"):
            raise ValueError(
                f"it holds {getattr(colours, 'name', colours)} data on the axes {page.axes}. "
                "Convert it to grey or RGB first."
            )
        if tifffile.EXTRASAMPLE.ASSOCALPHA in page.extrasamples:
            raise ValueError("its colours are multiplied by its alpha. Save it with a separate alpha first.")
        try:
            pixels = page.asarray()
        except (KeyError, ValueError) as error:  # how tifffile says that it lacks a codec
            if "imagecodecs" in str(error):
                raise ValueError(f"{error.args[0]}. Install that, or save the file without compression.") from error
            raise
        if page.axes == "SYX":
            pixels = np.moveaxis(pixels, 0, -1)
        orientation = page.tags.valueof("Orientation", default=1)
        inches = {2: 1.0, 3: 2.54}.get(page.tags.valueof("ResolutionUnit", default=2))
        fractions = [page.tags.valueof(name) for name in ("XResolution", "YResolution")]
        dpi = [n / d * inches for n, d in filter(None, fractions) if d and inches]
        extras = Extras(icc_profile=page.tags.valueof("InterColorProfile"), dpi=plausible_dpi(dpi, orientation))
        return picture(pixels, orientation, extras)


def _write(path: Path, image: np.ndarray, extras: Extras) -> None:
    import tifffile

    tifffile.imwrite(
        path,
        with_alpha(image, extras),
        photometric="minisblack" if image.ndim == 2 else "rgb",
        planarconfig="contig" if image.ndim == 3 or extras.alpha is not None else None,
        extrasamples=None if extras.alpha is None else ["unassalpha"],
        compression="zlib",
        predictor=image.dtype.kind in "iu",
        resolution=extras.dpi,
        resolutionunit=None if extras.dpi is None else "inch",
        iccprofile=extras.icc_profile,
        software="skinpaint",
        metadata=None,
    )


TIFF = Codec(
    name="TIFF",
    suffixes=(".tif", ".tiff"),
    recognises=lambda head: head.startswith(SIGNATURES),
    holds=lambda dtype: dtype.kind in "iuf",
    read=_read,
    write=_write,
)
