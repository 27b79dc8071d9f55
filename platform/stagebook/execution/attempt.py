"""What crosses the boundary to an engine: one attempt, and what became of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stagebook.artifact import Artifact, Artifacts, artifacts_from_json, artifacts_to_json
from stagebook.audits import Audits, audits_from_json, audits_to_json
from stagebook.events import Cause
from stagebook.observed import Observed
from stagebook.pipeline.model import DeltaOptions
from stagebook.pipeline.types import Type, Value, parse_type
from stagebook.pipeline.workdir import ROOT
from stagebook.system.secret_sources import SecretSource

ATTEMPT_FILE = "attempt.json"
RESULT_FILE = "result.json"
NOTEBOOK_FILE = "notebook.ipynb"
INJECTED_TAG = "injected-parameters"  # of the cell that papermill adds to an executed notebook
LOG_FILE = "log.txt"
WORKER_LOG_FILE = "worker.txt"
OUTPUTS_FOLDER = "outputs"
TABLES_FOLDER = ".tables"  # within that of the outputs: versions of Delta tables that are made ready
QUARANTINE_FOLDER = "quarantine"  # rows that contracts kept out, a file for each output
FILES_FOLDER = "notebook_files"  # outputs of cells that are too large for the notebook

MARKER = "STAGEBOOK_ATTEMPT"  # in the environment of every process of an attempt


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TableSlot:
    """What becomes of a Delta table.

    Args:
        options: how rows get into it.
        ready: the folder in which a version of it is made ready, relative to the project root.
        place: where the pipeline file declares it.
        replaces: the attempts (run/stage/attempt) whose rows this one puts others in the place of.
    """

    options: DeltaOptions
    ready: str
    place: str = ""
    replaces: Sequence[str] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TableSlot:
        """What `dataclasses.asdict` made."""
        given = data["options"]
        options = DeltaOptions(
            mode=given["mode"], partition_by=tuple(given["partition_by"]), key=tuple(given["key"])
        )
        return cls(**{**data, "options": options, "replaces": tuple(data["replaces"])})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OutputSlot:
    """Where a stage writes an output, and where it goes. Paths are relative to the project root. What it writes of a Delta
    table goes into that as `table` says. `variable` as of `model.Output`. `is_folder`: the notebook expects a folder there.
    `code` as of `model.Output`."""

    path: str
    staged: str
    kind: str = "file"
    table: TableSlot | None = None
    variable: Sequence[str] | None = None
    is_folder: bool = False
    code: bool = True

    @property
    def is_in_place(self) -> bool:
        """Whether the notebook writes it where it is published."""
        return self.kind == "file" and self.table is None and self.staged == self.path

    def instead_of(self, attempt: str) -> OutputSlot:
        """The slot of an attempt that publishes anew what an earlier one (run/stage/attempt) published. Where rows are
        added, they take the place of those; the other modes come to the same whatever is there."""
        if self.table is None or self.table.options.mode != "append":
            return self
        table = dataclasses.replace(self.table, replaces=(*self.table.replaces, attempt))
        return dataclasses.replace(self, table=table)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> OutputSlot:
        """What `dataclasses.asdict` made."""
        table = data.get("table")
        return cls(**{**data, "table": TableSlot.from_json(table) if table else None})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OutputContract:
    """What an output has to fulfil: the text of a contract, as it was planned. `path` is the file's, relative to the
    project; `related` are the paths of the datasets that its rules ask for, by their names; `released` as in `Contract`, `contents` as
    `Audit.related`."""

    path: str
    text: str
    related: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    released: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    contents: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMark:
    """The column of an output whose largest value is the bookmark of the stage, and what that was `before`. `place`: where the
    pipeline file declares it."""

    output: str
    column: str
    before: Value = None
    place: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What an earlier attempt wrote: its outputs, in the store; its scraps; its folder, relative to the project."""

    outputs: Artifacts
    scraps: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    folder: str = ""

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        return {**dataclasses.asdict(self), "outputs": artifacts_to_json(self.outputs)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Given:
        """What `to_json` made."""
        return cls(**{**data, "outputs": artifacts_from_json(data["outputs"])})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at one stage instance.

    `root` is the project root and `folder` the attempt's own folder; `executable` is the `.ipynb`
    to execute, `notebook` the source that it comes from, and `program` what is told of a program that it was made for. `types`: the types that the
    notebook declares, by parameter. `timeout` and `grace` are seconds. After a failure
    `keep_dump` leaves a file for a debugger, and `keep_kernel` the kernel alive. `store` is the folder
    of the store for outputs of up to `store_most` bytes. `contracts`: what outputs have to fulfil, by their names. Where
    outputs are `given`, the notebook is not executed: they are audited and published. `mark`: what the bookmark of the
    stage is, if it is of a column.

    `inputs_as`: the variables that inputs are passed as which are not called like them, and the keys within.
    `workdir` is the folder in which the cells run, relative to the root.
    `variables` are for the environment of the notebook, with references to the `secrets`, of which there are the sources
    here: the worker takes their values. `hidden` are variables of the environment that hold other secrets.
    """

    run: str
    pipeline: str
    stage: str
    number: int
    root: str
    folder: str
    notebook: str
    executable: str
    params: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    types: Mapping[str, Type] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, OutputSlot] = dataclasses.field(default_factory=dict)
    workdir: str = ROOT
    kernel: str | None = None
    executor: str = "kernel"
    timeout: float | None = None
    grace: float = 10.0
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    keep_dump: bool = False
    keep_kernel: bool = False
    store: str = ""
    store_most: int | None = None
    contracts: Mapping[str, OutputContract] = dataclasses.field(default_factory=dict)
    given: Given | None = None
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)
    secrets: Mapping[str, SecretSource] = dataclasses.field(default_factory=dict)
    hidden: Sequence[str] = dataclasses.field(default_factory=list)
    mark: ColumnMark | None = None
    inputs_as: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    program: str = ""

    @property
    def marker(self) -> str:
        """The value of `MARKER` for the processes of this attempt."""
        return f"{self.run}/{self.stage}/{self.number}"

    @property
    def has_tables(self) -> bool:
        """Whether any output is a Delta table."""
        return any(slot.table is not None for slot in self.outputs.values())

    @property
    def values(self) -> dict[str, Value]:
        """What the notebook gets: params, paths of inputs, paths to write outputs to. They are relative to the root
        here, and absolute in the notebook (`worker.outputs.passed`)."""
        return self.values_of(self.inputs, {name: slot.staged for name, slot in self.outputs.items()})

    def values_of(self, inputs: Mapping[str, Value], outputs: Mapping[str, Value]) -> dict[str, Value]:
        """The params, with these values of inputs and outputs as the variables that they are passed as."""
        passed = [(self.inputs_as.get(name, (name,)), value) for name, value in inputs.items()]
        for name, value in outputs.items():
            variable = self.outputs[name].variable
            passed.append(((name,) if variable is None else variable, value))
        return {**self.params, **nested(passed)}

    def to_json(self) -> dict[str, Any]:
        """The attempt as plain data."""
        types = {name: str(kind) for name, kind in self.types.items()}
        given = self.given.to_json() if self.given is not None else None
        return {**dataclasses.asdict(self), "types": types, "given": given}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Attempt:
        """The attempt that `to_json` made."""
        outputs = {name: OutputSlot.from_json(slot) for name, slot in data["outputs"].items()}
        types = {name: parse_type(text) for name, text in data["types"].items()}
        contracts = {name: OutputContract(**one) for name, one in data.get("contracts", {}).items()}
        given = data.get("given")
        secrets = {name: SecretSource(**source) for name, source in data.get("secrets", {}).items()}
        mark = data.get("mark")
        typed = {
            "outputs": outputs,
            "types": types,
            "contracts": contracts,
            "secrets": secrets,
            "mark": ColumnMark(**mark) if mark else None,
        }
        return cls(**{**data, **typed, "given": Given.from_json(given) if given else None})


def nested(values: Iterable[tuple[Sequence[str], Value]]) -> dict[str, Value]:
    """Values by the variables that get them. Each comes with a variable and the keys within it; without one it is left
    out."""
    found: dict[str, Value] = {}
    for keys, value in values:
        inner = found
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
        if keys:
            inner[keys[-1]] = value
    return found


_MAPPING, _NUMBER, _NONE = (dict,), (int, float), (type(None),)
_KINDS: Mapping[str, tuple[type, ...]] = {
    "cause": (str, *_NONE), "message": (str,), "seconds": _NUMBER, "cell": (int, *_NONE), "cells": (int,),
    "traceback": (str,), "cpu": _NUMBER, "memory": _NUMBER, "dump": (str,), "kernel": (*_MAPPING, *_NONE),
    "observed": (*_MAPPING, *_NONE), "scraps": _MAPPING, "inputs": _MAPPING, "outputs": _MAPPING,
    "audits": _MAPPING, "written": _MAPPING, "bookmark": (*_MAPPING, *_NONE),
}  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """What became of an attempt. Without a `cause` it completed.

    `scraps`, `inputs`, `outputs`, `audits`, `written` and `bookmark` are as in `events.AttemptEnded`; `seconds` is its duration.
    `cpu` is in seconds and `memory` the peak in bytes, of the notebook's processes. `dump` names a
    file in the attempt's folder; `kernel` has the `pid` and `connection_file` of a kept kernel.
    """

    cause: Cause | None = None
    message: str = ""
    seconds: float = 0.0
    cell: int | None = None
    cells: int = 0
    traceback: str = ""
    cpu: float = 0.0
    memory: int = 0
    dump: str = ""
    kernel: Mapping[str, Any] | None = None
    observed: Observed | None = None
    scraps: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, Sequence[Artifact]] = dataclasses.field(default_factory=dict)
    outputs: Artifacts = dataclasses.field(default_factory=dict)
    audits: Audits = dataclasses.field(default_factory=dict)
    written: Artifacts = dataclasses.field(default_factory=dict)
    bookmark: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The result as plain data."""
        inputs = {name: [item.to_json() for item in items] for name, items in self.inputs.items()}
        return {
            **dataclasses.asdict(self),
            "observed": self.observed.to_json() if self.observed is not None else None,
            "inputs": inputs,
            "outputs": artifacts_to_json(self.outputs),
            "audits": audits_to_json(self.audits),
            "written": artifacts_to_json(self.written),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> AttemptResult:
        """The result that `to_json` made. Raises `ValueError` where a value is of another kind."""
        if wrong := [name for name, value in data.items() if not isinstance(value, _KINDS.get(name, object))]:
            raise ValueError(f"not a result: {wrong[0]} is {data[wrong[0]]!r:.80}")
        if not all(isinstance(item, Mapping) for item in (data.get("scraps") or {}).values()):
            raise ValueError("not a result: a scrap is no mapping")
        cause = data.get("cause")
        inputs = {
            name: [Artifact.from_json(item) for item in items] for name, items in data["inputs"].items()
        }
        outputs = artifacts_from_json(data["outputs"])
        observed = Observed.from_json(data.get("observed"))
        typed = {
            "cause": Cause(cause) if cause else None,
            "inputs": inputs,
            "outputs": outputs,
            "audits": audits_from_json(data.get("audits", {})),
            "written": artifacts_from_json(data.get("written", {})),
        }
        return cls(**{**data, **typed, "observed": observed})
