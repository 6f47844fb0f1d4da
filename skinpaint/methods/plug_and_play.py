"""Any denoiser as a prior: denoise, put the known pixels back, and repeat with less strength."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from skinpaint.grid.axes import long_axes
from skinpaint.methods.base import IterativeMethod, differ
from skinpaint.problem import Problem
from skinpaint.wording import is_number, require

__all__ = ["PlugAndPlay"]

MAX_AXES = 4  # that scikit-image's non-local means takes, beside the channels


@dataclass(frozen=True, kw_only=True, eq=False)
class PlugAndPlay(IterativeMethod):
    r"""Fill by a denoiser: :math:`x \leftarrow D_s(x)` at missing pixels, with a strength s that falls.

    A denoiser sees the error of the fill as noise. The method starts from the harmonic fill, and known pixels never
    change. There is no energy, so convergence is judged by the change alone.

    Parameters
    ----------
    denoise_function : {"nl_means", "tv_chambolle"} or callable
        scikit-image's function of that name, or any ``f(image, **denoiser_kwargs) -> image`` as
        `skimage.restoration.denoise_invariant` takes it. It gets floats: each channel on its own, without axes of
        length 1, its bounds mapped to [0, 1]. It returns floats of the same kind.
    denoiser_kwargs : dict, optional
        Arguments for the denoiser. A strength that is given here stays constant.
    sigma : float or (float, float), optional
        Strength of the denoiser: one value, or the first and the last, between which it falls geometrically over the
        first half of `max_iter`. It is passed as `weight`, `h`, `sigma_color` or `sigma`: the first of these names that
        the denoiser's signature has. The default suits scikit-image's denoisers. A denoiser with none of these
        parameters runs as it is, and the status says so.
    max_iter : int
        Largest number of steps.
    tol : float in (0, 1) or None
        Stop when a step at the last strength changes the missing pixels of each channel by at most this (root mean
        square, as a fraction of the bounds). None takes `max_iter` steps.
    joint_channels : bool
        Give the denoiser all channels at once, on the last axis, with ``channel_axis=-1``; the union of their bounds is
        mapped to [0, 1].

    Raises
    ------
    TypeError
        If a setting is unknown.
    ValueError
        If a setting is not what is said above.

    References
    ----------
    S. V. Venkatakrishnan, C. A. Bouman and B. Wohlberg, "Plug-and-play priors for model based reconstruction", IEEE
    GlobalSIP (2013). :doi:`10.1109/GlobalSIP.2013.6737048`

    A. Buades, B. Coll and J.-M. Morel, "A non-local algorithm for image denoising", IEEE CVPR (2005) (the default).
    :doi:`10.1109/CVPR.2005.38`

    Examples
    --------
    A denoiser of your own, here the mean of three, whose only fixed points are straight lines:

    >>> import numpy as np
    >>> from scipy.ndimage import uniform_filter
    >>> from skinpaint import PlugAndPlay, inpaint
    >>> method = PlugAndPlay(denoise_function=uniform_filter, denoiser_kwargs={"size": 3})
    >>> inpaint(np.array([0.0, np.nan, np.nan, 3.0]), method=method).round(3)
    array([0., 1., 2., 3.])

    A denoiser from scikit-image's `calibrate_denoiser` can be passed as it is:

    >>> from skimage import data
    >>> from skimage.restoration import calibrate_denoiser, denoise_tv_chambolle
    >>> from skinpaint.damage import scratches
    >>> damaged, mask = scratches(data.camera()[:48, 128:176] / 255, count=3, rng=0)
    >>> weights = {"weight": [0.01, 0.03, 0.1]}
    >>> calibrated = calibrate_denoiser(damaged, denoise_tv_chambolle, weights)
    >>> restored = inpaint(damaged, mask, method=PlugAndPlay(denoise_function=calibrated))
    """

    denoise_function: str | Callable[..., Any] = "nl_means"
    denoiser_kwargs: Mapping[str, Any] | None = None
    sigma: float | tuple[float, float] | None = None
    max_iter: int = 40
    tol: float | None = 1e-3
    joint_channels: bool = False

    measure = "root mean square change at the last strength"

    def __post_init__(self) -> None:
        self.check_loop()
        require(
            callable(self.denoise_function) or self.denoise_function in DENOISERS,
            self,
            "denoise_function",
            f"{', '.join(map(repr, DENOISERS))} or a callable",
            self.denoise_function,
        )
        kwargs = self.denoiser_kwargs
        named = kwargs is None or (isinstance(kwargs, Mapping) and all(isinstance(name, str) for name in kwargs))
        require(named, self, "denoiser_kwargs", "a dict of arguments by name, or None", kwargs)
        if kwargs is not None:  # what the user changes later is not a setting
            own = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in kwargs.items()}
            object.__setattr__(self, "denoiser_kwargs", own)
        if self.sigma is not None:
            allowed = "a positive number, a pair of them that does not rise, or None"
            require(_falls(self.sigma), self, "sigma", allowed, self.sigma)
            allowed = f"None for a denoiser with none of {', '.join(STRENGTHS)} left to set"
            require(
                self._strength in STRENGTHS and self._strength not in self._given, self, "sigma", allowed, self.sigma
            )
        require(isinstance(self.joint_channels, bool), self, "joint_channels", "a bool", self.joint_channels)

    def check_grid(self, shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
        """Refuse pixels that are not as high as they are wide."""
        if differ(shape, spacing):
            raise ValueError(
                f"The 'spacing' parameter of Inpainter must be the same along all axes for PlugAndPlay, whose denoiser "
                f"does not see it. Got {spacing} instead. Pass spacing=1 to take pixels for as high as they are wide, "
                "or another method, such as 'laplace'."
            )

    def init(self, problem: Problem) -> Denoised:
        """Start from the harmonic fill."""
        start = problem.clip(problem.fill())
        return Denoised(
            values=start, note=f"Convergence is judged by the change alone: there is no energy. {self._note}".strip()
        )

    def step(self, problem: Problem, state: Denoised) -> Denoised:
        """Denoise everything, and keep what is known."""
        kwargs, last = self._arguments(state.k)
        x = state.values
        new = problem.clip(np.where(problem.mask, self._denoised(problem, x, kwargs), x))
        moved = new - x
        return replace(
            state,
            values=new,
            change=float(np.abs(moved).max()),
            distance=_root_mean_square(moved, problem.mask) if last else np.inf,
            k=state.k + 1,
        )

    @property
    def _denoiser(self) -> Callable[..., Any]:
        return DENOISERS[self.denoise_function] if isinstance(self.denoise_function, str) else self.denoise_function

    @property
    def _given(self) -> dict[str, Any]:
        """The arguments that the user has set."""
        bound = self._denoiser.keywords if isinstance(self._denoiser, partial) else {}
        return {**bound, **(self.denoiser_kwargs or {})}

    @property
    def _strength(self) -> str:
        """The name of the denoiser's strength; empty if it has none that we know."""
        try:
            names = list(inspect.signature(self._denoiser).parameters)[1:]
        except (TypeError, ValueError):  # not written in Python
            names = []
        return next((name for name in STRENGTHS if name in names), "")

    @property
    def _note(self) -> str:
        """What the status says of a strength that does not fall."""
        if not self._strength:
            return f"The denoiser has no parameter {', '.join(STRENGTHS)}: its strength stayed the same."
        if self._strength in self._given:
            return f"The denoiser's {self._strength} stayed at {self._given[self._strength]}, as given."
        return ""

    def _arguments(self, k: int) -> tuple[dict[str, Any], bool]:
        """What the denoiser is called with at step k, and whether its strength is the last one by now."""
        kwargs = dict(self.denoiser_kwargs or {})
        if self.joint_channels:
            kwargs["channel_axis"] = -1
        if not self._strength or self._strength in self._given:
            return kwargs, True
        sigma = STRENGTHS[self._strength] if self.sigma is None else self.sigma
        first, last = sigma if isinstance(sigma, tuple) else (sigma, sigma)
        falls = (self.max_iter + 1) // 2  # steps before the last strength
        kwargs[self._strength] = last * (first / last) ** (1 - k / falls) if k < falls else last
        return kwargs, k >= falls or first == last

    def _denoised(self, problem: Problem, x: np.ndarray, kwargs: dict[str, Any]) -> np.ndarray:
        """Denoise the values, with what the problem maps to [0, 1]."""
        out = x.copy()
        everything = slice(None)
        pieces = [everything] if self.joint_channels else [slice(c, c + 1) for c in range(x.shape[-1])]
        for channels in pieces:
            # Bounds far wider than what is known are beyond [0, 1] in the problem's units.
            low, high = max(problem.low[channels].min(), 0), min(problem.high[channels].max(), 1)
            if low < high:
                piece = (x[..., channels] - low) / (high - low)
                thin = tuple(piece.shape[axis] for axis in long_axes(piece.shape[:-1]))
                image = piece.reshape(*thin, -1) if self.joint_channels else piece.reshape(thin)
                out[..., channels] = self._call(image, kwargs).reshape(piece.shape) * (high - low) + low
        return out

    def _call(self, image: np.ndarray, kwargs: dict[str, Any]) -> np.ndarray:
        """Ask the denoiser, and refuse an answer that is no image of the same shape."""
        name = getattr(self._denoiser, "__name__", None) or repr(self._denoiser)
        try:
            denoised = np.asarray(self._denoiser(image.copy(), **kwargs))
        except Exception as error:
            error.add_note(
                f"This was raised by the denoiser of PlugAndPlay, {name}, for an image of shape {image.shape}."
            )
            raise
        if denoised.shape != image.shape or denoised.dtype.kind != "f":
            raise ValueError(
                "The 'denoise_function' parameter of PlugAndPlay must return floats, in [0, 1] like those that it is "
                f"given, and in the shape that it is given. Got {denoised.dtype} of shape {denoised.shape} for "
                f"{image.shape} from {name} instead."
            )
        wrong = int((~np.isfinite(denoised)).sum())
        if wrong:
            raise ValueError(
                "The 'denoise_function' parameter of PlugAndPlay must return finite values. "
                f"Got {wrong} of {denoised.size} that are not, from {name}."
            )
        return denoised


