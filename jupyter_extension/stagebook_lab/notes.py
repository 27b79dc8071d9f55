"""Notes of people on runs: events of the journal. Those of earlier versions are in `.stagebook/notes.jsonl`, one JSON object
a line."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping

from stagebook.errors import UsageError
from stagebook.events import NoteAdded
from stagebook.project import Project
from stagebook.runs.notes import add_note as add
from stagebook.workspace.paths import STATE_FOLDER
from stagebook_lab.wire import Note, NoteKind, NoteRequest

FILE = "notes.jsonl"
_KINDS: Mapping[str, NoteKind] = {"note": "note", "acknowledged": "acknowledged"}


def notes_of(project: Project, run: str) -> tuple[Note, ...]:
    """The notes on a run and its stages, the oldest first."""
    told = [_note(event) for _, event in project.journal.events.of(run) if isinstance(event, NoteAdded)]
    return tuple(sorted([*_of_file(project, run), *told], key=lambda note: note.at))


def _note(event: NoteAdded) -> Note:
    kind: NoteKind = "acknowledged" if event.acknowledges else "note"
    text = f"{event.stage}: {event.text}" if event.stage else event.text
    return Note(kind=kind, text=text, by=event.by, at=event.at)


def _of_file(project: Project, run: str) -> Iterator[Note]:
    """Lines that are no notes are passed over."""
    try:
        lines = (project.root / STATE_FOLDER / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            data = json.loads(line)
            if data["run"] == run:
                kind = _KINDS.get(data["kind"], "note")
                yield Note(kind=kind, text=str(data["text"]), by=str(data["by"]), at=float(data["at"]))
        except (ValueError, KeyError, TypeError):
            continue


def add_note(project: Project, run: str, request: NoteRequest, by: str) -> Note:
    """Add a note of the user `by` to a run. An acknowledgement needs no text.

    Raises:
        UsageError: the kind is unknown, or the text is empty or too long.
    """
    if request.kind not in _KINDS:
        raise UsageError(f"a note is a 'note' or 'acknowledged', not '{request.kind}'")
    found = project.history.find(run)
    acknowledges = request.kind == "acknowledged"
    made = add(project.history, found, request.text, by=by, at=time.time(), acknowledges=acknowledges)
    project.launcher.tell_mlflow()
    return _note(made)
