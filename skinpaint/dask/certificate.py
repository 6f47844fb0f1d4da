r"""How far a harmonic fill can be from the exact one, given its residual: the maximum principle.

Let e be the error, r its residual in units in which an edge weighs 1, and w the width of a connected set of missing
pixels along an axis. The function :math:`k (w + 1 - k) / 2` of the place k along that axis has a Laplacian of at least
1 there, and is not negative at the known pixels around it. So :math:`|e| \le \max |r| \cdot (w + 1)^2 / 8`. Where the
set touches one border of the image, it is mirrored there, and the factor is :math:`w (w + 1) / 2`. Where it touches
both, this axis gives no bound.
"""

from __future__ import annotations

import numpy as np

from skinpaint.grid.axes import Box

__all__ = ["error_factor"]


def error_factor(cells: np.ndarray, step: int, shape: tuple[int, ...], spacing: tuple[float, ...], reach: int) -> float:
    """The largest error for a residual of 1, or infinity where there is no bound.

    Parameters
    ----------
    cells : ndarray of bool
        Which squares of `step` pixels, or cubes, miss something. Connected cells hold connected pixels.
    step : int
        Side of a cell.
    shape : tuple of int
        Of the image.
    spacing : tuple of float
        Distance between pixels along each axis.
    reach : int
        Distance of the farthest neighbour.

    Examples
    --------
    >>> cells = np.array([[False, True, False], [False, False, False]])
    >>> error_factor(cells, 1, (2, 3), (1.0, 1.0), 1)
    0.5
    >>> error_factor(np.ones((2, 3), bool), 1, (2, 3), (1.0, 1.0), 1)
    inf
    """
    from scipy.ndimage import find_objects, label  # slow to load

    labels, _ = label(cells, np.ones((3,) * cells.ndim))
    return max((_of_box(box, step, shape, spacing, reach) for box in find_objects(labels)), default=0.0)


def _of_box(box: Box, step: int, shape: tuple[int, ...], spacing: tuple[float, ...], reach: int) -> float:
    """The smallest factor of any axis."""
    factors = [np.inf]
    for part, n, h in zip(box, shape, spacing, strict=True):
        start, stop = part.start * step, min(part.stop * step, n)
        touched = (start < reach) + (stop > n - reach)
        start, stop = (0 if start < reach else start), (n if stop > n - reach else stop)
        width = stop - start + 2 * (reach - 1)  # neighbours beyond the next one are known, too
        if touched < 2:
            factors.append(h**2 * (width * (width + 1) / 2 if touched else (width + 1) ** 2 / 8))
    return float(min(factors))
