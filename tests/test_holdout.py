"""Holding out: what is hidden, that it is out of reach, and that the score says what the truth would."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from skinpaint import Inpainter, inpaint
from skinpaint.containers import Contents
from skinpaint.holdout import hold_out, score_holdout
from skinpaint.scores import psnr, ssim


@pytest.fixture
def scene():
    """Return a smooth image of 64 x 48 with a tenth of its pixels known."""
    rng = np.random.default_rng(0)
    image = ndimage.gaussian_filter(rng.standard_normal((64, 48)), 3)
    return image, rng.random((64, 48)) < 0.9


def disc(shape, centre, radius):
    return sum((i - c) ** 2 for i, c in zip(np.ogrid[tuple(map(slice, shape))], centre, strict=True)) <= radius**2


MASKS = {
    "none": np.zeros((40, 50), bool),
    "one pixel": disc((40, 50), (3, 4), 0),
    "scattered": np.random.default_rng(1).random((40, 50)) < 0.9,
    "half": np.random.default_rng(2).random((40, 50)) < 0.5,
    "hole": disc((40, 50), (20, 20), 15),
    "border": disc((40, 50), (0, 0), 12),
    "nearly all": np.arange(2000).reshape(40, 50) > 19,
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("dtype", ["uint8", ">u2", "int64", "float16", ">f8"])
def test_hides_about_as_many_as_are_missing_but_a_tenth_of_the_known_at_most_and_nothing_else(mask, dtype):
    image = np.random.default_rng(3).integers(0, 200, mask.shape).astype(dtype)
    before = image.tobytes()
    noisy, larger, hidden = hold_out(image, mask, rng=0)
    known = ~mask
    assert hidden.dtype == larger.dtype == bool
    tenth = round(0.1 * known.sum())
    goal = min(max(mask.sum(), 100), tenth) if mask.any() else tenth
    assert 0.8 * goal <= hidden.sum() <= goal
    if mask.sum() > 2 * tenth or not mask.any():
        assert hidden.sum() == tenth
    assert not (hidden & mask).any()
    np.testing.assert_array_equal(larger, hidden | mask)
    assert noisy.dtype == image.dtype
    assert noisy[~hidden].tobytes() == image[~hidden].tobytes()
    assert image.tobytes() == before
    assert noisy[hidden].min() >= image[known].min()
    assert noisy[hidden].max() <= image[known].max()


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.9, 0.999])
def test_hides_the_fraction_that_is_asked_for_but_never_all(fraction):
    mask = MASKS["hole"]
    known = (~mask).sum()
    hidden = hold_out(np.arange(2000.0).reshape(40, 50), mask, fraction=fraction, rng=0)[2]
    assert hidden.sum() == min(round(fraction * known), known - 1)


def thin_scratches(shape):
    """Return two strokes, a pixel wide, that cover half a percent."""
    mask = np.zeros(shape, bool)
    i = np.arange(120)
    mask[40 + i // 2, 30 + i] = mask[150 - i, 60 + i // 9] = True
    return mask


def is_a_copy(hidden, mask, reach):
    """Whether `hidden` is the mask, shifted by at most `reach`, where it does not fall on the mask itself."""
    shifts = range(-reach, reach + 1)
    return any((np.roll(mask, (i, j), (0, 1)) & ~mask == hidden).all() for i in shifts for j in shifts)


def test_thin_damage_is_hidden_as_whole_strokes_nearby_that_fill_as_much():
    mask = thin_scratches((220, 220))
    image = np.arange(48400.0).reshape(220, 220)
    for rng in range(3):
        hidden = hold_out(image, mask, rng=rng)[2]
        assert 0.9 < hidden.sum() / mask.sum() <= 1
        assert is_a_copy(hidden, mask, reach=16)
        assert ndimage.distance_transform_edt(~mask)[hidden].max() < 23
    assert not is_a_copy(hold_out(image, mask, fraction=0.1, rng=0)[2], mask, reach=16)  # the check can fail


def test_few_missing_pixels_are_copied_until_there_is_something_to_score():
    mask = np.zeros((300, 300), bool)
    mask[150, 150:153] = True
    hidden = hold_out(np.arange(90000.0).reshape(300, 300), mask, rng=0)[2]
    assert 90 <= hidden.sum() <= 100
    assert ndimage.label(hidden)[1] > 25  # and far enough from one another


def test_what_is_to_be_avoided_is_hidden_again_only_where_there_is_no_other_place():
    for mask in (thin_scratches((220, 220)), np.random.default_rng(0).random((220, 220)) < 0.9):
        image, before = np.arange(48400.0).reshape(220, 220), np.zeros_like(mask)
        for rng in range(8):
            hidden = hold_out(image, mask, avoid=before, rng=rng)[2]
            assert (hidden & before).sum() <= 0.1 * hidden.sum()
            before |= hidden
    again = hold_out(image, mask, avoid=~mask, rng=0)[2]
    assert again.sum() == round(0.1 * (~mask).sum())
    with pytest.raises(ValueError, match=r"'avoid' parameter.*\(220, 220\).*\(3, 3\)"):
        hold_out(image, mask, avoid=np.zeros((3, 3), bool))


@pytest.mark.parametrize("axis", [0, -1])
def test_what_is_to_be_avoided_may_differ_between_channels(axis):
    mask = np.random.default_rng(0).random((60, 50, 3)) < [0.2, 0.5, 0.8]
    image, mask = (np.moveaxis(each, -1, axis) for each in (np.arange(9000.0).reshape(60, 50, 3), mask))
    before = hold_out(image, mask, channel_axis=axis, rng=0)[2]
    after = hold_out(image, mask, channel_axis=axis, avoid=before, rng=1)[2]
    assert not (before & after).any()


@pytest.mark.parametrize("bands", [3, 1])
def test_a_container_that_names_its_channels_is_held_out_as_its_array(bands):
    values = np.random.default_rng(0).integers(0, 255, (12, 14, bands), np.uint8)
    mask = disc((12, 14), (5, 5), 2)
    image = Contents(values, channel_axis=-1)  # as that of a picture of Pillow's, or of a DataArray with bands
    for one, same in zip(hold_out(image, mask, rng=0), hold_out(values, mask, channel_axis=-1, rng=0), strict=True):
        np.testing.assert_array_equal(one, same, strict=True)

    def restore(noisy, larger):
        return inpaint(noisy, larger, method="laplace", channel_axis=-1)

    score = score_holdout(restore, image, mask)
    assert score == score_holdout(restore, values, mask, channel_axis=-1)


def test_the_noise_is_uniform_over_the_known_range_and_tells_nothing():
    image = np.linspace(-3, 5, 90000).reshape(300, 300)
    mask = np.random.default_rng(0).random(image.shape) < 0.5
    noisy, _, hidden = hold_out(image, mask, rng=0)
    noise = noisy[hidden]
    counts = np.histogram(noise, bins=8, range=(-3, 5))[0]
    expected = hidden.sum() / 8
    assert ((counts - expected) ** 2 / expected).sum() < 24.3  # chi-square, 7 degrees of freedom, 1 in 1000
    assert abs(np.corrcoef(noise, image[hidden])[0, 1]) < 4 / np.sqrt(noise.size)


def test_the_same_rng_hides_the_same_pixels():
    image, mask = np.arange(2000.0).reshape(40, 50), MASKS["half"]
    one, same, other = (hold_out(image, mask, rng=rng) for rng in (5, np.random.default_rng(5), 6))
    for a, b in zip(one, same, strict=True):
        assert a.tobytes() == b.tobytes()
    assert (one[2] != other[2]).any()


def test_hidden_pixels_of_a_hole_are_as_deep_as_a_patch_of_its_size():
    mask = disc((120, 120), (60, 60), 22)
    hidden = hold_out(np.arange(14400.0).reshape(120, 120), mask, rng=0)[2]
    depth = ndimage.distance_transform_edt(hidden)[hidden]
    uniform = np.random.default_rng(0).random(mask.shape) < hidden.mean()
    assert np.median(depth) > 4
    assert np.median(ndimage.distance_transform_edt(uniform)[uniform]) == 1


def test_discs_are_hidden_as_discs():
    rng = np.random.default_rng(0)
    mask = np.zeros((200, 200), bool)
    for centre in rng.integers(0, 200, (8, 2)):
        mask |= disc(mask.shape, centre, 6)
    hidden = hold_out(np.arange(40000.0).reshape(200, 200), mask, rng=0)[2]
    depth = [np.quantile(ndimage.distance_transform_edt(m)[m], 0.9) for m in (mask, hidden)]
    assert depth[1] == pytest.approx(depth[0], rel=0.25)


def test_scattered_damage_keeps_its_density_everywhere():
    mask = np.random.default_rng(0).random((240, 240)) < 0.9
    _, larger, hidden = hold_out(np.arange(57600.0).reshape(240, 240), mask, rng=0)
    assert (~larger).sum() == (~mask).sum() - hidden.sum()
    blocks = hidden.reshape(4, 60, 4, 60).sum(axis=(1, 3))  # 36 expected in each
    assert blocks.min() > 12
    assert blocks.max() < 72


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_each_channel_has_its_tenth_under_shifts_that_they_share(axis):
    rng = np.random.default_rng(0)
    shared = rng.random((30, 40)) < 0.5
    mask = np.stack([shared, shared, ~shared], axis)
    image = rng.random(mask.shape)
    _, larger, hidden = hold_out(image, mask, channel_axis=axis, rng=0)
    assert hidden.shape == larger.shape == image.shape
    first, second, third = np.moveaxis(hidden, axis, 0)
    np.testing.assert_array_equal(first, second)
    assert first.sum() == round(0.1 * (~shared).sum())
    assert third.sum() == round(0.1 * shared.sum())


def test_a_mask_that_channels_share_stays_shared():
    rng = np.random.default_rng(0)
    image, mask = rng.random((3, 20, 30)), rng.random((20, 30)) < 0.5
    noisy, larger, hidden = hold_out(image, mask, channel_axis=0, rng=0)
    assert hidden.shape == larger.shape == mask.shape
    assert (noisy != image).all(axis=0)[hidden].all()


@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 2), (1, 1, 2), (2, 1, 1)])
@pytest.mark.parametrize("rng", range(5))
def test_tiny_images_keep_a_known_pixel_and_lose_one(shape, rng):
    image = np.arange(np.prod(shape), dtype=float).reshape(shape)
    mask = np.zeros(shape, bool)
    mask.flat[0] = image.size > 2
    _, larger, hidden = hold_out(image, mask, rng=rng)
    assert hidden.sum() == 1
    assert not larger.all()


def test_a_channel_with_one_known_pixel_keeps_it():
    mask = np.ones((6, 6, 2), bool)
    mask[2, 3, 0] = False
    mask[:, :4, 1] = False
    hidden = hold_out(np.arange(72.0).reshape(6, 6, 2), mask, channel_axis=-1, rng=0)[2]
    np.testing.assert_array_equal(hidden.sum(axis=(0, 1)), [0, 2])


def test_one_known_pixel_cannot_be_held_out():
    with pytest.raises(ValueError, match=r"at least two known pixels.*\(1, 3\)"):
        hold_out(np.array([[1.0, np.nan, np.nan]]))


@pytest.mark.parametrize("fraction", [0, 1, -0.5, np.nan, "x", True])
def test_refuses_a_fraction_out_of_range(fraction):
    with pytest.raises(ValueError, match=r"'fraction' parameter of hold_out must be a float in \(0, 1\) or None\. Got"):
        hold_out(np.arange(9.0), MASKS["none"][0, :9], fraction=fraction)


def test_takes_lists_and_refuses_what_is_no_mask_and_no_seed():
    avoid = [[False] * 8, [True] * 8]
    hidden = hold_out(np.arange(16.0).reshape(2, 8), np.zeros((2, 8)), avoid=avoid, fraction=0.5, rng=0)[2]
    assert hidden[0].all()
    with pytest.raises(ValueError, match="'avoid' parameter must hold bool, 0/1 or 0/255"):
        hold_out(np.arange(9.0), avoid=np.arange(9), rng=0)
    with pytest.raises(ValueError, match="'rng' parameter of hold_out must be an int of at least 0"):
        hold_out(np.arange(9.0), rng="a")


def test_takes_what_is_missing_from_the_image():
    image = np.where(MASKS["half"], np.nan, 0.5 + np.arange(2000.0).reshape(40, 50))
    noisy, larger, hidden = hold_out(image, rng=0)
    np.testing.assert_array_equal(larger & ~hidden, MASKS["half"])
    np.testing.assert_array_equal(np.isnan(noisy), MASKS["half"])


def test_masked_arrays_are_held_out_as_their_data():
    image = np.ma.array(np.arange(2000.0).reshape(40, 50), mask=MASKS["half"])
    noisy, larger, hidden = hold_out(image, rng=0)
    assert type(noisy) is np.ndarray
    np.testing.assert_array_equal(larger & ~hidden, MASKS["half"])


class TestLeaks:
    """A restoration that reaches for the hidden values finds noise."""

    def test_returning_what_is_under_the_mask_scores_as_noise(self, scene):
        image, mask = scene
        leak = np.mean([score_holdout(lambda noisy, larger: noisy, image, mask, rng=rng) for rng in range(30)])
        honest = score_holdout(lambda noisy, larger: inpaint(noisy, larger, method="laplace"), image, mask)
        spread = np.ptp(image[~mask])
        expected = -10 * np.log10(
            np.mean((image[~mask, None] - np.linspace(image[~mask].min(), image[~mask].max(), 999)) ** 2) / spread**2
        )
        assert leak == pytest.approx(expected, abs=0.5)
        assert honest > leak + 8

    def test_a_hold_out_that_does_not_overwrite_would_be_noticed(self, scene, monkeypatch):
        image, mask = scene
        monkeypatch.setattr("skinpaint.holdout._noise", lambda known, size, rng: image[hidden])
        monkeypatch.setattr("skinpaint.holdout._like_the_missing", lambda *arguments: hidden[..., None])
        hidden = (
            np.random.default_rng(0).permutation(np.where(mask, 0, 1).ravel()).reshape(mask.shape).astype(bool) & ~mask
        )
        assert score_holdout(lambda noisy, larger: noisy, image, mask) == 120

    def test_every_value_that_is_scored_was_overwritten(self, scene):
        image, mask = scene
        seen = {}

        def spy(noisy, larger):
            seen["noisy"], seen["larger"] = noisy.copy(), larger.copy()
            return noisy

        score_holdout(spy, image, mask)
        hidden = seen["larger"] & ~mask
        assert (seen["noisy"][hidden] != image[hidden]).all()

    def test_a_restoration_that_writes_to_its_input_does_not_touch_the_truth(self, scene):
        image, mask = scene

        def vandal(noisy, larger):
            noisy[:] = 0
            larger[:] = False
            return np.zeros_like(noisy)

        damaged = np.where(mask, 1e6, image)
        before = damaged.tobytes()
        expected = score_holdout(lambda noisy, larger: np.zeros_like(noisy), image, mask)
        assert score_holdout(vandal, damaged, mask) == expected
        assert damaged.tobytes() == before


def test_an_oracle_scores_perfectly(scene):
    image, mask = scene
    assert score_holdout(lambda noisy, larger: image, image, mask) == 120


def test_values_under_the_mask_do_not_change_the_score(scene):
    image, mask = scene
    scores = {
        score_holdout(
            lambda noisy, larger: inpaint(noisy, larger, method="laplace"), np.where(mask, hidden, image), mask
        )
        for hidden in (0, np.nan, np.inf, -1e30)
    }
    assert len(scores) == 1


@pytest.mark.parametrize("damage", ["scattered", "half", "hole", "discs"])
def test_the_score_predicts_the_error_where_nothing_is_known(damage):
    rng = np.random.default_rng(0)
    shape = (96, 96)
    image = ndimage.gaussian_filter(rng.standard_normal(shape), 3)
    mask = {
        "scattered": rng.random(shape) < 0.9,
        "half": rng.random(shape) < 0.5,
        "hole": disc(shape, (48, 48), 20),
        "discs": np.logical_or.reduce([disc(shape, centre, 6) for centre in rng.integers(0, 96, (8, 2))]),
    }[damage]

    def restore(noisy, larger):
        return inpaint(noisy, larger, method="laplace")

    error = np.sqrt(np.mean((restore(image, mask) - image)[mask] ** 2))
    true = -20 * np.log10(error / np.ptp(image[~mask]))
    scores = [score_holdout(restore, image, mask, rng=rng) for rng in range(10)]
    assert np.mean(scores) == pytest.approx(true, abs=2.0)
    if damage in ("hole", "discs"):
        hidden = ~mask & (rng.random(shape) < 0.1)
        assert psnr(image, restore(image, hidden | mask), where=hidden) > true + 10  # uniform hiding flatters


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("shared", [True, False])
def test_scores_colour_wherever_its_axis_is(axis, shared):
    rng = np.random.default_rng(0)
    image = ndimage.gaussian_filter(rng.standard_normal((32, 24, 3)), (2, 2, 0))
    mask = rng.random((32, 24) if shared else image.shape) < 0.6
    score = score_holdout(
        lambda noisy, larger: inpaint(noisy, larger, method="laplace", channel_axis=-1), image, mask, channel_axis=-1
    )

    moved = np.moveaxis(image, -1, axis)
    moved_mask = mask if shared else np.moveaxis(mask, -1, axis)

    def restore(noisy, larger):
        return inpaint(noisy, larger, method="laplace", channel_axis=axis)

    # the spatial axes keep their order, so that the same pixels are hidden and the same noise is drawn
    assert score_holdout(restore, moved, moved_mask, channel_axis=axis) == pytest.approx(score, abs=1e-9)


class TestPsnr:
    def test_integers_are_measured_against_their_dtype(self):
        truth = np.full((4, 4), 100, np.uint8)
        assert psnr(truth, truth + np.uint8(1)) == pytest.approx(20 * np.log10(255), abs=1e-12)
        assert psnr(truth.astype(np.int16), truth.astype(np.int16) - 1) == pytest.approx(
            20 * np.log10(65535), abs=1e-12
        )
        assert psnr(truth, np.zeros_like(truth)) == pytest.approx(20 * np.log10(2.55), abs=1e-12)  # no wrap-around

    @pytest.mark.parametrize(("dtype", "up"), [("int64", 2**60), ("int64", -(2**63)), ("uint64", 2**63)])
    def test_integers_that_floats_would_round(self, dtype, up):
        truth = np.arange(100)
        image = truth[::-1] // 2
        moved, wrong = (np.array([up + int(each) for each in values], dtype) for values in (truth, image))
        assert psnr(moved, wrong) == psnr(truth, image)

    def test_floats_in_the_unit_interval_are_measured_against_one(self):
        truth = np.linspace(0.4, 0.6, 7)
        assert psnr(truth, truth + 0.01) == pytest.approx(40, abs=1e-10)

    def test_other_floats_are_measured_against_their_range_in_any_unit(self):
        truth = np.linspace(200, 300, 7)
        image = truth + 1
        assert psnr(truth, image) == pytest.approx(40, abs=1e-10)
        assert psnr(1e3 * truth - 7, 1e3 * image - 7) == pytest.approx(40, abs=1e-9)

    def test_a_constant_truth_has_a_score(self):
        assert psnr(np.full(5, 7.0), np.full(5, 7.1)) == pytest.approx(20, abs=1e-9)

    def test_perfect_and_all_but_perfect_answers_are_capped(self):
        truth = np.linspace(0, 1, 7)
        assert psnr(truth, truth) == 120
        assert psnr(truth, truth + 1e-9) == 120
        assert psnr(truth, truth + 1e-5) == pytest.approx(100, abs=1e-6)

    def test_leaves_out_what_the_truth_does_not_know(self):
        truth = np.array([0.0, 0.5, np.nan, np.inf, 1.0])
        image = np.array([0.1, 0.6, 9.0, np.nan, 1.1])
        assert psnr(truth, image) == pytest.approx(20, abs=1e-10)
        masked = np.ma.array([0.0, 0.5, 77.0, 1.0], mask=[0, 0, 1, 0])
        assert psnr(masked, np.array([0.1, 0.6, -5.0, 1.1])) == pytest.approx(20, abs=1e-10)

    def test_compares_only_where_it_is_told(self):
        truth, image = np.zeros((3, 2)), np.array([[0.1, 0.1], [5, 5], [0.1, 0.1]])
        assert psnr(truth, image, where=np.array([[True], [False], [True]])) == pytest.approx(20, abs=1e-10)

    def test_refuses_what_cannot_be_compared(self):
        with pytest.raises(ValueError, match=r"\(3,\).*\(4,\)"):
            psnr(np.zeros(3), np.zeros(4))
        with pytest.raises(ValueError, match="at least one finite value"):
            psnr(np.full(3, np.nan), np.zeros(3))
        with pytest.raises(ValueError, match="Got 2 values that are not"):
            psnr(np.zeros(3), np.array([0, np.nan, np.inf]))
        with pytest.raises(ValueError, match=r"truth, \(4, 5, 3\)\. Got the shape \(4, 5\).*where\[\.\.\., None\]"):
            psnr(np.zeros((4, 5, 3)), np.zeros((4, 5, 3)), where=np.ones((4, 5), bool))
        with pytest.raises(ValueError, match=r"Got the shape \(5,\) instead\.$"):
            psnr(np.zeros((4, 6)), np.zeros((4, 6)), where=np.ones(5, bool))
        with pytest.raises(ValueError, match=r"'where' parameter must hold bool, 0/1 or 0/255.* Got 3 instead"):
            psnr(np.zeros((4, 6)), np.zeros((4, 6)), where=np.full((4, 6), 3))
        with pytest.raises(TypeError, match=r"psnr compares integers or real floats\. Got complex128"):
            psnr(np.zeros(3), np.zeros(3) * 1j)

    @pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64])
    def test_integers_without_a_convention_are_measured_against_their_own_range(self, dtype):
        truth = np.arange(1000, 1201, dtype=dtype).reshape(3, 67)
        assert psnr(truth, truth - 20) == pytest.approx(20, abs=1e-9)
        assert psnr(truth, truth - 20) == pytest.approx(psnr(10.0 * truth, 10.0 * truth - 200), abs=1e-9)

    def test_what_an_image_masks_is_left_out(self):
        truth = np.array([0.0, 0.5, 0.7, 1.0])
        image = np.ma.array([0.1, 0.6, -5.0, 1.1], mask=[0, 0, 1, 0])
        assert psnr(truth, image) == pytest.approx(20, abs=1e-10)


class TestSsim:
    @pytest.mark.parametrize(("factor", "offset"), [(1, 1e9), (1e-300, 0), (1e200, 0), (1e308, -1e307)])
    def test_a_change_of_unit_changes_nothing(self, rng, factor, offset):
        """With an offset of 1e9 it was 107; it was no number, or ended in an OverflowError."""
        truth = 1.5 * rng.random((12, 13))
        image = truth + 0.05 * rng.random(truth.shape)
        score = ssim(truth, image)
        assert ssim(factor * truth + offset, factor * image + offset) == pytest.approx(score, abs=1e-6)
        assert 0.9 < score < 1
        numbers = [2**62 + (each * 2**20).astype(np.int64) for each in (truth, image)]
        assert ssim(*numbers) == pytest.approx(score, abs=1e-5)

    def test_pixels_of_all_channels(self, rng):
        truth, image = data.astronaut()[:40, :50], data.astronaut()[:40, 1:51]
        pixels = rng.random(truth.shape[:2]) < 0.3
        full = np.broadcast_to(pixels[..., None], truth.shape)
        score = ssim(truth, image, where=full, channel_axis=-1)
        assert ssim(truth, image, where=pixels, channel_axis=-1) == score
        moved = (np.moveaxis(each, -1, 0) for each in (truth, image))
        assert ssim(*moved, where=pixels, channel_axis=0) == pytest.approx(score, abs=1e-12)

    @pytest.mark.parametrize(
        ("image", "where", "says"),
        [
            (np.full((9, 9), np.nan), None, "ssim needs a finite image. Got 81 values"),
            (np.eye(9), np.zeros((9, 9), bool), "ssim needs at least one pixel"),
            (np.eye(9), np.ones(5, bool), "'where' parameter of ssim must be broadcastable"),
            (np.eye(8), None, r"ssim compares images of one shape. Got a truth of shape \(9, 9\)"),
        ],
    )
    def test_refuses_what_cannot_be_compared(self, image, where, says):
        with pytest.raises(ValueError, match=says):
            ssim(np.eye(9), image, where=where)

    def test_what_an_image_masks_has_no_neighbours(self):
        assert ssim(np.eye(9), np.ma.masked_equal(np.eye(9), 1)) is None

    @pytest.mark.parametrize("axis", [2, -3, True, 1.0, (0,)])
    def test_of_channels_on_no_axis_is_refused(self, axis):
        with pytest.raises(ValueError, match=r"'channel_axis' parameter of ssim .* images of shape \(9, 9\)"):
            ssim(np.eye(9), np.eye(9), channel_axis=axis)


@pytest.mark.parametrize("junk", [0, 128, 255])
@pytest.mark.parametrize("kind", ["masked", "nodata", "nan"])
def test_a_score_is_of_what_was_filled(kind, junk, rng):
    truth = data.camera()[100:164, 100:164]
    mask = np.zeros(truth.shape, bool)
    mask[20:40, 20:40] = True
    inpainter = Inpainter("laplace", max_distance=3)
    if kind == "masked":
        image = np.ma.array(np.where(mask, junk, truth), mask=mask)
    elif kind == "nodata":
        truth = truth.astype(np.int16)
        image, inpainter.missing_values = np.where(mask, -1 - junk, truth).astype(np.int16), -1 - junk
    else:
        truth = truth.astype(float)
        image = np.where(mask, np.nan, truth)
    filled = inpainter.fit(image).mask_
    assert 0 < filled.sum() < mask.sum()
    restored = np.ma.getdata(inpainter.restored_)
    assert inpainter.score(image, truth) == pytest.approx(psnr(truth, restored, where=filled | ~mask), abs=1e-9)


def test_inpainter_scores_by_holding_out(scene):
    image, mask = scene
    damaged = np.where(mask, np.nan, image)
    inpainter = Inpainter("laplace")
    expected = score_holdout(lambda noisy, larger: inpaint(noisy, larger, method="laplace"), damaged)
    assert inpainter.score(damaged) == pytest.approx(expected, abs=1e-9)
    assert inpainter.score([damaged, damaged]) == pytest.approx(expected, abs=1e-9)
    assert inpainter.score(damaged, image) == psnr(image, inpaint(damaged, method="laplace"))


@pytest.mark.parametrize("top", [1, 255])
def test_where_is_a_mask_of_any_dtype(top):
    truth = data.camera()[:40, :40]
    where = np.zeros(truth.shape, np.uint8)
    where[10:20, 10:20] = top
    image = np.where(where, 0, truth).astype(np.uint8)
    assert psnr(truth, image, where=where) == psnr(truth, image, where=where > 0) < 20
    assert ssim(truth, image, where=where) == ssim(truth, image, where=where > 0) < 0.5
