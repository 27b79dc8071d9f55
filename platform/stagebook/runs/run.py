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

from stagebook.errors import PipelineBusy
from stagebook.events import Event, RunStarted, Status
from stagebook.execution.engine.protocol import Engine
from stagebook.execution.runner.context import RunContext, RunOptions
from stagebook.execution.runner.runner import Runner
from stagebook.journal.history import RunHistory
from stagebook.journal.journal import MLFLOW, Journal, attempt_key
from stagebook.planning.plan import Decision, Plan, PlannedStage
from stagebook.planning.planner import Planner
from stagebook.runs.lease import heartbeat, take_ownership
from stagebook.system.processes import signal_name
from stagebook.system.store import Store
from stagebook.workspace.dependencies import ProjectDependencies

PATIENCE_LOCAL = 60.0  # seconds without progress; a new database takes a while to be made
PATIENCE_REMOTE = 5.0
MAX_LOG = 1_000_000  # bytes of what the delivery says; then it begins anew
WAIT_FOR_ID = 20.0  # seconds that a stage which uses mlflow waits for the id of its run

Listener = Callable[[Sequence[Event]], None]
_LEFT_BEHIND: list[subprocess.Popen[bytes]] = []  # nobody waits for them; kept, or Python complains


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What became of a run. `plan` is as it has grown; `undelivered` counts records that MLflow has yet to get; `quiet`: nothing was
    to be done, and MLflow is not told of it."""

    run: str
    status: Status
    history: RunHistory
    undelivered: int
    plan: Plan
    quiet: bool = False


class Delivery:
    """The child process that tells MLflow what happens, while a run goes on."""

    def __init__(self, journal: Journal, root: Path, uri: str, run: str | None = None) -> None:
        """Delivers until the end of `run`, or what is pending now."""
        self._journal = journal
        self._root = root
        self._run = run
        self.uri = uri
        self._process: subprocess.Popen[bytes] | None = None
        self._give_up = False

    @property
    def started(self) -> bool:
        """Whether it was started."""
        return self._process is not None

    def start(self) -> None:
        """Start to deliver, if that has not begun yet."""
        if self._process is None:
            self._process = self._begin(["--until", self._run] if self._run else [])

    def leave_behind(self) -> None:
        """Deliver what is pending in a process that goes on by itself."""
        _LEFT_BEHIND.append(self._begin([]))

    def _begin(self, until: list[str]) -> subprocess.Popen[bytes]:
        log = self._root / ".stagebook" / "mlflow.log"
        too_long = log.exists() and log.stat().st_size > MAX_LOG
        with log.open("wb" if too_long else "ab") as stream:
            return subprocess.Popen(  # this very program
                [sys.executable, "-m", "stagebook.tracking.deliver", str(self._root), self.uri, *until],
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a run works with: the project's parts, and what it is a part of."""

    root: Path
    journal: Journal
    tracking_uri: str | None
    dependencies: ProjectDependencies
    planner: Planner | None = None
    store: Store | None = None
    clock: Callable[[], float] = time.time
    wait: bool = False
    waiting: Callable[[PipelineBusy], None] = lambda _busy: None
    parent: str = ""
    delivery: Delivery | None = None  # of the parent, which goes on after this
    resumes: str = ""
    request: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class _Recorder:
    """Takes the events of a run: into the journal as its owner, then to whoever listens."""

    def __init__(self, journal: Journal, run: str, listeners: Sequence[Listener]) -> None:
        self.history = RunHistory()
        self._journal = journal
        self._run = run
        self._heard = list(listeners)
        self._held: list[Event] | None = None

    def emit(self, events: Sequence[Event]) -> None:
        """Write events down, and tell of them once they are acknowledged."""
        self._journal.append(events, owner=self._run)
        if self._held is not None:
            self._held += events
        else:
            self.tell(events)

    def tell(self, events: Sequence[Event]) -> None:
        """Tell whoever listens."""
        for event in events:
            self.history.take(event)
        for listener in list(self._heard):
            try:
                listener(events)
            except BrokenPipeError:
                self._heard.remove(listener)  # nobody reads any more; the run goes on

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        """While this is held nobody takes the pipeline over. Raises `RunTakenOver`."""
        self._held = []
        try:
            with self._journal.owned(self._run):
                yield
        finally:
            held, self._held = self._held, None
        self.tell(held)


def run_plan(
    plan: Plan, *, options: RunOptions, engine: Engine, around: Around, listeners: Sequence[Listener] = ()
) -> RunReport:
    """Run a plan to its end, recorded. SIGINT and SIGTERM cancel it; a second one forces the end.

    Raises:
        PipelineBusy: another process runs this pipeline.
        RunTakenOver: another process took the pipeline over, since this one had been stopped.
        JournalUnreadable: the journal cannot be written; the run is stopped.
    """
    journal, root, clock = around.journal, around.root, around.clock
    quiet = not around.parent and _changes_nothing(plan)
    started = RunStarted(
        run=options.run_id,
        at=clock(),
        pipeline=plan.pipeline,
        plan=plan.to_json(),
        jobs=options.jobs,
        keep_going=options.keep_going,
        origin=describe_origin(root),
        parent=around.parent,
        resumes=around.resumes,
        request=around.request,
        quiet=quiet,
    )
    expected = journal.durations(plan.pipeline)
    try:
        started = take_ownership(journal, started, clock=clock, wait=around.wait, waiting=around.waiting)
    except BaseException:
        engine.close()
        raise
    recorder = _Recorder(journal, options.run_id, listeners)
    recorder.tell([started])
    delivery = around.delivery
    if delivery is None and around.tracking_uri:
        delivery = Delivery(journal, root, around.tracking_uri, options.run_id)
    own = delivery is not None and around.delivery is None
    if delivery is not None and any(stage.runs for stage in plan.stages):
        delivery.start()
    context = RunContext(
        root=root,
        folder=root / ".stagebook" / "runs" / options.run_id,
        clock=clock,
        emit=recorder.emit,
        executable=around.dependencies.workspace.executable,
        prepare=_Preparation(plan, options.run_id, journal, delivery),
        expected=expected,
        planner=around.planner,
        store=around.store,
        guard=recorder.guard,
        sources=lambda stage: around.dependencies.sources(stage.notebook, stage.runs_in),
        code_paths=lambda stage: around.dependencies.code_paths(stage.notebook, stage.runs_in),
    )
    runner = Runner(plan, engine, options, context)
    undelivered = 0
    with heartbeat(journal.path, options.run_id), _signals_cancel(runner, delivery):
        try:
            status = runner.run()
        finally:
            if own and delivery is not None and delivery.started:
                undelivered = delivery.finish()
    if delivery is not None and not delivery.started and not quiet:
        delivery.leave_behind()  # nothing ran: MLflow is told while nobody waits
    _remember(around.dependencies, runner.published)
    return RunReport(
        run=options.run_id,
        status=status,
        history=recorder.history,
        undelivered=undelivered,
        plan=runner.plan,
        quiet=quiet and not (delivery and delivery.started),
    )


def _changes_nothing(plan: Plan) -> bool:
    """Whether a run of this plan would find all as it is to be."""
    return all(
        stage.decision is Decision.SKIP
        or (stage.decision is Decision.REUSE and not (stage.judgement and stage.judgement.restores))
        for stage in plan.stages
    )


def _remember(dependencies: ProjectDependencies, published: Mapping[str, tuple[object, str]]) -> None:
    """Outputs that are as they were published need not be read again to know what they are."""
    for path, (stamp, digest) in published.items():
        if dependencies.stamp(path) == stamp:
            dependencies.note(path, digest)


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
        self._delivery.start()
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
