"""Who and what asks for a run."""

from __future__ import annotations

import dataclasses
import getpass
import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from stagebook.events import Origin
from stagebook.system.logins import shown

ASKED_BY = "STAGEBOOK_ASKED_BY"  # the variable by which a program tells the command whom it starts it for


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """A person, by the name that a program knows, and the program, such as JupyterLab."""

    user: str
    program: str

    def environment(self) -> Mapping[str, str]:
        """The variable for the command `stagebook` that the program starts for the person."""
        return {ASKED_BY: json.dumps(dataclasses.asdict(self))}

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """The value of the variable; `None` where it is no such value."""
        try:
            known = json.loads(text)
            return cls(user=str(known["user"]), program=str(known["program"]))
        except (ValueError, TypeError, KeyError):
            return None


class _ThisProcess:
    """Whether this process is the command `stagebook`, and for whom it was started."""

    def __init__(self) -> None:
        self.command = ""
        self.asker: Asker | None = None


_this_process = _ThisProcess()


def name_command(words: Sequence[str]) -> None:
    """This process is the command `stagebook` with these words; runs are recorded with them.

    The variable `ASKED_BY` is taken out of the environment: what notebooks start nobody asked for.
    """
    _this_process.command = shown(shlex.join(["stagebook", *words]))
    _this_process.asker = Asker.from_text(os.environ.pop(ASKED_BY, ""))


def user_name() -> str:
    """The name of the user; empty where there is none, as in some containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def describe_origin(root: Path, asker: Asker | None = None) -> Origin:
    """Who and what asks for something: user, host, process, command, and the commit of the checkout.

    The command is that of `stagebook` with its words; of any other program it is the name alone, because nobody
    knows what its arguments hold. Where `asker` asks, or the process was started for one, `user` is the person by the
    name that the program knows, `via` the program, and `account` the user that the process belongs to.
    """
    command = _this_process.command or (asker.program if asker else _program())
    own, asker = user_name(), asker or _this_process.asker
    commit = _git(root, "rev-parse", "HEAD")
    return Origin(
        user=asker.user if asker else own,
        host=socket.gethostname(),
        pid=os.getpid(),
        command=command,
        commit=commit,
        changed=bool(commit and _git(root, "status", "--porcelain", "--untracked-files=no")),
        via=asker.program if asker else "",
        account=own if asker and own != asker.user else "",
    )


def _program() -> str:
    """The name of the program that this process is: of a script, of a module that Python runs, or Python itself."""
    path = Path(sys.argv[0] if sys.argv else "")
    name = path.parent.name if path.name == "__main__.py" else path.name
    return name if name and not name.startswith("-") else Path(sys.executable).name


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
