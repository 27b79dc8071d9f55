"""Parameters that are given: read as their types ask, held to them, and told of when wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from building import ProjectBuilder, load
from stagebook.errors import PipelineInvalid
from stagebook.pipeline.model import Pipeline
from stagebook.pipeline.params import bind_params, parse_file, parse_pairs
from strategies import plain_data

FILE = """
params:
  count: {type: int, default: 1, help: how many}
  share: 0.5
  name: flights
  months: {type: "list[int]", default: [1, 2]}
  day: {type: date, default: "2013-01-31"}
  note: {type: str | None, default: null}
  mode: {type: "Literal['fast', 'exact']", default: fast}
  any:
stages: {a: {notebook: x.ipynb}}
"""


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    loaded = load(FILE)
    assert loaded.problems == ()
    made: Pipeline = loaded.pipeline
    return made


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("count=3", 3), ("share=1", 1.0), ("name=12", "12"), ("name=true", "true"), ("name=", ""), ("name=a=b", "a=b"), ("name=[1", "[1"),
        ("months=[1, 2]", [1, 2]), ("months=[]", []), ("day=2013-02-01", "2013-02-01"), ("note=12", "12"), ("note=null", None),
        ("note=text", "text"), ("mode=exact", "exact"), ("any={a: [1]}", {"a": [1]}), ("any=", None), (" count = 3", 3),
    ],
)  # fmt: skip
def test_a_pair_is_read_as_its_type_asks(pipeline: Pipeline, pair: str, value: Any) -> None:
    values, problems = parse_pairs(pipeline, [pair])
    assert problems == []
    bound, problems = bind_params(pipeline, values)
    assert problems == []
    assert bound[pair.split("=", maxsplit=1)[0].strip()] == value


def test_the_last_of_equal_names_wins_and_the_rest_keep_their_defaults(pipeline: Pipeline) -> None:
    values, _ = parse_pairs(pipeline, ["count=2", "count=3"])
    bound, _ = bind_params(pipeline, values)
    assert bound == {"count": 3, "share": 0.5, "name": "flights", "months": [1, 2], "day": "2013-01-31", "note": None, "mode": "fast", "any": None}  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    pairs=st.lists(
        st.text(max_size=20)
        | st.sampled_from(["count", "months", "any"]).flatmap(
            lambda name: st.text(max_size=9).map(lambda text: f"{name}={text}")
        )
    )
)
def test_any_pairs_give_values_and_problems(pairs: list[str]) -> None:
    pipeline = load(FILE).pipeline
    values, problems = parse_pairs(pipeline, pairs)
    bound, more = bind_params(pipeline, values)
    assert set(bound) == set(pipeline.params)
    assert all(problem.path == "-p" and problem.message.isprintable() for problem in [*problems, *more])


@settings(max_examples=100, deadline=None)
@given(given_values=st.dictionaries(st.sampled_from(["count", "share", "months", "mode", "x"]), plain_data))
def test_bound_values_are_of_their_types(given_values: dict[str, Any]) -> None:
    pipeline = load(FILE).pipeline
    bound, problems = bind_params(pipeline, given_values)
    assert isinstance(bound["count"], int)
    assert isinstance(bound["share"], float)
    assert all(isinstance(month, int) for month in bound["months"])
    wrong = {problem.message.split("'")[1] for problem in problems}
    assert all(
        bound[name] == value for name, value in given_values.items() if name in bound and name not in wrong
    )


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=30) | st.text(max_size=30).map(lambda text: text.encode("utf-8", "ignore")))
def test_any_params_file_gives_values_or_problems_of_that_file(content: bytes) -> None:
    values, origins, problems = parse_file(content, "v.yaml")
    assert not (values and problems)
    assert set(origins) == set(values)
    assert all(problem.path == "v.yaml" for problem in problems)


def test_a_file_gives_values_the_command_line_wins_and_mistakes_are_where_they_were_made(
    builder: ProjectBuilder,
) -> None:
    builder.notebook("a", "x", params="n = 0")
    builder.pipeline("""
        params: {n: 1, word: {type: "str | None", default: null}, when: {type: date, default: "2013-01-01"}}
        stages: {a: {notebook: notebooks/a.ipynb, params: {n: "${params.n}"}}}
    """)
    file = builder.file("values.yaml", "n: 2\nword: 12x\nwhen: 2013-02-30\nwrod: x\n")
    project = builder.project
    with pytest.raises(PipelineInvalid) as caught:
        project.plan("p", files=[Path("values.yaml")], pairs=["n=two"])
    assert [str(problem) for problem in caught.value.problems] == [
        "-p: 'n' does not fit: expected int, got 'two' (str)",
        "values.yaml:3:1: 'when' does not fit: expected a date as in 2013-01-31, got '2013-02-30' (str)",
        "values.yaml:4:1: unknown parameter 'wrod'\n    did you mean 'word'?",
    ]
    file.write_text("n: 2\nword: 12x\n")
    assert project.plan("p", files=[file], pairs=["n=3"]).params == {
        "n": 3,
        "word": "12x",
        "when": "2013-01-01",
    }
    with pytest.raises(PipelineInvalid, match="cannot be read: No such file"):
        project.plan("p", files=[Path("absent.yaml")])
