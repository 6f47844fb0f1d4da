"""Methods side by side: who is ranked first, on what evidence, and what the table and the sheet show."""

import dataclasses
import warnings
from functools import partial
from math import inf

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from skimage import data

import skinpaint
import skinpaint.comparison
import skinpaint.holdout
from skinpaint import Biharmonic, Exemplar, Inpainter, Laplace, PlugAndPlay, Solution, compare, inpaint
from skinpaint.comparison.draws import disjoint_draws
from skinpaint.comparison.entrants import name_of
from skinpaint.comparison.ranking import expected, lead
from skinpaint.damage import scratches
from skinpaint.holdout import score_holdout
from skinpaint.methods import METHODS
from skinpaint.methods.base import Method
from skinpaint.scores import psnr
from skinpaint.show.contact_sheet import widest_difference
from skinpaint.show.heat import STOPS, in_colours
from skinpaint.solution import Reason, Record
from skinpaint.testing import TRIALS

y, x = np.mgrid[:48, :56]
SLOPES = np.rint(128 + 90 * np.sin(x / 9) * np.cos(y / 11)).astype(np.uint8)


@pytest.fixture(scope="module")
def scene():
    """Slopes, which biharmonic continues and laplace does not, as bytes."""
    return SLOPES, scratches(SLOPES, count=10, width=3, rng=0)[1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Custom(Method):
    """What a test needs: ``fill(problem) -> values``."""

    fill: object = None

    def solve(self, problem, callback=None):
        values = self.fill(problem)
        return Solution(values=values, reason=Reason.CONVERGED, status="Filled.", n_iter=1, history=(Record(n_iter=1),))


def broken(problem):
    error = ArithmeticError("two words\nand a line")
    error.add_note("A note.")
    raise error


def damaged(problem):
    return problem.write(np.empty(problem.shape), damaged=True)


middle = Custom(fill=lambda problem: problem.values.astype(float))
cheat = Custom(fill=damaged)  # takes what the image holds under the mask


def rivals(image, scale, seed=1):
    """Return two methods that are off by noise of a hundredth, the second by `scale` times as much."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((2, *image.shape)) * np.array([1, scale])[:, None, None] * 1e-2
    return {
        name: Custom(fill=lambda problem, e=e: (image[..., None] - problem._offset) / problem._scale + e[..., None])
        for name, e in zip(("one", "two"), noise, strict=True)
    }


def test_the_function_is_not_hidden_by_a_module():
    assert skinpaint.compare is skinpaint.comparison.compare


class TestScores:
    def test_without_a_truth_it_is_the_score_of_the_inpainter(self, scene):
        image, mask = scene
        comparison = compare(image, mask, ["laplace", "biharmonic"])
        for name in ("laplace", "biharmonic"):
            first = score_holdout(lambda noisy, larger, n=name: inpaint(noisy, larger, method=n), image, mask)
            assert comparison[name].scores[0] == first
            assert comparison[name].ssim is None

    def test_with_a_truth_it_is_the_error_of_the_missing_pixels(self, scene):
        image, mask = scene
        comparison = compare(np.where(mask, 255, image), mask, ["laplace", middle], truth=image)
        for name, method in {"laplace": "laplace", "Custom": middle}.items():
            entry = next(e for e in comparison.entries if e.name.startswith(name))
            restored = inpaint(image, mask, method=method)
            np.testing.assert_array_equal(entry.restored, restored)
            assert entry.psnr == psnr(image, restored, where=mask)
        assert 0 < comparison.entries[1].ssim < comparison.entries[0].ssim <= 1

    def test_the_better_one_is_first_either_way(self, scene):
        image, mask = scene
        for truth in (None, image):
            comparison = compare(image, mask, [middle, "laplace", "biharmonic"], truth=truth)
            names = [entry.name.partition("(")[0] for entry in comparison.entries]
            assert names == ["biharmonic", "laplace", "Custom"]
            assert comparison.best is comparison.entries[0]
            assert [entry.psnr for entry in comparison.entries] == sorted(
                [entry.psnr for entry in comparison.entries], reverse=True
            )

    def test_every_method_of_the_library_takes_part_by_default(self, scene):
        image, mask = scene
        comparison = compare(image[:24, :24], mask[:24, :24])
        assert {entry.name for entry in comparison.entries} == set(METHODS)
        assert all(entry.error is None for entry in comparison.entries)

    @pytest.mark.parametrize("trial", TRIALS)
    @pytest.mark.parametrize("known", [True, False])
    def test_any_axes_channels_and_dtypes(self, trial, known):
        trial = TRIALS[trial]
        damaged = np.where(trial.missing, 0, trial.image).astype(trial.image.dtype)
        comparison = compare(
            damaged,
            trial.mask,
            ["laplace"],
            truth=trial.image if known else None,
            channel_axis=trial.channel_axis,
        )
        assert comparison.best.restored.tobytes() == trial.restore(Laplace()).tobytes()
        assert np.isfinite(comparison.best.psnr)
        assert (comparison.best.ssim is not None) == (known and min(trial.image.shape[: trial.ndim]) >= 7)

    def test_a_channel_axis_may_be_anywhere(self):
        trial = TRIALS["mosaic"]
        first = compare(
            np.moveaxis(trial.image, -1, 0),
            np.moveaxis(trial.mask, -1, 0),
            ["laplace"],
            truth=np.moveaxis(trial.image, -1, 0),
            channel_axis=0,
        )
        last = compare(trial.image, trial.mask, ["laplace"], truth=trial.image, channel_axis=-1)
        assert first.best.psnr == pytest.approx(last.best.psnr, abs=1e-9)
        assert first.best.ssim == pytest.approx(last.best.ssim, abs=1e-9)

    def test_what_the_image_holds_under_the_mask_makes_no_difference(self, scene):
        image, mask = scene
        tables = [
            compare(np.where(mask, hidden, image.astype(float)), mask, ["laplace", "biharmonic"])
            for hidden in (0, np.nan, 1e30)
        ]
        assert len({tuple(entry.psnr for entry in table.entries) for table in tables}) == 1

    def test_a_grown_mask_is_as_the_same_mask_given(self, scene):
        image, mask = scene
        grown = compare(image, mask, "laplace", grow=1, draws=2)
        given = compare(image, skinpaint.masks.grow(mask, 1), "laplace", draws=2)
        np.testing.assert_array_equal(grown.mask, given.mask)
        assert grown.mask.sum() > mask.sum()
        assert grown.best.psnr == given.best.psnr
        np.testing.assert_array_equal(grown.best.restored, given.best.restored)

    def test_the_seed_chooses_what_is_hidden(self, scene):
        scores = [compare(*scene, ["laplace"], rng=seed).best.psnr for seed in (0, 0, 1)]
        assert scores[0] == scores[1] != scores[2]

    def test_what_the_truth_itself_misses_is_not_scored(self, scene):
        from skinpaint.containers import Contents

        image, mask = scene
        gaps = mask & (np.arange(56) % 2 == 0)
        wrong = np.where(gaps, -9999.0, image)
        known = np.where(gaps, np.nan, wrong)
        expected = compare(image.astype(float), mask, ["laplace"], truth=known)
        truths = np.ma.array(wrong, mask=gaps), Contents(wrong, hidden=gaps), Contents(wrong, nodata=(-9999,))
        for truth in truths:
            comparison = compare(image.astype(float), mask, ["laplace"], truth=truth)
            assert comparison.best.psnr == expected.best.psnr
            assert comparison.best.ssim is None
            assert "against the truth where it is known" in repr(comparison)
            assert comparison.sheet() is not None

    @pytest.mark.parametrize("unit", [1e-200, 1e-9, 1.0, 1e200])
    def test_a_change_of_unit_changes_no_score(self, unit):
        image = data.camera()[100:148, 100:156] - 60.0
        mask = scratches(np.zeros(image.shape), count=10, width=3, rng=0)[1]
        plain, scaled = (compare(u * image, mask, ["laplace", "biharmonic"]) for u in (1.0, unit))
        for entry in plain.entries:
            assert scaled[entry.name].psnr == pytest.approx(entry.psnr, abs=1e-3)
        assert psnr(unit * image, 1.5 * unit * image) == pytest.approx(psnr(image, 1.5 * image), abs=1e-9)
        assert psnr(1e-9 * SLOPES, 1.5e-9 * SLOPES) == pytest.approx(psnr(2.0 * SLOPES, 3.0 * SLOPES), abs=0.2)

    def test_arrays_among_the_settings(self, scene):
        image, mask = scene
        comparison = compare(image, mask, [Laplace(noise=np.full(image.shape, 3.0)), Exemplar(source=~mask)], draws=1)
        assert {entry.name for entry in comparison.entries} == {
            "laplace(noise=array of float64)",
            "exemplar(source=array of bool)",
        }
        assert all(entry.error is None for entry in comparison.entries)


class TestLeaks:
    """Hidden values are overwritten before any method sees them."""

    def test_a_method_that_reads_what_is_hidden_finds_noise(self, scene):
        image, mask = scene
        comparison = compare(image, mask, {"cheat": cheat, "honest": "laplace"})
        assert comparison.best.name == "honest"
        assert comparison["cheat"].psnr < 12  # noise over the range of the picture

    def test_a_hold_out_that_does_not_overwrite_would_be_noticed(self, scene, monkeypatch):
        """The planted leak: were the hidden values left in place, the cheat would be perfect."""
        image, mask = scene
        honest = skinpaint.holdout.hold_out

        def leaky(image, *args, **kwargs):
            _, larger, hidden = honest(image, *args, **kwargs)
            return image.copy(), larger, hidden

        monkeypatch.setattr("skinpaint.comparison.draws.hold_out", leaky)
        comparison = compare(image, mask, {"cheat": cheat, "honest": "laplace"})
        assert comparison.best.name == "cheat"
        assert comparison.best.psnr > 60

    def test_a_method_predicts_before_it_sees_the_answers(self, scene):
        """The image itself, of which nothing is hidden, comes last."""
        image, mask = scene
        seen = []

        def remember(problem):
            seen.append((damaged(problem), problem.mask.copy()))
            return problem.values.astype(float)

        compare(image, mask, [Custom(fill=remember)])
        *draws, (_, own) = seen
        assert len(draws) == 3
        scaled = (image - float(image[~mask].min())) / np.ptp(image[~mask])
        for noisy, larger in draws:
            assert larger.sum() > own.sum()
            hidden = (larger & ~own)[..., 0]
            assert (np.abs(noisy[..., 0] - scaled)[hidden] > 1e-3).mean() > 0.9

    def test_one_method_cannot_spoil_it_for_the_next(self, scene):
        image, mask = scene
        before = image.tobytes(), mask.tobytes()

        def vandal(problem):
            for array in (problem.values, problem.mask, problem._image):
                if array.flags.writeable and array.base is None:
                    array[...] = 0
            return np.zeros(problem.values.shape)

        alone = compare(image, mask, ["laplace"]).best.psnr
        after = compare(image, mask, {"vandal": Custom(fill=vandal), "laplace": "laplace"})["laplace"].psnr
        assert after == alone
        assert (image.tobytes(), mask.tobytes()) == before


class TestDraws:
    """What is hidden, how often, and when it ends."""

    @pytest.mark.parametrize("kind", ["scratches", "scattered", "hole", "a mask for each channel"])
    def test_no_value_is_scored_twice_and_all_that_is_scored_is_known_and_overwritten(self, kind):
        rng = np.random.default_rng(0)
        image = rng.random((60, 50, 3))
        mask = {
            "scratches": scratches(image[..., 0], count=6, rng=0)[1],
            "scattered": rng.random((60, 50)) < 0.7,
            "hole": np.pad(np.ones((14, 14), bool), ((20, 26), (10, 26))),
            "a mask for each channel": rng.random((60, 50, 3)) < [0.02, 0.3, 0.8],
        }[kind]
        draws = list(disjoint_draws(image, mask, 8, channel_axis=-1, rng=0))
        assert len(draws) > 2
        assert sum(draw.where.astype(int) for draw in draws).max() == 1
        missing = np.broadcast_to(mask if mask.ndim == 3 else mask[..., None], image.shape)
        for draw in draws:
            assert not (draw.where & missing).any()
            assert (draw.noisy != image)[draw.where].all()
            larger = np.broadcast_to(draw.larger if mask.ndim == 3 else draw.larger[..., None], image.shape)
            np.testing.assert_array_equal(draw.noisy[~larger], image[~larger])
            assert draw.hidden == draw.where.sum() // (1 if mask.ndim == 3 else 3)
            for hidden, damage in zip(np.moveaxis(draw.where, -1, 0), np.moveaxis(missing, -1, 0), strict=True):
                most = min(max(damage.sum(), 100), 0.1 * (~damage).sum() + 1)
                assert 0.3 * most <= hidden.sum() <= most  # what an earlier draw scored does not count again

    def test_every_method_predicts_the_same_pixels_in_every_draw(self, scene):
        seen = {"a": [], "b": []}

        def watch(problem, name):
            seen[name].append((problem.mask.tobytes(), damaged(problem).tobytes()))
            return problem.values.astype(float)

        methods = {name: Custom(fill=partial(watch, name=name)) for name in seen}
        comparison = compare(*scene, methods, draws=4)
        assert seen["a"] == seen["b"]
        assert len(set(seen["a"])) == 5  # four draws, and the image itself
        assert comparison.draws == len(comparison["a"].scores) == 4

    def test_the_figure_is_the_mean_of_the_draws(self, scene):
        comparison = compare(*scene, ["laplace", "biharmonic"], draws=5)
        for entry in comparison.entries:
            assert len(entry.scores) == 5
            assert entry.psnr == pytest.approx(np.mean(entry.scores), abs=1e-9)
            assert entry.margin == pytest.approx(stats.t.ppf(0.95, 4) * np.std(entry.scores, ddof=1) * np.sqrt(1.2))

    def test_they_end_when_the_first_place_is_clear(self, scene):
        image, _ = scene
        clear = compare(*scene, {"good": "biharmonic", "bad": middle})
        assert clear.draws == 3
        assert not clear.close
        tie = compare(*scene, rivals(image, 1), draws=(3, 6))
        assert tie.draws == 6
        assert (tie.ended, clear.ended) == ("", "")

    def test_two_that_are_equal_need_no_more_draws(self, scene):
        comparison = compare(*scene, {"one": "laplace", "same": "laplace"})
        assert comparison.draws == 3
        assert comparison.lead == (0, 0)
        assert comparison.close

    def test_who_is_clearly_behind_does_not_run_on_and_keeps_its_distance(self, scene):
        image, _ = scene
        methods = {**rivals(image, 1), "bad": middle}
        comparison = compare(*scene, methods, draws=(3, 6))
        full = compare(*scene, methods, draws=6)
        assert [len(entry.scores) for entry in comparison.entries] == [6, 6, 3]
        assert [len(entry.scores) for entry in full.entries] == [6, 6, 6]
        assert comparison["bad"].scores == full["bad"].scores[:3]
        shared = np.subtract(comparison.best.scores[:3], comparison["bad"].scores)
        assert comparison["bad"].psnr == pytest.approx(comparison.best.psnr - shared.mean(), abs=1e-9)
        assert comparison["bad"].psnr == pytest.approx(full["bad"].psnr, abs=3 * comparison["bad"].margin)

    def test_a_budget_ends_them_and_is_named(self, scene, monkeypatch):
        clock = iter(range(1000))
        monkeypatch.setattr("skinpaint.comparison.race.perf_counter", lambda: next(clock))
        image, _ = scene
        comparison = compare(*scene, rivals(image, 1), budget=2)
        assert comparison.draws == 2
        assert "The budget of 2 s ended the draws." in repr(comparison)
        unlimited = compare(*scene, rivals(image, 1))
        assert unlimited.draws == 8
        assert all(comparison[n].scores == unlimited[n].scores[:2] for n in ("one", "two"))

    @pytest.mark.parametrize("shape", [(2,), (3,), (1, 4), (2, 2), (3, 3), (5, 4, 3)])
    def test_tiny_images_have_as_many_draws_as_there_is_room_for(self, shape):
        image = np.arange(np.prod(shape), dtype=float).reshape(shape)
        mask = np.zeros(shape, bool)
        mask.flat[0] = image.size > 2
        comparison = compare(image, mask, {"one": "laplace", "two": middle}, draws=8)
        assert 1 <= comparison.draws <= comparison.hidden <= (~mask).sum()
        too_few = "There were too few known pixels for more draws." in repr(comparison)
        assert too_few == (comparison.draws < 8)
        assert too_few or image.size > 8
        assert all(np.isfinite(entry.psnr) for entry in comparison.entries)

    def test_one_draw_has_no_interval_and_decides_nothing(self, scene):
        comparison = compare(*scene, {"good": "biharmonic", "bad": middle}, draws=1)
        assert np.isinf(comparison.best.margin)
        assert np.isinf(comparison.lead[1])
        assert comparison.close
        assert "±" not in repr(comparison)
        assert "dB, in one draw alone." in repr(comparison)

    def test_ctrl_c_keeps_the_draws_that_are_complete(self, scene):
        calls = []

        def interrupt(problem):
            calls.append(None)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return problem.values.astype(float)

        comparison = compare(*scene, {"laplace": "laplace", "slow": Custom(fill=interrupt)}, draws=4)
        assert comparison.draws == 2
        assert [len(entry.scores) for entry in comparison.entries] == [2, 2]
        assert "Ctrl-C ended the draws." in repr(comparison)

    def test_a_method_that_stopped_at_ctrl_c_is_not_scored_for_that_draw(self, scene):
        solve = Custom.solve
        calls = []

        class Patient(Custom):
            def solve(self, problem, callback=None):
                calls.append(None)
                solution = solve(self, problem, callback)
                return dataclasses.replace(solution, reason=Reason.INTERRUPTED) if len(calls) == 2 else solution

        patient = Patient(fill=lambda problem: problem.values.astype(float))
        comparison = compare(*scene, {"patient": patient}, draws=4)
        assert comparison.draws == len(comparison.best.scores) == 1
        calls.append(None)  # the next is not the second
        assert comparison.best.scores == compare(*scene, {"patient": patient}, draws=1).best.scores


class TestIntervals:
    """Student's t, so with a known answer where errors are independent."""

    def test_they_hold_as_often_as_they_say(self):
        rng = np.random.default_rng(0)
        held = np.zeros((2000, 2))
        for trial in range(len(held)):
            rehearsals = rng.standard_normal((2, 5)) + rng.standard_normal(5)
            mean, margin = expected(rehearsals[0])
            held[trial, 0] = abs(rng.standard_normal() * np.sqrt(2) - mean) <= margin
            mean, margin = lead(*rehearsals)
            held[trial, 1] = abs(mean) <= margin
        np.testing.assert_allclose(held.mean(axis=0), 0.9, atol=3 * 0.3 / np.sqrt(len(held)))

    @pytest.mark.parametrize("side", [1, 4])
    def test_of_few_pixels_nothing_is_said(self, side):
        """A draw hides a hundred, whose mean is spread less than one of one or of sixteen."""
        image, mask = data.camera()[150:250, 150:250], np.zeros((100, 100), bool)
        mask[50 : 50 + side, 50 : 50 + side] = True
        comparison = compare(image, mask, ["laplace"])
        assert comparison.best.margin == inf
        assert "±" not in repr(comparison)
        assert "No interval is given: fewer pixels are missing than a draw scored" in repr(comparison)

    @pytest.mark.parametrize("known", [3, 450])
    def test_from_few_pixels_nothing_is_said(self, known):
        """A draw hides a tenth of the known pixels, and no more."""
        image, mask = data.camera()[:40, :44], np.ones((40, 44), bool)
        mask.flat[np.random.default_rng(0).permutation(mask.size)[:known]] = False
        comparison = compare(image, mask, ["laplace"], draws=3)
        assert comparison.draws > 1
        assert comparison.best.margin == inf
        assert "±" not in repr(comparison)
        assert "No interval is given: a draw scored fewer than 50 pixels" in repr(comparison)

    def test_a_lead_holds_although_one_stops_when_it_is_clear(self):
        """Were the chance to be wrong not shared among the looks, it would hold in fewer than eight of ten."""
        rng = np.random.default_rng(0)
        wrong = {1: 0, 6: 0}
        for _ in range(800):
            one, two = rng.standard_normal((2, 8))
            for looks in wrong:
                leads = (lead(one[:n], two[:n], looks) for n in range(3, 9))
                wrong[looks] += any(abs(mean) > margin for mean, margin in leads)
        assert wrong[6] < 0.1 * 800
        assert wrong[1] > 0.2 * 800

    def test_what_makes_a_draw_hard_for_all_does_not_blur_a_lead(self, scene):
        image, _ = scene
        comparison = compare(*scene, rivals(image, 2), draws=6)
        assert comparison.lead[0] == pytest.approx(comparison.entries[0].psnr - comparison.entries[1].psnr, abs=1e-9)
        hard = np.array([0, 9, -4, 3, -7, 2.0])
        scores = [np.array(entry.scores) + hard for entry in comparison.entries]
        assert lead(*scores) == pytest.approx(lead(*(entry.scores for entry in comparison.entries)))
        assert expected(scores[0])[1] > 5 * expected(comparison.best.scores)[1]

    def test_too_close_to_call_is_said_if_the_interval_holds_zero(self, scene):
        image, _ = scene
        close = []
        for ratio in (1, 1.02, 1.05, 1.1, 1.2, 2):
            comparison = compare(*scene, rivals(image, ratio))
            mean, margin = comparison.lead
            assert mean >= 0
            assert comparison.close == (mean - margin <= 0) == ("too close to call" in repr(comparison))
            said = f"{comparison.entries[0].name} leads {comparison.entries[1].name} by {mean:.2f} ± {margin:.2f} dB"
            assert said in repr(comparison)
            close.append(comparison.close)
        assert close[0]
        assert not close[-1]

    def test_there_is_no_lead_with_a_truth_or_alone(self, scene):
        image, mask = scene
        assert compare(image, mask, ["laplace"]).lead is None
        known = compare(image, mask, ["laplace", "biharmonic"], truth=image)
        assert known.lead is None
        assert not known.close
        assert np.isnan(known.best.margin)
        assert "±" not in repr(known)


class TestFailures:
    def test_a_method_that_raises_is_a_row_with_its_error_and_the_others_run(self, scene):
        comparison = compare(*scene, {"broken": Custom(fill=broken), "laplace": "laplace"})
        assert comparison.best.name == "laplace"
        row = comparison["broken"]
        assert isinstance(row.error, ArithmeticError)
        assert row.restored is None
        assert np.isnan(row.psnr)
        line = repr(comparison).splitlines()[2]
        assert line.split()[:2] == ["-", "broken"]
        assert line.endswith("ArithmeticError: two words and a line A note.")

    @pytest.mark.parametrize("truth", [True, False])
    def test_values_that_are_not_finite_are_a_failure_too(self, scene, truth):
        image, mask = scene
        wrong = Custom(fill=lambda problem: np.where(problem.mask, np.nan, problem.values))
        comparison = compare(image / 255, mask, {"nan": wrong}, truth=image / 255 if truth else None)
        assert "finite" in comparison["nan"].status
        with pytest.raises(ValueError, match="Every method failed"):
            comparison.best  # noqa: B018

    def test_too_few_iterations_are_in_the_status_and_do_not_warn(self, scene):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            comparison = compare(*scene, [PlugAndPlay(max_iter=1)])
        assert "Not converged" in repr(comparison)

    def test_ctrl_c_is_no_failure_of_a_method(self, scene):
        def interrupt(problem):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            compare(*scene, [Custom(fill=interrupt)])

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ({"methods": []}, "at least one method"),
            ({"methods": ["laplace", "laplace"]}, "none twice"),
            ({"methods": ["nonsense"]}, "must be one of"),
            ({"truth": np.zeros((3, 3))}, r"the shape \(48, 56\) of the image.* \(3, 3\)"),
            ({"truth": np.full((48, 56), "a")}, "real numbers"),
            ({"truth": SLOPES / 255}, "must show what the known pixels show, on the same scale. Got values from 0"),
            ({"truth": SLOPES.astype(np.uint16) * 257}, "Is it another picture, or one of another depth"),
            ({"truth": SLOPES[::-1]}, "another picture"),
            ({"fraction": 2}, "'fraction' parameter of compare"),
            ({"draws": 0}, "'draws' parameter of compare must be an int of at least 1, or two"),
            ({"draws": (4, 3)}, r"the smaller first. Got \(4, 3\)"),
            ({"draws": (1, 2, 3)}, "'draws'"),
            ({"draws": 2.5}, "'draws'"),
            ({"draws": True}, "'draws'"),
            ({"budget": 0}, "'budget' parameter of compare must be a number of seconds above 0"),
            ({"budget": "1 h"}, "'budget'"),
            (
                {"rng": -1},
                "'rng' parameter of compare must be an int of at least 0, a Generator or None. Got -1 instead",
            ),
            ({"rng": 1.5}, "'rng'"),
            ({"bounds": (0, 1)}, "'bounds'"),
            ({"mask": np.zeros((3, 3))}, "'mask' parameter"),
            ({"mask": np.zeros((48, 56)), "truth": np.zeros((48, 56))}, "nothing is missing. Pass a mask that marks"),
        ],
    )
    def test_what_is_wrong_with_the_question_is_an_error(self, scene, arguments, says):
        image, mask = scene
        with pytest.raises(ValueError, match=says):
            compare(image, **{"mask": mask, "methods": ["laplace"], **arguments})

    def test_an_inpainter_that_restores_in_a_way_of_its_own_is_no_method(self, scene):
        """Its method was scored in its name."""

        class Bright(Inpainter):
            def fit_restore(self, image, mask=None, **keywords):
                return super().fit_restore(image, mask, **keywords) + 1

        class Dark(Inpainter):
            def transform(self, X):
                return super().transform(X) - 1

        with pytest.raises(TypeError, match=r"Got a Dark with transform of its own"):
            compare(*scene, [Dark("laplace")])
        with pytest.raises(TypeError, match=r"'methods' parameter .*Got a Bright with fit_restore of its own"):
            compare(*scene, [Bright("laplace")])


