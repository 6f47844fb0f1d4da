"""The closed form of fourth order: against its definition, scikit-image, and the laws of a biharmonic fill."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from scipy import ndimage
from skimage.restoration import inpaint_biharmonic as peer

from skinpaint import Biharmonic, Inpainter, inpaint
from skinpaint.grid.biharmonic.direct import Factors
from skinpaint.problem import Problem


def dense_solution(x, mask, spacing):
    """Minimise |L x| over the missing pixels, L a dense matrix built edge by edge."""
    number = np.arange(x.size).reshape(x.shape)
    L = np.zeros((x.size, x.size))
    for axis, h in enumerate(spacing):
        one, other = (np.delete(number, end, axis).ravel() for end in (-1, 0))
        np.add.at(L, (one, one), h**-2)
        np.add.at(L, (other, other), h**-2)
        np.add.at(L, (one, other), -(h**-2))
        np.add.at(L, (other, one), -(h**-2))
    U = mask.ravel()
    out = x.ravel().copy()
    out[U] = np.linalg.lstsq(L[:, U], -L[:, ~U] @ out[~U], rcond=None)[0]
    return out.reshape(x.shape)


@st.composite
def problems(draw):
    shape = draw(array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    image = rng.random(shape)
    mask = rng.random(shape) < draw(st.floats(0.05, 0.95))
    mask.flat[rng.integers(mask.size)] = False
    return image, mask


@given(problems(), st.sampled_from(["multigrid", "direct"]))
def test_equals_the_dense_definition(case, solver):
    image, mask = case
    spacing = (1.0, 0.5, 3.0)[: image.ndim]
    problem = Problem.from_image(image, mask, spacing=spacing)
    if problem.trivial:
        return
    solution = Biharmonic(solver=solver, tol=1e-10).solve(problem)
    exact = dense_solution(problem.values[..., 0], mask, spacing)
    np.testing.assert_allclose(solution.values[..., 0], exact, rtol=0, atol=1e-9 * np.abs(exact).max())
    assert solution.converged


def smooth(*shape):
    """A random walk along every axis, in [0, 1]."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal(shape)
    for axis in range(len(shape)):
        x = np.cumsum(x, axis)
    return (x - x.min()) / np.ptp(x)


def scattered(fraction, *shape, seed=4):
    return np.random.default_rng(seed).random(shape) < fraction


def box(shape, *slices):
    mask = np.zeros(shape, bool)
    mask[slices] = True
    return mask


def several_holes():
    """Discs, some at the border, some a pixel or two apart, and a line that leaves the image."""
    y, x = np.mgrid[:150, :170]
    mask = np.zeros(y.shape, bool)
    for i, j, r in [(0, 0, 9), (40, 60, 12), (40, 86, 12), (149, 100, 20), (90, 169, 7), (100, 20, 1), (100, 23, 1)]:
        mask |= (y - i) ** 2 + (x - j) ** 2 <= r * r
    mask[70, 100:] = True
    return mask


MASKS = {
    "half": scattered(0.5, 60, 50),
    "nine of ten": scattered(0.9, 60, 50),
    "all but one of a hundred": scattered(0.99, 60, 50),
    "hole": box((70, 60), slice(10, 60), slice(12, 50)),
    "edge": box((50, 40), slice(20), slice(None)),
    "corner": box((50, 40), slice(25, None), slice(15, None)),
    "several holes": several_holes(),
    "signal": scattered(0.6, 200),
    "volume": scattered(0.8, 14, 15, 16),
    "thin": scattered(0.5, 2, 100),
}


