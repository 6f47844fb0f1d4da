"""The command line: a file in, a file out."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import json
import math
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from skinpaint.solution import ConvergenceWarning, proven_within

__all__ = ["main"]

USER_ERRORS = (OSError, ValueError, TypeError)
"""What bad files and bad parameters raise; anything else is a fault of the program and keeps its traceback."""

OK, SOME_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    status : int
        0, or 1 if some files of a folder could not be restored, 2 for bad input, 130 after Ctrl-C.

    Examples
    --------
    >>> from skinpaint.cli import main
    >>> main(["restore", "nowhere.png"])
    2
    """
    args = _parser().parse_args(argv)
    with _plain_warnings():
        try:
            return args.command(args)
        except USER_ERRORS as error:
            _complain(f"error: {_sentence(error)}")
            return BAD_INPUT
        except KeyboardInterrupt:
            _complain("interrupted before there was anything to save.")
            return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    from skinpaint import __version__

    parser = argparse.ArgumentParser(prog="skinpaint", description="Restore images whose damaged pixels are known.")
    parser.add_argument("--version", action="version", version=f"skinpaint {__version__}")
    commands = parser.add_subparsers(required=True, metavar="{demo,restore,compare,damage}")

    demo = commands.add_parser("demo", help="destroy nine tenths of a photograph and restore it")
    demo.set_defaults(command=_demo)
    demo.add_argument(
        "--out",
        default="skinpaint-demo",
        metavar="FOLDER",
        help="where the pictures go; the demo's files in it are replaced (default: %(default)s)",
    )
    demo.add_argument("--size", type=int, default=512, help="height and width, 32 to 512 (default: %(default)s)")
    demo.add_argument("--seed", type=int, default=0, help="of the damage (default: %(default)s)")

    restore = commands.add_parser(
        "restore",
        help="restore a picture, or every picture in a folder",
        description="Restore a PNG, JPEG, TIFF or WebP picture of 8 or 16 bits (TIFF also of floats), or every such "
        "picture in a folder. Known pixels come back bit for bit, unless the output is a JPEG; alpha, colour "
        "profile and resolution are carried over.",
    )
    restore.set_defaults(command=_restore)
    restore.add_argument("input", metavar="IN", type=Path, help="the damaged picture, or a folder of them")
    restore.add_argument(
        "-o", "--output", metavar="OUT", type=Path, help="the restored picture or folder (default: IN-restored)"
    )
    restore.add_argument(
        "--mask",
        metavar="FILE",
        type=Path,
        help="a picture that is bright where pixels are missing; for a folder, a folder of masks of the same names "
        "is allowed, too",
    )
    restore.add_argument(
        "--mask-threshold",
        metavar="LEVEL",
        type=float,
        default=128,
        help="darkest grey of the mask that means missing, of 255 (default: %(default)g)",
    )
    restore.add_argument(
        "--missing",
        metavar="auto|saturated|transparent|none|NUMBER",
        type=_missing,
        default="auto",
        help="what is missing beyond the mask. auto: without a mask NaN, or else pixels at the lowest or highest "
        "value; transparent: pixels of alpha 0, which come back opaque; NUMBER: a nodata value (default: auto)",
    )
    restore.add_argument(
        "--method", metavar="NAME", default="gd", help="the method, or one of its presets, as gd:classic (default: gd)"
    )
    restore.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a setting of the method, such as max_iter=500; may be repeated",
    )
    restore.add_argument(
        "--bounds",
        metavar="dtype|LOW,HIGH",
        type=_bounds,
        help="range of the filled pixels (default: that of the known pixels, or what the method states)",
    )
    restore.add_argument(
        "--film", metavar="FILE", type=Path, help="the restoration as an animation: .gif, .webp, .png or .apng"
    )
    restore.add_argument(
        "--mask-out", metavar="FILE", type=Path, help="what was filled, as a black and white picture; or a folder"
    )
    restore.add_argument("--report", metavar="FILE.json", type=Path, help="what was done, as JSON")
    restore.add_argument("--overwrite", action="store_true", help="replace files that exist, even the input")
    restore.add_argument("--quiet", action="store_true", help="print nothing but warnings and errors")

    compare = commands.add_parser(
        "compare",
        help="restore a picture by several methods, and rank them",
        description="Restore a picture by several methods, side by side on one sheet, and rank them: against the "
        "truth, or else by how well they predict known pixels that are hidden from them.",
    )
    compare.set_defaults(command=_compare)
    compare.add_argument("input", metavar="IMAGE", type=Path, help="the damaged picture")
    compare.add_argument("-o", "--output", metavar="SHEET", type=Path, help="the sheet (default: IMAGE-compared.png)")
    compare.add_argument("--mask", metavar="FILE", type=Path, help="a picture that is bright where pixels are missing")
    compare.add_argument(
        "--mask-threshold",
        metavar="LEVEL",
        type=float,
        default=128,
        help="darkest grey of the mask that means missing, of 255 (default: %(default)g)",
    )
    compare.add_argument(
        "--missing",
        metavar="auto|saturated|transparent|none|NUMBER",
        type=_missing,
        default="auto",
        help="what is missing beyond the mask, as for restore (default: auto)",
    )
    compare.add_argument("--truth", metavar="FILE", type=Path, help="the picture as it was before the damage")
    compare.add_argument(
        "--methods",
        metavar="NAME",
        nargs="+",
        help="the methods, or presets of them, as gd:classic; after the other arguments (default: all methods)",
    )
    compare.add_argument("--seed", type=int, default=0, help="of the choice of hidden pixels (default: %(default)s)")
    compare.add_argument("--overwrite", action="store_true", help="replace a sheet that exists")

    damage = commands.add_parser("damage", help="damage a picture, for trials")
    damage.set_defaults(command=_damage)
    damage.add_argument("input", metavar="IN", type=Path, help="the picture")
    damage.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="the damaged picture")
    damage.add_argument("--kind", choices=("pixels", "text", "scratches"), default="pixels", help="(default: pixels)")
    damage.add_argument(
        "--fraction", type=float, default=0.9, help="of the pixels, for --kind pixels (default: %(default)g)"
    )
    damage.add_argument("--seed", type=int, default=0, help="of the randomness (default: %(default)s)")
    damage.add_argument("--mask-out", metavar="FILE", type=Path, help="where it was damaged, as a picture")
    damage.add_argument("--overwrite", action="store_true", help="replace files that exist, even the input")
    return parser


