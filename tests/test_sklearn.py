"""The real scikit-learn: parameters, pipelines on one image and on lists, and searches that pick well."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest
from skimage import data
from skimage.restoration import inpaint_biharmonic
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import Tags, get_tags
from sklearn.utils.validation import check_is_fitted

from skinpaint import GradientDescent, Inpainter, Laplace, Reason, Solution, inpaint
from skinpaint.methods import METHODS, resolve
from skinpaint.methods.base import Method
from skinpaint.scores import psnr


class Negate(TransformerMixin, BaseEstimator):
    """A step that goes before or after."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return [-x for x in X] if isinstance(X, list) else -X

    def __sklearn_is_fitted__(self):
        return True


@pytest.fixture
def damaged(grey, mask):
    return np.where(mask, np.nan, grey)


class TestParameters:
    def test_are_those_of_the_constructor_verbatim(self):
        given = {
            "method": "laplace",
            "channel_axis": -1,
            "missing_values": 7,
            "bounds": [0, 9],
            "spacing": [1, 2],
            "grow": 2,
            "max_distance": 5,
            "progress": True,
        }
        params = Inpainter(**given).get_params(deep=False)
        assert list(params) == list(given)
        for name, value in given.items():
            assert params[name] is value

    @pytest.mark.parametrize("name", METHODS)
    def test_deep_ones_show_the_settings_of_the_method(self, name):
        deep = Inpainter(name).get_params()
        method = resolve(name)
        shown = {key.removeprefix("method__"): value for key, value in deep.items() if key.startswith("method__")}
        assert replace(method, **shown) == method
        assert deep["method"] == name

    def test_of_a_method_object_are_its_own(self):
        inpainter = Inpainter(GradientDescent(max_iter=7))
        assert inpainter.get_params()["method__max_iter"] == 7

    def test_set_params_replaces_a_setting_and_leaves_the_rest(self):
        inpainter = Inpainter("gd", channel_axis=0)
        assert inpainter.set_params(method__max_iter=3) is inpainter
        assert inpainter.method == GradientDescent(max_iter=3)
        assert inpainter.channel_axis == 0
        for wrong in ({"grow": 3, "grwo": 3}, {"method": "laplace", "method__nix": 1}, {"grow": 3, "method": "nix"}):
            with pytest.raises(ValueError, match=r"Got ('grwo'|'nix')"):
                inpainter.set_params(**wrong)
            assert (inpainter.method, inpainter.grow) == (GradientDescent(max_iter=3), 0), "all are set, or none"
        inpainter.set_params(method__tol=0.5, channel_axis=None)
        assert inpainter.method == GradientDescent(max_iter=3, tol=0.5)
        assert inpainter.channel_axis is None

    @pytest.mark.parametrize("reverse", [False, True])
    def test_method_itself_is_applied_first(self, reverse):
        params = {"method": "laplace", "method__lags": (1, 2)}
        ordered = dict(reversed(params.items())) if reverse else params
        assert Inpainter("gd").set_params(**ordered).method == Laplace(lags=(1, 2))

    def test_a_method_object_that_was_given_is_not_changed(self):
        method = GradientDescent(max_iter=9)
        Inpainter(method).set_params(method__max_iter=3)
        assert method.max_iter == 9

    @pytest.mark.parametrize("method", ["gd", GradientDescent(max_iter=4, tol=None), Laplace(lags=(1, 2))])
    def test_clone(self, method, damaged):
        inpainter = Inpainter(method, spacing=(1, 2), bounds=(0, 999)).fit(damaged)
        copy = clone(inpainter)
        assert copy is not inpainter
        assert copy.get_params() == inpainter.get_params()
        assert not [name for name in vars(copy) if name.endswith("_")]

    def test_a_wrong_method_is_complained_of_where_it_is_set_or_used(self):
        inpainter = Inpainter("bogus").set_params(bounds="dtype")
        assert inpainter.bounds == "dtype"
        for asked in ({"method": "other"}, {"method__tol": 0.1}):
            with pytest.raises(ValueError, match="The 'method' parameter of Inpainter must be one of"):
                inpainter.set_params(**asked)
        assert inpainter.set_params(method="laplace").method == "laplace"

    def test_clone_after_set_params(self):
        copy = clone(Inpainter("gd").set_params(method__max_iter=3))
        assert copy.method == GradientDescent(max_iter=3)

    def test_a_subclass_has_parameters_of_its_own(self, damaged):
        class Few(Inpainter):
            def __init__(self, method="laplace", *, darker=0):
                super().__init__(method)
                self.darker = darker

            def transform(self, X):
                return super().transform(X) - self.darker

        class More(Few):
            def __init__(self, method="laplace", *, darker=0, **others):
                Inpainter.__init__(self, method, **others)
                self.darker = darker

        for subclass, others in ((Few, {}), (More, {"grow": 1})):
            copy = clone(subclass(darker=2, **others).fit(damaged))
            assert repr(copy) == f"{subclass.__name__}(darker=2{', grow=1' if others else ''})"
            assert copy.get_params(deep=False).items() >= {"method": "laplace", "darker": 2, **others}.items()
            expected = inpaint(damaged, method="laplace", **others)
            np.testing.assert_array_equal(copy.fit(damaged).restored_, expected)
            np.testing.assert_array_equal(copy.set_params(darker=3).transform(damaged), expected - 3)
        with pytest.raises(ValueError, match=r"must be one of method, darker, .*Got 'grow' instead"):
            Few().set_params(grow=1)

    def test_parameters_that_a_subclass_has_not_are_none(self):
        """They were set, and `clone` lost them without a word."""

        class Fixed(Inpainter):
            def __init__(self, grow=0):
                super().__init__("laplace", grow=grow)

        class Handing(Inpainter):
            def __init__(self, *names, extra=0):
                super().__init__(*names)
                self.extra = extra

        assert Fixed().get_params() == {"grow": 0}
        for given in ({"method": "biharmonic"}, {"method__tol": 1e-3}):
            with pytest.raises(ValueError, match=r"must be one of grow\. Got 'method"):
                Fixed().set_params(**given)
        assert Handing("laplace").get_params()["method"] == "laplace"
        with pytest.raises(TypeError, match="unexpected keyword argument 'method'"):
            clone(Handing("laplace"))

    def test_repr_shows_what_is_not_default(self):
        assert repr(Inpainter()) == "Inpainter()"
        assert repr(Inpainter("laplace", spacing=2)) == "Inpainter(method='laplace', spacing=2)"

    def test_pickle(self, damaged):
        inpainter = Inpainter("laplace").fit(damaged)
        copy = pickle.loads(pickle.dumps(inpainter))
        np.testing.assert_array_equal(copy.restored_, inpainter.restored_)
        assert copy.get_params() == inpainter.get_params()


