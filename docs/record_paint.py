"""Record the film and the pictures of the page "Paint the mask" from the real page.

pip install '.[browser-test]' && python docs/record_paint.py
"""

from __future__ import annotations

import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage import data
from skimage.draw import bezier_curve

from skinpaint.io import write
from skinpaint.masks import grow
from skinpaint.paint.album import Files, Source
from skinpaint.paint.desk import Desk
from skinpaint.paint.server import Server

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
from browser import browser

WIDTH, HEIGHT = 1000, 640
SCRATCHES = (  # start, bend and end: rows and columns
    ((30, 40), (150, 330), (120, 560)),
    ((380, 30), (200, 120), (60, 330)),
    ((60, 480), (230, 420), (350, 590)),
)
COLOUR = (246, 240, 222)
FRAME = 60  # milliseconds of the film


def scratched() -> tuple[np.ndarray, list[list[tuple[float, float]]]]:
    """A photograph with scratches, and their paths: x and y."""
    image, paths = data.coffee().copy(), []
    for start, bend, end in SCRATCHES:
        scratch = np.zeros(image.shape[:2], bool)
        scratch[bezier_curve(*start, *bend, *end, 1.5, shape=scratch.shape)] = True
        image[grow(scratch, 1)] = COLOUR
        t = np.linspace(0, 1, 30)[:, None]
        points = np.array([start, bend, end], float)
        weights = np.hstack([(1 - t) ** 2, 1.5 * 2 * t * (1 - t), t**2])
        path = weights @ points / weights.sum(axis=1, keepdims=True)
        paths.append([(column + 0.5, row + 0.5) for row, column in path])
    return image, paths


class Recorder:
    """A page that is filmed."""

    def __init__(self, tab: Any, shape: tuple[int, ...]) -> None:
        self.tab, self.shape = tab, shape
        self.frames: list[Image.Image] = []
        self.times: list[int] = []

    def shot(self, milliseconds: int = FRAME) -> Image.Image:
        """Add a frame."""
        self.frames.append(Image.open(BytesIO(self.tab.screenshot())).convert("RGB"))
        self.times.append(milliseconds)
        return self.frames[-1]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the picture is on the screen."""
        bounds = self.tab.locator(".surface").bounding_box()
        scale = min((bounds["width"] - 24) / self.shape[1], (bounds["height"] - 24) / self.shape[0])
        left = bounds["x"] + (bounds["width"] - self.shape[1] * scale) / 2
        top = bounds["y"] + (bounds["height"] - self.shape[0] * scale) / 2
        return left + x * scale, top + y * scale

    def stroke(self, path: list[tuple[float, float]], keep: int | None = None) -> Image.Image | None:
        """Paint along a path; the frame of one of its points."""
        kept = None
        self.tab.mouse.move(*self.at(*path[0]))
        self.tab.mouse.down()
        for k, point in enumerate(path[1:]):
            self.tab.mouse.move(*self.at(*point))
            self.tab.wait_for_timeout(40)
            shot = self.shot()
            kept = shot if k == keep else kept
        self.tab.mouse.up()
        return kept


def main() -> None:
    """Paint over three scratches, move the slider, and write what was seen."""
    image, paths = scratched()
    with tempfile.TemporaryDirectory() as name, browser() as chromium:
        folder = Path(name)
        write(folder / "photo.png", image)
        places = {what: folder / f"{what}.png" for what in ("picture", "mask")}
        source = Source(path=folder / "photo.png", report=folder / "report.json", **places)
        desk = Desk(Files([source], method="dct"))
        server = Server(desk)
        server.start()
        tab = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        tab.goto(server.address)
        tab.wait_for_timeout(2500)
        tab.get_by_label("Size of the brush in pixels").fill("12")
        tab.get_by_label("Size of the brush in pixels").press("Enter")
        film = Recorder(tab, image.shape)
        film.shot(1200)
        for k, path in enumerate(paths):
            painting = film.stroke(path, keep=18 if k == 1 else None)
            if painting is not None:
                painting.save(HERE / "_static" / "paint.png", optimize=True)
            tab.wait_for_timeout(300)
            film.shot(250)
        desk.settle(300)
        tab.wait_for_timeout(400)
        film.shot(900)
        tab.keyboard.press("m")
        tab.wait_for_timeout(300)
        film.shot(1200)
        tab.keyboard.press("x")
        handle = tab.locator(".handle")
        handle.focus()
        for key in ["ArrowRight"] * 16 + ["ArrowLeft"] * 34 + ["ArrowRight"] * 18:
            handle.press(key)
            tab.wait_for_timeout(20)
            film.shot(50)
        film.frames[-1].save(HERE / "_static" / "paint-slider.png", optimize=True)
        film.times[-1] = 1500
        server.stop()
    target = HERE / "_static" / "paint.webp"
    first, *others = film.frames
    first.save(target, save_all=True, append_images=others, duration=film.times, loop=0, quality=62, method=6)
    print(f"{target}: {len(film.frames)} frames, {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
