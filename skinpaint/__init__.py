"""Image inpainting that is exact, fast, and honest about what it filled in.

A smoothness energy is minimised over the missing pixels while the known ones stay fixed::

    from skinpaint import inpaint
    restored = inpaint(damaged, mask)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skinpaint.inpainter import Inpainter, inpaint
from skinpaint.solution import ConvergenceWarning, Record, Solution

if TYPE_CHECKING:
    from skinpaint.comparison import compare
    from skinpaint.drop_in import inpaint_biharmonic
    from skinpaint.methods.biharmonic import Biharmonic
    from skinpaint.methods.gradient_descent import GradientDescent
    from skinpaint.methods.laplace import Laplace
    from skinpaint.methods.plug_and_play import PlugAndPlay
    from skinpaint.methods.reweighted import Reweighted
    from skinpaint.methods.sparse_dct import SparseDCT

__version__ = "0.1.0"

__all__ = [
    "Biharmonic",
    "ConvergenceWarning",
    "GradientDescent",
    "Inpainter",
    "Laplace",
    "PlugAndPlay",
    "Record",
    "Reweighted",
    "Solution",
    "SparseDCT",
    "compare",
    "inpaint",
    "inpaint_biharmonic",
]

_ROOMS = {
    "Biharmonic": "skinpaint.methods.biharmonic",
    "GradientDescent": "skinpaint.methods.gradient_descent",
    "Laplace": "skinpaint.methods.laplace",
    "PlugAndPlay": "skinpaint.methods.plug_and_play",
    "compare": "skinpaint.comparison",
    "Reweighted": "skinpaint.methods.reweighted",
    "SparseDCT": "skinpaint.methods.sparse_dct",
    "inpaint_biharmonic": "skinpaint.drop_in",
}
_MODULES = ("damage", "energies", "film", "holdout", "io", "testing")


def __getattr__(name: str) -> Any:
    """Load what is behind the door when they are first asked for, so that importing skinpaint stays quick."""
    if name in _ROOMS:
        return getattr(import_module(_ROOMS[name]), name)
    if name in _MODULES:
        return import_module(f"skinpaint.{name}")
    raise AttributeError(f"module 'skinpaint' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted((*__all__, *_MODULES))
