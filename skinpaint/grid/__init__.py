"""The numerical engine: Laplacians of weighted grids in n dimensions."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["check_lags", "edges"]


def check_lags(lags: object, owner: str) -> None:
    """Refuse lags other than (1,) and (1, 2)."""
    if not isinstance(lags, tuple) or lags not in ((1,), (1, 2)):
        raise ValueError(f"The 'lags' parameter of {owner} must be (1,) or (1, 2). Got {lags!r} instead.")


def edges(
    shape: tuple[int, ...], lags: tuple[int, ...], spacing: tuple[float, ...]
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...], float]]:
    """The two ends of all edges along each axis and lag, as slices, and their weight."""
    for axis, h in enumerate(spacing):
        for lag in lags:
            if shape[axis] > lag:
                ahead = (slice(None),) * axis
                yield (*ahead, slice(None, -lag)), (*ahead, slice(lag, None)), 1 / h**2
