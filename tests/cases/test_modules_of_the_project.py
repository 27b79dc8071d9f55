"""A module in the folder of the project that is called as one of Python's own is none of the programs that Stagebook starts there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from building import ProjectBuilder
from waiting import until

pytestmark = [pytest.mark.kernel, pytest.mark.e2e]


@pytest.mark.long
def test_runs_of_schedules_and_alerts_do_not_import_it(builder: ProjectBuilder) -> None:
    rule = '[notify.people]\ncommand = "tee -a told.txt"\non = ["failure"]\nenvironments = ["dev"]\n'
    builder.file("stagebook.toml", f"[tracking]\nenabled = false\n{rule}")
    builder.file("json.py", "raise RuntimeError('a module of the project')\n")
    builder.notebook("a", "open('ran.txt', 'w').close()\n1 / 0")
    builder.pipeline(
        "schedules: {daily: {every: 1d}}\nstages: {a: {notebook: notebooks/a.ipynb, executor: kernel}}"
    )
    program = Path(sys.executable).with_name(
        "stagebook"
    )  # with `-m`, this test itself would look in the folder
    subprocess.run([program, "schedule", "trigger", "daily"], cwd=builder.root, check=True, timeout=60)
    until(lambda: any(run.ended for run in builder.project.journal.runs.latest()), 60, "the run ends")
    told = builder.root / "told.txt"
    until(lambda: told.exists() and told.read_text(), 60, "somebody is told")
    assert "division by zero" in told.read_text() or "a failed" in told.read_text()
