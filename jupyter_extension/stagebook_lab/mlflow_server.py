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
from stagebook.system.logins import without_login
from stagebook.system.processes import end_group
from stagebook.tracking.pages import comparison_page, experiments_page, run_page
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
    """The MLflow servers that a Jupyter Server started, one for each project. Nothing here waits until one is up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: dict[Path, _Server] = {}

    def url(self, project: Project) -> str | None:
        """The URL of the pages of a project; `None` while their server starts. One is started where none is up.

        Raises:
            UsageError: tracking is switched off, or MLflow did not start. Asked again, it is started again.
        """
        uri = project.tracking_uri
        if uri is None:
            msg = "tracking is switched off in the settings"
            raise UsageError(msg, hint="set tracking.enabled to true")
        if uri.startswith(("http:", "https:")):
            return without_login(uri)
        with self._lock:
            server = self._servers.get(project.root)
            if server is not None and (server.uri != uri or server.has_vanished):
                self._let_go(project.root)
                server = None
            if server is None:
                server = self._servers[project.root] = _Server(project, uri)
            if server.error is not None:
                self._let_go(project.root)
                raise server.error
            return server.url

    def _let_go(self, root: Path) -> None:
        """End the server of a project, without waiting for that."""
        server = self._servers.pop(root)
        threading.Thread(target=server.end, name="stagebook-mlflow-end", daemon=True).start()

    def stop(self) -> None:
        """End all of them, also those that start."""
        with self._lock:
            servers = list(self._servers.values())
            self._servers.clear()
        for server in servers:
            server.end()


class _Server:
    """The server of a project whose store is at `uri`; a thread reads what it says of itself."""

    def __init__(self, project: Project, uri: str) -> None:
        self.uri = uri
        self.url: str | None = None
        self.error: UsageError | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-c", _UI],
            cwd=project.root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._reading = threading.Thread(target=self._read, name="stagebook-mlflow", daemon=True)
        self._reading.start()

    @property
    def has_vanished(self) -> bool:
        """Whether it was up and is not any more."""
        return self.url is not None and self._process.poll() is not None

    def end(self) -> None:
        """End it, and wait for that."""
        end_group(self._process, grace=END)
        self._reading.join(END)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        try:
            answer = json.loads(self._process.stdout.readline() or b"{}")
        except ValueError:
            answer = {}
        if "url" in answer:
            self.url = str(answer["url"])
        else:
            self.error = UsageError(
                str(answer.get("error", "MLflow did not start")), hint=str(answer.get("hint", ""))
            )


def mlflow_reply(
    project: Project, runs: Sequence[RunRecord], request: wire.MlflowRequest, url: str | None
) -> wire.MlflowReply:
    """The page of a stage, of a run, or of several runs side by side; where MLflow has none of them that of their
    pipeline, and else of all experiments. `url` is that of MLflow's server; `None` while it starts."""
    if request.stage and len(runs) == 1:
        attempt = request.attempt or project.history.stage(runs[0], request.stage).attempt
        keys = [attempt_key(runs[0].id, request.stage, attempt)]
    else:
        keys = [run.id for run in runs]
    found = [place for key in keys if (place := project.journal.outbox.tracked(key)) is not None]
    if url is None:
        return wire.MlflowReply(url="", found=len(found) == len(keys), starting=True)
    if len(found) == 1:
        page = run_page(url, *found[0])
    elif found:
        page = comparison_page(url, [experiment for experiment, _ in found], [run for _, run in found])
    else:
        experiments = (project.history.experiment(name) for name in {run.pipeline for run in runs})
        page = experiments_page(url, next(filter(None, experiments), None))
    return wire.MlflowReply(url=page, found=len(found) == len(keys))
