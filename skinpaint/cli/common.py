"""What commands share: arguments, the mask, the method, and how to speak to the user."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import functools
import operator
import os
import re
import signal
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from skinpaint.cli.frames import spread
from skinpaint.cli.numbers import integer, number
from skinpaint.inpainter import DEFAULT_METHOD
from skinpaint.io.decoders import one_line
from skinpaint.io.place import check_same_ground
from skinpaint.wording import did_you_mean

__all__ = [
    "USER_ERRORS",
    "Help",
    "Interruption",
    "Status",
    "a_path",
    "add_grow",
    "add_mask_arguments",
    "add_method_arguments",
    "add_overwrite",
    "add_seed",
    "add_spacing",
    "answer_ctrl_c",
    "check_own_files",
    "complain",
    "count_transparent",
    "end_in_order",
    "ended_in_order",
    "in_options",
    "is_watched",
    "method",
    "missing_by",
    "one_picture",
    "plain_warnings",
    "read_chunk",
    "say",
    "sentence",
    "share",
    "without_repetition",
]

USER_ERRORS = (OSError, ValueError, TypeError, MemoryError)
"""What bad files, bad parameters and a lack of memory raise; anything else is a fault of the program and keeps its
traceback."""


class Status(IntEnum):
    """What the process ends with."""

    OK = 0
    SOME_FAILED = 1
    BAD_INPUT = 2
    INTERRUPTED = 130
    TERMINATED = 143


OPTIONS = {
    "pass mask= or missing_values=": "give --mask or --missing",
    "pass mask=, or missing_values='saturated' to fill them": "give --mask, or --missing saturated to fill them",
    "Pass mask= or a number": "Give --mask, or --missing NUMBER",
    "pass ~mask": "give --invert-mask",
    "Pass bounds=(low, high)": "Give --bounds LOW,HIGH",
    "Pass spacing=1 to": "Give --spacing 1 to",
    "max_distance=": "--max-distance ",
    "The 'method' parameter must": "--method must",
    "The 'work' parameter must be a store that is whole": "What an interrupted run left must be whole",
    "a part is lost or damaged. Remove it, or name another one.": "a part is lost or damaged. Remove that folder, and "
    "give the command again.",
    "The 'work' parameter must be a store for": "What an interrupted run left must be of",
    "Remove it, or name another one.": "Remove that folder, or give the same options as then.",
    "call again with the same work=: the": "give the same command again: the",
    "kept there": "kept",
    "The 'bounds' parameter of Inpainter": "--bounds",
    "The 'spacing' parameter of Inpainter": "--spacing",
    "The 'missing_values' parameter of Inpainter": "--missing",
    "The 'truth' parameter of compare must be None for an image of which nothing is missing. Pass a mask that marks "
    "some pixels, or leave 'truth' out.": "--truth needs a picture of which something is missing. Give --mask or "
    "--missing.",
    "The 'truth' parameter of compare": "--truth",
    "pass overwrite=True": "give --overwrite",
    "as their files say": "as their files or --axes say",
    "The 'image' parameter": "The image",
    "Mark them as missing with mask= or set them to NaN": "Give --mask, or --missing inf,-inf",
    "Pass image.compute() if the image": "Save it as a TIFF or NPY and leave --workers out if it",
    "Pass one of these, or image.compute() if the image": "Give one of these, or save it as a TIFF or NPY and leave "
    "--workers out if it",
    "Pass larger chunks, or method='laplace'": "Save it in larger chunks, or give --method laplace",
    "Pass method='laplace'": "Give --method laplace",
    "use Laplace(solver='direct')": "give --set solver=direct",
    "use Biharmonic(solver='direct')": "give --set solver=direct",
}
"""How what the library tells its callers to pass is given on the command line."""

CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # characters that a name of a file may hold, and no line

MAX_ALIKE = 3  # warnings of one class that are shown of a file

MISSING_HELP = """what is missing beyond the mask (default: auto)
auto: NaN, and what the file states, which is a nodata value or a mask of its own; without any of these and --mask, \
black and white grains
saturated: pixels at the lowest or highest value, such as 0 and 255
transparent: pixels of alpha 0; they come back opaque
none: nothing but NaN
NUMBER: a nodata value, such as -9999; or several, such as 0,4095"""


class Help(argparse.HelpFormatter):
    """Help that keeps the lines of a text of several lines."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return [line for part in text.splitlines() for line in super(Help, self)._split_lines(part, width)]


