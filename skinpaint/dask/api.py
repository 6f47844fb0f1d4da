"""The door for dask arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from time import perf_counter
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from skinpaint import masks
from skinpaint.dask import tasks
from skinpaint.dask.chunked import Chunked, chunks_for_work
from skinpaint.dask.passes import Certificate, Schwarz
from skinpaint.grid.harmonic.schwarz import Grid, Pass
from skinpaint.methods import Laplace, resolve
from skinpaint.methods.base import Method
from skinpaint.problem import Bounds, check_bounds, check_max_distance, check_spacing
from skinpaint.solution import Callback, ConvergenceWarning, Reason, Record, Solution, warn

__all__ = ["ChunkedSolution", "inpaint", "solve"]

DEFAULT_METHOD = "laplace"


@dataclass(frozen=True, kw_only=True, repr=False)
class ChunkedSolution(Solution):
    """The answer for an image in chunks.

    Attributes
    ----------
    values : dask.array.Array
        The filled values as floats, in units of the image, before rounding.
    restored : dask.array.Array
        The restored image, of the shape, the dtype and the chunks of the image.
    filled : dask.array.Array of bool
        What was filled.
    n_iter : int
        Number of passes.
    residual : float
        Relative residual, as in memory; found by an independent pass, which takes what is known from the image and what
        was filled from where it is kept.
    largest_residual : float
        Largest entry of the residual, in units of the image.
    error : float or None
        A bound of the largest error, as a fraction of the range, by the maximum principle; None where it says nothing.
    """

    restored: Any = field(default=None)
    filled: Any = field(default=None)
    largest_residual: float = 0.0


def inpaint(image: Any, mask: Any = None, **settings: Any) -> Any:
    """Restore a dask array, and return a dask array; see :func:`solve` for the parameters.

    Returns
    -------
    restored : dask.array.Array
        Of the shape, the dtype and the chunks of the image. The passes are done; the last step, which brings each chunk
        to the image's dtype, is done when the array is computed or stored.

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
        Where pixels are missing (True, 1 or 255), in any chunks. NaN are missing in any case.
    method : str or Method
        "laplace" or a Laplace object.
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
        ``callback(record, restore)`` after each pass; returning True stops.

    Returns
    -------
    solution : ChunkedSolution
        The restored image is ``solution.restored``.

    Raises
    ------
    TypeError, ValueError
        If the image, the mask or a parameter cannot be used; the message says what would do.

    Examples
    --------
    >>> import dask.array as da
    >>> from skinpaint.dask import solve
    >>> image = da.from_array(np.array([[0.0, np.nan, np.nan, 3.0]]), chunks=(1, 2))
    >>> solution = solve(image)
    >>> solution.residual <= 1e-6
    True
    """
    chosen = _chosen(method)
    began = perf_counter()
    problem = Chunked.from_array(image, mask, channel_axis=channel_axis, missing_values=missing_values, grow=grow)
    distances = check_spacing(spacing, problem.image.ndim - 1)
    farthest = check_max_distance(max_distance)
    if bounds is not None:
        check_bounds(bounds, image.dtype)
    each = []
    with _Bar(progress, callback) as bar:
        for c, (channel, missing) in enumerate(problem.channels()):
            place = work if work is None or channel_axis is None else f"{work}/channel-{c}"
            each.append(_channel(channel, missing, chosen, bounds, distances, farthest, place, bar, began, c))
            if each[-1].reason in (Reason.INTERRUPTED, Reason.STOPPED_BY_CALLBACK):
                bar.stopped = True
    like = image
    filled = [one.filled for one in each]
    if problem.missing.shape[-1] == 1:
        marked = filled[0].rechunk(problem.image.chunks[:-1])
    else:
        marked = problem.as_user(filled, like)
    worst = max(each, key=lambda one: (not one.converged, one.residual or 0.0))
    errors = [one.error for one in each]
    return replace(
        worst,
        values=problem.as_user([one.values for one in each], like),
        restored=problem.as_user([one.restored for one in each], like),
        filled=marked,
        n_iter=max(one.n_iter for one in each),
        history=tuple(record for one in each for record in one.history),
        error=None if None in errors else max(error for error in errors if error is not None),
        largest_residual=max(one.largest_residual for one in each),
    )


def _chosen(method: str | Method) -> Laplace:
    """The method, if there is one for chunks."""
    chosen = resolve(method)
    if not isinstance(chosen, Laplace):
        raise ValueError(
            f"The 'method' parameter must be 'laplace' for an image in chunks. Got {method!r} instead. "
            "Pass method='laplace', or image.compute() if the image fits into memory."
        )
    if chosen.noisy:
        raise ValueError(
            f"The 'noise' parameter of Laplace must be None or 0 for an image in chunks. Got {chosen.noise!r} instead. "
            "Pass image.compute() if the image fits into memory."
        )
    return chosen


def _channel(
    image: Any,
    missing: Any,
    method: Laplace,
    bounds: Bounds,
    spacing: tuple[float, ...],
    farthest: float | None,
    work: str | None,
    bar: _Bar,
    began: float,
    number: int,
) -> ChunkedSolution:
    """Restore one channel."""
    probe = Grid(image.chunks, method.lags, spacing)
    chunks = chunks_for_work(image.chunks, probe.overlap + probe.reach)
    image, missing = image.rechunk(chunks), missing.rechunk(chunks)
    grid = Grid(chunks, method.lags, spacing)
    schwarz = Schwarz(grid, image, missing, None if work is None else _store(work, grid, method))
    found = schwarz.look()
    if found.infinite:
        raise ValueError(
            f"The 'image' parameter must be finite where it is known. Got {found.infinite} infinite values instead. "
            "Mark them as missing with mask= or set them to NaN."
        )
    if found.low > found.high:
        raise ValueError(
            "The 'image' parameter must have at least one known pixel in every channel. Got an image of which all of "
            f"channel {number} is missing."
        )
    low, high = _bounds(bounds, found.low, found.high, image.dtype)
    filled = _near_enough(missing, spacing, farthest)
    joined = (
        ""
        if chunks == probe.chunks
        else f" Worked in chunks of {_longest(chunks)} instead of {_longest(probe.chunks)}."
    )

    def restored() -> Any:
        meta = np.empty((0,) * image.ndim, image.dtype)
        return da.map_blocks(
            tasks.finish, image, filled, missing, schwarz.values(), low=low, high=high, dtype=image.dtype, meta=meta
        )

    def solution(reason: Reason, status: str, **more: Any) -> ChunkedSolution:
        return ChunkedSolution(
            values=schwarz.values(), restored=restored(), filled=filled, reason=reason, status=status + joined, **more
        )

    if not found.missing:
        schwarz.start = found.low
        return solution(Reason.NOTHING_MISSING, "Nothing is missing: the image is returned as it came.", residual=0.0)
    history: list[Record] = []
    reason = None
    done: Pass | None = None
    try:
        for done in schwarz.run(found.low, found.high, method.tol):
            span = (found.high - found.low) or 1.0
            record = Record(n_iter=done.number, change=done.change / span, seconds=perf_counter() - began)
            history.append(record)
            if bar.show(record, done.residual, restored):
                reason = Reason.STOPPED_BY_CALLBACK
                break
    except KeyboardInterrupt:
        if schwarz.b == 0:
            raise
        reason = Reason.INTERRUPTED
    if schwarz.b == 0:
        return solution(
            Reason.CONSTANT, "All known pixels are equal: the missing ones are set to the same value.", residual=0.0
        )
    passes = 0 if schwarz.work is None else schwarz.work.passes
    passes = done.number if done is not None else passes
    proof = schwarz.certificate()
    if reason is None:
        reason = Reason.CONVERGED if proof.residual <= method.tol else Reason.MAX_ITER
    status = _status(reason, passes, proof, method.tol, found.high - found.low)
    if reason is Reason.MAX_ITER:
        warn(status, ConvergenceWarning)
    error = proof.error / ((found.high - found.low) or 1.0)
    return solution(
        reason,
        status,
        n_iter=passes,
        history=tuple(history),
        residual=proof.residual,
        largest_residual=proof.largest,
        error=error if error < 1 else None,
    )


def _status(reason: Reason, passes: int, proof: Certificate, tol: float, span: float) -> str:
    counted = f"{passes} pass{'' if passes == 1 else 'es'}"
    said = f"The relative residual is {proof.residual:.1g}, as a look at the result again confirms."
    if reason is Reason.CONVERGED:
        bound = f" No value is further than {proof.error:.1g} from the exact fill." if proof.error < span else ""
        return f"Solved by {counted} over the chunks. {said}{bound}"
    if reason is Reason.MAX_ITER:
        return (
            f"Not solved after {counted}: the relative residual is {proof.residual:.1g}, above tol {tol:g}. Raise tol."
        )
    what = "Interrupted" if reason is Reason.INTERRUPTED else "Stopped by the callback"
    return f"{what} after {counted}: this is the answer so far. {said}"


def _store(work: str, grid: Grid, method: Laplace) -> Any:
    from skinpaint.dask.store import Work

    settings = [getattr(method, each.name) for each in fields(method) if each.name != "tol"]
    return Work(str(work), tokenize(grid.chunks, grid.lags, grid.steps, settings))


def _bounds(bounds: Bounds, lowest: float, highest: float, dtype: np.dtype) -> tuple[float, float]:
    if bounds is None or lowest == highest:
        return lowest, highest
    low, high = check_bounds(bounds, dtype)
    if lowest < low or highest > high:
        raise ValueError(
            f"The 'bounds' parameter of Inpainter must contain all known values. Got {bounds!r}, which is "
            f"({low:g}, {high:g}), for values from {lowest:g} to {highest:g} instead."
        )
    return low, high


def _near_enough(missing: Any, spacing: tuple[float, ...], farthest: float | None) -> Any:
    """What is missing, and not too far from known pixels."""
    if farthest is None:
        return missing
    depth = {axis: int(farthest // h) + 1 for axis, h in enumerate(spacing)}
    return da.map_overlap(_near, missing, depth=depth, boundary="none", dtype=bool, spacing=spacing, farthest=farthest)


def _near(missing: np.ndarray, spacing: tuple[float, ...], farthest: float) -> np.ndarray:
    if missing.all():
        return np.zeros_like(missing)
    return missing & (masks.distance_to_known(missing[..., None], spacing)[..., 0] <= farthest)


def _longest(chunks: tuple[tuple[int, ...], ...]) -> str:
    return " x ".join(str(max(each)) for each in chunks)


class _Bar:
    """A progress bar over the passes, with the user's callback inside."""

    def __init__(self, shown: bool, callback: Callback | None) -> None:
        from tqdm.auto import tqdm

        self.callback, self.stopped = callback, False
        self.bar = tqdm(desc="Laplace", unit="pass", leave=False, disable=not shown)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def show(self, record: Record, residual: float, restored: Any) -> bool:
        """Show a pass; whether the callback wants to stop."""
        self.bar.set_postfix_str(f"residual {residual:.1e}", refresh=False)
        self.bar.update()
        stop = self.stopped or (self.callback is not None and self.callback(record, partial(restored)))
        return isinstance(stop, bool | np.bool_) and bool(stop)
