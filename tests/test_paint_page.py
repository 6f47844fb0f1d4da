"""The page of `skinpaint paint` in a real browser, used as a user uses it."""

import json
import sys
import threading
import time
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import maximum_filter, minimum_filter
from skimage import data

from skinpaint.io import Extras, read, write
from skinpaint.paint.album import Files, Source
from skinpaint.paint.desk import Desk
from skinpaint.paint.server import Server

sys.path.insert(0, str(Path(__file__).parent))
from browser import axe, browser, executable

SIZE = {"width": 1200, "height": 760}


@pytest.fixture(scope="module")
def chromium():
    executable()
    with browser() as opened:
        yield opened


@pytest.fixture
def photo(tmp_path):
    image = data.astronaut()[40:240, 100:400].copy()
    image[100:104, 40:260] = 255  # a scratch
    write(tmp_path / "photo.png", image)
    return image


def places(folder, name):
    stem, suffix = Path(name).stem, Path(name).suffix
    return Source(
        path=folder / name,
        picture=folder / f"{stem}-restored{suffix}",
        mask=folder / f"{stem}-mask.png",
        report=folder / f"{stem}-report.json",
    )


class Opened:
    """A page, and the server behind it."""

    def __init__(self, chromium, files, size=SIZE, **options):
        self.desk = Desk(files)
        self.server = Server(self.desk)
        self.server.start()
        self.context = chromium.new_context(viewport=size, **options)
        self.context.set_default_navigation_timeout(120_000)  # a machine may be busy
        self.faults = []
        self.tab = self.open()

    def open(self):
        tab = self.context.new_page()
        tab.on("pageerror", lambda error: self.faults.append(str(error)))
        tab.on("console", lambda message: self.faults.append(message.text) if message.type == "error" else None)
        tab.goto(self.server.address)
        self.ready(tab)
        return tab

    def ready(self, tab):
        self.wait(lambda: "–" in tab.title())
        self.wait(lambda: self.pixel(tab, 0.5, 0.5)[3] == 255)

    def wait(self, true, timeout=20):
        until = time.monotonic() + timeout
        while not true():
            assert time.monotonic() < until, "it does not come to pass"
            self.tab.wait_for_timeout(20) if hasattr(self, "tab") else time.sleep(0.02)

    @property
    def session(self):
        return self.desk.session

    def at(self, x, y, tab=None):
        """Where a pixel of the picture is on the screen, as it is when it is fitted."""
        bounds = (tab or self.tab).locator(".surface").bounding_box()
        height, width = self.session.shape
        scale = min((bounds["width"] - 24) / width, (bounds["height"] - 24) / height)
        left = bounds["x"] + (bounds["width"] - width * scale) / 2
        top = bounds["y"] + (bounds["height"] - height * scale) / 2
        return left + x * scale, top + y * scale

    def stroke(self, *points, button="left", tab=None):
        mouse = (tab or self.tab).mouse
        mouse.move(*self.at(*points[0], tab))
        mouse.down(button=button)
        for point in points[1:]:
            mouse.move(*self.at(*point, tab), steps=8)
        mouse.up(button=button)
        self.wait(lambda: not self.session.painting)
        assert self.desk.settle()
        (tab or self.tab).wait_for_timeout(150)

    def pixel(self, tab, x, y):
        """The colour on the screen at a share of the canvas."""
        return tab.evaluate(
            """([x, y]) => {
                const canvas = document.querySelector(".picture");
                const at = [Math.floor(x * canvas.width), Math.floor(y * canvas.height)];
                return [...canvas.getContext("2d").getImageData(...at, 1, 1).data];
            }""",
            [x, y],
        )

    def colour(self, x, y, tab=None):
        """The colour on the screen of a pixel of the picture."""
        tab = tab or self.tab
        bounds = tab.locator(".surface").bounding_box()
        left, top = self.at(x, y, tab)
        share = (left - bounds["x"]) / bounds["width"], (top - bounds["y"]) / bounds["height"]
        return np.array(self.pixel(tab, *share)[:3], int)

    def close(self):
        assert self.faults == []
        self.context.close()
        self.server.stop()


