"""Every method on every trial, law by law; and a fault for every law, which the law must catch."""

import dataclasses
import inspect
import warnings

import numpy as np
import pytest

from skinpaint import (
    Biharmonic,
    GradientDescent,
    Inpainter,
    Laplace,
    PlugAndPlay,
    Reweighted,
    Solution,
    SparseDCT,
    compare,
    inpaint,
)
from skinpaint.methods import METHODS, resolve
from skinpaint.methods.base import IterativeMethod, Method
from skinpaint.problem import Problem
from skinpaint.solution import Reason, Record
from skinpaint.testing import LAWS, TRIALS, check_method


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """What a method promises. Unless the table says otherwise: every law, to the rounding of float64."""

    tol: float = 1e-12
    settings: dict = dataclasses.field(default_factory=dict)  # to try the laws with
    skip: tuple[str, ...] = ()
    linear: bool = False  # superposition, and values inside the known range before any clipping


# A descent obeys most laws after every step, so that a few steps test them without waiting for convergence; cycles of
# multigrid are in single precision, so that the last digits of an affine image show. It is symmetric, and its channels
# are independent, only where it has converged: cycles visit one colour of pixels after another, and the channels
# share a step length.
UNTIL_CONVERGED = ("flips", "axes", "channels")
CLAIMS = {
    "gd": Claim(tol=1e-7, settings={"max_iter": 20, "tol": None}, skip=UNTIL_CONVERGED),
    "reweighted": Claim(tol=1e-6, settings={"max_iter": 10, "tol": None}, skip=UNTIL_CONVERGED),
    "laplace": Claim(linear=True),
    # scikit-image's denoisers are not symmetric under mirrors; its channels share the moment to stop
    "pnp": Claim(tol=1e-6, settings={"max_iter": 20, "tol": None}, skip=("flips",)),
    # It computes in single precision. Its blocks are shifted at random, so that the mirrored image is cut otherwise.
    "dct": Claim(tol=1e-9, settings={"decay": 0.8}, skip=("flips", "axes", "channels")),
    # Its search is random, it scans from one corner to the other, and a patch is compared in all channels at once.
    "exemplar": Claim(tol=1e-6, skip=("flips", "axes", "channels")),
}
PRESETS = {
    "gd, dirichlet": (GradientDescent(energy="dirichlet", tol=1e-9), Claim(tol=1e-7)),
    "reweighted, dirichlet": (Reweighted(energy="dirichlet", tol=1e-9), Claim(tol=1e-7)),
    "gd, constant step": (GradientDescent(step_size=0.02, max_iter=20, tol=None), Claim(skip=UNTIL_CONVERGED)),
    "gd, classic": (
        dataclasses.replace(GradientDescent.classic(), max_iter=20),
        Claim(skip=("hidden_values", "affine")),
    ),
    "laplace, two lags": (Laplace(lags=(1, 2)), Claim(linear=True)),
    "laplace, multigrid": (Laplace(solver="multigrid", tol=1e-12), Claim(tol=1e-10, linear=True)),
    "laplace, multigrid, two lags": (
        Laplace(solver="multigrid", lags=(1, 2), tol=1e-12),
        Claim(tol=1e-10, linear=True),
    ),
    "biharmonic, multigrid": (Biharmonic(solver="multigrid", tol=1e-11), Claim(tol=1e-10)),
    "pnp, tv_chambolle": (
        PlugAndPlay(denoise_function="tv_chambolle", max_iter=10, tol=None),
        Claim(tol=1e-6, skip=("flips",)),
    ),
    "laplace, direct": (Laplace(solver="direct"), Claim(linear=True)),
    "dct, channels alone": (SparseDCT(joint_channels=False, decay=0.8), Claim(tol=1e-4, skip=("flips", "axes"))),
}


def entrant(name):
    """The method of this name and what it claims."""
    if name in PRESETS:
        return PRESETS[name]
    claim = CLAIMS.get(name, Claim())
    return dataclasses.replace(resolve(name), **claim.settings), claim


ENTRANTS = [*METHODS, *PRESETS]


@pytest.mark.parametrize("trial", TRIALS)
@pytest.mark.parametrize(
    ("name", "law"), [(name, law) for name in ENTRANTS for law in LAWS if law not in entrant(name)[1].skip]
)
def test_law(name, law, trial):
    method, claim = entrant(name)
    LAWS[law](method, TRIALS[trial], claim.tol)


