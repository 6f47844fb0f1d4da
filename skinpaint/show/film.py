"""The restoration as an animation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from skinpaint.io import check_place, whole_file
from skinpaint.show.curves import charts, proven_bounds
from skinpaint.show.frames import displayed, reduced, stacked, with_caption
from skinpaint.solution import Record
from skinpaint.wording import is_int, is_number, require

__all__ = ["Recorder", "check_film", "film"]

ANIMATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    ".gif": ("GIF", {}),
    ".webp": ("WEBP", {"quality": 85}),
    ".png": ("PNG", {}),
    ".apng": ("PNG", {}),
}
"""Pillow's name and options for each suffix."""

MAX_SECONDS = 600  # of a frame that is asked for
LONGEST = {"GIF": 655.35, "PNG": 65.535}  # seconds of a frame that a file can state; a WebP tells more
MIN_CHART_WIDTH = 240  # pixels; narrower frames are enlarged so that the chart can be read


class Recorder:
    """A callback that keeps frames of a running method: of each of the first iterations, and later of fewer and fewer.

    The change from one iteration to the next shrinks as a method converges. With iteration numbers that
    grow geometrically each frame differs visibly from the one before, and memory grows with the logarithm
    of the number of iterations only. A run that begins anew takes the place of the one before.

    Parameters
    ----------
    growth : float, optional
        Ratio of successive iteration numbers.
    max_side : int, optional
        Frames are reduced until no side is longer.

    Attributes
    ----------
    frames : list of ndarray
        The pictures, in the user's dtype.
    iterations : list of int
        Their iteration numbers.
    records : list of Record
        Their records, for the chart of a :func:`film`.

    Raises
    ------
    ValueError
        If `growth` is no number above 1, or `max_side` no int of at least 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint import GradientDescent, inpaint
    >>> from skinpaint.film import Recorder
    >>> damaged = np.linspace(0, 1, 64).reshape(8, 8)
    >>> recorder = Recorder(growth=1.5)
    >>> method = GradientDescent(step_size=0.02, max_iter=20, tol=None)
    >>> _ = inpaint(damaged, np.eye(8), method=method, callback=recorder)
    >>> recorder.iterations
    [1, 2, 3, 5, 8, 12, 18]
    """

    def __init__(self, *, growth: float = 1.12, max_side: int = 640) -> None:
        require(is_number(growth) and 1 < growth < np.inf, self, "growth", "a number above 1", growth)
        _check_max_side(max_side, "Recorder")
        self.growth = growth
        self.max_side = max_side
        self.frames: list[np.ndarray] = []
        self.iterations: list[int] = []
        self.records: list[Record] = []
        self._next = 1

    def __call__(self, record: Record, restore: Callable[[], np.ndarray]) -> None:
        """Keep this iteration's picture if it is its turn."""
        if self.iterations and record.n_iter <= self.iterations[-1]:
            self.frames, self.iterations, self.records, self._next = [], [], [], 1
        if record.n_iter >= self._next:
            self.frames.append(reduced(np.asarray(restore()), self.max_side))
            self.iterations.append(record.n_iter)
            self.records.append(record)
            self._next = ceil(record.n_iter * self.growth)


