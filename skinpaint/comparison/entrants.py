"""Who takes part in a comparison, and what each is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from skinpaint.inpainter import Inpainter
from skinpaint.methods import METHODS, resolve
from skinpaint.methods.base import Method
from skinpaint.problem import Bounds

__all__ = ["Entrant", "Entrants", "as_inpainter", "name_of", "named"]

Entrant = str | Method | Inpainter
"""The name of a method, a method with its settings, or an Inpainter with its bounds and spacing as well."""

Entrants = Entrant | Sequence[Entrant] | Mapping[str, Entrant] | None
"""One of them or several; None for all methods of the library."""


def named(entrants: Entrants) -> dict[str, Entrant]:
    """The entrants by the names that they go by."""
    if isinstance(entrants, Mapping):
        pairs = list(entrants.items())
    else:
        several: Iterable[Entrant] = METHODS if entrants is None else [entrants]  # type: ignore[list-item]
        if isinstance(entrants, Iterable) and not isinstance(entrants, str | Method | Inpainter):
            several = entrants
        pairs = [(name_of(entrant), entrant) for entrant in several]
    if not pairs or len(pairs) > len(dict(pairs)):
        raise ValueError(
            "The 'methods' parameter of compare must hold at least one method, and none twice. "
            f"Got {entrants!r} instead. A dict gives them names of your own."
        )
    return dict(pairs)


def name_of(entrant: Entrant) -> str:
    """What to call an entrant: the name of the method, and the settings that are not the default ones.

    Examples
    --------
    >>> from skinpaint import Laplace
    >>> name_of(Laplace(lags=(1, 2)))
    'laplace(lags=(1, 2))'
    """
    if isinstance(entrant, str):
        return entrant
    if isinstance(entrant, Inpainter):
        extra = {key: getattr(entrant, key) for key in ("bounds", "spacing")}
        return ", ".join([name_of(entrant.method), *(f"{k}={v!r}" for k, v in extra.items() if v is not None)])
    method = resolve(entrant)
    target = f"{type(method).__module__}:{type(method).__name__}"
    name = next((name for name, each in METHODS.items() if each == target), type(method).__name__)
    own: dict[str, str] = {}
    for setting in getattr(method, "__dataclass_fields__", {}).values():
        value = getattr(method, setting.name)
        if not np.array_equal(value, setting.default):
            array = f"array of {value.dtype}" if isinstance(value, np.ndarray) else ""
            own[setting.name] = array or getattr(value, "__name__", None) or repr(value)
    return f"{name}({', '.join(f'{key}={value}' for key, value in own.items())})" if own else name


def as_inpainter(
    entrant: Entrant, channel_axis: int | None, bounds: Bounds, spacing: float | Sequence[float] | None
) -> Inpainter:
    """An Inpainter that is told what is missing by a mask alone."""
    if isinstance(entrant, Inpainter):
        kind = type(entrant)
        for name in ("fit", "fit_restore", "transform", "fit_transform"):
            if getattr(kind, name) is not getattr(Inpainter, name):
                raise TypeError(
                    "The 'methods' parameter of compare must hold methods or Inpainters, of which only the method, its "
                    f"bounds and its spacing count. Got a {kind.__name__} with {name} of its own instead. "
                    "Make a method of it: a class made from skinpaint.methods.base.Method."
                )
        return as_inpainter(entrant.method, channel_axis, entrant.bounds, entrant.spacing)
    return Inpainter(resolve(entrant), channel_axis=channel_axis, missing_values=None, bounds=bounds, spacing=spacing)
