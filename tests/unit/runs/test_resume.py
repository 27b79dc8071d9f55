"""What is left of a run: nothing that was finished, and all that was not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from stagebook.errors import UsageError
from stagebook.events import (
    AttemptEnded,
    AttemptStarted,
    Cause,
    Event,
    RunEnded,
    RunStarted,
    StageEnded,
    StageExpanded,
    StageReused,
    Status,
)
from stagebook.planning.fingerprint import Change
from stagebook.planning.result import Result
from stagebook.planning.select import Selection
from stagebook.runs.resume import Rest, refuse_changed, rest_of

DONE = Status.COMPLETED
CHAIN = {"a": (), "b": ("a",), "c": ("b",), "d": ("c",)}


def instance(name: str, upstream: Sequence[str] = ()) -> dict[str, Any]:
    return {"id": name, "stage": name.partition("@")[0], "notebook": "n", "upstream": list(upstream)}


class Runs:
    """The events of runs, numbered through."""

    def __init__(self) -> None:
        self._events: dict[str, list[tuple[int, Event]]] = {}
        self._count = 0

    def tell(self, event: Event) -> int:
        self._count += 1
        self._events.setdefault(event.run, []).append((self._count, event))
        return self._count

    def begin(self, run: str, graph: Mapping[str, Sequence[str]] = CHAIN, **more: Any) -> None:
        plan = {"params": {"x": 1}, "stages": [instance(name, needs) for name, needs in graph.items()]}
        self.tell(RunStarted(run=run, at=1.0, pipeline="p", plan=plan, **more))

    def attempt(self, run: str, *stages: str, cause: Cause | None = None, **more: Any) -> int:
        number = 0
        for stage in stages:
            self.tell(AttemptStarted(run=run, at=2.0, stage=stage, attempt=1, folder="f"))
            parts = {"params": {"of": run}}
            ended = AttemptEnded(
                run=run,
                at=3.0,
                stage=stage,
                attempt=1,
                seconds=1.0,
                cause=cause,
                parts=parts,
                folder=f"f/{run}",
            )
            number = self.tell(dataclasses.replace(ended, **more))
            status = Status.FAILED if cause else Status.COMPLETED
            self.tell(StageEnded(run=run, at=3.0, stage=stage, status=status))
        return number

    def reuse(self, run: str, stage: str, of: str, number: int) -> None:
        self.tell(StageReused(run=run, at=3.0, stage=stage, of_run=of, of_attempt=1, number=number))
        self.tell(StageEnded(run=run, at=3.0, stage=stage, status=Status.REUSED))

    def status(self, run: str, status: Status, *stages: str) -> None:
        for stage in stages:
            self.tell(StageEnded(run=run, at=3.0, stage=stage, status=status))

    def end(self, run: str, status: Status = Status.INTERRUPTED) -> None:
        self.tell(RunEnded(run=run, at=4.0, status=status))

    def rest(self, run: str, known: Mapping[int, Result] | None = None) -> Rest:
        return rest_of(run, lambda name: self._events.get(name, []), (known or {}).get)


@pytest.fixture
def runs() -> Runs:
    return Runs()


def test_what_was_finished_is_not_left(runs: Runs) -> None:
    runs.begin("one", request={"selection": {"targets": ["d"]}, "forced": ["b"]})
    first = runs.attempt("one", "a")
    runs.attempt("one", "b", cause=Cause.EXCEPTION)
    runs.status("one", Status.BLOCKED, "c", "d")
    runs.end("one", Status.FAILED)
    rest = runs.rest("one")
    assert list(rest.finished) == ["a"]
    assert (rest.finished["a"].number, rest.finished["a"].run, rest.finished["a"].folder) == (
        first,
        "one",
        "f/one",
    )
    assert rest.failed == ("b",)
    assert rest.unfinished == ("b", "c", "d")
    assert rest.selection == Selection(targets=("d",))
    assert rest.forced == ("b",)
    assert rest.with_failed_only() == rest.selection


def test_a_stage_that_was_being_run_is_left(runs: Runs) -> None:
    runs.begin("one")
    runs.attempt("one", "a")
    runs.tell(AttemptStarted(run="one", at=2.0, stage="b", attempt=1, folder="f"))
    runs.end("one")
    assert runs.rest("one").unfinished == ("b", "c", "d")


def test_a_stage_whose_attempt_ended_is_finished_though_its_end_was_not_told(runs: Runs) -> None:
    """The run was killed in between."""
    runs.begin("one")
    runs.tell(AttemptStarted(run="one", at=2.0, stage="a", attempt=1, folder="f"))
    runs.tell(AttemptEnded(run="one", at=2.0, stage="a", attempt=1, seconds=1.0))
    runs.end("one")
    rest = runs.rest("one")
    assert (list(rest.finished), rest.unfinished) == (["a"], ("b", "c", "d"))


def test_a_run_whose_process_vanished_after_its_last_stage_only_has_to_be_closed(runs: Runs) -> None:
    runs.begin("one")
    runs.attempt("one", *CHAIN)
    runs.end("one", Status.INTERRUPTED)
    rest = runs.rest("one")
    assert (list(rest.finished), rest.unfinished, rest.failed) == (list(CHAIN), (), ())


def test_a_second_attempt_that_completed_counts(runs: Runs) -> None:
    runs.begin("one", {"a": (), "b": ()})
    runs.tell(AttemptEnded(run="one", at=2.0, stage="a", attempt=1, seconds=1.0, cause=Cause.EXCEPTION))
    runs.attempt("one", "a", attempt=2)
    runs.end("one")
    assert runs.rest("one").finished["a"].attempt == 2


def test_what_was_left_out_is_not_left(runs: Runs) -> None:
    runs.begin("one", {"a": (), "b": (), "c": ()})
    runs.status("one", Status.SKIPPED, "a")
    runs.attempt("one", "b")
    runs.end("one")
    assert runs.rest("one").unfinished == ("c",)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda runs: None, "cannot be gone on with"),
        (lambda runs: runs.begin("one", kind="accept"), "cannot be gone on with"),
        (lambda runs: runs.begin("one"), "is going on"),
        (
            lambda runs: (runs.begin("one", {"a": ()}), runs.attempt("one", "a"), runs.end("one", DONE)),
            "finished all",
        ),
        (lambda runs: (runs.begin("one", {}), runs.end("one", DONE)), "finished all"),
    ],
)
def test_a_run_of_which_nothing_is_left_is_told(runs: Runs, make: Any, told: str) -> None:
    make(runs)
    with pytest.raises(UsageError, match=told) as caught:
        runs.rest("one")
    assert "stagebook" in caught.value.hint


# -- a run that went on with another ------------------------------------------------------------


def test_what_the_first_run_finished_stays_finished_however_often_it_is_gone_on_with(runs: Runs) -> None:
    runs.begin("one")
    numbers = {"a": runs.attempt("one", "a"), "b": runs.attempt("one", "b")}
    runs.end("one")
    runs.begin("two", resumes="one")  # killed before it came to take anything
    runs.end("two")
    runs.begin("three", resumes="two")  # and this one on the way
    runs.reuse("three", "a", "one", numbers["a"])
    runs.end("three")
    for run in ("one", "two", "three"):
        rest = runs.rest(run)
        assert {name: (item.number, item.run) for name, item in rest.finished.items()} == {
            "a": (numbers["a"], "one"),
            "b": (numbers["b"], "one"),
        }, run
        assert rest.unfinished == ("c", "d")


def test_a_stage_that_had_to_run_again_is_what_it_came_to_then(runs: Runs) -> None:
    """Its outputs were gone when the second run began."""
    runs.begin("one")
    runs.attempt("one", "a", "b")
    runs.end("one")
    runs.begin("two", resumes="one")
    runs.attempt("two", "a", cause=Cause.EXCEPTION)
    runs.status("two", Status.BLOCKED, "b", "c", "d")
    runs.end("two", Status.FAILED)
    rest = runs.rest("two")
    assert rest.finished == {}, "what b was made from is not there any more"
    assert rest.unfinished == ("a", "b", "c", "d")
    runs.begin("three", resumes="two")
    again = runs.attempt("three", "a")
    runs.end("three")
    assert {name: item.number for name, item in runs.rest("three").finished.items()} == {"a": again}


def test_a_stage_that_is_not_in_the_pipeline_any_more_is_not_left(runs: Runs) -> None:
    runs.begin("one", {"a": (), "old": ()})
    runs.attempt("one", "a", "old")
    runs.end("one")
    runs.begin("two", {"a": (), "b": ()}, resumes="one")
    runs.end("two")
    rest = runs.rest("two")
    assert (list(rest.finished), rest.unfinished) == (["a"], ("b",))


def test_a_run_that_was_gone_on_with_and_is_lost_is_no_trouble(runs: Runs) -> None:
    runs.begin("two", resumes="one")
    runs.end("two")
    assert runs.rest("two").finished == {}


def test_what_is_known_of_a_reused_result_comes_along(runs: Runs) -> None:
    known = Result(
        number=1,
        pipeline="p",
        stage="a",
        run="zero",
        attempt=1,
        at=1.0,
        fingerprint="f",
        parts={"params": {}},
    )
    runs.begin("one")
    runs.reuse("one", "a", "zero", 1)
    runs.end("one")
    assert runs.rest("one", {1: known}).finished["a"].fingerprint == "f"
    assert runs.rest("one").finished["a"].parts == {}


# -- clean-up, lists ----------------------------------------------------------------------------


def test_a_stage_that_cleaned_up_after_a_failure_has_its_turn_again(runs: Runs) -> None:
    graph = {"a": (), "b": ("a",), "clean": ("b",), "told": ("clean",), "other": ("a",)}
    runs.begin("one", graph)
    runs.attempt("one", "a", "other")
    runs.attempt("one", "b", cause=Cause.EXCEPTION)
    runs.attempt("one", "clean", "told")
    runs.end("one", Status.FAILED)
    rest = runs.rest("one")
    assert sorted(rest.finished) == ["a", "other"]
    assert rest.unfinished == ("b", "clean", "told")


def test_the_stages_of_a_list_are_gone_on_with_one_by_one(runs: Runs) -> None:
    runs.begin("one", {"list": (), "map": ("list",), "join": ("map",), "apart": ()})
    runs.attempt("one", "list")
    items = [instance(f"map@{item}", ["list"]) for item in "xyz"]
    runs.tell(
        StageExpanded(
            run="one", at=2.0, stage="map", gone=["map"], stages=items,
            changed=[instance("join", ["map@x", "map@y", "map@z"])],
        )
    )  # fmt: skip
    runs.attempt("one", "map@x")
    runs.attempt("one", "map@y", cause=Cause.EXCEPTION)
    runs.status("one", Status.BLOCKED, "map@z", "join", "apart")
    runs.end("one", Status.FAILED)
    rest = runs.rest("one")
    assert sorted(rest.finished) == ["list", "map@x"]
    assert rest.unfinished == ("map@y", "map@z", "join", "apart")
    assert rest.with_failed_only() == Selection(skip=("apart",)), "join needs the item that never began"


def test_what_failed_is_tried_again_with_what_needs_it(runs: Runs) -> None:
    runs.begin("one", {"a": (), "b": ("a",), "x": (), "y": ("x",)}, request={"selection": {"skip": ["z"]}})
    runs.attempt("one", "a", cause=Cause.EXCEPTION)
    runs.status("one", Status.BLOCKED, "b", "x", "y")
    runs.end("one", Status.FAILED)
    assert runs.rest("one").with_failed_only() == Selection(skip=("z", "x", "y"))


def test_an_item_that_failed_is_tried_again_alone(runs: Runs) -> None:
    runs.begin("one", {"list": (), "map": ("list",)})
    runs.attempt("one", "list")
    items = [instance(f"map@{item}", ["list"]) for item in "xyz"]
    runs.tell(StageExpanded(run="one", at=2.0, stage="map", gone=["map"], stages=items))
    runs.attempt("one", "map@x", cause=Cause.EXCEPTION)
    runs.status("one", Status.BLOCKED, "map@y", "map@z")
    runs.end("one", Status.FAILED)
    assert runs.rest("one").with_failed_only() == Selection(skip=("map@y", "map@z"))


# -- what is told -------------------------------------------------------------------------------


def test_what_changed_since_is_named() -> None:
    changed = {f"s{at}": [Change(part="code", name="1", text="cell 1 changed")] for at in range(7)}
    error = refuse_changed("one", "p", changed)
    assert "the run one had finished has changed since: s0 (cell 1 changed), s1" in error.message
    assert error.message.endswith("s4 (cell 1 changed), and 2 more")
    assert "stagebook run p" in error.hint
    assert "stagebook resume one --keep" in error.hint
