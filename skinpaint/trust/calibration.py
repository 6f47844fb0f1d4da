r"""Intervals that are calibrated on the image itself.

A photograph is no draw of a stationary field: near edges errors are larger than elsewhere, and methods differ. So known
pixels are hidden under shifted copies of the mask, restored by the same method, and compared with what they were. A
scale that depends on the place is fitted to these errors,

.. math:: \log s_i = \theta_0 + \theta_1 \log \sqrt{v_i} + \sum_w \theta_w \log g_{w,i} + \theta_d \log d_i ,

where v is the variance of the field (which depends on the mask only), d the distance to the nearest known pixel, and
:math:`g_w` the roughness in windows of three widths: the scale that restricted maximum likelihood gives for each
window, its energy over its number of known pixels, shrunken towards that of the next wider window. The fit maximises
the likelihood of a Laplace distribution, whose heavy tails are those of errors in photographs, and is shrunken towards
:math:`s \propto \sqrt{v} \, g`. The quantiles of the standardised errors are then taken in three classes of the scale
(conformal prediction), and interpolated between the classes. The standard deviation is the scale times a factor with
which its mean square is that of the errors, in each class.

Pixels depend on each other, and the pixels that are missing may be unlike those that are known. So intervals are
calibrated on this image, and nothing is guaranteed.

References
----------
J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani and L. Wasserman, "Distribution-free predictive inference for
regression", J. Am. Stat. Assoc. 113 (2018). :doi:`10.1080/01621459.2017.1307116` (locally weighted intervals)
V. Vovk, "Conditional validity of inductive conformal predictors", Mach. Learn. 92 (2013).
:doi:`10.1007/s10994-013-5355-6` (quantiles by class)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil, prod, sqrt

import numpy as np

from skinpaint.holdout import hold_out
from skinpaint.lazy import lazy
from skinpaint.masks import some_distances_to_known
from skinpaint.methods.base import Method
from skinpaint.problem import HALF_TIE, Problem
from skinpaint.solution import Solution
from skinpaint.trust.field import DRAWS, Field

__all__ = ["Ladder", "Uncertainty", "fit_scale", "posterior_of", "roughness", "uncertainty_of"]

WINDOWS = (3, 9, 29)  # pixels: sides of a box filter, which is applied twice
SHRINK = 4.0  # known pixels that the next wider window counts as
FLOOR, TINY = 1e-3, 1e-18  # of the mean energy, and of [0, 1] squared: no place is smoother
SOLVED, UNSTATED = 10.0, 1e-8  # a solver errs by some times the accuracy that it states; and what stands for none
UNSOLVED = 1e-5  # of the range: the errors of a solver that are larger are seen in what was hidden
SMALL_ERROR = 1e-2  # of the mean error, below which errors are alike
RIDGE = 10.0  # errors that the prior of the fit counts as
NEWTON_STEPS = 50
MIN_HIDDEN = 30  # pixels: with fewer, nothing is calibrated
CLASSES, MIN_IN_CLASS = 3, 30  # of the scale, and the errors in each
FILL_TOL = 1e-4  # of the harmonic fill whose roughness is measured


@dataclass(frozen=True, eq=False)
class Ladder:
    """Standardised errors in classes of the scale, from small to large.

    Attributes
    ----------
    at : ndarray of shape (n,)
        The logarithm of the scale in the middle of each class.
    errors : list of n ndarrays
        The absolute standardised errors of each class, sorted.
    deviations : list of n floats
        What the scale is multiplied by for the standard deviation, in each class.

    Examples
    --------
    >>> ladder = Ladder.of(np.ones(50), np.arange(50) / 50)
    >>> float(ladder.quantile(0.9)(np.ones(1))[0])
    0.9
    """

    at: np.ndarray
    errors: list[np.ndarray]
    deviations: list[float]

    @classmethod
    def of(cls, scale: np.ndarray, errors: np.ndarray) -> Ladder:
        """Divide errors, standardised and absolute, into classes of the same size."""
        order, log_scale = np.argsort(scale, kind="stable"), np.log(scale)
        classes = np.array_split(order, CLASSES if order.size >= CLASSES * MIN_IN_CLASS else 1)
        at = np.array([np.median(log_scale[c]) for c in classes])
        if not (np.diff(at) > 0).all():
            at, classes = at[:1], [order]
        # Errors that are large for their scale may be where the scale is large: they are not divided by it one by one.
        weights = [(scale[c] / scale[c].max()) ** 2 for c in classes]
        deviations = [
            float(np.sqrt(np.average(errors[c] ** 2, weights=w))) for c, w in zip(classes, weights, strict=True)
        ]
        return cls(at, [np.sort(errors[c]) for c in classes], deviations)

    def quantile(self, level: float) -> Callable[[np.ndarray], np.ndarray]:
        """The factor on the scale that gives intervals of this level, as a function of the scale."""
        return self._interpolated([_conformal(errors, level) for errors in self.errors])

    @property
    def spread(self) -> Callable[[np.ndarray], np.ndarray]:
        """The factor on the scale that gives the standard deviation, as a function of the scale."""
        return self._interpolated(self.deviations)

    def _interpolated(self, factors: list[float]) -> Callable[[np.ndarray], np.ndarray]:
        return lambda scale: np.interp(np.log(scale), self.at, factors)


def _conformal(errors: np.ndarray, level: float) -> float:
    """The quantile of sorted errors that one more of them is below with probability `level`."""
    rank = ceil((errors.size + 1) * level)
    if rank <= errors.size:
        return float(errors[rank - 1])
    return max(float(errors[-1]), normal_quantile(level) * float(np.sqrt(np.mean(errors**2))))


def normal_quantile(level: float) -> float:
    """Half the width of the central interval of the normal distribution, in standard deviations."""
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + level) / 2)


def roughness(filled: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> tuple[np.ndarray, float]:
    """The scale of the field in windows of three widths around each pixel, and overall.

    Parameters
    ----------
    filled : ndarray of shape (M[, N[, ..., P]])
        Known values, and their harmonic fill.
    mask : ndarray of bool, of the same shape
        True where missing.
    spacing : tuple of float
        Distance between neighbours along each axis.

    Returns
    -------
    windows : ndarray of shape (3, M[, N[, ..., P]])
        The narrowest window first.
    overall : float
    """
    energy, overall = _energy(filled, mask, spacing)
    return np.stack(list(_windows(energy, overall, mask))[::-1]), sqrt(overall)


def _energy(filled: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...]) -> tuple[np.ndarray, float]:
    """The energy of each pixel, and its mean over the known ones."""
    energy = Field(mask, 1, spacing).density(filled)
    overall = float(energy.sum()) / max(1, mask.size - int(np.count_nonzero(mask)) - 1)
    return energy.astype(np.float32), overall


def _windows(energy: np.ndarray, overall: float, mask: np.ndarray) -> Iterator[np.ndarray]:
    """The scale of the field in windows of three widths, the widest first, one after another to save memory."""
    known = (~mask).astype(np.float32)
    wider: np.ndarray | float = overall
    for side in reversed(WINDOWS):
        pixels = np.float32(prod(min(side, n) for n in mask.shape))
        local, count = _smoothed(energy, side), _smoothed(known, side)
        local *= pixels
        local += np.float32(SHRINK) * wider
        count *= pixels
        count += np.float32(SHRINK)
        local /= count
        wider = np.maximum(local, 0, out=local)
        yield np.sqrt(local + (FLOOR * overall + TINY))


def _smoothed(image: np.ndarray, side: int) -> np.ndarray:
    """The mean over windows whose weights fall linearly from their centre."""
    from scipy.ndimage import uniform_filter

    sides = [min(side, n) for n in image.shape]
    return uniform_filter(uniform_filter(image, sides), sides)


def fit_scale(features: np.ndarray, errors: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """The coefficients of the logarithm of a scale: the most likely ones for errors with a Laplace distribution.

    Parameters
    ----------
    features : ndarray of shape (n, p)
        The first is 1, and its coefficient is free; the others are centred.
    errors : ndarray of shape (n,)
        Positive.
    prior : ndarray of shape (p,)
        What the coefficients are shrunken towards.

    Returns
    -------
    coefficients : ndarray of shape (p,)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = np.stack([np.ones(5000), rng.standard_normal(5000)], axis=1)
    >>> errors = rng.exponential(np.exp(x @ [1.0, 0.5]))
    >>> fit_scale(x, errors, np.array([0.0, 1.0])).round(1)
    array([1. , 0.5])
    """
    ridge = np.full(prior.size, RIDGE)
    ridge[0] = 0
    theta = prior.astype(float)
    theta[0] += np.log(np.mean(errors / np.exp(features @ theta)))
    for _ in range(NEWTON_STEPS):
        ratio = errors / np.exp(features @ theta)
        gradient = features.T @ (1 - ratio) + ridge * (theta - prior)
        hessian = (features.T * ratio) @ features + np.diag(ridge)
        step = np.linalg.solve(hessian, gradient)
        theta = theta - step / max(1, np.abs(step).max())
        if np.abs(step).max() < 1e-8:
            break
    return theta


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """What is known of the errors of one restored image.

    Attributes
    ----------
    problem : Problem
        The image and what is missing.
    centre : ndarray of shape (M[, N[, ..., P]], C)
        The restored image in its units, not rounded.
    scale : ndarray of the same shape
        The scale of the errors; 0 where known, infinite where nothing was filled.
    ladders : tuple of Ladder or None, one a channel
        The standardised errors, or None where they are taken as normal.
    variances : list of (ndarray, list of int, Field)
        The variances of the field for each mask, the channels that have it, and the field.
    note : str
        A sentence for the status.
    least : tuple of float
        What the solver may be off by in each channel, in the image's units: nothing is surer. Empty if not known.
    """

    problem: Problem
    centre: np.ndarray
    scale: np.ndarray
    ladders: tuple[Ladder | None, ...]
    variances: list[tuple[np.ndarray, list[int], Field]]
    note: str
    least: tuple[float, ...] = ()
    _std: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @lazy
    def deviation(self) -> np.ndarray:
        """The standard deviation of every value, channels last."""
        return self._times([None if ladder is None else ladder.spread for ladder in self.ladders], 1.0)

    def std(self) -> np.ndarray:
        """The standard deviation, in the image's units and its shape."""
        return self._as_user(self.deviation.copy())

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """The lower and the upper end of intervals of this level, in the image's units and its shape.

        They are rounded outwards: where floats are too coarse for the image, an interval still has a width. Those of
        integers hold the restored one: if they are narrower than a level, they reach to it.
        """
        factors = [None if ladder is None else ladder.quantile(level) for ladder in self.ladders]
        half = self._times(factors, normal_quantile(level))
        wide = half > 0
        low, high = (
            np.where(wide, np.nextafter(self.centre + side * half, side * np.inf), self.centre) for side in (-1, 1)
        )
        dtype = self.problem.array.dtype
        if dtype.kind in "iu":
            info, restored = np.iinfo(dtype), np.rint(self.centre + HALF_TIE)
            low, high = np.minimum(low, restored), np.maximum(high, restored)
            low, high = np.maximum(low, float(info.min)), np.minimum(high, float(info.max))
        return self._as_user(low), self._as_user(high)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Images that the field thinks possible, of shape ``(n, *image.shape)``, in the image's units."""
        deviation = np.where(np.isinf(self.deviation), np.nan, self.deviation)
        out = np.repeat((self.centre + 0 * deviation)[None], n, axis=0)
        for image in out:
            for v, channels, gaussian in self.variances:
                root = np.sqrt(v)
                for c in channels:
                    z = gaussian.draw(rng)
                    image[..., c] += deviation[..., c] * np.divide(z, root, out=np.zeros_like(z), where=root > 0)
        for _, _, gaussian in self.variances:
            gaussian.release()
        return np.stack([self._as_user(image) for image in out]) if n else np.empty((0, *self.problem.array.shape))

    def _times(self, factors: list[Callable[[np.ndarray], np.ndarray] | None], normal: float) -> np.ndarray:
        """The scale times a factor that depends on it."""
        out = np.zeros_like(self.scale)
        for c, factor in enumerate(factors):
            at = np.isfinite(self.scale[..., c]) & (self.scale[..., c] > 0)
            s = self.scale[..., c][at]
            out[..., c][at] = s * (normal if factor is None else factor(s))
            if self.least:
                out[..., c][at] = np.maximum(out[..., c][at], self.least[c])
            out[..., c][np.isinf(self.scale[..., c])] = np.inf
        return out

    def _as_user(self, values: np.ndarray) -> np.ndarray:
        axis = self.problem.channel_axis
        return np.ascontiguousarray(values[..., 0] if axis is None else np.moveaxis(values, -1, axis))


