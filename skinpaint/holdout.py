"""Hide known pixels, restore, and score the prediction: how good is a method where nobody knows the truth?

Pixels that are hidden at random have known neighbours, so that every method scores too well if the damage is a large
hole. Known pixels are therefore hidden in the same shapes as the missing ones, and near them: under a shifted copy of
the mask, by some of the widths of its holes. About as many are hidden as are missing: if a copy hides more than a tenth
of the known pixels, it is kept on some tiles of the image only. The tiles are as wide as it takes for hidden pixels to
be as far from known ones as the missing pixels are. Scattered damage then keeps its density, and holes are predicted as
holes.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np
from scipy import ndimage

from skinpaint.containers import unpack
from skinpaint.masks import as_bool
from skinpaint.problem import Problem
from skinpaint.scores import psnr
from skinpaint.wording import generator, is_number, require

__all__ = ["check_fraction", "hold_out", "score_holdout"]


def hold_out(
    image: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    channel_axis: int | None = None,
    fraction: float | None = None,
    avoid: np.ndarray | None = None,
    rng: np.random.Generator | int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hide some of the known pixels under a shifted copy of the mask and overwrite them with noise.

    Parameters
    ----------
    image : ndarray of shape (M[, N[, ..., P]][, C])
        The damaged image, or a container that `Inpainter` takes. It is not written to.
    mask : ndarray of shape (M[, N[, ..., P]][, C]), optional
        True where a pixel is missing. NaN and masked entries are missing as well; without a mask, what is
        missing is taken from the image as `Inpainter` does.
    channel_axis : int, optional
        The axis of the channels; None for an image without channels, or if the container names it.
    fraction : float, optional
        How much of the known pixels to hide, in (0, 1), for each channel that has a mask of its own. By default
        about as many as are missing, or 100 where fewer are, but at most a tenth of the known ones; a tenth if none is
        missing.
    avoid : ndarray of bool, of the shape of `hidden`, optional
        Known pixels to hide only where no other place fits, such as those that were hidden before.
    rng : numpy.random.Generator or int, optional
        Source of the shifts and of the noise.

    Returns
    -------
    noisy : ndarray
        A copy of `image` whose hidden pixels are noise, uniform over the range of the known values.
    larger : ndarray of bool
        What is missing now: `mask` and `hidden`. Of the spatial shape if all channels share one mask, else of
        the image's.
    hidden : ndarray of bool
        The pixels that were hidden, of the shape of `larger`. At least one, and never a channel's last.

    Raises
    ------
    ValueError
        If `fraction`, `avoid` or `rng` cannot be used, or no channel has two known pixels, besides the errors of
        `Inpainter`.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint.holdout import hold_out
    >>> image = np.arange(100.0).reshape(10, 10)
    >>> mask = np.zeros((10, 10), dtype=bool)
    >>> mask[3:6, 3:6] = True
    >>> noisy, larger, hidden = hold_out(image, mask, rng=0)
    >>> int(hidden.sum()), bool((hidden & mask).any()), bool((larger == hidden | mask).all())
    (9, False, True)
    >>> bool((noisy[~hidden] == image[~hidden]).all())
    True
    """
    check_fraction(fraction, "hold_out")
    rng = generator(rng, "hold_out")
    contents = unpack(image)
    channel_axis = contents.channel_axis if channel_axis is None else channel_axis
    missing = Problem.from_image(image, mask, channel_axis=channel_axis).mask
    hidden = _like_the_missing(missing, fraction, _channels_last(avoid, missing, channel_axis), rng)
    if not hidden.any():
        raise ValueError(
            "hold_out needs at least two known pixels, one to hide and one to predict it from. "
            f"Got an image of shape {contents.array.shape} with no more than one in any channel."
        )
    noisy = np.array(contents.array)
    values = noisy[..., np.newaxis] if channel_axis is None else np.moveaxis(noisy, channel_axis, -1)
    everywhere = np.broadcast_to(hidden, values.shape)
    known = values[~np.broadcast_to(missing, values.shape)]
    values[everywhere] = _noise(known, int(everywhere.sum()), rng)
    return noisy, _in_place(missing | hidden, channel_axis), _in_place(hidden, channel_axis)


