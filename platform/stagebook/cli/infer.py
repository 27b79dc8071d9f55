"""`stagebook infer`."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from stagebook.cli.event_lines import EventLines
from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode, PipelineInvalid, StageFailure, UsageError
from stagebook.events import Status
from stagebook.pipeline.notebook import DeclaredParam, NotebookFacts, NotebookUnreadable
from stagebook.pipeline.notebook_file import parse_notebook, read_bytes
from stagebook.pipeline.workdir import seen_from, shown
from stagebook.planning.infer.draft import Trial
from stagebook.planning.infer.propose import propose, stage_names, texts_of
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.project import Project, project_here
from stagebook.runs.hooks import LaunchHooks
from stagebook.runs.misplaced import fitting_workdir
from stagebook.runs.request import RunRequest
from stagebook.runs.run import RunReport
from stagebook.system.files import write_whole
from stagebook.views import tables
from stagebook.workspace.paths import STATE_FOLDER, PathRefused
from stagebook.workspace.workspace import Workspace

PIPELINE = "infer"  # the name of the pipeline in the journal
_MAX_FILES = 100_000  # files of a folder that are looked at
_CLOCK_SLACK = 0.01  # seconds; the time of a file may be a little behind the clock


def infer(
    notebooks: Annotated[list[str], typer.Argument(help="Notebooks, in the order in which they are to run.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write pipelines/NAME.yaml, not to the terminal."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    kernel: Annotated[
        str | None,
        typer.Option("--kernel", metavar="NAME", help="Run them in this kernel, not in their own."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Run loose notebooks once, and propose a pipeline of them from what they read and write."""
    with project_here() as project:
        workspace = Workspace(project.root)
        paths = [_inside(workspace, text) for text in notebooks]
        if len(set(paths)) < len(paths):
            raise UsageError("a notebook is named twice")
        if output is not None:
            _check_target(output, force=force)
        facts = [_facts(workspace, path) for path in paths]
        _check_kernels(workspace, dict(zip(paths, facts, strict=True)), kernel)
        plan = _in_fitting_folders(_plan(paths, facts, kernel), project)
        # The lines go to standard error: standard output is for the proposal.
        report = project.launcher.run(
            plan, RunRequest(jobs=1), LaunchHooks(listeners=[EventLines(stderr=True).take])
        )
        if report.status is Status.CANCELLED:
            return ExitCode.INTERRUPTED
        if report.status is not Status.COMPLETED:
            _raise_failure(report, plan, as_json=as_json)
        text = _propose(project, workspace, list(_trials(workspace, plan, facts, report)))
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output, text.encode())
    if as_json:
        write_json({"run": report.run, "file": str(output) if output else None, "pipeline": text})
    elif output is None:
        sys.stdout.write(text)
    else:
        console().print(f"✓ {output}; read it, then: stagebook check", soft_wrap=True)
    return ExitCode.OK


def _check_kernels(workspace: Workspace, facts: Mapping[str, NotebookFacts], kernel: str | None) -> None:
    """Raises `UsageError` for a kernel that is not installed, or is one of another language."""
    known = workspace.kernels()
    for path, found in facts.items():
        name = found.kernel if kernel is None else kernel
        fitting = sorted(it for it, language in known.items() if language in {"", found.language})
        hint = (
            f"choose another one: --kernel {fitting[0]}" if fitting else f"install one for {found.language}"
        )
        if name.lower() not in known:
            whose = f"of '{path}' " if kernel is None else ""
            raise UsageError(f"the kernel '{name}' {whose}is not installed here", hint=hint)
        if name.lower() not in fitting:
            msg = f"'{path}' is {found.language}, and the kernel '{name}' runs {known[name.lower()]}"
            raise UsageError(msg, hint=hint)


def _inside(workspace: Workspace, text: str) -> str:
    place = Path(text)
    try:
        if not place.is_file() and workspace.is_file(workspace.inside(text)):
            return workspace.inside(text)
        if not place.is_file():
            raise UsageError(f"there is no notebook '{text}'")
        return workspace.inside(os.path.relpath(os.path.abspath(place), workspace.root))
    except PathRefused as error:
        raise UsageError(str(error), hint=error.hint) from error


