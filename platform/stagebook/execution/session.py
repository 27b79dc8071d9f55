"""One execution of a notebook on a kernel: the cells and their statuses, the log, the saves.

The only door to nbclient and jupyter_client. It knows nothing of papermill, which puts the
parameters in before (`papermill_engine`).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

# See definition.scripts: a check of URLs that costs a second to import and is not used.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

from jupyter_client.manager import AsyncKernelManager  # noqa: E402
from nbclient import NotebookClient  # noqa: E402
from nbclient.exceptions import (  # noqa: E402
    CellControlSignal,
    CellExecutionError,
    DeadKernelError,
)
from nbformat import NotebookNode  # noqa: E402

from stagebook.definition.values import Value  # noqa: E402
from stagebook.errors import StageFailure  # noqa: E402
from stagebook.events import Cause, CellStatus  # noqa: E402
from stagebook.execution.saving import Saver  # noqa: E402

START_TIMEOUT = 120.0  # seconds for a kernel to come up
LAST_WORDS = 3.0  # seconds that an interrupted kernel has to show where it was

Emit = Callable[[dict[str, Any]], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One notebook to execute. Paths are absolute; `timeout` is seconds."""

    source: Path
    shown_as: str
    target: Path
    log: Path
    outputs: Path
    cwd: Path
    values: Mapping[str, Value]
    types: Mapping[str, str]
    kernel: str | None
    timeout: float | None
    env: Mapping[str, str]


