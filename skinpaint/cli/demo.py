"""Destroy nine tenths of a photograph, and restore it with several methods, in one folder."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from skinpaint.cli.common import Status, a_path, add_seed, is_watched, say
from skinpaint.cli.numbers import integer

if TYPE_CHECKING:
    from skinpaint.inpainter import Inpainter
    from skinpaint.show.film import Recorder
    from skinpaint.solution import Solution

__all__ = ["HELP", "add_arguments", "demo", "run"]

HELP = "destroy nine tenths of a photograph and restore it"
FRACTION = 0.9  # of the pixels are destroyed
METHODS = {"classic": "gd:classic", "gd": "gd", "laplace": "laplace", "dct": "dct"}
FILMED = {"classic": "gradient descent, step", "dct": "dct, round"}  # in the film, side by side
PICTURES = "truth", "damaged", "mask", *METHODS
FILES = (*(f"{name}.png" for name in PICTURES), "sheet.png", "film.gif", "energy.png")
GAP = 8  # pixels between the two pictures of the film


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument(
        "--out",
        default="skinpaint-demo",
        metavar="FOLDER",
        type=a_path,
        help="folder for the pictures; those of an earlier demo in it are replaced (default: %(default)s)",
    )
    parser.add_argument(
        "--size", type=integer(32, 512), default=512, help="height and width, 32 to 512 (default: %(default)s)"
    )
    add_seed(parser, "seed of the damage")


def run(args: argparse.Namespace) -> int:
    """Show the product at work."""
    demo(args.out, size=args.size, seed=args.seed)
    return Status.OK


def demo(folder: str | Path = "skinpaint-demo", *, size: int = 512, seed: int = 0) -> list[Path]:
    """Destroy nine tenths of a photograph, restore it with several methods, and keep what they did.

    Parameters
    ----------
    folder : str or Path, optional
        Folder for the pictures, the sheet, the film and the energy curve. It is made if it does not exist; the files of
        an earlier demo in it are replaced.
    size : int, optional
        Height and width of the photograph, from 32 to 512.
    seed : int, optional
        Seed of the damage.

    Returns
    -------
    paths : list of Path
        The files that were written.

    Raises
    ------
    ValueError
        If `size` is out of range.
    FileExistsError
        If files of the same names in `folder` are not of an earlier demo.

    Examples
    --------
    >>> demo(size=8)
    Traceback (most recent call last):
        ...
    ValueError: The 'size' parameter of demo must be an int from 32 to 512. Got 8 instead.
    """
    from skinpaint import damage
    from skinpaint.io import write

    truth, folder = _photograph(size), Path(folder)
    _check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    damaged, mask = damage.random_pixels(truth, FRACTION, rng=seed)
    say(f"camera, {size} x {size} pixels, {100 * mask.mean():.1f} % destroyed, seed {seed}", "")
    results, captions, recorders = _restore(truth, damaged, mask)
    pictures = {name: inpainter.restored_ for name, inpainter in results.items()}
    exact = all(np.array_equal(picture[~mask], truth[~mask]) for picture in pictures.values())
    say("", f"Known pixels are bit-identical in every result: {'yes' if exact else 'NO'}.")

    paths = []
    named = {"truth": truth, "damaged": damaged, "mask": np.where(mask, 255, 0).astype(np.uint8), **pictures}
    for name, picture in named.items():
        paths.append(folder / f"{name}.png")
        write(paths[-1], picture, overwrite=True)
    paths += [
        _write_sheet(folder / "sheet.png", truth, damaged, pictures, captions),
        _write_film(folder / "film.gif", damaged, pictures, recorders),
    ]
    if find_spec("matplotlib"):
        paths.append(_write_curve(folder / "energy.png", results))

    say("", "Wrote")
    for path in paths:
        say(f"  {path}")
    if not find_spec("matplotlib"):
        say("", "For a chart of the energies: pip install 'skinpaint[plot]'")
    return paths


def _check_folder(folder: Path) -> None:
    """Refuse a folder with a user's files of the demo's names; one of an earlier demo has the photograph as its truth.

    Raises
    ------
    FileExistsError
        If a file would be replaced that is not of a demo.
    """
    from skinpaint.io import read

    there = [folder / name for name in FILES if (folder / name).exists()]
    if not there:
        return
    try:
        truth = read(folder / FILES[0])[0]
        of_demo = np.array_equal(truth, _photograph(len(truth)))
    except (OSError, ValueError):
        of_demo = False
    if not of_demo:
        raise FileExistsError(f"{there[0]} exists, and is not of an earlier demo. Choose another folder: --out FOLDER.")


def _restore(
    truth: np.ndarray, damaged: np.ndarray, mask: np.ndarray
) -> tuple[dict[str, Inpainter], dict[str, str], dict[str, Recorder]]:
    """Run every method, and print a row of the table for each."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    from skinpaint.inpainter import Inpainter
    from skinpaint.show.film import Recorder

    _compile(damaged, mask)
    say(f"{'method':<10}{'PSNR':>9}{'SSIM':>8}{'seconds':>9}{'iterations':>12}  proof")
    results, captions = {}, {}
    recorders = {name: Recorder(growth=1.2) for name in FILMED}
    for name, method in METHODS.items():
        inpainter = Inpainter(method, bounds="dtype", progress=is_watched())
        began = perf_counter()
        restored = inpainter.fit_restore(damaged, mask, callback=recorders.get(name))
        seconds = perf_counter() - began
        psnr = peak_signal_noise_ratio(truth, restored)
        results[name], captions[name] = inpainter, f"{name}: {psnr:.2f} dB"
        say(
            f"{name:<10}{psnr:>6.2f} dB{structural_similarity(truth, restored):>8.3f}{seconds:>9.2f}"
            f"{inpainter.n_iter_:>12}  {_proof(inpainter.solution_)}"
        )
    return results, captions, recorders


