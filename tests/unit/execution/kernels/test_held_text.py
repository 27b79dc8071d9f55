"""Text that may be the beginning of a secret waits for the rest, and everything else keeps its place."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode

from stagebook.execution.kernels.recording import Recorder, Sink
from stagebook.system.logins import HIDDEN, Redaction

SECRET = "open-sesame-42"


class Desk:
    """A recorder with two cells that knows a secret."""

    def __init__(self, folder: Path) -> None:
        self.log = io.StringIO()
        self.cells = [
            NotebookNode(cell_type="code", source="x", metadata={}, outputs=[], execution_count=None)
            for _ in range(2)
        ]
        self.recorder = Recorder(NotebookNode(cells=self.cells, metadata={}))
        redacted = Redaction({}, [SECRET])
        self.recorder.prepare(
            Sink(folder=folder / "files", log=self.log, heard=lambda _text: None, redacted=redacted)
        )

    def say(self, text: str, name: str = "stdout", at: int = 0) -> None:
        self.message("stream", at, name=name, text=text)

    def message(self, kind: str, at: int = 0, **content: Any) -> None:
        body = {"msg_type": kind, "header": {"msg_type": kind}, "parent_header": {}, "content": content}
        self.recorder.process_message(body, self.cells[at], at)

    def texts(self, at: int = 0) -> list[tuple[str, str]]:
        return [
            (out.get("name", out.output_type), out.get("text", out.get("data", {}).get("text/plain")))
            for out in self.cells[at].outputs
        ]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_secret_in_two_writes_is_hidden(desk: Desk) -> None:
    desk.say("the word is open-ses")
    assert desk.texts() == [("stdout", "the word is ")]
    desk.say("ame-42!\n")
    desk.recorder.close_cell(0)
    assert desk.texts() == [("stdout", f"the word is {HIDDEN}!\n")]
    assert desk.log.getvalue() == f"the word is {HIDDEN}!\n"


def test_what_was_no_secret_comes_with_the_next_write_or_at_the_end(desk: Desk) -> None:
    desk.say("to open-")
    desk.say("air\nop")
    assert desk.texts() == [("stdout", "to open-air\n")]
    desk.recorder.close_cell(0)
    assert desk.texts() == [("stdout", "to open-air\nop")]
    assert desk.log.getvalue() == "to open-air\nop"


def test_displays_keep_their_place(desk: Desk) -> None:
    desk.say("open-sesame")
    desk.message("display_data", data={"text/plain": SECRET}, metadata={}, transient={})
    desk.say("-42")
    desk.recorder.close_cell(0)
    assert desk.texts() == [("stdout", "open-sesame"), ("display_data", HIDDEN), ("stdout", "-42")]


def test_a_few_letters_do_not_change_the_order_of_the_streams(desk: Desk) -> None:
    desk.say("go")
    desk.say("!", name="stderr")
    desk.recorder.close_cell(0)
    assert desk.texts() == [("stdout", "go"), ("stderr", "!")]


def test_halves_with_the_other_stream_between_are_hidden(desk: Desk) -> None:
    desk.say("open-sesa")
    desk.say("!", name="stderr")
    desk.say("me-42")
    desk.recorder.close_cell(0)
    assert desk.texts() == [("stderr", "!"), ("stdout", HIDDEN)]


def test_halves_on_two_streams_are_not_joined_by_the_log(desk: Desk) -> None:
    desk.say("open-sesa")
    desk.say("me-42", name="stderr")
    desk.recorder.close_cell(0)
    assert SECRET not in desk.log.getvalue()


def test_each_cell_keeps_its_own_text(desk: Desk) -> None:
    desk.say("open-sesa", at=0)
    desk.say("me-42\n", at=1)
    desk.recorder.close_cell(0)
    desk.recorder.close_cell(1)
    assert desk.texts(0) == [("stdout", "open-sesa")]
    assert desk.texts(1) == [("stdout", "me-42\n")]
    assert SECRET not in desk.log.getvalue()


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(
        st.tuples(
            st.sampled_from(["stdout", "stderr"]), st.sampled_from(["open-", "sesame", "-42", "o", "x\n"])
        ),
        max_size=30,
    )
)
def test_no_text_is_lost_and_no_secret_is_told(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[str, str]]
) -> None:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    for name, text in parts:
        desk.say(text, name=name)
    desk.recorder.close_cell(0)
    for stream in ("stdout", "stderr"):
        said = "".join(text for name, text in parts if name == stream)
        kept = "".join(text for name, text in desk.texts() if name == stream)
        assert kept == said.replace(SECRET, HIDDEN)
    assert SECRET not in desk.log.getvalue()