@pytest.fixture
def page(chromium, tmp_path, photo):
    opened = Opened(chromium, Files([places(tmp_path, "photo.png")], method="laplace"))
    opened.tab.locator("input[aria-label='Mask, %']").fill("0")  # the colours are those of the picture
    yield opened
    opened.close()


def test_paint_undo_redo_erase_compare_choose_save(page, tmp_path, photo):
    assert (page.colour(150, 102) > 240).all(), "the scratch is there"
    page.tab.mouse.move(*page.at(60, 60))
    page.tab.mouse.down()
    page.wait(lambda: "pixels painted" in page.tab.locator(".status").inner_text())
    assert page.session.painting, "the first stroke counts while it is drawn"
    page.tab.keyboard.press("Escape")
    page.wait(lambda: "Nothing painted" in page.tab.locator(".status").inner_text())
    page.tab.mouse.up()
    page.stroke((38, 102), (150, 103), (264, 102))
    assert (page.colour(150, 102) < 230).any(), "the scratch is gone"
    assert page.session.mask[100:104, 40:260].all()
    assert "painted" in page.tab.locator(".status").inner_text()

    page.tab.keyboard.press("Control+z")
    page.wait(lambda: (page.colour(150, 102) > 240).all())
    assert page.session.missing == 0
    page.tab.keyboard.press("Control+Shift+z")
    page.wait(lambda: (page.colour(150, 102) < 230).any())

    before = page.session.missing
    page.stroke((240, 80), (240, 125), button="right")
    assert page.session.missing < before
    assert (page.colour(240, 102) > 240).all(), "what is erased shows the picture as it was"
    page.tab.keyboard.press("Control+z")
    assert page.desk.settle()

    page.tab.keyboard.press("x")
    page.wait(lambda: (page.colour(100, 102) > 240).all())
    assert (page.colour(200, 102) < 230).any(), "before at the left, after at the right"
    handle = page.tab.get_by_role("slider", name="Before and after")
    assert handle.get_attribute("aria-valuenow") == "50"
    handle.press("Home")
    page.wait(lambda: (page.colour(100, 102) < 230).any())
    page.tab.keyboard.press("x")
    page.tab.keyboard.down("c")
    page.wait(lambda: (page.colour(200, 102) > 240).all())
    page.tab.keyboard.up("c")
    page.wait(lambda: (page.colour(200, 102) < 230).any())

    page.tab.get_by_label("Method", exact=True).select_option("biharmonic")
    page.wait(lambda: page.session.method_name == "biharmonic" and page.session.settled)

    page.tab.get_by_role("button", name="Save", exact=True).click()
    page.tab.get_by_text("Saved photo-restored.png.").wait_for()
    restored, _ = read(tmp_path / "photo-restored.png")
    mask = page.session.mask
    np.testing.assert_array_equal(restored[~mask], photo[~mask])
    assert (restored[100:104, 60:240] < 250).any(axis=-1).mean() > 0.9, "the stroke is filled"
    page.wait(lambda: not page.tab.title().startswith("•"))


@pytest.mark.parametrize("repeats", [1, 9])  # enlarged on the screen, and reduced
def test_what_is_drawn_in_parts_is_what_is_drawn_at_once(chromium, tmp_path, photo, repeats):
    write(tmp_path / "photo.png", np.tile(photo, (repeats, repeats, 1)), overwrite=True)
    opened = Opened(chromium, Files([places(tmp_path, "photo.png")], method="laplace"))
    tab, width = opened.tab, 300 * repeats

    def picture():
        encoded = tab.evaluate("document.querySelector('.picture').toDataURL()")
        return np.array(Image.open(BytesIO(b64decode(encoded.partition(",")[2]))).convert("RGB"), int)

    def settled():
        """The picture once drafts have stopped arriving."""
        looks = [picture()]

        def still():
            tab.wait_for_timeout(400)
            looks.append(picture())
            return len(looks) > 2 and all(np.array_equal(look, looks[-1]) for look in looks[-3:-1])

        opened.wait(still)
        return looks[-1]

    empty = picture()
    tab.mouse.move(*opened.at(0.2 * width, 0.1 * width))
    tab.mouse.down()
    tab.mouse.move(*opened.at(0.7 * width, 0.4 * width), steps=30)
    parts = settled()
    tab.set_viewport_size({"width": SIZE["width"] + 40, "height": SIZE["height"]})
    opened.wait(lambda: picture().shape != parts.shape)
    tab.set_viewport_size(SIZE)
    opened.wait(lambda: picture().shape == parts.shape)
    whole = settled()
    assert np.abs(parts - empty).max() > 50
    # The browser reduces a part of an image as it reduces all of it, but that it rounds where it samples to a sixteenth
    # of a pixel, and starts from the left of the part.
    rounding = 0 if repeats == 1 else 1 + (maximum_filter(whole, (3, 3, 1)) - minimum_filter(whole, (3, 3, 1))) / 16
    assert (np.abs(parts - whole) <= rounding).all()
    tab.mouse.up()
    opened.close()


