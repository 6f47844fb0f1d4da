"""Painting without a page: from edits to a mask, from a mask to a picture."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from skinpaint import Exemplar, Laplace, inpaint
from skinpaint.masks import grow
from skinpaint.paint import Session, edits
from skinpaint.paint.boxes import Box
from skinpaint.paint.picture import Picture, reduced
from skinpaint.paint.preview import COVERED, draft, shown
from skinpaint.paint.tiles import Bits

SHAPE = (37, 290)  # more than one tile of 256


def blank(shape=SHAPE):
    return Session(np.full(shape, 90, np.uint8), method="laplace")


def disc(points, diameter, shape=SHAPE):
    """Return, pixel by pixel, what is within the radius of a path."""
    y, x = (index + 0.5 for index in np.indices(shape))
    found = np.zeros(shape, bool)
    for (x0, y0), (x1, y1) in zip(points, points[1:] or points, strict=False):
        length = (x1 - x0) ** 2 + (y1 - y0) ** 2
        t = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length, 0, 1) if length else 0
        found |= np.hypot(x - x0 - t * (x1 - x0), y - y0 - t * (y1 - y0)) <= diameter / 2
    return found


coordinates = st.tuples(st.floats(-30, SHAPE[1] + 30), st.floats(-30, SHAPE[0] + 30))
paths = st.lists(coordinates, min_size=1, max_size=6).map(tuple)
erase = st.booleans()
any_edit = st.one_of(
    st.builds(edits.Stroke, points=paths, diameter=st.floats(1, 60), erase=erase),
    st.builds(edits.Polygon, points=st.lists(coordinates, min_size=3, max_size=6).map(tuple), erase=erase),
    st.builds(edits.Rectangle, points=st.tuples(coordinates, coordinates), erase=erase),
    st.builds(edits.Similar, points=st.tuples(coordinates), tolerance=st.integers(0, 60), erase=erase),
    st.builds(edits.Grow, pixels=st.integers(1, 5)),
    st.builds(edits.Clear),
)


@given(paths, st.floats(2, 60))
def test_a_stroke_is_the_disc_along_the_path(points, diameter):
    session = blank()
    session.apply(edits.Stroke(points=points, diameter=diameter))
    expected = disc(points, diameter)
    assert not (expected & ~session.mask).any()
    extra = session.mask & ~disc(points, diameter + 1.5)  # at most the pixels that the path itself takes
    assert not extra.any()


@pytest.mark.parametrize("point", [(5.0, 7.0), (5.01, 7.99), (5.99, 7.5)])
def test_a_brush_of_one_pixel_is_exactly_one_pixel(point):
    session = blank()
    session.apply(edits.Stroke(points=(point,), diameter=1))
    assert np.argwhere(session.mask).tolist() == [[7, 5]]


@given(coordinates, coordinates)
def test_a_line_of_one_pixel_has_no_gap_and_no_corner(start, end):
    session = Session(np.zeros((120, 400), np.uint8))
    (x0, y0), (x1, y1) = ((x + 40, y + 40) for x, y in (start, end))
    session.apply(edits.Stroke(points=((x0, y0), (x1, y1)), diameter=1))
    across, down = abs(int(x1) - int(x0)), abs(int(y1) - int(y0))
    if np.hypot(x1 - x0, y1 - y0) < 256:  # longer ones are drawn in pieces
        assert session.missing == max(across, down) + 1
    along = session.mask.any(axis=0 if across >= down else 1)
    assert np.count_nonzero(along) == max(across, down) + 1


@given(paths, st.floats(1, 40), st.data())
def test_a_stroke_that_arrives_in_parts_is_the_same_as_one_that_arrives_at_once(points, diameter, drawn):
    whole, parts = blank(), blank()
    whole.apply(edits.Stroke(points=points, diameter=diameter))
    cut = drawn.draw(st.integers(0, len(points) - 1))
    dirty = parts.begin(diameter=diameter, point=points[0])
    dirty |= parts.extend(points[1 : cut + 1])
    dirty |= parts.extend(points[cut + 1 :])
    assert parts.painting
    assert parts.end() == dirty == parts.bounds
    np.testing.assert_array_equal(parts.mask, whole.mask)
    assert parts.edits == whole.edits
    parts.undo()
    assert parts.missing == 0


def test_a_stroke_of_any_length_is_painted(monkeypatch):
    monkeypatch.setattr("skinpaint.paint.edits.MAX_POINTS", 5)
    monkeypatch.setattr("skinpaint.paint.session.MAX_POINTS", 5)
    session = Session(np.zeros((20, 40), np.uint8))
    session.begin(diameter=1, point=(0.5, 5.5))
    for x in range(1, 40):
        session.extend([(x + 0.5, 5.5)])
    assert session.stroke == (1, 40)
    session.end()
    assert session.mask[5].all()
    assert len(session.edits) == 10
    while session.can_undo:
        session.undo()
    assert session.missing == 0


def test_the_pressure_of_a_pen_narrows_the_stroke():
    session = blank()
    session.apply(edits.Stroke(points=((20.5, 18.5, 1.0), (220.5, 18.5, 0.25)), diameter=20))
    heights = session.mask.sum(axis=0)
    assert (heights[20], heights[220]) == (21, 5)
    assert (np.diff(heights[20:220].astype(int)) <= 0).all()


@given(st.lists(any_edit, max_size=6))
def test_undo_takes_every_edit_back_and_redo_brings_it_again(steps):
    image = data.camera()[200 : 200 + SHAPE[0], 100 : 100 + SHAPE[1]]
    session, masks = Session(image), [np.zeros(SHAPE, bool)]
    for step in steps:
        dirty = session.apply(step)
        changed = session.mask ^ masks[-1]
        rows, columns = np.nonzero(changed)
        expected = Box(rows.min(), columns.min(), rows.max() + 1, columns.max() + 1) if rows.size else Box(0, 0, 0, 0)
        assert dirty == expected, "the dirty box is exactly what changed"
        masks.append(session.mask)
    for before in masks[-2::-1]:
        session.undo()
        np.testing.assert_array_equal(session.mask, before)
    assert not session._bits.tiles
    assert not session.can_undo
    for after in masks[1:]:
        session.redo()
        np.testing.assert_array_equal(session.mask, after)
    assert not session.can_redo
    again = Session(image)
    again.replay(json.loads(json.dumps(session.data())))
    np.testing.assert_array_equal(again.mask, session.mask)
    assert again.edits == session.edits


def test_a_new_edit_forgets_what_was_undone():
    session = blank()
    session.apply(edits.Rectangle(points=((1, 1), (5, 5))))
    session.undo()
    session.apply(edits.Rectangle(points=((8, 8), (9, 9))))
    assert not session.can_redo
    assert session.redo() == Box(0, 0, 0, 0)
    assert session.missing == 4


def test_shapes():
    session = blank()
    session.apply(edits.Rectangle(points=((10.9, 5.2), (3.1, 7.9))))
    assert (session.bounds, session.missing) == (Box(5, 3, 8, 11), 24)
    session.apply(edits.Rectangle(points=((4.5, 6.5), (4.5, 6.5)), erase=True))
    assert not session.mask[6, 4]
    session.apply(edits.Clear())
    assert session.missing == 0
    star = ((50, 2), (60, 32), (35, 13), (65, 13), (40, 32))
    session.apply(edits.Polygon(points=star))
    assert not session.mask[17, 50], "inside twice"
    assert session.mask[10, 50]
    assert session.mask[17, 50 - 12] == session.mask[17, 50 + 11]


def test_a_flood_takes_connected_pixels_of_one_colour_however_far_they_reach():
    image = np.full((700, 1500, 3), 40, np.uint8)
    image[350, 100:1400] = 200, 90, 90  # longer than the first window
    image[352, 100] = 200, 90, 90  # not connected
    image[350, 700] = 205, 90, 95
    session = Session(image)
    session.apply(edits.Similar(points=((750.5, 350.5),), tolerance=3))
    assert (session.missing, session.bounds) == (1400 - 701, Box(350, 701, 351, 1400))
    session.apply(edits.Similar(points=((750.5, 350.5),), tolerance=5))
    assert session.missing == 1300
    assert session.apply(edits.Similar(points=((-3, 2),), tolerance=5)) == Box(0, 0, 0, 0)


@given(st.integers(1, 6), st.integers(0, 2**31))
def test_growing_is_that_of_the_library(pixels, seed):
    mask = np.random.default_rng(seed).random((270, 530)) < 0.001
    session = Session(np.zeros(mask.shape, np.uint8), mask=mask)
    session.apply(edits.Grow(pixels=pixels))
    np.testing.assert_array_equal(session.mask, grow(mask, pixels))


def test_an_answer_that_is_none_is_refused_as_by_the_inpainter(rng):
    """NaN of a method of one's own became black, with its message of success."""

    class Unfinished(Laplace):
        def solve(self, problem, callback=None):
            solution = super().solve(problem, callback)
            return replace(solution, values=np.where(problem.mask, np.nan, solution.values))

    session = Session(rng.integers(0, 256, (20, 20), np.uint8), method=Unfinished())
    session.apply(edits.Rectangle(points=((3, 3), (8, 8))))
    with pytest.raises(ValueError, match=r"Unfinished\.solve must return finite values\. Got 36"):
        _ = session.restored


