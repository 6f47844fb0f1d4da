"""The built-in energies: their values, their gradients, and the points where a norm vanishes."""

import pickle
from dataclasses import FrozenInstanceError
from itertools import combinations

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad, hessian, make_jvp, value_and_grad
from autograd.test_util import check_grads
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from skinpaint import GradientDescent, Inpainter, Laplace, energies
from skinpaint.energies import (
    Bending,
    Dirichlet,
    Lines,
    Sum,
    TotalVariation,
    bending,
    dirichlet,
    lines,
    total_variation,
)
from skinpaint.grid import threads
from skinpaint.problem import Problem

images = arrays(float, array_shapes(min_dims=1, max_dims=3, max_side=5), elements=st.floats(0, 1, width=16))
SHAPES = [(1,), (2,), (7,), (1, 1), (2, 1), (1, 2), (1, 6), (6, 5), (2, 2), (4, 5, 3), (3, 1, 4), (2, 1, 1), (300, 3)]


def steps(shape):
    """Return a spacing that differs along all axes."""
    return (0.5, 2.0, 3.0)[: len(shape)]


def kinds(shape):
    """Every kind of energy with settings that differ from the defaults."""
    h = steps(shape)
    yield Lines(spacing=h)
    yield Lines(lags=(1,), spacing=h, rounding=0.5)
    yield Lines(rounding=0.3)
    yield Dirichlet(lags=(1, 2), spacing=h)
    yield TotalVariation(spacing=h)
    yield TotalVariation(lags=(1, 2), eps=0.1)
    yield Bending(spacing=h)
    yield 2 * Lines(spacing=h) + Bending() / 3 + np.float64(0.5) * TotalVariation(eps=1)


def differences(x, axis, lag):
    x = np.moveaxis(x, axis, 0)
    return np.moveaxis(x[lag:] - x[:-lag], 0, axis)


def literal_lines(x):
    """The article's energy, line by line."""
    total = 0.0
    for axis in range(x.ndim):
        for line in np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis]):
            for part in (line, line[0::2], line[1::2]):
                total += np.linalg.norm(np.diff(part))
    return total


def reference(energy, x):
    """Return the value of an energy from its definition, in plain NumPy, one norm or square after another."""
    if isinstance(energy, Sum):
        return sum(c * reference(term, x) for c, term in energy.terms)
    joint = isinstance(energy, TotalVariation) and energy.joint
    h = energy.spacing or (1.0,) * (x.ndim - joint)
    if x.ndim - joint > len(h):  # channels, each on its own
        return sum(reference(energy, x[..., c]) for c in range(x.shape[-1]))
    axes = range(len(h))
    if isinstance(energy, Bending):
        pairs = [(a, b, (1 if a == b else 2) / (h[a] * h[b]) ** 2) for a in axes for b in axes if a <= b]
        return sum(c * np.sum(np.diff(np.diff(x, axis=a), axis=b) ** 2) for a, b, c in pairs)
    terms = [(a, lag) for a in axes for lag in energy.lags]
    if isinstance(energy, Dirichlet):
        return sum(np.sum((differences(x, a, lag) / h[a]) ** 2) for a, lag in terms)
    if isinstance(energy, Lines):
        norms = [np.linalg.norm(v, axis=0).ravel() for a, lag in terms for v in phases(x, a, lag, h[a])]
        return sum(np.sum(rounded_off(each, energy.rounding)) for each in norms)
    total = 0.0
    for lag in energy.lags:
        squares = np.zeros(x.shape)
        for a in axes:
            ahead = (slice(None),) * a + (slice(max(0, x.shape[a] - lag)),)
            squares[ahead] += (differences(x, a, lag) / h[a]) ** 2
        total += np.sum(np.sqrt((squares.sum(axis=-1) if joint else squares) + energy.eps**2) - energy.eps)
    return total


def phases(x, axis, lag, h):
    """Return the differences along an axis, first; those of lag 2 that begin at even and at odd places apart."""
    v = np.moveaxis(differences(x, axis, lag) / h, axis, 0)
    return [v[phase::lag] for phase in range(lag)] if x.shape[axis] > 1 else []


