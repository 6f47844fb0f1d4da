"""Gradient descent: the article's to the letter, the accelerated one against the closed form, any energy."""

from itertools import pairwise

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from skimage import data

from skinpaint import ConvergenceWarning, GradientDescent, Inpainter, Laplace, Reweighted, energies, inpaint
from skinpaint.damage import random_pixels
from skinpaint.problem import Problem


def err_func(img):
    """The article's energy as a user pastes it: a loop over rows and columns."""
    err = 0.0
    for rows in (img, img.T):
        for row in rows:
            err = err + anp.linalg.norm(row[1:] - row[:-1])
            err = err + anp.linalg.norm(row[0::2][1:] - row[0::2][:-1])
            err = err + anp.linalg.norm(row[1::2][1:] - row[1::2][:-1])
    return err


@pytest.fixture
def crop():
    return np.ascontiguousarray(data.camera()[200:224, 200:224])


def damaged_array(shape, seed=0, missing=0.6):
    rng = np.random.default_rng(seed)
    image = rng.random(shape)
    mask = rng.random(shape) < missing
    return image, mask


def test_classic_equals_a_literal_transcription(crop):
    damaged, mask = random_pixels(crop, rng=0)
    x = damaged / 255
    gradient = grad(err_func)
    for k in range(10):
        step = gradient(x)
        step[~mask] = 0
        x = np.clip(x - max(1.5 / (k + 1), 0.015) * step, 0, 1)
    classic = GradientDescent(**{**vars(GradientDescent.classic()), "max_iter": 10})
    solution = classic.solve(Problem.from_image(damaged, mask, bounds="dtype"))
    np.testing.assert_allclose(solution.values[..., 0], x, rtol=0, atol=1e-10)
    assert not solution.converged
    assert solution.n_iter == 10


def test_classic_takes_500_steps_in_the_dtype_range_and_does_not_warn(crop):
    damaged, mask = random_pixels(crop, rng=0)
    inpainter = Inpainter(GradientDescent.classic()).fit(damaged, mask=mask)
    assert inpainter.n_iter_ == 500
    assert not inpainter.converged_
    assert "as asked" in inpainter.solution_.status


@pytest.mark.parametrize("lags", [(1,), (1, 2)])
@pytest.mark.parametrize("shape", [(40,), (17, 14), (7, 8, 6)])
def test_gd_on_squares_equals_the_closed_form(shape, lags):
    image, mask = damaged_array(shape)
    problem = Problem.from_image(image, mask, spacing=(1.0, 2.0, 0.5)[: len(shape)])
    exact = Laplace(lags=lags, solver="direct").solve(problem)
    descent = GradientDescent(energy="dirichlet", lags=lags, tol=1e-9, max_iter=20_000).solve(problem)
    assert descent.converged
    np.testing.assert_allclose(descent.values, exact.values, rtol=0, atol=1e-6)
    assert descent.energy == pytest.approx(exact.energy, rel=1e-12)


@pytest.mark.parametrize("lags", [(1,), (1, 2)])
def test_descent_on_handwritten_squares_from_the_damage_equals_the_closed_form(lags):
    def squares(x):
        return sum(anp.sum((y[lag:] - y[:-lag]) ** 2) for y in (x, x.T) for lag in lags)

    image, mask = damaged_array((17, 14))
    problem = Problem.from_image(image, mask)
    exact = Laplace(lags=lags, solver="direct").solve(problem)
    method = GradientDescent(energy=squares, start="damaged", tol=1e-9, max_iter=20_000)
    descent = method.solve(problem)
    assert np.abs(method.init(problem).values - exact.values).max() > 0.1
    assert descent.converged
    np.testing.assert_allclose(descent.values, exact.values, rtol=0, atol=1e-6)


