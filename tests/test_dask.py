"""Dask arrays: the answer in memory, whatever the chunks, the scheduler and the accidents."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from skinpaint import ConvergenceWarning, GradientDescent, Inpainter, Laplace, PlugAndPlay, Reason, inpaint

da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")

from skinpaint.dask import chunked, solve  # noqa: E402
from skinpaint.dask.certificate import error_factor  # noqa: E402

pytestmark = pytest.mark.usefixtures("small_tasks", "one_after_another")


@pytest.fixture
def image(rng):
    rows, columns = np.indices((100, 110)) / 40
    return np.sin(rows) * np.cos(columns) + 0.1 * rng.random((100, 110))


@pytest.fixture
def hidden(rng):
    mask = rng.random((100, 110)) < 0.5
    mask[20:75, 30:95] = True  # several chunks know nothing
    return mask


def in_memory(image, mask, **settings):
    return inpaint(image, mask, method=Laplace(tol=1e-9), **settings)


@pytest.mark.parametrize("chunks", [(40, 110), (47, 61), ((30, 45, 25), (110,)), (100, 110)])
def test_the_answer_is_that_in_memory(image, hidden, chunks):
    solution = solve(da.from_array(image, chunks), hidden)
    assert solution.restored.chunks == da.from_array(image, chunks).chunks
    restored = solution.restored.compute()
    np.testing.assert_allclose(restored, in_memory(image, hidden), atol=1e-5 * np.ptp(image))
    np.testing.assert_array_equal(restored[~hidden], image[~hidden])
    assert solution.reason is Reason.CONVERGED
    assert solution.residual <= 1e-6
    assert solution.n_iter <= 6


@pytest.mark.parametrize("method", ["laplace", "dct"])
def test_values_next_to_nothing_are_no_errors(method):
    star = np.exp(-((np.indices((40, 40)) - 20) ** 2).sum(axis=0) / 4.0).astype(np.float16)
    chunked, mask = da.from_array(star, 20), np.random.default_rng(0).random(star.shape) < 0.2
    expected = inpaint(chunked, mask, method=method).compute()
    with np.errstate(all="raise"):
        assert inpaint(chunked, mask, method=method).compute().tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", ">i2", "float32", "float16", "float64"])
def test_every_dtype_comes_back(image, hidden, dtype):
    array = (image * 50 + 100).astype(dtype)
    restored = inpaint(da.from_array(array, 60), hidden, method="laplace")
    assert restored.dtype == array.dtype
    computed = restored.compute()
    assert computed.dtype == array.dtype
    np.testing.assert_array_equal(computed[~hidden], array[~hidden])
    np.testing.assert_allclose(computed.astype(float), in_memory(array, hidden).astype(float), atol=1.001, rtol=1e-3)


def test_the_byte_order_of_colours_comes_back(image, hidden):
    array = np.stack([image, image + 1]).astype(">f4")
    restored = inpaint(da.from_array(array, 60), hidden, method="laplace", channel_axis=0)
    assert restored.dtype == restored.compute().dtype == array.dtype


@pytest.mark.parametrize(
    ("shape", "chunks", "settings"),
    [
        ((400,), 70, {}),
        ((400,), 70, {"lags": (1, 2)}),
        ((40, 44, 36), 20, {}),
        ((90, 80), 30, {"lags": (1, 2)}),
    ],
)
@pytest.mark.parametrize("spaced", [False, True])
def test_axes_lags_and_spacing(shape, chunks, settings, spaced, rng):
    image, mask = rng.random(shape), rng.random(shape) < 0.8
    spacing = [3.0, 1.0, 2.0][: len(shape)] if spaced else None
    restored = inpaint(da.from_array(image, chunks), mask, method=Laplace(**settings), spacing=spacing)
    expected = inpaint(image, mask, method=Laplace(tol=1e-10, **settings), spacing=spacing)
    np.testing.assert_allclose(restored.compute(), expected, atol=1e-5)


class TestChannels:
    def test_one_mask(self, image, hidden):
        stack = np.stack([image, 3 * image**2])
        inpainter = Inpainter("laplace", channel_axis=0).fit(da.from_array(stack, (1, 50, 60)), mask=hidden)
        expected = in_memory(stack, hidden, channel_axis=0)
        np.testing.assert_allclose(inpainter.restored_.compute(), expected, atol=3e-5)
        np.testing.assert_array_equal(
            inpainter.mask_.compute(), np.stack([hidden, hidden])
        )  # NaN are looked for in each
        assert inpainter.restored_.chunks == ((1, 1), (50, 50), (60, 50))

    def test_one_mask_for_integers(self, image, hidden):
        stack = (np.stack([image, 1 + image**2]) * 50 + 100).astype(np.uint8)
        inpainter = Inpainter("laplace", channel_axis=0).fit(da.from_array(stack, (1, 50, 60)), mask=hidden)
        np.testing.assert_allclose(inpainter.restored_.compute(), in_memory(stack, hidden, channel_axis=0), atol=1)
        np.testing.assert_array_equal(inpainter.mask_.compute(), hidden)

    def test_a_mask_of_its_own_for_each(self, image, hidden):
        stack = np.stack([image, 3 * image**2], -1)
        masks = np.stack([hidden, hidden[::-1]], -1)
        inpainter = Inpainter("laplace", channel_axis=-1).fit(da.from_array(stack, 64), mask=da.from_array(masks, 31))
        np.testing.assert_allclose(inpainter.restored_.compute(), in_memory(stack, masks, channel_axis=-1), atol=3e-5)
        np.testing.assert_array_equal(inpainter.mask_.compute(), masks)


class TestWhatIsMissing:
    def test_nan_are_found_in_the_chunks(self, image, hidden):
        with_nan = np.where(hidden, np.nan, image)
        restored = inpaint(da.from_array(with_nan, 64), method="laplace").compute()
        np.testing.assert_array_equal(restored, inpaint(da.from_array(image, 64), hidden, method="laplace").compute())

    def test_nodata(self, image, hidden):
        array = np.where(hidden, -9999, np.round(image * 100)).astype(np.int16)
        restored = inpaint(da.from_array(array, 64), method="laplace", missing_values=-9999).compute()
        np.testing.assert_allclose(restored, in_memory(array, hidden), atol=1)
        assert restored.min() > -9999

    @pytest.mark.parametrize(("dtype", "channels"), [(float, True), (np.int16, False), (">f4", False), (">i2", True)])
    def test_masked_entries(self, image, hidden, dtype, channels):
        array = np.where(hidden, -9999, np.round(image * 100)).astype(dtype)[:50, :60]
        other = np.zeros(array.shape, bool)
        other[5:12, 5:9] = True
        settings = {"method": "laplace", "channel_axis": 0 if channels else None}
        array = np.stack([array, array[::-1]]).astype(dtype) if channels else array
        plain, gone = da.from_array(array, 40), array == -9999
        masked = da.ma.masked_equal(plain, -9999)
        for mask, both in ((None, gone), (other, gone | other)):
            computed = inpaint(masked, mask, **settings).compute()
            assert type(computed) is np.ndarray
            assert computed.dtype.str == np.dtype(dtype).str
            np.testing.assert_array_equal(computed, inpaint(plain, both, **settings).compute())

    @pytest.mark.parametrize("method", ["laplace", "dct"])
    @pytest.mark.parametrize("channel_axis", [None, 0])
    @pytest.mark.parametrize("dtype", [float, np.int16])
    def test_masked_entries_that_are_left_are_masked(self, image, dtype, channel_axis, method):
        """As in memory: what a mask hides is not shown as if it were known."""
        array = np.round(image * 20).astype(dtype)
        gone = np.zeros(array.shape, bool)
        gone[30:50, 30:50] = True
        if channel_axis is not None:
            array, gone = np.stack([array, array[::-1]]), np.stack([gone, np.zeros_like(gone)])
        masked = da.ma.masked_array(da.from_array(array, 40), da.from_array(gone, 40))
        settings = {"channel_axis": channel_axis, "max_distance": 3, "method": method}
        expected, answer = inpaint(masked.compute(), **settings), inpaint(masked, **settings)
        assert isinstance(answer._meta, np.ma.MaskedArray)
        assert expected.mask.any()
        np.testing.assert_array_equal(np.ma.getmaskarray(answer.compute()), expected.mask)
        np.testing.assert_allclose(answer.compute().filled(0), expected.filled(0), atol=1)

    @pytest.mark.parametrize("dtype", [float, np.int16])
    def test_masked_chunks_of_an_array_that_does_not_say_so(self, image, hidden, dtype):
        array = np.where(hidden, 99, np.round(image * 20)).astype(dtype)
        masked = dask.delayed(lambda: np.ma.array(array, mask=hidden))()
        whole = da.from_delayed(masked, array.shape, dtype)
        if dtype is not float:
            with pytest.raises(ValueError, match=r"Pass mask=image\.map_blocks\(numpy\.ma\.getmaskarray, dtype=bool\)"):
                solve(whole, np.zeros(array.shape, bool))
        mask = None if dtype is float else whole.map_blocks(np.ma.getmaskarray, dtype=bool)
        near = inpaint(whole, mask, method="laplace", max_distance=1).compute()
        np.testing.assert_array_equal(near.mask, hidden & (distance_transform_edt(hidden) > 1))
        computed = inpaint(whole, mask, method="laplace").compute()
        assert type(computed) is np.ndarray
        np.testing.assert_array_equal(computed, inpaint(da.from_array(array, -1), hidden, method="laplace").compute())

    def test_values_under_the_mask_do_not_matter(self, image, hidden):
        answers = [
            inpaint(da.from_array(np.where(hidden, value, image), 64), hidden, method="laplace").compute()
            for value in (0, np.nan, 1e30)
        ]
        for answer in answers[1:]:
            np.testing.assert_array_equal(answer, answers[0])

    @pytest.mark.parametrize("dtype", [bool, np.uint8, float])
    def test_masks_in_other_chunks_and_dtypes(self, image, hidden, dtype):
        mask = da.from_array(hidden.astype(dtype), (33, 100))
        np.testing.assert_array_equal(
            inpaint(da.from_array(image, 64), mask, method="laplace").compute(),
            inpaint(da.from_array(image, 64), hidden, method="laplace").compute(),
        )

    @pytest.mark.parametrize(
        "method", ["laplace", "dct", PlugAndPlay(denoise_function="tv_chambolle")], ids=["laplace", "dct", "pnp"]
    )
    @pytest.mark.parametrize(("unit", "offset"), [(1e20, 0), (1e-25, 0), (1e-170, 0), (1, 1e9), (1e300, 0)])
    def test_the_unit_of_the_values_does_not_matter(self, method, unit, offset, image, hidden):
        plain = solve(da.from_array(image, 50), hidden, method=method)
        other = solve(da.from_array(image * unit + offset, 50), hidden, method=method)
        assert (other.converged, other.n_iter) == (True, plain.n_iter)
        apart = np.abs((other.restored.compute() - offset) / unit - plain.restored.compute())
        # An offset rounds the values, and "dct" may then choose another of two patches that are equally like a third.
        assert np.quantile(apart, 0.5 if offset else 1) <= 3e-6
        assert apart.max() <= 5e-3

    def test_grow_and_max_distance(self, image, hidden):
        hidden[:20] = hidden[75:] = hidden[:, :30] = hidden[:, 95:] = False
        settings = {"grow": 2, "max_distance": 15.0}
        restored = inpaint(da.from_array(image, 64), hidden, method="laplace", **settings).compute()
        expected = in_memory(image, hidden, **settings)
        np.testing.assert_array_equal(np.isnan(restored), np.isnan(expected))
        assert np.isnan(restored).any()
        np.testing.assert_allclose(restored, expected, atol=1e-5)

    @pytest.mark.parametrize("method", [Laplace(tol=1e-9), "dct"], ids=str)
    @pytest.mark.parametrize("settings", [{"max_distance": 60.0}, {"max_distance": np.inf}, {"grow": 13}])
    def test_distances_beyond_a_short_side(self, rng, method, settings):
        image = rng.random((12, 300)).cumsum(axis=1)
        mask = np.zeros(image.shape, bool)
        mask[3:9, 100:110] = mask[:, 200:240] = True
        answer = inpaint(da.from_array(image, (12, 60)), mask, method=method, **settings).compute()
        np.testing.assert_allclose(answer, inpaint(image, mask, method=method, **settings), atol=1e-3 * np.ptp(image))

    def test_bounds(self, image, hidden):
        restored = inpaint(da.from_array(image, 64), hidden, method="laplace", bounds=(-2, 2)).compute()
        np.testing.assert_allclose(restored, in_memory(image, hidden, bounds=(-2, 2)), atol=1e-5)

    def test_nothing_missing_and_all_alike(self, image):
        chunks = da.from_array(image, 64)
        inpainter = Inpainter("laplace").fit(chunks)
        assert inpainter.solution_.reason is Reason.NOTHING_MISSING
        np.testing.assert_array_equal(inpainter.restore().compute(), image)
        flat, mask = np.full((90, 90), 7, np.uint8), np.zeros((90, 90), bool)
        mask[10:80, 20:70] = True
        solution = solve(da.from_array(np.where(mask, 99, flat).astype(np.uint8), 40), mask)
        assert solution.reason is Reason.CONSTANT
        np.testing.assert_array_equal(solution.restored.compute(), flat)

    def test_chunks_without_known_pixels(self, image):
        mask = np.zeros(image.shape, bool)
        mask[:80, :80] = True
        restored = inpaint(da.from_array(image, 40), mask, method="laplace").compute()
        np.testing.assert_allclose(restored, in_memory(image, mask), atol=3e-5)


class TestRefused:
    @pytest.mark.parametrize(
        ("make", "settings", "error", "match"),
        [
            (lambda x: x.astype(complex), {}, TypeError, "integers or real floats. Got complex128"),
            (lambda x: x.astype(object), {}, TypeError, "integers or real floats. Got object"),
            (lambda x: x > 0, {}, ValueError, "Got bool instead"),
            (
                lambda x: x.ravel()[x.ravel() > 0],
                {"mask": None},
                ValueError,
                r"Call image\.compute_chunk_sizes\(\) first",
            ),
            (lambda x: x * np.nan, {"mask": None}, ValueError, "at least one known pixel"),
            (lambda x: x + np.inf, {}, ValueError, r"Got \d+ infinite values"),
            (lambda x: x.astype(int), {"mask": None}, ValueError, "nothing is guessed. Pass mask="),
            (lambda x: x.astype(np.int64) + 2**60, {}, ValueError, r"integers below 2\*\*53 .*Subtract the lowest one"),
            (lambda x: x * 1.5e308, {}, ValueError, "whose range is a float for an image in chunks"),
            (lambda x: x[:, :0], {"mask": None}, ValueError, r"must not be empty. Got shape \(100, 0\)"),
            (
                lambda x: x,
                {"mask": np.zeros((3, 4), bool)},
                ValueError,
                r"spatial shape \(100, 110\).*Got shape \(3, 4\)",
            ),
            (lambda x: da.stack([x, x]), {}, ValueError, "Did you mean channel_axis=0"),
            (lambda x: da.stack([x, x], -1), {}, ValueError, "Did you mean channel_axis=-1"),
            (lambda x: x, {"mask": np.zeros((100, 110, 1), bool)}, ValueError, r"Pass mask\[\.\.\., 0\]"),
            (lambda x: x, {"missing_values": "saturated"}, ValueError, "for a dask array. Got 'saturated'"),
            (lambda x: x, {"missing_values": np.arange(2)}, ValueError, "a number or a tuple of numbers. Got"),
            (lambda x: x, {"callback": 3}, ValueError, "'callback' parameter of Inpainter.fit must be a callable"),
            (lambda x: x, {"spacing": -1}, ValueError, "'spacing' parameter of Inpainter must be"),
            (lambda x: x, {"grow": -1}, ValueError, "'grow' parameter of Inpainter must be"),
            (lambda x: x, {"max_distance": 0}, ValueError, "'max_distance' parameter"),
            (
                lambda x: x,
                {"bounds": (0, 0.1)},
                ValueError,
                r"must contain all known values. Got \(0, 0.1\) for values",
            ),
            (lambda x: 0 * x + 5, {"bounds": (10, 20)}, ValueError, "must contain all known values"),
            (lambda x: x, {"bounds": (1, 0)}, ValueError, "with low < high"),
            (lambda x: x, {"channel_axis": 5}, ValueError, "Got 5 for an image of shape"),
            (
                lambda x: x,
                {"method": "gd"},
                ValueError,
                "must be 'dct', 'laplace', 'biharmonic' or 'pnp' for an image in chunks. Got 'gd'",
            ),
            (lambda x: x, {"method": GradientDescent()}, ValueError, "for an image in chunks"),
            (lambda x: x, {"method": type("Mine", (Laplace,), {})()}, ValueError, r"image in chunks. Got Mine\(lags"),
            (
                lambda x: x,
                {"method": Laplace(noise=0.1)},
                ValueError,
                "must be None or 0 for an image in chunks",
            ),
            (lambda x: x, {"return_std": True}, ValueError, "must be False for an image in chunks. Got True"),
            (lambda x: x, {"mask": "m.png"}, TypeError, "Got the path 'm.png'"),
        ],
    )
    def test_bad_input(self, make, settings, error, match, image, hidden):
        settings = {"mask": hidden, "method": "laplace"} | settings
        with pytest.raises(error, match=match):
            inpaint(make(da.from_array(image, 64)), **settings)

    def test_what_is_not_in_chunks(self, image, hidden):
        with pytest.raises(TypeError, match=r"must be a dask array. Got ndarray instead. Pass dask\.array\.asarray"):
            solve(image, hidden)

    @pytest.mark.parametrize("question", ["std", "interval", "sample"])
    def test_how_sure_is_not_known(self, question, image, hidden):
        inpainter = Inpainter("laplace").fit(image, mask=hidden)
        inpainter.std()
        inpainter.fit(da.from_array(image, 64), mask=hidden)
        with pytest.raises(ValueError, match=rf"Inpainter\.{question} needs an image in memory. Got one in chunks"):
            getattr(inpainter, question)()

    def test_a_score_is_refused_before_any_work(self, image):
        def read(block):
            raise OSError

        unread = da.from_array(image, 64).map_blocks(read, dtype=float)
        for truth in (None, image):
            with pytest.raises(TypeError, match=r"must not be a dask Array.* Pass image\.compute\(\) instead"):
                Inpainter("laplace").score(unread, truth)

    def test_values_of_a_mask_in_chunks(self, image):
        mask = da.from_array(np.arange(11000).reshape(100, 110) % 5, 64)
        with pytest.raises(ValueError, match="'mask' parameter must hold bool, 0/1 or 0/255"):
            inpaint(da.from_array(image, 64), mask, method="laplace")


class TestChunks:
    def test_small_ones_are_joined_and_it_is_said(self, image, hidden, monkeypatch):
        monkeypatch.setattr(chunked, "MIN_TASK", 2**18)
        solution = solve(da.from_array(image, 7), hidden)
        assert "Worked in chunks of 100 x 110 instead of 7 x 7." in solution.status
        assert solution.restored.chunks == da.from_array(image, 7).chunks
        np.testing.assert_allclose(solution.restored.compute(), in_memory(image, hidden), atol=1e-5)

    @pytest.mark.parametrize(
        "chunks", [((5,) * 100, (500,)), ((3000, 3), (3000, 3)), ((20000,), (20000,)), ((8,) * 9,) * 3]
    )
    def test_chunks_for_work_are_long_enough_and_cover_the_image(self, chunks, monkeypatch):
        monkeypatch.setattr(chunked, "MIN_TASK", 2**18)
        made = chunked.chunks_for_work(chunks, 17)
        assert tuple(map(sum, made)) == tuple(map(sum, chunks))
        assert all(min(each) >= 17 or len(each) == 1 for each in made)
        assert np.prod([max(each) for each in made]) <= max(chunked.MAX_TASK, 2**18)


class TestCertificate:
    def test_the_bound_holds_and_is_no_larger_than_it_must(self, image, rng):
        mask = np.zeros(image.shape, bool)
        mask[20:50, 30:90] = mask[70:100, 20:60] = True
        solution = solve(da.from_array(image, 64), mask, method=Laplace(tol=1e-3))
        error = np.abs(solution.restored.compute() - in_memory(image, mask)).max()
        assert 0 < error <= solution.error * np.ptp(image)
        assert solution.error < 1

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_what_is_said_holds_for_every_channel(self, order, image):
        mask = np.zeros(image.shape, bool)
        mask[10:75, 13:80] = True
        colours = np.stack([[image, 1e6 * image[::-1]][k] for k in order], axis=-1)
        solution = solve(da.from_array(colours, (50, 55, 2)), mask, channel_axis=-1)
        exact = inpaint(colours, mask, method=Laplace(tol=1e-13), channel_axis=-1)
        errors = np.abs(solution.values.compute() - exact).max(axis=(0, 1)) / np.ptp(colours[~mask], axis=0)
        said = float(solution.status.partition("No value is further than ")[2].partition(" of the range")[0])
        assert errors.max() <= said == pytest.approx(solution.error, rel=0.5)

    @pytest.mark.parametrize("other", ["constant", "whole"])
    def test_a_channel_without_work_leaves_the_bound_of_the_others(self, other, image):
        mask = np.zeros((*image.shape, 2), bool)
        mask[10:75, 13:80] = True, other == "constant"
        colours = np.stack([image, np.full_like(image, 3)], axis=-1)
        alone = solve(da.from_array(image, 50), mask[..., 0])
        both = solve(da.from_array(colours, (50, 50, 2)), mask, channel_axis=-1)
        assert both.error == alone.error < 1
        assert "No value is further than" in both.status

    def test_the_largest_residual_is_that_of_the_answer(self, image, hidden):
        solution = solve(da.from_array(image, 64), hidden, method=Laplace(tol=1e-4))
        x = np.pad(solution.values.compute(), 1, mode="edge")
        r = 4 * x[1:-1, 1:-1] - x[2:, 1:-1] - x[:-2, 1:-1] - x[1:-1, 2:] - x[1:-1, :-2]
        assert np.abs(r[hidden]).max() == pytest.approx(solution.largest_residual)

    def test_a_bar_between_two_borders_has_the_exact_factor(self):
        """One axis, w unknowns between two known ones, a residual of 1 everywhere."""
        w = 9
        A = 2 * np.eye(w) - np.eye(w, k=1) - np.eye(w, k=-1)
        cells = np.zeros(w + 2, bool)
        cells[1:-1] = True
        exact = np.linalg.solve(A, np.ones(w)).max()
        assert error_factor(cells, 1, (w + 2,), (1.0,), 1) == pytest.approx(exact)
        A[0, 0] = 1
        exact = np.linalg.solve(A, np.ones(w)).max()
        assert error_factor(cells[1:], 1, (w + 1,), (1.0,), 1) == pytest.approx(exact)

    def test_a_fault_in_what_is_kept_is_seen(self, image, hidden, monkeypatch):
        """The last look does not trust the passes: here a known pixel is wrong in what they kept."""
        from skinpaint.dask import tasks

        original = tasks.prepare

        def wrong(box, shelf, width, shape, array, missing):
            array = array.copy()
            array[~missing] += np.where(np.arange((~missing).sum()) == 5, 1, 0)
            return original(box, shelf, width, shape, array, missing)

        monkeypatch.setattr(tasks, "prepare", wrong)
        with pytest.warns(ConvergenceWarning, match="above tol"):
            assert not solve(da.from_array(image, 64), hidden).converged


class TestSchedulers:
    @pytest.mark.parametrize("method", ["laplace", "dct"])
    def test_threads_give_the_same_bytes(self, image, hidden, method):
        with dask.config.set(scheduler="threads"):
            threaded = inpaint(da.from_array(image, 50), hidden, method=method).compute()
        np.testing.assert_array_equal(threaded, inpaint(da.from_array(image, 50), hidden, method=method).compute())

    def test_graphs_do_not_grow(self, image, hidden):
        image = da.from_array(image, 50)
        few, more = (solve(image, hidden, method=Laplace(tol=tol)) for tol in (1e-2, 1e-10))
        assert more.n_iter > few.n_iter
        assert len(dict(more.values.__dask_graph__())) == len(dict(few.values.__dask_graph__()))

    def test_the_callback_sees_every_pass_and_may_stop(self, image, hidden):
        seen = []

        def callback(record, restore):
            seen.append((record.n_iter, restore()))
            return len(seen) == 2

        solution = solve(da.from_array(image, 50), hidden, method=Laplace(tol=1e-9), callback=callback)
        assert [n for n, _ in seen] == [1, 2]
        assert solution.reason is Reason.STOPPED_BY_CALLBACK
        np.testing.assert_array_equal(seen[-1][1].compute(), solution.restored.compute())

    def test_the_callback_sees_all_channels(self, image, hidden):
        bands, seen = np.stack([image[:30, :40], image[-30:, -40:]]).astype(">f4"), []
        given = da.from_array(bands, (1, 30, 20))
        solution = solve(given, hidden[:30, :40], channel_axis=0, callback=lambda _, so_far: seen.append(so_far()))
        assert {(each.shape, each.dtype, each.chunks) for each in seen} == {(given.shape, given.dtype, given.chunks)}
        np.testing.assert_array_equal(seen[0][1].compute(), bands[1])
        np.testing.assert_array_equal(seen[-1].compute(), solution.restored.compute())


class TestStore:
    def test_the_answer_is_that_with_memory(self, image, hidden, tmp_path):
        image = da.from_array(image, ((30, 70), (50, 60)))
        kept = solve(image, hidden, work=str(tmp_path / "w"))
        np.testing.assert_array_equal(kept.restored.compute(), solve(image, hidden).restored.compute())

    def test_a_finished_run_is_not_run_again(self, image, hidden, tmp_path):
        image = da.from_array(image, 50)
        first = solve(image, hidden, work=str(tmp_path / "w"))
        again = solve(image, hidden, work=str(tmp_path / "w"))
        assert again.history == ()
        assert again.n_iter == first.n_iter
        np.testing.assert_array_equal(first.restored.compute(), again.restored.compute())

    @pytest.mark.parametrize("passes", [1, 2])
    def test_it_goes_on_from_the_last_complete_pass(self, image, hidden, tmp_path, passes):
        image, work, method = da.from_array(image, 50), str(tmp_path / "w"), Laplace(tol=1e-9)
        expected = solve(image, hidden, method=method)
        solve(image, hidden, method=method, work=work, callback=lambda record, restore: record.n_iter == passes)
        resumed = solve(image, hidden, method=method, work=work)
        assert resumed.history[0].n_iter == passes + 1
        np.testing.assert_array_equal(resumed.restored.compute(), expected.restored.compute())

    def test_a_store_of_another_image_or_of_other_chunks_is_refused(self, image, hidden, tmp_path):
        work = str(tmp_path / "w")
        solve(da.from_array(image, 50), hidden, work=work)
        with pytest.raises(ValueError, match="holds the passes of another image or mask"):
            solve(da.from_array(image + 1e-9, 50), hidden, work=work)
        with pytest.raises(ValueError, match="chunks and settings"):
            solve(da.from_array(image, 60), hidden, work=work)

    def test_a_store_is_not_tied_to_an_image_that_is_refused(self, image, hidden, tmp_path):
        work = str(tmp_path / "w")
        bad = image.copy()
        bad[~hidden] = np.where(np.arange((~hidden).sum()) == 0, np.inf, image[~hidden])
        with pytest.raises(ValueError, match="1 infinite"):
            solve(da.from_array(bad, 50), hidden, work=work)
        restored = solve(da.from_array(image, 50), hidden, work=work).restored
        np.testing.assert_array_equal(restored.compute(), solve(da.from_array(image, 50), hidden).restored.compute())

    def test_a_store_of_which_a_part_is_lost_is_refused(self, image, hidden, tmp_path):
        zarr = pytest.importorskip("zarr")
        hidden[:50, :50] = False  # a chunk that is whole, whose border the others read
        image, whole, work = da.from_array(image, 50), tmp_path / "whole", tmp_path / "w"
        solve(image, hidden, work=str(whole), callback=lambda record, restore: True)
        for name in ("rims-0/0_0", "rims-1/50_50", "values-1/0_50", "missing/50_0"):
            damages = ("c/0/0", None), ("c/0/0", 9), ("c/0/0", "flip"), ("zarr.json", None), ("zarr.json", 9)
            for file, damage in damages:
                path = shutil.copytree(whole, work) / name / file
                if damage is None:
                    path.unlink()
                elif damage == "flip":  # a bit in the middle
                    data = path.read_bytes()
                    middle = len(data) // 2
                    path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
                else:
                    path.write_bytes(path.read_bytes()[:damage])
                with pytest.raises(ValueError, match=r"of which a part is lost or damaged\. Remove it"):
                    solve(image, hidden, work=str(work))
                shutil.rmtree(work)
        zarr.open_group(whole).attrs["skinpaint"] = {"passes": 1}
        with pytest.raises(ValueError, match="of which a part is lost or damaged"):
            solve(image, hidden, work=str(whole))

    def test_what_is_no_store_is_left_alone(self, image, hidden, tmp_path):
        zarr = pytest.importorskip("zarr")
        other = str(tmp_path / "mine.zarr")
        zarr.create_array(other, name="x", shape=(3,), dtype=float)
        with pytest.raises(ValueError, match="which holds other arrays"):
            solve(da.from_array(image, 50), hidden, work=other)
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").write_text("x")
        (tmp_path / "folder" / "file").write_text("x")
        for other in ("file", "folder"):
            with pytest.raises(ValueError, match="which is something else"):
                solve(da.from_array(image, 50), hidden, work=str(tmp_path / other))
        assert [path.name for path in (tmp_path / "folder").iterdir()] == ["file"]

    def test_a_full_disk_is_said_and_the_run_goes_on_later(self, image, hidden, tmp_path, monkeypatch):
        from skinpaint.dask.blocks import Shelf

        image, work = da.from_array(image, 50), str(tmp_path / "w")
        method = Laplace(tol=1e-9)
        expected, put, written = solve(image, hidden, method=method), Shelf.put, []

        def full(self, block, width, *, mask):
            written.append(block)
            if len(written) > 14:
                raise OSError(28, "No space left on device")
            return put(self, block, width, mask=mask)

        with monkeypatch.context() as patch:
            patch.setattr(Shelf, "put", full)
            with pytest.raises(OSError, match=r"The disk is full\. Free some space and call again"):
                solve(image, hidden, method=method, work=work)
        resumed = solve(image, hidden, method=method, work=work)
        assert resumed.history[0].n_iter > 1
        np.testing.assert_array_equal(resumed.restored.compute(), expected.restored.compute())


class TestCluster:
    def test_a_worker_that_is_killed_changes_no_byte(self, image, hidden, tmp_path):
        """Two processes, of which one is killed after the first pass: what is done again must be done right."""
        pytest.importorskip("distributed")
        hole = np.zeros(image.shape, bool)
        hole[40:60, 45:62] = True
        np.savez(tmp_path / "in.npz", image=image, hidden=hidden, hole=hole)
        code = """