@dataclasses.dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of it. Without a cause it completed. `cell` counts code cells from 1."""

    cause: Cause | None = None
    message: str = ""
    cell: int | None = None
    cells: int = 0
    traceback: str = ""
    cell_list: list[Any] = dataclasses.field(default_factory=list)


class Stop:
    """A request to end early, from a signal or a timer. The first cause stays."""

    def __init__(self) -> None:
        self.cause: Cause | None = None
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def request(self, cause: Cause) -> None:
        """Ask; may be called from a signal handler."""
        self.cause = self.cause or cause
        if self._waiting is not None:
            loop, event = self._waiting
            loop.call_soon_threadsafe(event.set)

    async def requested(self) -> None:
        """Wait until it is asked for."""
        event = asyncio.Event()
        self._waiting = (asyncio.get_running_loop(), event)
        if self.cause is None:
            await event.wait()


class _Client(NotebookClient):
    """nbclient, telling of each output as it comes."""

    on_output: Callable[[NotebookNode], None] | None = None

    def process_message(self, *args: Any, **kwargs: Any) -> NotebookNode | None:
        output = super().process_message(*args, **kwargs)
        if output and self.on_output:
            self.on_output(output)
        return output


class Session:
    """One execution: the kernel, the cells and their statuses, the log, the saves."""

    def __init__(self, task: Task, emit: Emit, stop: Stop) -> None:
        self.task = task
        self.emit = emit
        self.stop = stop
        self.notebook: NotebookNode | None = None
        self.saver = Saver(task.target)
        self.cell: int | None = None
        self.cells = 0
        self.traceback = ""
        self.started = _now()

    def execute(self, notebook: NotebookNode, kernel: str) -> None:
        """Run all cells. Raises `StageFailure`."""
        self.notebook = notebook
        self.cells = sum(1 for cell in notebook.cells if _executes(cell))
        self._reset(notebook, kernel)
        try:
            with self.task.log.open("w", encoding="utf-8", errors="replace") as log:
                asyncio.run(self._execute(notebook, kernel, log))
        except OSError as error:
            msg = f"the log could not be written: {error.strerror or error}"
            raise StageFailure(msg, cause=Cause.DISK) from error

    def outcome(self, cause: Cause | None, message: str) -> Outcome:
        """Settle the metadata, save for the last time, and say what became of it."""
        notebook = self.notebook
        if notebook is None:
            return Outcome(cause=cause or Cause.INTERNAL, message=message)
        self._settle(notebook, cause, message)
        try:
            self.saver.save(notebook)
        except OSError as error:
            if cause is None:
                cause = Cause.DISK
                message = f"the executed notebook could not be saved: {error.strerror or error}"
                self._settle(notebook, cause, message)
            # A failed stage publishes nothing: its outputs make room for what became of it.
            shutil.rmtree(self.task.outputs, ignore_errors=True)
            with contextlib.suppress(OSError):
                self.saver.save(notebook)
        return Outcome(
            cause=cause,
            message=message,
            cell=self.cell if cause else None,
            cells=self.cells,
            traceback=self.traceback,
            cell_list=notebook.cells,
        )

    def _settle(self, notebook: NotebookNode, cause: Cause | None, message: str) -> None:
        """Write into the notebook what became of it."""
        ended = _now()
        meta = notebook.metadata.papermill
        meta["end_time"] = ended.isoformat()
        meta["duration"] = (ended - self.started).total_seconds()
        meta["exception"] = cause is not None
        notebook.metadata["stagebook"] = {"cause": str(cause) if cause else None, "message": message}

    # -- the kernel -----------------------------------------------------------------------------

    async def _execute(self, notebook: NotebookNode, kernel: str, log: TextIO) -> None:
        with tempfile.TemporaryDirectory(prefix="sb-") as folder:  # made with mode 0700
            manager = AsyncKernelManager(kernel_name=kernel, connection_file=f"{folder}/k.json")
            if os.name == "posix":
                # Private sockets with short paths: no TCP port that two kernels can fight for, or
                # that another user of the machine can reach.
                manager.transport = "ipc"
                manager.ip = f"{folder}/k"
            client = _Client(notebook, km=manager, timeout=None, allow_errors=False)
            client.startup_timeout = START_TIMEOUT  # type: ignore[assignment]
            client.on_output = lambda output: self._output(output, log)
            stopping = asyncio.ensure_future(self.stop.requested())
            timer = self._timer()
            try:
                await self._start(client, stopping)
                for at, cell in enumerate(notebook.cells):
                    if not await self._run_cell(client, cell, at, stopping):
                        break
                with contextlib.suppress(Exception):
                    client.set_widgets_metadata()
            finally:
                stopping.cancel()
                if timer is not None:
                    timer.cancel()
                await self._end_kernel(client, manager)

    def _timer(self) -> asyncio.TimerHandle | None:
        if self.task.timeout is None:
            return None
        loop = asyncio.get_running_loop()
        return loop.call_later(self.task.timeout, self.stop.request, Cause.TIMEOUT)

    async def _start(self, client: _Client, stopping: asyncio.Future[None]) -> None:
        async def begin() -> None:
            await client.async_start_new_kernel(cwd=str(self.task.cwd), env=dict(self.task.env))
            await client.async_start_new_kernel_client()
            assert client.kc is not None
            reply = await client.async_wait_for_reply(client.kc.kernel_info())
            if reply is not None:
                client.nb.metadata["language_info"] = reply["content"]["language_info"]

        starting = asyncio.ensure_future(begin())
        await _first(starting, stopping)
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
            self._raise_stopped()
        if (error := starting.exception()) is not None:
            what = str(error) or type(error).__name__
            msg = f"the kernel '{client.kernel_name}' did not start: {what}"
            raise StageFailure(msg, cause=Cause.KERNEL_START) from error

    async def _end_kernel(self, client: _Client, manager: AsyncKernelManager) -> None:
        with contextlib.suppress(Exception):
            if client.kc is not None:
                client.kc.stop_channels()
        with contextlib.suppress(Exception):
            await manager.shutdown_kernel(now=True)
        with contextlib.suppress(Exception):
            await manager.cleanup_resources()

    # -- cells ----------------------------------------------------------------------------------

    async def _run_cell(
        self, client: _Client, cell: NotebookNode, at: int, stopping: asyncio.Future[None]
    ) -> bool:
        """Run one cell; whether the next one follows. Raises `StageFailure`."""
        meta = cell.metadata.papermill
        if not _executes(cell):
            meta["status"] = str(CellStatus.COMPLETED)
            return True
        if stopping.done():
            self._raise_stopped()
        self.cell = (self.cell or 0) + 1
        began = time.monotonic()
        meta.update(status=str(CellStatus.RUNNING), start_time=_now().isoformat(), exception=False)
        self.emit({"kind": "cell_started", "cell": self.cell, "cells": self.cells})
        self.saver.save_sometimes(client.nb)
        running = asyncio.ensure_future(client.async_execute_cell(cell, at))
        await _first(running, stopping)
        if not running.done():
            await self._interrupt(client, running)
        error = _error_of(running)
        if stopping.done() and error is not None:
            self._close_cell(meta, CellStatus.FAILED, began)
            self.traceback = _traceback(cell)
            self._raise_stopped()
        match error:
            case None:
                self._close_cell(meta, CellStatus.COMPLETED, began)
                return True
            case CellExecutionError() if error.ename == "SystemExit" and error.evalue in {"", "0", "None"}:
                # `sys.exit(0)` ends the notebook well; the cells after it stay as never run.
                self._close_cell(meta, CellStatus.COMPLETED, began)
                return False
            case CellExecutionError():
                self._close_cell(meta, CellStatus.FAILED, began)
                self.traceback = _traceback(cell)
                msg = f"{error.ename}: {error.evalue}"
                raise StageFailure(msg, cause=Cause.EXCEPTION) from error
            case DeadKernelError():
                self._close_cell(meta, CellStatus.FAILED, began)
                msg = f"the kernel died {await _how_it_died(client)}"
                raise StageFailure(msg, cause=Cause.KERNEL_DIED) from error
        self._close_cell(meta, CellStatus.FAILED, began)
        msg = f"the cell could not be executed: {type(error).__name__}: {error}"
        raise StageFailure(msg, cause=Cause.INTERNAL) from error

    def _close_cell(self, meta: Any, status: CellStatus, began: float) -> None:
        seconds = time.monotonic() - began
        meta.update(
            status=str(status),
            end_time=_now().isoformat(),
            duration=seconds,
            exception=status is CellStatus.FAILED,
        )
        self.emit(
            {
                "kind": "cell_ended",
                "cell": self.cell,
                "cells": self.cells,
                "status": str(status),
                "seconds": seconds,
            }
        )
        if self.notebook is not None and status is CellStatus.COMPLETED:
            self.saver.save_sometimes(self.notebook)

    async def _interrupt(self, client: _Client, running: asyncio.Future[Any]) -> None:
        """Interrupt the kernel, so that the traceback shows where it was; then give up on it."""
        with contextlib.suppress(Exception):
            assert client.km is not None
            await client.km.interrupt_kernel()
        await asyncio.wait({running}, timeout=LAST_WORDS)
        if not running.done():
            running.cancel()
            await asyncio.wait({running}, timeout=LAST_WORDS)

    def _raise_stopped(self) -> None:
        cause = self.stop.cause or Cause.CANCELLED
        if cause is Cause.TIMEOUT:
            msg = f"not done after {self.task.timeout:g} s"
            raise StageFailure(msg, cause=cause)
        msg = "cancelled"
        raise StageFailure(msg, cause=cause)

    # -- outputs --------------------------------------------------------------------------------

    def _output(self, output: NotebookNode, log: TextIO) -> None:
        text = ""
        match output.get("output_type"):
            case "stream":
                text = output.text
            case "error":
                text = "\n".join(output.get("traceback", ())) + "\n"
            case "display_data" | "execute_result":
                plain = output.get("data", {}).get("text/plain", "")
                text = f"{plain}\n" if plain else ""
        if text:
            with contextlib.suppress(OSError):  # a full disk; the notebook holds the outputs
                log.write(text)
                log.flush()
        if self.notebook is not None:
            self.saver.save_sometimes(self.notebook)

    def _reset(self, notebook: NotebookNode, kernel: str) -> None:
        meta = notebook.metadata.setdefault("papermill", new_node())
        meta.update(
            input_path=self.task.shown_as,
            output_path=None,
            start_time=self.started.isoformat(),
            end_time=None,
            duration=None,
            exception=None,
        )
        meta["parameters"] = json.loads(json.dumps(dict(self.task.values)))
        notebook.metadata.kernelspec["name"] = kernel
        for cell in notebook.cells:
            cell.metadata["papermill"] = new_node(
                exception=None,
                start_time=None,
                end_time=None,
                duration=None,
                status=str(CellStatus.PENDING),
            )
            if cell.cell_type == "code":
                cell.outputs = []
                cell.execution_count = None


def new_node(**values: Any) -> NotebookNode:
    """A part of a notebook."""
    return NotebookNode(values)  # type: ignore[no-untyped-call]


async def _first(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


def _executes(cell: NotebookNode) -> bool:
    return bool(cell.cell_type == "code" and cell.source.strip())


def _error_of(running: asyncio.Future[Any]) -> BaseException | None:
    if running.cancelled() or not running.done():
        return asyncio.CancelledError()
    error = running.exception()
    # Control signals of nbclient other than a failed cell do not come out of execute_cell.
    return (
        DeadKernelError("Kernel died")
        if isinstance(error, CellControlSignal) and not isinstance(error, CellExecutionError)
        else error
    )


def _traceback(cell: NotebookNode) -> str:
    for output in reversed(cell.get("outputs", [])):
        if output.get("output_type") == "error":
            return "\n".join(output.get("traceback", ()))[-20_000:]
    return ""


async def _how_it_died(client: _Client) -> str:
    code = None
    with contextlib.suppress(Exception):
        assert client.km is not None
        provisioner = client.km.provisioner
        code = await provisioner.poll() if provisioner is not None else None
    if not isinstance(code, int):
        return "while the cell ran"
    if code < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
            more = " (out of memory?)" if name == "SIGKILL" else ""
            return f"while the cell ran, killed by {name}{more}"
    return f"while the cell ran, with exit code {code}"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
