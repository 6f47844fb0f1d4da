"""Compile all kernels now.

The first call of a method compiles it, which takes some seconds. This does it for all methods at once, with all
processors, for example while a container is built. What is compiled is kept on disk.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from skinpaint.cli.common import Status, say

if TYPE_CHECKING:
    from skinpaint.methods.base import Method
    from skinpaint.solution import Callback

__all__ = ["HELP", "add_arguments", "run"]

HELP = "compile everything now, so that no first call has to"

# Methods with few kernels in common come one after another, so that no two processes compile the same kernel: the first
# two have none in common, and the last one needs those of "gd".
FIRST, LAST = ("biharmonic", "laplace", "dct", "gd"), ("reweighted",)
SHAPES = {"grey": (64, 64), "colour": (48, 48, 3), "one mask per channel": (48, 48, 3), "volume": (16, 16, 16)}
SIGNAL, GAP = 3000, 40_000  # samples
LITTLE = 0.1  # missing, so that the missing pixels are listed
SIDE, WIDE = 300, slice(100, 180)  # of an image with a hole that is too wide to be factorised, and takes many levels
STEPS = 5  # of a method that stops when it has converged
STRETCHED = (1, 3, 3)  # spacing of a volume two axes of which are halved later, as those of some energies are


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command."""
    parser.add_argument("--quiet", action="store_true", help="print nothing")


def run(args: argparse.Namespace) -> int:
    """Compile all kernels, several methods at a time."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    import skinpaint.grid.kernels  # noqa: F401  # one of those whose folder is asked for
    from skinpaint.grid import threads
    from skinpaint.grid.jit import HOW_TO_KEEP, kernel_folder
    from skinpaint.methods import METHODS

    if not kernel_folder():
        raise PermissionError(f"what is compiled cannot be kept: no folder for it may be written to. {HOW_TO_KEEP}")
    names = [*FIRST, *(name for name in METHODS if name not in FIRST + LAST), *LAST]
    with ProcessPoolExecutor(min(threads.workers(), len(names)), get_context("spawn")) as pool:
        folder = ""
        for name, (seconds, folder) in zip(names, pool.map(compile_method, names), strict=True):  # noqa: B007
            if not args.quiet:
                say(f"{name}: {seconds:.1f} s")
    if not args.quiet:
        say(f"Everything is compiled, and kept in {folder}.")
    return Status.OK


def compile_method(name: str) -> tuple[float, str]:
    """Compile all kernels of a method by restoring small images of every kind: the seconds, and where they are kept."""
    import warnings
    from time import perf_counter

    from skinpaint.grid.jit import kernel_folder
    from skinpaint.inpainter import Inpainter
    from skinpaint.methods import resolve
    from skinpaint.solution import ConvergenceWarning

    began = perf_counter()
    for image, mask, channel_axis in images():
        for method in settings(name):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # the answer does not matter here
                Inpainter(method, channel_axis=channel_axis).fit(image, mask=mask, callback=after_a_few(method))
    if hasattr(resolve(name), "solver"):  # long gaps may have a kernel of their own
        gap = np.ones(GAP, bool)
        gap[[0, 1, -2, -1]] = False
        Inpainter(name).fit(np.arange(GAP) / GAP, mask=gap)
    if name == "laplace":
        from skinpaint.methods import Laplace
        from skinpaint.paint.preview import warm_up

        volume, mask = np.zeros(SHAPES["volume"]), np.ones(SHAPES["volume"], bool)
        mask[0], volume[0, 0, 0] = False, 1
        Inpainter(Laplace(lags=(1, 2), solver="multigrid"), spacing=STRETCHED).fit(volume, mask=mask)
        warm_up()  # what the page shows below the brush is a harmonic fill, too
    return perf_counter() - began, kernel_folder()


def after_a_few(method: Method) -> Callback | None:
    """A callback that stops the method early, unless it takes as many steps as it needs for all its kernels."""
    from skinpaint.methods.base import CountedMethod

    return None if isinstance(method, CountedMethod) else lambda record, image: record.n_iter >= STEPS


def images() -> Iterator[tuple[np.ndarray, np.ndarray, int | None]]:
    """Small images of every kind that has kernels of its own, with a mask and a channel axis."""
    rng = np.random.default_rng(0)
    for kind, shape in SHAPES.items():
        colour = len(shape) == 3 and kind != "volume"
        mask = rng.random(shape if kind == "one mask per channel" or not colour else shape[:2]) < 0.8
        yield rng.random(shape), mask, -1 if colour else None
    yield rng.random(SIGNAL), rng.random(SIGNAL) < 0.8, None
    yield rng.random(SHAPES["grey"]), rng.random(SHAPES["grey"]) < LITTLE, None
    wide = np.zeros((SIDE, SIDE), bool)
    wide[WIDE, WIDE] = True
    yield rng.random(wide.shape), wide, None


def settings(name: str) -> Iterator[Method]:
    """The method with its default settings, and with every other energy, solver or lag that has kernels of its own."""
    import dataclasses
    from contextlib import suppress

    from skinpaint.energies import ENERGIES
    from skinpaint.methods import resolve

    method = resolve(name)
    yield method
    fields = {field.name for field in dataclasses.fields(method)}  # type: ignore[arg-type]
    if "energy" in fields:
        for energy in (name for name in ENERGIES if name != method.energy):  # type: ignore[attr-defined]
            with suppress(ValueError):  # a method refuses an energy that it cannot minimise
                yield dataclasses.replace(method, energy=energy)  # type: ignore[type-var]
    if "solver" in fields:
        yield dataclasses.replace(method, solver="multigrid")  # type: ignore[type-var]
    if "lags" in fields:
        yield dataclasses.replace(method, lags=(1, 2))  # type: ignore[type-var]
