"""The errors a user can make, row by row, and the sentences that come back."""

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest

from skinpaint import (
    Biharmonic,
    ConvergenceWarning,
    Exemplar,
    GradientDescent,
    Inpainter,
    Laplace,
    PlugAndPlay,
    SparseDCT,
    inpaint,
)
from skinpaint.methods.base import IterativeMethod, Method
from skinpaint.scores import psnr
from skinpaint.solution import Reason, Solution

GREY = np.arange(12.0).reshape(3, 4)
RGB = np.arange(36.0).reshape(3, 4, 3)
ONE = np.eye(3, 4) > 0


class Elsewhere:
    """An array that is on another device, as that of another library."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert to numpy")


ELSEWHERE = Elsewhere()


def raises(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


class TestMask:
    def test_of_another_shape_names_both(self):
        with raises(ValueError, r"'mask' parameter", r"\(3, 4\)", r"Got shape \(4, 3\) instead"):
            inpaint(GREY, ONE.T)

    def test_of_the_spatial_shape_of_a_colour_image_asks_about_channel_axis(self):
        with raises(ValueError, r"\(3, 4, 3\)", r"\(3, 4\)", r"[Dd]id you mean channel_axis=-1\?"):
            inpaint(RGB, ONE)

    def test_of_the_spatial_shape_with_channels_first_asks_about_that_axis(self):
        with raises(ValueError, r"\(3, 4, 5\)", r"\(4, 5\)", r"[Dd]id you mean channel_axis=0\?"):
            inpaint(np.arange(60.0).reshape(3, 4, 5), np.zeros((4, 5), bool))

    def test_of_a_wrong_shape_with_channels_names_what_fits(self):
        with raises(ValueError, r"\(3, 4\)", r"\(3, 4, 3\)", r"\(3, 4, 2\)"):
            inpaint(RGB, np.zeros((3, 4, 2), bool), channel_axis=-1)

    @pytest.mark.parametrize(
        ("mask", "named"),
        [
            (np.arange(12).reshape(3, 4), "2, 3"),
            (np.where(ONE, 0.5, 0), r"0\.5"),
            (np.where(ONE, -1, 0), "-1"),
            (np.where(ONE, np.nan, 0), "nan"),
            (np.array([[0, 1, 255, 0]] * 3), "1"),
        ],
    )
    def test_with_other_values_names_some(self, mask, named):
        with raises(ValueError, r"'mask' parameter must", "0/1", "0/255", f"Got {named}"):
            inpaint(GREY, mask)

    def test_that_is_masked_itself(self):
        mask = np.ma.MaskedArray(ONE, ~ONE)
        with raises(ValueError, "'mask' parameter must not be masked", r"mask\.filled\(True\)"):
            inpaint(GREY, mask)
        np.testing.assert_array_equal(inpaint(GREY, np.ma.MaskedArray(ONE)), inpaint(GREY, ONE))

    @pytest.mark.parametrize(
        "mask", [np.full((3, 4), "a"), np.full((3, 4), 1j), np.full((3, 4), None), [[1, 0], [1]], ELSEWHERE]
    )
    def test_of_another_kind(self, mask):
        with raises((TypeError, ValueError), "'mask' parameter must", "Got"):
            inpaint(GREY, mask)

    @pytest.mark.parametrize("of", [bool, np.uint8, np.int64, float, ">i2"])
    @pytest.mark.parametrize("top", [1, 255])
    def test_zero_and_one_or_255_are_taken(self, of, top):
        expected = inpaint(GREY, ONE, method="laplace")
        np.testing.assert_array_equal(inpaint(GREY, (ONE * top).astype(of), method="laplace"), expected)

    def test_where_everything_is_missing(self):
        with raises(ValueError, "at least one known pixel"):
            inpaint(GREY, np.ones((3, 4), bool))

    def test_where_a_whole_channel_is_missing_names_it(self):
        mask = np.zeros((3, 4, 3), bool)
        mask[..., 1] = True
        with raises(ValueError, "at least one known pixel", "channel 1"):
            inpaint(RGB, mask, channel_axis=-1)

    def test_in_the_place_of_y(self):
        for mask in (ONE, ONE.astype(np.uint8), 255 * ONE.astype(np.uint8), ONE.astype(float)):
            with raises(TypeError, r"pass the mask by keyword: fit\(image, mask=\.\.\.\)"):
                Inpainter().fit(GREY, mask)
            with raises(TypeError, r"pass the mask by keyword: fit\(image, mask=\.\.\.\)"):
                Inpainter().fit_transform(GREY, mask)
        for ignored in (GREY, [[1], [1, 2]], "names", ELSEWHERE):  # a truth, or anything else
            Inpainter("laplace").fit(GREY, ignored)

    def test_for_a_list_of_images(self):
        with raises(TypeError, "mask", "list"):
            Inpainter().fit([GREY, GREY], mask=ONE)


class TestImage:
    def test_nan_is_missing(self):
        image = np.where(ONE, np.nan, GREY)
        inpainter = Inpainter("laplace").fit(image)
        np.testing.assert_array_equal(inpainter.mask_, ONE)
        assert np.isfinite(inpainter.restored_).all()

    def test_infinity_among_known_pixels_is_counted(self):
        image = GREY.copy()
        image[1, 1:3] = np.inf, -np.inf
        with raises(ValueError, "'image' parameter must be finite", r"Got 2 infinite values"):
            inpaint(image, ONE & (np.arange(3)[:, None] != 1))

    def test_all_nan(self):
        with raises(ValueError, "at least one known pixel"):
            inpaint(np.full((3, 4), np.nan))

    def test_all_saturated_says_what_was_taken_for_missing(self):
        with raises(ValueError, "at least one known pixel", r"took 4 pixels \(100 %\) at 0 or 255"):
            inpaint(np.array([[0, 255], [255, 0]], np.uint8))

    @pytest.mark.parametrize("image", [np.zeros(0), np.zeros((3, 0)), np.zeros((0, 4, 3))])
    def test_empty(self, image):
        with raises(ValueError, "'image' parameter must not be empty", r"Got shape \("):
            inpaint(image)

    def test_scalar(self):
        with raises((TypeError, ValueError), "'image' parameter must", "at least one axis", "Got a scalar instead"):
            inpaint(np.float64(3))

    @pytest.mark.parametrize(
        ("image", "named"),
        [
            (GREY + 1j, "complex128"),
            (GREY.astype(object), "object"),
            (GREY.astype(str), "<U"),
            (GREY.astype("M8[s]"), "datetime64"),
        ],
    )
    def test_of_another_kind(self, image, named):
        with raises(TypeError, "'image' parameter must hold integers or real floats", f"Got {named}"):
            inpaint(image, ONE)

    def test_bool_is_to_be_converted(self):
        with raises(ValueError, "'image' parameter must", "bool", r"[Cc]onvert", "astype"):
            inpaint(GREY > 3, ONE)

    def test_nothing_missing_is_a_copy_without_work(self):
        inpainter = Inpainter().fit(GREY, mask=np.zeros((3, 4), bool))
        np.testing.assert_array_equal(inpainter.restored_, GREY)
        assert not np.shares_memory(inpainter.restored_, GREY)
        assert inpainter.n_iter_ == 0
        assert inpainter.converged_

    @pytest.mark.parametrize(
        ("owner", "call"), [("inpaint", inpaint), ("Inpainter.fit_restore", Inpainter().fit_restore)]
    )
    def test_a_list_is_not_one_image(self, owner, call):
        with raises(TypeError, f"'image' parameter of {owner} must be one array", "list of 3"):
            call(GREY.tolist(), ONE)


class TestParameters:
    @pytest.mark.parametrize("axis", [3, -4, 99])
    def test_channel_axis_outside(self, axis):
        with raises(ValueError, "'channel_axis' parameter of Inpainter", f"Got {axis}", r"\(3, 4, 3\)"):
            inpaint(RGB, ONE, channel_axis=axis)

    @pytest.mark.parametrize("axis", [1.0, "last", True, (2,)])
    def test_channel_axis_of_another_kind(self, axis):
        with raises(TypeError, "'channel_axis' parameter of Inpainter must be an int or None", "Got"):
            inpaint(RGB, ONE, channel_axis=axis)

    def test_channel_axis_of_a_signal(self):
        with raises(ValueError, "'channel_axis' parameter of Inpainter", r"\(4,\)"):
            inpaint(GREY[0], ONE[0], channel_axis=0)

    @pytest.mark.parametrize("missing", ["nan", "SATURATED", True, [0], object()])
    def test_missing_values(self, missing):
        with raises(ValueError, "'missing_values' parameter of Inpainter must be", "'auto'", "'saturated'", "Got"):
            inpaint(GREY, ONE, missing_values=missing)

    def test_saturated_floats_outside_the_unit_interval(self):
        with raises(
            ValueError, "'missing_values' parameter of Inpainter", r"\[0, 1\]", "Got known values from 1 to 11"
        ):
            inpaint(GREY, ONE, missing_values="saturated")

    @pytest.mark.parametrize(
        "bounds", ["range", (1,), (3, 2), (0, 0), (0, np.inf), (np.nan, 1), (0, 1, 2), 7, "ab", {0, 99}, ("0", "99")]
    )
    def test_bounds(self, bounds):
        with raises(ValueError, "'bounds' parameter of Inpainter must be", "'dtype'", r"\(low, high\)", "Got"):
            inpaint(GREY, ONE, bounds=bounds)

    def test_known_values_outside_the_bounds(self):
        with raises(ValueError, "'bounds' parameter of Inpainter", "values from 1 to 11"):
            inpaint(GREY, ONE, bounds=(2, 20))
        with raises(ValueError, "'bounds' parameter of Inpainter", "'dtype'", "values from 1 to 11"):
            inpaint(GREY, ONE, bounds="dtype")

    @pytest.mark.parametrize(
        "spacing", [0, -1, np.nan, np.inf, (1,), (1, 2, 3), (1, 0), "a", (1, "b"), "12", ("1", 2), np.True_]
    )
    def test_spacing(self, spacing):
        with raises(ValueError, "'spacing' parameter of Inpainter must be", "positive", "Got"):
            inpaint(GREY, ONE, spacing=spacing)

    def test_spacing_too_uneven_for_double_precision(self):
        inpaint(GREY, ONE, spacing=(1e4, 1), method="laplace")
        with raises(ValueError, "'spacing' parameter of Inpainter must have a ratio of at most 10000", "Got", "slice"):
            inpaint(GREY, ONE, spacing=(1, 1e5), method="laplace")

    def test_spacing_with_an_energy_of_your_own(self):
        method = GradientDescent(energy=lambda x: anp.sum(x**2))
        with raises(ValueError, "'spacing' parameter of Inpainter", "energy", r"\(1\.0, 2\.0\)"):
            inpaint(GREY, ONE, spacing=(1, 2), method=method)

    def test_an_unknown_method_lists_the_known_ones(self):
        with raises(ValueError, "'method' parameter of Inpainter must be one of", "'gd'", "'laplace'", "Got 'telea'"):
            inpaint(GREY, ONE, method="telea")

    def test_a_class_instead_of_a_method_asks_about_the_call(self):
        with raises(TypeError, "'method' parameter of Inpainter", "call the class"):
            inpaint(GREY, ONE, method=Laplace)

    @pytest.mark.parametrize("method", [None, 3, lambda problem: problem])
    def test_a_method_of_another_kind(self, method):
        with raises(TypeError, "'method' parameter of Inpainter must be", "Got"):
            inpaint(GREY, ONE, method=method)

    def test_restore_before_fit(self):
        with raises((ValueError, AttributeError), "fit"):
            Inpainter().restore()

    def test_bounds_that_nobody_gave(self):
        with raises(ValueError, "'bounds' parameter of Inpainter", "Got 'dtype', the default of this method"):
            Inpainter("gd:classic").fit(np.array([0, 5, np.nan, 7]))

    def test_a_score_of_no_image(self):
        with raises(ValueError, "'X' parameter of Inpainter.score", "Got an empty list"):
            Inpainter().score([])

    def test_a_psnr_of_a_range_that_is_no_float(self):
        truth = np.array([-1.7e308, 1.7e308])
        with raises(ValueError, "psnr needs a truth whose range is a float"):
            psnr(truth, truth / 2)

    def test_set_params_names_what_there_is(self):
        with raises(ValueError, "'nonsense'"):
            Inpainter().set_params(nonsense=1)
        with raises(ValueError, "GradientDescent", "max_iter", "'nonsense'"):
            Inpainter("gd").set_params(method__nonsense=1)


class TestSettings:
    @pytest.mark.parametrize(
        ("method", "settings"),
        [
            (Laplace, {"tol": np.float32(0.5)}),
            (GradientDescent, {"tol": np.float32(0.5), "step_size": np.float32(0.1)}),
            (Exemplar, {"texture": 0}),
            (SparseDCT, {"decay": np.float32(0.5), "threshold": (np.float32(0.5), np.float32(0.25))}),
            (PlugAndPlay, {"sigma": (np.float32(0.5), np.int64(1) / 4)}),
        ],
    )
    def test_any_real_number_is_a_number(self, method, settings, rng):
        """Floats of 32 bits, as an estimate from such an image is, and 0 for no texture were refused."""
        image, mask = rng.random((12, 12)), np.eye(12, dtype=bool)
        more = {"max_iter": 3} if method in (GradientDescent, PlugAndPlay) else {}
        plain = {
            name: tuple(map(float, value)) if isinstance(value, tuple) else float(value)
            for name, value in settings.items()
        }
        one, other = (method(**each, **more) for each in (settings, plain))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            np.testing.assert_array_equal(inpaint(image, mask, method=one), inpaint(image, mask, method=other))

    def test_ints_of_a_few_bits_are_ints(self):
        """Their squares overflowed: a patch of uint8(21) gave another picture, and a seed of int32 an error."""
        small = Exemplar(patch=np.uint8(21), rng=np.int32(7)), SparseDCT(block=np.int8(8), patch_stride=np.uint8(3))
        assert repr(small) == repr((Exemplar(patch=21, rng=7), SparseDCT(block=8, patch_stride=3)))

    def test_a_setting_may_be_made_of_others(self):
        """A field that is set after the others are checked was an AttributeError."""

        @dataclass(frozen=True, kw_only=True)
        class Smoothing(IterativeMethod):
            max_iter: int = 3
            kernel: np.ndarray = field(init=False)
            init = step = None

            def __post_init__(self):
                self.check_loop()
                object.__setattr__(self, "kernel", np.ones(self.max_iter))

        assert Smoothing(max_iter=np.int8(2)).kernel.size == 2

    def test_a_grid_that_a_method_refuses_is_refused_before_its_first_step(self):
        """Unless the method asked itself, nobody did for an image in memory."""

        class Isotropic(SparseDCT):
            def check_grid(self, shape, spacing):
                raise ValueError(f"refused: {shape} {spacing}")

        with raises(ValueError, r"refused: \(8, 9\) \(4\.0, 2\.0\)"):
            Inpainter(Isotropic(), spacing=(4, 2)).fit(np.ones((8, 9)).cumsum(axis=0), mask=np.eye(8, 9))

    def test_distances_that_differ_by_rounding_are_the_same(self):
        image, mask = np.arange(72.0).reshape(8, 9), np.eye(8, 9)
        for method in (PlugAndPlay(denoise_function="tv_chambolle", max_iter=2, tol=None), "dct"):
            inpainter = Inpainter(method, spacing=(0.1 + 0.2, 0.3)).fit(image, mask=mask)
            assert "spacing" not in inpainter.solution_.status

    def test_a_fraction_is_no_number(self):
        """It was taken, and then crashed in NumPy."""
        with raises(ValueError, "'decay' parameter of SparseDCT", r"Got Fraction\(1, 2\) instead"):
            SparseDCT(decay=Fraction(1, 2))

    def test_a_side_of_blocks_is_an_int(self):
        with raises(ValueError, "'block' parameter of SparseDCT", "Got 8.0 instead"):
            SparseDCT(block=8.0)

    @pytest.mark.parametrize("tol", [-1, 0.0, 1.0, 2, "a", np.nan])
    def test_tol_in_the_one_grammar(self, tol):
        with raises(
            ValueError, r"The 'tol' parameter of GradientDescent must be a float in \(0, 1\)", f"Got {tol!r} instead"
        ):
            GradientDescent(tol=tol)

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("max_iter", 0),
            ("max_iter", 2.5),
            ("max_iter", True),
            ("energy", "tv"),
            ("energy", 3),
            ("lags", (2,)),
            ("lags", [1]),
            ("lags", (1, 2, 3)),
            ("joint_channels", "yes"),
        ],
    )
    def test_of_the_descent(self, setting, value):
        with raises(ValueError, f"The '{setting}' parameter of GradientDescent must be", "Got", "instead"):
            GradientDescent(**{setting: value})

    @pytest.mark.parametrize(
        ("setting", "value"), [("lags", (2,)), ("lags", 1), ("solver", "cholesky"), ("noise", 10**400)]
    )
    def test_of_the_closed_form(self, setting, value):
        with raises(ValueError, f"The '{setting}' parameter of Laplace must be", "Got", "instead"):
            Laplace(**{setting: value})

    def test_are_checked_when_they_are_replaced(self):
        with raises(ValueError, "The 'max_iter' parameter of GradientDescent", "Got -3 instead"):
            Inpainter("gd").set_params(method__max_iter=-3)

    def test_lags_with_an_energy_of_your_own(self):
        with raises(ValueError, "'lags' parameter of GradientDescent"):
            GradientDescent(energy=lambda x: anp.sum(x**2), lags=(1,))


class TestEnergy:
    def restore(self, energy):
        return inpaint(GREY, ONE, method=GradientDescent(energy=energy, max_iter=3, tol=None))

    def test_that_raises_keeps_its_error_and_gains_a_line(self):
        def energy(x):
            raise ZeroDivisionError("mine")

        with pytest.raises(ZeroDivisionError, match="mine") as caught:
            self.restore(energy)
        assert any("energy" in note and "GradientDescent" in note for note in caught.value.__notes__)

    def test_that_returns_nan(self):
        with raises(ValueError, "'energy' parameter of GradientDescent", "finite", "Got nan"):
            self.restore(lambda x: anp.sum(x) * np.nan)

    def test_that_returns_an_array(self):
        with raises(ValueError, "'energy' parameter of GradientDescent", "one real float", r"shape \(3, 4\)"):
            self.restore(lambda x: x**2)

    @pytest.mark.parametrize("answer", [None, "low", 1j])
    def test_that_returns_no_number(self, answer):
        with raises((TypeError, ValueError), "'energy' parameter of GradientDescent", "Got"):
            self.restore(lambda x: answer)

    def test_without_a_finite_gradient_anywhere(self):
        with raises(ValueError, "'energy' parameter of GradientDescent", "gradient"):
            self.restore(lambda x: anp.sum(anp.sqrt(x - x)))


def test_an_error_of_the_callback_reaches_the_user():
    def callback(record, restore):
        raise ZeroDivisionError("mine")

    for method in ("gd", "laplace"):
        with pytest.raises(ZeroDivisionError, match="mine"):
            inpaint(GREY, ONE, method=method, callback=callback)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"grow": -1}, "The 'grow' parameter of Inpainter must be an int of at least 0. Got -1 instead."),
        ({"grow": True}, "The 'grow' parameter of Inpainter must be an int of at least 0. Got True instead."),
        ({"max_distance": 0}, "The 'max_distance' parameter of Inpainter must be None or a positive number, in units"),
        ({"max_distance": np.nan}, "The 'max_distance' parameter of Inpainter must be None or a positive number"),
        ({"missing_values": ()}, "must be 'auto', 'saturated', None, a number or a tuple of numbers. Got \\(\\) inst"),
        ({"missing_values": (0, "x")}, "a tuple of numbers. Got \\(0, 'x'\\) instead"),
        ({"progress": "x"}, "The 'progress' parameter of Inpainter must be a bool. Got 'x' instead."),
        ({"spacing": True}, "The 'spacing' parameter of Inpainter must be a positive number"),
        ({"spacing": 10**400}, "The 'spacing' parameter of Inpainter must be a positive number"),
        ({"max_distance": 10**400}, "The 'max_distance' parameter of Inpainter must be None or a positive number"),
        ({"grow": 10**30}, "an image of which everything is missing"),
    ],
)
def test_settings_of_the_door(setting, sentence):
    with pytest.raises(ValueError, match=sentence):
        Inpainter(**setting).fit(GREY, mask=ONE)


def test_a_callback_that_cannot_be_called():
    for call in (Inpainter().fit, Inpainter().fit_restore, inpaint):
        with pytest.raises(ValueError, match=r"parameter of Inpainter.fit must be a callable or None. Got 3"):
            call(GREY, mask=ONE, callback=3)


def test_a_preset_that_there_is_not():
    with pytest.raises(ValueError, match=r"can name a preset of 'gd': 'gd:classic'. Got 'gd:modern' instead"):
        Inpainter("gd:modern").fit(GREY, mask=ONE)
    with pytest.raises(ValueError, match=r"can name a preset of 'laplace': there is none. Got 'laplace:high' instead"):
        inpaint(GREY, ONE, method="laplace:high")


def test_a_mask_given_as_a_list_by_position():
    with pytest.raises(TypeError, match="pass the mask by keyword"):
        Inpainter().fit(np.array([1.0, 2.0, 3.0]), [True, False, True])


@pytest.mark.parametrize("owner", ["Inpainter", "inpaint"])
class TestKeywords:
    def call(self, owner, **keywords):
        return Inpainter(**keywords) if owner == "Inpainter" else inpaint(GREY, ONE, **keywords)

    def test_that_are_misspelled(self, owner):
        with raises(
            TypeError, f"The parameters of {owner} must be one of .*method", "Got 'channel_axes'", "channel_axis?"
        ):
            self.call(owner, channel_axes=-1)

    @pytest.mark.parametrize("name", ["max_iter", "max_iters"])
    def test_that_are_settings_of_the_method(self, owner, name):
        with raises(TypeError, f"Got '{name}' instead", r"pass method=GradientDescent\(max_iter=\.\.\.\)\."):
            self.call(owner, method="gd", **{name: 3})
        with raises(TypeError, f"Got '{name}' instead", r"pass method=GradientDescent\(max_iter=\.\.\.\)\."):
            Inpainter("gd", **{name: 3})  # those of the default method were named
        with raises(TypeError, f"Got '{name}' instead", r"pass method=GradientDescent\(max_iter=\.\.\.\)\."):
            inpaint(GREY, ONE, "gd", **{name: 3})  # "too many positional arguments" of another library

    def test_that_mean_nothing(self, owner):
        with raises(TypeError, r"Got 'telea' instead\.$"):
            self.call(owner, telea=1)


def test_settings_that_are_misspelled():
    with raises(TypeError, "The settings of GradientDescent must be one of energy", "Did you mean max_iter?"):
        GradientDescent(max_iters=3)


def test_methods_with_equal_settings_are_equal():
    noise, source = np.ones((3, 3)), np.ones((3, 3), bool)
    for one, other in [
        (lambda: Laplace(noise=noise.copy()), Laplace(noise=2 * noise)),
        (lambda: Biharmonic(noise=noise.copy()), Biharmonic(noise="estimate")),
        (lambda: Exemplar(source=source.copy()), Exemplar(source=~source)),
        (lambda: Laplace(noise=[[1, 1], [1, 1]]), Laplace(noise=[[1, 1], [1, 2]])),
        (lambda: Laplace(lags=(1, 2)), Laplace()),
        (lambda: PlugAndPlay(denoiser_kwargs={"h": noise.copy()}), PlugAndPlay(denoiser_kwargs={"h": 2 * noise})),
        (lambda: PlugAndPlay(denoiser_kwargs={"h": noise.copy()}), PlugAndPlay(denoiser_kwargs={"k": noise})),
    ]:
        assert one() == one()
        assert hash(one()) == hash(one())
        assert one() != other
    assert Laplace() != Biharmonic()


def test_settings_stay_what_they_were_when_the_arrays_of_the_user_change():
    """What was checked stays, and a fit is questioned about with the settings that it was made with."""
    array, source, named = np.ones((3, 3)), np.ones((3, 3), bool), {"h": np.ones(3)}
    methods = Laplace(noise=array), Exemplar(source=source), PlugAndPlay(denoiser_kwargs=named)
    before = copy.deepcopy(methods)
    array[...], source[...], named["h"][...] = -1, False, np.nan
    named["k"] = 1
    assert methods == before
    with pytest.raises(ValueError, match="read-only"):
        methods[0].noise[...] = -1


@dataclass(frozen=True, kw_only=True)
class Answering(Method):
    """A method of one's own that returns what it is told to."""

    answer: Callable[[np.ndarray], Any]

    def solve(self, problem, callback=None):
        values = self.answer(np.array(problem.values, dtype=float))
        return values if values is None else Solution(values=values, reason=Reason.CONVERGED, status="Done.")


