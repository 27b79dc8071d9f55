"""Carrying a backfill out: the runs of its intervals under one run that owns the pipeline."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import IO

from stagebook.errors import PipelineInvalid, UsageError
from stagebook.events import RunStarted, Status
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import Journal, RunRecord
from stagebook.published.manifest import Manifest
from stagebook.runs.backfill import BackfillPlan, BackfillRequest, PlannedInterval, is_as_it_is, of_run
from stagebook.runs.hooks import LaunchHooks
from stagebook.runs.launcher import Launcher, record_version, share, tell_of_series
from stagebook.runs.origin import describe_origin, person_name
from stagebook.runs.prepare import PreparedRun, Preparer
from stagebook.runs.request import RunRequest
from stagebook.runs.run import RunReport
from stagebook.runs.series import run_series
from stagebook.timing.interval import Interval
from stagebook.timing.reading import parse_interval
from stagebook.tracking.delivery import Delivery
from stagebook.tracking.state import TrackingState, state_of
from stagebook.workspace.paths import home_of

_LOOK = 0.05  # seconds between looks at runs that go on side by side
_SAID = 2_000  # characters of what a process said that could not begin


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IntervalDone:
    """What became of an interval. `run` is empty, and `status` is `reused`, where nothing was to be done any more when its turn
    came; `message` says what went wrong."""

    interval: Interval
    status: Status
    run: str = ""
    message: str = ""
    reused: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BackfillReport:
    """What a backfill came to. `left` intervals were not run, and `reason` says why; `version`: what the environment shows of
    it."""

    run: str
    status: Status
    done: Sequence[IntervalDone]
    left: int
    reason: str = ""
    undelivered: int = 0
    tracking: TrackingState = dataclasses.field(default_factory=TrackingState)
    version: Manifest | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BackfillHooks:
    """`began` and `ended` are told of each interval; `run` takes part in each of its runs, where these are in this process."""

    began: Callable[[PlannedInterval], None] = lambda _one: None
    ended: Callable[[IntervalDone], None] = lambda _done: None
    run: LaunchHooks = dataclasses.field(default_factory=LaunchHooks)


def rest_of_backfill(preparer: Preparer, run: RunRecord, how: RunRequest) -> BackfillRequest:
    """What a backfill was asked for, to be planned again: what it finished is up to date then."""
    started = next(event for _, event in preparer.history.journal.events.of(run.id))
    assert isinstance(started, RunStarted)
    intervals = [parse_interval(text) for text in started.request.get("intervals", ())]
    return of_run(started, how, intervals)


def backfill(
    preparer: Preparer,
    launcher: Launcher,
    plan: BackfillPlan,
    hooks: BackfillHooks | None = None,
    *,
    resumes: str = "",
) -> BackfillReport:
    """Run the chosen intervals of a plan. One that fails does not hold up the others. `resumes`: the backfill that it goes on
    with.

    Raises:
        PipelineBusy: the pipeline is being run.
        UsageError: there is nothing to run.
    """
    if not plan.chosen:
        raise UsageError(
            "there is nothing to run: every interval is up to date", hint="--force runs them all the same"
        )
    return _Backfill(preparer, launcher, plan, hooks or BackfillHooks()).run(resumes)


class _Backfill:
    """One backfill."""

    def __init__(
        self, preparer: Preparer, launcher: Launcher, plan: BackfillPlan, hooks: BackfillHooks
    ) -> None:
        self._preparer = preparer
        self._launcher = launcher
        self._plan = plan
        self._hooks = hooks
        self._id = launcher.new_run_id()
        self._done: list[IntervalDone] = []
        self._reports: list[RunReport] = []

    def run(self, resumes: str) -> BackfillReport:
        launcher = self._launcher
        each = self._one_by_one if self._plan.parallel == 1 else self._side_by_side
        series = run_series(
            launcher, self._started(resumes), self._hooks.run, each, wait=self._plan.request.run.wait
        )
        tell_of_series(launcher)
        return BackfillReport(
            run=self._id,
            status=series.status,
            done=self._done,
            left=len(self._plan.chosen) - len(self._done),
            reason=series.reason,
            undelivered=series.undelivered,
            tracking=state_of(
                launcher.journal.outbox, series.undelivered, run=self._id, behind=self._hooks.run.behind
            ),
            version=self._publish(),
        )

    def _started(self, resumes: str) -> RunStarted:
        plan = self._plan
        intervals = sorted((one.interval for one in plan.chosen), key=lambda one: one.start)
        return RunStarted(
            run=self._id,
            at=self._launcher.now(),
            pipeline=plan.pipeline,
            plan={
                "pipeline": plan.pipeline,
                "path": plan.path,
                "params": dict(plan.params),
                "stages": [],
            },
            origin=describe_origin(self._launcher.root),
            kind="backfill",
            resumes=resumes,
            # As it is carried out: who looks at it later knows the order.
            request=dataclasses.replace(
                plan.request, intervals=intervals, newest_first=plan.newest_first
            ).to_json(),
        )

    def _publish(self) -> Manifest | None:
        """Show what completed, if the environment shows whole runs, all intervals together; and share it with others."""
        launcher, made = self._launcher, None
        if launcher.publisher is not None and self._reports:
            made = launcher.publisher.publish(self._reports, by=person_name())
            record_version(launcher)
        if launcher.sharing is not None:
            share(launcher, launcher.sharing)
        return made

    def _end(self, done: IntervalDone) -> None:
        self._done.append(done)
        self._hooks.ended(done)

    def _status(self) -> Status:
        good = all(one.status.is_good for one in self._done)
        return Status.COMPLETED if good else Status.FAILED

    # -- in this process ------------------------------------------------------------------------

    def _one_by_one(self, delivery: Delivery | None) -> tuple[Status, str]:
        hooks = dataclasses.replace(
            self._hooks.run, parent=self._id, delivery=delivery, keep_server=True, publishes=False
        )
        for one in self._plan.chosen:
            self._hooks.began(one)
            request = dataclasses.replace(self._plan.request.at(one.interval), wait=False)
            prepared = self._prepare(one, request)
            if prepared is None:
                continue
            report = self._launcher.run(prepared, request, hooks)
            failed = [stage for stage in report.history.stages.values() if stage.status is Status.FAILED]
            message = f"{failed[0].id}: {failed[0].message or failed[0].reason}" if failed else ""
            reused = report.history.count(Status.REUSED)
            self._end(
                IntervalDone(
                    interval=one.interval,
                    status=report.status,
                    run=report.run,
                    message=message,
                    reused=reused,
                )
            )
            if report.status is Status.CANCELLED:
                return Status.CANCELLED, report.history.reason
            if report.status is Status.COMPLETED:
                self._reports.append(report)
        return self._status(), ""

    def _prepare(self, one: PlannedInterval, request: RunRequest) -> PreparedRun | None:
        """Plan an interval as it is now; `None` where nothing is to be done any more, or it cannot be planned: then that is
        told."""
        try:
            prepared = self._preparer.prepare(request)
        except (PipelineInvalid, UsageError) as error:
            message = error.problems[0].message if isinstance(error, PipelineInvalid) else error.message
            self._end(IntervalDone(interval=one.interval, status=Status.FAILED, message=message))
            return None
        known = self._launcher.journal.intervals.completed(self._plan.pipeline)
        if one.interval in known and is_as_it_is(prepared.plan):
            self._end(
                IntervalDone(interval=one.interval, status=Status.REUSED, reused=len(prepared.plan.stages))
            )
            return None
        return prepared

    # -- in processes of their own --------------------------------------------------------------

    def _side_by_side(self, _delivery: Delivery | None) -> tuple[Status, str]:
        waiting = list(self._plan.chosen)
        going: list[_Going] = []
        self._tend(waiting, going)
        if self._launcher.publisher is not None:
            self._reports += [self._report(one) for one in self._done if one.status is Status.COMPLETED]
        return self._status(), ""

    def _tend(self, waiting: list[PlannedInterval], going: list[_Going]) -> None:
        try:
            while waiting or going:
                while waiting and len(going) < self._most:
                    one = waiting.pop(0)
                    self._hooks.began(one)
                    going.append(self._start(one))
                time.sleep(_LOOK)
                for child in [child for child in going if child.process.poll() is not None]:
                    going.remove(child)
                    self._end(child.done(self._launcher.journal))
        finally:
            for child in going:
                child.process.terminate()
            for child in going:
                child.process.wait()
                self._end(child.done(self._launcher.journal))

    @property
    def _most(self) -> int:
        """How many intervals go on at a time: one, as long as they would all begin with the same work."""
        begun = any(one.status.is_good for one in self._done)
        return self._plan.parallel if begun or not self._plan.shared else 1

    def _report(self, done: IntervalDone) -> RunReport:
        """The report of a run in another process, as far as it is needed to publish it."""
        request = self._plan.request.at(done.interval)
        history = RunHistory(event for _, event in self._launcher.journal.events.of(done.run))
        return RunReport(
            run=done.run,
            status=done.status,
            history=history,
            undelivered=0,
            plan=self._preparer.prepare(dataclasses.replace(request, force=False)).plan,
        )

    def _start(self, one: PlannedInterval) -> _Going:
        launcher = self._launcher
        run = launcher.new_run_id()
        request = dataclasses.replace(
            self._plan.request.at(one.interval), wait=False, run_id=run, parent=self._id
        )
        said = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
        environment = dict(os.environ)
        if launcher.publisher is not None:
            environment["STAGEBOOK_ENV"] = launcher.publisher.environment.name
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "stagebook", *request.to_argv()],
            cwd=home_of(launcher.root),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        return _Going(interval=one.interval, run=run, process=process, said=said)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Going:
    """The run of an interval in a process of its own."""

    interval: Interval
    run: str
    process: subprocess.Popen[bytes]
    said: IO[bytes]

    def done(self, journal: Journal) -> IntervalDone:
        """What became of it, by the journal; by what the process said, where the run did not begin."""
        with self.said:
            found = journal.runs.find(self.run)
            if found is not None and found.ended is not None:
                return IntervalDone(
                    interval=self.interval, status=found.status, run=self.run, message=found.reason
                )
            self.said.seek(0)
            lines = self.said.read(_SAID).decode(errors="replace").strip().splitlines()
        message = lines[0] if lines else f"its process ended with {self.process.returncode}"
        return IntervalDone(interval=self.interval, status=Status.FAILED, message=message)
