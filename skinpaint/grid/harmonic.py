"""The harmonic fill as a first guess, for methods that improve on it."""

from __future__ import annotations

import numpy as np

from skinpaint.grid.holes import cut_out
from skinpaint.grid.multigrid import System

__all__ = ["fill"]

MAX_ITER = 100  # far more than are ever needed


def fill(values: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...], tol: float = 1e-6) -> np.ndarray:
    """Replace what is missing by its harmonic fill.

    Parameters
    ----------
    values : ndarray of shape (M[, N[, ..., P]], C)
        Known values, and finite ones where they are missing.
    mask : ndarray of bool, of the shape of `values` or with a last axis of length 1
        True where missing.
    spacing : tuple of float
        Distance between pixels along each axis.
    tol : float
        Relative residual.

    Returns
    -------
    filled : ndarray of float64 of the shape of `values`

    Examples
    --------
    >>> values = np.array([[0.0], [0.5], [0.5], [3.0]])
    >>> fill(values, np.array([[False], [True], [True], [False]]), (1.0,))[:, 0].round(6)
    array([0., 1., 2., 3.])
    """
    filled = values.astype(float)
    long = [axis for axis, n in enumerate(mask.shape[:-1]) if n > 1]  # others have no edges
    shape = [mask.shape[axis] for axis in long]
    stiffest = min((spacing[axis] for axis in long), default=1.0)
    terms = tuple((k, 1) for k in range(len(long)))
    weights = tuple((stiffest / spacing[axis]) ** 2 for axis in long)
    for c in range(mask.shape[-1]):
        if not long or not mask[..., c].any():
            continue
        channels = [c] if mask.shape[-1] > 1 else list(range(values.shape[-1]))
        for sheet in cut_out(mask[..., c].reshape(shape), margin=1):
            system = System(sheet.state, terms, weights)
            for each in channels:
                channel = filled[..., each].reshape(shape)
                solved, _, _ = system.solve(sheet.gather(channel), tol=tol, max_iter=MAX_ITER)
                sheet.scatter(solved, channel)
                filled[..., each] = channel.reshape(mask.shape[:-1])
    return filled
