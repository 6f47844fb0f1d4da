"""Any denoiser as the prior: what it is called with, what its answers may be, and what comes of it."""

import functools

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter, uniform_filter
from skimage.restoration import (
    calibrate_denoiser,
    denoise_bilateral,
    denoise_nl_means,
    denoise_tv_chambolle,
    denoise_wavelet,
)

from skinpaint import Inpainter, Laplace, PlugAndPlay, inpaint
from skinpaint.cli import main
from skinpaint.damage import scratches
from skinpaint.grid.harmonic.fill import fill
from skinpaint.problem import Problem
from skinpaint.scores import psnr
from skinpaint.testing import TRIALS, check_method


@pytest.fixture(scope="module")
def stripes():
    """A picture that repeats itself, as floats from 3 to 5, and scratches across it."""
    y, x = np.mgrid[:40, :44]
    image = 4 + np.sin(x / 2.5) * np.cos(y / 6)
    return image, scratches(image, count=8, rng=0)[1]


class Spy:
    """A denoiser that remembers what it was called with and changes nothing."""

    def __init__(self):
        self.images, self.arguments = [], []

    def __call__(self, image, weight=None, **kwargs):
        self.images.append(image.copy())
        self.arguments.append({"weight": weight, **kwargs})
        return image


def smooth(image, sigma=1.0):
    return gaussian_filter(image, sigma)


def gain(image, mask, restored):
    """Return by how many dB this is better than the harmonic fill, which is where it started."""
    return psnr(image, restored, where=mask) - psnr(image, inpaint(image, mask, method="laplace"), where=mask)


def note(method, image, mask):
    return Inpainter(method).fit(image, mask=mask).solution_.status


class TestDenoisers:
    @pytest.mark.parametrize("denoiser", ["nl_means", denoise_nl_means], ids=["name", "callable"])
    def test_non_local_means_finds_what_repeats_itself(self, denoiser, stripes):
        image, mask = stripes
        inpainter = Inpainter(PlugAndPlay(denoise_function=denoiser)).fit(image, mask=mask)
        assert inpainter.converged_
        assert gain(image, mask, inpainter.restored_) > (3 if denoiser == "nl_means" else 0)

    @pytest.mark.parametrize("denoiser", ["tv_chambolle", denoise_tv_chambolle], ids=["name", "callable"])
    def test_total_variation_keeps_edges(self, denoiser, stripes):
        image, mask = np.sign(stripes[0] - 4.3), stripes[1]
        inpainter = Inpainter(PlugAndPlay(denoise_function=denoiser, sigma=(0.3, 0.03))).fit(image, mask=mask)
        assert inpainter.converged_
        assert gain(image, mask, inpainter.restored_) > 0.5

    def test_bilateral_plugs_in(self, stripes):
        image, mask = stripes
        method = PlugAndPlay(denoise_function=denoise_bilateral, denoiser_kwargs={"mode": "edge"}, tol=None, max_iter=4)
        restored = inpaint(image, mask, method=method)
        assert np.isfinite(restored).all()
        assert (restored[mask] != image[mask]).all()

    def test_wavelet_plugs_in(self, stripes):
        pytest.importorskip("pywt")
        image, mask = stripes
        assert Inpainter(PlugAndPlay(denoise_function=denoise_wavelet)).fit(image, mask=mask).converged_

    def test_a_calibrated_denoiser_plugs_in_and_the_status_says_that_its_strength_stays(self, stripes):
        image, mask = stripes
        calibrated = calibrate_denoiser((image - 3) / 2, denoise_tv_chambolle, {"weight": [0.01, 0.03]})
        assert isinstance(calibrated, functools.partial)
        status = note(PlugAndPlay(denoise_function=calibrated), image, mask)
        assert "no parameter weight, h, sigma_color, sigma: its strength stayed the same." in status
        assert "no energy" in status

    def test_obeys_every_law_that_its_denoiser_obeys(self):
        def blur(image):  # symmetric, linear, and a mean
            return sum(uniform_filter(image, size, mode="nearest") for size in (3, 5)) / 2

        check_method(PlugAndPlay(denoise_function=blur, max_iter=15, tol=None), tol=1e-4)

    def test_a_mean_of_neighbours_ends_at_the_harmonic_fill(self):
        """The fixed points of this denoiser solve Laplace's equation: the two solvers must agree."""

        def neighbours(image):
            padded = np.pad(image, 1, mode="edge")
            middle = slice(1, -1)
            around = padded[:-2, middle] + padded[2:, middle] + padded[middle, :-2] + padded[middle, 2:]
            return (around + image) / 5

        trial = TRIALS["hole"]
        method = PlugAndPlay(denoise_function=neighbours, tol=1e-10, max_iter=5000)
        closed = trial.restore(Laplace(solver="direct"), trial.floats)
        np.testing.assert_allclose(trial.restore(method, trial.floats), closed, rtol=0, atol=1e-8)
        planted = PlugAndPlay(denoise_function=lambda image: neighbours(image) + 1e-4, tol=1e-10, max_iter=5000)
        assert np.abs(trial.restore(planted, trial.floats) - closed).max() > 1e-6


