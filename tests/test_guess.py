"""What is assumed about a mask is said, and not assumed where it is implausible; what looks wrong is asked about."""

import warnings

import numpy as np
import pytest
from skimage import data

from skinpaint import GuessedMaskWarning, Inpainter, compare, inpaint
from skinpaint.damage import random_pixels, scratches

PHOTOGRAPHS = [
    "astronaut", "brick", "camera", "cat", "cell", "chelsea", "coffee", "coins", "colorwheel", "grass", "gravel",
    "hubble_deep_field", "immunohistochemistry", "moon", "page", "retina", "rocket", "text",
]  # fmt: skip


def photograph(name):
    image = getattr(data, name)()
    return image, None if image.ndim == 2 else -1


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_an_undamaged_photograph_is_left_alone(name):
    image, axis = photograph(name)
    inpainter = Inpainter("laplace", channel_axis=axis).fit(image)
    assert inpainter.solution_.reason == "nothing_missing"
    np.testing.assert_array_equal(inpainter.restored_, image)
    saturated = np.isin(image, (0, 255)).reshape(*image.shape[:2], -1).all(axis=-1)
    assert ("which look like highlights or shadows" in inpainter.solution_.status) == saturated.any()


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.6, 0.9, 0.95])
@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_salt_and_pepper_is_found(name, fraction):
    image, axis = photograph(name)
    image = image[:300, :300]
    damaged, mask = random_pixels(image, fraction, channel_axis=axis, rng=0)
    with pytest.warns(GuessedMaskWarning, match=r"^Took \d+ pixels \(.* %\) at 0 or 255 for missing; pass mask= or"):
        inpainter = Inpainter("laplace", channel_axis=axis).fit(damaged)
    assert (inpainter.mask_ >= mask).all()


def test_what_was_asked_for_does_not_warn():
    damaged, mask = random_pixels(data.camera()[:64, :64], 0.5, rng=0)
    Inpainter("laplace", missing_values="saturated").fit(damaged)
    Inpainter("laplace").fit(damaged, mask=mask)
    assert Inpainter("laplace", missing_values=None).fit(damaged).mask_.sum() == 0


@pytest.mark.parametrize("call", [inpaint, lambda image, **options: Inpainter(**options).fit(image)])
def test_the_warning_points_at_the_line_of_the_caller(call):
    damaged, _ = random_pixels(data.camera()[:64, :64], 0.5, rng=0)
    with pytest.warns(GuessedMaskWarning) as said:
        call(damaged, method="laplace")
    assert said[0].filename == __file__


def test_scratches_are_found():
    damaged, mask = scratches(data.brick()[:200, :200], rng=0)
    with pytest.warns(GuessedMaskWarning):
        np.testing.assert_array_equal(Inpainter("laplace").fit(damaged).mask_, mask)


class TestInvertedMask:
    @pytest.mark.parametrize("nodata", [0, -9999.0, np.nan])
    def test_is_asked_about(self, nodata):
        image = data.coins()[:100, :100].astype(float)
        valid = np.ones(image.shape, bool)
        valid[30:60, 30:60] = False
        image[~valid] = nodata
        if np.isnan(nodata):
            with pytest.raises(ValueError, match="everything is missing"):
                inpaint(image, valid)
            return
        with pytest.warns(GuessedMaskWarning, match=r"^Is the mask inverted\? The 9100 pixels .* pass ~mask"):
            inpaint(image, valid, method="laplace")
        with pytest.warns(GuessedMaskWarning, match=r"^Is the mask inverted\? "):  # it was ranked without a word
            compare(image, valid, "laplace", draws=1)

    @pytest.mark.parametrize("channel_axis", [None, 0])
    def test_is_asked_about_in_chunks(self, channel_axis):
        da = pytest.importorskip("dask.array")
        image = data.coins()[:100, :100]
        valid = np.ones(image.shape, bool)
        valid[30:60, 30:60] = False
        image = np.where(valid, image, 0)
        if channel_axis is not None:
            image = np.stack([image, image // 2])
        chunked = da.from_array(image, 50)
        with pytest.warns(GuessedMaskWarning, match=r"^Is the mask inverted\? The 9100 pixels .* pass ~mask"):
            inpaint(chunked, da.from_array(valid, 50), method="laplace", channel_axis=channel_axis)
        inpaint(chunked, ~valid, method="laplace", channel_axis=channel_axis)

    @pytest.mark.parametrize("name", ["camera", "coins", "text", "page"])
    @pytest.mark.parametrize("fraction", [0.02, 0.5, 0.98])
    def test_is_not_where_it_is_right(self, name, fraction):
        image = getattr(data, name)()[:160, :160]
        mask = np.random.default_rng(0).random(image.shape) < fraction
        for hidden in (image, np.where(mask, 0, image)):
            inpaint(hidden, mask, method="laplace")

    def test_a_binary_picture_is_no_reason(self):
        image = data.horse()[:200, :200].astype(np.uint8) * 255
        inpaint(image, np.random.default_rng(0).random(image.shape) < 0.5, method="laplace")

    def test_a_score_is_not_asked_about(self):
        image = np.zeros((64, 64))
        image[::2] = 1
        image[np.eye(64, dtype=bool)] = np.nan
        Inpainter("laplace").score(image)


class TestColours:
    @pytest.mark.parametrize(("shape", "axis"), [((40, 50, 3), -1), ((4, 40, 50), 0), ((64, 64, 4), -1)])
    def test_are_asked_about(self, shape, axis, rng):
        image, mask = rng.random(shape), rng.random(shape) < 0.3
        with pytest.warns(GuessedMaskWarning, match=rf"^Is axis {axis} that of colours\? .* Pass channel_axis={axis} "):
            inpaint(image, mask, method="laplace")
        with pytest.warns(GuessedMaskWarning, match=rf"^Is axis {axis} that of colours\?"):
            compare(image, mask, "laplace", draws=1)
        inpaint(image, mask, method="laplace", channel_axis=axis)

    def test_are_asked_about_in_chunks(self, rng):
        image, mask = pytest.importorskip("dask.array").from_array(rng.random((40, 50, 3))), rng.random((40, 50)) < 0.3
        with pytest.warns(GuessedMaskWarning, match=r"^Is axis -1 that of colours\? "):
            inpaint(image, np.dstack([mask] * 3), method="laplace")
        inpaint(image, mask, method="laplace", channel_axis=-1)

    @pytest.mark.parametrize("shape", [(40, 50, 5), (3, 8, 40), (40, 50), (16, 16, 3), (3, 40, 50, 6)])
    def test_are_not_where_there_are_none(self, shape, rng):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            inpaint(rng.random(shape), rng.random(shape) < 0.3, method="laplace")
