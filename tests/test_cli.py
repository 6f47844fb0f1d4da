"""The command line, run as a user runs it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

import skinpaint
from skinpaint import Laplace
from skinpaint.cli import main
from skinpaint.cli.demo import _check_folder
from skinpaint.cli.main import _with_negative_numbers, parser
from skinpaint.damage import random_pixels
from skinpaint.io import Extras, read, write
from skinpaint.scores import psnr


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that runs a command in `tmp_path`, in this process; see `test_as_a_process` for a real one."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, status=0):
        capsys.readouterr()
        try:
            returned = main([*map(str, arguments)])
        except SystemExit as stop:  # by argparse
            returned = stop.code
        out, err = capsys.readouterr()
        assert returned == status, err
        return SimpleNamespace(stdout=out, stderr=err)

    return run


def ramp(dtype=np.uint8, shape=(24, 32)):
    """Return a smooth picture away from the limits of its dtype."""
    top = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    y, x = np.mgrid[: shape[0], : shape[1]]
    return ((0.2 + 0.5 * (x + y) / sum(shape)) * top).astype(dtype)


@pytest.fixture
def pictures(tmp_path):
    """Return a damaged picture and its mask, written to damaged.png and mask.png."""
    damaged, mask = random_pixels(ramp(), 0.5, rng=0)
    write(tmp_path / "damaged.png", damaged)
    write(tmp_path / "mask.png", np.where(mask, 255, 0).astype(np.uint8))
    return damaged, mask


def test_as_a_process(tmp_path, pictures):
    def process(*arguments):
        command = [sys.executable, "-m", "skinpaint", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    done = process("restore", "damaged.png", "--mask", "mask.png", "--method", "laplace", "--set", "tol=1e-9")
    assert done.returncode == 0, done.stderr
    assert "damaged-restored.png" in done.stdout
    assert (read(tmp_path / "damaged-restored.png")[0] != read(tmp_path / "damaged.png")[0]).any()
    refused = process("restore", "nothing.png", "--mask", "mask.png")
    assert refused.returncode == 2
    assert refused.stderr.startswith("skinpaint: error: ")
    assert "Traceback" not in refused.stderr


def test_version_and_help(run):
    assert run("--version").stdout == f"skinpaint {skinpaint.__version__}\n"
    assert "--mask-threshold" in run("restore", "--help").stdout
    assert "the following arguments are required" in run(status=2).stderr


def test_restore_writes_all_that_was_asked_for(run, tmp_path, pictures):
    damaged, mask = pictures
    done = run("restore", "damaged.png", "--mask", "mask.png", "--film", "film.gif", "--mask-out", "filled.png",
               "--report", "report.json", "--method", "gd", "--set", "step_size=0.02", "--set", "max_iter=40",
               "--set", "tol=None")  # fmt: skip
    assert "filled 3" in done.stdout
    restored, _ = read(tmp_path / "damaged-restored.png")
    np.testing.assert_array_equal(restored[~mask], damaged[~mask])
    assert np.abs(restored.astype(int) - ramp()).max() < 12
    np.testing.assert_array_equal(read(tmp_path / "filled.png")[0] > 0, mask)
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames > 5
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["input"], report["output"]) == ("damaged.png", "damaged-restored.png")
    assert (report["missing"], report["fraction"]) == (mask.sum(), pytest.approx(mask.mean()))
    assert (report["method"], report["settings"]["max_iter"], report["n_iter"]) == ("GradientDescent", 40, 40)
    assert report["reason"] == "max_iter"
    assert set(report) >= {"status", "converged", "error", "energy", "gap", "residual", "seconds", "version"}
    assert report["gap"] is None
    assert "proven" not in done.stdout, "by steps of a given length"


def test_the_proof_is_said_and_shown(run, tmp_path, pictures):
    done = run("restore", "damaged.png", "--mask", "mask.png", "--report", "report.json", "--film", "film.png",
               "--method", "gd", "--set", "tol=1e-4")  # fmt: skip
    report = json.loads((tmp_path / "report.json").read_text())
    (percent,) = re.findall(r"in [\d.]+ s, proven within ([\d.]+) % of the lowest energy\. Converged", done.stdout)
    assert f"the proven gap is {report['gap']:.2g}, within tol 0.0001" in done.stdout
    assert report["gap"] <= float(percent) / 100 <= min(1.1 * report["gap"], 1e-4)
    with Image.open(tmp_path / "film.png") as film:
        assert film.n_frames == 2 + report["n_iter"]
        assert film.width >= 240
        assert film.height > 1.3 * film.width * 24 / 32, "a chart below the picture"


def test_the_proof_is_said_of_an_answer_that_is_not_converged(run, tmp_path, pictures):
    done = run("restore", "damaged.png", "--mask", "mask.png", "--method", "gd", "--set", "max_iter=1",
               "--set", "tol=1e-9", "--report", "report.json")  # fmt: skip
    gap = json.loads((tmp_path / "report.json").read_text())["gap"]
    (percent,) = re.findall(r"proven within ([\d.]+) % of the lowest energy\.\n", done.stdout)
    assert gap <= float(percent) / 100 <= 1.1 * gap
    assert "proven" not in run("restore", "damaged.png", "--method", "laplace", "-o", "laplace.png").stdout


def test_saturated_pixels_are_taken_for_missing_and_that_is_said(run, tmp_path, pictures):
    damaged, mask = pictures
    done = run("restore", "damaged.png", "--method", "laplace")
    assert "at 0 or 255 for missing" in done.stderr
    np.testing.assert_array_equal(read(tmp_path / "damaged-restored.png")[0][~mask], damaged[~mask])


def test_nothing_is_replaced_unasked(run, tmp_path, pictures):
    before = (tmp_path / "damaged.png").read_bytes()
    done = run("restore", "damaged.png", "-o", "damaged.png", status=2)
    assert done.stderr.startswith("skinpaint: error: damaged.png exists.")
    assert (tmp_path / "damaged.png").read_bytes() == before
    quiet = run("restore", "damaged.png", "-o", "damaged.png", "--overwrite", "--method", "laplace", "--quiet")
    assert quiet.stdout == ""
    assert re.fullmatch(r"skinpaint: warning: damaged.png: Took \d+ pixels .*\n", quiet.stderr)
    assert (tmp_path / "damaged.png").read_bytes() != before


def test_not_converged_is_one_line_of_warning(run, pictures):
    done = run("restore", "damaged.png", "--mask", "mask.png", "--method", "gd", "--set", "max_iter=2",
               "--set", "tol=1e-9")  # fmt: skip
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("skinpaint: warning: damaged.png: Not converged after 2 iterations (max_iter)")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("missing", ["transparent", "none"])
def test_alpha_is_carried_and_what_it_marks_as_missing_becomes_visible(run, tmp_path, dtype, missing):
    image = np.stack([ramp(dtype), ramp(dtype) // 2, ramp(dtype) // 3], axis=-1)
    top = np.iinfo(dtype).max
    alpha = np.full(image.shape[:2], top, dtype)
    alpha[5:9, 5:9], alpha[0] = 0, top // 3
    image[alpha == 0] = 0
    write(tmp_path / "a.png", image, Extras(alpha=alpha, dpi=(300, 300)))
    hole = np.zeros(alpha.shape, np.uint8)
    hole[20:22, 20:22] = 255
    write(tmp_path / "hole.png", hole)
    run("restore", "a.png", "--missing", missing, "--mask", "hole.png", "--method", "laplace")
    restored, extras = read(tmp_path / "a-restored.png")
    assert extras.dpi == pytest.approx((300, 300), abs=0.02)
    assert restored.dtype == dtype
    known = (alpha > 0) & (hole == 0)
    np.testing.assert_array_equal(restored[known], image[known])
    if missing == "none":
        np.testing.assert_array_equal(extras.alpha, alpha)
    else:
        assert (restored[alpha == 0] > 0).all()
        np.testing.assert_array_equal(extras.alpha, np.where(alpha == 0, top, alpha))


def test_nan_and_nodata_in_a_float_tiff(run, tmp_path):
    image = ramp(np.float32) * 1000
    holes = np.zeros(image.shape, bool)
    holes[4:8, 4:8] = holes[20, ::3] = True
    write(tmp_path / "nan.tif", np.where(holes, np.float32(np.nan), image))
    write(tmp_path / "nodata.tif", np.where(holes, np.float32(-9999), image))
    run("restore", "nan.tif", "--method", "laplace")
    run("restore", "nodata.tif", "--method", "laplace", "--missing", "-1e30,-9999", "--bounds", "-1e6,1e6")
    by_nan, by_number = (read(tmp_path / f"{name}-restored.tif")[0] for name in ("nan", "nodata"))
    np.testing.assert_array_equal(by_nan, by_number)
    np.testing.assert_allclose(by_nan, image, atol=60)


def test_bounds_and_presets(run, tmp_path, pictures):
    known = pictures[0][~pictures[1]]
    low, high = known.min(), known.max()
    run("restore", "damaged.png", "--mask", "mask.png", "--bounds", f"{low},{high}", "-o", "tight.png")
    assert (read(tmp_path / "tight.png")[0] >= low).all()
    refused = run("restore", "damaged.png", "--mask", "mask.png", "--bounds", f"{low + 1},{high}", status=2)
    assert "damaged.png: --bounds must contain all known values. Got" in refused.stderr
    done = run("restore", "damaged.png", "--mask", "mask.png", "--method", "gd:classic", "--set", "max_iter=5")
    assert "Stopped after 5 iterations, as asked" in done.stdout


@pytest.mark.parametrize(
    ("says", "arguments"),
    [
        ("nowhere.png: No such file or directory.", ["nowhere.png"]),
        ("argument IN: must name a file or a folder. Got '' instead", [""]),
        ("argument --mask: must name a file or a folder. Got '' instead", ["damaged.png", "--mask", ""]),
        ("--method must be one of dct, exemplar, gd, laplace", ["damaged.png", "--method", ""]),
        ("--method must be one of dct, exemplar, gd, laplace", ["damaged.png", "--method", "magic"]),
        (
            "--method knows these presets of gd: gd:classic. Got 'gd:modern' instead",
            ["damaged.png", "--method", "gd:modern"],
        ),
        ("for dct NAME must be one of block, ", ["damaged.png", "--set", "maximum=3"]),
        ("The 'max_iter' parameter of SparseDCT", ["damaged.png", "--set", "max_iter=many"]),
        ("argument --missing: must be auto, ", ["damaged.png", "--missing", "holes"]),
        ("a number, or numbers as in 0,4095. Got '0,many' instead", ["damaged.png", "--missing", "0,many"]),
        ("argument --grow: must be an integer of at least 0. Got '-1' instead", ["damaged.png", "--grow", "-1"]),
        ("argument --grow: must be an integer of at least 0. Got '1.5' instead", ["damaged.png", "--grow", "1.5"]),
        ("argument --max-distance: must be a number above 0. Got '0'", ["damaged.png", "--max-distance", "0"]),
        ("argument --max-distance: must be a number above 0. Got 'nan'", ["damaged.png", "--max-distance", "nan"]),
        ("argument --bounds: must be dtype, ", ["damaged.png", "--bounds", "0"]),
        ("the smaller first. Got '9,5' instead", ["damaged.png", "--bounds", "9,5"]),
        ("two finite numbers as in 0,255, the smaller first. Got '0,inf'", ["damaged.png", "--bounds", "0,inf"]),
        ("damaged.png: --spacing must be the same ", ["damaged.png", "--spacing", "2,1", "--method", "pnp"]),
        (
            "--mask-threshold: must be a number above 0, ",
            ["damaged.png", "--mask", "mask.png", "--mask-threshold", "0"],
        ),
        ("needs an alpha channel, and damaged.png has none", ["damaged.png", "--missing", "transparent"]),
        ("small.png has 3 x 2 pixels, but damaged.png has 32 x 24", ["damaged.png", "--mask", "small.png"]),
        ("damaged.png[DQ] cannot be read: it is no FITS file", ["damaged.png", "--mask", "[DQ]"]),
        ("small.png cannot be read as a picture", ["text/small.png"]),
        ("a.xyz cannot be written: its suffix", ["damaged.png", "-o", "a.xyz"]),
        ("a.gif cannot be written: GIF is only read. Write PNG", ["damaged.png", "-o", "a.gif"]),
        ("the suffix of a film must be", ["damaged.png", "--film", "a.avi"]),
        ("nowhere/a.json cannot be written: the folder", ["damaged.png", "--report", "nowhere/a.json"]),
        ("text holds no picture", ["empty"]),
    ],
)
def test_bad_input_is_one_sentence(run, tmp_path, pictures, says, arguments):
    write(tmp_path / "small.png", np.full((2, 3), 255, np.uint8))
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "small.png").write_text("no picture")
    (tmp_path / "empty").mkdir()
    done = run("restore", *arguments, status=2)
    assert says.replace("text holds", "empty holds") in done.stderr
    assert not done.stdout
    assert not list(tmp_path.glob("*-restored*"))


def test_folder(run, tmp_path, pictures):
    folder, masks = tmp_path / "scans", tmp_path / "masks"
    folder.mkdir()
    masks.mkdir()
    damaged, mask = pictures
    for name in ("a.png", "b.tif", "d.png"):
        write(folder / name, damaged)
        write(masks / f"{name[0]}.png", np.where(mask, 255, 0).astype(np.uint8))
    (folder / "c.png").write_text("no picture")
    write(masks / "c.png", np.full((3, 3), 255, np.uint8))
    (folder / "notes.txt").write_text("left alone")
    (masks / "d.png").unlink()
    done = run("restore", "scans", "--mask", "masks", "--method", "laplace", "--mask-out", "filled",
               "--report", "report.json", status=1)  # fmt: skip
    assert "2 of 4 files could not be restored" in done.stderr
    assert "Passed over: notes.txt." in done.stdout
    assert "scans/c.png cannot be read as a picture" in done.stderr
    assert "holds 0 masks for d.png. It must hold one." in done.stderr
    assert "4/4" not in done.stderr, "no progress bar in a log"
    out = tmp_path / "scans-restored"
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "b.tif"]
    assert sorted(path.name for path in (tmp_path / "filled").iterdir()) == ["a.png", "b.tif"]
    np.testing.assert_array_equal(read(out / "a.png")[0], read(out / "b.tif")[0])
    np.testing.assert_array_equal(read(tmp_path / "filled" / "a.png")[0], read(tmp_path / "filled" / "b.tif")[0])
    reports = json.loads((tmp_path / "report.json").read_text())
    assert [entry.get("missing") for entry in reports] == [mask.sum(), mask.sum(), None, None]
    assert ["failure" in entry for entry in reports] == [False, False, True, True]
    assert "--film shows one picture" in run("restore", "scans", "--film", "a.gif", status=2).stderr


@pytest.mark.parametrize("where", ["in a thread", "in a program that is not Python's"])
def test_within_another_program_ctrl_c_stays_what_it_is(run, pictures, monkeypatch, where):
    before = signal.getsignal(signal.SIGINT)
    restore = "restore", "damaged.png", "--mask", "mask.png", "--method", "laplace"
    if where == "in a thread":
        with ThreadPoolExecutor(1) as other:
            other.submit(run, *restore).result()
    else:
        monkeypatch.setattr(signal, "getsignal", lambda number: None)
        monkeypatch.setattr(signal, "signal", lambda number, answer: pytest.fail("not ours"))
        run(*restore)
        monkeypatch.undo()
    assert signal.getsignal(signal.SIGINT) is before


INTERRUPTED_AT_5 = """
import signal, sys
from skinpaint import cli, film

