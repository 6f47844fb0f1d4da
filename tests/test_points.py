"""Lists of pixels: their neighbours, the systems on them, and that a list gives the answer that a grid gives."""

from contextlib import contextmanager
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skinpaint import Inpainter, Laplace, damage, inpaint
from skinpaint.grid import holes, threads
from skinpaint.grid.harmonic.fill import fill
from skinpaint.grid.points import Points
from skinpaint.problem import Problem
from skinpaint.solution import Filling

SHAPES = [(1,), (60,), (2, 30), (1, 40), (13, 11), (20, 2), (5, 6, 7), (2, 9, 1, 8), (4, 3, 5, 4)]


@st.composite
def masks(draw, shapes=SHAPES):
    """Thin lines that cross, pixels at the border, blocks, single pixels, or all but one pixel."""
    shape = draw(st.sampled_from(shapes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mask = np.zeros(shape, bool)
    for kind in draw(st.lists(st.sampled_from(["line", "border", "block", "pixels"]), min_size=1, max_size=3)):
        axis, at = rng.integers(mask.ndim), [int(rng.integers(n)) for n in shape]
        if kind == "line":
            mask[(*at[:axis], slice(None), *at[axis + 1 :])] = True
        elif kind == "border":
            mask[(*at[:axis], rng.choice([0, -1]), *at[axis + 1 :])] = True
        elif kind == "block":
            mask[tuple(slice(i, i + rng.integers(1, 4)) for i in at)] = True
        else:
            mask |= rng.random(shape) < 0.1
    if draw(st.integers(0, 9)) == 0:
        mask[...] = True
    mask.flat[rng.integers(mask.size)] = False
    return mask


@contextmanager
def lists(always):
    """Look at the missing pixels alone, or never."""
    few = np.inf if always else 0
    with (
        mock.patch("skinpaint.problem.worth_listing", return_value=always),
        mock.patch.object(holes, "worth_listing", return_value=always),
        mock.patch.object(holes, "FEW_UNKNOWNS", few),
        mock.patch.object(holes, "LIST_COST", 0 if always else 6),
    ):
        yield


def check_points(points, mask):
    """Every pixel is listed once, and every neighbour is the pixel that it should be."""
    at = np.concatenate([points.at, points.halo])
    assert len(set(at)) == at.size
    assert np.array_equal(np.sort(points.at), np.flatnonzero(mask))
    assert not mask.ravel()[points.halo].any()
    assert np.array_equal(np.flatnonzero(mask)[points.order], points.at)
    seen = set()
    for i, place in enumerate(points.places.T):
        colour = np.searchsorted(points.starts, i, side="right")
        for k, (axis, lag) in enumerate(points.directions):
            other = place.astype(int)
            other[axis] += lag if k % 2 == 0 else -lag
            j = points.neighbours[i, k]
            if not 0 <= other[axis] < mask.shape[axis]:
                assert j == -1
                continue
            assert at[j] == np.ravel_multi_index(tuple(other), mask.shape)
            seen.add(int(j))
            if j < points.unknowns:
                assert np.searchsorted(points.starts, j, side="right") != colour
    assert set(range(points.unknowns, points.size)) <= seen


@given(masks(), st.sampled_from([(1,), (1, 2)]))
def test_every_neighbour_is_the_pixel_that_it_should_be(mask, lags):
    check_points(Points.listed(np.flatnonzero(mask), mask.shape, lags), mask)


def test_a_wrong_neighbour_is_noticed():
    mask = np.zeros((6, 7), bool)
    mask[2:4, 3:5] = True
    points = Points.listed(np.flatnonzero(mask), mask.shape, (1,))
    check_points(points, mask)
    points.neighbours[0, 0] = points.neighbours[0, 1]
    with pytest.raises(AssertionError):
        check_points(points, mask)


def scratched(shape, count=8, width=3):
    return damage.scratches(np.zeros(shape, np.uint8), count=count, width=width, rng=1)[1]


@given(masks(), st.sampled_from([(1,), (1, 2)]), st.booleans())
def test_laplace_on_a_list_equals_laplace_on_the_grid(mask, lags, spaced):
    image = np.random.default_rng(3).random(mask.shape)
    spacing = (1.0, 0.5, 3.0, 2.0)[: mask.ndim] if spaced else None
    problem = Problem.from_image(image, mask, spacing=spacing)
    if problem.trivial:
        return
    with lists(True):
        found = Laplace(lags=lags, solver="multigrid", tol=1e-12).solve(problem)
        direct = Laplace(lags=lags, solver="direct").solve(problem)
    assert isinstance(found.found, Filling)
    assert "values" not in vars(problem)
    with lists(False):
        whole = [Laplace(lags=lags, solver=each, tol=1e-12).solve(problem) for each in ("multigrid", "direct")]
    for listed, gridded in zip((found, direct), whole, strict=True):
        np.testing.assert_allclose(listed.values, gridded.values, rtol=0, atol=1e-9)
        assert listed.energy == pytest.approx(gridded.energy, rel=1e-12, abs=1e-15)
        assert listed.values.min() >= -1e-9
        assert listed.values.max() <= 1 + 1e-9


CASES = {
    "grey": ((90, 80), None, np.uint8),
    "colour": ((90, 80, 3), -1, np.uint16),
    "channels first": ((3, 90, 80), 0, np.float32),
    "big-endian": ((90, 80), None, ">f8"),
    "a line": ((1, 7200), None, float),
}


def case(name):
    """An image of which little is missing, in thin shapes and in a hole."""
    shape, axis, dtype = CASES[name]
    rng = np.random.default_rng(5)
    spatial = tuple(n for k, n in enumerate(shape) if axis is None or k != axis % len(shape))
    mask = scratched((90, 80), count=3)
    mask[60:75, 10:25] = True
    image = 100 + 50 * np.sin(np.arange(np.prod(shape)) / 7).reshape(shape) + 10 * rng.random(shape)
    return image.astype(dtype), mask.reshape(spatial), axis


@pytest.mark.parametrize("method", ["laplace", "gd", "reweighted"])
@pytest.mark.parametrize("name", CASES)
def test_known_pixels_are_kept_and_hidden_ones_do_not_matter(name, method):
    image, mask, axis = case(name)
    assert Problem.from_image(image, mask, channel_axis=axis).sparse
    whole = np.broadcast_to(mask if axis is None else np.expand_dims(mask, axis), image.shape)
    before = image.copy()
    restored = inpaint(image, mask, method=method, channel_axis=axis)
    assert image.tobytes() == before.tobytes()
    assert restored.dtype == image.dtype
    assert restored[~whole].tobytes() == image[~whole].tobytes()
    assert not np.shares_memory(restored, image)
    hidden = (0, 255) if image.dtype.kind == "u" else (0, np.nan, np.inf, 1e30)
    for value in hidden:
        image[whole] = value
        assert inpaint(image, mask, method=method, channel_axis=axis).tobytes() == restored.tobytes()


@pytest.mark.parametrize("method", ["laplace", "gd", "reweighted"])
@pytest.mark.parametrize("count", [2, 8])
def test_any_number_of_threads_gives_the_same_bytes(method, count, monkeypatch):
    image, mask, _ = case("grey")
    answers = set()
    for workers in (1, count):
        monkeypatch.setattr(threads, "workers", lambda workers=workers: workers)
        monkeypatch.setattr(threads, "_pool", None)
        monkeypatch.setattr(threads, "MIN_SHARED_ENTRIES", 100)
        answers.add(inpaint(image.astype(float), mask, method=method).tobytes())
        if threads._pool is not None:
            threads._pool.shutdown()
    assert len(answers) == 1


@pytest.mark.parametrize("method", ["laplace", "gd", "reweighted"])
def test_the_values_of_a_solution_do_not_follow_the_users_array(method):
    image, mask, _ = case("grey")
    inpainter = Inpainter(method).fit(image, mask=mask)
    expected = Problem.from_image(image.copy(), mask)
    image[:] = 0
    assert isinstance(inpainter.solution_.found, Filling)
    assert np.array_equal(inpainter.solution_.values[~mask], expected.values[~mask])


@given(masks([(30, 31), (300,), (9, 8, 10)]), st.booleans())
def test_a_fill_by_lists_equals_a_fill_by_grids(mask, own):
    rng = np.random.default_rng(6)
    values = rng.random((*mask.shape, 2))
    both = np.stack([mask, mask & (rng.random(mask.shape) < 0.5)], axis=-1) if own else mask[..., None]
    filled = []
    for always in (True, False):
        with lists(always):
            filled.append(fill(values, both, (1.0, 2.0, 0.5)[: mask.ndim], tol=1e-12))
    np.testing.assert_allclose(*filled, rtol=0, atol=1e-9)
