"""Image inpainting that is exact, fast, and honest about what it filled in.

A smoothness energy is minimised over the missing pixels while the known ones stay fixed::

    from skinpaint import inpaint
    restored = inpaint(damaged, mask)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skinpaint import methods
from skinpaint.inpainter import Inpainter, inpaint
from skinpaint.solution import ConvergenceWarning, GuessedMaskWarning, Reason, Record, Solution

if TYPE_CHECKING:
    from skinpaint.comparison import compare as compare
    from skinpaint.drop_in import inpaint_biharmonic as inpaint_biharmonic
    from skinpaint.methods import *  # noqa: F403

__version__ = "0.2.0"

_LAZY = {"compare": "skinpaint.comparison", "inpaint_biharmonic": "skinpaint.drop_in"}
_CLASSES = [target.partition(":")[2] for target in methods.METHODS.values()]
_MODULES = ("damage", "dask", "energies", "film", "holdout", "io", "masks", "paint", "scores", "testing", "xarray")

__all__ = [
    "ConvergenceWarning",
    "GuessedMaskWarning",
    "Inpainter",
    "Reason",
    "Record",
    "Solution",
    "inpaint",
    *_LAZY,
    *_CLASSES,
]


def __getattr__(name: str) -> Any:
    """Import public names on first access, so that ``import skinpaint`` stays quick."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in _CLASSES:
        return getattr(methods, name)
    if name in _MODULES:
        return import_module(f"skinpaint.{name}")
    raise AttributeError(f"module 'skinpaint' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted((*__all__, *_MODULES))
