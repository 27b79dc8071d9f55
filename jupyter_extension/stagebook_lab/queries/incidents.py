"""Incidents: what is wrong in the environments of a project, and what people do about it."""

from __future__ import annotations

import time

from stagebook.errors import JournalUnreadable, UsageError
from stagebook.incidents.incident import Incident
from stagebook.journal.journal import Journal
from stagebook.project import Project
from stagebook.runs.incidents import Mark, find_incident, incidents_of, mark
from stagebook_lab import wire
from stagebook_lab.journals import environments_of, journal_of
from stagebook_lab.present import wire_value

MOST = 50  # closed incidents that are listed


def incidents_reply(project: Project, environment: str) -> wire.IncidentsReply:
    """The incidents of an environment, those that are open first. Raises `JournalUnreadable`."""
    with journal_of(project, environment) as journal:
        known = incidents_of(journal, project.settings, environment) if journal is not None else []
    open_ones = [one for one in known if one.is_open]
    closed = sorted((one for one in known if not one.is_open), key=lambda one: -(one.closed or 0.0))
    return wire.IncidentsReply(
        environment=environment,
        environments=tuple(environments_of(project)),
        opens=project.settings.opens_incidents(environment),
        incidents=tuple(_info(one) for one in [*open_ones, *closed[:MOST]]),
        older=max(0, len(closed) - MOST),
    )


def open_incidents_reply(project: Project) -> wire.OpenIncidentsReply:
    """How many incidents are open in each environment. A journal that cannot be read is left out."""
    found = {}
    for name in environments_of(project):
        try:
            with journal_of(project, name) as journal:
                known = incidents_of(journal, project.settings, name) if journal is not None else []
        except JournalUnreadable:
            continue
        if count := sum(one.is_open for one in known):
            found[name] = count
    return wire.OpenIncidentsReply(open=found)


def incident_reply(project: Project, environment: str, name: str) -> wire.IncidentReply:
    """An incident with all that happened to it. Raises `UsageError` where there is none."""
    with journal_of(project, environment) as journal:
        return _reply(*_find(project, journal, environment, name))


def act(project: Project, name: str, request: wire.IncidentRequest, by: str) -> wire.IncidentReply:
    """Acknowledge an incident, note something on it or close it, in the name of who asks.

    Raises:
        UsageError: there is none, it is closed already, or a note has no text.
    """
    environment = request.environment
    with journal_of(project, environment) as journal:
        found, one = _find(project, journal, environment, name)
        mark(found, one, Mark(action=request.action, text=request.text, by=by, at=time.time()))
        return _reply(*_find(project, journal, environment, one.id))


def _find(project: Project, journal: Journal | None, environment: str, name: str) -> tuple[Journal, Incident]:
    if journal is None:
        raise UsageError(f"there is no incident '{name}'", hint=f"nothing was run in {environment} yet")
    return journal, find_incident(incidents_of(journal, project.settings, environment), name)


def _reply(journal: Journal, one: Incident) -> wire.IncidentReply:
    changes = journal.incidents.changes_of(one.id)
    return wire.IncidentReply(
        incident=_info(one),
        changes=tuple(wire_value(wire.IncidentChange, change, what=str(change.what)) for change in changes),
    )


def _info(one: Incident) -> wire.Incident:
    said = {
        name: tuple(wire_value(wire.IncidentWord, word) for word in getattr(one, name))
        for name in ("acks", "notes")
    }
    own = {name: getattr(one, name) for name in ("name", "is_severe", "over")}
    return wire_value(wire.Incident, one, kind=str(one.kind), **own, **said)
