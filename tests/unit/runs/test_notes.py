"""Notes of people on runs and stages: recorded with the run, and shown wherever the run is."""

from __future__ import annotations

from pathlib import Path

import pytest

from journals import started
from stagebook.errors import RunNotFound, UsageError
from stagebook.events import AttemptStarted, NoteAdded, RunEnded, RunStarted, Status
from stagebook.journal.history import Note, RunHistory
from stagebook.runs.history import History
from stagebook.runs.notes import MAX_TEXT, add_note, split_words
from stagebook.views.log_lines import lines_of


@pytest.fixture
def history(tmp_path: Path) -> History:
    made = History(tmp_path, clock=lambda: 50.0)
    plan = {"stages": [{"id": name, "notebook": "n.ipynb"} for name in ("clean", "train@1")]}
    begun = RunStarted(run="r1", at=1.0, pipeline="p", plan=plan)
    ended = RunEnded(run="r1", at=3.0, status=Status.FAILED)
    made.journal.append(
        [begun, AttemptStarted(run="r1", at=2.0, stage="clean", attempt=1, folder="f"), ended]
    )
    return made


def folded(history: History) -> RunHistory:
    return history.of(history.find("r1"))


def test_a_note_is_on_a_run_or_on_a_stage_and_changes_nothing_else(history: History) -> None:
    run = history.find("r1")
    add_note(history, run, " the source was empty ", by="ada", at=5.0)
    add_note(history, run, "NaN in dep_delay", by="bob", at=6.0, stage="clean")

    found = folded(history)
    assert found.notes == [Note(at=5.0, text="the source was empty", by="ada")]
    assert found.stages["clean"].notes == (Note(at=6.0, text="NaN in dep_delay", by="bob"),)
    assert (found.status, history.find("r1").status) == (Status.FAILED, Status.FAILED)
    assert list(found.stages) == ["clean", "train@1"]


def test_who_has_seen_it_need_say_nothing(history: History) -> None:
    made = add_note(history, history.find("r1"), "", by="ada", at=5.0, acknowledges=True)
    assert folded(history).notes == [Note(at=5.0, text="", by="ada", acknowledges=True)]
    assert list(lines_of(made, folded(history))) == ["00:00:05 ✎ ada has seen it"]


@pytest.mark.parametrize(("text", "said"), [("  ", "needs a text"), ("x" * (MAX_TEXT + 1), "at most 4,000")])
def test_a_note_has_a_text_of_a_bounded_length(history: History, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        add_note(history, history.find("r1"), text, by="ada", at=5.0)
    assert folded(history).notes == []


def test_a_stage_that_the_run_does_not_have_is_named(history: History) -> None:
    with pytest.raises(RunNotFound, match="no stage 'claen'") as caught:
        add_note(history, history.find("r1"), "x", by="ada", at=5.0, stage="claen")
    assert "clean" in caught.value.hint


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["clean", "was", "empty"], ("clean", "was empty")),
        (["clean"], ("", "clean")),
        (["it was empty"], ("", "it was empty")),
        (["train@1", "slow"], ("train@1", "slow")),
        ([], ("", "")),
    ],
)
def test_the_first_word_is_a_stage_if_there_is_one(
    history: History, words: list[str], expected: tuple[str, str]
) -> None:
    assert split_words(folded(history), words) == expected


def test_a_line_tells_who_said_what_and_nothing_of_it_steers_the_terminal() -> None:
    note = NoteAdded(run="r", at=60.0, stage="clean", text="a\x1b[2J\nb", by="")
    line = next(lines_of(note, RunHistory([started()])))
    assert line.startswith("00:01:00 ✎ clean: somebody notes: a")
    assert "\x1b" not in line
