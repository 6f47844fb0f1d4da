"""Blend what was copied into holes with what is around them: one solve for the differences between neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from skinpaint.grid.axes import drop_short_axes, long_axes
from skinpaint.grid.harmonic.multigrid import HarmonicSystem
from skinpaint.grid.jit import KNOWN, UNKNOWN

__all__ = ["blend"]

MAX_CYCLES = 60  # 5 to 20 are usual


def blend(
    values: np.ndarray,
    missing: np.ndarray,
    usable: np.ndarray,
    origin: np.ndarray,
    pull: float | np.ndarray = 0.0,
    tol: float = 1e-4,
) -> np.ndarray:
    r"""Replace copied values by those whose differences are nearest to the differences at the places copied from.

    The values u minimise :math:`\sum_{p, q} (u_q - u_p - g_{pq})^2 + \sum_p \lambda_p (u_p - v_p)^2` over all
    neighbours p and q of which at least one is missing. Here v are the copied values, and :math:`g_{pq}` is the
    difference of these neighbours at the place that p was copied from, or that q was copied from, or the mean of both.

    Parameters
    ----------
    values : ndarray of float, shape (M[, N[, ..., P]], C)
        Known values, and copied ones where they are missing.
    missing, usable : ndarray of bool, shape (M[, N[, ..., P]])
        True where missing, and True where values can be copied from.
    origin : ndarray of int
        For each missing pixel, in C order, the flat index that it was copied from; negative if it was not copied.
    pull : float or ndarray of shape (M[, N[, ..., P]])
        The weight :math:`\lambda`.
    tol : float
        Relative residual of the solve.

    Returns
    -------
    blended : ndarray of float64, shape (n, C)
        The missing pixels, in C order.

    References
    ----------
    P. Perez, M. Gangnet and A. Blake, "Poisson image editing", ACM Trans. Graph. 22 (2003).
    :doi:`10.1145/882262.882269`

    Examples
    --------
    Two steps of 1 are copied into a gap between values that differ by 3. The blended steps are 1, too.

    >>> values = np.array([[4.0], [5.0], [6.0], [7.0], [0.0], [5.0], [6.0], [3.0]])
    >>> missing = np.array([False, False, False, False, False, True, True, False])
    >>> blend(values, missing, ~missing, np.array([1, 2]))[:, 0].round(3)
    array([1., 2.])
    """
    long, hole = long_axes(missing.shape), np.nonzero(missing)
    source = np.arange(missing.size).reshape(missing.shape)
    source[missing] = np.where(origin < 0, source[missing], origin)
    corner = [max(0, int(i.min()) - 1) for i in hole]
    box = tuple(slice(lo, int(i.max()) + 2) for lo, i in zip(corner, hole, strict=True))
    shape = missing[box].shape
    edges = [_edges(values, missing, usable, source, axis, box) for axis in long]
    force = drop_short_axes(np.broadcast_to(pull, missing.shape)[box])
    state = drop_short_axes(np.where(missing[box], UNKNOWN, KNOWN).astype(np.uint8))
    system = HarmonicSystem(state, tuple((k, 1) for k in range(len(long))), (1.0,) * len(long), np.array(force))
    blended = np.empty((len(hole[0]), values.shape[-1]))
    for c in range(values.shape[-1]):
        v = values[box][..., c].astype(float)
        load = np.zeros(shape)
        for (lower, upper), wanted in edges:  # no edge comes twice, so that plain assignment adds each once
            load[lower] -= wanted[:, c]
            load[upper] += wanted[:, c]
        right = system.layout.flatten(drop_short_axes(load) + force * drop_short_axes(v))
        x = system.layout.flatten(drop_short_axes(v))
        system.improve(x, tol=tol, max_iter=MAX_CYCLES, load=right)
        blended[:, c] = system.layout.inner(x)[state == UNKNOWN]
    return blended


def _edges(
    values: np.ndarray, missing: np.ndarray, usable: np.ndarray, source: np.ndarray, axis: int, box: Any
) -> tuple[tuple[Any, Any], np.ndarray]:
    """The edges along an axis with a missing end: their ends within the box, and the differences wanted."""
    holes, places = missing[box], source[box]
    ahead: list[Any] = [slice(None)] * holes.ndim
    behind = list(ahead)
    behind[axis], ahead[axis] = slice(None, -1), slice(1, None)
    lower = np.nonzero(holes[tuple(behind)] | holes[tuple(ahead)])
    upper = tuple(i + (k == axis) for k, i in enumerate(lower))
    stride = int(np.prod(missing.shape[axis + 1 :]))
    rows, good = values.reshape(-1, values.shape[-1]), usable.reshape(-1)
    total, count = np.zeros((len(lower[0]), rows.shape[1])), np.zeros(len(lower[0]))
    for end, back in ((lower, 0), (upper, stride)):
        first = places[end] - back
        inside = holes[end] & (first >= 0) & (first // stride % missing.shape[axis] < missing.shape[axis] - 1)
        first = np.where(inside, first, 0)
        second = np.where(inside, first + stride, 0)
        valid = inside & good[first] & good[second]
        total[valid] += (rows[second].astype(float) - rows[first])[valid]
        count += valid
    at = tuple(i + s.start for i, s in zip(lower, box, strict=True))
    next_to = tuple(i + (k == axis) for k, i in enumerate(at))
    plain = count == 0
    total[plain] = (values[next_to].astype(float) - values[at])[plain]
    return (lower, upper), total / np.maximum(count, 1)[:, None]
