"""The command line on what does not fit into memory: zarr arrays and GeoTIFF, in chunks."""

import importlib
import multiprocessing
import multiprocessing.forkserver
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tomllib
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pytest

from skinpaint import PlugAndPlay, inpaint
from skinpaint.cli import chunked as command
from skinpaint.cli import main
from skinpaint.dask import api

dask = pytest.importorskip("dask")
zarr = pytest.importorskip("zarr")


pytestmark = pytest.mark.usefixtures("small_tasks")


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def scene():
    y, x = np.indices((70, 90))
    values = (1000 + 200 * np.sin(y / 9) * np.cos(x / 7)).astype(np.int16)
    values[20:40, 15:60] = -9999
    return values


def stored(name, values, **attributes):
    array = zarr.create_array(name, shape=values.shape, chunks=(40, 50), dtype=values.dtype)
    array[...] = values
    array.attrs.update(attributes)


@pytest.mark.parametrize("name", ["scene.tif", "scene.zarr"])
def test_the_extras_that_are_named_bring_what_is_lacking(name, monkeypatch, capsys):
    """The extra xarray alone brings no dask."""
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert main(["restore", name, "--workers", "0"]) == 2
    lacking, extras = re.search(r"needs (.*)\. Install them: .*\[(.*)\]", capsys.readouterr().err).groups()
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    brought = [
        *project["dependencies"],
        *(each for extra in extras.split(",") for each in project["optional-dependencies"][extra]),
    ]
    names = {re.match(r"[\w-]+", each)[0] for each in brought}
    assert set(lacking.split(", ")) <= names | ({"rasterio"} if "rioxarray" in names else set())


def test_a_zarr_array(scene, tmp_path, capsys):
    stored("scene.zarr", scene, _FillValue=-9999, units="m")
    assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 0
    filled = zarr.open_array("filled.zarr")
    want = inpaint(scene, scene == -9999, method="laplace")
    np.testing.assert_allclose(filled[...], want, atol=1)
    assert (filled.chunks, filled.dtype, dict(filled.attrs)["units"]) == ((40, 50), np.int16, "m")
    assert "as an independent check of the result confirms" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["filled.zarr", "scene.zarr"]


def test_shards_and_a_mask(scene):
    array = zarr.create_array("scene.zarr", shape=scene.shape, chunks=(20, 25), shards=(40, 50), dtype=scene.dtype)
    array[...] = scene
    stored("mask.zarr", scene == -9999)
    assert main(["restore", "scene.zarr", "--mask", "mask.zarr", "-o", "filled.zarr", "--quiet"]) == 0
    filled = zarr.open_array("filled.zarr")
    assert filled.shards == (40, 50)
    np.testing.assert_allclose(filled[...], inpaint(scene, scene == -9999, method="laplace"), atol=1)


def test_a_geotiff_with_two_bands(scene):
    rioxarray = pytest.importorskip("rioxarray")
    import xarray as xr

    bands = xr.DataArray(np.stack([scene, scene[::-1]]), dims=("band", "y", "x"))
    bands = bands.assign_coords(y=5e6 - 10.0 * np.arange(70), x=4e5 + 10.0 * np.arange(90))
    bands.rio.write_crs("EPSG:32633").rio.write_nodata(-9999).rio.to_raster("scene.tif")
    assert main(["restore", "scene.tif", "-o", "filled.tif", "--workers", "0", "--quiet"]) == 0
    with rioxarray.open_rasterio("filled.tif") as filled:
        assert filled.rio.crs == "EPSG:32633"
        assert filled.rio.nodata == -9999
        want = inpaint(bands.values, bands.values == -9999, channel_axis=0, method="laplace")
        np.testing.assert_allclose(filled.values, want, atol=1)


