"""A run does not depend on its screen: streams that are closed, full, cut short, or of another encoding."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

from building import ProjectBuilder
from commands import PLATFORM, environment
from stagebook.events import Status

pytestmark = pytest.mark.e2e


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    """A project of one stage, which completes, and of one that fails with a text that is no Unicode."""
    builder.without_tracking()
    builder.notebook("good", "print('done')")
    builder.notebook("bad", r"raise ValueError('caf\udce9 \x1b[2J \u202e')")
    builder.pipeline("stages: {good: {notebook: notebooks/good.ipynb, executor: inprocess}}", "good")
    builder.pipeline("stages: {bad: {notebook: notebooks/bad.ipynb, executor: inprocess}}", "bad")
    return builder


def shell(project: ProjectBuilder, line: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A line of a shell, in which `stagebook` is the command."""
    command = f'stagebook() {{ {shlex.quote(sys.executable)} -m stagebook "$@"; }}; {line}'
    return subprocess.run(
        ["bash", "-c", command],
        cwd=project.root,
        env={**environment(PYTHONPATH=PLATFORM), **more},
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("stagebook run good >/dev/full", {}),
        ("stagebook run good --json >/dev/full", {}),
        ("stagebook run good >&-", {}),
        ("stagebook run good <&- >&- 2>&-", {}),
        ("stagebook run good", {"PYTHONIOENCODING": "ascii"}),
        ("stagebook run good", {"PYTHONIOENCODING": "latin-1"}),
        ("stagebook run good", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
        ("stagebook run good | true; exit ${PIPESTATUS[0]}", {}),
        ("stagebook run good | head -1; exit ${PIPESTATUS[0]}", {}),
        ("stagebook sweep good 2>/dev/null || stagebook run good | head -1; exit ${PIPESTATUS[0]}", {}),
    ],
)
def test_a_run_completes_whatever_its_screen_is(
    project: ProjectBuilder, line: str, more: dict[str, str]
) -> None:
    done = shell(project, line, **more)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert [run.status for run in project.project.history.runs("good")] == [Status.COMPLETED]


@pytest.mark.parametrize(
    "line", ["stagebook run bad", "stagebook run bad >/dev/full", "stagebook run bad | true"]
)
@pytest.mark.long
def test_a_failure_is_one_whatever_its_text_and_screen(project: ProjectBuilder, line: str) -> None:
    done = shell(project, f"{line}; exit ${{PIPESTATUS[0]}}", PYTHONIOENCODING="utf-8")
    assert (done.returncode, "Traceback (most recent call last)" in done.stderr) == (1, False), done.stderr
    assert [run.status for run in project.project.history.runs("bad")] == [Status.FAILED]
    for command in ("runs", "status", "logs latest", "logs latest bad"):
        shown = shell(project, f"stagebook {command}")
        assert (shown.returncode, "Traceback (most recent call last)" in shown.stderr) == (0, False), (
            shown.stderr
        )


@pytest.mark.long
def test_what_a_notebook_says_steers_no_terminal(project: ProjectBuilder) -> None:
    done = shell(project, "stagebook run bad; stagebook status; stagebook logs latest")
    assert "caf" in done.stdout
    assert not {"\x1b", "\u202e"} & set(done.stdout + done.stderr)


@pytest.mark.parametrize("command", ["runs", "status", "check", "plan good", "logs latest", "why good"])
@pytest.mark.long
def test_a_reader_that_has_seen_enough_is_no_error(project: ProjectBuilder, command: str) -> None:
    assert shell(project, "stagebook run good").returncode == 0
    done = shell(project, f"stagebook {command} | true; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (0, "")
