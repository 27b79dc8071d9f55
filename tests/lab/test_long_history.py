"""What the server's side tells of a long history: nothing that is true becomes false because a list was cut."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from building import ProjectBuilder
from journals import HERE, alive, alter
from stagebook.errors import PipelineBusy, RunNotFound
from stagebook.events import AttemptStarted, Event, RunEnded, RunStarted, Status
from stagebook.origin import Origin
from stagebook.project import Project
from stagebook.runs.request import RunRequest
from stagebook_lab.launch import Processes, check
from stagebook_lab.projects import MAX_PROJECTS, projects_reply
from stagebook_lab.queries.runs import MAX_RUNS, POINTS, Attempts, log_reply, notebook_reply, runs_reply


@pytest.fixture
def project(builder: ProjectBuilder) -> Project:
    builder.without_tracking()
    builder.notebook("n", "1")
    builder.pipeline("stages: {a: {notebook: notebooks/n.ipynb}}\n")
    return builder.project


def begun(run: str, *, kind: str = "run", parent: str = "", pid: int = 0, at: float = 1.0) -> RunStarted:
    plan = {"stages": [{"id": "a", "notebook": "notebooks/n.ipynb"}]}
    origin = Origin(pid=pid, host=socket.gethostname())
    return RunStarted(run=run, at=at, pipeline="p", plan=plan, kind=kind, parent=parent, origin=origin)


def ended(*runs: str) -> list[Event]:
    return [RunEnded(run=run, at=2.0, status=Status.COMPLETED) for run in runs]


def whole(project: Project, runs: Sequence[RunStarted]) -> None:
    project.journal.append([*runs, *ended(*(run.run for run in runs))])


def test_points_of_a_sweep_take_no_place_in_the_list_of_runs(project: Project) -> None:
    names = [f"point{at}" for at in range(POINTS + 20)]
    whole(project, [begun("first"), begun("second"), begun("sweep", kind="sweep")])
    whole(project, [begun(name, parent="sweep") for name in names])
    whole(project, [begun("last")])
    reply = runs_reply(project, "p", 3)
    assert [run.id for run in reply.runs] == ["last", *reversed(names[20:]), "sweep", "second"]
    assert (reply.more, reply.points) == (True, {"sweep": POINTS + 20})
    assert [run.id for run in runs_reply(project, None, 4).runs][-2:] == ["second", "first"]
    assert runs_reply(project, None, 4).more is False
    assert [runs_reply(project, name, 3).older for name in ("p", None)] == [1, 1]
    assert runs_reply(project, None, 4).older == 0
    whole(project, [begun(f"run{at}") for at in range(MAX_RUNS)])
    reply = runs_reply(project, "p", MAX_RUNS + 300)
    assert (len(reply.runs), reply.older, reply.most) == (MAX_RUNS, 4, MAX_RUNS)
    assert runs_reply(project, "other", 4).runs == ()


def test_a_sweep_that_goes_on_is_seen_between_two_of_its_points(project: Project) -> None:
    request = RunRequest(pipeline="p")
    check(project, request)
    project.journal.begin(begun("sweep", kind="sweep"), HERE, alive)
    whole(project, [begun("point", parent="sweep")])
    with pytest.raises(PipelineBusy, match="'p' is being run already: sweep"):
        check(project, request)
    project.journal.append(ended("sweep"))
    check(project, request)


def test_the_run_of_a_process_is_found_however_many_followed(project: Project) -> None:
    processes = Processes()
    started = processes.start(project, ["--help"])
    assert started.run is None
    later = 4e9  # of this process, and not of one that had its number before
    whole(project, [begun("before", pid=started.pid, at=1.0), begun("mine", pid=started.pid, at=later)])
    whole(project, [begun(f"later{at}", pid=1, at=later) for at in range(60)])
    assert processes.look(project, started.pid).run == "mine"


def test_following_an_attempt_does_not_read_the_events_of_its_run_again(
    project: Project, builder: ProjectBuilder
) -> None:
    folder = ".stagebook/runs/r/a/1"
    whole(project, [begun("r")])
    project.journal.append([AttemptStarted(run="r", at=1.5, stage="a", attempt=1, folder=folder)])
    log = builder.file(f"{folder}/log.txt", "one\n")
    builder.file(f"{folder}/notebook.ipynb", '{"cells": []}')
    run, attempts = project.history.find("r"), Attempts()
    first = log_reply(project, run, "a", 1, 0, attempts)
    assert first.text == "one\n"
    alter(project.journal.path, "DELETE FROM events WHERE run = 'r'")
    log.write_text("one\ntwo\n")
    assert log_reply(project, run, "a", 1, first.next, attempts).text == "two\n"
    assert notebook_reply(project, run, "a", 1, attempts=attempts).content == {"cells": []}
    with pytest.raises(RunNotFound):
        log_reply(project, run, "a", None, 0, attempts)  # the latest one may have become another
    (builder.root / folder / "log.txt").unlink()
    (builder.root / folder / "log.txt").symlink_to(builder.root / "stagebook.toml")
    with pytest.raises(RunNotFound):
        log_reply(project, run, "a", 1, 0, attempts)


def test_projects_beyond_the_most_that_are_listed_are_told_of(tmp_path: Path) -> None:
    for at in range(MAX_PROJECTS):
        (tmp_path / f"p{at:03}" / "pipelines").mkdir(parents=True)
    assert (len(projects_reply(tmp_path).projects), projects_reply(tmp_path).more) == (MAX_PROJECTS, False)
    (tmp_path / "q" / "pipelines").mkdir(parents=True)
    assert (len(projects_reply(tmp_path).projects), projects_reply(tmp_path).more) == (MAX_PROJECTS, True)
