"""Sparse blocks: what is missing is filled so that overlapping blocks have few cosines in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, log, pi, sqrt

import numpy as np

from skinpaint.methods.base import IterativeMethod, require
from skinpaint.problem import Problem

__all__ = ["SparseDCT"]


@dataclass(frozen=True, kw_only=True)
class SparseDCT(IterativeMethod):
    r"""Iterative thresholding of overlapping blocks, each sparse in a cosine transform.

    Texture and edges are few coefficients of a block, the error of a guess is many. Each round transforms all blocks
    that hold missing pixels, shrinks their coefficients c to :math:`c (1 - t^2 / c^2)_+`, transforms back, averages
    where blocks overlap, and takes the average for the missing pixels. The threshold t falls from round to round. The
    first guess is the harmonic fill.

    Images with two axes end with sweeps over groups of similar patches. The patches of a group are taken for samples of
    one Gaussian, and what a patch misses is its conditional mean, given what the patch knows.

    The channels of an image are one picture. Their blocks are restored together, after a cosine transform over the
    channels, which for RGB is one of opponent colours; patches are grouped by the mean of the channels, and where these
    have masks of their own, a patch reaches through up to four of them. There is no energy: the answer is where the
    threshold ends.

    Parameters
    ----------
    block : {8, 16, 32} or None
        Side of the blocks. By default 32, and 8 for volumes, which allow no other.
    threshold : float
        The first threshold, as a fraction of the range from the first to the 99th percentile of the known pixels.
    decay : float in (0, 1) or None
        Ratio of the threshold in a round to that before. None stands for 0.93, and for 0.98 if some hole is wider than
        16 pixels along all axes, or than 8 from the border on: edges take longer to grow into those.
    sweeps : int
        Number of sweeps over groups of similar patches; only images with two axes have them.
    patch_stride : int
        Distance in pixels of the patches that others are grouped with; close ones take longer. Above 6, the side of a
        patch, some missing pixels may lie between them and stay as the blocks left them.
    joint_channels : bool
        Restore the channels of an image together, or each as if it were alone.
    rng : int
        Seed of the shifts of the blocks, which change from round to round.
    max_iter : int
        Largest number of rounds and sweeps.
    tol : float in (0, 1) or None
        The last threshold of the blocks, to which that of the sweeps falls again, from four times as much; it is three
        standard deviations of the noise that patches are taken to have. None goes down to 0.006 and repeats the last
        step until `max_iter`.

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
    threshold: float = 0.15
    decay: float | None = None
    sweeps: int = 3
    patch_stride: int = 4
    joint_channels: bool = True
    rng: int = 0
    max_iter: int = 500
    tol: float | None = 0.006

    measure = "threshold"

    def __post_init__(self) -> None:
        from skinpaint.grid.patches.blocks import BLOCK_SIDES

        self.check_loop()
        require(
            self.block is None or self.block in BLOCK_SIDES, self, "block", f"None or one of {BLOCK_SIDES}", self.block
        )
        for name, allowed in (("threshold", "a float in (0, 1)"), ("decay", "a float in (0, 1) or None")):
            value = getattr(self, name)
            inside = isinstance(value, float) and 0 < value < 1
            require(inside or (name == "decay" and value is None), self, name, allowed, value)
        for name, least in (("sweeps", 0), ("patch_stride", 1), ("rng", 0)):
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            require(whole and value >= least, self, name, f"an int >= {least}", value)
        require(isinstance(self.joint_channels, bool), self, "joint_channels", "a bool", self.joint_channels)

    @classmethod
    def high(cls) -> SparseDCT:
        """More rounds and sweeps: slower by up to ten times, and better.

        Examples
        --------
        >>> SparseDCT.high().sweeps > SparseDCT().sweeps
        True
        """
        return cls(decay=0.98, sweeps=8, patch_stride=2)

    def init(self, problem: Problem) -> Rounds:
        """Start from the harmonic fill."""
        if _axes(problem) > 2:
            require(self.block in (None, 8), self, "block", "None or 8 for volumes", self.block)
        fed = _first_fill(problem)
        values = fed if fed.nbytes > LARGE else np.where(problem.mask, fed, problem.values)
        decay = self.decay or (SLOW if _deep(problem.mask) else QUICK)
        return Rounds(values=values, fed=fed, scale=_scale(problem, fed, self.joint_channels), decay=decay)

    def step(self, problem: Problem, state: Rounds) -> Rounds:
        """One round over all blocks, or one sweep over similar patches, tile by tile."""
        from skinpaint.grid.patches.blocks import as_planes, tiles

        plan = self._plan(problem, state)
        values, fed = state.values, state.fed
        if not state.lean:
            values, fed = values.copy(), fed.copy()
        before = values[_wide(problem.mask, values)] if state.lean else state.values
        low, high = problem.low.astype(np.float32), problem.high.astype(np.float32)
        for x, z, missing in zip(as_planes(values), as_planes(fed), as_planes(problem.mask), strict=True):
            for tile in tiles(missing.any(axis=-1), plan.halo):
                part, holes = z[tile.box], _wide(missing[tile.box], z[tile.box])
                inner, wanted, known = part[tile.core], holes[tile.core], x[tile.box][tile.core]
                estimate = plan.estimate(part, holes, tile.core, state)
                share = np.float32(0 if state.lean else plan.feedback)
                inner[...] = np.where(wanted, np.clip(estimate, low, high), known + share * (known - estimate))
                np.copyto(known, np.clip(inner, problem.low, problem.high), where=wanted, casting="same_kind")
        after = values[_wide(problem.mask, values)] if state.lean else values
        change = float(np.abs(after - before).max())
        return replace(state, values=values, fed=fed, change=change, distance=plan.distance, k=state.k + 1)

    def _plan(self, problem: Problem, state: Rounds) -> Blocks | Patches:
        """What the next step does: rounds over blocks come first, then sweeps over patches."""
        k, last = state.k, LAST if self.tol is None else min(self.tol, self.threshold)
        rounds = 1 + ceil(log(last / self.threshold) / log(state.decay) - 1e-9)
        axes = _axes(problem)
        sweeps = self.sweeps if axes == 2 else 0
        falling = np.geomspace(SIMILAR * last, last, sweeps + 1).tolist() if sweeps else []
        if k >= rounds and falling:
            now, later = falling[min(k - rounds, sweeps - 1)], falling[min(k - rounds + 1, sweeps)]
            return Patches(noise=now / SURE, step=self.patch_stride, joint=self.joint_channels, distance=later)
        t = max(last, self.threshold * state.decay**k)
        shifts = np.random.default_rng((self.rng, k)).integers(0, 2**30, 3).tolist()
        return Blocks(
            threshold=t,
            side=self.block or (8 if axes > 2 else 32),
            shifts=shifts,
            feedback=FEEDBACK * max(0.0, 1 - k / max(1, rounds - 1)),
            joint=self.joint_channels,
            distance=max([t, *falling[:1]]),
        )


