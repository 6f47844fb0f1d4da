"""Read and write pictures, in any of the formats of the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skinpaint.io.codec import Codec, listed
from skinpaint.io.extras import Extras, is_opaque
from skinpaint.io.files import check_place, whole_file
from skinpaint.io.pillow import JPEG, PNG, WEBP
from skinpaint.io.png16 import PNG16
from skinpaint.io.tiff import TIFF

__all__ = ["CODECS", "FORMATS", "check_target", "read", "write"]

CODECS: tuple[Codec, ...] = (PNG16, PNG, JPEG, TIFF, WEBP)
"""The codecs; the first that recognises a file reads it. To add one: a file in this folder, and its lines here."""

FORMATS = {suffix: codec.name for codec in CODECS for suffix in codec.suffixes}
"""Formats by the suffix of a file that is written; a file that is read is known by its contents."""

HEAD = 32  # bytes from which a format is recognised


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
        head = file.read(HEAD)
    codec = next((codec for codec in CODECS if codec.recognises(head)), None)
    if codec is None:
        raise ValueError(
            f"{path} cannot be read as a picture: its contents are not {listed((c.name for c in CODECS), 'or')}."
        )
    try:
        return codec.read(path)
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
        _codec(path, image.dtype).write(partial, image, extras)


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
    codec = _codec(path, dtype)
    if not codec.alpha and extras is not None and extras.alpha is not None and not is_opaque(extras.alpha):
        others = listed((each.name for each in CODECS if each.alpha and each.holds(dtype)), "or")
        raise ValueError(f"{path} cannot be written: {codec.name} holds no alpha channel. Write {others} instead.")
    check_place(path, overwrite=overwrite)


def _codec(path: Path, dtype: np.dtype) -> Codec:
    """The codec that writes a file of this suffix and dtype, or the sentence that there is none."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(f"{path} cannot be written: its suffix must be one of {', '.join(FORMATS)}.")
    codec = next((codec for codec in CODECS if suffix in codec.suffixes and codec.holds(dtype)), None)
    if codec is None:
        names = [each.name for each in CODECS if each.holds(dtype)]
        way_out = f"Write {listed(names, 'or')} instead." if names else "Convert it first."
        raise ValueError(f"{path} cannot be written: {FORMATS[suffix]} does not hold {dtype} data. {way_out}")
    return codec
