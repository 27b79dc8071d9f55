"""The loader reads what is well-formed, tells of the rest, and never fails itself."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from building import load
from effort import at_most
from stagebook.pipeline.kinds import parse_duration
from stagebook.pipeline.loader import LoadedPipeline, load_pipeline
from stagebook.pipeline.schema import json_schema
from strategies import plain_data

VALID: dict[str, Any] = {
    "name": "flights",
    "description": "On time or not.",
    "params": {"months": {"type": "list[int]", "default": [1, 2], "help": "of 2013"}, "seed": 42},
    "defaults": {"retries": 1, "timeout": "30m", "executor": "kernel"},
    "stages": {
        "extract": {
            "notebook": "notebooks/extract.ipynb",
            "matrix": {"month": "${params.months}"},
            "params": {"month": "${matrix.month}"},
            "outputs": {"flights": "data/flights-${matrix.month}.parquet"},
        },
        "clean": {
            "notebook": "notebooks/clean.ipynb",
            "inputs": {"bronze": "extract.flights", "more": ["extract.flights", "data/x.csv"]},
            "outputs": {"silver": {"path": "data/silver", "kind": "file"}},
            "retries": 2,
        },
        "train": {
            "notebook": "notebooks/train.ipynb",
            "params": {"rows": "${stages.clean.scraps.rows}"},
            "after": ["clean"],
            "kernel": "python3",
        },
    },
}


def paths_in(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        found += paths_in(value, (*path, key))
    return found


PATHS = [path for path in paths_in(VALID) if path]
_odd = plain_data | st.sampled_from(
    ["${", "${}", "${params.x}", "${1/0}", "x.y", "", "/", "..", [], {}, -1, 1e9, "kernel", {"type": "int"}]
)


@st.composite
def mutants(draw: st.DrawFn) -> Any:
    data = copy.deepcopy(VALID)
    for path in draw(st.lists(st.sampled_from(PATHS), min_size=1, max_size=4)):
        holder: Any = data
        for key in path[:-1]:
            holder = holder[key] if isinstance(holder, dict) and key in holder else None
        if not isinstance(holder, dict):
            continue
        match draw(st.sampled_from(["replace", "remove", "rename"])):
            case "replace":
                holder[path[-1]] = draw(_odd)
            case "remove":
                holder.pop(path[-1], None)
            case "rename" if path[-1] in holder:
                holder[draw(st.text(max_size=5))] = holder.pop(path[-1])
    return data


def promised(loaded: LoadedPipeline) -> None:
    for problem in loaded.problems:
        assert problem.path == "pipelines/p.yaml"
        assert problem.message.isprintable()
        assert "something else" not in problem.message
    assert set(loaded.pipeline.stages) <= set(loaded.pipeline.stages) | loaded.pipeline.broken
    if not loaded.problems:
        assert not loaded.pipeline.broken
        assert not loaded.pipeline.broken_params


@settings(max_examples=400, deadline=None)
@given(data=mutants())
@pytest.mark.long
def test_any_change_of_a_valid_file_gives_a_pipeline_and_problems(data: Any) -> None:
    text = json.dumps(data, ensure_ascii=False)
    with at_most(200):
        loaded = load_pipeline(text, "pipelines/p.yaml")
    promised(loaded)
    # The same text always says the same.
    assert load_pipeline(text, "pipelines/p.yaml").problems == loaded.problems


@settings(max_examples=200, deadline=None)
@given(data=plain_data)
def test_any_data_gives_a_pipeline_and_problems(data: Any) -> None:
    promised(load_pipeline(json.dumps(data, ensure_ascii=False), "pipelines/p.yaml"))
    promised(load_pipeline(json.dumps({"stages": data}, ensure_ascii=False), "pipelines/p.yaml"))
    promised(load_pipeline(json.dumps({"stages": {"a": data}}, ensure_ascii=False), "pipelines/p.yaml"))


def test_a_valid_file_is_read_whole() -> None:
    loaded = load_pipeline(json.dumps(VALID), "pipelines/p.yaml")
    assert loaded.problems == ()
    pipeline = loaded.pipeline
    assert (pipeline.name, pipeline.path, pipeline.description) == (
        "flights",
        "pipelines/p.yaml",
        "On time or not.",
    )
    assert {name: (str(param.type), param.default) for name, param in pipeline.params.items()} == {
        "months": ("list[int]", [1, 2]), "seed": ("int", 42),
    }  # fmt: skip
    extract, clean, train = pipeline.stages.values()
    assert (extract.retries, extract.timeout, extract.executor) == (1, 1800.0, "kernel")
    assert (clean.retries, clean.inputs["more"].many, len(clean.inputs["more"].refs)) == (2, True, 2)
    assert (train.after, train.kernel) == (("clean",), "python3")


def test_the_name_is_that_of_the_file_unless_it_is_given() -> None:
    assert load("stages: {a: {notebook: x.ipynb}}").pipeline.name == "p"
    assert load("name: q\nstages: {a: {notebook: x.ipynb}}").pipeline.name == "q"


def test_what_may_be_left_empty_may_be_left_empty() -> None:
    loaded = load("params:\ndefaults:\nstages:\n  a: {notebook: x.ipynb, params: , inputs: , outputs: }\n")
    assert loaded.problems == ()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(90, 90.0), (0, 0.0), (1.5, 1.5), ("45s", 45.0), ("30m", 1800.0), ("1h30m", 5400.0), ("1h 30m", 5400.0), ("250ms", 0.25), ("1.5h", 5400.0), ("2d", 172800.0)],
)  # fmt: skip
def test_durations_are_read_as_people_write_them(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "soon", "90", "1 w", "-1s", -1, True, None, [], "1h-30m", "9" * 400 + "d", 1e9, float("nan"), "٣s"],
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)


def test_the_schema_for_editors_names_every_key() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == {"name", "description", "params", "defaults", "schedules", "stages"}
    stage = schema["$defs"]["StageFile"]
    assert {"notebook", "matrix", "executor", "timeout", "kernel"} <= set(stage["properties"])
    assert stage["additionalProperties"] is False
    assert "inprocess" in json.dumps(stage)
