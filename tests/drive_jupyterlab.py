"""Paint in JupyterLab, headless, as a user does; to be run by hand where JupyterLab is installed.

    pip install '.[browser-test]' jupyterlab && python tests/drive_jupyterlab.py

It prints what the notebook said of the mask and of the picture, and fails where that is wrong.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from browser import browser

CELLS = (
    "from skimage import data\nfrom skinpaint.paint import widget\n"
    "image = data.coffee()\npainted = widget(image, method='laplace', height=520)\npainted",
    "missing = painted.mask\n"
    "same = bool((painted.restored[~missing] == image[~missing]).all())\n"
    "changed = bool((painted.restored[missing] != image[missing]).any())\n"
    "print('missing', int(missing.sum()), 'same', same, 'changed', changed, 'strokes', len(painted.strokes))",
)


def notebook(folder):
    """Write a notebook of two cells."""
    cells = [
        {"cell_type": "code", "id": f"c{k}", "metadata": {}, "execution_count": None, "outputs": [], "source": text}
        for k, text in enumerate(CELLS)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    text = json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})
    Path(folder, "paint.ipynb").write_text(text)


def main():
    """Start JupyterLab, run the notebook, paint, and look at the values."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--screenshot", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as settings:
        notebook(folder)
        options = ["--no-browser", "--allow-root", "--ServerApp.port=0", f"--ServerApp.root_dir={folder}"]
        lab = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options, "--LabApp.news_url="],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "JUPYTER_CONFIG_DIR": settings, "JUPYTER_DATA_DIR": settings},
        )
        try:
            address = next(found[0] for line in lab.stderr if (found := re.search(r"http://127\S+token=\w+", line)))
            print(paint(address.replace("/lab?", "/lab/tree/paint.ipynb?"), args.screenshot))
        finally:
            lab.terminate()
            lab.wait(20)


def paint(address, screenshot):
    """Run the cells, and paint between them."""
    from playwright.sync_api import Error

    with browser() as chromium:
        tab = chromium.new_page(viewport={"width": 1280, "height": 860})
        tab.goto(address)
        tab.locator(".jp-Notebook .jp-Cell").nth(1).wait_for(timeout=90_000)
        tab.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=90_000)
        for answer in ("Select", "No"):  # which kernel, and whether there should be news
            with suppress(Error):
                tab.get_by_role("button", name=answer, exact=True).click(timeout=3000)
        tab.keyboard.press("Control+b")  # the side bar
        tab.locator(".jp-Notebook .jp-Cell").nth(0).click()
        tab.keyboard.press("Control+Enter")
        surface = tab.locator(".skinpaint .surface")
        surface.wait_for(timeout=90_000)
        tab.wait_for_timeout(3000)
        bounds = surface.bounding_box()
        middle = bounds["x"] + bounds["width"] / 2, bounds["y"] + bounds["height"] / 2
        tab.mouse.move(middle[0] - 60, middle[1])
        tab.mouse.down()
        tab.mouse.move(middle[0] + 60, middle[1] + 30, steps=12)
        tab.mouse.up()
        tab.locator(".skinpaint .status", has_text="painted (").wait_for(timeout=60_000)
        tab.keyboard.press("e")  # a key of the widget, and not one of the notebook
        tab.keyboard.press("x")
        tab.wait_for_timeout(1500)
        if screenshot is not None:
            tab.screenshot(path=screenshot)
        assert tab.locator(".skinpaint [aria-label='Erase']").get_attribute("aria-pressed") == "true"
        tab.locator(".jp-Notebook .jp-Cell").nth(1).locator(".cm-content").click()
        tab.keyboard.press("Control+Enter")
        said = tab.locator(".jp-OutputArea-output", has_text="missing").inner_text(timeout=60_000)
        found = re.match(r"missing (\d+) same (\w+) changed (\w+) strokes (\d+)", said)
        assert int(found[1]) > 1000, said
        assert found.groups()[1:] == ("True", "True", "1"), said
        return said


if __name__ == "__main__":
    main()
