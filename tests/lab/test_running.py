"""What a request becomes on the command line, and whom a cancel reaches."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from stagebook.cli.app import app
from stagebook.errors import UsageError
from stagebook.events import Status
from stagebook.record.journal import RunRecord
from stagebook_lab.running import arguments, cancel
from stagebook_lab.wire import RunRequest

words = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=8) | st.sampled_from(
    ["--help", "-p", "--", "-k", "--jobs=9", "--params-file=/etc/passwd", "-C", "a b", "*", "x=y"]
)
names = st.lists(words, max_size=3).map(tuple)


@given(
    st.builds(
        RunRequest,
        pipeline=words,
        stages=names,
        start=names,
        only=names,
        skip=names,
        params=st.dictionaries(words, words, max_size=2),
        jobs=st.none() | st.integers(1, 9),
        force=st.booleans(),
    )
)
def test_nothing_in_a_request_is_taken_for_an_option(request: RunRequest) -> None:
    command = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    context = command.make_context("run", arguments(request)[1:])
    found: dict[str, Any] = context.params
    assert found["pipeline"] == request.pipeline
    assert tuple(found["stages"] or ()) == request.stages
    assert tuple(found["from_"] or ()) == request.start
    assert tuple(found["only"] or ()) == request.only
    assert tuple(found["skip"] or ()) == request.skip
    assert list(found["params"] or ()) == [f"{name}={value}" for name, value in request.params.items()]
    assert found["params_file"] in {None, ()} or list(found["params_file"]) == []
    assert (found["jobs"], found["force"], found["keep_going"]) == (request.jobs, request.force, False)


def record(**origin: Any) -> RunRecord:
    fields: dict[str, Any] = {
        "id": "r", "pipeline": "p", "status": Status.RUNNING, "reason": "", "started": time.time(),
        "ended": None, "params": {}, "origin": {"host": socket.gethostname(), **origin},
    }  # fmt: skip
    return RunRecord(**fields)


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def test_a_cancel_reaches_the_process_of_the_run() -> None:
    process = sleeper()
    try:
        assert cancel(record(pid=process.pid)).pid == process.pid
        assert process.wait(timeout=10) == -signal.SIGTERM
    finally:
        process.kill()


def test_a_process_that_only_has_the_number_is_left_alone() -> None:
    run = record(pid=0)
    time.sleep(2.5)  # the clocks of processes are coarse
    process = sleeper()
    try:
        with pytest.raises(UsageError, match="is gone"):
            cancel(
                RunRecord(
                    **{
                        **{name: getattr(run, name) for name in RunRecord.__slots__},
                        "origin": {**run.origin, "pid": process.pid},
                    }
                )
            )
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_one_that_is_gone_or_elsewhere_is_told() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(UsageError, match="is gone"):
        cancel(record(pid=process.pid))
    with pytest.raises(UsageError, match="on another machine, far-away"):
        cancel(record(pid=os.getpid(), host="far-away"))
