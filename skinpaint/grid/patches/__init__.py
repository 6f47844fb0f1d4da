"""Overlapping blocks, and groups of similar patches."""

from __future__ import annotations

__all__: list[str] = []
