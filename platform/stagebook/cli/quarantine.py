"""`stagebook quarantine list`, `show`, `release` and `replay`."""

from __future__ import annotations

from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.cli.progress import run_and_show
from stagebook.errors import ExitCode, UsageError
from stagebook.planning.select import Selection
from stagebook.project import Project
from stagebook.runs.origin import describe_origin
from stagebook.runs.quarantine import Choice, Prospect, find, prospects, quarantined, rows_of
from stagebook.runs.quarantine import release as release_rows
from stagebook.runs.request import RunRequest
from stagebook.views import contract_tables
from stagebook.views.formatting import plural
from stagebook.workspace.contracts import release_path

quarantine = typer.Typer(
    help="Show rows that contracts keep out of what is published, release them, audit them again.",
    no_args_is_help=True,
    add_completion=False,
)


Pipeline = Annotated[str, typer.Argument(help="A name under pipelines/, or a path.")]
Dataset = Annotated[str, typer.Argument(metavar="STAGE.OUTPUT", help="As `list` shows it.")]


@quarantine.command("list")
def list_quarantined(
    pipeline: Annotated[str | None, typer.Argument(help="A name under pipelines/, or a path.")] = None,
    as_json: Json = False,
) -> int:
    """List the outputs of which rows are in quarantine, and how many of these rows would be published now."""
    project = Project.open()
    found: list[Prospect] = []
    for file in [pipeline] if pipeline else project.catalog.names():
        found += prospects(project.plan(file), project.history, project.store, project.root)
    if as_json:
        write_json({"quarantined": [one.to_json() for one in found]})
    elif found:
        console().print(contract_tables.in_quarantine(found))
    else:
        console().print("✓ nothing is in quarantine")
    return ExitCode.OK


@quarantine.command()
def show(
    pipeline: Pipeline,
    dataset: Dataset,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="At most so many rows.", min=1)] = 20,
    as_json: Json = False,
) -> int:
    """Show rows in quarantine, each with the checks that it fails. Personal data is masked."""
    project = Project.open()
    one = find(quarantined(project.history, project.catalog.load(pipeline).pipeline.name), dataset)
    rows = list(rows_of(one, project.root, limit))
    if as_json:
        write_json({"rows": rows, "all": one.rows, "path": one.path})
        return ExitCode.OK
    out = console()
    out.print(contract_tables.rows(rows))
    if one.rows > len(rows):
        out.print(f"{len(rows)} of {one.rows:,} rows; all are in {one.path}", style="dim", soft_wrap=True)
    return ExitCode.OK


@quarantine.command()
def release(
    pipeline: Pipeline,
    dataset: Dataset,
    because: Annotated[
        str, typer.Option("--because", metavar="TEXT", help="Why they are good all the same.")
    ],
    rows: Annotated[
        list[int] | None,
        typer.Option("--row", metavar="N", help="This row, by the number that `show` gives."),
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option("--rule", metavar="NAME", help="All rows that break this and no other."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All rows.")] = False,
) -> int:
    """Admit rows in quarantine, though they break rules: the next run publishes them, without running the notebook."""
    if (rows is not None) + (rules is not None) + every != 1:
        raise UsageError("say which rows: --row N, --rule NAME, or --all")
    project = Project.open()
    plan = project.plan(pipeline)
    one = find(quarantined(project.history, plan.pipeline), dataset)
    contract = plan.stage(one.stage).outputs[one.output].contract
    if contract is None:
        hint = f"the next run publishes the rows: stagebook run {pipeline}"
        raise UsageError(f"{one.name} has no contract any more", hint=hint)
    by = describe_origin(project.root).user
    choice = Choice(rows=tuple(rows or ()), rules=tuple(rules or ()))
    count = release_rows(one, contract, project.root, choice, because=because, by=by)
    path = release_path(one.dataset)
    if not count:
        console().print(f"these rows are released already, in {path}", soft_wrap=True)
    else:
        console().print(
            f"released {plural(count, 'row')} in {path}; the next run publishes {'it' if count == 1 else 'them'},"
            f" without running the notebook: stagebook run {pipeline}",
            soft_wrap=True,
        )
    return ExitCode.OK


@quarantine.command()
def replay(pipeline: Pipeline, dataset: Dataset, as_json: Json = False) -> int:
    """Audit what the stage wrote again, against the contract and the other datasets as they are now."""
    with Project.open() as project:
        plan = project.plan(pipeline)
        one = find(quarantined(project.history, plan.pipeline), dataset)
        project.launcher.warm_up()
        request = RunRequest(pipeline=pipeline, selection=Selection(only=(one.stage,)), audit=True)
        return run_and_show(project, project.preparer.prepare(request), request, as_json=as_json)
