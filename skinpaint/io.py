"""Picture files in and out: bit depth, alpha, orientation, colour profile and resolution survive the trip."""

from __future__ import annotations

import os
import secrets
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["FORMATS", "Extras", "check_place", "check_target", "read", "read_mask", "whole_file", "write"]

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WebP",
}
"""Formats by the suffix of a file that is written; a file that is read is known by its contents."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ORIENTATION = 0x0112
GREY_WEIGHTS = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, kw_only=True)
class Extras:
    """What a picture file holds beside the picture, and what is carried over to the file that is written.

    Attributes
    ----------
    alpha : ndarray of shape (M, N) or None
        Opacity, of the picture's dtype.
    icc_profile : bytes or None
        The colour profile.
    dpi : tuple of float or None
        Resolution in dots an inch, across and down.
    exif : bytes or None
        EXIF data without the orientation, which has been applied. It is not written to TIFF.
    """

    alpha: np.ndarray | None = None
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None

    def opaque_where(self, filled: np.ndarray) -> Extras:
        """Return extras whose alpha, if there is one, is opaque wherever `filled` is True.

        Parameters
        ----------
        filled : ndarray of bool, of shape (M, N)
            Pixels that were transparent because they were missing, and are to be seen now.

        Returns
        -------
        extras : Extras
            New extras.

        Examples
        --------
        >>> import numpy as np
        >>> from skinpaint.io import Extras
        >>> Extras(alpha=np.array([[0, 90]], np.uint8)).opaque_where(np.array([[True, False]])).alpha
        array([[255,  90]], dtype=uint8)
        """
        if self.alpha is None:
            return self
        return replace(self, alpha=np.where(filled, _opaque(self.alpha.dtype), self.alpha).astype(self.alpha.dtype))


def read(path: str | Path) -> tuple[np.ndarray, Extras]:
    """Read a picture from a PNG, JPEG, TIFF or WebP file.

    Parameters
    ----------
    path : str or Path
        The file; its format is told from its contents.

    Returns
    -------
    image : ndarray of shape (M, N) or (M, N, 3)
        Grey or RGB, in the depth of the file: 8 or 16 bits, or whatever a TIFF holds. It is the right way up:
        the EXIF orientation has been applied. Palettes become RGB, and one bit becomes 0 and 255.
    extras : Extras
        Alpha, colour profile, resolution and EXIF data.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it holds no picture that can be restored and written back: it is damaged, CMYK, animated, or has
        several pages. A volume is restored from Python, as an array.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from pathlib import Path
    >>> from skinpaint.io import read, write
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder, "grey.png"), np.full((4, 6), 40_000, np.uint16))
    ...     image, extras = read(Path(folder, "grey.png"))
    >>> image.shape, image.dtype, int(image[0, 0])
    ((4, 6), dtype('uint16'), 40000)
    """
    path = Path(path)
    with path.open("rb") as file:
        head = file.read(25)
    if head.startswith(PNG_SIGNATURE) and head[24:] == b"\x10":
        decode = _read_deep_png
    elif head.startswith(TIFF_SIGNATURES):
        decode = _read_tiff
    else:
        decode = _read_with_pillow
    try:
        return decode(path)
    except Exception as error:  # decoders raise anything, from SyntaxError to struct.error
        raise ValueError(f"{path} cannot be read as a picture: {error}") from error


def write(path: str | Path, image: np.ndarray, extras: Extras | None = None, *, overwrite: bool = False) -> None:
    """Write a picture to a PNG, JPEG, TIFF or WebP file, whole or not at all.

    PNG, TIFF and WebP are written without loss. JPEG is written at high quality, but changes every pixel a
    little; grey becomes RGB in WebP, which knows no grey.

    Parameters
    ----------
    path : str or Path
        The file; its suffix is the format.
    image : ndarray of shape (M, N) or (M, N, 3)
        Grey or RGB. uint8 fits every format, uint16 PNG and TIFF, anything else TIFF alone.
    extras : Extras, optional
        What :func:`read` returned beside the picture.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    ValueError
        If the format is unknown, or cannot hold the picture's dtype or alpha.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint.io import write
    >>> write("deep.jpg", np.zeros((4, 6), np.uint16))
    Traceback (most recent call last):
        ...
    ValueError: deep.jpg cannot be written: JPEG does not hold uint16 data. Write PNG or TIFF instead.
    """
    path = Path(path)
    extras = Extras() if extras is None else extras
    image = np.asarray(image)
    check_target(path, image.dtype, extras, overwrite=overwrite)
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise ValueError(
            f"The 'image' parameter of write must have shape (M, N) or (M, N, 3). Got {image.shape} instead."
        )
    with whole_file(path, overwrite=overwrite) as partial:
        if FORMATS[path.suffix.lower()] == "TIFF":
            _write_tiff(partial, image, extras)
        elif image.dtype.itemsize == 2:
            _write_deep_png(partial, image, extras)
        else:
            _write_with_pillow(partial, image, extras)


def check_target(
    path: str | Path,
    dtype: np.dtype | type = np.uint8,
    extras: Extras | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Raise now the error that :func:`write` would raise later, after the work.

    Parameters
    ----------
    path : str or Path
        The file that is to be written.
    dtype : dtype, optional
        The picture's.
    extras : Extras, optional
        What is to be written beside the picture.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    ValueError
        If the format is unknown, or cannot hold the dtype or alpha.

    Examples
    --------
    >>> from skinpaint.io import check_target
    >>> check_target("picture.bmp")
    Traceback (most recent call last):
        ...
    ValueError: picture.bmp cannot be written: its suffix must be one of .png, .jpg, .jpeg, .tif, .tiff, .webp.
    """
    path, dtype = Path(path), np.dtype(dtype)
    name = FORMATS.get(path.suffix.lower())
    if name is None:
        raise ValueError(f"{path} cannot be written: its suffix must be one of {', '.join(FORMATS)}.")
    held = {"PNG": dtype in (np.uint8, np.uint16), "TIFF": dtype.kind in "iuf"}.get(name, dtype == np.uint8)
    if not held:
        others = "PNG or TIFF" if dtype == np.uint16 else "TIFF"
        raise ValueError(f"{path} cannot be written: {name} does not hold {dtype} data. Write {others} instead.")
    if name == "JPEG" and extras is not None and extras.alpha is not None:
        opaque = _opaque(extras.alpha.dtype)
        if (extras.alpha != opaque).any():
            raise ValueError(f"{path} cannot be written: JPEG holds no alpha channel. Write PNG, TIFF or WebP instead.")
    check_place(path, overwrite=overwrite)