class TestNames:
    def test_methods_are_called_by_name_and_settings(self, scene):
        methods = ["gd", Laplace(lags=(1, 2)), Biharmonic(), PlugAndPlay(denoise_function=broken)]
        inpainters = [Inpainter("laplace", bounds="dtype"), Inpainter(Laplace())]
        names = [name_of(entrant) for entrant in methods + inpainters]
        assert names == [
            "gd",
            "laplace(lags=(1, 2))",
            "biharmonic",
            "pnp(denoise_function=broken)",
            "laplace, bounds='dtype'",
            "laplace",
        ]

    def test_a_method_of_your_own_is_called_by_its_class(self):
        class Mine(Method):
            def solve(self, problem, callback=None):
                raise NotImplementedError

        assert name_of(Mine()) == "Mine"

    def test_a_mapping_gives_names(self, scene):
        comparison = compare(*scene, {"a": Laplace(), "b": Laplace(lags=(1, 2))})
        assert {entry.name for entry in comparison.entries} == {"a", "b"}
        with pytest.raises(KeyError, match="no method is called 'c'"):
            comparison["c"]

    def test_what_is_no_method_is_refused(self, scene):
        with pytest.raises(TypeError, match=r"'method' parameter .* Did you mean to call the class\?"):
            compare(*scene, Laplace)

    def test_one_method_alone_need_not_be_in_a_list(self, scene):
        assert compare(*scene, "laplace").best.name == "laplace"

    def test_an_inpainter_brings_its_bounds(self, scene):
        image, mask = scene
        bright = np.where(mask, 255, image)
        comparison = compare(bright, mask, [Inpainter(middle, bounds=(0, 255)), Inpainter(middle, bounds=(0, 254))])
        filled = {int(entry.restored[mask][0]) for entry in comparison.entries}
        assert filled == {127, 128}


