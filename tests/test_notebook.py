"""What a notebook shows of an estimator and of a comparison."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from skinpaint import Inpainter, compare
from skinpaint.show.notebook import SIGNAL


def pictures(html):
    """Return the pictures in a piece of HTML as arrays."""
    found = re.findall(r'<img src="data:image/png;base64,([^"]+)">', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in found]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_fitted_estimator_shows_before_and_after(grey, mask, dtype):
    inpainter = Inpainter("laplace").fit(grey.astype(dtype), mask=mask)
    html = inpainter._repr_html_()
    before, after = pictures(html)
    np.testing.assert_array_equal((before == SIGNAL).all(axis=-1), mask)
    np.testing.assert_array_equal(before[~mask], after[~mask])
    if dtype == np.uint8:
        np.testing.assert_array_equal(after[..., 0], inpainter.restored_)
    assert "converged, 1 iteration" in html
    assert inpainter.solution_.status in html
    assert f"{mask.sum()} pixels to fill" in html


@pytest.mark.parametrize("axis", [-1, 0])
def test_colours_and_masks_of_their_own(colour, rng, axis):
    image, mask = np.moveaxis(colour, -1, axis), np.moveaxis(rng.random(colour.shape) < 0.3, -1, axis)
    before, after = pictures(Inpainter("laplace", channel_axis=axis).fit(image, mask=mask)._repr_html_())
    assert after.shape == colour.shape
    np.testing.assert_array_equal((before == SIGNAL).all(axis=-1), mask.any(axis=axis))


def test_what_cannot_be_shown_is_said(rng):
    assert Inpainter("laplace")._repr_html_() == "<pre>Inpainter(method=&#x27;laplace&#x27;)</pre>"
    volume = Inpainter("laplace").fit(rng.random((4, 5, 6)), mask=rng.random((4, 5, 6)) < 0.3)
    assert "&lt;Solution: converged" in volume._repr_html_()
    assert pictures(volume._repr_html_()) == []


def test_large_pictures_are_reduced(rng):
    image = rng.random((900, 700))
    (before, after) = pictures(Inpainter("laplace").fit(image, mask=image < 0.1)._repr_html_())
    assert max(before.shape) <= 320
    assert before.shape == after.shape


def test_a_comparison_shows_its_table_and_sheet(grey, mask):
    comparison = compare(grey, mask, {"a <b>": "laplace", "other": "biharmonic"})
    html = comparison._repr_html_()
    assert html.count("<tr>") == 3
    assert "a &lt;b&gt;" in html
    assert "were hidden as the missing ones are" in html
    (sheet,) = pictures(html)
    np.testing.assert_array_equal(sheet, np.asarray(comparison.sheet()))
    signal = compare(grey[0], mask[0], ["laplace", "biharmonic"])
    assert pictures(signal._repr_html_()) == []


def test_a_solution_is_said_without_its_arrays(grey, mask):
    said = repr(Inpainter("gd").fit(grey, mask=mask).solution_)
    assert re.fullmatch(r"<Solution: converged, \d+ iterations, energy [\d.]+, proven within .*%\n Converged .*>", said)
    assert "array" not in said
