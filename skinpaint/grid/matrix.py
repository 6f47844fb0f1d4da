r"""The graph Laplacian of a grid, restricted to the missing pixels.

Every missing pixel is joined to its neighbours at distance 1 (and 2) along every axis; an edge weighs
:math:`1/h^2`. With unknowns U and known pixels K the minimiser of the squared differences solves

.. math:: L_{UU} x_U = -L_{UK} x_K .

There are no edges beyond the border, which is the Neumann condition. The matrix is symmetric. It is positive definite,
as the grid is connected and at least one pixel is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["edges", "laplacian", "places_of_known"]


def laplacian(
    mask: np.ndarray, lags: tuple[int, ...], spacing: tuple[float, ...]
) -> tuple[sparse.csc_array, sparse.csr_array]:
    """Build ``L_UU`` and ``L_UK``, with the unknown and the known pixels numbered in C order.

    Parameters
    ----------
    mask : ndarray of bool, shape (M[, N[, ..., P]])
        True where missing.
    lags : (1,) or (1, 2)
        Distances between joined pixels.
    spacing : tuple of float
        Distance between neighbours along each axis.

    Returns
    -------
    L_UU : csc_array of shape (U, U)
    L_UK : csr_array of shape (U, K)

    Examples
    --------
    >>> L_UU, L_UK = laplacian(np.array([False, True, True]), (1,), (1.0,))
    >>> L_UU.toarray()
    array([[ 2., -1.],
           [-1.,  1.]])
    >>> L_UK.toarray()
    array([[-1.],
           [ 0.]])
    """
    flat, here = mask.reshape(-1), np.flatnonzero(mask)
    diagonal = np.zeros(here.size)
    none = np.empty(0, np.intp)
    inner = [(none, none, np.empty(0))]
    outer = [(none, none, np.empty(0))]
    for axis, (n, h) in enumerate(zip(mask.shape, spacing, strict=True)):
        stride = prod(mask.shape[axis + 1 :])
        place = here // stride % n
        for step in (sign * lag for lag in lags for sign in (1, -1)):
            rows = np.flatnonzero((place + step >= 0) & (place + step < n))
            there = here[rows] + step * stride
            diagonal[rows] += 1 / h**2
            missing, before = flat[there], np.searchsorted(here, there)
            for links, some, number in ((inner, missing, before), (outer, ~missing, there - before)):
                links.append((rows[some], number[some], np.full(np.count_nonzero(some), -1 / h**2)))
    each = np.arange(here.size)
    inner.append((each, each, diagonal))
    return (
        _assemble(inner, (here.size, here.size)).tocsc(),
        _assemble(outer, (here.size, flat.size - here.size)).tocsr(),
    )


def places_of_known(mask: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Flat indices of the known pixels with these numbers in C order.

    Examples
    --------
    >>> places_of_known(np.array([False, True, True, False]), np.array([1]))
    array([3])
    """
    here = np.flatnonzero(mask)
    return numbers + np.searchsorted(here - np.arange(here.size), numbers, side="right")


def _assemble(parts: list[Any], shape: tuple[int, int]) -> sparse.coo_array:
    rows, columns, entries = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return sparse.coo_array((entries, (rows, columns)), shape=shape)


def edges(
    shape: tuple[int, ...], lags: tuple[int, ...], spacing: tuple[float, ...]
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...], float]]:
    """The two ends of all edges along each axis and lag, as slices, and their weight."""
    for axis, h in enumerate(spacing):
        for lag in lags:
            if shape[axis] > lag:
                ahead = (slice(None),) * axis
                yield (*ahead, slice(None, -lag)), (*ahead, slice(lag, None)), 1 / h**2