class Recorder(film.Recorder):
    def __call__(self, record, restore):
        super().__call__(record, restore)
        if record.n_iter == 5:
            signal.raise_signal(signal.SIGINT)

film.Recorder = Recorder
sys.exit(cli.main(sys.argv[1:]))
"""


def test_ctrl_c_saves_the_answer_so_far(tmp_path, pictures):
    damaged, mask = pictures
    arguments = ["--mask", "mask.png", "--film", "film.gif", "--report", "report.json", "--method", "gd",
                 "--set", "step_size=0.02"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT_5, "restore", "damaged.png", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr == "skinpaint: interrupted; the answer so far is in damaged-restored.png.\n"
    assert "Interrupted after 5 iterations" in done.stdout
    np.testing.assert_array_equal(read(tmp_path / "damaged-restored.png")[0][~mask], damaged[~mask])
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["reason"], report["converged"]) == ("interrupted", False)


def test_compare_ranks_and_draws(run, tmp_path, pictures):
    done = run("compare", "damaged.png", "--mask", "mask.png", "--methods", "laplace", "gd:classic", "biharmonic")
    table = done.stdout.splitlines()
    assert table[0].split()[:2] == ["method", "PSNR/dB"]
    assert sorted(line.split()[1] for line in table[1:4]) == ["biharmonic", "gd:classic", "laplace"]
    assert table[1].split()[1] == "biharmonic"  # it continues slopes, and the picture is one
    assert "hidden" in done.stdout
    assert re.search(r" in [3-8] draws\.\n", done.stdout)
    assert done.stderr == ""
    with Image.open(tmp_path / "damaged-compared.png") as sheet:
        assert sheet.mode == "RGB"
        size = sheet.size
    run("compare", "damaged.png", "--mask", "mask.png", "--std", "--overwrite", "--draws", "1", "--methods", "laplace")
    with Image.open(tmp_path / "damaged-compared.png") as sheet:
        assert sheet.height < size[1]  # one row in place of two: damaged, restored, and how sure that is
        assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 300  # in colours, of a grey picture
    assert "exists" in run("compare", "damaged.png", "--mask", "mask.png", "--methods", "laplace", status=2).stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--draws", "2"), " in 2 draws."),
        (("--draws", "1,4", "--budget", "1e-9"), "The budget of 1e-09 s ended the draws."),
    ],
)
def test_compare_makes_as_many_draws_as_it_is_told(run, pictures, arguments, says):
    methods = "--methods", "laplace", "biharmonic"
    assert says in run("compare", "damaged.png", "--mask", "mask.png", *arguments, *methods).stdout


def test_compare_takes_the_mask_beside_the_picture(run, tmp_path, pictures):
    write(tmp_path / "damaged.png", ramp(), overwrite=True)  # nothing to guess from
    given = run("compare", "damaged.png", "--mask", "mask.png", "--draws", "1", "--methods", "laplace")
    (tmp_path / "mask.png").rename(tmp_path / "damaged_mask.png")
    found = run("compare", "damaged.png", "-o", "found.png", "--draws", "1", "--methods", "laplace")
    assert "Took the mask damaged_mask.png for missing." in found.stdout
    assert found.stdout.splitlines()[1].split()[:4] == given.stdout.splitlines()[1].split()[:4]
    arguments = "compare", "damaged.png", "-o", "damaged_mask.png", "--overwrite", "--methods", "laplace"
    assert "Got damaged_mask.png, which is an input." in run(*arguments, status=2).stderr


@pytest.mark.parametrize("sheet", ["mask.png", "damaged.png"])
def test_compare_draws_over_no_input(run, tmp_path, pictures, sheet):
    before = (tmp_path / sheet).read_bytes()
    arguments = "compare", "damaged.png", "--mask", "mask.png", "-o", sheet, "--overwrite", "--methods", "laplace"
    assert f"--output must name a file of its own. Got {sheet}, which is an input." in run(*arguments, status=2).stderr
    assert (tmp_path / sheet).read_bytes() == before


def test_compare_with_a_grown_mask(run, tmp_path, pictures):
    truth, mask = ramp(), np.zeros(ramp().shape, bool)
    mask[4, 5] = True
    for name, picture in (("truth", truth), ("damaged", truth), ("mask", mask * np.uint8(255))):
        write(tmp_path / f"{name}.png", picture, overwrite=True)
    arguments = "compare", "damaged.png", "--mask", "mask.png", "--truth", "truth.png", "--methods", "laplace"
    narrow = run(*arguments).stdout
    wide = run(*arguments[:-2], "--grow", "1", "--overwrite", *arguments[-2:]).stdout
    assert "of the 1 missing pixel" in narrow
    assert "of the 9 missing pixels" in wide
    refused = run(*arguments[:-2], "--grow", "-1", "--overwrite", *arguments[-2:], status=2)
    assert "--grow: must be an integer of at least 0. Got '-1' instead." in refused.stderr


def test_compare_takes_the_spacing_of_the_file_as_restore_does(run, tmp_path, pictures):
    """Pixels were square to it, whatever the file says, and nobody could say otherwise."""
    mask = pictures[1]
    truth = (100 + 50 * np.sin(np.arange(24)[:, None] + np.arange(32) / 3)).astype(np.uint8)
    for name, picture in (("truth", truth), ("damaged", np.where(mask, 0, truth).astype(np.uint8))):
        write(tmp_path / f"{name}.png", picture, Extras(dpi=(100, 300)), overwrite=True)
    arguments = "compare", "damaged.png", "--mask", "mask.png", "--truth", "truth.png", "--overwrite"
    for options, spacing in (((), (1, 3)), (("--spacing", "1"), None), (("--spacing", "2,1"), (2, 1))):
        said = run(*arguments, *options, "--methods", "laplace").stdout
        fill = skinpaint.inpaint(np.where(mask, 0, truth).astype(np.uint8), mask, method="laplace", spacing=spacing)
        assert f"laplace    {psnr(truth, fill, mask):.2f}" in said
        assert ("Spacing Y 1, X 3, as the file says." in said) == (options == ())


def test_compare_against_the_truth(run, tmp_path, pictures):
    write(tmp_path / "truth.png", ramp())
    done = run("compare", "damaged.png", "-o", "sheet.png", "--truth", "truth.png", "--methods", "laplace")
    assert "SSIM" in done.stdout
    assert "against the truth" in done.stdout
    assert "at 0 or 255 for missing" in done.stdout
    assert (tmp_path / "sheet.png").exists()
    arguments = "--truth", "truth.png", "--overwrite", "-o", "sheet.png", "--draws", "2", "--methods", "laplace"
    assert "for a comparison without --truth" in run("compare", "damaged.png", *arguments, status=2).stderr


def test_compare_against_a_truth_with_nodata(run, tmp_path, pictures):
    _, mask = pictures
    gaps = mask & (np.arange(mask.shape[1]) % 2 == 0)
    write(tmp_path / "truth.tif", np.where(gaps, np.nan, ramp()).astype(np.float32))
    holes = np.where(gaps, -9999.0, ramp()).astype(np.float32)
    tifffile.imwrite(tmp_path / "holes.tif", holes, extratags=[(42113, "s", 0, "-9999", True)])
    compare = "compare", "damaged.png", "--mask", "mask.png", "--overwrite", "--methods", "laplace", "--truth"
    tables = [run(*compare, name).stdout for name in ("truth.tif", "holes.tif")]
    figures = [table.splitlines()[1].split()[2] for table in tables]
    assert figures[0] == figures[1]
    assert float(figures[0]) > 15


@pytest.mark.parametrize("closed", ["stdout", "stderr", "reader"])
def test_streams_that_nobody_reads(tmp_path, pictures, closed):
    alone = "import sys; sys.stderr = None; import numpy.f2py"  # which SciPy imports
    if closed == "stderr" and subprocess.run([sys.executable, "-c", alone], capture_output=True).returncode:
        pytest.skip("this version of NumPy needs an error stream")
    damaged, mask = pictures
    for name in ("a.png", "b.png"):
        write(tmp_path / name, damaged)
        write(tmp_path / f"{name[0]}_mask.png", np.where(mask, 255, 0).astype(np.uint8))
    redirected = {"stdout": ">/dev/full", "stderr": "2>&-", "reader": "| true"}[closed]
    command = f"{sys.executable} -m skinpaint restore a.png b.png -o out --method laplace {redirected}"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.png"]
    assert done.stderr == {"stdout": "skinpaint: the standard output: No space left on device.\n"}.get(closed, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
def test_warnings_that_nobody_reads(tmp_path, pictures, monkeypatch):
    """The first warning was an error, and ended the command before there was a picture."""
    write(tmp_path / "a.png", np.where(pictures[1], 255, pictures[0]))
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        assert main(["restore", str(tmp_path / "a.png"), "--method", "laplace", "--missing", "255,300"]) == 0
        assert main(["restore", str(tmp_path / "none.png")]) == 2
    assert (tmp_path / "a-restored.png").exists()


def test_more_memory_than_there_is(run, tmp_path, pictures, monkeypatch):
    """It ended in a traceback, and the files behind it in the folder were not restored."""

    def fill(self, problem, callback=None):
        if problem.shape[0] == 20:
            raise MemoryError("Unable to allocate 96.0 MiB")
        return solve(self, problem, callback)

    solve = Laplace.solve
    monkeypatch.setattr(Laplace, "solve", fill)
    picture = np.where(pictures[1], 255, pictures[0])
    for name, values in (("a.png", picture[:20]), ("b.png", picture)):
        write(tmp_path / name, values)
    given = ("--method", "laplace", "--missing", "255")
    done = run("restore", "a.png", *given, "-o", "c.png", status=2)
    assert "error: a.png: more memory is needed than there is." in done.stderr
    run("restore", "a.png", "b.png", *given, "-o", "out", status=1)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.png"]


def test_compare_names_transparent_pixels(run, tmp_path):
    picture = np.dstack([ramp()] * 3)
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    alpha[8:12, 8:12] = 0
    Image.fromarray(np.dstack([picture, alpha])).save(tmp_path / "layer.png")
    done = run("compare", "layer.png", "--methods", "laplace")
    assert "16 pixels are transparent; --missing transparent takes them as missing" in done.stderr
    assert "missing_values=" not in done.stdout
    assert run("compare", "layer.png", "--missing", "transparent", "--overwrite", "--methods", "laplace").stderr == ""


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("damage damaged.png -o b.png --kind text --fraction 0.2", "--fraction is not for --kind text"),
        ("damage damaged.png -o b.png --fraction 2", "--fraction: must be a number from 0 to 1. Got '2' instead"),
        ("compare damaged.png --draws 4,3", "--draws: must be an integer of at least 1, or two as in 3,8, the smaller"),
        (
            "compare clean.png --truth clean.png",
            "--truth needs a picture of which something is missing. Give --mask or",
        ),
        ("compare damaged.png --budget 0", "--budget: must be a number of seconds above 0. Got '0' instead"),
        ("damage damaged.png -o b.png --seed -1", "--seed: must be an integer of at least 0. Got '-1'"),
        ("restore damaged.png --level 0.5", "--level is that of --interval FILE"),
        ("restore damaged.png --mask-threshold 60", "--mask-threshold needs a mask, and damaged.png has none"),
        ("restore damaged.png --mask flags.npy --mask-threshold 60", "The mask flags.npy holds flags"),
        ("compare damaged.png -o b.png --truth damaged.png --seed 3", "--seed are for a comparison without --truth"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(run, tmp_path, pictures, command, says):
    np.save(tmp_path / "flags.npy", pictures[1].astype(np.int32))
    write(tmp_path / "clean.png", ramp())
    assert says in run(*command.split(), status=2).stderr
    assert not (tmp_path / "b.png").exists()


@pytest.mark.parametrize(
    ("command", "values"),
    [
        ("restore a.png --grow 0 --mask-threshold 255 --max-distance inf --bounds=-1e3,0", (0, 255, np.inf, (-1e3, 0))),
        ("damage a.png -o b.png --fraction 0 --seed 0", (0, 0)),
        ("damage a.png -o b.png --fraction 1", (1,)),
        ("compare a.png --budget inf --draws 3,3", (np.inf, (3, 3))),
        ("paint a.png --port 65535", (65535,)),
        ("demo --size 512", (512,)),
    ],
)
def test_the_first_and_last_number_that_an_option_takes(command, values):
    taken = parser().parse_args(command.split())
    names = [word[2:].partition("=")[0].replace("-", "_") for word in command.split() if word.startswith("--")]
    assert tuple(getattr(taken, name) for name in names) == values


def test_the_demo_finds_out_first_that_its_folder_is_a_file(run, tmp_path):
    (tmp_path / "taken").write_text("")
    done = run("demo", "--out", "taken", "--size", "32", status=2)
    assert "exists" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("says", "arguments"),
    [
        ("--methods must be one of", ("--methods", "nonsense")),
        (
            "--truth must be an array of real numbers in the shape",
            ("--truth", "mask-small.png", "--methods", "laplace"),
        ),
        ("cannot be written", ("-o", "sheet.xyz", "--methods", "laplace")),
        ("sheet.png exists. Choose another name, or give --overwrite to replace it.", ("-o", "sheet.png")),
        ("none twice", ("--methods", "laplace", "laplace")),
    ],
)
def test_compare_says_what_is_wrong_in_one_sentence(run, tmp_path, pictures, says, arguments):
    write(tmp_path / "mask-small.png", np.zeros((3, 4), np.uint8))
    (tmp_path / "sheet.png").touch()
    done = run("compare", "damaged.png", "--mask", "mask.png", *arguments, status=2)
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-o", "d.png", "--mask-out", "a.png", "--overwrite"), "--mask-out must name a file of its own. Got a.png"),
        (("-o", "d.png", "--mask-out", "d.png"), "-o must name a file of its own. Got d.png, which is --mask-out"),
        (("-o", "b.png", "--mask-out", "m.png"), "b.png exists"),
        (("-o", "d.png", "--mask-out", "b.png"), "b.png exists"),
    ],
)
def test_damage_writes_nothing_over_what_is_there(run, tmp_path, arguments, says):
    for name in ("a.png", "b.png"):
        write(tmp_path / name, ramp(np.uint8))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert says in run("damage", "a.png", *arguments, status=2).stderr
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_damage_and_back(run, tmp_path):
    write(tmp_path / "a.png", ramp(np.uint16))
    first = run("damage", "a.png", "-o", "b.png", "--fraction", "0.5", "--seed", "3", "--mask-out", "mask.png")
    assert "b.png: damaged " in first.stdout
    damaged, mask = read(tmp_path / "b.png")[0], read(tmp_path / "mask.png")[0] > 0
    expected = random_pixels(ramp(np.uint16), 0.5, rng=3)
    np.testing.assert_array_equal(damaged, expected[0])
    np.testing.assert_array_equal(mask, expected[1])
    run("restore", "b.png", "--mask", "mask.png", "--method", "laplace")
    restored, _ = read(tmp_path / "b-restored.png")
    assert restored.dtype == np.uint16
    np.testing.assert_array_equal(restored[~mask], ramp(np.uint16)[~mask])
    assert "exists" in run("damage", "a.png", "-o", "b.png", status=2).stderr
    for kind in ("text", "scratches"):
        run("damage", "a.png", "-o", f"{kind}.tif", "--kind", kind)
        assert (read(tmp_path / f"{kind}.tif")[0] == 65535).any()


def test_damage_warns_of_jpeg(run, tmp_path):
    write(tmp_path / "a.png", ramp())
    assert "JPEG smears the damage" in run("damage", "a.png", "-o", "a.jpg").stderr


def test_demo(run, tmp_path):
    done = run("demo", "--size", "48", "--out", "shown")
    names = ["truth.png", "damaged.png", "mask.png", "classic.png", "gd.png", "laplace.png", "dct.png", "sheet.png",
             "film.gif", "energy.png"]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "shown").iterdir()) == sorted(names)
    for name in names:
        assert f"shown/{name}" in done.stdout
    for heading in ("PSNR", "SSIM", "seconds", "iterations", "gap", "residual"):
        assert heading in done.stdout
    assert "Known pixels are bit-identical in every result: yes." in done.stdout
    truth, mask = read(tmp_path / "shown" / "truth.png")[0], read(tmp_path / "shown" / "mask.png")[0] > 0
    for name in ("classic", "gd", "laplace", "dct"):
        np.testing.assert_array_equal(read(tmp_path / "shown" / f"{name}.png")[0][~mask], truth[~mask])
    assert "argument --size: must be an integer from 32 to 512. Got '8'" in run("demo", "--size", "8", status=2).stderr
    _check_folder(tmp_path / "shown")  # may be replaced


def test_many_names_are_looked_at_once_each():
    """Each was compared with all before it: 20,000 names took four seconds."""

    class Name(str):
        compared = 0

        def __eq__(self, other):
            Name.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    names = [Name(f"{k}.png") for k in range(100)]
    assert _with_negative_numbers(["--bounds", "-1,1", *names, "--", "--missing", "-1"]) == [
        "--bounds=-1,1", *names, "--", "--missing", "-1"
    ]  # fmt: skip
    assert Name.compared <= 3 * len(names)


def test_the_demo_replaces_no_files_of_the_user(run, tmp_path, pictures):
    before = (tmp_path / "mask.png").read_bytes()
    refused = run("demo", "--size", "32", "--out", ".", status=2).stderr
    assert "damaged.png exists, and is not of an earlier demo. Choose another folder: --out FOLDER." in refused
    write(tmp_path / "truth.png", ramp())
    run("demo", "--size", "32", "--out", ".", status=2)
    assert (tmp_path / "mask.png").read_bytes() == before
    assert "--out: must name a file or a folder" in run("demo", "--out", "", status=2).stderr


def test_the_demo_writes_its_files_though_nobody_reads_what_it_says(tmp_path, monkeypatch):
    """As in ``skinpaint demo | head -1``."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", closefd=False) as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert main(["demo", "--size", "32", "--out", str(tmp_path)]) == 0
        monkeypatch.undo()
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
    os.close(writer)
    assert (tmp_path / "film.gif").exists()


