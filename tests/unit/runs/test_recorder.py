"""The events of a run, and those who are told of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import pytest

from building import ProjectBuilder
from executing import ExecEngine
from stagebook.events import Event, RunEnded, Status
from stagebook.project import Project


@pytest.fixture
def project(builder: ProjectBuilder) -> Iterator[Project]:
    """A project of one stage."""
    builder.without_tracking()
    builder.notebook("a", "x = 1")
    builder.pipeline("stages: {a: {notebook: notebooks/a.ipynb}}")
    return builder.project


def fails(_events: Sequence[Event]) -> None:
    raise ValueError("the listener's own fault")


def test_a_listener_that_fails_is_left_out(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    told: list[Event] = []
    with caplog.at_level(logging.WARNING):
        report = project.run("p", listeners=[fails, told.extend], engine=ExecEngine())
    assert report.status is Status.COMPLETED
    assert isinstance(told[-1], RunEnded)
    assert [record.getMessage() for record in caplog.records] == [
        "the run goes on without one that was told of it, which failed: ValueError: the listener's own fault"
    ]


class Refusing(ExecEngine):
    """An engine that breaks down."""

    def start(self, *_anything: object) -> None:  # type: ignore[override]
        raise RuntimeError("no engine")


def test_a_run_ends_on_every_way_out(project: Project) -> None:
    with pytest.raises(RuntimeError, match="no engine"):
        project.run("p", engine=Refusing())
    (run,) = project.history.runs()
    assert (run.status, run.reason) == (Status.INTERRUPTED, "RuntimeError: no engine")
    assert project.journal.leases.owners() == []
    assert project.run("p", engine=ExecEngine()).status is Status.COMPLETED


def test_an_interrupt_in_a_listener_ends_the_run_and_is_raised(project: Project) -> None:
    def interrupt(_events: Sequence[Event]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        project.run("p", listeners=[interrupt], engine=ExecEngine())
    assert [run.status for run in project.history.runs()] == [Status.INTERRUPTED]
    assert project.journal.leases.owners() == []