def _compile(damaged: np.ndarray, mask: np.ndarray) -> None:
    """Compile the kernels, as the first run does, so that the seconds of the table are those of the methods."""
    from skinpaint.inpainter import inpaint
    from skinpaint.methods.gradient_descent import GradientDescent
    from skinpaint.methods.laplace import Laplace

    corner = (slice(0, 32), slice(0, 32))
    for method in (GradientDescent(max_iter=1, tol=None), Laplace(solver="multigrid"), "dct"):
        inpaint(damaged[corner], mask[corner], method=method)


def _photograph(size: int) -> np.ndarray:
    from skimage import data, transform

    if size != int(size) or not 32 <= size <= 512:
        raise ValueError(f"The 'size' parameter of demo must be an int from 32 to 512. Got {size!r} instead.")
    photograph: np.ndarray = data.camera()
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


def _write_sheet(
    path: Path, truth: np.ndarray, damaged: np.ndarray, pictures: dict[str, np.ndarray], captions: dict[str, str]
) -> Path:
    """Lay out the truth, the damage, every answer, and where two of them are wrong."""
    from PIL import Image

    from skinpaint.io import whole_file
    from skinpaint.scores import psnr
    from skinpaint.show.contact_sheet import in_rows
    from skinpaint.show.frames import with_caption

    errors = {name: np.clip(4 * np.abs(pictures[name].astype(int) - truth), 0, 255) for name in ("gd", "dct")}
    tiles: dict[str, Any] = {
        "truth": truth,
        f"damaged: {psnr(truth, damaged):.2f} dB": damaged,
        **{captions[name]: picture for name, picture in pictures.items()},
        **{f"error of {name} (x 4)": error.astype(np.uint8) for name, error in errors.items()},
    }
    with whole_file(path, overwrite=True) as partial:
        in_rows([with_caption(Image.fromarray(tile), text) for text, tile in tiles.items()], columns=4).save(partial)
    return path


def _write_film(
    path: Path, damaged: np.ndarray, pictures: dict[str, np.ndarray], recorders: dict[str, Recorder]
) -> Path:
    """Show the descent and dct at work, side by side; the one that has fewer frames waits at its last one."""
    from skinpaint.show.film import film

    length = max(len(recorder.frames) for recorder in recorders.values())
    gap = np.full((len(damaged), GAP), 255, np.uint8)
    frames, captions = [np.hstack([damaged, gap, damaged])], [f"{100 * FRACTION:.0f} % destroyed"]
    for k in range(length):
        now = {name: min(k, len(recorder.frames) - 1) for name, recorder in recorders.items()}
        left, right = (recorders[name].frames[at] for name, at in now.items())
        frames.append(np.hstack([left, gap, right]))
        captions.append("    ".join(f"{FILMED[name]} {recorders[name].iterations[at]}" for name, at in now.items()))
    left, right = (pictures[name] for name in FILMED)
    frames.append(np.hstack([left, gap, right]))
    film(frames, path, captions=[*captions, captions[-1]], seconds=0.12, overwrite=True)
    return path


def _write_curve(path: Path, results: dict[str, Inpainter]) -> Path:
    """Draw the energies of the descents."""
    from skinpaint.show.curves import energy_curve

    descents = {name: inpainter.history_ for name, inpainter in results.items() if name in ("classic", "gd")}
    energy_curve(descents, path, overwrite=True)
    return path
