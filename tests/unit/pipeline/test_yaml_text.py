"""The text of pipeline files: what is written is read as the same values."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stagebook.pipeline.yaml import read_document
from stagebook.pipeline.yaml_text import entry_lines, one_line, yaml
from strategies import scalars

_KEYS = st.text("abyn-_. :#é", min_size=1, max_size=6)
_VALUES = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(value=st.dictionaries(_KEYS, _VALUES, min_size=1, max_size=3))
def test_what_is_written_is_read_as_the_same(value: dict[str, Any]) -> None:
    for text in (yaml({"params": value}), "\n".join(entry_lines("params", value, block=True)) + "\n"):
        document = read_document(text, "p.yaml")
        assert (document.problems, document.data) == ((), {"params": value}), text


def test_a_long_entry_has_several_lines() -> None:
    value = {"a": ["x" * 60, "y" * 60], "b": 1}
    assert list(entry_lines("k", value)) == ["k:", "  a:", f"    - {'x' * 60}", f"    - {'y' * 60}", "  b: 1"]
    assert list(entry_lines("k", {"b": [1, 2]})) == ["k: {b: [1, 2]}"]


def test_a_comment_stays_in_its_line() -> None:
    assert one_line("a\nb\x1b[31m") == "a?b?[31m"
