"""Logs and notebooks: only those of runs, in pieces, and never trusted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from building import ProjectBuilder
from stagebook.errors import RunNotFound, StagebookError, UsageError
from stagebook.events import AttemptStarted, NoteAdded, RunStarted, StageEnded, Status
from stagebook.journal.journal import RunRecord
from stagebook.journal.leases import Liveness, Owner
from stagebook.project import Project
from stagebook_lab.notes import add_note
from stagebook_lab.queries.runs import log_reply, notebook_reply, run_reply
from stagebook_lab.wire import NoteRequest

FOLDER = ".stagebook/runs/r/a/1"


def project_with(builder: ProjectBuilder, folder: str) -> tuple[Project, RunRecord]:
    project = builder.project
    plan = {"stages": [{"id": "a", "notebook": "n.ipynb"}, {"id": "b", "notebook": "n.ipynb"}]}
    begun = RunStarted(run="r", at=1.0, pipeline="p", plan=plan)
    project.journal.begin(begun, Owner(pid=1, started=0.0, host="elsewhere"), lambda _: Liveness.DEAD)
    project.journal.append([AttemptStarted(run="r", at=2.0, stage="a", attempt=1, folder=folder)])
    return project, project.history.find("r")


@pytest.fixture(autouse=True)
def made(builder: ProjectBuilder) -> ProjectBuilder:
    (builder.root / "pipelines").mkdir()
    return builder


def test_a_run_has_its_incidents_and_notes(builder: ProjectBuilder) -> None:
    builder.file("stagebook.toml", "[incidents]\ndev = true\n")
    builder.file(
        ".stagebook/notes.jsonl",
        '{"run": "r", "kind": "acknowledged", "text": "of before", "by": "eve", "at": 3.0}\nnone\n',
    )
    project, run = project_with(builder, FOLDER)
    project.journal.append(
        [
            StageEnded(run="r", at=4.0, stage="a", status=Status.FAILED, reason="ValueError: x"),
            NoteAdded(run="r", at=5.0, stage="a", text="the new airport", by="bob"),
        ]
    )
    reply = run_reply(project, run)
    (one,) = reply.incidents
    assert (one.kind, one.subject, one.message, one.closed, one.seen_by) == (
        "failure", "a", "ValueError: x", None, (),
    )  # fmt: skip
    assert [(note.kind, note.text, note.by) for note in reply.notes] == [
        ("acknowledged", "of before", "eve"), ("note", "a: the new airport", "bob"),
    ]  # fmt: skip
    made = add_note(project, "r", NoteRequest(project="", kind="note", text=" we know "), "ada")
    assert (made.text, made.by) == ("we know", "ada")
    assert run_reply(project, run).notes[-1] == made
    with pytest.raises(UsageError, match="a note is a 'note' or 'acknowledged'"):
        add_note(project, "r", NoteRequest(project="", kind="shout", text="x"), "ada")


def test_a_log_comes_in_pieces_that_join(builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "ä→😀 lines\n" * 50
    project, run = project_with(builder, FOLDER)
    path = builder.file(f"{FOLDER}/log.txt", text)
    for size in (4, 5, 7, 64):
        monkeypatch.setattr("stagebook_lab.queries.runs.MAX_LOG", size)
        found, at, more = "", 0, True
        while more:
            reply = log_reply(project, run, "a", None, at)
            found, at, more = found + reply.text, reply.next, reply.more
        assert found == text
        assert at == path.stat().st_size
    assert log_reply(project, run, "a", None, 10**9).text == ""


def test_a_character_that_is_half_written_waits(builder: ProjectBuilder) -> None:
    project, run = project_with(builder, FOLDER)
    path = builder.file(f"{FOLDER}/log.txt", "ab€".encode()[:-1])
    reply = log_reply(project, run, "a", None, 0)
    assert (reply.text, reply.next) == ("ab", 2)
    path.write_bytes("ab€".encode())
    assert log_reply(project, run, "a", None, reply.next).text == "€"


def test_nothing_of_a_notebook_is_trusted(builder: ProjectBuilder) -> None:
    project, run = project_with(builder, FOLDER)
    cells = [{"cell_type": "code", "metadata": {"trusted": True, "x": 1}}, {"cell_type": "markdown"}]
    builder.file(f"{FOLDER}/notebook.ipynb", json.dumps({"cells": cells, "metadata": {}}))
    content = notebook_reply(project, run, "a", None).content
    assert [cell["metadata"] for cell in content["cells"]] == [{"trusted": False, "x": 1}, {"trusted": False}]
    for broken in ("[]", "{}", "nonsense", '{"cells": 1}', "[" * 100_000):
        builder.file(f"{FOLDER}/notebook.ipynb", broken)
        with pytest.raises(StagebookError):
            notebook_reply(project, run, "a", None)


OUTPUTS = [
    {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n", "three"]},
    {"output_type": "display_data", "metadata": {}, "data": {
        "text/plain": ["   a\n", "0  1"], "text/html": ["<table>\n", "<tr></tr>\n", "</table>"],
        "image/svg+xml": ["<svg>\n", "</svg>"], "application/javascript": ["let a\n", "a = 1"],
        "text/latex": ["$a$\n", "$b$"], "image/png": ["iVBO\n", "Rw0K"], "application/vnd.x": ["a\n", "b"],
        "application/json": ["a", "b"], "application/vnd.plotly.v1+json": {"data": ["x\n", "y"]},
        "application/geo+json": ["a\n", "b"], "application/vnd.numbers": [1, 2],
    }},
    {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/markdown": ["# a\n", "b"]}},
    {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["first", "second\nthird"]},
    {"output_type": "error", "ename": "E", "evalue": "v", "traceback": "first\nsecond"},
    "no output",
]  # fmt: skip


def test_texts_are_in_one_piece_and_data_stays_as_it_is(builder: ProjectBuilder) -> None:
    """nbformat writes texts as lists of lines; JupyterLab shows a list with a comma at the head of each line."""
    project, run = project_with(builder, FOLDER)
    cells = [
        {
            "cell_type": "markdown",
            "source": ["# a\n", "b"],
            "attachments": {"p.png": {"image/png": ["iV\n", "BO"]}},
        },
        {"cell_type": "code", "source": ["x = 1\n", "x"], "outputs": OUTPUTS},
        {"cell_type": "code", "source": "as it is", "outputs": None},
        "no cell",
    ]
    builder.file(f"{FOLDER}/notebook.ipynb", json.dumps({"cells": cells, "metadata": {}}))
    markdown, code, whole, odd = notebook_reply(project, run, "a", None).content["cells"]
    assert (markdown["source"], markdown["attachments"]) == ("# a\nb", {"p.png": {"image/png": "iV\nBO"}})
    assert (code["source"], whole["source"], odd) == ("x = 1\nx", "as it is", "no cell")
    stream, shown, result, error, text, _ = code["outputs"]
    assert stream["text"] == "one\ntwo\nthree"
    assert shown["data"] == {
        "text/plain": "   a\n0  1", "text/html": "<table>\n<tr></tr>\n</table>", "image/svg+xml": "<svg>\n</svg>",
        "application/javascript": "let a\na = 1", "text/latex": "$a$\n$b$", "image/png": "iVBO\nRw0K",
        "application/vnd.x": "a\nb", "application/json": ["a", "b"],
        "application/vnd.plotly.v1+json": {"data": ["x\n", "y"]}, "application/geo+json": ["a\n", "b"],
        "application/vnd.numbers": [1, 2],
    }  # fmt: skip
    assert result["data"] == {"text/markdown": "# a\nb"}
    assert (error["traceback"], text["traceback"]) == (["first", "second\nthird"], ["first\nsecond"])


def test_a_version_that_was_seen_is_not_sent_again(builder: ProjectBuilder) -> None:
    project, run = project_with(builder, FOLDER)
    path = builder.file(f"{FOLDER}/notebook.ipynb", '{"cells": []}')
    first = notebook_reply(project, run, "a", None)
    seen = json.loads(json.dumps(first.modified))
    again = notebook_reply(project, run, "a", None, seen=seen)
    assert (again.content, again.modified) == (None, first.modified)
    os.utime(path, (1, 1))
    assert notebook_reply(project, run, "a", None, seen=seen).content == {"cells": []}


@pytest.mark.parametrize(
    "folder",
    [
        "../outside/r/1",
        "/etc/r/1",
        "data/r/1",
        ".stagebook/runs/../../data/r/1",
        ".stagebook/runs/link/a/1",
        "",
    ],
)
def test_only_folders_of_runs_are_read(builder: ProjectBuilder, tmp_path: Path, folder: str) -> None:
    for place in (tmp_path / "outside/r/1", builder.root / "data/r/1", tmp_path / "outside/a/1"):
        place.mkdir(parents=True)
        (place / "log.txt").write_text("secret")
    (builder.root / ".stagebook/runs").mkdir(parents=True)
    os.symlink(tmp_path / "outside", builder.root / ".stagebook/runs/link")
    project, run = project_with(builder, folder)
    with pytest.raises(RunNotFound):
        log_reply(project, run, "a", None, 0)
    with pytest.raises(RunNotFound):
        log_reply(project, run, "b", None, 0)


def test_a_log_that_is_a_symlink_is_not_read(builder: ProjectBuilder, tmp_path: Path) -> None:
    project, run = project_with(builder, FOLDER)
    (tmp_path / "secret").write_text("secret")
    (builder.root / FOLDER).mkdir(parents=True)
    os.symlink(tmp_path / "secret", builder.root / FOLDER / "log.txt")
    with pytest.raises(RunNotFound):
        log_reply(project, run, "a", None, 0)
