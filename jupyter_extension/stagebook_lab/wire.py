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
ParamKind = Literal["bool", "int", "float", "text", "date", "datetime", "choice", "yaml"]
CellChange = Literal["same", "changed", "added", "removed"]
NoteKind = Literal["note", "acknowledged"]


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
    """Why a request was refused, as the command line says it. `kind` is the name of the error. `fields`
    has what is wrong with parameters, by their names."""

    message: str
    hint: str = ""
    kind: str = ""
    problems: tuple[Problem, ...] = ()
    fields: dict[str, str] = dataclasses.field(default_factory=dict)


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
    """A parameter of a pipeline; `type` as in a Python annotation. A `required` one has no default.
    `kind` is how it is edited, `choices` between what, `text` the default as `-p` takes it, and an
    `optional` one may be none."""

    name: str
    type: str
    default: Any
    required: bool
    help: str
    kind: ParamKind
    choices: tuple[str, ...]
    optional: bool
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageRef:
    """A stage as the pipeline file has it, and where."""

    name: str
    notebook: str
    line: int
    column: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PipelineInfo:
    """A pipeline of a project. `key` is what it is asked for by, `name` what its runs are called."""

    key: str
    name: str
    path: str
    description: str
    params: tuple[ParamInfo, ...]
    stages: tuple[StageRef, ...]
    problems: tuple[Problem, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PipelinesReply:
    """The pipelines of a project, by name."""

    project: ProjectInfo
    pipelines: tuple[PipelineInfo, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlanStage:
    """What a run would do about a stage instance, and why. `stage` is its name without the point;
    `restores` are the outputs that come out of the store. `inputs` and `outputs` are paths by name."""

    id: str
    stage: str
    notebook: str
    description: str
    decision: Decision
    reasons: tuple[str, ...]
    upstream: tuple[str, ...]
    point: dict[str, Any]
    params: dict[str, Any]
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    restores: tuple[str, ...]
    when: str
    foreach: str
    trigger: str


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
class Note:
    """What a person said of a run. `at` is when, `by` who."""

    kind: NoteKind
    text: str
    by: str
    at: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunReply:
    """A run with its stages. `seq` is the number of its last event. `upstream` has for each stage those
    before it, `metrics` the numbers that stages left, as `stage.name`; `points` are the runs of a
    sweep."""

    run: RunInfo
    stages: tuple[StageInfo, ...]
    seq: int
    upstream: dict[str, tuple[str, ...]]
    metrics: dict[str, Any]
    points: tuple[RunInfo, ...]
    notes: tuple[Note, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompareRow:
    """A parameter or a metric with its value in each run; null where a run has none."""

    name: str
    values: tuple[Any, ...]
    differs: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CompareReply:
    """Runs side by side."""

    runs: tuple[RunInfo, ...]
    params: tuple[CompareRow, ...]
    metrics: tuple[CompareRow, ...]
    seconds: tuple[CompareRow, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What changed in a cell or a file: lines that begin with `+`, `-` or a space."""

    title: str
    lines: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WhyReply:
    """Everything that is known of the decision about a stage. `last_run` is the run of the result that it
    came to last; `before` are the stages before it that run or wait, and why."""

    stage: str
    decision: Decision
    reasons: tuple[str, ...]
    last_run: str
    last_at: float | None
    changes: tuple[str, ...]
    diffs: tuple[Diff, ...]
    before: dict[str, str]
    unresolved: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellDiff:
    """A cell as it ran and as it is. `before` and `now` are its numbers among all cells, from 1; null
    where there is none."""

    change: CellChange
    kind: str
    before: int | None
    now: int | None
    lines: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChangesReply:
    """What a stage ran, compared with its notebook as it is now. The paths are those of both files."""

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
    """What to run, as the options of `stagebook run` say it. `params` are values of their types, `texts`
    are read as `-p` reads them. With `sweep` there is a run for each point."""

    pipeline: str
    project: str = ""
    stages: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    texts: dict[str, str] = dataclasses.field(default_factory=dict)
    sweep: bool = False
    jobs: int | None = None
    keep_going: bool = False
    force: bool = False
    keep_kernel: bool = False
    debug: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRequest:
    """Does what is left of a run. `keep`: also what was finished and would come out otherwise today;
    `failed_only`: what failed and what depends on it, as `stagebook retry`."""

    project: str = ""
    keep: bool = False
    failed_only: bool = False


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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NoteRequest:
    """Says something of a run."""

    text: str
    kind: str = "note"
    project: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AcceptRequest:
    """Declares the outputs of stages good as they are, as `stagebook accept` does."""

    pipeline: str
    stages: tuple[str, ...]
    because: str
    project: str = ""
    texts: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AcceptReply:
    """The run that records the judgement."""

    run: str
    stages: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MlflowRequest:
    """Asks for MLflow's pages; about one run, or a stage of it, or several runs side by side."""

    project: str = ""
    runs: tuple[str, ...] = ()
    stage: str = ""
    attempt: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MlflowReply:
    """Where MLflow shows that; `found` says whether it knows the runs."""

    url: str
    found: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KernelRequest:
    """Asks for the kernel that a failed stage left alive."""

    stage: str
    project: str = ""
    end: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KernelReply:
    """The id under which Jupyter Server knows the kernel; empty where it was ended."""

    id: str
    notebook: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewStageRequest:
    """Adds a stage to a pipeline file. An empty `notebook` makes one from a template."""

    pipeline: str
    name: str
    notebook: str = ""
    project: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewStageReply:
    """Where the stage is now, and its notebook."""

    path: str
    line: int
    notebook: str
