"""How sure a fill is: standard deviations, intervals and samples, through the door, for every method."""

import pickle
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage
from skimage import data

import skinpaint
from skinpaint import Inpainter, Laplace, SparseDCT, inpaint
from skinpaint.grid import threads
from skinpaint.methods import METHODS
from skinpaint.show.heat import heat_map
from skinpaint.solution import Filling
from skinpaint.testing import TRIALS, UNCERTAINTY_LAWS, check_uncertainty
from skinpaint.trust import calibration
from skinpaint.trust.calibration import Ladder, Uncertainty, roughness
from skinpaint.trust.field import Field

QUICK = {"dct": SparseDCT(decay=0.7, sweeps=1)}


def picture(shape=(96, 96), seed=0):
    """A rough walk on the left, a smooth one on the right."""
    rng = np.random.default_rng(seed)
    x = ndimage.gaussian_filter(rng.standard_normal(shape), 1.5) * 20
    x[:, shape[1] // 2 :] = ndimage.gaussian_filter(x, 4)[:, shape[1] // 2 :]
    return 100 + 15 * x


def scattered(shape=(96, 96), missing=0.6, seed=1):
    return np.random.default_rng(seed).random(shape) < missing


def fitted(method="laplace", image=None, mask=None, **settings):
    image = picture() if image is None else image
    mask = scattered(image.shape[:2]) if mask is None else mask
    return Inpainter(QUICK.get(method, method), **settings).fit(image, mask=mask)


@pytest.mark.parametrize("method", METHODS)
def test_the_intervals_of_every_method_cover_what_they_promise(method):
    """On average over images, and on the rough and the smooth side alike, where a constant width does not."""
    rows, constant = [], []
    for seed in range(3):
        truth, mask = picture(seed=seed), scattered(seed=10 + seed)
        inpainter = fitted(method, truth, mask)
        low, high = inpainter.interval(0.9)
        sides = mask.copy(), mask.copy()
        sides[0][:, 48:], sides[1][:, :48] = False, False
        inside = (low <= truth) & (truth <= high)
        rows.append([inside[side].mean() for side in (mask, *sides)])
        error = np.abs(inpainter.restored_ - truth)
        inside = error <= np.quantile(error[mask], 0.9)
        constant.append([inside[side].mean() for side in (mask, *sides)])
    whole, rough, smooth = np.mean(rows, axis=0)
    assert whole == pytest.approx(0.9, abs=0.04)  # of 370 hidden pixels, three times
    assert rough == pytest.approx(0.9, abs=0.05)
    assert smooth == pytest.approx(0.9, abs=0.05)
    assert np.mean(constant, axis=0)[1] < 0.85


@pytest.mark.parametrize("method", ["gd:classic", "dct", "exemplar"])
def test_what_was_stopped_early_is_as_unsure_as_it_is(method):
    """Hidden pixels that were restored to the end would say how sure a finished answer is."""
    rng = np.random.default_rng(0)
    truth, mask = picture(), scattered(missing=0.8)
    truth = (truth - truth.min()) / np.ptp(truth)
    image = np.where(mask, rng.choice([truth.min(), truth.max()], truth.shape), truth)
    errors, stds = [], []
    for stop in (True, False):
        inpainter = Inpainter(QUICK.get(method, method)).fit(image, mask=mask, callback=lambda *_, stop=stop: stop)
        errors.append(np.sqrt(np.mean((inpainter.restored_ - truth)[mask] ** 2)))
        stds.append(np.sqrt(np.mean(inpainter.std()[mask] ** 2)))
    assert errors[0] > 1.02 * errors[1]
    assert stds[0] == pytest.approx(errors[0], rel=0.35)
    assert stds[0] / stds[1] == pytest.approx(errors[0] / errors[1], rel=0.35)


def test_the_standard_deviation_is_that_of_the_errors():
    truth, mask = picture(), scattered()
    restored, std = inpaint(truth, mask, method="laplace", return_std=True)
    assert np.mean(((restored - truth)[mask] / std[mask]) ** 2) == pytest.approx(1, abs=0.25)


def test_the_standard_deviation_is_that_of_the_errors_where_few_are_large():
    ratios = []
    for seed in range(3):
        truth, mask = 255.0 * data.horse()[100:228, 100:228], scattered((128, 128), missing=0.2, seed=seed)
        restored, std = inpaint(truth, mask, method="laplace", return_std=True)
        ratios.append(np.sqrt(np.mean((restored - truth)[mask] ** 2) / np.mean(std[mask] ** 2)))
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("dtype", [float, np.uint8])
def test_nothing_is_surer_than_its_solver(dtype):
    """In flat areas, errors are those of single precision."""
    flat = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((96, 96)), 4) > 0
    truth, mask = (255 * flat).astype(dtype), scattered(missing=0.2)
    inpainter = fitted(image=truth, mask=mask)
    low, high = inpainter.interval(0.9)
    exact = mask & (np.abs(255 * inpainter.solution_.values[..., 0] - truth) < 1e-4)
    assert exact.sum() > 500
    assert ((low <= truth) & (truth <= high))[exact].all()


