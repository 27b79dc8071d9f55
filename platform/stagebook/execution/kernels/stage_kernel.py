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
import contextlib
import importlib.util
import os
import select
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq
from ipykernel.iostream import IOPubThread, OutStream
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp

PIECE = 256_000  # characters of text in one message
WAITING = 200  # messages that may wait, here and again in the socket
_READ = 1 << 16  # bytes of text of child processes
_READS = 32  # at once: the largest pipe that a user may have holds 1 MB, and a child may never stop

# The name by which ipykernel imports the class of its streams.
sys.modules.setdefault("stagebook_stage_kernel", sys.modules[__name__])


class Stream(OutStream):
    """Standard output or error, sent in pieces."""

    _unsent = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._reading = threading.RLock()
        self._reader: int | None = None  # the thread that takes what came to the descriptor
        super().__init__(*args, **kwargs)

    def fileno(self) -> int:
        """The descriptor whose text becomes an output, as that of `write` does. ipykernel gives the one of its
        own log."""
        number = getattr(self, "_original_stdstream_fd", None)
        return super().fileno() if number is None else int(number)

    def write(self, string: str) -> int:
        """Text to be sent. Waits for the socket after each piece, so that memory stays bounded."""
        size = len(string) if isinstance(string, str) else 0
        if size + self._unsent < PIECE:
            self._unsent += size
            return super().write(string) or 0
        for at in range(0, len(string), PIECE):
            super().write(string[at : at + PIECE])
            self.flush()
        return len(string)

    def flush(self) -> None:
        """Send what was written, also to the descriptor: by C code and by child processes."""
        with contextlib.suppress(OSError, ValueError):  # the pipe is closed
            self._take()
        super().flush()

    def _watch_pipe_fd(self) -> None:
        """Read what child processes write. Unlike ipykernel's method, this one keeps a character whole that two
        reads tear, and does not copy the text to the kernel's own log."""
        if self._fid is None:
            return
        os.set_blocking(self._fid, False)
        poll = select.poll()
        poll.register(self._fid, select.POLLIN)
        try:
            while self._should_watch:
                poll.poll()
                if not self._take():
                    return
        except Exception:  # noqa: BLE001 - told when the stream is closed, as ipykernel does
            self._exc = sys.exc_info()

    def _take(self) -> bool:
        """Take what has come to the descriptor, at most what its pipe can hold; whether there may come more. Of
        several threads one takes at a time, so afterwards nothing that came before is still on its way."""
        if self._fid is None or not self._should_watch or not self._is_master_process():
            return False
        with self._reading:
            if self._reader == threading.get_ident():
                return True  # it writes what it took
            self._reader = threading.get_ident()
            try:
                for _ in range(_READS):
                    try:
                        data = os.read(self._fid, _READ)
                    except BlockingIOError:
                        break
                    if not data:
                        return False
                    if text := self._decoder.decode(data):
                        self.write(text)
                return True
            finally:
                self._reader = None

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


class StageKernel(IPythonKernel):
    """ipykernel's kernel, which waits for no child process at its end and loses no text of C code."""

    async def do_execute(self, *args: Any, **kwargs: Any) -> Any:
        """Run code, and have the C library write what it holds back."""
        try:
            return await super().do_execute(*args, **kwargs)
        finally:
            _ours("stagebook.execution.kernels.leaving").flush_c_streams()

    def raw_input(self, prompt: Any = "") -> Any:
        """Ask somebody, if anybody is there: a console that was connected to a kept kernel."""
        return (
            super().raw_input(prompt)
            if self._allow_stdin
            else _ours("stagebook.execution.kernels.leaving").no_input()
        )

    def getpass(self, *args: Any, **kwargs: Any) -> Any:
        """As `raw_input`."""
        return (
            super().getpass(*args, **kwargs)
            if self._allow_stdin
            else _ours("stagebook.execution.kernels.leaving").no_input()
        )

    async def _progressively_terminate_all_children(self) -> None:
        """Wait for none of them, as ipykernel does for up to half a minute: in vain, where nobody waited for one that
        has ended, or it is a helper of multiprocessing, which ends after its parent. Whoever started the kernel ends
        what is left."""
        _ours("stagebook.execution.kernels.leaving").end_children_soon()


class StageKernelApp(IPKernelApp):
    """ipykernel's application with the changes above; `before_code` is called once the kernel
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
            shell = self.kernel.shell
            shell.init_environment()
            shell.starting_dir = os.getcwd()
            shell.user_ns["_dh"][:] = [Path.cwd()]
        super().init_path()

    def init_poller(self) -> None:
        """A forked kernel ends with its supervisor, without a thread that watches it."""
        if self.before_code is None:
            super().init_poller()

    def initialize(self, argv: Any = None) -> None:
        """Set up. At its exit ipykernel stops the thread that sends outputs, while another may still wait for it
        to send: ten seconds. The end of the process closes all of it as well, after the notebook's own exit
        functions, whose outputs are sent that way."""
        super().initialize(argv)
        atexit.unregister(self.close)
        atexit.unregister(self.iopub_thread.stop)

    def start(self) -> None:
        """Serve. From here on MLflow knows the attempt's run, and file access is reported, if the environment asks for
        it."""
        try:
            _ours("stagebook.execution.kernels.cell_files").begin(self.shell)
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


# Settings go by the name of the class: `%config IPKernelApp…`.
StageKernelApp.__name__ = StageKernelApp.__qualname__ = "IPKernelApp"


def _ours(name: str) -> Any:
    """A module of Stagebook: imported already in a forked kernel, else loaded from its file, as the interpreter may have
    no Stagebook. So it must import nothing of Stagebook either."""
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
    streams = "stagebook_stage_kernel.Stream"
    app = StageKernelApp.instance(outstream_class=streams, kernel_class=StageKernel, **options)
    assert isinstance(app, StageKernelApp)
    return app


def run(folder: str, before_code: Callable[[], None]) -> None:
    """Be a kernel with its connection file and sockets in a private folder, until it is shut down."""
    app = _application(transport="ipc", ip=f"{folder}/k", connection_file=f"{folder}/k.json")
    app.before_code = before_code
    sys.argv = ["stagebook-kernel", "-f", f"{folder}/k.json"]
    app.initialize(["--HistoryManager.hist_file=:memory:"])
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
