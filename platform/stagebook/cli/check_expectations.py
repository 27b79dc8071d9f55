"""`stagebook check-expectations`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from stagebook.cli.options import Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode, PipelineInvalid, Problem, StagebookError
from stagebook.project import Project
from stagebook.scheduling.expecting import WORDS, Missed, expects, unjudged
from stagebook.scheduling.noting import Noting
from stagebook.scheduling.places import Place, Places
from stagebook.views.formatting import plain, plural
from stagebook.views.problems import problem_list
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
    found, problems = _look(Noting(project.root), places)
    code = ExitCode.STAGE_FAILED if found else ExitCode.USAGE if problems else ExitCode.OK
    if as_json:
        told = [problem.to_json() for problem in problems]
        write_json({"missed": [one.to_json() for one in found], "problems": told})
        return code
    out = console()
    for one in found:
        out.print(f"✗ {plain(str(one.one))} {WORDS[one.kind]}", style="red")
        out.print(f"    {plain(one.message)}", soft_wrap=True)
    if problems:
        out.print("✗ of some schedules nobody can say what is expected:", style="red")
        out.print(problem_list(problems), soft_wrap=True)
    elif not found:
        count = sum(one.schedule.expect is not None for place in places for one in place.scheduled)
        if any(map(expects, places)):
            out.print(f"✓ {plural(count, 'schedule')}, all as expected")
        else:
            out.print("nothing is expected of a schedule; see docs/schedules.md")
    return code


def _look(noting: Noting, places: Sequence[Place]) -> tuple[list[Missed], list[Problem]]:
    """What is not as it is expected, and for what mistakes nobody can say. A place that cannot be read holds up no other one."""
    found: list[Missed] = []
    problems: list[Problem] = []
    for place in places:
        try:
            found += noting.look(place)
            problems += unjudged(place)
        except PipelineInvalid as error:
            problems += error.problems
        except StagebookError as error:
            where = f"environment {place.environment}"
            problems.append(Problem(path=where, message=error.message, hint=error.hint))
    return found, problems