class TestEstimator:
    def test_tags(self):
        tags = get_tags(Inpainter())
        assert isinstance(tags, Tags)
        assert tags.input_tags.allow_nan
        assert not tags.requires_fit
        assert not tags.target_tags.required

    def test_set_output_returns_self_and_leaves_arrays(self, damaged):
        inpainter = Inpainter("laplace")
        for transform in ("default", "pandas", None):
            assert inpainter.set_output(transform=transform) is inpainter
        assert type(inpainter.fit_transform(damaged)) is np.ndarray
        with config_context(transform_output="pandas"):
            assert type(inpainter.fit_transform(damaged)) is np.ndarray

    def test_needs_no_fit(self, damaged):
        check_is_fitted(Inpainter())
        expected = inpaint(damaged, method="laplace")
        np.testing.assert_array_equal(Inpainter("laplace").transform(damaged), expected)

    def test_fitted_attributes(self, damaged):
        inpainter = Inpainter("gd")
        assert not [name for name in vars(inpainter) if name.endswith("_")]
        assert inpainter.fit(damaged, damaged) is inpainter
        learned = [name for name in vars(inpainter) if name.endswith("_")]
        assert sorted(learned) == ["converged_", "history_", "mask_", "n_iter_", "restored_", "solution_"]
        assert inpainter.n_iter_ == len(inpainter.history_) == inpainter.solution_.n_iter

    def test_transform_keeps_no_state(self, damaged, grey):
        inpainter = Inpainter("laplace").fit(damaged)
        before = inpainter.restored_
        inpainter.transform(damaged[::-1])
        inpainter.transform([damaged[::-1], damaged.T])
        assert inpainter.restored_ is before

    def test_lists_are_several_images_of_any_shape(self, damaged):
        images = [damaged, damaged[:5], damaged[:, 0]]
        inpainter = Inpainter("laplace")
        assert inpainter.fit(images) is inpainter
        for several in (images, tuple(images)):
            for restored in (inpainter.transform(several), inpainter.fit_transform(several)):
                assert isinstance(restored, list)
                for image, answer in zip(images, restored, strict=True):
                    np.testing.assert_array_equal(answer, inpaint(image, method="laplace"))

    def test_fit_on_a_list_only_checks(self, damaged):
        inpainter = Inpainter("gd").fit(damaged)
        assert hasattr(inpainter, "restored_")
        inpainter.fit([damaged, damaged])
        assert not [name for name in vars(inpainter) if name.endswith("_")]  # nothing of the image before stays
        with pytest.raises(ValueError, match="needs an image first"):
            inpainter.restore()
        with pytest.raises(TypeError, match=r"The 'callback' parameter of Inpainter.fit must be None for a list"):
            inpainter.fit([damaged, damaged], callback=lambda record, restore: None)
        with pytest.raises(ValueError, match="at least one known pixel"):
            inpainter.fit([damaged, np.full((2, 2), np.nan)])

    def test_fit_on_a_list_checks_images_in_chunks_too(self, damaged):
        chunks = pytest.importorskip("dask.array").from_array(damaged)
        inpainter = Inpainter("laplace", bounds=(-1e3, 1e3)).fit([chunks, damaged])
        one, other = inpainter.transform([chunks, damaged])
        np.testing.assert_allclose(one, other, atol=1e-5)
        with pytest.raises(ValueError, match=r"'method' parameter must be .* for an image in chunks"):
            inpainter.set_params(method="gd").fit([damaged, chunks])
        with pytest.raises(ValueError, match="'bounds' parameter"):
            inpainter.set_params(method="laplace", bounds=(2, 1)).fit([chunks])

    def test_fit_transform_restores_once(self, damaged, monkeypatch):
        calls, solve = [], Laplace.solve
        monkeypatch.setattr(Laplace, "solve", lambda self, *args: calls.append(self) or solve(self, *args))
        inpainter = Inpainter("laplace")
        inpainter.fit_transform([damaged, damaged])
        assert len(calls) == 2
        inpainter.fit_transform(damaged)
        assert len(calls) == 3

    def test_a_fit_of_ones_own_is_that_of_fit_transform_and_fit_restore(self):
        class Bright(Inpainter):
            def fit(self, image, y=None, **keywords):
                return super().fit(image, y, **{**keywords, "mask": image > 8})

        row, restored = np.array([1.0, 9.0, 3.0, 4.0]), [1, 2, 3, 4]
        np.testing.assert_allclose(Bright("laplace").fit_transform(row), restored)
        np.testing.assert_allclose(Bright("laplace").fit_restore(row), restored)

    def test_threads_that_share_one_get_their_own_answers(self):
        rows = [np.array([k, np.nan, k, np.nan, k + 1.0]) for k in range(200)]
        inpainter = Inpainter("laplace")
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(inpainter.fit_restore, rows))
        for k, answer in enumerate(answers):
            np.testing.assert_allclose(answer, [k, k, k, k + 0.5, k + 1])

    def test_score_is_the_mean_psnr_against_the_truths(self, damaged, grey):
        inpainter = Inpainter("laplace")
        one, other = (psnr(truth, inpaint(x, method="laplace")) for truth, x in ((grey, damaged), (grey.T, damaged.T)))
        assert inpainter.score(damaged, grey) == one
        assert inpainter.score([damaged, damaged.T], [grey, grey.T]) == pytest.approx((one + other) / 2, abs=1e-9)
        with pytest.raises(ValueError, match="Got 1 for 2 images"):
            inpainter.score([damaged, damaged], [grey])
        with pytest.raises(ValueError, match=r"truth given to Inpainter.score must show what the known pixels show"):
            inpainter.score(damaged, grey / 255)
        for unknowing in (damaged, np.ma.array(grey, mask=np.isnan(damaged))):  # which was worth 120 dB
            with pytest.raises(ValueError, match=r"Inpainter.score must show some of the pixels to fill.* Leave it"):
                inpainter.score(damaged, unknowing)

    def test_a_truth_of_pixels_that_were_left_is_none(self):
        """Known ones alone were compared, which was worth 120 dB."""
        row = np.array([1.0, 2, np.nan, np.nan, np.nan, 3, 4])
        inpainter = Inpainter("laplace", max_distance=1)
        with pytest.raises(ValueError, match=r"Inpainter.score must show some of the pixels to fill"):
            inpainter.score(row, np.array([1.0, 2, np.nan, 2.5, np.nan, 3, 4]))
        assert 10 < inpainter.score(row, np.array([1.0, 2, 2, np.nan, np.nan, 3, 4])) < 30
        assert inpainter.set_params(max_distance=0.5).score(row, row) == 120  # nothing to fill

    def test_score_is_finite_for_a_perfect_answer(self):
        constant = np.array([[0.5, np.nan], [0.5, 0.5]])
        for y in (None, np.full((2, 2), 0.5)):
            assert Inpainter("laplace").score(constant, y) == 120