@dataclass(frozen=True, kw_only=True)
class Denoised:
    """The state of the denoising."""

    values: np.ndarray
    energy: None = None
    gap: None = None
    change: float = 0.0
    distance: float = np.inf  # while the strength falls
    k: int = 0
    note: str = field(default="", repr=False)


def nl_means(image: np.ndarray, h: float, *, channel_axis: int | None = None, **kwargs: Any) -> np.ndarray:
    """Non-local means by scikit-image, with patches that suit the number of axes; a signal is a picture of one row."""
    from skimage.restoration import denoise_nl_means

    axes = image.ndim - (channel_axis is not None)
    if axes > MAX_AXES:
        raise ValueError(
            f"The 'denoise_function' parameter of PlugAndPlay can be 'nl_means' for images of up to {MAX_AXES} axes "
            f"longer than 1. Got one of {axes} instead. Pass 'tv_chambolle', or another method, such as 'laplace'."
        )
    volume = axes > 2
    sizes = {"patch_size": 3, "patch_distance": 3} if volume else {"patch_size": 5, "patch_distance": 6}
    picture = image[np.newaxis] if axes == 1 else image
    return denoise_nl_means(picture, h=h, channel_axis=channel_axis, **{**sizes, **kwargs}).reshape(image.shape)


def tv_chambolle(image: np.ndarray, weight: float, **kwargs: Any) -> np.ndarray:
    """Total variation by scikit-image."""
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(image, weight=weight, **kwargs)


DENOISERS: dict[str, Callable[..., Any]] = {"nl_means": nl_means, "tv_chambolle": tv_chambolle}

STRENGTHS = {"weight": (0.03, 0.003), "h": (0.05, 0.015), "sigma_color": (0.2, 0.02), "sigma": (0.05, 0.015)}
"""Names of a denoiser's strength, each with its first and last value for an image in [0, 1]."""


def _falls(sigma: Any) -> bool:
    """Whether this is one strength, or two that do not rise."""
    pair = sigma if isinstance(sigma, tuple) else (sigma, sigma)
    if len(pair) != 2 or not all(map(is_number, pair)):
        return False
    return 0 < pair[1] <= pair[0] < np.inf


def _root_mean_square(moved: np.ndarray, mask: np.ndarray) -> float:
    """The change of the missing pixels, in the channel where it is largest."""
    axes = tuple(range(moved.ndim - 1))
    missing = np.maximum(np.broadcast_to(mask, moved.shape).sum(axis=axes), 1)
    return float(np.sqrt(np.square(moved).sum(axis=axes) / missing).max())
