"""How sure is it? Coverage and scores of intervals, their cost, and noise; each next to its peers.

    python benchmarks/run.py trust coverage     # 12 photographs, 6 masks, 4 methods
    python benchmarks/run.py trust cost         # 1 megapixel, and what peers can do
    python benchmarks/run.py trust noise        # 5 photographs, 3 levels of noise

Masks differ from image to image, and no choice in the library was made on `--seed` 2 or above.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np
from cases import PHOTOGRAPHS, discs, photograph, photographs
from machine import describe
from scipy import ndimage

from skinpaint import Biharmonic, Inpainter, Laplace, damage, inpaint
from skinpaint.scores import psnr
from skinpaint.solution import ConvergenceWarning

IMAGES = (
    "camera",
    "astronaut",
    "brick",
    "coffee",
    "grass",
    "rocket",
    "gravel",
    "chelsea",
    "moon",
    "coins",
    "cell",
    "page",
)
NOISY = "camera", "astronaut", "coffee", "moon", "coins"
MASKS = "50 % random", "80 % random", "90 % random", "text", "scratches", "discs"
METHODS = "laplace", "biharmonic", "dct", "gd"
SIDE, CROP = 256, 64
LEVEL = 0.9

Answer = tuple[np.ndarray, np.ndarray]  # the values and their standard deviations


def make_mask(kind: str, shape: tuple[int, int], seed: int) -> np.ndarray:
    """A mask of one of :data:`MASKS`."""
    rng = np.random.default_rng(seed)
    if kind.endswith("random"):
        return rng.random(shape) < int(kind[:2]) / 100
    if kind == "text":
        return np.roll(damage.text(np.zeros(shape))[1], rng.integers(0, 64, 2), (0, 1))
    if kind == "scratches":
        return damage.scratches(np.zeros(shape), 20, width=2, rng=rng)[1]
    return discs(shape, 0.08, int(rng.integers(6, 14)), rng)


def roughness(truth: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Leave-one-out residuals of known pixels whose neighbours are known, averaged around each missing pixel."""
    whole = ~ndimage.binary_dilation(mask)
    squares = ndimage.gaussian_filter(np.where(whole, ndimage.laplace(truth) / 4, 0) ** 2, 3)
    return (squares / np.maximum(ndimage.gaussian_filter(whole.astype(float), 3), 1e-3))[mask]


def thirds(by: np.ndarray) -> np.ndarray:
    """The third that each number is in, ties at random."""
    rng = np.random.default_rng(0)
    return np.argsort(np.lexsort((rng.random(by.size), by))) * 3 // by.size


def interval_score(error: np.ndarray, half: np.ndarray) -> float:
    """Mean width, and a fine for each value outside (Gneiting and Raftery 2007)."""
    return float(np.mean(2 * half + 2 / (1 - LEVEL) * np.maximum(np.abs(error) - half, 0)))


def crps(error: np.ndarray, std: np.ndarray) -> float:
    """Continuous ranked probability score of normal distributions."""
    from scipy.stats import norm

    std = np.maximum(std, 1e-9)
    z = error / std
    return float(np.mean(std * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))))


def coverage(seed: int) -> None:
    """Coverage of 90 % intervals, in the mean and in thirds, and scores relative to one width for all pixels."""
    rows: dict[tuple[str, str], list[list[float]]] = {}
    for i, name in enumerate(IMAGES):
        image = photograph(name, SIDE)
        truth = image.astype(float)
        for k, kind in enumerate(MASKS):
            mask = make_mask(kind, image.shape, 10_000 * seed + 100 * i + k)
            groups = [thirds(ndimage.distance_transform_edt(mask)[mask]), thirds(roughness(truth, mask))]
            for method in METHODS:
                inpainter = Inpainter(method).fit(image, mask=mask)
                low, high = inpainter.interval(LEVEL)
                inside = ((low <= truth) & (truth <= high))[mask]
                error = (inpainter.restored_.astype(float) - truth)[mask]
                # The constant is told the true errors, which nobody knows: it is as good as one width can be.
                constant = np.full(error.shape, np.quantile(np.abs(error), LEVEL))
                sigma = np.full(error.shape, np.sqrt(np.mean(error**2)))
                scores = interval_score(error, (high - low)[mask] / 2) / interval_score(error, constant)
                ranked = crps(error, inpainter.std()[mask]) / crps(error, sigma)
                parts = [inside[group == j].mean() for group in groups for j in range(3)]
                rows.setdefault((method, kind), []).append([inside.mean(), *parts, scores, ranked])
        print(f"... {name}", flush=True)
    print(
        f"\n90 % intervals, {len(IMAGES)} photographs of {SIDE} x {SIDE}, seed {seed}: % of the missing pixels inside, "
        "means over images;\nscores relative to one constant that is told the true errors (below 1 is better)\n"
    )
    print(f"{'method':<11}{'mask':<13}{'all':>6} {'by distance':>18} {'by roughness':>18} {'score':>7} {'CRPS':>6}")
    for method in METHODS:
        for kind in (*MASKS, "all"):
            chosen = [row for (m, k), each in rows.items() if m == method and kind in (k, "all") for row in each]
            mean = np.mean(chosen, axis=0)
            inside = (
                "".join(f"{100 * share:6.1f}" for share in mean[1:4])
                + " "
                + "".join(f"{100 * share:6.1f}" for share in mean[4:7])
            )
            print(f"{method:<11}{kind:<13}{100 * mean[0]:6.1f} {inside} {mean[7]:7.2f} {mean[8]:6.2f}")
    gaussian_process(seed)


