"""Types are read as they are written, and values are held to them."""

from __future__ import annotations

import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings

from stagebook.pipeline.types import Type as ParamType
from stagebook.pipeline.types import (
    TypeNotUnderstood,
    Value,
    ValueMismatch,
    accept,
    describe,
    parse_type,
    printable,
    type_of,
    typed,
)
from strategies import plain_data, typed_values, types

MORNING = datetime.datetime(2013, 1, 31, 6, tzinfo=datetime.UTC)


@settings(max_examples=300, deadline=None)
@given(kind=types)
def test_a_type_is_read_as_it_is_written(kind: ParamType) -> None:
    assert parse_type(str(kind)) == kind


@settings(max_examples=400, deadline=None)
@given(kind=types, value=typed_values)
def test_what_was_accepted_is_accepted_as_it_is(kind: ParamType, value: Value) -> None:
    try:
        once = accept(kind, value)
    except ValueMismatch:
        return
    again = accept(kind, once)
    assert again == once
    assert repr(again) == repr(once)  # 1 is not 1.0


@settings(max_examples=400, deadline=None)
@given(kind=types, value=typed_values)
def test_what_a_notebook_gets_differs_from_what_was_accepted_in_dates_and_paths_alone(
    kind: ParamType, value: Value
) -> None:
    try:
        accepted = accept(kind, value)
    except ValueMismatch:
        return
    assert repr(typed(kind, accepted, lambda _kind, text: text)) == repr(accepted)
    typed(kind, accepted)  # each text can be read as what its type says


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("date | None", "2013-01-31", datetime.date(2013, 1, 31)),
        ("None | date", None, None),
        ("datetime | None", "2013-01-31T12:30", datetime.datetime.fromisoformat("2013-01-31T12:30")),
        ("list[date | None]", ["2013-01-31", None], [datetime.date(2013, 1, 31), None]),
        ("dict[str, Path]", {"a": "b/c"}, {"a": Path("b/c")}),
        ("str | date", "2013-01-31", "2013-01-31"),
        ("Literal['now'] | date", "now", "now"),
        ("Literal['now'] | date", "2013-01-31", datetime.date(2013, 1, 31)),
        ("Any", "2013-01-31", "2013-01-31"),
    ],
)
def test_dates_and_paths_become_objects(kind: str, value: Value, wanted: object) -> None:
    assert typed(parse_type(kind), value) == wanted


@settings(max_examples=200, deadline=None)
@given(value=plain_data)
def test_a_default_fits_the_type_that_it_tells(value: Value) -> None:
    assert accept(type_of(value), value) == value


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("int", "int"),
        ("Optional[int]", "int | None"),
        ("typing.Optional[datetime.date]", "date | None"),
        ("Union[int, str, int]", "int | str"),
        ("int | (str | None)", "int | str | None"),
        ("List[str]", "list[str]"),
        ("list", "list[Any]"),
        ("dict", "dict[str, Any]"),
        ("tuple[int, str]", "tuple[int | str, ...]"),
        ("Tuple[int, ...]", "tuple[int, ...]"),
        ("Literal['a', 2, None]", "Literal['a', 2, None]"),
        ("'list[int]'", "list[int]"),
        ("pathlib.Path", "Path"),
    ],
)
def test_types_are_understood_as_python_has_them(text: str, wanted: str) -> None:
    assert str(parse_type(text)) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "integer", "list[int", "dict[int, str]", "list[()]", "tuple[()]", "tuple[...]", "Union[()]", "Literal[()]",
     "Literal[x]", "Literal[1e999]", "3", "f(x)", "int + str", "a\0b", "int\nimport os", "list[" * 300,
     "|".join(["int"] * 20_000), "-" * 5_000 + "1", "\ud800"],
)  # fmt: skip
def test_what_is_no_type_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(TypeNotUnderstood) as caught:
        parse_type(text)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("float", 1, 1.0),
        ("float | int", 1, 1),
        ("float | str", 1, 1.0),
        ("list[float]", (1, 2.5), [1.0, 2.5]),
        ("dict[str, float]", {"a": 1}, {"a": 1.0}),
        ("date", "2013-01-31", "2013-01-31"),
        ("datetime", "2013-01-31T10:00:00", "2013-01-31T10:00:00"),
        ("Literal['a', 1]", 1, 1),
        ("int | None", None, None),
        ("Path", "data/x", "data/x"),
    ],
)
def test_values_become_what_the_type_wants(kind: str, value: Value, wanted: Value) -> None:
    made = accept(parse_type(kind), value)
    assert made == wanted
    assert type(made) is type(wanted)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("int", True, "expected int, got True (bool)"),
        ("int", 1.0, "expected int, got 1.0 (float)"),
        ("float", True, "expected float, got True (bool)"),
        ("str", 1, "expected str, got 1 (int)"),
        ("list[int]", "12", "expected list[int], got '12' (str)"),
        ("list[int]", [1, "2"], "expected int, got '2' (str)"),
        ("date", "31.1.2013", "expected a date as in 2013-01-31, got '31.1.2013' (str)"),
        ("Literal[1]", True, "expected Literal[1], got True (bool)"),
        ("int | None", "x", "expected int | None, got 'x' (str)"),
        ("float", 10**400, "expected a float, got a whole number that no float holds exactly"),
        ("float", 2**53 + 1, "expected a float, got a whole number that no float holds exactly"),
        ("str", None, "expected str, got None"),
        ("int", {"a": 1}, "expected int, got {'a': 1} (mapping)"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_what_came(kind: str, value: Value, message: str) -> None:
    with pytest.raises(ValueMismatch) as caught:
        accept(parse_type(kind), value)
    assert str(caught.value) == message


def test_a_value_is_described_in_short_and_in_one_line() -> None:
    assert len(describe(["x" * 1_000] * 9)) < 80
    assert describe(1 << 20_000) == "a number too long to show (int)"
    assert describe("a\nb\x1b[31m") == r"'a\nb\x1b[31m' (str)"


def test_what_cannot_be_seen_is_written_as_an_escape() -> None:
    assert printable("a\nb\x1b[31m\u202e\ud800\t") == r"a\nb\x1b[31m\u202e\ud800\t"
    assert printable("Übergröße → 1") == "Übergröße → 1"


@pytest.mark.parametrize(
    ("wanted", "value", "kept"),
    [
        ("date", datetime.date(2013, 1, 31), "2013-01-31"),
        ("datetime", MORNING, "2013-01-31T06:00:00+00:00"),
        ("Path", PurePosixPath("a/b"), "a/b"),
        ("date | None", datetime.date(2013, 1, 31), "2013-01-31"),
        ("list[date]", [datetime.date(2013, 1, 31)], ["2013-01-31"]),
        ("Any", datetime.date(2013, 1, 31), "2013-01-31"),
    ],
)
def test_objects_of_python_and_toml_are_kept_as_text(wanted: str, value: Any, kept: Any) -> None:
    assert accept(parse_type(wanted), value) == kept


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        ("date", MORNING),
        ("int", datetime.date(2013, 1, 31)),
        ("str", datetime.date(2013, 1, 31)),
    ],
)
def test_an_object_of_another_type_does_not_fit(wanted: str, value: Any) -> None:
    with pytest.raises(ValueMismatch):
        accept(parse_type(wanted), value)
