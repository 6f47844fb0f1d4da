"""Numbers that are found in arrays, in one pass where these are in chunks."""

from __future__ import annotations

from typing import Any

__all__ = ["at_once"]


def at_once(*values: Any) -> tuple[Any, ...]:
    """These values; those of dask are computed together, so that each chunk is read once."""
    if not any(hasattr(each, "__dask_graph__") for each in values):
        return values
    from dask.base import compute

    found: tuple[Any, ...] = compute(*values)
    return found
