"""Pipelines are found by name or path, and their parameters come from files, pairs and values."""

from __future__ import annotations

from pathlib import Path

import pytest

from building import ProjectBuilder, load
from stagebook.errors import PipelineNotFound
from stagebook.workspace.catalog import Catalog, bind

EMPTY = "stages: {}\n"


def test_the_pipelines_are_the_yaml_files_of_one_folder(builder: ProjectBuilder) -> None:
    catalog = Catalog(builder.root)
    assert catalog.names() == []
    for path in ("b.yaml", "a.yml", "notes.txt", "deep/c.yaml"):
        builder.file(f"pipelines/{path}", EMPTY)
    assert catalog.names() == ["a", "b"]
    assert [catalog.find(name) for name in ("a", "b")] == ["pipelines/a.yml", "pipelines/b.yaml"]


def test_the_only_pipeline_needs_no_name(builder: ProjectBuilder) -> None:
    catalog = Catalog(builder.root)
    with pytest.raises(PipelineNotFound, match="there is no pipeline under pipelines/") as caught:
        catalog.find()
    assert "stagebook init" in caught.value.hint
    builder.pipeline(EMPTY, "only")
    assert catalog.find() == "pipelines/only.yaml"
    builder.pipeline(EMPTY, "second")
    with pytest.raises(PipelineNotFound, match="name one of the pipelines: only, second"):
        catalog.find()


def test_a_path_is_one_of_the_working_folder_or_of_the_project(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(builder.root)
    builder.file("sub/p.yaml", EMPTY)
    builder.file("p.yaml", EMPTY)
    assert [catalog.find(path) for path in ("sub/p.yaml", str(builder.root / "p.yaml"))] == [
        "sub/p.yaml",
        "p.yaml",
    ]
    monkeypatch.chdir(builder.root / "sub")
    assert catalog.find("p.yaml") == "sub/p.yaml", "the working folder goes first"
    assert catalog.find("../p.yaml") == "p.yaml"
    assert catalog.find("sub/p.yaml") == "sub/p.yaml"


def test_a_file_outside_of_the_project_is_no_pipeline_of_it(builder: ProjectBuilder) -> None:
    outside = builder.root.parent / "out.yaml"
    outside.write_text(EMPTY)
    (builder.root / "link.yaml").symlink_to(outside)
    for path in (str(outside), "../out.yaml", "link.yaml"):
        with pytest.raises(PipelineNotFound, match="is outside of the project"):
            Catalog(builder.root).find(path)


@pytest.mark.parametrize("name", ["trian", "train.yml", "pipelines/trian.yaml", "", "../pipelines/train"])
def test_a_name_that_is_none_is_told(builder: ProjectBuilder, name: str) -> None:
    builder.pipeline(EMPTY, "train")
    with pytest.raises(PipelineNotFound, match=f"there is no pipeline '{name}'") as caught:
        Catalog(builder.root).find(name)
    assert "train" in caught.value.hint


def test_the_mistakes_of_a_file_come_along_with_it(builder: ProjectBuilder) -> None:
    builder.pipeline("stages: [", "p")
    loaded = Catalog(builder.root).load("p")
    assert {problem.path for problem in loaded.problems} == {"pipelines/p.yaml"}


PIPELINE = load("params: {rate: 0.1, name: {type: str, default: x}}\nstages: {}\n").pipeline


def test_values_win_over_pairs_and_pairs_over_files(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("rate: 1.5\nname: one\n")
    (tmp_path / "two.yaml").write_text("rate: 2.5\n")
    files = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    assert bind(PIPELINE, values={}) == ({"rate": 0.1, "name": "x"}, [])
    assert bind(PIPELINE, files=files, values={}) == ({"rate": 2.5, "name": "one"}, [])
    assert bind(PIPELINE, files=files, pairs=["rate=3", "name=pair"], values={"name": "value"}) == (
        {"rate": 3.0, "name": "value"}, [],
    )  # fmt: skip


def test_a_mistake_is_told_where_the_value_that_wins_was_given(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("\nrate: fast\n")
    _, (problem,) = bind(PIPELINE, files=[file], values={})
    assert (problem.path, problem.line) == (str(file), 2)
    _, (problem,) = bind(PIPELINE, files=[file], pairs=["rate=slow"], values={})
    assert (problem.path, problem.line) == ("-p", 0)
    assert bind(PIPELINE, files=[file], values={"rate": 0.5})[1] == []


def test_a_file_that_cannot_be_read_leaves_what_the_others_gave(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("rate: 1.5\n")
    bound, (problem,) = bind(PIPELINE, files=[tmp_path / "absent.yaml", tmp_path / "one.yaml"], values={})
    assert (problem.path, problem.message) == (
        str(tmp_path / "absent.yaml"),
        "cannot be read: No such file or directory",
    )
    assert bound == {"rate": 1.5, "name": "x"}