@pytest.mark.parametrize("trial", TRIALS)
@pytest.mark.parametrize("name", [name for name in ENTRANTS if entrant(name)[1].linear])
def test_linear_methods_superpose_and_obey_the_maximum_principle_before_clipping(name, trial):
    method, claim = entrant(name)
    trial = TRIALS[trial]
    problem = trial.problem(method)
    values = method.solve(problem).values
    known = np.where(problem.mask, np.nan, problem.values)
    axes = tuple(range(problem.ndim))
    assert (values >= np.nanmin(known, axis=axes) - claim.tol).all()
    assert (values <= np.nanmax(known, axis=axes) + claim.tol).all()

    def solved(image):
        """Solve for values in [0, 1], at the scale that they come in."""
        problem = Problem.from_image(image, trial.mask, channel_axis=trial.channel_axis, bounds=(0, 1))
        return method.solve(problem).values

    one, other = unit(trial.floats), unit(trial.floats[::-1]) ** 2
    expected = (solved(one) + 3 * solved(other)) / 4
    np.testing.assert_allclose(solved((one + 3 * other) / 4), expected, rtol=0, atol=claim.tol)


def unit(image):
    """Bring an image to [0, 1], in double precision."""
    image = image.astype(float)
    return (image - image.min()) / np.ptp(image)


@pytest.mark.parametrize("name", METHODS)
def test_default_settings_converge_and_say_so(name, colour, mask):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        inpainter = Inpainter(name, channel_axis=-1).fit(colour, mask=mask)
    assert not caught
    assert inpainter.converged_ is True
    assert inpainter.solution_.status.endswith(".")


@pytest.mark.parametrize(
    ("law", "trial"), [("flips", "signal"), ("flips", "hole"), ("axes", "hole"), ("channels", "colour")]
)
def test_a_converged_descent_is_symmetric_to_its_tolerance(law, trial):
    LAWS[law](GradientDescent(), TRIALS[trial], 3e-3)


@pytest.mark.parametrize("name", METHODS)
def test_settings_are_frozen_keyword_only_and_replaceable(name):
    method = resolve(name)
    fields = dataclasses.fields(method)
    assert all(field.kw_only for field in fields)
    assert dataclasses.replace(method) == method
    assert list(inspect.signature(type(method)).parameters) == [field.name for field in fields]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(method, fields[0].name, None)
    with pytest.raises(TypeError):
        type(method)(getattr(method, fields[0].name))
    with pytest.raises(TypeError):
        type(method)(no_such_setting=1)


def test_solutions_can_be_compared_and_kept_in_sets(grey, mask):
    one, other = (Inpainter("laplace").fit(grey, mask=mask).solution_ for _ in range(2))
    assert one == one
    assert one != other  # arrays would be asked whether they are true
    assert len({one, other, one}) == 2


@pytest.mark.parametrize("name", METHODS)
def test_all_known_pixels_equal_needs_no_work(name, mask):
    inpainter = Inpainter(name).fit(np.where(mask, 3.0, 77.7), mask=mask)
    assert inpainter.n_iter_ == 0
    assert inpainter.converged_
    np.testing.assert_array_equal(inpainter.restored_, np.full(mask.shape, 77.7))


@pytest.mark.parametrize("name", METHODS)
def test_a_channel_with_nothing_missing_stays_as_it_is(name, colour, mask):
    some = np.stack([mask, np.zeros_like(mask), mask], axis=-1)
    restored = inpaint(colour, some, method=name, channel_axis=-1)
    np.testing.assert_array_equal(restored[~some], colour[~some])
    assert np.isfinite(restored).all()


def three_iterations(name):
    """The method with as many iterations, whatever its stopping rule says of them."""
    method = resolve(name)
    endless = {"tol": None} if "tol" in {field.name for field in dataclasses.fields(method)} else {}
    return dataclasses.replace(method, max_iter=3, **endless)


