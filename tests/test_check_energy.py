"""check_energy passes what is right and catches what is wrong, by name."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.extend import defvjp, primitive

from skinpaint.energies import Bending, Lines, TotalVariation, bending, dirichlet, lines, total_variation
from skinpaint.testing import ENERGY_LAWS, check_energy


@pytest.mark.parametrize("shape", [(9,), (8, 7), (1, 6), (4, 3, 5)], ids=str)
def test_the_built_in_ones_pass(shape):
    for energy in (lines, dirichlet, total_variation, bending, Lines(rounding=1e-3), 2 * lines + bending / 3):
        check_energy(energy, shape=shape)
    check_energy(TotalVariation(joint=True, lags=(1, 2)), shape=(*shape, 2))
    check_energy(Bending(spacing=(0.5, 2.0, 3.0)[: len(shape)]), shape=shape)


def square(x):
    return anp.sum((x[1:] - x[:-1]) ** 2)


def faulty(slope):
    """Return a square with a gradient of its own."""

    @primitive
    def energy(x):
        return np.sum(x**2)

    defvjp(energy, lambda ans, x: lambda g: g * slope(x))
    return energy


def spoiled(x):
    return 2 * x + np.pad([[1e-3]], ((0, x.shape[0] - 1), (x.shape[1] - 1, 0)))


def counting(x, calls=[0]):  # noqa: B006
    calls[0] += 1
    return anp.sum(x**2) * calls[0]


def writing(x):
    if isinstance(x, np.ndarray):
        x[0, 0] = 0.5
    return anp.sum(x**2)


class Claiming:
    """A double well that says it is convex."""

    convex = True

    def __call__(self, x):
        return anp.sum((x[1:] - x[:-1]) ** 2 * (1 - (x[1:] - x[:-1]) ** 2) ** 2)


@pytest.mark.parametrize(
    ("energy", "law", "sentence"),
    [
        (faulty(lambda x: 3 * x), "gradient", r"the gradient at pixel \(\d, \d\) is .*, but finite differences give"),
        (faulty(lambda x: 2 * x.T[::-1].T), "gradient", "finite differences give"),
        (faulty(spoiled), "gradient", r"the gradient at pixel \(0, 6\) is"),
        (faulty(lambda x: np.zeros(x.shape)), "gradient", "is 0, but finite differences give"),
        (faulty(lambda x: 2 * x[:-1]), "value", r"must have a real gradient of its argument's shape, \(8, 7\)"),
        (faulty(lambda x: 2j * x), "value", "Got complex128"),
        (
            faulty(lambda x: 2 * x * np.where(np.ptp(x, axis=1, keepdims=True) > 0, 1, np.nan)),
            "flat",
            "7 of 56 entries|56",
        ),
        (lambda x: anp.linalg.norm(x[1:] - x[:-1]), "flat", "NaN or infinite at a flat image. Round norms"),
        (lambda x: anp.sum(anp.sqrt(x)), "flat", "NaN or infinite at a black image"),
        (lambda x: anp.sum(anp.log(1 + 10 * (x[1:] - x[:-1]) ** 2)), "convex", "it is not convex"),
        (lambda x: -square(x), "convex", "it is not convex"),
        (lambda x: anp.sum(anp.sin(3 * x)), "convex", "it is not convex"),
        (lambda x: square(x) - 1e-3 * anp.sum(x**2), "convex", "it is not convex"),
        (lambda x: 1e-20 * anp.sum((x**2 - 0.25) ** 2), "convex", "it is not convex"),
        (lambda x: 1e-12 * faulty(lambda x: 3 * x)(x), "gradient", "finite differences give"),
        (lambda x: 1j * square(x), "value", "at a random image: .* Got a value of dtype complex128"),
        (lambda x: (x[1:] - x[:-1]) ** 2, "value", r"Got shape \(7, 7\) instead. Sum"),
        (lambda x: 1, "value", "Got a value of dtype int64"),
        (lambda x: square(x.astype(np.float32)), "value", "computed in fewer than 64 bits"),
        (lambda x: anp.sum(anp.log(x)), "value", "at a black image: .* Got -inf"),
        (lambda x: float(np.sum(np.ones(3))), "value", "must be computed from its argument by autograd.numpy"),
        (counting, "memory", "asked again, it answers"),
        (writing, "memory", "the image that was given has been written to"),
    ],
)
def test_a_fault_is_caught_by_name(energy, law, sentence):
    with pytest.raises(AssertionError, match=rf"breaks the law '{law}' on images of shape \(8, 7\): .*{sentence}"):
        check_energy(energy, convex=True)


@pytest.mark.parametrize("factor", [1e-20, 1e20])
def test_the_unit_of_an_energy_does_not_matter(factor):
    for energy in (lines, dirichlet, total_variation):
        check_energy(factor * energy)


@pytest.mark.parametrize("shape", [8, (), (0, 3), (8.0, 7)])
def test_refuses_what_is_no_shape(shape):
    with pytest.raises(ValueError, match="The 'shape' parameter of check_energy must be a tuple of ints"):
        check_energy(square, shape=shape)


def test_a_claim_is_tried_and_only_a_claim():
    with pytest.raises(AssertionError, match="Claiming breaks the law 'convex'"):
        check_energy(Claiming())
    check_energy(Claiming(), convex=False)
    check_energy(lambda x: anp.sum(anp.sin(3 * x)))


def test_a_law_can_be_skipped_and_only_a_law():
    check_energy(lambda x: anp.linalg.norm(x[1:] - x[:-1]), skip=["flat"], convex=True)
    with pytest.raises(
        ValueError, match=r"The 'skip' parameter of check_energy must hold names of laws: value, .* Got"
    ):
        check_energy(square, skip=["round"])
    assert list(ENERGY_LAWS) == ["value", "memory", "gradient", "flat", "convex"]


def test_an_energy_that_raises_says_so_itself():
    with pytest.raises(ZeroDivisionError):
        check_energy(lambda x: 1 / 0)
