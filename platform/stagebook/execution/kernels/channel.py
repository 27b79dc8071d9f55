"""What the process of the cells says: frames on a pipe to the process that started it.

A frame is a letter, four bytes of length, and the payload. `o` and `e` are text of standard output and error, `m` is a
message, `d` says that a request is done. Messages are those of a Jupyter kernel, without their headers:
`{"msg_type", "content", "metadata", "parent", "buffers"}`, where `parent` is the id of the cell and buffers are in Base64.
"""

from __future__ import annotations

import base64
import io
import json
import os
import struct
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from stagebook.system.files import utf8

PIECE = 256_000  # characters of text in one frame
HEAD = struct.Struct("!cI")


class Channel:
    """The pipe to the outer side. Threads take turns; forks of this process do not write to it."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self._streams: tuple[Text, ...] = ()

    def open(self, descriptor: int) -> None:
        """Write to this descriptor from here on."""
        self._descriptor = descriptor

    def streams(self) -> tuple[Text, Text]:
        """New standard output and error, which go through this channel."""
        output, error = Text(self, b"o", 1), Text(self, b"e", 2)
        output.other, error.other = error, output
        self._streams = output, error
        return output, error

    def flush(self) -> None:
        """Send the text that is held."""
        for stream in self._streams:
            stream.flush()

    def send(self, letter: bytes, payload: bytes) -> None:
        """Send one frame. A fork of this process writes text to its standard output or error instead."""
        if os.getpid() != self._owner:
            if letter in b"oe":
                os.write(1 if letter == b"o" else 2, payload)
            return
        data = memoryview(HEAD.pack(letter, len(payload)) + payload)
        with self._lock:
            while data:
                data = data[os.write(self._descriptor, data) :]

    def message(
        self, kind: str, content: Mapping[str, Any], *, buffers: Iterable[Any] = (), **more: Any
    ) -> None:
        """Send a message, after all text that was written before it."""
        self.flush()
        held = [base64.b64encode(buffer).decode() for buffer in buffers]
        self.send(b"m", packed({"msg_type": kind, "content": content, "buffers": held, **more}))

    def answer(self, done: Mapping[str, Any]) -> None:
        """Say that a request is done."""
        self.flush()
        self.send(b"d", packed(done))


def packed(body: Mapping[str, Any]) -> bytes:
    """A body as a kernel packs it: lone surrogates, and numbers such as NaN, which no JSON may hold, are replaced."""
    try:
        text = json.dumps(body, default=_as_text, ensure_ascii=False, allow_nan=False)
    except ValueError:
        lax = json.dumps(body, default=_as_text)
        text = json.dumps(json.loads(lax, parse_constant=lambda name: repr(float(name))), ensure_ascii=False)
    return utf8(text)


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return repr(value)


class Text(io.TextIOBase):
    """Standard output or error of the cells."""

    encoding = "UTF-8"  # as that of a kernel

    def __init__(self, channel: Channel, letter: bytes, number: int) -> None:
        super().__init__()
        self.name = "stdout" if letter == b"o" else "stderr"
        self.other: Text | None = None
        self._channel = channel
        self._letter = letter
        self._number = number
        self._lock = threading.RLock()
        self._parts: list[str] = []
        self._held = 0

    def write(self, text: Any) -> int:
        """Take text; whole lines are sent at once."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        if self.other is not None and self.other.holds:
            self.other.flush()  # the two keep their order
        with self._lock:
            self._parts.append(text)
            self._held += len(text)
            if "\n" in text or self._held > PIECE:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Send what is held."""
        with self._lock:
            text = "".join(self._parts)
            self._parts.clear()
            self._held = 0
            for at in range(0, len(text), PIECE):
                self._channel.send(self._letter, utf8(text[at : at + PIECE]))

    @property
    def holds(self) -> bool:
        """Whether something is held."""
        return bool(self._parts)

    def writable(self) -> bool:
        """`True`: it is for writing."""
        return True

    def isatty(self) -> bool:
        """`False`: it is no terminal."""
        return False

    def fileno(self) -> int:
        """The descriptor that subprocesses write to, which the outer side reads too."""
        return self._number