class TestPipeline:
    def pipeline(self):
        return Pipeline([("before", Negate()), ("fill", Inpainter("laplace")), ("after", Negate())])

    def test_on_one_image(self, damaged):
        expected = inpaint(damaged, method="laplace")
        np.testing.assert_allclose(self.pipeline().fit_transform(damaged), expected, rtol=1e-12)
        np.testing.assert_allclose(self.pipeline().fit(damaged).transform(damaged), expected, rtol=1e-12)

    def test_parameters_of_fit_are_handed_on(self, damaged, grey, mask):
        """As with every transformer of scikit-learn; so a mask reaches a step."""
        expected = self.pipeline().fit_transform(damaged)
        given = np.where(mask, -7.0, grey)
        np.testing.assert_array_equal(self.pipeline().fit_transform(given, fill__mask=mask), expected)
        last = make_pipeline(Inpainter("laplace"))
        np.testing.assert_array_equal(
            last.fit_transform(given, inpainter__mask=mask, inpainter__callback=lambda record, restore: None),
            last.fit(given, inpainter__mask=mask)[-1].restored_,
        )
        with pytest.raises(TypeError, match=r"'mask' parameter of Inpainter.fit must be None for a list"):
            last.fit_transform([given, given], inpainter__mask=mask)

    def test_on_a_list(self, damaged):
        images = [damaged, damaged[:5].T]
        for restored in (self.pipeline().fit_transform(images), self.pipeline().fit(images).transform(images)):
            for image, answer in zip(images, restored, strict=True):
                np.testing.assert_allclose(answer, inpaint(image, method="laplace"), rtol=1e-12)

    def test_as_the_last_step_scores(self, damaged, grey):
        pipeline = make_pipeline(Inpainter("laplace"))
        assert pipeline.fit([damaged]).score([damaged], [grey]) == Inpainter("laplace").score(damaged, grey)

    def test_parameters_reach_the_method(self, damaged):
        pipeline = self.pipeline().set_params(fill__method="gd", fill__method__max_iter=3, fill__method__tol=None)
        assert pipeline["fill"].method == GradientDescent(max_iter=3, tol=None)
        assert clone(pipeline).get_params()["fill__method__max_iter"] == 3

    def test_set_output_of_the_whole(self, damaged):
        pipeline = make_pipeline(Inpainter("laplace")).set_output(transform="default")
        assert type(pipeline.fit_transform(damaged)) is np.ndarray

    def test_html_of_a_notebook(self):
        assert "Inpainter" in self.pipeline()._repr_html_()


