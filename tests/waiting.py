"""Waiting for what another process or thread does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(
    check: Callable[[], Any], seconds: float, what: str | Callable[[], object], *, every: float = 0.02
) -> Any:
    """Wait until a check gives something true; what it gave. After so many seconds it fails with `what`. It is asked
    `every` so many seconds."""
    limit = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > limit:
            raise AssertionError(f"not within {seconds:g} s: {what() if callable(what) else what}")
        time.sleep(every)
    return found
