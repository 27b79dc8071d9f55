"""Every bad input is told of with its place and what to do, all at once, and leaves no trace."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from building import ProjectBuilder
from golden import Case, Golden, cases
from stagebook.errors import PipelineInvalid, PipelineNotFound
from stagebook.pipeline.yaml import MAX_BYTES
from stagebook.runs.request import RunRequest


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with notebooks good and bad, and links that lead astray, beside a folder outside of it."""
    home = tmp_path_factory.mktemp("bad-input")
    builder = ProjectBuilder(home / "project")
    params = 'n: int = 1\nsrc: str = ""\nout: str = ""\nloose = 1'
    builder.notebook("a", "x = n", params=params)
    builder.notebook("b", "x = n", params=params)
    builder.notebook("plain", "x = 1")
    builder.notebook("hollow", "x = 1", params="")
    builder.notebook("broken", "x = 1", params="n = = 1")
    builder.notebook("nested", "x = 1", params="n, m = 1, 2\nif n:\n    k = 3")
    builder.notebook("twice", "x = 1", "#tag parameters\nn = 2\nlate = 1", params="n = 1")
    builder.notebook("julia", "x = 1", kernel="julia-1.11")
    builder.file("notebooks/text.ipynb", "# %%\nx = 1\n")
    builder.file("notebooks/nothing.ipynb", "")
    builder.file("notebooks/latin.ipynb", b'{"cells": ["caf\xe9"]}')
    builder.file("notebooks/list.ipynb", "[1, 2]")
    builder.file("notebooks/old.ipynb", '{"nbformat": 3, "worksheets": [], "metadata": {}}')
    builder.file("notebooks/none-format.ipynb", '{"cells": []}')
    builder.file("notebooks/folder.ipynb/x", "")
    builder.file("raw/x.csv", "a,b\n")
    builder.file("scripts/train.py", "print('training')\n")
    builder.file("scripts/broken.py", "x = 1\ny = = 2\n")
    builder.file("scripts/hollow.py", "# nothing yet\n")
    builder.file("scripts/get.sh", "echo got\n")
    builder.file(
        "work/fit.py", "from json import loads\n\n\ndef fit(depth, model, seed=1): ...\n\n\nclass Fit: ...\n"
    )
    builder.file("queries/day.sql", "SELECT *\nFROM raw\nWHERE day = $day\n")
    builder.file("queries/table.sql", "CREATE TABLE a AS SELECT 1;\n")
    builder.file("queries/hollow.sql", "-- nothing; yet\n")
    builder.file(".stagebook/keep", "")
    builder.file("../outside/a.ipynb", "{}")
    builder.file("../outside/x.csv", "a,b\n")
    (builder.root / "data").mkdir()
    (builder.root / "link").symlink_to("data")
    (builder.root / "state").symlink_to(".stagebook")
    (builder.root / "away").symlink_to("../outside")
    (builder.root / "system").symlink_to("/etc")
    (builder.root / "secret.txt").symlink_to("../outside/x.csv")
    return home


@pytest.fixture
def project(template: Path, builder: ProjectBuilder) -> ProjectBuilder:
    shutil.copytree(template, builder.root.parent, symlinks=True, dirs_exist_ok=True)
    return builder


def tree(root: Path) -> dict[str, tuple[float, bytes]]:
    """Every file and folder below `root`, with its time and content."""
    return {
        path.relative_to(root).as_posix(): (
            path.lstat().st_mtime,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in root.rglob("*")
    }


def checked(project: ProjectBuilder, text: str | bytes, *arguments: str) -> str:
    """The screen of a pipeline file; asserts that looking at it changed nothing on disk."""
    project.file("pipelines/p.yaml", text)
    options = list(zip(arguments[::2], arguments[1::2], strict=True))
    request = RunRequest(
        pipeline="p",
        pairs=[value for option, value in options if option == "-p"],
        files=[Path(value) for option, value in options if option == "--params-file"],
    )
    before = tree(project.root.parent)
    screen = ""
    try:
        project.project.plan(request)
    except PipelineInvalid as error:
        screen = "\n".join(map(str, error.problems))
    assert tree(project.root.parent) == before
    # Where this runs, and which kernels are installed here.
    screen = screen.replace(str(project.root.parent), "ROOT")
    return re.sub(r"known: [^;\n]*\bpython3\b[^;\n]*", "known: python3", screen)


@pytest.mark.parametrize("case", cases("bad_input"))
def test_a_bad_input_is_told_of_at_its_place_with_what_to_do(
    project: ProjectBuilder, case: Case, golden: Golden
) -> None:
    text, *others = re.split(r"^@@ (.+)\n", case.text, flags=re.MULTILINE)
    for path, content in zip(others[::2], others[1::2], strict=True):
        project.file(path, content)
    golden(checked(project, text, *case.arguments), case)


def test_a_missing_file_names_the_pipelines_that_there_are(project: ProjectBuilder) -> None:
    project.pipeline("stages: {a: {notebook: notebooks/a.ipynb}}", "flights")
    before = tree(project.root)
    with pytest.raises(PipelineNotFound) as caught:
        project.plan(name="flight")
    assert str(caught.value) == "there is no pipeline 'flight'\n    did you mean 'flights'?"
    with pytest.raises(PipelineNotFound, match=r"there is no pipeline 'pipelines/none\.yaml'"):
        project.plan(name="pipelines/none.yaml")
    assert tree(project.root) == before


def test_text_that_is_not_utf_8_is_refused_at_its_first_wrong_byte(project: ProjectBuilder) -> None:
    screen = "pipelines/p.yaml:2:15: not UTF-8 text\n    save the file as UTF-8"
    assert checked(project, "# café\nname: Übe".encode() + "r café".encode("latin-1")) == screen
    assert checked(project, "name: x".encode("utf-16")) == screen.replace(":2:15", ":1:1")


def test_a_byte_order_mark_is_no_mistake(project: ProjectBuilder) -> None:
    project.file("pipelines/p.yaml", b"\xef\xbb\xbfstages: {a: {notebook: notebooks/a.ipynb}}\n")
    assert project.screen() == ""
    assert checked(project, b"\xef\xbb\xbf").startswith("pipelines/p.yaml: the file is empty")


def test_a_file_too_large_is_refused_unread(project: ProjectBuilder) -> None:
    screen = "pipelines/p.yaml: the file is too large: 1,000,006 bytes, the limit is 1,000,000"
    assert checked(project, "name: " + "x" * MAX_BYTES) == screen


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "? " * 100_000, "{a: " * 10_000])
def test_deep_nesting_is_refused(project: ProjectBuilder, text: str) -> None:
    assert re.fullmatch(r"pipelines/p.yaml:1:\d+: nested more than 40 levels deep", checked(project, text))


def test_aliases_cannot_nest_deeper_than_plain_text(project: ProjectBuilder) -> None:
    text = "a0: &a0 [1]\n" + "".join(f"a{at}: &a{at} [*a{at - 1}]\n" for at in range(1, 2_000))
    screen = "pipelines/p.yaml:1:10: nested more than 40 levels deep when aliases are followed"
    assert checked(project, text) == screen
