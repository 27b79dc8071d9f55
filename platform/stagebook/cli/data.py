"""`stagebook data list`, `show`, `history`, `diff`, `restore` and `sql`."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import itertools
import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from stagebook.cli.options import Json, Params
from stagebook.cli.output import console, lenient, write_json
from stagebook.errors import ExitCode, JournalUnreadable, UsageError
from stagebook.incidents.incident import Incident
from stagebook.journal.history import Note
from stagebook.project import Project
from stagebook.runs.data_query import asked
from stagebook.runs.data_restore import restore as restore_version
from stagebook.runs.datasets import Dataset, Datasets, Version, plans_of
from stagebook.runs.differences import Difference, difference_of, first_rows, two_of
from stagebook.runs.incidents import incidents_of, of_dataset
from stagebook.runs.request import RunRequest
from stagebook.views import data_tables
from stagebook.views.incident_tables import incident_lines
from stagebook.views.log_lines import note_line
from stagebook.workspace.environments import DEV

data = typer.Typer(
    help="Look at datasets: list, show, query by SQL, compare and restore their versions.",
    no_args_is_help=True,
    add_completion=False,
)

Name = Annotated[
    str, typer.Argument(metavar="DATASET", help="As `list` shows it; the pipeline may be left out.")
]
Limit = Annotated[int, typer.Option("--limit", metavar="N", help="At most so many.", min=1)]


@data.command("list")
def list_datasets(as_json: Json = False) -> int:
    """List the datasets of all pipelines."""
    project = Project.open()
    found = _datasets(project)
    rows = [
        (one, next((version for version in found.versions(one) if version.is_present), None), found.rows(one))
        for one in found.all
    ]
    known = _open_incidents(project)
    wrong = {one.name: of_dataset(known, one.pipeline, one.stage, one.output) for one in found.all}
    if as_json:
        names = ("name", "path", "kind", "version", "run", "at", "rows")
        data = [dict(zip(names, data_tables.summary(*row), strict=True)) for row in rows]
        told = [{**one, "incidents": [it.to_json() for it in wrong[one["name"]]]} for one in data]
        write_json({"datasets": told})
    else:
        console().print(data_tables.datasets(rows, wrong, time.time()) if rows else "no outputs yet")
    return ExitCode.OK


@data.command()
def show(
    name: Name,
    at: Annotated[
        str, typer.Option("--at", metavar="VERSION", help="An older version, by its number or run.")
    ] = "",
    limit: Limit = 10,
    as_json: Json = False,
) -> int:
    """Show the columns of a dataset and its first rows. Personal data is masked."""
    project = Project.open()
    found = _datasets(project)
    one = found.find(name)
    version = found.version(one, at) if at else None
    rows = first_rows(found, one, version, limit)
    count = found.rows(one, version)
    wrong = of_dataset(_open_incidents(project), one.pipeline, one.stage, one.output)
    notes = _notes(project, one)
    if as_json:
        told = {
            "incidents": [it.to_json() for it in wrong],
            "notes": [{"at": it.at, "by": it.by, "text": it.text} for it in notes],
        }
        write_json({"dataset": one.name, "path": one.path, "rows": count, "first": rows, **told})
        return ExitCode.OK
    out = console()
    out.print(f"{one.name}  {one.path}" + (f"  {count:,} rows" if count is not None else ""), soft_wrap=True)
    name = project.placement.name
    for line in incident_lines(wrong, time.time(), "" if name == DEV else f" --env {name}"):
        out.print(line, soft_wrap=True)
    for note in notes:
        out.print(
            note_line(one.stage, note.by, note.text, seen=note.acknowledges), style="dim", soft_wrap=True
        )
    out.print(data_tables.rows_of(rows, width=out.width))
    return ExitCode.OK


@data.command()
def history(name: Name, limit: Limit = 20, as_json: Json = False) -> int:
    """List the versions of a dataset, the latest first."""
    project = Project.open()
    found = _datasets(project)
    one = found.find(name)
    known = found.versions(one)
    versions = [dataclasses.replace(it, rows=found.rows(one, it)) for it in known[:limit]]
    if as_json:
        write_json({"dataset": one.name, "versions": [_to_json(it) for it in versions]})
        return ExitCode.OK
    out = console()
    if not versions:
        raise UsageError(
            f"there is no version of {one.name} yet", hint=f"stagebook run {one.pipeline} {one.stage}"
        )
    out.print(data_tables.history(versions, time.time()))
    if len(known) > limit:
        out.print(f"and {len(known) - limit} more: --limit {len(known)}", style="dim")
    return ExitCode.OK


@data.command()
def diff(
    name: Name,
    before: Annotated[
        str, typer.Argument(help="A version, by its number or run (default: the one before).")
    ] = "",
    after: Annotated[str, typer.Argument(help="Another version (default: the present one).")] = "",
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key", metavar="COLUMN", help="What tells rows apart (default: as the contract says)."
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Compare two versions of a dataset: columns, and rows that were added, removed or changed."""
    project = Project.open()
    found = _datasets(project)
    one = found.find(name)
    two = two_of(one.name, found.versions(one), (before, after))
    done = difference_of(one, two, found, key or ())
    if as_json:
        write_json(_diff_to_json(done))
    else:
        out = console()
        out.print(data_tables.difference(done, width=out.width))
    return ExitCode.OK


