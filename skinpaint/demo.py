"""A photograph of which nine tenths are destroyed comes back: every method on one picture, in one folder."""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter

import numpy as np
from PIL import Image

from skinpaint import damage, io
from skinpaint.film import Recorder, energy_curve, film, with_caption
from skinpaint.inpainter import Inpainter
from skinpaint.methods import resolve
from skinpaint.methods.gradient_descent import GradientDescent
from skinpaint.methods.laplace import Laplace
from skinpaint.solution import Solution

__all__ = ["demo"]

FRACTION = 0.9


def demo(folder: str | Path = "skinpaint-demo", *, size: int = 512, seed: int = 0) -> list[Path]:
    """Destroy nine tenths of a photograph, restore it with several methods, and keep what they did.

    Parameters
    ----------
    folder : str or Path, optional
        Where the pictures, the side-by-side sheet, the film and the energy curve go. It is made if it does
        not exist; files of the same names in it are replaced.
    size : int, optional
        Height and width of the photograph, from 32 to 512.
    seed : int, optional
        Of the damage.

    Returns
    -------
    paths : list of Path
        The files that were written.

    Raises
    ------
    ValueError
        If `size` is out of range.

    Examples
    --------
    >>> demo(size=8)
    Traceback (most recent call last):
        ...
    ValueError: The 'size' parameter of demo must be an int from 32 to 512. Got 8 instead.
    """
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    truth = _photograph(size)
    damaged, mask = damage.random_pixels(truth, FRACTION, rng=seed)
    print(f"camera, {size} x {size} pixels, {mask.mean():.1%} destroyed, seed {seed}\n")
    print(f"{'method':<10}{'PSNR':>9}{'SSIM':>8}{'seconds':>9}{'iterations':>12}  proof")

    _compile(damaged, mask)
    recorder = Recorder(growth=1.2)
    methods = {"classic": GradientDescent.classic(), "gd": resolve("gd"), "laplace": resolve("laplace")}
    results: dict[str, Inpainter] = {}
    captions = {}
    for name, method in methods.items():
        callback = recorder if name == "classic" else None
        inpainter = Inpainter(method, bounds="dtype", progress=sys.stderr.isatty())
        began = perf_counter()
        restored = inpainter.fit_restore(damaged, mask, callback=callback)
        seconds = perf_counter() - began
        psnr = peak_signal_noise_ratio(truth, restored)
        ssim = structural_similarity(truth, restored)
        results[name] = inpainter
        captions[name] = f"{name}: {psnr:.2f} dB"
        print(
            f"{name:<10}{psnr:>6.2f} dB{ssim:>8.3f}{seconds:>9.2f}{inpainter.n_iter_:>12}  "
            f"{_proof(inpainter.solution_)}",
            flush=True,
        )
    pictures = {name: inpainter.restored_ for name, inpainter in results.items()}
    exact = all(np.array_equal(picture[~mask], truth[~mask]) for picture in pictures.values())
    print(f"\nKnown pixels are bit-identical in every result: {'yes' if exact else 'NO'}.")

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    named = {"truth": truth, "damaged": damaged, "mask": np.where(mask, 255, 0).astype(np.uint8), **pictures}
    for name, picture in named.items():
        paths.append(folder / f"{name}.png")
        io.write(paths[-1], picture, overwrite=True)

    error = np.abs(pictures["gd"].astype(int) - truth)
    tiles = {
        "truth": truth,
        f"damaged: {peak_signal_noise_ratio(truth, damaged):.2f} dB": damaged,
        **{captions[name]: picture for name, picture in pictures.items()},
        "where gd errs (4 x)": np.clip(4 * error, 0, 255).astype(np.uint8),
    }
    paths.append(folder / "sheet.png")
    with io.whole_file(paths[-1], overwrite=True) as partial:
        _sheet(tiles, columns=3).save(partial)

    paths.append(folder / "film.gif")
    film(
        [damaged, *recorder.frames, pictures["classic"]],
        paths[-1],
        captions=[
            f"{mask.mean():.0%} destroyed",
            *(f"iteration {n_iter}" for n_iter in recorder.iterations),
            f"iteration {results['classic'].n_iter_}",
        ],
        seconds=0.12,
        overwrite=True,
    )
    paths.append(folder / "energy.png")
    descents = {name: inpainter.history_ for name, inpainter in results.items() if len(inpainter.history_) > 1}
    energy_curve(descents, paths[-1], overwrite=True)

    print("\nWrote")
    for path in paths:
        print(f"  {path}")
    return paths


def _compile(damaged: np.ndarray, mask: np.ndarray) -> None:
    """Have the kernels compiled, which the very first run does, so that the seconds are those of the methods."""
    corner = (slice(0, 32), slice(0, 32))
    for method in (GradientDescent(max_iter=1, tol=None), Laplace(solver="multigrid")):
        Inpainter(method).fit(damaged[corner], mask=mask[corner])


def _photograph(size: int) -> np.ndarray:
    from skimage import data, transform

    if size != int(size) or not 32 <= size <= 512:
        raise ValueError(f"The 'size' parameter of demo must be an int from 32 to 512. Got {size!r} instead.")
    photograph = data.camera()
    if size == photograph.shape[0]:
        return photograph
    smaller = transform.resize(photograph, (size, size), anti_aliasing=True, preserve_range=True)
    return np.rint(smaller).astype(np.uint8)


def _proof(solution: Solution) -> str:
    """What the method proves about its answer."""
    if solution.gap is not None:
        return f"gap {solution.gap:.1e}"
    if solution.residual is not None:
        return f"residual {solution.residual:.1e}"
    return "-"


def _sheet(tiles: dict[str, np.ndarray], *, columns: int, margin: int = 8) -> Image.Image:
    """Return pictures of one size in rows, each with its name below it."""
    captioned = [with_caption(Image.fromarray(tile), caption) for caption, tile in tiles.items()]
    width, height = (side + margin for side in captioned[0].size)
    rows = -(-len(captioned) // columns)
    sheet = Image.new("L", (columns * width + margin, rows * height + margin), 255)
    for k, tile in enumerate(captioned):
        sheet.paste(tile, (margin + k % columns * width, margin + k // columns * height))
    return sheet
