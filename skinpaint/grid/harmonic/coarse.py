r"""The coarse grid of the Schwarz method: solve :math:`P^T A P c = P^T r` between hats.

The matrix couples a node to all nodes around it, diagonals included, and is positive semidefinite: where few pixels are
unknown, hats restricted to them depend on one another. Conjugate gradients solve it. They are preconditioned by
multigrid for the matrix that has only edges along the axes and agrees on smooth values: a coupling across a diagonal is
shared by the edges of its rectangle, a positive coupling counts for the diagonal.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from skinpaint.grid.harmonic.multigrid import HarmonicSystem
from skinpaint.grid.hats import Stencil, ends
from skinpaint.grid.jit import OUTSIDE, UNKNOWN

__all__ = ["CoarseSystem"]

MAX_CYCLES = 60
MIN_DIAGONAL = 1e-12  # of the largest: a node with less touches no unknown pixel


class CoarseSystem:
    """A symmetric matrix between nodes, ready to be solved.

    Parameters
    ----------
    stencil : Stencil
        The matrix. A node whose diagonal entry is zero takes no part.
    """

    def __init__(self, stencil: Stencil) -> None:
        centre = min(stencil)  # all other offsets are ahead
        ndim = len(centre)
        self.diagonal = stencil[centre]
        self.couplings = [(*ends(offset), values) for offset, values in stencil.items() if any(offset)]
        active = self.diagonal > MIN_DIAGONAL * self.diagonal.max(initial=0)
        self.empty = not active.any()
        if self.empty:
            return
        rows = self.diagonal.copy()
        weights = [np.zeros(self.diagonal.shape) for _ in range(ndim)]
        for offset, values in stencil.items():
            if not any(offset):
                continue
            low, high = ends(offset)
            rows[low] += values[low]
            rows[high] += values[low]
            if max(map(abs, offset)) == 1:  # couplings to the next node but one are weak
                _share(weights, offset, np.maximum(-values, 0))
        self.system = HarmonicSystem(
            np.where(active, np.uint8(UNKNOWN), np.uint8(OUTSIDE)),
            tuple((axis, 1) for axis in range(ndim)),
            tuple(weights),
            np.where(active, np.maximum(rows, MIN_DIAGONAL * self.diagonal.max()), 0),
        )
        self.active = active

    def apply(self, x: np.ndarray) -> np.ndarray:
        """The product with the matrix."""
        y = self.diagonal * x
        for low, high, values in self.couplings:
            y[low] += values[low] * x[high]
            y[high] += values[low] * x[low]
        return y

    def solve(self, b: np.ndarray, tol: float) -> np.ndarray:
        """The solution, to a relative residual of `tol`, or the best within the cycles that are allowed."""
        x = np.zeros(b.shape)
        if self.empty:
            return x
        r = np.where(self.active, b, 0.0)
        enough = tol**2 * np.vdot(r, r)
        p, zr = np.zeros(b.shape), 0.0
        for _ in range(MAX_CYCLES):
            if np.vdot(r, r) <= enough:
                break
            z = self._precondition(r)
            new = np.vdot(z, r)
            if not 0 < new < np.inf:
                break
            p = z + (new / zr if zr else 0.0) * p
            q = self.apply(p)
            curvature = np.vdot(p, q)
            if not 0 < curvature < np.inf:  # along p the matrix vanishes, as hats depend on one another
                break
            x += new / curvature * p
            r -= new / curvature * q
            zr = new
        return x

    def _precondition(self, r: np.ndarray) -> np.ndarray:
        size = np.abs(r).max()  # single precision has a range of its own
        flat = self.system.layout.flatten(r / size, np.float32)
        self.system.cycle(flat)
        return self.system.layout.inner(flat).astype(float) * size


def _share(weights: list[np.ndarray], offset: tuple[int, ...], values: np.ndarray) -> None:
    """Give each axis that an offset goes along the coupling, in equal parts to the parallel edges between its ends."""
    low, _ = ends(offset)
    axes = [axis for axis, step in enumerate(offset) if step]
    for axis in axes:
        others = [each for each in axes if each != axis]
        for choice in product((0, 1), repeat=len(others)):
            moved = [0] * len(offset)
            if offset[axis] < 0:
                moved[axis] = -1
            for other, go in zip(others, choice, strict=True):
                moved[other] = offset[other] * go
            at = tuple(
                slice(max(-step, 0) + by, n - max(step, 0) + by)
                for step, by, n in zip(offset, moved, values.shape, strict=True)
            )
            weights[axis][at] += values[low] / 2 ** len(others)
