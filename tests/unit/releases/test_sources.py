"""The data that no stage makes, as pipelines name it: also what depends on an interval that is not known yet."""

from __future__ import annotations

import pytest

from building import ProjectBuilder
from stagebook.releases.sources import source_paths
from stagebook.workspace.catalog import Catalog
from stagebook.workspace.workspace import Workspace


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.notebook("a", params="src = ''\nout = ''")
    for path in (
        "raw/2026-01.csv",
        "raw/2026-02.csv",
        "raw/deeper/x.csv",
        "raw/notes.txt",
        "fixed.csv",
        "made/2026-01.csv",
    ):
        builder.file(path, "1")
    return builder


def sources(project: ProjectBuilder) -> list[str]:
    return source_paths(Catalog(project.root), Workspace(project.root), {}, {})


def test_files_of_all_intervals_are_sources(project: ProjectBuilder) -> None:
    project.pipeline("""
    stages:
      a:
        notebook: notebooks/a.ipynb
        inputs: {src: ["raw/${interval.name}.csv", fixed.csv]}
        outputs: {out: "made/${interval.name}.csv"}
      b: {notebook: notebooks/a.ipynb, inputs: {src: "made/${interval.name}.csv"}, outputs: {out: last.csv}}
    """)
    assert sources(project) == ["fixed.csv", "raw/2026-01.csv", "raw/2026-02.csv"], (
        "what a stage makes is none"
    )


def test_signs_of_patterns_in_a_path_stand_for_themselves(project: ProjectBuilder) -> None:
    project.file("raw/[x]2026-01.csv", "1")
    project.pipeline("""
    stages: {a: {notebook: notebooks/a.ipynb, inputs: {src: "raw/[x]${interval.name}.csv"}}}
    """)
    assert sources(project) == ["raw/[x]2026-01.csv"]


def test_nothing_outside_of_the_project_is_one(project: ProjectBuilder) -> None:
    (project.root.parent / "secret-2026.csv").write_text("1")
    project.pipeline("""
    stages: {a: {notebook: notebooks/a.ipynb, inputs: {src: "../secret-${interval.year}.csv"}}}
    """)
    assert sources(project) == []
