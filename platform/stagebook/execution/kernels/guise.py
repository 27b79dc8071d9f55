"""A process that looks like a kernel while it imports modules, for the kernels that are forked from it.

Libraries decide while they are imported whether they are in a notebook: pandas how many columns it shows, tqdm which
bar, duckdb whether to show one. In a kernel they find its shell, its streams and its environment; here they find a shell
and streams that stand in for those of the kernel that is still to come.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, ClassVar

from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from traitlets.config import Config

# What a kernel adds to its environment (`ZMQInteractiveShell.init_environment`).
ENVIRONMENT = {
    "TERM": "xterm-color", "CLICOLOR": "1", "FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "PAGER": "cat", "GIT_PAGER": "cat",
}  # fmt: skip


def _shell_that_came() -> Any:
    """The shell of the kernel, once there is one."""
    return InteractiveShell._instance  # noqa: SLF001 - `instance()` would make one


class _StandIn(ZMQInteractiveShell):
    """A shell without anything in it. Once the kernel's own is there, a module that kept this one has that one."""

    def __getattribute__(self, name: str) -> Any:
        shell = _shell_that_came()
        if shell is None or isinstance(shell, _StandIn):
            return super().__getattribute__(name)
        return getattr(shell, name)


# A library looks at the name of its type.
for _name in ("__name__", "__qualname__", "__module__"):
    setattr(_StandIn, _name, getattr(ZMQInteractiveShell, _name))


class _Kernel:
    """The kernel of that shell."""

    def __getattr__(self, name: str) -> Any:
        shell = _shell_that_came()
        if shell is None or isinstance(shell, _StandIn):
            raise AttributeError(name)
        return getattr(shell.kernel, name)


class _Stream(io.TextIOBase):
    """Standard output or error, whatever it is by the time that something is written."""

    encoding = "UTF-8"
    _originals: ClassVar[dict[str, Any]] = {}

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._originals[name] = getattr(sys, name)

    @property
    def _stream(self) -> Any:
        stream = getattr(sys, self._name)
        return self._originals[self._name] if stream is self else stream

    def write(self, text: str) -> int:
        return int(self._stream.write(text) or 0)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return int(self._stream.fileno())

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True


@contextlib.contextmanager
def looking_like_a_kernel() -> Iterator[None]:
    """While this lasts, an import finds what it would find in a kernel. The environment stays changed."""
    shell = _StandIn.__new__(_StandIn)
    shell.config = Config({"IPKernelApp": {"connection_file": ""}})
    shell.kernel = _Kernel()
    given = {"get_ipython": lambda: shell, "display": display, "__IPYTHON__": True}
    streams = sys.stdout, sys.stderr
    classes: list[Any] = list(ZMQInteractiveShell._walk_mro())  # noqa: SLF001 - those that share one instance
    os.environ.update(ENVIRONMENT)
    vars(builtins).update(given)
    sys.stdout, sys.stderr = _Stream("stdout"), _Stream("stderr")
    try:
        for one in classes:
            one._instance = shell  # noqa: SLF001
        yield
    finally:
        for one in classes:
            one._instance = None  # noqa: SLF001
        sys.stdout, sys.stderr = streams
        for name in given:
            delattr(builtins, name)
