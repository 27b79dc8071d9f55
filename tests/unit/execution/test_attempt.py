"""Attempts and their results: all of them crosses the boundary to an engine and comes back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagebook.artifact import Artifact
from stagebook.events import Cause
from stagebook.execution.attempt import Attempt, AttemptResult, OutputSlot
from stagebook.observed import Observed
from strategies import plain_data, texts, types

names = st.text("abc_", min_size=1, max_size=4)
values = st.dictionaries(names, plain_data, max_size=3)
artifact_maps = st.dictionaries(
    names, st.builds(Artifact, path=texts, size=st.none() | st.integers(0), sha256=texts), max_size=2
)
observed = st.builds(
    Observed,
    reads=st.lists(texts, max_size=3).map(tuple),
    writes=st.lists(texts, max_size=3).map(tuple),
    left_out=st.integers(0),
)
attempts = st.builds(
    Attempt,
    run=texts, pipeline=texts, stage=texts, number=st.integers(1, 9), root=texts, folder=texts, notebook=texts,
    executable=texts, params=values, types=st.dictionaries(names, types, max_size=3), inputs=values,
    outputs=st.dictionaries(names, st.builds(OutputSlot, path=texts, staged=texts, kind=st.sampled_from(["file", "external"]))),
    kernel=st.none() | texts, executor=st.sampled_from(["kernel", "inprocess"]), timeout=st.none() | st.floats(0, 1e9),
    env=st.dictionaries(names, texts, max_size=2), keep_dump=st.booleans(), store=texts, store_most=st.none() | st.integers(0),
)  # fmt: skip
results = st.builds(
    AttemptResult,
    cause=st.none() | st.sampled_from(Cause), message=texts, seconds=st.floats(0, 1e9), cell=st.none() | st.integers(1, 9),
    kernel=st.none() | values, observed=st.none() | observed, scraps=st.dictionaries(names, values, max_size=2), outputs=artifact_maps,
    inputs=st.dictionaries(names, artifact_maps.map(lambda made: list(made.values())), max_size=2),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(attempt=attempts)
def test_an_attempt_survives_its_file(attempt: Attempt) -> None:
    assert Attempt.from_json(json.loads(json.dumps(attempt.to_json()))) == attempt


@settings(max_examples=100, deadline=None)
@given(result=results)
def test_a_result_survives_its_file(result: AttemptResult) -> None:
    assert AttemptResult.from_json(json.loads(json.dumps(result.to_json()))) == result


def attempt(**more: Any) -> Attempt:
    return Attempt(
        run="r", pipeline="p", stage="a@1", number=2, root="/project", folder="/project/f", notebook="a.ipynb", executable="a.ipynb", **more
    )  # fmt: skip


def test_the_notebook_gets_the_places_where_outputs_are_staged_and_not_where_they_go() -> None:
    slots = {"out": OutputSlot(path="data/x.csv", staged="f/outputs/out/x.csv")}
    external = {"table": OutputSlot(path="db://t", staged="db://t", kind="external")}
    made = attempt(params={"n": 1}, inputs={"src": ["a", "b"]}, outputs=slots | external)
    assert made.values == {"n": 1, "src": ["a", "b"], "out": "f/outputs/out/x.csv", "table": "db://t"}


def test_every_attempt_marks_its_processes_with_a_name_of_its_own() -> None:
    one = attempt()
    others = [
        dataclasses.replace(one, **change) for change in ({"run": "q"}, {"stage": "a@2"}, {"number": 3})
    ]  # type: ignore[arg-type]
    assert len({made.marker for made in [one, *others]}) == 4


@pytest.mark.parametrize("damage", [{"cause": "boredom"}, {"outputs": {"out": {"size": 1}}}])
def test_a_result_that_makes_no_sense_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"boredom|not an artifact"):
        AttemptResult.from_json({**AttemptResult().to_json(), **damage})


@pytest.mark.parametrize(
    "damage",
    [{"message": 1}, {"seconds": "1"}, {"cell": "2"}, {"scraps": []}, {"scraps": {"n": 1}}, {"inputs": []},
     {"outputs": [1]}, {"kernel": "k"}, {"observed": [1]}, {"memory": None}, {"cause": 3}],
)  # fmt: skip
def test_a_result_with_a_value_of_another_kind_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a result"):
        AttemptResult.from_json({**AttemptResult().to_json(), **damage})
