r"""Conjugate gradients with multigrid as the preconditioner, for weighted Laplacians on grids of any dimension.

The matrix stays in one class on all levels: for each term (an axis and a lag) an edge weight between unknown
neighbours, and a diagonal that also counts the edges to known ones. Coarsening joins blocks of :math:`2^d` entries and
adds up, which is the Galerkin product for piecewise constant interpolation; edges of lag 2 become edges of lag 1.
Such an interpolation makes the coarse matrix too stiff, by 2 for lag 1 and 6/5 for lags (1, 2), so coarse corrections
are stretched. A W-cycle keeps the number of iterations the same for holes of any size.

Cycles run in single precision. They only propose directions; the residual that decides is computed from the definition
in double precision, so any tolerance that double precision can hold is reached.

References
----------
Y. Notay, "An aggregation-based algebraic multigrid method", ETNA 37 (2010), 123-146.
D. Braess, "Towards algebraic multigrid for elliptic problems of second order", Computing 55 (1995).
:doi:`10.1007/BF02238488` (over-correction).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from skinpaint.grid import kernels
from skinpaint.grid.threads import share

__all__ = ["Layout", "Level", "Multigrid", "System"]

DRIFT = 1e-6  # reduction by which the residual of single precision still agrees with that of double
COARSEST = 300  # entries of a level that is solved densely

STRETCH = {1: 1.8, 2: 1.2}  # of a coarse correction, by the largest lag of the level
Weights = tuple[Any, ...]  # of floats or of arrays


@dataclass(frozen=True, eq=False)
class Layout:
    """How a grid lies in a flat padded array.

    Attributes
    ----------
    shape : tuple of int
        Shape of the grid.
    pad : int
        Number of zeros around it.
    """

    shape: tuple[int, ...]
    pad: int

    @cached_property
    def padded(self) -> tuple[int, ...]:
        return tuple(n + 2 * self.pad for n in self.shape)

    @cached_property
    def strides(self) -> tuple[int, ...]:
        return tuple(int(np.prod(self.padded[axis + 1 :])) for axis in range(len(self.shape)))

    @cached_property
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each row starts, and the sum of its leading indices."""
        leading = np.indices(self.shape[:-1]).reshape(len(self.shape) - 1, int(np.prod(self.shape[:-1])))
        starts = sum(((i + self.pad) * s for i, s in zip(leading, self.strides, strict=False)), np.int64(self.pad))
        return np.broadcast_to(starts, leading.shape[1:]).astype(np.int64), leading.sum(axis=0, dtype=np.int64)

    @cached_property
    def size(self) -> int:
        """Number of entries of the grid, without the padding."""
        return int(np.prod(self.shape))

    def zeros(self, dtype: type = np.float32) -> np.ndarray:
        """A flat padded array."""
        return np.zeros(int(np.prod(self.padded)), dtype)

    def inner(self, flat: np.ndarray) -> np.ndarray:
        """The grid inside a flat padded array, as a view."""
        return flat.reshape(self.padded)[(slice(self.pad, -self.pad),) * len(self.shape)]

    def run(self, kernel, *args) -> None:
        """Run a kernel over all rows."""
        starts, _ = self.rows
        share(kernel, starts.size, self.size, starts, self.shape[-1], *args)