class TestWhatTheDenoiserSees:
    def test_values_in_the_unit_interval_whatever_the_unit(self, stripes):
        image, mask = stripes
        seen = []
        for scale, offset in ((1, 0), (-1e4, 7), (1e-6, -3)):
            spy = Spy()
            inpaint(scale * image + offset, mask, method=PlugAndPlay(denoise_function=spy))
            assert min(x.min() for x in spy.images) >= 0
            assert max(x.max() for x in spy.images) <= 1
            seen.append(spy.images[0] if scale > 0 else 1 - spy.images[0])
        assert (seen[0].min(), seen[0].max()) == (0, 1)
        np.testing.assert_allclose(seen[1], seen[0], atol=1e-9)
        np.testing.assert_allclose(seen[2], seen[0], atol=1e-9)

    def test_starts_from_the_harmonic_fill_and_knows_nothing_of_what_is_hidden(self, stripes):
        image, mask = stripes
        spy = Spy()
        inpaint(np.where(mask, 1e9, image), mask, method=PlugAndPlay(denoise_function=spy))
        expected = inpaint(image, mask, method=Laplace(solver="direct"))
        low, high = image[~mask].min(), image[~mask].max()
        np.testing.assert_allclose(spy.images[0], (expected - low) / (high - low), atol=1e-4)

    def test_one_channel_at_a_time_without_a_channel_axis(self):
        trial, spy = TRIALS["mosaic"], Spy()
        trial.restore(PlugAndPlay(denoise_function=spy))
        assert {x.shape for x in spy.images} == {trial.image.shape[:2]}
        assert "channel_axis" not in spy.arguments[0]
        for c in range(3):
            assert (spy.images[c].min(), spy.images[c].max()) == (0, 1)

    def test_all_channels_at_once_if_asked(self):
        trial, spy = TRIALS["colour"], Spy()
        trial.restore(PlugAndPlay(denoise_function=spy, joint_channels=True))
        assert {x.shape for x in spy.images} == {trial.image.shape}
        assert spy.arguments[0]["channel_axis"] == -1
        assert (spy.images[0].min(), spy.images[0].max()) == (0, 1)

    @pytest.mark.parametrize("denoiser", ["nl_means", "tv_chambolle"])
    @pytest.mark.parametrize("trial", ["signal", "line", "volume", "colour", "mosaic"])
    @pytest.mark.parametrize("joint", [False, True])
    def test_the_named_ones_take_any_number_of_axes(self, denoiser, trial, joint):
        trial = TRIALS[trial]
        if trial.channel_axis is None and joint:
            trial = type(trial)(image=np.stack([trial.image] * 2, -1), mask=trial.mask, channel_axis=-1)
        method = PlugAndPlay(denoise_function=denoiser, joint_channels=joint, max_iter=4, tol=None)
        restored = trial.restore(method)
        assert restored.shape == trial.image.shape
        assert np.isfinite(restored).all()

    def test_axes_of_length_one_are_left_out(self):
        spy = Spy()
        trial = TRIALS["line"]
        trial.restore(PlugAndPlay(denoise_function=spy))
        assert {x.shape for x in spy.images} == {(9,)}

    def test_a_constant_channel_is_not_denoised(self):
        image = np.random.default_rng(0).random((6, 7, 2))
        image[..., 0], spy = 5.0, Spy()
        mask = np.eye(6, 7, dtype=bool)
        restored = inpaint(image, mask, method=PlugAndPlay(denoise_function=spy, max_iter=2, tol=None), channel_axis=-1)
        assert len(spy.images) == 2
        assert (restored[..., 0] == 5).all()

    def test_a_denoiser_may_write_to_what_it_is_given(self, stripes):
        image, mask = stripes

        def vandal(x):
            denoised = uniform_filter(x, 3)
            x[:] = np.nan
            return denoised

        tidy = PlugAndPlay(denoise_function=uniform_filter, denoiser_kwargs={"size": 3}, max_iter=5, tol=None)
        untidy = PlugAndPlay(denoise_function=vandal, max_iter=5, tol=None)
        np.testing.assert_array_equal(inpaint(image, mask, method=untidy), inpaint(image, mask, method=tidy))


