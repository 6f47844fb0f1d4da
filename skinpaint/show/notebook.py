"""Answers as HTML, for notebooks: the picture before and after, and what is known about it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO

import numpy as np
from PIL import Image

from skinpaint.show.frames import displayed, reduced
from skinpaint.show.heat import heat_map, over_channels
from skinpaint.solution import Solution

__all__ = ["as_image", "as_table", "before_and_after", "is_picture"]

MAX_SIDE = 320  # pixels of a picture
SIGNAL = (230, 60, 20)  # colour of the filled pixels in the picture before


def is_picture(image: np.ndarray, channel_axis: int | None) -> bool:
    """Whether an image can be shown: grey, or RGB with a channel axis, of two dimensions.

    Examples
    --------
    >>> is_picture(np.zeros((8, 8, 3)), -1), is_picture(np.zeros((8, 8, 3)), None)
    (True, False)
    """
    if channel_axis is None:
        return image.ndim == 2
    return image.ndim == 3 and image.shape[channel_axis] == 3


def before_and_after(
    restored: np.ndarray,
    filled: np.ndarray,
    channel_axis: int | None,
    solution: Solution,
    std: np.ndarray | None = None,
) -> str:
    """Show a restored picture beside itself with the filled pixels marked, above its credentials.

    Parameters
    ----------
    restored : ndarray of shape (M, N) or (M, N, 3)
        The restored picture, its channels on `channel_axis`.
    filled : ndarray of bool, of the shape of `restored` or (M, N)
        What was filled.
    channel_axis : int or None
        The axis of the channels.
    solution : Solution
        What the method says.
    std : ndarray of the shape of `restored`, optional
        Standard deviations, which are shown as a map with a colour bar; of channels, their root mean square.

    Returns
    -------
    html : str

    Examples
    --------
    >>> from skinpaint.solution import Reason
    >>> solution = Solution(values=np.zeros(1), reason=Reason.CONVERGED, status="Solved.")
    >>> html = before_and_after(np.zeros((4, 4)), np.eye(4, dtype=bool), None, solution)
    >>> html.count("<img"), "Solved." in html
    (2, True)
    """
    if channel_axis is not None:
        restored = np.moveaxis(restored, channel_axis, -1)
        if filled.ndim == 3:
            filled = np.logical_or.reduce(filled, axis=channel_axis)
    (shown,) = displayed([restored])
    after = shown if shown.ndim == 3 else np.stack([shown] * 3, axis=-1)
    before = after.copy()
    before[filled] = SIGNAL
    pictures = ((before, f"{filled.sum():,} pixels to fill ({100 * filled.mean():.1f} %)"), (after, "restored"))
    cells: list[tuple[np.ndarray | Image.Image, str]] = [
        (reduced(picture, MAX_SIDE), text) for picture, text in pictures
    ]
    if std is not None:
        cells.append(
            (heat_map(over_channels(std, channel_axis), "", side=MAX_SIDE), "standard deviation, in the image's units")
        )
    cells_html = "".join(
        f'<td style="text-align:center;vertical-align:top">{as_image(picture)}<br>{escape(text)}</td>'
        for picture, text in cells
    )
    said = f"{escape(', '.join(solution.credentials()))}<br>{escape(solution.status)}"
    return f"<table><tr>{cells_html}</tr></table><p>{said}</p>"


def as_image(picture: np.ndarray | Image.Image) -> str:
    """An image element that holds its picture.

    Examples
    --------
    >>> as_image(np.zeros((2, 2), np.uint8))[:32]
    '<img src="data:image/png;base64,'
    """
    data = BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(data, format="PNG")
    return f'<img src="data:image/png;base64,{b64encode(data.getvalue()).decode()}">'


def as_table(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is its head.

    Examples
    --------
    >>> as_table([("a", "b"), ("1", "<2>")])
    '<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>&lt;2&gt;</td></tr></table>'
    """
    lines = []
    for k, row in enumerate(rows):
        tag = "td" if k else "th"
        lines.append("".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row))
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