@dataclass(eq=False)
class Level:
    """One level of the hierarchy: a matrix, and how it is joined to the coarser one."""

    layout: Layout
    terms: tuple[tuple[int, int], ...]  # axis and lag of each kind of edge
    weights: Weights
    inverse: np.ndarray  # of the diagonal; zero where nothing is unknown

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        return tuple(self.layout.strides[axis] * lag for axis, lag in self.terms)

    @cached_property
    def colours(self) -> int:
        """Entries of one colour are no neighbours: by the sum of indices modulo 2, or 3 where there are lags 2."""
        return 1 + max(lag for _, lag in self.terms)

    @cached_property
    def stretch(self) -> np.float32:
        return np.float32(STRETCH[max(lag for _, lag in self.terms)])

    @cached_property
    def halved(self) -> tuple[int, ...]:
        """For each axis 1 if the next level has half its length, else 0."""
        return tuple(int(n > 1) for n in self.layout.shape)

    @cached_property
    def coarse_layout(self) -> Layout:
        return Layout(tuple((n + h) >> h for n, h in zip(self.layout.shape, self.halved, strict=True)), 1)

    @cached_property
    def family(self) -> tuple[np.ndarray, np.ndarray]:
        """For each coarse row the rows that it is made of (-1 for none), and for each row its coarse one."""
        above = self.coarse_layout.shape[:-1]
        if not above:
            return np.zeros((1, 1), np.int64), np.zeros(1, np.int64)
        leading = np.indices(self.layout.shape[:-1]).reshape(len(above), -1)
        parents = np.ravel_multi_index(tuple(i >> h for i, h in zip(leading, self.halved, strict=False)), above)
        children = np.full((int(np.prod(above)), 2 ** len(above)), -1, np.int64)
        order = np.argsort(parents, kind="stable")
        first = np.searchsorted(parents[order], np.arange(len(children)))
        children[parents[order], np.arange(order.size) - first[parents[order]]] = order
        return children, parents.astype(np.int64)

    def coarsen(self) -> Level:
        """The next level."""
        layout, (children, parents) = self.coarse_layout, self.family
        d = len(layout.shape)
        diagonal, edges = layout.zeros(), np.zeros((d, layout.zeros().size), np.float32)
        reach = np.array(
            [
                (0, lag, axis) if axis == d - 1 else (lag * int(np.prod(self.layout.shape[axis + 1 : -1])), 0, axis)
                for axis, lag in self.terms
            ]
        )
        starts, _ = self.layout.rows
        coarse_starts, _ = layout.rows
        share(
            kernels.coarsen, coarse_starts.size, self.layout.size, starts, self.layout.shape[-1], self.halved[-1],
            self.inverse, self.offsets, self.weights, reach, children, parents, coarse_starts, diagonal, edges,
        )  # fmt: skip
        inverse = np.divide(1, diagonal, out=diagonal, where=diagonal > 0)
        return Level(layout, tuple((axis, 1) for axis in range(d)), tuple(edges), inverse)

    def begin(self, b: np.ndarray, x: np.ndarray) -> None:
        """Relax all colours, starting from zero."""
        _, phase = self.layout.rows
        self.layout.run(kernels.begin, phase, self.colours, self.inverse, b, x)
        self.relax(b, x, range(1, self.colours))

    def relax(self, b: np.ndarray, x: np.ndarray, colours: Sequence[int]) -> None:
        """Gauss-Seidel, one colour after another."""
        _, phase = self.layout.rows
        for colour in colours:
            self.layout.run(kernels.relax, phase, self.colours, colour, self.inverse, self.offsets, self.weights, b, x)

    def restrict(self, b: np.ndarray, x: np.ndarray, coarse: np.ndarray) -> None:
        """The residual of `x`, added up over the blocks."""
        starts, _ = self.layout.rows
        coarse_starts, _ = self.coarse_layout.rows
        share(
            kernels.restrict, coarse_starts.size, self.layout.size, starts, self.layout.shape[-1], self.halved[-1],
            self.inverse, self.offsets, self.weights, b, x, self.family[0], coarse_starts, coarse,
        )  # fmt: skip

    def prolong(self, coarse: np.ndarray, x: np.ndarray) -> None:
        """Add the stretched coarse correction."""
        coarse_starts, _ = self.coarse_layout.rows
        self.layout.run(
            kernels.prolong, self.halved[-1], self.inverse, self.family[1], coarse_starts, coarse, self.stretch, x
        )

    def matrix(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the unknowns are, and the matrix between them, for a small level."""
        at = np.flatnonzero(self.inverse > 0)
        number = np.full(self.inverse.size + max(self.offsets), -1)
        number[at] = np.arange(at.size)
        A = np.diag(1 / self.inverse[at].astype(float))
        for offset, weight in zip(self.offsets, self.weights, strict=True):
            i = np.flatnonzero(number[at + offset] >= 0)
            j = number[at[i] + offset]
            A[i, j] = A[j, i] = A[i, j] - (weight[at[i]] if np.ndim(weight) else weight)
        return at, A


class Multigrid:
    """The hierarchy below a level, and its cycle."""

    def __init__(self, finest: Level) -> None:
        self.levels = [finest]
        while self.levels[-1].layout.size > COARSEST:
            self.levels.append(self.levels[-1].coarsen())
        self.at, A = self.levels[-1].matrix()
        kernels.invert_dense(A)
        self.inverse = A.astype(np.float32)
        self.work = [(level.layout.zeros(), level.layout.zeros()) for level in self.levels[1:]]

    def cycle(self, b: np.ndarray, x: np.ndarray, k: int = 0) -> None:
        """Write an approximate solution of ``A x = b`` into `x`; a symmetric linear map of `b`."""
        if k == len(self.levels) - 1:
            kernels.solve_dense(self.inverse, self.at, b, x)
            return
        level, (coarse_b, coarse_x) = self.levels[k], self.work[k]
        forth = range(1, level.colours)
        level.begin(b, x)
        for visit in range(2 if k else 1):
            if visit:
                level.relax(b, x, forth)
            level.restrict(b, x, coarse_b)
            self.cycle(coarse_b, coarse_x, k + 1)
            level.prolong(coarse_x, x)
            level.relax(b, x, range(level.colours - 1, -1, -1))


@dataclass(eq=False)
class System:
    """The system ``(L_UU + shift) x_U = -L_UK x_K`` on one box of a grid.

    Parameters
    ----------
    state : ndarray of uint8, shape (M[, N[, ..., P]])
        OUTSIDE, KNOWN or UNKNOWN of :mod:`skinpaint.grid.kernels`.
    terms : tuple of (axis, lag)
        The kinds of edges.
    weights : tuple of float, or tuple of ndarray
        One weight a term, or one an edge: an array of the shape of `state`, at the edge's lower end.
    shift : float or ndarray
        Added to the diagonal.
    """

    state: np.ndarray
    terms: tuple[tuple[int, int], ...]
    weights: Weights
    shift: float | np.ndarray = 0.0
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        self.layout = Layout(self.state.shape, max(lag for _, lag in self.terms))
        self.flat_state = self._flat(self.state, np.uint8)
        self.exact = [self._flatten(w, np.float64) for w in (*self.weights, self.shift)]
        *weights, shift = (self._flatten(w, np.float32) for w in (*self.weights, self.shift))
        self.level = Level(self.layout, self.terms, tuple(weights), self.layout.zeros())
        self.layout.run(
            kernels.invert, self.flat_state, self.level.offsets, self.level.weights, shift, self.level.inverse
        )
        self.multigrid = Multigrid(self.level)

    def solve(self, values: np.ndarray, *, tol: float, max_iter: int) -> tuple[np.ndarray, int, float]:
        """Solve for the unknowns by preconditioned conjugate gradients.

        Parameters
        ----------
        values : ndarray of the shape of `state`
            Known values, and a first guess of the unknown ones.
        tol : float
            Relative residual to reach, in double precision.
        max_iter : int
            Largest number of cycles.

        Returns
        -------
        values : ndarray
            The solution, in double precision.
        n_iter : int
            Number of cycles.
        residual : float
            ``|b - A x| / |b|``, from the definition.
        """
        layout, level = self.layout, self.level
        rows = layout.rows[0].size
        x = self._flat(values, np.float64)
        r, z, p, q = (layout.zeros() for _ in range(4))
        sums, pairs = np.empty(rows), np.empty((rows, 2))
        n_iter = 0
        layout.run(kernels.source, self.flat_state, level.offsets, tuple(self.exact[:-1]), x, sums)
        scale = sums.sum()
        if scale == 0:  # only zeros around: the answer is zero
            x[self.flat_state == kernels.UNKNOWN] = 0
            return layout.inner(x), 0, 0.0
        square = self._defect(x, r, sums)
        while square > tol**2 * scale and n_iter < max_iter:
            # Steps in single precision, until they must be judged in double.
            target = max(0.25 * tol**2 * scale, DRIFT**2 * square)
            zr, a = 0.0, 0.0
            while square > target and n_iter < max_iter:
                self.multigrid.cycle(r, z)
                n_iter += 1
                layout.run(kernels.products, z, r, q, pairs)
                new, turn = pairs.sum(axis=0)
                beta = -a * turn / zr if zr else 0.0  # flexible: <z, r - r_old> / <z_old, r_old>
                zr = new
                layout.run(kernels.extend, np.float32(beta), z, p)
                layout.run(kernels.apply, level.inverse, level.offsets, level.weights, p, q, sums)
                a = zr / sums.sum()
                layout.run(kernels.descend, np.float32(a), p, q, x, r, sums)
                square = sums.sum()
            square = self._defect(x, r, sums)
        return layout.inner(x), n_iter, float(np.sqrt(square / scale))

    def _defect(self, x: np.ndarray, r: np.ndarray, sums: np.ndarray) -> float:
        *weights, shift = self.exact
        self.layout.run(kernels.defect, self.flat_state, self.level.offsets, tuple(weights), shift, x, r, sums)
        return sums.sum()

    def _flatten(self, weight: Any, dtype: type) -> Any:
        return self._flat(weight, dtype) if np.ndim(weight) else dtype(weight)

    def _flat(self, array: Any, dtype: type) -> np.ndarray:
        flat = self.layout.zeros(dtype)
        self.layout.inner(flat)[...] = array
        return flat
