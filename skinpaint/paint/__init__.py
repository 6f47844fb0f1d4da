"""Paint a mask and see the picture restored: one session behind a page, a notebook and napari."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skinpaint.paint.notebook import widget as widget
    from skinpaint.paint.session import Session as Session

__all__ = ["Session", "widget"]

_PLACES = {"Session": "skinpaint.paint.session", "widget": "skinpaint.paint.notebook"}


def __getattr__(name: str) -> Any:
    """Import public names on first access."""
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'skinpaint.paint' has no attribute {name!r}")
