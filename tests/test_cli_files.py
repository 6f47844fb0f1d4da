"""Several files at the command line: which are restored, where the answers go, and what is said."""

import ast
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from skimage import data

import skinpaint
from skinpaint.cli import batch, main, restoring
from skinpaint.cli import restore as restore_command
from skinpaint.cli.common import OPTIONS, end_in_order
from skinpaint.grid import threads
from skinpaint.io import Extras, read, write

PICTURE = data.camera()[100:130, 100:140]
MASK = np.zeros(PICTURE.shape, np.uint8)
MASK[10:14, 10:20] = 255


@pytest.fixture
def pictures(tmp_path):
    """Write the named pictures, and a mask beside each."""

    def pictures(*names, masks=True):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            write(path, PICTURE)
            if masks and not path.with_name(f"{path.stem}_mask.png").exists():
                write(path.with_name(f"{path.stem}_mask.png"), MASK)

    return pictures


def check(path):
    restored, _ = read(path)
    np.testing.assert_array_equal(restored[MASK == 0], PICTURE[MASK == 0])
    assert (restored[MASK > 0] != PICTURE[MASK > 0]).any()


class TestWhichFiles:
    @pytest.mark.skipif(sys.platform == "win32", reason="no such names")
    def test_a_name_neither_breaks_a_line_nor_steers_the_terminal(self, restore, pictures):
        pictures("a\n\x1b[2Jb.png", "plain.png")
        said = restore("a\n\x1b[2Jb.png", "plain.png", "lost\n.png", status=1)
        first, remark, *_ = said.out.splitlines()
        assert first.startswith(r"a\n\x1b[2Jb-restored.png: filled 40 of 1,200 pixels")
        assert remark == r"  Took the mask a\n\x1b[2Jb_mask.png for missing."
        assert len(said.out.splitlines()) == 4
        assert r"skinpaint:   lost\n.png: " in said.err
        assert len(said.err.splitlines()) == 2

    def test_a_mask_beside_its_picture_is_found_and_said(self, restore, tmp_path, pictures):
        pictures("photo.png")
        said = restore("photo.png")
        assert said.out.startswith("photo-restored.png: filled 40 of 1,200 pixels (3.3 %) in ")
        assert "Took the mask photo_mask.png for missing." in said.out
        check(tmp_path / "photo-restored.png")
        (tmp_path / "photo_mask.png").rename(tmp_path / "photo-mask.png")
        assert "Took the mask photo-mask.png for missing." in restore("photo.png", "--overwrite").out
        write(tmp_path / "photo_mask.tif", MASK)
        said = restore("photo.png", "--overwrite", status=2).err
        assert "holds 2 masks for photo.png: photo-mask.png, photo_mask.tif. It must hold one." in said
        restore("photo.png", "--mask", "photo-mask.png", "--overwrite")

    def test_names_that_only_begin_alike_are_not_masks(self, restore, tmp_path, pictures):
        pictures("photo.png", masks=False)
        write(tmp_path / "photo2_mask.png", MASK)
        write(tmp_path / "[photo]_mask.png", MASK)
        assert "no damage was found" in restore("photo.png", status=2).err

    def test_a_file_that_is_named_twice_is_restored_once(self, restore, tmp_path, pictures):
        pictures("f/a.png")
        said = restore("f/a.png", "./f/../f/a.png", "f", "-o", "out").out
        assert said.count("filled 40") == 1

    def test_a_name_that_cannot_be_printed_does_not_stop_the_others(self, tmp_path, pictures):
        pictures("f/a.png", "f/ü.png", "f/z.png")
        command = [sys.executable, "-m", "skinpaint", "restore", "f", "-o", "out", "--method", "laplace"]
        environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert "out/\\xfc.png: filled 40" in done.stdout
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "z.png", "ü.png"]

    def test_several_files(self, restore, tmp_path, pictures):
        pictures("a/1.png", "b/2.tif")
        said = restore("a/1.png", "b/2.tif", "a/1_mask.png")
        assert "Passed over: 1_mask.png (a mask)." in said.out
        check(tmp_path / "a" / "1-restored.png")
        check(tmp_path / "b" / "2-restored.tif")
        again = restore("a/1.png", "a/1-restored.png", "--skip-existing").out
        assert "Passed over: 1-restored.png (restored before)." in again
        assert "1 of 1 outputs exist, and their inputs are passed over." in again

    def test_a_folder_names_what_it_passes_over(self, restore, tmp_path, pictures):
        pictures("scans/1.png", "scans/2.jpg")
        (tmp_path / "scans" / "notes.txt").write_text("x")
        (tmp_path / "scans" / ".hidden.png").write_text("x")
        (tmp_path / "scans" / "inner").mkdir()
        (tmp_path / "scans" / "lost.png").symlink_to("nowhere.png")
        said = restore("scans")
        names = "inner (a folder), lost.png (a link to nothing), notes.txt, 1_mask.png (a mask), 2_mask.png (a mask)"
        assert said.out.splitlines()[0] == f"Passed over: {names}."
        assert sorted(path.name for path in (tmp_path / "scans-restored").iterdir()) == ["1.png", "2.png"]
        assert "Passed over" not in restore("scans", "--quiet", "--overwrite").out

    @pytest.mark.parametrize("given", [".", "../scans", "../scans/."])
    def test_folders_by_any_name(self, restore, tmp_path, pictures, monkeypatch, given):
        pictures("scans/1.png")
        monkeypatch.chdir(tmp_path / "scans")
        restore(given)
        check(tmp_path / "scans-restored" / "1.png")

    def test_an_empty_folder(self, restore, tmp_path):
        (tmp_path / "scans").mkdir()
        (tmp_path / "scans" / "a_mask.png").touch()
        assert "scans holds no picture whose suffix is one of .png, " in restore("scans", status=2).err

    def test_a_folder_is_not_listed_for_every_picture(self, restore, tmp_path, monkeypatch):
        """Else the time grows with the square of their number."""
        listed = []
        for name in ("glob", "iterdir"):
            plain = getattr(Path, name)
            monkeypatch.setattr(Path, name, lambda *given, plain=plain: listed.append(given) or plain(*given))
        counts = []
        for number in (1, 20):
            for folder in ("scans", "scans-restored"):
                (tmp_path / folder).mkdir(exist_ok=True)
                for k in range(number):
                    (tmp_path / folder / f"{k}.png").touch()
            listed.clear()
            assert f"{number} of {number} outputs exist" in restore("scans", "--skip-existing").out
            counts.append(len(listed))
        assert 1 <= counts[0] == counts[1]

    def test_a_mask_of_one_of_several_is_not_replaced(self, restore, tmp_path, pictures):
        pictures("a.png", "scans/b.png")
        before = (tmp_path / "scans/b_mask.png").read_bytes()
        for report in ("scans/b_mask.png", tmp_path / "scans/../scans/b_mask.png"):
            said = restore("a.png", "scans/b.png", "--report", report, "--overwrite", status=2).err
            assert f"--report must name a file of its own. Got {report}, which is an input." in said
        assert (tmp_path / "scans/b_mask.png").read_bytes() == before

    def test_a_mask_that_is_not_there(self, restore, pictures):
        pictures("a.png", "b.png")
        assert "There is no mask masks.png." in restore("a.png", "b.png", "--mask", "masks.png", status=2).err

    def test_a_folder_of_masks(self, restore, tmp_path, pictures):
        pictures("a.png", "b.png", masks=False)
        (tmp_path / "masks").mkdir()
        write(tmp_path / "masks" / "a.png", MASK)
        said = restore("a.png", "b.png", "--mask", "masks", "-o", "out", status=1)
        check(tmp_path / "out" / "a.png")
        assert "b.png: the folder masks holds 0 masks for b.png. It must hold one." in said.err


