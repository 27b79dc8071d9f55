"""What a scheduler does at each look: claims once, starts once, and lets nothing be lost."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduled import NOW, Killed, Life, World
from stagebook.errors import ConnectionUnusable, Problem
from stagebook.events import Status
from stagebook.journal.journal import Journal
from stagebook.journal.repair import mend
from stagebook.journal.tick_table import ScheduleKey, Tick
from stagebook.pipeline.model import Schedule
from stagebook.scheduling.places import Place
from stagebook.timing.times import CronTimes, EveryTimes

MINUTE = EveryTimes(60)
KEY = ScheduleKey(pipeline="p", schedule="often")


def often(**more: Any) -> Schedule:
    return Schedule(**{"name": "often", "times": MINUTE, "place": "pipelines/p.yaml:2", **more})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def ticks(world: World, environment: str = "dev", key: ScheduleKey = KEY) -> list[tuple[float, str, str]]:
    """The ticks of a schedule in order: seconds since the beginning, kind, state."""
    found = reversed(world.journal(environment).ticks.of(key, 1_000))
    return [(one.due - NOW, one.kind, one.state) for one in found]


def run(life: Life, seconds: float, *places: Place, every: float = 2.0) -> None:
    for _ in range(int(seconds / every)):
        life.look(*places)
        life.world.pass_time(every)
    life.look(*places)


def test_it_fires_from_the_moment_at_which_it_is_first_seen(world: World) -> None:
    world.pass_time(30)
    place = world.place(often())
    run(Life(world), 150, place)
    assert ticks(world) == [(60, "time", "done"), (120, "time", "done"), (180, "time", "claimed")]
    assert len(world.begun) == 2, "the third is about to begin"
    found = world.journal().intervals.of_pipeline("p")
    assert [one.name for one in found] == ["2026-01-05T0800", "2026-01-05T0801"]
    assert {one.schedule for one in found} == {"often"}


def test_each_firing_is_told_with_its_run(world: World) -> None:
    run(Life(world), 90, world.place(often()))
    (name,) = world.begun
    assert world.lines == [f"p/often: run {name} for 2026-01-05T0800", f"p/often: run {name} completed"]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("latest", [(60, "skipped"), (600, "done")]),
        ("skip", [(60, "skipped")]),
        ("all", [(at, "done") for at in range(60, 601, 60)]),
    ],
)
def test_what_was_missed_goes_by_the_policy(
    world: World, policy: str, expected: list[tuple[int, str]]
) -> None:
    # A firing is due each minute for ten, then none for hours: nothing on time hides what was missed.
    place = world.place(often(times=CronTimes("1-10 8 * * *", "UTC"), catch_up=policy))
    Life(world).look(place)
    world.pass_time(3600)
    run(Life(world), 240, place)
    assert [(due, state) for due, _, state in ticks(world)] == expected
    assert len(world.begun) == sum(state == "done" for _, state in expected)
    if policy == "latest":
        skipped = world.journal().ticks.of(KEY)[-1]
        assert (skipped.until - NOW, skipped.reason) == (540, "missed, and catch_up is latest")


@pytest.mark.parametrize("at", range(12))
def test_killed_anywhere_it_fires_once(world: World, at: int) -> None:
    place = world.place(often())
    Life(world).look(place)
    world.pass_time(60)
    left = itertools.count(at, -1)

    def kill() -> None:
        if next(left) == 0:
            raise Killed

    world.kill = kill
    Life(world).look(place)
    world.kill = lambda: None
    run(Life(world), 30, place)
    assert [(due, state) for due, _, state in ticks(world)] == [(60, "done")]
    assert len(world.begun) == 1
    assert world.refused_twice == []


def test_two_of_them_claim_once(world: World) -> None:
    place = world.place(often())
    one, other = Life(world), Life(world)
    for _ in range(100):
        one.look(place)
        other.look(place)
        world.pass_time(2)
    assert [(due, state) for due, _, state in ticks(world)] == [(60, "done"), (120, "done"), (180, "done")]
    assert len(world.begun) == 3


def test_a_claim_that_somebody_was_faster_with_is_none(world: World) -> None:
    table = world.journal().ticks
    state = table.see(KEY, "every 1m", NOW)
    tick = Tick(key=KEY, due=NOW + 60, at=NOW + 60)
    ids = itertools.count()
    assert table.settle(state, NOW + 60, [tick], choose=lambda: f"r{next(ids)}") is not None
    assert table.settle(state, NOW + 60, [tick], choose=lambda: f"r{next(ids)}") is None
    assert [one.run for one in table.open()] == ["r0"]


def test_a_clock_that_is_set_back_fires_nothing_again(world: World) -> None:
    place, life = world.place(often(catch_up="all")), Life(world)
    run(life, 200, place)
    before = ticks(world)
    world.pass_time(0, jump=-3600)
    run(life, 1800, place, every=10)
    assert [it[:2] for it in ticks(world)] == [it[:2] for it in before]
    world.pass_time(0, jump=1700)
    run(life, 600, place)
    dues = [due for due, _, _ in ticks(world)]
    assert dues == [60.0 * (at + 1) for at in range(len(dues))]
    assert len(dues) > len(before)


def test_a_run_that_goes_on_lets_others_be_missed(world: World) -> None:
    world.seconds = 200
    run(Life(world), 400, world.place(often()))
    assert [(due, state) for due, _, state in ticks(world)] == [
        (60, "done"),
        (120, "skipped"),
        (240, "claimed"),
    ]


def test_a_new_rule_begins_now(world: World) -> None:
    life = Life(world)
    life.look(world.place(often(times=CronTimes("0 6 * * *", "UTC"))))
    world.pass_time(4 * 3600)
    life.look(world.place(often(times=CronTimes("0 10 * * *", "UTC"))))  # 12:00: not owed
    assert ticks(world) == []
    life.look(world.place())  # it is gone for a while
    world.pass_time(24 * 3600)
    life.look(world.place(often(times=CronTimes("0 10 * * *", "UTC"))))
    assert ticks(world) == []
    world.pass_time(22 * 3600)
    life.look(world.place(often(times=CronTimes("0 10 * * *", "UTC"))))
    assert [state for _, _, state in ticks(world)] == ["claimed"]


def test_what_is_paused_waits_and_goes_by_its_policy_then(world: World) -> None:
    place, life = world.place(often()), Life(world)
    life.look(place)
    table = world.journal().ticks
    table.pause(table.states()[KEY], world.now, "ann", "the source is down", paused=True)
    run(life, 300, place, every=10)
    assert ticks(world) == []
    table.pause(table.states()[KEY], world.now, "ann", "", paused=False)
    run(life, 30, place)
    assert [(due, state) for due, _, state in ticks(world)] == [(60, "skipped"), (300, "done")]
    assert [(it.action, it.by, it.because) for it in table.log(KEY)] == [
        ("resume", "ann", ""),
        ("pause", "ann", "the source is down"),
    ]


def test_one_that_is_declared_paused_fires_once_it_is_resumed(world: World) -> None:
    place, life = world.place(often(paused=True)), Life(world)
    run(life, 120, place)
    assert ticks(world) == []
    table = world.journal().ticks
    table.pause(table.states()[KEY], world.now, "ann", "", paused=False)
    run(life, 20, place)
    assert ticks(world)[-1] == (120, "time", "done")


def test_a_run_that_cannot_begin_is_tried_again_and_told_once(world: World) -> None:
    world.refusal = lambda _start: "✗ 1 problem, nothing was started"
    place, life = world.place(often(times=CronTimes("1 8 * * *", "UTC"))), Life(world)
    run(life, 300, place, every=5)
    assert [state for _, _, state in ticks(world)] == ["claimed"]
    told = [line for line in world.lines if "could not begin" in line]
    assert told == ["! p/often could not begin, and waits:\n✗ 1 problem, nothing was started"]
    assert 3 <= len(world.processes) <= 5, "with longer and longer waits"
    world.refusal = lambda _start: ""
    run(life, 700, place, every=5)
    assert [state for _, _, state in ticks(world)] == ["done"]
    assert len(set(world.begun)) == len(world.begun) == 1
    assert {one.start.run for one in world.processes} == set(world.begun), "with the same id"


@pytest.mark.parametrize("policy", ["latest", "skip", "all"])
def test_one_that_never_began_gives_way_as_its_policy_says(world: World, policy: str) -> None:
    world.refusal = lambda _start: "no"
    place, life = world.place(often(catch_up=policy)), Life(world)
    run(life, 250, place, every=5)
    world.refusal = lambda _start: ""
    run(life, 700, place, every=5)
    states = [state for _, _, state in ticks(world)]
    assert len(world.begun) == states.count("done") + states.count("claimed")
    if policy == "all":
        assert "skipped" not in states
        assert [due for due, _, _ in ticks(world)][:4] == [60, 120, 180, 240]
    else:
        assert states.count("skipped") >= 3
        reasons = [it.reason for it in world.journal().ticks.of(KEY, 100) if it.state == "skipped"]
        assert "could not begin: no" in reasons


def test_a_run_that_cannot_begin_is_given_up_once_its_schedule_is_gone(world: World) -> None:
    world.refusal = lambda _start: "there is no pipeline 'p'"
    life = Life(world)
    run(life, 70, world.place(often()))
    assert [state for _, _, state in ticks(world)] == ["claimed"]
    run(life, 20, world.place())
    assert [state for _, _, state in ticks(world)] == ["skipped"]
    assert world.journal().ticks.of(KEY)[0].reason == "could not begin: there is no pipeline 'p'"


def test_a_pipeline_with_mistakes_waits_alone(world: World) -> None:
    life = Life(world)
    one, other = often(name="p_often"), often(name="q_often")
    life.look(world.place(one, other))
    place = world.place(other)
    broken = Place(
        environment="dev",
        journal=place.journal,
        scheduled=place.scheduled,
        problems={"p": (Problem(path="pipelines/p.yaml", message="cannot be read"),)},
    )
    run(life, 200, broken)
    states = world.journal().ticks.states()
    assert {str(key): bool(state.rule) for key, state in states.items()} == {
        "p/p_often": True,
        "q/q_often": True,
    }
    assert [
        it.key.pipeline for it in world.journal().ticks.of(ScheduleKey(pipeline="p", schedule="p_often"))
    ] == []
    assert world.lines[0] == "! p in dev: schedules wait\npipelines/p.yaml: cannot be read"
    assert sum("schedules wait" in line for line in world.lines) == 1
    run(life, 30, world.place(one, other))
    assert "p in dev: schedules go on" in world.lines
    mended = ticks(world, key=ScheduleKey(pipeline="p", schedule="p_often"))
    assert [state for _, _, state in mended] == ["skipped", "done"], "what it missed goes by its policy"


def test_jobs_bound_all_runs_together(world: World) -> None:
    world.seconds = 30
    places = [
        world.place(*(often(name=f"{name}_x") for name in "abcdefgh")),
        world.place(*(often(name=f"{name}_x") for name in "abcdefgh"), environment="prod"),
    ]
    life = Life(world, jobs=4)
    most = 0
    for _ in range(400):
        life.look(*places)
        at_once = [one for one in world.processes if one.code is None]
        most = max(most, sum(one.start.request.jobs or 0 for one in at_once))
        world.pass_time(1)
    assert 3 <= most <= 4
    assert len(world.begun) >= 16
    assert {one.start.environment for one in world.processes} == {"dev", "prod"}


def test_a_run_is_asked_for_with_all_that_the_schedule_says(world: World) -> None:
    place = world.place(often(params={"days": 1}, interval="hour", env="prod"), environment="prod")
    life = Life(world, jobs=1)
    run(life, 70, place)
    (start,) = life.starter.started
    asked = start.request
    assert (asked.pipeline, asked.values, asked.jobs, asked.wait) == ("p", {"days": 1}, 1, True)
    assert (asked.schedule, asked.run_id, start.environment) == ("often", start.run, "prod")
    assert asked.interval == "2026-01-05T07:00:00+00:00..2026-01-05T08:00:00+00:00[UTC]"


def test_news_fire_once_each(world: World) -> None:
    seen = {"a.b.c": "1"}

    def mark(_one: object) -> str:
        return json.dumps(seen)

    place = world.place(often(times=None, on=("a.b.c",)))
    life = Life(world, mark=mark)
    run(life, 20, place)
    assert ticks(world) == [], "what is there when it is first seen is no news"
    seen["a.b.c"] = "2"
    run(life, 20, place)
    run(Life(world, mark=mark), 20, place)
    assert [(kind, state) for _, kind, state in ticks(world)] == [("news", "done")]
    del seen["a.b.c"]
    run(life, 20, place)
    seen["a.b.c"] = "2"
    run(life, 20, place)
    assert len(ticks(world)) == 1, "what went and came back is no news"
    seen |= {"a.b.c": "1", "x": "1"}
    run(life, 20, place)
    assert len(ticks(world)) == 2
    first, second = world.journal().intervals.of_pipeline("p")
    assert first.interval is not None
    assert second.interval is not None
    assert first.interval.end == second.interval.start


def test_a_source_that_does_not_answer_is_told_once_and_asked_again(world: World) -> None:
    answers = ["{}", None, None, '{"f.csv": "1"}']

    def mark(_one: object) -> str:
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if found is None:
            raise ConnectionUnusable("the connection 'incoming' did not answer within 20 s")
        return found

    run(Life(world, mark=mark), 40, world.place(often(times=None, files="incoming:*.csv")))
    assert [kind for _, kind, _ in ticks(world)] == ["news"]
    assert sum("did not answer" in line for line in world.lines) == 1


def test_a_run_whose_process_vanished_is_over_and_fires_no_more(world: World) -> None:
    world.seconds = 1e9
    place, life = world.place(often(times=CronTimes("1 8 * * *", "UTC"))), Life(world)
    run(life, 70, place)
    world.processes[0].code = -9  # its owner in the journal is process 1 of another host: dead to the look
    run(life, 20, place)
    record = world.journal().runs.find(world.begun[0])
    assert record is not None
    assert record.status in {Status.INTERRUPTED, Status.RUNNING}
    assert len(world.processes) == 1


def test_a_damaged_journal_is_told_and_holds_up_nobody_else(world: World) -> None:
    life = Life(world)
    good, bad = world.place(often(name="a_x")), world.place(often(name="b_x"), environment="prod")
    bad.journal.parent.mkdir(parents=True)
    bad.journal.write_bytes(b"no journal at all" * 300)
    run(life, 70, good, bad)
    assert sum(line.startswith("! prod: the journal") for line in world.lines) == 1
    assert len(world.begun) == 1


def test_a_mended_journal_knows_its_schedules(world: World, tmp_path: Path) -> None:
    run(Life(world), 130, world.place(often()))
    before = world.journal().ticks.states(), world.journal().ticks.of(KEY)
    world.journal().close()
    mend(world.path("dev"), NOW)
    mended = Journal(world.path("dev"))
    assert (mended.ticks.states(), mended.ticks.of(KEY)) == before
    mended.close()
