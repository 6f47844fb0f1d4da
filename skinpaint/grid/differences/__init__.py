"""The sums of differences that energies are made of, and their gradients."""

from __future__ import annotations

__all__: list[str] = []