class TestTable:
    def test_the_table_says_who_how_good_how_long_and_why(self, scene):
        image, mask = scene
        lines = repr(compare(image, mask, ["laplace", "biharmonic"], truth=image)).splitlines()
        assert lines[0].split() == ["method", "PSNR/dB", "SSIM", "seconds", "status"]
        assert lines[1].split()[:2] == ["1", "biharmonic"]
        assert lines[2].split()[:2] == ["2", "laplace"]
        assert lines[2].endswith(".")
        assert lines[-1] == f"Scores are of the {mask.sum():,} missing pixels, against the truth."

    def test_without_a_truth_it_says_what_the_scores_are_of(self, scene):
        image, mask = scene
        comparison = compare(image, mask, ["laplace"])
        assert comparison.hidden <= 3 * round(0.1 * (~mask).sum())
        said = repr(comparison)
        assert f"PSNR is of {comparison.hidden:,} known pixels that were hidden as the missing ones are" in said
        assert "in 3 draws" in said
        assert "±: one more draw is in this interval in 9 of 10 cases" in said
        assert f"Less is missing around the {mask.sum():,} missing pixels than around hidden ones" in said
        assert f"{comparison.best.psnr:.2f} ± {comparison.best.margin:.2f}" in said
        assert "SSIM" not in said

    def test_where_nothing_is_missing_it_says_so(self, scene):
        said = repr(compare(scene[0], np.zeros_like(scene[1]), ["laplace"], draws=1))
        assert "known pixels that were hidden and predicted, in 1 draw. Nothing is missing in the image itself." in said

    def test_it_says_what_was_taken_for_missing_unasked(self, scene):
        image, mask = scene
        assert "at 0 or 255 for missing" in repr(compare(np.where(mask, 255, image), methods=["laplace"]))


