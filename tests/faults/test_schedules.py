"""Schedulers that are killed, sleep and have their clocks set, against a small model; and real ones that are killed.

The model knows nothing of `timing`: it goes through the minutes of the year, and looks at what clocks show.
"""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import datetime as dt
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import psutil
import pytest

from building import ProjectBuilder
from commands import environment, start
from effort import SEED, amount, figure
from scheduled import Killed, Life, World
from stagebook.journal.journal import Journal
from stagebook.journal.tick_table import ScheduleKey, Tick
from stagebook.pipeline.model import Schedule
from stagebook.scheduling.starting import MARK
from stagebook.system.processes import marked
from stagebook.timing.due import CATCH_UP, CatchUp
from stagebook.timing.times import CronTimes, EveryTimes, Times
from waiting import until

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")
MINUTE = dt.timedelta(minutes=1)
ON_TIME = 60.0


# -- the model ----------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class Model:
    """One schedule: all its firings of the time that is looked at, and what has to be known of it."""

    schedule: Schedule
    firings: list[float]
    policy: CatchUp
    handled: float = 0.0
    open: str = ""  # the run of its claimed tick
    claimed: int = 0
    skipped: int = 0

    def due(self, now: float) -> tuple[float, float | None, tuple[float, float] | None] | None:
        """What a look at a time does: handled then, the firing that is claimed, the stretch that is skipped."""
        if self.open:
            return None
        missed = self.firings[
            bisect.bisect_right(self.firings, self.handled) : bisect.bisect_right(self.firings, now)
        ]
        if not missed:
            return None
        if self.policy == "all":
            return missed[0], missed[0], None
        if self.policy == "skip" and now - missed[-1] > ON_TIME:
            return missed[-1], None, (missed[0], missed[-1])
        return missed[-1], missed[-1], (missed[0], missed[-2]) if len(missed) > 1 else None

    def before(self, due: float) -> float:
        return self.firings[bisect.bisect_left(self.firings, due) - 1]


def by_days(hour: int, minute: int, weekdays: set[int], zone: str, first: dt.date, days: int) -> list[float]:
    """A time of the day, once on each day that is one of the weekdays."""
    place, found = ZoneInfo(zone), []
    for at in range(days):
        day = first + dt.timedelta(days=at)
        local = dt.datetime.combine(day, dt.time(hour, minute))
        while True:
            moment = local.replace(tzinfo=place).astimezone(dt.UTC)
            if moment.astimezone(place).replace(tzinfo=None) == local:
                break
            local += MINUTE  # clocks leave it out
        if day.isoweekday() % 7 in weekdays:
            found.append(moment.timestamp())
    return sorted(set(found))


def by_hours(step: int, minute: int, zone: str, first: dt.date, days: int) -> list[float]:
    """A minute of each so many hours, whenever clocks show it."""
    place = ZoneInfo(zone)
    begin = dt.datetime.combine(first, dt.time(), dt.UTC)
    moments = (begin + at * MINUTE for at in range(days * 1440))
    return [
        it.timestamp()
        for it in moments
        if (local := it.astimezone(place)).minute == minute and local.hour % step == 0
    ]


