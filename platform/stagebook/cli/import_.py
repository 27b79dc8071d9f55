"""`stagebook import`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import (
    ExitCode,
    ImportRefused,
    PipelineInvalid,
    Problem,
    UsageError,
    did_you_mean,
)
from stagebook.importing.draft import Draft
from stagebook.importing.tools import TOOLS, take_over
from stagebook.project import Project, project_here
from stagebook.system.files import write_whole
from stagebook.views.formatting import plural
from stagebook.views.problems import problem_list
from stagebook.workspace.paths import PathRefused
from stagebook.workspace.workspace import Workspace


def import_(
    tool: Annotated[str, typer.Argument(help=f"What the files are of: {', '.join(TOOLS)}.")],
    files: Annotated[list[str], typer.Argument(help="Its files, a pipeline each.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write this file, not pipelines/NAME.yaml."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    as_json: Json = False,
) -> int:
    """Take over pipelines of Ploomber, Elyra, DVC, papermill or Airflow as pipeline files; nothing of them is run."""
    if tool not in TOOLS:
        raise UsageError(f"there is no tool '{tool}' to import from", hint=did_you_mean(tool, TOOLS))
    if output is not None and len(files) > 1:
        raise UsageError("-o names one file, and there are several", hint="import them one by one")
    with project_here() as project:
        workspace = Workspace(project.root)
        drafts = _read(workspace, tool, [_inside(workspace, file) for file in files])
        targets = _targets(project, drafts, output, force=force)
        for draft, target in zip(drafts, targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, draft.text().encode())
        # What cannot be run yet is no failure of the import: the files are there, and say what is left to do.
        made = [_check(project, target) for target in targets]
    if as_json:
        write_json({"files": [_told(*one) for one in zip(drafts, made, strict=True)]})
        return ExitCode.OK
    out = console()
    for draft, (path, error) in zip(drafts, made, strict=True):
        left = f", {plural(draft.left, 'note')} on what was not carried over" if draft.left else ""
        out.print(f"✓ {path}: {plural(len(draft.stages), 'stage')}{left}", soft_wrap=True)
        if error is None:
            out.print(f"  check finds no mistake; next: stagebook plan {path}", soft_wrap=True)
            continue
        out.print(problem_list(error.problems), soft_wrap=True)
        count = plural(len(error.problems), "mistake")
        out.print(f"  check finds {count} to mend; then: stagebook check {path}", soft_wrap=True)
    return ExitCode.OK


def _inside(workspace: Workspace, text: str) -> str:
    if not Path(text).is_file():
        raise UsageError(f"there is no file '{text}'")
    try:
        return workspace.inside(os.path.relpath(os.path.abspath(text), workspace.root))
    except PathRefused as error:
        hint = "go to the folder of the project, which has the files of the other tool in it"
        raise UsageError(str(error), hint=hint) from error


def _read(workspace: Workspace, tool: str, paths: Sequence[str]) -> list[Draft]:
    """All pipelines. Raises `ImportRefused` with all that is wrong with any file."""
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for path in paths:
        draft, found = take_over(tool, workspace, path)
        problems += found
        drafts += [draft] if draft is not None else []
    if problems:
        raise ImportRefused(problems)
    return drafts


def _targets(project: Project, drafts: Sequence[Draft], output: Path | None, *, force: bool) -> list[Path]:
    targets = [
        project.root / "pipelines" / f"{draft.name}.yaml" if output is None else output.absolute()
        for draft in drafts
    ]
    for target in targets:
        if target.suffix not in {".yaml", ".yml"}:
            raise UsageError(f"'{target}' is not a pipeline file", hint="write to pipelines/NAME.yaml")
        if targets.count(target) > 1:
            hint = "import them one by one, with -o"
            raise UsageError(f"two of the files would be written to '{_shown(project, target)}'", hint=hint)
        if target.exists() and not force:
            hint = "choose another name with -o, or replace it with --force"
            raise UsageError(f"'{_shown(project, target)}' is there already", hint=hint)
    return targets


def _check(project: Project, target: Path) -> tuple[str, PipelineInvalid | None]:
    shown = _shown(project, target)
    try:
        project.plan(shown)
    except PipelineInvalid as error:
        return shown, error
    return shown, None


def _shown(project: Project, target: Path) -> str:
    return os.path.relpath(target, project.root)


def _told(draft: Draft, made: tuple[str, PipelineInvalid | None]) -> dict[str, object]:
    path, error = made
    problems = [] if error is None else [problem.to_json() for problem in error.problems]
    return {
        "file": path,
        "stages": [stage.name for stage in draft.stages],
        "left": draft.left,
        "problems": problems,
    }
