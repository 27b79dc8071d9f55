from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from building import ProjectBuilder
from stagebook.errors import UsageError
from stagebook.testing.alone import alone, find_stage
from stagebook.testing.inputs import InputPlaces, Placed

PIPELINE = """
params: {year: 2020}
stages:
  make:
    notebook: notebooks/n.ipynb
    outputs: {table: data/table.parquet, lake: {path: data/lake, kind: delta}}
  month:
    notebook: notebooks/n.ipynb
    matrix: {m: [1, 2]}
    outputs: {part: "data/part-${matrix.m}.csv"}
  use:
    notebook: notebooks/n.ipynb
    params: {limit: 3}
    inputs:
      table: make.table
      lake: make.lake
      parts: month.part
      one: month@1.part
      raw: data/raw.csv
      year: "data/${params.year}.json"
      pair: [data/raw.csv, make.table]
"""
FRAME = pd.DataFrame({"x": [1, 2]})


@pytest.fixture
def made(builder: ProjectBuilder) -> ProjectBuilder:
    builder.notebook("n", "print(1)", params="x = 1")
    builder.pipeline(PIPELINE)
    builder.file("data/raw.csv", "a\n1\n")
    builder.file("tests/small.parquet", "small")
    return builder


def place(made: ProjectBuilder, *, asked: list[str] | None = None, full: bool = True, **given: Any) -> Placed:
    pipeline, stage = find_stage(made.project.catalog, "use")
    one = alone(pipeline, stage, given=({}, {}), point=None, env={})
    rest = (
        {"table": b"", "lake": FRAME, "parts": [], "one": b"", "year": b"{}", "pair": [b"", b""]}
        if full
        else {}
    )
    places = InputPlaces(made.root, tree(made), made.root / "tests")
    return places.place(pipeline, one, {**rest, **given}, asked or [])


def tree(made: ProjectBuilder) -> Path:
    folder = made.root.parent / "tree"
    folder.mkdir(exist_ok=True)
    return folder


def paths(placed: Placed, name: str) -> list[str]:
    return [str(ref.text.value) for ref in placed.stage.inputs[name].refs]


def test_a_frame_is_written_as_the_declared_file_is(made: ProjectBuilder) -> None:
    placed = place(made, table=FRAME, one=FRAME)
    assert paths(placed, "table") == ["inputs/table/table.parquet"]
    assert pd.read_parquet(tree(made) / "inputs/table/table.parquet")["x"].tolist() == [1, 2]
    assert paths(placed, "one") == ["inputs/one/one.csv"]
    assert (tree(made) / "inputs/one/one.csv").read_text() == "x\n1\n2\n"


def test_a_frame_for_a_delta_table_is_one(made: ProjectBuilder) -> None:
    place(made, lake=FRAME)
    assert (tree(made) / "inputs/lake/lake/_delta_log").is_dir()


def test_several_for_an_input_of_many(made: ProjectBuilder) -> None:
    placed = place(made, parts=[FRAME, b"x\n9\n"])
    assert placed.stage.inputs["parts"].many
    assert paths(placed, "parts") == ["inputs/parts/parts-1.csv", "inputs/parts/parts-2.csv"]
    placed = place(made, parts=FRAME)  # a list of one
    assert placed.stage.inputs["parts"].many


def test_none_for_an_input_of_many_is_an_empty_list(made: ProjectBuilder) -> None:
    placed = place(made, parts=[])
    assert "parts" not in placed.stage.inputs
    assert placed.stage.params["parts"].value == []  # else the notebook would have its default


def test_several_for_an_input_of_one(made: ProjectBuilder) -> None:
    with pytest.raises(UsageError, match="'table' is one path, and not a list"):
        place(made, table=[FRAME])


@pytest.mark.parametrize("given", ["small.parquet", Path("small.parquet"), "tests/small.parquet"])
def test_a_path_beside_the_test_or_in_the_project(made: ProjectBuilder, given: Any) -> None:
    assert paths(place(made, table=given), "table") == ["inputs/table/small.parquet"]
    assert (tree(made) / "inputs/table/small.parquet").read_text() == "small"


def test_two_paths_of_one_name(made: ProjectBuilder) -> None:
    made.file("tests/a/p.csv", "1")
    made.file("tests/b/p.csv", "2")
    first, second = paths(place(made, parts=["a/p.csv", "b/p.csv"]), "parts")
    assert [(tree(made) / path).read_text() for path in (first, second)] == ["1", "2"]


def test_a_folder(made: ProjectBuilder) -> None:
    made.file("tests/lake/part.parquet", "1")
    assert paths(place(made, lake="lake"), "lake") == ["inputs/lake/lake"]
    assert (tree(made) / "inputs/lake/lake/part.parquet").is_file()


def test_a_function_is_given_the_path(made: ProjectBuilder) -> None:
    place(made, year=lambda path: path.write_text(path.name))
    assert (tree(made) / "inputs/year/year.json").read_text() == "year.json"


def test_a_function_that_writes_nothing(made: ProjectBuilder) -> None:
    with pytest.raises(UsageError, match="'one' wrote nothing"):
        place(made, one=lambda _path: None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("no.parquet", "there is no file 'no.parquet'"),
        ("a,b\n1,2\n", "is a text of several lines"),
        (3, "cannot be a int"),
    ],
)
def test_what_is_no_input(made: ProjectBuilder, given: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        place(made, table=given)


def test_a_file_of_the_project_is_linked_where_it_is_not_given(made: ProjectBuilder) -> None:
    placed = place(made)
    assert (tree(made) / "data/raw.csv").resolve() == (made.root / "data/raw.csv").resolve()
    assert paths(placed, "raw") == ["data/raw.csv"]


def test_all_that_is_lacking_is_said_at_once(made: ProjectBuilder) -> None:
    with pytest.raises(UsageError) as told:
        place(made, full=False, parts=[FRAME])
    text = told.value.message
    assert "table (make.table), lake (make.lake), one (month@1.part)" in text
    assert "year (data/2020.json, which the project does not have)" in text
    assert "parts" not in text
    assert told.value.hint.startswith("inputs={'table': …} with a path, bytes, a DataFrame or a function")


def test_a_name_that_is_not_known(made: ProjectBuilder) -> None:
    with pytest.raises(UsageError, match="use has no input 'tabel'") as told:
        place(made, tabel=FRAME)
    assert told.value.hint == "did you mean 'table'?"
    with pytest.raises(UsageError, match="no input 'limit'") as told:
        place(made, limit=3)
    assert told.value.hint == "it is a parameter: params={'limit': …}"


class TestDatasetsOfContracts:
    def test_one_that_is_an_input_is_there(self, made: ProjectBuilder) -> None:
        placed = place(made, asked=["p.make.table"], table=FRAME)
        assert placed.datasets["p.make.table"] == ["inputs/table/table.parquet"]

    def test_another_one_has_to_be_given(self, made: ProjectBuilder) -> None:
        with pytest.raises(UsageError, match=r"q\.x\.y \(its contract asks for it\)"):
            place(made, asked=["q.x.y"])
        placed = place(made, asked=["q.x.y"], **{"q.x.y": FRAME})
        assert placed.datasets["q.x.y"] == ["inputs/q.x.y/y.parquet"]