def test_an_imported_mask_is_kept_bit_for_bit(rng):
    mask = rng.random(SHAPE) < 0.3
    session = Session(np.zeros(SHAPE, np.uint8), mask=mask)
    np.testing.assert_array_equal(session.mask, mask)
    with pytest.raises(ValueError, match=r"must have the shape \(37, 290\) of the picture. Got \(3, 3\)"):
        session.imported(np.zeros((3, 3), bool))
    other = Session(np.zeros((8, 8), np.uint8))
    with pytest.raises(ValueError, match="reaches to row 37"):
        other.replay(session.data())
    assert other.missing == 0


def test_a_flood_is_the_same_when_it_is_replayed_on_a_picture_that_came_with_a_mask(rng):
    image = rng.normal(100, 5, (40, 50)).astype(np.float32)
    missing = np.zeros(image.shape, bool)
    image[:20], missing[:20] = 1e4, True
    image[20, 0] = 2e4
    session = Session(np.ma.masked_greater(image, 1.5e4), mask=missing)
    session.apply(edits.Clear())
    session.apply(edits.Similar(points=((30, 30),), tolerance=40))
    assert 0 < session.missing < 1000
    again = Session(image)
    again.replay(json.loads(json.dumps(session.data())))
    np.testing.assert_array_equal(again.mask, session.mask)
    assert again.picture.shown_as == session.picture.shown_as


