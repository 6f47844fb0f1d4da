"""Pictures side by side on one sheet, each above an enlarged detail of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import uniform_filter

from skinpaint.show.frames import displayed, with_caption, with_sentences
from skinpaint.show.heat import in_colours, with_bar

__all__ = ["contact_sheet", "in_rows", "widest_difference"]

MIN_TILE, MAX_TILE = 320, 640  # width in pixels: smaller pictures are enlarged by a whole number, larger ones reduced
DETAIL_SHARE = 5  # a detail is so many times smaller than the picture
MIN_DETAIL, MAX_DETAIL = 16, 160  # side of a detail in pixels
MARGIN = 12  # pixels around a tile
FRAME_COLOUR = (230, 60, 20)
FAILED_COLOUR = (210, 210, 210)
WHITE = np.uint8(255)

Tile = tuple[Sequence[str], np.ndarray | None]


def contact_sheet(
    tiles: Sequence[Tile],
    *,
    detail: tuple[slice, slice],
    missing: np.ndarray,
    heat: tuple[Sequence[str], np.ndarray] | None = None,
    remarks: Sequence[str] = (),
) -> Image.Image:
    """Lay pictures out in rows of four, or of three for up to six, on a white ground.

    Parameters
    ----------
    tiles : sequence of (lines, picture)
        Lines of text and the picture above them, of shape (M, N) or (M, N, 3) and of one shape; None for a grey
        field. What is missing in the first picture is white; all are on the brightness scale of the last one.
    detail : (slice, slice)
        The rows and columns to show enlarged.
    missing : ndarray of bool, of the shape of the pictures
        What is missing in the first picture.
    heat : (lines, numbers), optional
        Lines of text and numbers from 0 up, of shape (M, N), which are the last tile: a map in colours, with a bar.
    remarks : sequence of str
        Sentences below the pictures, each on lines of its own.

    Returns
    -------
    sheet : PIL.Image.Image
        RGB.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint.show.contact_sheet import contact_sheet
    >>> ramp = np.linspace(0, 1, 64).reshape(8, 8)
    >>> tiles = [(("one", "tile"), ramp), (("another",), ramp)]
    >>> contact_sheet(tiles, detail=(slice(0, 2), slice(0, 2)), missing=ramp > 2).size
    (676, 718)
    """
    shown = [picture for _, picture in tiles if picture is not None]
    first, *others = displayed(shown)
    greys = iter([np.where(missing, WHITE, first), *others])
    size = shown[0].shape[:2]
    drawn = [
        _with_lines(_tile(None if picture is None else next(greys), size, detail), lines) for lines, picture in tiles
    ]
    if heat is not None:
        lines, numbers = heat
        colours, top = in_colours(numbers)
        drawn.append(_with_lines(with_bar(_tile(colours, size, detail), top, ""), lines))
    sheet = in_rows(drawn, columns=min(len(drawn), 3 if len(drawn) <= 6 else 4))
    return with_sentences(sheet, remarks, size=0.04 * drawn[0].width, margin=MARGIN)


def in_rows(tiles: Sequence[Image.Image], *, columns: int) -> Image.Image:
    """Lay tiles out in rows on a white ground.

    Examples
    --------
    >>> in_rows([Image.new("L", (20, 10))] * 3, columns=2).size
    (76, 56)
    """
    width, height = (max(tile.size[axis] for tile in tiles) + MARGIN for axis in (0, 1))
    white = 255 if tiles[0].mode == "L" else "white"
    sheet = Image.new(tiles[0].mode, (columns * width + MARGIN, ceil(len(tiles) / columns) * height + MARGIN), white)
    for k, tile in enumerate(tiles):
        sheet.paste(tile, (MARGIN + k % columns * width, MARGIN + k // columns * height))
    return sheet


@np.errstate(under="ignore")  # single precision is enough
def widest_difference(answers: Sequence[np.ndarray], missing: np.ndarray) -> tuple[slice, slice]:
    """Find the detail in which answers differ most, in the mean square, where pixels are missing.

    Parameters
    ----------
    answers : sequence of ndarray of shape (M, N[, 3])
        The restored pictures.
    missing : ndarray of bool, of the same shape
        Where they may differ.

    Returns
    -------
    detail : (slice, slice)
        A fifth of the rows and columns, between 16 (where there are as many) and 160.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint.show.contact_sheet import widest_difference
    >>> one, other = np.zeros((100, 100)), np.zeros((100, 100))
    >>> other[40:60, 70:90] = 1
    >>> widest_difference([one, other], one == 0)
    (slice(40, 60, None), slice(70, 90, None))
    """
    shape = missing.shape[:2]
    size = [min(n, MAX_DETAIL, max(MIN_DETAIL, ceil(n / DETAIL_SHARE))) for n in shape]
    spread = (
        np.where(missing, np.var(np.asarray(answers, dtype=np.float32), axis=0, dtype=float), 0) if answers else missing
    )
    wide = uniform_filter(spread.reshape(*shape, -1).mean(axis=-1), size, mode="constant")
    centre = np.unravel_index(np.argmax(wide.round(12)), shape)
    corner = [min(max(0, int(c) - s // 2), n - s) for c, s, n in zip(centre, size, shape, strict=True)]
    rows, columns = (slice(c, c + s) for c, s in zip(corner, size, strict=True))
    return rows, columns


def _with_lines(tile: Image.Image, lines: Sequence[str]) -> Image.Image:
    """A tile with lines of text below it."""
    for line in lines:
        tile = with_caption(tile, line)
    return tile


def _tile(picture: np.ndarray | None, shape: tuple[int, ...], detail: tuple[slice, slice]) -> Image.Image:
    """A picture with its detail framed, and the detail below it."""
    zoom = max(1, ceil(MIN_TILE / shape[1])) if shape[1] <= MAX_TILE else MAX_TILE / shape[1]
    height, width = (max(1, round(zoom * n)) for n in shape)
    rows, columns = detail
    below = round(width * (rows.stop - rows.start) / (columns.stop - columns.start))
    tile = Image.new("RGB", (width, height + MARGIN // 2 + below), "white")
    if picture is None:
        tile.paste(FAILED_COLOUR, (0, 0, width, height))
        tile.paste(FAILED_COLOUR, (0, height + MARGIN // 2, width, tile.height))
    else:
        whole = Image.fromarray(picture).convert("RGB")
        tile.paste(whole.resize((width, height), Image.Resampling.BOX), (0, 0))
        cut = whole.crop((columns.start, rows.start, columns.stop, rows.stop))
        tile.paste(cut.resize((width, below), Image.Resampling.NEAREST), (0, height + MARGIN // 2))
        box = [round(zoom * n) for n in (columns.start, rows.start, columns.stop, rows.stop)]
        ImageDraw.Draw(tile).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline=FRAME_COLOUR, width=2)
    return tile
