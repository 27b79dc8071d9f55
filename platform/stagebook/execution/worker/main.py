"""`stagebook run-stage`: the process that executes one attempt, for every engine.

It reads the attempt from a file, tells what happens as JSON lines on its standard output, writes
`result.json`, and ends with an exit code: 0 completed, 1 the stage failed, 75 something of the
platform or the machine failed. It ends with its parent, and takes all of its processes along.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from stagebook.artifact import Artifact
from stagebook.events import Cause
from stagebook.execution.engine.attempt import (
    FILES_FOLDER,
    LOG_FILE,
    MARKER,
    NOTEBOOK_FILE,
    OUTPUTS_FOLDER,
    RESULT_FILE,
    Attempt,
    Result,
)
from stagebook.execution.file_access.hooks import VARIABLE as OBSERVED
from stagebook.execution.file_access.report import OBSERVED_FILE, read_observed
from stagebook.execution.fork.client import ADDRESS, LIFELINE, SOCKETS, tie_to_lifeline
from stagebook.execution.kernels.postmortem import DUMP_FILE
from stagebook.execution.runner import staging
from stagebook.execution.worker.papermill_engine import execute
from stagebook.execution.worker.scraps import read_scraps
from stagebook.execution.worker.session import Outcome, Stop, Task
from stagebook.system import processes
from stagebook.system.blobs import Blobs
from stagebook.system.files import describe_path, write_whole

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_PLATFORM = 75  # EX_TEMPFAIL of sysexits.h
# Of the environment; not for notebooks. With pytest's variable ipykernel would not read what child
# processes print.
_OWN = {ADDRESS, LIFELINE, SOCKETS, OBSERVED, "STAGEBOOK_PARENT", "PYTEST_CURRENT_TEST"}
_OURS = {Cause.KERNEL_START, Cause.DISK, Cause.INTERNAL, Cause.PUBLICATION}


def main(attempt_file: str) -> int:
    """Execute the attempt that the file describes; the exit code."""
    events = _take_stdout()
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.request(Cause.CANCELLED))
    attempt = Attempt.from_json(json.loads(Path(attempt_file).read_bytes()))
    parent = os.environ.get("STAGEBOOK_PARENT")
    if not tie_to_lifeline() and parent:
        processes.die_with_parent(int(parent))
    processes.adopt_orphans()
    began = time.monotonic()
    result = _run(attempt, events, stop, began)
    kept = {result.kernel["pid"]} if result.kernel else set()
    manifest = result.to_json()
    with contextlib.suppress(OSError):  # on a full disk the channel has to do
        write_whole(Path(attempt.folder) / RESULT_FILE, json.dumps(manifest, indent=1).encode())
    with contextlib.suppress(OSError):
        events.write(json.dumps({"kind": "result", "at": time.time(), "result": manifest}) + "\n")
    processes.end_descendants(spare=kept)
    if not kept:
        processes.end_marked(MARKER, attempt.marker)
        if sockets := os.environ.get(SOCKETS):  # the engine does so too, if it is still there
            shutil.rmtree(sockets, ignore_errors=True)
    if result.cause is None:
        return EXIT_OK
    return EXIT_PLATFORM if result.cause in _OURS else EXIT_FAILED


def _take_stdout() -> IO[str]:
    """Standard output as a channel for events; what anything else prints goes to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.set_inheritable(channel.fileno(), False)
    os.dup2(2, 1)
    return channel


