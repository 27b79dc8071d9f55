"""The incidents of a project: those of the environment that it is opened in, and what people do about them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from stagebook.errors import JournalUnreadable, UsageError
from stagebook.events import FiguresCompared, IncidentMarked, Status
from stagebook.incidents.incident import OF_SCHEDULES, Change, Incident
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import Journal
from stagebook.runs.monitors import Recorded, Series, unusual
from stagebook.runs.notes import checked
from stagebook.workspace.settings import MonitorSettings, Settings


def incidents_of(journal: Journal, settings: Settings, environment: str) -> list[Incident]:
    """All incidents of an environment, the latest first. Raises `JournalUnreadable`."""
    return journal.incidents.look(opens=settings.opens_incidents(environment))


def count_elsewhere(journals: Mapping[str, Journal], settings: Settings) -> dict[str, int]:
    """How many incidents are open in other environments, by their names. A journal that cannot be read is left out."""
    found = {}
    for name, journal in journals.items():
        try:
            count = sum(one.is_open for one in incidents_of(journal, settings, name))
        except JournalUnreadable:
            continue
        if count:
            found[name] = count
    return found


def of_dataset(known: Sequence[Incident], pipeline: str, stage: str, output: str) -> list[Incident]:
    """The open incidents that whoever reads an output of a stage should know of: its own, those of the stage, and those of the
    pipeline as a whole, such as a schedule that is late."""
    own = {"", stage, f"{stage}.{output}"}
    return [
        one
        for one in known
        if one.is_open and one.pipeline == pipeline and (one.subject in own or one.kind in OF_SCHEDULES)
    ]


def find_incident(known: Sequence[Incident], text: str) -> Incident:
    """An incident by its id, or the beginning of it.

    Raises:
        UsageError: there is none, or the beginning fits several.
    """
    found = [one for one in known if one.id == text] or [one for one in known if one.id.startswith(text)]
    if len(found) == 1 and text:
        return found[0]
    if len(found) > 1:
        hint = f"such as {found[0].id} and {found[1].id}"
        raise UsageError(f"'{text}' fits several incidents", hint=hint)
    raise UsageError(f"there is no incident '{text}'", hint="stagebook incident list --all shows them")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a person does about an incident: `ack`, `note` or `close`, with a text. `at`: seconds since the epoch."""

    action: str
    text: str
    by: str
    at: float


def mark(journal: Journal, incident: Incident, mark: Mark) -> IncidentMarked:
    """Record what a person does about an incident.

    Raises:
        UsageError: it is closed already, or a note has no text.
    """
    if mark.action == "close" and not incident.is_open:
        health = f"with the run {incident.closed_run}" if incident.closed_run else f"when it {incident.over}"
        who = f"by {incident.closed_by}" if incident.closed_by else health
        raise UsageError(f"the incident {incident.id} was closed {who}")
    text = checked(mark.text) if mark.action == "note" or mark.text.strip() else ""
    event = IncidentMarked(
        run=incident.run, at=mark.at, incident=incident.id, action=mark.action, text=text, by=mark.by
    )
    journal.append([event])
    return event


def compared(
    history: Recorded, settings: MonitorSettings, pipeline: str, run: str, ended: RunHistory
) -> FiguresCompared | None:
    """What the figures of a run that has ended are beside those of earlier runs; `None` where it has none."""
    stages = [name for name, stage in ended.stages.items() if stage.status is Status.COMPLETED]
    if not settings.enabled or not stages or ended.ended is None:
        return None
    found: dict[str, list[Series]] = {}
    for one in unusual(history, pipeline, settings, dict.fromkeys(stages, run)):
        found.setdefault(one.monitor.dataset, []).append(one)
    lines = {dataset: _line(items) for dataset, items in found.items()}
    return FiguresCompared(run=run, at=ended.ended.at, stages=stages, unusual=lines)


def _line(items: Sequence[Series]) -> str:
    first = items[0]
    name = f"{first.monitor.column}: {first.monitor.figure}" if first.monitor.column else first.monitor.figure
    more = f" (and {len(items) - 1} more)" if len(items) > 1 else ""
    low, high = first.low or 0.0, first.high or 0.0
    return f"{name} {first.last.value:.6g}, usually {low:.6g} to {high:.6g}{more}"


def with_changes(journal: Journal, incident: Incident) -> tuple[Incident, list[Change]]:
    """An incident with all that happened to it."""
    return incident, journal.incidents.changes_of(incident.id)


def to_json(incident: Incident, environment: str) -> dict[str, Any]:
    """An incident of an environment as plain data."""
    return {"environment": environment, **incident.to_json()}
