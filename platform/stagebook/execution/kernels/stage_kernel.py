"""The Python kernel of a stage: ipykernel, with a channel for outputs that loses nothing.

This module runs in two ways: forked (`run`), and as a script of its own under any interpreter that has
ipykernel, in place of `ipykernel_launcher`; so it imports nothing of Stagebook.

ipykernel publishes outputs on a ZeroMQ socket that drops messages once 1,000 are waiting
(https://github.com/nteract/papermill/issues/426 and nteract#4188 are what that looks like). Here
the socket waits instead, whoever prints waits with it, and no message is larger than a piece.
"""

from __future__ import annotations

import atexit
import codecs
import importlib.util
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import zmq
from ipykernel.iostream import IOPubThread, OutStream
from ipykernel.kernelapp import IPKernelApp

PIECE = 256_000  # characters of text in one message
WAITING = 200  # messages that may wait, here and again in the socket

# The name by which ipykernel imports the class of its streams.
sys.modules.setdefault("stagebook_stage_kernel", sys.modules[__name__])


class Stream(OutStream):
    """Standard output or error, sent in pieces."""

    _unsent = 0

    def write(self, string: str) -> int:
        """Text to be sent. Waits for the socket after each piece, so that memory stays bounded."""
        if not isinstance(string, str) or len(string) + self._unsent < PIECE:
            self._unsent += len(string)
            return super().write(string) or 0
        for at in range(0, len(string), PIECE):
            super().write(string[at : at + PIECE])
            self.flush()
        return len(string)

    def _watch_pipe_fd(self) -> None:
        """Read what child processes write. Unlike ipykernel's method, this one keeps a character whole that two
        reads tear, and does not copy the text to the kernel's own log."""
        if self._fid is None:
            return
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            while (data := os.read(self._fid, 1 << 16)) and self._should_watch:
                if text := decoder.decode(data):
                    self.write(text)
        except Exception:  # noqa: BLE001 - told when the stream is closed, as ipykernel does
            self._exc = sys.exc_info()

    def _flush(self) -> None:
        self._unsent = 0
        super()._flush()


class _Publisher(IOPubThread):
    """The thread that sends outputs. A thread that hands it more than it can send waits."""

    def schedule(self, f: Callable[[], Any]) -> None:
        if threading.current_thread() is not self.thread:
            while len(self._events) > WAITING and self.thread.is_alive():
                time.sleep(0.001)
        super().schedule(f)


class StageKernelApp(IPKernelApp):
    """ipykernel's application with the two changes above; `before_code` is called once the kernel
    is up, before anything that depends on its folder or environment."""

    before_code: Callable[[], None] | None = None

    def init_iopub(self, context: Any) -> None:
        """As ipykernel does, with a socket that waits where it would drop."""
        self.iopub_socket = context.socket(zmq.XPUB)
        self.iopub_socket.linger = 1000
        self.iopub_socket.sndhwm = WAITING
        self.iopub_socket.setsockopt(zmq.XPUB_NODROP, 1)
        if hasattr(self, "_apply_curve_server_options"):
            self._apply_curve_server_options(self.iopub_socket)
        self.iopub_port = self._bind_socket(self.iopub_socket, self.iopub_port)
        self.configure_tornado_logger()
        try:
            self.iopub_thread = _Publisher(self.iopub_socket, pipe=True, session=self.session)
        except TypeError:  # ipykernel 6
            self.iopub_thread = _Publisher(self.iopub_socket, pipe=True)
        self.iopub_thread.start()
        self.iopub_socket = self.iopub_thread.background_socket

    def init_path(self) -> None:
        """Set up the import path, the first thing that depends on the folder of the kernel."""
        if self.before_code is not None:
            self.kernel.shell.run_cell(
                "pass", store_history=False, silent=True
            )  # as `Client.warm_up` in `cells`
            self.before_code()
        super().init_path()

    def init_poller(self) -> None:
        """A forked kernel ends with its supervisor, without a thread that watches it."""
        if self.before_code is None:
            super().init_poller()

    def start(self) -> None:
        """Serve. From here on MLflow knows the attempt's run, and file access is reported, if the environment asks for
        it."""
        try:
            if os.environ.get("STAGEBOOK_MLFLOW"):
                _ours("stagebook.system.mlflow_hook").begin()
            if os.environ.get("STAGEBOOK_OBSERVED"):
                _ours("stagebook.execution.file_access.hooks").begin(self.shell)
        except Exception as error:  # noqa: BLE001 - whatever an older interpreter raises: the notebook runs
            self.log.warning("a hook of Stagebook is missing: %r", error)
        super().start()

    def log_connection_info(self) -> None:
        """Log nothing: nobody reads it on a terminal."""
        names = ("shell", "iopub", "stdin", "hb", "control")
        self._ports = {name: getattr(self, f"{name}_port") for name in names}


def _ours(name: str) -> Any:
    """A module of Stagebook: imported already in a forked kernel, else loaded from its file, as the interpreter may have
    no Stagebook."""
    if name in sys.modules:
        return sys.modules[name]
    alone = name.replace(".", "_")
    if alone not in sys.modules:
        package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        path = os.path.join(package, *name.split(".")[1:])
        path = os.path.join(path, "__init__.py") if os.path.isdir(path) else f"{path}.py"
        spec = importlib.util.spec_from_file_location(alone, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[alone] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[alone])
    return sys.modules[alone]


def _application(**options: Any) -> StageKernelApp:
    app = StageKernelApp.instance(outstream_class="stagebook_stage_kernel.Stream", **options)
    assert isinstance(app, StageKernelApp)
    return app


def run(folder: str, before_code: Callable[[], None]) -> None:
    """Be a kernel with its connection file and sockets in a private folder, until it is shut down."""
    app = _application(transport="ipc", ip=f"{folder}/k", connection_file=f"{folder}/k.json")
    app.before_code = before_code
    sys.argv = ["stagebook-kernel", "-f", f"{folder}/k.json"]
    app.initialize(["--HistoryManager.hist_file=:memory:"])
    # At its exit ipykernel stops the thread that sends outputs, while another may still wait for it
    # to send: ten seconds. The end of the process closes all of it as well, after the notebook's own
    # exit functions, whose outputs are sent that way.
    atexit.unregister(app.close)
    atexit.unregister(app.iopub_thread.stop)
    app.start()


def redirect(descriptor: int) -> None:
    """Have the kernel's own messages, which are not outputs of the notebook, go to a descriptor."""
    for stream in (sys.stdout, sys.stderr):
        copy = getattr(stream, "_original_stdstream_copy", None)
        if copy is not None:
            os.dup2(descriptor, copy)


if __name__ == "__main__":
    if sys.path and sys.path[0] == os.path.dirname(os.path.abspath(__file__)):
        del sys.path[0]  # the modules beside this one are not for notebooks
    application = _application()
    application.initialize()
    application.start()
