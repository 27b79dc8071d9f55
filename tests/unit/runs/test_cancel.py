"""Whom `cancel` reaches, and whom not."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stagebook.errors import RunNotFound, UsageError
from stagebook.events import RunEnded, RunStarted, Status
from stagebook.journal.journal import Liveness, Owner
from stagebook.origin import Origin
from stagebook.runs.cancel import cancel, going_on, who_cancelled
from stagebook.runs.history import History
from stagebook.runs.lease import _look, this_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[History]:
    made = History(tmp_path)
    (tmp_path / ".stagebook").mkdir()
    yield made
    made.journal.close()


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        yield started
        started.kill()


def owner_of(process: subprocess.Popen[bytes], start: str = "") -> Owner:
    here = this_process()
    mark = " ".join([*here.mark.split(" ")[:2], start or _look(process.pid)[1]])
    return dataclasses.replace(here, pid=process.pid, mark=mark)


def begin(archive: History, owner: Owner, run: str = "one", pipeline: str = "p") -> None:
    event = RunStarted(run=run, at=0.0, pipeline=pipeline, plan={})
    archive.journal.begin(event, owner, lambda _: Liveness.ALIVE)


def test_the_process_of_the_run_is_asked_to_stop(archive: History, process: subprocess.Popen[bytes]) -> None:
    begin(archive, owner_of(process))
    run = going_on(archive)
    assert cancel(archive, run).pid == process.pid
    assert process.wait(10) == -signal.SIGTERM
    with pytest.raises(UsageError, match="the process of the run one is gone"):
        cancel(archive, run)


def test_who_asked_is_known_to_the_process_of_the_run_or_of_its_sweep(
    archive: History, process: subprocess.Popen[bytes]
) -> None:
    begin(archive, owner_of(process))
    assert who_cancelled(archive.root, ("one", "")) == "", "nobody did"
    cancel(archive, going_on(archive), by="Ada Lovelace")
    assert who_cancelled(archive.root, ("one", "")) == "Ada Lovelace"
    assert who_cancelled(archive.root, ("a-point", "one")) == "Ada Lovelace"
    assert who_cancelled(archive.root, ("another", "")) == ""


def test_another_process_that_has_its_number_is_left_alone(
    archive: History, process: subprocess.Popen[bytes]
) -> None:
    begin(archive, owner_of(process, start="1"))
    run = archive.journal.runs.latest()[0]
    with pytest.raises(UsageError, match="is gone"):
        cancel(archive, run)
    assert process.poll() is None


def test_one_that_is_elsewhere_or_over_is_told(archive: History, process: subprocess.Popen[bytes]) -> None:
    begin(archive, dataclasses.replace(owner_of(process), host="far-away"))
    run = archive.journal.runs.latest()[0]
    with pytest.raises(UsageError, match="on another machine, far-away") as elsewhere:
        cancel(archive, run)
    assert elsewhere.value.hint == f"there: kill {process.pid}"
    archive.journal.append([RunEnded(run="one", at=1.0, status=Status.FAILED)])
    with pytest.raises(UsageError, match="the run one is over: failed"):
        cancel(archive, archive.journal.runs.latest()[0])
    assert process.poll() is None


def test_which_run_is_meant(archive: History, process: subprocess.Popen[bytes]) -> None:
    with pytest.raises(RunNotFound, match="no run goes on"):
        going_on(archive)
    begin(archive, owner_of(process), "one", "p")
    begin(archive, owner_of(process), "two", "q")
    with pytest.raises(UsageError, match="2 runs go on: one, two"):
        going_on(archive)
    assert going_on(archive, "q").id == "two"
    assert going_on(archive, "one").id == "one"
    with pytest.raises(RunNotFound, match="no run 'other' goes on, and none of a pipeline of that name"):
        going_on(archive, "other")


def test_a_run_within_another_program_is_not_signalled(
    archive: History, process: subprocess.Popen[bytes]
) -> None:
    """Such as one that a thread of a server started: the signal would end the whole server."""
    started = RunStarted(
        run="r", at=1.0, pipeline="p", plan={}, origin=Origin(pid=process.pid, signals=False)
    )
    archive.journal.begin(started, owner_of(process), lambda _owner: Liveness.ALIVE)
    with pytest.raises(UsageError, match=f"goes on within another program, process {process.pid}"):
        cancel(archive, archive.find("r"))
    assert process.poll() is None
