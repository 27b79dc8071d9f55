"""Commands that look and change nothing: `check`, `plan`, `status`, `runs`, `logs`."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from stagebook.cli.output import console, write_json
from stagebook.cli.request import Request
from stagebook.errors import ExitCode, PipelineInvalid, Problem, RunNotFound, UsageError
from stagebook.execution.attempt import LOG_FILE
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import RunRecord
from stagebook.planning.plan import Plan
from stagebook.project import Given, Project
from stagebook.runs.undeclared import remarks
from stagebook.views import log_lines, tables
from stagebook.views.formatting import plural


def check(pipeline: str | None, params: Sequence[str], files: Sequence[Path], *, as_json: bool) -> None:
    """Check one pipeline or all. Raises `PipelineInvalid` with the problems of all of them."""
    project = Project.open()
    _ = project.settings
    names = [pipeline] if pipeline else project.pipelines() or [project.find()]
    found: list[Problem] = []
    checked = []
    for name in names:
        try:
            plan = project.plan(name, Given(pairs=params, files=files))
        except PipelineInvalid as error:
            found += error.problems
        else:
            checked.append(
                dataclasses.replace(plan, warnings=(*plan.warnings, *_observed(project, name, plan)))
            )
    if found:
        raise PipelineInvalid(found)
    if as_json:
        warnings = [warning.to_json() for plan in checked for warning in plan.warnings]
        names = [plan.pipeline for plan in checked]
        write_json({"ok": True, "pipelines": names, "problems": [], "warnings": warnings})
        return
    for plan in checked:
        what = plural(len(plan.warnings), "warning") if plan.warnings else "no problems"
        console().print(f"✓ {plan.path}: {plural(len(plan.stages), 'stage')}, {what}")
        if plan.warnings:
            console().print(tables.problems(plan.warnings), soft_wrap=True)


def _observed(project: Project, name: str, plan: Plan) -> list[Problem]:
    """What stages were seen to read, or name, and do not declare."""
    pipeline = project.load(name).pipeline
    observed = project.journal.observations(pipeline.name) if project.has_journal else {}
    return [
        pipeline.problem(("stages", stage), text, _hint(text))
        for stage, text in remarks(plan.stages, observed, project.dependencies)
    ]


def _hint(text: str) -> str:
    if "does not use" in text:
        return "remove it from the inputs"
    return "" if " writes " in text else "make it an input; with 'strict: true' the stage fails instead"


def plan(request: Request, *, as_json: bool) -> None:
    """Show the plan."""
    project = Project.open()
    made = project.order(request.pipeline, request.given, request.selection, forced=request.forced).plan
    if as_json:
        write_json(made.to_json())
    elif len(made.stages) > tables.MANY:
        sys.stdout.writelines(f"{line}\n" for line in tables.plan_lines(made))
    else:
        console().print(tables.plan_table(made))


def status(pipeline: str | None, *, check: bool, as_json: bool) -> int:
    """Show the stages of a pipeline, or of each one of the project, and whether they are up to date;
    the exit code."""
    project = Project.open()
    files = [pipeline] if pipeline else project.pipelines()
    now = time.time()
    out = console()
    data = {}
    stale = False
    for file in files:
        loaded = project.load(file)
        name = loaded.pipeline.name
        latest = project.latest_stages(name)
        made: Plan | None = None
        try:
            made = project.plan(file)
        except PipelineInvalid:
            stale = True  # what cannot be planned is not up to date
        # The stages as the file has them now; those of the last run where it has mistakes.
        ids = latest if made is None else [stage.id for stage in made.stages]
        known = {stage: latest.get(stage) for stage in ids}
        planned = {stage.id: stage for stage in made.stages} if made is not None else {}
        stale = stale or any(stage.runs for stage in planned.values())
        data[name] = {
            stage: {
                **({} if item is None else {"run": item[0].id, **item[1].to_json()}),
                "now": str(planned[stage].decision) if stage in planned else None,
                "because": list(planned[stage].reasons) if stage in planned else [],
            }
            for stage, item in known.items()
        }
        if not as_json:
            out.print(name, style="bold")
            out.print(tables.status_table(known, planned, now) if known else "it never ran")
            if made is None:
                out.print(f"! {loaded.pipeline.path} has mistakes; see: stagebook check", style="yellow")
    if as_json:
        write_json({"pipelines": data, "stale": stale})
    elif not files:
        out.print("no pipelines yet; make a project with one: stagebook init NAME")
    project.close()
    return ExitCode.STALE if check and stale else ExitCode.OK


def _name_of(project: Project, pipeline: str) -> str:
    return project.load(pipeline).pipeline.name


def runs(pipeline: str | None, limit: int, *, as_json: bool) -> None:
    """List runs."""
    project = Project.open()
    found = project.runs(_name_of(project, pipeline) if pipeline else None, limit)
    if as_json:
        write_json({"runs": [run.to_json() for run in found]})
    elif found:
        console().print(tables.runs_table(found, time.time()))
    else:
        console().print("nothing was run yet; start with: stagebook run")


def logs(run: str, stage: str | None, *, follow: bool, as_json: bool) -> None:
    """Show the log of a stage, or the events of a run."""
    project = Project.open()
    record = project.find_run(run)
    if follow:
        from stagebook.cli.following import follow_run, follow_stage  # noqa: PLC0415 - only then

        if as_json:
            msg = "--follow and --json do not go together"
            raise UsageError(msg, hint="a run tells its events itself: stagebook run --json")
        if stage is not None:
            follow_stage(project, record, stage)
        else:
            follow_run(project, record)
        return
    if stage is not None:
        _stage_log(project, record, stage, as_json=as_json)
        return
    events = [event for _, event in project.journal.events(record.id)]
    if as_json:
        write_json({"run": record.id, "events": [event.to_json() for event in events]})
        return
    history = RunHistory()
    for event in events:
        history.take(event)
        for line in log_lines.lines_of(event, history):
            sys.stdout.write(line + "\n")


def _stage_log(project: Project, record: RunRecord, stage: str, *, as_json: bool) -> None:
    known = project.stage_of(record, stage)
    path = project.root / known.folder / LOG_FILE
    if not known.folder or not path.is_file():
        msg = f"the stage '{stage}' printed nothing in the run {record.id}: it is {known.status}"
        raise RunNotFound(msg, hint=known.reason or known.message)
    content = path.read_text(encoding="utf-8", errors="replace")
    if as_json:
        write_json({"run": record.id, "stage": stage, "attempt": known.attempt, "log": content})
    else:
        sys.stdout.write(content if not sys.stdout.isatty() else tables.plain(content))
