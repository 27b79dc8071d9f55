"""What is seen of schedules is noted where it changed, and becomes incidents."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journals import alter
from scheduled import NOW, World
from stagebook.errors import PipelineInvalid, Problem
from stagebook.events import Event, RunEnded, RunStarted, ScheduleChecked, Status
from stagebook.incidents.incident import Kind
from stagebook.pipeline.model import Schedule
from stagebook.scheduling.noting import Noting
from stagebook.scheduling.places import Place
from stagebook.scheduling.settling import rule_of
from stagebook.timing.expected import Expectations
from stagebook.timing.times import CronTimes
from waiting import until

HOUR = 3_600.0
SIX = NOW + 22 * HOUR  # 2026-01-06 06:00 UTC
INCIDENTS = "[tracking]\nenabled = false\n[incidents]\ndev = true\n"


class Watch:
    """A project with a schedule that expects a run each night, and somebody who looks at it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings(INCIDENTS)
        self.world = World(root)
        self.nightly = Schedule(
            name="nightly", times=CronTimes("0 6 * * *", "UTC"), expect=Expectations(start_within=600.0)
        )
        self.now = SIX
        self.steady = 0.0
        self.noting = self.another()
        journal = self.world.journal(".stagebook")
        (one,) = self.place().scheduled
        journal.ticks.see(one.key, rule_of(one), NOW)

    def settings(self, text: str) -> None:
        (self.root / "stagebook.toml").write_text(text)

    def another(self) -> Noting:
        return Noting(self.root, clock=lambda: self.now, steady=lambda: self.steady)

    def place(self, *schedules: Schedule, **fields: object) -> Place:
        found = self.world.place(*(schedules or (self.nightly,)))
        return dataclasses.replace(found, journal=self.root / ".stagebook/journal.db", **fields)  # type: ignore[arg-type]

    def looks(self, now: float, place: Place | None = None, noting: Noting | None = None) -> list[str]:
        """What is missed at a time."""
        self.now = now
        return [one.kind for one in (noting or self.noting).look(place or self.place())]

    def ran(self, name: str, at: float) -> None:
        """Somebody ran the pipeline by the schedule."""
        journal = self.world.journal(".stagebook")
        (one,) = self.place().scheduled
        journal.ticks.see(one.key, rule_of(one) + " once more", at)  # it was handled
        journal.ticks.see(one.key, rule_of(one), at)
        journal.append(
            [
                RunStarted(run=name, at=at, pipeline="p", plan={"params": {}}),
                RunEnded(run=name, at=at + 1, status=Status.COMPLETED),
            ]
        )

    def pauses(self, *, paused: bool, because: str = "") -> None:
        journal = self.world.journal(".stagebook")
        (one,) = self.place().scheduled
        journal.ticks.pause(journal.ticks.states()[one.key], self.now, "ada", because, paused=paused)

    @property
    def noted(self) -> list[Event]:
        return [event for _, event in self.world.journal(".stagebook").events.of("")]

    def open(self) -> dict[Kind, str]:
        found = self.world.journal(".stagebook").incidents.look(opens=True)
        return {one.kind: one.message for one in found if one.is_open}


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    made = Watch(tmp_path)
    yield made
    made.world.close()


def test_a_schedule_that_waits_for_what_has_mistakes_is_an_incident(watch: Watch) -> None:
    watch.looks(SIX + 700)
    wrong = watch.place(
        scheduled=(),
        problems={
            "p": (Problem(path="pipelines/p.yaml", message="there is no notebook 'notebooks/x.ipynb'"),)
        },
    )
    for later in (800, 830, 860):
        assert watch.looks(SIX + later, wrong) == []
    told = "pipelines/p.yaml: there is no notebook 'notebooks/x.ipynb'"
    assert watch.open()[Kind.INVALID] == told
    assert watch.open()[Kind.LATE].startswith("missing: "), "nobody can say whether it is there by now"
    assert len(watch.noted) == 2
    other = {"": (Problem(path="stagebook.toml", message="not TOML"),)}
    watch.looks(SIX + 900, dataclasses.replace(wrong, problems=other))
    assert watch.open()[Kind.INVALID] == "stagebook.toml: not TOML"
    watch.ran("r1", SIX + 1_000)
    assert watch.looks(SIX + 1_100) == []
    assert watch.open() == {}
    found = watch.world.journal(".stagebook").incidents.look(opens=True)
    (one,) = (it for it in found if it.kind is Kind.INVALID)
    assert (one.opened, one.closed, one.over) == (SIX + 800, SIX + 1_100, "has no mistakes any more")


