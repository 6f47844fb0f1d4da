"""Restore files.

Restore a PNG, JPEG, TIFF or WebP picture of 8 or 16 bits (TIFF also of floats), or every such picture in a folder.
Known pixels come back bit for bit, unless the output is a JPEG. Alpha, colour profile and resolution are kept.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from skinpaint.cli.common import (
    USER_ERRORS,
    Interruption,
    Status,
    add_mask_arguments,
    add_overwrite,
    complain,
    method,
    plain_warnings,
    sentence,
    share,
    what_is_missing,
)
from skinpaint.inpainter import DEFAULT_METHOD
from skinpaint.solution import Reason, proven_within

__all__ = ["HELP", "add_arguments", "run"]

HELP = "restore a picture, or every picture in a folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("input", metavar="IN", type=Path, help="the damaged picture, or a folder of them")
    parser.add_argument(
        "-o", "--output", metavar="OUT", type=Path, help="the restored picture or folder (default: IN-restored)"
    )
    add_mask_arguments(parser, "; for a folder, this can be a folder with a mask of the same name for each picture")
    parser.add_argument(
        "--grow", metavar="N", type=int, default=0, help="fill N pixels more around what is missing (default: 0)"
    )
    parser.add_argument(
        "--max-distance",
        metavar="D",
        type=float,
        help="leave missing pixels as they are if they are further than D pixels from every known one",
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
        "--mask-out", metavar="FILE", type=Path, help="write what was filled, in white; for a folder, a folder"
    )
    parser.add_argument("--report", metavar="FILE.json", type=Path, help="write what was done, as JSON")
    add_overwrite(parser)
    parser.add_argument("--quiet", action="store_true", help="print nothing but warnings and errors")


def run(args: argparse.Namespace) -> int:
    """Restore a picture or a folder."""
    chosen = method(args.method, args.set)
    if args.report is not None:
        from skinpaint.io import check_place

        check_place(args.report, overwrite=args.overwrite)
    with Interruption() as interruption:
        if args.input.is_dir():
            return _restore_folder(args, chosen, interruption)
        output = args.output or args.input.with_stem(f"{args.input.stem}-restored")
        report = _restore_file(args, chosen, args.input, output, args.mask, args.mask_out)
        _write_report(args, report)
        if interruption.seen:
            complain(f"interrupted; the answer so far is in {output}.")
            return Status.INTERRUPTED
        return Status.OK


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


def _restore_folder(args: argparse.Namespace, chosen: Any, interruption: Interruption) -> int:
    """Restore every picture in a folder, and go on past those that cannot be."""
    from tqdm import tqdm

    from skinpaint.io import FORMATS

    if args.film is not None:
        raise ValueError(f"--film shows one picture, but {args.input} is a folder. Restore that picture by its name.")
    sources = sorted(
        path
        for path in args.input.iterdir()
        if path.suffix.lower() in FORMATS and path.is_file() and not path.name.startswith(".")
    )
    if not sources:
        raise ValueError(f"{args.input} holds no picture whose suffix is one of {', '.join(FORMATS)}.")
    folder = args.output or args.input.with_name(f"{args.input.resolve().name}-restored")
    for made in (folder, args.mask_out):
        if made is not None:
            made.mkdir(parents=True, exist_ok=True)
    reports, failures = [], []
    for source in tqdm(sources, unit="picture", disable=args.quiet):
        try:
            mask = _mask_of(source, args.mask)
            mask_out = None if args.mask_out is None else args.mask_out / f"{source.stem}.png"
            reports.append(_restore_file(args, chosen, source, folder / source.name, mask, mask_out))
        except USER_ERRORS as error:
            failures.append(f"{source}: {sentence(error)}")
        if interruption.seen:
            break
    _write_report(args, reports)
    if failures:
        complain(f"error: {len(failures)} of {len(sources)} pictures could not be restored:")
        for failure in failures:
            complain(f"  {failure}")
    if interruption.seen:
        complain(f"interrupted; {len(reports)} of {len(sources)} pictures are in {folder}.")
        return Status.INTERRUPTED
    return Status.SOME_FAILED if failures else Status.OK


def _restore_file(
    args: argparse.Namespace, chosen: Any, source: Path, output: Path, mask_file: Path | None, mask_out: Path | None
) -> dict[str, Any]:
    """Restore one picture, write what was asked for, and return the report about it."""
    from tqdm import tqdm

    from skinpaint import film, io
    from skinpaint.inpainter import Inpainter

    image, extras = io.read(source)
    io.check_target(output, image.dtype, extras, overwrite=args.overwrite)
    if mask_out is not None:
        io.check_target(mask_out, overwrite=args.overwrite)
    if args.film is not None:
        film.check_film(args.film, overwrite=args.overwrite)
    mask, missing = what_is_missing(args, source, image, extras, mask_file)

    recorder = film.Recorder() if args.film is not None else None
    inpainter = Inpainter(
        chosen,
        channel_axis=-1 if image.ndim == 3 else None,
        missing_values=missing,
        bounds=args.bounds,
        grow=args.grow,
        max_distance=args.max_distance,
        progress=not args.quiet and not args.input.is_dir() and sys.stderr.isatty(),
    )
    began = perf_counter()
    with plain_warnings(f"{source}: ") as warned:
        restored = inpainter.fit_restore(image, mask, callback=recorder)
    seconds = perf_counter() - began
    filled = inpainter.mask_
    if mask_file is None and args.missing == "auto" and inpainter.solution_.reason is Reason.NOTHING_MISSING:
        raise ValueError(
            f"{source}: no damage was found, and nothing was written. {inpainter.solution_.status} Give a mask that is "
            "bright where pixels are missing (--mask FILE), or say what is missing (--missing saturated|NUMBER)."
        )

    if args.missing == "transparent" and extras.alpha is not None:
        extras = extras.opaque_where(extras.alpha == 0)
    io.write(output, restored, extras, overwrite=args.overwrite)
    if mask_out is not None:
        shown = filled if filled.ndim == 2 else filled.any(axis=-1)  # NaN may be in one channel alone
        io.write(mask_out, np.where(shown, 255, 0).astype(np.uint8), overwrite=args.overwrite)
    if recorder is not None:
        last = inpainter.history_[-1] if inpainter.history_ else None
        records = [None, *recorder.records, last]
        titles = ["damaged", *(f"iteration {n}" for n in recorder.iterations), "restored"]
        proofs = [proven_within(None if record is None else record.gap) for record in records]
        captions = [": ".join(filter(None, said)) for said in zip(titles, proofs, strict=True)]
        frames = [image, *recorder.frames, restored]
        film.film(frames, args.film, captions=captions, records=records, overwrite=args.overwrite)
    if not args.quiet:
        status = inpainter.solution_.status
        for said in warned:  # which need not be said twice
            status = status.replace(said, "")
        proof = proven_within(inpainter.solution_.gap)
        proof = f", {proof} of the lowest energy" if proof else ""
        tqdm.write(f"{output}: filled {share(filled)} in {seconds:.1f} s{proof}. {status.strip()}".strip())
    return _report(source, output, chosen, inpainter, seconds)


def _mask_of(source: Path, masks: Path | None) -> Path | None:
    """Return the mask for one picture of a folder: the only one, or the one of that name."""
    if masks is None or not masks.is_dir():
        return masks
    found = sorted(path for path in masks.iterdir() if path.stem == source.stem)
    if len(found) != 1:
        raise ValueError(f"the folder {masks} holds {len(found)} masks named {source.stem}, where it must hold one.")
    return found[0]


def _report(source: Path, output: Path, chosen: Any, inpainter: Any, seconds: float) -> dict[str, Any]:
    from skinpaint import __version__

    solution, filled = inpainter.solution_, inpainter.mask_
    return {
        "input": str(source),
        "output": str(output),
        "method": type(chosen).__name__,
        "settings": {field.name: getattr(chosen, field.name) for field in dataclasses.fields(chosen)},
        "missing": int(filled.sum()),
        "fraction": float(filled.mean()),
        "status": solution.status,
        "reason": solution.reason.value,
        "converged": bool(solution.converged),
        "n_iter": int(solution.n_iter),
        "energy": _finite(solution.energy),
        "gap": _finite(solution.gap),
        "residual": _finite(solution.residual),
        "error": _finite(solution.error),
        "seconds": round(seconds, 3),
        "version": __version__,
    }


def _finite(number: float | None) -> float | None:
    """Return a number that JSON knows."""
    return None if number is None or not math.isfinite(number) else float(number)


def _write_report(args: argparse.Namespace, report: Any) -> None:
    if args.report is None:
        return
    from skinpaint.io import whole_file

    with whole_file(args.report, overwrite=args.overwrite) as partial:
        partial.write_text(json.dumps(report, indent=2, default=repr) + "\n", encoding="utf-8")
