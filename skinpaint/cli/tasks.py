"""Which files to restore, where each answer goes, and where its mask is."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path

from skinpaint.io import CODECS, READABLE, is_lossless
from skinpaint.io.mask import INSIDE

__all__ = ["Task", "beside", "find_tasks", "mask_files", "mask_of", "pictures", "restored_name"]

MASK_ENDINGS = ("_mask", "-mask")  # of the name of a mask beside its picture
OWN = re.compile(r"\[\w+\]")  # the name of an image inside the file itself
OF_STACKS = {suffix for codec in CODECS if codec.write and codec.stacks for suffix in codec.suffixes}
RESTORED = "-restored"  # the ending of the name of an answer beside its picture


@dataclass(frozen=True)
class Task:
    """One file to restore, and where everything goes."""

    source: Path
    output: Path
    masks: Path | None  # a mask, or a folder of them
    mask_out: Path | None
    alone: bool  # whether it is the only one
    refusal: str = ""  # why it cannot be restored, if that is known before


def find_tasks(
    inputs: Sequence[Path], output: Path | None, masks: Path | None, mask_out: Path | None
) -> tuple[list[Task], list[str]]:
    """Every file to restore, and the names of those that are passed over.

    Raises
    ------
    OSError, ValueError
        If there is no file to restore, or several were to be written to one.

    Examples
    --------
    >>> tasks, _ = find_tasks([Path("photo.jpg")], None, None, None)
    >>> tasks[0].output.name
    'photo-restored.png'
    """
    if masks is not None and not masks.exists() and not any(each.fullmatch(str(masks)) for each in (OWN, INSIDE)):
        raise FileNotFoundError(f"There is no mask {masks}.")
    if len(inputs) == 1 and not inputs[0].is_dir():
        source = inputs[0]
        if output is not None and output.is_dir():
            output = output / restored_name(source, "")
        return [Task(source, output or source.with_name(restored_name(source)), masks, mask_out, alone=True)], []
    for made in (output, mask_out):
        if made is not None and made.is_file():
            raise NotADirectoryError(f"{made} must be a folder, where several files are restored. It is a file.")
    sources, passed_over = pictures(inputs)
    if not sources:
        raise ValueError(f"{inputs[0]} holds no picture whose suffix is one of {', '.join(READABLE)}.")
    tasks, claimed = [], dict[Path, Path]()
    read = {source.resolve() for source, _ in sources}
    drawn = {path.resolve() for path in mask_files(masks, list(read))}
    for source, folder in sources:
        target = output or folder
        answer = source.with_name(restored_name(source)) if target is None else target / restored_name(source, "")
        ending = source.suffix if source.suffix.lower() in OF_STACKS else ".png"
        marked = None if mask_out is None else mask_out / f"{source.stem}{ending}"
        refusal = ""
        for path in filter(None, (answer, marked)):
            place = path.resolve()
            own = path != marked and place == source.resolve()  # by --overwrite
            if marked == answer:
                refusal = f"{path} is for the restored picture already. Give --mask-out another folder."
            elif place in drawn or (place in read and not own):
                option = "--mask-out" if path == marked else "-o"
                refusal = f"{path} is an input, which would be replaced. Give {option} another folder."
            elif (other := claimed.setdefault(path, source)) != source:
                refusal = f"{path} is for {other} already. Restore this one by its name, with -o OUT."
        tasks.append(Task(source, answer, masks, marked, alone=False, refusal=refusal))
    return tasks, passed_over


def beside(sources: Collection[Path], suffixes: Collection[str] = tuple(READABLE)) -> list[Path]:
    """The masks beside pictures, by their names; each folder is listed once."""
    named = {(source.parent, source.stem + ending) for source in sources for ending in MASK_ENDINGS}
    near = (path for folder in {source.parent for source in sources} for path in folder.glob("*mask.*"))
    return sorted(path for path in near if (path.parent, path.stem) in named and path.suffix.lower() in suffixes)


def mask_files(masks: Path | None, sources: Collection[Path]) -> list[Path]:
    """The files of masks that are given, one by one or in a folder; none where they are inside a picture itself."""
    if masks is None:
        return []
    if masks.exists():
        return list(masks.iterdir()) if masks.is_dir() else [masks]
    inside = INSIDE.fullmatch(str(masks))
    if inside is None or Path(inside[1]).resolve() in {source.resolve() for source in sources}:
        return []
    return [Path(inside[1])]


def pictures(inputs: Sequence[Path]) -> tuple[list[tuple[Path, Path | None]], list[str]]:
    """The pictures, each with the folder for its answer if it came in a folder; and the names of other files."""
    found: list[tuple[Path, Path | None]] = []
    passed_over = []
    for given in inputs:
        if not given.is_dir():
            found.append((given, None))
            continue
        named = given if given.name not in ("", "..") else given.resolve()
        answers = named.with_name(f"{named.name}{RESTORED}")
        for path in sorted(path for path in given.iterdir() if not path.name.startswith(".")):
            if path.is_file() and path.suffix.lower() in READABLE:
                found.append((path, answers))
            else:
                what = " (a folder)" if path.is_dir() else "" if path.exists() else " (a link to nothing)"
                passed_over.append(f"{path.name}{what}")
    stems = {source.with_suffix("") for source, _ in found}
    once: dict[str, tuple[Path, Path | None]] = {}
    for source, folder in found:
        once.setdefault(normpath(source.absolute()), (source, folder))
    kept = []
    for source, folder in once.values():
        what = _belongs_to(source, stems, in_folder=folder is not None)
        if what:
            passed_over.append(f"{source.name} ({what})")
        else:
            kept.append((source, folder))
    return kept, passed_over


def _belongs_to(source: Path, stems: set[Path], *, in_folder: bool) -> str:
    """What a file is to another one of those given, by its name: a mask, or an answer of an earlier run."""
    for endings, what in ((MASK_ENDINGS, "a mask"), ((RESTORED,), "restored before")):
        for ending in endings:
            picture = source.with_name(source.stem.removesuffix(ending))
            if source.stem.endswith(ending) and (picture in stems or (in_folder and what == "a mask")):
                return what
    return ""


def restored_name(source: Path, ending: str = RESTORED) -> str:
    """The name of a restored file unless the user gives one: never in a format that would change known pixels."""
    suffix = source.suffix if is_lossless(source) else ".png"
    return f"{source.stem}{ending}{suffix}"


def mask_of(source: Path, masks: Path | None, suffixes: Collection[str] = tuple(READABLE)) -> Path | None:
    """The mask of one picture: the only one, one inside it, the one of its name in a folder, or the one beside it.

    A mask beside it has one of these suffixes.
    """
    if masks is not None and OWN.fullmatch(str(masks)) and not masks.exists():
        return source.with_name(f"{source.name}{masks}")
    if masks is not None and not masks.is_dir():
        return masks
    if masks is None:
        found = beside([source], suffixes)
        if not found:
            return None
    else:
        named = {source.stem, *(source.stem + ending for ending in MASK_ENDINGS)}
        found = sorted(path for path in masks.iterdir() if path.stem in named)
    if len(found) != 1:
        names = f": {', '.join(path.name for path in found)}" if found else ""
        raise ValueError(
            f"the folder {masks or source.parent} holds {len(found)} masks for {source.name}{names}. It must hold one."
        )
    return found[0]
