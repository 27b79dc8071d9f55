"""Sources of data on loopback, for tests of connections."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import threading
from collections.abc import Iterator

TOKEN = "Bearer word-of-the-server"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Source

    def _reply(self) -> None:
        if self.server.silent:
            self.server.released.wait()
        if self.headers.get("Authorization") != TOKEN:
            self._send(401, b"who are you?", {})
        elif (body := self.server.files.get(self.path)) is None:
            self._send(404, b"", {})
        else:
            tag = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:16]}"'} if self.server.tags else {}
            self._send(200, body, tag)

    def _send(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = _reply  # noqa: N815 - the names that http.server asks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Source(http.server.ThreadingHTTPServer):
    """An HTTP server with files, which asks for a token. `silent`: it takes a request, and never answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {"/": b"here"}
        self.tags = True
        self.silent = False
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextlib.contextmanager
def http_source() -> Iterator[Source]:
    """A server that runs."""
    with Source() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        try:
            yield made
        finally:
            made.released.set()
            made.shutdown()
            thread.join()