@data.command()
def restore(
    name: Name,
    version: Annotated[str, typer.Argument(help="By its number, or the run that made it: see `history`.")],
    params: Params = None,
    as_json: Json = False,
) -> int:
    """Make an older version the present one, and declare it good for the stage as it is now."""
    project = Project.open()
    found = _datasets(project)
    one = found.find(name)
    chosen = found.version(one, version)
    request = RunRequest(pipeline=one.pipeline, pairs=tuple(params or ()))
    done = restore_version(one, chosen, request, project.preparer, project.launcher)
    if as_json:
        write_json({"dataset": one.name, "restored": chosen.number, "run": done.run, "version": done.version})
        return ExitCode.OK
    now = f", as version {done.version}" if done.version is not None else ""
    out = console()
    out.print(f"✓ {one.path} is what it was in version {chosen.number}{now}", style="green", soft_wrap=True)
    then = "the next run leaves it so, until something changes that the stage depends on"
    if done.moved:
        then = f"the bookmark of {one.stage} moved with it: the next run reads again what came after"
    out.print(f"  {then}", soft_wrap=True)
    return ExitCode.OK


@data.command()
def sql(
    query: Annotated[str, typer.Argument(help="One SELECT; `-` reads it from standard input.")],
    limit: Limit = 100,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, all rows.")] = False,
    as_json: Json = False,
) -> int:
    """Ask the datasets by SQL (DuckDB), read-only; `"p.stage.output" AT (VERSION => 3)` is an older version."""
    project = Project.open()
    text = sys.stdin.read() if query == "-" else query
    with asked(text, _datasets(project)) as answer:
        names = [column for column, _ in answer.columns]
        if as_csv:
            with lenient():
                writer = csv.writer(sys.stdout, lineterminator="\n")
                writer.writerow(names)
                writer.writerows(answer.rows)
            return ExitCode.OK
        rows = list(itertools.islice(answer.rows, limit + 1))
    if as_json:
        columns = [{"name": column, "type": kind} for column, kind in answer.columns]
        write_json({"columns": columns, "rows": rows[:limit], "more": len(rows) > limit})
        return ExitCode.OK
    out = console()
    out.print(data_tables.answer(names, rows[:limit], width=out.width))
    if len(rows) > limit:
        out.print(f"the first {limit} rows: --limit N shows more, --csv all", style="dim")
    return ExitCode.OK


def _datasets(project: Project) -> Datasets:
    """The datasets of the pipelines that can be planned; of the others it is said why not."""
    plans, broken = plans_of(project.preparer, project.catalog.names())
    for name, error in broken.items():
        first = error.problems[0]
        console(stderr=True).print(
            f"! the pipeline {name} is left out: {first.place}: {first.message}",
            style="yellow",
            soft_wrap=True,
        )
    return Datasets(plans, project.preparer, project.placement.shown())


def _open_incidents(project: Project) -> list[Incident]:
    """Of a damaged journal there are none: `doctor` tells."""
    if not project.history.has_journal:
        return []
    with contextlib.suppress(JournalUnreadable):
        return incidents_of(project.journal, project.settings, project.placement.name)
    return []


def _notes(project: Project, dataset: Dataset) -> Sequence[Note]:
    """What people said of how the stage of a dataset last ended."""
    latest = project.history.latest_stages(dataset.pipeline).get(dataset.stage)
    return latest[1].notes if latest is not None else ()


def _to_json(version: Version) -> dict[str, object]:
    names = ("number", "run", "at", "rows", "operation", "is_present")
    return {name: getattr(version, name) for name in names}


def _diff_to_json(done: Difference) -> dict[str, object]:
    return {
        "before": _to_json(done.before),
        "after": _to_json(done.after),
        "counts": list(done.counts),
        "columns": [dataclasses.asdict(change) for change in done.columns],
        "rows": dataclasses.asdict(done.rows) if done.rows is not None else None,
    }