def check_place(path: str | Path, *, overwrite: bool = False) -> None:
    """Raise now the error about a file's place that writing it would raise later, after the work.

    Parameters
    ----------
    path : str or Path
        The file that is to be written.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    FileNotFoundError
        If its folder does not exist.
    IsADirectoryError
        If it is a folder.

    Examples
    --------
    >>> from skinpaint.io import check_place
    >>> check_place("nowhere/report.json")
    Traceback (most recent call last):
        ...
    FileNotFoundError: nowhere/report.json cannot be written: the folder nowhere does not exist.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} cannot be written: it is a folder.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists. Choose another name, or pass overwrite (--overwrite) to replace it.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: the folder {path.parent} does not exist.")


def read_mask(path: str | Path, *, threshold: float = 128) -> np.ndarray:
    """Read a mask that was drawn in a paint program: bright means missing.

    Colours are read as grey, and what is transparent as black. The strokes of paint programs have soft edges,
    so the grey is compared with a threshold.

    Parameters
    ----------
    path : str or Path
        A PNG, JPEG, TIFF or WebP file.
    threshold : float in (0, 255], optional
        The darkest grey that means missing, on the scale of 8 bits whatever the depth of the file.

    Returns
    -------
    mask : ndarray of bool, of shape (M, N)
        True where missing.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it cannot be read, or marks no pixel.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from pathlib import Path
    >>> from skinpaint.io import read_mask, write
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder, "mask.png"), np.array([[0, 60, 200, 255]], np.uint8))
    ...     read_mask(Path(folder, "mask.png"))
    array([[False, False,  True,  True]])
    """
    if not 0 < threshold <= 255:
        raise ValueError(
            f"The 'threshold' parameter of read_mask must be a number in (0, 255]. Got {threshold!r} instead."
        )
    image, extras = read(path)
    grey = image @ GREY_WEIGHTS if image.ndim == 3 else image.astype(float)
    if extras.alpha is not None:
        grey = grey * (extras.alpha / _opaque(extras.alpha.dtype))
    grey *= 255 / _opaque(image.dtype)
    mask = np.round(grey, 6) >= threshold
    if not mask.any():
        raise ValueError(
            f"The mask {path} marks no pixel as missing: its brightest grey is {grey.max():.3g} of 255, "
            f"below the threshold {threshold:g}. Bright means missing; invert the mask or lower the threshold."
        )
    return mask


@contextmanager
def whole_file(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path`; what was written there takes its place if nothing went wrong.

    Parameters
    ----------
    path : str or Path
        The file that is to be written, whole or not at all.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Yields
    ------
    partial : Path
        Where to write; it has the same suffix.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    FileNotFoundError
        If its folder does not exist.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skinpaint.io import whole_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole_file(Path(folder, "note.txt")) as partial:
    ...         _ = partial.write_text("all of it")
    ...     [path.name for path in Path(folder).iterdir()]
    ['note.txt']
    """
    path = Path(path)
    check_place(path, overwrite=overwrite)
    partial = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _opaque(dtype: np.dtype) -> float:
    """Return the value of full opacity, which is also white."""
    return np.iinfo(dtype).max if dtype.kind in "iu" else 1


