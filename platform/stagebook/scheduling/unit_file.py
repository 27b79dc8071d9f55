"""A unit file for systemd (systemd.service(5)), which keeps a scheduler running."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path


def unit_file(root: Path, options: Sequence[str]) -> str:
    """The text of a user's unit that runs `stagebook scheduler` with these options in the project at `root`."""
    words = [sys.executable, "-P", "-m", "stagebook", "scheduler", *options]
    name = root.name
    # KillMode=process: runs are processes of their own, and go on when the scheduler is started anew.
    return f"""\
# ~/.config/systemd/user/stagebook-{_plain(name)}.service
#   systemctl --user enable --now stagebook-{_plain(name)}
#   loginctl enable-linger          so that it runs while nobody is logged in
[Unit]
Description=Schedules of the Stagebook project {name.replace("%", "%%")}
After=network-online.target

[Service]
WorkingDirectory={str(root).replace("%", "%%")}
ExecStart={" ".join(map(_quoted, words))}
Restart=always
RestartSec=5
KillMode=process
KillSignal=SIGTERM
Environment=PYTHONUNBUFFERED=1

[Install]
WantedBy=default.target
"""


def _plain(text: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in text)


def _quoted(word: str) -> str:
    """A word of a command line, as systemd reads it: `%` and `$` stand for themselves when doubled."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if any(sign.isspace() for sign in text) or '"' in text else text