def posterior_of(problem: Problem, solution: Solution, rng: np.random.Generator | int) -> Uncertainty:
    """The posterior of measurements with noise: normal, with the scale of the field, and not calibrated."""
    rng = np.random.default_rng(rng)
    scale, variances = _zero_or_inf(problem), []
    for c, gaussian in enumerate(solution.posterior or ()):
        v = gaussian.variances(rng)
        variances.append((v, [c], gaussian))
        finite = np.isfinite(scale[..., c])
        scale[..., c][finite] = (solution.scale[c] * np.sqrt(v) * problem.scales[c])[finite]  # type: ignore[index]
    note = (
        f"The standard deviations are those of the posterior, not calibrated. They took {DRAWS * len(variances)} more "
        "solutions."
    )
    centre = problem.measured(solution.values, smoothed=True)
    return Uncertainty(problem, centre, scale, (None,) * problem.shape[-1], variances, note)


@dataclass(frozen=True, eq=False)
class _Restored:
    """One restoration, and what its errors may depend on. Arrays have the channels last."""

    problem: Problem
    values: np.ndarray
    variances: list[tuple[np.ndarray, list[int], Field]]
    exact: bool  # whether the values are the mean of the field

    @classmethod
    def of(cls, problem: Problem, values: np.ndarray, method: Method, rng: np.random.Generator) -> _Restored:
        fields = [(method.field(mask, problem.spacing), channels) for mask, channels in problem.groups()]
        variances = [(gaussian.variances(rng), channels, gaussian) for gaussian, channels in fields]
        return cls(problem, values, variances, type(method).field is not Method.field)

    @property
    def solves(self) -> int:
        return sum(gaussian.solves for _, _, gaussian in self.variances)

    @lazy
    def harmonic(self) -> np.ndarray:
        """The harmonic fill, whose roughness is measured whatever the method."""
        if self.exact and all(gaussian.order == 1 and gaussian.lags == (1,) for _, _, gaussian in self.variances):
            return self.values
        from skinpaint.grid.harmonic.fill import fill

        return fill(self.problem.values, self.problem.mask, self.problem.spacing, FILL_TOL)

    def features(self, v: np.ndarray, gaussian: Field, c: int, where: np.ndarray) -> Iterator[np.ndarray]:
        """The features of the pixels `where` of channel `c`, one after another to save memory."""
        yield np.ones(np.count_nonzero(where))
        yield 0.5 * np.log(v[where])
        energy, overall = _energy(self.harmonic[..., c], gaussian.mask, self.problem.spacing)
        for window in _windows(energy, overall, gaussian.mask):
            yield np.log(window[where], dtype=float)
        yield np.log(some_distances_to_known(gaussian.mask, self.problem.spacing, where))


