"""Rows out of DuckDB."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from stagebook.tables.duck import Connection
from stagebook.tables.source import source_of


def test_times_with_a_zone_need_no_other_library(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"at": pd.to_datetime(["2013-01-31T12:00:00Z"]), "a b": [1]}).to_parquet(path)
    spill = tmp_path / "spill"
    spill.mkdir()
    with Connection({"t": source_of(path)}, spill=spill) as connection:
        (row,) = connection.named_rows('SELECT * FROM "t"')
        assert str(row["at"]).startswith("2013-01-31 12:00:00")
        assert row["a b"] == 1
        assert str(connection.rows('SELECT max("at") FROM t')[0][0]).startswith("2013-01-31 12:00:00")
