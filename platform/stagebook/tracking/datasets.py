"""The datasets that the attempts of a run read and wrote, as MLflow is told of them.

MLflow keeps what it is told of a dataset first, so it is told once a dataset has been measured: with its columns, their types,
and how many rows and values there are. What never is measured is told at the end of the run, without these.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stagebook.artifact import Artifact
from stagebook.events import AttemptEnded, Event, RunEnded, RunStarted, StageExpanded, StageMeasured
from stagebook.figures import TableFigures
from stagebook.tables import kinds
from stagebook.tracking.values import mapping, text

MAX_COLUMNS = 1_000  # of one dataset that are told
DIGEST = 12  # characters: MLflow shows them beside the name, and takes 36

_TYPES = {
    "BOOLEAN": "boolean",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT"), "integer"),
    **dict.fromkeys(("BIGINT", "UINTEGER"), "long"),
    "FLOAT": "float",
    **dict.fromkeys(("DOUBLE", "DECIMAL", "HUGEINT", "UHUGEINT", "UBIGINT", "BIGNUM"), "double"),
    "BLOB": "binary",
    "DATE": "datetime",
}  # of DuckDB, and of MLflow: those that hold each value, or nearly

Key = tuple[str, int]  # a stage instance and the number of its attempt
_Content = tuple[str, str]  # a path and the hash of what is there


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DatasetEntry:
    """A dataset that an attempt read or wrote.

    Args:
        role: `input` or `output`.
        name: `pipeline.stage.output`, with the instance of the stage; the path of what no stage makes.
        digest: the beginning of the hash of its content.
        path: where it is.
        schema: its columns with their types, in MLflow's JSON; `None` where they are not known.
        profile: figures, as JSON.
        contract: the version of the contract that it was held against; empty if there is none.
    """

    role: str
    name: str
    digest: str
    path: str
    schema: str | None
    profile: str
    contract: str = ""


class RunDatasets:
    """The datasets of one run, as its events tell of them. `ready` are those of attempts of which nothing more is to come."""

    def __init__(self) -> None:
        self._pipeline = ""
        self._names: dict[str, str] = {}  # of outputs, by path
        self._figures: dict[_Content, TableFigures] = {}
        self._measuring: dict[
            Key, Mapping[str, Artifact]
        ] = {}  # outputs of attempts whose figures are yet to come
        self._waiting: dict[Key, AttemptEnded] = {}  # attempts that are not told of yet
        self._is_over = False

    def take(self, event: Event) -> None:
        """Take one event of the run; the same once more changes nothing."""
        match event:
            case RunStarted():
                self._pipeline = event.pipeline
                self._name(mapping(event.plan).get("stages"))
            case StageExpanded():
                self._name(event.stages)
            case AttemptEnded():
                self._waiting[_key(event)] = event
                if event.cause is None:
                    self._measuring[_key(event)] = event.outputs
            case StageMeasured():
                outputs = self._measuring.pop(_key(event), {})
                for name, figures in event.figures.items():
                    if name in outputs:
                        self._figures[_content(outputs[name])] = figures
            case RunEnded():
                self._is_over = True

    def ready(self, event: Event) -> list[Key]:
        """The attempts that can be told of since an event."""
        if self._is_over:
            return list(self._waiting)
        if not isinstance(event, StageMeasured):
            asked = [_key(event)] if isinstance(event, AttemptEnded) else []
        else:
            asked = list(self._waiting)
        busy = {_content(item) for outputs in self._measuring.values() for item in outputs.values()}
        return [
            key
            for key in asked
            if key in self._waiting
            and busy.isdisjoint(_content(item) for _, _, item in _items(self._waiting[key]))
        ]

    def told(self, attempt: Key) -> None:
        """Note that an attempt has been told of."""
        self._waiting.pop(attempt, None)

    def entries(self, attempt: Key) -> list[DatasetEntry]:
        """The datasets of an attempt that is not told of yet."""
        event = self._waiting[attempt]
        return [self._entry(event, role, name, item) for role, name, item in _items(event)]

    def _name(self, stages: Any) -> None:
        for stage in stages if isinstance(stages, list | tuple) else ():
            for output, path in mapping(mapping(stage).get("outputs")).items():
                if isinstance(path, str):
                    self._names[path] = self._named(str(stage.get("id", "")), output)

    def _named(self, stage: str, output: str) -> str:
        return ".".join(part for part in (self._pipeline, stage, output) if part)

    def _entry(self, event: AttemptEnded, role: str, name: str, item: Artifact) -> DatasetEntry:
        is_output = role == "output"
        audit = event.audits.get(name) if is_output else None
        figures = self._figures.get(_content(item))
        return DatasetEntry(
            role=role,
            name=self._named(event.stage, name) if is_output else self._names.get(item.path, item.path),
            digest=text(item.sha256, DIGEST) or "external",
            path=item.path,
            schema=None if figures is None else schema_of(figures),
            profile=profile_of(item, figures),
            contract="" if audit is None else audit.version,
        )


def schema_of(table: TableFigures) -> str:
    """The columns of a table as MLflow has them (`mlflow.types.Schema`). Those that lack no value are required."""
    columns = [
        {"type": type_of(column.type), "name": text(name), "required": column.nulls == 0}
        for name, column in _first(table)
    ]
    return json.dumps({"mlflow_colspec": columns})


def type_of(kind: str) -> str:
    """The type of MLflow for one of DuckDB; `any` for what has parts."""
    if kinds.is_text(kind) or kinds.base(kind) in {"TIME", "TIME WITH TIME ZONE", "INTERVAL", "JSON"}:
        return "string"
    if kinds.base(kind).startswith("TIMESTAMP"):
        return "datetime"
    return _TYPES.get(kinds.base(kind), "any")


def profile_of(item: Artifact, table: TableFigures | None) -> str:
    """What is known of a dataset: bytes, version of a Delta table; rows, and by column how many values are missing, where any
    are, and about how many are different."""
    found: dict[str, Any] = {}
    if table is not None:
        found |= {"rows": table.rows, "columns": len(table.columns)}
    if isinstance(item.size, int):
        found["bytes"] = item.size
    if item.version is not None:
        found["version"] = item.version
    if table is not None:
        columns = [(text(name), column) for name, column in _first(table)]
        found["nulls"] = {name: column.nulls for name, column in columns if column.nulls}
        found["distinct"] = {name: column.distinct for name, column in columns}
    found = {name: value for name, value in found.items() if value != {}}
    return json.dumps(found)


def _first(table: TableFigures) -> Iterable[tuple[str, Any]]:
    return list(table.columns.items())[:MAX_COLUMNS]


def _items(event: AttemptEnded) -> Iterator[tuple[str, str, Artifact]]:
    """Outputs first: on the page of a run MLflow shows the first dataset, and how many more there are."""
    for name, item in event.outputs.items():
        yield "output", name, item
    for name, items in event.inputs.items():
        for item in items:
            yield "input", name, item


def _content(item: Artifact) -> _Content:
    return item.path, item.sha256


def _key(event: AttemptEnded | StageMeasured) -> Key:
    return event.stage, event.attempt
