"""One channel of an image in chunks: what it holds, its harmonic fill, and the restored image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from math import isfinite
from time import perf_counter
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from skinpaint import masks
from skinpaint.dask import tasks
from skinpaint.dask.chunked import look_around
from skinpaint.dask.passes import Certificate, Schwarz
from skinpaint.grid.harmonic.schwarz import Grid, Pass
from skinpaint.methods import Laplace
from skinpaint.problem import LARGEST_EXACT, Bounds, bounds_around
from skinpaint.solution import TRIVIAL, ConvergenceWarning, Reason, Record, Solution, warn

__all__ = ["Channel", "ChunkedSolution", "bounded", "thumbnail"]

STORED = "values in units of the image, figures in units of the range"  # what a store holds

Show = Callable[[Record, float, Callable[[], Any]], bool]
"""Shows a pass: its record, its residual, and a function that gives the answer so far; True stops."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
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
        Number of passes, of the harmonic fill. This and what follows is of no use for a method without one.
    residual : float or None
        Relative residual of "laplace", as in memory; found by an independent pass, which takes what is known from the
        image and what was filled from where it is kept.
    largest_residual : float or None
        Largest entry of that residual, in units of the image.
    error : float or None
        A bound of the largest error, as a fraction of the range, by the maximum principle; None where it says nothing.
    """

    restored: Any = field(default=None)
    filled: Any = field(default=None)
    largest_residual: float | None = None


@dataclass(eq=False)
class Channel:
    """One channel, after a look at all its chunks.

    Parameters
    ----------
    grid : Grid
        The chunks to work in, and the Laplacian.
    image, missing : dask.array.Array
        In these chunks.
    number : int
        Which channel of the image it is.
    settings : Laplace
        Of the harmonic fill.
    bounds, farthest
        As `bounds` and `max_distance` of :class:`skinpaint.Inpainter`.
    work : str or None
        Folder of a store for the values between passes.
    halo : int
        Pixels around a chunk that will be asked for.
    """

    grid: Grid
    image: Any
    missing: Any
    number: int
    settings: Laplace
    bounds: Bounds
    farthest: float | None
    work: str | None
    halo: int

    def __post_init__(self) -> None:
        store = None if self.work is None else _store(self.work, self.grid, self.settings, self.halo)
        self.schwarz = Schwarz(self.grid, self.image, self.missing, store, halo=self.halo)
        self.found = found = self.schwarz.look()
        if found.infinite:
            raise masks.infinite(found.infinite)
        if found.low > found.high:
            raise ValueError(
                "The 'image' parameter must have at least one known pixel in every channel. Got an image of which all "
                f"of channel {self.number} is missing."
            )
        _check_range(found.low, found.high, self.image.dtype)
        self.low, self.high = _bounds(self.bounds, found.low, found.high, self.image.dtype)
        self.schwarz.begin(found.digest)
        self.filled = _near_enough(self.missing, self.grid.spacing, self.farthest)

    def restored(self, values: Any = None) -> Any:
        """The restored image for these values, or for those of the harmonic fill."""
        image, meta = self.image, np.empty_like(self.image._meta, subok=self.farthest is not None)
        values = self.schwarz.values() if values is None else values
        given = (image, self.filled, self.missing, values)
        told = {"low": self.low, "high": self.high, "kind": image.dtype}
        return da.map_blocks(tasks.finish, *given, **told, dtype=image.dtype, meta=meta)

    def solution(self, reason: Reason, status: str, values: Any = None, **more: Any) -> ChunkedSolution:
        """What is returned for these values, or for those of the harmonic fill."""
        values = self.schwarz.values() if values is None else values
        restored = self.restored(values)
        return ChunkedSolution(
            values=values, restored=restored, filled=self.filled, reason=reason, status=status, **more
        )

    def trivial(self) -> ChunkedSolution | None:
        """The answer, if there is nothing to solve."""
        if self.found.missing and self.found.low != self.found.high:
            return None
        reason = Reason.CONSTANT if self.found.missing else Reason.NOTHING_MISSING
        self.schwarz.start = self.found.low
        return self.solution(reason, TRIVIAL[reason], residual=0.0, largest_residual=0.0, error=0.0)

    def looked(self) -> ChunkedSolution:
        """The answer of a method that does not start from the harmonic fill, before it has begun."""
        return self.trivial() or self.solution(Reason.CONVERGED, "")

    def fill(self, show: Show, began: float) -> ChunkedSolution:
        """The harmonic fill, by passes over the chunks."""
        found, schwarz, tol = self.found, self.schwarz, self.settings.tol
        history: list[Record] = []
        reason = None
        done: Pass | None = None
        span = found.high - found.low
        try:
            for done in schwarz.run(found.low, found.high, tol):
                record = Record(n_iter=done.number, change=done.change, seconds=perf_counter() - began)
                history.append(record)
                if show(record, done.residual, self.restored):
                    reason = Reason.STOPPED_BY_CALLBACK
                    break
        except KeyboardInterrupt:
            if schwarz.b == 0:
                raise
            reason = Reason.INTERRUPTED
        passes = 0 if schwarz.work is None else schwarz.work.passes
        passes = done.number if done is not None else passes
        proof = schwarz.certificate()
        if reason is None:
            reason = Reason.CONVERGED if proof.residual <= tol else Reason.MAX_ITER
        status = _status(reason, passes, proof, tol)
        if reason is Reason.MAX_ITER:
            warn(status, ConvergenceWarning)
        error = proof.error / span
        return self.solution(
            reason,
            status,
            n_iter=passes,
            history=tuple(history),
            residual=proof.residual,
            largest_residual=proof.largest,
            error=error if error < 1 else None,
        )


def thumbnail(channels: Sequence[Channel]) -> tuple[np.ndarray, np.ndarray]:
    """Values and mask at few places, channels last."""
    values, missing = (np.stack(each, -1) for each in zip(*(one.schwarz.thumbnail for one in channels), strict=True))
    return values, missing


def bounded(error: float | None) -> str:
    """What is proven of every value, in a sentence, or nothing."""
    return "" if error is None else f" No value is further than {error:.1g} of the range from the exact fill."


def _status(reason: Reason, passes: int, proof: Certificate, tol: float) -> str:
    counted = f"{passes} pass{'' if passes == 1 else 'es'}"
    said = f"The relative residual is {proof.residual:.1g}, as an independent check of the result confirms."
    if reason is Reason.CONVERGED:
        return f"Solved by {counted} over the chunks. {said}"
    if reason is Reason.MAX_ITER:
        return (
            f"Not solved after {counted}: the relative residual is {proof.residual:.1g}, above tol {tol:g}. Raise tol."
        )
    what = "Interrupted" if reason is Reason.INTERRUPTED else "Stopped by the callback"
    return f"{what} after {counted}: this is the answer so far. {said}"


def _store(work: str, grid: Grid, settings: Laplace, halo: int) -> Any:
    from skinpaint.dask.store import Work

    given = [getattr(settings, each.name) for each in fields(settings) if each.name != "tol"]
    return Work(str(work), tokenize(STORED, grid.chunks, grid.lags, grid.steps, given, halo))


def _check_range(lowest: float, highest: float, dtype: np.dtype) -> None:
    """Refuse values that differences of floats do not tell."""
    if dtype.kind in "iu" and max(-lowest, highest) >= LARGEST_EXACT:
        raise ValueError(
            f"The 'image' parameter must hold integers below 2**53 for an image in chunks. Got {lowest:g} to "
            f"{highest:g} instead. Subtract the lowest one first, and add it to the answer."
        )
    if not isfinite(highest - lowest):
        raise ValueError(
            "The 'image' parameter must hold values whose range is a float for an image in chunks. Got "
            f"{lowest:g} to {highest:g} instead. Divide it by 2 first."
        )


def _bounds(bounds: Bounds, lowest: float, highest: float, dtype: np.dtype) -> tuple[float, float]:
    given = None if bounds is None else bounds_around(bounds, lowest, highest, dtype)
    return (lowest, highest) if given is None or lowest == highest else given


def _near_enough(missing: Any, spacing: tuple[float, ...], farthest: float | None) -> Any:
    """What is missing, and not too far from known pixels."""
    if farthest is None:
        return missing
    reach = [int(min(farthest, n * h) // h) + 1 for n, h in zip(missing.shape, spacing, strict=True)]
    return look_around(_near, missing, reach, spacing=spacing, farthest=farthest)


def _near(missing: np.ndarray, spacing: tuple[float, ...], farthest: float) -> np.ndarray:
    if missing.all():
        return np.zeros_like(missing)
    return masks.near_enough(missing[..., None], spacing, farthest)[..., 0]
