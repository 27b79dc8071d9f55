"""`stagebook schedule list`, `next`, `pause`, `resume` and `trigger`."""

from __future__ import annotations

import dataclasses
import os
import time
from typing import Annotated

import typer

from stagebook.cli.options import Jobs, Json
from stagebook.cli.output import console, write_json
from stagebook.errors import ExitCode, UsageError
from stagebook.project import Project
from stagebook.runs.origin import person_name
from stagebook.scheduling import overview
from stagebook.scheduling.dispatcher import request_of
from stagebook.scheduling.noting import Noting
from stagebook.scheduling.places import Place, Places, Scheduled
from stagebook.scheduling.scheduler import leader_of
from stagebook.scheduling.starting import Processes, Start
from stagebook.views import schedule_tables
from stagebook.views.problems import problem_list
from stagebook.workspace.environments import DEV

schedule = typer.Typer(
    help="List schedules, show what fires next, pause, resume and trigger them.",
    no_args_is_help=True,
    add_completion=False,
)
Name = Annotated[str, typer.Argument(help="A schedule: PIPELINE/NAME, or NAME where it is the only one.")]
Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; it is recorded.")]
Env = Annotated[str | None, typer.Option("--env", metavar="NAME", help="The schedule of this environment.")]


@schedule.command("list")
def list_schedules(env: Env = None, as_json: Json = False) -> int:
    """List the schedules of all pipelines and environments, with what came of them."""
    project, places = _places(env)
    views = list(overview.views_of(places, time.time()))
    problems = [problem for place in places for found in place.problems.values() for problem in found]
    leader = leader_of(project.root)
    if as_json:
        write_json(
            {
                "schedules": [one.to_json() for one in views],
                "problems": [problem.to_json() for problem in problems],
                "scheduler": leader and dataclasses.asdict(leader),
            }
        )
        return ExitCode.OK
    out = console()
    if views:
        out.print(schedule_tables.schedules(views, time.time()))
        for line in schedule_tables.remarks(views):
            out.print(line, soft_wrap=True)
    elif not problems:
        out.print("nothing is scheduled; see docs/schedules.md")
    if problems:
        out.print(problem_list(problems), soft_wrap=True)
    if views:
        out.print(schedule_tables.leader(str(leader) if leader is not None else ""), soft_wrap=True)
    return ExitCode.OK


@schedule.command("next")
def show_next(
    count: Annotated[int, typer.Option("-n", "--limit", metavar="N", help="How many.", min=1, max=1000)] = 10,
    env: Env = None,
    as_json: Json = False,
) -> int:
    """Show what fires next, and which intervals these runs will be about."""
    _, places = _places(env)
    views = list(overview.views_of(places, time.time()))
    found = overview.upcoming(views, time.time(), count)
    if as_json:
        write_json({
            "next": [
                {"at": at, "pipeline": one.pipeline, "schedule": one.schedule.name, "environment": one.environment,
                 "interval": interval.to_json()}
                for at, one, interval in found
            ]
        })  # fmt: skip
    elif found:
        console().print(schedule_tables.upcoming(found, time.time()))
    else:
        console().print("nothing fires at a time; see: stagebook schedule list")
    return ExitCode.OK


@schedule.command()
def pause(name: Name, because: Because = "", env: Env = None, as_json: Json = False) -> int:
    """Pause a schedule: nothing fires until it is resumed. Runs that go on go on."""
    return _set(name, env, because, paused=True, as_json=as_json)


@schedule.command()
def resume(name: Name, because: Because = "", env: Env = None, as_json: Json = False) -> int:
    """Resume a schedule. What it missed is handled as after any downtime, by its catch_up."""
    return _set(name, env, because, paused=False, as_json=as_json)


def _set(name: str, env: str | None, because: str, *, paused: bool, as_json: bool) -> int:
    project, places = _places(env)
    place, one = overview.find(places, name)
    is_new = overview.set_paused(place, one, time.time(), person_name(), because, paused=paused)
    if as_json:
        write_json({**_named(one), "paused": paused, "changed": is_new})
    elif is_new:
        console().print(f"✓ {one} is {'paused' if paused else 'resumed'}", soft_wrap=True)
    else:
        console().print(f"{one} {'is paused already' if paused else 'is not paused'}", soft_wrap=True)
    Noting(project.root).look(place)  # people are told now, whether a scheduler runs or not
    return ExitCode.OK


@schedule.command()
def trigger(
    name: Name, because: Because = "", jobs: Jobs = None, env: Env = None, as_json: Json = False
) -> int:
    """Run a schedule now, about its latest complete interval. The run goes on by itself."""
    project, places = _places(env)
    place, one = overview.find(places, name)
    tick = overview.trigger(place, one, time.time(), person_name(), because)
    leader = leader_of(project.root)
    if leader is None:
        most = jobs or project.settings.run.jobs or os.cpu_count() or 1
        start = Start(run=tick.run, environment=place.environment, request=request_of(tick, one, most))
        processes = Processes(project.root)
        processes.start(start)
        processes.forget(start.run)  # nobody is here to see its end
    if as_json:
        write_json({**_named(one), "run": tick.run, "scheduler": leader and dataclasses.asdict(leader)})
        return ExitCode.OK
    by = f"started by {leader}" if leader is not None else "started"
    where = "" if place.environment == DEV else f" --env {place.environment}"
    console().print(
        f"✓ {one}: run {tick.run} is {by}; see: stagebook logs -f {tick.run}{where}", soft_wrap=True
    )
    return ExitCode.OK


def _named(one: Scheduled) -> dict[str, str]:
    return {"pipeline": one.pipeline, "schedule": one.schedule.name, "environment": one.environment}


def _places(env: str | None) -> tuple[Project, list[Place]]:
    project = Project.open(environment=DEV)
    places = [one for one in Places(project.root).all() if env in {None, one.environment}]
    if not places:
        project.environments.find(str(env))  # raises
        raise UsageError(f"nothing is known of '{env}'")
    return project, places
