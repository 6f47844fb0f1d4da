"""Restore one file: read it, fill what is missing frame by frame, and write what was asked for."""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from skinpaint.cli.common import missing_by, plain_warnings, share
from skinpaint.cli.frames import Frame, as_stack, frames_of, named_axes
from skinpaint.solution import Reason, Solution, proven_within

if TYPE_CHECKING:
    from skinpaint.inpainter import Inpainter
    from skinpaint.io import Extras

__all__ = ["Outcome", "Task", "restore_file"]

MIN_ANISOTROPY = 1.01  # spacings of a file that differ by less are equal


@dataclass(frozen=True)
class Task:
    """One file to restore, and where everything goes."""

    source: Path
    output: Path
    mask: Path | None
    mask_out: Path | None
    alone: bool  # whether it is the only one


@dataclass(frozen=True)
class Outcome:
    """What is known of the restoration of one file."""

    report: dict[str, Any]
    said: str  # the lines for the user


@dataclass(frozen=True)
class Restored:
    """The frames of one file, restored."""

    image: np.ndarray
    filled: np.ndarray  # of the shape of the image
    solutions: list[Solution]
    last: Inpainter
    seconds: float
    left: bool  # whether frames are left as they came

    def marked(self, channel_axis: int | None) -> np.ndarray:
        """What was filled in any channel."""
        return self.filled if channel_axis is None else np.asarray(self.filled.any(axis=channel_axis))

    def counted(self, channel_axis: int | None) -> np.ndarray:
        """What was filled: pixels, or values where channels differ."""
        marked = self.marked(channel_axis)
        if channel_axis is None or (self.filled == np.expand_dims(marked, channel_axis)).all():
            return marked
        return self.filled


def restore_file(args: argparse.Namespace, method: Any, task: Task) -> Outcome:
    """Restore one file, write what was asked for, and return what was done."""
    with plain_warnings(f"{task.source}: ") as warned:
        return _restore_file(args, method, task, warned)


def _restore_file(args: argparse.Namespace, method: Any, task: Task, warned: list[str]) -> Outcome:
    from skinpaint import film, io

    image, extras = io.read(task.source)
    extras = as_stack(image, extras, args.axes)
    _check_targets(args, task, image, extras)
    mask, missing = missing_by(args, task.source, image, extras, task.mask)
    spacing, spaced = _spacing(args, extras)
    frames = list(frames_of(image, mask, extras))
    recorder = film.Recorder() if args.film is not None else None

    restored = _restore_frames(args, method, task, image, frames, missing, spacing, recorder)
    if mask is None and args.missing == "auto":
        _refuse_undamaged(task, restored.solutions)

    _write(args, task, image, extras, restored, recorder)
    said = [extras.about, _nodata_taken(mask, missing, extras), spaced, _several(args, frames, extras)]
    said += [_left(restored), _lossy(task, image, restored.filled), _collisions(restored, extras)]
    said = [remark for remark in said if remark]
    counted = restored.counted(extras.channel_axis)
    proof = proven_within(_worst([solution.gap for solution in restored.solutions]))
    proof = f", {proof} of the lowest energy" if proof else ""
    summary = f"{task.output}: filled {share(counted)} in {restored.seconds:.1f} s{proof}."
    lines = " ".join(filter(None, [summary, _status(restored.solutions, warned)]))
    lines += "".join(f"\n  {each[0].upper()}{each[1:]}." for each in said)
    return Outcome(_report(task, method, restored, counted, extras, said), lines)


def _check_targets(args: argparse.Namespace, task: Task, image: np.ndarray, extras: Extras) -> None:
    """Raise before the work whatever writing would raise after it."""
    from skinpaint import film, io

    io.check_target(task.output, image.dtype, extras, overwrite=args.overwrite, shape=image.shape)
    if args.film is not None:
        if math.prod(image.shape[axis] for axis in extras.frame_axes) > 1:
            raise ValueError(f"--film shows one picture, but {task.source} holds a stack on the axes {extras.axes}.")
        film.check_film(args.film, overwrite=args.overwrite)
    if task.mask_out is not None:
        shape = tuple(n for axis, n in enumerate(image.shape) if axis != extras.channel_axis)
        io.check_target(task.mask_out, overwrite=args.overwrite, shape=shape)


def _restore_frames(
    args: argparse.Namespace,
    method: Any,
    task: Task,
    image: np.ndarray,
    frames: list[Frame],
    missing: Any,
    spacing: Any,
    recorder: Any,
) -> Restored:
    """Restore frame by frame, until all are done or the user interrupts."""
    from skinpaint.inpainter import Inpainter

    shown = task.alone and not args.quiet and sys.stderr.isatty()
    inpainter = Inpainter(
        method,
        missing_values=missing,
        bounds=args.bounds,
        spacing=spacing,
        grow=args.grow,
        max_distance=args.max_distance,
        progress=shown and len(frames) == 1,
    )
    out, filled, solutions = image.copy(), np.zeros(image.shape, bool), []
    began = perf_counter()
    for frame in tqdm(frames, unit="frame", leave=False, disable=not shown or len(frames) == 1):
        inpainter.channel_axis = frame.channel_axis
        out[frame.at] = inpainter.fit_restore(frame.image, frame.mask, callback=recorder)
        filled[frame.at] = _like(inpainter.mask_, frame)
        solutions.append(inpainter.solution_)
        if inpainter.solution_.reason is Reason.INTERRUPTED:
            break
    seconds = perf_counter() - began
    return Restored(out, filled, solutions, inpainter, seconds, left=len(solutions) < len(frames))


