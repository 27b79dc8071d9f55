"""What git says of a checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(root: Path, *arguments: str, seconds: float = 5.0) -> str | None:
    """What a git command prints in the folder `root`; `None` where it fails, or takes longer than so many seconds."""
    try:
        done = subprocess.run(  # fixed arguments
            ["git", "-C", str(root), *arguments],  # noqa: S607 - the git that the user has
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "surrogateescape") if done.returncode == 0 else None
