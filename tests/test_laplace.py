"""The closed form: against its definition, and the laws of a harmonic fill."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from skinpaint import ConvergenceWarning, Inpainter, Laplace, inpaint
from skinpaint.grid.harmonic.direct import MAX_RESIDUAL
from skinpaint.problem import Problem


def dense_solution(x, mask, lags, spacing):
    """Solve the definition with dense matrices built edge by edge."""
    number = np.arange(x.size).reshape(x.shape)
    L = np.zeros((x.size, x.size))
    for index in np.ndindex(x.shape):
        for axis, h in enumerate(spacing):
            for lag in lags:
                other = list(index)
                other[axis] += lag
                if other[axis] < x.shape[axis]:
                    i, j = number[index], number[tuple(other)]
                    L[i, i] += h**-2
                    L[j, j] += h**-2
                    L[i, j] -= h**-2
                    L[j, i] -= h**-2
    U, K = mask.ravel(), ~mask.ravel()
    out = x.ravel().copy()
    out[U] = np.linalg.solve(L[np.ix_(U, U)], -L[np.ix_(U, K)] @ out[K])
    return out.reshape(x.shape)


@st.composite
def problems(draw):
    shape = draw(array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    image = rng.random(shape)
    mask = rng.random(shape) < draw(st.floats(0.05, 0.95))
    mask.flat[rng.integers(mask.size)] = False
    return image, mask


@given(problems(), st.sampled_from([(1,), (1, 2)]), st.sampled_from(["multigrid", "direct"]))
def test_equals_the_dense_definition(case, lags, solver):
    image, mask = case
    spacing = (1.0, 0.5, 3.0)[: image.ndim]
    problem = Problem.from_image(image, mask, spacing=spacing)
    if problem.trivial:
        return
    solution = Laplace(lags=lags, solver=solver, tol=1e-12).solve(problem)
    exact = dense_solution(problem.values[..., 0], mask, lags, spacing)
    np.testing.assert_allclose(solution.values[..., 0], exact, rtol=0, atol=1e-9)
    assert solution.converged
    assert solution.residual <= 1e-12


@given(problems(), st.sampled_from([(1,), (1, 2)]))
def test_maximum_principle_before_clipping(case, lags):
    image, mask = case
    problem = Problem.from_image(image, mask)
    if not problem.trivial:
        values = Laplace(lags=lags, tol=1e-12).solve(problem).values
        assert values.min() >= -1e-9
        assert values.max() <= 1 + 1e-9


def test_a_plane_is_continued_exactly_inside():
    y, x = np.mgrid[:12, :15]
    plane = 2.0 * y - 3.0 * x
    mask = np.zeros(plane.shape, bool)
    mask[3:9, 4:11] = True
    np.testing.assert_allclose(inpaint(plane, mask, method=Laplace(tol=1e-12)), plane, atol=1e-9)


def test_energy_is_that_of_the_answer():
    image = np.array([0.0, np.nan, np.nan, 3.0])
    inpainter = Inpainter(method="laplace").fit(image)
    assert inpainter.solution_.energy == pytest.approx(3 * (1 / 3) ** 2)
    np.testing.assert_allclose(inpainter.restored_, [0, 1, 2, 3])


def test_the_callback_is_called_once():
    calls = []
    image = np.array([0.0, np.nan, 2.0])
    inpaint(image, method="laplace", callback=lambda record, restore: calls.append((record.n_iter, restore())))
    assert len(calls) == 1
    np.testing.assert_allclose(calls[0][1], [0, 1, 2])


@pytest.mark.parametrize("setting", [{"solver": "magic"}, {"lags": (2,)}])
def test_settings_check_themselves(setting):
    name = next(iter(setting))
    with pytest.raises(ValueError, match=f"The '{name}' parameter of Laplace must be .* Got"):
        Laplace(**setting)


@pytest.mark.parametrize(
    ("shape", "lags"),
    [((300_000,), (1,)), ((1_000_000,), (1,)), ((100_000,), (1, 2)), ((3, 100_000), (1,)), ((3, 3, 20_000), (1,))],
)
def test_gaps_too_long_for_single_precision(shape, lags):
    image = np.random.default_rng(0).random(shape)
    mask = np.zeros(shape, bool)
    mask[..., 20:-20] = True
    inpainter = Inpainter(Laplace(lags=lags)).fit(image, mask=mask)
    assert inpainter.converged_
    assert inpainter.solution_.residual <= 1e-6


@pytest.mark.parametrize("shape", [(10_000,), (1_000_000,), (3, 100_000)])
def test_a_long_gap_is_bridged_by_a_straight_line(shape):
    image, mask = np.ones(shape) * np.random.default_rng(0).random(shape[-1]), np.zeros(shape, bool)
    mask[..., 20:-20] = True
    filled = inpaint(image, mask, method="laplace")
    line = np.linspace(image[..., 19], image[..., -20], shape[-1] - 38, axis=-1)
    np.testing.assert_allclose(filled[..., 19:-19], line, rtol=0, atol=1e-12)


def test_what_broke_down_is_not_called_solved():
    image = np.random.default_rng(0).random(1_000_000)
    mask = np.zeros(image.shape, bool)
    mask[20:-20] = True
    inpainter = Inpainter(Laplace(solver="multigrid", lags=(1, 2)))
    with pytest.warns(ConvergenceWarning, match="Not solved.*solver='direct'"):
        inpainter.fit(image, mask=mask)
    assert not inpainter.converged_
    assert not inpainter.solution_.residual <= 1e-6


def test_the_status_names_the_solvers_and_the_residual(rng):
    image, mask = rng.random((60, 70, 3)), np.zeros((60, 70, 3), bool)
    mask[..., 0], mask[10:20, 10:20, 1] = rng.random((60, 70)) < 0.8, True
    solution = Inpainter("laplace", channel_axis=-1).fit(image, mask=mask).solution_
    assert f"{solution.residual:.1g}" in solution.status
    assert solution.status.startswith("Solved by a factorisation and by multigrid. The relative residual is ")


def test_narrow_holes_are_factorised_and_wide_ones_are_not(rng):
    mask = np.zeros((400, 500), bool)
    mask[::20, ::20] = mask[50, :] = True
    narrow = Inpainter(Laplace(solver="multigrid")).fit(rng.random(mask.shape), mask=mask).solution_
    assert narrow.status.startswith("Solved by a factorisation. The relative residual is ")
    assert narrow.n_iter <= 2
    mask[200:350, 200:350] = True
    both = Inpainter("laplace").fit(rng.random(mask.shape), mask=mask).solution_
    assert both.status.startswith("Solved by a factorisation and by multigrid.")


def test_what_a_factorisation_cannot_hold_is_not_called_solved(rng):
    with pytest.warns(
        ConvergenceWarning, match=r"Not solved: the relative residual is .*, above tol 1e-18. Raise tol.$"
    ):
        inpainter = Inpainter(Laplace(solver="direct", tol=1e-18)).fit(
            rng.random((9, 9)), mask=rng.random((9, 9)) < 0.5
        )
    assert not inpainter.converged_


@pytest.mark.parametrize("accuracies", [(1e-9, np.nan), (np.nan, 1e-9)])
def test_an_accuracy_that_is_no_number_is_not_called_solved(accuracies, monkeypatch, rng):
    monkeypatch.setattr(Laplace, "direct", lambda *_: [(1, accuracy, "direct") for accuracy in accuracies])
    mask = rng.random((9, 9)) < 0.5
    with pytest.warns(ConvergenceWarning, match="Not solved: the relative residual is nan"):
        inpainter = Inpainter("laplace", channel_axis=-1).fit(rng.random((9, 9, 2)), mask=mask)
    assert not inpainter.converged_


def test_the_way_out_of_factors_is_the_exact_factorisation(rng):
    mask = np.zeros((400, 500), bool)
    mask[::20, ::20] = True
    with pytest.warns(ConvergenceWarning, match=r"above tol 1e-18. Raise tol or use Laplace\(solver='direct'\)\.$"):
        Inpainter(Laplace(solver="multigrid", tol=1e-18)).fit(rng.random(mask.shape), mask=mask)


def test_halves_are_rounded_the_same_by_every_solver():
    rng = np.random.default_rng(0)
    image, mask = rng.integers(0, 256, (90, 90), dtype=np.uint8), rng.random((90, 90)) < 0.3
    a, b = (inpaint(image, mask, method=Laplace(solver=solver)) for solver in ("multigrid", "direct"))
    assert np.array_equal(a, b)


@pytest.mark.parametrize("rows", [3, 70])  # so little is missing that it is listed, or not
def test_where_multigrid_fails_the_fill_that_methods_start_from_is_right(rows):
    """Pixels along a row are ten thousand times as close as the rows: weights differ by more than single precision."""
    y, x = np.indices((120, 80)) / 10
    mask = np.zeros(x.shape, bool)
    mask[1 : 1 + rows] = mask[100:102] = True
    problem = Problem.from_image(np.sin(x) + y, mask, spacing=(1e4, 1.0))
    assert problem.sparse == (rows == 3)
    found = problem.harmonic().values[:, 0] if problem.sparse else problem.fill()[mask][:, 0]
    expected = Laplace(solver="direct").solve(problem).values
    np.testing.assert_allclose(found, np.asarray(expected)[mask][:, 0], rtol=0, atol=1e-6)
    with pytest.warns(ConvergenceWarning, match="Not solved"):
        residual = Laplace(solver="multigrid").solve(problem).residual
    assert not residual <= MAX_RESIDUAL
