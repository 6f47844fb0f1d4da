"""Exemplars: what is copied, from where, and how it is blended; laws of the method beyond the contract."""

import dataclasses

import numpy as np
import pytest
from scipy import sparse
from scipy.ndimage import gaussian_filter
from scipy.sparse.linalg import spsolve
from skimage import data

from skinpaint import Exemplar, Inpainter, inpaint
from skinpaint.grid import threads
from skinpaint.grid.harmonic.blend import blend
from skinpaint.grid.patches.exemplars import Scale, Scene, depth, scales, textures


def hole(shape, top, left, side):
    mask = np.zeros(shape, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def noise(shape, seed=0, blur=1.0):
    """A texture without period, in [0, 1]."""
    x = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), blur, axes=(0, 1))
    return ((x - x.min()) / np.ptp(x)).astype(np.float32)


def scale_of(x, missing, source=None, side=7, seed=0):
    planes = np.ascontiguousarray(x.reshape(x.shape[0], 1, x.shape[1], -1), np.float32)
    missing = missing[:, None]
    return Scale(Scene(planes, missing, np.ones_like(missing) if source is None else source[:, None]), side, seed)


PATTERNS = {
    "checks": lambda i, j: (i // 4 + j // 4) % 2,
    "waves": lambda i, j: np.sin(2 * np.pi * i / 8) * np.cos(2 * np.pi * j / 16),
    "diagonals": lambda i, j: (i + j) % 8 / 7,
}


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_periodic_pattern_is_completed_exactly(pattern, channels):
    i, j = np.indices((128, 160))
    image = PATTERNS[pattern](i, j)[..., None] * np.linspace(1, 2, channels) + np.arange(channels)
    mask = hole((128, 160), 40, 50, 48)
    restored = inpaint(image, mask, method="exemplar", channel_axis=-1)
    assert np.abs(restored - image).max() < 1e-3 * np.ptp(image)


def test_a_periodic_signal_and_a_periodic_volume_are_completed_exactly():
    i = np.arange(300)
    signal = np.sin(2 * np.pi * i / 10) + (i % 5 == 0)
    mask = (i >= 120) & (i < 160)
    assert np.abs(inpaint(signal, mask, method="exemplar") - signal).max() < 1e-3
    a, b, c = np.indices((24, 24, 24))
    volume = ((a // 2 + b // 2 + c // 2) % 2).astype(float)
    mask = np.zeros(volume.shape, bool)
    mask[8:14, 9:15, 10:16] = True
    assert np.abs(inpaint(volume, mask, method=Exemplar(patch=5)) - volume).max() < 1e-3


def test_texture_keeps_its_contrast_where_smooth_methods_lose_it():
    image, mask = data.gravel()[:256, :256], hole((256, 256), 80, 90, 80)
    inner = hole((256, 256), 92, 102, 56)
    truth = np.std(image[inner])
    assert 0.85 < np.std(inpaint(image, mask, method="exemplar")[inner]) / truth < 1.15
    assert np.std(inpaint(image, mask, method="laplace")[inner]) / truth < 0.3


@pytest.mark.parametrize("colours", [1, 3])
def test_without_blending_every_pixel_is_copied_from_the_source(colours):
    image = noise((96, 96, colours))
    mask, source = hole((96, 96), 30, 30, 30), np.zeros((96, 96), bool)
    source[:, 64:] = True
    method = Exemplar(blend=False, source=source)
    filled = inpaint(image, mask, method=method, channel_axis=-1)[mask]
    everywhere = inpaint(image, mask, method=Exemplar(blend=False), channel_axis=-1)[mask]

    def farthest(pixels):
        known = image[source & ~mask]
        return max(float(np.abs(known - pixel).max(axis=-1).min()) for pixel in pixels)

    assert farthest(filled) < 1e-7  # the range is taken from [0, 1] and back
    assert farthest(everywhere) > 1e-3


def test_the_answer_depends_on_rng_alone_and_not_on_threads(monkeypatch):
    image, mask = noise((160, 160)), hole((160, 160), 40, 40, 70)
    one = inpaint(image, mask, method="exemplar")
    monkeypatch.setattr(threads, "parts", lambda work: 1)
    np.testing.assert_array_equal(inpaint(image, mask, method="exemplar"), one)
    monkeypatch.setattr(threads, "parts", lambda work: 5)
    np.testing.assert_array_equal(inpaint(image, mask, method="exemplar"), one)
    assert (inpaint(image, mask, method=Exemplar(rng=1)) != one).any()


class TestMatches:
    @pytest.fixture
    def scale(self):
        image, mask = noise((48, 56)), hole((48, 56), 16, 20, 14)
        return scale_of(np.where(mask, 0.5, image), mask)

    @staticmethod
    def patches(x, places, side=7):
        rows, columns = np.unravel_index(places, x.shape)
        r = side // 2
        pairs = zip(rows, columns, strict=True)
        return np.stack([x[i - r : i + r + 1, j - r : j + r + 1].ravel() for i, j in pairs])

    def brute(self, scale):
        """The distances of every target to every known patch."""
        x = scale.scene.x[:, 0, :, 0].astype(float)
        targets, known = self.patches(x, scale.at), self.patches(x, scale.pool)
        return ((targets[:, None] - known[None]) ** 2).sum(axis=-1)

    def test_targets_miss_something_and_known_patches_miss_nothing(self, scale):
        missing = scale.scene.missing[:, 0].astype(float)
        assert self.patches(missing, scale.at).any(axis=1).all()
        assert not self.patches(missing, scale.pool).any()
        assert scale.at.size == (14 + 6) ** 2
        assert scale.pool.size == (48 - 6) * (56 - 6) - scale.at.size

    def test_scans_never_lose_and_find_the_nearest_patch(self, scale):
        distances = self.brute(scale)
        best, costs = distances.min(axis=1), []
        for _ in range(12):
            scale.improve(1)
            costs.append(scale.cost.astype(float))
        assert (np.diff(costs, axis=0) <= 1e-6).all()
        column = np.searchsorted(scale.pool, scale.found)
        np.testing.assert_array_equal(scale.pool[column], scale.found)
        np.testing.assert_allclose(distances[np.arange(len(column)), column], scale.cost, rtol=1e-4)
        assert np.mean(scale.cost) < 1.1 * np.mean(best)
        assert np.mean(scale.cost <= best + 1e-5) > 0.4

    def test_one_scan_with_neighbours_is_better_than_random_places_alone(self, scale):
        scale.improve(1)
        distances = np.sort(self.brute(scale), axis=1)
        tries = 7  # a random place, and one for each radius
        assert np.median(scale.cost) < np.median(distances[:, distances.shape[1] // (2 * tries)])

    def test_a_vote_of_copies_takes_one_place_and_a_vote_of_means_stays_within_what_is_proposed(self, scale):
        scale.improve(3)
        scale.vote(copy=True)
        x = scale.scene.x.reshape(-1)
        np.testing.assert_array_equal(x[scale.wanted], x[scale.origin])
        assert scale.known.reshape(-1)[scale.origin].all()
        before = scale.scene.x.copy()
        scale.vote(copy=False)
        known = before[~scale.scene.missing]
        np.testing.assert_array_equal(scale.scene.x[~scale.scene.missing], known)
        assert known.min() <= scale.scene.x.min() <= scale.scene.x.max() <= known.max()

    def test_matches_of_a_coarser_scale_are_taken_over_at_twice_the_distance(self):
        mask = hole((64, 64), 24, 24, 12)
        fine = scale_of(noise((64, 64)), mask)
        coarse = Scale(fine.scene.half(), 7, 0)
        coarse.found[:] = np.ravel_multi_index((8, 0, 8), coarse.shape)
        fine.follow(coarse)
        rows, columns = np.unravel_index(fine.found, (64, 64))
        at_rows = fine.at // 64
        assert ((rows - at_rows) % 2 == 0).mean() > 0.9
        taken = np.abs(rows - 16) <= 1
        assert (taken & (np.abs(columns - 16) <= 1)).mean() > 0.9


class TestScales:
    def test_half_means_known_pixels_alone(self):
        x = np.array([[1, 3, 5], [7, 9, 11]], np.float32).reshape(2, 1, 3, 1)
        missing = np.array([[True, False, True], [False, False, True]]).reshape(2, 1, 3)
        half = Scene(x, missing, ~missing).half()
        np.testing.assert_allclose(half.x[0, 0, 0, 0], (3 + 7 + 9) / 3, rtol=1e-6)
        np.testing.assert_array_equal(half.missing[:, 0], [[False, True]])
        np.testing.assert_array_equal(half.source[:, 0], [[False, False]])

    def test_twice_fills_what_is_missing_and_nothing_else(self):
        scene = Scene(np.ones((5, 1, 4, 1), np.float32), hole((5, 4), 1, 1, 2)[:, None], np.ones((5, 1, 4), bool))
        out = scene.twice(np.full((3, 1, 2, 1), 7, np.float32))
        np.testing.assert_array_equal(out[..., 0] == 7, scene.missing)

    def test_as_many_scales_as_the_hole_is_deep(self):
        for side, count in ((6, 1), (20, 3), (80, 5)):
            mask = hole((512, 512), 200, 200, side)[:, None]
            assert len(scales(Scene(np.zeros((512, 1, 512, 1), np.float32), mask, ~mask), 7)) == count

    def test_depth_counts_layers_and_goes_on_beyond_borders(self):
        found = depth(hole((5, 5), 0, 0, 3)[:, None])[:3, 0, :3]
        np.testing.assert_array_equal(found, [[3, 2, 1], [2, 2, 1], [1, 1, 1]])
        assert depth(np.zeros((4, 1, 4), bool)).max() == 0

    def test_texture_of_missing_pixels_does_not_matter(self):
        image, mask = noise((40, 40)), hole((40, 40), 10, 10, 12)
        one, other = (
            textures(np.where(mask, value, image)[:, None, :, None].astype(np.float32), mask[:, None], 8)
            for value in (0, 9)
        )
        np.testing.assert_array_equal(one, other)


class TestBlend:
    image = noise((20, 24, 2), seed=3).astype(float)
    mask = hole((20, 24), 6, 14, 5) | hole((20, 24), 1, 2, 2)

    def copied(self, away):
        """The image, its holes copied from another place; and the places."""
        origin = np.flatnonzero(self.mask) - away
        values = self.image.copy()
        values[self.mask] = self.image.reshape(-1, 2)[origin]
        return values, origin

    def test_the_truth_with_wrong_levels_is_the_truth(self):
        """Copy from a repeated image whose copy is brighter: blending removes the step."""
        tile = noise((20, 12), seed=5).astype(float)
        image = np.concatenate([tile + 0.7, tile], axis=1)[..., None]
        mask = hole((20, 24), 6, 15, 6)
        origin = np.flatnonzero(mask) - 12
        values = image.copy()
        values[mask] = image.reshape(-1, 1)[origin]
        np.testing.assert_allclose(blend(values, mask, ~mask, origin, tol=1e-10), image[mask], atol=1e-7)
        assert np.abs(values - image).max() > 0.6

    def test_it_is_the_minimum(self):
        values, origin = self.copied(24 * 3 + 7)
        pull = np.random.default_rng(1).random(self.mask.shape)
        source = np.arange(self.mask.size)
        source[self.mask.ravel()] = origin
        rows, columns, entries, right = [], [], [], []
        flat, missing, good = values.reshape(-1, 2), self.mask.ravel(), ~self.mask.ravel()
        for axis, stride in ((0, 24), (1, 1)):
            for p in range(missing.size):
                if p // stride % self.mask.shape[axis] == self.mask.shape[axis] - 1:
                    continue
                q = p + stride
                if not (missing[p] or missing[q]):
                    continue
                found = []
                for end, first in ((p, source[p]), (q, source[q] - stride)):
                    inner = first >= 0 and first // stride % self.mask.shape[axis] < self.mask.shape[axis] - 1
                    if missing[end] and inner and good[first] and good[first + stride]:
                        found.append(flat[first + stride] - flat[first])
                wanted = np.mean(found, axis=0) if found else flat[q] - flat[p]
                rows += [len(right)] * 2
                columns += [q, p]
                entries += [1.0, -1.0]
                right.append(wanted)
        for p in np.flatnonzero(missing):
            weight = np.sqrt(pull.ravel()[p])
            rows.append(len(right))
            columns.append(p)
            entries.append(weight)
            right.append(weight * flat[p])
        A = sparse.csr_array((entries, (rows, columns)), (len(right), missing.size))
        U, b = A[:, missing], np.array(right) - A[:, ~missing] @ flat[~missing]
        expected = np.stack([spsolve((U.T @ U).tocsc(), U.T @ b[:, c]) for c in (0, 1)], axis=-1)
        np.testing.assert_allclose(blend(values, self.mask, ~self.mask, origin, pull, tol=1e-11), expected, atol=1e-8)


SMALL = {
    "a pixel beside another": ((2,), [1, 0]),
    "two by two": ((2, 2), [1, 0, 0, 0]),
    "three by four": ((3, 4), [0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1]),
    "one known": ((3, 3), [1, 1, 1, 1, 0, 1, 1, 1, 1]),
    "known at a corner alone": ((9, 9), [0] + [1] * 80),
}


@pytest.mark.parametrize("name", SMALL)
def test_images_smaller_than_a_patch_are_filled(name):
    shape, mask = SMALL[name]
    mask = np.array(mask, bool).reshape(shape)
    image = np.random.default_rng(0).random(shape)
    restored = inpaint(image, mask, method="exemplar")
    np.testing.assert_array_equal(restored[~mask], image[~mask])
    assert image[~mask].min() <= restored.min() <= restored.max() <= image[~mask].max()


def test_random_pixels_and_scratches_have_no_large_errors():
    image, rng = data.camera()[150:278, 150:278], np.random.default_rng(0)
    mask = rng.random(image.shape) < 0.3
    error = np.abs(inpaint(image, mask, method="exemplar").astype(float) - image)[mask]
    assert np.mean(error) < 15


def test_channels_with_masks_of_their_own():
    image = noise((64, 64, 3))
    mask = np.stack([hole((64, 64), 20, 20, 16), hole((64, 64), 24, 24, 16), np.zeros((64, 64), bool)], axis=-1)
    restored = inpaint(image, mask, method="exemplar", channel_axis=-1)
    np.testing.assert_array_equal(restored[~mask], image[~mask])
    assert (np.std(restored[..., :2][mask[..., :2]]) / np.std(image[..., :2][mask[..., :2]])) > 0.6


def test_pictures_in_between_show_the_coarse_fill():
    image, mask = data.gravel()[:128, :128], hole((128, 128), 40, 40, 48)
    seen = []
    inpainter = Inpainter("exemplar").fit(image, mask=mask, callback=lambda record, restore: seen.append(restore()))
    spread = [np.std(np.diff(picture.astype(float), axis=1)[:, :-1][mask[:, 2:]]) for picture in seen]
    assert spread[0] < 0.75 * spread[-1]
    np.testing.assert_array_equal(seen[-1], inpainter.restored_)
    assert "blends" in inpainter.solution_.status


def test_where_nothing_can_be_copied_it_is_the_harmonic_fill_and_says_so():
    image = data.brick()[:96, :96].astype(float)
    mask, source = hole(image.shape, 30, 30, 30), np.zeros(image.shape, bool)
    source[:3] = True  # thinner than a patch
    inpainter = Inpainter(Exemplar(source=source)).fit(image, mask=mask)
    assert "But nothing could be copied, as there is no known patch: this is the harmonic" in inpainter.solution_.status
    np.testing.assert_allclose(inpainter.restored_, inpaint(image, mask, method="laplace"), atol=0.05)


def test_a_volume_of_which_nothing_is_known_is_filled_from_its_neighbours(rng):
    stack, mask = rng.random((3, 4, 24, 24)), np.zeros((3, 4, 24, 24), bool)
    mask[1] = True
    inpainter = Inpainter("exemplar").fit(stack, mask=mask)
    assert "But nothing could be copied" in inpainter.solution_.status
    np.testing.assert_allclose(inpainter.restored_, inpaint(stack, mask, method="laplace"), atol=2e-4)
    mask[0, 0, 8:12, 8:12] = True
    inpainter.fit(stack, mask=mask)
    assert "Into 1 of 2 planes nothing could be copied" in inpainter.solution_.status


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"patch": 6}, r"The 'patch' parameter of Exemplar must be an odd int of at least 3\. Got 6"),
        ({"rounds": 0}, "'rounds' .* must be an int of at least 1"),
        ({"texture": -1.0}, r"'texture' .* must be a number from 0 to 1e\+06"),
        ({"texture": 1e300}, r"'texture' .* must be a number from 0 to 1e\+06"),
        ({"blend": 1}, "'blend' .* must be a bool"),
        ({"source": [[True]]}, "'source' .* must be None or an array of bool"),
        ({"source": np.ones((9, 9), np.uint8)}, r"Got an array of uint8 of shape \(9, 9\) instead"),
        ({"rng": -1}, "'rng' .* must be an int of at least 0"),
    ],
)
def test_bad_settings_are_refused(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        Exemplar(**settings)


def test_a_bad_source_is_refused():
    image, mask = noise((20, 20)), hole((20, 20), 5, 5, 5)
    with pytest.raises(ValueError, match=r"'source' .* spatial shape of the image, \(20, 20\)\. Got \(20, 21\)"):
        inpaint(image, mask, method=Exemplar(source=np.ones((20, 21), bool)))
    with pytest.raises(ValueError, match=r"'source' .* must hold a known pixel"):
        inpaint(image, mask, method=Exemplar(source=mask))


def test_settings_compare_by_value():
    assert dataclasses.replace(Exemplar(), rounds=4) == Exemplar()
