"""Restore files.

Restore PNG, JPEG, TIFF, WebP, BMP, GIF, HEIC, FITS and NumPy files, or every such file in a folder: pictures, bands,
stacks and volumes. Known pixels come back bit for bit, unless the output is a JPEG. What a file holds beside the
picture is kept, or named in a warning. A picture named photo_mask beside photo is its mask.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skinpaint.cli.common import (
    USER_ERRORS,
    Interruption,
    Status,
    add_mask_arguments,
    add_overwrite,
    complain,
    method,
    sentence,
)
from skinpaint.cli.restoring import Outcome, Task, restore_file
from skinpaint.inpainter import DEFAULT_METHOD

__all__ = ["HELP", "add_arguments", "run"]

HELP = "restore files, or every picture in a folder"
MASK_ENDINGS = ("_mask", "-mask")  # of the name of a mask beside its picture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("inputs", metavar="IN", type=Path, nargs="+", help="damaged files, or a folder of them")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        type=Path,
        help="the restored file, or a folder for several (default: IN-restored; a PNG where IN is a JPEG, GIF or HEIC)",
    )
    add_mask_arguments(parser, "; for a folder, this can be a folder with a mask of the same name for each picture")
    parser.add_argument(
        "--grow", metavar="N", type=int, default=0, help="make the mask N pixels wider on all sides (default: 0)"
    )
    parser.add_argument(
        "--max-distance",
        metavar="D",
        type=float,
        help="leave missing pixels as they are if they are further than D pixels from every known one",
    )
    parser.add_argument(
        "--axes", metavar="LETTERS", help="names of the axes, such as ZYX for a volume or TCYX for a time series"
    )
    parser.add_argument(
        "--spacing",
        metavar="H[,H...]",
        type=_spacing,
        help="distance between neighbours along Z, Y and X (default: what the file says, or equal)",
    )
    parser.add_argument(
        "--method",
        metavar="NAME",
        default=DEFAULT_METHOD,
        help="the method, or one of its presets, such as gd:classic (default: %(default)s)",
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a setting of the method, such as max_iter=500; may be repeated",
    )
    parser.add_argument(
        "--bounds",
        metavar="dtype|LOW,HIGH",
        type=_bounds,
        help="range of the filled pixels (default: the range of the known ones, unless the method has its own)",
    )
    parser.add_argument(
        "--film", metavar="FILE", type=Path, help="write the restoration as an animation: .gif, .webp, .png or .apng"
    )
    parser.add_argument(
        "--mask-out",
        metavar="FILE",
        type=Path,
        help="write what was filled, as a white mask; for several files, a folder",
    )
    parser.add_argument("--report", metavar="FILE.json", type=Path, help="write a report of what was done, as JSON")
    parser.add_argument("--jobs", metavar="N", type=_jobs, default=1, help="restore N files side by side (default: 1)")
    parser.add_argument("--skip-existing", action="store_true", help="skip files whose output exists")
    add_overwrite(parser)
    parser.add_argument("--quiet", action="store_true", help="print nothing but warnings and errors")


def run(args: argparse.Namespace) -> int:
    """Restore files."""
    chosen = method(args.method, args.set)
    if args.report is not None:
        from skinpaint.io import check_place

        check_place(args.report, overwrite=args.overwrite)
    several = len(args.inputs) > 1 or args.inputs[0].is_dir()
    if several and args.film is not None:
        raise ValueError(
            f"--film shows one picture, but {args.inputs[0]} is a folder. Restore that picture by its name."
            if len(args.inputs) == 1
            else "--film shows one picture. Restore that picture by its name."
        )
    tasks = list(_tasks(args))
    waiting = [task for task in tasks if not (args.skip_existing and task.output.exists())]
    if len(waiting) < len(tasks) and not args.quiet:
        print(f"{len(tasks) - len(waiting)} of {len(tasks)} outputs exist, and their inputs are passed over.")
    with Interruption() as interruption:
        if not several:
            reports = []
            for task in waiting:
                outcome = restore_file(args, chosen, task)
                _say(args, outcome)
                reports.append(outcome.report)
            _write_report(args, reports[0] if reports else [])
            if interruption.seen:
                complain(f"interrupted; the answer so far is in {tasks[0].output}.")
                return Status.INTERRUPTED
            return Status.OK
        return _restore_several(args, chosen, waiting, interruption)


def _spacing(text: str) -> tuple[float, ...]:
    """The argument of --spacing."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(0 < number < float("inf") for number in numbers):
        raise argparse.ArgumentTypeError(f"must be positive numbers, as in 4,1,1. Got {text!r} instead.")
    return numbers


def _bounds(text: str) -> tuple[float, float] | str:
    """The argument of --bounds."""
    if text == "dtype":
        return text
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be dtype, or two numbers as in 0,255 (or --bounds=-1,1). Got {text!r} instead."
        ) from None
    return low, high


