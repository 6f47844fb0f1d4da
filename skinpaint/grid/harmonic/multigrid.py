r"""Conjugate gradients, preconditioned by multigrid, for weighted Laplacians on grids of any dimension.

The unknowns U and the known entries K satisfy :math:`L_{UU} x_U = -L_{UK} x_K`. On every level the matrix has the same
form: for each term (an axis and a lag) a weight for each edge between unknown neighbours, and a diagonal that also
counts the edges to known ones. Coarsening joins blocks of :math:`2^d` entries and sums their weights. This is the
Galerkin product for piecewise constant interpolation. Edges of lag 2 become edges of lag 1. An axis whose edges are
much weaker than those of another axis is not halved yet.

Piecewise constant interpolation makes the coarse matrix too stiff, so coarse corrections are multiplied by a factor
above 1 (over-correction). The factors were chosen by experiment on random masks, holes and volumes. With a W-cycle the
number of iterations does not grow with the size of a hole. Where known pixels are dense, relaxation nearly solves the
coarser levels, and one visit of a level is enough: there it becomes a V-cycle, in two thirds of the time. More sweeps
over the finest level pay then, too, where its layers are many and small: they find what they need in the cache, and
save three cycles in seven. Entries of two colours are relaxed in halves of rows, each colour side by side.

Cycles run in single precision, as they only propose directions. The residual that decides when to stop is computed in
double precision from the definition. So every tolerance that double precision allows can be reached.

References
----------
Y. Notay, "An aggregation-based algebraic multigrid method", ETNA 37 (2010), 123-146.
D. Braess, "Towards algebraic multigrid for elliptic problems of second order", Computing 55 (1995).
:doi:`10.1007/BF02238488` (over-correction).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from skinpaint.grid.harmonic import kernels, kernels_checkerboard
from skinpaint.grid.jit import BEGIN, KNOWN, MERGE, MERGE_BOTH, PROLONG, RESTRICT, UNKNOWN
from skinpaint.grid.kernels import next_direction
from skinpaint.grid.kernels_dense import invert_dense
from skinpaint.grid.layout import Layout, Passes, Stage, dense_matrix, vectors
from skinpaint.grid.threads import share
from skinpaint.lazy import lazy

if TYPE_CHECKING:
    from skinpaint.grid.harmonic.factors import Factors

__all__ = ["MIN_COUPLING", "OVERCORRECTION", "HarmonicSystem", "Level", "Multigrid", "System"]

MAX_SINGLE_REDUCTION = 1e-6  # the updated single-precision residual is trusted down to this reduction
MIN_COUPLING = 0.3  # an axis is halved if its mean edge weight, relative to the strongest axis, is at least this
COARSEST_ENTRIES = 200  # a level of at most so many entries is solved by a dense inverse
PASS_ENTRIES = 2**13  # entries of the slabs in which a level is smoothed: they stay in the cache of one processor
LEAST_SURPLUS = 0.35  # of a diagonal entry: two levels above this, one visit of the next level takes as many cycles
SWEEPS = {1: 4, 2: 4, 3: 3}  # over the finest level, if some level is visited once, by the number of its axes
MIN_LAYERS = 76  # with fewer, so many passes leave no two bands for two threads
MAX_LAYER = 2**15  # entries: what so many passes work on at a time stays in the cache
OVERCORRECTION = {1: 1.5, 2: 1.1}  # factor of the coarse correction, by the largest lag of the level

Weights = tuple[Any, ...]  # of floats or of arrays
Table = tuple[np.ndarray, int]
"""A row for each term, with the weights of its edges, and 1; or with a number, repeated along a row of it, and 0."""


@dataclass(eq=False)
class Level:
    """One level of the hierarchy: its matrix, and its transfers to the next coarser level."""

    layout: Layout
    terms: tuple[tuple[int, int], ...]  # axis and lag of each kind of edge
    table: Table
    inverse: np.ndarray  # of the diagonal; zero where nothing is unknown
    surplus: Callable[[], np.ndarray]  # what the diagonal has beyond the edges between unknowns
    coarse: bool = False  # whether the cycle alone uses its matrix

    @lazy
    def weights(self) -> Weights:
        """Of each term: a number, or an array with the weight of each edge at the edge's lower end."""
        rows, step = self.table
        return tuple(rows) if step else tuple(row[0] for row in rows)

    @lazy
    def offsets(self) -> tuple[int, ...]:
        """How far apart the ends of an edge of each term are."""
        return tuple(self.layout.strides[axis] * lag for axis, lag in self.terms)

    @lazy
    def colours(self) -> int:
        """Number of colours, 2 or 3: the sum of the indices modulo this. Entries of one colour are not neighbours."""
        return 1 + max(lag for _, lag in self.terms)

    @lazy
    def overcorrection(self) -> np.float32:
        return np.float32(OVERCORRECTION[max(lag for _, lag in self.terms)])

    @lazy
    def halved(self) -> tuple[int, ...]:
        """For each axis 1 if it is halved on the next level, 0 if its edges are too weak for now."""
        strength = np.zeros(len(self.layout.shape))
        for (axis, lag), weight in zip(self.terms, self.weights, strict=True):
            mean = weight.sum() / max(1, np.count_nonzero(weight != 0)) if np.ndim(weight) else weight
            strength[axis] += lag**2 * float(mean)
        strength[np.array(self.layout.shape) == 1] = -1
        return tuple(int(s >= max(MIN_COUPLING * strength.max(), 0)) for s in strength)  # no edges at all: halve all

    @lazy
    def coarse_terms(self) -> tuple[tuple[int, int], ...]:
        """The kinds of edges of the next level. An axis that is not halved keeps its edges of lag 2."""
        both = {(axis, lag) for axis, lag in self.terms if not self.halved[axis]}
        return tuple(sorted(both | {(axis, 1) for axis in range(len(self.layout.shape))}))

    @lazy
    def coarse_layout(self) -> Layout:
        shape = tuple((n + h) >> h for n, h in zip(self.layout.shape, self.halved, strict=True))
        return Layout(shape, max(lag for _, lag in self.coarse_terms))

    @lazy
    def children_and_parents(self) -> tuple[np.ndarray, np.ndarray]:
        """For each coarse row the fine rows that it sums (-1 for none), and for each fine row its coarse row."""
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

    @lazy
    def many_layers(self) -> bool:
        """Whether it has many layers, and small ones."""
        layers = self.layout.layers
        return layers >= MIN_LAYERS and self.layout.size <= MAX_LAYER * layers

    @lazy
    def halves(self) -> bool:
        """Whether it is smoothed in halves of rows: :mod:`.kernels_checkerboard`.

        The finest level has to keep its `b`, so there it pays only in the cache.
        """
        uniform = self.table[1] == 0 and (self.many_layers or len(self.layout.shape) == 1)
        return bool(self.colours == 2 and self.halved[-1] and (self.coarse or uniform))

    @lazy
    def sweeps(self) -> int:
        """How often a cycle that visits some level once is to sweep over this level, if it is the finest."""
        return SWEEPS[min(len(self.layout.shape), 3)] if self.halves and self.many_layers else 1

    def least_surplus(self) -> float:
        """The smallest share that the surplus has in an entry of the diagonal."""
        return float((self.surplus() * self.inverse).min(where=self.inverse > 0, initial=1))

    def coarsen(self) -> Level:
        """The next level."""
        layout, (children, parents) = self.coarse_layout, self.children_and_parents
        d, terms = len(layout.shape), self.coarse_terms
        sums = np.zeros((len(terms) + 1, layout.length), np.float32)
        edges, surplus = sums[:-1], sums[-1]
        reach = []  # of each term: rows, places along the row, and the coarse term that it is added to
        for axis, lag in self.terms:
            target = terms.index((axis, 1 if self.halved[axis] else lag))
            rows = lag * int(np.prod(self.layout.shape[axis + 1 : -1]))
            reach.append((0, lag, target) if axis == d - 1 else (rows, 0, target))
        reach.append((0, 0, len(terms)))
        coarse_starts, _ = layout.rows
        block = (np.array(reach), children, parents, coarse_starts, sums)
        grid = (self.layout.rows[0], self.layout.shape[-1], self.halved[-1])
        fine = (*grid, self.inverse, np.array(self.offsets), *self.table, self.surplus())
        self.layout.sweep(Stage(kernels.coarsen, coarse_starts.size, (*fine, *block)))
        level = Level(layout, terms, (edges, 1), layout.zeros(), partial(np.asarray, surplus), coarse=True)
        anywhere = np.full(layout.length, UNKNOWN, np.uint8)
        matrix = np.array(level.offsets), edges, 1, surplus, 1
        layout.run(kernels.diagonal, anywhere, UNKNOWN, True, *matrix, level.inverse)
        return level

    def stages(
        self, b: np.ndarray, x: np.ndarray, coarse_b: np.ndarray, coarse_x: np.ndarray, sweeps: int
    ) -> tuple[list[Passes], list[Passes], list[Passes]]:
        """What a cycle does here before it visits the coarser level, between two visits, and after that.

        Before: Gauss-Seidel on all colours, starting from zero, and the sums of the residual of `x` over the blocks.
        After: the coarse correction, times the over-correction factor, and Gauss-Seidel on all colours, backwards.
        Gauss-Seidel makes so many `sweeps`. Between two visits it does both; the first colour is relaxed once.
        In halves of rows it overwrites its matrix, so the next level has to be made before. `b` is laid out in halves
        until the end, and beyond it on a coarse level.
        """
        forth = (sweeps * [*range(self.colours)])[1:]
        down, up = [*forth, RESTRICT], [PROLONG, *forth[::-1], 0]
        last = [MERGE if self.coarse else MERGE_BOTH] if self.halves else []
        each = [BEGIN, *down], [*up, *down], [*up, *last]
        layers, (starts, phase) = self.layout.layers, self.layout.rows
        thick = max(PASS_ENTRIES * layers // self.layout.size, self.layout.reach) & ~1
        grid = starts.size // layers, starts, self.layout.shape[-1], phase
        weights, step = self.table
        matrix = self.inverse, self.offsets, weights, step
        transfer = *self.children_and_parents, self.coarse_layout.rows[0], self.overcorrection, coarse_b, coarse_x

        def stage(passes: list[int], kernel: Any, *args: Any) -> Passes:
            return Passes(kernel, len(passes), (self.layout.reach, thick, np.array(passes), *grid, *args, *transfer))

        args: tuple[Any, ...]
        if self.halves:
            kernel = kernels_checkerboard.smooth
            for own in (self.inverse, *(weights if step else ())):  # once and for all
                self.layout.sweep(stage([BEGIN], kernel, *matrix, own, x))
            args = *matrix, b, x
        else:
            kernel, args = kernels.smooth, (self.colours, self.halved[-1], *matrix, b, x)
        before, between, after = ([stage(passes, kernel, *args)] for passes in each)
        return before, between, after

    def matrix(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the unknowns of a small level are, and the matrix between them."""
        diagonal, unknown = self.surplus().astype(float), self.inverse > 0
        for offset, weight in zip(self.offsets, self.weights, strict=True):
            i = np.flatnonzero(unknown[:-offset] & unknown[offset:])
            edges = weight[i] if np.ndim(weight) else weight
            diagonal[i] += edges
            diagonal[i + offset] += edges
        return dense_matrix(diagonal, ((o, -w) for o, w in zip(self.offsets, self.weights, strict=True)))


class Multigrid:
    """A hierarchy of levels, and its cycle.

    Parameters
    ----------
    finest : Level
        The finest level.
    uniform : bool
        Whether all its edges of one kind weigh the same.

    Attributes
    ----------
    b, x : ndarray
        Right-hand side and solution of a cycle, flat and padded.
    p, q : ndarray
        Two more vectors of the finest level, for whoever runs the cycle.
    """

    name = "multigrid"  # what a method says that it used

    def __init__(self, finest: Level, *, uniform: bool = False) -> None:
        self.levels = [finest]
        while self.levels[-1].layout.size > COARSEST_ENTRIES and any(self.levels[-1].halved):
            self.levels.append(self.levels[-1].coarsen())
        last = len(self.levels) - 1
        below = (self.levels[min(k + 2, last)] for k in range(last))
        self.twice = [not (uniform and level.least_surplus() >= LEAST_SURPLUS) for level in below]
        self.at, A = self.levels[-1].matrix()
        invert_dense(A)
        with np.errstate(under="ignore"):
            self.inverse = A.astype(np.float32)
        layouts = [level.layout for level in self.levels]
        each = iter(vectors([layouts[0]] * 2 + [layout for layout in layouts for _ in range(2)]))
        (self.p, self.q), *work = zip(each, each, strict=True)
        self.b, self.x = work[0]
        self.bottom = work[-1]
        # The stages of each level: on the way down, between its two visits of the coarser level, and on the way up.
        self.down, self.between, self.up = [], [], []
        for level, (b, x), (coarse_b, coarse_x) in zip(self.levels, work, work[1:], strict=False):
            sweeps = finest.sweeps if level is finest and not all(self.twice) else 1
            down, between, up = level.stages(b, x, coarse_b, coarse_x, sweeps)
            self.down.append(down)
            self.between.append(between)
            self.up.append(up)

    def descend(self, *before: Stage) -> None:
        """Begin a cycle: run the stages `before` on the finest level, then go down to the next level."""
        down = self.down[0] if self.down else []
        self.levels[0].layout.sweep(*before, *down)

    def ascend(self, *after: Stage) -> None:
        """End a cycle: solve on the coarser levels, come back to the finest, and run the stages `after` there."""
        self._visit(1)
        up = self.up[0] if self.up else []
        self.levels[0].layout.sweep(*up, *after)

    def cycle(self) -> None:
        """Write an approximate solution of ``A x = b`` into `x`: a symmetric linear map of `b`."""
        self.descend()
        self.ascend()

    def insist(self) -> bool:
        """Visit every level twice from now on; False if that was so before."""
        thrifty = not all(self.twice)
        self.twice = [True] * len(self.twice)
        return thrifty

    def _visit(self, k: int) -> None:
        """A cycle on level `k`: a W-cycle where the next level is visited twice, else a V-cycle."""
        if k >= len(self.down):
            kernels.solve_dense(self.inverse, self.at, *self.bottom)
            return
        sweep = self.levels[k].layout.sweep
        sweep(*self.down[k])
        self._visit(k + 1)
        if self.twice[k]:
            sweep(*self.between[k])
            self._visit(k + 1)
        sweep(*self.up[k])


class System:
    """A system ``A x_U = b`` for the unknowns U: ``b`` is a load, less what known entries K of the array `x` take.

    A subclass says how `x` lies in memory, and how the products of the matrix with it are computed.
    """

    layout: Any
    level: Any
    preconditioner: Multigrid | Factors

    def residual(self, x: np.ndarray, r: np.ndarray, sums: np.ndarray, load: float | np.ndarray) -> Stage:
        """``r = b - A x`` in double precision, and the partial sums of ``|r|^2`` and of ``|b|^2``."""
        raise NotImplementedError

    def apply(self, p: np.ndarray, q: np.ndarray, sums: np.ndarray) -> Stage:
        """``q = A p`` in single precision, and the partial sums of ``<p, q>``."""
        raise NotImplementedError

    def clear(self, x: np.ndarray) -> None:
        """Set the unknowns to zero."""
        raise NotImplementedError

    def cycle(self, b: np.ndarray) -> None:
        """Replace `b` by an approximate solution of ``A x = b``: a symmetric linear map."""
        self.preconditioner.b[...] = b
        self.preconditioner.cycle()
        b[...] = self.preconditioner.x

    def improve(
        self,
        x: np.ndarray,
        *,
        tol: float,
        max_iter: int,
        reduction: float = 0.0,
        load: float | np.ndarray = 0.0,
    ) -> tuple[int, float]:
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
            Stop also when the residual has fallen to this fraction of the first one.
        load : float or ndarray of float64, of the layout of `x`
            Added to the right-hand side.

        Returns
        -------
        n_iter : int
            Number of cycles.
        residual : float
            ``|b - A x| / |b|``, from the definition; infinite if the steps broke down.
        """
        n_iter, residual = self._improve(x, tol, max_iter, reduction, load)
        if residual == np.inf and self.preconditioner.insist():
            more, residual = self._improve(x, tol, max_iter - n_iter, reduction, load)
            n_iter += more
        return n_iter, residual

    def _improve(
        self, x: np.ndarray, tol: float, max_iter: int, reduction: float, load: float | np.ndarray
    ) -> tuple[int, float]:
        """The same, unless the cycle is not positive definite: then the steps break down."""
        layout, preconditioner = self.layout, self.preconditioner
        rows = layout.rows[0].size
        r, z, p, q = preconditioner.b, preconditioner.x, preconditioner.p, preconditioner.q
        share(lambda lo, hi: p[lo:hi].fill(0), 0, p.size, p.size)
        sums, pairs = np.empty(rows), np.empty((rows, 2))
        residual, apply = self.residual(x, r, pairs, load), self.apply(p, q, sums)
        products = layout.stage(kernels.products, z, r, q, pairs)

        layout.sweep(residual)
        square, scale = pairs.sum(axis=0)
        if scale == 0:  # the right-hand side is zero, so the solution is zero
            self.clear(x)
            return 0, 0.0
        n_iter = 0
        enough = max(tol**2 * scale, reduction**2 * square)
        while square > enough and n_iter < max_iter:
            # Steps in single precision, until their residual must be checked in double precision.
            start = square
            target = max(0.25 * enough, MAX_SINGLE_REDUCTION**2 * square)
            zr, a = 0.0, 0.0
            preconditioner.descend()
            while square > target and n_iter < max_iter:
                preconditioner.ascend(products)
                n_iter += 1
                new, turn = pairs.sum(axis=0)
                if not 0 < new < np.inf:  # single precision cannot resolve this system
                    return n_iter, np.inf
                beta = -a * turn / zr if zr else 0.0  # flexible: <z, r - r_old> / <z_old, r_old>
                zr = new
                layout.sweep(layout.stage(next_direction, np.float32(beta), z, p), apply)
                curvature = sums.sum()
                if not 0 < curvature < np.inf:
                    return n_iter, np.inf
                a = zr / curvature
                preconditioner.descend(layout.stage(kernels.advance, np.float32(a), p, q, x, r, sums))
                square = sums.sum()
            layout.sweep(residual)
            square, _ = pairs.sum(axis=0)
            if not square < start:  # a restart would not help
                break
        return n_iter, float(np.sqrt(square / scale)) if np.isfinite(square) else np.inf


@dataclass(eq=False)
class HarmonicSystem(System):
    """The system ``(L_UU + shift) x_U = load - L_UK x_K`` on one cut-out of a grid, with L a weighted Laplacian.

    Parameters
    ----------
    state : ndarray of uint8, shape (M[, N[, ..., P]])
        OUTSIDE, KNOWN or UNKNOWN of :mod:`skinpaint.grid.jit`.
    terms : tuple of (axis, lag)
        The kinds of edges.
    weights : tuple of float, or tuple of ndarray
        One for each term. A number is the weight of all its edges; an array of the shape of `state` holds the weight of
        each edge at the edge's lower end.
    shift : float or ndarray
        Added to the diagonal.

    Attributes
    ----------
    inverse : callable
        ``inverse()`` is one over the diagonal, flat and padded, zero where nothing is unknown.
    """

    state: np.ndarray
    terms: tuple[tuple[int, int], ...]
    weights: Weights
    shift: float | np.ndarray = 0.0
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        self.layout = Layout(self.state.shape, max(lag for _, lag in self.terms))
        self.flat_state = self.layout.flatten(self.state, np.uint8)
        self.exact_weights, self.exact_shift = (self._table(np.float64, *w) for w in (self.weights, [self.shift]))
        table = self._table(np.float32, *self.weights)
        self.weights = ()  # they are not needed in a third form
        offsets = np.array([self.layout.strides[axis] * lag for axis, lag in self.terms])
        (shift,), shift_step = self._table(np.float32, self.shift)
        diagonal = partial(_diagonal, self.layout, self.flat_state, (offsets, *table, shift, shift_step))
        self.inverse, surplus = partial(diagonal, UNKNOWN, True), partial(diagonal, KNOWN, False)
        self.level = Level(self.layout, self.terms, table, self.inverse(), surplus)
        self.preconditioner = Multigrid(self.level, uniform=not table[1])

    def guess(self, x: np.ndarray) -> None:
        """Interpolate the unknowns linearly along the last axis, in place. This saves a cycle."""
        self.layout.run(kernels.guess_along_rows, self.flat_state, x)

    def residual(self, x: np.ndarray, r: np.ndarray, sums: np.ndarray, load: float | np.ndarray) -> Stage:
        """``r = b - A x`` from the definition, and the row sums of ``|r|^2`` and of ``|b|^2``."""
        (shift,), shift_step = self.exact_shift
        matrix = self.level.offsets, *self.exact_weights, shift, shift_step, *self._load(load)
        return self.layout.stage(kernels.residual, self.flat_state, *matrix, x, r, sums)

    def apply(self, p: np.ndarray, q: np.ndarray, sums: np.ndarray) -> Stage:
        """``q = A p``, and the row sums of ``<p, q>``."""
        (shift,), shift_step = self.exact_shift
        matrix = self.level.offsets, *self.level.table, shift, shift_step
        return self.layout.stage(kernels.apply, self.flat_state, *matrix, p, q, sums)

    def clear(self, x: np.ndarray) -> None:
        """Set the unknowns to zero."""
        x[self.flat_state == UNKNOWN] = 0

    def _table(self, dtype: type, *each: Any) -> Table:
        """The weights, numbers or arrays, in the form and the precision in which kernels take them."""
        if any(np.ndim(w) for w in each):
            rows: np.ndarray = np.zeros((len(each), self.layout.length), dtype)
            for row, w in zip(rows, each, strict=True):
                self.layout.inner(row)[...] = w
            return rows, 1
        return np.repeat(np.array(each, dtype)[:, None], self.layout.shape[-1], axis=1), 0

    def _load(self, load: float | np.ndarray) -> tuple[np.ndarray, int]:
        """A load in the same form, without its rows."""
        return (load, 1) if isinstance(load, np.ndarray) else (np.full(self.layout.shape[-1], load), 0)


def _diagonal(layout: Layout, state: np.ndarray, matrix: tuple[Any, ...], most: int, inverted: bool) -> np.ndarray:
    """What :func:`.kernels.diagonal` writes."""
    out = layout.zeros()
    layout.run(kernels.diagonal, state, most, inverted, *matrix, out)
    return out
