"""Text files are read as they were written, or refused with their line; nothing of them is passed over."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import amount
from stagebook.tables.csv_dialect import dialect_of
from stagebook.tables.duck import Connection, QueryFailed
from stagebook.tables.source import NoTable, source_of

words = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\\"), max_size=6)
names = st.lists(words.filter(str.strip), min_size=2, max_size=4, unique_by=str.lower)


def read(path: Path) -> tuple[list[str], list[tuple[object, ...]]]:
    """The columns and the rows of a file."""
    with (
        tempfile.TemporaryDirectory() as spill,
        Connection({"raw": source_of(path)}, spill=Path(spill)) as connection,
    ):
        return list(connection.columns("raw")), connection.rows("SELECT * FROM raw")


@settings(max_examples=amount(30, 1_000))
@given(
    head=names,
    data=st.data(),
    delimiter=st.sampled_from([",", "\t", ";", "|"]),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
    packed=st.booleans(),
)
def test_what_is_written_is_read(
    head: list[str], data: st.DataObject, delimiter: str, end: str, mark: str, packed: bool
) -> None:
    head = ["".join(one if one not in ",\t;|\n" else "_" for one in name) for name in head]
    if len({name.lower() for name in head}) < len(head) or not all(name.strip() for name in head):
        return
    rows = data.draw(st.lists(st.tuples(*(words for _ in head)), max_size=5))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(head)
    writer.writerows(rows)
    raw = (mark + text.getvalue()).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("x.csv.gz" if packed else "x.csv")
        path.write_bytes(gzip.compress(raw) if packed else raw)
        columns, found = read(path)
    assert columns == head
    assert found == [tuple(value or None for value in row) for row in rows]


@pytest.mark.parametrize(
    ("raw", "columns", "rows"),
    [
        (b"a,b\n#1,2\n", ["a", "b"], [("#1", "2")]),
        (b"\r\n\r\na,b\r\n1,2\r\n", ["a", "b"], [("1", "2")]),
        (b"a\n1\n\n7\n", ["a"], [("1",), (None,), ("7",)]),
        (b"a,A,b,\n1,2,3,4\n", ["a", "A_1", "b", "column3"], [("1", "2", "3", "4")]),
        (b"a;b\n1;2,5\n", ["a", "b"], [("1", "2,5")]),
        (b"a,b\n1,2\n3,4", ["a", "b"], [("1", "2"), ("3", "4")]),
        (b'a,b\n1,"x ""y"", z"\n', ["a", "b"], [("1", 'x "y", z')]),
        (b'"a;;;;","b"\n1,2\n', ["a;;;;", "b"], [("1", "2")]),
        (b"a,b\n", ["a", "b"], []),
    ],
)
def test_odd_files(tmp_path: Path, raw: bytes, columns: list[str], rows: list[tuple[object, ...]]) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(raw)
    assert read(path) == (columns, rows)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"a,b\n1,2\n3\n4,5,6\n", "line 3: Expected Number of Columns: 2 Found: 1"),
        ("a,b\n1,é\n".encode("latin-1"), "line 2 is not UTF-8"),
        (b"a,b\n" + b"1,2\n" * 40_000 + b"1,\xe9\n", "line 40002: Invalid unicode"),
        ("a,b\n1,2\n".encode("utf-16"), "the file is UTF-16"),
        (b"\n \n", "the file has no line with the names"),
        (b'a,b\n1,"2\n', "line 2: Value with unterminated quote"),
        (b"", "the file is empty"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path, raw: bytes, said: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(raw)
    with pytest.raises((NoTable, QueryFailed), match=said):
        read(path)


def test_what_only_duckdb_finds_out(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('a,b\n1,"x \\"y\\""\n')
    assert dialect_of(path) is None
    assert read(path) == (["a", "b"], [("1", 'x "y"')])


def test_files_of_a_folder_may_have_other_columns(tmp_path: Path) -> None:
    import pandas as pd

    pd.DataFrame({"a": [1], "b": ["x"]}).to_parquet(tmp_path / "1.parquet")
    pd.DataFrame({"c": [2.5], "a": [2]}).to_parquet(tmp_path / "2.parquet")
    assert read(tmp_path) == (["a", "b", "c"], [(1, "x", None), (2, None, 2.5)])
