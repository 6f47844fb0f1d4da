"""The Gaussian field of the closed forms, against dense inverses that are built edge by edge."""

from itertools import product

import numpy as np
import pytest

from skinpaint.grid import threads
from skinpaint.trust import field as module
from skinpaint.trust.field import Field


def hole(shape, margin=3):
    mask = np.zeros(shape, bool)
    mask[(slice(margin, -margin),) * len(shape)] = True
    return mask


def scattered(shape, missing, seed=0):
    mask = np.random.default_rng(seed).random(shape) < missing
    mask.flat[0] = False
    return mask


def laplacian(shape, spacing, lags, weights):
    """Every pixel and its neighbours, one by one."""
    number = np.arange(np.prod(shape)).reshape(shape)
    L = np.zeros((number.size, number.size))
    terms = list(product(range(len(shape)), lags))
    for index in np.ndindex(shape):
        for k, (axis, lag) in enumerate(terms):
            other = (*index[:axis], index[axis] + lag, *index[axis + 1 :])
            if other[axis] < shape[axis]:
                w = (min(spacing) / spacing[axis]) ** 2 if weights is None else weights[k][index]
                i, j = number[index], number[other]
                L[[i, j], [i, j]] += w
                L[[i, j], [j, i]] -= w
    return L


def covariance(field):
    """Of the unknown pixels."""
    L = laplacian(field.mask.shape, field.spacing, field.lags, field.weights)
    Q = L @ L if field.order == 2 else L
    Q += np.diag(np.zeros(len(Q)) if field.shift is None else field.shift.ravel())
    at = np.flatnonzero(field.mask)
    return np.linalg.inv(Q[np.ix_(at, at)])


def noisy(shape):
    """A precision for half of the pixels."""
    rng = np.random.default_rng(5)
    return np.where(rng.random(shape) < 0.5, rng.uniform(0.1, 3, shape), 0)


def weighted(shape):
    return tuple(np.random.default_rng(6 + k).uniform(0.2, 2, shape) for k in range(2))


SQUARE = (24, 24)
FIELDS = {
    "harmonic": Field(hole(SQUARE), 1, (1.0, 1.0)),
    "harmonic, scattered": Field(scattered(SQUARE, 0.75), 1, (1.0, 1.0)),
    "harmonic, two lags": Field(hole(SQUARE), 1, (1.0, 1.0), (1, 2)),
    "harmonic, anisotropic": Field(hole(SQUARE), 1, (1.0, 2.5)),
    "harmonic, weighted": Field(hole(SQUARE), 1, (1.0, 1.0), weights=weighted(SQUARE)),
    "harmonic, noisy": Field(np.ones(SQUARE, bool), 1, (1.0, 1.0), shift=noisy(SQUARE)),
    "harmonic, volume": Field(hole((8, 8, 8), 1), 1, (1.0, 1.0, 1.0)),
    "harmonic, signal": Field(scattered((60,), 0.8), 1, (1.0,)),
    "biharmonic": Field(hole(SQUARE), 2, (1.0, 1.0)),
    "biharmonic, scattered": Field(scattered(SQUARE, 0.75), 2, (1.0, 1.0)),
    "biharmonic, anisotropic": Field(hole(SQUARE), 2, (1.0, 1.6)),
    "biharmonic, noisy": Field(np.ones(SQUARE, bool), 2, (1.0, 1.0), shift=noisy(SQUARE)),
    "biharmonic, volume": Field(hole((8, 8, 8), 1), 2, (1.0, 1.0, 1.0)),
}


@pytest.fixture(params=FIELDS)
def field(request):
    return FIELDS[request.param]


def test_exact_variances_are_those_of_a_dense_inverse(field):
    v = field.variances(estimator="exact")
    assert (v[~field.mask] == 0).all()
    np.testing.assert_allclose(v[field.mask], np.diag(covariance(field)), rtol=1e-8)


def spread(field, estimator, draws=64):
    """The relative error of the standard deviation: root mean square, and mean."""
    v = field.variances(3, draws=draws, estimator=estimator)
    error = np.sqrt(v[field.mask] / np.diag(covariance(field))) - 1
    return np.sqrt(np.mean(error**2)), abs(error.mean())


def test_variances_by_draws_are_within_the_monte_carlo_error(field):
    # 64 draws give plain variances, of which these are the better part, to 1 / sqrt(128) = 8.8 %.
    error, bias = spread(field, "draws")
    assert error < 0.095
    assert bias < 0.045  # neighbours share their draws: the mean has some error, too


@pytest.mark.parametrize("name", ["harmonic, scattered", "biharmonic, scattered", "harmonic, signal"])
def test_probing_beats_draws_on_scattered_masks(name):
    probes, draws = (spread(FIELDS[name], each, 16)[0] for each in ("probes", "draws"))
    assert probes < 0.07
    assert probes < draws


@pytest.mark.parametrize("name", ["harmonic", "biharmonic", "harmonic, weighted", "biharmonic, noisy"])
def test_draws_have_the_covariance_of_the_field(name):
    field = FIELDS[name]
    C = covariance(field)
    rng = np.random.default_rng(0)
    z = np.array([field.draw(rng)[field.mask] for _ in range(400)])
    assert np.abs(white(C, z) - 1).max() < 0.15


def white(C, z):
    """The variances of the draws along eigenvectors of C, relative to what they should be, in ten groups."""
    eigenvalues, vectors = np.linalg.eigh(C)
    ratios = np.mean((z @ vectors) ** 2, axis=0) / eigenvalues
    return np.array([part.mean() for part in np.array_split(ratios, 10)])


