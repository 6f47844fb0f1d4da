"""What goes in comes back in its place: dtypes, layouts, channels, and every way of being missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from skimage import data

from skinpaint import GradientDescent, GuessedMaskWarning, Inpainter, inpaint
from skinpaint.methods import METHODS
from skinpaint.problem import Problem

DTYPES = ["uint8", "uint16", "int16", "float16", "float32", "float64"]
EXACT = "laplace"


def filled(image, mask, **settings):
    """Restore with the closed form, and check what holds for every restoration."""
    before = np.ma.getdata(image).tobytes()
    restored = Inpainter(EXACT, **settings).fit_restore(image, mask)
    assert np.ma.getdata(image).tobytes() == before
    assert type(restored) is np.ndarray
    assert restored.shape == np.shape(image)
    assert restored.dtype == np.ma.getdata(image).dtype
    return restored


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["<", ">"])
def test_dtypes_and_byte_orders(grey, mask, dtype, order):
    image = grey.astype(np.dtype(dtype).newbyteorder(order))
    restored = filled(image, mask)
    assert restored[~mask].tobytes() == image[~mask].tobytes()
    exact = filled(grey.astype(float), mask)
    if restored.dtype.kind == "f":
        np.testing.assert_allclose(restored, exact, rtol=np.finfo(dtype).eps)
    else:
        assert np.abs(restored - exact).max() <= 0.5 + 1e-9
        assert (restored != exact.astype(int)).any()  # rounded, not cut off


@pytest.mark.parametrize("dtype", ["int8", "uint32", "int32", "uint64", "int64"])
def test_other_integers_up_to_their_limits(dtype, mask, rng):
    info = np.iinfo(dtype)
    image = rng.choice(np.array([info.min, info.max // 2, info.max], dtype), mask.shape)
    restored = filled(image, mask)
    np.testing.assert_array_equal(restored[~mask], image[~mask])


@pytest.mark.parametrize("dtype", [*DTYPES, ">i2", ">f4"])
@pytest.mark.parametrize(
    "layout",
    {
        "Fortran": np.asfortranarray,
        "strided": lambda a: np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3],
        "negative strides": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
        "transposed": lambda a: np.ascontiguousarray(a.T).T,
    }.items(),
    ids=lambda item: item[0],
)
def test_memory_layouts_change_nothing(grey, mask, dtype, layout):
    image = grey.astype(dtype)
    expected = filled(image, mask)
    laid_out, laid_out_mask = layout[1](image), layout[1](mask)
    assert not laid_out.flags.c_contiguous
    laid_out.flags.writeable = False
    laid_out_mask.flags.writeable = False
    assert filled(laid_out, laid_out_mask).tobytes() == expected.tobytes()


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_memory_mapped_files_are_read_and_left_alone(grey, mask, tmp_path, mode):
    path = tmp_path / "image.dat"
    grey.tofile(path)
    mapped = np.memmap(path, dtype=grey.dtype, mode=mode, shape=grey.shape)
    assert filled(mapped, mask).tobytes() == filled(grey, mask).tobytes()
    assert path.read_bytes() == grey.tobytes()


def test_subclasses_come_back_as_what_they_were(grey, mask):
    class Tagged(np.ndarray):
        pass

    assert type(inpaint(grey.view(Tagged), mask, method=EXACT)) is Tagged


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_answer_is_a_new_array_that_can_be_written_to(name, grey, mask, dtype):
    image = grey.astype(dtype)
    image.flags.writeable = False
    inpainter = Inpainter(name)
    restored = inpainter.fit_restore(image, mask)
    restored[:] = 0
    assert inpainter.restore().any()
    inpainter.restore()[:] = 0
    assert inpainter.restored_.any()


@pytest.mark.parametrize("shared", [True, False], ids=["one mask", "a mask per channel"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_channel_axis_anywhere(colour, mask, rng, axis, dtype, shared):
    image = colour.astype(dtype)
    own = mask if shared else np.stack([mask, ~mask, mask[::-1]], -1)
    expected = filled(image, own, channel_axis=-1)
    moved_mask = own if shared else np.moveaxis(own, -1, axis)
    restored = filled(np.moveaxis(image, -1, axis), moved_mask, channel_axis=axis)
    np.testing.assert_array_equal(np.moveaxis(restored, axis, -1), expected)


def test_channels_of_a_closed_form_are_those_of_grey_images(colour, mask):
    own = np.stack([mask, ~mask, mask[::-1]], -1)
    restored = filled(colour, own, channel_axis=-1)
    for c in range(3):
        np.testing.assert_array_equal(restored[..., c], filled(colour[..., c], own[..., c]))


def test_mask_attribute_is_spatial_unless_channels_differ(colour, mask):
    inpainter = Inpainter(EXACT, channel_axis=0)
    image = np.moveaxis(colour, -1, 0)
    full = np.stack([mask] * 3)
    for same in (mask, full):
        np.testing.assert_array_equal(inpainter.fit(image, mask=same).mask_, mask)
    full[1] = ~mask
    np.testing.assert_array_equal(inpainter.fit(image, mask=full).mask_, full)


@pytest.mark.parametrize("shape", [(17,), (1, 9), (9, 1), (7, 6), (4, 5, 6), (3, 2, 4, 3)])
@pytest.mark.parametrize("channels", [False, True])
def test_any_number_of_axes(shape, channels, rng):
    image = rng.random((*shape, 2) if channels else shape)
    mask = rng.random(shape) < 0.4
    mask.flat[:2] = True, False
    restored = filled(image, mask, channel_axis=-1 if channels else None)
    assert restored[~mask].tobytes() == image[~mask].tobytes()
    assert (restored[mask] != image[mask]).all()


class TestWhereMissingComesFrom:
    def test_nan(self, grey, mask):
        expected = filled(grey.astype(float), mask)
        assert filled(np.where(mask, np.nan, grey), None).tobytes() == expected.tobytes()

    def test_nan_and_a_mask_add_up(self, grey, mask):
        nan = np.roll(mask, 3, axis=1) & (np.arange(11) > 4)
        image = np.where(nan, np.nan, grey)
        inpainter = Inpainter(EXACT).fit(image, mask=mask)
        np.testing.assert_array_equal(inpainter.mask_, mask | nan)
        assert np.isfinite(inpainter.restored_).all()

    @pytest.mark.parametrize("missing_values", ["auto", None, "saturated", -1])
    def test_nan_always_is(self, mask, missing_values, rng):
        image = np.where(mask, np.nan, rng.uniform(0.1, 0.9, mask.shape))
        inpainter = Inpainter(EXACT, missing_values=missing_values).fit(image)
        np.testing.assert_array_equal(inpainter.mask_, mask)

    def test_one_nan_far_away_stays_where_it_is(self, grey, mask):
        image = grey.astype(float)
        mask[-3:, -3:] = False
        with_nan = image.copy()
        with_nan[-1, -1] = np.nan
        restored = filled(with_nan, mask)
        keep = ~mask
        keep[-1, -1] = False
        np.testing.assert_array_equal(restored[keep], image[keep])
        assert np.isfinite(restored).all()

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_masked_arrays(self, grey, mask, dtype):
        image = np.ma.array(grey.astype(dtype), mask=mask, fill_value=7)
        restored = filled(image, None)
        assert restored.tobytes() == filled(grey.astype(dtype), mask).tobytes()

    def test_what_is_left_of_a_masked_array_stays_masked(self):
        image = np.ma.array([1, -9, -9, -9, -9, 6], mask=[0, 1, 1, 1, 1, 0])
        restored = Inpainter(EXACT, max_distance=1).fit_restore(image)
        np.testing.assert_array_equal(np.ma.getmaskarray(restored), [0, 0, 1, 1, 0, 0])
        assert type(Inpainter(EXACT).fit_restore(image)) is np.ndarray

    @pytest.mark.parametrize("missing_values", ["auto", None, 255])
    def test_masked_entries_always_are(self, grey, mask, missing_values):
        image = np.ma.array(grey, mask=mask)
        inpainter = Inpainter(EXACT, missing_values=missing_values).fit(image)
        np.testing.assert_array_equal(inpainter.mask_, mask)

    def test_masked_entries_and_a_mask_add_up(self, grey, mask):
        masked = np.zeros_like(mask)
        masked[0, 5:8] = True
        inpainter = Inpainter(EXACT).fit(np.ma.array(grey, mask=masked), mask=mask)
        np.testing.assert_array_equal(inpainter.mask_, mask | masked)

    def test_a_masked_array_that_masks_nothing(self, grey, mask):
        image = np.ma.array(np.where(mask, 255, grey).astype(np.uint8))
        with pytest.warns(GuessedMaskWarning):
            inpainter = Inpainter(EXACT).fit(image)
        np.testing.assert_array_equal(inpainter.mask_, mask)  # saturated, as for a plain array

    @pytest.mark.parametrize(
        ("dtype", "value"), [("int16", -999), ("float32", -9999.9), ("uint8", 7), ("float64", np.inf)]
    )
    def test_a_nodata_value(self, grey, mask, dtype, value):
        image = grey.astype(dtype)
        image[mask] = value
        inpainter = Inpainter(EXACT, missing_values=value)
        restored = inpainter.fit_restore(image)
        np.testing.assert_array_equal(inpainter.mask_, mask)
        assert restored.tobytes() == filled(grey.astype(dtype), mask).tobytes()

    def test_a_nodata_value_is_one_per_channel(self, colour):
        image = colour.astype(np.int16)
        image[2, 3, 1] = image[4, 5, 0] = -1
        inpainter = Inpainter(EXACT, channel_axis=-1, missing_values=-1).fit(image)
        np.testing.assert_array_equal(inpainter.mask_, image == -1)

    def test_a_nodata_value_adds_to_a_given_mask(self, grey, mask):
        image = grey.astype(np.int16)
        image[8, 2:5] = -1
        inpainter = Inpainter(EXACT, missing_values=-1).fit(image, mask=mask)
        np.testing.assert_array_equal(inpainter.mask_, mask | (image == -1))

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
    def test_saturated(self, grey, mask, dtype):
        image = grey.astype(dtype) / 255 if dtype == "float32" else grey.astype(dtype)
        low, high = (0, 1) if dtype == "float32" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        image[mask] = np.resize([low, high], mask.sum())
        inpainter = Inpainter(EXACT, missing_values="saturated").fit(image)
        np.testing.assert_array_equal(inpainter.mask_, mask)
        with pytest.warns(GuessedMaskWarning, match=rf"^Took {mask.sum()} pixels .* at {low} or {high} for missing"):
            inpainter = Inpainter(EXACT).fit(image)
        np.testing.assert_array_equal(inpainter.mask_, mask)
        np.testing.assert_array_equal(Inpainter(EXACT, missing_values=None).fit(image).restored_, image)

    def test_saturated_in_every_channel_only(self, colour):
        colour[1, 1] = 0, 255, 0
        colour[2, 2] = 255, 255, 254
        with pytest.warns(GuessedMaskWarning):
            inpainter = Inpainter(EXACT, channel_axis=-1).fit(colour)
        np.testing.assert_array_equal(np.argwhere(inpainter.mask_), [[1, 1]])

    def test_auto_says_what_it_took(self, grey, mask):
        grey[0, 1], grey[3, 3] = 0, 255
        with pytest.warns(GuessedMaskWarning):
            status = Inpainter(EXACT).fit(grey).solution_.status
        assert status.endswith("Took 2 pixels (2.02 %) at 0 or 255 for missing; pass mask= or missing_values=.")

    def test_what_was_asked_for_is_not_remarked_upon(self, grey, mask):
        grey[0, 1] = 0
        for settings in ({"missing_values": "saturated"}, {"missing_values": 0}):
            assert "for missing" not in Inpainter(EXACT, **settings).fit(grey).solution_.status
        assert "for missing" not in Inpainter(EXACT).fit(grey, mask=mask).solution_.status

    def test_auto_with_nan_leaves_saturated_pixels_alone(self, mask, rng):
        image = np.where(mask, np.nan, rng.uniform(0.1, 0.9, mask.shape))
        image[0, 0] = 1.0
        np.testing.assert_array_equal(Inpainter(EXACT).fit(image).mask_, mask)

    def test_the_default_method_changes_no_pixel_of_a_photograph_outside_the_mask(self):
        image = data.astronaut()
        assert np.isin(image, (0, 255)).all(axis=-1).mean() > 0.1
        mask = np.zeros(image.shape[:2], bool)
        mask[200:220, 250:280] = True
        restored = Inpainter(channel_axis=-1).fit_restore(image, mask)
        assert restored[~mask].tobytes() == image[~mask].tobytes()
        assert (restored[mask] != image[mask]).any()


class TestRange:
    def test_twelve_bits_in_sixteen_stay_twelve_bits(self, mask, rng):
        image = rng.integers(0, 4096, mask.shape).astype(np.uint16)
        image[0, 0], mask[0, 0] = 4095, False
        restored = filled(image, mask)
        exact = filled(image.astype(float), mask)
        assert np.abs(restored - exact).max() <= 0.5 + 1e-9
        assert restored.max() == 4095

    @pytest.mark.parametrize("name", METHODS)
    def test_filled_pixels_stay_in_the_known_range_of_their_channel(self, name, colour, mask):
        image = colour + np.array([0.0, 1000, -1000])
        restored = inpaint(image, mask, method=name, channel_axis=-1)
        for c in range(3):
            known, new = image[~mask][:, c], restored[mask][:, c]
            assert known.min() <= new.min()
            assert new.max() <= known.max()

    def test_values_are_clipped_to_the_bounds_after_the_solve(self, grey, mask):
        problem = Problem.from_image(grey, mask)
        low, high = grey[~mask].min(), grey[~mask].max()
        for value, expected in ((-1.0, low), (2.0, high), (1e30, high)):
            np.testing.assert_array_equal(problem.write_back(np.full((*grey.shape, 1), value))[mask], expected)

    def test_what_is_said_of_fills_at_the_bounds(self, rng):
        """The sentence counted values that were left, constant channels, and ends of the dtype, which none can pass."""
        said = "filled values are at the lowest or highest known value"
        image = np.clip(rng.normal(128, 150, (12, 12)), 0, 255)
        mask = rng.random(image.shape) < 0.5

        def status(image, mask=mask, method="biharmonic", **settings):
            return Inpainter(method, **settings).fit(image, mask=mask).solution_.status

        assert said in status(image)
        assert said not in status(image, bounds=(image[~mask].min(), image[~mask].max()))
        assert said not in status(image.astype(np.uint8))
        assert said in status(image.astype(np.int16))
        half = Inpainter("laplace", channel_axis=-1).fit(np.stack([image, 0 * image], axis=-1), mask=mask)
        assert said not in half.solution_.status
        wide = np.pad(image, ((0, 0), (0, 30)), constant_values=np.nan)
        count, _, _ = status(wide, None, max_distance=1).partition(f" {said}")
        assert int(count.rpartition(" ")[2]) <= 12
        few = Problem.from_image(wide, max_distance=1)
        assert few.at_bound(few.filling(few.missing, np.zeros((few.missing.size, 1)))) == 12
        damaged = np.where(mask, 255, 99 + image // 9).astype(np.uint8)
        still = GradientDescent(start="damaged", step_size=1e-9, max_iter=1, tol=None)
        assert said not in status(damaged, method=still)

    @pytest.mark.parametrize(
        ("dtype", "limits"), [("uint8", (0, 255)), ("int16", (-32768, 32767)), ("float32", (0, 1))]
    )
    def test_bounds_of_the_dtype(self, mask, dtype, limits, rng):
        image = (rng.uniform(0.2, 0.8, mask.shape) if dtype == "float32" else rng.integers(9, 99, mask.shape)).astype(
            dtype
        )
        problem = Problem.from_image(image, mask, bounds="dtype")
        for value, expected in zip((-1e9, 1e9), limits, strict=True):
            np.testing.assert_array_equal(problem.write_back(np.full((*image.shape, 1), value))[mask], expected)

    @pytest.mark.parametrize("name", METHODS)
    @pytest.mark.parametrize(("dtype", "bounds"), [("int64", "dtype"), ("int32", "dtype"), ("float32", (-1e9, 1e9))])
    def test_bounds_of_any_width_fill_as_narrow_ones_do(self, name, dtype, bounds, rng):
        image = (100 + 40 * np.sin(np.add.outer(np.arange(24), np.arange(30)) / 4)).astype(dtype)
        mask = rng.random(image.shape) < 0.4
        wide, narrow = (
            Inpainter(name, bounds=each).fit_restore(image, mask).astype(float) for each in (bounds, (50, 150))
        )
        assert np.abs(wide - narrow).max() <= 4, "of a range of 80: strengths and steps differ a little"

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    @pytest.mark.parametrize("bounds", [(0, 0.3), (0.1, 0.7), (-1e300, 0.3)])
    def test_values_at_the_bounds_are_in_them_whatever_the_dtype(self, mask, dtype, bounds, rng):
        image = np.clip(rng.normal(size=mask.shape), *bounds).astype(dtype)
        restored = Inpainter("laplace", bounds=bounds).fit_restore(image, mask)
        assert image.min() <= restored.min() < restored.max() <= image.max()

    @pytest.mark.parametrize("bounds", ["dtype", (0, 255), (0.0, 1000.0)])
    @pytest.mark.parametrize("blue", [[255], [254, 255]])
    def test_bounds_are_one_unit_for_all_channels(self, colour, mask, bounds, blue, rng):
        colour[..., 2] = rng.choice(blue, mask.shape)
        problem = Problem.from_image(colour, mask, channel_axis=-1, bounds=bounds)
        top = 255 if bounds == "dtype" else bounds[1]
        np.testing.assert_allclose(problem.values[~mask], colour[~mask] / top, rtol=0, atol=1e-15)

    def test_a_narrow_channel_beside_a_wide_one(self, grey, mask):
        image = np.stack([grey * 1e9, grey], axis=-1)
        both = Inpainter(EXACT, channel_axis=-1, bounds=(-1e20, 1e20)).fit_restore(image, mask)
        np.testing.assert_allclose(both[..., 1], filled(grey.astype(float), mask), rtol=0, atol=1e-9)

    @pytest.mark.parametrize("bounds", [None, "dtype", "known", "wide"])
    @pytest.mark.parametrize(("dtype", "lowest"), [("int64", 17 * 10**17), ("int64", -(2**62)), ("uint64", 2**63)])
    def test_integers_beyond_floats_are_exact_whatever_the_bounds(self, dtype, lowest, bounds):
        above = np.arange(12) * 10
        image, mask = np.array([lowest + int(each) for each in above], dtype), np.arange(12) % 3 == 1
        given = {"known": (lowest, lowest + 110), "wide": (lowest - 10**9, lowest + 10**9)}.get(bounds, bounds)
        restored = Inpainter("laplace", bounds=given).fit_restore(np.where(mask, image[0], image), mask)
        np.testing.assert_array_equal(restored, image)

    def test_bounds_of_integers_beyond_floats_are_kept(self):
        image = np.array([0, 7, 7, 4, 6, 6, 6, 20, 16], np.int64) + 2**62
        mask = np.array([0, 1, 1, 0, 0, 1, 1, 0, 0], bool)
        for low, high in ((-3, 22), (0, 20)):
            found = Inpainter("biharmonic", bounds=(2**62 + low, 2**62 + high)).fit_restore(image, mask) - 2**62
            near = Inpainter("biharmonic", bounds=(low, high)).fit_restore(image - 2**62, mask)
            np.testing.assert_array_equal(found, near)
        with pytest.raises(ValueError, match="must contain all known values"):
            Inpainter(bounds=(2**62 + 1, 2**62 + 20)).fit(image, mask=mask)

    @pytest.mark.parametrize("bounds", [(0, 250), (-3.5, 999.0), None])
    def test_units_of_the_problem(self, grey, mask, bounds):
        problem = Problem.from_image(grey, mask, bounds=bounds)
        low, high = bounds or (grey[~mask].min(), grey[~mask].max())
        expected = np.where(mask, 0.5, (grey.astype(float) - low) / (high - float(low)))
        np.testing.assert_allclose(problem.values[..., 0], expected, rtol=0, atol=1e-15)
        assert (problem.low, problem.high) == (0, 1)

    def test_each_channel_has_its_own_box_inside_a_common_unit(self, colour, mask):
        image = colour.astype(float)
        image[..., 2] *= 10
        problem = Problem.from_image(image, mask, channel_axis=-1)
        known = problem.values[~mask]
        np.testing.assert_allclose(problem.low, known.min(axis=0), rtol=0, atol=1e-15)
        np.testing.assert_allclose(problem.high, known.max(axis=0), rtol=0, atol=1e-15)
        assert problem.low.min() == 0
        assert problem.high.max() == 1

    @pytest.mark.parametrize("dtype", [*DTYPES, ">f4", ">u2"])
    def test_every_known_value_survives_the_way_in_and_out(self, dtype, rng):
        image = np.frombuffer(rng.bytes(800), dtype=dtype)
        image = image[np.isfinite(image)]
        if image.dtype == np.float64:  # a range beyond the largest float is refused
            image = image / 4
        mask = np.arange(image.size) % 5 == 2
        problem = Problem.from_image(image, mask)
        assert problem.write_back(problem.values)[~mask].tobytes() == image[~mask].tobytes()

    @pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
    def test_extreme_units(self, scale, grey, mask):
        restored = filled(grey * scale, mask)
        np.testing.assert_allclose(restored / scale, filled(grey.astype(float), mask), rtol=1e-12)

    def test_negative_zero_is_kept(self):
        image = np.array([-0.0, np.nan, 0.0, 1.0])
        assert filled(image, None)[[0, 2, 3]].tobytes() == image[[0, 2, 3]].tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_a_range_that_single_precision_cannot_hold(method):
    image = np.array([-3e38, 0, 3e38, np.nan, 1e38])
    with pytest.raises(ValueError, match=r"range float32 can hold\. Got -3e\+38 to 3e\+38 instead\. Divide the image"):
        inpaint(image.astype(np.float32), method=method)
    if method != "gd:classic":  # which asks for values in [0, 1]
        assert np.isfinite(inpaint(image, method=method)).all()


def test_overshoot_beyond_all_numbers_is_clipped(rng):
    image = (rng.random((40, 42)) - 0.5) * 1.7e308
    mask = rng.random(image.shape) < 0.3
    restored = inpaint(image, mask, method="biharmonic", missing_values=None)
    assert image[~mask].min() <= restored[mask].min()
    assert restored[mask].max() <= image[~mask].max()


@pytest.mark.parametrize("method", ["laplace", "biharmonic", "gd", "dct"])
@pytest.mark.parametrize(
    "known", [[2**64 - 1, 2**64 - 1001, 2**64 - 801], [2**53 + 1] * 3, [-(2**62) - 1, -(2**62) - 3, -(2**62)]]
)
def test_integers_that_double_precision_rounds_stay_in_the_known_range(method, known):
    kind = np.uint64 if max(known) >= 2**63 else np.int64
    image = np.array([known[0], known[1], 5, 5, known[2]], kind)
    restored = inpaint(image, [0, 0, 1, 1, 0], method=method, missing_values=None)
    assert restored.dtype == kind
    assert restored[[0, 1, 4]].tolist() == known
    assert min(known) <= int(restored[2]) <= max(known)
    assert min(known) <= int(restored[3]) <= max(known)


@pytest.mark.parametrize("method", ["laplace", "biharmonic", "gd", "dct"])
@pytest.mark.parametrize("lowest", [2**53 + 7, 2**60, -(2**63), 2**63 - 255, 2**63 + 5, 2**64 - 255])
def test_an_offset_beyond_double_precision_changes_nothing_else(method, lowest, rng):
    image = rng.integers(0, 200, (16, 17)).astype(object)
    mask = rng.random(image.shape) < 0.5
    expected = inpaint(image.astype(np.int64), mask, method=method)
    moved = (image + lowest).astype(np.uint64 if lowest >= 2**63 - 255 else np.int64)
    moved[mask] = 0
    inpainter = Inpainter(method).fit(moved, mask=mask)
    np.testing.assert_array_equal(inpainter.restored_.astype(object) - lowest, expected.astype(object))
    assert "equal" not in inpainter.solution_.status


def test_integers_as_far_apart_as_can_be():
    image = np.array([[-(2**63), 1, 2**63 - 1]] * 3, np.int64)
    mask = np.zeros(image.shape, bool)
    mask[1, 1] = True
    restored = inpaint(image, mask, method="laplace")
    np.testing.assert_array_equal(restored[~mask], image[~mask])
    assert abs(int(restored[1, 1])) < 2**11


def test_the_article_does_not_take_a_unit_for_grey_levels(grey, mask):
    """Its steps are for values in [0, 1]; beside values of 1e-7 they ended at 0.04."""
    image = 1e-9 * np.where(mask, grey.max(), grey)
    restored = inpaint(image, mask, method="gd:classic")
    assert restored.max() <= image[~mask].max()


class TestHiddenValues:
    """What the image holds under the mask makes no difference, to the last bit."""

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f8"])
    @pytest.mark.parametrize("hidden", [0, np.nan, np.inf, -np.inf, 1e30])
    @pytest.mark.parametrize("name", METHODS)
    def test_of_floats(self, grey, mask, dtype, hidden, name):
        image = grey.astype(dtype)
        expected = inpaint(image, mask, method=name)
        with np.errstate(over="ignore"):
            image[mask] = hidden
        assert inpaint(image, mask, method=name).tobytes() == expected.tobytes()

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
    @pytest.mark.parametrize("name", METHODS)
    def test_of_integers(self, grey, mask, dtype, name):
        image = grey.astype(dtype)
        expected = inpaint(image, mask, method=name)
        for hidden in (np.iinfo(dtype).min, np.iinfo(dtype).max):
            image[mask] = hidden
            assert inpaint(image, mask, method=name).tobytes() == expected.tobytes()

    def test_of_channels_with_their_own_masks(self, colour, mask):
        own = np.stack([mask, ~mask, mask[::-1]], -1)
        image = colour.astype(float)
        expected = inpaint(image, own, method=EXACT, channel_axis=-1)
        for hidden in (0, np.nan, np.inf, 1e30):
            image[own] = hidden
            assert inpaint(image, own, method=EXACT, channel_axis=-1).tobytes() == expected.tobytes()

    @pytest.mark.parametrize(
        "settings", [{"bounds": "dtype"}, {"bounds": (-1, 2)}, {"missing_values": "saturated"}, {"missing_values": -1}]
    )
    @pytest.mark.parametrize("hidden", [0, 1, np.nan, np.inf, 1e30, -1])
    def test_under_every_setting(self, mask, rng, settings, hidden):
        image = rng.uniform(0.1, 0.9, mask.shape)
        expected = inpaint(image, mask, method=EXACT, **settings)
        assert inpaint(np.where(mask, hidden, image), mask, method=EXACT, **settings).tobytes() == expected.tobytes()

    @pytest.mark.parametrize("hidden", [0, 1, np.nan, 1e30])
    def test_of_one_channel_among_saturated_ones(self, colour, hidden):
        """Pixel (1, 1) is at the limits in all channels but the hidden one."""
        image = colour / 255
        image[1, 1] = 0, 1, 0.5
        image[2, 2] = 0.5
        own = np.zeros(image.shape, bool)
        own[1, 1, 2] = own[2, 2, 0] = True
        settings = {"method": EXACT, "channel_axis": -1, "missing_values": "saturated"}
        expected = inpaint(image, own, **settings)
        assert inpaint(np.where(own, hidden, image), own, **settings).tobytes() == expected.tobytes()

    @pytest.mark.parametrize("dtype", ["float32", "uint8"])
    def test_a_problem_does_not_hold_them(self, grey, mask, dtype):
        problem = Problem.from_image(grey.astype(dtype), mask)
        np.testing.assert_array_equal(problem.values[mask], 0.5)


@given(
    shape=array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=7),
    dtype=st.sampled_from([*DTYPES, ">u2", ">f4"]),
    channels=st.booleans(),
    own=st.booleans(),
    order=st.sampled_from("CF"),
    seed=st.integers(0, 2**32),
)
def test_known_pixels_shape_and_dtype_of_any_problem(shape, dtype, channels, own, order, seed):
    rng = np.random.default_rng(seed)
    full = (*shape, 3) if channels else shape
    image = np.array(rng.integers(1, 100, full), dtype=dtype, order=order)
    mask = rng.random(full if own else shape) < 0.5
    mask.reshape(-1, mask.shape[-1])[0] = False
    mask.flat[0] = False
    restored = filled(image, mask, channel_axis=-1 if channels else None)
    known = ~(mask if own or not channels else np.repeat(mask[..., None], 3, -1))
    assert restored[known].tobytes() == image[known].tobytes()


def test_a_volume_with_nan_holes(rng):
    z, y, x = np.ogrid[:8, :9, :10]
    truth = (z + 2 * y + 3 * x).astype(np.float32)
    image = truth.copy()
    image[2:5, 3:6, 4:7] = np.nan
    restored = filled(image, None)
    np.testing.assert_allclose(restored, truth, rtol=0, atol=1e-5)  # a harmonic fill of a linear function is exact


def test_spacing_of_a_number_is_that_of_every_axis(grey, mask):
    one = inpaint(grey.astype(float), mask, method=EXACT, spacing=3.0)
    np.testing.assert_array_equal(one, inpaint(grey.astype(float), mask, method=EXACT, spacing=(3, 3)))
    np.testing.assert_allclose(one, inpaint(grey.astype(float), mask, method=EXACT), rtol=1e-13)
    assert (one != inpaint(grey.astype(float), mask, method=EXACT, spacing=(3, 1))).any()