PRIOR = np.array([0.0, 1.0, *[1 / len(WINDOWS)] * len(WINDOWS), 0.0])


def uncertainty_of(
    problem: Problem,
    solution: Solution,
    method: Method,
    solve: Callable[[np.ndarray, np.ndarray], tuple[Problem, Solution]],
    rng: np.random.Generator,
) -> Uncertainty:
    """Calibrate the errors of a solution.

    Parameters
    ----------
    problem, solution
        What was restored, and how.
    method : Method
        By which; it says which field to take.
    solve : callable
        ``solve(image, mask)`` restores another image in the same way.
    rng : numpy.random.Generator
        Source of the hidden pixels and of the draws.

    Returns
    -------
    uncertainty : Uncertainty
    """
    values = np.broadcast_to(solution.values, problem.shape)
    if problem.trivial is not None:
        note = "The standard deviations are 0: there is nothing to be unsure of, as far as the known pixels tell."
        centre = problem.measured(values)
        return Uncertainty(problem, centre, _zero_or_inf(problem), (None,) * problem.shape[-1], [], note)
    hiding, drawing, redrawing = rng.spawn(3)  # so that no number of channels changes the draws
    trials, more = _rehearse(problem, method, solve, hiding, redrawing)
    here = _Restored.of(problem, values, method, drawing)
    scale = _zero_or_inf(problem)
    ladders: list[Ladder | None] = [None] * problem.shape[-1]
    calibrated, bare = 0, 0
    for v, channels, gaussian in here.variances:
        for c in channels:
            if problem.low[c] == problem.high[c]:
                continue
            at = gaussian.mask & problem.filled[..., c % problem.mask.shape[-1]]
            if c in trials:
                scale[..., c][at], ladders[c] = trials[c].applied(here.features(v, gaussian, c, at))
                calibrated += trials[c].errors.size
            else:
                known = int(np.count_nonzero(~gaussian.mask))
                fill = values if here.exact else here.harmonic
                own = gaussian.scale(np.where(gaussian.mask, fill[..., c], problem.values[..., c]), known)
                scale[..., c][at] = own * np.sqrt(v[at]) * problem.scales[c]
                bare += 1
    note = _note(calibrated, bare, problem, here.solves + more)
    centre = problem.measured(values)
    return Uncertainty(problem, centre, scale, tuple(ladders), here.variances, note, _least(problem, solution))


