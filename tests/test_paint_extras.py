"""What the optional doors say where their packages are missing."""

import subprocess
import sys

CODE = """
import sys
for name in ("anywidget", "napari", "magicgui", "dask", "dask.array", "xarray"):
    sys.modules[name] = None
import importlib
import numpy as np, skinpaint.paint
for door in (
    lambda: skinpaint.paint.widget(np.zeros((4, 4))),
    lambda: importlib.import_module("skinpaint.dask"),
    lambda: importlib.import_module("skinpaint.xarray"),
):
    try:
        door()
    except ImportError as error:
        print(error)
print(*[name for name in sys.modules if name.split(".")[0] in ("http", "traitlets", "qtpy", "PyQt6")])
"""


def test_a_door_whose_package_is_missing_says_how_to_get_it():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    *said, loaded = done.stdout.splitlines()
    assert said == [
        "The widget needs anywidget. Install it: pip install 'skinpaint[notebook]'",
        "skinpaint.dask needs dask. Install it: pip install 'skinpaint[dask]'",
        "skinpaint.xarray needs xarray. Install it: pip install 'skinpaint[xarray]'",
    ]
    assert loaded == ""
