"""Versions of Delta tables, made ready and published: what a table holds is what a model of it holds."""

from __future__ import annotations

import collections
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakes import ABC, WRITTEN, Lake, frame, held_after
from stagebook.execution.runner import commits
from stagebook.pipeline.model import DeltaOptions
from stagebook.system import delta_log
from stagebook.system.files import describe_path
from stagebook.tables import delta
from stagebook.tables.lake import READY, LakeRefused, back_to
from stagebook.tables.lake_changes import Change, prepare
from stagebook.tables.source import source_of


@pytest.fixture
def place(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@settings(max_examples=15, deadline=None)
@given(
    mode=st.sampled_from(["overwrite", "partitions", "append", "merge"]),
    changes=st.lists(WRITTEN, min_size=1, max_size=4),
)
def test_a_table_holds_what_was_written_to_it(mode: str, changes: list[list[Any]]) -> None:
    options: dict[str, Any] = {"merge": {"key": ("id",)}, "partitions": {"parts": ("m",)}}.get(mode, {})
    how: Any = "overwrite" if mode == "partitions" else mode
    with tempfile.TemporaryDirectory() as folder:
        place, held = Lake(Path(folder)), []
        for number, rows in enumerate(changes):
            expected = held_after(held, rows, mode)
            is_new = place.write(rows, how, **options)
            assert place.rows == expected
            if number and collections.Counter(expected) != collections.Counter(held):
                assert is_new
            if not rows and mode != "overwrite" and number:
                assert not is_new
            held = expected
        if mode != "append":
            assert not place.write(changes[-1], how, **options), "the same again makes no version"


def test_nothing_is_seen_before_the_commit(place: Lake) -> None:
    place.write(ABC)
    _, ready = place.made_ready([(9, 9, "z")])
    commit = commits.place_files(ready, place.table)
    assert place.rows == ABC
    assert delta_log.versions(place.table) == [0]
    assert commit is not None
    commits.publish(commit, place.table)
    assert place.rows == [(9, 9, "z")]


def test_of_two_writers_one_is_told(place: Lake) -> None:
    place.write(ABC)
    _, one = place.made_ready([(4, 4, "d")], "append")
    _, other = place.made_ready([(5, 5, "e")], "append")
    place.publish(one)
    with pytest.raises(commits.Overtaken, match="made version 1 of the table meanwhile"):
        place.publish(other)
    assert place.rows == [*ABC, (4, 4, "d")]
    assert not list(place.table.rglob("*.incoming"))


def test_a_version_that_was_just_published_is_taken_back_unless_another_follows(place: Lake) -> None:
    place.write(ABC)
    for is_followed in (False, True):
        _, ready = place.made_ready([(4, 4, "d")])
        commit = commits.place_files(ready, place.table)
        assert commit is not None
        made = commits.publish(commit, place.table)
        if is_followed:
            place.write(ABC, "append")
        commits.take_back([made])
        assert place.rows == (sorted([*ABC, (4, 4, "d")]) if is_followed else ABC)


def test_rows_of_an_attempt_are_replaced(place: Lake) -> None:
    place.write(ABC, "append")
    place.write([(4, 4, "d")], "append")
    place.write([(5, 5, "e")], "append", replaces=("r/s/2",))
    assert place.rows == [*ABC, (5, 5, "e")]
    with pytest.raises(LakeRefused, match="no version is of that attempt"):
        place.made_ready([(5, 5, "e")], "append", replaces=("r/other/1",))


def test_equal_rows_that_are_added_twice_are_there_twice(place: Lake) -> None:
    place.write(ABC, "append")
    place.write(ABC, "append")
    assert place.rows == sorted([*ABC, *ABC])


def test_a_content_comes_out_of_the_store_as_a_table(place: Lake, tmp_path: Path) -> None:
    content, ready = place.made_ready(ABC, parts=("m",))
    place.publish(ready)
    place.write([(9, 2, "z")], parts=("m",))
    place.store.fetch(content, tmp_path / "out")
    assert describe_path(tmp_path / "out", "t").content == content.content
    assert delta.dataset(tmp_path / "out").count_rows() == 3
    prepared = back_to(tmp_path / "out", place.table, tmp_path / "back", "t")
    prepared.seal(content, {"run": "r2"})
    assert place.publish(tmp_path / "back" / READY)
    assert place.rows == ABC
    assert describe_path(place.table, "t").content == content.content
    assert delta_log.versions(place.table) == [2, 1, 0]


def test_values_of_every_kind_are_kept_apart_as_partitions(place: Lake, tmp_path: Path) -> None:
    moment = pa.scalar(1_700_000_000_123_456, pa.timestamp("us")).as_py()
    table = pa.table(
        {
            "x": [1, 2, 3],
            "s": ["a b/c%", "é=ü", None],
            "d": [moment.date(), None, moment.date()],
            "b": [True, False, None],
            "at": pa.array([moment, None, None], pa.timestamp("us")),
            "zoned": pa.array([moment, None, None], pa.timestamp("us", "UTC")),
        }
    )
    parts = ("s", "d", "b", "at", "zoned")
    content, ready = place.made_ready(table, parts=parts)
    place.publish(ready)
    assert not place.write(table.slice(0, 1), parts=parts)
    place.store.fetch(content, tmp_path / "out")
    for path in (place.table, tmp_path / "out"):
        found = delta.dataset(path).to_table().sort_by("x")
        assert found.select(table.schema.names).equals(table), path


def test_new_columns_are_taken_in_and_those_of_pandas_are_not(place: Lake) -> None:
    place.write(ABC, "append")
    more = pa.table({"id": [4], "m": [4], "x": ["d"], "new": [1.5], "__index_level_0__": [7]})
    place.write(more, "append")
    found = delta.dataset(place.table).to_table().sort_by("id")
    assert found["new"].to_pylist() == [None, None, None, 1.5]
    assert "__index_level_0__" not in found.schema.names


def test_what_does_not_fit_is_refused_and_changes_nothing(place: Lake) -> None:
    place.write(ABC, parts=("m",))
    text = pa.table({"id": ["a"], "m": [1], "x": ["a"]})
    cases: list[tuple[str, Any, dict[str, Any]]] = [
        ("partition_by names mm, which the stage did not write; did you mean", ABC, {"parts": ("mm",)}),
        ("partition_by is id, and the table is partitioned by m", ABC, {"parts": ("id",)}),
        ("the column id is string in what the stage wrote, and int64 in the table", text, {"parts": ("m",)}),
        ("every column is in partition_by", pa.table({"m": [1]}), {"parts": ("m",)}),
        ("key names ix", ABC, {"mode": "merge", "key": ("ix",), "parts": ("m",)}),
        ("3 rows repeat the key", [*ABC, *ABC], {"mode": "merge", "key": ("id",), "parts": ("m",)}),
        (
            "1 rows have no id",
            pa.table({"id": [None, 1], "m": [1, 1], "x": ["a", "b"]}),
            {"mode": "merge", "key": ("id",), "parts": ("m",)},
        ),
    ]
    for message, rows, options in cases:
        with pytest.raises(LakeRefused, match=message):
            place.made_ready(rows, **options)
    assert place.rows == ABC
    assert delta_log.versions(place.table) == [0]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda table: delta_log.commit_path(table, 1).write_text('{"commitInfo":{"time'), "cannot be read"),
        (lambda table: delta_log.commit_path(table, 0).unlink(), "cannot be read"),
        (lambda table: next(table.glob("part-*")).unlink(), "a data file of the table is gone"),
    ],
    ids=["torn", "gap", "gone"],
)
def test_a_damaged_table_is_told_and_left_alone(place: Lake, damage: Any, message: str) -> None:
    place.write(ABC)
    place.write([(4, 4, "d")], "append")
    damage(place.table)
    before = sorted(str(path) for path in place.table.rglob("*"))
    with pytest.raises(LakeRefused, match=message):
        place.made_ready([(5, 5, "e")], "append")
    assert sorted(str(path) for path in place.table.rglob("*")) == before


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_place_that_holds_something_else_is_left_alone(place: Lake, is_folder: bool) -> None:
    if is_folder:
        place.table.mkdir()
        (place.table / "mine.txt").write_text("mine")
    else:
        place.table.write_text("mine")
    with pytest.raises(LakeRefused, match="no Delta table: move it away"):
        place.made_ready(ABC)


