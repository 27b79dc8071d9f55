"""The protocol of an engine: it executes single attempts and reports on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from stagebook.events import AttemptEvent
from stagebook.execution.attempt import Attempt, AttemptResult


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """An event of an attempt that goes on. The engine leaves `AttemptProgress.expected` to the runner."""

    event: AttemptEvent


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An attempt is over, with all of its processes. Reported exactly once for each attempt."""

    stage: str
    attempt: int
    result: AttemptResult


Report = Progress | Ended


class Engine(Protocol):
    """Executes attempts. The runner decides what to execute and when. An engine runs each attempt in a
    process group of its own and leaves none of its processes behind. It never publishes: outputs stay in the
    attempt's folder."""

    def start(self, attempt: Attempt) -> None:
        """Begin an attempt. An attempt that cannot begin is reported by `wait` as ended."""

    def wait(self, timeout: float | None) -> Sequence[Report]:
        """Reports, in order, as soon as there are any; none after `timeout` seconds or a `wake`."""

    def cancel(self, stage: str, *, now: bool = False) -> None:
        """Ask the running attempt of a stage to end; with `now`, end it by force."""

    def wake(self) -> None:
        """Let a `wait` in progress return. May be called from a signal handler."""

    def close(self) -> None:
        """End whatever is still running, by force, and free all resources."""
