"""Masks as people draw them: strokes on the photograph, a layer, holes; told apart and said."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

from skinpaint import GuessedMaskWarning
from skinpaint.io import read_mask

COLOURS = data.astronaut()[:100, :120]
GREYS = data.camera()[:100, :120]
LINE = [(10, 15), (90, 80)]


def drawn(image, colour, *, width=5):
    image = image.copy()
    ImageDraw.Draw(image).line(LINE, fill=colour, width=width)
    return image


STROKE = np.asarray(drawn(Image.new("L", (120, 100)), 255)) > 0


def read_drawn(tmp_path, mask, photograph, **options):
    """The mask, and what is said about it."""
    mask.save(tmp_path / "m.png")
    with pytest.warns(GuessedMaskWarning) as said:
        found = read_mask(tmp_path / "m.png", photograph=photograph, **options)
    return found, str(said[0].message)


@pytest.mark.parametrize("photograph", [COLOURS, GREYS], ids=["colours", "grey"])
@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (255, 255, 255), (0, 0, 0)])
def test_strokes_on_the_photograph(tmp_path, photograph, colour):
    mask = drawn(Image.fromarray(photograph).convert("RGB"), colour)
    found, said = read_drawn(tmp_path, mask, photograph)
    assert "m.png was taken for a copy of the photograph with strokes: what differs from it is missing, " in said
    same = (np.abs(np.asarray(mask).astype(int) - np.asarray(Image.fromarray(photograph).convert("RGB"))) <= 12).all(-1)
    np.testing.assert_array_equal(found, STROKE & ~same)
    assert found.sum() > 0.8 * STROKE.sum()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_strokes_on_a_copy_of_deeper_data(tmp_path, dtype):
    scale = {np.uint8: 1, np.uint16: 257}.get(dtype, 1 / 255)
    photograph = (GREYS * np.float64(scale)).astype(dtype)
    found, _ = read_drawn(tmp_path, drawn(Image.fromarray(GREYS).convert("RGB"), (255, 0, 0)), photograph)
    np.testing.assert_array_equal(found, STROKE)


@pytest.mark.parametrize("colour", [(255, 0, 0, 255), (0, 0, 0, 255), (0, 0, 255, 200)])
@pytest.mark.parametrize("photograph", [COLOURS, None], ids=["given", "not given"])
def test_a_layer_with_strokes(tmp_path, colour, photograph):
    found, said = read_drawn(tmp_path, drawn(Image.new("RGBA", (120, 100)), colour), photograph)
    np.testing.assert_array_equal(found, STROKE)
    share = f"{STROKE.mean():.1%}"
    assert f"a layer that is transparent but for strokes: the strokes are missing, {share} of the pixels." in said


def test_holes_in_the_photograph(tmp_path):
    mask = drawn(Image.fromarray(COLOURS).convert("RGBA"), (0, 0, 0, 0))
    found, said = read_drawn(tmp_path, mask, COLOURS)
    dark = (COLOURS <= 12).all(-1)
    np.testing.assert_array_equal(found, STROKE & ~dark)
    assert "a copy of the photograph" in said


def test_strokes_can_mark_what_is_valid(tmp_path):
    mask = drawn(Image.fromarray(COLOURS), (255, 0, 0))
    np.testing.assert_array_equal(read_drawn(tmp_path, mask, COLOURS, invert=True)[0], ~STROKE)


@pytest.mark.parametrize("photograph", [COLOURS, GREYS], ids=["colours", "grey"])
@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P"])
def test_an_ordinary_mask_is_not_taken_for_anything_else(tmp_path, photograph, mode):
    Image.fromarray(STROKE).convert(mode).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", photograph=photograph), STROKE)


def test_an_ordinary_mask_for_a_photograph_that_is_black_and_white(tmp_path):
    page = np.where(data.page()[:100, :120] > 128, 255, 0).astype(np.uint8)
    Image.fromarray(STROKE).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", photograph=page), STROKE)
    found, _ = read_drawn(tmp_path, drawn(Image.fromarray(page).convert("RGB"), (255, 0, 0)), page)
    np.testing.assert_array_equal(found, STROKE)


def test_the_photograph_itself_marks_nothing(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "m.png")
    with pytest.raises(ValueError, match=r"m\.png marks no pixel as missing: it looks like the photograph itself"):
        read_mask(tmp_path / "m.png", photograph=COLOURS)


def test_a_copy_that_was_saved_as_jpeg(tmp_path):
    drawn(Image.fromarray(COLOURS), (255, 0, 0)).save(tmp_path / "m.jpg", quality=92)
    with pytest.warns(GuessedMaskWarning):
        found = read_mask(tmp_path / "m.jpg", photograph=COLOURS)
    assert (found >= STROKE).mean() > 0.999
    assert found.mean() < 3 * STROKE.mean()


def test_at_the_command_line_it_is_said(restore, tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    drawn(Image.fromarray(COLOURS), (255, 0, 0)).save(tmp_path / "strokes.png")
    said = restore("a.png", "--mask", "strokes.png", "--mask-out", "filled.png")
    assert said.err.startswith("skinpaint: warning: a.png: The mask strokes.png was taken for a copy of the photograph")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "filled.png")) > 0, STROKE)
