"""Tables compared by DuckDB against a model in plain Python: rows by key, and rows as a multiset."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from effort import amount
from stagebook.artifact import Artifact
from stagebook.comparing.compare import Comparer, Options
from stagebook.comparing.difference import DatasetDifference
from stagebook.comparing.side import Side, SideDataset, SidePipeline
from stagebook.system.store import Store

Row = tuple[int, int | None, str | None]
SCHEMA = pa.schema([("id", pa.int64()), ("n", pa.int64()), ("text", pa.string())])
ROWS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.one_of(st.none(), st.integers(-2, 2)),
        st.one_of(st.none(), st.sampled_from(["", "a", "ä", "null", "'; --"])),
    ),
    max_size=8,
)


def table(folder: Path, name: str, rows: list[Row], key: tuple[str, ...]) -> SideDataset:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    path = folder / name / "t.parquet"
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA), path)
    data = path.read_bytes()
    artifact = Artifact(path="t.parquet", size=len(data), sha256=hashlib.sha256(data).hexdigest())
    return SideDataset(artifact=artifact, place=path, key=key)


def compared(
    folder: Path, before: list[Row], after: list[Row], key: tuple[str, ...] = ()
) -> DatasetDifference:
    two = [
        Side(label=name, pipelines={"p": SidePipeline(datasets={"s.d": table(folder, name, rows, key)})})
        for name, rows in (("before", before), ("after", after))
    ]
    found = Comparer(folder, Store(folder / "store"), Options()).compare(*two)
    return found.pipelines[0].datasets[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("law")


def by_key(rows: list[Row]) -> dict[int, Row]:
    return {row[0]: row for row in rows}


SOME = settings(max_examples=amount(8, 200), suppress_health_check=[HealthCheck.function_scoped_fixture])


@SOME
@given(before=ROWS, after=ROWS)
def test_rows_by_key(folder: Path, before: list[Row], after: list[Row]) -> None:
    old, new = by_key(before), by_key(after)
    found = compared(folder, list(old.values()), list(new.values()), ("id",))
    if found.what == "same":
        assert old == new
        return
    assert found.rows is not None
    both = old.keys() & new.keys()
    assert found.rows.added == len(new.keys() - old.keys())
    assert found.rows.removed == len(old.keys() - new.keys())
    assert found.rows.changed == sum(old[key] != new[key] for key in both)
    columns = {
        name: sum(old[key][at] != new[key][at] for key in both) for at, name in ((1, "n"), (2, "text"))
    }
    assert found.rows.columns == {name: count for name, count in columns.items() if count}
    assert found.counts == (len(old), len(new))


@SOME
@given(before=ROWS, after=ROWS)
def test_rows_as_a_multiset(folder: Path, before: list[Row], after: list[Row]) -> None:
    found = compared(folder, before, after)
    old, new = Counter(before), Counter(after)
    if found.what == "same":
        assert old == new
        return
    assert found.rows is not None
    assert (found.rows.added, found.rows.removed) == ((new - old).total(), (old - new).total())
    assert found.rows.changed == 0


@SOME
@given(before=ROWS, after=ROWS)
def test_to_and_fro_is_the_same_seen_from_the_other_side(
    folder: Path, before: list[Row], after: list[Row]
) -> None:
    there, back = compared(folder, before, after), compared(folder, after, before)
    assert there.what == back.what
    if there.rows is not None and back.rows is not None:
        assert (there.rows.added, there.rows.removed) == (back.rows.removed, back.rows.added)
        assert {(one.name, one.before, one.after) for one in there.figures} == {
            (one.name, one.after, one.before) for one in back.figures
        }


@SOME
@given(before=ROWS, after=ROWS)
def test_figures_are_those_of_the_columns(folder: Path, before: list[Row], after: list[Row]) -> None:
    found: dict[str, Any] = {
        one.name: (one.before, one.after) for one in compared(folder, before, after).figures
    }
    missing = [sum(row[1] is None for row in rows) for rows in (before, after)]
    if "n: missing" in found:
        assert list(found["n: missing"]) == missing
    largest = [max((row[1] for row in rows if row[1] is not None), default=None) for rows in (before, after)]
    if "n: largest" in found:
        assert list(found["n: largest"]) == largest
        assert largest[0] != largest[1]
