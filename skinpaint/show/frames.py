"""Pictures as a screen shows them: 8 bits, reduced, with a caption."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["displayed", "reduced", "stacked", "with_caption", "with_sentences"]


def displayed(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return `frames` in the 8 bits of a screen, all on the scale of the last one.

    Parameters
    ----------
    frames : sequence of ndarray
        8 bits stay as they are, floats within [0, 1] go from black to white, and anything else is stretched
        over the range of the last frame. NaN is black.

    Returns
    -------
    frames : list of ndarray of uint8
        The same shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint.show.frames import displayed
    >>> displayed([np.array([0, 4095], np.uint16), np.array([0, 1000], np.uint16)])
    [array([  0, 255], dtype=uint8), array([  0, 255], dtype=uint8)]
    """
    last = frames[-1]
    if last.dtype == np.uint8:
        return list(frames)
    finite = last[np.isfinite(last)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if last.dtype.kind == "f" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    scale = 255 / (high - low) if high > low else 1.0
    levels = (np.clip(np.where(np.isnan(frame), low, frame), low, high) for frame in frames)
    return [np.rint((level.astype(float) - low) * scale).astype(np.uint8) for level in levels]


def with_caption(picture: Image.Image, text: str) -> Image.Image:
    """Return `picture` on a white ground with a line of text below it.

    Parameters
    ----------
    picture : PIL.Image.Image
        Grey or RGB.
    text : str
        What to write; it is set smaller if it would not fit.

    Returns
    -------
    captioned : PIL.Image.Image
        Of the same mode and width, and higher.

    Examples
    --------
    >>> from PIL import Image
    >>> from skinpaint.show.frames import with_caption
    >>> with_caption(Image.new("L", (200, 100)), "damaged").size
    (200, 124)
    """
    strip = max(24, round(0.07 * picture.width))
    size = 0.58 * strip
    font = ImageFont.load_default(size=size)
    length = font.getlength(text)
    if length > 0.96 * picture.width:
        font = ImageFont.load_default(size=max(1.0, size * 0.96 * picture.width / length))
    white = 255 if picture.mode == "L" else (255, 255, 255)
    captioned = Image.new(picture.mode, (picture.width, picture.height + strip), white)
    captioned.paste(picture, (0, 0))
    middle = (picture.width / 2, picture.height + strip / 2)
    ImageDraw.Draw(captioned).text(middle, text, fill=0 if picture.mode == "L" else (0, 0, 0), font=font, anchor="mm")
    return captioned


def with_sentences(picture: Image.Image, sentences: Sequence[str], *, size: float, margin: int) -> Image.Image:
    """Return `picture` on a white ground with sentences below it, as many lines as they take.

    Parameters
    ----------
    picture : PIL.Image.Image
        RGB.
    sentences : sequence of str
        Each begins a line of its own.
    size : float
        Of the letters, in pixels.
    margin : int
        Pixels on the left and on the right of them, and below.

    Returns
    -------
    picture : PIL.Image.Image
        Of the same width, and higher.

    Examples
    --------
    >>> from PIL import Image
    >>> from skinpaint.show.frames import with_sentences
    >>> with_sentences(Image.new("RGB", (200, 100)), ["One line.", "One."], size=20, margin=8).size
    (200, 164)
    """
    if not sentences:
        return picture
    font = ImageFont.load_default(size=size)
    lines: list[str] = []
    for sentence in sentences:
        lines.append("")
        for word in sentence.split():
            longer = f"{lines[-1]} {word}".strip()
            if font.getlength(longer) <= picture.width - 2 * margin:
                lines[-1] = longer
            else:
                lines.append(word)
    height = round(1.4 * size)
    below = Image.new("RGB", (picture.width, height * len(lines) + margin), (255, 255, 255))
    pen = ImageDraw.Draw(below)
    for k, line in enumerate(lines):
        pen.text((margin, (k + 0.5) * height), line, fill=(0, 0, 0), font=font, anchor="lm")
    return stacked(picture, below)


def stacked(upper: Image.Image, lower: Image.Image) -> Image.Image:
    """Return two pictures of one width, one above the other, in the mode of the upper one."""
    both = Image.new(upper.mode, (upper.width, upper.height + lower.height))
    both.paste(upper, (0, 0))
    both.paste(lower.convert(upper.mode), (0, upper.height))
    return both


def reduced(frame: np.ndarray, max_side: int) -> np.ndarray:
    """Average blocks of pixels until no side is longer than `max_side`; the dtype stays."""
    if frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] != 3) or frame.size == 0:
        raise ValueError(f"The frames of a film must have shape (M, N) or (M, N, 3). Got {frame.shape} instead.")
    k = ceil(max(frame.shape[:2]) / max_side)
    if k == 1:
        return frame
    rows, columns = (max(1, side // k) for side in frame.shape[:2])
    ky, kx = min(k, frame.shape[0]), min(k, frame.shape[1])
    whole = frame[: rows * ky, : columns * kx]
    means = whole.reshape(rows, ky, columns, kx, *frame.shape[2:]).mean(axis=(1, 3))
    return (means if frame.dtype.kind == "f" else np.rint(means)).astype(frame.dtype)
