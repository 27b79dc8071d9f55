"""The vocabulary of a run. A run emits these; everything else is a view of them.

Events are frozen and versioned. `to_json` and `event_reading.from_json` are inverse to each other; a field that
an older version did not write takes its default, and one that a newer version added is ignored.
Times (`at`) are seconds since the epoch, UTC; durations are seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from stagebook.artifact import Artifact, Artifacts, artifacts_to_json
from stagebook.audits import Audits, audits_to_json
from stagebook.figures import Figures, figures_to_json
from stagebook.observed import Observed
from stagebook.origin import Origin
from stagebook.statuses import Cause, CellStatus, Status

__all__ = ["Cause", "CellStatus", "Status"]  # of another module, and the events, of course

VERSION = 1
_WRITERS: Mapping[str, Callable[[Any], Any]] = {
    "audits": audits_to_json,
    "figures": figures_to_json,
    "written": artifacts_to_json,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What every event carries: its run, which is empty where it belongs to none, and its time. A transient one is shown while the run
    goes on, and is not kept in the journal."""

    transient: ClassVar[bool] = False

    run: str
    at: float

    def to_json(self) -> dict[str, Any]:
        """The event as plain data."""
        # Not `dataclasses.asdict`, which copies all that is plain data already.
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        if "outputs" in values:
            values["outputs"] = artifacts_to_json(values["outputs"])
        for name, plain in _WRITERS.items():
            if name in values:
                values[name] = plain(values[name])
        if "inputs" in values:
            values["inputs"] = {
                name: [item.to_json() for item in items] for name, items in values["inputs"].items()
            }
        if (observed := values.get("observed")) is not None:
            values["observed"] = observed.to_json()
        if "origin" in values:
            values["origin"] = values["origin"].to_json()
        return {"type": type(self).__name__, "v": VERSION, **values}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run began. `plan` is the whole plan as plain data; `kind` is `run`, `sweep`, `backfill`, `accept`, `bookmark` or
    `rollback`; `parent` is the sweep that it is a point of, or the backfill; `resumes` the run that it goes on with; `request` what was
    asked for, so that it can be asked for again. `quiet`: by the plan nothing was to be done. `environment`: the one that it
    ran in, empty for the working tree; `release`: the release that it executed; `experiment`: what is added to the name of its
    experiment in MLflow. `interval`: the stretch of time that it is about, with `start`, `end` (not part of it), `name` and
    `zone`; empty where it is about none. `schedule`: the one that started it."""

    pipeline: str
    plan: Mapping[str, Any]
    jobs: int = 1
    keep_going: bool = False
    origin: Origin = dataclasses.field(default_factory=Origin)
    kind: str = "run"
    parent: str = ""
    resumes: str = ""
    request: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    quiet: bool = False
    environment: str = ""
    release: str = ""
    experiment: str = ""
    interval: Mapping[str, str] = dataclasses.field(default_factory=dict)
    schedule: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageExpanded(Event):
    """The list of a stage's foreach is known: `stages` are the instances that take the place of those that
    are `gone`, as the plan has them, and `changed` the stages that now wait for them."""

    stage: str
    gone: Sequence[str] = ()
    stages: Sequence[Mapping[str, Any]] = ()
    changed: Sequence[Mapping[str, Any]] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageReused(Event):
    """A stage takes the result of an earlier attempt: `of_run`, in its `folder`. `number` is that of the
    event with that result; `restored` are the outputs that came out of the store. `remark` says what of
    that attempt's undeclared reads and writes is not as it was; `audits` is as in `AttemptEnded`. A result that another
    environment came to has no number: `source` names the environment, and `taken` is the result."""

    stage: str
    of_run: str = ""
    of_attempt: int = 0
    folder: str = ""
    number: int = 0
    restored: Sequence[str] = ()
    scraps: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    outputs: Artifacts = dataclasses.field(default_factory=dict)
    remark: str = ""
    audits: Audits = dataclasses.field(default_factory=dict)
    source: str = ""
    taken: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageAccepted(Event):
    """Somebody declared the outputs of a stage good for its code as it is now. `fingerprint`, `head`, `parts`, and of
    outputs that are as an attempt left them `audits` and `written`, are as in `AttemptEnded`."""

    stage: str
    because: str
    by: str = ""
    attempt: int = 0
    folder: str = ""
    fingerprint: str = ""
    head: str = ""
    sources: str = ""
    parts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    scraps: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    outputs: Artifacts = dataclasses.field(default_factory=dict)
    audits: Audits = dataclasses.field(default_factory=dict)
    written: Artifacts = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted(Event):
    """An attempt at a stage was handed to the engine. `folder` is relative to the project root.
    `expected` is how many seconds it took in earlier runs, `None` where it never completed. `external` are
    the outputs outside of the project that it may write."""

    stage: str
    attempt: int
    folder: str
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    expected: float | None = None
    external: Sequence[str] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEvent(Event):
    """What an attempt tells while it goes on."""

    stage: str
    attempt: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellStarted(AttemptEvent):
    """A code cell began: the `cell`-th of `cells`."""

    cell: int
    cells: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellEnded(AttemptEvent):
    """A code cell ended. `cpu` is in seconds, `memory` the peak in bytes of resident memory; both
    include the processes that the cell started."""

    cell: int
    cells: int
    status: CellStatus
    seconds: float
    cpu: float = 0.0
    memory: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OutputWritten(AttemptEvent):
    """A cell put out `size` more characters; `text` is the end of them. The log has all of them."""

    transient: ClassVar[bool] = True

    text: str
    size: int
    cell: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AttemptProgress(AttemptEvent):
    """An attempt goes on; emitted every few seconds. `seconds` have gone by of the `expected` ones, which are
    `None` where the stage never completed before. `cpu` and `memory` are of the whole attempt so far."""

    cells: int
    seconds: float
    cell: int | None = None
    expected: float | None = None
    cpu: float = 0.0
    memory: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFrozen(AttemptEvent):
    """The process that runs the cells has been stopped for `seconds` (SIGSTOP, or a debugger). Emitted
    every few seconds as long as that lasts; an `AttemptProgress` says that it goes on. It is ended at
    its timeout."""

    seconds: float
    cell: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded(Event):
    """An attempt ended. Without a `cause` it completed and its outputs are published.

    `scraps`: name → {kind, value or file}. `outputs`: name → artifact, and `inputs`: name → list of
    artifacts: {path, size (bytes), sha256, kept, folder, executable, external}. `cell` is the failing code
    cell, from 1. `cpu` and `memory` are of the whole attempt, in seconds and bytes. `dump` names a file in
    its folder for `stagebook debug`; `kernel` has the `pid` and `connection_file` of a kept kernel.
    `fingerprint` says what the result depends on (SHA-256 of `parts`; `head` is that of what was known before
    any other stage ran). `fingerprint` is empty where the result cannot be reused; `remark` says why.
    `sources` is the digest of the cells in the store. `observed`: `None` where no report could be made.
    `undeclared`: what of it is not declared: `reads`, path → a mark of what was in it; `writes`, a list of paths;
    `env`, environment variable → a keyed hash of its value. `audits`: output → what its contract came to. `written`:
    outputs of which not all was published, name → artifact of what the stage wrote. `bookmark`: of a stage that has one,
    how far it has read with this attempt: `marks`, item → mark, which are added to those from before, or take their place
    if it is `anew`. Items are the paths of files, or OUTPUT.COLUMN.
    """

    stage: str
    attempt: int
    seconds: float
    cause: Cause | None = None
    message: str = ""
    cell: int | None = None
    cells: int = 0
    traceback: str = ""
    cpu: float = 0.0
    memory: int = 0
    dump: str = ""
    kernel: Mapping[str, Any] | None = None
    scraps: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, Sequence[Artifact]] = dataclasses.field(default_factory=dict)
    outputs: Artifacts = dataclasses.field(default_factory=dict)
    folder: str = ""
    fingerprint: str = ""
    head: str = ""
    remark: str = ""
    sources: str = ""
    parts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    observed: Observed | None = None
    undeclared: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    audits: Audits = dataclasses.field(default_factory=dict)
    written: Artifacts = dataclasses.field(default_factory=dict)
    bookmark: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BookmarkMoved(Event):
    """Somebody moved the bookmark of a stage that writes to the paths `places`. `bookmark` as in `AttemptEnded`; a
    mark that is null is taken away. `again`: the attempts (run/stage/attempt) whose rows the next one puts its own in
    the place of."""

    stage: str
    places: Sequence[str] = ()
    bookmark: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    again: Sequence[str] = ()
    because: str = ""
    by: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageMeasured(Event):
    """What is kept of an attempt that completed, for monitors. `seconds`: how long its notebook took, `None` where that did
    not run; `sizes`: the bytes of its outputs; `figures`: what those hold that are tables. Both by output."""

    stage: str
    attempt: int
    seconds: float | None = None
    sizes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    figures: Figures = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageRetrying(Event):
    """A failed stage is tried again after `delay` seconds; `attempt` is the one to come."""

    stage: str
    attempt: int
    delay: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageEnded(Event):
    """A stage reached a final status; `reason` says why, where it did not simply complete."""

    stage: str
    status: Status
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VersionPublished(Event):
    """An environment shows another version from now on, in which a pipeline is what this run came to; of a rollback, what it
    was in the version that it `shows`. `kind`, `by`, `because`, `approved_by` and `release` are as in the manifest of the
    version. `stages`: stage → [run, attempt] that made its result. `alias`: what models that these registered in MLflow are
    called from then on; empty: nothing. `folder`: that of the version, relative to the project or absolute; empty where each
    stage publishes by itself."""

    environment: str
    version: int
    kind: str = "run"
    by: str = ""
    because: str = ""
    approved_by: str = ""
    release: str = ""
    shows: int = 0
    stages: Mapping[str, Sequence[Any]] = dataclasses.field(default_factory=dict)
    alias: str = ""
    folder: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FiguresCompared(Event):
    """The figures of a run were compared with those of earlier ones. `stages`: those that were measured in it; `unusual`: dataset
    (`stage.output`, or a stage) → what is out of the ordinary, in one line."""

    stages: Sequence[str] = ()
    unusual: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleChecked(Event):
    """A schedule was looked at, and is not as it was when it was last looked at. It belongs to no run: `run` is empty. `missed`:
    what is not as it is expected, each with `kind` (`missing`, `late`, `long`, `overdue`, `rows`, or `invalid` of one that waits for what has mistakes), `message`, `since` (seconds
    since the epoch), `run`, and `due`. `paused`: a person paused it; `by` and `because` are of who did, or who resumed it. `gone`:
    it is not in its pipeline any more."""

    pipeline: str
    schedule: str
    missed: Sequence[Mapping[str, Any]] = ()
    paused: bool = False
    gone: bool = False
    by: str = ""
    because: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NoteAdded(Event):
    """Somebody wrote a note on a run, or on one of its stages; `acknowledges`: somebody has seen how it ended."""

    stage: str = ""
    text: str = ""
    by: str = ""
    acknowledges: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IncidentMarked(Event):
    """Somebody acknowledged an incident (`ack`), wrote a `note` on it, or closed it (`close`). `run` is the one that opened it,
    and empty where none did."""

    incident: str
    action: str
    text: str = ""
    by: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunCancelling(Event):
    """The run was asked to stop."""

    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """The run is over."""

    status: Status
    reason: str = ""
