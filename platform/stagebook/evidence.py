"""Figures of an environment, put together from its journal, from releases, from git and from what its schedules expect."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from stagebook.errors import PipelineInvalid, PipelineNotFound, UsageError, did_you_mean
from stagebook.incidents.incident import Incident
from stagebook.indicators.facts import WEEK, FactDeployment, Facts, FreshBound, Window
from stagebook.indicators.report import PipelineFigures, report
from stagebook.journal.journal import Journal
from stagebook.pipeline.model import Schedule
from stagebook.releases.release import Releases
from stagebook.system.git import commit_times
from stagebook.system.settings_file import read_raw
from stagebook.workspace.catalog import Catalog
from stagebook.workspace.environments import DEV, declared
from stagebook.workspace.paths import STATE_FOLDER, home_of
from stagebook.workspace.settings import Settings

DAYS = 30  # of the window, by default
MOST_DAYS = 3650
SERIES = 12  # weeks of a plot
_DAY = 86_400.0  # seconds


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An environment whose runs ran at `root`, with its journal. `environment`: its name; `dev` for the working tree."""

    root: Path
    journal: Journal
    settings: Settings
    environment: str = DEV

    def incidents(self) -> list[Incident]:
        """Its incidents, the latest first. Raises `JournalUnreadable`."""
        return self.journal.incidents.look(opens=self.settings.opens_incidents(self.environment))


def figures_of(
    place: Place,
    *,
    pipeline: str | None = None,
    days: float = DAYS,
    weeks: int = SERIES,
    until: float | None = None,
) -> list[PipelineFigures]:
    """The figures of each pipeline of an environment, by their names: values of a window, the same of the window of equal length
    before, and a point for each of the last weeks.

    Args:
        place: the environment.
        pipeline: of this one alone.
        days: the length of the window.
        weeks: how many points; 0 costs least.
        until: where the window ends, in seconds since the epoch; by default now.

    Raises:
        JournalUnreadable: the journal is damaged.
        UsageError: no such pipeline ever ran there.
    """
    end = time.time() if until is None else until
    window = Window(start=end - days * _DAY, end=end)
    return window_figures(place, window, pipeline=pipeline, weeks=weeks)


def window_figures(
    place: Place, window: Window, *, pipeline: str | None = None, weeks: int = 0
) -> list[PipelineFigures]:
    """The figures of each pipeline over a window; as `figures_of`."""
    known = place.journal.facts.pipelines()
    if pipeline is not None and pipeline not in known:
        hint = did_you_mean(pipeline, known) if known else "start with: stagebook run"
        where = "here" if place.environment == DEV else f"in {place.environment}"
        raise UsageError(f"no run of a pipeline '{pipeline}' is known {where}", hint=hint)
    facts = gather(place, min(window.before().start, window.end - weeks * WEEK)).by_pipeline()
    return [
        report(name, place.environment, facts.get(name, Facts()), window, weeks=weeks)
        for name in known
        if pipeline in {None, name}
    ]


def gather(place: Place, since: float) -> Facts:
    """The facts of an environment since a time. Raises `JournalUnreadable`."""
    found = place.journal.facts.read(since, place.incidents())
    return dataclasses.replace(
        found,
        deployments=list(_with_commits(found.deployments, home_of(place.root))),
        fresh=list(_fresh(place)),
    )


def _with_commits(found: Iterable[FactDeployment], home: Path) -> Iterator[FactDeployment]:
    """Deployments with the commits of their releases. Nobody knows when that was made which a release has without a commit."""
    deployments = list(found)
    wanted = {one.release for one in deployments if one.release}
    releases = {}
    for name in wanted:
        try:
            releases[name] = Releases(home / STATE_FOLDER).find(name)
        except UsageError:
            continue  # it is gone: its deployments are left out where its commit is needed
    times = commit_times(home, (one.commit for one in releases.values() if not one.changed))
    for one in deployments:
        release = releases.get(one.release)
        commit = release.commit if release is not None else ""
        is_whole = release is not None and not release.changed
        committed = times.get(commit) if is_whole else None
        yield dataclasses.replace(one, commit=commit, committed=committed)


def _fresh(place: Place) -> Iterator[FreshBound]:
    """What the schedules of an environment say of how old the last result may be. A file with mistakes says nothing."""
    for pipeline, schedule in _schedules(place):
        if schedule.expect is not None and schedule.expect.fresh is not None:
            yield FreshBound(pipeline=pipeline, schedule=schedule.name, within=schedule.expect.fresh)


def _schedules(place: Place) -> Iterator[tuple[str, Schedule]]:
    catalog = Catalog(place.root)
    for name in catalog.names():
        try:
            pipeline = catalog.load(name).pipeline
        except (PipelineInvalid, PipelineNotFound):
            continue
        for schedule in pipeline.schedules.values():
            if (schedule.env or DEV) == place.environment:
                yield pipeline.name, schedule
    try:
        environments = declared(place.settings.environments, {}, read_raw(place.root)[1])
    except PipelineInvalid:
        return
    environment = environments.get(place.environment)
    for pipeline_name, schedules in environment.schedules.items() if environment is not None else ():
        for schedule in schedules.values():
            yield pipeline_name, schedule