def _missing(text: str) -> float | str | None:
    if text == "none":
        return None
    if text in ("auto", "saturated", "transparent"):
        return text
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be auto, saturated, transparent, none or a number. Got {text!r} instead."
        ) from None


def _bounds(text: str) -> tuple[float, float] | str:
    if text == "dtype":
        return text
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be dtype, or two numbers as in 0,255 (or --bounds=-1,1). Got {text!r} instead."
        ) from None
    return low, high


def _demo(args: argparse.Namespace) -> int:
    from skinpaint.demo import demo

    demo(args.out, size=args.size, seed=args.seed)
    return OK


def _damage(args: argparse.Namespace) -> int:
    from skinpaint import damage, io

    image, extras = io.read(args.input)
    io.check_target(args.output, image.dtype, extras, overwrite=args.overwrite)
    channel_axis = -1 if image.ndim == 3 else None
    if args.kind == "pixels":
        damaged, mask = damage.random_pixels(image, args.fraction, channel_axis=channel_axis, rng=args.seed)
    elif args.kind == "text":
        damaged, mask = damage.text(image, channel_axis=channel_axis)
    else:
        damaged, mask = damage.scratches(image, channel_axis=channel_axis, rng=args.seed)
    if args.mask_out is not None:
        io.write(args.mask_out, np.where(mask, 255, 0).astype(np.uint8), overwrite=args.overwrite)
    io.write(args.output, damaged, extras, overwrite=args.overwrite)
    if io.FORMATS[args.output.suffix.lower()] == "JPEG":
        _complain("warning: JPEG smears the damage over its neighbours. Write PNG for a fair trial.")
    print(f"{args.output}: damaged {_share(mask)}.")
    return OK


