"""Cutting holes out: every unknown pixel is in one cut-out, with all its neighbours, and the answer is the same."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from skinpaint import Laplace, inpaint
from skinpaint.grid import holes
from skinpaint.grid.jit import KNOWN, UNKNOWN
from skinpaint.grid.layout import Layout
from skinpaint.problem import Problem


@st.composite
def scattered_holes(draw):
    shape = draw(st.sampled_from([(700,), (130, 90), (60, 150), (40, 30, 50), (12, 9, 10, 14)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    mask = np.zeros(shape, bool)
    for _ in range(draw(st.integers(1, 6))):
        corner = [rng.integers(n) for n in shape]
        mask[tuple(slice(c, c + rng.integers(1, 12)) for c in corner)] = True
    mask.flat[0] = False
    return mask


@given(scattered_holes(), st.sampled_from([1, 2]), st.sampled_from([0, 300, 10**9]))
def test_every_unknown_pixel_is_in_one_cut_out_with_its_neighbours(mask, margin, large):
    before, holes.LARGE_BOX = holes.LARGE_BOX, large
    try:
        cuts = holes.cut_out(mask, margin)
    finally:
        holes.LARGE_BOX = before
    number = np.arange(1.0, mask.size + 1).reshape(mask.shape)
    seen = np.zeros(mask.shape, int)
    padded = np.pad(number, margin)
    for cut in cuts:
        drawn = np.pad(cut.gather(number), margin)
        state = np.pad(cut.state, margin)
        for axis in range(mask.ndim):
            for lag in (-margin, margin):
                there = np.roll(padded, lag, axis)[(slice(margin, -margin),) * mask.ndim]
                beside = np.roll(drawn, lag, axis)[(slice(margin, -margin),) * mask.ndim]
                around = np.roll(state, lag, axis)[(slice(margin, -margin),) * mask.ndim]
                at = cut.state == UNKNOWN
                index = cut.gather(number)[at].astype(int) - 1
                expected = there.flat[index]
                inside = expected > 0
                assert (beside[at][inside] == expected[inside]).all()
                assert np.isin(around[at][inside], (KNOWN, UNKNOWN)).all()
                assert (around[at][~inside] == 0).all()
        counted = np.zeros(mask.shape)
        cut.scatter(np.ones(cut.state.shape), counted)
        seen += counted.astype(int)
    assert (seen == mask).all()


@given(scattered_holes(), st.sampled_from([(1,), (1, 2)]))
def test_cutting_changes_nothing(mask, lags):
    problem = Problem.from_image(np.random.default_rng(1).random(mask.shape), mask)
    method = Laplace(lags=lags, solver="multigrid", tol=1e-12)
    cut = method.solve(problem).values
    before, holes.MAX_BOXED_FRACTION = holes.MAX_BOXED_FRACTION, 0.0
    try:
        whole = method.solve(problem).values
    finally:
        holes.MAX_BOXED_FRACTION = before
    np.testing.assert_allclose(cut, whole, rtol=0, atol=1e-9)


@given(scattered_holes(), st.sampled_from([1, 2]))
def test_gathering_and_scattering_back_is_the_identity(mask, margin):
    image = np.random.default_rng(2).random(mask.shape)
    same = image.copy()
    for cut in holes.cut_out(mask, margin):
        cut.scatter(cut.gather(image).copy(), same)
    assert same.tobytes() == image.tobytes()


@dataclass
class Identity:
    """A system whose solution is the first guess."""

    layout: Layout


@pytest.mark.parametrize("in_place", [False, True])
@given(scattered_holes(), st.sampled_from([1, 2]))
def test_solving_writes_the_unknown_pixels_and_no_others(in_place, mask, margin):
    layout = Layout(mask.shape, margin)
    flat = layout.flatten(np.random.default_rng(3).random(mask.shape))
    image, before = layout.inner(flat), layout.inner(flat).copy()
    systems = [(cut, Identity(Layout(cut.state.shape, margin))) for cut in holes.cut_out(mask, margin)]
    padded = [flat] if in_place else None
    assert holes.solve_holes(systems, [image], lambda system, x: x.dtype, padded=padded) == [np.float64] * len(systems)
    assert image.tobytes() == before.tobytes()

    def add_one(system, x):
        x[...] = x + 1

    holes.solve_holes(systems, [image], add_one)
    np.testing.assert_array_equal(image, np.where(mask, before + 1, before))


def test_small_holes_share_a_small_cut_out():
    mask = np.zeros((1000, 1000), bool)
    mask[100:110, 100:110] = mask[500:520, 800:805] = mask[990:, 990:] = True
    cuts = holes.cut_out(mask, 1)
    assert len(cuts) == 1
    assert cuts[0].state.size < 1500


def test_a_large_hole_has_a_cut_out_of_its_own():
    mask = np.zeros((1000, 1000), bool)
    mask[100:400, 100:400] = mask[500:520, 800:805] = True
    shapes = sorted(cut.state.shape for cut in holes.cut_out(mask, 2))
    assert shapes == [(24, 9), (304, 304)]


def test_narrow_and_thin_holes_are_listed_and_wide_ones_are_not():
    mask = np.zeros((1000, 1000), bool)
    mask[100:400, 100:400] = True
    narrow = np.zeros_like(mask)
    narrow[500:520, 800:818] = narrow[600, :] = narrow[700:990:60, 700:990:60] = True
    box, listed = holes.cut_out(mask | narrow, 1, lags=(1,))
    assert box.state.shape == (302, 302)
    assert np.array_equal(np.sort(listed.points.at), np.flatnonzero(narrow))
    assert np.array_equal(np.flatnonzero(mask | narrow)[listed.members], listed.points.at)


@pytest.mark.parametrize("solver", ["multigrid", "direct"])
def test_a_mask_from_pillow_whose_true_is_255(solver):
    mask = np.asarray(Image.fromarray(np.pad(np.full((4, 4), 255, np.uint8), 4)).convert("1"))
    assert mask.view(np.uint8).max() == 255
    image = np.add.outer(np.arange(12.0), np.arange(12.0))
    restored = inpaint(np.where(mask, 0, image), mask, method=Laplace(solver=solver, tol=1e-12))
    np.testing.assert_allclose(restored, image, atol=1e-9)
