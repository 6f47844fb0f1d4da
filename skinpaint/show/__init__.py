"""Restorations to look at: films, energy curves, contact sheets, and pages for notebooks."""

from __future__ import annotations

__all__: list[str] = []
