"""What the two executors have in common: how a cell is run, and what became of it."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from stagebook.system.processes import signal_name

# Tags of cells, as nbclient has them.
RAISES = "raises-exception"  # the cell may raise
SKIPPED = "skip-execution"  # the cell is not executed


class Verdict(enum.Enum):
    """What became of a cell."""

    DONE = "done"
    RAISED = "raised"  # an exception came out of it
    DIED = "died"  # the process that ran it is gone
    BROKEN = "broken"  # the platform could not run it
    DISK = "disk"  # there was no room for its outputs
    STOPPED = "stopped"  # it did not end, and was given up


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellEnd:
    """The end of a cell. `name` and `value` are of the exception; `message` says how it died."""

    verdict: Verdict
    name: str = ""
    value: str = ""
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where cells run. `fork_address` is empty where nothing can be forked; `may_outlive`: the
    process may stay alive when all else has ended; `log` is the file that this process, and what it starts, write
    their own messages to."""

    cwd: str
    env: Mapping[str, str]
    fork_address: str = ""
    may_outlive: bool = False
    log: str = ""


class Executor(Protocol):
    """Runs the cells of one notebook. Outputs go into the cells as they come."""

    async def start(self) -> None:
        """Start. Raises `StageFailure`."""

    async def run(self, cell: Any, at: int) -> CellEnd:
        """Run the cell at an index of the notebook. May be cancelled."""

    async def interrupt(self) -> None:
        """Ask the cell that runs to stop, as Ctrl-C does."""

    async def dump(self, path: str) -> bool:
        """After a cell raised: write its variables and traceback to a file for a debugger; whether it is there."""

    async def settle(self) -> None:
        """After the last cell: write into the notebook what belongs to it as a whole."""

    def end(self, *, orderly: bool) -> None:
        """Begin to end: orderly, as an interpreter does at its exit, or by force."""

    async def ended(self) -> None:
        """Wait until it has ended; by force, if it takes too long."""

    def keep(self) -> dict[str, Any] | None:
        """Leave the process alive when all else ends; how to reach it, or `None` if that cannot be done."""

    def processes(self) -> Sequence[int]:
        """The ids of the processes that run the cells, without their children."""


def judged(end: CellEnd, cell: Mapping[str, Any]) -> CellEnd:
    """The end of a cell with the error that it shows. Some errors are shown alone: those of showing a value, and of a
    program that `%run` ran; ipykernel tells some of them as `NoneType`."""
    if end.verdict not in {Verdict.DONE, Verdict.RAISED} or RAISES in cell["metadata"].get("tags", ()):
        return end
    if end.verdict is Verdict.RAISED and end.name != "NoneType":
        return end
    for output in reversed(cell.get("outputs", ())):
        if output.get("output_type") == "error":
            return CellEnd(verdict=Verdict.RAISED, name=output["ename"], value=output["evalue"])
    return end


def how_ended(code: int) -> str:
    """How a process ended, for a message, by its exit code, which is negative for a signal."""
    if code >= 0:
        return f"with exit code {code}"
    name = signal_name(-code)
    return f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
