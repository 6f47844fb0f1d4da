"""One thread for the BLAS: its idle threads spin, and slow whoever comes next. To be imported before NumPy."""

from __future__ import annotations

import os

__all__: list[str] = []

for library in ("OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
