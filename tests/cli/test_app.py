"""The table of commands: what `--help` says is what each command says, and only the invoked one is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

import commands
from building import ProjectBuilder
from stagebook.cli import runs_stages
from stagebook.cli.app import COMMANDS, GROUPS, load


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_has_the_help_of_each_command(name: str) -> None:
    assert load(name).help == COMMANDS[name][1]


def test_each_command_stands_under_one_title() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)


def test_help_and_version_import_no_command(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['stagebook', {!r}]\n"
        "from stagebook.cli import main\n"
        "main()\n"
        "rooms = {{'.'.join(name.split('.')[:2]) for name in sys.modules if name.startswith('stagebook.')}}\n"
        "files = {{name for name in sys.modules if name.startswith('stagebook.cli.')}}\n"
        "sys.stderr.write(repr([sorted(rooms), sorted(files)]))"
    )
    rooms = ["stagebook.cli", "stagebook.errors", "stagebook.system", "stagebook.views"]
    files = ["stagebook.cli.app", "stagebook.cli.output"]
    for option in ("--help", "--version"):
        done = commands.python(tmp_path, "-c", code.format(option))
        assert (done.returncode, done.stderr) == (0, repr([rooms, files])), option


@pytest.mark.parametrize(
    ("lacking", "words", "message"),
    [
        ("duckdb", ["data", "sql", "SELECT 1"], "DuckDB is needed, and cannot be imported"),
        (
            "deltalake",
            ["check"],
            "pipelines/p.yaml:3:37: Delta tables need deltalake, which is not installed",
        ),
    ],
)
def test_an_extra_that_is_not_installed_is_named(
    builder: ProjectBuilder, lacking: str, words: list[str], message: str
) -> None:
    builder.notebook("a", "x = 1", params="out: str = ''")
    builder.pipeline(
        "stages:\n  a: {notebook: notebooks/a.ipynb,\n    outputs: {out: {path: data/out, kind: delta}}}\n"
    )
    code = (
        f"import sys; sys.modules[{lacking!r}] = None; sys.argv = ['stagebook', *{words!r}]\n"
        "from stagebook.cli import main\n"
        "sys.exit(main())"
    )
    done = commands.python(builder.root, "-c", code)
    assert done.returncode
    assert message in done.stdout + done.stderr
    assert "pip install 'stagebook[data]'" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "starts"),
    [
        (["run"], True),
        (["-C", "run", "run", "p"], True),
        (["--directory=x", "resume"], True),
        (["retry", "--json"], True),
        (["status", "run"], False),
        (["-C", "run"], False),
        (["run", "p", "--help"], False),
        ([], False),
    ],
)
def test_only_what_runs_stages_starts_a_fork_server_ahead(words: list[str], starts: bool) -> None:
    assert runs_stages(words) is starts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope"], "No such command 'nope'"),
        (["stauts"], "Did you mean 'status'?"),
        (["run", "--jobs"], "requires an argument"),
        (["store", "nope"], "No such command 'nope'"),
    ],
)
@pytest.mark.long
def test_a_mistake_in_the_arguments_is_told_with_its_exit_code(
    tmp_path: Path, words: list[str], said: str
) -> None:
    done = commands.stagebook(tmp_path, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
