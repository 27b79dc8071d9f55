from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder
from stagebook.errors import PipelineInvalid, UsageError
from stagebook.testing.alone import Alone, alone, find_stage, sort_params

PIPELINE = """
params:
  days: {type: int, default: 7}
  names: {type: "list[str]", default: [a, b]}
  since: {type: date}
stages:
  read:
    notebook: notebooks/n.ipynb
    outputs: {table: data/table.csv}
  list:
    notebook: notebooks/n.ipynb
    matrix: {name: "${params.names}", size: [1, 2]}
    params: {name: "${matrix.name}", days: "${params.days}", shift: 1}
    outputs: {out: "data/${matrix.name}-${matrix.size}.csv"}
  dated:
    notebook: notebooks/n.ipynb
    params: {since: "${params.since}"}
  each:
    notebook: notebooks/n.ipynb
    foreach: "${stages.read.scraps.items}"
    params: {item: "${item}"}
    when: "${stages.read.scraps.rows > 0}"
    after: [read]
    trigger: all_done
    inputs: {table: read.table}
  tuned:
    notebook: notebooks/n.ipynb
    params: {best: "${stages.read.scraps.best}"}
"""


@pytest.fixture
def made(builder: ProjectBuilder) -> ProjectBuilder:
    builder.notebook("n", "print(1)", params="x = 1")
    builder.pipeline(PIPELINE)
    return builder


def stage_of(made: ProjectBuilder, name: str, point: Any = None, /, **given: Any) -> Alone:
    pipeline, stage = find_stage(made.project.catalog, name)
    values = sort_params(pipeline, stage, given, ["extra"])
    return alone(pipeline, stage, given=values, point=point, env={})


class TestFinding:
    def test_the_pipeline_may_be_left_out(self, made: ProjectBuilder) -> None:
        assert find_stage(made.project.catalog, "read")[0].name == "p"

    def test_a_stage_of_two_pipelines_has_to_be_told_apart(self, made: ProjectBuilder) -> None:
        made.pipeline("stages: {read: {notebook: notebooks/n.ipynb}}", name="q")
        with pytest.raises(UsageError, match="p and q have a stage 'read'") as told:
            find_stage(made.project.catalog, "read")
        assert told.value.hint == "pipeline='p'"
        assert find_stage(made.project.catalog, "read", "q")[0].name == "q"

    def test_a_name_that_is_not_there(self, made: ProjectBuilder) -> None:
        with pytest.raises(UsageError, match="no stage 'raed' in any pipeline") as told:
            find_stage(made.project.catalog, "raed")
        assert told.value.hint == "did you mean 'read'?"

    def test_a_pipeline_with_mistakes(self, made: ProjectBuilder) -> None:
        made.pipeline("stages: {read: {notebok: notebooks/n.ipynb}}")
        with pytest.raises(PipelineInvalid):
            find_stage(made.project.catalog, "read")


class TestParameters:
    def test_those_of_the_notebook_win_over_the_file(self, made: ProjectBuilder) -> None:
        found = stage_of(made, "list", {"name": "a", "size": 1}, shift=5, extra="${not.read}")
        assert found.stage.params["shift"].value == 5
        assert found.stage.params["extra"].value == "${not.read}"

    def test_others_are_those_of_the_pipeline(self, made: ProjectBuilder) -> None:
        found = stage_of(made, "list", {"name": "z", "size": 1}, names=["z"])
        assert found.params["names"] == ["z"]

    def test_one_that_is_not_known(self, made: ProjectBuilder) -> None:
        with pytest.raises(UsageError, match="has a parameter 'shfit'") as told:
            stage_of(made, "list", shfit=1)
        assert told.value.hint == "did you mean 'shift'?"

    def test_inputs_and_outputs_are_none(self, made: ProjectBuilder) -> None:
        with pytest.raises(UsageError, match="'table' is an input of each") as told:
            stage_of(made, "each", {"item": 1}, table="x")
        assert "inputs={'table'" in told.value.hint
        with pytest.raises(UsageError, match="'out' is an output of list"):
            stage_of(made, "list", out="x")

    def test_one_that_does_not_fit(self, made: ProjectBuilder) -> None:
        with pytest.raises(PipelineInvalid, match="'names' does not fit"):
            stage_of(made, "list", {"name": "a", "size": 1}, names=3)

    def test_one_without_a_default_is_needed_where_it_is_used(self, made: ProjectBuilder) -> None:
        assert stage_of(made, "read").params["since"] is None
        with pytest.raises(UsageError, match="'since' of the pipeline has no default"):
            stage_of(made, "dated")
        found = stage_of(made, "dated", since=datetime.date(2020, 1, 2))
        assert found.stage.params["since"].value == "2020-01-02"

    def test_scraps_of_other_stages_have_to_be_given(self, made: ProjectBuilder) -> None:
        with pytest.raises(UsageError, match="no other stage runs in a test") as told:
            stage_of(made, "tuned")
        assert told.value.hint == "give it: params={'best': …}"
        assert stage_of(made, "tuned", best=3).stage.params["best"].value == 3