def test_proposals():
    image = data.camera()[:256, :256].copy()
    image[image == 255] = 254
    image[image == 0] = 1
    lines = np.zeros(image.shape, bool)
    lines[40, 20:230] = lines[60:200, 30] = True
    image[lines] = 255
    saturated, hairlines = Session(image), Session(image)
    saturated.apply(edits.Suggested(what="saturated"))
    np.testing.assert_array_equal(saturated.mask, lines)
    hairlines.apply(edits.Suggested(what="hairlines", strength=60))
    assert (hairlines.mask & lines).sum() >= 0.9 * lines.sum()
    assert (hairlines.mask & ~grow(lines, 3)).mean() < 0.03
    with pytest.raises(ValueError, match=r"must be a Suggested, .* the mask\. Got Grow"):
        hairlines.propose(edits.Grow(pixels=2))
    with pytest.raises(ValueError, match="only for integers"):
        Session(np.array([[-3.0, 7.0]])).apply(edits.Suggested(what="saturated"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "must name its kind"),
        ({"kind": "nonsense"}, "must name its kind, one of stroke"),
        ({"kind": ["stroke"]}, "must name its kind"),
        ({"kind": "stroke", "points": [[1, 2]]}, "diameter"),
        ({"kind": "stroke", "points": [[1, 2]], "diameter": 401}, "a number from 1 to 400"),
        ({"kind": "stroke", "points": [[1, float("nan")]], "diameter": 4}, "numbers x, y"),
        ({"kind": "stroke", "points": [[1, 1e300]], "diameter": 4}, "numbers x, y"),
        ({"kind": "stroke", "points": [[1, 2, 3]], "diameter": 4}, "pressure from 0 to 1"),
        ({"kind": "stroke", "points": [], "diameter": 4}, "1 to 200,000 points"),
        ({"kind": "stroke", "points": "abc", "diameter": 4}, "1 to 200,000 points"),
        ({"kind": "stroke", "points": [[1, 2]] * 200_001, "diameter": 4}, "1 to 200,000 points"),
        ({"kind": "stroke", "points": [[1, 2]], "diameter": 4, "path": "/etc/passwd"}, "knows only"),
        ({"kind": "rectangle", "points": [[1, 2], [3, 4], [5, 6]]}, "two corners"),
        ({"kind": "similar", "points": [[1, 2]], "tolerance": 3.5}, "an int from 0 to 255"),
        ({"kind": "suggested", "what": "faces"}, "'saturated' or 'hairlines'"),
        ({"kind": "grow", "pixels": True}, "an int from 1 to 50"),
        ({"kind": "clear", "erase": 1}, "must be a bool"),
        ({"kind": "imported", "box": [0, 0, 4, 4], "bits": "!!!"}, "compressed bits"),
        ({"kind": "imported", "box": [0, 0, 4000, 4000], "bits": "eJwDAAAAAAE="}, "compressed bits"),
        ({"kind": "imported", "box": 5, "bits": ""}, "no imported"),
    ],
)
def test_what_is_no_edit_is_refused_in_a_sentence(wrong, said):
    session = blank()
    with pytest.raises(ValueError, match=said):
        session.replay([{"kind": "grow", "pixels": 1}, wrong])
    assert session.edits == (), "none is applied"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [None, -1, 0])
