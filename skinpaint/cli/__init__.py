"""The command line: a file in, a file out."""

from __future__ import annotations

from skinpaint.cli.main import main

__all__ = ["main"]
