"""Read and write pictures, in any of the formats of the table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from skinpaint.io.codec import Codec, listed
from skinpaint.io.extras import Extras, MetadataWarning, is_opaque
from skinpaint.io.files import check_place, whole_file
from skinpaint.io.fits import FITS
from skinpaint.io.heif import HEIC
from skinpaint.io.npy import NPY, NPZ
from skinpaint.io.pillow import BMP, GIF, JPEG, PNG, WEBP
from skinpaint.io.png16 import PNG16
from skinpaint.io.tiff import TIFF
from skinpaint.solution import warn

__all__ = ["CODECS", "FORMATS", "READABLE", "check_target", "is_lossless", "read", "write"]

CODECS: tuple[Codec, ...] = (PNG16, PNG, JPEG, TIFF, WEBP, BMP, FITS, NPY, NPZ, GIF, HEIC)
"""The codecs; the first that recognises a file reads it. To add one: a file in this folder, and its lines here."""

FORMATS = {suffix: codec.name for codec in CODECS if codec.write for suffix in codec.suffixes}
"""Formats by the suffix of a file that is written; a file that is read is known by its contents."""

READABLE = {suffix: codec.name for codec in CODECS for suffix in codec.suffixes}
"""Formats by the suffix of a file that is read."""

HEAD = 32  # bytes from which a format is recognised


def read(path: str | Path) -> tuple[np.ndarray, Extras]:
    """Read a picture, a stack or a volume from a file.

    Parameters
    ----------
    path : str or Path
        The file; its format is told from its contents.

    Returns
    -------
    image : ndarray of shape (M, N) or (M, N, 3), or of more axes
        Grey or RGB in the depth of the file; for TIFF, FITS and NumPy files whatever they hold. A picture is the right
        way up: the EXIF orientation has been applied. Palettes become RGB, and one bit becomes 0 and 255.
    extras : Extras
        What the axes are, alpha, nodata values, colour profile, resolution and other metadata.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it holds nothing that can be restored and written back: it is damaged, CMYK, animated, or holds pictures of
        several sizes.

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
        head = file.read(HEAD)
    codec = next((codec for codec in CODECS if codec.recognises(head)), None)
    if codec is None:
        raise ValueError(
            f"{path} cannot be read as a picture: its contents are not {listed((c.name for c in CODECS), 'or')}."
        )
    try:
        image, extras = codec.read(path)
        return image, extras if extras.axes else replace(extras, axes="YXS"[: image.ndim])
    except Exception as error:  # decoders raise anything, from SyntaxError to struct.error
        raise ValueError(f"{path} cannot be read as a picture: {error}") from error


def write(path: str | Path, image: np.ndarray, extras: Extras | None = None, *, overwrite: bool = False) -> None:
    """Write a picture, a stack or a volume to a file, whole or not at all.

    All formats but JPEG are written without loss. JPEG changes every pixel a little, at the quality that the JPEG had
    which was read, or else at a high one; grey becomes RGB in WebP, which knows no grey.

    Parameters
    ----------
    path : str or Path
        The file; its suffix is the format.
    image : ndarray of shape (M, N) or (M, N, 3), or of more axes
        Grey or RGB; TIFF, FITS and NumPy files hold more axes. uint8 fits every format, uint16 also PNG, anything else
        only those three.
    extras : Extras, optional
        What :func:`read` returned beside the picture.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    ValueError
        If the format is unknown, or cannot hold the picture's axes, dtype or alpha.

    Warns
    -----
    MetadataWarning
        If the file cannot hold something that was read beside the picture.

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
    check_target(path, image.dtype, extras, overwrite=overwrite, shape=image.shape)
    codec = _codec(path, image.dtype)
    carried = extras.carried
    lost = list(extras.lost)
    if carried is not None and (carried.format != codec.name or carried.shape != image.shape):
        lost += [carried.what] if carried.what else []
        extras = replace(extras, carried=None)
    if codec.stacks and extras.exif is not None:
        lost.append("EXIF data")
    with whole_file(path, overwrite=overwrite) as partial:
        codec.write(partial, image, extras)  # type: ignore[misc]  # _codec gives one that writes
    if lost:
        warn(f"{path} does not hold what its source does: {listed(lost, 'and')}.", MetadataWarning)


def check_target(
    path: str | Path,
    dtype: np.dtype | type = np.uint8,
    extras: Extras | None = None,
    *,
    overwrite: bool = False,
    shape: tuple[int, ...] | None = None,
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
    shape : tuple of int, optional
        The picture's.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    ValueError
        If the format is unknown, or cannot hold the shape, the dtype or alpha.

    Examples
    --------
    >>> from skinpaint.io import check_target
    >>> check_target("picture.gif")
    Traceback (most recent call last):
        ...
    ValueError: picture.gif cannot be written: GIF is only read. Write PNG, TIFF or WebP instead.
    """
    path, dtype = Path(path), np.dtype(dtype)
    codec = _codec(path, dtype)
    if shape is not None and not codec.stacks and not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)):
        others = listed((each.name for each in CODECS if each.stacks and each.write), "or")
        raise ValueError(
            f"{path} cannot be written: {codec.name} holds arrays of shape (M, N) or (M, N, 3). Got {shape} instead. "
            f"Write {others}."
        )
    if not codec.alpha and extras is not None and extras.alpha is not None and not is_opaque(extras.alpha):
        others = listed((each.name for each in CODECS if each.alpha and each.holds(dtype)), "or")
        raise ValueError(f"{path} cannot be written: {codec.name} holds no alpha channel. Write {others} instead.")
    check_place(path, overwrite=overwrite)


def _codec(path: Path, dtype: np.dtype) -> Codec:
    """The codec that writes a file of this suffix and dtype, or the sentence that there is none."""
    suffix = path.suffix.lower()
    pictures = [each.name for each in CODECS if each.write and each.lossless and each.alpha and each.holds(dtype)]
    way_out = f"Write {listed(pictures, 'or')} instead." if pictures else "Convert it first."
    if suffix in READABLE and suffix not in FORMATS:
        raise ValueError(f"{path} cannot be written: {READABLE[suffix]} is only read. {way_out}")
    if suffix not in FORMATS:
        raise ValueError(f"{path} cannot be written: its suffix must be one of {', '.join(FORMATS)}.")
    codec = next((codec for codec in CODECS if codec.write and suffix in codec.suffixes and codec.holds(dtype)), None)
    if codec is None:
        raise ValueError(f"{path} cannot be written: {FORMATS[suffix]} does not hold {dtype} data. {way_out}")
    return codec


def is_lossless(path: str | Path) -> bool:
    """Whether a file of this suffix can be written, and keeps every pixel.

    Examples
    --------
    >>> is_lossless("photo.png"), is_lossless("photo.jpg"), is_lossless("photo.heic")
    (True, False, False)
    """
    suffix = Path(path).suffix.lower()
    return any(codec.write is not None and codec.lossless and suffix in codec.suffixes for codec in CODECS)