def add_mask_arguments(parser: argparse.ArgumentParser, mask_help: str = "") -> None:
    """Add what says which pixels are missing."""
    parser.add_argument(
        "--mask",
        metavar="FILE",
        type=a_path,
        help="a picture that is bright where pixels are missing, a copy of the picture with strokes on it, or a layer "
        f"of strokes{mask_help}",
    )
    parser.add_argument(
        "--mask-threshold",
        metavar="LEVEL",
        type=number("a number above 0, and of at most 255", lambda level: 0 < level <= 255),
        help="mask pixels this bright or brighter are missing (above 0, up to 255; default: 128)",
    )
    parser.add_argument("--invert-mask", action="store_true", help="the mask is bright where pixels are valid")
    parser.add_argument(
        "--missing",
        metavar="auto|saturated|transparent|none|NUMBER",
        type=_missing,
        default="auto",
        help=MISSING_HELP,
    )


def a_path(text: str) -> Path:
    """An argument that names a file or a folder; the empty one, which a shell makes of an unset variable, does not."""
    if not text:
        raise argparse.ArgumentTypeError("must name a file or a folder. Got '' instead.")
    return Path(text)


def add_grow(parser: argparse.ArgumentParser) -> None:
    """Add --grow: damage is often a pixel or two wider than its mask."""
    parser.add_argument(
        "--grow", metavar="N", type=integer(0), default=0, help="make the mask N pixels wider on all sides (default: 0)"
    )


def add_spacing(parser: argparse.ArgumentParser) -> None:
    """Add --spacing, which goes before what the file says."""
    parser.add_argument(
        "--spacing",
        metavar="H[,H...]",
        type=_spacing,
        help="distance between neighbours along Z, Y and X (default: what the file says, or equal); it hardly "
        "counts for the methods dct and exemplar",
    )


