"""Restore one file: read it, fill what is missing frame by frame, and write what was asked for."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from skinpaint.cli.common import (
    USER_ERRORS,
    count_transparent,
    is_watched,
    missing_by,
    plain_warnings,
    sentence,
    share,
    without_repetition,
)
from skinpaint.cli.frames import Frame, as_stack, frames_of, in_any_channel, spacing_of, spread
from skinpaint.cli.remarks import how_written, in_lines, proof_of, several, status_of, what_was_taken
from skinpaint.cli.tasks import Task, mask_of
from skinpaint.containers import Contents
from skinpaint.masks import LEFT
from skinpaint.solution import Reason, Solution, proven_within

if TYPE_CHECKING:
    from skinpaint.inpainter import Inpainter
    from skinpaint.io import Extras

__all__ = ["HOW_TO_SAY", "NO_DAMAGE", "Outcome", "filled_like", "refuse_undamaged", "restore_file"]

NO_DAMAGE = "no damage was found"
HOW_TO_SAY = (
    "Give a mask that is bright where pixels are missing (--mask FILE), or say what is missing "
    "(--missing saturated|NUMBER)."
)


@dataclass(frozen=True)
class Outcome:
    """What is known of the restoration of one file."""

    report: dict[str, Any]
    said: list[str]  # the lines for the user


@dataclass
class Restored:
    """The frames of one file, as far as they are restored."""

    image: np.ndarray
    filled: np.ndarray  # of the shape of the image
    sure: dict[str, np.ndarray] = field(default_factory=dict)  # what --std and --interval write
    solutions: list[Solution] = field(default_factory=list)  # what is said of each, without its values
    last: Inpainter | None = None
    seconds: float = 0.0

    @classmethod
    def of(cls, image: np.ndarray) -> Restored:
        """Nothing is restored yet."""
        return cls(image.copy(), np.zeros(image.shape, bool))

    def counted(self, marked: np.ndarray, axis: int | None) -> np.ndarray:
        """What was filled: pixels, which are `marked`, or values where channels differ."""
        return marked if axis is None or (self.filled == np.expand_dims(marked, axis)).all() else self.filled

    def is_cut_short(self, frames: int) -> bool:
        """Whether the user interrupted before all frames were restored to the end."""
        return len(self.solutions) < frames or self.solutions[-1].reason is Reason.INTERRUPTED


def restore_file(args: argparse.Namespace, method: Any, task: Task) -> Outcome:
    """Restore one file, write what was asked for, and return what was done."""
    with plain_warnings(f"{task.source}: ") as warned:
        return _restore_file(args, method, task, warned)


def _restore_file(args: argparse.Namespace, method: Any, task: Task, warned: list[str]) -> Outcome:
    from skinpaint import film, io

    image, extras = io.read(task.source)
    extras = as_stack(image, extras, args.axes)
    _check_targets(args, task, image, extras)
    mask_file = mask_of(task.source, task.masks)
    mask, missing = missing_by(args, task.source, image, extras, mask_file)
    spacing, spaced = spacing_of(args.spacing, extras)
    frames = list(frames_of(image, mask, extras))
    recorder = film.Recorder() if args.film is not None else None

    restored = _restore_frames(args, method, task, frames, Restored.of(image), missing, spacing, recorder)
    if mask_file is None and args.missing in ("auto", None):
        refuse_undamaged(task, extras, restored.solutions)

    if restored.is_cut_short(len(frames)) and (args.skip_existing or not task.alone):
        raise KeyboardInterrupt  # what is half done would be passed over when the rest is done

    marked = in_any_channel(restored.filled, extras)
    if args.missing == "transparent":
        extras = extras.shown_where(marked)
    _write(args, task, image, extras, restored, marked, missing, recorder)
    said = [*what_was_taken(args, mask_file, missing, extras), spaced, several(len(frames), extras, args.axes)]
    if len(restored.solutions) < len(frames):
        said.append(f"interrupted: the frames after the first {len(restored.solutions)} are as they came")
    said += how_written(task.output, image, restored.image, restored.filled, marked, extras)
    said = [remark for remark in said if remark]
    counted = restored.counted(marked, extras.channel_axis)
    summary = f"{task.output}: filled {share(counted)} in {restored.seconds:.1f} s{proof_of(restored.solutions)}."
    summary = " ".join(filter(None, [summary, status_of(restored.solutions, warned)]))
    return Outcome(_report(task, method, restored, counted, extras, said), in_lines(summary, said))


def _check_targets(args: argparse.Namespace, task: Task, image: np.ndarray, extras: Extras) -> None:
    """Raise before the work whatever writing would raise after it."""
    from skinpaint import film, io

    io.check_target(task.output, image.dtype, extras, overwrite=args.overwrite, shape=image.shape)
    if args.film is not None:
        if math.prod(image.shape[axis] for axis in extras.frame_axes) > 1:
            raise ValueError(f"--film shows one picture, but {task.source} holds a stack on the axes {extras.axes}.")
        if image.ndim != 2 and image.shape[2:] != (3,):
            raise ValueError(f"--film shows a picture in grey or RGB. Got an array of shape {image.shape} instead.")
        film.check_film(args.film, overwrite=args.overwrite)
    for path, shape, named in _sure_targets(args, image, extras):
        io.check_target(path, np.float64, named, overwrite=args.overwrite, shape=shape)
    if task.mask_out is not None:
        shape = tuple(n for axis, n in enumerate(image.shape) if axis != extras.channel_axis)
        io.check_target(task.mask_out, overwrite=args.overwrite, shape=shape)


def _restore_frames(
    args: argparse.Namespace,
    method: Any,
    task: Task,
    frames: list[Frame],
    restored: Restored,
    missing: Any,
    spacing: Any,
    recorder: Any,
) -> Restored:
    """Restore frame by frame, until all are done or the user interrupts."""
    from skinpaint.inpainter import Inpainter

    shown = task.alone and not args.quiet and is_watched()
    restored.last = inpainter = Inpainter(
        method,
        missing_values=missing,
        bounds=args.bounds,
        spacing=spacing,
        grow=args.grow,
        max_distance=args.max_distance,
        progress=shown and len(frames) == 1,
    )
    if args.std is not None:
        restored.sure["std"] = np.full(restored.image.shape, np.nan)
    if args.interval is not None:
        restored.sure["interval"] = np.full((2, *restored.image.shape), np.nan)
    began = perf_counter()
    for k, frame in enumerate(tqdm(frames, unit="frame", leave=False, disable=not shown or len(frames) == 1)):
        named = Contents(frame.image, channel_axis=frame.channel_axis, named=True)
        try:
            out = inpainter.fit_restore(named, frame.mask, callback=recorder)
        except KeyboardInterrupt:
            if not restored.solutions:
                raise
            break
        except USER_ERRORS as error:
            where = f"{task.source}, frame {k + 1} of {len(frames)}: " if len(frames) > 1 else f"{task.source}: "
            raise ValueError(without_repetition(where, sentence(error))) from error
        if args.max_distance is not None and out.dtype.kind == "f":  # what was left is as it came, such as nodata
            np.copyto(out, frame.image, where=np.isnan(out))
        restored.image[frame.at] = out
        restored.filled[frame.at] = filled_like(inpainter.mask_, frame)
        try:
            if args.std is not None:
                restored.sure["std"][frame.at] = inpainter.std()
            if args.interval is not None:
                level = {} if args.level is None else {"level": args.level}
                restored.sure["interval"][(slice(None), *frame.at)] = inpainter.interval(**level)
            stop = inpainter.solution_.reason is Reason.INTERRUPTED
        except KeyboardInterrupt:  # the picture is done; how sure it is stays unknown
            stop = True
        restored.solutions.append(dataclasses.replace(inpainter.solution_, values=np.empty(0), posterior=None))
        if stop:
            break
    restored.seconds = perf_counter() - began
    return restored


def refuse_undamaged(task: Task, extras: Extras, solutions: Sequence[Solution], how_to_say: str = HOW_TO_SAY) -> None:
    """Refuse a picture in which no damage was found."""
    if any(solution.reason is not Reason.NOTHING_MISSING for solution in solutions):
        return
    said = [f"{task.source}: {NO_DAMAGE}, and nothing was written."]
    notes = [solution.status.partition(LEFT.capitalize())[2].partition(";")[0] for solution in solutions]
    said += [f"{LEFT.capitalize()}{note}." for note in notes if note][:1]
    transparent = count_transparent(extras)
    if transparent:
        said.append(f"Transparent pixels: {transparent:,}; --missing transparent fills them.")
    if extras.hint:
        said.append(f"{extras.hint}.")
    raise ValueError(" ".join([*said, *([how_to_say] if task.alone else [])]))


def _write(
    args: argparse.Namespace,
    task: Task,
    image: np.ndarray,
    extras: Extras,
    restored: Restored,
    marked: np.ndarray,
    missing: Any,
    recorder: Any,
) -> None:
    """Write the picture, and the mask and the film where they are asked for."""
    from skinpaint import io

    if extras.missing is not None:
        whole = dataclasses.replace(extras, missing=spread(extras.missing, image.shape, extras))
        extras = whole.known_where(restored.filled)
    io.write(task.output, restored.image, extras, overwrite=args.overwrite)
    if task.mask_out is not None:
        shown = np.where(marked, 255, 0).astype(np.uint8)
        io.write(task.mask_out, shown, io.Extras(axes=_without_channels(extras)), overwrite=args.overwrite)
    for (path, _, named), values in zip(_sure_targets(args, image, extras), restored.sure.values(), strict=True):
        ordered = np.where(named.scale < 0, values[::-1], values)  # the ends of an interval, by what they stand for
        io.write(path, ordered, named, overwrite=args.overwrite)
    if recorder is not None:
        last = _in_range(restored, missing)
        _write_film(args, recorder, restored.last, [image, *recorder.frames, last], extras)


def _sure_targets(
    args: argparse.Namespace, image: np.ndarray, extras: Extras
) -> Iterator[tuple[Path, tuple[int, ...], Extras]]:
    """The file, the shape and the axes of what --std and --interval write, and what its values stand for."""
    from skinpaint import io

    if args.std is not None:
        yield args.std, image.shape, io.Extras(axes=extras.axes, scale=abs(extras.scale), unit=extras.unit)
    if args.interval is not None:
        pages = next(letter for letter in "QIPT" if letter not in extras.axes)
        stated = io.Extras(axes=pages + extras.axes, scale=extras.scale, offset=extras.offset, unit=extras.unit)
        yield args.interval, (2, *image.shape), stated


def filled_like(mask: Any, frame: Frame) -> Any:
    """What was filled in a frame, of the shape of the frame."""
    if mask.ndim < frame.image.ndim:
        mask = np.expand_dims(mask, frame.channel_axis)  # type: ignore[arg-type]
    return np.broadcast_to(mask, frame.image.shape)


def _without_channels(extras: Extras) -> str:
    return "".join(letter for axis, letter in enumerate(extras.axes) if axis != extras.channel_axis)


def _in_range(restored: Restored, missing: Any) -> np.ndarray:
    """The picture for a film, whose scale no nodata value may set that was left beyond --max-distance."""
    image = restored.image
    if missing is None or isinstance(missing, str) or image.dtype == np.uint8:  # 8 bits are shown as they are
        return image
    left = np.isin(image, missing) & ~restored.filled
    return np.where(left, image[~left].min(), image)


def _write_film(
    args: argparse.Namespace, recorder: Any, inpainter: Any, frames: list[np.ndarray], extras: Extras
) -> None:
    from skinpaint import film

    last = inpainter.history_[-1] if inpainter.history_ else None
    records = [None, *recorder.records, last]
    titles = ["damaged", *(f"iteration {n}" for n in recorder.iterations), "restored"]
    proofs = [proven_within(None if record is None else record.gap) for record in records]
    captions = [": ".join(filter(None, said)) for said in zip(titles, proofs, strict=True)]
    frames = [extras.as_seen(frame) for frame in frames]
    film.film(frames, args.film, captions=captions, records=records, overwrite=args.overwrite)


def _report(
    task: Task, method: Any, restored: Restored, counted: np.ndarray, extras: Extras, said: list[str]
) -> dict[str, Any]:
    from skinpaint import __version__

    per_frame = [
        {
            "status": solution.status,
            "reason": solution.reason.value,
            "converged": bool(solution.converged),
            "n_iter": int(solution.n_iter),
            **{name: _finite(getattr(solution, name)) for name in ("energy", "gap", "residual", "error")},
        }
        for solution in restored.solutions
    ]
    return {
        "input": str(task.source),
        "output": str(task.output),
        "axes": extras.axes,
        "method": type(method).__name__,
        "settings": {field.name: getattr(method, field.name) for field in dataclasses.fields(method)},
        "missing": int(counted.sum()),
        "fraction": float(counted.mean()),
        **(per_frame[0] if len(per_frame) == 1 else {"frames": per_frame}),
        "remarks": said,
        "seconds": round(restored.seconds, 3),
        "version": __version__,
    }


def _finite(number: float | None) -> float | None:
    """Return a number that JSON knows."""
    return None if number is None or not math.isfinite(number) else float(number)
