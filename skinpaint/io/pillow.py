"""PNG of 8 bits, JPEG, WebP, BMP and GIF, by Pillow."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skinpaint.io.codec import Codec
from skinpaint.io.extras import Carried, Extras, extras_of, orientation_of, picture, with_alpha
from skinpaint.io.files import check_size

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["BMP", "GIF", "JPEG", "PNG", "PNG_SIGNATURE", "WEBP", "read_with_pillow"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def read_with_pillow(path: Path) -> tuple[np.ndarray, Extras]:
    """Read the first picture of a file of 8 bits, the right way up."""
    from PIL import Image, UnidentifiedImageError

    try:
        file = Image.open(path, formats=("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "HEIF"))
    except UnidentifiedImageError:
        raise ValueError("its contents are damaged.") from None
    with file:
        # A phone's MPO is a JPEG with previews behind it; its first frame is the picture.
        n_frames = getattr(file, "n_frames", 1)
        if n_frames > 1 and file.format != "MPO":
            raise ValueError(f"it holds {n_frames} frames. Save them as single pictures first.")
        orientation = orientation_of(file)
        check_size(path, file.width * file.height * 4)
        pixels = np.array(_in_plain_mode(file))
        turned_already = file.format in ("TIFF", "HEIF")
        extras = extras_of(file, orientation)
        if file.format in ("JPEG", "MPO"):
            from PIL import JpegImagePlugin

            tables = {"qtables": file.quantization, "subsampling": JpegImagePlugin.get_sampling(file)}  # type: ignore[attr-defined]
            pixels, extras = picture(pixels, orientation, extras)
            return pixels, replace(extras, carried=Carried("JPEG", "", tables, pixels.shape))
        return picture(pixels, 1 if turned_already else orientation, extras)


def _in_plain_mode(file: Image.Image) -> Image.Image:
    """Return the picture in a mode that is grey or RGB, with or without alpha."""
    if file.mode in ("1", "L", "LA", "La"):
        return file.convert("LA" if file.has_transparency_data else "L")
    if file.mode in ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"):
        return file.convert("RGBA" if file.has_transparency_data else "RGB")
    raise ValueError(
        f"it holds {file.mode} data. Convert it to grey or RGB in a program that knows its colours, for example with "
        "ImageMagick: magick IN -colorspace sRGB OUT.png"
    )


def _write(name: str, path: Path, image: np.ndarray, extras: Extras) -> None:
    from PIL import Image

    profile = extras.icc_profile
    if name == "WebP" and image.ndim == 2:
        image = np.stack([image] * 3, axis=-1)
        if profile is not None and profile[16:20] == b"GRAY":  # it would not fit RGB
            profile = None
    lossy: dict[str, Any] = {"quality": 95, "subsampling": 0} if extras.carried is None else extras.carried.data
    lossless: dict[str, Any] = {"lossless": True, "exact": True}
    options: dict[str, Any] = {"JPEG": {**lossy, "optimize": True}, "WebP": lossless}.get(name, {})
    if profile is not None and name != "BMP":
        options["icc_profile"] = profile
    if extras.dpi is not None:
        options["dpi"] = extras.dpi
    if extras.exif is not None and name != "BMP":
        options["exif"] = extras.exif
    pixels = image if name in ("JPEG", "BMP") else with_alpha(image, extras)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, format=name, **options)


def _is_byte(dtype: np.dtype) -> bool:
    return dtype == np.uint8


PNG = Codec(
    name="PNG",
    suffixes=(".png",),
    recognises=lambda head: head.startswith(PNG_SIGNATURE),
    holds=_is_byte,
    read=read_with_pillow,
    write=partial(_write, "PNG"),
)
JPEG = Codec(
    name="JPEG",
    suffixes=(".jpg", ".jpeg"),
    recognises=lambda head: head.startswith(b"\xff\xd8\xff"),
    holds=_is_byte,
    read=read_with_pillow,
    write=partial(_write, "JPEG"),
    alpha=False,
    lossless=False,
)
WEBP = Codec(
    name="WebP",
    suffixes=(".webp",),
    recognises=lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP",
    holds=_is_byte,
    read=read_with_pillow,
    write=partial(_write, "WebP"),
)
BMP = Codec(
    name="BMP",
    suffixes=(".bmp",),
    recognises=lambda head: head.startswith(b"BM"),
    holds=_is_byte,
    read=read_with_pillow,
    write=partial(_write, "BMP"),
    alpha=False,
)
GIF = Codec(
    name="GIF",
    suffixes=(".gif",),
    recognises=lambda head: head.startswith((b"GIF87a", b"GIF89a")),
    holds=_is_byte,
    read=read_with_pillow,
)
