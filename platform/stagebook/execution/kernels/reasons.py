"""Why a kernel did not start, from what its process said before it ended."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Sequence

from stagebook.execution.kernels.executor import how_ended

MAX_LINE = 300  # characters of what it said
_MAX_SAID = 1_000_000  # bytes in which the reason is looked for
_NO_IPYKERNEL = re.compile(r"No module named '?(?:ipykernel(?:_launcher)?|zmq)\b")
_TELLING = re.compile(
    r"error|exception|no module|not found|no such|cannot|can't|denied|invalid|missing", re.IGNORECASE
)


class Log:
    """The file that a kernel writes its own messages to, from what it holds now."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._from = 0
        with contextlib.suppress(OSError):
            self._from = os.path.getsize(path)

    def since_then(self) -> str:
        """What was added; nothing where the file cannot be read."""
        with contextlib.suppress(OSError), open(self._path, "rb") as file:
            file.seek(self._from)
            return file.read(_MAX_SAID).decode("utf-8", "replace")
        return ""


def of_end(code: int, said: str, argv: Sequence[str]) -> str:
    """Why a kernel with this command ended at its start, for a message: what it said last, and its exit code, which is
    negative for a signal."""
    program = " ".join(itertools.takewhile(lambda word: word not in {"-m", "-c", "-f"}, argv))
    if _NO_IPYKERNEL.search(said):
        return f"ipykernel is not installed for {program}; '{program} -m pip install ipykernel' installs it"
    how = f"it ended {how_ended(code)}" if code >= 0 else f"it was {how_ended(code)}"
    line = last_telling_line(said)
    return f"{how}: {line}" if line else how


def last_telling_line(said: str) -> str:
    """The last line that sounds like a reason, else the last one; empty where there is none."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.search(line)]
    return (telling or lines or [""])[-1][:MAX_LINE]
