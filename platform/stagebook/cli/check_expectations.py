"""`stagebook check-expectations`."""

from __future__ import annotations

from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode
from stagebook.project import Project
from stagebook.scheduling.expecting import WORDS, expects
from stagebook.scheduling.noting import Noting
from stagebook.scheduling.places import Places
from stagebook.views.formatting import plain, plural
from stagebook.workspace.environments import DEV


def check_expectations(
    env: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="Of this environment alone.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Say what is late, missing or overdue by what schedules expect; for any cron."""
    project = Project.open(environment=DEV)
    if env is not None and env != DEV:
        project.environments.find(env)
    places = [place for place in Places(project.root).all() if env in {None, place.environment}]
    noting = Noting(project.root)
    found = [one for place in places for one in noting.look(place)]
    if as_json:
        write_json({"missed": [one.to_json() for one in found]})
        return ExitCode.STAGE_FAILED if found else ExitCode.OK
    out = console()
    for one in found:
        out.print(f"✗ {plain(str(one.one))} {WORDS[one.kind]}", style="red")
        out.print(f"    {plain(one.message)}", soft_wrap=True)
    if not found:
        count = sum(one.schedule.expect is not None for place in places for one in place.scheduled)
        if any(map(expects, places)):
            out.print(f"✓ {plural(count, 'schedule')}, all as expected")
        else:
            out.print("nothing is expected of a schedule; see docs/schedules.md")
    return ExitCode.STAGE_FAILED if found else ExitCode.OK
