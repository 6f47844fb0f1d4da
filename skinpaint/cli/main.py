"""Choose the command, and turn what goes wrong into a sentence and a status."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper

from skinpaint.cli.common import USER_ERRORS, Help, Status, complain, ended_in_order, plain_warnings, sentence

__all__ = ["COMMANDS", "main", "parser"]

COMMANDS = {
    "demo": "skinpaint.cli.demo",
    "restore": "skinpaint.cli.restore",
    "paint": "skinpaint.cli.paint",
    "compare": "skinpaint.cli.compare",
    "damage": "skinpaint.cli.damage",
    "warmup": "skinpaint.cli.warmup",
}
"""Where each command is. To add one: a file in this folder with HELP, `add_arguments` and `run`, and a row here."""

NEGATIVE = re.compile(r"-(\d|\.\d|inf)[\d.einf+,-]*", re.IGNORECASE)  # one number or several


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    status : int
        0, or 1 if one or more of several files could not be restored, 2 for bad input, 130 after Ctrl-C.

    Examples
    --------
    >>> from skinpaint.cli import main
    >>> main(["restore", "nowhere.png"])
    2
    """
    args = parser().parse_args(_with_negative_numbers(sys.argv[1:] if argv is None else argv))
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that it cannot print is no reason to stop
    with plain_warnings(), ended_in_order():
        try:
            return int(args.run(args))
        except USER_ERRORS as error:
            complain(f"error: {sentence(error)}")
            return int(Status.BAD_INPUT)
        except KeyboardInterrupt:
            complain("interrupted before there was anything to save.")
            return int(Status.INTERRUPTED)


def _with_negative_numbers(arguments: Sequence[str]) -> list[str]:
    """Join options and negative numbers, most of which argparse takes for options.

    Examples
    --------
    >>> _with_negative_numbers(["dem.tif", "--missing", "-3.4e38", "--bounds", "-1,1"])
    ['dem.tif', '--missing=-3.4e38', '--bounds=-1,1']
    """
    joined: list[str] = []
    coming = iter(arguments)
    for each in coming:
        last = joined[-1] if joined else ""
        if last.startswith("--") and "=" not in last and NEGATIVE.fullmatch(each):
            joined[-1] = f"{last}={each}"
        else:
            joined.append(each)
        if each == "--":  # what comes behind it are no options
            break
    return [*joined, *coming]


def parser() -> argparse.ArgumentParser:
    """The parser of all commands.

    Examples
    --------
    >>> parser().parse_args(["damage", "photo.png", "-o", "damaged.png"]).kind
    'pixels'
    """
    from skinpaint import __version__

    top = argparse.ArgumentParser(prog="skinpaint", description="Restore images whose damaged pixels are known.")
    top.add_argument("--version", action="version", version=f"skinpaint {__version__}")
    commands = top.add_subparsers(required=True, metavar=f"{{{','.join(COMMANDS)}}}")
    for name, place in COMMANDS.items():
        command = import_module(place)
        description = (command.__doc__ or "").partition("\n\n")[2] or None
        each = commands.add_parser(name, help=command.HELP, description=description, formatter_class=Help)
        command.add_arguments(each)
        each.set_defaults(run=command.run)
    return top
