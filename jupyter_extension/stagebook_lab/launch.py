"""Starting and cancelling runs. A run is a process of its own, in a session of its own: it needs
neither the browser nor the server."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from typing import IO

from stagebook.errors import PipelineBusy, PipelineInvalid, RunNotFound, UsageError
from stagebook.journal.journal import RunRecord
from stagebook.pipeline.params import parse_pairs
from stagebook.planning.select import Selection
from stagebook.project import Given, Ordered, Project
from stagebook.runs import cancel as cancelling
from stagebook.runs.grid import grid_of
from stagebook.system.processes import started_at
from stagebook_lab.forms import pairs_of
from stagebook_lab.wire import CancelReply, ProcessReply, RunRequest

MAX_SAID = 4_000  # characters at the end of what a process said
SLACK = 1.0  # seconds by which the clocks of a process and of the journal may differ
_NOT_FOR_RUNS = ("JPY_PARENT_PID", "JPY_SESSION_NAME", "JPY_API_TOKEN", "JUPYTER_TOKEN")


def order(project: Project, request: RunRequest) -> Ordered:
    """Plan what is asked for; of a sweep, its first point.

    Raises:
        StagebookError: as `Project.order`.
    """
    given = Given(pairs=pairs_of(request.texts), values=request.params)
    if request.sweep:
        loaded = project.load(request.pipeline)
        values, problems = parse_pairs(loaded.pipeline, given.pairs, lists=True)
        if problems:
            raise PipelineInvalid([*loaded.problems, *problems])
        grid = grid_of(loaded.pipeline, {**values, **given.values})
        for point in grid.points()[1:]:
            project.check_params(request.pipeline, Given(values={**grid.fixed, **point}))
        given = Given(values={**grid.fixed, **grid.points()[0]})
    selection = Selection(targets=request.stages, start=request.start, only=request.only, skip=request.skip)
    forced = (request.stages or request.only) if request.force else None
    return project.order(request.pipeline, given, selection, forced=forced)


def check(project: Project, request: RunRequest) -> None:
    """Plan what is asked for, so that every mistake is told before anything starts.

    Raises:
        StagebookError: as `order`, `UsageError` for the number of jobs, and `PipelineBusy`.
    """
    if request.jobs is not None and request.jobs < 1:
        msg = f"--jobs has to be 1 or more, not {request.jobs}"
        raise UsageError(msg)
    _check_idle(project, order(project, request).plan.pipeline)


def check_rest(project: Project, run: RunRecord, *, keep: bool, failed_only: bool) -> None:
    """Plan what is left of a run.

    Raises:
        StagebookError: as `Project.order_rest`, and `PipelineBusy`.
    """
    if run.kind != "sweep":  # what is left of one, its points say
        project.order_rest(run, failed_only=failed_only, keep=keep)
    _check_idle(project, run.pipeline)


def _check_idle(project: Project, pipeline: str) -> None:
    if project.has_journal:
        project.close_ghosts()
    for run in project.runs(pipeline, limit=1):
        if run.ended is None:
            msg = f"'{pipeline}' is being run already: {run.id}"
            raise PipelineBusy(msg, hint="wait for it, or cancel it")


def arguments(request: RunRequest) -> list[str]:
    """The command line that does what a request asks for. No text of a request is taken for an option."""
    words = ["run"]
    for option, names in (("from", request.start), ("only", request.only), ("skip", request.skip)):
        words += [f"--{option}={name}" for name in names]
    for name, value in request.params.items():
        text = value if isinstance(value, str) else json.dumps(value)
        words.append(f"--param={name}={text}")
    words += [f"--param={pair}" for pair in pairs_of(request.texts)]
    if request.jobs is not None:
        words.append(f"--jobs={request.jobs}")
    flags = {
        "--keep-going": request.keep_going,
        "--force": request.force,
        "--sweep": request.sweep,
        "--keep-kernel": request.keep_kernel,
        "--debug-on-failure": request.debug,
    }
    words += [flag for flag, wanted in flags.items() if wanted]
    places = [request.pipeline, *request.stages]
    return [*words, *(["--"] if any(place.startswith("-") for place in places) else []), *places]


class Processes:
    """The processes that this server started. They are forgotten when it ends, and go on."""

    def __init__(self) -> None:
        self._started: dict[int, _Started] = {}

    def start(self, project: Project, words: Sequence[str]) -> int:
        """Start a command that runs something; the id of its process."""
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_RUNS}
        # What it says is in a file without a name: it is there as long as either process is.
        said = tempfile.TemporaryFile()  # noqa: SIM115 - the thread below closes it
        process = subprocess.Popen(
            [sys.executable, "-m", "stagebook", *words],
            cwd=project.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        started = _Started(process, said, shlex.join(["stagebook", *words]))
        self._started[process.pid] = started
        threading.Thread(target=started.wait, name=f"stagebook-{process.pid}", daemon=True).start()
        return process.pid

    def look(self, project: Project, pid: int) -> ProcessReply:
        """What became of a process. Raises `RunNotFound`."""
        started = self._started.get(pid)
        if started is None:
            msg = f"this server did not start a process {pid}"
            raise RunNotFound(msg)
        code, message = started.ended or (None, "")
        run = started.run or _run_of(project, pid, started.at)
        started.run = run
        return ProcessReply(pid=pid, command=started.command, run=run, exit_code=code, message=message)


class _Started:
    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes], command: str) -> None:
        self._process = process
        self._said = said
        self.command = command
        self.at = started_at(process.pid) or 0.0
        self.run: str | None = None
        self.ended: tuple[int, str] | None = None

    def wait(self) -> None:
        """Wait for its end, and keep the end of what it said."""
        code = self._process.wait()
        with self._said as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MAX_SAID))
            text = file.read().decode(errors="replace")
        self.ended = (code, text.strip())


def _run_of(project: Project, pid: int, since: float) -> str | None:
    """The run of a process that was started at a time, once the journal has it."""
    host = socket.gethostname()
    for run in project.runs(limit=20):
        origin = run.origin
        if (
            not run.parent
            and origin.get("pid") == pid
            and origin.get("host") == host
            and run.started >= since - SLACK
        ):
            return run.id
    return None


def cancel(project: Project, run: RunRecord) -> CancelReply:
    """Ask the process of a run to stop. Asked again, it ends at once. Raises as `cancelling.cancel`."""
    return CancelReply(run=run.id, pid=cancelling.cancel(project, run).pid)