@pytest.mark.parametrize("own_masks", [False, True])
def test_gd_on_squares_equals_the_closed_form_in_colour(own_masks):
    image, mask = damaged_array((12, 11, 3))
    problem = Problem.from_image(image, mask if own_masks else mask[..., 0], channel_axis=-1)
    exact = Laplace(solver="direct").solve(problem)
    descent = GradientDescent(energy="dirichlet", tol=1e-9, max_iter=20_000).solve(problem)
    np.testing.assert_allclose(descent.values, exact.values, rtol=0, atol=1e-6)


def test_energy_never_rises_and_comes_within_a_thousandth(crop):
    damaged, mask = random_pixels(crop, rng=0)
    problem = Problem.from_image(damaged, mask)
    found = GradientDescent().solve(problem)
    best = Reweighted(tol=1e-7).solve(problem)
    energies = [record.energy for record in found.history]
    assert found.converged
    assert best.converged
    assert all(b <= a * (1 + 1e-13) for a, b in pairwise(energies))
    assert best.energy * (1 - 1e-12) <= found.energy <= (1 + found.gap) * best.energy


def test_the_history_is_not_rounded_and_rises_no_more_than_rounding_explains():
    """Many lines are flat here: the rounded energy falls, and the energy itself may rise a little."""
    edge = np.repeat([[0.2] * 4 + [0.8] * 4], 8, axis=0)
    mask = np.random.default_rng(0).random(edge.shape) < 0.5
    seen = []
    fitted = Inpainter(GradientDescent(tol=None, max_iter=30), bounds=(0, 1))
    fitted.fit(edge, mask=mask, callback=lambda record, restore: seen.append((record.energy, restore())))
    smooth = energies.rounded(energies.lines, 1e-4)
    recorded, pictures = zip(*seen, strict=True)
    np.testing.assert_allclose(recorded, [energies.lines(picture) for picture in pictures], rtol=1e-12)
    descended = np.array([smooth(picture) for picture in pictures])
    assert (np.diff(descended) <= 1e-13 * descended[0]).all()
    above = descended - recorded
    assert above.min() > 1e-6  # so that the two are told apart
    assert (np.diff(recorded) <= above[:-1]).all()


@pytest.mark.parametrize("step_size", [0.05, lambda k: 0.5 / (k + 2)])
def test_plain_steps_go_downhill(crop, step_size):
    damaged, mask = random_pixels(crop, rng=0)
    method = GradientDescent(step_size=step_size, start="damaged", max_iter=50, tol=None)
    solution = method.solve(Problem.from_image(damaged, mask, bounds="dtype"))
    assert solution.n_iter == 50
    assert solution.history[-1].energy < solution.history[0].energy


def test_plain_steps_can_converge():
    image, mask = damaged_array((9, 9))
    problem = Problem.from_image(image, mask)
    plain = GradientDescent(energy="dirichlet", step_size=0.1, tol=1e-9, max_iter=5000).solve(problem)
    assert plain.converged
    np.testing.assert_allclose(plain.values, Laplace().solve(problem).values, atol=1e-6)


def test_the_articles_function_pasted_by_a_user_gives_the_same_descent(crop):
    damaged, mask = random_pixels(crop, rng=0)
    settings = {"step_size": 0.02, "max_iter": 15, "tol": None}
    problem = Problem.from_image(damaged, mask)
    theirs = GradientDescent(energy=err_func, **settings).solve(problem)
    ours = GradientDescent(**settings).solve(problem)
    np.testing.assert_allclose(theirs.values, ours.values, atol=1e-9)


def test_the_articles_function_survives_a_flat_row(crop):
    crop[5] = 77
    mask = np.random.default_rng(0).random(crop.shape) < 0.5
    mask[5] = False
    inpainter = Inpainter(GradientDescent(energy=err_func, max_iter=15, tol=None)).fit(crop, mask=mask)
    assert "1e-9 beside" in inpainter.solution_.status
    assert inpainter.solution_.history[-1].energy < inpainter.solution_.history[0].energy


