"""Exemplars: fill large holes with texture, copied from patches elsewhere in the image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from skinpaint.methods.base import CountedMethod
from skinpaint.problem import Problem
from skinpaint.solution import Reason
from skinpaint.wording import is_int, is_number, require

if TYPE_CHECKING:
    from skinpaint.grid.patches.exemplars import Scale, Scene

__all__ = ["Exemplar"]

SCANS = 2  # over the matches, in each round
FIRST_ROUNDS = 2  # times as many rounds on the coarsest scale
LEAST_REACH = 64  # pixels around the holes in which patches are sought
REACH = 0.6  # the same around larger holes, as a fraction of their extent: texture further away is often another one
INITIAL_FILL_TOL = 1e-4  # relative residual of the harmonic fill of the coarsest scale
MAX_TEXTURE = 1e6  # distances are in single precision
MIN_WINDOW = 4  # pixels, in which texture is measured
PULL_WINDOW = 9  # pixels, in which roughness is measured for blending


@dataclass(frozen=True, kw_only=True, eq=False)
class Exemplar(CountedMethod):
    r"""Fill large holes with texture, copied from patches elsewhere in the image.

    For each patch with missing pixels the most similar known patch is sought, and the missing pixels become a weighted
    mean of what the patches around them propose. Search and vote are repeated, on a coarse scale first, and then on
    finer ones. At the end each missing pixel is copied from one place, and the seams between pieces are blended: the
    differences between neighbours are kept, and one weighted Laplace equation is solved for the values.

    The distance of two patches is a weighted sum of squared differences of their values and of their texture: the mean
    absolute difference of neighbours, in windows as wide as the holes are deep. Without it, blurred patches match flat
    ones best. Missing pixels count the less, the farther they are from known ones.

    The channels of an image that share a mask are restored together. Patches are copied as they are: they are neither
    turned nor scaled. The method does not know what the image shows, so it cannot complete a face.

    There is no energy and no residual, so nothing is proven about the answer: it ends when all rounds are done.

    Parameters
    ----------
    patch : int
        Side of a patch in pixels, odd.
    rounds : int
        Number of rounds on each scale; twice as many on the coarsest one.
    texture : float
        Weight of the texture in the distance of patches.
    blend : bool
        Blend the seams at the end.
    source : ndarray of bool or None
        True where patches may be copied from, in the spatial shape of the image. By default that is everywhere within
        a distance of the holes: 64 pixels, or 0.6 of the extent of what is missing if that is larger.
    rng : int
        Seed of the random search.
    max_iter : int
        Largest number of rounds.

    Raises
    ------
    TypeError
        If a setting is unknown.
    ValueError
        If a setting is not what is said above.

    References
    ----------
    Y. Wexler, E. Shechtman and M. Irani, "Space-time completion of video", IEEE Trans. Pattern Anal. Mach. Intell. 29
    (2007). :doi:`10.1109/TPAMI.2007.60`

    C. Barnes, E. Shechtman, A. Finkelstein and D. B. Goldman, "PatchMatch: a randomized correspondence algorithm for
    structural image editing", ACM Trans. Graph. 28 (2009). :doi:`10.1145/1531326.1531330`

    A. Newson, A. Almansa, M. Fradet, Y. Gousseau and P. Perez, "Video inpainting of complex scenes", SIAM J. Imaging
    Sci. 7 (2014). :doi:`10.1137/140954933`

    A. Newson, A. Almansa, Y. Gousseau and P. Perez, "Non-local patch-based image inpainting", Image Processing On Line
    7 (2017). :doi:`10.5201/ipol.2017.189` (texture in the distance)

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint import inpaint
    >>> stripes = np.tile([0.0, 0.0, 1.0, 1.0], (64, 16))
    >>> mask = np.zeros(stripes.shape, bool)
    >>> mask[24:40, 20:36] = True
    >>> bool(np.abs(inpaint(stripes, mask, method="exemplar") - stripes).max() < 0.01)
    True
    """

    patch: int = 7
    rounds: int = 4
    texture: float = 7.0
    blend: bool = True
    source: Any = None
    rng: int = 0
    max_iter: int = 500

    sees_spacing = False

    def __post_init__(self) -> None:
        self.check_loop()
        odd = is_int(self.patch) and self.patch >= 3 and self.patch % 2 == 1
        require(odd, self, "patch", "an odd int of at least 3", self.patch)
        for name, least in (("rounds", 1), ("rng", 0)):
            value = getattr(self, name)
            require(is_int(value) and value >= least, self, name, f"an int of at least {least}", value)
        possible = is_number(self.texture) and 0 <= self.texture <= MAX_TEXTURE
        require(possible, self, "texture", f"a number from 0 to {MAX_TEXTURE:g}", self.texture)
        require(isinstance(self.blend, bool), self, "blend", "a bool", self.blend)
        given = self.source is None or (isinstance(self.source, np.ndarray) and self.source.dtype.kind == "b")
        require(given, self, "source", "None or an array of bool", self.source)
        if self.source is not None:
            self._own("source", np.ma.filled(self.source, False))

    def init(self, problem: Problem) -> Copies:
        """Measure texture, make the scales, and fill the coarsest one from the outside."""
        image = problem.write(np.empty(problem.shape, np.float32))
        planes = [plane for mask, channels in problem.groups() for plane in self._planes(image, mask, channels)]
        return Copies(problem=problem, planes=planes, scales=max(len(plane.scenes) for plane in planes))

    def step(self, problem: Problem, state: Copies) -> Copies:
        """Take one round, or blend; the planes are changed in place."""
        last = state.k == self._steps(state) - 1
        change = max(
            plane.finish(self.blend) if last else plane.round(self._level(state), self.patch, self.rng)
            for plane in state.planes
        )
        return replace(state, k=state.k + 1, change=change, steps=self._steps(state))

    def _steps(self, state: Copies) -> int:
        """Rounds on all scales, and one step that copies and blends."""
        return self.rounds * (state.scales - 1 + FIRST_ROUNDS) + 1

    def _level(self, state: Copies) -> int:
        """The scale of the next round; 0 is the finest."""
        return state.scales - 1 - max(0, state.k // self.rounds - FIRST_ROUNDS + 1)

    def _planes(self, image: np.ndarray, mask: np.ndarray, channels: list[int]) -> list[Plane]:
        """The planes of the channels that share a mask; each with a window around its holes."""
        from skinpaint.grid.patches.blocks import as_planes

        source = np.ones(mask.shape, bool) if self.source is None else self.source
        if source.shape != mask.shape:
            raise ValueError(
                f"The 'source' parameter of Exemplar must have the spatial shape of the image, {mask.shape}. "
                f"Got {source.shape} instead."
            )
        if not (source & ~mask).any():
            raise ValueError(
                "The 'source' parameter of Exemplar must hold a known pixel. Got none. Leave it out to copy from "
                "everywhere."
            )
        views = (as_planes(each) for each in (image[..., channels], mask[..., None], source[..., None]))
        found = []
        for number, (x, missing, sources) in enumerate(zip(*views, strict=True)):
            missing, sources = missing[..., 0], sources[..., 0]
            if missing.any():
                box = (slice(None),) * 3 if self.source is not None else _window(missing)
                scenes = self._scenes(x[box], missing[box], sources[box])
                found.append(Plane(scenes=scenes, channels=channels, number=number, box=box))
        return found

    def _scenes(self, x: np.ndarray, missing: np.ndarray, source: np.ndarray) -> list[Scene]:
        """The scales of a plane with its texture, the coarsest with a harmonic fill."""
        from skinpaint.grid.harmonic.fill import fill
        from skinpaint.grid.patches.exemplars import Scene, depth, scales, textures

        window = max(MIN_WINDOW, 2 * int(depth(missing).max()) // self.patch)
        weight = np.float32(self.texture * np.sqrt(x.shape[-1] / 3))
        features = np.concatenate([x, weight * textures(x, missing, window)], axis=-1)
        scenes = scales(Scene(features, missing, source), self.patch)
        coarsest = scenes[-1]
        missing = coarsest.missing[..., None]
        filled = fill(coarsest.x, missing, (1.0, 1.0, 1.0), tol=INITIAL_FILL_TOL).astype(np.float32)
        scenes[-1] = replace(coarsest, x=np.ascontiguousarray(filled))
        return scenes

    def explain(self, reason: Reason, state: Copies, n_iter: int) -> str:
        """The number of rounds; there is no figure that says how good the picture is."""
        if reason is Reason.CONVERGED:
            scales = f"{state.scales} scale{'' if state.scales == 1 else 's'}"
            done = f"Finished after {state.steps - 1} rounds on {scales}, and one step that copies{self._blends}."
            barren = sum(plane.barren for plane in state.planes)
            if not barren:
                return done
            where = f"Into {barren} of {len(state.planes)} planes" if len(state.planes) > 1 else "But"
            return f"{done} {where} nothing could be copied, as there is no known patch: this is the harmonic fill."
        return f"Not finished: {n_iter} of {state.steps} rounds (max_iter). Raise max_iter."

    @property
    def _blends(self) -> str:
        return " and blends" if self.blend else ""


@dataclass(kw_only=True, eq=False)
class Plane:
    """Channels of one plane that share a mask, within a window around their holes. It is changed in place."""

    scenes: list[Scene]  # the finest first
    channels: list[int]
    number: int  # of the plane
    box: tuple[slice, ...]
    scale: Scale | None = None  # the one that is worked on
    level: int = -1
    final: np.ndarray | None = None

    @property
    def barren(self) -> bool:
        """Whether there is nothing to copy on the finest scale: no known patch."""
        return self.level == 0 and self.scale is not None and not self.scale.possible

    def round(self, level: int, side: int, seed: int) -> float:
        """Search and vote once on the scale `level`, if there is one; the largest change."""
        from skinpaint.grid.patches.exemplars import Scale, Scene

        if level >= len(self.scenes):
            return 0.0
        if self.scale is None:
            self.scale, self.level = Scale(self.scenes[level], side, seed), level
            if self.scale.possible:
                self.scale.peel()
        elif level < self.level:
            coarse, scene = self.scale, self.scenes[level]
            fine = Scale(Scene(scene.twice(coarse.scene.x), scene.missing, scene.source), side, seed)
            if fine.possible and coarse.possible:
                fine.follow(coarse)
            self.scale, self.level = fine, level
        before = self.here
        if self.scale.possible:
            self.scale.improve(SCANS)
            self.scale.vote(copy=False)
        return float(np.abs(self.here - before).max(initial=0))

    def finish(self, blending: bool) -> float:
        """Copy each missing pixel from one place, and blend; the largest change."""
        from skinpaint.grid.harmonic.blend import blend

        scale, channels = self.scale, len(self.channels)
        if scale is None or not scale.possible:
            return 0.0
        before = self.here
        scale.vote(copy=True)
        x = scale.scene.x[..., :channels]
        if blending:
            self.final = blend(x, scale.scene.missing, scale.known, scale.origin, _pull(x))
        else:
            self.final = self.here
        return float(np.abs(self.final - before).max())

    @property
    def here(self) -> np.ndarray:
        """The missing pixels of the scale that is worked on."""
        scene = self.scenes[-1] if self.scale is None else self.scale.scene
        return scene.x[scene.missing][:, : len(self.channels)].astype(float)

    @property
    def filled(self) -> np.ndarray:
        """The missing pixels so far, in C order; one column a channel."""
        if self.final is not None:
            return self.final
        scene = self.scenes[0]
        x = self.scenes[-1].x if self.scale is None else self.scale.scene.x
        for finer in self.scenes[: len(self.scenes) - 1 if self.scale is None else self.level][::-1]:
            x = finer.twice(x)
        return x[..., : len(self.channels)][scene.missing].astype(float)


@dataclass(frozen=True, kw_only=True)
class Copies:
    """The state of the rounds. The planes are changed in place."""

    problem: Problem
    planes: list[Plane]
    scales: int
    steps: int = 1
    k: int = 0
    energy: float | None = None
    gap: float | None = None
    change: float = 0.0
    distance: float = 1.0
    note: str = ""

    @property
    def values(self) -> np.ndarray:
        """The answer so far, which the next step does not change."""
        from skinpaint.grid.patches.blocks import as_planes

        problem = self.problem
        barren = any(plane.barren for plane in self.planes)
        values = problem.fill() if barren else problem.write(np.empty(problem.shape))
        stack = as_planes(values)
        for plane in self.planes:
            if plane.barren:
                continue
            window, missing, filled = stack[plane.number][plane.box], plane.scenes[0].missing, plane.filled
            for k, c in enumerate(plane.channels):
                window[..., c][missing] = np.clip(filled[:, k], problem.low[c], problem.high[c])
        return values


def _window(missing: np.ndarray) -> tuple[slice, ...]:
    """The bounding box of what is missing, with the pixels around it in which patches are sought."""
    places = np.nonzero(missing)
    reach = max(LEAST_REACH, *(round(REACH * np.ptp(i)) for i in places))
    return tuple(
        slice(max(0, int(i.min()) - reach), min(n, int(i.max()) + 1 + reach))
        for i, n in zip(places, missing.shape, strict=True)
    )


def _pull(x: np.ndarray) -> np.ndarray:
    """How strongly blending keeps values: the squared mean difference of neighbours, in windows.

    A correction then fades within as many pixels as it takes differences of this size to cross the range of the image:
    within few in rough texture, where seams are hidden, and within many in a clear sky.
    """
    from skinpaint.grid.patches.exemplars import textures

    known = np.zeros(x.shape[:-1], bool)
    steps = textures(x, known, PULL_WINDOW)
    found: np.ndarray = steps.mean(axis=-1).astype(float) ** 2
    return found