FAULTS = {
    "an axis without noise": (
        module.Harmonic,
        "differences",
        lambda right: (
            lambda self, rng: np.where(
                np.arange(self.layout.zeros().size) % self.layout.padded[-1] < 12, right(self, rng), 0
            )
        ),
    ),
    "the conditional variance is forgotten": (
        module.Piece,
        "drawn",
        lambda right: lambda self, rng, draws: right(self, rng, draws) - self.inverse,
    ),
    "a solver that sees no neighbours": (
        module.Harmonic,
        "solve",
        lambda right: lambda self, load, exact=False: self.inverse * load,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_comparison_catches_a_fault(fault, monkeypatch):
    owner, name, broken = FAULTS[fault]
    monkeypatch.setattr(owner, name, broken(getattr(owner, name)))
    error, bias = spread(FIELDS["harmonic"], "draws")
    assert error > 0.095 or bias > 0.045


@pytest.mark.parametrize("fault", ["the border", "the power"])
def test_the_comparison_of_exact_variances_catches_a_fault(fault):
    right = FIELDS["biharmonic"]
    wrong = Field(right.mask[:-3], 2, (1.0, 1.0)) if fault == "the border" else Field(right.mask, 1, (1.0, 1.0))
    v = wrong.variances(estimator="exact")[wrong.mask]
    expected = np.diag(covariance(right))
    assert v.shape != expected.shape or not np.allclose(v, expected, rtol=1e-8)


@pytest.mark.parametrize("order", [1, 2])
def test_one_more_known_pixel_raises_no_variance(order):
    mask = hole((16, 17), 2)
    before = Field(mask, order, (1.0, 1.0)).variances(estimator="exact")
    for seed in range(5):
        known = mask.copy()
        known.flat[np.random.default_rng(seed).choice(np.flatnonzero(mask), 1)] = False
        after = Field(known, order, (1.0, 1.0)).variances(estimator="exact")
        assert (after <= before * (1 + 1e-9)).all()
        assert after.sum() < before.sum()


def prior(shape, order, rng):
    """A draw of the field where nothing is known, up to a constant: cosines are the eigenvectors of L."""
    from scipy.fft import idctn

    axes = np.meshgrid(*(2 - 2 * np.cos(np.pi * np.arange(n) / n) for n in shape), indexing="ij")
    eigenvalues = sum(axes) ** order
    eigenvalues.flat[0] = np.inf
    return idctn(rng.standard_normal(shape) / np.sqrt(eigenvalues), norm="ortho")


@pytest.mark.parametrize("order", [1, 2])
def test_intervals_cover_draws_from_the_prior(order):
    """The scale is estimated from each image; 90 % intervals cover 90 +- 1 % of the missing pixels."""
    rng = np.random.default_rng(2)
    mask = scattered((40, 40), 0.5)
    mask[10:22, 8:20] = True
    field = Field(mask, order, (1.0, 1.0))
    v = field.variances(estimator="exact")
    L = laplacian(mask.shape, (1.0, 1.0), (1,), None)
    Q = np.linalg.matrix_power(L, order)
    U, K = np.flatnonzero(mask), np.flatnonzero(~mask)
    fill = -np.linalg.solve(Q[np.ix_(U, U)], Q[np.ix_(U, K)])
    scales, covered = [], []
    for _ in range(100):
        image = 3 * prior(mask.shape, order, rng)
        filled = image.copy()
        filled.flat[U] = fill @ image.flat[K]
        scales.append(field.scale(filled, K.size))
        covered.append(np.mean(np.abs(filled - image)[mask] <= 1.644854 * scales[-1] * np.sqrt(v[mask])))
    assert np.mean(scales) == pytest.approx(3, rel=0.01)
    assert np.mean(covered) == pytest.approx(0.9, abs=0.01)


def test_the_density_adds_up_to_the_energy(field):
    if field.shift is not None:
        pytest.skip("the energy is that of the field alone")
    x = np.random.default_rng(0).random(field.mask.shape)
    L = laplacian(field.mask.shape, field.spacing, field.lags, field.weights)
    expected = x.ravel() @ np.linalg.matrix_power(L, field.order) @ x.ravel()
    assert field.density(x).sum() == pytest.approx(expected, rel=1e-12)


def test_short_axes_change_nothing():
    flat = Field(scattered((30,), 0.7), 1, (1.0,)).variances(0)
    deep = Field(scattered((30,), 0.7).reshape(1, 30, 1), 1, (0.1, 1.0, 7.0)).variances(0)
    np.testing.assert_array_equal(flat, deep.ravel())


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("estimator", ["draws", "probes", "auto"])
def test_the_bytes_do_not_depend_on_the_number_of_threads(order, estimator, monkeypatch):
    monkeypatch.setattr(threads, "MIN_SHARED_ENTRIES", 1)
    field = Field(scattered((50, 60), 0.8), order, (1.0, 1.0))
    answers = []
    for number in (1, 2, 5):
        monkeypatch.setattr(threads, "workers", lambda number=number: number)
        answers.append(field.variances(4, estimator=estimator).tobytes())
    assert len(set(answers)) == 1


def test_the_mean_solves_the_system():
    for name in ("harmonic, noisy", "biharmonic, noisy"):
        field = FIELDS[name]
        load = field.shift * np.random.default_rng(1).random(SQUARE)
        x, _, _ = field.mean(load, tol=1e-10)
        np.testing.assert_allclose(x.ravel(), covariance(field) @ load.ravel(), rtol=1e-6, atol=1e-8)
