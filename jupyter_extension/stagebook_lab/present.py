"""The values of the platform as values of the wire."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from stagebook import errors
from stagebook.journal.history import StageRecord, figures
from stagebook.journal.journal import RunRecord
from stagebook.pipeline.model import Pipeline, Stage, find_position
from stagebook.planning.intervals import place_of_interval
from stagebook.planning.plan import Plan
from stagebook.project import Project
from stagebook.views.audit_lines import broken_checks, in_short
from stagebook.views.failures import excerpt
from stagebook.views.on_disk import on_disk_instead
from stagebook_lab import wire
from stagebook_lab.params import FieldsWrong, param_info

T = TypeVar("T")
MOST_METRICS = 50  # of a stage, which every browser gets with each change of it


def wire_value(kind: type[T], source: Any, /, **own: Any) -> T:
    """A value of the wire. A field that is not among its `own` ones is that of the same name of `source`."""
    fields: Any = kind.__dict__["__dataclass_fields__"]
    names = fields.keys() & source.__dataclass_fields__.keys() - own.keys()
    return kind(**{name: getattr(source, name) for name in names}, **own)


class Paths:
    """Paths of a project as the browser knows them: relative to the server's root."""

    def __init__(self, root: Path, project: Project) -> None:
        path = project.root.relative_to(root).as_posix()
        self.project = "" if path == "." else path  # as the browser has it
        self._prefix = f"{self.project}/" if self.project else ""

    def of(self, path: str) -> str:
        """A path inside the project, relative to the server's root."""
        return f"{self._prefix}{path}"

    def inside(self, path: str) -> str:
        """The path inside the project of one that `of` returned."""
        return path.removeprefix(self._prefix)


def error_reply(
    error: errors.StagebookError | OSError,
    *,
    problems: tuple[wire.Problem, ...] = (),
    fields: Mapping[str, str] | None = None,
) -> wire.ErrorReply:
    """An error as the command line tells it, with `problems` in files and, by parameter, in `fields`."""
    if isinstance(error, errors.StagebookError):
        message, hint = error.message, error.hint
    else:
        where = f" ({error.filename})" if error.filename else ""
        message, hint = f"{error.strerror or error}{where}", ""
    own = error.fields if isinstance(error, FieldsWrong) else {}
    return wire.ErrorReply(
        message=message,
        hint=hint,
        kind=type(error).__name__,
        problems=problems,
        fields={**own, **(fields or {})},
    )


def problems_of(paths: Paths, found: Sequence[errors.Problem]) -> tuple[wire.Problem, ...]:
    """Mistakes with the browser's paths. `-p`, the path of mistakes in parameters, stays."""
    return tuple(
        wire_value(
            wire.Problem,
            problem,
            path=problem.path if problem.path.startswith("-") else paths.of(problem.path),
        )
        for problem in found
    )


def pipeline_info(paths: Paths, project: Project, key: str) -> wire.PipelineInfo:
    """A pipeline file: parameters, stages, and the mistakes that the file alone shows."""
    try:
        loaded = project.catalog.load(key)
    except errors.PipelineInvalid as error:
        path = project.catalog.find(key)
        problems = problems_of(paths, error.problems)
        return wire.PipelineInfo(
            key=key, name=key, path=paths.of(path), description="", params=(), stages=(), problems=problems
        )
    pipeline = loaded.pipeline
    return wire.PipelineInfo(
        key=key,
        name=pipeline.name,
        path=paths.of(pipeline.path),
        description=pipeline.description,
        params=tuple(param_info(param) for param in pipeline.params.values()),
        stages=tuple(_stage_ref(paths, pipeline, stage) for stage in pipeline.stages.values()),
        problems=problems_of(paths, loaded.problems),
        takes_interval=place_of_interval(pipeline) is not None,
    )


def _stage_ref(paths: Paths, pipeline: Pipeline, stage: Stage) -> wire.StageRef:
    line, column = find_position(pipeline.positions, ("stages", stage.name))
    notebook = paths.of(stage.notebook) if stage.notebook else ""
    program = stage.program
    return wire.StageRef(
        name=stage.name,
        notebook=notebook,
        line=line,
        column=column,
        program=program.kind if program is not None else "",
        target=str(program or ""),
    )


def plan_reply(
    paths: Paths, project: Project, plan: Plan, workload: wire.Workload | None = None
) -> wire.PlanReply:
    """A plan, and how much there is to do."""
    restores = any(stage.judgement is not None and stage.judgement.restores for stage in plan.stages)
    latest = project.history.latest_stages(plan.pipeline) if restores else {}
    on_disk = on_disk_instead(plan, latest, project.dependencies.digest)
    stages = tuple(
        wire_value(
            wire.PlanStage,
            stage,
            notebook=paths.of(stage.path),
            program=stage.program.kind if stage.program is not None else "",
            target=str(stage.program or ""),
            decision=str(stage.decision),
            next_run=str(stage.next_run),
            point=dict(stage.point),
            params=data["params"],
            inputs=data["inputs"],
            outputs=data["outputs"],
            restores=tuple(data["restores"]),
            when=data["when"] or "",
            foreach=data["foreach"] or "",
            on_disk=on_disk.get(stage.id, ""),
            contracts={
                name: paths.of(output.contract.path)
                for name, output in stage.outputs.items()
                if output.contract is not None
            },
        )
        for stage, data in ((stage, stage.to_json()) for stage in plan.stages)
    )
    warnings = problems_of(paths, plan.warnings)
    return wire.PlanReply(
        pipeline=plan.pipeline,
        path=paths.of(plan.path),
        stages=stages,
        warnings=warnings,
        interval=plan.interval.name if plan.interval is not None else "",
        workload=workload,
    )


def run_info(run: RunRecord, *, cancelling: bool = False) -> wire.RunInfo:
    """A run, without its stages."""
    texts = {
        name: getattr(run.origin, name) for name in ("user", "host", "command", "commit", "via", "account")
    }
    return wire_value(
        wire.RunInfo,
        run,
        status=str(run.status),
        params=dict(run.params),
        pid=run.origin.pid,
        cancelling=cancelling,
        **texts,
    )


def stage_info(run: str, pipeline: str, stage: StageRecord) -> wire.StageInfo:
    """A stage of the run with an id, which is of a pipeline."""
    return wire_value(
        wire.StageInfo,
        stage,
        run=run,
        pipeline=pipeline,
        status=str(stage.status),
        cause=stage.cause or "",
        traceback="\n".join(excerpt(stage.traceback)),
        has_notebook=bool(stage.folder),
        kept_kernel=stage.kernel is not None,
        checks=tuple(wire_value(wire.BrokenCheck, check) for check in broken_checks(stage.audits)),
        findings=in_short(stage.audits),
        metrics=dict(itertools.islice(figures(stage.scraps).items(), MOST_METRICS)),
    )


def to_json(value: Any) -> str:
    """A value of the wire as JSON. NaN and infinities, which no browser reads, become strings."""
    return json.dumps(_plain(value), separators=(",", ":"), allow_nan=False, default=str)


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
