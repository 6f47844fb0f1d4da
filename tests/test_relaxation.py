"""Over-relaxation gives the harmonic fill, to the accuracy that is asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skinpaint import Laplace, inpaint
from skinpaint.grid.harmonic import kernels
from skinpaint.grid.harmonic.relaxation import relax


def relaxed(channels, missing, tol=1e-5):
    out = channels.astype(np.float32)
    relax(out, missing, tol)
    return out


def exact(channel, missing):
    return inpaint(channel.astype(float), missing, method=Laplace(solver="direct"))


def stroke(shape, width):
    i, j = np.indices(shape)
    return np.abs(i - shape[0] // 2 - 6 * np.sin(j / 9)) < width / 2


MASKS = {
    "stroke": stroke((70, 90), 20),
    "hole": np.pad(np.ones((30, 41), bool), 7),
    "at the corner": np.pad(np.ones((12, 20), bool), ((0, 9), (0, 4))),
    "random": np.random.default_rng(0).random((40, 50)) < 0.6,
    "a line of pixels": np.arange(9)[None] % 4 > 0,
}


@pytest.mark.parametrize("name", MASKS)
def test_is_the_harmonic_fill(name, rng):
    missing = MASKS[name]
    channels = rng.random((3, *missing.shape), np.float32) * np.array([1, 200, 1e4], np.float32)[:, None, None]
    out = relaxed(channels, missing)
    np.testing.assert_array_equal(out[:, ~missing], channels[:, ~missing])
    for channel, found in zip(channels, out, strict=True):
        np.testing.assert_allclose(found, exact(channel, missing), rtol=0, atol=1e-4 * np.ptp(channel))


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.5, 0.95]))
@settings(max_examples=25)
def test_any_mask(seed, share):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 16, 2).tolist())
    missing = rng.random(shape) < share
    missing[0, 0], missing[-1, -1] = True, False
    if missing.size == 1 or missing.all():
        return
    channels = rng.random((2, *shape), np.float32)
    out = relaxed(channels, missing)
    for channel, found in zip(channels, out, strict=True):
        np.testing.assert_allclose(found, exact(channel, missing), rtol=0, atol=1e-4)


def test_values_under_the_mask_never_matter(rng):
    missing, channels = MASKS["stroke"], rng.random((2, 70, 90), np.float32)
    other = np.where(missing, np.float32(1e6), channels)
    np.testing.assert_array_equal(relaxed(channels, missing), relaxed(other, missing))


def test_nothing_missing_changes_nothing(rng):
    channels = rng.random((1, 4, 5), np.float32)
    np.testing.assert_array_equal(relaxed(channels, np.zeros((4, 5), bool)), channels)


def test_too_few_sweeps_are_seen(rng, monkeypatch):
    """The tests above can fail: they do with the changes that a coarser tolerance allows."""
    missing = MASKS["hole"]
    channels = rng.random((1, *missing.shape), np.float32)
    away = np.abs(relaxed(channels, missing, tol=0.5)[0] - exact(channels[0], missing)).max()
    assert away > 1e-3
    over_relax = kernels.over_relax
    monkeypatch.setattr(kernels, "over_relax", lambda *args: over_relax(*args[:-2], 8, args[-1]))
    assert np.abs(relaxed(channels, missing)[0] - exact(channels[0], missing)).max() > 1e-3