# Lists of bundled photographs, each with the damage of its number: what a search must choose a method for.
CROPS = (
    ("camera", 100, 180), ("astronaut", 60, 180), ("coffee", 120, 200), ("brick", 200, 200), ("grass", 50, 300),
    ("gravel", 100, 100), ("moon", 250, 250), ("coins", 40, 90), ("page", 60, 100), ("text", 40, 120),
    ("clock", 90, 150), ("cell", 250, 200), ("chelsea", 90, 180), ("rocket", 130, 280),
)  # fmt: skip
SIDE = 48


def photographs():
    for name, row, column in CROPS:
        image = getattr(data, name)()
        grey = image if image.ndim == 2 else image[..., 1]
        yield grey[row : row + SIDE, column : column + SIDE].astype(np.float32) / 255


def damage(number, rng):
    """Scattered pixels, discs, scratches, and a mixture of them."""
    shape = (SIDE, SIDE)
    i, j = np.ogrid[:SIDE, :SIDE]
    scattered = rng.random(shape) < rng.uniform(0.5, 0.9)
    discs = np.zeros(shape, bool)
    for r, c, radius in zip(*rng.integers(0, SIDE, (2, 5)), rng.integers(3, 7, 5), strict=True):
        discs |= (i - r) ** 2 + (j - c) ** 2 <= radius**2
    scratches = np.zeros(shape, bool)
    for angle, middle in zip(rng.uniform(0, np.pi, 4), rng.uniform(10, SIDE - 10, 4), strict=True):
        scratches |= np.abs((i - SIDE / 2) * np.cos(angle) + (j - middle) * np.sin(angle)) < 1.5
    return (scattered, discs, scratches, discs | (rng.random(shape) < 0.4))[number % 4]


