"""The door: one estimator and one function in front of every method."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

import numpy as np

from skinpaint.containers import in_chunks, unpack
from skinpaint.masks import everywhere
from skinpaint.methods import resolve
from skinpaint.methods.base import Method
from skinpaint.problem import Bounds, Problem
from skinpaint.solution import Callback, Filling, GuessedMaskWarning, Reason, Record, Solution, proven_within, warn
from skinpaint.wording import as_sentence, closest, did_you_mean, is_int, is_number, require

if TYPE_CHECKING:
    from skinpaint.dask import ChunkedSolution
    from skinpaint.trust.calibration import Uncertainty

__all__ = ["DEFAULT_METHOD", "Inpainter", "check_answer", "inpaint", "solved", "without_underflow"]

DEFAULT_METHOD = "dct"
MAX_AT_BOUND = 1e-3  # of the filled values: where more are at a bound, the status says so
FITTED = ("restored_", "mask_", "solution_", "n_iter_", "converged_", "history_")  # what `fit` leaves

MissingValues = Literal["auto", "saturated"] | float | tuple[float, ...] | None


P = ParamSpec("P")
T = TypeVar("T")


def without_underflow(function: Callable[P, T]) -> Callable[P, T]:
    """Values next to nothing are what smooth images hold, and no error, whatever numpy.seterr was asked to raise."""

    @functools.wraps(function)
    def calm(*args: P.args, **keywords: P.kwargs) -> T:
        with np.errstate(under="ignore"):  # as a decorator, it would be the caller that warnings are about
            return function(*args, **keywords)

    return calm


def _explained(owner: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Refuse keywords that a function of `owner` does not know by a sentence that names what may be meant."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        order = list(inspect.signature(function).parameters)
        known = [name for name in order if name != "self"]

        @functools.wraps(function)
        def checked(*args: P.args, **keywords: P.kwargs) -> T:
            for name in keywords:
                if name not in known:
                    said = dict(zip(order, args, strict=False)) | keywords
                    raise TypeError(
                        f"The parameters of {owner} must be one of {', '.join(known)}. Got {name!r} instead."
                        f"{_meant(name, known, said.get('method', DEFAULT_METHOD))}"
                    )
            return function(*args, **keywords)

        return checked

    return decorate


def _meant(name: str, known: list[str], method: Any) -> str:
    """What a parameter that there is not may stand for: another one, or a setting of the method."""
    chosen = resolve(method)
    settings = [field.name for field in dataclasses.fields(chosen)]  # type: ignore[arg-type]
    near = name if name in settings else closest(name, [*known, *settings])
    said = f" Did you mean {near}?" if near and near != name else ""
    if near not in settings or near in known:
        return said
    return f"{said} {near} is a setting of the method: pass method={type(chosen).__name__}({near}=...)."


@dataclasses.dataclass(eq=False)
class _Fit:
    """What questions about a fit are answered from, whatever happens to the Inpainter and its attributes later."""

    asked: Inpainter
    problem: Problem
    solution: Solution
    trusted: tuple[Any, Uncertainty] | None = None  # the last seed, and what was found for it

    def trust(self, rng: np.random.Generator | int) -> Uncertainty:
        """What is known of the errors of the solution."""
        from skinpaint.trust.calibration import posterior_of, uncertainty_of

        problem, solution, asked = self.problem, self.solution, self.asked
        if solution.posterior is not None:
            return posterior_of(problem, solution, rng)

        def as_many(record: Record, restore: Any) -> bool:
            """Whether the hidden pixels had as many iterations as the missing ones, which were stopped early."""
            return record.n_iter >= solution.n_iter

        def solve(image: np.ndarray, mask: np.ndarray) -> tuple[Problem, Solution]:
            changes: dict[str, Any] = {"channel_axis": problem.channel_axis, "max_distance": None}
            more = asked._checked(image, mask, grow=0, missing_values=None, **changes)
            return more, asked._solve(more, as_many if solution.reason.cut_short else None)

        return uncertainty_of(problem, solution, resolve(asked.method), solve, np.random.default_rng(rng))


class Inpainter:
    """Restore images whose damaged pixels are known.

    Known pixels come back bit for bit, in the image's shape, dtype and range; the missing ones are filled
    by `method`. Values under the mask do not matter.

    Parameters
    ----------
    method : str or Method
        The name of a method ("dct", "exemplar", "gd", "laplace", "biharmonic", "reweighted" or "pnp") for its default
        settings; a name and a preset ("gd:classic", "dct:high"); or a method object such as
        ``GradientDescent(max_iter=200)``.
    channel_axis : int or None
        Axis of the colours or bands; None for an image without channels.
    missing_values : {"auto", "saturated"}, number, tuple of numbers, or None
        What is missing in addition to a given mask. NaN and masked entries of a `numpy.ma.MaskedArray` always are.

        - None: nothing else.
        - a number (a nodata value), or several such as ``(0, 4095)``: the entries equal to it, channel by channel.
        - "saturated": pixels whose every channel is at the lowest or highest value of the dtype (0 or 1 for
          floats in [0, 1]).
        - "auto": what the image's container states, such as the nodata value of an xarray DataArray. If it states
          nothing: with a mask, nothing else; without one, NaN and masked entries if there are any, otherwise saturated
          pixels that look like black and white grains and not like highlights. A :class:`GuessedMaskWarning` and
          `solution_.status` say how many.
    bounds : None, "dtype" or (low, high)
        The range that filled values are kept in: None for that of the channel's known pixels (for "gd:classic" as
        "dtype"), "dtype" for the integer dtype's range or (0, 1) for floats. Strengths, energies and gaps are in units
        of this range, or of that of the known pixels where the bounds are more than 100 times as wide.
    spacing : float or sequence of float, optional
        Distance between neighbours along each spatial axis, such as a voxel size. It hardly counts for "dct"
        and "exemplar", which compare pixels, and the status says so; "pnp" refuses one that differs between the axes.
    grow : int
        Number of pixels by which the mask is made wider before it is filled, diagonals included. Damage is often a
        pixel or two wider than its mask.
    max_distance : float, optional
        Missing pixels that are further than this from every known pixel, in units of the spacing, keep their values
        (NaN in a float image, unless it states a nodata value); `solution_.status` counts them.
    progress : bool
        Show a progress bar on stderr, with the energy and the proven gap to its minimum.

    Attributes
    ----------
    restored_ : ndarray, or what the image came in
        The restored image of the last `fit`.
    mask_ : ndarray of bool
        What was filled; of the image's shape where channels differ, else of the spatial shape.
    solution_ : Solution
        What is known about the answer: why the method stopped, status, energy, gap, residual, error.
    n_iter_ : int
        Number of iterations.
    converged_ : bool
        Whether the method met its own stopping rule.
    history_ : tuple of Record
        One record an iteration.

    Raises
    ------
    TypeError
        If a parameter is unknown. What a parameter holds is checked by `fit`.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint import Inpainter
    >>> image = np.array([[10, 20, 30], [10, 0, 30], [10, 20, 30]], dtype=np.uint8)
    >>> Inpainter(method="laplace").fit_restore(image, image == 0)
    array([[10, 20, 30],
           [10, 20, 30],
           [10, 20, 30]], dtype=uint8)
    """

    restored_: Any
    mask_: np.ndarray
    solution_: Solution
    n_iter_: int
    converged_: bool
    history_: tuple[Record, ...]
    _last: _Fit | None = None

    @_explained("Inpainter")
    def __init__(
        self,
        method: str | Method = DEFAULT_METHOD,
        *,
        channel_axis: int | None = None,
        missing_values: MissingValues = "auto",
        bounds: Bounds = None,
        spacing: float | Sequence[float] | None = None,
        grow: int = 0,
        max_distance: float | None = None,
        progress: bool = False,
    ) -> None:
        self.method = method
        self.channel_axis = channel_axis
        self.missing_values = missing_values
        self.bounds = bounds
        self.spacing = spacing
        self.grow = grow
        self.max_distance = max_distance
        self.progress = progress

    def fit(self, image: Any, y: Any = None, *, mask: Any = None, callback: Callback | None = None) -> Inpainter:
        """Restore `image` and keep the answer.

        Parameters
        ----------
        image : array_like of shape (M[, N[, ..., P]][, C]), or list of such
            Integers or floats; an array is one image. A list or tuple is several images: they are checked,
            and restored by `transform`. Astropy NDData, CCDData and Quantity, xarray DataArray, PIL Image, and pandas
            DataFrame and Series come back as such, and their masks, nodata values and named bands are understood.
        y : object
            Ignored, for pipelines. A mask here is refused, as it is surely meant for `mask`.
        mask : array_like, optional
            Where pixels are missing (True, 1 or 255): of the spatial shape, or of the image's full shape for
            a mask of its own per channel.
        callback : callable, optional
            ``callback(record, restore)`` is called after every iteration with a :class:`Record`; ``restore()``
            gives the picture so far. Returning True stops the method.

        Returns
        -------
        self : Inpainter

        Raises
        ------
        TypeError, ValueError
            If the image, the mask or a parameter cannot be used; the message says what is allowed.

        Examples
        --------
        >>> import numpy as np
        >>> from skinpaint import Inpainter
        >>> inpainter = Inpainter("laplace").fit(np.array([0.0, 9.0, 2.0]), mask=[0, 1, 0])
        >>> inpainter.restored_, inpainter.converged_
        (array([0., 1., 2.]), True)
        """
        self._fit(image, y, mask, callback)
        return self

    @without_underflow
    def _fit(self, image: Any, y: Any = None, mask: Any = None, callback: Callback | None = None) -> Any:
        """Restore `image`, keep the answer and return it: other threads may keep theirs meanwhile."""
        _refuse_mask_as_y(image, y)
        for name in (*FITTED, "_last"):  # nothing of an earlier image stays
            self.__dict__.pop(name, None)
        if isinstance(image, list | tuple):
            _refuse_with_several(mask, callback)
            for each in image:
                self._check(each)
            return None
        solution: Any
        if in_chunks(image):
            solution = self._in_chunks(image, mask, callback)
            restored, filled, last = solution.restored, solution.filled, None
        else:
            asked = self._as_now()
            problem = asked._problem(image, mask).detached()
            solution = asked._solve(problem, callback).settled()
            restored, filled = _written(problem, solution), problem.as_user(problem.filled).copy()
            last = _Fit(asked, problem.bare(), solution)
        figures = (restored, filled, solution, solution.n_iter, solution.converged, solution.history)
        self.__dict__.update(zip(FITTED, figures, strict=True), _last=last)  # at once: a callback may have fitted, too
        return restored

    def _fitted(self, *args: Any, **keywords: Any) -> Any:
        """The answer of `fit`, or of that of a subclass."""
        if type(self).fit is Inpainter.fit:
            return self._fit(*args, **keywords)
        return self.fit(*args, **keywords).restored_

    def restore(self) -> Any:
        """Return the restored image of the last `fit`.

        Returns
        -------
        restored : ndarray, or what the image came in
            A new array.

        Raises
        ------
        ValueError
            If no image was fitted yet.

        Examples
        --------
        >>> import numpy as np
        >>> from skinpaint import Inpainter
        >>> Inpainter("laplace").fit(np.array([0.0, np.nan, 2.0])).restore()
        array([0., 1., 2.])
        """
        if not hasattr(self, "restored_"):
            raise ValueError("Inpainter.restore needs an image first. Call fit(image) or fit_restore(image).")
        return _own(self.restored_)

    @without_underflow
    def std(self, rng: np.random.Generator | int = 0) -> np.ndarray:
        """How sure the last `fit` is of each pixel: the standard deviation of its error.

        The errors are calibrated on the image: known pixels are hidden under shifted copies of the mask, restored by
        the same method, and compared with what they were. This takes one more restoration, and some thirty solutions of
        a linear system. It is done when it is first asked for, and kept.

        Parameters
        ----------
        rng : numpy.random.Generator or int
            Source of the hidden pixels and of the draws. The same int gives the same bytes.

        Returns
        -------
        std : ndarray of float64, of the image's shape
            In the image's units; 0 where known, infinite where `max_distance` left pixels as they came. Of the fill
            before integers are rounded, which adds an error of 0.3 of a level.

        Raises
        ------
        ValueError
            If no image was fitted yet, it came in chunks, it was fitted by another version and unpickled, or `rng` is
            neither a Generator nor an int of at least 0.

        Examples
        --------
        >>> import numpy as np
        >>> from skinpaint import Inpainter
        >>> rng = np.random.default_rng(0)
        >>> walk = rng.standard_normal(2000).cumsum()
        >>> walk[rng.random(2000) < 0.5] = np.nan
        >>> inpainter = Inpainter("laplace").fit(walk)
        >>> std = inpainter.std()
        >>> bool((std[~inpainter.mask_] == 0).all()), bool((std[inpainter.mask_] > 0).all())
        (True, True)
        """
        return self._trust("std", rng).std()

    @without_underflow
    def interval(self, level: float = 0.9, rng: np.random.Generator | int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Intervals that hold the true value of a missing pixel with probability `level`, as far as the image tells.

        Parameters
        ----------
        level : float in (0, 1)
            The probability.
        rng : numpy.random.Generator or int
            As for `std`.

        Returns
        -------
        low, high : ndarray of float64, of the image's shape
            In the image's units, rounded outwards; both are the image's value where it is known. In an image of
            integers, an interval holds the restored one.

        Raises
        ------
        ValueError
            If `level` is not in (0, 1), besides the errors of `std`.

        Examples
        --------
        >>> import numpy as np
        >>> from skinpaint import Inpainter
        >>> rng = np.random.default_rng(0)
        >>> walk = rng.standard_normal(2000).cumsum()
        >>> damaged = np.where(rng.random(2000) < 0.5, np.nan, walk)
        >>> low, high = Inpainter("laplace").fit(damaged).interval(0.9)
        >>> inside = (low <= walk) & (walk <= high)
        >>> bool(0.87 < inside[np.isnan(damaged)].mean() < 0.93)
        True
        """
        number = is_number(level) and 0 < level < 1
        require(number, "Inpainter.interval", "level", "a float in (0, 1)", level)
        return self._trust("interval", rng).interval(float(level))

    @without_underflow
    def sample(self, n: int = 1, rng: np.random.Generator | int = 0) -> np.ndarray:
        """Images that agree with the known pixels, as different from each other as the last `fit` is unsure.

        They are draws of a Gaussian field around the restored image, with the standard deviation of `std`. Neighbours
        err together, so the spread of a sum or of a mean over pixels can be read from them.

        Parameters
        ----------
        n : int
            Number of images.
        rng : numpy.random.Generator or int
            As for `std`; also the source of the images.

        Returns
        -------
        images : ndarray of float64, of shape (n, ...), the image's shape following
            In the image's units, neither rounded nor clipped, but floats: they hold integers up to 2**53 exactly. NaN
            where pixels were left as they came.

        Raises
        ------
        ValueError
            If `n` is no int of at least 0, besides the errors of `std`.

        Examples
        --------
        >>> import numpy as np
        >>> from skinpaint import Inpainter
        >>> rng = np.random.default_rng(0)
        >>> walk = rng.standard_normal(2000).cumsum()
        >>> damaged = np.where(rng.random(2000) < 0.5, np.nan, walk)
        >>> samples = Inpainter("laplace").fit(damaged).sample(3)
        >>> known = ~np.isnan(damaged)
        >>> samples.shape, bool((samples[:, known] == walk[known]).all())
        ((3, 2000), True)
        """
        require(is_int(n) and n >= 0, "Inpainter.sample", "n", "an int of at least 0", n)
        trusted = self._trust("sample", rng)
        source = rng if isinstance(rng, np.random.Generator) else np.random.default_rng([rng, 1])
        return trusted.sample(int(n), source)

    def fit_restore(self, image: Any, mask: Any = None, *, callback: Callback | None = None) -> Any:
        """Restore one image and return it.

        Parameters
        ----------
        image, mask, callback
            As for `fit`.

        Returns
        -------
        restored : ndarray, or what the image came in
            A new array of the image's shape and dtype.

        Raises
        ------
        TypeError, ValueError
            If there are several images, besides the errors of `fit`.

        Examples
        --------
        >>> import numpy as np
        >>> from skinpaint import Inpainter
        >>> Inpainter("laplace").fit_restore(np.array([0.0, 9.0, 2.0]), [0, 1, 0])
        array([0., 1., 2.])
        """
        _refuse_several(image, "Inpainter.fit_restore")
        return _own(self._fitted(image, mask=mask, callback=callback))

    def transform(self, X: Any) -> Any:
        """Restore one image (an array) or several (a list or tuple); keeps no state.

        Parameters
        ----------
        X : array_like or list of array_like
            What is missing must be visible in the images: NaN, `numpy.ma` or `missing_values`.

        Returns
        -------
        restored : ndarray, or what the image came in; a list of them for several images
            New arrays.

        Raises
        ------
        TypeError, ValueError
            If an image or a parameter cannot be used; the message says what is allowed.

        Examples
        --------
        >>> import numpy as np
        >>> from skinpaint import Inpainter
        >>> Inpainter("laplace").transform([np.array([0.0, np.nan, 2.0]), np.array([5.0, np.nan])])
        [array([0., 1., 2.]), array([5., 5.])]
        """
        if isinstance(X, list | tuple):
            return [self.transform(np.ma.asarray(x) if isinstance(x, list) else x) for x in X]
        return self._restored(X)

    def fit_transform(self, X: Any, y: Any = None, *, mask: Any = None, callback: Callback | None = None) -> Any:
        """Fit, and return what `transform` gives; each image is solved once.

        Parameters
        ----------
        X, y, mask, callback
            As for `fit`, whose `image` is `X`.

        Returns
        -------
        restored : ndarray, or what the image came in; a list of them for several images
            New arrays.

        Raises
        ------
        TypeError, ValueError
            If there are several images and a mask or a callback, besides the errors of `fit`.

        Examples
        --------
        >>> import numpy as np
        >>> from skinpaint import Inpainter
        >>> Inpainter("laplace").fit_transform(np.array([0.0, np.nan, 2.0]))
        array([0., 1., 2.])
        """
        if isinstance(X, list | tuple):
            _refuse_with_several(mask, callback)
            _refuse_mask_as_y(X, y)
            return self.transform(X)
        given = {"mask": mask, "callback": callback}
        return _own(self._fitted(X, y, **{name: value for name, value in given.items() if value is not None}))

    @without_underflow
    def score(self, X: Any, y: Any = None) -> float:
        """Mean PSNR in decibels over the images: against the truth, or of predicted known pixels.

        Without a truth, known pixels are hidden under a shifted copy of the mask and overwritten with noise: about
        as many as are missing, but at most a tenth of those that are known. The score says how well they are predicted.

        Parameters
        ----------
        X : array_like or list of array_like
            Damaged images.
        y : array_like or list of array_like, optional
            Their truths.

        Returns
        -------
        psnr : float
            Of all pixels against a truth, but those that `max_distance` left; of the hidden ones without a truth.

        Raises
        ------
        TypeError, ValueError
            If there is no image, not one truth an image, a truth of another shape or that does not show what the known
            pixels show, or too little is known to hide some of it, besides the errors of `fit`.

        Examples
        --------
        >>> import numpy as np
        >>> from skinpaint import Inpainter
        >>> round(Inpainter("laplace").score(np.array([0.0, np.nan, 1.0]), np.array([0.0, 0.6, 1.0])), 1)
        24.8
        """
        from skinpaint.holdout import score_holdout

        several = isinstance(X, list | tuple)
        images = list(X) if several else [X]
        if not images:
            raise ValueError("The 'X' parameter of Inpainter.score must hold at least one image. Got an empty list.")
        if y is None:
            return float(np.mean([self._predict(image, score_holdout) for image in images]))
        truths = list(y) if several else [y]
        if len(truths) != len(images):
            raise ValueError(
                f"The 'y' parameter of Inpainter.score must hold one truth an image. Got {len(truths)} for "
                f"{len(images)} images instead."
            )
        return float(np.mean([self._score(image, truth) for image, truth in zip(images, truths, strict=True)]))

    def _score(self, image: Any, truth: Any) -> float:
        """PSNR of one image against its truth."""
        from skinpaint.scores import check_truth, psnr

        truth = _values(truth)
        problem = self._problem(image, None)
        filled, left = (
            everywhere(problem.as_user(each), problem.array, problem.channel_axis)
            for each in (problem.filled, problem.mask & ~problem.filled)
        )
        if truth.shape == problem.array.shape:  # else there is a sentence for that below
            scored = np.ma.array(truth, mask=np.ma.getmaskarray(truth) | left)
            check_truth(scored, problem.array, filled, "Inpainter.score")
        restored = _values(_written(problem, self._solve(problem)))
        return psnr(truth, restored, where=~left if problem.left else None)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name, as scikit-learn asks for them.

        Parameters
        ----------
        deep : bool
            Whether to give the settings of the method, too, as ``method__<name>``.

        Returns
        -------
        params : dict

        Examples
        --------
        >>> from skinpaint import Inpainter
        >>> Inpainter("laplace").get_params()["method__tol"]
        1e-06
        """
        names = self._names()
        params = {name: getattr(self, name) for name in names}
        if deep and "method" in names:
            method = resolve(self.method)
            for field in dataclasses.fields(method):  # type: ignore[arg-type]
                params[f"method__{field.name}"] = getattr(method, field.name)
        return params

    @classmethod
    def _names(cls) -> list[str]:
        """The parameters of the constructor, which a subclass may have of its own, and hand on others by ``**``."""
        given = inspect.signature(cls).parameters.values()
        own = [each.name for each in given if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
        handed_on = _PARAMETERS if len(own) < len(given) else []
        return [*own, *(name for name in handed_on if name not in own)]

    def set_params(self, **params: Any) -> Inpainter:
        """Set parameters by name, `method` first. All of them are set, or none if one is refused.

        Parameters
        ----------
        **params
            Parameters of the Inpainter, and settings of its method as ``method__<name>``.

        Returns
        -------
        self : Inpainter

        Raises
        ------
        TypeError, ValueError
            If there is no parameter, method or setting of such a name, or a setting cannot be used.

        Examples
        --------
        >>> from skinpaint import Inpainter
        >>> Inpainter("laplace").set_params(method__tol=1e-9, grow=1)
        Inpainter(method=Laplace(lags=(1,), solver='auto', tol=1e-09, noise=None, robust=False), grow=1)
        """
        names, settings = self._names(), {}
        for name in list(params):
            head, _, setting = name.partition("__")
            if head == "method" and setting and "method" in names:
                settings[setting] = params.pop(name)
            elif name not in names:
                raise ValueError(
                    f"The parameters of Inpainter must be one of {', '.join(self.get_params())}. Got {name!r} instead."
                    f"{did_you_mean(name, self.get_params())}"
                )
        is_chosen = "method" in params
        chosen = params.pop("method", self.method)
        if is_chosen or settings:
            method = resolve(chosen)
        if settings:
            known = [field.name for field in dataclasses.fields(method)]  # type: ignore[arg-type]
            for setting in settings:
                if setting not in known:
                    raise ValueError(
                        f"The settings of {type(method).__name__} must be one of {', '.join(known)}. "
                        f"Got {setting!r} instead.{did_you_mean(setting, known)}"
                    )
            chosen = dataclasses.replace(method, **settings)  # type: ignore[type-var]
        for name, value in {**params, "method": chosen}.items():
            setattr(self, name, value)
        return self

    def set_output(self, *, transform: Any = None) -> Inpainter:
        """Accept scikit-learn's call; images stay arrays."""
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=["float64", "float32"]),
            input_tags=InputTags(allow_nan=True, two_d_array=True, three_d_array=True),
            requires_fit=False,
            no_validation=True,
        )

    def __repr__(self) -> str:
        defaults = {**inspect.signature(Inpainter).parameters, **inspect.signature(type(self)).parameters}
        shown = (
            f"{name}={value!r}"
            for name, value in self.get_params(deep=False).items()
            if value is not defaults[name].default and repr(value) != repr(defaults[name].default)
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    @without_underflow
    def _repr_html_(self) -> str:
        """The last restoration before and after, and what is known about it, for notebooks."""
        from html import escape

        from skinpaint.show.notebook import before_and_after, is_picture

        said = f"<pre>{escape(repr(self))}</pre>"
        if not hasattr(self, "restored_"):
            return said
        if in_chunks(self.restored_):
            return f"{said}<pre>{escape(repr(self.solution_))}</pre>"
        restored = unpack(self.restored_)
        channel_axis = restored.channel_axis if self.channel_axis is None else self.channel_axis
        if not is_picture(restored.array, channel_axis):
            return f"{said}<pre>{escape(repr(self.solution_))}</pre>"
        found = self._last.trusted if self._last else None  # a map is shown once it was asked for
        std = None if found is None else found[1].std()
        return said + before_and_after(restored.array, self.mask_, channel_axis, self.solution_, std)

    def _settings(self) -> dict[str, Any]:
        """The parameters of an Inpainter, whatever else those of a subclass are."""
        return {name: getattr(self, name) for name in _PARAMETERS}

    def _as_now(self) -> Inpainter:
        """One with the settings of now, whatever they are set to later."""
        settings: dict[str, Any] = {
            name: copy.copy(value) if isinstance(value, list | np.ndarray) else value
            for name, value in self._settings().items()
        }
        return Inpainter(**{**settings, "method": resolve(self.method)})

    @without_underflow
    def _restored(self, image: Any, mask: Any = None, callback: Callback | None = None) -> Any:
        """Restore one image; keeps no state."""
        if in_chunks(image):
            return self._in_chunks(image, mask, callback).restored
        problem = self._problem(image, mask)
        if callback is not None:  # it may change the user's array
            problem = problem.detached()
        return _written(problem, self._solve(problem, callback))

    def _problem(self, image: Any, mask: Any) -> Problem:
        """What is to be solved; the user is asked about what looks wrong."""
        problem = self._checked(image, mask)
        for doubt in problem.doubts():
            warn(doubt, GuessedMaskWarning)
        return problem

    def _check(self, image: Any) -> None:
        """Refuse what cannot be restored; of an image in chunks nothing is computed."""
        if not in_chunks(image):
            self._problem(image, None)
            return
        from skinpaint.dask.api import checked

        checked(image, **self._settings())

    def _in_chunks(self, image: Any, mask: Any, callback: Callback | None = None) -> ChunkedSolution:
        """The answer for a dask array."""
        from skinpaint.dask import solve

        require(isinstance(self.progress, bool), self, "progress", "a bool", self.progress)
        return solve(image, mask, **self._settings(), callback=callback)

    def _checked(self, image: Any, mask: Any, **changes: Any) -> Problem:
        require(isinstance(self.progress, bool), self, "progress", "a bool", self.progress)
        names = ("channel_axis", "missing_values", "bounds", "spacing", "grow", "max_distance")
        settings = {name: getattr(self, name) for name in names}
        method = resolve(self.method)
        return Problem.from_image(
            image,
            mask,
            **{**settings, **changes},
            default_bounds=method.default_bounds,
            unmeasured=_unmeasured(method.noise),
        )

    def _trust(self, asked: str, rng: np.random.Generator | int) -> Uncertainty:
        """What is known of the errors of the last `fit`; kept for the same int, and said in its status."""
        owner = f"Inpainter.{asked}"
        seed = is_int(rng) and rng >= 0
        require(seed or isinstance(rng, np.random.Generator), owner, "rng", "an int of at least 0 or a Generator", rng)
        if not hasattr(self, "restored_"):
            raise ValueError(f"{owner} needs an image first. Call fit(image) or fit_restore(image).")
        if in_chunks(self.restored_):
            raise ValueError(
                f"{owner} needs an image in memory. Got one in chunks instead. Fit image.compute() if the image fits "
                "into memory."
            )
        last = self._last
        if last is None:  # it was unpickled
            raise ValueError(
                f"{owner} needs a fit of this version of skinpaint. Got one of another version. Fit the image again."
            )
        kept = last.trusted
        if kept is not None and seed and kept[0] == rng:
            return kept[1]
        found = last.trust(rng)
        last.trusted = (rng if seed else None, found)
        if self._last is last:
            self.solution_ = last.solution.remarked([found.note])
        return found

    def _predict(self, image: Any, score_holdout: Callable[..., float]) -> float:
        """PSNR of known pixels that were hidden."""

        def restore(noisy: np.ndarray, mask: np.ndarray) -> np.ndarray:
            # The mask has grown already, and all of it is scored.
            problem = self._checked(noisy, mask, grow=0, max_distance=None, channel_axis=damaged.channel_axis)
            return _written(problem, self._solve(problem))

        damaged = self._problem(image, None)
        mask = damaged.as_user(damaged.mask)
        return score_holdout(restore, damaged.array, mask, channel_axis=damaged.channel_axis)

    def _solve(self, problem: Problem, callback: Callback | None = None) -> Solution:
        require(callback is None or callable(callback), "Inpainter.fit", "callback", "a callable or None", callback)
        method = resolve(self.method)
        works = _without_work(problem, method) is None
        shown = self.progress and works and sys.stderr is not None  # as in a program with windows
        with _Bar(method, callback) if shown else nullcontext(callback) as told:
            solution = solved(problem, method, told)
        return solution.remarked(self._remarks(problem, solution, method))

    def _remarks(self, problem: Problem, solution: Solution, method: Method) -> Iterator[str]:
        """What the door adds to the method's own status."""
        if problem.trivial is None and (unseen := method.unseen(problem.shape[:-1], problem.spacing)):
            yield unseen
        if problem.trivial is None and self.spacing is None and method.sees_spacing and problem.unheard:
            yield problem.unheard
        at_bound = 0 if problem.trivial is not None else problem.at_bound(solution.found)
        if at_bound > MAX_AT_BOUND * np.count_nonzero(problem.filled) * (problem.shape[-1] / problem.mask.shape[-1]):
            yield (
                f"{at_bound} filled {'value is' if at_bound == 1 else 'values are'} at the lowest or highest known "
                "value, and may belong beyond it. Pass bounds=(low, high) to let them."
            )
        if problem.note:
            yield as_sentence(problem.note)
        if problem.left:
            what = ("value" if problem.mask.shape[-1] > 1 else "pixel") + ("" if problem.left == 1 else "s")
            yield (
                f"Left {problem.left} missing {what} as they came, further than max_distance={self.max_distance:g} "
                "from every known one."
            )


_PARAMETERS = list(inspect.signature(Inpainter).parameters)


@_explained("inpaint")
def inpaint(
    image: Any,
    mask: Any = None,
    *,
    method: str | Method = DEFAULT_METHOD,
    channel_axis: int | None = None,
    missing_values: MissingValues = "auto",
    bounds: Bounds = None,
    spacing: float | Sequence[float] | None = None,
    grow: int = 0,
    max_distance: float | None = None,
    progress: bool = False,
    callback: Callback | None = None,
    return_std: bool = False,
) -> Any:
    """Restore `image` in one call; the parameters are those of :class:`Inpainter` and its `fit`.

    Parameters
    ----------
    image : array_like of shape (M[, N[, ..., P]][, C])
        Integers or floats.
    mask : array_like, optional
        Where pixels are missing (True, 1 or 255).
    method, channel_axis, missing_values, bounds, spacing, grow, max_distance, progress
        See :class:`Inpainter`.
    callback : callable, optional
        See :meth:`Inpainter.fit`.
    return_std : bool
        Return also how sure each pixel is, as :meth:`Inpainter.std` does.

    Returns
    -------
    restored : ndarray
        A new array of the image's shape and dtype.
    std : ndarray of float64
        The standard deviation of the error of each pixel, in the image's units; only with `return_std`.

    Raises
    ------
    TypeError, ValueError
        If the image, the mask or a parameter cannot be used; the message says what is allowed.

    Examples
    --------
    >>> import numpy as np
    >>> inpaint(np.array([0.0, np.nan, np.nan, 3.0]), method="laplace")
    array([0., 1., 2., 3.])
    """
    inpainter = Inpainter(
        method,
        channel_axis=channel_axis,
        missing_values=missing_values,
        bounds=bounds,
        spacing=spacing,
        grow=grow,
        max_distance=max_distance,
        progress=progress,
    )
    require(isinstance(return_std, bool), "inpaint", "return_std", "a bool", return_std)
    _refuse_several(image, "inpaint")
    if not return_std:
        return inpainter._restored(image, mask, callback)
    if in_chunks(image):
        raise ValueError(
            "The 'return_std' parameter of inpaint must be False for an image in chunks. Got True instead. Pass "
            "image.compute() if the image fits into memory."
        )
    return inpainter.fit_restore(image, mask, callback=callback), inpainter.std()


def _own(restored: Any) -> Any:
    """A copy of what cannot be changed from elsewhere; a dask array never changes."""
    return restored if in_chunks(restored) else copy.deepcopy(restored)


class _Bar:
    """A progress bar that is a callback, with the user's own callback inside."""

    def __init__(self, method: Method, inner: Callback | None) -> None:
        from tqdm.auto import tqdm

        self.inner = inner
        steps = getattr(method, "max_iter", 1) if getattr(method, "tol", None) is None else None  # tol ends it earlier
        self.bar = tqdm(total=steps, desc=type(method).__name__, leave=False)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def __call__(self, record: Record, restore: Any) -> object:
        energy = "" if record.energy is None else f"energy {record.energy:.6g}"
        self.bar.set_postfix_str(", ".join(filter(None, (energy, proven_within(record.gap)))), refresh=False)
        self.bar.update(record.n_iter - self.bar.n)
        return self.inner(record, restore) if self.inner is not None else None


def _written(problem: Problem, solution: Solution) -> Any:
    """The picture, its known pixels as they were unless they were smoothed."""
    if solution.posterior is None:
        return problem.write_back(solution.found)
    return problem.write_back(solution.found, smoothed=True)


def _without_work(problem: Problem, method: Method) -> tuple[Reason, str] | None:
    """Why there is nothing to solve, neither missing pixels nor noise, and the same as a sentence."""
    return None if getattr(method, "noisy", False) else problem.trivial


def solved(problem: Problem, method: Method, callback: Callback | None = None) -> Solution:
    """The answer of a method, which is checked; without work where there is nothing to solve."""
    trivial = _without_work(problem, method)
    if trivial is None:
        solution = method.solve(problem, callback)
    else:
        reason, status = trivial
        solution = Solution(values=problem.unsolved, reason=reason, status=status)
    check_answer(solution, problem, method)
    return solution


def check_answer(solution: Any, problem: Problem, method: Method) -> None:
    """Refuse what a method of one's own may return by mistake, as it would be cast and broadcast into a picture."""
    name = f"{type(method).__name__}.solve"
    if not isinstance(solution, Solution):
        raise TypeError(f"{name} must return a skinpaint.Solution. Got {type(solution).__name__} instead.")
    gap = solution.gap
    for what, allowed, got, valid in (
        ("reason", "a skinpaint.Reason", solution.reason, isinstance(solution.reason, Reason)),
        ("status", "a str", solution.status, isinstance(solution.status, str)),
        ("history", "a tuple of skinpaint.Record", solution.history, isinstance(solution.history, tuple)),
        ("gap", "a float of at least 0 or None", gap, gap is None or (is_number(gap) and gap >= 0)),
    ):
        if not valid:
            raise TypeError(f"{name} must return {allowed} as {what}. Got {got!r} instead.")
    found, missing, shape = solution.found, problem.mask, problem.shape
    if isinstance(found, Filling):
        found, missing, shape = found.values, np.ones(1, bool), (problem.missing.size, shape[-1])
    values = np.asarray(found)
    if values.shape != shape or values.dtype.kind != "f":
        raise ValueError(
            f"{name} must return floats of shape {shape} as values. Got {values.dtype} of shape {values.shape} instead."
        )
    with np.errstate(all="ignore"):
        if np.isfinite(values.sum()):  # usually it is, which is quick to see
            return
    wrong = int(np.count_nonzero(~np.isfinite(values) & missing))
    if wrong:
        raise ValueError(f"{name} must return finite values. Got {wrong} that are NaN or infinite.")


def _unmeasured(noise: Any) -> np.ndarray | None:
    """Where the noise says that nothing was measured; None if nowhere."""
    if noise is None or isinstance(noise, str):
        return None
    from skinpaint.trust.noise import unmeasured

    return unmeasured(np.asarray(noise, dtype=float))


def _values(image: Any) -> np.ndarray:
    """What an image holds, masked where it says so itself."""
    contents = unpack(image)
    return contents.array if contents.hidden is None else np.ma.array(contents.array, mask=contents.hidden)


def _refuse_several(image: Any, owner: str) -> None:
    if isinstance(image, list | tuple):
        raise TypeError(
            f"The 'image' parameter of {owner} must be one array. Got a {type(image).__name__} of {len(image)} "
            "instead. Use Inpainter.transform for several images, or numpy.asarray for one image given as nested lists."
        )


def _refuse_with_several(mask: Any, callback: Callback | None) -> None:
    """Several images have no mask in common, and nobody to watch them."""
    if mask is not None:
        raise TypeError(
            "The 'mask' parameter of Inpainter.fit must be None for a list of images. Mark missing "
            "pixels in the images instead, by NaN, numpy.ma or missing_values=."
        )
    if callback is not None:
        raise TypeError(
            "The 'callback' parameter of Inpainter.fit must be None for a list of images, which are only "
            "checked. Fit one image at a time to watch it."
        )


def _refuse_mask_as_y(image: Any, y: Any) -> None:
    """A mask given by position lands in `y`; say so instead of ignoring it. Labels of several images are no mask."""
    several = isinstance(image, list | tuple)
    if y is None or (isinstance(y, list | tuple) and several):
        return
    try:
        y = np.asarray(y)
    except Exception:  # whatever it is, it is no mask
        return
    if y.size == 0 or (several and y.shape == (len(image),)):
        return
    if y.dtype == bool or (y.dtype.kind in "uif" and np.isin(y, (0, 1, 255)).all()):
        raise TypeError("pass the mask by keyword: fit(image, mask=...)")
