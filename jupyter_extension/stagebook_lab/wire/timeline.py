"""The runs of a pipeline over time: a grid of runs and stages, and a calendar."""

from __future__ import annotations

import dataclasses
from typing import Literal

from stagebook_lab.wire.runs import AttemptInfo, Note, StageInfo, StageStatus

Period = Literal["day", "month"]
IntervalState = Literal["done", "failed", "running", "missing"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GridRun:
    """A run. `interval` is what it is about, and `schedule` what started it, empty without any; `parent` the backfill that it is
    of. `stages` has the status of each stage instance by its id, `noted` those that somebody noted something on, with an empty
    id for the run as a whole."""

    id: str
    status: StageStatus
    started: float
    ended: float | None
    interval: str
    schedule: str
    parent: str
    stages: dict[str, StageStatus]
    noted: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GridReply:
    """The latest runs of a pipeline in an environment, the oldest first, and the ids of all their stage instances in the order
    of the newest run. `older` says how many more there are, `zone` in which time zone times are told."""

    pipeline: str
    environment: str
    environments: tuple[str, ...]
    runs: tuple[GridRun, ...]
    stages: tuple[str, ...]
    older: int
    zone: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CalendarInterval:
    """An interval of the pipeline's schedule: `done` where a run of it completed, else as the last run of it ended, `missing`
    where there was none."""

    name: str
    state: IntervalState


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CalendarPlace:
    """A day or a month, `2026-01-05` or `2026-01`, from `start` to `end`: how many runs that began in it have which status; and
    the schedule's intervals that begin in it: all by their state, and those by name that are not done."""

    name: str
    start: float
    end: float
    runs: dict[str, int]
    intervals: dict[str, int]
    lacking: tuple[CalendarInterval, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CalendarReply:
    """Days or months in their order, in the time `zone` of the pipeline's `schedule`, or in UTC without any. What is expected
    begins with the first interval that has a run. Of `too_many` intervals none is told."""

    period: Period
    zone: str
    schedule: str
    too_many: bool
    places: tuple[CalendarPlace, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageOfRunReply:
    """A stage instance of a run, with the notes on it and on the run; null where the run has no such stage."""

    run: GridRun
    stage: StageInfo | None
    notes: tuple[Note, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TimesReply:
    """A run with its stages over time: `upstream` has the stages before each one, `attempts` the attempts of each that began."""

    run: GridRun
    stages: tuple[StageInfo, ...]
    upstream: dict[str, tuple[str, ...]]
    attempts: dict[str, tuple[AttemptInfo, ...]]
