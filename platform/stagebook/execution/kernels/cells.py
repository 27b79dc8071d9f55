"""`executor: inprocess`, the inner side: the process that runs the cells, without a kernel.

The only door to ploomber-engine, whose client and shell are subclassed here. ploomber-engine's own capture
of outputs joins lines, loses the order of the two streams and mistakes one failure for another. So the
shell here sends Jupyter's messages through a pipe to the process that started this one (`inprocess`),
which keeps statuses, time and memory, whatever happens in here.

Frames on the pipe: a letter, four bytes of length, the payload. `o` and `e` are text of standard
output and error, `m` is a message, `d` says that the cell is done.
"""

from __future__ import annotations

import base64
import builtins
import getpass
import importlib
import importlib.util
import io
import json
import os
import signal
import struct
import sys
import threading
import types
from typing import Any, NoReturn

from IPython.core.display_trap import DisplayTrap
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import StdinNotImplementedError
from IPython.core.history import HistoryManager
from nbformat import NotebookNode

from stagebook.execution.file_access import hooks
from stagebook.execution.kernels.leaving import leave
from stagebook.execution.kernels.postmortem import code_for_dump
from stagebook.system import mlflow_hook


def _ploomber() -> Any:
    """ploomber-engine's module of the client, without the rest of the package, which imports
    matplotlib: half a second for notebooks that draw nothing."""
    found = importlib.util.find_spec("ploomber_engine")
    if found is None or "ploomber_engine" in sys.modules:
        return importlib.import_module("ploomber_engine.ipython")
    package = types.ModuleType("ploomber_engine")
    package.__path__ = found.submodule_search_locations or []
    sys.modules["ploomber_engine"] = package
    try:
        return importlib.import_module("ploomber_engine.ipython")
    finally:  # a notebook that imports the package gets the whole of it
        for name in [name for name in sys.modules if name.partition(".")[0] == "ploomber_engine"]:
            del sys.modules[name]


_ipython: Any = _ploomber()

PIECE = 256_000  # characters of text in one frame
HEAD = struct.Struct("!cI")


class Channel:
    """The pipe to the outer side. Threads take turns; forks of this process do not write to it."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._owner = os.getpid()
        self._lock = threading.RLock()

    def open(self, descriptor: int) -> None:
        """Write to this descriptor from here on."""
        self._descriptor = descriptor

    def send(self, letter: bytes, payload: bytes) -> None:
        """Send one frame. A fork of this process writes text to its standard output or error instead."""
        if os.getpid() != self._owner:
            if letter in b"oe":
                os.write(1 if letter == b"o" else 2, payload)
            return
        data = memoryview(HEAD.pack(letter, len(payload)) + payload)
        with self._lock:
            while data:
                data = data[os.write(self._descriptor, data) :]

    def message(self, kind: str, content: dict[str, Any]) -> None:
        """Send a message as a kernel would."""
        body = {"msg_type": kind, "content": content}
        self.send(b"m", json.dumps(body, default=_as_text).encode("utf-8", "surrogatepass"))


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return repr(value)


class Text(io.TextIOBase):
    """Standard output or error of the cells."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, channel: Channel, letter: bytes, number: int) -> None:
        super().__init__()
        self._channel = channel
        self._letter = letter
        self._number = number
        self._lock = threading.RLock()
        self._parts: list[str] = []
        self._held = 0
        self.other: Text | None = None

    def write(self, text: Any) -> int:
        """Take text; whole lines are sent at once."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.other is not None and self.other.holds:
            self.other.flush()  # the two keep their order
        with self._lock:
            self._parts.append(text)
            self._held += len(text)
            if "\n" in text or self._held > PIECE:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Send what is held."""
        with self._lock:
            text = "".join(self._parts)
            self._parts.clear()
            self._held = 0
            for at in range(0, len(text), PIECE):
                piece = text[at : at + PIECE].encode("utf-8", "backslashreplace")
                self._channel.send(self._letter, piece)

    @property
    def holds(self) -> bool:
        """Whether something is held."""
        return bool(self._parts)

    def writable(self) -> bool:
        """`True`: it is for writing."""
        return True

    def isatty(self) -> bool:
        """`False`: it is no terminal."""
        return False

    def fileno(self) -> int:
        """The descriptor that subprocesses write to, which the outer side reads too."""
        return self._number


class _Hook(DisplayHook):
    """The value of a cell's last expression, as a message."""

    shell: Any  # a `Shell`

    def write_output_prompt(self) -> None:
        """Nothing: the count is sent with the value."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        """Send the value."""
        _flush()
        content = {"data": format_dict, "metadata": md_dict or {}}
        content["execution_count"] = self.shell.execution_count
        self.shell.channel.message("execute_result", content)

    def finish_displayhook(self) -> None:
        """Nothing is left to send."""


class _Publisher(DisplayPublisher):
    """What `display` shows, as messages."""

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        source: Any = None,  # noqa: ARG002
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        """Show, or show in place of what has the same display id."""
        _flush()
        content = {"data": data, "metadata": metadata or {}, "transient": transient or {}}
        self.shell.channel.message("update_display_data" if update else "display_data", content)

    def clear_output(self, wait: bool = False) -> None:  # noqa: FBT001, FBT002
        """Clear the cell's outputs."""
        _flush()
        self.shell.channel.message("clear_output", {"wait": wait})