def test_a_star_makes_the_sky_no_less_sure():
    y, x = np.indices((96, 96)) - 40
    truth = 10 + np.random.default_rng(0).standard_normal(y.shape) + 1e7 * np.exp(-(x**2 + y**2) / 8)
    std = fitted(image=truth, mask=scattered(missing=0.9)).std()
    assert 0.8 < np.median(std[64:, 64:][scattered(missing=0.9)[64:, 64:]]) < 1.6


def test_errors_of_the_solver_calibrate_nothing():
    truth = data.shepp_logan_phantom()[104:296, 104:296]
    mask = np.arange(192) < np.full((192, 1), 24)
    inpainter = fitted(image=truth, mask=mask)
    assert np.sqrt(np.mean(inpainter.std()[mask] ** 2)) > 0.01
    assert "not calibrated" in inpainter.solution_.status


@pytest.mark.parametrize("trial", TRIALS)
def test_std_is_zero_where_known_and_positive_where_filled(trial):
    trial = TRIALS[trial]
    image = trial.image.copy()
    inpainter = Inpainter("laplace", channel_axis=trial.channel_axis).fit(image, mask=trial.mask)
    std = inpainter.std()
    assert std.shape == image.shape
    assert std.dtype == np.float64
    assert (std[~trial.missing] == 0).all()
    assert np.isfinite(std).all()
    assert (std[trial.missing] > 0).all()
    assert (
        std.tobytes()
        == inpaint(image, trial.mask, method="laplace", channel_axis=trial.channel_axis, return_std=True)[1].tobytes()
    )
    np.testing.assert_array_equal(image, trial.image)


@pytest.mark.parametrize("method", ["laplace", "biharmonic"])
def test_a_change_of_unit_changes_the_unit_only(method):
    image, mask = picture(), scattered()
    one = fitted(method, image, mask)
    other = fitted(method, 2.5 * image - 70, mask)
    np.testing.assert_allclose(other.std(), 2.5 * one.std(), rtol=1e-6)
    np.testing.assert_allclose(other.interval(0.5), 2.5 * np.array(one.interval(0.5)) - 70, rtol=1e-6)


@pytest.mark.parametrize("factor", [1e308, 1e-306])
def test_deviations_near_the_ends_of_floats(factor):
    """The sum of the errors was infinite, and every standard deviation 0."""
    image, mask = np.random.default_rng(0).random((40, 40)), scattered()[:40, :40]
    expected = fitted(image=image, mask=mask).std()
    np.testing.assert_allclose(fitted(image=image * factor, mask=mask).std() / factor, expected, rtol=1e-6)


