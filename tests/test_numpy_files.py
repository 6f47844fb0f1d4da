"""NumPy's own files: arrays of any axes, with a mask beside them or NaN in them."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from skinpaint.io import read

Y, X = np.mgrid[:20, :30]
PLANE = (20 + X + 2 * Y).astype(float)
MASK = np.random.default_rng(0).random(PLANE.shape) < 0.1


@pytest.mark.parametrize("dtype", [">i2", "<u2", "f2", "f4", ">f8", "u1", "i8"])
@pytest.mark.parametrize("order", "CF")
def test_known_values_and_the_dtype_are_kept(restore, tmp_path, dtype, order):
    before = np.array(PLANE.astype(dtype), order=order)
    np.save(tmp_path / "a.npy", before)
    np.save(tmp_path / "m.npy", MASK)
    assert restore("a.npy", "--mask", "m.npy").err == ""
    after = np.load(tmp_path / "a-restored.npy")
    assert after.dtype == before.dtype.newbyteorder("=")
    np.testing.assert_array_equal(after[~MASK], before[~MASK])
    np.testing.assert_allclose(after[MASK].astype(float), PLANE[MASK], atol=5)


@pytest.mark.parametrize(
    ("shape", "axes", "said"),
    [
        ((20, 30), "YX", ""),
        ((20, 30, 3), "YXS", "YXS"),
        ((3, 20, 30), "ZYX", "ZYX"),
        ((20, 30, 9), "ZYX", "ZYX"),
        ((7,), "X", ""),
    ],
)
def test_axes_are_guessed_and_that_is_said(tmp_path, shape, axes, said):
    np.save(tmp_path / "a.npy", np.ones(shape))
    _, extras = read(tmp_path / "a.npy")
    assert extras.axes == axes
    assert extras.about == (f"its axes are taken for {said}; give --axes if they are others" if said else "")


def test_axes_that_are_named_are_not_guessed(restore, tmp_path):
    """The answer to ``--axes ZYX`` was that they "are taken for ZYX; --axes says otherwise"."""
    np.save(tmp_path / "a.npy", np.stack([np.where(MASK, np.nan, PLANE)] * 2))
    assert (
        "  Its axes are taken for ZYX; give --axes if they are others." in restore("a.npy", "--method", "laplace").out
    )
    named = restore("a.npy", "--axes", "ZYX", "--method", "laplace", "--overwrite").out
    assert "filled" in named
    assert "taken for" not in named


def test_more_axes_are_to_be_named(restore, tmp_path):
    before = np.stack([np.where(MASK, np.nan, PLANE), PLANE + 500]).reshape(2, 1, 20, 30)
    np.save(tmp_path / "a.npy", before)
    said = restore("a.npy", status=2).err
    assert "does not say what the axes of its shape (2, 1, 20, 30) are. Name them, as in --axes TCZYX." in said
    assert "2 frames along time (T)" in restore("a.npy", "--axes", "TCYX").out
    np.testing.assert_allclose(np.load(tmp_path / "a-restored.npy")[:, 0], [PLANE, PLANE + 500], atol=5)


@pytest.mark.parametrize("name", ["image", "file", "depth"])
@pytest.mark.parametrize("marked", ["mask", "missing"])
def test_a_mask_beside_the_image(restore, tmp_path, name, marked):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:  # numpy.savez has no array named file
        for each, array in {name: PLANE, marked: MASK}.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            archive.writestr(f"{each}.npy", buffer.getvalue())
    said = restore("a.npz", "--mask-out", "filled.png").out
    assert "Took the file's own mask for missing." in said
    np.testing.assert_array_equal(read(tmp_path / "filled.png")[0] > 0, MASK)
    with np.load(tmp_path / "a-restored.npz") as after:
        assert sorted(after.files) == sorted((name, marked))
        np.testing.assert_array_equal(after[marked], MASK)
        np.testing.assert_array_equal(after[name][~MASK], PLANE[~MASK])
    assert "does not hold what its source does: other arrays." in restore("a.npz", "-o", "b.npy").err


@pytest.mark.parametrize("dtype", ["U1", "c16", "M8[s]", "f4,f4"])
def test_a_mask_that_is_no_numbers(restore, tmp_path, dtype):
    np.save(tmp_path / "image.npy", np.ones((4, 5)))
    np.save(tmp_path / "mask.npy", np.zeros((4, 5), dtype))
    error = restore("image.npy", "--mask", "mask.npy", status=2).err
    assert "The mask mask.npy must hold integers, real floats or booleans. Got " in error


@pytest.mark.parametrize("channels", [slice(3), slice(1)], ids=["all", "one"])
def test_a_mask_of_its_own_for_each_channel(restore, tmp_path, channels):
    colours, mask = np.stack([PLANE] * 3, axis=-1), np.zeros((*PLANE.shape, 3), bool)
    mask[5:15, 5:15, channels] = True
    np.savez(tmp_path / "a.npz", image=np.where(mask, 999, colours), mask=mask)
    assert restore("a.npz").err == ""
    with np.load(tmp_path / "a-restored.npz") as after:
        np.testing.assert_array_equal(after["image"][~mask], colours[~mask])
        np.testing.assert_allclose(after["image"], colours, atol=5)
    assert restore("a.npz", "--max-distance", "2", "-o", "left.npz").err == ""
    with np.load(tmp_path / "left.npz") as after:
        np.testing.assert_array_equal(after["mask"], mask)


def test_a_mask_for_each_channel_and_one_that_is_given(restore, tmp_path):
    colours, mask = np.stack([PLANE] * 3, axis=-1), np.zeros((*PLANE.shape, 3), bool)
    mask[5:15, 5:15, 0] = True
    np.savez(tmp_path / "a.npz", image=np.where(mask | MASK[..., None], 999, colours), mask=mask)
    np.save(tmp_path / "m.npy", MASK)
    restore("a.npz", "--mask", "m.npy")
    with np.load(tmp_path / "a-restored.npz") as after:
        np.testing.assert_allclose(after["image"], colours, atol=5)


@pytest.mark.parametrize("dtype", [bool, np.int16])
def test_flags_of_the_shape_of_a_picture_in_colour_are_a_mask_for_each_channel(restore, tmp_path, dtype):
    """Booleans are no colours: two of three of them would be bright enough to mark the third."""
    image = np.indices((20, 24, 3)).sum(0).astype(np.uint8) + 40
    missing = np.zeros(image.shape, bool)
    missing[4:8, 5:9, :2] = True
    np.save(tmp_path / "a.npy", np.where(missing, 0, image).astype(np.uint8))
    np.save(tmp_path / "m.npy", missing.astype(dtype))
    assert "filled 32 of 1,440 values" in restore("a.npy", "--mask", "m.npy").out
    np.testing.assert_array_equal(np.load(tmp_path / "a-restored.npy")[~missing], image[~missing])
    np.save(tmp_path / "m.npy", missing[..., :1].astype(dtype))
    said = restore("a.npy", "--mask", "m.npy", "-o", "b.npy", status=2)
    assert "m.npy has the shape (20, 24, 1), but " in said.err


@pytest.mark.parametrize("dtype", [bool, np.uint8])
def test_a_mask_for_each_channel_in_a_tiff_whose_pages_are_rows(restore, tmp_path, dtype):
    """tifffile writes booleans, and what is not said to be in colour, of this shape as a stack."""
    tifffile = pytest.importorskip("tifffile")
    image = np.indices((70, 24, 3)).sum(0).astype(np.uint8) + 40
    missing = np.zeros(image.shape, bool)
    missing[4:8, 5:9, :2] = True
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb")
    tifffile.imwrite(tmp_path / "m.tif", missing.astype(dtype), photometric="minisblack")
    assert "filled 32 of 5,040 values" in restore("a.tif", "--mask", "m.tif").out


def test_a_mask_that_stays_beside_the_image_is_not_said_to_be_lost(restore, tmp_path):
    np.savez(tmp_path / "a.npz", image=PLANE, mask=MASK)
    half = np.where(MASK & (np.arange(MASK.shape[1]) < 15), 255, 0).astype(np.uint8)
    Image.fromarray(half).save(tmp_path / "half.png")
    assert restore("a.npz", "--missing", "none", "--mask", "half.png").err == ""


def test_single_numbers_beside_the_image_go_along(restore, tmp_path):
    np.savez(tmp_path / "a.npz", exposure=3.5, image=PLANE, unit=np.array("mm"), mask=MASK)
    restore("a.npz")
    with np.load(tmp_path / "a-restored.npz") as after:
        assert {name: after[name].shape for name in after.files} == {
            "exposure": (), "image": PLANE.shape, "unit": (), "mask": MASK.shape
        }  # fmt: skip
        assert (after["exposure"], after["unit"]) == (3.5, "mm")
        np.testing.assert_array_equal(after["image"][~MASK], PLANE[~MASK])


@pytest.mark.parametrize(
    ("save", "says"),
    [
        (lambda path: np.save(path, np.array([None])), "it holds Python objects. Save an array of numbers."),
        (lambda path: np.save(path, np.float64(3)), "it holds a single number."),
        (lambda path: np.save(path, np.zeros((0, 3))), r"it holds no pixels: its shape is \(0, 3\)."),
        (lambda path: np.savez(path, a=PLANE, b=PLANE), "it holds the arrays a, b, where it must hold one"),
        (lambda path: np.savez(path, a=PLANE, mask=MASK, missing=MASK), "one image, .* and an array named mask"),
        (lambda path: np.savez(path, a=3.5), "it holds the arrays a, where it must hold one image"),
        (lambda path: np.savez(path, a=PLANE, mask=MASK.T), r"its mask has shape \(30, 20\), and its image"),
        (lambda path: zipfile.ZipFile(path, "w").writestr("word.xml", "x"), "it is an archive, and not of arrays"),
    ],
)
def test_what_is_refused(tmp_path, save, says):
    with (tmp_path / "a.npy").open("wb") as file:
        save(file)
    with pytest.raises(ValueError, match=rf"a\.npy cannot be read as a picture: .*{says}"):
        read(tmp_path / "a.npy")


def test_infinite_values_are_refused_with_an_option_that_helps(restore, tmp_path):
    """The sentence named `mask=`, which the command line has not."""
    np.save(tmp_path / "a.npy", np.where(MASK, -np.inf, PLANE))
    assert "infinite values instead. Give --mask, or --missing inf,-inf." in restore("a.npy", status=2).err
    restore("a.npy", "--missing", "inf,-inf")
    np.testing.assert_allclose(np.load(tmp_path / "a-restored.npy"), PLANE, atol=5)
