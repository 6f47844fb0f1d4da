"""Damage a picture in a known way, for trials."""

from __future__ import annotations

import argparse

import numpy as np

from skinpaint.cli.common import (
    Status,
    a_path,
    add_overwrite,
    add_seed,
    check_own_files,
    complain,
    one_picture,
    say,
    share,
)
from skinpaint.cli.numbers import number

__all__ = ["HELP", "add_arguments", "run"]

HELP = "damage a picture, for trials"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    from skinpaint.damage import DAMAGES

    parser.add_argument("input", metavar="IN", type=a_path, help="the picture")
    parser.add_argument("-o", "--output", metavar="OUT", type=a_path, required=True, help="the damaged picture")
    parser.add_argument(
        "--kind", choices=tuple(DAMAGES), default="pixels", help="kind of damage (default: %(default)s)"
    )
    parser.add_argument(
        "--fraction",
        type=number("a number from 0 to 1", lambda fraction: 0 <= fraction <= 1),
        help="share of the pixels, for --kind pixels (default: 0.9)",
    )
    add_seed(parser, "seed of the damage")
    parser.add_argument("--mask-out", metavar="FILE", type=a_path, help="write the mask of the damage, as a picture")
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    """Damage a picture."""
    import inspect

    from skinpaint import io
    from skinpaint.damage import DAMAGES

    image, extras = io.read(args.input)
    one_picture(args.input, image, extras)
    check_own_files({"-o": args.output, "--mask-out": args.mask_out}, [args.input])
    io.check_target(args.output, image.dtype, extras, overwrite=args.overwrite)
    if args.mask_out is not None:
        io.check_target(args.mask_out, overwrite=args.overwrite)
    channel_axis = -1 if image.ndim == 3 else None
    kind = DAMAGES[args.kind]
    offered = {"rng": args.seed} | ({} if args.fraction is None else {"fraction": args.fraction})
    taken = inspect.signature(kind).parameters
    for option, name, given in (("--fraction", "fraction", args.fraction), ("--seed", "rng", args.seed or None)):
        if given is not None and name not in taken:
            raise ValueError(f"{option} is not for --kind {args.kind}, which has none. Leave it out.")
    options = {name: value for name, value in offered.items() if name in taken}
    damaged, mask = kind(image, channel_axis=channel_axis, **options)
    if args.mask_out is not None:
        io.write(args.mask_out, np.where(mask, 255, 0).astype(np.uint8), overwrite=args.overwrite)
    io.write(args.output, damaged, extras, overwrite=args.overwrite)
    if io.FORMATS[args.output.suffix.lower()] == "JPEG":
        complain("warning: JPEG smears the damage over its neighbours. Write PNG for a fair trial.")
    say(f"{args.output}: damaged {share(mask)}.")
    return Status.OK
