"""What became of the columns of a table, and what breaks who reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stagebook.tables.schema_changes import schema_changes

columns = st.dictionaries(
    st.text(max_size=5), st.sampled_from(["INTEGER", "BIGINT", "DOUBLE", "VARCHAR", "DATE"]), max_size=6
)


@pytest.mark.parametrize(
    ("before", "after", "text", "is_breaking"),
    [
        ({}, {"a": "DATE"}, "a is new: DATE", False),
        ({"a": "DATE"}, {}, "a is gone: it was DATE", True),
        ({"a": "INTEGER"}, {"a": "BIGINT"}, "a is BIGINT: it was INTEGER", False),
        ({"a": "BIGINT"}, {"a": "INTEGER"}, "a is INTEGER: it was BIGINT", True),
        ({"a": "UTINYINT"}, {"a": "SMALLINT"}, "a is SMALLINT: it was UTINYINT", False),
        ({"a": "UTINYINT"}, {"a": "TINYINT"}, "a is TINYINT: it was UTINYINT", True),
        ({"a": "FLOAT"}, {"a": "DOUBLE"}, "a is DOUBLE: it was FLOAT", False),
        ({"a": "BIGINT"}, {"a": "DOUBLE"}, "a is DOUBLE: it was BIGINT", True),
        ({"a": "BIGINT"}, {"a": "VARCHAR"}, "a is VARCHAR: it was BIGINT", True),
        ({"a": "ENUM('x')"}, {"a": "VARCHAR"}, "a is VARCHAR: it was ENUM('x')", False),
    ],
)
def test_a_change_is_told_with_what_it_breaks(
    before: dict[str, str], after: dict[str, str], text: str, is_breaking: bool
) -> None:
    (change,) = schema_changes(before, after)
    assert (change.text, change.is_breaking) == (text, is_breaking)


@given(before=columns, after=columns)
def test_the_changes_are_what_makes_one_of_the_other(before: dict[str, str], after: dict[str, str]) -> None:
    made = dict(before)
    for change in schema_changes(before, after):
        assert made.get(change.column, "") == change.before
        made[change.column] = change.after
    assert {name: kind for name, kind in made.items() if kind} == after
    assert schema_changes(after, after) == []
