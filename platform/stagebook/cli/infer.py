"""`stagebook infer`: run loose notebooks once, and propose a pipeline of them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode, PipelineInvalid, StageFailure, UsageError
from stagebook.events import Event, Status
from stagebook.journal.history import RunHistory
from stagebook.pipeline.notebook import DeclaredParam, NotebookFacts, NotebookUnreadable
from stagebook.planning.infer.draft import Trial
from stagebook.planning.infer.propose import propose, stage_names, texts_of
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.project import Project
from stagebook.runs.run import RunReport
from stagebook.system.files import write_whole
from stagebook.views import log_lines, tables
from stagebook.workspace.paths import STATE_FOLDER, PathRefused
from stagebook.workspace.workspace import Workspace

PIPELINE = "infer"  # the name of the run in the records
_FEW = 100_000  # files of a folder that are looked at
_SLACK = 0.01  # seconds; a file's time may be a little behind the clock


def infer(notebooks: Sequence[str], target: Path | None, *, force: bool, as_json: bool) -> int:
    """Run, propose, and print or write it; the exit code."""
    project = Project.open()
    workspace = Workspace(project.root)
    paths = [_inside(workspace, text) for text in notebooks]
    if len(set(paths)) < len(paths):
        msg = "a notebook is named twice"
        raise UsageError(msg)
    if target is not None:
        _check_target(target, force=force)
    facts = [_facts(workspace, path) for path in paths]
    plan = _plan(paths, facts)
    try:
        report = project.run_planned(plan, jobs=1, listeners=[_Lines().take])
        if report.status is not Status.COMPLETED:
            return _failed(report, plan, as_json=as_json)
        text = _propose(project, workspace, _trials(workspace, plan, facts, report))
    finally:
        project.close()
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, text.encode())
    if as_json:
        write_json({"run": report.run, "file": str(target) if target else None, "pipeline": text})
    elif target is None:
        sys.stdout.write(text)
    else:
        console().print(f"✓ {target}; read it, then: stagebook check", soft_wrap=True)
    return ExitCode.OK


def _inside(workspace: Workspace, text: str) -> str:
    place = Path(text)
    try:
        if not place.is_file() and workspace.is_file(workspace.inside(text)):
            return workspace.inside(text)
        if not place.is_file():
            msg = f"there is no notebook '{text}'"
            raise UsageError(msg)
        return workspace.inside(os.path.relpath(os.path.abspath(place), workspace.root))
    except PathRefused as error:
        msg = f"{error}"
        raise UsageError(msg, hint=error.hint) from error


def _check_target(target: Path, *, force: bool) -> None:
    if target.suffix not in {".yaml", ".yml"}:
        msg = f"'{target}' is not a pipeline file"
        raise UsageError(msg, hint="write to pipelines/NAME.yaml")
    if target.exists() and not force:
        msg = f"'{target}' is there already"
        raise UsageError(msg, hint="choose another name, or replace it with --force")


def _facts(workspace: Workspace, path: str) -> NotebookFacts:
    try:
        return workspace.facts(path)
    except NotebookUnreadable as error:
        msg = f"'{path}' {error}"
        raise UsageError(msg, hint=error.hint) from error


def _plan(paths: Sequence[str], facts: Sequence[NotebookFacts]) -> Plan:
    """The notebooks one after the other, as they are."""
    names = stage_names(paths)
    stages = [
        PlannedStage(
            id=name,
            stage=name,
            notebook=path,
            upstream=tuple(names[at - 1 : at]) if at else (),
            reasons=("named",),
            cache=False,
        )
        for at, (name, path) in enumerate(zip(names, paths, strict=True))
    ]
    imports = frozenset().union(*(item.imports for item in facts))
    return Plan(pipeline=PIPELINE, path="", stages=tuple(stages), imports=imports)


class _Lines:
    """What happens, on standard error: standard output is for the proposal."""

    def __init__(self) -> None:
        self._history = RunHistory()

    def take(self, events: Sequence[Event]) -> None:
        for event in events:
            self._history.take(event)
            for line in log_lines.lines_of(event, self._history):
                sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _failed(report: RunReport, plan: Plan, *, as_json: bool) -> int:
    """Nothing is proposed from a part: what the rest reads and writes is not known."""
    if report.status is Status.CANCELLED:
        return ExitCode.INTERRUPTED
    stage = next(item for item in report.history.stages.values() if item.status is Status.FAILED)
    notebook = plan.stage(stage.id).notebook
    hint = "make it run, then infer again; nothing was written"
    if "FileNotFoundError" in stage.message or "No such file" in stage.message:
        hint = (
            "stages run in the project folder: paths in a notebook are relative to that, not to the notebook"
        )
    if not as_json:
        console(stderr=True).print(tables.failure(report.run, stage), soft_wrap=True)
    msg = f"'{notebook}' failed{f' in cell {stage.cell}' if stage.cell else ''}: {stage.message}"
    raise StageFailure(msg, cause=stage.cause or "", hint=hint)


def _trials(
    workspace: Workspace, plan: Plan, facts: Sequence[NotebookFacts], report: RunReport
) -> Iterator[Trial]:
    for stage, known in zip(plan.stages, facts, strict=True):
        record = report.history.stages[stage.id]
        parameters = known.parameters if known.is_python else None
        reads: tuple[str, ...] | None = None
        writes: tuple[str, ...] | None = None
        if record.observed is not None:
            named = _files_named(workspace, parameters or {})
            # Nothing else ran at the time, so its times tell what became of a file that was not seen.
            began = (record.started or 0.0) - _SLACK
            made = {path for path in named if (workspace.root / path).stat().st_mtime >= began}
            writes = tuple(sorted({*record.observed["writes"], *made}))
            reads = tuple(sorted({*record.observed["reads"], *named.difference(writes)}))
        data = json.loads(workspace.executable(stage.notebook).read_bytes())
        yield Trial(
            stage=stage.stage,
            notebook=stage.notebook,
            parameters=parameters,
            reads=reads,
            writes=writes,
            texts=texts_of(data) if known.is_python else (),
        )


def _files_named(workspace: Workspace, parameters: Mapping[str, DeclaredParam]) -> set[str]:
    """The files that variables of a parameters cell name."""
    defaults = [param.default for param in parameters.values()]
    texts = [text for value in defaults for text in (value if isinstance(value, list) else [value])]
    paths = {_normal(workspace, text) for text in texts if isinstance(text, str)}
    return {path for path in paths if path is not None and workspace.is_file(path)}


def _normal(workspace: Workspace, text: str) -> str | None:
    """A path as a pipeline file has it; None for what is no path of the project."""
    if os.path.isabs(text):
        text = os.path.relpath(text, workspace.root)
    try:
        return workspace.inside(text)
    except PathRefused:
        return None


def _propose(project: Project, workspace: Workspace, found: Iterator[Trial]) -> str:
    """A proposal that `check` has nothing to say against."""
    trials = list(found)

    def normal(text: str) -> str | None:
        return _normal(workspace, text)

    def files_in(folder: str) -> Collection[str]:
        walk = os.walk(workspace.root / folder)
        found = (
            os.path.relpath(os.path.join(at, name), workspace.root) for at, _, names in walk for name in names
        )
        return [path for path, _ in zip(found, range(_FEW), strict=False)]

    text = propose(trials, normal=normal, files_in=files_in)
    if not _is_valid(project, text):
        text = propose(trials, normal=normal, files_in=files_in, bare=True)
    return text


def _is_valid(project: Project, text: str) -> bool:
    file = project.root / STATE_FOLDER / f"infer-{os.getpid()}.yaml"
    try:
        write_whole(file, text.encode())
        project.plan(file.relative_to(project.root).as_posix())
    except PipelineInvalid:
        return False
    finally:
        file.unlink(missing_ok=True)
    return True
