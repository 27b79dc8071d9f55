"""Projects, their pipelines, and what a run of one would do."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

Decision = Literal["RUN", "REUSE", "AUDIT", "WAIT", "SKIP"]
NextRun = Literal["new", "stale", "would run", "audits again", "waits", "restores", "up to date", "skipped"]
ParamKind = Literal["bool", "int", "float", "text", "date", "datetime", "choice", "yaml"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A mistake in a file. `line` and `column` count from 1; 0 is the file as a whole."""

    path: str
    message: str
    hint: str = ""
    line: int = 0
    column: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReply:
    """Why a request was refused, in the words of the command line. `kind` is the class of the error,
    `fields` has the mistakes in parameters, by their names, or in other fields of a form; that of the interval is called
    `--interval`."""

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
    """The projects that were found. `more` says that there are others, which are not among them."""

    projects: tuple[ProjectInfo, ...]
    more: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ParamInfo:
    """A parameter of a pipeline. `type` is a Python annotation, `kind` the field that edits it, `choices`
    the values that it allows, `text` the default as `-p` takes it. A `required` parameter has no default,
    an `optional` one allows null."""

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
    """A stage of a pipeline file, and its place there. `program` and `target` as of `PlanStage`."""

    name: str
    notebook: str
    line: int
    column: int
    program: str = ""
    target: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PipelineInfo:
    """A pipeline of a project. Requests name it by its `key`; its runs have its `name`. `takes_interval`: it mentions the
    interval that a run is about."""

    key: str
    name: str
    path: str
    description: str
    params: tuple[ParamInfo, ...]
    stages: tuple[StageRef, ...]
    problems: tuple[Problem, ...]
    takes_interval: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PipelinesReply:
    """The pipelines of a project, by name."""

    project: ProjectInfo
    pipelines: tuple[PipelineInfo, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlanStage:
    """The decision about a stage instance, what the next run would do with it in a word, and the reasons. `stage` is its name without the point of the
    matrix, `restores` are the outputs that would come out of the store, and `on_disk` says what lies in their place;
    `inputs` and `outputs` are paths by name; `contracts` the files of the contracts that outputs have. `notebook` is the file
    that it runs; where that is no notebook, `program` says what it is (script, function, sql, command), and `target` which one."""

    id: str
    stage: str
    notebook: str
    description: str
    decision: Decision
    next_run: NextRun
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
    on_disk: str = ""
    program: str = ""
    target: str = ""
    contracts: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """How much a run or a sweep would do: at how many `points`, how many `stages`, of which `waiting` may come to nothing,
    and about how many `seconds` by what stages took before. Of `unknown` stages that is not known, and of none it is null.
    `restores`: outputs of earlier runs would be put back."""

    points: int
    stages: int
    waiting: int
    unknown: int
    seconds: float | None
    restores: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlanReply:
    """What a run would do, each stage after those that it depends on. `interval`: what it would be about; empty where that is
    nothing. `workload` is told where it was asked for."""

    pipeline: str
    path: str
    stages: tuple[PlanStage, ...]
    warnings: tuple[Problem, ...]
    interval: str = ""
    workload: Workload | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """A change of a cell or a file, as lines that begin with `+`, `-` or a space."""

    title: str
    lines: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WhyReply:
    """The decision about a stage, as `PlanStage` has it, and everything that it rests on. `last_run` is the run of its latest
    result. `before` has the stages before it that would run or wait, with the decision and its reason;
    `unresolved` the imports and files that could not be followed."""

    stage: str
    decision: Decision
    next_run: NextRun
    reasons: tuple[str, ...]
    last_run: str
    last_at: float | None
    changes: tuple[str, ...]
    diffs: tuple[Diff, ...]
    before: dict[str, str]
    unresolved: tuple[str, ...]
