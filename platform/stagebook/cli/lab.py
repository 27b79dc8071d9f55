"""`stagebook lab`: JupyterLab on this project, on this machine alone."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from stagebook.errors import ExitCode, UsageError
from stagebook.project import Project
from stagebook.workspace.paths import STATE_FOLDER

END = 10.0  # seconds that JupyterLab has to end


def lab(port: int | None, *, open_browser: bool, more: Sequence[str]) -> int:
    """Run JupyterLab until it, or this process, ends; the exit code. `more` are options of JupyterLab."""
    project = Project.open()
    for module in ("jupyterlab", "stagebook_lab"):
        if importlib.util.find_spec(module) is None:
            msg = "JupyterLab is not installed here"
            raise UsageError(msg, hint='pip install "stagebook[lab]"')
    # Its processes are in a group of their own, so that a Ctrl-C here reaches them once, and from here.
    server = subprocess.Popen(
        [*command(project, port, open_browser=open_browser), *more], cwd=project.root, start_new_session=True
    )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return server.wait()
    except KeyboardInterrupt:
        return ExitCode.OK
    finally:
        _end(server)


def command(project: Project, port: int | None, *, open_browser: bool) -> list[str]:
    """What starts JupyterLab for a project: loopback, its root as root, kernels that were kept."""
    kernels = project.root / STATE_FOLDER / "kernels"
    return [
        sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={project.root}",
        "--ServerApp.jpserver_extensions={'stagebook_lab': True, 'ploomber_extension': False}",
        "--ServerApp.allow_external_kernels=True", f"--ServerApp.external_connection_dir={kernels}",
        *([] if port is None else [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]),
        *([] if open_browser else ["--no-browser"]),
    ]  # fmt: skip


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _end(server: subprocess.Popen[bytes]) -> None:
    """End JupyterLab and its kernels; runs are in sessions of their own, and go on."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if server.poll() is not None:
            return
        os.killpg(server.pid, number)
        try:
            server.wait(timeout=END)
        except subprocess.TimeoutExpired:
            continue
