"""A history for tests of indicators: real events in a real journal, at times that are given; a real repository with commits of
given dates; real releases."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from scheduled import relaxed
from stagebook.artifact import Artifact
from stagebook.audits import Audit, CheckResult, Outcome, Severity
from stagebook.events import (
    AttemptEnded,
    AttemptStarted,
    Cause,
    Event,
    NoteAdded,
    RunEnded,
    RunStarted,
    StageEnded,
    StageReused,
    Status,
    VersionPublished,
)
from stagebook.evidence import Place
from stagebook.journal.journal import Journal
from stagebook.journal.tick_table import ScheduleKey, ScheduleState, Tick
from stagebook.releases.release import Release, ReleasedFile, Releases
from stagebook.timing.interval import Interval
from stagebook.timing.zones import at as moment_at
from stagebook.workspace.settings import Settings

NOW = 1_767_600_000.0  # 2026-01-05 08:00 UTC, a Monday
HOUR, DAY, WEEK = 3_600.0, 86_400.0, 604_800.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Did:
    """What a stage did in a run: it completed at an attempt, it failed, or it took the result of the event `reused`."""

    attempt: int = 1
    cause: Cause | None = None
    seconds: float = 60.0
    audits: Mapping[str, Audit] = dataclasses.field(default_factory=dict)
    content: str = ""
    reads: Sequence[str] = ()
    reused: int = 0


def check(
    severity: Severity = Severity.FAIL,
    outcome: Outcome = Outcome.PASSED,
    figure: float | None = 0,
    columns: tuple[str, ...] = ("x",),
) -> CheckResult:
    """What a rule came to."""
    return CheckResult(
        rule="r", text="x is good", severity=severity, outcome=outcome, figure=figure, columns=columns
    )


def audit(*checks: CheckResult, rows: int = 100, rejected: int = 0) -> Audit:
    """What a contract came to."""
    return Audit(
        dataset="p.clean.rows", contract="c.yaml", version="1", digest="d", rows=rows, checks=checks, rejected=rejected
    )  # fmt: skip


class History:
    """Writes what happened to a `pipeline` in an environment of the project at `root`. `state`: the folder of the journal; by
    default that of the working tree, also where the environment is another one."""

    def __init__(
        self, root: Path, *, environment: str = "prod", pipeline: str = "p", state: Path | None = None
    ) -> None:
        self.root = root
        self.journal: Journal = relaxed((state or root / ".stagebook") / "journal.db")
        self.environment = environment
        self.pipeline = pipeline
        self.settings = Settings()
        self._versions = 0
        self._ticks = 0

    def close(self) -> None:
        self.journal.close()

    @property
    def place(self) -> Place:
        """Where figures are asked of."""
        return Place(
            root=self.root, journal=self.journal, settings=self.settings, environment=self.environment
        )

    def run(
        self,
        name: str,
        at: float,
        stages: Mapping[str, Did] | None = None,
        *,
        status: Status | None = Status.COMPLETED,
        took: float = 600.0,
        pipeline: str = "",
        **started: object,
    ) -> int:
        """A run that begins at a time; with the status `None` it goes on. The number of its last event."""
        events: list[Event] = [
            RunStarted(
                run=name, at=at, pipeline=pipeline or self.pipeline, plan={"stages": []}, **started  # type: ignore[arg-type]
            )
        ]  # fmt: skip
        for stage, did in (stages or {}).items():
            events += _stage(name, at + took, stage, did)
        if status is not None:
            events.append(RunEnded(run=name, at=at + took, status=status))
        self.journal.append(events)
        return self.journal.events.last_number()

    def scheduled(
        self, name: str, due: float, *, at: float | None = None, took: float = 600.0, schedule: str = "daily"
    ) -> None:
        """A run of a schedule, about the day before it was due."""
        begins = due if at is None else at
        interval = Interval(start=moment_at(due - DAY), end=moment_at(due))
        self.tick(due, run=name, interval=interval, schedule=schedule)
        self.run(name, begins, took=took, schedule=schedule, interval=interval.to_json())

    def tick(
        self, due: float, *, run: str = "", interval: Interval | None = None, schedule: str = "daily"
    ) -> None:
        """A firing; without a run it was missed."""
        key = ScheduleKey(pipeline=self.pipeline, schedule=schedule)
        state = self.journal.ticks.see(key, "rule", NOW - 365 * DAY)
        made = Tick(key=key, due=due, state="claimed" if run else "skipped", at=due, interval=interval)
        assert (
            self.journal.ticks.settle(state, max(due, state.handled), [made], choose=lambda: run) is not None
        )

    def pause(self, start: float, end: float, again: float | None = None) -> None:
        """Somebody paused the schedule for a while; `again`: somebody else did so meanwhile, too."""
        key = ScheduleKey(pipeline=self.pipeline, schedule="daily")
        state = ScheduleState(key=key, rule="rule", handled=start)
        for at, paused in ((start, True), (start if again is None else again, True), (end, False)):
            self.journal.ticks.pause(state, at, "ada", "", paused=paused)

    def note(self, run: str, at: float) -> None:
        """Somebody wrote a note on a run."""
        self.journal.append([NoteAdded(run=run, at=at, text="the source was empty", by="ada")])

    def deploy(
        self,
        at: float,
        commit: str,
        *,
        kind: str = "deployment",
        changed: tuple[str, ...] = (),
        stages: Mapping[str, Did] | None = None,
    ) -> int:
        """A version that is shown from a time on, of a release that was made from a commit; its number."""
        self._versions += 1
        files = {
            f"pipelines/{self.pipeline}.yaml": ReleasedFile(
                sha256=f"{commit}{changed}", size=1, why="pipeline"
            )
        }
        release = Release(
            files=files, versions={}, pipelines=(self.pipeline,), commit=commit, changed=changed, at=at
        )
        Releases(self.root / ".stagebook").keep(release)
        name = f"v{self._versions}"
        kind_of_run = "rollback" if kind == "rollback" else "run"
        self.run(name, at - 120, stages, took=60, release=release.id, kind=kind_of_run)
        told = VersionPublished(
            run=name, at=at, environment="prod", version=self._versions, kind=kind, release=release.id
        )
        self.journal.append([told])
        return self._versions


def _stage(run: str, at: float, stage: str, did: Did) -> list[Event]:
    outputs = {"rows": Artifact(path=f"{stage}.csv", sha256=did.content or "0" * 64, size=1)}
    if did.reused:
        reused = StageReused(
            run=run, at=at, stage=stage, number=did.reused, outputs=outputs, audits=did.audits
        )
        return [reused, StageEnded(run=run, at=at, stage=stage, status=Status.REUSED)]
    inputs = {"read": [Artifact(path=f"{one}.csv", sha256=one, size=1) for one in did.reads]}
    events: list[Event] = [
        AttemptStarted(run=run, at=at - did.seconds, stage=stage, attempt=did.attempt, folder="f"),
        AttemptEnded(
            run=run, at=at, stage=stage, attempt=did.attempt, seconds=did.seconds, cause=did.cause,
            outputs={} if did.cause else outputs, inputs=inputs, audits=did.audits,
        ),
        StageEnded(run=run, at=at, stage=stage, status=Status.FAILED if did.cause else Status.COMPLETED),
    ]  # fmt: skip
    return events


def lively(history: History, repository: Repository, now: float = NOW) -> None:
    """Two weeks of a pipeline: a run a day, of which one fails and is noted; three deployments, one of them rolled back; and a run
    of another pipeline, `q`."""
    audited = {"rows": audit(check(Severity.WARN, Outcome.BROKEN, 10), check(columns=("y",)), rejected=4)}
    for day in range(14, 0, -1):
        history.scheduled(f"s{day}", now - day * DAY)
    history.tick(now - HOUR)
    history.run("bad", now - 3 * DAY, {"clean": Did(cause=Cause.EXCEPTION)}, status=Status.FAILED)
    history.note("bad", now - 3 * DAY + HOUR)
    number = history.run("good", now - 2 * DAY, {"clean": Did(attempt=2, audits=audited)})
    history.run("again", now - DAY, {"clean": Did(reused=number - 2, audits=audited), "load": Did()})
    commits = [repository.commit(now - days * DAY) for days in (16, 9, 8)]
    history.deploy(now - 13 * DAY, commits[0])
    history.deploy(now - 6 * DAY, commits[1])
    history.deploy(now - 6 * DAY + 2 * HOUR, commits[0], kind="rollback")
    history.deploy(now - 5 * DAY, "ab" * 20)
    history.run("other", now - 20 * DAY, pipeline="q")


class Repository:
    """A repository of git whose commits have given dates."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._git("init", "-q")

    def _git(self, *words: str, **more: str) -> str:
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, **more}
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        command = ["git", "-C", str(self.root), *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout.strip()

    def commit(self, at: float) -> str:
        """A commit of a time; its hash."""
        date = f"{int(at)} +0000"
        text = f"at {at}"
        self._git("commit", "-q", "--allow-empty", "-m", text, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)
        return self._git("rev-parse", "HEAD")
