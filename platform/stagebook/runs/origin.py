"""Who and what started a run."""

from __future__ import annotations

import getpass
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any


def user_name() -> str:
    """The name of the user; empty where there is none, as in some containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def describe_origin(root: Path) -> dict[str, Any]:
    """Who and what started this process: user, host, command, and the commit of the checkout."""
    origin: dict[str, Any] = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "command": shlex.join(["stagebook", *sys.argv[1:]]),
    }
    if user := user_name():
        origin["user"] = user
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