import multiprocessing.forkserver, os, signal
import dask, dask.array as da, numpy as np
from dask.distributed import Client, LocalCluster
from skinpaint.dask import chunked, solve

def main():
    chunked.MIN_TASK = 1
    given, killed = np.load("in.npz"), []
    options = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": 0, "silence_logs": 50}
    options |= {"dashboard_address": ":0", "scheduler_kwargs": {"dashboard": False}}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        def kill():
            # The one that answers: a worker that only begins to run takes its nanny with it.
            killed.append(client.submit(os.getpid, pure=False).result())
            os.kill(killed[-1], signal.SIGKILL)

        def kill_once(record, restore):
            if record.n_iter == 1:
                kill()

        for name, work in {"memory": None, "store": "work"}.items():
            solution = solve(da.from_array(given["image"], 50), given["hidden"], work=work, callback=kill_once)
            np.save(name, solution.restored.compute())
        lazy = solve(da.from_array(given["image"], 50), given["hole"], method="biharmonic")
        kill()  # before a method that restores when it is computed
        np.save("lazy", lazy.restored.compute())
    assert len(set(killed)) == 3

if __name__ == "__main__":
    # Workers are forked from a process that has imported all: they begin sooner.
    multiprocessing.set_forkserver_preload(["distributed", "skinpaint.dask.tasks", "skinpaint.methods.biharmonic"])
    multiprocessing.forkserver.ensure_running()
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        main()
"""
        script = tmp_path / "run.py"
        script.write_text(code)
        expected = solve(da.from_array(image, 50), hidden).restored.compute()
        subprocess.run([sys.executable, str(script)], cwd=tmp_path, check=True, capture_output=True, timeout=300)
        for name in ("memory", "store"):
            np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), expected)
        lazy = solve(da.from_array(image, 50), hole, method="biharmonic").restored.compute()
        np.testing.assert_array_equal(np.load(tmp_path / "lazy.npy"), lazy)
