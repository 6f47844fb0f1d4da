"""One image that is painted on: edits, the mask that follows, and the fill. Without Qt and without the web."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock, RLock
from time import perf_counter
from typing import Any

import numpy as np

from skinpaint.inpainter import solved
from skinpaint.masks import as_bool
from skinpaint.methods import resolve
from skinpaint.methods.base import Method
from skinpaint.paint.boxes import Box
from skinpaint.paint.edits import MAX_POINTS, Edit, Imported, Point, Stroke, Suggested, as_data, from_data
from skinpaint.paint.picture import Picture
from skinpaint.paint.raster import check_within, segments, touched
from skinpaint.paint.regions import Window, regions
from skinpaint.paint.tiles import Bits, Fill, Tiles
from skinpaint.problem import Problem, check_spacing
from skinpaint.solution import Solution

__all__ = ["Filled", "Session", "fill_crop"]


@dataclass(frozen=True)
class _Step:
    """An edit, and the tiles of the mask that it changed, as they are on the other side of it."""

    edit: Edit
    tiles: Tiles


@dataclass
class _Open:
    """The stroke that is under way, and the tiles of the mask that it changed, as they were."""

    diameter: float
    erase: bool
    points: list[Point]
    tiles: Tiles
    earlier: int = 0  # points of the same stroke that are in edits already; the last of them is the first here


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What became of one window.

    Attributes
    ----------
    box : Box
        Where missing pixels were filled.
    method : str
        The class of the method.
    draft : bool
        Whether this is the harmonic fill that comes before the chosen method.
    solution : Solution
        What the method says, without its values.
    seconds : float
        How long it took.
    """

    box: Box
    method: str
    draft: bool
    solution: Solution
    seconds: float


