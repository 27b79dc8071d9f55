"""MLflow's pages: started once somebody asks for them, on loopback, and ended with the server."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from stagebook.errors import UsageError
from stagebook.journal.journal import RunRecord, attempt_key
from stagebook.project import Project
from stagebook_lab import wire

END = 8.0  # seconds that MLflow has to end; its own command takes 5 at most
# Runs `stagebook ui`, and ends it once standard input does: when the server is gone, however it went.
_UI = """
import os, signal, sys, threading
def watch():
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=watch, daemon=True).start()
from stagebook.cli import main
sys.argv[1:] = ["ui", "--json"]
sys.exit(main())
"""


class Servers:
    """The MLflow servers of a Jupyter Server, one a project."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: dict[Path, tuple[subprocess.Popen[bytes], str]] = {}

    def url(self, project: Project) -> str:
        """Where the pages of a project are; they are started if they are not there.

        Raises:
            UsageError: tracking is switched off, or MLflow did not start.
        """
        with self._lock:
            process, url = self._started.get(project.root, (None, ""))
            if process is None or process.poll() not in {None, 0}:
                self._started[project.root] = process, url = _start(project)
            return url

    def stop(self) -> None:
        """End all of them."""
        with self._lock:
            for process, _ in self._started.values():
                _end(process)
            self._started.clear()


def _start(project: Project) -> tuple[subprocess.Popen[bytes], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _UI],
        cwd=project.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        said = json.loads(process.stdout.readline() or b"{}")
    except ValueError:
        said = {}
    if "url" not in said:
        _end(process)
        raise UsageError(str(said.get("error", "MLflow did not start")), hint=str(said.get("hint", "")))
    return process, str(said["url"])


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=END)
            break
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def mlflow_reply(
    project: Project, runs: Sequence[RunRecord], request: wire.MlflowRequest, url: str
) -> wire.MlflowReply:
    """Where MLflow shows a stage, a run, or several runs side by side; else where it begins."""
    if request.stage and len(runs) == 1:
        attempt = request.attempt or project.stage_of(runs[0], request.stage).attempt
        keys = [attempt_key(runs[0].id, request.stage, attempt)]
    else:
        keys = [run.id for run in runs]
    found = [place for key in keys if (place := project.journal.tracked(key)) is not None]
    if len(found) == 1:
        where = f"/experiments/{found[0][0]}/runs/{found[0][1]}"
    elif found:
        names = json.dumps([run for _, run in found], separators=(",", ":"))
        experiments = json.dumps(sorted({experiment for experiment, _ in found}), separators=(",", ":"))
        where = f"/compare-runs?runs={names}&experiments={experiments}"
    else:
        where = "/"
    return wire.MlflowReply(url=f"{url.rstrip('/')}/#{where}", found=len(found) == len(keys))
