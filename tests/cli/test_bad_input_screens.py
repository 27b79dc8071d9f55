"""What a person sees in a terminal when a pipeline is wrong: the command as a process of its own."""

from __future__ import annotations

import json

import pytest

from building import ProjectBuilder
from commands import stagebook
from golden import Case, Golden, cases


@pytest.mark.parametrize("case", cases("bad_input_screens"))
@pytest.mark.long
def test_a_wrong_pipeline_is_told_of_and_leaves_no_trace(
    builder: ProjectBuilder, case: Case, golden: Golden
) -> None:
    builder.notebook("a", params="out = ''")
    builder.file("pipelines/p.yaml", case.text)
    done = stagebook(builder.root, *case.arguments)
    assert done.returncode == 2
    assert (done.stderr if "--json" in case.arguments else done.stdout) == ""
    golden((done.stdout + done.stderr).removesuffix("\n"), case)
    assert not (builder.root / ".stagebook").exists()


def test_run_tells_the_same_as_check(builder: ProjectBuilder) -> None:
    builder.pipeline("stages: {a: {notebook: notebooks/a.ipynb}}")
    told, checked = stagebook(builder.root, "run", "p"), stagebook(builder.root, "check", "p")
    assert told.stderr == checked.stderr != ""
    assert (told.stdout, told.returncode) == ("", 2)


def test_names_cannot_steer_the_terminal_in_json(builder: ProjectBuilder) -> None:
    builder.pipeline('stages: {"a\\e[31m\\nforged: line\\a": {notebook: x}}')
    told = stagebook(builder.root, "check", "p", "--json").stdout
    assert "\x1b" not in told
    assert json.loads(told)["problems"][0]["line"] == 1


def test_bytes_at_random_end_without_a_traceback(builder: ProjectBuilder) -> None:
    builder.file("pipelines/p.yaml", bytes(range(256)))
    done = stagebook(builder.root, "check")
    assert done.stderr == (
        "pipelines/p.yaml:2:118: not UTF-8 text\n    save the file as UTF-8\n✗ 1 problem, nothing was started\n"
    )
    assert (done.stdout, done.returncode) == ("", 2)
