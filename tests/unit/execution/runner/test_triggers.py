"""The triggers: what they say, and that what they say early is what they say in the end."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from stagebook.execution.runner.triggers import AFTERMATH, SKIPPED_BECAUSE, Readiness, Upstream, readiness
from stagebook.pipeline.model import Trigger

TRIGGERS: tuple[Trigger, ...] = get_args(Trigger)
GO, WAIT, SKIP, BLOCK = Readiness.GO, Readiness.WAIT, Readiness.SKIP, Readiness.BLOCK


# What each says where all stages before it ended: (good, skipped, failed) → what.
TABLE: dict[Trigger, dict[tuple[int, int, int], Readiness]] = {
    "all_success": {(2, 0, 0): GO, (1, 1, 0): SKIP, (0, 2, 0): SKIP, (1, 0, 1): BLOCK, (0, 1, 1): BLOCK, (0, 0, 2): BLOCK},
    "none_failed": {(2, 0, 0): GO, (1, 1, 0): GO, (0, 2, 0): GO, (1, 0, 1): BLOCK, (0, 1, 1): BLOCK, (0, 0, 2): BLOCK},
    "one_success": {(2, 0, 0): GO, (1, 1, 0): GO, (0, 2, 0): SKIP, (1, 0, 1): GO, (0, 1, 1): BLOCK, (0, 0, 2): BLOCK},
    "all_done": {(2, 0, 0): GO, (1, 1, 0): GO, (0, 2, 0): GO, (1, 0, 1): GO, (0, 1, 1): GO, (0, 0, 2): GO},
    "one_failed": {(2, 0, 0): SKIP, (1, 1, 0): SKIP, (0, 2, 0): SKIP, (1, 0, 1): GO, (0, 1, 1): GO, (0, 0, 2): GO},
    "all_failed": {(2, 0, 0): SKIP, (1, 1, 0): SKIP, (0, 2, 0): SKIP, (1, 0, 1): SKIP, (0, 1, 1): SKIP, (0, 0, 2): GO},
}  # fmt: skip


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_what_a_trigger_says_in_the_end(trigger: Trigger) -> None:
    for (good, skipped, failed), wanted in TABLE[trigger].items():
        assert readiness(trigger, Upstream(good=good, skipped=skipped, failed=failed)) is wanted


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_what_a_trigger_says_early_nothing_that_is_open_changes(trigger: Trigger) -> None:
    for ends in itertools.product(range(3), repeat=4):
        early = readiness(trigger, Upstream(*ends))
        waiting, good, skipped, failed = ends
        if waiting == 0:
            assert early is not Readiness.WAIT
        possible = {
            readiness(trigger, Upstream(0, good + more[0], skipped + more[1], failed + more[2]))
            for more in itertools.product(range(waiting + 1), repeat=3)
            if sum(more) == waiting
        }
        if early is not Readiness.WAIT:
            assert possible == {early}
        else:
            # It waits for what the ends are, and `all_done` for that they are.
            assert len(possible) > 1 or trigger == "all_done"


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_without_stages_before_it_every_trigger_says_something(trigger: Trigger) -> None:
    assert readiness(trigger, Upstream()) in {GO, SKIP}


def test_what_is_skipped_by_a_trigger_can_say_why() -> None:
    skipping = {trigger for trigger, table in TABLE.items() if SKIP in table.values()}
    assert skipping - {"all_success"} == set(SKIPPED_BECAUSE)
    assert {trigger for trigger, table in TABLE.items() if table[0, 0, 2] is GO} == AFTERMATH
