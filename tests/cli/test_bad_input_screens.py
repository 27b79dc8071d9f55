"""What a person sees in a terminal when a pipeline is wrong: the command as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from building import ProjectBuilder

PLATFORM = Path(__file__).parents[2] / "platform"

UNKNOWN_KEY = "stages:\n  a:\n    noteboook: notebooks/a.ipynb\n"
LEAVES = "stages:\n  a:\n    notebook: notebooks/a.ipynb\n    outputs: {out: ../x}\n"
CYCLE = "stages:\n  a: {notebook: notebooks/a.ipynb, after: [b]}\n  b: {notebook: notebooks/a.ipynb, after: [a]}\n"
MANY = "params: {n: {type: int, default: x}}\nstages:\n  a: {notebook: notebooks/none.ipynb, retries: -1}\n"
HOSTILE = 'stages:\n  "a\\e[31m\\nforged: line\\a\\u202e": {notebook: x}\n  b: {notebook: "x\\e]0;title\\a.ipynb"}\n'


def command(builder: ProjectBuilder, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(PLATFORM)}
    return subprocess.run(
        [sys.executable, "-m", "stagebook", *arguments],
        cwd=builder.root, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "screen"),
    [
        pytest.param(
            "",
            "pipelines/p.yaml: the file is empty\n"
            "    a pipeline has at least one stage: stages: {name: {notebook: path}}\n"
            "✗ 1 problem, nothing was started\n",
            id="an empty file",
        ),
        pytest.param(
            "name: a: b\n",
            "pipelines/p.yaml:1:8: YAML syntax: mapping values are not allowed in this context\n"
            "    put text that holds ': ' in quotes\n"
            "✗ 1 problem, nothing was started\n",
            id="a syntax error",
        ),
        pytest.param(
            UNKNOWN_KEY,
            "pipelines/p.yaml:3:5: unknown key 'noteboook'\n"
            "    did you mean 'notebook'?\n"
            "✗ 1 problem, nothing was started\n",
            id="an unknown key",
        ),
        pytest.param(
            LEAVES,
            "pipelines/p.yaml:4:15: output 'out': '../x' leaves the project\n"
            "    files of a pipeline live inside its project\n"
            "✗ 1 problem, nothing was started\n",
            id="a path that leaves the project",
        ),
        pytest.param(
            CYCLE,
            "pipelines/p.yaml:2:36: a cycle: a → b → a (each needs the next)\n"
            "    remove this, or what another of them needs\n"
            "✗ 1 problem, nothing was started\n",
            id="a cycle",
        ),
        pytest.param(
            MANY,
            "pipelines/p.yaml:1:25: the default of 'n' does not fit: expected int, got 'x' (str)\n"
            "pipelines/p.yaml:3:7: there is no notebook 'notebooks/none.ipynb'\n"
            "    paths are relative to the project root\n"
            "pipelines/p.yaml:3:39: 'retries' has to be from 0 to 100, not -1\n"
            "✗ 3 problems, nothing was started\n",
            id="several mistakes",
        ),
    ],
)
def test_a_wrong_pipeline_is_told_of_on_stderr_and_ends_with_2(
    builder: ProjectBuilder, text: str, screen: str
) -> None:
    builder.notebook("a", params="out = ''")
    builder.pipeline(text)
    ended = command(builder, "check", "p")
    assert ended.stderr == screen
    assert ended.stdout == ""
    assert ended.returncode == 2
    assert not (builder.root / ".stagebook").exists()


def test_run_tells_the_same_as_check_and_starts_nothing(builder: ProjectBuilder) -> None:
    builder.notebook("a", params="out = ''")
    builder.pipeline(LEAVES)
    ended = command(builder, "run", "p")
    assert ended.stderr == command(builder, "check", "p").stderr
    assert (ended.stdout, ended.returncode) == ("", 2)
    assert not (builder.root / ".stagebook").exists()


def test_json_gives_the_problems_as_data_on_stdout(builder: ProjectBuilder) -> None:
    builder.pipeline(UNKNOWN_KEY + "    retries: -1\n")
    ended = command(builder, "check", "p", "--json")
    assert (ended.stderr, ended.returncode) == ("", 2)
    assert json.loads(ended.stdout) == {
        "error": "2 problems, nothing was started",
        "hint": "",
        "problems": [
            {"path": "pipelines/p.yaml", "line": 3, "column": 5, "message": "unknown key 'noteboook'", "hint": "did you mean 'notebook'?"},
            {"path": "pipelines/p.yaml", "line": 4, "column": 5, "message": "'retries' has to be from 0 to 100, not -1", "hint": ""},
        ],
    }  # fmt: skip


def test_names_cannot_steer_the_terminal_or_forge_a_line(builder: ProjectBuilder) -> None:
    builder.pipeline(HOSTILE)
    ended = command(builder, "check", "p")
    assert ended.stderr == (
        r"pipelines/p.yaml:2:3: 'a\x1b[31m\nforged: line\x07\u202e' is not a name for a stage" + "\n"
        "    use letters, digits, '_' and '-', and start with a letter\n"
        r"pipelines/p.yaml:3:7: notebook: 'x\x1b]0;title\x07.ipynb' holds a character that cannot be seen"
        + "\n"
        "    remove it\n"
        "✗ 2 problems, nothing was started\n"
    )
    as_json = command(builder, "check", "p", "--json").stdout
    assert "\x1b" not in as_json
    assert json.loads(as_json)["problems"][0]["line"] == 2


def test_bytes_at_random_end_without_a_traceback(builder: ProjectBuilder) -> None:
    builder.file("pipelines/p.yaml", bytes(range(256)))
    ended = command(builder, "check")
    assert ended.stderr == (
        "pipelines/p.yaml:2:118: not UTF-8 text\n    save the file as UTF-8\n✗ 1 problem, nothing was started\n"
    )
    assert (ended.stdout, ended.returncode) == ("", 2)
