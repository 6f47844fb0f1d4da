"""Units make no difference: of values, of channels, of lengths; and what is proven stays proven at any scale."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skinpaint import GradientDescent, Inpainter, Reweighted, compare, damage, inpaint
from skinpaint.energies import Dirichlet, Lines, TotalVariation
from skinpaint.methods import METHODS
from skinpaint.problem import Problem
from skinpaint.scores import psnr, ssim


@pytest.mark.parametrize("factor", [1e-6, 1e4])
@pytest.mark.parametrize("name", METHODS)
def test_the_unit_of_one_channel_touches_no_other(name, factor, rng):
    image = rng.random((24, 20, 3)).cumsum(0)
    mask = rng.random((24, 20)) < 0.6
    plain = inpaint(image, mask, method=name, channel_axis=-1)
    image[..., 1] *= factor
    scaled = inpaint(image, mask, method=name, channel_axis=-1)
    scaled[..., 1] /= factor
    # rounding of the image by its new unit decides which of two patches is nearer
    tol = 1e-3 if name == "dct" else 1e-9
    np.testing.assert_allclose(scaled, plain, rtol=0, atol=tol * np.ptp(plain))


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize("name", METHODS)
def test_values_next_to_nothing_are_no_errors(name, dtype):
    """The tails of a star are as small as that, and `numpy.seterr` may have been asked to raise underflow."""
    i, j = np.mgrid[:16, :16]
    star = np.exp(-((i - 8) ** 2 + (j - 8) ** 2) / 1.4).astype(dtype)
    mask = np.random.default_rng(0).random(star.shape) < 0.3
    expected = inpaint(star, mask, method=name)
    with np.errstate(all="raise"):
        assert inpaint(star, mask, method=name).tobytes() == expected.tobytes()
        if name == "laplace":  # the rest is the same for all
            inpainter = Inpainter(name).fit(star, mask=mask)
            assert inpainter.std().any()
            assert inpainter.sample().any()
            assert np.ptp(inpainter.interval(), axis=0).any()
            assert "<img" in inpainter._repr_html_()
            assert np.isfinite(inpainter.score(np.ma.array(star, mask=mask)))


def test_errors_next_to_nothing_are_no_errors():
    i, j = np.mgrid[:24, :24]
    mask = np.random.default_rng(0).random(i.shape) < 0.3
    star = 1e-305 * np.exp(-((i - 12) ** 2 + (j - 12) ** 2) / 4)
    brighter, wide = 1.1 * star, np.exp(-((i - 12) ** 2 + (j - 12) ** 2) / 0.25)
    darker, expected = 0.9 * wide, 20 - 10 * np.log10(np.mean(wide**2))
    with np.errstate(all="raise"):
        assert psnr(wide, darker) == pytest.approx(expected)
        assert ssim(wide, darker) > 0.9
        comparison = compare(star, mask, ["laplace"], truth=brighter)
        assert np.isfinite(comparison.best.psnr)
        assert comparison.sheet() is not None


@pytest.mark.parametrize("name", ["gd", "reweighted"])
def test_each_channel_is_as_near_to_its_minimum_as_is_asked(name, rng):
    """A channel with little energy beside one with much must not stop with it."""
    calm = np.add.outer(np.arange(32.0), np.arange(32.0)) ** 1.3
    calm[0, 0] += 1e3  # a wide range, and little energy in it
    image = np.stack([rng.random((32, 32)), calm], axis=-1)
    mask = rng.random((32, 32)) < 0.7
    mask[0, 0] = False
    together = Inpainter(name, channel_axis=-1).fit(image, mask=mask).solution_
    assert together.converged
    for c in range(2):
        energy = Lines()(together.values[..., c])
        exact = Inpainter(Reweighted(tol=1e-8)).fit(image[..., c], mask=mask).solution_.energy
        assert (energy - exact) / exact <= together.gap


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e6])
@pytest.mark.parametrize("name", METHODS)
def test_the_unit_of_length_makes_no_difference(name, unit, rng):
    image, mask = rng.random((16, 12)), rng.random((16, 12)) < 0.5
    spacing = (1.0, 1.0) if name == "pnp" else (1.0, 2.5)
    plain, scaled = (
        Inpainter(name, spacing=tuple(factor * h for h in spacing)).fit(image, mask=mask) for factor in (1, unit)
    )
    np.testing.assert_allclose(scaled.restored_, plain.restored_, rtol=0, atol=1e-12)
    assert scaled.n_iter_ == plain.n_iter_
    if plain.solution_.gap is not None:
        assert scaled.solution_.gap == pytest.approx(plain.solution_.gap, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("name", [*METHODS, "total_variation"])
@pytest.mark.parametrize("thickness", [0.01, 100.0])
def test_how_thick_the_only_plane_is_makes_no_difference(name, thickness, rng):
    """It was the unit of length where it was the shortest, so that strengths such as `eps` meant another thing."""
    image, mask = rng.random((16, 12)), rng.random((16, 12)) < 0.5
    method = GradientDescent(energy="total_variation") if name == "total_variation" else name
    plain = Inpainter(method, spacing=(1.0, 1.0)).fit_restore(image, mask)
    thick = Inpainter(method, spacing=(thickness, 1.0, 1.0)).fit_restore(image[None], mask[None])
    np.testing.assert_allclose(thick[0], plain, rtol=0, atol=1e-6)


ENERGIES = [Lines(), Lines(lags=(1,)), TotalVariation(), TotalVariation(eps=0), Dirichlet(), Dirichlet(lags=(1, 2))]


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.lists(st.integers(2, 9), min_size=1, max_size=3).map(tuple),
    energy=st.sampled_from(ENERGIES),
    levels=st.sampled_from([0, 2, 4]),
    unit=st.integers(-30, 30),
    ratio=st.floats(0, 3),
)
def test_no_energy_is_below_what_is_proven(seed, shape, energy, levels, unit, ratio):
    rng = np.random.default_rng(seed)
    image = (rng.integers(0, levels, shape).astype(float) if levels else rng.random(shape)) * 10.0**unit
    mask = rng.random(shape) < rng.uniform(0.1, 0.95)
    mask.flat[0] = False
    spacing = tuple(10.0 ** (-9 + rng.uniform(0, ratio, len(shape))))
    problem = Problem.from_image(image, mask, spacing=spacing, missing_values=None)
    if problem.trivial:
        return
    methods = GradientDescent(energy=energy, max_iter=40, tol=1e-12), Reweighted(energy=energy, max_iter=40, tol=1e-12)
    with np.errstate(all="ignore"):
        solutions = [quietly(method, problem) for method in methods]
    least = min(solution.energy for solution in solutions)
    for solution in solutions:
        assert solution.energy / (1 + solution.gap) <= least * (1 + 1e-13)


def quietly(method, problem):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return method.solve(problem)


@pytest.mark.parametrize("seed", range(8))
def test_binary_pictures_converge(seed):
    """Where norms vanish, the coarse matrices were once not positive, and energies NaN."""
    image, _ = damage.text(np.zeros((64, 64)))
    mask = np.random.default_rng(seed).random(image.shape) < 0.6
    inpainter = Inpainter("gd").fit(image, mask=mask)
    assert inpainter.converged_
    assert inpainter.n_iter_ <= 80


def test_one_known_row_is_enough(rng):
    image, mask = rng.random((300, 300)), np.ones((300, 300), bool)
    mask[150] = False
    inpainter = Inpainter("gd").fit(image, mask=mask)
    assert inpainter.converged_
    assert inpainter.n_iter_ <= 80
