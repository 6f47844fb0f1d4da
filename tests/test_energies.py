"""The built-in energies: their values, their gradients, and the points where a norm vanishes."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from skinpaint.energies import Dirichlet, Lines, dirichlet, lines

images = arrays(float, array_shapes(min_dims=1, max_dims=3, max_side=5), elements=st.floats(0, 1, width=16))


def literal_lines(x):
    """The article's energy, line by line."""
    total = 0.0
    for axis in range(x.ndim):
        for line in np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis]):
            for part in (line, line[0::2], line[1::2]):
                total += np.linalg.norm(np.diff(part))
    return total


def composed_lines(x):
    """The same in plain vectorised autograd."""
    total = 0.0
    for axis in range(x.ndim):
        x = anp.swapaxes(x, 0, axis)
        for part in (x, x[0::2], x[1::2]):
            if part.shape[0] > 1:
                total = total + anp.sum(anp.sqrt(anp.sum((part[1:] - part[:-1]) ** 2, axis=0)))
        x = anp.swapaxes(x, 0, axis)
    return total


@given(images)
def test_lines_is_the_articles_energy(x):
    assert float(lines(x)) == pytest.approx(literal_lines(x), rel=1e-14, abs=1e-14)


@given(images)
def test_dirichlet_is_the_sum_of_squares(x):
    for lags in ((1,), (1, 2)):
        literal = sum(
            float(np.sum((np.moveaxis(x, axis, 0)[lag:] - np.moveaxis(x, axis, 0)[:-lag]) ** 2))
            for axis in range(x.ndim)
            for lag in lags
        )
        assert float(Dirichlet(lags=lags)(x)) == pytest.approx(literal, rel=1e-14, abs=1e-14)


@pytest.mark.parametrize("shape", [(7,), (6, 5), (4, 5, 3), (1, 6), (2, 2), (3, 1, 4)])
@pytest.mark.parametrize("lags", [(1,), (1, 2)])
@pytest.mark.parametrize("kind", [Lines, Dirichlet])
def test_gradients_agree_with_finite_differences(kind, lags, shape):
    energy = kind(lags=lags, spacing=(0.5, 2.0, 3.0)[: len(shape)])
    x = np.random.default_rng(0).random(shape)
    check_grads(energy, modes=["rev"], order=1)(x)


@pytest.mark.parametrize("shape", [(9,), (8, 7), (5, 4, 6)])
def test_gradient_of_lines_equals_the_plain_composition(shape):
    x = np.random.default_rng(1).random(shape)
    np.testing.assert_allclose(grad(lines)(x), grad(composed_lines)(x), rtol=1e-12, atol=1e-13)


def test_gradients_compose_with_what_a_user_writes():
    x = np.random.default_rng(2).random((6, 6))
    check_grads(lambda x: 2 * lines(x**2) + anp.sum(anp.sin(dirichlet(x) * x)), modes=["rev"], order=1)(x)


@pytest.mark.parametrize("energy", [lines, dirichlet])
def test_gradient_is_zero_on_a_flat_image(energy):
    assert not grad(energy)(np.full((5, 6), 0.3)).any()


def test_gradient_is_finite_where_some_lines_are_flat():
    x = np.random.default_rng(3).random((6, 6))
    x[2] = 0.5
    x[:, 4] = 0.25
    x[2, 4] = 0.25
    x[2] = x[2, 4]
    gradient = grad(lines)(x)
    assert np.isfinite(gradient).all()
    assert gradient.any()


@pytest.mark.parametrize("shape", [(1,), (2,), (1, 1), (1, 2), (2, 1, 1)])
def test_lines_without_differences_are_counted_as_nothing(shape):
    x = np.random.default_rng(4).random(shape)
    assert float(lines(x)) == pytest.approx(literal_lines(x), abs=1e-15)
    if max(shape) > 1:
        assert grad(lines)(x).shape == shape


@given(images, st.sampled_from([1e-3, 0.3]))
def test_rounding_adds_at_most_half_of_itself_to_each_norm(x, rounding):
    rounded = Lines(rounding=rounding)
    groups = sum(3 * x.size // n for n in x.shape)
    assert -1e-12 <= float(rounded(x)) - float(lines(x)) <= groups * rounding / 2 + 1e-12


def test_rounding_has_the_right_gradient_and_leaves_large_norms_alone():
    x = np.random.default_rng(6).random((6, 5))
    check_grads(Lines(rounding=0.6), modes=["rev"], order=1)(x)
    assert float(Lines(rounding=1e-9)(x)) == float(lines(x))


@given(images, st.floats(0.1, 10))
def test_lines_is_homogeneous_and_blind_to_offsets(x, a):
    assert float(lines(a * x + 3)) == pytest.approx(a * float(lines(x)), rel=1e-10, abs=1e-10)


def test_spacing_weighs_an_edge_by_its_inverse_square():
    x = np.random.default_rng(5).random((6, 7))
    assert float(Dirichlet(spacing=(2.0, 2.0))(x)) == pytest.approx(float(dirichlet(x)) / 4, rel=1e-14)
    assert float(Lines(spacing=(2.0, 2.0))(x)) == pytest.approx(float(lines(x)) / 2, rel=1e-14)


@pytest.mark.parametrize("lags", [(2,), (1, 3), [1, 2], 1, ()])
def test_other_lags_are_refused(lags):
    with pytest.raises(ValueError, match=r"The 'lags' parameter of Lines must be \(1,\) or \(1, 2\). Got"):
        Lines(lags=lags)
