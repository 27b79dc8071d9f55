"""What the events of a run add up to."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.events import Event, RunEnded, Status
from stagebook.journal.history import RunHistory
from strategies import any_event


@settings(max_examples=200, deadline=None)
@given(told=st.lists(any_event, max_size=20))
def test_any_prefix_of_events_makes_a_history(told: list[Event]) -> None:
    history = RunHistory()
    for event in told:
        history.take(event)
        assert all(isinstance(record.status, Status) for record in history.stages.values())
        if history.ended:
            last = history.stages.values()
            assert isinstance(event, RunEnded) is False or all(record.status.is_final for record in last)
