"""What is missing: grown masks, nodata values, and pixels that are too far from every known one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import binary_dilation

from skinpaint import Inpainter, inpaint, masks
from skinpaint.methods import METHODS

spatial_masks = arrays(bool, array_shapes(min_dims=1, max_dims=3, max_side=6))


class TestGrow:
    @given(spatial_masks, st.integers(0, 3))
    def test_is_a_dilation_by_a_square(self, mask, pixels):
        expected = binary_dilation(mask, np.ones((2 * pixels + 1,) * mask.ndim))
        np.testing.assert_array_equal(masks.grow(mask, pixels), expected)

    @given(spatial_masks)
    def test_one_by_one_is_as_far_as_at_once(self, mask):
        np.testing.assert_array_equal(masks.grow(masks.grow(mask, 1), 2), masks.grow(mask, 3))

    def test_channels_stay_apart(self):
        mask = np.zeros((5, 6, 3), bool)
        mask[2, 2, 1] = True
        grown = masks.grow(mask, 1, channel_axis=-1)
        assert grown[..., 1].sum() == 9
        assert grown.sum() == 9
        np.testing.assert_array_equal(masks.grow(np.moveaxis(mask, -1, 0), 1, channel_axis=0)[1], grown[..., 1])

    def test_the_mask_is_not_written_to(self):
        mask = np.array([0, 255, 0, 0], np.uint8)
        assert masks.grow(mask, 1).tolist() == [True, True, True, False]
        assert mask.tolist() == [0, 255, 0, 0]
        same = np.array([True, False])
        assert not np.shares_memory(masks.grow(same, 0), same)

    @pytest.mark.parametrize("pixels", [9, 2**40, 10**30])
    def test_more_pixels_than_there_are(self, pixels):
        """2**40 of them ended in a MemoryError, and 10**30 in an OverflowError."""
        mask = np.zeros((3, 1, 8, 2), bool)
        mask[0, 0, 0, 1] = True
        assert masks.grow(mask, pixels, channel_axis=-1).all(axis=(0, 1, 2)).tolist() == [False, True]

    @pytest.mark.parametrize("pixels", [-1, 1.5, True, None, "2"])
    def test_refuses_other_numbers_of_pixels(self, pixels):
        with pytest.raises(ValueError, match=rf"parameter of grow must be an int of at least 0. Got {pixels!r} ins"):
            masks.grow([True, False], pixels)

    @pytest.mark.parametrize("name", METHODS)
    def test_at_the_door_it_is_a_larger_mask(self, name, grey, mask):
        mask &= np.arange(11) < 6
        inpainter = Inpainter(name, grow=1).fit(grey, mask=mask)
        np.testing.assert_array_equal(inpainter.mask_, masks.grow(mask, 1))
        np.testing.assert_array_equal(inpainter.restored_, inpaint(grey, masks.grow(mask, 1), method=name))

    def test_nan_and_nodata_grow_as_well(self):
        image = np.array([0.0, 1.0, np.nan, 3.0, 4.0, 5.0, 6.0, -9.0, 8.0])
        inpainter = Inpainter("laplace", grow=1, missing_values=-9).fit(image)
        assert np.flatnonzero(inpainter.mask_).tolist() == [1, 2, 3, 6, 7, 8]

    def test_a_score_hides_no_more_than_without(self):
        image = np.add.outer(np.arange(20.0), np.arange(20.0))
        image[5:8, 5:8] = np.nan
        assert Inpainter("laplace", grow=1).score(image) > 20


class TestMaxDistance:
    def test_far_pixels_stay_as_they_came(self):
        image = np.arange(20, dtype=np.uint8)
        mask = (image > 3) & (image < 16)
        image[mask] = 77
        inpainter = Inpainter("laplace", max_distance=3).fit(image, mask=mask)
        assert inpainter.restored_.tolist() == [*range(7), *[77] * 6, *range(13, 20)]
        assert np.flatnonzero(inpainter.mask_).tolist() == [4, 5, 6, 13, 14, 15]
        assert (
            "Left 6 missing pixels as they came, further than max_distance=3 from every" in inpainter.solution_.status
        )

    def test_in_a_float_image_they_are_nan(self):
        image = np.array([0.0, 5.0, 5.0, 5.0, 4.0])
        restored = inpaint(image, [0, 1, 1, 1, 0], method="laplace", max_distance=1)
        np.testing.assert_allclose(restored, [0.0, 1.0, np.nan, 3.0, 4.0])

    def test_the_distance_is_in_units_of_the_spacing(self):
        mask = np.zeros((9, 9), bool)
        mask[1:8, 1:8] = True
        for spacing, left in (((1.0, 1.0), 25), ((1.0, 0.25), 0), ((2.0, 2.0), 49)):
            inpainter = Inpainter("laplace", spacing=spacing, max_distance=1.0).fit(np.eye(9), mask=mask)
            assert (mask & ~inpainter.mask_).sum() == left

    @pytest.mark.parametrize("spacing", [0.1, 0.05, 1.1, 2.2, float(np.float32(0.1))])
    @pytest.mark.parametrize("chunked", [False, True])
    def test_a_distance_of_whole_pixels_is_not_less_by_its_rounding(self, spacing, chunked):
        """Three pixels of 0.1 are 0.30000000000000004."""
        row = np.array([0.0, *[np.nan] * 9, 1.0])
        image = pytest.importorskip("dask.array").from_array(row, 4) if chunked else row
        filled = inpaint(image, method="laplace", spacing=spacing, max_distance=round(3 * spacing, 6))
        assert np.isnan(np.asarray(filled)).tolist() == [*[False] * 4, *[True] * 3, *[False] * 4]

    def test_what_is_near_is_filled_as_without_it(self, grey, mask):
        for name in METHODS:
            near = Inpainter(name, max_distance=1.2).fit(grey, mask=mask)
            np.testing.assert_array_equal(near.restored_[near.mask_], inpaint(grey, mask, method=name)[near.mask_])
            assert near.mask_.sum() < mask.sum()

    def test_channels_have_distances_of_their_own(self):
        image = np.dstack([np.eye(5), np.eye(5)])
        mask = np.zeros((5, 5, 2), bool)
        mask[:4, :, 0] = mask[2, 2, 1] = True
        inpainter = Inpainter("laplace", channel_axis=-1, max_distance=1).fit(image, mask=mask)
        assert inpainter.mask_.shape == image.shape
        assert inpainter.mask_[..., 0].sum() == 5
        assert inpainter.mask_[..., 1].sum() == 1
        assert "Left 15 missing values" in inpainter.solution_.status

    def test_a_score_is_of_everything(self):
        image = np.add.outer(np.arange(20.0), np.arange(20.0))
        image[5:12, 5:12] = np.nan
        assert np.isfinite(Inpainter("laplace", max_distance=1.0).score(image))


class TestNodata:
    def test_several_values(self):
        image = np.array([0, 10, 20, 4095, 40, 50], np.uint16)
        inpainter = Inpainter("laplace", missing_values=(0, 4095)).fit(image)
        assert inpainter.mask_.tolist() == [True, False, False, True, False, False]
        assert inpainter.restored_.tolist() == [10, 10, 20, 30, 40, 50]

    def test_beside_a_mask_and_nan(self):
        image = np.array([0.0, 1.0, np.nan, 3.0, -9.0, 5.0, -8.0, 7.0])
        inpainter = Inpainter("laplace", missing_values=(-9, -8.0, np.nan)).fit(image, mask=np.arange(8) == 1)
        np.testing.assert_allclose(inpainter.restored_, np.arange(8.0), atol=1e-12)

    @pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32])
    @pytest.mark.parametrize("value", [10**400, -1.7976931348623157e308], ids=["int", "float"])
    def test_what_the_dtype_cannot_hold_is_nowhere(self, value, dtype):
        image = np.arange(6, dtype=dtype)
        assert not Inpainter("laplace", missing_values=(value, 3)).fit(image).mask_[[0, 1, 2, 4, 5]].any()


@pytest.mark.parametrize("axis", [3, -4, "x", True])
def test_grow_refuses_what_is_no_axis(axis):
    """3 was taken for 0."""
    with pytest.raises(ValueError, match=r"'channel_axis' parameter of grow must be None or an axis .* \(4, 4, 3\)"):
        masks.grow(np.eye(4)[..., None].repeat(3, -1), 1, channel_axis=axis)
