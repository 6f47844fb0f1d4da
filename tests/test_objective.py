"""An energy under autograd: its value and gradient from any thread, and what becomes of energies that fail."""

from concurrent.futures import ThreadPoolExecutor

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad, value_and_grad
from autograd.core import backward_pass
from autograd.extend import defvjp, primitive
from autograd.tracer import trace_stack

from skinpaint import GradientDescent, Inpainter, inpaint
from skinpaint.energies import lines, total_variation, tracing
from skinpaint.energies.objective import Objective, value_and_gradient


@pytest.fixture(autouse=True, params=["by_internals", "by_interface"])
def way(request, monkeypatch):
    """Try everything with both ways to trace."""
    monkeypatch.setattr(tracing, "trace", getattr(tracing, request.param))
    return request.param


def smooth(x):
    return anp.sum(anp.sqrt((x[1:] - x[:-1]) ** 2 + 1e-4)) + anp.sum(anp.sin(x[:, 1:] * x[:, :-1]))


def steepness(x):
    """Take a gradient within: autograd traces a trace."""
    return anp.sum(grad(smooth)(x) ** 2)


def curvature(x):
    """Take a gradient of a gradient within."""
    return anp.sum(grad(lambda y: anp.sum(grad(smooth)(y) ** 2))(x) ** 2)


def image(seed=0, shape=(7, 6)):
    return np.random.default_rng(seed).random(shape)


@pytest.mark.parametrize("energy", [smooth, steepness, curvature, lines, lambda x: lines(x) * total_variation(x)])
def test_it_is_what_autograd_says(energy):
    value, gradient = value_and_gradient(energy, image())
    expected, slope = value_and_grad(energy)(image())
    assert value == expected
    assert np.array_equal(gradient, slope)
    assert type(value) is float


def test_channels_are_summed_or_given_at_once():
    x = image(shape=(5, 4, 3))
    value, gradient = Objective(smooth).value_and_gradient(x)
    apart = [value_and_gradient(smooth, x[..., c]) for c in range(3)]
    assert value == pytest.approx(sum(v for v, _ in apart), rel=1e-15)
    np.testing.assert_array_equal(gradient, np.stack([g for _, g in apart], axis=-1))
    joint_value, joint_gradient = Objective(lines, joint=True).value_and_gradient(x)
    assert (joint_value, joint_gradient.tolist()) == (value_and_gradient(lines, x)[0], grad(lines)(x).tolist())
    one, gradient = Objective(smooth).value_and_gradient(x[..., :1])
    assert one == apart[0][0]
    assert np.array_equal(gradient, apart[0][1][..., None])


class Mine(Exception):
    pass


def raising(x):
    anp.sum(x**2)
    raise Mine("in the middle")


def raising_within(x):
    return grad(lambda y: raising(y * x))(x).sum()


@pytest.mark.parametrize("energy", [raising, raising_within])
def test_an_energy_that_raises_spoils_nothing(energy):
    before = trace_stack.top
    expected = value_and_gradient(steepness, image())
    for _ in range(50):
        with pytest.raises(Mine, match="in the middle"):
            value_and_gradient(energy, image())
    if energy is raising:
        assert trace_stack.top == before
    for function in (value_and_gradient, lambda f, x: value_and_grad(f)(x)):
        value, gradient = function(steepness, image())
        assert value == expected[0]
        assert np.array_equal(gradient, expected[1])
    trace_stack.top = before  # what autograd itself leaves behind, when its own grad is what is left by an error


@pytest.mark.parametrize("top", [-1, 0, 7, 1000])
def test_nothing_depends_on_where_autograds_counter_stands(top, monkeypatch):
    expected = value_and_gradient(curvature, image())
    monkeypatch.setattr(trace_stack, "top", top)
    value, gradient = value_and_gradient(curvature, image())
    assert value == expected[0]
    assert np.array_equal(gradient, expected[1])
    assert trace_stack.top == top


def test_threads_do_not_disturb_one_another():
    before = trace_stack.top
    jobs = [(energy, seed) for seed in range(30) for energy in (smooth, steepness, lines, raising, curvature)]

    def run(job):
        energy, seed = job
        try:
            value, gradient = value_and_gradient(energy, image(seed))
        except Mine:
            return None
        return value, gradient.tobytes()

    one_after_another = [run(job) for job in jobs]
    with ThreadPoolExecutor(8) as eight:
        at_once = list(eight.map(run, jobs))
    assert at_once == one_after_another
    assert trace_stack.top == before
    assert run((steepness, 0)) == one_after_another[1]


def test_restorations_at_once_are_those_one_after_another():
    mask = np.random.default_rng(1).random((9, 8)) < 0.5

    def run(job):
        seed, energy = job
        x = image(seed, (9, 8))
        if energy is raising:
            with pytest.raises(Mine) as caught:
                inpaint(x, mask, method=GradientDescent(energy=energy))
            return caught.value.__notes__
        return inpaint(x, mask, method=GradientDescent(energy=energy, max_iter=15, tol=None)).tobytes()

    jobs = [(seed, energy) for seed in range(6) for energy in (smooth, raising, "lines", "total_variation")]
    one_after_another = [run(job) for job in jobs]
    with ThreadPoolExecutor(8) as eight:
        assert list(eight.map(run, jobs)) == one_after_another


