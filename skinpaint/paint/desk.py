"""The work behind every page that is open: what it says is done, and what changed is sent back."""

from __future__ import annotations

import atexit
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Condition, Event, Thread
from time import perf_counter
from typing import Any

import numpy as np

from skinpaint.methods import METHODS, names_of, resolve
from skinpaint.methods.base import Method
from skinpaint.paint.album import Album
from skinpaint.paint.boxes import Box
from skinpaint.paint.edits import MAX_DIAMETER, as_data
from skinpaint.paint.preview import draft, layers, shown, warm_up
from skinpaint.paint.session import Filled, Session, fill_crop
from skinpaint.paint.words import in_a_window

__all__ = ["TILE", "Desk", "Page"]

TILE = 512  # pixels of a tile that is sent, along each axis

BEHIND = 0.75  # of the width of the brush: how far behind it a draft is renewed

Send = Callable[[dict[str, Any], list[bytes]], None]
"""``send(message, buffers)``: a dictionary that JSON knows, and bytes."""


@dataclass(eq=False)
class Page:
    """One page, tab or widget that shows the picture.

    Attributes
    ----------
    send : callable
        How it is told something.
    level : int
        The level of the pyramid that it shows.
    box : Box
        What it shows, on that level.
    """

    send: Send
    level: int = 0
    box: Box = field(default_factory=lambda: Box(0, 0, 0, 0))


