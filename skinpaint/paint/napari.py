"""A dock widget for napari: an image layer and a layer of labels or shapes give a restored layer."""

from __future__ import annotations

from threading import Event
from typing import Any

import numpy as np

from skinpaint.inpainter import Inpainter
from skinpaint.methods import METHODS, names_of, resolve
from skinpaint.methods.base import Method
from skinpaint.paint.background import Progress, relative, restored_by_plane, settings_of, with_settings
from skinpaint.paint.raster import segments
from skinpaint.paint.words import in_a_window

__all__ = ["Restore", "missing_of"]

ELLIPSE_POINTS = 200  # on the edge of an ellipse
MAX_OFFSET = 0.5  # pixels between a label and the pixel of the image that it is for


class Restore:
    """The dock widget "Restore".

    It has an image layer, a layer of labels or shapes that says what is missing, a method and its settings, a button
    that starts, and one that cancels. What comes out is a new layer with the scale of the image.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that it is docked in.

    Examples
    --------
    >>> import napari  # doctest: +SKIP
    >>> viewer = napari.Viewer()  # doctest: +SKIP
    >>> viewer.window.add_plugin_dock_widget("skinpaint", "Restore")  # doctest: +SKIP
    """

    def __new__(cls, napari_viewer: Any) -> Any:
        """The widget of magicgui, which exists only where magicgui does."""
        return _widget(napari_viewer)

    def __init__(self, napari_viewer: Any) -> None:
        """Where napari reads the name of the parameter; it is not called."""


def _widget(napari_viewer: Any) -> Any:
    from magicgui.widgets import CheckBox, ComboBox, Container, Label, LineEdit, ProgressBar, PushButton, SpinBox
    from napari.layers import Image, Labels, Layer, Shapes
    from napari.qt.threading import thread_worker

    def layers(kinds: tuple[type, ...]) -> Any:
        return lambda widget: [layer for layer in napari_viewer.layers if isinstance(layer, kinds)]

    names = [name for base in METHODS for name in names_of(base)]
    image = ComboBox(label="image", choices=layers((Image,)))
    mask = ComboBox(label="missing", choices=layers((Labels, Shapes)), tooltip="Labels or shapes over what is damaged")
    method = ComboBox(label="method", choices=names, value="dct")
    volume = CheckBox(label="volume", text="restore as one volume", value=True)
    grow = SpinBox(label="grow", min=0, max=50, tooltip="Pixels by which what is missing is made wider")
    settings = Container(label="settings", labels=True)
    start, cancel = PushButton(text="Restore"), PushButton(text="Cancel", enabled=False)
    bar = ProgressBar(min=0, max=100, value=0, visible=False)
    said = Label(value="")
    said.native.setWordWrap(True)
    widget = Container(widgets=[image, mask, method, volume, grow, settings, start, cancel, bar, said])
    stop = Event()

    def show_settings() -> None:
        """A field for each setting of the method."""
        settings.clear()
        for name, text, help in settings_of(resolve(method.value)):
            settings.append(LineEdit(name=name, label=name, value=text, tooltip=help))

    def chosen() -> Method:
        return with_settings(resolve(method.value), {field.name: field.value for field in settings})

    def finished(work: tuple[np.ndarray, str], layer: Layer, name: str) -> None:
        restored, words = work
        kind = {
            each: getattr(layer, each) for each in ("scale", "translate", "rotate", "shear", "units", "axis_labels")
        }
        more = {} if layer.rgb else {"colormap": layer.colormap, "contrast_limits": layer.contrast_limits}
        kind["affine"] = layer.affine.affine_matrix
        napari_viewer.add_image(restored, name=f"{layer.name} ({name})", rgb=layer.rgb, **kind, **more)
        said.value = words

    def ended() -> None:
        start.enabled, cancel.enabled = True, False
        bar.visible = False
        if stop.is_set():
            said.value = "Cancelled. Nothing was changed."

    def advanced(progress: Progress) -> None:
        bar.max = 0 if progress.share is None else 100
        bar.value = 0 if progress.share is None else round(100 * progress.share)
        said.value = progress.words

    def run() -> None:
        layer, drawn = image.value, mask.value
        try:
            if layer is None or drawn is None:
                raise ValueError("Choose an image layer, and a layer of labels or shapes over what is damaged.")
            if getattr(layer, "multiscale", False):
                raise ValueError(f"{layer.name} has several scales. Choose a layer with one.")
            data = np.asarray(layer.data)
            missing = missing_of(drawn, layer, data.shape[:-1] if layer.rgb else data.shape)
            spatial = slice(None) if volume.value else slice(-2, None)
            inpainter = Inpainter(
                chosen(),
                channel_axis=-1 if layer.rgb else None,
                missing_values=None,
                grow=grow.value,
                spacing=relative(layer.scale[spatial], layer.units[spatial]),
            )
        except (ValueError, TypeError) as error:
            said.value = in_a_window(error)
            return
        stop.clear()
        start.enabled, cancel.enabled = False, True
        bar.visible, bar.max = True, 0
        work = thread_worker(restored_by_plane)(inpainter, data, missing, whole=volume.value, stop=stop)
        work.yielded.connect(advanced)
        work.returned.connect(lambda result: None if stop.is_set() else finished(result, layer, method.value))
        work.errored.connect(lambda error: setattr(said, "value", in_a_window(error)))
        work.finished.connect(ended)
        work.start()

    def show_volume() -> None:
        volume.visible = image.value is not None and image.value.ndim > 2

    start.changed.connect(run)
    cancel.changed.connect(stop.set)
    method.changed.connect(show_settings)
    image.changed.connect(show_volume)
    show_settings()
    show_volume()
    napari_viewer.layers.events.inserted.connect(lambda event: widget.reset_choices())
    napari_viewer.layers.events.removed.connect(lambda event: widget.reset_choices())
    return widget


