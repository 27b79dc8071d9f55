"""An incident, and what happened to it, as values."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
from collections.abc import Mapping
from typing import Any

_DIGITS = 7  # of an id


class Kind(enum.StrEnum):
    """What is wrong."""

    FAILURE = "failure"  # a stage failed, or a run vanished
    CONTRACT = "contract"  # an output broke its contract, so that it was not published
    WARNING = "warning"  # an output breaks a rule that does not hold it up
    QUARANTINE = "quarantine"  # rows of an output are kept out of what is published
    ANOMALY = "anomaly"  # figures of a stage or an output are unusual
    LATE = "late"  # what is expected of a schedule is not so: late, missing, or overdue
    LONG = "long"  # it takes longer than it may
    PAUSED = "paused"  # a person paused a schedule
    INVALID = "invalid"  # a schedule waits for what has mistakes: its pipeline, or the settings


SEVERE = frozenset({Kind.FAILURE, Kind.CONTRACT, Kind.INVALID})  # somebody has to do something at once
OF_SCHEDULES = frozenset({Kind.LATE, Kind.LONG, Kind.PAUSED, Kind.INVALID})  # their subjects are schedules


class What(enum.StrEnum):
    """What happened to an incident."""

    OPENED = "opened"
    AGAIN = "again"  # the same was seen in a further run
    GREW = "grew"  # and it is more than it was
    CLOSED = "closed"
    ACKNOWLEDGED = "acknowledged"
    NOTED = "noted"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """Something that is not as it has to be. `subject`: the stage, output or schedule, empty for the run as a whole; `stage`: the
    stage instance that it is of, if any; `figure`: how much of it there is, where that can be counted."""

    kind: Kind
    subject: str
    stage: str
    message: str = ""
    figure: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a person said. `at`: seconds since the epoch."""

    at: float
    by: str
    text: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What is wrong with a subject of a pipeline. Times are seconds since the epoch.

    Args:
        id: short, and the same whenever the events are read again.
        run: the run that opened it; `last_run` is the latest in which it was seen, `runs` how many these are. Of what a schedule
            expects both are empty, and `runs` is how often something else was seen of it.
        message: of the latest of these runs, as is `figure` (see `Breach`).
        closed: `None` while it is open.
        closed_by: the person who closed it; empty where that was health, seen in `closed_run` if a run showed it.
        because: what that person said; of a schedule, what became of it.
        acks: who has seen it.
        notes: what people say of it.
    """

    id: str
    pipeline: str
    kind: Kind
    subject: str
    stage: str
    run: str
    opened: float
    last_run: str
    last_seen: float
    runs: int = 1
    message: str = ""
    figure: float = 0.0
    closed: float | None = None
    closed_by: str = ""
    closed_run: str = ""
    because: str = ""
    acks: tuple[Said, ...] = ()
    notes: tuple[Said, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.closed is None

    @property
    def name(self) -> str:
        """The pipeline, with the subject."""
        between = "/" if self.kind in OF_SCHEDULES else "."
        return f"{self.pipeline}{between}{self.subject}" if self.subject else self.pipeline

    @property
    def is_severe(self) -> bool:
        """Whether somebody has to do something about it at once."""
        return self.kind in SEVERE

    @property
    def over(self) -> str:
        """What became of it, where that was health and no run showed it."""
        return self.because or "is as expected again"

    def to_json(self) -> dict[str, Any]:
        """The incident as plain data."""
        return {**dataclasses.asdict(self), "kind": str(self.kind)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Incident:
        """What `to_json` made. Raises `ValueError`."""
        try:
            said = {name: tuple(Said(**one) for one in data[name]) for name in ("acks", "notes")}
            return cls(**{**data, "kind": Kind(data["kind"]), **said})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an incident: {data!r:.80}") from error


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happened to an incident, by the event with a `number`. `by`: the person, empty where it was a `run`; `figure`
    as in `Breach`."""

    number: int
    at: float
    incident: str
    what: What
    run: str
    by: str = ""
    text: str = ""
    figure: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The change as plain data."""
        return {**dataclasses.asdict(self), "what": str(self.what)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Change:
        """What `to_json` made. Raises `ValueError`."""
        try:
            return cls(**{**data, "what": What(data["what"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a change of an incident: {data!r:.80}") from error


def id_of(pipeline: str, kind: Kind, subject: str, run: str) -> str:
    """The id of the incident that a run opens; or, where it belongs to none, a time."""
    text = f"{pipeline}\n{kind}\n{subject}\n{run}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
