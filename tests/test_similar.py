"""Similar patches: the groups, and the conditional mean against its definition."""

from itertools import pairwise

import numpy as np
import pytest

from skinpaint.grid import threads
from skinpaint.grid.patches import groups as similar
from skinpaint.grid.patches.groups import PATCH_SIDES, conditional_mean, groups, prior
from skinpaint.grid.patches.kernels_groups import FILLED_LIKENESS, FILLED_WEIGHT, OWN_WEIGHT, VARIANCE_FLOOR, condition

SIDE = 6  # of patches, where any will do


def all_groups(x, missing, side, step):
    """The groups of all reference patches that miss something."""
    return groups(x, missing, missing, side, step)


def plain_mean(x, missing, found, noise, side):
    """The definition: every patch of every group by itself, among the entries that it knows.

    All planes of `x`, of shape (P, C, A, X), are samples of one Gaussian.
    """
    planes, channels, _, width = x.shape
    total, weight = np.zeros(x.shape), np.zeros(x.shape)
    for group in found.reshape(-1, found.shape[-1]):
        if group[0] < 0:
            continue
        boxes = [(slice(None), slice(a, a + side), slice(b, b + side)) for a, b in np.transpose(divmod(group, width))]
        patches = np.array([[plane[box].ravel() for box in boxes] for plane in x], float)
        holes = np.array([missing[box].ravel() for box in boxes])
        mean = np.average(patches, axis=1, weights=[np.where(holes, float(FILLED_WEIGHT), 1)] * planes, keepdims=True)
        z = patches - mean
        samples = np.einsum("pgi,pgj->ij", z, z) / (planes * len(boxes))
        variance = noise**2 + 1e-6 * np.trace(samples)
        share = 1 / np.sqrt(np.trace(samples) / len(samples) + float(VARIANCE_FLOOR) * noise**2)
        whole = samples + np.trace(samples) / len(samples) * prior(side, channels)
        for g, (box, hole) in enumerate(zip(boxes[: similar.FILLED_PER_GROUP], holes, strict=False)):
            k = ~hole
            if not hole.any():
                continue
            own = np.einsum("pi,pj->ij", z[:, g], z[:, g]) / (planes * len(boxes))
            covariance = whole - (1 - float(OWN_WEIGHT)) * own
            gain = covariance[:, k] @ np.linalg.inv(covariance[np.ix_(k, k)] + variance * np.eye(k.sum()))
            for p in range(planes):
                total[p][box] += share * (mean[p, 0] + gain @ z[p, g, k]).reshape(channels, side, side)
                weight[p][box] += share
    return np.where(missing & (weight > 0), total / np.maximum(weight, 1e-30), x)


def walks(rng, *shape):
    """Random walks along rows, some thirty steps long."""
    return rng.random(shape).cumsum(axis=-1).astype(np.float32) / 30


@pytest.mark.parametrize("fraction", [0.04, 0.2, 0.5, 0.9])  # each of the systems is the cheapest for one of them
@pytest.mark.parametrize(("channels", "side"), [*((1, side) for side in PATCH_SIDES), (3, 6), (3, 5), (2, 6)])
def test_the_conditional_mean_is_what_its_definition_says(fraction, channels, side):
    rng = np.random.default_rng(0)
    x = walks(rng, channels, 23, 30)
    missing = rng.random(x.shape) < fraction
    found = all_groups(x[0], missing.any(axis=0), side, 4)
    result = conditional_mean(x, missing, found, 0.02, side, 4)
    np.testing.assert_array_equal(result[~missing], x[~missing])
    np.testing.assert_allclose(result, plain_mean(x[None], missing, found, 0.02, side)[0], rtol=0, atol=2e-4)
    other_noise = plain_mean(x[None], missing, found, 0.03, side)[0]
    assert np.abs(result - other_noise).max() > 2e-3


