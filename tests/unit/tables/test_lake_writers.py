"""Two writers of a Delta table at once: what is there afterwards is what one after the other would have left, or the second
one is told, and the table is what the first one made of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands import python
from lakes import ABC, WRITTEN, Lake, Rows, frame, held_after
from stagebook.errors import StageFailure
from stagebook.execution.runner import commits
from stagebook.system import delta_log
from stagebook.system.files import describe_path
from stagebook.tables import delta

PARTS = {"parts": ("m",)}
NEW = (4, 4, "d")


@pytest.fixture
def place(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def other_tool(place: Lake, rows: Rows | pa.Table, **options: Any) -> None:
    """Write with deltalake itself, as another program does."""
    table = rows if isinstance(rows, pa.Table) else frame(rows)
    deltalake.write_deltalake(place.table, table, **{"mode": "append", **options})


def is_whole(place: Lake, told: Any) -> bool:
    """Whether the table is what the attempt says of it, and the store has that."""
    there = describe_path(place.table, "t")
    return (there.content, there.version) == (told.content, told.version) and place.store.holds(told)


@pytest.mark.parametrize("by", ["a run", "another tool"])
def test_rows_are_added_after_those_of_another_writer(place: Lake, by: str, tmp_path: Path) -> None:
    place.write(ABC)
    content, ready = place.made_ready([NEW], "append")
    if by == "a run":
        place.write([(5, 5, "e")], "append")
    else:
        other_tool(place, [(5, 5, "e")])
    told = place.publish_after(content, ready, "append")
    assert place.rows == [*ABC, NEW, (5, 5, "e")]
    assert told.version == 2
    assert is_whole(place, told)
    assert delta_log.note(place.table, 2)["rows"] == 5
    assert not ready.exists()
    place.store.fetch(told, tmp_path / "out")
    assert delta.dataset(tmp_path / "out").count_rows() == 5
    place.write([(6, 6, "f")], "append")
    assert len(place.rows) == 6


@pytest.mark.parametrize("mode", ["overwrite", "merge"])
def test_partitions_that_the_other_one_left_alone_are_written(place: Lake, mode: Any) -> None:
    options: dict[str, Any] = {**PARTS, "key": ("id", "m") if mode == "merge" else ()}
    place.write(ABC, **PARTS)
    content, ready = place.made_ready([(3, 2, "new"), NEW], mode, **options)
    other_tool(place, [(1, 1, "x")], mode="overwrite", predicate="m = 1", partition_by=["m"])
    told = place.publish_after(content, ready, mode, **options)
    assert place.rows == [(1, 1, "x"), (3, 2, "new"), NEW]
    assert is_whole(place, told)


def test_new_columns_come_with_rows_that_are_added_after_others(place: Lake) -> None:
    place.write(ABC)
    more = pa.table({"id": [4], "m": [4], "x": ["d"], "new": [1.5]})
    content, ready = place.made_ready(more, "append")
    other_tool(place, [(5, 5, "e")])
    told = place.publish_after(content, ready, "append")
    found = delta.dataset(place.table).to_table().sort_by("id")
    assert found["new"].to_pylist() == [None, None, None, 1.5, None]
    assert is_whole(place, told)


def added(place: Lake) -> None:
    other_tool(place, [(9, 2, "z")])


def widened(place: Lake) -> None:
    other_tool(place, pa.table({"id": [9], "m": [9], "x": ["z"], "w": [1]}), schema_mode="merge")


def torn(place: Lake) -> None:
    added(place)
    commit = delta_log.commit_path(place.table, 1)
    commit.write_bytes(commit.read_bytes()[:50])


def forgotten(place: Lake) -> None:
    """The version that the change was put together on is no more in the log."""
    added(place)
    delta.checkpoint(place.table)
    delta_log.commit_path(place.table, 0).unlink()


def gone(place: Lake) -> None:
    added(place)
    next(place.table.rglob("*.parquet")).unlink()


@pytest.mark.parametrize(
    ("mode", "options", "meddle", "said"),
    [
        ("overwrite", {}, added, "all of its rows are what this attempt overwrites"),
        ("merge", {"key": ("id",)}, added, "all of its rows are what this attempt merges into"),
        ("overwrite", PARTS, added, "the partition m=2 was changed, which this attempt overwrites, too"),
        ("merge", {**PARTS, "key": ("id", "m")}, added, "m=2 was changed, which this attempt merges into"),
        ("merge", {**PARTS, "key": ("id",)}, added, "the same key may be in any partition"),
        ("append", {}, widened, "its columns or properties were changed"),
        ("append", {}, torn, "cannot be read"),
        ("append", {}, forgotten, "nothing of this attempt is published"),
        ("append", {}, gone, "a data file of the table is gone"),
    ],
)
def test_what_does_not_go_together_is_told_and_the_other_one_stays(
    place: Lake, mode: Any, options: dict[str, Any], meddle: Callable[[Lake], None], said: str
) -> None:
    parts = {"parts": options.get("parts", ())}
    place.write(ABC, **parts)
    content, ready = place.made_ready([(3, 2, "new"), NEW], mode, **options)
    meddle(place)
    before = {path: path.read_bytes() for path in place.table.rglob("*.json")}
    with pytest.raises(StageFailure, match=said) as told:
        place.publish_after(content, ready, mode, **options)
    assert {path: path.read_bytes() for path in place.table.rglob("*.json")} == before
    if meddle in {added, widened}:
        assert "delta-rs" in str(told.value), "who it was"
        assert "made version 1 of the table meanwhile" in str(told.value)
        assert "run the stage again" in str(told.value)
        assert delta.dataset(place.table).count_rows() == 4


def test_a_table_that_another_one_made_first_is_not_made_again(place: Lake) -> None:
    content, ready = place.made_ready([NEW], "append")
    other = Lake(place.root)
    other.count = 9
    other.write(ABC, "append")
    with pytest.raises(
        StageFailure, match=r"the run r \(p.s.t\) made version 0 .* this attempt was to make the first"
    ):
        place.publish_after(content, ready, "append")
    assert place.rows == ABC


def test_rows_that_were_to_be_replaced_and_are_no_more_are_told(place: Lake) -> None:
    place.write(ABC, "append")
    place.write([NEW], "append")
    content, ready = place.made_ready([(5, 5, "e")], "append", replaces=("r/s/2",))
    other_tool(place, ABC, mode="overwrite")
    with pytest.raises(StageFailure, match="is no more, which this attempt puts others in the place of"):
        place.publish_after(content, ready, "append")
    assert place.rows == ABC


def test_a_tool_that_cleans_up_meanwhile_leaves_no_version_without_its_data(place: Lake) -> None:
    place.write(ABC, "append")
    content, ready = place.made_ready([NEW], "append")

    def vacuum() -> None:
        table = deltalake.DeltaTable(place.table)
        found = table.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
        assert found, "it takes new data files for what is left of something"

    with pytest.raises(StageFailure, match="another tool removed new data files"):
        place.publish_after(content, ready, "append", meanwhile=vacuum)
    assert place.rows == ABC


def test_who_is_always_slower_gives_up(place: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "TRIES", 3)
    place.write(ABC, "append")
    content, ready = place.made_ready([NEW], "append")
    first = iter(range(100, 200))

    def overtaking(commit: Path) -> Path:
        other_tool(place, [(next(first), 0, "z")])
        new = commit.with_name(f"{int(commit.stem) + 1:020d}.json")
        return commit.rename(new)

    commit = commits.place_files(ready, place.table)
    assert commit is not None
    other_tool(place, [(99, 0, "z")])
    with pytest.raises(commits.Overtaken, match="others made 3 versions of the table meanwhile"):
        commits.publish(commit, place.table, overtaking)
    assert [row[0] for row in place.rows if row[0] >= 99] == [99, 100, 101, 102]
    assert content.version == 1


def test_a_link_that_was_made_though_the_file_system_says_no_is_not_made_again(place: Lake) -> None:
    place.write(ABC, "append")
    content, ready = place.made_ready([NEW], "append")

    def linked() -> None:
        commit = delta_log.commit_path(ready, 1)
        os.link(commit, delta_log.commit_path(place.table, 1))

    told = place.publish_after(content, ready, "append", meanwhile=linked)
    assert place.rows == [*ABC, NEW]
    assert is_whole(place, told)
    assert delta_log.versions(place.table) == [1, 0]


MODES = st.sampled_from(["overwrite", "append", "merge"])


@settings(max_examples=15, deadline=None)
@given(
    parts=st.sampled_from([(), ("m",)]),
    modes=st.tuples(MODES, MODES),
    rows=st.tuples(WRITTEN, WRITTEN, WRITTEN),
    key=st.sampled_from([("id",), ("id", "m")]),
)
def test_two_writers_are_as_one_after_the_other(
    parts: tuple[str, ...], modes: tuple[Any, Any], rows: tuple[Rows, Rows, Rows], key: tuple[str, ...]
) -> None:
    def held(before: list[Any], which: int) -> list[Any]:
        mode = "partitions" if parts and modes[which] == "overwrite" else modes[which]
        return held_after(before, rows[which], mode, key)

    options: list[Any] = [{"parts": parts, "key": key if mode == "merge" else ()} for mode in modes]
    with tempfile.TemporaryDirectory() as folder:
        place = Lake(Path(folder))
        place.write(rows[2], parts=parts)
        before = place.rows
        content, ready = place.made_ready(rows[0], modes[0], **options[0])
        place.write(rows[1], modes[1], **options[1])
        assert place.rows == held(before, 1)
        try:
            told = place.publish_after(content, ready, modes[0], **options[0])
        except StageFailure:
            assert place.rows == held(before, 1)
            assert modes[0] != "append"
            return
        assert place.rows in (held(held(before, 1), 0), held(held(before, 0), 1))
        if told != content:
            assert is_whole(place, told)


WRITER = """
import sys, deltalake, pyarrow as pa
table, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for number in range(first, first + count):
    deltalake.write_deltalake(table, pa.table({"id": [number], "m": [0], "x": ["o"]}), mode="append")
"""


def test_writers_that_race_lose_no_row_and_add_none_twice(place: Lake) -> None:
    """Two programs that write with deltalake, and this one, which writes as a run does."""
    import concurrent.futures

    count = 8
    place.write([(0, 0, "a")], "append")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        others = [
            pool.submit(python, place.root, "-c", WRITER, str(place.table), str(first), str(count))
            for first in (1000, 2000)
        ]
        for number in range(1, count + 1):
            content, ready = place.made_ready([(number, 0, "r")], "append")
            told = place.publish_after(content, ready, "append")
            assert told.version is not None
        for other in others:
            assert other.result().returncode == 0, other.result().stderr
    found = [row[0] for row in place.rows]
    assert found == [*range(count + 1), *range(1000, 1000 + count), *range(2000, 2000 + count)]
    assert delta_log.versions(place.table) == list(range(3 * count, -1, -1))