def gaussian_process(seed: int) -> None:
    """Scores next to those of scikit-learn's Gaussian process, on crops that it can do."""
    from sklearn.exceptions import ConvergenceWarning as Unconverged
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    print(f"\nscikit-learn's GaussianProcessRegressor (Matern 1/2, fitted), crops of {CROP} x {CROP}, 50 % random")
    print(
        f"{'image':<11}{'ours: RMSE':>11}{'CRPS':>7}{'score':>8}{'inside':>8}{'s':>6}"
        f"{'GP: RMSE':>12}{'CRPS':>7}{'score':>8}{'inside':>8}{'s':>7}"
    )
    for i, name in enumerate(IMAGES[:6]):
        truth = photograph(name, SIDE)[96 : 96 + CROP, 96 : 96 + CROP].astype(float)
        mask = np.random.default_rng(10_000 * seed + i).random(truth.shape) < 0.5
        began = perf_counter()
        inpainter = Inpainter("laplace").fit(truth, mask=mask)
        std, (low, high) = inpainter.std()[mask], inpainter.interval(LEVEL)
        ours = perf_counter() - began
        X, y = np.argwhere(~mask), truth[~mask]
        kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(10.0, (0.5, 300.0), nu=0.5) + WhiteKernel(1e-3, (1e-6, 1.0))
        began = perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Unconverged)
            process = GaussianProcessRegressor(kernel, normalize_y=True).fit(X, y)
            mean, sigma = process.predict(np.argwhere(mask), return_std=True)
        theirs = perf_counter() - began
        row = []
        for error, spread, half in (
            ((inpainter.restored_ - truth)[mask], std, (high - low)[mask] / 2),
            (mean - truth[mask], sigma, 1.644854 * sigma),
        ):
            inside = 100 * np.mean(np.abs(error) <= half)
            row.append((np.sqrt(np.mean(error**2)), crps(error, spread), interval_score(error, half), inside))
        print(
            f"{name:<11}{row[0][0]:11.2f}{row[0][1]:7.2f}{row[0][2]:8.1f}{row[0][3]:8.1f}{ours:6.1f}"
            f"{row[1][0]:12.2f}{row[1][1]:7.2f}{row[1][2]:8.1f}{row[1][3]:8.1f}{theirs:7.1f}"
        )


def cost(seed: int) -> None:
    """Seconds and memory of a standard deviation relative to a solve, at 1 megapixel; and peers at their size."""
    print(f"{'method':<12}{'mask':<13}{'solve s':>8}{'field s':>9}{'ratio':>7}{'calibrated s':>14}{'ratio':>7}")
    rng = np.random.default_rng(seed)
    image = photographs(1000, rng, PHOTOGRAPHS, colour=False)
    for kind in ("50 % random", "80 % random", "text"):
        mask = make_mask(kind, image.shape, seed)
        for method in (Laplace(), Biharmonic()):
            Inpainter(method).fit(image, mask=mask)
            seconds = []
            for _ in range(3):
                began = perf_counter()
                inpainter = Inpainter(method).fit(image, mask=mask)
                seconds.append(perf_counter() - began)
            solve = float(np.median(seconds))
            began = perf_counter()
            method.field(mask, (1.0, 1.0)).variances(0)
            field = perf_counter() - began
            began = perf_counter()
            inpainter.std()
            calibrated = perf_counter() - began
            name = type(method).__name__.lower()
            print(
                f"{name:<12}{kind:<13}{solve:8.2f}{field:9.2f}{field / solve:7.1f}{calibrated:14.2f}"
                f"{calibrated / solve:7.1f}",
                flush=True,
            )
    alone, both = (memory(std) / 1e6 for std in (False, True))
    print(
        f"memory (laplace, 1 megapixel, 50 % random): a solve {alone:.0f} MB, with the standard deviation "
        f"{both:.0f} MB, {both / alone:.1f} times as much"
    )
    peers(seed)