def test_joint_channels_hands_over_all_channels_last():
    image, mask = damaged_array((3, 8, 9))
    seen = []

    def energy(x):
        seen.append(x.shape)
        dy, dx = x[1:] - x[:-1], x[:, 1:] - x[:, :-1]
        return anp.sum(dy**2) + anp.sum(dx**2)

    joint = GradientDescent(energy=energy, joint_channels=True, tol=1e-8)
    own = GradientDescent(energy=energy, tol=1e-8)
    a = inpaint(image, mask[0], method=joint, channel_axis=0)
    b = inpaint(image, mask[0], method=own, channel_axis=0)
    assert set(seen) == {(8, 9, 3), (8, 9)}
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_not_converging_warns_with_a_way_out():
    image, mask = damaged_array((12, 12))
    with pytest.warns(ConvergenceWarning, match=r"Not converged after 2 iterations .* Raise max_iter or tol"):
        inpaint(image, mask, method=GradientDescent(max_iter=2))


def test_ctrl_c_returns_the_best_so_far():
    image, mask = damaged_array((12, 12))
    energies = []

    def interrupt(record, restore):
        energies.append(record.energy)
        if record.n_iter == 5:
            raise KeyboardInterrupt

    inpainter = Inpainter("gd").fit(image, mask=mask, callback=interrupt)
    assert not inpainter.converged_
    assert inpainter.n_iter_ == 5
    assert inpainter.solution_.energy == min(energies)
    assert "Interrupted after 5 iterations" in inpainter.solution_.status


def test_the_callback_sees_the_picture_and_can_stop():
    image, mask = damaged_array((12, 12))
    pictures = []

    def watch(record, restore):
        pictures.append(restore())
        return record.n_iter == 4

    inpainter = Inpainter("gd").fit(image, mask=mask, callback=watch)
    assert len(pictures) == inpainter.n_iter_ == 4
    assert np.array_equal(pictures[-1], inpainter.restored_)
    assert not np.array_equal(pictures[0], pictures[-1])
    assert "Stopped by the callback" in inpainter.solution_.status


@pytest.mark.parametrize(
    ("energy", "error", "sentence"),
    [
        (lambda x: anp.sum(x) * np.nan, ValueError, "must return a finite float. Got nan"),
        (lambda x: x**2, ValueError, r"must return one real float. Got shape \(5, 5\)"),
        (lambda x: 1j * anp.sum(x), ValueError, "must return one real float. Got a value of dtype complex128"),
        (lambda x: 3, ValueError, "must return one real float. Got a value of dtype int64"),
        (lambda x: 1 / 0, ZeroDivisionError, "division by zero"),
        (lambda x: anp.sum(anp.sqrt(anp.abs(x * 0))), ValueError, "must have a finite gradient"),
    ],
)
def test_a_bad_energy_gets_a_sentence(energy, error, sentence):
    image, mask = damaged_array((5, 5))
    with pytest.raises(error, match=sentence) as caught:
        inpaint(image, mask, method=GradientDescent(energy=energy))
    if error is ZeroDivisionError:
        assert any("the energy given to GradientDescent" in note for note in caught.value.__notes__)
    # The next call is not poisoned.
    assert np.isfinite(inpaint(image, mask)).all()


def test_spacing_with_an_energy_of_ones_own_is_refused():
    image, mask = damaged_array((5, 5))
    with pytest.raises(ValueError, match="The 'spacing' parameter of Inpainter must be None with an energy of your"):
        inpaint(image, mask, spacing=2.0, method=GradientDescent(energy=lambda x: anp.sum(x**2)))


def squares(x):
    return anp.sum((x[1:] - x[:-1]) ** 2) + anp.sum((x[:, 1:] - x[:, :-1]) ** 2)


def moved(x):
    return squares(x - 0.5)