@pytest.mark.parametrize("name", [name for name in METHODS if issubclass(type(resolve(name)), IterativeMethod)])
class TestLoop:
    def test_interruption_returns_the_answer_so_far(self, name, grey, mask):
        def interrupt(record, restore):
            if record.n_iter == 3:
                raise KeyboardInterrupt

        interrupted = Inpainter(name).fit(grey, mask=mask, callback=interrupt)
        stopped = Inpainter(name).fit(grey, mask=mask, callback=lambda record, restore: record.n_iter == 3)
        assert interrupted.n_iter_ == 3
        assert not interrupted.converged_
        assert "Interrupted" in interrupted.solution_.status
        assert (interrupted.solution_.reason, stopped.solution_.reason) == ("interrupted", "stopped_by_callback")
        np.testing.assert_array_equal(interrupted.restored_, stopped.restored_)

    def test_too_few_iterations_warn_with_the_way_out(self, name, grey, mask):
        method = dataclasses.replace(resolve(name), max_iter=1)
        way_out = "Raise max_iter or tol" if hasattr(method, "tol") and method.tol else "Raise max_iter"
        with pytest.warns(match=rf"(?s)\(max_iter\).*{way_out}\.") as caught:
            inpainter = Inpainter(method).fit(grey, mask=mask)
        assert [w.category.__name__ for w in caught] == ["ConvergenceWarning"]
        assert not inpainter.converged_
        assert inpainter.solution_.reason == "max_iter"
        assert inpainter.n_iter_ == 1

    @pytest.mark.filterwarnings("ignore::skinpaint.ConvergenceWarning")
    def test_a_truthy_answer_that_is_not_true_does_not_stop(self, name, grey, mask):
        method = three_iterations(name)
        inpainter = Inpainter(method).fit(grey, mask=mask, callback=lambda record, restore: restore())
        assert inpainter.n_iter_ == 3

    @pytest.mark.filterwarnings("ignore::skinpaint.ConvergenceWarning")
    def test_progress_shows_a_bar_and_changes_nothing(self, name, grey, mask, capsys):
        method = three_iterations(name)
        restored = inpaint(grey, mask, method=method, progress=True)
        shown = capsys.readouterr()
        assert type(method).__name__ in shown.err
        assert shown.out == ""
        np.testing.assert_array_equal(restored, inpaint(grey, mask, method=method))


def test_progress_without_a_stream_to_show_it_on(grey, mask, monkeypatch):
    """Python has none in a program with windows alone."""
    monkeypatch.setattr("sys.stderr", None)
    assert inpaint(grey, mask, method="laplace", progress=True).shape == grey.shape
    assert compare(grey, mask, ["laplace"], progress=True).best.error is None
    chunked = pytest.importorskip("dask.array").from_array(grey, grey.shape)
    assert inpaint(chunked, mask, method="laplace", progress=True).shape == grey.shape


@pytest.mark.parametrize("name", ["laplace", "gd"])
def test_a_callback_may_write_to_the_array_that_was_given(name, grey, mask):
    """The answer of `inpaint` had the known pixels that the callback had written."""
    image, hidden = grey.copy(), mask.copy()

    def write(record, restore):
        image[:], hidden[:] = 0, True

    np.testing.assert_array_equal(inpaint(image, hidden, method=name, callback=write), inpaint(grey, mask, method=name))


def test_nothing_prints(grey, mask, capsys):
    for name in METHODS:
        inpaint(grey, mask, method=name)
    assert capsys.readouterr() == ("", "")


# Planted faults: one way to break each law, and the law that must notice. A method fills with the middle of each
# channel's box, which obeys every law, except for its fault.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Middle(Method):
    def fill(self, problem):
        return problem.values.astype(float)

    def solve(self, problem, callback=None):
        values = self.fill(problem)
        record = Record(n_iter=1)
        if callback is not None:
            callback(record, lambda: problem.write_back(values))
        return Solution(values=values, reason=Reason.CONVERGED, status="Filled.", n_iter=1, history=(record,))


class NotFinite(Middle):
    def fill(self, problem):
        return np.where(problem.mask, np.nan, problem.values)


class WrongShape(Middle):
    def fill(self, problem):
        return problem.values[..., 0]


class Silent(Middle):
    def solve(self, problem, callback=None):
        return dataclasses.replace(super().solve(problem, callback), status="")


class LostHistory(Middle):
    def solve(self, problem, callback=None):
        return dataclasses.replace(super().solve(problem, callback), history=())


class Bare(Middle):
    def solve(self, problem, callback=None):
        return super().solve(problem, callback).values