def _read_with_pillow(path: Path) -> tuple[np.ndarray, Extras]:
    from PIL import Image, UnidentifiedImageError

    try:
        file = Image.open(path, formats=("PNG", "JPEG", "TIFF", "WEBP"))
    except UnidentifiedImageError:
        raise ValueError("its contents are not PNG, JPEG, TIFF or WebP.") from None
    with file:
        # A phone's MPO is a JPEG with previews behind it; its first frame is the picture.
        n_frames = getattr(file, "n_frames", 1)
        if n_frames > 1 and file.format != "MPO":
            raise ValueError(f"it holds {n_frames} frames. Save them as single pictures first.")
        orientation = file.getexif().get(ORIENTATION, 1)
        pixels = np.array(_in_plain_mode(file))
        turned_already = file.format == "TIFF"
        return _picture(pixels, 1 if turned_already else orientation, _extras(file, orientation))


def _in_plain_mode(file: Image.Image) -> Image.Image:
    """Return the picture in a mode that is grey or RGB, with or without alpha."""
    if file.mode in ("1", "L", "LA", "La"):
        return file.convert("LA" if file.has_transparency_data else "L")
    if file.mode in ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"):
        return file.convert("RGBA" if file.has_transparency_data else "RGB")
    raise ValueError(f"it holds {file.mode} data. Convert it to grey or RGB in a program that knows its colours.")


def _read_deep_png(path: Path) -> tuple[np.ndarray, Extras]:
    """Read 16 bits a channel, of which Pillow would drop half."""
    import png
    from PIL import Image

    with path.open("rb") as file:
        reader = png.Reader(file=file)
        reader.preamble()
        reader.sbit = None  # it would shift the values
        width, height, rows, info = reader.asDirect()
        pixels = np.empty((height, width * info["planes"]), np.uint16)
        for y, row in enumerate(rows):
            pixels[y] = row
    with Image.open(path) as file:
        orientation = file.getexif().get(ORIENTATION, 1)
        return _picture(pixels.reshape(height, width, -1), orientation, _extras(file, orientation))


def _read_tiff(path: Path) -> tuple[np.ndarray, Extras]:
    """Read whatever a TIFF may hold; 8 bits by Pillow, which knows more compressions, the rest by tifffile."""
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
            return _read_with_pillow(path)
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
        extras = Extras(icc_profile=page.tags.valueof("InterColorProfile"), dpi=_plausible_dpi(dpi, orientation))
        return _picture(pixels, orientation, extras)


