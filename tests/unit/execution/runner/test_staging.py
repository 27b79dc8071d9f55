"""Publication: all outputs or none, and never a moment without the old file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakes import ABC, Lake
from stagebook.errors import StageFailure
from stagebook.events import Cause
from stagebook.execution.attempt import OutputSlot, TableSlot
from stagebook.execution.runner import staging
from stagebook.execution.worker import outputs
from stagebook.pipeline.model import DeltaOptions
from stagebook.system.files import describe_path, write_whole


def slots(*names: str) -> dict[str, OutputSlot]:
    return {name: OutputSlot(path=f"data/{name}", staged=f".stagebook/r/{name}/{name}") for name in names}


def tree(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in sorted((root / "data").rglob("*"))
        if path.is_file()
    }


def stage(root: Path, made: dict[str, OutputSlot], content: str = "new") -> None:
    outputs.make_folders(root, made)
    for slot in made.values():
        (root / slot.staged).write_text(content)


def test_files_and_folders_are_published_together(tmp_path: Path) -> None:
    made = slots("a.txt", "b")
    outputs.make_folders(tmp_path, made)
    (tmp_path / made["a.txt"].staged).write_text("new")
    folder = tmp_path / made["b"].staged
    folder.mkdir()
    (folder / "part-1").write_text("new")
    (tmp_path / "data/b").mkdir(parents=True)
    (tmp_path / "data/b/part-0").write_text("old")
    staging.publish(tmp_path, made)
    assert tree(tmp_path) == {"data/a.txt": "new", "data/b/part-1": "new"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), count=st.integers(1, 5))
def test_a_failure_anywhere_leaves_everything_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, count: int
) -> None:
    root = tmp_path_factory.mktemp("root")
    names = [f"f{at}/x.txt" for at in range(count)]
    made = {
        f"o{at}": OutputSlot(path=f"data/{name}", staged=f".s/o{at}/x.txt") for at, name in enumerate(names)
    }
    stage(root, made)
    bad = data.draw(st.integers(0, count - 1))
    for at, name in enumerate(names):
        target = root / "data" / name
        kind = "blocked" if at == bad else data.draw(st.sampled_from(["absent", "file", "folder"]))
        target.parent.parent.mkdir(parents=True, exist_ok=True)
        if kind == "blocked":
            target.parent.write_text("a file where a folder has to be")
        elif kind == "file":
            target.parent.mkdir()
            target.write_text("old")
        elif kind == "folder":
            target.mkdir(parents=True)
            (target / "inner").write_text("old")
    before = tree(root)
    with pytest.raises(StageFailure, match="could not be moved"):
        staging.publish(root, made)
    assert tree(root) == before


def in_the_way(root: Path, incoming: str, there: str) -> Path:
    """What the stage made is of one kind, and what is at its place of another."""
    if incoming == "folder":
        (root / ".s/one/x").unlink()
        (root / ".s/one/x").mkdir()
    place = root / "data/one"
    place.parent.mkdir()
    match there:
        case "file":
            place.write_text("old")
        case "folder":
            place.mkdir()
            (place / "inner").write_text("old")
        case "link":
            place.symlink_to(".")
    return place


@pytest.mark.parametrize("incoming", ["file", "folder"])
@pytest.mark.parametrize("there", ["absent", "file", "folder", "link"])
def test_what_was_moved_is_put_back(tmp_path: Path, incoming: str, there: str) -> None:
    """One of the outputs vanishes before its turn."""
    made = {
        "one": OutputSlot(path="data/one", staged=".s/one/x"),
        "two": OutputSlot(path="data/two", staged=".s/two/x"),
    }
    stage(tmp_path, made)
    place = in_the_way(tmp_path, incoming, there)
    near = staging.bring_near(tmp_path, made)
    (tmp_path / ".s/two/x").unlink()
    before = tree(tmp_path)
    with pytest.raises(StageFailure, match="'data/two' could not be moved"):
        staging.publish(tmp_path, made, near)
    assert tree(tmp_path) == before
    assert place.is_symlink() == (there == "link")


@pytest.mark.parametrize("there", ["file", "folder", "link"])
@pytest.mark.parametrize("incoming", ["file", "folder"])
def test_a_file_takes_the_place_of_a_folder_and_a_folder_that_of_a_file(
    tmp_path: Path, incoming: str, there: str
) -> None:
    made = {"one": OutputSlot(path="data/one", staged=".s/one/x")}
    stage(tmp_path, made)
    place = in_the_way(tmp_path, incoming, there)
    staging.publish(tmp_path, made)
    assert place.is_dir() == (incoming == "folder")
    assert not place.is_symlink()
    assert list((tmp_path / "data").iterdir()) == [place]


def test_an_external_output_is_left_alone(tmp_path: Path) -> None:
    made = {"t": OutputSlot(path="s3://bucket/x", staged="s3://bucket/x", kind="external")}
    outputs.make_folders(tmp_path, made)
    assert outputs.missing(tmp_path, made) == []
    staging.publish(tmp_path, made)
    assert list(tmp_path.iterdir()) == []


def test_an_output_from_another_file_system_is_copied(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system")
    import tempfile

    with tempfile.TemporaryDirectory(dir=other) as folder:
        staged = Path(folder) / "x.txt"
        staged.write_text("new")
        made = {"x": OutputSlot(path="data/x.txt", staged=str(staged))}
        staging.publish(tmp_path, made)
    assert tree(tmp_path) == {"data/x.txt": "new"}


def test_missing_names_what_was_not_written(tmp_path: Path) -> None:
    made = slots("a.txt", "b.txt")
    outputs.make_folders(tmp_path, made)
    (tmp_path / made["a.txt"].staged).write_text("x")
    assert outputs.missing(tmp_path, made) == ["b.txt"]


def test_the_hash_of_a_folder_depends_on_names_and_contents(tmp_path: Path) -> None:
    for name, files in {
        "a": {"x": "1", "y": "2"},
        "b": {"x": "1", "y": "2"},
        "c": {"x": "2", "y": "1"},
    }.items():
        (tmp_path / name).mkdir()
        for file, content in files.items():
            (tmp_path / name / file).write_text(content)
    a, b, c = (describe_path(tmp_path / name, "p") for name in "abc")
    assert a == b
    assert a.sha256 != c.sha256
    assert a.size == 2


def test_write_whole_leaves_the_old_file_on_failure(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        write_whole(path, "text is not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["x"]


def test_what_was_published_before_a_table_that_another_writer_was_faster_at_is_put_back(
    tmp_path: Path,
) -> None:
    first, second = Lake(tmp_path / "one"), Lake(tmp_path / "two")
    made = {}
    for name, lake in (("one", first), ("two", second)):
        lake.root.mkdir()
        lake.write(ABC)
        _, ready = lake.made_ready([(4, 4, "d")], "append")
        table = TableSlot(
            options=DeltaOptions(mode="append"), ready=ready.parent.relative_to(tmp_path).as_posix()
        )
        made[name] = OutputSlot(path=f"{name}/t", staged="", kind="delta", table=table)
    made["x"] = OutputSlot(path="data/x", staged="staged/x")
    for place, text in (("data/x", "old"), ("staged/x", "new")):
        (tmp_path / place).parent.mkdir()
        (tmp_path / place).write_text(text)
    near = staging.bring_near(tmp_path, made)
    second.write([(5, 5, "e")], "append")
    with pytest.raises(StageFailure, match=r"'two/t' could not .* made version 1") as caught:
        staging.publish(tmp_path, made, near)
    assert caught.value.cause == Cause.PUBLICATION
    assert (tmp_path / "data/x").read_text() == "old"
    assert first.rows == ABC
    assert second.rows == [*ABC, (5, 5, "e")]
