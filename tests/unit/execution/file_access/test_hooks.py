"""What a process is seen to access: noted once, within limits, and never in the way of a notebook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from stagebook.execution.file_access.hooks import events, libraries
from stagebook.execution.file_access.hooks import reporter as reporting


@pytest.fixture
def root(tmp_path: Path) -> Path:
    real = tmp_path / "real"
    real.mkdir()
    return real


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")


@pytest.fixture
def reporter(root: Path) -> reporting.Reporter:
    return reporting.Reporter(str(root.parent / "noted"), str(root))


def noted(reporter: reporting.Reporter, root: Path) -> list[tuple[str, str]]:
    lines = (root.parent / "noted").read_text().splitlines()
    assert reporter
    return [(item["kind"], item["path"].removeprefix(f"{root}/")) for item in map(json.loads, lines)]


def test_each_path_is_noted_once(reporter: reporting.Reporter, root: Path) -> None:
    for path in ("a", "a", ".stagebook/x", ".git/x", "x/site-packages/y", 'b\n"ü\udcff'):
        reporter.note("read", f"{root}/{path}")
    reporter.note("read", f"{sys.prefix}/x")
    reporter.note("read", "/proc/self/status")
    reporter.note("read", "/elsewhere/__pycache__/x.pyc")
    reporter.note("write", f"{root}/a")
    assert noted(reporter, root) == [("read", "a"), ("read", 'b\n"ü\udcff'), ("write", "a")]


def test_values_that_functions_are_given(reporter: reporting.Reporter, root: Path) -> None:
    class Text(str):
        __slots__ = ()

        def startswith(self, *_: object) -> bool:
            raise AssertionError

    for value in (
        None, 7, object(), "", ":memory:", "s3://bucket/x", Text(f"{root}/t"), f"{root}/b".encode(),
        [Path(root / "p"), 3, (f"{root}/q",)], f"file:{root}/u?mode=ro", "a\nb",
    ):  # fmt: skip
        reporter.note_value("source", value)
    assert noted(reporter, root) == [("source", name) for name in "tbpqu"]


def test_a_database_is_read_if_it_was_there(reporter: reporting.Reporter, root: Path) -> None:
    touch(root, "old.db")
    reporter.note_value("database", f"{root}/old.db")
    reporter.note_value("database", f"{root}/new.db")
    assert noted(reporter, root) == [("read", "old.db"), ("target", "old.db"), ("target", "new.db")]


def test_sql_in_cells(reporter: reporting.Reporter, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    text = """
    duckdb.sql("SELECT * FROM 'a.parquet' JOIN 'b.csv' USING (x)")
    con.execute("select * from read_parquet(['c/*.parquet']) where y = 'no'")
    con.execute(f"select * from '{path}'")
    con.execute("COPY t TO 'd.parquet'; ATTACH 'e.db'")
    """
    libraries.note_sql(reporter, text)
    assert noted(reporter, root) == [
        ("source", "a.parquet"), ("source", "b.csv"), ("source", "c/*.parquet"), ("target", "d.parquet"),
        ("target", "e.db"),
    ]  # fmt: skip


def test_open_and_mapped_files_are_looked_up(reporter: reporting.Reporter, root: Path) -> None:
    import mmap

    touch(root, "open", "mapped", "known", "written")
    reporter.note("write", f"{root}/known")
    with (
        open(root / "open"),
        open(root / "known"),
        open(root / "written", "a"),
        open(root / "mapped", "rb") as file,
    ):
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        file.close()
        reporter._next_maps = 0.0
        reporter.look()
    assert noted(reporter, root)[0] == ("write", "known")
    assert sorted(noted(reporter, root)[1:]) == [
        ("source", "mapped"), ("source", "open"), ("source", "written"), ("target", "written"),
    ]  # fmt: skip
    mapped.close()


def test_there_are_limits_to_noting(
    reporter: reporting.Reporter, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "MAX_ELSEWHERE", 2)
    for at in range(5):
        reporter.note("read", f"/elsewhere/{at}")
    monkeypatch.setattr(reporting, "MAX_BYTES", 10)
    reporter.note("read", f"{root}/a")
    monkeypatch.setattr(reporting, "MAX_BYTES", 10_000)
    monkeypatch.setattr(reporting, "MAX_PATHS", 4)
    for at in range(5):
        reporter.note("read", f"{root}/{at}")
    assert [path for _, path in noted(reporter, root)] == ["/elsewhere/0", "/elsewhere/1", "0"]


def test_a_fault_in_noting_does_not_come_out(root: Path) -> None:
    reporter = reporting.Reporter(str(root / "noted"), str(root))
    os.close(reporter._descriptor)
    reporter._file = str(root / "absent/noted")
    hook = events.audit_hook(reporter)
    hook("open", ("x", "r", 0))
    hook("open", ())
    hook("os.rename", (None,))
    hook("no.such.event", ())


def test_what_a_signal_handler_raises_comes_out(root: Path) -> None:
    def note(*_: object) -> None:
        exec(compile("raise TimeoutError", "<notebook>", "exec"))

    hook = events.audit_hook(SimpleNamespace(note=note))  # type: ignore[arg-type]
    with pytest.raises(TimeoutError):
        hook("open", ("x", "r", 0))


def test_a_process_that_is_not_asked_is_not_observed(tmp_path: Path) -> None:
    code = (
        "import sys, types\nfrom stagebook.execution.file_access import hooks\n"
        "hooks.begin(None)\nassert not any(type(f).__name__ == 'Watcher' for f in sys.meta_path)\n"
    )
    env = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr


def test_entry_points_are_wrapped_after_the_import(
    root: Path, monkeypatch: pytest.MonkeyPatch, reporter: reporting.Reporter
) -> None:
    monkeypatch.syspath_prepend(str(root))
    (root / "reading_lib.py").write_text(
        "class File:\n    def __init__(self, where):\n        self.where = where\n"
        "def read(path, *, sep=','):\n    'Doc.'\n    return path, sep\n"
        "def failing(path):\n    raise KeyError(path)\n"
    )
    entries = (
        ("File.__init__", "source", 1, "where"), ("read", "source", 0, "path"), ("absent", "source", 0, "x"),
        ("failing", "write", 0, "path"),
    )  # fmt: skip
    monkeypatch.setitem(libraries.WRAPPED, "reading_lib", entries)
    watcher = libraries.Watcher(reporter)
    monkeypatch.setattr(sys, "meta_path", [watcher, *sys.meta_path])
    import importlib
    import inspect
    import pickle

    library = importlib.import_module("reading_lib")
    try:
        assert library.__loader__.exec_module.__func__
        assert library.read("a", sep=";") == ("a", ";")
        assert library.read(path="b") == ("b", ",")
        assert library.File("c").where == "c"
        with pytest.raises(KeyError, match="d"):
            library.failing("d")
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            library.read()
        assert (str(inspect.signature(library.read)), library.read.__doc__) == ("(path, *, sep=',')", "Doc.")
        assert pickle.loads(pickle.dumps(library.read)) is library.read
        read = library.read
        watcher.wrap_what_is_there()
        assert library.read is read
        importlib.reload(library)
        assert library.read is not read
        library.read("e")
    finally:
        sys.modules.pop("reading_lib", None)
    paths = [os.path.basename(path) for _, path in noted(reporter, root)]
    assert [path for path in paths if len(path) == 1] == ["a", "b", "c", "d", "e"]