def test_channels_are_judged_alone():
    grey, mask = picture(), scattered()
    colour = np.stack([grey, 3 * grey, np.full_like(grey, 7.0)], axis=-1)
    std = fitted(image=colour, mask=mask, channel_axis=-1).std()
    np.testing.assert_allclose(std[..., 1], 3 * std[..., 0], rtol=1e-6)
    assert (std[..., 2] == 0).all()
    np.testing.assert_allclose(std[..., 0], fitted(image=grey, mask=mask).std(), rtol=1e-6)
    first = np.moveaxis(colour, -1, 0)
    np.testing.assert_array_equal(fitted(image=first, mask=mask, channel_axis=0).std(), np.moveaxis(std, -1, 0))


def test_what_is_hidden_from_whom_makes_no_difference_to_known_pixels():
    """One mask a channel: every channel has its own variances, and the mask is the image's."""
    rng = np.random.default_rng(0)
    colour = np.stack([picture((40, 40)), picture((40, 40), 1)], axis=-1)
    mask = rng.random(colour.shape) < [0.3, 0.7]
    std = fitted(image=colour, mask=mask, channel_axis=-1).std()
    np.testing.assert_array_equal(std > 0, mask)


def test_nothing_is_computed_until_it_is_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(calibration, "uncertainty_of", lambda *args: asked.append(args) or real(*args))
    inpainter = fitted()
    assert not asked
    inpainter.std()
    inpainter.interval(0.8)
    inpainter.sample(1)
    assert len(asked) == 1  # all three share one calibration
    inpainter.std(rng=1)
    assert len(asked) == 2


real = calibration.uncertainty_of


