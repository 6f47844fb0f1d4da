"""The page: a server on this machine alone, for the browser that is given its address."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from queue import Empty, SimpleQueue
from threading import Condition, Thread
from time import monotonic
from typing import Any
from urllib.parse import parse_qs

from skinpaint.paint.desk import Desk, Page
from skinpaint.paint.frames import pack, unpack
from skinpaint.paint.guard import CONTENT, HEADERS, Guard
from skinpaint.paint.messages import receive

__all__ = ["Server"]

PAGE_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
MAX_BODY = 64 * 2**20  # bytes: a mask of a large picture, compressed
MAX_PAGES = 16
MAX_WAITING = 2000  # messages that a page may leave unread before it is let go
PING = 1.0  # seconds between signs of life, by which a closed page is noticed
POLL = 0.1  # seconds between looks whether it is to stop
GRACE = 10.0  # seconds without a page after which the server ends: enough for a reload
GRACE_UNSAVED = 600.0  # the same where something is not saved
IDLE = 60.0  # seconds after which a connection that says nothing is closed


class Server(ThreadingHTTPServer):
    """Serve the page on 127.0.0.1.

    Parameters
    ----------
    desk : Desk
        The pictures.
    port : int
        Where to listen; 0 takes a free port.
    grace, grace_unsaved : float
        Seconds without a page after which it ends.

    Examples
    --------
    >>> import numpy as np
    >>> from skinpaint.paint import Session
    >>> from skinpaint.paint.album import One
    >>> server = Server(Desk(One(Session(np.zeros((8, 8), np.uint8)))))
    >>> server.address.startswith(f"http://127.0.0.1:{server.port}/?token=")
    True
    >>> server.start()
    >>> server.stop()
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, desk: Desk, port: int = 0, *, grace: float = GRACE, grace_unsaved: float = GRACE_UNSAVED
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.desk = desk
        self.guard = Guard(self.port)
        self.streams: dict[str, tuple[Page, SimpleQueue[bytes | None]]] = {}
        self.grace, self.grace_unsaved = grace, grace_unsaved
        self._alone_since: float | None = None  # nobody came yet
        self._changed = Condition()
        self._thread = Thread(target=self.serve_forever, kwargs={"poll_interval": POLL}, daemon=True)
        self._stopped = False

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        """The address to print."""
        return f"http://127.0.0.1:{self.port}/?token={self.guard.printed}"

    @property
    def launch_address(self) -> str:
        """The address to start a browser with: it works once."""
        return f"http://127.0.0.1:{self.port}/?token={self.guard.launching}"

    def start(self) -> None:
        """Serve in a thread."""
        self._thread.start()

    def wait(self, said: Callable[[str], None] = lambda sentence: None) -> None:
        """Wait until the last page was closed and the grace period is over.

        Parameters
        ----------
        said : callable
            Told a sentence where the last page was closed and something is not saved.
        """
        warned = False
        while not self._stopped:
            with self._changed:
                self._changed.wait(0.2)
                alone = self._alone_since
            if alone is None:
                warned = False
                continue
            unsaved = self.desk.album.unsaved()
            if unsaved and not warned:
                warned = True
                said(
                    f"the last page is closed, and {', '.join(unsaved)} is not saved. Open {self.address} to go on; "
                    f"it ends in {self.grace_unsaved / 60:.0f} minutes."
                )
            if monotonic() - alone > (self.grace_unsaved if unsaved else self.grace):
                return

    def stop(self) -> None:
        """End everything."""
        self._stopped = True
        for _, queue in list(self.streams.values()):
            queue.put(None)
        if self._thread.is_alive():
            self.shutdown()
        self.server_close()
        self.desk.close()

    def joined(self, page: Page, queue: SimpleQueue[bytes | None]) -> str:
        """A page opened its stream; the name by which it calls itself."""
        name = secrets.token_urlsafe(16)
        with self._changed:
            self.streams[name] = page, queue
            self._alone_since = None
        return name

    def left(self, name: str) -> None:
        """A page closed."""
        with self._changed:
            page, _ = self.streams.pop(name)
            self.desk.leave(page)
            if not self.streams:
                self._alone_since = monotonic()
            self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle of an answer is no error."""
        import sys

        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "skinpaint", ""
    disable_nagle_algorithm = True
    timeout = IDLE

    def do_GET(self) -> None:
        if why := self.server.guard.refusal(self.headers):
            return self._refuse(HTTPStatus.FORBIDDEN, why)
        path, _, query = self.path.partition("?")
        token = parse_qs(query).get("token")
        if path == "/" and token is not None:
            return self._let_in(token[0])
        if not self.server.guard.admits(self.headers):
            return self._refuse(
                HTTPStatus.FORBIDDEN, "This page belongs to another session. Open the address that the terminal shows."
            )
        if path == "/stream":
            return self._stream()
        if path in PAGE_FILES:
            name, kind = PAGE_FILES[path]
            return self._answer(HTTPStatus.OK, kind, files("skinpaint.paint").joinpath("page", name).read_bytes())
        return self._refuse(HTTPStatus.NOT_FOUND, "There is nothing here.")

    def do_POST(self) -> None:
        why = self.server.guard.refusal(self.headers)
        if why or not self.server.guard.admits(self.headers):
            return self._refuse(HTTPStatus.FORBIDDEN, why or "The cookie of this session is missing.")
        if self.path != "/say":
            return self._refuse(HTTPStatus.NOT_FOUND, "There is nothing here.")
        if self.headers.get("Content-Type") != CONTENT:
            return self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "This is no message of a page.")
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not length.isascii() or not length.isdigit():
            return self._refuse(HTTPStatus.LENGTH_REQUIRED, "A message must say how long it is.")
        if len(length) > 12 or int(length) > MAX_BODY:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A message has at most {MAX_BODY:,} bytes.")
        page, _ = self.server.streams.get(self.headers.get("X-Page", ""), (None, None))
        body = self.rfile.read(int(length))
        if page is None:
            return self._refuse(HTTPStatus.GONE, "This page is no longer known. Load it again.")
        try:
            messages, buffers = unpack(body)
        except ValueError as error:
            return self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        for message in messages if isinstance(messages, list) else [messages]:
            receive(self.server.desk, page, message, buffers)
        return self._answer(HTTPStatus.NO_CONTENT)

    def _let_in(self, token: str) -> None:
        """Exchange the token for the cookie, and send the browser on to an address without it."""
        cookie = self.server.guard.exchange(token)
        if cookie is None:
            return self._refuse(
                HTTPStatus.FORBIDDEN, "This address is not valid any more. Open the one that the terminal shows."
            )
        return self._answer(HTTPStatus.SEE_OTHER, also={"Location": "/", "Set-Cookie": cookie})

    def _stream(self) -> None:
        """Send messages to a page until it is closed."""
        if len(self.server.streams) >= MAX_PAGES:
            return self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, f"At most {MAX_PAGES} pages can be open.")
        queue: SimpleQueue[bytes | None] = SimpleQueue()

        def send(message: dict[str, Any], buffers: list[bytes]) -> None:
            queue.put(pack(message, buffers) if queue.qsize() < MAX_WAITING else None)

        self.close_connection = True
        self._head(HTTPStatus.OK, "application/octet-stream", {"Connection": "close"})
        page = self.server.desk.join(send)
        name = self.server.joined(page, queue)
        send({"say": "welcome", "page": name}, [])
        try:
            while True:
                try:
                    data = queue.get(timeout=PING)
                except Empty:
                    data = pack({"say": "ping"})
                if data is None:
                    break
                self.wfile.write(data)
        except (ConnectionError, TimeoutError):
            pass  # the page is closed
        finally:
            self.server.left(name)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True
        self._answer(status, "text/plain; charset=utf-8", f"{why}\n".encode(), {"Connection": "close"})

    def _answer(
        self, status: HTTPStatus, kind: str = "", body: bytes = b"", also: dict[str, str] | None = None
    ) -> None:
        length = {} if status is HTTPStatus.NO_CONTENT else {"Content-Length": str(len(body))}
        self._head(status, kind, {**length, **(also or {})}, body)

    def _head(self, status: HTTPStatus, kind: str, also: dict[str, str], body: bytes = b"") -> None:
        """Head and body in one packet."""
        self.send_response(status)
        for name, value in {**HEADERS, **({"Content-Type": kind} if kind else {}), **also}.items():
            self.send_header(name, value)
        self._headers_buffer: list[bytes]
        self._headers_buffer.append(b"\r\n" + body)
        self.flush_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: addresses hold the token."""
