"""What the process of the cells says is valid JSON, as what a kernel says."""

from __future__ import annotations

import json
from typing import NoReturn

import pytest

from stagebook.execution.kernels.channel import packed


def no_constant(name: str) -> NoReturn:
    raise AssertionError(name)


def test_numbers_that_no_json_may_hold_are_text_as_a_kernel_makes_them() -> None:
    body = {"data": [float("nan"), float("inf"), -float("inf"), 1.5, "é"], "other": b"x"}
    found = json.loads(packed(body), parse_constant=no_constant)
    assert found == {"data": ["nan", "inf", "-inf", 1.5, "é"], "other": "eA=="}


def test_what_contains_itself_is_refused() -> None:
    body: dict[str, object] = {}
    body["self"] = body
    with pytest.raises(ValueError, match="Circular"):
        packed(body)