class TestMethodOfOnesOwn:
    @pytest.mark.parametrize(
        ("answer", "error", "says"),
        [
            (lambda v: np.full_like(v, np.nan), ValueError, r"must return finite values. Got 1 that are NaN or inf"),
            (lambda v: v[:1], ValueError, r"floats of shape \(3, 4, 1\) as values. Got float64 of shape \(1, 4, 1\)"),
            (lambda v: v[..., 0], ValueError, r"Got float64 of shape \(3, 4\)"),
            (lambda v: v + 0j, ValueError, r"Got complex128"),
            (lambda v: 0.5, ValueError, r"Got float64 of shape \(\)"),
            (lambda v: None, TypeError, r"Answering.solve must return a skinpaint.Solution. Got NoneType"),
        ],
    )
    def test_an_answer_that_would_be_cast_into_a_picture_is_refused(self, answer, error, says):
        mask = np.zeros((3, 4), bool)
        mask[1, 1] = True
        for image in (GREY, GREY.astype(np.uint8)):
            with pytest.raises(error, match=says):
                inpaint(image, mask, method=Answering(answer=answer))

    def test_what_it_says_of_known_pixels_does_not_matter(self):
        def answer(values):
            values[0] = np.nan
            return values

        mask = np.zeros((3, 4), bool)
        mask[1, 1] = True
        restored = inpaint(GREY, mask, method=Answering(answer=answer))
        np.testing.assert_array_equal(restored[~mask], GREY[~mask])
