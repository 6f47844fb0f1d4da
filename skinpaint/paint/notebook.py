"""The page in a notebook: an anywidget whose mask and picture are values in Python."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from skinpaint.methods.base import Method
from skinpaint.paint.album import One
from skinpaint.paint.desk import Desk
from skinpaint.paint.edits import as_data
from skinpaint.paint.messages import receive
from skinpaint.paint.session import Session

__all__ = ["widget"]

MIN_HEIGHT = 300  # pixels of the screen


def widget(
    image: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    channel_axis: int | None = None,
    method: str | Method = "dct",
    height: int = 560,
    name: str = "image",
) -> Any:
    """Paint a mask on an image in a notebook, and see it restored while the brush moves.

    It works in JupyterLab, Jupyter Notebook, marimo, VS Code and Colab, and needs anywidget: ``pip install
    'skinpaint[notebook]'``.

    Parameters
    ----------
    image : ndarray of shape (M, N) or (M, N, C)
        Integers or floats. It is never written to.
    mask : ndarray of bool, optional
        What is missing from the start, of shape (M, N).
    channel_axis : int, optional
        The axis of the channels; the last one of an array of three axes by default.
    method : str or Method
        As for :class:`skinpaint.Inpainter`.
    height : int
        Height of the widget in pixels of the screen.
    name : str
        What the image is called.

    Returns
    -------
    widget : anywidget.AnyWidget
        Show it as the last line of a cell. Its attributes follow what is painted:

        - `mask`, ndarray of bool, of shape (M, N). Assign an array to it to begin anew.
        - `restored`, ndarray of the shape and dtype of the image; known pixels are bit-identical. Asking for it solves
          what is not solved yet.
        - `strokes`, list of dict: every edit, as data that JSON knows. Assign such a list to it to do the same again.
        - `method`, str. Assign a name or a method object to it.
        - `session`, :class:`skinpaint.paint.Session`.

    Raises
    ------
    ImportError
        If anywidget is not installed.
    ValueError
        If the image, the mask or the method cannot be used.

    Examples
    --------
    >>> from skimage import data
    >>> from skinpaint.paint import widget
    >>> painted = widget(data.camera(), method="laplace")  # doctest: +SKIP
    >>> painted  # doctest: +SKIP
    >>> painted.mask.sum(), painted.restored.shape  # doctest: +SKIP
    (1204, (512, 512))
    """
    if height < MIN_HEIGHT:
        raise ValueError(f"The 'height' parameter of widget must be at least {MIN_HEIGHT}. Got {height!r} instead.")
    image = np.array(image, subok=True)  # the user's own may change
    session = Session(image, mask=mask, channel_axis=channel_axis, method=method, name=name)
    return _painter()(session=session, height=int(height))


class Painted:
    """What is painted in a widget, as values in Python."""

    session: Session
    desk: Desk

    @property
    def mask(self) -> np.ndarray:
        """What is painted: bool, of shape (M, N)."""
        return self.session.mask

    @mask.setter
    def mask(self, mask: np.ndarray) -> None:
        self.strokes = [as_data(self.session.imported(mask))]

    @property
    def restored(self) -> np.ndarray:
        """The restored image."""
        return self.session.restored

    @property
    def strokes(self) -> list[dict[str, Any]]:
        """Every edit as data."""
        return self.session.data()

    @strokes.setter
    def strokes(self, strokes: list[dict[str, Any]]) -> None:
        before = self.session.bounds
        self.session.renew(strokes)
        self.desk.changed(before | self.session.bounds)

    @property
    def method(self) -> str:
        """The name of the method."""
        return self.session.method_name

    @method.setter
    def method(self, method: str | Method) -> None:
        self.session.choose(method)
        self.desk.say_state()


@cache
def _painter() -> type:
    """The class of the widget, which exists only where anywidget does."""
    try:
        import anywidget
        import traitlets
    except ImportError:
        raise ImportError("The widget needs anywidget. Install it: pip install 'skinpaint[notebook]'") from None
    page = files("skinpaint.paint").joinpath("page")

    class Painter(Painted, anywidget.AnyWidget):
        """See :func:`skinpaint.paint.widget`."""

        _esm = page.joinpath("page.js").read_text(encoding="utf-8")
        _css = page.joinpath("page.css").read_text(encoding="utf-8")
        height = traitlets.Int(560).tag(sync=True)
        preferences = traitlets.Dict().tag(sync=True)

        def __init__(self, session: Session, **traits: Any) -> None:
            super().__init__(**traits)
            self.session = session
            self.desk = Desk(One(session))
            self._page = self.desk.join(lambda message, buffers: self.send(message, buffers))
            self.on_msg(lambda _, message, buffers: receive(self.desk, self._page, message, buffers))

        def close(self) -> None:
            """End the work behind the widget."""
            self.desk.close()
            super().close()

    return Painter