def rounded_off(norms, r):
    return np.where(norms < r, norms**2 / (2 * r) + r / 2, norms) if r else norms


def composed_lines(x):
    """The article's energy in plain vectorised autograd."""
    total = 0.0
    for axis in range(x.ndim):
        x = anp.swapaxes(x, 0, axis)
        for part in (x, x[0::2], x[1::2]):
            if part.shape[0] > 1:
                total = total + anp.sum(anp.sqrt(anp.sum((part[1:] - part[:-1]) ** 2, axis=0)))
        x = anp.swapaxes(x, 0, axis)
    return total


def padded(d, axis):
    """Return differences with a zero where there is no neighbour ahead."""
    return anp.concatenate([d, anp.zeros_like(d[tuple([slice(None)] * axis + [slice(0, 1)])])], axis=axis)


def composed_total_variation(x, eps=1e-2, joint=False):
    squares = sum(padded(anp.diff(x, axis=axis), axis) ** 2 for axis in range(x.ndim - joint))
    if joint:
        squares = anp.sum(squares, axis=-1)
    return anp.sum(anp.sqrt(squares + eps**2) - eps)


def composed_bending(x):
    pure = sum(anp.sum(anp.diff(x, 2, axis=a) ** 2) for a in range(x.ndim))
    mixed = sum(anp.sum(anp.diff(anp.diff(x, axis=a), axis=b) ** 2) for a, b in combinations(range(x.ndim), 2))
    return pure + 2 * mixed


def composed_dirichlet(x):
    return sum(anp.sum(anp.diff(x, axis=a) ** 2) for a in range(x.ndim))


@given(images)
def test_lines_is_the_articles_energy(x):
    assert float(lines(x)) == pytest.approx(literal_lines(x), rel=1e-14, abs=1e-14)


@given(images)
def test_energies_are_what_their_definitions_say(x):
    for energy in kinds(x.shape):
        assert float(energy(x)) == pytest.approx(reference(energy, x), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_energies_are_what_their_definitions_say_in_any_shape(shape):
    x = np.random.default_rng(0).random(shape)
    for energy in kinds(shape):
        assert float(energy(x)) == pytest.approx(reference(energy, x), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (Lines(lags=(1,)), lines),
        (Lines(rounding=0.5), lines),
        (Dirichlet(lags=(1, 2)), dirichlet),
        (TotalVariation(eps=0.1), total_variation),
        (Bending(spacing=(1.0, 2.0)), bending),
    ],
)
def test_the_definition_tells_a_wrong_energy(wrong, right):
    x = np.random.default_rng(0).random((5, 6))
    assert abs(reference(wrong, x) - float(right(x))) > 1e-2


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_agree_with_finite_differences(shape):
    x = np.random.default_rng(0).random(shape)
    for energy in kinds(shape):
        if x.size < 100:
            check_grads(energy, modes=["rev"], order=1)(x)
        assert grad(energy)(x).shape == shape


@pytest.mark.parametrize("shape", [(9,), (8, 7), (5, 4, 6), (260, 5)], ids=str)
@pytest.mark.parametrize(
    ("fused", "composed"),
    [
        (lines, composed_lines),
        (dirichlet, composed_dirichlet),
        (total_variation, composed_total_variation),
        (bending, composed_bending),
    ],
    ids=["lines", "dirichlet", "total_variation", "bending"],
)
def test_fused_equals_the_plain_composition(fused, composed, shape):
    x = np.random.default_rng(1).random(shape)
    (value, gradient), (expected, slope) = value_and_grad(fused)(x), value_and_grad(composed)(x)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(9, 3), (6, 7, 3), (4, 5, 3, 2)], ids=str)
def test_joint_total_variation_takes_one_norm_for_all_channels(shape):
    x = np.random.default_rng(1).random(shape)
    joint = TotalVariation(joint=True)
    value, gradient = value_and_grad(joint)(x)
    expected, slope = value_and_grad(lambda x: composed_total_variation(x, joint=True))(x)
    assert value == pytest.approx(expected, rel=1e-12)
    assert value == pytest.approx(reference(joint, x), rel=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=1e-12, atol=1e-12)
    same = np.repeat(x[..., :1], 4, axis=-1)  # four equal channels have norms twice as long
    alone = 2 * float(TotalVariation(eps=0.005)(x[..., 0]))
    assert float(joint(same)) == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize("shape", [(9,), (2,), (6, 7), (2, 2), (4, 5, 3)], ids=str)
