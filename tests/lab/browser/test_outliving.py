"""A run outlives the server that started it, however the server ends."""

from __future__ import annotations

import os
import signal
import time

import pytest

from stagebook.project import Project


@pytest.mark.e2e
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_outlives_its_server(fresh_lab, number: signal.Signals) -> None:
    started = fresh_lab.ask("runs", {"pipeline": "demo", "params": {"pause": 3.0}})
    while fresh_lab.ask(f"processes/{started['pid']}")["run"] is None:
        time.sleep(0.1)
    os.killpg(fresh_lab.process.pid, number)
    fresh_lab.process.wait(timeout=30)
    with Project.open(fresh_lab.project.root) as project:
        (run,) = project.runs()
        assert run.ended is None
        until = time.monotonic() + 90
        while project.find_run(run.id).ended is None:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert project.find_run(run.id).status == "completed"
