"""Outputs: from Jupyter's messages into the cells of a notebook. With `kernel` the door to nbclient.

Both executors hand their messages to a `Recorder`, so that updates of displays, cleared outputs and the state
of widgets mean the same in both (https://jupyter-client.readthedocs.io/en/stable/messaging.html).
"""

from __future__ import annotations

import base64
import collections
import contextlib
import dataclasses
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from nbclient import NotebookClient
from nbformat import NotebookNode

from stagebook.execution.kernels.held_text import HeldText
from stagebook.system.logins import NO_SECRETS, Redaction, Stream

_log = logging.getLogger(__name__)

MAX_TEXT = 1_000_000  # characters of one stream in one cell that stay in the notebook
MAX_DISPLAY = 10_000_000  # characters of one display
MAX_TOTAL = 60_000_000  # characters of all outputs of a notebook
_SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "application/pdf": ".pdf",
    "image/svg+xml": ".svg",
    "text/html": ".html",
    "text/markdown": ".md",
    "text/latex": ".tex",
    "text/plain": ".txt",
}
_BINARY = {"image/png", "image/jpeg", "image/gif", "application/pdf"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """Where outputs go besides the notebook: large ones into `folder`, text into `log`, and the text of each
    to `heard`; what of them is `redacted` first. `changes` is called before each message that may change the
    notebook."""

    folder: Path
    log: TextIO
    heard: Callable[[str], None]
    changes: Callable[[], None] = lambda: None
    redacted: Redaction = NO_SECRETS

    def tell(self, text: str) -> None:
        """Put text into the log, and have it heard."""
        if text:
            with contextlib.suppress(OSError):  # a full disk; the notebook holds the outputs
                self.log.write(text)
                self.log.flush()
        self.heard(text)


class Recorder(NotebookClient):
    """Puts outputs into cells, and those that are too large into files beside the notebook. A note in the
    cell names the file; nothing is cut silently."""

    sink: Sink

    def prepare(self, sink: Sink) -> None:
        """Say where outputs go."""
        self.sink = sink
        self._held = HeldText(
            sink.redacted, lambda at, msg: self.output(self.nb.cells[at].outputs, msg, None, at)
        )
        self._spoken = Stream(sink.redacted)  # the log has both streams, and displays
        self.clear_before_next_output = False
        self._sizes: collections.Counter[tuple[int, str]] = collections.Counter()  # of what is in cells
        self._spills: dict[tuple[int, str], _Spill] = {}
        self._files = 0

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Take one message of the cell that runs."""
        self.sink.changes()
        kind = msg["msg_type"]
        if kind == "stream":
            said = msg["content"]["text"]
            msg = self._held.push(cell_index, msg)
            if said and not msg["content"]["text"]:
                return None
        else:
            self._held.release(cell_index)
            msg["content"] = self.sink.redacted.data(msg["content"])
        if kind in {"display_data", "execute_result", "update_display_data"}:
            self._measure(msg["content"], cell_index, is_update=kind == "update_display_data")
        return super().process_message(msg, cell, cell_index)

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Add one output to those of a cell."""
        parent = msg["parent_header"].get("msg_id")
        content = msg["content"]
        if self.output_hook_stack[parent]:  # an Output widget takes it
            self._tell(content.get("text") or _text_of({**content, "output_type": msg["msg_type"]}))
            return super().output(outs, msg, display_id, cell_index)
        if msg["msg_type"] == "stream":
            self._clear_if_due(outs, cell_index)
            out: NotebookNode | None = self._stream(outs, cell_index, content["name"], content["text"])
        else:
            out = super().output(outs, msg, display_id, cell_index)
            self._tell(_text_of(out))
        return out

    def clear_output(self, outs: list[NotebookNode], msg: dict[str, Any], cell_index: int) -> None:
        """Clear the outputs of a cell, and remove its files."""
        super().clear_output(outs, msg, cell_index)
        if not outs:
            self._forget(cell_index)

    def keep_widgets(self) -> None:
        """Write the state of widgets into the notebook. A failure of that is told in the log of the worker alone."""
        try:
            self.set_widgets_metadata()
        except Exception:  # noqa: BLE001 - whatever nbclient makes of what a widget said
            _log.exception("the state of widgets could not be kept")

    def close_cell(self, cell_index: int) -> None:
        """Close the files of a cell, and write their sizes into the notes."""
        self._end_text(cell_index)
        for (at, _), spill in self._spills.items():
            if at == cell_index:
                spill.close()

    def close(self) -> None:
        """Close all files; outputs may have come after their cell."""
        self._end_text()
        for spill in self._spills.values():
            spill.close()

    def _clear_if_due(self, outs: list[NotebookNode], cell_index: int) -> None:
        if self.clear_before_next_output:
            outs[:] = []
            self.clear_display_id_mapping(cell_index)
            self._forget(cell_index)
            self.clear_before_next_output = False

    def _forget(self, cell_index: int) -> None:
        for key in [key for key in self._sizes if key[0] == cell_index]:
            del self._sizes[key]
        for key in [key for key in self._spills if key[0] == cell_index]:
            self._spills.pop(key).discard()

    # -- text -----------------------------------------------------------------------------------

    def _stream(self, outs: list[NotebookNode], at: int, name: str, text: str) -> NotebookNode:
        self._tell(text)
        spill = self._spills.get((at, name))
        if spill is None:
            last = outs[-1] if outs else None
            if last is not None and last.get("output_type") == "stream" and last.get("name") == name:
                out = last
            else:
                out = NotebookNode(output_type="stream", name=name, text="")  # type: ignore[no-untyped-call]
                outs.append(out)
            held = self._sizes[at, name] + len(text)
            if held <= MAX_TEXT and self._sizes.total() + len(text) <= MAX_TOTAL:
                out.text += text
                self._sizes[at, name] = held
                return out
            spill = self._spills[at, name] = self._spill(outs, at, name)
        spill.write(text)
        return spill.note

    def _spill(self, outs: list[NotebookNode], at: int, name: str) -> _Spill:
        """Move the stream to a file, which gets it from the beginning."""
        note = NotebookNode(output_type="stream", name=name, text="")  # type: ignore[no-untyped-call]
        before = "".join(o.text for o in outs if o.get("output_type") == "stream" and o.name == name)
        outs.append(note)
        spill = _Spill(self._file(f"cell-{_number(self.nb, at)}-{name}.txt"), note, name)
        spill.write(before)
        return spill

    def _tell(self, text: str) -> None:
        self.sink.tell(self._spoken.push(text))

    def _end_text(self, at: int | None = None) -> None:
        """Put out what was held back of the text of a cell, or of all."""
        with contextlib.suppress(OSError):  # no room for it
            self._held.release(at)
        if said := self._spoken.end():
            self.sink.tell(said)

    # -- displays -------------------------------------------------------------------------------

    def _measure(self, content: dict[str, Any], at: int, *, is_update: bool) -> None:
        """Write a display that is too large to files, and put a note in its place."""
        data = content.get("data")
        if not isinstance(data, dict):
            return
        size = sum(len(item) if isinstance(item, str) else len(json.dumps(item)) for item in data.values())
        # Scraps are values, read from the notebook once it has ended: they stay.
        scrap = any("scrapbook" in kind for kind in data)
        # An update takes the place of what was there, so only its own size counts.
        total = 0 if is_update else self._sizes.total()
        if scrap or (size <= MAX_DISPLAY and total + size <= MAX_TOTAL):
            if not is_update:
                self._sizes[at, ""] += size
            return
        notes = []
        for kind, item in data.items():
            suffix = _SUFFIXES.get(kind, ".json" if kind.endswith("json") else ".txt")
            self._files += 1
            file = self._file(f"cell-{_number(self.nb, at)}-display-{self._files}{suffix}")
            written = _payload(kind, item)
            try:
                file.write_bytes(written)
            except OSError:
                file.unlink(missing_ok=True)
                raise
            notes.append(f"{kind}, {_amount(len(written))}: {file.parent.name}/{file.name}")
        text = "[Stagebook] this output is kept in a file beside the notebook:\n" + "\n".join(notes)
        content["data"] = {"text/plain": text}

    def _file(self, name: str) -> Path:
        self.sink.folder.mkdir(parents=True, exist_ok=True)
        return self.sink.folder / name


class _Spill:
    """A stream of a cell that goes on in a file."""

    def __init__(self, file: Path, note: NotebookNode, name: str) -> None:
        self.note = note
        self._file = file
        self._name = name
        self._size = 0
        self._stream = file.open("w", encoding="utf-8", errors="replace", newline="")
        self._lost = ""
        self._say("goes on")

    def write(self, text: str) -> None:
        self._size += len(text)
        try:
            if self._stream.closed:  # output that comes after its cell has ended
                self._stream = self._file.open("a", encoding="utf-8", errors="replace", newline="")
            self._stream.write(text)
        except OSError as error:
            self._lost = error.strerror or str(error)

    def close(self) -> None:
        try:
            self._stream.close()
        except OSError as error:
            self._lost = error.strerror or str(error)
        state = f"but not whole: {self._lost}" if self._lost else "and whole"
        self._say(f"is {_amount(self._size)} long {state};")

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.close()
        self._file.unlink(missing_ok=True)

    def _say(self, what: str) -> None:
        where = f"{self._file.parent.name}/{self._file.name}"
        self.note["text"] = f"\n[Stagebook] {self._name} {what} in {where}, beside the notebook\n"


def _number(notebook: NotebookNode, at: int) -> int:
    """The cell at an index, as it is counted everywhere: code cells with code in them, from 1."""
    return sum(1 for cell in notebook.cells[: at + 1] if cell.cell_type == "code" and cell.source.strip())


def not_kept(error: OSError) -> str:
    """The message about outputs for which there is no room."""
    return f"the cell's outputs could not be kept: {error.strerror or error}"


def _payload(kind: str, item: Any) -> bytes:
    if kind in _BINARY and isinstance(item, str):
        with contextlib.suppress(ValueError):
            return base64.b64decode(item)
    return item.encode("utf-8", "replace") if isinstance(item, str) else json.dumps(item).encode()


def _amount(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size:,} bytes"


def _text_of(out: Mapping[str, Any] | None) -> str:
    match out.get("output_type") if out else None, out or {}:
        case "error", found:
            return "\n".join(found.get("traceback", ())) + "\n"
        case "display_data" | "execute_result", found:
            plain = found.get("data", {}).get("text/plain", "")
            return f"{plain}\n" if plain else ""
    return ""
