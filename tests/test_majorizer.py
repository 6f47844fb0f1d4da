"""The quadratic above an energy: it touches, it lies above, and its minimum proves bounds that are never too high."""

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from skinpaint import ConvergenceWarning, GradientDescent, Inpainter, Reweighted
from skinpaint.energies import Dirichlet, Lines, TotalVariation, bending, dirichlet, lines, total_variation
from skinpaint.energies.majorizer import Majorizer, relative_gap
from skinpaint.energies.objective import value_and_gradient
from skinpaint.grid.harmonic.multigrid import System
from skinpaint.problem import Problem
from skinpaint.solution import Reason

ENERGIES = {
    "lines": lines,
    "lines, one lag": Lines(lags=(1,)),
    "dirichlet": Dirichlet(lags=(1, 2)),
    "total variation": total_variation,
    "sharp total variation": TotalVariation(eps=1e-3),
    "total variation, two lags": TotalVariation(lags=(1, 2)),
    "mixed": 2 * lines + dirichlet / 3 + total_variation,
}
SHAPES = [(5,), (2,), (4, 6), (7, 2), (1, 5), (6, 1), (3, 4, 3), (1, 3, 4)]


@st.composite
def problems(draw):
    """Small images with flat lines, few grey levels, and anything from one pixel to nearly all missing."""
    shape = draw(st.sampled_from(SHAPES))
    levels = draw(st.sampled_from([2, 3, 256]))
    image = draw(npst.arrays(np.float64, shape, elements=st.integers(0, levels - 1))) / (levels - 1)
    if draw(st.booleans()):
        image[0] = image[0].flat[0]
    mask = draw(npst.arrays(bool, shape))
    if draw(st.booleans()):
        mask = np.zeros(shape, bool)
        mask.flat[draw(st.integers(0, mask.size - 1))] = True
    known = image[~mask]
    assume(mask.any() and known.size and known.min() < known.max())
    return Problem.from_image(image, mask)