def _extras(file: Image.Image, orientation: int) -> Extras:
    exif = file.getexif()
    exif.pop(ORIENTATION, None)
    return Extras(
        icc_profile=file.info.get("icc_profile"),
        dpi=_plausible_dpi(file.info.get("dpi", ()), orientation),
        exif=exif.tobytes() if len(exif) else None,
    )


def _plausible_dpi(dpi: Sequence[float], orientation: int) -> tuple[float, float] | None:
    """Return the resolution across and down the picture once it is upright; files hold 0 and worse."""
    if len(dpi) != 2 or not all(1 <= number <= 1e5 for number in dpi):
        return None
    across, down = (round(float(number), 2) for number in dpi)
    return (down, across) if orientation >= 5 else (across, down)


def _picture(pixels: np.ndarray, orientation: int, extras: Extras) -> tuple[np.ndarray, Extras]:
    """Turn the pixels the right way up and take the alpha out of them."""
    pixels = np.ascontiguousarray(_upright(pixels, orientation).astype(pixels.dtype.newbyteorder("="), copy=False))
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return pixels, extras
    if pixels.shape[2] not in (2, 4):
        raise ValueError(f"it holds {pixels.shape[2]} channels. Convert it to grey or RGB first.")
    colours, alpha = pixels[..., :-1].copy(), pixels[..., -1].copy()
    return colours[..., 0] if colours.shape[2] == 1 else colours, replace(extras, alpha=alpha)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation: odd flips and quarter turns, counted from 1, which is upright."""
    return {
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: np.rot90(p, -1),
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
        8: lambda p: np.rot90(p),
    }.get(orientation, lambda p: p)(pixels)


def _with_alpha(image: np.ndarray, extras: Extras) -> np.ndarray:
    return image if extras.alpha is None else np.dstack([image, extras.alpha])


def _write_with_pillow(path: Path, image: np.ndarray, extras: Extras) -> None:
    from PIL import Image

    name = FORMATS[path.suffix.lower()]
    profile = extras.icc_profile
    if name == "WebP" and image.ndim == 2:
        image = np.stack([image] * 3, axis=-1)
        if profile is not None and profile[16:20] == b"GRAY":  # it would not fit RGB
            profile = None
    lossy: dict[str, Any] = {"quality": 95, "subsampling": 0, "optimize": True}
    lossless: dict[str, Any] = {"lossless": True, "exact": True}
    options: dict[str, Any] = {"JPEG": lossy, "WebP": lossless}.get(name, {})
    if profile is not None:
        options["icc_profile"] = profile
    if extras.dpi is not None:
        options["dpi"] = extras.dpi
    if extras.exif is not None:
        options["exif"] = extras.exif
    pixels = image if name == "JPEG" else _with_alpha(image, extras)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, format=name, **options)


def _write_deep_png(path: Path, image: np.ndarray, extras: Extras) -> None:
    """Write 16 bits a channel, which Pillow holds for grey alone, chunk by chunk."""
    import png

    pixels = _with_alpha(image, extras)
    height, width = pixels.shape[:2]
    planes = pixels.size // (height * width)
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[planes]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))]
    if extras.icc_profile is not None:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(extras.icc_profile)))
    if extras.dpi is not None:
        chunks.append((b"pHYs", struct.pack(">IIB", *(round(dpi / 0.0254) for dpi in extras.dpi), 1)))
    if extras.exif is not None:
        chunks.append((b"eXIf", extras.exif.removeprefix(b"Exif\0\0")))
    rows = np.ascontiguousarray(pixels, ">u2").view(np.uint8).reshape(height, -1)
    differences = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))  # filter 2, "up": compresses better
    filtered = np.pad(differences, ((0, 0), (1, 0)), constant_values=2)
    chunks += [(b"IDAT", zlib.compress(filtered.tobytes())), (b"IEND", b"")]
    with path.open("wb") as file:
        png.write_chunks(file, chunks)


def _write_tiff(path: Path, image: np.ndarray, extras: Extras) -> None:
    import tifffile

    tifffile.imwrite(
        path,
        _with_alpha(image, extras),
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
