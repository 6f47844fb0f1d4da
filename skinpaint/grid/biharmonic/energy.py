"""The energy that a biharmonic fill minimises."""

from __future__ import annotations

import numpy as np

from skinpaint.grid.axes import long_axes
from skinpaint.grid.biharmonic import kernels_energy as kernels
from skinpaint.grid.threads import share

__all__ = ["energies"]


def energies(values: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """The sum of squares of the Laplacian over all pixels, for each channel.

    Parameters
    ----------
    values : ndarray of float64, shape (M[, N[, ..., P]], C), C-contiguous
        An image.
    spacing : tuple of float
        Distance between neighbours along each axis.

    Examples
    --------
    >>> energies(np.array([[0.0], [1.0], [4.0]]), (1.0,))  # the Laplacian is 1, 2 and -3
    array([14.])
    """
    long, channels = long_axes(values.shape[:-1]), values.shape[-1]
    *leading, last = (values.shape[axis] for axis in long)
    weights = np.array([1 / spacing[axis] ** 2 for axis in long])
    rows = values.size // (last * channels)
    sums = np.empty((rows, channels))
    share(
        kernels.squares, 0, rows, values.size, values.reshape(-1), np.array(leading, np.int64), weights,
        last * channels, channels, sums,
    )  # fmt: skip
    return sums.sum(axis=0)
