"""Grids and stop rules: which points a sweep has, and when it ends early."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from building import load
from stagebook.errors import UsageError
from stagebook.events import RunStarted, Status
from stagebook.journal.history import RunHistory
from stagebook.runs import grid as grids
from stagebook.runs.grid import Grid, StopRule, grid_of, metrics_of

PIPELINE = load("""
    params:
      rate: 0.1
      name: {type: str, default: x}
      months: {type: "list[int]", default: [1]}
      anything: {type: Any, default: null}
    stages: {}
    """).pipeline


@given(
    st.dictionaries(
        st.sampled_from("abc"),
        st.lists(st.integers(), min_size=1, max_size=4, unique=True).map(tuple),
        min_size=1,
    )
)
def test_a_grid_has_each_combination_once_the_last_axis_changing_fastest(
    axes: dict[str, tuple[int, ...]],
) -> None:
    grid = Grid(axes=axes, fixed={})
    points = grid.points()
    assert grid.size == len(points) == math.prod(map(len, axes.values()))
    places = [tuple(point.values()) for point in points]
    assert places == sorted(
        places,
        key=lambda place: [
            list(values).index(value) for values, value in zip(axes.values(), place, strict=True)
        ],
    )
    assert {name: {point[name] for point in points} for name in axes} == {
        name: set(values) for name, values in axes.items()
    }


def test_a_list_is_swept_unless_it_is_what_the_parameter_takes() -> None:
    grid = grid_of(
        PIPELINE, {"rate": [0.1, 0.2], "name": "y", "months": [1, 2], "anything": [3, 4], "unknown": [1]}
    )
    assert grid.axes == {"rate": (0.1, 0.2), "anything": (3, 4)}
    assert grid.fixed == {"name": "y", "months": [1, 2], "unknown": [1]}
    assert grid_of(PIPELINE, {"months": [[1], [2, 3]]}).axes == {"months": ([1], [2, 3])}


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        ({}, "nothing is swept: give a parameter a list of values", "-p 'rate=[…, …]'"),
        ({"months": [1, 2]}, "nothing is swept: give a parameter a list of values", "-p 'rate=[…, …]'"),
        ({"rate": []}, "'rate' is swept over no values", "-p 'rate=[1, 2, 3]'"),
        (
            {"rate": [0.1] * 101, "anything": [1] * 100},
            "the sweep has 10,100 points; the limit is 10,000",
            "give fewer values",
        ),
    ],
)
def test_what_is_no_sweep_is_told(values: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        grid_of(PIPELINE, values)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_sweep_at_the_limit_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "MAX_POINTS", 6)
    assert grid_of(PIPELINE, {"rate": [1, 2, 3], "anything": [1, 2]}).size == 6


def history(status: Status = Status.COMPLETED, **scraps: Any) -> RunHistory:
    """A run in which the stage `train@1` left these scraps."""
    made = RunHistory(
        [RunStarted(run="r", at=1.0, pipeline="p", plan={"stages": [{"id": "train@1", "notebook": "n"}]})]
    )
    stage = made.stages["train@1"]
    stage.status, stage.scraps = status, {name: {"value": value} for name, value in scraps.items()}
    return made


@given(
    value=st.floats(allow_nan=False),
    limit=st.integers(-99, 99),
    relation=st.sampled_from(["<", "<=", ">", ">=", "=="]),
)
def test_a_rule_holds_where_its_comparison_does(value: float, limit: int, relation: str) -> None:
    rule = StopRule.parse(f" train@1.auc{relation}{limit} ", ["train"])
    assert str(rule) == f"train@1.auc {relation} {limit}"
    assert StopRule.parse(str(rule), ["train"]) == rule
    assert rule.holds(history(auc=value)) == eval(f"value {relation} limit", {"value": value, "limit": limit})


@pytest.mark.parametrize(
    "found",
    [
        history(),
        history(auc="0.9"),
        history(auc=True),
        history(auc=None),
        history(loss=1.0),
        history(Status.FAILED, auc=1.0),
        RunHistory(),
    ],
)
def test_a_rule_does_not_hold_where_its_metric_is_no_number(found: RunHistory) -> None:
    rule = StopRule.parse("train@1.auc >= 0", ["train"])
    assert rule.value(found) is None
    assert not rule.holds(found)


def test_a_reused_stage_has_its_metrics() -> None:
    assert StopRule.parse("train@1.auc >= 1e-1", ["train"]).holds(history(Status.REUSED, auc=1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "train.auc",
        "train >= 1",
        "train.auc = 1",
        "train.auc >= x",
        "train.auc >= 1 2",
        "train.auc >= 1e",
        "train.auc >= +-1",
    ],
)
def test_a_rule_that_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read the rule") as caught:
        StopRule.parse(text, ["train"])
    assert "train.auc >= 0.9" in caught.value.hint


def test_a_rule_about_no_stage_is_told() -> None:
    with pytest.raises(UsageError, match=r"no stage 'trian' for the rule") as caught:
        StopRule.parse("trian.auc >= 1", ["train"])
    assert caught.value.hint == "did you mean 'train'?"


def test_the_metrics_of_a_run_are_its_numbers() -> None:
    found = history(auc=0.5, rows=3, name="x", flag=True, table=[1])
    found.stages["train@1"].scraps = {**found.stages["train@1"].scraps, "file": {"kind": "file"}}
    assert metrics_of(found) == {"train@1.auc": 0.5, "train@1.rows": 3.0}
