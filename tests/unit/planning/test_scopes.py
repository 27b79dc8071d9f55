"""What expressions see: parameters, points, and the scraps of stages as values or lists of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from building import load
from stagebook.errors import StageFailure
from stagebook.events import Cause
from stagebook.pipeline.expressions import compile_value
from stagebook.pipeline.types import parse_type
from stagebook.planning.plan import Plan, PlannedStage
from stagebook.planning.scopes import (
    UNKNOWN,
    Evaluator,
    Scopes,
    condition_of,
    depends_on_run,
    needed_stages,
    params_of,
    reads_run,
    scraps_scope,
    stages_named,
)


def stage(name: str = "b", *, point: Mapping[str, Any] | None = None, when: str = "", types: Mapping[str, str] | None = None, **deferred: str) -> PlannedStage:  # fmt: skip
    return PlannedStage(
        id=name,
        stage=name.split("@", maxsplit=1)[0],
        notebook="n.ipynb",
        point=point or {},
        params={"known": 1},
        deferred={key: compile_value(text) for key, text in deferred.items()},
        when=compile_value(when) if when else None,
        types={key: parse_type(text) for key, text in (types or {}).items()},
    )


def test_a_stage_of_several_instances_has_lists_in_their_order() -> None:
    scraps = {"a@2": {"rows": 2, "only": 1}, "a@1": {"rows": 1}, "b": {"auc": 0.5}}
    instances = {"a": [("a@1", True), ("a@2", True)], "b": [("b", False)], "c": [("c", False)]}
    scope = scraps_scope(instances, scraps, ["a", "b", "c", "unknown"])
    assert scope == {"a": {"scraps": {"rows": [1, 2]}}, "b": {"scraps": {"auc": 0.5}}}


def test_a_single_instance_of_a_matrix_has_a_list_all_the_same() -> None:
    assert scraps_scope({"a": [("a@1", True)]}, {"a@1": {"rows": 1}}, ["a"]) == {
        "a": {"scraps": {"rows": [1]}}
    }


names = st.sampled_from(["x", "y", "z"])


@given(st.lists(st.none() | st.dictionaries(names, st.integers(), max_size=3), min_size=1, max_size=5))
def test_a_list_of_scraps_has_no_gaps(known: list[dict[str, int] | None]) -> None:
    instances = {"a": [(f"a@{at}", True) for at in range(len(known))]}
    scraps = {f"a@{at}": values for at, values in enumerate(known) if values is not None}
    lists = scraps_scope(instances, scraps, ["a"])["a"]["scraps"]
    complete = {name for name in "xyz" if all(values is not None and name in values for values in known)}
    assert set(lists) == complete
    assert all(lists[name] == [values[name] for values in known if values is not None] for name in complete)


def test_the_scope_of_a_stage_has_what_its_expressions_may_name() -> None:
    stages = (
        stage("a@1", point={"item": 1}),
        stage("a@2", point={"item": 2}),
        stage(n="${stages.a.scraps.rows}"),
    )
    plan = Plan(pipeline="p", path="p.yaml", params={"k": 3}, env={"HOME": "/me"}, stages=stages)
    scraps = {"a@1": {"rows": 10}, "a@2": {"rows": 20}, "b": {"auc": 1}}
    scopes = Scopes.of_plan(plan)
    assert scopes.of(stages[2], scraps) == {
        "params": {"k": 3}, "env": {"HOME": "/me"}, "matrix": {}, "stages": {"a": {"scraps": {"rows": [10, 20]}}},
    }  # fmt: skip
    with_run = scopes.of(stages[0], scraps, run="20260102-030405-abcd", failed=["c"])
    assert (with_run["item"], with_run["matrix"], with_run["stages"]) == (1, {"item": 1}, {})
    assert with_run["run"] == {
        "id": "20260102-030405-abcd", "pipeline": "p", "started": "20260102-030405", "failed": ["c"],
    }  # fmt: skip


def test_a_stage_needs_the_scraps_that_any_of_its_expressions_names() -> None:
    made = stage(n="${stages.a.scraps.rows + params.k}", when="${stages.c.scraps.auc > 0}")
    assert needed_stages(made) == {"a", "c"}
    assert needed_stages(stage(n="${params.k}")) == set()
    assert stages_named(None, compile_value(["${stages.x.scraps.y}", "${env.HOME}"])) == {"x"}


@pytest.mark.parametrize(
    ("made", "depends", "reads"),
    [
        (stage(n="${run.id}"), True, True),
        (stage(when="${'a' in run.failed}"), False, True),
        (stage(n="${stages.a.scraps.run}"), False, False),
    ],
)
def test_a_condition_on_the_run_is_no_value_of_it(made: PlannedStage, depends: bool, reads: bool) -> None:
    assert (depends_on_run(made), reads_run(made)) == (depends, reads)


def test_deferred_parameters_come_to_values_of_their_types() -> None:
    made = stage(n="${stages.a.scraps.rows}", f="${params.k}", types={"f": "float"})
    scope = {"params": {"k": 3}, "stages": {"a": {"scraps": {"rows": [1]}}}}
    params = params_of(made, scope)
    assert params == {"known": 1, "n": [1], "f": 3.0}
    assert isinstance(params["f"], float)
    assert made.params == {"known": 1}


@pytest.mark.parametrize("text", ["${stages.a.scraps.rows}", "${params.k}", "${1 / 0}"])
def test_a_parameter_without_a_fitting_value_fails_its_stage(text: str) -> None:
    made = stage(n=text, types={"n": "int"})
    with pytest.raises(StageFailure, match="the parameter 'n': ") as caught:
        params_of(made, {"params": {"k": "text"}, "stages": {"a": {"scraps": {}}}})
    assert caught.value.cause == Cause.PARAMS


def test_a_condition_holds_by_its_truth_and_is_true_where_there_is_none() -> None:
    scope = {"params": {"k": [], "n": 2}}
    answers = [condition_of(stage(when=text), scope) for text in ("", "${params.k}", "${params.n > 1}")]
    assert answers == [True, False, True]
    with pytest.raises(StageFailure, match="when: unknown name 'z'") as caught:
        condition_of(stage(when="${params.z}"), scope)
    assert caught.value.cause == Cause.PARAMS


PIPELINE = load("""
    params: {k: 1, wrong: 2}
    stages:
      a: {notebook: a.ipynb, params: {x: "${params.absent + 1}"}}
    """).pipeline


def test_a_mistake_at_one_place_is_told_once_though_every_point_meets_it() -> None:
    evaluator = Evaluator(PIPELINE, {"k": 1}, {})
    place = ("stages", "a", "params", "x")
    template = compile_value("${matrix.m // 0 + params.k}")
    assert all(evaluator.value(template, place, {"m": at}) is UNKNOWN for at in range(3))
    (problem,) = evaluator.problems.found
    assert (problem.path, problem.line > 1) == ("pipelines/p.yaml", True)
    assert "${matrix.m // 0 + params.k}" in problem.message


def test_what_depends_on_a_wrong_parameter_is_no_further_mistake() -> None:
    evaluator = Evaluator(PIPELINE, {"k": 1}, {"HOME": "/me"})
    assert evaluator.value(compile_value("${params.wrong + 1}"), ("params",)) is UNKNOWN
    assert evaluator.problems.found == []
    assert evaluator.value(compile_value("${env.HOME}/${item}"), ("params",), {"item": 7}) == "/me/7"
