"""A grid as rows along its last axis, which follow one another in memory."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["rows_of"]


def rows_of(x: np.ndarray, spacing: tuple[float, ...]) -> tuple[int, int, int, np.ndarray, np.ndarray]:
    """The number of rows of `x`, their width and channels, and the length and row stride of each leading axis.

    Examples
    --------
    >>> rows_of(np.zeros((4, 5, 6, 3)), (1.0, 1.0, 1.0))
    (20, 18, 3, array([4, 5]), array([5, 1]))
    """
    d = len(spacing)
    channels = math.prod(x.shape[d:])
    counts = x.shape[: d - 1]
    steps = [math.prod(counts[k + 1 :]) for k in range(d - 1)]
    return math.prod(counts), x.shape[d - 1] * channels, channels, np.array(counts, int), np.array(steps, int)