def _spacing(text: str) -> tuple[float, ...]:
    """The argument of --spacing."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(0 < number < float("inf") for number in numbers):
        raise argparse.ArgumentTypeError(f"must be positive numbers, as in 4,1,1. Got {text!r} instead.")
    return numbers


def add_method_arguments(
    parser: argparse.ArgumentParser, help: str = "the method", default: str | None = DEFAULT_METHOD
) -> None:
    """Add the choice of a method and of its settings, which :func:`method` reads; the help names the usual default."""
    parser.add_argument(
        "--method",
        metavar="NAME",
        default=default,
        help=f"{help}, or one of its presets, such as gd:classic (default: {DEFAULT_METHOD})",
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a setting of the method, such as max_iter=500; may be repeated",
    )


def add_overwrite(parser: argparse.ArgumentParser, help: str = "replace files that exist, even the input") -> None:
    """Add the permission to replace files."""
    parser.add_argument("--overwrite", action="store_true", help=help)


def add_seed(parser: argparse.ArgumentParser, help: str) -> None:
    """Add the seed of what is random."""
    parser.add_argument("--seed", type=integer(0), default=0, help=f"{help} (default: %(default)s)")


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _missing(text: str) -> Any:
    """The argument of --missing: a word, a number or several."""
    if text == "none":
        return None
    if text in ("auto", "saturated", "transparent"):
        return text
    try:
        numbers = tuple(_number(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be auto, saturated, transparent, none, a number, or numbers as in 0,4095. Got {text!r} instead."
        ) from None
    return numbers if len(numbers) > 1 else numbers[0]


def missing_by(
    args: argparse.Namespace,
    source: Path,
    image: Any,
    extras: Any,
    mask_file: Path | None,
    read: Callable[..., Any] | None = None,
) -> tuple[Any, Any]:
    """Return the mask, if one was given or the file holds one, and what is missing beyond it.

    A mask is read by the rules of :func:`skinpaint.io.read_mask`, from chunks by `read`.
    """
    masks = [] if args.missing is None or extras.missing is None else [extras.missing]
    if mask_file is not None:
        masks.append(_mask_from(args, source, image, extras, mask_file, read))
    elif args.invert_mask or args.mask_threshold is not None:
        option = "--invert-mask" if args.invert_mask else "--mask-threshold"
        raise ValueError(f"{option} needs a mask, and {source} has none. Give one: --mask FILE.")
    if args.missing == "transparent":
        if extras.alpha is None:
            raise ValueError(f"--missing transparent needs an alpha channel, and {source} has none.")
        masks.append(extras.alpha == 0)
    if len({mask.shape for mask in masks}) > 1:
        masks = [spread(mask, image.shape, extras) for mask in masks]
    mask = functools.reduce(operator.or_, masks) if masks else None
    if args.missing == "transparent":
        return mask, None
    return mask, extras.nodata if args.missing == "auto" and extras.nodata else args.missing


def _mask_from(
    args: argparse.Namespace,
    source: Path,
    image: Any,
    extras: Any,
    mask_file: Path,
    read: Callable[..., Any] | None,
) -> Any:
    from skinpaint.io.mask import by_letters, read_marked

    channel = extras.channel_axis
    is_picture = extras.axes in ("YX", "YXS", "SYX") and (channel is None or image.shape[channel] == 3)
    mask, said = (read or read_marked)(
        mask_file,
        threshold=args.mask_threshold,
        photograph=extras.as_seen(image if channel is None else np.moveaxis(image, channel, -1))
        if is_picture
        else None,
        hidden=None if extras.alpha is None else extras.alpha == 0,
        invert=args.invert_mask,
    )
    if set("YX") <= set(extras.axes):
        height, width = (image.shape[extras.axes.index(letter)] for letter in "YX")
        check_same_ground(mask_file, said.place, source, extras.place, height, width)
    mask = by_letters(mask, said.stated, image.shape, extras)
    plane = tuple(n for axis, n in enumerate(image.shape) if axis != channel)
    if is_picture and mask.shape not in (plane, image.shape):
        has = f"{size(mask)} pixels" if mask.ndim == 2 else f"the shape {mask.shape}"
        raise ValueError(
            f"The mask {mask_file} has {has}, but {source} has {plane[1]} x {plane[0]}. "
            "Draw the mask on a copy of the picture."
        )
    return mask


def check_own_files(
    places: Mapping[str, Path | None], pictures: Iterable[Path | None], masks: Iterable[Path | None] = ()
) -> None:
    """Refuse options of which two name one file, or one names a file that is read.

    Only "-o" may name a picture that is read: whoever asks for it, by --overwrite, has it replaced by the answer.
    """
    named = {option: path.resolve() for option, path in places.items() if path is not None}
    given, drawn = ({path.resolve() for path in paths if path is not None} for paths in (pictures, masks))
    for option, path in named.items():
        twice = [other for other, place in named.items() if place == path and other != option]
        if twice or path in drawn or (path in given and option != "-o"):
            what = f"{twice[0]} as well" if twice else "an input"
            raise ValueError(f"{option} must name a file of its own. Got {places[option]}, which is {what}.")


def one_picture(source: Path, image: np.ndarray, extras: Any) -> None:
    """Refuse stacks and bands, where a command is about one picture."""
    if extras.axes not in ("YX", "YXS") or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(
            f"{source} holds an array of shape {image.shape} on the axes {extras.axes}, where one picture in grey or "
            "RGB is needed. Save one of its frames as a file."
        )


def count_transparent(extras: Any) -> int:
    """Number of pixels of alpha 0."""
    return 0 if extras.alpha is None else int(np.count_nonzero(extras.alpha == 0))


def share(mask: np.ndarray) -> str:
    return f"{mask.sum():,} of {mask.size:,} {'pixels' if mask.ndim == 2 else 'values'} ({100 * mask.mean():.1f} %)"


def size(array: np.ndarray) -> str:
    return f"{array.shape[1]} x {array.shape[0]}"


def in_options(text: str) -> str:
    """A sentence of the library in the words of the command line.

    Examples
    --------
    >>> in_options("Is the mask inverted? If yours means valid, pass ~mask.")
    'Is the mask inverted? If yours means valid, give --invert-mask.'
    >>> in_options("Raise tol or use Laplace(solver='direct').")
    'Raise tol or give --set solver=direct.'
    """
    for passed, given in OPTIONS.items():
        text = text.replace(passed, given)
    return text


def sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        what = in_options(error.strerror.removesuffix("."))
        return f"{error.filename}: {what}." if error.filename else f"{what}."
    if isinstance(error, MemoryError):
        return "more memory is needed than there is. Close other programs, or restore a part of the picture."
    return in_options(str(error))


def without_repetition(where: str, sentence: str) -> str:
    """A sentence about a place, which is named once.

    Examples
    --------
    >>> without_repetition("a.png: ", "a.png exists."), without_repetition("a.png: ", "no damage was found.")
    ('a.png exists.', 'a.png: no damage was found.')
    """
    return sentence if where and sentence.startswith(where.rstrip(": ")) else f"{where}{sentence}"


def is_watched() -> bool:
    """Whether a person sees the error stream, which may be closed."""
    return sys.stderr is not None and sys.stderr.isatty()


def on_one_line(text: str) -> str:
    r"""A line that no name of a file breaks, and in which none steers the terminal.

    Examples
    --------
    >>> print(on_one_line("two\nlines.png: filled 3 pixels."))
    two\nlines.png: filled 3 pixels.
    """
    return CONTROLS.sub(lambda found: repr(found[0])[1:-1], text)


def say(*lines: str) -> None:
    """Write lines to the standard output, past any progress bar. Files are written whether or not they can be read."""
    from tqdm import tqdm

    if sys.stdout is None:
        return
    try:
        tqdm.write("\n".join(map(on_one_line, lines)))
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # the reader has gone
            complain(f"the standard output: {error.strerror}.")
        _close(sys.stdout)


def complain(sentence: str) -> None:
    """Write a line to the standard error stream, past any progress bar. It may be read by nobody, as that of `say`."""
    from tqdm import tqdm

    if sys.stderr is None:
        return
    try:
        tqdm.write(f"skinpaint: {on_one_line(sentence)}", file=sys.stderr)
        sys.stderr.flush()
    except OSError:
        _close(sys.stderr)


def _close(stream: TextIO) -> None:
    """Let a stream that failed lead nowhere; what is left in it would fail again at the end."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def read_chunk(source: Path, read: Callable[[], np.ndarray]) -> np.ndarray:
    """Read a chunk, or say which file it is that is damaged.

    The error has no cause: those of decoders cannot be sent from one process to another.
    """
    try:
        return read()
    except Exception as error:  # decoders raise anything
        if isinstance(error, MemoryError) or getattr(error, "errno", None) is not None:
            raise
        why = one_line(error.__cause__ or error)
    raise ValueError(f"{source} cannot be read: it is damaged ({why}).")


