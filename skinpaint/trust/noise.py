r"""Known pixels with noise: the posterior mean of the field, and how much noise there is.

A known value y is a measurement of x with the standard deviation s. The posterior mean of a field with precision
:math:`Q / \sigma^2` solves

.. math:: (Q + \lambda) x = \lambda y , \qquad \lambda_i = \sigma^2 / s_i^2 ,

with :math:`\lambda_i = 0` where nothing is known. If s goes to 0, this is the fill. The scale of the field maximises
the restricted likelihood, where

.. math:: \sigma^2 = \frac{x^T Q x}{df - 1} , \qquad df = tr(\lambda (Q + \lambda)^{-1}) .

The degrees of freedom df are a sum over the *known* pixels, estimated with random signs (Hutchinson), the same ones for
every :math:`\sigma`, so that the equation is smooth. Of up to 200 pixels it is exact.

The noise is estimated from second differences between known pixels, :math:`y_i - (y_{i-1} + y_{i+1}) / 2`, of
variance :math:`3 s^2 / 2`, in the flattest windows of the image, where they hold little else. Where too few neighbours
are known, it is the restricted likelihood's: :math:`s^2 = |y - x|^2 / (n - df)`.

Where a photograph has edges, one scale for all edges of the grid smooths them. So second-order fields are solved again
with weights :math:`(1 + (q / 0.1 s)^2)^{-3/4}`, q the root mean square of the difference across an edge and its
neighbours in the last solution, first in that of the fourth order. The exponent falls to 0 with s. For the errors,
edges to missing pixels weigh like the others in the mean: the solution is smooth there whatever the photograph is.

References
----------
D. Garcia, "Robust smoothing of gridded data in one and higher dimensions with missing values", Comput. Stat. Data
Anal. 54 (2010). :doi:`10.1016/j.csda.2009.09.020` (the trace of the complete grid)
M. F. Hutchinson, "A stochastic estimator of the trace of the influence matrix for Laplacian smoothing splines",
Commun. Stat. Simul. 19 (1990). :doi:`10.1080/03610919008812866`
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, Literal

import numpy as np

from skinpaint.grid.axes import drop_short_axes
from skinpaint.trust.field import MAX_DENSE, Field

__all__ = ["Noise", "Smoothed", "as_array", "check_noise", "estimate_noise", "noise_of", "smooth", "unmeasured"]

Noise = float | np.ndarray | Literal["estimate"] | None

LEAST = 1e-6  # of the range: known values are not more accurate
STEPS = 9  # of the bisection for the scale, on a logarithmic axis
NARROWEST, WIDEST = 1e-6, 1.0  # variances of the field between which it looks, relative to that of the fill
STIFFEST = 1e-6  # least variance of the field, relative to that of the noise
LOOP_TOL, FILL_TOL = 1e-4, 1e-3
EDGE_ROUNDS, OUTLIER_ROUNDS = 2, 5  # solutions that find the edges, and the outliers
EDGE, POWER, SMEAR = 0.1, 1.5, 0.7  # noise that a difference is compared with, of the weights, and pixels
EDGE_NOISE = 1 / 255  # of the range: with less noise, edges are hardly weighted
OUTLIER = 3.0  # standard deviations: beyond, a measurement counts less
WINDOW, MIN_TRIPLES = 9, 10  # pixels, and second differences in a window
FLATTEST, MARGIN = 0.1, 0.08  # of the windows; and of the range at its ends, where noise may be cut off
MIN_WINDOWS = 100


def check_noise(noise: Any) -> bool:
    """Whether this can be the standard deviation of the noise."""
    if noise is None or (isinstance(noise, str) and noise == "estimate"):
        return True
    if isinstance(noise, bool | str):
        return False
    try:
        values = as_array(noise)
    except (TypeError, ValueError, OverflowError):
        return False
    if values.ndim == 0:
        return bool(0 <= values < np.inf)
    return values.size > 0 and bool((values >= 0).all()) and bool(np.isfinite(values).any())


def as_array(noise: Any) -> np.ndarray:
    """Standard deviations as floats, infinite where they are masked."""
    return np.ma.filled(np.ma.asarray(noise, dtype=float), np.inf)


def unmeasured(noise: Noise) -> np.ndarray | None:
    """Where the noise is infinite, which means missing; None if nowhere."""
    if not isinstance(noise, np.ndarray) or noise.ndim == 0:
        return None
    infinite = np.isinf(noise)
    return infinite if infinite.any() else None


@dataclass(frozen=True, eq=False)
class Smoothed:
    """The posterior of one channel.

    Attributes
    ----------
    values : ndarray of shape (M[, N[, ..., P]])
        Its mean.
    field : Field
        Its field, with the precision of the measurements, as far as its errors are concerned.
    scale : float
        The scale of the field.
    noise : float
        The noise, its root mean square over the known values if it differs.
    n_iter : int
        Cycles of the last solution.
    accuracy : float
        What it reached.
    """

    values: np.ndarray
    field: Field
    scale: float
    noise: float
    n_iter: int
    accuracy: float


def noise_of(noise: np.ndarray, ndim: int, channel_axis: int | None, channels: int) -> list[np.ndarray]:
    """The noise of each channel, from that of the spatial or of the image's shape."""
    if channel_axis is None or noise.ndim == ndim:
        return [noise] * channels
    return list(np.moveaxis(noise, channel_axis, 0))