def _jobs(text: str) -> int:
    """The argument of --jobs."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be an int of at least 1. Got {text!r} instead.")
    return int(text)


def _tasks(args: argparse.Namespace) -> Iterator[Task]:
    """Every file to restore, with its mask and where its answer goes; names that are passed over are said."""
    if len(args.inputs) == 1 and not args.inputs[0].is_dir():
        source = args.inputs[0]
        yield Task(source, args.output or _restored(source), _mask_of(source, args.mask), args.mask_out, alone=True)
        return
    for made in (args.output, args.mask_out):
        if made is not None and made.is_file():
            raise NotADirectoryError(f"{made} must be a folder, where several files are restored. It is a file.")
    passed_over: list[str] = []
    n_tasks = 0
    for given in args.inputs:
        folder = args.output
        if given.is_dir() and folder is None:
            folder = given.with_name(f"{given.resolve().name}-restored")
        for source in _files(given, passed_over) if given.is_dir() else [given]:
            target = _restored(source) if folder is None else folder / _restored(source, ending="").name
            mask_out = None if args.mask_out is None else args.mask_out / f"{source.stem}.png"
            n_tasks += 1
            yield Task(source, target, args.mask, mask_out, alone=False)
    if passed_over and not args.quiet:
        print(f"Passed over: {', '.join(passed_over)}.")
    if not n_tasks:
        from skinpaint.io import READABLE

        raise ValueError(f"{args.inputs[0]} holds no picture whose suffix is one of {', '.join(READABLE)}.")


def _files(folder: Path, passed_over: list[str]) -> Iterator[Path]:
    """The pictures of a folder; the names of other files are noted."""
    from skinpaint.io import READABLE

    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.name.startswith("."):
            continue
        if path.suffix.lower() not in READABLE:
            passed_over.append(path.name)
        elif path.stem.endswith(MASK_ENDINGS):
            passed_over.append(f"{path.name} (a mask)")
        else:
            yield path


def _restored(source: Path, ending: str = "-restored") -> Path:
    """Where a restored file goes unless the user says so: never to a format that would change known pixels."""
    from skinpaint.io import is_lossless

    suffix = source.suffix if is_lossless(source) else ".png"
    return source.with_name(f"{source.stem}{ending}{suffix}")


def _mask_of(source: Path, masks: Path | None) -> Path | None:
    """The mask of one picture: the only one, the one of that name in a folder, or the one beside the picture."""
    from skinpaint.io import READABLE

    if masks is None:
        names = {source.stem + ending for ending in MASK_ENDINGS}
        beside = [path for path in source.parent.glob(f"{_literal(source.stem)}*") if path.stem in names]
        found = sorted(path for path in beside if path.suffix.lower() in READABLE)
        return found[0] if found else None
    if not masks.is_dir():
        return masks
    names = {source.stem, *(source.stem + ending for ending in MASK_ENDINGS)}
    found = sorted(path for path in masks.iterdir() if path.stem in names)
    if len(found) != 1:
        raise ValueError(f"the folder {masks} holds {len(found)} masks named {source.stem}, where it must hold one.")
    return found[0]


def _literal(name: str) -> str:
    """A name in a pattern of `glob`."""
    from glob import escape

    return escape(name)


def _restore_several(args: argparse.Namespace, chosen: Any, tasks: list[Task], interruption: Interruption) -> Status:
    """Restore files one after another or side by side, and go on past those that cannot be."""
    from tqdm import tqdm

    for folder in {path.parent for task in tasks for path in (task.output, task.mask_out) if path is not None}:
        folder.mkdir(parents=True, exist_ok=True)
    reports, failures = [], []
    outcomes = _side_by_side(args, chosen, tasks) if args.jobs > 1 else _one_by_one(args, chosen, tasks)
    shown = not args.quiet and sys.stderr.isatty()
    for task, outcome in tqdm(outcomes, unit="file", total=len(tasks), disable=not shown):
        if isinstance(outcome, Outcome):
            _say(args, outcome)
            reports.append(outcome.report)
        else:
            failures.append(f"{task.source}: {outcome}")
        if interruption.seen:
            break
    _write_report(args, reports)
    if failures:
        complain(f"error: {len(failures)} of {len(tasks)} files could not be restored:")
        for failure in failures:
            complain(f"  {failure}")
    if interruption.seen:
        complain(f"interrupted; {len(reports)} of {len(tasks)} files are restored.")
        return Status.INTERRUPTED
    return Status.SOME_FAILED if failures else Status.OK


def _attempt(args: argparse.Namespace, chosen: Any, task: Task) -> Outcome | str:
    """Restore a file, or say in a sentence why it cannot be."""
    try:
        task = Task(task.source, task.output, _mask_of(task.source, task.mask), task.mask_out, alone=False)
        return restore_file(args, chosen, task)
    except USER_ERRORS as error:
        return sentence(error)


def _one_by_one(args: argparse.Namespace, chosen: Any, tasks: list[Task]) -> Iterator[tuple[Task, Outcome | str]]:
    for task in tasks:
        yield task, _attempt(args, chosen, task)


def _side_by_side(args: argparse.Namespace, chosen: Any, tasks: list[Task]) -> Iterator[tuple[Task, Outcome | str]]:
    """Restore files in processes that share the processors between them."""
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    n_processes = min(args.jobs, len(tasks)) or 1
    with ProcessPoolExecutor(n_processes, get_context("spawn"), _prepare, (n_processes,)) as pool:
        futures = {pool.submit(_attempt, args, chosen, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _prepare(n_processes: int) -> None:
    """Prepare a process: it finishes its file after Ctrl-C, and uses its share of the processors."""
    import signal

    from skinpaint.grid import threads

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threads.limit(max(1, threads.workers() // n_processes))


def _say(args: argparse.Namespace, outcome: Outcome) -> None:
    from tqdm import tqdm

    if not args.quiet:
        tqdm.write(outcome.said)


def _write_report(args: argparse.Namespace, report: Any) -> None:
    if args.report is None:
        return
    from skinpaint.io import whole_file

    with whole_file(args.report, overwrite=args.overwrite) as partial:
        partial.write_text(json.dumps(report, indent=2, default=repr) + "\n", encoding="utf-8")
