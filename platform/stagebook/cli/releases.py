"""`stagebook releases list`, `show` and `diff`."""

from __future__ import annotations

import dataclasses
import time
from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode
from stagebook.project import Project
from stagebook.releases.release import compare
from stagebook.views import release_tables
from stagebook.workspace.environments import DEV

releases = typer.Typer(
    help="List, show and compare releases.",
    no_args_is_help=True,
    add_completion=False,
)
Which = Annotated[str | None, typer.Argument(help="The beginning of its id (default: the latest).")]


@releases.command("list")
def list_releases(as_json: Json = False) -> int:
    """List the releases, and where each runs."""
    project = Project.open(environment=DEV)
    found = list(project.environments.releases.all())
    runs_in: dict[str, list[str]] = {}
    for one in project.environments.all().values():
        current = project.environments.versions(one).current()
        if current is not None and current.release:
            runs_in.setdefault(current.release, []).append(one.name)
    if as_json:
        names = ("id", "commit", "at", "by", "note")
        rows = [{name: one.to_json()[name] for name in names} for one in found]
        write_json({"releases": [{**row, "environments": runs_in.get(row["id"], [])} for row in rows]})
    elif found:
        console().print(release_tables.releases(found, runs_in, time.time()))
    else:
        console().print("nothing was released yet; make a release: stagebook release")
    return ExitCode.OK


@releases.command()
def show(release: Which = None, as_json: Json = False) -> int:
    """Show what is in a release."""
    found = Project.open(environment=DEV).environments.releases.find(release)
    if as_json:
        write_json(found.to_json())
    else:
        out = console()
        out.print(release_tables.facts(found))
        out.print()
        out.print(release_tables.files(found))
    return ExitCode.OK


@releases.command()
def diff(
    before: Annotated[str, typer.Argument(help="The beginning of the id of a release.")],
    after: Which = None,
    as_json: Json = False,
) -> int:
    """Show what changed from one release to another."""
    known = Project.open(environment=DEV).environments.releases
    found = compare(known.find(before), known.find(after))
    if as_json:
        write_json(dataclasses.asdict(found))
    else:
        console().print(release_tables.changes(found))
    return ExitCode.OK