def _refuse_undamaged(task: Task, solutions: list[Solution]) -> None:
    """Refuse a picture in which no damage was found."""
    if all(solution.reason is Reason.NOTHING_MISSING for solution in solutions):
        raise ValueError(
            f"{task.source}: no damage was found, and nothing was written. {solutions[0].status} Give a mask that is "
            "bright where pixels are missing (--mask FILE), or say what is missing (--missing saturated|NUMBER)."
        )


def _write(
    args: argparse.Namespace, task: Task, image: np.ndarray, extras: Extras, restored: Restored, recorder: Any
) -> None:
    """Write the picture, and the mask and the film where they are asked for."""
    from skinpaint import io

    if args.missing == "transparent" and extras.alpha is not None:
        extras = extras.opaque_where(extras.alpha == 0)
    io.write(task.output, restored.image, extras, overwrite=args.overwrite)
    if task.mask_out is not None:
        marked = np.where(restored.marked(extras.channel_axis), 255, 0).astype(np.uint8)
        io.write(task.mask_out, marked, io.Extras(axes=_without_channels(extras)), overwrite=args.overwrite)
    if recorder is not None:
        _write_film(args, recorder, restored.last, image, restored.image)


def _like(mask: np.ndarray, frame: Frame) -> np.ndarray:
    """What was filled in a frame, of the shape of the frame."""
    if mask.ndim < frame.image.ndim:
        mask = np.expand_dims(mask, frame.channel_axis)  # type: ignore[arg-type]
    return np.broadcast_to(mask, frame.image.shape)


def _without_channels(extras: Extras) -> str:
    return "".join(letter for axis, letter in enumerate(extras.axes) if axis != extras.channel_axis)


def _spacing(args: argparse.Namespace, extras: Extras) -> tuple[Any, str]:
    """The spacing of the axes in space in units of the shortest, and what to say where it is that of the file."""
    count = sum(letter in "ZYX" for letter in extras.axes)
    if args.spacing is not None:
        if len(args.spacing) not in (1, count):
            raise ValueError(
                f"--spacing must be one number or {count}, one for each axis in space of {extras.axes}. "
                f"Got {len(args.spacing)} instead."
            )
        return (args.spacing[0] if len(args.spacing) == 1 else args.spacing), ""
    if extras.spacing is None or max(extras.spacing) < MIN_ANISOTROPY * min(extras.spacing):
        return None, ""
    relative = tuple(h / min(extras.spacing) for h in extras.spacing)
    letters = [letter for letter in extras.axes if letter in "ZYX"]
    named = ", ".join(f"{letter} {h:.4g}" for letter, h in zip(letters, relative, strict=True))
    return relative, f"spacing {named}, as the file says"


def _status(solutions: list[Solution], warned: list[str]) -> str:
    """The status of the only frame, or what is common to all; without what was said as a warning."""
    statuses = dict.fromkeys(solution.status for solution in solutions)
    if len(statuses) > 1:
        failed = sum(not solution.converged for solution in solutions)
        return f"{failed} of {len(solutions)} frames did not converge." if failed else ""
    status = next(iter(statuses))
    for said in warned:
        status = status.replace(said, "")
    return str(status).strip()


def _worst(figures: list[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return max(known) if len(known) == len(figures) and known else None


def _nodata_taken(mask: np.ndarray | None, missing: Any, extras: Extras) -> str:
    if mask is not None or not extras.nodata or missing != extras.nodata:
        return ""
    return f"took the file's nodata value {', '.join(f'{value:g}' for value in extras.nodata)} for missing"


def _several(args: argparse.Namespace, frames: list[Frame], extras: Extras) -> str:
    if len(frames) == 1:
        return ""
    hint = "; --axes ZYX restores a volume" if extras.axes in ("QYX", "IYX", "TYX") and args.axes is None else ""
    return f"{len(frames)} frames along {named_axes(extras)}, each on its own{hint}"


def _left(restored: Restored) -> str:
    count = len(restored.solutions)
    return f"interrupted: the frames after the first {count} are as they came" if restored.left else ""


def _collisions(restored: Restored, extras: Extras) -> str:
    values = restored.image[restored.filled]
    count = sum(int(np.count_nonzero(values == value)) for value in extras.nodata)
    return f"{count} filled values equal the file's nodata value, and read as missing" if count else ""


def _lossy(task: Task, image: np.ndarray, filled: np.ndarray) -> str:
    """What a JPEG changed, if one was written."""
    from skinpaint import io

    if io.is_lossless(task.output):
        return ""
    written = io.read(task.output)[0].astype(int)
    change = np.abs(written - image)[~filled] if written.shape == image.shape else np.zeros(0)
    if not change.size:
        return ""
    return (
        f"JPEG changed {np.count_nonzero(change) / change.size:.0%} of the known values, by up to {change.max()}; "
        "write a PNG to keep them"
    )


def _write_film(
    args: argparse.Namespace, recorder: Any, inpainter: Any, image: np.ndarray, restored: np.ndarray
) -> None:
    from skinpaint import film

    last = inpainter.history_[-1] if inpainter.history_ else None
    records = [None, *recorder.records, last]
    titles = ["damaged", *(f"iteration {n}" for n in recorder.iterations), "restored"]
    proofs = [proven_within(None if record is None else record.gap) for record in records]
    captions = [": ".join(filter(None, said)) for said in zip(titles, proofs, strict=True)]
    frames = [image, *recorder.frames, restored]
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
