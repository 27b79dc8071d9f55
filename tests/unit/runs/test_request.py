"""Requests: what is forced, texts that `-p` reads back, and ids of runs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from building import load
from stagebook.pipeline.params import parse_pairs
from stagebook.planning.select import Selection
from stagebook.runs.request import RunRequest, run_id, text_of
from strategies import plain_data, texts


@pytest.mark.parametrize(
    ("selection", "forced"),
    [
        (Selection(), ()),
        (Selection(targets=("a",), only=("b",)), ("a",)),
        (Selection(only=("b",)), ("b",)),
        (Selection(start=("c",), skip=("d",)), ()),
    ],
)
def test_forced_are_the_targets_or_else_the_only_ones_or_else_all(
    selection: Selection, forced: tuple[str, ...]
) -> None:
    assert RunRequest(selection=selection, force=True).forced == forced
    assert RunRequest(selection=selection).forced is None


def test_a_request_is_taken_as_it_is_and_a_name_becomes_one() -> None:
    request = RunRequest(pipeline="p", jobs=2)
    assert RunRequest.of(request) is request
    assert RunRequest.of("p", {"x": 1}, jobs=2) == RunRequest(pipeline="p", values={"x": 1}, jobs=2)
    assert RunRequest.of() == RunRequest()


ANY = load("params: {x: {type: Any, default: null}}\nstages: {}\n").pipeline
TEXT = load("params: {x: {type: str, default: ''}}\nstages: {}\n").pipeline


@given(plain_data.filter(lambda value: not isinstance(value, str)))
def test_any_value_is_read_back_from_its_text(value: object) -> None:
    values, problems = parse_pairs(ANY, [f"x={text_of(value)}"])  # type: ignore[arg-type]
    assert (values, problems) == ({"x": value}, [])
    assert type(values["x"]) is type(value)


@given(texts)
def test_a_text_is_passed_as_it_is_to_a_parameter_that_takes_text(value: str) -> None:
    assert parse_pairs(TEXT, [f"x={text_of(value)}"]) == ({"x": value}, [])


def test_ids_of_runs_sort_by_their_time_in_utc_and_differ_within_a_second() -> None:
    ids = [run_id(at) for at in (1_767_355_445.0, 1_767_355_446.9, 1_767_400_000.0)]
    assert ids == sorted(ids)
    assert ids[0].startswith("20260102-120405-")
    assert all(re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", name) for name in ids)
    assert len({run_id(1.0) for _ in range(20)}) > 1
