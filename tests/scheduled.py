"""A world for schedulers: a clock that only the world moves, processes that only it runs, and real journals."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path

from journals import HERE, alive
from stagebook.errors import PipelineBusy, RunBegunAlready
from stagebook.events import RunEnded, RunStarted, Status
from stagebook.journal.journal import Journal
from stagebook.pipeline.model import Schedule
from stagebook.scheduling.dispatcher import Dispatcher
from stagebook.scheduling.places import Place, Scheduled
from stagebook.scheduling.starting import Ended, Start
from stagebook.timing.reading import parse_interval

NOW = 1_767_600_000.0  # 2026-01-05 08:00 UTC, a Monday


class Killed(BaseException):
    """The scheduler was killed here."""


@dataclasses.dataclass(slots=True)
class Process:
    """A process that was started for a run: it begins and ends at these times, or ends with a `refusal`."""

    start: Start
    begins: float
    ends: float
    refusal: str = ""
    has_begun: bool = False
    code: int | None = None


class World:
    """What outlives a scheduler: time, processes, journals. `kill` is asked before and after everything that a scheduler does
    to it, and raises `Killed`."""

    def __init__(self, folder: Path, *, delay: float = 1.0, seconds: float = 10.0) -> None:
        self.folder = folder
        self.now = NOW
        self.steady = 0.0
        self.delay = delay
        self.seconds = seconds
        self.refusal: Callable[[Start], str] = lambda _start: ""
        self.kill: Callable[[], None] = lambda: None
        self.processes: list[Process] = []
        self.active: list[Process] = []  # those that have not ended
        self.begun: list[str] = []
        self.refused_twice: list[str] = []
        self.lines: list[str] = []
        self._journals: dict[str, Journal] = {}

    def close(self) -> None:
        for journal in self._journals.values():
            journal.close()

    def path(self, environment: str) -> Path:
        return self.folder / environment / "journal.db"

    def journal(self, environment: str = "dev") -> Journal:
        if environment not in self._journals:
            self._journals[environment] = relaxed(self.path(environment))
        return self._journals[environment]

    def place(self, *schedules: Schedule, environment: str = "dev", pipeline: str = "p") -> Place:
        """A place with these schedules, each of the pipeline that its name begins with, or of `pipeline`."""
        found = []
        for one in schedules:
            owner, dot, _ = one.name.partition("_")
            name = owner if dot else pipeline
            found.append(Scheduled(environment=environment, pipeline=name, file=name, schedule=one))
        return Place(environment=environment, journal=self.path(environment), scheduled=tuple(found))

    def pass_time(self, seconds: float, *, jump: float = 0.0) -> None:
        """Let time go by, in which processes begin and end; then set the clock by `jump`."""
        until = self.now + seconds
        waiting = True
        while waiting:
            moments = [it for one in self.active for it in self._moments(one) if it <= until]
            waiting = bool(moments)
            if moments:
                self.steady += max(0.0, min(moments) - self.now)
                self.now = max(self.now, min(moments))
                self._run_processes()
        self.steady += until - self.now
        self.now = until + jump
        for one in self.active:  # they know nothing of the wall clock
            one.begins, one.ends = one.begins + jump, one.ends + jump

    def _moments(self, one: Process) -> list[float]:
        if one.code is not None:
            return []
        return [one.ends if one.has_begun else one.begins]

    def _run_processes(self) -> None:
        for one in self.active:
            if one.code is None and not one.has_begun and one.begins <= self.now:
                self._begin(one)
            elif one.code is None and one.has_begun and one.ends <= self.now:
                end = RunEnded(run=one.start.run, at=self.now, status=Status.COMPLETED)
                self.journal(one.start.environment).append([end])
                one.code = 0
        self.active = [one for one in self.active if one.code is None]

    def _begin(self, one: Process) -> None:
        if one.refusal:
            one.code = 2
            return
        asked = one.start.request
        interval = parse_interval(asked.interval).to_json() if asked.interval else {}
        event = RunStarted(
            run=one.start.run, at=self.now, pipeline=asked.pipeline or "", plan={"params": {}},
            interval=interval, schedule=asked.schedule,
        )  # fmt: skip
        try:
            self.journal(one.start.environment).begin(event, HERE, alive)
        except PipelineBusy:
            one.begins, one.ends = self.now + 1.0, one.ends + 1.0  # it waits
        except RunBegunAlready:
            self.refused_twice.append(one.start.run)
            one.code = 2
        else:
            self.begun.append(one.start.run)
            one.has_begun = True


class FakeStarter:
    """Starts processes of a world. What it started itself it knows the end of; those of others it sees."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.own: dict[str, Process] = {}
        self.started: list[Start] = []

    def start(self, start: Start) -> None:
        world = self.world
        world.kill()
        one = Process(
            start, world.now + world.delay, world.now + world.delay + world.seconds, world.refusal(start)
        )
        world.processes.append(one)
        world.active.append(one)
        self.own[start.run] = one
        self.started.append(start)
        world.kill()

    def is_alive(self, run: str) -> bool:
        self.world.kill()
        return any(it.start.run == run and it.code is None for it in self.world.active)

    def ended(self, run: str) -> Ended | None:
        one = self.own.get(run)
        return None if one is None or one.code is None else Ended(code=one.code, text=one.refusal)

    def forget(self, run: str) -> None:
        self.own.pop(run, None)


def relaxed(path: Path) -> Journal:
    """A journal that does not wait for the disk: nobody cuts the power in a test."""
    journal = Journal(path)
    journal.relax()
    return journal


class Life:
    """One life of a scheduler in a world, until it is killed."""

    def __init__(
        self, world: World, *, jobs: int = 1_000, mark: Callable[[Scheduled], str] = lambda _one: ""
    ) -> None:
        self.world = world
        self.starter = FakeStarter(world)

        def clock() -> float:
            world.kill()
            return world.now

        def say(line: str) -> None:
            world.kill()
            world.lines.append(line)

        self.dispatcher = Dispatcher(
            self.starter,
            clock=clock,
            steady=lambda: world.steady,
            mark=lambda one, _journal: mark(one),
            jobs=jobs,
            say=say,
            opened=relaxed,
        )

    def look(self, *places: Place) -> bool:
        """Look once; whether it lived through it."""
        with contextlib.suppress(Killed):
            self.dispatcher.look(places)
            return True
        self.dispatcher.close()
        return False