class TestSheet:
    @pytest.mark.parametrize("known", [True, False])
    def test_shows_every_picture_once(self, scene, known, tmp_path):
        image, mask = scene
        methods = {"laplace": "laplace", "broken": Custom(fill=broken), "biharmonic": "biharmonic"}
        comparison = compare(image, mask, methods, truth=image if known else None)
        comparison.save(tmp_path / "sheet.png")
        with Image.open(tmp_path / "sheet.png") as file:
            sheet = np.asarray(file.convert("RGB"))
        assert sheet.shape == np.asarray(comparison.sheet()).shape
        zoom, margin, line = -(-320 // 56), 12, 24
        step = 48 * zoom + margin // 2 + 56 * zoom + 2 * line + margin  # a picture, its square detail and two lines
        tiles = [
            np.where(mask, 255, image),
            *(entry.restored for entry in comparison.entries),
            *([image] if known else []),
        ]
        for k, picture in enumerate(tiles):
            row, column = margin + k // 3 * step, margin + k % 3 * (56 * zoom + margin)
            shown = sheet[row : row + 48 * zoom : zoom, column : column + 56 * zoom : zoom, 0]
            wanted = np.full_like(image, 210) if picture is None else picture
            assert (shown == wanted).mean() > 0.85, k  # the frame of the detail is in front
        remarks = sheet[margin + 2 * step :]
        assert (remarks < 100).any(axis=(1, 2)).sum() > 5 * (1 if known else 3)  # lines of letters below the pictures
        with pytest.raises(FileExistsError):
            comparison.save(tmp_path / "sheet.png")

    def test_colours_stay(self):
        rng = np.random.default_rng(0)
        image = np.broadcast_to(np.array([200, 30, 90], np.uint8), (30, 40, 3)).copy()
        image[::2] -= 10
        comparison = compare(image, rng.random((30, 40)) < 0.2, ["laplace"], channel_axis=-1)
        sheet = np.asarray(comparison.sheet())
        assert (sheet == (200, 30, 90)).all(axis=-1).mean() > 0.2

    def test_the_detail_is_where_the_answers_differ(self):
        answers = np.zeros((2, 100, 120))
        answers[1, 70:75, 20:25] = 1
        rows, columns = widest_difference(list(answers), np.ones((100, 120), bool))
        assert rows.start <= 70 < 75 <= rows.stop
        assert columns.start <= 20 < 25 <= columns.stop
        assert (rows.stop - rows.start, columns.stop - columns.start) == (20, 24)

    def test_large_pictures_are_reduced_and_their_detail_is_not(self, rng):
        image = rng.integers(0, 256, (300, 1500), dtype=np.uint8)
        mask = rng.random(image.shape) < 0.02
        sheet = compare(image, mask, ["laplace"]).sheet()
        assert sheet.width == 2 * 640 + 3 * 12
        assert widest_difference([image], mask)[1].stop <= 160

    @pytest.mark.parametrize("channel_axis", [None, 0])
    def test_a_map_shows_where_the_best_one_is_unsure(self, channel_axis):
        rng = np.random.default_rng(0)
        shape = (48, 56) if channel_axis is None else (3, 48, 56)
        image, mask = rng.integers(0, 255, shape, dtype=np.uint8), rng.random((48, 56)) < 0.3
        comparison = compare(image, mask, ["laplace", "biharmonic"], channel_axis=channel_axis, draws=1)
        best = Inpainter(comparison.best.method, channel_axis=channel_axis).fit(image, mask=mask)
        std = comparison.std()
        assert std.tobytes() == best.std().tobytes()
        plain, sheet = (np.asarray(comparison.sheet(std=asked)) for asked in (False, True))
        assert plain.shape[0] < sheet.shape[0]
        zoom, margin, below = -(-320 // 56), 12, 38 + 2 * 24  # a bar and two lines
        row = margin + (48 + 56) * zoom + margin // 2 + below + margin  # below the damaged image and two restored ones
        colours = sheet[row : row + 48 * zoom : zoom, margin : margin + 56 * zoom : zoom]
        expected, top = in_colours(std if channel_axis is None else np.sqrt((std**2).mean(axis=0)))
        assert top > 0
        assert (colours == expected).all(axis=-1).mean() > 0.85  # the frame of the detail is in front
        bar = sheet[row + (48 + 56) * zoom + margin // 2 :, margin : margin + 56 * zoom].astype(int)
        for colour in STOPS:
            assert (np.abs(bar - colour) < 4).all(axis=-1).any()

    def test_a_sheet_of_failures_has_no_map(self, scene):
        comparison = compare(*scene, {"broken": Custom(fill=broken)}, draws=1)
        assert comparison.sheet(std=True).tobytes() == comparison.sheet().tobytes()

    def test_a_volume_has_no_sheet(self):
        trial = TRIALS["volume"]
        with pytest.raises(ValueError, match=r"shape \(M, N\).*Got \(4, 5, 6\)"):
            compare(trial.image, trial.mask, ["laplace"]).sheet()
