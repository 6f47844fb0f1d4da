"""Methods whose answer at a pixel depends on what is near it: each chunk is restored with a halo of pixels around it.

The method sees the window of a chunk as a part of the whole image. From the whole it takes the bounds, the ranges of
the known values, the settings that depend on the mask, and the places of its blocks. It starts from the harmonic fill
of the whole image. What its own steps bring from beyond the halo is very little.

To add a method, add a line to `LOCAL`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from dask.base import compute
from dask.delayed import delayed

from skinpaint.dask import tasks
from skinpaint.dask.channel import Channel, ChunkedSolution, thumbnail
from skinpaint.dask.chunked import look_around
from skinpaint.dask.passes import as_array, task
from skinpaint.grid.axes import long_axes
from skinpaint.grid.biharmonic import STENCIL_RADIUS
from skinpaint.methods import Biharmonic, PlugAndPlay, SparseDCT
from skinpaint.methods.base import Method
from skinpaint.methods.sparse_dct import WIDE_HOLE, decay_for, wide_holes
from skinpaint.problem import Bounds, Problem, Whole
from skinpaint.solution import TRIVIAL, Reason

__all__ = ["LOCAL", "Local", "restore"]

Shared = tuple[Any, Whole]
"""The method with the settings that all chunks share, and what else they share."""


@dataclass(frozen=True)
class Local:
    """How far a method looks.

    Attributes
    ----------
    share : callable
        ``share(method, channels, whole)``: what is decided from the whole image.
    halo : (int, int) or None
        Pixels around a chunk that it sees: of pictures, and of volumes. None: as many as the holes of the chunks need.
        Then a hole that reaches further beyond a chunk than half of one is refused.
    fill : bool
        Whether it starts from the harmonic fill.
    """

    share: Callable[[Any, Sequence[Channel], Whole], Shared]
    halo: tuple[int, int] | None = None
    fill: bool = True

    def most(self, chunks: tuple[tuple[int, ...], ...]) -> int:
        """Pixels around a chunk that may be asked for; no chunk may be shorter."""
        if self.halo is not None:
            return self.halo[len(long_axes(tuple(map(sum, chunks)))) > 2]
        return min((max(lengths) // 2 for lengths in chunks if len(lengths) > 1), default=0)


def restore(
    method: Method, local: Local, channels: Sequence[Channel], each: Sequence[ChunkedSolution], bounds: Bounds
) -> list[ChunkedSolution]:
    """The answer of each channel, chunk by chunk and not before it is computed.

    Parameters
    ----------
    method, local
        What restores.
    channels : sequence of Channel
        With their harmonic fills, if it starts from them.
    each : sequence of ChunkedSolution
        Of these channels so far.
    bounds
        As for :class:`skinpaint.Inpainter`.
    """
    if any(one.reason.cut_short for one in each):
        name = type(method).__name__
        return [
            replace(one, status=f"{one.status} {name} was not begun: this is the fill it starts from.") for one in each
        ]
    if all(one.reason in TRIVIAL for one in each):
        return list(each)
    grid = channels[0].grid
    low, high = (np.array([getattr(one, name) for one in channels], float) for name in ("low", "high"))
    lowest, highest = (np.array([getattr(one.found, name) for one in channels], float) for name in ("low", "high"))
    halo = channels[0].halo if local.halo is not None else _around_holes(channels)
    given = {"bounds": bounds, "spacing": grid.spacing}
    method, whole = local.share(
        method, channels, Whole(grid.shape, (0,) * len(grid.shape), low, high, (lowest, highest))
    )
    around = [one.schwarz.around() for one in channels]
    starts = [one.schwarz.start for one in channels]
    pick, parts = delayed(tasks.pick), []
    for k, chunk in enumerate(channels[0].schwarz.chunks):
        window, seen = grid.wider(chunk.core, halo), [each for one in around for each in one[k]]
        parts.append(task(tasks.part, method, chunk.core, window, starts, whole, given)(*seen))
    done = []
    for c, (channel, one) in enumerate(zip(channels, each, strict=True)):
        values = as_array([pick(each, c) for each in parts], grid.chunks)
        done.append(_answer(channel, one, values, method, halo))
    return done


def _answer(channel: Channel, start: ChunkedSolution, values: Any, method: Method, halo: int) -> ChunkedSolution:
    begun = ""
    if start.n_iter:
        passes = f"{start.n_iter} pass{'' if start.n_iter == 1 else 'es'}"
        begun = f"It starts from the harmonic fill, of which {passes} left a relative residual of {start.residual:.1g}."
    said = f"{type(method).__name__} restores each chunk when it is computed, with {halo} pixels around it."
    unseen = method.unseen(channel.grid.shape, channel.grid.spacing)
    status = " ".join(filter(None, (said, begun, unseen)))
    reason = Reason.CONVERGED if start.converged else start.reason
    return channel.solution(reason, status, values, n_iter=start.n_iter, history=start.history)


def _around_holes(channels: Sequence[Channel]) -> int:
    """Pixels around each chunk within which its holes lie, with the known pixels that they depend on."""
    grid, halo = channels[0].grid, channels[0].halo
    found = []
    for one in channels:
        for chunk, parts in zip(one.schwarz.chunks, one.schwarz.around(), strict=True):
            reach = task(tasks.reach, chunk.core, grid.wider(chunk.core, halo), grid.shape, STENCIL_RADIUS)
            found.append(reach(*parts))
    widths = compute(*found)
    if None in widths:
        raise ValueError(
            "The 'method' parameter must not be 'biharmonic' for chunks so small and holes so wide. Got "
            f"a hole that reaches more than {max(halo - STENCIL_RADIUS, 0)} pixels, half a chunk, beyond a chunk. "
            "Holes at most two pixels apart count as one. Pass larger chunks, or method='laplace'."
        )
    return max(widths)


def _share_dct(method: SparseDCT, channels: Sequence[Channel], whole: Whole) -> Shared:
    """The ranges that the thresholds are fractions of, and how quickly they fall."""
    values, missing = thumbnail(channels)
    if missing.all(axis=0).any():  # so few are known that their lowest and highest value stand for all of them
        values = np.concatenate([values, whole.known])
        missing = np.concatenate([missing, np.zeros((2, len(channels)), bool)])
    one = channels[0]
    few = replace(whole, shape=values.shape[:1], corner=(0,))
    small = Problem.from_image(values, missing, channel_axis=-1, missing_values=None, bounds=one.bounds, whole=few)
    ranges = method.ranges(small, small.write(np.empty(values.shape, np.float32)))
    decay = method.decay
    if decay is None:
        found = [look_around(_wide, one.missing, [WIDE_HOLE] * len(whole.shape)) for one in channels]
        planar = len(long_axes(whole.shape)) == 2
        decay = decay_for(any(compute(*(each.any() for each in found))), planar)
    return replace(method, decay=decay), replace(whole, ranges=ranges)


def _wide(missing: np.ndarray) -> np.ndarray:
    return wide_holes(missing[..., None])[..., 0]


def _share_pnp(method: PlugAndPlay, channels: Sequence[Channel], whole: Whole) -> Shared:
    """As many steps everywhere: a chunk that stopped earlier than its neighbour would differ from it."""
    return replace(method, tol=None), whole


def _share_nothing(method: Method, channels: Sequence[Channel], whole: Whole) -> Shared:
    return method, whole


LOCAL: dict[type[Method], Local] = {
    SparseDCT: Local(_share_dct, halo=(128, 32)),
    PlugAndPlay: Local(_share_pnp, halo=(64, 24)),
    Biharmonic: Local(_share_nothing, fill=False),
}
"""The methods, beside the harmonic fill, that images in chunks can be restored by."""
