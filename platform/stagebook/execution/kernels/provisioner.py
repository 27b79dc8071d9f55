"""A kernel provisioner that asks the fork server. Kernels it cannot fork start the ordinary way.

https://jupyter-client.readthedocs.io/en/stable/provisioning.html
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import traitlets
import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from stagebook.execution.fork.client import Forked, ForkRefused, ask, request_of

# Names that jupyter_client takes for the interpreter that it runs in.
_SAME = {"python", f"python{sys.version_info[0]}", f"python{sys.version_info[0]}.{sys.version_info[1]}"}
_LAUNCHER = ["-m", "ipykernel_launcher"]
_SCRIPT = Path(__file__).with_name("stage_kernel.py")
_READY = 60.0  # seconds for a forked kernel to be ready


class ForkProvisioner(KernelProvisionerBase):
    """A kernel forked from the fork server, which chose its sockets and connection file itself."""

    forked: Forked | None = None

    def __init__(self, address: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._address = address
        self.file = ""

    @property
    def has_process(self) -> bool:
        """Whether there is, or was, a kernel."""
        return self.forked is not None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:  # noqa: ARG002
        """Fork a kernel with the folder and environment; its connection info."""
        request = request_of("kernel", cwd=kwargs["cwd"], env=kwargs["env"])
        self.forked = ask(self._address, request, [2])
        told = await self.forked.told("connection", _READY)
        self.file = told["file"]
        info = told["connection"]
        return {**info, "key": info["key"].encode()}

    async def poll(self) -> int | None:
        """The exit code, or None while it is there."""
        return self.forked.poll() if self.forked is not None else 0

    async def wait(self) -> int | None:
        """Wait for its end."""
        while await self.poll() is None:
            await asyncio.sleep(0.005)
        return await self.poll()

    async def send_signal(self, signum: int) -> None:
        """Send a signal to its process group."""
        if self.forked is not None:
            self.forked.say(signal=int(signum))

    async def kill(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - as its base has it
        """Kill it."""
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002
        """Ask it to end."""
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002
        """Close the connection to the supervisor."""
        if self.forked is not None:
            self.forked.close()


class Channel(AsyncZMQSocketChannel):
    """A channel whose reader is woken after each message that is sent. Sending goes past the asynchronous socket,
    and takes the sign of what came meanwhile with it, so that nobody would read that: nbclient sends from within the
    handling of an output widget's message, while it waits for the reply of the cell."""

    def send(self, msg: dict[str, Any]) -> None:
        """Send a message, and look at what has come."""
        super().send(msg)
        self.socket.get(zmq.EVENTS)  # which schedules the reading of it


class Client(AsyncKernelClient):
    """A client of a kernel, with such channels."""

    shell_channel_class = traitlets.Type(Channel)
    control_channel_class = traitlets.Type(Channel)


class Manager(AsyncKernelManager):
    """A kernel manager that forks where it can: the kernel is ipykernel in this very interpreter."""

    client_factory = traitlets.Type(Client)
    fork_address = ""
    make_folder: Callable[[], None] = staticmethod(lambda: None)  # before an ordinary start

    @property
    def is_ours(self) -> bool:
        """Whether the kernel is ipykernel, under any interpreter."""
        spec = self.kernel_spec
        return spec is not None and spec.argv[1:3] == _LAUNCHER

    @property
    def argv(self) -> list[str]:
        """The command of the kernel as its specification has it; empty where there is no such kernel."""
        spec = self.kernel_spec
        words = list(spec.argv) if spec is not None else []
        return [sys.executable, *words[1:]] if words and words[0] in _SAME else words

    @property
    def interpreter(self) -> str:
        """The program that the kernel starts with: a path or name, empty where there is no such kernel."""
        return next(iter(self.argv), "")

    def _can_fork(self) -> bool:
        spec = self.kernel_spec
        if spec is None or not self.fork_address or not self.is_ours or spec.env:
            return False
        return (shutil.which(self.interpreter) or self.interpreter) == sys.executable

    async def start(self, *, cwd: str, env: dict[str, str], independent: bool) -> None:
        """Fork the kernel where that can be done, and else start it. `independent`: it may outlive
        this process."""
        if self._can_fork():
            kernel = ForkProvisioner(
                self.fork_address, kernel_id="stage", kernel_spec=self.kernel_spec, parent=self
            )
            try:
                wanted = await kernel.pre_launch(cwd=cwd, env=env)
                info = await kernel.launch_kernel([], **wanted)
            except ForkRefused as error:
                sys.stderr.write(f"the kernel starts the ordinary way: {error}\n")
                await kernel.cleanup()
            else:
                self._attempted_start = True
                self.provisioner = kernel
                self.load_connection_info(info)
                self.connection_file = kernel.file
                return
        self.make_folder()
        arguments = ["--HistoryManager.hist_file=:memory:"] if self.ipykernel else []
        more = {"independent": True} if independent else {}
        await self.start_kernel(extra_arguments=arguments, cwd=cwd, env=env, **more)

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """The command of an ordinary start; ipykernel's launcher is replaced by our own."""
        command = super().format_kernel_cmd(extra_arguments)
        if self.is_ours and command[1:3] == _LAUNCHER:
            return [command[0], str(_SCRIPT), *command[3:]]
        return command

    async def exit_code(self) -> int | None:
        """The exit code of the kernel, negative for a signal; `None` while it is there, or was never started."""
        return await self.provisioner.poll() if self.provisioner is not None else None

    async def kill_and_wait(self, timeout: float) -> None:
        """Kill the kernel and wait for its end. Raises `TimeoutError` after `timeout` seconds."""
        if self.provisioner is not None:
            if await self.provisioner.poll() is None:
                await self.provisioner.kill()
            await asyncio.wait_for(self.provisioner.wait(), timeout)

    @property
    def forked(self) -> Forked | None:
        """The forked kernel, where it was forked."""
        return self.provisioner.forked if isinstance(self.provisioner, ForkProvisioner) else None

    @property
    def pid(self) -> int | None:
        """The kernel's process id."""
        if isinstance(self.provisioner, LocalProvisioner):
            return self.provisioner.pid
        forked = self.forked
        return forked.pid if forked is not None else None


def warm_up() -> None:
    """Look up the kernel once, as jupyter_client does for each start."""
    with contextlib.suppress(NoSuchKernel):
        assert Manager(kernel_name="python3").kernel_spec is not None