def test_the_picture_is_that_of_inpaint_and_known_pixels_are_the_same_bits(dtype, channels):
    image = data.astronaut()[60:260, 60:360]
    image = image[..., 0] if channels is None else np.moveaxis(image, -1, channels)
    image = (image.astype(float) * {"B": 1, "H": 250, "f": 1 / 255}[np.dtype(dtype).char]).astype(dtype)
    kept = image.copy()
    session = Session(image, channel_axis=channels, method="laplace")
    session.apply(edits.Stroke(points=((20, 20), (200, 150), (90, 170)), diameter=9))
    session.apply(edits.Stroke(points=((280, 10), (280, 190)), diameter=3))
    restored = session.restored
    expected = inpaint(image, session.mask, method="laplace", channel_axis=channels)
    assert (restored.dtype, restored.shape) == (image.dtype, image.shape)
    missing = session.mask if channels is None else np.expand_dims(session.mask, channels)
    missing = np.broadcast_to(missing, image.shape)
    np.testing.assert_array_equal(restored[~missing], kept[~missing])
    np.testing.assert_allclose(
        restored.astype(float), expected.astype(float), atol={"B": 1, "H": 4, "f": 1e-4}[restored.dtype.char]
    )
    np.testing.assert_array_equal(image, kept)
    assert session.settled


def test_only_what_a_change_bears_on_is_solved_again():
    session = Session(data.camera(), method="laplace")
    session.apply(edits.Stroke(points=((50, 50), (90, 60)), diameter=8))
    first = [filled.box for filled in session.solve()]
    session.apply(edits.Stroke(points=((400, 400),), diameter=8))
    second = [filled.box for filled in session.solve()]
    assert first == [Box(40, 40, 64, 96)]
    assert second == [Box(392, 392, 408, 408)]
    assert list(session.solve()) == []


def test_an_erased_part_shows_the_image_again_and_the_rest_is_solved_anew():
    image = data.camera()[:200, :200]
    session = Session(image, method="laplace")
    session.apply(edits.Rectangle(points=((50, 50), (120, 80))))
    assert (session.restored != image).sum() > 1000
    session.apply(edits.Rectangle(points=((0, 0), (90, 200)), erase=True))
    expected = inpaint(image, session.mask, method="laplace")
    np.testing.assert_allclose(session.restored.astype(int), expected, atol=1)
    session.undo()
    session.undo()
    np.testing.assert_array_equal(session.restored, image)


def test_a_method_that_is_chosen_solves_everything_again():
    image = data.camera()[100:200, 100:200]
    session = Session(image, method="laplace")
    session.apply(edits.Stroke(points=((20, 20), (80, 70)), diameter=7))
    harmonic = session.restored
    session.choose("biharmonic")
    assert not session.settled
    filled = list(session.solve())
    assert [(each.method, each.draft) for each in filled] == [("Laplace", True), ("Biharmonic", False)]
    assert (session.restored != harmonic).any()
    np.testing.assert_allclose(session.restored.astype(int), inpaint(image, session.mask, method="biharmonic"), atol=1)
    session.choose("biharmonic")
    assert session.settled, "the same method has nothing to do"
    with pytest.raises(ValueError, match="must be one of"):
        session.choose("nonsense")


