"""Environment variables with expressions: their values, for each instance, before anything is started."""

from __future__ import annotations

import pytest

from building import ProjectBuilder
from commands import looked
from stagebook.planning.plan import Decision, NextRun

PIPELINE = """
params: {year: 2013, base: "https://x", flag: true}
defaults: {env: {BASE: "${params.base}", FLAG: "${params.flag}"}}
stages:
  load:
    notebook: notebooks/load.ipynb
    matrix: {city: [oslo, rome]}
    env: {DATASET_URL: "${params.base}/${matrix.city}/${params.year}.csv", TZ: , LOGIN: "me:${secret.DB}", SIZE: 007}
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.notebook("load", "1")
    builder.pipeline(PIPELINE)
    return builder


def test_each_instance_has_its_own_values(project: ProjectBuilder) -> None:
    plan = project.plan("year=2014")
    shared = {"BASE": "https://x", "FLAG": "true", "LOGIN": "me:${secret.DB}", "SIZE": "007"}
    assert [dict(stage.variables) for stage in plan.stages] == [
        {**shared, "DATASET_URL": f"https://x/{city}/2014.csv"} for city in ("oslo", "rome")
    ]


def test_values_are_part_of_what_a_result_depends_on(project: ProjectBuilder) -> None:
    first, other, again = (
        project.plan(*pairs).stage("load@oslo").judgement for pairs in ((), ("year=2014",), ())
    )
    assert first is not None
    assert other is not None
    assert again is not None
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint is not None
    assert other.fingerprint is not None
    assert first.fingerprint.parts["env"]["DATASET_URL"] == "https://x/oslo/2013.csv"
    assert first.fingerprint.parts["env"]["LOGIN"] == "me:${secret.DB}"
    assert {**first.fingerprint.parts, "env": {}} == {**other.fingerprint.parts, "env": {}}


def test_items_and_intervals_and_the_environment(
    builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGION", "north")
    builder.notebook("list", "1")
    text = """
        params: {days: [1, 2]}
        stages:
          each:
            notebook: notebooks/list.ipynb
            foreach: ${params.days}
            env: {DAY: "${item}", WHERE: "${env.REGION}", NEXT: "${item + 1}"}
          later:
            notebook: notebooks/list.ipynb
            foreach: ${stages.each.scraps.names}
            env: {NAME: "${item}", WHERE: "${env.REGION}"}
        """
    builder.pipeline(text)
    plan = builder.plan()
    assert [dict(stage.variables) for stage in plan.stages] == [
        {"DAY": "1", "WHERE": "north", "NEXT": "2"},
        {"DAY": "2", "WHERE": "north", "NEXT": "3"},
        {"NAME": "${item}", "WHERE": "north"},
    ]
    assert plan.stages[-1].decision is Decision.WAIT
    about = 'stages: {a: {notebook: notebooks/list.ipynb, env: {DAY: "${interval.start}"}}}'
    (problem,) = builder.problems(about)
    assert (problem.line, problem.message) == (1, "the pipeline is about an interval, and none is given")
    planned = builder.project.plan("p", interval="2026-01-05")
    assert dict(planned.stages[0].variables) == {"DAY": "2026-01-05"}


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ("A: '${params.many}'", "4:42: the environment variable 'A': it has to be text, not [1, 2] (list)"),
        ("A: 'x${params.many}'", "which cannot stand inside a text"),
        ("A: '${env.NOT_THERE}'", "NOT_THERE"),
        ("A: '${params.year / 0}'", "division by zero"),
        (
            "API_TOKEN: '${params.word}'",
            "the environment variable 'API_TOKEN' holds what looks like a secret",
        ),
    ],
)
def test_mistakes_are_told_before_anything_starts(builder: ProjectBuilder, env: str, said: str) -> None:
    builder.notebook("a", "1")
    (problem,) = builder.problems(
        "params: {many: [1, 2], year: 1, word: hunter22hunter}\n\n"
        f"stages:\n  a: {{notebook: notebooks/a.ipynb, env: {{{env}}}}}\n"
    )
    assert said in str(problem)
    assert "hunter22" not in str(problem)
    assert problem.line == 4


def test_a_mistake_of_the_defaults_is_told_of_once(builder: ProjectBuilder) -> None:
    builder.notebook("a", "1")
    problems = builder.problems("""
        params: {many: [1, 2]}
        defaults: {env: {A: "${params.many}"}}
        stages:
          a: {notebook: notebooks/a.ipynb}
          b: {notebook: notebooks/a.ipynb}
        """)
    assert [problem.line for problem in problems] == [2]


@pytest.mark.kernel
@pytest.mark.parametrize("executor", ["kernel", "inprocess"])
def test_notebooks_have_them_in_their_environment(
    builder: ProjectBuilder, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.without_tracking()
    monkeypatch.setenv("STAGEBOOK_SECRET_DB", "open-sesame/42")
    builder.notebook(
        "a",
        "import os, subprocess\nurl = os.environ['DATASET_URL']\nassert os.environ['LOGIN'] == 'me:open-sesame/42'",
        "open(out, 'w').write(url + subprocess.check_output(['sh', '-c', 'echo $SIZE'], text=True))",
        params="out = ''",
    )
    builder.pipeline(f"""
        params: {{year: 2013}}
        defaults: {{executor: {executor}}}
        stages:
          a:
            notebook: notebooks/a.ipynb
            env: {{DATASET_URL: "https://x/${{params.year}}.csv", LOGIN: "me:${{secret.DB}}", SIZE: 007}}
            outputs: {{out: data/out.txt}}
        """)
    assert builder.project.run("p").status == "completed"
    assert (builder.root / "data/out.txt").read_text() == "https://x/2013.csv007\n"
    assert builder.plan().stage("a").next_run is NextRun.UP_TO_DATE
    stale = builder.plan("year=2014").stage("a")
    assert (stale.next_run, stale.reasons) == (
        NextRun.STALE,
        ("the environment variable DATASET_URL changed",),
    )


def test_a_variable_with_a_value_is_declared(project: ProjectBuilder) -> None:
    project.notebook("load", "import os\nos.environ['DATASET_URL'], os.environ['TZ'], os.environ['REGION']")
    said = looked(project.root, "check").stdout
    assert [
        line.partition(" variable ")[2].partition(",")[0]
        for line in said.splitlines()
        if " variable " in line
    ] == ["REGION"]
