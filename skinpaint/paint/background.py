"""Restoring in the background, with progress and settings as text: what a window needs, without the window."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Generator, Sequence
from threading import Event
from time import perf_counter
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from skinpaint.containers import MAX_UNEVEN
from skinpaint.inpainter import Inpainter
from skinpaint.lengths import in_one_unit
from skinpaint.methods.base import Method

__all__ = ["Progress", "relative", "restored_by_plane", "settings_of", "with_settings"]


@dataclasses.dataclass(frozen=True)
class Progress:
    """What the worker tells on its way: a share from 0 to 1, or None where it is not known, and words."""

    share: float | None
    words: str


def restored_by_plane(
    inpainter: Inpainter, image: np.ndarray, missing: np.ndarray, *, whole: bool, stop: Event
) -> Generator[Progress, None, tuple[np.ndarray, str]]:
    """Restore an image as a whole, or plane by plane.

    Parameters
    ----------
    inpainter : Inpainter
        How.
    image : ndarray of shape (..., M, N) or (..., M, N, C)
        It is not written to.
    missing : ndarray of bool
        Of the shape of the image without its channels.
    whole : bool
        Whether all axes are axes in space; else each plane of the last two is restored on its own.
    stop : Event
        Set to stop.

    Yields
    ------
    progress : Progress

    Returns
    -------
    restored : ndarray
        Of the shape and dtype of the image.
    words : str
        What the method says.

    Examples
    --------
    >>> image = np.arange(8.0).reshape(2, 1, 4)
    >>> missing = image % 4 == 2
    >>> work = restored_by_plane(Inpainter("laplace"), np.where(missing, 0, image), missing, whole=False, stop=Event())
    >>> while True:
    ...     try:
    ...         _ = next(work)
    ...     except StopIteration as end:
    ...         restored, words = end.value
    ...         break
    >>> restored.tolist()
    [[[0.0, 1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0, 7.0]]]
    """
    began = perf_counter()
    out = image.copy()
    planes: list[tuple[int, ...]] = [()]
    if not whole:
        planes = [at for at in np.ndindex(missing.shape[:-2]) if missing[at].any()]
    words = "Nothing is missing."
    for k, at in enumerate(planes):
        if stop.is_set():
            break
        several = len(planes) > 1
        yield Progress(
            k / len(planes) if several else None, f"Plane {k + 1} of {len(planes)}" if several else "Working"
        )
        out[at] = inpainter.fit_restore(image[at], missing[at], callback=lambda record, restore: stop.is_set())
        words = inpainter.solution_.status
    return out, f"{np.count_nonzero(missing):,} filled in {perf_counter() - began:.1f} s. {words}"


def relative(scale: Sequence[float], units: Sequence[object]) -> tuple[float, ...] | None:
    """The spacing of a layer's axes in units of the shortest; None where all are equal.

    Examples
    --------
    >>> relative((4e-9, -1e-9), ("meter", "meter")), relative((0.5, 500), ("micrometer", "nanometer"))
    ((4.0, 1.0), None)
    """
    factors = in_one_unit(units)
    if factors is None:
        raise ValueError(
            f"The units of the layer, {', '.join(map(str, units))}, cannot be compared. Give all its axes in space one."
        )
    lengths = np.abs(np.asarray(scale, float)) * factors
    if not (lengths > 0).all() or lengths.max() <= (1 + MAX_UNEVEN) * lengths.min():
        return None
    return tuple((lengths / lengths.min()).tolist())


def settings_of(method: Method) -> list[tuple[str, str, str]]:
    """The name, the value and the type in words of each setting that can be written in a line.

    Examples
    --------
    >>> from skinpaint import Laplace
    >>> settings_of(Laplace())
    [('lags', '(1,)', 'tuple'), ('solver', 'auto', 'auto, multigrid, direct'), ('tol', '1e-06', 'float'),
     ('noise', 'None', 'NoneType'), ('robust', 'False', 'bool')]
    """
    hints = get_type_hints(type(method))
    found = []
    for field in dataclasses.fields(method):  # type: ignore[arg-type]
        value = getattr(method, field.name)
        if isinstance(value, int | float | str | tuple | None):
            hint = hints[field.name]
            words = ", ".join(map(str, get_args(hint))) if get_origin(hint) is Literal else type(value).__name__
            found.append((field.name, str(value), words))
    return found


def with_settings(method: Method, texts: dict[str, str]) -> Method:
    """A method with settings as they were written.

    Examples
    --------
    >>> from skinpaint import Laplace
    >>> with_settings(Laplace(), {"tol": "1e-4", "solver": "direct"})
    Laplace(lags=(1,), solver='direct', tol=0.0001, noise=None, robust=False)
    """
    values: dict[str, Any] = {}
    for name, text in texts.items():
        if text == str(getattr(method, name)):
            continue
        try:
            values[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError):  # a word
            values[name] = text
    return dataclasses.replace(method, **values)  # type: ignore[type-var]
