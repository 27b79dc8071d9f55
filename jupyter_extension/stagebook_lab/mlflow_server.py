"""MLflow's pages: started on loopback when they are first asked for, ended with Jupyter Server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from stagebook.errors import UsageError
from stagebook.journal.journal import RunRecord, attempt_key
from stagebook.project import Project
from stagebook.system.processes import end_group
from stagebook_lab import wire

END = 8.0  # seconds that MLflow has to end; `stagebook ui` itself waits for 5 s
# Runs `stagebook ui`, and ends it when standard input ends: Jupyter Server is gone, however it ended.
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


class MlflowServers:
    """The MLflow servers that a Jupyter Server started, one for each project."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: dict[Path, tuple[subprocess.Popen[bytes], str]] = {}

    def url(self, project: Project) -> str:
        """The URL of the pages of a project; their server is started if none is up.

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
        answer = json.loads(process.stdout.readline() or b"{}")
    except ValueError:
        answer = {}
    if "url" not in answer:
        _end(process)
        raise UsageError(str(answer.get("error", "MLflow did not start")), hint=str(answer.get("hint", "")))
    return process, str(answer["url"])


def _end(process: subprocess.Popen[bytes]) -> None:
    end_group(process, grace=END)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def mlflow_reply(
    project: Project, runs: Sequence[RunRecord], request: wire.MlflowRequest, url: str
) -> wire.MlflowReply:
    """The page of a stage, of a run, or of several runs side by side; MLflow's first page otherwise. `url` is
    that of MLflow's server."""
    if request.stage and len(runs) == 1:
        attempt = request.attempt or project.history.stage(runs[0], request.stage).attempt
        keys = [attempt_key(runs[0].id, request.stage, attempt)]
    else:
        keys = [run.id for run in runs]
    found = [place for key in keys if (place := project.journal.outbox.tracked(key)) is not None]
    if len(found) == 1:
        where = f"/experiments/{found[0][0]}/runs/{found[0][1]}"
    elif found:
        names = json.dumps([run for _, run in found], separators=(",", ":"))
        experiments = json.dumps(sorted({experiment for experiment, _ in found}), separators=(",", ":"))
        where = f"/compare-runs?runs={names}&experiments={experiments}"
    else:
        where = "/"
    return wire.MlflowReply(url=f"{url.rstrip('/')}/#{where}", found=len(found) == len(keys))
