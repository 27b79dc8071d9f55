"""Bounds on effort that hold on a machine of any speed: CPU time in units of a fixed piece of work."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Iterator

_WORK = [{"key": str(at), "value": at / 7, "list": list(range(5))} for at in range(300)]


def _measure() -> float:
    start = time.process_time()
    for _ in range(5):
        json.loads(json.dumps(_WORK, indent=1))
    return max(time.process_time() - start, 1e-4)


@functools.cache
def _unit() -> float:
    return min(_measure() for _ in range(5))


@contextlib.contextmanager
def at_most(units: int) -> Iterator[None]:
    """Fail where the block takes more CPU time than so many units; a unit is about 10 ms of a usual core.

    When the bound is passed, the unit is measured anew: the machine may have become slower since.
    """
    start = time.process_time()
    yield
    spent = time.process_time() - start
    if spent > units * _unit():
        assert spent <= units * max(_measure() for _ in range(5)), f"{spent:.2f} s of CPU time"
