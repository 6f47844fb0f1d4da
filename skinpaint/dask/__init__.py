"""Images in chunks, larger than memory: dask arrays in, dask arrays out, with a proof of how exact they are."""

from __future__ import annotations

try:
    import dask.array  # noqa: F401
except ImportError as error:
    raise ImportError("skinpaint.dask needs dask. Install it: pip install 'skinpaint[dask]'") from error

from skinpaint.dask.api import inpaint, solve
from skinpaint.dask.channel import ChunkedSolution

__all__ = ["ChunkedSolution", "inpaint", "solve"]
