"""Text of cells that may be the beginning of a secret: it is held back until the rest of it is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stagebook.system.logins import Redaction, Stream

_FEW = 4  # characters: fewer may be the beginning of a secret by chance, and keep their place among the other outputs


class HeldText:
    """The text of the streams of cells, without secrets, also those that come in two pieces. What was held back goes to
    `write`, with the index of its cell and as a message like the one that it came with."""

    def __init__(self, redacted: Redaction, write: Callable[[int, dict[str, Any]], object]) -> None:
        self._redacted = redacted
        self._write = write
        self._streams: dict[tuple[int, str], Stream] = {}
        self._last: dict[tuple[int, str], Mapping[str, Any]] = {}

    def push(self, at: int, msg: Mapping[str, Any]) -> dict[str, Any]:
        """The message of a stream with what can be written now, perhaps nothing."""
        name = msg["content"]["name"]
        for other, stream in self._streams.items():
            if other[0] == at and other[1] != name and len(stream.held) < _FEW:
                self._release(other)
        key = at, name
        self._last[key] = msg
        stream = self._streams.setdefault(key, Stream(self._redacted))
        return _with_text(msg, stream.push(msg["content"]["text"]))

    def release(self, at: int | None = None) -> None:
        """Write what is held of a cell, or of all: there is no more, or something else comes."""
        for key in self._streams:
            if at is None or key[0] == at:
                self._release(key)

    def _release(self, key: tuple[int, str]) -> None:
        if said := self._streams[key].end():
            self._write(key[0], _with_text(self._last[key], said))


def _with_text(msg: Mapping[str, Any], text: str) -> dict[str, Any]:
    return {**msg, "content": {**msg["content"], "text": text}}