def moved_in_place(x):
    """The same. Under autograd this makes a new array; a plain one it would change."""
    x -= 0.5
    return squares(x)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("many", [lambda energy: energy, lambda energy: energies.dirichlet * 2 + energy + squares])
def test_an_energy_that_writes_into_its_argument_does_not_write_into_the_picture(joint, many):
    image, mask = damaged_array((12, 13))
    for start in ("fill", "damaged"):
        answers = [
            inpaint(
                image,
                mask,
                method=GradientDescent(energy=many(energy), convex=True, tol=1e-9, joint_channels=joint, start=start),
            )
            for energy in (moved, moved_in_place)
        ]
        np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("convex", [False, True])
@pytest.mark.parametrize("unit", [1e-300, 1e-20, 1e155, 1e200])
def test_the_unit_of_an_energy_does_not_matter(unit, convex):
    """Steps below the rounding of the values, and squares that underflow or overflow, were taken for convergence."""

    def rounded(x):
        return anp.sum(anp.sqrt((x[1:] - x[:-1]) ** 2 + 1e-3)) + anp.sum(anp.sqrt((x[:, 1:] - x[:, :-1]) ** 2 + 1e-3))

    image, mask = damaged_array((20, 21))
    plain, scaled = (
        Inpainter(GradientDescent(energy=energy, convex=convex, tol=1e-5)).fit(image, mask=mask)
        for energy in (rounded, lambda x: unit * rounded(x))
    )
    assert plain.converged_
    assert scaled.converged_
    assert scaled.solution_.energy / unit == pytest.approx(plain.solution_.energy, rel=2e-5)
    np.testing.assert_allclose(scaled.restored_, plain.restored_, atol=0.01 * np.ptp(image))


class Mine(energies.Energy):
    convex = True

    def __call__(self, x):
        return squares(x)


@pytest.mark.parametrize("energy", [Mine(), Mine() + energies.dirichlet])
def test_spacing_with_a_convex_energy_of_ones_own_is_refused_too(energy):
    image, mask = damaged_array((5, 5))
    with pytest.raises(ValueError, match="The 'spacing' parameter of Inpainter must be None with an energy of your"):
        inpaint(image, mask, spacing=(1, 5), method=GradientDescent(energy=energy))
    assert np.isfinite(inpaint(image, mask, method=GradientDescent(energy=energy))).all()


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"tol": -1}, r"The 'tol' parameter of GradientDescent must be a float in \(0, 1\) or None. Got -1 instead."),
        ({"max_iter": 0}, "The 'max_iter' parameter of GradientDescent must be an int of at least 1. Got 0"),
        ({"max_iter": 2.5}, "The 'max_iter' parameter"),
        ({"energy": "smooth"}, "must be 'lines', 'dirichlet', 'total_variation', 'bending' or a callable. Got"),
        ({"step_size": -1.0}, "The 'step_size' parameter of GradientDescent must be 'accelerated', a positive"),
        ({"step_size": "fast"}, "The 'step_size' parameter"),
        ({"start": "noise"}, "The 'start' parameter of GradientDescent must be 'fill' or 'damaged'. Got 'noise'"),
        ({"lags": (3,)}, "The 'lags' parameter of GradientDescent"),
        ({"energy": abs, "lags": (1,)}, "The 'lags' parameter of GradientDescent must be None when the energy is"),
        ({"joint_channels": 1}, "The 'joint_channels' parameter of GradientDescent must be a bool. Got 1"),
    ],
)
def test_settings_check_themselves(setting, sentence):
    with pytest.raises(ValueError, match=sentence):
        GradientDescent(**setting)


def test_intact_surroundings_do_not_loosen_the_stopping_rule():
    camera = data.camera().astype(float)
    mask = np.zeros(camera.shape, bool)
    mask[200:220, 250:270] = True
    found = Inpainter("gd").fit(camera, mask=mask)
    tight = inpaint(camera, mask, method=GradientDescent(tol=1e-6, max_iter=20_000))
    assert found.converged_
    assert np.sqrt(np.mean((found.restored_ - tight)[mask] ** 2)) < 0.2  # grey levels of 255


