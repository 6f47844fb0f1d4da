"""The direct solver of fourth order: its matrix, its factors and its errors against dense linear algebra."""

from threading import get_ident

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from scipy.linalg import block_diag
from scipy.sparse.linalg import splu

from skinpaint.grid import threads
from skinpaint.grid.biharmonic import direct
from skinpaint.grid.biharmonic.direct import Factors, solve
from skinpaint.grid.biharmonic.parts import Parts, TooWide

SPACINGS = (1.0, 0.5, 3.0, 10.0)


@st.composite
def systems(draw):
    """A mask and a spacing, for up to 4 axes."""
    shape = draw(array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5).filter(lambda s: 1 < np.prod(s) < 130))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    mask = rng.random(shape) < draw(st.floats(0.05, 1.0))
    mask.flat[rng.permutation(mask.size)[:2]] = False, True
    return mask, tuple(rng.choice(SPACINGS, mask.ndim))


def columns(mask, spacing, dtype=float):
    """The columns U of L, edge by edge; the shortest spacing is the unit."""
    number = np.arange(mask.size).reshape(mask.shape)
    L = np.zeros((mask.size, mask.size), dtype)
    for axis, h in enumerate(spacing):
        w = (dtype(min(spacing)) / dtype(h)) ** 2
        one, other = (np.delete(number, end, axis).ravel() for end in (-1, 0))
        np.add.at(L, (one, one), w)
        np.add.at(L, (other, other), w)
        np.add.at(L, (one, other), -w)
        np.add.at(L, (other, one), -w)
    return L[:, mask.ravel()], L


def assembled(parts):
    """The whole matrix, the unknowns in C order."""
    A = block_diag(*(parts.matrix(k).toarray() for k in range(parts.sizes.size)))
    order = np.argsort(parts.pixels)
    return A[np.ix_(order, order)]


@settings(max_examples=50)
@given(systems())
def test_the_matrix_is_the_square_of_the_laplacian(system):
    mask, spacing = system
    B, _ = columns(mask, spacing)
    np.testing.assert_allclose(assembled(Parts(mask, spacing)), B.T @ B, rtol=1e-14, atol=1e-14)


def test_a_wrong_entry_is_seen():
    parts = Parts(np.arange(36).reshape(6, 6) % 5 > 1, (1.0, 1.0))
    B, _ = columns(np.arange(36).reshape(6, 6) % 5 > 1, (1.0, 1.0))
    parts.constant = parts.constant * (1 + 1e-12)
    assert not np.allclose(assembled(parts), B.T @ B, rtol=1e-14, atol=1e-14)


@settings(max_examples=50)
@given(systems())
def test_parts_are_the_blocks_of_the_matrix(system):
    mask, spacing = system
    parts, (B, _) = Parts(mask, spacing), columns(mask, spacing)
    assert sorted(parts.pixels) == np.flatnonzero(mask).tolist()
    A = (B.T @ B)[np.ix_(*2 * [np.searchsorted(np.flatnonzero(mask), parts.pixels)])]
    coupled = A != 0
    of = np.repeat(np.arange(parts.sizes.size), parts.sizes)
    assert not coupled[of[:, None] != of].any()
    assert (parts.lengths == np.arange(1, len(A) + 1) - coupled.argmax(axis=1)).all()
    reached = np.linalg.matrix_power(coupled.astype(float), len(A)) > 0
    assert reached[of[:, None] == of].all()


def triangles(factors, of):
    """The factors of the parts that are not SuperLU's, as one lower triangle with its diagonal."""
    L = np.zeros(2 * [factors.ends.size])
    for i, (end, length) in enumerate(zip(factors.ends, of.lengths, strict=True)):
        L[i, i + 1 - length : i + 1] = factors.entries[end - length : end]
        L[i, i] = 1 / L[i, i]
    return L


@settings(max_examples=50)
@given(systems())
def test_both_factorisations_give_the_triangle_of_the_matrix(system):
    mask, spacing = system
    parts, (B, _) = Parts(mask, spacing), columns(mask, spacing)
    B = B[:, np.searchsorted(np.flatnonzero(mask), parts.pixels)]
    factors = Factors(parts)
    cholesky = triangles(factors, parts)
    np.testing.assert_allclose(cholesky @ cholesky.T, B.T @ B, rtol=0, atol=1e-14 * np.abs(B.T @ B).max())
    factors.orthogonalise(np.ones(parts.sizes.size, bool))
    orthogonal = triangles(factors, parts)
    np.testing.assert_allclose(orthogonal @ orthogonal.T, B.T @ B, rtol=0, atol=1e-14 * np.abs(B.T @ B).max())
    assert not factors.cholesky.any()


def truth(x, mask, spacing):
    """The solution in extended precision: dense, by refinement with residuals of that precision."""
    U = mask.ravel()
    B, L = columns(mask, spacing, np.longdouble)
    inverse = np.linalg.inv((B.T @ B).astype(float))
    out = np.where(U, 0, x.ravel()).astype(np.longdouble)
    for _ in range(20):
        out[U] -= inverse @ (B.T @ (L @ out)).astype(float)
    return out.reshape(x.shape)


