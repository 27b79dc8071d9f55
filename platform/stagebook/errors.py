"""The error tree of Stagebook.

Every error that a person can meet derives from `StagebookError`. It carries the exit code that a
command ends with, and a hint: what to do next, in one sentence.

    StagebookError                 2
    ├── UsageError                 2   a wrong argument or option
    │   ├── ProjectNotFound        2
    │   ├── PipelineNotFound       2
    │   └── RunNotFound            2
    ├── PipelineInvalid            2   carries every problem found
    │   └── ImportRefused          2   a file of another tool cannot be taken over
    ├── ResumeRefused              2   what a run had finished has changed since
    ├── PipelineBusy               2   another run owns the pipeline
    ├── RunBegunAlready            2   another process began the run with this id
    ├── RunTakenOver             130   this process was stopped, and another run owns the pipeline now
    ├── JournalUnreadable          2   the journal cannot be opened
    ├── SecretUnavailable          2   a secret is not there, or cannot be used
    ├── ConnectionUnusable         2   a connection is not declared, or cannot be used
    └── StageFailure               1   one stage could not be done; carries a cause
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
from collections.abc import Iterable, Sequence


class ExitCode(enum.IntEnum):
    """What the exit status of a command means."""

    OK = 0
    STAGE_FAILED = 1
    USAGE = 2
    STALE = 3
    INTERRUPTED = 130


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a file, with its place.

    `line` and `column` count from 1; both are 0 where the mistake concerns the file as a whole.
    """

    path: str
    message: str
    hint: str = ""
    line: int = 0
    column: int = 0

    @property
    def place(self) -> str:
        """`file:line:column`, or the file alone."""
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}"
        return f"{text}\n    {self.hint}" if self.hint else text

    def to_json(self) -> dict[str, object]:
        """The problem as plain data."""
        return dataclasses.asdict(self)


class StagebookError(Exception):
    """Something that a person has to know about. `hint` says what to do."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n    {self.hint}" if self.hint else self.message


class UsageError(StagebookError):
    """A command was asked for something that it cannot do."""


class ProjectNotFound(UsageError):
    """No project at this place or above it."""


class PipelineNotFound(UsageError):
    """No pipeline of that name or path."""


class RunNotFound(UsageError):
    """The journal holds no such run or stage."""


class StageRefused(UsageError):
    """A stage cannot be added as it is asked for. `field` says because of what: `name`, `notebook`, `inputs.NAME` and so on."""

    def __init__(self, field: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field


class ResumeRefused(StagebookError):
    """What a run had finished would not come out the same today."""


class PipelineInvalid(StagebookError):
    """A pipeline cannot be planned. Carries all of its problems, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = tuple(
            sorted(set(problems), key=lambda p: (p.path, p.line, p.column, p.message))
        )
        count = len(self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''}, nothing was started")

    def __str__(self) -> str:
        return "\n".join([*(str(problem) for problem in self.problems), self.message])


class ImportRefused(PipelineInvalid):
    """A file of another tool cannot be taken over. Carries all that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        super().__init__(problems)
        self.message = f"{self.message.partition(',')[0]}, nothing was written"
        self.args = (self.message,)


class PipelineBusy(StagebookError):
    """Another run owns this pipeline: `run`, which gave its last sign of life number `beat`. `unsure`:
    its process is stopped, or on another machine."""

    def __init__(
        self, message: str, *, hint: str = "", run: str = "", beat: int = 0, unsure: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.run = run
        self.beat = beat
        self.unsure = unsure


class RunBegunAlready(StagebookError):
    """A run with this id began before: what is started with a chosen id runs once."""


class RunTakenOver(StagebookError):
    """The process of this run had been stopped so long that another run took the pipeline over."""

    exit_code = ExitCode.INTERRUPTED


class JournalUnreadable(StagebookError):
    """The journal is damaged, locked or of a newer version."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        locked: bool = False,
        damaged: bool = False,
        no_room: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.locked = locked  # another process holds it
        self.no_room = no_room  # the disk is full, or the folder cannot be written
        self.damaged = damaged  # `stagebook doctor --repair` helps


class SecretUnavailable(StagebookError):
    """A secret is not where it is declared to be, or cannot be used. The message never holds its value."""


class ConnectionUnusable(StagebookError):
    """A connection is not declared, or what is behind it cannot be used."""


class DeploymentFailed(StagebookError):
    """A deployment did not come to its end; readers see what they saw before."""

    exit_code = ExitCode.STAGE_FAILED


class StageFailure(StagebookError):
    """One stage cannot be done. `cause` is a word of `events.Cause`."""

    exit_code = ExitCode.STAGE_FAILED

    def __init__(self, message: str, *, cause: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.cause = cause


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A suggestion for a misspelt `word`: `did you mean 'x'?`, else what is known, else nothing."""
    names = [str(name) for name in known]
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    if not names:
        return ""
    shown = ", ".join(names[:12])
    return f"known: {shown}{', …' if len(names) > 12 else ''}"
