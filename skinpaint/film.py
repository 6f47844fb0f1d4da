"""Films and energy curves: the public names of :mod:`skinpaint.show`."""

from __future__ import annotations

from skinpaint.show.curves import energy_curve, proven_bounds
from skinpaint.show.film import Recorder, check_film, film
from skinpaint.show.frames import displayed, with_caption

__all__ = ["Recorder", "check_film", "displayed", "energy_curve", "film", "proven_bounds", "with_caption"]
