"""What a codec states about its file format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from skinpaint.io.extras import Extras

__all__ = ["Codec", "Unreadable", "listed"]


class Unreadable(ValueError):
    """Why a file is not read: what follows "FILE cannot be read as a picture:", to the full stop."""


@dataclass(frozen=True, kw_only=True)
class Codec:
    """One file format, or one depth of it: how it is recognised, what it holds, how it is read and written.

    Attributes
    ----------
    name : str
        The name of the format. Several codecs may share it, for other dtypes.
    suffixes : tuple of str
        The suffixes of its files, in small letters.
    recognises : callable
        ``recognises(head) -> bool``, from the first 32 bytes of a file.
    holds : callable
        ``holds(dtype) -> bool``: whether it holds pictures of a dtype.
    read : callable
        ``read(path) -> (image, extras)``. It raises :class:`Unreadable` for what it refuses; whatever else it raises
        means that the file is damaged.
    write : callable or None
        ``write(path, image, extras)``, for an image of a dtype that it holds; None for a format that is only read. It
        returns what it could not write, in words, or None.
    library : callable or None
        ``library()`` raises :class:`Unreadable` where the library that writes it is not installed.
    keeps : tuple of str
        Which of "alpha", "icc_profile", "dpi", "exif" and "xmp" of the Extras it holds; "missing" if a mask of the
        file that was read is written back.
    lossless : bool
        Whether known pixels survive being written.
    stacks : bool
        Whether it holds arrays of any number of axes, and not only pictures in grey and RGB.
    least_axes : int
        The fewest axes of an array that it holds.
    max_side : int or None
        The most pixels that a side of a picture may have.
    """

    name: str
    suffixes: tuple[str, ...]
    recognises: Callable[[bytes], bool]
    holds: Callable[[np.dtype], bool]
    read: Callable[[Path], tuple[np.ndarray, Extras]]
    write: Callable[[Path, np.ndarray, Extras], Iterable[str] | None] | None = None
    library: Callable[[], object] | None = None
    keeps: tuple[str, ...] = ()
    lossless: bool = True
    stacks: bool = False
    least_axes: int = 2
    max_side: int | None = None


def listed(names: Iterable[str], conjunction: str) -> str:
    """Join names as in a sentence, each once.

    Examples
    --------
    >>> listed(["PNG", "PNG", "TIFF", "WebP"], "or")
    'PNG, TIFF or WebP'
    """
    *first, last = dict.fromkeys(names)
    return f"{', '.join(first)} {conjunction} {last}" if first else last