class TestWhereTo:
    def test_one_file_into_a_folder(self, restore, tmp_path, pictures):
        pictures("a.png")
        (tmp_path / "out").mkdir()
        restore("a.png", "-o", "out")
        check(tmp_path / "out" / "a.png")

    def test_two_answers_with_one_name(self, restore, tmp_path, pictures):
        pictures("scans/1.jpg", "scans/1.png", "scans/2.png")
        said = restore("scans", "--overwrite", status=1).err
        assert "1 of 3 files could not be restored:" in said
        assert f"{Path('scans-restored/1.png')} is for {Path('scans/1.jpg')} already." in said
        check(tmp_path / "scans-restored" / "2.png")
        said = restore("scans", "--skip-existing", status=1)
        assert "2 of 3 outputs exist, and their inputs are passed over." in said.out
        assert "is for" in said.err

    def test_masks_of_stacks_in_a_folder(self, restore, tmp_path, pictures):
        pictures("scans/a.png")
        for name in ("b.tif", "c.npy"):
            write(tmp_path / "scans" / name, np.stack([PICTURE, PICTURE]), Extras(axes="TYX"))
        write(tmp_path / "scans" / "b_mask.png", MASK)
        write(tmp_path / "scans" / "c_mask.png", MASK)
        restore("scans", "--mask-out", "filled", "--method", "laplace")
        assert sorted(path.name for path in (tmp_path / "filled").iterdir()) == ["a.png", "b.tif", "c.npy"]
        for name in ("b.tif", "c.npy"):
            np.testing.assert_array_equal(read(tmp_path / "filled" / name)[0], np.stack([MASK, MASK]))

    def test_answers_and_masks_with_one_name(self, restore, tmp_path, pictures):
        pictures("a.png", "b.png")
        said = restore("a.png", "b.png", "-o", "out", "--mask-out", "out", status=1).err
        assert "a.png is for the restored picture already. Give --mask-out another folder." in said
        assert not (tmp_path / "out").exists()
        (tmp_path / "file").touch()
        assert "must be a folder, where several files" in restore("a.png", "b.png", "-o", "file", status=2).err

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (
                ("-o", "x.png", "--mask-out", "x.png"),
                "-o must name a file of its own. Got x.png, which is --mask-out as",
            ),
            (("--mask-out", "a-restored.png"), "Got a-restored.png, which is --mask-out as well."),
            (("--mask-out", "./a.png"), "--mask-out must name a file of its own. Got a.png, which is an input."),
            (("--film", "a_mask.gif", "--report", "a_mask.gif"), "Got a_mask.gif, which is --report as well."),
            (("--mask", "a_mask.png", "--report", "a_mask.png"), "Got a_mask.png, which is an input."),
            (("--mask", "a_mask.png", "-o", "a_mask.png"), "-o must name a file of its own. Got a_mask.png, which is"),
            (("-o", "a_mask.png"), "-o must name a file of its own. Got a_mask.png, which is an input."),
            (("--report", "a_mask.png"), "--report must name a file of its own. Got a_mask.png, which is an input."),
            (("--mask", "masks", "--mask-out", "masks/a.png"), "Got masks/a.png, which is an input."),
            (("--mask", "masks", "-o", "masks/a.png"), "-o must name a file of its own. Got masks/a.png, which is"),
        ],
    )
    def test_files_of_their_own(self, restore, tmp_path, pictures, arguments, says):
        pictures("a.png", "masks/a.png", masks=False)
        write(tmp_path / "a_mask.png", MASK)
        before = sorted(tmp_path.iterdir())
        assert says in restore("a.png", *arguments, "--overwrite", status=2).err
        assert sorted(tmp_path.iterdir()) == before
        assert (read(tmp_path / "a.png")[0] == PICTURE).all()

    @pytest.mark.parametrize(
        ("arguments", "option"),
        [(("-o", "out", "--mask-out", "scans"), "--mask-out"), (("-o", "out", "--mask-out", "masks"), "--mask-out"),
         (("-o", "masks"), "-o")],
    )  # fmt: skip
    def test_no_input_of_several_is_replaced_by_a_mask_nor_a_mask_by_a_picture(
        self, restore, tmp_path, pictures, arguments, option
    ):
        pictures("scans/a.png", "scans/b.png")
        (tmp_path / "masks").mkdir()
        for name in "ab":
            (tmp_path / f"scans/{name}_mask.png").rename(tmp_path / f"masks/{name}.png")
        before = {path: path.read_bytes() for path in tmp_path.glob("*/*.png")}
        said = restore("scans", "--mask", "masks", "--grow", "2", *arguments, "--overwrite", status=1).err
        assert "2 of 2 files could not be restored:" in said
        assert f"is an input, which would be replaced. Give {option} another folder." in said
        assert {path: path.read_bytes() for path in tmp_path.glob("*/*.png")} == before

    @pytest.mark.parametrize("other", ["x/a.jpg", "w/a.png"])
    def test_no_input_of_several_is_replaced_by_the_answer_of_another(self, restore, tmp_path, pictures, other):
        pictures("x/a.png", other)
        write(tmp_path / other, 255 - PICTURE, overwrite=True)
        said = restore(other, "x/a.png", "-o", "x", "--overwrite", "--method", "laplace", status=1).err
        assert f"{Path('x/a.png')} is an input, which would be replaced. Give -o another folder." in said
        check(tmp_path / "x" / "a.png")

    def test_no_folder_is_made_for_nothing(self, restore, tmp_path, pictures):
        pictures("good.png")
        for name in ("a.png", "b.png"):
            (tmp_path / name).write_text("no picture")
        (tmp_path / "there").mkdir()
        restore("a.png", "b.png", "-o", "new/out", "--mask-out", "there/masks", "--report", "r.json", status=1)
        assert not (tmp_path / "new").exists()
        assert list((tmp_path / "there").iterdir()) == []
        restore("a.png", "good.png", "-o", "new/out", "--mask-out", "there", "--method", "laplace", status=1)
        assert [path.name for path in (tmp_path / "new/out").iterdir()] == ["good.png"]

    def test_the_input_may_be_replaced_if_that_is_asked_for(self, restore, tmp_path, pictures):
        pictures("a.png")
        restore("a.png", "-o", "a.png", "--overwrite")
        check(tmp_path / "a.png")


