"""What goes between server and browser. `src/wire.ts` is generated from this module.

Every class is plain data as JSON knows it. Paths are relative to the server's root, with `/`; times
are seconds since the epoch, durations seconds.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

StageStatus = Literal[
    "pending",
    "running",
    "retrying",
    "completed",
    "reused",
    "failed",
    "blocked",
    "skipped",
    "cancelled",
    "interrupted",
]
Decision = Literal["RUN", "REUSE", "WAIT", "SKIP"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A mistake in a file. `line` and `column` count from 1; both are 0 where it concerns all of it."""

    path: str
    message: str
    hint: str = ""
    line: int = 0
    column: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReply:
    """Why a request was refused, as the command line says it. `kind` is the name of the error."""

    message: str
    hint: str = ""
    kind: str = ""
    problems: tuple[Problem, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProjectInfo:
    """A project below the server's root. The `path` of the root itself is empty."""

    path: str
    name: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProjectsReply:
    """The projects that were found."""

    projects: tuple[ProjectInfo, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ParamInfo:
    """A parameter of a pipeline; `type` as in a Python annotation. A `required` one has no default."""

    name: str
    type: str
    default: Any
    required: bool
    help: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PipelineInfo:
    """A pipeline of a project. `key` is what it is asked for by, `name` what its runs are called."""

    key: str
    name: str
    path: str
    description: str
    params: tuple[ParamInfo, ...]
    problems: tuple[Problem, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PipelinesReply:
    """The pipelines of a project, by name."""

    project: ProjectInfo
    pipelines: tuple[PipelineInfo, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlanStage:
    """What a run would do about a stage instance, and why. `stage` is its name without the point."""

    id: str
    stage: str
    notebook: str
    description: str
    decision: Decision
    reasons: tuple[str, ...]
    upstream: tuple[str, ...]
    point: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlanReply:
    """What a run would do, in an order in which it can."""

    pipeline: str
    path: str
    stages: tuple[PlanStage, ...]
    warnings: tuple[Problem, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """A run. `ended` is null while it goes on. `pid` and `host` are of the process that runs it. `kind`
    is `run`, `sweep` or `accept`; `parent` is the sweep that it is a point of."""

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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageInfo:
    """A stage instance of a run, as far as it has come. `cell` of `cells` is the one that runs, or
    that failed. `has_notebook` says whether there is an executed notebook to look at. `frozen` is for
    how many seconds its process has been stopped. `of_run` is the run whose result was reused."""

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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is new since an event, or all that is current if `full`. `seq` is the number of the last
    event that went into it. For each stage of a pipeline there is what last became of it.
    `shapes` has, for each pipeline where they changed, the ids of all stages of the newest run in order.
    `definitions` changes whenever a pipeline file does."""

    seq: int
    full: bool
    runs: tuple[RunInfo, ...]
    stages: tuple[StageInfo, ...]
    shapes: dict[str, tuple[str, ...]]
    definitions: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunsReply:
    """Runs, the newest first."""

    runs: tuple[RunInfo, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunReply:
    """A run with its stages. `seq` is the number of its last event."""

    run: RunInfo
    stages: tuple[StageInfo, ...]
    seq: int


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
    """A piece of what a stage printed: to be shown as text, never as markup. `next` is the position
    in bytes to go on from; `more` says that there is more already."""

    attempt: int
    text: str
    next: int
    more: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NotebookReply:
    """The executed notebook of an attempt, untrusted. `modified` is when it was last saved."""

    attempt: int
    content: Any
    modified: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What to run, as the options of `stagebook run` say it. `params` are values of their types."""

    pipeline: str
    project: str = ""
    stages: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    jobs: int | None = None
    keep_going: bool = False
    force: bool = False
    keep_kernel: bool = False
    debug: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRequest:
    """Does what is left of a run. `keep`: also what was finished and would come out otherwise today."""

    project: str = ""
    keep: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReply:
    """A process that was asked to run a pipeline. `run` is null until the journal has it. One that
    ended without a run says why in `message`."""

    pid: int
    command: str
    run: str | None
    exit_code: int | None
    message: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """Asks a run to stop; asked again, it ends at once instead of letting notebooks be saved."""

    project: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CancelReply:
    """Which process was told to stop."""

    run: str
    pid: int
