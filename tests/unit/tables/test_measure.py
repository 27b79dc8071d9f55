"""Figures of a table are those that a plain look at its values gives, and tell nothing of what is personal."""

from __future__ import annotations

import datetime
import math
import statistics
import tempfile
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stagebook.figures import QUANTILES, TableFigures
from stagebook.tables.duck import Connection
from stagebook.tables.measure import measure
from stagebook.tables.source import NoTable


def measured(path: Path, personal: Collection[str] = ()) -> TableFigures:
    with (
        tempfile.TemporaryDirectory() as spill,
        Connection({}, spill=Path(spill), is_open=True) as connection,
    ):
        return measure(connection, path, personal)


def table_at(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


NUMBERS = st.one_of(
    st.none(), st.integers(-1000, 1000).map(float), st.sampled_from([math.nan, math.inf, -math.inf])
)


@settings(max_examples=25, deadline=None)
@given(values=st.lists(NUMBERS, min_size=1, max_size=30))
@example(values=[1.0, 2.0, math.nan])  # of which the statistics of the file say nothing
@example(values=[-1.0, -1.0])
def test_a_column_of_numbers(values: list[float | None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        column = pa.array(values, pa.float64(), from_pandas=False)
        found = measured(table_at(Path(folder) / "t.parquet", x=column))
    present = [value for value in values if value is not None and not math.isnan(value)]
    finite = [value for value in present if math.isfinite(value)]
    figures = found.columns["x"]
    assert found.rows == len(values)
    assert figures.nulls == len(values) - len(present)
    assert abs(figures.distinct - len(set(present))) <= 1
    assert figures.distinct <= len(present)
    assert len(figures.quantiles) == (len(QUANTILES) if finite else 0)
    if finite:
        low, high = figures.quantiles[0], figures.quantiles[-1]
        assert min(finite) - 1e-9 <= low <= high <= max(finite) + 1e-9


def test_what_is_no_number_is_no_value(tmp_path: Path) -> None:
    found = measured(table_at(tmp_path / "t.parquet", x=pa.array([1.0, 2.0, math.nan], from_pandas=False)))
    assert (found.columns["x"].nulls, found.columns["x"].distinct) == (1, 2)


def test_quantiles_are_those_of_the_values(tmp_path: Path) -> None:
    values = [float(number) for number in range(1001)]
    found = measured(table_at(tmp_path / "t.parquet", x=values)).columns["x"].quantiles
    assert found == pytest.approx([50, 250, 500, 750, 950], abs=5)
    assert found[2] == pytest.approx(statistics.median(values), abs=2)


def test_the_newest_of_dates_and_times(tmp_path: Path) -> None:
    day = datetime.date(2026, 1, 2)
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    columns = {
        "day": [datetime.date(1970, 1, 3), day, None],
        "moment": pa.array([moment.replace(tzinfo=None), None, None], pa.timestamp("us")),
        "zoned": pa.array([moment, None, None], pa.timestamp("us", "UTC")),
        "none": pa.array([None, None, None], pa.date32()),
    }
    found = measured(table_at(tmp_path / "t.parquet", **columns)).columns
    midnight = datetime.datetime.combine(day, datetime.time(), datetime.UTC).timestamp()
    assert found["day"].newest == midnight
    assert found["moment"].newest == found["zoned"].newest == moment.timestamp()
    assert found["none"].newest is None
    assert found["none"].nulls == 3


def test_of_what_is_personal_nothing_but_counts_is_told(tmp_path: Path) -> None:
    path = table_at(
        tmp_path / "t.parquet",
        age=[30, 31, None],
        born=[datetime.date(2000, 1, 1), datetime.date(2001, 1, 1), None],
        other=[1, 2, 3],
    )
    found = measured(path, ["age", "born"]).columns
    for name in ("age", "born"):
        assert (found[name].nulls, found[name].distinct) == (1, 2)
        assert (found[name].quantiles, found[name].newest) == ((), None)
    assert found["other"].quantiles


def test_values_of_text_files_have_the_types_that_they_seem_to_have(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("n,day,word\n1,2026-01-02,a\n3,2026-01-03,b\n,,\n")
    found = measured(path)
    kinds = {name: column.type for name, column in found.columns.items()}
    assert (found.rows, kinds) == (3, {"n": "BIGINT", "day": "DATE", "word": "VARCHAR"})
    assert found.columns["n"].nulls == 1
    assert found.columns["n"].quantiles[2] == pytest.approx(2, abs=1)


def test_a_text_file_that_is_not_what_it_seems_is_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("n\n" + "1\n" * 30_000 + "two\n")
    found = measured(path)
    assert (found.rows, found.columns["n"].type, found.columns["n"].distinct) == (30_001, "VARCHAR", 2)


def test_what_is_no_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.png").write_bytes(b"\x89PNG")
    with pytest.raises(NoTable, match="nothing is known of files named"):
        measured(tmp_path / "t.png")
