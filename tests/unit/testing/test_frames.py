from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from stagebook.errors import UsageError
from stagebook.testing import frames

FRAME = pd.DataFrame({"name": ["a", "b", None], "x": [1, 2, 3], "y": [0.5, None, 2.0]})


@pytest.mark.parametrize(
    "name", ["t.parquet", "t.pq", "t.csv", "t.tsv", "t.jsonl", "t.ndjson", "t.json", "t.csv.gz"]
)
def test_a_frame_comes_back_from_each_format(tmp_path: Path, name: str) -> None:
    frames.write(FRAME.iloc[1:], tmp_path / "in" / name)
    found = frames.read(tmp_path / "in" / name)
    assert list(found.columns) == ["name", "x", "y"]
    assert found["x"].tolist() == [2, 3]
    assert found["y"].isna().tolist() == [True, False]


def test_the_index_is_not_written(tmp_path: Path) -> None:
    frames.write(FRAME.set_index("x"), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().splitlines()[0] == "name,y"


def test_a_delta_table(tmp_path: Path) -> None:
    frames.write(FRAME, tmp_path / "t", is_delta=True)
    assert frames.read(tmp_path / "t")["x"].tolist() == [1, 2, 3]
    assert frames.is_binary(tmp_path / "t")


def test_a_frame_that_a_name_has_no_format_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be written as 'model\.joblib'"):
        frames.write(FRAME, tmp_path / "model.joblib")
    (tmp_path / "page.html").write_text("<p>")
    with pytest.raises(UsageError, match=r"'page\.html' is no table"):
        frames.read(tmp_path / "page.html")


def test_a_file_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("nothing")
    with pytest.raises(UsageError, match="cannot be read as a table"):
        frames.read(tmp_path / "t.parquet")


def test_options_go_to_pandas(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b\n1;2\n")
    assert list(frames.read(tmp_path / "t.csv", sep=";").columns) == ["a", "b"]


def test_warnings_of_libraries_are_none_of_the_test(tmp_path: Path) -> None:
    moment = pd.Timestamp("2013-01-05 10:00", tz="UTC")
    frames.write(
        pd.DataFrame({"at": [moment]}), tmp_path / "t.parquet"
    )  # pytest takes warnings for errors here
    assert frames.read(tmp_path / "t.parquet")["at"].tolist() == [moment]


class TestDifferences:
    def test_equal_tables_have_none(self) -> None:
        assert frames.differences(FRAME, FRAME.copy()) == []

    def test_columns(self) -> None:
        after = FRAME.drop(columns="y").assign(z=1)
        assert frames.differences(FRAME, after) == ["without the 1 column y", "with the new 1 column z"]

    def test_the_order_of_columns(self) -> None:
        assert frames.differences(FRAME, FRAME[["x", "name", "y"]]) == [
            "with the columns in another order: x, name, y"
        ]

    def test_types(self) -> None:
        assert frames.differences(FRAME, FRAME.astype({"x": float})) == ["x is float64, before int64"]

    def test_the_number_of_rows_and_the_first_cells(self) -> None:
        after = FRAME.head(2).assign(x=[1, 7], y=[0.5, 1.0])
        assert frames.differences(FRAME, after) == [
            "2 rows, before 3",
            "row 2, x: 7, before 2",
            "row 2, y: 1, before nan",
        ]

    def test_many_cells_are_counted(self) -> None:
        before, after = pd.DataFrame({"n": range(10)}), pd.DataFrame({"n": range(1, 11)})
        lines = frames.differences(before, after)
        assert lines[0] == "row 1, n: 1, before 0"
        assert lines[-1] == "and 5 cells more"
        assert len(lines) == 6

    def test_cells_that_hold_several_values(self) -> None:
        before, after = pd.DataFrame({"n": [[1, 2], [3]]}), pd.DataFrame({"n": [[1, 2], [4]]})
        assert frames.differences(before, after) == ["row 2, n: [4], before [3]"]
