"""The process that runs the cells of `executor: inprocess`: its start, its pipes, its end."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from stagebook.execution.fork.client import Forked, ForkRefused, ask, request_of
from stagebook.execution.kernels.executor import Surroundings
from stagebook.execution.kernels.programs import beside_interpreter
from stagebook.system import processes
from stagebook.system.files import utf8

_READY = 60.0  # seconds for a forked process to be ready
_READ = 1 << 18
_MAX_READS = 64
_HEAD = 5  # bytes: see `cells`


class CellsProcess:
    """The process, forked where that can be done and else started the ordinary way."""

    def __init__(self, where: Surroundings) -> None:
        self._where = where
        self._process: Forked | subprocess.Popen[bytes] | None = None

    async def start(self, asked: int, told: int, output: int, errors: int) -> None:
        """Start it with its ends of the four pipes: requests, frames, output, errors. Raises `OSError`."""
        where = self._where
        env = beside_interpreter(where.env, sys.executable)
        if where.fork_address:
            request = request_of("cells", cwd=where.cwd, env=env)
            try:
                forked = ask(where.fork_address, request, [asked, told, output, errors])
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
            cwd=where.cwd,
            env=env,
            start_new_session=True,
        )

    @property
    def pid(self) -> int | None:
        """Its id, once there is one."""
        return self._process.pid if self._process is not None else None

    def signal(self, number: int) -> None:
        """Send a signal to its process group."""
        if isinstance(self._process, Forked):
            self._process.say(signal=int(number))
        elif self._process is not None and self._process.poll() is None:
            processes.signal_group(self._process.pid, number)

    def exit_code(self) -> int | None:
        """`None` while it is there; 0 where it never was."""
        return self._process.poll() if self._process is not None else 0

    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self.exit_code() is not None

    async def ended(self, every: float = 0.1) -> None:
        """Wait until it has ended by itself; where nobody tells, it is looked at `every` so many seconds."""
        while not self.has_ended():
            if isinstance(self._process, Forked):
                await self._process.has_news(60.0)
            else:
                await asyncio.sleep(every)

    def close(self) -> None:
        """Close the connection to its supervisor."""
        if isinstance(self._process, Forked):
            self._process.close()


class Pipes:
    """Our ends of its four pipes: requests to it, and its frames, output and errors. `message` takes each
    Jupyter message that comes; `done` the answer to a request; `failed` what either of them raised, since
    there is nobody else to raise it to."""

    def __init__(
        self,
        message: Callable[[dict[str, Any]], None],
        done: Callable[[dict[str, Any]], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._message = message
        self._done = done
        self._failed = failed
        self._requests = self._frames = -1
        self._raw: dict[int, str] = {}  # descriptor → name of the stream
        self._decoders = {
            name: codecs.getincrementaldecoder("utf-8")("replace") for name in ("stdout", "stderr")
        }
        self._data = bytearray()

    def open(self) -> tuple[int, int, int, int]:
        """Make the pipes; the other ends, as `CellsProcess.start` takes them. Raises `OSError`."""
        asked, self._requests = os.pipe()
        self._frames, told = os.pipe()
        output, written = os.pipe()
        errors, complained = os.pipe()
        self._raw = {output: "stdout", errors: "stderr"}
        for number in (self._frames, output, errors):
            os.set_blocking(number, False)  # also for the end of a process that never came up
        return asked, told, written, complained

    def listen(self) -> None:
        """Take from here on what comes."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._frames, self._read_frames)
        for number in self._raw:
            loop.add_reader(number, self._read_raw, number)

    def write(self, request: Mapping[str, Any]) -> None:
        """Send a request. Raises `OSError`."""
        data = memoryview(utf8(json.dumps(request, ensure_ascii=False)) + b"\n")
        while data:
            data = data[os.write(self._requests, data) :]

    def drain(self) -> None:
        """Take all that has come."""
        self._read_frames()
        self._drain_raw()

    def close(self) -> None:
        """Take what subprocesses wrote at the end, and close our ends."""
        with contextlib.suppress(OSError):  # no room for it, and no cell that it could fail
            self._drain_raw()
        loop = asyncio.get_running_loop()
        for number in (self._frames, *self._raw):
            if number >= 0:
                loop.remove_reader(number)
                os.close(number)
        if self._requests >= 0:
            os.close(self._requests)

    def _read_frames(self) -> None:
        for _ in range(16):  # then others have their turn
            try:
                data = os.read(self._frames, _READ)
            except OSError:
                return
            if not data:
                asyncio.get_running_loop().remove_reader(self._frames)
                return
            self._data += data
            try:
                self._take_frames()
            except Exception as error:  # noqa: BLE001 - whatever taking a message raises becomes the end of the cell
                self._failed(error)

    def _take_frames(self) -> None:
        at = 0
        while len(self._data) - at >= _HEAD:
            size = int.from_bytes(self._data[at + 1 : at + _HEAD], "big")
            if len(self._data) - at < _HEAD + size:
                break
            letter = bytes(self._data[at : at + 1])
            payload = bytes(self._data[at + _HEAD : at + _HEAD + size])
            at += _HEAD + size
            if letter in {b"o", b"e"}:
                self._stream("stdout" if letter == b"o" else "stderr", payload.decode("utf-8", "replace"))
            elif letter == b"m":
                self._message(json.loads(payload))
            else:
                self._drain_raw()
                self._done(json.loads(payload))
        del self._data[:at]

    def _read_raw(self, number: int) -> None:
        try:
            data = os.read(number, _READ)
        except OSError:
            return
        if data:
            try:
                self._raw_text(self._raw[number], data)
            except OSError as error:  # no room for it; it is of the cell that runs
                self._failed(error)
        else:
            asyncio.get_running_loop().remove_reader(number)

    def _drain_raw(self) -> None:
        """What subprocesses wrote before the cell ended."""
        for number, name in self._raw.items():
            with contextlib.suppress(OSError):  # there is no more
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
