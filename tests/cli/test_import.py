"""`stagebook import`: what it writes, what it refuses, and that it ends with what `check` says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from building import ProjectBuilder
from commands import looked

DVC = """\
stages:
  first:
    cmd: papermill notebooks/a.ipynb
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.without_tracking()
    builder.notebook("a", "print(n)", params="n = 1")
    builder.file("dvc.yaml", DVC)
    return builder


def pipelines(root: Path) -> list[str]:
    """The files of pipelines that are there."""
    return sorted(path.name for path in (root / "pipelines").glob("*"))


def test_what_is_written_can_be_run(project: ProjectBuilder) -> None:
    done = looked(project.root, "import", "dvc", "dvc.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "✓ pipelines/project.yaml: 1 stage\n"
        "  check finds no mistake; next: stagebook plan pipelines/project.yaml\n"
    )
    text = (project.root / "pipelines/project.yaml").read_text()
    assert text == (
        "# Taken over from dvc.yaml by 'stagebook import dvc'.\n"
        "stages:\n  first:\n    notebook: notebooks/a.ipynb\n"
    )
    assert "1 stage" in looked(project.root, "plan", "project").stdout


def test_mistakes_that_check_finds_stand_under_what_was_written(project: ProjectBuilder) -> None:
    project.file("dvc.yaml", DVC + "  second: {cmd: papermill notebooks/none.ipynb, surprise: 1}\n")
    done = looked(project.root, "import", "dvc", "dvc.yaml")
    assert done.returncode == 0, "the file is written, and what is left to do stands in it"
    assert done.stdout == (
        "✓ pipelines/project.yaml: 2 stages, 1 note on what was not carried over\n"
        "pipelines/project.yaml:8:5: there is no notebook 'notebooks/none.ipynb'\n"
        "    paths are relative to the project root\n"
        "  check finds 1 mistake to mend; then: stagebook check pipelines/project.yaml\n"
    )
    shown = json.loads(looked(project.root, "import", "dvc", "dvc.yaml", "--force", "--json").stdout)
    (file,) = shown["files"]
    assert (file["file"], file["stages"], file["left"]) == ("pipelines/project.yaml", ["first", "second"], 1)
    assert [problem["line"] for problem in file["problems"]] == [8]


def test_a_file_that_is_there_is_replaced_if_it_is_asked_for_alone(project: ProjectBuilder) -> None:
    project.pipeline("mine: 1\n", "project")
    done = looked(project.root, "import", "dvc", "dvc.yaml")
    assert done.returncode == 2
    assert "'pipelines/project.yaml' is there already" in done.stderr
    assert (project.root / "pipelines/project.yaml").read_text() == "mine: 1\n"
    assert looked(project.root, "import", "dvc", "dvc.yaml", "-o", "pipelines/other.yaml").returncode == 0
    assert pipelines(project.root) == ["other.yaml", "project.yaml"]
    assert looked(project.root, "import", "dvc", "dvc.yaml", "--force").returncode == 0
    assert "notebooks/a.ipynb" in (project.root / "pipelines/project.yaml").read_text()


def test_with_one_bad_file_nothing_is_written(project: ProjectBuilder) -> None:
    project.file("sub/dvc.yaml", "stages: {one: {cmd: python ../../x.py}}\n")
    done = looked(project.root, "import", "dvc", "dvc.yaml", "sub/dvc.yaml")
    assert done.returncode == 2
    assert done.stderr == (
        "sub/dvc.yaml:1:16: '../../x.py' leaves the project\n"
        "    files of a pipeline live inside its project\n"
        "✗ 1 problem, nothing was written\n"
    )
    assert pipelines(project.root) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dvs", "dvc.yaml"], "there is no tool 'dvs' to import from"),
        (["dvc", "none.yaml"], "there is no file 'none.yaml'"),
        (["dvc", "notebooks"], "there is no file 'notebooks'"),
        (["dvc", "../outside.yaml"], "'../outside.yaml' leaves the project"),
        (["dvc", "dvc.yaml", "dvc.yaml", "-o", "x.yaml"], "-o names one file, and there are several"),
        (["dvc", "dvc.yaml", "dvc.yaml"], "two of the files would be written to 'pipelines/project.yaml'"),
        (["dvc", "dvc.yaml", "-o", "x.txt"], "is not a pipeline file"),
    ],
)
def test_what_cannot_be_asked_for_is_told(
    project: ProjectBuilder, arguments: list[str], message: str
) -> None:
    project.file("../outside.yaml", DVC)
    done = looked(project.root, "import", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert pipelines(project.root) == []


def test_a_folder_that_is_no_project_becomes_one(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text("import papermill as pm\npm.execute_notebook('a.ipynb', None)\n")
    done = looked(tmp_path, "import", "papermill", "run.py")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "pipelines/run.yaml").exists()
    assert "there is no notebook 'a.ipynb'" in done.stdout
