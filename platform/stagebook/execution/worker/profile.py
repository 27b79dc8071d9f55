"""The profile of a stage: CPU time and memory, seen from outside with psutil."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from stagebook.system.processes import descendants

EVERY = 0.25  # seconds between two looks
FROZEN_AFTER = 5.0  # seconds in the stopped state until it is told


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """`cpu` in seconds, user and system, children included; `memory` the peak in bytes of resident
    memory, of all processes together at one moment. Pages that processes share count in each."""

    cpu: float = 0.0
    memory: int = 0

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"cpu_seconds": round(self.cpu, 3), "peak_memory": self.memory}


class Sampler:
    """Samples processes and their descendants. The CPU time of a child that ended counts in full once its
    parent waited for it; until then as of the last sample."""

    def __init__(self, roots: Callable[[], Sequence[int]]) -> None:
        self._roots = roots
        self._known: dict[int, psutil.Process] = {}
        self._spent: dict[int, float] = {}  # seconds of CPU time, by process
        self._base: float | None = None
        self._now = 0
        self._peak = 0
        self._cell_cpu = 0.0
        self._cell_peak = 0
        self._stopped_since: float | None = None

    def begin_cell(self) -> None:
        """Begin to measure a cell."""
        self.look()
        self._cell_cpu = self.cpu
        self._cell_peak = self._now

    def end_cell(self) -> Usage:
        """What the cell used."""
        self.look()
        return Usage(cpu=max(0.0, self.cpu - self._cell_cpu), memory=self._cell_peak)

    @property
    def total(self) -> Usage:
        """What all cells used so far."""
        return Usage(cpu=self.cpu, memory=self._peak)

    @property
    def cpu(self) -> float:
        """Seconds of CPU time since the first look."""
        return sum(self._spent.values()) - (self._base or 0.0)

    @property
    def frozen_for(self) -> float:
        """For how many seconds the process has been stopped (SIGSTOP or a debugger)."""
        return time.monotonic() - self._stopped_since if self._stopped_since is not None else 0.0

    def look(self) -> None:
        """Look at all processes now."""
        memory = 0
        stopped = False
        roots = self._roots()
        for process in self._processes(roots):
            with contextlib.suppress(psutil.Error):
                with process.oneshot():
                    times = process.cpu_times()
                    memory += process.memory_info().rss
                    if process.pid in roots:
                        stopped = process.status() in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}
                # What children used that were waited for is their parent's; they are not seen any more.
                waited = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
                self._spent[process.pid] = times.user + times.system + waited
        if self._base is None and self._spent:
            self._base = sum(self._spent.values())
        self._now = memory
        self._peak = max(self._peak, memory)
        self._cell_peak = max(self._cell_peak, memory)
        if not stopped:
            self._stopped_since = None
        elif self._stopped_since is None:
            self._stopped_since = time.monotonic()

    def _processes(self, roots: Sequence[int]) -> list[psutil.Process]:
        found: dict[int, psutil.Process] = {}
        for pid in roots:
            with contextlib.suppress(psutil.Error):
                root = self._known.get(pid) or psutil.Process(pid)
                found[pid] = root
                for below in descendants(pid):
                    found[below] = self._known.get(below) or psutil.Process(below)
        for pid in set(self._known) - set(found):
            # It ended; if its parent waited for it, its time is in the parent's from now on.
            self._spent.pop(pid, None)
        self._known = found
        return list(found.values())
