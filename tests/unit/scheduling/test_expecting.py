"""What was expected and is not so: missing, late, long, overdue, unusual."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from scheduled import NOW, World
from stagebook.events import RunEnded, RunStarted, StageMeasured, Status
from stagebook.figures import TableFigures
from stagebook.journal.tick_table import Tick
from stagebook.pipeline.model import Schedule
from stagebook.scheduling.expecting import Missed, missed_in
from stagebook.scheduling.places import Place
from stagebook.scheduling.settling import rule_of
from stagebook.timing.expected import Expectations, read_clock
from stagebook.timing.interval import Interval
from stagebook.timing.times import CronTimes
from stagebook.timing.zones import at as moment_at
from stagebook.workspace.settings import MonitorSettings

DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0
SIX = NOW + 22 * HOUR  # 2026-01-06 06:00 UTC


def day_before(due: float) -> Interval:
    """The day that a firing is about."""
    return Interval(start=moment_at(due - 30 * HOUR), end=moment_at(due - 6 * HOUR))


class Night:
    """A schedule at six in the morning, of which this and that is expected."""

    def __init__(self, folder: Path, **expect: object) -> None:
        self.world = World(folder)
        self.schedule = Schedule(
            name="nightly",
            times=CronTimes("0 6 * * *", "UTC"),
            expect=Expectations(**expect),  # type: ignore[arg-type]
        )
        self.count = 0

    @property
    def place(self) -> Place:
        return self.world.place(self.schedule)

    def seen(self, handled: float = NOW) -> None:
        """A scheduler has handled everything up to a time."""
        (one,) = self.place.scheduled
        self.world.journal().ticks.see(one.key, rule_of(one), handled)

    def fired(self, due: float) -> str:
        """It fired, and the run is chosen."""
        (one,) = self.place.scheduled
        table, self.count = self.world.journal().ticks, self.count + 1
        run = f"run-{self.count}"
        state = table.states()[one.key]
        tick = Tick(key=one.key, due=due, at=due, interval=day_before(due))
        (made,) = table.settle(state, due, [tick], choose=lambda: run) or ()
        table.finish(made)
        return run

    def ran(
        self,
        run: str,
        at: float,
        seconds: float | None,
        status: Status = Status.COMPLETED,
        *,
        about: Interval | None = None,
    ) -> None:
        """A run began, about an interval or about none, and ended unless it goes on."""
        journal = self.world.journal()
        interval = about.to_json() if about is not None else {}
        journal.append([RunStarted(run=run, at=at, pipeline="p", plan={"params": {}}, interval=interval)])
        if seconds is not None:
            journal.append([RunEnded(run=run, at=at + seconds, status=status)])

    def missed(self, now: float) -> list[Missed]:
        return list(missed_in(self.place, MonitorSettings(), now))

    def kinds(self, now: float) -> list[str]:
        return [one.kind for one in self.missed(now)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_a_run_that_did_not_begin_is_missing(folder: Path) -> None:
    night = Night(folder, start_within=10 * MINUTE)
    night.seen()
    assert night.kinds(SIX + 9 * MINUTE) == []
    (one,) = night.missed(SIX + 11 * MINUTE)
    assert (one.kind, one.since, one.due) == ("missing", SIX + 10 * MINUTE, SIX)
    assert str(one) == (
        "p/nightly is missing: no run has begun that was due at 2026-01-06 06:00 UTC; is the scheduler running?"
    )
    run = night.fired(SIX)
    assert night.kinds(SIX + 11 * MINUTE) == ["missing"], "chosen is not begun"
    night.ran(run, SIX + 12 * MINUTE, None)
    assert night.kinds(SIX + 13 * MINUTE) == []


def test_a_run_that_has_not_completed_by_then_is_late(folder: Path) -> None:
    night = Night(folder, end_by=read_clock("07:00"))
    night.seen()
    assert night.kinds(SIX + 59 * MINUTE) == []
    assert night.kinds(SIX + 61 * MINUTE) == ["missing"]
    run = night.fired(SIX)
    night.ran(run, SIX, None)
    (one,) = night.missed(SIX + 61 * MINUTE)
    assert (one.kind, one.run, one.since) == ("late", run, SIX + HOUR)
    assert (
        one.message
        == "run-1, due at 2026-01-06 06:00 UTC, has not completed by 2026-01-06 07:00 UTC: it is running"
    )
    night.world.journal().append([RunEnded(run=run, at=SIX + 90 * MINUTE, status=Status.COMPLETED)])
    assert night.kinds(SIX + 2 * HOUR) == [], "it is there now"


def test_a_run_that_failed_is_late_until_the_next_one(folder: Path) -> None:
    night = Night(folder, end_by=read_clock("07:00"))
    night.seen()
    night.ran(night.fired(SIX), SIX, MINUTE, Status.FAILED)
    assert night.kinds(SIX + 10 * MINUTE) == []
    assert night.kinds(SIX + 2 * HOUR) == ["late"]
    night.ran(night.fired(SIX + DAY), SIX + DAY, MINUTE)
    assert night.kinds(SIX + DAY + HOUR) == []


def test_a_later_run_about_the_same_interval_makes_it_well(folder: Path) -> None:
    night = Night(folder, end_by=read_clock("07:00"))
    night.seen()
    night.ran(night.fired(SIX), SIX, MINUTE, Status.FAILED, about=day_before(SIX))
    assert night.kinds(SIX + 2 * HOUR) == ["late"]
    night.ran("of-another-day", SIX + 3 * HOUR, MINUTE, about=day_before(SIX - DAY))
    night.ran("fails-as-well", SIX + 4 * HOUR, MINUTE, Status.FAILED, about=day_before(SIX))
    night.ran("about-nothing", SIX + 5 * HOUR, MINUTE)
    assert night.kinds(SIX + 6 * HOUR) == ["late"]
    night.ran("mended", SIX + 7 * HOUR, MINUTE, about=day_before(SIX))
    assert night.kinds(SIX + 8 * HOUR) == []


def test_a_run_that_takes_too_long_is_told_while_it_goes_on(folder: Path) -> None:
    night = Night(folder, usual=2.0, duration=3 * HOUR)
    night.seen()
    for day in range(3):
        night.ran(f"before-{day}", NOW + day * 600, 300 + day)
    night.ran("slow", SIX, None)
    assert night.kinds(SIX + 601) == []
    (one,) = night.missed(SIX + 603)
    assert (one.kind, one.run) == ("long", "slow")
    assert one.message == "slow has been running since 2026-01-06 06:00 UTC; expected are 10m2s at most"
    assert night.missed(SIX + 5_000) == [one], "it is the same as long as it goes on"


def test_what_is_too_long_ago_is_overdue(folder: Path) -> None:
    night = Night(folder, fresh=26 * HOUR)
    night.seen()
    assert night.kinds(NOW + 30 * HOUR) == [], "there was none yet"
    night.ran("good", NOW, HOUR)
    night.ran("bad", NOW + 25 * HOUR, MINUTE, Status.FAILED)
    assert night.kinds(NOW + 27 * HOUR) == []
    (one,) = night.missed(NOW + 28 * HOUR)
    assert (one.kind, one.since) == ("overdue", NOW + 27 * HOUR)
    assert one.message == "no run has completed since 2026-01-05 09:00 UTC; one is expected within 1d2h"
    assert night.missed(NOW + 40 * HOUR) == [one], "it is the same as long as it goes on"


def test_an_unusual_number_of_rows_is_told(folder: Path) -> None:
    night = Night(folder, rows=True)
    night.seen()
    rows = [1000, 1010, 990, 1005, 1000, 1001, 999, 1002, 1003, 20]
    for day, count in enumerate(rows):
        run = f"run-{day}"
        at = NOW + day * HOUR
        night.ran(run, at, None)
        measured = StageMeasured(
            run=run, at=at + 1, stage="a", attempt=1, figures={"out": TableFigures(rows=count, columns={})}
        )
        night.world.journal().append([measured, RunEnded(run=run, at=at + 2, status=Status.COMPLETED)])
        if day == 8:
            assert night.kinds(at + 3) == []
    (one,) = night.missed(NOW + 10 * HOUR)
    assert (one.kind, one.run) == ("rows", "run-9")
    assert one.message.startswith("a.out has 20 rows, usual are ")


def test_what_is_paused_or_was_never_seen_expects_nothing(folder: Path) -> None:
    night = Night(folder, start_within=MINUTE)
    assert night.kinds(SIX + HOUR) == [], "no journal"
    night.seen()
    (one,) = night.place.scheduled
    state = night.world.journal().ticks.states()[one.key]
    night.world.journal().ticks.pause(state, NOW, "ada", "", paused=True)
    assert night.kinds(SIX + HOUR) == []


def test_nothing_expected_nothing_missed(folder: Path) -> None:
    night = Night(folder)
    night.schedule = dataclasses.replace(night.schedule, expect=None)
    night.seen()
    assert night.kinds(SIX + DAY) == []


def test_as_plain_data(folder: Path) -> None:
    night = Night(folder, start_within=MINUTE)
    night.seen()
    (one,) = night.missed(SIX + HOUR)
    assert one.to_json() == {
        "pipeline": "p",
        "schedule": "nightly",
        "environment": "dev",
        "due": SIX,
        "kind": "missing",
        "since": SIX + MINUTE,
        "message": "no run has begun that was due at 2026-01-06 06:00 UTC; is the scheduler running?",
        "run": "",
    }
