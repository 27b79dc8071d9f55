"""What people say of runs and stages; it is recorded with the run."""

from __future__ import annotations

from stagebook.errors import UsageError
from stagebook.events import NoteAdded
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import RunRecord
from stagebook.runs.history import History

MAX_TEXT = 4_000  # characters of a note


def checked(text: str) -> str:
    """The text of a note, without what is around it. Raises `UsageError` where there is none, or too much."""
    text = text.strip()
    if not text:
        raise UsageError("a note needs a text", hint='stagebook note RUN "what you found out"')
    if len(text) > MAX_TEXT:
        raise UsageError(f"a note has at most {MAX_TEXT:,} characters, and this one {len(text):,}")
    return text


def add_note(  # noqa: PLR0913 - what there is to say of a note
    history: History,
    run: RunRecord,
    text: str,
    *,
    by: str,
    at: float,
    stage: str = "",
    acknowledges: bool = False,
) -> NoteAdded:
    """Write a note on a run, or on one of its stages.

    Args:
        history: the runs of the project.
        run: what the note is on.
        text: what is said; it may be empty if it `acknowledges`.
        by: who says it.
        at: when, in seconds since the epoch.
        stage: a stage instance of the run; empty for the run as a whole.
        acknowledges: somebody has seen how it ended.

    Raises:
        RunNotFound: the run has no such stage.
        UsageError: there is no text, or too much of it.
    """
    if stage:
        history.stage(run, stage)
    text = checked(text) if text.strip() or not acknowledges else ""
    note = NoteAdded(run=run.id, at=at, stage=stage, text=text, by=by, acknowledges=acknowledges)
    history.journal.append([note])
    return note


def split_words(run: RunHistory, words: list[str]) -> tuple[str, str]:
    """The stage and the text of `[STAGE] TEXT…`: the first word is a stage if the run has one of that name and more follows."""
    if len(words) > 1 and words[0] in run.stages:
        return words[0], " ".join(words[1:])
    return "", " ".join(words)