class ReasonInWords(Middle):
    def solve(self, problem, callback=None):
        return dataclasses.replace(super().solve(problem, callback), reason="converged")


class GapNotFinite(Middle):
    def solve(self, problem, callback=None):
        return dataclasses.replace(super().solve(problem, callback), energy=1.0, gap=np.nan)


class GapInWords(Middle):
    def solve(self, problem, callback=None):
        return dataclasses.replace(super().solve(problem, callback), energy=1.0, gap="small")


class GapOfEachChannel(Middle):
    def solve(self, problem, callback=None):
        return dataclasses.replace(super().solve(problem, callback), energy=1.0, gap=np.zeros(3))


class EnergyNotFinite(Middle):
    def solve(self, problem, callback=None):
        return dataclasses.replace(super().solve(problem, callback), energy=np.nan)


class MovesKnown(Middle):
    def fill(self, problem):
        return problem.values + 1e-5


class WritesToTheProblem(Middle):
    def fill(self, problem):
        values = super().fill(problem)
        problem.values[:] = 0
        return values


class Leaks(Middle):
    def fill(self, problem):
        return problem.write(np.empty(problem.shape), damaged=True)


class Remembers(Middle):
    seen = {}  # noqa: RUF012

    def fill(self, problem):
        """Return what the previous problem of this shape had where this one has nothing."""
        before = self.seen.get(problem.values.shape, problem.values)
        self.seen[problem.values.shape] = problem.values
        return np.where(problem.mask, before, problem.values)


class Absolute(Middle):
    def fill(self, problem):
        """Fill with what is one unit of the image, whatever the unit."""
        return np.where(problem.mask, 1 / problem._scale, problem.values)


class FirstToLast(Middle):
    def fill(self, problem):
        """Repeat the previous value in C order."""
        flat = problem.values.copy().reshape(-1, problem.values.shape[-1])
        for i in range(1, len(flat)):
            missing = np.broadcast_to(problem.mask, problem.values.shape).reshape(flat.shape)[i]
            flat[i] = np.where(missing, flat[i - 1], flat[i])
        return flat.reshape(problem.values.shape)


class AlongTheFirstAxis(Middle):
    def fill(self, problem):
        """Mean of each line along the first axis: flips do not matter, an exchange of axes does."""
        known = ~np.broadcast_to(problem.mask, problem.values.shape)
        total = np.where(known, problem.values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return np.where(known, problem.values, total)


class MixesChannels(Middle):
    def fill(self, problem):
        return np.where(problem.mask, problem.values.mean(axis=-1, keepdims=True), problem.values)


class NeverHalf(Middle):
    def fill(self, problem):
        return np.where(problem.mask, 0.75, problem.values)


class Deaf(Middle):
    def solve(self, problem, callback=None):
        return super().solve(problem)


class Relentless(Middle):
    def solve(self, problem, callback=None):
        for _ in range(3):
            solution = super().solve(problem, callback)
        return solution


class ForgetsRecords(Middle):
    def solve(self, problem, callback=None):
        return dataclasses.replace(super().solve(problem, callback), history=(Record(n_iter=1, energy=0.0),))


class Overclaims(Reweighted):
    def step(self, problem, state):
        state = super().step(problem, state)
        return dataclasses.replace(state, gap=state.gap / 100, distance=state.gap / 100)


FAULTS = {
    NotFinite: "well_formed",
    WrongShape: "well_formed",
    Silent: "well_formed",
    LostHistory: "well_formed",
    Bare: "well_formed",
    ReasonInWords: "well_formed",
    GapNotFinite: "well_formed",
    EnergyNotFinite: "well_formed",
    MovesKnown: "known_pixels",
    WritesToTheProblem: "known_pixels",
    Leaks: "hidden_values",
    Remembers: "memory",
    Absolute: "affine",
    FirstToLast: "flips",
    AlongTheFirstAxis: "axes",
    MixesChannels: "channels",
    NeverHalf: "constant",
    Deaf: "callback",
    Relentless: "callback",
    ForgetsRecords: "callback",
    Overclaims: "gap",
}


def test_the_sound_method_passes():
    check_method(Middle(), tol=1e-12)
    check_method("laplace", skip=[name for name in LAWS if name != "well_formed"])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_caught_by_its_law(fault):
    law = FAULTS[fault]
    others = [name for name in LAWS if name != law]
    with pytest.raises(AssertionError, match=rf"^{fault.__name__} breaks the law '{law}' on the trial '\w+': .+\.$"):
        check_method(fault(), skip=others)


class WritesToTheImage(Middle):
    def fill(self, problem):
        problem.array[:] = 0
        return super().fill(problem)


@pytest.mark.parametrize("restore", [inpaint, lambda *given, method: Inpainter(method).fit(*given[:1], mask=given[1])])
def test_no_method_can_write_to_the_image(restore, grey, mask):
    """Known pixels came back as the method had changed them, and the user's own image was changed, too."""
    image = grey.copy()
    with pytest.raises(ValueError, match="read-only"):
        restore(image, mask, method=WritesToTheImage())
    np.testing.assert_array_equal(image, grey)
    image[0, 0] = 1  # the user may


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (ReasonInWords, "must return a skinpaint.Reason as reason. Got 'converged' instead"),
        (GapNotFinite, "must return a float of at least 0 or None as gap. Got nan instead"),
        (GapInWords, "must return a float of at least 0 or None as gap. Got 'small' instead"),
        (GapOfEachChannel, r"must return a float of at least 0 or None as gap. Got array\(\["),
    ],
)
def test_what_a_method_says_is_checked(fault, sentence, grey, mask):
    """They ended in an AttributeError, and in an InvalidOperation of decimals when the solution was printed."""
    with pytest.raises(TypeError, match=sentence):
        inpaint(grey, mask, method=fault())


