"""One run, put together: the runner on the local engine, the journal, and the way to MLflow."""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from stagebook.events import Event, RunStarted, Status
from stagebook.execution.engine import Engine
from stagebook.execution.runner import Runner, RunOptions
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.record.history import RunHistory
from stagebook.record.journal import MLFLOW, Journal, Owner, attempt_key
from stagebook.system.processes import signal_name

PATIENCE_LOCAL = 60.0  # seconds without progress; a new database takes a while to be made
PATIENCE_REMOTE = 5.0
MAX_LOG = 1_000_000  # bytes of what the delivery says; then it begins anew
WAIT_FOR_ID = 20.0  # seconds that a stage which uses mlflow waits for the id of its run

Listener = Callable[[Sequence[Event]], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What became of a run. `undelivered` counts records that MLflow has yet to get."""

    run: str
    status: Status
    history: RunHistory
    undelivered: int


class Delivery:
    """The child process that tells MLflow what happens, while a run goes on."""

    def __init__(self, journal: Journal, root: Path, uri: str) -> None:
        self._journal = journal
        self._root = root
        self.uri = uri
        self._process: subprocess.Popen[bytes] | None = None
        self._give_up = False

    def start(self, run: str | None) -> None:
        """Start to deliver: until the end of `run`, or what is pending now."""
        until = ["--until", run] if run else []
        log = self._root / ".stagebook" / "mlflow.log"
        too_long = log.exists() and log.stat().st_size > MAX_LOG
        with log.open("wb" if too_long else "ab") as stream:
            self._process = subprocess.Popen(  # this very program
                [sys.executable, "-m", "stagebook.record.deliver", str(self._root), self.uri, *until],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                cwd=self._root,
                env={**os.environ, "STAGEBOOK_PARENT": str(os.getpid())},
                start_new_session=True,
            )

    @property
    def runs(self) -> bool:
        """Whether it is at work."""
        return self._process is not None and self._process.poll() is None

    def give_up(self) -> None:
        """Do not wait any longer."""
        self._give_up = True

    def finish(self, patience: float | None = None) -> int:
        """Wait as long as it gets on; the number of records that are left."""
        if patience is None:
            remote = self.uri.startswith(("http:", "https:"))
            patience = PATIENCE_REMOTE if remote else PATIENCE_LOCAL
        left = self._journal.count_pending(MLFLOW)
        moved = time.monotonic()
        while self.runs and not self._give_up:
            time.sleep(0.05)
            now = self._journal.count_pending(MLFLOW)
            if now != left:
                left, moved = now, time.monotonic()
            elif time.monotonic() - moved > patience:
                break
        self.stop()
        return self._journal.count_pending(MLFLOW)

    def stop(self) -> None:
        """End the process, with all that it started."""
        if self._process is None:
            return
        if self._process.poll() is None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(timeout=2.0)
                    break
        self._process.wait()


def run_plan(  # noqa: PLR0913 - the parts that it is put together from
    plan: Plan,
    *,
    root: Path,
    options: RunOptions,
    journal: Journal,
    engine: Engine,
    executable: Callable[[str], Path],
    tracking_uri: str | None,
    listeners: Sequence[Listener] = (),
    clock: Callable[[], float] = time.time,
) -> RunReport:
    """Run a plan to its end, recorded. SIGINT and SIGTERM cancel it; a second one forces the end.

    Raises:
        PipelineBusy: another process runs this pipeline.
        JournalUnreadable: the journal cannot be written; the run is stopped.
    """
    history = RunHistory()
    heard = list(listeners)

    def emit(events: list[Event]) -> None:
        journal.append(events)
        tell(events)

    def tell(events: Sequence[Event]) -> None:
        for event in events:
            history.take(event)
        for listener in list(heard):
            try:
                listener(events)
            except BrokenPipeError:
                heard.remove(listener)  # nobody reads any more; the run goes on

    started = RunStarted(
        run=options.run_id,
        at=clock(),
        pipeline=plan.pipeline,
        plan=plan.to_json(),
        jobs=options.jobs,
        keep_going=options.keep_going,
        origin=describe_origin(root),
    )
    expected = journal.durations(plan.pipeline)
    journal.begin(started, this_process(), is_alive)
    tell([started])
    delivery = Delivery(journal, root, tracking_uri) if tracking_uri else None
    if delivery is not None:
        delivery.start(options.run_id)
    runner = Runner(
        plan,
        engine,
        root=root,
        folder=root / ".stagebook" / "runs" / options.run_id,
        options=options,
        clock=clock,
        emit=emit,
        executable=executable,
        prepare=_Preparation(plan, options.run_id, journal, delivery),
        expected=expected,
    )
    undelivered = 0
    with _signals_cancel(runner, delivery):
        try:
            status = runner.run()
        finally:
            if delivery is not None:
                undelivered = delivery.finish()
    return RunReport(run=options.run_id, status=status, history=history, undelivered=undelivered)


class _Preparation:
    """What an attempt gets of MLflow: where it is and, if the notebook imports it, its own run."""

    def __init__(self, plan: Plan, run: str, journal: Journal, delivery: Delivery | None) -> None:
        self._pipeline = plan.pipeline
        self._run = run
        self._journal = journal
        self._delivery = delivery
        self._since: dict[str, float] = {}

    def __call__(self, stage: PlannedStage, attempt: int) -> Mapping[str, str] | None:
        if self._delivery is None:
            return {}
        env = {
            "MLFLOW_TRACKING_URI": self._delivery.uri,
            "MLFLOW_EXPERIMENT_NAME": self._pipeline,
        }
        if not stage.uses_mlflow:
            return env
        key = attempt_key(self._run, stage.id, attempt)
        found = self._journal.tracked(key)
        if found is not None:
            return {**env, "MLFLOW_EXPERIMENT_ID": found[0], "MLFLOW_RUN_ID": found[1]}
        since = self._since.setdefault(key, time.monotonic())
        waiting = self._delivery.runs and time.monotonic() - since < WAIT_FOR_ID
        return None if waiting else env


@contextlib.contextmanager
def _signals_cancel(runner: Runner, delivery: Delivery | None) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen = 0

    def handle(number: int, _frame: object) -> None:
        nonlocal seen
        seen += 1
        if seen > 1 and delivery is not None:
            delivery.give_up()
        runner.cancel(
            "interrupted from the keyboard"
            if number == signal.SIGINT
            else f"asked to end by {signal_name(number)}"
        )

    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    # What is ignored stays ignored: that is how nohup and a shell's `&` ask a run to go on.
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def this_process() -> Owner:
    """This process, as the owner of a run."""
    return Owner(pid=os.getpid(), started=psutil.Process().create_time(), host=socket.gethostname())


def is_alive(owner: Owner) -> bool:
    """Whether an owner is still there. One on another machine is taken to be."""
    if owner.host != socket.gethostname():
        return True
    try:
        process = psutil.Process(owner.pid)
        same = abs(process.create_time() - owner.started) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def describe_origin(root: Path) -> dict[str, Any]:
    """Who and what started this process: user, host, command, and the commit of the checkout."""
    origin: dict[str, Any] = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "command": shlex.join(["stagebook", *sys.argv[1:]]),
    }
    with contextlib.suppress(Exception):  # a container may have no name for its user
        origin["user"] = getpass.getuser()
    commit = _git(root, "rev-parse", "HEAD")
    if commit:
        origin["commit"] = commit
        origin["changed"] = bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    return origin


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(  # fixed arguments
            ["git", "-C", str(root), *arguments],  # noqa: S607 - the git that the user has
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