class TestStrength:
    @pytest.mark.parametrize("name", ["weight", "h", "sigma_color", "sigma"])
    def test_is_found_by_its_name_and_falls_geometrically(self, name, stripes):
        seen = []
        scope = {"seen": seen}
        exec(f"def denoise(image, other=1, {name}=None):\n    seen.append({name})\n    return image + 1e-2", scope)
        method = PlugAndPlay(denoise_function=scope["denoise"], sigma=(0.8, 0.1), max_iter=6, tol=None)
        inpaint(*stripes, method=method)
        assert seen == pytest.approx([0.8, 0.4, 0.2, 0.1, 0.1, 0.1], abs=1e-15)

    def test_the_strength_of_non_local_means_is_h_and_not_sigma(self):
        assert PlugAndPlay(denoise_function=denoise_nl_means)._strength == "h"

    def test_is_not_mistaken_for_converged_while_it_falls(self, stripes):
        inpainter = Inpainter(PlugAndPlay(denoise_function=Spy(), max_iter=20)).fit(stripes[0], mask=stripes[1])
        assert inpainter.n_iter_ == 11  # nothing changes at all, but ten steps fall
        assert Inpainter(PlugAndPlay(denoise_function=Spy(), sigma=0.1)).fit(*stripes[:1], mask=stripes[1]).n_iter_ == 1

    @pytest.mark.parametrize(
        "method",
        [
            PlugAndPlay(denoise_function=smooth, denoiser_kwargs={"sigma": 0.6}),
            PlugAndPlay(denoise_function=functools.partial(smooth, sigma=0.6)),
        ],
    )
    def test_what_the_user_sets_stays(self, method, stripes):
        assert "sigma stayed at 0.6, as given." in note(method, *stripes)

    def test_more_steps_fall_more_slowly(self, stripes):
        spy = Spy()
        inpaint(*stripes, method=PlugAndPlay(denoise_function=spy, max_iter=40, tol=None))
        weights = [arguments["weight"] for arguments in spy.arguments]
        assert weights == sorted(weights, reverse=True)
        assert len(set(weights)) == 21