def test_a_restoration_does_not_even_load_it():
    code = (
        "import sys, numpy as np, skinpaint\n"
        "skinpaint.inpaint(np.array([0.0, np.nan, 1.0]), method='laplace')\n"
        "print([m for m in sys.modules if m.startswith('skinpaint.trust')])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_status_says_how_it_was_found():
    inpainter = fitted()
    before = inpainter.solution_.status
    inpainter.std()
    said = inpainter.solution_.status
    assert said.startswith(before)
    assert "calibrated on" in said
    assert "34 more solutions" not in before
    inpainter.std(rng=5)
    assert inpainter.solution_.status.count("calibrated on") == 1
    inpainter.fit(picture(), mask=scattered())
    assert inpainter.solution_.status == before


def test_what_happens_to_the_image_later_does_not_matter():
    image, mask = picture(), scattered()
    expected = fitted(image=image.copy(), mask=mask).std()
    inpainter = fitted(image=image, mask=mask)
    image[...], mask[...] = 0, False
    assert inpainter.std().tobytes() == expected.tobytes()


def test_what_happens_to_the_inpainter_later_does_not_matter():
    one, other = fitted(), fitted()
    other.set_params(spacing=(1, 50), method="biharmonic", bounds=(0, 0.01))
    other.mask_[:] = False
    std = other.std()
    np.testing.assert_array_equal(std, one.std())
    kept = std.copy()
    std *= 100  # it is the user's own
    np.testing.assert_array_equal(other.std(), kept)
    np.testing.assert_array_equal(other.sample(2), one.sample(2))


def test_what_happens_to_the_answer_or_to_a_list_of_settings_later_does_not_matter():
    spacing = [1.0, 1.0]
    one, other = fitted(), fitted(spacing=spacing)
    other.restored_[:] = 0
    spacing[1] = 50.0
    np.testing.assert_array_equal(other.std(), one.std())


def test_a_pickled_fit_holds_the_image_once():
    image = np.random.default_rng(0).random((200, 200, 3))
    inpainter = Inpainter("laplace", channel_axis=-1).fit(image, mask=np.eye(200, dtype=bool))
    assert len(pickle.dumps(inpainter)) < 3.1 * image.nbytes  # and what was restored, and the values of the solution


def test_a_fit_that_another_version_pickled_says_so():
    inpainter = fitted()
    del inpainter._last
    with pytest.raises(ValueError, match=r"Inpainter.std needs a fit of this version"):
        inpainter.std()


def test_any_float_is_calibrated():
    """Extended precision crashed in linear algebra."""
    image = picture()
    std = fitted(image=image.astype(np.longdouble)).std()
    np.testing.assert_allclose(std, fitted(image=image).std(), rtol=1e-6)


def test_a_callback_that_fits_or_sets_parameters_leaves_nothing_behind():
    expected = fitted().std()
    inpainter = Inpainter(method="laplace")

    def callback(record, restore):
        Inpainter.fit(inpainter, 1 - picture(), mask=scattered()[::-1])
        inpainter.std()
        inpainter.set_params(spacing=(1, 50), method="biharmonic", max_distance=1)

    inpainter.fit(picture(), mask=scattered(), callback=callback)
    assert "max_distance" not in inpainter.solution_.status
    np.testing.assert_array_equal(inpainter.std(), expected)


def test_the_std_of_one_fit_is_not_that_of_the_next_which_another_thread_made_meanwhile(monkeypatch):
    from skinpaint.trust import calibration

    expected, uncertainty_of = fitted().std(), calibration.uncertainty_of
    inpainter = fitted(image=1 - picture())

    def slow(*args):
        monkeypatch.undo()
        found = uncertainty_of(*args)
        inpainter.fit(picture(), mask=scattered())  # as another thread would
        return found

    monkeypatch.setattr(calibration, "uncertainty_of", slow)
    inpainter.std()
    np.testing.assert_array_equal(inpainter.std(), expected)


def test_wider_levels_give_wider_intervals():
    inpainter = fitted()
    levels = [0.1, 0.5, 0.8, 0.9, 0.99]
    ends = [inpainter.interval(level) for level in levels]
    for (low, high), (lower, higher) in pairwise(ends):
        assert (lower <= low).all()
        assert (high <= higher).all()
    assert all((low <= inpainter.restored_).all() and (inpainter.restored_ <= high).all() for low, high in ends)


def test_integers_that_floats_would_round_are_as_sure_as_others():
    rng = np.random.default_rng(0)
    image = (10 * rng.random((30, 30)).cumsum(axis=0)).astype(np.uint64)
    mask = rng.random(image.shape) < 0.3
    large, small = (Inpainter("laplace").fit(image + np.uint64(up), mask=mask) for up in (2**63, 0))
    np.testing.assert_allclose(large.std(), small.std(), rtol=1e-6)
    low, high = large.interval(0.99)
    assert (low <= high).all()
    assert (low < high)[mask].all()
    for end in small.interval(0.99):
        assert all(a <= 2**63 + b <= c for a, b, c in zip(low.flat, end.flat, high.flat, strict=True))


def test_integers_have_intervals_of_floats_within_their_range():
    image = np.clip(picture(), 0, 255).astype(np.uint8)
    mask = scattered()
    inpainter = fitted(image=image, mask=mask)
    low, high = inpainter.interval(0.99)
    assert low.dtype == high.dtype == np.float64
    assert low.min() >= 0
    assert high.max() <= 255
    np.testing.assert_array_equal(low[~mask], image[~mask])


def test_an_interval_of_integers_holds_one():
    """A flat area may come back a hundredth of a level off, with intervals that are narrower."""
    truth = data.checkerboard()[:100, :100]
    ends = [fitted(image=truth, mask=scattered(truth.shape)).interval(level) for level in (0.5, 0.9)]
    assert all((np.ceil(low) <= np.floor(high)).all() for low, high in ends)
    assert (ends[1][0] <= ends[0][0]).all()
    assert (ends[0][1] <= ends[1][1]).all()


@pytest.mark.parametrize("level", [0.01, 0.3])
def test_an_interval_of_integers_holds_the_restored_one(level):
    """Halves are rounded up, also those that a solver leaves a little below."""
    image = np.array([10, 0, 11, 12, 0, 0, 0, 15, 15, 0, 18], np.uint8)
    inpainter = fitted(image=image, mask=image == 0)
    low, high = inpainter.interval(level)
    assert (low <= inpainter.restored_).all()
    assert (inpainter.restored_ <= high).all()


def test_samples_have_the_mean_and_the_spread():
    inpainter = fitted(image=picture((40, 40)), mask=scattered((40, 40)))
    std, mask = inpainter.std(), inpainter.mask_
    samples = inpainter.sample(200)
    assert samples.shape == (200, 40, 40)
    np.testing.assert_array_equal(samples[:, ~mask], np.broadcast_to(inpainter.restored_[~mask], (200, (~mask).sum())))
    distance = (samples.mean(axis=0) - inpainter.restored_)[mask] / std[mask] * np.sqrt(200)
    assert np.mean(distance**2) == pytest.approx(1, abs=0.25)
    assert np.mean(samples.std(axis=0)[mask] / std[mask]) == pytest.approx(1, abs=0.05)
    assert inpainter.sample(0).shape == (0, 40, 40)


def test_a_seed_gives_the_same_bytes_with_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(threads, "MIN_SHARED_ENTRIES", 1)
    answers = []
    for number in (1, 3):
        monkeypatch.setattr(threads, "workers", lambda number=number: number)
        inpainter = fitted()
        answers.append((inpainter.std(3).tobytes(), inpainter.sample(2, 3).tobytes(), inpainter.interval(rng=3)))
    assert answers[0][:2] == answers[1][:2]
    np.testing.assert_array_equal(answers[0][2], answers[1][2])
    assert fitted().std(4).tobytes() != answers[0][0]


def test_too_few_pixels_fall_back_to_the_field():
    image = np.array([3.0, np.nan, np.nan, 6.0, 5.0, np.nan, 2.0])
    inpainter = Inpainter("laplace").fit(image)
    gaussian = Field(np.isnan(image), 1, (1.0,))
    expected = gaussian.scale(inpainter.restored_, 4) * np.sqrt(gaussian.variances(estimator="exact"))
    np.testing.assert_allclose(inpainter.std(), expected, rtol=1e-6)
    assert "not calibrated" in inpainter.solution_.status
    np.testing.assert_allclose(inpainter.interval(0.9)[1], inpainter.restored_ + 1.6448536 * expected, rtol=1e-6)


@pytest.mark.parametrize("missing", [0.6, 0.01])  # a grid, and a list of pixels
@pytest.mark.parametrize("method", ["laplace", "biharmonic"])
def test_the_scale_of_the_field_is_in_the_solution(method, missing):
    image, mask = np.stack([picture(seed=0), 3 * picture(seed=1) ** 2], axis=-1), scattered(missing=missing)
    solution = fitted(method, image, mask, channel_axis=-1).solution_
    assert isinstance(solution.found, Filling) == (method == "laplace" and missing < 0.1)
    gaussian = skinpaint.methods.resolve(method).field(mask, (1.0, 1.0))
    for c in range(2):
        expected = gaussian.scale(solution.values[..., c], np.count_nonzero(~mask))
        assert solution.scale[c] == pytest.approx(expected, rel=1e-6)
    if method == "laplace":
        assert solution.energy == pytest.approx(np.sum(solution.scale**2) * (np.count_nonzero(~mask) - 1), rel=1e-12)


def test_flat_images_and_whole_ones_are_sure_and_say_so():
    for image, mask in ((np.full((9, 9), 4.0), scattered((9, 9))), (picture((9, 9)), np.zeros((9, 9), bool))):
        inpainter = Inpainter("laplace").fit(image, mask=mask)
        assert (inpainter.std() == 0).all()
        assert "standard deviations are 0" in inpainter.solution_.status
        np.testing.assert_array_equal(inpainter.interval(0.9), np.stack([image] * 2))
        np.testing.assert_array_equal(inpainter.sample(2), np.stack([image] * 2))


def test_a_channel_that_is_flat_is_sure_and_that_is_said():
    image = np.stack([picture((40, 40)), np.full((40, 40), 255.0)], axis=-1)
    inpainter = fitted(image=image, channel_axis=-1)
    assert (inpainter.std()[..., 1] == 0).all()
    assert "They are 0 in 1 channel whose known pixels are all equal." in inpainter.solution_.status


def test_pixels_left_as_they_came_are_infinitely_unsure_and_that_is_said():
    image, mask = picture(), scattered()
    mask[20:40, 20:40] = True
    inpainter = fitted(image=image, mask=mask, max_distance=3)
    std, left = inpainter.std(), mask & ~inpainter.mask_
    assert left.any()
    assert np.isinf(std[left]).all()
    assert np.isfinite(std[~left]).all()
    assert "infinite" in inpainter.solution_.status
    assert np.isnan(inpainter.sample(1)[0][left]).all()


def test_pixels_left_in_a_constant_image_are_in_no_sample():
    mask = np.arange(9) > 0
    inpainter = Inpainter("laplace", max_distance=2).fit(np.full(9, 7.0), mask=mask)
    np.testing.assert_array_equal(inpainter.sample(2), [[7.0] * 3 + [np.nan] * 6] * 2)


def test_a_grown_mask_and_a_nodata_value_are_understood():
    image = np.clip(picture(), 1, 250).round()
    image[scattered(missing=0.2)] = -9999
    inpainter = Inpainter("laplace", missing_values=-9999, grow=1).fit(image)
    np.testing.assert_array_equal(inpainter.std() > 0, inpainter.mask_)


def test_spacing_counts():
    image = picture((60, 60))
    mask = scattered((60, 60))
    assert fitted(image=image, mask=mask, spacing=(1, 3)).std().tobytes() == (
        fitted(image=image, mask=mask, spacing=(2, 6)).std().tobytes()
    )


@pytest.mark.parametrize("name", ["std", "interval", "sample"])
def test_nothing_is_known_before_a_fit(name):
    with pytest.raises(ValueError, match=f"Inpainter.{name} needs an image first"):
        getattr(Inpainter("laplace"), name)()


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("interval", {"level": 0.0}, r"'level' parameter of Inpainter.interval must be a float in \(0, 1\). Got 0.0"),
        ("interval", {"level": 90}, "'level' parameter of Inpainter.interval .* Got 90"),
        ("sample", {"n": -1}, "'n' parameter of Inpainter.sample must be an int of at least 0. Got -1"),
        ("sample", {"n": 1.5}, "'n' parameter of Inpainter.sample"),
        ("std", {"rng": -1}, "'rng' parameter of Inpainter.std must be an int of at least 0 or a Generator. Got -1"),
        ("std", {"rng": "0"}, "'rng' parameter of Inpainter.std"),
    ],
)
def test_bad_questions_are_refused(name, settings, message):
    with pytest.raises(ValueError, match=message):
        getattr(fitted(image=picture((9, 9)), mask=scattered((9, 9))), name)(**settings)