class TestInstances:
    @pytest.mark.parametrize("point", [{"name": "b", "size": 2}, "b-2"])
    def test_a_point_of_a_matrix(self, made: ProjectBuilder, point: Any) -> None:
        found = stage_of(made, "list", point)
        assert found.point == {"name": "b", "size": 2}
        assert {axis: one.value for axis, one in found.stage.matrix.items()} == {"name": ["b"], "size": [2]}

    def test_a_part_of_a_point_may_be_enough(self, made: ProjectBuilder) -> None:
        assert stage_of(made, "list", {"size": 2}, names=["a"]).point == {"name": "a", "size": 2}

    def test_which_one_has_to_be_said(self, made: ProjectBuilder) -> None:
        with pytest.raises(UsageError, match="list has 4 instances") as told:
            stage_of(made, "list")
        assert "'list@a-1'; there are a-1, a-2, b-1, b-2" in told.value.hint

    @pytest.mark.parametrize(
        ("point", "message", "hint"),
        [
            ({"nme": "a"}, "the matrix of list has no axis 'nme'", "did you mean 'name'?"),
            ({"name": "c"}, "has no point", "other values of parameters of the pipeline make other ones"),
            ("b-3", "no stage instance 'list@b-3'", "did you mean 'b-"),
        ],
    )
    def test_one_that_is_not_there(self, made: ProjectBuilder, point: Any, message: str, hint: str) -> None:
        with pytest.raises(UsageError, match=message) as told:
            stage_of(made, "list", point)
        assert hint in told.value.hint

    @pytest.mark.parametrize("point", [{"item": "x"}, "x"])
    def test_an_item_of_a_list_that_only_a_run_knows(self, made: ProjectBuilder, point: Any) -> None:
        found = stage_of(made, "each", point)
        assert found.point == {"item": "x"}
        assert found.stage.foreach is not None
        assert found.stage.foreach.value == ["x"]

    def test_the_item_has_to_be_said(self, made: ProjectBuilder) -> None:
        with pytest.raises(UsageError, match="for each item of a list"):
            stage_of(made, "each")

    def test_a_stage_that_is_one(self, made: ProjectBuilder) -> None:
        with pytest.raises(UsageError, match="read has no matrix"):
            stage_of(made, "read", {"name": "a"})


def test_nothing_of_the_other_stages_is_left(made: ProjectBuilder) -> None:
    found = stage_of(made, "each", {"item": 1})
    assert list(found.pipeline.stages) == ["each"]
    assert (found.stage.when, found.stage.after, found.stage.trigger) == (None, (), "all_success")
    assert "read" in found.pipeline.broken  # so that contracts of its outputs are no mistakes


def test_nothing_is_written(made: ProjectBuilder, tmp_path: Path) -> None:
    stage_of(made, "list", {"name": "a", "size": 1})
    assert not (made.root / ".stagebook").exists()


def test_where_nothing_says_what_a_notebook_takes_it_is_given_any_name(builder: ProjectBuilder) -> None:
    builder.notebook("plain", "print(x)")
    builder.pipeline("params: {n: 1}\nstages: {a: {notebook: notebooks/plain.ipynb, inject: first}}")
    pipeline, stage = find_stage(builder.project.catalog, "a")
    assert sort_params(pipeline, stage, {"x": 2, "n": 3}, ()) == ({"x": 2}, {"n": 3})
    with pytest.raises(UsageError, match="has a parameter 'y'"):
        sort_params(pipeline, stage, {"y": 2}, ["x"])
