"""The store that a run can be resumed from."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import zarr

from skinpaint.dask.blocks import Shelf, damaged

__all__ = ["Work"]

STATE = ("key", "passes", "b", "change", "digest", "finished")


@dataclass
class Work:
    """A zarr store with the values after the last pass that is complete, and the pass before.

    A pass writes beside the values that it reads. So a run that is killed at any time goes on from the last complete
    pass.

    Attributes
    ----------
    path : str
        The folder of the store.
    key : str
        What is solved, beside the image: chunks, settings.
    """

    path: str
    key: str
    passes: int = 0
    b: float = 0.0
    change: float = 0.0  # in the last pass
    finished: bool = False
    digest: int | None = None
    root: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        full = os.path.isdir(self.path) and os.listdir(self.path)
        try:
            self.root = zarr.open_group(self.path, mode="r+" if full else "a")  # a folder of files is left as it is
        except (FileExistsError, FileNotFoundError, NotADirectoryError, ValueError) as error:
            raise ValueError(
                "The 'work' parameter must be the path of a zarr store, or of one that is to be made. "
                f"Got {self.path!r} instead, which is something else. "
                "Name another one."
            ) from error
        state: Any = self.root.attrs.get("skinpaint")
        if state is None and next(iter(self.root.members()), None) is not None:
            raise ValueError(
                f"The 'work' parameter must be a store of its own. Got {self.path!r}, which holds other arrays. "
                "Name another one."
            )
        if state is None:
            self._write()
        elif not isinstance(state, dict) or not state.keys() >= set(STATE):
            raise damaged(self.path)
        elif state["key"] != self.key:
            raise ValueError(
                f"The 'work' parameter must be a store for these chunks and settings. Got {self.path!r}, which holds "
                "the passes of others. Remove it, or name another one."
            )
        else:
            for name in STATE:
                setattr(self, name, state[name])

    @property
    def begun(self) -> bool:
        """Whether there is something to go on from."""
        return self.digest is not None

    def shelf(self, passes: int) -> Shelf:
        """Where the values after so many passes are."""
        return Shelf(self.path, str(passes % 2))

    def begin(self, digest: int) -> None:
        """Note what image it is, or see that it is still the same one."""
        if self.begun and digest != self.digest:
            raise ValueError(
                f"The 'work' parameter must be a store for this image. Got {self.path!r}, which holds the passes of "
                "another image or mask. Remove it, or name another one."
            )
        if not self.begun:
            self.digest = digest
            self._write()

    def complete(self, passes: int, b: float, change: float) -> None:
        """Note that a pass is complete."""
        self.passes, self.b, self.change = passes, b, change
        self._write()

    def finish(self) -> None:
        """Note that it was the last pass."""
        self.finished = True
        self._write()

    def _write(self) -> None:
        self.root.attrs["skinpaint"] = {name: getattr(self, name) for name in STATE}
