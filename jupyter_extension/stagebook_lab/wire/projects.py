"""Projects, their pipelines, and what a run of one would do."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

Decision = Literal["RUN", "REUSE", "WAIT", "SKIP"]
ParamKind = Literal["bool", "int", "float", "text", "date", "datetime", "choice", "yaml"]


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