def smooth(
    values: np.ndarray,
    fill: Field,
    noise: float | np.ndarray | None,
    *,
    robust: bool = False,
    edges: bool = True,
    tol: float = 1e-6,
) -> Smoothed:
    """The posterior mean of a field, given measurements with noise.

    Parameters
    ----------
    values : ndarray of shape (M[, N[, ..., P]])
        The measurements, in [0, 1].
    fill : Field
        The field without noise; its mask says where nothing was measured.
    noise : float, ndarray of the shape of `values`, or None
        The standard deviation of each measurement; None to estimate it.
    robust : bool
        Whether measurements far from the mean count less.
    edges : bool
        Whether a second-order field gets weights that follow the edges.
    tol : float
        Of the last solution.

    Returns
    -------
    smoothed : Smoothed

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = np.linspace(0.2, 0.8, 400)
    >>> noisy = truth + 0.05 * rng.standard_normal(400)
    >>> found = smooth(noisy, Field(np.zeros(400, bool), 2, (1.0,)), 0.05)
    >>> bool(np.sqrt(np.mean((found.values - truth) ** 2)) < 0.01)
    True
    """
    known = ~fill.mask
    y = np.where(known, values, 0.0)
    if noise is None:
        noise = estimate_noise(values, fill)
    s = np.maximum(np.broadcast_to(np.asarray(noise, dtype=float), y.shape), LEAST)
    typical = sqrt(1 / np.mean(1 / s[known] ** 2))
    precision = np.divide(1, s**2, out=np.zeros_like(s), where=known & np.isfinite(s))
    y = _nearest(y, precision > 0)
    edges = edges and fill.order == 1
    # The fourth order gives a better first look at where edges and outliers are.
    model = Field(fill.mask, 2, fill.spacing) if edges else fill
    for _ in range(OUTLIER_ROUNDS if robust else 0):
        found = _likeliest(y, model, precision, typical)
        left = max(1 - found.freedom / np.count_nonzero(known), LEAST)  # a residual's variance is s^2 (1 - leverage)
        far = np.abs(y - found.mean) / (OUTLIER * s * sqrt(left))
        precision = np.divide(1, s**2 * np.maximum(1, far) ** 2, out=np.zeros_like(s), where=precision > 0)
    found = _likeliest(y, model, precision, typical)
    for _ in range(EDGE_ROUNDS if edges else 0):
        weights = _edge_weights(found.mean, fill, typical)
        found = _likeliest(y, replace(fill, weights=weights), precision, typical)
    x, n_iter, accuracy = _mean(found.field, y, tol)
    field = _unsure_in_holes(found.field, fill) if edges else found.field
    return Smoothed(x, field, sqrt(found.variance), sqrt(np.mean(s[known] ** 2)), n_iter, accuracy)


@dataclass(frozen=True, eq=False)
class _Likeliest:
    """The posterior with the most likely scale, whose square is `variance`, and its degrees of freedom."""

    field: Field
    variance: float
    mean: np.ndarray
    freedom: float


def _likeliest(y: np.ndarray, model: Field, precision: np.ndarray, typical: float) -> _Likeliest:
    """Find the scale by bisection of its equation."""
    signs = 2.0 * np.random.default_rng(0).integers(2, size=y.shape) - 1
    bare = replace(model, mask=np.ones(y.shape, bool))
    rough = _mean(replace(bare, shift=precision * typical**2 * 1e3), y, FILL_TOL)[0]
    top = max(bare.density(rough).sum() / max(1, np.count_nonzero(precision) - 1), LEAST**2)
    # A field that varies far less than the noise is constant, and its system would be singular.
    low = np.log(max(NARROWEST * top, STIFFEST * typical**2))
    high = max(np.log(WIDEST * top), low + np.log(WIDEST / NARROWEST))
    for _ in range(STEPS):
        middle = (low + high) / 2
        variance = float(np.exp(middle))
        posterior = replace(bare, shift=precision * variance)
        x = _mean(posterior, y, LOOP_TOL)[0]
        freedom = _freedom(posterior, signs)
        too_wide = variance * max(freedom - 1, 1e-9) > float(bare.density(x).sum())
        low, high = (low, middle) if too_wide else (middle, high)
    return _Likeliest(posterior, variance, x, freedom)


def _freedom(posterior: Field, signs: np.ndarray) -> float:
    """The degrees of freedom: exact for few pixels, of which one draw of signs tells little."""
    shift = np.broadcast_to(np.asarray(posterior.shift), signs.shape)
    if shift.size <= MAX_DENSE:
        return float(np.sum(shift * posterior.variances(estimator="exact")))
    probe = np.sqrt(shift) * signs
    return float(np.sum(probe * posterior.mean(probe, tol=FILL_TOL)[0]))


