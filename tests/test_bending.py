"""The engine of fourth order: its Galerkin products, transfers and cycles against dense linear algebra."""

import numpy as np
import pytest

from skinpaint.grid.biharmonic.kernels import PROLONG, RESTRICT
from skinpaint.grid.biharmonic.multigrid import BiharmonicSystem, Stencils, Transfer, ahead, smoothing
from skinpaint.grid.jit import KNOWN, OUTSIDE, UNKNOWN
from skinpaint.grid.layout import Layout
from skinpaint.grid.matrix import laplacian

SHAPES = [(200,), (21, 16), (7, 8, 9), (3, 60), (1, 150)]


def state_of(shape, fraction=0.8):
    return np.where(np.random.default_rng(1).random(shape) < fraction, np.uint8(UNKNOWN), np.uint8(KNOWN))


def dense(level: Stencils) -> np.ndarray:
    """The matrix of a level between all entries of its grid."""
    at, A = level.matrix()
    inside = level.layout.inner(np.arange(level.inverse.size)).ravel()
    place = np.searchsorted(inside, at)
    out = np.zeros((inside.size, inside.size))
    out[np.ix_(place, place)] = A
    return out


def solve_system(system, values, **settings):
    x = system.layout.flatten(values)
    return system.layout.inner(x), *system.improve(x, **settings)


def interpolation(transfer: Transfer) -> np.ndarray:
    """Kronecker product of the interpolations along the axes."""
    P = np.ones((1, 1))
    for n, N in zip(transfer.fine.shape, transfer.coarse.shape, strict=True):
        centres = np.arange(N) if n == N else 2 * np.arange(N) + 0.5
        lines = np.array([np.interp(np.arange(n), centres, unit) for unit in np.eye(N)]).T
        P = np.kron(P, lines)
    return P


@pytest.mark.parametrize("shape", SHAPES)
def test_the_finest_level_is_the_square_of_the_laplacian(shape):
    state, spacing = state_of(shape), (1.0, 0.7, 2.0)[: len(shape)]
    L, _ = laplacian(np.ones(shape, bool), (1,), spacing)
    unknown = (state == UNKNOWN).ravel()
    expected = (L @ L).toarray() * np.outer(unknown, unknown) * min(spacing) ** 4
    np.testing.assert_allclose(dense(BiharmonicSystem(state, spacing).levels[0]), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 0.4, 0.7), (3.0, 1.0, 0.5)])
@pytest.mark.parametrize("shape", SHAPES)
def test_coarse_levels_are_galerkin_products(shape, spacing):
    system = BiharmonicSystem(state_of(shape), spacing[: len(shape)])
    assert len(system.levels) > 1
    for fine, coarse, transfer in zip(system.levels, system.levels[1:], system.transfers, strict=False):
        P = interpolation(transfer)
        expected = P.T @ dense(fine) @ P
        np.testing.assert_allclose(dense(coarse), expected, rtol=0, atol=1e-14 * np.abs(expected).max() * P.shape[0])


@pytest.mark.parametrize("coarse", [(11, 8), (21, 8), (11, 16)])
def test_transfers_are_linear_interpolation_and_its_transpose(coarse):
    transfer = Transfer(Layout((21, 16), 2), Layout(coarse, 2))
    P, rng = interpolation(transfer), np.random.default_rng(0)
    vectors = ahead(2, 2)
    level = Stencils(transfer.fine, (1.0, 1.0), vectors, np.ones((len(vectors) + 1, transfer.fine.zeros().size)))
    (b, x, d, y), (coarse_b, coarse_x) = (
        [layout.zeros(float) for _ in range(n)] for layout, n in ((transfer.fine, 4), (transfer.coarse, 2))
    )
    transfer.coarse.inner(coarse_x)[...] = rng.random(coarse)
    transfer.fine.inner(d)[...] = rng.random(transfer.fine.shape)
    work = (level, transfer, (0.0, 0.0, 0.0), (b, x, d, y), (coarse_b, coarse_x))
    transfer.fine.sweep(smoothing([PROLONG], *work), smoothing([RESTRICT], *work))
    np.testing.assert_allclose(
        transfer.fine.inner(x).ravel(), P @ transfer.coarse.inner(coarse_x).ravel(), rtol=0, atol=1e-14
    )
    np.testing.assert_allclose(
        transfer.coarse.inner(coarse_b).ravel(), P.T @ transfer.fine.inner(d).ravel(), rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_cycle_is_symmetric_and_positive(shape):
    """Both are what conjugate gradients ask of a preconditioner; planted faults in the smoother break them."""
    state = state_of(shape)
    system, rng = BiharmonicSystem(state, (1.0,) * len(shape)), np.random.default_rng(0)
    layout = system.layout

    def cycle(b):
        flat, x, d, y = (layout.zeros(float) for _ in range(4))
        layout.inner(flat)[...] = b
        system.cycle(flat, x, d, y)
        return layout.inner(x)

    a, b = (np.where(state == UNKNOWN, rng.standard_normal(shape), 0.0) for _ in range(2))
    Ma, Mb = cycle(a), cycle(b)
    assert np.vdot(a, Mb) == pytest.approx(np.vdot(Ma, b), rel=1e-9)
    assert np.vdot(a, Ma) > 0
    assert (Ma[state != UNKNOWN] == 0).all()


def test_what_is_outside_is_not_there():
    """Two grids side by side with a gap of two answer as each does alone."""
    rng = np.random.default_rng(0)
    state = np.full((30, 42), OUTSIDE, np.uint8)
    state[:, :20], state[:, 22:] = state_of((30, 20)), state_of((30, 20))[::-1]
    values = rng.random(state.shape)
    together, _, _ = solve_system(BiharmonicSystem(state, (1.0, 1.0)), values, tol=1e-11, max_iter=100)
    for part in (np.s_[:, :20], np.s_[:, 22:]):
        alone, _, _ = solve_system(BiharmonicSystem(state[part], (1.0, 1.0)), values[part], tol=1e-11, max_iter=100)
        np.testing.assert_allclose(together[part], alone, rtol=0, atol=1e-9)


@pytest.mark.parametrize("side", [50, 100, 200, 400])
def test_the_number_of_iterations_does_not_grow_with_the_hole(side):
    state = np.full((side + 4, side + 4), KNOWN, np.uint8)
    state[2:-2, 2:-2] = UNKNOWN
    values = np.random.default_rng(0).random(state.shape)
    _, n_iter, error = solve_system(BiharmonicSystem(state, (1.0, 1.0)), values, tol=1e-8, max_iter=100)
    assert error <= 1e-8
    assert n_iter <= 15