@pytest.mark.parametrize("solver", ["multigrid", "direct"])
@pytest.mark.parametrize("name", MASKS)
def test_equals_scikit_image_before_clipping(name, solver):
    """Rows at -9 and 9 that no missing pixel sees keep both from clipping."""
    mask = np.pad(MASKS[name], [(0, 4)] + [(0, 0)] * (MASKS[name].ndim - 1))
    image = np.pad(smooth(*MASKS[name].shape), [(0, 4)] + [(0, 0)] * (mask.ndim - 1), mode="edge")
    image[-1], image[-2] = -9, 9
    expected = peer(image, mask)
    assert expected[mask].min() > -9
    assert expected[mask].max() < 9
    np.testing.assert_allclose(inpaint(image, mask, method=Biharmonic(solver=solver)), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("channel_axis", [0, -1])
def test_equals_scikit_image_in_colour(channel_axis):
    image = np.moveaxis(np.stack([smooth(50, 60), smooth(60, 50).T ** 2, 1 - smooth(50, 60)]), 0, channel_axis)
    mask = scattered(0.8, 50, 60)
    restored = inpaint(image, mask, method="biharmonic", channel_axis=channel_axis)
    np.testing.assert_allclose(restored, peer(image, mask, channel_axis=channel_axis), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "mask",
    [
        scattered(0.9, 120, 130),
        scattered(0.995, 120, 130),
        box((140, 150), slice(10, 130), slice(10, 140)),
        box((140, 150), slice(None), slice(60, None)),
        several_holes(),
        scattered(0.9, 22, 23, 24),
        box((22, 23, 24), slice(4, 18), slice(4, 18), slice(4, 18)),
    ],
    ids=["scattered", "sparse", "hole", "open", "several holes", "volume", "hole in a volume"],
)
def test_multigrid_stops_when_the_error_is_what_it_says(mask):
    problem = Problem.from_image(smooth(*mask.shape), mask)
    exact = Biharmonic(solver="direct").solve(problem).values
    for tol in (1e-4, 1e-6, 1e-8):
        solution = Biharmonic(solver="multigrid", tol=tol).solve(problem)
        assert solution.converged
        assert np.abs(solution.values - exact).max() <= tol + 1e-8  # the factorisation's own error
        assert solution.n_iter <= 18


@pytest.mark.parametrize("spacing", [(1.0, 3.0), (1.0, 0.1)])
def test_anisotropic_grids_need_few_iterations(spacing):
    mask = scattered(0.9, 120, 130)
    problem = Problem.from_image(smooth(*mask.shape), mask, spacing=spacing)
    exact = Biharmonic(solver="direct").solve(problem).values
    solution = Biharmonic(solver="multigrid").solve(problem)
    np.testing.assert_allclose(solution.values, exact, rtol=0, atol=1e-7)
    assert solution.n_iter <= 30


@pytest.mark.parametrize("solver", ["multigrid", "direct"])
def test_cubic_polynomials_are_continued_exactly_inside(solver):
    y, x = np.mgrid[:40, :50] / 50
    cubic = 3 - x + 2 * y + 5 * x * y - x**2 + y**3 - 4 * x * y**2
    mask = box(cubic.shape, slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(inpaint(cubic, mask, method=Biharmonic(solver=solver)), cubic, rtol=0, atol=1e-7)


def test_energy_is_that_of_the_answer_and_the_smallest():
    image, mask = smooth(30, 40), scattered(0.7, 30, 40)
    problem = Problem.from_image(image, mask)
    solution = Biharmonic().solve(problem)
    values = solution.values[..., 0]

    def energy(x):
        return (ndimage.laplace(x, mode="reflect") ** 2).sum()

    assert solution.energy == pytest.approx(energy(values), rel=1e-12)
    change = np.where(mask, np.random.default_rng(0).standard_normal(mask.shape), 0.0)
    assert energy(values + 1e-3 * change) - energy(values) == pytest.approx(1e-6 * energy(change), rel=1e-6)


def test_it_leaves_the_known_range_and_is_clipped_at_the_door():
    image = np.array([0.0, 0.5, 1.0, np.nan, np.nan, 1.0, 0.5, 0.0])
    inpainter = Inpainter(method="biharmonic").fit(image)
    assert inpainter.solution_.values.max() > 1.1
    np.testing.assert_array_equal(inpainter.restored_[3:5], [1.0, 1.0])


def discs(shape, radius, every):
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y % every - every // 2) ** 2 + (x % every - every // 2) ** 2 <= radius**2


SOONER = {
    "a few pixels": (box((90, 90), slice(10, 40), slice(10, 40)), True),
    "letters": (discs((300, 300), 3, 14), True),
    "stripes": (np.add.outer(np.arange(400) % 40 < 3, np.zeros(400, bool)), True),
    "a grid of lines": (np.add.outer(np.arange(400) % 80 < 3, np.arange(400) % 80 < 3), True),
    "dust": (scattered(0.05, 300, 300), True),
    "broad holes": (discs((400, 400), 60, 200), False),
    "most pixels": (scattered(0.9, 100, 100), False),
}


@pytest.mark.parametrize("name", SOONER)
def test_thin_and_small_parts_are_factorised(name):
    mask, sooner = SOONER[name]
    solution = Biharmonic().solve(Problem.from_image(smooth(*mask.shape), mask))
    assert ("factorisation" in solution.status) == sooner
    assert solution.converged


def test_each_part_has_the_solver_that_suits_it():
    """Dust is factorised, the wide hole beside it goes to multigrid, and the answer is that of one system."""
    image, mask = smooth(260, 320), scattered(0.02, 260, 320)
    mask[40:220, 40:220] = True
    problem = Problem.from_image(image, mask)
    mixed, direct = (Biharmonic(solver=solver).solve(problem) for solver in ("auto", "direct"))
    assert mixed.status.startswith("Solved by a factorisation and by multigrid. The error is about ")
    np.testing.assert_allclose(mixed.values, direct.values, rtol=0, atol=1e-7)


def test_channels_with_masks_of_their_own():
    mask = np.stack([discs((200, 260), 3, 12), discs((200, 260), 2, 9), np.zeros((200, 260), bool)], axis=-1)
    image = np.random.default_rng(1).random((200, 260, 3))
    direct, iterated = (
        inpaint(image, mask, method=Biharmonic(solver=solver), channel_axis=-1) for solver in ("direct", "multigrid")
    )
    np.testing.assert_allclose(direct, iterated, rtol=0, atol=1e-7)
    alone = [inpaint(image[..., c], mask[..., c], method="biharmonic") for c in (0, 1)]
    np.testing.assert_allclose(direct[..., :2], np.stack(alone, axis=-1), rtol=0, atol=1e-12)


def test_too_few_iterations_warn_with_the_way_out(monkeypatch):
    monkeypatch.setattr("skinpaint.methods.biharmonic.MAX_CYCLES", 3)
    with pytest.warns(match=r"after 3 cycles.*Raise tol or use Biharmonic\(solver='direct'\)"):
        inpainter = Inpainter(Biharmonic(solver="multigrid")).fit(smooth(60, 50), mask=MASKS["hole"][:60, :50])
    assert not inpainter.converged_


@pytest.mark.parametrize(("solver", "name"), [("direct", "a factorisation"), ("multigrid", "multigrid")])
def test_the_status_names_the_solver_and_the_error(solver, name):
    solution = Biharmonic(solver=solver).solve(Problem.from_image(smooth(60, 50), MASKS["half"]))
    assert 0 < solution.error <= 1e-8
    assert solution.status == f"Solved by {name}. The error is about {solution.error:.1g} of the range."


def test_a_factorisation_that_fails_is_not_called_solved(monkeypatch):
    """A planted fault: solves that go astray."""
    monkeypatch.setattr(Factors, "substitute", lambda self, b, right=Factors.substitute: np.nan * right(self, b))
    with pytest.warns(match=r"Not solved: the error is about inf of the range, above tol 1e-08\. Raise tol\."):
        inpainter = Inpainter(Biharmonic(solver="direct")).fit(smooth(60, 50), mask=MASKS["half"])
    assert not inpainter.converged_
    assert np.isfinite(inpainter.restored_).all()


def test_matrices_beyond_all_memory_are_refused():
    image = np.zeros((2, 2, 2, 2, 60, 60))
    image[..., 20:50, 20:50] = np.nan
    image[..., 0] = 1
    with pytest.raises(ValueError, match=r"must not be 'biharmonic' for an image with 6 long axes.*take \d+ GB"):
        inpaint(image, method="biharmonic")


@pytest.mark.parametrize("shape", [(100_000,), (3, 30_000)])
def test_gaps_too_long_for_multigrid(shape):
    image, mask = np.random.default_rng(0).random(shape), np.zeros(shape, bool)
    mask[..., 20:-20] = True
    solution = Inpainter("biharmonic").fit(image, mask=mask).solution_
    assert solution.converged
    assert solution.error <= 1e-8


@pytest.mark.parametrize("setting", [{"solver": "magic"}, {"tol": 0.0}, {"tol": 1}])
def test_settings_check_themselves(setting):
    name = next(iter(setting))
    with pytest.raises(ValueError, match=f"The '{name}' parameter of Biharmonic must be .* Got"):
        Biharmonic(**setting)