@pytest.mark.parametrize("beside", ["a rough channel", "a channel that misses nothing"])
def test_each_channel_meets_the_stopping_rule_where_nothing_is_proven(beside):
    def energy(x):
        return anp.sum(anp.diff(x, axis=0) ** 2) + 0.02 * anp.sum(anp.diff(x, axis=1) ** 2)

    i, j = np.indices((24, 24))
    smooth = 0.5 + 0.05 * np.sin(i / 4) * np.cos(j / 5)
    smooth[0, :2] = 0, 1
    rough = (np.random.default_rng(0).random(smooth.shape) < 0.5).astype(float)
    mask = np.zeros((*smooth.shape, 2), bool)
    mask[6:18, 6:18] = beside == "a rough channel", True
    method = GradientDescent(energy=energy, tol=1e-2)
    together = Inpainter(method, channel_axis=-1).fit(np.stack([rough, smooth], axis=-1), mask=mask)
    exact = inpaint(smooth, mask[..., 1], method=GradientDescent(energy=energy, convex=True, tol=1e-8))
    off = np.abs(together.restored_[..., 1] - exact).max()
    assert together.converged_
    assert off < 0.02 * np.ptp(exact[mask[..., 1]])  # 0.01 for the channel alone


@pytest.mark.parametrize("shape", [(2, 9000), (3, 9000)])
def test_gaps_too_long_for_single_precision(shape):
    """The preconditioner is indefinite there, now and then; the gradient itself is a direction, too."""
    image = np.cumsum(np.random.default_rng(0).standard_normal(shape), axis=1)
    mask = np.ones(shape, bool)
    mask[:, [0, shape[1] // 2, -1]] = False
    inpainter = Inpainter("gd").fit(image, mask=mask)
    assert inpainter.converged_
    assert inpainter.solution_.gap <= 1e-3


@pytest.mark.parametrize("energy", ["lines", "bending"])
def test_bounds_are_named_where_they_are_why_little_is_proven(energy):
    if energy == "lines":
        rng = np.random.default_rng(11)
        image, mask = (rng.random((10, 10)) < 0.5) * 1.0, rng.random((10, 10)) < 0.94
        bounds = (-40, 41)
    else:
        image, mask = np.add.outer(np.arange(20.0), np.arange(12)), np.random.default_rng(2).random((20, 12)) < 0.5
        bounds = (-60, 90)
    method = GradientDescent(energy=energy, max_iter=100)
    with pytest.warns(ConvergenceWarning, match="tol, or give narrower bounds: the wider they are, the less is prove"):
        Inpainter(method, bounds=bounds).fit(image, mask=mask)
    inpainter = Inpainter(method).fit(image, mask=mask)
    assert inpainter.converged_
    if energy == "lines":
        with pytest.warns(ConvergenceWarning, match=r"Raise max_iter or tol\.$"):
            Inpainter(GradientDescent(max_iter=1)).fit(image, mask=mask)


@pytest.mark.parametrize("dtype", [np.float64, np.uint8])
def test_your_own_energy_has_its_minimum_in_a_ramp(dtype):
    def energy(x):
        return anp.sum((x[1:] - x[:-1]) ** 2) + anp.sum((x[:, 1:] - x[:, :-1]) ** 2)

    ramp = np.add.outer(np.arange(16), 2 * np.arange(12)).astype(dtype)
    mask = np.zeros(ramp.shape, bool)
    mask[4:9, 3:8] = True
    inpainter = Inpainter(GradientDescent(energy=energy, max_iter=100)).fit(ramp, mask=mask)
    assert inpainter.converged_, inpainter.solution_.status
    np.testing.assert_allclose(inpainter.restored_, ramp, atol=1e-7)
