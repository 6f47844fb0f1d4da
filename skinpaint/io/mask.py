"""Masks from pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skinpaint.io.api import read
from skinpaint.io.extras import opaque

__all__ = ["read_mask"]

GREY_WEIGHTS = np.array([0.299, 0.587, 0.114])  # of red, green and blue


def read_mask(path: str | Path, *, threshold: float = 128) -> np.ndarray:
    """Read a mask that was drawn in a paint program: bright means missing.

    Colours are read as grey, and transparent pixels as black. Strokes have soft edges, so the grey is compared with a
    threshold.

    Parameters
    ----------
    path : str or Path
        A PNG, JPEG, TIFF or WebP file.
    threshold : float in (0, 255], optional
        Pixels this bright or brighter are missing, on a scale from 0 to 255 whatever the depth of the file.

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
        grey = grey * (extras.alpha / opaque(extras.alpha.dtype))
    grey *= 255 / opaque(image.dtype)
    mask = np.round(grey, 6) >= threshold
    if not mask.any():
        raise ValueError(
            f"The mask {path} marks no pixel as missing: its brightest grey is {grey.max():.3g} of 255, "
            f"below the threshold {threshold:g}. Bright means missing; invert the mask or lower the threshold."
        )
    return mask
