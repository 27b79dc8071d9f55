"""What is taken over of the files of other tools, and what is said of the rest: whole files, side by side with what they become."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from building import ProjectBuilder
from golden import Case, Golden, cases
from stagebook.importing.source import MAX_BYTES
from stagebook.importing.tools import TOOLS, take_over
from stagebook.workspace.workspace import Workspace

FILE = re.compile(r"^@@ (.+)\n((?:(?!@@ ).*\n)*)", re.MULTILINE)


def files_of(root: Path) -> set[str]:
    """All files of a folder."""
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def taken(builder: ProjectBuilder, case: Case) -> str:
    """What a file becomes, or what is wrong with it."""
    for path, text in FILE.findall(case.text):
        builder.file(path, text)
    before = files_of(builder.root)
    tool, path = case.arguments
    draft, problems = take_over(tool, Workspace(builder.root), path)
    left = files_of(builder.root) - before
    assert {path for path in left if not path.startswith(".stagebook/cache/")} == set(), "nothing is run"
    if problems:
        return "\n".join(map(str, sorted(problems, key=lambda one: (one.line, one.message))))
    assert draft is not None
    return f"# {draft.name}\n{draft.text()}".rstrip("\n")


@pytest.mark.parametrize("case", cases("importing"))
def test_a_file_of_another_tool(builder: ProjectBuilder, case: Case, golden: Golden) -> None:
    golden(taken(builder, case), case)


@pytest.mark.parametrize("tool", TOOLS)
def test_files_that_are_large_or_no_text_are_told(builder: ProjectBuilder, tool: str) -> None:
    """Each of them within a moment, and with a place."""
    for content, expected in (
        (b'{"a": 1}' + b" " * (2 * MAX_BYTES), "the file is too large"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
    ):
        builder.file("x.y", content)
        _, (problem,) = take_over(tool, Workspace(builder.root), "x.y")
        assert problem.path == "x.y"
        assert problem.message.startswith(expected)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "text", ["", "null", "{}", "[]", "3", '""', "[[[]]]", '{"stages": null, "tasks": null}']
)
def test_files_with_nothing_in_them_are_told(builder: ProjectBuilder, tool: str, text: str) -> None:
    builder.file("x.y", text)
    _, problems = take_over(tool, Workspace(builder.root), "x.y")
    assert problems
    assert all(problem.message for problem in problems)
