"""`stagebook secrets list` and `test`."""

from __future__ import annotations

from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode
from stagebook.project import Project
from stagebook.runs.secrets import KnownSecret, known_secrets, try_secrets
from stagebook.views import secret_tables

secrets = typer.Typer(
    help="List the secrets of the project, or try whether they can be had; values are never shown.",
    no_args_is_help=True,
    add_completion=False,
)


@secrets.command("list")
def list_secrets(as_json: Json = False) -> int:
    """Show where each secret comes from, and which stages use it."""
    project = Project.open()
    found = _known(project)
    if as_json:
        write_json({"secrets": [_to_json(one) for one in found]})
    else:
        console().print(secret_tables.secrets(found) if found else "no secrets")
    return ExitCode.OK


@secrets.command("test")
def look_for(
    name: Annotated[str | None, typer.Argument(help="A secret (default: all).")] = None, as_json: Json = False
) -> int:
    """Look for the values of secrets, without showing them; ends with 1 where one cannot be had."""
    project = Project.open()
    known = _known(project)
    found = try_secrets(known, project.root, name)
    if as_json:
        told = [{**_to_json(one.secret), "problem": one.problem, "hint": one.hint} for one in found]
        write_json({"secrets": told})
    else:
        console().print(secret_tables.tried(found) if found else "no secrets", soft_wrap=True)
    return ExitCode.STAGE_FAILED if any(one.problem for one in found) else ExitCode.OK


def _known(project: Project) -> list[KnownSecret]:
    connections = project.dependencies.workspace.remotes.declared
    return known_secrets(project.catalog, connections, project.settings)


def _to_json(one: KnownSecret) -> dict[str, object]:
    source = one.source.shown
    return {"name": one.name, "source": source, "declared": one.is_declared, "used_by": list(one.used_by)}
