"""Those who get alerts, on loopback: a web server and a mail server, both real."""

from __future__ import annotations

import contextlib
import email
import json
import socket
import threading
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


def free_port() -> int:
    """A port on which nobody listens."""
    with contextlib.closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Hook:
    """A web server that keeps what it gets, and answers as it is told: with a status, by leading elsewhere, or never."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.paths: list[str] = []
        self.status = 200
        self.leads_to = ""
        self.hangs = False
        self._ends = threading.Event()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                hook.paths.append(self.path)
                hook.keys.append(self.headers.get("X-Stagebook-Key", ""))
                hook.got.append(json.loads(text or b"{}"))
                if hook.hangs:
                    hook._ends.wait(60)
                    return
                self.send_response(302 if hook.leads_to else hook.status)
                if hook.leads_to:
                    self.send_header("Location", hook.leads_to)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815 - as the library has it; what a redirect comes to

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address for apprise."""
        return f"json://127.0.0.1:{self.port}/hook"

    @property
    def titles(self) -> list[str]:
        return [str(one.get("title")) for one in self.got]

    def close(self) -> None:
        self._ends.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class Post:
    """A mail server, which can be down."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.port = free_port()
        self._controller: Controller | None = None

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - as the library has it
        self.mails.append(email.message_from_bytes(envelope.content))
        return "250 OK"

    @property
    def url(self) -> str:
        """Its address for apprise."""
        return f"mailto://127.0.0.1:{self.port}?from=stagebook@example.org&to=ops@example.org&mode=insecure"

    def up(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def down(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    @property
    def subjects(self) -> list[str]:
        return [
            str(email.header.make_header(email.header.decode_header(one["Subject"]))) for one in self.mails
        ]


def text_of(mail: Message) -> str:
    """All that a mail says."""
    parts = (part.get_payload(decode=True) for part in mail.walk() if not part.is_multipart())
    return "\n".join(part.decode() for part in parts if isinstance(part, bytes))


@contextlib.contextmanager
def hook() -> Iterator[Hook]:
    """A web server as long as the block lasts."""
    made = Hook()
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def post() -> Iterator[Post]:
    """A mail server as long as the block lasts; it is up."""
    made = Post()
    made.up()
    try:
        yield made
    finally:
        made.down()