def _run(attempt: Attempt, events: IO[str], stop: Stop, began: float) -> Result:
    root, folder = Path(attempt.root), Path(attempt.folder)
    os.chdir(root)

    def emit(data: dict[str, Any]) -> None:
        # A reader that is gone must not fail the stage; the parent's death is noticed elsewhere.
        with contextlib.suppress(OSError):
            events.write(json.dumps({**data, "at": time.time()}) + "\n")

    try:
        staging.prepare(root, attempt.outputs)
    except OSError as error:
        return Result(cause=Cause.DISK, message=f"no room for outputs: {error.strerror or error}")
    task = Task(
        source=root / attempt.executable,
        shown_as=attempt.notebook,
        target=folder / NOTEBOOK_FILE,
        log=folder / LOG_FILE,
        outputs=folder / OUTPUTS_FOLDER,
        files=folder / FILES_FOLDER,
        cwd=root,
        executor=attempt.executor if os.name == "posix" else "kernel",
        fork_address=os.environ.get(ADDRESS, ""),
        dump=folder / DUMP_FILE if attempt.keep_dump else None,
        keep_kernel=attempt.keep_kernel,
        values=attempt.values,
        types=attempt.types,
        kernel=attempt.kernel,
        timeout=attempt.timeout,
        env=_environment(attempt, root),
    )
    outcome = execute(task, emit, stop)
    return _result(attempt, outcome, began)


def _environment(attempt: Attempt, root: Path) -> dict[str, str]:
    """The kernel's environment: modules beside the notebook import as they do in JupyterLab."""
    inherited = {name: value for name, value in os.environ.items() if name not in _OWN}
    if os.environ.get(OBSERVED) != "off":
        inherited[OBSERVED] = str(Path(attempt.folder) / OBSERVED_FILE)
    paths = [str((root / attempt.notebook).parent), str(root), os.environ.get("PYTHONPATH", "")]
    return {
        **inherited,
        **attempt.env,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "STAGEBOOK_RUN_ID": attempt.run,
        "STAGEBOOK_STAGE": attempt.stage,
        "PLOOMBER_STATS_ENABLED": "false",
    }


def _result(attempt: Attempt, outcome: Outcome, began: float) -> Result:
    root, folder = Path(attempt.root), Path(attempt.folder)
    cause, message = outcome.cause, outcome.message
    inputs: dict[str, list[Artifact]] = {}
    outputs: dict[str, Artifact] = {}
    scraps: dict[str, Any] = {}
    try:
        scraps = read_scraps(outcome.cell_list, folder / "scraps")
        if cause is None:
            absent = staging.missing(root, attempt.outputs)
            if absent:
                cause = Cause.OUTPUT_MISSING
                message = "the notebook ended without writing " + ", ".join(
                    f"'{name}' ({attempt.outputs[name].path})" for name in absent
                )
        if cause is None:
            describe = _keep(attempt) if attempt.store else describe_path
            outputs = {
                name: describe(root / slot.staged, slot.path)
                if slot.kind == "file"
                else Artifact(path=slot.path, external=True)
                for name, slot in attempt.outputs.items()
            }
            inputs = {
                name: [
                    _describe_input(root, path) for path in (value if isinstance(value, list) else [value])
                ]
                for name, value in attempt.inputs.items()
            }
    except OSError as error:
        cause, message = Cause.DISK, f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
    since = time.time() - (time.monotonic() - began)
    return Result(
        cause=cause,
        message=message,
        seconds=time.monotonic() - began,
        cell=outcome.cell,
        cells=outcome.cells,
        traceback=outcome.traceback,
        cpu=outcome.usage.cpu,
        memory=outcome.usage.memory,
        dump=outcome.dump,
        kernel=outcome.kernel,
        observed=read_observed(folder / OBSERVED_FILE, root, since),
        scraps=scraps,
        inputs=inputs,
        outputs=outputs,
    )


def _keep(attempt: Attempt) -> Callable[[Path, str], Artifact]:
    """Describes outputs as `describe_path`, and keeps them in the store on the way."""
    blobs = Blobs(Path(attempt.store))
    return lambda path, shown: blobs.keep(path, shown, most=attempt.store_most)


def _describe_input(root: Path, path: str) -> Artifact:
    if not (root / path).exists():
        return Artifact(path=path, external=True)
    return describe_path(root / path, path)


def command(arguments: list[str]) -> int:
    """The command line of `run-stage`."""
    if len(arguments) != 1:
        sys.stderr.write("usage: stagebook run-stage ATTEMPT_FILE\n")
        return 2
    return main(arguments[0])
