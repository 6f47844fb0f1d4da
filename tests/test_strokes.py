"""Masks as people draw them: strokes on the photograph, a layer, holes; told apart and said."""

from contextlib import nullcontext

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from skimage import data

from skinpaint import GuessedMaskWarning
from skinpaint.io import Extras, read_mask
from skinpaint.io.mask import marked

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
    np.testing.assert_array_equal(found, STROKE)


def scratched(*, to=110):
    """A photograph with a white scratch, and a copy with a white stroke over it, wider and longer."""
    photograph = np.array(GREYS)
    photograph[60:63, 10:to] = 255
    stroke = np.zeros(photograph.shape, bool)
    stroke[58:65, 8:112] = True
    return photograph, stroke, Image.fromarray(np.where(stroke, 255, photograph).astype(np.uint8))


def test_strokes_in_the_colour_of_the_damage(tmp_path):
    photograph, stroke, mask = scratched()
    found, said = read_drawn(tmp_path, mask, photograph)
    np.testing.assert_array_equal(found, stroke)
    assert said.endswith("% of the pixels.")


def test_a_stroke_on_a_scratch_that_goes_on_is_said_to_be_undecided(tmp_path):
    photograph, stroke, mask = scratched(to=120)
    found, said = read_drawn(tmp_path, mask, photograph)
    np.testing.assert_array_equal(found, stroke & (photograph != 255))
    assert said.endswith("was taken for known. Paint in a colour that the photograph does not have.")


def test_a_white_area_beside_a_white_stroke_is_not_marked(tmp_path):
    photograph = np.array(GREYS)
    photograph[:40] = 255
    mask = np.array(photograph)
    mask[30:50, 20:30] = 255
    found, said = read_drawn(tmp_path, Image.fromarray(mask), photograph)
    np.testing.assert_array_equal(found, mask != photograph)
    assert "Beside the strokes, the photograph has their colour as well" in said


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_strokes_on_a_copy_of_deeper_data(tmp_path, dtype):
    scale = {np.uint8: 1, np.uint16: 257}.get(dtype, 1 / 255)
    photograph = (GREYS * np.float64(scale)).astype(dtype)
    found, _ = read_drawn(tmp_path, drawn(Image.fromarray(GREYS).convert("RGB"), (255, 0, 0)), photograph)
    np.testing.assert_array_equal(found, STROKE)


def stretched(photograph):
    return ((photograph - photograph.min()) * (255 / np.ptp(photograph))).astype(np.uint8)