def _least(problem: Problem, solution: Solution) -> tuple[float, ...]:
    """What a solver may be off by in each channel, in the image's units: smaller errors say nothing of the image.

    It is a fraction of the range of the known values. This goes from the first to the 99th percentile, so that a star
    or a hot pixel does not change it, unless nearly all are equal.
    """
    stated = next((each for each in (solution.residual, solution.error) if each is not None), UNSTATED)
    ranges = []
    for c in range(problem.shape[-1]):
        known = problem.values[..., c][~problem.mask[..., c % problem.mask.shape[-1]]]
        low, high = np.percentile(known, (1, 99))
        ranges.append(float(high - low or np.ptp(known)) * float(problem.scales[c]))
    return tuple(min(SOLVED * stated, UNSOLVED) * each for each in ranges)


def _note(calibrated: int, bare: int, problem: Problem, solves: int) -> str:
    """How the standard deviations were found."""
    said = []
    if calibrated:
        said.append(f"The standard deviations are calibrated on {calibrated} known values that were hidden.")
    if bare:
        whose = "those of the Gaussian field" if not calibrated else f"those of the field in {bare} channels"
        said.append(
            f"The standard deviations are {whose}, not calibrated: too few known pixels could be hidden, or they were "
            "predicted without error."
        )
    if flat := int(np.count_nonzero(problem.low == problem.high)):
        said.append(f"They are 0 in {flat} channel{'' if flat == 1 else 's'} whose known pixels are all equal.")
    if problem.left:
        said.append("They are infinite where pixels were left as they came.")
    said.append(f"They took {solves} more solution{'' if solves == 1 else 's'}.")
    return " ".join(said)


