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


def plain_mean(x, missing, found, noise, members, side):
    """The definition: every patch of every group by itself, among the entries that it knows."""
    channels, _, width = x.shape
    total, weight = np.zeros(x.shape), np.zeros(x.shape)
    for group in found.reshape(-1, found.shape[-1]):
        if group[0] < 0:
            continue
        boxes = [(slice(None), slice(a, a + side), slice(b, b + side)) for a, b in np.transpose(divmod(group, width))]
        patches = np.array([x[box].ravel() for box in boxes], float)
        holes = np.array([missing[box].ravel() for box in boxes])
        mean = np.average(patches, axis=0, weights=np.where(holes, float(FILLED_WEIGHT), 1))
        samples = (patches - mean).T @ (patches - mean) / len(patches)
        variance = noise**2 + 1e-6 * np.trace(samples)
        share = 1 / np.sqrt(np.trace(samples) / len(mean) + float(VARIANCE_FLOOR) * noise**2)
        whole = samples + np.trace(samples) / len(mean) * prior(side, channels)
        for box, patch, hole in zip(boxes[:members], patches, holes, strict=False):
            k = ~hole
            if not hole.any():
                continue
            own = np.outer(patch - mean, patch - mean) / len(patches)
            covariance = whole - (1 - float(OWN_WEIGHT)) * own
            gain = covariance[:, k] @ np.linalg.inv(covariance[np.ix_(k, k)] + variance * np.eye(k.sum()))
            total[box] += share * (mean + gain @ (patch - mean)[k]).reshape(channels, side, side)
            weight[box] += share
    return np.where(missing & (weight > 0), total / np.maximum(weight, 1e-30), x)


@pytest.mark.parametrize("fraction", [0.04, 0.2, 0.5, 0.9])  # each of the systems is the cheapest for one of them
@pytest.mark.parametrize(
    ("channels", "stacked", "side"),
    [*((1, False, side) for side in PATCH_SIDES), (3, True, 6), (3, True, 5), (2, False, 6)],
)
def test_the_conditional_mean_is_what_its_definition_says(fraction, channels, stacked, side):
    rng = np.random.default_rng(0)
    x = rng.random((channels, 23, 30)).cumsum(axis=2).astype(np.float32) / 30
    missing = rng.random(x.shape) < fraction
    found = all_groups(x[0], missing.any(axis=0), side, 4)
    result = conditional_mean(x, missing, found, 0.02, side, 4, stacked)
    np.testing.assert_array_equal(result[~missing], x[~missing])

    def plain(noise):
        if stacked:
            return plain_mean(x, missing, found, noise, similar.FILLED_PER_GROUP, side)
        alone = zip(x[:, None], missing[:, None], strict=True)
        return np.concatenate(
            [plain_mean(plane, holes, found, noise, similar.FILLED_PER_GROUP, side) for plane, holes in alone]
        )

    np.testing.assert_allclose(result, plain(0.02), rtol=0, atol=2e-4)
    assert np.abs(result - plain(0.03)).max() > 2e-3  # another noise is noticed


@pytest.mark.parametrize("step", [1, 4, 9])
def test_what_known_pixels_tell_comes_back_whatever_the_guess(step):
    ramp = np.add.outer(np.arange(31), 2 * np.arange(37)).astype(np.float32) / 100
    rng = np.random.default_rng(1)
    missing = rng.random(ramp.shape) < 0.3
    guess = np.where(missing, ramp + 0.05 * rng.standard_normal(ramp.shape), ramp).astype(np.float32)
    found = all_groups(guess, missing, SIDE, step)
    result = conditional_mean(guess[None], missing[None], found, 1e-3, SIDE, step, False)[0]
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
    result = conditional_mean(x[None], missing[None], found, 0.1, SIDE, step, False)[0]
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
    np.testing.assert_allclose(conditional_mean(flat, missing, found, 0.0, SIDE, 4, False), flat, rtol=rounding)
    missing[0, ::2] = False
    np.testing.assert_allclose(conditional_mean(flat, missing, found, 0.0, SIDE, 4, False), flat, rtol=rounding)


def test_how_pieces_are_shared_makes_no_difference_to_the_last_bit():
    rng = np.random.default_rng(5)
    x, missing = rng.random((1, 60, 40), np.float32), rng.random((1, 60, 40)) < 0.5
    found = all_groups(x[0], missing[0], SIDE, 4)
    top = np.maximum((np.arange(7) * 2 - 1) * 4 - similar.SEARCH_RADIUS, 0)
    options = (SIDE, 16, np.float32(0.1), prior(SIDE, 1), 2, top)

    def sums(*cuts):
        total, weight = np.zeros((7, 1, 60, 40), np.float32), np.zeros((7, 60, 40), np.float32)
        for lo, hi in pairwise(cuts):
            condition(lo, hi, x, missing, found, *options, total, weight)
        return total.tobytes(), weight.tobytes()

    assert sums(0, 7) == sums(0, 1, 4, 7)


def test_the_number_of_threads_makes_no_difference(monkeypatch):
    rng = np.random.default_rng(7)
    x, missing = rng.random((2, 90, 70), np.float32), rng.random((2, 90, 70)) < 0.5

    def answer(count):
        monkeypatch.setattr(threads, "workers", lambda: count)
        monkeypatch.setattr(threads, "_threads", [])
        found = all_groups(x[0], missing.any(axis=0), SIDE, 3)
        return conditional_mean(x, missing, found, 0.1, SIDE, 3, True).tobytes()

    assert answer(1) == answer(3)


def test_rounding_leaves_no_pivot_below_zero():
    """One patch that differs from 31 copies of another, without noise: all but one eigenvalue vanish."""
    rng = np.random.default_rng(8)
    x = 1000 * rng.random((4, 6, 7), np.float32)
    for fraction in (0.1, 0.5, 0.75, 0.9):
        missing = rng.random(x.shape) < fraction
        found = all_groups(x[0], missing.any(axis=0), SIDE, 4)
        assert np.isfinite(conditional_mean(x, missing, found, 0.0, SIDE, 4, True)).all()


def test_many_channels_are_filled_a_few_at_a_time():
    rng = np.random.default_rng(6)
    x, missing = rng.random((6, 30, 30), np.float32), rng.random((6, 30, 30)) < 0.5
    found = all_groups(x.mean(axis=0), missing.any(axis=0), SIDE, 4)
    result = conditional_mean(x, missing, found, 0.1, SIDE, 4, True)
    first = conditional_mean(x[:4], missing[:4], found, 0.1, SIDE, 4, True)
    others = conditional_mean(x[4:], missing[4:], found, 0.1, SIDE, 4, True)
    np.testing.assert_array_equal(result, np.concatenate([first, others]))
