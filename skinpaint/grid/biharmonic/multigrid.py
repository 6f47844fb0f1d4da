r"""Conjugate gradients, preconditioned by multigrid, for the square of the Laplacian of a grid.

The unknowns U and the known entries K satisfy :math:`(L^2)_{UU} x_U = -(L^2)_{UK} x_K`. The matrix couples entries up
to two steps apart. A coarse entry stands for a block of :math:`2^d`. Between the centres of blocks the interpolation is
linear along each axis (weights 3/4 and 1/4). It reproduces planes exactly, as a fourth-order operator requires. With
this interpolation the Galerkin product :math:`P^T A P` again couples blocks up to two steps apart. So the matrix of
every level is a stencil of at most :math:`5^d` coefficients. It is symmetric, so only the half ahead of each entry is
kept. The product is computed one axis at a time.

The smoother is two steps of the Chebyshev iteration before and after each coarse correction. They do not depend on the
order of the entries. The two finest levels, which cost most, get one coarse correction, the others get two (a W-cycle).
An iteration then reduces the error by a factor of more than three, on holes of any size.

The smallest eigenvalues are below the rounding of single precision, relative to the largest. So the smoother of the
finest level, which acts on the large ones, runs in single precision, and the rest in double precision. Coefficients are
stored in single precision where it holds them exactly.

References
----------
U. Trottenberg, C. W. Oosterlee and A. Schüller, "Multigrid", Academic Press (2001).
M. Adams, M. Brezina, J. Hu and R. Tuminaro, "Parallel multigrid smoothing: polynomial versus Gauss-Seidel",
J. Comput. Phys. 188 (2003). :doi:`10.1016/S0021-9991(03)00194-3`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise, product

import numpy as np

from skinpaint.grid.biharmonic import STENCIL_RADIUS, kernels
from skinpaint.grid.biharmonic.kernels import FIRST, PROLONG, RESIDUAL, RESTRICT, SECOND, START
from skinpaint.grid.jit import KNOWN, OUTSIDE, UNKNOWN
from skinpaint.grid.kernels import next_direction
from skinpaint.grid.layout import Layout, Passes, dense_matrix, vectors
from skinpaint.lazy import lazy

__all__ = ["BiharmonicSystem", "Stencils", "Transfer"]

COARSEST_ENTRIES = 100  # a level of at most so many entries is solved by a dense inverse
POWER_STEPS = 10  # of the power method, which estimates the largest eigenvalue
EIGENVALUE_SAFETY = 1.1  # factor on that estimate, which is too low
MAX_SPACING_RATIO = 1.5  # an axis is halved if its spacing is less than this times the shortest
COARSE_SPECTRUM = 0.1  # eigenvalues below this, relative to the largest, are left to the coarse levels
MAX_COEFFICIENTS = 2**31  # of a coarse matrix: 17 GB. Each has up to 5^d of a row in d dimensions
PASS_ENTRIES = 2**11  # entries of the slabs in which a level is smoothed: they stay in the cache of one processor

Vector = tuple[int, ...]
Work = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Right-hand side, solution and two scratch vectors of a level, flat and padded."""
Steps = tuple[float, float, float]
"""The gain of the first Chebyshev step, how much of it the second step keeps, and the gain of the second."""


def ahead(d: int, distance: int) -> list[Vector]:
    """The offsets ahead of an entry, at most 2 along each axis and `distance` in all, ordered as in memory.

    Examples
    --------
    >>> ahead(2, 2)
    [(0, 1), (0, 2), (1, -1), (1, 0), (1, 1), (2, 0)]
    """
    everywhere = product(range(-STENCIL_RADIUS, STENCIL_RADIUS + 1), repeat=d)
    return [o for o in everywhere if o > (0,) * d and sum(map(abs, o)) <= distance]


