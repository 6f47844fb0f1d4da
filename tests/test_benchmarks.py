"""Command lines of the benchmarks: what is asked for wrongly is refused before hours of measuring, not after."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skinpaint.grid.choice import FEW_UNKNOWNS
from skinpaint.methods.laplace import MAX_DIRECT_UNKNOWNS

FOLDER = Path(__file__).parents[1] / "benchmarks"
pytest.importorskip("matplotlib")
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="benchmarks are not installed")


@pytest.fixture
def script(monkeypatch):
    """A function that imports a script, if the packages that it measures are installed."""
    monkeypatch.syspath_prepend(FOLDER)

    def imported(name):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in ("cv2", "pyamg"):
                raise
            return pytest.skip(f"{name}.py needs {error.name}")

    return imported


def no_process(*args, **kwargs):
    raise AssertionError("a process was started")


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("targets", "--before nowhere", "--before: must be a folder with the package skinpaint in it. Got 'nowhere'"),
        ("targets", "--repeats 0", "--repeats: must be a whole number of 1 or more. Got '0'"),
        ("peers", "--repeats none", "--repeats: must be a whole number of 1 or more. Got 'none'"),
        ("peers", "--size 0", "--size: must be a whole number of 64 or more. Got '0'"),
        ("peers", "--task gd --volume", "--volume: must go with the task laplace or biharmonic. Got gd"),
        ("drop_in", "--sides 1", "--sides: must be a whole number of 32 or more. Got '1'"),
        ("footprint", "--side 0", "--side: must be a whole number of 32 or more. Got '0'"),
        ("quality", "--methods laplace,dctt", "--methods: must be among dct, "),
        ("quality", "--masks tekst", "--masks: must be among random, text, scratches, holes. Got tekst"),
        ("quality", "--known 20", "--known: must be a number between 0 and 1. Got '20'"),
        ("quality", "--images nowhere", "--images: must be a folder with pictures. Got 'nowhere'"),
        ("exemplar", "--methods laplac", "--methods: must be among exemplar, "),
        ("exemplar", "--names nobody", "--names: must be among brick, "),
        ("exemplar", "--sizes 600", "--sizes: must be a whole number from 32 to 479. Got '600'"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_measured(script, name, words, said, monkeypatch, capsys):
    monkeypatch.setattr(subprocess, "Popen", no_process)
    with pytest.raises(SystemExit, match="2"):
        script(name).main(words.split())
    assert said in capsys.readouterr().err


def test_the_folder_for_tables_is_made(script, tmp_path, monkeypatch):
    drop_in = script("drop_in")
    monkeypatch.setattr(drop_in, "row", lambda *_: ["one pixel", "1", "2 ms", "4 ms", "0.50", "1e-12"])
    drop_in.main(["--sides", "32", "--kinds", "pixel", "--write", str(tmp_path / "new" / "tables")])
    written = (tmp_path / "new" / "tables" / "drop-in.inc").read_text(encoding="utf-8")
    assert written.startswith("Measured on: ")
    assert '   "one pixel","1","2 ms","4 ms","0.50","1e-12"\n' in written


def test_a_folder_that_cannot_be_made_is_refused(script, tmp_path, capsys):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit):
        script("drop_in").main(["--write", str(tmp_path / "file")])
    assert "--write: must be a folder that can be made" in capsys.readouterr().err


def test_energies_that_differ_are_not_timed(script, monkeypatch):
    derivatives = script("derivatives")
    monkeypatch.setattr(derivatives, "RIVALS", ((8, "twice as much", lambda x: 2 * derivatives.composed(x)),))
    with pytest.raises(AssertionError, match="twice as much"):
        derivatives.derivatives(1)


def test_a_peer_that_descends_another_energy_is_no_peer(script, monkeypatch):
    race = script("race")
    half = race.Fall(np.array([0.1]), np.array([0.5 * race.lines(race.start(race.camera(64, 0)))]), 0.1)
    monkeypatch.setattr(race, "SOLVERS", {race.PEER: lambda case, enough: half})
    with pytest.raises(AssertionError, match=race.PEER):
        race.warm_up()


def test_scale_leaves_nothing_behind_and_promises_no_report_in_vain(script, tmp_path, monkeypatch, capsys):
    for needed in ("dask", "zarr"):
        pytest.importorskip(needed)
    scale = script("scale")
    monkeypatch.setattr(scale, "run", lambda *words, **_: words[4].joinpath("answer.zarr").touch())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["scale.py", "--side", "64", "--chunk", "32", "--mask", "random"])
    scale.main()
    assert capsys.readouterr().out == "null\n"
    assert not list(tmp_path.iterdir())
    for words, said in (("--workers 0", "must go with --workers"), ("--workers 1", "must go with bokeh")):
        monkeypatch.setitem(sys.modules, "bokeh", None)
        monkeypatch.setattr("sys.argv", ["scale.py", "--report", "report.html", *words.split()])
        with pytest.raises(SystemExit, match="2"):
            scale.main()
        assert f"--report: {said}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kinds", "least"),
    [
        (("random", "hole", "margin", "volume", "volume-hole"), FEW_UNKNOWNS),  # with more, grids
        (
            ("text", "scratches", "scratches-11", "scratches-14", "discs", "dust", "few"),
            MAX_DIRECT_UNKNOWNS,
        ),  # with more, lists
    ],
)
def test_the_case_that_warms_up_is_solved_as_large_ones_are(script, kinds, least, monkeypatch):
    """Otherwise what another solver loads or compiles counts as time and memory of the call that is measured."""
    measure, made = script("measure"), []
    monkeypatch.setattr(measure, "seconds", lambda rival, case, tol: made.append(np.count_nonzero(case.mask)))
    for kind in kinds:
        measure.warm_up(None, kind)
    assert min(made) > least, dict(zip(kinds, made, strict=True))


@pytest.mark.parametrize("name", ["peers", "targets", "quality", "exemplar", "drop_in"])
def test_the_blas_has_one_thread_before_it_is_loaded(name):
    """Where targets.py and drop_in.py time the same call, it must be the same call."""
    lines = (FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()
    imports = [line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))]
    others = [each for each in imports if each not in sys.stdlib_module_names]
    assert others[0] == "blas", others
