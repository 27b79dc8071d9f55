"""Backfills: what one would do, starting one, and how far it is."""

from __future__ import annotations

import dataclasses
from typing import Literal

from stagebook_lab.wire.actions import STRICT
from stagebook_lab.wire.runs import StageStatus

BackfillState = Literal["missing", "failed", "changed"]
BackfillAction = Literal["cancel", "resume", "retry"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRequest:
    """Plans or starts a backfill; the fields are the options of `stagebook backfill`. `which`: the states of intervals that are
    run, all of them by default; `texts` are parameters as `-p` reads them."""

    __pydantic_config__ = STRICT
    pipeline: str
    start: str
    end: str
    every: str = ""
    environment: str = "dev"
    project: str = ""
    stages: tuple[str, ...] = ()
    which: tuple[BackfillState, ...] = ()
    newest_first: bool = False
    parallel: int = 1
    texts: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRow:
    """Intervals beside each other that are alike, as the table of `stagebook backfill` has them. `is_chosen`: they run."""

    intervals: str
    number: int
    state: str
    stages: str
    time: str
    why: str
    is_chosen: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BackfillPlanReply:
    """What a backfill would do: `rows`, at most so many of them that `more` says how many are not told, and the sentences below
    them; `count` intervals would be run. `command` does the same in a terminal."""

    rows: tuple[BackfillRow, ...]
    more: int
    lines: tuple[str, ...]
    count: int
    command: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRun:
    """The run of an interval in a backfill."""

    id: str
    interval: str
    status: StageStatus


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BackfillInfo:
    """How far a backfill is. Of `total` intervals `done` completed, `failed` did not, `current` go on, `without` had no run, since
    nothing was to be done or they could not be planned, and `left` have not had their turn. `runs` are those that failed or go
    on."""

    id: str
    status: StageStatus
    reason: str
    started: float
    ended: float | None
    by: str
    first: str
    last: str
    total: int
    done: int
    failed: int
    without: int
    left: int
    current: tuple[str, ...]
    runs: tuple[BackfillRun, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BackfillsReply:
    """The latest backfills of a pipeline in an environment, the newest first. `every` is what an interval is by its schedule,
    empty where that does not say; `units` are those that can be asked for."""

    backfills: tuple[BackfillInfo, ...]
    every: str
    units: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BackfillActionRequest:
    """Cancels a backfill, or goes on with what is left of it, or with what failed."""

    __pydantic_config__ = STRICT
    action: BackfillAction
    environment: str = "dev"
    project: str = ""
