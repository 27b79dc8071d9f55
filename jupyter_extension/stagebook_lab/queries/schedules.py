"""Schedules: what is known of them, what fires next, and doing something about one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from stagebook.errors import Problem
from stagebook.journal.tick_table import LoggedAction
from stagebook.project import Project
from stagebook.runs.notes import checked
from stagebook.scheduling import overview
from stagebook.scheduling.dispatcher import request_of
from stagebook.scheduling.overview import ScheduleView
from stagebook.scheduling.places import Places
from stagebook.scheduling.scheduler import leader_of
from stagebook.scheduling.starting import MARK
from stagebook.system.this_process import Asker
from stagebook_lab import wire
from stagebook_lab.launch import Processes
from stagebook_lab.present import Paths, problems_of, wire_value

NEXT = 10  # firings to come that are listed


def schedules_reply(project: Project, paths: Paths) -> wire.SchedulesReply:
    """The schedules of all pipelines and environments. Raises `JournalUnreadable`."""
    now, places = time.time(), Places(project.root).all()
    views = list(overview.views_of(places, now))
    problems = [problem for place in places for found in place.problems.values() for problem in found]
    leader = leader_of(project.root)
    return wire.SchedulesReply(
        schedules=tuple(_info(view) for view in views),
        next=tuple(
            wire.Firing(
                at=at,
                pipeline=one.pipeline,
                schedule=one.schedule.name,
                environment=one.environment,
                zone=one.schedule.zone,
                interval=interval.name,
            )
            for at, one, interval in overview.upcoming(views, now, NEXT)
        ),
        leader=None if leader is None else wire_value(wire.LeaderInfo, leader),
        problems=problems_of(paths, _once(problems)),
    )


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """Each once: of a pipeline file they hold in every environment that runs the working tree."""
    return list(dict.fromkeys(problems))


def _info(view: ScheduleView) -> wire.ScheduleInfo:
    schedule, last = view.one.schedule, view.last
    outcome = None
    if last is not None:
        interval = last.interval.name if last.interval is not None and last.state != "skipped" else ""
        outcome = wire_value(wire.ScheduleOutcome, last, outcome=view.outcome, interval=interval)
    return wire.ScheduleInfo(
        pipeline=view.one.pipeline,
        name=schedule.name,
        environment=view.one.environment,
        fires=str(schedule),
        zone=schedule.zone,
        interval=schedule.interval or "",
        paused=view.paused,
        next=view.due,
        last=outcome,
        turned=None if view.turned is None else _word(view.turned),
    )


def _word(said: LoggedAction) -> wire.ScheduleWord:
    action: wire.ScheduleAction = "pause" if said.action == "pause" else "resume"
    return wire_value(wire.ScheduleWord, said, action=action)


def act(
    project: Project, request: wire.ScheduleRequest, asker: Asker, processes: Processes
) -> wire.ScheduleReply:
    """Pause, resume or trigger a schedule, in the name of who asks; what is triggered is started here where no scheduler leads, as
    `stagebook schedule trigger` does it.

    Raises:
        UsageError: there is no such schedule, what it fired before goes on, or the reason is too long.
    """
    name = f"{request.pipeline}/{request.schedule}"
    place, one = overview.find(Places(project.root).all(), name, request.environment)
    now, because = time.time(), checked(request.because) if request.because.strip() else ""
    if request.action != "trigger":
        overview.set_paused(place, one, now, asker.user, because, paused=request.action == "pause")
        return wire.ScheduleReply()
    tick = overview.trigger(place, one, now, asker.user, because)
    if leader_of(project.root) is not None:
        return wire.ScheduleReply(run=tick.run)
    words = request_of(tick, one, os.cpu_count() or 1).to_argv()
    process = processes.start(
        project, words, asker, environment=place.environment, variables={MARK: tick.run}
    )
    return wire.ScheduleReply(run=tick.run, process=process)
