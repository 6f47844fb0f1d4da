"""Known pixels with noise: the posterior mean, its scale, how much noise there is, and what is said about it."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from skinpaint import Biharmonic, Inpainter, Laplace, inpaint
from skinpaint.trust.field import Field
from skinpaint.trust.noise import estimate_noise, smooth

METHODS = {"laplace": Laplace, "biharmonic": Biharmonic}


def noisy_photograph(noise=10.0, side=64):
    truth = data.camera()[60 : 60 + side, 180 : 180 + side].astype(float)
    rng = np.random.default_rng(0)
    return truth, truth + noise * rng.standard_normal(truth.shape), rng.random(truth.shape) < 0.5


def error(one, other):
    return float(np.sqrt(np.mean((one - other) ** 2)))


def prior(shape, order, rng):
    """A draw of the field where nothing is known: cosines are the eigenvectors of L."""
    from scipy.fft import idctn

    axes = np.meshgrid(*(2 - 2 * np.cos(np.pi * np.arange(n) / n) for n in shape), indexing="ij")
    eigenvalues = sum(axes) ** order
    eigenvalues.flat[0] = np.inf
    return idctn(rng.standard_normal(shape) / np.sqrt(eigenvalues), norm="ortho")


@pytest.mark.parametrize("name", METHODS)
def test_it_is_nearer_to_the_truth_than_an_exact_fill(name):
    truth, noisy, mask = noisy_photograph()
    exact = error(inpaint(noisy, mask, method=METHODS[name]()), truth)
    smoothed = error(inpaint(noisy, mask, method=METHODS[name](noise=10.0)), truth)
    estimated = error(inpaint(noisy, mask, method=METHODS[name](noise="estimate")), truth)
    assert smoothed < 0.9 * exact
    assert estimated < 1.02 * smoothed


@pytest.mark.parametrize("name", METHODS)
def test_without_noise_it_is_the_fill(name):
    truth, _, mask = noisy_photograph()
    fill = inpaint(truth, mask, method=METHODS[name]())
    np.testing.assert_array_equal(inpaint(truth, mask, method=METHODS[name](noise=0)), fill)
    distances = [np.abs(inpaint(truth, mask, method=METHODS[name](noise=s)) - fill).max() for s in (1.0, 1e-1, 1e-3)]
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 0.02  # of 255


@pytest.mark.parametrize("order", [1, 2])
def test_the_scale_and_the_interval_are_right_for_draws_from_the_prior(order):
    rng = np.random.default_rng(1)
    mask = rng.random((48, 48)) < 0.4
    fill = Field(mask, order, (1.0, 1.0))
    scales, covered = [], []
    for _ in range(6):
        truth = 0.1 * prior(mask.shape, order, rng)
        # Edges alike: the exponent of the weights is that of noise far below the range.
        noisy = truth + 0.05 * rng.standard_normal(mask.shape)
        found = smooth(noisy, fill, 0.05, edges=False)
        std = found.scale * np.sqrt(found.field.variances(0))
        scales.append(found.scale)
        covered.append(np.mean(np.abs(found.values - truth) <= 1.644854 * std))
    assert np.mean(scales) == pytest.approx(0.1, rel=0.1)
    assert np.mean(covered) == pytest.approx(0.9, abs=0.02)


def test_the_mean_is_that_of_the_dense_system():
    rng = np.random.default_rng(0)
    mask = rng.random((12, 13)) < 0.4
    y = ndimage.gaussian_filter(rng.random(mask.shape), 1)
    found = smooth(y, Field(mask, 2, (1.0, 1.0)), np.where(np.arange(13) < 6, 0.01, 0.1) * np.ones((12, 1)), tol=1e-11)
    eye = Field(np.ones(mask.shape, bool), 2, (1.0, 1.0))
    Q = eye._matrix(eye.mask).toarray() + np.diag(found.field.shift.ravel())
    np.testing.assert_allclose(
        found.values.ravel(), np.linalg.solve(Q, (found.field.shift * y).ravel()), rtol=1e-6, atol=1e-8
    )
    assert (found.field.shift[mask] == 0).all()
    assert found.field.shift[~mask][0] == pytest.approx(100 * found.field.shift[:, 6:][~mask[:, 6:]][0])


@pytest.mark.parametrize("noise", [5.0, 10.0, 25.0])
def test_noise_is_estimated_within_a_tenth(noise):
    _, noisy, mask = noisy_photograph(noise, side=192)
    found = Inpainter(Laplace(noise="estimate")).fit(noisy, mask=mask)
    scale = np.ptp(noisy[~mask])
    assert found.solution_.noise[0] * scale == pytest.approx(noise, rel=0.1)


def test_where_few_neighbours_are_known_the_likelihood_estimates_the_noise():
    rng = np.random.default_rng(3)
    truth = 0.02 * prior((64, 64), 2, rng)
    noisy = truth + 0.1 * rng.standard_normal(truth.shape)
    mask = rng.random(truth.shape) < 0.8
    assert estimate_noise(noisy, Field(mask, 2, (1.0, 1.0))) == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("shape", [(4, 5), (30,)])
def test_the_scale_of_a_few_pixels_is_the_most_likely_one(shape):
    """One draw of signs tells so little of twenty pixels that a wave came back flat, with narrow intervals."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        y = np.sin(np.indices(shape).sum(axis=0) / 2) + 0.3 * rng.standard_normal(shape)
        found = smooth(y, Field(rng.random(shape) < 0.3, 2, (1.0,) * len(shape)), 0.3)
        shift = found.field.shift.ravel()
        dense = found.field._matrix(found.field.mask).toarray()  # with the shift
        freedom = np.trace(shift * np.linalg.inv(dense))
        energy = found.values.ravel() @ (dense - np.diag(shift)) @ found.values.ravel()
        assert np.sqrt(energy / (freedom - 1)) == pytest.approx(found.scale, rel=0.05)