def test_a_note_says_where_an_error_comes_from():
    for method in (Objective(raising).value, Objective(raising).value_and_gradient):
        with pytest.raises(Mine) as caught:
            method(image(shape=(5, 4, 1)))
        assert caught.value.__notes__ == [
            "This came from the energy given to GradientDescent, for an array of shape (5, 4)."
        ]


@primitive
def scalar(x):
    return float(np.sum(x))


defvjp(scalar, lambda ans, x: lambda g: g * np.ones(3))


@primitive
def turned(x):
    return float(np.sum(x))


defvjp(turned, lambda ans, x: lambda g: 1j * g * np.ones(x.shape))


@pytest.mark.parametrize(
    ("energy", "sentence"),
    [
        (lambda x: anp.sum(x) * np.nan, "must return a finite float. Got nan instead. Look for a division by zero"),
        (lambda x: anp.sum(1 / (x * 0)), "must return a finite float. Got inf instead. Look for"),
        (lambda x: x**2, r"must return one real float. Got shape \(7, 6\) instead. Sum over the array"),
        (lambda x: anp.sum(x, axis=0), r"Got shape \(6,\) instead. Sum over the array, with autograd.numpy"),
        (lambda x: 1j * anp.sum(x), "Got a value of dtype complex128 instead. Take the real part"),
        (lambda x: 3, "Got a value of dtype int64 instead. Make it a float"),
        (lambda x: True, "Got a value of dtype bool instead. Make it a float"),
        (lambda x: None, "Got a value of dtype object instead. Return the sum"),
        (lambda x: "low", "must return one real float. Got a value of dtype <U3 instead. Return the sum"),
        (lambda x: 3.0, "must be computed from its argument by autograd.numpy. Got 3.0, which does not depend on it"),
        (scalar, r"must have a real gradient of its argument's shape, \(7, 6\). Got float64 of shape \(3,\) instead"),
        (turned, "must have a real gradient of its argument's shape, .* Got complex128"),
    ],
)
def test_a_bad_answer_gets_a_sentence(energy, sentence):
    with pytest.raises(ValueError, match=sentence):
        Objective(energy).value_and_gradient(image()[..., None])


def test_a_gradient_that_is_nan_at_a_point_is_taken_beside_it():
    x = np.full((4, 4, 1), 0.5)
    objective = Objective(lambda x: anp.sum(x) + anp.linalg.norm(x[1:] - x[:-1]))
    value, gradient = objective.value_and_gradient(x)
    assert value == 8
    assert np.isfinite(gradient).all()
    assert "1e-9 beside" in objective.note
    with pytest.raises(ValueError, match=r"must have a finite gradient. Got NaN or infinite entries, also 1e-9 beside"):
        Objective(lambda x: anp.sum(anp.sqrt(x * 0))).value_and_gradient(x)


def test_the_status_names_an_energy_of_few_bits(grey, mask):
    """It said to raise max_iter, after all of which the answer was no better."""
    method = GradientDescent(energy=lambda x: anp.sum((x[1:] - x[:-1]).astype(np.float32) ** 2), max_iter=2, tol=None)
    inpainter = Inpainter(method).fit(grey, mask=mask)
    assert "computed in fewer than 64 bits" in inpainter.solution_.status


@pytest.mark.parametrize("way", ["by_internals"], indirect=True)
class TestOtherReleases:
    """A release of autograd whose internals are missing, or mean something else, changes no answer."""

    @pytest.mark.parametrize(
        "name", ["autograd.core.backward_pass", "autograd.core.VJPNode", "autograd.tracer.new_box"]
    )
    def test_internals_that_are_gone(self, monkeypatch, name):
        monkeypatch.delattr(name)
        with pytest.warns(RuntimeWarning, match="This release of autograd has other internals than skinpaint knows"):
            assert tracing.choose() is tracing.by_interface

    def test_internals_that_mean_something_else(self, monkeypatch):
        monkeypatch.setattr("autograd.core.backward_pass", lambda g, end_node: 2 * backward_pass(g, end_node))
        with pytest.warns(RuntimeWarning, match="one thread at a time"):
            assert tracing.choose() is tracing.by_interface

    def test_this_release_has_them(self):
        assert tracing.choose() is tracing.by_internals

    def test_a_restoration_does_not_see_the_difference(self, monkeypatch):
        image, mask = np.random.default_rng(3).random((12, 10)), np.random.default_rng(4).random((12, 10)) < 0.5
        expected = inpaint(image, mask, method="gd")
        monkeypatch.setattr(tracing, "trace", tracing.by_interface)
        np.testing.assert_array_equal(inpaint(image, mask, method="gd"), expected)
