"""Cholesky factors in place of multigrid, for a list of unknowns whose matrix has short rows: small or thin holes.

The factors are in single precision and precondition the method of conjugate gradients, as multigrid does. They are all
but exact, so one or two steps are enough.

References
----------
A. George and J. W.-H. Liu, "Computer Solution of Large Sparse Positive Definite Systems", Prentice-Hall (1981).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skinpaint.grid.harmonic import kernels_factors as kernels
from skinpaint.grid.kernels_envelope import eliminate, substitute
from skinpaint.grid.layout import Stage, vectors
from skinpaint.grid.threads import share

__all__ = ["Factors", "TooWide"]

MAX_MEAN_SQUARE = 800  # of the lengths of the rows; multigrid is faster if they are longer
LEAST_PIVOT = np.float32(1e-6)  # relative to the diagonal


class TooWide(Exception):
    """The factorisation would take longer than multigrid."""


class Factors:
    """The Cholesky factor of the matrix of a list of unknowns, with the vectors that go with it.

    Parameters
    ----------
    level : PointLevel
        The unknowns and their matrix.

    Raises
    ------
    TooWide
        If multigrid is faster.

    Attributes
    ----------
    b, x : ndarray of float32, of the layout of the level
        Right-hand side and solution.
    p, q : ndarray of float32, of the layout of the level
        Two more vectors, for whoever solves.
    """

    name = "direct"  # what a method says that it used

    def __init__(self, level: Any) -> None:
        n, matrix = level.points.unknowns, (level.neighbours, level.inverse)
        number, order = np.full(n + 1, -1, np.int32), np.empty(n, np.int32)
        starts, first = np.empty(n + 1, np.int64), np.empty(n, np.int32)
        max_work = MAX_MEAN_SQUARE * float(n)
        count = kernels.order(*matrix, max_work, number, order, starts, first)
        if count < 0:
            raise TooWide
        self.starts, self.sizes = starts[: count + 1], np.diff(starts[: count + 1])
        self.order, self.first = (each[: starts[count]] for each in (order, first))
        lengths = np.arange(1, self.order.size + 1) - self.first
        work = float(np.square(lengths, dtype=float).sum())
        if work > max_work:
            raise TooWide
        self.ends = np.cumsum(lengths)
        self.entries = np.empty(lengths.sum(), np.float32)
        diagonal = 1 / level.inverse.take(self.order)

        def factorise(lo: int, hi: int) -> None:
            rows = lo, hi, self.starts, self.order, number, self.first, self.ends
            kernels.assemble(*rows, level.neighbours, level.weights, level.inverse, self.entries)
            eliminate(lo, hi, *self._rows, diagonal, LEAST_PIVOT, self.entries)

        share(factorise, 0, count, int(work))
        self.layout = level.layout
        self.b, self.x, self.p, self.q = vectors([level.layout] * 4)

    @property
    def _rows(self) -> tuple[np.ndarray, ...]:
        """The parts, and where their rows lie."""
        return np.arange(self.sizes.size), self.starts, self.sizes, self.first, self.ends

    def descend(self, *before: Stage) -> None:
        """Run the stages that come before a solve."""
        self.layout.sweep(*before)

    def ascend(self, *after: Stage) -> None:
        """Solve, and run the stages that come after."""
        self.cycle()
        self.layout.sweep(*after)

    def insist(self) -> bool:
        """Nothing would make the solution more exact."""
        return False

    def cycle(self) -> None:
        """Write the solution of ``A x = b`` into `x`."""
        b = self.b.take(self.order)[np.newaxis]
        z = np.empty_like(b)
        share(substitute, 0, self.sizes.size, self.entries.size, *self._rows, self.entries, b, z)
        self.x[self.order] = z[0]
