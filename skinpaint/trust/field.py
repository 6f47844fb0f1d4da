r"""The Gaussian field of which the closed forms are the mean: its scale, its variances and its draws.

Let L be the Laplacian of the grid, and Q = L (harmonic) or Q = L^2 (biharmonic). An intrinsic Gaussian field with
precision :math:`Q / s^2`, conditioned on the known pixels, has the fill as its mean and :math:`s^2 Q_{UU}^{-1}` as the
covariance of the unknown pixels U. With noise, known pixels are measurements: all pixels are unknown, and `shift`
holds :math:`s^2` over the variance of each measurement, which is added to the diagonal of Q.

A draw costs one solution: with :math:`Q = D^T D` and :math:`e \sim N(0, I)` on the rows of D,
:math:`z = Q_{UU}^{-1} D_U^T e` has the covariance :math:`Q_{UU}^{-1}`.

The variances :math:`v = diag(Q_{UU}^{-1})` depend on the mask only. Small components are inverted exactly. Where holes
are small, coloured probing is best: random signs on the pixels of every fourth row and column do not see each other.
Elsewhere draws are, and their variance is estimated given all other pixels:
:math:`v_i = 1 / Q_{ii} + mean (\sum_{j \ne i} Q_{ij} z_j / Q_{ii})^2`.

References
----------
G. Papandreou and A. Yuille, "Gaussian sampling by local perturbations", NIPS (2010).
P. Siden, F. Lindgren, D. Bolin and M. Villani, "Efficient covariance approximations for large sparse precision
matrices", J. Comput. Graph. Stat. 27 (2018). :doi:`10.1080/10618600.2018.1473782`
J. M. Tang and Y. Saad, "A probing method for computing the diagonal of a matrix inverse", Numer. Linear Algebra Appl.
19 (2012). :doi:`10.1002/nla.779`
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np

from skinpaint.grid.axes import drop_short_axes, long_axes
from skinpaint.grid.holes import CutOut, cut_out
from skinpaint.grid.jit import OUTSIDE, UNKNOWN
from skinpaint.grid.layout import Layout
from skinpaint.grid.threads import share
from skinpaint.lazy import lazy

__all__ = ["DRAWS", "MAX_DENSE", "Field"]

DRAWS = 16  # give the standard deviation to 7 to 12 %, and to 11 to 18 % if the order is 2
MAX_DENSE = 200  # unknowns of a component that is inverted
MAX_PROBED_DEPTH = 3.0  # pixels: if nearly all unknown pixels are nearer to a known one, probing beats draws
NEARLY_ALL = 0.99
LOOSE = 1e-3  # relative residual of a draw: its error is far below the spread of the draws
LOOSE_CYCLES = 6  # of the biharmonic solver, each of which reduces the error by three or more
EXACT, EXACT_CYCLES = 1e-9, 200
MEAN_CYCLES = 100  # of a posterior mean

Estimator = Literal["auto", "draws", "probes", "exact"]


@dataclass(frozen=True, eq=False)
class Field:
    """A Gaussian field of mean zero and scale one, given that it is zero at the known pixels.

    Attributes
    ----------
    mask : ndarray of bool, shape (M[, N[, ..., P]])
        True where unknown.
    order : {1, 2}
        The power of the Laplacian: 1 for the harmonic fill, 2 for the biharmonic one.
    spacing : tuple of float
        Distance between neighbours along each axis. Only ratios matter: scales count in units of the shortest.
    lags : (1,) or (1, 2)
        Distances between pixels that are neighbours; (1,) if `order` is 2.
    shift : ndarray of the shape of `mask`, optional
        Precision of a measurement of each pixel, relative to that of the field; 0 where nothing is measured.
    weights : tuple of ndarray, optional
        The weight of every edge, at its lower end: one array of the shape of `mask` for each long axis and lag, in this
        order; if `order` is 1.

    Examples
    --------
    >>> field = Field(np.array([False, True, True, True, False]), 1, (1.0,))
    >>> field.variances().round(6)
    array([0.  , 0.75, 1.  , 0.75, 0.  ])
    >>> field.draw(np.random.default_rng(0)).shape
    (5,)
    """

    mask: np.ndarray
    order: int
    spacing: tuple[float, ...]
    lags: tuple[int, ...] = (1,)
    shift: np.ndarray | None = None
    weights: tuple[np.ndarray, ...] | None = None

    def scale(self, filled: np.ndarray, known: int) -> float:
        """The scale of the field, estimated by restricted maximum likelihood from a fill, which costs no solution.

        Parameters
        ----------
        filled : ndarray of the shape of `mask`
            Known values and their fill.
        known : int
            Number of known values.

        Returns
        -------
        scale : float
            ``sqrt(x^T Q x / (known - 1))``, as constants are free; infinite if fewer than two values are known.

        Examples
        --------
        >>> Field(np.array([False, True, False]), 1, (1.0,)).scale(np.array([0.0, 1.0, 2.0]), 2)
        1.4142135623730951
        """
        return float(np.sqrt(self.density(filled).sum() / (known - 1))) if known > 1 else np.inf

    def density(self, filled: np.ndarray) -> np.ndarray:
        """The energy ``x^T Q x`` of each pixel; an edge gives half of its energy to each of its ends."""
        if self.order == 2:
            L = Field(self.mask, 1, self.spacing)
            return L.apply(filled) ** 2
        x = drop_short_axes(filled)
        out = np.zeros(x.shape)
        for a, b, w in self.edges():
            energy = x[b] - x[a]
            energy *= energy
            energy *= 0.5 * w
            out[a] += energy
            out[b] += energy
        return out.reshape(filled.shape)

    def draw(self, rng: np.random.Generator, *, exact: bool = False) -> np.ndarray:
        """One draw, zero at the known pixels; solved loosely unless it is to be `exact`."""
        out = np.zeros(self.mask.shape)
        for piece in self._pieces:
            piece.scatter(piece.solve(piece.perturbation(rng), exact=exact), out)
        return out

    def variances(
        self,
        rng: np.random.Generator | int | None = 0,
        *,
        draws: int = DRAWS,
        estimator: Estimator = "auto",
    ) -> np.ndarray:
        """The variance of every pixel, zero at the known ones.

        Parameters
        ----------
        rng : numpy.random.Generator or int
            Source of the draws.
        draws : int
            Number of solutions. Probing takes the nearest number that has a pattern of colours.
        estimator : {"auto", "draws", "probes", "exact"}
            "exact" inverts a dense matrix, however large it is. "auto" does so for small components, and chooses one of
            the other two by the depth of the holes.

        Returns
        -------
        v : ndarray of the shape of `mask`
        """
        rng = np.random.default_rng(rng)
        out = np.zeros(self.mask.shape)
        v, mask = drop_short_axes(out), drop_short_axes(self.mask)
        small = {"auto": self._small, "exact": mask}.get(estimator)
        if small is not None and small.any():
            v[small] = self._inverted(small)
        rest = mask if small is None else mask & ~small
        if rest.any():
            probing = estimator == "probes" or (estimator == "auto" and self.scattered)
            field = self._of(rest)
            field._estimate(v, rng, draws, probing)
            field.release()
        self.release()
        return out

    def release(self) -> None:
        """Free the memory of the solver, which is built again when it is needed."""
        self.__dict__.pop("_pieces", None)

    @property
    def solves(self) -> int:
        """How many linear systems `variances` solves by its own choice."""
        rest = drop_short_axes(self.mask) & ~self._small
        return (self._colours(DRAWS) ** rest.ndim if self.scattered else DRAWS) if rest.any() else 0

    def mean(self, load: np.ndarray, *, tol: float = 1e-6) -> tuple[np.ndarray, int, float]:
        """The solution of ``(Q + shift) x = load``: the values, the number of cycles, and the accuracy reached."""
        out = np.zeros(self.mask.shape)
        cycles, accuracy = 0, 0.0
        for piece in self._pieces:
            x, n_iter, reached = piece.improve(piece.gather(load), tol, MEAN_CYCLES)
            piece.scatter(x, out)
            cycles, accuracy = max(cycles, n_iter), max(accuracy, reached)
        return out, cycles, accuracy

    def apply(self, x: np.ndarray) -> np.ndarray:
        """``Q x`` on the whole grid, without the shift."""
        u = drop_short_axes(x)
        for _ in range(self.order):
            flows = np.zeros(u.shape)
            for a, b, w in self.edges():
                difference = w * (u[b] - u[a])
                flows[a] -= difference
                flows[b] += difference
            u = flows
        return u.reshape(x.shape)

    @lazy
    def scattered(self) -> bool:
        """Whether nearly all unknown pixels are near to a known one."""
        if self.shift is not None or self.mask.all():
            return False
        from scipy.ndimage import distance_transform_edt

        mask = drop_short_axes(self.mask)
        near = distance_transform_edt(mask) <= MAX_PROBED_DEPTH
        return bool(np.count_nonzero(near & mask) >= NEARLY_ALL * np.count_nonzero(mask))

    @lazy
    def _terms(self) -> tuple[tuple[int, int], ...]:
        return tuple((k, lag) for k in range(len(long_axes(self.mask.shape))) for lag in self.lags)

    @lazy
    def _weights(self) -> tuple[Any, ...]:
        if self.weights is not None:
            return self.weights
        spacing = [self.spacing[axis] for axis in long_axes(self.mask.shape)]
        return tuple((min(spacing) / spacing[axis]) ** 2 for axis, _ in self._terms)

    @lazy
    def _pieces(self) -> list[Piece]:
        cuts = cut_out(drop_short_axes(self.mask), margin=self.order * max(self.lags))
        return [(Harmonic if self.order == 1 else Biharmonic)(cut, self) for cut in cuts]

    @lazy
    def _small(self) -> np.ndarray:
        """The pixels of the components that are small enough to be inverted."""
        mask = drop_short_axes(self.mask)
        if self.shift is not None:
            return mask if mask.size <= MAX_DENSE else np.zeros_like(mask)
        label, sizes = self._components(mask)
        sizes[0] = MAX_DENSE + 1
        return sizes[label] <= MAX_DENSE

    def _components(self, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of pixels that may depend on each other, from 1, and their sizes; wide stencils see 3 pixels far."""
        from scipy.ndimage import binary_dilation, label

        reach = self.order * max(self.lags)
        number, _ = label(mask if reach == 1 else binary_dilation(mask))
        number *= mask
        return number, np.bincount(number.ravel())

    def edges(self) -> Iterator[tuple[Any, Any, Any]]:
        """The two ends of all edges of each term, as slices that may be empty, and their weights."""
        for (axis, lag), w in zip(self._terms, self._weights, strict=True):
            a, b = ((*(slice(None),) * axis, s) for s in (slice(None, -lag), slice(lag, None)))
            yield a, b, w[a] if np.ndim(w) else w

    def _matrix(self, where: np.ndarray) -> Any:
        """The precision between the pixels of `where`, in CSR form."""
        from scipy import sparse
        from scipy.ndimage import binary_dilation

        around = binary_dilation(where) if self.order == 2 else where
        number = np.cumsum(around, dtype=np.int32).reshape(around.shape)  # from 1; memory is what this costs
        degree = np.zeros(around.shape)
        rows, columns, entries = [], [], []
        for a, b, w in self.edges():
            degree[a] += w
            degree[b] += w
            both = around[a] & around[b]
            rows.append(number[a][both] - np.int32(1))
            columns.append(number[b][both] - np.int32(1))
            entries.append(-np.broadcast_to(w, both.shape)[both])
        diagonal = degree[around]
        del degree, number
        i, j, data = np.concatenate(rows), np.concatenate(columns), np.concatenate(entries)
        del rows, columns, entries
        upper = sparse.coo_array((data, (i, j)), shape=(diagonal.size, diagonal.size)).tocsr()
        del i, j, data
        Q = upper + upper.T.tocsr()
        del upper
        Q = Q + sparse.diags_array(diagonal, format="csr")
        if self.order == 2:
            inside = where[around]
            Q = (Q[inside] @ Q[:, inside]).tocsr()
        if self.shift is not None:
            Q = (Q + sparse.diags_array(drop_short_axes(self.shift)[where])).tocsr()
        return Q

    def _inverted(self, where: np.ndarray) -> np.ndarray:
        """The exact variances of the pixels of `where`, which must be whole components."""
        from skinpaint.grid.kernels_dense import inverse_diagonals

        Q = self._matrix(where)
        number = self._components(where)[0][where] if self.shift is None else np.zeros(Q.shape[0], int)
        members = np.argsort(number, kind="stable")
        sizes = np.unique(number, return_counts=True)[1]
        first = np.concatenate([[0], np.cumsum(sizes)])
        place = np.empty_like(members)
        place[members] = np.arange(members.size) - np.repeat(first[:-1], sizes)
        out = np.empty(members.size)
        work = int(min((sizes.astype(float) ** 3).sum(), 2**40))
        block = (first, members, place, Q.indptr, Q.indices, Q.data)
        share(inverse_diagonals, 0, sizes.size, work, *block, int(sizes.max()), out)
        return out

    def _of(self, mask: np.ndarray) -> Field:
        """The same field for some of the components, without the short axes."""
        if mask.shape == self.mask.shape and np.count_nonzero(mask) == np.count_nonzero(self.mask):
            return self
        spacing = tuple(self.spacing[axis] for axis in long_axes(self.mask.shape))
        shift = None if self.shift is None else drop_short_axes(self.shift)
        return Field(mask, self.order, spacing, self.lags, shift, self.weights)

    def _colours(self, draws: int) -> int:
        """Distance along each axis between pixels that are probed at once."""
        return max(2, round(draws ** (1 / len(long_axes(self.mask.shape)))))

    def _estimate(self, out: np.ndarray, rng: np.random.Generator, draws: int, probing: bool) -> None:
        """Write estimated variances into `out` at the unknown pixels."""
        for piece in self._pieces:
            v = piece.probed(rng, self._colours(draws)) if probing else piece.drawn(rng, draws)
            piece.scatter(v, out)


