"""Where a GeoTIFF is on the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Place", "check_same_ground", "place_of"]

SAME_PLACE = 0.1  # pixels by which a mask may be away from its image: numbers in files are rounded
SCALE, TIE_POINTS, MATRIX, KEYS = 33550, 33922, 34264, 34735  # tags of GeoTIFF
RASTER_TYPE, GEOGRAPHIC, PROJECTED = 1025, 2048, 3072  # keys in the last of them
POINTS = 2  # the raster type in which coordinates are those of the middles of pixels
UNDEFINED, OWN = 0, 32767  # codes of no coordinates, and of those that the file itself defines


@dataclass(frozen=True)
class Place:
    """Where a picture is on the ground.

    Attributes
    ----------
    across, down : tuple of float
        How far a pixel is from the one on its left, and from the one above it.
    corner : tuple of float
        Where the outer corner of the first pixel is.
    crs : int or None
        The EPSG code of these coordinates, if the file states one.
    """

    across: tuple[float, float]
    down: tuple[float, float]
    corner: tuple[float, float]
    crs: int | None

    def apart(self, other: Place, height: int, width: int) -> float:
        """How far a corner of a picture of this size is from where it is by the other place, in pixels, at most.

        Examples
        --------
        >>> place = Place((10, 0), (0, -10), (5000, 9000), 32633)
        >>> round(place.apart(Place((10, 0), (0, -10), (5200, 9000), None), 96, 112), 9)
        20.0
        """
        if None not in (self.crs, other.crs) and self.crs != other.crs:
            return math.inf
        corners = np.array([[0, width, 0, width], [0, 0, height, height]])
        return float(np.abs(np.linalg.solve(self._steps(), other._at(corners) - self._at(corners))).max())

    def _steps(self) -> np.ndarray:
        return np.array([self.across, self.down], float).T

    def _at(self, pixels: np.ndarray) -> np.ndarray:
        return self._steps() @ pixels + np.array(self.corner, float)[:, None]


@np.errstate(over="ignore", invalid="ignore")  # files are damaged
def place_of(page: Any) -> Place | None:
    """Where a page is on the ground, if it says that by one point and the size of its pixels, or by a matrix.

    As for GDAL, the first goes before the second, and rows go down whatever the sign of their height. Programs write
    the numbers of rows and columns where they know no place: these are none.
    """
    scale, points, matrix = (np.ravel(page.tags.valueof(code, default=())) for code in (SCALE, TIE_POINTS, MATRIX))
    if len(scale) >= 2 and len(points) == 6:
        across, down = np.array([scale[0], 0.0]), np.array([0.0, -abs(scale[1])])
        corner = points[3:5] - points[0] * across - points[1] * down
    elif len(matrix) == 16:
        across, down, corner = matrix[[0, 4]], matrix[[1, 5]], matrix[[3, 7]]
    else:
        return None
    keys = np.ravel(page.tags.valueof(KEYS, default=()))[4:]
    keys = keys if keys.dtype.kind in "iu" else keys[:0]
    stated = {int(key): int(value) for key, where, _, value in keys[: len(keys) // 4 * 4].reshape(-1, 4) if where == 0}
    if stated.get(RASTER_TYPE) == POINTS:
        corner = corner - (across + down) / 2
    code = stated.get(PROJECTED, stated.get(GEOGRAPHIC, UNDEFINED))
    steps = across[0] * down[1] - across[1] * down[0]
    if not (math.isfinite(steps) and steps and np.isfinite(corner).all()):
        return None
    if (across == (1, 0)).all() and (np.abs(down) == (0, 1)).all() and np.abs(corner).max() < 1:
        return None
    crs = None if code in (UNDEFINED, OWN) else code
    return Place(tuple(across.tolist()), tuple(down.tolist()), tuple(corner.tolist()), crs)


def check_same_ground(
    mask: object, place: Place | None, image: object, image_place: Place | None, height: int, width: int
) -> None:
    """Refuse a mask whose rows and columns are not those of the image on the ground.

    Raises
    ------
    ValueError
        If both are somewhere, and not in the same place.
    """
    if place is None or image_place is None:
        return
    apart = image_place.apart(place, height, width)
    if apart > SAME_PLACE:
        away = f"up to {apart:.3g} pixels away" if apart < math.inf else f"in other coordinates, EPSG:{place.crs}"
        raise ValueError(
            f"The mask {mask} must be on the same ground as {image}, pixel by pixel. Its file places it {away}. "
            "Warp it to the grid of the image first, for example with gdalwarp, or with reproject_match of rioxarray. "
            "If it fits, and only its georeference is wrong, save it without."
        )