def test_a_solution_that_is_out_of_date_is_not_written():
    image = data.camera()[100:200, 100:200]
    session = Session(image, method="laplace")
    session.apply(edits.Rectangle(points=((20, 20), (40, 40))))

    class Slow(type(session.method)):
        def solve(self, problem, callback=None):
            if session.missing == 21 * 21:  # the user goes on while the first solution is computed
                session.apply(edits.Rectangle(points=((40, 20), (60, 40))))
            return super().solve(problem, callback)

    object.__setattr__(session, "method", Slow())
    filled = list(session.solve())
    assert [each.box for each in filled if not each.draft] == [Box(16, 16, 48, 64)]
    np.testing.assert_allclose(session.restored.astype(int), inpaint(image, session.mask, method="laplace"), atol=1)


def test_a_solution_that_is_stopped_comes_again():
    session = Session(data.camera()[:200, :200], method="gd:classic")
    session.apply(edits.Rectangle(points=((20, 20), (60, 60))))
    calls = iter(range(100))
    assert [each.draft for each in session.solve(lambda: next(calls) >= 4)] == [True]
    assert not session.settled
    assert [each.draft for each in session.solve()] == [True, False]
    assert session.settled


def test_a_picture_without_a_known_pixel_is_a_sentence():
    session = Session(data.camera()[:20, :20], mask=np.ones((20, 20), bool), method="laplace")
    with pytest.raises(ValueError, match="at least one known pixel"):
        _ = session.restored
    session.apply(edits.Rectangle(points=((0, 0), (3, 3)), erase=True))
    assert session.restored.shape == (20, 20)


def test_large_regions_are_solved_in_windows_that_agree_with_the_whole():
    image = np.tile(data.camera(), (5, 5)).astype(np.float32)
    session = Session(image, method="laplace")
    session.apply(edits.Stroke(points=((30, 30), (2530, 2500)), diameter=24))
    assert len(list(session.solve())) > 1
    expected = inpaint(image, session.mask, method="laplace")
    assert np.abs(session.restored - expected).max() < 0.2


def test_a_hundred_megapixels_take_memory_only_where_they_are_touched():
    image = np.broadcast_to(np.uint8(90), (10_000, 10_000))
    session = Session(image, method="laplace")
    for k in range(50):
        session.apply(edits.Stroke(points=((100 + 50 * k, 100), (9000, 9000 - 100 * k)), diameter=20))
    tiles = [step.tiles for step in session._done]
    assert session._bits.nbytes + sum(len(tile) for each in tiles for tile in each.values()) < 60e6
    session.apply(edits.Stroke(points=((9500, 300),), diameter=40))
    box = session.bounds
    assert box.shape[0] > 8900
    assert session._fill.tiles == {}


def test_known_pixels_have_no_noise_here():
    session = Session(np.zeros((9, 9), np.uint8), method="laplace")
    noisy = Laplace(noise=5.0)
    for attempt in (lambda: session.choose(noisy), lambda: Session(np.zeros((9, 9)), method=noisy)):
        with pytest.raises(ValueError, match="'noise' parameter of Laplace must be None here"):
            attempt()


def test_patches_of_a_part_are_not_copied_from_a_source_of_the_whole():
    with pytest.raises(ValueError, match="'source' parameter of Exemplar must be None here"):
        Session(np.zeros((9, 9)), method=Exemplar(source=np.ones((9, 9), bool)))


@pytest.mark.parametrize("channels", [None, 3])
def test_masked_entries_are_missing(channels):
    hidden = np.zeros((40, 40), bool)
    hidden[10:20, 10:14] = True
    image = np.where(hidden, -9999.0, data.camera()[:40, :40])
    if channels:
        image, hidden = np.stack([image] * 3, axis=-1), np.stack([hidden, hidden * False, hidden], axis=-1)
    session = Session(np.ma.array(image, mask=hidden), mask=np.eye(40) > 0, method="laplace")
    expected = (np.eye(40) > 0) | (hidden if channels is None else hidden.any(axis=-1))
    np.testing.assert_array_equal(session.mask, expected)
    assert session.restored.min() >= 0


