"""What MLflow is given: held against its own rules."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name, _validate_param_name, _validate_tag_name

from stagebook.tracking import values

anything: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
names = (
    st.text(st.characters()) | st.text(st.sampled_from("./ab-")) | st.text("x", min_size=240, max_size=300)
)


@given(names)
def test_a_name_is_one_that_mlflow_takes(key: str) -> None:
    name = values.fit(key)
    _validate_metric_name(name)
    _validate_param_name(name)
    _validate_tag_name(name)
    assert len(name) <= values.MAX_NAME
    assert values.fit(name) == name


@given(st.dictionaries(names, st.integers()), st.sampled_from(["", "a.", "a/"]))
def test_no_value_is_lost_by_its_name(given_: dict[str, int], prefix: str) -> None:
    made = values.named(given_, prefix)
    assert sorted(made.values()) == sorted(given_.values())
    for key in made:
        _validate_metric_name(key)
        assert len(key) <= values.MAX_NAME


@given(anything, st.integers(0, 50))
def test_a_text_is_utf8_and_no_longer_than_asked(value: Any, most: int) -> None:
    found = values.text(value, most)
    assert len(found) <= most
    assert "\0" not in found
    found.encode()


@given(anything)
def test_a_number_is_finite(value: Any) -> None:
    found = values.number(value)
    assert found is None or math.isfinite(found)
    assert values.milliseconds(value) >= 0
    values.as_json(value)


def test_a_time_beyond_all_measure_is_the_latest() -> None:
    assert values.milliseconds(1.8e305) == values.milliseconds(1e300) > 0
    assert values.milliseconds(-1.8e305) == 0
    assert values.milliseconds(1.5) == 1500


def test_numbers_that_python_does_not_write_out_are_texts_too() -> None:
    assert values.text(10**5000).startswith("0x")
    assert values.text([10**5000]) == "<list>"
    assert values.as_json({"a": 10**5000}) == "<dict>"
    assert values.number(10**5000) is None


@given(st.lists(st.integers()), st.integers(1, 5))
def test_batches_are_all_in_order(items: list[int], size: int) -> None:
    groups = list(values.batches(items, size))
    assert [item for group in groups for item in group] == items
    assert all(1 <= len(group) <= size for group in groups)
