"""One execution of a notebook: its cells and their statuses, its log, its saves, its profile.

papermill has put the parameters in before (`papermill_engine`); an executor runs each cell (`kernels`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from stagebook.errors import StageFailure
from stagebook.events import Cause, CellEnded, CellStarted, CellStatus
from stagebook.execution.attempt import (
    FILES_FOLDER,
    LOG_FILE,
    NOTEBOOK_FILE,
    OUTPUTS_FOLDER,
    Attempt,
    AttemptResult,
)  # fmt: skip
from stagebook.execution.fork.client import SOCKETS
from stagebook.execution.kernels.executor import CellEnd, Executor, Verdict, judged
from stagebook.execution.kernels.postmortem import DUMP_FILE
from stagebook.execution.kernels.recording import Sink
from stagebook.execution.worker import metadata
from stagebook.execution.worker.live import Emit, Live
from stagebook.execution.worker.masking import keep_dump
from stagebook.execution.worker.outputs import misplaced
from stagebook.execution.worker.profile import EVERY, Sampler, Usage
from stagebook.execution.worker.saving import Saver
from stagebook.system.files import private_folder
from stagebook.system.logins import Redaction

_SUCCESS = {"", "0", "None", "False"}  # values of SystemExit, as text, with the exit status 0
PROGRAM_FAILED = "ProgramFailed"  # of `stagebook_program`: a program has said itself how it ended
LAST_WORDS = 3.0  # seconds that an interrupted cell has to show where it was


class Stop:
    """A request to end early, from a signal or a timer. The first cause stays."""

    def __init__(self) -> None:
        self.cause: Cause | None = None
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def request(self, cause: Cause) -> None:
        """Request the end. May be called from a signal handler."""
        self.cause = self.cause or cause
        if self._waiting is not None:
            loop, event = self._waiting
            with contextlib.suppress(RuntimeError):  # the loop is closed: there is nothing to stop
                loop.call_soon_threadsafe(event.set)

    async def requested(self) -> None:
        """Wait until the end is requested."""
        event = asyncio.Event()
        self._waiting = (asyncio.get_running_loop(), event)
        if self.cause is None:
            await event.wait()


MakeExecutor = Callable[[NotebookNode, str, Sink], Executor]


class Session:
    """One execution of the notebook of an attempt."""

    def __init__(
        self,
        attempt: Attempt,
        emit: Emit,
        stop: Stop,
        make_executor: MakeExecutor,
        redacted: Redaction,
    ) -> None:
        """`redacted`: takes secrets out of all that is kept."""
        self.attempt = attempt
        self.folder = Path(attempt.folder)
        self.emit = emit
        self.stop = stop
        self.notebook: NotebookNode | None = None
        self.saver = Saver(self.folder / NOTEBOOK_FILE)
        self.cell: int | None = None
        self.cells = 0
        self.traceback = ""
        self.started = metadata.now()
        self.usage = Usage()
        self.dump = ""
        self._is_saved = False  # as it is, and settled as completed
        self.kernel: dict[str, Any] | None = None
        self._make_executor = make_executor
        self._redacted = redacted

    def execute(self, notebook: NotebookNode, kernel: str) -> None:
        """Run all cells. Raises `StageFailure`."""
        self.notebook = notebook
        self.cells = sum(1 for cell in notebook.cells if metadata.executes(cell))
        metadata.reset(notebook, self.attempt, kernel=kernel, started=self.started)
        try:
            with (self.folder / LOG_FILE).open("w", encoding="utf-8", errors="replace") as log:
                live = Live(self.emit, self.cells)
                sink = Sink(
                    folder=self.folder / FILES_FOLDER,
                    log=log,
                    heard=lambda text: self._heard(live, text),
                    changes=self._changes,
                    redacted=self._redacted,
                )
                asyncio.run(self._execute(self._make_executor(notebook, kernel, sink), live))
        except OSError as error:
            msg = f"the log could not be written: {error.strerror or error}"
            raise StageFailure(msg, cause=Cause.DISK) from error

    def result(self, cause: Cause | None, message: str) -> AttemptResult:
        """Settle the metadata, save for the last time, and return what became of the notebook."""
        notebook, message = self.notebook, self._redacted.text(message)
        if notebook is None:
            return AttemptResult(cause=cause or Cause.INTERNAL, message=message)
        try:
            if cause is not None or not self._is_saved:
                self._settle(notebook, cause, message)
                self.saver.save(notebook)
        except OSError as error:
            if cause is None:
                cause = Cause.DISK
                message = f"the executed notebook could not be saved: {error.strerror or error}"
                self._settle(notebook, cause, message)
            # A failed stage publishes nothing: its outputs make room for the notebook.
            shutil.rmtree(self.folder / OUTPUTS_FOLDER, ignore_errors=True)
            with contextlib.suppress(OSError):
                self.saver.save(notebook)
        return AttemptResult(
            cause=cause,
            message=message,
            cell=self._cell_told(cause),
            cells=self.cells,
            traceback=self.traceback,
            cpu=self.usage.cpu,
            memory=self.usage.memory,
            dump=self.dump,
            kernel=self.kernel,
        )

    def _cell_told(self, cause: Cause | None) -> int | None:
        """The cell that failed; 0 where the notebook was made for a program, which people do not think of in cells."""
        return 0 if self.attempt.program else (self.cell if cause else None)

    def _save_ahead(self, notebook: NotebookNode) -> None:
        """Settle and save a notebook that completed, while its process ends. What still comes of that changes it, so
        that `result` saves it again."""
        self._is_saved = True
        self._settle(notebook, None, "")
        try:
            self.saver.save(notebook)
        except OSError:
            self._is_saved = False  # `result` tells it

    def _settle(self, notebook: NotebookNode, cause: Cause | None, message: str) -> None:
        about = {
            "cause": str(cause) if cause else None,
            "message": message,
            "executor": self.attempt.executor,
        }
        metadata.settle(notebook, {**about, "profile": self.usage.to_json()}, started=self.started)

    # -- the executor ---------------------------------------------------------------------------

    async def _execute(self, executor: Executor, live: Live) -> None:
        sampler = Sampler(executor.processes)
        stopping = asyncio.ensure_future(self.stop.requested())
        watching = asyncio.ensure_future(self._watch(sampler, live))
        timer = None
        if (limit := self.attempt.timeout) is not None:
            timer = asyncio.get_running_loop().call_later(limit, self.stop.request, Cause.TIMEOUT)
        completed = orderly = False
        try:
            await self._start(executor, stopping)
            assert self.notebook is not None
            for at, cell in enumerate(self.notebook.cells):
                if not await self._run_cell(executor, sampler, live, cell, at, stopping):
                    break
            await executor.settle()
            completed = orderly = True
        except StageFailure as failure:
            orderly = failure.cause == Cause.EXCEPTION
            await self._after_failure(executor, failure)
            raise
        finally:
            executor.end(orderly=orderly)
            watching.cancel()
            self.usage = sampler.total
            live.flush()
            if completed and self.notebook is not None:
                self._save_ahead(self.notebook)
            await executor.ended()
            stopping.cancel()
            if timer is not None:
                timer.cancel()

    async def _start(self, executor: Executor, stopping: asyncio.Future[None]) -> None:
        starting = asyncio.ensure_future(executor.start())
        await _first(starting, stopping)
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
            self._raise_stopped()
        starting.result()

    async def _watch(self, sampler: Sampler, live: Live) -> None:
        """Sample CPU time and memory, and emit what is due."""
        while True:
            await asyncio.sleep(EVERY)
            sampler.look()
            live.tick(self.cell, sampler.total, sampler.frozen_for)

    async def _after_failure(self, executor: Executor, failure: StageFailure) -> None:
        """Keep a dump of the failure, and the kernel, where that was asked for."""
        if self.attempt.keep_dump and failure.cause == Cause.EXCEPTION:
            with contextlib.suppress(OSError, EOFError):
                # It is made in a folder that goes with the attempt: it may hold secrets.
                made = f"{private_folder(os.environ.get(SOCKETS, ''))}/{DUMP_FILE}"
                await executor.dump(made)
                if keep_dump(made, self.folder / DUMP_FILE, self._redacted):
                    self.dump = DUMP_FILE
        if self.attempt.keep_kernel and failure.cause not in {Cause.CANCELLED, Cause.KERNEL_START}:
            self.kernel = executor.keep()

    # -- cells ----------------------------------------------------------------------------------

    async def _run_cell(
        self,
        executor: Executor,
        sampler: Sampler,
        live: Live,
        cell: NotebookNode,
        at: int,
        stopping: asyncio.Future[None],
    ) -> bool:
        """Run one cell; whether the next one follows. Raises `StageFailure`."""
        if not metadata.executes(cell):
            cell.metadata.papermill["status"] = str(CellStatus.COMPLETED)
            return True
        if stopping.done():
            self._raise_stopped()
        self.cell = (self.cell or 0) + 1
        began = time.monotonic()
        metadata.begin_cell(cell)
        self.emit(CellStarted, cell=self.cell, cells=self.cells)
        sampler.begin_cell()
        running = asyncio.ensure_future(executor.run(cell, at))
        await asyncio.sleep(0)  # the cell is on its way before the notebook is saved
        self._save_sometimes()
        end = judged(await _end_of(running, executor, stopping), cell)
        live.flush()
        used, seconds = sampler.end_cell(), time.monotonic() - began
        exits = end.verdict is Verdict.RAISED and end.name == "SystemExit" and end.value in _SUCCESS
        good = end.verdict is Verdict.DONE or (exits and not stopping.done())
        status = CellStatus.COMPLETED if good else CellStatus.FAILED
        metadata.end_cell(cell, status, seconds, used)
        self.emit(
            CellEnded,
            cell=self.cell,
            cells=self.cells,
            status=status,
            seconds=seconds,
            cpu=used.cpu,
            memory=used.memory,
        )
        if good:
            self._save_sometimes()
            # `sys.exit(0)` ends the notebook well; the cells after it stay as never run.
            return not exits
        self.traceback = "" if end.name == PROGRAM_FAILED else metadata.traceback_of(cell)
        if stopping.done():
            self._raise_stopped()
        raise _failure(end, self.attempt)

    def _raise_stopped(self) -> None:
        cause = self.stop.cause or Cause.CANCELLED
        if cause is Cause.TIMEOUT:
            raise StageFailure(f"not done after {self.attempt.timeout:g} s", cause=cause)
        raise StageFailure("cancelled", cause=cause)

    # -- the notebook ---------------------------------------------------------------------------

    def _changes(self) -> None:
        self._is_saved = False

    def _heard(self, live: Live, text: str) -> None:
        live.heard(self.cell, text)
        self._save_sometimes()

    def _save_sometimes(self) -> None:
        if self.notebook is not None:
            self.saver.save_sometimes(self.notebook)


async def _first(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def _end_of(
    running: asyncio.Task[CellEnd], executor: Executor, stopping: asyncio.Future[None]
) -> CellEnd:
    """The end of the cell that runs. One that is to stop is interrupted, so that its traceback shows where it
    was, and abandoned if it does not end."""
    await _first(running, stopping)
    if not running.done():
        await executor.interrupt()
        await asyncio.wait({running}, timeout=LAST_WORDS)
    if not running.done():
        running.cancel()
        await asyncio.wait({running}, timeout=LAST_WORDS)
    return CellEnd(verdict=Verdict.STOPPED) if running.cancelled() else running.result()


_CAUSES = {Verdict.RAISED: Cause.EXCEPTION, Verdict.DIED: Cause.KERNEL_DIED, Verdict.DISK: Cause.DISK}


def _failure(end: CellEnd, attempt: Attempt) -> StageFailure:
    message = end.message
    if end.verdict is Verdict.RAISED:
        message = f"{end.name}: {end.value}{misplaced(end, attempt)}"
        if attempt.program:
            message = end.value if end.name == PROGRAM_FAILED else f"{attempt.program}: {message}"
    return StageFailure(message, cause=_CAUSES.get(end.verdict, Cause.INTERNAL))
