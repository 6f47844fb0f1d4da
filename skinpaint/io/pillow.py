"""PNG of 8 bits, JPEG, WebP, BMP and GIF, by Pillow."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skinpaint.io import png_chunks
from skinpaint.io.codec import Codec, Unreadable
from skinpaint.io.decoders import one_line
from skinpaint.io.exif import upright
from skinpaint.io.extras import Carried, Extras, picture, plausible_dpi, with_alpha
from skinpaint.io.files import check_size

if TYPE_CHECKING:
    from PIL import Image, ImageFile

__all__ = ["BMP", "GIF", "JPEG", "NEEDS_CONVERSION", "PNG", "WEBP", "extras_of", "opened", "read_with_pillow"]

NEEDS_CONVERSION = (
    "Convert it to grey or RGB in a program that knows its colours, for example with ImageMagick: "
    "magick IN -colorspace sRGB OUT.png."
)
NO_JPEG = (
    "it is damaged, or a JPEG of a kind that is not read: of 12 bits a sample, lossless of more than 8, or JPEG-LS. "
    "Save it as PNG or TIFF in the program that wrote it."
)
LONG_XMP = b"http://ns.adobe.com/xmp/extension/\0"
READ = (
    b"JFIF\0",
    b"JFXX\0",
    b"Exif\0\0",
    b"http://ns.adobe.com/xap/1.0/\0",
    b"ICC_PROFILE\0",
    b"MPF\0",
    b"Photoshop 3.0\0",
    b"Adobe",
)
"""How the segments of a JPEG begin that are kept, named as what they hold, or about how it is stored."""

MAX_TEXT = 2**25  # bytes that a text of a PNG may unpack to, in this process; all together Pillow allows 2**26
BIT_FIELDS = 3  # of a BMP: it states which bits are which colour
MAX_SEGMENT = 65_000  # bytes of metadata that a JPEG holds in one piece


@contextmanager
def opened(path: Path, name: str) -> Iterator[ImageFile.ImageFile]:
    """Open a file that holds one picture by Pillow; what is too large is for `check_size` to say."""
    from PIL import Image, PngImagePlugin, UnidentifiedImageError

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    PngImagePlugin.MAX_TEXT_CHUNK = max(PngImagePlugin.MAX_TEXT_CHUNK, MAX_TEXT)
    try:
        file = Image.open(path, formats=(name,))
    except UnidentifiedImageError:
        raise Unreadable(NO_JPEG if name == "JPEG" else "its contents are damaged.") from None
    except OSError as error:
        if not str(error).startswith("Unsupported"):
            raise
        said = f"it is a {name} of a kind that is not read ({one_line(error)})."
        raise Unreadable(f"{said} Save it as PNG in the program that wrote it.") from None
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    with file:
        n_frames = getattr(file, "n_frames", 1)
        if n_frames > 1 and file.format != "MPO":  # a phone's JPEG with previews behind it
            raise Unreadable(f"it holds {n_frames} frames. Save them as single pictures first.")
        check_size(path, file.width * file.height * 4)
        yield file


def read_with_pillow(path: Path, name: str) -> tuple[np.ndarray, Extras]:
    """Read a picture of 8 bits, the right way up."""
    with opened(path, name) as file:
        _scale_transparency(file)
        orientation, extras = extras_of(file)
        about = "its palette was converted to RGB" if file.mode in ("P", "PA") else ""
        pixels, extras = picture(np.array(_in_plain_mode(file)), orientation, replace(extras, about=about))
        if name == "JPEG":
            return pixels, _with_tables(file, pixels, extras)
        if name == "BMP" and extras.alpha is None and _states_alpha(path):
            extras = replace(extras, lost=(*extras.lost, "alpha of one bit"))
        if name == "PNG":
            return pixels, png_chunks.carried(path, pixels, extras, orientation)
        return pixels, extras


def extras_of(file: ImageFile.ImageFile) -> tuple[int, Extras]:
    """The orientation of a picture that Pillow has opened, and what is beside it, for the picture upright."""
    file.load()  # a PNG may hold it behind the pixels
    lost = [what for key, what in {"photoshop": "IPTC data", "comment": "a comment"}.items() if file.info.get(key)]
    others = getattr(file, "n_frames", 1) - 1
    if others:
        lost.append(f"{others} more picture{'s' if others > 1 else ''} (a preview, a depth map or a gain map)")
    if "icc_profile" in file.info and file.info["icc_profile"] is None:
        lost.append("the colour profile, which is damaged")
    lost += _segments(file)
    exif = file.info.get("exif")
    if exif is None and "Raw profile type exif" in file.info:
        exif = file.getexif().tobytes()
    orientation, exif, xmp, damaged = upright(exif, file.info.get("xmp"))
    return orientation, Extras(
        icc_profile=file.info.get("icc_profile"),
        dpi=plausible_dpi(file.info.get("dpi", ()), orientation),
        exif=exif,
        xmp=xmp,
        lost=(*lost, *damaged),
    )


def _segments(file: Any) -> list[str]:
    """What a JPEG holds in segments that programs have for themselves, in words."""
    segments = getattr(file, "applist", [])
    others = [name for name, data in segments if name.startswith("APP") and not data.startswith((*READ, LONG_XMP))]
    long_xmp = ["extended XMP data"] if any(data.startswith(LONG_XMP) for _, data in segments) else []
    names = dict.fromkeys(others)
    return [*long_xmp, *([f"the segment{'s' * (len(names) > 1)} {' '.join(names)}"] if names else [])]


def _scale_transparency(file: ImageFile.ImageFile) -> None:
    """Scale the grey that is transparent as Pillow scales the pixels of a PNG of few bits, if it did not."""
    grey = file.info.get("transparency")
    for *_, mode in file.tile:
        highest = {"1": 1, "L;2": 3, "L;4": 15}.get(str(mode))
        if highest is not None and isinstance(grey, int) and grey <= highest:
            file.info["transparency"] = grey * 255 // highest


def _in_plain_mode(file: Image.Image) -> Image.Image:
    """Return the picture in a mode that is grey or RGB, with or without alpha."""
    if file.mode in ("1", "L", "LA", "La"):
        return file.convert("LA" if file.has_transparency_data else "L")
    if file.mode in ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"):
        return file.convert("RGBA" if file.has_transparency_data else "RGB")
    raise Unreadable(f"it holds {file.mode} data. {NEEDS_CONVERSION}")


def _states_alpha(path: Path) -> bool:
    """Whether a BMP says which of 16 bits are alpha, which Pillow leaves out."""
    with path.open("rb") as file:
        size, _, _, _, depth, packing, *_, alpha = struct.unpack("<IiiHHI20x4I", file.read(70)[14:].ljust(56, b"\0"))
    return size >= 56 and depth == 16 and packing == BIT_FIELDS and alpha != 0


def _with_tables(file: Any, pixels: np.ndarray, extras: Extras) -> Extras:
    """Extras with what a JPEG of the same quality is written by."""
    from PIL import JpegImagePlugin

    tables = {"qtables": file.quantization, "subsampling": JpegImagePlugin.get_sampling(file)}
    return replace(extras, carried=Carried("JPEG", "", tables, pixels.shape))


def _write(name: str, path: Path, image: np.ndarray, extras: Extras) -> list[str]:
    from PIL import Image

    lost = []
    if name == "WebP" and image.ndim == 2:
        image = np.stack([image] * 3, axis=-1)
        if extras.icc_profile is not None and extras.icc_profile[16:20] == b"GRAY":  # it does not fit RGB
            extras, lost = replace(extras, icc_profile=None), ["the colour profile, which is of grey"]
    options = _options(name, extras)
    for kind in ("icc_profile", "dpi", "exif", "xmp"):
        held = getattr(extras, kind)
        if held is None or kind not in KEEPS[name]:
            continue
        if name == "JPEG" and kind in ("exif", "xmp") and len(held) > MAX_SEGMENT:
            lost.append(f"{kind.upper()} data, which are too long")
        else:
            options[kind] = held
    pixels = with_alpha(image, extras) if "alpha" in KEEPS[name] else image
    encoded = BytesIO()  # to a file the JPEG encoder writes itself, and does not say why it fails
    Image.fromarray(np.ascontiguousarray(pixels)).save(encoded, format=name, **options)
    path.write_bytes(encoded.getbuffer())
    if name == "PNG":
        png_chunks.insert(path, png_chunks.to_write(extras, pixels))
    return lost


def _options(name: str, extras: Extras) -> dict[str, Any]:
    """How a format is written: as well as it can be, or as the file that was read."""
    if name == "JPEG":
        tables = {"quality": 95, "subsampling": 0} if extras.carried is None else extras.carried.data
        return {**tables, "optimize": True}
    return {"lossless": True, "exact": True} if name == "WebP" else {}


KEEPS = {
    "PNG": ("alpha", "icc_profile", "dpi", "exif", "xmp"),
    "JPEG": ("icc_profile", "dpi", "exif", "xmp"),
    "WebP": ("alpha", "icc_profile", "exif", "xmp"),
    "BMP": ("dpi",),
    "GIF": (),
}
"""What a file of each format holds beside the picture."""


def _codec(name: str, suffixes: tuple[str, ...], recognises: Callable[[bytes], bool], **changes: Any) -> Codec:
    """A format of 8 bits that Pillow reads and writes."""
    stated: dict[str, Any] = {
        "name": name,
        "suffixes": suffixes,
        "recognises": recognises,
        "holds": lambda dtype: dtype == np.uint8,
        "read": partial(read_with_pillow, name=name),
        "write": partial(_write, name),
        "keeps": KEEPS[name],
    }
    return Codec(**{**stated, **changes})


PNG = _codec("PNG", (".png",), lambda head: head.startswith(png_chunks.SIGNATURE))
JPEG = _codec("JPEG", (".jpg", ".jpeg"), lambda head: head.startswith(b"\xff\xd8\xff"), lossless=False, max_side=65_500)
WEBP = _codec("WebP", (".webp",), lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", max_side=16_383)
BMP = _codec("BMP", (".bmp",), lambda head: head.startswith(b"BM"))
GIF = _codec("GIF", (".gif",), lambda head: head.startswith((b"GIF87a", b"GIF89a")), write=None)
