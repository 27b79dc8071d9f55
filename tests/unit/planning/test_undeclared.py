"""What was observed, made sense of and held against what is declared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stagebook.execution.file_access.hooks import events, libraries
from stagebook.execution.file_access.hooks import reporter as reporting
from stagebook.execution.file_access.report import read_report
from stagebook.planning.plan import PlannedInput, PlannedOutput, PlannedStage
from stagebook.planning.undeclared import compare, messages, refusal


def stage(*, strict: bool = False, **inputs: str | tuple[str, ...]) -> PlannedStage:
    return PlannedStage(
        id="train",
        stage="train",
        notebook="notebooks/train.ipynb",
        inputs={
            name: PlannedInput(
                paths=(path,) if isinstance(path, str) else path, many=not isinstance(path, str)
            )
            for name, path in inputs.items()
        },
        outputs={"model": PlannedOutput(path="data/models/m.joblib"), "plots": PlannedOutput(path="plots")},
        strict=strict,
    )


def seen(*reads: str, writes: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"reads": list(reads), "writes": list(writes)}


# -- compare --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observed", "found"),
    [
        (None, ()),
        (seen(), ()),
        (seen("data/x.csv"), ()),
        (seen("data/folder/deep/a.csv"), ()),
        (seen("data/many/1.csv", "data/many/2.csv", "data/many"), ()),
        (seen("data", "data/many", ".", "data/models"), ()),
        (seen("src/lib.py", "src/pack/inner.py", "notebooks/train.ipynb"), ()),
        (seen("data/models/m.joblib", "plots/a.png"), ()),
        (seen("tmp/x", writes=("tmp/x",)), ()),
        (seen("tmp/set/a", writes=("tmp/set",)), ()),
        (seen("data/other.csv"), ("data/other.csv",)),
        (
            seen("data/x.csv.bak", "data/folder2/a", "data/raw"),
            ("data/x.csv.bak", "data/folder2/a", "data/raw"),
        ),
    ],
)
def test_undeclared_reads(observed: dict[str, Any] | None, found: tuple[str, ...]) -> None:
    declared = stage(x="data/x.csv", folder="data/folder", many=("data/many/1.csv", "data/many/2.csv"))
    assert compare(declared, observed, code=["src/lib.py", "src/pack"]).undeclared_reads == found


def test_undeclared_writes() -> None:
    observed = seen(writes=("data/models/m.joblib", "plots/a.png", "data/side.csv"))
    assert compare(stage(), observed).undeclared_writes == ("data/side.csv",)


def test_unread_inputs() -> None:
    declared = stage(x="data/x.csv", folder="data/folder", y="data/y.csv", z="in/z.csv")
    observed = seen("data/x.csv", "data/folder/a.csv")
    assert compare(declared, observed).unread_inputs == ()
    assert compare(declared, observed, names={"y"}).unread_inputs == ("z",)
    assert compare(declared, seen("in", "data/x.csv", "data/folder"), names=()).unread_inputs == ("y",)
    assert compare(declared, {**observed, "left_out": 1}, names=()).unread_inputs == ()
    assert compare(declared, None, names=()).unread_inputs == ()


def test_messages() -> None:
    declared = stage(x="data/x.csv")
    found = compare(declared, seen("a.csv", *(f"b/{n}" for n in range(9)), writes=("c",)), names=())
    assert messages(found, declared) == [
        "train reads a.csv, which is not declared: changes of it go unnoticed",
        "train reads 9 files in b, which are not declared: changes of them go unnoticed",
        (
            "train writes c, which is not declared: no stage can refer to it, and a failed run may leave "
            "it half-written"
        ),
        "train does not use its input 'x' (data/x.csv): changes of it run the stage for nothing",
    ]


def test_strict() -> None:
    assert refusal(stage(), seen("a.csv")) == ""
    assert refusal(stage(strict=True), seen("src/a.py"), code=["src/a.py"]) == ""
    assert refusal(stage(strict=True), None) == ""
    assert refusal(stage(strict=True), seen("a.csv")) == (
        "it is strict, and reads what is not declared as an input: a.csv"
    )


# -- what was noted -------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    real = tmp_path / "real"
    real.mkdir()
    return real


def sense(root: Path, *lines: tuple[str, str], since: float = 0.0, raw: bytes = b"") -> dict[str, Any] | None:
    file = root.parent / "observed.jsonl"
    text = "".join(json.dumps({"kind": kind, "path": path}) + "\n" for kind, path in lines)
    file.write_bytes(text.encode() + raw)
    return read_report(file, root, since)


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")


def test_nothing_noted_is_not_the_same_as_nothing_to_note(root: Path) -> None:
    assert read_report(root / "absent", root, 0.0) is None
    assert sense(root) == {"reads": [], "writes": []}


def test_torn_and_foreign_lines_are_passed_over(root: Path) -> None:
    touch(root, "a")
    raw = b'{"kind": "rea\n[]\n7\n{"kind": "read"}\n{"kind": "read", "path": "' + str(root / "a").encode()
    assert sense(root, ("read", str(root / "a")), ("other", str(root / "a")), raw=raw) == seen("a")


def test_paths_are_as_a_pipeline_file_has_them(root: Path) -> None:
    touch(root, "data/a", "data/b", "ä/ü x")
    (root / "link").symlink_to("data")
    (root / "data/alias").symlink_to("b")
    (root.parent / "way").symlink_to(root)
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "o").write_text("")
    (root / "out").symlink_to(outside)
    noted = [
        f"{root}/link/a", f"{root}/x/../data/./b", f"{root.parent}/way/data/a", f"{root}/data/alias",
        f"{root}/out/o", f"{root}/../outside/o", f"{outside}/o", f"{root}/ä/ü x", "/", f"{root}/\x07",
    ]  # fmt: skip
    assert sense(root, *(("read", path) for path in noted)) == seen("data/a", "data/alias", "data/b", "ä/ü x")


def test_what_is_not_the_notebooks_is_left_out(root: Path) -> None:
    (root / "env").mkdir()
    (root / "env/pyvenv.cfg").touch()
    ignored = (
        ".git/config", ".stagebook/x", "env/lib/y", "mlruns/1", "mlflow.db", "mlflow.db-wal",
        "n/.ipynb_checkpoints/c", "lib/site-packages/z", "src/__pycache__/gone.cpython-311.pyc",
    )  # fmt: skip
    touch(root, *ignored, "src/__pycache__/there.cpython-311.pyc", "src/there.py", "kept/mlruns.txt")
    noted = [*ignored, "src/__pycache__/there.cpython-311.pyc", "kept/mlruns.txt", "absent"]
    expected = seen("kept/mlruns.txt", "src/there.py")
    assert sense(root, *(("read", f"{root}/{path}") for path in noted)) == expected
    assert sense(root, ("write", f"{root}/src/__pycache__/there.cpython-311.pyc")) == seen()


def test_order_tells_what_is_its_own(root: Path) -> None:
    touch(root, "state", "new", "set/part")
    noted = [
        ("read", "state"), ("write", "state"), ("write", "new"), ("read", "new"), ("write", "set"),
        ("read", "set/part"), ("list", "set"),
    ]  # fmt: skip
    found = sense(root, *((kind, f"{root}/{path}") for kind, path in noted))
    assert found == seen("state", writes=("new", "set", "state"))


def test_kinds(root: Path) -> None:
    touch(root, "d/a.csv", "d/b.csv", "old.db", "new.db")
    os.utime(root / "old.db", (1, 1))
    noted = [
        ("read", "d"), ("list", "d/a.csv"), ("source", "d/*.csv"), ("target", "old.db"), ("target", "new.db"),
    ]  # fmt: skip
    found = sense(root, *((kind, f"{root}/{path}") for kind, path in noted), since=time.time() - 60)
    assert found == seen("d/a.csv", "d/b.csv", writes=("new.db",))
    assert sense(root, ("source", f"{root}/d"), ("list", f"{root}")) == seen(".", "d")


def test_there_is_a_limit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stagebook.execution.file_access.report.MAX_PATHS", 2)
    touch(root, "a", "b", "c")
    found = sense(root, *(("read", f"{root}/{name}") for name in "abc"))
    assert found == {"reads": ["a", "b"], "writes": [], "left_out": 1}


# -- noting ---------------------------------------------------------------------------------------


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
