"""What a process reported, as the files of the project that it read and wrote."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stagebook.execution.file_access.report import read_report
from stagebook.observed import Observed


def seen(*reads: str, writes: tuple[str, ...] = ()) -> Observed:
    return Observed(reads=reads, writes=writes)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    real = tmp_path / "real"
    real.mkdir()
    return real


def sense(root: Path, *lines: tuple[str, str], since: float = 0.0, raw: bytes = b"") -> Observed | None:
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
    assert sense(root) == Observed()


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
    (root / "etc").symlink_to("/etc")
    noted = [
        f"{root}/link/a", f"{root}/x/../data/./b", f"{root.parent}/way/data/a", f"{root}/data/alias",
        f"{root}/out/o", f"{root}/../outside/o", f"{outside}/o", f"{root}/etc/passwd", f"{root}/ä/ü x", "/", f"{root}/\x07",
    ]  # fmt: skip
    assert sense(root, *(("read", path) for path in noted)) == seen(
        "data/a", "data/alias", "data/b", "out/o", "ä/ü x"
    )


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
    assert found == Observed(reads=("a", "b"), left_out=1)


ACCESSES = st.lists(
    st.tuples(st.sampled_from(["read", "write", "list", "source", "target"]), st.sampled_from(["a", "d", "d/b", "d/c", "e/f", "gone"])),
    max_size=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noted=ACCESSES)
def test_a_report_holds_what_is_there_and_what_came_before_it_was_written(
    root: Path, noted: list[tuple[str, str]]
) -> None:
    touch(root, "a", "d/b", "d/c", "e/f")
    found = sense(root, *((kind, f"{root}/{path}") for kind, path in noted))
    assert found is not None
    reads, writes = list(found.reads), list(found.writes)
    assert (reads, writes) == (sorted(set(reads)), sorted(set(writes)))
    assert all((root / path).exists() for path in [*reads, *writes])
    assert {path for kind, path in noted if kind == "write" and path != "gone"} <= set(writes)
    for path in reads:
        first = next(
            at
            for at, (kind, seen_path) in enumerate(noted)
            if seen_path == path and kind in {"read", "list", "source"}
        )
        written_before = {seen_path for kind, seen_path in noted[:first] if kind in {"write", "target"}}
        assert path not in written_before
    twice = sense(root, *((kind, f"{root}/{path}") for kind, path in [*noted, *noted]))
    assert twice is not None
    assert twice == found, "what is reported again adds nothing"


def test_a_file_that_is_listed_and_a_folder_that_is_opened_are_no_reads(root: Path) -> None:
    touch(root, "d/a")
    assert sense(root, ("list", f"{root}/d/a"), ("read", f"{root}/d")) == seen()
    assert sense(root, ("list", f"{root}/d"), ("read", f"{root}/d/a")) == seen("d", "d/a")


def test_a_pattern_with_the_name_of_a_file_is_that_file(root: Path) -> None:
    touch(root, "d/[ab].csv", "d/a.csv")
    assert sense(root, ("source", f"{root}/d/[ab].csv")) == seen("d/[ab].csv")
    (root / "d/[ab].csv").unlink()
    assert sense(root, ("source", f"{root}/d/[ab].csv")) == seen("d/a.csv")
    assert sense(root, ("source", f"{root}/**/*.csv")) == seen("d/a.csv")
