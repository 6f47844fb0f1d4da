"""The drop-in for scikit-image's function: the same cases, the same answers, and what it mends."""

import numpy as np
import pytest
from skimage.data import astronaut
from skimage.morphology import dilation, disk
from skimage.restoration import inpaint_biharmonic as peer

from skinpaint import inpaint_biharmonic


def staircase():
    """A parabola whose upper right corner is missing."""
    image = np.tile(np.linspace(0, 1, 5) ** 2, (5, 1))
    mask = np.zeros_like(image)
    for row, first in enumerate((4, 3, 2)):
        mask[row, first:] = 1
    return np.where(mask, 0, image), mask


# Its upper right corner restored, known pixels included, to the digits that scikit-image's own tests state.
CORNER = np.array([[0.5625, 0.73925058], [0.5478048, 0.76557821], [0.5623079, 0.85927796]])


@pytest.mark.parametrize("split_into_regions", [False, True])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_keep_their_precision_but_the_shortest(dtype, split_into_regions):
    image, mask = staircase()
    out = inpaint_biharmonic(image.astype(dtype), mask, split_into_regions=split_into_regions)
    assert out.dtype == (np.float64 if dtype == np.float64 else np.float32)
    np.testing.assert_allclose(out[:3, 3:], CORNER, rtol=1e-7 if dtype == np.float64 else 1e-6)


def test_a_volume():
    image, mask = staircase()
    volume, missing = np.dstack((image, image.T)), np.dstack((mask, mask))
    volume[missing > 0] = 0
    np.testing.assert_allclose(inpaint_biharmonic(volume, missing), peer(volume, missing), rtol=0, atol=1e-12)


@pytest.mark.parametrize("channel_axis", [0, 1, -1])
def test_colour(channel_axis):
    image = astronaut()[:64, :64]
    mask = np.zeros((64, 64), bool)
    mask[8:16, :16] = True
    damaged = np.moveaxis(image * ~mask[..., None], -1, channel_axis)
    out = inpaint_biharmonic(damaged, mask, channel_axis=channel_axis)
    np.testing.assert_allclose(out, peer(damaged, mask, channel_axis=channel_axis), rtol=0, atol=1e-10)


def scratches_and_spots(shape):
    """Blocks, long narrow lines and spots of several sizes."""
    mask = np.zeros(shape, bool)
    for rows, columns in [
        ((20, 50), (3, 20)),
        ((165, 180), (90, 155)),
        ((40, 60), (170, 195)),
        ((-50, -20), (0, 20)),
        ((200, 205), (0, 200)),
        ((150, 255), (20, 22)),
        ((365, 368), (60, 130)),
    ]:
        mask[slice(*rows), slice(*columns)] = True
    rng = np.random.default_rng(0)
    for radius in (0, 2, 4):
        mask |= dilation(rng.standard_normal(shape) > 3.25 + 0.25 * radius, disk(radius, dtype=bool))
    return mask


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_a_damaged_photograph(dtype, order):
    image = astronaut()[:, :200, 0]
    mask = scratches_and_spots(image.shape)
    damaged = np.asarray(np.where(mask, 0, image).astype(dtype), order=order)
    if damaged.dtype.kind == "f":
        damaged /= dtype(255)
    before = damaged.copy(order="A")
    out = inpaint_biharmonic(damaged, mask)
    expected = peer(damaged.astype(np.float64) if dtype == np.float32 else damaged, mask)
    assert out.dtype == (np.float32 if dtype == np.float32 else np.float64)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(damaged, before)


def test_nothing_missing_gives_a_copy_in_floats():
    image = np.array([[0, 51], [102, 255]], np.uint8)
    np.testing.assert_array_equal(inpaint_biharmonic(image, np.zeros((2, 2))), image / 255)
    floats = image / 255
    assert not np.shares_memory(inpaint_biharmonic(floats, np.zeros((2, 2))), floats)


@pytest.mark.parametrize(
    ("image", "mask", "error"),
    [
        (np.zeros([]), np.zeros([]), ValueError),
        (np.zeros((2, 2)), np.zeros((4, 1)), ValueError),
        (np.ma.array(np.zeros((2, 2)), mask=False), np.zeros((2, 2)), TypeError),
    ],
    ids=["no axis", "shapes", "masked array"],
)
def test_invalid_input_raises_the_same_errors(image, mask, error):
    for function in (peer, inpaint_biharmonic):
        with pytest.raises(error):
            function(image, mask)


def test_nan_is_missing_and_poisons_nothing():
    image, mask = staircase()
    clean = inpaint_biharmonic(np.pad(image, ((0, 9), (0, 0)), mode="edge"), np.pad(mask, ((0, 9), (0, 0))))
    dirty = np.pad(image, ((0, 9), (0, 0)), mode="edge")
    dirty[-1, 1] = np.nan
    out = inpaint_biharmonic(dirty, np.pad(mask, ((0, 9), (0, 0))))
    np.testing.assert_allclose(out[:5], clean[:5], rtol=0, atol=1e-12)
    assert np.isfinite(out).all()
    assert abs(out[-1, 1] - 0.0625) < 0.02


def test_everything_masked_is_refused_in_words():
    with pytest.raises(ValueError, match=r"at least one known pixel in every channel.*everything is missing"):
        inpaint_biharmonic(np.ones((4, 5)), np.ones((4, 5)))


def test_a_masked_array_is_sent_to_the_function_that_takes_it():
    with pytest.raises(TypeError, match=r"must not be a masked array\. Use skinpaint\.inpaint"):
        inpaint_biharmonic(np.ma.array([1.0, 2.0], mask=[True, False]), [False, False])


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("photo.png", r"Got the path 'photo\.png' instead\. Read it first"),
        (None, "OpenCV's imread returns None"),
        (np.ones((3, 4), object), r"hold integers or real floats\. Got object instead"),
    ],
)
def test_what_is_no_image_is_refused_in_words(image, says):
    """scikit-image says what it cannot convert, and not whose parameter it is."""
    with pytest.raises(TypeError, match=f"The 'image' parameter must .*{says}"):
        inpaint_biharmonic(image, np.eye(3, 4))
