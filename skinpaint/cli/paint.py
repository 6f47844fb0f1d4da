"""Paint over what is damaged.

Open a picture in the browser, paint over what is damaged, and see it restored while the brush moves. The page is served
by this machine to itself alone; nothing leaves it. What is not painted over comes back bit for bit. A folder is a film
strip of its pictures, and so is a stack of its pages.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from skinpaint.cli.common import (
    Interruption,
    Status,
    a_path,
    add_mask_arguments,
    add_method_arguments,
    add_overwrite,
    check_own_files,
    complain,
    method,
    missing_by,
    say,
)
from skinpaint.cli.frames import in_any_channel, spread
from skinpaint.cli.numbers import integer
from skinpaint.cli.tasks import mask_files, mask_of, pictures, restored_name

__all__ = ["HELP", "add_arguments", "run"]

HELP = "paint over what is damaged, in the browser"

SWITCH_INTERVAL = 5e-4  # seconds after which one thread must let in another: the brush waits for several, one by one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("inputs", metavar="IMAGE", type=a_path, nargs="+", help="the picture, several, or a folder")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        type=a_path,
        help="where Save writes the picture, or a folder (default: IMAGE-restored; a PNG where IMAGE is a "
        "JPEG, GIF or HEIC). Beside it, the mask is saved as IMAGE-mask.png, which is found again the next time",
    )
    add_mask_arguments(parser, "; it can be painted on")
    add_method_arguments(parser, "the method to begin with")
    parser.add_argument("--no-browser", action="store_true", help="only print the address, and open no browser")
    parser.add_argument(
        "--port", metavar="N", type=integer(0, 65535), default=0, help="the port (default: one that is free)"
    )
    add_overwrite(parser, "Save replaces files that exist without asking")


def run(args: argparse.Namespace) -> int:
    """Serve the page until it is closed."""
    from skinpaint.paint.album import Files
    from skinpaint.paint.desk import Desk
    from skinpaint.paint.server import Server

    chosen = method(args.method, args.set)
    chosen = chosen if args.set else args.method  # pages show the name
    files = Files(_sources(args), method=chosen, read_mask=lambda *given: _missing(args, *given))
    desk = Desk(files)
    try:
        server = Server(desk, args.port)
    except OSError as error:
        raise OSError(f"--port {args.port} cannot be used: {error.strerror}. Give another one, or none.") from error
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    with Interruption() as interruption:
        try:
            server.start()
            say(f"Paint at {server.address}", "Close the page, or press Ctrl-C, to end.")
            if not args.no_browser:
                import webbrowser

                webbrowser.open(server.launch_address)
            server.wait(complain)
        except KeyboardInterrupt:
            print(file=sys.stderr)
        finally:
            unsaved = files.unsaved()
            server.stop()
            sys.setswitchinterval(before)
    for line in desk.log:
        say(f"Saved {line}.")
    if not desk.log:
        say("Nothing was saved.")
    if unsaved:
        complain(f"not saved: {', '.join(unsaved)}.")
    return Status.INTERRUPTED if interruption.seen else Status.OK


def _sources(args: argparse.Namespace) -> list[Any]:
    """Every file to paint on, and where its results go."""
    from skinpaint.paint.album import Source

    check_own_files({"-o": args.output}, args.inputs, mask_files(args.mask, args.inputs))
    several = len(args.inputs) > 1 or args.inputs[0].is_dir()
    if several and args.output is not None and not args.output.is_dir():
        raise NotADirectoryError(f"{args.output} must be a folder that exists, where several pictures are painted on.")
    sources = []
    for path, _ in pictures(args.inputs)[0] if several else [(args.inputs[0], None)]:
        picture = args.output or path.with_name(restored_name(path))
        if args.output is not None and args.output.is_dir():
            picture = args.output / restored_name(path, "")
        sources.append(
            Source(
                path=path,
                picture=picture,
                mask=picture.with_name(f"{path.stem}-mask.png"),
                report=picture.with_name(f"{picture.stem}-report.json"),
                given=mask_of(path, args.mask),
                overwrite=args.overwrite,
            )
        )
    if not sources:
        raise ValueError(f"{args.inputs[0]} holds no picture.")
    return sources


def _missing(args: argparse.Namespace, source: Any, image: Any, extras: Any) -> Any:
    """What is missing from the start; nothing is guessed, as the user looks at it."""
    import numpy as np

    from skinpaint import masks

    mask, missing = missing_by(args, source.path, image, extras, source.given)
    axis = extras.channel_axis
    if mask is not None:  # a brush paints all channels
        mask = in_any_channel(spread(mask, image.shape, extras), extras)
    if missing in ("auto", None):
        return mask
    array = image[..., None] if axis is None else np.moveaxis(image, axis, -1)
    found = masks.find_missing(array, None, None, missing, None)[0].any(axis=-1)
    return found if mask is None else mask | found
