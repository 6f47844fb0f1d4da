"""Who may talk to the server: only pages that it sent itself, in the browser that was given its address."""

from __future__ import annotations

import secrets
from hmac import compare_digest
from typing import Any, Protocol

__all__ = ["CONTENT", "HEADERS", "Guard"]

CONTENT = "application/x-skinpaint"
"""The type of what pages send. No other site can send it without asking first, and the server never says yes."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What every answer says: nothing from elsewhere, nothing kept, no other site may look."""


class Headers(Protocol):
    """The headers of a request by name."""

    def get(self, name: str, default: Any = None, /) -> Any:
        """The value of a header."""
        ...


class Guard:
    """Secrets of one server, and the checks of each request.

    A site that the user visits can send requests to any port of the user's machine. So a request must name this server
    as its host (a name that was pointed at this machine does not), must not come from another site, and must bring the
    cookie that was given in exchange for the token in the address.

    Parameters
    ----------
    port : int
        Where the server listens.

    Examples
    --------
    >>> guard = Guard(8000)
    >>> guard.refusal({"Host": "127.0.0.1:8000"}), guard.refusal({"Host": "evil.example:8000"})
    ('', 'The host is not this server.')
    """

    def __init__(self, port: int) -> None:
        self.hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self.cookie_name = f"skinpaint-{port}"  # cookies do not know ports
        self.printed = secrets.token_urlsafe(24)
        """The token of the address that is printed: valid as long as the server runs."""
        self.launching = secrets.token_urlsafe(24)
        """The token of the address that the browser is started with, which other users may see: valid once."""
        self._cookie = secrets.token_urlsafe(32)

    def refusal(self, headers: Headers) -> str:
        """Why a request is refused whatever it asks for; nothing if it is not."""
        host = headers.get("Host", "")
        if host not in self.hosts:
            return "The host is not this server."
        origin = headers.get("Origin")
        if origin is not None and origin != f"http://{host}":
            return "The request comes from another site."
        if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            return "The request comes from another site."
        return ""

    def admits(self, headers: Headers) -> bool:
        """Whether a request brings the cookie."""
        # Other programs on this machine set cookies, too, and the browser sends them along, whatever is in them.
        cookies = (part.strip().partition("=") for part in headers.get("Cookie", "").split(";"))
        return any(name == self.cookie_name and _equal(value, self._cookie) for name, _, value in cookies)

    def exchange(self, token: str) -> str | None:
        """The cookie for a token, as a header; None if the token is wrong, or was for one time."""
        once = bool(self.launching) and _equal(token, self.launching)
        if once:
            self.launching = ""
        if not once and not _equal(token, self.printed):
            return None
        return f"{self.cookie_name}={self._cookie}; HttpOnly; SameSite=Strict; Path=/"


def _equal(one: str, other: str) -> bool:
    return compare_digest(one.encode(), other.encode())
