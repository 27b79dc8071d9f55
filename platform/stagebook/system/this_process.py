"""What this process is: the command `stagebook`, or another program; and for whom it was started."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Self

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


THIS_PROCESS = _ThisProcess()


def name_command(words: Sequence[str]) -> None:
    """This process is the command `stagebook` with these words; runs are recorded with them.

    The variable `ASKED_BY` is taken out of the environment: what notebooks start nobody asked for.
    """
    THIS_PROCESS.command = shown(shlex.join(["stagebook", *words]))
    THIS_PROCESS.asker = Asker.from_text(os.environ.pop(ASKED_BY, ""))
