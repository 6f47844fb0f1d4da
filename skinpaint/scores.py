"""Figures of merit: how far an image is from the truth."""

from __future__ import annotations

import numpy as np

__all__ = ["CEILING", "peak", "psnr"]

CEILING = 120.0
"""PSNR of a perfect answer, in dB: an error of a millionth of the range, finer than sixteen bits resolve."""


def psnr(truth: np.ndarray, image: np.ndarray, where: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio of `image` against `truth`, in dB.

    Integers are measured against the range of their dtype, floats in [0, 1] against 1: both are conventions that
    make figures comparable from image to image. Any other float has no such convention (heights, temperatures),
    so its own finite range is the peak, and a change of unit changes no score.

    Parameters
    ----------
    truth : ndarray
        The truth. Masked and non-finite entries are left out.
    image : ndarray of the same shape
        What is compared with it.
    where : ndarray of bool, optional
        The pixels to compare, broadcast to the shape of `truth`; all of them by default.

    Returns
    -------
    float
        At most 120, also for a perfect answer: an infinite score would spoil every mean.

    Raises
    ------
    ValueError
        If shapes do not fit, nothing is left to compare, or `image` is not finite where it is compared.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint.scores import psnr
    >>> truth = np.zeros((4, 4))
    >>> psnr(truth, truth + 0.1)
    20.0
    >>> psnr(truth, truth)
    120.0
    """
    if np.shape(truth) != np.shape(image):
        raise ValueError(
            f"psnr compares images of one shape. Got a truth of shape {np.shape(truth)} and an image of shape "
            f"{np.shape(image)} instead."
        )
    values = np.asarray(np.ma.getdata(truth))
    usable = ~np.ma.getmaskarray(truth) & np.isfinite(values)
    compared = usable if where is None else usable & _everywhere(where, values.shape)
    if not compared.any():
        raise ValueError("psnr needs at least one finite value of the truth to compare with. Got none.")
    error = np.asarray(image)[compared].astype(float) - values[compared].astype(float)
    if not np.isfinite(error).all():
        raise ValueError(f"psnr needs a finite image. Got {np.sum(~np.isfinite(error))} values that are not.")
    relative = float(np.sqrt(np.mean(np.square(error)))) / peak(values[usable])
    return CEILING if relative == 0 else min(CEILING, float(-20 * np.log10(relative)))


def _everywhere(where: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return np.broadcast_to(where, shape)
    except ValueError:
        pixels = np.shape(where) == shape[:-1]
        way_out = " Pass where[..., None] for the pixels of all channels." if pixels else ""
        raise ValueError(
            f"The 'where' parameter of psnr must be broadcastable to the shape of the truth, {shape}. "
            f"Got the shape {np.shape(where)} instead.{way_out}"
        ) from None


def peak(values: np.ndarray) -> float:
    """Return the range that a PSNR is measured against: see `psnr`; `values` are finite."""
    if np.issubdtype(values.dtype, np.integer):
        limits = np.iinfo(values.dtype)
        return float(limits.max - limits.min)
    low, high = float(values.min()), float(values.max())
    return 1.0 if low >= 0 and high <= 1 else (high - low) or 1.0
