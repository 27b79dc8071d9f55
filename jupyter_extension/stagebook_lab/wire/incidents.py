"""Incidents of an environment: what is wrong, since when, and what people said of it."""

from __future__ import annotations

import dataclasses
from typing import Literal

from stagebook_lab.wire.actions import STRICT

IncidentAction = Literal["ack", "note", "close"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IncidentWord:
    """What a person said."""

    at: float
    by: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What is wrong with a stage, an output, a schedule or a run as a whole, which `name` names. `run` opened it, and it was seen in
    `runs` of them, `last_run` the latest; of a schedule both are empty. `is_severe`: somebody has to do something at once.
    `closed` is null while it is open; it was closed by a person, or by health, seen in `closed_run`, or by no run, and then
    `over` says what became of it. `acks` says who has seen it."""

    id: str
    name: str
    is_severe: bool
    pipeline: str
    kind: str
    subject: str
    stage: str
    message: str
    run: str
    opened: float
    last_run: str
    last_seen: float
    runs: int
    closed: float | None
    closed_by: str
    closed_run: str
    because: str
    over: str
    acks: tuple[IncidentWord, ...]
    notes: tuple[IncidentWord, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsReply:
    """The incidents of an environment: those that are open, and the latest that were closed; `older` closed ones are not among
    them. `opens`: whether what fails there opens any."""

    environment: str
    environments: tuple[str, ...]
    opens: bool
    incidents: tuple[Incident, ...]
    older: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IncidentChange:
    """Something that happened to an incident: `what`, by a person or, where `by` is empty, by a run."""

    at: float
    what: str
    run: str
    by: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IncidentReply:
    """An incident, and all that happened to it, in order."""

    incident: Incident
    changes: tuple[IncidentChange, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncidentsReply:
    """How many incidents are open, by environment; those without any are left out."""

    open: dict[str, int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRequest:
    """Acknowledges an incident, notes something on it, or closes it."""

    __pydantic_config__ = STRICT
    action: IncidentAction
    text: str = ""
    environment: str = "dev"
    project: str = ""
