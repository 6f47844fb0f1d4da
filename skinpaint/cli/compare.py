"""Compare methods.

Restore a picture by several methods, side by side on one sheet, and rank them: against the truth, or else by how well
they predict known pixels that are hidden from them, in the shapes of the missing ones and near them. A picture named
photo_mask beside photo is its mask.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skinpaint.cli.common import (
    Interruption,
    Status,
    a_path,
    add_grow,
    add_mask_arguments,
    add_overwrite,
    add_seed,
    add_spacing,
    check_own_files,
    complain,
    count_transparent,
    in_options,
    is_watched,
    method,
    missing_by,
    one_picture,
    say,
)
from skinpaint.cli.frames import spacing_of
from skinpaint.cli.numbers import number
from skinpaint.cli.remarks import what_was_taken
from skinpaint.cli.tasks import mask_files, mask_of
from skinpaint.wording import as_sentence

if TYPE_CHECKING:
    from skinpaint.containers import Contents

__all__ = ["HELP", "add_arguments", "run"]

HELP = "restore a picture by several methods, and rank them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("input", metavar="IMAGE", type=a_path, help="the damaged picture")
    parser.add_argument("-o", "--output", metavar="SHEET", type=a_path, help="the sheet (default: IMAGE-compared.png)")
    add_mask_arguments(parser)
    add_grow(parser)
    add_spacing(parser)
    parser.add_argument("--truth", metavar="FILE", type=a_path, help="the picture as it was before the damage")
    parser.add_argument(
        "--methods",
        metavar="NAME",
        nargs="+",
        help="the methods, or presets of them, such as gd:classic; put them last (default: all methods)",
    )
    parser.add_argument(
        "--draws",
        metavar="NUMBER|LEAST,MOST",
        type=_draws,
        help="how often known pixels are hidden and predicted, where there is no truth: as often as it takes until one "
        "method is clearly first, within two limits; or a fixed number (default: 3,8)",
    )
    parser.add_argument(
        "--budget",
        metavar="SECONDS",
        type=number("a number of seconds above 0", lambda seconds: seconds > 0),
        help="begin no further draw after this time (default: no limit)",
    )
    parser.add_argument(
        "--std",
        action="store_true",
        help="add a map of the best method's standard deviations to the sheet: where it is sure, and where not",
    )
    add_seed(parser, "seed of the choice of hidden pixels")
    add_overwrite(parser, "replace a sheet that exists")


def _draws(text: str) -> int | tuple[int, ...]:
    """The argument of --draws."""
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 2) or not 1 <= numbers[0] <= numbers[-1]:
        raise argparse.ArgumentTypeError(
            f"must be an integer of at least 1, or two as in 3,8, the smaller first. Got {text!r} instead."
        )
    return numbers[0] if len(numbers) == 1 else numbers


def _truth(path: Path) -> Contents:
    """The picture as it was, with what its file says is missing in it."""
    from skinpaint import io
    from skinpaint.containers import Contents

    image, extras = io.read(path)
    _check_black(path, extras)
    hidden = extras.missing
    if hidden is not None and hidden.ndim < image.ndim:
        hidden = np.broadcast_to(hidden[..., None], image.shape)
    return Contents(array=image, hidden=hidden, nodata=extras.nodata)


def _check_black(path: Path, extras: Any) -> None:
    """Refuse values that are not brightness, where pictures are shown beside each other."""
    if extras.black is not None:
        raise ValueError(
            f"{path} holds values in which 0 is white, and a sheet would show them inverted. "
            "Save it as a picture first, such as a PNG."
        )


def run(args: argparse.Namespace) -> int:
    """Compare methods on one picture."""
    from skinpaint import io
    from skinpaint.comparison import compare
    from skinpaint.methods import METHODS

    if args.truth is not None and (args.draws, args.budget, args.seed) != (None, None, 0):
        raise ValueError("--draws, --budget and --seed are for a comparison without --truth. Leave them out.")
    names = args.methods or list(METHODS)
    if len(set(names)) < len(names):
        raise ValueError(f"--methods must hold none twice. Got {' '.join(names)!r} instead.")
    methods = {name: method(name, (), option="--methods") for name in names}
    sheet = args.output or args.input.with_name(f"{args.input.stem}-compared.png")
    image, extras = io.read(args.input)
    one_picture(args.input, image, extras)
    _check_black(args.input, extras)
    mask_file = mask_of(args.input, args.mask)
    check_own_files({"--output": sheet}, [args.input, args.truth], [mask_file, *mask_files(args.mask, [args.input])])
    io.check_target(sheet, overwrite=args.overwrite)
    mask, missing = missing_by(args, args.input, image, extras, mask_file)
    spacing, spaced = spacing_of(args.spacing, extras)
    with Interruption() as interruption:
        comparison = compare(
            image,
            mask,
            methods,
            truth=None if args.truth is None else _truth(args.truth),
            channel_axis=-1 if image.ndim == 3 else None,
            missing_values=missing,
            spacing=spacing,
            grow=args.grow,
            **({} if args.draws is None else {"draws": args.draws}),
            budget=args.budget,
            rng=args.seed,
            progress=is_watched(),
        )
    say(*in_options(str(comparison)).split("\n"))
    for said in filter(None, [*what_was_taken(args, mask_file, missing, extras), spaced]):
        say(as_sentence(said))
    transparent = count_transparent(extras)
    if transparent and args.missing != "transparent":
        complain(f"{args.input}: {transparent:,} pixels are transparent; --missing transparent takes them as missing.")
    comparison.save(sheet, overwrite=args.overwrite, std=args.std and not interruption.seen)
    say(f"{sheet}: the pictures side by side.")
    if interruption.seen:
        complain("interrupted; the table says which methods did not finish, and how many draws were made.")
        return Status.INTERRUPTED
    return Status.SOME_FAILED if any(entry.error is not None for entry in comparison.entries) else Status.OK
