"""The process that makes and sends alerts, after a run or on its own.

`python -m stagebook.alerting.deliver ROOT ENVIRONMENT`: makes the alerts about what happened, sends what waits, tries again
for a while what fails, and ends. What is left is sent after the next run, by `stagebook notify send`, or by the scheduler. One
process at a time is at work in an environment. Exit codes: 0 nothing is left, 75 something waits.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from stagebook.alerting.details import Looking
from stagebook.alerting.digest import make_digests
from stagebook.alerting.making import make_alerts, new_facts
from stagebook.alerting.outgoing import Sent, next_time, send_waiting
from stagebook.alerting.sending import Sender
from stagebook.alerting.text import Where
from stagebook.evidence import Place
from stagebook.journal.journal import Journal
from stagebook.workspace.paths import STATE_FOLDER, home_of
from stagebook.workspace.settings import Settings, read_settings

LOCK = "alerts.lock"
LOCK_PATIENCE = 120.0  # seconds that one waits for others
WAITS = 75.0  # seconds that the process stays for the next try, at most
STAYS = 180.0  # seconds that it stays altogether
EXIT_WAITING = 75


class Alerts:
    """The alerts of an environment, whose runs are in a journal.

    Args:
        root: where the runs ran.
        journal: of the environment.
        settings: of the project.
        environment: its name.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        root: Path,
        journal: Journal,
        settings: Settings,
        environment: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._settings = settings
        self._clock = clock
        home = home_of(root)
        self._where = Where(project=home.name, environment=environment)
        tracking = settings.tracking
        uri = (os.environ.get("MLFLOW_TRACKING_URI") or tracking.uri) if tracking.enabled else ""
        self._place = Place(root=root, journal=journal, settings=settings, environment=environment)
        self._looking = Looking(root, journal, tracking=uri, lab=settings.incidents.lab)
        self._sender = Sender(home, settings.secret_sources)

    def make(self) -> None:
        """Make the alerts about what happened since the last time, and the digests that are due. What no rule tells of is passed
        over."""
        # What comes later has a number above this one, and is told the next time.
        until = self._journal.events.last_number()
        opens = self._settings.opens_incidents(self._where.environment)
        incidents = self._journal.incidents.look(opens=opens)
        facts = new_facts(self._journal, incidents, until)
        alerts = make_alerts(self._settings.notify, facts, self._looking, self._where, self._clock())
        self._journal.alerts.store(alerts, until)
        for rule, week, digest in make_digests(
            self._settings.notify, self._place, self._where, self._clock()
        ):
            self._journal.digests.store(rule, week, digest)

    def send(self, *, eager: bool = False) -> list[Sent]:
        """Send what waits; as `send_waiting`."""
        rules = self._settings.notify
        return send_waiting(self._journal.alerts, rules, self._sender, self._clock, eager=eager)

    def next_time(self) -> float | None:
        """When the next one is to be sent, in seconds since the epoch; `None` where none waits."""
        return next_time(self._journal.alerts.waiting())


@contextlib.contextmanager
def opened(
    root: Path, settings: Settings, environment: str, *, clock: Callable[[], float] = time.time
) -> Iterator[Alerts]:
    """The alerts of an environment, whose runs ran at `root`, for this process alone. Raises `filelock.Timeout` where others
    are at it for too long."""
    state = root / STATE_FOLDER
    with (
        filelock.FileLock(state / LOCK, timeout=LOCK_PATIENCE, mode=0o600),
        contextlib.closing(Journal(state / "journal.db")) as journal,
    ):
        journal.alerts.begin()
        yield Alerts(root, journal, settings, environment, clock=clock)


def make_and_send(root: Path, settings: Settings, environment: str, *, eager: bool = False) -> list[Sent]:
    """Make the alerts of an environment, and send once what waits: for a scheduler, and for a person, who is `eager`. Raises as
    `opened`."""
    with opened(root, settings, environment) as alerts:
        alerts.make()
        return alerts.send(eager=eager)


def deliver(
    turn: Callable[[], float | None], *, clock: Callable[[], float], wait: Callable[[float], None]
) -> int:
    """Take turns until nothing has to be sent soon; the exit code. A turn sends, and says when the next one is due; between
    turns others may send."""
    begun = clock()
    while True:
        due, now = turn(), clock()
        if due is None:
            return 0
        if due - now > WAITS or now - begun > STAYS:
            return EXIT_WAITING
        wait(max(0.1, due - now))


def main(root: Path, environment: str) -> int:
    """The work of this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the run
    os.umask(0o077)
    os.chdir(home_of(root))
    settings = read_settings(root)

    def turn() -> float | None:
        with opened(root, settings, environment) as alerts:
            alerts.make()
            alerts.send()
            return alerts.next_time()

    try:
        return deliver(turn, clock=time.time, wait=time.sleep)
    except filelock.Timeout:
        return EXIT_WAITING


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