def test_measurements_of_which_nothing_is_known_are_missing():
    _, noisy, mask = noisy_photograph()
    half = np.where(np.arange(64) % 3 == 0, np.inf, 10.0) * np.ones((64, 1))
    broken = np.where(np.isinf(half), 1e9, noisy)
    given = inpaint(broken, mask, method=Laplace(noise=half))
    np.testing.assert_array_equal(given, inpaint(noisy, mask | np.isinf(half), method=Laplace(noise=10.0)))
    alone = Inpainter(Laplace(noise=half)).fit(broken)
    np.testing.assert_array_equal(alone.mask_, np.isinf(half))


def test_better_measurements_count_more():
    truth, _, mask = noisy_photograph()
    rng = np.random.default_rng(4)
    levels = np.where(rng.random(truth.shape) < 0.5, 3.0, 40.0)
    noisy = truth + levels * rng.standard_normal(truth.shape)
    told = error(inpaint(noisy, mask, method=Biharmonic(noise=levels)), truth)
    untold = error(inpaint(noisy, mask, method=Biharmonic(noise=float(np.sqrt(np.mean(levels**2))))), truth)
    assert told < 0.9 * untold


@pytest.mark.parametrize("name", METHODS)
def test_outliers_count_less_if_that_is_asked_for(name):
    truth, noisy, mask = noisy_photograph()
    rng = np.random.default_rng(5)
    hit = rng.random(truth.shape) < 0.03
    noisy[hit] = rng.choice([0.0, 255.0], hit.sum())
    plain, robust = (
        error(inpaint(noisy, mask, method=METHODS[name](noise=10.0, robust=r)), truth) for r in (False, True)
    )
    assert robust < 0.9 * plain


def test_known_pixels_change_and_that_is_said():
    _, noisy, mask = noisy_photograph()
    image = np.clip(noisy, 0, 255).round().astype(np.uint8)
    inpainter = Inpainter(Laplace(noise=10.0)).fit(image, mask=mask)
    assert inpainter.restored_.dtype == np.uint8
    assert (inpainter.restored_[~mask] != image[~mask]).mean() > 0.5
    assert "Smoothed: known pixels are taken as measurements with a standard deviation of 10, and have changed" in (
        inpainter.solution_.status
    )
    np.testing.assert_array_equal(inpainter.mask_, mask)
    std = inpainter.std()
    assert 0 < std[~mask].mean() < std[mask].mean()
    assert "not calibrated" in inpainter.solution_.status
    samples = inpainter.sample(8)
    assert (samples.std(axis=0)[~mask] > 0).all()
    low, high = inpainter.interval(0.9)
    assert (low <= high).all()
    exact = Inpainter(Laplace()).fit(image, mask=mask)
    np.testing.assert_array_equal(exact.restored_[~mask], image[~mask])


def test_an_image_without_holes_is_smoothed_too():
    truth, noisy, _ = noisy_photograph()
    smoothed = inpaint(noisy, np.zeros(truth.shape, bool), method=Laplace(noise=10.0))
    assert error(smoothed, truth) < 0.7 * error(noisy, truth)