def test_what_is_paused_waits_for_nothing(watch: Watch) -> None:
    watch.looks(SIX + 60)
    watch.pauses(paused=True)
    watch.looks(SIX + 100)
    wrong = watch.place(scheduled=(), problems={"p": (Problem(path="pipelines/p.yaml", message="bad"),)})
    assert watch.looks(SIX + 200, wrong) == []
    assert list(watch.open()) == [Kind.PAUSED]


def test_only_what_changed_is_noted(watch: Watch) -> None:
    assert watch.looks(SIX + 60) == []
    assert watch.noted == [], "all is as expected, and was"
    for later in (700, 730, 5_000):
        assert watch.looks(SIX + later) == ["missing"]
    message = "no run has begun that was due at 2026-01-06 06:00 UTC; is the scheduler running?"
    miss = {"kind": "missing", "message": message, "since": SIX + 600, "run": "", "due": SIX}
    first = ScheduleChecked(run="", at=SIX + 700, pipeline="p", schedule="nightly", missed=[miss])
    assert watch.noted == [first]
    assert watch.open() == {Kind.LATE: f"missing: {message}"}
    watch.ran("r1", SIX + 6_000)
    assert watch.looks(SIX + 6_030) == watch.looks(SIX + 6_060) == []
    assert watch.noted[1:] == [dataclasses.replace(first, at=SIX + 6_030, missed=[])]
    assert watch.open() == {}


def test_another_one_that_looks_notes_nothing_twice(watch: Watch) -> None:
    other = watch.another()
    for noting in (watch.noting, other, watch.another()):
        assert watch.looks(SIX + 700, noting=noting) == ["missing"]
    assert len(watch.noted) == 1
    watch.ran("r1", SIX + 800)
    watch.looks(SIX + 900, noting=other)
    watch.looks(SIX + 900)
    assert len(watch.noted) == 2
    assert watch.looks(SIX + 24 * HOUR + 700) == ["missing"]
    assert len(watch.noted) == 3, "what the other one noted is known"


def test_an_event_that_is_damaged_keeps_nobody_from_looking(watch: Watch) -> None:
    assert watch.looks(SIX + 700) == ["missing"]
    before = watch.open()
    alter(watch.world.path(".stagebook"), "UPDATE events SET data = '{'")
    other = watch.another()
    assert watch.looks(SIX + 760, noting=other) == watch.looks(SIX + 790, noting=other) == ["missing"]
    assert watch.open() == before
    watch.ran("r1", SIX + 800)
    assert watch.looks(SIX + 830, noting=other) == []
    assert watch.open() == {}, "what was noted once more is known to be over"


def test_who_paused_a_schedule_is_noted_and_who_resumed_it(watch: Watch) -> None:
    watch.pauses(paused=True, because="the source is down")
    assert watch.looks(SIX + 700) == watch.looks(SIX + 730) == []
    assert watch.open() == {Kind.PAUSED: "paused by ada: the source is down"}
    watch.pauses(paused=False)
    assert watch.looks(SIX + 760) == ["missing"]
    assert watch.looks(SIX + 790) == ["missing"]
    assert [(one.paused, one.by) for one in watch.noted if isinstance(one, ScheduleChecked)] == [
        (True, "ada"),
        (False, "ada"),
    ]
    assert list(watch.open()) == [Kind.LATE]


def test_what_its_file_pauses_is_no_incident(watch: Watch) -> None:
    place = watch.place(dataclasses.replace(watch.nightly, paused=True))
    assert watch.looks(SIX + 700, place) == []
    assert watch.noted == []