def make(rng: random.Random, number: int, first: dt.date, days: int) -> Model:
    """A schedule by chance, with its firings by the model's own reckoning."""
    zone = rng.choice(ZONES)
    kind = rng.choice(["day", "day", "day", "week", "weekdays", "hours", "every"])
    hour, minute = (
        rng.randrange(4) if rng.random() < 0.6 else rng.randrange(24),
        rng.choice([0, 5, 15, 30, 59]),
    )
    times: Times
    if kind == "every":
        seconds = rng.choice([5 * 3600, 7 * 3600 + 60, 86_400, 2 * 86_400])
        times = EveryTimes(seconds)
        begin = dt.datetime.combine(first, dt.time(), dt.UTC).timestamp()
        firings = [
            float(at * seconds)
            for at in range(int(begin // seconds), int(begin // seconds) + days * 86400 // seconds)
        ]
    elif kind == "hours":
        step = rng.choice([4, 6, 8, 12])
        times = CronTimes(f"{minute} */{step} * * *", zone)
        firings = by_hours(step, minute, zone, first, days)
    else:
        weekdays = {"day": set(range(7)), "week": {rng.randrange(7)}, "weekdays": {1, 2, 3, 4, 5}}[kind]
        text = "*" if kind == "day" else ",".join(map(str, sorted(weekdays)))
        times = CronTimes(f"{minute} {hour} * * {text}", zone)
        firings = by_days(hour, minute, weekdays, zone, first, days)
    policy = rng.choice(CATCH_UP)
    schedule = Schedule(name=f"p{number}_s", times=times, catch_up=policy, place=f"p{number}")
    return Model(schedule=schedule, firings=firings, policy=policy)


# -- a year against it --------------------------------------------------------------------------


class Year:
    """A simulated time in which everything happens: kills, sleeps, clocks that are set, slow runs."""

    def __init__(self, folder: Path, seed: int, days: int, schedules: int) -> None:
        self.rng = random.Random(seed)
        self.world = World(folder)
        first = dt.date(2026, 1, 1) + dt.timedelta(days=self.rng.randrange(366 if days < 366 else 1))
        begin = dt.datetime.combine(first, dt.time(), dt.UTC) + dt.timedelta(days=9)
        self.world.now = begin.timestamp()
        self.end = self.world.now + days * 86_400
        self.models = [make(self.rng, at, first, days + 40) for at in range(schedules)]
        self.places = [
            self.world.place(*(it.schedule for it in self.models[::2])),
            self.world.place(*(it.schedule for it in self.models[1::2]), environment="prod"),
        ]
        self.of_prod = {id(it) for it in self.models[1::2]}
        self.life = Life(self.world)
        self.kills = self.looks = 0
        self.prefix = f"{seed}/{days}"

    def journal(self, model: Model) -> Journal:
        return self.world.journal("prod" if id(model) in self.of_prod else "dev")

    def key(self, model: Model) -> ScheduleKey:
        name = model.schedule.name
        return ScheduleKey(pipeline=name.partition("_")[0], schedule=name)

    def run(self) -> None:
        """From the first look to the end; then what is left comes to its end."""
        self.life.look(*self.places)
        for model in self.models:
            model.handled = self.world.now
        while self.world.now < self.end:
            self._pass_time()
            self._look()
        self.world.kill = lambda: None
        for model in self.models:  # nothing fires any more
            model.firings = [it for it in model.firings if it <= model.handled]
        for place in self.places:
            table = self.journal_of(place.environment).ticks
            for state in table.states().values():
                table.pause(state, self.world.now, "the test", "", paused=True)
        for _ in range(4):
            self.world.pass_time(200_000)
            self.life = Life(self.world)
            self.life.look(*self.places)

    def journal_of(self, name: str) -> Journal:
        return self.world.journal(name)

    def _pass_time(self) -> None:
        rng, world = self.rng, self.world
        upcoming = [
            it.firings[at]
            for it in self.models
            if (at := bisect.bisect_right(it.firings, world.now)) < len(it.firings)
        ]
        step = max(0.0, min(upcoming, default=self.end) - world.now) + rng.choice([0.0, 0.5, 2.0, 45.0, 61.0])
        jump = 0.0
        chance = rng.random()
        if chance < 0.02:
            step += rng.choice([3_600, 8 * 3_600, 3 * 86_400])  # asleep
        elif chance < 0.04:
            jump = rng.choice([-3_600.0, 3_600.0, -7_200.0, -90.0])
        elif chance < 0.3:
            step = rng.uniform(1.0, 120.0)
        world.pass_time(max(step, 1.0), jump=jump)
        world.delay = rng.choice([0.5, 3.0, 90.0])
        world.seconds = rng.choice([1.0, 60.0, 60.0, 600.0, 9 * 3_600.0])

    def _look(self) -> None:
        self.looks += 1
        dies = self.rng.random() < 0.08
        if dies:
            left = iter(range(self.rng.randrange(1, 40), -1, -1))

            def kill() -> None:
                if next(left, 0) == 0:
                    raise Killed

            self.world.kill = kill
        lived = self.life.look(*self.places)
        self.world.kill = lambda: None
        if not lived:
            self.kills += 1
            self.life = Life(self.world)
        states = {name: self.journal_of(name).ticks.states() for name in ("dev", "prod")}
        open_ = {name: {it.key: it for it in self.journal_of(name).ticks.open()} for name in ("dev", "prod")}
        for model in self.models:
            name = "prod" if id(model) in self.of_prod else "dev"
            key = self.key(model)
            self._compare(model, states[name][key].handled, open_[name].get(key), lived=lived)

    def _compare(self, model: Model, handled: float, tick: Tick | None, *, lived: bool) -> None:
        """What the journal says of a schedule after a look is what the model says of it; where the scheduler was killed in it, or
        what it was before."""
        due = model.due(self.world.now)
        if due is None or (not lived and handled == model.handled):
            assert handled == model.handled, f"{self.prefix}: {model}: {handled} at {self.world.now}"
            if tick is not None:
                assert tick.run == model.open, f"{self.prefix}: {model}"
            elif model.open:
                assert self._is_over(model.open), f"{self.prefix}: {model.open} is done before its end"
                model.open = ""
            if lived and model.open:
                assert not self._is_over(model.open), f"{self.prefix}: {model.open} is over, and not done"
            return
        assert handled == due[0], f"{self.prefix}: {model}: handled {handled}, not {due[0]}"
        latest = self.journal(model).ticks.of(self.key(model), 2)
        model.handled = due[0]
        if due[1] is not None:
            assert tick is not None, f"{self.prefix}: {model}: {due[1]} is not claimed"
            assert tick.interval is not None
            assert (tick.due, tick.interval.end.timestamp()) == (due[1], due[1])
            assert tick.interval.start.timestamp() == model.before(due[1]), f"{self.prefix}: {tick}"
            model.open, model.claimed = tick.run, model.claimed + 1
        if due[2] is not None:
            (skipped,) = [it for it in latest if it.state == "skipped" and it.due == due[2][0]]
            assert skipped.until == due[2][1]
            model.skipped += 1

    def _is_over(self, run: str) -> bool:
        """Whether the journal had its end at the look: processes move only between looks."""
        return any(it.start.run == run and it.code is not None for it in reversed(self.world.processes))

    def check_all(self) -> None:
        """Each firing that was claimed has one run, which began once and came to its end."""
        claimed = []
        for name in ("dev", "prod"):
            journal = self.journal_of(name)
            assert journal.ticks.open() == []
            for model in self.models:
                if (id(model) in self.of_prod) == (name == "prod"):
                    ticks = journal.ticks.of(self.key(model), -1)
                    done = [it for it in ticks if it.state == "done"]
                    assert len(done) == model.claimed, f"{self.prefix}: {model}"
                    assert len({it.due for it in done}) == len(done)
                    assert all(journal.runs.find(it.run) is not None for it in done)
                    claimed += [it.run for it in done]
        assert sorted(claimed) == sorted(self.world.begun), self.prefix
        assert len(set(claimed)) == len(claimed)
        assert self.world.refused_twice == []


@pytest.mark.long
def test_a_year_of_fifty_schedules_is_as_the_model_has_it(tmp_path: Path) -> None:
    year = Year(tmp_path, int(SEED), days=amount(12, 366), schedules=amount(20, 50))
    with contextlib.closing(year.world):
        year.run()
        year.check_all()
    figure(
        "schedules: simulated days, with looks and kills",
        f"{amount(12, 366)}, {year.looks:,}, {year.kills:,}",
    )
    figure("schedules: runs that were claimed, each begun once", f"{len(year.world.begun):,}")
    figure("schedules: stretches that a policy skipped", f"{sum(it.skipped for it in year.models):,}")
    figure("schedules: differences from the model", 0)


# -- a real one ---------------------------------------------------------------------------------


@pytest.fixture
def scheduled(tmp_path: Path) -> Iterator[ProjectBuilder]:
    builder = ProjectBuilder(tmp_path)
    builder.without_tracking()
    builder.notebook("a", "1")
    builder.pipeline("""
    schedules:
      each: {every: 20s, catch_up: all}
      last: {every: 3s}
    stages: {a: {notebook: notebooks/a.ipynb}}
    """)
    builder.pipeline("schedules: {other: {every: 2s}}\nstages: {a: {notebook: notebooks/a.ipynb}}", name="q")
    yield builder
    builder.close()
    for process in psutil.process_iter():  # what is left of this project alone
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) and process.cwd() == str(tmp_path):
                process.kill()


@pytest.mark.long
def test_a_scheduler_that_is_killed_fires_each_once(scheduled: ProjectBuilder) -> None:
    """Real schedulers and real runs. A run may be killed with nobody to wait for it: what counts is that it began once."""
    rng, root, kills = random.Random(int(SEED)), scheduled.root, amount(4, 200)
    who = root / ".stagebook" / "scheduler.json"
    for _ in range(kills):
        process = start(root, "scheduler", "--jobs=2", env=environment())
        pid = str(process.pid)
        until(lambda pid=pid: who.is_file() and pid in who.read_text(), 30, "it does not lead")
        time.sleep(rng.uniform(0.0, 4.0))  # the moment of its death is what is random here
        process.send_signal(signal.SIGKILL)
        process.wait()
    path = root / ".stagebook" / "journal.db"
    process = start(root, "scheduler", "--jobs=2", env=environment())
    try:
        # Before it leads it does not hear that it is to end, and the journal has what the others left.
        until(lambda: str(process.pid) in who.read_text(), 60, "it does not lead")
        with contextlib.closing(Journal(path)) as journal:
            states = until(journal.ticks.states, 30, "no schedule was seen")
            each, last = (ScheduleKey(pipeline="p", schedule=name) for name in ("each", "last"))
            for key, state in states.items():
                journal.ticks.pause(state, time.time(), "test", "", paused=True)
                assert state.rule, key
            until(lambda: not journal.ticks.open(), 120, journal.ticks.open)
            dues = sorted(it.due for it in journal.ticks.of(each, -1))
            assert dues == [dues[0] + 20 * at for at in range(len(dues))] if dues else True, (
                "none is missed, none is twice"
            )
            ticks = [it for key in states for it in journal.ticks.of(key, -1) if it.state != "skipped"]
            assert {it.state for it in ticks} <= {"done"}
            runs = [it.run for it in ticks]
            assert len(set(runs)) == len(runs)
            began = [it.id for it in journal.runs.latest(limit=-1)]
            assert sorted(began) == sorted(runs), "each claimed firing has one run, and no run is without one"
            assert len({it.due for it in journal.ticks.of(last, -1)}) == len(journal.ticks.of(last, -1))
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not any(marked(MARK, run) for run in runs)
    figure("schedules: real schedulers that were killed", kills)
    figure("schedules: runs that they claimed, each begun once", len(runs))


@pytest.mark.long
def test_a_stopped_leader_is_waited_for_and_a_dead_one_replaced(scheduled: ProjectBuilder) -> None:
    root = scheduled.root
    first = start(root, "scheduler", env=environment())
    who = root / ".stagebook" / "scheduler.json"
    until(who.exists, 30, "nobody leads")
    second = start(root, "scheduler", env=environment(), stdout=-1)
    try:
        assert second.stdout is not None
        second.stdout.readline()
        assert f"process {first.pid} on " in second.stdout.readline()
        first.send_signal(signal.SIGKILL)
        first.wait()
        until(lambda: str(second.pid) in who.read_text(), 30, "the second one does not lead")
    finally:
        for process in (first, second):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
        assert second.wait(30) == 0
        assert second.stdout is not None
        second.stdout.close()
