"""What a run is given: its options, and the parts of the project that it works with."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from stagebook.events import Event
from stagebook.observed import Observed
from stagebook.planning.plan import PlannedStage
from stagebook.planning.planner import Planner
from stagebook.system.secret_sources import SecretSource
from stagebook.system.store import Store


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run. `jobs`: how many attempts at a time. `keep_going`: after a failure, start what does not
    depend on it. `grace`: seconds that a stage has to end after it was asked to. `keep_dump` and `keep_kernel`:
    what a failed stage leaves for a look afterwards. `store_most`: the size in bytes up to which an
    output is kept in the store."""

    run_id: str
    jobs: int = 1
    keep_going: bool = False
    grace: float = 10.0
    keep_dump: bool = False
    keep_kernel: bool = False
    store_most: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What one run works with.

    - `root`, `folder`: the project, and the folder of the run in it
    - `emit`: takes the events, in order
    - `executable`: the notebook to execute for a path of a pipeline file; raises `NotebookUnreadable`
    - `prepare`: more environment for an attempt at a stage, `None` while that is not known yet
    - `expected`: how many seconds each stage took in earlier runs
    - `planner`: decides about reuse, and expands stages; without it the plan decides
    - `guard`: while it is held, no other run takes the pipeline over
    - `sources`: the texts of a stage's code, to compare them later
    - `code_paths`: the files of a stage's code, which a strict stage may read
    - `variables`: what the environment of a stage is given, as texts that refer to secrets
    - `secrets`: where secrets come from, as far as that is declared
    - `undeclared`: what an attempt at a stage read and wrote undeclared, by what was observed of it
    - `unfinished`: whether an attempt (run, stage, number) is known to have begun, and not to have completed
    """

    root: Path
    folder: Path
    clock: Callable[[], float]
    emit: Callable[[list[Event]], None]
    executable: Callable[[str], Path]
    prepare: Callable[[PlannedStage, int], Mapping[str, str] | None] = lambda _stage, _attempt: {}
    expected: Mapping[str, float] = dataclasses.field(default_factory=dict)
    planner: Planner | None = None
    store: Store | None = None
    guard: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext
    sources: Callable[[PlannedStage], Mapping[str, Any]] = lambda _stage: {}
    code_paths: Callable[[PlannedStage], Collection[str]] = lambda _stage: ()
    variables: Callable[[PlannedStage], Mapping[str, str]] = lambda stage: stage.variables
    secrets: Mapping[str, SecretSource] = dataclasses.field(default_factory=dict)
    undeclared: Callable[[PlannedStage, Observed | None], Mapping[str, Any]] = lambda *_: {}
    unfinished: Callable[[str, str, int], bool] = lambda *_: False

    def attempt_folder(self, stage: str, number: int) -> Path:
        """The folder of an attempt."""
        return self.folder / stage / str(number)

    def shown(self, path: Path) -> str:
        """A path in the project, relative to it."""
        return path.relative_to(self.root).as_posix()
