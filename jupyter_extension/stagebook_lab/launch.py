"""Starting runs. Each is a process in a session of its own, which outlives the browser and the server."""

from __future__ import annotations

import dataclasses
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from typing import IO

from stagebook.errors import PipelineBusy, RunNotFound, UsageError
from stagebook.journal.journal import RunRecord
from stagebook.planning.plan import Plan
from stagebook.planning.select import Selection
from stagebook.project import Project
from stagebook.runs.request import RunRequest
from stagebook.runs.sweep import grid_for
from stagebook.system.processes import started_at
from stagebook.system.this_process import Asker
from stagebook_lab import wire
from stagebook_lab.params import pairs_of
from stagebook_lab.wire import ProcessReply, ResumeRequest

MAX_STDERR = 4_000  # bytes that are kept of the end of what a process wrote to standard error
SLACK = 1.0  # seconds by which the clocks of a process and of the journal may differ
# Variables of Jupyter Server's own process; a run must not have its token.
_NOT_FOR_RUNS = ("JPY_PARENT_PID", "JPY_SESSION_NAME", "JPY_API_TOKEN", "JUPYTER_TOKEN")


def run_request(body: wire.RunRequest) -> RunRequest:
    """The run that the body of a request asks for."""
    return RunRequest(
        pipeline=body.pipeline,
        values=body.params,
        pairs=pairs_of(body.texts),
        selection=Selection(targets=body.stages, start=body.start, only=body.only, skip=body.skip),
        force=body.force,
        jobs=body.jobs,
        keep_going=body.keep_going,
        keep_dump=body.debug,
        keep_kernel=body.keep_kernel,
        sweep=body.sweep,
        interval=body.interval.strip(),
    )


def points_of(project: Project, request: RunRequest) -> list[RunRequest]:
    """The runs that a request asks for: those of a sweep, or one.

    Raises:
        StagebookError: as `grid_for`.
    """
    if not request.sweep:
        return [request]
    grid, fixed = grid_for(project.catalog, request)
    return [dataclasses.replace(fixed, values={**grid.fixed, **point}) for point in grid.points()]


def plan(project: Project, points: Sequence[RunRequest]) -> Plan:
    """Plan the first one of runs, and check the others.

    Raises:
        StagebookError: as `Project.plan`.
    """
    first, *others = points
    for point in others:
        project.preparer.check_params(point)
    return project.plan(first)


def check(project: Project, request: RunRequest) -> None:
    """Plan what a request asks for, so that every mistake is told before anything starts.

    Raises:
        StagebookError: as `points_of` and `plan`, `UsageError` for the number of jobs, and `PipelineBusy`.
    """
    if request.jobs is not None and request.jobs < 1:
        raise UsageError(f"--jobs has to be 1 or more, not {request.jobs}")
    _check_idle(project, plan(project, points_of(project, request)).pipeline)


def check_rest(project: Project, run: RunRecord, request: ResumeRequest) -> None:
    """Plan what is left of a run, so that every mistake is told before anything starts.

    Raises:
        StagebookError: as `Preparer.prepare_rest`, and `PipelineBusy`.
    """
    if not run.is_series:  # each of its points is planned when it starts
        project.preparer.prepare_rest(run, failed_only=request.failed_only, keep=request.keep)
    _check_idle(project, run.pipeline)


def _check_idle(project: Project, pipeline: str) -> None:
    if not project.history.has_journal:
        return
    project.history.close_abandoned()
    for run in project.journal.runs.going_on(pipeline):
        msg = f"'{pipeline}' is being run already: {run.parent or run.id}"
        raise PipelineBusy(msg, hint="wait for it, or cancel it")


def rest_arguments(run: str, request: ResumeRequest) -> list[str]:
    """The words of `stagebook resume …` or `stagebook retry …` for a request."""
    command = "retry" if request.failed_only else "resume"
    return [command, run, *(["--keep"] if request.keep else [])]


class Processes:
    """The processes that this server started. They go on when it ends."""

    def __init__(self) -> None:
        self._started: dict[int, _Started] = {}

    def start(
        self,
        project: Project,
        words: Sequence[str],
        asker: Asker | None = None,
        *,
        environment: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> ProcessReply:
        """Start `stagebook WORDS` in the folder of a project, for the person who asks; in an `environment`, and with further
        `variables`."""
        variables = {
            **{name: value for name, value in os.environ.items() if name not in _NOT_FOR_RUNS},
            **(asker.environment() if asker is not None else {}),
            **({"STAGEBOOK_ENV": environment} if environment else {}),
            **(variables or {}),
        }
        # A file without a name exists as long as either process holds it, so a run can always write.
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - the thread below closes it
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "stagebook", *words],
            cwd=project.root,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
        started = _Started(process, stderr, shlex.join(["stagebook", *words]))
        self._started[process.pid] = started
        threading.Thread(target=started.wait, name=f"stagebook-{process.pid}", daemon=True).start()
        return self.look(project, process.pid)

    def look(self, project: Project, pid: int) -> ProcessReply:
        """What became of a process. Raises `RunNotFound`."""
        started = self._started.get(pid)
        if started is None:
            raise RunNotFound(f"this server did not start a process {pid}")
        code, message = started.ended or (None, "")
        run = started.run or _run_of(project, pid, started.at)
        started.run = run
        return ProcessReply(pid=pid, command=started.command, run=run, exit_code=code, message=message)


class _Started:
    def __init__(self, process: subprocess.Popen[bytes], stderr: IO[bytes], command: str) -> None:
        self._process = process
        self._stderr = stderr
        self.command = command
        self.at = started_at(process.pid) or 0.0
        self.run: str | None = None
        self.ended: tuple[int, str] | None = None  # the exit code, and the end of standard error

    def wait(self) -> None:
        """Wait for the end of the process."""
        code = self._process.wait()
        with self._stderr as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MAX_STDERR))
            text = file.read().decode(errors="replace")
        self.ended = (code, text.strip())


def _run_of(project: Project, pid: int, since: float) -> str | None:
    """The run of a process that started at `since`; `None` until the journal has it."""
    if not project.history.has_journal:
        return None
    host = socket.gethostname()
    for run in project.journal.runs.latest(limit=-1, points=False, since=since - SLACK):
        if (run.origin.pid, run.origin.host) == (pid, host):
            return run.id
    return None
