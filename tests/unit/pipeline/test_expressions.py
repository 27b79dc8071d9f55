"""Expressions compute what Python would, within bounds, and nothing else."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import at_most
from stagebook.pipeline.evaluator import MAX_SIZE, Effort
from stagebook.pipeline.expressions import ExpressionError, compile_value, evaluate
from strategies import arithmetic, noise, plain_data, templates

SCOPE: dict[str, Any] = {
    "params": {"x": 3, "y": "text", "months": [1, 2, 3], "nested": {"x": {"y": 1}}},
    "matrix": {"x": 1, "y": 2.5},
    "env": {"HOME": "/home/me"},
    "run": {"id": "r"},
    "stages": {"a": {"scraps": {"rows": 5}}},
}


def value_of(text: Any, scope: dict[str, Any] = SCOPE) -> Any:
    return evaluate(compile_value(text), scope)


@settings(max_examples=600, deadline=None)
@given(template=templates)
@pytest.mark.long
def test_any_text_gives_plain_data_or_an_expression_error(template: Any) -> None:
    try:
        value = value_of(template)
    except ExpressionError:
        return
    json.dumps(value)


@settings(max_examples=400, deadline=None)
@given(text=noise)
def test_one_expression_never_makes_a_value_beyond_the_bound(text: str) -> None:
    value = None
    with at_most(200), contextlib.suppress(ExpressionError):
        value = value_of("${" + text + "}")
    # As JSON, a number has up to 31 digits, and each item two characters around it.
    assert len(json.dumps(value)) <= MAX_SIZE * 40


@settings(max_examples=300, deadline=None)
@given(value=plain_data.filter(lambda value: "${" not in json.dumps(value)))
def test_what_holds_no_expression_stays_as_it_is(value: Any) -> None:
    template = compile_value(value)
    assert not template.references
    assert template.source == value
    assert evaluate(template, {}) == value


@settings(max_examples=200, deadline=None)
@given(text=st.text("$}a1 '", max_size=20))
def test_two_dollars_stand_for_a_plain_opening(text: str) -> None:
    assert value_of(f"$${{{text}") == f"${{{text}"


@settings(max_examples=400, deadline=None)
@given(source=arithmetic)
def test_arithmetic_comes_to_what_python_makes_of_it(source: str) -> None:
    names = {"a": 7, "b": -2, "c": 0.5}
    ours = source
    for name in names:
        ours = ours.replace(f"{name} ", f"{name} ")
    try:
        wanted = eval(source, {"__builtins__": {"max": max, "len": len, "sum": sum}}, names)
    except ArithmeticError:
        wanted = ArithmeticError
    scope = {"params": names}
    ours = "".join(
        f"params.{char}" if char in names and not _in_word(source, at) else char
        for at, char in enumerate(source)
    )
    try:
        value = value_of("${" + ours + "}", scope)
    except ExpressionError as error:
        assert wanted is ArithmeticError or "too large" in str(error), (source, error)  # noqa: PT017
        return
    assert value == wanted or (math.isnan(value) and math.isnan(wanted))
    assert type(value) is type(wanted)


def _in_word(source: str, at: int) -> bool:
    return source[at - 1 : at].isalpha() or source[at + 1 : at + 2].isalpha()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${params.x}", 3),
        ("${ params.x + 1 }", 4),
        ("x=${params.x}, y=${params.y}", "x=3, y=text"),
        ("${params['x']}", 3),
        ("${params.months[-1]}", 3),
        ("${params.months[:2]}", [1, 2]),
        ("${params.nested.x.y}", 1),
        ("${matrix.y * 2}", 5.0),
        ("${stages.a.scraps.rows > 3 and 'many' or 'few'}", "many"),
        ("${{'a': '}'}['a']}", "}"),
        ("${ {'a': {'b': 1}} }", {"a": {"b": 1}}),
        ("${'}' + \"{\"}", "}{"),
        ("$${params.x} is ${params.x}", "${params.x} is 3"),
        ("cost: 5$", "cost: 5$"),
        ("${1, 2}", [1, 2]),
        ("${range(3)}", [0, 1, 2]),
        ("${sorted(params.months)[0]}", 1),
        (["${params.x}", {"k": "${params.y}"}, 1], [3, {"k": "text"}, 1]),
        ("${None}", None),
        ("${2 in params.months}", True),
    ],
)
def test_an_expression_keeps_the_type_of_its_value(text: Any, value: Any) -> None:
    made = value_of(text)
    assert made == value
    assert type(made) is type(value)


@pytest.mark.parametrize(
    "source",
    ["().__class__", "''.join", "params.__class__", "__import__('os')", "open('x')", "eval('1')", "(lambda: 1)()",
     "[x for x in [1]]", "f'{1}'", "(x := 1)", "[*range(3)]", "{**{}}", "{1, 2}", "b'x'", "1j", "...", "~1", "1 @ 2", "1 << 9",
     "max(1, key=2)", "params.x.real", "await x", "yield", "1; 2", "import os", "max.__self__", "len(*[1])"],
)  # fmt: skip
def test_nothing_but_the_language_is_reachable(source: str) -> None:
    with pytest.raises(ExpressionError):
        value_of("${" + source + "}")


@pytest.mark.parametrize(
    "source",
    ["9 ** 9 ** 9", "10 ** 30 * 10", "'x' * 99999", "[0] * 99999", "range(10 ** 9)", "[range(9999)] * 9999",
     "sum([[1] * 9999] * 9999, [])", "str([range(9999)])", "-" * 1_500 + "1", "(" * 900 + ")" * 900,
     "[[range(99)] * 99] * 99", "[range(9000), range(9000)]", "int('9' * 5000)", "2.0 ** 9999"],
)  # fmt: skip
def test_what_would_grow_too_large_is_refused_in_no_time(source: str) -> None:
    with at_most(100), pytest.raises(ExpressionError) as caught:
        value_of("${" + source + "}")
    assert len(str(caught.value)) < 300


def test_all_expressions_of_a_value_together_are_bounded() -> None:
    with pytest.raises(ExpressionError, match="too large a value"):
        value_of(["${range(9999)}"] * 100)


def test_a_long_text_is_compiled_in_a_time_that_grows_with_it() -> None:
    with at_most(100):
        template = compile_value("a" * 500_000 + "${1}" * 2_000)
    assert evaluate(template, {}).endswith("1" * 2_000)


def test_the_references_are_the_names_up_to_what_is_computed() -> None:
    template = compile_value("${params.a.b[0].c + matrix['m'] + stages.x.scraps.rows[params.k]}")
    assert template.references == {
        ("params", "a", "b"), ("matrix", "m"), ("stages", "x", "scraps", "rows"), ("params", "k"),
    }  # fmt: skip


_values = st.text("ab./\\~ \0", max_size=4)


@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(_values, min_size=2, max_size=2),
    text=st.sampled_from(
        ["data/${params.a}", "${params.a}/x", "d/${params.a}${params.b}.csv", "d/.${params.a}/${params.b}"]
    ),
)
def test_a_value_in_a_path_stays_in_its_segment(values: list[str], text: str) -> None:
    scope = {"params": {"a": values[0], "b": values[1]}}
    try:
        made = evaluate(compile_value(text), scope, is_path=True)
    except ExpressionError:
        used = [value for name, value in zip("ab", values, strict=True) if f"params.{name}" in text]
        assert any(set(value) & set("./\\~") or value == "" for value in used)
        return
    assert made == evaluate(compile_value(text), scope)
    written, segments = text.split("/"), made.split("/")
    assert len(segments) == len(written)
    for segment, pattern in zip(segments, written, strict=True):
        assert "$" in pattern or segment == pattern
        assert segment not in {"", ".", ".."}
    assert not made.startswith("~")


def test_one_expression_may_be_a_whole_path() -> None:
    for text in ("${params.a}", "${'data/' + params.a}"):
        assert "/../" in evaluate(compile_value(text), {"params": {"a": "x/../y"}}, is_path=True)
    with pytest.raises(ExpressionError) as caught:
        evaluate(compile_value("data/${params.a}.csv"), {"params": {"a": "x/y"}}, is_path=True)
    assert str(caught.value) == "'${params.a}' is 'x/y' (str), which leads to another folder"
    assert caught.value.hint.endswith("let one expression be the whole path: ${'data/' + params.NAME}")
    assert evaluate(compile_value("data/../${params.a}"), {"params": {"a": "x"}}, is_path=True) == "data/../x"


# -- effort ---------------------------------------------------------------------------------------

_HUGE: dict[str, Any] = {
    "params": {
        "n": 10**30, "deep": [[[0] * 20] * 20] * 20, "list": list(range(20_000)), "texts": ["a" * 50 + str(n) for n in range(2_000)],
        "text": "ab" * 400_000, "map": {str(n): n for n in range(20_000)}, "big": 7**40_000, "pairs": [[n, n] for n in range(5_000)],
    },
    "env": {}, "matrix": {}, "run": {}, "stages": {},
}  # fmt: skip
_atoms = st.sampled_from(
    [
        *(f"params.{name}" for name in _HUGE["params"]),
        "1",
        "-10**9",
        "10**9",
        "1e308",
        "0.5",
        "'9'",
        "[]",
        "[0]",
        "''",
        "True",
        "'1' * 9000",
        "range(9999)",
    ]
)
_names = st.sampled_from(
    ["len", "min", "max", "sum", "round", "abs", "int", "float", "str", "bool", "sorted", "range"]
)
_operators = st.sampled_from(
    ["+", "-", "*", "/", "//", "%", "**", "==", "<", "in", "not in", "and", "or", "is"]
)


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    calls = st.builds(
        lambda name, args: f"{name}({', '.join(args)})", _names, st.lists(inner, min_size=1, max_size=3)
    )
    pairs = st.builds(lambda one, sign, other: f"({one}) {sign} ({other})", inner, _operators, inner)
    lists = st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]")
    maps = st.lists(inner, max_size=3).map(
        lambda items: "{" + ", ".join(f"{n}: {item}" for n, item in enumerate(items)) + "}"
    )
    parts = st.builds(lambda one, low, high: f"({one})[{low}:{high}]", inner, inner, inner)
    return calls | pairs | lists | maps | parts | inner.map(lambda one: f"-({one})")


@settings(max_examples=400, deadline=None)
@given(source=st.recursive(_atoms, _combined, max_leaves=25))
def test_any_expression_ends_within_a_bounded_effort(source: str) -> None:
    with at_most(60), contextlib.suppress(ExpressionError):
        value_of("${" + source[:1_900] + "}", _HUGE)


@pytest.mark.parametrize(
    "source",
    [
        "str(round(1, -10**9))", "round(params.n, -10**30)", "round(0.1, 10**9)", "round(1, True * 10**9)", "str(params.big)", "params.big * params.big",
        "params.big // 7", "params.big == params.big + 1", "int('9' * 9000)", "int('z' * 5000, 36)", "int('1' * 9000, 2)", "float('9' * 9000)",
        "sum(params.pairs, [])", "sum([params.list, params.list], [])", " + ".join(["sorted(params.list)[:9]"] * 60), "[" + "params.list == params.list, " * 60 + "1]",
        "[" * 80 + "params.deep" + "]" * 80, " and ".join(["params.text in params.text"] * 60), "str({" + ", ".join(f"{n}: [0] * 9999" for n in range(80)) + "})",
        "max(" + ", ".join(["sorted(params.texts)[-1]"] * 60) + ")", "params.text[::-1][::-1][::-1]", "str(params.map)", "params.nothing", "'x' * params.n",
        "[[0] * 9000] * 9000", "(2 ** 99) ** 99", "abs(-params.n) ** 100", "10 ** -10 ** 9", "range(params.n)", "range(0, 10**9, 1)", "min(params.map)",
    ],
)  # fmt: skip
def test_what_would_take_long_ends_soon(source: str) -> None:
    with at_most(60), contextlib.suppress(ExpressionError):
        value_of("${" + source + "}", _HUGE)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("str(round(1, -10**9))", "'round' takes from -400 to 400 digits in '${str(round(1, -10**9))}'"),
        ("sum([[1]], [])", "'sum' takes a list of numbers in '${sum([[1]], [])}'"),
        ("int('9' * 500)", "'int' takes a text of at most 400 characters in '${int('9' * 500)}'"),
        ("params.big + 1", "a number is too large in '${params.big + 1}'"),
        (" + ".join(["params.list[:1]"] * 50), "it takes too many steps in '${"),
    ],
)
def test_what_is_too_much_is_told(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value_of("${" + source + "}", _HUGE)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "text",
    [
        "${" + "'" * 1_990,
        "${" + "{" * 1_990,
        "${'" + "\\" * 1_990,
        "$" * 100_000,
        "${1}" * 20_000,
        "${" * 50_000,
        "${" + "(" * 900 + ")" * 900 + "}",
    ],
)
def test_any_text_is_split_soon(text: str) -> None:
    with at_most(200), contextlib.suppress(ExpressionError):
        value_of(text)


def test_all_expressions_of_a_pipeline_have_one_effort() -> None:
    effort = Effort(30_000)
    template = compile_value("${len(params.list)}")
    assert evaluate(template, _HUGE, effort=effort) == 20_000
    assert effort.left < 30_000 - 20_000
    with pytest.raises(ExpressionError, match="too many steps"):
        evaluate(template, _HUGE, effort=effort)
