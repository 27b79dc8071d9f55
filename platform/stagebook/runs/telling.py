"""Having people told of what happened, where there are rules for that."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

from stagebook.alerting.delivery import leave_behind
from stagebook.workspace.settings import Settings


def tell_people(root: Path, settings: Settings, environment: str) -> subprocess.Popen[bytes] | None:
    """Make and send alerts about the runs of an environment, which ran at `root`, in a process that goes on by itself. Where no
    rule is about the environment nothing is started."""
    if any(rule.tells_of(environment) for rule in settings.notify.values()):
        with contextlib.suppress(OSError):  # they are sent after the next run
            return leave_behind(root, environment)
    return None
