"""`stagebook scheduler`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from stagebook.cli.options import Jobs
from stagebook.errors import ExitCode, UsageError
from stagebook.project import Project
from stagebook.scheduling.places import Places
from stagebook.scheduling.scheduler import Scheduler
from stagebook.scheduling.unit_file import unit_file
from stagebook.views.formatting import plain
from stagebook.views.schedule_tables import line_of
from stagebook.workspace.environments import DEV


def scheduler(
    jobs: Jobs = None,
    once: Annotated[
        bool, typer.Option("--once", help="Start what is due now, wait for it, and end: for cron and tests.")
    ] = False,
    systemd: Annotated[
        bool, typer.Option("--systemd", help="Print a unit file for systemd, and run nothing.")
    ] = False,
) -> int:
    """Run the schedules of all pipelines and environments, until Ctrl-C."""
    project = Project.open(environment=DEV)
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs has to be 1 or more, not {jobs}")
    if systemd:
        sys.stdout.write(unit_file(project.root, [f"--jobs={jobs}"] if jobs is not None else []))
        return ExitCode.OK
    most = jobs or project.settings.run.jobs or os.cpu_count() or 1
    project.close()
    made = Scheduler(project.root, jobs=most, say=_say)
    if once:
        made.once()
    else:
        _say(f"schedules of {project.root}, {most} at a time; Ctrl-C ends this")
        if not any(place.scheduled or place.problems for place in Places(project.root).all()):
            _say("nothing is scheduled yet; see docs/schedules.md")
        made.run()
    return ExitCode.OK


def _say(text: str) -> None:
    sys.stdout.write(f"{plain(line_of(text))}\n")
    sys.stdout.flush()
