"""Stagebook, and other Python programs, as processes of their own."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import unittest.mock
from pathlib import Path
from typing import Any

import pytest

from stagebook.cli.app import run_app
from stagebook.system.this_process import THIS_PROCESS

PLATFORM = str(Path(__file__).parent.parent / "platform")
COMMAND = (sys.executable, "-m", "stagebook")


def environment(**more: str) -> dict[str, str]:
    """The environment of a process that finds Stagebook, and a tracking server only if `more` names one."""
    found = {**os.environ, "PYTHONPATH": PLATFORM, **more}
    # With the latter ipykernel does not read what child processes print.
    for name in {"MLFLOW_TRACKING_URI", "PYTEST_CURRENT_TEST"} - more.keys():
        found.pop(name, None)
    return found


def start(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """`stagebook` with these arguments, while it goes on; `options` are those of `subprocess.Popen`."""
    return subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, text=True, **{"env": environment(), **options}
    )


def skip_without_mounts() -> None:
    """Skip a test that mounts a file system of its own, where that cannot be."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("needs unshare, to mount a file system")


def stagebook(
    folder: Path, *arguments: str, env: dict[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """`stagebook` with these arguments, from its start to its end."""
    return python(folder, "-m", "stagebook", *arguments, env=env, timeout=timeout)


def looked(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The same in this process, where all is imported already: for commands that look and start nothing, in tests of what
    they say. `more` is added to the environment."""
    out, err, before = io.StringIO(), io.StringIO(), (Path.cwd(), sys.argv, THIS_PROCESS.command)
    os.chdir(folder)
    sys.argv = ["stagebook", *arguments]
    try:
        with (
            unittest.mock.patch.dict(os.environ, more),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = run_app()
    finally:
        os.chdir(before[0])
        sys.argv, THIS_PROCESS.command = before[1:]
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def python(
    folder: Path, *arguments: str, env: dict[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """This Python with these arguments, from its start to its end."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=env or environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
