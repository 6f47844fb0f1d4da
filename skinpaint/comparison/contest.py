"""Every method restores the image, and is scored against the truth or by what it predicts."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from math import ceil, inf
from time import perf_counter
from typing import Any

import numpy as np

from skinpaint.comparison.draws import disjoint_draws
from skinpaint.comparison.entrants import Entrants, as_inpainter, named
from skinpaint.comparison.race import Race, Rules, run
from skinpaint.comparison.ranking import lead, standings
from skinpaint.comparison.result import MIN_SCORED, Comparison, Entry
from skinpaint.containers import unpack
from skinpaint.holdout import check_fraction
from skinpaint.inpainter import Inpainter, without_underflow
from skinpaint.masks import entries_equal, everywhere
from skinpaint.methods import resolve
from skinpaint.problem import Bounds, Problem
from skinpaint.scores import check_truth, psnr, ssim
from skinpaint.solution import ConvergenceWarning, GuessedMaskWarning, warn
from skinpaint.wording import generator

__all__ = ["compare"]

MAX_MORE = 1.5  # times as many pixels as are missing that a draw may hide and still say how far their score may be

Figures = Callable[[np.ndarray], dict[str, Any]]


@without_underflow
def compare(
    image: Any,
    mask: Any = None,
    methods: Entrants = None,
    *,
    truth: Any = None,
    channel_axis: int | None = None,
    missing_values: Any = "auto",
    bounds: Bounds = None,
    spacing: float | Sequence[float] | None = None,
    grow: int = 0,
    draws: int | tuple[int, int] = (3, 8),
    budget: float | None = None,
    fraction: float | None = None,
    rng: np.random.Generator | int | None = 0,
    progress: bool = False,
) -> Comparison:
    """Restore an image by several methods, score them, and rank them.

    Without a truth, known pixels are hidden in several draws, in the shapes of the missing ones and near them, and
    overwritten with noise before any method sees them; every method predicts the same ones. Draws go on until it is
    clear which method is first. See :func:`skinpaint.holdout.hold_out`.

    Parameters
    ----------
    image : array_like of shape (M[, N[, ..., P]][, C])
        The damaged image; integers or floats.
    mask : array_like, optional
        Where pixels are missing (True, 1 or 255).
    methods : str, Method, Inpainter, or a sequence or mapping of them, optional
        Names of methods, method objects or Inpainters; as a mapping, by the names that the table is to call them. All
        methods of the library by default. Of an Inpainter count the method, its bounds and its spacing.
    truth : array_like of the image's shape, optional
        What the image was before it was damaged.
    channel_axis, missing_values, bounds, spacing, grow
        See :class:`Inpainter`.
    draws : int or (int, int)
        The least and the largest number of draws, or one number for both. After the least, a method that is clearly
        behind the first takes part in no further draw, and draws end when no other is left.
    budget : float, optional
        Seconds after which no further draw is begun; one is made in any case. How many are made then depends on the
        clock, but they are the first ones of those that are made without a budget.
    fraction : float in (0, 1), optional
        How much of the known pixels to hide in a draw. By default about as many as are missing, but at most a tenth.
    rng : numpy.random.Generator or int, optional
        Chooses the pixels that are hidden; fixed by default.
    progress : bool
        Show a progress bar.

    Returns
    -------
    comparison : Comparison
        A table, with the restored images inside. A method that raises is a row of it, with the error.

    Raises
    ------
    TypeError, ValueError
        If the image, the mask or a parameter cannot be used; the message says what is allowed.

    Examples
    --------
    >>> from skimage import data
    >>> from skinpaint import Laplace, compare
    >>> from skinpaint.damage import scratches
    >>> damaged, mask = scratches(data.brick()[:96, :96], count=8, rng=0)
    >>> comparison = compare(damaged, mask, ["laplace", Laplace(lags=(1, 2)), "biharmonic"])
    >>> comparison.best.name
    'biharmonic'
    >>> [entry.name for entry in comparison.entries]
    ['biharmonic', 'laplace', 'laplace(lags=(1, 2))']
    >>> comparison.best.restored.shape
    (96, 96)
    """
    rules = Rules.of(draws, budget)
    check_fraction(fraction, "compare")
    rng = generator(rng, "compare")
    entrants = named(methods)
    problem = Problem.from_image(
        image,
        mask,
        channel_axis=channel_axis,
        missing_values=missing_values,
        bounds=bounds,
        spacing=spacing,
        grow=grow,
    )
    for question in problem.questions():
        warn(question, GuessedMaskWarning)
    image, missing, channel_axis = problem.array, problem.as_user(problem.mask), problem.channel_axis
    inpainters = {name: as_inpainter(entrant, channel_axis, bounds, spacing) for name, entrant in entrants.items()}
    truth = None if truth is None else _checked(truth, image, missing, channel_axis)
    with _quiet(), _counter(shown=progress) as count:
        if truth is None:
            drawn = disjoint_draws(image, missing, rules.most, channel_axis=channel_axis, fraction=fraction, rng=rng)
            race, figures = run(rules, inpainters, drawn, count), _none
        else:
            _warm_up(inpainters.values(), problem.ndim)
            where = everywhere(missing, image, channel_axis)
            race, figures = Race(), partial(_against, truth, where=where, channel_axis=channel_axis)
        entries = {}
        for name, inpainter in inpainters.items():
            entries[name] = _restored(name, inpainter, image, missing, figures, race.errors.get(name))
            count()
    scores = {name: race.scores[name] for name in race.scores if entries[name].error is None}
    few = missing.sum() * race.draws * MAX_MORE < race.hidden  # a draw of many pixels does not tell the spread of few
    scarce = race.hidden < MIN_SCORED * race.draws
    for name, (score, margin) in standings(scores).items():
        margin = inf if few or scarce else margin
        entries[name] = replace(entries[name], psnr=score, margin=margin, scores=tuple(scores[name]))
    ranked = sorted(entries.values(), key=lambda entry: (entry.error is not None, -entry.psnr))
    return Comparison(
        entries=tuple(ranked),
        image=image,
        mask=missing,
        truth=truth,
        hidden=race.hidden,
        draws=race.draws,
        ended=race.ended,
        channel_axis=channel_axis,
        note=problem.note,
        lead=lead(ranked[0].scores, ranked[1].scores, rules.looks) if len(scores) > 1 else None,
    )


def _checked(truth: Any, image: np.ndarray, missing: np.ndarray, channel_axis: int | None) -> np.ndarray:
    """The truth as an array, masked where it is not known itself, if it can be one."""
    contents = unpack(truth)
    array, hidden = contents.array, contents.hidden
    if array.shape != image.shape or array.dtype.kind not in "uif":
        raise ValueError(
            f"The 'truth' parameter of compare must be an array of real numbers in the shape {image.shape} of the "
            f"image. Got {type(array).__name__} of {array.dtype} in the shape {array.shape} instead."
        )
    if not missing.any():
        raise ValueError(
            "The 'truth' parameter of compare must be None for an image of which nothing is missing. Pass a mask that "
            "marks some pixels, or leave 'truth' out."
        )
    for value in contents.nodata:
        equal = entries_equal(array, value, contents.nodata)
        hidden = equal if hidden is None else hidden | equal
    array = array if hidden is None or not hidden.any() else np.ma.array(array, mask=hidden)
    check_truth(array, image, everywhere(missing, image, channel_axis), "compare")
    return array


def _against(truth: np.ndarray, restored: np.ndarray, *, where: np.ndarray, channel_axis: int | None) -> dict[str, Any]:
    """The figures of the missing pixels where they are known."""
    return {
        "psnr": psnr(truth, restored, where=where),
        "ssim": ssim(truth, restored, where=where, channel_axis=channel_axis),
    }


def _none(restored: np.ndarray) -> dict[str, Any]:
    """No figures, where nothing is known of the missing pixels."""
    return {}


def _restored(
    name: str,
    inpainter: Inpainter,
    image: np.ndarray,
    missing: np.ndarray,
    figures: Figures,
    error: Exception | None,
) -> Entry:
    """Let one method restore the image; whatever it raises, or raised before, becomes its row."""
    method = resolve(inpainter.method)
    try:
        if error is not None:
            raise error
        began = perf_counter()
        restored = inpainter.fit_restore(image, missing)
        seconds = perf_counter() - began
        scored = figures(restored)
    except Exception as error:
        said = " ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
        return Entry(name=name, method=method, status=said, error=error)
    anew = Inpainter(**inpainter.get_params(deep=False))
    status = inpainter.solution_.status
    return Entry(name=name, method=method, seconds=seconds, status=status, restored=restored, inpainter=anew, **scored)


def _warm_up(inpainters: Iterable[Inpainter], ndim: int) -> None:
    """Have the kernels compiled, which the first run of all does, so that the seconds are the methods'."""
    shape = (ceil(2000 ** (1 / ndim)),) * ndim
    rng = np.random.default_rng(0)
    for inpainter in inpainters:
        with suppress(Exception):  # which it will show when it matters
            Inpainter(inpainter.method).fit(
                rng.random(shape), mask=rng.random(shape) < 0.9, callback=lambda record, restore: True
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of what a row says, or of noise that looks like damage."""
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, GuessedMaskWarning):
            warnings.simplefilter("ignore", category)
        yield


@contextmanager
def _counter(*, shown: bool) -> Iterator[Callable[[], object]]:
    """What is to be called after each restoration; it moves a progress bar."""
    if not shown or sys.stderr is None:
        yield lambda: None
        return
    from tqdm.auto import tqdm

    with tqdm(unit="restoration", leave=False) as bar:
        yield bar.update
