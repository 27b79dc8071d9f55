"""The notes of people as tags of MLflow runs."""

from __future__ import annotations

from stagebook.events import AttemptStarted, NoteAdded
from stagebook.journal.journal import Journal, attempt_key
from stagebook.tracking.mlflow import Mlflow
from stagebook.tracking.telling import Telling

TAG = "stagebook.notes"


def tell_note(store: Mlflow, journal: Journal, event: NoteAdded) -> None:
    """All notes on a run, or on the last attempt at a stage of it, are one tag: told twice, it is the same."""
    notes, attempt = [], 0
    for _, one in journal.events.of(event.run):
        if isinstance(one, NoteAdded) and one.stage == event.stage:
            notes.append(_line(one))
        elif isinstance(one, AttemptStarted) and one.stage == event.stage:
            attempt = one.attempt
    key = attempt_key(event.run, event.stage, attempt) if event.stage and attempt else event.run
    found = journal.outbox.tracked(key)
    if found is None:
        return
    tag = TAG if key != event.run or not event.stage else f"{TAG}.{event.stage}"
    with Telling(journal.outbox, event) as telling, telling.part("notes"):
        telling.log(store.run(found[1]), tags={tag: "\n".join(notes)})


def _line(note: NoteAdded) -> str:
    seen = "seen" if note.acknowledges else ""
    return f"{note.by or 'somebody'}: {': '.join(filter(None, (seen, note.text)))}"
