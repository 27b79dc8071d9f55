"""`stagebook quarantine list` and `show`."""

from __future__ import annotations

from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode
from stagebook.project import Project
from stagebook.runs.quarantine import Quarantined, find, quarantined, rows_of
from stagebook.views import contract_tables

quarantine = typer.Typer(
    help="List or show rows that contracts keep out of what is published.",
    no_args_is_help=True,
    add_completion=False,
)


@quarantine.command("list")
def list_quarantined(
    pipeline: Annotated[str | None, typer.Argument(help="A name under pipelines/, or a path.")] = None,
    as_json: Json = False,
) -> int:
    """List the outputs of which rows are in quarantine, by the results that stages came to last."""
    project = Project.open()
    files = [pipeline] if pipeline else project.catalog.names()
    names = [project.catalog.load(file).pipeline.name for file in files]
    found = [(name, one) for name in names for one in quarantined(project.history, name)]
    if as_json:
        write_json({"quarantined": [_to_json(name, one) for name, one in found]})
    elif found:
        console().print(contract_tables.in_quarantine(found))
    else:
        console().print("✓ nothing is in quarantine")
    return ExitCode.OK


@quarantine.command()
def show(
    pipeline: Annotated[str, typer.Argument(help="A name under pipelines/, or a path.")],
    dataset: Annotated[str, typer.Argument(metavar="STAGE.OUTPUT", help="As `list` shows it.")],
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


def _to_json(pipeline: str, one: Quarantined) -> dict[str, object]:
    return {
        "dataset": f"{pipeline}.{one.name}",
        "rows": one.rows,
        "run": one.run,
        "path": one.path,
        "rules": list(one.rules),
    }
