"""What a name leads to: engines, file systems, answers; and asking for so long and no longer."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sources import TOKEN, Source, http_source
from stagebook.connections import connect
from stagebook.connections.asking import ask_what, ask_whether
from stagebook.errors import ConnectionUnusable

PASSWORD = "word-of-the-server"


@pytest.fixture
def source() -> Iterator[Source]:
    with http_source() as made:
        yield made


@pytest.fixture
def root(tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "data/incoming/deep").mkdir(parents=True)
    for name in ("b.csv", "a.csv", "deep/c.csv", "x.txt"):
        (tmp_path / "data/incoming" / name).write_text(f"in {name}")
    with sqlite3.connect(tmp_path / "data/x.db") as database:
        database.execute("CREATE TABLE birds (name, n)")
        database.executemany("INSERT INTO birds VALUES (?, ?)", [("wren", 3), ("owl", 1)])
    database.close()
    (tmp_path / "connections.toml").write_text(f"""
        incoming = {{url = "data/incoming"}}
        base = {{url = "sqlite:///data/x.db"}}
        none = {{url = "sqlite:///data/none.db"}}
        gone = {{url = "data/none"}}
        feed = {{url = "{source.url}", options = {{headers = {{Authorization = "Bearer ${{secret.FEED}}"}}}}}}
        down = {{url = "http://127.0.0.1:9"}}
        lake = {{url = "no-such-store://bucket"}}
        odd = {{url = "postgresql+no_such_driver://h/x"}}
    """)
    monkeypatch.setenv("STAGEBOOK_SECRET_FEED", PASSWORD)
    monkeypatch.chdir(tmp_path / "data")  # as a notebook that is run by hand
    return tmp_path


def test_a_name_leads_to_a_database_to_files_and_to_a_server(root: Path, source: Source) -> None:
    import sqlalchemy

    with connect("base").engine().connect() as opened:
        assert opened.execute(sqlalchemy.text("SELECT sum(n) FROM birds")).scalar() == 4
    files = connect("incoming").filesystem()
    assert sorted(files.glob("*.csv")) == ["a.csv", "b.csv"]
    for path in ("a.csv", "incoming:a.csv", f"{root}/data/incoming/a.csv"):
        with connect("incoming").open(path) as file:
            assert file.read() == b"in a.csv"
    source.files["/stations.json"] = b"[]"
    with connect("feed").open("stations.json") as answer:
        assert answer.read() == b"[]"
    assert connect("feed").options["headers"] == {"Authorization": TOKEN}
    assert PASSWORD not in repr(connect("feed"))


def test_what_cannot_be_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for act, message in (
        (lambda: connect("wharehouse"), "there is no connection 'wharehouse'"),
        (lambda: connect("incoming").engine(), "'incoming' is no SQL database, but files"),
        (lambda: connect("base").filesystem(), "'base' is a SQL database: use engine()"),
        (lambda: connect("lake").filesystem(), "the connection 'lake'"),
        (lambda: connect("odd").engine(), "the connection 'odd'"),
        (lambda: connect("feed").open("x", "wb"), "'feed' can be read only"),
    ):
        with pytest.raises(ConnectionUnusable) as caught:
            act()
        assert message in caught.value.message
    monkeypatch.setenv("STAGEBOOK_STAGE", "a")
    with pytest.raises(ConnectionUnusable, match="the stage does not declare the connection 'feed'"):
        connect("feed")
    assert connect("incoming").kind == "files"  # it has no secret
    monkeypatch.setenv("STAGEBOOK_CONNECTIONS", "other feed")
    assert connect("feed").kind == "http"


def test_a_test_tells_what_is_there(root: Path) -> None:
    assert ask_whether(root, "base").startswith("sqlite 3.")
    assert ask_whether(root, "incoming") == "4 entries"
    assert ask_whether(root, "feed") == "HTTP 200"


@pytest.mark.long
def test_a_test_tells_what_is_not_there(root: Path, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    def problem(name: str, patience: float = 60.0) -> str:
        with pytest.raises(ConnectionUnusable) as caught:
            ask_whether(root, name, patience)
        assert PASSWORD not in str(caught.value)
        return str(caught.value)

    assert "'none': FileNotFoundError: there is no file" in problem("none")
    assert "'gone': FileNotFoundError" in problem("gone")
    assert "'down': nothing answers: the connection was refused" in problem("down")
    assert "the connection 'lake': Protocol not known" in problem("lake")
    source.silent = True
    assert "'feed' did not answer within 3 s" in problem("feed", 3.0)
    source.silent = False
    source.released.set()
    monkeypatch.setenv("STAGEBOOK_SECRET_FEED", "another-word")
    assert "'feed': it refuses the login (HTTP 401" in problem("feed")
    monkeypatch.delenv("STAGEBOOK_SECRET_FEED")
    assert "STAGEBOOK_SECRET_FEED is not set" in problem("feed")


@pytest.mark.long
def test_what_is_there_has_marks_that_change_with_it(root: Path, source: Source) -> None:
    def marks(name: str, pattern: str) -> dict[str, str]:
        return dict(ask_what(root, name, [pattern], 60.0)[pattern])  # type: ignore[arg-type]

    before = marks("incoming", "**/*.csv")
    assert list(before) == ["a.csv", "b.csv", "deep/c.csv"]
    (root / "data/incoming/b.csv").write_text("longer than it was")
    after = marks("incoming", "**/*.csv")
    assert [name for name in before if before[name] != after[name]] == ["b.csv"]
    assert marks("incoming", "none-*") == {}
    assert list(marks("incoming", "deep")) == ["deep"]
    source.files["/x.json"] = b"1"
    tagged = marks("feed", "x.json")
    assert tagged["x.json"].startswith("tag ")
    source.files["/x.json"] = b"2"
    assert marks("feed", "x.json") != tagged
    source.tags = False  # nothing but the content is left
    assert marks("feed", "x.json")["x.json"].startswith("sha256 ")
    assert marks("feed", "gone.json") == {}
    rows = marks("base", "b*")
    assert rows["birds"].startswith("rows 2 ")
    with sqlite3.connect(root / "data/x.db") as database:
        database.execute("DELETE FROM birds WHERE name = 'wren'")
        database.execute("INSERT INTO birds VALUES ('wren', 3)")
    database.close()
    assert marks("base", "birds") == rows  # the same rows in another order
    with pytest.raises(ConnectionUnusable, match="no list of its files"):
        marks("feed", "*.json")


def test_the_module_is_light() -> None:
    code = "import sys, stagebook.connections; print([m for m in ('pydantic', 'sqlalchemy', 'fsspec', 'yaml') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True
    )
    assert done.stdout.strip() == "[]"
