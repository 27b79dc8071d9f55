"""Pipelines that are about an interval: in parameters, paths, conditions and lists, and in what is decided in the run."""

from __future__ import annotations

import pytest

from building import ProjectBuilder
from stagebook.errors import PipelineInvalid, UsageError
from stagebook.planning.scopes import Scopes

ABOUT = """
    stages:
      load:
        notebook: notebooks/a.ipynb
        matrix: {hour: "${[interval.hour, interval.hour + 6]}"}
        params: {start: "${interval.start}", n: "${matrix.hour}"}
        inputs: {src: "raw/${interval.year}/${interval.name}.csv"}
        outputs: {out: "data/${interval.name}-${matrix.hour}.csv"}
      report:
        notebook: notebooks/a.ipynb
        when: "${interval.day == 1}"
        params: {start: "until ${interval.end} in ${run.id}"}
        after: [load]
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.notebook("a", params="start: str = ''\nsrc = None\nout = None\nn = None")
    builder.file("raw/2026/2026-01.csv")
    builder.file("raw/2026/2026-01-05T06.csv")
    return builder


def test_an_interval_is_seen_in_parameters_paths_and_conditions(project: ProjectBuilder) -> None:
    project.pipeline(ABOUT)
    plan = project.project.plan("p", interval="2026-01")
    first = plan.stage("load@0")
    assert first.params == {"start": "2026-01-01", "n": 0}
    assert first.inputs["src"].paths == ("raw/2026/2026-01.csv",)
    assert first.outputs["out"].path == "data/2026-01-0.csv"
    assert plan.interval is not None
    assert plan.interval.name == "2026-01"
    assert plan.to_json()["interval"]["start"] == "2026-01-01T00:00:00+00:00"
    assert plan.stage("report").decision == "RUN"


def test_what_is_computed_in_the_run_sees_it_too(project: ProjectBuilder) -> None:
    project.pipeline(ABOUT)
    plan = project.project.plan("p", interval="2026-01")
    stage = plan.stage("report")
    scope = Scopes.of_plan(plan).of(stage, {}, run="r")
    assert scope["interval"]["end"] == "2026-02-01"
    assert "start" in stage.deferred


def test_a_condition_on_it_is_decided_ahead(project: ProjectBuilder) -> None:
    project.pipeline(ABOUT)
    plan = project.project.plan("p", interval="2026-01-05T06[UTC]")
    assert [stage.id for stage in plan.stages] == ["load@6", "load@12", "report"]
    assert plan.stage("load@6").params["start"] == "2026-01-05T06:00:00+00:00"
    assert plan.stage("report").reasons == ("when: ${interval.day == 1} is false",)


def test_another_interval_is_another_fingerprint(project: ProjectBuilder) -> None:
    project.file("raw/2026/2026-02.csv")
    project.pipeline(ABOUT)
    plans = [project.project.plan("p", interval=text) for text in ("2026-01", "2026-02", "2026-01")]
    marks = []
    for plan in plans:
        judgement = plan.stage("load@0").judgement
        assert judgement is not None
        assert judgement.fingerprint is not None
        marks.append(judgement.fingerprint.parts["params"])
    assert marks[0] == marks[2] != marks[1]


def test_without_one_it_is_told_once_how_to_give_one(project: ProjectBuilder) -> None:
    project.pipeline(ABOUT)
    with pytest.raises(PipelineInvalid) as caught:
        project.project.plan("p")
    (problem,) = caught.value.problems
    assert problem.place == "pipelines/p.yaml:4:14"
    assert problem.message == "the pipeline is about an interval, and none is given"
    assert problem.hint.startswith("say which: --interval 2026-01-05")


def test_a_pipeline_that_does_not_mention_it_can_be_run_about_one(project: ProjectBuilder) -> None:
    project.pipeline("stages: {a: {notebook: notebooks/a.ipynb}}")
    assert project.project.plan("p").interval is None
    found = project.project.plan("p", interval="2026-01-05..2026-01-07").interval
    assert found is not None
    assert found.name == "2026-01-05T0000"


@pytest.mark.parametrize("text", ["yesterday", "2026-02..2026-01", "2026-01[Mars]"])
def test_what_is_none_is_told(project: ProjectBuilder, text: str) -> None:
    project.pipeline(ABOUT)
    with pytest.raises(UsageError, match="--interval: ") as caught:
        project.project.plan("p", interval=text)
    assert caught.value.hint


def test_a_pipeline_beside_one_that_is_about_an_interval_can_be_planned(project: ProjectBuilder) -> None:
    project.pipeline(ABOUT, name="q")
    project.pipeline("stages: {a: {notebook: notebooks/a.ipynb, outputs: {out: data/x.csv}}}")
    assert [stage.id for stage in project.plan().stages] == ["a"]


def test_a_name_that_it_does_not_have_is_a_mistake(project: ProjectBuilder) -> None:
    screen = project.screen(
        'stages: {a: {notebook: notebooks/a.ipynb, params: {start: "${interval.begin}"}}}'
    )
    assert "unknown name 'interval.begin'" in screen