@contextmanager
def plain_warnings(where: str = "") -> Iterator[list[str]]:
    """Print warnings as plain lines; what is yielded collects their sentences."""
    seen: list[str] = []
    counts: Counter[type[Warning]] = Counter()

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        seen.append(str(message))
        counts[category] += 1
        if counts[category] <= MAX_ALIKE:
            complain(f"warning: {without_repetition(where, in_options(str(message)))}")
        elif counts[category] == MAX_ALIKE + 1:
            complain(f"warning: {where}more warnings like this follow; they are not shown.")

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)  # those of this package are made from it
        warnings.showwarning = show
        yield seen


def method(name: str, settings: Sequence[str], *, option: str = "--method") -> Any:
    """Turn ``--method gd:classic --set max_iter=100`` into a method object."""
    from skinpaint.methods import METHODS, names_of, resolve

    base, _, preset = name.partition(":")
    if base not in METHODS:
        raise ValueError(f"{option} must be one of {', '.join(METHODS)}. Got {name!r} instead.")
    if preset and name not in names_of(base):
        known = ", ".join(names_of(base)[1:])
        raise ValueError(f"{option} knows these presets of {base}: {known or 'none'}. Got {name!r} instead.")
    chosen = resolve(name)
    known_settings = [field.name for field in dataclasses.fields(chosen)]  # type: ignore[arg-type]
    values = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or key not in known_settings:
            raise ValueError(
                f"--set must be NAME=VALUE, and for {base} NAME must be one of {', '.join(known_settings)}. "
                f"Got {setting!r} instead.{did_you_mean(key, known_settings)}"
            )
        try:
            values[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):  # a word, such as lines
            values[key] = text
    return dataclasses.replace(chosen, **values)  # type: ignore[type-var]


def answer_ctrl_c(answer: Any) -> Any:
    """Let `answer` be what Ctrl-C calls; what it called before is returned, and given to this function later.

    A thread that is not the main one may not change it, nor what another language has set up. Then None is returned,
    and nothing is done about None.
    """
    is_ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is not None
    return signal.signal(signal.SIGINT, answer) if is_ours and answer is not None else None


def end_in_order(*_: object) -> None:
    """Answer SIGTERM: unwind what is under way."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # where it is swallowed, as by finalizers, a second one ends all
    raise SystemExit(Status.TERMINATED)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Let what asks the process to end (SIGTERM) unwind what is under way, as Ctrl-C does: no half file stays."""
    is_ours = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    if not is_ours or before is not signal.SIG_DFL:  # whoever set another answer wants that one
        yield
        return
    signal.signal(signal.SIGTERM, end_in_order)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Interruption:
    """Remembers Ctrl-C; an iterative method answers it with the best picture so far."""

    def __enter__(self) -> Interruption:
        self.seen = False
        self._before = answer_ctrl_c(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        answer_ctrl_c(self._before)

    def _note(self, *_: object) -> None:
        self.seen = True
        raise KeyboardInterrupt
