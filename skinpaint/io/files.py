"""Files are written whole or not at all, and never replace another unasked."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skinpaint.io.codec import Unreadable, listed
from skinpaint.io.extras import MetadataWarning
from skinpaint.solution import warn

__all__ = ["check_place", "check_size", "whole_file"]

LONGEST_STEM = 40  # characters of the name of a file that the temporary one has, of four bytes at most
SMALL = 2**30  # bytes that any picture may take
BESIDE = (".msk", ".ovr", ".aux.xml")  # ends of the names of files that GDAL reads with a picture
MAX_EXPANSION = 250  # times the bytes of its file that a larger picture may take


def check_size(path: Path, n_bytes: int) -> None:
    """Refuse a picture that takes far more memory than its file suggests: a damaged header, or a bomb.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     check_size(Path(file.name), 10**12)
    Traceback (most recent call last):
        ...
    skinpaint.io.codec.Unreadable: it says that it holds 1,000 GB of pixels in 0 bytes of file. It is ...
    """
    on_disk = path.stat().st_size
    if n_bytes > max(SMALL, MAX_EXPANSION * on_disk):
        raise Unreadable(
            f"it says that it holds {n_bytes / 1e9:,.0f} GB of pixels in {on_disk:,} bytes of file. It is damaged, or "
            "made to fill the memory; if it is neither, save it without compression first."
        )


def check_place(path: str | Path, *, overwrite: bool = False) -> None:
    """Raise now the error about a file's place that writing it would raise later, after the work.

    Parameters
    ----------
    path : str or Path
        The file that is to be written.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    FileNotFoundError
        If its folder does not exist.
    IsADirectoryError
        If it is a folder.
    PermissionError
        If its folder may not be written to.

    Examples
    --------
    >>> from skinpaint.io import check_place
    >>> check_place("nowhere/report.json")
    Traceback (most recent call last):
        ...
    FileNotFoundError: nowhere/report.json cannot be written: the folder nowhere does not exist.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} cannot be written: it is a folder.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists. Choose another name, or pass overwrite=True to replace it.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: the folder {path.parent} does not exist.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{path} cannot be written: the folder {path.parent} may not be written to.")


@contextmanager
def whole_file(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path`; what was written there takes its place if nothing went wrong.

    Parameters
    ----------
    path : str or Path
        The file that is to be written, whole or not at all.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Yields
    ------
    partial : Path
        Where to write; it has the same suffix.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    FileNotFoundError
        If its folder does not exist.

    Warns
    -----
    MetadataWarning
        If files beside it, which programs read with it, are of the picture that was there before.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skinpaint.io import whole_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole_file(Path(folder, "note.txt")) as partial:
    ...         _ = partial.write_text("all of it")
    ...     [path.name for path in Path(folder).iterdir()]
    ['note.txt']
    """
    path = Path(path)
    check_place(path, overwrite=overwrite)
    if path.is_symlink():  # it stays, and what it points to is replaced
        path = path.resolve()
        check_place(path, overwrite=overwrite)
    # a name may be as long as the file system takes, and the start of it tells enough
    partial = path.with_name(f".{path.stem[:LONGEST_STEM]}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield partial
        check_place(path, overwrite=overwrite)  # another program may have written it meanwhile
        if path.exists():
            shutil.copymode(path, partial)
        os.replace(partial, path)
    except OSError as error:
        if error.errno is None or error.filename not in (None, partial, str(partial)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error  # of the file that the user named
    finally:
        partial.unlink(missing_ok=True)
    _warn_of_files_beside(path)


def _warn_of_files_beside(path: Path) -> None:
    """Warn of masks, overviews and metadata of the picture that was there before; they are the user's."""
    stale = [path.name + end for end in BESIDE if os.path.exists(f"{path}{end}")]  # none by a name too long
    if stale:
        warn(
            f"Beside {path} are files of the picture that was there before, and programs read them with it: "
            f"{listed(stale, 'and')}. Remove them, or make them anew.",
            MetadataWarning,
        )
