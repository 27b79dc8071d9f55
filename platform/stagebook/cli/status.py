"""`stagebook status`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from stagebook.cli.options import Json, Pipeline, Verify
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode, JournalUnreadable, PipelineInvalid
from stagebook.incidents.incident import Incident
from stagebook.journal.history import StageRecord
from stagebook.journal.journal import RunRecord
from stagebook.planning.plan import PlannedStage
from stagebook.project import Project
from stagebook.runs.incidents import count_elsewhere, incidents_of
from stagebook.runs.monitors import Series, unusual
from stagebook.tracking.state import TrackingState, state_of_runs
from stagebook.views import formatting, tables
from stagebook.views.incident_tables import status_lines
from stagebook.views.log_lines import note_line
from stagebook.views.monitor_tables import unusual_lines
from stagebook.views.on_disk import on_disk_instead
from stagebook.views.tracking_lines import tracking_fields, tracking_lines
from stagebook.workspace.environments import DEV

_Known = tuple[RunRecord, StageRecord] | None  # the last outcome of a stage, and the run that it is of


def status(
    pipeline: Pipeline = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 3 if any stage would run.")] = False,
    verify: Verify = False,
    as_json: Json = False,
) -> int:
    """Show the last outcome of each stage, and what the next run would do."""
    project = Project.open()
    files = [pipeline] if pipeline else project.catalog.names()
    out = console()
    data = {}
    stale = False
    runs = set()
    figures = {}
    for file in files:
        loaded = project.catalog.load(file)
        name = loaded.pipeline.name
        latest = project.history.latest_stages(name)
        try:
            plan = project.plan(file, verify=verify)
            planned = {stage.id: stage for stage in plan.stages}
            on_disk = on_disk_instead(plan, latest, project.dependencies.digest)
            known = {stage: latest.get(stage) for stage in planned}
            stale = stale or any(stage.runs for stage in planned.values())
            mistakes, about = False, "" if plan.interval is None else f" {plan.interval.name}"
        except PipelineInvalid:
            # Not up to date, since nobody can say so; its stages are those of earlier runs.
            planned, known, stale, mistakes, on_disk, about = {}, dict(latest), True, True, {}, ""
        figures[name] = _unusual(project, name, known)
        runs |= {item[0].id for item in known.values() if item is not None}
        data[name] = {
            stage: _stage_to_json(item, planned.get(stage), on_disk.get(stage, ""))
            for stage, item in known.items()
        }
        if not as_json:
            _show(project, name, f"{name}{about}", known, planned, on_disk)
            unusual_ones = ((f"! {line}", "yellow") for line in unusual_lines(figures[name]))
            for line, style in (*_notes(known), *unusual_ones):
                out.print(line, style=style, soft_wrap=True)
            if mistakes:
                out.print(f"! {loaded.pipeline.path} has mistakes; see: stagebook check", style="yellow")
    tracking = state_of_runs(project.journal.outbox, runs) if runs else TrackingState()
    if as_json:
        told = {name: [one.to_json() for one in found] for name, found in figures.items() if found}
        mlflow = tracking_fields(tracking)
        incidents = _incidents(project)
        write_json({"pipelines": data, "stale": stale, "mlflow": mlflow, "unusual": told, **incidents})
    elif not files:
        out.print("no pipelines yet; make a project with one: stagebook init NAME")
    for line in [] if as_json else (*tracking_lines(tracking), *_incident_lines(project)):
        out.print(line, soft_wrap=True)
    project.close()
    return ExitCode.STALE if check and stale else ExitCode.OK


def _show(
    project: Project,
    pipeline: str,
    name: str,
    known: Mapping[str, _Known],
    planned: Mapping[str, PlannedStage],
    on_disk: Mapping[str, str],
) -> None:
    out = console()
    out.print(Text.assemble((name, "bold"), _last_run(project, pipeline)))
    timed = {stage: item and (item[0], project.history.with_times(item[1])) for stage, item in known.items()}
    table = tables.status_table(timed, planned, time.time(), on_disk)
    out.print(table if known else "it never ran")


def _last_run(project: Project, pipeline: str) -> Text:
    """How the last run ended, or that it goes on."""
    found = project.history.runs(pipeline, 1, points=False)
    if not found:
        return Text("")
    run, now = found[0], time.time()
    when = (
        f"since {formatting.duration(now - run.started)}"
        if run.ended is None
        else formatting.when(run.ended, now)
    )
    return Text.assemble(f"  last run {run.id} ", tables.status_text(run.status), f" {when}")


def _found_incidents(project: Project) -> tuple[list[Incident], dict[str, int]]:
    """The incidents that are open here, and how many are elsewhere. Of a damaged journal there are none: `doctor` tells."""
    known = project.history.has_journal
    try:
        own = incidents_of(project.journal, project.settings, project.placement.name) if known else []
        return [one for one in own if one.is_open], count_elsewhere(
            project.placement.journals_elsewhere(), project.settings
        )
    except JournalUnreadable:
        return [], {}


def _incidents(project: Project) -> dict[str, Any]:
    found, elsewhere = _found_incidents(project)
    return {"incidents": [one.to_json() for one in found], "incidents_elsewhere": elsewhere}


def _incident_lines(project: Project) -> Iterator[str]:
    name = project.placement.name
    return status_lines(*_found_incidents(project), "" if name == DEV else f" --env {name}")


def _notes(known: Mapping[str, _Known]) -> Iterator[tuple[str, str]]:
    """What people said of the last outcomes, each with its style."""
    for _, stage in filter(None, known.values()):
        for note in stage.notes:
            yield note_line(stage.id, note.by, note.text, seen=note.acknowledges), "dim"


def _stage_to_json(item: _Known, planned: PlannedStage | None, on_disk: str) -> dict[str, Any]:
    return {
        **({} if item is None else {"run": item[0].id, **item[1].to_json()}),
        "now": str(planned.decision) if planned else None,
        "because": list(planned.reasons) if planned else [],
        "on_disk": on_disk,
    }


def _unusual(project: Project, pipeline: str, known: Mapping[str, _Known]) -> list[Series]:
    """The figures of the results as they stand that are unusual."""
    of_runs = {stage: item[1].of_run or item[0].id for stage, item in known.items() if item is not None}
    return unusual(project.history, pipeline, project.settings.monitors, of_runs)
