"""A browser for tests, or the reason why there is none."""

import os
import shutil
from contextlib import contextmanager

import pytest

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def executable():
    """Return the browser of the system; tests are skipped where there is none."""
    pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install 'skinpaint[browser-test]'"
    )
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser is installed; one of {', '.join(NAMES)} is needed")
    return found


@contextmanager
def browser():
    """Give a browser that nothing was opened in before."""
    path = executable()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield opened
        finally:
            opened.close()


def axe():
    """Return the text of axe-core, which npm installs; tests are skipped where it is not."""
    folder = os.environ.get("AXE_CORE", "")
    path = os.path.join(folder, "axe.min.js")
    if not folder or not os.path.exists(path):
        pytest.skip("axe-core is not installed: npm install axe-core, and AXE_CORE=node_modules/axe-core")
    with open(path, encoding="utf-8") as file:
        return file.read()