def _compare(args: argparse.Namespace) -> int:
    from skinpaint import io
    from skinpaint.comparison import compare
    from skinpaint.methods import METHODS

    names = args.methods or list(METHODS)
    if len(set(names)) < len(names):
        raise ValueError(f"--methods must hold none twice. Got {' '.join(names)!r} instead.")
    methods = {name: _method(name, (), option="--methods") for name in names}
    sheet = args.output or args.input.with_name(f"{args.input.stem}-compared.png")
    image, extras = io.read(args.input)
    io.check_target(sheet, overwrite=args.overwrite)
    mask, missing = _what_is_missing(args, args.input, image, extras, args.mask)
    with _Interruption() as interruption:
        comparison = compare(
            image,
            mask,
            methods,
            truth=None if args.truth is None else io.read(args.truth)[0],
            channel_axis=-1 if image.ndim == 3 else None,
            missing_values=missing,
            rng=args.seed,
            progress=sys.stderr.isatty(),
        )
    print(comparison)
    comparison.save(sheet, overwrite=args.overwrite)
    print(f"{sheet}: the pictures side by side.")
    if interruption.seen:
        _complain("interrupted; the table says which methods did not finish.")
        return INTERRUPTED
    return SOME_FAILED if any(entry.error is not None for entry in comparison.entries) else OK


def _restore(args: argparse.Namespace) -> int:
    method = _method(args.method, args.set)
    if args.report is not None:
        from skinpaint.io import check_place

        check_place(args.report, overwrite=args.overwrite)
    with _Interruption() as interruption:
        if args.input.is_dir():
            return _restore_folder(args, method, interruption)
        output = args.output or args.input.with_stem(f"{args.input.stem}-restored")
        report = _restore_file(args, method, args.input, output, args.mask, args.mask_out)
        _write_report(args, report)
        if interruption.seen:
            _complain(f"interrupted; the answer so far is in {output}.")
            return INTERRUPTED
        return OK


def _restore_folder(args: argparse.Namespace, method: Any, interruption: _Interruption) -> int:
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
            reports.append(_restore_file(args, method, source, folder / source.name, mask, mask_out))
        except USER_ERRORS as error:
            failures.append(f"{source}: {_sentence(error)}")
        if interruption.seen:
            break
    _write_report(args, reports)
    if failures:
        _complain(f"error: {len(failures)} of {len(sources)} pictures could not be restored:")
        for failure in failures:
            _complain(f"  {failure}")
    if interruption.seen:
        _complain(f"interrupted; {len(reports)} of {len(sources)} pictures are in {folder}.")
        return INTERRUPTED
    return SOME_FAILED if failures else OK


