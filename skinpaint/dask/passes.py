"""The passes on a scheduler: few tasks for each chunk, on whatever scheduler dask uses here.

A pass is one graph: for each chunk one task that solves, one that cuts out its border for the neighbours, and one that
measures the residual. What a pass leaves is persisted, or lies in the store; the next graph begins from there. So
graphs do not grow.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from math import inf, sqrt
from operator import add
from typing import Any

import dask.array as da
import numpy as np
from dask.base import compute, persist, tokenize
from dask.delayed import delayed
from dask.highlevelgraph import HighLevelGraph

from skinpaint.dask import tasks
from skinpaint.dask.blocks import Shelf, common, read
from skinpaint.dask.certificate import error_factor
from skinpaint.dask.store import Work
from skinpaint.grid.harmonic.schwarz import Chunk, Grid, Misfit, Pass, iterate, total
from skinpaint.grid.hats import add_up

__all__ = ["Certificate", "Schwarz", "as_array", "task"]

MAX_PASSES = 40  # at most 12 are usual
MAX_ERROR = 5e-6  # of the range, as estimated
UNIT = tasks.Units(0.0, 1.0)


@dataclass(frozen=True)
class Certificate:
    """What is proven of an answer, by an independent look at it.

    Attributes
    ----------
    residual : float
        ``|b - A x| / |b|``.
    largest : float
        The largest entry of ``b - A x``, in units of the image.
    error : float
        A bound of the largest error, in units of the image; infinity where there is none.
    """

    residual: float
    largest: float
    error: float


@dataclass
class Schwarz:
    """An image in chunks on its way to its harmonic fill.

    Parameters
    ----------
    grid : Grid
        The chunks, and the Laplacian.
    image, missing : dask.array.Array
        In the chunks of the grid.
    work : Work or None
        A store for the values between passes; None for memory.
    halo : int
        Pixels around a chunk that will be asked for, at most as many as the shortest chunk is long.
    """

    grid: Grid
    image: Any
    missing: Any
    work: Work | None = None
    halo: int = 0
    done: list[Any] = field(default_factory=list)  # a Done for each chunk, persisted
    start: float | None = None  # value of the missing pixels before the first pass
    b: float = 0.0  # size of the right-hand side
    units: tasks.Units = UNIT  # in which the channel is solved

    def __post_init__(self) -> None:
        self.chunks: list[Chunk] = list(self.grid)
        self.width = max(self.grid.overlap + self.grid.reach, self.halo)
        self.near = list(_near(self.grid, self.chunks, self.width))

    def look(self) -> tasks.Found:
        """Look at every chunk once: range and number of the known pixels."""
        images, masks = self._given()
        keep = self.work is None or not self.work.begun  # else only to see whether it is the same image
        shelf = self._shelf(0)
        done = [
            task(tasks.prepare, chunk.core, shelf if keep else None, self.width, self.grid.shape)(image, missing)
            for chunk, image, missing in zip(self.chunks, images, masks, strict=True)
        ]
        if self.work is None:
            done = _persist(done)
        found = _compute([delayed(_found)(each) for each in done])
        self.empty = [each.missing == 0 for each in found]
        self.thumbnail = tuple(np.concatenate(parts) for parts in zip(*(each.some for each in found), strict=True))
        self.done = done
        return reduce(add, found)

    def begin(self, digest: int) -> None:
        """Note in the store what image it is for, and go on from what is there."""
        if self.work is not None:
            self.work.begin(digest)
            self.done = self._shelved(self.work.passes)

    def run(self, low: float, high: float, tol: float) -> Iterator[Pass]:
        """Pass after pass, until the residual is at most `tol` and the values no longer change."""
        before = 0 if self.work is None else self.work.passes
        self.start, self.units = (low if before == 0 else None), tasks.Units(low, high - low)
        rims = self._rims(self.done)
        found = _compute(
            [
                task(tasks.survey, self.grid, chunk, self.units, self.start)(*self._around(k, self.done, rims))
                for k, chunk in enumerate(self.chunks)
            ]
        )
        stencil = add_up(self.grid.hats, (part for part, _, _ in found))
        misfit = total(self.grid, ((c.core, m) for c, (_, m, _) in zip(self.chunks, found, strict=True)))
        self.cells = np.zeros([n - 1 for n in self.grid.hats.nodes], bool)
        for _, _, (at, some) in found:
            self.cells[at] |= some
        self.b = sqrt(misfit.square) if before == 0 else self.work.b  # type: ignore[union-attr]
        number = before

        def sweep(correction: np.ndarray) -> tuple[Misfit, float]:
            nonlocal number, rims
            number += 1
            rims, after = self._sweep(number, correction, rims)
            self.start = None
            if self.work is not None:
                self.work.complete(number, self.b, after[1])
            return after

        if before and sqrt(misfit.square) <= tol * self.b and self.work.finished:  # type: ignore[union-attr]
            return
        limits: Any = {"tol": tol, "max_error": MAX_ERROR, "most": MAX_PASSES - before}
        change = 0.0 if self.work is None else self.work.change
        for done in iterate(stencil, misfit, self.b, sweep, before=change, **limits):
            yield replace(done, number=before + done.number)
        if self.work is not None:
            self.work.finish()

    def certificate(self) -> Certificate:
        """Look at the answer again: what is known comes from the image, what was filled from where it is kept."""
        rims = self._rims(self.done)
        images, masks = self._given()
        found = _compute(
            [
                task(tasks.verify, self.grid, chunk, self.units, self.start)(
                    images[k], masks[k], *self._around(k, self.done, rims)
                )
                for k, chunk in enumerate(self.chunks)
            ]
        )
        size, largest = sqrt(sum(each.square for each in found)), max(each.largest for each in found)
        grid = self.grid
        factor = error_factor(self.cells, grid.overlap, grid.shape, grid.steps, grid.reach)
        relative = size / self.b if self.b else inf if size else 0.0
        largest *= self.units.span
        return Certificate(relative, largest, factor * largest if largest else 0.0)

    def values(self) -> Any:
        """The filled values as a dask array, which reads them from where they are kept."""
        pairs = zip(self.chunks, self.done, strict=True)
        return as_array([task(_values, chunk.core, self.start)(done) for chunk, done in pairs], self.grid.chunks)

    def around(self) -> list[list[Any]]:
        """Each chunk with what its neighbours have within `halo` of it, to be read by :func:`blocks.read`."""
        rims = self._rims(self.done)
        return [self._around(k, self.done, rims) for k in range(len(self.chunks))]

    def _sweep(self, number: int, correction: np.ndarray, rims: list[Any]) -> tuple[list[Any], tuple[Misfit, float]]:
        """One pass over all chunks."""
        grid, shelf = self.grid, self._shelf(number)
        done = []
        for k, chunk in enumerate(self.chunks):
            around = correction[grid.hats.around(chunk.window)]
            sweep = task(tasks.sweep, grid, chunk, self.units, self.start, around, shelf, self.width)
            done.append(sweep(*self._around(k, self.done, rims)))
        rims = self._rims(done)
        checks = [
            task(tasks.check, grid, chunk, self.units)(*self._around(k, done, rims))
            for k, chunk in enumerate(self.chunks)
        ]
        if shelf is None:
            kept = _persist([*done, *rims, *checks])
            n = len(self.chunks)
            self.done, rims, checks = kept[:n], kept[n : 2 * n], kept[2 * n :]
            found = _compute(checks)
        else:
            found = _compute(checks)
            self.done = self._shelved(number)
            rims = self._rims(self.done)
        misfit = total(grid, ((c.core, m) for c, (m, _) in zip(self.chunks, found, strict=True)))
        return rims, (misfit, max(change for _, change in found))

    def _given(self) -> tuple[Any, Any]:
        """The chunks of the image and of the mask. They are not optimised: the answer has tasks of the same names."""
        return tuple(array.to_delayed(optimize_graph=False).ravel() for array in (self.image, self.missing))

    def _shelved(self, passes: int) -> list[Any]:
        """Where the store has each chunk after so many passes.

        These are no results of tasks: a task that a scheduler runs again later, since the worker with its result died,
        would read what has been written over.
        """
        assert self.work is not None
        shelves = [self.work.shelf(0 if empty else passes) for empty in self.empty]  # a chunk that is whole stays
        pairs = zip(self.chunks, shelves, strict=True)
        return [delayed(tasks.Done(shelf.at(chunk.core, self.width), None)) for chunk, shelf in pairs]

    def _rims(self, done: list[Any]) -> list[Any]:
        return [delayed(tasks.rim)(each, self.width) for each in done]

    def _around(self, k: int, done: list[Any], rims: list[Any]) -> list[Any]:
        """A chunk, and the borders of its neighbours."""
        return [done[k], *(rims[j] for j in self.near[k])]

    def _shelf(self, number: int) -> Shelf | None:
        return None if self.work is None else self.work.shelf(number)


def task(work: Callable[..., Any], *settings: Any) -> Any:
    """A task to be called with what other tasks leave, one by one.

    Dask searches what a task is called with for results of others, which takes it milliseconds a list or a dataclass,
    and loses hold of what is persisted in one; it does not search the settings.
    """
    return delayed(partial(work, *settings), pure=False)


def as_array(blocks: list[Any], chunks: tuple[tuple[int, ...], ...]) -> Any:
    """A dask array of what tasks leave, one for each chunk in C order."""
    name = f"skinpaint-{tokenize(*(block.key for block in blocks))}"
    places = np.ndindex(*(len(lengths) for lengths in chunks))
    layer: Any = {(name, *at): block.key for at, block in zip(places, blocks, strict=True)}
    graph = HighLevelGraph.from_collections(name, layer, dependencies=blocks)
    return da.Array(graph, name, chunks, meta=np.empty((0,) * len(chunks)))


def _values(box: Any, start: float | None, done: Any) -> np.ndarray:
    return read(box, [done], start)[0]


def _found(done: tasks.Done) -> Any:
    return done.found


def _near(grid: Grid, chunks: Sequence[Chunk], width: int) -> Iterator[list[int]]:
    """For each chunk, the others that `width` pixels around it reach into: they are next to it, or at a corner."""
    counts = tuple(len(lengths) for lengths in grid.chunks)
    for k, at in enumerate(np.ndindex(*counts)):
        window = grid.wider(chunks[k].core, width)
        around = [range(max(i - 1, 0), min(i + 2, n)) for i, n in zip(at, counts, strict=True)]
        others = np.ravel_multi_index(np.meshgrid(*around, indexing="ij"), counts).ravel().tolist()
        yield [j for j in others if j != k and common(chunks[j].core, window) is not None]


def _persist(collections: list[Any]) -> list[Any]:
    with _said():
        return list(persist(*collections))


def _compute(collections: list[Any]) -> list[Any]:
    with _said():
        return list(compute(*collections))


class _said:
    """A full disk by a sentence."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise OSError(
                errno.ENOSPC,
                "The disk is full. Free some space and call again with the same work=: the passes that are done are "
                "kept there.",
            ) from error
