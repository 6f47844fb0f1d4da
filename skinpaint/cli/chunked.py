"""Restore one file in chunks, so that it never has to fit into memory: a zarr array, or a GeoTIFF by rasterio."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import shutil
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from multiprocessing import resource_tracker
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from skinpaint.cli.chunked_mask import SUFFIXES, read_mask_in_chunks
from skinpaint.cli.chunked_raster import lost_tags, open_raster, written_raster
from skinpaint.cli.chunked_zarr import is_zarr, open_zarr, store_of, written_zarr
from skinpaint.cli.common import (
    Interruption,
    Status,
    answer_ctrl_c,
    complain,
    is_watched,
    missing_by,
    plain_warnings,
    say,
    sentence,
    without_repetition,
)
from skinpaint.cli.frames import Frame, as_stack, frames_of, in_any_channel, spacing_of
from skinpaint.cli.remarks import equal_to_nodata, hidden_by_alpha, in_lines, several, what_was_taken
from skinpaint.cli.restoring import filled_like, refuse_undamaged
from skinpaint.cli.tasks import Task, mask_of
from skinpaint.io import READABLE
from skinpaint.solution import GuessedMaskWarning, warn
from skinpaint.wording import as_sentence

if TYPE_CHECKING:
    from skinpaint.dask import ChunkedSolution
    from skinpaint.io import Extras

__all__ = ["in_chunks", "restore_in_chunks"]

NEEDED = {".zarr": ("dask",), ".tif": ("dask", "xarray"), ".tiff": ("dask", "xarray")}  # the extras for each suffix
LIBRARIES = {"dask": ("dask", "zarr", "distributed"), "xarray": ("rasterio", "tifffile")}
HOW_TO_SAY = "Give a mask that is bright where pixels are missing (--mask FILE), or a nodata value (--missing NUMBER)."
# arguments of `restore` for files in memory
UNSUITED = ("film", "mask_out", "std", "interval", "level", "report", "skip_existing")


def in_chunks(args: argparse.Namespace) -> bool:
    """Whether a file is to be restored in chunks: a zarr array, or whatever is given workers."""
    return args.workers is not None or any(is_zarr(path) for path in args.inputs)


def restore_in_chunks(args: argparse.Namespace, method: Any) -> Status:
    """Restore one file in chunks. Values between passes are in a folder beside the output, until it is complete."""
    with plain_warnings(f"{args.inputs[0]}: "), Interruption() as interruption:
        task = _checked(args)
        work = task.output.with_name(f".{task.output.name}.work.zarr")
        try:
            with _gone_if_refused(work), _alone(work, task.output), _workers(args.workers):
                lines = _restored(args, method, task, work, interruption)
        except KeyboardInterrupt:
            kept = f" What was done until then is in {work}; the same command goes on from there."
            complain(f"interrupted; nothing was written.{kept if work.exists() else ''}")
            return Status.INTERRUPTED
    if not args.quiet:
        say(*lines)
    return Status.OK


def _restored(args: argparse.Namespace, method: Any, task: Task, work: Path, interruption: Interruption) -> list[str]:
    """Restore the file and write it; the lines for the user."""
    source, began = task.source, perf_counter()
    refused = {"spaced": args.spacing is None, "stated": args.missing == "auto"}  # else the user says it
    image, extras = open_zarr(source, **refused) if is_zarr(source) else open_raster(source)
    extras = as_stack(image, extras, args.axes)
    extras = extras if args.missing == "auto" else replace(extras, hint="")  # the user has said what is missing
    mask, missing = missing_by(args, source, image, extras, task.masks, read_mask_in_chunks)
    _check_known_missing(source, image, extras, mask, missing)
    spacing, spaced = spacing_of(args.spacing, extras)
    frames = list(frames_of(image, mask, extras))
    if mask is not None and mask.shape != image.shape:
        frames = [replace(frame, mask=_without_channels(frame)) for frame in frames]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Is axis .* that of colours", GuessedMaskWarning)  # the axes have names here
        solutions = _solved(args, method, task, work, frames, missing, spacing)
    if interruption.seen:  # where exceptions are swallowed, as by finalizers
        raise KeyboardInterrupt
    if task.masks is None and args.missing in ("auto", None):
        refuse_undamaged(task, extras, solutions, HOW_TO_SAY)

    restored = _joined([one.restored for one in solutions], image, extras)
    if args.max_distance is not None and image.dtype.kind == "f":  # what was left is as it came, such as nodata
        restored = np.where(np.isnan(restored), image, restored)
    marked = [filled_like(one.filled, frame) for one, frame in zip(solutions, frames, strict=True)]
    written = _write(args, task, work, restored, _joined(marked, image, extras), extras)
    taken = what_was_taken(args, task.masks, missing, extras)
    said = [*taken, spaced, several(len(frames), extras, args.axes), *written]
    summary = f"{task.output}: done in {perf_counter() - began:.1f} s. {_worst(solutions).status}"
    return in_lines(summary, said)


def _checked(args: argparse.Namespace) -> Task:
    """What to restore and where it goes, after all that can be checked without reading."""
    if len(args.inputs) != 1:
        raise ValueError("A file in chunks is restored alone. Give one input.")
    (source,) = args.inputs
    suffix = ".zarr" if is_zarr(source) else source.suffix.lower()
    if suffix not in NEEDED:
        raise ValueError(f"--workers is for zarr arrays and GeoTIFF. Got {source}. Convert it, or leave --workers out.")
    for name in UNSUITED:
        if getattr(args, name):
            raise ValueError(f"--{name.replace('_', '-')} is not for files in chunks. Leave it out.")
    if args.jobs > 1:
        raise ValueError(f"--jobs is for several files, and one in chunks has --workers. Give --workers {args.jobs}.")
    if args.missing == "saturated":
        raise ValueError(
            "--missing must be auto, transparent, none or numbers for a file in chunks. Got saturated. "
            "Give the numbers, as in --missing 0,255."
        )
    mask = _mask_file(source, args.mask)
    for path, what in ((source, "file"), (mask, "mask")):
        if path is not None:
            _check_libraries(path)
            if not path.exists():
                raise FileNotFoundError(f"There is no {what} {path}.")
    return Task(source, _output(args, source, mask), mask, None, alone=True)


def _check_libraries(path: Path) -> None:
    """Refuse a file whose libraries are not installed."""
    extras = NEEDED.get(".zarr" if is_zarr(path) else path.suffix.lower(), ())
    lacking = [name for extra in extras for name in LIBRARIES[extra] if find_spec(name) is None]
    if lacking:
        said = f"{path} needs {', '.join(lacking)}."
        raise ValueError(f"{said} Install them: pip install 'skinpaint[{','.join(extras)}]'.")


def _output(args: argparse.Namespace, source: Path, mask: Path | None) -> Path:
    """Where the answer goes: to a new file, unless another one may be replaced."""
    store = store_of(source)
    inner = "".join(f"-{part}" for part in source.relative_to(store).parts)  # an array in a store
    output: Path = args.output or store.with_name(f"{store.stem}{inner}-restored{store.suffix}")
    if NEEDED.get(output.suffix.lower()) != NEEDED[store.suffix.lower()]:
        raise ValueError(f"-o must have the suffix of the input, {store.suffix}. Got {output}.")
    place = output.resolve()
    given = [path.resolve() for path in (store, mask) if path is not None]
    if output.exists() and (place in given or not args.overwrite):
        way_out = (
            "Choose another name." if place in given else "Choose another name, or give --overwrite to replace it."
        )
        raise FileExistsError(f"{output} exists{', and is an input' if place in given else ''}. {way_out}")
    if output.suffix.lower() == ".zarr" and (output.is_symlink() or (output.exists() and not output.is_dir())):
        raise FileExistsError(f"{output} is no zarr folder, but a file or a link. Choose another name, or remove it.")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"{output} cannot be written: the folder {output.parent} does not exist.")
    if any(parent in given for parent in place.parents):
        raise ValueError(f"-o must not be inside an input. Got {output}. Choose another name.")
    return output


def _mask_file(source: Path, given: Path | None) -> Path | None:
    """The mask that was given, or the one beside the file."""
    found = given if given is not None and is_zarr(given) else mask_of(source, given, {*READABLE, *SUFFIXES})
    if found is not None and not is_zarr(found) and found.suffix.lower() not in SUFFIXES:
        raise ValueError(f"--mask must be a zarr array or a TIFF for a file in chunks. Got {found}. Convert it.")
    return found


def _check_known_missing(source: Path, image: Any, extras: Extras, mask: Any, missing: Any) -> None:
    """Refuse integers of which nothing is known to be missing: in chunks nothing is guessed from the values."""
    if mask is None and (missing is None or missing == "auto") and image.dtype.kind in "iu":
        hint = f" {as_sentence(extras.hint)}" if extras.hint else ""
        transparent = "" if extras.alpha is None else ", or --missing transparent"
        why = "states no nodata value, so that nothing is known to be missing"
        if missing is None:
            why = "--missing none says that nothing of them is missing"
        raise ValueError(
            f"{source} holds integers, and {why}.{hint} Give --mask FILE or --missing NUMBER{transparent}."
        )


def _solved(
    args: argparse.Namespace, method: Any, task: Task, work: Path, frames: list[Frame], missing: Any, spacing: Any
) -> list[ChunkedSolution]:
    """The answer for each frame; Ctrl-C ends the work, as an answer so far is none."""
    from skinpaint.dask import solve

    solutions = []
    for k, frame in enumerate(frames):
        try:
            solution = solve(
                frame.image,
                frame.mask,
                method=method,
                channel_axis=frame.channel_axis,
                missing_values=missing,
                bounds=args.bounds,
                spacing=spacing,
                grow=args.grow,
                max_distance=args.max_distance,
                work=str(work / f"frame-{k}") if len(frames) > 1 else str(work),
                progress=not args.quiet and is_watched(),
            )
        except (ValueError, TypeError) as error:
            where = f"{task.source}, frame {k + 1} of {len(frames)}: " if len(frames) > 1 else f"{task.source}: "
            raise ValueError(without_repetition(where, sentence(error))) from error
        if solution.reason.cut_short:  # after Ctrl-C, as there is no callback
            raise KeyboardInterrupt
        solutions.append(solution)
    return solutions


def _without_channels(frame: Frame) -> Any:
    """The mask of a frame, which is the same for all channels."""
    if frame.mask is None or frame.channel_axis is None:
        return frame.mask
    return np.take(frame.mask, 0, axis=frame.channel_axis)


def _joined(parts: Sequence[Any], image: Any, extras: Extras) -> Any:
    """Frames together, as they are in the image."""
    import dask.array as da

    along = extras.frame_axes
    for axis in reversed(along):
        n = image.shape[axis]
        parts = [da.stack(parts[k : k + n]) for k in range(0, len(parts), n)]
    return da.moveaxis(parts[0], range(len(along)), along).rechunk(image.chunks)


def _write(args: argparse.Namespace, task: Task, work: Path, restored: Any, filled: Any, extras: Extras) -> list[str]:
    """Write the file, and warn of what it does not hold; what is to be said of filled values that it does not show."""
    from skinpaint.io import MetadataWarning
    from skinpaint.io.codec import listed

    marked = in_any_channel(filled, extras)
    if args.missing == "transparent":
        extras = extras.shown_where(marked)
    lost = list(extras.lost)
    if extras.missing is not None and (args.missing is None or args.max_distance is not None):
        lost.append("a mask of its own")
    if is_zarr(task.source):
        with written_zarr(task.source, task.output, restored, work, overwrite=args.overwrite) as partial:
            by_chance = equal_to_nodata(open_zarr(partial, spaced=False, stated=False)[0], filled, extras)
    else:
        with written_raster(task.source, task.output, restored, extras, overwrite=args.overwrite) as partial:
            by_chance = equal_to_nodata(open_raster(partial)[0], filled, extras)
            lost += lost_tags(task.source, partial)
    if lost:
        warn(f"{task.output} does not hold what its source does: {listed(lost, 'and')}.", MetadataWarning)
    return [by_chance, hidden_by_alpha(marked, extras)]


@contextlib.contextmanager
def _gone_if_refused(work: Path) -> Iterator[None]:
    """Remove the store of a task that was refused: nothing of it can be gone on with."""
    before = work.exists()
    try:
        yield
    except ValueError:
        if not before:
            shutil.rmtree(work, ignore_errors=True)
        raise


@contextlib.contextmanager
def _alone(work: Path, output: Path) -> Iterator[None]:
    """Hold the store of a task, and remove it when all is written. The system lets go of it if this process is killed.

    Two commands at one store would each remove what the other one reads.
    """
    work.mkdir(exist_ok=True)
    held = None if sys.platform == "win32" else _held(work, output)
    try:
        yield
        shutil.rmtree(work, ignore_errors=True)
    finally:
        with contextlib.suppress(OSError):  # something is kept
            work.rmdir()
        if held is not None:
            os.close(held)


def _held(folder: Path, output: Path) -> int | None:
    """A folder that is open and locked, or None where nothing can be locked; refused if another process holds it."""
    import fcntl

    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(opened)
        said = f"Another command writes {output}. Wait until it has ended, or choose another name."
        raise FileExistsError(said) from None
    except OSError:
        os.close(opened)
        return None
    return opened


@contextlib.contextmanager
def _workers(number: int | None) -> Iterator[None]:
    """Processes of this machine, or the threads of this one. None of them is at work afterwards."""
    if not number:
        import dask
        from dask.system import CPU_COUNT

        threads = dask.config.get("num_workers", None) or CPU_COUNT
        with ThreadPoolExecutor(threads) as pool, dask.config.set(pool=pool):
            yield
        return
    from distributed import Client, KilledWorker, LocalCluster

    options = {"n_workers": number, "threads_per_worker": 1, "memory_limit": 0, "silence_logs": logging.CRITICAL}
    no_page = {"dashboard_address": ":0", "scheduler_kwargs": {"dashboard": False}}  # None would take port 8787
    with _deaf_children() as pressed:
        cluster = LocalCluster(**options, **no_page)
    told = logging.getLogger("asyncio")
    level = told.level
    told.setLevel(logging.CRITICAL)  # Ctrl-C leaves tasks of distributed whose errors nobody asks for
    try:
        with cluster:
            if pressed:
                raise KeyboardInterrupt
            with Client(cluster):
                yield
    except KilledWorker as error:
        why = "Its workers ended without an answer, perhaps for lack of memory"
        raise ChildProcessError(f"{why}. Try fewer --workers: what is done is kept.") from error
    finally:
        told.setLevel(level)


@contextlib.contextmanager
def _deaf_children() -> Iterator[list[int]]:
    """Processes that start meanwhile do not hear Ctrl-C: it is for this one alone. What is yielded holds a press."""
    pressed: list[int] = []
    before = answer_ctrl_c(lambda number, frame: pressed.append(number))
    try:
        with _blocked(signal.SIGINT):
            yield pressed
    finally:
        answer_ctrl_c(before)


@contextlib.contextmanager
def _blocked(number: signal.Signals) -> Iterator[None]:
    """Let a signal wait. Processes that start meanwhile inherit that, except on Windows, which has no such thing."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # it would unblock the signal when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _worst(solutions: list[ChunkedSolution]) -> ChunkedSolution:
    """The one of all frames whose residual is the worst; what its status says of every value is true of all frames."""
    from skinpaint.dask.channel import bounded

    worst = max(solutions, key=lambda one: (not one.converged, one.residual or 0.0))
    errors = [np.inf if one.error is None else one.error for one in solutions]
    said, true = bounded(worst.error), bounded(max(errors) if max(errors) < np.inf else None)
    return replace(worst, status=worst.status.replace(said, true)) if said else worst
