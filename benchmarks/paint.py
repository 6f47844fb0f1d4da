"""The page of `skinpaint paint` in a real browser: how soon new pixels are seen, and how soon a picture is.

It needs playwright and a browser of the system: pip install 'skinpaint[browser-test]'.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from machine import processor
from PIL import ImageCms
from skimage import data

from skinpaint.io import Extras, read, write

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from browser import browser

SIZES = {"1 MP, 8 bits": (1000, 1000), "12 MP, 16 bits, ICC": (3000, 4000), "100 MP, 8 bits": (10_000, 10_000)}
STROKES, MOVES = 5, 60  # and moves of the pointer in each
FRAMES = """() => {
    window.frames = [];
    const next = (time) => { window.frames.push(time); requestAnimationFrame(next); };
    requestAnimationFrame(next);
}"""
SEEN = """() => {
    const canvas = document.querySelector(".picture");
    const at = [canvas.width >> 1, canvas.height >> 1];
    return canvas.width > 0 && canvas.getContext("2d").getImageData(...at, 1, 1).data[3] === 255;
}"""


def make(folder: Path, name: str) -> Path:
    """A photograph, enlarged and repeated, so that it has detail on every scale."""
    height, width = SIZES[name]
    tile = data.astronaut()
    tiles = -(-height // 512), -(-width // 512), 1
    image = np.tile(tile, tiles)[:height, :width]
    if "16 bits" not in name:
        path = folder / f"{name.split()[0]}.png"
        write(path, image)
        return path
    noise = np.random.default_rng(0).integers(0, 257, image.shape, dtype=np.uint16)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = folder / "deep.tif"
    write(path, image.astype(np.uint16) * 256 + noise, Extras(icc_profile=profile, dpi=(300, 300)))
    return path


def measure(chromium: Any, path: Path, level: str) -> dict[str, float]:
    """Open the picture, and paint strokes of 40 pixels, at one pixel for one pixel or with all of it on the screen."""
    began = perf_counter()
    command = [sys.executable, "-m", "skinpaint", "paint", str(path), "--no-browser", "--method", "laplace"]
    process = subprocess.Popen([*command, "--overwrite"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = re.search(r"http\S+", process.stdout.readline())[0]
        served = perf_counter()
        tab = chromium.new_page(viewport={"width": 1280, "height": 800})
        tab.goto(address)
        while not tab.evaluate(SEEN):
            tab.wait_for_timeout(5)
        painted = perf_counter()
        size = tab.get_by_label("Size of the brush in pixels")
        size.fill("40")
        size.press("Enter")
        if level == "1:1":
            tab.locator(".surface").focus()
            tab.keyboard.press("1")
        tab.wait_for_timeout(4000)  # kernels are loaded meanwhile
        stroke(tab, 0)
        tab.evaluate("performance.clearMeasures()")
        tab.evaluate(FRAMES)
        for k in range(1, STROKES + 1):
            stroke(tab, k)
        times = tab.evaluate("performance.getEntriesByName('skinpaint stroke').map((each) => each.duration)")
        frames = np.array(tab.evaluate("window.frames"))
        check_saved(tab, path)
    finally:
        process.terminate()
        process.wait(20)
    return {
        "start": served - began,
        "open": painted - served,
        "median": median(times),
        "95 %": float(np.percentile(times, 95)),
        "frames": 1000 / float(np.mean(np.diff(frames))),
        "slowest": float(np.percentile(np.diff(frames), 99)),
    }


def stroke(tab: Any, k: int) -> None:
    """Move the pointer as a hand does, 60 times a second."""
    bounds = tab.locator(".surface").bounding_box()
    x, y = bounds["x"] + bounds["width"] / 2 - 180, bounds["y"] + 160 + 80 * k
    tab.mouse.move(x, y)
    tab.mouse.down()
    for step in range(MOVES):
        tab.mouse.move(x + 6 * step, y + 12 * np.sin(step / 6))
        tab.wait_for_timeout(12)
    tab.mouse.up()
    tab.wait_for_timeout(600)


def check_saved(tab: Any, path: Path) -> None:
    """Save, and compare the file with the one that was opened."""
    for name in ("Picture", "Mask"):
        tab.get_by_role("button", name=name, exact=True).click()
        tab.locator(".said", has_text="Saved").wait_for(timeout=120_000)
        tab.wait_for_timeout(200)
        tab.evaluate("document.querySelector('.said').textContent = ''")
    while not path.with_name(f"{path.stem}-mask.png").exists():
        tab.wait_for_timeout(200)
    before, extras = read(path)
    after, kept = read(path.with_name(f"{path.stem}-restored{path.suffix}"))
    mask = read(path.with_name(f"{path.stem}-mask.png"))[0] > 0
    assert mask.any()
    assert after.dtype == before.dtype
    assert (after[~mask] == before[~mask]).all()
    assert (after[mask] != before[mask]).any()
    assert kept.icc_profile == extras.icc_profile
    assert kept.dpi == extras.dpi
    path.with_name(f"{path.stem}-mask.png").unlink()


def main() -> None:
    """Print a row for each picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES)[:2])
    args = parser.parse_args()
    print(f"{processor()}, {os.cpu_count()} cores")
    print(
        f"strokes of 40 pixels, {STROKES} x {MOVES} moves; from the move of the pointer to new pixels on the screen\n"
    )
    head = ("picture", "view", "start, s", "open, s", "median, ms", "95 %, ms", "frames / s", "99 % frame, ms")
    print("  ".join(f"{each:>14}" for each in head))
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        for name in args.sizes:
            path = make(Path(folder), name)
            for level in ("fit", "1:1"):
                row = measure(chromium, path, level)
                figures = (f"{row['start']:.2f}", f"{row['open']:.2f}", f"{row['median']:.0f}", f"{row['95 %']:.0f}",
                           f"{row['frames']:.0f}", f"{row['slowest']:.0f}")  # fmt: skip
                print("  ".join(f"{each:>14}" for each in (name[:14], level, *figures)), flush=True)


if __name__ == "__main__":
    main()
