"""The working folder of a stage, and paths as seen from it."""

from __future__ import annotations

import pytest

from building import load
from stagebook.pipeline.workdir import folder_of, leads_out, seen_from, shown, written_from


@pytest.mark.parametrize(
    ("workdir", "notebook", "folder"),
    [
        ("project", "notebooks/deep/a.ipynb", "."),
        ("notebook", "notebooks/deep/a.ipynb", "notebooks/deep"),
        ("notebook", "a.ipynb", "."),
        ("data/", "notebooks/a.ipynb", "data"),
        ("./notebook", "a.ipynb", "notebook"),
        (".", "notebooks/a.ipynb", "."),
    ],
)
def test_the_folder_of_a_stage(workdir: str, notebook: str, folder: str) -> None:
    assert folder_of(workdir, notebook) == folder


@pytest.mark.parametrize(
    ("folder", "text", "path", "is_out"),
    [
        (".", "../data/x.csv", "../data/x.csv", True),
        ("notebooks", "../data/x.csv", "data/x.csv", False),
        ("notebooks", "../../x.csv", "../x.csv", True),
        ("notebooks", "..", ".", False),
        ("notebooks", "/tmp/x", "/tmp/x", True),
        ("notebooks", "..x/y", "notebooks/..x/y", False),
    ],
)
def test_a_path_as_seen_from_a_folder(folder: str, text: str, path: str, is_out: bool) -> None:
    assert (seen_from(folder, text), leads_out(seen_from(folder, text))) == (path, is_out)


def test_what_cells_write_for_a_path_leads_back_to_it() -> None:
    for folder in (".", "notebooks", "a/b"):
        for path in ("data/x.csv", "notebooks/x.csv", "x"):
            assert seen_from(folder, written_from(folder, path)) == path
    assert [shown("."), shown("a/b")] == ["the project folder", "a/b/"]


def test_a_stage_has_its_own_or_that_of_the_defaults() -> None:
    loaded = load("""
        defaults: {workdir: notebook}
        stages:
          a: {notebook: n/a.ipynb}
          b: {notebook: n/b.ipynb, workdir: project}
          c: {notebook: n/c.ipynb, workdir: data}
        """)
    assert not loaded.problems
    assert [stage.workdir for stage in loaded.pipeline.stages.values()] == ["notebook", "project", "data"]
    assert load("stages: {a: {notebook: a.ipynb}}").pipeline.stages["a"].workdir == "project"
