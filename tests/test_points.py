"""Lists of pixels: their neighbours, and that systems, energies, bounds and answers on them are those of the image."""

import copy
import pickle
import tracemalloc
from contextlib import contextmanager
from functools import partial
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skinpaint import GradientDescent, Inpainter, Laplace, Reweighted, damage, inpaint
from skinpaint.energies import Dirichlet, Lines, TotalVariation, dirichlet, lines, on_grid, rounded, total_variation
from skinpaint.energies.majorizer import Majorizer
from skinpaint.energies.objective import Objective
from skinpaint.grid import holes, threads
from skinpaint.grid.differences import groups
from skinpaint.grid.harmonic.fill import fill
from skinpaint.grid.points import Points
from skinpaint.lazy import lazy
from skinpaint.point_problem import PointProblem
from skinpaint.problem import Problem
from skinpaint.solution import Filling, Reason

SHAPES = [(1,), (60,), (2, 30), (1, 40), (13, 11), (20, 2), (5, 6, 7), (2, 9, 1, 8), (4, 3, 5, 4), (70, 3)]


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
        monkeypatch.setattr(threads, "_threads", [])
        monkeypatch.setattr(threads, "MIN_SHARED_ENTRIES", 100)
        answers.add(inpaint(image.astype(float), mask, method=method).tobytes())
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


ENERGIES = {
    "lines": lines,
    "lines, one lag": Lines(lags=(1,)),
    "lines, rounded": Lines(rounding=0.3),
    "dirichlet": Dirichlet(lags=(1, 2)),
    "total variation": total_variation,
    "sharp total variation": TotalVariation(eps=0),
    "total variation, two lags": TotalVariation(lags=(1, 2)),
    "joint total variation": TotalVariation(joint=True, lags=(1, 2)),
    "mixed": 2 * lines + dirichlet / 3 + total_variation,
}


@st.composite
def problems(draw, channels=2):
    """Images with a mask for all channels or one for each, with and without a spacing."""
    mask, rng = draw(masks(SHAPES[1:])), np.random.default_rng(draw(st.integers(0, 99)))
    image = rng.random((*mask.shape, channels)).round(draw(st.sampled_from([1, 9])))
    if draw(st.booleans()):
        mask = np.stack([mask & (rng.random(mask.shape) < share) for share in (1, 0.5)], axis=-1)
    spacing = draw(st.sampled_from([None, (1.0, 0.5, 3.0, 2.0)[: image.ndim - 1]]))
    return Problem.from_image(image, mask, channel_axis=-1, spacing=spacing)


def posed(energy, problem, x):
    """The energy and the point problem, and `x`, an image with the known values, as one of its vectors."""
    energy = on_grid(energy, problem.spacing)
    points = PointProblem(problem, energy)
    vector = points.values.copy()
    at = points.points.at
    vector[: at.size] = x.reshape(-1, x.shape[-1])[at]
    return energy, points, vector


def moved(problem):
    """The values of a problem with any numbers where something is missing."""
    x = problem.values.copy()
    return np.where(problem.mask, np.random.default_rng(8).random(x.shape), x)


def is_joint(energy):
    return getattr(energy, "joint", False)