def test_an_axis_more_than_the_spacing_is_that_of_channels(shape):
    x = np.random.default_rng(1).random((*shape, 2))
    h = steps(shape)
    for energy in (Lines(spacing=h, rounding=0.2), Dirichlet(spacing=h), TotalVariation(spacing=h), Bending(spacing=h)):
        alone = sum(float(energy(x[..., c])) for c in range(2))
        assert float(energy(x)) == pytest.approx(alone, rel=1e-13)
        assert reference(energy, x) == pytest.approx(alone, rel=1e-12)
        slope = np.stack([grad(energy)(x[..., c]) for c in range(2)], axis=-1)
        np.testing.assert_allclose(grad(energy)(x), slope, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("shape", [(700, 500), (90, 80, 60)], ids=str)
def test_threads_change_no_bit(shape, monkeypatch):
    x = np.random.default_rng(1).random(shape)
    every = [*kinds(shape), TotalVariation(joint=True)]
    answers = []
    for count in (1, 2, 3):
        monkeypatch.setattr(threads, "workers", lambda count=count: count)
        monkeypatch.setattr(threads, "_threads", [])
        answers.append([value_and_grad(energy)(x) for energy in every])
    for (value, gradient), *others in zip(*answers, strict=True):
        for other in others:
            assert other[0] == value
            assert other[1].tobytes() == gradient.tobytes()


@pytest.mark.parametrize("layout", ["fortran", "strided", "backwards", "read-only", "single", "integers"])
def test_any_layout_of_memory(layout):
    x = np.random.default_rng(1).integers(0, 9, (9, 8)).astype(float)
    same = {
        "fortran": np.asfortranarray(x),
        "strided": np.repeat(x, 2, axis=1)[:, ::2],
        "backwards": x[::-1].copy()[::-1],
        "read-only": np.frombuffer(x.tobytes()).reshape(x.shape),
        "single": x.astype(np.float32),
        "integers": x.astype(int),
    }[layout]
    for energy in (lines, total_variation, bending):
        assert float(energy(same)) == float(energy(x))
        if layout != "integers":
            assert np.array_equal(grad(energy)(same), grad(energy)(x))


def test_gradients_compose_with_what_a_user_writes():
    x = np.random.default_rng(2).random((6, 6))
    for energy in (lines, total_variation, bending):
        mixed = lambda x, energy=energy: 2 * energy(x**2) + anp.sum(anp.sin(dirichlet(x) * x)) * energy(x.T)  # noqa: E731
        check_grads(mixed, modes=["rev"], order=1)(x)


def test_a_gradient_may_depend_on_a_factor():
    x = np.random.default_rng(2).random((6, 6))

    def steepness(factor):
        return anp.sum(grad(lambda x: factor * lines(x))(x) ** 2)

    assert grad(steepness)(2.0) == pytest.approx(4 * np.sum(grad(lines)(x) ** 2), rel=1e-12)


@pytest.mark.parametrize("energy", [lines, dirichlet, total_variation, bending, TotalVariation(eps=0, lags=(1, 2))])
def test_gradient_is_zero_on_a_flat_image(energy):
    for shape in ((7,), (5, 6), (4, 5, 3)):
        assert float(energy(np.full(shape, 0.3))) == 0
        assert not grad(energy)(np.full(shape, 0.3)).any()


def test_bending_is_zero_on_a_slope():
    slope = np.add.outer(np.arange(6.0), 2 * np.arange(5.0))
    assert float(bending(slope)) == 0
    assert not grad(bending)(slope).any()


def partly_flat():
    x = np.random.default_rng(3).random((6, 6))
    x[2], x[:, 4] = 0.5, 0.25
    x[2] = 0.25
    return x


@pytest.mark.parametrize("energy", [lines, TotalVariation(eps=0)])
def test_gradient_is_finite_where_some_norms_are_zero(energy):
    gradient = grad(energy)(partly_flat())
    assert np.isfinite(gradient).all()
    assert gradient.any()


@pytest.mark.parametrize("energy", [Lines(rounding=1e-3), dirichlet, total_variation, bending, 2 * bending + dirichlet])
def test_gradients_of_partly_flat_images_agree_with_finite_differences(energy):
    check_grads(energy, modes=["rev"], order=1)(partly_flat())


@pytest.mark.parametrize("shape", [(1,), (2,), (1, 1), (1, 2), (2, 1, 1)])
def test_lines_without_differences_are_counted_as_nothing(shape):
    x = np.random.default_rng(4).random(shape)
    assert float(lines(x)) == pytest.approx(literal_lines(x), abs=1e-15)
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
def test_norms_are_homogeneous_and_blind_to_offsets(x, a):
    for energy in (lines, TotalVariation(eps=0)):
        assert float(energy(a * x + 3)) == pytest.approx(a * float(energy(x)), rel=1e-10, abs=1e-10)


@given(images, st.floats(0, 1))
def test_total_variation_is_rounded_off_by_at_most_eps_a_pixel(x, eps):
    sharp, round_ = float(TotalVariation(eps=0)(x)), float(TotalVariation(eps=eps)(x))
    assert sharp - eps * x.size - 1e-12 <= round_ <= sharp + 1e-12


@given(images)
def test_energies_do_not_care_which_axis_comes_first(x):
    for energy in (lines, dirichlet, bending, total_variation):
        assert float(energy(x.T)) == pytest.approx(float(energy(x)), rel=1e-12, abs=1e-13)
    for energy in (lines, dirichlet, bending):
        assert float(energy(np.flip(x))) == pytest.approx(float(energy(x)), rel=1e-12, abs=1e-13)


def test_spacing_weighs_an_edge_by_its_inverse_square():
    x = np.random.default_rng(5).random((6, 7))
    assert float(Dirichlet(spacing=(2.0, 2.0))(x)) == pytest.approx(float(dirichlet(x)) / 4, rel=1e-14)
    assert float(Lines(spacing=(2.0, 2.0))(x)) == pytest.approx(float(lines(x)) / 2, rel=1e-14)
    assert float(TotalVariation(spacing=(2.0, 2.0), eps=0.005)(x)) == pytest.approx(
        float(total_variation(x)) / 2, rel=1e-13
    )
    assert float(Bending(spacing=(2.0, 2.0))(x)) == pytest.approx(float(bending(x)) / 16, rel=1e-14)


def test_sums_and_multiples_are_energies():
    x = np.random.default_rng(5).random((6, 7))
    mixed = 2 * lines + bending / 4
    assert mixed.terms == ((2.0, lines), (0.25, bending))
    assert float(mixed(x)) == pytest.approx(2 * float(lines(x)) + float(bending(x)) / 4, rel=1e-14)
    assert (3 * mixed + dirichlet).terms == ((6.0, lines), (0.75, bending), (1.0, dirichlet))
    assert sum([lines, bending, dirichlet]).terms == ((1.0, lines), (1.0, bending), (1.0, dirichlet))
    assert sum([lines]) is lines
    assert np.float64(2) * lines == lines * 2 == Sum(((2.0, lines),))
    assert float((0 * lines)(x)) == 0
    assert pickle.loads(pickle.dumps(mixed)) == mixed
    assert hash(mixed) == hash(2 * lines + bending / 4)


def own(x):
    return anp.sum(anp.sin(x))


def test_a_callable_can_be_added_and_then_convexity_is_unknown():
    x = np.random.default_rng(5).random((6, 7))
    for mixed in (own + lines, lines + own):
        assert float(mixed(x)) == pytest.approx(float(own(x)) + float(lines(x)), rel=1e-14)
        assert mixed.convex is None
        check_grads(mixed, modes=["rev"], order=1)(x)
    assert lines.convex is total_variation.convex is (2 * lines + bending).convex is True


@pytest.mark.parametrize("factor", [-1, -0.5, np.float64(-2), np.inf, np.nan])
def test_what_is_not_convex_is_refused(factor):
    sentence = r"The factor of an energy must be a finite number of at least 0, or the product .* Got .* 'lambda x: "
    with pytest.raises(ValueError, match=sentence):
        factor * lines
    with pytest.raises(ValueError, match=sentence):
        (lines + bending) * factor
    with pytest.raises(ValueError, match=sentence):
        Sum(((1.0, bending), (float(factor), lines)))


def test_differences_and_strangers_are_refused():
    with pytest.raises(TypeError, match=r"not convex. Write 'lambda x: -energy\(x\)'"):
        _ = -lines
    with pytest.raises(ValueError, match="not convex"):
        lines / 0
    with pytest.raises(TypeError, match=r"a difference is not convex. Write 'lambda x: one\(x\) - other\(x\)'"):
        lines - bending
    for stranger in ("a", None, 1):
        with pytest.raises(TypeError, match="unsupported operand"):
            lines + stranger
    with pytest.raises(TypeError):
        lines * lines
    with pytest.raises(FrozenInstanceError):
        lines.rounding = 1.0


def test_other_derivatives_are_refused_with_a_sentence():
    x = np.random.default_rng(5).random((3, 3))
    for energy in (lines, dirichlet, total_variation, bending):
        with pytest.raises(NotImplementedError, match="have first derivatives only"):
            hessian(energy)(x)
        with pytest.raises(NotImplementedError, match="differentiated in reverse mode only"):
            make_jvp(energy)(x)(x)


@pytest.mark.parametrize("kind", [Lines, Dirichlet, TotalVariation])
@pytest.mark.parametrize("lags", [(2,), (1, 3), [1, 2], 1, ()])
def test_other_lags_are_refused(kind, lags):
    name = kind.__name__
    with pytest.raises(ValueError, match=rf"The 'lags' parameter of {name} must be \(1,\) or \(1, 2\). Got"):
        kind(lags=lags)


@pytest.mark.parametrize("kind", [Lines, Dirichlet, TotalVariation, Laplace, GradientDescent])
def test_lags_of_a_few_bits_are_ints(kind):
    """Their products overflowed: with lags of int8 the descent gave another picture, with those of uint8 an error."""
    assert repr(kind(lags=(np.int8(1), np.uint8(2)))) == repr(kind(lags=(1, 2)))


def test_other_settings_are_refused():
    with pytest.raises(
        ValueError, match=r"The 'eps' parameter of TotalVariation must be a finite number of at least 0. Got -1"
    ):
        TotalVariation(eps=-1)
    with pytest.raises(
        ValueError, match=r"The 'rounding' parameter of Lines must be a finite number of at least 0. Got nan"
    ):
        Lines(rounding=np.nan)
    with pytest.raises(ValueError, match="The 'spacing' parameter of Bending must have one number for each spatial"):
        Bending(spacing=(1.0, 2.0))(np.zeros(5))
    with pytest.raises(ValueError, match="for an array of 2 axes, the last one for channels"):
        TotalVariation(spacing=(1.0, 2.0), joint=True)(np.zeros((5, 3)))


@pytest.mark.parametrize("name", ["lines", "dirichlet", "total_variation", "bending"])
def test_descent_takes_every_energy_by_name(name):
    rng = np.random.default_rng(0)
    image, mask = rng.random((10, 9, 3)), rng.random((10, 9)) < 0.4
    for joint in (False, True):
        method = GradientDescent(energy=name, joint_channels=joint, max_iter=30, tol=None)
        solution = Inpainter(method, channel_axis=-1).fit(image, mask=mask).solution_
        start = Problem.from_image(image, mask, channel_axis=-1).values
        middle = sum(getattr(energies, name)(x) for x in np.moveaxis(start, -1, 0))
        assert solution.energy < middle
    with pytest.raises(ValueError, match="The 'lags' parameter of GradientDescent must be None"):
        GradientDescent(energy="bending", lags=(1, 2))


def test_every_instance_is_public():
    assert {"lines", "dirichlet", "total_variation", "bending", "ENERGIES", "Sum", "Energy"} <= set(energies.__all__)
