"""Evaluating a syntax tree: the same values as Python, bounds on the way, and errors that say where."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook.pipeline.evaluator import MAX_SIZE, ExpressionError, evaluate_tree, size_of, source_of
from strategies import plain_data

SCOPE = {"params": {"x": 3, "t": "text", "m": {"k": [1, 2, 3]}, "e": []}, "env": {"HOME": "/me"}}


def tree_of(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


def value_of(source: str, scope: dict[str, Any] = SCOPE) -> Any:
    return evaluate_tree(tree_of(source), scope)


@given(value=plain_data)
def test_a_literal_is_its_value(value: Any) -> None:
    assert value_of(repr(value)) == value


@given(
    value=st.lists(st.integers(), max_size=6),
    low=st.none() | st.integers(-8, 8),
    high=st.none() | st.integers(-8, 8),
    step=st.sampled_from([None, 1, 2, -1]),
)
def test_slices_are_those_of_python(
    value: list[int], low: int | None, high: int | None, step: int | None
) -> None:
    ends = ":".join("" if end is None else str(end) for end in (low, high, step))
    assert value_of(f"x[{ends}]", {"x": value}) == value[low:high:step]


@given(
    st.lists(st.sampled_from(["0", "1", "''", "'a'", "[]", "x"]), min_size=2, max_size=4),
    st.sampled_from(["and", "or"]),
)
def test_and_and_or_give_the_operand_that_decides(operands: list[str], word: str) -> None:
    source = f" {word} ".join(operands)
    assert value_of(source, {"x": 7}) == eval(source, {"x": 7})


@pytest.mark.parametrize("source", ["0 and 1 / 0", "1 or 1 / 0", "1 if 1 else 1 / 0", "2 < 1 < 1 / 0"])
def test_what_does_not_decide_is_not_evaluated(source: str) -> None:
    assert value_of(source) == eval(source)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 < 2 < 3 != 4", True), ("1 < 3 < 2", False), ("'x' in params.t", True), ("9 not in params.m.k", True), ("None is None", True),
        ("params['m']['k'][-1]", 3), ("len(params.m)", 1), ("sorted(params.m.k)[::-1]", [3, 2, 1]), ("(1, 2)", [1, 2]), ("{1: 2}", {"1": 2}),
        ("range(3, 9, 3)", [3, 6]), ("round(2.567, 1)", 2.6), ("-7 // 2 % 5", 1), ("not params.e", True),
    ],
)  # fmt: skip
def test_values_of_names_and_functions(source: str, value: Any) -> None:
    assert value_of(source) == value


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("parms.x", "unknown name 'parms'", "did you mean 'params'?"),
        ("params.m.q", "unknown name 'q' under 'params.m'", "known: k"),
        ("params['y']", "unknown name 'y' under 'params'", "known: x, t, m, e"),
        ("params.x.real", "'params.x' is 3 (int) and has no 'real'", ""),
        ("env.EDITOR", "the environment variable 'EDITOR' is not set", "set it, or make it a parameter of the pipeline"),
        ("'%s' % 1", "'%' does not format text here; write the expression inside the text", ""),
        ("(-8) ** 0.5", "a result is not a real number", ""),
        ("2 ** 101", "a power is too large", ""),
        ("1000001 ** 2", "a power is too large", ""),
        ("10 ** 30 + 1", "a number is too large", ""),
        ("5000 * [1, 2, 3]", "a repetition is too large", ""),
        ("lambda: 1", "'lambda: 1' cannot be evaluated", ""),
    ],
)  # fmt: skip
def test_what_has_no_value_is_told(source: str, message: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value_of(source)
    assert (str(caught.value), caught.value.hint) == (message, hint)


@given(value=plain_data, other=plain_data)
def test_a_value_is_larger_than_each_of_its_parts(value: Any, other: Any) -> None:
    assert size_of([value, other]) == 1 + size_of(value) + size_of(other)
    assert size_of({"key": value}) == 4 + size_of(value)


@pytest.mark.parametrize("value", ["x" * 10**6, [0] * 10**6, [["x"] * 200] * 200, {"x" * 10**6: 0}])
def test_the_size_of_a_value_is_told_as_beyond_the_bound_wherever_it_hides(value: Any) -> None:
    assert size_of(value) > MAX_SIZE
    with pytest.raises(ExpressionError, match="a value is too large"):
        value_of("[x]", {"x": value})


def test_the_source_of_a_deep_tree_is_cut_and_not_an_error() -> None:
    assert source_of(tree_of("a . b")) == "a.b"
    assert len(source_of(tree_of("+".join(["a"] * 900)))) < 200
