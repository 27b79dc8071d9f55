"""Starting the process that sends alerts, which nobody waits for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stagebook.system import left_behind
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
