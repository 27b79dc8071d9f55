"""The shell of the cells that run without a kernel: that of a kernel, with a pipe in place of its sockets.

It is ipykernel's own shell, so that libraries find what they look for in a notebook, and a cell shows what it shows in
one. Its messages go through a `Channel`.
"""

from __future__ import annotations

import asyncio
import os
import pdb  # noqa: T100 - to be replaced by that of IPython
import signal
import sys
from collections.abc import Mapping
from typing import Any

import comm
from comm.base_comm import BaseComm, CommManager
from ipykernel.compiler import XCachingCompiler
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core import debugger
from IPython.core.error import UsageError
from jupyter_client.session import Session
from traitlets import Instance
from traitlets.config import Config

from stagebook.execution.kernels import cell_files
from stagebook.execution.kernels.channel import Channel


class ChannelSession(Session):
    """What shell, display hook and comms hand their messages to."""

    channel = Instance(Channel)

    def send(  # noqa: PLR0913, PLR0917 - as its base has it
        self,
        stream: Any,  # noqa: ARG002 - the socket of a kernel
        msg_or_type: Any,
        content: Mapping[str, Any] | None = None,
        parent: Mapping[str, Any] | None = None,
        ident: Any = None,  # noqa: ARG002
        buffers: Any = None,
        track: bool = False,  # noqa: ARG002, FBT001, FBT002
        header: Any = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Any:
        """Send a message, which is given whole or in parts."""
        whole: Any = msg_or_type
        if not isinstance(whole, dict):
            whole = self.msg(msg_or_type, content, parent, header, metadata)  # type: ignore[arg-type]
        self.channel.message(
            whole["header"]["msg_type"],
            whole["content"],
            metadata=whole["metadata"],
            parent=(whole["parent_header"] or {}).get("msg_id", ""),
            buffers=buffers or whole.get("buffers") or (),
        )
        return whole


class NoKernel:
    """What stands in for the kernel: its shell and session, and the message of the cell that runs."""

    eventloop = None
    iopub_socket = None

    def __init__(self, session: ChannelSession) -> None:
        self.session = session
        self.shell: Any = None
        self.comm_manager = CommManager()

    def get_parent(self, channel: str | None = None) -> Any:  # noqa: ARG002 - there is one
        """The message that asked for the cell."""
        return self.shell.get_parent()

    @property
    def execution_count(self) -> int:
        """The number of the cell."""
        return int(self.shell.execution_count)

    def __getattr__(self, name: str) -> Any:
        msg = f"'{name}': with 'executor: inprocess' there is no kernel"
        raise AttributeError(msg)


class Shell(ZMQInteractiveShell):
    """The shell, as a kernel sets it up."""

    @classmethod
    def begin(cls, channel: Channel) -> Shell:
        """Make the one shell of this process."""
        kernel = NoKernel(ChannelSession(channel=channel))
        # What libraries look for, and the history is the process's own, not one more entry in the user's.
        config = Config({"IPKernelApp": {}, "HistoryManager": {"hist_file": ":memory:"}})
        shell: Any = cls.instance(config=config, kernel=kernel, user_ns=None, compiler_class=XCachingCompiler)
        kernel.shell = shell
        for sender in (shell.displayhook, shell.display_pub):
            sender.session = kernel.session
        shell.extension_manager.load_extension("storemagic")
        cell_files.begin(shell)
        assert isinstance(shell, Shell)
        return shell

    def settle(self) -> None:
        """Set up what depends on the working folder and the environment."""
        self.init_environment()
        self.starting_dir = os.getcwd()
        self.user_ns["_dh"][:] = [self.starting_dir]
        self.user_ns_hidden.update(self.user_ns)
        pdb.Pdb = debugger.Pdb = debugger.InterruptiblePdb  # type: ignore[misc,assignment] # as `IPKernelApp.init_pdb`
        pdb.set_trace = debugger.set_trace
        comm.create_comm = self._create_comm
        comm.get_comm_manager = lambda: self.kernel.comm_manager

    def enable_gui(self, gui: Any = None) -> None:
        """Check the name of a toolkit, as a kernel does; what is drawn with it is not shown."""
        from ipykernel.eventloops import enable_gui  # noqa: PLC0415 - ipykernel imports it at this moment, too

        try:
            enable_gui(gui, kernel=self.kernel)
        except ValueError as error:
            raise UsageError(str(error)) from error
        self.active_eventloop = gui

    def _create_comm(self, *args: Any, **kwargs: Any) -> BaseComm:
        return ChannelComm(self, *args, **kwargs)

    async def run(self, source: str) -> Any:
        """Run a cell within the loop that runs, as a kernel does; IPython's result."""
        failed = None
        try:
            code = self.transform_cell(source)
        except Exception:  # noqa: BLE001 - a transformer of the notebook; IPython shows it as the cell's
            code, failed = source, sys.exc_info()
        given: dict[str, Any] = {"transformed_cell": code, "preprocessing_exc_tuple": failed}
        if not self.should_run_async(source, **given):
            return self.run_cell(source, store_history=True)
        running = asyncio.ensure_future(self.run_cell_async(source, store_history=True, **given))
        loop = asyncio.get_running_loop()
        before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(running.cancel))
        result = None
        try:
            result = await running
        finally:
            signal.signal(signal.SIGINT, before)
            self.events.trigger("post_execute")
            self.events.trigger("post_run_cell", result)
        return result

    def asked_to_exit(self) -> bool:
        """Whether `exit()` was called in a cell. What else a cell has for a front end is dropped, as nbclient does."""
        manager: Any = self.payload_manager
        payload = manager.read_payload()
        manager.clear_payload()
        return any(item.get("source") == "ask_exit" for item in payload)


# A library looks at the name of its type.
for _name in ("__name__", "__qualname__", "__module__"):
    setattr(Shell, _name, getattr(ZMQInteractiveShell, _name))


class ChannelComm(BaseComm):
    """A comm, such as that of a widget. Nothing comes back."""

    def __init__(self, shell: Shell, *args: Any, **kwargs: Any) -> None:
        self._shell = shell
        super().__init__(*args, **kwargs)

    def publish_msg(
        self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
    ) -> None:
        """Send a message of it."""
        content = {"data": data or {}, "comm_id": self.comm_id, **keys}
        session, parent = self._shell.kernel.session, self._shell.get_parent()
        session.send(None, msg_type, content, parent=parent, metadata=metadata or {}, buffers=buffers)
