"""What the server is asked to do, and what became of it."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What to run, as the options of `stagebook run` say it. `params` are values of their types, `texts`
    are read as `-p` reads them. With `sweep` there is a run for each point."""

    pipeline: str
    project: str = ""
    stages: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    texts: dict[str, str] = dataclasses.field(default_factory=dict)
    sweep: bool = False
    jobs: int | None = None
    keep_going: bool = False
    force: bool = False
    keep_kernel: bool = False
    debug: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRequest:
    """Does what is left of a run. `keep`: also what was finished and would come out otherwise today;
    `failed_only`: what failed and what depends on it, as `stagebook retry`."""

    project: str = ""
    keep: bool = False
    failed_only: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReply:
    """A process that was asked to run a pipeline. `run` is null until the journal has it. One that
    ended without a run says why in `message`."""

    pid: int
    command: str
    run: str | None
    exit_code: int | None
    message: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """Asks a run to stop; asked again, it ends at once instead of letting notebooks be saved."""

    project: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CancelReply:
    """Which process was told to stop."""

    run: str
    pid: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NoteRequest:
    """Says something of a run."""

    text: str
    kind: str = "note"
    project: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AcceptRequest:
    """Declares the outputs of stages good as they are, as `stagebook accept` does."""

    pipeline: str
    stages: tuple[str, ...]
    because: str
    project: str = ""
    texts: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AcceptReply:
    """The run that records the judgement."""

    run: str
    stages: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MlflowRequest:
    """Asks for MLflow's pages; about one run, or a stage of it, or several runs side by side."""

    project: str = ""
    runs: tuple[str, ...] = ()
    stage: str = ""
    attempt: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MlflowReply:
    """Where MLflow shows that; `found` says whether it knows the runs."""

    url: str
    found: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KernelRequest:
    """Asks for the kernel that a failed stage left alive."""

    stage: str
    project: str = ""
    end: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KernelReply:
    """The id under which Jupyter Server knows the kernel; empty where it was ended."""

    id: str
    notebook: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewStageRequest:
    """Adds a stage to a pipeline file. An empty `notebook` makes one from a template."""

    pipeline: str
    name: str
    notebook: str = ""
    project: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewStageReply:
    """Where the stage is now, and its notebook."""

    path: str
    line: int
    notebook: str
