"""What holds of the plan of any pipeline."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from building import ProjectBuilder, notebook_data
from stagebook.errors import PipelineInvalid
from stagebook.pipeline.loader import load_pipeline
from stagebook.planning.graph import closure
from stagebook.planning.plan import Decision, Plan
from stagebook.planning.planner import Planner
from stagebook.planning.select import Selection
from stagebook.workspace.workspace import Workspace
from strategies import Drawn, pipelines


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "notebooks").mkdir()
        params = "n: int = 0\nin0 = None\nin1 = None\nout: str = ''"
        (root / "notebooks/n.ipynb").write_text(json.dumps(notebook_data("x = 1", params=params)))
        yield Workspace(root)


def plan_of(text: str, workspace: Workspace, selection: Selection | None = None) -> Plan:
    loaded = load_pipeline(text, "pipelines/p.yaml")
    assert loaded.problems == ()
    params = {name: param.default for name, param in loaded.pipeline.params.items()}
    return Planner(loaded.pipeline, params, workspace, selection=selection).plan()


@settings(max_examples=80, deadline=None)
@given(drawn=pipelines())
def test_the_plan_of_any_pipeline(workspace: Workspace, drawn: Drawn) -> None:
    plan = plan_of(drawn.text, workspace)
    ids = [stage.id for stage in plan.stages]
    assert len(set(ids)) == len(ids)
    assert len(ids) == sum(len(points) or 1 for points in drawn.points.values())
    stages = {stage.id: stage for stage in plan.stages}
    seen: set[str] = set()
    for stage in plan.stages:
        assert set(stage.upstream) <= seen, "something comes before what it needs"
        seen.add(stage.id)
        assert {stages[up].stage for up in stage.upstream} == drawn.edges[stage.stage]
        for item in stage.inputs.values():
            made = [stages[source].outputs["out"].path for source in item.sources]
            assert list(item.paths) == made, "an input is not the output that it refers to"
            assert item.many == bool(drawn.points[stages[item.sources[0]].stage])
            assert item.value == (made if item.many else made[0])
        assert stage.decision is Decision.RUN
        assert stage.reasons
    paths = [output.path for stage in plan.stages for output in stage.outputs.values()]
    assert len(set(paths)) == len(paths)
    text = json.dumps(plan.to_json(), allow_nan=False)
    assert [stage["id"] for stage in json.loads(text)["stages"]] == ids
    # The same input gives the same plan, and the plan of it all is frozen.
    assert json.dumps(plan_of(drawn.text, workspace).to_json()) == text


@settings(max_examples=80, deadline=None)
@given(drawn=pipelines(), data=st.data())
def test_a_selection_changes_what_runs_and_nothing_else(
    workspace: Workspace, drawn: Drawn, data: st.DataObject
) -> None:
    plan = plan_of(drawn.text, workspace)
    ids = [stage.id for stage in plan.stages]
    edges = {stage.id: stage.upstream for stage in plan.stages}
    target = data.draw(st.sampled_from(ids))
    chosen = plan_of(drawn.text, workspace, Selection(targets=(target,)))
    assert [stage.id for stage in chosen.stages] == ids
    running = {stage.id for stage in chosen.stages if stage.runs}
    # A name of a stage stands for all of its points.
    named = {name for name in ids if name == target or name.split("@")[0] == target}
    assert running == closure(edges, named)
    for stage in chosen.stages:
        assert stage.runs or (stage.decision, stage.reasons) == (Decision.SKIP, ("not selected",))
    # Nothing was made yet, so what is left out has to be needed by nothing that runs.
    try:
        only = plan_of(drawn.text, workspace, Selection(only=(target,)))
    except PipelineInvalid as error:
        messages = [problem.message for problem in error.problems]
    else:
        messages = []
        assert {stage.id for stage in only.stages if stage.runs} == named
    needs_inputs = any(
        source not in named
        for stage in plan.stages
        if stage.id in named
        for item in stage.inputs.values()
        for source in item.sources
    )
    assert bool(messages) == needs_inputs
    assert all("which is not there" in message for message in messages)


def test_what_depends_on_scraps_waits_unless_it_is_certain_to_run(builder: ProjectBuilder) -> None:
    builder.notebook("a", params="rows = 0\nrun = ''")
    builder.pipeline("""
    stages:
      b: {notebook: notebooks/a.ipynb, params: {rows: "${stages.a.scraps.rows + 1}"}}
      a: {notebook: notebooks/a.ipynb, params: {run: "${run.id}"}}
    """)
    first, second = builder.plan().stages
    assert (first.id, first.decision, first.upstream) == ("a", Decision.RUN, ())
    # Whatever the scrap will be, there is no result of it.
    assert (second.id, second.decision, second.upstream) == ("b", Decision.RUN, ("a",))
    assert second.reasons == ("no result yet",)
    assert second.to_json()["params"] == {"rows": {"expression": "${stages.a.scraps.rows + 1}"}}
    # Where nothing is known of earlier results, it waits; a value of the run is no reason to.
    text = (builder.root / "pipelines/p.yaml").read_text()
    first, second = plan_of(text, Workspace(builder.root)).stages
    assert (first.decision, first.reasons) == (Decision.RUN, ("selected",))
    assert (second.decision, second.reasons) == (Decision.WAIT, ("needs stages.a.scraps.rows",))


def test_scraps_of_what_is_not_selected_have_to_be_there(builder: ProjectBuilder) -> None:
    builder.notebook("a", params="rows = 0")
    builder.pipeline("""
    stages:
      a: {notebook: notebooks/a.ipynb}
      b: {notebook: notebooks/a.ipynb, params: {rows: "${stages.a.scraps.rows}"}}
    """)
    with pytest.raises(PipelineInvalid) as caught:
        builder.project.plan("p", selection=Selection(only=("b",)))
    assert str(caught.value.problems[0]) == (
        "pipelines/p.yaml:3:45: b needs scraps of 'a', which is not selected and left none\n    select a as well"
    )


def test_a_plan_knows_what_its_notebooks_say(builder: ProjectBuilder) -> None:
    builder.notebook("a", "import mlflow", params="when: date = None\nshare: float = 0.5\nloose = 1.5")
    builder.pipeline("""
    stages:
      a:
        notebook: notebooks/../notebooks/a.ipynb
        params: {when: "2013-01-31", share: 1, loose: 2}
    """)
    (stage,) = builder.plan().stages
    assert stage.notebook == "notebooks/a.ipynb"
    assert stage.params == {"when": "2013-01-31", "share": 1.0, "loose": 2}
    assert [type(stage.params[name]) for name in ("share", "loose")] == [float, int]
    assert {name: str(kind) for name, kind in stage.types.items()} == {"when": "date", "share": "float"}
    assert stage.uses_mlflow
