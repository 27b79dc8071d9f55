"""Events: what one version wrote, another one reads."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook import events
from stagebook.events import Event, RunEnded, Status, from_json
from strategies import EVENTS, any_event


def test_every_kind_of_event_is_tried() -> None:
    assert set(EVENTS) == set(events.KINDS)


@settings(max_examples=300, deadline=None)
@given(event=any_event)
def test_events_survive_json(event: Event) -> None:
    assert from_json(json.loads(json.dumps(event.to_json()))) == event


@given(extra=st.dictionaries(st.text(min_size=6), st.integers(), max_size=3))
def test_fields_of_a_newer_version_are_ignored(extra: dict[str, int]) -> None:
    event = RunEnded(run="r", at=1.0, status=Status.COMPLETED)
    assert from_json({**extra, **event.to_json(), "v": 99}) == event


def test_an_unknown_event_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match="unknown event type 'Nope'"):
        from_json({"type": "Nope"})
    with pytest.raises(ValueError, match="RunEnded"):
        from_json({"type": "RunEnded", "run": "r"})
