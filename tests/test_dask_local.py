"""Methods that look around: in chunks they give what they give in memory."""

import gc
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from skinpaint import Biharmonic, PlugAndPlay, Reason, SparseDCT, inpaint

da = pytest.importorskip("dask.array")

from skinpaint.dask import local, solve, tasks  # noqa: E402
from skinpaint.methods import sparse_dct  # noqa: E402
from skinpaint.problem import Problem  # noqa: E402

pytestmark = pytest.mark.usefixtures("small_tasks", "one_after_another")


def halo(monkeypatch, method, pixels):
    """Let a method see fewer pixels, so that small images have several chunks."""
    monkeypatch.setitem(local.LOCAL, method, replace(local.LOCAL[method], halo=(pixels, pixels)))


def texture(shape, seed=0):
    """Stripes that change from place to place, some edges and a little grain."""
    y, x = np.indices(shape)
    stripes = np.sin(x * (0.2 + y / 900)) * (x > 60) + np.where((y // 45) % 2, 0.6, 0) + y / 150
    return stripes + 0.05 * np.random.default_rng(seed).standard_normal(shape)


def clouds(shape, seed=0, number=14, radius=14):
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    discs = [(*(rng.random(2) * shape), 2 + radius * rng.random()) for _ in range(number)]
    return np.logical_or.reduce([(y - a) ** 2 + (x - b) ** 2 < r**2 for a, b, r in discs])


def islands(shape, apart=70, side=5):
    """Holes too far from each other to make a difference."""
    y, x = np.indices(shape)
    return ((y + 12) % apart < side) & ((x + 35) % apart < side)


def differences(image, mask, method, chunks, in_memory=None, **settings):
    """How far each filled value is from that in memory, as a fraction of the range."""
    restored = inpaint(da.from_array(image, chunks), mask, method=method, **settings)
    assert restored.chunks == da.from_array(image, chunks).chunks
    assert restored.dtype == image.dtype
    restored = restored.compute()
    expected = inpaint(image, mask, method=in_memory or method, **settings)
    mask = np.broadcast_to(mask if mask.ndim == image.ndim else mask[..., None], image.shape)
    np.testing.assert_array_equal(restored[~mask], image[~mask])
    return np.abs(restored.astype(float) - expected)[mask] / np.ptp(image)


def assert_alike(found):
    """Equal but for rounding, by which a coefficient near the threshold may be kept in one and dropped in the other."""
    assert np.median(found) < 5e-5
    assert found.max() < 5e-3


def elsewhere(*args, whole, **settings):
    """A part of an image that does not know where it begins."""
    return Problem.from_image(*args, whole=replace(whole, corner=tuple(i + 3 for i in whole.corner)), **settings)


GRIDS = [(75, 110), ((64, 86), (120, 100)), (70, 220)]


class TestDCT:
    @pytest.mark.parametrize("chunks", GRIDS)
    def test_holes_far_apart_are_equal(self, chunks, monkeypatch):
        """Blocks, patches, thresholds and decay are those of the whole image, whatever the chunks."""
        halo(monkeypatch, SparseDCT, 64)
        image = texture((150, 220))
        image[:, 150:] *= 0.2  # a chunk of its own would have other ranges
        assert_alike(differences(image, islands(image.shape), "dct", chunks))

    @pytest.mark.parametrize(
        "fault",
        [
            lambda patch: patch.setattr(local, "decay_for", lambda *_: 0.3),
            lambda patch: patch.setattr(sparse_dct.SparseDCT, "ranges", lambda *_: np.array([0.7])),
            lambda patch: patch.setattr(tasks, "Problem", SimpleNamespace(from_image=elsewhere)),
        ],
        ids=["decay", "ranges", "corner"],
    )
    def test_a_fault_in_what_is_shared_is_seen(self, fault, monkeypatch):
        halo(monkeypatch, SparseDCT, 64)
        image = texture((150, 220))
        mask = islands(image.shape)
        restored = inpaint(image, mask, method="dct")
        with monkeypatch.context() as patch:
            fault(patch)
            wrong = inpaint(da.from_array(image, 75), mask, method="dct").compute()
        found = np.abs(wrong - restored)[mask] / np.ptp(image)
        assert np.median(found) > 2e-4

    @pytest.mark.parametrize("channel_axis", [None, -1])
    def test_known_pixels_too_few_to_be_met_in_a_sample(self, channel_axis, monkeypatch):
        halo(monkeypatch, SparseDCT, 64)
        monkeypatch.setattr(tasks, "FEW", 100)
        image = texture((70, 140))
        mask = np.ones(image.shape, bool)
        mask[[3, 40, 61], [1, 90, 133]] = False
        if channel_axis is not None:
            image, mask = np.stack([image, image + 1], -1), np.stack([mask, islands(mask.shape)], -1)
        found = differences(image, mask, "dct", (70, 70, 2)[: image.ndim], channel_axis=channel_axis)
        assert np.median(found) < 5e-3

    def test_the_decay_is_that_of_the_widest_hole_of_any_chunk(self, monkeypatch):
        halo(monkeypatch, SparseDCT, 64)
        image = texture((70, 280))
        mask = islands(image.shape)
        mask[20:42, 240:262] = True
        found = differences(image, mask, "dct", (70, 70))
        far = np.nonzero(mask)[1] < 170  # in the hole, the choice of similar patches amplifies what comes from afar
        assert_alike(found[far])
        assert np.median(found[far]) < 1e-6
        assert found[~far].max() < 0.01

    @pytest.mark.parametrize(("shape", "chunks"), [((280, 150), 140), ((150, 420), ((150,), (129, 151, 140)))])
    def test_any_mask_is_equal_to_the_stated_figure(self, shape, chunks):
        image = texture(shape)
        mask = clouds(shape, number=20) | (np.random.default_rng(0).random(shape) < 0.3)
        found = differences(image, mask, "dct", chunks)
        assert np.sqrt(np.mean(found**2)) < 1e-3
        assert found.max() < 0.05

    @pytest.mark.parametrize("own", [False, True], ids=["one mask", "a mask for each"])
    @pytest.mark.parametrize("joint", [True, False])
    def test_colours(self, own, joint, monkeypatch):
        halo(monkeypatch, SparseDCT, 64)
        grey = texture((140, 150))
        image = np.stack([grey, 0.5 * grey[::-1] + 3, 0.3 * grey + 0.4 * grey[:, ::-1]], -1)
        mask = islands(grey.shape)
        if own:
            mask = np.stack([mask, np.roll(mask, 3, axis=0), np.zeros_like(mask)], -1)
        method = SparseDCT(joint_channels=joint)
        assert_alike(differences(image, mask, method, (70, 75, 2), channel_axis=-1))

    def test_integers_bounds_and_nodata(self, monkeypatch):
        halo(monkeypatch, SparseDCT, 64)
        image = (40 * texture((140, 150)) + 100).astype(np.uint8)
        assert differences(image, islands(image.shape), "dct", 70, bounds=(0, 255)).max() <= 1.001 / np.ptp(image)
        wide = image.astype(np.int32)
        assert differences(wide, islands(image.shape), "dct", 70, bounds="dtype").max() <= 1.001 / np.ptp(image)
        holes = np.where(islands(image.shape), 0, np.maximum(image, 1)).astype(np.uint8)
        restored = inpaint(da.from_array(holes, 70), method="dct", missing_values=0).compute()
        expected = inpaint(holes, method="dct", missing_values=0).astype(int)
        assert np.abs(restored - expected).max() <= 1

    def test_signals_and_volumes(self, monkeypatch):
        halo(monkeypatch, SparseDCT, 64)
        signal = np.sin(np.arange(400) / 5) + np.arange(400) / 100
        assert_alike(differences(signal, islands((1, 400))[0] | (np.arange(400) % 70 < 5), "dct", 90))
        halo(monkeypatch, SparseDCT, 20)
        z, y, x = np.indices((24, 46, 44))
        volume = np.sin(x / 3) + np.cos(y / 4) * z / 20
        mask = ((z % 24) // 3 == 4) & ((y % 23) // 3 == 3) & ((x % 22) // 3 == 3)
        assert_alike(differences(volume, mask, "dct", (24, 23, 22)))

    def test_the_store_makes_no_difference(self, tmp_path, monkeypatch):
        halo(monkeypatch, SparseDCT, 64)
        image, mask = texture((140, 150)), clouds((140, 150), number=4)
        plain = solve(da.from_array(image, 70), mask, method="dct")
        kept = solve(da.from_array(image, 70), mask, method="dct", work=str(tmp_path / "w"))
        np.testing.assert_array_equal(kept.restored.compute(), plain.restored.compute())
        again = solve(da.from_array(image, 70), mask, method="dct", work=str(tmp_path / "w"))
        assert again.history == ()
        np.testing.assert_array_equal(again.restored.compute(), plain.restored.compute())


class TestBiharmonic:
    @pytest.mark.parametrize("chunks", [(75, 110), ((44, 106), (120, 100)), (40, 40), 150])
    def test_holes_that_fit_are_exact(self, chunks):
        image = texture((150, 220))
        assert differences(image, clouds(image.shape, radius=4), "biharmonic", chunks).max() < 1e-6

    @pytest.mark.parametrize("own", [False, True], ids=["one mask", "a mask for each"])
    def test_colours(self, own):
        image = np.stack([texture((90, 100)), 3 * texture((90, 100), 1)], 0)
        mask = clouds((90, 100), radius=5)
        if own:
            mask = np.stack([mask, mask[:, ::-1]])
        restored = inpaint(da.from_array(image, (1, 45, 50)), mask, method="biharmonic", channel_axis=0)
        expected = inpaint(image, mask, method="biharmonic", channel_axis=0)
        np.testing.assert_allclose(restored.compute(), expected, atol=1e-6)

    @pytest.mark.parametrize(("shape", "chunks"), [((400,), 70), ((30, 34, 38), 19)])
    def test_axes_and_spacing(self, shape, chunks, rng):
        image = rng.random(shape)
        mask = np.zeros(shape, bool)
        for at in rng.integers(5, 25, (5, len(shape))):
            mask[tuple(slice(i, i + 3) for i in at)] = True
        spacing = [1.0, 2.0, 1.5][: len(shape)]
        assert differences(image, mask, "biharmonic", chunks, spacing=spacing).max() < 1e-6

    def test_a_hole_too_wide_is_refused_and_larger_chunks_help(self):
        image, mask = texture((100, 240)), np.zeros((100, 240), bool)
        mask[30:60, 40:150] = True
        with pytest.raises(ValueError, match=r"reaches more than 28 pixels.*Pass larger chunks, or method='laplace'"):
            inpaint(da.from_array(image, (100, 60)), mask, method="biharmonic")
        assert differences(image, mask, "biharmonic", (100, 180)).max() < 1e-6

    def test_the_refusal_begins_at_one_pixel(self):
        """A hole may reach so far that its known neighbours are the last pixels of the window."""
        image = texture((80, 160))
        for length, fits in ((38, True), (39, False)):
            mask = np.zeros(image.shape, bool)
            mask[30:33, 70 : 80 + length] = True
            if fits:
                assert differences(image, mask, "biharmonic", (80, 80)).max() < 1e-6
            else:
                with pytest.raises(ValueError, match="Pass larger chunks"):
                    inpaint(da.from_array(image, (80, 80)), mask, method="biharmonic")

    def test_neighbours_two_pixels_apart_are_one_hole(self):
        """They depend on each other, however many there are in a row."""
        image, mask = texture((80, 160)), np.zeros((80, 160), bool)
        mask[40, 70:130:2] = True
        with pytest.raises(ValueError, match="at most two pixels apart count as one"):
            inpaint(da.from_array(image, (80, 80)), mask, method="biharmonic")


class TestPlugAndPlay:
    @pytest.mark.parametrize("denoiser", ["nl_means", "tv_chambolle"])
    def test_the_answer_is_that_in_memory(self, denoiser):
        image = texture((136, 140))
        method = PlugAndPlay(denoise_function=denoiser, max_iter=12)
        found = differences(image, clouds(image.shape), method, (68, 70), replace(method, tol=None))
        assert found.max() < 1e-4

    @pytest.mark.parametrize("bounds", ["dtype", (0, 255), (0.0, 255.0), (0, 10**6)])
    def test_strengths_are_in_the_units_of_the_bounds(self, bounds):
        image = (20 * texture((136, 140)) + 100).astype(np.int32 if bounds == (0, 10**6) else np.uint8)
        method = PlugAndPlay(max_iter=4)
        args = clouds(image.shape), method, (68, 70), replace(method, tol=None)
        assert differences(image, *args, bounds=bounds).max() <= 1.001 / np.ptp(image)

    def test_colours_together(self):
        image = np.stack([texture((130, 132)), texture((130, 132))[::-1]], -1)
        method = PlugAndPlay(max_iter=4, joint_channels=True)
        args = (clouds(image.shape[:2]), method, (65, 66, 1), replace(method, tol=None))
        assert differences(image, *args, channel_axis=-1).max() < 1e-4


class TestHowItIsDone:
    def test_a_chunk_is_restored_when_it_is_computed_and_no_other(self, monkeypatch):
        done, part = [], tasks.part
        monkeypatch.setattr(tasks, "part", lambda *args: done.append(args[1]) or part(*args))
        image = texture((150, 220))
        restored = inpaint(da.from_array(image, (50, 55)), clouds(image.shape, radius=5), method="biharmonic")
        assert done == []
        restored.blocks[1, 2].compute()
        assert done == [(slice(50, 100), slice(110, 165))]

    def test_the_number_of_tasks_grows_with_that_of_chunks(self):
        def tasks_of(n):
            image = da.zeros((n * 20, n * 20), chunks=20)
            mask = np.zeros(image.shape, bool)
            mask[9, 9] = True
            image = da.where(da.arange(n * 20, chunks=20) == 3, 1.0, image)
            return len(dict(inpaint(image, mask, method="biharmonic").__dask_graph__())) / n**2

        assert tasks_of(8) < 1.2 * tasks_of(4)

    @pytest.mark.parametrize("method", ["dct", "biharmonic", "pnp"])
    def test_nothing_missing_and_all_alike(self, method):
        image = texture((90, 100))
        solution = solve(da.from_array(image, 50), np.zeros(image.shape, bool), method=method)
        assert solution.reason is Reason.NOTHING_MISSING
        np.testing.assert_array_equal(solution.restored.compute(), image)
        mask = clouds(image.shape, radius=5)
        solution = solve(da.from_array(np.where(mask, 9.0, 7.0), 50), mask, method=method)
        assert solution.reason is Reason.CONSTANT
        np.testing.assert_array_equal(solution.restored.compute(), np.full(image.shape, 7.0))

    def test_a_channel_without_a_hole_among_others(self, monkeypatch):
        halo(monkeypatch, SparseDCT, 64)
        grey = texture((140, 150))
        image, mask = np.stack([grey, grey + 1], -1), np.stack([islands(grey.shape), np.zeros(grey.shape, bool)], -1)
        for method in ("dct", "biharmonic"):
            assert_alike(differences(image, mask, method, (70, 75, 2), channel_axis=-1))

    def test_the_callback_stops_at_the_fill_and_it_is_said(self):
        image, mask = texture((300, 150)), clouds((300, 150))
        image = da.from_array(image, 150)
        solution = solve(image, mask, method="dct", callback=lambda record, restore: True)
        assert solution.reason is Reason.STOPPED_BY_CALLBACK
        assert "SparseDCT was not begun" in solution.status
        stopped = solve(image, mask, method="laplace", callback=lambda record, restore: True)
        np.testing.assert_array_equal(solution.restored.compute(), stopped.restored.compute())

    def test_what_is_said(self):
        image = texture((150, 160))
        solution = solve(da.from_array(image, (150, 80)), clouds(image.shape, radius=5), method=Biharmonic())
        assert solution.status.startswith("Biharmonic restores each chunk when it is computed, with ")
        assert (solution.residual, solution.error, solution.largest_residual) == (None, None, None)
        solution = solve(da.from_array(image, 40), clouds(image.shape), method=SparseDCT(sweeps=0))
        assert re.search(r"It starts from the harmonic fill, of which \d pass.* left a relative", solution.status)
        assert solution.status.endswith("Worked in chunks of 150 x 160 instead of 40 x 40.")

    def test_max_distance(self):
        image, mask = texture((90, 100)), np.zeros((90, 100), bool)
        mask[20:50, 30:70] = True
        restored = inpaint(da.from_array(image, (90, 50)), mask, method="biharmonic", max_distance=4.0).compute()
        np.testing.assert_allclose(restored, inpaint(image, mask, method="biharmonic", max_distance=4.0), atol=1e-6)
        assert np.isnan(restored).any()

    @pytest.mark.parametrize(
        ("method", "settings", "match"),
        [
            (PlugAndPlay(), {"spacing": (1.0, 2.0)}, "must be the same along all axes for PlugAndPlay"),
            (SparseDCT(block=16), {}, "'block' parameter of SparseDCT must be None or 8 for volumes"),
        ],
    )
    def test_what_a_method_cannot_do_is_said_before_any_work(self, method, settings, match, monkeypatch):
        monkeypatch.setattr(tasks, "prepare", None)
        shape = (20, 20) if settings else (20, 20, 20)
        with pytest.raises(ValueError, match=match):
            inpaint(da.zeros(shape, chunks=10), np.zeros(shape, bool), method=method, **settings)

    def test_noise_is_refused(self):
        with pytest.raises(
            ValueError, match="'noise' parameter of Biharmonic must be None or 0 for an image in chunks"
        ):
            inpaint(da.zeros((9, 9)), np.eye(9, dtype=bool), method=Biharmonic(noise=0.1))


@pytest.fixture(scope="class")
def client():
    """A scheduler with workers, all in this process."""
    distributed = pytest.importorskip("distributed")
    options = {"processes": False, "n_workers": 2, "threads_per_worker": 1}
    options |= {"dashboard_address": ":0", "scheduler_kwargs": {"dashboard": False}}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client


class TestDistributed:
    """On a scheduler that releases what nobody holds."""

    @pytest.mark.parametrize("persisted", [False, True])
    @pytest.mark.parametrize("method", ["laplace", "dct", "biharmonic"])
    def test_the_answer_is_that_in_memory(self, method, persisted, client):
        array, mask = texture((90, 100)), clouds((90, 100), radius=5)
        image = da.from_array(array, (45, 50))
        image = image.persist() if persisted else image
        restored = inpaint(image, mask, method=method)
        gc.collect()
        np.testing.assert_allclose(restored.compute(), inpaint(array, mask, method=method), atol=1e-3)

    def test_the_answer_holds_what_it_needs(self, client):
        image, mask = da.from_array(texture((90, 100)), (45, 50)), clouds((90, 100), radius=5)
        restored = inpaint(image, mask, method="biharmonic")
        gc.collect()
        held = {each.key for each in dict(restored.__dask_graph__()).values() if hasattr(each, "client")}
        assert held
        assert held == set(client.futures)


class TestSpacing:
    def test_a_spacing_that_does_not_count_is_named(self):
        image, mask = da.from_array(texture((40, 44)), 40), np.eye(40, 44, dtype=bool)
        said = [solve(image, mask, method="dct", spacing=each).status for each in (2, (1, 3))]
        assert ["spacing hardly counts" in each for each in said] == [False, True]


class TestRefused:
    @pytest.mark.parametrize("method", ["dct", "biharmonic", "pnp"])
    @pytest.mark.parametrize(
        ("change", "error", "match"),
        [
            (lambda x: x + np.inf, ValueError, r"Got \d+ infinite values"),
            (lambda x: x * np.nan, ValueError, "at least one known pixel in every channel"),
            (lambda x: x.astype(complex), TypeError, "integers or real floats"),
            (lambda x: x[x > 0][:, None], ValueError, r"Call image\.compute_chunk_sizes\(\) first"),
        ],
    )
    def test_bad_images(self, method, change, error, match):
        image = change(da.from_array(texture((60, 70)), 35))
        with pytest.raises(error, match=match):
            inpaint(image, np.eye(60, 70, dtype=bool), method=method)

    def test_a_channel_of_which_nothing_is_known(self):
        image = np.stack([texture((60, 70)), np.full((60, 70), np.nan)], -1)
        with pytest.raises(ValueError, match="all of channel 1 is missing"):
            inpaint(da.from_array(image, 35), np.eye(60, 70, dtype=bool), method="dct", channel_axis=-1)