def lists_of_damaged_images():
    """Yield ten lists of six damaged images and their truths; every second list is of grainy film."""
    scenes = list(photographs())
    for number in range(10):
        rng = np.random.default_rng(number)
        truths = [scenes[k] for k in rng.permutation(len(scenes))[:6]]
        if number % 2:
            truths = [truth + 0.05 * rng.standard_normal(truth.shape).astype(np.float32) for truth in truths]
        yield [np.where(damage(number + k, rng), np.nan, truth) for k, truth in enumerate(truths)], truths


@dataclass(frozen=True, kw_only=True)
class Biharmonic(Method):
    """A peer that is ahead on clean photographs and behind on grainy ones."""

    def solve(self, problem, callback=None):
        values = inpaint_biharmonic(problem.values[..., 0].astype(float), problem.mask[..., 0])
        return Solution(values=values[..., np.newaxis], reason=Reason.CONVERGED, status="Solved.")


class TestSearch:
    candidates = (Laplace(), GradientDescent(max_iter=50, tol=None), Biharmonic())

    def search(self):
        grid = {"method": list(self.candidates)}
        return GridSearchCV(Inpainter(), grid, cv=2, error_score="raise", refit=False)

    def test_over_names_with_and_without_truths(self, damaged, grey):
        images = [damaged, damaged.T, damaged[::-1], damaged[:, ::-1]]
        truths = [grey, grey.T, grey[::-1], grey[:, ::-1]]
        for y in (None, truths):
            search = GridSearchCV(Inpainter(), {"method": ["gd", "laplace"]}, cv=2, error_score="raise")
            search.fit(images, y)
            assert search.best_params_["method"] in ("gd", "laplace")
            assert np.isfinite(search.cv_results_["mean_test_score"]).all()
            assert len(search.transform(images)) == 4  # refitted with the best

    def test_over_the_settings_of_a_method_in_a_pipeline(self, damaged, grey):
        pipeline = make_pipeline(Inpainter("laplace"))
        search = GridSearchCV(pipeline, {"inpainter__method__lags": [(1,), (1, 2)]}, cv=2, error_score="raise")
        search.fit([damaged] * 4, [grey] * 4)
        expected = [Inpainter(Laplace(lags=lags)).score(damaged, grey) for lags in ((1,), (1, 2))]
        np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-12)

    def test_with_truths_finds_the_higher_psnr(self):
        images, truths = next(iter(lists_of_damaged_images()))
        search = self.search().fit(images, truths)
        expected = [Inpainter(method).score(images, truths) for method in self.candidates]
        np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-6)
        assert search.best_index_ == np.argmax(expected)

    def test_without_truths_picks_the_method_that_the_withheld_truth_prefers(self):
        best, picked = [], []
        for images, truths in lists_of_damaged_images():
            best.append(int(np.argmax([Inpainter(method).score(images, truths) for method in self.candidates])))
            picked.append(int(self.search().fit(images).best_index_))
        assert max(best.count(method) for method in best) <= 6  # no method is the answer to all of them
        assert sum(one == other for one, other in zip(best, picked, strict=True)) >= 8

    def test_cross_validation_scores_without_truths(self, damaged):
        scores = cross_val_score(Inpainter("laplace"), [damaged] * 4, cv=KFold(2), error_score="raise")
        np.testing.assert_array_equal(scores, Inpainter("laplace").score(damaged))