def test_a_file_is_replaced_only_when_the_user_says_so(page, tmp_path, photo):
    (tmp_path / "photo-mask.png").write_text("mine")
    page.stroke((38, 102), (264, 102))
    page.tab.get_by_role("button", name="Mask", exact=True).click()
    dialog = page.tab.get_by_role("dialog", name="Replace a file")
    dialog.wait_for()
    assert "photo-mask.png exists" in dialog.inner_text()
    dialog.get_by_role("button", name="Cancel").click()
    assert (tmp_path / "photo-mask.png").read_text() == "mine"
    page.tab.get_by_role("button", name="Mask", exact=True).click()
    dialog.get_by_role("button", name="Replace").click()
    page.tab.get_by_text("Saved photo-mask.png.").wait_for()
    np.testing.assert_array_equal(read(tmp_path / "photo-mask.png")[0] > 0, page.session.mask)
    page.tab.get_by_role("button", name="Report").click()
    page.tab.get_by_text("Saved photo-report.json.").wait_for()
    assert json.loads((tmp_path / "photo-report.json").read_text())["pictures"][0]["edits"][0]["kind"] == "stroke"


def test_a_file_is_replaced_for_the_picture_that_was_seen(chromium, tmp_path, photo):
    for name in ("one", "two"):
        write(tmp_path / f"{name}.png", photo)
        (tmp_path / f"{name}-mask.png").write_text("mine")
    opened = Opened(chromium, Files([places(tmp_path, f"{name}.png") for name in ("one", "two")], method="laplace"))
    opened.stroke((38, 102), (264, 102))
    opened.tab.get_by_role("button", name="Mask", exact=True).click()
    dialog = opened.tab.get_by_role("dialog", name="Replace a file")
    dialog.wait_for()
    opened.desk.open(1)  # as another tab does
    opened.wait(lambda: opened.tab.title().startswith("• two.png"))
    dialog.get_by_role("button", name="Replace").click()
    opened.tab.get_by_text("Saved one-mask.png.").wait_for()
    assert (tmp_path / "two-mask.png").read_text() == "mine"
    opened.close()


def test_shapes_and_floods(page):
    page.tab.keyboard.press("r")
    page.stroke((50.5, 50.5), (69.5, 59.5))
    assert page.session.missing == 200
    page.tab.keyboard.press("p")
    for corner in ((100, 20), (140, 20), (140, 60)):
        page.tab.mouse.click(*page.at(*corner))
    page.tab.keyboard.press("Enter")
    page.wait(lambda: page.session.missing > 900)
    assert page.session.missing == pytest.approx(200 + 800, abs=45)
    page.tab.keyboard.press("f")
    page.tab.mouse.click(*page.at(150, 102))
    page.wait(lambda: page.session.mask[100:104, 45:255].all())
    page.tab.get_by_role("button", name="Grow by").click()
    page.wait(lambda: page.session.mask[99, 45:255].all())
    page.tab.get_by_role("button", name="Clear").click()
    page.wait(lambda: page.session.missing == 0)
    assert [type(edit).__name__ for edit in page.session.edits] == ["Rectangle", "Polygon", "Similar", "Grow", "Clear"]


def test_a_proposal_is_accepted(page):
    page.tab.get_by_role("button", name="Saturated").click()
    page.tab.get_by_text("proposed, in blue").wait_for()
    assert page.session.missing == 0
    page.tab.get_by_role("button", name="Dismiss").click()
    page.wait(lambda: page.session.proposal is None)
    page.tab.get_by_role("button", name="Saturated").click()
    page.tab.get_by_role("button", name="Accept").click()
    page.wait(lambda: page.session.mask[100:104, 40:260].all())


