"""What several test files need: small images and masks for them, and the command line in this process."""

import gc
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest

import skinpaint

# Processes that tests start in other folders import the copy that is tested, and not one that is installed.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(skinpaint.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
)

# The first call of a kernel compiles it; how long an example takes is not what these tests are about.
hypothesis.settings.register_profile("skinpaint", deadline=None, derandomize=True)
hypothesis.settings.load_profile("skinpaint")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Let the garbage collector look at what the tests make alone: what is imported and collected is no garbage.

    Hypothesis asks it who refers to the generators of random numbers, once, before its first example.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        hypothesis.find(hypothesis.strategies.booleans(), lambda _: True)
        gc.freeze()
        gc.enable()


def pytest_sessionfinish():
    """Let a process that was given tests end at once: pytest would collect garbage, and tell nobody what it finds."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Let a process that has nothing left to do take tests from another one: some tests take much longer than most."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes():
    """Compile all kernels before several processes begin, as they would compile the same ones side by side.

    The processes share the processors already, and threads of BLAS that wait for each other take them away.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    subprocess.run([sys.executable, "-m", "skinpaint", "warmup", "--quiet"], check=True)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def grey(rng):
    """Return values from 40 to 200, so that every dtype can hold them and none is at its limits."""
    return rng.integers(40, 201, (9, 11)).astype(np.uint8)


@pytest.fixture
def colour(rng):
    return rng.integers(40, 201, (9, 11, 3)).astype(np.uint8)


@pytest.fixture
def mask(rng):
    mask = rng.random((9, 11)) < 0.5
    mask[0, 0], mask[4, 5] = False, True
    return mask


@pytest.fixture
def small_tasks(monkeypatch):
    """Chunks of a test are small, and are worked in as they are."""
    monkeypatch.setattr("skinpaint.dask.chunked.MIN_TASK", 1)


@pytest.fixture(scope="module")
def one_after_another():
    """Tasks of a test are small, too: to wake a thread for each takes longer than its work."""
    dask = pytest.importorskip("dask")
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def restore(tmp_path, monkeypatch, capsys):
    """Return a function that runs ``skinpaint restore`` in `tmp_path`, and returns what it printed."""
    from skinpaint.cli import main

    monkeypatch.chdir(tmp_path)

    def restore(*arguments, status=0):
        returned = main(["restore", *map(str, arguments), "--method", "laplace"])
        out, err = capsys.readouterr()
        assert returned == status, err
        return SimpleNamespace(out=out, err=err)

    return restore
