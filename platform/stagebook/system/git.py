"""What git says of a checkout."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_LINE = re.compile(r"([0-9a-f]+) (\d+)")
_AT_ONCE = 500  # commits in one command


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


def commit_times(root: Path, commits: Iterable[str]) -> dict[str, float]:
    """When commits were made, in seconds since the epoch, as their committers have it; those that git does not know in the
    folder `root` are left out."""
    names = sorted({one for one in commits if _COMMIT.fullmatch(one)})
    found: dict[str, float] = {}
    for start in range(0, len(names), _AT_ONCE):
        asked = names[start : start + _AT_ONCE]
        said = git(root, "log", "--no-walk", "--ignore-missing", "--format=%H %ct", *asked, "--") or ""
        lines = (
            _LINE.fullmatch(line) for line in said.splitlines()
        )  # settings of the user may have it say more
        found |= {line[1]: float(line[2]) for line in lines if line is not None}
    return found