class Shell(_ipython.PloomberShell):
    """ploomber-engine's shell, speaking messages; matplotlib is set up once it is imported."""

    _is_up = False

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._is_up = True
        self.channel = channel
        self.display_pub = _Publisher(shell=self, parent=self)
        self.displayhook = _Hook(shell=self, parent=self, cache_size=self.cache_size)
        self.display_trap = DisplayTrap(hook=self.displayhook)

    def init_history(self) -> None:
        """The history is the process's own, not one more entry in the user's."""
        self.history_manager = HistoryManager(shell=self, parent=self, hist_file=":memory:")
        self.configurables.append(self.history_manager)

    def enable_matplotlib(self, gui: str | None = None) -> Any:
        """Set up matplotlib if a cell asks for it. ploomber-engine's constructor asks too, which would cost
        notebooks that draw nothing half a second; the inline backend sets itself up when it is imported."""
        return super().enable_matplotlib(gui) if self._is_up else None

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        _flush()
        content = {"ename": etype.__name__, "evalue": str(evalue), "traceback": stb}
        self.channel.message("error", content)

    asked_to_exit = False

    def ask_exit(self) -> None:
        """`exit()` in a cell: the notebook ends with it."""
        self.asked_to_exit = True


class Client(_ipython.PloomberClient):
    """ploomber-engine's client, running the cells that the outer side asks for, one by one."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(NotebookNode(cells=[]), progress_bar=False)
        self._channel = channel

    def __enter__(self) -> Client:
        """Make the shell."""
        self._shell = Shell(self._channel)
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: the process ends."""

    def begin(self) -> None:
        """Set up what depends on the working folder: modules in it are found, as in a kernel."""
        self._shell.starting_dir = os.getcwd()
        if "" not in sys.path:
            # Where a kernel has it (IPython's `init_path`): behind the standard library, so that modules
            # are found in the same places as there.
            site = ("site-packages", "dist-packages")
            at = next((at for at, path in enumerate(sys.path) if os.path.basename(path) in site), 0)
            sys.path.insert(at, "")
        mlflow_hook.begin()
        hooks.begin(self._shell)

    def warm_up(self) -> None:
        """Run an empty cell, so that the first one finds all in memory."""
        self._shell.run_cell("pass", store_history=False, silent=True)

    def run(self, source: str) -> dict[str, Any]:
        """Run one cell; its count, and the name and value of its exception."""
        count = self._shell.execution_count
        result = self._shell.run_cell(source, store_history=True)
        _flush()
        error = result.error_before_exec or result.error_in_exec
        end: dict[str, Any] = {"count": count, "name": "", "value": ""}
        if error is not None:
            end.update(name=type(error).__name__, value=str(error))
        elif self._shell.asked_to_exit:  # as `sys.exit()`, but without an exception
            end["name"] = "SystemExit"
        return end

    def dump(self, path: str) -> dict[str, Any]:
        """Write a dump of the last exception."""
        self._shell.run_cell(code_for_dump(path), silent=True)
        return {}


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Text):
            stream.flush()


def _no_input(*_: Any, **__: Any) -> str:
    raise StdinNotImplementedError("input was asked for, but nobody can answer in a pipeline.")


def serve(client: Client, channel: Channel, requests: int) -> None:
    """Run the cells that are requested on a descriptor, and answer on the channel, until the end."""
    sys.stdout = Text(channel, b"o", 1)
    sys.stderr = Text(channel, b"e", 2)
    sys.stdout.other, sys.stderr.other = sys.stderr, sys.stdout
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - for as long as the process is there
    builtins.input = _no_input
    getpass.getpass = _no_input
    if not os.environ.get("MPLBACKEND"):
        os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    sys.argv = [""]
    client.begin()
    with os.fdopen(requests, "rb", closefd=False) as lines:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for line in lines:
            request = json.loads(line)
            if "end" in request:
                break
            if "dump" in request:
                answer = client.dump(request["dump"])
            else:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                answer = client.run(request["cell"])
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            channel.send(b"d", json.dumps(answer).encode())
    sys.stdout = sys.__stdout__
    sys.stderr = sys.__stderr__


def main() -> NoReturn:
    """The process if it is not forked. Its arguments are the two descriptors."""
    if sys.path and sys.path[0] == os.getcwd():
        del sys.path[0]  # see `Client.begin`
    channel = Channel()
    channel.open(int(sys.argv[2]))
    with Client(channel) as client:
        serve(client, channel, int(sys.argv[1]))
    leave(0)


if __name__ == "__main__":
    main()