def _restore_file(
    args: argparse.Namespace, method: Any, source: Path, output: Path, mask_file: Path | None, mask_out: Path | None
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
    mask, missing = _what_is_missing(args, source, image, extras, mask_file)

    recorder = film.Recorder() if args.film is not None else None
    inpainter = Inpainter(
        method,
        channel_axis=-1 if image.ndim == 3 else None,
        missing_values=missing,
        bounds=args.bounds,
        progress=not args.quiet and not args.input.is_dir() and sys.stderr.isatty(),
    )
    began = perf_counter()
    with _plain_warnings(f"{source}: ") as warned:
        restored = inpainter.fit_restore(image, mask, callback=recorder)
    seconds = perf_counter() - began
    filled = inpainter.mask_

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
        for sentence in warned:  # which need not be said twice
            status = status.replace(sentence, "")
        proof = proven_within(inpainter.solution_.gap)
        proof = f", {proof} of the lowest energy" if proof else ""
        tqdm.write(f"{output}: filled {_share(filled)} in {seconds:.1f} s{proof}. {status.strip()}".strip())
    return _report(source, output, method, inpainter, seconds)


def _what_is_missing(
    args: argparse.Namespace, source: Path, image: np.ndarray, extras: Any, mask_file: Path | None
) -> tuple[np.ndarray | None, float | str | None]:
    """Return the mask, if one was given, and what is missing beyond it."""
    from skinpaint.io import read_mask

    mask = None
    if mask_file is not None:
        mask = read_mask(mask_file, threshold=args.mask_threshold)
        if mask.shape != image.shape[:2]:
            raise ValueError(
                f"The mask {mask_file} has {_size(mask)} pixels, but {source} has {_size(image)}. "
                "Draw the mask on a copy of the picture."
            )
    if args.missing != "transparent":
        return mask, args.missing
    if extras.alpha is None:
        raise ValueError(f"--missing transparent needs an alpha channel, and {source} has none.")
    transparent = extras.alpha == 0
    return transparent if mask is None else mask | transparent, None


def _mask_of(source: Path, masks: Path | None) -> Path | None:
    """Return the mask for one picture of a folder: the only one, or the one of that name."""
    if masks is None or not masks.is_dir():
        return masks
    found = sorted(path for path in masks.iterdir() if path.stem == source.stem)
    if len(found) != 1:
        raise ValueError(f"the folder {masks} holds {len(found)} masks named {source.stem}, where it must hold one.")
    return found[0]


def _method(name: str, settings: Sequence[str], *, option: str = "--method") -> Any:
    """Turn ``--method gd:classic --set max_iter=100`` into a method object."""
    from skinpaint.methods import METHODS, resolve

    base, colon, preset = name.partition(":")
    if base not in METHODS:
        raise ValueError(f"{option} must be one of {', '.join(METHODS)}. Got {name!r} instead.")
    method = resolve(base)
    if colon:
        presets = [key for key, value in inspect.getmembers_static(type(method)) if isinstance(value, classmethod)]
        presets = [key for key in presets if not key.startswith("_")]
        if preset not in presets:
            raise ValueError(
                f"The preset of {option} {base} must be one of {', '.join(presets) or 'none'}. Got {preset!r} instead."
            )
        method = getattr(method, preset)()
    known = [field.name for field in dataclasses.fields(method)]  # type: ignore[arg-type]
    values = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or key not in known:
            raise ValueError(
                f"--set must be NAME=VALUE, and for {base} NAME must be one of {', '.join(known)}. "
                f"Got {setting!r} instead."
            )
        try:
            values[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):  # a word, such as lines
            values[key] = text
    return dataclasses.replace(method, **values)  # type: ignore[type-var]


def _report(source: Path, output: Path, method: Any, inpainter: Any, seconds: float) -> dict[str, Any]:
    from skinpaint import __version__

    solution, filled = inpainter.solution_, inpainter.mask_
    return {
        "input": str(source),
        "output": str(output),
        "method": type(method).__name__,
        "settings": {field.name: getattr(method, field.name) for field in dataclasses.fields(method)},
        "missing": int(filled.sum()),
        "fraction": float(filled.mean()),
        "status": solution.status,
        "converged": bool(solution.converged),
        "n_iter": int(solution.n_iter),
        "energy": _finite(solution.energy),
        "gap": _finite(solution.gap),
        "residual": _finite(solution.residual),
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


def _share(mask: np.ndarray) -> str:
    return f"{mask.sum():,} of {mask.size:,} {'pixels' if mask.ndim == 2 else 'values'} ({mask.mean():.1%})"


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]} x {array.shape[0]}"


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return str(error)


def _complain(sentence: str) -> None:
    """Write a line to the standard error stream, past any progress bar."""
    from tqdm import tqdm

    tqdm.write(f"skinpaint: {sentence}", file=sys.stderr)


@contextmanager
def _plain_warnings(where: str = "") -> Iterator[list[str]]:
    """Print warnings as plain lines; what is yielded collects their sentences."""
    seen: list[str] = []

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        seen.append(str(message))
        _complain(f"warning: {where}{message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", ConvergenceWarning)
        warnings.showwarning = show
        yield seen


class _Interruption:
    """Remembers Ctrl-C, which an iterative method answers with the best picture so far."""

    def __enter__(self) -> _Interruption:
        self.seen = False
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, *_: object) -> None:
        self.seen = True
        raise KeyboardInterrupt