def score_holdout(
    restore: Callable[[np.ndarray, np.ndarray], np.ndarray],
    image: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    channel_axis: int | None = None,
    fraction: float | None = None,
    rng: np.random.Generator | int | None = 0,
) -> float:
    """Score a restoration on known pixels that were hidden from it.

    Parameters
    ----------
    restore : callable
        ``restore(image, mask) -> image``. It gets the image with noise in place of the hidden pixels, and the
        larger mask.
    image, mask, channel_axis, fraction
        As for `hold_out`.
    rng : numpy.random.Generator or int, default=0
        As for `hold_out`; fixed by default, so that two methods are scored on the same hidden pixels.

    Returns
    -------
    float
        PSNR of the prediction of the hidden pixels, in dB.

    Raises
    ------
    ValueError
        If the prediction has another shape than the image or is not finite, besides the errors of `hold_out`.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint.holdout import score_holdout
    >>> image = np.linspace(0, 1, 64).reshape(8, 8)
    >>> mask = np.random.default_rng(0).random((8, 8)) < 0.3
    >>> fill_with_mean = lambda image, mask: np.where(mask, image[~mask].mean(), image)
    >>> 0 < score_holdout(fill_with_mean, image, mask) < 30
    True
    """
    contents = unpack(image)
    channel_axis = contents.channel_axis if channel_axis is None else channel_axis
    noisy, larger, hidden = hold_out(image, mask, channel_axis=channel_axis, fraction=fraction, rng=rng)
    compared, damage = hidden, larger & ~hidden
    if hidden.ndim < noisy.ndim:
        compared, damage = (np.expand_dims(m, channel_axis) for m in (compared, damage))  # type: ignore[arg-type]
    truth = np.ma.array(contents.array, mask=np.broadcast_to(damage, noisy.shape))
    return psnr(truth, restore(noisy, larger), where=compared)


def check_fraction(fraction: object, owner: str) -> None:
    """Refuse what is no fraction of the known pixels."""
    valid = fraction is None or (is_number(fraction) and 0 < fraction < 1)
    require(valid, owner, "fraction", "a float in (0, 1) or None", fraction)


def _in_place(mask: np.ndarray, channel_axis: int | None) -> np.ndarray:
    """Return a channels-last mask as the user's: spatial if the channels share it, else like the image."""
    return mask[..., 0] if channel_axis is None or mask.shape[-1] == 1 else np.moveaxis(mask, -1, channel_axis)


def _channels_last(avoid: np.ndarray | None, missing: np.ndarray, channel_axis: int | None) -> np.ndarray:
    """Return the user's mask in the shape of `missing`, whose channels are last."""
    if avoid is None:
        return np.zeros_like(missing)
    shared = channel_axis is None or missing.shape[-1] == 1
    avoid = as_bool(avoid, "avoid")
    last = avoid[..., np.newaxis] if shared else np.moveaxis(avoid, channel_axis, -1)  # type: ignore[arg-type]
    if last.shape != missing.shape:
        expected = _in_place(missing, channel_axis).shape
        raise ValueError(
            f"The 'avoid' parameter of hold_out must have the shape {expected} of what it hides. "
            f"Got {avoid.shape} instead."
        )
    return last