@cache
def texts():
    """All texts in the sources, those with fields once with the name of each closed form in their place."""
    found = []
    for path in Path(skinpaint.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                pieces = [getattr(each, "value", "") for each in node.values]
                pieces = [piece if isinstance(piece, str) else "\0" for piece in pieces]
                found += ["".join(pieces).replace("\0", name) for name in ("Laplace", "Biharmonic")]
    return found


class TestWhatIsSaid:
    def test_nothing_is_missing_if_that_is_said(self, restore, tmp_path, pictures):
        pictures("photo.png", masks=False)
        said = restore("photo.png", "--missing", "none", status=2).err
        assert "photo.png: no damage was found, and nothing was written." in said
        assert not (tmp_path / "photo-restored.png").exists()

    def test_failures_are_named_once_and_the_way_out_is(self, restore, tmp_path, pictures):
        pictures("a.png")
        for name in ("b", "c"):
            write(tmp_path / f"{name}.png", PICTURE)
        (tmp_path / "d.png").write_text("no picture")
        said = restore("a.png", "b.png", "c.png", "d.png", "nowhere.png", status=1).err.splitlines()
        assert said[0] == "skinpaint: error: 4 of 5 files could not be restored:"
        assert said[1] == "skinpaint:   b.png: no damage was found, and nothing was written."
        assert said[3].startswith("skinpaint:   d.png cannot be read as a picture: its contents are not PNG, ")
        assert said[4] == "skinpaint:   nowhere.png: No such file or directory."
        assert said[5].startswith("skinpaint: Give a mask that is bright where pixels are missing (--mask FILE)")
        assert len(said) == 6

    def test_transparent_pixels_are_pointed_at(self, restore, tmp_path):
        alpha = np.where(MASK > 0, 0, 255).astype(np.uint8)
        write(tmp_path / "a.png", PICTURE, Extras(alpha=alpha))
        said = restore("a.png", status=2).err
        assert "Transparent pixels: 40; --missing transparent fills them." in said

    def test_alpha_shows_what_was_filled_and_nothing_else(self, restore, tmp_path):
        alpha = np.where(MASK > 0, 0, 255).astype(np.uint8)
        picture = np.dstack([PICTURE] * 3)
        write(tmp_path / "a.png", picture, Extras(alpha=alpha))
        restore("a.png", "--missing", "transparent", "--max-distance", "1")
        shown = read(tmp_path / "a-restored.png")[1].alpha[10:14, 10:20]
        np.testing.assert_array_equal(shown, np.pad(np.zeros((2, 8)), 1, constant_values=255))
        write(tmp_path / "a_mask.png", np.roll(MASK, 5))
        said = restore("a.png", "--overwrite").out
        assert "20 filled pixels are transparent, as before; --missing transparent shows such pixels." in said
        np.testing.assert_array_equal(read(tmp_path / "a-restored.png")[1].alpha, alpha)

    def test_a_frame_that_cannot_be_restored_is_named(self, restore, tmp_path):
        stack = np.stack([PICTURE, PICTURE, PICTURE]).astype(np.float32)
        stack[1] = np.nan
        stack[0, 3, 3] = np.nan
        write(tmp_path / "a.tif", stack, Extras(axes="TYX"))
        said = restore("a.tif", status=2).err
        assert said.startswith("skinpaint: error: a.tif, frame 2 of 3: The image must have at least one known")

    def test_the_values_of_frames_are_not_kept_beside_their_pictures(self, restore, tmp_path, monkeypatch):
        kept = []
        monkeypatch.setattr(restoring, "proof_of", lambda solutions: kept.extend(solutions) or "")
        stack = np.stack([PICTURE, PICTURE, PICTURE])
        stack[:, ::2] = 0
        write(tmp_path / "a.tif", stack, Extras(axes="TYX"))
        restore("a.tif", "--missing", "0", "--method", "laplace")
        assert [(one.converged, one.values.size) for one in kept] == [(True, 0)] * 3

    def test_many_warnings_of_one_kind_are_not_repeated(self, restore, tmp_path):
        rng = np.random.default_rng(0)
        noisy = [
            np.where(rng.random(PICTURE.shape) < 0.3, rng.integers(0, 2, PICTURE.shape) * 255, PICTURE) for _ in "12345"
        ]
        write(tmp_path / "a.tif", np.stack(noisy).astype(np.uint8), Extras(axes="TYX"))
        said = restore("a.tif").err.splitlines()
        assert len(said) == 4
        assert "give --mask or --missing" in said[0]
        assert said[3] == "skinpaint: warning: a.tif: more warnings like this follow; they are not shown."

    @pytest.mark.parametrize("phrase", OPTIONS)
    def test_what_is_translated_is_still_said(self, phrase):
        assert sum(phrase in text for text in texts()) >= 2, "in the table, and where it is said"

    def test_the_share_and_invert_mask(self, restore, tmp_path):
        image = np.tile(PICTURE, (3, 3))
        hole = np.zeros(image.shape, bool)
        hole[20:40, 20:40] = True
        write(tmp_path / "a.png", np.where(hole, 0, image).astype(np.uint8))
        write(tmp_path / "a_mask.png", np.where(hole, 0, 255).astype(np.uint8))
        said = restore("a.png")
        assert "(96.3 %)" in said.out
        assert "Is the mask inverted?" in said.err
        assert "if yours means valid, give --invert-mask." in said.err
        said = restore("a.png", "--invert-mask", "--overwrite")
        assert "filled 400 of 10,800 pixels (3.7 %)" in said.out
        assert said.err == ""

    def test_fills_at_the_bound_are_said_in_options(self, restore, tmp_path):
        y, x = np.mgrid[:40, :40]
        peak = 1000 * np.exp(-((x - 20) ** 2 + (y - 20) ** 2) / 50)
        write(tmp_path / "a.tif", peak.astype(np.float32))
        write(tmp_path / "a_mask.png", np.where(peak > 800, 255, 0).astype(np.uint8))
        assert main(["restore", "a.tif", "--method", "biharmonic", "--quiet", "--report", "r.json"]) == 0
        status = json.loads((tmp_path / "r.json").read_text())["status"]
        assert "filled values are at the lowest or highest known value" in status
        assert main(["restore", "a.tif", "--method", "biharmonic", "--overwrite", "--bounds", "0,2000"]) == 0
        assert read(tmp_path / "a-restored.tif")[0].max() > 950


class TestJobs:
    def test_side_by_side_is_as_one_after_another(self, restore, tmp_path, pictures):
        names = ("1.png", "2.png", "3.tif")
        pictures(*names)
        (tmp_path / "4.png").write_text("no picture")
        one = restore(*names, "4.png", "-o", "one", "--report", "one.json", status=1)
        command = [*names, "4.png", "-o", "two", "--report", "two.json", "--method", "laplace", "--jobs", "2"]
        command = [sys.executable, "-m", "skinpaint", "restore", *command]
        two = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert two.returncode == 1
        assert two.stderr == one.err
        assert two.stderr.count("\n") == 2, "no progress bar in a log"
        for name in names:
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        assert ["failure" in entry for entry in json.loads((tmp_path / "two.json").read_text())] == [*[False] * 3, True]

    def test_the_processors_are_shared(self, monkeypatch):
        for name in batch.THREADS_OF_LIBRARIES:
            monkeypatch.delenv(name, raising=False)
        with batch._pool(2) as pool:
            assert pool.submit(threads.workers).result() == max(1, threads.workers() // 2)
            assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"
        assert "OMP_NUM_THREADS" not in os.environ
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        with batch._pool(1):
            assert os.environ["OMP_NUM_THREADS"] == "3", "what the user says"

    def test_a_process_that_dies(self):
        future = Future()
        future.set_exception(BrokenExecutor("terminated abruptly"))
        assert "its process ended without an answer, perhaps for lack of memory. Try fewer" in batch._result(future)

    @pytest.mark.parametrize("number", ["0", "-1", "two"])
    def test_numbers_of_jobs(self, restore, capsys, number):
        with pytest.raises(SystemExit):
            restore("a.png", f"--jobs={number}")
        assert "argument --jobs: must be an integer of at least 1. Got" in capsys.readouterr().err


def test_ctrl_c_in_a_stack_keeps_the_frames_that_are_done(restore, tmp_path, monkeypatch):
    stack = np.stack([np.where(MASK > 0, np.nan, PICTURE)] * 4).astype(np.float32)
    write(tmp_path / "a.tif", stack, Extras(axes="TYX"))
    done = []

    def fit_restore(self, image, mask, callback):
        done.append(1)
        if len(done) == 3:
            signal.raise_signal(signal.SIGINT)
        return original(self, image, mask, callback=callback)

    original = skinpaint.Inpainter.fit_restore
    monkeypatch.setattr(skinpaint.Inpainter, "fit_restore", fit_restore)
    said = restore("a.tif", status=130)
    assert "Interrupted: the frames after the first 2 are as they came." in said.out
    assert "interrupted; the answer so far is in a-restored.tif." in said.err
    assert [int(np.isnan(frame).sum()) for frame in read(tmp_path / "a-restored.tif")[0]] == [0, 0, 40, 40]


def test_what_ctrl_c_leaves_half_done_is_not_passed_over_later(tmp_path, pictures, monkeypatch, capsys):
    """A stack whose last frames were as they came was written, and then passed over by --skip-existing."""
    monkeypatch.chdir(tmp_path)
    pictures("1.png")
    stack = np.stack([np.where(MASK > 0, np.nan, PICTURE)] * 3).astype(np.float32)
    write(tmp_path / "2.tif", stack, Extras(axes="TYX"))
    method = ("--method", "gd", "--set", "max_iter=3", "--set", "tol=None")
    several = ["restore", "1.png", "2.tif", "-o", "out", *method]
    steps = []

    def step(self, problem, state):
        steps.append(1)
        if len(steps) == 8:
            signal.raise_signal(signal.SIGINT)
        return original(self, problem, state)

    original = skinpaint.GradientDescent.step
    monkeypatch.setattr(skinpaint.GradientDescent, "step", step)
    assert main(several) == 130
    assert "interrupted; 1 of 2 files are restored." in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["1.png"]
    assert main([*several, "--skip-existing"]) == 0
    assert np.isfinite(read(tmp_path / "out/2.tif")[0]).all()
    steps.clear()  # the last frame is half done
    assert main(["restore", "2.tif", *method, "--skip-existing"]) == 130
    assert "interrupted before there was anything to save" in capsys.readouterr().err
    assert not (tmp_path / "2-restored.tif").exists()


def test_ctrl_c_after_the_picture_was_written_says_so(restore, tmp_path, pictures, monkeypatch):
    """It was said that there was nothing to save."""
    pictures("a.png")
    monkeypatch.setattr(restoring, "how_written", lambda *_: signal.raise_signal(signal.SIGINT))
    said = restore("a.png", "--method", "laplace", status=130).err
    assert said == "skinpaint: interrupted; a-restored.png is written, but perhaps not all else that was asked for.\n"
    check(tmp_path / "a-restored.png")


@pytest.mark.parametrize("inputs", [("scans",), ("scans/a.png",), ("scans/a.png", "scans/a.jpg")])
def test_an_input_in_the_place_of_an_answer_is_not_passed_over(tmp_path, monkeypatch, capsys, pictures, inputs):
    monkeypatch.chdir(tmp_path)
    pictures("scans/a.png", "scans/a.jpg")
    assert main(["restore", *inputs, "-o", "scans", "--skip-existing"]) == (2 if inputs == ("scans/a.png",) else 1)
    out, err = capsys.readouterr()
    assert "outputs exist" not in out
    assert f"{Path('scans/a.png')} exists. Choose another name, or give --overwrite to replace it." in err


def test_a_process_that_is_asked_to_end_leaves_no_half_file(restore, tmp_path, pictures, monkeypatch):
    pictures("a.png")

    def terminated(*_):
        signal.getsignal(signal.SIGTERM)(signal.SIGTERM, None)

    monkeypatch.setattr("skinpaint.io.files.os.replace", terminated)
    with pytest.raises(SystemExit) as ended:
        restore("a.png")
    assert ended.value.code == 143
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a_mask.png"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_processes_that_restore_files_side_by_side_end_as_the_command_does(restore, pictures, monkeypatch):
    """The command waited until each had restored its file."""
    pictures("1.png", "2.png")
    ended = []
    child = SimpleNamespace(terminate=lambda: ended.append("child"))
    monkeypatch.setattr(batch, "_pool", lambda n_processes: nullcontext(SimpleNamespace(submit=lambda *_: Future())))
    monkeypatch.setattr(batch, "as_completed", lambda _: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(batch, "active_children", lambda: [child])
    with pytest.raises(SystemExit) as found:
        restore("1.png", "2.png", "-o", "out", "--jobs", "2")
    assert (found.value.code, ended) == (143, ["child"])
    monkeypatch.setattr(batch, "_attempt", end_in_order)
    monkeypatch.setattr(batch.util, "_exit_function", lambda: None)
    monkeypatch.setattr(batch.os, "_exit", ended.append)
    batch._attempt_or_end(None, None, None)
    assert ended == ["child", 143]


def test_ctrl_c_while_an_outcome_is_told_begins_no_more_files(restore, pictures, monkeypatch):
    pictures("1.png", "2.png", "3.png")
    waiting = []

    class Pool(ThreadPoolExecutor):
        """Two tasks are done, and the last one waits."""

        def submit(self, function, *arguments):
            waiting.append(Future())
            if len(waiting) < 3:
                waiting[-1].set_result(function(*arguments))
            return waiting[-1]

    monkeypatch.setattr(batch, "_pool", lambda n_processes: nullcontext(Pool(1)))
    monkeypatch.setattr(restore_command, "_say", lambda *_: signal.raise_signal(signal.SIGINT))
    said = restore("1.png", "2.png", "3.png", "-o", "out", "--jobs", "2", "--method", "laplace", status=130).err
    assert [future.cancelled() for future in waiting] == [False, False, True]
    assert "interrupted; 2 of 3 files are restored." in said  # 0, although two were written


def test_ctrl_c_side_by_side_waits_for_what_has_begun(restore, tmp_path, pictures, monkeypatch):
    pictures("1.png", "2.png", "3.png")
    waited = []

    def as_completed(futures):
        waited.append(len(futures))
        if len(waited) == 1:
            signal.raise_signal(signal.SIGINT)
        return iter(sorted(futures, key=lambda future: not future.done()))

    class Pool(ThreadPoolExecutor):
        """One task is under way, and the others wait."""

        def submit(self, function, *arguments):
            future = Future()
            if not waited and not self._threads:
                future.set_running_or_notify_cancel()
                future.set_result(function(*arguments))
                self._threads.add(None)
            return future

    monkeypatch.setattr(batch, "as_completed", as_completed)
    monkeypatch.setattr(batch, "_pool", lambda n_processes: nullcontext(Pool(1)))
    said = restore("1.png", "2.png", "3.png", "-o", "out", "--jobs", "2", status=130).err
    assert "interrupted; 1 of 3 files are restored." in said
    assert waited == [3, 1]


def test_ctrl_c_between_files_says_what_is_done(restore, tmp_path, pictures, monkeypatch):
    pictures("1.png", "2.png", "3.png")

    def interrupted(args, method, task):
        if task.source.name == "2.png":
            signal.raise_signal(signal.SIGINT)
        return restoring.restore_file(args, method, task)

    monkeypatch.setattr(batch, "restore_file", interrupted)
    said = restore("1.png", "2.png", "3.png", "-o", "out", "--report", "r.json", status=130).err
    assert "interrupted; 1 of 3 files are restored." in said
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["1.png"]
    assert [entry["input"] for entry in json.loads((tmp_path / "r.json").read_text())] == ["1.png"]


class TestHowSure:
    def test_std_and_interval_are_floats_beside_the_picture(self, restore, tmp_path, pictures):
        pictures("a.png")
        said = restore("a.png", "--std", "std.tif", "--interval", "ends.tif", "--level", "0.8", "--report", "r.json")
        assert "The standard deviations are " in json.loads((tmp_path / "r.json").read_text())["status"]
        assert said.out.startswith("a-restored.png: filled 40 of")
        std, _ = read(tmp_path / "std.tif")
        assert std.dtype.kind == "f"
        np.testing.assert_array_equal(std > 0, MASK > 0)
        (low, high), extras = read(tmp_path / "ends.tif")
        assert extras.axes == "QYX"
        expected = skinpaint.Inpainter("laplace").fit(PICTURE, mask=MASK)
        np.testing.assert_array_equal(np.stack([low, high]), expected.interval(0.8))
        np.testing.assert_array_equal(std, expected.std())

    def test_of_channels(self, restore, tmp_path):
        colours = np.dstack([PICTURE, PICTURE[::-1], PICTURE])
        write(tmp_path / "a.png", colours)
        write(tmp_path / "a_mask.png", MASK)
        restore("a.png", "--std", "std.tif", "--interval", "ends.npy")
        std, low = read(tmp_path / "std.tif")[0], np.load(tmp_path / "ends.npy")[0]
        expected = skinpaint.Inpainter("laplace", channel_axis=-1).fit(colours, mask=MASK)
        np.testing.assert_array_equal(std, expected.std())
        np.testing.assert_array_equal(low, expected.interval()[0])

    def test_every_frame_of_a_stack_has_its_own(self, restore, tmp_path):
        stack = np.stack([PICTURE, PICTURE[::-1], PICTURE])
        write(tmp_path / "s.tif", stack, Extras(axes="TYX"))
        write(tmp_path / "m.png", MASK)
        restore("s.tif", "--mask", "m.png", "--std", "std.npy")
        std, _ = np.load(tmp_path / "std.npy"), None
        assert std.shape == stack.shape
        np.testing.assert_array_equal(std[0], std[2])
        assert (std[0] != std[1]).any()

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("--std", "a-restored.png"), "Got a-restored.png, which is --std as well."),
            (("--std", "std.png"), "std.png cannot be written"),
            (("--std", "x.tif", "--interval", "x.tif"), "which is --interval as well."),
            (("--std", "old.tif"), "old.tif exists"),
        ],
    )
    def test_what_cannot_be_written_is_refused_before_the_work(self, restore, tmp_path, pictures, arguments, says):
        pictures("a.png")
        (tmp_path / "old.tif").touch()
        assert says in restore("a.png", *arguments, status=2).err
        assert not (tmp_path / "a-restored.png").exists()

    def test_one_file_at_a_time(self, restore, pictures):
        pictures("a.png", "b.png")
        assert "--std names one file." in restore("a.png", "b.png", "--std", "std.tif", status=2).err

    @pytest.mark.parametrize("level", ["90", "0", "high"])
    def test_a_level_is_a_probability(self, restore, pictures, level, capsys):
        pictures("a.png")
        with pytest.raises(SystemExit):
            restore("a.png", "--interval", "x.tif", "--level", level)
        assert f"must be a number between 0 and 1, as in 0.9. Got '{level}' instead." in capsys.readouterr().err
