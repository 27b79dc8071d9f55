"""YAML is read as YAML 1.2 has it, whatever the text, and every value knows its place."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stagebook.pipeline.yaml import parse_scalar, read_document
from strategies import plain_data

_pieces = st.sampled_from(
    ["a", "- ", ": ", "\n", "  ", "\t", "{", "}", "[", "]", ",", "&a ", "*a", "!!int ", "!!bool ", "!!binary ", "!x ", "! ", "'", '"',
     "|", ">", "#", "---", "...", "%YAML 1.1\n", "? ", "<<: ", "<<: *a\n", "0x", "1e9", ".inf", "~", "\\ud800", "\\x00", "\x00", "\x85",
     "\ufeff", "\ud800", "é", "😀", "true", "0o9", "-"]
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(text=st.lists(_pieces, max_size=25).map("".join) | st.text(max_size=30) | st.binary(max_size=30))
@example("a: &a {<<: *a}")
@example('"\\ud800": 1')
@example("!!bool x: !!null y")
def test_any_text_gives_plain_data_or_a_problem_with_its_place(text: str | bytes) -> None:
    document = read_document(text, "p.yaml")
    json.dumps(document.data)
    if document.data is not None:
        assert () in document.positions
    lines = (text if isinstance(text, str) else text.decode("latin-1")).count("\n") + 2
    for problem in document.problems:
        assert problem.path == "p.yaml"
        assert problem.message.isprintable()
        assert problem.hint.isprintable()
        assert 0 <= problem.line <= lines + 200 * (not isinstance(text, str) or not text.isprintable())


@settings(max_examples=200, deadline=None)
@given(data=plain_data)
def test_json_is_read_as_json(data: Any) -> None:
    text = json.dumps(data, ensure_ascii=False)
    document = read_document(text, "p.yaml")
    assert document.problems == ()
    assert document.data == json.loads(text)
    assert repr(document.data) == repr(json.loads(text))


@settings(max_examples=200, deadline=None)
@given(data=plain_data, flow=st.booleans())
def test_quoted_yaml_is_read_as_pyyaml_reads_it(data: Any, flow: bool) -> None:
    text = yaml.safe_dump(data, default_style='"', default_flow_style=flow, allow_unicode=True)
    document = read_document(text, "p.yaml")
    assert document.problems == ()
    assert document.data == yaml.safe_load(text) == data


@settings(max_examples=100, deadline=None)
@given(
    data=st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), plain_data, min_size=1, max_size=5),
    indent=st.integers(1, 4),
)
def test_every_key_knows_its_line_and_column(data: dict[str, Any], indent: int) -> None:
    text = json.dumps({"top": data}, indent=indent, ensure_ascii=False)
    places = read_document(text, "p.yaml").positions
    lines = text.split("\n")
    for key in data:
        line, column = places["top", key]
        assert column == 2 * indent + 1
        assert lines[line - 1][column - 1 :].startswith(f'"{key}":')


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("on", "on"), ("12:30", "12:30"), ("2013-01-31", "2013-01-31"), ("0o17", 15), ("0x1F", 31), ("017", 17),
        ("1_000", "1_000"), ("1e3", 1000.0), ("1.", 1.0), (".5", 0.5), ("-.inf", -math.inf), ("~", None), ("", None), ("Null", None),
        ("TRUE", True), ("tRUE", "tRUE"), ("+1", 1), ("=", "="), ("[1, a, {b: c}]", [1, "a", {"b": "c"}]), ("'1'", "1"),
        ("!!str 1", "1"), ("!!int '1'", 1), ("!!float '1'", 1.0), ("!!bool 'false'", False), ("{'1': a, yes: b}", {"1": "a", "yes": "b"}),
    ],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    made = parse_scalar(text)
    assert made == value
    assert type(made) is type(value)


def test_a_value_is_shown_at_its_key_and_an_item_at_itself() -> None:
    document = read_document("a:\n  b: >\n    text\n  'c': [1,\n    2]\n", "p.yaml")
    assert document.positions == {
        (): (1, 1), ("a",): (1, 1), ("a", "b"): (2, 3), ("a", "c"): (4, 3), ("a", "c", 0): (4, 9), ("a", "c", 1): (5, 5),
    }  # fmt: skip


def test_merged_keys_come_after_their_own_and_keep_their_places() -> None:
    text = "base: &base {x: 1, y: {z: 1}}\nmade:\n  <<: [*base, {x: 3, w: 4}]\n  x: 2\n"
    document = read_document(text, "p.yaml")
    assert document.data["made"] == {"x": 2, "y": {"z": 1}, "w": 4}
    assert document.positions["made", "x"] == (4, 3)
    assert document.positions["made", "y", "z"] == (1, 24)
    assert document.positions["made", "w"] == (3, 22)
    assert read_document("'<<': {a: 1}", "p").data == {"<<": {"a": 1}}
    assert read_document("<<: 1", "p").problems[0].message == "'<<' merges mappings only"


def test_each_duplicate_key_is_told_of_and_the_first_one_counts() -> None:
    document = read_document("a: 1\nb: {c: 1, c: 2}\na: 2\na: 3\n", "p.yaml")
    assert [(problem.line, problem.column, problem.message) for problem in document.problems] == [
        (2, 11, "duplicate key 'c'"), (3, 1, "duplicate key 'a'"), (4, 1, "duplicate key 'a'"),
    ]  # fmt: skip
    assert document.data == {"a": 1, "b": {"c": 1}}


def test_a_key_that_is_not_text_is_told_of_and_the_rest_is_read() -> None:
    document = read_document("m: {1: a, true: b, ~: c, 0.5: d, '2': e, 2013-01-31: f}", "p.yaml")
    assert [(problem.column, problem.message) for problem in document.problems] == [
        (5, "the key 1 is not text"), (11, "the key true is not text"), (20, "the key ~ is not text"), (26, "the key 0.5 is not text"),
    ]  # fmt: skip
    assert document.problems[0].hint == "write '1', which is what the notebook gets"
    assert document.data == {"m": {"1": "a", "true": "b", "~": "c", "0.5": "d", "2": "e", "2013-01-31": "f"}}
    with pytest.raises(ValueError, match="the key 1 is not text"):
        parse_scalar("{1: a}")
    assert read_document("stages: {null: {params: {true: 1}}}", "p.yaml").problems == ()
    nested = read_document("stages: {a: {params: {m: {1: b}}, matrix: {m: [{true: b}]}}}", "p.yaml")
    assert [problem.message for problem in nested.problems] == [
        "the key 1 is not text",
        "the key true is not text",
    ]


@pytest.mark.parametrize(
    "text", ["[1", "a: b: c", "!!python/name:os.system", "a\n---\nb", "*a", "!!int x", "!!float x"]
)
def test_a_value_of_the_command_line_is_one_value(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_scalar(text)
