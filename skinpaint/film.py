"""The restoration as an animation, and its energy as a curve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from math import ceil, inf, log
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from skinpaint.io import check_place, whole_file
from skinpaint.solution import Record

__all__ = ["Recorder", "check_film", "displayed", "energy_curve", "film", "proven_bounds", "with_caption"]

ANIMATIONS = {
    ".gif": ("GIF", {}),
    ".webp": ("WEBP", {"quality": 85}),
    ".png": ("PNG", {}),
    ".apng": ("PNG", {}),
}
"""Pillow's name and options for each suffix."""

BOUND = 110  # grey of what is proven
LEGIBLE = 240  # pixels that a chart is wide at least, by enlarging the frames


class Recorder:
    """A callback that keeps frames of a running method: each of the first iterations, then ever fewer.

    The change from one iteration to the next shrinks as a method converges. With iteration numbers that
    grow geometrically each frame differs visibly from the one before, and memory grows with the logarithm
    of the number of iterations only.

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
        if not 1 < growth < np.inf:
            raise ValueError(f"The 'growth' parameter of Recorder must be a number above 1. Got {growth!r} instead.")
        _check_max_side(max_side, "Recorder")
        self.growth = growth
        self.max_side = max_side
        self.frames: list[np.ndarray] = []
        self.iterations: list[int] = []
        self.records: list[Record] = []
        self._next = 1

    def __call__(self, record: Record, restore: Callable[[], np.ndarray]) -> None:
        """Keep this iteration's picture if it is its turn."""
        if record.n_iter >= self._next:
            self.frames.append(_reduced(np.asarray(restore()), self.max_side))
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
    """Write pictures as an animation that starts over for ever.

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
        What was known at each frame: ``[None, *recorder.records, inpainter.history_[-1]]``. Where a bound of the
        energy was proven, a chart below the frames shows the two closing in on each other, and small frames are
        enlarged; otherwise there is none.
    seconds : float, optional
        How long a frame is shown: 0.08 by default, and up to half a second in a short film with a chart.
    hold : float, optional
        How many seconds the last frame is shown; the first stays half as long.
    max_side : int, optional
        Frames are reduced until no side is longer.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    ValueError
        If the suffix is unknown, there is no frame, or the frames' shapes differ or are not pictures.

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
    for name, value in (("seconds", seconds), ("hold", hold)):
        if value is not None and not 0 < value < np.inf:
            raise ValueError(f"The '{name}' parameter of film must be a positive number. Got {value!r} instead.")
    reduced = [_reduced(np.asarray(frame), max_side) for frame in frames]
    shapes = {frame.shape for frame in reduced}
    if len(shapes) != 1:
        found = ", ".join(map(str, sorted(shapes))) or "none"
        raise ValueError(f"The 'frames' parameter of film must hold pictures of one shape. Got {found} instead.")
    for name, what, each in (("captions", "line", captions), ("records", "record or None", records)):
        if each is not None and len(each) != len(reduced):
            raise ValueError(
                f"The '{name}' parameter of film must hold one {what} for each of {len(reduced)} frames. "
                f"Got {len(each)} instead."
            )
    pictures = [Image.fromarray(frame) for frame in displayed(reduced)]
    charted = records is not None and any(bound is not None for bound in proven_bounds(records))
    if charted:
        whole = max(1, min(ceil(LEGIBLE / pictures[0].width), max_side // max(pictures[0].size)))
        pictures = [ImageOps.scale(picture, whole, Image.Resampling.NEAREST) for picture in pictures]
    if captions is not None:
        pictures = [with_caption(picture, text) for picture, text in zip(pictures, captions, strict=True)]
    if records is not None and charted:
        charts = _charts(records, pictures[0].width)
        pictures = [_stacked(picture, chart) for picture, chart in zip(pictures, charts, strict=True)]
    if seconds is None:
        seconds = min(max(0.08, 4 / len(pictures)), 0.5) if charted else 0.08
    milliseconds = [round(1000 * seconds)] * len(pictures)
    milliseconds[0] = max(milliseconds[0], round(500 * hold))
    milliseconds[-1] = max(milliseconds[-1], round(1000 * hold))
    name, options = ANIMATIONS[path.suffix.lower()]
    if name == "GIF":
        pictures = [_in_few_greys(picture) for picture in pictures]
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


def energy_curve(
    histories: Sequence[Record] | Mapping[str, Sequence[Record]],
    path: str | Path,
    *,
    overwrite: bool = False,
) -> None:
    """Draw the energy over the iterations, on logarithmic axes where the range asks for them.

    Where a lower bound is proven it is drawn as well; the minimum lies in the shade between the two.

    Parameters
    ----------
    histories : sequence of Record, or mapping of str to sequence of Record
        The history of one method, ``inpainter.history_``, or those of several by the names for the legend.
    path : str or Path
        The picture; any suffix that matplotlib writes, such as .png, .svg or .pdf.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    ValueError
        If a history is empty or has no energies.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from pathlib import Path
    >>> from skinpaint import Inpainter
    >>> from skinpaint.film import energy_curve
    >>> image = np.linspace(0, 1, 64).reshape(8, 8)
    >>> inpainter = Inpainter("gd").fit(image, mask=np.eye(8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     energy_curve({"gd": inpainter.history_}, Path(folder, "energy.png"))
    ...     [path.name for path in Path(folder).iterdir()]
    ['energy.png']
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatter, MaxNLocator

    named = dict(histories) if isinstance(histories, Mapping) else {"": histories}
    curves = {}
    for label, history in named.items():
        curves[label] = {record.n_iter: record.energy for record in history if record.energy is not None}
        if not curves[label]:
            whose = f" of {label!r}" if label else ""
            raise ValueError(
                f"The 'histories' parameter of energy_curve must hold records with an energy. The history{whose} "
                "is empty or has none; some methods minimise no energy."
            )
    figure = Figure(figsize=(6.4, 4.0), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    proven = False
    for label, curve in curves.items():
        marker = "o" if len(curve) == 1 else None
        (line,) = axes.plot(list(curve), list(curve.values()), label=label or "energy", marker=marker)
        below = {
            record.n_iter: bound
            for record, bound in zip(named[label], proven_bounds(named[label]), strict=True)
            if bound is not None and record.n_iter in curve
        }
        if below:
            proven, colour = True, line.get_color()
            who = f"{label}, proven lower bound" if label else "proven lower bound"
            (floor,) = axes.step(list(below), list(below.values()), "--", where="post", color=colour, label=who)
            floor.set_marker(marker or "")
            corners, ends = np.repeat(list(below), 2), np.repeat([curve[n_iter] for n_iter in below], 2)
            steps = np.repeat(list(below.values()), 2)
            axes.fill_between(corners[1:], steps[:-1], ends[1:], color=colour, alpha=0.15, linewidth=0)
    energies = [energy for curve in curves.values() for energy in curve.values()]
    if max(map(max, curves.values())) > 20:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if min(energies) > 0 and max(energies) > 10 * min(energies):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(LogFormatter())
        axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
        axes.set_ylim(bottom=max(axes.get_ylim()[0], min(energies) / 5))
    axes.set_xlabel("iteration")
    axes.set_ylabel("energy")
    axes.grid(alpha=0.3, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    if proven or any(curves):
        axes.legend(frameon=False)
    with whole_file(path, overwrite=overwrite) as partial:
        figure.savefig(partial)


def proven_bounds(history: Iterable[Record | None]) -> list[float | None]:
    """Return the best lower bound of the energy proven so far at each record, ``energy / (1 + gap)``.

    Parameters
    ----------
    history : iterable of Record or None
        In the order of the iterations; None where nothing is known.

    Returns
    -------
    bounds : list of float or None
        None as long as nothing is proven.

    Examples
    --------
    >>> from skinpaint import Record
    >>> from skinpaint.film import proven_bounds
    >>> gaps = {5.0: float("inf"), 4.0: 1.0, 3.0: 1.0}
    >>> proven_bounds([Record(n_iter=1, energy=energy, gap=gap) for energy, gap in gaps.items()])
    [None, 2.0, 2.0]
    """
    each = (
        record.energy / (1 + record.gap)
        if record is not None and record.energy is not None and record.gap is not None and record.gap < inf
        else -inf
        for record in history
    )
    return [None if bound == -inf else bound for bound in accumulate(each, max)]


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
    >>> from skinpaint.film import displayed
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
    return [np.rint((level - low) * scale).astype(np.uint8) for level in levels]


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
    >>> from skinpaint.film import with_caption
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


def _charts(records: Sequence[Record | None], width: int) -> list[Image.Image]:
    """Draw energy and bound in greys, up to each record, all on the axes of the whole film."""
    fine = 3  # drawn larger and reduced, for smooth lines
    strip, margin, pen = fine * max(24, round(0.07 * width)), fine * width // 30, fine * max(1, round(width / 250))
    font = ImageFont.load_default(size=0.55 * strip)
    points = [
        (k, log(record.n_iter), record.energy, bound)
        for k, (record, bound) in enumerate(zip(records, proven_bounds(records), strict=True))
        if record is not None and record.energy is not None
    ]
    left, right = points[0][1], points[-1][1]
    low, high = min(bound for *_, bound in points if bound is not None), max(energy for *_, energy, _ in points)

    def at(time: float, value: float) -> tuple[float, float]:
        x = (time - left) / (right - left) if right > left else 0.5
        y = (high - value) / (high - low) if high > low else 0.5
        return margin + x * (fine * width - 2 * margin), (1.2 + 2.6 * y) * strip

    charts = []
    for frame in range(len(records)):
        chart = Image.new("L", (fine * width, 5 * strip), 255)
        draw = ImageDraw.Draw(chart)
        shown = [(time, energy, bound) for k, time, energy, bound in points if k <= frame]
        above = [at(time, energy) for time, energy, _ in shown]
        below = [at(time, bound) for time, _, bound in shown if bound is not None]
        first = len(above) - len(below)
        steps = below[:1]  # a bound holds from its proof on
        for (_, before), (x, y) in pairwise(below):
            steps += [(x, before), (x, y)]
        if len(steps) > 1:
            draw.polygon([*above[first:], *reversed(steps)], fill=225)
        for line, shade in ((steps, BOUND), (above, 0)):
            if len(line) > 1:
                draw.line(line, fill=shade, width=pen, joint="curve")
            for x, y in line[-1:]:
                draw.ellipse((x - 2 * pen, y - 2 * pen, x + 2 * pen, y + 2 * pen), fill=shade)
        for _, energy, bound in shown[-1:]:
            draw.text((margin, 0.6 * strip), f"energy {energy:.6g}", fill=0, font=font, anchor="lm")
            if bound is not None:
                draw.text((margin, 4.4 * strip), f"proven bound {bound:.6g}", fill=BOUND, font=font, anchor="lm")
        charts.append(chart.reduce(fine))
    return charts


def _stacked(upper: Image.Image, lower: Image.Image) -> Image.Image:
    """Return two pictures of one width, one above the other, in the mode of the upper one."""
    both = Image.new(upper.mode, (upper.width, upper.height + lower.height))
    both.paste(upper, (0, 0))
    both.paste(lower.convert(upper.mode), (0, upper.height))
    return both


def _reduced(frame: np.ndarray, max_side: int) -> np.ndarray:
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


def _in_few_greys(picture: Image.Image) -> Image.Image:
    """Round a grey picture to 64 levels, which the eye does not see and which halve the size of a GIF."""
    return picture.point(lambda level: round(level * 63 / 255) * 255 // 63) if picture.mode == "L" else picture


def _check_max_side(max_side: int, owner: str) -> None:
    if not max_side >= 1:
        raise ValueError(f"The 'max_side' parameter of {owner} must be an int of at least 1. Got {max_side!r} instead.")
