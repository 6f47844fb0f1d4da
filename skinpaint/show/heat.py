"""A map of numbers in colours, with a colour bar that says what they mean."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from skinpaint.show.frames import reduced

__all__ = ["heat_map", "in_colours", "over_channels", "with_bar"]

# Dark violet to yellow, of evenly rising brightness: readable in grey, and by the colour blind.
STOPS = np.array(
    [(10, 7, 35), (60, 15, 110), (120, 30, 125), (180, 50, 95), (225, 90, 50), (245, 155, 20), (245, 225, 110)], float
)
OUT_OF_SCALE = (190, 190, 190)  # pixels without a number, or of which nothing is known
TOP = 0.995  # quantile of the numbers that is the top of the bar
MAX_SIDE, MIN_SIDE = 640, 320  # pixels of the map
GAP = 8  # pixels around the bar


def heat_map(values: np.ndarray, unit: str = "grey levels", *, side: int = MAX_SIDE) -> Image.Image:
    """Show numbers from 0 up in colours, above a colour bar with its ends and its unit.

    Parameters
    ----------
    values : ndarray of shape (M, N)
        At least 0; NaN and infinite ones are grey.
    unit : str
        What the numbers are, for the bar.
    side : int
        Largest side of the map, in pixels; smaller ones are enlarged by a whole number.

    Returns
    -------
    picture : PIL.Image.Image
        RGB.

    Examples
    --------
    >>> heat_map(np.eye(8)).size
    (320, 358)
    """
    colours, top = in_colours(values)
    picture = Image.fromarray(reduced(colours, side))
    enlarge = max(1, min(MIN_SIDE, side) // max(picture.size))
    picture = picture.resize((picture.width * enlarge, picture.height * enlarge), Image.Resampling.NEAREST)
    return with_bar(picture, top, unit)


def over_channels(std: np.ndarray, channel_axis: int | None) -> np.ndarray:
    """Standard deviations of pixels: of channels, the root mean square.

    Examples
    --------
    >>> over_channels(np.array([[[3.0, 3.0, 3.0]]]), -1)
    array([[3.]])
    """
    return std if channel_axis is None else np.sqrt((std**2).mean(axis=channel_axis))


def in_colours(values: np.ndarray) -> tuple[np.ndarray, float]:
    """The colours of numbers from 0 up, and the number that has the brightest one: nearly all are below it.

    Examples
    --------
    >>> colours, top = in_colours(np.array([[0.0, 3.0, np.inf]]))
    >>> colours[0].tolist(), top
    ([[10, 7, 35], [245, 225, 110], [190, 190, 190]], 3.0)
    """
    finite = values[np.isfinite(values)]
    shown = finite[finite > 0]
    top = float(np.quantile(shown, TOP)) if shown.size else 1.0
    colours = _colours(np.where(np.isfinite(values), np.clip(values / top, 0, 1), 0))
    colours[~np.isfinite(values)] = OUT_OF_SCALE
    return np.rint(colours).astype(np.uint8), top


def with_bar(picture: Image.Image, top: float, unit: str) -> Image.Image:
    """Put a bar with all colours below a map, between 0 and the number that has the brightest one."""
    size = max(12, round(0.03 * picture.width))
    font = ImageFont.load_default(size=size)
    height = size + 2
    out = Image.new("RGB", (max(picture.width, 160), picture.height + 2 * GAP + height + 8), "white")
    out.paste(picture, ((out.width - picture.width) // 2, 0))
    ends, pen = ("0", f"{top:.3g} {unit}".rstrip()), ImageDraw.Draw(out)
    left, right = (int(font.getlength(text)) + GAP for text in ends)
    width = max(1, out.width - left - right)
    bar = np.broadcast_to(_colours(np.linspace(0, 1, width)), (height, width, 3))
    y = picture.height + GAP
    out.paste(Image.fromarray(np.rint(bar).astype(np.uint8)), (left, y))
    pen.text((left - GAP // 2, y + height / 2), ends[0], fill="black", font=font, anchor="rm")
    pen.text((left + width + GAP // 2, y + height / 2), ends[1], fill="black", font=font, anchor="lm")
    return out


def _colours(level: np.ndarray) -> np.ndarray:
    """The colours of numbers in [0, 1], of shape ``(*level.shape, 3)``."""
    at = level * (len(STOPS) - 1)
    return np.stack([np.interp(at, np.arange(len(STOPS)), stops) for stops in STOPS.T], axis=-1)
