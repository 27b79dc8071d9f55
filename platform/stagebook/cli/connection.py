"""`stagebook connection list` and `test`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.connections.asking import PATIENCE, ask_whether
from stagebook.connections.declared import Declared
from stagebook.errors import ConnectionUnusable, ExitCode, did_you_mean
from stagebook.project import Project
from stagebook.views.formatting import plain
from stagebook.views.tables import table_of

connection = typer.Typer(
    help="List the connections of the project, or try one.", no_args_is_help=True, add_completion=False
)


@connection.command("list")
def list_connections(as_json: Json = False) -> int:
    """Show what is behind each name, without any secret."""
    found = Project.open().dependencies.workspace.remotes.declared
    if as_json:
        write_json({"connections": [_to_json(one) for one in found.values()]})
        return ExitCode.OK
    table = table_of("connection", "kind", "url", "secrets")
    for one in found.values():
        table.add_row(one.name, one.kind, Text(plain(one.url)), ", ".join(one.secrets))
    console().print(table if found else "no connections: declare them in connections.toml")
    return ExitCode.OK


@connection.command("test")
def try_connection(
    name: Annotated[str, typer.Argument(help="A connection.")],
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="How long to wait.", min=0.1)
    ] = PATIENCE,
    as_json: Json = False,
) -> int:
    """Log in, and look whether what is behind a name answers; ends with 1 where it does not."""
    project = Project.open()
    found = project.dependencies.workspace.remotes.declared
    if name not in found:
        raise ConnectionUnusable(f"there is no connection '{name}'", hint=did_you_mean(name, found))
    try:
        said, problem, hint = ask_whether(project.root, name, timeout), "", ""
    except ConnectionUnusable as error:
        said, problem, hint = "", error.message, error.hint
    if as_json:
        write_json({**_to_json(found[name]), "answer": said, "problem": problem, "hint": hint})
    elif problem:
        console().print(Text(f"✗ {plain(problem)}", style="red"), soft_wrap=True)
        if hint:
            console().print(Text(f"    {plain(hint)}", style="dim"), soft_wrap=True)
    else:
        console().print(Text(f"✓ {name}: {plain(said)}", style="green"))
    return ExitCode.STAGE_FAILED if problem else ExitCode.OK


def _to_json(one: Declared) -> dict[str, object]:
    return {"name": one.name, "kind": one.kind, "url": one.url, "secrets": one.secrets}
