"""The process that delivers a project's events to MLflow, as a run sees it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from stagebook.journal.journal import MLFLOW, Journal, attempt_key
from stagebook.planning.plan import PlannedStage
from stagebook.system import mlflow_hook
from stagebook.system.left_behind import leave_behind
from stagebook.system.processes import end_group
from stagebook.system.secret_sources import without_secrets
from stagebook.system.tracking_uri import URI, absolute, database, is_remote
from stagebook.workspace.paths import STATE_FOLDER, home_of

PATIENCE_LOCAL = 60.0  # seconds without progress; a new database takes a while to be made
PATIENCE_REMOTE = 5.0
WAIT_FOR_STORE = 30.0  # seconds that a stage which uses mlflow waits for a store that is just made
CLAIM_FILE = "mlflow-run"  # of an attempt whose notebook logs into the attempt's run
MAX_LOG = 1_000_000  # bytes of what the delivery says; then it begins anew
_OF_STORES = ("MLFLOW_", "AWS_", "AZURE_", "GOOGLE_", "DATABRICKS_")  # variables that MLflow logs in with


def environment(hidden: Collection[str]) -> dict[str, str]:
    """The environment of a process of MLflow's: without the `hidden` variables, which hold secrets, but for those that
    MLflow logs in with."""
    return without_secrets(os.environ, {name for name in hidden if not name.startswith(_OF_STORES)})


class Delivery:
    """The child process that tells MLflow what happens, while a run goes on."""

    def __init__(self, journal: Journal, root: Path, uri: str, hidden: Collection[str] = ()) -> None:
        """`hidden`: variables of the environment that are not its business."""
        self._hidden = hidden
        self._outbox = journal.outbox
        self._root = root
        self._is_waiting = False
        self.uri = absolute(uri, root)
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: int | None = None  # the process knows by its end that nobody waits for it
        self._give_up = False

    @property
    def started(self) -> bool:
        """Whether it delivers, or has."""
        return self._process is not None and not self._is_waiting

    def warm_up(self) -> None:
        """Start the process, which imports what it needs, and then waits for the run. Where there is no store yet it is
        started with the run: a command that runs nothing makes none."""
        file = database(self.uri)
        if self._process is None and (file is None or (file.is_file() and file.stat().st_size)):
            self._begin_with_lifeline(["--await"])
            self._is_waiting = True

    def start(self, run: str | None = None) -> None:
        """Start to deliver, if that has not begun yet: until the end of a run, or what is pending now. Without a run
        it ends with this process."""
        if self.started:
            return
        hold_place(self.uri, home_of(self._root))
        if self._is_waiting:
            assert self._lifeline is not None
            self._is_waiting = False
            with contextlib.suppress(BrokenPipeError):  # it ended; its log says why
                os.write(self._lifeline, f"{run or '-'}\n".encode())
        elif run is not None:
            self._begin_with_lifeline(["--until", run])
        else:
            self._process = self._begin([], {"STAGEBOOK_PARENT": str(os.getpid())})

    def leave_behind(self) -> None:
        """Deliver what is pending in a process that goes on by itself."""
        if self._is_waiting:
            self.start()
            self.leave()
        else:
            hold_place(self.uri, home_of(self._root))
            leave_behind(self._begin([], {}))

    def discard(self) -> None:
        """End a process that waits for a run, as there is none."""
        if self._is_waiting:
            self.stop()
            self.leave()
            self._process, self._is_waiting = None, False

    def _begin_with_lifeline(self, arguments: list[str]) -> None:
        ends, self._lifeline = os.pipe()
        try:
            self._process = self._begin(arguments, {}, ends)
        finally:
            os.close(ends)

    def _begin(
        self, until: list[str], env: Mapping[str, str], stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        log = self._root / STATE_FOLDER / "mlflow.log"
        too_long = log.exists() and log.stat().st_size > MAX_LOG
        with log.open("wb" if too_long else "ab") as stream:
            return subprocess.Popen(  # this very program
                [sys.executable, "-P", "-m", "stagebook.tracking.deliver", str(self._root), *until],
                stdin=stdin,
                stdout=stream,
                stderr=stream,
                cwd=home_of(self._root),
                env={**environment(self._hidden), URI: self.uri, **env},
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
            patience = PATIENCE_REMOTE if is_remote(self.uri) else PATIENCE_LOCAL
        last = self._outbox.last()  # what others tell from here on is not waited for
        left = self._outbox.count_pending(MLFLOW, last)
        moved = time.monotonic()
        while left and self.runs and not self._give_up:
            time.sleep(0.02)
            now = self._outbox.count_pending(MLFLOW, last)
            if now != left:
                left, moved = now, time.monotonic()
            elif time.monotonic() - moved > patience:
                self.stop()
        self.leave()
        return self._outbox.count_pending(MLFLOW, last)

    def left(self) -> int:
        """How many records it has yet to deliver."""
        return self._outbox.count_pending(MLFLOW)

    def leave(self) -> None:
        """Let it deliver the rest by itself, and end."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if self._process is not None:
            leave_behind(self._process)

    def stop(self) -> None:
        """End the process, with all that it started."""
        if self._process is not None:
            end_group(self._process)


def hold_place(uri: str, root: Path) -> None:
    """Hold the place of a local store that is not there yet by an empty file: MLflow can be made ready by one process
    alone, and that is the delivery. What is in the project is for this user alone; MLflow would make it by the umask."""
    file = database(uri)
    if file is None:
        return
    inside = file.is_relative_to(root)
    with contextlib.suppress(OSError):  # it is there; or MLflow tells what is wrong with it
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600 if inside else 0o666))
    with contextlib.suppress(OSError):
        (root / "mlruns").mkdir(mode=0o700)


class MlflowEnvironment:
    """The environment of attempts: where MLflow is, and which run there is the attempt's."""

    def __init__(self, pipeline: str, run: str, folder: Path, delivery: Delivery | None) -> None:
        """`folder` is that of the run's files."""
        self._pipeline = pipeline
        self._run = run
        self._folder = folder
        self._delivery = delivery
        self._since = time.monotonic()

    def __call__(self, stage: PlannedStage, attempt: int) -> Mapping[str, str] | None:
        """The variables for an attempt at a stage; `None` while the store that its notebook uses is being made."""
        if self._delivery is None:
            return {}
        self._delivery.start(self._run)
        if stage.uses_mlflow and self._is_being_made(self._delivery):
            return None
        claim = self._folder / stage.id / str(attempt) / CLAIM_FILE
        key = attempt_key(self._run, stage.id, attempt)
        context = os.environ.get("MLFLOW_RUN_CONTEXT", "")
        return mlflow_hook.variables(self._delivery.uri, self._pipeline, key, str(claim), context)

    def _is_being_made(self, delivery: Delivery) -> bool:
        waited = time.monotonic() - self._since
        return waited < WAIT_FOR_STORE and delivery.runs and mlflow_hook.is_held(delivery.uri)