def memory(std: bool) -> int:
    """Bytes that a call takes beyond the image, the mask and the libraries, with the standard deviation or without."""
    code = (
        "import sys, numpy as np\n"
        "from machine import peak\n"
        "from skinpaint import inpaint\n"
        "side, std = int(sys.argv[1]), sys.argv[2] == 'True'\n"
        "rng = np.random.default_rng(0)\n"
        "for n in (64, side):  # the small one loads what is compiled\n"
        "    image, mask = rng.random((n, n)), rng.integers(0, 2, (n, n), np.uint8).astype(bool)\n"
        "    before = peak()\n"
        "    answer = inpaint(image, mask, method='laplace', return_std=std)\n"
        "print(peak() - before)\n"
    )
    folder = str(Path(__file__).parent)
    return int(subprocess.check_output([sys.executable, "-c", code, "1000", str(std)], cwd=folder))


def by_us(rows: np.ndarray, columns: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray, side: int) -> Answer:
    """The fill of "laplace" and its standard deviation."""
    image, mask = np.zeros((side, side)), np.ones((side, side), bool)
    image[rows, columns], mask[rows, columns] = y, False
    inpainter = Inpainter("laplace").fit(image, mask=mask)
    return inpainter.restored_[u, v], inpainter.std()[u, v]


def by_pykrige(rows: np.ndarray, columns: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray, _: int) -> Answer:
    """Ordinary kriging with an exponential variogram that is fitted."""
    from pykrige.ok import OrdinaryKriging

    kriging = OrdinaryKriging(columns.astype(float), rows.astype(float), y, variogram_model="exponential")
    mean, variance = kriging.execute("points", v.astype(float), u.astype(float))
    return np.asarray(mean), np.sqrt(np.maximum(np.asarray(variance), 0))


def by_gstools(rows: np.ndarray, columns: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray, _: int) -> Answer:
    """Ordinary kriging with an exponential variogram that is fitted, from a guess without which it is not found."""
    import gstools

    points = rows.astype(float), columns.astype(float)
    model = gstools.Exponential(dim=2, var=y.var(), len_scale=10.0)
    centres, gamma = gstools.vario_estimate(points, y, np.arange(0, 40, 2.0), sampling_size=2000, sampling_seed=0)
    model.fit_variogram(centres, gamma, nugget=False, init_guess={"default": "current"})
    krige = gstools.krige.Ordinary(model, points, y, pseudo_inv=False)  # the pseudo-inverse takes several times as long
    mean, variance = krige((u.astype(float), v.astype(float)), return_var=True)
    return np.asarray(mean), np.sqrt(np.maximum(np.asarray(variance), 0))


def peers(seed: int) -> None:
    """Means and standard deviations by kriging, on sizes that its libraries can do in half a minute."""
    warm = np.random.default_rng(0).integers(0, 20, (2, 90))
    by_us(*warm, warm[0].astype(float), *warm, 20)  # loads what is compiled
    print("\n50 % random, fill and standard deviation, float64, one run")
    for side, name, solve in (
        (64, "skinpaint, laplace", by_us),
        (64, "PyKrige", by_pykrige),
        (64, "GSTools", by_gstools),
        (100, "skinpaint, laplace", by_us),
        (100, "PyKrige", by_pykrige),
    ):
        truth = photograph("camera", SIDE)[80 : 80 + side, 80 : 80 + side].astype(float)
        mask = np.random.default_rng(seed).random(truth.shape) < 0.5
        began = perf_counter()
        mean, std = solve(*np.nonzero(~mask), truth[~mask], *np.nonzero(mask), side)
        seconds = perf_counter() - began
        error = mean - truth[mask]
        print(
            f"{side:4} squared  {name:<20}{seconds:8.2f} s   RMSE {np.sqrt(np.mean(error**2)):6.2f}   "
            f"CRPS {crps(error, std):6.2f}   inside 90 %: {100 * np.mean(np.abs(error) <= 1.644854 * std):5.1f} %",
            flush=True,
        )


