"""A run outlives the server that started it, however the server ends."""

from __future__ import annotations

import os
import signal

import pytest

from lab.server import Lab, until
from stagebook.project import Project


@pytest.mark.e2e
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.long
def test_a_run_outlives_its_server(own_lab: Lab, number: signal.Signals) -> None:
    started = own_lab.ask("runs", {"pipeline": "demo", "params": {"pause": 3.0}})
    until(lambda: own_lab.ask(f"processes/{started['pid']}")["run"] is not None)
    os.killpg(own_lab.process.pid, number)
    own_lab.process.wait(timeout=30)
    with Project.open(own_lab.project.root) as project:
        (run,) = project.history.runs()
        assert run.ended is None
        until(lambda: project.history.find(run.id).ended is not None)
        assert project.history.find(run.id).status == "completed"
