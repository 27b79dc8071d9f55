"""What a stage runs that is no notebook, with its arguments as the file has them."""

from __future__ import annotations

import pytest

from building import load
from stagebook.pipeline.arguments import as_written, is_argument
from stagebook.pipeline.model import Program, Stage


def stage(text: str, head: str = "") -> Stage:
    """The stage `a` with these keys, which have no mistakes."""
    loaded = load(f"{head}\nstages:\n  a: {{{text}}}\n")
    assert loaded.problems == ()
    found: Stage = loaded.pipeline.stages["a"]
    return found


def arguments(text: str, name: str, head: str = "params: {depth: 5, names: [a, b]}") -> object:
    return stage(text, head).params[name].source


def test_each_kind_names_its_file() -> None:
    assert stage("script: scripts/a.py").program == Program(kind="script", target="scripts/a.py")
    assert stage("script: scripts/a.py").notebook == "scripts/a.py"
    function = stage("function: 'work.fit:fit'")
    assert (function.notebook, function.program) == (
        "work/fit.py",
        Program(kind="function", target="work.fit:fit"),
    )
    sql = stage("sql: queries/a.sql, connection: base, connections: [other]")
    assert sql.program == Program(kind="sql", target="queries/a.sql", connection="base")
    assert sql.connections == ("other", "base")
    command = stage("command: [curl, -sf, x]")
    assert (command.notebook, str(command.program)) == ("pipelines/p.yaml", "curl -sf x")
    assert command.program is not None
    assert command.program.words == ("curl", "-sf", "x")
    assert stage("notebook: notebooks/a.ipynb").program is None


@pytest.mark.parametrize(
    ("keys", "head", "wanted"),
    [
        ("script: a.py", "", ("inprocess", None)),
        ("script: a.py", "defaults: {executor: kernel}", ("inprocess", None)),
        ("script: a.py, executor: kernel", "", ("kernel", None)),
        ("script: a.py, kernel: other", "", ("kernel", "other")),
        ("script: a.py", "defaults: {kernel: other}", ("kernel", "other")),
        ("script: a.py, executor: inprocess", "defaults: {kernel: other}", ("inprocess", "other")),
        ("sql: a.sql", "defaults: {kernel: other}", ("inprocess", None)),
        ("notebook: a.ipynb", "", ("kernel", None)),
    ],
)
def test_a_program_runs_without_a_kernel_unless_one_is_asked_for(
    keys: str, head: str, wanted: tuple[str, str | None]
) -> None:
    found = stage(keys, head)
    assert (found.executor, found.kernel) == wanted


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        ("[--depth, 3, 0.5, true]", ["--depth", 3, 0.5, True]),
        ("['${params.depth}']", ["${params.depth}"]),
        ("['--depth=${params.depth}']", ["--depth=${params.depth}"]),
        ("['${outputs.o}', '${inputs.i}']", [{"output": "o"}, {"input": "i"}]),
        ("['--out=${outputs.o}.gz']", [{"join": ["--out=", {"output": "o"}, ".gz"]}]),
        (
            "['${params.depth}:${inputs.i}', '${outputs.o}']",
            [{"join": ["${params.depth}", ":", {"input": "i"}]}, {"output": "o"}],
        ),
        ("['$${HOME}', '${outputs.o}']", ["$${HOME}", {"output": "o"}]),
        ("['a $${b} ${outputs.o}']", [{"join": ["a $${b} ", {"output": "o"}]}]),
    ],
)
def test_arguments_keep_what_is_known_later(args: str, wanted: object) -> None:
    outputs = "inputs: {i: data/i.csv}" + (", outputs: {o: data/o.csv}" if "outputs.o" in args else "")
    assert arguments(f"script: a.py, args: {args}, {outputs}", "args") == wanted


def test_no_arguments_are_no_value() -> None:
    assert stage("script: a.py").params == {}


def test_a_text_for_the_shell_is_taken_apart_at_its_values() -> None:
    text = "\"sort ${inputs.i} '$${x}' | head -n ${params.depth} > ${outputs.o}\""
    found = arguments(f"command: {text}, inputs: {{i: data/i}}, outputs: {{o: data/o}}", "command")
    assert found == {
        "shell": [
            "sort ",
            {"input": "i"},
            " '$${x}' | head -n ",
            "${params.depth}",
            " > ",
            {"output": "o"},
            "",
        ]
    }
    assert as_written({"command": found}) == {
        "command": "sort ${inputs.i} '$${x}' | head -n ${params.depth} > ${outputs.o}"
    }


@pytest.mark.parametrize(
    ("text", "is_good"),
    [
        ("echo ${params.depth}", True),
        ("echo '${params.depth}'", False),
        ('echo "a ${params.depth}"', False),
        ("echo 'a' ${params.depth} 'b'", True),
        ("""echo "it's" ${params.depth}""", True),
        (r"echo \" ${params.depth}", True),
        (r"echo 'a\' ${params.depth}", True),
        ("""awk '{print $'${params.depth}'}'""", True),
    ],
)
def test_a_value_within_quotes_is_a_mistake(text: str, is_good: bool) -> None:
    loaded = load(f"params: {{depth: 1}}\nstages:\n  a:\n    command: |\n      {text}\n")
    assert [str(problem.message) for problem in loaded.problems] == (
        [] if is_good else ["'${params.depth}' stands within quotes"]
    )


def test_values_are_shown_as_they_were_written() -> None:
    values = {"args": [{"join": ["--out=", {"output": "o"}]}, {"input": "i"}, 3], "other": {"output": "o"}}
    assert as_written(values) == {"args": ["--out=${outputs.o}", "${inputs.i}", 3], "other": {"output": "o"}}
    assert as_written({"args": "text"}) == {"args": "text"}


def test_only_what_holds_arguments_is_no_parameter() -> None:
    script, function = Program(kind="script", target="a.py"), Program(kind="function", target="a:f")
    assert [is_argument(one, "args") for one in (script, function, None)] == [True, False, False]
    assert is_argument(Program(kind="command", target="ls"), "command")


def test_an_output_elsewhere_need_not_be_named() -> None:
    assert (
        stage("command: [ls], outputs: {t: {path: 'https://x/t', kind: external}}").outputs["t"].kind
        == "external"
    )
