"""The sums of differences that energies consist of, and their gradients."""

from __future__ import annotations

__all__: list[str] = []
