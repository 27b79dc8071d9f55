"""Instances: one for each point of a matrix or item of a foreach, each with a name of its own."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from building import load
from stagebook.planning import matrix as instances_of
from stagebook.planning.instances import MAX_SLUG, MAX_SLUG_BYTES, Points, slug_of
from stagebook.planning.scopes import Evaluator
from strategies import scalars


def points(stages: str, scraps: Mapping[str, Mapping[str, Any]] | None = None, held: tuple[str, ...] = (), **params: Any) -> tuple[Points, list[str]]:  # fmt: skip
    """The instances of these stages (YAML, each in a line), and the messages of problems."""
    head = "".join(f"  {name}: {{type: Any, default: null}}\n" for name in params)
    lines = "".join(f"  {line.strip()}\n" for line in stages.strip().splitlines())
    loaded = load(f"params:\n{head}stages:\n{lines}" if params else f"stages:\n{lines}")
    assert loaded.problems == ()
    evaluator = Evaluator(loaded.pipeline, params, {})
    made = Points(evaluator, scraps or {}, held)
    return made, [problem.message for problem in evaluator.problems.found]


A = "{notebook: a.ipynb, "


@settings(max_examples=200, deadline=None)
@given(point=st.dictionaries(st.sampled_from("abc"), scalars, min_size=1))
def test_the_name_of_a_point_fits_a_folder_and_is_the_same_each_time(point: dict[str, Any]) -> None:
    slug = slug_of(point)
    assert slug == slug_of(dict(point))
    assert 0 < len(slug) <= MAX_SLUG
    assert len(slug.encode()) <= MAX_SLUG_BYTES
    assert all(len(character.encode()) for character in slug)
    assert not set(slug) & set("/@ \\:*")


def test_values_in_other_scripts_have_names_of_their_own() -> None:
    """Points of a matrix in Chinese, Greek or Cyrillic are not all called `empty`."""
    values = [
        "東京",
        "大阪",
        "Αθήνα",
        "Москва",
        "münchen",
        "münchen".replace("ü", "ö"),
        "Čeština 1",
        "🙂",
        "🙃",
    ]
    made, problems = points(f"a: {A}matrix: {{m: '${{params.v}}'}}}}", v=values)
    assert problems == []
    names = [name.partition("@")[2] for name in made.instances]
    assert names[:7] == ["東京", "大阪", "Αθήνα", "Москва", "münchen", "mönchen", "Čeština-1"]
    assert len(set(names)) == len(values)
    for value, name in zip(values, made.instances, strict=True):
        found = made.find("a", value)
        assert found is not None
        assert found.id == name
    old = made.find("a", "e-tina-1")
    assert old is not None, "the name that it had before is still understood"
    assert old.id == "a@Čeština-1"
    assert len(slug_of({"m": "京" * 90}).encode()) <= MAX_SLUG_BYTES
    assert slug_of({"m": "京" * 90 + "a"}) != slug_of({"m": "京" * 90 + "b"})


@given(st.integers(MAX_SLUG - 3, MAX_SLUG + 200), st.sampled_from("xyz"), st.sampled_from("xyz"))
def test_long_points_that_differ_at_the_end_have_different_names(length: int, one: str, other: str) -> None:
    texts = ["v" * length + end for end in (one, other)]
    assert (slug_of({"m": texts[0]}) == slug_of({"m": texts[1]})) == (one == other)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=3, unique=True), min_size=1, max_size=3))
def test_a_matrix_has_all_combinations_the_last_axis_changing_fastest(axes: list[list[int]]) -> None:
    params = {f"p{at}": values for at, values in enumerate(axes)}
    matrix = ", ".join(f'm{at}: "${{params.p{at}}}"' for at in range(len(axes)))
    made, problems = points(f"a: {A}matrix: {{{matrix}}}}}", **params)
    assert problems == []
    found = [tuple(one.point.values()) for one in made.of("a")]
    assert found == list(itertools.product(*axes))
    assert list(made.instances) == [f"a@{'-'.join(map(str, point))}" for point in found]


def test_a_foreach_waits_until_its_list_is_known() -> None:
    stages = f'list: {A}}}\nb: {A}foreach: "${{stages.list.scraps.days}}"}}'
    made, _ = points(stages)
    (pending,) = made.of("b")
    assert (pending.id, pending.pending, pending.stands_in) == ("b", True, True)
    scraps = {"list": {"days": ["x", "y"]}}
    made, problems = points(stages, scraps)
    assert [(one.id, one.point, one.stands_in) for one in made.of("b")] == [
        ("b@x", {"item": "x"}, False),
        ("b@y", {"item": "y"}, False),
    ]
    assert problems == []
    held, _ = points(stages, scraps, ("b",))
    assert [one.id for one in held.of("b")] == ["b"]


def test_one_foreach_may_go_over_what_the_instances_of_another_left() -> None:
    stages = f"""
        c: {A}foreach: "${{stages.b.scraps.n}}"}}
        b: {A}foreach: "${{stages.list.scraps.days}}"}}
        list: {A}}}
        """
    scraps = {"list": {"days": ["x", "y"]}, "b@x": {"n": 1}}
    made, _ = points(stages, scraps)
    assert list(made.instances) == ["c", "b@x", "b@y", "list"], "in the order of the file"
    made, _ = points(stages, {**scraps, "b@y": {"n": 2}})
    assert list(made.instances) == ["c@1", "c@2", "b@x", "b@y", "list"]


def test_an_empty_list_leaves_its_stage_out_with_a_reason() -> None:
    stages = (
        f'list: {A}}}\nb: {A}foreach: "${{stages.list.scraps.days}}"}}\nc: {A}foreach: "${{params.none}}"}}'
    )
    made, problems = points(stages, {"list": {"days": []}}, none=[])
    found = [(one.id, one.skip, one.absent) for one in made.instances.values()]
    assert found == [
        ("list", "", False),
        ("b", "the list of its foreach is empty", False),
        ("c", "the list of its foreach is empty", True),
    ]
    assert problems == []


@pytest.mark.parametrize(
    ("stage", "value", "message"),
    [
        ('matrix: {m: "${params.v}"}', 3, "'m' has to be a list, not 3 (int)"),
        ('matrix: {m: "${params.v}"}', [], "the matrix has no points: 'm' is an empty list"),
        ('matrix: {m: "${params.v}"}', [1, 1], "two points of the matrix are called 'a@1'"),
        ('matrix: {m: "${params.v}"}', ["a b", "a-b"], "two points of the matrix are called 'a@a-b'"),
        ('foreach: "${params.v}"', "text", "'foreach' has to be a list, not 'text' (str)"),
        ('foreach: "${params.v}"', ["?", ""], "two items are called 'a@empty'"),
    ],
)
def test_a_list_that_makes_no_instances_is_told(stage: str, value: Any, message: str) -> None:
    made, problems = points(f"a: {A}{stage}}}", v=value)
    assert problems == [message]
    assert len(made.of("a")) == (1 if "two" in message else 0)


def test_there_is_a_limit_to_all_instances_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances_of, "MAX_INSTANCES", 6)
    matrix = 'matrix: {m: "${params.v}"}'
    made, problems = points(f"a: {A}{matrix}}}\nb: {A}{matrix}}}", v=[1, 2, 3])
    assert (len(made.instances), problems) == (6, [])
    made, problems = points(f'a: {A}{matrix}}}\nb: {A}foreach: "${{params.v}}"}}', v=[1, 2, 3, 4])
    assert list(made.instances) == ["a@1", "a@2", "a@3", "a@4"]
    assert problems == ["'foreach' makes 4 stages; the limit is 6 in all stages together"]


def test_an_instance_is_found_by_its_name_and_by_what_its_values_read_like() -> None:
    made, _ = points(f'a: {A}matrix: {{m: "${{params.v}}", n: [1]}}}}', v=["a b", "c"])
    found = [made.find("a", name) for name in ("a-b-1", "a b-1", "c-1", "c", "")]
    assert [one and one.id for one in found] == ["a@a-b-1", "a@a-b-1", "a@c-1", None, None]
    assert made.find("other", "c-1") is None


def test_scraps_are_known_once_every_instance_left_its_own() -> None:
    stages = f"a: {A}matrix: {{m: [1, 2]}}}}\nb: {A}}}"
    some, _ = points(stages, {"a@1": {"n": 1}, "b": {}})
    assert [some.are_known(names) for names in (["b"], ["a"], ["a", "b"], ["unknown"], [])] == [
        True,
        False,
        False,
        False,
        True,
    ]
    both, _ = points(stages, {"a@1": {"n": 1}, "a@2": {"n": 2}, "b": {"k": 3}})
    assert both.scraps_of(["a", "b"]) == {"a": {"scraps": {"n": [1, 2]}}, "b": {"scraps": {"k": 3}}}
