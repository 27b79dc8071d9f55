"""Odd environments: a temporary folder that is relative, an interpreter that is to be inspected."""

from __future__ import annotations

import os

import pytest

from building import ProjectBuilder
from commands import environment, stagebook
from stagebook.events import Status

pytestmark = pytest.mark.e2e


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    """A project with a stage for each executor, and a folder to call from."""
    path = builder.notebook("a", "import tempfile\ntempfile.TemporaryFile().close()\nprint('done')")
    stages = [f"  {name}: {{notebook: {path}, executor: {name}}}" for name in ("kernel", "inprocess")]
    builder.pipeline("\n".join(["stages:", *stages]))
    builder.file("below/keep")
    return builder


@pytest.mark.parametrize("fork", [True, False])
@pytest.mark.long
def test_a_temporary_folder_may_be_relative(project: ProjectBuilder, *, fork: bool) -> None:
    project.file("stagebook.toml", f"[tracking]\nenabled = false\n[run]\nfork = {str(fork).lower()}\n")
    before = sorted(os.listdir("/"))
    done = stagebook(project.root / "below", "run", env=environment(TMPDIR="."))
    assert (done.returncode, done.stderr) == (0, "")
    assert [run.status for run in project.project.history.runs()] == [Status.COMPLETED]
    assert os.listdir(project.root / "below") == ["keep"]
    assert sorted(os.listdir("/")) == before


@pytest.mark.parametrize("fork", [True, False])
@pytest.mark.long
def test_an_exit_is_no_error_where_the_interpreter_is_to_be_inspected(
    project: ProjectBuilder, *, fork: bool
) -> None:
    project.file("stagebook.toml", f"[tracking]\nenabled = false\n[run]\nfork = {str(fork).lower()}\n")
    env = environment(PYTHONINSPECT="1")
    done = stagebook(project.root, "run", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert not any(log.read_text() for log in project.root.glob(".stagebook/**/worker.txt"))
    assert not (project.root / ".stagebook/forkserver.log").exists()
    assert stagebook(project.root, "run", "nothing", env=env).returncode == 2
