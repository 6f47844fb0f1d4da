"""What "smooth" means: energies of an image, written so that autograd differentiates them.

An energy is any callable ``f(x) -> float`` on one channel `x`, an array of any number of axes with
values in [0, 1]. The classes here are frozen settings with a ``__call__``; `lines`, `dirichlet`, `total_variation` and
`bending` are instances with the default settings. Sums and non-negative multiples of energies are energies, too.
"""

from __future__ import annotations

from skinpaint.energies.base import Energy, Sum, on_grid, rounded, terms_of
from skinpaint.energies.bending import Bending
from skinpaint.energies.dirichlet import Dirichlet
from skinpaint.energies.lines import Lines
from skinpaint.energies.total_variation import TotalVariation

__all__ = [
    "ENERGIES",
    "Bending",
    "Dirichlet",
    "Energy",
    "Lines",
    "Sum",
    "TotalVariation",
    "bending",
    "dirichlet",
    "lines",
    "on_grid",
    "rounded",
    "terms_of",
    "total_variation",
]

lines = Lines()
dirichlet = Dirichlet()
total_variation = TotalVariation()
bending = Bending()

ENERGIES: dict[str, Energy] = {
    "lines": lines,
    "dirichlet": dirichlet,
    "total_variation": total_variation,
    "bending": bending,
}
"""The energies by name. To add one: a file in this folder, and a row here."""
