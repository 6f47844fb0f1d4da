"""The door for dask arrays."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

import dask.array as da
import numpy as np

from skinpaint.dask.channel import Channel, ChunkedSolution, bounded, thumbnail
from skinpaint.dask.chunked import Chunked, chunks_for_work
from skinpaint.dask.local import LOCAL, Local, restore
from skinpaint.grid.harmonic.schwarz import Grid
from skinpaint.methods import METHODS, Laplace, load, resolve
from skinpaint.methods.base import Method
from skinpaint.problem import (
    Bounds,
    ask_colours,
    ask_inverted,
    check_bounds,
    check_max_distance,
    check_spacing,
    looks_inverted,
)
from skinpaint.solution import TRIVIAL, Callback, GuessedMaskWarning, Reason, Record, warn
from skinpaint.wording import require

__all__ = ["checked", "inpaint", "solve"]

DEFAULT_METHOD = "laplace"


def inpaint(image: Any, mask: Any = None, **settings: Any) -> Any:
    """Restore a dask array, and return a dask array.

    Parameters
    ----------
    image, mask, **settings
        As for :func:`solve`.

    Returns
    -------
    restored : dask.array.Array
        Of the shape, the dtype and the chunks of the image. The passes are done; the last step, which brings each chunk
        to the image's dtype, is done when the array is computed or stored.

    Raises
    ------
    TypeError, ValueError
        If the image, the mask or a parameter cannot be used; the message says what is allowed.

    Examples
    --------
    >>> import dask.array as da
    >>> from skinpaint.dask import inpaint
    >>> image = da.from_array(np.array([[0.0, np.nan, np.nan, 3.0]]), chunks=(1, 2))
    >>> inpaint(image).compute().round(5)
    array([[0., 1., 2., 3.]])
    """
    return solve(image, mask, **settings).restored


def solve(
    image: Any,
    mask: Any = None,
    *,
    method: str | Method = DEFAULT_METHOD,
    channel_axis: int | None = None,
    missing_values: Any = "auto",
    bounds: Bounds = None,
    spacing: float | Sequence[float] | None = None,
    grow: int = 0,
    max_distance: float | None = None,
    work: str | None = None,
    progress: bool = False,
    callback: Callback | None = None,
) -> ChunkedSolution:
    """Restore a dask array, and say how exact the answer is.

    Parameters
    ----------
    image : dask.array.Array of shape (M[, N[, ..., P]][, C])
        Integers or floats.
    mask : array_like or dask.array.Array, optional
        Where pixels are missing (True, 1 or 255), in any chunks. NaN are missing in any case, and so are masked entries
        of an array of dask.array.ma, which stay masked where `max_distance` leaves them.
    method : str or Method
        "laplace", "dct", "biharmonic" or "pnp", or a method object of one of these. All but "laplace" restore a chunk
        when it is computed, with a halo of pixels around it.
    channel_axis, bounds, spacing, grow, max_distance
        As for :class:`skinpaint.Inpainter`.
    missing_values : "auto", number, tuple of numbers, or None
        As for :class:`skinpaint.Inpainter`; saturated pixels are not guessed.
    work : str, optional
        Folder of a zarr store for the values between passes, 17 bytes and more a pixel. They are in memory otherwise.
        A call that was interrupted, or killed, goes on from the last complete pass if it is made again. The answer
        reads from the store: remove it after the answer is computed or stored.
    progress : bool
        Show a progress bar on stderr, with the residual.
    callback : callable, optional
        ``callback(record, restore)`` after each pass of the harmonic fill; returning True stops. Channels are filled
        one after another; in what ``restore()`` gives, those whose turn comes later are as they came.

    Returns
    -------
    solution : ChunkedSolution
        The restored image is ``solution.restored``.

    Raises
    ------
    TypeError, ValueError
        If the image, the mask or a parameter cannot be used; the message says what is allowed.

    Examples
    --------
    >>> import dask.array as da
    >>> from skinpaint.dask import solve
    >>> image = da.from_array(np.array([[0.0, np.nan, np.nan, 3.0]]), chunks=(1, 2))
    >>> solution = solve(image)
    >>> solution.residual <= 1e-6
    True
    """
    require(callback is None or callable(callback), "Inpainter.fit", "callback", "a callable or None", callback)
    began = perf_counter()
    problem, chosen, local, distances, farthest = checked(
        image,
        mask,
        method=method,
        channel_axis=channel_axis,
        missing_values=missing_values,
        bounds=bounds,
        spacing=spacing,
        grow=grow,
        max_distance=max_distance,
        progress=progress,
    )
    settings = chosen if isinstance(chosen, Laplace) else Laplace()
    given = problem.image.chunks[:-1]
    probe = Grid(given, settings.lags, distances)
    least = probe.overlap + probe.reach
    halo = 0 if local is None else local.most(given)
    chunks = chunks_for_work(given, max(least, halo))
    grid = Grid(chunks, settings.lags, distances)
    channels = []
    for c, (channel, missing) in enumerate(problem.channels()):
        place = work if work is None or channel_axis is None else f"{work}/channel-{c}"
        parts = channel.rechunk(chunks), missing.rechunk(chunks)
        channels.append(Channel(grid, *parts, c, settings, bounds, farthest, place, halo))
    if question := ask_colours(image.shape, channel_axis):
        warn(question, GuessedMaskWarning)
    if mask is not None and looks_inverted(*thumbnail(channels)):
        warn(ask_inverted(sum(one.found.missing for one in channels[: problem.missing.shape[-1]])), GuessedMaskWarning)
    with _Bar(type(chosen).__name__, progress, callback) as bar:
        each: list[ChunkedSolution] = []
        for k, one in enumerate(channels):
            show = partial(bar.show, whole=partial(_so_far, problem, image, [*each], channels[k + 1 :]))
            each.append(one.trivial() or one.fill(show, began) if local is None or local.fill else one.looked())
            bar.stopped = bar.stopped or each[-1].reason.cut_short
    if local is not None:
        each = restore(chosen, local, channels, each, bounds)
    solution = _together(problem, image, each)
    joined = "" if chunks == given else f" Worked in chunks of {_longest(chunks)} instead of {_longest(given)}."
    return replace(solution, status=solution.status + joined)


def checked(
    image: Any,
    mask: Any = None,
    *,
    method: str | Method,
    bounds: Bounds,
    spacing: float | Sequence[float] | None,
    max_distance: float | None,
    progress: bool,
    **settings: Any,
) -> tuple[Chunked, Method, Local | None, tuple[float, ...], float | None]:
    """The image and what is missing in it, the methods, the spacing and the distance, checked without computing."""
    if not isinstance(image, da.Array):
        raise TypeError(
            f"The 'image' parameter must be a dask array. Got {type(image).__name__} instead. Pass "
            "dask.array.asarray(image), or call skinpaint.inpaint for an image in memory."
        )
    require(isinstance(progress, bool), "solve", "progress", "a bool", progress)
    chosen, local = _chosen(method)
    problem = Chunked.from_array(image, mask, **settings)
    distances = check_spacing(spacing, problem.image.ndim - 1)
    chosen.check_grid(problem.image.shape[:-1], distances)
    farthest = check_max_distance(max_distance)
    if bounds is not None:
        check_bounds(bounds, image.dtype)
    return problem, chosen, local, distances, farthest


def _so_far(
    problem: Chunked, image: Any, done: list[ChunkedSolution], waiting: list[Channel], restored: Callable[[], Any]
) -> Any:
    """The image while one of its channels is filled; those after it are as they came."""
    channels = [*(one.restored for one in done), restored(), *(one.image for one in waiting)]
    return problem.as_user(channels, image)


def _together(problem: Chunked, image: Any, each: list[ChunkedSolution]) -> ChunkedSolution:
    """The answers of the channels as one, as the user has them; what is said is said of the worst."""
    filled = [one.filled for one in each]
    shared = problem.missing.shape[-1] == 1
    marked = filled[0].rechunk(problem.image.chunks[:-1]) if shared else problem.as_user(filled, image)
    worst = max(each, key=lambda one: (not one.converged, one.reason not in TRIVIAL, one.residual or 0.0))
    error = _largest([one.error for one in each])
    bound = bounded(error) if worst.reason is Reason.CONVERGED else ""
    return replace(
        worst,
        values=problem.as_user([one.values for one in each], image),
        restored=problem.as_user([one.restored for one in each], image),
        filled=marked,
        status=worst.status + bound,
        n_iter=max(one.n_iter for one in each),
        history=tuple(record for one in each for record in one.history),
        error=error,
        largest_residual=_largest([one.largest_residual for one in each]),
    )


def _chosen(method: str | Method) -> tuple[Method, Local | None]:
    """The method, and how far it looks; None for the harmonic fill, which looks everywhere."""
    chosen = resolve(method)
    if type(chosen) not in (Laplace, *LOCAL):  # a subclass may do anything
        allowed = [name for name in METHODS if load(name) in (Laplace, *LOCAL)]
        names = f"{', '.join(map(repr, allowed[:-1]))} or {allowed[-1]!r}"
        raise ValueError(
            f"The 'method' parameter must be {names} for an image in chunks. Got {method!r} instead. "
            "Pass one of these, or image.compute() if the image fits into memory."
        )
    if getattr(chosen, "noisy", False):
        raise ValueError(
            f"The 'noise' parameter of {type(chosen).__name__} must be None or 0 for an image in chunks. "
            f"Got {chosen.noise!r} instead. Pass image.compute() if the image fits into memory."
        )
    return chosen, LOCAL.get(type(chosen))


def _largest(figures: list[float | None]) -> float | None:
    """The largest figure of any channel; None if a channel has none."""
    known = [figure for figure in figures if figure is not None]
    return max(known) if len(known) == len(figures) else None


def _longest(chunks: tuple[tuple[int, ...], ...]) -> str:
    return " x ".join(str(max(each)) for each in chunks)


class _Bar:
    """A progress bar over the passes, with the user's callback inside."""

    def __init__(self, name: str, shown: bool, callback: Callback | None) -> None:
        from tqdm.auto import tqdm

        self.callback, self.stopped = callback, False
        self.bar = tqdm(desc=name, unit="pass", leave=False, disable=not shown or sys.stderr is None)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def show(self, record: Record, residual: float, restored: Any, whole: Callable[[Any], Any]) -> bool:
        """Show a pass; whether the callback wants to stop. `whole` makes an image of a restored channel."""
        self.bar.set_postfix_str(f"residual {residual:.1e}", refresh=False)
        self.bar.update()
        stop = self.stopped or (self.callback is not None and self.callback(record, partial(whole, restored)))
        return isinstance(stop, bool | np.bool_) and bool(stop)
