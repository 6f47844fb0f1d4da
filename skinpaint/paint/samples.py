"""Sample data for napari: a photograph and a volume, each damaged, and labels over what is missing."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["damaged_volume", "scratched_photograph"]


def scratched_photograph() -> list[tuple[Any, ...]]:
    """Sample data: a photograph with scratches, and labels over them.

    Examples
    --------
    >>> [kind for _, _, kind in scratched_photograph()]
    ['image', 'labels']
    """
    from skimage import data

    from skinpaint.damage import scratches

    damaged, mask = scratches(data.coffee(), channel_axis=-1, rng=0)
    return [
        (damaged, {"name": "scratched photograph", "rgb": True}, "image"),
        (mask.astype(np.uint8), {"name": "scratches"}, "labels"),
    ]


def damaged_volume() -> list[tuple[Any, ...]]:
    """Sample data: a volume of voxels that are higher than wide, of which half are missing, and labels over them.

    Examples
    --------
    >>> [values.shape for values, _, _ in damaged_volume()]
    [(24, 64, 64), (24, 64, 64)]
    """
    z, y, x = np.mgrid[:24, :64, :64]
    volume = np.zeros(z.shape)
    for k, (cz, cy, cx, radius) in enumerate([(12, 24, 26, 14), (10, 44, 40, 10), (16, 20, 48, 8)]):
        distance = np.sqrt((2.5 * (z - cz)) ** 2 + (y - cy) ** 2 + (x - cx) ** 2)
        volume += (200 - 40 * k) / (1 + np.exp(distance - radius))
    missing = np.random.default_rng(0).random(volume.shape) < 0.5
    damaged = np.where(missing, 0, np.rint(volume)).astype(np.uint8)
    scale = (2.5, 1.0, 1.0)
    return [
        (damaged, {"name": "damaged volume", "scale": scale}, "image"),
        (np.where(missing, 1, 0).astype(np.uint8), {"name": "missing voxels", "scale": scale}, "labels"),
    ]