def test_bad_return_std_is_refused():
    with pytest.raises(ValueError, match=r"'return_std' parameter of inpaint must be a bool\. Got 1"):
        inpaint(picture((9, 9)), scattered((9, 9)), return_std=1)


def test_a_ladder_is_conformal():
    """Among n + 1 exchangeable errors, the last is below the quantile with the probability that is asked for."""
    rng = np.random.default_rng(0)
    for level in (0.5, 0.9):
        inside = [
            rng.exponential() <= Ladder.of(np.ones(49), rng.exponential(size=49)).quantile(level)(np.ones(1))[0]
            for _ in range(4000)
        ]
        assert np.mean(inside) == pytest.approx(level, abs=0.02)


def test_the_roughness_is_the_local_scale():
    for right, ratio in ((1.0, (1, 1)), (5.0, (2, 5))):
        rng = np.random.default_rng(0)
        image = np.cumsum(rng.standard_normal(4000) * np.repeat([1.0, right], 2000))
        mask = rng.random(4000) < 0.5
        mask[[0, -1]] = False
        filled = np.interp(np.arange(4000), np.flatnonzero(~mask), image[~mask])
        windows, overall = roughness(filled, mask, (1.0,))
        assert overall == pytest.approx(np.sqrt((1 + right**2) / 2), rel=0.05)
        for window in windows:
            low, high = np.sqrt(np.mean(window[100:1900] ** 2)), np.sqrt(np.mean(window[2100:3900] ** 2))
            assert 0.95 * ratio[0] <= high / low <= 1.05 * ratio[1]


