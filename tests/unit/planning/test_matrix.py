"""The points of a matrix: named axes, axes that go together, points left out and added, and how all are called."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from building import load
from stagebook.pipeline.evaluator import Named
from stagebook.planning.instances import Points
from stagebook.planning.scopes import Evaluator

MODELS = "model: {small: {depth: 2}, large: {depth: 9}}"


def points(stage: str, **params: Any) -> tuple[Points, list[str]]:
    """The instances of the stage `a` with these keys, and the messages of problems."""
    head = "".join(f"  {name}: {{type: Any, default: null}}\n" for name in params)
    loaded = load(
        f"params:\n{head}stages:\n  a: {{notebook: a.ipynb, {stage}}}\n"
        if params
        else f"stages:\n  a: {{notebook: a.ipynb, {stage}}}\n"
    )
    assert loaded.problems == ()
    evaluator = Evaluator(loaded.pipeline, params, {})
    return Points(evaluator, {}), [problem.message for problem in evaluator.problems.found]


def names(stage: str, **params: Any) -> list[str]:
    """The names of the instances, without that of the stage."""
    made, problems = points(stage, **params)
    assert problems == []
    return [one.id.partition("@")[2] for one in made.of("a")]


def test_an_axis_that_is_a_mapping_gives_its_points_names() -> None:
    made, problems = points(f"matrix: {{{MODELS}, year: [1, 2]}}")
    assert problems == []
    assert [one.id for one in made.of("a")] == ["a@small-1", "a@small-2", "a@large-1", "a@large-2"]
    assert made.of("a")[0].point == {"model": {"depth": 2}, "year": 1}


def test_a_parameter_may_be_such_a_mapping_and_its_values_plain_ones() -> None:
    made, _ = points('matrix: {size: "${params.sizes}"}', sizes={"small": 10, "large": 99})
    assert [(one.id, one.point) for one in made.of("a")] == [
        ("a@small", {"size": 10}),
        ("a@large", {"size": 99}),
    ]
    for name in ("large", "99"):
        found = made.find("a", name)
        assert found is not None, "a reference may have the name or the value"
        assert found.id == "a@large"


def test_axes_that_go_together_are_not_combined() -> None:
    stage = (
        "matrix: {city: [oslo, rome], year: [1, 2], station: [s7, s8]}, instances: {zip: [[city, station]]}"
    )
    assert names(stage) == ["oslo-1-s7", "oslo-2-s7", "rome-1-s8", "rome-2-s8"]


def test_points_are_left_out_by_value_or_name_and_added() -> None:
    stage = f"""matrix: {{{MODELS}, year: [1, 2]}}, instances: {{
        exclude: [{{model: small, year: 2}}, {{model: {{depth: 9}}}}],
        include: [{{model: large, year: 7}}, {{model: {{name: tiny, depth: 1}}, year: 1}}]}}"""
    assert names(stage) == ["small-1", "large-7", "tiny-1"]


def test_true_is_not_one_where_points_are_left_out() -> None:
    made, _ = points("matrix: {m: [1, 2]}, instances: {exclude: [{m: true}]}")
    assert len(made.of("a")) == 2
    (warning,) = made.warnings.found
    assert warning.message == "no point has m: True, so nothing is left out"
    assert warning.line == 2


def test_the_file_chooses_the_names() -> None:
    chosen = 'instances: {name: "y${matrix.year}_${matrix.model}"}'
    assert names(f"matrix: {{{MODELS}, year: [1]}}, {chosen}") == ["y1_small", "y1_large"]
    whole = 'instances: {name: "${matrix.model}"}'
    assert names(f"matrix: {{{MODELS}}}, {whole}") == ["small", "large"]
    assert names('foreach: "${params.v}", instances: {name: "${item.k}"}', v=[{"k": "x"}, {"k": "y"}]) == [
        "x",
        "y",
    ]


OUT = 'outputs: {out: "data/${matrix.m.id}.csv"}'


@pytest.mark.parametrize(
    ("more", "values", "expected"),
    [
        (OUT, [{"id": 1, "name": "x y"}, {"id": 2, "name": "z"}], ["x-y", "z"]),
        (OUT, [{"id": 1, "name": "x"}, {"id": 2, "name": "x"}], ["1", "2"]),
        (OUT, [{"id": 1}, {"id": 2, "name": "x"}], ["1", "2"]),
        (OUT, [{"id": 1}, {"id": "1"}], ["id-1"]),
        (OUT, [{"id": 1}, {"id": True}], ["id-1", "id-True"]),
        ("cache: true", [{"id": 1, "n": 3}, {"id": 2, "n": 3}], ["id-1-n-3", "id-2-n-3"]),
        (
            'outputs: {out: {path: "s3://x/${matrix.m.id}", kind: external}}',
            [{"id": 1, "n": 3}, {"id": 2, "n": 3}],
            ["id-1-n-3", "id-2-n-3"],
        ),
    ],
    ids=["name", "names-alike", "not-all", "ids-alike", "no-id", "no-outputs", "external"],
)
def test_mappings_are_called_by_their_name_or_id_if_that_tells_them_apart(
    more: str, values: list[Any], expected: list[str]
) -> None:
    made, _ = points(f'matrix: {{m: "${{params.v}}"}}, {more}', v=values)
    assert [one.id for one in made.of("a")] == [f"a@{name}" for name in dict.fromkeys(expected)]


def test_the_long_name_of_a_mapping_is_still_understood() -> None:
    made, _ = points(f'matrix: {{m: "${{params.v}}"}}, {OUT}', v=[{"id": 1, "n": 3}, {"id": 2, "n": 3}])
    found = made.find("a", "id-2-n-3")
    assert found is not None
    assert found.id == "a@2"


@settings(max_examples=60, deadline=None)
@given(order=st.permutations(["small", "large", "tiny"]), years=st.permutations([1, 2, 3]))
def test_another_order_changes_no_name(order: list[str], years: list[int]) -> None:
    values = {name: {"depth": len(name)} for name in order}
    listed = [{"name": name, "depth": len(name)} for name in order]
    expected = {f"{name}-{year}" for name, year in itertools.product(order, years)}
    assert set(names('matrix: {m: "${params.v}", y: "${params.y}"}', v=values, y=years)) == expected
    assert set(names(f'matrix: {{m: "${{params.v}}", y: "${{params.y}}"}}, {OUT}', v=listed, y=years)) == (
        expected
    )


def test_a_named_value_is_the_mapping_that_it_names() -> None:
    made, _ = points(f"matrix: {{{MODELS}}}")
    value = made.of("a")[1].point["model"]
    assert isinstance(value, Named)
    assert (value.name, value) == ("large", {"depth": 9})
