"""An engine for tests that really executes notebooks, and costs a millisecond: in this very process.

It does what the kernel does for notebooks that hold no more than Python and `%run`: the values after
the parameters cell, the folder of the notebook and the project first in `sys.path`, modules imported
anew, scraps, outputs kept in the store. `test_differential` holds it against the local engine.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import re
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from stagebook.events import Cause
from stagebook.execution.attempt import Attempt, AttemptResult
from stagebook.execution.engine.protocol import Ended, Report
from stagebook.execution.worker import outputs

Meanwhile = Callable[[Attempt, int], None]
"""Called before each cell of an attempt, with its number from 1, as somebody who does other things."""

_RUN = re.compile(r"^(\s*)%run\s+(\S+)\s*$", re.MULTILINE)


class ExecEngine:
    """Executes one attempt after the other. `done` has the ids of the stages, in order."""

    def __init__(self, meanwhile: Meanwhile = lambda _attempt, _cell: None) -> None:
        self.done: list[str] = []
        self._meanwhile = meanwhile
        self._waiting: deque[Attempt] = deque()

    def start(self, attempt: Attempt) -> None:
        self._waiting.append(attempt)

    def wait(self, _timeout: float | None) -> Sequence[Report]:
        if not self._waiting:
            return []
        attempt = self._waiting.popleft()
        self.done.append(attempt.stage)
        return [Ended(stage=attempt.stage, attempt=attempt.number, result=self._execute(attempt))]

    def cancel(self, stage: str, *, now: bool = False) -> None:
        raise NotImplementedError

    def wake(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._waiting.clear()

    def _execute(self, attempt: Attempt) -> AttemptResult:
        root = Path(attempt.root)
        outputs.make_folders(root, attempt.outputs)
        scraps: dict[str, Any] = {}
        before = os.getcwd(), list(sys.path), set(sys.modules)
        os.chdir(root)
        try:
            _run_cells(attempt, scraps, self._meanwhile)
        except Exception as error:
            return AttemptResult(
                cause=Cause.EXCEPTION, message=f"{type(error).__name__}: {error}", scraps=scraps
            )
        finally:
            os.chdir(before[0])
            sys.path[:] = before[1]
            for name in set(sys.modules) - before[2]:
                del sys.modules[name]
        if absent := outputs.missing(root, attempt.outputs):
            return AttemptResult(cause=Cause.OUTPUT_MISSING, message=", ".join(absent), scraps=scraps)
        return AttemptResult(scraps=scraps, outputs=outputs.describe_outputs(attempt, {}))


def _run_cells(attempt: Attempt, scraps: dict[str, Any], meanwhile: Meanwhile) -> None:
    root = Path(attempt.root)
    sys.path[:0] = [str((root / attempt.notebook).parent), str(root)]
    sys.modules["scrapbook"] = _scrapbook(scraps)
    importlib.invalidate_caches()
    space: dict[str, Any] = {"__name__": "__main__", "__run__": lambda path: _run_script(path, space)}
    for at, source in enumerate(_sources(attempt), start=1):
        meanwhile(attempt, at)
        exec(_compiled(source), space)


@functools.cache
def _compiled(source: str) -> types.CodeType:
    return compile(_RUN.sub(r"\1__run__('\2')", source), "cell", "exec")


def _sources(attempt: Attempt) -> Iterator[str]:
    """The code cells, with the values that are passed."""
    values = "\n".join(f"{name} = {value!r}" for name, value in attempt.values.items())
    cells = json.loads(Path(attempt.executable).read_bytes())["cells"]
    at = next((at for at, cell in enumerate(cells) if "parameters" in cell["metadata"].get("tags", [])), -1)
    if at < 0:
        yield values
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            yield "".join(cell["source"])
        if number == at:
            yield values


def _run_script(path: str, space: dict[str, Any]) -> None:
    """`%run`: a program of its own, whose names are then the notebook's."""
    before = list(sys.path)
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    own: dict[str, Any] = {"__name__": "__main__", "__file__": path}
    try:
        exec(compile(Path(path).read_text(), path, "exec"), own)
    finally:
        sys.path[:] = before
    space.update({name: value for name, value in own.items() if not name.startswith("__")})


def _scrapbook(scraps: dict[str, Any]) -> types.ModuleType:
    module: Any = types.ModuleType("scrapbook")

    def glue(name: str, value: Any) -> None:
        kind = "text" if isinstance(value, str) else "json"
        scraps[name] = {"kind": kind, "value": json.loads(json.dumps(value))}

    module.glue = glue
    return module
