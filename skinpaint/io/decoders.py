"""What decoders say by the way: collected, so that it is neither printed in the middle of something nor lost."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skinpaint.io.extras import MetadataWarning
from skinpaint.solution import warn

__all__ = ["one_line", "remarks", "warnings_of"]

LOGGERS = ("tifffile", "PIL")
MAX_REMARKS = 3
HARMLESS = "parsing GDAL_NODATA tag raised"  # tifffile rounds the usual -3.4028234663852886e+38 up, out of float32


def one_line(said: object) -> str:
    """What a decoder says, on one line and without a full stop.

    Examples
    --------
    >>> one_line(ValueError("Header is damaged.   It has no end."))
    'Header is damaged. It has no end'
    """
    return " ".join(str(said).split()).rstrip(".")


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if HARMLESS not in record.getMessage():
            self.records.append(record.getMessage())


@contextmanager
def remarks() -> Iterator[list[str]]:
    """Collect what decoders warn of and log; the list is filled at the end, with one line for each remark.

    Examples
    --------
    >>> with remarks() as said:
    ...     warnings.warn("Corrupt EXIF data.  Expecting to read 4 bytes.")
    >>> said
    ['Corrupt EXIF data. Expecting to read 4 bytes']
    """
    collector, said = _Collector(), list[str]()
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(collector)
        logger.propagate = False
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield said
    finally:
        for logger, propagated in zip(loggers, before, strict=True):
            logger.removeHandler(collector)
            logger.propagate = propagated
    found = [one_line(each) for each in (*(each.message for each in warned), *collector.records)]
    said += list(dict.fromkeys(found))[:MAX_REMARKS]


@contextmanager
def warnings_of(path: Path) -> Iterator[None]:
    """Warn of a file that was read, if decoders have found fault with it, once."""
    with remarks() as said:
        yield
    if said:
        warn(f"{path} is damaged, or unusual: {'; '.join(said)}.", MetadataWarning)
