"""`executor: inprocess`, the outer side: the cells run in a process of their own, without a kernel.

The inner side (`cells`) runs them with ploomber-engine. Whatever happens in there, a crash
included, is seen and told here.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from stagebook.errors import StageFailure
from stagebook.events import Cause
from stagebook.execution.kernels.cells_process import CellsProcess, Pipes
from stagebook.execution.kernels.executor import RAISES, SKIPPED, CellEnd, Surroundings, Verdict, how_ended
from stagebook.execution.kernels.recording import Recorder, Sink, not_kept

END_TIMEOUT = 10.0  # seconds for the process to end by itself
_SOON = 0.005  # seconds between two looks at a process that is about to end

_LANGUAGE = {
    "name": "python",
    "version": ".".join(map(str, sys.version_info[:3])),
    "mimetype": "text/x-python",
    "file_extension": ".py",
    "codemirror_mode": {"name": "ipython", "version": 3},
    "pygments_lexer": "ipython3",
    "nbconvert_exporter": "python",
}


class _NobodyHears:
    """In place of a kernel's client: what a widget of nbclient would tell the notebook's widget is dropped."""

    def __init__(self) -> None:
        self.session = self.shell_channel = self

    def msg(self, *_: Any, **__: Any) -> None:
        """A message."""

    def send(self, _: None) -> None:
        """Send it."""


class InprocessExecutor:
    """The cells of one notebook in one process, without a kernel."""

    def __init__(self, notebook: NotebookNode, sink: Sink, where: Surroundings) -> None:
        self._recorder = Recorder(notebook)
        self._recorder.prepare(sink)
        self._recorder.kc = _NobodyHears()  # type: ignore[assignment]
        self._notebook = notebook
        self._process = CellsProcess(where)
        self._pipes = Pipes(self._take_message, self._take_answer, self._fail)
        self._done: asyncio.Future[dict[str, Any]] | None = None
        self._cell: tuple[Any, int] | None = None
        self._cells: dict[str, tuple[Any, int]] = {}
        self._count = 0  # of the cell that ran last

    async def start(self) -> None:
        """Start the process, and listen to it. Raises `StageFailure`."""
        try:
            ends = self._pipes.open()
            try:
                await self._process.start(*ends)
            finally:
                for number in ends:
                    os.close(number)
        except OSError as error:
            msg = f"the process of the cells did not start: {error}"
            raise StageFailure(msg, cause=Cause.KERNEL_START) from error
        self._pipes.listen()
        self._notebook.metadata["language_info"] = NotebookNode(_LANGUAGE)  # type: ignore[no-untyped-call]

    async def run(self, cell: Any, at: int) -> CellEnd:
        """Run one cell."""
        cell.outputs = []
        if SKIPPED in cell.metadata.get("tags", []):
            return CellEnd(verdict=Verdict.DONE)
        self._cells[_name(at)] = self._cell = (cell, at)
        cell.execution_count = self._count = self._count + 1  # it has one also where its process dies
        try:
            end = await self._ask({"cell": cell.source, "name": _name(at)})
        except asyncio.CancelledError:
            return CellEnd(verdict=Verdict.STOPPED)
        except EOFError:
            what = f"the process of the notebook died while the cell ran, {how_ended(self._process.exit_code() or 0)}"
            return CellEnd(verdict=Verdict.DIED, message=what)
        except OSError as error:
            return CellEnd(verdict=Verdict.DISK, message=not_kept(error))
        except Exception as error:  # noqa: BLE001 - whatever taking an output raises, told as a fault of ours
            what = f"an output could not be taken: {type(error).__name__}: {error}"
            return CellEnd(verdict=Verdict.BROKEN, message=what)
        finally:
            self._recorder.close_cell(at)
        cell.execution_count = self._count = end["count"]
        if end["name"] and RAISES not in cell.metadata.get("tags", []):
            return CellEnd(verdict=Verdict.RAISED, name=end["name"], value=end["value"])
        return CellEnd(verdict=Verdict.DONE)

    async def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the cell."""
        self._process.signal(signal.SIGINT)

    async def dump(self, path: str) -> bool:
        """Have the process write a dump of its last exception."""
        self._cell = None  # what the dump's writing prints is not of the notebook
        with contextlib.suppress(EOFError, TimeoutError):
            await asyncio.wait_for(self._ask({"dump": path}), 60.0)
        return Path(path).exists()

    async def settle(self) -> None:
        """Write the state of widgets into the notebook."""
        self._recorder.keep_widgets()

    def keep(self) -> dict[str, Any] | None:
        """`None`: there is no kernel to keep."""
        return None

    def processes(self) -> Sequence[int]:
        """The process."""
        return [self._process.pid] if self._process.pid is not None else []

    def end(self, *, orderly: bool) -> None:
        """Ask the process to end, or kill it."""
        if not orderly:
            self._process.signal(signal.SIGKILL)
            return
        with contextlib.suppress(OSError):  # it has ended
            self._pipes.write({"end": True})

    async def ended(self) -> None:
        """Wait for its end."""
        try:
            await asyncio.wait_for(self._process.ended(_SOON), END_TIMEOUT)
        except TimeoutError:
            self._process.signal(signal.SIGKILL)
            await self._process.ended(_SOON)
        self._pipes.close()
        self._recorder.close()
        self._process.close()

    # -- requests and what comes back -----------------------------------------------------------

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait until it is done. Raises `EOFError` when the process ends."""
        self._done = asyncio.get_running_loop().create_future()
        watching = asyncio.ensure_future(self._fail_at_end())
        try:
            try:
                self._pipes.write(request)
            except OSError as error:
                raise EOFError from error
            return await self._done
        finally:
            watching.cancel()
            await asyncio.wait({watching})  # it listens where the next one will
            self._done = None

    async def _fail_at_end(self) -> None:
        """Fail the request once the process has ended, after all that it said is taken."""
        await self._process.ended()
        self._pipes.drain()
        self._fail(EOFError())

    def _take_message(self, message: dict[str, Any]) -> None:
        """Give a message to its cell; text, which names none, to the one that runs."""
        if self._cell is None:
            return
        name = message.pop("parent", "") or _name(self._cell[1])
        buffers = [base64.b64decode(buffer) for buffer in message.pop("buffers", ())]
        header = {"msg_type": message["msg_type"]}
        whole = {**message, "header": header, "parent_header": {"msg_id": name}, "buffers": buffers}
        self._recorder.process_message(whole, *self._cells.get(name, self._cell))

    def _take_answer(self, answer: dict[str, Any]) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(answer)

    def _fail(self, error: Exception) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)


def _name(at: int) -> str:
    """The id of the messages of the cell at an index."""
    return f"cell-{at}"