def lowest(energy, problem):
    """The lowest energy that can be found by other means: L-BFGS-B from several starts."""
    mask, x = problem.mask[..., 0], problem.values[..., 0].copy()
    rng = np.random.default_rng(0)
    found = []

    def at(u):
        x[mask] = u
        value, gradient = value_and_gradient(energy, x)
        return value, gradient[mask]

    bounds = [(problem.low[0], problem.high[0])] * np.count_nonzero(mask)
    options = {"ftol": 1e-14, "gtol": 1e-12, "maxiter": 200}
    for start in (np.full(len(bounds), 0.5), rng.uniform(problem.low[0], problem.high[0], len(bounds))):
        result = minimize(at, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        found.append(result.fun)
    return min(found)


def check_bound(energy, problem, bound, found):
    """A bound must not be above an energy that was reached, but for the rounding of a sum."""
    assert bound <= min([*found, lowest(energy, problem)]) * (1 + 1e-12) + 1e-14


@pytest.mark.filterwarnings("ignore::skinpaint.ConvergenceWarning")
@pytest.mark.parametrize("name", ENERGIES)
@given(problem=problems())
@settings(max_examples=15)
def test_no_bound_is_above_any_energy_that_can_be_reached(name, problem):
    energy = ENERGIES[name]
    solutions = [
        method.solve(problem)
        for method in (GradientDescent(energy=energy, max_iter=40), Reweighted(energy=energy, max_iter=25))
    ]
    exact = [float(energy(np.ascontiguousarray(solution.values[..., 0]))) for solution in solutions]
    for solution, value in zip(solutions, exact, strict=True):
        for record in solution.history:
            if record.gap is not None and np.isfinite(record.gap):
                assert record.gap >= 0
        if np.isfinite(solution.gap):
            check_bound(energy, problem, value / (1 + solution.gap), exact)


def test_a_bound_that_is_a_thousandth_too_high_is_caught(rng):
    problem = Problem.from_image(rng.random((6, 7)), rng.random((6, 7)) < 0.5)
    solution = Reweighted(tol=1e-6).solve(problem)
    value = float(lines(solution.values[..., 0].copy()))
    check_bound(lines, problem, value / (1 + solution.gap), [value])
    with pytest.raises(AssertionError):
        check_bound(lines, problem, 1.001 * value / (1 + solution.gap), [value])


@pytest.mark.parametrize("name", ENERGIES)
@pytest.mark.parametrize("shape", [(9,), (7, 8), (4, 5, 3)])
def test_it_touches_with_the_gradient_and_lies_above(name, shape, rng):
    energy, x = ENERGIES[name], rng.random(shape)
    mask = rng.random(shape) < 0.6
    terms, (field,) = (
        energy.terms if hasattr(energy, "terms") else ((1.0, energy),),
        Majorizer(energy, x[..., None], mask[..., None]).fields,
    )

    def slope(z):
        return sum(
            c * t.backward(z, t.spacing_for(z.ndim), k, 1.0) for (c, t), k in zip(terms, field.kept, strict=True)
        )

    value, gradient = value_and_gradient(energy, x)
    np.testing.assert_allclose(slope(x), gradient, rtol=0, atol=1e-12 * np.abs(gradient).max())
    for _ in range(20):
        z = x + rng.normal(scale=0.3, size=shape) * mask
        above = value + np.vdot(slope(x), z - x) + np.vdot(slope(z - x), z - x) / 2
        assert float(energy(z)) <= above * (1 + 1e-13)


@pytest.mark.parametrize("name", ENERGIES)
@pytest.mark.parametrize("shape", [(40,), (30, 31), (9, 10, 8)])
def test_its_minimum_has_no_gradient_left(name, shape, rng):
    energy, x, mask = ENERGIES[name], rng.random(shape), rng.random(shape) < 0.7
    majorizer = Majorizer(energy, x[..., None], mask[..., None])
    least = majorizer.minimise(x[..., None], tol=1e-12)[..., 0]
    terms = energy.terms if hasattr(energy, "terms") else ((1.0, energy),)
    kept = majorizer.fields[0].kept
    slope = sum(c * t.backward(least, t.spacing_for(least.ndim), k, 1.0) for (c, t), k in zip(terms, kept, strict=True))
    assert np.abs(slope[mask]).max() <= 1e-10 * np.abs(slope[~mask]).max()
    np.testing.assert_array_equal(least[~mask], x[~mask])


def test_joint_channels_share_norms_and_may_have_masks_of_their_own(rng):
    energy = TotalVariation(joint=True)
    image, mask = rng.random((12, 11, 3)), rng.random((12, 11, 3)) < 0.6
    mask[..., 2] = mask[..., 0]
    problem = Problem.from_image(image, mask, channel_axis=-1)
    method = GradientDescent(energy=energy, joint_channels=True, tol=1e-5)
    descended, exact = method.solve(problem), Reweighted(energy=energy, tol=1e-5).solve(problem)
    assert descended.converged
    assert exact.converged
    assert descended.energy <= exact.energy * (1 + descended.gap)
    assert exact.energy <= descended.energy * (1 + exact.gap)
    assert float(energy(exact.values)) == pytest.approx(exact.energy, rel=1e-12)


def test_only_first_differences_of_one_kind_have_a_majorizer():
    assert Majorizer.exists_for(lines + total_variation)
    assert not Majorizer.exists_for(lines + bending)
    assert not Majorizer.exists_for(lines + TotalVariation(joint=True))
    assert not Majorizer.exists_for(lines + (lambda x: x.sum()))
    assert not Majorizer.exists_for(lambda x: x.sum())


def test_the_gap_is_zero_where_nothing_is_left_and_infinite_without_a_bound():
    assert relative_gap(0.0, 0.0) == 0.0
    assert relative_gap(2.0, 0.0) == np.inf
    assert relative_gap(2.0, np.nan) == np.inf
    assert relative_gap(np.nan, 2.0) == np.inf
    assert relative_gap(3.0, 2.0) == 0.5


def test_a_users_convex_energy_is_proven_by_its_gradient(rng):
    def squares(x):
        return ((x[1:] - x[:-1]) ** 2).sum() + ((x[:, 1:] - x[:, :-1]) ** 2).sum()

    problem = Problem.from_image(rng.random((9, 8)), rng.random((9, 8)) < 0.5)
    solution = GradientDescent(energy=squares, convex=True).solve(problem)
    least = Reweighted(energy="dirichlet", tol=1e-9).solve(problem).energy
    assert solution.converged
    assert solution.gap <= 1e-3
    assert solution.energy / (1 + solution.gap) <= least <= solution.energy
    assert GradientDescent(energy=squares).solve(problem).gap is None


def test_what_can_only_be_approached_is_told_by_its_gap(rng):
    image, mask = np.kron(rng.integers(0, 2, (4, 4)), np.ones((4, 4))).astype(float), rng.random((16, 16)) < 0.5
    problem = Problem.from_image(image, mask)
    with pytest.warns(ConvergenceWarning, match=r"proven gap is .*, above tol 1e-10"):
        solution = Reweighted(energy=TotalVariation(eps=0), tol=1e-10, max_iter=60).solve(problem)
    assert 1e-10 < solution.gap < 0.05
    check_bound(TotalVariation(eps=0), problem, solution.energy / (1 + solution.gap), [solution.energy])


@pytest.mark.parametrize(
    "method", [GradientDescent(), Reweighted(), GradientDescent(energy="total_variation")], ids=repr
)
@pytest.mark.filterwarnings("error")
def test_bounds_far_too_wide_do_not_loosen_the_proof(method):
    """A minimum is within the range of what is known, whatever is allowed beyond it."""
    rng = np.random.default_rng(0)
    image = rng.random((12, 12)).cumsum(axis=0)
    mask = rng.random(image.shape) < 0.4
    wide, narrow = (Inpainter(method, bounds=each).fit(image, mask=mask).solution_ for each in ((-1e7, 1e7), None))
    assert wide.n_iter == narrow.n_iter
    assert wide.gap == pytest.approx(narrow.gap, rel=1e-3, abs=1e-12)


@pytest.mark.filterwarnings("ignore::skinpaint.ConvergenceWarning")
@pytest.mark.parametrize("known", [(slice(None, None, 8), slice(None, None, 8)), (slice(8), slice(8))])
def test_lines_in_which_all_is_missing_do_not_end_the_search_far_from_the_minimum(known, rng):
    """Their norms may vanish, and then weights become too large for single precision."""
    mask = np.ones((32, 32), bool)
    mask[known] = False
    assert Reweighted().solve(Problem.from_image(rng.random(mask.shape), mask)).gap < 5e-5


def test_steps_that_are_slow_by_themselves_take_few_cycles(monkeypatch, rng):
    """Of total variation the gap falls by some per cent a step, to whatever residual a system is solved."""
    improve, cycles = System.improve, []

    def counted(self, *args, **settings):
        cycles.append(improve(self, *args, **settings))
        return cycles[-1]

    monkeypatch.setattr(System, "improve", counted)
    shape = (24, 24)
    problem = Problem.from_image(rng.random(shape), rng.random(shape) < 0.9)
    solution = Reweighted(energy="total_variation").solve(problem)
    assert solution.reason is Reason.CONVERGED
    assert sum(n_iter for n_iter, _ in cycles) < 5 * solution.n_iter
