"""How much the tests try, small numbers or the full ones of `make faults`, and bounds on effort that hold on a
machine of any speed: CPU time in units of a fixed piece of work."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import time
from collections.abc import Iterator

IS_FULL = os.environ.get("STAGEBOOK_FAULTS") == "full"
MULTIPLIER = float(os.environ.get("STAGEBOOK_FAULTS_COUNT", "1"))
SEED = int(os.environ["STAGEBOOK_FAULTS_SEED"])  # tests/conftest.py sees to it

figures: list[tuple[str, str]] = []  # what was seen, for the summary of the fault suite


def amount(small: int, full: int) -> int:
    """How many: the small number, or the full one with `make faults`."""
    return max(1, round((full if IS_FULL else small) * MULTIPLIER))


def figure(what: str, seen: object) -> None:
    """Note a figure for the summary."""
    figures.append((what, str(seen)))


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
