"""Notes of people on runs: `.stagebook/notes.jsonl`, one JSON object a line."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Mapping

from stagebook.errors import UsageError
from stagebook.project import Project
from stagebook.workspace.paths import STATE_FOLDER
from stagebook_lab.wire import Note, NoteKind, NoteRequest

FILE = "notes.jsonl"
MAX_TEXT = 4_000  # characters of a note
_KINDS: Mapping[str, NoteKind] = {"note": "note", "acknowledged": "acknowledged"}


def notes_of(project: Project, run: str) -> tuple[Note, ...]:
    """The notes on a run, the oldest first. Lines that are no notes are passed over."""
    try:
        lines = (project.root / STATE_FOLDER / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    found = []
    for line in lines:
        try:
            data = json.loads(line)
            if data["run"] == run:
                kind = _KINDS.get(data["kind"], "note")
                found.append(
                    Note(kind=kind, text=str(data["text"]), by=str(data["by"]), at=float(data["at"]))
                )
        except (ValueError, KeyError, TypeError):
            continue
    return tuple(found)


def add_note(project: Project, run: str, request: NoteRequest, by: str) -> Note:
    """Add a note of the user `by` to a run. An acknowledgement needs no text.

    Raises:
        UsageError: the kind is unknown, or the text is empty or too long.
    """
    kind, text = _KINDS.get(request.kind), request.text.strip()
    if kind is None:
        raise UsageError(f"a note is a 'note' or 'acknowledged', not '{request.kind}'")
    if len(text) > MAX_TEXT or (kind == "note" and not text):
        raise UsageError(f"a note has 1 to {MAX_TEXT} characters")
    note = Note(kind=kind, text=text, by=by, at=time.time())
    line = json.dumps({"run": run, **dataclasses.asdict(note)}).encode() + b"\n"
    # O_APPEND and a single write: lines of other processes do not mix with this one.
    handle = os.open(project.root / STATE_FOLDER / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line)
    finally:
        os.close(handle)
    return note