@pytest.mark.parametrize("fraction", [0.04, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_correlated_channels_that_miss_the_same_are_samples_of_one_gaussian(fraction, channels):
    rng = np.random.default_rng(0)
    x = walks(rng, 1, 23, 30) * np.float32([1, 0.7, 1.2, 0.9][:channels])[:, None, None]
    x += 0.1 * walks(rng, channels, 23, 30)
    missing = rng.random((1, *x.shape[1:])) < fraction
    found = all_groups(x[0], missing[0], SIDE, 4)
    result = conditional_mean(x, missing, found, 0.02, SIDE, 4)
    expected = plain_mean(x[:, None], missing, found, 0.02, SIDE)[:, 0]
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-4)
    alone = np.concatenate([conditional_mean(plane, missing, found, 0.02, SIDE, 4) for plane in x[:, None]])
    assert np.abs(result - alone).max() > 1e-3


@pytest.mark.parametrize("other", ["unrelated", "constant"])
def test_other_channels_are_as_if_alone(other):
    rng = np.random.default_rng(2)
    x = walks(rng, 3, 40, 50)
    x[1] = -x[0]
    if other == "constant":
        x[2] = 7
    missing = rng.random((1, *x.shape[1:])) < 0.5
    found = all_groups(x[0], missing[0], SIDE, 4)
    alone = [conditional_mean(plane, missing, found, 0.02, SIDE, 4) for plane in x[:, None]]
    np.testing.assert_array_equal(conditional_mean(x, missing, found, 0.02, SIDE, 4), np.concatenate(alone))


@pytest.mark.parametrize("step", [1, 4, 9])
def test_what_known_pixels_tell_comes_back_whatever_the_guess(step):
    ramp = np.add.outer(np.arange(31), 2 * np.arange(37)).astype(np.float32) / 100
    rng = np.random.default_rng(1)
    missing = rng.random(ramp.shape) < 0.3
    guess = np.where(missing, ramp + 0.05 * rng.standard_normal(ramp.shape), ramp).astype(np.float32)
    found = all_groups(guess, missing, SIDE, step)
    result = conditional_mean(guess[None], missing[None], found, 1e-3, SIDE, step)[0]
    reached = result != guess
    assert reached[missing].mean() > (0.99 if step < SIDE else 0.3)
    assert np.abs(result - ramp)[reached].mean() < 0.4 * np.abs(guess - ramp)[reached].mean()


def test_a_group_holds_the_patches_that_are_most_alike():
    rng = np.random.default_rng(3)
    x = rng.random((40, 40), np.float32)
    x[20:26, 24:30] = x[12:18, 8:14]  # a copy of reference patch (3, 2)
    found = all_groups(x, np.ones(x.shape, bool), SIDE, 4)
    assert found[3, 2, :2].tolist() == [12 * 40 + 8, 20 * 40 + 24]


@pytest.mark.parametrize("side", PATCH_SIDES)
def test_a_group_is_what_a_search_of_all_patches_finds(side):
    rng = np.random.default_rng(9)
    x = rng.random((45, 52)).cumsum(axis=1).astype(np.float32)
    missing = rng.random(x.shape) < 0.4
    wanted = missing & (np.arange(len(x)) < 20)[:, None]
    found = groups(x, missing, wanted, side, 4)
    patches = np.lib.stride_tricks.sliding_window_view(x.astype(float), (side, side))
    for r, c in np.ndindex(found.shape[:2]):
        a, b = (min(4 * i, n - 1) for i, n in zip((r, c), patches.shape, strict=False))
        box = slice(a, a + side), slice(b, b + side)
        if not wanted[box].any():
            assert found[r, c, 0] == -1
            continue
        weights = np.where(missing[box], float(FILLED_LIKENESS), 1)
        distances = (weights * (patches - patches[a, b]) ** 2).sum(axis=(2, 3))
        near = tuple(slice(max(0, i - similar.SEARCH_RADIUS), i + similar.SEARCH_RADIUS + 1) for i in (a, b))
        best = np.sort(distances[near], axis=None)[: found.shape[2]]
        np.testing.assert_allclose(distances[np.divmod(found[r, c], x.shape[1])], best, rtol=1e-4)
        assert found[r, c, 0] == a * x.shape[1] + b


@pytest.mark.parametrize("shape", [(6, 6), (6, 40), (7, 9), (41, 22)])
@pytest.mark.parametrize("step", [1, 4, 5])
def test_every_missing_pixel_is_reached(shape, step):
    rng = np.random.default_rng(4)
    x, missing = rng.random(shape, np.float32), rng.random(shape) < 0.2
    missing[-1, -1] = missing[0, 0] = True
    found = all_groups(x, missing, SIDE, step)
    result = conditional_mean(x[None], missing[None], found, 0.1, SIDE, step)[0]
    if shape == (6, 6):  # the only patch is its own mean
        np.testing.assert_allclose(result, x, rtol=1e-6)
    else:
        assert (result != x)[missing].all()
    assert np.isfinite(result).all()


def test_nothing_known_and_nothing_new_are_no_trouble():
    flat = np.full((1, 20, 20), 3, np.float32)
    missing = np.ones(flat.shape, bool)
    found = all_groups(flat[0], missing[0], SIDE, 4)
    # A value is an average of averages, each a quotient of two sums in single precision, of at least 32 terms.
    rounding = 2 * (found.shape[2] + found.shape[2]) * np.finfo(np.float32).eps / 2
    np.testing.assert_allclose(conditional_mean(flat, missing, found, 0.0, SIDE, 4), flat, rtol=rounding)
    missing[0, ::2] = False
    np.testing.assert_allclose(conditional_mean(flat, missing, found, 0.0, SIDE, 4), flat, rtol=rounding)


def test_how_pieces_are_shared_makes_no_difference_to_the_last_bit():
    rng = np.random.default_rng(5)
    x, missing = rng.random((1, 60, 40), np.float32), rng.random((1, 60, 40)) < 0.5
    found = all_groups(x[0], missing[0], SIDE, 4)
    top = np.maximum((np.arange(7) * 2 - 1) * 4 - similar.SEARCH_RADIUS, 0)
    options = (SIDE, 16, np.float32(0.1), prior(SIDE, 1), 2, top)

    def sums(*cuts):
        total, weight = np.zeros((7, 1, 1, 60, 40), np.float32), np.zeros((7, 1, 1, 60, 40), np.float32)
        for lo, hi in pairwise(cuts):
            condition(lo, hi, x[None], missing, found, *options, total, weight)
        return total.tobytes(), weight.tobytes()

    assert sums(0, 7) == sums(0, 1, 4, 7)


def test_the_number_of_threads_makes_no_difference(monkeypatch):
    rng = np.random.default_rng(7)
    x, missing = rng.random((2, 90, 70), np.float32), rng.random((2, 90, 70)) < 0.5

    def answer(count):
        monkeypatch.setattr(threads, "workers", lambda: count)
        monkeypatch.setattr(threads, "_threads", [])
        found = all_groups(x[0], missing.any(axis=0), SIDE, 3)
        return conditional_mean(x, missing, found, 0.1, SIDE, 3).tobytes()

    assert answer(1) == answer(3)


def test_rounding_leaves_no_pivot_below_zero():
    """One patch that differs from 31 copies of another, without noise: all but one eigenvalue vanish."""
    rng = np.random.default_rng(8)
    x = 1000 * rng.random((4, 6, 7), np.float32)
    for fraction in (0.1, 0.5, 0.75, 0.9):
        missing = rng.random(x.shape) < fraction
        found = all_groups(x[0], missing.any(axis=0), SIDE, 4)
        assert np.isfinite(conditional_mean(x, missing, found, 0.0, SIDE, 4)).all()


def test_many_channels_are_filled_a_few_at_a_time():
    rng = np.random.default_rng(6)
    x, missing = rng.random((6, 30, 30), np.float32), rng.random((6, 30, 30)) < 0.5
    found = all_groups(x.mean(axis=0), missing.any(axis=0), SIDE, 4)
    result = conditional_mean(x, missing, found, 0.1, SIDE, 4)
    first = conditional_mean(x[:3], missing[:3], found, 0.1, SIDE, 4)
    others = conditional_mean(x[3:], missing[3:], found, 0.1, SIDE, 4)
    np.testing.assert_array_equal(result, np.concatenate([first, others]))