def test_a_change_of_unit_changes_the_unit_only():
    _, noisy, mask = noisy_photograph()
    one = inpaint(noisy, mask, method=Biharmonic(noise=10.0))
    other = inpaint(3 * noisy + 7, mask, method=Biharmonic(noise=30.0))
    np.testing.assert_allclose(other, 3 * one + 7, atol=1e-4)


def test_every_channel_has_its_noise():
    _, noisy, mask = noisy_photograph()
    colour = np.stack([noisy, 2 * noisy], axis=0)
    levels = np.stack([np.full(noisy.shape, 10.0), np.full(noisy.shape, 20.0)])
    both = inpaint(colour, mask, method=Laplace(noise=levels), channel_axis=0)
    np.testing.assert_allclose(both[1], 2 * both[0], atol=1e-3)


def test_the_callback_sees_the_smoothed_picture():
    _, noisy, mask = noisy_photograph()
    seen = []
    restored = inpaint(noisy, mask, method=Laplace(noise=10.0), callback=lambda record, restore: seen.append(restore()))
    np.testing.assert_array_equal(seen[0], restored)


@pytest.mark.parametrize("name", METHODS)
def test_bounds_that_are_not_touched_change_nothing(name):
    _, noisy, mask = noisy_photograph()
    image = noisy.round().astype(np.int32)
    own, wide = (Inpainter(METHODS[name](noise=10.0), bounds=b).fit(image, mask=mask) for b in (None, "dtype"))
    np.testing.assert_array_equal(own.restored_, wide.restored_)
    np.testing.assert_allclose(own.std(), wide.std(), rtol=1e-4)
    assert "a standard deviation of 10, and" in wide.solution_.status


@pytest.mark.parametrize("full", ["noise", "mask"])
def test_what_was_not_measured_is_missing_whatever_the_shapes_of_mask_and_noise(full):
    _, noisy, mask = noisy_photograph()
    colour = np.stack([noisy, noisy.T], axis=0)
    levels = np.full(noisy.shape, 10.0)
    levels[5, 5] = np.inf
    without, mask = mask | np.isinf(levels), mask & ~np.isinf(levels)
    expected = inpaint(colour, without, method=Laplace(noise=10.0), channel_axis=0)
    colour[:, 5, 5] = 1e8
    levels, mask = (np.stack([levels] * 2), mask) if full == "noise" else (levels, np.stack([mask] * 2))
    inpainter = Inpainter(Laplace(noise=levels), channel_axis=0).fit(colour, mask=mask)
    assert inpainter.mask_[..., 5, 5].all()
    np.testing.assert_allclose(inpainter.restored_, expected, atol=1e-9)


@pytest.mark.parametrize("level", [1.0, 1e8])
@pytest.mark.parametrize("name", METHODS)
def test_where_noise_drowns_everything_the_mean_is_known_as_well_as_a_mean_can_be(name, level):
    rng = np.random.default_rng(0)
    image = ndimage.gaussian_filter(rng.standard_normal((20, 20)), 4)
    image = (image - image.min()) / np.ptp(image)
    mask = rng.random(image.shape) < 0.3
    inpainter = Inpainter(METHODS[name](noise=level)).fit(image, mask=mask)
    assert inpainter.converged_
    np.testing.assert_allclose(inpainter.restored_, image[~mask].mean(), atol=2e-3)
    std = np.sqrt(np.mean([inpainter.std(seed) ** 2 for seed in range(4)]))
    assert std == pytest.approx(level / np.sqrt(np.count_nonzero(~mask)), rel=0.15)


@pytest.mark.parametrize("name", METHODS)
def test_equal_measurements_are_no_surer_than_their_mean(name):
    colour = np.stack([noisy_photograph(side=20)[1], np.full((20, 20), 7.0)], axis=-1)
    mask = np.zeros((20, 20), bool)
    mask[5:9, 5:9] = True
    both = Inpainter(METHODS[name](noise=2.0), channel_axis=-1).fit(colour, mask=mask)
    alone = Inpainter(METHODS[name](noise=2.0)).fit(colour[..., 1], mask=mask)
    for inpainter, std in ((both, both.std()[..., 1]), (alone, alone.std())):
        assert std.mean() == pytest.approx(2 / np.sqrt(384), rel=0.4)  # a third of it from one constant's 30 draws
        assert "Smoothed" in inpainter.solution_.status
    one = Inpainter(METHODS[name](noise=0.1)).fit(np.array([1.0, np.nan, np.nan]))
    np.testing.assert_array_equal(one.restored_, 1)
    assert (one.std() >= 0.099).all()