def test_a_draft_is_the_fill_to_a_grey_level():
    image = data.astronaut()
    session = Session(image, method="laplace")
    session.apply(edits.Stroke(points=((100, 100), (250, 180)), diameter=30))
    list(session.solve())
    for level in range(3):
        box = Box(150 >> level, 190 >> level, 200 >> level, 240 >> level)
        exact, coverage = shown(session, level, box)
        quick, same = draft(session, level, box, 30)
        np.testing.assert_array_equal(coverage, same)
        assert coverage.max() == COVERED
        inside = coverage == COVERED
        error = np.abs(exact.astype(int) - quick)[inside]
        assert error.mean() < (0.2, 0.3, 3)[level]
        np.testing.assert_array_equal(exact[coverage == 0], quick[coverage == 0])


def test_a_draft_under_a_wide_brush_is_solved_on_a_coarser_level():
    image = data.astronaut()
    session = Session(image, method="laplace")
    session.apply(edits.Stroke(points=((256, 256),), diameter=200))
    list(session.solve())
    box = Box(150, 150, 362, 362)
    exact, coverage = shown(session, 0, box)
    quick, _ = draft(session, 0, box, 200)
    assert np.abs(exact.astype(int) - quick)[coverage > 0].mean() < 3


def test_levels_are_means():
    image = data.camera()[:300, :301]
    picture = Picture(np.tile(image, (2, 3)))
    for level in range(picture.levels):
        shape = picture.shape_at(level)
        whole = picture.read(level, Box(0, 0, *shape)).astype(float)
        assert whole.shape[:2] == shape
        inner = tuple(n // 2**level for n in picture.shape)
        cut = picture.image[: inner[0] << level, : inner[1] << level, 0].astype(float)
        means = cut.reshape(inner[0], 1 << level, inner[1], 1 << level).mean(axis=(1, 3))
        np.testing.assert_allclose(whole[: inner[0], : inner[1], 0], means, atol=1e-3)
    part = Box(10, 20, 31, 44)
    np.testing.assert_allclose(picture.read(1, part), reduced(picture.image, 1)[part.slices], atol=1e-4)


@pytest.mark.parametrize(
    ("image", "black", "expected"),
    [
        (np.array([[0, 128, 255]], np.uint8), None, [0, 128, 255]),
        (np.array([[0, 128, 255]], np.uint8), np.uint8(255), [255, 127, 0]),
        (np.array([[0, 8, 15]], np.uint8), np.uint8(15), [255, 119, 0]),
        (np.array([[100, 1100, 4100]], np.uint16), np.uint16(4095), [255, 191, 0]),
        (np.array([[0.0, 0.5, 1.0]]), None, [0, 128, 255]),
        (np.array([[-1.0, 0.0, 3.0]]), None, [0, 64, 255]),
        (np.array([[np.nan, 0.0, 4.0]]), None, [0, 0, 255]),
        (np.array([[100, 1100, 4100]], np.uint16), None, [0, 64, 255]),
        (np.array([[7, 7, 7]], np.int32), None, [0, 0, 0]),
    ],
)
def test_values_become_brightness(image, black, expected):
    picture = Picture(image, black=black)
    grey = picture.on_screen(picture.image)
    np.testing.assert_allclose(grey[0, :, 0].astype(int), expected, atol=1)
    assert grey.dtype == np.uint8
    assert grey.shape == (1, 3, 3)


def test_any_byte_order_looks_the_same_and_comes_back():
    image = data.astronaut()[:32, :32].astype(np.uint16) * 257
    swapped = image.astype(image.dtype.newbyteorder())
    session = Session(swapped, method="laplace", mask=np.pad(np.ones((4, 4), bool), 14))
    np.testing.assert_array_equal(session.picture.on_screen(session.picture.image), image >> 8)
    assert session.restored.dtype == swapped.dtype
    np.testing.assert_array_equal(session.restored, inpaint(image, session.mask, method="laplace", channel_axis=-1))


def test_a_colour_profile_is_brought_to_srgb():
    from PIL import Image, ImageCms

    lab = ImageCms.createProfile("sRGB")
    profile = ImageCms.ImageCmsProfile(lab).tobytes()
    image = data.astronaut()[:32, :32].astype(np.uint16) * 257
    np.testing.assert_allclose(Picture(image, icc_profile=profile).on_screen(image).astype(int), image >> 8, atol=2)
    assert Picture(image, icc_profile=b"nonsense")._to_srgb is None
    assert Picture(image[..., 0], icc_profile=profile)._to_srgb is None, "a profile of colours fits no grey"
    assert Image is not None


def test_bits_are_counted_and_bounded(rng):
    bits = Bits((600, 700))
    mask = rng.random((600, 700)) < 0.01
    bits.write(Box(0, 0, 600, 700), mask)
    assert bits.count == mask.sum()
    np.testing.assert_array_equal(bits.read(Box(100, 200, 590, 300)), mask[100:590, 200:300])
    rows, columns = np.nonzero(mask)
    assert bits.bounds == Box(rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
    bits.write(Box(0, 0, 600, 700), np.zeros((600, 700), bool))
    assert bits.tiles == {}


def test_a_draft_of_more_than_can_be_solved_in_time_is_of_the_level_that_is_shown():
    image = np.tile(data.astronaut(), (3, 3, 1))
    session = Session(image, method="laplace")
    session.apply(edits.Stroke(points=((760, 760),), diameter=380))
    list(session.solve())
    box = Box(140, 140, 250, 250)
    exact, coverage = shown(session, 2, box)
    quick, same = draft(session, 2, box, 380)
    np.testing.assert_array_equal(coverage, same)
    assert ((coverage > 0) & (coverage < COVERED)).any(), "pixels at the edge are missing in part"
    assert np.abs(exact.astype(int) - quick)[coverage > 0].mean() < 3


def test_a_draft_below_a_brush_that_covers_all_that_is_near_looks_further():
    session = Session(data.camera(), method="laplace")
    session.apply(edits.Rectangle(points=((100, 100), (400, 400))))
    box = Box(240, 240, 250, 250)
    colours, coverage = draft(session, 0, box, 5)
    assert (coverage == COVERED).all()
    assert colours.min() > 0
    whole = Session(data.camera()[:20, :20], mask=np.ones((20, 20), bool))
    np.testing.assert_array_equal(draft(whole, 0, Box(0, 0, 5, 5), 3)[0][..., 0], data.camera()[:5, :5])


@pytest.mark.parametrize("image", [np.zeros((4, 4), complex), np.zeros(4), np.zeros((0, 4)), np.zeros((2, 2, 2, 2))])
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(ValueError, match="must hold integers or floats, of shape"):
        Picture(image)


def test_bands_and_constants_are_shown_somehow():
    bands = Picture(np.zeros((5, 5, 4), np.uint8))
    assert bands.shown_as == "Channel 1 of 4 is shown."
    assert bands.on_screen(bands.image).shape == (5, 5, 3)
    for large in (np.full((5, 5), 1e17), np.full((5, 5), -1e30), np.full((5, 5), 2**63 + 2**60, np.uint64)):
        constant = Picture(large)
        assert (constant.on_screen(constant.image) == 0).all()
    nothing = Picture(np.full((5, 5), np.nan))
    assert (nothing.on_screen(nothing.image) == 0).all()


def test_work_in_the_background_stops_and_goes_plane_by_plane():
    from threading import Event

    from skinpaint import Inpainter, Laplace
    from skinpaint.paint.background import relative, restored_by_plane, with_settings

    stop, stack = Event(), np.tile(data.camera()[:40, :40], (3, 1, 1))
    missing = np.zeros(stack.shape, bool)
    missing[:, 10:14, 10:14] = True
    work = restored_by_plane(Inpainter("laplace"), stack, missing, whole=False, stop=stop)
    assert next(work).words == "Plane 1 of 3"
    assert next(work).share == pytest.approx(1 / 3)
    stop.set()
    with pytest.raises(StopIteration) as end:
        next(work)
    restored = end.value.value[0]
    assert [(restored[k] != stack[k]).any() for k in range(3)] == [True, True, False]
    assert relative((2, 2), ("pixel", "pixel")) is None
    assert relative((5.0, -1.0), ("pixel", "pixel")) == (5.0, 1.0)
    assert relative((4e-9, 1e-9), ("meter", "meter")) == (4.0, 1.0)  # which were all alike
    assert with_settings(Laplace(), {"solver": "direct"}) == Laplace(solver="direct")
    assert with_settings(Laplace(), {"tol": "1e-06"}) == Laplace()


@pytest.mark.parametrize("channels", [1, 3])
def test_nan_are_missing(channels):
    image = np.random.default_rng(0).random((20, 30, channels))
    image[4:7, 5:9, 0] = np.nan
    image = image[..., 0] if channels == 1 else image
    session = Session(image, method="laplace")
    assert session.mask.sum() == 12
    assert np.isfinite(session.restored).all()
    assert len(Session(image, mask=session.mask, method="laplace").edits) == 1