@pytest.mark.parametrize("shown", [lambda deep: deep >> 4, stretched, lambda deep: (deep + 128) // 257])
def test_strokes_on_a_copy_of_twelve_bits(tmp_path, shown):
    photograph = 16 * GREYS.astype(np.uint16) + 7
    mask = drawn(Image.fromarray(shown(photograph).astype(np.uint8)).convert("RGB"), (255, 0, 0))
    np.testing.assert_array_equal(read_drawn(tmp_path, mask, photograph)[0], STROKE)


@pytest.mark.parametrize(("lowest", "grey"), [(0, 128), (0, 255), (240, 0), (240, 128)])
def test_strokes_on_a_copy_with_faint_tones(tmp_path, lowest, grey):
    photograph = lowest + GREYS // 16
    found, _ = read_drawn(tmp_path, drawn(Image.fromarray(photograph), grey), photograph)
    np.testing.assert_array_equal(found, STROKE)


@pytest.mark.parametrize(
    "tones", [lambda x: 255 * (x / 255) ** 0.5, lambda x: np.clip(1.3 * x - 20, 0, 255), lambda x: 255 - x]
)
def test_a_copy_in_other_tones_is_refused(tmp_path, tones):
    drawn(Image.fromarray(tones(GREYS.astype(float)).astype(np.uint8)), 255).save(tmp_path / "m.png")
    with pytest.raises(
        ValueError, match=r"m\.png must be black and white, or .* Got the photograph in other tones inst"
    ):
        read_mask(tmp_path / "m.png", photograph=GREYS)


@pytest.mark.parametrize("colour", [(255, 0, 0, 255), (0, 0, 0, 255), (0, 0, 255, 200)])
@pytest.mark.parametrize("photograph", [COLOURS, None], ids=["given", "not given"])
def test_a_layer_with_strokes(tmp_path, colour, photograph):
    found, said = read_drawn(tmp_path, drawn(Image.new("RGBA", (120, 100)), colour), photograph)
    np.testing.assert_array_equal(found, STROKE)
    share = f"{100 * STROKE.mean():.1f} %"
    assert f"a layer that is transparent but for strokes: the strokes are missing, {share} of the pixels." in said


def test_holes_in_the_photograph(tmp_path):
    mask = drawn(Image.fromarray(COLOURS).convert("RGBA"), (0, 0, 0, 0))
    found, said = read_drawn(tmp_path, mask, COLOURS)
    np.testing.assert_array_equal(found, STROKE)
    assert "a copy of the photograph" in said


ON_BLACK = np.where(np.arange(GREYS.shape[1]) < 30, GREYS, 0).astype(np.uint8)


@pytest.mark.parametrize("photograph", [COLOURS, GREYS, ON_BLACK], ids=["colours", "grey", "on a black ground"])
def test_what_is_erased_from_a_copy_is_missing(tmp_path, photograph):
    """Programs keep the colours below what is erased."""
    mask = Image.fromarray(photograph).convert("RGBA")
    mask.putalpha(Image.fromarray(np.where(STROKE, 0, 255).astype(np.uint8)))
    found, said = read_drawn(tmp_path, mask, photograph)
    np.testing.assert_array_equal(found, STROKE)
    assert "a copy of the photograph that is erased in parts: what is transparent or differs from it is" in said
    np.testing.assert_array_equal(read_drawn(tmp_path, mask, photograph, invert=True)[0], ~STROKE)


def test_what_is_erased_and_what_is_painted_over(tmp_path):
    mask = drawn(Image.fromarray(COLOURS).convert("RGBA"), (0, 0, 0, 0))
    ImageDraw.Draw(mask).rectangle([80, 5, 100, 15], fill=(255, 0, 0, 255))
    expected = np.array(STROKE)
    expected[5:16, 80:101] = True
    np.testing.assert_array_equal(read_drawn(tmp_path, mask, COLOURS)[0], expected)


def test_a_layer_with_strokes_in_the_colour_of_the_damage(tmp_path):
    photograph = np.where(STROKE[..., None], (200, 30, 30), COLOURS).astype(np.uint8)
    mask = drawn(Image.new("RGBA", (120, 100)), (200, 30, 30, 255))
    np.testing.assert_array_equal(read_drawn(tmp_path, mask, photograph)[0], STROKE)


@pytest.mark.parametrize("photograph", [COLOURS, np.stack([GREYS] * 3, axis=-1)], ids=["colours", "grey"])
def test_what_is_transparent_in_the_photograph_is_not_erased_from_its_copy(restore, tmp_path, photograph):
    picture = Image.fromarray(photograph).convert("RGBA")
    picture.putalpha(Image.fromarray(np.pad(np.full((100, 80), 255, np.uint8), ((0, 0), (40, 0)))))
    picture.save(tmp_path / "a.png")
    ImageDraw.Draw(picture).rectangle([80, 5, 100, 15], fill=(255, 0, 0, 255))
    picture.save(tmp_path / "strokes.png")
    said = restore("a.png", "--mask", "strokes.png", "--mask-out", "filled.png")
    assert "a copy of the photograph with strokes: what differs from it is missing" in said.err
    found = np.asarray(Image.open(tmp_path / "filled.png")) > 0
    assert (found.sum(), found[5:16, 80:101].all()) == (11 * 21, True)


def test_strokes_can_mark_what_is_valid(tmp_path):
    mask = drawn(Image.fromarray(COLOURS), (255, 0, 0))
    np.testing.assert_array_equal(read_drawn(tmp_path, mask, COLOURS, invert=True)[0], ~STROKE)


@pytest.mark.parametrize("photograph", [COLOURS, GREYS], ids=["colours", "grey"])
@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P"])
def test_an_ordinary_mask_is_not_taken_for_anything_else(tmp_path, photograph, mode):
    Image.fromarray(STROKE).convert(mode).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", photograph=photograph), STROKE)


PAGE = np.where(data.page()[:100, :120] > 128, 255, 0).astype(np.uint8)
SOFT = Image.fromarray(STROKE).convert("L").filter(ImageFilter.GaussianBlur(1.5))
FAINT = {"page": PAGE, "negative": 255 - PAGE, "dark": GREYS // 16, "bright": 240 + GREYS // 16, "grey": GREYS}


@pytest.mark.parametrize("photograph", FAINT.values(), ids=FAINT)
@pytest.mark.parametrize("name", ["m.png", "m.jpg"])
def test_a_mask_with_soft_edges_is_a_mask(tmp_path, photograph, name):
    SOFT.save(tmp_path / name)
    bright = np.asarray(Image.open(tmp_path / name)) >= 128
    np.testing.assert_array_equal(read_mask(tmp_path / name, photograph=photograph), bright)


@pytest.mark.parametrize("name", FAINT)
def test_a_mask_of_what_is_bright_in_the_photograph_is_a_mask(tmp_path, name):
    photograph = FAINT[name]
    bright = photograph > photograph.mean()
    Image.fromarray(bright).save(tmp_path / "m.png")
    asked = pytest.warns(GuessedMaskWarning, match="looks like the photograph where that is black or white")
    with asked if name in ("page", "negative") else nullcontext():
        np.testing.assert_array_equal(read_mask(tmp_path / "m.png", photograph=photograph), bright)


def blown_out(kind):
    """A photograph with a white hole: in a deep file all else is dark next to it."""
    y, x = np.mgrid[:100, :120]
    hole = (y - 50) ** 2 + (x - 60) ** 2 < 20**2
    if kind == "drawing":
        return hole, np.where(hole | (y % 40 == 0), 255, 0).astype(np.uint8)
    tones = (1800 + 1000 * np.sin(x / 9)).astype(np.uint16 if kind == "uint16" else np.float32)
    return hole, np.where(hole, 65535 if kind == "uint16" else 1e6, tones).astype(tones.dtype)


@pytest.mark.parametrize("kind", ["uint16", "float32", "drawing"])
@pytest.mark.parametrize("blur", [0, 0.7, 1.5])
def test_a_mask_of_a_blown_out_hole_is_a_mask_with_soft_edges_too(tmp_path, kind, blur):
    hole, photograph = blown_out(kind)
    mask = Image.fromarray(hole).convert("L").filter(ImageFilter.GaussianBlur(blur))
    found, said = read_drawn(tmp_path, mask, photograph)
    np.testing.assert_array_equal(found, np.asarray(mask) >= 128)
    assert (
        "looks like the photograph where that is black or white, and was taken for a mask: bright is missing." in said
    )


def test_strokes_in_a_colour_on_a_copy_of_a_night(tmp_path, rng):
    night = np.clip(rng.normal(3, 2, STROKE.shape), 0, 255).astype(np.uint8)
    night.flat[rng.integers(0, night.size, 30)] = 255  # stars
    drawn(Image.fromarray(night).convert("RGB"), (255, 0, 0)).save(tmp_path / "m.jpg", quality=90)
    with pytest.warns(GuessedMaskWarning, match="a copy of the photograph with strokes"):
        found = read_mask(tmp_path / "m.jpg", photograph=night)
    assert (found >= STROKE).mean() > 0.999


@pytest.mark.parametrize("colour", [(255, 0, 0), (128, 128, 128)])
def test_strokes_on_a_copy_in_black_and_white(tmp_path, colour):
    found, _ = read_drawn(tmp_path, drawn(Image.fromarray(PAGE).convert("RGB"), colour), PAGE)
    np.testing.assert_array_equal(found, STROKE)


def test_a_blurred_copy_in_black_and_white_is_refused(tmp_path):
    drawn(Image.fromarray(PAGE), 128).save(tmp_path / "m.jpg", quality=92)
    with pytest.raises(ValueError, match="Got the photograph in other tones instead"):
        read_mask(tmp_path / "m.jpg", photograph=PAGE)


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


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_a_mask_in_chunks_and_its_photograph_are_read_few_times(dtype):
    """What is nothing but black and white is no copy, so that little has to be counted."""
    da = pytest.importorskip("dask.array")
    photograph, mask = COLOURS[..., 0].astype(dtype), np.where(STROKE, 255, 0).astype(np.uint8)
    reads = {"photograph": 0, "mask": 0}

    def chunk(name, values):
        def read(given):
            reads[name] += given.size / values.size
            return given

        return da.from_array(values, 50).map_blocks(read, dtype=values.dtype, meta=np.empty((0, 0), values.dtype))

    found = marked("m.tif", chunk("mask", mask), Extras(axes="YX"), photograph=chunk("photograph", photograph))
    np.testing.assert_array_equal(found.compute(scheduler="synchronous"), STROKE)
    assert reads["photograph"] <= 3.001
    assert reads["mask"] <= 6.001
