"""What a pipeline file says of bookmarks."""

from __future__ import annotations

import pytest

from building import ProjectBuilder, load

STAGE = """
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {{since: x}}
    inputs: {{months: data/a.csv}}
    outputs: {{out: data/out.csv, there: {{path: "s3://b/x", kind: external}}}}
    bookmark: {bookmark}
"""


@pytest.mark.parametrize(
    ("bookmark", "message", "hint"),
    [
        ("month", "the stage has no input 'month'", "did you mean 'months'?"),
        ("3", "'bookmark': expected the name of an input, or {param: …, column: OUTPUT.COLUMN}, got 3", ""),
        ("{input: months, param: x}", "a bookmark is of an input, or of a column", "bookmark: INPUT"),
        ("{param: x}", "a bookmark is of an input, or of a column", "bookmark: INPUT"),
        ("{}", "a bookmark is of an input, or of a column", "bookmark: INPUT"),
        ("{param: since, column: out.n}", "'since' is given twice, under params and bookmark", ""),
        ("{param: a b, column: out.n}", "'a b' cannot be the name of a variable", ""),
        (
            "{param: x, column: oyt.n}",
            "'oyt.n' is no column of an output of the stage",
            "did you mean 'out'?",
        ),
        ("{param: x, column: out}", "'out' is no column of an output of the stage", ""),
        ("{param: x, column: there.n}", "'there' is external: its rows cannot be read", ""),
        ("{parm: x, column: out.n}", "unknown key 'parm'", "did you mean 'param'?"),
    ],
)
def test_mistakes_are_told_at_their_place(bookmark: str, message: str, hint: str) -> None:
    problems = [one for one in load(STAGE.format(bookmark=bookmark)).problems if one.line == 7]
    assert len(problems) == 1
    assert message in problems[0].message
    assert hint in problems[0].hint
    assert load(STAGE.format(bookmark=bookmark)).pipeline.stages["a"].bookmark is None


def test_a_bookmark_is_read() -> None:
    read = load(STAGE.format(bookmark="months")).pipeline.stages["a"].bookmark
    assert (read.input, str(read), read.place) == ("months", "months", "pipelines/p.yaml:7")
    column = "{param: x, column: out.a.b}"
    read = load(STAGE.format(bookmark=column)).pipeline.stages["a"].bookmark
    assert (read.param, read.output, read.column, str(read)) == ("x", "out", "a.b", "out.a.b")


def test_it_is_of_several_files_and_goes_to_a_parameter(builder: ProjectBuilder) -> None:
    builder.notebook("a", "x = 1", params="months = ''\nout = ''\nthere = ''\nsince = ''")
    builder.file("data/a.csv", "n\n1\n")
    assert "the input 'months' is one path, and a bookmark is of several" in builder.screen(
        STAGE.format(bookmark="months")
    )
    found = builder.screen(STAGE.format(bookmark="{param: begin, column: out.n}"))
    assert "declares no parameter 'begin'" in found


def test_outputs_that_keep_nothing_are_pointed_out(builder: ProjectBuilder) -> None:
    builder.notebook("a", "x = 1", params="months = []\nout = ''\nthere = ''\nsince = ''")
    builder.file("data/a.csv", "n\n1\n")
    builder.pipeline(STAGE.replace("data/a.csv", "[data/a.csv]").format(bookmark="months"))
    (warning,) = builder.plan().warnings
    assert "'out' is written anew each time" in warning.message
