"""How sure is it? The field behind the closed forms, intervals that are calibrated on the image, and noise."""

from __future__ import annotations

__all__: list[str] = []