def test_a_method_of_laplace_type_has_its_own_field():
    mask = scattered((9, 9))
    assert Laplace(lags=(1, 2)).field(mask, (1.0, 1.0)).lags == (1, 2)
    assert skinpaint.Biharmonic().field(mask, (1.0, 1.0)).order == 2
    assert SparseDCT().field(mask, (1.0, 1.0)).order == 1


FAULTS = {
    "zero_where_known": ("std", lambda right: lambda self: right(self) + 1e-9),
    "seeds": ("std", lambda right: lambda self: right(self) * np.random.default_rng().uniform(0.9, 1.1)),
    "unit": ("std", lambda right: lambda self: right(self) ** 1.1),
    "levels": ("interval", lambda right: lambda self, level: right(self, 1 - level)),
    "samples": ("sample", lambda right: lambda self, n, rng: right(self, n, rng)[:1].repeat(n, axis=0)),
    "coverage": (
        "interval",
        lambda right: lambda self, level: 0.5 * np.array(right(self, level)) + 0.5 * self._as_user(self.centre),
    ),
}


@pytest.mark.parametrize("law", UNCERTAINTY_LAWS)
def test_every_law_of_uncertainty_catches_a_fault(law, monkeypatch):
    UNCERTAINTY_LAWS[law](Laplace(), 1e-3)
    name, fault = FAULTS[law]
    monkeypatch.setattr(Uncertainty, name, fault(getattr(Uncertainty, name)))
    with pytest.raises(AssertionError, match=f"Laplace breaks the law '{law}'"):
        check_uncertainty(Laplace(), skip=set(UNCERTAINTY_LAWS) - {law})


