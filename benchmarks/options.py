"""Arguments of the command lines, checked before anything is measured."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = ["between", "check_names", "folder_to_write", "listed", "pictures", "share", "version"]


def between(least: int, most: int | None = None) -> Callable[[str], int]:
    """A type of arguments: whole numbers, `least` and `most` included."""
    allowed = f"a whole number of {least} or more" if most is None else f"a whole number from {least} to {most}"

    def number(text: str) -> int:
        try:
            found = int(text)
        except ValueError:
            found = least - 1
        if found < least or (most is not None and found > most):
            raise ArgumentTypeError(f"must be {allowed}. Got {text!r} instead.")
        return found

    return number


def share(text: str) -> float:
    """A number between 0 and 1, both excluded."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < 1:
        raise ArgumentTypeError(f"must be a number between 0 and 1. Got {text!r} instead.")
    return found


def listed(text: str) -> list[str]:
    """Names with commas between them."""
    return text.split(",")


def check_names(parser: ArgumentParser, option: str, asked: Iterable[str] | None, known: Iterable[str]) -> None:
    """Refuse names that nobody has, which would be left out in silence."""
    known = list(known)
    if unknown := [name for name in asked or () if name not in known]:
        parser.error(f"argument {option}: must be among {', '.join(known)}. Got {', '.join(unknown)} instead.")


def folder_to_write(text: str) -> Path:
    """A folder for tables, made at once: hours of measuring must not end without one."""
    folder = Path(text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentTypeError(f"must be a folder that can be made. Got {text!r} instead: {error.strerror}.") from None
    return folder


def pictures(text: str) -> Path:
    """A folder that is there."""
    folder = Path(text)
    if not folder.is_dir():
        raise ArgumentTypeError(f"must be a folder with pictures. Got {text!r} instead.")
    return folder


def version(text: str) -> Path:
    """A folder that another version of the package is imported from; without one in it, it would be this one."""
    folder = Path(text)
    if not (folder / "skinpaint" / "__init__.py").is_file():
        raise ArgumentTypeError(f"must be a folder with the package skinpaint in it. Got {text!r} instead.")
    return folder
