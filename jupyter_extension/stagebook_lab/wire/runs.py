"""Runs and their stages, what changes in them, and what they left."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

StageStatus = Literal[
    "pending", "running", "retrying", "completed", "reused",
    "failed", "blocked", "skipped", "cancelled", "interrupted",
]  # fmt: skip
CellChange = Literal["same", "changed", "added", "removed"]
NoteKind = Literal["note", "acknowledged"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """A run. `ended` is null while it goes on. `pid` and `host` are of the process that runs it. `kind`
    is `run`, `sweep`, `accept` or `bookmark`; `parent` is the sweep that it is a point of. Where a program asked for it on behalf of
    `user`, `via` is the program and `account` the user that the process belongs to. `cancelling`: it goes on, and was asked to stop;
    told of what is current alone."""

    id: str
    pipeline: str
    status: StageStatus
    reason: str
    started: float
    ended: float | None
    params: dict[str, Any]
    user: str
    host: str
    pid: int
    command: str
    commit: str
    kind: str
    parent: str
    via: str = ""
    account: str = ""
    cancelling: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BrokenCheck:
    """A check of a contract that does not hold, as a `line` of text, and some `rows` that break it, a line each."""

    line: str
    rows: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageInfo:
    """A stage instance of a run, up to now. `cell` of `cells` is the one that runs or that failed.
    `expected` and `cpu` are in seconds, `memory` is the peak in bytes, `frozen` the seconds for which the
    process has been stopped. `of_run` is the run whose result was reused; among what is current, times and memory of
    a reused stage are those of the attempt that made the result. `checks` are those of contracts that do not hold, and
    `findings` the same in a few words: empty where all hold. `metrics` are the numbers that it glued, in their order, of
    many the first ones."""

    id: str
    run: str
    pipeline: str
    status: StageStatus
    decision: str
    reason: str
    attempt: int
    started: float | None
    ended: float | None
    cell: int
    cells: int
    expected: float | None
    cause: str
    message: str
    traceback: str
    cpu: float
    memory: int
    frozen: float
    has_notebook: bool
    kept_kernel: bool
    of_run: str
    checks: tuple[BrokenCheck, ...] = ()
    findings: str = ""
    metrics: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What changed since an event, or all that is current if `full`. `seq` is the number of the last
    event in it. `runs` are the latest ones of each pipeline, without points of sweeps, and those that go on. `stages` has the last outcome of each stage that changed; `shapes` for each pipeline
    whose list of stages changed the ids of all stages of its newest run, in order. `definitions` changes
    with the pipeline files and the notebooks that they name, `elsewhere` has for each environment what changes with its journal."""

    seq: int
    full: bool
    runs: tuple[RunInfo, ...]
    stages: tuple[StageInfo, ...]
    shapes: dict[str, tuple[str, ...]]
    definitions: str
    elsewhere: dict[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run came to: the numbers that its stages left, as `stage.name`; how many stage instances have which status; and the
    stages whose results it took from earlier runs."""

    metrics: dict[str, float]
    statuses: dict[str, int]
    reused: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunsReply:
    """Runs, the newest first, and the results of each. `more` says that there are older ones, and `older` how many; of more than
    `most` none are told at once. Of each sweep the latest points are among them; `points` says how many it has."""

    runs: tuple[RunInfo, ...]
    results: dict[str, RunResult]
    more: bool = False
    older: int = 0
    most: int = 0
    points: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note of a person on a run. `at` is when, `by` who."""

    kind: NoteKind
    text: str
    by: str
    at: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IncidentInfo:
    """What is wrong with a `subject` (a stage or an output; empty for the run as a whole) since a run opened it. `closed` is
    null while it goes on; `runs` says in how many runs it was seen, `seen_by` who acknowledged it."""

    id: str
    kind: str
    subject: str
    message: str
    opened: float
    closed: float | None
    runs: int
    seen_by: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AttemptInfo:
    """An attempt of a stage; `ended` is null while it goes on. `cause` and `message` say why it failed; they are empty where it
    did not."""

    attempt: int
    started: float
    ended: float | None
    cause: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunReply:
    """A run with its stages. `seq` is the number of its last event. `upstream` has the stages before each
    stage, `attempts` the attempts of each stage that began, `metrics` the numbers that stages glued, as `stage.name`; `points` are
    the runs of a sweep; `incidents` those that it opened or closed, or was the last to be seen in."""

    run: RunInfo
    stages: tuple[StageInfo, ...]
    seq: int
    upstream: dict[str, tuple[str, ...]]
    attempts: dict[str, tuple[AttemptInfo, ...]]
    metrics: dict[str, Any]
    points: tuple[RunInfo, ...]
    notes: tuple[Note, ...]
    incidents: tuple[IncidentInfo, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompareRow:
    """A parameter, a metric or a time with its value in each run; null where a run has none."""

    name: str
    values: tuple[Any, ...]
    differs: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompareReply:
    """Runs side by side: their parameters, the numbers and the statuses of their stages, and for how many seconds these ran."""

    runs: tuple[RunInfo, ...]
    params: tuple[CompareRow, ...]
    metrics: tuple[CompareRow, ...]
    states: tuple[CompareRow, ...]
    seconds: tuple[CompareRow, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellDiff:
    """A cell as it ran and as it is now. `before` and `now` are its places among all cells, from 1; null
    where the cell is not there. `number` is what `stagebook why` and a notebook that is run by hand call a code cell,
    `executed` what the executed notebook shows beside it, where the parameters that were put in count as well."""

    change: CellChange
    kind: str
    before: int | None
    now: int | None
    lines: tuple[str, ...]
    number: int | None = None
    executed: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChangesReply:
    """What a stage ran (the file `executed`), compared with its `notebook` as it is now."""

    run: str
    attempt: int
    executed: str
    notebook: str
    cells: tuple[CellDiff, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EventItem:
    """An event with its number; its fields are documented in docs/reference/events.md."""

    seq: int
    event: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EventsReply:
    """The events of a run after a number; `more` says that there are further ones."""

    events: tuple[EventItem, ...]
    more: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogReply:
    """A piece of what a stage printed, to be shown as text, never as markup. `next` is the byte to go on
    from, `size` how many there are by now; `more` says that further text is there already."""

    attempt: int
    text: str
    next: int
    size: int
    more: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotebookReply:
    """The executed notebook of an attempt, untrusted. `modified` is when it was saved last; `content` is null where
    the browser has this version already."""

    attempt: int
    content: Any
    modified: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MonitorPoint:
    """A figure of a run, and as a person reads it."""

    run: str
    at: float
    value: float
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSeries:
    """A figure of a stage over the runs, the earliest first; `name` says which. `low` and `high` are what was usual for the
    last one, `usual` says it in words; null and empty where the earlier runs are too few."""

    name: str
    points: tuple[MonitorPoint, ...]
    low: float | None
    high: float | None
    usual: str
    unusual: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MonitorsReply:
    """The figures of a stage: its duration, the rows and bytes of its outputs, and what is unusual."""

    series: tuple[MonitorSeries, ...]