def test_what_is_gone_is_noted_once_its_pipeline_can_be_read(watch: Watch) -> None:
    watch.looks(SIX + 700)
    none = dataclasses.replace(watch.place(), scheduled=())
    watch.looks(SIX + 730, dataclasses.replace(none, problems={"p": ()}))
    assert list(watch.open()) == [Kind.LATE], "nobody can say which schedules there are"
    watch.looks(SIX + 760, none)
    watch.looks(SIX + 790, none)
    assert watch.open() == {}
    assert [one.gone for one in watch.noted if isinstance(one, ScheduleChecked)] == [False, True]
    watch.looks(SIX + 820)
    assert list(watch.open()) == [Kind.LATE], "and it is back again"


def test_where_no_incidents_are_opened_nothing_is_noted(watch: Watch) -> None:
    watch.settings("[tracking]\nenabled = false\n")
    assert watch.looks(SIX + 700) == ["missing"]
    assert watch.noted == []
    watch.settings(INCIDENTS)
    assert watch.looks(SIX + 730) == ["missing"]
    assert list(watch.open()) == [Kind.LATE], "the settings are read anew"


def test_nothing_is_looked_at_where_nothing_ever_ran(watch: Watch) -> None:
    nowhere = dataclasses.replace(watch.place(), journal=watch.root / "nowhere/journal.db")
    assert watch.looks(SIX + 700, nowhere) == []
    assert not nowhere.journal.exists()


def test_mistakes_in_the_settings_are_told(watch: Watch) -> None:
    watch.settings("[incidents]\ndev = 3\n")
    with pytest.raises(PipelineInvalid, match="dev"):
        watch.looks(SIX + 700)


def test_what_was_noted_by_one_that_was_killed_is_told_by_the_next(watch: Watch) -> None:
    now = time.time()  # what is long ago is not told
    watch.looks(now)
    got, script = watch.root / "got.jsonl", watch.root / "tell.py"
    script.write_text(f"import sys; open({str(got)!r}, 'a').write(sys.stdin.read() + '\\n')")
    rule = f"[notify.ops]\ncommand = ['{sys.executable}', '{script}']\nenvironments = ['dev']\n"
    watch.settings(INCIDENTS + rule)
    watch.world.journal(".stagebook").outbox.taken("alerts", 0)  # killed between the event and the alert
    for later in range(3):
        watch.looks(now + later)
    until(got.exists, 60, "nobody was told")
    sending = watch.noting._sending["dev"]
    assert sending.process.wait(60) == 0
    for later in range(3):
        watch.steady += 100.0
        watch.looks(now + later)
    assert watch.noting._sending["dev"] is sending, "nothing is left to send"
    (told,) = map(json.loads, got.read_text().splitlines())
    assert told["title"] == f"! p/nightly is not as expected ({watch.root.name}, dev)"
    assert told["facts"][0]["incident"]["kind"] == "late"


_steps = st.lists(
    st.tuples(st.sampled_from(["look", "other", "run", "pause", "resume", "gone"]), st.integers(60, 40_000)),
    max_size=10,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_steps)
def test_whatever_happens_each_look_leaves_what_is_wrong_open_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    watch = Watch(tmp_path_factory.mktemp("watch"))
    other = watch.another()
    now, paused = SIX, False
    for number, (step, seconds) in enumerate(steps):
        now += seconds
        watch.now = now
        if step == "run":
            watch.ran(f"r{number}", now)
        elif step in {"pause", "resume"}:
            paused = step == "pause"
            watch.pauses(paused=paused)
        place = dataclasses.replace(watch.place(), scheduled=()) if step == "gone" else watch.place()
        found = watch.looks(now, place, other if step == "other" else watch.noting)
        count = len(watch.noted)
        watch.looks(now, place)
        assert len(watch.noted) == count, "the same is not noted again"
        kinds = set(watch.open())
        if step == "gone":
            assert kinds == set()
        else:
            assert (Kind.PAUSED in kinds) == paused
            assert paused or (Kind.LATE in kinds) == bool(found)
    watch.world.close()