class Piece:
    """The field on one cut-out. Arrays are flat and padded."""

    system: Any

    def __init__(self, cut: CutOut, field: Field) -> None:
        self.cut, self.field = cut, field
        shift = None if field.shift is None else np.asarray(cut.gather(drop_short_axes(field.shift)))
        self.system = self.build(shift)
        self.layout: Layout = self.system.layout
        self.inside = self.layout.inner(self.system.flat_state) != OUTSIDE
        self.unknown = self.system.flat_state == UNKNOWN
        self.sqrt_shift = None if shift is None else np.sqrt(shift)

    def build(self, shift: np.ndarray | None) -> Any:
        """The system to solve."""
        raise NotImplementedError

    def differences(self, rng: np.random.Generator) -> np.ndarray:
        """``D^T e``, e standard normal on the rows of D."""
        raise NotImplementedError

    def improve(self, load: np.ndarray, tol: float, max_iter: int) -> tuple[np.ndarray, int, float]:
        """Solve from zero: the solution, the number of cycles, and the accuracy reached."""
        x = self.layout.zeros(float)
        n_iter, accuracy = self.system.improve(x, tol=tol, max_iter=max_iter, load=load)
        return x, n_iter, accuracy

    def solve(self, load: np.ndarray, *, exact: bool = False) -> np.ndarray:
        """Solve for a draw or a probe."""
        raise NotImplementedError

    def rest(self, x: np.ndarray, load: np.ndarray) -> np.ndarray:
        """What the other pixels predict of each: ``x - (Q x) / diagonal``, just after `solve`. Both are overwritten."""
        raise NotImplementedError

    @property
    def inverse(self) -> np.ndarray:
        """One over the diagonal; zero where nothing is unknown."""
        raise NotImplementedError

    def gather(self, image: np.ndarray) -> np.ndarray:
        """What `image` holds on this piece."""
        return self.layout.flatten(self.cut.gather(drop_short_axes(image)))

    def scatter(self, x: np.ndarray, image: np.ndarray) -> None:
        """Write the unknown pixels into `image`."""
        self.cut.scatter(self.layout.inner(x), drop_short_axes(image))

    def perturbation(self, rng: np.random.Generator) -> np.ndarray:
        """A right-hand side whose solution is a draw."""
        load = self.differences(rng)
        if self.sqrt_shift is not None:
            self.layout.inner(load)[...] += self.sqrt_shift * rng.standard_normal(self.layout.shape, np.float32)
        return load

    def drawn(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        """Variances by draws."""
        v = self.layout.zeros(np.float32)  # enough for a mean of draws
        for _ in range(draws):
            v += self._squared_draw(rng)
        v /= draws
        v += self.inverse
        return v

    def _squared_draw(self, rng: np.random.Generator) -> np.ndarray:
        """The square of what the other pixels predict of each, in a draw."""
        load = self.perturbation(rng)
        x = self.rest(self.solve(load), load)
        return np.multiply(x, x, out=x)

    def probed(self, rng: np.random.Generator, distance: int) -> np.ndarray:
        """Variances by probing: in each solution, pixels of one colour have random signs."""
        v, load = self.layout.zeros(np.float32), self.layout.zeros(float)
        least = self.inverse  # no pixel is surer than if all others were known
        for start in product(range(distance), repeat=len(self.layout.shape)):
            at = tuple(slice(s, None, distance) for s in start)
            load[:] = 0
            here = self.layout.inner(load)[at]
            here[...] = 2 * rng.integers(2, size=here.shape) - 1
            load *= self.unknown
            self.layout.inner(v)[at] = self.layout.inner(self.solve(load))[at] * here
        return np.maximum(v, least, out=v)


class Harmonic(Piece):
    """Second order."""

    def build(self, shift: np.ndarray | None) -> Any:
        """The system to solve."""
        from skinpaint.grid.harmonic.multigrid import HarmonicSystem

        self.weights = tuple(self.cut.gather(w) if np.ndim(w) else w for w in self.field._weights)
        return HarmonicSystem(self.cut.state, self.field._terms, self.weights, 0.0 if shift is None else shift)

    def differences(self, rng: np.random.Generator) -> np.ndarray:
        """Each edge's difference has a noise of its own."""
        load = self.layout.zeros(float)
        inner = self.layout.inner(load)
        for (axis, lag), w in zip(self.system.terms, self.weights, strict=True):
            if inner.shape[axis] > lag:
                a, b = ((*(slice(None),) * axis, s) for s in (slice(None, -lag), slice(lag, None)))
                e = rng.standard_normal(inner[a].shape, np.float32)
                e *= np.sqrt(w[a] if np.ndim(w) else w)
                e *= self.inside[a] & self.inside[b]
                inner[a] -= e
                inner[b] += e
        return load

    def solve(self, load: np.ndarray, *, exact: bool = False) -> np.ndarray:
        """By multigrid, to a relative residual."""
        tol, max_iter = (EXACT, EXACT_CYCLES) if exact else (LOOSE, EXACT_CYCLES)
        return self.improve(load, tol, max_iter)[0]

    def rest(self, x: np.ndarray, load: np.ndarray) -> np.ndarray:
        """The solver leaves its residual behind."""
        load -= self.system.preconditioner.b
        load *= self.inverse
        x -= load
        return x

    @lazy
    def inverse(self) -> np.ndarray:
        """One over the diagonal."""
        return self.system.inverse()


class Biharmonic(Piece):
    """Fourth order."""

    def build(self, shift: np.ndarray | None) -> Any:
        """The system to solve."""
        from skinpaint.grid.biharmonic.multigrid import BiharmonicSystem

        spacing = tuple(self.field.spacing[axis] for axis in long_axes(self.field.mask.shape))
        return BiharmonicSystem(self.cut.state, spacing, shift)

    def differences(self, rng: np.random.Generator) -> np.ndarray:
        """The Laplacian of each pixel has a noise of its own."""
        return self._laplace(self.layout.flatten(rng.standard_normal(self.layout.shape, np.float32)))

    def solve(self, load: np.ndarray, *, exact: bool = False) -> np.ndarray:
        """By multigrid, for a number of cycles."""
        return self.improve(load, EXACT if exact else 0.0, EXACT_CYCLES if exact else LOOSE_CYCLES)[0]

    def rest(self, x: np.ndarray, load: np.ndarray) -> np.ndarray:
        """From the definition."""
        u = self.layout.zeros(float)
        self.system._square(x, u, load, np.empty(self.layout.rows[0].size))
        load *= self.inverse
        x -= load
        return x

    @property
    def inverse(self) -> np.ndarray:
        """One over the diagonal."""
        return self.system.levels[0].inverse

    def _laplace(self, x: np.ndarray) -> np.ndarray:
        from skinpaint.grid.biharmonic import kernels

        y, sums = self.layout.zeros(float), np.empty(self.layout.rows[0].size)
        strides = tuple(self.layout.strides)
        self.layout.run(kernels.laplace, self.system.flat_state, UNKNOWN, strides, self.system.weights, x, y, sums)
        return y
