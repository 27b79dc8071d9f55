"""The statements of a stage of SQL, by DuckDB and through a connection."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stagebook.execution.kernels.queries import StatementFailed, run


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STAGEBOOK_PROJECT", str(tmp_path))
    (tmp_path / "raw.csv").write_text("city,n,day\noslo,1,2024-01-02\nrome,5,2024-01-03\n")
    (tmp_path / "more.csv").write_text("n,city\n7,pisa\n")
    (tmp_path / "out").mkdir()
    return tmp_path


def query(
    root: Path, text: str, output: str = "out/a.parquet", connection: str = "", **values: Any
) -> int | None:
    (root / "q.sql").write_text(text)
    inputs = {
        name: _absolute(root, value) for name, value in values.pop("inputs", {"raw": "raw.csv"}).items()
    }
    output = str(root / output) if output else ""
    return run(str(root), "q.sql", connection, params=values, inputs=inputs, output=output)


def _absolute(root: Path, value: Any) -> Any:
    return [str(root / path) for path in value] if isinstance(value, list) else str(root / value)


def table(root: Path, path: str = "out/a.parquet") -> list[dict[str, Any]]:
    return pd.read_parquet(root / path).to_dict("records")  # type: ignore[return-value]


def test_the_result_of_the_last_select_is_written(root: Path) -> None:
    text = "CREATE TEMP TABLE t AS FROM raw WHERE n >= $least; SELECT 1; SELECT city, n FROM t; DROP TABLE t;"
    assert query(root, text, least=2) == 1
    assert table(root) == [{"city": "rome", "n": 5}]
    assert [path.name for path in (root / "out").iterdir()] == ["a.parquet"]


def test_values_have_types(root: Path) -> None:
    assert (
        query(root, "SELECT n + $more AS n, day FROM raw WHERE day = $day::DATE", more=1, day="2024-01-02")
        == 1
    )
    (row,) = table(root)
    assert (row["n"], pd.Timestamp(row["day"]).date()) == (2, dt.date(2024, 1, 2))


def test_several_files_are_one_table_by_the_names_of_columns(root: Path) -> None:
    inputs = {"all": ["raw.csv", "more.csv"]}
    assert query(root, 'SELECT city, n FROM "all" ORDER BY n', inputs=inputs) == 3
    assert [row["city"] for row in table(root)] == ["oslo", "rome", "pisa"]


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("a.csv", "city,n\noslo,1\n"),
        ("a.tsv", "city\tn\noslo\t1\n"),
        ("a.jsonl", '{"city":"oslo","n":1}\n'),
        ("a.json", '[\n\t{"city":"oslo","n":1}\n]\n'),
    ],
)
def test_the_format_is_that_of_the_suffix(root: Path, output: str, text: str) -> None:
    query(root, "SELECT city, n FROM raw WHERE n = 1", f"out/{output}")
    assert (root / "out" / output).read_text() == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1;\n\nSELECT nope\nFROM raw", 'q.sql:3: Binder Error: Referenced column "nope" not found'),
        ("SELEC 1", "q.sql:1: Parser Error: syntax error"),
        (
            "SELECT * FROM 'more.csv'",
            'q.sql:1: Permission Error: Cannot access file "more.csv": declare it as an input',
        ),
        ("SELECT * FROM gone", "q.sql:1: Catalog Error: Table with name gone does not exist"),
        ("SELECT $day", "q.sql:1: Values were not provided"),
    ],
)
def test_a_statement_that_fails_is_told_with_its_line(root: Path, text: str, message: str) -> None:
    with pytest.raises(StatementFailed) as caught:
        query(root, text)
    assert str(caught.value).startswith(message)
    assert list((root / "out").iterdir()) == []


def test_an_input_that_is_no_table_is_named(root: Path) -> None:
    (root / "notes.txt").write_text("x")
    with pytest.raises(
        StatementFailed, match=r"q\.sql: the input 'raw' is no table: nothing is known of files"
    ):
        query(root, "SELECT 1", inputs={"raw": "notes.txt"})


def test_files_of_an_input_that_do_not_fit_together(root: Path) -> None:
    (root / "odd.csv").write_text("n\nabc\n")
    with pytest.raises(StatementFailed, match=r"q\.sql"):
        query(root, 'SELECT sum(n) FROM "all"', inputs={"all": ["raw.csv", "odd.csv"]})


def test_a_file_that_is_gone(root: Path) -> None:
    with pytest.raises(StatementFailed, match=r"gone\.sql: .*No such file"):
        run(str(root), "gone.sql", "", params={}, inputs={}, output="")


@pytest.fixture
def base(root: Path) -> Path:
    (root / "connections.toml").write_text('[base]\nurl = "sqlite:///base.db"\n\n[files]\nurl = "data"\n')
    with sqlite3.connect(root / "base.db") as database:
        database.execute("CREATE TABLE birds (name, n)")
        database.execute("INSERT INTO birds VALUES ('owl', 1), ('wren', 4)")
    database.close()
    return root


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_a_connection_gives_the_rows_of_its_last_select(base: Path, suffix: str) -> None:
    text = "SELECT 1; SELECT name, n FROM birds WHERE n > $least"
    assert query(base, text, f"out/a.{suffix}", "base", least=2) == 1
    path = base / f"out/a.{suffix}"
    read = {
        "csv": pd.read_csv,
        "tsv": lambda it: pd.read_csv(it, sep="\t"),
        "json": pd.read_json,
        "jsonl": lambda it: pd.read_json(it, lines=True),
        "parquet": pd.read_parquet,
    }[suffix]
    assert read(path).to_dict("records") == [{"name": "wren", "n": 4}]


def test_statements_of_a_connection_hold_together_or_not_at_all(base: Path) -> None:
    with pytest.raises(StatementFailed, match=r"q\.sql:2: no such table: gone"):
        query(base, "INSERT INTO birds VALUES ('jay', $n);\nSELECT * FROM gone", "", "base", n=2)
    assert query(base, "INSERT INTO birds VALUES ('jay', $n)", "", "base", n=2) is None
    assert query(base, "SELECT count(*) AS n FROM birds", "out/a.csv", "base") == 1
    assert (base / "out/a.csv").read_text() == "n\n3\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [("files", "'files' is no SQL database, but files"), ("none", "there is no connection 'none'")],
)
def test_a_connection_that_cannot_be_used(base: Path, name: str, message: str) -> None:
    with pytest.raises(StatementFailed, match=f"q.sql: {message}"):
        query(base, "SELECT 1", "out/a.csv", name)
