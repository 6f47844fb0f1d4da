"""Units of lengths: distances along several axes can be compared in one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["in_one_unit"]

METRES = {
    "pm": 1e-12,
    "Å": 1e-10,
    "nm": 1e-9,
    "µm": 1e-6,
    "mm": 1e-3,
    "cm": 1e-2,
    "dm": 1e-1,
    "m": 1.0,
    "km": 1e3,
    "in": 0.0254,
    "ft": 0.3048,
}
DEGREES = {"degree": 1.0, "arcmin": 1 / 60, "arcsec": 1 / 3600}
SPELLED = {
    "picometer": "pm",
    "angstrom": "Å",
    "nanometer": "nm",
    "micrometer": "µm",
    "micron": "µm",
    "um": "µm",
    "millimeter": "mm",
    "centimeter": "cm",
    "decimeter": "dm",
    "meter": "m",
    "kilometer": "km",
    "inch": "in",
    "inche": "in",
    "foot": "ft",
    "feet": "ft",
}


def in_one_unit(units: Sequence[object]) -> tuple[float, ...] | None:
    """Factors that bring lengths in these units to one unit; None where that is not known.

    A length of which no unit is stated is in that of the others, if they have one.

    Examples
    --------
    >>> in_one_unit(["nm", "micrometer"]), in_one_unit(["degrees_north", "degrees_east"]), in_one_unit(["dots", "dots"])
    ((1e-09, 1e-06), (1.0, 1.0), (1.0, 1.0))
    >>> in_one_unit(["m", None]), in_one_unit(["m", "km", None]), in_one_unit(["m", "degree"])
    ((1.0, 1.0), None, None)
    """
    names = [_name(str(unit)) for unit in units if unit is not None and str(unit)]
    if len(set(names)) <= 1:
        return (1.0,) * len(units)
    for table in (METRES, DEGREES):
        if len(names) == len(units) and set(names) <= table.keys():
            return tuple(table[name] for name in names)
    return None


def _name(unit: str) -> str:
    """A unit as the tables have it; one that they do not have as it is.

    Examples
    --------
    >>> _name("Metres"), _name("um"), _name("micrometers"), _name("degrees_east"), _name("degreeN"), _name("voxels")
    ('m', 'µm', 'µm', 'degree', 'degree', 'voxels')
    """
    name = unit.strip().replace("\\u00B5", "µ").replace("μ", "µ")  # as ImageJ writes it, and the Greek letter
    word = name.lower().replace("metre", "meter")
    if re.fullmatch("deg(ree)?s?(_?[a-z]+)?", word):
        return "degree"
    return SPELLED.get(word) or SPELLED.get(word.removesuffix("s"), name)
