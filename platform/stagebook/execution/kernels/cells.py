"""`executor: inprocess`, the inner side: the process that runs the cells, without a kernel.

The only door to ploomber-engine, whose client is subclassed here. ploomber-engine's own capture
of outputs joins lines, loses the order of the two streams and mistakes one failure for another. So the
shell (`shell`) sends Jupyter's messages through a pipe to the process that started this one (`inprocess`),
which keeps statuses, time and memory, whatever happens in here.
"""

from __future__ import annotations

import asyncio
import builtins
import getpass
import importlib
import importlib.util
import json
import os
import signal
import sys
import types
from typing import Any, NoReturn

from nbformat import NotebookNode

from stagebook.execution.file_access import hooks
from stagebook.execution.kernels.channel import Channel
from stagebook.execution.kernels.leaving import flush_c_streams, leave, no_input
from stagebook.execution.kernels.postmortem import code_for_dump
from stagebook.execution.kernels.shell import Shell
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


class Client(_ipython.PloomberClient):
    """ploomber-engine's client, running the cells that the outer side asks for, one by one."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(NotebookNode(cells=[]), progress_bar=False)
        self._channel = channel

    def __enter__(self) -> Client:
        """Make the shell."""
        self._shell = Shell.begin(self._channel)
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: the process ends."""

    def begin(self) -> None:
        """Set up what depends on the working folder: modules in it are found, as in a kernel."""
        self._shell.settle()
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

    async def run(self, source: str, name: str) -> dict[str, Any]:
        """Run one cell, whose messages name it so; its count, and the name and value of its exception."""
        self._shell.set_parent({"header": {"msg_id": name, "msg_type": "execute_request"}})
        count = self._shell.execution_count
        result = await self._shell.run(source)
        flush_c_streams()
        error = result.error_before_exec or result.error_in_exec
        end: dict[str, Any] = {"count": count, "name": "", "value": ""}
        if error is not None:
            end.update(name=type(error).__name__, value=_text_of(error))
        if self._shell.asked_to_exit() and error is None:  # as `sys.exit()`, but without an exception
            end["name"] = "SystemExit"
        return end

    def dump(self, path: str) -> dict[str, Any]:
        """Write a dump of the last exception."""
        self._shell.run_cell(code_for_dump(path), silent=True)
        return {}


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as other:  # noqa: BLE001 - its class is the notebook's
        return f"<its text could not be made: {type(other).__name__}>"


def serve(client: Client, channel: Channel, requests: int) -> None:
    """Run the cells that are requested on a descriptor, and answer on the channel, until the end."""
    sys.stdout, sys.stderr = channel.streams()
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - for as long as the process is there
    builtins.input = no_input
    getpass.getpass = no_input
    if not os.environ.get("MPLBACKEND"):
        os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    sys.argv = ["stagebook-cells", "-f", os.devnull]  # as a kernel, which has its file there
    client.begin()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # It runs between cells as well, so that the tasks of a cell go on. What is left of them ends with the process.
    loop.run_until_complete(_answer_all(client, channel, requests))
    sys.stdout = sys.__stdout__
    sys.stderr = sys.__stderr__


async def _answer_all(client: Client, channel: Channel, requests: int) -> None:
    lines = asyncio.StreamReader(limit=sys.maxsize)
    with os.fdopen(requests, "rb", closefd=False) as file:
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), file)
        while line := await lines.readline():
            request = json.loads(line)
            if "end" in request:
                break
            if "dump" in request:
                answer = client.dump(request["dump"])
            else:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                answer = await client.run(request["cell"], request["name"])
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            channel.answer(answer)


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