def dct_pls(noisy: np.ndarray, mask: np.ndarray, rounds: int = 100) -> np.ndarray:
    """Penalised least squares by cosines, of Garcia (2010): GCV with the trace of the complete grid."""
    from scipy.fft import dctn, idctn
    from scipy.optimize import minimize_scalar

    known = (~mask).astype(float)
    steps = (2 - 2 * np.cos(np.pi * np.arange(n) / n) for n in noisy.shape)
    eigenvalues = sum(np.meshgrid(*steps, indexing="ij")) ** 2
    _, at = ndimage.distance_transform_edt(mask, return_indices=True)
    x = noisy[tuple(at)]
    n = known.sum()

    def smoothed(p: float, coefficients: np.ndarray) -> tuple[np.ndarray, float]:
        gamma = 1 / (1 + 10**p * eigenvalues)
        return idctn(gamma * coefficients, norm="ortho"), float(gamma.mean())

    p = 0.0
    for k in range(rounds):
        coefficients = dctn(known * (np.where(mask, 0, noisy) - x) + x, norm="ortho")

        def gcv(p: float, coefficients: np.ndarray = coefficients) -> float:
            fit, trace = smoothed(p, coefficients)
            return float(np.sum(known * (np.where(mask, 0, noisy) - fit) ** 2) / n / (1 - trace) ** 2)

        if k % 10 == 0:
            p = minimize_scalar(gcv, bounds=(-4, 4), method="bounded").x
        x = smoothed(p, coefficients)[0]
    return x


def noise(seed: int) -> None:
    """PSNR of fills of noisy photographs, and the noise that is estimated."""
    from skimage import restoration

    truths = {name: photograph(name, SIDE).astype(float) for name in NOISY}
    columns: dict[str, dict[tuple[str, int], float]] = {}
    estimated: dict[tuple[str, int], float] = {}
    for i, (name, truth) in enumerate(truths.items()):
        for s in (5, 10, 25):
            rng = np.random.default_rng(10_000 * seed + 100 * i + s)
            noisy = truth + s * rng.standard_normal(truth.shape)
            mask = rng.random(truth.shape) < 0.5
            ours = Inpainter(Laplace(noise="estimate")).fit(noisy, mask=mask)
            estimated[name, s] = ours.solution_.noise[0] * np.ptp(noisy[~mask])
            fill = inpaint(noisy, mask, method="laplace")
            unit = fill / 255
            denoisers = {
                "wavelet": lambda u, s=s: restoration.denoise_wavelet(u, sigma=s / 255),
                # told the best of four weights, by the truth
                "tv, best weight": lambda u, truth=truth: max(
                    (restoration.denoise_tv_chambolle(u, weight=w) for w in (0.03, 0.06, 0.1, 0.2)),
                    key=lambda v: -np.mean((255 * v - truth) ** 2),
                ),
                "nl_means": lambda u, s=s: restoration.denoise_nl_means(
                    u, patch_size=5, patch_distance=6, h=0.8 * s / 255, sigma=s / 255, fast_mode=True
                ),
                "invariant": lambda u: restoration.denoise_invariant(u, restoration.denoise_tv_chambolle),
            }
            answers = {
                "laplace, noise": ours.restored_,
                "biharmonic, noise": inpaint(noisy, mask, method=Biharmonic(noise="estimate")),
                "laplace": fill,
                "biharmonic": inpaint(noisy, mask, method="biharmonic"),
                "DCT-PLS": dct_pls(noisy, mask),
                **{f"fill, {which}": 255 * denoise(unit) for which, denoise in denoisers.items()},
            }
            for column, answer in answers.items():
                found = psnr(truth / 255, np.clip(answer, 0, 255) / 255)
                columns.setdefault(column, {})[name, s] = found
        print(f"... {name}", flush=True)
    print(
        f"\nPSNR in dB of the whole image, {SIDE} x {SIDE}, 50 % missing, seed {seed}; denoisers are told the noise\n"
    )
    cases = [(name, s) for s in (5, 10, 25) for name in NOISY]
    print(f"{'':<22}" + "".join(f"{'noise ' + str(s):>11}" for s in (5, 10, 25)) + "   wins of laplace, noise")
    best = columns["laplace, noise"]
    for column, found in columns.items():
        means = "".join(f"{np.mean([found[name, s] for name in NOISY]):11.2f}" for s in (5, 10, 25))
        print(f"{column:<22}{means}   {sum(best[case] > found[case] for case in cases)} of {len(cases)}")
    print("\nestimated noise: " + ", ".join(f"{name} {s}: {estimated[name, s]:.1f}" for name, s in cases))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("coverage", "cost", "noise"))
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(describe())
    {"coverage": coverage, "cost": cost, "noise": noise}[args.what](args.seed)
