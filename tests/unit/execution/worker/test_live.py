"""What a stage tells while it runs: enough to follow it, never more than bearable."""

from __future__ import annotations

from typing import Any

import pytest

from stagebook.execution.worker import live as module
from stagebook.execution.worker.live import OUTPUT_EVERY, PROGRESS_EVERY, TAIL, Live
from stagebook.execution.worker.profile import FROZEN_AFTER, Usage


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def told(clock: Clock) -> list[dict[str, Any]]:
    return []


@pytest.fixture
def live(told: list[dict[str, Any]]) -> Live:
    return Live(told.append, 4)


def test_a_flood_of_output_becomes_few_events_that_count_all_of_it(
    live: Live, told: list[dict[str, Any]], clock: Clock
) -> None:
    for at in range(10_000):
        live.heard(1, f"line {at}\n")
        clock.now += OUTPUT_EVERY / 1_000
    live.flush()
    assert len(told) <= 12
    assert sum(event["size"] for event in told) == sum(len(f"line {at}\n") for at in range(10_000))
    assert all(len(event["text"]) <= TAIL for event in told)
    assert told[-1]["text"].endswith("line 9999\n")


def test_what_was_held_back_is_told_when_time_goes_by(
    live: Live, told: list[dict[str, Any]], clock: Clock
) -> None:
    live.heard(1, "first")
    live.heard(1, "second")
    clock.now += OUTPUT_EVERY
    live.tick(1, Usage(), 0.0)
    assert [event["text"] for event in told] == ["first", "second"]


def test_signs_of_life_come_every_few_seconds(live: Live, told: list[dict[str, Any]], clock: Clock) -> None:
    for _ in range(40):
        clock.now += PROGRESS_EVERY / 10
        live.tick(2, Usage(cpu=1.5, memory=7), 0.0)
    assert [event["kind"] for event in told] == ["progress"] * 4
    assert told[-1] == {"kind": "progress", "cell": 2, "cells": 4, "seconds": 20.0, "cpu": 1.5, "memory": 7}


def test_a_frozen_process_gives_no_sign_of_life_until_it_goes_on(
    live: Live, told: list[dict[str, Any]], clock: Clock
) -> None:
    for step in range(12):
        live.tick(3, Usage(), FROZEN_AFTER + step)
        clock.now += 1.0
    live.tick(3, Usage(), 0.0)
    assert [event["kind"] for event in told] == ["frozen", "frozen", "frozen", "progress"]
    assert [event["seconds"] for event in told[:3]] == [FROZEN_AFTER, FROZEN_AFTER + 5, FROZEN_AFTER + 10]
