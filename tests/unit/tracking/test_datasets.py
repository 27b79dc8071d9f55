"""What MLflow is told of datasets: names, columns and figures, once they are measured, and each attempt once."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook.artifact import Artifact
from stagebook.audits import Audit
from stagebook.events import (
    AttemptEnded,
    Cause,
    Event,
    RunEnded,
    RunStarted,
    StageExpanded,
    StageMeasured,
    Status,
)
from stagebook.figures import ColumnFigures, TableFigures
from stagebook.tracking.datasets import (
    MAX_COLUMNS,
    DatasetEntry,
    Key,
    RunDatasets,
    profile_of,
    schema_of,
    type_of,
)

TABLE = TableFigures(
    rows=9,
    columns={
        "id": ColumnFigures(type="BIGINT", nulls=0, distinct=9),
        "speed": ColumnFigures(type="DECIMAL(18,3)", nulls=2, distinct=4),
    },
)


def artifact(path: str, content: str = "") -> Artifact:
    """An output; its content is that of its path if nothing else is said."""
    return Artifact(path=path, size=10, sha256=(content or path).encode().hex().ljust(64, "0"), kept=True)


def started(*stages: str) -> RunStarted:
    """A run of stages that write `STAGE.csv` each, as the output `rows`."""
    plan = {"stages": [{"id": stage, "outputs": {"rows": f"{stage}.csv"}} for stage in stages]}
    return RunStarted(run="r", at=1.0, pipeline="p", plan=plan)


def ended(stage: str, *reads: str, **fields: Any) -> AttemptEnded:
    """An attempt that completed; it read the outputs of other stages."""
    return AttemptEnded(
        run="r", at=2.0, stage=stage, attempt=1, seconds=1.0,
        inputs={name: [artifact(f"{name}.csv")] for name in reads},
        outputs={"rows": artifact(f"{stage}.csv")},
        **fields,
    )  # fmt: skip


def measured(stage: str, table: TableFigures | None = TABLE) -> StageMeasured:
    figures = {} if table is None else {"rows": table}
    return StageMeasured(run="r", at=3.0, stage=stage, attempt=1, figures=figures)


def over() -> RunEnded:
    return RunEnded(run="r", at=9.0, status=Status.COMPLETED)


def told(datasets: RunDatasets, event: Event) -> dict[str, list[DatasetEntry]]:
    """What can be told of since an event, by stage; it counts as told."""
    datasets.take(event)
    found: dict[str, list[DatasetEntry]] = {}
    for attempt in datasets.ready(event):
        found[attempt[0]] = datasets.entries(attempt)
        datasets.told(attempt)
    return found


def test_a_dataset_is_told_once_it_is_measured_and_whoever_reads_it_after_that() -> None:
    datasets = RunDatasets()
    datasets.take(started("a", "b"))
    assert told(datasets, ended("a")) == {}
    assert told(datasets, ended("b", "a")) == {}
    assert told(datasets, measured("b")) == {}, "what it read is still being measured"
    found = told(datasets, measured("a"))
    assert set(found) == {"a", "b"}
    (out,) = found["a"]
    wrote, read = found["b"]
    assert (out.role, out.name, out.path) == ("output", "p.a.rows", "a.csv")
    assert (read.role, read.name, wrote.role) == ("input", "p.a.rows", "output")
    assert (read.digest, read.schema, read.profile) == (out.digest, out.schema, out.profile), "one dataset"
    assert told(datasets, over()) == {}


def test_what_is_never_measured_is_told_at_the_end_and_what_failed_at_once() -> None:
    datasets = RunDatasets()
    datasets.take(started("a", "b"))
    (_, read) = told(datasets, ended("b", "elsewhere", cause=Cause.EXCEPTION))["b"]
    assert (read.name, read.schema) == ("elsewhere.csv", None), "no stage makes it"
    assert told(datasets, ended("a")) == {}
    (out,) = told(datasets, over())["a"]
    assert (out.schema, json.loads(out.profile)) == (None, {"bytes": 10})


def test_the_instances_of_a_list_that_is_known_late_have_names_too() -> None:
    datasets = RunDatasets()
    datasets.take(started("a"))
    stages = [{"id": "each@1", "outputs": {"rows": "each@1.csv"}}]
    datasets.take(StageExpanded(run="r", at=1.5, stage="each", stages=stages))
    (_, read) = told(datasets, ended("a", "each@1", cause=Cause.TIMEOUT))["a"]
    assert read.name == "p.each@1.rows"


def test_the_contract_that_an_output_was_held_against_is_told_with_its_version() -> None:
    audit = Audit(dataset="p.a.rows", contract="c.yaml", version="2.1.0", digest="", rows=9, checks=())
    datasets = RunDatasets()
    datasets.take(ended("a", audits={"rows": audit}))
    (out,) = told(datasets, measured("a"))["a"]
    assert out.contract == "2.1.0"


def test_columns_are_those_that_mlflow_reads() -> None:
    from mlflow.types import Schema

    columns = json.loads(schema_of(TABLE))["mlflow_colspec"]
    schema = Schema.from_json(json.dumps(columns))
    assert schema.input_names() == ["id", "speed"]
    assert [(column["type"], column["required"]) for column in columns] == [("long", True), ("double", False)]
    assert json.loads(profile_of(Artifact(path="a", size=7, version=3), TABLE)) == {
        "rows": 9, "columns": 2, "bytes": 7, "version": 3, "nulls": {"speed": 2}, "distinct": {"id": 9, "speed": 4},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("UTINYINT", "integer"), ("UBIGINT", "double"), ("FLOAT", "float"), ("VARCHAR", "string"),
        ("ENUM('a', 'b')", "string"), ("TIMESTAMP WITH TIME ZONE", "datetime"), ("TIMESTAMP_NS", "datetime"),
        ("DATE", "datetime"), ("TIME", "string"), ("BLOB", "binary"), ("INTEGER[]", "any"),
        ("STRUCT(a INTEGER)", "any"), ("MAP(VARCHAR, DATE)", "any"), ("JSON", "string"), ("BOOLEAN", "boolean"),
    ],
)  # fmt: skip
def test_types(kind: str, expected: str) -> None:
    from mlflow.types.schema import ColSpec

    assert type_of(kind) == expected
    ColSpec.from_json_dict(type=expected, name="a", required=True)


def test_of_a_very_wide_table_not_all_columns_are_told() -> None:
    columns = {f"{'long' * 20}{at}": TABLE.columns["id"] for at in range(5 * MAX_COLUMNS)}
    wide = TableFigures(rows=1, columns=columns)
    assert len(json.loads(schema_of(wide))["mlflow_colspec"]) == MAX_COLUMNS
    assert json.loads(profile_of(artifact("a"), wide))["columns"] == 5 * MAX_COLUMNS


@given(
    st.lists(st.tuples(st.sets(st.integers(0, 7)), st.booleans(), st.booleans()), max_size=8),
    st.randoms(use_true_random=False),
)
def test_each_attempt_is_told_of_once_and_never_while_something_of_it_is_measured(
    attempts: list[tuple[set[int], bool, bool]], order: random.Random
) -> None:
    """Attempts read what those before them wrote; they are measured in any order, or never."""
    names = [f"s{at}" for at in range(len(attempts))]
    datasets = RunDatasets()
    datasets.take(started(*names))
    found: list[str] = []
    busy: list[str] = []
    for at, (reads, completes, is_measured) in enumerate(attempts):
        cause = None if completes else Cause.EXCEPTION
        event = ended(names[at], *(names[one] for one in sorted(reads) if one < at), cause=cause)
        if completes:
            busy.append(names[at])
        found += told(datasets, event)
        if is_measured and busy:
            order.shuffle(busy)
            now = told(datasets, measured(busy.pop()))
            read = {entry.path.removesuffix(".csv") for entries in now.values() for entry in entries}
            assert read.isdisjoint(busy)
            found += now
    found += told(datasets, over())
    assert sorted(found) == sorted(names)


def test_an_event_that_is_told_again_changes_nothing() -> None:
    datasets = RunDatasets()
    for event in (started("a"), ended("a"), ended("a"), measured("a"), measured("a")):
        datasets.take(event)
    ready: list[Key] = datasets.ready(measured("a"))
    assert ready == [("a", 1)]
    assert datasets.entries(ready[0])[0].schema is not None