def check_energy(energy, problem):
    energy, points, vector = posed(energy, problem, moved(problem))
    whole, listed = (Objective(each, joint=is_joint(energy)) for each in (energy, points.energy))
    values, gradient = whole.values_and_gradient(moved(problem))
    found, slope = listed.values_and_gradient(vector)
    np.testing.assert_allclose(found, values, rtol=1e-12)
    at, scale = points.points.at, np.abs(gradient).max()
    np.testing.assert_allclose(slope[: at.size], gradient.reshape(-1, 2)[at], rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize("name", ENERGIES)
@given(problem=problems())
@settings(max_examples=25)
def test_an_energy_and_its_gradient_are_those_of_the_image(name, problem):
    check_energy(ENERGIES[name], problem)


@pytest.mark.parametrize("name", ["lines", "total variation"])
def test_known_differences_that_are_left_out_are_seen(name, monkeypatch):
    image, mask = np.random.default_rng(0).random((20, 21, 2)), scratched((20, 21), count=1)
    problem = Problem.from_image(image, mask, channel_axis=-1)
    check_energy(ENERGIES[name], problem)
    kept = groups._known_squares
    monkeypatch.setattr(groups, "_known_squares", lambda *args: kept(*args) * (args[2] == 0))
    with pytest.raises(AssertionError):
        check_energy(ENERGIES[name], problem)


@pytest.mark.parametrize("name", [name for name in ENERGIES if name != "lines, rounded"])
@given(problem=problems())
@settings(max_examples=15)
def test_a_majorizer_and_its_bounds_are_those_of_the_image(name, problem):
    energy, points, vector = posed(ENERGIES[name], problem, moved(problem))
    if problem.trivial:
        return
    whole = Majorizer(energy, moved(problem), problem.mask)
    listed = Majorizer(points.energy, vector, points.mask)
    least, found = whole.minimise(moved(problem), tol=1e-13), listed.minimise(vector, tol=1e-13)
    at = points.points.at
    np.testing.assert_allclose(found[: at.size], least.reshape(-1, 2)[at], rtol=0, atol=1e-7)
    assert np.array_equal(
        found[~np.broadcast_to(points.mask, found.shape)], vector[~np.broadcast_to(points.mask, found.shape)]
    )
    same = vector.copy()
    same[: at.size] = least.reshape(-1, 2)[at]
    bounds = whole.bounds(least)
    np.testing.assert_allclose(listed.bounds(same), bounds, rtol=1e-9, atol=1e-9)


@given(problem=problems())
@settings(max_examples=25)
def test_with_norms_rounded_a_bound_may_only_be_tighter(problem):
    """What known pixels contribute to other lines is not rounded, as it does not change."""
    energy, points, vector = posed(lines, problem, moved(problem))
    if problem.trivial:
        return
    whole = Majorizer(rounded(energy, 1e-2), moved(problem), problem.mask)
    listed = Majorizer(rounded(points.energy, 1e-2), vector, points.mask)
    loose = whole.bounds(moved(problem))
    tight = listed.bounds(vector)
    assert (loose <= tight + 1e-10).all()
    assert (tight <= Objective(points.energy).values(vector) + 1e-10).all()


METHODS = {
    "gd": GradientDescent(tol=1e-6),
    "gd, dirichlet": GradientDescent(energy="dirichlet", tol=1e-9),
    "gd, total variation": GradientDescent(energy="total_variation"),
    "reweighted": Reweighted(tol=1e-8),
    "reweighted, total variation": Reweighted(energy="total_variation", tol=1e-5),
    "reweighted, mixed": Reweighted(energy=lines + total_variation, tol=1e-5),
}


def picture(*shape):
    """Waves and noise, and thin holes beside a wide one that reaches the border."""
    mask = scratched(shape[:2], count=3)
    mask[shape[0] // 2 :, :9] = True
    return np.sin(np.arange(np.prod(shape)) / 7).reshape(shape) + np.random.default_rng(5).random(shape), mask


@pytest.mark.parametrize("name", METHODS)
def test_a_method_reaches_the_minimum_that_it_reaches_on_the_image(name):
    image, mask = picture(70, 64, 3)
    problem = Problem.from_image(image, mask, channel_axis=-1)
    solutions = []
    for always in (True, False):
        with lists(always):
            solutions.append(METHODS[name].solve(problem))
    listed, whole = solutions
    assert isinstance(listed.found, Filling)
    assert not isinstance(whole.found, Filling)
    assert listed.converged
    assert whole.converged
    assert listed.energy <= whole.energy * (1 + listed.gap)
    assert whole.energy <= listed.energy * (1 + whole.gap)
    energy = on_grid(METHODS[name]._energy(problem), problem.spacing)
    assert Objective(energy).value(listed.values) == pytest.approx(listed.energy, rel=1e-12)


def test_a_joint_energy_sees_all_channels_on_a_list(rng):
    image, mask = picture(60, 50, 3)
    problem = Problem.from_image(image, mask, channel_axis=-1)
    assert problem.sparse
    energy = TotalVariation(joint=True)
    descended = GradientDescent(energy="total_variation", joint_channels=True, tol=1e-4).solve(problem)
    exact = Reweighted(energy=energy, tol=1e-5).solve(problem)
    assert descended.energy <= exact.energy * (1 + descended.gap)
    assert exact.energy <= descended.energy * (1 + exact.gap)
    assert float(energy(exact.values)) == pytest.approx(exact.energy, rel=1e-12)


FLIPS = {
    "up and down": np.flipud,
    "left and right": np.fliplr,
    "rows and columns": partial(np.swapaxes, axis1=0, axis2=1),
    "half a turn": partial(np.rot90, k=2),
}
EXACT = {
    "laplace": (Laplace(solver="multigrid", tol=1e-12), 1e-9),
    "gd": (GradientDescent(energy="dirichlet", tol=1e-12), 1e-5),  # a gap goes as the square of the distance
    "reweighted": (Reweighted(tol=1e-10), 1e-5),
}


@pytest.mark.parametrize("flip", FLIPS)
@pytest.mark.parametrize("name", EXACT)
@pytest.mark.filterwarnings("ignore::skinpaint.ConvergenceWarning")
def test_flips_commute(name, flip):
    (image, mask), (method, tol), turn = picture(80, 79), EXACT[name], FLIPS[flip]
    assert Problem.from_image(image, mask).sparse
    restored = turn(inpaint(image, mask, method=method))
    np.testing.assert_allclose(inpaint(turn(image), turn(mask), method=method), restored, rtol=0, atol=tol)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.filterwarnings("ignore::skinpaint.ConvergenceWarning")
def test_channels_are_those_that_are_restored_alone(name):
    image, mask = picture(120, 110, 3)
    own = np.stack([mask, np.roll(mask, 20, axis=1), np.zeros_like(mask)], axis=-1)
    method, tol = EXACT[name]
    for each in (own, np.repeat(mask[..., np.newaxis], 3, axis=-1)):
        assert Problem.from_image(image, each, channel_axis=-1).sparse
        together = inpaint(image, each, method=method, channel_axis=-1)
        alone = [inpaint(image[..., c], each[..., c], method=method) for c in range(3)]
        np.testing.assert_allclose(together, np.stack(alone, axis=-1), rtol=0, atol=tol)
        assert together[~each].tobytes() == image[~each].tobytes()


@pytest.mark.parametrize("method", ["gd", "reweighted", "laplace"])
@pytest.mark.parametrize("channels", [1, 3])
def test_memory_follows_what_is_missing(method, channels):
    """60 bytes a pixel and 250 a missing one, for each channel: what NumPy takes beyond the image and the mask."""
    shape = (900, 900, channels)
    image, mask = np.random.default_rng(0).integers(0, 256, shape, np.uint8), scratched(shape[:2], count=16, width=3)
    restore = partial(inpaint, image, mask, method=method, channel_axis=-1)
    inpaint(image[:90, :90], mask[:90, :90], method=method, channel_axis=-1)  # load and compile
    tracemalloc.start()
    restore()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= channels * (60 * mask.size + 250 * np.count_nonzero(mask))


def test_what_is_far_from_known_pixels_is_left_alone():
    image, mask = picture(120, 110)
    mask[10:30, 20:40] = True
    inpainter = Inpainter("laplace", max_distance=3).fit(image, mask=mask)
    assert isinstance(inpainter.solution_.found, Filling)
    whole = inpaint(image, mask, method="laplace")
    assert np.array_equal(inpainter.restored_[inpainter.mask_], whole[inpainter.mask_])
    assert np.isnan(inpainter.restored_[mask & ~inpainter.mask_]).all()
    assert np.array_equal(inpainter.restored_[~mask], image[~mask])


def test_filled_values_at_a_bound_are_counted():
    image, mask = picture(80, 70)
    problem = Problem.from_image(image, mask)
    filling = problem.unsolved
    filling.values[:7] = [[0.0], [1.0], [-1.0], [2.0], [0.5], [0.1], [0.9]]
    assert problem.at_bound(filling) == problem.at_bound(np.asarray(filling)) == 4


@pytest.mark.parametrize("method", [GradientDescent(tol=1e-11), Reweighted(tol=1e-9), Laplace()], ids=repr)
def test_the_callback_sees_pictures_and_may_stop(method):
    image, mask = picture(80, 70)
    pictures = []

    def watch(record, restore):
        pictures.append(restore())
        return len(pictures) == 2

    inpainter = Inpainter(method).fit(image, mask=mask, callback=watch)
    assert isinstance(inpainter.solution_.found, Filling)
    assert np.array_equal(pictures[-1], inpainter.restored_)
    assert all(np.array_equal(each[~mask], image[~mask]) for each in pictures)
    asked_twice = not isinstance(method, Laplace)
    assert len(pictures) == 1 + asked_twice
    assert (inpainter.solution_.reason is Reason.STOPPED_BY_CALLBACK) == asked_twice


def test_ctrl_c_returns_the_best_so_far():
    image, mask = picture(80, 70)

    def interrupt(record, restore):
        raise KeyboardInterrupt

    inpainter = Inpainter("gd").fit(image, mask=mask, callback=interrupt)
    assert inpainter.solution_.reason is Reason.INTERRUPTED
    assert np.isfinite(inpainter.restored_).all()
    assert np.array_equal(inpainter.restored_[~mask], image[~mask])


def test_a_descent_that_needs_the_image_gets_it():
    problem = Problem.from_image(*picture(80, 70))
    assert problem.sparse
    for method in (
        GradientDescent.classic(),
        GradientDescent(energy="bending"),
        GradientDescent(energy=lambda x: (x[1:] ** 2).sum(), convex=True),
        GradientDescent(step_size=0.1),
    ):
        assert method.prepare(problem) is problem
    assert isinstance(GradientDescent().prepare(problem), PointProblem)


def test_a_solution_keeps_its_values_when_it_is_copied_or_pickled():
    image, mask = picture(80, 70)
    solution = Laplace().solve(Problem.from_image(image, mask))
    again, other = pickle.loads(pickle.dumps(solution)), copy.deepcopy(solution)
    remarked = solution.remarked(["It is so."])
    assert remarked.status == f"{solution.status} It is so."
    for each in (again, other, remarked):
        assert np.array_equal(each.values, solution.values)
        assert each.energy == solution.energy
    assert isinstance(again.found, np.ndarray)  # the problem does not go along


@pytest.mark.parametrize("method", ["laplace", "biharmonic"])
@pytest.mark.parametrize("fraction", [0.02, 0.9])
def test_the_energy_is_computed_for_those_who_may_ask(method, fraction, rng, monkeypatch):
    from skinpaint.methods.closed_form import _Figures

    computed = []
    energies = _Figures.energies.compute
    monkeypatch.setattr(_Figures, "energies", lazy(lambda figures: computed.append(1) or energies(figures)))
    _Figures.energies.__set_name__(_Figures, "energies")
    image = rng.random((60, 70))
    mask = rng.random(image.shape) < fraction
    inpaint(image, mask, method=method)
    assert not computed
    fitted = Inpainter(method).fit(image, mask=mask)
    solution, (record,) = fitted.solution_, fitted.history_
    assert len(computed) == 1
    fitted.mask_[:] = True  # the figures are those of the answer, whatever becomes of the arrays
    solution.values[:] = 0
    energy = solution.energy
    assert (record.energy, len(computed)) == (energy, 1)
    assert "_Figures" not in repr([solution.__dict__, record.__dict__])
    again = pickle.loads(pickle.dumps(fitted)).solution_
    assert (again.energy, again.history[0].energy, again.scale) == (energy, energy, solution.scale)
    if method == "laplace":
        values = Inpainter(method).fit(image, mask=mask).solution_.values[..., 0]
        expected = sum((np.diff(values, axis=axis) ** 2).sum() for axis in (0, 1))
        assert energy == pytest.approx(expected, rel=1e-12)
