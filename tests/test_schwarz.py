"""Chunk by chunk is as exact as at once: the Schwarz passes against the solver in memory, as plain functions."""

import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

from skinpaint.grid.harmonic import schwarz
from skinpaint.grid.harmonic.coarse import CoarseSystem
from skinpaint.grid.harmonic.fill import Canvas, Harmonic
from skinpaint.grid.harmonic.schwarz import Grid, assemble, iterate, measure, residual, solve_chunk, total
from skinpaint.grid.hats import Hats, add_up
from skinpaint.grid.matrix import laplacian


def even(shape, side):
    return tuple(tuple(min(side, n - start) for start in range(0, n, side)) for n in shape)


def fill(image, mask, grid, *, tol=1e-6, most=30):
    """The loop over passes with everything in memory: the filled image, and what is known after each pass."""
    x = np.where(mask, image[~mask].min(), image).astype(float)
    rings = [(c, grid.ring(c.core)) for c in grid]

    def misfit():
        return total(grid, ((c.core, measure(grid, c.core, x[ring], mask[ring])) for c, ring in rings))

    def sweep(correction):
        nonlocal x
        new, changes = np.empty_like(x), []
        for c in grid:
            around = correction[grid.hats.around(c.window)]
            new[c.core], change = solve_chunk(grid, c, x[c.window], mask[c.window], around)
            changes.append(change)
        x = new
        return misfit(), max(changes)

    stencil = add_up(grid.hats, (assemble(grid, c.core, mask[ring]) for c, ring in rings))
    start = misfit()
    passes = list(
        iterate(stencil, start, start.square**0.5, sweep, tol=tol, max_error=5 * tol * np.ptp(image), most=most)
    )
    return x, passes


def exact(image, mask, grid):
    L_UU, L_UK = laplacian(mask, grid.lags, grid.steps)
    x = image.astype(float)
    x[mask] = spsolve(L_UU, -(L_UK @ image[~mask]))
    return x


def random(shape, share, rng):
    mask = rng.random(shape) < share
    mask.flat[0] = False
    return mask


GRIDS = [
    Grid(((300,),)),
    Grid(even((301,), 40)),
    Grid(even((301,), 40), lags=(1, 2)),
    Grid(even((90, 110), 37)),
    Grid(even((90, 110), 32), lags=(1, 2)),  # chunks that end where a hat begins
    Grid(((50, 17, 23), (110,)), spacing=(1.0, 2.5)),
    Grid(((64, 64), (64, 64)), lags=(1, 2), spacing=(0.3, 0.1)),
    Grid(even((21, 30, 17), 12), spacing=(3.0, 1.0, 1.0)),
    Grid(even((21, 24, 17), 8), lags=(1, 2)),
    Grid(((1,), (40, 41), (1,))),
]


@pytest.mark.parametrize("grid", GRIDS, ids=str)
class TestEveryGrid:
    def test_the_limit_is_the_exact_fill(self, grid, rng):
        image, mask = rng.random(grid.shape), random(grid.shape, 0.9, rng)
        x, passes = fill(image, mask, grid, tol=1e-11)
        np.testing.assert_allclose(x, exact(image, mask, grid), atol=1e-9)
        np.testing.assert_array_equal(x[~mask], image[~mask])
        assert passes[-1].residual <= 1e-11

    def test_the_coarse_matrix_is_that_of_galerkin(self, grid, rng):
        for mask in (random(grid.shape, 0.7, rng), np.ones(grid.shape, bool)):
            mask.flat[0] = False
            hats, everything = grid.hats, tuple(slice(0, n) for n in grid.shape)
            stencil = add_up(hats, (assemble(grid, c.core, mask[grid.ring(c.core)]) for c in grid))
            c = rng.random(hats.nodes)
            r = np.zeros(grid.shape)
            r[mask] = laplacian(mask, grid.lags, grid.steps)[0] @ hats.prolong(c, everything)[mask]
            np.testing.assert_allclose(CoarseSystem(stencil).apply(c), hats.restrict(r, everything), atol=1e-9)

    def test_the_residual_is_that_of_the_matrix_in_every_chunk(self, grid, rng):
        x, mask = rng.random(grid.shape), random(grid.shape, 0.7, rng)
        L_UU, L_UK = laplacian(mask, grid.lags, grid.steps)
        want = np.zeros(grid.shape)
        want[mask] = -(L_UU @ x[mask]) - L_UK @ x[~mask]
        for c in grid:
            ring = grid.ring(c.core)
            np.testing.assert_allclose(residual(grid, c.core, x[ring], mask[ring]), want[c.core], atol=1e-9)

    def test_restriction_is_the_transpose_of_interpolation_in_every_part(self, grid, rng):
        for c in grid:
            nodes = rng.random([s.stop - s.start for s in grid.hats.around(c.core)])
            pixels = rng.random([s.stop - s.start for s in c.core])
            there, back = grid.hats.prolong(nodes, c.core), grid.hats.restrict(pixels, c.core)
            assert np.vdot(there, pixels) == pytest.approx(np.vdot(nodes, back))