def test_an_unknown_law_is_refused():
    with pytest.raises(ValueError, match="must hold names of laws: zero_where_known, seeds"):
        check_uncertainty(Laplace(), skip=("nonsense",))


def test_a_notebook_shows_the_map_once_it_was_asked_for():
    inpainter = fitted(image=picture((40, 40)), mask=scattered((40, 40)))
    assert inpainter._repr_html_().count("<img") == 2
    inpainter.std()
    html = inpainter._repr_html_()
    assert html.count("<img") == 3
    assert "standard deviation, in the image&#x27;s units" in html
    colour = np.stack([picture((40, 40))] * 3, axis=-1)
    inpainter = fitted(image=colour, mask=scattered((40, 40)), channel_axis=-1)
    inpainter.std()
    assert inpainter._repr_html_().count("<img") == 3


def test_a_map_keeps_the_order_of_the_numbers():
    ramp = np.tile(np.linspace(0, 1, 320), (320, 1))
    pixels = np.asarray(heat_map(ramp).convert("L"), dtype=int)[10, :320]
    assert (np.diff(pixels) >= 0).all()
    assert pixels[-1] - pixels[0] > 150
    unknown = np.asarray(heat_map(np.full((320, 320), np.inf)))
    assert (unknown[:300] == 190).all()


def test_an_image_whose_values_are_nearly_all_equal_has_a_finite_answer():
    """All but one known pixel are equal, so that what is left after hiding some may be constant."""
    image = np.full((20, 20), 3.0)
    image[4, 5] = 9.0
    for seed in range(4):
        std = fitted(image=image, mask=scattered((20, 20), 0.3, seed=8 + seed)).std(seed)
        assert np.isfinite(std).all()


def test_one_known_value_a_channel_is_no_error():
    colour = np.arange(60.0).reshape(1, 2, 30)
    mask = np.zeros(colour.shape, bool)
    mask[0, 1] = True
    std = Inpainter("laplace", channel_axis=-1).fit(colour, mask=mask).std()
    assert (std == 0).all()  # every channel is constant, as far as is known
