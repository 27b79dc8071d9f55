"""The log of events: all that was appended, in order, and nothing that was altered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journals import HERE, alive, alter, ended, started
from stagebook.artifact import Artifact
from stagebook.errors import JournalUnreadable
from stagebook.events import AttemptEnded, AttemptStarted, Cause, Event, RunStarted
from stagebook.journal.journal import Journal
from stagebook.observed import Observed
from strategies import any_event


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(any_event, max_size=12))
def test_what_is_appended_is_read_back_in_order(tmp_path: Path, told: list[Event]) -> None:
    path = tmp_path / "j.db"
    path.unlink(missing_ok=True)
    journal = Journal(path)
    try:
        journal.append([event for event in told if not isinstance(event, RunStarted)])
        kept = [event for event in told if not (isinstance(event, RunStarted) or event.transient)]
        assert [event for _, event in journal.events.after(0)] == kept
        for run in ("r", ""):  # some belong to no run
            assert [event for _, event in journal.events.of(run)] == [it for it in kept if it.run == run]
    finally:
        journal.close()
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE events SET data = replace(data, '10.0', '11.0') WHERE seq = 1", "its event 1"),
        ("UPDATE events SET data = x'ff00' WHERE seq = 1", "its event 1"),
        ("UPDATE events SET sum = sum + 1 WHERE seq = 2", "its event 2"),
        ("UPDATE events SET run = 'r' WHERE seq = 4", "its event 4"),
        ("UPDATE events SET seq = 9 WHERE seq = 3", "its event 9"),
        ("UPDATE runs SET status = 'completed' WHERE id = 'r'", "the run r"),
        ("UPDATE runs SET status = 'dunno' WHERE id = 'r'", "the run r"),
        ("UPDATE runs SET params = '{' WHERE id = 'r'", "the run r"),
        ("UPDATE runs SET id = 'q' WHERE id = 'r'", "the run q"),
    ],
)
def test_what_is_not_as_it_was_written_is_told(journal: Journal, change: str, told: str) -> None:
    journal.begin(started(), HERE, alive)
    journal.append([ended("a", "one"), ended("b", "two")], owner="r")
    journal.begin(started("other", pipeline="q"), HERE, alive)
    alter(journal.path, change)
    with pytest.raises(JournalUnreadable, match=f"is damaged: {told} is not as it was written") as caught:
        _ = [journal.events.of(record.id) for record in journal.runs.latest()]
    assert "doctor --repair" in caught.value.hint
    assert sum(damaged for _, damaged in journal.count_damaged().values()) == 1
    assert journal.events.durations("p").keys() <= {"a", "b"}


def attempt(stage: str, seconds: float, run: str = "r", **values: Any) -> AttemptEnded:
    return AttemptEnded(run=run, at=11.0, stage=stage, attempt=1, seconds=seconds, **values)


def test_a_reader_goes_on_after_the_last_event_that_it_has(journal: Journal) -> None:
    journal.append([started("r"), attempt("a", 1.0)])
    journal.append([started("other", pipeline="q"), attempt("b", 2.0, run="other")])
    known = journal.events.of("r")
    numbers = [number for number, _ in known]
    assert numbers == sorted(set(numbers))
    assert journal.events.of("r", after=numbers[0]) == known[1:]
    assert journal.events.of("r", after=numbers[-1]) == []
    journal.append([attempt("b", 3.0, run="other"), attempt("c", 4.0)])
    assert [event for _, event in journal.events.of("r", after=numbers[-1])] == [attempt("c", 4.0)]


def test_the_expected_time_is_the_median_of_the_latest_runs_that_completed(journal: Journal) -> None:
    for at, seconds in enumerate([1000.0, 1.0, 2.0, 40.0]):
        run = f"r{at}"
        journal.append([started(run, at=float(at)), attempt("a", seconds, run)])
        journal.append([attempt("a", 500.0, run, cause=Cause.EXCEPTION), attempt("b", seconds, run)])
    journal.append([started("q0", "q"), attempt("a", 7.0, "q0")])
    assert journal.events.durations("p", runs=3) == {"a": 2.0, "b": 2.0}
    assert journal.events.durations("p", runs=2) == {"a": 21.0, "b": 21.0}
    assert journal.events.durations("q") == {"a": 7.0}
    assert journal.events.durations("unknown") == {}


def test_what_was_observed_is_that_of_the_last_attempt_that_completed(journal: Journal) -> None:
    one, two = Observed(reads=("one",)), Observed(reads=("two",))
    journal.append(
        [started("r1"), attempt("a", 1.0, "r1", observed=one), attempt("b", 1.0, "r1", observed=one)]
    )
    journal.append([started("r2"), attempt("a", 1.0, "r2", observed=two), attempt("b", 1.0, "r2")])
    journal.append([attempt("a", 1.0, "r2", observed=one, cause=Cause.EXCEPTION)])
    assert journal.events.observations("p") == {"a": two, "b": None}
    journal.append([started("r3"), started("q1", "q"), attempt("a", 1.0, "q1", observed=one)])
    assert journal.events.observations("p", runs=2) == {"a": two, "b": None}
    assert journal.events.observations("p", runs=1) == {}
    assert journal.events.observations("q") == {"a": one}


def test_the_runs_that_left_kernels_are_found_the_latest_first(journal: Journal) -> None:
    kernel = {"pid": 1, "connection_file": "k.json"}
    journal.append([started("one"), started("two", "q"), started("three", "s")])
    journal.append([attempt("a", 1.0, "two", kernel=kernel), attempt("a", 1.0, "three")])
    journal.append([attempt("a", 1.0, "one", kernel=kernel), attempt("b", 1.0, "two", kernel=None)])
    assert journal.events.runs_with_kernels() == ["one", "two"]


def test_the_events_of_all_runs_are_read_from_a_number_on(journal: Journal) -> None:
    assert (journal.events.last_number(), journal.events.after(0)) == (0, [])
    journal.append([started("one"), started("two"), begun("two", "a"), begun("one", "a"), begun("one", "b")])
    assert journal.events.last_number() == 5
    assert [(seq, event.run) for seq, event in journal.events.after(2)] == [
        (3, "two"),
        (4, "one"),
        (5, "one"),
    ]
    assert [seq for seq, _ in journal.events.of("one", limit=2)] == [1, 4]
    assert journal.events.last_runs("p") == {"a": "one", "b": "one"}
    assert journal.events.last_runs("p", until=3) == {"a": "two"}


def begun(run: str, stage: str) -> AttemptStarted:
    return AttemptStarted(run=run, at=11.0, stage=stage, attempt=1, folder="f")


def test_what_was_observed_comes_with_what_was_declared_then(journal: Journal) -> None:
    def artifact(path: str) -> Artifact:
        return Artifact(path=path, size=1, sha256="0" * 64)

    event = attempt(
        "a",
        1.0,
        "r1",
        observed=Observed(reads=("x/1",)),
        inputs={"x": [artifact("x/1"), artifact("x/2")]},
        outputs={"o": artifact("y")},
    )
    journal.append([started("r1"), event])
    found = Observed(reads=("x/1",), inputs=("x/1", "x/2"), outputs=("y",))
    assert journal.events.observations("p") == {"a": found}
