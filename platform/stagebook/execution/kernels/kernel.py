"""`executor: kernel`: the cells run in a Jupyter kernel, through nbclient."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import queue
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import zmq.asyncio
from nbclient.exceptions import CellControlSignal, CellExecutionComplete, CellExecutionError, DeadKernelError
from nbformat import NotebookNode

from stagebook.errors import StageFailure
from stagebook.events import Cause
from stagebook.execution.fork.client import KEPT_FOR, SOCKETS
from stagebook.execution.kernels import reasons
from stagebook.execution.kernels.executor import CellEnd, Surroundings, Verdict, how_ended
from stagebook.execution.kernels.postmortem import code_for_dump
from stagebook.execution.kernels.programs import beside_interpreter
from stagebook.execution.kernels.provisioner import Manager
from stagebook.execution.kernels.recording import Recorder, Sink, not_kept
from stagebook.system import processes
from stagebook.system.files import private_folder, write_whole

_log = logging.getLogger(__name__)

START_TIMEOUT = 120.0  # seconds for a kernel to come up
END_TIMEOUT = 10.0  # seconds for a kernel to end by itself, with what its notebook left to do
IDLE_TIMEOUT = 0.5  # of them, seconds in which a kernel of another kind does nothing at all
WAITING = 200  # messages that may wait to be read; the kernel waits once there are more
_LAST_OUTPUTS = 0.3  # seconds without a message, after which none is expected from a dead kernel


class KernelExecutor:
    """A kernel, forked where that can be done and else started the ordinary way."""

    def __init__(self, notebook: NotebookNode, kernel: str, sink: Sink, where: Surroundings) -> None:
        self._client = _Client(notebook)
        self._client.prepare(sink)
        self._name = kernel
        self._cwd = where.cwd
        self._env = {**where.env, processes.KEPT: "1"} if where.may_outlive else where.env
        self._may_outlive = where.may_outlive
        self._log = reasons.Log(where.log)
        self._kept = False
        self._orderly = False
        self._count = 0  # the number of the last cell
        self._folder = ""  # of a kernel that is started the ordinary way
        self._context = zmq.asyncio.Context()
        self._context.rcvhwm = WAITING
        self._context.reconnect_ivl = 10  # ms; a kernel that is started needs a while to listen
        self._manager = Manager(kernel_name=kernel, context=self._context)
        self._manager.fork_address = where.fork_address
        self._manager.make_folder = self._make_folder
        self._client.km = self._manager

    def _make_folder(self) -> None:
        """Make a folder for private sockets with short paths: no TCP port that two kernels could want, or that
        another user of the machine could reach."""
        self._folder = private_folder(os.environ.get(SOCKETS, ""))
        self._manager.connection_file = f"{self._folder}/k.json"
        if os.name == "posix":
            self._manager.transport = "ipc"
            self._manager.ip = f"{self._folder}/k"

    async def start(self) -> None:
        """Start the kernel and wait until it answers. Raises `StageFailure`."""
        try:
            env = beside_interpreter(self._env, self._manager.interpreter)
            await self._manager.start(cwd=self._cwd, env=env, independent=self._may_outlive)
            client = self._client.kc = self._manager.client()
            client.allow_stdin = False
            client.start_channels(stdin=False, hb=not self._manager.is_ours)
            if self._manager.is_ours:
                await asyncio.wait_for(self._ready(), START_TIMEOUT)
            else:
                await client.wait_for_ready(timeout=START_TIMEOUT)
                reply = await self._client.async_wait_for_reply(client.kernel_info())
                self._take_info(reply)
        except Exception as error:  # whatever jupyter_client raises: it is told as the failure of the stage
            reason = await _why_not_started(self._manager, self._log, error)
            msg = f"the kernel '{self._name}' did not start: {reason}"
            raise StageFailure(msg, cause=Cause.KERNEL_START) from error

    async def _ready(self) -> None:
        """Wait for the kernel's welcome message, after which no output is lost, and for its info."""
        client: Any = self._client.kc
        assert client is not None
        asked = client.kernel_info()
        welcome = info = False
        while not (welcome and info):
            if not welcome:
                with contextlib.suppress(queue.Empty):
                    message = await client.get_iopub_msg(timeout=0.2)
                    # Older versions send no welcome, but their state.
                    welcome = message["msg_type"] in {"iopub_welcome", "status"}
            if welcome and not info:
                with contextlib.suppress(queue.Empty):
                    reply = await client.get_shell_msg(timeout=0.2)
                    if reply["parent_header"].get("msg_id") == asked:
                        self._take_info(reply)
                        info = True
            if not info and not await self._manager.is_alive():
                raise DeadKernelError("it ended")

    def _take_info(self, reply: Mapping[str, Any] | None) -> None:
        if reply is not None and "language_info" in reply["content"]:
            self._client.nb.metadata["language_info"] = reply["content"]["language_info"]

    async def run(self, cell: Any, at: int) -> CellEnd:
        """Run one cell."""
        try:
            await self._client.async_execute_cell(cell, at)
        except CellExecutionError as error:
            return CellEnd(verdict=Verdict.RAISED, name=error.ename, value=error.evalue)
        except (DeadKernelError, CellControlSignal):
            # Control signals of nbclient other than a failed cell do not come out of it.
            if cell.execution_count is None:  # the process was gone before it had said the number
                cell.execution_count = self._count + 1
            return CellEnd(verdict=Verdict.DIED, message=f"the kernel died {await self._how_it_died()}")
        except asyncio.CancelledError:
            return CellEnd(verdict=Verdict.STOPPED)
        except OSError as error:
            return CellEnd(verdict=Verdict.DISK, message=not_kept(error))
        except Exception as error:  # noqa: BLE001 - whatever else nbclient raises
            what = f"the cell could not be executed: {type(error).__name__}: {error}"
            return CellEnd(verdict=Verdict.BROKEN, message=what)
        finally:
            self._count = cell.execution_count or self._count
            self._client.close_cell(at)
        if self._client.asked_to_exit:  # as `sys.exit()`, but without an exception
            return CellEnd(verdict=Verdict.RAISED, name="SystemExit")
        return CellEnd(verdict=Verdict.DONE)

    async def interrupt(self) -> None:
        """Interrupt the kernel."""
        with _logged("interrupting the kernel"):
            await self._manager.interrupt_kernel()

    async def dump(self, path: str) -> bool:
        """Have the kernel write a dump of its last exception."""
        client = self._client.kc
        if client is None or not self._manager.is_ours:
            return False
        with _logged("dumping the failure"):
            asked = client.execute(code_for_dump(path), silent=True, store_history=False)
            await asyncio.wait_for(self._client.async_wait_for_reply(asked), 60.0)
        return Path(path).exists()

    async def settle(self) -> None:
        """Write the state of widgets into the notebook."""
        self._client.keep_widgets()

    def keep(self) -> dict[str, Any] | None:
        """Leave the kernel alive."""
        pid = self._manager.pid
        if pid is None or processes.started_at(pid) is None:
            return None
        self._kept = True
        file = Path(self._manager.connection_file)
        info = {**json.loads(file.read_bytes()), "kernel_name": self._name}  # JupyterLab asks for the name
        if self._manager.forked is None:
            file = file.with_name("kept.json")  # the first one goes with its manager
        write_whole(file, json.dumps(info, indent=1).encode())
        if self._manager.forked is not None:
            self._manager.forked.say(keep=True)
        started = processes.started_at(pid)
        expires = time.time() + KEPT_FOR if self._manager.forked is not None else None
        return {"pid": pid, "started": started, "expires": expires, "connection_file": str(file)}

    def processes(self) -> Sequence[int]:
        """The kernel."""
        pid = self._manager.pid
        return [pid] if pid is not None else []

    def end(self, *, orderly: bool) -> None:
        """Ask the kernel to shut down, so that it does what is left to do at its exit; or kill it."""
        self._orderly = orderly
        client = self._client.kc
        if orderly and not self._kept and client is not None:
            with _logged("asking the kernel to shut down"):
                client.shutdown()

    async def ended(self) -> None:
        """Wait for the end of the kernel, and clear away."""
        if not self._kept:
            if self._orderly:
                await _end_by_itself(self._manager)
            with _logged("killing the kernel"):
                await self._manager.kill_and_wait(END_TIMEOUT)
        if self._client.kc is not None:
            with _logged("closing the kernel's channels"):
                self._client.kc.stop_channels()
        self._client.close()
        if self._kept:
            self._context.destroy(linger=0)
            return
        with _logged("cleaning up after the kernel"):
            await self._manager.cleanup_resources()
        self._context.destroy(linger=0)
        # A forked kernel's supervisor clears away as well, unless it was killed.
        forked = self._manager.forked is not None
        folder = str(Path(self._manager.connection_file).parent) if forked else self._folder
        if folder:
            shutil.rmtree(folder, ignore_errors=True)

    async def _how_it_died(self) -> str:
        code = None
        with _logged("asking for the kernel's exit code"):
            code = await self._manager.exit_code()
        return f"while the cell ran, {how_ended(code)}" if isinstance(code, int) else "while the cell ran"