@dataclass(frozen=True, eq=False)
class Transfer:
    """Linear interpolation from a coarse grid, which is halved along some axes, to a fine one, and its transpose."""

    fine: Layout
    coarse: Layout

    @lazy
    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each axis and entry, the weights of the coarse entry that it belongs to and of the nearest other one."""
        out = []
        for n, N in zip(self.fine.shape, self.coarse.shape, strict=True):
            j = np.arange(n)
            beside = j // 2 + 2 * (j % 2) - 1
            side = np.where((n != N) & (beside >= 0) & (beside < N), 0.25, 0.0)
            out.append((1 - side, side))
        return out

    @lazy
    def halved(self) -> list[bool]:
        return [n != N for n, N in zip(self.fine.shape, self.coarse.shape, strict=True)]

    @lazy
    def parents(self) -> tuple[np.ndarray, np.ndarray]:
        """For each row, the coarse rows that it is interpolated from, and their weights."""
        return _combine([self._parents(axis) for axis in range(len(self.halved) - 1)], self.coarse.shape[:-1])

    @lazy
    def children(self) -> tuple[np.ndarray, np.ndarray]:
        """For each coarse row, the rows that it contributes to, and its weights in them."""
        return _combine([self._children(axis) for axis in range(len(self.halved) - 1)], self.fine.shape[:-1])

    def _parents(self, axis: int) -> tuple[np.ndarray, np.ndarray]:
        j = np.arange(self.fine.shape[axis])
        if not self.halved[axis]:
            return j[:, None], np.ones((j.size, 1))
        beside = np.clip(j // 2 + 2 * (j % 2) - 1, 0, self.coarse.shape[axis] - 1)  # beyond the border it weighs 0
        return np.stack([j // 2, beside], axis=1), np.stack(self.weights[axis], axis=1)

    def _children(self, axis: int) -> tuple[np.ndarray, np.ndarray]:
        J = np.arange(self.coarse.shape[axis])
        if not self.halved[axis]:
            return J[:, None], np.ones((J.size, 1))
        main, side = (np.pad(w, (1, 3)) for w in self.weights[axis])
        j = 2 * J[:, None] + np.arange(-1, 3)
        shares = np.where((j == 2 * J[:, None]) | (j == 2 * J[:, None] + 1), main[j + 1], side[j + 1])
        return np.clip(j, 0, self.fine.shape[axis] - 1), shares  # beyond the border they are 0


def _combine(axes: list[tuple[np.ndarray, np.ndarray]], shape: Vector) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the rows at given places along each leading axis, and the products of the weights."""
    rows, weights = np.zeros((1, 1), np.int64), np.ones((1, 1))
    for (places, factors), n in zip(axes, shape, strict=True):
        k, m = len(rows) * len(places), rows.shape[1] * places.shape[1]
        rows = (rows[:, None, :, None] * n + places[None, :, None, :]).reshape(k, m)
        weights = (weights[:, None, :, None] * factors[None, :, None, :]).reshape(k, m)
    return rows, weights


