"""Former versions of outputs, while notebooks write new ones in their places."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stagebook.execution.attempt import Attempt, OutputSlot
from stagebook.execution.runner.asides import Asides, recover
from stagebook.workspace.paths import PathRefused


def attempt(root: Path, *paths: str, number: int = 1) -> Attempt:
    slots = {f"o{at}": OutputSlot(path=path, staged=path) for at, path in enumerate(paths)}
    slots["staged"] = OutputSlot(path="data/other.csv", staged=".stagebook/x/other.csv")
    return Attempt(
        run="r-1", pipeline="p", stage="a@1", number=number, root=str(root), folder=str(root / "f"),
        notebook="n.ipynb", executable="n.ipynb", outputs=slots,
    )  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data/folder").mkdir(parents=True)
    (tmp_path / "data/a.csv").write_text("before")
    (tmp_path / "data/folder/x").write_text("inside")
    (tmp_path / "data/other.csv").write_text("of another kind")
    return tmp_path


def there(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root / "data").as_posix(): path.read_text()
        for path in sorted((root / "data").rglob("*"))
        if path.is_file()
    }


BEFORE = {"a.csv": "before", "folder/x": "inside", "other.csv": "of another kind"}
PATHS = ("data/a.csv", "data/folder", "data/new/b.csv")


def write(root: Path) -> None:
    assert not (root / "data/a.csv").exists()
    assert not (root / "data/folder").exists()
    (root / "data/a.csv").write_text("half")
    (root / "data/folder").write_text("a file now")
    (root / "data/new").mkdir(exist_ok=True)
    (root / "data/new/b.csv").write_text("half")


def test_a_failed_attempt_leaves_what_was_there(root: Path) -> None:
    asides, one = Asides(root), attempt(root, *PATHS)
    asides.take(one)
    write(root)
    asides.put_back(one)
    assert there(root) == BEFORE
    assert list((root / ".stagebook/asides").iterdir()) == []


def test_a_completed_attempt_leaves_what_it_wrote(root: Path) -> None:
    asides, one = Asides(root), attempt(root, *PATHS)
    asides.take(one)
    write(root)
    asides.drop(one)
    assert there(root) == {
        "a.csv": "half",
        "folder": "a file now",
        "new/b.csv": "half",
        "other.csv": "of another kind",
    }
    assert list((root / ".stagebook/asides").iterdir()) == []


@pytest.mark.parametrize(
    ("outcome", "wanted"),
    [
        (False, BEFORE),
        (
            True,
            {"a.csv": "half", "folder": "a file now", "new/b.csv": "half", "other.csv": "of another kind"},
        ),
    ],
)
def test_a_run_that_was_killed_is_cleared_up_after(root: Path, outcome: bool, wanted: dict[str, str]) -> None:
    Asides(root).take(attempt(root, *PATHS))
    write(root)
    asked: list[tuple[str, str, int]] = []

    def ended(*which: object) -> bool:
        asked.append(which)  # type: ignore[arg-type]
        return outcome

    found = recover(root, ended)
    assert asked == [("r-1", "a@1", 1)]
    assert found == ([] if outcome else [*PATHS])
    assert there(root) == wanted
    assert recover(root, ended) == []
    assert len(asked) == 1


def test_a_run_that_goes_on_is_left_alone(root: Path) -> None:
    asides, one = Asides(root), attempt(root, *PATHS)
    asides.take(one)
    write(root)
    assert recover(root, lambda *_: None) == []
    asides.put_back(one)
    assert there(root) == BEFORE


def test_what_was_never_moved_is_not_removed(root: Path) -> None:
    """The process ended after the record was written, before anything was moved."""
    asides, one = Asides(root), attempt(root, "data/a.csv")
    asides.take(one)
    (record,) = (root / ".stagebook/asides").iterdir()
    kept = json.loads(record.read_text())["aside"]["data/a.csv"]
    (root / kept).rename(root / "data/a.csv")
    assert there(root) == BEFORE
    recover(root, lambda *_: False)
    assert there(root) == BEFORE


def test_what_cannot_be_moved_changes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved, rename = [], Path.rename

    def second_fails(self: Path, target: Path) -> Path:
        moved.append(self.name)
        if len(moved) == 2:
            raise PermissionError(1, "not permitted")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(PermissionError):
        Asides(root).take(attempt(root, *PATHS))
    monkeypatch.undo()
    assert there(root) == BEFORE
    assert list((root / ".stagebook/asides").iterdir()) == []


def test_a_folder_that_became_a_link_is_refused(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (root / "data").rename(root / "elsewhere")
    (root / "data").symlink_to("elsewhere")
    with pytest.raises(PathRefused, match="leads to elsewhere"):
        Asides(root).take(attempt(root, "data/a.csv"))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"run": 1, "stage": "a", "attempt": 1, "aside": {}}',
     '{"run": "r", "stage": "a", "attempt": 1, "aside": {"../x": "data/a.csv"}}',
     '{"run": "r", "stage": "a", "attempt": 1, "aside": {"/etc/x": "data/a.csv"}}',
     '{"run": "r", "stage": "a", "attempt": 1, "aside": {"data/a.csv": 3}}'],
)  # fmt: skip
def test_a_damaged_record_does_nothing(root: Path, text: str) -> None:
    (root / ".stagebook/asides").mkdir(parents=True)
    (root / ".stagebook/asides/x.json").write_text(text)
    assert recover(root, lambda *_: False) == []
    assert there(root) == BEFORE
