"""Events: what one version wrote, another one reads."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.event_reading import KINDS, from_json
from stagebook.events import Event, RunEnded, Status
from strategies import EVENTS, any_event


def test_every_kind_of_event_is_tried() -> None:
    assert set(EVENTS) == set(KINDS)


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


@settings(max_examples=200, deadline=None)
@given(event=any_event, data=st.data())
def test_fields_that_an_older_version_did_not_write_take_their_defaults(
    event: Event, data: st.DataObject
) -> None:
    fields = dataclasses.fields(event)
    optional = [field for field in fields if not _is_required(field)]
    absent = data.draw(st.lists(st.sampled_from(optional), unique=True)) if optional else []
    written = event.to_json()
    for field in absent:
        del written[field.name]
    read = from_json(written)
    for field in fields:
        wanted = _default_of(field) if field in absent else getattr(event, field.name)
        assert getattr(read, field.name) == wanted


@settings(max_examples=100, deadline=None)
@given(event=any_event, data=st.data())
def test_an_event_without_a_field_that_it_needs_is_an_error_that_names_its_kind(
    event: Event, data: st.DataObject
) -> None:
    needed = [field.name for field in dataclasses.fields(event) if _is_required(field)]
    written = event.to_json()
    del written[data.draw(st.sampled_from(needed))]
    with pytest.raises(ValueError, match=type(event).__name__):
        from_json(written)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _default_of(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


@pytest.mark.parametrize(
    "change",
    [{"type": "StageEnded", "status": "exploded"}, {"type": "AttemptEnded", "cause": "boredom"},
     {"type": "CellEnded", "status": "reused"}, {"type": "AttemptEnded", "outputs": {"out": {"size": 1}}},
     {"type": "AttemptEnded", "inputs": {"src": [{"size": 1}]}}],
)  # fmt: skip
def test_words_and_artifacts_that_are_none_are_refused(change: dict[str, Any]) -> None:
    whole = {"run": "r", "at": 1, "stage": "a", "attempt": 1, "seconds": 1, "cell": 1, "cells": 1}
    with pytest.raises(ValueError, match=r"exploded|boredom|reused|not an artifact"):
        from_json({**whole, **change})


def test_stages_build_only_on_what_cannot_change_any_more() -> None:
    assert {status for status in Status if not status.is_final} == {
        Status.PENDING, Status.RUNNING, Status.RETRYING,
    }  # fmt: skip
    assert {status for status in Status if status.is_good} == {
        Status.COMPLETED, Status.REUSED, Status.SKIPPED,
    }  # fmt: skip
