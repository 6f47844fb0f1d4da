"""The desk behind the pages, and the server: what it does, and whom it refuses."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage import data

from skinpaint import GuessedMaskWarning, inpaint
from skinpaint.cli import main
from skinpaint.io import Extras, read, write
from skinpaint.paint import Session, edits
from skinpaint.paint.album import Files, One, Source
from skinpaint.paint.boxes import Box
from skinpaint.paint.candidates import candidates
from skinpaint.paint.desk import Desk
from skinpaint.paint.frames import HEAD, pack, unpack
from skinpaint.paint.guard import CONTENT, Guard
from skinpaint.paint.messages import ACTIONS, receive
from skinpaint.paint.server import MAX_BODY, Server

RECTANGLE = {"kind": "rectangle", "points": [[20, 20], [40, 30]]}


def source(folder, name="photo.png", **more):
    stem = Path(name).stem
    places = {"picture": f"{stem}-out{Path(name).suffix}", "mask": f"{stem}-mask.png", "report": f"{stem}-report.json"}
    return Source(path=folder / name, **{key: folder / place for key, place in places.items()}, **more)


@pytest.fixture
def photo(tmp_path):
    image = data.astronaut()[:120, :160]
    write(tmp_path / "photo.png", image)
    return image


@pytest.fixture
def desk(tmp_path, photo):
    desk = Desk(Files([source(tmp_path)], method="laplace"))
    yield desk
    desk.close()


class Told:
    """A page that remembers what it was told."""

    def __init__(self, desk):
        self.desk = desk
        self.heard = []
        self.page = desk.join(lambda message, buffers: self.heard.append((message, buffers)))

    def say(self, **message):
        receive(self.desk, self.page, message, message.pop("buffers", ()))

    def all(self, say):
        return [each for each in self.heard if each[0]["say"] == say]

    def wait(self, say, count=1, timeout=30):
        until = time.monotonic() + timeout
        while len(self.all(say)) < count:
            assert time.monotonic() < until, f"not told {say!r}: {[each[0] for each in self.heard]}"
            time.sleep(0.01)
        return self.all(say)[-1]

    @property
    def state(self):
        return self.all("state")[-1][0]["state"]


def picture_of(told, shape):
    """Put together what a page was sent of level 0, as the page does."""
    seen = np.zeros((*shape, 4), np.uint8)
    for message, buffers in told.heard:
        if message["say"] in ("tile", "changed") and message["level"] == 0 and "box" in message:
            box = Box(*message["box"])
            seen[box.slices] = np.frombuffer(buffers[0], np.uint8).reshape(*box.shape, 4)
    return seen


def look(told):
    told.say(do="look", level=0, box=[0, 0, 120, 160])
    told.say(do="tiles", level=0, tiles=[[0, 0]])
    told.wait("tile")


def test_a_page_sees_every_change(desk, photo):
    told = Told(desk)
    told.say(do="hello")
    look(told)
    np.testing.assert_array_equal(picture_of(told, (120, 160))[..., :3], photo)
    told.say(do="down", point=[30, 40], diameter=9, erase=False)
    told.say(do="move", points=[[60, 50], [90, 45]])
    told.say(do="up")
    told.say(do="edit", edit=RECTANGLE)
    assert desk.settle()
    seen = picture_of(told, (120, 160))
    np.testing.assert_array_equal(seen[..., 3] > 0, desk.session.mask)
    np.testing.assert_array_equal(seen[..., :3], desk.session.restored)
    expected = inpaint(photo, desk.session.mask, method="laplace", channel_axis=-1)
    np.testing.assert_allclose(seen[..., :3].astype(int), expected, atol=1)
    for _ in range(2):
        told.say(do="undo")
    assert desk.settle()
    np.testing.assert_array_equal(picture_of(told, (120, 160))[..., :3], photo)
    told.say(do="redo")
    assert desk.settle()
    assert (picture_of(told, (120, 160))[..., 3] > 0).any()
    assert told.state["canUndo"]
    assert told.state["canRedo"]


def test_drafts_are_seen_while_the_brush_is_down(desk, photo):
    told = Told(desk)
    look(told)
    told.say(do="down", point=[30, 40], diameter=12, erase=False)
    for x in range(31, 80, 4):
        told.say(do="move", points=[[x, 42]])
        time.sleep(0.01)
    assert desk.session.painting
    until = time.monotonic() + 30
    while told.all("changed")[-1:] == [] or told.all("changed")[-1][0]["points"] < 14:
        assert time.monotonic() < until
        time.sleep(0.01)
    seen = picture_of(told, (120, 160))
    np.testing.assert_array_equal(seen[..., 3] > 0, desk.session.mask)
    expected = inpaint(photo, desk.session.mask, method="laplace", channel_axis=-1)
    assert np.abs(seen[..., :3].astype(int) - expected)[desk.session.mask].mean() < 4
    assert any(message.get("points") == 14 for message, _ in told.all("changed"))
    assert told.all("changed")[-1][0]["missing"] == desk.session.missing
    assert desk.session._fill.tiles == {}, "nothing is solved while the brush is down"
    told.say(do="up", drop=True)
    assert desk.settle()
    assert desk.session.missing == 0
    np.testing.assert_array_equal(picture_of(told, (120, 160))[..., :3], photo)


def test_an_answer_that_is_late_never_overwrites_a_newer_one(desk, photo):
    told = Told(desk)
    look(told)
    began, go_on = threading.Event(), threading.Event()

    class Slow(type(desk.session.method)):
        def solve(self, problem, callback=None):
            began.set()
            go_on.wait(10)
            return super().solve(problem, callback)

    object.__setattr__(desk.session, "method", Slow())
    told.say(do="edit", edit=RECTANGLE)
    assert began.wait(10)
    told.say(do="edit", edit={"kind": "clear"})
    go_on.set()
    assert desk.settle()
    np.testing.assert_array_equal(picture_of(told, (120, 160))[..., :3], photo)
    np.testing.assert_array_equal(desk.session.restored, photo)


def test_two_pages_show_the_same(desk):
    one, other = Told(desk), Told(desk)
    look(one)
    look(other)
    one.say(do="edit", edit=RECTANGLE)
    other.say(do="edit", edit={"kind": "stroke", "points": [[90, 90]], "diameter": 11})
    assert desk.settle()
    np.testing.assert_array_equal(picture_of(one, (120, 160)), picture_of(other, (120, 160)))
    assert one.state == other.state
    desk.leave(other.page)
    before = len(other.heard)
    one.say(do="undo")
    assert len(other.heard) == before


def test_levels_are_sent_as_they_are_asked_for(tmp_path):
    image = np.tile(data.camera(), (2, 2))
    desk = Desk(One(Session(image, method="laplace")))
    told = Told(desk)
    told.say(do="hello")
    assert told.state["levels"] == 3
    told.say(do="look", level=1, box=[0, 0, 512, 512])
    told.say(do="tiles", level=1, tiles=[[0, 0], [5, 5]])
    message, buffers = told.wait("tile")
    assert message["box"] == [0, 0, 512, 512]
    assert len(buffers[0]) == 4 * 512 * 512
    told.say(do="edit", edit={"kind": "rectangle", "points": [[100, 100], [140, 140]]})
    assert desk.settle()
    changed, _ = told.all("changed")[-1]
    assert changed["level"] == 1
    assert Box(*changed["box"]) == Box(*changed["dirty"]).at_level(1)
    desk.close()


def test_proposals_are_seen_and_then_taken_or_not(tmp_path):
    image = np.full((60, 80), 120, np.uint8)
    image[30, 5:75] = 255
    desk = Desk(One(Session(image, method="laplace")))
    told = Told(desk)
    told.say(do="look", level=0, box=[0, 0, 60, 80])
    told.say(do="suggest", edit={"kind": "suggested", "what": "saturated"})
    assert told.state["proposal"] == {
        "kind": "suggested",
        "erase": False,
        "what": "saturated",
        "strength": 50,
        "pixels": 70,
    }
    assert desk.settle()
    np.testing.assert_array_equal(picture_of(told, (60, 80))[..., 3] == 128, image == 255)
    assert desk.session.missing == 0
    told.say(do="accept")
    assert desk.settle()
    assert desk.session.missing == 70
    assert (desk.session.restored == 120).all()
    told.say(do="suggest", edit={"kind": "suggested", "what": "hairlines"})
    told.say(do="dismiss")
    assert told.state["proposal"] is None
    told.say(do="undo")
    told.say(do="edit", edit={"kind": "clear"})
    desk.close()


def test_methods_are_compared_on_what_is_painted(desk):
    told = Told(desk)
    told.say(do="compare")
    assert "Nothing is painted yet" in told.wait("error")[0]["text"]
    told.say(do="edit", edit=RECTANGLE)
    desk.settle()
    from skinpaint.paint import candidates

    stop = threading.Event()
    found = list(candidates.candidates(desk.session, Box(0, 0, 120, 160), ["laplace", "biharmonic"], stop))
    assert [each.message["name"] for each in found] == ["", "laplace", "biharmonic"]
    assert all(len(each.buffers[0]) == 3 * each.message["height"] * each.message["width"] for each in found)
    assert found[1].message["psnr"] > 15
    stop.set()
    assert len(list(candidates.candidates(desk.session, Box(0, 0, 0, 0), ["laplace"], stop))) == 1


def test_a_method_is_chosen_by_its_name(desk):
    told = Told(desk)
    told.say(do="edit", edit=RECTANGLE)
    told.say(do="choose", name="biharmonic")
    assert desk.settle()
    assert told.state["method"] == "biharmonic"
    assert told.all("busy")[-1][0]["done"]["settled"]
    told.say(do="choose", name="os.system")
    assert "must be one of dct" in told.wait("error")[0]["text"]


def test_all_painted_is_a_sentence_and_not_the_end(desk, photo):
    told = Told(desk)
    told.say(do="edit", edit={"kind": "rectangle", "points": [[0, 0], [500, 500]]})
    said = "The picture must have at least one known pixel in every channel. Everything is painted over."
    assert told.wait("error")[0]["text"] == said
    told.say(do="save", what="picture")
    assert told.wait("error", 2)[0]["text"] == said
    assert told.all("saved") == [], "nothing is saved that was not filled"
    told.say(do="undo")
    told.say(do="edit", edit=RECTANGLE)
    assert desk.settle()
    assert (desk.session.restored != photo).any()


def test_what_is_saved_is_filled_even_while_the_user_paints(desk, tmp_path, photo):
    told = Told(desk)
    told.say(do="edit", edit=RECTANGLE)
    told.say(do="down", point=[100, 60], diameter=9)
    told.say(do="move", points=[[140, 60]])
    told.say(do="save", what="picture")
    told.wait("saved")
    expected = inpaint(photo, desk.session.mask, method="laplace", channel_axis=-1)
    np.testing.assert_allclose(read(tmp_path / "photo-out.png")[0].astype(int), expected, atol=1)


def test_saving_cuts_no_stroke(desk):
    told = Told(desk)
    told.say(do="down", point=[20, 20], diameter=5)
    told.say(do="move", points=[[60, 20]])
    told.say(do="save", what="picture")
    told.wait("saved")
    assert told.state["unsaved"] == []
    assert desk.session.stroke == (5, 2)
    told.say(do="move", points=[[60, 80]])
    told.say(do="up")
    assert [edit.points for edit in desk.session.edits] == [((20, 20), (60, 20)), ((60, 20), (60, 80))]
    assert told.state["unsaved"] == ["photo.png"]


def test_a_stroke_that_was_saved_whole_is_one_edit(desk):
    told = Told(desk)
    told.say(do="down", point=[20, 20], diameter=5)
    told.say(do="save", what="picture")
    told.wait("saved")
    told.say(do="up")
    assert len(desk.session.edits) == 1
    assert told.state["unsaved"] == []


def test_a_stroke_is_of_the_page_that_began_it(desk):
    one, other = Told(desk), Told(desk)
    one.say(do="edit", edit=RECTANGLE)
    one.say(do="down", point=[100, 20], diameter=5)
    other.say(do="down", point=[100, 60], diameter=5)
    one.say(do="move", points=[[140, 20]])
    one.say(do="up", drop=True)
    assert desk.session.stroke == (5, 1)
    desk.leave(one.page)
    assert desk.session.painting
    desk.leave(other.page)
    assert not desk.session.painting, "the connection was lost while the brush was down"
    assert len(desk.session.edits) == 3


def test_a_method_that_fails_while_saving_is_said(desk, monkeypatch, capsys):
    told = Told(desk)
    monkeypatch.setattr(desk.album, "save", lambda *given, **more: 1 / 0)
    told.say(do="save", what="picture")
    assert told.wait("error")[0]["text"] == "The picture cannot be saved: division by zero."
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_method_that_fails_is_said_and_the_page_goes_on(desk, capsys):
    told = Told(desk)

    class Broken(type(desk.session.method)):
        def solve(self, problem, callback=None):
            raise ZeroDivisionError("by nought")

    method = desk.session.method
    object.__setattr__(desk.session, "method", Broken())
    told.say(do="edit", edit=RECTANGLE)
    assert "laplace failed: by nought" in told.wait("error")[0]["text"]
    assert "ZeroDivisionError" in capsys.readouterr().err
    object.__setattr__(desk.session, "method", method)
    told.say(do="edit", edit={"kind": "grow", "pixels": 1})
    assert desk.settle()
    assert desk.session.settled


def test_a_method_that_is_not_wanted_any_more_is_stopped(desk):
    told = Told(desk)
    began = threading.Event()

    class Endless(type(desk.session.method)):
        def solve(self, problem, callback=None):
            began.set()
            while not callback(None, None):
                time.sleep(0.01)
            return super().solve(problem, callback)

    object.__setattr__(desk.session, "method", Endless())
    told.say(do="edit", edit=RECTANGLE)
    assert began.wait(10)
    told.say(do="choose", name="biharmonic")
    assert desk.settle()
    assert {filled.method for filled in desk.session.reports.values()} == {"Biharmonic"}


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        "save",
        {},
        {"do": "__init__"},
        {"do": ["look"]},
        {"do": "look"},
        {"do": "look", "level": 99, "box": [0, 0, 1, 1]},
        {"do": "look", "level": 0, "box": [0, 0, 1e99, "a"]},
        {"do": "look", "level": 0, "box": 7},
        {"do": "tiles", "level": 0, "tiles": [[-1, 0]]},
        {"do": "tiles", "level": True, "tiles": []},
        {"do": "down", "point": [1, 2], "diameter": 1e9},
        {"do": "down", "point": [1, 10**400], "diameter": 3},
        {"do": "down", "point": "../../etc/passwd", "diameter": 3},
        {"do": "move", "points": []},
        {"do": "edit", "edit": {"kind": "imported", "path": "/etc/passwd"}},
        {"do": "open", "number": 1},
        {"do": "open", "number": "../secret.png"},
        {"do": "save", "what": "../../evil.png"},
        {"do": "save", "what": "picture/../../x"},
        {"do": "load"},
        {"do": "prefer", "preferences": {"a": "b" * 5000}},
        {"do": "thumbnail", "number": 10**9},
    ],
)
def test_messages_that_are_wrong_are_answered_by_a_sentence(desk, tmp_path, message):
    told = Told(desk)
    receive(desk, told.page, message)
    text = told.wait("error")[0]["text"]
    assert text.endswith(".")
    assert str(tmp_path) not in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png"]
    told.say(do="hello")
    assert told.state["missing"] == 0


def test_no_message_holds_the_name_of_a_file():
    import inspect

    from skinpaint.paint import messages

    words = {
        word
        for action in ACTIONS.values()
        for word in re.findall(r'message(?:\.get\(|\[)"(\w+)"', inspect.getsource(action))
    }
    allowed = "box drop edit level name number point points preferences replace tiles what"
    assert words == set(allowed.split())
    assert 'message["name"]' in inspect.getsource(messages._choose), "that of a method, from a table"


def test_saving_asks_before_it_replaces(desk, tmp_path, photo):
    told = Told(desk)
    told.say(do="edit", edit=RECTANGLE)
    assert told.state["unsaved"] == ["photo.png"]
    for what in ("picture", "mask", "report"):
        told.say(do="save", what=what)
    told.wait("saved", 3)
    restored, _ = read(tmp_path / "photo-out.png")
    mask, _ = read(tmp_path / "photo-mask.png")
    np.testing.assert_array_equal(mask > 0, desk.session.mask)
    np.testing.assert_array_equal(restored[mask == 0], photo[mask == 0])
    np.testing.assert_array_equal(restored, desk.session.restored)
    report = json.loads((tmp_path / "photo-report.json").read_text())
    assert report["pictures"][0]["missing"] == 21 * 11
    assert report["pictures"][0]["regions"][0]["converged"]
    again = Session(photo)
    again.replay(report["pictures"][0]["edits"])
    np.testing.assert_array_equal(again.mask, mask > 0)
    before = (tmp_path / "photo-out.png").read_bytes()
    told.wait("state", 1)
    told.say(do="undo")
    told.say(do="save", what="picture")
    assert told.wait("exists")[0]["name"] == "photo-out.png"
    assert (tmp_path / "photo-out.png").read_bytes() == before
    assert told.state["unsaved"] == ["photo.png"]
    told.say(do="save", what="picture", replace=True)
    told.wait("saved", 4)
    np.testing.assert_array_equal(read(tmp_path / "photo-out.png")[0], photo)
    deadline = time.monotonic() + 5
    while told.state["unsaved"] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert told.state["unsaved"] == []
    assert len(desk.log) == 4
    assert not list(tmp_path.glob(".*")), "nothing is left behind"


@pytest.fixture
def two(tmp_path, photo):
    write(tmp_path / "next.png", 255 - photo)
    desk = Desk(Files([source(tmp_path), source(tmp_path, "next.png")], method="laplace"))
    yield desk
    desk.close()


def test_a_file_is_replaced_for_the_picture_that_was_asked_about(two, tmp_path, photo):
    told = Told(two)
    for name in ("photo-out.png", "next-out.png"):
        (tmp_path / name).write_text("mine")
    told.say(do="edit", edit=RECTANGLE)
    told.say(do="save", what="picture")
    asked = told.wait("exists")[0]
    told.say(do="open", number=1)  # the user turns the page before the question comes
    told.say(do="save", what="picture", replace=True, number=asked["number"])
    assert told.wait("saved")[0]["name"] == "photo-out.png"
    assert (tmp_path / "next-out.png").read_text() == "mine"
    known = (slice(50, None), slice(None))
    np.testing.assert_array_equal(read(tmp_path / "photo-out.png")[0][known], photo[known])


def test_what_is_done_to_one_picture_is_not_done_to_the_next(two, tmp_path, monkeypatch):
    told = Told(two)
    mask = np.zeros((120, 160), np.uint8)
    mask[5:9, 30:60] = 255
    write(tmp_path / "m.png", mask)
    loaded = [(tmp_path / "m.png").read_bytes()]
    told.say(do="open", number=1)
    late = [
        {"do": "edit", "edit": RECTANGLE},
        {"do": "down", "point": [30, 40], "diameter": 9},
        {"do": "suggest", "edit": {"kind": "suggested", "what": "hairlines"}},
        {"do": "load", "buffers": loaded},
        {"do": "undo"},
        {"do": "compare"},
    ]
    for count, message in enumerate(late, 1):
        told.say(number=0, **message)
        assert "Another picture is shown" in told.wait("error", count)[0]["text"]
    told.say(do="move", points=[[60, 50]])
    told.say(do="up")
    assert not two.session.edits
    assert two.session.proposal is None
    told.say(do="edit", edit=RECTANGLE, number=1)
    assert two.session.missing == 231

    from skinpaint.io import mask as masks

    def turned(*given, **more):
        two.open(0)
        return read_marked(*given, **more)

    read_marked = masks.read_marked
    monkeypatch.setattr(masks, "read_marked", turned)
    told.say(do="load", buffers=loaded, number=1)
    assert "Another picture is shown" in told.wait("error", count + 1)[0]["text"]
    assert two.session.missing == 0


def test_a_mask_is_loaded_from_its_contents(desk, tmp_path):
    told = Told(desk)
    mask = np.zeros((120, 160), np.uint8)
    mask[5:9, 30:60] = 255
    write(tmp_path / "m.png", mask)
    told.say(do="load", buffers=[(tmp_path / "m.png").read_bytes()])
    np.testing.assert_array_equal(desk.session.mask, mask > 0)
    write(tmp_path / "small.png", mask[:50])
    told.say(do="load", buffers=[(tmp_path / "small.png").read_bytes()])
    assert "must have the shape (120, 160)" in told.wait("error")[0]["text"]
    told.say(do="load", buffers=[b"#!/bin/sh"])
    assert "cannot be read" in told.wait("error", 2)[0]["text"]
    assert "/tmp" not in told.all("error")[-1][0]["text"]


def test_a_mask_that_is_loaded_must_be_on_the_same_ground(tmp_path):
    tifffile = pytest.importorskip("tifffile")

    def written(name, values, corner):
        tags = [(33550, "d", 3, (1.0, 1.0, 0.0), True), (33922, "d", 6, (0.0, 0.0, 0.0, corner, 0.0, 0.0), True)]
        tifffile.imwrite(tmp_path / name, values, metadata=None, extratags=tags)

    mask = np.zeros((60, 70), np.uint8)
    mask[5:9, 30:60] = 255
    written("a.tif", data.camera()[:60, :70], 500.0)
    written("fits.tif", mask, 500.0)
    written("away.tif", mask, 503.0)
    desk = Desk(Files([source(tmp_path, "a.tif")], method="laplace"))
    told = Told(desk)
    told.say(do="load", buffers=[(tmp_path / "away.tif").read_bytes()])
    said = told.wait("error")[0]["text"]
    assert said.startswith(
        "The mask that was loaded must be on the same ground as a.tif, pixel by pixel. Its file place"
    )
    assert not desk.session.mask.any()
    told.say(do="load", buffers=[(tmp_path / "fits.tif").read_bytes()])
    np.testing.assert_array_equal(desk.session.mask, mask > 0)
    desk.close()


def test_a_mask_that_is_loaded_goes_by_the_axes_that_files_state(tmp_path):
    image, mask = data.camera()[:60, :60], np.zeros((60, 60), np.uint8)
    mask[5:9, 30:50] = 255
    for name, values, axes in (
        ("a", image, "YX"),
        ("xy", mask.T, "XY"),
        ("zy", mask, "ZY"),
        ("rgb", [image] * 3, "CYX"),
    ):
        tifffile.imwrite(
            tmp_path / f"{name}.tif", np.asarray(values), metadata={"axes": axes}, photometric="minisblack"
        )
    for name in ("a", "rgb"):
        desk = Desk(Files([source(tmp_path, f"{name}.tif")], method="laplace"))
        told = Told(desk)
        told.say(do="load", buffers=[(tmp_path / "zy.tif").read_bytes()])
        assert "on the axes ZY, and the image" in told.wait("error")[0]["text"]
        told.say(do="load", buffers=[(tmp_path / "xy.tif").read_bytes()])
        np.testing.assert_array_equal(desk.session.mask, mask > 0)
        desk.close()


def test_what_is_transparent_in_the_picture_itself_is_not_erased_in_a_copy_that_is_loaded(tmp_path):
    image = data.astronaut()[:60, :80]
    alpha = np.full(image.shape[:2], 255, np.uint8)
    alpha[:10] = 0
    write(tmp_path / "cut.png", image, Extras(alpha=alpha))
    desk = Desk(Files([source(tmp_path, "cut.png")], method="laplace"))
    told = Told(desk)
    drawn = image.copy()
    drawn[30:34, 10:60] = 255, 0, 0
    write(tmp_path / "drawn.png", drawn, Extras(alpha=alpha))
    with pytest.warns(GuessedMaskWarning, match="a copy of the photograph"):
        told.say(do="load", buffers=[(tmp_path / "drawn.png").read_bytes()])
    assert desk.session.missing == 4 * 50
    desk.close()


def test_flags_for_each_channel_that_are_loaded_mark_all_channels(tmp_path):
    flags = np.zeros((20, 30, 3), bool)
    flags[4:8, 5:10, 1] = True
    np.save(tmp_path / "flags.npy", flags)
    desk = Desk(One(Session(np.full(flags.shape, 90, np.uint8), method="laplace")))
    Told(desk).say(do="load", buffers=[(tmp_path / "flags.npy").read_bytes()])
    assert desk.session.missing == 20
    desk.close()


def test_what_is_transparent_in_a_page_is_not_erased_in_a_copy_of_it(tmp_path):
    stack = np.stack([data.astronaut()[k : k + 60, :80] for k in (0, 60)])
    alpha = np.full(stack.shape[:3], 255, np.uint8)
    alpha[0, :10], alpha[1, :20] = 0, 0
    rgba = {"photometric": "rgb", "extrasamples": ["unassalpha"]}
    tifffile.imwrite(tmp_path / "pages.tif", np.concatenate([stack, alpha[..., None]], axis=-1), **rgba)
    desk = Desk(Files([source(tmp_path, "pages.tif")], method="laplace"))
    told = Told(desk)
    told.say(do="open", number=1)
    erased = alpha[1].copy()
    erased[30:34, 10:60] = 0
    write(tmp_path / "erased.png", stack[1], Extras(alpha=erased))
    with pytest.warns(GuessedMaskWarning, match="a copy of the photograph"):
        told.say(do="load", buffers=[(tmp_path / "erased.png").read_bytes()])
    assert desk.session.missing == 4 * 50
    desk.close()


def test_a_stack_is_painted_plane_by_plane_and_saved_whole(tmp_path):
    stack = np.stack([data.camera()[k : k + 60, :70] for k in (0, 100, 200)]).astype(np.uint16) * 16
    write(tmp_path / "stack.tif", stack, Extras(axes="QYX"))
    files = Files([source(tmp_path, "stack.tif")], method="laplace")
    desk = Desk(files)
    told = Told(desk)
    told.say(do="hello")
    assert told.state["titles"] == ["stack.tif, 1 of 3", "stack.tif, 2 of 3", "stack.tif, 3 of 3"]
    assert "shown from black to white" in told.state["shownAs"]
    told.say(do="open", number=1)
    told.say(do="edit", edit=RECTANGLE)
    told.say(do="open", number=2)
    told.say(do="open", number=1)
    assert desk.session.missing == 231, "what was painted is kept"
    told.say(do="save", what="picture")
    told.say(do="save", what="mask")
    told.wait("saved", 2)
    restored, extras = read(tmp_path / "stack-out.tif")
    mask, _ = read(tmp_path / "stack-mask.tif")
    assert (extras.axes, restored.dtype, mask.shape) == ("QYX", stack.dtype, stack.shape)
    np.testing.assert_array_equal(restored[mask == 0], stack[mask == 0])
    assert (mask > 0).sum(axis=(1, 2)).tolist() == [0, 231, 0]
    assert (restored != stack).any(axis=(1, 2)).tolist() == [False, True, False]
    desk.close()


def test_pages_that_nobody_turned_to_are_restored_where_something_is_missing_from_the_start(tmp_path):
    stack = np.stack([data.camera()[k : k + 60, :70] for k in (0, 100, 200, 300)]).astype(np.float32)
    stack[1, 10:14, 20:24] = np.nan
    stack[3] = np.nan  # nothing to restore it from
    write(tmp_path / "stack.tif", stack, Extras(axes="QYX"))
    given = np.zeros(stack.shape, bool)
    given[:3, 30:34, 5:9] = True
    files = Files([source(tmp_path, "stack.tif")], method="laplace", read_mask=lambda *_: given)
    session = files.open(2)
    session.apply(edits.Rectangle(points=((40, 40), (44, 44))))
    restored, _ = read(files.save(2, "picture", replace=False))
    mask, _ = read(files.save(2, "mask", replace=False))
    assert (mask > 0).sum(axis=(1, 2)).tolist() == [16, 32, session.missing, 60 * 70]
    assert np.isfinite(restored[:3]).all()
    assert np.isnan(restored[3]).all()
    assert (restored != stack).sum(axis=(1, 2))[:3].min() >= 16
    np.testing.assert_array_equal(restored[:3][mask[:3] == 0], stack[:3][mask[:3] == 0])
    reported = json.loads(files.save(2, "report", replace=False).read_text())["pictures"]
    assert [each["picture"] for each in reported] == [f"stack.tif, {k} of 4" for k in (1, 2, 3)]


@pytest.mark.parametrize(
    ("turned_to", "unknown", "said"),
    [
        (False, [2], "stack.tif, 3 of 3: it was saved as it is"),
        (True, [2], "stack.tif, 3 of 3: it was saved as it is"),
        (False, [0, 2], "stack.tif, 1 of 3 and stack.tif, 3 of 3: they were saved as they are"),
    ],
)
def test_a_page_of_which_nothing_is_known_is_marked_and_said(tmp_path, turned_to, unknown, said):
    stack = np.stack([data.camera()[k : k + 60, :70] for k in (0, 100, 200)]).astype(np.float32)
    stack[0, 5:9, 5:9] = np.nan
    stack[unknown] = np.nan
    write(tmp_path / "stack.tif", stack, Extras(axes="QYX"))
    desk = Desk(Files([source(tmp_path, "stack.tif")], method="laplace"))
    told = Told(desk)
    told.say(do="hello")
    told.say(do="open", number=2 if turned_to else 1)
    told.say(do="save", what="picture")
    told.say(do="save", what="mask")
    told.wait("saved", 2)
    assert [message["blank"] for message, _ in told.all("saved")] == [[f"stack.tif, {k + 1} of 3" for k in unknown], []]
    assert f"but nothing is known of {said}" in desk.log[0]
    restored, _ = read(tmp_path / "stack-out.tif")
    mask, _ = read(tmp_path / "stack-mask.tif")
    assert (mask > 0).sum(axis=(1, 2)).tolist() == [60 * 70 if 0 in unknown else 16, 0, 60 * 70]
    assert np.isnan(restored).any(axis=(1, 2)).tolist() == [k in unknown for k in range(3)]
    desk.close()


def test_pixels_that_are_not_square_are_restored_as_by_the_command(tmp_path):
    """The page took them for square: the fill was another one than that of 'skinpaint restore'."""
    image = (100 + 50 * np.sin(np.arange(40)[:, None] + np.arange(50) / 3)).astype(np.uint8)
    write(tmp_path / "a.png", image, Extras(dpi=(100, 300)))
    files = Files([source(tmp_path, "a.png")], method="laplace")
    session = files.open(0)
    session.apply(edits.from_data({"kind": "rectangle", "points": [[10, 8], [30, 30]]}))
    want = inpaint(image, session.mask, method="laplace", spacing=(1, 3))
    np.testing.assert_array_equal(session.restored, want)
    answers = [each.message for each in candidates(session, session.bounds, ["laplace", "pnp"], threading.Event())][1:]
    assert answers[1]["error"].startswith("The distance between pixels must be the same along all axes for PlugAndPlay")
    assert answers[1]["error"].endswith("Choose another method, such as 'laplace'.")
    assert json.loads(files.save(0, "report", replace=False).read_text())["pictures"][0]["spacing"] == [1, 3]


def test_what_is_saved_after_its_picture_was_left_is_whole(tmp_path):
    for k in range(2):
        write(tmp_path / f"{k}.png", data.camera()[100 * k : 100 * k + 60, :80])
    files = Files([source(tmp_path, f"{k}.png") for k in range(2)], method="laplace")
    painted = files.open(0)
    painted.apply(edits.Rectangle(points=((20, 20), (40, 40))))
    files.save(0, "picture", replace=False)
    other = files.open(1)  # the first is let go of, as it is saved
    other.begin(diameter=5, point=(50, 50))
    files.open(0)
    assert files.open(1) is other, "a stroke is under way there"
    mask, _ = read(files.save(0, "mask", replace=False))
    np.testing.assert_array_equal(mask > 0, painted.mask)
    other.apply(edits.Rectangle(points=((20, 20), (30, 30))))
    assert files.open(1) is other, "what is painted on stays open"
    assert files.unsaved() == ["1.png"]


def test_a_file_that_was_replaced_by_its_result_keeps_what_is_known_under_the_paint(tmp_path):
    image = data.camera()[:60, :80]
    for k in range(2):
        write(tmp_path / f"{k}.png", image)
    places = [
        Source(path=path, picture=path, mask=path.with_suffix(".tif"), report=path.with_suffix(".json"))
        for path in (tmp_path / "0.png", tmp_path / "1.png")
    ]
    files = Files(places, method="laplace")
    files.open(0).apply(edits.Rectangle(points=((20, 20), (40, 40))))
    files.save(0, "picture", replace=True)
    assert (read(tmp_path / "0.png")[0] != image).any()
    files.open(1)
    files.open(0).undo()
    files.save(0, "picture", replace=True)
    np.testing.assert_array_equal(read(tmp_path / "0.png")[0], image)


def test_what_was_saved_for_another_picture_is_not_replaced_without_being_asked(tmp_path):
    for name in ("a.png", "a.tif"):
        write(tmp_path / name, data.camera()[:60, :80])
    picture, mask, report = (tmp_path / name for name in ("a-out.png", "a-mask.png", "a.json"))
    places = [
        Source(path=tmp_path / name, picture=picture, mask=mask, report=report, overwrite=True)
        for name in ("a.png", "a.tif")
    ]
    files = Files(places, method="laplace")
    for k, what in ((0, "picture"), (0, "mask"), (0, "picture")):
        files.open(k).apply(edits.Rectangle(points=((20, 20), (40, 40))))
        files.save(k, what, replace=False)
    files.open(1).apply(edits.Rectangle(points=((5, 5), (10, 10))))
    for what, path in (("picture", picture), ("mask", mask)):
        before = path.read_bytes()
        with pytest.raises(FileExistsError):
            files.save(1, what, replace=False)
        assert path.read_bytes() == before
        files.save(1, what, replace=True)
        assert path.read_bytes() != before
        files.save(1, what, replace=False)


def test_a_mask_that_marks_nothing_is_not_saved(desk, tmp_path):
    told = Told(desk)
    told.say(do="save", what="mask")
    assert "Nothing is painted, and a mask that marks nothing is not saved." in told.wait("error")[0]["text"]
    assert not (tmp_path / "photo-mask.png").exists(), "skinpaint could not open the picture with it"


def test_the_output_may_be_a_folder_for_one_picture_too(tmp_path, photo, monkeypatch):
    (tmp_path / "out").mkdir()
    saved = []

    def wait(server, said):
        saved.append(server.desk.album.save(0, "picture", replace=False))

    monkeypatch.setattr(Server, "wait", wait)
    assert main(["paint", str(tmp_path / "photo.png"), "-o", str(tmp_path / "out"), "--no-browser"]) == 0
    assert saved == [tmp_path / "out" / "photo.png"]


def test_another_method_is_a_change_that_is_not_saved(tmp_path):
    for k in range(2):
        write(tmp_path / f"{k}.png", data.camera()[100 * k : 100 * k + 60, :80])
    files = Files([source(tmp_path, f"{k}.png") for k in range(2)], method="laplace")
    session = files.open(0)
    session.choose("biharmonic")
    assert files.unsaved() == [], "nothing is filled by it"
    session.apply(edits.Rectangle(points=((20, 20), (40, 40))))
    files.save(0, "picture", replace=False)
    assert files.unsaved() == []
    session.choose("laplace")
    assert files.unsaved() == ["0.png"]
    files.save(0, "picture", replace=True)
    session.apply(edits.Rectangle(points=((40, 30), (60, 40))))
    session.choose("biharmonic")
    (told,) = json.loads(files.save(0, "report", replace=False).read_text())["pictures"]
    assert [(each["method"], each["columns"]) for each in told["regions"]] == [("Biharmonic", [16, 64])]
    session.apply(edits.Rectangle(points=((0, 0), (80, 60))))
    (told,) = json.loads(files.save(0, "report", replace=True).read_text())["pictures"]
    assert told["regions"] == [], "nothing is known"
    session.undo()
    files.save(0, "picture", replace=True)
    files.open(1)
    again = files.open(0)
    assert again is not session
    assert again.method_name == "biharmonic"
    assert files.unsaved() == []
    np.testing.assert_array_equal(again.restored, read(tmp_path / "0-out.png")[0])


def test_a_folder_is_a_film_strip_and_edits_stay(tmp_path):
    for k in range(3):
        write(tmp_path / f"{k}.png", data.camera()[100 * k : 100 * k + 60, :80])
    files = Files([source(tmp_path, f"{k}.png") for k in range(3)], method="laplace")
    desk = Desk(files)
    told = Told(desk)
    told.say(do="edit", edit=RECTANGLE)
    told.say(do="open", number=1)
    assert told.state["unsaved"] == ["0.png"]
    assert desk.session.missing == 0
    told.say(do="open", number=0)
    assert desk.session.missing == 231
    told.say(do="save", what="picture")
    told.wait("saved")
    told.say(do="open", number=2)
    assert set(files._sessions) == {2}, "pixels of what is saved are let go"
    told.say(do="open", number=0)
    assert desk.session.missing == 231
    assert desk.session.edits[0].points == ((20, 20), (40, 30))
    told.say(do="thumbnail", number=1)
    message, buffers = told.wait("thumbnail")
    told.say(do="open", number=2)
    told.say(do="thumbnail", number=0)
    told.wait("thumbnail", 2)
    assert files.open(2) is desk.session, "a look at another picture leaves this one as it is"
    told.say(do="edit", edit=RECTANGLE)
    told.say(do="save", what="picture")
    told.wait("saved", 2)
    assert (read(tmp_path / "2-out.png")[0] != read(tmp_path / "2.png")[0]).any()
    assert len(buffers[0]) == 3 * message["height"] * message["width"]
    desk.close()


def test_nan_and_a_given_mask_are_there_from_the_start(tmp_path):
    image = data.camera()[:50, :60].astype(np.float32)
    image[10:14, 20:24] = np.nan
    write(tmp_path / "depth.tif", image)
    given = np.zeros(image.shape, bool)
    given[30:34, 5:9] = True
    files = Files([source(tmp_path, "depth.tif")], method="laplace", read_mask=lambda *_: given)
    session = files.open(0)
    np.testing.assert_array_equal(session.mask, given | np.isnan(image))
    assert files.unsaved() == []
    path = files.save(0, "picture", replace=False)
    restored, _ = read(path)
    assert np.isfinite(restored).all()
    np.testing.assert_array_equal(restored[~session.mask], image[~session.mask])


def test_the_mask_of_a_fits_file_marks_what_is_still_missing(tmp_path):
    fits = pytest.importorskip("astropy.io.fits")
    stack = np.stack([data.camera()[k : k + 50, :60] for k in (0, 100)]).astype(np.float32)
    given = np.zeros(stack.shape, bool)
    given[0, 30:34, 5:9] = True
    given[1] = True  # nothing to restore it from
    mask = fits.ImageHDU(given.astype(np.uint8), name="MASK")
    fits.HDUList([fits.PrimaryHDU(stack), mask]).writeto(tmp_path / "cube.fits")
    files = Files([source(tmp_path, "cube.fits")], method="laplace", read_mask=lambda *_: given)
    files.open(0)
    path = files.save(0, "picture", replace=False)
    left = given & [[[False]], [[True]]]
    np.testing.assert_array_equal(fits.getdata(path, "MASK"), left)


def test_sixteen_bits_profile_resolution_and_transparency_survive(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = data.astronaut()[:80, :90].astype(np.uint16) * 257 + 3
    alpha = np.full(image.shape[:2], 65535, np.uint16)
    alpha[20:30, 20:30] = 0
    write(tmp_path / "deep.tif", image, Extras(icc_profile=profile, dpi=(300, 300), alpha=alpha))
    files = Files([source(tmp_path, "deep.tif")], method="laplace")
    session = files.open(0)
    session.replay([{"kind": "rectangle", "points": [[25, 25], [50, 50]]}])
    restored, extras = read(files.save(0, "picture", replace=False))
    assert restored.dtype == np.uint16
    np.testing.assert_array_equal(restored[~session.mask], image[~session.mask])
    assert extras.icc_profile == profile
    assert extras.dpi == (300, 300)
    np.testing.assert_array_equal(extras.alpha, np.where(session.mask, 65535, alpha))


def test_a_nodata_value_takes_no_contrast_from_what_is_known(tmp_path):
    heights = data.camera()[:40, :50].astype(np.float32) / 10 + 200
    heights[5:15, 5:20] = -9999
    tifffile.imwrite(tmp_path / "dem.tif", heights, extratags=[(42113, 2, 6, "-9999", True)])
    missing = heights == -9999
    files = Files([source(tmp_path, "dem.tif")], method="laplace", read_mask=lambda source, image, extras: missing)
    for picture in (files.picture(0), files.open(0).picture):
        assert "Values from 2" in picture.shown_as
        grey = picture.on_screen(picture.image)[~missing]
        assert grey.min() == 0
        assert grey.max() == 255


def test_a_raster_in_which_white_is_zero_is_shown_as_it_looks_and_saved_as_it_is(tmp_path):
    image = data.camera()[:40, :50]
    pixel_size = (33550, 12, 3, (1.0, 1.0, 0.0), True)
    tifffile.imwrite(tmp_path / "map.tif", image, photometric="miniswhite", extratags=[pixel_size])
    files = Files([source(tmp_path, "map.tif")], method="laplace")
    desk = Desk(files)
    told = Told(desk)
    look(told)
    np.testing.assert_array_equal(picture_of(told, image.shape)[..., 0], 255 - image)
    picture = files.picture(0)
    np.testing.assert_array_equal(picture.on_screen(picture.image)[..., 0], 255 - image)
    drawn = np.stack([255 - image] * 3, axis=-1)  # on a copy as the page shows it
    drawn[5:9, 5:30] = 255, 0, 0
    write(tmp_path / "drawn.png", drawn)
    with pytest.warns(GuessedMaskWarning, match="a copy of the photograph with strokes"):
        told.say(do="load", buffers=[(tmp_path / "drawn.png").read_bytes()])
    assert desk.session.missing == 4 * 25
    saved = tifffile.imread(files.save(0, "picture", replace=False))
    np.testing.assert_array_equal(saved[~desk.session.mask], image[~desk.session.mask])
    desk.close()


# The server


@pytest.fixture
def server(desk, monkeypatch):
    monkeypatch.setattr("skinpaint.paint.server.POLL", 0.005)  # a test need not wait until it stops
    server = Server(desk, grace=0.3, grace_unsaved=1.5)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def browse():
    """Return what opens a browser; all are closed."""
    opened = []

    def browse(server, **how):
        opened.append(Browser(server, **how))
        return opened[-1]

    yield browse
    for browser in opened:
        browser.close()


class Browser:
    """A browser as far as a server knows it."""

    def __init__(self, server, cookie=True):
        self.server = server
        self.streaming = None
        self.headers = {"Host": f"127.0.0.1:{server.port}"}
        if cookie:
            answer = self.get(server.address.split(str(server.port))[1])
            assert (answer.status, answer.headers["Location"]) == (303, "/")
            self.headers["Cookie"] = answer.headers["Set-Cookie"].split(";")[0]

    def ask(self, method, path, body=None, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {**self.headers, **dict(headers)}.items():
            if value is not None:
                connection.putheader(name, value)
        if body is not None and "Content-Length" not in dict(headers):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        if answer.status == 200 and path == "/stream":
            self.close()
            self.streaming = connection
        else:
            answer.read()
            answer.close()
            connection.close()
        return answer

    def close(self):
        """Close the page."""
        if self.streaming is not None:
            self.streaming.sock.close() if self.streaming.sock else None
            self.streaming.close()
            self.stream.close()
            self.streaming = None

    def get(self, path, **headers):
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def say(self, message, **headers):
        headers = {"Content-Type": CONTENT, "X-Page": self.page, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.ask("POST", "/say", pack(message), headers)

    def open(self):
        self.stream = self.get("/stream")
        while (message := self.hear()[0])["say"] != "welcome":
            pass
        self.page = message["page"]

    def hear(self):
        head = self.stream.read(HEAD.size)
        return unpack(head + self.stream.read(HEAD.unpack(head)[1]))


def test_a_browser_gets_the_page_by_the_address_and_then_by_the_cookie(server, browse):
    browser = browse(server)
    for path, kind in (("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")):
        answer = browser.get(path)
        assert (answer.status, answer.headers.get_content_type()) == (200, kind)
        assert "default-src 'none'; script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"
    cookie = browser.get(server.address.split(str(server.port))[1]).headers["Set-Cookie"]
    assert "HttpOnly; SameSite=Strict; Path=/" in cookie


def test_a_page_speaks_and_hears(server, browse):
    browser = browse(server)
    browser.open()
    assert browser.say([{"do": "hello"}, {"do": "edit", "edit": RECTANGLE}]).status == 204
    heard = set()
    while "busy" not in heard:
        heard.add(browser.hear()[0]["say"])
    assert server.desk.session.missing == 231


ATTACKS = {
    "no cookie": (403, {"Cookie": None}),
    "the cookie of another": (403, {"Cookie": "skinpaint-1=abc"}),
    "a cookie that is none": (403, {"Cookie": "\x7f;;=;"}),
    "a cookie without a value": (403, {"Cookie": "skinpaint-{port}; skinpaint-{port}="}),
    "a host of another name (DNS rebinding)": (403, {"Host": "evil.example"}),
    "a host of another name at this port": (403, {"Host": "evil.example:{port}"}),
    "this host at another port": (403, {"Host": "127.0.0.1:1"}),
    "no host": (403, {"Host": None}),
    "an address that is not this one": (403, {"Host": "0.0.0.0:{port}"}),
    "another origin": (403, {"Origin": "http://evil.example"}),
    "no origin (a file, a sandbox)": (403, {"Origin": "null"}),
    "this origin by another protocol": (403, {"Origin": "https://127.0.0.1:{port}"}),
    "the origin of another port": (403, {"Origin": "http://127.0.0.1:1"}),
    "another site": (403, {"Sec-Fetch-Site": "cross-site"}),
    "another port of this machine": (403, {"Sec-Fetch-Site": "same-site"}),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_forged_requests_are_refused(server, browse, attack):
    status, headers = ATTACKS[attack]
    browser = browse(server)
    browser.open()
    forged = {name: value and value.replace("{port}", str(server.port)) for name, value in headers.items()}
    for path in ("/", "/page.js", "/stream"):
        assert browser.ask("GET", path, headers=forged).status == status
    sent = {"Content-Type": CONTENT, "X-Page": browser.page, **forged}
    assert browser.ask("POST", "/say", pack({"do": "edit", "edit": RECTANGLE}), sent).status == status
    assert server.desk.session.missing == 0
    if "Cookie" not in headers:  # nor does the token help
        assert browser.ask("GET", server.address.split(str(server.port))[1], headers=forged).status == status


@pytest.mark.parametrize("site", ["same-origin", "none", None])
def test_requests_of_the_page_itself_are_let_through(server, browse, site):
    browser = browse(server)
    browser.open()
    origin = f"http://127.0.0.1:{server.port}"
    assert browser.say({"do": "hello"}, Origin=origin, Sec_Fetch_Site=site).status == 204
    assert browser.get("/", Host=f"localhost:{server.port}").status == 200


@pytest.mark.parametrize("others", ['x={"a":1}; {}', "{}; theme=dark mode", "n=\xfc; {}", "flag; {};", "a=;;{}"])
def test_cookies_of_other_programs_on_this_machine_shut_nobody_out(server, browse, others):
    browser = browse(server)
    assert browser.get("/", Cookie=others.replace("{}", browser.headers["Cookie"]).encode("latin-1")).status == 200


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (415, {"Content-Type": "text/plain"}, b"x"),
        (415, {"Content-Type": "application/x-www-form-urlencoded"}, b"do=save"),
        (415, {"Content-Type": None}, b"x"),
        (413, {"Content-Length": str(MAX_BODY + 1)}, b""),
        (413, {"Content-Length": "9" * 30}, b""),
        (411, {"Content-Length": "-1"}, b""),
        (411, {"Content-Length": "1e3"}, b""),
        (411, {"Content-Length": "²"}, b""),
        (411, {"Transfer-Encoding": "chunked"}, b"0\r\n\r\n"),
        (410, {"X-Page": "someone"}, pack({"do": "hello"})),
        (410, {"X-Page": None}, pack({"do": "hello"})),
        (400, {}, b"nonsense"),
        (400, {}, HEAD.pack(2**31, 2**31) + b"{}"),
        (400, {}, HEAD.pack(2, 2) + b"{}"),
        (400, {}, HEAD.pack(40, 40) + b'{"message": 1, "sizes": [-5, 5]}        '),
        (400, {}, HEAD.pack(100_000, 100_000) + b"[" * 100_000),
        (204, {}, pack([{"do": "nonsense"}])),
    ],
)
def test_bodies_that_are_wrong_are_refused(server, browse, status, headers, body):
    browser = browse(server)
    browser.open()
    sent = {"Content-Type": CONTENT, "X-Page": browser.page, **headers}
    encoded = {name: value.encode("latin-1") if value is not None else None for name, value in sent.items()}
    assert browser.ask("POST", "/say", body, encoded).status == status
    assert browser.say({"do": "hello"}).status == 204, "the server goes on"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/../server.py",
        "/page/../../__init__.py",
        "/%2e%2e/server.py",
        "//evil.example/",
        "/page.js/..",
        "/index.html",
        "/photo.png",
        "/page.js%00.png",
        "/static/page.js",
        "http://[/",
    ],
)
def test_paths_lead_nowhere_else(server, browse, path):
    browser = browse(server)
    assert browser.get(path).status == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"])
def test_other_methods_are_not_there(server, browse, method):
    answer = browse(server).ask(method, "/say", headers={"Origin": "http://evil.example"})
    assert answer.status == 501
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_token_that_is_wrong_is_refused_and_that_of_the_browser_works_once(server, browse):
    stranger = browse(server, cookie=False)
    for token in ("", "x", server.guard.printed[:-1], server.guard.printed + "x", "é"):
        assert stranger.get(f"/?token={token.encode().hex() if token == 'é' else token}").status == 403
    launch = server.launch_address.split(str(server.port))[1]
    assert stranger.get(launch).status == 303
    assert stranger.get(launch).status == 403
    assert stranger.get("/?token=").status == 403
    assert stranger.get(server.address.split(str(server.port))[1]).status == 303


def test_secrets_are_long_and_new():
    guards = [Guard(1), Guard(1)]
    secrets = [secret for guard in guards for secret in (guard.printed, guard.launching, guard._cookie)]
    assert len(set(secrets)) == 6
    assert min(map(len, secrets)) >= 32
    assert guards[0].exchange("") is None
    assert guards[0].exchange("é") is None


def test_it_listens_on_this_machine_alone(server):
    assert server.server_address[0] == "127.0.0.1"


def test_it_ends_some_time_after_the_last_page(server, browse, monkeypatch):
    monkeypatch.setattr("skinpaint.paint.server.PING", 0.05)
    ended = threading.Event()
    said = []
    threading.Thread(target=lambda: (server.wait(said.append), ended.set()), daemon=True).start()
    assert not ended.wait(0.6), "it waits for the first page"
    browser = browse(server)
    browser.open()
    assert not ended.wait(0.6)
    browser.close()
    time.sleep(0.1)
    browser.open()  # a reload
    assert not ended.wait(0.6)
    browser.say({"do": "edit", "edit": RECTANGLE})
    browser.close()
    assert not ended.wait(0.9), "it waits longer where something is not saved"
    assert "photo.png is not saved" in said[0]
    assert ended.wait(10)


def test_the_command_says_what_was_saved(tmp_path, photo, browse):
    command = [sys.executable, "-m", "skinpaint", "paint", "photo.png", "--no-browser", "--method", "laplace"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        address = re.search(r"http://127.0.0.1:(\d+)/\?token=\S+", process.stdout.readline())

        class There:
            port = int(address[1])

        There.address = address[0]
        browser = browse(There)
        browser.open()
        browser.say([{"do": "edit", "edit": RECTANGLE}, {"do": "save", "what": "picture"}])
        while browser.hear()[0]["say"] != "saved":
            pass
        browser.say([{"do": "edit", "edit": {"kind": "grow", "pixels": 2}}])
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert "Saved photo-restored.png: the picture of photo.png." in out
    assert "not saved: photo.png" in err
    assert "Traceback" not in err
    restored, _ = read(tmp_path / "photo-restored.png")
    assert (restored != photo).any(axis=-1).sum() <= 231


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.png"], "nowhere.png: No such file or directory."),
        (["photo.png", "--port", "99999"], "must be an integer from 0 to 65535"),
        (["photo.png", "--method", "nonsense"], "--method must be one of"),
        (["photo.png", "-o", "nowhere/out.png"], "the folder nowhere does not exist"),
        (["photo.png", "-o", "out.gif"], "GIF is only read"),
        (["photo.png", "photo.png", "-o", "out.png"], "must be a folder"),
        (["photo.png", "--mask", "small.png", "-o", "small.png"], "-o must name a file of its own"),
        (["empty"], "holds no picture"),
        (["photo.png", "--mask", "small.png"], "pixels, but photo.png has"),
    ],
)
def test_what_cannot_be_opened_is_a_sentence(tmp_path, photo, arguments, said, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    write(tmp_path / "small.png", np.full((5, 5), 255, np.uint8))
    try:
        status = main(["paint", "--no-browser", *arguments])
    except SystemExit as ended:  # how argparse ends
        status = ended.code
    assert status == 2
    assert said in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(tmp_path, photo, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["paint", "--no-browser", "photo.png", "--port", str(port)]) == 2
    assert f"--port {port} cannot be used: " in capsys.readouterr().err


def test_the_page_is_in_the_wheel(tmp_path):
    project = Path(__file__).parents[1] / "pyproject.toml"
    if not project.exists():
        pytest.skip("the package is installed without its project")
    import tomllib

    build = tomllib.loads(project.read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert build == {"packages": ["skinpaint"]}, "everything in the folder of the package"
    import skinpaint

    page = Path(skinpaint.__file__).parent / "paint" / "page"
    assert sorted(path.name for path in page.iterdir()) == ["index.html", "page.css", "page.js"]


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ([], 0),
        (["--missing", "saturated"], 12),
        (["--missing", "7"], 12),
        (["--mask", "given.png", "--missing", "7"], 20),
    ],
)
def test_the_command_opens_the_browser_with_what_is_missing(tmp_path, monkeypatch, capsys, options, missing):
    image = np.full((60, 70), 90, np.uint8)
    image[10:14, 20:23] = 255 if "saturated" in options else 7
    write(tmp_path / "photo.png", image)
    given = np.zeros(image.shape, np.uint8)
    given[40:44, 10:12] = 255
    write(tmp_path / "given.png", given)
    monkeypatch.chdir(tmp_path)
    opened, found = [], []

    def wait(server, said):
        found.append((server.launch_address, server.desk.session.missing, server.desk.session.method.tol))

    monkeypatch.setattr(Server, "wait", wait)
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main(["paint", "photo.png", "--method", "laplace", "--set", "tol=1e-4", *options]) == 0
    assert found == [(opened[0], missing, 1e-4)]
    said = capsys.readouterr().out
    assert "Paint at http://127.0.0.1:" in said
    assert opened[0] not in said
    assert "Nothing was saved." in said


@pytest.mark.parametrize("options", [[], ["--missing", "7"]])
def test_the_command_paints_all_channels_where_one_is_missing(tmp_path, monkeypatch, options):
    write(tmp_path / "photo.png", np.full((20, 30, 3), 90, np.uint8))
    flags = np.zeros((20, 30, 3), bool)
    flags[4:8, 5:10, 1] = True
    np.save(tmp_path / "flags.npy", flags)
    monkeypatch.chdir(tmp_path)
    found = []
    monkeypatch.setattr(Server, "wait", lambda server, said: found.append(server.desk.session.missing))
    assert main(["paint", "photo.png", "--no-browser", "--method", "laplace", "--mask", "flags.npy", *options]) == 0
    assert found == [20]


def test_a_mask_for_all_times_of_a_stack_is_there_on_each_page(tmp_path, monkeypatch):
    stack = np.full((2, 3, 9, 8), 90, np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", stack, imagej=True, metadata={"axes": "TZYX"})
    mask = np.zeros((3, 9, 8), bool)
    mask[1, 2:4, 3:6] = True
    np.save(tmp_path / "mask.npy", mask)
    monkeypatch.chdir(tmp_path)
    found = []
    monkeypatch.setattr(
        Server, "wait", lambda server, said: found.extend(server.desk.album.open(k).missing for k in range(6))
    )
    assert main(["paint", "stack.tif", "--no-browser", "--method", "laplace", "--mask", "mask.npy"]) == 0
    assert found == [0, 6, 0, 0, 6, 0]


@pytest.mark.parametrize("shape", [(8,), (1, 8), (9, 8, 3), (5, 5)])
def test_a_mask_that_does_not_fit_a_stack_is_refused_as_by_restore(tmp_path, monkeypatch, capsys, shape):
    write(tmp_path / "stack.tif", np.full((3, 9, 8), 90, np.uint8), Extras(axes="QYX"))
    np.save(tmp_path / "mask.npy", np.arange(np.prod(shape)).reshape(shape) % 3 == 0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Server, "wait", lambda server, said: None)
    assert main(["restore", "stack.tif", "--mask", "mask.npy"]) == 2
    said = capsys.readouterr().err
    assert main(["paint", "stack.tif", "--no-browser", "--mask", "mask.npy"]) == 2
    assert f"The mask has shape {shape}, but the image (3, 9, 8) on the axes QYX." in said
    assert capsys.readouterr().err.endswith(said.partition("The mask")[2])


def test_an_image_in_memory_is_not_saved():
    album = One(Session(np.zeros((5, 5), np.uint8), name="mine"))
    assert (list(album.titles), album.targets(0), album.unsaved()) == (["mine"], None, [])
    assert album.picture(0).shape == (5, 5)
    desk = Desk(album)
    told = Told(desk)
    told.say(do="save", what="picture")
    assert "not saved to a file" in told.wait("error")[0]["text"]
    desk.close()


def test_what_is_no_picture_is_a_sentence(tmp_path):
    write(tmp_path / "signal.npy", np.zeros(9, np.float32))
    with pytest.raises(ValueError, match="holds no picture, but an array on the axes"):
        Files([source(tmp_path, "signal.npy")], method="laplace")
    for k in range(2):
        write(tmp_path / f"{k}.tif", np.zeros((2, 20, 20), np.uint8), Extras(axes="QYX"))
    with pytest.raises(ValueError, match=r"holds a stack\. Open it alone"):
        Files([source(tmp_path, f"{k}.tif") for k in range(2)], method="laplace").open(0)


def test_a_picture_that_cannot_be_shown_is_said(desk, monkeypatch, capsys):
    told = Told(desk)
    told.say(do="look", level=0, box=[0, 0, 120, 160])

    def broken(*_):
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr("skinpaint.paint.desk.shown", broken)
    told.say(do="tiles", level=0, tiles=[[0, 0]])
    assert "cannot be shown: by nought" in told.wait("error")[0]["text"]
    assert "ZeroDivisionError" in capsys.readouterr().err
    monkeypatch.undo()
    told.say(do="tiles", level=0, tiles=[[0, 0]])
    told.wait("tile")
    told.say(do="tiles", level=0, tiles=[[9, 9]])
    told.say(do="stop comparing")
    assert desk.settle()


def test_pages_are_counted(server, browse, monkeypatch):
    monkeypatch.setattr("skinpaint.paint.server.MAX_PAGES", 1)
    browser = browse(server)
    browser.open()
    assert browse(server).get("/stream").status == 503
