"""Which of the cases `make check` runs: a test of many inputs goes through them with one executor each, in turn, and
`make faults` with every one."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from effort import IS_FULL

WAYS = frozenset({"executor", "way"})  # the parameters of tests that name one
FEW = 2  # so many inputs are run with every executor at all times


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only the full numbers have."""
    if IS_FULL:
        return
    tests: defaultdict[tuple[Any, str], defaultdict[str, list[pytest.Item]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        if isinstance(item, pytest.Function) and item.path.parent.name == "cases" and WAYS & params.keys():
            given = repr([value for name, value in params.items() if name not in WAYS])
            tests[item.path, item.originalname][given].append(item)
    left_out = {
        item
        for inputs in tests.values()
        if len(inputs) > FEW
        for at, ways in enumerate(inputs.values())
        for item in ways
        if item is not ways[at % len(ways)]
    }
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]
