"""The energy and its proven bound: as a figure, and as a chart below the frames of a film."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from math import inf, log
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from skinpaint.io import whole_file
from skinpaint.solution import Record

__all__ = ["charts", "energy_curve", "proven_bounds"]

BOUND_GREY = 110  # of what is proven
OVERSAMPLING = 3  # charts are drawn larger and reduced, for smooth lines


def energy_curve(
    histories: Sequence[Record] | Mapping[str, Sequence[Record]],
    path: str | Path,
    *,
    overwrite: bool = False,
) -> None:
    """Draw the energy over the iterations, on logarithmic axes if the range is wide.

    A proven lower bound is drawn as well. The minimum lies in the shaded region between the two.

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
    ImportError
        If matplotlib is not installed, which is the extra ``skinpaint[plot]``.
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
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import LogFormatter, MaxNLocator
    except ImportError as error:
        raise ImportError("energy_curve needs matplotlib. Install it: pip install 'skinpaint[plot]'") from error

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
    >>> history = [Record(n_iter=1, energy=energy, gap=gap) for energy, gap in gaps.items()]
    >>> proven_bounds(history)
    [None, 2.0, 2.0]
    """
    each = (
        record.energy / (1 + record.gap)
        if record is not None and record.energy is not None and record.gap is not None and record.gap < inf
        else -inf
        for record in history
    )
    return [None if bound == -inf else bound for bound in accumulate(each, max)]


def charts(records: Sequence[Record | None], width: int) -> list[Image.Image]:
    """Draw energy and bound in greys, up to each record, all on the axes of the whole film."""
    fine = OVERSAMPLING
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

    drawn = []
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
        for line, shade in ((steps, BOUND_GREY), (above, 0)):
            if len(line) > 1:
                draw.line(line, fill=shade, width=pen, joint="curve")
            for x, y in line[-1:]:
                draw.ellipse((x - 2 * pen, y - 2 * pen, x + 2 * pen, y + 2 * pen), fill=shade)
        for _, energy, bound in shown[-1:]:
            draw.text((margin, 0.6 * strip), f"energy {energy:.6g}", fill=0, font=font, anchor="lm")
            if bound is not None:
                draw.text((margin, 4.4 * strip), f"proven bound {bound:.6g}", fill=BOUND_GREY, font=font, anchor="lm")
        drawn.append(chart.reduce(fine))
    return drawn
