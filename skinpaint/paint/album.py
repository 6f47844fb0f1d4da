"""The pictures that are painted on one after another, and where their results go."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np

from skinpaint.methods.base import Method
from skinpaint.paint.picture import Picture
from skinpaint.paint.session import Session

if TYPE_CHECKING:
    from skinpaint.io import Extras

__all__ = ["Album", "Files", "One", "Source", "What"]

What = Literal["picture", "mask", "report"]


class Album(Protocol):
    """The pictures that are painted on, by their number."""

    @property
    def titles(self) -> Sequence[str]:
        """What the pictures are called."""
        ...

    def open(self, number: int) -> Session:
        """The session of a picture; the same one as long as there is something in it to keep."""
        ...

    def picture(self, number: int) -> Picture:
        """What a picture looks like, without opening it."""
        ...

    def beside(self, number: int) -> Extras:
        """What the file of a picture holds beside it, with the axes of the page."""
        ...

    def targets(self, number: int) -> dict[str, str] | None:
        """The names of the files that can be saved; None where nothing is saved to files."""
        ...

    def save(self, number: int, what: What, *, replace: bool) -> Path:
        """Write the picture, its mask or its report, whole or not at all, and return where."""
        ...

    def blank(self, number: int) -> list[str]:
        """The titles of those pages of a stack of which nothing is known; they are saved as they are."""
        ...

    def unsaved(self) -> list[str]:
        """The titles of pictures with edits that were not saved."""
        ...


class One:
    """One image in memory, which is not saved to a file."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.titles = [session.picture.name or "image"]

    def open(self, number: int) -> Session:
        """The session."""
        return self.session

    def picture(self, number: int) -> Picture:
        """The image."""
        return self.session.picture

    def beside(self, number: int) -> Extras:
        """There is no file."""
        from skinpaint.io import Extras

        return Extras()

    def targets(self, number: int) -> None:
        """Nothing is saved."""

    def save(self, number: int, what: What, *, replace: bool) -> Path:
        """Nothing is saved."""
        raise ValueError("This image is not saved to a file. Take 'restored' and 'mask' in Python.")

    def blank(self, number: int) -> list[str]:
        """There are no pages."""
        return []

    def unsaved(self) -> list[str]:
        """Nothing is lost: the values are in Python."""
        return []


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file, and where its results go.

    Attributes
    ----------
    path, picture, mask, report : Path
        The file that is read, and the files that are written.
    given : Path or None
        A mask to begin with.
    overwrite : bool
        Whether files that exist may be replaced without being asked.
    """

    path: Path
    picture: Path
    mask: Path
    report: Path
    given: Path | None = None
    overwrite: bool = False


class _Opened:
    """A file that was read: its planes are painted on one by one, and saved together."""

    def __init__(self, source: Source, read_mask: Callable[..., np.ndarray | None]) -> None:
        from skinpaint import io

        self.source = source
        self.image, self.extras = io.read(source.path)
        axes = self.extras.axes
        channel = self.extras.channel_axis
        if "Y" not in axes or "X" not in axes:
            raise ValueError(f"{source.path} holds no picture, but an array on the axes {axes}.")
        self.inner = [k for k, letter in enumerate(axes) if letter in "YX" or k == channel]
        self.along = [k for k in range(self.image.ndim) if k not in self.inner]
        self.channel_axis = None if channel is None else self.inner.index(channel)
        self.planes = list(np.ndindex(*(self.image.shape[k] for k in self.along)))
        steps = self.extras.steps
        self.spacing = [steps[letter] for letter in axes if letter in "YX"] if steps else None
        self.missing = read_mask(source, self.image, self.extras)
        io.check_target(source.picture, self.image.dtype, self.extras, overwrite=True, shape=self.image.shape)

    def place(self, plane: tuple[int, ...]) -> tuple[Any, ...]:
        """Where a plane is in the image."""
        at: list[Any] = [slice(None)] * self.image.ndim
        for axis, k in zip(self.along, plane, strict=True):
            at[axis] = k
        return tuple(at)

    def plane_of_mask(self, plane: tuple[int, ...]) -> np.ndarray | None:
        """What is missing in a plane from the start: what was given, and NaN."""
        image = self.image[self.place(plane)]
        if image.dtype.kind != "f" and self.missing is None:
            return None
        missing = np.isnan(image) if image.dtype.kind == "f" else np.zeros(image.shape, bool)
        if self.channel_axis is not None:
            missing = missing.any(axis=self.channel_axis)
        if self.missing is not None:
            missing = missing | self.without_channels(self.missing, plane)
        return missing if missing.any() else None

    def without_channels(self, values: np.ndarray, plane: tuple[int, ...]) -> np.ndarray:
        """A plane of what has one value for all channels."""
        axes = [k for k in range(self.image.ndim) if k != self.extras.channel_axis]
        return values[tuple(plane[self.along.index(k)] if k in self.along else slice(None) for k in axes)]


class Files:
    """Files, and the planes of those that hold stacks.

    Parameters
    ----------
    sources : sequence of Source
        The files; the first is read at once, the others when they are opened.
    method : str or Method
        What they are restored by.
    read_mask : callable
        ``read_mask(source, image, extras)`` gives what is missing from the start, in the shape of the image without its
        channels, or None.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        method: str | Method,
        read_mask: Callable[..., np.ndarray | None] = lambda source, image, extras: None,
    ) -> None:
        self.method = method
        self._read_mask = read_mask
        self._opened: dict[int, _Opened] = {}
        self._sessions: dict[int, Session] = {}
        self._kept: dict[int, tuple[Any, ...]] = {}  # edits and method of pictures that were saved and left
        self._saved: dict[int, tuple[Any, ...]] = {}  # what is in the files: edits, and the method that filled them
        self._written: dict[Path, int] = {}  # files that were written, and the number of the file they are of
        self._places: list[tuple[int, tuple[int, ...]]] = []
        self._lock = RLock()  # pages turn while another is saved
        self.sources = list(sources)
        if len(self.sources) == 1:
            first = self._file(0)
            self._places = [(0, plane) for plane in first.planes]
        else:
            self._places = [(k, ()) for k in range(len(self.sources))]

    @property
    def titles(self) -> list[str]:
        """The name of each file, and of each plane its number."""
        if len(self.sources) > 1 or len(self._places) == 1:
            return [source.path.name for source in self.sources]
        return [f"{self.sources[0].path.name}, {k + 1} of {len(self._places)}" for k in range(len(self._places))]

    def open(self, number: int) -> Session:
        """The session of a picture. Files that were left without an edit, or saved, are read again."""
        with self._lock:
            if number not in self._sessions:
                self._leave()
            return self._session(number)

    def _session(self, number: int) -> Session:
        if number not in self._sessions:
            index, plane = self._places[number]
            file = self._file(index)
            if len(self.sources) > 1 and len(file.planes) > 1:
                self._opened.pop(index)
                raise ValueError(f"{file.source.path} holds a stack. Open it alone: skinpaint paint {file.source.path}")
            plane = plane or file.planes[0]
            session = Session(
                file.image[file.place(plane)],
                channel_axis=file.channel_axis,
                method=self.method,
                spacing=file.spacing,
                mask=file.plane_of_mask(plane),
                icc_profile=file.extras.icc_profile,
                black=file.extras.black,
                name=self.titles[number],
            )
            if number in self._kept:
                edits, method, name = self._kept.pop(number)
                session.renew(edits)  # which include the mask that it began with
                session.choose(method, name)
            self._saved.setdefault(number, session.state)
            self._sessions[number] = session
        return self._sessions[number]

    def picture(self, number: int) -> Picture:
        """What a picture looks like; a file that is read for it is let go again."""
        with self._lock:
            if number in self._sessions:
                return self._sessions[number].picture
            index, plane = self._places[number]
            file = self._opened.get(index) or _Opened(self.sources[index], self._read_mask)
        plane = plane or file.planes[0]
        image, extras = file.image[file.place(plane)], file.extras
        channels = image if file.channel_axis is None else np.moveaxis(image, file.channel_axis, -1)
        missing = file.plane_of_mask(plane)
        return Picture(channels, icc_profile=extras.icc_profile, black=extras.black, missing=missing)

    def beside(self, number: int) -> Extras:
        """What the file of a picture holds beside it, with the alpha and the axes of this page alone, channels last."""
        with self._lock:
            index, plane = self._places[number]
            file = self._file(index)
        alpha: Any = file.extras.alpha
        if alpha is not None:
            alpha = file.without_channels(alpha, plane or file.planes[0])
        letters = [file.extras.axes[k] for k in file.inner]
        axes = "".join(sorted(letters, key=lambda letter: letter not in "YX"))
        return replace(file.extras, alpha=alpha, axes=axes, stated=axes if file.extras.stated else "")

    def targets(self, number: int) -> dict[str, str]:
        """The names of the files that can be saved."""
        index = self._places[number][0]
        return {what: self._target(index, what).name for what in get_args(What)}

    def save(self, number: int, what: What, *, replace: bool) -> Path:
        """Write the picture, its mask or its report, whole or not at all, and return where.

        Raises
        ------
        FileExistsError
            If the file exists, and it was not said that it may be replaced; of a file that was written for another
            picture, by `replace`.
        """
        with self._lock:
            path = self._save(number, what, replace)
            self._written[path] = self._places[number][0]
            return path

    def _save(self, number: int, what: What, replace: bool) -> Path:
        from skinpaint import io

        index = self._places[number][0]
        source, file = self.sources[index], self._file(index)
        target = self._target(index, what)
        overwrite = replace or (source.overwrite and self._written.get(target, index) == index)
        io.check_place(target, overwrite=overwrite)
        self._session(number)  # it may have been left between the order and its turn
        planes = {k: plane or file.planes[0] for k, (of, plane) in enumerate(self._places) if of == index}
        masks = {k: self._sessions[k].mask if k in self._sessions else file.plane_of_mask(planes[k]) for k in planes}
        if what != "mask":
            for k, mask in masks.items():  # what is missing from the start is restored on pages that nobody turned to
                if mask is not None and not mask.all():
                    self._session(k)
        if what == "report":
            for k, mask in masks.items():  # it holds what the method says of each region
                if k in self._sessions and (mask is None or not mask.all()):
                    self._sessions[k].finished()
            report = json.dumps(self._report(index, [k for k in planes if k in self._sessions]), indent=2) + "\n"
            with io.whole_file(target, overwrite=overwrite) as partial:
                partial.write_text(report, encoding="utf-8")
            return target
        kept = [k for k in range(file.image.ndim) if k != file.extras.channel_axis]
        missing = np.zeros([file.image.shape[k] for k in kept], bool)
        out = file.image.copy() if what == "picture" else missing
        saved = {}
        for k, mask in masks.items():
            at = file.place(planes[k])
            blank = len(planes) > 1 and mask is not None and mask.all()
            if what == "picture" and k in self._sessions and not blank:
                out[at], mask, saved[k] = self._sessions[k].finished()
            if mask is not None and not (what == "picture" and blank):
                missing[tuple(at[axis] for axis in kept)] = mask
        if what == "picture":
            io.write(target, out, file.extras.shown_where(missing).known_where(missing), overwrite=overwrite)
            self._saved.update(saved)
        elif not missing.any():
            raise ValueError(
                f"Nothing is painted, and a mask that marks nothing is not saved. If {target.name} exists, remove it."
            )
        else:
            marked = np.where(missing, 255, 0).astype(np.uint8)
            axes = "".join(file.extras.axes[k] for k in kept)
            io.write(target, marked, io.Extras(axes=axes), overwrite=overwrite)
        return target

    def blank(self, number: int) -> list[str]:
        """The titles of those pages of a stack of which nothing is known; they are saved as they are."""
        with self._lock:
            index = self._places[number][0]
            return [self.titles[k] for k, place in enumerate(self._places) if place[0] == index and self._is_blank(k)]

    def _is_blank(self, number: int) -> bool:
        index, plane = self._places[number]
        if not plane:
            return False  # a picture alone: there is nothing to save
        session = self._sessions.get(number)
        mask = self._file(index).plane_of_mask(plane) if session is None else session.mask
        return mask is not None and bool(mask.all())

    def unsaved(self) -> list[str]:
        """The titles of pictures with edits that are not in their files."""
        return [self.titles[k] for k, session in sorted(self._sessions.items()) if session.state != self._saved.get(k)]

    def _target(self, index: int, what: What) -> Path:
        """Where something is saved; the mask of a stack is a TIFF."""
        source = self.sources[index]
        mask = source.mask if len(self._file(index).planes) == 1 else source.mask.with_suffix(".tif")
        return {"picture": source.picture, "mask": mask, "report": source.report}[what]

    def _file(self, index: int) -> _Opened:
        if index not in self._opened:
            self._opened[index] = _Opened(self.sources[index], self._read_mask)
        return self._opened[index]

    def _leave(self) -> None:
        """Let go of the pixels of other files whose edits are saved; the edits are kept.

        A file that was replaced by its own result is kept, too: what is known under the paint is nowhere else.
        """
        if len(self.sources) == 1:
            return
        for k, session in list(self._sessions.items()):
            source = self.sources[self._places[k][0]]
            if session.painting:  # a stroke becomes an edit when the page has turned
                continue
            if session.state == self._saved.get(k) and source.picture.resolve() != source.path.resolve():
                self._kept[k] = session.data(), session.method, session.method_name
                del self._sessions[k]
                self._opened.pop(k, None)

    def _report(self, index: int, numbers: Sequence[int]) -> dict[str, Any]:
        """What was done to a file, as JSON knows it."""
        from skinpaint import __version__

        source = self.sources[index]
        return {
            "input": str(source.path),
            "output": str(source.picture),
            "version": __version__,
            "pictures": [
                {
                    "picture": self.titles[k],
                    "method": self._sessions[k].method_name,
                    "settings": _settings(self._sessions[k].method),
                    "spacing": self._sessions[k].spacing,
                    "missing": self._sessions[k].missing,
                    "fraction": self._sessions[k].missing / math.prod(self._sessions[k].shape),
                    "regions": _regions(self._sessions[k]),
                    "edits": self._sessions[k].data(),
                }
                for k in numbers
            ],
        }


def _settings(method: Method) -> dict[str, Any]:
    values = {field.name: getattr(method, field.name) for field in dataclasses.fields(method)}  # type: ignore[arg-type]
    return {
        name: value if isinstance(value, int | float | str | None) else repr(value) for name, value in values.items()
    }


def _regions(session: Session) -> list[dict[str, Any]]:
    """What the method said of each window in which something is missing."""
    if session.missing == math.prod(session.shape):
        return []  # nothing is known, and nothing filled
    return [
        {
            "rows": [filled.box.top, filled.box.bottom],
            "columns": [filled.box.left, filled.box.right],
            "method": filled.method,
            "status": filled.solution.status,
            "converged": bool(filled.solution.converged),
            "seconds": round(filled.seconds, 3),
            **{name: _finite(getattr(filled.solution, name)) for name in ("energy", "gap", "residual", "error")},
        }
        for filled in session.reports.values()
        if session.mask_in(filled.box).any()
    ]


def _finite(number: float | None) -> float | None:
    return None if number is None or not math.isfinite(number) else float(number)
