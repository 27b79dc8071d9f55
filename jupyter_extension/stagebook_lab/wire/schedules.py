"""Schedules: when they fire, what came of them, and who did what about them."""

from __future__ import annotations

import dataclasses
from typing import Literal

from stagebook_lab.wire.actions import STRICT, ProcessReply
from stagebook_lab.wire.projects import Problem

ScheduleAction = Literal["pause", "resume", "trigger"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleWord:
    """What a person did about a schedule, and why."""

    action: ScheduleAction
    by: str
    because: str
    at: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleOutcome:
    """What came of the latest firing. `outcome` is the status of its run, or `waits` or `skipped` where it has none, and
    `reason` says why; `interval` is what it is about."""

    at: float
    outcome: str
    run: str
    interval: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleInfo:
    """A schedule. `fires` says when, as the pipeline file does; `zone` is the time zone that it means; `next` is null where
    nobody can say it; `turned` is the last pause or its end."""

    pipeline: str
    name: str
    environment: str
    fires: str
    zone: str
    interval: str
    paused: bool
    next: float | None
    last: ScheduleOutcome | None
    turned: ScheduleWord | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A firing to come, and the `interval` that its run will be about."""

    at: float
    pipeline: str
    schedule: str
    environment: str
    zone: str
    interval: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LeaderInfo:
    """The scheduler that leads: a process on a host, since a time; 0 where that is not known."""

    pid: int
    host: str
    since: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SchedulesReply:
    """The schedules of all pipelines and environments, what fires next, and the scheduler that runs them, null where none
    does. `problems` are mistakes that hold schedules up."""

    schedules: tuple[ScheduleInfo, ...]
    next: tuple[Firing, ...]
    leader: LeaderInfo | None
    problems: tuple[Problem, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRequest:
    """Pauses, resumes or triggers a schedule."""

    __pydantic_config__ = STRICT
    action: ScheduleAction
    pipeline: str
    schedule: str
    environment: str = "dev"
    because: str = ""
    project: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleReply:
    """What was done: of `trigger` the id of the run to come, and its process where no scheduler leads that starts it."""

    run: str = ""
    process: ProcessReply | None = None
