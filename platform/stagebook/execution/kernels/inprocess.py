"""`executor: inprocess`, the outer side: a process of its own for the cells, and what comes from it.

The inner side (`cells`) runs them with ploomber-engine. Whatever happens in there, a crash
included, is seen and told here.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from stagebook.errors import StageFailure
from stagebook.events import Cause
from stagebook.execution.fork.client import Forked, ForkRefused, ask, request_of
from stagebook.execution.kernels.executor import CellEnd, Surroundings, Verdict
from stagebook.execution.kernels.recording import Recorder, Sink, not_kept
from stagebook.system import processes

END_TIMEOUT = 10.0  # seconds for the process to end by itself
_STREAMS = ("stdout", "stderr")
_READY = 60.0  # seconds for a forked process to be ready
_READ = 1 << 18
_MAX_READS = 64
_HEAD = 5  # bytes: see `cells`


_LANGUAGE = {
    "name": "python",
    "version": ".".join(map(str, sys.version_info[:3])),
    "mimetype": "text/x-python",
    "file_extension": ".py",
    "codemirror_mode": {"name": "ipython", "version": 3},
    "pygments_lexer": "ipython3",
    "nbconvert_exporter": "python",
}


class InprocessExecutor:
    """The cells of one notebook in one process, without a kernel."""

    def __init__(self, notebook: NotebookNode, sink: Sink, where: Surroundings) -> None:
        self._recorder = Recorder(notebook)
        self._recorder.prepare(sink)
        self._notebook = notebook
        self._cwd = where.cwd
        self._env = dict(where.env)
        self._fork_address = where.fork_address
        self._process: Forked | subprocess.Popen[bytes] | None = None
        self._requests = -1  # our ends of the pipes
        self._frames = -1
        self._raw: dict[int, str] = {}
        self._decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in _STREAMS}
        self._data = bytearray()
        self._done: asyncio.Future[dict[str, Any]] | None = None
        self._cell: tuple[Any, int] | None = None

    # -- the process ----------------------------------------------------------------------------

    async def start(self) -> None:
        """Have the process, and listen to it. Raises `StageFailure`."""
        asked, self._requests = os.pipe()
        self._frames, told = os.pipe()
        output, written = os.pipe()
        errors, complained = os.pipe()
        self._raw = {output: "stdout", errors: "stderr"}
        for number in (self._frames, output, errors):
            os.set_blocking(number, False)  # also for the end of a process that never came up
        try:
            await self._begin(asked, told, written, complained)
        except OSError as error:
            msg = f"the process of the cells did not start: {error}"
            raise StageFailure(msg, cause=Cause.KERNEL_START) from error
        finally:
            for number in (asked, told, written, complained):
                os.close(number)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._frames, self._read_frames)
        for number in self._raw:
            loop.add_reader(number, self._read_raw, number)
        self._notebook.metadata["language_info"] = NotebookNode(_LANGUAGE)  # type: ignore[no-untyped-call]

    async def _begin(self, asked: int, told: int, output: int, errors: int) -> None:
        if self._fork_address:
            request = request_of("cells", cwd=self._cwd, env=self._env)
            try:
                forked = ask(self._fork_address, request, [asked, told, output, errors])
                await forked.told("pid", _READY)
            except ForkRefused as error:
                sys.stderr.write(f"the process of the cells starts the ordinary way: {error}\n")
            else:
                self._process = forked
                return
        self._process = subprocess.Popen(
            [sys.executable, "-m", "stagebook.execution.kernels.cells", str(asked), str(told)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            pass_fds=[asked, told],
            cwd=self._cwd,
            env=self._env,
            start_new_session=True,
        )

    # -- what the session asks for --------------------------------------------------------------

    async def run(self, cell: Any, at: int) -> CellEnd:
        """Run one cell."""
        self._cell = (cell, at)
        cell.outputs = []
        try:
            end = await self._ask({"cell": cell.source})
        except asyncio.CancelledError:
            return CellEnd(verdict=Verdict.STOPPED)
        except EOFError:
            what = f"the process of the notebook died while the cell ran, {self._how_it_died()}"
            return CellEnd(verdict=Verdict.DIED, message=what)
        except OSError as error:
            return CellEnd(verdict=Verdict.DISK, message=not_kept(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours, told as such
            what = f"an output could not be taken: {type(error).__name__}: {error}"
            return CellEnd(verdict=Verdict.BROKEN, message=what)
        finally:
            self._recorder.close_cell(at)
        cell.execution_count = end["count"]
        if end["name"] and "raises-exception" not in cell.metadata.get("tags", []):
            return CellEnd(verdict=Verdict.RAISED, name=end["name"], value=end["value"])
        return CellEnd(verdict=Verdict.DONE)

    async def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the cell."""
        self._signal(signal.SIGINT)

    async def dump(self, path: str) -> bool:
        """Have the process write a dump of its last exception."""
        with contextlib.suppress(EOFError, TimeoutError):
            await asyncio.wait_for(self._ask({"dump": path}), 60.0)
        return Path(path).exists()

    async def settle(self) -> None:
        """There are no widgets without a kernel."""

    def keep(self) -> dict[str, Any] | None:
        """There is no kernel to keep."""
        return None

    def processes(self) -> Sequence[int]:
        """The process."""
        pid = self._process.pid if self._process is not None else None
        return [pid] if pid is not None else []

    def end(self, *, orderly: bool) -> None:
        """Ask the process to end, or kill it."""
        if not orderly:
            self._signal(signal.SIGKILL)
            return
        with contextlib.suppress(OSError):
            os.write(self._requests, b'{"end": true}\n')

    async def ended(self) -> None:
        """Wait for its end."""
        deadline = time.monotonic() + END_TIMEOUT
        while not self._has_ended():
            if time.monotonic() > deadline:
                self._signal(signal.SIGKILL)
            await asyncio.sleep(0.002)
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            self._drain_raw()
        self._recorder.close()
        for number in (self._frames, *self._raw):
            if number >= 0:
                loop.remove_reader(number)
                os.close(number)
        if self._requests >= 0:
            os.close(self._requests)
        if isinstance(self._process, Forked):
            self._process.close()

    # -- the pipes ------------------------------------------------------------------------------

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait until it is done. Raises `EOFError` when the process ends."""
        loop = asyncio.get_running_loop()
        self._done = loop.create_future()
        watching = asyncio.ensure_future(self._watch())
        try:
            try:
                self._write(request)
            except OSError as error:
                raise EOFError from error
            return await self._done
        finally:
            watching.cancel()
            self._done = None

    def _write(self, request: dict[str, Any]) -> None:
        data = memoryview(json.dumps(request).encode() + b"\n")
        while data:
            data = data[os.write(self._requests, data) :]

    async def _watch(self) -> None:
        """Notice the end of the process, after all that it said is taken."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        link = self._process if isinstance(self._process, Forked) else None
        if link is not None:
            loop.add_reader(link.fileno(), ended.set)
        try:
            while not self._has_ended():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), 60.0 if link is not None else 0.1)
        finally:
            if link is not None:
                loop.remove_reader(link.fileno())
        self._read_frames()
        self._drain_raw()
        self._fail(EOFError())

    def _read_frames(self) -> None:
        for _ in range(16):  # then others have their turn
            try:
                data = os.read(self._frames, _READ)
            except (BlockingIOError, OSError):
                return
            if not data:
                asyncio.get_running_loop().remove_reader(self._frames)
                return
            self._data += data
            try:
                self._take_frames()
            except Exception as error:  # noqa: BLE001 - it becomes the end of the cell
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)

    def _take_frames(self) -> None:
        at = 0
        while len(self._data) - at >= _HEAD:
            size = int.from_bytes(self._data[at + 1 : at + _HEAD], "big")
            if len(self._data) - at < _HEAD + size:
                break
            letter = self._data[at : at + 1]
            payload = bytes(self._data[at + _HEAD : at + _HEAD + size])
            at += _HEAD + size
            if letter == b"o" or letter == b"e":  # noqa: PLR1714 - bytearray is not hashable
                self._stream("stdout" if letter == b"o" else "stderr", payload.decode("utf-8", "replace"))
            elif letter == b"m":
                self._message(json.loads(payload.decode("utf-8", "surrogatepass")))
            else:
                self._drain_raw()
                if self._done is not None and not self._done.done():
                    self._done.set_result(json.loads(payload))
        del self._data[:at]

    def _read_raw(self, number: int) -> None:
        try:
            data = os.read(number, _READ)
        except (BlockingIOError, OSError):
            return
        if data:
            try:
                self._raw_text(self._raw[number], data)
            except OSError as error:  # no room for it; it is of the cell that runs
                self._fail(error)
        else:
            asyncio.get_running_loop().remove_reader(number)

    def _drain_raw(self) -> None:
        """What subprocesses wrote before the cell ended."""
        for number, name in self._raw.items():
            with contextlib.suppress(OSError):
                for _ in range(_MAX_READS):  # one that never stops has its turn like the others
                    if not (data := os.read(number, _READ)):
                        break
                    self._raw_text(name, data)

    def _raw_text(self, name: str, data: bytes) -> None:
        """What subprocesses write; a read may end within a character."""
        if text := self._decoders[name].decode(data):
            self._stream(name, text)

    def _stream(self, name: str, text: str) -> None:
        self._message({"msg_type": "stream", "content": {"name": name, "text": text}})

    def _message(self, message: dict[str, Any]) -> None:
        if self._cell is not None:
            header = {"msg_type": message["msg_type"]}
            self._recorder.process_message({**message, "header": header, "parent_header": {}}, *self._cell)

    # -- its end --------------------------------------------------------------------------------

    def _signal(self, number: int) -> None:
        if isinstance(self._process, Forked):
            self._process.say(signal=int(number))
        elif self._process is not None and self._process.poll() is None:
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, number)

    def _exit_code(self) -> int | None:
        """None while it is there."""
        if self._process is None:
            return 0
        if isinstance(self._process, subprocess.Popen):
            return self._process.poll()
        if self._process.returncode is None:
            self._process.read()
        gone = -int(signal.SIGKILL) if self._process.gone else None  # its supervisor took it along
        return gone if self._process.returncode is None else self._process.returncode

    def _has_ended(self) -> bool:
        return self._exit_code() is not None

    def _how_it_died(self) -> str:
        code = self._exit_code() or 0
        if code >= 0:
            return f"with exit code {code}"
        name = processes.signal_name(-code)
        return f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
