"""The process that delivers events to MLflow, beside a run or on its own.

`python -m stagebook.tracking.deliver ROOT URI [--until RUN]`: takes what is pending, in order, each
once, then ends; with `--until` it goes on until the end of that run is delivered. One process at
a time delivers in a project; the next one takes over when it ends. Exit codes: 0 all delivered,
75 MLflow could not be reached, and the rest is kept.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from pathlib import Path

# Set before mlflow is imported: a server that is down must not hold up the queue for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("PLOOMBER_STATS_ENABLED", "false")

import filelock

from stagebook.events import Event
from stagebook.journal.journal import MLFLOW, Journal
from stagebook.system.processes import die_with_parent
from stagebook.tracking.mlflow import Tracker, is_permanent

POLL = 0.2  # seconds between looks at the journal
TRIES = 3
EXIT_UNREACHABLE = 75


def deliver(journal: Journal, tracker: Tracker, until: str | None) -> int:
    """Take what is pending, and go on until the run `until` has ended; the exit code."""
    faults = 0
    while True:
        ended = until is None or _has_ended(journal, until)  # asked first: an end that comes later waits
        pending = journal.outbox.pending(MLFLOW)
        if not pending and ended:
            return 0
        for seq, event in pending:
            if not _take(tracker, event):
                faults += 1
                if faults >= TRIES:
                    return EXIT_UNREACHABLE
                time.sleep(faults)
                break
            faults = 0
            journal.outbox.taken(MLFLOW, seq)
        if not pending:
            time.sleep(POLL)


def _has_ended(journal: Journal, run: str) -> bool:
    record = journal.runs.find(run)
    return record is None or record.ended is not None


def _take(tracker: Tracker, event: Event) -> bool:
    """Whether the event is done with: delivered, or refused for good."""
    try:
        tracker.take(event)
    except Exception as error:  # noqa: BLE001 - whatever fails here must not fail a run
        traceback.print_exc()
        return is_permanent(error)
    return True


def main(arguments: list[str]) -> int:
    """The command line of this process."""
    root, uri = Path(arguments[0]), arguments[1]
    until = arguments[3] if arguments[2:3] == ["--until"] else None
    if until is not None:
        # Ctrl-C in a terminal reaches the whole group; the end of the run is delivered all the same.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        parent = os.environ.get("STAGEBOOK_PARENT")
        if parent:
            die_with_parent(int(parent))
    os.chdir(root)
    state = root / ".stagebook"
    with (
        filelock.FileLock(state / "deliver.lock", mode=0o600),
        contextlib.closing(Journal(state / "journal.db")) as journal,
    ):
        return deliver(journal, Tracker(journal, uri, root), until)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