def test_the_level_that_is_said_is_the_root_mean_square():
    _, noisy, mask = noisy_photograph()
    levels = np.where(np.arange(64) < 32, 5.0, 20.0) * np.ones((64, 1))
    found = Inpainter(Laplace(noise=levels)).fit(noisy, mask=mask).solution_
    assert found.noise[0] * np.ptp(noisy[~mask]) == pytest.approx(np.sqrt(np.mean(levels[~mask] ** 2)))


def test_in_a_hole_the_interval_of_a_field_of_its_kind_is_not_too_sure():
    """The weights follow the mean, which is smooth there; with them, two of five values were in the interval."""
    y, x = np.mgrid[:64, :64]
    mask = np.zeros((64, 64), bool)
    for a, b in ((12, 12), (12, 45), (45, 12), (48, 48), (30, 30)):
        mask |= (y - a) ** 2 + (x - b) ** 2 <= 49
    covered = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        truth = prior(mask.shape, 1, rng)
        truth /= truth.std()
        inpainter = Inpainter(Laplace(noise=0.05)).fit(truth + 0.05 * rng.standard_normal(truth.shape), mask=mask)
        low, high = inpainter.interval(0.9)
        covered.append(((low <= truth) & (truth <= high))[mask].mean())
    assert 0.78 < np.mean(covered) < 0.95


@pytest.mark.parametrize("name", METHODS)
def test_noise_beyond_all_numbers_is_refused(name):
    with pytest.raises(ValueError, match=r"must be at most 1e\+100 times the range .* Got 1e\+155 times"):
        inpaint(np.array([0.0, np.nan, 1.0]), method=METHODS[name](noise=1e155))


@pytest.mark.parametrize("noise", [-1.0, np.nan, np.inf, "guess", True, np.full(3, np.inf), np.array([1.0, -1.0])])
@pytest.mark.parametrize("name", METHODS)
def test_bad_noise_is_refused(name, noise):
    with pytest.raises(ValueError, match=rf"The 'noise' parameter of {name.capitalize()} must be None, 'estimate'"):
        METHODS[name](noise=noise)


def test_noise_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"must be a number or have the image's shape \(64, 64\). Got \(3, 3\)"):
        inpaint(*noisy_photograph()[1:], method=Laplace(noise=np.ones((3, 3))))


def test_bad_robust_is_refused():
    with pytest.raises(ValueError, match="The 'robust' parameter of Laplace must be a bool"):
        Laplace(robust=1)


@pytest.mark.parametrize(("shape", "lags"), [((2, 9), (1, 2)), ((2,), (1, 2)), ((1, 1), (1,))])
def test_axes_too_short_for_neighbours_are_smoothed_along_the_others(shape, lags):
    image = np.random.default_rng(0).standard_normal(shape)
    inpainter = Inpainter(Laplace(noise=0.3, lags=lags)).fit(image)
    assert np.isfinite(inpainter.restored_).all()
    assert (inpainter.std() > 0).all()


@pytest.mark.parametrize("known", [1, 2])
def test_noise_of_two_values_is_not_estimated(known):
    """It was 20,000 times their difference."""
    image = np.full((8, 8), np.nan)
    image[2, 2:4] = (3.0, 4.0 if known == 2 else np.nan)
    said = (
        rf"'noise' .* must be numbers where fewer than 3 values of a channel are known. Got 'estimate' .* {known} known"
    )
    with pytest.raises(ValueError, match=said):
        Inpainter(Biharmonic(noise="estimate")).fit(image)
    assert Inpainter(Biharmonic(noise=0.1)).fit(image).std().max() >= 0.099


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_noise_of_equal_values_has_their_unit(unit):
    image = np.full((8, 8), 3 * unit)
    image[2, 2] = np.nan
    for noise, expected in (("estimate", 0), (0.1 * unit, 0.1), (1e-8 * unit, 1e-8)):
        found = Inpainter(Laplace(noise=noise)).fit(image)
        assert found.solution_.noise[0] / unit == pytest.approx(expected)
        assert found.std().max() / unit == pytest.approx(expected / 8, rel=0.1)


def test_masked_noise_means_not_measured():
    rng = np.random.default_rng(0)
    image, lost = rng.random((9, 9)), rng.random((9, 9)) < 0.2
    noise = np.ma.array(np.where(lost, rng.choice([0, np.nan], (9, 9)), 0.1), mask=lost)
    found = Inpainter(Laplace(noise=noise)).fit(image)
    np.testing.assert_array_equal(found.mask_, lost)
    np.testing.assert_array_equal(found.restored_, inpaint(image, method=Laplace(noise=noise.filled(np.inf))))
