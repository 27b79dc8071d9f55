"""The log of events: all that was appended, in order, and nothing that was altered."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journals import HERE, alive, alter, ended, started
from stagebook.errors import JournalUnreadable
from stagebook.events import Event, RunStarted
from stagebook.journal.journal import Journal
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
        assert [event for _, event in journal.events.of("r")] == kept
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
