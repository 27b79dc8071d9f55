"""The plain facts that indicators are computed from. Times are seconds since the epoch, durations are seconds."""

from __future__ import annotations

import bisect
import dataclasses
import enum
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, TypeVar

from stagebook.audits import Outcome, Severity
from stagebook.incidents.incident import Kind
from stagebook.statuses import Status

WEEK = 7 * 86_400.0


_Fact = TypeVar("_Fact")
_at: Callable[[Any], float] = operator.attrgetter("at")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `start` up to `end`, which is not part of it."""

    start: float
    end: float

    @property
    def weeks(self) -> float:
        """Its length in weeks."""
        return (self.end - self.start) / WEEK

    def before(self) -> Window:
        """The one of equal length that ends where this one begins."""
        return Window(start=self.start - (self.end - self.start), end=self.start)

    def last_weeks(self, count: int) -> Iterator[Window]:
        """So many weeks, the last of which ends where it ends; the earliest first."""
        for back in range(count - 1, -1, -1):
            yield Window(start=self.end - (back + 1) * WEEK, end=self.end - back * WEEK)

    def __contains__(self, at: float) -> bool:
        return self.start <= at < self.end


class Trigger(enum.StrEnum):
    """What had a run begin."""

    SCHEDULE = "schedule"  # a time of a schedule
    DATA = "data"  # a schedule that waits for new data or files
    HAND = "hand"  # a person, or a program that Stagebook knows nothing of

    @property
    def is_automatic(self) -> bool:
        """Whether nobody had to do anything."""
        return self is not Trigger.HAND


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FactRun:
    """A run that somebody or something asked for; a sweep and a backfill are one each. `ended`: `None` while it goes on;
    `interval_end`: the end of the interval that the `schedule` ran it for."""

    id: str
    pipeline: str
    status: Status
    at: float
    ended: float | None
    trigger: Trigger = Trigger.HAND
    interval_end: float | None = None
    schedule: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FactCheck:
    """What a rule came to. `failing`: the fraction of the rows that break it, 1 where it is not about rows and does not hold."""

    columns: tuple[str, ...]
    severity: Severity
    outcome: Outcome
    failing: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FactAudit:
    """What the contract of an output came to: `rows` were written, `rejected` of them went into quarantine."""

    output: str
    rows: int
    rejected: int
    checks: tuple[FactCheck, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FactStage:
    """A stage instance was executed, or its earlier result taken.

    Args:
        at: when that ended.
        attempt: the number of the attempt; 0 where an earlier result was taken.
        completed: whether it came to a result.
        saved: of a result that was taken, how long the attempt took that came to it; `None` where nobody knows.
        outputs: what it makes, as far as it came to a result; `covered`: those of them that a check looked at.
        audits: those of this very attempt.
    """

    pipeline: str
    stage: str
    at: float
    attempt: int = 0
    completed: bool = True
    saved: float | None = None
    outputs: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()
    audits: tuple[FactAudit, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FactNote:
    """Somebody wrote something on a run, or on the incident that it opened, or said that they have seen it."""

    pipeline: str
    run: str
    at: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FactDeployment:
    """What an environment shows of a pipeline was changed by a person. `kind`: `deployment`, `promotion` or `rollback`; `commit`:
    that of the `release`, empty without one; `run`: the one that is shown; `committed`: when, `None` where git does not know it, or where the release had
    changes that were not committed; `first_use`: when another stage first read what was new in it."""

    pipeline: str
    version: int
    at: float
    kind: str = "deployment"
    run: str = ""
    release: str = ""
    commit: str = ""
    committed: float | None = None
    first_use: float | None = None

    @property
    def is_rollback(self) -> bool:
        """Whether it shows again what was there before."""
        return self.kind == "rollback"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FactFiring:
    """A firing of a schedule, due `at` a time. `came`: whether a run came of it."""

    pipeline: str
    schedule: str
    at: float
    came: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FactLate:
    """An incident of the kind `late`, of a schedule, was opened, or seen again."""

    pipeline: str
    schedule: str
    at: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FactIncident:
    """An incident, opened `at` a time. `closed`: `None` while it is open; `closed_run`: in which it was seen to be well;
    `release`: what the run executed that opened it, empty where nobody knows."""

    pipeline: str
    kind: Kind
    at: float
    closed: float | None = None
    closed_run: str = ""
    release: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FreshBound:
    """A schedule expects that the last run that completed ended not longer ago than so many seconds."""

    pipeline: str
    schedule: str
    within: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All facts of an environment, each sequence in the order of its times."""

    runs: Sequence[FactRun] = ()
    stages: Sequence[FactStage] = ()
    notes: Sequence[FactNote] = ()
    deployments: Sequence[FactDeployment] = ()
    firings: Sequence[FactFiring] = ()
    late: Sequence[FactLate] = ()
    incidents: Sequence[FactIncident] = ()
    fresh: Sequence[FreshBound] = ()

    def sorted(self) -> Self:
        """The same facts, in the order of their times."""
        names = (field.name for field in dataclasses.fields(self) if field.name != "fresh")
        found: dict[str, Any] = {name: sorted(getattr(self, name), key=_at) for name in names}
        return dataclasses.replace(self, **found)

    def by_pipeline(self) -> dict[str, Facts]:
        """Those of each pipeline, by its name."""
        found: dict[str, dict[str, list[Any]]] = {}
        for field in dataclasses.fields(self):
            for fact in getattr(self, field.name):
                found.setdefault(fact.pipeline, {}).setdefault(field.name, []).append(fact)
        return {name: Facts(**parts) for name, parts in sorted(found.items())}


def during(facts: Sequence[_Fact], window: Window, key: Callable[[Any], float] = _at) -> Sequence[_Fact]:
    """The facts of a window, of those that are in the order of their times."""
    return facts[
        bisect.bisect_left(facts, window.start, key=key) : bisect.bisect_left(facts, window.end, key=key)
    ]
