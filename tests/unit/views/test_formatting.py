"""Short texts say the same as the values, within the room that they have."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook.views import formatting
from strategies import plain_data

# The tests of the front end have the same examples: a time is told alike in a terminal and in JupyterLab.
TIMES = json.loads((Path(__file__).parents[2] / "shared/times.json").read_text())


@pytest.mark.parametrize(("seconds", "text"), [(None, ""), *TIMES["durations"]])
def test_a_duration(seconds: float | None, text: str) -> None:
    assert formatting.duration(seconds) == text


@given(seconds=st.floats(0, 1e6))
def test_a_duration_is_off_by_no_more_than_its_last_digit(seconds: float) -> None:
    text = formatting.duration(seconds)
    units = {"d": 86_400.0, "h": 3600.0, "min": 60.0, "s": 1.0}
    told = sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+) (d|h|min|s)\b", text))
    step = 0.1 if "." in text else 3600 if " d" in text else 60 if " h" in text else 1
    assert abs(told - seconds) <= step
    assert not re.search(r"\b(60|[6-9]\d) (min|s)\b", text)


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, ""), (0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (4_096, "4.1 kB"), (99_499, "99.5 kB"), (123_456, "123 kB"),
     (999_499, "999 kB"), (999_500, "1.0 MB"), (12_000_000, "12.0 MB"), (5 * 10**12, "5000 GB")],
)  # fmt: skip
def test_a_size(count: int | None, text: str) -> None:
    assert formatting.size(count) == text


@given(st.integers(0, 10**14), st.integers(0, 10**14))
def test_a_larger_size_never_reads_as_a_smaller_one(one: int, other: int) -> None:
    def read(text: str) -> float:
        number, unit = text.split()
        return float(number) * 1000 ** ["B", "kB", "MB", "GB"].index(unit)

    small, large = sorted([one, other])
    assert read(formatting.size(small)) <= read(formatting.size(large))


@pytest.mark.parametrize(("ago", "text"), TIMES["ago"])
def test_a_time_is_told_by_its_distance_and_after_a_day_by_its_date(ago: float, text: str) -> None:
    assert formatting.when(TIMES["now"] - ago, TIMES["now"]) == text
    assert formatting.when(None, TIMES["now"]) == ""


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ("a  b\n c", "a b c"), (1_234_567, "1,234,567"), (True, "true"), (None, "null"), (0.123456, "0.1235"), (1e-9, "1e-09"),
        (float("nan"), "nan"), ([1, "a"], '[1, "a"]'), ({"k": 1.5}, '{"k": 1.5}'), ("", ""),
    ],
)  # fmt: skip
def test_a_value(item: object, text: str) -> None:
    assert formatting.value(item) == text


@given(item=plain_data, limit=st.integers(1, 80))
def test_a_value_stands_on_one_line_in_the_room_that_it_has(item: object, limit: int) -> None:
    whole, text = formatting.value(item, 10**9), formatting.value(item, limit)
    assert "\n" not in text
    assert len(text) <= limit
    assert text == whole if len(whole) <= limit else (text[-1] == "…" and whole.startswith(text[:-1]))


def test_pairs_are_cut_as_a_whole_and_one_by_one() -> None:
    assert formatting.pairs({"a": 1, "b": "x y"}) == "a=1  b=x y"
    assert formatting.pairs({"a": "x" * 50, "b": 2}) == f"a={'x' * 29}…  b=2"
    assert formatting.pairs({"a": "x" * 50, "b": 2}, 10) == "a=xxxxxxx…"
    assert formatting.pairs({}) == ""


def test_a_parameter_reads_as_it_is_given() -> None:
    given = {"year": 2013, "rate": 0.1, "full": True, "days": [1, 2], "none": None}
    assert formatting.params(given) == "year=2013  rate=0.1  full=true  days=[1, 2]  none=null"
    assert formatting.pairs({"rows": 2013}) == "rows=2,013", "a figure is read, and not given"


def test_one_is_one_and_all_else_are_several() -> None:
    assert [formatting.plural(count, "stage") for count in (0, 1, 2)] == ["0 stages", "1 stage", "2 stages"]


@given(
    st.lists(
        st.sampled_from(
            ["a", "é", "\n", "\t", "\x1b", "[31m", "]0;t", "\x07", "\x9b", "\r", "\x00", "(", "P"]
        )
    ).map("".join)
)
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    plain = formatting.plain(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", plain)
    assert formatting.plain(plain) == plain


def test_colours_and_titles_go_with_all_that_belongs_to_them() -> None:
    assert (
        formatting.plain("\x1b[1;31mred\x1b[0m \x1b]0;title\x07text\x1b]8;;url\x1b\\link") == "red textlink"
    )
    assert formatting.plain("a\tb\nc") == "a\tb\nc"