def test_keys_alone_are_enough(page):
    tab = page.tab
    tab.keyboard.press("Tab")
    reached = set()
    for _ in range(60):
        reached.add(
            tab.evaluate(
                "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent.trim()"
            ).split(",")[0]
        )
        tab.keyboard.press("Tab")
    wanted = {"Method", "Save", "Brush", "Erase", "Rectangle", "Polygon", "Similar colours", "Move", "photo.png",
              "Size of the brush", "Hairlines", "Saturated", "Zoom in", "Fit", "Picture", "Keys and help"}  # fmt: skip
    assert wanted <= reached
    tab.locator(".surface").focus()
    for key in ("Enter", *["ArrowRight"] * 10, "Enter"):
        tab.keyboard.press(key)
    page.wait(lambda: page.session.missing > 0 and not page.session.painting)
    bounds = page.session.bounds
    assert bounds.shape[1] > bounds.shape[0], "a stroke to the right"
    tab.keyboard.press("]")
    page.wait(lambda: tab.get_by_label("Size of the brush in pixels").input_value() == "32")


def test_zoom_and_pan(page):
    tab = page.tab
    tab.mouse.move(*page.at(150, 100))
    tab.mouse.wheel(0, -1200)
    page.wait(lambda: float(tab.locator(".zoom").inner_text().split()[0]) > 900)
    tab.keyboard.press("1")
    page.wait(lambda: tab.locator(".zoom").inner_text() == "100 %")
    tab.keyboard.press("0")
    page.wait(lambda: tab.locator(".zoom").inner_text() not in ("100 %", ""))
    before = page.colour(150, 60)
    bounds = tab.locator(".surface").bounding_box()
    tab.mouse.move(bounds["x"] + 300, bounds["y"] + 300)
    tab.mouse.down(button="middle")
    tab.mouse.move(bounds["x"] + 380, bounds["y"] + 300)
    tab.mouse.up(button="middle")
    page.wait(lambda: (page.colour(150, 60) != before).any())
    assert page.session.missing == 0


def test_a_reload_keeps_the_work_and_a_second_tab_shows_it(page):
    page.stroke((38, 102), (264, 102))
    page.tab.get_by_label("Size of the brush in pixels").fill("33")
    page.tab.get_by_label("Size of the brush in pixels").press("Enter")
    page.wait(lambda: page.desk.preferences.get("diameter") == 33)
    other = page.open()
    page.wait(lambda: (page.colour(150, 102, other) < 230).any())
    other.keyboard.press("Control+z")
    page.wait(lambda: (page.colour(150, 102) > 240).all())
    other.keyboard.press("Control+y")
    page.wait(lambda: (page.colour(150, 102) < 230).any())
    page.tab.on("dialog", lambda dialog: dialog.accept())  # it asks, as something is not saved
    page.tab.reload()
    page.ready(page.tab)
    page.wait(lambda: (page.colour(150, 102) < 230).any())
    assert page.tab.get_by_label("Size of the brush in pixels").input_value() == "33"


def test_unsaved_work_asks_before_it_is_closed(page):
    asked = []
    page.tab.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.stroke((38, 102), (264, 102))
    page.tab.evaluate("() => void setTimeout(() => location.reload())")
    page.wait(lambda: asked == ["beforeunload"])
    page.tab.wait_for_timeout(100)
    assert (page.colour(150, 102) < 230).any(), "the user stayed"


def test_late_answers_never_overwrite_newer_ones(page, photo):
    go_on = threading.Event()

    class Slow(type(page.session.method)):
        def solve(self, problem, callback=None):
            go_on.wait(5)
            return super().solve(problem, callback)

    object.__setattr__(page.session, "method", Slow())
    tab = page.tab
    tab.mouse.move(*page.at(60, 102))
    tab.mouse.down()
    tab.mouse.move(*page.at(250, 102), steps=6)
    page.wait(lambda: (page.colour(150, 102) < 230).any()), "it is seen before the brush is lifted"
    tab.mouse.up()
    tab.wait_for_timeout(100)
    tab.keyboard.press("Control+z")
    page.wait(lambda: (page.colour(150, 102) > 240).all())
    go_on.set()
    assert page.desk.settle()
    tab.wait_for_timeout(200)
    assert (page.colour(150, 102) > 240).all()


