"""Restore files.

Restore PNG, JPEG, TIFF, WebP, BMP, GIF, HEIC, FITS and NumPy files, or every such file in a folder: pictures, bands,
stacks and volumes. A zarr array, or with --workers a GeoTIFF, is restored in chunks and may be larger than memory.
Known pixels come back bit for bit, unless the output is a JPEG. What a file holds beside the picture is kept, or named
in a warning. A picture named photo_mask beside photo is its mask. The exit status is 0 if all is restored, 1 if one or
more of several files could not be, 2 for bad input, and 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from skinpaint.cli.batch import outcomes
from skinpaint.cli.chunked import in_chunks, restore_in_chunks
from skinpaint.cli.common import (
    Interruption,
    Status,
    a_path,
    add_grow,
    add_mask_arguments,
    add_method_arguments,
    add_overwrite,
    add_spacing,
    check_own_files,
    complain,
    is_watched,
    method,
    say,
    without_repetition,
)
from skinpaint.cli.numbers import integer, number
from skinpaint.cli.restoring import HOW_TO_SAY, NO_DAMAGE, Outcome, restore_file
from skinpaint.cli.tasks import Task, beside, find_tasks, mask_files
from skinpaint.inpainter import DEFAULT_METHOD

__all__ = ["HELP", "add_arguments", "run"]

HELP = "restore files, or every picture in a folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("inputs", metavar="IN", type=a_path, nargs="+", help="damaged files, or a folder of them")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        type=a_path,
        help="the restored file, or a folder (default: IN-restored; a PNG where IN is a JPEG, GIF or HEIC)",
    )
    add_mask_arguments(
        parser,
        "; for several files, a folder with a mask of the same name for each; [NAME] for an HDU of the FITS file",
    )
    add_grow(parser)
    parser.add_argument(
        "--max-distance",
        metavar="D",
        type=number("a number above 0", lambda distance: distance > 0),
        help="leave missing pixels as they are if they are further than D from every known one: D pixels, or D in the "
        "unit of --spacing, or D times the shortest spacing that the file states",
    )
    parser.add_argument(
        "--axes", metavar="LETTERS", help="names of the axes, such as ZYX for a volume or TCYX for a time series"
    )
    add_spacing(parser)
    add_method_arguments(parser, default=None)
    parser.add_argument(
        "--bounds",
        metavar="dtype|LOW,HIGH",
        type=_bounds,
        help="range of the filled pixels (default: the range of the known ones, unless the method has its own)",
    )
    parser.add_argument(
        "--film", metavar="FILE", type=a_path, help="write the restoration as an animation: .gif, .webp, .png or .apng"
    )
    parser.add_argument(
        "--mask-out",
        metavar="FILE",
        type=a_path,
        help="write what was filled, as a white mask; for several files, a folder",
    )
    parser.add_argument(
        "--std",
        metavar="FILE",
        type=a_path,
        help="write how sure each pixel is: the standard deviation of its error, as floats, to a .tif, .fits or .npy",
    )
    parser.add_argument(
        "--interval",
        metavar="FILE",
        type=a_path,
        help="write the lower and the upper end of an interval for each pixel, as a stack of two, like --std",
    )
    parser.add_argument(
        "--level",
        metavar="P",
        type=number("a number between 0 and 1, as in 0.9", lambda level: 0 < level < 1),
        help="how likely an interval holds the true value, between 0 and 1 (default: 0.9)",
    )
    parser.add_argument("--report", metavar="FILE.json", type=a_path, help="write a report of what was done, as JSON")
    parser.add_argument(
        "--jobs", metavar="N", type=integer(1), default=1, help="restore N files side by side (default: 1)"
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=integer(0),
        help="restore a zarr array or a GeoTIFF in chunks, by N processes (0: by threads); the default method "
        "is laplace then, and values between passes are on disk beside the output",
    )
    parser.add_argument("--skip-existing", action="store_true", help="skip files whose output exists")
    add_overwrite(parser)
    parser.add_argument("--quiet", action="store_true", help="print nothing but warnings and errors")


def run(args: argparse.Namespace) -> int:
    """Restore files."""
    chunked = in_chunks(args)
    chosen = method(("laplace" if chunked else DEFAULT_METHOD) if args.method is None else args.method, args.set)
    if chunked:
        return restore_in_chunks(args, chosen)
    tasks, passed_over = find_tasks(args.inputs, args.output, args.mask, args.mask_out)
    _check_places(args, tasks)
    first = {task.output: task for task in reversed(tasks)}  # what exists is the answer of no other
    done = {task for task in first.values() if args.skip_existing and _is_restored(task)}
    waiting = [task for task in tasks if task not in done]
    if not args.quiet and passed_over:
        say(f"Passed over: {', '.join(passed_over)}.")
    if not args.quiet and len(waiting) < len(tasks):
        say(f"{len(tasks) - len(waiting)} of {len(tasks)} outputs exist, and their inputs are passed over.")
    with Interruption() as interruption:
        if tasks[0].alone:
            return _restore_one(args, chosen, waiting, interruption)
        return _restore_several(args, chosen, waiting, interruption)


def _is_restored(task: Task) -> bool:
    """Whether there is an answer to an earlier run where the answer goes; an input is none."""
    return not task.refusal and task.output.exists() and task.output.resolve() != task.source.resolve()


def _check_places(args: argparse.Namespace, tasks: list[Task]) -> None:
    """Raise now what writing would raise later, or what would be written over."""
    from skinpaint.io import check_place

    if args.report is not None:
        check_place(args.report, overwrite=args.overwrite)
    if args.film is not None and not tasks[0].alone:
        raise ValueError("--film shows one picture. Restore that picture by its name.")
    if args.level is not None and args.interval is None:
        raise ValueError("--level is that of --interval FILE. Give it, or leave --level out.")
    for option, path in (("--std", args.std), ("--interval", args.interval)):
        if path is not None and not tasks[0].alone:
            raise ValueError(f"{option} names one file. Restore that picture by its name.")
    one = {"-o": tasks[0].output, "--mask-out": tasks[0].mask_out} if tasks[0].alone else {}
    asked = {"--film": args.film, "--std": args.std, "--interval": args.interval, "--report": args.report}
    sources = [task.source for task in tasks]
    drawn = beside(sources) if args.mask is None else mask_files(args.mask, sources)
    check_own_files({**one, **asked}, args.inputs, drawn)


def _restore_one(args: argparse.Namespace, chosen: Any, tasks: list[Task], interruption: Interruption) -> Status:
    reports = []
    for task in tasks:
        before = _stamp(task.output)
        try:
            outcome = restore_file(args, chosen, task)
        except KeyboardInterrupt:
            if _stamp(task.output) == before:
                raise
            complain(f"interrupted; {task.output} is written, but perhaps not all else that was asked for.")
            return Status.INTERRUPTED
        _say(args, outcome)
        reports.append(outcome.report)
    _write_report(args, reports[0] if reports else [])
    if interruption.seen:
        complain(f"interrupted; the answer so far is in {tasks[0].output}.")
        return Status.INTERRUPTED
    return Status.OK


def _stamp(path: Path) -> tuple[int, int] | None:
    """What tells a file from the one that takes its place; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _restore_several(args: argparse.Namespace, chosen: Any, tasks: list[Task], interruption: Interruption) -> Status:
    """Restore files, and go on past those that cannot be."""
    from tqdm import tqdm

    folders = {path.parent for task in tasks for path in (task.output, task.mask_out) if path is not None}
    made = {each for folder in folders for each in (folder, *folder.parents) if not each.exists()}
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    told: dict[Task, Any] = {}
    failures = []
    shown = not args.quiet and is_watched()
    done = outcomes(args, chosen, tasks, interruption)
    try:
        for task, outcome in tqdm(done, unit="file", total=len(tasks), disable=not shown):
            if isinstance(outcome, Outcome):
                told[task] = outcome.report
                try:
                    _say(args, outcome)
                except KeyboardInterrupt:  # what is under way is still told
                    interruption.seen = True
            else:
                failures.append(without_repetition(f"{task.source}: ", outcome))
                told[task] = {"input": str(task.source), "failure": failures[-1]}
    except KeyboardInterrupt:
        interruption.seen = True
        done.close()
    _write_report(args, [told[task] for task in tasks if task in told])
    for folder in sorted(made, reverse=True):  # what is inside comes before what holds it
        if not any(folder.iterdir()):
            folder.rmdir()
    if failures:
        complain(f"error: {len(failures)} of {len(tasks)} files could not be restored:")
        for failure in failures:
            complain(f"  {failure}")
        if any(NO_DAMAGE in failure for failure in failures):
            complain(HOW_TO_SAY)
    if interruption.seen:
        complain(f"interrupted; {len(told) - len(failures)} of {len(tasks)} files are restored.")
        return Status.INTERRUPTED
    return Status.SOME_FAILED if failures else Status.OK


def _bounds(text: str) -> tuple[float, float] | str:
    """The argument of --bounds."""
    if text == "dtype":
        return text
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = float("nan")
    if not float("-inf") < low < high < float("inf"):
        raise argparse.ArgumentTypeError(
            f"must be dtype, or two finite numbers as in 0,255, the smaller first. Got {text!r} instead."
        )
    return low, high


def _say(args: argparse.Namespace, outcome: Outcome) -> None:
    if not args.quiet:
        say(*outcome.said)


def _write_report(args: argparse.Namespace, report: Any) -> None:
    if args.report is None:
        return
    from skinpaint.io import whole_file

    with whole_file(args.report, overwrite=args.overwrite) as partial:
        partial.write_text(json.dumps(report, indent=2, default=repr) + "\n", encoding="utf-8")
