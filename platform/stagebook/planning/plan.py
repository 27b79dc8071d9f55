"""A plan: what a run would do, frozen. `plan` shows it and `run` does it, so they cannot differ."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

from stagebook.contracts.contract import Contract
from stagebook.errors import Problem
from stagebook.pipeline.arguments import as_written
from stagebook.pipeline.expressions import Template
from stagebook.pipeline.model import DeltaOptions, OutputKind, Program, StageOptions
from stagebook.pipeline.types import Type, Value
from stagebook.pipeline.workdir import folder_of
from stagebook.planning.fingerprint import Change, Fingerprint
from stagebook.planning.result import Result
from stagebook.timing.interval import Interval


class Decision(enum.StrEnum):
    """What happens to a stage instance in a run."""

    RUN = "RUN"
    REUSE = "REUSE"
    AUDIT = "AUDIT"  # an earlier result is taken, once it is held against contracts that changed since
    WAIT = "WAIT"  # decided once the scraps it depends on are known
    SKIP = "SKIP"


NO_RESULT = "no result yet"


class NextRun(enum.StrEnum):
    """What the next run would do with a stage instance, in the words that people see everywhere."""

    NEW = "new"  # it would run: there is no result
    STALE = "stale"  # it would run: something changed since its result, or the result is lost
    WOULD_RUN = "would run"  # it runs whatever results there are, as with `cache: false`
    AUDITS = "audits again"
    WAITS = "waits"
    RESTORES = "restores"  # there is a result, and its outputs come out of the store
    UP_TO_DATE = "up to date"
    SKIPPED = "skipped"


_NEXT_RUNS = {Decision.AUDIT: NextRun.AUDITS, Decision.WAIT: NextRun.WAITS, Decision.SKIP: NextRun.SKIPPED}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a stage with a bookmark is to read: of its `input` the `items`, path → mark; or, with `params`, what is new since
    the value there, without one everything. `anew`: what it had read counts no more. `again` as in `Marks`."""

    input: str = ""
    items: Mapping[str, str] = dataclasses.field(default_factory=dict)
    params: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    anew: bool = False
    again: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What becomes of a stage, and why. `result` is the one to reuse, or to audit; `restores` are the paths of the
    outputs that come out of the store for it. `changes` are since the result it came to last. `unnoticed` says what
    changed of what it does not declare, so that it decided nothing. `news` is what a stage with a bookmark is to read.
    `anyway`: it runs whatever results there are."""

    decision: Decision
    reasons: tuple[str, ...]
    fingerprint: Fingerprint | None = None
    result: Result | None = None
    restores: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    unnoticed: str = ""
    news: News | None = None
    anyway: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlannedInput:
    """The paths that an input stands for. `many`: the notebook gets a list of them.

    `sources` has the stage instance that writes each path, empty for a file of the project; it is
    longer than `paths` where instances are still to come, or write within a folder that is read. `connections` are those that
    paths are behind. `variable` as of `model.Input`: empty where the notebook gets no path.
    """

    paths: tuple[str, ...]
    many: bool
    sources: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    variable: tuple[str, ...] | None = None

    @property
    def is_passed(self) -> bool:
        """Whether the notebook gets it."""
        return self.variable != ()

    @property
    def value(self) -> Value:
        """What the notebook gets."""
        return list(self.paths) if self.many else next(iter(self.paths), None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOutput:
    """Where an output is published. For `external` the notebook writes there itself. `contract` says what must hold of
    it; `related` are the paths of the datasets that its rules ask for, by their names. `delta` says what becomes of a Delta
    table; `place` is where the pipeline file declares it. `partition`: the name of the interval that it is the part of, where
    its path has one. `variable` as of `model.Output`; `is_folder`: that it is one is known ahead.
    `code` as of `model.Output`."""

    path: str
    kind: OutputKind = "file"
    delta: DeltaOptions | None = None
    place: str = ""
    contract: Contract | None = None
    related: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    partition: str = ""
    variable: tuple[str, ...] | None = None
    is_folder: bool = False
    code: bool = True

    @property
    def is_passed(self) -> bool:
        """Whether the notebook gets the path."""
        return self.variable != ()

    @property
    def is_in_place(self) -> bool:
        """Whether the notebook writes it where it is published."""
        return not self.is_passed and self.kind == "file"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStage(StageOptions):
    """One stage instance. `upstream` are the ids of the instances that have to end before it.

    `params` are known values; `deferred` are those that depend on the run or on scraps. `types` are the types
    that the notebook declares for its parameters. With `foreach` it stands for instances that are known only
    once that list is; `when` is a condition that is still open. Of `upstream`, those that are waited for
    `loosely` pass on no data. `absent`: a condition leaves it out, whatever happens in the run.

    Of a `program`, `notebook` is the path of the one that is made for it, and `program_file` that of its own file.
    """

    id: str
    stage: str
    notebook: str
    program: Program | None = None
    program_file: str = ""
    point: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    params: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    deferred: Mapping[str, Template] = dataclasses.field(default_factory=dict)
    types: Mapping[str, Type] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, PlannedInput] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, PlannedOutput] = dataclasses.field(default_factory=dict)
    upstream: tuple[str, ...] = ()
    decision: Decision = Decision.RUN
    reasons: tuple[str, ...] = ()
    uses_mlflow: bool = False
    foreach: Template | None = None
    when: Template | None = None
    loosely: tuple[str, ...] = ()
    selected: bool = True
    absent: bool = False
    judgement: Judgement | None = None

    @property
    def folder(self) -> str:
        """The folder in which its cells run, relative to the project."""
        return folder_of(self.workdir, self.path)

    @property
    def path(self) -> str:
        """The path of the file that it runs, as people know it: of its notebook, or of its program."""
        return self.program_file or self.notebook

    @property
    def shown(self) -> str:
        """What it runs, in a few words."""
        return self.notebook if self.program is None else f"{self.program.kind} {self.program}"

    @property
    def runs(self) -> bool:
        """Whether the run may execute it."""
        return self.decision in {Decision.RUN, Decision.AUDIT, Decision.WAIT}

    @property
    def next_run(self) -> NextRun:
        """What the run would do with it, in a word."""
        judged = self.judgement
        if self.decision is Decision.REUSE:
            return NextRun.RESTORES if judged is not None and judged.restores else NextRun.UP_TO_DATE
        if self.decision is not Decision.RUN:
            return _NEXT_RUNS[self.decision]
        if judged is None or judged.anyway:
            return NextRun.WOULD_RUN
        return NextRun.NEW if NO_RESULT in self.reasons else NextRun.STALE

    @property
    def open(self) -> list[Template]:
        """The expressions that are evaluated during the run."""
        return [item for item in (*self.deferred.values(), self.when, self.foreach) if item is not None]

    @property
    def variables_passed(self) -> set[str]:
        """The variables of the notebook that get something."""
        found = {*self.params, *self.deferred}
        items = [(name, item.variable) for name, item in self.inputs.items()]
        items += [(name, item.variable) for name, item in self.outputs.items()]
        for name, variable in items:
            found |= {name} if variable is None else {*variable[:1]}
        return found

    @property
    def writes_outside(self) -> bool:
        """Whether an output is none of the project's files: a URL, a table."""
        return any(output.kind == "external" for output in self.outputs.values())

    @property
    def accumulates(self) -> bool:
        """Whether rows of earlier runs stay in an output, so that it is no function of what the stage depends on."""
        return any(output.delta is not None and output.delta.accumulates for output in self.outputs.values())

    def dataset(self, output: str) -> str:
        """What an output is called in its pipeline: `stage.output`, or `stage.output[partition]`."""
        planned = self.outputs.get(output)
        partition = planned.partition if planned is not None else ""
        return f"{self.id}.{output}[{partition}]" if partition else f"{self.id}.{output}"

    def decided(self, decision: Decision, *reasons: str) -> PlannedStage:
        """The stage with another decision."""
        return dataclasses.replace(self, decision=decision, reasons=reasons)

    def to_json(self) -> dict[str, Any]:
        """The stage as plain data."""
        expressions = {name: {"expression": item.source} for name, item in self.deferred.items()}
        return {
            "id": self.id,
            "stage": self.stage,
            "decision": str(self.decision),
            "reasons": list(self.reasons),
            "notebook": self.path,
            **({} if self.program is None else {"program": [self.program.kind, str(self.program)]}),
            "point": dict(self.point),
            "params": {**as_written(self.params), **expressions},
            "inputs": {name: item.value for name, item in self.inputs.items()},
            "outputs": {name: item.path for name, item in self.outputs.items()},
            "upstream": list(self.upstream),
            "restores": list(self.judgement.restores) if self.judgement else [],
            "foreach": None if self.foreach is None else self.foreach.source,
            "when": None if self.when is None else self.when.source,
            "trigger": self.trigger,
            "retries": self.retries,
            "retry_delay": self.retry_delay,
            "timeout": self.timeout,
            "executor": self.executor,
            "kernel": self.kernel,
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All stage instances of a pipeline in an order in which they can run, and the parameters.

    `scraps` are those of stages that do not run, kept from an earlier run, for those that need them.
    `env` holds the environment variables that expressions read which are evaluated during the run.
    `imports` are the dotted names of the modules that the notebooks to run import. `relied` are the
    stages whose reused scraps decided what stages there are. `warnings` hold nothing up. `interval`: the stretch of time that
    the run is about.
    """

    pipeline: str
    path: str
    description: str = ""
    params: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    stages: tuple[PlannedStage, ...] = ()
    scraps: Mapping[str, Mapping[str, Value]] = dataclasses.field(default_factory=dict)
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    imports: frozenset[str] = frozenset()
    relied: frozenset[str] = frozenset()
    warnings: tuple[Problem, ...] = ()
    interval: Interval | None = None

    def stage(self, stage_id: str) -> PlannedStage:
        """The stage instance with this id. Raises `KeyError`."""
        for stage in self.stages:
            if stage.id == stage_id:
                return stage
        raise KeyError(stage_id)

    def count(self, decision: Decision) -> int:
        """How many stage instances have this decision."""
        return sum(1 for stage in self.stages if stage.decision is decision)

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data."""
        return {
            "pipeline": self.pipeline,
            "path": self.path,
            "description": self.description,
            "params": dict(self.params),
            **({} if self.interval is None else {"interval": self.interval.to_json()}),
            "stages": [stage.to_json() for stage in self.stages],
        }
