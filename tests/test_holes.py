"""Cutting holes out: every unknown pixel lies on one sheet, with all its neighbours, and the answer is the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from skinpaint import Laplace, inpaint
from skinpaint.grid import holes
from skinpaint.grid.jit import KNOWN, UNKNOWN
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
def test_every_unknown_pixel_lies_on_one_sheet_with_its_neighbours(mask, margin, large):
    before, holes.LARGE = holes.LARGE, large
    try:
        sheets = holes.cut_out(mask, margin)
    finally:
        holes.LARGE = before
    number = np.arange(1.0, mask.size + 1).reshape(mask.shape)
    seen = np.zeros(mask.shape, int)
    padded = np.pad(number, margin)
    for sheet in sheets:
        drawn = np.pad(sheet.gather(number), margin)
        state = np.pad(sheet.state, margin)
        for axis in range(mask.ndim):
            for lag in (-margin, margin):
                there = np.roll(padded, lag, axis)[(slice(margin, -margin),) * mask.ndim]
                beside = np.roll(drawn, lag, axis)[(slice(margin, -margin),) * mask.ndim]
                around = np.roll(state, lag, axis)[(slice(margin, -margin),) * mask.ndim]
                at = sheet.state == UNKNOWN
                index = sheet.gather(number)[at].astype(int) - 1
                expected = there.flat[index]
                inside = expected > 0
                assert (beside[at][inside] == expected[inside]).all()
                assert np.isin(around[at][inside], (KNOWN, UNKNOWN)).all()
                assert (around[at][~inside] == 0).all()
        counted = np.zeros(mask.shape)
        sheet.scatter(np.ones(sheet.state.shape), counted)
        seen += counted.astype(int)
    assert (seen == mask).all()


@given(scattered_holes(), st.sampled_from([(1,), (1, 2)]))
def test_cutting_changes_nothing(mask, lags):
    problem = Problem.from_image(np.random.default_rng(1).random(mask.shape), mask)
    method = Laplace(lags=lags, solver="multigrid", tol=1e-12)
    cut = method.solve(problem).values
    before, holes.DENSE = holes.DENSE, 0.0
    try:
        whole = method.solve(problem).values
    finally:
        holes.DENSE = before
    np.testing.assert_allclose(cut, whole, rtol=0, atol=1e-9)


def test_small_holes_share_a_small_sheet():
    mask = np.zeros((1000, 1000), bool)
    mask[100:110, 100:110] = mask[500:520, 800:805] = mask[990:, 990:] = True
    sheets = holes.cut_out(mask, 1)
    assert len(sheets) == 1
    assert sheets[0].state.size < 1500


def test_a_large_hole_has_its_own_sheet():
    mask = np.zeros((1000, 1000), bool)
    mask[100:400, 100:400] = mask[500:520, 800:805] = True
    shapes = sorted(sheet.state.shape for sheet in holes.cut_out(mask, 2))
    assert shapes == [(24, 9), (304, 304)]


@pytest.mark.parametrize("solver", ["multigrid", "direct"])
def test_a_mask_from_pillow_whose_true_is_255(solver):
    mask = np.asarray(Image.fromarray(np.pad(np.full((4, 4), 255, np.uint8), 4)).convert("1"))
    assert mask.view(np.uint8).max() == 255
    image = np.add.outer(np.arange(12.0), np.arange(12.0))
    restored = inpaint(np.where(mask, 0, image), mask, method=Laplace(solver=solver, tol=1e-12))
    np.testing.assert_allclose(restored, image, atol=1e-9)
