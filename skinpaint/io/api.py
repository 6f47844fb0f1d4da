"""Read and write pictures, in any of the formats of the table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from skinpaint.io.codec import Codec, Unreadable, listed
from skinpaint.io.decoders import one_line, remarks, warnings_of
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
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
BESIDE = {"icc_profile": "the colour profile", "dpi": "the resolution", "exif": "EXIF data", "xmp": "XMP data"}


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

    Warns
    -----
    MetadataWarning
        If the decoder found fault with something beside the pixels.

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
    refused = f"{path} cannot be read as a picture"
    if path.exists() and not (path.is_file() or path.is_dir()):  # opening a pipe waits, and it is read only once
        raise ValueError(f"{refused}: it is a pipe or a device. Save what comes from it as a file first.")
    with path.open("rb") as file:
        head = file.read(HEAD)
    codec = next((codec for codec in CODECS if codec.recognises(head)), None)
    if codec is None:
        raise ValueError(f"{refused}: {_unknown(head)}")
    try:
        with warnings_of(path):
            image, extras = codec.read(path)
            if not image.size:
                raise Unreadable(f"it holds no pixels: its shape is {image.shape}.")
    except Unreadable as error:
        raise ValueError(f"{refused}: {error}") from None
    except MemoryError as error:
        raise ValueError(f"{refused}: it takes more memory than there is.") from error
    except Exception as error:  # decoders raise anything, from SyntaxError to struct.error
        why = one_line(error)
        raise ValueError(f"{refused}: it is damaged{f' ({why})' if why else ''}.") from error
    return image, extras if extras.axes else replace(extras, axes="YXS"[: image.ndim])


def _unknown(head: bytes) -> str:
    """What to say about a file whose contents no codec recognises."""
    packed = next((name for start, name in PACKED.items() if head.startswith(start)), None)
    if packed is not None:
        return f"it is compressed by {packed}. Unpack it first: {packed} -d FILE."
    known = listed((codec.name for codec in CODECS), "or")
    return f"its contents are not {known}. Convert it, or load it with its own library and pass skinpaint.inpaint that."


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
        What :func:`read` returned beside the picture. What was filled stays marked by a MASK in FITS, and hidden by
        alpha, unless they are told: ``extras.known_where(filled).shown_where(filled)``.
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
    image = image.astype(image.dtype.newbyteorder("="), copy=False)
    check_target(path, image.dtype, extras, overwrite=overwrite, shape=image.shape)
    codec = _codec(path, image.dtype)
    carried, lost = extras.carried, list(extras.lost)
    if carried is not None and (carried.format != codec.name or carried.shape != image.shape):
        lost += [carried.what] if carried.what else []
        extras = replace(extras, carried=None)
    if extras.black is not None and not codec.stacks:  # data formats hold numbers, and pictures brightness
        image = extras.as_seen(image)
        lost.append("values in which 0 is white (they were inverted)")
    lost += [what for name, what in BESIDE.items() if getattr(extras, name) is not None and name not in codec.keeps]
    if extras.missing is not None and extras.missing.any() and (extras.carried is None or "missing" not in codec.keeps):
        lost.append("a mask of its own")
    with whole_file(path, overwrite=overwrite) as partial, remarks():  # of what was read, which have been said then
        try:
            lost += codec.write(partial, image, extras) or ()  # type: ignore[misc]  # _codec gives one that writes
        except OSError as error:
            if error.errno is not None:
                raise
            raise OSError(f"{path} cannot be written: {one_line(error)}. Is the disk full?") from error  # by NumPy
        except MemoryError:
            raise
        except Exception as error:  # encoders raise anything about what they were given from a damaged file
            raise ValueError(f"{path} cannot be written: {one_line(error)}.") from error
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
        If the format is unknown, cannot hold the shape, the dtype or alpha, or needs a library that is not installed.

    Examples
    --------
    >>> from skinpaint.io import check_target
    >>> check_target("picture.gif")
    Traceback (most recent call last):
        ...
    ValueError: picture.gif cannot be written: GIF is only read. Write PNG, TIFF or WebP instead.
    """
    path, dtype = Path(path), np.dtype(dtype).newbyteorder("=")
    codec = _codec(path, dtype)
    refused = f"{path} cannot be written"
    if shape is not None and not codec.stacks and not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)):
        others = listed((each.name for each in CODECS if each.stacks and each.write), "or")
        raise ValueError(
            f"{refused}: {codec.name} holds arrays of shape (M, N) or (M, N, 3). Got {shape} instead. Write {others}."
        )
    if shape is not None and len(shape) < codec.least_axes:
        others = listed((each.name for each in CODECS if each.least_axes == 1 and each.holds(dtype)), "or")
        raise ValueError(
            f"{refused}: {codec.name} holds arrays of at least {codec.least_axes} axes. Got shape {shape} instead. "
            f"Write {others}."
        )
    if shape is not None and codec.max_side is not None and max(shape) > codec.max_side:
        raise ValueError(
            f"{refused}: a side of a {codec.name} is {codec.max_side:,} pixels at most. Got {max(shape):,} instead. "
            f"{_way_out(dtype)}"
        )
    if "alpha" not in codec.keeps and extras is not None and extras.alpha is not None and not is_opaque(extras.alpha):
        others = listed((each.name for each in CODECS if "alpha" in each.keeps and each.holds(dtype)), "or")
        raise ValueError(f"{refused}: {codec.name} holds no alpha channel. Write {others} instead.")
    if codec.library is not None:
        try:
            codec.library()
        except Unreadable as error:
            raise ValueError(f"{refused}: {error}") from None
    check_place(path, overwrite=overwrite)


def _codec(path: Path, dtype: np.dtype) -> Codec:
    """The codec that writes a file of this suffix and dtype, or the sentence that there is none."""
    suffix = path.suffix.lower()
    if suffix in READABLE and suffix not in FORMATS:
        raise ValueError(f"{path} cannot be written: {READABLE[suffix]} is only read. {_way_out(dtype)}")
    if suffix not in FORMATS:
        suffixes = dict.fromkeys(end for each in CODECS if each.write and each.holds(dtype) for end in each.suffixes)
        raise ValueError(f"{path} cannot be written: its suffix must be one of {', '.join(suffixes or FORMATS)}.")
    codec = next((codec for codec in CODECS if codec.write and suffix in codec.suffixes and codec.holds(dtype)), None)
    if codec is None:
        raise ValueError(f"{path} cannot be written: {FORMATS[suffix]} does not hold {dtype} data. {_way_out(dtype)}")
    return codec


def _way_out(dtype: np.dtype) -> str:
    """What to write instead: the formats that hold pictures of a dtype without loss, with their alpha."""
    names = [each.name for each in CODECS if each.lossless and "alpha" in each.keeps and each.holds(dtype)]
    return f"Write {listed(names, 'or')} instead." if names else "Convert the data to integers or floats first."


def is_lossless(path: str | Path) -> bool:
    """Whether a file of this suffix can be written, and keeps every pixel.

    Examples
    --------
    >>> is_lossless("photo.png"), is_lossless("photo.jpg"), is_lossless("photo.heic")
    (True, False, False)
    """
    suffix = Path(path).suffix.lower()
    return any(codec.write is not None and codec.lossless and suffix in codec.suffixes for codec in CODECS)