def _mean(posterior: Field, y: np.ndarray, tol: float) -> tuple[np.ndarray, int, float]:
    """The posterior mean, as y and a correction: so a large shift takes no digits from what is not measured."""
    x, n_iter, accuracy = posterior.mean(-posterior.apply(y), tol=tol)
    return y + x, n_iter, accuracy


def _nearest(y: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """The measurements, and the nearest one where nothing was measured."""
    from scipy.ndimage import distance_transform_edt

    if measured.all():
        return y
    _, at = distance_transform_edt(~measured, return_indices=True)
    return y[tuple(at)]


def _edge_weights(x: np.ndarray, fill: Field, noise: float) -> tuple[np.ndarray, ...]:
    """The weights of the edges of each term: less across a large difference."""
    from scipy.ndimage import gaussian_filter

    u = drop_short_axes(x)
    power = POWER * noise**2 / (noise**2 + EDGE_NOISE**2)
    out = []
    for a, b, w in fill.edges():
        square = np.zeros(u.shape)
        square[a] = (u[b] - u[a]) ** 2
        smeared = gaussian_filter(square, SMEAR)
        out.append(w * (1 + smeared / (EDGE * noise) ** 2) ** (-power / 2))
    return tuple(out)


def _unsure_in_holes(posterior: Field, fill: Field) -> Field:
    """The posterior for the errors: edges to missing pixels weigh as the others do in the harmonic mean.

    Inside a hole the mean is smooth, whatever the field is there, so weights that follow it would be too sure.
    """
    known, weights = ~drop_short_axes(fill.mask), []
    for (a, b, _), w in zip(fill.edges(), posterior.weights or (), strict=True):
        measured, adapted = known[a] & known[b], w.copy()
        if measured.any():
            adapted[a][~measured] = 1 / np.mean(1 / w[a][measured])
        weights.append(adapted)
    return replace(posterior, weights=tuple(weights))


def estimate_noise(values: np.ndarray, fill: Field) -> float:
    """The standard deviation of the noise of the known values.

    Parameters
    ----------
    values : ndarray of shape (M[, N[, ..., P]])
        The measurements.
    fill : Field
        Its mask says where nothing was measured.

    Returns
    -------
    noise : float

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noisy = np.add.outer(np.arange(64), np.arange(64)) / 128 + 0.05 * rng.standard_normal((64, 64))
    >>> round(estimate_noise(noisy, Field(rng.random((64, 64)) < 0.3, 1, (1.0, 1.0))), 3)
    0.048
    """
    from scipy.ndimage import gaussian_gradient_magnitude, uniform_filter

    y, known = drop_short_axes(values), ~drop_short_axes(fill.mask)
    squares, counts = np.zeros(y.shape), np.zeros(y.shape)
    for axis in range(y.ndim):
        if y.shape[axis] < 3:
            continue
        before, here, after = ((*(slice(None),) * axis, s) for s in (slice(None, -2), slice(1, -1), slice(2, None)))
        all_known = known[before] & known[here] & known[after]
        second = np.where(all_known, y[here] - (y[before] + y[after]) / 2, 0)
        squares[here] += second**2 / 1.5
        counts[here] += all_known
    pixels = WINDOW**y.ndim
    triples, measured = uniform_filter(counts, WINDOW), uniform_filter(known.astype(float), WINDOW)
    mean = uniform_filter(np.where(known, y, 0), WINDOW) / np.maximum(measured, 1 / pixels)
    low, high = y[known].min(), y[known].max()
    edge = MARGIN * (high - low)
    usable = (triples * pixels >= MIN_TRIPLES - 0.5) & (mean > low + edge) & (mean < high - edge)
    if np.count_nonzero(usable) < MIN_WINDOWS:
        return _likely_noise(values, fill)
    variance = uniform_filter(squares, WINDOW)[usable] / triples[usable]
    slope = gaussian_gradient_magnitude(mean, WINDOW / 3)[usable]
    return sqrt(max(float(np.median(variance[slope <= np.quantile(slope, FLATTEST)])), 0.0))


def _likely_noise(values: np.ndarray, fill: Field) -> float:
    """The noise and the scale of a biharmonic field that are most likely together."""
    known = ~fill.mask
    y, n = np.where(known, values, 0.0), int(np.count_nonzero(known))
    everywhere = np.ones(y.shape, bool)
    signs = 2.0 * np.random.default_rng(0).integers(2, size=y.shape) - 1
    bare = Field(everywhere, 2, fill.spacing)
    low, high, noise = np.log(1e-5), np.log(1e3), 0.0
    for _ in range(STEPS + 3):
        middle = (low + high) / 2
        ratio = float(np.exp(middle))
        posterior = Field(everywhere, 2, fill.spacing, shift=ratio * known)
        x = posterior.mean(ratio * y, tol=LOOP_TOL)[0]
        freedom = _freedom(posterior, signs)
        error = float(np.sum((x - y)[known] ** 2)) / max(n - freedom, 1e-9)
        noise = sqrt(error)
        too_sure = error * ratio * max(freedom - 1, 1e-9) > float(bare.density(x).sum())
        low, high = (low, middle) if too_sure else (middle, high)
    return noise
