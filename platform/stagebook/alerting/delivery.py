"""Starting the process that sends alerts, which nobody waits for, and whether there is anything for it to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from stagebook.journal.alert_table import StoredAlert
from stagebook.system import left_behind
from stagebook.workspace.notify_settings import NotifySettings
from stagebook.workspace.paths import STATE_FOLDER, home_of

LOG = "alerts.log"
MAX_LOG = 1_000_000  # bytes; then it begins anew


def leave_behind(root: Path, environment: str) -> subprocess.Popen[bytes]:
    """Make and send the alerts of an environment, whose runs ran at `root`, in a process that goes on by itself. Raises
    `OSError` where none can be started."""
    log = root / STATE_FOLDER / LOG
    too_long = log.exists() and log.stat().st_size > MAX_LOG
    with log.open("wb" if too_long else "ab") as stream:
        process = subprocess.Popen(  # this very program
            [sys.executable, "-P", "-m", "stagebook.alerting.deliver", str(root), environment],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd=home_of(root),
            start_new_session=True,
        )
    left_behind.leave_behind(process)
    return process


def is_due(waiting: Sequence[StoredAlert], rules: Mapping[str, NotifySettings], now: float) -> bool:
    """Whether something is to be sent at a time, or dropped: its time has come, and no quiet hours hold it back."""

    def is_quiet(alert: StoredAlert) -> bool:
        rule = rules.get(alert.rule)
        return rule is not None and rule.quiet_until(now) > now

    return any(alert.next <= now and not is_quiet(alert) for alert in waiting)
