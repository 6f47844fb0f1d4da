"""What error messages share."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Ask about the known name that is most like a wrong one, as the end of a message; nothing where none is.

    Examples
    --------
    >>> did_you_mean("max_iters", ["tol", "max_iter"]), did_you_mean("colour", ["tol", "max_iter"])
    (' Did you mean max_iter?', '')
    """
    from difflib import get_close_matches  # slow to load

    alike = get_close_matches(str(name), list(known), n=1)
    return f" Did you mean {alike[0]}?" if alike else ""
