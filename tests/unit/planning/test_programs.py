"""A program is held against its file, and is planned as a notebook that is made for it."""

from __future__ import annotations

import json

import pytest

from building import ProjectBuilder
from stagebook.pipeline.model import Program
from stagebook.planning.plan import PlannedStage
from stagebook.planning.programs import program_part


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.without_tracking()
    builder.file("scripts/a.py", "import mlflow, helper\nimport pandas.testing\nprint(input())\n")
    builder.file("scripts/helper.py", "X = 1\n")
    builder.file("work/__init__.py")
    builder.file("work/fit.py", "def fit(day: 'date', out: 'Path', depth: int = 3, **more): ...\n")
    builder.file("queries/a.sql", "SELECT $n")
    builder.file("scripts/get.sh", "echo got\n")
    return builder


def planned(project: ProjectBuilder, keys: str, *pairs: str) -> PlannedStage:
    project.pipeline(f"params: {{n: 1, day: '2024-01-02'}}\nstages:\n  a: {{{keys}}}\n")
    return project.plan(*pairs).stage("a")


def code_of(project: ProjectBuilder, stage: PlannedStage) -> tuple[list[str], list[str]]:
    """The modules and files that are its code."""
    code = project.project.dependencies.code(stage.notebook, stage.runs_in)
    return [item.path for item in code.modules], [item.path for item in code.files]


def test_people_see_its_file_and_the_run_its_notebook(project: ProjectBuilder) -> None:
    stage = planned(project, "script: ./scripts/../scripts/a.py, args: ['${params.n}']")
    assert (stage.path, stage.shown) == ("scripts/a.py", "script ./scripts/../scripts/a.py")
    data = stage.to_json()
    assert (data["notebook"], data["program"]) == ("scripts/a.py", ["script", "./scripts/../scripts/a.py"])
    assert data["params"] == {"args": [1]}
    made = json.loads((project.root / stage.notebook).read_text())
    assert "stagebook_program.script(" in made["cells"][1]["source"]
    assert code_of(project, stage) == (["scripts/helper.py"], ["scripts/a.py"])


def test_what_a_script_imports_is_known_and_what_it_asks_is_warned_of(project: ProjectBuilder) -> None:
    stage = planned(project, "script: scripts/a.py")
    plan = project.plan()
    assert stage.uses_mlflow
    assert {"mlflow", "pandas.testing"} <= plan.imports
    assert [str(one.message) for one in plan.warnings] == [
        "'scripts/a.py' calls input(), and nobody can answer"
    ]


def test_a_function_gets_values_of_its_types(project: ProjectBuilder) -> None:
    keys = "function: 'work.fit:fit', params: {day: '${params.day}', other: 1}, outputs: {out: data/o}"
    stage = planned(project, keys)
    assert stage.path == "work/fit.py"
    assert {name: str(kind) for name, kind in stage.types.items()} == {"day": "date", "out": "Path"}
    assert stage.params == {"day": "2024-01-02", "other": 1}
    assert code_of(project, stage)[0] == ["work/__init__.py", "work/fit.py"]
    wrong = project.problems(None, "day=soon")
    assert [(one.message, one.hint) for one in wrong] == [
        (
            "'day' does not fit: expected a date as in 2013-01-31, got 'soon' (str)",
            "'day' is declared as date",
        )
    ]


def test_a_function_of_a_package(project: ProjectBuilder) -> None:
    project.file("work/__init__.py", "def run(): ...\n")
    assert planned(project, "function: 'work:run'").path == "work/__init__.py"


def test_sql_counts_by_its_text_and_needs_duckdb(project: ProjectBuilder) -> None:
    stage = planned(project, "sql: queries/a.sql, params: {n: '${params.n}'}, outputs: {out: data/o.csv}")
    assert code_of(project, stage) == ([], ["queries/a.sql"])
    assert "duckdb" in project.plan().imports
    assert stage.executor == "inprocess"


@pytest.mark.parametrize(
    ("command", "files", "modules"),
    [
        ("[sh, scripts/get.sh]", ["scripts/get.sh"], []),
        ("'sh scripts/get.sh | cat'", ["scripts/get.sh"], []),
        ("[python, scripts/a.py, '${params.n}']", ["scripts/a.py"], ["scripts/helper.py"]),
        ("'python -m work.fit'", [], ["work/__init__.py", "work/fit.py"]),
        ("[ls]", [], []),
    ],
)
def test_the_files_that_a_command_names_are_its_code(
    project: ProjectBuilder, command: str, files: list[str], modules: list[str]
) -> None:
    stage = planned(project, f"command: {command}")
    assert code_of(project, stage) == (modules, files)
    assert stage.path == "pipelines/p.yaml"


def test_cells_are_no_part_of_its_fingerprint(project: ProjectBuilder) -> None:
    stage = planned(
        project, "function: 'work.fit:fit', params: {day: '${params.day}'}, outputs: {out: data/o}"
    )
    assert stage.judgement is not None
    assert stage.judgement.fingerprint is not None
    parts = stage.judgement.fingerprint.parts
    assert (parts["code"], parts["program"]) == ([], {"function": "work.fit:fit"})
    assert "stagebook_program" not in parts["libraries"]
    assert project.project.dependencies.sources(stage.notebook, "")["cells"] == []


def test_what_of_a_program_counts() -> None:
    assert program_part(Program(kind="script", target="a.py")) == {"script": "a.py"}
    assert program_part(Program(kind="command", target="ls -l")) == {"command": ""}
    sql = Program(kind="sql", target="a.sql", connection="base")
    assert program_part(sql) == {"sql": "a.sql", "connection": "base"}


def test_arguments_may_depend_on_the_run_and_on_other_stages(project: ProjectBuilder) -> None:
    project.pipeline("""
        stages:
          first: {function: "work:run"}
          a: {script: scripts/a.py, args: ["${run.id}", "${stages.first.scraps.rows}"]}
    """)
    project.file("work/__init__.py", "def run(): ...\n")
    stage = project.plan().stage("a")
    assert (stage.params, list(stage.deferred), stage.upstream) == ({}, ["args"], ("first",))


def test_a_mistake_in_an_argument_has_its_place(project: ProjectBuilder) -> None:
    text = "params: {n: 0}\nstages:\n  a:\n    script: scripts/a.py\n    args: ['${1 / params.n}']\n"
    (problem,) = project.problems(text)
    assert (problem.line, problem.message) == (5, "division by zero in '${1 / params.n}'")


def test_no_output_takes_the_place_of_a_program(project: ProjectBuilder) -> None:
    text = """
        stages:
          a: {script: scripts/a.py}
          b: {command: [sh, "${outputs.out}"], outputs: {out: scripts/a.py}}
    """
    (problem,) = project.problems(text)
    assert problem.message.startswith("the output 'scripts/a.py' would overwrite ")


def test_planning_alone_writes_nothing(project: ProjectBuilder) -> None:
    project.problems("stages:\n  a: {script: scripts/a.py}\n  b: {script: scripts/none.py}\n")
    assert not (project.root / ".stagebook/cache/programs").exists()
