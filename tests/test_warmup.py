"""Kernels are compiled once, and a person who waits for it is told so."""

import os
import pty
import subprocess
import sys
from types import SimpleNamespace

import pytest

from skinpaint.cli import main
from skinpaint.cli.warmup import settings
from skinpaint.grid import jit, kernels  # noqa: F401  # kernels that are kept, whatever a test says of later ones
from skinpaint.methods import METHODS, resolve

ONE_KERNEL = """
import numpy as np
from skinpaint.grid.kernels import next_direction
starts, x = np.zeros(1, np.int64), np.ones(4, np.float32)
for _ in range(2):
    next_direction(0, 1, starts, 4, np.float32(0.5), x, x.copy())
"""

SHOW_COMPILED = """
from numba.core import event

class Compiled(event.Listener):
    def on_start(self, event):
        print(event.data["dispatcher"].py_func.__qualname__, event.data.get("args"))
    def on_end(self, event):
        pass

event.register("numba:compile", Compiled())
"""

ALL_METHODS = """
import numpy as np
from skinpaint import Biharmonic, inpaint
from skinpaint.cli.warmup import images
from skinpaint.methods import METHODS

for image, mask, channel_axis in images():
    for method in METHODS:
        inpaint(image, mask, method=method, channel_axis=channel_axis)  # to the last step
        for dtype in (np.uint8, np.uint16, np.float32):
            scaled = image * 200 if np.dtype(dtype).kind == "u" else image
            inpaint(scaled.astype(dtype), mask, method=method, channel_axis=channel_axis, callback=lambda *_: True)
    few = mask & (np.random.default_rng(1).random(mask.shape) < 0.1)
    for method in METHODS:
        inpaint(image, few, method=method, channel_axis=channel_axis)
    inpaint(image, mask, method=Biharmonic(solver="multigrid"), channel_axis=channel_axis)
wide = np.zeros((300, 300), bool)  # a list of pixels that is too wide to be factorised
wide[100:180, 100:180] = True
for method in METHODS:
    inpaint(np.add.outer(np.arange(300.0), np.arange(300.0)), wide, method=method)
from skinpaint.paint import Session, edits
from skinpaint.paint.boxes import Box
from skinpaint.paint.preview import draft
session = Session(np.zeros((60, 60, 3), np.uint8), method="laplace")
session.apply(edits.Stroke(points=((20, 20), (40, 40)), diameter=12))
draft(session, 0, Box(10, 10, 50, 50), 12)
gap = np.arange(50_000)
inpaint(np.sqrt(gap), (gap > 9) & (gap < 49_990), method="biharmonic")
"""

BYTES = """
import sys
import numpy as np
from skinpaint import inpaint
rng = np.random.default_rng(0)
y, x = np.mgrid[:80, :80]
image = np.sin(y / 9) * np.cos(x / 7 + y / 30) + 0.05 * rng.random(x.shape)
sys.stdout.buffer.write(inpaint(image, rng.random(x.shape) < 0.7, method="dct").tobytes())
"""


def run(code, cache=None, **streams):
    environment = {**os.environ, **({} if cache is None else {"NUMBA_CACHE_DIR": str(cache)})}
    return subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=300, **streams)


def test_kernels_run_where_no_folder_can_keep_them(monkeypatch, capsys):
    """As in a container with a read-only file system and no home: numba has an error for it, and no answer."""
    monkeypatch.setattr("numba.core.caching.CompileResultCacheImpl._locator_classes", [])
    monkeypatch.setattr(jit, "_kernels", [])
    assert jit.kernel(abs_of).py_func is abs_of
    assert jit.kernel_folder() == ""
    monkeypatch.setattr(jit, "_is_watched", lambda: True)
    jit._Announcement().on_start(SimpleNamespace(data={"dispatcher": SimpleNamespace(py_func=jit.kernel)}))
    assert "cannot be kept" in capsys.readouterr().err
    assert main(["warmup"]) == 2
    assert "NUMBA_CACHE_DIR" in capsys.readouterr().err


def abs_of(x):
    return abs(x)


def test_what_is_damaged_on_disk_is_compiled_anew(monkeypatch, tmp_path):
    """After a crash of the machine files are cut off: each use ended with 'pickle data was truncated'."""
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(jit, "_kernels", [])
    assert jit.kernel(abs_of)(-2) == 2
    for ending in ("nbi", "nbc"):
        (kept,) = tmp_path.rglob(f"*.{ending}")
        os.truncate(kept, 100)
        assert jit.kernel(abs_of)(-3) == 3
        again = jit.kernel(abs_of)
        assert again(-4) == 4
        assert sum(again.stats.cache_hits.values()) == 1


def test_a_disk_that_is_full_keeps_no_kernel(monkeypatch, tmp_path):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", refuse)
    monkeypatch.setattr(jit, "_kernels", [])
    assert jit.kernel(abs_of)(-2) == 2


def test_a_person_in_a_terminal_is_told_once(tmp_path):
    master, slave = pty.openpty()
    run(ONE_KERNEL, tmp_path, stderr=slave)
    os.close(slave)
    said = os.read(master, 10_000).decode()
    os.close(master)
    assert said.count("skinpaint: compiling for the first use") == 1
    assert str(tmp_path) in said


def test_a_log_is_left_alone(tmp_path):
    assert run(ONE_KERNEL, tmp_path, stderr=subprocess.PIPE).stderr == b""


@pytest.mark.skipif(
    "NUMBA_CACHE_DIR" not in os.environ,
    reason="it needs a cache of its own (NUMBA_CACHE_DIR), as other tests compile what a warm-up forgets: see .ci/run",
)
def test_after_a_warmup_nothing_is_left_to_compile(capsys):
    assert main(["warmup"]) == 0
    *methods, summary = capsys.readouterr().out.splitlines()
    assert {line.partition(":")[0] for line in methods} == set(METHODS)
    assert summary.startswith("Everything is compiled, and kept in ")
    assert run(SHOW_COMPILED + ALL_METHODS, stdout=subprocess.PIPE, text=True).stdout == ""


def test_what_is_not_warm_is_seen(tmp_path):
    """The test above can fail: with an empty cache, the first call compiles."""
    assert "next_direction" in run(SHOW_COMPILED + ONE_KERNEL, tmp_path, stdout=subprocess.PIPE, text=True).stdout
    assert run(SHOW_COMPILED + ONE_KERNEL, tmp_path, stdout=subprocess.PIPE, text=True).stdout == ""


@pytest.mark.skipif("NUMBA_CACHE_DIR" not in os.environ, reason="it compiles for half a minute: see .ci/run")
def test_the_process_that_compiles_finds_the_same_as_the_next_one(tmp_path):
    """For dct, whose kernels have by far the most parts."""
    first, second = (run(BYTES, tmp_path, stdout=subprocess.PIPE).stdout for _ in range(2))
    assert first == second != b""


@pytest.mark.parametrize("name", METHODS)
def test_every_energy_of_a_method_is_compiled_once(name):
    methods = list(settings(name))
    assert methods[0] == resolve(name)
    assert len(set(map(repr, methods))) == len(methods)
    assert len(methods) >= (3 if hasattr(methods[0], "energy") else 1)