def test_hats_sum_to_one_and_are_linear():
    hats, box = Hats((50, 40), 16), (slice(7, 33), slice(0, 40))
    ones = np.ones([s.stop - s.start for s in hats.around(box)])
    np.testing.assert_allclose(hats.prolong(ones, box), 1)
    y, x = np.indices(hats.nodes) * 16.0
    rows, columns = np.indices(hats.shape)
    np.testing.assert_allclose(hats.prolong((2 * y - x)[hats.around(box)], box), (2 * rows - columns)[box], atol=1e-12)


def test_a_hole_that_every_chunk_sees_as_a_whole_is_exact_after_one_pass(rng, monkeypatch):
    monkeypatch.setattr(schwarz, "LOCAL_REDUCTION", 1e-12)
    image, mask = rng.random((100, 100)), np.zeros((100, 100), bool)
    mask[40:60, 30:45] = True  # the chunks meet at 50, and overlap by 16 pixels on each side
    grid = Grid(((50, 50), (50, 50)))
    x, passes = fill(image, mask, grid, most=1)
    np.testing.assert_allclose(x, exact(image, mask, grid), atol=1e-9)
    assert len(passes) == 1


def three_corners(n):
    mask = np.ones((n, n), bool)
    mask[0, 0] = mask[-1, -1] = mask[0, -1] = False
    return mask


def labyrinth(n, rng):
    mask = np.ones((n, n), bool)
    mask[::24] = False
    for i in range(0, n, 24):
        mask[i, rng.integers(0, n - 3) :][:3] = True
    return mask


def hole(n):
    mask = np.zeros((n, n), bool)
    mask[n // 9 : -n // 9, n // 9 : -n // 9] = True
    return mask


@pytest.mark.parametrize("lags", [(1,), (1, 2)])
@pytest.mark.parametrize("name", ["random", "hole", "three corners", "0.05 % known", "labyrinth"])
def test_the_passes_are_few(name, lags, rng):
    n = 384
    mask = {
        "random": lambda: random((n, n), 0.9, rng),
        "hole": lambda: hole(n),
        "three corners": lambda: three_corners(n),
        "0.05 % known": lambda: random((n, n), 0.9995, rng),
        "labyrinth": lambda: labyrinth(n, rng),
    }[name]()
    rows, columns = np.indices((n, n)) / n
    image = np.sin(3 * rows + 1) * np.cos(5 * columns)
    grid = Grid(even((n, n), 128), lags)
    x, passes = fill(image, mask, grid)
    assert passes[-1].residual <= 1e-6
    assert len(passes) <= (5 if name in ("random", "labyrinth", "hole") else 8)
    canvas = Canvas(Harmonic(image.shape, lags, (1.0, 1.0)), 1)
    canvas.values[..., 0] = image
    canvas.solve(mask, [0], 1e-11)
    assert np.abs(x - canvas.values[..., 0]).max() < 1e-5 * np.ptp(image)


def test_the_passes_do_not_grow_with_the_image(rng):
    counts = []
    for n in (192, 768):
        image, mask = rng.random((n, n)), three_corners(n)
        _, passes = fill(image, mask, Grid(even((n, n), 96)))
        counts.append(len(passes))
    assert counts[1] <= counts[0] + 1 <= 7


def test_without_the_coarse_grid_a_hole_stalls(rng, monkeypatch):
    """The law above fails where a part of the method is taken away."""
    monkeypatch.setattr(CoarseSystem, "solve", lambda self, b, tol: np.zeros(b.shape))
    image = rng.random((384, 384))
    _, passes = fill(image, hole(384), Grid(even((384, 384), 64)), most=12)
    assert passes[-1].residual > 1e-4


def test_chunks_without_known_pixels_and_without_missing_ones(rng):
    image, mask = rng.random((120, 120)), np.zeros((120, 120), bool)
    mask[:80, :80] = True  # four chunks know nothing, and some miss nothing
    grid = Grid(even((120, 120), 40))
    x, _ = fill(image, mask, grid, tol=1e-10)
    np.testing.assert_allclose(x, exact(image, mask, grid), atol=1e-8)


def test_nothing_to_do_is_no_pass():
    image, mask = np.full((40, 40), 3.0), hole(40)
    assert fill(image, mask, Grid(even((40, 40), 20)))[1] == []
