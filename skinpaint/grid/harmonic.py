"""The harmonic fill as a start for methods that improve on it."""

from __future__ import annotations

import numpy as np

from skinpaint.grid.holes import cut_out
from skinpaint.grid.multigrid import System

__all__ = ["fill"]

MAX_ITER = 100  # far more cycles than are ever needed


def fill(values: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...], *, tol: float = 1e-4) -> np.ndarray:
    """Fill what is missing with the mean of its neighbours, all of them at once.

    Parameters
    ----------
    values : ndarray of shape (M[, N[, ..., P]], C)
        Known values, channels last; what is missing holds a first guess.
    mask : ndarray of bool, of the shape of `values`, or (M[, N[, ..., P]], 1)
        True where missing; each channel has at least one known pixel.
    spacing : tuple of float
        Distance between neighbours along each spatial axis.
    tol : float
        Relative residual to stop at.

    Returns
    -------
    filled : ndarray of float64
        A new array.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint.grid.harmonic import fill
    >>> ramp = np.array([[0.0], [0.5], [0.5], [3.0]])
    >>> fill(ramp, np.array([[False], [True], [True], [False]]), (1.0,), tol=1e-9)[:, 0].round(6)
    array([0., 1., 2., 3.])
    """
    filled = values.astype(float)
    long = [axis for axis, n in enumerate(values.shape[:-1]) if n > 1]  # others have no edges
    shape = [values.shape[axis] for axis in long]
    stiffest = min((spacing[axis] for axis in long), default=1.0)
    terms = tuple((k, 1) for k in range(len(long)))
    weights = tuple((stiffest / spacing[axis]) ** 2 for axis in long)
    for m in range(mask.shape[-1]):
        if not mask[..., m].any():
            continue
        channels = range(values.shape[-1]) if mask.shape[-1] == 1 else [m]
        for sheet in cut_out(mask[..., m].reshape(shape), margin=1):
            system = System(sheet.state, terms, weights)
            for c in channels:
                channel = filled[..., c].reshape(shape)
                solved, _, _ = system.solve(sheet.gather(channel), tol=tol, max_iter=MAX_ITER)
                sheet.scatter(solved, channel)
    return filled