def _zero_or_inf(problem: Problem) -> np.ndarray:
    """0 everywhere but where pixels are left as they came."""
    out = np.zeros(problem.shape)
    out[np.broadcast_to(problem.mask & ~problem.filled, problem.shape)] = np.inf
    return out


@dataclass(frozen=True, eq=False)
class _Trial:
    """The errors of hidden values of a channel, and what they may depend on."""

    errors: np.ndarray  # prediction minus truth, in the image's units
    features: np.ndarray  # one row an error

    def applied(self, features: Iterator[np.ndarray]) -> tuple[np.ndarray, Ladder]:
        """The scale of the errors where the features are those given, and the errors that it is calibrated on."""
        size, centre = np.abs(self.errors), self.features.mean(axis=0)
        unit = size.max()  # the sum of errors may be beyond all floats
        size = size / unit
        centre[0] = 0
        known = self.features - centre
        theta = fit_scale(known, size + SMALL_ERROR * size.mean(), PRIOR)
        predicted = np.exp(known @ theta)
        log_scale = sum(t * (feature - c) for t, feature, c in zip(theta, features, centre, strict=True))
        return unit * np.exp(log_scale), Ladder.of(unit * predicted, size / predicted)


def _rehearse(
    problem: Problem,
    method: Method,
    solve: Callable[[np.ndarray, np.ndarray], tuple[Problem, Solution]],
    hiding: np.random.Generator,
    drawing: np.random.Generator,
) -> tuple[dict[int, _Trial], int]:
    """Restore the image with more of it hidden: a trial for each channel that has enough errors, and the solutions."""
    mask = problem.as_user(problem.mask)
    axis = problem.channel_axis
    if np.count_nonzero(~problem.mask, axis=tuple(range(problem.ndim))).max() < MIN_HIDDEN:
        return {}, 0
    noisy, larger, hidden = hold_out(problem.array, mask, channel_axis=axis, rng=hiding)
    hidden = hidden[..., None] if hidden.ndim < problem.array.ndim or axis is None else np.moveaxis(hidden, axis, -1)
    more, solution = solve(noisy, larger)
    if more.trivial is not None:
        return {}, 0
    there = _Restored.of(more, np.broadcast_to(solution.values, more.shape), method, drawing)
    trials, least = {}, _least(more, solution)
    for v, channels, gaussian in there.variances:
        for c in channels:
            where = hidden[..., c % hidden.shape[-1]]
            errors = more.errors_at(there.values, c, where, problem)
            errors[np.abs(errors) <= least[c]] = 0
            if problem.low[c] < problem.high[c] and errors.size >= MIN_HIDDEN and errors.any():
                trials[c] = _Trial(errors, np.stack(list(there.features(v, gaussian, c, where)), axis=1))
    return trials, there.solves + 1
