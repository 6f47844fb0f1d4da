"""The dock widget "Restore" of napari, on a screen of memory.

napari brings warnings of its own, so these run apart:

    xvfb-run -a python -m pytest -o filterwarnings=ignore tests/test_paint_napari.py
"""

import os
from importlib.resources import files

import numpy as np
import pytest
from skimage import data

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("napari", reason="napari is not installed: pip install 'skinpaint[napari]'")
pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from skinpaint import inpaint
from skinpaint.paint.napari import Restore, missing_of
from skinpaint.paint.samples import damaged_volume, scratched_photograph

pytestmark = pytest.mark.filterwarnings("default")  # napari and Qt warn about themselves


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    return make_napari_viewer_proxy()


def add(viewer, layers):
    return [getattr(viewer, f"add_{kind}")(values, **options) for values, options, kind in layers]


def run(widget, qtbot, timeout=60_000):
    widget[6].native.click()
    qtbot.waitUntil(lambda: widget[6].enabled, timeout=timeout)
    return widget[-1].value


def test_the_manifest_is_what_napari_reads():
    from npe2 import PluginManifest

    manifest = PluginManifest.from_file(files("skinpaint.paint").joinpath("napari.yaml"))
    manifest.validate_imports()
    assert [each.display_name for each in manifest.contributions.widgets] == ["Restore"]
    assert [each.key for each in manifest.contributions.sample_data] == ["scratched_photograph", "damaged_volume"]


def test_an_image_and_labels_give_a_restored_layer(viewer, qtbot):
    image, labels = add(viewer, scratched_photograph())
    image.scale = labels.scale = 0.5, 0.5
    image.affine = labels.affine = np.array([[0, 1, 3], [1, 0, 4], [0, 0, 1]])
    widget = Restore(viewer)
    widget[2].value = "laplace"
    said = run(widget, qtbot)
    restored = viewer.layers[-1]
    assert "Solved by" in said
    assert restored.name == "scratched photograph (laplace)"
    np.testing.assert_array_equal(restored.scale, image.scale)
    np.testing.assert_array_equal(restored.affine.affine_matrix, image.affine.affine_matrix)
    assert restored.rgb
    expected = inpaint(image.data, labels.data != 0, method="laplace", channel_axis=-1)
    np.testing.assert_array_equal(restored.data, expected)


def test_a_volume_keeps_its_scale_and_uses_it(viewer, qtbot):
    image, labels = add(viewer, damaged_volume())
    widget = Restore(viewer)
    widget[2].value = "laplace"
    assert widget[3].value
    run(widget, qtbot)
    restored = viewer.layers[-1]
    np.testing.assert_array_equal(restored.scale, (2.5, 1, 1))
    expected = inpaint(image.data, labels.data != 0, method="laplace", spacing=(2.5, 1, 1))
    np.testing.assert_array_equal(restored.data, expected)
    assert (restored.data != inpaint(image.data, labels.data != 0, method="laplace")).any()
    widget[3].value = False
    run(widget, qtbot)
    planes = [inpaint(p, m != 0, method="laplace") for p, m in zip(image.data, labels.data, strict=True)]
    np.testing.assert_array_equal(viewer.layers[-1].data, planes)


def test_shapes_say_what_is_missing(viewer, qtbot):
    image = viewer.add_image(data.camera()[:80, :100], scale=(2, 2))
    shapes = viewer.add_shapes([np.array([[20, 20], [20, 60], [60, 60], [60, 20]])], shape_type="rectangle")
    widget = Restore(viewer)
    widget[1].value, widget[2].value = shapes, "laplace"
    run(widget, qtbot)
    changed = viewer.layers[-1].data != image.data
    rows, columns = np.nonzero(changed)
    assert (rows.min(), columns.min()) >= (10, 10), "in the pixels of the image, whose scale is 2"
    assert (rows.max(), columns.max()) <= (30, 30)
    missing = missing_of(shapes, image, (80, 100))
    assert missing.sum() == 21 * 21
    assert not (changed & ~missing).any()
    assert changed.sum() > 150


def test_settings_follow_the_method_and_are_checked(viewer, qtbot):
    add(viewer, scratched_photograph())
    widget = Restore(viewer)
    widget[2].value = "laplace"
    assert [field.name for field in widget[5]] == ["lags", "solver", "tol", "noise", "robust"]
    widget[5]["tol"].value = "2"
    widget[6].native.click()
    assert "The 'tol' parameter of Laplace must be a float in (0, 1)" in widget[-1].value
    widget[5]["tol"].value = "1e-3"
    assert "Solved by" in run(widget, qtbot)


def test_what_is_not_chosen_is_said(viewer):
    widget = Restore(viewer)
    widget[6].native.click()
    assert "Choose an image layer" in widget[-1].value


def test_cancel_changes_nothing(viewer, qtbot):
    add(viewer, scratched_photograph())
    widget = Restore(viewer)
    widget[2].value = "gd:classic"
    before = len(viewer.layers)
    widget[6].native.click()
    qtbot.waitUntil(lambda: widget[7].enabled, timeout=5000)
    qtbot.wait(300)
    widget[7].native.click()
    qtbot.waitUntil(lambda: widget[6].enabled, timeout=30_000)
    assert "Cancelled" in widget[-1].value
    assert len(viewer.layers) == before


def test_it_is_at_home_in_the_menu(viewer):
    dock, widget = viewer.window.add_plugin_dock_widget("skinpaint", "Restore")
    assert widget[6].text == "Restore"
    assert dock is not None


@pytest.mark.parametrize(("kind", "edge"), [("ellipse", 0.06), ("polygon", 0.0), ("line", 1.0), ("path", 1.0)])
def test_shapes_of_every_kind(viewer, kind, edge):
    image = viewer.add_image(data.camera()[:60, :80])
    corners = [[10, 10], [10, 50], [40, 50], [40, 10]][: {"line": 2, "path": 3, "polygon": 3}.get(kind, 4)]
    shapes = viewer.add_shapes([np.array(corners, float)], shape_type=kind, edge_width=1)
    missing, drawn = missing_of(shapes, image, (60, 80)), shapes.to_masks(mask_shape=(60, 80))[0]
    assert (missing != drawn).sum() <= edge * drawn.sum()  # napari draws the edges of thin ones otherwise
    assert missing.sum() < 1.1 * drawn.sum()


def test_labels_that_lie_elsewhere_are_refused(viewer):
    image = viewer.add_image(data.camera()[:60, :80], scale=(2, 2))
    for options in ({}, {"scale": (2, 2), "translate": (20, 0)}, {"scale": (2, 2), "rotate": 90}):
        labels = viewer.add_labels(np.eye(60, 80, dtype=int), **options)
        with pytest.raises(ValueError, match=r"lies elsewhere than .*same scale, translation and rotation"):
            missing_of(labels, image, (60, 80))
    labels = viewer.add_labels(np.eye(60, 80, dtype=int), scale=(2, 2))
    np.testing.assert_array_equal(missing_of(labels, image, (60, 80)), np.eye(60, 80))


def test_a_shape_across_planes_is_refused(viewer):
    image = viewer.add_image(damaged_volume()[0][0])
    shapes = viewer.add_shapes([np.array([[0, 2, 2], [1, 2, 9], [2, 9, 9]])], shape_type="polygon")
    with pytest.raises(ValueError, match="across planes"):
        missing_of(shapes, image, image.data.shape)
