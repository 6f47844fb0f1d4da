"""Sparse blocks: the kernels against their definition, the schedule, and what the method is for."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.fft import dctn, idctn
from skimage import data

from skinpaint import ConvergenceWarning, Inpainter, SparseDCT, inpaint
from skinpaint.damage import random_pixels, scratches, text
from skinpaint.grid.patches import blocks
from skinpaint.grid.patches.blocks import Blocks, as_planes, stride
from skinpaint.grid.patches.groups import tiles
from skinpaint.grid.patches.kernels_blocks import estimate
from skinpaint.problem import Problem
from skinpaint.scores import psnr

CAMERA = data.camera()[60:188, 180:308]


def plain_average(x, wanted, side, shifts, t):
    """The definition: every block by itself, on the mirrored image."""
    long = [n > 1 for n in x.shape[:2]] + [True]
    pad = [(side // 2,) * 2 if wide else (0, 0) for wide in long]
    sides = [side if wide else 1 for wide in long]
    padded, holes = np.pad(x.astype(float), pad, mode="symmetric"), np.pad(wanted, pad, mode="symmetric")
    total, weight = np.zeros_like(padded), np.zeros_like(padded)
    corners = [
        range(min(shift, m) if wide else 0, n - s + 1, stride(side) if wide else 1)
        for n, m, s, shift, wide in zip(padded.shape, x.shape, sides, shifts, long, strict=True)
    ]
    for corner in np.stack(np.meshgrid(*corners, indexing="ij"), -1).reshape(-1, 3):
        block = tuple(slice(c, c + s) for c, s in zip(corner, sides, strict=True))
        if not holes[block].any():
            continue
        c = dctn(padded[block], norm="ortho")
        keep = np.maximum(0, 1 - t**2 / (c**2 + 1e-20))
        keep[0, 0, 0] = 1
        total[block] += idctn(c * keep, norm="ortho") / keep.sum()
        weight[block] += 1 / keep.sum()
    inner = tuple(slice(before, n - after) for (before, after), n in zip(pad, padded.shape, strict=True))
    return np.where(weight > 0, total / np.maximum(weight, 1e-30), padded)[inner]


def rounded(x, missing, side, shifts, t, feedback=0.0, momentum=0.0):
    """One round over an image of one channel: what it is then, what the next blocks are taken from, and the change."""
    image = x[..., None].copy()
    every = Blocks(image, missing[..., None], side, np.eye(1, dtype=np.float32), joint=True)
    bounds = np.full(1, -9, np.float32), np.full(1, 9, np.float32)
    change = every.round(shifts, np.array([t]), feedback, momentum, *bounds)
    inner = tuple(slice(pad, pad + n) for pad, n in zip(every.pads, x.shape, strict=True))
    return image[..., 0], every.x[0][inner], change


SHAPES = {
    8: [(1, 1, 30), (21, 1, 70), (9, 6, 17), (2, 1, 3)],
    16: [(1, 1, 30), (21, 1, 130), (3, 1, 2)],
    32: [(1, 1, 9), (40, 1, 70)],
}


@pytest.mark.parametrize(("side", "shape"), [(side, shape) for side, shapes in SHAPES.items() for shape in shapes])
def test_the_average_of_shrunk_blocks_is_what_its_definition_says(side, shape):
    rng = np.random.default_rng(0)
    x, missing = rng.random(shape, np.float32), rng.random(shape) < 0.02
    missing.flat[0] = True
    shifts = (1, 2, 3)
    found, fed, change = rounded(x, missing, side, shifts, 0.2, feedback=0.5, momentum=0.7)
    expected = plain_average(x, missing, side, shifts, 0.2)
    np.testing.assert_allclose(found, np.where(missing, expected, x), rtol=0, atol=1e-5)
    next_one = np.where(missing, expected + 0.7 * (expected - x), x + 0.5 * (x - expected))
    np.testing.assert_allclose(fed, next_one, rtol=0, atol=1e-5)
    np.testing.assert_allclose(change, np.abs(expected - x)[missing].max(), rtol=0, atol=1e-5)
    wrong = plain_average(x, missing, side, shifts, 0.22)
    assert np.abs(found - wrong)[missing].max() > 1e-4  # a threshold that is off by a tenth is noticed


def test_bands_of_rows_are_as_good_as_the_whole(monkeypatch):
    damaged, mask = scratches(CAMERA, rng=0)
    whole = inpaint(damaged, mask, method=SparseDCT(block=8))
    monkeypatch.setattr(blocks, "BAND_ENTRIES", 1)
    banded = inpaint(damaged, mask, method=SparseDCT(block=8))
    assert banded.tobytes() != whole.tobytes()
    assert abs(psnr(CAMERA, banded, where=mask) - psnr(CAMERA, whole, where=mask)) < 0.2


def test_how_rows_are_shared_makes_no_difference_to_the_last_bit():
    rng = np.random.default_rng(1)
    x, missing = rng.random((70, 1, 80), np.float32), rng.random((70, 1, 80)) < 0.002
    window = np.ones(16, np.float32)

    def sums(*cuts):
        total, weight = np.zeros((2, *x.shape), np.float32)
        for lo, hi in pairwise(cuts):
            estimate(lo, hi, x, missing, 16, (16, 1), (1, 0, 2), 4, window, np.float32(0.09), total, weight)
        return total.tobytes(), weight.tobytes()

    assert sums(0, 70) == sums(0, 13, 41, 70)


def test_tiles_cover_what_is_missing_once():
    missing = np.random.default_rng(2).random((1100, 1, 700)) < 1e-5
    missing[3, 0, 3] = True
    seen = np.zeros(missing.shape, int)
    for tile in tiles(missing, halo=32):
        seen[tile.box][tile.core] += missing[tile.box][tile.core]
    np.testing.assert_array_equal(seen, missing)


def test_planes_are_views():
    for shape in [(5, 3), (1, 5, 3), (4, 5, 3), (4, 1, 5, 6, 1), (2, 3, 4, 5, 6, 1), (1, 1)]:
        x = np.zeros(shape)
        planes = as_planes(x)
        assert planes.ndim == 5
        assert planes.size == x.size
        assert np.shares_memory(planes, x)


@pytest.mark.parametrize("damage", [random_pixels, lambda image, rng: text(image), scratches])
def test_texture_and_edges_come_back_better_than_by_smoothing(damage):
    damaged, mask = damage(CAMERA, rng=0)
    score = {method: psnr(CAMERA, inpaint(damaged, mask, method=method)) for method in ("dct", "laplace", "biharmonic")}
    assert score["dct"] > 0.4 + max(score["laplace"], score["biharmonic"])


def test_holes_are_no_worse_than_by_smoothing():
    y, x = np.mgrid[:128, :128]
    mask = np.zeros(CAMERA.shape, bool)
    for i, j, r in [(30, 30, 4), (70, 25, 6), (100, 70, 8), (40, 80, 10), (90, 110, 5)]:
        mask |= (y - i) ** 2 + (x - j) ** 2 <= r * r
    images = [CAMERA, data.coins()[60:188, 60:188], data.brick()[:128, :128]]

    def score(method):
        return np.mean([psnr(image, inpaint(image, mask, method=method)) for image in images])

    assert score("dct") > max(score("laplace"), score("biharmonic"))


def test_channels_together_are_better_than_alone():
    image = data.astronaut()[100:164, 180:244]
    mask = np.random.default_rng(5).random(image.shape) < 0.8
    score = [
        psnr(image, inpaint(image, mask, method=SparseDCT(joint_channels=joint), channel_axis=-1))
        for joint in (True, False)
    ]
    assert score[0] > score[1] + 1


def test_a_hot_pixel_changes_little():
    image = 16 * data.camera()[60:188, 180:308].astype(np.uint16)
    mask = np.random.default_rng(6).random(image.shape) < 0.8
    mask[:20, :20] = False
    hot = image.copy()
    hot[3, 3] = 65535
    plain, changed = (inpaint(each, mask, method="dct")[40:].astype(float) / 4095 for each in (image, hot))
    truth = image[40:] / 4095
    assert abs(psnr(truth, plain) - psnr(truth, changed)) < 0.1


def test_where_nearly_all_known_pixels_are_equal_the_range_counts():
    stars = np.zeros((96, 96))
    stars[::30, ::30] = 1
    mask = np.random.default_rng(11).random(stars.shape) < 0.3
    mask[::30, ::30] = False
    with_stars = Inpainter(SparseDCT(threshold=(0.15, 1e-4))).fit(stars, mask=mask)
    assert np.isfinite(with_stars.restored_).all()
    assert with_stars.solution_.history[0].change > 0.01  # the threshold is not zero


def test_a_small_colour_image_with_masks_of_its_own():
    image = np.random.default_rng(12).random((6, 7, 3))
    mask = np.random.default_rng(13).random(image.shape) < 0.5
    for last in (0.006, 1e-6):
        restored = inpaint(image, mask, method=SparseDCT(threshold=(0.15, last), decay=0.8), channel_axis=-1)
        assert np.isfinite(restored).all()
        assert image[~mask].min() <= restored.min() <= restored.max() <= image[~mask].max()


@pytest.mark.parametrize(("corner", "side", "slow"), [(20, 16, False), (20, 17, True), (0, 8, False), (0, 9, True)])
def test_the_threshold_falls_slowly_where_a_hole_is_wide(corner, side, slow):
    mask = np.random.default_rng(14).random((60, 60)) < 0.3
    mask[corner : corner + side + 1, corner : corner + side + 1] = False
    mask[corner : corner + side, corner : corner + side] = True
    n_iter = Inpainter("dct").fit(CAMERA[:60, :60], mask=mask).n_iter_
    expected = Inpainter(SparseDCT(decay=0.98**2 if slow else 0.96**2)).fit(CAMERA[:60, :60], mask=mask).n_iter_
    assert n_iter == expected


def test_the_seed_decides():
    damaged, mask = random_pixels(CAMERA[:40, :40], rng=0)
    one, same, other = (inpaint(damaged, mask, method=SparseDCT(rng=seed)) for seed in (0, 0, 1))
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()


@pytest.mark.parametrize("shape", [(50,), (20, 24), (10, 11, 12), (2, 6, 7, 8)])
def test_rounds_go_down_to_the_last_threshold(shape):
    image = np.random.default_rng(7).random(shape).cumsum(-1)
    mask = np.random.default_rng(8).random(shape) < 0.5
    method = SparseDCT(threshold=(0.2, 0.02), decay=0.5)
    inpainter = Inpainter(method).fit(image, mask=mask)
    assert inpainter.n_iter_ == 5 + (method.sweeps if len(shape) == 2 else 0)  # 0.2, 0.1, 0.05, 0.025, 0.02
    assert inpainter.converged_
    assert inpainter.solution_.reason == "converged"
    assert inpainter.solution_.status.startswith("Finished after 5 rounds")
    with pytest.warns(ConvergenceWarning, match=r"Not finished: 3 of \d rounds and sweeps .* Raise max_iter"):
        short = Inpainter(replace(method, max_iter=3)).fit(image, mask=mask)
    assert (short.n_iter_, short.solution_.reason) == (3, "max_iter")


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 3.0)])
def test_the_problem_may_be_thin(spacing):
    for shape in [(1, 30), (30, 1), (2, 30), (9, 3)]:
        image = np.random.default_rng(9).random(shape)
        mask = np.zeros(shape, bool)
        mask.flat[4:9] = True
        solution = SparseDCT(decay=0.7).solve(Problem.from_image(image, mask, spacing=spacing))
        assert np.isfinite(solution.values).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"block": 7}, r"'block' parameter of SparseDCT must be None or one of \(8, 16, 32\). Got 7 instead"),
        (
            {"threshold": 0.1},
            r"'threshold' parameter of SparseDCT must be a pair of floats in .* Got 0.1 instead",
        ),
        ({"threshold": (0.01, 0.02)}, r"of which the second is not larger than the first. Got \(0.01, 0.02\) instead"),
        ({"threshold": (0.1, 0.0)}, "'threshold' parameter"),
        ({"decay": 1.0}, "'decay' parameter"),
        ({"sweeps": -1}, "'sweeps' parameter of SparseDCT must be an int of at least 0"),
        ({"patch_stride": 0}, "'patch_stride' parameter of SparseDCT must be an int of at least 1"),
        ({"rng": 0.5}, "'rng' parameter"),
        ({"joint_channels": 1}, "'joint_channels' parameter of SparseDCT must be a bool"),
        ({"max_iter": 0}, "'max_iter' parameter"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        SparseDCT(**settings)


def test_volumes_have_blocks_of_eight():
    volume = np.random.default_rng(10).random((9, 9, 9))
    mask = volume < 0.3
    with pytest.raises(ValueError, match="'block' parameter of SparseDCT must be None or 8 for volumes"):
        inpaint(volume, mask, method=SparseDCT(block=16))