async def _why_not_started(manager: Manager, log: reasons.Log, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no program '{manager.interpreter}'"
    code = None
    with _logged("asking for the kernel's exit code"):
        code = await manager.exit_code()
    if isinstance(code, int) and (isinstance(error, TimeoutError) or not isinstance(error, OSError)):
        return reasons.of_end(code, log.since_then(), manager.argv)
    if isinstance(error, TimeoutError):
        return f"it did not answer within {START_TIMEOUT:g} s"
    return str(error) or type(error).__name__


async def _end_by_itself(manager: Manager) -> None:
    """Wait until the kernel has ended with what its notebook left to do. A kernel that is not ours may wait for
    something that does not come, such as the end of its own child: once it has done nothing for a while, that
    is enough."""
    deadline = time.monotonic() + END_TIMEOUT
    idle = _Idle(manager.pid)
    while time.monotonic() < deadline and await manager.is_alive():
        if not manager.is_ours and idle.seconds() > IDLE_TIMEOUT:
            return
        await asyncio.sleep(0.005)


class _Idle:
    """For how long a process has used no time of any CPU."""

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._used: float | None = None
        self._since = time.monotonic()

    def seconds(self) -> float:
        """Seconds, as far as they were looked at."""
        used = processes.cpu_seconds(self._pid) if self._pid is not None else None
        if used is None or used != self._used:
            self._used, self._since = used, time.monotonic()
        return time.monotonic() - self._since


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    """Go on whatever jupyter_client or nbclient raises; the log of the worker tells it."""
    try:
        yield
    except Exception:  # noqa: BLE001 - whatever they raise; it is logged
        _log.exception("%s failed", what)


class _Client(Recorder):
    """nbclient on a kernel, with three changes: messages of an earlier cell go to that cell; the end of the
    kernel is noticed at once, after all its messages are taken; and `exit()` is noticed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # A flood of outputs may take any time.
        super().__init__(*args, timeout=None, iopub_timeout=10**9, allow_errors=False, **kwargs)
        self._cells: dict[str, tuple[Any, int]] = {}
        self._heard = 0.0
        self.asked_to_exit = False
        self.on_cell_executed = self._executed

    def _executed(self, *, execute_reply: Any, **_: Any) -> None:
        payload = execute_reply["content"].get("payload") or ()
        self.asked_to_exit = any(item.get("source") == "ask_exit" for item in payload)

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: Any, cell_index: int) -> None:
        assert self.kc is not None
        self._cells[parent_msg_id] = (cell, cell_index)
        while True:
            message = await self.kc.iopub_channel.get_msg(timeout=None)
            self._heard = time.monotonic()
            parent = message["parent_header"].get("msg_id")
            if parent not in self._cells:
                continue
            try:
                self.process_message(message, *self._cells[parent])
            except CellExecutionComplete:
                if parent == parent_msg_id:
                    return

    async def _async_poll_kernel_alive(self) -> None:
        manager = self.km
        assert isinstance(manager, Manager)
        while await manager.is_alive():
            if manager.forked is not None and not manager.forked.gone:
                await manager.forked.has_news(0.5)
            else:
                await asyncio.sleep(0.5)
        while time.monotonic() - self._heard < _LAST_OUTPUTS:
            await asyncio.sleep(0.05)
        if self.task_poll_for_reply is not None:
            self.task_poll_for_reply.cancel()