class Session:
    """Paint a mask on an image, and see it restored.

    The truth is the list of edits: strokes, shapes, floods and imported masks, at the image's own resolution. The mask
    follows from them, and what is filled follows from the mask and the method.

    Parameters
    ----------
    image : ndarray of shape (M, N) or (M, N, C)
        Integers or floats. It is never written to, and must not change meanwhile. NaN and masked entries of
        a masked array are missing.
    channel_axis : int, optional
        The axis of the channels; the last one of an array of three axes by default.
    mask : ndarray of bool, optional
        What is missing from the start, of shape (M, N).
    method : str or Method
        As for :class:`skinpaint.Inpainter`, but without `noise`.
    spacing : float or sequence of float, optional
        Distance between neighbours along both axes, as for :class:`skinpaint.Inpainter`.
    icc_profile : bytes, optional
        The colour profile, for colours on the screen.
    black : scalar of the image's dtype, optional
        What black is, for the look of an image in which 0 is white.
    name : str, optional
        What the image is called.

    Raises
    ------
    TypeError, ValueError
        If the image, the mask, the method or the spacing cannot be used.

    Examples
    --------
    >>> from skinpaint.paint import Session, edits
    >>> image = np.arange(100, 160, 10, dtype=np.uint8)[None].repeat(5, axis=0)
    >>> session = Session(np.where(np.arange(6) == 3, 0, image).astype(np.uint8), method="laplace")
    >>> session.apply(edits.Stroke(points=((3.5, 0.5), (3.5, 4.5)), diameter=1))
    Box(top=0, left=3, bottom=5, right=4)
    >>> bool((session.restored == image).all()), int(session.mask.sum())
    (True, 5)
    >>> _ = session.undo()
    >>> int(session.mask.sum())
    0
    """

    def __init__(
        self,
        image: np.ndarray,
        *,
        channel_axis: int | None = None,
        mask: np.ndarray | None = None,
        method: str | Method = "dct",
        spacing: float | Sequence[float] | None = None,
        icc_profile: bytes | None = None,
        black: np.unsignedinteger[Any] | None = None,
        name: str = "",
    ) -> None:
        hidden, image = np.ma.getmaskarray(image), np.ma.getdata(image, subok=False)
        hidden = hidden | np.isnan(image) if image.dtype.kind == "f" else hidden
        self._axis = channel_axis if channel_axis is not None else (-1 if image.ndim == 3 else None)
        self._grey = self._axis is None
        self._dtype = image.dtype
        native = image.astype(image.dtype.newbyteorder("="), copy=False)
        channels = native if self._axis is None else np.moveaxis(native, self._axis, -1)
        self.picture = Picture(channels, icc_profile=icc_profile, black=black, name=name)
        self.method_name, self.method = method if isinstance(method, str) else type(method).__name__, _exact(method)
        self.spacing = check_spacing(spacing, 2)
        self.lock = RLock()
        self._bits = Bits(self.picture.shape)
        self._fill = Fill(self.picture.image)
        self._done: list[_Step] = []
        self._undone: list[_Step] = []
        self._open: _Open | None = None
        self._todo: list[Box] = []  # what is not filled by the chosen method
        self._changed = Box(0, 0, 0, 0)  # since a method began
        self.version = 0
        """Counts the changes of the mask and of the method."""
        self._proposal: tuple[Edit, Bits] | None = None
        self.reports: dict[Box, Filled] = {}  # of the chosen method
        self._solving = Lock()
        if mask is not None:
            self.apply(replace(self.imported(mask), given=True))
        gone = np.asarray(hidden if self._grey else hidden.any(axis=self._axis)) & ~self.mask
        if gone.any():
            self.apply(replace(self.imported(gone), given=True))

    # What there is

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.picture.shape

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What was done and not undone, in order."""
        return tuple(step.edit for step in self._done)

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to do again."""
        return bool(self._undone)

    @property
    def painting(self) -> bool:
        """Whether a stroke is under way."""
        return self._open is not None

    @property
    def mask(self) -> np.ndarray:
        """What is missing: bool, of shape (M, N)."""
        return self.mask_in(Box(0, 0, *self.shape))

    @property
    def missing(self) -> int:
        """Number of missing pixels."""
        with self.lock:
            return self._bits.count

    @property
    def bounds(self) -> Box:
        """The smallest box that holds all missing pixels."""
        with self.lock:
            return self._bits.bounds

    @property
    def restored(self) -> np.ndarray:
        """The restored image, in the shape and dtype of the image; solves what is not solved yet.

        Raises
        ------
        ValueError
            If every pixel is missing.
        """
        return self.finished()[0]

    @property
    def state(self) -> tuple[tuple[Edit, ...], Method | None]:
        """What the restored image follows from: the edits, and the method if there are any."""
        return self.edits, self.method if self._done else None

    def finished(self) -> tuple[np.ndarray, np.ndarray, tuple[tuple[Edit, ...], Method | None]]:
        """The restored image, what was missing in it, and the state that they follow from.

        What is drawn so far of a stroke is an edit then, and the stroke goes on.

        Raises
        ------
        ValueError
            If every pixel is missing.
        """
        while True:
            for _ in self.solve():
                pass
            with self.lock:
                self._divide()
                if not self._todo:
                    whole = Box(0, 0, *self.shape)
                    out = self.read(whole).astype(self._dtype, copy=False)
                    restored = out[..., 0] if self._axis is None else np.moveaxis(out, -1, self._axis)
                    return restored, self._bits.read(whole), self.state

    def mask_in(self, box: Box) -> np.ndarray:
        """What is missing in a box."""
        with self.lock:
            return self._bits.read(box)

    def read(self, box: Box) -> np.ndarray:
        """The image with its missing pixels as far as they are filled, of shape (m, n, C)."""
        with self.lock:
            missing = self._bits.read(box)
            filled = self._fill.read(box) if missing.any() else self.picture.image[box.slices]
        return np.where(missing[..., None], filled, self.picture.image[box.slices])

    # What the user does

    def apply(self, edit: Edit) -> Box:
        """Do one edit; return the box in which the mask changed."""
        with self.lock:
            self.end()
            tiles = self._paint(touched(edit, self.picture, self._bits), edit.erase)
            if isinstance(edit, Imported) and edit.given:
                self.picture.leave_out(self.mask)
            return self._did(_Step(edit, tiles))

    def begin(self, *, diameter: float, erase: bool = False, point: Point) -> Box:
        """Put the brush down; return the box in which the mask changed."""
        stroke = Stroke(points=(point,), diameter=diameter, erase=erase)  # checks them
        with self.lock:
            self.end()
            self._open = _Open(stroke.diameter, stroke.erase, [point], {})
            return self._draw(self._open, (point,))

    def extend(self, points: Sequence[Point]) -> Box:
        """Move the brush along points; return the box in which the mask changed."""
        with self.lock:
            if self._open is None or not points:
                return Box(0, 0, 0, 0)
            Stroke(points=tuple(points), diameter=self._open.diameter)  # checks them
            if len(self._open.points) + len(points) > MAX_POINTS:
                self._divide()
            last = self._open.points[-1]
            self._open.points += points
            return self._draw(self._open, (last, *points))

    def end(self) -> Box:
        """Lift the brush: the stroke becomes an edit. Return the box in which it changed the mask."""
        with self.lock:
            stroke, self._open = self._open, None
            if stroke is None or (stroke.earlier and not stroke.tiles):
                return Box(0, 0, 0, 0)
            edit = Stroke(points=tuple(stroke.points), diameter=stroke.diameter, erase=stroke.erase)
            return self._did(_Step(edit, stroke.tiles))

    def undo(self) -> Box:
        """Take the last edit back; return the box in which the mask changed."""
        return self._turn(self._done, self._undone)

    def redo(self) -> Box:
        """Do again what was undone last; return the box in which the mask changed."""
        return self._turn(self._undone, self._done)

    def propose(self, edit: Edit) -> Box:
        """Show what an edit would add, and wait; return the box in which there is something to show.

        Raises
        ------
        ValueError
            If it is no Suggested: what another edit touches may change until it is accepted.
        """
        if not isinstance(edit, Suggested):
            raise ValueError(
                "The 'edit' parameter of Session.propose must be a Suggested, which does not depend on the mask. "
                f"Got {type(edit).__name__} instead. Apply it, and undo it if it is not wanted."
            )
        bits = Bits(self.shape)
        for box, pixels in touched(edit, self.picture, self._bits):
            bits.write(box, bits.read(box) | pixels)
        with self.lock:
            before = self.dismiss()
            self._proposal = edit, bits
            return before | bits.bounds

    def accept(self) -> Box:
        """Do what was proposed; return the box in which something changed."""
        with self.lock:
            if self._proposal is None:
                return Box(0, 0, 0, 0)
            self.end()
            edit, bits = self._proposal
            self._proposal = None
            tiles = self._paint(((box, bits.read(box)) for box in bits.boxes()), edit.erase)
            return self._did(_Step(edit, tiles)) | bits.bounds

    def dismiss(self) -> Box:
        """Forget what was proposed; return the box in which it was."""
        with self.lock:
            proposal, self._proposal = self._proposal, None
            return Box(0, 0, 0, 0) if proposal is None else proposal[1].bounds

    def proposed_in(self, box: Box) -> np.ndarray:
        """What is proposed in a box."""
        with self.lock:
            return np.zeros(box.shape, bool) if self._proposal is None else self._proposal[1].read(box)

    @property
    def proposal(self) -> tuple[Edit, int] | None:
        """What is proposed, and the number of its pixels."""
        with self.lock:
            return None if self._proposal is None else (self._proposal[0], self._proposal[1].count)

    @property
    def stroke(self) -> tuple[float, int] | None:
        """The diameter of the stroke that is under way, and the number of its points."""
        with self.lock:
            stroke = self._open
            return None if stroke is None else (stroke.diameter, max(0, stroke.earlier - 1) + len(stroke.points))

    @property
    def stroke_bounds(self) -> Box:
        """The box of what the stroke that is under way has changed."""
        with self.lock:
            return Box(0, 0, 0, 0) if self._open is None else self._bits.bounds_in(self._open.tiles)

    def imported(self, mask: np.ndarray) -> Imported:
        """The edit that adds a mask of the shape of the image; it is to be applied.

        Raises
        ------
        ValueError
            If the mask has another shape.
        """
        mask = np.asarray(mask)
        if mask.shape != self.shape:
            raise ValueError(
                f"The mask must have the shape {self.shape} of the picture. Got {mask.shape} instead. "
                "Draw it on a copy of the picture."
            )
        return Imported.of(as_bool(mask))

    def choose(self, method: str | Method, name: str = "") -> None:
        """Choose the method, and what to call it; everything is to be solved again."""
        chosen = _exact(method)
        with self.lock:
            if chosen != self.method:
                self.method = chosen
                self._todo = [self._bits.bounds]
                self.version += 1
            self.method_name = name or (method if isinstance(method, str) else type(method).__name__)

    def data(self) -> list[dict[str, Any]]:
        """All edits as data that JSON knows."""
        return [as_data(edit) for edit in self.edits]

    def replay(self, data: Sequence[object]) -> None:
        """Apply edits that :meth:`data` returned.

        Raises
        ------
        ValueError
            If one of them is no edit of this image; then none is applied.
        """
        for edit in self._edits_of(data):
            self.apply(edit)

    def renew(self, data: Sequence[object]) -> None:
        """Take all edits back, and apply these instead.

        Raises
        ------
        ValueError
            If one of them is no edit of this image; then nothing changes.
        """
        edits = self._edits_of(data)
        while self.can_undo:
            self.undo()
        for edit in edits:
            self.apply(edit)

    def _edits_of(self, data: Sequence[object]) -> list[Edit]:
        edits = [from_data(each) for each in data]
        for edit in edits:
            if isinstance(edit, Imported):
                check_within(edit, self.shape)
        return edits

    # What the methods do

    @property
    def settled(self) -> bool:
        """Whether all missing pixels are filled by the chosen method."""
        return not self._todo and not self.painting and not self._solving.locked()

    def solve(self, callback: Callable[[], bool] = lambda: False) -> Iterator[Filled]:
        """Fill what is not settled, window by window: first the harmonic fill, then the chosen method.

        Parameters
        ----------
        callback : callable
            Called without arguments between steps of a method. Returning True stops it; what it was about is not
            settled then.

        Yields
        ------
        filled : Filled
            Once for every window that was written. What is not written because the mask has changed meanwhile is
            settled by the next round.

        Raises
        ------
        ValueError
            If every pixel is missing.
        """
        with self._solving:
            while not callback():
                method, jobs = self._plan()
                if not jobs:
                    return
                try:
                    while jobs:
                        filled = self._solve_window(*jobs[0], partial(self._is_stale, method, callback))
                        if filled is None:
                            break
                        del jobs[0]
                        yield filled
                finally:
                    with self.lock:
                        self._todo += [window.core for _, _, window in jobs]

    def _is_stale(self, method: Method, callback: Callable[[], bool]) -> bool:
        return callback() or self.method != method

    def _plan(self) -> tuple[Method, list[tuple[Method, bool, Window]]]:
        """What is to be done: the harmonic fill of all windows, which is there at once, and then the chosen method."""
        with self.lock:
            method, work, self._todo = self.method, self._todo, []
            windows = regions(self._bits, work) if work else []
        harmonic = resolve("laplace")
        drafts = [] if method == harmonic else [(harmonic, True, window) for window in windows]
        return method, [*drafts, *((method, False, window) for window in windows)]

    def _solve_window(self, method: Method, draft: bool, window: Window, callback: Callable[[], bool]) -> Filled | None:
        """Fill one window; None if it was stopped, or the mask has changed meanwhile."""
        began = perf_counter()

        def stop() -> bool:
            return callback() or bool(self._changed & window.around)

        with self.lock:
            self._changed = Box(0, 0, 0, 0)
            missing = self._bits.read(window.around)
        values, solution = fill_crop(method, self.picture.image[window.around.slices], missing, stop, self.spacing)
        with self.lock:
            if stop():
                return None
            at = window.core.inside(window.around)
            self._fill.write(window.core, values[at], missing[at])
            filled = Filled(
                box=window.core,
                method=type(method).__name__,
                draft=draft,
                solution=replace(solution, values=np.empty(0), history=()),
                seconds=perf_counter() - began,
            )
            if not draft:  # what was said of a window that lies here, wholly or in part, is true no more
                others = {box: each for box, each in self.reports.items() if not box & window.core}
                self.reports = {**others, window.core: filled}
        return filled

    def _paint(self, touched: Iterator[tuple[Box, np.ndarray]], erase: bool) -> Tiles:
        """Set or clear pixels; return the tiles that changed as they were."""
        before: Tiles = {}
        for box, pixels in list(touched):
            old = self._bits.read(box)
            changed = self._bits.write(box, old & ~pixels if erase else old | pixels)
            before = {**changed, **before}  # the oldest counts
        return before

    def _draw(self, stroke: _Open, points: Sequence[Point]) -> Box:
        """Draw one more part of a stroke."""
        tiles = self._paint(segments(points, stroke.diameter, self.shape), stroke.erase)
        dirty = self._bits.bounds_in(tiles)
        stroke.tiles = {**tiles, **stroke.tiles}
        self._changed |= dirty
        return dirty

    def _divide(self) -> None:
        """Make what is drawn of a stroke an edit; the stroke goes on from its last point."""
        stroke, seen = self._open, self.stroke
        if stroke is not None and seen is not None and (stroke.tiles or len(stroke.points) > 1):
            self.end()
            self._open = _Open(stroke.diameter, stroke.erase, stroke.points[-1:], {}, earlier=seen[1])

    def _note(self, dirty: Box) -> Box:
        """Note where the mask changed."""
        self._changed |= dirty
        self.version += 1
        if dirty:
            self._todo.append(dirty)
        return dirty

    def _did(self, step: _Step) -> Box:
        """Note an edit; what was undone cannot be done again."""
        dirty = self._bits.bounds_in(step.tiles)
        self._done.append(step)
        self._undone.clear()
        return self._note(dirty)

    def _turn(self, source: list[_Step], target: list[_Step]) -> Box:
        """Move the last step from one stack to the other, and change places with the tiles it keeps."""
        with self.lock:
            self.end()
            if not source:
                return Box(0, 0, 0, 0)
            step = source.pop()
            dirty = self._bits.bounds_in(step.tiles)
            target.append(_Step(step.edit, self._bits.replace(step.tiles)))
            return self._note(dirty)


def _exact(method: str | Method) -> Method:
    """The method, which must leave alone what is not painted over."""
    chosen = resolve(method)
    if chosen.noise is not None:
        raise ValueError(
            f"The 'noise' parameter of {type(chosen).__name__} must be None here, as what is not painted over comes "
            f"back as it was. Got {chosen.noise!r} instead. Use Inpainter or 'skinpaint restore' to smooth noise."
        )
    if getattr(chosen, "source", None) is not None:
        raise ValueError(
            f"The 'source' parameter of {type(chosen).__name__} must be None here, as the picture is filled part by "
            "part. Use Inpainter or 'skinpaint restore' with it."
        )
    return chosen


def fill_crop(
    method: Method,
    crop: np.ndarray,
    missing: np.ndarray,
    callback: Callable[[], bool] = lambda: False,
    spacing: tuple[float, ...] | None = None,
) -> tuple[np.ndarray, Solution]:
    """Fill the missing pixels of a crop of shape (m, n, C) by a method."""
    problem = Problem.from_image(
        crop, missing, channel_axis=-1, missing_values=None, spacing=spacing, default_bounds=method.default_bounds
    )
    solution = solved(problem, method, lambda record, restore: callback())
    return problem.write_back(solution.found), solution