Box = tuple[slice, ...]

QUICK, SLOW = 0.93, 0.98  # decays, the slow one for holes that are
DEEP = 17  # pixels wide
LAST = 0.006  # the threshold where none is asked for
SIMILAR = 4  # the first threshold of similar patches, next to the last one
SURE = 3  # standard deviations of noise that a threshold is worth
FEEDBACK = 1.0  # share of the misfit at known pixels that is added to them, at first
ROUGH = 1e-4  # relative residual of the first fill
AROUND = 64  # pixels around a tile that its first fill looks at
LARGE = 2**28  # bytes of an image from which there is no room for a second one


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Where the rounds stand.

    What the blocks miss at known pixels is fed back into the image that they are taken from, which makes them fit
    sooner. A lean state, of an image that leaves no room for a second one, does without, and is filled in place.
    """

    values: np.ndarray
    fed: np.ndarray  # float32
    scale: np.ndarray  # of the thresholds, one a channel
    decay: float
    k: int = 0
    energy: float | None = None
    gap: float | None = None
    change: float = 0.0
    distance: float = 1.0
    note: str = ""

    @property
    def lean(self) -> bool:
        return self.fed is self.values


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """One round over all blocks."""

    threshold: float
    side: int
    shifts: list[int]
    feedback: float
    joint: bool
    distance: float

    @property
    def halo(self) -> int:
        """How far blocks reach."""
        return self.side

    def estimate(self, x: np.ndarray, holes: np.ndarray, core: Box, state: Rounds) -> np.ndarray:
        """The average of the shrunk blocks in the core."""
        from skinpaint.grid.patches.blocks import average, stride

        planes = zip(_planes(x, self.joint), _wanted(holes, self.joint), state.scale, strict=True)
        shifts = tuple(shift % stride(self.side) for shift in self.shifts)
        out = [average(x, missing, core, self.side, shifts, self.threshold * scale) for x, missing, scale in planes]
        return _channels(np.stack(out), self.joint)


@dataclass(frozen=True, kw_only=True)
class Patches:
    """One sweep over groups of similar patches."""

    noise: float
    step: int
    joint: bool
    distance: float
    feedback: float = 0.0

    @property
    def halo(self) -> int:
        """How far groups reach."""
        from skinpaint.grid.patches.groups import TILE_MARGIN

        return TILE_MARGIN

    def estimate(self, x: np.ndarray, holes: np.ndarray, core: Box, state: Rounds) -> np.ndarray:
        """The conditional means of patches that miss something in the core."""
        from skinpaint.grid.patches.groups import PATCH_SIDE, conditional_mean, groups

        if min(x.shape[0], x.shape[2]) < PATCH_SIDE:
            return x[core]
        wanted = np.zeros_like(holes)
        wanted[core] = holes[core]
        planes, missing, wanted = (np.ascontiguousarray(np.moveaxis(each[:, 0], -1, 0)) for each in (x, holes, wanted))
        out = planes.copy()
        for part in [slice(None)] if self.joint else [slice(c, c + 1) for c in range(len(planes))]:
            together, holes = planes[part], missing[part]
            found = groups(together.mean(axis=0), np.logical_or.reduce(wanted[part]), self.step)
            noise = self.noise * float(state.scale[part][0]) / sqrt(len(together))
            stacked = bool((holes != holes[:1]).any())
            out[part] = conditional_mean(together, holes, found, noise, self.step, stacked)
        return np.moveaxis(out, 0, -1)[:, None][core]


def _axes(problem: Problem) -> int:
    """Number of axes along which there are neighbours."""
    return sum(n > 1 for n in problem.shape[:-1])


def _deep(mask: np.ndarray) -> bool:
    """Whether a hole is so wide along all axes that edges take long to grow into it; borders count as mirrors."""
    from scipy.ndimage import minimum_filter

    sides = tuple(DEEP if n > 1 else 1 for n in mask.shape[:-1])
    return bool(minimum_filter(mask.view(np.uint8), size=(*sides, 1), mode="reflect").any())


def _first_fill(problem: Problem) -> np.ndarray:
    """The harmonic fill, as float32; that of a large image tile by tile, where every tile has something to go by."""
    from skinpaint.grid.harmonic.fill import fill
    from skinpaint.grid.patches.blocks import as_planes, tiles

    filled = problem.write(np.empty(problem.shape, np.float32))
    parts = []
    if filled.nbytes > LARGE:
        for x, missing in zip(as_planes(filled), as_planes(problem.mask), strict=True):
            parts += [(x[tile.box], missing[tile.box], tile.core) for tile in tiles(missing.any(axis=-1), AROUND)]
    if not parts or any(missing.all(axis=(0, 1, 2)).any() for _, missing, _ in parts):
        return fill(filled, problem.mask, problem.spacing, tol=ROUGH).astype(np.float32)
    for x, missing, core in parts:
        x[core] = fill(x, missing, _spacing(problem), tol=ROUGH)[core]
    return filled


def _spacing(problem: Problem) -> tuple[float, ...]:
    """The spacing along the axes of a plane, as :func:`skinpaint.grid.patches.blocks.as_planes` orders them."""
    long = [h for h, n in zip(problem.spacing, problem.shape[:-1], strict=True) if n > 1][-3:]
    return {0: (1.0, 1.0, 1.0), 1: (1.0, 1.0, *long), 2: (*long[:1], 1.0, *long[1:])}.get(len(long), tuple(long))


def _scale(problem: Problem, filled: np.ndarray, joint: bool) -> np.ndarray:
    """The range from the first to the 99th percentile of the known pixels, of each channel or of the mean plane.

    Where nearly all of them are equal it is the whole range.
    """
    values = filled.reshape(-1, problem.shape[-1])
    masks = np.broadcast_to(problem.mask.reshape(-1, problem.mask.shape[-1]), values.shape)
    some = slice(None, None, 1 + len(values) // SAMPLE)
    if masks[some].all(axis=0).any():
        some = slice(None)
    known = [x[~mask] for x, mask in zip(values[some].T, masks[some].T, strict=True)]
    if joint:
        known = [np.concatenate(known) * np.float32(np.sqrt(len(known)))] * len(known)
    lowest, low, high, highest = np.transpose([np.percentile(each, [0, 1, 99, 100]) for each in known])
    return np.where(high > low, high - low, highest - lowest)


SAMPLE = 2**20  # entries of a channel beyond which percentiles are those of a part


def _wide(mask: np.ndarray, like: np.ndarray) -> np.ndarray:
    return np.broadcast_to(mask, like.shape)


def _wanted(holes: np.ndarray, joint: bool) -> list[np.ndarray]:
    """What is missing in each plane: together, channels miss what one of them misses."""
    if joint:
        return [np.asarray(holes.any(axis=-1))] * holes.shape[-1]
    return [np.ascontiguousarray(mask) for mask in np.moveaxis(holes, -1, 0)]


def _planes(x: np.ndarray, joint: bool) -> np.ndarray:
    """The channels first, transformed along one another."""
    planes = np.ascontiguousarray(np.moveaxis(x, -1, 0))
    return _mix(_cosines(len(planes)), planes) if joint else planes


def _channels(planes: np.ndarray, joint: bool) -> np.ndarray:
    """The channels last, transformed back."""
    return np.moveaxis(_mix(_cosines(len(planes)).T, planes) if joint else planes, 0, -1)


def _mix(matrix: np.ndarray, planes: np.ndarray) -> np.ndarray:
    """The product with a small matrix, which is not worth the threads of a matrix product."""
    return planes if len(planes) == 1 else np.einsum("kc,c...->k...", matrix, planes)


def _cosines(n: int) -> np.ndarray:
    """The orthonormal cosine transform of `n` channels; the first is their mean, for RGB followed by red - blue."""
    k, i = np.ogrid[:n, :n]
    cosines = np.sqrt(2 / n) * np.cos(pi * (2 * i + 1) * k / (2 * n))
    cosines[0] /= np.sqrt(2)
    return cosines.astype(np.float32)
