"""Schedules and ticks in the journal: what is written together, and what is found of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journals import alter, started
from stagebook.errors import JournalUnreadable
from stagebook.events import RunEnded, Status
from stagebook.journal.journal import Journal
from stagebook.journal.tick_table import ScheduleKey, Tick
from stagebook.timing.reading import parse_interval

KEY = ScheduleKey(pipeline="p", schedule="daily")
OTHER = ScheduleKey(pipeline="p", schedule="hourly")
DAY = parse_interval("2026-01-05", "Europe/Berlin")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.db")
    yield made
    made.close()


def test_a_journal_without_schedules_is_as_it_was(journal: Journal) -> None:
    table = journal.ticks
    assert (table.states(), table.open(), table.of(KEY), table.log(KEY), table.count()) == (
        {},
        [],
        [],
        [],
        {},
    )
    assert set(journal.count_damaged()) == {"events", "results", "runs", "latest results"}


def test_a_schedule_begins_when_it_is_seen_and_anew_with_another_rule(journal: Journal) -> None:
    table = journal.ticks
    first = table.see(KEY, "every 1h", 100.0, "{}")
    assert table.see(KEY, "every 1h", 200.0, "else") == first, "seen again, nothing changes"
    assert (first.handled, first.mark, first.paused) == (100.0, "{}", None)
    assert table.see(KEY, "every 2h", 300.0).handled == 300.0
    assert table.see(KEY, "every 3h", 50.0).handled == 300.0, "a clock that was set back opens nothing"
    table.lose(KEY)
    table.lose(OTHER)
    assert table.states()[KEY].rule == ""
    assert table.see(KEY, "every 3h", 400.0).handled == 400.0


def test_what_is_due_is_claimed_with_the_mark_in_one(journal: Journal) -> None:
    table = journal.ticks
    state = table.see(KEY, "every 1h", 100.0)
    ticks = [
        Tick(key=KEY, due=110.0, until=120.0, state="skipped", at=130.0, reason="missed"),
        Tick(key=KEY, due=130.0, at=130.0, interval=DAY),
    ]
    made = table.settle(state, 130.0, ticks, mark="new", choose=lambda: "r1")
    assert made is not None
    assert [(one.state, one.run) for one in made] == [("skipped", ""), ("claimed", "r1")]
    assert table.open() == [made[1]]
    assert table.open()[0].interval == DAY
    assert (table.states()[KEY].handled, table.states()[KEY].mark) == (130.0, "new")
    table.finish(made[1])
    assert table.open() == []
    assert [one.state for one in table.of(KEY)] == ["done", "skipped"]
    assert table.of(KEY, 1) == table.of(KEY)[:1]
    assert table.of(OTHER) == []


def test_an_id_is_chosen_that_nobody_has(journal: Journal) -> None:
    journal.append([started("r1"), RunEnded(run="r1", at=11.0, status=Status.COMPLETED)])
    ids = iter(["r1", "r2", "r2", "r3"])
    table = journal.ticks
    for due in (10.0, 20.0):
        state = table.states().get(KEY) or table.see(KEY, "every 1h", 1.0)
        table.settle(state, due, [Tick(key=KEY, due=due)], choose=lambda: next(ids))
    assert [one.run for one in table.open()] == ["r2", "r3"]


def test_a_failure_on_the_way_leaves_nothing(journal: Journal) -> None:
    table = journal.ticks
    state = table.see(KEY, "every 1h", 1.0)

    def choose() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        table.settle(state, 9.0, [Tick(key=KEY, due=9.0)], choose=choose)
    assert (table.states()[KEY], table.open()) == (state, [])


def test_people_are_remembered(journal: Journal) -> None:
    table = journal.ticks
    state = table.see(KEY, "every 1h", 1.0)
    table.pause(state, 2.0, "ann", "holidays", paused=True)
    made = table.trigger(Tick(key=KEY, due=3.0, kind="manual", at=3.0), "bob", "", choose=lambda: "r")
    assert table.open() == [made]
    assert table.states()[KEY].paused is True
    table.give_up(made, "the source is gone")
    assert (table.open(), table.of(KEY)[0].reason) == ([], "the source is gone")
    table.pause(state, 4.0, "ann", "", paused=False)
    assert [(it.action, it.by, it.at) for it in table.log(KEY)] == [
        ("resume", "ann", 4.0),
        ("trigger", "bob", 3.0),
        ("pause", "ann", 2.0),
    ]


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE schedules SET handled = handled - 1", "schedules"),
        ("UPDATE ticks SET run = 'other'", "ticks"),
    ],
)
def test_a_damaged_row_is_found_out(journal: Journal, statement: str, table: str) -> None:
    state = journal.ticks.see(KEY, "every 1h", 1.0)
    journal.ticks.settle(state, 9.0, [Tick(key=KEY, due=9.0)], choose=lambda: "r")
    assert journal.count_damaged()[table] == (1, 0)
    alter(journal.path, statement)
    assert journal.count_damaged()[table] == (1, 1)
    with pytest.raises(JournalUnreadable, match="the schedule p/daily"):
        _ = journal.ticks.states(), journal.ticks.open()


_numbers = itertools.count()


@given(
    moves=st.lists(st.tuples(st.sampled_from(["settle", "stale", "finish"]), st.integers(1, 3)), max_size=12)
)
def test_each_moment_is_claimed_once_whoever_asks(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, int]]
) -> None:
    journal = Journal(tmp_path_factory.getbasetemp() / f"ticks-{next(_numbers)}.db")
    journal.relax()
    table = journal.ticks
    state = old = table.see(KEY, "every 1s", 0.0)
    claimed = []
    for move, step in moves:
        if move == "finish":
            for tick in table.open():
                table.finish(tick)
            continue
        asked = state if move == "settle" else old
        due = asked.handled + step
        made = table.settle(asked, due, [Tick(key=KEY, due=due)], choose=lambda: f"r{next(_numbers)}")
        assert (made is None) == (asked != state)
        if made is not None:
            old, state = state, table.states()[KEY]
            claimed.append(due)
    assert claimed == sorted(set(claimed))
    assert [one.due for one in reversed(table.of(KEY, 99))] == claimed
    journal.close()
