"""Waiting for what another process or thread does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(check: Callable[[], Any], seconds: float, what: str, *, every: float = 0.02) -> Any:
    """Wait until a check gives something true; what it gave. Fails after so many seconds; it is asked `every`
    so many."""
    limit = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < limit, f"not within {seconds:g} s: {what}"
        time.sleep(every)
    return found
