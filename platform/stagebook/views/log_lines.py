"""The events of a run as lines of text, for a pipe or a log file."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from stagebook import events
from stagebook.events import Event, Status
from stagebook.journal.history import RunHistory
from stagebook.views.audit_lines import audit_lines
from stagebook.views.formatting import duration, plain, plural, value
from stagebook.views.tables import SIGNS

_COUNTED_FROM = 10  # stages: runs of more are told how far they have come
_MANY_STAGES = 30  # above this, stages that were reused get no line


def lines_of(event: Event, history: RunHistory) -> Iterator[str]:  # noqa: C901 - one case an event
    """The lines for an event, often none. `history` has the event already."""
    at = datetime.datetime.fromtimestamp(event.at, datetime.UTC).strftime("%H:%M:%S")
    match event:
        case events.RunStarted():
            stages = plural(len(event.plan.get("stages", ())), "stage")
            about = f" for {event.interval['name']}" if event.interval else ""
            yield f"{at} {event.pipeline}: run {event.run}{about}, {stages}, {event.jobs} at a time"
        case events.AttemptStarted():
            again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
            usual = f", usually {duration(event.expected)}" if event.expected else ""
            yield f"{at} {SIGNS[Status.RUNNING][0]} {event.stage} started{again}{usual}"
        case events.AttemptFrozen():
            where = f" in cell {event.cell}" if event.cell else ""
            yield f"{at} ! {event.stage} is frozen{where}: its process has been stopped for {duration(event.seconds)}"
        case events.AttemptEnded():
            yield from (f"{at} {line}" for line in _attempt_lines(event))
        case events.StageRetrying():
            yield f"{at} {SIGNS[Status.RETRYING][0]} {event.stage} is tried again in {duration(event.delay)}"
        case events.StageExpanded():
            yield f"{at} + {event.stage}: {plural(len(event.stages), 'stage')}"
        case events.StageEnded() if _is_worth_a_line(event, history):
            yield f"{at} {_stage_line(event, history)}"
        case events.VersionPublished():
            yield f"{at} {_version_line(event)}"
        case events.NoteAdded():
            yield f"{at} {note_line(event.stage, event.by, event.text, seen=event.acknowledges)}"
        case events.RunCancelling() | events.RunEnded():
            yield f"{at} {_run_line(event)}"


def note_line(stage: str, by: str, text: str, *, seen: bool) -> str:
    """A note of a person on a run, or on a stage of it."""
    said = f"has seen it{': ' if text else ''}{text}" if seen else f"notes: {text}"
    return plain(f"✎ {f'{stage}: ' if stage else ''}{by or 'somebody'} {value(said, 300)}")


def _run_line(event: events.RunCancelling | events.RunEnded) -> str:
    if isinstance(event, events.RunCancelling):
        return f"■ stopping: {event.reason}"
    return f"{SIGNS[event.status][0]} {event.run} {event.status}"


def _version_line(event: events.VersionPublished) -> str:
    back = f", what version {event.shows} had" if event.shows else ""
    return f"✓ {event.environment} shows version {event.version}{back}"


def _attempt_lines(event: events.AttemptEnded) -> Iterator[str]:
    if event.cause is not None:
        cell = f" in cell {event.cell} of {event.cells}" if event.cell else ""
        message = plain(value(event.message, 300))
        yield f"! {event.stage} attempt {event.attempt}: {event.cause}{cell}: {message}"
    else:
        yield from (f"{event.stage}: {line}" for line in audit_lines(event.audits))


def _is_worth_a_line(event: events.StageEnded, history: RunHistory) -> bool:
    stage = history.stages[event.stage]
    if stage.decision == "SKIP":
        return False  # not part of the run from the beginning
    return not (event.status is Status.REUSED and not stage.restored and len(history.stages) > _MANY_STAGES)


def _stage_line(event: events.StageEnded, history: RunHistory) -> str:
    stage = history.stages[event.stage]
    took = duration(stage.seconds(stage.ended or event.at))
    more = f" in {took}" if event.status is Status.COMPLETED else ""
    if event.reason and event.status is not Status.COMPLETED:
        more += f": {plain(value(event.reason, 300))}"
    return f"{SIGNS[event.status][0]} {_place(history)}{event.stage} {event.status}{more}"


def _place(history: RunHistory) -> str:
    """How many stages have ended, where they are so many that nobody counts them."""
    width = len(str(history.due))
    return f"[{history.done:>{width}}/{history.due}] " if history.due > _COUNTED_FROM else ""
