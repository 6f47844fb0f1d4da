"""What a codec states about its file format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skinpaint.io.extras import Extras

__all__ = ["Codec", "listed"]


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
        ``read(path) -> (image, extras)``. Whatever it raises becomes a sentence about the file.
    write : callable or None
        ``write(path, image, extras)``, for an image of a dtype that it holds; None for a format that is only read.
    alpha : bool
        Whether it holds an alpha channel.
    lossless : bool
        Whether known pixels survive being written.
    stacks : bool
        Whether it holds arrays of any number of axes, and not only pictures in grey and RGB.
    """

    name: str
    suffixes: tuple[str, ...]
    recognises: Callable[[bytes], bool]
    holds: Callable[[np.dtype], bool]
    read: Callable[[Path], tuple[np.ndarray, Extras]]
    write: Callable[[Path, np.ndarray, Extras], None] | None = None
    alpha: bool = True
    lossless: bool = True
    stacks: bool = False


def listed(names: Iterable[str], conjunction: str) -> str:
    """Join names as in a sentence, each once.

    Examples
    --------
    >>> listed(["PNG", "PNG", "TIFF", "WebP"], "or")
    'PNG, TIFF or WebP'
    """
    *first, last = dict.fromkeys(names)
    return f"{', '.join(first)} {conjunction} {last}" if first else last