class Desk:
    """Pictures, and the pages that show them.

    Everything that pages see is sent by one thread, in order, and computed when its turn comes: a page never gets an
    older state after a newer one. A second thread solves. It stops when a stroke begins, and begins anew when the
    stroke ends.

    Parameters
    ----------
    album : Album
        The pictures.

    Examples
    --------
    >>> from skinpaint.paint.album import One
    >>> from skinpaint.paint.messages import receive
    >>> told = []
    >>> desk = Desk(One(Session(np.zeros((8, 8), np.uint8), method="laplace")))
    >>> page = desk.join(lambda message, buffers: told.append(message["say"]))
    >>> receive(desk, page, {"do": "edit", "edit": {"kind": "rectangle", "points": [[2, 2], [3, 3]]}})
    >>> desk.settle(), desk.session.missing
    (True, 4)
    >>> desk.close()
    >>> sorted(set(told))
    ['busy', 'changed', 'state']
    """

    def __init__(self, album: Album) -> None:
        self.album = album
        self.number = 0
        self.session = album.open(0)
        self.preferences: dict[str, Any] = {}
        self.pages: list[Page] = []
        self.painter: Page | None = None  # who began the last stroke
        self.log: list[str] = []  # what was saved, in words
        self.methods: dict[str, str | Method] = {name: name for base in METHODS for name in names_of(base)}
        if self.session.method_name not in self.methods:
            self.methods = {self.session.method_name: self.session.method, **self.methods}
        self._wake = Condition()
        self._drafts = Box(0, 0, 0, 0)
        self._diameter = 1.0
        self._shows: deque[Callable[[], None]] = deque()
        self._closed = self._showing = False
        self._busy: dict[str, Any] = {}
        self._failed: tuple[Session, int] | None = None  # what could not be solved, until it changes
        self.comparing = Event()
        self._extra = ThreadPoolExecutor(1, thread_name_prefix="skinpaint-extra")
        self._threads = [
            Thread(target=self._show, name="skinpaint-show", daemon=True),
            Thread(target=self._solve, name="skinpaint-solve", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(self.close)  # threads that compute while Python ends complain

    # Pages

    def join(self, send: Send) -> Page:
        """A page opens."""
        page = Page(send)
        with self._wake:
            self.pages.append(page)
        return page

    def leave(self, page: Page) -> None:
        """A page closes; its stroke is over."""
        if page is self.painter:
            self.session.end()
        with self._wake:
            if page in self.pages:
                self.pages.remove(page)
        self.say_state()

    def close(self) -> None:
        """End all work."""
        atexit.unregister(self.close)
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        self.comparing.set()
        self._extra.shutdown(wait=False, cancel_futures=True)
        for thread in self._threads:
            thread.join(5)

    def settle(self, timeout: float = 60) -> bool:
        """Wait until everything is solved and sent; whether that came to pass."""
        with self._wake:
            return self._wake.wait_for(
                lambda: not (self._has_work() or self._busy or self._shows or self._drafts or self._showing), timeout
            )

    def state(self) -> dict[str, Any]:
        """What a page shows beside the picture."""
        session, proposal = self.session, self.session.proposal
        return {
            "number": self.number,
            "titles": list(self.album.titles),
            "height": session.shape[0],
            "width": session.shape[1],
            "levels": session.picture.levels,
            "tile": TILE,
            "maxDiameter": MAX_DIAMETER,
            "shownAs": session.picture.shown_as,
            "method": session.method_name,
            "methods": list(self.methods),
            "canUndo": session.can_undo,
            "canRedo": session.can_redo,
            "missing": session.missing,
            "proposal": None if proposal is None else {**as_data(proposal[0]), "pixels": proposal[1]},
            "targets": self.album.targets(self.number),
            "unsaved": self.album.unsaved(),
            "busy": self._busy,
            "preferences": self.preferences,
        }

    def tell(self, message: dict[str, Any]) -> None:
        """Tell all pages."""
        for page in list(self.pages):
            page.send(message, [])

    def open(self, number: int) -> None:
        """Turn to another picture, with the same method."""
        method, name = self.session.method, self.session.method_name
        session = self.album.open(number)
        self.session.end()
        self.comparing.set()
        with self._wake:
            session.choose(method, name)
            self.session, self.number = session, number
            self._shows.clear()
            self._drafts = Box(0, 0, 0, 0)
            for page in self.pages:
                page.box = Box(0, 0, 0, 0)
        self.say_state()

    def submit(self, work: Callable[[], None]) -> None:
        """Do what takes long and is not solving: one after another, in a thread."""
        self._extra.submit(work)

    # The thread that shows

    def later(self, show: Callable[[], None]) -> None:
        with self._wake:
            self._shows.append(show)
            self._wake.notify_all()

    def painted(self, dirty: Box, diameter: float) -> None:
        """The brush moved: the drafts of several moves are one."""
        with self._wake:
            self._drafts |= dirty
            self._diameter = diameter
            self._wake.notify_all()

    def changed(self, dirty: Box) -> None:
        """The mask, or what is proposed, changed at once."""
        self.later(partial(self.send_changed, dirty))
        self.say_state()

    def say_state(self) -> None:
        self.tell({"say": "state", "state": self.state()})
        with self._wake:
            self._wake.notify_all()

    def _show(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closed or self._drafts or self._shows)
                if self._closed:
                    return
                dirty, self._drafts = self._drafts, Box(0, 0, 0, 0)
                show = None if dirty else self._shows.popleft()
                self._showing = True
            try:
                if show is None:
                    self.send_changed(dirty, self._diameter)
                else:
                    show()
            except Exception as error:  # pages must not wait for ever
                traceback.print_exc()
                self.tell({"say": "error", "text": f"The picture cannot be shown: {error}"})
            with self._wake:
                self._showing = False
                self._wake.notify_all()

    def send_changed(self, dirty: Box, diameter: float = 0) -> None:
        """Send what changed within a box to every page, at the level that it shows; a draft below a brush."""
        session = self.session
        if diameter:  # what lies behind the brush was filled from what the brush has covered since
            dirty = dirty.grown(round(BEHIND * diameter)).within(session.shape)
        said = {"say": "changed", "number": self.number, "missing": session.missing, "dirty": _sides(dirty)}
        for page in list(self.pages):
            level = min(page.level, session.picture.levels - 1)
            box = dirty.at_level(level) & page.box
            message = {**said, "level": level}
            stroke = session.stroke
            if diameter and stroke is not None:
                message["points"] = stroke[1]  # that are seen now
            if box:
                page.send({**message, "box": _sides(box)}, [self._pixels(session, level, box, diameter)])
            elif dirty:
                page.send(message, [])

    def send_tile(self, page: Page, level: int, row: int, column: int, number: object) -> None:
        session = self.session
        if number not in (None, self.number) or page not in self.pages:
            return
        box = Box(row * TILE, column * TILE, (row + 1) * TILE, (column + 1) * TILE)
        box = box.within(session.picture.shape_at(level))
        if not box:
            return
        pixels = self._pixels(session, level, box)
        message = {"say": "tile", "number": self.number, "level": level, "row": row, "column": column}
        if session.mask_in(box.from_level(level).within(session.shape)).any():
            before = session.picture.on_screen(session.picture.read(level, box))
            page.send({**message, "box": _sides(box)}, [pixels, np.ascontiguousarray(before).tobytes()])
        else:
            page.send({**message, "box": _sides(box)}, [pixels])

    def _pixels(self, session: Session, level: int, box: Box, diameter: float = 0) -> bytes:
        """The look of a box of a level: a draft where the brush is, else what is filled."""
        stroke = session.stroke
        if stroke is not None and session.stroke_bounds.at_level(level) & box:
            diameter = stroke[0]
        look = draft(session, level, box, diameter) if diameter else shown(session, level, box)
        return layers(session, level, box, *look)

    # The thread that solves

    def _solve(self) -> None:
        self._warm_up()
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closed or self._has_work())
                if self._closed:
                    return
                session = self.session
                self._busy = {"method": session.method_name}
            self.tell({"say": "busy", "busy": self._busy})
            began, said = perf_counter(), ""
            filled: Filled | None = None
            try:
                for filled in session.solve(partial(self._is_stale, session)):
                    self.later(partial(self.send_changed, filled.box))
            except ValueError as error:  # every pixel is missing, or what a method gave is no answer
                said = in_a_window(error)
            except Exception as error:
                traceback.print_exc()
                said = f"{session.method_name} failed: {error}"
            if said:
                self._failed = session, session.version
            with self._wake:
                self._busy = {}
                self._wake.notify_all()
            done: dict[str, Any] = {"seconds": round(perf_counter() - began, 3), "settled": session.settled}
            if said:
                self.tell({"say": "error", "text": said})
            elif filled is not None and not filled.draft:
                done["status"] = filled.solution.status
                done["converged"] = bool(filled.solution.converged)
            self.tell({"say": "busy", "busy": {}, "done": done})

    def _has_work(self) -> bool:
        session = self.session
        return not session.painting and not session.settled and self._failed != (session, session.version)

    def _is_stale(self, session: Session) -> bool:
        return self._closed or session is not self.session or session.painting

    def _warm_up(self) -> None:
        """Load the compiled kernels before the first stroke needs them."""
        with self._wake:
            self._wake.wait_for(lambda: self._closed or self.session.missing > 0, 0.5)
        warm_up()
        crop = np.linspace(0, 1, 48 * 48, dtype=np.float32).reshape(48, 48, 1)
        missing = np.zeros((48, 48), bool)
        missing[4:44, 4:44] = True
        for method in dict.fromkeys((resolve("laplace"), self.session.method)):
            if not self._closed and not self._has_work():
                with suppress(Exception):  # it is said when the method is used
                    fill_crop(method, crop, missing, lambda: self._closed or self._has_work())


def _sides(box: Box) -> list[int]:
    return [box.top, box.left, box.bottom, box.right]