def test_versions_of_other_writers_are_built_on(place: Lake) -> None:
    import deltalake

    place.write(ABC)
    deltalake.write_deltalake(place.table, frame([(4, 4, "d")]), mode="append")
    assert delta_log.published(place.table) is None
    assert describe_path(place.table, "t").version is None
    place.write([(5, 5, "e")], "append")
    assert place.rows == [*ABC, (4, 4, "d"), (5, 5, "e")]
    assert deltalake.DeltaTable(place.table).version() == 2


def test_a_log_that_is_no_longer_json_is_read_from_its_checkpoint(place: Lake) -> None:
    import deltalake

    place.write(ABC)
    place.write([(4, 4, "d")], "append")
    delta.checkpoint(place.table)
    delta_log.commit_path(place.table, 0).unlink()
    place.write([(5, 5, "e")], "append")
    assert place.rows == [*ABC, (4, 4, "d"), (5, 5, "e")]
    assert deltalake.DeltaTable(place.table).version() == 2


def test_a_folder_of_files_has_the_columns_of_all_of_them(tmp_path: Path) -> None:
    import pandas as pd

    first = pd.DataFrame({"m": [1, 1, 2], "id": [1, 2, 3]})
    folder = tmp_path / "folder"
    first.to_parquet(folder, partition_cols=["m"], index=False)
    pd.DataFrame({"id": [4], "more": ["x"]}).to_parquet(folder / "m=2" / "z.parquet", index=False)
    change = Change(
        rows=source_of(folder), table=tmp_path / "t", shown="t", options=DeltaOptions(), attempt="r/s/1"
    )
    prepared = prepare(change, tmp_path / "lake")
    place = Lake(tmp_path)
    _, ready = place.sealed(prepared, tmp_path / "lake")
    place.publish(ready)
    found = delta.dataset(place.table).to_table().sort_by("id")
    assert found["id"].to_pylist() == [1, 2, 3, 4]
    assert found["m"].to_pylist() == [1, 1, 2, 2]
    assert found["more"].to_pylist() == [None, None, None, "x"]
