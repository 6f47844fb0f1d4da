"""Successive over-relaxation: the harmonic fill of a small image, as exact as an eye can see, in one call of a kernel.

A hole that is `w` pixels wide takes some `w` sweeps, so multigrid is faster on wide ones. But multigrid calls some
hundred kernels, and on a small image the calls take longer than what they compute.

References
----------
D. Young, "Iterative methods for solving partial difference equations of elliptic type", Trans. Amer. Math. Soc. 76
(1954). :doi:`10.1090/S0002-9947-1954-0059635-7`
"""

from __future__ import annotations

from math import log, pi, sin, sqrt

import numpy as np

from skinpaint.grid.harmonic import kernels
from skinpaint.grid.jit import KNOWN, UNKNOWN
from skinpaint.grid.layout import Layout
from skinpaint.grid.threads import share

__all__ = ["relax"]

MIN_MAX_SWEEPS = 100  # and one more for each pixel, at most; some two for each pixel of the width are usual
WORK_PER_PIXEL = 300  # relative to a plain loop


def relax(channels: np.ndarray, missing: np.ndarray, tol: float) -> None:
    """Replace the missing pixels of all channels by their harmonic fill, in place.

    Parameters
    ----------
    channels : ndarray of float32, shape (C, M, N)
        Finite values; what they are where missing does not matter.
    missing : ndarray of bool, shape (M, N)
        True where missing. If all pixels are, or none, nothing is changed.
    tol : float
        Largest error, as estimated, as a fraction of the range of a channel's known values beside the hole.

    Examples
    --------
    >>> channels = np.array([[[0.0, 9.0, 9.0, 3.0]], [[5.0, 9.0, 9.0, 5.0]]], np.float32)
    >>> relax(channels, np.array([[False, True, True, False]]), tol=1e-5)
    >>> channels[:, 0].round(3)
    array([[0., 1., 2., 3.],
           [5., 5., 5., 5.]], dtype=float32)
    """
    if missing.all() or not missing.any():
        return
    rows, columns = (np.flatnonzero(missing.any(axis=axis)) for axis in (1, 0))
    box = tuple(slice(max(i[0] - 1, 0), i[-1] + 2) for i in (rows, columns))
    missing, channels = missing[box], channels[:, *box]
    layout, known = Layout(missing.shape, 1), ~missing
    n = missing.shape[1]
    edges = np.array(layout.strides), np.ones((2, n), np.float32), 0, np.zeros(n, np.float32), 0  # all weigh 1
    state, shares = layout.flatten(missing + np.uint8(KNOWN), np.uint8), layout.zeros()
    layout.run(kernels.diagonal, state, UNKNOWN, True, *edges, shares)
    enough = np.float32(tol) * np.ptp(channels[:, known], axis=1)
    omega = 2 / (1 + sin(pi / (_width(missing) + 1)))
    sweeps = MIN_MAX_SWEEPS + missing.size
    begin = np.where(missing, channels[:, known].mean(axis=1)[:, None, None], channels)
    x = np.stack([layout.flatten(values, np.float32) for values in begin])
    rows, first, last = _spans(missing)
    starts = layout.rows[0][rows] + first
    grid = starts, last + 1 - first, (rows + first) % 2, layout.strides[0]
    args = *grid, shares, layout.flatten(missing, np.float32), np.float32(omega), enough, sweeps, x
    share(kernels.over_relax, 0, len(x), WORK_PER_PIXEL * x.size, *args)
    for channel, values in zip(channels, x, strict=True):
        np.copyto(channel, layout.inner(values), where=missing)


def _spans(missing: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows in which something is missing, and where in each the first and the last missing pixel is.

    Examples
    --------
    >>> _spans(np.array([[0, 0, 0, 0], [0, 1, 0, 1]], bool))
    (array([1]), array([1]), array([3]))
    """
    rows = np.flatnonzero(missing.any(axis=1))
    last = missing.shape[1] - 1 - missing[rows, ::-1].argmax(axis=1)
    return rows, missing[rows].argmax(axis=1), last


def _width(missing: np.ndarray) -> float:
    """About how wide a hole is, in pixels.

    It is the longest run of missing pixels, along the axis where that is shorter. Where few pixels are known, it is the
    width of a strip whose slowest mode decays as that of a plane with so many known points.

    Examples
    --------
    >>> _width(np.array([[0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0]], bool))
    3
    >>> _width(np.array([[0, 0, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]], bool))
    1
    >>> round(_width(np.arange(400).reshape(20, 20) != 190))
    61
    """
    longest = []
    for lines in (missing, missing.T):
        known = np.flatnonzero(~np.pad(lines, ((0, 0), (1, 0))))
        longest.append(int(np.diff(known, append=missing.size + len(lines)).max()) - 1)
    unknowns = np.count_nonzero(missing)
    return max(min(longest), sqrt(pi / 2 * unknowns * log(unknowns) / (missing.size - unknowns)))