def missing_of(drawn: Any, layer: Any, shape: tuple[int, ...]) -> np.ndarray:
    """What a layer of labels or shapes says is missing in an image layer, of the shape of the image.

    A layer with fewer axes holds for all planes.
    """
    from napari.layers import Shapes

    if isinstance(drawn, Shapes):
        if not drawn.nshapes:
            raise ValueError(f"{drawn.name} holds no shape. Draw over what is damaged.")
        flat = shape[-2:]
        if drawn.ndim == len(shape) or len(shape) == 2:
            missing = _of_shapes(drawn, layer, shape)
        else:
            missing = np.broadcast_to(_of_shapes(drawn, layer, flat), shape)
    else:
        missing = np.asarray(drawn.data) != 0
        ends = np.array([np.zeros(missing.ndim), np.array(missing.shape) - 1])
        if np.abs(_in_pixels(drawn, layer, ends)[:, -missing.ndim :] - ends).max() > MAX_OFFSET:
            raise ValueError(
                f"{drawn.name} lies elsewhere than {layer.name}. Give both layers the same scale, translation and "
                "rotation."
            )
    if missing.shape != shape and missing.shape == shape[-missing.ndim :]:
        missing = np.broadcast_to(missing, shape)
    if missing.shape != shape:
        raise ValueError(f"{drawn.name} has the shape {missing.shape}, but {layer.name} {shape}.")
    return missing


def _of_shapes(drawn: Any, layer: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The pixels of shapes, in the pixels of the image layer."""
    from skimage.draw import polygon

    missing = np.zeros(shape, bool)
    pixel = float(np.abs(drawn.scale[-2:] / layer.scale[-2:]).mean())  # of the shapes, in pixels of the image
    for corners, kind, width in zip(drawn.data, drawn.shape_type, drawn.edge_width, strict=True):
        at = _in_pixels(drawn, layer, _ellipse(corners) if kind == "ellipse" else corners)[:, -len(shape) :]
        planes = np.rint(at[:, :-2]).astype(int)
        if (planes != planes[:1]).any():
            raise ValueError(f"{drawn.name} holds a shape that lies across planes. Draw each shape in one plane.")
        plane = tuple(planes[0])
        if not all(0 <= k < n for k, n in zip(plane, shape[:-2], strict=True)):
            continue
        if kind in ("line", "path"):
            points = [(float(x) + 0.5, float(y) + 0.5) for y, x in at[:, -2:]]
            for box, pixels in segments(points, max(1.0, pixel * width), (shape[-2], shape[-1])):
                missing[(*plane, *box.slices)] |= pixels
        else:
            missing[(*plane, *polygon(at[:, -2], at[:, -1], shape[-2:]))] = True
    return missing


def _ellipse(corners: np.ndarray) -> np.ndarray:
    """Points on the ellipse in a box that is given by its corners, one after another."""
    angle = np.linspace(0, 2 * np.pi, ELLIPSE_POINTS, endpoint=False)[:, None]
    across, down = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    found: np.ndarray = corners.mean(axis=0) + np.cos(angle) * across + np.sin(angle) * down
    return found


def _in_pixels(drawn: Any, layer: Any, places: np.ndarray) -> np.ndarray:
    """Places in one layer, in the pixels of the image layer."""
    world = np.array([drawn.data_to_world(place) for place in places])
    if world.shape[1] < layer.ndim:
        world = np.pad(world, ((0, 0), (layer.ndim - world.shape[1], 0)))
    return np.array([layer.world_to_data(place) for place in world])
