"""Incidents as people deal with them, and the comparison of figures that opens some."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from stagebook.errors import UsageError
from stagebook.events import (
    AttemptEnded,
    Event,
    FiguresCompared,
    RunEnded,
    RunStarted,
    StageEnded,
    StageMeasured,
    Status,
)
from stagebook.incidents.incident import Incident, Kind
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import Journal
from stagebook.runs.history import History
from stagebook.runs.incidents import (
    Mark,
    compared,
    count_elsewhere,
    find_incident,
    incidents_of,
    mark,
    of_dataset,
)
from stagebook.workspace.settings import MonitorSettings, Settings


def incident(name: str, **fields: object) -> Incident:
    values = {
        "pipeline": "p", "kind": Kind.FAILURE, "subject": "a", "stage": "a", "run": "r",
        "opened": 1.0, "last_run": "r", "last_seen": 1.0, **fields,
    }  # fmt: skip
    return Incident(id=name, **values)  # type: ignore[arg-type]


def failed(run: str, at: float = 1.0) -> list[Event]:
    return [
        RunStarted(run=run, at=at, pipeline="p", plan={"stages": []}),
        StageEnded(run=run, at=at, stage="a", status=Status.FAILED, reason="ValueError"),
        RunEnded(run=run, at=at, status=Status.FAILED),
    ]


@pytest.mark.parametrize(("text", "found"), [("abc", "abcd111"), ("abcd111", "abcd111"), ("f", "f000000")])
def test_an_incident_is_found_by_the_beginning_of_its_id(text: str, found: str) -> None:
    known = [incident("abcd111"), incident("f000000"), incident("abd2222")]
    assert find_incident(known, text).id == found


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("ab", "'ab' fits several incidents", "such as abcd111 and abd2222"),
        ("x", "there is no incident 'x'", "stagebook incident list --all shows them"),
        ("", "'' fits several incidents", "such as abcd111 and abd2222"),
    ],
)
def test_else_it_is_said_why_not(text: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        find_incident([incident("abcd111"), incident("abd2222")], text)
    assert caught.value.hint == hint


def test_what_people_do_is_recorded_with_the_run_that_opened_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal.append(failed("r1"))
    (one,) = incidents_of(journal, Settings(), "prod")
    mark(journal, one, Mark(action="note", text=" the source is down ", by="ada", at=2.0))
    mark(journal, one, Mark(action="ack", text="", by="bob", at=3.0))
    mark(journal, one, Mark(action="close", text="we live with it", by="eve", at=4.0))
    (after,) = incidents_of(journal, Settings(), "prod")
    assert [(said.by, said.text) for said in (*after.notes, *after.acks)] == [
        ("ada", "the source is down"), ("bob", ""),
    ]  # fmt: skip
    assert (after.closed_by, after.because) == ("eve", "we live with it")
    with pytest.raises(UsageError, match="was closed by eve"):
        mark(journal, after, Mark(action="close", text="", by="ada", at=5.0))
    with pytest.raises(UsageError, match="a note needs a text"):
        mark(journal, after, Mark(action="note", text=" ", by="ada", at=5.0))
    journal.close()


def test_what_health_closed_says_so(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    with pytest.raises(UsageError, match="was closed with the run r9"):
        mark(
            journal, incident("a", closed=2.0, closed_run="r9"), Mark(action="close", text="", by="", at=1.0)
        )
    journal.close()


@pytest.mark.parametrize(
    ("fields", "concerns"),
    [
        ({}, True),
        ({"subject": "a.out", "kind": Kind.CONTRACT}, True),
        ({"subject": "a.other", "kind": Kind.CONTRACT}, False),
        ({"subject": "b", "stage": "b"}, False),
        ({"subject": "", "stage": ""}, True),
        ({"subject": "nightly", "stage": "", "run": "", "kind": Kind.LATE}, True),
        ({"closed": 2.0}, False),
        ({"pipeline": "q"}, False),
    ],
)
def test_who_reads_a_dataset_is_told_of_what_concerns_it(fields: dict[str, object], concerns: bool) -> None:
    one = incident("abc", **fields)
    assert of_dataset([one], "p", "a", "out") == ([one] if concerns else [])


def test_what_no_run_showed_was_closed_when_it_was_well(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    one = incident("a", kind=Kind.LATE, run="", closed=2.0)
    with pytest.raises(UsageError, match="was closed when it is as expected again"):
        mark(journal, one, Mark(action="close", text="", by="", at=1.0))
    journal.close()


def test_those_elsewhere_are_counted(tmp_path: Path) -> None:
    journals = {name: Journal(tmp_path / name / "journal.db") for name in ("dev", "prod", "ci")}
    for name in ("dev", "prod"):
        journals[name].append(failed("r1"))
    assert count_elsewhere(journals, Settings()) == {"prod": 1}  # in the working tree they are mistakes
    for one in journals.values():
        one.close()


def measured(runs: Sequence[tuple[str, int]]) -> list[Event]:
    """Runs of one stage, whose output has so many bytes."""
    events: list[Event] = []
    for at, (run, size) in enumerate(runs):
        of = {"run": run, "at": float(at), "stage": "a", "attempt": 1}
        events += [
            RunStarted(run=run, at=float(at), pipeline="p", plan={"stages": [{"id": "a", "notebook": "n"}]}),
            AttemptEnded(**of, seconds=1.0),  # type: ignore[arg-type]
            StageMeasured(**of, seconds=1.0, sizes={"out": size}),  # type: ignore[arg-type]
            StageEnded(run=run, at=float(at), stage="a", status=Status.COMPLETED),
            RunEnded(run=run, at=float(at), status=Status.COMPLETED),
        ]
    return events


def last_compared(root: Path, sizes: Sequence[int], settings: MonitorSettings) -> FiguresCompared | None:
    history = History(root, clock=lambda: 50.0)
    runs = [(f"r{at}", size) for at, size in enumerate(sizes)]
    history.journal.append(measured(runs))
    last = runs[-1][0]
    ended = RunHistory(event for _, event in history.journal.events.of(last))
    found = compared(history, settings, "p", last, ended)
    history.close()
    return found


def test_a_figure_out_of_the_ordinary_is_an_event_of_its_run(tmp_path: Path) -> None:
    found = last_compared(tmp_path, [1000] * 9 + [5], MonitorSettings())
    assert found == FiguresCompared(
        run="r9", at=9.0, stages=["a"], unusual={"a.out": "bytes 5, usually 980 to 1020"}
    )


def test_that_all_is_usual_is_one_too(tmp_path: Path) -> None:
    found = last_compared(tmp_path, [1000] * 10, MonitorSettings())
    assert found is not None
    assert (found.stages, found.unusual) == (["a"], {})


def test_without_monitors_nothing_is_compared(tmp_path: Path) -> None:
    assert last_compared(tmp_path, [1000] * 10, MonitorSettings(enabled=False)) is None
    assert compared(History(tmp_path), MonitorSettings(), "p", "r", RunHistory()) is None
