"""The widget: the same page in a notebook, and values in Python."""

import json

import numpy as np
import pytest
from skimage import data

from skinpaint import inpaint
from skinpaint.methods.laplace import Laplace

pytest.importorskip("anywidget", reason="anywidget is not installed: pip install 'skinpaint[notebook]'")

from skinpaint.paint import widget
from skinpaint.paint.edits import Imported, as_data

STROKE = {"kind": "stroke", "points": [[20, 20], [60, 40]], "diameter": 7}


@pytest.fixture
def painted():
    made = widget(data.camera()[100:200, 100:220], method="laplace")
    made.told = []
    made.send = lambda message, buffers=None: made.told.append((message, buffers))
    yield made
    made.close()


def test_what_is_painted_is_there_in_python(painted):
    image = data.camera()[100:200, 100:220]
    painted._handle_custom_msg({"do": "hello"}, [])
    painted._handle_custom_msg({"do": "look", "level": 0, "box": [0, 0, 100, 120]}, [])
    painted._handle_custom_msg({"do": "edit", "edit": STROKE}, [])
    assert painted.mask.sum() > 250
    expected = inpaint(image, painted.mask, method="laplace")
    np.testing.assert_allclose(painted.restored.astype(int), expected, atol=1)
    np.testing.assert_array_equal(painted.restored[~painted.mask], image[~painted.mask])
    assert painted.desk.settle()
    said = [message["say"] for message, _ in painted.told]
    assert said[0] == "state"
    assert "changed" in said
    assert painted.told[0][0]["state"]["targets"] is None, "there is nothing to save"


def test_the_values_can_be_assigned(painted):
    strokes = json.loads(json.dumps([STROKE, {"kind": "grow", "pixels": 1}]))
    painted.strokes = strokes
    assert painted.strokes == [{"erase": False, **each} for each in strokes]
    kept = painted.mask
    mask = np.zeros((100, 120), bool)
    mask[3:5, 7:20] = True
    painted.mask = mask
    np.testing.assert_array_equal(painted.mask, mask)
    with pytest.raises(ValueError, match="must have the shape"):
        painted.mask = mask[:5]
    with pytest.raises(ValueError, match="must name its kind"):
        painted.strokes = [STROKE, {}]
    with pytest.raises(ValueError, match="The mask reaches to row 200"):
        painted.strokes = [STROKE, as_data(Imported.of(np.ones((200, 9), bool)))]
    np.testing.assert_array_equal(painted.mask, mask)
    painted.strokes = strokes
    np.testing.assert_array_equal(painted.mask, kept)
    painted.method = Laplace(lags=(1, 2))
    assert painted.method == "Laplace"
    assert painted.restored.shape == (100, 120)


def test_the_module_is_that_of_the_page(painted):
    from importlib.resources import files

    page = files("skinpaint.paint").joinpath("page")
    assert painted._esm == page.joinpath("page.js").read_text()
    assert "export default { render }" in painted._esm
    assert painted._css == page.joinpath("page.css").read_text()
    assert painted.height == 560


def test_a_widget_that_is_too_low_is_refused():
    with pytest.raises(ValueError, match="at least 300"):
        widget(data.camera(), height=10)
