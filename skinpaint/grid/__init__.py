"""The numerical engine. It sees grids of any dimension; never a dtype, a channel axis or a file."""

from __future__ import annotations

from typing import Any

__all__ = ["check_lags"]


def check_lags(lags: Any, owner: str) -> tuple[int, ...]:
    """The lags as Python's ints, whose products do not overflow; refuses others than (1,) and (1, 2)."""
    if not isinstance(lags, tuple) or lags not in ((1,), (1, 2)):
        raise ValueError(f"The 'lags' parameter of {owner} must be (1,) or (1, 2). Got {lags!r} instead.")
    return tuple(map(int, lags))