def test_methods_are_compared_and_one_is_chosen(chromium, tmp_path, photo, monkeypatch):
    monkeypatch.setattr("skinpaint.paint.messages.METHODS", dict.fromkeys(["laplace", "biharmonic"]))
    page = Opened(chromium, Files([places(tmp_path, "photo.png")], method="laplace"))
    page.stroke((38, 102), (264, 102))
    page.tab.get_by_role("button", name="Compare").click()
    card = page.tab.locator(".card", has_text="biharmonic")
    card.wait_for()
    assert "predicts" in card.inner_text()
    card.click()
    page.wait(lambda: page.session.method_name == "biharmonic")
    page.wait(lambda: card.get_attribute("aria-pressed") == "true")
    page.tab.keyboard.press("Escape")
    page.wait(lambda: not page.tab.locator(".compared").is_visible())
    page.close()


def test_a_stack_of_sixteen_bits_on_a_phone(chromium, tmp_path):
    stack = np.stack([data.camera()[:200, k : k + 300] for k in (0, 200)]).astype(np.uint16) * 16
    write(tmp_path / "stack.tif", stack, Extras(axes="QYX"))
    page = Opened(
        chromium,
        Files([places(tmp_path, "stack.tif")], method="laplace"),
        {"width": 390, "height": 800},
        has_touch=True,
    )
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.tab.locator(".strip button").count() == 2
    x, y = page.at(100, 100)
    page.tab.touchscreen.tap(x, y)
    page.wait(lambda: page.session.missing > 100)
    assert page.desk.settle()
    page.tab.get_by_role("button", name="Next picture").click()
    page.wait(lambda: page.desk.number == 1)
    page.wait(lambda: "2 of 2" in page.tab.locator("h1").inner_text())
    page.close()


def test_two_fingers_move_the_picture_and_paint_nothing(page):
    tab = page.tab
    session = page.context.new_cdp_session(tab)
    (x, y), (u, v) = page.at(100, 100), page.at(200, 100)

    def touch(kind, *points):
        touches = [{"x": px, "y": py, "id": k} for k, (px, py) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    before = tab.locator(".zoom").inner_text()
    touch("touchStart", (x, y))
    touch("touchStart", (x, y), (u, v))
    for k in range(1, 9):
        touch("touchMove", (x - 5 * k, y), (u + 5 * k, v))
    touch("touchEnd")
    page.wait(lambda: tab.locator(".zoom").inner_text() != before)
    page.wait(lambda: not page.session.painting)
    assert page.session.missing == 0


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_nothing_violates_wcag(chromium, tmp_path, photo, look, monkeypatch):
    monkeypatch.setattr("skinpaint.paint.messages.METHODS", dict.fromkeys(["laplace", "biharmonic"]))
    script = axe()
    write(tmp_path / "second.png", photo)
    size = {"width": 390, "height": 800} if look == "phone" else SIZE
    files = Files([places(tmp_path, "photo.png"), places(tmp_path, "second.png")], method="laplace")
    page = Opened(chromium, files, size, color_scheme="dark" if look == "dark" else "light", bypass_csp=True)
    check = "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"

    def violations():
        found = page.tab.evaluate(check)["violations"]
        return [(each["id"], [node["target"] for node in each["nodes"]]) for each in found]

    page.tab.add_script_tag(content=script)
    assert violations() == []
    page.stroke((38, 102), (264, 102))
    page.tab.get_by_role("button", name="Compare").click()
    page.tab.locator(".card", has_text="biharmonic").wait_for()
    page.tab.keyboard.press("x")
    page.tab.locator(".surface").focus()
    page.tab.keyboard.press("x")
    if look == "phone":
        page.tab.locator("summary").click()
    page.tab.get_by_role("button", name="Hairlines").evaluate("button => button.click()")
    page.tab.wait_for_timeout(500)
    assert violations() == []
    page.tab.keyboard.press("?")
    page.tab.get_by_role("dialog", name="Keys and help").wait_for()
    assert violations() == []
    page.tab.evaluate("document.querySelector('dialog[open]').close()")
    page.close()
