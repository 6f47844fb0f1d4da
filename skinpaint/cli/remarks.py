"""What is said about the restoration of a file, beside the count of what was filled."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skinpaint.cli.common import in_options
from skinpaint.cli.frames import named_axes
from skinpaint.solution import Solution, proven_within
from skinpaint.wording import as_sentence

if TYPE_CHECKING:
    from skinpaint.io import Extras

__all__ = [
    "equal_to_nodata",
    "hidden_by_alpha",
    "how_written",
    "in_lines",
    "proof_of",
    "several",
    "status_of",
    "what_was_taken",
]


def what_was_taken(args: argparse.Namespace, mask_file: Path | None, missing: Any, extras: Extras) -> Iterator[str]:
    """What was taken for missing without being named by the user, and what was chosen or converted."""
    yield extras.about
    if mask_file is None or mask_file.name not in extras.hint:  # else it is the one that the hint is about
        yield extras.hint
    found = [f"the mask {mask_file.name}"] if mask_file is not None and mask_file != args.mask else []
    found += ["the file's own mask"] if extras.missing is not None and args.missing is not None else []
    if extras.nodata and missing == extras.nodata:
        found.append(f"the file's nodata value {', '.join(f'{value:.17g}' for value in extras.nodata)}")
    if found:
        yield f"took {' and '.join(found)} for missing"


def how_written(
    output: Path, image: np.ndarray, restored: np.ndarray, filled: np.ndarray, marked: np.ndarray, extras: Extras
) -> Iterator[str]:
    """What the file that was written does not show as it should; `marked` was `filled` in any channel."""
    yield equal_to_nodata(restored, filled, extras)
    yield hidden_by_alpha(marked, extras)
    yield _lossy(output, extras.as_seen(image), filled)


def equal_to_nodata(restored: Any, filled: Any, extras: Extras) -> str:
    """How many filled values are nodata values by chance; of arrays in memory or in chunks."""
    count = sum(int(((restored == value) & filled).sum()) for value in extras.nodata)
    return f"{count} filled values equal the file's nodata value, and read as missing" if count else ""


def hidden_by_alpha(marked: Any, extras: Extras) -> str:
    """How many filled pixels alpha hides; of arrays in memory or in chunks."""
    if extras.alpha is None or extras.alpha.shape != marked.shape:
        return ""
    count = int(np.count_nonzero(marked & (extras.alpha == 0)))
    return f"{count} filled pixels are transparent, as before; --missing transparent shows such pixels" if count else ""


def _lossy(output: Path, image: np.ndarray, filled: np.ndarray) -> str:
    """What a JPEG changed, if one was written."""
    from skinpaint import io

    if io.is_lossless(output):
        return ""
    written = io.read(output)[0].astype(int)
    change = np.abs(written - image)[~filled] if written.shape == image.shape else np.zeros(0)
    if not change.size:
        return ""
    return (
        f"JPEG changed {100 * np.count_nonzero(change) / change.size:.0f} % of the known values, by up to "
        f"{change.max()}; write a PNG to keep them"
    )


def in_lines(summary: str, said: Iterable[str]) -> list[str]:
    """The lines for the user: a summary, and below it each remark as a sentence.

    Examples
    --------
    >>> in_lines("a.png: filled.", ["took the mask for missing", ""])
    ['a.png: filled.', '  Took the mask for missing.']
    """
    return [summary, *(f"  {as_sentence(each)}" for each in said if each)]


def several(count: int, extras: Extras, axes: str | None) -> str:
    """How a stack was restored."""
    if count == 1:
        return ""
    hint = "; --axes ZYX restores a volume" if extras.axes in ("QYX", "IYX", "TYX") and axes is None else ""
    return f"{count} frames along {named_axes(extras)}, each on its own{hint}"


def proof_of(solutions: list[Solution]) -> str:
    """The worst proven bound, where there is one of every frame."""
    gaps = [solution.gap for solution in solutions]
    known = [gap for gap in gaps if gap is not None]
    proof = proven_within(max(known)) if known and len(known) == len(gaps) else ""
    return f", {proof} of the lowest energy" if proof else ""


def status_of(solutions: list[Solution], warned: list[str]) -> str:
    """The status of the only frame, or what is common to all; without what was said as a warning."""
    statuses = dict.fromkeys(solution.status for solution in solutions)
    if len(statuses) > 1:
        failed = sum(not solution.converged for solution in solutions)
        return f"{failed} of {len(solutions)} frames did not converge." if failed else ""
    status = next(iter(statuses))
    for said in warned:
        status = status.replace(said, "")
    return in_options(str(status)).strip()
