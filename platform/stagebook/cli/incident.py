"""`stagebook incident list`, `show`, `ack`, `note` and `close`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode
from stagebook.incidents.incident import Incident
from stagebook.project import Project
from stagebook.runs.incidents import Mark, find_incident, incidents_of, mark
from stagebook.runs.origin import person_name
from stagebook.views import incident_tables
from stagebook.workspace.environments import DEV

incident = typer.Typer(
    help="List and show incidents, acknowledge them, write notes on them, close them.",
    no_args_is_help=True,
    add_completion=False,
)
Id = Annotated[str, typer.Argument(metavar="ID", help="An incident, or the beginning of its id.")]
Text = Annotated[str, typer.Argument(help="What to say; it is recorded with your name.")]


def _known(project: Project) -> list[Incident]:
    if not project.history.has_journal:
        return []
    return incidents_of(project.journal, project.settings, project.placement.name)


def _option(project: Project) -> str:
    name = project.placement.name
    return "" if name == DEV else f" --env {name}"


@incident.command("list")
def list_incidents(
    everything: Annotated[bool, typer.Option("--all", help="Those that are closed, too.")] = False,
    limit: Annotated[int, typer.Option("-n", "--limit", metavar="N", help="How many.", min=1)] = 50,
    as_json: Json = False,
) -> int:
    """List the incidents that are open."""
    with Project.open() as project:
        known, environment = _known(project), project.placement.name
        opens = project.settings.opens_incidents(environment)
    shown = [one for one in known if everything or one.is_open][:limit]
    if as_json:
        write_json({"environment": environment, "incidents": [one.to_json() for one in shown]})
    elif shown:
        console().print(incident_tables.incidents(shown, time.time()))
    elif not opens:
        console().print(
            "runs in the working tree open no incidents; see those of an environment with --env NAME,"
            " or set incidents.dev to true",
            soft_wrap=True,
        )
    else:
        closed = f"; {len(known)} closed, see --all" if known else ""
        console().print(f"✓ no incident is open in {environment}{closed}")
    return ExitCode.OK


@incident.command()
def show(name: Id, as_json: Json = False) -> int:
    """Show all about an incident: what is wrong, since when, and who did what."""
    with Project.open() as project:
        one, option = find_incident(_known(project), name), _option(project)
        changes = project.journal.incidents.changes_of(one.id)
    if as_json:
        write_json({"incident": one.to_json(), "changes": [change.to_json() for change in changes]})
        return ExitCode.OK
    for line in incident_tables.incident(one, changes, time.time(), option):
        console().print(line, soft_wrap=True)
    return ExitCode.OK


@incident.command()
def ack(
    name: Id,
    text: Annotated[str, typer.Argument(help="What to say; it is recorded with your name.")] = "",
    as_json: Json = False,
) -> int:
    """Say that you have seen it, and look after it."""
    return _mark("ack", name, text, "acknowledged", as_json=as_json)


@incident.command()
def note(name: Id, text: Text, as_json: Json = False) -> int:
    """Write down what you found out."""
    return _mark("note", name, text, "noted", as_json=as_json)


@incident.command()
def close(
    name: Id,
    because: Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; it is recorded.")] = "",
    as_json: Json = False,
) -> int:
    """Close it, though no run has shown that it is well."""
    return _mark("close", name, because, "closed", as_json=as_json)


def _mark(action: str, name: str, text: str, done: str, *, as_json: bool) -> int:
    with Project.open() as project:
        one = find_incident(_known(project), name)
        by = person_name()
        made = mark(project.journal, one, Mark(action=action, text=text, by=by, at=time.time()))
        after = find_incident(_known(project), one.id)
    if as_json:
        write_json({"incident": after.to_json()})
    else:
        said = f": {made.text}" if made.text else ""
        console().print(f"✓ {one.id} {one.name} is {done} by {by or 'somebody'}{said}", soft_wrap=True)
    return ExitCode.OK