def test_without_matplotlib_the_demo_says_how_to_get_the_curve(tmp_path):
    code = "import sys; sys.modules['matplotlib'] = None; from skinpaint.cli import main; sys.exit(main())"
    arguments = [sys.executable, "-c", code, "demo", "--size", "48", "--out", str(tmp_path)]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "pip install 'skinpaint[plot]'" in done.stdout
    assert not (tmp_path / "energy.png").exists()
    assert (tmp_path / "sheet.png").exists()


def test_grow_and_several_nodata_values(run, tmp_path):
    image = ramp(np.uint16).astype(np.uint16) // 20 + 100
    image[4:6, 4:6], image[10, 10] = 0, 4095
    write(tmp_path / "a.tif", image)
    run("restore", "a.tif", "--missing", "0,4095", "--grow", "1", "--method", "laplace", "--mask-out", "filled.png")
    filled = read(tmp_path / "filled.png")[0] > 0
    assert filled.sum() == 16 + 9
    assert read(tmp_path / "a-restored.tif")[0].min() >= 100


def test_nodata_that_is_left_does_not_set_the_scale_of_a_film(run, tmp_path):
    image = 10 * ramp().astype(np.float32)
    image[8:20, 8:20] = -9999
    write(tmp_path / "a.tif", image)
    run("restore", "a.tif", "--missing", "-9999", "--max-distance", "2", "--method", "laplace", "--film", "a.png")
    known = image != -9999
    with Image.open(tmp_path / "a.png") as film:
        film.seek(film.n_frames - 1)
        shown = np.asarray(film.convert("L"))[: len(image)]  # above the caption
    low, high = image[known].min(), image[known].max()
    np.testing.assert_allclose(shown[known], 255 * (image[known] - low) / (high - low), atol=1)
    assert shown[14, 14] == 0
    assert (read(tmp_path / "a-restored.tif")[0] == -9999).sum() == 64


