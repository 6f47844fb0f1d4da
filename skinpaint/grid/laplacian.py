r"""The graph Laplacian of a grid, restricted to the missing pixels.

Every missing pixel is joined to its neighbours at distance 1 (and 2) along every axis; an edge weighs
:math:`1/h^2`. With unknowns U and known pixels K the minimiser of the squared differences solves

.. math:: L_{UU} x_U = -L_{UK} x_K .

Edges that would leave the image are absent, which is the Neumann condition. The matrix is symmetric and,
as the grid is connected and some pixel is known, positive definite.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

__all__ = ["edges", "laplacian"]


def laplacian(
    mask: np.ndarray, lags: tuple[int, ...], spacing: tuple[float, ...]
) -> tuple[sparse.csc_array, sparse.csr_array]:
    """Build ``L_UU`` and ``L_UK``, unknowns and known pixels numbered in C order.

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
    number = np.where(mask, np.cumsum(mask).reshape(mask.shape), np.cumsum(~mask).reshape(mask.shape)) - 1
    unknowns = int(mask.sum())
    diagonal = np.zeros(unknowns)
    none = np.empty(0, np.intp)
    inner = [(none, none, np.empty(0))]
    outer = [(none, none, np.empty(0))]
    for one, other, weight in edges(mask.shape, lags, spacing):
        for here, there in ((one, other), (other, one)):
            for links, known in ((inner, False), (outer, True)):
                touches = mask[here] & (mask[there] != known)
                rows, columns = number[here][touches], number[there][touches]
                links.append((rows, columns, np.full(rows.size, -weight)))
                diagonal += weight * np.bincount(rows, minlength=unknowns)
    each = np.arange(unknowns)
    inner.append((each, each, diagonal))
    return (
        _assemble(inner, (unknowns, unknowns)).tocsc(),
        _assemble(outer, (unknowns, mask.size - unknowns)).tocsr(),
    )


def edges(
    shape: tuple[int, ...], lags: tuple[int, ...], spacing: tuple[float, ...]
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...], float]]:
    """The two ends of all edges along each axis and lag, as slices, and their weight."""
    for axis, h in enumerate(spacing):
        for lag in lags:
            if shape[axis] > lag:
                ahead = (slice(None),) * axis
                yield (*ahead, slice(None, -lag)), (*ahead, slice(lag, None)), 1 / h**2


def _assemble(parts: list, shape: tuple[int, int]) -> sparse.coo_array:
    rows, columns, entries = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return sparse.coo_array((entries, (rows, columns)), shape=shape)
