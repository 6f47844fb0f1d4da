r"""Conjugate gradients with multigrid as the preconditioner, for weighted Laplacians on grids of any dimension.

The matrix stays in one class on all levels: for each term (an axis and a lag) an edge weight between unknown
neighbours, and a diagonal that also counts the edges to known ones. Coarsening joins blocks of :math:`2^d` entries and
adds up, which is the Galerkin product for piecewise constant interpolation; edges of lag 2 become edges of lag 1. Where
the edges along one axis are much weaker than along another, it is not halved yet.

Such an interpolation makes the coarse matrix too stiff, so coarse corrections are stretched, by what was found to serve
random masks, holes and volumes alike. A W-cycle keeps the number of iterations the same for holes of any size.

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
from typing import Any

import numpy as np

from skinpaint.grid.harmonic import kernels
from skinpaint.grid.jit import UNKNOWN
from skinpaint.grid.kernels import extend
from skinpaint.grid.layout import Layout, Stage
from skinpaint.lazy import lazy

__all__ = ["Level", "Multigrid", "System"]

DRIFT = 1e-6  # reduction by which the residual of single precision still agrees with that of double
WEAK = 0.3  # edges of an axis below this, next to the strongest, are not worth coarsening yet
COARSEST = 200  # entries of a level that is solved densely

STRETCH = {1: 1.5, 2: 1.1}  # of a coarse correction, by the largest lag of the level
Weights = tuple[Any, ...]  # of floats or of arrays


@dataclass(eq=False)
class Level:
    """One level of the hierarchy: a matrix, and how it is joined to the coarser one."""

    layout: Layout
    terms: tuple[tuple[int, int], ...]  # axis and lag of each kind of edge
    weights: Weights
    inverse: np.ndarray  # of the diagonal; zero where nothing is unknown

    @lazy
    def offsets(self) -> tuple[int, ...]:
        return tuple(self.layout.strides[axis] * lag for axis, lag in self.terms)

    @lazy
    def colours(self) -> int:
        """Entries of one colour are no neighbours: by the sum of indices modulo 2, or 3 where there are lags 2."""
        return 1 + max(lag for _, lag in self.terms)

    @lazy
    def stretch(self) -> np.float32:
        return np.float32(STRETCH[max(lag for _, lag in self.terms)])

    @lazy
    def halved(self) -> tuple[int, ...]:
        """For each axis 1 if the next level has half its length: not along axes whose edges are weak for now."""
        strength = np.zeros(len(self.layout.shape))
        for (axis, lag), weight in zip(self.terms, self.weights, strict=True):
            mean = weight.sum() / max(1, np.count_nonzero(weight)) if np.ndim(weight) else weight
            strength[axis] += lag**2 * float(mean)
        strength[np.array(self.layout.shape) == 1] = -1
        return tuple(int(s >= max(WEAK * strength.max(), 0)) for s in strength)  # all, where nothing is coupled

    @lazy
    def coarse_terms(self) -> tuple[tuple[int, int], ...]:
        """The kinds of edges of the next level: along a halved axis all edges that cross a block have lag 1."""
        both = {(axis, lag) for axis, lag in self.terms if not self.halved[axis]}
        return tuple(sorted(both | {(axis, 1) for axis in range(len(self.layout.shape))}))

    @lazy
    def coarse_layout(self) -> Layout:
        shape = tuple((n + h) >> h for n, h in zip(self.layout.shape, self.halved, strict=True))
        return Layout(shape, max(lag for _, lag in self.coarse_terms))

    @lazy
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
        d, terms = len(layout.shape), self.coarse_terms
        diagonal, edges = layout.zeros(), np.zeros((len(terms), layout.zeros().size), np.float32)
        reach = []  # of each term: rows, places along the row, and the coarse term that it is added to
        for axis, lag in self.terms:
            target = terms.index((axis, 1 if self.halved[axis] else lag))
            rows = lag * int(np.prod(self.layout.shape[axis + 1 : -1]))
            reach.append((0, lag, target) if axis == d - 1 else (rows, 0, target))
        coarse_starts, _ = layout.rows
        args = (
            self.inverse,
            self.offsets,
            self.weights,
            np.array(reach),
            children,
            parents,
            coarse_starts,
            diagonal,
            edges,
        )
        self.layout.sweep(self._to_coarse(kernels.coarsen, *args))
        inverse = np.divide(1, diagonal, out=diagonal, where=diagonal > 0)
        return Level(layout, terms, tuple(edges), inverse)

    def begin(self, b: np.ndarray, x: np.ndarray) -> list[Stage]:
        """Relax all colours, starting from zero."""
        _, phase = self.layout.rows
        first = self.layout.stage(kernels.begin, phase, self.colours, self.inverse, b, x)
        return [first, *self.relax(b, x, range(1, self.colours))]

    def relax(self, b: np.ndarray, x: np.ndarray, colours: Sequence[int]) -> list[Stage]:
        """Gauss-Seidel, one colour after another."""
        _, phase = self.layout.rows
        return [
            self.layout.stage(
                kernels.relax, phase, self.colours, colour, self.inverse, self.offsets, self.weights, b, x
            )
            for colour in colours
        ]

    def restrict(self, b: np.ndarray, x: np.ndarray, coarse: np.ndarray) -> Stage:
        """The residual of `x`, added up over the blocks."""
        coarse_starts, _ = self.coarse_layout.rows
        args = (self.inverse, self.offsets, self.weights, b, x, self.family[0], coarse_starts, coarse)
        return self._to_coarse(kernels.restrict, *args)

    def prolong(self, coarse: np.ndarray, x: np.ndarray) -> Stage:
        """Add the stretched coarse correction."""
        coarse_starts, _ = self.coarse_layout.rows
        return self.layout.stage(
            kernels.prolong, self.halved[-1], self.inverse, self.family[1], coarse_starts, coarse, self.stretch, x
        )

    def _to_coarse(self, kernel: Any, *args: Any) -> Stage:
        """A kernel over the coarse rows that reads the rows of this level."""
        starts, _ = self.layout.rows
        layers = self.coarse_layout.layers
        rows = self.coarse_layout.rows[0].size // layers
        halve = self.halved[0] if len(self.halved) > 1 else 0
        return Stage(kernel, rows, layers, halve, (starts, self.layout.shape[-1], self.halved[-1], *args))

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
    """The hierarchy below a level, and its cycle.

    Attributes
    ----------
    b, x : ndarray
        Right-hand side and answer of a cycle, flat and padded.
    """

    def __init__(self, finest: Level) -> None:
        self.levels = [finest]
        while self.levels[-1].layout.size > COARSEST and any(self.levels[-1].halved):
            self.levels.append(self.levels[-1].coarsen())
        self.at, A = self.levels[-1].matrix()
        kernels.invert_dense(A)
        self.inverse = A.astype(np.float32)
        work = [(level.layout.zeros(), level.layout.zeros()) for level in self.levels]
        self.b, self.x = work[0]
        self.bottom = work[-1]
        # What each level does: on the way down, on the way up, and between two visits of the level below.
        self.down, self.up, self.between = [], [], []
        for level, (b, x), (coarse_b, coarse_x) in zip(self.levels, work, work[1:], strict=False):
            back = range(level.colours - 1, -1, -1)
            restrict, up = level.restrict(b, x, coarse_b), [level.prolong(coarse_x, x), *level.relax(b, x, back)]
            self.down.append([*level.begin(b, x), restrict])
            self.between.append([*level.relax(b, x, range(1, level.colours)), restrict])
            self.up.append(up)

    def descend(self, *before: Stage) -> None:
        """Begin a cycle: from the finest level, where the stages `before` come first, to the one below."""
        down = self.down[0] if self.down else []
        self.levels[0].layout.sweep(*before, *down)

    def ascend(self, *after: Stage) -> None:
        """End a cycle: solve on the coarser levels and come back to the finest, where the stages `after` come last."""
        self._visit(1)
        up = self.up[0] if self.up else []
        self.levels[0].layout.sweep(*up, *after)

    def cycle(self) -> None:
        """Write an approximate solution of ``A x = b`` into `x`; a symmetric linear map of `b`."""
        self.descend()
        self.ascend()

    def _visit(self, k: int) -> None:
        """A W-cycle on level `k`."""
        if k >= len(self.down):
            kernels.solve_dense(self.inverse, self.at, *self.bottom)
            return
        sweep = self.levels[k].layout.sweep
        sweep(*self.down[k])
        self._visit(k + 1)
        sweep(*self.up[k])
        sweep(*self.between[k])
        self._visit(k + 1)
        sweep(*self.up[k])


@dataclass(eq=False)
class System:
    """The system ``(L_UU + shift) x_U = -L_UK x_K`` on one box of a grid.

    Parameters
    ----------
    state : ndarray of uint8, shape (M[, N[, ..., P]])
        OUTSIDE, KNOWN or UNKNOWN of :mod:`skinpaint.grid.jit`.
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
        args = (self.flat_state, self.level.offsets, self.level.weights, shift, self.level.inverse)
        self.layout.sweep(self.layout.stage(kernels.invert, *args))
        self.multigrid = Multigrid(self.level)

    def solve(self, values: np.ndarray, *, tol: float, max_iter: int) -> tuple[np.ndarray, int, float]:
        """Solve for the unknowns of an image.

        Parameters
        ----------
        values : ndarray of the shape of `state`
            Known values, and a first guess of the unknown ones.
        tol, max_iter
            As for `improve`.

        Returns
        -------
        values : ndarray
            The solution, in double precision.
        n_iter, residual
            As from `improve`.
        """
        x = self.flatten(values)
        return self.layout.inner(x), *self.improve(x, tol=tol, max_iter=max_iter)

    def guess(self, x: np.ndarray) -> None:
        """Interpolate the unknowns along the last axis, in place: it spares a cycle."""
        self.layout.sweep(self.layout.stage(kernels.interpolate, self.flat_state, x))

    def flatten(self, values: np.ndarray) -> np.ndarray:
        """An image on the padded grid."""
        return self._flat(values, np.float64)

    def cycle(self, b: np.ndarray) -> np.ndarray:
        """About the solution of ``(L_UU + shift) x = b``, by one cycle; a symmetric linear map of `b`."""
        self.layout.inner(self.multigrid.b)[...] = b
        self.multigrid.cycle()
        return self.layout.inner(self.multigrid.x)

    def improve(self, x: np.ndarray, *, tol: float, max_iter: int, reduction: float = 0.0) -> tuple[int, float]:
        """Solve for the unknowns in place, by preconditioned conjugate gradients.

        Parameters
        ----------
        x : ndarray of float64, flat and padded
            Known values, and a first guess of the unknown ones.
        tol : float
            Relative residual to reach, in double precision.
        max_iter : int
            Largest number of cycles.
        reduction : float
            Stop also when the residual is so much of what it was.

        Returns
        -------
        n_iter : int
            Number of cycles.
        residual : float
            ``|b - A x| / |b|``, from the definition; infinite if the steps broke down.
        """
        layout, level, multigrid = self.layout, self.level, self.multigrid
        rows = layout.rows[0].size
        r, z, p, q = multigrid.b, multigrid.x, layout.zeros(), layout.zeros()
        sums, pairs = np.empty(rows), np.empty((rows, 2))
        *weights, shift = self.exact
        terms = level.offsets, tuple(weights)
        source = layout.stage(kernels.source, self.flat_state, *terms, x, sums)
        defect = layout.stage(kernels.defect, self.flat_state, *terms, shift, x, r, sums)
        products = layout.stage(kernels.products, z, r, q, pairs)
        apply = layout.stage(kernels.apply, level.inverse, level.offsets, level.weights, p, q, sums)

        layout.sweep(source)
        scale = sums.sum()
        if scale == 0:  # only zeros around: the answer is zero
            x[self.flat_state == UNKNOWN] = 0
            return 0, 0.0
        n_iter = 0
        layout.sweep(defect)
        square = sums.sum()
        enough = max(tol**2 * scale, reduction**2 * square)
        while square > enough and n_iter < max_iter:
            # Steps in single precision, until they must be judged in double.
            start = square
            target = max(0.25 * enough, DRIFT**2 * square)
            zr, a = 0.0, 0.0
            multigrid.descend()
            while square > target and n_iter < max_iter:
                multigrid.ascend(products)
                n_iter += 1
                new, turn = pairs.sum(axis=0)
                if not 0 < new < np.inf:  # more than single precision can tell apart
                    return n_iter, np.inf
                beta = -a * turn / zr if zr else 0.0  # flexible: <z, r - r_old> / <z_old, r_old>
                zr = new
                layout.sweep(layout.stage(extend, np.float32(beta), z, p), apply)
                curvature = sums.sum()
                if not 0 < curvature < np.inf:
                    return n_iter, np.inf
                a = zr / curvature
                multigrid.descend(layout.stage(kernels.descend, np.float32(a), p, q, x, r, sums))
                square = sums.sum()
            layout.sweep(defect)
            square = sums.sum()
            if not square < start:  # nor does it help to begin again
                break
        return n_iter, float(np.sqrt(square / scale)) if np.isfinite(square) else np.inf

    def _flatten(self, weight: Any, dtype: type) -> Any:
        return self._flat(weight, dtype) if np.ndim(weight) else dtype(weight)

    def _flat(self, array: Any, dtype: type) -> np.ndarray:
        flat = self.layout.zeros(dtype)
        self.layout.inner(flat)[...] = array
        return flat