class TestErrors:
    def test_a_denoiser_that_raises_keeps_its_error_and_gets_a_line_of_context(self, stripes):
        def broken(image):
            raise ZeroDivisionError("mine")

        with pytest.raises(ZeroDivisionError, match="mine") as caught:
            inpaint(*stripes, method=PlugAndPlay(denoise_function=broken))
        assert caught.value.__notes__ == [
            "This was raised by the denoiser of PlugAndPlay, broken, for an image of shape (40, 44)."
        ]

    @pytest.mark.parametrize(
        ("answer", "says"),
        [
            (lambda x: np.where(x > 0.5, np.nan, x), r"must return finite values\. Got \d+ of 1760 that are not"),
            (lambda x: x[:-1], r"the shape that it is given\. Got float64 of shape \(39, 44\) for \(40, 44\)"),
            (lambda x: None, r"floats.* Got object of shape \(\)"),
            (lambda x: x + 1j, r"floats.* Got complex128"),
            (lambda x: (255 * x).astype(np.uint8), r"floats, in \[0, 1\].* Got uint8"),
        ],
    )
    def test_an_answer_that_is_no_image_is_refused(self, answer, says, stripes):
        with pytest.raises(ValueError, match=says):
            inpaint(*stripes, method=PlugAndPlay(denoise_function=answer))

    @pytest.mark.parametrize(
        ("settings", "says"),
        [
            (
                {"denoise_function": "median"},
                "'denoise_function' .* must be 'nl_means', 'tv_chambolle' or a callable. Got 'median'",
            ),
            ({"denoiser_kwargs": [1]}, "'denoiser_kwargs' .* a dict"),
            ({"sigma": 0.0}, "'sigma' .* positive"),
            ({"sigma": (0.1, 0.2)}, "does not rise"),
            ({"sigma": (0.1, 0.2, 0.3)}, "pair"),
            ({"sigma": "strong"}, "pair"),
            ({"sigma": 0.1, "denoise_function": np.abs}, "None for a denoiser with none of weight, h"),
            ({"sigma": 0.1, "denoiser_kwargs": {"h": 0.1}}, "left to set"),
            ({"joint_channels": 1}, "'joint_channels' .* a bool"),
            ({"max_iter": 0}, "'max_iter'"),
            ({"tol": 2.0}, "'tol'"),
        ],
    )
    def test_settings_are_checked_at_birth(self, settings, says):
        with pytest.raises(ValueError, match=f"(?s){says}"):
            PlugAndPlay(**settings)

    def test_more_axes_than_non_local_means_takes_are_refused(self):
        """scikit-image raises NotImplementedError, which the command line does not expect of a user's mistake."""
        image, mask = np.arange(32.0).reshape((2,) * 5), np.arange(32).reshape((2,) * 5) == 5
        with pytest.raises(ValueError, match=r"can be 'nl_means' for images of up to 4 axes .* Pass 'tv_chambolle'"):
            inpaint(image, mask, method="pnp")
        inpaint(image, mask, method=PlugAndPlay(denoise_function="tv_chambolle", max_iter=2, tol=None))

    def test_unequal_spacing_is_refused_as_the_denoiser_does_not_see_it(self, stripes):
        with pytest.raises(
            ValueError, match=r"'spacing' .* same along all axes for PlugAndPlay.* Got \(2.0, 6.0\).* spacing=1"
        ):
            inpaint(*stripes, method="pnp", spacing=(2, 6))
        inpaint(*stripes, method=PlugAndPlay(max_iter=2, tol=None), spacing=3)

    def test_the_spacing_of_a_file_can_be_ignored_as_the_message_says(self, tmp_path, capsys):
        volume = np.random.default_rng(0).random((3, 8, 8)).astype(np.float32)
        volume[1, 3:5, 3:5] = np.nan
        sizes = {"axes": "ZYX", "PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0, "PhysicalSizeZ": 4.0}
        source = tmp_path / "stack.ome.tif"
        tifffile.imwrite(source, volume, ome=True, metadata=sizes)
        line = ["restore", str(source), "--method", "pnp", "--set", "max_iter=2", "--set", "tol=None"]
        assert main(line) == 2
        assert "Got (4.0, 1.0, 1.0) instead. Give --spacing 1 to take pixels" in capsys.readouterr().err
        assert main([*line, "--spacing", "1"]) == 0

    def test_an_axis_without_neighbours_has_no_say(self):
        line, mask = np.arange(12.0)[:, None], np.eye(12, 1, -4)
        method = PlugAndPlay(max_iter=2, tol=None)
        np.testing.assert_array_equal(
            inpaint(line, mask, method=method, spacing=(0.05, 2.6)), inpaint(line, mask, method=method)
        )


@pytest.mark.parametrize("trial", TRIALS)
def test_the_start_solves_laplace(trial):
    problem = TRIALS[trial].problem(Laplace())
    filled = fill(problem.values, problem.mask, problem.spacing, tol=1e-12)
    expected = Laplace(solver="direct").solve(problem).values
    np.testing.assert_allclose(filled, expected, rtol=0, atol=1e-9)


def test_the_start_sees_the_spacing():
    trial = TRIALS["volume"]
    problem = Problem.from_image(trial.image, trial.mask, spacing=(1, 2, 0.5))
    filled = fill(problem.values, problem.mask, problem.spacing, tol=1e-12)
    np.testing.assert_allclose(filled, Laplace(solver="direct").solve(problem).values, rtol=0, atol=1e-9)
    assert np.abs(fill(problem.values, problem.mask, (1, 1, 1), tol=1e-12) - filled).max() > 1e-3
