"""What pages say, and what is done about it."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np

from skinpaint.methods import METHODS
from skinpaint.paint.boxes import Box
from skinpaint.paint.candidates import candidates
from skinpaint.paint.desk import Desk, Page
from skinpaint.paint.edits import Stroke, from_data
from skinpaint.paint.session import Session
from skinpaint.paint.words import in_a_window

if TYPE_CHECKING:
    from skinpaint.io import Extras

__all__ = ["receive"]

MAX_TILES = 400  # that a page may ask for at a time
THUMBNAIL = 96  # pixels of the longer side of a picture in the film strip
MAX_PREFERENCES = 4000  # characters
TURNED = "Another picture is shown by now, and nothing was done to it. Do it again."

Message = Mapping[str, Any]


def receive(desk: Desk, page: Page, message: object, buffers: Sequence[Any] = ()) -> None:
    """Do what a page says; what cannot be done is answered by a sentence.

    Parameters
    ----------
    desk : Desk
        The pictures.
    page : Page
        Who says it, and gets the answer.
    message : object
        A dictionary with a key "do"; anything else is refused. Its "number" is that of the picture that the page shows.
    buffers : sequence of bytes
        What comes along.
    """
    try:
        if not isinstance(message, Mapping) or message.get("do") not in ACTIONS:
            raise ValueError(f"This is no message of a page: {str(message)[:80]}.")
        if message["do"] in ON_WHAT_IS_SHOWN and message.get("number", desk.number) != desk.number:
            raise ValueError(TURNED)
        ACTIONS[message["do"]](desk, page, message, buffers)
    except (OSError, ValueError) as error:
        page.send({"say": "error", "text": _sentence(error)}, [])
    except (KeyError, IndexError, TypeError) as error:
        page.send({"say": "error", "text": f"A message of the page lacks something: {error}."}, [])


def _hello(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    page.send({"say": "state", "state": desk.state()}, [])


def _look(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    level = _int(message["level"], 0, desk.session.picture.levels - 1)
    page.box = Box(*(_int(side, -(10**7), 10**7) for side in message["box"])).within(
        desk.session.picture.shape_at(level)
    )
    page.level = level


def _tiles(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    level = _int(message["level"], 0, desk.session.picture.levels - 1)
    places = [tuple(_int(k, 0, 10**5) for k in place) for place in message["tiles"][:MAX_TILES]]
    for row, column in places:
        desk.later(partial(desk.send_tile, page, level, row, column, message.get("number")))


def _down(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    first = {key: message[key] for key in ("diameter", "erase") if key in message}
    stroke = from_data({"kind": "stroke", "points": [message["point"]], **first})
    assert isinstance(stroke, Stroke)
    desk.painter = page
    dirty = desk.session.begin(diameter=stroke.diameter, erase=stroke.erase, point=stroke.points[0])
    desk.painted(dirty, stroke.diameter)


def _move(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    moved, stroke = from_data({"kind": "stroke", "points": message["points"], "diameter": 1}), desk.session.stroke
    assert isinstance(moved, Stroke)
    if stroke is not None and desk.painter is page:
        desk.painted(desk.session.extend(moved.points), stroke[0])


def _up(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    if desk.painter is page and desk.session.painting:  # else the stroke has ended, as by opening another picture
        desk.session.end()
        if message.get("drop"):
            desk.changed(desk.session.undo())
    desk.say_state()


def _edit(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    desk.changed(desk.session.apply(from_data(message["edit"])))


def _undo(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    desk.changed(desk.session.undo())


def _redo(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    desk.changed(desk.session.redo())


def _choose(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    name = message["name"]
    if name not in desk.methods:
        raise ValueError(f"The method must be one of {', '.join(desk.methods)}. Got {str(name)[:40]} instead.")
    desk.session.choose(desk.methods[name], name)
    desk.say_state()


def _suggest(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    box = desk.session.propose(from_data(message["edit"]))
    if desk.session.proposal is not None and not desk.session.proposal[1]:
        desk.session.dismiss()
        page.send({"say": "note", "text": "Nothing of the kind was found."}, [])
    desk.changed(box)


def _accept(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    desk.changed(desk.session.accept())


def _dismiss(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    desk.changed(desk.session.dismiss())


def _load(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    """A mask that the user chose: its contents come, and never its name."""
    from skinpaint.io.mask import by_letters, read_marked
    from skinpaint.io.place import check_same_ground

    session, beside = desk.session, desk.album.beside(desk.number)
    name = session.picture.name or "the picture"
    hidden = None if beside.alpha is None else np.asarray(beside.alpha == 0)
    rules = {"photograph": _photograph(session, beside), "hidden": hidden}
    with tempfile.TemporaryDirectory(prefix="skinpaint-") as folder:
        file = Path(folder, "mask")
        file.write_bytes(bytes(buffers[0]))
        try:
            mask, said = read_marked(file, invert=False, **rules)
            check_same_ground(file, said.place, name, beside.place, *session.shape)
            shape = session.shape if beside.channel_axis is None else session.picture.image.shape
            mask = by_letters(mask, said.stated, shape, beside)
        except ValueError as error:
            raise ValueError(str(error).replace(str(file), "that was loaded")) from None
    if mask.shape == session.picture.image.shape:  # flags for each channel: a brush paints all channels
        mask = np.asarray(mask.any(axis=-1))
    if session is not desk.session:  # another page was turned to while the mask was read
        raise ValueError(TURNED)
    desk.changed(session.apply(session.imported(mask)))


def _open(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    desk.open(_int(message["number"], 0, len(desk.album.titles) - 1))


def _save(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    what = message["what"]
    if what not in ("picture", "mask", "report"):
        raise ValueError(f"Only the picture, the mask and the report can be saved. Got {str(what)[:40]} instead.")
    from skinpaint.io import is_lossless

    number = _int(message.get("number", desk.number), 0, len(desk.album.titles) - 1)
    replace = message.get("replace") is True

    def save() -> None:
        try:
            path = desk.album.save(number, what, replace=replace)
        except FileExistsError:
            name = (desk.album.targets(number) or {}).get(what)
            page.send({"say": "exists", "what": what, "name": name, "number": number}, [])
        except (OSError, ValueError) as error:
            page.send({"say": "error", "text": _sentence(error)}, [])
        except Exception as error:  # a method may raise anything
            traceback.print_exc()
            page.send({"say": "error", "text": f"The {what} cannot be saved: {error}."}, [])
        else:
            kept = what == "report" or is_lossless(path)
            blank = desk.album.blank(number) if what == "picture" else []
            kept_as = "they were saved as they are" if len(blank) > 1 else "it was saved as it is"
            but = f", but nothing is known of {' and '.join(blank)}: {kept_as}" if blank else ""
            desk.log.append(f"{path}: the {what} of {desk.album.titles[number]}{but}")
            desk.tell({"say": "saved", "what": what, "name": path.name, "lossless": kept, "blank": blank})
            desk.say_state()

    desk.submit(save)


def _compare(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    desk.comparing.set()
    desk.comparing = stop = Event()
    session = desk.session
    near = Box(*(_int(side, -(10**7), 10**7) for side in message["box"])) if "box" in message else session.bounds

    def compare() -> None:
        try:
            for each in candidates(session, near, list(METHODS), stop):
                page.send({"say": "candidate", **each.message}, each.buffers)
        except ValueError as error:
            page.send({"say": "error", "text": _sentence(error)}, [])

    desk.submit(compare)


def _stop_comparing(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    desk.comparing.set()


def _thumbnail(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    number = _int(message["number"], 0, len(desk.album.titles) - 1)

    def make() -> None:
        picture = desk.album.picture(number)
        level = max(0, int(np.log2(max(1, max(picture.shape) / THUMBNAIL))))
        level = min(level, picture.levels - 1)
        whole = Box(0, 0, *picture.shape_at(level))
        step = max(1, max(whole.shape) // THUMBNAIL)
        colours = picture.on_screen(picture.read(level, whole)[::step, ::step])
        size = {"height": colours.shape[0], "width": colours.shape[1]}
        page.send({"say": "thumbnail", "number": number, **size}, [np.ascontiguousarray(colours).tobytes()])

    desk.submit(make)


def _prefer(desk: Desk, page: Page, message: Message, buffers: Sequence[Any]) -> None:
    preferences = message["preferences"]
    if not isinstance(preferences, dict) or len(str(preferences)) > MAX_PREFERENCES:
        raise ValueError("These are no preferences of a page.")
    desk.preferences = preferences


def _photograph(session: Session, beside: Extras) -> np.ndarray:
    """The picture, for masks that are drawn on a copy of it."""
    image = beside.as_seen(session.picture.image)
    return image if image.shape[2] == 3 else image[..., 0]


ACTIONS: dict[str, Callable[[Desk, Page, Message, Sequence[Any]], None]] = {
    "hello": _hello,
    "look": _look,
    "tiles": _tiles,
    "down": _down,
    "move": _move,
    "up": _up,
    "edit": _edit,
    "undo": _undo,
    "redo": _redo,
    "choose": _choose,
    "suggest": _suggest,
    "accept": _accept,
    "dismiss": _dismiss,
    "load": _load,
    "open": _open,
    "save": _save,
    "compare": _compare,
    "stop comparing": _stop_comparing,
    "thumbnail": _thumbnail,
    "prefer": _prefer,
}
"""What a page can say, by the word after "do"."""

ON_WHAT_IS_SHOWN = {"down", "edit", "undo", "redo", "suggest", "accept", "load", "compare"}
"""What is done to the picture that is shown, and only to the one that the user saw while doing it."""


def _sentence(error: Exception) -> str:
    """What a page says about an error; the place of a file is nobody's business but the user's."""
    if isinstance(error, OSError) and error.strerror:
        name = Path(str(error.filename)).name if error.filename else ""
        return f"{name}: {error.strerror}." if name else f"{error.strerror}."
    return in_a_window(error)


def _int(value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"A message must hold an int from {low} to {high} here. Got {str(value)[:40]} instead.")
    return value