@dataclass(eq=False)
class Stencils:
    """A symmetric matrix on a grid: for every entry its coefficients with the entries ahead, and its diagonal.

    Attributes
    ----------
    layout : Layout
        Padded by 2.
    spacing : tuple of float
        Distance between entries along each axis.
    vectors : list of tuple of int
        The offsets.
    coefficients : ndarray of shape (K + 1, ...)
        One row an offset, the diagonal last; zero where nothing is unknown.
    """

    layout: Layout
    spacing: tuple[float, ...]
    vectors: list[Vector]
    coefficients: np.ndarray

    @lazy
    def offsets(self) -> np.ndarray:
        return np.array([self.flat(o) for o in self.vectors])

    @lazy
    def inverse(self) -> np.ndarray:
        """One over the diagonal; zero where nothing is unknown."""
        diagonal = self.coefficients[-1]
        return np.divide(1, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)

    def flat(self, o: Vector) -> int:
        """An offset as a distance in the flat array."""
        return sum(i * s for i, s in zip(o, self.layout.strides, strict=True))

    def coarsen(self) -> Stencils:
        """The Galerkin product. An axis with a much larger spacing than another is not halved yet."""
        least = min(h for h, n in zip(self.spacing, self.layout.shape, strict=True) if n > 1)
        coarse = self
        for axis, n in enumerate(self.layout.shape):
            if n > 1 and self.spacing[axis] < MAX_SPACING_RATIO * least:
                coarse = coarse._coarsen(axis)
        single = coarse.coefficients.astype(np.float32)
        if np.array_equal(single, coarse.coefficients):
            coarse.coefficients = single
        return coarse

    def _coarsen(self, axis: int) -> Stencils:
        """The Galerkin product for interpolation along one axis."""
        shape, d = self.layout.shape, len(self.layout.shape)
        layout = Layout((*shape[:axis], (shape[axis] + 1) // 2, *shape[axis + 1 :]), STENCIL_RADIUS)
        vectors, along_axis, numbers, mirrored = _sources(tuple(self.vectors), axis)
        sources = np.stack([numbers, mirrored @ np.array(self.layout.strides)], axis=-1)
        places = np.indices(layout.shape[:-1]).reshape(d - 1, layout.rows[0].size)
        along = places[axis] if axis < d - 1 else np.full(layout.rows[0].size, -1)
        first = np.full(along.size, STENCIL_RADIUS * sum(self.layout.strides))
        for i in range(d - 1):
            first += 0 if i == axis else places[i] * self.layout.strides[i]
        if len(numbers) * layout.length > MAX_COEFFICIENTS:
            raise ValueError(
                f"The 'method' parameter must not be 'biharmonic' for an image with {d} long axes. Its "
                f"matrices would take {8e-9 * len(numbers) * layout.length:.0f} GB. Pass method='laplace'."
            )
        coefficients = np.zeros((len(numbers), layout.length))
        layout.run(
            kernels.galerkin, shape[axis], along, first, self.layout.strides[axis],
            *Transfer(self.layout, layout).weights[axis], along_axis, sources,
            self.coefficients, coefficients,
        )  # fmt: skip
        spacing = tuple(h * (1 + (i == axis)) for i, h in enumerate(self.spacing))
        return Stencils(layout, spacing, list(vectors), coefficients)

    def matrix(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the unknowns of a small level are, and the matrix between them."""
        *couplings, diagonal = self.coefficients
        return dense_matrix(diagonal, zip(self.offsets, couplings, strict=True))


@lru_cache
def _sources(fine: tuple[Vector, ...], axis: int) -> tuple[tuple[Vector, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Where the coefficients of a Galerkin product along an axis come from.

    Returns
    -------
    vectors : tuple of offsets
        Those of the product.
    along_axis : ndarray of int, one for each offset, and 0 for the diagonal
        The offset along the axis.
    numbers : ndarray of int, shape (offsets + 1, 5)
        Which coefficient of the fine matrix couples an entry with the one 2 behind to 2 ahead along the axis, and
        otherwise at the offset; -1 if none does.
    mirrored : ndarray of int, shape (offsets + 1, 5, d)
        What to add to the place of the entry, as only coefficients with entries ahead are kept.
    """
    d = len(fine[0])
    vectors = tuple(ahead(d, STENCIL_RADIUS * d))
    every, number = [*vectors, (0,) * d], {o: k for k, o in enumerate([*fine, (0,) * d])}
    numbers, mirrored = np.full((len(every), 5), -1), np.zeros((len(every), 5, d), int)
    for (k, o), s in product(enumerate(every), range(-STENCIL_RADIUS, STENCIL_RADIUS + 1)):
        source = (*o[:axis], s, *o[axis + 1 :])
        opposite = tuple(-i for i in source)
        if source in number:
            numbers[k, s + STENCIL_RADIUS] = number[source]
        elif opposite in number:
            numbers[k, s + STENCIL_RADIUS], mirrored[k, s + STENCIL_RADIUS] = number[opposite], source
    return vectors, np.array([o[axis] for o in every]), numbers, mirrored


def smoothing(
    passes: Sequence[int], level: Stencils, transfer: Transfer, steps: Steps, work: Work, coarse_work: Work
) -> Passes:
    """Passes of :func:`kernels.smooth` on a level, with the vectors of this level and of the coarser one."""
    fine, coarse = transfer.fine, transfer.coarse
    (starts, _), (coarse_starts, _) = fine.rows, coarse.rows
    thick = max(PASS_ENTRIES * fine.layers // fine.size, fine.reach) & ~1
    grid = starts.size // fine.layers, int(fine.layers != coarse.layers), starts, fine.shape[-1]
    matrix = level.inverse, level.offsets, level.coefficients
    between = transfer.halved[-1], *transfer.weights[-1], *transfer.children, *transfer.parents
    onto = coarse_starts, coarse_starts.size // coarse.layers, coarse.shape[-1], *coarse_work[:2]
    args = (fine.reach, thick, np.array(passes), *grid, *matrix, *steps, *work, *between, *onto)
    return Passes(kernels.smooth, len(passes), args, cost=len(level.coefficients))


def _two_steps(largest: float) -> Steps:
    """The steps for a spectrum up to `largest`."""
    middle, half = largest * (1 + COARSE_SPECTRUM) / 2, largest * (1 - COARSE_SPECTRUM) / 2
    s = middle / half
    return 1 / middle, 1 / (2 * s**2 - 1), 2 * s / (2 * s**2 - 1) / half


@dataclass(eq=False)
class BiharmonicSystem:
    """The system ``((L^2)_UU + shift) x_U = load - (L^2)_UK x_K`` on one cut-out of a grid, L its Laplacian.

    Parameters
    ----------
    state : ndarray of uint8, shape (M[, N[, ..., P]])
        OUTSIDE, KNOWN or UNKNOWN of :mod:`skinpaint.grid.jit`. Every pixel of the image within two steps of an unknown
        one must be included.
    spacing : tuple of float
        Distance between neighbours along each axis.
    shift : ndarray, optional
        Added to the diagonal.
    """

    state: np.ndarray
    spacing: tuple[float, ...]
    shift: np.ndarray | None = None
    layout: Layout = field(init=False)

    def __post_init__(self) -> None:
        self.layout = Layout(self.state.shape, STENCIL_RADIUS)
        self.flat_state = self.layout.flatten(self.state, np.uint8)
        shortest = min(self.spacing)
        self.weights = tuple((shortest / h) ** 2 for h in self.spacing)
        self.flat_shift = None if self.shift is None else self.layout.flatten(self.shift)
        self.levels = [self._finest()]
        while self.levels[-1].layout.size > COARSEST_ENTRIES:
            self.levels.append(self.levels[-1].coarsen())
        layouts = [level.layout for level in self.levels]
        self.transfers = [Transfer(*pair) for pair in pairwise(layouts)]
        self.at, A = self.levels[-1].matrix()
        self.inverse = np.linalg.pinv(A, rcond=1e-13, hermitian=True)
        each = iter(vectors([layout for layout in layouts[1:] for _ in range(4)], float))
        self.work = list(zip(each, each, each, each, strict=True))
        # On the finest level the row sums of |D^-1 A|, for rows inside the grid, bound the largest eigenvalue.
        total = sum(self.weights)
        largest = 16 * total**2 / (4 * total**2 + 2 * sum(w**2 for w in self.weights))
        self.steps = [
            _two_steps(EIGENVALUE_SAFETY * (self._largest(k) if k else largest)) for k in range(len(self.levels) - 1)
        ]
        self.stages = [self._stages(k, work) for k, work in enumerate(self.work[:-1], start=1)]

    def _finest(self) -> Stencils:
        d, strides, layout = self.state.ndim, self.layout.strides, self.layout
        inside, unknown = self.flat_state != OUTSIDE, self.flat_state == UNKNOWN
        vectors = ahead(d, STENCIL_RADIUS)
        coefficients = np.zeros((len(vectors) + 1, inside.size), np.float32 if len(set(self.weights)) == 1 else float)
        degree, diagonal = np.zeros(inside.size, coefficients.dtype), coefficients[-1]
        for s, w in zip(strides, self.weights, strict=True):
            degree[:-s] += w * inside[s:]
            degree[s:] += w * inside[:-s]
            diagonal[:-s] += w**2 * inside[s:]
            diagonal[s:] += w**2 * inside[:-s]
        diagonal += degree**2
        if self.flat_shift is not None:
            diagonal += self.flat_shift
        diagonal *= unknown
        out = Stencils(layout, self.spacing, vectors, coefficients)
        for k, (o, offset) in enumerate(zip(vectors, out.offsets, strict=True)):
            factor = np.prod([w ** abs(i) for w, i in zip(self.weights, o, strict=True)])
            both = unknown[:-offset] & unknown[offset:]
            if sum(map(abs, o)) == 1:
                np.add(degree[:-offset], degree[offset:], out=coefficients[k, :-offset])
                coefficients[k, :-offset] *= -factor
                coefficients[k, :-offset] *= both
            else:
                np.multiply(both, factor * (1 if STENCIL_RADIUS in map(abs, o) else 2), out=coefficients[k, :-offset])
        return out

    def _stages(self, k: int, work: Work) -> tuple[Passes, Passes, Passes]:
        """What a cycle does on level `k` before it visits the coarser level, between two visits, and after them."""
        before, after = (START, SECOND, RESIDUAL, RESTRICT), (PROLONG, FIRST, SECOND)
        each = before, (*after, RESIDUAL, RESTRICT), after
        args = self.levels[k], self.transfers[k], self.steps[k], work, self.work[k]
        down, between, up = (smoothing(passes, *args) for passes in each)
        return down, between, up

    def _largest(self, k: int) -> float:
        """Estimate the largest eigenvalue of ``D^-1 A``, D the diagonal of A, from below, by the power method."""
        level, (zero, x, d, y) = self.levels[k], self.work[k - 1]
        layout = level.layout
        sums = np.empty(layout.rows[0].size)
        layout.inner(x)[...] = np.random.default_rng(0).random(layout.shape) - 0.5
        x *= level.inverse > 0
        steps, args = (1.0, 0.0, 0.0), (level, self.transfers[k])
        there, back = (smoothing([FIRST], *args, steps, (zero, *pair, y), self.work[k]) for pair in ((x, d), (d, x)))
        norms = []
        for step in range(POWER_STEPS):
            layout.sweep(back if step % 2 else there)
            x, d = d, x
            if step >= POWER_STEPS - 2:
                layout.run(kernels.dot, x, x, sums)
                norms.append(float(np.sqrt(sums.sum())))
        return norms[1] / norms[0] if norms[0] > 0 else 0.0

    def cycle(self, b: np.ndarray, x: np.ndarray, d: np.ndarray, y: np.ndarray) -> None:
        """Write an approximate solution of ``A x = b`` into `x`, symmetric and linear in `b`; `d`, `y` are scratch."""
        if self.transfers:
            self._visit(0, self._stages(0, (b, x, d, y)))
        else:
            self._solve(b, x)

    def _visit(self, k: int, stages: tuple[Passes, Passes, Passes]) -> None:
        """Go to the coarser levels and come back; the two finest levels are left once, the others twice."""
        down, between, up = stages
        sweep = self.levels[k].layout.sweep
        sweep(down)
        for after in (up,) if k < 2 else (between, up):
            if k + 1 < len(self.transfers):
                self._visit(k + 1, self.stages[k])
            else:
                self._solve(*self.work[k][:2])
            sweep(after)

    def _solve(self, b: np.ndarray, x: np.ndarray) -> None:
        """Solve on the coarsest level."""
        x[:] = 0
        x[self.at] = self.inverse @ b[self.at]

    def improve(self, x: np.ndarray, *, tol: float, max_iter: int, load: np.ndarray | None = None) -> tuple[int, float]:
        """Solve for the unknowns in place, by preconditioned conjugate gradients.

        Parameters
        ----------
        x : ndarray of float64, flat and padded
            Known values, and a first guess of the unknown ones.
        tol : float
            Stop when the estimated error is at most this. The estimate is the largest change of any entry in the last
            iteration, or a tenth of that in the one before, if this is larger. It is safe, as an iteration reduces the
            error by a factor of more than three: the error is smaller than the last change.
        max_iter : int
            Largest number of cycles.
        load : ndarray of float64, flat and padded, optional
            Added to the right-hand side.

        Returns
        -------
        n_iter : int
            Number of cycles.
        error : float
            The estimated error.
        """
        layout, rows = self.layout, self.layout.rows[0].size
        r, p, q, u = vectors([layout] * 4, float)
        b, z, d, y = vectors([layout] * 4)
        sums = np.empty(rows)
        self._square(x, u, r, sums)
        np.negative(r, out=r)
        if load is not None:
            np.add(r, load, out=r, where=self.flat_state == UNKNOWN)
        n_iter, zr, change, error = 0, np.inf, np.inf, np.inf
        while error > tol and n_iter < max_iter:
            b[:] = r
            self.cycle(b, z, d, y)
            n_iter += 1
            layout.run(kernels.dot, z, r, sums)
            before, zr = zr, float(sums.sum())
            if zr <= 0:  # zero: solved exactly; negative: double precision allows no further improvement
                error = 0.0 if zr == 0 else error
                break
            layout.run(next_direction, zr / before, z, p)
            a = zr / self._square(p, u, q, sums)
            layout.run(kernels.advance, a, p, q, x, r, sums)
            previous, change = change, abs(a) * float(sums.max())
            error = max(change, 0.1 * previous)
        return n_iter, error

    def _square(self, x: np.ndarray, u: np.ndarray, y: np.ndarray, sums: np.ndarray) -> float:
        """Write ``u = L x``, and ``y = L u + shift x`` at the unknowns; the value is ``|u|^2 + <x, shift x>``."""
        strides = tuple(self.layout.strides)
        self.layout.run(kernels.laplace, self.flat_state, KNOWN, strides, self.weights, x, u, sums)
        square = sums.sum()
        self.layout.run(kernels.laplace, self.flat_state, UNKNOWN, strides, self.weights, u, y, sums)
        if self.flat_shift is not None:
            shifted = self.flat_shift * x
            shifted *= self.flat_state == UNKNOWN
            y += shifted
            square += np.sum(shifted * x)
        return float(square)
