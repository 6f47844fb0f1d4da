"""Figures of merit: how far an image is from the truth."""

from __future__ import annotations

import numpy as np

from skinpaint.masks import as_bool
from skinpaint.wording import is_axis, require

__all__ = ["CEILING", "GREY_LEVEL", "check_truth", "difference", "peak", "psnr", "ssim"]

GREY_LEVEL = 1 / 255
"""Floats in [0, 1] are grey levels by convention, unless all are below the first one: then they are in some unit."""
CEILING = 120.0
"""PSNR of a perfect answer, in dB: an error of a millionth of the range, finer than sixteen bits resolve."""


@np.errstate(under="ignore")  # the square of a small error
def psnr(truth: np.ndarray, image: np.ndarray, where: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio of `image` against `truth`, in dB.

    Integers of at most 16 bits are measured against the range of their dtype, floats in [0, 1] against 1: both are
    conventions that make figures comparable from image to image. No other values have such a convention (heights,
    counts, temperatures, and floats that do not reach 1/255, a grey level), so their own finite range is the peak, and
    a change of unit changes no score.

    Parameters
    ----------
    truth : ndarray
        The truth. Masked and non-finite entries are left out.
    image : ndarray of the same shape
        What is compared with it. Masked entries are left out, as they were not restored.
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
    values = _real(truth, "psnr")
    usable = ~np.ma.getmaskarray(truth) & np.isfinite(values)
    compared = usable & ~np.ma.getmaskarray(image)
    if where is not None:
        compared &= _everywhere(where, values.shape, None, "psnr")
    if not compared.any():
        raise ValueError("psnr needs at least one finite value of the truth to compare with. Got none.")
    with np.errstate(over="ignore"):
        error = difference(_real(image, "psnr")[compared], values[compared])
        largest = peak(values[usable])
    if not np.isfinite(error).all():
        raise ValueError(f"psnr needs a finite image. Got {np.sum(~np.isfinite(error))} values that are not.")
    if not np.isfinite(largest):
        raise ValueError(
            "psnr needs a truth whose range is a float. Got one that overflows. Divide both images by a constant first."
        )
    relative = float(np.sqrt(np.mean(np.square(error / largest))))
    return CEILING if relative == 0 else min(CEILING, float(-20 * np.log10(relative)))


def _real(image: np.ndarray, owner: str) -> np.ndarray:
    """The numbers of an image, masked ones too."""
    values = np.asarray(np.ma.getdata(image))
    if values.dtype.kind not in "buif":
        raise TypeError(f"{owner} compares integers or real floats. Got {values.dtype} instead.")
    return values


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """One minus the other as floats. Integers may be beyond those that floats hold: their difference is exact."""
    if one.dtype.kind == "f" or other.dtype.kind == "f":
        return one.astype(float) - other.astype(float)
    above = one >= other
    one, other = one.astype(np.uint64), other.astype(np.uint64)
    return np.where(above, one - other, other - one) * np.where(above, 1.0, -1.0)


def _everywhere(where: np.ndarray, shape: tuple[int, ...], channel_axis: int | None, owner: str) -> np.ndarray:
    mask = as_bool(where, "where")
    if channel_axis is not None and mask.ndim == len(shape) - 1:
        mask = np.expand_dims(mask, channel_axis)
    try:
        return np.broadcast_to(mask, shape)
    except ValueError:
        pixels = np.shape(where) == shape[:-1]
        way_out = " Pass where[..., None] for the pixels of all channels." if pixels else ""
        raise ValueError(
            f"The 'where' parameter of {owner} must be broadcastable to the shape of the truth, {shape}. "
            f"Got the shape {np.shape(where)} instead.{way_out}"
        ) from None


@np.errstate(under="ignore")
def ssim(
    truth: np.ndarray, image: np.ndarray, where: np.ndarray | None = None, *, channel_axis: int | None = None
) -> float | None:
    """Structural similarity of `image` to `truth`, averaged over some pixels.

    Values without a convention are measured from the lowest one of the truth, in units of its range: see `psnr`. So a
    change of unit changes no score here, either.

    Parameters
    ----------
    truth : ndarray of shape (M[, N[, ..., P]][, C])
        The truth.
    image : ndarray of the same shape
        What is compared with it.
    where : ndarray of bool, optional
        The pixels to average over, of the same shape or of that without channels; all of them by default.
    channel_axis : int, optional
        The axis of the channels; None for an image without channels.

    Returns
    -------
    float or None
        At most 1; None if the truth or the image is masked somewhere, the truth is not finite, or it has fewer than 7
        pixels along an axis.

    Raises
    ------
    ValueError
        If shapes do not fit, `channel_axis` is no axis, nothing is left to compare, or `image` is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint.scores import ssim
    >>> truth = np.eye(9)
    >>> ssim(truth, truth), ssim(truth[:3], truth[:3])
    (1.0, None)
    """
    from skimage.metrics import structural_similarity

    values, shown = (_real(each, "ssim") for each in (truth, image))
    if values.shape != shown.shape:
        raise ValueError(
            f"ssim compares images of one shape. Got a truth of shape {values.shape} and an image of shape "
            f"{shown.shape} instead."
        )
    valid = channel_axis is None or is_axis(channel_axis, values.ndim)
    require(valid, "ssim", "channel_axis", f"None or an axis of images of shape {values.shape}", channel_axis)
    compared = np.True_ if where is None else _everywhere(where, values.shape, channel_axis, "ssim")
    if not compared.any():
        raise ValueError("ssim needs at least one pixel to average over. Got none.")
    sides = values.shape if channel_axis is None else np.delete(values.shape, channel_axis)
    masked = np.ma.getmaskarray(truth).any() or np.ma.getmaskarray(image).any()
    if min(sides, default=1) < SSIM_WINDOW or masked or not np.isfinite(values).all():
        return None
    if not np.isfinite(shown).all():
        raise ValueError(f"ssim needs a finite image. Got {np.sum(~np.isfinite(shown))} values that are not.")
    with np.errstate(over="ignore"):
        lowest, largest = _scale(values)
        values, shown = (difference(each, np.asarray(lowest)) / largest for each in (values, shown))
    if not np.isfinite(largest):
        raise ValueError(
            "ssim needs a truth whose range is a float. Got one that overflows. Divide both images by a constant first."
        )
    _, similarity = structural_similarity(values, shown, data_range=1.0, channel_axis=channel_axis, full=True)
    return float(similarity[np.broadcast_to(compared, similarity.shape)].mean())


SSIM_WINDOW = 7
MAX_UNLIKE, MAX_RATIO = 0.2, 4.0  # median difference of known pixels from the truth, and ratio, of their spreads
SPREAD = (0.05, 0.95)  # quantiles between which values are spread, whatever a few are


def check_truth(truth: np.ndarray, image: np.ndarray, missing: np.ndarray, owner: str) -> None:
    """Refuse a truth that does not show what the known pixels of the image show, or no missing one.

    Parameters
    ----------
    truth, image : ndarray of the same shape
        Masked and non-finite entries of the truth are left out.
    missing : ndarray of bool, of the same shape
        Which pixels of the image are missing.
    owner : str
        Whose parameter the truth is.

    Raises
    ------
    ValueError
        If it says nothing of what is missing, the median difference of known pixels is more than a fifth of their
        spread, or one spread is four times the other.
    """
    values = np.ma.getdata(truth)
    told = ~np.ma.getmaskarray(truth) & np.isfinite(values)
    if missing.any() and not (told & missing).any():
        raise ValueError(
            f"The truth given to {owner} must show some of the pixels to fill. Got one that is masked or not finite at "
            "all of them, such as the damaged image itself. Leave it out: known pixels are hidden and predicted then."
        )
    compared = ~missing & told & np.isfinite(image)
    if not compared.any():
        return
    known, true = image[compared].astype(float), values[compared].astype(float)
    smaller, larger = sorted(float(np.ptp(np.quantile(some, SPREAD))) for some in (known, true))
    if smaller * MAX_RATIO < larger or float(np.median(np.abs(true - known))) > MAX_UNLIKE * larger:
        raise ValueError(
            f"The truth given to {owner} must show what the known pixels show, on the same scale. Got values from "
            f"{true.min():g} to {true.max():g} for known pixels from {known.min():g} to {known.max():g} instead. Is it "
            "another picture, or one of another depth?"
        )


def peak(values: np.ndarray) -> float:
    """Return the range that a PSNR is measured against: see `psnr`; `values` are finite."""
    return _scale(values)[1]


def _scale(values: np.ndarray) -> tuple[float, float]:
    """What finite values are measured from, and their range: 0 and that of the convention, if there is one."""
    integers = values.dtype.kind in "iu"
    if integers and values.dtype.itemsize <= 2:
        limits = np.iinfo(values.dtype)
        return 0, float(limits.max - limits.min)
    low, high = values.min().item(), values.max().item()
    conventional = not integers and low >= 0 and GREY_LEVEL <= high <= 1
    return (0, 1.0) if conventional else (low, float(high - low) or 1.0)
