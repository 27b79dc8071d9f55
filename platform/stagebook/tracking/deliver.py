"""The process that delivers events to MLflow, beside a run or on its own.

`python -m stagebook.tracking.deliver ROOT [URI] [--until RUN | --await]`: takes what is pending, in order, each once,
then ends; with `--until` it goes on until the end of that run is delivered, or until its standard input ends, which is
when the runner is gone. With `--await` the run comes by a line of standard input (`-`: none), once all is imported. The URI may hold a password, so it comes by the environment (`URI`) where it is none of the arguments'.
One process at a time delivers in a project; the next one takes over when it ends. Exit codes: 0 all delivered, 75 MLflow
could not be reached, and the rest is kept.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.abc
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import filelock

from stagebook.errors import JournalUnreadable
from stagebook.events import Event
from stagebook.journal.journal import MLFLOW, Journal
from stagebook.system.processes import die_with_parent
from stagebook.system.tracking_uri import URI
from stagebook.tracking.outcomes import StoreReplaced, is_permanent
from stagebook.tracking.reasons import reason_of, scrubbed
from stagebook.workspace.paths import STATE_FOLDER, home_of

if TYPE_CHECKING:
    from stagebook.tracking.tracker import Tracker

POLL = 0.05  # seconds between looks at the journal
TRIES = 3
EXIT_UNREACHABLE = 75
# Set before mlflow is imported: a server that is down, or asks to wait, must not hold up the queue for minutes.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PLOOMBER_STATS_ENABLED": "false",
}
# What MLflow imports where it is installed, and does without where it is not: half a second of CPU time.
_NEEDLESS = {"pandas", "IPython", "matplotlib", "sklearn", "scipy", "pyarrow"}


class _Without(importlib.abc.MetaPathFinder):
    """A finder that says of some packages that they are not installed."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:  # noqa: ARG002 - as it is called
        if name.partition(".")[0] in _NEEDLESS:
            raise ModuleNotFoundError(f"not needed here: {name}", name=name)


class _Scrubbed:
    """A stream that passes text on without the login of the tracking server."""

    def __init__(self, stream: TextIO, uri: str) -> None:
        self._stream = stream
        self._uri = uri

    def write(self, text: str) -> int:
        """Write a text."""
        self._stream.write(scrubbed(text, self._uri))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def deliver(
    journal: Journal,
    tracker: Tracker,
    until: str | None,
    is_watched: Callable[[], bool] = lambda: True,
    explain: Callable[[Exception], str] = str,
) -> int:
    """Take what is pending, and go on until the run `until` has ended, or nobody watches any more; the exit code."""
    outbox = journal.outbox
    faults = 0
    while True:
        # Asked first: an end that comes later waits.
        ended = until is None or _has_ended(journal, until) or not is_watched()
        try:
            pending = outbox.pending(MLFLOW)
        except JournalUnreadable:
            if not outbox.skip_damaged(MLFLOW):
                raise
            continue
        if not pending and ended:
            return 0
        for seq, event in pending:
            failed = _take(journal, tracker, event)
            if failed is not None:
                outbox.set_trouble(MLFLOW, explain(failed))
                faults += 1
                if faults >= TRIES:
                    return EXIT_UNREACHABLE
                time.sleep(faults)
                break
            faults = 0
            outbox.taken(MLFLOW, seq)
            outbox.set_trouble(MLFLOW, "")
        if not pending:
            time.sleep(POLL)


def _has_ended(journal: Journal, run: str) -> bool:
    record = journal.runs.find(run)
    return record is None or record.ended is not None


def _take(journal: Journal, tracker: Tracker, event: Event) -> Exception | None:
    """Tell of an event; the error, if it is to be told again. What is refused for good is noted, and passed over."""
    try:
        tracker.take(event)
    except StoreReplaced:
        raise
    except Exception as error:  # noqa: BLE001 - whatever fails here must not fail a run
        traceback.print_exc()
        if not is_permanent(error):
            return error
        stage = getattr(event, "stage", "")
        journal.outbox.pass_over(MLFLOW, event.run, f"{type(event).__name__} {stage}".strip() + f": {error}")
    return None


def main(arguments: list[str]) -> int:
    """The command line of this process."""
    root = Path(arguments.pop(0))
    until = arguments[arguments.index("--until") + 1] if "--until" in arguments else None
    uri = arguments[0] if arguments and not arguments[0].startswith("--") else os.environ[URI]
    awaits = "--await" in arguments
    if until is not None or awaits:
        # Ctrl-C in a terminal reaches the whole group; the end of the run is delivered all the same.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)  # what runs were given and what they printed is for this user alone
    os.chdir(home_of(root))
    gc.disable()  # while MLflow is imported: a quarter of the time goes into looking for garbage
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    sys.meta_path.insert(0, _Without())
    streams: Any = sys  # what is written to them is all that the library asks for
    streams.stdout, streams.stderr = _Scrubbed(sys.stdout, uri), _Scrubbed(sys.stderr, uri)
    if awaits:
        told = _await_run(uri)
        if not told:
            return 0
        until = told if told != "-" else None
    return _deliver(root, uri, until)


def _await_run(uri: str) -> str:
    """Import what will be needed; the run, or `-` for none; empty if the runner goes before."""
    with contextlib.suppress(Exception):  # told once there is something to deliver
        _tracking().warm_up(uri)
    line = b""
    while not line.endswith(b"\n") and (data := os.read(0, 1000)):
        line += data
    return line.decode().strip()


def _deliver(root: Path, uri: str, until: str | None) -> int:
    if parent := os.environ.get("STAGEBOOK_PARENT"):
        die_with_parent(int(parent))
    state = root / STATE_FOLDER

    def explain(error: Exception) -> str:
        return reason_of(error, uri)

    with (
        filelock.FileLock(state / "deliver.lock", mode=0o600),
        contextlib.closing(Journal(state / "journal.db")) as journal,
    ):
        journal.relax()
        try:
            home = home_of(root)
            # Environments of one project have one store, which one process alone may make.
            with filelock.FileLock(home / STATE_FOLDER / "mlflow.lock", mode=0o600):
                tracker = _tracking().Tracker(journal, uri, root)
            gc.freeze()
            gc.enable()
        except Exception as error:  # noqa: BLE001 - told, and the records are kept
            traceback.print_exc()
            journal.outbox.set_trouble(MLFLOW, explain(error))
            return EXIT_UNREACHABLE
        try:
            return deliver(journal, tracker, until, _watch(until), explain)
        except StoreReplaced:
            _begin_anew(root, uri, until)


def _tracking() -> ModuleType:
    # It imports MLflow, which goes by what `main` has set.
    from stagebook.tracking import tracker  # noqa: PLC0415

    return tracker


def _begin_anew(root: Path, uri: str, until: str | None) -> NoReturn:
    """Be this process once more: nothing of a store that was replaced is of use, as its connections go to a file
    without a name."""
    arguments = [str(root), *(["--until", until] if until is not None else [])]
    os.environ[URI] = uri
    os.execv(sys.executable, [sys.executable, "-P", "-m", "stagebook.tracking.deliver", *arguments])  # noqa: S606 - this very program


def _watch(until: str | None) -> Callable[[], bool]:
    """Whether the runner is still there: it holds the other end of our standard input."""
    if until is None:
        return lambda: True

    def is_there() -> bool:
        ready, _, _ = select.select([0], [], [], 0)
        return not ready or bool(os.read(0, 1))

    return is_there


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # all is committed and closed; taking MLflow down takes a while