def test_bands_that_no_film_can_show_are_refused_before_anything_is_written(run, tmp_path):
    np.save(tmp_path / "a.npy", np.ones((8, 9, 4)))
    arguments = "restore", "a.npy", "--missing", "0", "--axes", "YXS", "--film", "a.gif"
    assert "--film shows a picture in grey or RGB. Got an array of shape (8, 9, 4)" in run(*arguments, status=2).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_a_signal_for_which_a_tiff_is_asked_is_refused_before_anything_is_written(run, tmp_path):
    np.save(tmp_path / "a.npy", np.array([1, 2, np.nan, 4, 5]))
    said = run("restore", "a.npy", "--std", "std.tif", "--method", "laplace", status=2).stderr
    assert "std.tif cannot be written: TIFF holds arrays of at least 2 axes. Got shape (5,) instead." in said
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_far_pixels_are_left(run, tmp_path):
    image = ramp()
    mask = np.zeros(image.shape, np.uint8)
    mask[5:20, 5:25] = 255
    image[mask > 0] = 7
    write(tmp_path / "a.png", image)
    write(tmp_path / "mask.png", mask)
    done = run("restore", "a.png", "--mask", "mask.png", "--max-distance", "3", "--method", "laplace")
    assert "missing pixels as they came" in done.stdout
    left = read(tmp_path / "a-restored.png")[0]
    assert left[12, 15] == 7
    assert "in the unit of --spacing" in " ".join(run("restore", "--help").stdout.split())
    arguments = "--mask", "mask.png", "--max-distance", "6", "--spacing", "2", "--method", "laplace", "--overwrite"
    run("restore", "a.png", *arguments)
    np.testing.assert_array_equal(read(tmp_path / "a-restored.png")[0], left)


@pytest.mark.parametrize(
    ("corner", "said"),
    [(0, "nothing was written. Give a mask"), (384, "which look like highlights or shadows. Give a mask")],
)
def test_an_undamaged_picture_is_not_touched(run, tmp_path, corner, said):
    write(tmp_path / "photo.png", data.astronaut()[corner : corner + 128, corner : corner + 128])
    done = run("restore", "photo.png", status=2)
    assert "photo.png: no damage was found, and nothing was written." in done.stderr
    assert said in done.stderr
    assert "--mask FILE" in done.stderr
    assert not (tmp_path / "photo-restored.png").exists()
