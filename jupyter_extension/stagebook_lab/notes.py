"""What people said of runs, one JSON object a line in `.stagebook/notes.jsonl`."""

from __future__ import annotations

import json
import os
import time

from stagebook.errors import UsageError
from stagebook.project import Project
from stagebook.workspace.paths import STATE_FOLDER
from stagebook_lab.wire import Note, NoteKind

FILE = "notes.jsonl"
MAX_TEXT = 4_000  # characters of a note


def notes_of(project: Project, run: str) -> tuple[Note, ...]:
    """The notes on a run, the oldest first. A line that is none is passed over."""
    try:
        lines = (project.root / STATE_FOLDER / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    found = []
    for line in lines:
        try:
            data = json.loads(line)
            if data["run"] == run:
                kind: NoteKind = "acknowledged" if data["kind"] == "acknowledged" else "note"
                found.append(
                    Note(kind=kind, text=str(data["text"]), by=str(data["by"]), at=float(data["at"]))
                )
        except (ValueError, KeyError, TypeError):
            continue
    return tuple(found)


def add_note(project: Project, run: str, kind: str, text: str, by: str) -> Note:
    """Add a note to a run. Raises `UsageError`."""
    if kind not in {"note", "acknowledged"}:
        msg = f"a note is a 'note' or 'acknowledged', not '{kind}'"
        raise UsageError(msg)
    if len(text) > MAX_TEXT or (kind == "note" and not text.strip()):
        msg = f"a note has 1 to {MAX_TEXT} characters"
        raise UsageError(msg)
    note = Note(
        kind="acknowledged" if kind == "acknowledged" else "note", text=text.strip(), by=by, at=time.time()
    )
    data = {"run": run, "kind": note.kind, "text": note.text, "by": by, "at": note.at}
    line = json.dumps(data).encode() + b"\n"
    # One write of a line is not torn by that of another process.
    handle = os.open(project.root / STATE_FOLDER / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line)
    finally:
        os.close(handle)
    return note