def test_a_door_that_returns_the_image_itself_is_caught(monkeypatch):
    monkeypatch.setattr(Inpainter, "fit_restore", lambda self, image, mask: self.fit(image, mask=mask) and image)
    with pytest.raises(AssertionError, match=r"'undamaged'.* not a copy"):
        check_method(Middle(), skip=[name for name in LAWS if name != "undamaged"])


def test_a_door_that_works_without_need_is_caught(monkeypatch):
    monkeypatch.setattr(Problem, "trivial", None)
    with pytest.raises(AssertionError, match=r"'undamaged'.* costs 1 iterations"):
        check_method(Middle(), skip=[name for name in LAWS if name != "undamaged"])


def test_a_door_that_changes_known_pixels_is_caught(monkeypatch):
    restore = Problem.write_back
    monkeypatch.setattr(Problem, "write_back", lambda self, values: np.nextafter(restore(self, values), np.float32(9)))
    with pytest.raises(AssertionError, match=r"'known_pixels'.*pixels were changed"):
        check_method(Middle(), skip=[name for name in LAWS if name != "known_pixels"])


def test_a_door_that_changes_the_dtype_is_caught(monkeypatch):
    restore = Problem.write_back
    monkeypatch.setattr(Problem, "write_back", lambda self, values: restore(self, values).astype(np.float32))
    with pytest.raises(AssertionError, match=r"'known_pixels'.*dtype float64 came back as float32"):
        check_method(Middle(), skip=[name for name in LAWS if name != "known_pixels"])


def test_every_law_has_a_planted_fault():
    assert set(FAULTS.values()) | {"undamaged"} == set(LAWS)


def test_check_method_refuses_unknown_laws():
    with pytest.raises(ValueError, match=r"'skip' parameter of check_method .* Got \['flip'\] instead"):
        check_method(Middle(), skip=["flip"])


@pytest.mark.parametrize("name", METHODS)
def test_spacing_matters_or_the_status_says_that_it_does_not(name, rng):
    """It counted only in the first fill of "dct", and nowhere in "exemplar", without a word."""
    image = rng.random((12, 14)).cumsum(axis=0)
    mask = rng.random(image.shape) < 0.4

    def fit(spacing):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Inpainter(name, bounds=(-1, 20), spacing=spacing).fit(image, mask=mask)

    if name == "pnp":
        with pytest.raises(ValueError, match="'spacing'"):
            fit((1, 5))
        return
    equal, unequal = fit(3), fit((1, 5))
    moved = np.abs(equal.restored_ - unequal.restored_).max() > 1e-4 * np.ptp(image)
    assert moved or not resolve(name).sees_spacing
    assert ("spacing hardly counts" in unequal.solution_.status) != resolve(name).sees_spacing
    assert "spacing" not in equal.solution_.status
