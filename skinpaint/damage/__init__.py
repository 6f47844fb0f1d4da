"""Damage with a known mask, for trials: pixels at random, text, and scratches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skinpaint.damage.random_pixels import random_pixels
from skinpaint.damage.scratches import scratches
from skinpaint.damage.text import text

__all__ = ["DAMAGES", "random_pixels", "scratches", "text"]

DAMAGES: dict[str, Callable[..., Any]] = {"pixels": random_pixels, "text": text, "scratches": scratches}
"""The kinds of damage by the names that the command line gives them. To add one: a file in this folder, and its lines
here. Of the keywords `fraction` and `rng` each gets those that it takes."""
