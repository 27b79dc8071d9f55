"""A process that kills itself at one of the operations on files that it does below a folder, in the order in which it does
them."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import Any

CHANGES = {
    "os.rename",
    "os.link",
    "os.symlink",
    "os.mkdir",
    "os.remove",
    "os.rmdir",
    "os.chmod",
    "shutil.copyfile",
}


def kill_at(folder: str, number: int) -> None:
    """Kill this process at the operation of that number, from 1, just before it is done. With 0 it lives, and says on
    standard error how many there were."""
    count = 0
    if not number:
        atexit.register(lambda: print(f"operations={count}", file=sys.stderr))

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        is_write = event == "open" and isinstance(arguments[1], str) and "w" in arguments[1]
        if event not in CHANGES and not is_write:
            return
        if any(str(path).startswith(folder) for path in arguments if isinstance(path, str | os.PathLike)):
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)
