"""A history for tests of what is computed from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from measured import History, Repository


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(tmp_path)
    yield made
    made.close()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)
