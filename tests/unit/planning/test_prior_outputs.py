"""What a run needs of the stages that it leaves out: outputs on disk, scraps and lists of earlier runs."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import pytest

from building import ProjectBuilder
from stagebook.errors import PipelineInvalid
from stagebook.pipeline.loader import load_pipeline
from stagebook.pipeline.types import Value
from stagebook.planning.plan import Plan
from stagebook.planning.planner import Planner
from stagebook.planning.select import Selection
from stagebook.workspace.workspace import Workspace

TEXT = """
stages:
  list: {notebook: notebooks/a.ipynb}
  fetch:
    notebook: notebooks/a.ipynb
    foreach: ${stages.list.scraps.items}
    outputs: {out: "data/${item}"}
  merge:
    notebook: notebooks/a.ipynb
    inputs: {src: fetch.out}
  score:
    notebook: notebooks/a.ipynb
    params: {n: "${sum(stages.fetch.scraps.rows)}"}
"""


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    builder.notebook("a", params="n = 0\nsrc = None\nout = ''")
    return builder


def plan(
    project: ProjectBuilder, selection: Selection, text: str = TEXT, **earlier: Mapping[str, Value]
) -> Plan:
    loaded = load_pipeline(textwrap.dedent(text).lstrip(), "pipelines/p.yaml")
    assert loaded.problems == ()
    known = {name.replace("__", "@"): found for name, found in earlier.items()}
    planner = Planner(loaded.pipeline, {}, Workspace(project.root), selection=selection, earlier=known.get)
    return planner.plan()


def refused(
    project: ProjectBuilder, selection: Selection, text: str = TEXT, **earlier: Mapping[str, Value]
) -> str:
    with pytest.raises(PipelineInvalid) as caught:
        plan(project, selection, text, **earlier)
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_the_list_of_an_earlier_run_says_which_instances_there_are(project: ProjectBuilder) -> None:
    project.file("data/north")
    project.file("data/south")
    made = plan(project, Selection(only=("merge",)), list={"items": ["north", "south"]})
    assert [stage.id for stage in made.stages if stage.selected] == ["merge"]
    assert made.stage("merge").inputs["src"].value == ["data/north", "data/south"]
    # It is what the run has to know as it grows, too.
    assert made.scraps == {"list": {"items": ["north", "south"]}}


def test_an_output_that_is_not_there_is_told_of(project: ProjectBuilder) -> None:
    project.file("data/north")
    screen = refused(project, Selection(only=("merge",)), list={"items": ["north", "south"]})
    assert screen == (
        "pipelines/p.yaml:9:14: merge needs 'data/south', which is not there\n"
        "    select fetch@south as well, which makes it"
    )


@pytest.mark.parametrize("selection", [Selection(only=("merge",)), Selection(skip=("fetch",))])
def test_what_instances_there_are_has_to_be_known(project: ProjectBuilder, selection: Selection) -> None:
    # Not an empty list in silence, and nothing that only the run would find out.
    screen = refused(project, selection)
    assert screen.startswith(
        "pipelines/p.yaml:9:14: merge needs 'fetch', which is not selected, and what instances it has is not known\n"
        "    select fetch as well"
    )


def test_scraps_of_instances_are_those_of_earlier_runs(project: ProjectBuilder) -> None:
    lists = {"items": ["north", "south"]}
    made = plan(
        project, Selection(only=("score",)), list=lists, fetch__north={"rows": 1}, fetch__south={"rows": 2}
    )
    assert made.scraps == {"list": lists, "fetch@north": {"rows": 1}, "fetch@south": {"rows": 2}}
    screen = refused(project, Selection(only=("score",)), list=lists, fetch__north={"rows": 1})
    assert screen == (
        "pipelines/p.yaml:12:14: score needs scraps of 'fetch@south', which is not selected and left none\n"
        "    select fetch@south as well"
    )


def test_scraps_of_a_stage_that_is_a_foreach_by_now_are_not_taken(project: ProjectBuilder) -> None:
    screen = refused(project, Selection(only=("score",)), list={"items": []}, fetch={"rows": 1})
    assert "score needs scraps of 'fetch', which is not selected and left none" in screen


def test_every_scrap_that_is_needed_has_to_be_there(project: ProjectBuilder) -> None:
    text = """
    stages:
      a: {notebook: notebooks/a.ipynb}
      b: {notebook: notebooks/a.ipynb, params: {n: "${stages.a.scraps.rows}"}}
      c: {notebook: notebooks/a.ipynb, when: "${stages.a.scraps.ok}"}
      d: {notebook: notebooks/a.ipynb, foreach: "${stages.a.scraps.items}"}
    """
    assert refused(project, Selection(skip=("a",)), text, a={"rows": 1}) == (
        "pipelines/p.yaml:4:36: c needs scraps of 'a', which is not selected and left none\n"
        "    select a as well\n"
        "pipelines/p.yaml:5:36: d needs scraps of 'a', which is not selected and left none\n"
        "    select a as well"
    )