def film(
    frames: Iterable[np.ndarray],
    path: str | Path,
    *,
    captions: Sequence[str] | None = None,
    records: Sequence[Record | None] | None = None,
    seconds: float | None = None,
    hold: float = 2.5,
    max_side: int = 640,
    overwrite: bool = False,
) -> None:
    """Write pictures as an animation that repeats for ever.

    Parameters
    ----------
    frames : iterable of ndarray of shape (M, N) or (M, N, 3)
        The pictures, all of one shape once they are reduced. Start with the damaged picture and end with
        the restored one: ``[damaged, *recorder.frames, restored]``. 8 bits are shown as they are, floats
        within [0, 1] from black to white, and anything else stretched over the range of the last picture.
    path : str or Path
        The file; its suffix is the format: .gif, .webp, or .png and .apng for an animated PNG.
    captions : sequence of str, optional
        A line to write below each frame.
    records : sequence of Record or None, optional
        What was known at each frame: ``[None, *recorder.records, inpainter.history_[-1]]``. If a bound of the energy
        was proven, a chart below the frames shows the energy and the bound, and small frames are enlarged.
    seconds : float, optional
        How long a frame is shown: 0.08 by default, and up to half a second in a short film with a chart.
    hold : float, optional
        How many seconds the last frame is shown; the first stays half as long.
    max_side : int, optional
        Larger frames are reduced, until no side is longer than this.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    ValueError
        If the suffix is unknown, there is no frame, or the frames' shapes or dtypes differ or are not pictures.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skinpaint.film import film
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "fade.gif")
    ...     film([np.full((8, 8), level) for level in (0.0, 0.5, 1.0)], path)
    ...     with Image.open(path) as animation:
    ...         animation.n_frames
    3
    """
    path = check_film(path, overwrite=overwrite)
    _check_max_side(max_side, "film")
    if seconds is not None:
        _check_seconds("seconds", seconds)
    _check_seconds("hold", hold)
    small = _of_one_kind(frames, max_side)
    _check_one_each("captions", captions, "line", str, len(small))
    _check_one_each("records", records, "record or None", Record | None, len(small))
    pictures = [Image.fromarray(frame) for frame in displayed(small)]
    charted = records is not None and any(bound is not None for bound in proven_bounds(records))
    if charted:
        whole = max(1, min(ceil(MIN_CHART_WIDTH / pictures[0].width), max_side // max(pictures[0].size)))
        pictures = [ImageOps.scale(picture, whole, Image.Resampling.NEAREST) for picture in pictures]
    if captions is not None:
        pictures = [with_caption(picture, text) for picture, text in zip(pictures, captions, strict=True)]
    if records is not None and charted:
        below = charts(records, pictures[0].width)
        pictures = [stacked(picture, chart) for picture, chart in zip(pictures, below, strict=True)]
    if seconds is None:
        seconds = min(max(0.08, 4 / len(pictures)), 0.5) if charted else 0.08
    milliseconds = [round(1000 * seconds)] * len(pictures)
    milliseconds[0] = max(milliseconds[0], round(500 * hold))
    milliseconds[-1] = max(milliseconds[-1], round(1000 * hold))
    name, options = ANIMATIONS[path.suffix.lower()]
    if name == "GIF":
        pictures = [_in_few_greys(picture) for picture in pictures]
    _check_longest(path, pictures, milliseconds)
    with whole_file(path, overwrite=overwrite) as partial:
        pictures[0].save(
            partial,
            format=name,
            save_all=True,
            append_images=pictures[1:],
            duration=milliseconds,
            loop=0,
            **options,
        )


def check_film(path: str | Path, *, overwrite: bool = False) -> Path:
    """Raise now the error about its file that :func:`film` would raise later, after the work.

    Parameters
    ----------
    path : str or Path
        The file that is to be written.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Returns
    -------
    path : Path
        The file.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    ValueError
        If the suffix is unknown.

    Examples
    --------
    >>> from skinpaint.film import check_film
    >>> check_film("film.avi")
    Traceback (most recent call last):
        ...
    ValueError: film.avi cannot be written: the suffix of a film must be one of .gif, .webp, .png, .apng.
    """
    path = Path(path)
    if path.suffix.lower() not in ANIMATIONS:
        raise ValueError(f"{path} cannot be written: the suffix of a film must be one of {', '.join(ANIMATIONS)}.")
    check_place(path, overwrite=overwrite)
    return path


def _of_one_kind(frames: Iterable[np.ndarray], max_side: int) -> list[np.ndarray]:
    """The frames, reduced; refuses those that cannot be shown on one scale and in one size."""
    arrays = [np.asarray(frame) for frame in frames]
    for array in arrays:
        if array.dtype.kind not in "buif":
            raise ValueError(f"The 'frames' parameter of film must hold real numbers. Got {array.dtype} instead.")
    units = {"floats" if array.dtype.kind == "f" else array.dtype.name for array in arrays}
    if len(units) > 1:
        raise ValueError(
            f"The 'frames' parameter of film must hold pictures of one dtype, as they are shown on one scale. Got "
            f"{' and '.join(sorted(units))} instead."
        )
    small = [reduced(array, max_side) for array in arrays]
    shapes = {frame.shape for frame in small}
    if len(shapes) != 1:
        found = ", ".join(map(str, sorted(shapes))) or "none"
        raise ValueError(f"The 'frames' parameter of film must hold pictures of one shape. Got {found} instead.")
    return small


def _check_one_each(name: str, each: Any, what: str, kind: Any, count: int) -> None:
    """Refuse what is not one thing of this kind for each frame, if it was given."""
    if each is None:
        return
    several = isinstance(each, Collection) and not isinstance(each, str)
    strange = [repr(one) for one in each if not isinstance(one, kind)] if several else [repr(each)]
    if strange or len(each) != count:
        raise ValueError(
            f"The '{name}' parameter of film must hold one {what} for each of {count} frames. "
            f"Got {strange[0] if strange else len(each)} instead."
        )


def _check_seconds(name: str, value: float) -> None:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not (number and 0 < value <= MAX_SECONDS):
        raise ValueError(
            f"The '{name}' parameter of film must be a positive number of seconds, at most {MAX_SECONDS}. "
            f"Got {value!r} instead."
        )


def _check_longest(path: Path, pictures: Sequence[Image.Image], milliseconds: Sequence[int]) -> None:
    """Refuse a frame that is shown for longer than the file can state; Pillow makes one of frames that are equal."""
    shown = groupby(zip(pictures, milliseconds, strict=True), key=lambda each: each[0].tobytes())
    longest = max(sum(duration for _, duration in alike) for _, alike in shown) / 1000
    limit = LONGEST.get(ANIMATIONS[path.suffix.lower()][0])
    if limit is not None and longest > limit:
        raise ValueError(
            f"The 'seconds' and 'hold' parameters of film must show no frame longer than {limit:g} s in a "
            f"{path.suffix.lower()}, where equal frames in a row are one. Got {longest:g} s instead. Write a .webp, or "
            "give fewer seconds."
        )


def _in_few_greys(picture: Image.Image) -> Image.Image:
    """Round a grey picture to 64 levels, which the eye does not see and which halve the size of a GIF."""
    return picture.point(lambda level: round(level * 63 / 255) * 255 // 63) if picture.mode == "L" else picture


def _check_max_side(max_side: int, owner: str) -> None:
    require(is_int(max_side) and max_side >= 1, owner, "max_side", "an int of at least 1", max_side)
