"""Sparse blocks: fill what is missing so that few cosines describe each of many overlapping blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, log, pi, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from skinpaint.grid.axes import Box, long_axes
from skinpaint.methods.base import CountedMethod
from skinpaint.problem import Problem
from skinpaint.solution import Filling, Reason
from skinpaint.wording import is_int, is_number, require

if TYPE_CHECKING:
    from skinpaint.grid.patches.blocks import Blocks

__all__ = ["WIDE_HOLE", "SparseDCT", "decay_for", "wide_holes"]

QUICK_DECAY, SLOW_DECAY = 0.96, 0.98  # of the threshold, from round to round; slow if some hole is at least
WIDE_HOLE = 17  # pixels wide along all axes: edges take longer to grow into it
DEFAULT_FINAL_THRESHOLD = 0.006
FIRST_SWEEP_THRESHOLD = 4  # times the final threshold
SIGMAS_PER_THRESHOLD = 3  # a threshold stands for so many standard deviations of noise
MOMENTUM = 0.6  # in an image: fraction of its last change that a missing pixel is carried on by; half the rounds do
SWEEP_MOMENTUM = 0.2  # the same from sweep to sweep
FIRST_FEEDBACK = 1.0  # weight of the error at known pixels in the first round; it falls to 0
INITIAL_FILL_TOL = 1e-4  # relative residual of the harmonic fill that the rounds start from
PERCENTILE_SAMPLE = 2**20  # largest number of values of a channel that percentiles are computed from


@dataclass(frozen=True, kw_only=True)
class SparseDCT(CountedMethod):
    r"""Describe each block by a few cosines, as JPEG does, and then learn from similar patches.

    Few coefficients of the cosine transform describe the texture or the edges of a block; the error of a guess is
    spread over many. Each round transforms all blocks that hold missing pixels, shrinks their coefficients c to
    :math:`c (1 - t^2 / c^2)_+`, transforms back, averages overlapping blocks, and writes the average to the missing
    pixels. The threshold t falls from round to round. The first guess is the harmonic fill.

    Images with two axes then take sweeps over groups of similar patches. The patches of a group are treated as samples
    of one Gaussian. The missing pixels of a patch become their conditional mean, given its known pixels.

    The channels of an image are restored together. Blocks are first transformed by cosines over the channels; for RGB,
    this gives opponent colours. Patches are grouped by the mean of the channels. If all channels miss the same pixels,
    the patches of up to four channels are samples of one Gaussian, wherever these channels are correlated by 0.5 or
    more. With one mask per channel, a patch spans up to four channels.

    There is no energy and no residual, so nothing is proven about the answer: it ends when all rounds are done.

    Parameters
    ----------
    block : {8, 16, 32} or None
        Side of the blocks. By default 32, and 8 for volumes, which allow no other.
    threshold : (float, float)
        The first and the last threshold of the blocks, as fractions of the range from the first to the 99th percentile
        of the known pixels. In the sweeps the threshold falls once more, to the last one from four times as much;
        there it stands for three standard deviations of the noise that patches are assumed to have.
    decay : float in (0, 1) or None
        Ratio of the threshold in a round to the one before. None means 0.92 for images, and 0.96 for signals and
        volumes; or 0.96 and 0.98 if some hole is wider than 16 pixels along all axes (8 at the border): edges need more
        rounds to grow into it.
    sweeps : int
        Number of sweeps over groups of similar patches; only images with two axes have them.
    patch_stride : int
        Distance in pixels between the patches of side 5 that groups are made for; it grows with the side. Smaller is
        slower and better. Above 5, missing pixels between two patches keep what the blocks gave them.
    joint_channels : bool
        Restore the channels of an image together, or each on its own.
    rng : int
        Seed of the shifts of the blocks, which change from round to round.
    max_iter : int
        Largest number of rounds and sweeps.

    Raises
    ------
    TypeError
        If a setting is unknown.
    ValueError
        If a setting is not what is said above.

    References
    ----------
    O. G. Guleryuz, "Nonlinear approximation based image recovery using adaptive sparse reconstructions and iterated
    denoising", IEEE Trans. Image Process. 15 (2006). :doi:`10.1109/TIP.2005.863057`

    M. Lebrun, A. Buades and J.-M. Morel, "A nonlocal Bayesian image denoising algorithm", SIAM J. Imaging Sci. 6
    (2013). :doi:`10.1137/120874989` (groups of patches as Gaussians)

    C. Aguerrebere, A. Almansa, J. Delon, Y. Gousseau and P. Muse, "A Bayesian hyperprior approach for joint image
    denoising and interpolation", IEEE Trans. Comput. Imaging 3 (2017). :doi:`10.1109/TCI.2017.2704439` (with pixels
    missing)

    L. Breiman, "Better subset regression using the nonnegative garrote", Technometrics 37 (1995).
    :doi:`10.1080/00401706.1995.10484371`

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint import inpaint
    >>> waves = np.sin(np.arange(40) / 2)
    >>> damaged = np.where(np.arange(40) % 3 == 1, np.nan, waves)
    >>> bool(np.abs(inpaint(damaged, method="dct") - waves).max() < 0.1)
    True
    """

    block: int | None = None
    threshold: tuple[float, float] = (0.15, DEFAULT_FINAL_THRESHOLD)
    decay: float | None = None
    sweeps: int = 3
    patch_stride: int = 4
    joint_channels: bool = True
    rng: int = 0
    max_iter: int = 500

    sees_spacing = False

    def __post_init__(self) -> None:
        from skinpaint.grid.patches.blocks import BLOCK_SIDES

        self.check_loop()
        allowed = f"None or one of {BLOCK_SIDES}"
        require(
            self.block is None or (is_int(self.block) and self.block in BLOCK_SIDES), self, "block", allowed, self.block
        )
        allowed = "a pair of floats in (0, 1), of which the second is not larger than the first"
        require(_falls(self.threshold), self, "threshold", allowed, self.threshold)
        inside = is_number(self.decay) and 0 < self.decay < 1
        require(self.decay is None or inside, self, "decay", "a float in (0, 1) or None", self.decay)
        for name, least in (("sweeps", 0), ("patch_stride", 1), ("rng", 0)):
            value = getattr(self, name)
            require(is_int(value) and value >= least, self, name, f"an int of at least {least}", value)
        require(isinstance(self.joint_channels, bool), self, "joint_channels", "a bool", self.joint_channels)

    @classmethod
    def high(cls) -> SparseDCT:
        """More rounds and sweeps: 0.1 to 0.2 dB better on photographs, and up to twelve times slower.

        Examples
        --------
        >>> SparseDCT.high().sweeps > SparseDCT().sweeps
        True
        """
        return cls(decay=0.96, sweeps=8, patch_stride=2)

    def check_grid(self, shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
        """Refuse large blocks for volumes."""
        if len(long_axes(shape)) > 2:
            require(self.block in (None, 8), self, "block", "None or 8 for volumes", self.block)

    def init(self, problem: Problem) -> Rounds:
        """Start from the harmonic fill."""
        image = _first_fill(problem)
        planar = _axes(problem) == 2
        decay = self.decay or decay_for(bool(wide_holes(problem.mask).any()), planar)
        first, last = self.threshold
        rounds = 1 + ceil(log(last / first) / log(decay) - 1e-9)
        return Rounds(
            problem=problem,
            image=image,
            scale=self.ranges(problem, image) if problem.whole is None else problem.whole.ranges,
            bounds=(problem.low.astype(np.float32), problem.high.astype(np.float32)),
            blocks=self._blocks(problem, image),
            decay=decay,
            rounds=rounds,
            steps=rounds + (self.sweeps if planar else 0),
        )

    def step(self, problem: Problem, state: Rounds) -> Rounds:
        """Take one round over the blocks, or one sweep over similar patches; the image is changed in place."""
        take = self._round if state.k < state.rounds else self._sweep
        return replace(state, change=take(problem, state), k=state.k + 1)

    def ranges(self, problem: Problem, values: np.ndarray) -> np.ndarray:
        """What the thresholds are fractions of, for each channel of these values of the problem."""
        return _scale(problem, values, self.joint_channels)

    def _blocks(self, problem: Problem, image: np.ndarray) -> list[Blocks]:
        """The blocks of each plane that misses something."""
        from skinpaint.grid.patches.blocks import Blocks, as_planes

        side = self.block or (8 if _axes(problem) > 2 else 32)
        channels = problem.shape[-1]
        matrix = _cosines(channels) if self.joint_channels else np.eye(channels, dtype=np.float32)
        planes = zip(as_planes(image), as_planes(problem.mask), strict=True)
        return [Blocks(x, missing, side, matrix, self.joint_channels) for x, missing in planes if missing.any()]

    def _round(self, problem: Problem, state: Rounds) -> float:
        """Shrink the blocks; the largest change."""
        from skinpaint.grid.patches.blocks import plane_axes, stride

        k, (first, last) = state.k, self.threshold
        t = max(last, first * state.decay**k)
        feedback = FIRST_FEEDBACK * max(0.0, 1 - k / max(1, state.rounds - 1))
        shifts = np.random.default_rng((self.rng, k)).integers(0, 2**30, 3)
        if problem.whole is not None:  # blocks lie where those of the whole image lie
            shifts -= plane_axes(problem.shape[:-1], problem.whole.corner, 0)
        options = feedback, MOMENTUM if _axes(problem) == 2 else 0.0, *state.bounds
        return max(
            blocks.round((shifts % stride(blocks.side)).tolist(), t * state.scale, *options) for blocks in state.blocks
        )

    def _sweep(self, problem: Problem, state: Rounds) -> float:
        """Take the conditional means of patches, tile by tile; the largest change."""
        from skinpaint.grid.patches.blocks import as_planes, plane_axes
        from skinpaint.grid.patches.groups import PATCH_SIDES, TILE_MARGIN, tiles

        state.blocks.clear()  # their memory is free from here on
        falling = np.geomspace(
            FIRST_SWEEP_THRESHOLD * self.threshold[1], self.threshold[1], state.steps - state.rounds + 1
        )
        noise = falling[state.k - state.rounds] / SIGMAS_PER_THRESHOLD
        side = PATCH_SIDES[(state.k - state.steps) % len(PATCH_SIDES)]  # the last sweep has the largest patches
        step = self.patch_stride * side // min(PATCH_SIDES)
        carry = np.float32(SWEEP_MOMENTUM if state.k + 1 < state.steps else 0)
        shape, whole = problem.shape[:-1], problem.whole
        place: Any = {}
        if whole is not None:
            place = {"corner": plane_axes(shape, whole.corner, 0), "whole": plane_axes(shape, whole.shape, 1)}
        change = 0.0
        for x, missing in zip(as_planes(state.image), as_planes(problem.mask), strict=True):
            for tile in tiles(missing.any(axis=-1), TILE_MARGIN, step, **place):
                part = x[tile.box]
                holes = np.broadcast_to(missing[tile.box], part.shape)
                means = self._means(part, holes, tile.core, noise * state.scale, side, step)
                wanted = np.nonzero(holes[tile.core])  # far less than the tile, if little is missing
                old, new = part[tile.core][wanted], means[wanted]
                new = np.clip(new + carry * (new - old), *(bound[wanted[-1]] for bound in state.bounds))
                change = max(change, float(np.abs(new - old).max()))
                part[tile.core][wanted] = new
        return change

    def _means(
        self, x: np.ndarray, holes: np.ndarray, core: Box, noise: np.ndarray, side: int, step: int
    ) -> np.ndarray:
        """The conditional means of patches that miss something in the core."""
        from skinpaint.grid.patches.groups import conditional_mean, groups

        if min(x.shape[0], x.shape[2]) < side:
            return x[core]
        wanted = np.zeros_like(holes)
        wanted[core] = holes[core]
        planes, missing, wanted = (
            np.require(np.moveaxis(p[:, 0], -1, 0), None, ["C", "W"]) for p in (x, holes, wanted)
        )
        out = planes.copy()
        for part in [slice(None)] if self.joint_channels else [slice(c, c + 1) for c in range(len(planes))]:
            together, holes = planes[part], missing[part]
            some, asked = (np.logical_or.reduce(p[part]) for p in (missing, wanted))
            found = groups(together.mean(axis=0), some, asked, side, step)
            same = bool((holes == holes[:1]).all())
            sigma = float(noise[part][0]) / sqrt(len(together))
            out[part] = conditional_mean(together, holes[:1] if same else holes, found, sigma, side, step)
        return np.moveaxis(out, 0, -1)[:, None][core]

    def explain(self, reason: Reason, state: Rounds, n_iter: int) -> str:
        """The number of rounds; there is no figure that says how good the picture is."""
        sweeps = state.steps - state.rounds
        if reason is Reason.CONVERGED:
            then = f" and {sweeps} sweep{'' if sweeps == 1 else 's'} over similar patches" if sweeps else ""
            return f"Finished after {state.rounds} round{'' if state.rounds == 1 else 's'}{then}."
        return f"Not finished: {n_iter} of {state.steps} rounds and sweeps (max_iter). Raise max_iter."


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """The state of the rounds. The image is changed in place."""

    problem: Problem
    image: np.ndarray  # float32, with the answer so far where something is missing
    blocks: list[Blocks]
    scale: np.ndarray  # of the thresholds, one a channel
    bounds: tuple[np.ndarray, np.ndarray]
    decay: float
    rounds: int  # over the blocks
    steps: int  # rounds and sweeps
    k: int = 0
    energy: float | None = None
    gap: float | None = None
    change: float = 0.0
    distance: float = 1.0
    note: str = ""

    @property
    def values(self) -> np.ndarray | Filling:
        """The answer so far, which the next step does not change."""
        problem, channels = self.problem, self.image.shape[-1]
        if problem.sparse and problem.mask.shape[-1] == 1:
            return problem.filling(problem.missing, self.image.reshape(-1, channels)[problem.missing].astype(float))
        return np.where(problem.mask, self.image, problem.write(np.empty(problem.shape)))


def _axes(problem: Problem) -> int:
    """Number of axes along which there are neighbours."""
    return len(long_axes(problem.shape[:-1]))


def wide_holes(mask: np.ndarray) -> np.ndarray:
    """The middles of holes at least WIDE_HOLE pixels wide along all axes; the image continues as its mirror image."""
    from scipy.ndimage import minimum_filter

    sides = tuple(WIDE_HOLE if n > 1 else 1 for n in mask.shape[:-1])
    return minimum_filter(mask.view(np.uint8), size=(*sides, 1), mode="reflect").view(bool)


def decay_for(wide: bool, planar: bool) -> float:
    """The decay of the threshold where none is given, for a mask with or without wide holes, of an image or not."""
    decay = SLOW_DECAY if wide else QUICK_DECAY
    return decay**2 if planar else decay  # an image has momentum


def _first_fill(problem: Problem) -> np.ndarray:
    """The harmonic fill as float32."""
    from skinpaint.grid.harmonic.fill import fill

    if problem.whole is not None:
        return problem.fill().astype(np.float32, order="C")
    filled = problem.write(np.empty(problem.shape, np.float32))
    if not problem.sparse:
        return fill(filled, problem.mask, problem.spacing, tol=INITIAL_FILL_TOL).astype(np.float32, "C", copy=False)
    found = problem.harmonic()
    filled.reshape(-1, problem.shape[-1])[found.at] = found.values
    return filled


def _scale(problem: Problem, filled: np.ndarray, joint: bool) -> np.ndarray:
    """Range from the 1st to the 99th percentile of the known pixels, for each channel or for all of them together.

    It is the whole range where the percentiles are equal.
    """
    values = filled.reshape(-1, problem.shape[-1])
    masks = np.broadcast_to(problem.mask.reshape(-1, problem.mask.shape[-1]), values.shape)
    some = slice(None, None, 1 + len(values) // PERCENTILE_SAMPLE)
    if masks[some].all(axis=0).any():
        some = slice(None)
    known = [x[~mask] for x, mask in zip(values[some].T, masks[some].T, strict=True)]
    if joint:
        known = [np.concatenate(known) * np.float32(np.sqrt(len(known)))]
    lowest, low, high, highest = np.transpose([np.percentile(each, [0, 1, 99, 100]) for each in known])
    return np.broadcast_to(np.where(high > low, high - low, highest - lowest), values.shape[1])


def _cosines(n: int) -> np.ndarray:
    """The orthonormal cosine transform of `n` channels; the first is their mean, for RGB followed by red - blue."""
    k, i = np.ogrid[:n, :n]
    cosines = np.sqrt(2 / n) * np.cos(pi * (2 * i + 1) * k / (2 * n))
    cosines[0] /= np.sqrt(2)
    return cosines.astype(np.float32)


def _falls(threshold: object) -> bool:
    """Whether this is a first and a last threshold."""
    if not isinstance(threshold, tuple) or len(threshold) != 2 or not all(map(is_number, threshold)):
        return False
    return 0 < threshold[1] <= threshold[0] < 1