def _check_target(target: Path, *, force: bool) -> None:
    if target.suffix not in {".yaml", ".yml"}:
        raise UsageError(f"'{target}' is not a pipeline file", hint="write to pipelines/NAME.yaml")
    if target.exists() and not force:
        msg = f"'{target}' is there already"
        raise UsageError(msg, hint="choose another name, or replace it with --force")


def _facts(workspace: Workspace, path: str) -> NotebookFacts:
    try:
        return workspace.facts(path)
    except NotebookUnreadable as error:
        raise UsageError(f"'{path}' {error}", hint=error.hint) from error


def _plan(paths: Sequence[str], facts: Sequence[NotebookFacts], kernel: str | None) -> Plan:
    """A plan that runs the notebooks as they are, one after the other."""
    names = stage_names(paths)
    stages = [
        PlannedStage(
            id=name,
            stage=name,
            notebook=path,
            upstream=tuple(names[at - 1 : at]) if at else (),
            reasons=("named",),
            cache=False,
            kernel=kernel,
        )
        for at, (name, path) in enumerate(zip(names, paths, strict=True))
    ]
    imports = frozenset().union(*(item.imports for item in facts))
    return Plan(pipeline=PIPELINE, path="", stages=tuple(stages), imports=imports)


def _in_fitting_folders(plan: Plan, project: Project) -> Plan:
    """The plan with each notebook in the folder from which the paths in its cells are right."""
    stages = (
        dataclasses.replace(stage, workdir=fitting_workdir(stage, project.dependencies))
        for stage in plan.stages
    )
    return dataclasses.replace(plan, stages=tuple(stages))


def _raise_failure(report: RunReport, plan: Plan, *, as_json: bool) -> NoReturn:
    """Tell what failed. Nothing is proposed, since what the notebooks after it read and write is not known."""
    stage = next(item for item in report.history.stages.values() if item.status is Status.FAILED)
    notebook = plan.stage(stage.id).notebook
    hint = "make it run, then infer again; nothing was written"
    if "FileNotFoundError" in stage.message or "No such file" in stage.message:
        hint = f"its cells ran in {shown(plan.stage(stage.id).folder)}: paths in it are relative to that"
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
            named = _files_named(workspace, parameters or {}, stage.folder)
            # Reads and writes of a subprocess are not observed. Only this notebook ran at the time, so a file
            # that it names and that is newer than its start was written by it.
            began = (record.started or 0.0) - _CLOCK_SLACK
            made = {path for path in named if (workspace.root / path).stat().st_mtime >= began}
            # What it removed again is nothing that it left.
            writes = tuple(sorted({*filter(workspace.exists, record.observed.writes), *made}))
            reads = tuple(sorted({*record.observed.reads, *named.difference(writes)}))
        data = parse_notebook(read_bytes(workspace.executable(stage.notebook)))
        yield Trial(
            stage=stage.stage,
            notebook=stage.notebook,
            parameters=parameters,
            reads=reads,
            writes=writes,
            texts=texts_of(data) if known.is_python else (),
            kernel="" if stage.kernel in {None, known.kernel} else str(stage.kernel),
            workdir=stage.workdir,
        )


def _files_named(workspace: Workspace, parameters: Mapping[str, DeclaredParam], folder: str) -> set[str]:
    """The files that variables of a parameters cell name, as seen from the folder in which the cells run."""
    defaults = [param.default for param in parameters.values()]
    texts = [text for value in defaults for text in (value if isinstance(value, list) else [value])]
    paths = {_normal(workspace, seen_from(folder, text)) for text in texts if isinstance(text, str) and text}
    return {path for path in paths if path is not None and workspace.is_file(path)}


def _normal(workspace: Workspace, text: str) -> str | None:
    """A path relative to the project's root; `None` if it is outside of the project."""
    if os.path.isabs(text):
        text = os.path.relpath(text, workspace.root)
    try:
        return workspace.inside(text)
    except PathRefused:
        return None


def _propose(project: Project, workspace: Workspace, trials: Sequence[Trial]) -> str:
    """A proposal in which `check` finds no mistake."""

    def normal(text: str) -> str | None:
        return _normal(workspace, text)

    def files_in(folder: str) -> Collection[str]:
        walk = os.walk(workspace.root / folder)
        found = (
            os.path.relpath(os.path.join(at, name), workspace.root) for at, _, names in walk for name in names
        )
        return [path for path, _ in zip(found, range(_MAX_FILES), strict=False)]

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
