"""The runs of a project, found by what a person calls them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeClock
from journals import alive, started
from stagebook.errors import RunNotFound
from stagebook.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    RunEnded,
    RunStarted,
    StageEnded,
    StageReused,
    Status,
)
from stagebook.journal.journal import Owner
from stagebook.journal.result_table import KnownResults
from stagebook.pipeline.evaluator import NoValue
from stagebook.planning.result import Results
from stagebook.runs.history import EarlierScraps, History


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(tmp_path, clock=FakeClock(500.0))
    yield made
    made.close()


def ran(
    history: History, name: str, stages: dict[str, Status], status: Status = Status.COMPLETED, fingerprint: str = "", **more: Any
) -> None:  # fmt: skip
    """Record a run that ended, in which each stage that completed left its own run as a scrap."""
    plan = {"stages": [{"id": stage, "notebook": "n"} for stage in stages]}
    events: list[Event] = [RunStarted(**{"run": name, "at": 10.0, "pipeline": "p", "plan": plan, **more})]
    for stage, came in stages.items():
        if came in {Status.COMPLETED, Status.FAILED}:
            scraps = {"run": {"kind": "text", "value": name}, "picture": {"kind": "file", "file": "x.png"}}
            events += [
                AttemptStarted(run=name, at=10.0, stage=stage, attempt=1, folder="f", expected=3.5),
                AttemptEnded(
                    run=name,
                    at=11.0,
                    stage=stage,
                    attempt=1,
                    seconds=1.0,
                    scraps=scraps,
                    fingerprint=fingerprint,
                ),
            ]
        events.append(StageEnded(run=name, at=11.0, stage=stage, status=came))
    history.journal.append([*events, RunEnded(run=name, at=12.0, status=status)])


def test_nothing_is_made_by_asking_for_runs(history: History) -> None:
    assert (history.has_journal, history.runs()) == (False, [])
    with pytest.raises(RunNotFound, match="nothing was run yet") as caught:
        history.find()
    assert caught.value.hint == "start with: stagebook run"
    assert list(history.root.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "found"),
    [("20260102-120405-ab12", "20260102-120405-ab12"), ("20260103", "20260103-080000-cd34"), ("cd34", "20260103-080000-cd34"),
     ("latest", "20260103-080000-cd34"), (None, "20260103-080000-cd34"), ("20260102-120405-ab1", "20260102-120405-ab1")],
)  # fmt: skip
def test_a_run_is_found_by_its_id_or_an_end_of_it(history: History, asked: str | None, found: str) -> None:
    for name in ("20260102-120405-ab1", "20260102-120405-ab12", "20260103-080000-cd34"):
        ran(history, name, {})
    assert history.find(asked).id == found


@pytest.mark.parametrize(
    ("asked", "message", "hint"),
    [
        ("2026", "'2026' fits several runs", "such as 20260103-080000-cd34 and 20260102-120405-ab12"),
        ("120405", "there is no run '120405'", "stagebook runs lists them"),
    ],
)
def test_a_run_that_is_none_or_several_is_told(history: History, asked: str, message: str, hint: str) -> None:
    for name in ("20260102-120405-ab12", "20260103-080000-cd34"):
        ran(history, name, {})
    with pytest.raises(RunNotFound) as caught:
        history.find(asked)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_the_unfinished_run_is_the_latest_one_that_could_be_gone_on_with(history: History) -> None:
    with pytest.raises(RunNotFound, match="nothing was run yet"):
        history.find_unfinished()
    ran(history, "failed", {}, Status.FAILED)
    ran(history, "accepted", {}, kind="accept")
    ran(history, "point", {}, parent="sweep")
    assert history.find_unfinished().id == "failed"
    ran(history, "good", {})
    with pytest.raises(RunNotFound, match="the latest run, good of p, completed"):
        history.find_unfinished()


def test_a_stage_that_the_run_does_not_have_is_told(history: History) -> None:
    ran(history, "r", {"train": Status.COMPLETED})
    run = history.find()
    assert history.stage(run, "train").status is Status.COMPLETED
    with pytest.raises(RunNotFound, match="the run r has no stage 'trian'") as caught:
        history.stage(run, "trian")
    assert caught.value.hint == "did you mean 'train'?"


def test_the_latest_of_a_stage_is_in_the_last_run_that_did_not_skip_it(history: History) -> None:
    ran(history, "one", {"a": Status.COMPLETED, "b": Status.COMPLETED, "gone": Status.FAILED})
    ran(history, "two", {"a": Status.FAILED, "b": Status.SKIPPED})
    ran(history, "other", {"b": Status.COMPLETED}, pipeline="q")
    latest = history.latest_stages("p")
    assert {name: (run.id, stage.status) for name, (run, stage) in latest.items()} == {
        "a": ("two", Status.FAILED), "b": ("one", Status.COMPLETED), "gone": ("one", Status.FAILED),
    }  # fmt: skip


def test_a_reused_stage_has_the_times_of_the_attempt_that_made_its_result(history: History) -> None:
    ran(history, "made", {"a": Status.COMPLETED, "b": Status.COMPLETED})
    made = next(seq for seq, event in history.journal.events.of("made") if isinstance(event, AttemptEnded))
    begun = history.journal.events.start_of(made)
    assert begun is not None
    assert begun.stage == "a"
    reused = StageReused(run="again", at=20.0, stage="a", of_run="made", number=made)
    ran(history, "again", {})
    history.journal.append([reused, StageEnded(run="again", at=20.0, stage="a", status=Status.REUSED)])
    stage = history.stage(history.find("again"), "a")
    assert (stage.started, stage.ended) == (None, None)
    timed = history.with_times(stage)
    assert (timed.started, timed.ended, timed.status) == (10.0, 11.0, Status.REUSED)
    assert timed.expected == begun.expected == 3.5
    completed = history.stage(history.find("made"), "b")
    assert history.with_times(completed) is completed


def test_runs_whose_process_vanished_are_closed_and_told_when_the_journal_is_opened(tmp_path: Path) -> None:
    told: list[list[str]] = []
    history = History(tmp_path, clock=FakeClock(500.0), interrupted=told.append)
    # Before the machine was started anew, a process with an id that is not given out any more.
    gone = Owner(pid=2**31 - 1, started=1.0, host=socket.gethostname(), mark="boot space 1")
    history.journal.begin(started("lost"), gone, alive)
    assert told == []
    history.close()
    record = history.find("lost")
    assert (record.status, record.ended, told) == (Status.INTERRUPTED, 500.0, [["lost"]])
    assert history.close_abandoned() == []
    history.close()


def test_earlier_scraps_are_those_of_the_last_result_or_else_of_the_last_good_run(history: History) -> None:
    ran(history, "kept", {"a": Status.COMPLETED}, fingerprint="f")
    ran(history, "later", {"a": Status.FAILED, "b": Status.COMPLETED, "c": Status.FAILED})
    known = EarlierScraps(history, KnownResults(history.journal.results), "p")
    why = "is longer than 20,000 characters"
    assert known("a") == {"run": "kept", "picture": NoValue(why=why)}
    assert known("b") == {"run": "later", "picture": NoValue(why=why)}, (
        "a result without a fingerprint is in the record of its run"
    )
    assert (known("c"), known("unknown")) == (None, None)
    assert EarlierScraps(history, Results(), "q")("a") is None