@settings(max_examples=50)
@pytest.mark.skipif(np.finfo(np.longdouble).eps >= np.finfo(float).eps, reason="there is no extended precision here")
@given(systems(), st.integers(0, 2**32), st.sampled_from([1e-8, 1e-12]))
def test_the_error_is_at_most_what_is_claimed(system, seed, tol):
    mask, spacing = system
    x = np.random.default_rng(seed).random(mask.shape)
    values = x[..., None].copy()
    n_iter, error = solve(Parts(mask, spacing), values, [0], tol=tol, max_iter=20)
    assert np.abs(values[..., 0] - truth(x, mask, spacing)).max() <= error
    assert error <= max(tol, 1e-11)
    assert n_iter <= 4
    np.testing.assert_array_equal(values[..., 0][~mask], x[~mask])


def test_superlu_takes_over_where_rows_are_long(monkeypatch, rng):
    mask = rng.random((40, 50)) < 0.5
    values = rng.random((40, 50, 3))
    ours, theirs, parts = values.copy(), values.copy(), Parts(mask, (1.0, 0.7))
    solve(parts, ours, [0, 2], tol=1e-8, max_iter=9)
    monkeypatch.setattr(direct, "MAX_MEAN_SQUARE", 100)
    assert 0 < Factors(parts).short.size < parts.sizes.size
    solve(parts, theirs, [0, 2], tol=1e-8, max_iter=9)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)
    assert (ours[..., 1] == values[..., 1]).all()
    assert (ours[..., 0] != values[..., 0]).any()


def cubic(n, known):
    """The cubic through (-2, -1, n, n + 1) at 0 ... n - 1, in extended precision."""
    at, i = np.array([-2, -1, n, n + 1], np.longdouble), np.arange(n, dtype=np.longdouble)
    total = np.zeros(n, np.longdouble)
    for k, value in enumerate(known):
        others = np.delete(at, k)
        total += np.longdouble(value) * np.prod([(i - j) / (at[k] - j) for j in others], axis=0)
    return total


@pytest.mark.parametrize(("rows", "n"), [(1, 100), (1, 10_000), (1, 300_000), (3, 30_000)])
@pytest.mark.parametrize("kind", ["rough", "smooth"])
def test_a_gap_is_filled_by_the_cubic_through_its_ends(rows, n, kind, rng):
    known = rng.random(4) if kind == "rough" else np.sin(np.array([-2, -1, n, n + 1]) / n)
    values = np.concatenate([known[:2], np.full(n, 0.5), known[2:]]) * np.ones((rows, 1))
    mask = np.zeros((rows, n + 4), bool)
    mask[:, 2:-2] = True
    n_iter, error = solve(Parts(mask, (1.0, 1.0)), values[..., None], [0], tol=1e-8, max_iter=20)
    exact = cubic(n, known)
    assert np.abs(values[:, 2:-2] - exact).max() <= error + 1e-15 * np.abs(exact).max()
    assert error <= 1e-8
    assert n_iter <= 7


def test_gaps_a_pixel_apart_are_solved_together(rng):
    mask = np.ones(30_000, bool)
    mask[[0, 1, 9, 5000, 5001, 5003, 20_000, -1]] = False
    values = rng.random((mask.size, 2))
    _, error = solve(Parts(mask, (1.0,)), values, [0, 1], tol=1e-8, max_iter=20)
    assert error <= 1e-8
    bent = np.diff(values, 2, axis=0)  # L x but for its sign, inside
    fourth = np.diff(bent, 2, axis=0)
    assert np.abs(fourth[mask[2:-2]]).max() <= 1e-15 * np.abs(values).max() * 16


@pytest.mark.parametrize("fault", [np.nan, 3.0], ids=["not a number", "growing"])
def test_what_does_not_converge_says_so_and_leaves_numbers(fault, monkeypatch, rng):
    monkeypatch.setattr(Factors, "substitute", lambda self, b, correct=Factors.substitute: fault * correct(self, b))
    values, mask = rng.random((20, 30, 1)), rng.random((20, 30)) < 0.5
    _, error = solve(Parts(mask, (1.0, 1.0)), values, [0], tol=1e-8, max_iter=20)
    assert error > 1e-8
    assert np.isfinite(values).all()


@pytest.mark.parametrize("limit", [direct.MAX_MEAN_SQUARE, 100], ids=["own factors", "SuperLU's too"])
def test_the_same_bytes_for_any_number_of_threads(limit, monkeypatch, rng):
    mask, values = rng.random((100, 90)) < 0.28, rng.random((100, 90, 3))
    monkeypatch.setattr(direct, "MAX_MEAN_SQUARE", limit)
    monkeypatch.setattr(threads, "MIN_SHARED_ENTRIES", 1)
    answers, made = set(), []
    monkeypatch.setattr(
        "scipy.sparse.linalg.splu", lambda *given, **named: made.append(get_ident()) or splu(*given, **named)
    )
    for count in (1, 2, 8):
        monkeypatch.setattr(threads, "workers", lambda count=count: count)
        monkeypatch.setattr(threads, "_threads", [])
        out = values.copy()
        solve(Parts(mask, (1.0, 1.0)), out, [0, 1, 2], tol=1e-8, max_iter=20)
        answers.add(out.tobytes())
    assert len(answers) == 1
    assert set(made) <= {get_ident()}, "SciPy frees the factors of SuperLU in the thread alone that made them"
    assert bool(made) == (limit == 100)


def test_a_part_that_is_too_wide_is_not_ordered():
    mask = np.ones((60, 60), bool)
    work = Parts(mask, (1.0, 1.0)).work.max()
    with pytest.raises(TooWide):
        Parts(mask, (1.0, 1.0), work / 5)
    assert Parts(mask, (1.0, 1.0), work).work.max() == work
