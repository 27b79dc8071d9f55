"""Outputs into cells: what is too large goes into files, whole, and nothing is lost."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode

from stagebook.execution.kernels import recording
from stagebook.execution.kernels.recording import Recorder, Sink


class Desk:
    """A recorder with one cell, and what comes of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "notebook_files"
        self.log = io.StringIO()
        self.cell = NotebookNode(cell_type="code", source="x", metadata={}, outputs=[], execution_count=None)
        notebook = NotebookNode(cells=[self.cell], metadata={})
        self.recorder = Recorder(notebook)
        self.recorder.prepare(Sink(folder=self.folder, log=self.log, heard=lambda _text: None))

    def message(self, kind: str, **content: Any) -> None:
        body = {"msg_type": kind, "header": {"msg_type": kind}, "parent_header": {}, "content": content}
        self.recorder.process_message(body, self.cell, 0)

    def display(self, data: dict[str, Any], **transient: Any) -> None:
        self.message("display_data", data=data, metadata={}, transient=transient)

    def file(self, name: str) -> str:
        return (self.folder / name).read_text()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


streams = st.lists(
    st.tuples(st.sampled_from(["stdout", "stderr"]), st.text("ab\n", max_size=30)), max_size=40
)


@settings(max_examples=60, deadline=None)
@given(parts=streams, limit=st.integers(1, 60))
def test_every_character_of_a_stream_is_in_the_notebook_or_in_its_file(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[str, str]], limit: int
) -> None:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "MAX_TEXT", limit)
        for name, text in parts:
            desk.message("stream", name=name, text=text)
        desk.recorder.close_cell(0)
    assert desk.log.getvalue() == "".join(text for _, text in parts)
    for name in ("stdout", "stderr"):
        written = "".join(text for stream, text in parts if stream == name)
        shown = [out for out in desk.cell.outputs if out.name == name]
        notes = [out for out in shown if "[Stagebook]" in out.text]
        if len(written) <= limit:
            assert not notes
            assert "".join(out.text for out in shown) == written
        else:
            assert len(notes) == 1
            assert f"cell-1-{name}.txt" in notes[0].text
            assert "whole" in notes[0].text
            assert desk.file(f"cell-1-{name}.txt") == written


def test_one_stream_is_one_output_until_another_comes_between(desk: Desk) -> None:
    for name, text in (("stdout", "a"), ("stdout", "b"), ("stderr", "c"), ("stdout", "d")):
        desk.message("stream", name=name, text=text)
    assert [(out.name, out.text) for out in desk.cell.outputs] == [
        ("stdout", "ab"),
        ("stderr", "c"),
        ("stdout", "d"),
    ]


def test_a_display_that_is_too_large_goes_to_files_with_a_note(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MAX_DISPLAY", 100)
    desk.display({"text/html": "<b>" * 100, "image/png": "iVBORw0KGgo="})
    (out,) = desk.cell.outputs
    assert set(out.data) == {"text/plain"}
    assert "notebook_files/cell-1-display-1.html" in out.data["text/plain"]
    assert desk.file("cell-1-display-1.html") == "<b>" * 100
    assert (desk.folder / "cell-1-display-2.png").read_bytes() == b"\x89PNG\r\n\x1a\n"


def test_a_scrap_stays_however_large(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MAX_DISPLAY", 10)
    scrap = {"name": "x", "data": "y" * 1000, "encoder": "json", "version": 1}
    desk.display({"application/scrapbook.scrap.json+json": scrap})
    assert desk.cell.outputs[0].data["application/scrapbook.scrap.json+json"]["data"] == "y" * 1000


def test_an_update_changes_what_was_displayed_and_counts_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MAX_TOTAL", 500)
    desk.display({"text/plain": "0" * 100}, display_id="one")
    for step in range(50):
        data = {"text/plain": str(step) * 50}
        desk.message("update_display_data", data=data, metadata={}, transient={"display_id": "one"})
    (out,) = desk.cell.outputs
    assert out.data == {"text/plain": "49" * 50}
    assert not desk.folder.exists()


@pytest.mark.parametrize("wait", [True, False])
def test_clearing_forgets_the_files_too(desk: Desk, monkeypatch: pytest.MonkeyPatch, *, wait: bool) -> None:
    monkeypatch.setattr(recording, "MAX_TEXT", 10)
    desk.message("stream", name="stdout", text="x" * 50)
    desk.message("clear_output", wait=wait)
    desk.message("stream", name="stdout", text="short")
    desk.recorder.close_cell(0)
    assert [out.text for out in desk.cell.outputs] == ["short"]
    assert list(desk.folder.iterdir()) == []


def test_all_outputs_together_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MAX_TOTAL", 10_000)
    for at in range(100):
        desk.display({"text/plain": f"{at:03}" * 100})
    held = [json.dumps(out.data) for out in desk.cell.outputs]
    assert len(held) == 100
    assert sum("[Stagebook]" not in text for text in held) == 33
    kept = sorted(file.read_text() for file in desk.folder.iterdir())
    assert kept == sorted(f"{at:03}" * 100 for at in range(33, 100))


def test_a_file_that_cannot_be_written_whole_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MAX_TEXT", 10)
    desk.message("stream", name="stdout", text="x" * 50)
    (spill,) = desk.recorder._spills.values()

    def full(_text: str) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spill._stream, "write", full, raising=False)
    desk.message("stream", name="stdout", text="y" * 50)
    desk.recorder.close_cell(0)
    assert "not whole: No space left on device" in desk.cell.outputs[-1].text
