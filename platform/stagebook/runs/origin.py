"""Who and what asks for a run."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from pathlib import Path

from stagebook.origin import Origin
from stagebook.system.git import git
from stagebook.system.this_process import THIS_PROCESS, Asker


def user_name() -> str:
    """The name of the user; empty where there is none, as in some containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def person_name() -> str:
    """The name of the person who asks: as the program knows it that started this process for them, else the user's."""
    asker = THIS_PROCESS.asker
    return asker.user if asker is not None else user_name()


def describe_origin(root: Path, asker: Asker | None = None) -> Origin:
    """Who and what asks for something: user, host, process, command, and the commit of the checkout.

    The command is that of `stagebook` with its words; of any other program it is the name alone, because nobody
    knows what its arguments hold. Where `asker` asks, or the process was started for one, `user` is the person by the
    name that the program knows, `via` the program, and `account` the user that the process belongs to.
    """
    command = THIS_PROCESS.command or (asker.program if asker else _program())
    own, asker = user_name(), asker or THIS_PROCESS.asker
    commit = (git(root, "rev-parse", "HEAD") or "").strip()
    return Origin(
        user=asker.user if asker else own,
        host=socket.gethostname(),
        pid=os.getpid(),
        command=command,
        commit=commit,
        changed=bool(commit and git(root, "status", "--porcelain", "--untracked-files=no")),
        via=asker.program if asker else "",
        account=own if asker and own != asker.user else "",
    )


def _program() -> str:
    """The name of the program that this process is: of a script, of a module that Python runs, or Python itself."""
    path = Path(sys.argv[0] if sys.argv else "")
    name = path.parent.name if path.name == "__main__.py" else path.name
    return name if name and not name.startswith("-") else Path(sys.executable).name
