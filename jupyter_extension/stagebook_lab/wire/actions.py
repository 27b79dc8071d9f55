"""Requests to the server to do something, and its replies."""

from __future__ import annotations

import dataclasses
from typing import Any

from pydantic import ConfigDict

from stagebook_lab.wire.projects import Problem

STRICT = ConfigDict(extra="forbid", strict=True)  # a request with an unknown field or a wrong type is refused


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """Starts a run; the fields are the options of `stagebook run`. `params` are values of their types,
    `texts` are read as `-p` reads them. With `sweep` there is a run for each point. `interval` is what it is about, as
    `--interval` reads it."""

    __pydantic_config__ = STRICT
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
    interval: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRequest:
    """Does what is left of a run. `keep`: completed stages stay as they are, even where something changed
    since. `failed_only`: only what failed and what depends on it, as `stagebook retry`."""

    __pydantic_config__ = STRICT
    project: str = ""
    keep: bool = False
    failed_only: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReply:
    """A process that was started to run a pipeline. `run` is null until the journal has the run,
    `exit_code` until the process ends; `message` is the end of its standard error by then."""

    pid: int
    command: str
    run: str | None
    exit_code: int | None
    message: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """Asks a run to stop; asked again, it ends at once instead of letting notebooks be saved."""

    __pydantic_config__ = STRICT
    project: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CancelReply:
    """Which process was told to stop."""

    run: str
    pid: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NoteRequest:
    """Adds a note to a run; the `kind` `acknowledged` acknowledges its failure."""

    __pydantic_config__ = STRICT
    text: str
    kind: str = "note"
    project: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AcceptRequest:
    """Declares the outputs of stages good as they are, as `stagebook accept` does."""

    __pydantic_config__ = STRICT
    pipeline: str
    stages: tuple[str, ...]
    because: str
    project: str = ""
    texts: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AcceptReply:
    """The run that records the acceptance."""

    run: str
    stages: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DraftRequest:
    """Asks for a contract of an output, `stage.output`, drafted from what it holds."""

    __pydantic_config__ = STRICT
    pipeline: str
    dataset: str
    project: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DraftReply:
    """The file of the contract."""

    path: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MlflowRequest:
    """Asks for MLflow's page of a run, of a stage of it, or of several runs side by side. `attempt` 0 is
    the latest one."""

    __pydantic_config__ = STRICT
    project: str = ""
    runs: tuple[str, ...] = ()
    stage: str = ""
    attempt: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MlflowReply:
    """The URL of the page; `found` says whether MLflow knows the runs. While its server is `starting` there is no URL:
    ask again."""

    url: str
    found: bool
    starting: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KernelRequest:
    """Asks for the kernel that a failed stage left, or with `end` ends it."""

    __pydantic_config__ = STRICT
    stage: str
    project: str = ""
    end: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KernelReply:
    """The id by which Jupyter Server knows the kernel; empty where it was ended."""

    id: str
    notebook: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageWiring:
    """What a stage gets and gives, by the names of its notebook's parameters: `params` as YAML, `inputs` as `stage.output` or
    paths in the project, `outputs` as paths. `reads` and `writes` are paths that no parameter gets."""

    __pydantic_config__ = STRICT
    params: dict[str, str] = dataclasses.field(default_factory=dict)
    inputs: dict[str, str] = dataclasses.field(default_factory=dict)
    outputs: dict[str, str] = dataclasses.field(default_factory=dict)
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewStageRequest:
    """Adds a stage to a pipeline file. Where `notebook` is empty, a new one is made. With `preview` it is only said what would be
    added."""

    __pydantic_config__ = STRICT
    pipeline: str
    name: str
    notebook: str = ""
    project: str = ""
    wiring: StageWiring | None = None
    preview: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRequest:
    """Makes the output `source`, such as `clean.flights`, an input of a stage, as the parameter `name` of its notebook, or `alone`,
    where no parameter gets it. With `preview` it is only said what would be added."""

    __pydantic_config__ = STRICT
    pipeline: str
    source: str
    stage: str
    name: str = ""
    alone: bool = False
    project: str = ""
    preview: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewStageReply:
    """Where in the pipeline file it is now, the notebook of the stage, and the lines that are new in the file."""

    path: str
    line: int
    notebook: str
    lines: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageFormReply:
    """What a new stage can be made of: the outputs of the other ones, the notebooks of the project, the parameters of the chosen
    notebook, and what these probably get."""

    offers: tuple[str, ...]
    notebooks: tuple[str, ...]
    parameters: tuple[str, ...]
    wiring: StageWiring


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """Asks what is wrong with the text of a pipeline file, which need not be saved."""

    __pydantic_config__ = STRICT
    path: str
    text: str
    project: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckReply:
    """The mistakes in a text, and the names in it that others may refer to: stages, their outputs as `stage.output`, parameters."""

    problems: tuple[Problem, ...]
    stages: tuple[str, ...]
    offers: tuple[str, ...]
    params: tuple[str, ...]
