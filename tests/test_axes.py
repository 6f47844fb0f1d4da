"""The axes that have neighbours, and the channels that share a mask."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from skinpaint.grid.axes import channels_by_mask, drop_short_axes, long_axes


@given(array_shapes(min_dims=1, max_dims=5, min_side=1, max_side=3))
def test_short_axes_have_no_neighbours_and_dropping_them_is_a_view(shape):
    grid = np.zeros((2, *shape)).transpose()[..., 0]  # not contiguous
    dropped = drop_short_axes(grid)
    assert dropped.shape == tuple(grid.shape[axis] for axis in long_axes(grid.shape))
    assert dropped.size == grid.size
    assert min(dropped.shape) > 1 or dropped.shape == (1,)
    dropped[...] = 1
    assert grid.all()


@given(st.integers(0, 2**32), st.integers(1, 6), st.booleans())
def test_every_channel_with_something_missing_is_in_one_group(seed, channels, shared):
    rng = np.random.default_rng(seed)
    kinds = rng.random((2, 2, 3)) < 0.4  # few kinds of masks, so that channels share them
    mask = kinds[..., :1] if shared else kinds[..., rng.integers(0, 3, channels)]
    found = list(channels_by_mask(mask, channels))
    full = np.broadcast_to(mask, (2, 2, channels))
    for spatial, group in found:
        for c in group:
            np.testing.assert_array_equal(full[..., c], spatial)
    assert sorted(c for _, group in found for c in group) == [c for c in range(channels) if full[..., c].any()]
    assert len({spatial.tobytes() for spatial, _ in found}) == len(found)


class Counted(np.ndarray):
    """Counts how often a part of it is taken."""

    taken = 0

    def __getitem__(self, key):
        Counted.taken += 1
        return np.asarray(self)[key]


def test_many_channels_with_masks_of_their_own_are_grouped_in_one_pass():
    mask = np.random.default_rng(0).random((4, 4, 400)) < 0.5
    found = list(channels_by_mask(mask.view(Counted), 400))
    assert len(found) == len(np.unique(mask.reshape(16, -1), axis=1).T)
    assert Counted.taken <= 2 * 400  # each channel compared with each other: 80,000