def _noise(known: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `size` values, uniform over the range of the known ones."""
    if np.issubdtype(known.dtype, np.integer):
        return rng.integers(
            int(known.min()), int(known.max()), size, dtype=known.dtype.newbyteorder("="), endpoint=True
        )
    low, high = float(known.min()), float(known.max())
    u = rng.random(size)
    return low * (1 - u) + high * u


def _like_the_missing(
    missing: np.ndarray, fraction: float | None, avoid: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Choose known pixels of each channel: as many as are wanted, new ones, and as deep as the missing ones.

    Several shifts are tried until one does, from the nearest on.
    """
    wanted = sum(_goal(missing[..., c], fraction) for c in range(missing.shape[-1]))
    deepest = _depth(missing, missing).max(initial=0.0)
    typical = _surroundings(missing, missing)
    reach = max(MIN_REACH, ceil(REACH * deepest))
    best, least = np.zeros_like(missing), np.inf
    for attempt, seed in enumerate(rng.integers(2**32, size=ATTEMPTS), 1):
        side, before, excess = 1, None, -1.0
        while excess < 0 and side <= reach:
            hidden = _on_tiles(missing, fraction, avoid, attempt * reach, side, np.random.default_rng(seed))
            if before is not None and (hidden == before).all():
                break  # there was nothing to leave out
            excess = float(np.min(_surroundings(missing | hidden, hidden) / typical)) - 1
            lack = abs(excess) + 1 - (hidden & ~avoid).sum() / max(1, wanted)
            if lack < least:
                best, least = hidden, lack
            side, before = 2 * side, hidden
        if least < TOLERANCE:
            break
    return best


MAX_FRACTION, MIN_PIXELS = 0.1, 100  # of the known pixels to hide, where no fraction is given
ATTEMPTS = 4  # shifts to try
TOLERANCE = 0.1  # relative, of the mean depth and the number of new pixels together
REACH, MIN_REACH = 4, 16  # of a shift: in depths of the deepest hole, and in pixels


def _goal(missing: np.ndarray, fraction: float | None) -> int:
    """How many known pixels of one channel to hide."""
    holes = int(np.count_nonzero(missing))
    known = missing.size - holes
    goal = round((MAX_FRACTION if fraction is None else fraction) * known)
    if fraction is None and holes:
        goal = min(goal, max(holes, MIN_PIXELS))
    return min(max(1, goal), known - 1)


def _depth(missing: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return the distances of the pixels asked about to the nearest known one of their channel."""
    channels = range(missing.shape[-1])
    return np.concatenate([ndimage.distance_transform_edt(missing[..., c])[where[..., c]] for c in channels])


def _surroundings(missing: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return two means over the pixels asked about: their depth, and how much of the 3 pixels around is missing."""
    if not where.any():
        return np.ones(2)
    channels = range(missing.shape[-1])
    boxes = [ndimage.uniform_filter(missing[..., c].astype(np.float32), 3)[where[..., c]] for c in channels]
    return np.array([_depth(missing, where).mean(), np.concatenate(boxes).mean()])


def _on_tiles(
    missing: np.ndarray, fraction: float | None, avoid: np.ndarray, reach: int, side: int, rng: np.random.Generator
) -> np.ndarray:
    """Choose known pixels of each channel, thinned out by tiles of this side.

    The channels see the same shifts and the same tiles, so that what is known of one channel where another is
    missing stays as it is in the damage itself.
    """
    shape = missing.shape[:-1]
    index = np.indices(shape) + rng.integers(side, size=(len(shape), *[1] * len(shape)))
    tiles = np.ravel_multi_index(tuple(index // side), tuple(n // side + 2 for n in shape))
    within = (index % side).max(axis=0)  # a tile that is taken in part is taken as a smaller one
    rank = rng.permutation(tiles.max() + 1)[tiles] * side + within
    seed = rng.integers(2**32)
    hidden = np.zeros_like(missing)
    for c in range(missing.shape[-1]):
        new_first = np.where(avoid[..., c], rank + rank.max() + 1, rank).ravel()
        chosen = _under_copies(missing[..., c], fraction, reach, new_first, np.random.default_rng(seed))
        hidden[..., c].flat[chosen] = True
    return hidden


def _under_copies(
    missing: np.ndarray, fraction: float | None, reach: int, rank: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the flat indices of the pixels to hide in one channel, those of lowest rank if a copy covers too many.

    A copy of the mask is shifted along each axis by `reach` at most, and several by more, so that they are as dense as
    one. Where a fraction is given, copies are added, shifted by any distance, until there are as many pixels.
    """
    free = ~missing.ravel()
    goal, known = _goal(missing, fraction), np.count_nonzero(free)
    holes = np.argwhere(missing)
    if not len(holes):
        return np.argsort(rank)[:goal]
    anywhere = np.array(missing.shape) // 2
    chosen = np.empty(0, dtype=int)
    while len(chosen) < (min(1, goal) if fraction is None else goal):
        left = goal - len(chosen)
        copies = max(1, round(left * missing.size / (len(holes) * known)))
        farthest = anywhere if len(chosen) else np.minimum(ceil(reach * copies ** (1 / missing.ndim)), anywhere)
        shifts = rng.integers(-farthest, farthest + 1, size=(copies, missing.ndim))
        shifted = (holes + shifts[:, np.newaxis]) % missing.shape
        covered = np.zeros_like(free)
        covered[np.ravel_multi_index(np.moveaxis(shifted, -1, 0), missing.shape)] = True
        hit = np.flatnonzero(covered & free)
        hit = hit[np.argsort(rank[hit], kind="stable")[:left]]
        free[hit] = False
        chosen = np.concatenate([chosen, hit])
        reach *= 2
    return chosen
