"""Damage: only what the mask says is changed, and by what was promised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skinpaint.damage import random_pixels, scratches, text

DTYPES = [np.uint8, np.uint16, np.int16, np.float16, np.float32, np.float64, ">f4", ">u2"]


def extremes(dtype):
    dtype = np.dtype(dtype)
    return {0, 1} if dtype.kind == "f" else {np.iinfo(dtype).min, np.iinfo(dtype).max}


@given(
    shape=hnp.array_shapes(min_dims=1, max_dims=4, max_side=6),
    dtype=st.sampled_from(DTYPES),
    fraction=st.floats(0, 1),
    seed=st.integers(0, 1000),
    data=st.data(),
)
@settings(deadline=None)
def test_random_pixels(shape, dtype, fraction, seed, data):
    axes = [None, *range(-len(shape), len(shape))] if len(shape) > 1 else [None]
    channel_axis = data.draw(st.sampled_from(axes))
    image = np.full(shape, 7, dtype)
    image.flags.writeable = False
    damaged, mask = random_pixels(image, fraction, channel_axis=channel_axis, rng=seed)
    assert (damaged.shape, damaged.dtype, mask.dtype) == (image.shape, image.dtype, bool)
    pixels = damaged[..., None] if channel_axis is None else np.moveaxis(damaged, channel_axis, -1)
    assert mask.shape == pixels.shape[:-1]
    assert (pixels[~mask] == 7).all()
    assert set(np.unique(pixels[mask])) <= extremes(dtype)
    assert (pixels[mask] == pixels[mask][:, :1]).all(), "a pixel is black or white in all its channels"
    again, _ = random_pixels(image, fraction, channel_axis=channel_axis, rng=seed)
    np.testing.assert_array_equal(again, damaged)


def test_random_pixels_are_as_many_as_asked():
    damaged, mask = random_pixels(np.full((300, 300), 9, np.uint8), 0.9, rng=0)
    assert mask.mean() == pytest.approx(0.9, abs=0.005)
    assert (damaged[mask] == 255).mean() == pytest.approx(0.5, abs=0.01)
    assert not random_pixels(damaged, 0)[1].any()
    assert random_pixels(damaged, 1)[1].all()


@pytest.mark.parametrize("draw", [text, scratches])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channel_axis", [None, 0, 1, -1])
def test_drawn_damage(draw, dtype, channel_axis):
    image = np.full((40, 60), 7, dtype)
    if channel_axis is not None:
        image = np.stack([image] * 3, axis=channel_axis)
    options = {"rng": 0} if draw is scratches else {}
    damaged, mask = draw(image, channel_axis=channel_axis, **options)
    pixels = damaged[..., None] if channel_axis is None else np.moveaxis(damaged, channel_axis, -1)
    assert mask.shape == (40, 60)
    assert 0.01 < mask.mean() < 0.6
    assert (damaged.shape, damaged.dtype) == (image.shape, image.dtype)
    assert (pixels[mask] == max(extremes(dtype))).all()
    assert (pixels[~mask] == 7).all()
    assert (draw(image, value=3, channel_axis=channel_axis, **options)[0] == np.where(damaged == 7, 7, 3)).all()


def test_width_and_count_of_scratches():
    image = np.zeros((100, 100))
    thin, wide, many = (scratches(image, rng=0, **options)[1] for options in ({}, {"width": 3}, {"count": 60}))
    assert wide[thin].all()
    assert thin.sum() < wide.sum()
    assert thin.sum() < many.sum()
    assert not scratches(image, count=0)[1].any()


def test_size_of_text():
    image = np.zeros((100, 100))
    rows = [text(image, "H", size=size)[1].any(axis=1) for size in (10, 30)]
    runs = [np.diff(np.flatnonzero(np.diff(row)))[0] for row in rows]
    assert runs[1] > 2 * runs[0]


GREY, COLOUR, VOLUME = (np.zeros(shape, np.uint8) for shape in ((8, 8), (8, 8, 3), (4, 8, 8, 3)))


@pytest.mark.parametrize(
    ("error", "says", "call"),
    [
        (ValueError, r"'fraction' .* in \[0, 1\]\. Got 2", lambda: random_pixels(GREY, 2)),
        (ValueError, "'fraction' .* Got nan", lambda: random_pixels(GREY, float("nan"))),
        (TypeError, "'image' parameter of random_pixels .* Got dtype bool", lambda: random_pixels(GREY > 0)),
        (TypeError, "Got dtype complex128", lambda: scratches(GREY * 1j)),
        (TypeError, "Got dtype object", lambda: text(type("NDData", (), {"_mask": None})())),  # as in astropy
        (TypeError, "must not have masked entries", lambda: text(np.ma.masked_less(GREY, 9))),
        (ValueError, "'channel_axis' .* Got 2", lambda: random_pixels(GREY, channel_axis=2)),
        (ValueError, "at least one spatial axis", lambda: random_pixels(np.float64(3))),
        (ValueError, "did you mean channel_axis=-1", lambda: text(COLOUR)),
        (ValueError, "two spatial axes. Got shape .4, 8, 8, 3.", lambda: scratches(VOLUME, channel_axis=-1)),
        (ValueError, "'text' .* at least one word. Got '  '", lambda: text(GREY, "  ")),
        (ValueError, "'size' .* from 1 to 65535. Got inf", lambda: text(GREY, size=float("inf"))),
        (ValueError, "'size' .* from 1 to 65535. Got 100000", lambda: text(GREY, size=100_000)),
        (ValueError, "'size' .* from 1 to 65535. Got 0", lambda: text(GREY, size=0)),
        (ValueError, "'count' .* at least 0. Got -1", lambda: scratches(GREY, -1)),
        (ValueError, "'width' .* at least 1. Got 0.5", lambda: scratches(GREY, width=0.5)),
        (ValueError, "'value' parameter of text must .* uint8 holds. Got 256", lambda: text(GREY, value=256)),
        (ValueError, "'value' parameter of scratches .* Got 12.7", lambda: scratches(GREY, value=12.7)),
        (ValueError, "'value' parameter of text .* Got 'a'", lambda: text(GREY, value="a")),
        (ValueError, "'value' parameter of text .* float32 holds. Got 1e", lambda: text(np.float32(GREY), value=1e300)),
        (ValueError, "'value' parameter of text .* float64 holds. Got 1000", lambda: text(GREY / 2, value=10**400)),
        (ValueError, "'count' .* at least 0. Got 'a'", lambda: scratches(GREY, "a")),
        (ValueError, "'width' .* at least 1. Got inf", lambda: scratches(GREY, width=float("inf"))),
        (ValueError, r"'fraction' .* in \[0, 1\]. Got None", lambda: random_pixels(GREY, None)),
        (ValueError, "'channel_axis' .* Got 1.0", lambda: random_pixels(GREY, channel_axis=1.0)),
        (ValueError, "'text' .* a str with at least one word. Got 5", lambda: text(GREY, 5)),
        (ValueError, "'size' .* from 1 to 65535. Got 'a'", lambda: text(GREY, size="a")),
        (ValueError, "'channel_axis' parameter of scratches .* Got True", lambda: scratches(COLOUR, channel_axis=True)),
        (ValueError, r"must not be empty\. Got shape \(0, 8\)", lambda: text(GREY[:0])),
        (ValueError, "must not be empty", lambda: scratches(GREY[:, :0])),
        (ValueError, "'rng' parameter of random_pixels must be .* Got 'a'", lambda: random_pixels(GREY, rng="a")),
        (ValueError, "'rng' parameter of scratches must be .* Got -1", lambda: scratches(GREY, rng=-1)),
    ],
)
def test_errors(error, says, call):
    with pytest.raises(error, match=says):
        call()