@pytest.mark.parametrize("method", ["dct", "biharmonic", "pnp"])
def test_other_methods(method, scene, tmp_path):
    scene[20:40, 15:42] = 1000  # what is left reaches less than half a chunk beyond one
    stored("scene.zarr", scene, _FillValue=-9999)
    options = ["--method", method, "--set", "max_iter=2"] if method == "pnp" else ["--method", method]
    assert main(["restore", "scene.zarr", "-o", "filled.zarr", "--quiet", *options]) == 0
    chosen = PlugAndPlay(max_iter=2, tol=None) if method == "pnp" else method
    want = inpaint(scene, scene == -9999, method=chosen)
    np.testing.assert_allclose(zarr.open_array("filled.zarr")[...], want, atol=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["filled.zarr", "scene.zarr"]


@pytest.fixture
def forked_workers():
    """Workers that are forked from a process that has imported all begin sooner."""
    pytest.importorskip("distributed")  # before a setting of it is changed, which would be all that is kept of them
    if "forkserver" not in multiprocessing.get_all_start_methods():
        yield
        return
    multiprocessing.set_forkserver_preload(["distributed", "skinpaint.dask.tasks", "skinpaint.methods.biharmonic"])
    multiprocessing.forkserver.ensure_running()
    importlib.import_module("multiprocessing.popen_forkserver")  # else two threads do so at once: KeyError, once in CI
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        yield


@pytest.mark.usefixtures("forked_workers")
def test_two_workers(scene, tmp_path, capsys):
    scene[20:40, 15:42] = 1000
    stored("scene.zarr", scene, _FillValue=-9999)
    assert main(["restore", "scene.zarr", "-o", "filled.zarr", "--workers", "2", "--method", "biharmonic"]) == 0
    np.testing.assert_array_equal(
        zarr.open_array("filled.zarr")[...], inpaint(scene, scene == -9999, method="biharmonic")
    )
    assert "Biharmonic restores each chunk" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["filled.zarr", "scene.zarr"]


def test_a_hole_too_wide_leaves_nothing_behind(scene, tmp_path, capsys):
    scene[5:65, 5:85] = -9999
    stored("scene.zarr", scene, _FillValue=-9999)
    assert main(["restore", "scene.zarr", "-o", "filled.zarr", "--method", "biharmonic"]) == 2
    said = capsys.readouterr().err
    assert "--method must not be 'biharmonic' for chunks so small and holes so wide. Got a hole that" in said
    assert "Save it in larger chunks, or give --method laplace." in said
    assert [path.name for path in tmp_path.iterdir()] == ["scene.zarr"]


@pytest.mark.parametrize("name", ["scene.zarr", "scene.tif"])
def test_a_damaged_chunk_is_named_and_leaves_nothing_behind(name, scene, tmp_path, capsys):
    if name == "scene.zarr":
        stored(name, scene, _FillValue=-9999)
        damaged = tmp_path / name / "c" / "1" / "1"
    else:
        raster = pytest.importorskip("rasterio")
        kind = {"height": 70, "width": 90, "count": 1, "dtype": "int16", "nodata": -9999, "compress": "deflate"}
        with raster.open(name, "w", driver="GTiff", transform=raster.Affine(10, 0, 0, 0, -10, 0), **kind) as made:
            made.write(scene, 1)
        damaged = tmp_path / name
    contents = damaged.read_bytes()
    damaged.write_bytes(contents[: -len(contents) // 4])
    assert main(["restore", name, "-o", name.replace("scene", "filled"), "--workers", "0"]) == 2
    assert f"skinpaint: error: {name} cannot be read: it is damaged (" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [name]


class TestWorkers:
    @pytest.mark.parametrize("number", ["-1", "two"])
    def test_how_many(self, number, capsys):
        with pytest.raises(SystemExit):
            main(["restore", "scene.zarr", f"--workers={number}"])
        assert "argument --workers: must be an integer of at least 0. Got" in capsys.readouterr().err

    def test_threads_have_ended_when_the_work_has(self):
        done = []

        def slow():
            time.sleep(0.1)
            done.append(1)

        def fails():
            raise ValueError("at once")

        with pytest.raises(ValueError, match="at once"), command._workers(0):
            dask.compute(dask.delayed(slow)(), dask.delayed(fails)(), scheduler="threads")
        assert done == [1]

    def test_as_many_threads_as_dask_is_told(self):
        with dask.config.set(num_workers=1), command._workers(0):
            named = dask.compute(*[dask.delayed(threading.get_ident, pure=False)() for _ in range(9)])
        assert len(set(named)) == 1

    def test_processes_that_die_are_a_sentence(self, monkeypatch):
        distributed = pytest.importorskip("distributed")
        monkeypatch.setattr(distributed, "LocalCluster", lambda **options: nullcontext())
        monkeypatch.setattr(distributed, "Client", nullcontext)
        why = "ended without an answer, perhaps for lack of memory. Try fewer --workers"
        with pytest.raises(ChildProcessError, match=why), command._workers(2):
            raise distributed.KilledWorker("sweep", None, 3)

    def test_ctrl_c_while_they_start_is_remembered(self, monkeypatch):
        distributed = pytest.importorskip("distributed")
        before, heard = signal.getsignal(signal.SIGINT), []

        def start(**options):
            os.kill(os.getpid(), signal.SIGINT)
            child = [sys.executable, "-c", "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"]
            heard.append(subprocess.run(child, capture_output=True, text=True, check=True).stdout)
            return nullcontext()

        monkeypatch.setattr(distributed, "LocalCluster", start)
        with pytest.raises(KeyboardInterrupt), command._workers(2):
            raise AssertionError("work began")
        assert "SIGINT" in heard[0], "processes that start hear nothing of it"
        assert signal.getsignal(signal.SIGINT) is before
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


class TestInterrupted:
    """Ctrl-C writes nothing, and the same command goes on from what was done until then."""

    @pytest.fixture
    def interrupt(self, monkeypatch):
        """Press Ctrl-C when a function is first called, after what it does."""

        def when(owner, name):
            before = getattr(owner, name)

            def pressed(*given, **options):
                answer = before(*given, **options)
                monkeypatch.setattr(owner, name, before)
                os.kill(os.getpid(), signal.SIGINT)
                return answer

            monkeypatch.setattr(owner, name, pressed)

        return when

    def files(self, folder):
        return sorted(path.name for path in folder.iterdir())

    @pytest.mark.parametrize("names", [["y", "x"], ["c", "y", "x"]])
    def test_in_a_pass(self, names, interrupt, scene, tmp_path, capsys):
        values = np.where(scene == -9999, np.nan, scene).astype(np.float32)
        values = values if names == ["y", "x"] else np.stack([values, 3 * values[::-1]])
        chunks = (1,) * (values.ndim - 2) + (40, 50)
        array = zarr.create_array("scene.zarr", shape=values.shape, chunks=chunks, dtype="f4", dimension_names=names)
        array[...] = values
        interrupt(api._Bar, "show")
        assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 130
        said = capsys.readouterr()
        assert "interrupted; nothing was written. What was done until then is in .filled.zarr.work.zarr" in said.err
        assert not said.out
        assert self.files(tmp_path) == [".filled.zarr.work.zarr", "scene.zarr"]

        assert main(["restore", "scene.zarr", "-o", "filled.zarr", "--quiet"]) == 0
        want = inpaint(values, channel_axis=None if names == ["y", "x"] else 0, method="laplace")
        np.testing.assert_allclose(zarr.open_array("filled.zarr")[...], want, rtol=1e-4)
        assert self.files(tmp_path) == ["filled.zarr", "scene.zarr"]

    def test_a_damaged_rest_is_to_be_removed(self, interrupt, scene, tmp_path, capsys):
        """The way out was to give "the same options as then", which fails again."""
        stored("scene.zarr", scene, _FillValue=-9999)
        interrupt(api._Bar, "show")
        assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 130
        work = next(path for path in tmp_path.iterdir() if path.name not in ("scene.zarr", "filled.zarr"))
        group = zarr.open_group(str(work))
        group.attrs["skinpaint"] = {}
        assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 2
        said = capsys.readouterr().err
        assert "What an interrupted run left must be whole. Got " in said
        assert said.endswith("of which a part is lost or damaged. Remove that folder, and give the command again.\n")

    def test_other_options_do_not_go_on(self, interrupt, scene, capsys):
        stored("scene.zarr", scene, _FillValue=-9999)
        interrupt(api._Bar, "show")
        assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 130
        assert main(["restore", "scene.zarr", "-o", "filled.zarr", "--method", "pnp"]) == 2
        said = capsys.readouterr().err
        assert "What an interrupted run left must be of these chunks and settings. Got " in said
        assert "Remove that folder, or give the same options as then." in said

    def test_while_it_is_written(self, interrupt, scene, tmp_path, capsys):
        stored("scene.zarr", scene, _FillValue=-9999)
        interrupt(command, "equal_to_nodata")
        assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 130
        assert "interrupted; nothing was written. What was done until then" in capsys.readouterr().err
        assert self.files(tmp_path) == [".filled.zarr.work.zarr", "scene.zarr"]

    def test_where_exceptions_are_swallowed(self, monkeypatch, scene, tmp_path, capsys):
        stored("scene.zarr", scene, _FillValue=-9999)
        before = command._solved

        def swallowing(*given):
            with suppress(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
            return before(*given)

        monkeypatch.setattr(command, "_solved", swallowing)
        assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 130
        assert "interrupted; nothing was written. What was done until then" in capsys.readouterr().err
        assert self.files(tmp_path) == [".filled.zarr.work.zarr", "scene.zarr"]

    def test_before_there_is_anything_to_keep(self, interrupt, scene, tmp_path, capsys):
        stored("scene.zarr", scene, _FillValue=-9999)
        interrupt(command, "open_zarr")
        assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 130
        assert capsys.readouterr().err == "skinpaint: interrupted; nothing was written.\n"
        assert self.files(tmp_path) == ["scene.zarr"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.zarr"], "There is no file nowhere.zarr"),
        (["scene.zarr", "-o", "filled.tif"], "-o must have the suffix of the input, .zarr"),
        (["scene.zarr", "-o", "scene.zarr", "--overwrite"], "scene.zarr exists"),
        (["scene.zarr", "scene.zarr"], "restored alone"),
        (["photo.png", "--workers", "2"], "--workers is for zarr arrays and GeoTIFF"),
        (["scene.zarr", "--film", "a.gif"], "--film is not for files in chunks"),
        (["scene.zarr", "--level", "0.5"], "--level is not for files in chunks"),
        (["scene.zarr", "--jobs", "2"], "one in chunks has --workers. Give --workers 2."),
        (["scene.zarr", "--std", "a.npy"], "--std is not for files in chunks"),
        (["scene.zarr", "--interval", "a.npy"], "--interval is not for files in chunks"),
        (
            ["scene.zarr", "--method", "gd", "--missing", "0"],
            "must be 'dct', 'laplace', 'biharmonic' or 'pnp' for an image in chunks",
        ),
        (
            ["scene.zarr", "--method", "gd", "--missing", "0"],
            "Give one of these, or save it as a TIFF or NPY and leave --workers out if it fits into memory.",
        ),
        (
            ["scene.zarr", "--set", "noise=1", "--missing", "0"],
            "Got 1 instead. Save it as a TIFF or NPY and leave --workers out if it fits into memory.",
        ),
        (["scene.zarr", "--mask", "mask.png"], "--mask must be a zarr array or a TIFF"),
        (["scene.zarr"], "holds integers, and states no nodata value, so that nothing is known"),
        (["scene.zarr", "--missing", "none"], "and --missing none says that nothing of them is missing."),
        (["scene.zarr", "-o", "link.zarr", "--overwrite"], "link.zarr is no zarr folder, but a file or a link."),
        (["scene.zarr", "-o", "file.zarr", "--overwrite"], "file.zarr is no zarr folder, but a file or a link."),
        (["complex.zarr"], "must hold integers or real floats. Got complex64"),
    ],
)
def test_bad_input(arguments, said, scene, tmp_path, capsys):
    stored("scene.zarr", scene)
    stored("complex.zarr", scene.astype(np.complex64))
    (tmp_path / "link.zarr").symlink_to("complex.zarr")
    (tmp_path / "file.zarr").touch()
    assert main(["restore", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"scene.zarr", "complex.zarr", "link.zarr", "file.zarr"}


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not locked there")
def test_two_commands_for_one_output(scene, tmp_path, capsys):
    """The second one removed what the first one had written, or both failed on a store that was 'damaged'."""
    stored("scene.zarr", scene, _FillValue=-9999)
    with command._alone(tmp_path / ".filled.zarr.work.zarr", tmp_path / "filled.zarr"):
        assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 2
        assert "Another command writes filled.zarr. Wait until it has ended" in capsys.readouterr().err
    assert main(["restore", "scene.zarr", "-o", "filled.zarr", "--quiet"]) == 0


def test_an_output_that_appears_during_the_work_is_not_replaced(scene, tmp_path, monkeypatch, capsys):
    stored("scene.zarr", scene, _FillValue=-9999)

    def appear(*_):
        (tmp_path / "filled.zarr").mkdir()
        return ""

    monkeypatch.setattr(command, "equal_to_nodata", appear)
    assert main(["restore", "scene.zarr", "-o", "filled.zarr"]) == 2
    assert "filled.zarr exists. Choose another name, or give --overwrite" in capsys.readouterr().err
    assert not list((tmp_path / "filled.zarr").iterdir())
