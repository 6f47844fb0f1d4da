"""The engine: its operator is the definition's, its cycle is a preconditioner, and its residual tells the truth."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from skinpaint import Inpainter, Laplace, damage, inpaint
from skinpaint.grid.harmonic import factors, kernels, kernels_checkerboard, kernels_points, multigrid
from skinpaint.grid.harmonic.factors import Factors
from skinpaint.grid.harmonic.multigrid import HarmonicSystem, Multigrid
from skinpaint.grid.harmonic.points import PointSystem
from skinpaint.grid.jit import KNOWN, OUTSIDE, UNKNOWN
from skinpaint.grid.matrix import laplacian
from skinpaint.grid.points import Points
from skinpaint.problem import Problem

SHAPES = [(40,), (7, 9), (5, 4, 6), (3, 4, 3, 5)]
LAGS = [(1,), (1, 2)]
WEIGHTS = ["scalar", "edges", "lines"]


def some_state(shape, rng, missing=0.7, outside=0.0):
    """States at random, the first entry known, so that the matrix is definite wherever the grid is connected."""
    state = np.where(rng.random(shape) < missing, UNKNOWN, KNOWN).astype(np.uint8)
    state[rng.random(shape) < outside] = OUTSIDE
    state.flat[0] = KNOWN
    return state


def some_weights(kind, shape, terms, rng):
    if kind == "scalar":
        return tuple(float(w) for w in rng.uniform(0.2, 2, len(terms)))
    if kind == "edges":
        return tuple(rng.uniform(0.2, 2, shape) for _ in terms)
    return tuple(rng.uniform(0.2, 2, [1 if k == axis else n for k, n in enumerate(shape)]) for axis, _ in terms)


def dense(state, terms, weights, shift):
    """The matrix of all entries, edge by edge; weights lie at the lower ends."""
    number = np.arange(state.size).reshape(state.shape)
    A = np.diag(np.broadcast_to(shift, state.shape).ravel().astype(float))
    for (axis, lag), weight in zip(terms, weights, strict=True):
        w = np.broadcast_to(weight, state.shape)
        for index in np.ndindex(state.shape):
            other = (*index[:axis], index[axis] + lag, *index[axis + 1 :])
            if other[axis] < state.shape[axis] and OUTSIDE not in (state[index], state[other]):
                i, j = number[index], number[other]
                A[[i, j], [i, j]] += w[index]
                A[[i, j], [j, i]] -= w[index]
    return A


def solve_system(system, values, **settings):
    """Return the solution for an image and a first guess, with what `improve` returns."""
    x = system.layout.flatten(values)
    return system.layout.inner(x), *system.improve(x, **settings)


def cycle_matrix(system):
    """What one cycle does to each unit vector of an unknown."""
    inverse = system.inverse() if isinstance(system, HarmonicSystem) else system.level.inverse
    at = np.flatnonzero(inverse > 0)
    columns = []
    for i in at:
        system.preconditioner.b.fill(0)
        system.preconditioner.b[i] = 1
        system.preconditioner.cycle()
        columns.append(system.preconditioner.x[at].astype(float))
    return np.column_stack(columns)


def check_preconditioner(system, A):
    """Symmetric, positive definite, and close to the inverse of `A`: what conjugate gradients ask for."""
    M = cycle_matrix(system)
    scale = np.abs(M).max()
    assert np.abs(M - M.T).max() < 1e-5 * scale, "the cycle is not symmetric"
    assert np.linalg.eigvalsh((M + M.T) / 2).min() > 0, "the cycle is not positive definite"
    spread = np.sort(np.linalg.eigvals(M @ A).real)
    assert spread[-1] < 5 * spread[0], f"the cycle leaves a condition number of {spread[-1] / spread[0]:.2g}"


def check_residual(values, mask, said):
    """What the solver says of its residual is what SciPy finds from the definition."""
    L_UU, L_UK = laplacian(mask, (1,), (1.0,) * mask.ndim)
    b = -(L_UK @ values[~mask])
    found = np.linalg.norm(b - L_UU @ values[mask]) / np.linalg.norm(b)
    assert said == pytest.approx(found, rel=1e-3)
    beyond = ndimage.laplace(values, mode="nearest")[mask]  # the rim, repeated, has no differences across the border
    assert said == pytest.approx(np.linalg.norm(beyond) / np.linalg.norm(b), rel=1e-3)


def solve(image, mask, *, spacing=None, **settings):
    return Inpainter(Laplace(solver="multigrid", **settings), spacing=spacing).fit(image, mask=mask).solution_


def hole(shape, margin):
    mask = np.zeros(shape, bool)
    mask[(slice(margin, -margin),) * len(shape)] = True
    return mask


@pytest.fixture
def _no_factors(monkeypatch):
    """Lists get multigrid, too."""
    monkeypatch.setattr(factors, "MAX_MEAN_SQUARE", 0)


@pytest.fixture
def _many_levels(monkeypatch, _no_factors):
    """Small grids and lists get a hierarchy, too."""
    monkeypatch.setattr(multigrid, "COARSEST_ENTRIES", 8)


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("lags", LAGS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.usefixtures("_many_levels")
def test_solves_the_dense_definition(shape, lags, kind, rng):
    terms = tuple((axis, lag) for axis in range(len(shape)) for lag in lags)
    state, weights = some_state(shape, rng), some_weights(kind, shape, terms, rng)
    shift = 0.7 if kind == "scalar" else rng.uniform(0, 2, shape)
    A = dense(state, terms, weights, shift)
    U, K = (state == UNKNOWN).ravel(), (state == KNOWN).ravel()
    x = rng.random(shape)
    b = -A[np.ix_(U, K)] @ x.ravel()[K]
    exact = np.linalg.solve(A[np.ix_(U, U)], b)

    system = HarmonicSystem(state, terms, weights, shift)
    assert len(system.preconditioner.levels) > 1
    values, n_iter, residual = solve_system(system, x, tol=1e-12, max_iter=60)
    assert n_iter < 60
    assert residual <= 1e-12
    np.testing.assert_allclose(values.ravel()[U], exact, rtol=0, atol=1e-10)

    # From the guess alone: the residual of `x`, which no cycle has touched.
    _, none, untouched = solve_system(system, x, tol=1e-12, max_iter=0)
    assert none == 0
    expected = np.linalg.norm(b - A[np.ix_(U, U)] @ x.ravel()[U]) / np.linalg.norm(b)
    assert untouched == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("lags", LAGS)
def test_edges_do_not_leave_the_image(lags, rng):
    terms = tuple((axis, lag) for axis in range(2) for lag in lags)
    state = some_state((9, 8), rng, missing=0.6, outside=0.2)
    A = dense(state, terms, (1.0,) * len(terms), 0.1)
    U, K = (state == UNKNOWN).ravel(), (state == KNOWN).ravel()
    x = rng.random(state.shape)
    exact = np.linalg.solve(A[np.ix_(U, U)], -A[np.ix_(U, K)] @ x.ravel()[K])
    values, *_ = solve_system(HarmonicSystem(state, terms, (1.0,) * len(terms), 0.1), x, tol=1e-12, max_iter=60)
    np.testing.assert_allclose(values.ravel()[U], exact, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["scalar", "edges"])
@pytest.mark.parametrize("lags", LAGS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.usefixtures("_many_levels")
def test_a_cycle_is_symmetric_and_positive_definite(shape, lags, kind, rng):
    check_preconditioner(*some_system(shape, lags, kind, rng))


def some_system(shape, lags, kind, rng):
    terms = tuple((axis, lag) for axis in range(len(shape)) for lag in lags)
    state, weights = some_state(shape, rng), some_weights(kind, shape, terms, rng)
    U = (state == UNKNOWN).ravel()
    return HarmonicSystem(state, terms, weights), dense(state, terms, weights, 0.0)[np.ix_(U, U)]


def stretched_the_wrong_way(monkeypatch):
    monkeypatch.setattr(multigrid, "OVERCORRECTION", {1: -1.8, 2: -1.2})


def restricted_in_part(monkeypatch):
    whole = kernels.smooth

    def smooth(*args):
        whole(*args)
        if kernels.RESTRICT in args[6]:
            args[-2][::2] = 0

    monkeypatch.setattr(kernels, "smooth", smooth)


def relaxed_forth_only(monkeypatch):
    whole = kernels.smooth

    def smooth(*args):
        passes = np.sort(args[6]) if kernels.PROLONG in args[6] else args[6]
        whole(*args[:6], passes, *args[7:])

    monkeypatch.setattr(kernels, "smooth", smooth)


@pytest.mark.parametrize("plant", [stretched_the_wrong_way, restricted_in_part, relaxed_forth_only])
@pytest.mark.usefixtures("_many_levels")
def test_a_broken_cycle_is_caught(plant, monkeypatch, rng):
    plant(monkeypatch)
    with pytest.raises(AssertionError, match="the cycle"):
        check_preconditioner(*some_system((7, 9), (1,), "edges", rng))


@pytest.mark.parametrize("lags", LAGS)
@pytest.mark.parametrize("shape", [(500,), (30, 40), (12, 10, 14)], ids=str)
def test_weights_of_one_are_no_weights(shape, lags, rng):
    terms = tuple((axis, lag) for axis in range(len(shape)) for lag in lags)
    state, x = some_state(shape, rng, missing=0.9), rng.random(shape)
    numbers, *_ = solve_system(HarmonicSystem(state, terms, (1.0,) * len(terms)), x, tol=1e-8, max_iter=30)
    ones = HarmonicSystem(state, terms, (np.ones(shape),) * len(terms), np.zeros(shape))
    arrays, *_ = solve_system(ones, x, tol=1e-8, max_iter=30)
    np.testing.assert_allclose(numbers, arrays, rtol=0, atol=1e-8)


@pytest.mark.parametrize("lags", LAGS)
def test_weights_of_lines_are_spread_over_their_edges(lags, rng):
    shape = (30, 40)
    terms = tuple((axis, lag) for axis in range(2) for lag in lags)
    state, x, lines = some_state(shape, rng), rng.random(shape), some_weights("lines", shape, terms, rng)
    spread = tuple(np.broadcast_to(w, shape).copy() for w in lines)
    one, other = (solve_system(HarmonicSystem(state, terms, w), x, tol=1e-8, max_iter=30)[0] for w in (lines, spread))
    assert one.tobytes() == other.tobytes()


def test_the_solution_as_a_guess_takes_no_cycle(rng):
    state, x, terms = some_state((60, 70), rng, missing=0.9), rng.random((60, 70)), ((0, 1), (1, 1))
    system = HarmonicSystem(state, terms, (1.0, 2.0), 0.3)
    first, n_iter, residual = solve_system(system, x, tol=1e-7, max_iter=30)
    again, none, same = solve_system(system, first, tol=1e-7, max_iter=30)
    assert (n_iter > 0, none, same) == (True, 0, residual)
    assert again.tobytes() == first.tobytes()


@pytest.mark.parametrize("tol", [1e-6, 1e-10])
@pytest.mark.parametrize("shape", [(5000,), (150, 200), (30, 40, 50)], ids=str)
@pytest.mark.parametrize("kind", ["random", "hole"])
def test_the_residual_reported_is_the_residual(kind, shape, tol, rng):
    mask = rng.random(shape) < 0.9 if kind == "random" else hole(shape, 5)
    image = rng.random(shape)
    image[~mask] -= image[~mask].min()
    image[~mask] /= image[~mask].max()  # the problem's own units
    solution = solve(image, mask, tol=tol)
    assert solution.converged
    assert solution.residual <= tol
    check_residual(solution.values[..., 0], mask, solution.residual)


def test_a_residual_that_flatters_is_caught(monkeypatch, rng):
    true = HarmonicSystem.improve

    def flatter(self, *args, **settings):
        return true(self, *args, **settings)[0], 1e-9

    monkeypatch.setattr(HarmonicSystem, "improve", flatter)
    mask = rng.random((60, 70)) < 0.9
    solution = solve(rng.random(mask.shape), mask)
    with pytest.raises(AssertionError):
        check_residual(solution.values[..., 0], mask, solution.residual)


TRIALS = {
    "random": ((300, 300), lambda shape, rng: rng.random(shape) < 0.9),
    "hole": ((300, 300), lambda shape, rng: hole(shape, 60)),
    "volume": ((48, 48, 48), lambda shape, rng: rng.random(shape) < 0.5),
    "volume-hole": ((48, 48, 48), lambda shape, rng: hole(shape, 8)),
    "signal": ((20_000,), lambda shape, rng: rng.random(shape) < 0.9),
    "gap": ((5000,), lambda shape, rng: hole(shape, 20)),
}


@pytest.mark.parametrize("lags", LAGS)
@pytest.mark.parametrize("trial", TRIALS)
def test_fifteen_cycles_are_enough(trial, lags, rng):
    shape, make = TRIALS[trial]
    solution = solve(rng.random(shape), make(shape, rng), lags=lags)
    assert solution.converged
    assert solution.n_iter <= 15


@pytest.mark.parametrize("lags", LAGS)
def test_a_larger_hole_takes_no_more_cycles(lags, rng, monkeypatch):
    monkeypatch.setattr("skinpaint.grid.holes.FEW_UNKNOWNS", 0)  # small holes are solved as large ones are
    taken = []
    for side in (32, 64, 128, 256, 512):
        shape = (side + 40,) * 2
        taken.append(solve(rng.random(shape), hole(shape, 20), lags=lags).n_iter)
    assert max(taken) <= taken[0] + 1


def visits(known, lags, rng):
    """Which levels are visited once, and how many cycles this takes; and how many if all are visited twice."""
    terms = tuple((axis, lag) for axis in range(known.ndim) for lag in lags)
    system = HarmonicSystem(np.where(known, KNOWN, UNKNOWN).astype(np.uint8), terms, (1.0,) * len(terms))
    image, preconditioner = rng.random(known.shape), system.preconditioner
    once = [not twice for twice in preconditioner.twice]
    cycles = []
    for twice in (preconditioner.twice, [True] * len(once)):
        preconditioner.twice = twice
        _, n_iter, residual = solve_system(system, image, tol=1e-6, max_iter=60)
        cycles.append(n_iter if residual <= 1e-6 else np.inf)
    return once, *cycles


def check_visits(period, lags, rng):
    known = np.zeros((420, 380), bool)
    known[period // 2 :: period, period // 3 :: period] = True
    once, cycles, all_twice = visits(known, lags, rng)
    assert any(once) or period > 4, "no level is visited once"
    assert cycles <= all_twice + 2, f"{cycles} cycles instead of {all_twice}"


@pytest.mark.parametrize("lags", LAGS)
@pytest.mark.parametrize("period", [2, 3, 4, 5, 6, 8, 10, 13])
def test_one_visit_is_enough_where_known_pixels_are_dense(period, lags, rng):
    """Nothing is random in a grid of known pixels, so errors on coarse levels add up. A cycle costs two thirds."""
    check_visits(period, lags, rng)


def test_too_few_visits_are_noticed(monkeypatch, rng):
    monkeypatch.setattr(multigrid, "LEAST_SURPLUS", 0.2)
    with pytest.raises(AssertionError, match=r"\d+ cycles instead of"):
        check_visits(6, (1,), rng)


@pytest.mark.parametrize(("period", "lost"), [(4, 2), (10, 9)])
def test_a_cycle_that_is_not_positive_definite_is_replaced(period, lost, monkeypatch, rng):
    """Levels that are visited once too often make the steps break down; then all are visited twice."""
    monkeypatch.setattr(multigrid, "LEAST_SURPLUS", 0)
    known = np.zeros((420, 380), bool)
    known[::period, ::period] = True
    once, cycles, all_twice = visits(known, (1,), rng)
    assert all(once)
    assert 0 < cycles - all_twice <= lost


def check_checkerboard(shape, monkeypatch, rng):
    """A cycle is the same without halves of rows."""
    monkeypatch.setattr(multigrid, "MIN_LAYERS", 0)
    monkeypatch.setattr(multigrid, "LEAST_SURPLUS", np.inf)  # all levels are visited twice
    terms, weights = tuple((axis, 1) for axis in range(len(shape))), (0.7, 0.8, 1.0)[-len(shape) :]
    state, cycles = some_state(shape, rng, missing=0.8), []
    b = rng.normal(size=shape) * (state == UNKNOWN)
    for halves in (True, False):
        if not halves:
            monkeypatch.setattr(multigrid.Level, "halves", False)
        system = HarmonicSystem(state, terms, weights)
        assert all(level.halves == halves for level in system.preconditioner.levels[:-1])
        for _ in range(2):  # what the first one leaves behind does not matter
            cycle = system.layout.flatten(b, np.float32)
            system.cycle(cycle)
        cycles.append(system.layout.inner(cycle))
    np.testing.assert_allclose(*cycles, rtol=0, atol=1e-6 * np.abs(cycles[1]).max())


@pytest.mark.parametrize("shape", [(401,), (402,), (33, 20), (20, 33), (61, 62), (62, 61), (15, 10, 17), (7, 6, 8)])
def test_halves_of_rows_change_no_cycle(shape, monkeypatch, rng):
    check_checkerboard(shape, monkeypatch, rng)


@pytest.mark.parametrize("shape", [(33, 20), (61, 62)])
def test_rows_that_are_not_in_halves_are_seen(shape, monkeypatch, rng):
    smooth = kernels_checkerboard.smooth

    def natural(*args):
        """Do not lay out what is laid out once and for all."""
        if args[6].size > 1:
            smooth(*args)

    monkeypatch.setattr(kernels_checkerboard, "smooth", natural)
    with pytest.raises(AssertionError, match="Mismatched elements"):
        check_checkerboard(shape, monkeypatch, rng)


@pytest.mark.parametrize(("missing", "at_most"), [(0.5, 2), (0.9, 5)])  # 6 and 8 with one sweep over the finest level
def test_random_pixels_take_few_cycles_with_one_visit(missing, at_most, rng, monkeypatch):
    monkeypatch.setattr(multigrid.Multigrid, "insist", lambda self: pytest.fail("no step broke down"))
    once, cycles, all_twice = visits(rng.random((300, 320)) > missing, (1,), rng)
    assert once.count(True) >= 3
    assert cycles <= min(all_twice + 1, at_most)


@pytest.mark.parametrize("shape", [(75, 40), (75, 8, 9), (80, 200, 165)])
def test_few_or_large_layers_are_swept_once(shape, rng):
    """Many passes would leave one band to two threads, or would not stay in the cache."""
    state = np.where(rng.random(shape) < 0.5, UNKNOWN, KNOWN).astype(np.uint8)
    system = HarmonicSystem(state, tuple((axis, 1) for axis in range(len(shape))), (1.0,) * len(shape))
    assert not all(system.preconditioner.twice)
    assert len(system.preconditioner.down[0][0].args[2]) == 3


def test_levels_of_a_large_hole_are_visited_twice(rng):
    once, *_ = visits(~hole((200, 200), 20), (1,), rng)
    assert not any(once)


def test_levels_of_edges_that_weigh_differently_are_visited_twice(rng):
    known = rng.random((60, 64)) < 0.6
    state, terms = np.where(known, KNOWN, UNKNOWN).astype(np.uint8), ((0, 1), (1, 1))
    for weights, twice in (((1.0, 1.0), False), (tuple(1 + rng.random((2, *known.shape))), True)):
        assert all(HarmonicSystem(state, terms, weights).preconditioner.twice) == twice


@pytest.mark.parametrize("spacing", [(1, 1, 5), (5, 1, 1), (1, 10), (10, 1), (1, 100)], ids=str)
@pytest.mark.parametrize("kind", ["random", "hole"])
def test_unequal_spacing_takes_no_more_cycles(kind, spacing, rng):
    shape = (36,) * 3 if len(spacing) == 3 else (200, 200)
    mask = rng.random(shape) < 0.9 if kind == "random" else hole(shape, 4)
    image = rng.random(shape)
    solution = solve(image, mask, spacing=spacing)
    assert solution.converged
    assert solution.n_iter <= 15
    assert solution.values.min() >= -1e-6
    assert solution.values.max() <= 1 + 1e-6


@pytest.mark.parametrize("lags", [(1,), (1, 2)], ids=str)
def test_unknowns_that_are_all_alone_are_coarsened_too(lags, rng):
    """A lattice of single pixels has no edges between unknowns; a dense inverse of it would take hours."""
    mask = np.zeros((300, 300), bool)
    mask[1::3, 1::3] = True
    image = rng.random(mask.shape)
    system = HarmonicSystem(np.where(mask, UNKNOWN, KNOWN).astype(np.uint8), ((0, 1), (1, 1)), (1.0, 1.0))
    assert system.preconditioner.at.size <= multigrid.COARSEST_ENTRIES
    solution = Laplace(solver="multigrid", lags=lags).solve(Problem.from_image(image, mask))
    assert solution.n_iter <= 3
    if lags == (1,):
        problem = Problem.from_image(image, mask)
        scaled = problem.values[..., 0]
        around = (scaled[:-2, 1:-1] + scaled[2:, 1:-1] + scaled[1:-1, :-2] + scaled[1:-1, 2:]) / 4
        np.testing.assert_allclose(
            solution.values[1:-1, 1:-1, 0][mask[1:-1, 1:-1]], around[mask[1:-1, 1:-1]], atol=1e-6
        )


def galerkin_product(fine, coarse):
    """Return ``P^T A P`` by blocks, from the definition, and the coarse matrix, both on the coarse unknowns."""
    at, A = fine.matrix()
    at_coarse, C = coarse.matrix()
    blocks = tuple(i >> h for i, h in zip(np.indices(fine.layout.shape), fine.halved, strict=True))
    parent = np.zeros(fine.inverse.size, int)
    fine.layout.inner(parent)[...] = coarse.layout.inner(np.arange(coarse.inverse.size))[blocks]
    P = (parent[at][:, None] == at_coarse).astype(float)
    return P.T @ A @ P, C


@pytest.mark.parametrize("stretched", [1, 2, 5, 30])
@pytest.mark.parametrize("edges", [False, True])
@pytest.mark.parametrize("lags", LAGS)
@pytest.mark.parametrize("shape", [(400,), (12, 20), (30, 25), (8, 9, 10), (5, 6, 7, 6)])
def test_coarse_matrices_are_galerkin_products(shape, lags, edges, stretched, rng):
    """An axis of wider spacing waits to be halved, and must keep its edges of lag 2 as long as it does."""
    terms = tuple((axis, lag) for axis in range(len(shape)) for lag in lags)
    weights = tuple(
        (1 / stretched**2 if axis == 0 else 1.0) * (rng.uniform(0.5, 1.5, shape) if edges else 1.0) for axis, _ in terms
    )
    system = HarmonicSystem(some_state(shape, rng, missing=0.8), terms, weights)
    finest = multigrid.Level(system.layout, terms, system.level.table, system.inverse(), system.level.surplus)
    levels = [finest]  # those of the preconditioner are laid out for its kernels
    while len(levels) < len(system.preconditioner.levels):
        levels.append(levels[-1].coarsen())
    assert len(levels) > 1
    for fine, coarse in pairwise(levels):
        product, C = galerkin_product(fine, coarse)
        np.testing.assert_allclose(C, product, rtol=0, atol=1e-5 * np.abs(product).max())
        assert np.linalg.eigvalsh(C).min() > 0


def test_a_wrong_coarse_matrix_is_seen(rng):
    fine, coarse = HarmonicSystem(some_state((30, 25), rng), ((0, 1), (1, 1)), (1.0, 1.0)).preconditioner.levels[:2]
    coarse.weights[0][...] *= 0.9
    product, C = galerkin_product(fine, coarse)
    assert np.abs(C - product).max() > 1e-2


def listed_system(mask, terms, weights, unknown=None):
    """The system of weights at lower ends, on a list."""
    lags = tuple(sorted({lag for _, lag in terms}))
    points = Points.listed(np.flatnonzero(mask), mask.shape, lags)
    at = np.concatenate([points.at, points.halo])
    edges = np.zeros(points.neighbours.shape)
    for k, direction in enumerate(points.directions):
        weight = np.broadcast_to(weights[terms.index(direction)], mask.shape).ravel()
        j = points.neighbours[:, k]
        edges[:, k] = np.where(j >= 0, weight[points.at if k % 2 == 0 else at[j]], 0)

    def gradient(x):
        return (edges * (x[: points.unknowns, None] - x[points.neighbours])).sum(axis=1)

    unknown = None if unknown is None else unknown.ravel()[points.at]
    return at, PointSystem(points, edges.astype(np.float32), gradient, unknown)


@pytest.mark.parametrize("kind", ["scalar", "edges"])
@pytest.mark.parametrize("lags", LAGS)
@pytest.mark.parametrize(("shape", "missing"), [((60,), 0.6), ((11, 12), 0.3), ((9, 10), 0.95), ((5, 6, 4), 0.5)])
@pytest.mark.parametrize(("loaded", "factored"), [(False, False), (True, False), (True, True)])
def test_a_list_equals_the_grid_and_the_dense_definition(shape, missing, lags, kind, loaded, factored, rng, request):
    if not factored:
        request.getfixturevalue("_many_levels")
    terms = tuple((axis, lag) for axis in range(len(shape)) for lag in lags)
    mask, weights = rng.random(shape) < missing, some_weights(kind, shape, terms, rng)
    mask.flat[0] = False
    state = np.where(mask, UNKNOWN, KNOWN).astype(np.uint8)
    A, U, x = dense(state, terms, weights, 0.0), mask.ravel(), rng.random(shape)
    load = 10 * rng.standard_normal(shape) * loaded
    exact = np.linalg.solve(A[np.ix_(U, U)], load.ravel()[U] - A[np.ix_(U, ~U)] @ x.ravel()[~U])

    at, system = listed_system(mask, terms, weights)
    assert isinstance(system.preconditioner, Factors) if factored else len(system.preconditioner.levels) > 1
    flat = system.layout.flatten(x.ravel()[at])
    given = {"load": system.layout.flatten(load.ravel()[at])} if loaded else {}
    n_iter, residual = system.improve(flat, tol=1e-12, max_iter=60, **given)
    assert n_iter < (8 if factored else 60)
    assert residual <= 1e-12
    found = x.copy()
    found.ravel()[at[: U.sum()]] = system.layout.inner(flat)
    np.testing.assert_allclose(found.ravel()[U], exact, rtol=0, atol=1e-10)

    grid = HarmonicSystem(state, terms, weights)
    flat = grid.layout.flatten(x)
    grid.improve(flat, tol=1e-12, max_iter=60, **({"load": grid.layout.flatten(load)} if loaded else {}))
    np.testing.assert_allclose(found, grid.layout.inner(flat), rtol=0, atol=1e-10)


def small_list(rng, shape=(11, 12), lags=(1,), missing=0.8):
    terms = tuple((axis, lag) for axis in range(len(shape)) for lag in lags)
    mask, weights = rng.random(shape) < missing, some_weights("edges", shape, terms, rng)
    mask.flat[0] = False
    at, system = listed_system(mask, terms, weights)
    A = dense(np.where(mask, UNKNOWN, KNOWN), terms, weights, 0.0)
    some = at[: system.layout.size]
    return system, A[np.ix_(some, some)]


@pytest.mark.parametrize("lags", LAGS)
@pytest.mark.parametrize("shape", [(60,), (11, 12), (5, 6, 4)])
@pytest.mark.usefixtures("_many_levels")
def test_a_cycle_on_a_list_is_symmetric_and_positive_definite(shape, lags, rng):
    check_preconditioner(*small_list(rng, shape, lags))


def check_factors(system, A):
    """As good as the inverse, in single precision."""
    assert isinstance(system.preconditioner, Factors)
    exact = np.linalg.inv(A)
    np.testing.assert_allclose(cycle_matrix(system), exact, rtol=0, atol=1e-5 * np.abs(exact).max())


@pytest.mark.parametrize("lags", LAGS)
@pytest.mark.parametrize("missing", [0.3, 0.8])
@pytest.mark.parametrize("shape", [(60,), (11, 12), (5, 6, 4), (3, 2, 3, 4)])
def test_factors_are_those_of_the_matrix(shape, missing, lags, rng):
    check_factors(*small_list(rng, shape, lags, missing))


@pytest.mark.parametrize("fault", ["a row is too short", "an edge is forgotten", "one way only"])
def test_wrong_factors_are_seen(fault, monkeypatch, rng):
    order, assemble, substitute = factors.kernels.order, factors.kernels.assemble, factors.substitute

    def shorter(*args):
        count, first = order(*args), args[-1]
        first[args[-2][count] - 1] += 1
        return count

    def without(*args):
        weights = args[8].copy()
        weights[:, 0] = 0
        assemble(*args[:8], weights, *args[9:])

    def halfway(*args):
        x = args[-1]
        substitute(*args)
        x[:, : x.shape[1] // 2] = args[-2][:, : x.shape[1] // 2]

    name, replacement = {
        "a row is too short": ("kernels.order", shorter),
        "an edge is forgotten": ("kernels.assemble", without),
        "one way only": ("substitute", halfway),
    }[fault]
    monkeypatch.setattr(f"skinpaint.grid.harmonic.factors.{name}", replacement)
    with pytest.raises(AssertionError):
        check_factors(*small_list(rng))


def test_rows_are_short_enough_for_factors_or_multigrid_takes_over(monkeypatch):
    mask = np.zeros((60, 60), bool)
    mask[5:50, 5:30] = mask[55, :] = True
    terms = ((0, 1), (1, 1))
    _, system = listed_system(mask, terms, (1.0, 1.0))
    lengths = np.diff(system.preconditioner.ends, prepend=0)
    assert lengths.max() <= 2 + 25  # the shorter side
    mean = np.square(lengths, dtype=float).mean()
    for most, expected in ((mean * 1.01, Factors), (mean * 0.99, Multigrid), (mean * 0.1, Multigrid)):
        monkeypatch.setattr(factors, "MAX_MEAN_SQUARE", most)
        assert isinstance(listed_system(mask, terms, (1.0, 1.0))[1].preconditioner, expected)


def test_factors_of_a_matrix_that_single_precision_cannot_hold_are_survived():
    mask = np.arange(40) % 39 > 0
    at, system = listed_system(mask, ((0, 1),), (np.where(np.arange(40) % 2 == 0, 1e8, 1.0),))
    assert isinstance(system.preconditioner, Factors)
    flat = system.layout.flatten(np.linspace(0, 1, 40)[at])
    _, residual = system.improve(flat, tol=1e-6, max_iter=100)
    assert residual >= 0
    assert np.isfinite(flat).all()


@pytest.mark.usefixtures("_many_levels")
def test_a_cycle_that_restricts_in_part_is_noticed(monkeypatch, rng):
    whole = kernels_points.restrict

    def restrict(*args):
        whole(*args)
        args[-1][: args[-2] // 2] = 0

    monkeypatch.setattr(kernels_points, "restrict", restrict)
    with pytest.raises(AssertionError, match=r"not symmetric|condition number"):
        check_preconditioner(*small_list(rng))


@pytest.mark.usefixtures("_many_levels")
def test_what_is_known_in_one_system_stays_and_is_no_neighbour_of_the_unknown(rng):
    terms = ((0, 1), (1, 1))
    mask = rng.random((12, 13)) < 0.6
    mask[0, 0], unknown = False, mask & (rng.random(mask.shape) < 0.5)
    x = rng.random(mask.shape)
    at, system = listed_system(mask, terms, (1.0, 2.0), unknown)
    flat = system.layout.flatten(x.ravel()[at])
    system.improve(flat, tol=1e-12, max_iter=60)
    found = x.copy()
    found.ravel()[at[: mask.sum()]] = system.layout.inner(flat)
    assert np.array_equal(found[~unknown], x[~unknown])
    A, U = dense(np.where(unknown, UNKNOWN, KNOWN), terms, (1.0, 2.0), 0.0), unknown.ravel()
    exact = np.linalg.solve(A[np.ix_(U, U)], -A[np.ix_(U, ~U)] @ x.ravel()[~U])
    np.testing.assert_allclose(found[unknown], exact, rtol=0, atol=1e-10)


@pytest.mark.parametrize("lags", LAGS)
@pytest.mark.parametrize("side", [40, 160, 400])
@pytest.mark.parametrize("kind", ["hole", "scratches", "both"])
@pytest.mark.usefixtures("_no_factors")
def test_iterations_on_lists_do_not_grow(kind, side, lags, rng):
    mask = np.zeros((side, side), bool)
    if kind != "scratches":
        mask[side // 4 : -side // 4, side // 4 : -side // 4] = True
    if kind != "hole":
        mask |= damage.scratches(np.zeros(mask.shape), count=8, width=3, rng=1)[1]
    terms = tuple((axis, lag) for axis in range(2) for lag in lags)
    at, system = listed_system(mask, terms, (1.0,) * len(terms))
    flat = system.layout.flatten(rng.random(mask.shape).ravel()[at])
    n_iter, residual = system.improve(flat, tol=1e-6, max_iter=40)
    assert residual <= 1e-6
    assert n_iter <= 11


@pytest.mark.usefixtures("_no_factors")
def test_thin_holes_have_few_levels():
    mask = np.zeros((2000, 60), bool)
    mask[:, 20:23] = True
    _, system = listed_system(mask, ((0, 1), (1, 1)), (1.0, 1.0))
    assert len(system.preconditioner.levels) <= 4


@pytest.mark.parametrize(("rows", "columns", "first", "last"), [(2, 5000, 0, 4997), (4, 30000, 7500, 22500)])
@pytest.mark.parametrize("listed", [False, True])
def test_long_thin_gaps_are_solved(rows, columns, first, last, listed, rng):
    """The smallest eigenvalue is below the rounding error of a matrix entry in single precision."""
    mask = np.zeros((rows, columns), bool)
    mask[:, first:last] = True
    image = rng.random(mask.shape)
    terms = (0, 1), (1, 1)
    if listed:
        at, system = listed_system(mask, terms, (1.0, 1.0))
        flat = system.layout.flatten(image.ravel()[at])
    else:
        system = HarmonicSystem(np.where(mask, UNKNOWN, KNOWN).astype(np.uint8), terms, (1.0, 1.0))
        flat = system.layout.flatten(image)
    system.guess(flat)
    n_iter, residual = system.improve(flat, tol=1e-6, max_iter=100)
    assert residual <= 1e-6
    assert n_iter <= 14
    found = system.layout.inner(flat)
    assert image.min() - 1e-3 < found.min()
    assert found.max() < image.max() + 1e-3


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.usefixtures("_no_factors")
def test_coarse_matrices_stay_definite_whatever_the_weights(listed, rng):
    """They are weighted Laplacians: a positive surplus on the diagonal, which holds the edges to known entries."""
    mask = np.ones((6, 700), bool)
    mask[:, [0, -1]] = False
    terms = (0, 1), (1, 1)
    weights = [10.0 ** rng.uniform(-5, 5, mask.shape) for _ in terms]
    if listed:
        _, system = listed_system(mask, terms, weights)
    else:
        system = HarmonicSystem(np.where(mask, UNKNOWN, KNOWN).astype(np.uint8), terms, tuple(weights))
    levels = system.preconditioner.levels
    assert len(levels) > 3
    for level in levels[1:]:
        assert (level.surplus() >= 0).all()
        assert level.surplus().sum() > 0
    _, A = levels[-1].matrix()
    size = np.sqrt(np.diag(A))
    assert np.linalg.eigvalsh(A / np.outer(size, size)).min() > 0


@pytest.mark.usefixtures("_many_levels")
def test_pairs_that_hang_together_strongly_keep_their_weak_edges():
    """Nothing is subtracted from the diagonal of such a pair, in a list as on a grid."""
    mask = np.arange(40) % 39 > 0
    strong = np.where(np.arange(40) % 2 == 0, 1e8, 1.0)
    at, system = listed_system(mask, ((0, 1),), (strong,))
    coarse = system.preconditioner.levels[1]
    assert (coarse.layout.inner(coarse.inverse) == 0.5).all()
    flat = system.layout.flatten(np.linspace(0, 1, 40)[at])
    _, residual = system.improve(flat, tol=1e-6, max_iter=100)
    assert residual <= 1e-6
    assert np.isfinite(flat).all()


def test_numpy_may_raise_whatever_it_can():
    rng = np.random.default_rng(0)
    image = rng.random((700, 620)).cumsum(0)
    with np.errstate(all="raise"):
        restored = inpaint(image, rng.random(image.shape) < 0.4, method="laplace")
    assert np.isfinite(restored).all()
